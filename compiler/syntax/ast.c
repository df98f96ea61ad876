/* Makers of tree nodes. They keep the depth of expressions within AST_MAX_EXPR_DEPTH. */
#include "syntax/internal.h"

static const char *const binary_text[] = {
#define X(name, text) text,
    AST_BINARY_LIST(X)
#undef X
};

const char *ast_binary_text(enum ast_binary op)
{
    return binary_text[op];
}

struct expr *new_expr(struct parse *p, enum expr_kind kind, struct span at)
{
    struct expr *e = arena_new(p->arena, struct expr);
    e->kind = kind;
    e->depth = 1;
    e->at = at;
    return e;
}

struct expr *new_text_expr(struct parse *p, enum expr_kind kind, struct span at, const char *text)
{
    struct expr *e = new_expr(p, kind, at);
    e->string = text;
    return e;
}

static void include_depth(struct expr *e, const struct expr *below)
{
    if (below && below->depth >= e->depth)
        e->depth = below->depth + 1;
}

/* The node, or when it grew too deep an error and a leaf in its place. */
static struct expr *bounded(struct parse *p, struct expr *e)
{
    if (e->depth <= AST_MAX_EXPR_DEPTH)
        return e;
    recover_too_deep(p, e->at);
    return new_expr(p, EXPR_POISON, e->at);
}

struct expr *new_unary(struct parse *p, struct span at, enum ast_unary op, struct expr *operand)
{
    struct expr *e = new_expr(p, EXPR_UNARY, at);
    e->unary.op = op;
    e->unary.operand = operand;
    include_depth(e, operand);
    return bounded(p, e);
}

struct expr *new_binary(struct parse *p, struct span at, enum ast_binary op, struct span op_at,
                        struct expr *left, struct expr *right)
{
    struct expr *e = new_expr(p, EXPR_BINARY, at);
    e->binary.op = op;
    e->binary.op_at = op_at;
    e->binary.left = left;
    e->binary.right = right;
    include_depth(e, left);
    include_depth(e, right);
    return bounded(p, e);
}

struct expr *new_both(struct parse *p, struct expr *left, struct expr *right)
{
    if (!left || !right)
        return left ? left : right;
    return new_binary(p, right->at, AST_AND, right->at, left, right);
}

struct expr *new_cond(struct parse *p, struct span at, struct expr *test, struct expr *yes,
                      struct expr *no)
{
    struct expr *e = new_expr(p, EXPR_COND, at);
    e->cond.test = test;
    e->cond.yes = yes;
    e->cond.no = no;
    include_depth(e, test);
    include_depth(e, yes);
    include_depth(e, no);
    return bounded(p, e);
}

struct expr *new_call(struct parse *p, struct span at, struct expr *callee, ast_args args)
{
    struct expr *e = new_expr(p, EXPR_CALL, at);
    e->call.callee = callee;
    e->call.args = args;
    include_depth(e, callee);
    for (uint32_t i = 0; i < args.count; i++) {
        include_depth(e, args.data[i].value);
        include_depth(e, args.data[i].with_body);
    }
    return bounded(p, e);
}

struct expr *new_index(struct parse *p, struct span at, struct expr *base, ast_subs subs)
{
    struct expr *e = new_expr(p, EXPR_INDEX, at);
    e->index.base = base;
    e->index.subs = subs;
    include_depth(e, base);
    for (uint32_t i = 0; i < subs.count; i++) {
        include_depth(e, subs.data[i].first);
        include_depth(e, subs.data[i].last);
    }
    return bounded(p, e);
}

struct expr *new_member(struct parse *p, struct span at, struct expr *base, struct ast_name member)
{
    struct expr *e = new_expr(p, EXPR_MEMBER, at);
    e->member.base = base;
    e->member.member = member;
    include_depth(e, base);
    return bounded(p, e);
}

struct ast_arg *new_arg(struct parse *p, struct span at, struct expr *value)
{
    struct ast_arg *arg = arena_new(p->arena, struct ast_arg);
    arg->value = value;
    arg->at = at;
    return arg;
}

struct type_expr *new_type(struct parse *p, enum type_expr_kind kind, struct span at)
{
    struct type_expr *t = arena_new(p->arena, struct type_expr);
    t->kind = kind;
    t->at = at;
    return t;
}

struct type_expr *new_tensor(struct parse *p, struct span at, struct type_expr *element,
                             ast_exprs dims)
{
    struct type_expr *t = new_type(p, TYPE_TENSOR, at);
    t->element = element;
    t->dims = dims;
    return t;
}

struct ast_param *new_param(struct parse *p, struct span at, struct ast_name name,
                            struct type_expr *type, struct expr *value)
{
    struct ast_param *param = arena_new(p->arena, struct ast_param);
    *param = (struct ast_param){.name = name, .type = type, .value = value, .at = at};
    return param;
}

struct stmt *new_stmt(struct parse *p, enum stmt_kind kind, struct span at)
{
    struct stmt *st = arena_new(p->arena, struct stmt);
    st->kind = kind;
    st->at = at;
    return st;
}

struct stmt *new_let(struct parse *p, enum stmt_kind kind, struct span at, struct ast_name name,
                     struct type_expr *type, struct expr *value)
{
    struct stmt *st = new_stmt(p, kind, at);
    vec_push(p->arena, &st->let.names, name);
    st->let.type = type;
    st->let.value = value;
    return st;
}

struct stmt *new_loop(struct parse *p, enum stmt_kind kind, struct ast_name name, struct expr *lo,
                      struct expr *hi, struct expr *step)
{
    struct stmt *st = new_stmt(p, kind, name.at);
    st->loop.name = name;
    st->loop.lo = lo;
    st->loop.hi = hi;
    st->loop.step = step;
    return st;
}

struct stmt *new_assign(struct parse *p, struct span at, enum ast_assign op, struct expr *target,
                        struct expr *value)
{
    struct stmt *st = new_stmt(p, STMT_ASSIGN, at);
    st->assign.op = op;
    st->assign.target = target;
    st->assign.value = value;
    return st;
}

struct stmt *new_values(struct parse *p, enum stmt_kind kind, struct span at, ast_exprs values)
{
    struct stmt *st = new_stmt(p, kind, at);
    st->values = values;
    return st;
}
