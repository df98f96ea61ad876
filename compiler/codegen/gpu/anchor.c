/* Accesses with layouts of their own. In one layout both sides of a transposition have to share the
 * lanes, so that each touches short runs of memory, or single elements. If it costs less, one of them
 * has a layout that suits it alone, and its value goes through shared memory on the way.
 *
 * One access after the other, always the one that helps most, until none does. All others take part in
 * the search for the function's layout, and so does the writing or reading of shared memory. */
#include "codegen/gpu/assign.h"
#include "codegen/gpu/convert.h"

#include <math.h>
#include <string.h>

enum {
    MOST_ANCHORS = 4,
    MOST_REGS = 128,  /* of a value in a layout of its own */
    SHARED_SHARE = 2, /* conversions leave at least half of the shared memory to others */
};

#define WORTH_IT 0.98 /* costs are estimates, and shared memory is a resource */

struct anchoring {
    struct gen *g;
    const struct schedule *schedule;
    struct work_list *list;
    struct gpu_layout *out;
    struct gpu_anchor anchors[MOST_ANCHORS];
    double own_cost[MOST_ANCHORS];
    uint32_t count;
};

static bool has(axis_set axes, uint8_t axis)
{
    return axes >> axis & 1;
}

/* ---- which could have one ---------------------------------------------------------------------- */

static struct ir_value *value_of(const struct ir_func *f, const struct ir_node *n)
{
    return n->op == IR_OP_load ? n->results[0] : n->operands[f->tensors.data[n->attr.tensor].rank];
}

/* Where elements are must follow from their numbers: what is gathered or tested one by one is held by
 * the function's layout. */
static bool is_plain(const struct anchoring *x, const struct ir_node *n)
{
    const struct ir_func *f = x->g->f;
    if ((n->op != IR_OP_load && n->op != IR_OP_store) || n->attr.flag)
        return false;
    for (uint32_t d = 0; d < f->tensors.data[n->attr.tensor].rank; d++) {
        struct ir_affine subscript;
        ir_affine_of(n->operands[d], &subscript);
        if (n->operands[d]->type.axes && !subscript.affine)
            return false;
    }
    axis_set axes = gpu_subscript_axes(f, n), held = value_of(f, n)->type.axes;
    return n->op == IR_OP_load ? axes == held : !(held & ~axes);
}

/* Does another access go along another axis of the same tile? */
static bool is_crossed(const struct work_list *list, const struct work *w)
{
    for (uint32_t i = 0; i < list->items.count; i++) {
        const struct work *o = &list->items.data[i];
        if (o->kind == WORK_ACCESS && o->fast != IR_NO_AXIS && o->fast != w->fast &&
            has(w->axes, o->fast) && has(o->axes, w->fast))
            return true;
    }
    return false;
}

static bool is_candidate(const struct anchoring *x, const struct work *w)
{
    return w->kind == WORK_ACCESS && w->fast != IR_NO_AXIS && !w->parts &&
           !(w->axes & ~x->list->laid_out) && is_plain(x, w->node) && is_crossed(x->list, w);
}

/* ---- a layout for one access ------------------------------------------------------------------- */

static struct work moved(const struct work *w)
{
    struct work move = *w;
    move.kind = WORK_MOVE;
    move.proven = 16 / w->bytes;
    return move;
}

/* False: it would take too many registers. */
static bool find_own_layout(struct anchoring *x, const struct work *w, struct gpu_anchor *out,
                            double *cost)
{
    struct work_list list = *x->list;
    memset(&list.items, 0, sizeof list.items);
    vec_push(&x->g->s->scratch, &list.items, *w);
    if (value_of(x->g->f, w->node)->type.axes)
        vec_push(&x->g->s->scratch, &list.items, moved(w));
    *out = (struct gpu_anchor){.node = w->node, .again = w->times > 1};
    out->layout = arena_new(&x->g->s->module, struct gpu_layout);
    *cost = gpu_find_layout(x->g, x->schedule, &list, out->layout);
    return gpu_view(out->layout, w->axes).count <= MOST_REGS;
}

/* ---- is it worth it? --------------------------------------------------------------------------- */

/* Vectors along the fast axis that begin where something is written end there too. */
static bool ends_with_vectors(const struct gpu_conversion *c)
{
    const struct gpu_axis_layout *from = &c->from->axes[c->fast], *to = &c->to->axes[c->fast];
    return to->cover <= from->cover || from->cover % to->vector == 0;
}

/* Conversions that happen more than once take turns with two copies. */
static bool fits(const struct anchoring *x, const struct gpu_anchor *a)
{
    uint64_t copies = x->count > 1 || a->again ? 2 : 1;
    return copies * a->conversion->shared_bytes * SHARED_SHARE <= x->g->target->facts.shared_bytes;
}

static bool plan(struct anchoring *x, const struct gpu_layout *function, struct gpu_anchor *a,
                 uint8_t fast)
{
    const struct ir_value *v = value_of(x->g->f, a->node);
    bool loads = a->node->op == IR_OP_load;
    a->conversion = NULL;
    if (!v->type.axes)
        return true;
    const struct gpu_layout *from = loads ? a->layout : function;
    a->conversion = gpu_plan_conversion(x->g->s, from, loads ? function : a->layout, v->type.axes,
                                        fast, (ir_elem_bits(v->type.elem) + 7) / 8);
    return ends_with_vectors(a->conversion) && fits(x, a);
}

static struct work *work_of(const struct anchoring *x, const struct ir_node *n)
{
    for (uint32_t i = 0; i < x->list->items.count; i++)
        if (x->list->items.data[i].node == n)
            return &x->list->items.data[i];
    return NULL;
}

/* The function's layout and its time if one more access has a layout of its own; false: it cannot. */
static bool try_anchors(struct anchoring *x, double *cost, struct gpu_layout *function)
{
    struct work kept[MOST_ANCHORS];
    bool possible = true;
    for (uint32_t i = 0; i < x->count; i++) {
        struct work *w = work_of(x, x->anchors[i].node);
        kept[i] = *w;
        *w = moved(w);
    }
    *cost = gpu_find_layout(x->g, x->schedule, x->list, function);
    for (uint32_t i = 0; i < x->count; i++) {
        *work_of(x, x->anchors[i].node) = kept[i];
        *cost += x->own_cost[i];
        possible = possible && plan(x, function, &x->anchors[i], kept[i].fast);
    }
    return possible;
}

static bool is_anchored(const struct anchoring *x, const struct ir_node *n)
{
    for (uint32_t i = 0; i < x->count; i++)
        if (x->anchors[i].node == n)
            return true;
    return false;
}

/* Adds the access that saves most; false: none saves enough. */
static bool add_best(struct anchoring *x, double *cost)
{
    struct gpu_anchor best = {0};
    struct gpu_layout *function = arena_new(&x->g->s->module, struct gpu_layout);
    bool always = x->schedule->convert == GPU_CONVERT_ALWAYS;
    double best_cost = always && !x->count ? HUGE_VAL : *cost * WORTH_IT, best_own = 0;
    for (uint32_t i = 0; i < x->list->items.count; i++) {
        const struct work *w = &x->list->items.data[i];
        struct gpu_anchor *a = &x->anchors[x->count];
        double all;
        if (!is_candidate(x, w) || is_anchored(x, w->node) ||
            !find_own_layout(x, w, a, &x->own_cost[x->count]))
            continue;
        x->count++;
        if (try_anchors(x, &all, function) && all < best_cost) {
            best = *a;
            best_cost = all;
            best_own = x->own_cost[x->count - 1];
        }
        x->count--;
    }
    if (!best.node)
        return false;
    x->anchors[x->count] = best;
    x->own_cost[x->count++] = best_own;
    *cost = best_cost;
    return true;
}

/* ---- all of them ------------------------------------------------------------------------------- */

static void publish(struct anchoring *x, double gain)
{
    struct gpu_layout *out = x->out;
    double cost;
    struct gpu_anchor *anchors = arena_array(&x->g->s->module, struct gpu_anchor, x->count);
    try_anchors(x, &cost, out);
    for (uint32_t i = 0; i < x->count; i++) {
        anchors[i] = x->anchors[i];
        anchors[i].gain = gain;
        anchors[i].layout->anchors = anchors;
        anchors[i].layout->anchor_count = x->count;
    }
    out->anchors = anchors;
    out->anchor_count = x->count;
}

/* Blocks of a cluster do not convert: what they hold might belong to another block. */
void gpu_anchor_accesses(struct gen *g, const struct schedule *schedule, struct work_list *list,
                         double cost, struct gpu_layout *out)
{
    struct anchoring x = {.g = g, .schedule = schedule, .list = list, .out = out};
    double now = cost;
    if (schedule->cluster > 1 || schedule->convert == GPU_CONVERT_NEVER)
        return;
    while (x.count < MOST_ANCHORS && add_best(&x, &now))
        continue;
    if (x.count)
        publish(&x, cost / now);
}
