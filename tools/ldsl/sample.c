#include "sample.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { FEW_ROWS = 2, MORE_ROWS = 4 };

static const double same_within = 1e-9; /* relative: sums in f64 may be formed in another order */

/* ---- a dim by its text --------------------------------------------------------------------------- */

static bool is_present(const struct trial *t, uint32_t param)
{
    return t->subject->params[param].kind == LDSL_KIND_TENSOR && !t->params[param].absent;
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

/* Which of the parameter's dims it is; its rank: none. */
static uint32_t position(const ldsl_op_param *p, const char *dim)
{
    uint32_t at = 0;
    while (at < p->rank && strcmp(p->dims[at], dim) != 0)
        at++;
    return at;
}

static bool is_row_dim(const struct trial *t, const char *dim)
{
    for (uint32_t i = 0; i < t->subject->info.param_count; i++) {
        const ldsl_op_param *p = &t->subject->params[i];
        if (!is_present(t, i))
            continue;
        uint32_t at = position(p, dim);
        if (p->role != LDSL_PARAM_INPUT && at == p->rank)
            return false;
        for (uint32_t d = 0; d < p->rank; d++)
            if (d != at && mentions(p->dims[d], dim))
                return false;
    }
    return true;
}

/* ---- tensors by rows ----------------------------------------------------------------------------- */

bool sample_cut(struct sample_cut *out, const struct trial *t, uint32_t param, uint32_t dim)
{
    const ldsl_op_param *p = &t->subject->params[param];
    int64_t shape[LDSL_MAX_RANK];
    uint32_t at = position(p, t->subject->dims[dim]);
    if (at == p->rank || !trial_shape(t, param, shape))
        return false;
    *out = (struct sample_cut){
        .outer = 1, .count = (size_t)shape[at], .block = ldsl_dtype_size(trial_dtype(t, param))};
    for (uint32_t d = 0; d < p->rank; d++)
        if (d != at)
            *(d < at ? &out->outer : &out->block) *= (size_t)shape[d];
    return true;
}

void sample_gather(void *to, const void *from, const struct sample_cut *cut, const int64_t *rows,
                   uint32_t row_count)
{
    for (uint32_t i = 0; i < row_count; i++)
        memcpy((char *)to + i * cut->block, (const char *)from + (size_t)rows[i] * cut->block,
               cut->block);
}

/* Of the tensor whose rows are widest: elements of a row, and from one to the next. */
static void widest(const struct trial *t, uint32_t dim, size_t *row, size_t *step)
{
    *row = *step = 0;
    for (uint32_t i = 0; i < t->subject->info.param_count; i++) {
        struct sample_cut cut;
        if (!is_present(t, i) || !sample_cut(&cut, t, i, dim))
            continue;
        size_t elements = cut.block / ldsl_dtype_size(trial_dtype(t, i));
        if (cut.outer * elements > *row) {
            *row = cut.outer * elements;
            *step = elements;
        }
    }
}

uint32_t sample_rows(int64_t rows[ROWS_MOST], const struct trial *t, uint32_t dim)
{
    size_t row, step;
    widest(t, dim, &row, &step);
    return rows_choose(rows, t->dims[dim], (int64_t)row, (int64_t)step);
}

bool sample_resize(struct trial *out, const struct trial *t, uint32_t dim, int64_t rows)
{
    if (!trial_create(out, t->subject))
        return false;
    memcpy(out->types, t->types, sizeof out->types);
    memcpy(out->dims, t->dims, sizeof out->dims);
    memcpy(out->params, t->params, t->subject->info.param_count * sizeof *out->params);
    if (dim != UINT32_MAX)
        out->dims[dim] = rows;
    return true;
}

/* ---- do rows depend on each other? --------------------------------------------------------------- */

static const int64_t chosen[FEW_ROWS] = {1, 3}; /* of MORE_ROWS */

static void gather_all(struct tensor *to, const struct tensor *from, const struct sample_cut *cut)
{
    for (size_t o = 0; o < cut->outer; o++)
        sample_gather((char *)to->data + o * FEW_ROWS * cut->block,
                      (const char *)from->data + o * MORE_ROWS * cut->block, cut, chosen, FEW_ROWS);
}

/* The inputs of `few` are those of `more`, where these go by rows the chosen ones. */
static void share_inputs(struct trial *few, const struct trial *more, uint32_t dim)
{
    for (uint32_t i = 0; i < few->subject->info.param_count; i++) {
        struct tensor *to = &few->params[i].before;
        const struct tensor *from = &more->params[i].before;
        struct sample_cut cut;
        if (!to->bytes)
            continue;
        if (sample_cut(&cut, more, i, dim))
            gather_all(to, from, &cut);
        else
            memcpy(to->data, from->data, to->bytes);
    }
}

/* The reference's results of t's inputs, nothing rounded. */
static bool refer(struct trial *out, const struct subject *reference, const struct trial *t,
                  const struct operators *ops)
{
    struct tensor_error error;
    return reference_trial(out, reference, t, true, &error) &&
           !trial_run(out, ops->context, ops->library, &error);
}

/* A NaN is like nothing, not even another: it shows nothing about the others of its row. */
static bool is_same(const struct tensor *a, const struct tensor *b)
{
    for (size_t k = 0; k < a->count; k++) {
        double x = tensor_get(a, k), y = tensor_get(b, k);
        if (!(fabs(x - y) <= same_within * fmax(fabs(x), fabs(y))))
            return false;
    }
    return true;
}

static bool agree(const struct trial *few, const struct trial *more, uint32_t dim)
{
    bool same = true;
    for (uint32_t i = 0; same && i < few->subject->info.param_count; i++) {
        const struct tensor *found = &few->params[i].after;
        struct tensor picked = {.data = NULL};
        struct tensor_error error;
        struct sample_cut cut;
        if (!found->bytes || !sample_cut(&cut, more, i, dim) ||
            !tensor_create(&picked, found->dtype, found->rank, found->shape, &error))
            continue;
        gather_all(&picked, &more->params[i].after, &cut);
        same = is_same(found, &picked);
        tensor_destroy(&picked);
    }
    return same;
}

/* A reference that cannot be run says so when it is needed. */
static bool rows_stand_alone(const struct trial *t, uint32_t dim,
                             const struct references *references)
{
    const struct operators *ops = &references->biased[BIAS_NONE];
    struct subject reference = {0};
    struct trial few = {0}, more = {0}, few_answer = {0}, more_answer = {0};
    struct tensor_error error;
    bool alone = true;
    if (subject_create(&reference, ops->library, t->subject->info.ref) &&
        sample_resize(&few, t, dim, FEW_ROWS) && sample_resize(&more, t, dim, MORE_ROWS) &&
        trial_fill(&few, STYLE_SAMPLE, 1, &error) && trial_fill(&more, STYLE_SAMPLE, 1, &error)) {
        share_inputs(&few, &more, dim);
        uint32_t its = subject_find_dim(&reference, t->subject->dims[dim]);
        if (its != UINT32_MAX && refer(&few_answer, &reference, &few, ops) &&
            refer(&more_answer, &reference, &more, ops))
            alone = agree(&few_answer, &more_answer, its);
    }
    trial_destroy(&few_answer);
    trial_destroy(&more_answer);
    trial_destroy(&few);
    trial_destroy(&more);
    subject_destroy(&reference);
    return alone;
}

uint32_t sample_dim(const struct trial *t, size_t most_elements,
                    const struct references *references)
{
    for (uint32_t d = 0; d < t->subject->dim_count; d++) {
        size_t row, step;
        if (!is_row_dim(t, t->subject->dims[d]))
            continue;
        widest(t, d, &row, &step);
        if (row <= most_elements && rows_stand_alone(t, d, references))
            return d;
    }
    return UINT32_MAX;
}
