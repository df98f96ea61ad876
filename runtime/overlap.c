#include "overlap.h"

#include <stdlib.h>

enum { FIRST_CC = 90 }; /* the first compute capability whose launches overlap */

static const struct ldsl_module_param *param_of(const struct rt_call *call, uint32_t i)
{
    return &call->frame.m->params[call->frame.scope->params.first + i];
}

static bool is_there(const struct rt_call *call, uint32_t i)
{
    return param_of(call, i)->kind == LDSL_KIND_TENSOR && call->tensors[i].presence == RT_PRESENT;
}

void rt_uses_of(struct rt_uses *out, const struct rt_call *call)
{
    *out = (struct rt_uses){.known = true};
    for (uint32_t i = 0; i < call->frame.scope->params.count; i++)
        if (is_there(call, i) && out->count < RT_MAX_USES)
            out->list[out->count++] = (struct rt_use){call->tensors[i].source,
                                                      param_of(call, i)->role != LDSL_PARAM_INPUT};
}

static bool uses(const struct rt_uses *u, uint32_t source)
{
    for (uint32_t i = 0; i < u->count; i++)
        if (u->list[i].source == source)
            return true;
    return false;
}

static bool writes(const struct rt_uses *u, uint32_t source)
{
    for (uint32_t i = 0; i < u->count; i++)
        if (u->list[i].source == source && u->list[i].writes)
            return true;
    return false;
}

void rt_print_ready(const struct rt_call *call, const struct rt_uses *before, struct rt_text *out)
{
    struct rt_uses own;
    if (!before->known || call->frame.device->cc < FIRST_CC)
        return;
    rt_uses_of(&own, call);
    for (uint32_t i = 0; i < call->frame.scope->params.count; i++) {
        uint32_t source = call->tensors[i].source;
        if (!is_there(call, i) || writes(before, source) ||
            (uses(before, source) && writes(&own, source)))
            continue;
        rt_text_add(out, "%sready.%s=1", out->length ? "," : "", rt_call_param_name(call, i));
    }
}

/* ---- sets -------------------------------------------------------------------------------------- */

static bool is_same(const struct rt_uses *a, const struct rt_uses *b)
{
    bool same = a->known == b->known && a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++)
        same = a->list[i].source == b->list[i].source && a->list[i].writes == b->list[i].writes;
    return same;
}

bool rt_befores_add(struct rt_befores *set, const struct rt_uses *uses)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (is_same(&set->list[i], uses))
            return true;
    struct rt_uses *grown = realloc(set->list, (set->count + 1) * sizeof *grown);
    if (!grown)
        return false;
    grown[set->count++] = *uses;
    set->list = grown;
    return true;
}

bool rt_befores_add_all(struct rt_befores *set, const struct rt_befores *more)
{
    bool fine = true;
    for (uint32_t i = 0; fine && i < more->count; i++)
        fine = rt_befores_add(set, &more->list[i]);
    return fine;
}
