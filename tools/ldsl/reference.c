#include "reference.h"

#include "random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the operators under three roundings ------------------------------------------------------- */

enum ldsl_status references_open(struct references *out, const struct device_options *options,
                                 const struct ldsl_sink *sink)
{
    *out = (struct references){0};
    for (int b = 0; b < 3; b++) {
        ldsl_context_options context = {
            .sink = *sink,
            .cache_path = options->cache,
            .no_cache = options->no_cache,
            .threads = options->threads,
            .round_bias = b - BIAS_NONE,
        };
        struct operators *ops = &out->biased[b];
        enum ldsl_status status = ldsl_context_create(&ops->context, "cpu", &context);
        if (!status && options->file)
            status = ldsl_library_load_file(&ops->library, ops->context, options->file);
        else if (!status)
            status = ldsl_library_load_builtin(&ops->library, ops->context);
        if (status)
            return status;
    }
    return LDSL_OK;
}

void references_close(struct references *r)
{
    for (int b = 0; b < 3; b++)
        close_operators(&r->biased[b]);
}

/* ---- a trial of the reference ------------------------------------------------------------------ */

bool tensor_widen(struct tensor *out, const struct tensor *from, struct tensor_error *error)
{
    bool is_float = dtype_is_float(from->dtype);
    if (!tensor_create(out, is_float ? LDSL_F64 : from->dtype, from->rank, from->shape, error))
        return false;
    if (is_float)
        tensor_load(from, 0, from->count, out->data);
    else if (from->bytes)
        memcpy(out->data, from->data, from->bytes);
    return true;
}

static uint32_t find_param(const struct subject *s, const char *name)
{
    const ldsl_op_param *p = subject_find(s, name);
    return p ? (uint32_t)(p - s->params) : UINT32_MAX;
}

static void copy_types(struct trial *to, const struct trial *from, bool smooth)
{
    for (uint32_t g = 0; g < to->subject->generic_count; g++) {
        uint32_t same = subject_find_generic(from->subject, to->subject->generics[g].name);
        if (same != UINT32_MAX)
            to->types[g] = from->types[same];
        for (uint32_t k = 0; smooth && k < to->subject->generics[g].count; k++)
            if (to->subject->generics[g].dtypes[k] == LDSL_F64)
                to->types[g] = LDSL_F64;
    }
}

static void copy_dims(struct trial *to, const struct trial *from)
{
    for (uint32_t d = 0; d < to->subject->dim_count; d++) {
        uint32_t same = subject_find_dim(from->subject, to->subject->dims[d]);
        if (same != UINT32_MAX)
            to->dims[d] = from->dims[same];
    }
}

/* The tensors of parameter `to` as parameter `from` has them. */
static bool copy_tensors(struct trial_param *to, const struct trial_param *from,
                         struct tensor_error *error)
{
    if (from->before.count && !tensor_widen(&to->before, &from->before, error))
        return false;
    return !from->after.count || tensor_widen(&to->after, &from->after, error);
}

bool reference_trial(struct trial *out, const struct subject *reference, const struct trial *t,
                     bool smooth, struct tensor_error *error)
{
    if (!trial_create(out, reference))
        return tensor_fail(error, "out of memory");
    out->once = true;
    copy_types(out, t, smooth);
    copy_dims(out, t);
    for (uint32_t i = 0; i < reference->info.param_count; i++) {
        uint32_t same = find_param(t->subject, reference->params[i].name);
        if (same == UINT32_MAX)
            return tensor_fail(error, "reference '%s' has a parameter '%s' that '%s' has not",
                               reference->info.name, reference->params[i].name,
                               t->subject->info.name);
        const struct trial_param *from = &t->params[same];
        struct trial_param *to = &out->params[i];
        *to = (struct trial_param){.absent = from->absent,
                                   .given = from->given,
                                   .is_integer = from->is_integer,
                                   .number = from->number,
                                   .integer = from->integer,
                                   .word = from->word};
        if (!copy_tensors(to, from, error))
            return false;
    }
    return true;
}

/* ---- answers ----------------------------------------------------------------------------------- */

/* One input by up to half a unit in the last place of f32, up or down. */
static void move_input(struct tensor *x, uint64_t seed)
{
    for (size_t k = 0; k < x->count; k++)
        tensor_set(x, k, tensor_get(x, k) * (1 + 0x1p-24 * (2 * random_uniform(seed, k) - 1)));
}

static bool is_movable(const struct trial *t, uint32_t param)
{
    return t->params[param].before.count && t->params[param].before.dtype == LDSL_F64;
}

static bool run(struct trial *t, const struct operators *ops, struct tensor_error *error)
{
    struct tensor_error wrong;
    enum ldsl_status status = trial_run(t, ops->context, ops->library, &wrong);
    if (status)
        return tensor_fail(error, "reference '%s': %.200s", t->subject->info.name,
                           ldsl_last_error());
    if (*wrong.text)
        return tensor_fail(error, "reference '%s': %.200s", t->subject->info.name, wrong.text);
    return true;
}

static bool run_moved(struct answers *a, const struct operators *ops, const struct trial *t,
                      struct tensor_error *error)
{
    uint32_t params = a->subject.info.param_count;
    a->moved = calloc(2 * params + 1, sizeof *a->moved);
    a->scratch = calloc(2 * params + 1, sizeof *a->scratch);
    if (!a->moved || !a->scratch)
        return tensor_fail(error, "out of memory");
    for (uint32_t i = 0; i < 2 * params; i++) {
        if (!is_movable(&a->still, i / 2))
            continue;
        struct trial *moved = &a->moved[a->moves++];
        if (!reference_trial(moved, &a->subject, t, true, error))
            return false;
        move_input(&moved->params[i / 2].before, random_seed(i, "move"));
        if (!run(moved, ops, error))
            return false;
    }
    return true;
}

bool answers_create(struct answers *out, const struct references *r, const struct trial *t,
                    struct tensor_error *error)
{
    const struct operators *plain = &r->biased[BIAS_NONE];
    *out = (struct answers){0};
    if (!subject_create(&out->subject, plain->library, t->subject->info.ref))
        return tensor_fail(error, "there is no reference operator '%s'", t->subject->info.ref);
    for (int b = 0; b < 3; b++)
        if (!reference_trial(&out->biased[b], &out->subject, t, false, error) ||
            !run(&out->biased[b], &r->biased[b], error))
            return false;
    if (!reference_trial(&out->still, &out->subject, t, true, error) ||
        !run(&out->still, plain, error))
        return false;
    return run_moved(out, plain, t, error);
}

void answers_destroy(struct answers *a)
{
    for (int b = 0; b < 3; b++)
        trial_destroy(&a->biased[b]);
    for (unsigned m = 0; m < a->moves; m++)
        trial_destroy(&a->moved[m]);
    free(a->moved);
    free(a->scratch);
    trial_destroy(&a->still);
    subject_destroy(&a->subject);
}

static double longest_dim(const struct trial *t)
{
    int64_t longest = 1;
    for (uint32_t d = 0; d < t->subject->dim_count; d++)
        longest = t->dims[d] > longest ? t->dims[d] : longest;
    return (double)longest;
}

/* The root mean square of the largest float input. */
static double input_size(const struct trial *t)
{
    double largest = 0;
    for (uint32_t i = 0; i < t->subject->info.param_count; i++) {
        const struct tensor *x = &t->params[i].before;
        double sum = 0;
        if (!x->count || !dtype_is_float(x->dtype))
            continue;
        for (size_t k = 0; k < x->count; k++) {
            double v = tensor_get(x, k);
            sum += isfinite(v) ? v * v : 0;
        }
        largest = fmax(largest, sqrt(sum / (double)x->count));
    }
    return largest;
}

bool answers_find(struct expected *out, struct answers *a, const struct trial *t, uint32_t param)
{
    uint32_t i = find_param(&a->subject, t->subject->params[param].name);
    if (i == UINT32_MAX)
        return false;
    *out = (struct expected){
        .still = &a->still.params[i].after,
        .moved = a->scratch,
        .moves = a->moves,
        .reduction = longest_dim(t),
        .size = input_size(t),
    };
    for (int b = 0; b < 3; b++)
        out->bounds[b] = &a->biased[b].params[i].after;
    for (unsigned m = 0; m < a->moves; m++)
        a->scratch[m] = &a->moved[m].params[i].after;
    return out->bounds[0]->count == t->params[param].after.count;
}
