/* Which values are lazy, which are anchors, and what must be stored whatever the schedule. */
#include "codegen/cpu/plan.h"

#include <string.h>

/* A lazy chain of more cost than this is computed once and stored instead. */
#define LAZY_COST 9
/* Lazy chains are walked recursively. */
#define LAZY_DEPTH 200

struct value_plan *plan_of(const struct plan *p, const struct ir_value *v)
{
    return &p->values[v->id];
}

axis_set plan_axes(const struct plan *p, axis_set axes)
{
    return axes & ~p->single;
}

bool plan_is_loop(enum ir_opcode op)
{
    return op == IR_OP_for || op == IR_OP_loop || op == IR_OP_sweep;
}

uint32_t plan_loop_bounds(enum ir_opcode op)
{
    return op == IR_OP_for ? 3 : op == IR_OP_sweep ? 2 : 0;
}

struct region *plan_region(const struct plan *p, const struct ir_block *b)
{
    for (uint32_t i = 0; i < p->regions.count; i++)
        if (p->regions.data[i]->block == b)
            return p->regions.data[i];
    return NULL;
}

/* Costs, in vector instructions or so. */

static bool is_narrow(enum ir_elem e)
{
    return ir_elem_is_float(e) && ir_elem_bits(e) < 32;
}

static uint16_t op_cost(const struct ir_node *n)
{
    enum ir_elem e = n->results[0]->type.elem;
    bool wide = e == IR_F64;
    bool integer = ir_elem_is_integer(e);
    switch ((int)n->op) {
    case IR_OP_const:
    case IR_OP_index:
    case IR_OP_expand:
    case IR_OP_merge:
    case IR_OP_bitcast: return 0;
    case IR_OP_cast: return is_narrow(e) || is_narrow(n->operands[0]->type.elem) ? 2 : 1;
    case IR_OP_div:
    case IR_OP_rem: return integer ? 16 : 4;
    case IR_OP_div_exact:
    case IR_OP_sqrt: return 4;
    case IR_OP_rsqrt: return 6;
    case IR_OP_exp:
    case IR_OP_exp2:
    case IR_OP_log:
    case IR_OP_log2:
    case IR_OP_tanh:
    case IR_OP_erf:
    case IR_OP_sin:
    case IR_OP_cos: return wide ? 100 : 16;
    case IR_OP_pow: return 100;
    default: return is_narrow(e) ? 4 : 1;
    }
}

static bool is_contiguous(const struct ir_node *n, const struct ir_tensor *t)
{
    for (uint32_t i = 0; i < t->rank; i++) {
        struct ir_affine a;
        ir_affine_of(n->operands[i], &a);
        if (!a.affine)
            return false;
    }
    return true;
}

/* Loads. */

static bool writes_tensor(const struct ir_node *n, uint8_t tensor)
{
    if ((ir_op_info(n->op)->traits & IR_WRITES) && n->attr.tensor == tensor)
        return true;
    for (uint32_t i = 0; i < n->region_count; i++)
        for (const struct ir_node *m = n->regions[i]->first; m; m = m->next)
            if (writes_tensor(m, tensor))
                return true;
    return false;
}

/* A load may be repeated later in its block if nothing writes the tensor there: that is where all
 * its uses are. */
static bool is_repeatable(const struct plan *p, const struct ir_node *load)
{
    if (!p->written[load->attr.tensor])
        return true;
    for (const struct ir_node *n = load->next; n; n = n->next)
        if (writes_tensor(n, load->attr.tensor))
            return false;
    return true;
}

/* Laziness. */

static uint32_t chain_cost(const struct plan *p, const struct ir_node *n)
{
    uint32_t cost = op_cost(n);
    if (n->op == IR_OP_load)
        cost = is_contiguous(n, &p->f->tensors.data[n->attr.tensor]) ? 1 : 8;
    for (uint32_t i = 0; i < n->operand_count; i++) {
        const struct value_plan *vp = plan_of(p, n->operands[i]);
        if (n->op == IR_OP_load && i < p->f->tensors.data[n->attr.tensor].rank)
            continue; /* subscripts become addresses */
        if (vp->axes)
            cost += vp->lazy ? vp->cost : 1;
    }
    return cost;
}

static axis_set node_axes(const struct ir_node *n)
{
    axis_set axes = 0;
    for (uint32_t i = 0; i < n->operand_count; i++)
        axes |= n->operands[i]->type.axes;
    return axes;
}

static bool is_lazy(const struct plan *p, const struct ir_node *n, uint32_t cost)
{
    const struct value_plan *vp = plan_of(p, n->results[0]);
    if (n->op == IR_OP_load && !is_repeatable(p, n))
        return false;
    if (vp->forced)
        return false;
    if (!vp->axes || cost <= LAZY_COST)
        return true;
    /* One user over the same elements: it is not repeated anyway. */
    return n->results[0]->uses == 1 && vp->user && plan_axes(p, node_axes(vp->user)) == vp->axes &&
           (ir_op_info(vp->user->op)->traits & (IR_ELEMENTWISE | IR_WRITES));
}

static bool is_invariant(const struct plan *p, const struct ir_node *n)
{
    if (!(ir_op_info(n->op)->traits & IR_ELEMENTWISE) && n->op != IR_OP_const)
        return false;
    for (uint32_t i = 0; i < n->operand_count; i++)
        if (!plan_of(p, n->operands[i])->invariant)
            return false;
    return true;
}

static uint16_t chain_depth(const struct plan *p, const struct ir_node *n)
{
    uint16_t depth = 0;
    for (uint32_t i = 0; i < n->operand_count; i++) {
        const struct value_plan *vp = plan_of(p, n->operands[i]);
        if (vp->lazy && vp->depth > depth)
            depth = vp->depth;
    }
    return (uint16_t)(depth + 1);
}

static bool may_be_lazy(enum ir_opcode op)
{
    unsigned traits = ir_op_info(op)->traits;
    return (traits & IR_ELEMENTWISE) || op == IR_OP_const || op == IR_OP_index ||
           op == IR_OP_load || op == IR_OP_spread || op == IR_OP_merge || op == IR_OP_extract ||
           op == IR_OP_relabel || op == IR_OP_expand;
}

static void classify_node(struct plan *p, struct region *r, struct ir_node *n)
{
    for (uint32_t i = 0; i < n->result_count; i++)
        plan_of(p, n->results[i])->region = r;
    if (!may_be_lazy(n->op) || n->result_count != 1)
        return;
    struct value_plan *vp = plan_of(p, n->results[0]);
    uint32_t cost = chain_cost(p, n);
    vp->depth = chain_depth(p, n);
    vp->invariant = is_invariant(p, n);
    vp->lazy = vp->invariant || (vp->depth < LAZY_DEPTH && is_lazy(p, n, cost));
    vp->cost = vp->axes ? (uint16_t)(cost < 1000 ? cost : 1000) : 0;
}

static struct region *new_region(struct plan *p, struct ir_block *b, struct region *outer)
{
    struct region *r = arena_new(&p->session->module, struct region);
    *r = (struct region){.block = b, .outer = outer, .owner = b->parent};
    r->combiner = b->parent && (b->parent->op == IR_OP_reduce || b->parent->op == IR_OP_scan);
    vec_push(&p->session->module, &p->regions, r);
    return r;
}

static struct region *classify_block(struct plan *p, struct ir_block *b, struct region *outer)
{
    struct region *r = new_region(p, b, outer);
    for (uint32_t i = 0; i < b->args.count; i++)
        plan_of(p, b->args.data[i])->region = r;
    for (struct ir_node *n = b->first; n; n = n->next) {
        for (uint32_t i = 0; i < n->region_count; i++)
            classify_block(p, n->regions[i], r);
        classify_node(p, r, n);
    }
    return r;
}

/* Values that other elements of are read, so that they must stand in storage. */

static void force(struct plan *p, const struct ir_value *v)
{
    plan_of(p, v)->forced = true;
}

static void force_dot(struct plan *p, const struct ir_node *n)
{
    struct value_plan *x = plan_of(p, n->operands[0]), *y = plan_of(p, n->operands[1]);
    x->forced = y->forced = true;
    x->last_axis = n->attr.axis;
    axis_set own = y->axes & ~x->axes;
    for (unsigned a = 0; a < IR_MAX_AXIS; a++)
        if (own & axis_bit(a))
            y->last_axis = (uint8_t)a;
    for (int i = 0; i < 2; i++) {
        struct value_plan *vp = plan_of(p, n->operands[i]);
        if (is_narrow(n->operands[i]->type.elem))
            vp->kept = IR_F32;
    }
}

static bool reaches_other_arg(struct plan *p, const struct ir_value *v, const struct ir_block *body,
                              const struct ir_value *own)
{
    if (v->def == IR_DEF_ARG)
        return v->block == body && v != own && plan_of(p, v)->axes;
    if (!may_be_lazy(v->node->op) || plan_of(p, v)->stamp == p->stamp)
        return false;
    plan_of(p, v)->stamp = p->stamp;
    for (uint32_t i = 0; i < v->node->operand_count; i++)
        if (reaches_other_arg(p, v->node->operands[i], body, own))
            return true;
    return false;
}

/* The loop that a terminator's operands go round. */
static const struct ir_node *loop_of(const struct ir_node *terminator)
{
    const struct ir_block *b = terminator->block;
    if (terminator->op == IR_OP_yield)
        return b->parent && plan_is_loop(b->parent->op) ? b->parent : NULL;
    while (b->parent && !plan_is_loop(b->parent->op))
        b = b->parent->block;
    return b->parent;
}

/* A carried value that is made from another carried value must be complete before that one is
 * overwritten. */
static void force_carried(struct plan *p, const struct ir_node *n)
{
    const struct ir_node *loop = loop_of(n);
    if (!loop || n->op == IR_OP_return)
        return;
    const struct ir_block *body = loop->regions[0];
    uint32_t first = loop->op == IR_OP_for;
    for (uint32_t i = 0; i < n->operand_count; i++) {
        const struct ir_value *v = n->operands[i];
        p->stamp++;
        if (plan_of(p, v)->axes && reaches_other_arg(p, v, body, body->args.data[first + i]))
            force(p, v);
    }
}

static void mark_block(struct plan *p, const struct ir_block *b)
{
    for (struct ir_node *n = b->first; n; n = n->next) {
        for (uint32_t i = 0; i < n->operand_count; i++)
            plan_of(p, n->operands[i])->user = n;
        if (n->op == IR_OP_spread || n->op == IR_OP_extract || n->op == IR_OP_relabel)
            force(p, n->operands[0]);
        else if (n->op == IR_OP_dot)
            force_dot(p, n);
        else if (ir_op_info(n->op)->traits & IR_TERMINATOR)
            force_carried(p, n);
        if (ir_op_info(n->op)->traits & IR_WRITES)
            p->written[n->attr.tensor] = true;
        if (ir_op_info(n->op)->traits & IR_READS)
            p->loaded[n->attr.tensor] = true;
        for (uint32_t i = 0; i < n->region_count; i++)
            mark_block(p, n->regions[i]);
    }
}

static void init_value(struct plan *p, const struct ir_value *v)
{
    struct value_plan *vp = plan_of(p, v);
    vp->axes = plan_axes(p, v->type.axes);
    vp->common = ~(axis_set)0;
    vp->last_axis = IR_NO_AXIS;
    vp->kept = v->type.elem;
}

static void init_values(struct plan *p, const struct ir_block *b)
{
    for (uint32_t i = 0; i < b->args.count; i++)
        init_value(p, b->args.data[i]);
    for (const struct ir_node *n = b->first; n; n = n->next) {
        for (uint32_t i = 0; i < n->result_count; i++)
            init_value(p, n->results[i]);
        for (uint32_t i = 0; i < n->region_count; i++)
            init_values(p, n->regions[i]);
    }
}

/* The axis most often walked by unit strides goes innermost. */
static void count_access(struct plan *p, const struct ir_node *n)
{
    const struct ir_tensor *t = &p->f->tensors.data[n->attr.tensor];
    if (!t->rank || t->strided)
        return;
    struct ir_affine a;
    ir_affine_of(n->operands[t->rank - 1], &a);
    for (unsigned i = 0; a.affine && i < p->f->axes.count; i++)
        if (a.coefficient[i] == 1 && !a.factor[i])
            p->score[i] += IR_MAX_AXIS;
}

static void count_accesses(struct plan *p, const struct ir_block *b)
{
    for (const struct ir_node *n = b->first; n; n = n->next) {
        if (ir_op_info(n->op)->attrs & IR_A_TENSOR)
            count_access(p, n);
        for (uint32_t i = 0; i < n->region_count; i++)
            count_accesses(p, n->regions[i]);
    }
}

static void init_axes(struct plan *p)
{
    for (uint32_t i = 0; i < p->f->axes.count; i++) {
        const struct ir_axis *a = &p->f->axes.data[i];
        if (a->kind == IR_AXIS_GRID && a->tile == 1)
            p->single |= axis_bit(i);
        p->score[i] = i + (a->kind == IR_AXIS_PART ? 1u << 20 : 0);
    }
    count_accesses(p, p->f->body);
}

struct plan *gen_plan(struct session *s, const struct ir_func *f, const struct facts *facts,
                      bool check)
{
    struct plan *p = arena_new(&s->module, struct plan);
    p->session = s;
    p->f = f;
    p->facts = facts;
    p->check = check;
    p->values = arena_array(&s->module, struct value_plan, f->value_count + 1);
    p->written = arena_array(&s->module, bool, f->tensors.count + 1);
    p->loaded = arena_array(&s->module, bool, f->tensors.count + 1);
    init_axes(p);
    init_values(p, f->body);
    mark_block(p, f->body);
    for (uint32_t i = 0; i < f->body->args.count; i++)
        plan_of(p, f->body->args.data[i])->invariant = true;
    p->body = classify_block(p, f->body, NULL);
    plan_units(p);
    plan_items(p);
    plan_storage(p);
    return p;
}
