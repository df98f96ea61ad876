/* Operators and trials as data: declarations, shapes, inputs. */
#include "subject.h"

#include "expr.h"
#include "random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- declarations ------------------------------------------------------------------------- */

bool subject_create(struct subject *out, const ldsl_library *library, const char *op)
{
    *out = (struct subject){.library = library};
    if (!ldsl_op_find(library, op, &out->info))
        return false;
    if (out->info.generic_count > SUBJECT_GENERICS || out->info.dim_count > SUBJECT_DIMS)
        return false;
    out->params = calloc(out->info.param_count + 1, sizeof *out->params);
    if (!out->params)
        return false;
    for (uint32_t i = 0; i < out->info.param_count; i++)
        ldsl_op_get_param(library, op, i, &out->params[i]);
    out->generic_count = out->info.generic_count;
    for (uint32_t g = 0; g < out->generic_count; g++)
        out->generics[g].name =
            ldsl_op_generic(library, op, g, out->generics[g].dtypes, &out->generics[g].count);
    out->dim_count = out->info.dim_count;
    for (uint32_t d = 0; d < out->dim_count; d++)
        out->dims[d] = ldsl_op_dim(library, op, d);
    return true;
}

void subject_destroy(struct subject *s)
{
    free(s->params);
    *s = (struct subject){0};
}

const ldsl_op_param *subject_find(const struct subject *s, const char *name)
{
    for (uint32_t i = 0; i < s->info.param_count; i++)
        if (strcmp(s->params[i].name, name) == 0)
            return &s->params[i];
    return NULL;
}

uint32_t subject_find_dim(const struct subject *s, const char *name)
{
    for (uint32_t i = 0; i < s->dim_count; i++)
        if (strcmp(s->dims[i], name) == 0)
            return i;
    return UINT32_MAX;
}

uint32_t subject_find_generic(const struct subject *s, const char *name)
{
    for (uint32_t i = 0; i < s->generic_count; i++)
        if (strcmp(s->generics[i].name, name) == 0)
            return i;
    return UINT32_MAX;
}

/* ---- trials ------------------------------------------------------------------------------- */

bool trial_create(struct trial *out, const struct subject *s)
{
    *out = (struct trial){.subject = s};
    out->params = calloc(s->info.param_count + 1, sizeof *out->params);
    for (uint32_t g = 0; g < s->generic_count; g++)
        out->types[g] = s->generics[g].dtypes[0];
    return out->params != NULL;
}

static void drop_tensors(struct trial *t)
{
    for (uint32_t i = 0; i < t->subject->info.param_count; i++) {
        tensor_destroy(&t->params[i].before);
        tensor_destroy(&t->params[i].after);
    }
}

void trial_destroy(struct trial *t)
{
    if (t->params)
        drop_tensors(t);
    free(t->params);
    *t = (struct trial){0};
}

enum ldsl_dtype trial_dtype(const struct trial *t, uint32_t param)
{
    const ldsl_op_param *p = &t->subject->params[param];
    uint32_t g = p->generic ? subject_find_generic(t->subject, p->generic) : UINT32_MAX;
    return g == UINT32_MAX ? p->dtype : t->types[g];
}

static bool find_dim(const void *user, const char *name, double *value)
{
    const struct trial *t = user;
    uint32_t d = subject_find_dim(t->subject, name);
    if (d == UINT32_MAX)
        return false;
    *value = (double)t->dims[d];
    return true;
}

bool trial_shape(const struct trial *t, uint32_t param, int64_t shape[LDSL_MAX_RANK])
{
    const ldsl_op_param *p = &t->subject->params[param];
    struct expr_names names = {.find = find_dim, .user = t};
    for (uint32_t d = 0; d < p->rank; d++)
        if (!expr_dim(&shape[d], p->dims[d], &names))
            return false;
    return true;
}

static bool is_present(const struct trial *t, uint32_t param)
{
    return t->subject->params[param].kind == LDSL_KIND_TENSOR && !t->params[param].absent;
}

size_t trial_elements(const struct trial *t)
{
    size_t most = 0;
    for (uint32_t i = 0; i < t->subject->info.param_count; i++) {
        int64_t shape[LDSL_MAX_RANK];
        size_t count, bytes;
        if (!is_present(t, i))
            continue;
        if (!trial_shape(t, i, shape) ||
            !tensor_size(LDSL_F64, t->subject->params[i].rank, shape, &count, &bytes))
            return SIZE_MAX;
        most = count > most ? count : most;
    }
    return most;
}

/* ---- inputs ------------------------------------------------------------------------------- */

struct hint {
    char name[32];
    double arguments[2];
};

/* "randint(0, V)" */
static bool parse_hint(struct hint *hint, const char *text, const struct trial *t)
{
    struct expr_names names = {.find = find_dim, .user = t};
    size_t length = strcspn(text, "( ");
    if (length == 0 || length >= sizeof hint->name)
        return false;
    memcpy(hint->name, text, length);
    hint->name[length] = '\0';
    text += strcspn(text, "(");
    if (!*text++)
        return false;
    for (int i = 0; i < 2; i++) {
        text += strspn(text, " ");
        if (*text == ')')
            return true;
        if (!expr_evaluate(&hint->arguments[i], &text, &names))
            return false;
        text += *text == ',';
    }
    return true;
}

bool trial_sample(struct tensor *out, const struct trial *t, uint32_t param, uint64_t seed,
                  struct tensor_error *error)
{
    const ldsl_op_param *p = &t->subject->params[param];
    struct hint hint = {
        .name = "", .arguments = {0, 0}
    };
    if (p->sample && !parse_hint(&hint, p->sample, t))
        return tensor_fail(error, "cannot read the sample hint '%s' of '%s'", p->sample, p->name);
    seed = random_seed(seed, p->name);
    double a = hint.arguments[0], b = hint.arguments[1];
    if (strcmp(hint.name, "randint") == 0)
        tensor_fill_integers(out, (int64_t)a, (int64_t)b, seed);
    else if (strcmp(hint.name, "uniform") == 0)
        tensor_fill_uniform(out, a, b, seed);
    else if (strcmp(hint.name, "normal") == 0)
        tensor_fill_normal(out, a, b, seed);
    else if (strcmp(hint.name, "zeros") == 0)
        tensor_fill(out, 0.0);
    else if (strcmp(hint.name, "ones") == 0)
        tensor_fill(out, 1.0);
    else if (p->sample)
        return tensor_fail(error, "unknown sample hint '%s' of '%s'", p->sample, p->name);
    else if (dtype_is_float(out->dtype))
        tensor_fill_normal(out, 0.0, 1.0, seed);
    else
        tensor_fill_integers(out, 0, 2, seed);
    return true;
}

bool trial_sample_scalar(struct trial *t, uint32_t param, uint64_t seed)
{
    const ldsl_op_param *p = &t->subject->params[param];
    struct trial_param *value = &t->params[param];
    struct hint hint = {
        .name = "", .arguments = {0, 0}
    };
    if (p->kind != LDSL_KIND_SCALAR || !p->sample || !parse_hint(&hint, p->sample, t))
        return false;
    double a = hint.arguments[0], b = hint.arguments[1];
    double u = random_uniform(random_seed(seed, p->name), 0);
    value->given = true;
    value->is_integer = !dtype_is_float(p->dtype);
    if (strcmp(hint.name, "ones") == 0)
        value->number = 1.0;
    else if (strcmp(hint.name, "zeros") == 0)
        value->number = 0.0;
    else if (strcmp(hint.name, "normal") == 0)
        value->number = a + b * random_normal(random_seed(seed, p->name), 0);
    else
        value->number = a + (b - a) * u;
    if (p->dtype == LDSL_F32)
        value->number = (double)(float)value->number; /* what the operator will see */
    value->integer = (int64_t)floor(value->number);
    return true;
}

/* Zeros of both signs, the tiny and the large: one element in eight, at places of their own. */
static void strew_extremes(struct tensor *t, uint64_t seed)
{
    static const double extremes[] = {0.0, -0.0, 1e-30, -1e-6, 30.0, -30.0, 1000.0, -1000.0};
    for (size_t i = 0; i < t->count; i++) {
        uint64_t bits = random_bits(~seed, i);
        if (bits % 8 == 0)
            tensor_set(t, i, extremes[bits / 8 % 8]);
    }
}

bool trial_fill(struct trial *t, enum style style, uint64_t seed, struct tensor_error *error)
{
    drop_tensors(t);
    for (uint32_t i = 0; i < t->subject->info.param_count; i++) {
        const ldsl_op_param *p = &t->subject->params[i];
        struct trial_param *value = &t->params[i];
        int64_t shape[LDSL_MAX_RANK];
        enum ldsl_dtype dtype = trial_dtype(t, i);
        if (!is_present(t, i))
            continue;
        if (!trial_shape(t, i, shape))
            return tensor_fail(error, "cannot tell the shape of '%s'", p->name);
        if (p->role != LDSL_PARAM_INPUT &&
            !tensor_create(&value->after, dtype, p->rank, shape, error))
            return false;
        if (p->role == LDSL_PARAM_OUTPUT)
            continue;
        if (!tensor_create(&value->before, dtype, p->rank, shape, error) ||
            !trial_sample(&value->before, t, i, seed, error))
            return false;
        if (style == STYLE_EXTREMES && !p->sample && dtype_is_float(dtype))
            strew_extremes(&value->before, random_seed(seed, p->name));
    }
    return true;
}
