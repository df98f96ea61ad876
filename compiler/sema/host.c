/* Host expressions: what an operator computes from dims, scalars, const parameters and the device.
 * Types are checked here; values are known at prepare time, by runtime/host.c. */
#include "sema/op.h"

#include <math.h>

enum { MAX_STEPS = 1 << 17 };

struct host_value host_poison(void)
{
    return (struct host_value){.kind = HOST_POISON, .node = LDSL_NONE};
}

static struct host_value number(uint32_t node, enum ir_elem elem, bool literal)
{
    return (struct host_value){.kind = HOST_NUMBER, .elem = elem, .literal = literal, .node = node};
}

enum ldsl_dtype dtype_of(enum ir_elem elem)
{
    return elem == IR_INDEX ? LDSL_I64 : (enum ldsl_dtype)elem;
}

uint32_t line_of(struct session *s, struct span at)
{
    uint32_t line, column;
    source_locate(s, at, &line, &column);
    return line;
}

/* ---- nodes ------------------------------------------------------------------------------------- */

uint32_t host_node(struct unit *u, enum ldsl_host_op op, enum ir_elem elem, struct span at,
                   uint32_t a, uint32_t b, uint32_t c)
{
    static const uint8_t operands[LDSL_HOST_COUNT] = {
#define X(name, count) [LDSL_HOST_##name] = count,
        LDSL_HOST_LIST(X)
#undef X
    };
    struct ldsl_module_node node = {
        .op = (uint8_t)op, .dtype = (uint8_t)dtype_of(elem), .cost = 1, .line = line_of(u->s, at)};
    const uint32_t children[3] = {a, b, c};
    uint32_t *const fields[3] = {&node.a, &node.b, &node.c};
    for (unsigned i = 0; i < operands[op]; i++) {
        if (children[i] == LDSL_NONE)
            return LDSL_NONE;
        *fields[i] = children[i];
        node.cost += u->nodes.data[children[i]].cost;
    }
    if (node.cost > LDSL_HOST_MAX_COST) {
        diag_error(u->s, at, DIAG_HOST_EXPRESSION,
                   "the expression is too long to be evaluated at each launch");
        return LDSL_NONE;
    }
    vec_push(&u->s->module, &u->nodes, node);
    return u->nodes.count - 1;
}

uint32_t host_int(struct unit *u, int64_t value, struct span at)
{
    uint32_t node = host_node(u, LDSL_HOST_INT, IR_INDEX, at, 0, 0, 0);
    u->nodes.data[node].value.i = value;
    return node;
}

uint32_t host_symbol(struct unit *u, uint32_t symbol, struct span at)
{
    uint32_t node = host_node(u, LDSL_HOST_SYMBOL, IR_INDEX, at, 0, 0, 0);
    u->nodes.data[node].n = symbol;
    u->nodes.data[node].dtype = u->symbols.data[symbol].dtype;
    return node;
}

struct host_value host_const(struct unit *u, struct const_value v, struct span at)
{
    uint32_t node;
    switch (v.kind) {
    case CONST_INT:
        node = host_int(u, v.i, at);
        u->nodes.data[node].dtype = (uint8_t)dtype_of(v.elem);
        return number(node, v.elem, v.literal);
    case CONST_BOOL:
        node = host_int(u, v.i, at);
        u->nodes.data[node].dtype = LDSL_BOOL;
        return number(node, IR_BOOL, false);
    case CONST_FLOAT:
        node = host_node(u, LDSL_HOST_FLOAT, v.literal ? IR_F64 : v.elem, at, 0, 0, 0);
        u->nodes.data[node].value.f = v.f;
        return number(node, v.elem, v.literal);
    case CONST_ENUM:
        return (struct host_value){
            .kind = HOST_ENUM, .elem = IR_INDEX, .of = v.of, .node = host_int(u, v.i, at)};
    case CONST_POISON: break;
    case CONST_UNKNOWN:
    case CONST_TYPE:
    case CONST_TEXT: diag_error(u->s, at, DIAG_NOT_A_VALUE, "a number is wanted here"); break;
    }
    return host_poison();
}

bool host_depends_on_launch(const struct unit *u, uint32_t index)
{
    static const uint8_t operands[LDSL_HOST_COUNT] = {
#define X(name, count) [LDSL_HOST_##name] = count,
        LDSL_HOST_LIST(X)
#undef X
    };
    if (index == LDSL_NONE)
        return false;
    const struct ldsl_module_node *node = &u->nodes.data[index];
    if (node->op == LDSL_HOST_SYMBOL) {
        uint8_t kind = u->symbols.data[node->n].kind;
        return kind == LDSL_SYMBOL_DIM || kind == LDSL_SYMBOL_SCALAR || kind == LDSL_SYMBOL_LET ||
               kind == LDSL_SYMBOL_LOOP;
    }
    const uint32_t children[3] = {node->a, node->b, node->c};
    for (unsigned i = 0; i < operands[node->op]; i++)
        if (host_depends_on_launch(u, children[i]))
            return true;
    return node->op == LDSL_HOST_ALIGN || node->op == LDSL_HOST_PACKED;
}

/* ---- names ------------------------------------------------------------------------------------- */

struct host_name *host_find(struct unit *u, const char *name)
{
    for (uint32_t i = u->names.count; i > u->floor; i--)
        if (u->names.data[i - 1].name.text == name)
            return &u->names.data[i - 1];
    return NULL;
}

struct host_name *host_declare(struct unit *u, struct ast_name name, enum host_name_kind kind)
{
    const struct host_name *other = host_find(u, name.text);
    if (other) {
        diag_error(u->s, name.at, DIAG_DUPLICATE_NAME, "%s is declared twice", name.text);
        diag_note(u->s, other->name.at, "the first one is here");
    } else if (word_is_reserved(name.text)) {
        diag_error(u->s, name.at, DIAG_BUILTIN_NAME, "%s is built in", name.text);
    }
    vec_push(&u->s->module, &u->names, (struct host_name){.name = name, .kind = kind});
    return &vec_last(&u->names);
}

uint32_t unit_symbol(struct unit *u, const char *name, enum ldsl_symbol_kind kind,
                     enum ir_elem elem)
{
    vec_push(&u->s->module, &u->symbols,
             (struct ldsl_module_symbol){.name = image_text(u->image, name),
                                         .kind = (uint8_t)kind,
                                         .dtype = (uint8_t)dtype_of(elem)});
    return u->symbols.count - 1;
}

static struct host_value unknown_name(struct unit *u, struct span at, const char *name)
{
    VEC(const char *) names = {0};
    for (uint32_t i = u->floor; i < u->names.count; i++)
        vec_push(&u->s->scratch, &names, u->names.data[i].name.text);
    diag_error(u->s, at, DIAG_UNKNOWN_NAME, "there is nothing called %s", name);
    const char *near = nearest_name(name, names.data, names.count);
    if (!near)
        near = nearest_item(u->m, name, 0);
    if (near)
        diag_help(u->s, "did you mean %s?", near);
    return host_poison();
}

static struct host_value device_value(struct unit *u, struct span at, const char *name)
{
    diag_error(u->s, at, DIAG_DEVICE_VALUE,
               "%s is known on the device only; the host cannot compute with it", name);
    return host_poison();
}

static struct host_value item_value(struct unit *u, const struct expr *e, struct sema_item *item)
{
    if (item->ast->kind == ITEM_CONST)
        return host_const(u, sema_const(item), e->at);
    diag_error(u->s, e->at, DIAG_NOT_A_VALUE, "%s is a %s, not a value", item->ast->name.text,
               item_kind_text(item->ast->kind));
    return host_poison();
}

/* A let of a kernel's body. One that names itself never ends; the kernel's own check says so. */
static struct host_value later_value(struct unit *u, const struct expr *e, const struct expr *later)
{
    if (u->depth == 32)
        return device_value(u, e->at, e->string);
    u->depth++;
    struct host_value v = host_expr(u, later);
    u->depth--;
    return v;
}

static struct host_value name_value(struct unit *u, const struct expr *e)
{
    struct host_name *n = host_find(u, e->string);
    if (!n) {
        struct sema_item *item = sema_find(u->m, e->string);
        if (item)
            return item_value(u, e, item);
        enum ir_elem elem;
        if (strcmp(e->string, "inf") == 0 || strcmp(e->string, "nan") == 0)
            return host_const(u, const_literal_float(e->string[0] == 'i' ? INFINITY : NAN), e->at);
        /* f32 alone: a type, to compare a generic with */
        if (elem_named(e->string, &elem) && elem != IR_INDEX)
            return (struct host_value){
                .kind = HOST_TYPE, .elem = IR_INDEX, .node = host_int(u, elem, e->at)};
        return unknown_name(u, e->at, e->string);
    }
    n->used = true;
    switch (n->kind) {
    case HOST_NAME_VALUE: return n->value;
    case HOST_NAME_LATER: return later_value(u, e, n->later);
    case HOST_NAME_PARAM:
    case HOST_NAME_TENSOR:
        diag_error(
            u->s, e->at, DIAG_DEVICE_VALUE,
            "%s is a tensor: its elements are on the device, where the host cannot read them",
            e->string);
        diag_help(u->s, "the host computes with dims, scalars, const parameters and dev. facts");
        return host_poison();
    case HOST_NAME_DEVICE: return device_value(u, e->at, e->string);
    }
    return host_poison();
}

/* ---- members: dev.sm_count, Casting.llama, m.name ------------------------------------------------ */

static struct host_value device_fact_value(struct unit *u, const struct expr *e)
{
    static const char *const facts[] = {
#define X(name, text) text,
        LDSL_DEVICE_FACT_LIST(X)
#undef X
    };
    struct const_value fact = device_fact(u->s, e->member.member, NULL);
    for (uint32_t i = 0; i < LDSL_DEVICE_FACT_COUNT && fact.kind == CONST_UNKNOWN; i++) {
        if (strcmp(facts[i], e->member.member.text))
            continue;
        uint32_t node = host_node(u, LDSL_HOST_DEVICE, fact.elem, e->at, 0, 0, 0);
        u->nodes.data[node].n = i;
        return number(node, fact.elem, false);
    }
    return host_poison();
}

static struct host_value member_of_item(struct unit *u, const struct expr *e,
                                        struct sema_item *item)
{
    if (item && item->ast->kind == ITEM_ENUM)
        return host_const(u, enum_value(u->s, item->ast, e->member.member), e->at);
    diag_error(u->s, e->at, DIAG_UNKNOWN_MEMBER, "nothing here has a member %s",
               e->member.member.text);
    return host_poison();
}

static struct host_value member_value(struct unit *u, const struct expr *e)
{
    const struct expr *base = e->member.base;
    bool known;
    if (base->kind == EXPR_NAME && strcmp(base->string, "dev") == 0)
        return device_fact_value(u, e);
    if (base->kind == EXPR_NAME && !host_find(u, base->string)) {
        if (!sema_is_alias(u->m, base->string))
            return member_of_item(u, e, sema_find(u->m, base->string));
        struct sema_item *item = sema_find_in(u->m, base->string, e->member.member.text, &known);
        if (item)
            return item_value(u, e, item);
    }
    if (base->kind == EXPR_MEMBER && base->member.base->kind == EXPR_NAME)
        return member_of_item(
            u, e, sema_find_in(u->m, base->member.base->string, base->member.member.text, &known));
    return member_of_item(u, e, NULL);
}

/* ---- conversions ------------------------------------------------------------------------------- */

static bool is_float(enum ir_elem elem)
{
    return ir_elem_is_float(elem);
}

static uint32_t cast_node(struct unit *u, struct span at, struct host_value v, enum ir_elem elem)
{
    const struct ldsl_module_node *n = &u->nodes.data[v.node];
    if (v.elem == elem && (!v.literal || n->dtype == dtype_of(elem)))
        return v.node;
    if (!v.literal || (n->op != LDSL_HOST_INT && n->op != LDSL_HOST_FLOAT))
        return host_node(u, LDSL_HOST_CAST, elem, at, v.node, 0, 0);
    /* A literal is written in the type that is wanted. */
    double f = n->op == LDSL_HOST_FLOAT ? n->value.f : (double)n->value.i;
    int64_t i = n->value.i;
    uint32_t node =
        host_node(u, is_float(elem) ? LDSL_HOST_FLOAT : LDSL_HOST_INT, elem, at, 0, 0, 0);
    if (is_float(elem))
        u->nodes.data[node].value.f = f;
    else
        u->nodes.data[node].value.i = i;
    return node;
}

uint32_t host_convert(struct unit *u, struct span at, struct host_value v, enum ir_elem elem)
{
    if (v.kind == HOST_POISON)
        return LDSL_NONE;
    if (v.kind != HOST_NUMBER) {
        diag_error(u->s, at, DIAG_TYPE_MIX, "%s is wanted here, not %s", ir_elem_name(elem),
                   v.kind == HOST_ENUM ? v.of->name.text : "a type");
        return LDSL_NONE;
    }
    if (v.literal && v.elem != IR_BOOL && elem != IR_BOOL && (is_float(elem) || !is_float(v.elem)))
        return cast_node(u, at, v, elem);
    if (v.elem != elem && !elem_widens(v.elem, elem)) {
        report_implicit(u->s, at, v.elem, elem, NULL);
        return LDSL_NONE;
    }
    return cast_node(u, at, v, elem);
}

uint32_t host_as(struct unit *u, const struct expr *e, enum ir_elem elem)
{
    return host_convert(u, e->at, host_expr(u, e), elem);
}

uint32_t host_condition(struct unit *u, const struct expr *e, const char *what)
{
    struct host_value v = host_expr(u, e);
    if (v.kind == HOST_POISON)
        return LDSL_NONE;
    if (v.kind == HOST_NUMBER && v.elem == IR_BOOL)
        return v.node;
    diag_error(u->s, e->at, DIAG_NOT_BOOL, "the %s must be a bool", what);
    return LDSL_NONE;
}

/* Both operands in one type. A literal takes the other's, if it can. */
static bool meet(struct unit *u, struct span at, const char *what, bool compares,
                 struct host_value *x, struct host_value *y)
{
    enum ir_elem elem;
    if (x->literal && !y->literal && (is_float(y->elem) || !is_float(x->elem)))
        elem = y->elem;
    else if (y->literal && !x->literal && (is_float(x->elem) || !is_float(y->elem)))
        elem = x->elem;
    else if (x->literal && y->literal)
        elem = is_float(x->elem) ? x->elem : y->elem;
    else if (!(compares ? elem_join_compare : elem_join)(x->elem, y->elem, &elem))
        return report_mix(u->s, at, what, x->elem, y->elem);
    bool literal = x->literal && y->literal;
    if (literal) {
        x->elem = y->elem = elem;
        return true;
    }
    *x = number(cast_node(u, at, *x, elem), elem, false);
    *y = number(cast_node(u, at, *y, elem), elem, false);
    return true;
}

/* ---- operators --------------------------------------------------------------------------------- */

static enum ldsl_host_op binary_op(enum ast_binary op)
{
    switch (op) {
#define X(name, text)                                                                              \
    case AST_##name: return LDSL_HOST_##name;
        AST_BINARY_LIST(X)
#undef X
    }
    return LDSL_HOST_COUNT;
}

static bool is_comparison(enum ast_binary op)
{
    return op >= AST_LT && op <= AST_NE;
}

static bool takes_integers_only(enum ast_binary op)
{
    return op == AST_REM || op == AST_SHL || op == AST_SHR ||
           (op >= AST_BIT_AND && op <= AST_BIT_XOR);
}

/* Enums and types are only equal or not. */
static struct host_value compare_names(struct unit *u, const struct expr *e, struct host_value x,
                                       struct host_value y)
{
    bool equality = e->binary.op == AST_EQ || e->binary.op == AST_NE;
    if (!equality || x.kind != y.kind || x.of != y.of) {
        diag_error(u->s, e->binary.op_at, DIAG_TYPE_MIX,
                   "%s does not take these operands: enums and types are compared by == and !=",
                   ast_binary_text(e->binary.op));
        return host_poison();
    }
    return number(host_node(u, binary_op(e->binary.op), IR_BOOL, e->at, x.node, y.node, 0), IR_BOOL,
                  false);
}

static struct host_value binary_value(struct unit *u, const struct expr *e)
{
    enum ast_binary op = e->binary.op;
    struct host_value x = host_expr(u, e->binary.left), y = host_expr(u, e->binary.right);
    if (x.kind == HOST_POISON || y.kind == HOST_POISON)
        return host_poison();
    if (x.kind != HOST_NUMBER || y.kind != HOST_NUMBER)
        return compare_names(u, e, x, y);
    const char *text = ast_binary_text(op);
    bool logic = op == AST_AND || op == AST_OR;
    if (logic && (x.elem != IR_BOOL || y.elem != IR_BOOL)) {
        diag_error(u->s, e->binary.op_at, DIAG_NOT_BOOL, "%s takes conditions on both sides", text);
        return host_poison();
    }
    if (!logic && !meet(u, e->binary.op_at, text, is_comparison(op), &x, &y))
        return host_poison();
    bool bools = x.elem == IR_BOOL;
    if ((is_float(x.elem) && takes_integers_only(op)) ||
        (bools && !logic && op != AST_EQ && op != AST_NE)) {
        diag_error(u->s, e->binary.op_at, DIAG_NO_ARITHMETIC, "%s does not take %s", text,
                   ir_elem_name(x.elem));
        return host_poison();
    }
    enum ir_elem elem = logic || is_comparison(op) ? IR_BOOL : x.elem;
    bool literal = x.literal && y.literal && elem != IR_BOOL;
    enum ir_elem held = literal && is_float(elem) ? IR_F64 : elem;
    return number(host_node(u, binary_op(op), held, e->at, x.node, y.node, 0), elem, literal);
}

static struct host_value unary_value(struct unit *u, const struct expr *e)
{
    struct host_value x = host_expr(u, e->unary.operand);
    if (x.kind == HOST_POISON)
        return x;
    bool fits = x.kind == HOST_NUMBER;
    enum ldsl_host_op op = LDSL_HOST_NEG;
    switch (e->unary.op) {
    case AST_NEGATE: fits = fits && x.elem != IR_BOOL; break;
    case AST_NOT:
        fits = fits && x.elem == IR_BOOL;
        op = LDSL_HOST_NOT;
        break;
    case AST_BIT_NOT:
        fits = fits && ir_elem_is_integer(x.elem);
        op = LDSL_HOST_INVERT;
        break;
    }
    if (!fits) {
        diag_error(u->s, e->at, DIAG_NO_ARITHMETIC, "the operator does not take this operand");
        return host_poison();
    }
    enum ir_elem held = x.literal && is_float(x.elem) ? IR_F64 : x.elem;
    return number(host_node(u, op, held, e->at, x.node, 0, 0), x.elem, x.literal);
}

static struct host_value cond_value(struct unit *u, const struct expr *e)
{
    uint32_t test = host_condition(u, e->cond.test, "condition");
    struct host_value x = host_expr(u, e->cond.yes), y = host_expr(u, e->cond.no);
    if (test == LDSL_NONE || x.kind == HOST_POISON || y.kind == HOST_POISON)
        return host_poison();
    if (x.kind != HOST_NUMBER || y.kind != HOST_NUMBER) {
        if (x.kind == y.kind && x.of == y.of) {
            x.node = host_node(u, LDSL_HOST_COND, IR_INDEX, e->at, test, x.node, y.node);
            return x;
        }
        diag_error(u->s, e->at, DIAG_TYPE_MIX, "the two choices have different types");
        return host_poison();
    }
    if (!meet(u, e->at, "? :", false, &x, &y))
        return host_poison();
    enum ir_elem held = x.literal && is_float(x.elem) ? IR_F64 : x.elem;
    return number(host_node(u, LDSL_HOST_COND, held, e->at, test, x.node, y.node), x.elem,
                  x.literal);
}

/* ---- built-in functions ------------------------------------------------------------------------ */

enum host_rule { RULE_FLOAT, RULE_SAME, RULE_FOLD, RULE_INDEX };

static const struct host_function {
    const char *name;
    enum host_rule rule;
    enum ldsl_host_op op;
    uint32_t least, most;
} functions[] = {
    {"min",    RULE_FOLD,  LDSL_HOST_MIN,    2, 8},
    {"max",    RULE_FOLD,  LDSL_HOST_MAX,    2, 8},
    {"cdiv",   RULE_INDEX, LDSL_HOST_CDIV,   2, 2},
    {"fit",    RULE_INDEX, LDSL_HOST_FIT,    1, 1},
    {"bucket", RULE_INDEX, LDSL_HOST_BUCKET, 1, 1},
    {"abs",    RULE_SAME,  LDSL_HOST_ABS,    1, 1},
    {"floor",  RULE_FLOAT, LDSL_HOST_FLOOR,  1, 1},
    {"ceil",   RULE_FLOAT, LDSL_HOST_CEIL,   1, 1},
    {"round",  RULE_FLOAT, LDSL_HOST_ROUND,  1, 1},
    {"trunc",  RULE_FLOAT, LDSL_HOST_TRUNC,  1, 1},
    {"sqrt",   RULE_FLOAT, LDSL_HOST_SQRT,   1, 1},
    {"exp",    RULE_FLOAT, LDSL_HOST_EXP,    1, 1},
    {"exp2",   RULE_FLOAT, LDSL_HOST_EXP2,   1, 1},
    {"log",    RULE_FLOAT, LDSL_HOST_LOG,    1, 1},
    {"log2",   RULE_FLOAT, LDSL_HOST_LOG2,   1, 1},
    {"pow",    RULE_FLOAT, LDSL_HOST_POW,    2, 2},
};

static struct host_value bad_arguments(struct unit *u, const struct expr *e, const char *name)
{
    diag_error(u->s, e->at, DIAG_BAD_ARGUMENTS, "%s does not take these arguments", name);
    return host_poison();
}

static bool rule_takes(enum host_rule rule, enum ir_elem elem)
{
    switch (rule) {
    case RULE_FLOAT: return is_float(elem);
    case RULE_INDEX: return ir_elem_is_integer(elem);
    case RULE_SAME:
    case RULE_FOLD: return elem != IR_BOOL;
    }
    return false;
}

static struct host_value call_function(struct unit *u, const struct expr *e,
                                       const struct host_function *f)
{
    uint32_t count = e->call.args.count;
    if (count < f->least || count > f->most)
        return bad_arguments(u, e, f->name);
    struct host_value x = host_poison();
    for (uint32_t i = 0; i < count; i++) {
        const struct ast_arg *a = &e->call.args.data[i];
        struct host_value y = a->has_over || a->name.text ? host_poison() : host_expr(u, a->value);
        if (a->has_over || a->name.text)
            return bad_arguments(u, e, f->name);
        if (y.kind == HOST_POISON)
            return y;
        if (y.kind != HOST_NUMBER || !rule_takes(f->rule, y.elem))
            return bad_arguments(u, e, f->name);
        if (i && !meet(u, a->value->at, f->name, false, &x, &y))
            return host_poison();
        enum ir_elem held = y.literal && is_float(y.elem) ? IR_F64 : y.elem;
        if (f->least == 1)
            return number(host_node(u, f->op, held, e->at, y.node, 0, 0), y.elem, y.literal);
        x = i ? number(host_node(u, f->op, held, e->at, x.node, y.node, 0), y.elem, y.literal) : y;
    }
    return x;
}

/* The tensor parameter an argument names, for has, align and packed. -1 after reporting. */
static int64_t tensor_param(struct unit *u, struct span at, const char *name)
{
    struct host_name *n = name ? host_find(u, name) : NULL;
    if (n)
        n->used = true;
    if (n && n->kind == HOST_NAME_PARAM)
        return n->index;
    diag_error(u->s, at, DIAG_NOT_A_VALUE, "the name of a tensor parameter is wanted here");
    return -1;
}

static struct host_value ask_layout(struct unit *u, const struct expr *e, enum ldsl_host_op op)
{
    const struct ast_arg *args = e->call.args.data;
    if (e->call.args.count != (op == LDSL_HOST_ALIGN ? 2u : 1u))
        return bad_arguments(u, e, op == LDSL_HOST_ALIGN ? "align" : "packed");
    int64_t param = tensor_param(u, args[0].value->at,
                                 args[0].value->kind == EXPR_NAME ? args[0].value->string : NULL);
    uint32_t bytes = op == LDSL_HOST_ALIGN ? host_as(u, args[1].value, IR_INDEX) : 0;
    if (param < 0 || bytes == LDSL_NONE)
        return host_poison();
    uint32_t node = host_node(u, op, IR_BOOL, e->at, bytes, 0, 0);
    u->nodes.data[node].n = (uint32_t)param;
    return number(node, IR_BOOL, false);
}

static struct host_value has_value(struct unit *u, const struct expr *e)
{
    int64_t param = tensor_param(u, e->at, e->string);
    if (param < 0)
        return host_poison();
    if (!u->sig->params.data[param].optional) {
        diag_error(u->s, e->at, DIAG_NOT_OPTIONAL, "%s is not optional", e->string);
        return host_poison();
    }
    uint32_t node = host_node(u, LDSL_HOST_HAS, IR_BOOL, e->at, 0, 0, 0);
    u->nodes.data[node].n = (uint32_t)param;
    return number(node, IR_BOOL, false);
}

/* f32(x): an explicit conversion. */
static struct host_value cast_value(struct unit *u, const struct expr *e, enum ir_elem elem)
{
    if (e->call.args.count != 1 || e->call.args.data[0].name.text || e->call.args.data[0].has_over)
        return bad_arguments(u, e, ir_elem_name(elem));
    struct host_value v = host_expr(u, e->call.args.data[0].value);
    if (v.kind == HOST_POISON)
        return v;
    if (v.kind != HOST_NUMBER)
        return bad_arguments(u, e, ir_elem_name(elem));
    return number(host_node(u, LDSL_HOST_CAST, elem, e->at, v.node, 0, 0), elem, false);
}

static struct host_value call_named(struct unit *u, const struct expr *e, const char *name)
{
    enum ir_elem elem;
    struct sema_item *item = sema_find(u->m, name);
    if (item && item->ast->kind == ITEM_FN)
        return host_call_fn(u, e, item);
    if (elem_named(name, &elem))
        return cast_value(u, e, elem);
    if (strcmp(name, "align") == 0)
        return ask_layout(u, e, LDSL_HOST_ALIGN);
    if (strcmp(name, "packed") == 0)
        return ask_layout(u, e, LDSL_HOST_PACKED);
    for (uint32_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strcmp(functions[i].name, name) == 0)
            return call_function(u, e, &functions[i]);
    if (item)
        return item_value(u, e, item);
    if (name_is_reserved(name)) {
        diag_error(u->s, e->at, DIAG_DEVICE_VALUE,
                   "%s works on the device; the host has no such function", name);
        return host_poison();
    }
    return unknown_name(u, e->call.callee->at, name);
}

static struct host_value call_value(struct unit *u, const struct expr *e)
{
    const struct expr *callee = e->call.callee;
    if (callee->kind == EXPR_NAME)
        return call_named(u, e, callee->string);
    if (callee->kind == EXPR_MEMBER && callee->member.base->kind == EXPR_NAME) {
        bool known;
        struct sema_item *item =
            sema_find_in(u->m, callee->member.base->string, callee->member.member.text, &known);
        if (item && item->ast->kind == ITEM_FN)
            return host_call_fn(u, e, item);
    }
    diag_error(u->s, callee->at, DIAG_NOT_CALLABLE, "only functions can be called here");
    return host_poison();
}

bool host_step(struct unit *u, struct span at)
{
    if (u->steps > MAX_STEPS)
        return false;
    if (++u->steps <= MAX_STEPS)
        return true;
    return diag_error(u->s, at, DIAG_HOST_EXPRESSION,
                      "%s asks the host for too much: its functions call each other too often",
                      u->sig->item->ast->name.text);
}

struct host_value host_expr(struct unit *u, const struct expr *e)
{
    if (!host_step(u, e->at))
        return host_poison();
    switch (e->kind) {
    case EXPR_INT:
        if (e->integer > INT64_MAX) {
            diag_error(u->s, e->at, DIAG_LITERAL_RANGE, "the number does not fit an index");
            return host_poison();
        }
        return host_const(u, const_literal_int((int64_t)e->integer), e->at);
    case EXPR_FLOAT: return host_const(u, const_literal_float(e->floating), e->at);
    case EXPR_BOOL: return host_const(u, const_bool(e->boolean), e->at);
    case EXPR_STRING:
        diag_error(u->s, e->at, DIAG_NOT_A_VALUE, "a text is no value: it stands in messages only");
        return host_poison();
    case EXPR_NAME: return name_value(u, e);
    case EXPR_HAS: return has_value(u, e);
    case EXPR_UNARY: return unary_value(u, e);
    case EXPR_BINARY: return binary_value(u, e);
    case EXPR_COND: return cond_value(u, e);
    case EXPR_CALL: return call_value(u, e);
    case EXPR_MEMBER: return member_value(u, e);
    case EXPR_INDEX:
        diag_error(u->s, e->at, DIAG_DEVICE_VALUE,
                   "the elements of a tensor are on the device, where the host cannot read them");
        diag_help(u->s, "let a kernel compute with them, and pass the tensor on");
        return host_poison();
    case EXPR_POISON: break;
    }
    return host_poison();
}
