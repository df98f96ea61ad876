/* What a kernel does with its axes. */
#include "codegen/gpu/assign.h"

#include <string.h>

enum {
    ROUNDS = 8, /* of a loop, as far as anybody knows */
    MAX_ROUNDS = 64,
    MOST_BYTES = 16 /* of one access */
};

#define MOVED 0.5 /* what it matters that bytes are moved in vectors within a multiprocessor */

struct collector {
    const struct gen *g;
    struct session *s;
    const struct ir_func *f;
    struct work_list *out;
};

static axis_set bit(uint32_t axis)
{
    return (axis_set)1 << axis;
}

/* The axes with parts replaced by what they are parts of. */
static axis_set whole(const struct ir_func *f, axis_set axes, bool *has_parts)
{
    axis_set result = 0;
    for (uint32_t a = 0; a < f->axes.count; a++)
        if (axes & bit(a)) {
            bool part = f->axes.data[a].kind == IR_AXIS_PART;
            result |= bit(part ? f->axes.data[a].parent : a);
            *has_parts |= part;
        }
    return result;
}

/* Elementwise work over the same axes is one item. */
static void add_elements(struct collector *c, axis_set axes, double times)
{
    struct work w = {.kind = WORK_ELEMENTS, .times = times};
    w.axes = whole(c->f, axes, &w.parts);
    for (uint32_t i = 0; i < c->out->items.count; i++) {
        struct work *x = &c->out->items.data[i];
        if (x->kind == WORK_ELEMENTS && x->axes == w.axes && x->parts == w.parts) {
            x->times += times;
            return;
        }
    }
    vec_push(&c->s->module, &c->out->items, w);
}

/* ---- accesses ---------------------------------------------------------------------------------- */

/* The axis along which neighbours are neighbours in memory: it counts once in the innermost
 * subscript and nowhere else. */
static uint8_t fast_axis(const struct ir_func *f, const struct ir_node *n)
{
    const struct ir_tensor *t = &f->tensors.data[n->attr.tensor];
    axis_set outer = 0;
    struct ir_affine last;
    if (!t->rank || t->strided)
        return IR_NO_AXIS;
    for (uint32_t d = 0; d + 1 < t->rank; d++)
        outer |= n->operands[d]->type.axes;
    ir_affine_of(n->operands[t->rank - 1], &last);
    for (uint32_t a = 0; last.affine && a < f->axes.count; a++)
        if (last.axes & bit(a) && !(outer & bit(a)) && last.coefficient[a] == 1 && !last.factor[a])
            return (uint8_t)a;
    return IR_NO_AXIS;
}

static void add_access(struct collector *c, const struct ir_node *n, double times)
{
    const struct ir_tensor *t = &c->f->tensors.data[n->attr.tensor];
    axis_set axes = 0;
    for (uint32_t i = 0; i < n->operand_count; i++)
        axes |= n->operands[i]->type.axes;
    struct work w = {.kind = WORK_ACCESS,
                     .times = times,
                     .bytes = (ir_elem_bits(t->elem) + 7) / 8,
                     .fast = fast_axis(c->f, n),
                     .proven = 1,
                     .writes = n->op != IR_OP_load,
                     .node = n};
    if (w.fast != IR_NO_AXIS)
        w.proven = gpu_hoped_width(c->g, n, w.fast, MOST_BYTES / w.bytes);
    w.axes = whole(c->f, axes, &w.parts);
    vec_push(&c->s->module, &c->out->items, w);
}

/* ---- reductions -------------------------------------------------------------------------------- */

static axis_set combined_axes(const struct ir_node *n)
{
    switch ((int)n->op) {
    case IR_OP_reduce: return n->attr.axes;
    case IR_OP_scan:
    case IR_OP_extract:
    case IR_OP_dot: return bit(n->attr.axis);
    default: return 0;
    }
}

static void add_reduction(struct collector *c, const struct ir_node *n, double times)
{
    struct work w = {.kind = WORK_REDUCE, .times = times};
    axis_set axes = 0;
    bool ignored = false;
    for (uint32_t i = 0; i < n->operand_count; i++)
        axes |= n->operands[i]->type.axes;
    for (uint32_t i = 0; i < n->result_count; i++)
        w.bytes += (ir_elem_bits(n->results[i]->type.elem) + 7) / 8;
    w.axes = whole(c->f, axes, &w.parts);
    w.reduced = whole(c->f, combined_axes(n), &ignored);
    add_elements(c, axes, times);
    if (n->op != IR_OP_reduce || n->attr.to == IR_NO_AXIS)
        vec_push(&c->s->module, &c->out->items, w);
}

/* ---- all of it --------------------------------------------------------------------------------- */

static void collect(struct collector *c, const struct ir_block *b, double times);

static void collect_node(struct collector *c, const struct ir_node *n, double times)
{
    bool loops = n->op == IR_OP_for || n->op == IR_OP_loop || n->op == IR_OP_sweep;
    double inner = loops && times < MAX_ROUNDS ? times * ROUNDS : times;
    if (n->op == IR_OP_load || n->op == IR_OP_store || n->op == IR_OP_atomic)
        add_access(c, n, times);
    else if (combined_axes(n))
        add_reduction(c, n, times);
    else if (ir_op_info(n->op)->traits & IR_ELEMENTWISE)
        add_elements(c, n->results[0]->type.axes, times);
    if (n->op != IR_OP_reduce && n->op != IR_OP_scan) /* a combiner's ops are not over tiles */
        for (uint32_t r = 0; r < n->region_count; r++)
            collect(c, n->regions[r], inner);
}

static void collect(struct collector *c, const struct ir_block *b, double times)
{
    for (const struct ir_node *n = b->first; n; n = n->next)
        collect_node(c, n, times);
}

void gpu_collect_work(const struct gen *g, struct work_list *out)
{
    const struct ir_func *f = g->f;
    struct collector c = {g, g->s, f, out};
    *out = (struct work_list){0};
    gpu_axes_meeting(f, out->meets);
    for (uint32_t a = 0; a < f->axes.count; a++) {
        enum ir_axis_kind kind = f->axes.data[a].kind;
        if (kind == IR_AXIS_GRID || kind == IR_AXIS_HELD || kind == IR_AXIS_SWEPT)
            out->laid_out |= bit(a);
    }
    collect(&c, f->body, 1);
}

double gpu_work_bytes(const struct ir_func *f, const struct work *w)
{
    double bytes = w->times * w->bytes;
    for (uint32_t a = 0; a < f->axes.count; a++)
        if (w->axes & bit(a))
            bytes *= (double)f->axes.data[a].tile;
    return bytes;
}

double gpu_fast_bytes(const struct ir_func *f, const struct work_list *list, uint8_t axis)
{
    double sum = 0;
    for (uint32_t i = 0; i < list->items.count; i++) {
        const struct work *w = &list->items.data[i];
        double weight = w->kind == WORK_ACCESS ? 1 : w->kind == WORK_MOVE ? MOVED : 0;
        if (weight > 0 && w->fast == axis)
            sum += weight * gpu_work_bytes(f, w);
    }
    return sum;
}
