/* Units: what is computed at one place, the elements it covers and what it needs. */
#include "codegen/cpu/plan.h"

struct collector {
    struct plan *p;
    struct unit *unit;
};

static void need_value(struct collector *c, struct ir_value *v, bool nonlocal);

/* A control op depends on what its regions take from outside, not on what they make. */
static bool is_outside(const struct collector *c, const struct ir_value *v)
{
    const struct region *home = plan_of(c->p, v)->region;
    for (const struct region *r = c->unit->region; r; r = r->outer)
        if (r == home)
            return true;
    return false;
}

static void add_dep(struct collector *c, struct ir_value *v, bool nonlocal)
{
    if (!is_outside(c, v))
        return;
    for (uint32_t i = 0; i < c->unit->deps.count; i++)
        if (c->unit->deps.data[i].value == v) {
            c->unit->deps.data[i].nonlocal |= nonlocal;
            return;
        }
    vec_push(&c->p->session->module, &c->unit->deps, (struct dep){v, nonlocal});
}

static void add_touch(struct collector *c, const struct ir_node *n)
{
    if (!c->p->written[n->attr.tensor])
        return;
    bool writes = ir_op_info(n->op)->traits & IR_WRITES;
    vec_push(&c->p->session->module, &c->unit->touches, (struct touch){n, writes});
}

/* The one part axis of `parent` among axes. */
static axis_set parts_of(const struct plan *p, axis_set axes, uint8_t parent)
{
    axis_set parts = 0;
    for (unsigned a = 0; a < p->f->axes.count; a++)
        if ((axes & axis_bit(a)) && p->f->axes.data[a].kind == IR_AXIS_PART &&
            p->f->axes.data[a].parent == parent)
            parts |= axis_bit(a);
    return parts;
}

static void need_range(struct collector *c, unsigned axis)
{
    const struct ir_axis *a = &c->p->f->axes.data[axis];
    if (a->kind == IR_AXIS_PART)
        return;
    need_value(c, a->lo, false);
    need_value(c, a->hi, false);
}

static void need_operands(struct collector *c, const struct ir_node *n)
{
    bool moved = n->op == IR_OP_spread || n->op == IR_OP_extract || n->op == IR_OP_relabel;
    if (n->op == IR_OP_spread)
        c->unit->parts |= parts_of(c->p, n->operands[0]->type.axes, n->attr.axis);
    if (n->op == IR_OP_load)
        add_touch(c, n);
    if (n->op == IR_OP_index)
        need_range(c, n->attr.axis);
    for (uint32_t i = 0; i < n->operand_count; i++) {
        c->unit->wide |= n->operands[i]->type.elem == IR_F64;
        need_value(c, n->operands[i], moved && i == 0);
    }
    if ((c->p->check || n->attr.flag) && (ir_op_info(n->op)->attrs & IR_A_TENSOR))
        for (uint32_t d = 0; d < c->p->f->tensors.data[n->attr.tensor].rank; d++)
            need_value(c, c->p->f->tensors.data[n->attr.tensor].dims[d], false);
}

static void need_value(struct collector *c, struct ir_value *v, bool nonlocal)
{
    struct value_plan *vp = plan_of(c->p, v);
    if (!vp->lazy) {
        add_dep(c, v, nonlocal);
        return;
    }
    if (vp->stamp == c->p->stamp)
        return;
    vp->stamp = c->p->stamp;
    need_operands(c, v->node);
}

static struct unit *new_unit(struct plan *p, enum unit_kind kind, struct ir_node *n)
{
    struct unit *u = arena_new(&p->session->module, struct unit);
    u->kind = kind;
    u->node = n;
    u->region = plan_region(p, n->block);
    vec_push(&p->session->module, &p->units, u);
    return u;
}

static void need_ranges(struct collector *c)
{
    for (unsigned a = 0; a < c->p->f->axes.count; a++)
        if (c->unit->space & axis_bit(a))
            need_range(c, a);
}

/* ---- copies ------------------------------------------------------------------------------------ */

static struct unit *new_copy(struct plan *p, struct ir_node *n, struct ir_value *value,
                             struct ir_value *target)
{
    struct unit *u = new_unit(p, UNIT_COPY, n);
    u->value = value;
    u->target = target;
    u->space = plan_of(p, target)->axes;
    p->stamp++;
    struct collector c = {p, u};
    need_value(&c, value, false);
    need_ranges(&c);
    return u;
}

typedef VEC(struct unit *) unit_list;

static bool is_overwritten(const struct ir_value *value, struct ir_value *const *targets,
                           uint32_t count, uint32_t own)
{
    for (uint32_t i = 0; i < count; i++)
        if (i != own && value == targets[i])
            return true;
    return false;
}

/* Operand i of a terminator or loop becomes targets[i]. An operand that is itself a carried value
 * overwritten here goes through a temporary, read before the first is written. */
static void add_copies(struct plan *p, unit_list *out, struct ir_node *n,
                       struct ir_value *const *values, struct ir_value *const *targets,
                       uint32_t count)
{
    struct arena *a = &p->session->module;
    unit_list plain = {0}, late = {0};
    for (uint32_t i = 0; i < count; i++) {
        if (!plan_of(p, targets[i])->axes || values[i] == targets[i])
            continue;
        struct unit *u = new_copy(p, n, values[i], targets[i]);
        if (!is_overwritten(values[i], targets, count, i)) {
            vec_push(a, &plain, u);
            continue;
        }
        u->to = plan_new_storage(p, targets[i], plan_of(p, targets[i])->axes);
        u->target = NULL;
        vec_push(a, out, u);
        struct unit *second = new_unit(p, UNIT_COPY, n);
        second->from = u->to;
        second->target = targets[i];
        second->space = u->space;
        vec_push(a, &late, second);
    }
    for (uint32_t i = 0; i < plain.count; i++)
        vec_push(a, out, plain.data[i]);
    for (uint32_t i = 0; i < late.count; i++)
        vec_push(a, out, late.data[i]);
}

/* ---- nodes ------------------------------------------------------------------------------------- */

static axis_set operand_axes(const struct plan *p, const struct ir_node *n)
{
    axis_set axes = 0;
    for (uint32_t i = 0; i < n->operand_count; i++)
        axes |= plan_of(p, n->operands[i])->axes;
    return axes;
}

static axis_set space_of(const struct plan *p, const struct ir_node *n)
{
    switch ((int)n->op) {
    case IR_OP_reduce: return operand_axes(p, n) | plan_axes(p, n->attr.axes);
    case IR_OP_scan: return operand_axes(p, n) | plan_axes(p, axis_bit(n->attr.axis));
    case IR_OP_store:
    case IR_OP_atomic:
    case IR_OP_assert: return operand_axes(p, n);
    case IR_OP_dot: return 0;
    default: return n->result_count ? plan_of(p, n->results[0])->axes : 0;
    }
}

/* Control ops need whatever their regions need, so that nothing they read comes after them. */
static void need_regions(struct collector *c, const struct ir_node *n)
{
    for (uint32_t i = 0; i < n->region_count; i++)
        for (const struct ir_node *m = n->regions[i]->first; m; m = m->next) {
            for (uint32_t j = 0; j < m->operand_count; j++)
                need_value(c, m->operands[j], false);
            need_regions(c, m);
        }
}

static bool is_control(enum ir_opcode op)
{
    return op == IR_OP_if || plan_is_loop(op);
}

static void plan_regions_of(struct plan *p, struct unit *u)
{
    struct ir_node *n = u->node;
    u->regions = arena_array(&p->session->module, struct region *, n->region_count);
    for (uint32_t i = 0; i < n->region_count; i++) {
        u->regions[i] = plan_region(p, n->regions[i]);
        u->regions[i]->unit = u;
    }
}

static void store_results(struct plan *p, const struct ir_node *n)
{
    struct ir_value **args =
        n->region_count && plan_is_loop(n->op) ? n->regions[0]->args.data : NULL;
    uint32_t first = n->op == IR_OP_for;
    if (n->op == IR_OP_for)
        plan_of(p, args[0])->storage = NULL;
    for (uint32_t i = 0; i < n->result_count; i++) {
        struct value_plan *vp = plan_of(p, n->results[i]);
        vp->storage = plan_new_storage(p, n->results[i], vp->axes);
        vp->stored = true;
        if (!args)
            continue;
        /* A carried value and the result it leaves the loop as are one. */
        plan_of(p, args[first + i])->storage = vp->storage;
        plan_of(p, args[first + i])->stored = true;
    }
}

static struct unit *add_node(struct plan *p, struct ir_node *n)
{
    struct unit *u = new_unit(p, UNIT_NODE, n);
    for (uint32_t i = 0; i < n->result_count; i++)
        if (!is_control(n->op))
            plan_of(p, n->results[i])->unit = u;
    u->space = space_of(p, n);
    u->fence = is_control(n->op) || (ir_op_info(n->op)->traits & IR_TERMINATOR);
    if (n->op == IR_OP_reduce && n->attr.to != IR_NO_AXIS)
        u->parts |= axis_bit(n->attr.to);
    p->stamp++;
    struct collector c = {p, u};
    need_operands(&c, n);
    if (n->op == IR_OP_dot)
        for (uint32_t i = 0; i < u->deps.count; i++)
            u->deps.data[i].nonlocal = true;
    need_ranges(&c);
    if (!is_control(n->op) && (ir_op_info(n->op)->traits & IR_WRITES))
        add_touch(&c, n);
    if (n->region_count) {
        plan_regions_of(p, u);
        need_regions(&c, n);
    }
    return u;
}

static bool is_unit(const struct plan *p, const struct ir_node *n)
{
    if (n->op == IR_OP_assume || (n->op == IR_OP_assert && !p->check))
        return false;
    if (n->op == IR_OP_yield)
        return false;
    return n->result_count != 1 || !plan_of(p, n->results[0])->lazy;
}

/* What the terminator's operands become. */
static struct ir_value *const *targets_of(const struct ir_node *n)
{
    const struct ir_block *b = n->block;
    if (n->op == IR_OP_yield)
        return b->parent ? plan_is_loop(b->parent->op)
                               ? b->parent->regions[0]->args.data + (b->parent->op == IR_OP_for)
                               : b->parent->results
                         : NULL;
    while (b->parent && !plan_is_loop(b->parent->op))
        b = b->parent->block;
    return b->parent->regions[0]->args.data + (b->parent->op == IR_OP_for);
}

static void plan_region_units(struct plan *p, struct region *r, unit_list *out)
{
    struct arena *a = &p->session->module;
    for (struct ir_node *n = r->block->first; n; n = n->next) {
        if (is_control(n->op)) {
            store_results(p, n);
            uint32_t first = plan_loop_bounds(n->op);
            if (plan_is_loop(n->op))
                add_copies(p, out, n, n->operands + first,
                           n->regions[0]->args.data + (n->op == IR_OP_for), n->result_count);
        }
        if ((ir_op_info(n->op)->traits & IR_TERMINATOR) && n->operand_count)
            add_copies(p, out, n, n->operands, targets_of(n), n->operand_count);
        if (is_unit(p, n))
            vec_push(a, out, add_node(p, n));
    }
}

/* Outer regions come first in the list, so that storage of results exists before copies to it. */
void plan_units(struct plan *p)
{
    for (uint32_t i = 0; i < p->regions.count; i++) {
        struct region *r = p->regions.data[i];
        if (r->combiner)
            continue;
        unit_list units = {0};
        plan_region_units(p, r, &units);
        r->units = units.data;
        r->unit_count = units.count;
    }
}
