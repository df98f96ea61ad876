/* Axes and grids: how a kernel covers its dimensions. */
#include "sema/elab.h"

#define MAX_TILE 65536

/* Takes the name of an axis that is wrong, so that its uses say nothing more. */
static void poison_axis(struct elab *e, struct ast_name name)
{
    struct local *l = declare(e, name, LOCAL_AXIS, "axis");
    l->number = IR_NO_AXIS;
    l->quiet = true;
}

static void poison_axes(struct elab *e, const struct stmt *st)
{
    poison_axis(e, st->axis.name);
    if (st->axis.parts.text)
        poison_axis(e, st->axis.parts);
}

static bool may_declare(struct elab *e, const struct stmt *st)
{
    const char *name = st->axis.name.text;
    if (e->call)
        return diag_error(e->s, st->at, DIAG_AXIS_PLACE, "a function has no axes of its own");
    if (!e->body_top)
        return diag_error(e->s, st->at, DIAG_AXIS_PLACE,
                          "%s %s belongs at the top level of the kernel",
                          st->axis.is_grid ? "grid" : "axis", name);
    if (st->axis.is_grid && e->stored)
        return diag_error(e->s, st->at, DIAG_AXIS_PLACE, "grid %s comes after a store", name);
    if (e->f->axes.count + 2 <= IR_MAX_AXIS)
        return true;
    return diag_error(e->s, st->at, DIAG_TOO_MANY_AXES, "a kernel has at most %d axes",
                      IR_MAX_AXIS);
}

/* ---- tile sizes ----------------------------------------------------------------------------- */

static bool tile_in_range(struct elab *e, const struct expr *x, int64_t tile)
{
    if (tile >= 1 && tile <= MAX_TILE)
        return true;
    diag_error(e->s, x->at, DIAG_TILE_SIZE, "a tile holds 1 to %d elements, not %lld", MAX_TILE,
               (long long)tile);
    return false;
}

/* tile fit(D): the exact cover if D is known, else the one this variant is made for. */
static int64_t inline_fit(struct elab *e, const struct stmt *st, const struct expr *call)
{
    if (!plain_args(e, call, "fit", 1, 1, NULL))
        return 0;
    const struct expr *arg = call->call.args.data[0].value;
    struct value v = elab_expr(e, arg);
    if (v.kind == VALUE_CONST && v.c.kind == CONST_INT)
        return tile_in_range(e, call, v.c.i) ? v.c.i : 0;
    struct ir_value *extent = as_bound(e, arg->at, v, "argument of fit");
    int64_t tile = fit_cover(1024);
    const char *name = arena_printf(&e->s->module, "fit.%s", st->axis.name.text);
    find_binding(e->bindings, name, &tile);
    if (!extent || !tile_in_range(e, call, tile))
        return 0;
    struct linear cover = linear_constant(tile), needed = form_of(e, extent);
    assume_at_least(e, &cover, &needed);
    return tile;
}

static int64_t tile_size(struct elab *e, const struct stmt *st)
{
    const struct expr *x = st->axis.tile;
    if (!x)
        return 1;
    if (x->kind == EXPR_CALL && x->call.callee->kind == EXPR_NAME &&
        strcmp(x->call.callee->string, "fit") == 0)
        return inline_fit(e, st, x);
    struct const_value c = elab_const(e, x, "a tile size");
    if (c.kind == CONST_POISON)
        return 0;
    if (c.kind != CONST_INT) {
        diag_error(e->s, x->at, DIAG_TILE_SIZE, "a tile size is an integer, not %s",
                   const_kind_text(e->s, c));
        return 0;
    }
    return tile_in_range(e, x, c.i) ? c.i : 0;
}

/* ---- what the host knows -------------------------------------------------------------------- */

/* True if the value is made of parameters and constants only. budget: nodes to look at. */
static bool host_knows(struct elab *e, const struct ir_value *v, unsigned *budget)
{
    if (v->def == IR_DEF_ARG)
        return v->block == e->f->body;
    const struct ir_node *n = v->node;
    if (!*budget || n->region_count || n->op == IR_OP_index || n->op == IR_OP_load)
        return false;
    --*budget;
    for (uint32_t i = 0; i < n->operand_count; i++)
        if (!host_knows(e, n->operands[i], budget))
            return false;
    return true;
}

static bool check_host(struct elab *e, const struct expr *x, const struct ir_value *v)
{
    unsigned budget = 200;
    return host_knows(e, v, &budget) ||
           diag_error(e->s, x->at, DIAG_GRID_BOUND, "the host cannot know this before the launch");
}

static bool check_grid_range(struct elab *e, const struct stmt *st, const struct ir_axis *axis)
{
    if (axis->bound)
        return check_host(e, st->axis.bound, axis->bound);
    if (check_host(e, st->axis.lo, axis->lo) && check_host(e, st->axis.hi, axis->hi))
        return true;
    return diag_help(e->s, "say how large the range can become: `... bound A`, with A a dimension");
}

/* ---- facts ---------------------------------------------------------------------------------- */

/* lo <= c alone: what min(c, n) and the like may rely on before their first use. */
static void assume_axis_start(struct elab *e, uint8_t axis, const struct ir_value *lo)
{
    struct linear from = form_of(e, lo), x = axis_form(e, axis, is_data(e, &from));
    assume_at_least(e, &x, &from);
}

void assume_axis_range(struct elab *e, uint8_t axis, const struct ir_value *lo,
                       const struct ir_value *hi)
{
    struct linear from = form_of(e, lo), to = form_of(e, hi), one = linear_constant(1);
    struct linear x = axis_form(e, axis, is_data(e, &from) || is_data(e, &to));
    struct linear above = linear_add(&x, &one, 1);
    assume_at_least(e, &x, &from);
    assume_at_least(e, &to, &above);
}

/* A held axis may be empty, and then none of its lanes exist. Its range is a fact only where a lane
 * is looked at: for accesses along it. (A program or a round of a sweep exists only if the range is
 * not empty.) */
void assume_held_ranges(struct elab *e, axis_set axes)
{
    for (uint32_t i = 0; i < e->f->axes.count; i++)
        if ((axes & (axis_set)1 << i) && e->f->axes.data[i].kind == IR_AXIS_HELD)
            assume_axis_range(e, (uint8_t)i, e->f->axes.data[i].lo, e->f->axes.data[i].hi);
}

static struct linear extent_of(struct elab *e, const struct ir_axis *axis)
{
    struct linear lo = form_of(e, axis->lo), hi = form_of(e, axis->hi);
    return linear_add(&hi, &lo, -1);
}

/* True if every tile is whole: the extent is a multiple of the tile. */
static bool is_full(struct elab *e, const struct ir_axis *axis)
{
    struct linear extent = extent_of(e, axis);
    if (axis->kind == IR_AXIS_HELD)
        return extent.valid && !extent.count && extent.constant == axis->tile;
    return extent.valid && divides(e, axis->tile, &extent);
}

static bool check_held(struct elab *e, const struct stmt *st, const struct ir_axis *axis)
{
    struct linear extent = extent_of(e, axis), tile = linear_constant(axis->tile);
    if (show_at_least(e, &tile, &extent))
        return true;
    diag_error(e->s, st->axis.tile->at, DIAG_HELD_RANGE,
               "axis %s is held at once, but a tile of %lld may not cover its %s elements",
               axis->name, (long long)axis->tile, form_text(e, &extent));
    return diag_help(e->s, "use `tile fit(%s)`, or walk the axis with `sweep %s { }`",
                     form_text(e, &extent), axis->name);
}

/* ---- declaring ------------------------------------------------------------------------------ */

static void add_axis(struct elab *e, struct ast_name name, const struct ir_axis *axis,
                     const char *noun)
{
    struct local *l = declare(e, name, LOCAL_AXIS, noun);
    l->number = e->f->axes.count;
    vec_push(&e->s->module, &e->f->axes, *axis);
}

static void add_parts(struct elab *e, struct ast_name name, uint8_t parent)
{
    struct ir_axis axis = {
        .name = name.text, .kind = IR_AXIS_PART, .at = name.at, .parent = parent};
    find_binding(e->bindings, arena_printf(&e->s->module, "parts.%s", name.text), &axis.tile);
    if (axis.tile < 0 || axis.tile > e->f->axes.data[parent].tile)
        axis.tile = 0;
    add_axis(e, name, &axis, "partition");
}

static enum ir_axis_kind kind_of(struct elab *e, const struct stmt *st)
{
    if (st->kind == STMT_GRID)
        return IR_AXIS_PROGRAM;
    if (st->axis.is_grid)
        return IR_AXIS_GRID;
    return sweeps_axis(&e->kernel->ast->kernel.body, st->axis.name.text) ? IR_AXIS_SWEPT
                                                                         : IR_AXIS_HELD;
}

static bool elab_range(struct elab *e, const struct stmt *st, struct ir_axis *axis)
{
    axis->lo = as_bound(e, st->axis.lo->at, elab_expr(e, st->axis.lo), "start of the range");
    axis->hi = as_bound(e, st->axis.hi->at, elab_expr(e, st->axis.hi), "end of the range");
    axis->tile = tile_size(e, st);
    if (st->axis.bound) {
        axis->bound = as_bound(e, st->axis.bound->at, elab_expr(e, st->axis.bound), "bound");
        if (!axis->bound)
            return false;
    }
    return axis->lo && axis->hi && axis->tile;
}

void elab_axis(struct elab *e, const struct stmt *st)
{
    struct ir_axis axis = {.name = st->axis.name.text, .at = st->axis.name.at};
    if (!may_declare(e, st)) {
        poison_axes(e, st);
        return;
    }
    axis.kind = kind_of(e, st);
    bool grid = axis.kind == IR_AXIS_PROGRAM || axis.kind == IR_AXIS_GRID;
    bool good = elab_range(e, st, &axis) && !e->dead;
    good = good && (!grid || check_grid_range(e, st, &axis));
    good = good && (axis.kind != IR_AXIS_HELD || check_held(e, st, &axis));
    if (good && st->axis.bound && !grid)
        good = diag_error(e->s, st->axis.bound->at, DIAG_GRID_BOUND, "only a grid has a bound");
    if (good && st->axis.parts.text && axis.kind == IR_AXIS_PROGRAM)
        good = diag_error(e->s, st->axis.parts.at, DIAG_BAD_PARTS, "one value has no parts");
    if (!good) {
        poison_axes(e, st);
        return;
    }
    axis.full = axis.kind == IR_AXIS_PROGRAM || is_full(e, &axis);
    uint8_t number = (uint8_t)e->f->axes.count;
    add_axis(e, st->axis.name, &axis, grid ? "grid name" : "axis");
    if (grid)
        assume_axis_range(e, number, axis.lo, axis.hi);
    if (axis.kind == IR_AXIS_HELD)
        assume_axis_start(e, number, axis.lo);
    if (axis.bound) {
        struct linear extent = extent_of(e, &axis), bound = form_of(e, axis.bound);
        assume_at_least(e, &bound, &extent);
    }
    if (st->axis.parts.text)
        add_parts(e, st->axis.parts, number);
}
