#include "model.h"

#include "calls.h"
#include "loaded.h"
#include "rows.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    WHOLE_ELEMENTS = 1 << 22, /* of the largest tensor: such a call is compared whole */
    MOST_ELEMENTS = 1 << 26,  /* such a one too if there is no other way */
    REFERENCE_RUNS = 16,      /* with tensors of f64 each: three roundings, moved inputs */
    FEW_ROWS = 2,             /* are compared with the same among twice as many */
    POISON_BYTES = 1 << 20
};

static const double SAME = 1e-9; /* relative: sums in f64 may be formed in another order */

/* ---- whose rows -------------------------------------------------------------------------------- */

static bool is_present(const struct trial *t, uint32_t i)
{
    return t->subject->params[i].kind == LDSL_KIND_TENSOR && !t->params[i].absent;
}

static bool is_of_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool mentions(const char *text, const char *dim)
{
    size_t length = strlen(dim);
    for (const char *s = strstr(text, dim); s; s = strstr(s + 1, dim))
        if ((s == text || !is_of_name(s[-1])) && !is_of_name(s[length]))
            return true;
    return false;
}

static bool has_rows(const ldsl_op_param *p, const char *dim)
{
    return p->rank && strcmp(p->dims[0], dim) == 0;
}

static bool is_row_dim(const struct trial *t, const char *dim)
{
    for (uint32_t i = 0; i < t->subject->info.param_count; i++) {
        const ldsl_op_param *p = &t->subject->params[i];
        if (!is_present(t, i))
            continue;
        if (p->role != LDSL_PARAM_INPUT && !has_rows(p, dim))
            return false;
        for (uint32_t d = has_rows(p, dim); d < p->rank; d++)
            if (mentions(p->dims[d], dim))
                return false;
    }
    return true;
}

/* The dim that counts rows; UINT32_MAX: results are not by rows. */
static uint32_t find_row_dim(const struct trial *t)
{
    for (uint32_t d = 0; d < t->subject->dim_count; d++)
        if (is_row_dim(t, t->subject->dims[d]))
            return d;
    return UINT32_MAX;
}

/* The call with other rows; its tensors are not made. */
static bool make_rows(struct trial *out, const struct trial *model, uint32_t dim, int64_t rows)
{
    if (!trial_create(out, model->subject))
        return false;
    memcpy(out->types, model->types, sizeof out->types);
    memcpy(out->dims, model->dims, sizeof out->dims);
    memcpy(out->params, model->params, model->subject->info.param_count * sizeof *out->params);
    if (dim != UINT32_MAX)
        out->dims[dim] = rows;
    return true;
}

/* The reference's results of t's inputs, nothing rounded. False: it cannot be run. */
static bool refer(struct trial *out, const struct subject *reference, const struct trial *t,
                  const struct operators *ops)
{
    struct tensor_error error;
    return reference_trial(out, reference, t, true, &error) &&
           !trial_run(out, ops->context, ops->library, &error);
}

/* The results of few's rows, as far as few goes. */
static bool agree(const struct trial *few, const struct trial *more)
{
    for (uint32_t i = 0; i < few->subject->info.param_count; i++) {
        const struct tensor *a = &few->params[i].after, *b = &more->params[i].after;
        for (size_t k = 0; k < a->count; k++) {
            double x = tensor_get(a, k), y = tensor_get(b, k);
            if (fabs(x - y) > SAME * fmax(fabs(x), fabs(y)))
                return false;
        }
    }
    return true;
}

/* Does the reference give the first rows the same results whether more rows follow or not? A mean over
 * rows, for one, has its number of rows in all its gradients. */
static bool rows_stand_alone(const struct trial *model, uint32_t dim,
                             const struct references *references)
{
    const struct operators *ops = &references->biased[BIAS_NONE];
    struct subject reference = {0};
    struct trial few = {0}, more = {0}, few_answer = {0}, more_answer = {0};
    struct tensor_error error;
    bool alone = true;
    if (subject_create(&reference, ops->library, model->subject->info.ref) &&
        make_rows(&few, model, dim, FEW_ROWS) && make_rows(&more, model, dim, 2 * FEW_ROWS) &&
        trial_fill(&few, STYLE_SAMPLE, 1, &error) && trial_fill(&more, STYLE_SAMPLE, 1, &error)) {
        for (uint32_t i = 0; i < model->subject->info.param_count; i++)
            if (few.params[i].before.bytes)
                memcpy(few.params[i].before.data, more.params[i].before.data,
                       few.params[i].before.bytes);
        if (refer(&few_answer, &reference, &few, ops) &&
            refer(&more_answer, &reference, &more, ops))
            alone = agree(&few_answer, &more_answer);
    }
    trial_destroy(&few_answer);
    trial_destroy(&more_answer);
    trial_destroy(&few);
    trial_destroy(&more);
    subject_destroy(&reference);
    return alone;
}

/* Elements of the widest tensor's row. */
static int64_t row_elements(const struct trial *t, uint32_t dim)
{
    return t->dims[dim] ? (int64_t)(trial_elements(t) / (size_t)t->dims[dim]) : 0;
}

/* ---- between device and host ------------------------------------------------------------------- */

struct sampled {
    const struct trial *model;
    struct loaded loaded;
    struct trial trial; /* of the rows alone: what the reference computes */
    uint32_t dim;       /* UINT32_MAX: everything is taken */
    int64_t rows[ROWS_MOST];
    uint32_t row_count;
};

/* The rows of tensor `number` of the plan, as the trial has it. */
static enum ldsl_status take(struct sampled *s, uint32_t number, uint32_t param, struct tensor *to,
                             struct tensor_error *error)
{
    const ldsl_op_param *p = &s->trial.subject->params[param];
    int64_t shape[LDSL_MAX_RANK];
    bool by_rows = s->dim != UINT32_MAX && has_rows(p, s->trial.subject->dims[s->dim]);
    if (!trial_shape(&s->trial, param, shape) ||
        !tensor_create(to, trial_dtype(&s->trial, param), p->rank, shape, error))
        return LDSL_NOMEM;
    const ldsl_buffer *from = s->loaded.buffers[number];
    if (!to->bytes)
        return LDSL_OK;
    if (!by_rows)
        return ldsl_buffer_download(from, 0, to->data, to->bytes);
    size_t bytes = to->bytes / s->row_count;
    enum ldsl_status status = LDSL_OK;
    for (uint32_t i = 0; !status && i < s->row_count; i++)
        status = ldsl_buffer_download(from, (size_t)s->rows[i] * bytes,
                                      (char *)to->data + i * bytes, bytes);
    return status;
}

/* after: what was written; else what will be read. */
static enum ldsl_status take_all(struct sampled *s, bool after, struct tensor_error *error)
{
    enum ldsl_status status = LDSL_OK;
    for (uint32_t i = 0; !status && i < s->loaded.count; i++) {
        ldsl_tensor_info info;
        ldsl_plan_tensor(s->loaded.plan, i, &info);
        const ldsl_op_param *p = subject_find(s->trial.subject, info.name);
        uint32_t param = (uint32_t)(p - s->trial.subject->params);
        struct trial_param *value = &s->trial.params[param];
        if (after ? info.is_written : !info.is_output)
            status = take(s, i, param, after ? &value->after : &value->before, error);
    }
    return status;
}

static enum ldsl_status poison(ldsl_buffer *buffer, size_t bytes)
{
    enum ldsl_status status = LDSL_OK;
    unsigned char *block = malloc(POISON_BYTES);
    if (!block)
        return LDSL_NOMEM;
    memset(block, 0xff, POISON_BYTES); /* NaNs */
    for (size_t at = 0; !status && at < bytes; at += POISON_BYTES)
        status = ldsl_buffer_upload(buffer, at, block,
                                    bytes - at < POISON_BYTES ? bytes - at : POISON_BYTES);
    free(block);
    return status;
}

static enum ldsl_status poison_all(struct sampled *s)
{
    enum ldsl_status status = poison(s->loaded.workspace, s->loaded.workspace_bytes);
    for (uint32_t i = 0; !status && i < s->loaded.count; i++) {
        ldsl_tensor_info info;
        ldsl_plan_tensor(s->loaded.plan, i, &info);
        if (info.is_output)
            status = poison(s->loaded.buffers[i], info.bytes);
    }
    return status;
}

/* ---- the whole --------------------------------------------------------------------------------- */

static bool make_trial(struct sampled *s)
{
    if (s->dim != UINT32_MAX)
        s->row_count = rows_choose(s->rows, s->model->dims[s->dim], row_elements(s->model, s->dim));
    return make_rows(&s->trial, s->model, s->dim, s->row_count);
}

static enum ldsl_status run(struct sampled *s, ldsl_plan *plan, struct cli *cli,
                            const struct operators *ops, struct tensor_error *error)
{
    enum ldsl_status status = loaded_create(&s->loaded, cli, ops, s->model, plan, NULL);
    if (!status)
        status = poison_all(s);
    if (!status)
        status = take_all(s, false, error);
    if (!status)
        status = loaded_launch(&s->loaded, NULL);
    if (!status)
        status = ldsl_stream_synchronize(ops->context, NULL);
    return status ? status : take_all(s, true, error);
}

static void fail(struct outcome *out, const char *why)
{
    *out = (struct outcome){.passed = false};
    snprintf(out->why, sizeof out->why, "%s", *why ? why : "it failed without saying why");
}

static void compare(struct outcome *out, struct sampled *s, const struct references *references)
{
    struct tensor_error error = {.text = ""};
    struct answers answers = {.biased = {{0}}};
    if (answers_create(&answers, references, &s->trial, &error))
        verify_results(out, &s->trial, &answers);
    else
        fail(out, error.text);
    answers_destroy(&answers);
}

static void verify_sampled(struct outcome *out, struct sampled *s, struct cli *cli,
                           const struct operators *ops, const struct references *references)
{
    struct tensor_error error = {.text = ""};
    ldsl_plan *plan = NULL;
    enum ldsl_status status = make_trial(s) ? LDSL_OK : LDSL_NOMEM;
    if (!status)
        status = trial_prepare(&plan, s->model, ops->library);
    if (!status)
        status = run(s, plan, cli, ops, &error);
    if (status)
        fail(out, *error.text ? error.text : ldsl_last_error());
    loaded_destroy(&s->loaded);
    ldsl_plan_destroy(plan);
    if (!status)
        compare(out, s, references);
    trial_destroy(&s->trial);
}

/* Has the host the memory for the reference? */
static bool fits(const struct trial *t)
{
    size_t elements = trial_elements(t);
    return elements <= MOST_ELEMENTS && elements * sizeof(double) * t->subject->info.param_count <=
                                            host_memory_bytes() / REFERENCE_RUNS;
}

void verify_model(struct outcome *out, struct coverage *coverage, const struct trial *t,
                  struct cli *cli, const struct operators *ops, const struct references *references)
{
    struct sampled s = {.model = t, .dim = UINT32_MAX};
    bool whole = trial_elements(t) <= WHOLE_ELEMENTS;
    char name[400];
    *coverage = (struct coverage){0};
    if (!whole)
        s.dim = find_row_dim(t);
    if (s.dim != UINT32_MAX && !rows_stand_alone(t, s.dim, references))
        s.dim = UINT32_MAX;
    if (!whole && s.dim == UINT32_MAX && !fits(t)) {
        coverage->fewer = true;
        (void)verify_fewer(out, name, sizeof name, t, WHOLE_ELEMENTS, ops, references);
        return;
    }
    verify_sampled(out, &s, cli, ops, references);
    if (s.dim != UINT32_MAX)
        *coverage = (struct coverage){.rows = s.row_count, .of = t->dims[s.dim]};
}
