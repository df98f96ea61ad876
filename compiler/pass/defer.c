/* defer: sums that a loop adds to are finished after it.
 *
 * What:  where a round of a loop adds a reduction to a carried value and does nothing else with
 *        either, the round reduces only as far as each thread can go alone (to a part axis), the
 *        parts are carried, and what is left of the reduction is done once, after the loop.
 * Needs: canon and cse, so that such a sum is one op on one reduction; before parts, which sizes
 *        the new axes.
 * Keeps: @ordered functions, whose sums have an order; everything on a CPU, where a thread has the
 *        whole tile.
 * Example:
 *        %s = sweep .. {                        %t = sweep .. {
 *          %r = reduce %x {axes = [v]}            %r = reduce %x {axes = [v], to = v_part}
 *          %b = add %a, %r               ->       %b = add %a, %r : f32[v_part]
 *          yield %b                               yield %b
 *        }                                      }
 *                                               %u = reduce %t {axes = [v_part]}
 *                                               %s = add %init, %u */
#include "pass/internal.h"

struct accumulation {
    struct ir_node *loop;
    struct ir_value *init, *arg, *result;
    uint32_t init_operand;
    struct ir_node *reduce, *add; /* of a round */
    uint8_t axis;                 /* that is reduced */
};

static axis_set bit(uint8_t axis)
{
    return (axis_set)1 << axis;
}

/* ---- matching ---------------------------------------------------------------------------------- */

/* Does a jump leave a round of the loop that b is the region of? */
static bool jumps(const struct ir_block *b)
{
    for (const struct ir_node *n = b->first; n; n = n->next) {
        if (n->op == IR_OP_break || n->op == IR_OP_continue)
            return true;
        for (uint32_t r = 0; !is_loop(n->op) && r < n->region_count; r++)
            if (jumps(n->regions[r]))
                return true;
    }
    return false;
}

/* The op that goes on with a reduction of this kind; false if there is none with a plain identity. */
static bool adds(enum ir_kind kind, enum ir_opcode op)
{
    switch ((int)kind) {
    case IR_KIND_SUM: return op == IR_OP_add;
    case IR_KIND_MAX: return op == IR_OP_max;
    case IR_KIND_MIN: return op == IR_OP_min;
    case IR_KIND_ANY: return op == IR_OP_or;
    case IR_KIND_ALL: return op == IR_OP_and;
    default: return false;
    }
}

static uint8_t single_axis(axis_set axes)
{
    uint8_t axis = 0;
    if (!axes || (axes & (axes - 1)))
        return IR_NO_AXIS;
    while (!(axes & bit(axis)))
        axis++;
    return axis;
}

static bool is_deferrable(const struct ir_func *f, const struct ir_node *reduce,
                          const struct ir_block *region, axis_set kept)
{
    uint8_t axis = reduce->op == IR_OP_reduce ? single_axis(reduce->attr.axes) : IR_NO_AXIS;
    return axis != IR_NO_AXIS && reduce->attr.to == IR_NO_AXIS && reduce->block == region &&
           reduce->operand_count == 1 && f->axes.data[axis].kind != IR_AXIS_PART &&
           f->axes.data[axis].tile > 1 && !(kept & bit(axis));
}

/* Carried value number k: does a round only add a reduction to it? */
static bool match(const struct ir_func *f, struct ir_node *loop, uint32_t k,
                  struct accumulation *out)
{
    struct ir_block *region = loop->regions[0];
    uint32_t first = region->args.count - loop->result_count;
    struct ir_value *arg = region->args.data[first + k];
    struct ir_value *next = region->last->operands[k];
    if (arg->uses != 1 || next->uses != 1 || next->def != IR_DEF_NODE ||
        next->node->block != region || next->node->operand_count != 2)
        return false;
    struct ir_node *add = next->node;
    struct ir_value *term = add->operands[add->operands[0] == arg];
    if ((add->operands[0] != arg && add->operands[1] != arg) || term->def != IR_DEF_NODE ||
        term->uses != 1 || !is_deferrable(f, term->node, region, arg->type.axes) ||
        !adds((enum ir_kind)term->node->attr.kind, add->op))
        return false;
    uint32_t operand = loop_bounds(loop->op) + k;
    *out = (struct accumulation){.loop = loop,
                                 .init = loop->operands[operand],
                                 .arg = arg,
                                 .result = loop->results[k],
                                 .init_operand = operand,
                                 .reduce = term->node,
                                 .add = add,
                                 .axis = single_axis(term->node->attr.axes)};
    return true;
}

/* ---- rewriting --------------------------------------------------------------------------------- */

/* The part axis of an axis, made if there is none; IR_NO_AXIS if there is no room for one. */
static uint8_t parts_of(struct pass_ctx *ctx, struct ir_func *f, uint8_t axis)
{
    for (uint32_t i = 0; i < f->axes.count; i++)
        if (f->axes.data[i].kind == IR_AXIS_PART && f->axes.data[i].parent == axis)
            return (uint8_t)i;
    if (f->axes.count == IR_MAX_AXIS)
        return IR_NO_AXIS;
    const struct ir_axis *parent = &f->axes.data[axis];
    struct ir_axis part = {.name = intern_text(ctx->session, arena_printf(&ctx->session->module,
                                                                          "%s_part", parent->name)),
                           .kind = IR_AXIS_PART,
                           .at = parent->at,
                           .parent = axis};
    vec_push(&ctx->session->module, &f->axes, part);
    return (uint8_t)(f->axes.count - 1);
}

static struct ir_value *spread_over(struct ir_builder *b, struct ir_value *v, axis_set axes)
{
    struct ir_type type = {v->type.elem, v->type.axes | axes};
    struct ir_attr attr = {.axes = axes};
    return ir_append(b, IR_OP_expand, attr, &v, 1, &type, 1, 0)->results[0];
}

static struct ir_value *zero(struct ir_builder *b, enum ir_elem elem)
{
    return ir_elem_is_float(elem) ? ir_const_float(b, elem, 0) : ir_const_int(b, elem, 0);
}

/* A sum of parts begins at 0, and the initial value is added at the end; the other kinds may meet
 * the initial value in every part. */
static void carry_parts(struct ir_func *f, const struct accumulation *a, uint8_t part)
{
    struct ir_builder b = {f, a->loop->block, a->loop->at, a->loop};
    bool sum = a->add->op == IR_OP_add;
    axis_set axes = a->arg->type.axes | bit(part);
    struct ir_value *begin = sum ? spread_over(&b, zero(&b, a->arg->type.elem), axes)
                                 : spread_over(&b, a->init, bit(part));
    ir_set_operand(a->loop, a->init_operand, begin);
    a->reduce->attr.to = part;
    a->reduce->results[0]->type.axes |= bit(part);
    a->arg->type.axes = a->result->type.axes = a->add->results[0]->type.axes = axes;
}

static void finish(struct ir_func *f, const struct accumulation *a, uint8_t part)
{
    struct ir_builder b = {f, a->loop->block, a->reduce->at, a->loop->next};
    struct ir_type type = {a->result->type.elem, a->result->type.axes & ~bit(part)};
    struct ir_attr attr = {.axes = bit(part), .to = IR_NO_AXIS, .kind = a->reduce->attr.kind};
    struct ir_node *rest = ir_append(&b, IR_OP_reduce, attr, &a->result, 1, &type, 1, 0);
    struct ir_node *last = rest;
    if (a->add->op == IR_OP_add)
        last = ir_binary(&b, IR_OP_add, rest->results[0], a->init)->node;
    ir_replace(f, a->result, last->results[0]);
    ir_set_operand(rest, 0, a->result);
}

static bool defer_carried(struct pass_ctx *ctx, struct ir_func *f, struct ir_node *loop, uint32_t k)
{
    struct accumulation a;
    if (!match(f, loop, k, &a))
        return false;
    uint8_t part = parts_of(ctx, f, a.axis);
    if (part == IR_NO_AXIS || a.arg->type.axes & bit(part))
        return false;
    carry_parts(f, &a, part);
    finish(f, &a, part);
    return true;
}

static bool defer_in(struct pass_ctx *ctx, struct ir_func *f, struct ir_block *b)
{
    bool changed = false;
    for (struct ir_node *n = b->first; n; n = n->next) {
        for (uint32_t r = 0; r < n->region_count; r++)
            changed |= defer_in(ctx, f, n->regions[r]);
        bool rounds = n->op == IR_OP_for || n->op == IR_OP_sweep;
        if (!rounds || jumps(n->regions[0]) || n->regions[0]->last->op != IR_OP_yield)
            continue;
        for (uint32_t k = 0; k < n->result_count; k++)
            changed |= defer_carried(ctx, f, n, k);
    }
    return changed;
}

bool pass_defer(struct pass_ctx *ctx, struct ir_func *f)
{
    if (ctx->facts->lanes < 2 || f->ordered)
        return false;
    return defer_in(ctx, f, f->body);
}
