/* Questions about nodes that several passes ask. */
#include "pass/internal.h"

bool const_of(const struct ir_value *v, struct number *out)
{
    if (v->def != IR_DEF_NODE || v->node->op != IR_OP_const)
        return false;
    *out = (struct number){v->type.elem, v->node->attr.i, v->node->attr.f};
    return true;
}

void add_written(const struct ir_node *n, struct tensor_set *out)
{
    if (ir_op_info(n->op)->traits & IR_WRITES)
        out->word[n->attr.tensor / 64] |= (uint64_t)1 << n->attr.tensor % 64;
    for (uint32_t r = 0; r < n->region_count; r++)
        for (const struct ir_node *inner = n->regions[r]->first; inner; inner = inner->next)
            add_written(inner, out);
}

bool has_tensor(const struct tensor_set *set, uint8_t tensor)
{
    return set->word[tensor / 64] >> tensor % 64 & 1;
}

bool is_loop(enum ir_opcode op)
{
    return op == IR_OP_for || op == IR_OP_loop || op == IR_OP_sweep;
}

uint32_t loop_bounds(enum ir_opcode op)
{
    return op == IR_OP_for ? 3 : op == IR_OP_sweep ? 2 : 0;
}

static bool block_is_inside(const struct ir_block *b, const struct ir_block *inner)
{
    while (inner && inner != b)
        inner = inner->parent ? inner->parent->block : NULL;
    return inner == b;
}

bool is_inside(const struct ir_block *b, const struct ir_node *n)
{
    return block_is_inside(b, n->block);
}

const struct ir_block *home_of(const struct ir_value *v)
{
    return v->def == IR_DEF_NODE ? v->node->block : v->block;
}

bool is_local(const struct ir_block *b, const struct ir_value *v)
{
    return block_is_inside(b, home_of(v));
}

void each_node(struct ir_block *b, void (*visit)(void *user, struct ir_node *n), void *user)
{
    for (struct ir_node *n = b->first; n; n = n->next) {
        visit(user, n);
        for (uint32_t r = 0; r < n->region_count; r++)
            each_node(n->regions[r], visit, user);
    }
}
