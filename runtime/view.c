/* Views of tensors: base and extents change, strides stay. */
#include "expand.h"

static uint64_t lowest_bit(uint64_t v)
{
    return v & (~v + 1);
}

static void move_base(struct rt_tensor *t, int64_t index, int64_t stride)
{
    t->offset += (uint64_t)index * (uint64_t)stride * ldsl_dtype_size(t->dtype);
    uint64_t bit = lowest_bit(t->offset);
    if (bit && bit < t->alignment)
        t->alignment = bit;
}

/* x[lo .. hi] or x[lo] on dim d of the tensor, which becomes dim *to of the view. */
static enum ldsl_status apply_sub(const struct rt_expansion *x, const struct rt_body *f,
                                  uint32_t line, const struct ldsl_module_sub *sub,
                                  const struct rt_tensor *whole, uint32_t d, struct rt_tensor *t,
                                  uint32_t *to, const char *name)
{
    int64_t lo, hi, extent = whole->shape[d];
    enum ldsl_status status = rt_call_eval_int(f->call, sub->lo, &lo);
    if (!status && sub->hi != LDSL_NONE)
        status = rt_call_eval_int(f->call, sub->hi, &hi);
    else
        hi = lo < INT64_MAX ? lo + 1 : lo;
    if (status)
        return status;
    if (lo < 0 || hi < lo || hi > extent)
        return rt_error_at(rt_expansion_sink(x), LDSL_ARGUMENT, rt_module_text(x->m, f->op->path),
                           line, "%s: %lld .. %lld leaves dim %u of %s, which has %lld",
                           f->call->name, (long long)lo, (long long)hi, d, name, (long long)extent);
    if (lo < extent)
        move_base(t, lo, whole->strides[d]);
    if (sub->hi == LDSL_NONE)
        return LDSL_OK;
    t->shape[*to] = hi - lo;
    t->strides[(*to)++] = whole->strides[d];
    return LDSL_OK;
}

enum ldsl_status rt_make_view(const struct rt_expansion *x, const struct rt_body *f, uint32_t line,
                              uint32_t index, struct rt_tensor *out)
{
    const struct ldsl_module_view *v = &x->m->views[index];
    const struct rt_tensor *whole = &f->locals[v->tensor - f->op->tensors.first];
    const char *name = rt_module_text(x->m, x->m->tensors[v->tensor].name);
    if (whole->presence == RT_UNKNOWN)
        return rt_body_error(x, f, line, "is used before it is made", name);
    *out = *whole;
    if (!v->subs.count || whole->presence == RT_ABSENT)
        return LDSL_OK;
    if (v->subs.count > whole->rank)
        return rt_body_error(x, f, line, "has too many subscripts", name);
    uint32_t to = 0;
    for (uint32_t d = 0; d < whole->rank; d++) {
        if (d >= v->subs.count) {
            out->shape[to] = whole->shape[d];
            out->strides[to++] = whole->strides[d];
            continue;
        }
        enum ldsl_status status =
            apply_sub(x, f, line, &x->m->subs[v->subs.first + d], whole, d, out, &to, name);
        if (status)
            return status;
    }
    out->rank = to;
    return LDSL_OK;
}
