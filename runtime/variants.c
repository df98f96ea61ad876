/* The closed set of binaries an operator can need: every dtype, const and presence of its signature,
 * followed through its body without shapes; for each launch every specialize group, cover and default
 * that some shape could take.
 *
 * What a shape would decide is unknown here, and unknown means: both. A condition that is known to
 * fail cuts its branch. */
#include "schedule.h"

#include <ldsl/ops.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VARIANTS = 1 << 18, MAX_STEPS = 1 << 24, MAX_DEPTH = 32 };

struct walk {
    const struct rt_module *m;
    struct ldsl_context *ctx;
    void (*report)(void *user, const char *kernel, const char *variant);
    void *user;
    char **seen; /* open addressing: "kernel bindings" */
    uint32_t seen_count, seen_capacity;
    uint32_t sources; /* tensors made so far: each its own source */
    uint32_t steps, depth;
    enum ldsl_status status; /* the first failure: of memory or of a limit */
    struct ldsl_sink silent; /* a combination that cannot be is no error */
};

struct op_walk {
    struct rt_call *call;
    const struct ldsl_module_op *op;
    struct rt_tensor *locals;
};

static bool step(struct walk *w)
{
    if (w->status)
        return false;
    if (++w->steps > MAX_STEPS)
        w->status = rt_error(&w->ctx->sink, LDSL_UNSUPPORTED, "the variants are too many to list");
    return !w->status;
}

/* ---- what was reported ------------------------------------------------------------------------- */

static uint32_t hash_text(const char *text)
{
    uint32_t h = 2166136261u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    return h;
}

static char **find_seen(char **slots, uint32_t capacity, const char *text)
{
    for (uint32_t i = hash_text(text);; i++) {
        char **slot = &slots[i & (capacity - 1)];
        if (!*slot || strcmp(*slot, text) == 0)
            return slot;
    }
}

static bool grow_seen(struct walk *w)
{
    uint32_t capacity = w->seen_capacity ? w->seen_capacity * 2 : 256;
    char **slots = calloc(capacity, sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = 0; i < w->seen_capacity; i++)
        if (w->seen[i])
            *find_seen(slots, capacity, w->seen[i]) = w->seen[i];
    free(w->seen);
    w->seen = slots;
    w->seen_capacity = capacity;
    return true;
}

static void report_once(struct walk *w, const char *kernel, const struct rt_text *bindings)
{
    struct rt_text key = {0};
    rt_text_add(&key, "%s %s", kernel, bindings->data ? bindings->data : "");
    if (bindings->failed || key.failed ||
        (w->seen_count * 2 >= w->seen_capacity && !grow_seen(w))) {
        free(key.data);
        w->status = rt_nomem(&w->ctx->sink);
        return;
    }
    char **slot = find_seen(w->seen, w->seen_capacity, key.data);
    if (*slot) {
        free(key.data);
        return;
    }
    *slot = key.data;
    if (++w->seen_count > MAX_VARIANTS)
        w->status =
            rt_error(&w->ctx->sink, LDSL_UNSUPPORTED, "more than %d variants", MAX_VARIANTS);
    else
        w->report(w->user, kernel, bindings->data);
}

/* ---- one launch: groups x covers x defaults ---------------------------------------------------- */

enum answer { NO, YES, MAYBE };

static enum answer ask(const struct rt_call *call, uint32_t node)
{
    int64_t v = 0;
    if (rt_host_eval_int(&call->frame, node, &v, NULL))
        return MAYBE; /* a fault, too, depends on the shape */
    return v ? YES : NO;
}

static bool may_hold(const struct rt_call *call, struct ldsl_module_range checks)
{
    for (uint32_t i = 0; i < checks.count; i++)
        if (ask(call, call->frame.m->checks[checks.first + i].node) == NO)
            return false;
    return true;
}

static struct rt_value *value_of(const struct rt_call *call, uint32_t symbol)
{
    return &call->values[symbol - call->frame.scope->symbols.first];
}

/* Texts are built by appending; a choice is taken back by cutting. */
static void cut(struct rt_text *text, size_t length)
{
    text->length = length;
    if (text->data)
        text->data[length] = '\0';
}

static void take_default(struct walk *w, const struct rt_launch *l,
                         const struct ldsl_module_default *d, struct rt_text *text)
{
    const struct rt_module *m = w->m;
    size_t length = text->length;
    for (uint32_t i = 0; i < l->kernel->tunes.count; i++) {
        const struct ldsl_module_tune *tune = &m->tunes[l->kernel->tunes.first + i];
        int64_t value = m->values[tune->values.first];
        for (uint32_t k = 0; k < d->settings.count; k++) {
            const struct ldsl_module_setting *s = &m->settings[d->settings.first + k];
            if (strcmp(rt_module_text(m, s->name),
                       rt_module_text(m, m->symbols[tune->symbol].name)) == 0)
                rt_host_eval_int(&l->call.frame, s->node, &value, NULL);
        }
        *value_of(&l->call, tune->symbol) = rt_value_int(value);
        rt_print_symbol(&l->call, tune->symbol, text);
    }
    (void)rt_print_default_schedule(l, d, text); /* what a shape decides is left out */
    if (may_hold(&l->call, l->kernel->wheres))
        report_once(w, rt_module_text(m, l->kernel->name), text);
    cut(text, length);
}

static void each_default(struct walk *w, const struct rt_launch *l, struct rt_text *text)
{
    struct ldsl_module_range defaults = l->kernel->defaults;
    if (!l->kernel->tunes.count)
        report_once(w, rt_module_text(w->m, l->kernel->name), text);
    for (uint32_t i = 0; l->kernel->tunes.count && i < defaults.count && step(w); i++) {
        const struct ldsl_module_default *d = &w->m->defaults[defaults.first + i];
        enum answer holds = d->where == LDSL_NONE ? YES : ask(&l->call, d->where);
        if (holds != NO)
            take_default(w, l, d, text);
        if (holds == YES)
            return;
    }
}

/* Metas from `i` on; one that a shape decides is a cover, so it takes every rung of the ladder. */
static void each_meta(struct walk *w, const struct rt_launch *l, uint32_t i, struct rt_text *text)
{
    if (!step(w))
        return;
    if (i == l->kernel->metas.count) {
        each_default(w, l, text);
        return;
    }
    const struct ldsl_module_meta *meta = &w->m->metas[l->kernel->metas.first + i];
    struct rt_value *value = value_of(&l->call, meta->symbol);
    size_t length = text->length;
    *value = (struct rt_value){0};
    enum rt_eval known = rt_host_eval(&l->call.frame, meta->node, value, NULL);
    bool ladder = known == RT_EVAL_UNKNOWN;
    for (uint32_t rung = 0; ladder ? rt_fit_rung(rung) != 0 : rung == 0 && !known; rung++) {
        if (ladder)
            *value = rt_value_int(rt_fit_rung(rung));
        rt_print_symbol(&l->call, meta->symbol, text);
        each_meta(w, l, i + 1, text);
        cut(text, length);
    }
    *value = (struct rt_value){0};
}

static void each_group(struct walk *w, const struct rt_launch *l)
{
    struct ldsl_module_range groups = l->kernel->groups;
    struct rt_text text = {0};
    rt_text_add(&text, "%s", "");
    rt_print_signature(l, &text);
    size_t length = text.length;
    enum answer holds = NO;
    for (uint32_t g = 0; g <= groups.count && holds != YES; g++) {
        holds = g == groups.count ? YES : ask(&l->call, w->m->checks[groups.first + g].node);
        if (holds == NO)
            continue;
        rt_print_group(l, g, &text);
        if (!text.failed)
            each_meta(w, l, 0, &text);
        cut(&text, length);
    }
    if (text.failed)
        w->status = rt_nomem(&w->ctx->sink);
    free(text.data);
}

/* ---- const parameters -------------------------------------------------------------------------- */

/* Calls `go` for every value of the const parameters that the arguments leave open. */
static void each_const(struct walk *w, struct rt_call *call, uint32_t i,
                       void (*go)(struct walk *w, struct rt_call *call, void *user), void *user)
{
    struct ldsl_module_range params = call->frame.scope->params;
    if (!step(w))
        return;
    while (i < params.count) {
        const struct ldsl_module_param *p = &w->m->params[params.first + i];
        if (p->flags & LDSL_MODULE_CONST && p->kind != LDSL_KIND_TENSOR &&
            !value_of(call, p->symbol)->known)
            break;
        i++;
    }
    if (i == params.count) {
        go(w, call, user);
        return;
    }
    const struct ldsl_module_param *p = &w->m->params[params.first + i];
    for (uint32_t c = 0; c < p->choices.count; c++) {
        *value_of(call, p->symbol) = rt_value_int(w->m->values[p->choices.first + c]);
        each_const(w, call, i + 1, go, user);
    }
    *value_of(call, p->symbol) = (struct rt_value){0};
}

/* ---- statements -------------------------------------------------------------------------------- */

static void walk_body(struct walk *w, struct op_walk *o, struct ldsl_module_range body);

/* A view keeps its tensor's source; a narrowed one gets its own: no shape tells whether they meet. */
static struct rt_tensor view_of(struct walk *w, const struct op_walk *o, uint32_t index)
{
    const struct ldsl_module_view *v = &w->m->views[index];
    struct rt_tensor t = o->locals[v->tensor - o->op->tensors.first];
    if (v->subs.count)
        t.source = w->sources++;
    return t;
}

/* False: this call cannot be (an absent tensor where one is wanted, a type that is not taken). */
static bool pass(struct walk *w, const struct op_walk *o, const struct ldsl_module_stmt *s,
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

static void go_launch(struct walk *w, struct rt_call *call, void *user)
{
    struct rt_launch *l = user;
    l->call = *call;
    rt_find_shared(l);
    if (may_hold(call, l->kernel->requires))
        each_group(w, l);
}

static void walk_launch(struct walk *w, struct op_walk *o, const struct ldsl_module_stmt *s)
{
    const struct ldsl_module_kernel *kernel = &w->m->kernels[s->a];
    struct rt_call call;
    if (rt_call_init(&call, w->m, &kernel->scope, &w->ctx->info, &w->silent)) {
        w->status = LDSL_NOMEM;
        return;
    }
    struct rt_launch l = {.kernel = kernel,
                          .same = calloc(kernel->scope.params.count + 1, sizeof(uint32_t))};
    if (!l.same)
        w->status = rt_nomem(&w->ctx->sink);
    else if (pass(w, o, s, &call))
        each_const(w, &call, 0, go_launch, &l);
    free(l.same);
    rt_call_destroy(&call);
}

static void walk_op(struct walk *w, struct rt_call *call, void *user)
{
    struct op_walk o = {.call = call, .op = user};
    if (!may_hold(call, o.op->requires) || w->status)
        return;
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
    free(o.locals);
}

static void walk_call(struct walk *w, struct op_walk *o, const struct ldsl_module_stmt *s)
{
    const struct ldsl_module_op *op = &w->m->ops[s->a];
    struct rt_call call;
    if (rt_call_init(&call, w->m, &op->scope, &w->ctx->info, &w->silent)) {
        w->status = LDSL_NOMEM;
        return;
    }
    if (pass(w, o, s, &call))
        each_const(w, &call, 0, walk_op, (void *)op);
    rt_call_destroy(&call);
}

static struct rt_tensor scratch_of(struct walk *w, const struct op_walk *o, uint32_t index)
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

static void walk_stmt(struct walk *w, struct op_walk *o, const struct ldsl_module_stmt *s)
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
    case LDSL_STMT_IF: {
        enum answer yes = ask(o->call, s->a);
        if (yes != NO)
            walk_body(w, o, s->first);
        if (yes != YES)
            walk_body(w, o, s->second);
        return;
    }
    case LDSL_STMT_FOR:
        *value_of(o->call, s->a) = (struct rt_value){0};
        walk_body(w, o, s->first);
        return;
    case LDSL_STMT_ZERO:
    case LDSL_STMT_COPY:
    case LDSL_STMT_ASSERT:
    case LDSL_STMT_COUNT: return;
    }
}

static void walk_body(struct walk *w, struct op_walk *o, struct ldsl_module_range body)
{
    if (w->depth == MAX_DEPTH)
        return;
    w->depth++;
    for (uint32_t i = 0; i < body.count && step(w); i++)
        walk_stmt(w, o, &w->m->stmts[body.first + i]);
    w->depth--;
}

/* ---- the operator's own signature -------------------------------------------------------------- */

/* A type that only absent tensors have is the first of its set (bind.c): the others add nothing. */
static bool types_are_canonical(const struct walk *w, const struct rt_call *call)
{
    const struct ldsl_module_scope *scope = call->frame.scope;
    for (uint32_t g = 0; g < scope->generics.count; g++) {
        const struct ldsl_module_generic *generic = &w->m->generics[scope->generics.first + g];
        uint32_t used = 0, present = 0;
        for (uint32_t i = 0; i < scope->params.count; i++) {
            if (w->m->params[scope->params.first + i].generic != scope->generics.first + g)
                continue;
            used++;
            present += call->tensors[i].presence == RT_PRESENT;
        }
        uint32_t below = (1u << value_of(call, generic->symbol)->i) - 1;
        if (used && !present && generic->dtypes & below)
            return false;
    }
    return true;
}

static void each_presence(struct walk *w, struct rt_call *call, uint32_t i,
                          const struct ldsl_module_op *op)
{
    struct ldsl_module_range params = call->frame.scope->params;
    if (!step(w))
        return;
    while (i < params.count && w->m->params[params.first + i].kind != LDSL_KIND_TENSOR)
        i++;
    if (i == params.count) {
        if (types_are_canonical(w, call))
            each_const(w, call, 0, walk_op, (void *)op);
        return;
    }
    const struct ldsl_module_param *p = &w->m->params[params.first + i];
    struct rt_tensor *t = &call->tensors[i];
    *t = (struct rt_tensor){.presence = RT_PRESENT,
                            .typed = true,
                            .dtype = p->dtype,
                            .rank = p->dims.count,
                            .source = i};
    if (p->generic != LDSL_NONE)
        t->dtype = (enum ldsl_dtype)value_of(call, w->m->generics[p->generic].symbol)->i;
    each_presence(w, call, i + 1, op);
    if (!(p->flags & LDSL_MODULE_OPTIONAL))
        return;
    t->presence = RT_ABSENT;
    each_presence(w, call, i + 1, op);
}

static void each_type(struct walk *w, struct rt_call *call, uint32_t g,
                      const struct ldsl_module_op *op)
{
    struct ldsl_module_range generics = call->frame.scope->generics;
    if (g == generics.count) {
        each_presence(w, call, 0, op);
        return;
    }
    const struct ldsl_module_generic *generic = &w->m->generics[generics.first + g];
    for (unsigned d = 0; d < LDSL_DTYPE_COUNT && step(w); d++) {
        if (!(generic->dtypes >> d & 1))
            continue;
        *value_of(call, generic->symbol) = rt_value_int(d);
        each_type(w, call, g + 1, op);
    }
}

enum ldsl_status
ldsl_op_variants(ldsl_library *lib, const char *op,
                 void (*report)(void *user, const char *kernel, const char *variant), void *user)
{
    if (!lib || !op || !report)
        return rt_error(lib ? &lib->ctx->sink : NULL, LDSL_ARGUMENT,
                        "listing variants needs a library, an operator and someone to tell");
    const struct rt_op_entry *entry = rt_library_find(lib, op);
    if (!entry)
        return rt_error(&lib->ctx->sink, LDSL_ARGUMENT, "there is no operator '%s'", op);
    struct walk w = {.m = lib->files[entry->file].module,
                     .ctx = lib->ctx,
                     .report = report,
                     .user = user,
                     .sources = 1u << 16};
    const struct ldsl_module_op *record = &w.m->ops[entry->op];
    struct rt_call call;
    enum ldsl_status status = rt_call_init(&call, w.m, &record->scope, &lib->ctx->info, &w.silent);
    if (status)
        return status;
    each_type(&w, &call, 0, record);
    rt_call_destroy(&call);
    for (uint32_t i = 0; i < w.seen_capacity; i++)
        free(w.seen[i]);
    free(w.seen);
    return w.status;
}
