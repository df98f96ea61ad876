/* Expressions inside kernels and functions. */
#include "sema/elab.h"

#include <math.h>

#define MAX_DEPTH 300

/* ---- names ---------------------------------------------------------------------------------- */

static struct value not_a_value(struct elab *e, const struct expr *x, const char *is)
{
    diag_error(e->s, x->at, DIAG_NOT_A_VALUE, "%s is %s, not a value", x->string, is);
    return value_poison();
}

static struct value axis_value(struct elab *e, const struct expr *x, const struct local *l)
{
    if (l->number == IR_NO_AXIS)
        return value_poison();
    const struct ir_axis *axis = &e->f->axes.data[l->number];
    if (axis->kind == IR_AXIS_PART)
        return not_a_value(e, x, "a partition");
    if (axis->kind == IR_AXIS_SWEPT && !(e->sweeping & (axis_set)1 << l->number)) {
        diag_error(e->s, x->at, DIAG_AXIS_OUTSIDE_SWEEP, "axis %s is used outside its sweep",
                   x->string);
        diag_note(e->s, l->name.at, "%s is swept, so it has values only inside `sweep %s { }`",
                  x->string, x->string);
        return value_poison();
    }
    e->b.at = x->at;
    return value_ir(ir_index(&e->b, (uint8_t)l->number));
}

static struct value tensor_value(struct elab *e, const struct expr *x, const struct local *l)
{
    const struct tensor *t = &e->tensors.data[l->number];
    diag_error(e->s, x->at, DIAG_NOT_A_VALUE, "%s is a tensor, not a value", x->string);
    diag_help(e->s, t->rank ? "read it with subscripts: %s[...]" : "read its one element: %s[]",
              x->string);
    return value_poison();
}

static struct value local_value(struct elab *e, const struct expr *x, struct local *l)
{
    switch (l->kind) {
    case LOCAL_VALUE:
        if (l->absent && !e->dead) {
            diag_error(e->s, x->at, DIAG_ABSENT_TENSOR,
                       "%s is a dimension of tensors that are absent here", x->string);
            return value_poison();
        }
        return l->value;
    case LOCAL_VAR: return l->value;
    case LOCAL_AXIS: return axis_value(e, x, l);
    case LOCAL_TENSOR: return tensor_value(e, x, l);
    case LOCAL_TYPE: return not_a_value(e, x, "a type");
    case LOCAL_WORD: return not_a_value(e, x, "a schedule word");
    }
    return value_poison();
}

static struct value item_value(struct elab *e, const struct expr *x, struct sema_item *item)
{
    if (item->ast->kind == ITEM_CONST)
        return value_const(sema_const(item));
    diag_error(e->s, x->at, DIAG_NOT_A_VALUE, "%s is %s %s, not a value", item->ast->name.text,
               item_kind_article(item->ast->kind), item_kind_text(item->ast->kind));
    return value_poison();
}

static struct value elab_name(struct elab *e, const struct expr *x)
{
    struct local *l = find_local(e, x->string);
    if (l)
        return local_value(e, x, l);
    if (strcmp(x->string, "inf") == 0)
        return value_const(const_literal_float((double)INFINITY));
    if (strcmp(x->string, "nan") == 0)
        return value_const(const_literal_float((double)NAN));
    struct sema_item *item = sema_find(e->m, x->string);
    if (item)
        return item_value(e, x, item);
    if (sema_is_alias(e->m, x->string))
        return not_a_value(e, x, "an import");
    if (name_is_reserved(x->string))
        return not_a_value(e, x, "built in");
    unknown_name(e, (struct ast_name){x->string, x->at}, "value");
    return value_poison();
}

static struct value elab_has(struct elab *e, const struct expr *x)
{
    struct local *l = find_local(e, x->string);
    if (!l) {
        unknown_name(e, (struct ast_name){x->string, x->at}, "tensor");
        return value_poison();
    }
    if (l->kind == LOCAL_TENSOR && e->tensors.data[l->number].param->type->optional) {
        e->tensors.data[l->number].used = true;
        return value_const(const_bool(e->tensors.data[l->number].present));
    }
    diag_error(e->s, x->at, DIAG_NOT_OPTIONAL, "%s is always present", x->string);
    diag_note(e->s, l->name.at,
              l->kind == LOCAL_TENSOR ? "it would be optional with a `?` after its type"
                                      : "it is this %s",
              l->noun);
    return value_poison();
}

/* ---- members -------------------------------------------------------------------------------- */

static struct value field_value(struct elab *e, struct value base, struct ast_name member)
{
    VEC(const char *) names = {0};
    if (is_poison(base))
        return base;
    if (base.kind != VALUE_STRUCT) {
        diag_error(e->s, member.at, DIAG_UNKNOWN_MEMBER, "%s has no members", value_text(e, base));
        return value_poison();
    }
    for (uint32_t i = 0; i < struct_size(base.of); i++) {
        if (base.of->ast->params.data[i].name.text == member.text)
            return value_ir(base.parts[i]);
        vec_push(&e->s->scratch, &names, base.of->ast->params.data[i].name.text);
    }
    diag_error(e->s, member.at, DIAG_UNKNOWN_MEMBER, "struct %s has no field %s",
               base.of->ast->name.text, member.text);
    const char *near = nearest_name(member.text, names.data, names.count);
    if (near)
        diag_help(e->s, "did you mean %s?", near);
    return value_poison();
}

/* The item that `name` or `alias.name` means here, NULL if it is a local value or nothing. */
static struct sema_item *item_of_expr(struct elab *e, const struct expr *x)
{
    bool alias_known;
    if (x->kind == EXPR_NAME && !find_local(e, x->string))
        return sema_find(e->m, x->string);
    if (x->kind == EXPR_MEMBER && x->member.base->kind == EXPR_NAME &&
        sema_is_alias(e->m, x->member.base->string))
        return sema_find_in(e->m, x->member.base->string, x->member.member.text, &alias_known);
    return NULL;
}

static struct value elab_member(struct elab *e, const struct expr *x)
{
    const struct expr *base = x->member.base;
    struct ast_name member = x->member.member;
    struct sema_item *owner = item_of_expr(e, base);
    if (owner && owner->ast->kind == ITEM_ENUM)
        return value_const(enum_value(e->s, owner->ast, member));
    struct sema_item *item = item_of_expr(e, x);
    if (item)
        return item_value(e, x, item);
    if (base->kind == EXPR_NAME && !find_local(e, base->string)) {
        if (strcmp(base->string, "dev") == 0) {
            /* A function alone may be for ops: a kernel that calls it is told. */
            if (e->kernel)
                diag_error(e->s, x->at, DIAG_CONST_EXPECTED,
                           "facts of the device are for tune clauses and ops, not for kernels");
            return value_poison();
        }
        if (sema_is_alias(e->m, base->string)) {
            diag_error(e->s, member.at, DIAG_UNKNOWN_NAME, "the import %s has no %s", base->string,
                       member.text);
            return value_poison();
        }
    }
    return field_value(e, elab_expr(e, base), member);
}

/* ---- operators ------------------------------------------------------------------------------ */

static bool is_byte_float(enum ir_elem elem)
{
    return elem == IR_F8E4M3 || elem == IR_F8E5M2;
}

static struct value no_arithmetic(struct elab *e, struct span at, const char *op, enum ir_elem elem)
{
    diag_error(e->s, at, DIAG_NO_ARITHMETIC, "%s is not defined for %s", op, ir_elem_name(elem));
    if (is_byte_float(elem))
        diag_help(e->s, "convert it first: f32(x)");
    if (elem == IR_BOOL)
        diag_help(e->s, "a bool becomes a number with `b ? 1 : 0`");
    return value_poison();
}

static struct value elab_unary(struct elab *e, const struct expr *x)
{
    static const struct {
        const char *text;
        enum ir_opcode op;
    } rows[] = {
        {"-", IR_OP_neg},
        {"!", IR_OP_not},
        {"~", IR_OP_not},
    };
    enum ast_unary op = x->unary.op;
    struct const_value c;
    struct value v = elab_expr(e, x->unary.operand);
    if (v.kind == VALUE_CONST)
        return const_unary(e->s, x->at, op, v.c, &c) ? value_const(c) : value_poison();
    struct ir_value *ir = as_ir(e, x->at, v);
    if (!ir)
        return value_poison();
    enum ir_elem elem = ir->type.elem;
    bool fits = op == AST_NOT      ? elem == IR_BOOL
                : op == AST_NEGATE ? elem != IR_BOOL && !is_byte_float(elem)
                                   : ir_elem_is_integer(elem);
    if (!fits)
        return no_arithmetic(e, x->at, rows[op].text, elem);
    return value_ir(ir_unary(&e->b, rows[op].op, ir));
}

/* How each operator is built: an op, or a comparison. */
static const struct operator_row {
    enum ir_opcode op;
    enum ir_cmp cmp;
    bool compares, floats, integers, bools;
} operators[] = {
    [AST_ADD] = {.op = IR_OP_add,   .floats = true,                  .integers = true},
    [AST_SUB] = {.op = IR_OP_sub,                 .floats = true,                                  .integers = true},
    [AST_MUL] = {.op = IR_OP_mul, .floats = true,.integers = true},
    [AST_DIV] = {.op = IR_OP_div,   .floats = true,                    .integers = true},
    [AST_REM] = {.op = IR_OP_rem,   .integers = true                 },
    [AST_SHL] = {.op = IR_OP_shl,                 .integers = true                                 },
    [AST_SHR] = {.op = IR_OP_shr,                 .integers = true                },
    [AST_LT] = {.cmp = IR_CMP_LT,                 .compares = true, .floats = true, .integers = true},
    [AST_GT] = {.cmp = IR_CMP_GT,                 .compares = true,                 .floats = true, .integers = true},
    [AST_LE] = {.cmp = IR_CMP_LE,   .compares = true,                  .floats = true, .integers = true},
    [AST_GE] = {.cmp = IR_CMP_GE,  .compares = true, .floats = true, .integers = true},
    [AST_EQ] =
        {.cmp = IR_CMP_EQ, .compares = true,                                .floats = true, .integers = true, .bools = true},
    [AST_NE] =
        {.cmp = IR_CMP_NE,.compares = true,.floats = true, .integers = true, .bools = true},
    [AST_BIT_AND] = {.op = IR_OP_and,                 .integers = true,                                 .bools = true},
    [AST_BIT_OR] = {.op = IR_OP_or,   .integers = true,                  .bools = true},
    [AST_BIT_XOR] = {.op = IR_OP_xor,  .integers = true,                 .bools = true},
    [AST_AND] = {.op = IR_OP_and, .bools = true                  },
    [AST_OR] = {.op = IR_OP_or,  .bools = true                  },
};

struct value elab_binary(struct elab *e, struct span at, enum ast_binary op, struct value x,
                         struct value y)
{
    const struct operator_row *row = &operators[op];
    struct const_value c;
    struct ir_value *both[2];
    if (is_poison(x) || is_poison(y))
        return value_poison();
    if (x.kind == VALUE_CONST && y.kind == VALUE_CONST)
        return const_binary(e->s, at, op, x.c, y.c, &c) ? value_const(c) : value_poison();
    const char *what = arena_printf(&e->s->module, "%s does not take", ast_binary_text(op));
    if (!join_operands(e, at, what, row->compares, &x, &y, both))
        return value_poison();
    enum ir_elem elem = both[0]->type.elem;
    bool fits = elem == IR_BOOL          ? row->bools
                : is_byte_float(elem)    ? false
                : ir_elem_is_float(elem) ? row->floats
                                         : row->integers;
    if (!fits)
        return no_arithmetic(e, at, ast_binary_text(op), elem);
    return value_ir(row->compares ? ir_compare(&e->b, row->cmp, both[0], both[1])
                                  : ir_binary(&e->b, row->op, both[0], both[1]));
}

/* a && b and a || b with a known: b is checked, but only elaborated where it decides. */
static struct value elab_logic(struct elab *e, const struct expr *x)
{
    enum ast_binary op = x->binary.op;
    struct value left = elab_expr(e, x->binary.left);
    bool decided =
        left.kind == VALUE_CONST && left.c.kind == CONST_BOOL && (left.c.i != 0) == (op == AST_OR);
    if (!decided)
        return elab_binary(e, x->at, op, left, elab_expr(e, x->binary.right));
    struct discard d = discard_begin(e, true);
    elab_binary(e, x->at, op, left, elab_expr(e, x->binary.right));
    discard_end(e, &d);
    return left;
}

struct value elab_select(struct elab *e, struct span at, struct ir_value *test, struct value yes,
                         struct value no)
{
    struct ir_value *all[3] = {test};
    if (is_poison(yes) || is_poison(no) || !test)
        return value_poison();
    if (yes.kind == VALUE_STRUCT && no.kind == VALUE_STRUCT && yes.of->ast == no.of->ast) {
        uint32_t n = struct_size(yes.of);
        struct ir_value **parts = arena_array(&e->s->module, struct ir_value *, n);
        for (uint32_t i = 0; i < n; i++)
            parts[i] = elab_select(e, at, test, value_ir(yes.parts[i]), value_ir(no.parts[i])).ir;
        return value_struct(e, yes.of, parts);
    }
    bool either;
    if (is_literal(yes, &either) && is_literal(no, &either)) {
        struct choice *choice = arena_new(&e->s->module, struct choice);
        *choice = (struct choice){test, yes, no};
        return (struct value){.kind = VALUE_CHOICE, .choice = choice};
    }
    if (!join_operands(e, at, "the two sides of ?: are", false, &yes, &no, all + 1) ||
        !join_axes(e, at, all, 3))
        return value_poison();
    return value_ir(ir_select(&e->b, all[0], all[1], all[2]));
}

static struct value elab_cond(struct elab *e, const struct expr *x)
{
    struct value test = elab_expr(e, x->cond.test);
    if (test.kind == VALUE_CONST && test.c.kind == CONST_BOOL) {
        struct value v = elab_expr(e, test.c.i ? x->cond.yes : x->cond.no);
        struct discard d = discard_begin(e, true);
        elab_expr(e, test.c.i ? x->cond.no : x->cond.yes);
        discard_end(e, &d);
        return v;
    }
    struct ir_value *ir = as_ir(e, x->cond.test->at, test);
    struct value yes = elab_expr(e, x->cond.yes), no = elab_expr(e, x->cond.no);
    if (ir && ir->type.elem != IR_BOOL) {
        diag_error(e->s, x->cond.test->at, DIAG_NOT_BOOL, "the condition of ?: is %s, not a bool",
                   elem_type_text(e, ir->type));
        return value_poison();
    }
    return elab_select(e, x->at, ir, yes, no);
}

/* ---- types -------------------------------------------------------------------------------------- */

static bool names_type(struct elab *e, const struct expr *x, enum ir_elem *elem)
{
    if (x->kind != EXPR_NAME)
        return false;
    const struct local *l = find_local(e, x->string);
    if (l && l->kind == LOCAL_TYPE)
        *elem = l->elem;
    return l ? l->kind == LOCAL_TYPE : elem_named(x->string, elem);
}

/* T == f32, T != W: known in every variant. */
static bool compare_types(struct elab *e, const struct expr *x, struct value *out)
{
    enum ir_elem left, right;
    if ((x->binary.op != AST_EQ && x->binary.op != AST_NE) ||
        !names_type(e, x->binary.left, &left) || !names_type(e, x->binary.right, &right))
        return false;
    *out = value_const(const_bool((left == right) == (x->binary.op == AST_EQ)));
    return true;
}

/* ---- all ------------------------------------------------------------------------------------ */

static struct value elab_kind(struct elab *e, const struct expr *x)
{
    switch (x->kind) {
    case EXPR_INT:
        return value_const(x->integer > INT64_MAX ? const_int(IR_U64, (int64_t)x->integer)
                                                  : const_literal_int((int64_t)x->integer));
    case EXPR_FLOAT: return value_const(const_literal_float(x->floating));
    case EXPR_BOOL: return value_const(const_bool(x->boolean));
    case EXPR_STRING:
        diag_error(e->s, x->at, DIAG_NOT_A_VALUE, "texts are for messages only");
        return value_poison();
    case EXPR_NAME: return elab_name(e, x);
    case EXPR_HAS: return elab_has(e, x);
    case EXPR_UNARY: return elab_unary(e, x);
    case EXPR_BINARY: {
        struct value types;
        if (x->binary.op == AST_AND || x->binary.op == AST_OR)
            return elab_logic(e, x);
        if (compare_types(e, x, &types))
            return types;
        struct value left = elab_expr(e, x->binary.left);
        return elab_binary(e, x->at, x->binary.op, left, elab_expr(e, x->binary.right));
    }
    case EXPR_COND: return elab_cond(e, x);
    case EXPR_CALL: return elab_call(e, x);
    case EXPR_INDEX: return elab_load(e, x, NULL, IR_CACHE_NONE);
    case EXPR_MEMBER: return elab_member(e, x);
    case EXPR_POISON: return value_poison();
    }
    return value_poison();
}

struct value elab_expr(struct elab *e, const struct expr *x)
{
    if (e->depth >= MAX_DEPTH) {
        diag_error(e->s, x->at, DIAG_TOO_LARGE, "the expression is nested too deeply");
        return value_poison();
    }
    if (!small_enough(e, x->at))
        return value_poison();
    e->depth++;
    struct value v = elab_kind(e, x);
    e->depth--;
    return v;
}

struct const_value elab_const(struct elab *e, const struct expr *x, const char *what)
{
    struct value v = elab_expr(e, x);
    if (v.kind == VALUE_CONST)
        return v.c;
    if (!is_poison(v))
        diag_error(e->s, x->at, DIAG_CONST_EXPECTED, "%s must be known at compile time", what);
    return const_poison();
}

#define MAX_VALUES 60000
#define MAX_STEPS  100000

bool small_enough(struct elab *e, struct span at)
{
    if (e->too_large)
        return false;
    if (e->f->value_count <= MAX_VALUES && ++e->steps <= MAX_STEPS)
        return true;
    e->too_large = true;
    for (const struct call *c = e->call; c; c = c->outer)
        at = c->at; /* the call in the kernel itself */
    return diag_error(e->s, at, DIAG_TOO_LARGE,
                      "the kernel grows too large here, by unrolled loops or inlined functions");
}

struct discard discard_begin(struct elab *e, bool dead)
{
    struct discard d = {ir_block_new(e->f, NULL), e->b.block, facts_mark(e), dead};
    struct linear never = linear_constant(-1);
    e->b.block = d.block;
    e->dead += dead;
    if (dead)
        facts_add(&e->facts, &never);
    return d;
}

void discard_end(struct elab *e, struct discard *d)
{
    while (d->block->last)
        ir_remove(d->block->last);
    e->b.block = d->back;
    e->dead -= d->dead;
    facts_release(e, d->facts);
}
