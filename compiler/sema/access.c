/* Reading and writing tensors: subscripts, the proof that they stay inside, the rules of stores. */
#include "sema/elab.h"

struct access {
    struct tensor *t;
    const struct expr *at;                  /* the subscripted expression */
    struct ir_value *subs[IR_MAX_RANK + 1]; /* one more for the value or fill */
    axis_set axes;
    bool inside; /* every subscript was shown to be in range, or is trusted */
};

static struct tensor *find_tensor(struct elab *e, const struct expr *x)
{
    const struct expr *base = x->index.base;
    struct local *l = base->kind == EXPR_NAME ? find_local(e, base->string) : NULL;
    if (l && l->kind == LOCAL_TENSOR) {
        e->tensors.data[l->number].used = true;
        return &e->tensors.data[l->number];
    }
    if (base->kind == EXPR_NAME && !l) {
        unknown_name(e, (struct ast_name){base->string, base->at}, "tensor");
        return NULL;
    }
    if (base->kind == EXPR_POISON)
        return NULL;
    diag_error(e->s, base->at, DIAG_NOT_A_VALUE, "only tensors have subscripts");
    diag_help(e->s, "an element of a tile is at(x, c: j)");
    return NULL;
}

static bool may_touch(struct elab *e, const struct expr *x, const struct tensor *t)
{
    const char *name = t->param->name.text;
    if (e->host_only)
        return diag_error(e->s, x->at, DIAG_CONST_EXPECTED,
                          "the host checks this before the launch and cannot read elements of %s",
                          name);
    if (t->present || e->dead)
        return true;
    diag_error(e->s, x->at, DIAG_ABSENT_TENSOR, "%s may be absent here", name);
    diag_note(e->s, t->param->name.at, "%s is optional", name);
    return diag_help(e->s, "use it under `if has %s { }`", name);
}

/* ---- ranges --------------------------------------------------------------------------------- */

static bool is_axis_name(struct elab *e, const struct expr *x, const struct ir_axis **axis)
{
    struct local *l = x->kind == EXPR_NAME ? find_local(e, x->string) : NULL;
    if (!l || l->kind != LOCAL_AXIS || l->number == IR_NO_AXIS)
        return false;
    *axis = &e->f->axes.data[l->number];
    return (*axis)->lo && (*axis)->hi;
}

static bool report_range(struct elab *e, const struct access *a, uint32_t d,
                         const struct linear *form, bool below)
{
    const struct expr *sub = a->at->index.subs.data[d].first;
    const char *name = a->t->param->name.text;
    const struct ir_axis *axis;
    struct linear dim = form_of(e, a->t->dims[d]);
    if (!below && is_axis_name(e, sub, &axis)) {
        struct linear hi = form_of(e, axis->hi);
        diag_error(e->s, sub->at, DIAG_RANGE, "axis %s ends at %s, dimension %u of %s at %s",
                   axis->name, form_text(e, &hi), d, name, a->t->dim_text[d]);
    } else if (below) {
        diag_error(e->s, sub->at, DIAG_RANGE,
                   "this may lie before dimension %u of %s: could not show 0 <= %s", d, name,
                   form->valid ? form_text(e, form) : "it");
    } else {
        diag_error(e->s, sub->at, DIAG_RANGE,
                   "this may lie past dimension %u of %s: could not show %s < %s", d, name,
                   form->valid ? form_text(e, form) : "it", form_text(e, &dim));
    }
    return diag_note(e->s, a->t->param->at, "%s is declared here", name);
}

/* Whether subscript d was shown to be inside; `must`: report if not. */
static bool check_range(struct elab *e, const struct access *a, uint32_t d, bool must,
                        const char *otherwise)
{
    struct linear form = form_of(e, a->subs[d]);
    struct linear zero = linear_constant(0), one = linear_constant(1);
    struct linear dim = form_of(e, a->t->dims[d]);
    struct linear last = linear_add(&dim, &one, -1);
    bool above = show_at_least(e, &form, &zero), below = show_at_least(e, &last, &form);
    if (above && below)
        return true;
    if (!must)
        return false;
    if (is_data(e, &form)) {
        diag_remark(e->s, a->at->index.subs.data[d].first->at,
                    "this subscript depends on data and is trusted to stay inside %s",
                    a->t->param->name.text);
        return true;
    }
    report_range(e, a, d, &form, !above);
    diag_help(e->s,
              "add the missing fact with require, assert or assume, or say what outside means: %s",
              otherwise);
    return false;
}

/* ---- subscripts ----------------------------------------------------------------------------- */

static bool elab_subscripts(struct elab *e, const struct expr *x, struct access *a)
{
    bool good = true;
    *a = (struct access){.t = find_tensor(e, x), .at = x};
    uint32_t count = x->index.subs.count;
    for (uint32_t i = 0; i < count && i < IR_MAX_RANK; i++) {
        const struct ast_sub *sub = &x->index.subs.data[i];
        if (sub->last) {
            good = diag_error(e->s, sub->last->at, DIAG_BAD_ACCESS,
                              "slices are for ops: a kernel reads elements");
            continue;
        }
        a->subs[i] = as_index(e, sub->first->at, elab_expr(e, sub->first), "a subscript");
        good &= a->subs[i] != NULL;
    }
    if (!a->t || !may_touch(e, x, a->t))
        return false;
    if (count != a->t->rank) {
        diag_error(e->s, x->at, DIAG_RANK, "%s has %u dimension%s, but %u subscript%s", //
                   a->t->param->name.text, a->t->rank, a->t->rank == 1 ? "" : "s", count,
                   count == 1 ? "" : "s");
        diag_note(e->s, a->t->param->at, "%s is declared here", a->t->param->name.text);
        return false;
    }
    if (!good || !join_axes(e, x->at, a->subs, count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        a->axes |= a->subs[i]->type.axes;
    return true;
}

static bool check_inside(struct elab *e, struct access *a, bool must, const char *otherwise)
{
    bool good = true;
    uint32_t facts = facts_mark(e);
    a->inside = true;
    assume_held_ranges(e, a->axes);
    for (uint32_t d = 0; d < a->t->rank && !e->dead; d++) {
        bool inside = check_range(e, a, d, must, otherwise);
        a->inside &= inside;
        good &= inside || !must;
    }
    facts_release(e, facts);
    return good;
}

/* ---- loads ---------------------------------------------------------------------------------- */

/* Stands for an element of an absent tensor in code that never runs. */
static struct value nothing_there(struct elab *e, const struct access *a)
{
    struct ir_value *zero = ir_elem_is_float(a->t->elem) ? ir_const_float(&e->b, a->t->elem, 0)
                                                         : ir_const_int(&e->b, a->t->elem, 0);
    return value_ir(repeat_over(e, zero, a->axes));
}

static struct value load_from(struct elab *e, struct access *a, struct ir_value *fill,
                              enum ir_cache cache)
{
    uint32_t count = a->t->rank;
    e->b.at = a->at->at;
    if (!a->t->present)
        return nothing_there(e, a);
    struct ir_attr attr = {.tensor = a->t->number, .kind = (uint8_t)cache};
    struct ir_type type = {a->t->elem, a->axes};
    if (fill && !a->inside) {
        a->subs[count++] = fill;
        attr.flag = true;
        if (!join_axes(e, a->at->at, a->subs, count))
            return value_poison();
        type.axes |= a->subs[count - 1]->type.axes;
    }
    return value_ir(ir_append(&e->b, IR_OP_load, attr, a->subs, count, &type, 1, 0)->results[0]);
}

static bool may_read(struct elab *e, const struct expr *x, const struct tensor *t)
{
    if (t->param->type->access != ACCESS_OUT)
        return true;
    diag_error(e->s, x->at, DIAG_READ_OF_OUT, "%s is `out`: it holds nothing to read",
               t->param->name.text);
    diag_note(e->s, t->param->at, "declare it `mut` to read and write it");
    return false;
}

struct value elab_load(struct elab *e, const struct expr *target, const struct expr *fill,
                       enum ir_cache cache)
{
    struct access a;
    struct ir_value *fill_value = NULL;
    bool good = elab_subscripts(e, target, &a);
    if (fill && a.t) {
        fill_value = as_elem(e, fill->at, elab_expr(e, fill), a.t->elem);
        good &= fill_value != NULL;
    }
    if (!good || !may_read(e, target, a.t) || !check_inside(e, &a, !fill, "load(..., fill: 0)"))
        return value_poison();
    return load_from(e, &a, fill_value, cache);
}

/* ---- stores --------------------------------------------------------------------------------- */

static bool may_write(struct elab *e, const struct expr *x, const struct tensor *t)
{
    if (t->param->type->access != ACCESS_READ)
        return true;
    diag_error(e->s, x->at, DIAG_READ_ONLY, "%s is read-only", t->param->name.text);
    diag_note(e->s, t->param->at,
              "declare it `out` to write every element, or `mut` to change some");
    return false;
}

static bool check_value_axes(struct elab *e, const struct access *a, const struct ir_value *v,
                             struct span at)
{
    axis_set extra = v->type.axes & ~a->axes;
    if (!extra)
        return true;
    const char *over = axes_text(e, extra);
    diag_error(e->s, at, DIAG_STORE_AXIS,
               "the value varies along %s, which the subscripts of %s lack", over,
               a->t->param->name.text);
    return diag_help(e->s, "reduce over %s first, as in sum(x over %s)", over,
                     strchr(over, ',') ? arena_printf(&e->s->module, "(%s)", over) : over);
}

/* Every program must write its own elements. */
static bool check_grid_names(struct elab *e, const struct access *a)
{
    axis_set have = e->tested;
    for (uint32_t d = 0; d < a->t->rank; d++)
        have |= grid_names_of(e, a->subs[d]);
    for (uint32_t i = 0; i < e->f->axes.count && !e->dead; i++) {
        const struct ir_axis *axis = &e->f->axes.data[i];
        bool grid = axis->kind == IR_AXIS_PROGRAM || axis->kind == IR_AXIS_GRID;
        if (!grid || (have & (axis_set)1 << i))
            continue;
        diag_error(e->s, a->at->at, DIAG_STORE_GRID,
                   "every program of %s writes this element of %s", axis->name,
                   a->t->param->name.text);
        diag_note(e->s, axis->at, "%s is part of the grid", axis->name);
        return diag_help(e->s,
                         axis->kind == IR_AXIS_PROGRAM
                             ? "subscript with %s, store under `if %s == 0`, or use atomic_add"
                             : "subscript with %s, or use atomic_add",
                         axis->name, axis->name);
    }
    return true;
}

static void store_to(struct elab *e, struct access *a, struct ir_value *value, struct span value_at,
                     bool clip, enum ir_cache cache)
{
    uint32_t rank = a->t->rank;
    a->subs[rank] = value;
    if (!join_axes(e, a->at->at, a->subs, rank + 1) ||
        !check_value_axes(e, a, a->subs[rank], value_at) || !check_grid_names(e, a) ||
        !check_inside(e, a, !clip, "store(..., clip: true)"))
        return;
    a->t->written |= !e->dead;
    e->stored = true;
    if (!a->t->present)
        return;
    struct ir_attr attr = {
        .tensor = a->t->number, .kind = (uint8_t)cache, .flag = clip && !a->inside};
    e->b.at = a->at->at;
    ir_append(&e->b, IR_OP_store, attr, a->subs, rank + 1, NULL, 0, 0);
}

void elab_store(struct elab *e, const struct expr *target, struct value v, struct span value_at,
                bool clip, enum ir_cache cache)
{
    struct access a;
    if (!elab_subscripts(e, target, &a) || !may_write(e, target, a.t))
        return;
    struct ir_value *value = as_elem(e, value_at, v, a.t->elem);
    if (value)
        store_to(e, &a, value, value_at, clip, cache);
}

void elab_update(struct elab *e, const struct expr *target, enum ast_binary op,
                 const struct expr *value)
{
    struct access a;
    if (!elab_subscripts(e, target, &a) || !may_write(e, target, a.t) ||
        !may_read(e, target, a.t) || !check_inside(e, &a, true, "load(..., fill: 0)")) {
        elab_expr(e, value);
        return;
    }
    struct value old = load_from(e, &a, NULL, IR_CACHE_NONE);
    struct value v = elab_binary(e, target->at, op, old, elab_expr(e, value));
    struct ir_value *ir = as_elem(e, value->at, v, a.t->elem);
    if (ir)
        store_to(e, &a, ir, value->at, false, IR_CACHE_NONE);
}

static bool has_atomic(enum ir_elem elem)
{
    return elem != IR_BOOL && ir_elem_bits(elem) >= 16 && elem != IR_I16 && elem != IR_U16;
}

void elab_atomic(struct elab *e, const struct expr *target, struct value v, struct span value_at)
{
    struct access a;
    if (!elab_subscripts(e, target, &a) || !may_write(e, target, a.t) ||
        !check_inside(e, &a, true, "a subscript that stays inside"))
        return;
    if (!has_atomic(a.t->elem)) {
        diag_error(e->s, target->at, DIAG_NO_ARITHMETIC, "there is no atomic addition of %s",
                   ir_elem_name(a.t->elem));
        return;
    }
    struct ir_value *value = as_elem(e, value_at, v, a.t->elem);
    if (!value)
        return;
    a.subs[a.t->rank] = value;
    if (!join_axes(e, target->at, a.subs, a.t->rank + 1))
        return;
    a.t->written |= !e->dead;
    if (!a.t->present)
        return;
    struct ir_attr attr = {.tensor = a.t->number, .kind = IR_KIND_SUM};
    ir_append(&e->b, IR_OP_atomic, attr, a.subs, a.t->rank + 1, NULL, 0, 0);
}
