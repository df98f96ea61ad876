/* An estimate of the registers that a thread needs: the most words alive at once of what is kept.
 * Elementwise ops are computed where they are used, so what keeps a register is their roots: loads,
 * results of reductions and loops, carried values. */
#include "codegen/gpu/assign.h"

#include <string.h>

enum {
    WORKING = 24, /* addresses, counters, what an op needs while it runs */
    VECTOR = 4    /* of a row that waits in shared memory: what is read of it at a time */
};

struct life {
    const struct gpu_layout *layout;
    bool in_shared;
    uint32_t *last; /* by value id: position in its block where it is used last, plus 1 */
    uint32_t *seen; /* by value id: the last walk that met it */
    uint32_t walk;
};

static bool is_computed(const struct ir_value *v)
{
    return v->def == IR_DEF_NODE &&
           (ir_op_info(v->node->op)->traits & IR_ELEMENTWISE || v->node->op == IR_OP_index ||
            v->node->op == IR_OP_const || v->node->op == IR_OP_spread ||
            v->node->op == IR_OP_expand || v->node->op == IR_OP_merge);
}

static const struct ir_block *home(const struct ir_value *v)
{
    return v->def == IR_DEF_NODE ? v->node->block : v->block;
}

/* A value from outside a loop is used until the loop ends. */
static void use(struct life *l, const struct ir_value *v, const struct ir_block *b, uint32_t at)
{
    if (l->seen[v->id] == l->walk)
        return;
    l->seen[v->id] = l->walk;
    if (is_computed(v)) {
        for (uint32_t i = 0; i < v->node->operand_count; i++)
            use(l, v->node->operands[i], b, at);
    } else if (home(v) == b && l->last[v->id] < at) {
        l->last[v->id] = at;
    }
}

static void use_inside(struct life *l, const struct ir_block *inner, const struct ir_block *b,
                       uint32_t at)
{
    for (const struct ir_node *n = inner->first; n; n = n->next) {
        for (uint32_t i = 0; i < n->operand_count; i++)
            use(l, n->operands[i], b, at);
        for (uint32_t r = 0; r < n->region_count; r++)
            use_inside(l, n->regions[r], b, at);
    }
}

static void find_last_uses(struct life *l, const struct ir_block *b)
{
    uint32_t at = 1;
    for (const struct ir_node *n = b->first; n; n = n->next, at++) {
        l->walk++;
        bool acts = !n->result_count || !is_computed(n->results[0]);
        for (uint32_t i = 0; acts && i < n->operand_count; i++)
            use(l, n->operands[i], b, at);
        for (uint32_t r = 0; r < n->region_count; r++)
            use_inside(l, n->regions[r], b, at);
    }
}

static uint32_t words_of(const struct life *l, const struct ir_value *v)
{
    uint32_t bits = ir_elem_bits(v->type.elem);
    uint32_t regs = gpu_view(l->layout, v->type.axes).count;
    if (l->in_shared && v->def == IR_DEF_NODE && v->node->op == IR_OP_load && regs > VECTOR)
        return VECTOR;
    return bits <= 16 && ir_elem_is_float(v->type.elem) ? (regs * bits + 31) / 32
                                                        : regs * ((bits + 31) / 32);
}

static uint32_t most_alive(struct life *l, const struct ir_block *b);

static uint32_t most_inside(struct life *l, const struct ir_node *n)
{
    uint32_t most = 0;
    for (uint32_t r = 0; r < n->region_count; r++) {
        uint32_t inner = most_alive(l, n->regions[r]);
        most = inner > most ? inner : most;
    }
    return most;
}

static uint32_t most_alive(struct life *l, const struct ir_block *b)
{
    uint32_t alive = 0, most, at = 1;
    find_last_uses(l, b);
    for (uint32_t i = 0; i < b->args.count; i++)
        alive += words_of(l, b->args.data[i]);
    most = alive;
    for (const struct ir_node *n = b->first; n; n = n->next, at++) {
        bool acts = n->result_count && !is_computed(n->results[0]);
        uint32_t inside = most_inside(l, n);
        most = alive + inside > most ? alive + inside : most;
        for (uint32_t i = 0; acts && i < n->result_count; i++)
            if (l->last[n->results[i]->id] > at)
                alive += words_of(l, n->results[i]);
        most = alive > most ? alive : most;
        for (const struct ir_node *m = b->first; m != n->next; m = m->next)
            for (uint32_t i = 0; i < m->result_count; i++)
                if (!is_computed(m->results[i]) && l->last[m->results[i]->id] == at)
                    alive -= words_of(l, m->results[i]);
    }
    return most;
}

uint32_t gpu_pressure(struct session *s, const struct ir_func *f, const struct gpu_layout *layout,
                      bool in_shared)
{
    struct life l = {.layout = layout,
                     .in_shared = in_shared,
                     .last = arena_array(&s->scratch, uint32_t, f->value_count + 1),
                     .seen = arena_array(&s->scratch, uint32_t, f->value_count + 1)};
    return WORKING + most_alive(&l, f->body);
}
