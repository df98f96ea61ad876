#include "bind.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- calls -------------------------------------------------------------------------------------
 */

enum ldsl_status rt_call_init(struct rt_call *call, const struct rt_module *m,
                              const struct ldsl_module_scope *scope,
                              const struct rt_device_info *device, const struct ldsl_sink *sink)
{
    size_t symbols = scope->symbols.count, params = scope->params.count;
    *call = (struct rt_call){.sink = sink, .name = ""};
    size_t bytes = symbols * sizeof(struct rt_value) + params * sizeof(struct rt_tensor) +
                   symbols * sizeof(uint32_t);
    char *block = calloc(1, bytes ? bytes : 1);
    if (!block)
        return rt_nomem(sink);
    call->memory = block;
    call->tensors = (struct rt_tensor *)(void *)block;
    call->values = (struct rt_value *)(void *)(block + params * sizeof(struct rt_tensor));
    call->bound_by = (uint32_t *)(void *)(call->values + symbols);
    for (size_t i = 0; i < symbols; i++)
        call->bound_by[i] = LDSL_NONE;
    call->frame = (struct rt_frame){
        .m = m, .scope = scope, .values = call->values, .tensors = call->tensors, .device = device};
    return LDSL_OK;
}

void rt_call_destroy(struct rt_call *call)
{
    free(call->memory);
    call->memory = NULL;
}

enum ldsl_status rt_call_error(const struct rt_call *call, enum ldsl_status status,
                               const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return rt_error_at(call->sink, status, call->path, call->line, "%s: %s", call->name, text);
}

static enum ldsl_status report_eval(const struct rt_call *call, enum rt_eval result,
                                    struct rt_fault fault)
{
    if (result == RT_EVAL_FAULT)
        return rt_error_at(call->sink, LDSL_ARGUMENT, call->own_path, fault.line, "%s: %s",
                           call->name, fault.why);
    return rt_error_at(call->sink, LDSL_ARGUMENT, call->own_path, fault.line,
                       "%s: %s has no value here", call->name, fault.why ? fault.why : "something");
}

enum ldsl_status rt_call_eval(const struct rt_call *call, uint32_t node, struct rt_value *out)
{
    struct rt_fault fault = {0};
    enum rt_eval result = rt_host_eval(&call->frame, node, out, &fault);
    return result ? report_eval(call, result, fault) : LDSL_OK;
}

enum ldsl_status rt_call_eval_int(const struct rt_call *call, uint32_t node, int64_t *out)
{
    struct rt_fault fault = {0};
    enum rt_eval result = rt_host_eval_int(&call->frame, node, out, &fault);
    return result ? report_eval(call, result, fault) : LDSL_OK;
}

static const struct ldsl_module_param *param_at(const struct rt_call *call, uint32_t i)
{
    return &call->frame.m->params[call->frame.scope->params.first + i];
}

static const char *text_at(const struct rt_call *call, uint32_t offset)
{
    return rt_module_text(call->frame.m, offset);
}

const char *rt_call_param_name(const struct rt_call *call, uint32_t param)
{
    return text_at(call, param_at(call, param)->name);
}

static uint32_t param_count(const struct rt_call *call)
{
    return call->frame.scope->params.count;
}

/* Symbols are absolute in the image, values are counted from the scope's first. */
static struct rt_value *value_of(struct rt_call *call, uint32_t symbol)
{
    return &call->values[symbol - call->frame.scope->symbols.first];
}

static uint32_t *giver_of(struct rt_call *call, uint32_t symbol)
{
    return &call->bound_by[symbol - call->frame.scope->symbols.first];
}

/* ---- scalars -----------------------------------------------------------------------------------
 */

static bool is_choice(const struct rt_call *call, const struct ldsl_module_param *p, int64_t value)
{
    for (uint32_t i = 0; i < p->choices.count; i++)
        if (call->frame.m->values[p->choices.first + i] == value)
            return true;
    return p->choices.count == 0;
}

enum ldsl_status rt_bind_value(struct rt_call *call, uint32_t i, struct rt_value value)
{
    const struct ldsl_module_param *p = param_at(call, i);
    const char *name = text_at(call, p->name);
    if (!rt_value_fits(value, p->dtype)) {
        if (value.is_float)
            return rt_call_error(call, LDSL_ARGUMENT, "%s is %s; %.17g is none", name,
                                 ldsl_dtype_name(p->dtype), value.f);
        return rt_call_error(call, LDSL_ARGUMENT, "%s is %s; %lld does not fit", name,
                             ldsl_dtype_name(p->dtype), (long long)value.i);
    }
    value = rt_value_cast(value, p->dtype);
    if (!value.is_float && !is_choice(call, p, value.i))
        return rt_call_error(call, LDSL_ARGUMENT, "%s cannot be %lld: it is none of its choices",
                             name, (long long)value.i);
    *value_of(call, p->symbol) = value;
    return LDSL_OK;
}

/* Values not given. A default may ask for dims and a dim for values, so those that can be told are
 * told `early`, the rest when the dims are bound. */
static enum ldsl_status bind_defaults(struct rt_call *call, bool early)
{
    for (uint32_t i = 0; i < param_count(call); i++) {
        const struct ldsl_module_param *p = param_at(call, i);
        if (p->kind == LDSL_KIND_TENSOR || value_of(call, p->symbol)->known)
            continue;
        if (p->default_node == LDSL_NONE)
            return rt_call_error(call, LDSL_ARGUMENT, "%s is missing", text_at(call, p->name));
        struct rt_value v;
        if (early && rt_host_eval(&call->frame, p->default_node, &v, NULL) == RT_EVAL_UNKNOWN)
            continue;
        enum ldsl_status status = rt_call_eval(call, p->default_node, &v);
        if (!status)
            status = rt_bind_value(call, i, v);
        if (status)
            return status;
    }
    return LDSL_OK;
}

/* ---- types -------------------------------------------------------------------------------------
 */

static void print_types(char *buffer, size_t size, uint32_t set)
{
    size_t used = 0;
    buffer[0] = '\0';
    for (unsigned d = 0; d < LDSL_DTYPE_COUNT && used < size; d++)
        if (set >> d & 1)
            used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? ", " : "",
                                     ldsl_dtype_name((enum ldsl_dtype)d));
}

static enum ldsl_status bind_generic(struct rt_call *call, const struct ldsl_module_generic *g,
                                     enum ldsl_dtype dtype, uint32_t param)
{
    struct rt_value *v = value_of(call, g->symbol);
    const char *name = text_at(call, g->name);
    if (v->known && v->i != (int64_t)dtype) {
        uint32_t giver = *giver_of(call, g->symbol);
        return rt_call_error(call, LDSL_ARGUMENT, "%s is %s%s%s, %s from %s", name,
                             ldsl_dtype_name((enum ldsl_dtype)v->i),
                             giver == LDSL_NONE ? "" : " from ",
                             giver == LDSL_NONE ? "" : rt_call_param_name(call, giver),
                             ldsl_dtype_name(dtype), rt_call_param_name(call, param));
    }
    if (!(g->dtypes >> dtype & 1)) {
        char types[128];
        print_types(types, sizeof types, g->dtypes);
        return rt_call_error(call, LDSL_ARGUMENT, "%s may be %s; %s is %s", name, types,
                             rt_call_param_name(call, param), ldsl_dtype_name(dtype));
    }
    if (!v->known)
        *giver_of(call, g->symbol) = param;
    *v = rt_value_int(dtype);
    return LDSL_OK;
}

/* A type that no tensor tells: the caller's of that name. */
static bool inherit_generic(struct rt_call *call, const struct ldsl_module_generic *g)
{
    const struct rt_call *caller = call->caller;
    if (!caller)
        return false;
    const struct rt_module *m = caller->frame.m;
    const struct ldsl_module_scope *scope = caller->frame.scope;
    for (uint32_t i = 0; i < scope->generics.count; i++) {
        const struct ldsl_module_generic *other = &m->generics[scope->generics.first + i];
        struct rt_value v = caller->values[other->symbol - scope->symbols.first];
        if (strcmp(rt_module_text(m, other->name), text_at(call, g->name)) || !v.known)
            continue;
        if (v.i < 0 || v.i >= LDSL_DTYPE_COUNT || !(g->dtypes >> v.i & 1))
            return false;
        *value_of(call, g->symbol) = v;
        return true;
    }
    return false;
}

static enum ldsl_dtype first_type(uint32_t set)
{
    unsigned d = 0;
    while (!(set >> d & 1))
        d++;
    return (enum ldsl_dtype)d;
}

/* Does a tensor that is there need this type? */
static bool generic_is_needed(const struct rt_call *call, uint32_t generic)
{
    for (uint32_t i = 0; i < param_count(call); i++)
        if (param_at(call, i)->generic == generic && call->tensors[i].presence == RT_PRESENT)
            return true;
    return false;
}

enum ldsl_status rt_bind_generics(struct rt_call *call)
{
    const struct rt_module *m = call->frame.m;
    struct ldsl_module_range generics = call->frame.scope->generics;
    for (uint32_t i = 0; i < param_count(call); i++) {
        const struct ldsl_module_param *p = param_at(call, i);
        const struct rt_tensor *t = &call->tensors[i];
        if (p->kind != LDSL_KIND_TENSOR || t->presence != RT_PRESENT || !t->typed)
            continue;
        if (p->generic != LDSL_NONE) {
            enum ldsl_status status = bind_generic(call, &m->generics[p->generic], t->dtype, i);
            if (status)
                return status;
        } else if (p->dtype != t->dtype) {
            return rt_call_error(call, LDSL_ARGUMENT, "%s is %s; %s was given",
                                 text_at(call, p->name), ldsl_dtype_name(p->dtype),
                                 ldsl_dtype_name(t->dtype));
        }
    }
    for (uint32_t k = generics.first; k < generics.first + generics.count; k++) {
        const struct ldsl_module_generic *g = &m->generics[k];
        if (value_of(call, g->symbol)->known || inherit_generic(call, g))
            continue;
        if (generic_is_needed(call, k))
            return rt_call_error(call, LDSL_ARGUMENT, "no argument says which type %s is",
                                 text_at(call, g->name));
        /* Nothing of this type is there: any will do, and the first keeps variants few. */
        *value_of(call, g->symbol) = rt_value_int(first_type(g->dtypes));
    }
    return LDSL_OK;
}

/* ---- dims --------------------------------------------------------------------------------------
 */

static bool is_settled(const struct rt_tensor *t, uint32_t mask, uint32_t d)
{
    return !t->laid_out || mask >> d & 1;
}

static enum ldsl_status dim_differs(struct rt_call *call, uint32_t i, uint32_t d, int64_t want)
{
    const struct ldsl_module_param *p = param_at(call, i);
    const struct ldsl_module_dim *dim = &call->frame.m->dims[p->dims.first + d];
    const struct ldsl_module_node *node = &call->frame.m->nodes[dim->node];
    const char *text = text_at(call, dim->text), *name = text_at(call, p->name);
    long long is = call->tensors[i].shape[d];
    if (node->op == LDSL_HOST_SYMBOL && *giver_of(call, node->n) != LDSL_NONE)
        return rt_call_error(call, LDSL_ARGUMENT, "%s is %lld from %s, %lld from %s", text,
                             (long long)want, rt_call_param_name(call, *giver_of(call, node->n)),
                             is, name);
    return rt_call_error(call, LDSL_ARGUMENT, "dim %u of %s is %lld; %s is %lld", d, name, is, text,
                         (long long)want);
}

/* One dim of one tensor: compared if its value is known, solved for if one symbol is missing. */
static enum ldsl_status bind_dim(struct rt_call *call, uint32_t i, uint32_t d, bool *settled)
{
    const struct ldsl_module_dim *dim = &call->frame.m->dims[param_at(call, i)->dims.first + d];
    int64_t is = call->tensors[i].shape[d], want, k, b;
    uint32_t symbol = LDSL_NONE, unknowns = rt_host_unknowns(&call->frame, dim->node, &symbol);
    *settled = false;
    if (unknowns == 0) {
        *settled = true;
        enum ldsl_status status = rt_call_eval_int(call, dim->node, &want);
        if (status)
            return status;
        return is == want ? LDSL_OK : dim_differs(call, i, d, want);
    }
    if (unknowns > 1 || call->frame.m->symbols[symbol].kind != LDSL_SYMBOL_DIM ||
        !rt_host_linear(&call->frame, dim->node, symbol, &k, &b) || k == 0)
        return LDSL_OK;
    *settled = true;
    int64_t rest = is - b; /* both far from the ends of the range, or this is no solution */
    if ((b < 0 && is > INT64_MAX + b) || (k == -1 && rest == INT64_MIN) || rest % k || rest / k < 0)
        return rt_call_error(call, LDSL_ARGUMENT, "dim %u of %s is %lld, which %s cannot be", d,
                             rt_call_param_name(call, i), (long long)is, text_at(call, dim->text));
    *value_of(call, symbol) = rt_value_int(rest / k);
    *giver_of(call, symbol) = i;
    return LDSL_OK;
}

static enum ldsl_status check_rank(const struct rt_call *call, uint32_t i)
{
    const struct ldsl_module_param *p = param_at(call, i);
    if (call->tensors[i].rank == p->dims.count)
        return LDSL_OK;
    return rt_call_error(call, LDSL_ARGUMENT, "%s has rank %u; %u was given",
                         text_at(call, p->name), p->dims.count, call->tensors[i].rank);
}

/* One round over all dims that are not settled; each round may let the next one solve more. */
static enum ldsl_status bind_round(struct rt_call *call, uint32_t *masks, bool *progress,
                                   uint32_t *open_param, uint32_t *open_dim)
{
    *progress = false;
    *open_param = LDSL_NONE;
    for (uint32_t i = 0; i < param_count(call); i++) {
        if (param_at(call, i)->kind != LDSL_KIND_TENSOR)
            continue;
        for (uint32_t d = 0; d < call->tensors[i].rank; d++) {
            bool settled;
            if (is_settled(&call->tensors[i], masks[i], d))
                continue;
            enum ldsl_status status = bind_dim(call, i, d, &settled);
            if (status)
                return status;
            if (settled) {
                masks[i] |= 1u << d;
                *progress = true;
            } else {
                *open_param = i;
                *open_dim = d;
            }
        }
    }
    return LDSL_OK;
}

static enum ldsl_status bind_dims(struct rt_call *call)
{
    for (uint32_t i = 0; i < param_count(call); i++) {
        if (param_at(call, i)->kind != LDSL_KIND_TENSOR || !call->tensors[i].laid_out)
            continue;
        enum ldsl_status status = check_rank(call, i);
        if (status)
            return status;
    }
    uint32_t count = param_count(call), param = LDSL_NONE, dim = 0;
    uint32_t *masks = calloc(count ? count : 1, sizeof *masks);
    if (!masks)
        return rt_nomem(call->sink);
    bool progress = true;
    enum ldsl_status status = LDSL_OK;
    while (!status && progress)
        status = bind_round(call, masks, &progress, &param, &dim);
    free(masks);
    if (!status && param != LDSL_NONE) {
        uint32_t node = param_at(call, param)->dims.first + dim;
        status = rt_call_error(call, LDSL_ARGUMENT, "%s, dim %u of %s, follows from no argument",
                               text_at(call, call->frame.m->dims[node].text), dim,
                               rt_call_param_name(call, param));
    }
    return status;
}

/* ---- what was left out -------------------------------------------------------------------------
 */

static enum ldsl_status lay_out(struct rt_call *call, uint32_t i)
{
    const struct ldsl_module_param *p = param_at(call, i);
    struct rt_tensor *t = &call->tensors[i];
    t->rank = p->dims.count;
    t->dtype = p->dtype;
    if (p->generic != LDSL_NONE)
        t->dtype = (enum ldsl_dtype)value_of(call, call->frame.m->generics[p->generic].symbol)->i;
    for (uint32_t d = 0; d < t->rank; d++) {
        const struct ldsl_module_dim *dim = &call->frame.m->dims[p->dims.first + d];
        enum ldsl_status status = rt_call_eval_int(call, dim->node, &t->shape[d]);
        if (status)
            return status;
        if (t->shape[d] < 0)
            return rt_call_error(call, LDSL_ARGUMENT, "dim %u of %s would be %lld", d,
                                 text_at(call, p->name), (long long)t->shape[d]);
    }
    if (!rt_tensor_pack(t))
        return rt_call_error(call, LDSL_ARGUMENT, "%s would be too large", text_at(call, p->name));
    t->alignment = 256;
    t->typed = t->laid_out = true;
    return LDSL_OK;
}

/* Dims of absent tensors only: nothing looks at them. */
static void settle_unused_dims(struct rt_call *call)
{
    struct ldsl_module_range symbols = call->frame.scope->symbols;
    for (uint32_t i = 0; i < symbols.count; i++)
        if (call->frame.m->symbols[symbols.first + i].kind == LDSL_SYMBOL_DIM &&
            !call->values[i].known)
            call->values[i] = rt_value_int(0);
}

static bool needs_unknown(const struct rt_call *call, uint32_t i, uint32_t *symbol)
{
    const struct ldsl_module_param *p = param_at(call, i);
    for (uint32_t d = 0; d < p->dims.count; d++)
        if (rt_host_unknowns(&call->frame, call->frame.m->dims[p->dims.first + d].node, symbol))
            return true;
    return false;
}

static enum ldsl_status lay_outputs_out(struct rt_call *call)
{
    uint32_t symbol;
    for (uint32_t i = 0; i < param_count(call); i++) {
        const struct rt_tensor *t = &call->tensors[i];
        if (param_at(call, i)->kind != LDSL_KIND_TENSOR || t->presence != RT_PRESENT || t->laid_out)
            continue;
        if (needs_unknown(call, i, &symbol))
            return rt_call_error(call, LDSL_ARGUMENT, "%s follows from no input: give %s",
                                 text_at(call, call->frame.m->symbols[symbol].name),
                                 rt_call_param_name(call, i));
        enum ldsl_status status = lay_out(call, i);
        if (status)
            return status;
    }
    settle_unused_dims(call);
    return LDSL_OK;
}

/* ---- conditions --------------------------------------------------------------------------------
 */

static enum ldsl_status check_requires(const struct rt_call *call,
                                       struct ldsl_module_range requires)
{
    for (uint32_t i = 0; i < requires.count; i++) {
        const struct ldsl_module_check *c = &call->frame.m->checks[requires.first + i];
        int64_t holds;
        enum ldsl_status status = rt_call_eval_int(call, c->node, &holds);
        if (status)
            return status;
        if (!holds)
            return rt_error_at(call->sink, LDSL_ARGUMENT, call->own_path, c->line,
                               "%s: %s%s(requires %s)", call->name, text_at(call, c->message),
                               c->message ? " " : "", text_at(call, c->text));
    }
    return LDSL_OK;
}

enum ldsl_status rt_bind(struct rt_call *call, struct ldsl_module_range requires)
{
    enum ldsl_status status = rt_bind_generics(call);
    if (!status)
        status = bind_defaults(call, true);
    if (!status)
        status = bind_dims(call);
    if (!status)
        status = bind_defaults(call, false);
    if (!status)
        status = lay_outputs_out(call);
    if (!status)
        status = check_requires(call, requires);
    return status;
}
