#include "model.h"

#include "calls.h"
#include "loaded.h"
#include "sample.h"

#include <stdlib.h>
#include <string.h>

enum {
    WHOLE_ELEMENTS = 1 << 22, /* of the largest tensor: such a call is compared whole */
    MOST_ELEMENTS = 1 << 24,  /* such a one too if there is no other way */
    REFERENCE_RUNS = 16,      /* with tensors of f64 each: three roundings, moved inputs */
    SMALL_ROW_BYTES = 4096,   /* smaller ones are not downloaded each for itself */
    POISON_BYTES = 1 << 20
};

/* ---- between device and host ------------------------------------------------------------------- */

struct sampled {
    const struct trial *model;
    uint64_t seed;
    struct loaded loaded;
    struct trial trial; /* of the rows alone: what the reference computes */
    uint32_t dim;       /* UINT32_MAX: everything is taken */
    int64_t rows[ROWS_MOST];
    uint32_t row_count;
};

/* The rows from byte `first` on. */
static enum ldsl_status take_rows(const struct sampled *s, void *to, const ldsl_buffer *from,
                                  size_t first, const struct sample_cut *cut)
{
    enum ldsl_status status = LDSL_OK;
    if (cut->block >= SMALL_ROW_BYTES) {
        for (uint32_t i = 0; !status && i < s->row_count; i++)
            status = ldsl_buffer_download(from, first + (size_t)s->rows[i] * cut->block,
                                          (char *)to + i * cut->block, cut->block);
        return status;
    }
    void *all = malloc(cut->count * cut->block);
    if (!all)
        return LDSL_NOMEM;
    status = ldsl_buffer_download(from, first, all, cut->count * cut->block);
    if (!status)
        sample_gather(to, all, cut, s->rows, s->row_count);
    free(all);
    return status;
}

/* Tensor `number` of the plan as the trial has it. */
static enum ldsl_status take(struct sampled *s, uint32_t number, uint32_t param, struct tensor *to,
                             struct tensor_error *error)
{
    const ldsl_buffer *from = s->loaded.buffers[number];
    int64_t shape[LDSL_MAX_RANK];
    struct sample_cut cut;
    enum ldsl_status status = LDSL_OK;
    if (!trial_shape(&s->trial, param, shape) ||
        !tensor_create(to, trial_dtype(&s->trial, param), s->trial.subject->params[param].rank,
                       shape, error))
        return LDSL_NOMEM;
    if (!to->bytes)
        return LDSL_OK;
    if (s->dim == UINT32_MAX || !sample_cut(&cut, s->model, param, s->dim))
        return ldsl_buffer_download(from, 0, to->data, to->bytes);
    for (size_t o = 0; !status && o < cut.outer; o++)
        status = take_rows(s, (char *)to->data + o * s->row_count * cut.block, from,
                           o * cut.count * cut.block, &cut);
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
        s->row_count = sample_rows(s->rows, s->model, s->dim);
    return sample_resize(&s->trial, s->model, s->dim, s->row_count);
}

static enum ldsl_status run(struct sampled *s, ldsl_plan *plan, struct cli *cli,
                            const struct operators *ops, struct tensor_error *error)
{
    enum ldsl_status status = loaded_create(&s->loaded, cli, ops, s->model, s->seed, plan, NULL);
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
                  uint64_t seed, struct cli *cli, const struct operators *ops,
                  const struct references *references)
{
    struct sampled s = {.model = t, .seed = seed, .dim = UINT32_MAX};
    bool whole = trial_elements(t) <= WHOLE_ELEMENTS;
    char name[400];
    *coverage = (struct coverage){0};
    if (!whole)
        s.dim = sample_dim(t, WHOLE_ELEMENTS, references);
    if (!whole && s.dim == UINT32_MAX && !fits(t)) {
        coverage->fewer = true;
        (void)verify_fewer(out, name, sizeof name, t, WHOLE_ELEMENTS, ops, references);
        return;
    }
    verify_sampled(out, &s, cli, ops, references);
    if (s.dim != UINT32_MAX)
        *coverage = (struct coverage){
            .rows = s.row_count, .of = t->dims[s.dim], .dim = t->subject->dims[s.dim]};
}
