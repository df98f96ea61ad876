/* Evaluating expressions at compile time: module constants, clauses of kernels, tuned values. */
#include "sema/internal.h"

#include <math.h>

static bool set(struct const_value *out, struct const_value v)
{
    *out = v;
    return v.kind != CONST_POISON;
}

static bool poison(struct const_value *out)
{
    return set(out, const_poison());
}

/* ---- functions ------------------------------------------------------------------------------ */

int64_t fit_rung(uint32_t i)
{
    int64_t base = (int64_t)16 << (i / 4 < 32 ? i / 4 : 32);
    int64_t cover = base + base / 4 * (i % 4);
    return cover <= FIT_MAX ? cover : 0;
}

int64_t fit_cover(int64_t extent)
{
    for (uint32_t i = 0; fit_rung(i); i++)
        if (fit_rung(i) >= extent)
            return fit_rung(i);
    return 0;
}

static bool wants_index(struct session *s, struct span at, struct const_value *v)
{
    return const_adapt(s, at, *v, IR_INDEX, v);
}

static bool call_minmax(struct session *s, struct span at, const char *name,
                        const struct const_value *args, struct const_value *out)
{
    struct const_value x = args[0], y = args[1], less;
    if (x.kind == CONST_POISON || y.kind == CONST_POISON)
        return poison(out);
    if (!const_is_number(x) || !const_is_number(y)) {
        diag_error(s, at, DIAG_NO_ARITHMETIC, "%s wants numbers", name);
        return poison(out);
    }
    if (!const_meet(s, at, AST_LT, &x, &y))
        return poison(out);
    if (x.kind == CONST_UNKNOWN || y.kind == CONST_UNKNOWN)
        return set(out, const_unknown(x.elem));
    if (x.kind == CONST_FLOAT && (isnan(x.f) || isnan(y.f)))
        return set(out, isnan(x.f) ? x : y);
    const_binary(s, at, AST_LT, x, y, &less);
    return set(out, (less.i != 0) == (name[1] == 'i') ? x : y);
}

static bool call_cdiv(struct session *s, struct span at, const char *name,
                      const struct const_value *args, struct const_value *out)
{
    struct const_value x = args[0], y = args[1];
    (void)name;
    if (!wants_index(s, at, &x) || !wants_index(s, at, &y))
        return poison(out);
    if (y.kind == CONST_INT && y.i <= 0) {
        diag_error(s, at, DIAG_DIVISION_BY_ZERO, "cdiv by %s", const_text(s, y));
        return poison(out);
    }
    if (x.kind == CONST_UNKNOWN || y.kind == CONST_UNKNOWN)
        return set(out, const_unknown(IR_INDEX));
    return set(out, const_int(IR_INDEX, -const_divide(IR_INDEX, -x.i, y.i)));
}

static bool call_abs(struct session *s, struct span at, const char *name,
                     const struct const_value *args, struct const_value *out)
{
    struct const_value x = args[0];
    (void)name;
    if (x.kind == CONST_FLOAT)
        return set(out, (x.f = fabs(x.f), x));
    if (x.kind == CONST_INT && x.i < 0)
        return const_unary(s, at, AST_NEGATE, x, out);
    return set(out, x);
}

/* fit of a number known here is that number: the exact cover. */
static bool call_fit(struct session *s, struct span at, const char *name,
                     const struct const_value *args, struct const_value *out)
{
    struct const_value x = args[0];
    (void)name;
    if (!wants_index(s, at, &x))
        return poison(out);
    if (x.kind == CONST_INT && (x.i < 1 || x.i > FIT_MAX)) {
        diag_error(s, at, DIAG_TOO_WIDE, "no tile covers %s elements", const_text(s, x));
        diag_help(s, "walk the axis with `sweep`");
        return poison(out);
    }
    return set(out, x);
}

static const struct {
    const char *name;
    uint32_t arity;
    bool (*call)(struct session *s, struct span at, const char *name,
                 const struct const_value *args, struct const_value *out);
} functions[] = {
    {"min",  2, call_minmax},
    {"max",  2, call_minmax},
    {"cdiv", 2, call_cdiv  },
    {"abs",  1, call_abs   },
    {"fit",  1, call_fit   },
};

bool const_has_function(const char *name)
{
    for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strcmp(functions[i].name, name) == 0)
            return true;
    return false;
}

bool const_call(struct session *s, struct span at, const char *name, const struct const_value *args,
                uint32_t count, struct const_value *out)
{
    for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (strcmp(functions[i].name, name) != 0)
            continue;
        if (functions[i].arity == count)
            return functions[i].call(s, at, name, args, out);
        diag_error(s, at, DIAG_BAD_ARGUMENTS, "%s wants %u argument%s, not %u", name,
                   functions[i].arity, functions[i].arity == 1 ? "" : "s", count);
    }
    return poison(out);
}

/* ---- evaluation ----------------------------------------------------------------------------- */

#define MAX_DEPTH 400

static bool eval(const struct const_scope *scope, const struct expr *e, unsigned depth,
                 struct const_value *out);

static bool unknown_name(const struct const_scope *scope, const struct expr *e,
                         struct const_value *out)
{
    struct sema_module *m = scope->m;
    diag_error(m->s, e->at, DIAG_UNKNOWN_NAME, "there is no compile-time value called %s",
               e->string);
    const char *near = nearest_item(m, e->string, 1u << ITEM_CONST | 1u << ITEM_ENUM);
    if (near)
        diag_help(m->s, "did you mean %s?", near);
    return poison(out);
}

static bool unknown_value(struct session *s, struct span at, struct const_value *out)
{
    diag_error(s, at, DIAG_CONST_EXPECTED, "this is not known at compile time");
    return poison(out);
}

static bool eval_name(const struct const_scope *scope, const struct expr *e,
                      struct const_value *out)
{
    struct ast_name name = {e->string, e->at};
    if (scope->name && scope->name(scope->user, name, out))
        return out->kind != CONST_POISON;
    if (strcmp(e->string, "inf") == 0)
        return set(out, const_literal_float((double)INFINITY));
    if (strcmp(e->string, "nan") == 0)
        return set(out, const_literal_float((double)NAN));
    struct sema_item *item = sema_find(scope->m, e->string);
    if (!item)
        return unknown_name(scope, e, out);
    if (item->ast->kind == ITEM_CONST)
        return set(out, sema_const(item));
    diag_error(scope->m->s, e->at, DIAG_NOT_A_VALUE, "%s is %s %s, not a value", e->string,
               item_kind_article(item->ast->kind), item_kind_text(item->ast->kind));
    return poison(out);
}

/* Casting.llama, m.name, dev.smem; m.Casting.llama has its enum in another file. */
static bool eval_member(const struct const_scope *scope, const struct expr *e,
                        struct const_value *out)
{
    struct sema_module *m = scope->m;
    const struct expr *base = e->member.base;
    bool alias_known;
    if (base->kind == EXPR_NAME && scope->device && strcmp(base->string, "dev") == 0)
        return set(out, device_fact(m->s, e->member.member, scope->device));
    if (base->kind == EXPR_NAME && sema_is_alias(m, base->string)) {
        struct sema_item *item = sema_find_in(m, base->string, e->member.member.text, &alias_known);
        if (item && item->ast->kind == ITEM_CONST)
            return set(out, sema_const(item));
    }
    struct sema_item *owner = NULL;
    if (base->kind == EXPR_NAME)
        owner = sema_find(m, base->string);
    else if (base->kind == EXPR_MEMBER && base->member.base->kind == EXPR_NAME)
        owner = sema_find_in(m, base->member.base->string, base->member.member.text, &alias_known);
    if (owner && owner->ast->kind == ITEM_ENUM)
        return set(out, enum_value(m->s, owner->ast, e->member.member));
    diag_error(m->s, e->at, DIAG_CONST_EXPECTED, "this is not a compile-time value");
    return poison(out);
}

static bool eval_call(const struct const_scope *scope, const struct expr *e, unsigned depth,
                      struct const_value *out)
{
    struct session *s = scope->m->s;
    const struct expr *callee = e->call.callee;
    enum ir_elem elem;
    bool is_type = callee->kind == EXPR_NAME && elem_named(callee->string, &elem);
    if (callee->kind != EXPR_NAME || (!is_type && !const_has_function(callee->string))) {
        diag_error(s, callee->at, DIAG_CONST_EXPECTED, "this cannot be called at compile time");
        return poison(out);
    }
    struct const_value args[4];
    uint32_t count = e->call.args.count < 4 ? e->call.args.count : 4;
    bool good = true;
    for (uint32_t i = 0; i < count; i++) {
        const struct ast_arg *arg = &e->call.args.data[i];
        if (arg->name.text || arg->has_over) {
            good =
                diag_error(s, arg->at, DIAG_BAD_ARGUMENTS, "%s takes plain values", callee->string);
            continue;
        }
        good &= eval(scope, arg->value, depth + 1, &args[i]);
    }
    if (!good)
        return poison(out);
    if (!is_type)
        return const_call(s, e->at, callee->string, args, e->call.args.count, out);
    if (e->call.args.count != 1) {
        diag_error(s, e->at, DIAG_BAD_ARGUMENTS, "%s converts one value", callee->string);
        return poison(out);
    }
    return const_cast(s, e->at, args[0], elem, out);
}

static bool eval_binary(const struct const_scope *scope, const struct expr *e, unsigned depth,
                        struct const_value *out)
{
    struct const_value x, y;
    bool good = eval(scope, e->binary.left, depth + 1, &x);
    bool settled = good && x.kind == CONST_BOOL &&
                   ((e->binary.op == AST_AND && !x.i) || (e->binary.op == AST_OR && x.i));
    if (settled)
        return set(out, x);
    good &= eval(scope, e->binary.right, depth + 1, &y);
    if (!good)
        return poison(out);
    return const_binary(scope->m->s, e->at, e->binary.op, x, y, out);
}

static bool eval_cond(const struct const_scope *scope, const struct expr *e, unsigned depth,
                      struct const_value *out)
{
    struct const_value test, yes, no;
    if (!eval(scope, e->cond.test, depth + 1, &test))
        return poison(out);
    if (!const_is_truth(test)) {
        diag_error(scope->m->s, e->cond.test->at, DIAG_NOT_BOOL, "the condition is %s, not a bool",
                   const_kind_text(scope->m->s, test));
        return poison(out);
    }
    if (test.kind == CONST_BOOL)
        return eval(scope, test.i ? e->cond.yes : e->cond.no, depth + 1, out);
    if (!eval(scope, e->cond.yes, depth + 1, &yes) || !eval(scope, e->cond.no, depth + 1, &no))
        return poison(out);
    return set(out, const_unknown(yes.literal ? no.elem : yes.elem));
}

static bool eval(const struct const_scope *scope, const struct expr *e, unsigned depth,
                 struct const_value *out)
{
    struct session *s = scope->m->s;
    struct const_value x;
    if (depth > MAX_DEPTH) {
        diag_error(s, e->at, DIAG_TOO_LARGE, "the expression is nested too deeply");
        return poison(out);
    }
    switch (e->kind) {
    case EXPR_INT:
        return set(out, e->integer > INT64_MAX ? const_int(IR_U64, (int64_t)e->integer)
                                               : const_literal_int((int64_t)e->integer));
    case EXPR_FLOAT: return set(out, const_literal_float(e->floating));
    case EXPR_BOOL: return set(out, const_bool(e->boolean));
    case EXPR_STRING:
        *out = (struct const_value){.kind = CONST_TEXT, .text = e->string};
        return true;
    case EXPR_NAME: return eval_name(scope, e, out);
    case EXPR_MEMBER: return eval_member(scope, e, out);
    case EXPR_CALL: return eval_call(scope, e, depth, out);
    case EXPR_BINARY: return eval_binary(scope, e, depth, out);
    case EXPR_COND: return eval_cond(scope, e, depth, out);
    case EXPR_UNARY:
        if (!eval(scope, e->unary.operand, depth + 1, &x))
            return poison(out);
        return const_unary(s, e->at, e->unary.op, x, out);
    case EXPR_HAS:
        return scope->has ? scope->has(scope->user, (struct ast_name){e->string, e->at}, out)
                          : unknown_value(s, e->at, out);
    case EXPR_INDEX: return unknown_value(s, e->at, out);
    case EXPR_POISON: return poison(out);
    }
    return poison(out);
}

bool const_eval(const struct const_scope *scope, const struct expr *e, struct const_value *out)
{
    return eval(scope, e, 0, out);
}

struct const_value device_fact(struct session *s, struct ast_name name,
                               const struct sema_device *device)
{
    static const struct sema_device nothing = {0};
    const struct sema_device *d = device ? device : &nothing;
    bool known = d->lanes != 0;
    /* clang-format off */
    const struct {
        const char *name;
        bool known;
        struct const_value value;
    } facts[] = {
        {"sm_count",      false, const_unknown(IR_INDEX)},
        {"smem",          known, const_int(IR_INDEX, d->smem)},
        {"cc",            known, const_int(IR_INDEX, d->cc)},
        {"lanes",         known, const_int(IR_INDEX, d->lanes)},
        {"is_gpu",        known, const_bool(d->is_gpu)},
        {"clusters_of_2", false, const_unknown(IR_INDEX)},
        {"clusters_of_4", false, const_unknown(IR_INDEX)},
        {"clusters_of_8", false, const_unknown(IR_INDEX)},
    };
    /* clang-format on */
    const char *names[sizeof facts / sizeof *facts];
    for (unsigned i = 0; i < sizeof facts / sizeof *facts; i++) {
        if (strcmp(facts[i].name, name.text) == 0)
            return facts[i].known
                       ? facts[i].value
                       : const_unknown(const_is_truth(facts[i].value) ? IR_BOOL : IR_INDEX);
        names[i] = facts[i].name;
    }
    diag_error(s, name.at, DIAG_UNKNOWN_MEMBER, "a device has no fact called %s", name.text);
    const char *near = nearest_name(name.text, names, sizeof facts / sizeof *facts);
    diag_help(s,
              near ? "did you mean dev.%s?"
                   : "the facts are sm_count, smem, cc, lanes, is_gpu, clusters_of_2, "
                     "clusters_of_4 and clusters_of_8%s",
              near ? near : "");
    return const_poison();
}
