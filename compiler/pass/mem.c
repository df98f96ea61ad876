/* mem: loads that need not be done.
 *
 * What:  a load of exactly the elements that were just stored takes the stored value; a scalar load
 *        whose element no round of a loop changes is done once before the loop.
 * Needs: cse first, so that equal subscripts are one value.
 * Keeps: every store. Loads are moved only where they cannot fault: from tensors without subscripts,
 *        or range-tested ones. Distinct tensors do not overlap (the language's rule), and one store's
 *        subscripts reach each element once only if they are plain axes and scalars, so only such
 *        stores are looked through.
 * Example:
 *        store y[%r, %c], %v                    store y[%r, %c], %v
 *        %7 = load y[%r, %c] : f32[r, c]  ->    %8 = exp %v : f32[r, c]
 *        %8 = exp %7 : f32[r, c] */
#include "pass/internal.h"

struct mem {
    struct pass_ctx *ctx;
    struct ir_func *f;
    struct ir_node *stored[256]; /* by tensor: the store that later loads may look through */
    bool changed;
};

/* ---- stores to loads -------------------------------------------------------------------------- */

/* Each axis in one subscript, alone: different lanes reach different elements. */
static bool reaches_once(const struct ir_node *store, uint32_t rank)
{
    axis_set seen = 0;
    for (uint32_t i = 0; i < rank; i++) {
        const struct ir_value *v = store->operands[i];
        bool plain = v->def == IR_DEF_NODE && v->node->op == IR_OP_index;
        if (v->type.axes && (!plain || (seen & v->type.axes)))
            return false;
        seen |= v->type.axes;
    }
    return true;
}

static bool same_element(const struct ir_node *a, const struct ir_node *b, uint32_t rank)
{
    for (uint32_t i = 0; i < rank; i++)
        if (a->operands[i] != b->operands[i])
            return false;
    return true;
}

static void remember_store(struct mem *m, struct ir_node *n)
{
    uint32_t rank = m->f->tensors.data[n->attr.tensor].rank;
    bool plain = n->op == IR_OP_store && !n->attr.flag && reaches_once(n, rank);
    m->stored[n->attr.tensor] = plain ? n : NULL;
}

static struct ir_value *stored_value(struct mem *m, struct ir_node *load)
{
    struct ir_node *store = m->stored[load->attr.tensor];
    uint32_t rank = m->f->tensors.data[load->attr.tensor].rank;
    if (!store || !same_element(store, load, rank))
        return NULL;
    struct ir_value *v = store->operands[rank];
    struct ir_type type = load->results[0]->type;
    if (v->type.axes == type.axes)
        return v;
    struct ir_builder b = {m->f, load->block, load->at, load};
    struct ir_attr attr = {.axes = type.axes & ~v->type.axes};
    return ir_append(&b, IR_OP_expand, attr, &v, 1, &type, 1, 0)->results[0];
}

static void forward_load(struct mem *m, struct ir_node *n)
{
    struct ir_value *v = stored_value(m, n);
    if (!v)
        return;
    ir_replace(m->f, n->results[0], v);
    ir_remove(n);
    m->changed = true;
}

static void forward_block(struct mem *m, struct ir_block *b);

/* A region begins knowing nothing: a round of a loop follows another one, a branch is left in the
 * middle. What it writes is not known after it. */
static void forward_regions(struct mem *m, struct ir_node *n)
{
    struct mem inner = {.ctx = m->ctx, .f = m->f};
    struct tensor_set written = {0};
    add_written(n, &written);
    for (uint32_t r = 0; r < n->region_count; r++) {
        memset(inner.stored, 0, sizeof inner.stored);
        forward_block(&inner, n->regions[r]);
    }
    for (uint32_t t = 0; t < m->f->tensors.count; t++)
        if (has_tensor(&written, (uint8_t)t))
            m->stored[t] = NULL;
    m->changed |= inner.changed;
}

static void forward_block(struct mem *m, struct ir_block *b)
{
    for (struct ir_node *n = b->first, *next; n; n = next) {
        next = n->next;
        if (n->region_count)
            forward_regions(m, n);
        if (ir_op_info(n->op)->traits & IR_WRITES)
            remember_store(m, n);
        else if (n->op == IR_OP_load)
            forward_load(m, n);
    }
}

/* ---- scalar loads out of loops ---------------------------------------------------------------- */

static bool may_hoist(const struct mem *m, const struct ir_node *loop, const struct ir_node *n,
                      const struct tensor_set *written)
{
    if (n->op != IR_OP_load || n->results[0]->type.axes || has_tensor(written, n->attr.tensor))
        return false;
    if (!n->attr.flag && m->f->tensors.data[n->attr.tensor].rank > 0)
        return false; /* its subscripts may be out of range where the loop has no rounds */
    for (uint32_t i = 0; i < n->operand_count; i++)
        if (is_local(loop->regions[0], n->operands[i]))
            return false;
    return true;
}

static void hoist_from(struct mem *m, struct ir_node *loop, struct ir_block *b,
                       const struct tensor_set *written)
{
    for (struct ir_node *n = b->first, *next; n; n = next) {
        next = n->next;
        for (uint32_t r = 0; r < n->region_count; r++)
            hoist_from(m, loop, n->regions[r], written);
        if (!may_hoist(m, loop, n, written))
            continue;
        ir_detach(n);
        ir_insert_before(loop, n);
        m->changed = true;
    }
}

static void hoist_block(struct mem *m, struct ir_block *b)
{
    for (struct ir_node *n = b->first; n; n = n->next) {
        for (uint32_t r = 0; r < n->region_count; r++)
            hoist_block(m, n->regions[r]);
        if (!is_loop(n->op))
            continue;
        struct tensor_set written = {0};
        add_written(n, &written);
        hoist_from(m, n, n->regions[0], &written);
    }
}

bool pass_mem(struct pass_ctx *ctx, struct ir_func *f)
{
    struct mem m = {.ctx = ctx, .f = f};
    forward_block(&m, f->body);
    hoist_block(&m, f->body);
    return m.changed;
}
