/* The closed set of binaries an operator can need: every dtype, const and presence of its signature,
 * followed through its body without shapes; for each launch every specialize group, cover and default
 * that some shape could take.
 *
 * What a shape would decide is unknown here, and unknown means: both. A condition that is known to
 * fail cuts its branch. */
#include "walk.h"

#include <ldsl/ops.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VARIANTS = 1 << 18, MAX_STEPS = 1 << 24 };

bool rt_walk_step(struct rt_walk *w)
{
    if (w->status)
        return false;
    if (++w->steps > MAX_STEPS)
        w->status = rt_error(&w->ctx->sink, LDSL_UNSUPPORTED, "the variants are too many to list");
    return !w->status;
}

/* ---- what was reported ------------------------------------------------------------------------- */

static void report_once(struct rt_walk *w, const char *kernel, const struct rt_text *bindings)
{
    struct rt_text key = {0};
    bool is_new = false;
    rt_text_add(&key, "%s %s", kernel, bindings->data ? bindings->data : "");
    if (bindings->failed || key.failed || !rt_seen_add(&w->seen, key.data, &is_new))
        w->status = rt_nomem(&w->ctx->sink);
    else if (is_new && w->seen.count > MAX_VARIANTS)
        w->status =
            rt_error(&w->ctx->sink, LDSL_UNSUPPORTED, "more than %d variants", MAX_VARIANTS);
    else if (is_new)
        w->report(w->user, kernel, bindings->data);
    free(key.data);
}

/* Texts are built by appending; a choice is taken back by cutting. */
static void cut(struct rt_text *text, size_t length)
{
    text->length = length;
    if (text->data)
        text->data[length] = '\0';
}

/* Behind each launch that may be the one before. */
static void report_behind_each(struct rt_walk *w, const struct rt_launch *l, struct rt_text *text)
{
    size_t length = text->length;
    for (uint32_t i = 0; i < w->before.count && !w->status; i++) {
        rt_print_ready(&l->call, &w->before.list[i], text);
        report_once(w, rt_module_text(w->m, l->kernel->name), text);
        cut(text, length);
    }
}

/* ---- one launch: groups x covers x defaults ---------------------------------------------------- */

enum rt_answer rt_walk_ask(const struct rt_call *call, uint32_t node)
{
    int64_t v = 0;
    if (rt_host_eval_int(&call->frame, node, &v, NULL))
        return RT_MAYBE; /* a fault, too, depends on the shape */
    return v ? RT_YES : RT_NO;
}

bool rt_walk_may_hold(const struct rt_call *call, struct ldsl_module_range checks)
{
    for (uint32_t i = 0; i < checks.count; i++)
        if (rt_walk_ask(call, call->frame.m->checks[checks.first + i].node) == RT_NO)
            return false;
    return true;
}

static struct rt_value *value_of(const struct rt_call *call, uint32_t symbol)
{
    return &call->values[symbol - call->frame.scope->symbols.first];
}

static void take_default(struct rt_walk *w, const struct rt_launch *l,
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
    if (rt_walk_may_hold(&l->call, l->kernel->wheres))
        report_behind_each(w, l, text);
    cut(text, length);
}

static void each_default(struct rt_walk *w, const struct rt_launch *l, struct rt_text *text)
{
    struct ldsl_module_range defaults = l->kernel->defaults;
    if (!l->kernel->tunes.count)
        report_behind_each(w, l, text);
    for (uint32_t i = 0; l->kernel->tunes.count && i < defaults.count && rt_walk_step(w); i++) {
        const struct ldsl_module_default *d = &w->m->defaults[defaults.first + i];
        enum rt_answer holds = d->where == LDSL_NONE ? RT_YES : rt_walk_ask(&l->call, d->where);
        if (holds != RT_NO)
            take_default(w, l, d, text);
        if (holds == RT_YES)
            return;
    }
}

/* Metas from `i` on; one that a shape decides is a cover, so it takes every rung of the ladder. */
static void each_meta(struct rt_walk *w, const struct rt_launch *l, uint32_t i,
                      struct rt_text *text)
{
    if (!rt_walk_step(w))
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

void rt_walk_each_group(struct rt_walk *w, const struct rt_launch *l)
{
    struct ldsl_module_range groups = l->kernel->groups;
    struct rt_text text = {0};
    rt_text_add(&text, "%s", "");
    rt_print_signature(l, &text);
    size_t length = text.length;
    enum rt_answer holds = RT_NO;
    for (uint32_t g = 0; g <= groups.count && holds != RT_YES; g++) {
        holds =
            g == groups.count ? RT_YES : rt_walk_ask(&l->call, w->m->checks[groups.first + g].node);
        if (holds == RT_NO)
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
void rt_walk_each_const(struct rt_walk *w, struct rt_call *call, uint32_t i,
                        void (*go)(struct rt_walk *w, struct rt_call *call, void *user), void *user)
{
    struct ldsl_module_range params = call->frame.scope->params;
    if (!rt_walk_step(w))
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
        rt_walk_each_const(w, call, i + 1, go, user);
    }
    *value_of(call, p->symbol) = (struct rt_value){0};
}

/* ---- the operator's own signature -------------------------------------------------------------- */

/* A type that only absent tensors have is the first of its set (bind.c): the others add nothing. */
static bool types_are_canonical(const struct rt_walk *w, const struct rt_call *call)
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

static void each_presence(struct rt_walk *w, struct rt_call *call, uint32_t i,
                          const struct ldsl_module_op *op)
{
    struct ldsl_module_range params = call->frame.scope->params;
    if (!rt_walk_step(w))
        return;
    while (i < params.count && w->m->params[params.first + i].kind != LDSL_KIND_TENSOR)
        i++;
    if (i == params.count) {
        struct rt_uses unknown = {0};
        rt_walk_set_before(w, &unknown);
        if (types_are_canonical(w, call))
            rt_walk_visit(w, call, op);
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

static void each_type(struct rt_walk *w, struct rt_call *call, uint32_t g,
                      const struct ldsl_module_op *op)
{
    struct ldsl_module_range generics = call->frame.scope->generics;
    if (g == generics.count) {
        each_presence(w, call, 0, op);
        return;
    }
    const struct ldsl_module_generic *generic = &w->m->generics[generics.first + g];
    for (unsigned d = 0; d < LDSL_DTYPE_COUNT && rt_walk_step(w); d++) {
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
    struct rt_walk w = {.m = lib->files[entry->file].module,
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
    rt_seen_clear(&w.seen);
    free(w.before.list);
    return w.status;
}
