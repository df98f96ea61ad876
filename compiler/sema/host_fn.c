/* Functions called in host expressions: put in place of the call. Their bodies are straight lines of
 * let, if and return, so each is one expression. */
#include "sema/op.h"

/* The statements still to come: the rest of a block, then what follows around it. */
struct rest {
    const ast_block *block;
    uint32_t next;
    const struct rest *outer;
};

static struct host_value body_value(struct unit *u, struct rest rest);

static struct host_value not_on_host(struct unit *u, struct span at)
{
    diag_error(u->s, at, DIAG_HOST_EXPRESSION,
               "a function that the host calls consists of let, if and return");
    return host_poison();
}

static bool bind_let(struct unit *u, const struct stmt *s)
{
    if (s->let.names.count != 1 || !s->let.value)
        return not_on_host(u, s->at).node != LDSL_NONE;
    struct host_value v = host_expr(u, s->let.value);
    host_declare(u, s->let.names.data[0], HOST_NAME_VALUE)->value = v;
    return v.kind != HOST_POISON;
}

static struct host_value choice_value(struct unit *u, const struct stmt *s, const struct rest *rest)
{
    uint32_t test = host_condition(u, s->branch.test, "condition of if");
    uint32_t names = u->names.count;
    struct host_value yes = body_value(u, (struct rest){&s->branch.body, 0, rest});
    u->names.count = names;
    struct host_value no = body_value(u, (struct rest){&s->branch.no, 0, rest});
    u->names.count = names;
    if (test == LDSL_NONE || yes.kind == HOST_POISON || no.kind == HOST_POISON)
        return host_poison();
    if (yes.kind != no.kind || yes.of != no.of)
        return not_on_host(u, s->at);
    enum ir_elem elem = yes.literal ? no.elem : yes.elem;
    yes.literal = yes.literal && no.literal;
    yes.elem = elem;
    if (yes.literal && ir_elem_is_float(elem))
        elem = IR_F64;
    yes.node = host_node(u, LDSL_HOST_COND, elem, s->at, test, yes.node, no.node);
    return yes;
}

static struct host_value body_value(struct unit *u, struct rest rest)
{
    while (host_step(u, u->fn_at)) {
        if (rest.next == rest.block->count) {
            if (!rest.outer) {
                diag_error(u->s, u->fn_at, DIAG_MISSING_RETURN,
                           "a function called by the host ends without return");
                return host_poison();
            }
            rest = *rest.outer;
            continue;
        }
        const struct stmt *s = rest.block->data[rest.next++];
        if (s->kind == STMT_BLOCK)
            return body_value(u, (struct rest){&s->block, 0, &rest});
        if (s->kind == STMT_IF)
            return choice_value(u, s, &rest);
        if (s->kind == STMT_RETURN && s->values.count == 1)
            return host_expr(u, s->values.data[0]);
        if (s->kind != STMT_LET)
            return s->kind == STMT_POISON ? host_poison() : not_on_host(u, s->at);
        if (!bind_let(u, s))
            return host_poison();
    }
    return host_poison();
}

/* ---- arguments --------------------------------------------------------------------------------- */

struct binding_of_generic {
    const char *name;
    enum ir_elem elem;
};
typedef VEC(struct binding_of_generic) bound_generics;

/* The element type that a parameter or result asks for; index if it asks for none (an enum). */
static bool wanted_elem(const struct item *fn, const struct type_expr *t,
                        const bound_generics *bound, struct host_value v, enum ir_elem *elem)
{
    if (!t || t->kind != TYPE_NAME || t->module.text)
        return false;
    for (uint32_t i = 0; i < bound->count; i++)
        if (bound->data[i].name == t->name.text) {
            *elem = bound->data[i].elem;
            return true;
        }
    for (uint32_t i = 0; i < fn->generics.count; i++)
        if (fn->generics.data[i].name.text == t->name.text) {
            *elem = v.elem;
            return true;
        }
    return elem_named(t->name.text, elem);
}

static struct host_value fit_argument(struct unit *u, struct sema_item *fn,
                                      const struct ast_param *p, struct span at,
                                      struct host_value v, bound_generics *bound)
{
    enum ir_elem elem;
    if (v.kind != HOST_NUMBER)
        return v; /* an enum: its uses are checked where they stand */
    if (!wanted_elem(fn->ast, p->type, bound, v, &elem)) {
        diag_error(u->s, at, DIAG_HOST_EXPRESSION,
                   "the host cannot give parameter %s of %s a value", p->name.text,
                   fn->ast->name.text);
        return host_poison();
    }
    for (uint32_t i = 0; i < fn->ast->generics.count; i++)
        if (fn->ast->generics.data[i].name.text == p->type->name.text)
            vec_push(&u->s->module, bound, (struct binding_of_generic){p->type->name.text, elem});
    v.node = host_convert(u, at, v, elem);
    v.elem = elem;
    v.literal = false;
    return v.node == LDSL_NONE ? host_poison() : v;
}

static const struct ast_arg *argument_of(const struct expr *e, const struct item *fn, uint32_t i)
{
    for (uint32_t k = 0; k < e->call.args.count; k++) {
        const struct ast_arg *a = &e->call.args.data[k];
        if (a->name.text ? a->name.text == fn->params.data[i].name.text : k == i)
            return a;
    }
    return NULL;
}

/* The arguments, computed in the caller's scope. */
static bool take_arguments(struct unit *u, const struct expr *e, struct sema_item *fn,
                           struct host_value *values, bound_generics *bound)
{
    const struct item *ast = fn->ast;
    bool good = e->call.args.count <= ast->params.count;
    for (uint32_t i = 0; good && i < ast->params.count; i++) {
        const struct ast_arg *a = argument_of(e, ast, i);
        const struct expr *value = a ? a->value : ast->params.data[i].value;
        good = value && !(a && a->has_over);
        if (!good)
            break;
        struct host_value v = host_expr(u, value);
        if (v.kind != HOST_POISON)
            v = fit_argument(u, fn, &ast->params.data[i], value->at, v, bound);
        if (v.kind == HOST_POISON)
            return false;
        values[i] = v;
    }
    if (!good) {
        diag_error(u->s, e->at, DIAG_BAD_ARGUMENTS, "%s takes %u arguments", ast->name.text,
                   ast->params.count);
        diag_note(u->s, ast->name.at, "it is declared here");
    }
    return good;
}

static struct host_value run_body(struct unit *u, const struct expr *e, struct sema_item *fn,
                                  const struct host_value *values, const bound_generics *bound)
{
    const struct item *ast = fn->ast;
    for (uint32_t i = 0; i < ast->params.count; i++)
        host_declare(u, ast->params.data[i].name, HOST_NAME_VALUE)->value = values[i];
    struct host_value v = ast->fn.body_expr ? host_expr(u, ast->fn.body_expr)
                                            : body_value(u, (struct rest){&ast->fn.body, 0, NULL});
    enum ir_elem elem;
    if (v.kind != HOST_NUMBER || !wanted_elem(ast, ast->fn.result, bound, v, &elem))
        return v;
    v.node = host_convert(u, e->at, v, elem);
    v.elem = elem;
    v.literal = false;
    return v.node == LDSL_NONE ? host_poison() : v;
}

struct host_value host_call_fn(struct unit *u, const struct expr *e, struct sema_item *fn)
{
    for (uint32_t i = 0; i < u->inlined.count; i++)
        if (u->inlined.data[i] == fn) {
            diag_error(u->s, e->at, DIAG_RECURSION, "%s calls itself", fn->ast->name.text);
            return host_poison();
        }
    struct host_value *values =
        arena_array(&u->s->module, struct host_value, fn->ast->params.count + 1);
    bound_generics bound = {0};
    vec_push(&u->s->module, &u->inlined, fn);
    struct host_value result = host_poison();
    if (take_arguments(u, e, fn, values, &bound)) {
        uint32_t floor = u->floor, names = u->names.count;
        struct sema_module *m = u->m;
        struct span at = u->fn_at;
        u->floor = names;
        u->fn_at = e->at;
        u->m = fn->module;
        result = run_body(u, e, fn, values, &bound);
        u->m = m;
        u->fn_at = at;
        u->names.count = names;
        u->floor = floor;
    }
    u->inlined.count--;
    return result;
}
