/* Loops: for, while, static for, and the sweep along an axis. */
#include "sema/flow.h"

#define MAX_UNROLL   1024
#define MAX_PIPELINE 16

struct run_loop {
    struct loop loop;
    struct ir_node *node;
    struct outside outside;
    locals vars;
};

/* Makes the loop node and goes into its region; counter: the region's first argument, if any. */
static void begin_loop(struct elab *e, struct run_loop *r, enum ir_opcode op, struct ir_attr attr,
                       ir_values *operands, const ast_block *body, struct ir_value **counter)
{
    VEC(struct ir_type) types = {0};
    ir_values args = {0};
    uint32_t fixed = operands->count;
    *r = (struct run_loop){
        .loop = {.outer = e->loop, .kind = LOOP_RUN}
    };
    collect_assigned(e, body, &r->vars);
    current_values(e, &r->vars, operands);
    for (uint32_t i = fixed; i < operands->count; i++)
        vec_push(&e->s->module, &types, operands->data[i]->type);
    r->node =
        ir_append(&e->b, op, attr, operands->data, operands->count, types.data, types.count, 1);
    struct ir_block *region = r->node->regions[0];
    if (counter)
        *counter = ir_block_arg(e->f, region, (struct ir_type){IR_INDEX, 0});
    for (uint32_t i = 0; i < types.count; i++)
        vec_push(&e->s->module, &args, ir_block_arg(e->f, region, types.data[i]));
    r->loop.carried = r->vars;
    r->outside = go_inside(e, region);
    set_values(e, &r->vars, args.data);
    e->loop = &r->loop;
}

static void end_loop(struct elab *e, struct run_loop *r, enum flow flow)
{
    if (flow == FLOW_NEXT)
        end_block(e, IR_OP_yield, &r->vars);
    e->loop = r->loop.outer;
    come_back(e, &r->outside);
    set_values(e, &r->vars, r->node->results);
}

static int64_t pipeline_depth(struct elab *e, const struct stmt *st)
{
    if (!st->loop.pipeline)
        return 0;
    struct const_value c = elab_const(e, st->loop.pipeline, "the depth of a pipeline");
    if (c.kind == CONST_INT && c.i >= 0 && c.i <= MAX_PIPELINE)
        return c.i;
    if (c.kind != CONST_POISON)
        diag_error(e->s, st->loop.pipeline->at, DIAG_BAD_SCHEDULE,
                   "the depth of a pipeline is a number from 0 to %d", MAX_PIPELINE);
    return 0;
}

static void assume_between(struct elab *e, const struct linear *x, const struct linear *lo,
                           const struct linear *hi)
{
    struct linear one = linear_constant(1), above = linear_add(x, &one, 1);
    assume_at_least(e, x, lo);
    assume_at_least(e, hi, &above);
}

/* A step that could be 0 would loop for ever. */
static bool check_step(struct elab *e, const struct stmt *st, const struct ir_value *step)
{
    struct linear form = form_of(e, step), one = linear_constant(1);
    if (e->dead || show_at_least(e, &form, &one) || (form.count && is_data(e, &form)))
        return true;
    diag_error(e->s, st->loop.step->at, DIAG_RANGE, "could not show that the step %s is at least 1",
               form_text(e, &form));
    if (form.count)
        diag_help(e->s, "add `require %s >= 1;` to the kernel", form_text(e, &form));
    return false;
}

static enum flow elab_run_for(struct elab *e, const struct stmt *st, struct value lo,
                              struct value hi, struct value step)
{
    ir_values operands = {0};
    struct run_loop r;
    struct ir_value *counter;
    struct ir_value *bounds[] = {
        as_bound(e, st->loop.lo->at, lo, "start of the loop"),
        as_bound(e, st->loop.hi->at, hi, "end of the loop"),
        as_bound(e, st->loop.step ? st->loop.step->at : st->at, step, "step")};
    int64_t depth = pipeline_depth(e, st);
    if (!bounds[0] || !bounds[1] || !bounds[2] || !check_step(e, st, bounds[2])) {
        struct discard d = discard_begin(e, true);
        uint32_t outer = scope_begin(e);
        declare(e, st->loop.name, LOCAL_VALUE, "counter")->quiet = true;
        elab_dead(e, &st->loop.body);
        scope_end(e, outer);
        discard_end(e, &d);
        return FLOW_NEXT;
    }
    for (int i = 0; i < 3; i++)
        vec_push(&e->s->module, &operands, bounds[i]);
    struct ir_attr attr = {.i = depth};
    e->b.at = st->at;
    begin_loop(e, &r, IR_OP_for, attr, &operands, &st->loop.body, &counter);
    counter->name = st->loop.name.text;
    uint32_t outer = scope_begin(e);
    struct local *l = declare(e, st->loop.name, LOCAL_VALUE, "counter");
    l->value = value_ir(counter);
    l->quiet = true;
    struct linear x = counter_form(e, counter), from = form_of(e, bounds[0]),
                  to = form_of(e, bounds[1]);
    assume_between(e, &x, &from, &to);
    enum flow flow = elab_block(e, &st->loop.body);
    scope_end(e, outer);
    end_loop(e, &r, flow);
    return FLOW_NEXT;
}

static bool static_bound(struct elab *e, const struct expr *x, struct value v, const char *what,
                         int64_t *out)
{
    if (v.kind == VALUE_CONST && v.c.kind == CONST_INT) {
        *out = v.c.i;
        return true;
    }
    if (!is_poison(v))
        diag_error(e->s, x->at, DIAG_CONST_EXPECTED,
                   "the %s of a static loop must be known at compile time", what);
    return false;
}

static enum flow unroll(struct elab *e, const struct stmt *st, int64_t lo, int64_t hi, int64_t step)
{
    struct loop loop = {.outer = e->loop, .kind = LOOP_STATIC, .regions = e->regions};
    enum flow flow = FLOW_NEXT;
    e->loop = &loop;
    if (e->call)
        e->call->unrolled++;
    uint32_t errors = e->s->errors;
    for (int64_t i = lo; i < hi && e->s->errors == errors; i += step) {
        if (!small_enough(e, st->at))
            break;
        uint32_t outer = scope_begin(e);
        struct local *l = declare(e, st->loop.name, LOCAL_VALUE, "counter");
        l->value = value_const(const_int(IR_INDEX, i));
        l->quiet = true;
        flow = elab_block(e, &st->loop.body);
        scope_end(e, outer);
        if (flow == FLOW_BREAK || flow == FLOW_END || flow == FLOW_RETURN || hi - i <= step)
            break;
    }
    if (e->call)
        e->call->unrolled--;
    e->loop = loop.outer;
    return flow == FLOW_END || flow == FLOW_RETURN ? flow : FLOW_NEXT;
}

static enum flow elab_static_for(struct elab *e, const struct stmt *st, struct value lo,
                                 struct value hi, struct value step)
{
    int64_t from = 0, to = 0, by = 0;
    bool good = static_bound(e, st->loop.lo, lo, "start", &from);
    good &= static_bound(e, st->loop.hi, hi, "end", &to);
    good &= static_bound(e, st->loop.step ? st->loop.step : st->loop.hi, step, "step", &by);
    if (!good)
        return FLOW_NEXT;
    if (by < 1) {
        diag_error(e->s, st->loop.step->at, DIAG_RANGE, "the step of a loop must be at least 1");
        return FLOW_NEXT;
    }
    if (to > from && ((uint64_t)to - (uint64_t)from - 1) / (uint64_t)by >= MAX_UNROLL) {
        diag_error(e->s, st->at, DIAG_TOO_LARGE, "a static loop has at most %d rounds", MAX_UNROLL);
        diag_help(e->s, "drop `static` to loop at run time");
        return FLOW_NEXT;
    }
    return unroll(e, st, from, to, by);
}

enum flow elab_for(struct elab *e, const struct stmt *st)
{
    struct value lo = elab_expr(e, st->loop.lo), hi = elab_expr(e, st->loop.hi);
    struct value step =
        st->loop.step ? elab_expr(e, st->loop.step) : value_const(const_int(IR_INDEX, 1));
    return st->loop.is_static ? elab_static_for(e, st, lo, hi, step)
                              : elab_run_for(e, st, lo, hi, step);
}

enum flow elab_while(struct elab *e, const struct stmt *st)
{
    ir_values operands = {0};
    struct run_loop r;
    struct ir_attr attr = {0};
    begin_loop(e, &r, IR_OP_loop, attr, &operands, &st->branch.body, NULL);
    struct value v = elab_expr(e, st->branch.test);
    struct ir_value *test = as_condition(e, st->branch.test->at, v, "condition of while");
    if (test) {
        struct arm arms[2] = {{.block = ir_block_new(e->f, NULL)},
                              {.block = ir_block_new(e->f, NULL)}};
        struct ir_block *region = e->b.block;
        e->b.block = arms[0].block;
        end_block(e, IR_OP_yield, NULL);
        e->b.block = arms[1].block;
        end_block(e, IR_OP_break, &r.vars);
        e->b.block = region;
        append_if(e, test, arms, NULL, 0);
        assume_condition(e, test, true);
    }
    enum flow flow = elab_block(e, &st->branch.body);
    end_loop(e, &r, flow);
    return FLOW_NEXT;
}

/* ---- sweep ---------------------------------------------------------------------------------- */

static int swept_axis(struct elab *e, const struct stmt *st)
{
    int number = find_axis(e, st->loop.name);
    if (number < 0)
        return -1;
    const struct ir_axis *axis = &e->f->axes.data[number];
    if (axis->kind != IR_AXIS_SWEPT) {
        diag_error(e->s, st->loop.name.at, DIAG_AXIS_PLACE,
                   "%s cannot be swept: it is part of the grid", axis->name);
        diag_note(e->s, axis->at, "each program owns one tile of %s", axis->name);
        return -1;
    }
    if (e->sweeping & (axis_set)1 << number) {
        diag_error(e->s, st->loop.name.at, DIAG_AXIS_PLACE, "%s is already being swept here",
                   axis->name);
        return -1;
    }
    return number;
}

static struct ir_value *sweep_bound(struct elab *e, const struct expr *x,
                                    struct ir_value *otherwise, const char *what)
{
    return x ? as_bound(e, x->at, elab_expr(e, x), what) : otherwise;
}

enum flow elab_sweep(struct elab *e, const struct stmt *st)
{
    ir_values operands = {0};
    struct run_loop r;
    int number = swept_axis(e, st);
    int64_t depth = pipeline_depth(e, st);
    if (number < 0) {
        elab_dead(e, &st->loop.body);
        return FLOW_NEXT;
    }
    const struct ir_axis *axis = &e->f->axes.data[number];
    struct ir_value *lo = sweep_bound(e, st->loop.lo, axis->lo, "start of the sweep");
    struct ir_value *hi = sweep_bound(e, st->loop.hi, axis->hi, "end of the sweep");
    if (!lo || !hi)
        return FLOW_NEXT;
    vec_push(&e->s->module, &operands, lo);
    vec_push(&e->s->module, &operands, hi);
    struct ir_attr attr = {.axis = (uint8_t)number, .i = depth};
    e->b.at = st->at;
    begin_loop(e, &r, IR_OP_sweep, attr, &operands, &st->loop.body, NULL);
    e->sweeping |= (axis_set)1 << number;
    e->sweep_lo[number] = lo;
    e->sweep_hi[number] = hi;
    assume_axis_range(e, (uint8_t)number, lo, hi);
    enum flow flow = elab_block(e, &st->loop.body);
    e->sweeping &= ~((axis_set)1 << number);
    e->sweep_lo[number] = e->sweep_hi[number] = NULL;
    end_loop(e, &r, flow);
    return FLOW_NEXT;
}
