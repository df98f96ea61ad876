/* Calls: conversions, constructors, and functions, which are always inlined. */
#include "sema/elab.h"

#define MAX_ARGS  16
#define MAX_CALLS 40 /* functions inlined into each other */

/* ---- arguments ------------------------------------------------------------------------------ */

static bool wrong_count(struct elab *e, const struct expr *x, const struct item *of, uint32_t given)
{
    diag_error(e->s, x->at, DIAG_BAD_ARGUMENTS, "%s wants %u argument%s, not %u", of->name.text,
               of->params.count, of->params.count == 1 ? "" : "s", given);
    return diag_note(e->s, of->name.at, "%s is declared here", of->name.text);
}

static int find_param(const struct item *of, const char *name)
{
    for (uint32_t i = 0; i < of->params.count; i++)
        if (of->params.data[i].name.text == name)
            return (int)i;
    return -1;
}

/* Where argument i of a call goes: by position or by name. -1 after reporting. */
static int param_of_arg(struct elab *e, const struct expr *x, const struct item *of, uint32_t i,
                        const struct expr *const *taken)
{
    const struct ast_arg *a = &x->call.args.data[i];
    int p = a->name.text ? find_param(of, a->name.text) : (int)i;
    if (a->has_over) {
        diag_error(e->s, a->at, DIAG_BAD_ARGUMENTS, "%s does not work over axes", of->name.text);
        return -1;
    }
    if (p < 0) {
        diag_error(e->s, a->name.at, DIAG_BAD_ARGUMENTS, "%s has no parameter called %s",
                   of->name.text, a->name.text);
        diag_note(e->s, of->name.at, "%s is declared here", of->name.text);
        return -1;
    }
    if (taken[p]) {
        diag_error(e->s, a->at, DIAG_BAD_ARGUMENTS, "%s is given twice",
                   of->params.data[p].name.text);
        return -1;
    }
    return p;
}

/* One expression for each parameter; defaults stand in. */
static bool match_args(struct elab *e, const struct expr *x, const struct item *of,
                       const struct expr **out)
{
    uint32_t given = x->call.args.count, n = of->params.count;
    if (n > MAX_ARGS)
        return diag_error(e->s, of->name.at, DIAG_TOO_LARGE, "more than %d parameters", MAX_ARGS);
    if (given > n)
        return wrong_count(e, x, of, given);
    for (uint32_t i = 0; i < n; i++)
        out[i] = NULL;
    for (uint32_t i = 0; i < given; i++) {
        int p = param_of_arg(e, x, of, i, out);
        if (p < 0)
            return false;
        out[p] = x->call.args.data[i].value;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!out[i])
            out[i] = of->params.data[i].value;
        if (!out[i])
            return wrong_count(e, x, of, given);
    }
    return true;
}

/* ---- generics ------------------------------------------------------------------------------- */

static bool is_generic(const struct ast_param *p, const struct ast_generic *g)
{
    return p->type->kind == TYPE_NAME && !p->type->module.text &&
           p->type->name.text == g->name.text;
}

/* The type of g from the arguments; literals count only when nothing else does. */
static bool deduce(struct elab *e, struct span at, struct sema_item *fn,
                   const struct ast_generic *g, const struct value *args, const struct span *spans,
                   enum ir_elem *out)
{
    bool found = false, literal = false;
    elem_set set = generic_set(fn->module, g);
    *out = IR_F32;
    for (uint32_t i = 0; i < fn->ast->params.count; i++) {
        if (!is_generic(&fn->ast->params.data[i], g))
            continue;
        if (is_poison(args[i]))
            return false;
        struct place place = place_of_value(e, args[i]);
        if (place.kind != PLACE_ELEM)
            return diag_error(e->s, spans[i], DIAG_NOT_IN_SET, "%s cannot be %s", g->name.text,
                              value_text(e, args[i]));
        bool is_float;
        if (is_literal(args[i], &is_float)) {
            literal = true;
            continue;
        }
        enum ir_elem joined = place.elem;
        if (found && !elem_join(*out, place.elem, &joined))
            return report_mix(e->s, spans[i],
                              arena_printf(&e->s->module, "%s cannot be both", g->name.text), *out,
                              place.elem);
        *out = joined;
        found = true;
    }
    if (!set || (!found && !literal)) {
        if (set) {
            diag_error(e->s, at, DIAG_NOT_DEDUCED, "no argument says what %s is", g->name.text);
            diag_note(e->s, g->name.at, "%s is declared here", g->name.text);
        }
        return false;
    }
    if (set & (elem_set)1 << *out)
        return true;
    diag_error(e->s, at, DIAG_NOT_IN_SET, "%s is %s here, but may only be %s", g->name.text,
               ir_elem_name(*out), elem_set_text(e->s, set));
    return diag_note(e->s, g->name.at, "%s is declared here", g->name.text);
}

/* ---- inlining ------------------------------------------------------------------------------- */

static bool may_inline(struct elab *e, struct span at, const struct item *fn)
{
    for (const struct call *c = e->call; c; c = c->outer)
        if (c->fn == fn) {
            diag_error(e->s, at, DIAG_RECURSION, "%s calls itself%s", fn->name.text,
                       c == e->call ? "" : " through other functions");
            return diag_note(e->s, fn->name.at, "functions are inlined, so this would never end");
        }
    if (fn->generics.count > MAX_ARGS)
        return diag_error(e->s, fn->name.at, DIAG_TOO_LARGE, "a function has at most %d generics",
                          MAX_ARGS);
    if (e->calls < MAX_CALLS)
        return true;
    return diag_error(e->s, at, DIAG_TOO_LARGE, "more than %d functions call each other",
                      MAX_CALLS);
}

static bool bind_param(struct elab *e, const struct ast_param *p, struct value arg, struct span at)
{
    struct place place = resolve_place(e, p->type);
    bool good = true;
    if (p->is_const && arg.kind != VALUE_CONST && !is_poison(arg))
        good = diag_error(e->s, at, DIAG_CONST_EXPECTED, "%s must be known at compile time",
                          p->name.text);
    struct value v = good ? fit_place(e, at, arg, &place, p->name.text) : value_poison();
    struct local *l = declare(e, p->name, LOCAL_VALUE, "parameter");
    l->value = v;
    return !is_poison(v);
}

static struct value inline_body(struct elab *e, struct span at, const struct item *fn)
{
    struct call *call = e->call;
    if (fn->fn.body_expr)
        return fit_place(e, fn->fn.body_expr->at, elab_expr(e, fn->fn.body_expr), &call->result,
                         "the result");
    uint32_t errors = e->s->errors;
    enum flow flow = elab_statements(e, &fn->fn.body, 0);
    if (flow == FLOW_RETURN)
        return call->value;
    if (e->s->errors == errors) {
        diag_error(e->s, fn->name.at, DIAG_MISSING_RETURN,
                   "%s does not return a value on every way", fn->name.text);
        diag_note(e->s, at, "called from here");
    }
    return value_poison();
}

struct value inline_fn(struct elab *e, struct span at, struct sema_item *fn,
                       const struct value *args, const struct span *spans, uint32_t count)
{
    const struct item *ast = fn->ast;
    struct elab saved = *e;
    struct call call = {.outer = e->call, .at = at, .fn = ast, .regions = e->regions};
    enum ir_elem types[MAX_ARGS];
    if (count != ast->params.count || !may_inline(e, at, ast))
        return value_poison();
    for (uint32_t i = 0; i < ast->generics.count; i++)
        if (!deduce(e, at, fn, &ast->generics.data[i], args, spans, &types[i]))
            return value_poison();
    e->m = fn->module;
    e->call = &call;
    e->calls++;
    e->loop = NULL;
    e->body_top = false;
    e->floor = e->names.count;
    uint32_t outer = scope_begin(e);
    for (uint32_t i = 0; i < ast->generics.count; i++) {
        struct local *l = declare(e, ast->generics.data[i].name, LOCAL_TYPE, "generic");
        l->elem = types[i];
        l->quiet = true;
    }
    bool good = true;
    for (uint32_t i = 0; i < count; i++)
        good &= bind_param(e, &ast->params.data[i], args[i], spans[i]);
    call.result = resolve_place(e, ast->fn.result);
    struct value v = good ? inline_body(e, at, ast) : value_poison();
    if (good)
        scope_end(e, outer);
    else
        e->names.count = e->scope;
    e->scope = saved.scope;
    e->m = saved.m;
    e->call = saved.call;
    e->calls = saved.calls;
    e->loop = saved.loop;
    e->body_top = saved.body_top;
    e->floor = saved.floor;
    e->b.at = at;
    return v;
}

struct value elab_fn_call(struct elab *e, const struct expr *x, struct sema_item *fn)
{
    const struct expr *exprs[MAX_ARGS];
    struct value args[MAX_ARGS];
    struct span spans[MAX_ARGS];
    if (!match_args(e, x, fn->ast, exprs))
        return value_poison();
    for (uint32_t i = 0; i < fn->ast->params.count; i++) {
        args[i] = elab_expr(e, exprs[i]);
        spans[i] = exprs[i]->at;
    }
    return inline_fn(e, x->at, fn, args, spans, fn->ast->params.count);
}

/* ---- constructors and conversions ----------------------------------------------------------- */

struct value construct(struct elab *e, const struct expr *x, struct sema_item *of)
{
    const struct expr *exprs[MAX_ARGS];
    struct place record = {.kind = PLACE_STRUCT, .of = of};
    struct ir_type types[MAX_FIELDS];
    if (!check_fields(e->s, of->ast) || !match_args(e, x, of->ast, exprs))
        return value_poison();
    place_types(&record, types);
    struct ir_value **parts = arena_array(&e->s->module, struct ir_value *, struct_size(of));
    for (uint32_t i = 0; i < struct_size(of); i++)
        parts[i] = as_elem(e, exprs[i]->at, elab_expr(e, exprs[i]), types[i].elem);
    return value_struct(e, of, parts);
}

static struct value convert(struct elab *e, const struct expr *x, enum ir_elem elem)
{
    if (!plain_args(e, x, ir_elem_name(elem), 1, 1, NULL))
        return value_poison();
    const struct expr *arg = x->call.args.data[0].value;
    return convert_value(e, x->at, elab_expr(e, arg), elem);
}

/* ---- what is called ------------------------------------------------------------------------- */

static struct value not_callable(struct elab *e, struct span at, const char *name, const char *is)
{
    diag_error(e->s, at, DIAG_NOT_CALLABLE, "%s is %s and cannot be called", name, is);
    if (strcmp(is, "a kernel") == 0 || strcmp(is, "an op") == 0)
        diag_help(e->s, "kernels are launched and ops called from the body of an op");
    return value_poison();
}

static struct value call_item(struct elab *e, const struct expr *x, struct sema_item *item)
{
    if (item->ast->kind == ITEM_FN)
        return elab_fn_call(e, x, item);
    if (item->ast->kind == ITEM_STRUCT)
        return construct(e, x, item);
    enum item_kind kind = item->ast->kind;
    return not_callable(
        e, x->call.callee->at, item->ast->name.text,
        arena_printf(&e->s->module, "%s %s", item_kind_article(kind), item_kind_text(kind)));
}

static struct value call_name(struct elab *e, const struct expr *x, const struct expr *callee)
{
    enum ir_elem elem;
    struct local *l = find_local(e, callee->string);
    if (l && l->kind == LOCAL_TYPE)
        return convert(e, x, l->elem);
    if (elem_named(callee->string, &elem))
        return convert(e, x, elem);
    struct sema_item *item = sema_find(e->m, callee->string);
    if (item)
        return call_item(e, x, item);
    const struct builtin *row = find_builtin(callee->string);
    if (row)
        return call_builtin(e, x, row);
    if (l)
        return not_callable(e, callee->at, callee->string,
                            arena_printf(&e->s->module, "a %s", l->noun));
    unknown_name(e, (struct ast_name){callee->string, callee->at}, "function");
    return value_poison();
}

struct value elab_call(struct elab *e, const struct expr *x)
{
    const struct expr *callee = x->call.callee;
    if (callee->kind == EXPR_POISON)
        return value_poison();
    if (callee->kind == EXPR_NAME)
        return call_name(e, x, callee);
    if (callee->kind == EXPR_MEMBER && callee->member.base->kind == EXPR_NAME) {
        const char *alias = callee->member.base->string;
        bool alias_known;
        struct sema_item *item =
            sema_find_in(e->m, alias, callee->member.member.text, &alias_known);
        if (item)
            return call_item(e, x, item);
        if (alias_known) {
            diag_error(e->s, callee->member.member.at, DIAG_UNKNOWN_NAME, "the import %s has no %s",
                       alias, callee->member.member.text);
            return value_poison();
        }
    }
    diag_error(e->s, callee->at, DIAG_NOT_CALLABLE,
               "only functions, types and structs can be called");
    const char *habit = callee->kind == EXPR_MEMBER ? habit_help(callee->member.member.text) : NULL;
    if (habit)
        diag_help(e->s, "%s", habit);
    return value_poison();
}
