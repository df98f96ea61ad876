/* Branches, and what regions share: their results are the variables assigned inside. */
#include "sema/flow.h"

/* ---- what a region assigns ------------------------------------------------------------------ */

static void add_assigned(struct elab *e, const struct expr *target, locals *out)
{
    if (target->kind == EXPR_MEMBER)
        target = target->member.base;
    if (target->kind != EXPR_NAME)
        return;
    for (uint32_t i = e->names.count; i > e->floor; i--) {
        struct local *l = e->names.data[i - 1];
        if (l->name.text != target->string)
            continue;
        bool known = l->kind != LOCAL_VAR || !place_width(&l->place);
        for (uint32_t j = 0; j < out->count; j++)
            known |= out->data[j] == l;
        if (!known)
            vec_push(&e->s->module, out, l);
        return;
    }
}

void collect_assigned(struct elab *e, const ast_block *block, locals *out)
{
    for (uint32_t i = 0; i < block->count; i++) {
        const struct stmt *st = block->data[i];
        switch ((int)st->kind) {
        case STMT_ASSIGN: add_assigned(e, st->assign.target, out); break;
        case STMT_BLOCK: collect_assigned(e, &st->block, out); break;
        case STMT_SWEEP:
        case STMT_FOR: collect_assigned(e, &st->loop.body, out); break;
        case STMT_WHILE:
        case STMT_IF:
            collect_assigned(e, &st->branch.body, out);
            collect_assigned(e, &st->branch.no, out);
            break;
        default: break;
        }
    }
}

bool sweeps_axis(const ast_block *block, const char *axis)
{
    for (uint32_t i = 0; i < block->count; i++) {
        const struct stmt *st = block->data[i];
        bool found = false;
        switch ((int)st->kind) {
        case STMT_BLOCK: found = sweeps_axis(&st->block, axis); break;
        case STMT_SWEEP:
            found = st->loop.name.text == axis || sweeps_axis(&st->loop.body, axis);
            break;
        case STMT_FOR: found = sweeps_axis(&st->loop.body, axis); break;
        case STMT_WHILE:
        case STMT_IF:
            found = sweeps_axis(&st->branch.body, axis) || sweeps_axis(&st->branch.no, axis);
            break;
        default: break;
        }
        if (found)
            return true;
    }
    return false;
}

static bool contains_return(const ast_block *block)
{
    for (uint32_t i = 0; i < block->count; i++) {
        const struct stmt *st = block->data[i];
        bool found = st->kind == STMT_RETURN;
        switch ((int)st->kind) {
        case STMT_BLOCK: found = contains_return(&st->block); break;
        case STMT_SWEEP:
        case STMT_FOR: found = contains_return(&st->loop.body); break;
        case STMT_WHILE:
        case STMT_IF:
            found = contains_return(&st->branch.body) || contains_return(&st->branch.no);
            break;
        default: break;
        }
        if (found)
            return true;
    }
    return false;
}

/* ---- the values of variables, all in a row -------------------------------------------------- */

void current_values(struct elab *e, const locals *vars, ir_values *out)
{
    for (uint32_t i = 0; vars && i < vars->count; i++)
        for (uint32_t p = 0; p < place_width(&vars->data[i]->place); p++)
            vec_push(&e->s->module, out, value_part(vars->data[i]->value, p));
}

void set_values(struct elab *e, const locals *vars, struct ir_value *const *values)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < vars->count; i++) {
        struct local *l = vars->data[i];
        l->value = value_of_parts(e, &l->place, values + at);
        for (uint32_t p = 0; p < place_width(&l->place); p++) {
            const char *name = l->place.kind == PLACE_STRUCT
                                   ? l->place.of->ast->params.data[p].name.text
                                   : l->name.text;
            if (!values[at + p]->name)
                values[at + p]->name = name;
        }
        at += place_width(&l->place);
    }
}

void end_block(struct elab *e, enum ir_opcode op, const locals *carried)
{
    ir_values values = {0};
    struct ir_attr attr = {0};
    current_values(e, carried, &values);
    ir_append(&e->b, op, attr, values.data, values.count, NULL, 0, 0);
}

/* ---- if ------------------------------------------------------------------------------------- */

/* The axes that a condition fixes when it holds: i == number, for a program's own i. budget: parts
 * of the condition to look at. */
static axis_set tested_axes(const struct ir_value *c, unsigned *budget)
{
    if (c->def != IR_DEF_NODE || !*budget)
        return 0;
    const struct ir_node *n = c->node;
    --*budget;
    if (n->op == IR_OP_and)
        return tested_axes(n->operands[0], budget) | tested_axes(n->operands[1], budget);
    if (n->op != IR_OP_cmp || n->attr.kind != IR_CMP_EQ)
        return 0;
    for (int i = 0; i < 2; i++) {
        const struct ir_value *v = n->operands[i];
        if (v->def == IR_DEF_NODE && v->node->op == IR_OP_index && !v->type.axes)
            return (axis_set)1 << v->node->attr.axis;
    }
    return 0;
}

/* A branch that this variant does not take: checked, with no trace left. */
void elab_dead(struct elab *e, const ast_block *block)
{
    locals vars = {0};
    ir_values before = {0};
    struct value result = e->call ? e->call->value : value_poison();
    collect_assigned(e, block, &vars);
    current_values(e, &vars, &before);
    struct discard d = discard_begin(e, true);
    elab_block(e, block);
    discard_end(e, &d);
    set_values(e, &vars, before.data);
    if (e->call)
        e->call->value = result;
}

/* What follows an arm that returned is one that this variant does not take. */
static void elab_dead_rest(struct elab *e, const struct rest *r)
{
    ast_block after = *r->block;
    after.data += r->from;
    after.count -= r->from;
    elab_dead(e, &after);
}

static enum flow elab_static_if(struct elab *e, const struct stmt *st, bool taken)
{
    const ast_block *arms[] = {&st->branch.body, &st->branch.no};
    enum flow flow = FLOW_NEXT;
    for (int i = 0; i < 2; i++) {
        if ((i == 0) == taken)
            flow = elab_block(e, arms[i]);
        else
            elab_dead(e, arms[i]);
    }
    if (flow == FLOW_RETURN && e->call)
        elab_dead_rest(e, e->call->rest);
    return flow;
}

struct outside go_inside(struct elab *e, struct ir_block *block)
{
    struct outside o = {e->b.block, facts_mark(e), e->tested, e->body_top};
    e->b.block = block;
    e->body_top = false;
    e->regions++;
    return o;
}

void come_back(struct elab *e, const struct outside *o)
{
    e->b.block = o->block;
    facts_release(e, o->facts);
    e->tested = o->tested;
    e->body_top = o->body_top;
    e->regions--;
}

static struct arm begin_arm(struct elab *e, struct ir_value *test, bool holds, struct outside *o)
{
    struct arm arm = {.block = ir_block_new(e->f, NULL)};
    *o = go_inside(e, arm.block);
    assume_condition(e, test, holds);
    unsigned budget = 64;
    if (holds)
        e->tested |= tested_axes(test, &budget);
    return arm;
}

static struct arm elab_arm(struct elab *e, const ast_block *block, struct ir_value *test,
                           bool holds, const locals *vars, const ir_values *before)
{
    struct outside o;
    struct arm arm = begin_arm(e, test, holds, &o);
    arm.flow = elab_block(e, block);
    current_values(e, vars, &arm.values);
    come_back(e, &o);
    set_values(e, vars, before->data);
    return arm;
}

struct ir_node *append_if(struct elab *e, struct ir_value *test, struct arm *arms,
                          const struct ir_type *types, uint32_t count)
{
    struct ir_attr attr = {0};
    struct ir_node *n = ir_append(&e->b, IR_OP_if, attr, &test, 1, types, count, 2);
    for (int i = 0; i < 2; i++) {
        n->regions[i] = arms[i].block;
        arms[i].block->parent = n;
    }
    return n;
}

/* Ends an arm that falls through with the values that differ between the arms. */
static void yield_changed(struct elab *e, struct arm *arm, const bool *changed)
{
    ir_values values = {0};
    struct ir_attr attr = {0};
    struct ir_block *back = e->b.block;
    if (arm->flow != FLOW_NEXT)
        return;
    for (uint32_t i = 0; i < arm->values.count; i++)
        if (changed[i])
            vec_push(&e->s->module, &values, arm->values.data[i]);
    e->b.block = arm->block;
    ir_append(&e->b, IR_OP_yield, attr, values.data, values.count, NULL, 0, 0);
    e->b.block = back;
}

static void join_arms(struct elab *e, struct ir_value *test, struct arm *arms, const locals *vars,
                      const ir_values *before)
{
    VEC(struct ir_type) types = {0};
    ir_values after = {0};
    bool *changed = arena_array(&e->s->module, bool, before->count + 1);
    for (uint32_t i = 0; i < before->count; i++) {
        for (int a = 0; a < 2; a++)
            changed[i] |= arms[a].flow == FLOW_NEXT && arms[a].values.data[i] != before->data[i];
        if (changed[i])
            vec_push(&e->s->module, &types, before->data[i]->type);
    }
    yield_changed(e, &arms[0], changed);
    yield_changed(e, &arms[1], changed);
    struct ir_node *n = append_if(e, test, arms, types.data, types.count);
    for (uint32_t i = 0, r = 0; i < before->count; i++)
        vec_push(&e->s->module, &after, changed[i] ? n->results[r++] : before->data[i]);
    set_values(e, vars, after.data);
}

static enum flow elab_run_if(struct elab *e, const struct stmt *st, struct ir_value *test)
{
    locals vars = {0};
    ir_values before = {0};
    struct arm arms[2];
    collect_assigned(e, &st->branch.body, &vars);
    collect_assigned(e, &st->branch.no, &vars);
    current_values(e, &vars, &before);
    arms[0] = elab_arm(e, &st->branch.body, test, true, &vars, &before);
    arms[1] = elab_arm(e, &st->branch.no, test, false, &vars, &before);
    e->b.at = st->at;
    join_arms(e, test, arms, &vars, &before);
    bool ends[] = {arms[0].flow != FLOW_NEXT, arms[1].flow != FLOW_NEXT};
    if (ends[0] && ends[1]) {
        end_block(e, IR_OP_return, NULL); /* never reached, but every block ends somehow */
        return FLOW_END;
    }
    if (ends[0] || ends[1])
        assume_condition(e, test, ends[1]);
    return FLOW_NEXT;
}

/* ---- if in a function whose arm returns ----------------------------------------------------- */

/* Goes on after the arm: with what follows in this block, then in those around it. Names of the arm
 * are out of sight there. */
static enum flow elab_rest(struct elab *e, const struct rest *r)
{
    enum flow flow = FLOW_NEXT;
    uint32_t count = e->names.count, scope = e->scope;
    const struct rest *own = e->call->rest;
    for (; r && flow == FLOW_NEXT; r = r->outer) {
        uint32_t hidden = count - r->names;
        struct local **saved = arena_array(&e->s->module, struct local *, hidden + 1);
        for (uint32_t i = 0; i < hidden; i++)
            saved[i] = e->names.data[r->names + i];
        e->names.count = r->names;
        e->scope = r->scope;
        e->call->rest = r->outer;
        flow = elab_statements(e, r->block, r->from);
        e->names.count = r->names;
        for (uint32_t i = 0; i < hidden; i++)
            vec_push(&e->s->module, &e->names, saved[i]);
    }
    e->call->rest = own;
    e->scope = scope;
    return flow;
}

/* The statements after the `if` belong to the arm that does not return. */
static struct arm elab_returning_arm(struct elab *e, const ast_block *block, struct ir_value *test,
                                     bool holds)
{
    struct outside o;
    struct arm arm = begin_arm(e, test, holds, &o);
    uint32_t regions = e->call->regions;
    e->call->regions = e->regions;
    e->call->value = value_poison();
    arm.flow = elab_block(e, block);
    if (arm.flow == FLOW_NEXT)
        arm.flow = elab_rest(e, e->call->rest);
    arm.result = e->call->value;
    e->call->regions = regions;
    come_back(e, &o);
    return arm;
}

static bool yield_result(struct elab *e, struct span at, struct arm *arm, const struct place *place)
{
    struct ir_value *parts[MAX_FIELDS];
    struct ir_attr attr = {0};
    struct ir_block *back = e->b.block;
    e->b.block = arm->block;
    struct value v = fit_place(e, at, arm->result, place, "the result");
    bool good = !is_poison(v);
    for (uint32_t i = 0; good && i < place_width(place); i++)
        parts[i] = value_part(v, i);
    ir_append(&e->b, IR_OP_yield, attr, parts, good ? place_width(place) : 0, NULL, 0, 0);
    e->b.block = back;
    return good;
}

static enum flow elab_returning_if(struct elab *e, const struct stmt *st, struct ir_value *test)
{
    locals vars = {0};
    ir_values before = {0};
    struct arm arms[2];
    struct ir_type types[MAX_FIELDS];
    collect_assigned(e, &st->branch.body, &vars);
    collect_assigned(e, &st->branch.no, &vars);
    for (const struct rest *r = e->call->rest; r; r = r->outer)
        collect_assigned(e, r->block, &vars);
    current_values(e, &vars, &before);
    arms[0] = elab_returning_arm(e, &st->branch.body, test, true);
    set_values(e, &vars, before.data);
    arms[1] = elab_returning_arm(e, &st->branch.no, test, false);
    set_values(e, &vars, before.data);
    if (arms[0].flow != FLOW_RETURN || arms[1].flow != FLOW_RETURN) {
        if (!is_poison(arms[0].result) || !is_poison(arms[1].result)) {
            diag_error(e->s, st->at, DIAG_MISSING_RETURN, "one way through %s does not return",
                       e->call->fn->name.text);
            diag_note(e->s, e->call->fn->name.at, "%s is declared here", e->call->fn->name.text);
        }
        e->call->value = value_poison();
        return FLOW_RETURN;
    }
    struct place place = e->call->result;
    place.lifts = false;
    place.axes = value_axes(arms[0].result) | value_axes(arms[1].result);
    e->b.at = st->at;
    bool good =
        yield_result(e, st->at, &arms[0], &place) && yield_result(e, st->at, &arms[1], &place);
    if (!good) {
        e->call->value = value_poison();
        return FLOW_RETURN;
    }
    place_types(&place, types);
    struct ir_node *n = append_if(e, test, arms, types, place_width(&place));
    e->call->value = value_of_parts(e, &place, n->results);
    return FLOW_RETURN;
}

enum flow elab_if(struct elab *e, const struct stmt *st)
{
    struct value test = elab_expr(e, st->branch.test);
    if (test.kind == VALUE_CONST && test.c.kind == CONST_BOOL)
        return elab_static_if(e, st, test.c.i != 0);
    struct ir_value *ir = as_condition(e, st->branch.test->at, test, "condition of if");
    if (!ir) { /* look for errors in the arms all the same */
        elab_dead(e, &st->branch.body);
        elab_dead(e, &st->branch.no);
        return FLOW_NEXT;
    }
    bool returns = contains_return(&st->branch.body) || contains_return(&st->branch.no);
    if (e->call && returns && e->call->regions == e->regions && !e->call->unrolled)
        return elab_returning_if(e, st, ir);
    return elab_run_if(e, st, ir);
}
