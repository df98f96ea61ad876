/* Operator bodies followed without shapes: every branch that some shape could take, and behind each
 * launch what the next one will find before it. */
#include "walk.h"

#include <stdlib.h>

enum { MAX_DEPTH = 32 };

struct op_walk {
    struct rt_call *call;
    const struct ldsl_module_op *op;
    struct rt_tensor *locals;
};

static struct rt_value *value_of(const struct rt_call *call, uint32_t symbol)
{
    return &call->values[symbol - call->frame.scope->symbols.first];
}

/* ---- the launch before ------------------------------------------------------------------------- */

static void check_memory(struct rt_walk *w, bool fine)
{
    if (!fine && !w->status)
        w->status = rt_nomem(&w->ctx->sink);
}

static struct rt_befores copy_before(struct rt_walk *w)
{
    struct rt_befores copy = {0};
    check_memory(w, rt_befores_add_all(&copy, &w->before));
    return copy;
}

static void set_before(struct rt_walk *w, const struct rt_befores *to)
{
    w->before.count = 0;
    check_memory(w, rt_befores_add_all(&w->before, to));
}

void rt_walk_set_before(struct rt_walk *w, const struct rt_uses *uses)
{
    w->before.count = 0;
    check_memory(w, rt_befores_add(&w->before, uses));
}

/* ---- statements -------------------------------------------------------------------------------- */

static void walk_body(struct rt_walk *w, struct op_walk *o, struct ldsl_module_range body);

/* A narrowed view is at a place of its own: no shape tells which two are the same. */
static struct rt_tensor view_of(struct rt_walk *w, const struct op_walk *o, uint32_t index)
{
    const struct ldsl_module_view *v = &w->m->views[index];
    struct rt_tensor t = o->locals[v->tensor - o->op->tensors.first];
    if (v->subs.count)
        t.offset = w->sources++;
    return t;
}

/* False: this call cannot be (an absent tensor where one is wanted, a type that is not taken). */
static bool pass(struct rt_walk *w, const struct op_walk *o, const struct ldsl_module_stmt *s,
                 struct rt_call *callee)
{
    callee->caller = o->call;
    callee->name = "";
    for (uint32_t i = 0; i < s->first.count; i++) {
        const struct ldsl_module_arg *arg = &w->m->args[s->first.first + i];
        const struct ldsl_module_param *p = &w->m->params[callee->frame.scope->params.first + i];
        struct rt_value v;
        if (p->kind == LDSL_KIND_TENSOR) {
            callee->tensors[i].presence = RT_ABSENT;
            if (arg->kind == LDSL_PASS_TENSOR)
                callee->tensors[i] = view_of(w, o, arg->index);
            if (callee->tensors[i].presence == RT_ABSENT && !(p->flags & LDSL_MODULE_OPTIONAL))
                return false;
            continue;
        }
        bool given = arg->kind == LDSL_PASS_VALUE;
        uint32_t node = given ? arg->index : p->default_node;
        const struct rt_frame *frame = given ? &o->call->frame : &callee->frame;
        if (node != LDSL_NONE && rt_host_eval(frame, node, &v, NULL) == RT_EVAL_OK &&
            rt_bind_value(callee, i, v))
            return false;
    }
    return !rt_bind_generics(callee);
}

static void go_launch(struct rt_walk *w, struct rt_call *call, void *user)
{
    struct rt_launch *l = user;
    l->call = *call;
    rt_find_shared(l);
    if (rt_walk_may_hold(call, l->kernel->requires))
        rt_walk_each_group(w, l);
}

static void walk_launch(struct rt_walk *w, struct op_walk *o, const struct ldsl_module_stmt *s)
{
    const struct ldsl_module_kernel *kernel = &w->m->kernels[s->a];
    struct rt_call call;
    if (rt_call_init(&call, w->m, &kernel->scope, &w->ctx->info, &w->silent)) {
        w->status = LDSL_NOMEM;
        return;
    }
    struct rt_launch l = {.kernel = kernel,
                          .same = calloc(kernel->scope.params.count + 1, sizeof(uint32_t))};
    if (!l.same) {
        w->status = rt_nomem(&w->ctx->sink);
    } else if (pass(w, o, s, &call)) {
        struct rt_uses own;
        rt_uses_of(&own, &call);
        rt_walk_each_const(w, &call, 0, go_launch, &l);
        rt_walk_set_before(w, &own);
    }
    free(l.same);
    rt_call_destroy(&call);
}

/* An operator called, and what may stand before and after its launches: in all of its forms. */
struct visit {
    const struct ldsl_module_op *op;
    struct rt_befores before, after;
};

static void walk_op(struct rt_walk *w, struct rt_call *call, void *user)
{
    struct visit *visit = user;
    struct op_walk o = {.call = call, .op = visit->op};
    if (!rt_walk_may_hold(call, o.op->requires) || w->status)
        return;
    set_before(w, &visit->before);
    o.locals = calloc(o.op->tensors.count + 1, sizeof *o.locals);
    if (!o.locals) {
        w->status = rt_nomem(&w->ctx->sink);
        return;
    }
    for (uint32_t i = 0; i < o.op->tensors.count; i++) {
        const struct ldsl_module_tensor *t = &w->m->tensors[o.op->tensors.first + i];
        if (t->kind == LDSL_TENSOR_PARAM)
            o.locals[i] = call->tensors[t->param - o.op->scope.params.first];
    }
    walk_body(w, &o, o.op->body);
    check_memory(w, rt_befores_add_all(&visit->after, &w->before));
    free(o.locals);
}

void rt_walk_visit(struct rt_walk *w, struct rt_call *call, const struct ldsl_module_op *op)
{
    struct visit visit = {.op = op, .before = copy_before(w)};
    rt_walk_each_const(w, call, 0, walk_op, &visit);
    set_before(w, visit.after.count ? &visit.after : &visit.before);
    free(visit.before.list);
    free(visit.after.list);
}

static void walk_call(struct rt_walk *w, struct op_walk *o, const struct ldsl_module_stmt *s)
{
    const struct ldsl_module_op *op = &w->m->ops[s->a];
    struct rt_call call;
    if (rt_call_init(&call, w->m, &op->scope, &w->ctx->info, &w->silent)) {
        w->status = LDSL_NOMEM;
        return;
    }
    if (pass(w, o, s, &call))
        rt_walk_visit(w, &call, op);
    rt_call_destroy(&call);
}

static struct rt_tensor scratch_of(struct rt_walk *w, const struct op_walk *o, uint32_t index)
{
    const struct ldsl_module_tensor *t = &w->m->tensors[index];
    struct rt_tensor tensor = {.presence = RT_PRESENT,
                               .typed = true,
                               .dtype = t->dtype,
                               .rank = t->dims.count,
                               .source = w->sources++};
    if (t->generic != LDSL_NONE)
        tensor.dtype = (enum ldsl_dtype)value_of(o->call, w->m->generics[t->generic].symbol)->i;
    return tensor;
}

static void walk_if(struct rt_walk *w, struct op_walk *o, const struct ldsl_module_stmt *s)
{
    enum rt_answer yes = rt_walk_ask(o->call, s->a);
    struct rt_befores before = copy_before(w), after = {0};
    if (yes != RT_NO) {
        walk_body(w, o, s->first);
        check_memory(w, rt_befores_add_all(&after, &w->before));
    }
    if (yes != RT_YES) {
        set_before(w, &before);
        walk_body(w, o, s->second);
        check_memory(w, rt_befores_add_all(&after, &w->before));
    }
    set_before(w, &after);
    free(before.list);
    free(after.list);
}

/* No round, or one, or one behind another. */
static void walk_for(struct rt_walk *w, struct op_walk *o, const struct ldsl_module_stmt *s)
{
    struct rt_befores before = copy_before(w);
    for (int round = 0; round < 2; round++) {
        *value_of(o->call, s->a) = (struct rt_value){0};
        walk_body(w, o, s->first);
        check_memory(w, rt_befores_add_all(&w->before, &before));
    }
    free(before.list);
}

static void walk_stmt(struct rt_walk *w, struct op_walk *o, const struct ldsl_module_stmt *s)
{
    struct rt_value v;
    switch ((enum ldsl_stmt_kind)s->kind) {
    case LDSL_STMT_LET:
        *value_of(o->call, s->a) = (struct rt_value){0};
        if (rt_host_eval(&o->call->frame, s->b, &v, NULL) == RT_EVAL_OK)
            *value_of(o->call, s->a) = rt_value_cast(v, (enum ldsl_dtype)w->m->symbols[s->a].dtype);
        return;
    case LDSL_STMT_SCRATCH: o->locals[s->a - o->op->tensors.first] = scratch_of(w, o, s->a); return;
    case LDSL_STMT_VIEW: o->locals[s->a - o->op->tensors.first] = view_of(w, o, s->b); return;
    case LDSL_STMT_LAUNCH: walk_launch(w, o, s); return;
    case LDSL_STMT_CALL: walk_call(w, o, s); return;
    case LDSL_STMT_IF: walk_if(w, o, s); return;
    case LDSL_STMT_FOR: walk_for(w, o, s); return;
    case LDSL_STMT_ZERO:
    case LDSL_STMT_COPY: {
        struct rt_uses unknown = {0};
        rt_walk_set_before(w, &unknown);
        return;
    }
    case LDSL_STMT_ASSERT:
    case LDSL_STMT_COUNT: return;
    }
}

static void walk_body(struct rt_walk *w, struct op_walk *o, struct ldsl_module_range body)
{
    if (w->depth == MAX_DEPTH)
        return;
    w->depth++;
    for (uint32_t i = 0; i < body.count && rt_walk_step(w); i++)
        walk_stmt(w, o, &w->m->stmts[body.first + i]);
    w->depth--;
}
