/* The order of accesses to tensors that the kernel writes. The threads of a block see each other's
 * writes after a barrier only, so one is put between two accesses of a tensor, one of them a write,
 * unless each thread meets its own elements alone: both have the same subscripts and layout, these name
 * each element once, and no other thread reads copies of them (of copies only one is written).
 *
 * From one round of a loop to another the same subscripts may name other elements. That is harmless in a
 * dim that is one number for all threads (a row), and not in one that tells threads apart: there only the
 * tiles of a sweep are known to differ. Tensor parameters do not overlap: the runtime checks. */
#include "codegen/gpu/gpu.h"

static bool is_access(const struct ir_node *n)
{
    return n->op == IR_OP_load || n->op == IR_OP_store || n->op == IR_OP_atomic;
}

static bool writes(const struct ir_node *n)
{
    return n->op != IR_OP_load;
}

static bool same_terms(const struct ir_affine *a, const struct ir_affine *b)
{
    if (!a->affine || !b->affine || a->term_count != b->term_count)
        return false;
    for (unsigned i = 0; i < IR_MAX_AXIS; i++)
        if (a->coefficient[i] != b->coefficient[i] || a->factor[i] != b->factor[i])
            return false;
    for (uint32_t i = 0; i < a->term_count; i++) {
        bool found = false;
        for (uint32_t k = 0; k < b->term_count; k++)
            found |= a->terms[i].value == b->terms[k].value &&
                     a->terms[i].coefficient == b->terms[k].coefficient;
        if (!found)
            return false;
    }
    return true;
}

bool gpu_same_place(const struct ir_node *a, const struct ir_node *b, uint32_t rank)
{
    struct ir_affine x, y;
    for (uint32_t d = 0; d < rank; d++) {
        if (a->operands[d] == b->operands[d])
            continue;
        ir_affine_of(a->operands[d], &x);
        ir_affine_of(b->operands[d], &y);
        if (!same_terms(&x, &y))
            return false;
    }
    return true;
}

/* ---- each element once -------------------------------------------------------------------------- */

static bool is_spread(const struct gen *g, unsigned axis)
{
    const struct gpu_axis_layout *l = &g->gpu->layout->axes[axis];
    return l->regs > 1 || l->digit_count;
}

static bool is_inside(const struct ir_value *v, const struct ir_node *loop)
{
    const struct ir_block *b = v->def == IR_DEF_ARG ? v->block : v->node->block;
    while (b && b->parent != loop)
        b = b->parent ? b->parent->block : NULL;
    return b != NULL;
}

static bool changes(const struct ir_affine *f, const struct ir_node *loop)
{
    for (uint32_t i = 0; loop && i < f->term_count; i++)
        if (f->terms[i].value && is_inside(f->terms[i].value, loop))
            return true;
    return false;
}

static bool is_zero(const struct ir_value *v)
{
    return v && v->def == IR_DEF_NODE && v->node->op == IR_OP_const && v->node->attr.i == 0;
}

/* A factor of rows in turn, p + i * P with p in 0 .. P: where a program runs there is one. */
static bool is_positive(const struct gen *g, const struct ir_value *factor)
{
    for (unsigned i = 0; i < g->f->axes.count; i++) {
        const struct ir_axis *a = &g->f->axes.data[i];
        bool runs = a->kind == IR_AXIS_PROGRAM || a->kind == IR_AXIS_GRID;
        if (runs && a->hi == factor && is_zero(a->lo))
            return true;
    }
    return false;
}

/* Does the subscript differ for each element of the axis, whatever the rest of it is? */
static bool tells_apart(const struct gen *g, const struct ir_affine *f, unsigned axis,
                        const struct ir_node *loop)
{
    bool moves_on =
        f->affine && f->coefficient[axis] && (!f->factor[axis] || is_positive(g, f->factor[axis]));
    if (!moves_on || changes(f, loop))
        return false;
    for (unsigned i = 0; i < g->f->axes.count; i++) {
        bool moves = loop && g->f->axes.data[i].kind == IR_AXIS_SWEPT;
        if (i != axis && (f->axes >> i & 1) && (is_spread(g, i) || moves))
            return false;
    }
    return true;
}

/* loop: in each of its rounds, and all of them together; NULL: at one time. */
static bool is_injective(const struct gen *g, const struct ir_node *n, const struct ir_node *loop)
{
    axis_set axes = gpu_subscript_axes(g->f, n);
    for (unsigned i = 0; i < g->f->axes.count; i++) {
        bool told = !(axes >> i & 1) || !is_spread(g, i);
        for (uint32_t d = 0; d < g->f->tensors.data[n->attr.tensor].rank && !told; d++) {
            struct ir_affine f;
            ir_affine_of(n->operands[d], &f);
            told = tells_apart(g, &f, i, loop);
        }
        if (!told)
            return false;
    }
    return true;
}

bool gpu_names_once(const struct gen *g, const struct ir_node *n)
{
    return is_injective(g, n, NULL);
}

/* A sweep inside the loop may begin elsewhere in each round, so that other threads have its elements. */
static bool is_dealt_anew(struct gen *g, const struct ir_node *n, const struct ir_node *loop)
{
    axis_set axes = gpu_subscript_axes(g->f, n);
    for (unsigned i = 0; loop && i < g->f->axes.count; i++) {
        bool own = loop->op == IR_OP_sweep && loop->attr.axis == i;
        if ((axes >> i & 1) && g->f->axes.data[i].kind == IR_AXIS_SWEPT && is_spread(g, i) &&
            !own && gpu_may_shift(g, (uint8_t)i))
            return true;
    }
    return false;
}

/* ---- side by side ------------------------------------------------------------------------------- */

/* The one scalar by which two subscripts of the same axes differ; NULL: another difference. */
static const struct ir_value *distance(const struct ir_affine *a, const struct ir_affine *b)
{
    const struct ir_value *found = NULL;
    for (uint32_t i = 0; i < a->term_count; i++) {
        bool common = false;
        for (uint32_t k = 0; k < b->term_count; k++)
            common |= a->terms[i].value == b->terms[k].value &&
                      a->terms[i].coefficient == b->terms[k].coefficient;
        if (common)
            continue;
        if (found || a->terms[i].coefficient != 1)
            return NULL;
        found = a->terms[i].value;
    }
    return a->term_count == b->term_count + 1 ? found : NULL;
}

/* x[p] and x[p + P] with p in 0 .. P: the ranges lie side by side. */
static bool side_by_side(const struct gen *g, const struct ir_affine *a, const struct ir_affine *b)
{
    if (!a->affine || !b->affine || a->axes != b->axes || !a->axes || (a->axes & (a->axes - 1)))
        return false;
    for (unsigned i = 0; i < g->f->axes.count; i++) {
        if (!(a->axes >> i & 1))
            continue;
        const struct ir_value *d = distance(a, b);
        d = d ? d : distance(b, a);
        return a->coefficient[i] == 1 && b->coefficient[i] == 1 && !a->factor[i] && !b->factor[i] &&
               d && d == g->f->axes.data[i].hi && is_zero(g->f->axes.data[i].lo);
    }
    return false;
}

static bool is_apart(const struct gen *g, const struct ir_node *a, const struct ir_node *b,
                     uint32_t rank, const struct ir_node *loop)
{
    struct ir_affine x, y;
    for (uint32_t d = 0; d < rank; d++) {
        ir_affine_of(a->operands[d], &x);
        ir_affine_of(b->operands[d], &y);
        if (side_by_side(g, &x, &y) && !changes(&x, loop) && !changes(&y, loop))
            return true;
    }
    return false;
}

/* May a thread meet another's elements? loop: in any rounds of it; NULL: at one time. */
static bool conflict(struct gen *g, const struct ir_node *a, const struct ir_node *b,
                     const struct ir_node *loop)
{
    const struct ir_tensor *t = &g->f->tensors.data[a->attr.tensor];
    if (a->attr.tensor != b->attr.tensor || (!writes(a) && !writes(b)))
        return false;
    if (a->op == IR_OP_atomic && b->op == IR_OP_atomic)
        return false;
    if (is_apart(g, a, b, t->rank, loop))
        return false;
    const struct gpu_layout *l = g->gpu->layout;
    if (a != b && (gpu_anchor_of(l, a) || gpu_anchor_of(l, b)))
        return true;
    axis_set axes = gpu_subscript_axes(g->f, a);
    if (axes != gpu_subscript_axes(g->f, b) || !gpu_same_place(a, b, t->rank) ||
        !is_injective(g, a, loop))
        return true;
    bool reads = !writes(a) || !writes(b);
    return reads && (gpu_owner(g, axes) != NULL || is_dealt_anew(g, a, loop));
}

void gpu_barrier(struct gen *g)
{
    gpu_settle(g, NULL);
    if (g->gpu->schedule.cluster > 1)
        g->gpu->hooks->cluster_barrier(&g->gpu->lane);
    else
        g->gpu->hooks->barrier(&g->gpu->lane);
    g->gpu->pending.count = 0;
}

void gpu_order(struct gen *g, struct ir_node *n)
{
    if (!g->gpu->written[n->attr.tensor])
        return;
    for (uint32_t i = 0; i < g->gpu->pending.count; i++)
        if (conflict(g, g->gpu->pending.data[i], n, NULL)) {
            gpu_barrier(g);
            break;
        }
    vec_push(&g->s->module, &g->gpu->pending, n);
}

/* ---- loops ------------------------------------------------------------------------------------- */

struct accesses {
    VEC(struct ir_node *) nodes;
};

static void collect(struct gen *g, struct ir_block *b, struct accesses *out)
{
    for (struct ir_node *n = b->first; n; n = n->next) {
        if (is_access(n) && g->gpu->written[n->attr.tensor])
            vec_push(&g->s->module, &out->nodes, n);
        for (uint32_t i = 0; i < n->region_count; i++)
            collect(g, n->regions[i], out);
    }
}

/* The rounds of a loop may be emitted in several ways, of which some run, or none: what meets
 * something before the loop is put in order ahead of it. */
struct gpu_before gpu_order_ahead(struct gen *g, struct ir_node *loop)
{
    struct accesses all = {0};
    collect(g, loop->regions[0], &all);
    for (uint32_t i = 0; i < all.nodes.count; i++)
        for (uint32_t k = 0; k < g->gpu->pending.count; k++)
            if (conflict(g, g->gpu->pending.data[k], all.nodes.data[i], NULL))
                gpu_barrier(g); /* nothing is pending then */
    struct gpu_before before = {.count = g->gpu->pending.count};
    before.nodes = arena_array(&g->s->module, struct ir_node *, before.count + 1);
    for (uint32_t k = 0; k < before.count; k++)
        before.nodes[k] = g->gpu->pending.data[k];
    return before;
}

/* A barrier inside the loop says nothing about what follows it: there may have been no round. */
void gpu_order_behind(struct gen *g, struct ir_node *loop, const struct gpu_before *before)
{
    struct accesses all = {0};
    collect(g, loop->regions[0], &all);
    g->gpu->pending.count = 0;
    for (uint32_t i = 0; i < before->count; i++)
        vec_push(&g->s->module, &g->gpu->pending, before->nodes[i]);
    for (uint32_t i = 0; i < all.nodes.count; i++)
        vec_push(&g->s->module, &g->gpu->pending, all.nodes.data[i]);
}

bool gpu_has_conflict(struct gen *g, struct ir_node *loop)
{
    struct accesses all = {0};
    collect(g, loop->regions[0], &all);
    for (uint32_t i = 0; i < all.nodes.count; i++)
        for (uint32_t k = 0; k <= i; k++)
            if (conflict(g, all.nodes.data[i], all.nodes.data[k], loop))
                return true;
    return false;
}

/* The end of a round meets the beginning of the next one. */
void gpu_order_loop(struct gen *g, struct ir_node *loop)
{
    if (gpu_has_conflict(g, loop))
        gpu_barrier(g);
}
