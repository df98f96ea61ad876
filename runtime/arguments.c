/* What the user gave, by name: every argument is checked by itself here; how they fit together is
 * the binding's matter. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

static const struct ldsl_module_param *param_at(const struct rt_call *call, uint32_t i)
{
    return &call->frame.m->params[call->frame.scope->params.first + i];
}

static enum ldsl_status unknown_name(const struct rt_call *call, const char *name)
{
    struct rt_text list = {0};
    for (uint32_t i = 0; i < call->frame.scope->params.count; i++)
        rt_text_add(&list, "%s%s", i ? ", " : "", rt_call_param_name(call, i));
    enum ldsl_status status =
        rt_call_error(call, LDSL_ARGUMENT, "there is no parameter '%s'; it has %s", name,
                      list.data && !list.failed ? list.data : "none");
    free(list.data);
    return status;
}

/* ---- tensors ----------------------------------------------------------------------------------- */

static enum ldsl_status check_alignment(const struct rt_call *call, const char *name,
                                        const struct rt_tensor *t)
{
    if (t->alignment & (t->alignment - 1))
        return rt_call_error(call, LDSL_ARGUMENT,
                             "%s is aligned to %llu bytes, which is no power of two", name,
                             (unsigned long long)t->alignment);
    if (t->alignment < ldsl_dtype_size(t->dtype))
        return rt_call_error(call, LDSL_ARGUMENT,
                             "%s is aligned to %llu bytes; its elements need %zu", name,
                             (unsigned long long)t->alignment, ldsl_dtype_size(t->dtype));
    return LDSL_OK;
}

static enum ldsl_status check_strides(const struct rt_call *call, uint32_t i,
                                      const struct rt_tensor *t)
{
    const struct ldsl_module_param *p = param_at(call, i);
    const char *name = rt_call_param_name(call, i);
    for (uint32_t d = 0; d < t->rank; d++) {
        if (t->shape[d] < 0)
            return rt_call_error(call, LDSL_ARGUMENT, "dim %u of %s is %lld", d, name,
                                 (long long)t->shape[d]);
        if (t->strides[d] < 0)
            return rt_call_error(call, LDSL_ARGUMENT, "stride %u of %s is %lld", d, name,
                                 (long long)t->strides[d]);
    }
    if (!rt_tensor_is_addressable(t))
        return rt_call_error(call, LDSL_ARGUMENT, "%s is larger than any memory", name);
    uint32_t last = t->rank - 1;
    if (t->rank && !(p->flags & LDSL_MODULE_STRIDED) && t->shape[last] > 1 && t->strides[last] != 1)
        return rt_call_error(call, LDSL_ARGUMENT,
                             "the innermost stride of %s is %lld; it must be 1", name,
                             (long long)t->strides[last]);
    if (p->role != LDSL_PARAM_INPUT && rt_tensor_overlaps_itself(t))
        return rt_call_error(call, LDSL_ARGUMENT,
                             "%s is written, but its strides put elements over each other", name);
    return LDSL_OK;
}

static enum ldsl_status take_tensor(struct rt_call *call, uint32_t i, const ldsl_argument *a)
{
    const char *name = rt_call_param_name(call, i);
    if ((unsigned)a->dtype >= LDSL_DTYPE_COUNT)
        return rt_call_error(call, LDSL_ARGUMENT, "%s has no known element type (%d)", name,
                             (int)a->dtype);
    if (a->rank > LDSL_MAX_RANK)
        return rt_call_error(call, LDSL_ARGUMENT, "%s has rank %u; %d is the most", name, a->rank,
                             LDSL_MAX_RANK);
    struct rt_tensor *t = &call->tensors[i];
    *t = (struct rt_tensor){.presence = RT_PRESENT,
                            .typed = true,
                            .laid_out = true,
                            .dtype = a->dtype,
                            .rank = a->rank,
                            .alignment = a->alignment ? a->alignment : 256};
    bool contiguous = true;
    for (uint32_t d = 0; d < a->rank; d++) {
        t->shape[d] = a->shape[d];
        t->strides[d] = a->strides[d];
        contiguous &= a->strides[d] == 0;
    }
    if (contiguous && !rt_tensor_pack(t))
        return rt_call_error(call, LDSL_ARGUMENT, "%s is larger than any memory", name);
    enum ldsl_status status = check_strides(call, i, t);
    return status ? status : check_alignment(call, name, t);
}

/* ---- the others -------------------------------------------------------------------------------- */

static enum ldsl_status take_word(struct rt_call *call, uint32_t i, const char *word)
{
    const struct rt_module *m = call->frame.m;
    const struct ldsl_module_param *p = param_at(call, i);
    const char *name = rt_call_param_name(call, i);
    if (p->kind != LDSL_KIND_ENUM)
        return rt_call_error(call, LDSL_ARGUMENT, "%s is no enum; a word was given", name);
    const struct ldsl_module_enum *e = &m->enums[p->enumeration];
    for (uint32_t k = 0; word && k < e->words.count; k++)
        if (strcmp(rt_module_text(m, m->indices[e->words.first + k]), word) == 0)
            return rt_bind_value(call, i, rt_value_int(k));
    struct rt_text list = {0};
    for (uint32_t k = 0; k < e->words.count; k++)
        rt_text_add(&list, "%s%s", k ? ", " : "",
                    rt_module_text(m, m->indices[e->words.first + k]));
    enum ldsl_status status =
        rt_call_error(call, LDSL_ARGUMENT, "%s cannot be '%s'; it is one of %s", name,
                      word ? word : "(null)", list.data && !list.failed ? list.data : "none");
    free(list.data);
    return status;
}

/* T = bf16: fixes a generic that no tensor tells. */
static enum ldsl_status take_type(struct rt_call *call, const ldsl_argument *a)
{
    const struct rt_module *m = call->frame.m;
    const struct ldsl_module_scope *scope = call->frame.scope;
    for (uint32_t i = 0; i < scope->generics.count; i++) {
        const struct ldsl_module_generic *g = &m->generics[scope->generics.first + i];
        if (strcmp(rt_module_text(m, g->name), a->name))
            continue;
        if ((unsigned)a->dtype >= LDSL_DTYPE_COUNT || !(g->dtypes >> a->dtype & 1))
            return rt_call_error(call, LDSL_ARGUMENT, "type %s cannot be %s", a->name,
                                 ldsl_dtype_name(a->dtype));
        call->values[g->symbol - scope->symbols.first] = rt_value_int(a->dtype);
        return LDSL_OK;
    }
    return rt_call_error(call, LDSL_ARGUMENT, "there is no type '%s'", a->name);
}

static enum ldsl_status take_param(struct rt_call *call, uint32_t i, const ldsl_argument *a)
{
    const struct ldsl_module_param *p = param_at(call, i);
    bool tensor = p->kind == LDSL_KIND_TENSOR;
    switch (a->kind) {
    case LDSL_ARG_ABSENT:
        if (!tensor || !(p->flags & LDSL_MODULE_OPTIONAL))
            return rt_call_error(call, LDSL_ARGUMENT, "%s is not optional", a->name);
        call->tensors[i].presence = RT_ABSENT;
        return LDSL_OK;
    case LDSL_ARG_TENSOR:
        if (!tensor)
            return rt_call_error(call, LDSL_ARGUMENT, "%s is a value; a tensor was given", a->name);
        return take_tensor(call, i, a);
    case LDSL_ARG_SCALAR:
        if (tensor)
            return rt_call_error(call, LDSL_ARGUMENT, "%s is a tensor; a number was given",
                                 a->name);
        return rt_bind_value(call, i,
                             a->is_integer ? rt_value_int(a->integer) : rt_value_float(a->number));
    case LDSL_ARG_ENUM: return take_word(call, i, a->word);
    case LDSL_ARG_TYPE: break; /* names a generic, never a parameter */
    }
    return rt_call_error(call, LDSL_ARGUMENT, "%s was given an argument of unknown kind", a->name);
}

/* ---- all of them ------------------------------------------------------------------------------- */

/* Optional inputs left out are absent; outputs left out are laid out by the binding. */
static enum ldsl_status fill_in(struct rt_call *call)
{
    for (uint32_t i = 0; i < call->frame.scope->params.count; i++) {
        const struct ldsl_module_param *p = param_at(call, i);
        struct rt_tensor *t = &call->tensors[i];
        if (p->kind != LDSL_KIND_TENSOR || t->presence != RT_UNKNOWN)
            continue;
        if (p->role == LDSL_PARAM_OUTPUT)
            t->presence = RT_PRESENT;
        else if (p->flags & LDSL_MODULE_OPTIONAL)
            t->presence = RT_ABSENT;
        else
            return rt_call_error(call, LDSL_ARGUMENT, "%s is missing", rt_call_param_name(call, i));
    }
    return LDSL_OK;
}

static bool given_before(const ldsl_argument *arguments, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (strcmp(arguments[k].name, arguments[i].name) == 0)
            return true;
    return false;
}

enum ldsl_status rt_take_arguments(struct rt_call *call, const ldsl_argument *arguments,
                                   uint32_t count)
{
    if (count && !arguments)
        return rt_call_error(call, LDSL_ARGUMENT, "the argument list is NULL");
    for (uint32_t i = 0; i < count; i++) {
        const ldsl_argument *a = &arguments[i];
        if (!a->name)
            return rt_call_error(call, LDSL_ARGUMENT, "argument %u has no name", i);
        if (given_before(arguments, i))
            return rt_call_error(call, LDSL_ARGUMENT, "%s is given twice", a->name);
        enum ldsl_status status;
        uint32_t param = rt_module_find_param(call->frame.m, call->frame.scope, a->name);
        if (a->kind == LDSL_ARG_TYPE)
            status = take_type(call, a);
        else if (param == LDSL_NONE)
            status = unknown_name(call, a->name);
        else
            status = take_param(call, param, a);
        if (status)
            return status;
    }
    return fill_in(call);
}
