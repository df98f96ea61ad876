/* A tree as text: one line per declaration, clause and statement, indented by nesting; expressions
 * with all their parentheses, so that the tree's shape can be read. */
#include "syntax/syntax.h"

#include <inttypes.h>
#include <stdlib.h>

struct printer {
    struct arena *arena;
    VEC(char) text;
    uint32_t indent;
    bool code_only; /* no doc comments */
};

/* Pieces of text. */

static void put(struct printer *pr, const char *text)
{
    for (; *text; text++)
        vec_push(pr->arena, &pr->text, *text);
}

static void begin_line(struct printer *pr, const char *text)
{
    put(pr, "\n");
    for (uint32_t i = 0; i < pr->indent; i++)
        put(pr, "  ");
    put(pr, text);
}

static void put_name(struct printer *pr, struct ast_name name)
{
    put(pr, name.text ? name.text : "?");
}

static void put_names(struct printer *pr, ast_names names)
{
    for (uint32_t i = 0; i < names.count; i++) {
        put(pr, i ? ", " : "");
        put_name(pr, names.data[i]);
    }
}

static void put_string(struct printer *pr, const char *text)
{
    put(pr, "\"");
    for (; *text; text++) {
        char piece[3] = {*text};
        if (*text == '"' || *text == '\\')
            memcpy(piece, (char[]){'\\', *text, '\0'}, 3);
        put(pr, *text == '\n' ? "\\n" : *text == '\t' ? "\\t" : piece);
    }
    put(pr, "\"");
}

/* Expressions. */

/* The shortest digits that read back as the same number. */
static const char *float_text(struct printer *pr, double value)
{
    const char *text = "";
    for (int digits = 6; digits <= 17; digits++) {
        text = arena_printf(pr->arena, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return strpbrk(text, ".,en") ? text : arena_printf(pr->arena, "%s.0", text);
}

static void put_expr(struct printer *pr, const struct expr *e);

static void put_exprs(struct printer *pr, ast_exprs exprs)
{
    for (uint32_t i = 0; i < exprs.count; i++) {
        put(pr, i ? ", " : "");
        put_expr(pr, exprs.data[i]);
    }
}

static void put_over(struct printer *pr, const struct ast_arg *arg)
{
    put(pr, " over (");
    put_names(pr, arg->over);
    put(pr, ")");
    if (arg->to.text) {
        put(pr, " to ");
        put_name(pr, arg->to);
    }
    if (arg->with.text) {
        put(pr, " with ");
        put_name(pr, arg->with);
    }
    if (arg->with_body) {
        put(pr, " with (");
        put_names(pr, arg->with_params);
        put(pr, ") => ");
        put_expr(pr, arg->with_body);
    }
}

static void put_args(struct printer *pr, ast_args args)
{
    for (uint32_t i = 0; i < args.count; i++) {
        const struct ast_arg *arg = &args.data[i];
        put(pr, i ? ", " : "");
        if (arg->name.text) {
            put_name(pr, arg->name);
            put(pr, ": ");
        }
        put_expr(pr, arg->value);
        if (arg->has_over)
            put_over(pr, arg);
    }
}

static void put_subs(struct printer *pr, ast_subs subs)
{
    for (uint32_t i = 0; i < subs.count; i++) {
        put(pr, i ? ", " : "");
        put_expr(pr, subs.data[i].first);
        if (subs.data[i].last) {
            put(pr, " .. ");
            put_expr(pr, subs.data[i].last);
        }
    }
}

static void put_expr(struct printer *pr, const struct expr *e)
{
    static const char *const unary[] = {[AST_NEGATE] = "-", [AST_NOT] = "!", [AST_BIT_NOT] = "~"};
    switch (e->kind) {
    case EXPR_INT: put(pr, arena_printf(pr->arena, "%" PRIu64, e->integer)); break;
    case EXPR_FLOAT: put(pr, float_text(pr, e->floating)); break;
    case EXPR_BOOL: put(pr, e->boolean ? "true" : "false"); break;
    case EXPR_STRING: put_string(pr, e->string); break;
    case EXPR_NAME: put(pr, e->string); break;
    case EXPR_HAS:
        put(pr, "has ");
        put(pr, e->string);
        break;
    case EXPR_UNARY:
        put(pr, unary[e->unary.op]);
        put_expr(pr, e->unary.operand);
        break;
    case EXPR_BINARY:
        put(pr, "(");
        put_expr(pr, e->binary.left);
        put(pr, " ");
        put(pr, ast_binary_text(e->binary.op));
        put(pr, " ");
        put_expr(pr, e->binary.right);
        put(pr, ")");
        break;
    case EXPR_COND:
        put(pr, "(");
        put_expr(pr, e->cond.test);
        put(pr, " ? ");
        put_expr(pr, e->cond.yes);
        put(pr, " : ");
        put_expr(pr, e->cond.no);
        put(pr, ")");
        break;
    case EXPR_CALL:
        put_expr(pr, e->call.callee);
        put(pr, "(");
        put_args(pr, e->call.args);
        put(pr, ")");
        break;
    case EXPR_INDEX:
        put_expr(pr, e->index.base);
        put(pr, "[");
        put_subs(pr, e->index.subs);
        put(pr, "]");
        break;
    case EXPR_MEMBER:
        put_expr(pr, e->member.base);
        put(pr, ".");
        put_name(pr, e->member.member);
        break;
    case EXPR_POISON: put(pr, "<error>"); break;
    }
}

/* " = e" and the like, when there is an e. */
static void put_optional(struct printer *pr, const char *before, const struct expr *e)
{
    if (!e)
        return;
    put(pr, before);
    put_expr(pr, e);
}

/* Types and parameters. */

static void put_type(struct printer *pr, const struct type_expr *t)
{
    static const char *const access[] = {
        [ACCESS_READ] = "", [ACCESS_MUT] = "mut ", [ACCESS_OUT] = "out "};
    static const char *const head[] = {
        [TYPE_NAME] = "", [TYPE_TENSOR] = "tensor", [TYPE_TILE] = "tile", [TYPE_PTR] = "ptr"};
    if (t->kind == TYPE_NAME) {
        if (t->module.text) {
            put_name(pr, t->module);
            put(pr, ".");
        }
        put_name(pr, t->name);
        return;
    }
    put(pr, access[t->access]);
    put(pr, head[t->kind]);
    put(pr, "<");
    put_type(pr, t->element);
    put(pr, ">");
    if (t->kind == TYPE_PTR)
        return;
    put(pr, "[");
    put_exprs(pr, t->dims);
    put(pr, t->strided ? "] strided" : "]");
    put(pr, t->optional ? "?" : "");
}

static void put_optional_type(struct printer *pr, const struct type_expr *t)
{
    if (!t)
        return;
    put(pr, ": ");
    put_type(pr, t);
}

static void put_params(struct printer *pr, const char *word, ast_params params)
{
    for (uint32_t i = 0; i < params.count; i++) {
        const struct ast_param *param = &params.data[i];
        begin_line(pr, word);
        put(pr, param->is_const ? " const " : " ");
        put_name(pr, param->name);
        put_optional_type(pr, param->type);
        if (param->choices.count) {
            put(pr, " in {");
            put_exprs(pr, param->choices);
            put(pr, "}");
        }
        put_optional(pr, " = ", param->value);
    }
}

static void put_generics(struct printer *pr, ast_generics generics)
{
    for (uint32_t i = 0; i < generics.count; i++) {
        const struct ast_generic *g = &generics.data[i];
        begin_line(pr, "generic ");
        put_name(pr, g->name);
        put(pr, ": ");
        if (g->set.text) {
            put_name(pr, g->set);
            continue;
        }
        put(pr, "{");
        for (uint32_t k = 0; k < g->members.count; k++) {
            put(pr, k ? ", " : "");
            put_type(pr, g->members.data[k]);
        }
        put(pr, "}");
    }
}

static void put_settings(struct printer *pr, ast_settings settings)
{
    put(pr, "{");
    for (uint32_t i = 0; i < settings.count; i++) {
        put(pr, i ? ", " : "");
        put_name(pr, settings.data[i].name);
        put_optional(pr, " = ", settings.data[i].value);
    }
    put(pr, "}");
}

/* Statements. */

static void put_stmt(struct printer *pr, const struct stmt *st);

static void put_block(struct printer *pr, ast_block block)
{
    pr->indent++;
    for (uint32_t i = 0; i < block.count; i++)
        put_stmt(pr, block.data[i]);
    pr->indent--;
}

static void put_let(struct printer *pr, const char *word, const struct stmt *st)
{
    begin_line(pr, word);
    put_names(pr, st->let.names);
    put_optional_type(pr, st->let.type);
    put_optional(pr, " = ", st->let.value);
}

static void put_axis(struct printer *pr, const struct stmt *st)
{
    begin_line(pr, st->axis.is_grid ? "grid " : "");
    put(pr, st->kind == STMT_AXIS ? "axis " : "");
    put_name(pr, st->axis.name);
    put_optional(pr, " in ", st->axis.lo);
    put_optional(pr, " .. ", st->axis.hi);
    put_optional(pr, " tile ", st->axis.tile);
    put_optional(pr, " bound ", st->axis.bound);
    if (st->axis.parts.text) {
        put(pr, " parts ");
        put_name(pr, st->axis.parts);
    }
}

static void put_loop(struct printer *pr, const char *word, const struct stmt *st)
{
    begin_line(pr, word);
    put(pr, st->loop.is_static ? "static " : "");
    put_name(pr, st->loop.name);
    put_optional(pr, " in ", st->loop.lo);
    put_optional(pr, " .. ", st->loop.hi);
    put_optional(pr, " step ", st->loop.step);
    put_optional(pr, " pipeline ", st->loop.pipeline);
    put_block(pr, st->loop.body);
}

static void put_branch(struct printer *pr, const char *word, const struct stmt *st)
{
    begin_line(pr, word);
    put_expr(pr, st->branch.test);
    put_block(pr, st->branch.body);
    if (st->branch.has_no) {
        begin_line(pr, "else");
        put_block(pr, st->branch.no);
    }
}

static void put_values(struct printer *pr, const char *word, const struct stmt *st)
{
    begin_line(pr, word);
    put(pr, st->values.count ? " " : "");
    put_exprs(pr, st->values);
}

static void put_assign(struct printer *pr, const struct stmt *st)
{
    static const char *const text[] = {[ASSIGN_SET] = " = ",
                                       [ASSIGN_ADD] = " += ",
                                       [ASSIGN_SUB] = " -= ",
                                       [ASSIGN_MUL] = " *= ",
                                       [ASSIGN_DIV] = " /= "};
    begin_line(pr, "");
    put_expr(pr, st->assign.target);
    put_optional(pr, text[st->assign.op], st->assign.value);
}

static void put_launch(struct printer *pr, const struct stmt *st)
{
    begin_line(pr, "launch ");
    put_expr(pr, st->launch.call);
    if (st->launch.has_grid) {
        put(pr, " grid (");
        put_exprs(pr, st->launch.grid);
        put(pr, ")");
    }
    if (st->launch.with.count) {
        put(pr, " with ");
        put_settings(pr, st->launch.with);
    }
}

static void put_stmt(struct printer *pr, const struct stmt *st)
{
    switch (st->kind) {
    case STMT_LET: put_let(pr, "let ", st); break;
    case STMT_VAR: put_let(pr, "var ", st); break;
    case STMT_SCRATCH: put_let(pr, "scratch ", st); break;
    case STMT_AXIS:
    case STMT_GRID: put_axis(pr, st); break;
    case STMT_SWEEP: put_loop(pr, "sweep ", st); break;
    case STMT_FOR: put_loop(pr, "for ", st); break;
    case STMT_WHILE: put_branch(pr, "while ", st); break;
    case STMT_IF: put_branch(pr, "if ", st); break;
    case STMT_BREAK: begin_line(pr, "break"); break;
    case STMT_CONTINUE: begin_line(pr, "continue"); break;
    case STMT_RETURN: put_values(pr, "return", st); break;
    case STMT_ASSERT: put_values(pr, "assert", st); break;
    case STMT_ASSUME: put_values(pr, "assume", st); break;
    case STMT_STATIC_ASSERT: put_values(pr, "static_assert", st); break;
    case STMT_EXPR:
        begin_line(pr, "");
        put_expr(pr, st->expr);
        break;
    case STMT_ASSIGN: put_assign(pr, st); break;
    case STMT_BLOCK:
        begin_line(pr, "block");
        put_block(pr, st->block);
        break;
    case STMT_LAUNCH: put_launch(pr, st); break;
    case STMT_POISON: begin_line(pr, "<error>"); break;
    }
}

static void put_body(struct printer *pr, ast_block body)
{
    begin_line(pr, "body");
    put_block(pr, body);
}

/* Clauses and items. */

static void put_require(struct printer *pr, const struct ast_require *r)
{
    begin_line(pr, "require ");
    put_expr(pr, r->test);
    put_optional(pr, ", ", r->message);
}

static void put_tune(struct printer *pr, const struct ast_tune *tune)
{
    begin_line(pr, "tune ");
    put_name(pr, tune->name);
    put(pr, " in {");
    for (uint32_t i = 0; i < tune->values.count; i++) {
        const struct ast_tune_value *v = &tune->values.data[i];
        put_optional(pr, i ? ", " : "", v->lo);
        put_optional(pr, " .. ", v->hi);
        put_optional(pr, " step ", v->step);
    }
    put(pr, "}");
}

static void put_kernel(struct printer *pr, const struct item *it)
{
    for (uint32_t i = 0; i < it->kernel.requires.count; i++)
        put_require(pr, &it->kernel.requires.data[i]);
    for (uint32_t i = 0; i < it->kernel.specialize.count; i++) {
        begin_line(pr, "specialize ");
        put_exprs(pr, it->kernel.specialize.data[i].conditions);
    }
    for (uint32_t i = 0; i < it->kernel.meta.count; i++) {
        begin_line(pr, "meta ");
        put_name(pr, it->kernel.meta.data[i].name);
        put_optional_type(pr, it->kernel.meta.data[i].type);
        put_optional(pr, " = ", it->kernel.meta.data[i].value);
    }
    for (uint32_t i = 0; i < it->kernel.tune.count; i++)
        put_tune(pr, &it->kernel.tune.data[i]);
    for (uint32_t i = 0; i < it->kernel.where.count; i++) {
        begin_line(pr, "where ");
        put_expr(pr, it->kernel.where.data[i]);
    }
    for (uint32_t i = 0; i < it->kernel.defaults.count; i++) {
        begin_line(pr, "default ");
        put_settings(pr, it->kernel.defaults.data[i].settings);
        put_optional(pr, " where ", it->kernel.defaults.data[i].where);
    }
    put_body(pr, it->kernel.body);
}

static void put_link(struct printer *pr, const char *word, struct ast_name name)
{
    if (!name.text)
        return;
    begin_line(pr, word);
    put_name(pr, name);
}

static void put_op(struct printer *pr, const struct item *it)
{
    put_params(pr, "output", it->op.outputs);
    for (uint32_t i = 0; i < it->op.requires.count; i++)
        put_require(pr, &it->op.requires.data[i]);
    if (it->op.key.count) {
        begin_line(pr, "key ");
        put_exprs(pr, it->op.key);
    }
    put_link(pr, "grad ", it->op.grad);
    put_link(pr, "ref ", it->op.ref);
    for (uint32_t i = 0; i < it->op.samples.count; i++) {
        begin_line(pr, "sample ");
        put_name(pr, it->op.samples.data[i].name);
        put_optional(pr, " = ", it->op.samples.data[i].value);
    }
    for (uint32_t i = 0; i < it->op.benches.count; i++) {
        begin_line(pr, "bench ");
        put_settings(pr, it->op.benches.data[i].settings);
    }
    if (it->kind == ITEM_OP)
        put_body(pr, it->op.body);
}

static void put_fn(struct printer *pr, const struct item *it)
{
    begin_line(pr, "result ");
    put_type(pr, it->fn.result);
    if (it->fn.body_expr) {
        begin_line(pr, "body ");
        put_expr(pr, it->fn.body_expr);
    } else {
        put_body(pr, it->fn.body);
    }
}

static void put_attrs(struct printer *pr, const struct item *it)
{
    for (uint32_t i = 0; i < it->attrs.count; i++) {
        begin_line(pr, "attribute ");
        put_name(pr, it->attrs.data[i].name);
        put(pr, it->attrs.data[i].args.count ? " " : "");
        put_exprs(pr, it->attrs.data[i].args);
    }
}

static void put_contents(struct printer *pr, const struct item *it)
{
    switch (it->kind) {
    case ITEM_IMPORT:
        begin_line(pr, "path ");
        put_string(pr, it->import.path);
        break;
    case ITEM_CONST:
        if (it->constant.type) {
            begin_line(pr, "type ");
            put_type(pr, it->constant.type);
        }
        begin_line(pr, "value ");
        put_expr(pr, it->constant.value);
        break;
    case ITEM_ENUM:
        begin_line(pr, "members ");
        put_names(pr, it->members);
        break;
    case ITEM_STRUCT: put_params(pr, "field", it->params); break;
    case ITEM_FN:
        put_params(pr, "param", it->params);
        put_fn(pr, it);
        break;
    case ITEM_KERNEL:
        put_params(pr, "param", it->params);
        put_kernel(pr, it);
        break;
    case ITEM_OP:
    case ITEM_EXTERN_OP:
        put_params(pr, "param", it->params);
        put_op(pr, it);
        break;
    }
}

static void put_item(struct printer *pr, const struct item *it)
{
    static const char *const words[] = {[ITEM_IMPORT] = "import", [ITEM_CONST] = "const",
                                        [ITEM_ENUM] = "enum",     [ITEM_STRUCT] = "struct",
                                        [ITEM_FN] = "fn",         [ITEM_KERNEL] = "kernel",
                                        [ITEM_OP] = "op",         [ITEM_EXTERN_OP] = "extern op"};
    put(pr, words[it->kind]);
    if (it->name.text) {
        put(pr, " ");
        put_name(pr, it->name);
    }
    pr->indent++;
    if (it->doc && !pr->code_only) {
        begin_line(pr, "doc ");
        put_string(pr, it->doc);
    }
    put_attrs(pr, it);
    put_generics(pr, it->generics);
    put_contents(pr, it);
    pr->indent--;
    put(pr, "\n");
}

const char *syntax_print(struct session *s, const struct ast_file *file)
{
    struct printer pr = {.arena = &s->module};
    for (uint32_t i = 0; i < file->items.count; i++)
        put_item(&pr, file->items.data[i]);
    vec_push(pr.arena, &pr.text, '\0');
    return pr.text.data;
}

const char *syntax_print_code(struct session *s, const struct item *it)
{
    struct printer pr = {.arena = &s->module, .code_only = true};
    put_item(&pr, it);
    vec_push(pr.arena, &pr.text, '\0');
    return pr.text.data;
}
