/* The scheduler: units of a block to a tree of loops.
 *
 * Greedy fusion, outermost axis first: the loop opened for the first unit takes in every later unit
 * that iterates over the same axis and may run in the same iterations. Units without the axis are
 * moved before the loop if they need nothing from it, else after it. Inside the loop the same is
 * done with one axis less. */
#include "codegen/cpu/plan.h"

typedef VEC(struct unit *) unit_list;

enum mark { MARK_NONE, MARK_RUN, MARK_HOISTED, MARK_SKIPPED };

struct level {
    struct plan *p;
    axis_set open; /* axes of the loops around */
    uint8_t axis;  /* of the loop being filled */
};

/* ---- order of memory accesses ------------------------------------------------------------------ */

static bool same_affine(const struct ir_affine *a, const struct ir_affine *b)
{
    if (!a->affine || !b->affine || a->axes != b->axes || a->term_count != b->term_count)
        return false;
    for (unsigned i = 0; i < IR_MAX_AXIS; i++)
        if (a->coefficient[i] != b->coefficient[i] || a->factor[i] != b->factor[i])
            return false;
    for (uint32_t i = 0; i < a->term_count; i++)
        if (a->terms[i].value != b->terms[i].value ||
            a->terms[i].coefficient != b->terms[i].coefficient)
            return false;
    return true;
}

static bool is_zero(const struct ir_value *v)
{
    return v->def == IR_DEF_NODE && v->node->op == IR_OP_const && v->node->attr.i == 0;
}

/* The second subscript is the first plus the length of the one axis both walk (the halves of a
 * row), or more: p and p + P with p in 0 .. P. */
static bool is_past(const struct plan *p, const struct ir_affine *a, const struct ir_affine *b)
{
    if (!a->affine || !b->affine || a->axes != b->axes || b->term_count != a->term_count + 1)
        return false;
    unsigned axis = 0;
    while (axis < p->f->axes.count && a->axes != axis_bit(axis))
        axis++;
    if (axis == p->f->axes.count || a->coefficient[axis] != 1 || b->coefficient[axis] != 1 ||
        a->factor[axis] || b->factor[axis])
        return false;
    const struct ir_axis *x = &p->f->axes.data[axis];
    if (x->kind == IR_AXIS_PART || !is_zero(x->lo) || a->term_count)
        return false;
    return b->terms[0].value == x->hi && b->terms[0].coefficient == 1;
}

/* The two accesses touch one element only in the same iteration of a loop over `axis`, the axes in
 * `open` being fixed. */
bool plan_touches_apart(const struct plan *p, const struct touch *a, const struct touch *b,
                        uint8_t axis, axis_set open)
{
    const struct ir_tensor *t = &p->f->tensors.data[a->node->attr.tensor];
    for (uint32_t d = 0; d < t->rank; d++) {
        struct ir_affine x, y;
        ir_affine_of(a->node->operands[d], &x);
        ir_affine_of(b->node->operands[d], &y);
        if (is_past(p, &x, &y) || is_past(p, &y, &x))
            return true;
        if (same_affine(&x, &y) && x.coefficient[axis] && !x.factor[axis] &&
            !(plan_axes(p, x.axes) & ~open & ~axis_bit(axis)))
            return true;
    }
    return false;
}

static bool may_meet(const struct touch *a, const struct touch *b)
{
    if (a->node->attr.tensor != b->node->attr.tensor || (!a->writes && !b->writes))
        return false;
    return a->node->op != IR_OP_atomic || b->node->op != IR_OP_atomic;
}

static bool meets(const struct unit *a, const struct unit *b)
{
    for (uint32_t i = 0; i < a->touches.count; i++)
        for (uint32_t j = 0; j < b->touches.count; j++)
            if (may_meet(&a->touches.data[i], &b->touches.data[j]))
                return true;
    return false;
}

static bool meets_in_loop(const struct level *l, const struct unit *a, const struct unit *b)
{
    for (uint32_t i = 0; i < a->touches.count; i++)
        for (uint32_t j = 0; j < b->touches.count; j++)
            if (may_meet(&a->touches.data[i], &b->touches.data[j]) &&
                !plan_touches_apart(l->p, &a->touches.data[i], &b->touches.data[j], l->axis,
                                    l->open))
                return true;
    return false;
}

/* ---- dependence -------------------------------------------------------------------------------- */

static bool reads(const struct plan *p, const struct unit *u, const struct storage *s,
                  bool nonlocal_only)
{
    for (uint32_t i = 0; i < u->deps.count; i++)
        if (plan_of(p, u->deps.data[i].value)->storage == s &&
            (u->deps.data[i].nonlocal || !nonlocal_only))
            return true;
    return u->from == s && !nonlocal_only;
}

static struct storage *target_of(const struct plan *p, const struct unit *u)
{
    if (u->kind != UNIT_COPY)
        return NULL;
    return u->to ? u->to : plan_of(p, u->target)->storage;
}

/* `later` must come after `earlier`. */
static bool depends(const struct plan *p, const struct unit *later, const struct unit *earlier)
{
    for (uint32_t i = 0; i < later->deps.count; i++)
        if (plan_of(p, later->deps.data[i].value)->unit == earlier)
            return true;
    if (later->from && later->from == earlier->to)
        return true;
    struct storage *overwritten = target_of(p, later);
    if (overwritten && reads(p, earlier, overwritten, false))
        return true;
    return meets(later, earlier);
}

static bool combines_over(const struct unit *u, uint8_t axis)
{
    return u->kind == UNIT_NODE && u->node->op == IR_OP_reduce &&
           (u->node->attr.axes & axis_bit(axis));
}

/* `later` cannot run in the same iteration of the loop as `earlier`. */
static bool blocked(const struct level *l, const struct unit *later, const struct unit *earlier)
{
    for (uint32_t i = 0; i < later->deps.count; i++) {
        const struct dep *d = &later->deps.data[i];
        if (plan_of(l->p, d->value)->unit != earlier)
            continue;
        if (combines_over(earlier, l->axis) ||
            (d->nonlocal && (plan_of(l->p, d->value)->axes & axis_bit(l->axis))))
            return true;
    }
    if (later->from && later->from == earlier->to)
        return true; /* copies are written at the end of an iteration */
    struct storage *overwritten = target_of(l->p, later);
    if (overwritten && reads(l->p, earlier, overwritten, true))
        return true;
    return meets_in_loop(l, later, earlier);
}

static bool depends_on_any(const struct plan *p, struct unit *const *units, uint32_t count,
                           const struct unit *u, enum mark mark)
{
    for (uint32_t i = 0; i < count; i++)
        if (units[i]->mark == mark && depends(p, u, units[i]))
            return true;
    return false;
}

static bool blocked_by_run(const struct level *l, struct unit *const *units, uint32_t count,
                           const struct unit *u)
{
    for (uint32_t i = 0; i < count; i++)
        if (units[i]->mark == MARK_RUN && blocked(l, u, units[i]))
            return true;
    return false;
}

/* ---- the tree ---------------------------------------------------------------------------------- */

static struct item *add_item(struct plan *p, struct item *parent)
{
    struct item *it = arena_new(&p->session->module, struct item);
    it->parent = parent;
    it->width = 1;
    if (parent)
        vec_push(&p->session->module, &parent->children, it);
    return it;
}

static void add_unit(struct plan *p, struct item *parent, struct unit *u)
{
    struct item *it = add_item(p, parent);
    it->unit = u;
    u->item = it;
}

static uint8_t choose_axis(const struct plan *p, axis_set axes)
{
    uint8_t best = IR_NO_AXIS;
    for (unsigned a = 0; a < p->f->axes.count; a++)
        if ((axes & axis_bit(a)) && (best == IR_NO_AXIS || p->score[a] < p->score[best]))
            best = (uint8_t)a;
    return best;
}

static enum mark place(const struct level *l, struct unit *const *units, uint32_t i, bool fenced)
{
    const struct unit *u = units[i];
    if (fenced || depends_on_any(l->p, units, i, u, MARK_SKIPPED))
        return MARK_SKIPPED;
    if (u->space & ~l->open & axis_bit(l->axis))
        return blocked_by_run(l, units, i, u) ? MARK_SKIPPED : MARK_RUN;
    return depends_on_any(l->p, units, i, u, MARK_RUN) ? MARK_SKIPPED : MARK_HOISTED;
}

static unit_list take(struct plan *p, struct unit *const *units, uint32_t count, enum mark mark)
{
    unit_list list = {0};
    for (uint32_t i = 0; i < count; i++)
        if (units[i]->mark == mark)
            vec_push(&p->session->module, &list, units[i]);
    return list;
}

static void plan_level(struct plan *p, struct unit *const *units, uint32_t count, axis_set open,
                       struct item *parent)
{
    while (count) {
        struct unit *head = units[0];
        if (head->fence || !(head->space & ~open)) {
            add_unit(p, parent, head);
            units++;
            count--;
            continue;
        }
        struct level l = {p, open, choose_axis(p, head->space & ~open)};
        bool fenced = false;
        for (uint32_t i = 0; i < count; i++) {
            fenced |= units[i]->fence;
            units[i]->mark = (uint8_t)place(&l, units, i, fenced);
        }
        unit_list run = take(p, units, count, MARK_RUN);
        unit_list hoisted = take(p, units, count, MARK_HOISTED);
        unit_list skipped = take(p, units, count, MARK_SKIPPED);
        plan_level(p, hoisted.data, hoisted.count, open, parent);
        struct item *loop = add_item(p, parent);
        loop->axis = l.axis;
        plan_level(p, run.data, run.count, open | axis_bit(l.axis), loop);
        units = skipped.data;
        count = skipped.count;
    }
}

/* ---- vector widths ----------------------------------------------------------------------------- */

static unsigned power_below(int64_t n)
{
    unsigned w = 1;
    while (w < 1024 && (int64_t)w * 2 <= n)
        w *= 2;
    return w;
}

/* Two registers of f32: independent chains hide latency. */
static unsigned usual_width(const struct plan *p)
{
    return p->facts->vector_bytes / 4 * 2;
}

#define SLOT_ELEMENTS 64

/* A leaf over v that spreads or reduces to parts works on whole chunks of parts. */
static unsigned width_for_parts(const struct plan *p, unsigned width, axis_set parts, uint8_t axis)
{
    for (unsigned a = 0; a < p->f->axes.count; a++) {
        if (!(parts & axis_bit(a)) || p->f->axes.data[a].parent != axis)
            continue;
        int64_t n = p->f->axes.data[a].tile;
        if (n <= SLOT_ELEMENTS && n % (p->facts->vector_bytes / 4) == 0)
            width = (unsigned)n;
        else if (n % width)
            return 1;
    }
    for (unsigned a = 0; a < p->f->axes.count; a++)
        if ((parts & axis_bit(a)) && p->f->axes.data[a].parent == axis &&
            p->f->axes.data[a].tile % width)
            return 1;
    return width;
}

static unsigned leaf_width(const struct plan *p, const struct item *loop)
{
    const struct ir_axis *a = &p->f->axes.data[loop->axis];
    if (a->kind == IR_AXIS_PART && a->tile <= SLOT_ELEMENTS)
        return (unsigned)a->tile;
    unsigned width = power_below(a->tile), most = usual_width(p);
    if (width > most)
        width = most;
    axis_set parts = 0;
    for (uint32_t i = 0; i < loop->children.count; i++) {
        const struct unit *u = loop->children.data[i]->unit;
        parts |= u->parts;
        bool atomic = u->kind == UNIT_NODE && u->node->op == IR_OP_atomic;
        unsigned cap = u->wide || atomic ? p->facts->vector_bytes / 8 : width;
        width = width > cap ? cap : width;
    }
    return width_for_parts(p, width, parts, loop->axis);
}

static void choose_widths(struct plan *p, struct item *it)
{
    bool leaf = true;
    for (uint32_t i = 0; i < it->children.count; i++) {
        leaf &= it->children.data[i]->unit != NULL;
        choose_widths(p, it->children.data[i]);
    }
    if (!it->parent || it->unit)
        return;
    it->leaf = leaf;
    it->width = leaf ? leaf_width(p, it) : 1;
}

/* ---- reductions -------------------------------------------------------------------------------- */

/* Which loops a reduction begins before, ends after, and finishes its rounds in. */
static void attach_reduction(struct plan *p, struct unit *u)
{
    struct arena *a = &p->session->module;
    axis_set axes = plan_axes(p, u->node->attr.axes);
    struct item *round = NULL; /* innermost reduced loop outside the tail */
    bool tail = true;
    for (struct item *it = u->item->parent; it && it->parent; it = it->parent) {
        bool reduced = axes & axis_bit(it->axis);
        if (reduced && !u->inner_loop)
            u->inner_loop = it;
        if (reduced)
            u->outer_loop = it;
        tail &= reduced;
        if (tail)
            u->tail_loop = it;
        else if (reduced && !round)
            round = it;
    }
    if (!u->outer_loop)
        return;
    vec_push(a, &u->outer_loop->reductions, u);
    if (round)
        vec_push(a, &round->rounds, u);
    if (u->tail_loop)
        vec_push(a, &u->tail_loop->tails, u);
}

static void attach_scan(struct plan *p, struct unit *u)
{
    for (struct item *it = u->item->parent; it && it->parent; it = it->parent)
        if (it->axis == u->node->attr.axis)
            u->scan_loop = it;
    if (!u->scan_loop)
        return;
    vec_push(&p->session->module, &u->scan_loop->scans, u);
    if (!u->scan_loop->leaf)
        vec_push(&p->session->module, &u->scan_loop->rounds, u);
}

static void attach_reductions(struct plan *p, const struct region *r)
{
    for (uint32_t i = 0; i < r->unit_count; i++) {
        struct unit *u = r->units[i];
        if (u->kind == UNIT_NODE && u->node->op == IR_OP_reduce)
            attach_reduction(p, u);
        else if (u->kind == UNIT_NODE && u->node->op == IR_OP_scan)
            attach_scan(p, u);
    }
}

void plan_items(struct plan *p)
{
    for (uint32_t i = 0; i < p->regions.count; i++) {
        struct region *r = p->regions.data[i];
        if (r->combiner)
            continue;
        r->root = add_item(p, NULL);
        plan_level(p, r->units, r->unit_count, 0, r->root);
        choose_widths(p, r->root);
        attach_reductions(p, r);
    }
}
