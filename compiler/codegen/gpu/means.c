/* By which means a tile is converted. Who holds what is a matter of the layouts alone, so all threads
 * and registers are asked. */
#include "codegen/gpu/convert.h"

#include <string.h>

struct question {
    const struct gpu_conversion *c;
    struct gpu_view from, to;
    bool *wanted; /* by register of `from` */
};

static uint32_t number_of(const struct gpu_digit *d, uint32_t lane, uint32_t warp)
{
    uint32_t number = d->source == GPU_LANE ? lane : d->source == GPU_WARP ? warp : 0;
    return number / d->divisor % d->count;
}

static uint32_t coordinate(const struct gpu_axis_layout *x, uint32_t lane, uint32_t warp,
                           uint32_t reg)
{
    uint32_t at = gpu_axis_offset(x, reg);
    for (uint32_t i = 0; i < x->digit_count; i++)
        if (x->digits[i].source != GPU_REG)
            at += number_of(&x->digits[i], lane, warp) * x->digits[i].stride;
    return at;
}

/* The register along an axis that holds the coordinate in some thread; whether this one, or at least
 * one of its warp, holds it. */
static uint32_t find_along(const struct gpu_axis_layout *x, uint32_t at, uint32_t lane,
                           uint32_t warp, bool *own, bool *near)
{
    uint32_t number = 0, weight = 1;
    for (uint32_t i = 0; i < x->digit_count; i++) {
        const struct gpu_digit *d = &x->digits[i];
        uint32_t value = at / d->stride % d->count;
        if (d->source == GPU_REG) {
            number += value * weight;
            weight *= d->count;
            continue;
        }
        bool here = value == number_of(d, lane, warp);
        *own &= here;
        *near &= here || d->source == GPU_LANE;
    }
    return number;
}

/* What a thread's register i of `to` needs: marks the register, clears what does not hold. */
static void ask(const struct question *q, uint32_t i, uint32_t lane, uint32_t warp, bool *own,
                bool *near)
{
    uint32_t numbers[IR_MAX_AXIS] = {0};
    for (uint32_t a = 0; a < q->c->to->axis_count; a++) {
        if (!(q->c->axes >> a & 1))
            continue;
        uint32_t reg = gpu_view_digit(&q->to, i, (uint8_t)a);
        uint32_t at = coordinate(&q->c->to->axes[a], lane, warp, reg);
        numbers[a] = find_along(&q->c->from->axes[a], at, lane, warp, own, near);
    }
    q->wanted[gpu_view_register(&q->from, numbers)] = true;
}

static struct gpu_sources list_wanted(struct session *s, const struct question *q)
{
    struct gpu_sources out = {.regs = arena_array(&s->module, uint32_t, q->from.count)};
    for (uint32_t i = 0; i < q->from.count; i++)
        if (q->wanted[i])
            out.regs[out.count++] = i;
    return out;
}

/* False: some threads need what no thread has. */
static bool has_all(const struct gpu_conversion *c)
{
    for (uint32_t a = 0; a < c->to->axis_count; a++)
        if (c->axes >> a & 1 && c->to->axes[a].cover > c->from->axes[a].cover)
            return false;
    return true;
}

/* A shuffle for each register that some lane wants: more than two would be slower than shared
 * memory. */
static enum gpu_means find_sources(struct session *s, struct gpu_conversion *c)
{
    struct question q = {
        .c = c, .from = gpu_view(c->from, c->axes), .to = gpu_view(c->to, c->axes)};
    uint32_t shuffles = 0, lanes = c->to->threads / c->to->warps;
    bool own = true, near = true;
    q.wanted = arena_array(&s->scratch, bool, q.from.count);
    c->sources = arena_array(&s->module, struct gpu_sources, q.to.count);
    for (uint32_t i = 0; i < q.to.count && near && shuffles <= 2 * q.to.count; i++) {
        memset(q.wanted, 0, q.from.count * sizeof *q.wanted);
        for (uint32_t warp = 0; warp < c->to->warps; warp++)
            for (uint32_t lane = 0; lane < lanes; lane++)
                ask(&q, i, lane, warp, &own, &near);
        c->sources[i] = list_wanted(s, &q);
        shuffles += c->sources[i].count;
    }
    return own && shuffles == q.to.count        ? GPU_RENAME
           : near && shuffles <= 2 * q.to.count ? GPU_SHUFFLE
                                                : GPU_SHARED;
}

struct gpu_conversion *gpu_plan_conversion(struct session *s, const struct gpu_layout *from,
                                           const struct gpu_layout *to, axis_set axes, uint8_t fast,
                                           uint32_t bytes)
{
    struct gpu_conversion *c = arena_new(&s->module, struct gpu_conversion);
    *c = (struct gpu_conversion){
        .means = GPU_SHARED, .from = from, .to = to, .axes = axes, .fast = fast, .bytes = bytes};
    if (has_all(c))
        c->means = find_sources(s, c);
    if (c->means == GPU_SHARED)
        gpu_arrange(c);
    return c;
}
