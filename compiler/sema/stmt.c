/* Statements of kernels and functions. Branches and loops are in flow.c, axes in axis.c. */
#include "sema/elab.h"

/* ---- let and var ---------------------------------------------------------------------------- */

static struct value elab_init(struct elab *e, const struct stmt *st, struct place *place)
{
    struct value v = elab_expr(e, st->let.value);
    if (v.kind == VALUE_NONE) {
        diag_error(e->s, st->let.value->at, DIAG_NOT_A_VALUE, "this call returns nothing");
        v = value_poison();
    }
    if (v.kind == VALUE_CHOICE && !st->let.type)
        v = value_ir(as_ir(e, st->let.value->at, v));
    if (st->let.type) {
        *place = resolve_place(e, st->let.type);
        v = fit_place(e, st->let.value->at, v, place, st->let.names.data[0].text);
    }
    return v;
}

static void elab_let(struct elab *e, const struct stmt *st)
{
    struct place place;
    const ast_names *names = &st->let.names;
    struct value v = elab_init(e, st, &place);
    if (names->count == 1) {
        label_value(v, names->data[0].text);
        declare(e, names->data[0], LOCAL_VALUE, "value")->value = v;
        return;
    }
    bool fits = v.kind == VALUE_STRUCT && struct_size(v.of) == names->count;
    if (!fits && !is_poison(v))
        diag_error(e->s, st->let.value->at, DIAG_BAD_TYPE,
                   "%u names want a struct of %u fields, not %s", names->count, names->count,
                   value_text(e, v));
    for (uint32_t i = 0; i < names->count; i++) {
        struct value part = fits ? value_ir(v.parts[i]) : value_poison();
        label_value(part, names->data[i].text);
        declare(e, names->data[i], LOCAL_VALUE, "value")->value = part;
    }
}

static void elab_var(struct elab *e, const struct stmt *st)
{
    struct place place = {0};
    struct value v = elab_init(e, st, &place);
    struct span at = st->let.value->at;
    if (v.kind == VALUE_CONST && (v.c.kind == CONST_ENUM || v.c.kind == CONST_TEXT)) {
        diag_error(e->s, at, DIAG_BAD_TYPE,
                   "a variable cannot hold %s: it exists only at compile time", value_text(e, v));
        v = value_poison();
    }
    if (v.kind == VALUE_CONST)
        v = value_ir(as_ir(e, at, v));
    struct place own = place_of_value(e, v);
    label_value(v, st->let.names.data[0].text);
    struct local *l = declare(e, st->let.names.data[0], LOCAL_VAR, "variable");
    l->place = own;
    l->value = v;
}

/* ---- assignment ----------------------------------------------------------------------------- */

static enum ast_binary operator_of(enum ast_assign op)
{
    switch (op) {
    case ASSIGN_SET:
    case ASSIGN_ADD: return AST_ADD;
    case ASSIGN_SUB: return AST_SUB;
    case ASSIGN_MUL: return AST_MUL;
    case ASSIGN_DIV: return AST_DIV;
    }
    return AST_ADD;
}

/* Inside a sweep of v, lanes of a variable over v that lie outside the range keep their value. */
static struct ir_value *merge_lanes(struct elab *e, const struct local *l,
                                    struct ir_value *new_value, struct ir_value *old)
{
    axis_set walked = e->sweeping & ~l->sweeping & l->place.axes;
    for (uint32_t a = 0; a < e->f->axes.count; a++) {
        if (!(walked & (axis_set)1 << a))
            continue;
        struct ir_value *operands[] = {new_value, old};
        struct ir_attr attr = {.axis = (uint8_t)a};
        struct ir_type type = {old->type.elem, l->place.axes};
        new_value = ir_append(&e->b, IR_OP_merge, attr, operands, 2, &type, 1, 0)->results[0];
    }
    return new_value;
}

static void set_var(struct elab *e, struct local *l, struct span at, struct value v)
{
    struct ir_value *parts[MAX_FIELDS];
    v = fit_place(e, at, v, &l->place, l->name.text);
    if (is_poison(v))
        return;
    for (uint32_t i = 0; i < place_width(&l->place); i++)
        parts[i] = merge_lanes(e, l, value_part(v, i), value_part(l->value, i));
    l->value = value_of_parts(e, &l->place, parts);
    label_value(l->value, l->name.text);
}

static void not_assignable(struct elab *e, const struct expr *target, const struct local *l)
{
    diag_error(e->s, target->at, DIAG_NOT_ASSIGNABLE, "%s cannot be assigned: it is a %s",
               target->string, l->noun);
    diag_note(e->s, l->name.at, "%s is declared here", target->string);
    if (l->kind == LOCAL_VALUE && strcmp(l->noun, "value") == 0)
        diag_help(e->s, "declare it with `var` to change it");
    if (l->kind == LOCAL_TENSOR)
        diag_help(e->s, "assign its elements: %s[...] = ...", target->string);
}

static void assign_name(struct elab *e, const struct stmt *st)
{
    const struct expr *target = st->assign.target;
    struct local *l = find_local(e, target->string);
    struct value v = elab_expr(e, st->assign.value);
    if (!l) {
        unknown_name(e, (struct ast_name){target->string, target->at}, "variable");
        return;
    }
    if (l->kind != LOCAL_VAR) {
        not_assignable(e, target, l);
        return;
    }
    if (st->assign.op != ASSIGN_SET)
        v = elab_binary(e, st->at, operator_of(st->assign.op), l->value, v);
    set_var(e, l, st->assign.value->at, v);
}

/* s.mean = value, for a variable s */
static void assign_field(struct elab *e, const struct stmt *st)
{
    const struct expr *target = st->assign.target, *base = target->member.base;
    struct local *l = base->kind == EXPR_NAME ? find_local(e, base->string) : NULL;
    struct value old = elab_expr(e, target), v = elab_expr(e, st->assign.value);
    struct ir_value *parts[MAX_FIELDS];
    if (is_poison(old))
        return;
    if (!l || l->kind != LOCAL_VAR || l->value.kind != VALUE_STRUCT) {
        diag_error(e->s, target->at, DIAG_NOT_ASSIGNABLE,
                   "only fields of a variable can be assigned");
        return;
    }
    if (st->assign.op != ASSIGN_SET)
        v = elab_binary(e, st->at, operator_of(st->assign.op), old, v);
    for (uint32_t i = 0; i < struct_size(l->value.of); i++) {
        bool here = l->value.of->ast->params.data[i].name.text == target->member.member.text;
        parts[i] =
            here ? as_elem(e, st->assign.value->at, v, old.ir->type.elem) : value_part(l->value, i);
        if (!parts[i])
            return;
    }
    set_var(e, l, st->assign.value->at, value_of_parts(e, &l->place, parts));
}

static void elab_assign(struct elab *e, const struct stmt *st)
{
    const struct expr *target = st->assign.target;
    if (target->kind == EXPR_NAME) {
        assign_name(e, st);
    } else if (target->kind == EXPR_MEMBER) {
        assign_field(e, st);
    } else if (target->kind == EXPR_INDEX && st->assign.op == ASSIGN_SET) {
        struct value v = elab_expr(e, st->assign.value);
        elab_store(e, target, v, st->assign.value->at, false, IR_CACHE_NONE);
    } else if (target->kind == EXPR_INDEX) {
        elab_update(e, target, operator_of(st->assign.op), st->assign.value);
    } else if (target->kind != EXPR_POISON) {
        diag_error(e->s, target->at, DIAG_NOT_ASSIGNABLE,
                   "only variables and elements of tensors can be assigned");
    }
}

/* ---- assertions ----------------------------------------------------------------------------- */

static const char *message_of(struct elab *e, const struct stmt *st, const char *otherwise)
{
    if (st->values.count < 2)
        return otherwise;
    const struct expr *message = st->values.data[1];
    if (message->kind == EXPR_STRING && st->values.count == 2)
        return message->string;
    if (message->kind != EXPR_POISON)
        diag_error(e->s, message->at, DIAG_BAD_ARGUMENTS, "the message is one text");
    return otherwise;
}

static void elab_fact(struct elab *e, const struct stmt *st)
{
    if (!st->values.count)
        return;
    const struct expr *test = st->values.data[0];
    const char *text = message_of(e, st, "assertion failed");
    struct value v = elab_expr(e, test);
    if (v.kind == VALUE_CONST && v.c.kind == CONST_BOOL) {
        if (!v.c.i && !e->dead)
            diag_error(e->s, test->at, DIAG_FALSE_FACT, "this never holds: %s", text);
        return;
    }
    struct ir_value *ir = as_ir(e, test->at, v);
    if (!ir)
        return;
    if (ir->type.elem != IR_BOOL) {
        diag_error(e->s, test->at, DIAG_NOT_BOOL, "the condition is %s, not a bool",
                   elem_type_text(e, ir->type));
        return;
    }
    bool is_assert = st->kind == STMT_ASSERT;
    struct ir_attr attr = {.text = is_assert ? text : NULL};
    e->b.at = st->at;
    ir_append(&e->b, is_assert ? IR_OP_assert : IR_OP_assume, attr, &ir, 1, NULL, 0, 0);
    assume_condition(e, ir, true);
}

/* "left is 3, right is 4" */
static void note_sides(struct elab *e, const struct expr *test)
{
    if (test->kind != EXPR_BINARY)
        return;
    e->s->muted++;
    struct value left = elab_expr(e, test->binary.left), right = elab_expr(e, test->binary.right);
    e->s->muted--;
    if (left.kind == VALUE_CONST && right.kind == VALUE_CONST)
        diag_note(e->s, test->at, "the sides are %s and %s", const_text(e->s, left.c),
                  const_text(e->s, right.c));
}

static void elab_static_assert(struct elab *e, const struct stmt *st)
{
    if (!st->values.count)
        return;
    const struct expr *test = st->values.data[0];
    const char *text = message_of(e, st, "static assertion failed");
    struct const_value c = elab_const(e, test, "the condition of static_assert");
    if (c.kind == CONST_POISON || e->dead)
        return;
    if (c.kind != CONST_BOOL) {
        diag_error(e->s, test->at, DIAG_NOT_BOOL, "the condition is %s, not a bool",
                   const_kind_text(e->s, c));
        return;
    }
    if (c.i)
        return;
    diag_error(e->s, test->at, DIAG_STATIC_ASSERT, "%s", text);
    note_sides(e, test);
}

/* ---- the rest ------------------------------------------------------------------------------- */

static void elab_expr_statement(struct elab *e, const struct stmt *st)
{
    struct value v = elab_expr(e, st->expr);
    if (v.kind == VALUE_NONE || is_poison(v))
        return;
    diag_error(e->s, st->expr->at, DIAG_NO_EFFECT, "this value is computed and dropped");
}

void elab_return_value(struct elab *e, struct span at, const struct expr *value)
{
    struct value v = fit_place(e, value->at, elab_expr(e, value), &e->call->result, "the result");
    if (e->call->regions != e->regions) {
        diag_error(e->s, at, DIAG_NOT_SUPPORTED,
                   "return from inside a run-time loop is not supported yet");
        diag_help(e->s, "keep the result in a `var` and return it after the loop");
        return;
    }
    e->call->value = v;
}

static enum flow elab_return(struct elab *e, const struct stmt *st)
{
    if (e->call) {
        if (st->values.count != 1)
            diag_error(e->s, st->at, DIAG_MISSING_RETURN, "%s returns one value",
                       e->call->fn->name.text);
        else
            elab_return_value(e, st->at, st->values.data[0]);
        return FLOW_RETURN;
    }
    if (st->values.count)
        diag_error(e->s, st->values.data[0]->at, DIAG_LOOP_CONTROL, "a kernel returns no value");
    e->b.at = st->at;
    end_block(e, IR_OP_return, NULL);
    return FLOW_END;
}

static enum flow elab_leave(struct elab *e, const struct stmt *st)
{
    bool is_break = st->kind == STMT_BREAK;
    const char *word = is_break ? "break" : "continue";
    if (!e->loop) {
        diag_error(e->s, st->at, DIAG_LOOP_CONTROL, "%s is not inside a loop", word);
        return FLOW_NEXT;
    }
    if (e->loop->kind == LOOP_STATIC) {
        if (e->loop->regions == e->regions)
            return is_break ? FLOW_BREAK : FLOW_CONTINUE;
        diag_error(e->s, st->at, DIAG_LOOP_CONTROL,
                   "%s of an unrolled loop cannot depend on a run-time condition", word);
        return FLOW_NEXT;
    }
    e->b.at = st->at;
    end_block(e, is_break ? IR_OP_break : IR_OP_continue, &e->loop->carried);
    return FLOW_END;
}

static enum flow elab_statement(struct elab *e, const struct stmt *st)
{
    e->b.at = st->at;
    switch (st->kind) {
    case STMT_LET: elab_let(e, st); return FLOW_NEXT;
    case STMT_VAR: elab_var(e, st); return FLOW_NEXT;
    case STMT_AXIS:
    case STMT_GRID: elab_axis(e, st); return FLOW_NEXT;
    case STMT_SWEEP: return elab_sweep(e, st);
    case STMT_FOR: return elab_for(e, st);
    case STMT_WHILE: return elab_while(e, st);
    case STMT_IF: return elab_if(e, st);
    case STMT_BREAK:
    case STMT_CONTINUE: return elab_leave(e, st);
    case STMT_RETURN: return elab_return(e, st);
    case STMT_ASSERT:
    case STMT_ASSUME: elab_fact(e, st); return FLOW_NEXT;
    case STMT_STATIC_ASSERT: elab_static_assert(e, st); return FLOW_NEXT;
    case STMT_EXPR: elab_expr_statement(e, st); return FLOW_NEXT;
    case STMT_ASSIGN: elab_assign(e, st); return FLOW_NEXT;
    case STMT_BLOCK: return elab_block(e, &st->block);
    case STMT_LAUNCH:
    case STMT_SCRATCH:
        diag_error(e->s, st->at, DIAG_NOT_CALLABLE, "%s belongs in the body of an op",
                   st->kind == STMT_LAUNCH ? "launch" : "scratch");
        return FLOW_NEXT;
    case STMT_POISON: return FLOW_NEXT;
    }
    return FLOW_NEXT;
}

enum flow elab_statements(struct elab *e, const ast_block *block, uint32_t from)
{
    for (uint32_t i = from; i < block->count; i++) {
        if (!small_enough(e, block->data[i]->at))
            return FLOW_NEXT;
        bool takes_rest = block->data[i]->kind == STMT_IF;
        struct rest rest = {NULL, block, i + 1, e->names.count, e->scope};
        if (e->call) {
            rest.outer = e->call->rest;
            e->call->rest = &rest;
        }
        enum flow flow = elab_statement(e, block->data[i]);
        if (e->call)
            e->call->rest = rest.outer;
        if (flow == FLOW_NEXT)
            continue;
        if (i + 1 < block->count && !takes_rest && e->warn)
            diag_warning(e->s, block->data[i + 1]->at, DIAG_UNREACHABLE, "this can never run");
        return flow;
    }
    return FLOW_NEXT;
}

enum flow elab_block(struct elab *e, const ast_block *block)
{
    if (e->depth >= 200) {
        if (block->count)
            diag_error(e->s, block->data[0]->at, DIAG_TOO_LARGE, "blocks are nested too deeply");
        return FLOW_NEXT;
    }
    uint32_t outer = scope_begin(e);
    e->depth++;
    enum flow flow = elab_statements(e, block, 0);
    e->depth--;
    scope_end(e, outer);
    return flow;
}
