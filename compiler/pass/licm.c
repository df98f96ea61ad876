/* licm: what does not change from round to round is computed before the loop.
 *
 * What:  moves pure ops out of for, loop and sweep when their operands come from outside. Scalars
 *        move always. Tiles move when they are worth keeping in memory across the loop (a reduction,
 *        a transcendental function, a division), and then take along the cheap ops they need; cheap
 *        tiles by themselves are recomputed in place.
 * Needs: nothing; runs better after cse.
 * Keeps: loads (see mem), everything with an effect, values over the axis of the sweep they are in,
 *        and extract, whose element need not exist when the loop has no rounds.
 * Example:
 *        for %lo, %hi, %one do (%i) {           %5 = rsqrt %s : f32
 *          %5 = rsqrt %s : f32            ->    for %lo, %hi, %one do (%i) {
 *          ...                                    ... */
#include "pass/internal.h"

struct licm {
    struct ir_node *loop;
    bool changed;
};

/* node->mark while a loop is looked at. */
enum { MARK_NONE, MARK_INVARIANT, MARK_LEAVES };

/* Worth keeping as a tile in memory. */
static bool is_costly(enum ir_opcode op)
{
    switch ((int)op) {
    case IR_OP_sqrt:
    case IR_OP_rsqrt:
    case IR_OP_exp:
    case IR_OP_exp2:
    case IR_OP_log:
    case IR_OP_log2:
    case IR_OP_sin:
    case IR_OP_cos:
    case IR_OP_tanh:
    case IR_OP_erf:
    case IR_OP_pow:
    case IR_OP_div:
    case IR_OP_rem:
    case IR_OP_div_exact:
    case IR_OP_reduce:
    case IR_OP_scan:
    case IR_OP_dot: return true;
    default: return false;
    }
}

static bool has_axis(const struct ir_node *n, uint8_t axis)
{
    axis_set bit = (axis_set)1 << axis;
    bool named = (ir_op_info(n->op)->attrs & IR_A_AXIS) && n->attr.axis == axis;
    for (uint32_t i = 0; i < n->result_count; i++)
        named |= (n->results[i]->type.axes & bit) != 0;
    for (uint32_t i = 0; i < n->operand_count; i++)
        named |= (n->operands[i]->type.axes & bit) != 0;
    return named;
}

/* Whether anything inside n, besides its own values, is defined in the loop. */
static bool regions_are_invariant(const struct ir_block *body, const struct ir_node *n)
{
    for (uint32_t r = 0; r < n->region_count; r++)
        for (const struct ir_node *inner = n->regions[r]->first; inner; inner = inner->next)
            for (uint32_t i = 0; i < inner->operand_count; i++) {
                const struct ir_value *v = inner->operands[i];
                if (is_local(body, v) && !is_local(n->regions[r], v))
                    return false;
            }
    return true;
}

static bool may_move(const struct licm *l, const struct ir_node *n)
{
    bool swept = l->loop->op == IR_OP_sweep && has_axis(n, l->loop->attr.axis);
    return (ir_op_info(n->op)->traits & IR_PURE) && n->op != IR_OP_extract && !swept;
}

/* Whether n computes the same in every round; what it uses was asked before. */
static bool is_invariant(const struct licm *l, const struct ir_node *n)
{
    const struct ir_block *body = l->loop->regions[0];
    if (!may_move(l, n) || !regions_are_invariant(body, n))
        return false;
    for (uint32_t i = 0; i < n->operand_count; i++) {
        const struct ir_value *v = n->operands[i];
        if (is_local(body, v) && (v->def == IR_DEF_ARG || v->node->mark != MARK_INVARIANT))
            return false;
    }
    return true;
}

static bool is_worth_it(const struct ir_node *n)
{
    bool tile = false;
    for (uint32_t i = 0; i < n->result_count; i++)
        tile |= n->results[i]->type.axes != 0;
    return !tile || is_costly(n->op);
}

/* The three walks look into branches, but not into loops: inner loops are done already, and what may
 * leave this one stands before them. */

static void mark_invariant(struct licm *l, struct ir_block *b)
{
    for (struct ir_node *n = b->first; n; n = n->next) {
        for (uint32_t r = 0; r < n->region_count && n->op == IR_OP_if; r++)
            mark_invariant(l, n->regions[r]);
        n->mark = is_invariant(l, n) ? MARK_INVARIANT : MARK_NONE;
    }
}

/* Backwards: what is worth it leaves, and so does what it needs. */
static void choose(struct licm *l, struct ir_block *b)
{
    for (struct ir_node *n = b->last; n; n = n->prev) {
        for (uint32_t r = n->op == IR_OP_if ? n->region_count : 0; r--;)
            choose(l, n->regions[r]);
        if (n->mark == MARK_INVARIANT && is_worth_it(n))
            n->mark = MARK_LEAVES;
        for (uint32_t i = 0; i < n->operand_count && n->mark == MARK_LEAVES; i++)
            if (is_local(l->loop->regions[0], n->operands[i]))
                n->operands[i]->node->mark = MARK_LEAVES;
    }
}

static void move_out(struct licm *l, struct ir_block *b)
{
    for (struct ir_node *n = b->first, *next; n; n = next) {
        next = n->next;
        for (uint32_t r = 0; r < n->region_count && n->op == IR_OP_if; r++)
            move_out(l, n->regions[r]);
        if (n->mark != MARK_LEAVES)
            continue;
        ir_detach(n);
        ir_insert_before(l->loop, n);
        l->changed = true;
    }
}

/* Inner loops first, so that a value climbs out of all of them in one run. */
static void licm_block(struct licm *l, struct ir_block *b)
{
    for (struct ir_node *n = b->first; n; n = n->next) {
        for (uint32_t r = 0; r < n->region_count; r++)
            licm_block(l, n->regions[r]);
        if (!is_loop(n->op))
            continue;
        l->loop = n;
        mark_invariant(l, n->regions[0]);
        choose(l, n->regions[0]);
        move_out(l, n->regions[0]);
    }
}

bool pass_licm(struct pass_ctx *ctx, struct ir_func *f)
{
    (void)ctx;
    struct licm l = {0};
    licm_block(&l, f->body);
    return l.changed;
}
