/* Which values need storage, of what shape, and where it lies in scratch. */
#include "codegen/cpu/plan.h"

#define SLOT_ELEMENTS 64
#define SCRATCH_ALIGN 64

/* ---- shapes ------------------------------------------------------------------------------------ */

static uint64_t element_bytes(enum ir_elem e)
{
    return ir_elem_bits(e) / 8;
}

/* Outermost first: the order of the loops, so that the innermost one walks memory. */
static void order_dims(const struct plan *p, struct storage *s, axis_set axes, uint8_t last_axis)
{
    for (axis_set rest = axes; rest;) {
        unsigned best = IR_MAX_AXIS;
        for (unsigned a = 0; a < p->f->axes.count; a++) {
            if (!(rest & axis_bit(a)) || (a == last_axis && rest != axis_bit(a)))
                continue;
            if (best == IR_MAX_AXIS || p->score[a] < p->score[best])
                best = a;
        }
        rest &= ~axis_bit(best);
        s->dims[s->dim_count] = (uint8_t)best;
        s->size[s->dim_count++] = p->f->axes.data[best].tile;
    }
}

struct storage *plan_new_storage(struct plan *p, const struct ir_value *v, axis_set axes)
{
    struct value_plan *vp = plan_of(p, v);
    struct storage *s = arena_new(&p->session->module, struct storage);
    s->elem = vp->kept;
    s->home = vp->region && v->def == IR_DEF_ARG ? vp->region->outer : vp->region;
    order_dims(p, s, axes, vp->last_axis);
    s->bytes = element_bytes(s->elem);
    for (unsigned i = 0; i < s->dim_count; i++)
        s->bytes *= (uint64_t)s->size[i];
    bool part = s->dim_count == 1 && p->f->axes.data[s->dims[0]].kind == IR_AXIS_PART;
    s->kind = !s->dim_count                         ? STORAGE_SCALAR
              : part && s->size[0] <= SLOT_ELEMENTS ? STORAGE_SLOT
                                                    : STORAGE_MEMORY;
    vec_push(&p->session->module, &p->storages, s);
    return s;
}

/* ---- who needs it ------------------------------------------------------------------------------ */

static bool encloses(const struct item *outer, const struct item *inner)
{
    for (; inner; inner = inner->parent)
        if (inner == outer)
            return true;
    return false;
}

/* The item inside which the unit's value can be used as it is. */
static struct item *home_of(const struct unit *u)
{
    return u->outer_loop ? u->outer_loop->parent : u->item->parent;
}

static axis_set loops_around(const struct item *it)
{
    axis_set axes = 0;
    for (; it && it->parent; it = it->parent)
        axes |= axis_bit(it->axis);
    return axes;
}

static axis_set loops_around_both(const struct item *a, const struct item *b)
{
    while (a && !encloses(a, b))
        a = a->parent;
    return loops_around(a);
}

static void require_storage(struct plan *p, const struct unit *user, const struct dep *d)
{
    struct value_plan *vp = plan_of(p, d->value);
    if (!vp->unit || !vp->axes)
        return;
    struct item *home = home_of(vp->unit);
    struct item *at = user->item->parent;
    if (!d->nonlocal && encloses(home, at))
        return;
    vp->stored = true;
    vp->common &= loops_around_both(home, at);
}

/* A reduction with axes of its own inside the reduced loop accumulates in storage. */
static void require_accumulator(struct plan *p, const struct unit *u)
{
    const struct ir_node *n = u->node;
    if (u->kind != UNIT_NODE || n->op != IR_OP_reduce)
        return;
    axis_set around = u->outer_loop ? loops_around(u->outer_loop->parent) : 0;
    for (uint32_t i = 0; i < n->result_count; i++) {
        struct value_plan *vp = plan_of(p, n->results[i]);
        if (!u->outer_loop || !(vp->axes & ~around))
            continue;
        vp->stored = true;
        vp->common &= around;
        if (ir_elem_is_float(vp->kept) && ir_elem_bits(vp->kept) < 32)
            vp->kept = IR_F32;
    }
}

/* A scan along an outer loop keeps one running value for each element of the inner ones. */
static void require_running(struct plan *p, struct unit *u)
{
    if (u->kind != UNIT_NODE || u->node->op != IR_OP_scan || !u->scan_loop || u->scan_loop->leaf)
        return;
    u->running = arena_array(&p->session->module, struct storage *, u->node->result_count);
    axis_set inner = loops_around(u->item->parent) & ~loops_around(u->scan_loop);
    for (uint32_t i = 0; i < u->node->result_count; i++) {
        struct value_plan *vp = plan_of(p, u->node->results[i]);
        enum ir_elem kept = vp->kept;
        if (ir_elem_is_float(kept) && ir_elem_bits(kept) < 32)
            vp->kept = IR_F32;
        u->running[i] = plan_new_storage(p, u->node->results[i], inner);
        vp->kept = kept;
    }
}

/* A dot makes its result in storage. */
static void require_dot(struct plan *p, const struct unit *u)
{
    if (u->kind != UNIT_NODE || u->node->op != IR_OP_dot)
        return;
    struct value_plan *vp = plan_of(p, u->node->results[0]);
    vp->stored = true;
    vp->common = 0;
}

static void give_storage(struct plan *p, const struct unit *u)
{
    for (uint32_t i = 0; i < u->node->result_count && u->kind == UNIT_NODE; i++) {
        struct ir_value *v = u->node->results[i];
        struct value_plan *vp = plan_of(p, v);
        if (vp->unit == u && vp->stored && !vp->storage)
            vp->storage = plan_new_storage(p, v, vp->axes & ~vp->common);
    }
}

/* ---- when it is in use ------------------------------------------------------------------------- */

static uint32_t number_items(const struct plan *p, struct item *it, uint32_t next);

static uint32_t number_region(const struct plan *p, struct region *r, uint32_t next)
{
    return r->combiner ? next : number_items(p, r->root, next);
}

static void span_units(struct item *it, uint32_t first, uint32_t last)
{
    if (it->unit) {
        it->unit->first = first;
        it->unit->last = last;
    }
    for (uint32_t i = 0; i < it->children.count; i++)
        span_units(it->children.data[i], first, last);
}

static uint32_t number_items(const struct plan *p, struct item *root, uint32_t next)
{
    for (uint32_t i = 0; i < root->children.count; i++) {
        struct item *it = root->children.data[i];
        uint32_t first = next++;
        if (it->unit && it->unit->regions)
            for (uint32_t r = 0; r < it->unit->node->region_count; r++)
                next = number_region(p, it->unit->regions[r], next);
        span_units(it, first, next++);
    }
    return next;
}

/* The unit's op sits in `region`; seen from `home` it is the control op around it. */
static void use_storage(struct storage *s, const struct region *region, const struct unit *u)
{
    while (region && region != s->home) {
        u = region->unit;
        region = region->outer;
    }
    if (!region)
        return;
    if (!s->used || u->first < s->first)
        s->first = u->first;
    if (!s->used || u->last > s->last)
        s->last = u->last;
    s->used = true;
}

static void use_value(const struct plan *p, const struct ir_value *v, const struct region *region,
                      const struct unit *u)
{
    if (plan_of(p, v)->storage)
        use_storage(plan_of(p, v)->storage, region, u);
}

static void use_all(const struct plan *p, const struct region *r, const struct unit *u)
{
    for (uint32_t i = 0; i < u->deps.count; i++)
        use_value(p, u->deps.data[i].value, r, u);
    if (u->kind == UNIT_NODE)
        for (uint32_t i = 0; i < u->node->result_count; i++)
            use_value(p, u->node->results[i], r, u);
    for (uint32_t i = 0; u->running && i < u->node->result_count; i++)
        use_storage(u->running[i], r, u);
    if (u->target)
        use_value(p, u->target, r, u);
    if (u->to)
        use_storage(u->to, r, u);
    if (u->from)
        use_storage(u->from, r, u);
}

/* ---- where it lies ----------------------------------------------------------------------------- */

static bool overlap_in_time(const struct storage *a, const struct storage *b)
{
    /* Positions are numbered through nested regions, so spans of different homes compare too. */
    return a->first <= b->last && b->first <= a->last;
}

static uint64_t align_up(uint64_t n)
{
    return (n + SCRATCH_ALIGN - 1) / SCRATCH_ALIGN * SCRATCH_ALIGN;
}

/* First fit below the storages that live at the same time. */
static void place_storage(struct plan *p, uint32_t number)
{
    struct storage *s = p->storages.data[number];
    s->offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (uint32_t i = 0; i < number; i++) {
            const struct storage *o = p->storages.data[i];
            if (o->kind != STORAGE_MEMORY || !overlap_in_time(s, o))
                continue;
            if (s->offset < o->offset + align_up(o->bytes) &&
                o->offset < s->offset + align_up(s->bytes)) {
                s->offset = o->offset + align_up(o->bytes);
                moved = true;
            }
        }
    }
    if (s->offset + align_up(s->bytes) > p->scratch_bytes)
        p->scratch_bytes = s->offset + align_up(s->bytes);
}

void plan_storage(struct plan *p)
{
    for (uint32_t i = 0; i < p->units.count; i++) {
        const struct unit *u = p->units.data[i];
        for (uint32_t d = 0; d < u->deps.count; d++)
            require_storage(p, u, &u->deps.data[d]);
        require_accumulator(p, u);
        require_dot(p, u);
        require_running(p, p->units.data[i]);
    }
    for (uint32_t i = 0; i < p->units.count; i++)
        give_storage(p, p->units.data[i]);
    number_region(p, p->body, 1);
    for (uint32_t r = 0; r < p->regions.count; r++)
        for (uint32_t i = 0; i < p->regions.data[r]->unit_count; i++)
            use_all(p, p->regions.data[r], p->regions.data[r]->units[i]);
    for (uint32_t i = 0; i < p->storages.count; i++)
        if (p->storages.data[i]->kind == STORAGE_MEMORY)
            place_storage(p, i);
}
