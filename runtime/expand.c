/* Expansion: an operator's body, its loops and calls unrolled, as a flat list of steps. */
#include "expand.h"

#include <stdlib.h>
#include <string.h>

static enum ldsl_status expand_body(struct rt_expansion *x, struct rt_body *f,
                                    struct ldsl_module_range body);

const struct ldsl_sink *rt_expansion_sink(const struct rt_expansion *x)
{
    return &x->plan->lib->ctx->sink;
}

enum ldsl_status rt_body_error(const struct rt_expansion *x, const struct rt_body *f, uint32_t line,
                               const char *what, const char *name)
{
    return rt_error_at(rt_expansion_sink(x), LDSL_ARGUMENT, rt_module_text(x->m, f->op->path), line,
                       "%s: %s%s%s", f->call->name, name, *name ? " " : "", what);
}

/* ---- who reads and writes what ----------------------------------------------------------------- */

enum ldsl_status rt_note_use(struct rt_expansion *x, const struct rt_body *f, uint32_t line,
                             uint32_t source, bool reads, bool writes)
{
    struct ldsl_plan *plan = x->plan;
    uint32_t step = plan->steps.count;
    bool *written;
    const char *name;
    if (source & RT_SCRATCH) {
        struct rt_scratch *s = &plan->scratches.data[source & ~RT_SCRATCH];
        if (s->first > s->last)
            s->first = step;
        s->last = step;
        written = &s->written;
        name = s->name;
    } else {
        struct rt_plan_tensor *t = &plan->tensors.data[source];
        written = &t->written;
        name = t->info.name;
        reads = reads && t->info.is_output;
    }
    if (reads && !*written)
        return rt_body_error(x, f, line, "is read before anything is written to it", name);
    *written |= writes;
    return LDSL_OK;
}

void rt_note_last(struct rt_expansion *x, uint32_t source)
{
    if (source & RT_SCRATCH && x->plan->steps.count)
        x->plan->scratches.data[source & ~RT_SCRATCH].last = x->plan->steps.count - 1;
}

/* ---- arguments of launches and calls ----------------------------------------------------------- */

static enum ldsl_status pass_arguments(const struct rt_expansion *x, const struct rt_body *f,
                                       const struct ldsl_module_stmt *s, struct rt_call *callee)
{
    for (uint32_t i = 0; i < s->first.count; i++) {
        const struct ldsl_module_arg *arg = &x->m->args[s->first.first + i];
        const struct ldsl_module_param *p = &x->m->params[callee->frame.scope->params.first + i];
        enum ldsl_status status = LDSL_OK;
        struct rt_value v;
        if (arg->kind == LDSL_PASS_TENSOR) {
            status = rt_make_view(x, f, s->line, arg->index, &callee->tensors[i]);
        } else if (p->kind == LDSL_KIND_TENSOR) {
            callee->tensors[i].presence = RT_ABSENT;
        } else if (arg->kind == LDSL_PASS_VALUE) {
            status = rt_call_eval(f->call, arg->index, &v);
            if (!status)
                status = rt_bind_value(callee, i, v);
        }
        if (status)
            return status;
        if (p->kind == LDSL_KIND_TENSOR && callee->tensors[i].presence == RT_ABSENT &&
            !(p->flags & LDSL_MODULE_OPTIONAL))
            return rt_call_error(callee, LDSL_ARGUMENT, "%s is not optional, and absent here",
                                 rt_call_param_name(callee, i));
    }
    return LDSL_OK;
}

enum ldsl_status rt_open_call(const struct rt_expansion *x, const struct rt_body *f,
                              const struct ldsl_module_stmt *s, struct rt_call *callee,
                              const struct ldsl_module_scope *scope, uint32_t name,
                              uint32_t own_path)
{
    enum ldsl_status status =
        rt_call_init(callee, x->m, scope, f->call->frame.device, f->call->sink);
    if (status)
        return status;
    callee->name = rt_module_text(x->m, name);
    callee->own_path = rt_module_text(x->m, own_path);
    callee->path = rt_module_text(x->m, f->op->path);
    callee->line = s->line;
    callee->caller = f->call;
    return pass_arguments(x, f, s, callee);
}

/* ---- calls ------------------------------------------------------------------------------------- */

static enum ldsl_status expand_op(struct rt_expansion *x, const struct ldsl_module_op *op,
                                  struct rt_call *call)
{
    struct rt_body f = {.call = call, .op = op};
    if (op->flags & LDSL_MODULE_EXTERN)
        return rt_call_error(call, LDSL_UNSUPPORTED,
                             "it is declared extern, and nothing provides it");
    f.locals = calloc(op->tensors.count + 1, sizeof *f.locals);
    if (!f.locals)
        return rt_nomem(rt_expansion_sink(x));
    for (uint32_t i = 0; i < op->tensors.count; i++) {
        const struct ldsl_module_tensor *t = &x->m->tensors[op->tensors.first + i];
        if (t->kind == LDSL_TENSOR_PARAM)
            f.locals[i] = call->tensors[t->param - op->scope.params.first];
    }
    enum ldsl_status status = expand_body(x, &f, op->body);
    free(f.locals);
    return status;
}

static enum ldsl_status expand_call(struct rt_expansion *x, const struct rt_body *f,
                                    const struct ldsl_module_stmt *s)
{
    const struct ldsl_module_op *op = &x->m->ops[s->a];
    struct rt_call callee;
    enum ldsl_status status = rt_open_call(x, f, s, &callee, &op->scope, op->name, op->path);
    if (!status)
        status = rt_bind(&callee, op->requires);
    if (!status)
        status = expand_op(x, op, &callee);
    rt_call_destroy(&callee);
    return status;
}

/* ---- the other statements ---------------------------------------------------------------------- */

static struct rt_value *value_of(const struct rt_body *f, uint32_t symbol)
{
    return &f->call->values[symbol - f->op->scope.symbols.first];
}

static enum ldsl_status expand_let(struct rt_expansion *x, const struct rt_body *f,
                                   const struct ldsl_module_stmt *s)
{
    struct rt_value v;
    enum ldsl_status status = rt_call_eval(f->call, s->b, &v);
    if (!status)
        *value_of(f, s->a) = rt_value_cast(v, (enum ldsl_dtype)x->m->symbols[s->a].dtype);
    return status;
}

static enum ldsl_status expand_scratch(struct rt_expansion *x, const struct rt_body *f,
                                       const struct ldsl_module_stmt *s)
{
    const struct rt_module *m = x->m;
    const struct ldsl_module_tensor *t = &m->tensors[s->a];
    const char *name = rt_module_text(m, t->name);
    struct rt_tensor *local = &f->locals[s->a - f->op->tensors.first];
    struct ldsl_plan *plan = x->plan;
    *local = (struct rt_tensor){.presence = RT_PRESENT,
                                .typed = true,
                                .laid_out = true,
                                .dtype = t->dtype,
                                .rank = t->dims.count,
                                .alignment = 256,
                                .source = RT_SCRATCH | plan->scratches.count};
    if (t->generic != LDSL_NONE)
        local->dtype = (enum ldsl_dtype)value_of(f, m->generics[t->generic].symbol)->i;
    for (uint32_t d = 0; d < local->rank; d++) {
        enum ldsl_status status =
            rt_call_eval_int(f->call, m->dims[t->dims.first + d].node, &local->shape[d]);
        if (status)
            return status;
        if (local->shape[d] < 0)
            return rt_body_error(x, f, s->line, "would have a negative extent", name);
    }
    if (!rt_tensor_pack(local) || !rt_tensor_is_addressable(local))
        return rt_body_error(x, f, s->line, "would be larger than any memory", name);
    if (plan->scratches.count >= MAX_SCRATCHES)
        return rt_body_error(x, f, s->line, "is one scratch tensor too many", name);
    if (!rt_reserve(&plan->scratches, 1))
        return rt_nomem(rt_expansion_sink(x));
    plan->scratches.data[plan->scratches.count++] =
        (struct rt_scratch){.name = name, .bytes = rt_tensor_bytes(local), .first = 1, .last = 0};
    return LDSL_OK;
}

static enum ldsl_status expand_for(struct rt_expansion *x, struct rt_body *f,
                                   const struct ldsl_module_stmt *s)
{
    int64_t lo, hi, step;
    enum ldsl_status status = rt_call_eval_int(f->call, s->b, &lo);
    if (!status)
        status = rt_call_eval_int(f->call, s->c, &hi);
    if (!status)
        status = rt_call_eval_int(f->call, s->d, &step);
    if (!status && step <= 0)
        status = rt_body_error(x, f, s->line, "must be positive", "the step of a loop");
    for (int64_t i = lo; !status && s->first.count && i < hi; i += step) {
        *value_of(f, s->a) = rt_value_int(i);
        status = expand_body(x, f, s->first);
        if (i > INT64_MAX - step)
            break;
    }
    return status;
}

static enum ldsl_status expand_if(struct rt_expansion *x, struct rt_body *f,
                                  const struct ldsl_module_stmt *s)
{
    int64_t yes;
    enum ldsl_status status = rt_call_eval_int(f->call, s->a, &yes);
    return status ? status : expand_body(x, f, yes ? s->first : s->second);
}

static enum ldsl_status expand_assert(struct rt_expansion *x, const struct rt_body *f,
                                      const struct ldsl_module_stmt *s)
{
    const struct ldsl_module_check *c = &x->m->checks[s->a];
    int64_t holds;
    enum ldsl_status status = rt_call_eval_int(f->call, c->node, &holds);
    if (status || holds)
        return status;
    return rt_error_at(rt_expansion_sink(x), LDSL_ARGUMENT, rt_module_text(x->m, f->op->path),
                       c->line, "%s: %s%s(asserts %s)", f->call->name,
                       rt_module_text(x->m, c->message), c->message ? " " : "",
                       rt_module_text(x->m, c->text));
}

static enum ldsl_status expand_stmt(struct rt_expansion *x, struct rt_body *f,
                                    const struct ldsl_module_stmt *s)
{
    switch ((enum ldsl_stmt_kind)s->kind) {
    case LDSL_STMT_LET: return expand_let(x, f, s);
    case LDSL_STMT_SCRATCH: return expand_scratch(x, f, s);
    case LDSL_STMT_VIEW: {
        struct rt_tensor view;
        enum ldsl_status status = rt_make_view(x, f, s->line, s->b, &view);
        if (!status)
            f->locals[s->a - f->op->tensors.first] = view;
        return status;
    }
    case LDSL_STMT_LAUNCH: return rt_expand_launch(x, f, s);
    case LDSL_STMT_CALL: return expand_call(x, f, s);
    case LDSL_STMT_ZERO: return rt_expand_zero(x, f, s);
    case LDSL_STMT_COPY: return rt_expand_copy(x, f, s);
    case LDSL_STMT_IF: return expand_if(x, f, s);
    case LDSL_STMT_FOR: return expand_for(x, f, s);
    case LDSL_STMT_ASSERT: return expand_assert(x, f, s);
    case LDSL_STMT_COUNT: break;
    }
    return LDSL_OK;
}

static enum ldsl_status expand_body(struct rt_expansion *x, struct rt_body *f,
                                    struct ldsl_module_range body)
{
    if (x->depth == MAX_DEPTH)
        return rt_call_error(f->call, LDSL_UNSUPPORTED, "operators are nested more than %d deep",
                             MAX_DEPTH);
    x->depth++;
    enum ldsl_status status = LDSL_OK;
    for (uint32_t i = 0; !status && i < body.count; i++) {
        const struct ldsl_module_stmt *s = &x->m->stmts[body.first + i];
        if (++x->statements > MAX_STATEMENTS)
            status =
                rt_body_error(x, f, s->line, "unrolls to more than 65536 statements", "the body");
        else
            status = expand_stmt(x, f, s);
    }
    x->depth--;
    return status;
}

enum ldsl_status rt_expand(struct ldsl_plan *plan, uint32_t file, const struct ldsl_module_op *op,
                           struct rt_call *call, struct rt_settings *asked)
{
    struct rt_expansion x = {
        .plan = plan, .m = plan->lib->files[file].module, .file = file, .asked = asked};
    return expand_op(&x, op, call);
}
