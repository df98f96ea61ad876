/* Steps: what launches, zero and copy become. */
#include "expand.h"

#include <stdlib.h>
#include <string.h>

/* ---- launches ---------------------------------------------------------------------------------- */

static uint8_t role_of(const struct rt_call *call, uint32_t i)
{
    return call->frame.m->params[call->frame.scope->params.first + i].role;
}

/* Two tensors of a launch of which one is written: the same view read and written is one tensor to
 * the kernel; any other overlap is an error. */
static enum ldsl_status check_pair(const struct rt_launch *l, uint32_t i, uint32_t k)
{
    const struct rt_call *call = &l->call;
    const struct rt_tensor *a = &call->tensors[i], *b = &call->tensors[k];
    uint8_t ra = role_of(call, i), rb = role_of(call, k);
    if (a->presence != RT_PRESENT || b->presence != RT_PRESENT || a->source != b->source ||
        (ra == LDSL_PARAM_INPUT && rb == LDSL_PARAM_INPUT) || rt_may_share(call, i, k) ||
        !rt_tensors_overlap(a, b, (int64_t)(b->offset - a->offset)))
        return LDSL_OK;
    return rt_call_error(call, LDSL_ARGUMENT, "%s and %s overlap, and %s is written",
                         rt_call_param_name(call, i), rt_call_param_name(call, k),
                         rt_call_param_name(call, ra == LDSL_PARAM_INPUT ? k : i));
}

static enum ldsl_status check_sharing(struct rt_launch *l)
{
    uint32_t count = l->call.frame.scope->params.count;
    rt_find_shared(l);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = i + 1; k < count; k++) {
            enum ldsl_status status = check_pair(l, i, k);
            if (status)
                return status;
        }
    return LDSL_OK;
}

static enum ldsl_status check_strides(const struct rt_call *call)
{
    const struct ldsl_module_range params = call->frame.scope->params;
    for (uint32_t i = 0; i < params.count; i++) {
        const struct ldsl_module_param *p = &call->frame.m->params[params.first + i];
        const struct rt_tensor *t = &call->tensors[i];
        if (p->kind != LDSL_KIND_TENSOR || t->presence != RT_PRESENT || !t->rank ||
            p->flags & LDSL_MODULE_STRIDED)
            continue;
        if (t->shape[t->rank - 1] > 1 && t->strides[t->rank - 1] != 1)
            return rt_call_error(call, LDSL_ARGUMENT,
                                 "the innermost stride of %s is %lld; it must be 1",
                                 rt_call_param_name(call, i), (long long)t->strides[t->rank - 1]);
    }
    return LDSL_OK;
}

static enum ldsl_status note_uses(struct rt_expansion *x, const struct rt_body *f, uint32_t line,
                                  const struct rt_call *call)
{
    const struct ldsl_module_range params = call->frame.scope->params;
    enum ldsl_status status = LDSL_OK;
    /* Reads first: what a launch writes is no excuse for what it reads. */
    for (int writes = 0; writes < 2; writes++)
        for (uint32_t i = 0; !status && i < params.count; i++) {
            const struct ldsl_module_param *p = &x->m->params[params.first + i];
            const struct rt_tensor *t = &call->tensors[i];
            if (p->kind != LDSL_KIND_TENSOR || t->presence != RT_PRESENT)
                continue;
            if (writes ? p->role != LDSL_PARAM_INPUT : p->role != LDSL_PARAM_OUTPUT)
                status = rt_note_use(x, f, line, t->source, !writes, writes);
        }
    return status;
}

/* The value of one slot, and where its address comes from. */
static bool fill_slot(const struct rt_call *call, const struct rt_kernel *kernel,
                      const struct ldsl_slot *slot, uint64_t *value, struct rt_address *at)
{
    const struct rt_module *m = call->frame.m;
    const struct ldsl_module_scope *scope = call->frame.scope;
    const char *name = ldsl_artifact_text(kernel->artifact, slot->name);
    uint32_t param = rt_module_find_param(m, scope, name);
    *at = (struct rt_address){.source = LDSL_NONE};
    *value = 0;
    switch ((enum ldsl_slot_kind)slot->kind) {
    case LDSL_SLOT_POINTER:
    case LDSL_SLOT_STRIDE:
        if (param == LDSL_NONE || m->params[scope->params.first + param].kind != LDSL_KIND_TENSOR)
            return false;
        const struct rt_tensor *t = &call->tensors[param];
        if (t->presence != RT_PRESENT)
            return slot->kind == LDSL_SLOT_POINTER;
        if (slot->kind == LDSL_SLOT_POINTER)
            *at = (struct rt_address){t->source, t->offset};
        else if (slot->dim >= t->rank)
            return false;
        else
            *value = (uint64_t)t->strides[slot->dim];
        return true;
    case LDSL_SLOT_DIM:
        for (uint32_t i = 0; i < scope->symbols.count; i++)
            if (m->symbols[scope->symbols.first + i].kind == LDSL_SYMBOL_DIM &&
                strcmp(rt_module_text(m, m->symbols[scope->symbols.first + i].name), name) == 0) {
                *value = (uint64_t)call->values[i].i;
                return call->values[i].known;
            }
        return false;
    case LDSL_SLOT_SCALAR:
        if (param == LDSL_NONE || m->params[scope->params.first + param].kind == LDSL_KIND_TENSOR ||
            slot->dtype >= LDSL_DTYPE_COUNT)
            return false;
        param = m->params[scope->params.first + param].symbol - scope->symbols.first;
        *value = rt_value_bits(call->values[param], (enum ldsl_dtype)slot->dtype);
        return true;
    }
    return false;
}

static enum ldsl_status fill_slots(struct rt_expansion *x, const struct rt_call *call,
                                   struct rt_step *step)
{
    struct ldsl_plan *plan = x->plan;
    const struct ldsl_kernel_info *info = &step->kernel->info;
    step->slots = plan->slots.count;
    step->slot_count = info->slot_count;
    step->patches = plan->patches.count;
    if (info->slot_count > RT_MAX_SLOTS)
        return rt_call_error(call, LDSL_UNSUPPORTED, "%u argument slots; %d is the most",
                             info->slot_count, RT_MAX_SLOTS);
    if (!rt_reserve(&plan->slots, info->slot_count) ||
        !rt_reserve(&plan->patches, info->slot_count))
        return rt_nomem(rt_expansion_sink(x));
    for (uint32_t i = 0; i < info->slot_count; i++) {
        struct rt_address at;
        if (!fill_slot(call, step->kernel, &info->slots[i], &plan->slots.data[plan->slots.count++],
                       &at))
            return rt_call_error(call, LDSL_INTERNAL, "slot %u of the kernel, '%s', is not its own",
                                 i,
                                 ldsl_artifact_text(step->kernel->artifact, info->slots[i].name));
        if (at.source != LDSL_NONE)
            plan->patches.data[plan->patches.count++] = (struct rt_patch){i, at};
    }
    step->patch_count = plan->patches.count - step->patches;
    return LDSL_OK;
}

/* Found out before anything is launched: an earlier step would have written its results. */
static enum ldsl_status check_programs(const struct rt_call *call, const struct rt_step *step)
{
    uint64_t most = call->frame.device->blocks_most, cluster = step->kernel->info.cluster;
    most /= cluster ? cluster : 1;
    if (!most || step->programs <= most)
        return LDSL_OK;
    return rt_call_error(call, LDSL_UNSUPPORTED,
                         "%llu programs; one launch on a GPU runs up to %llu",
                         (unsigned long long)step->programs, (unsigned long long)most);
}

static enum ldsl_status emit_launch(struct rt_expansion *x, struct rt_launch *l,
                                    struct rt_text *bindings, struct rt_tuned **tuned,
                                    uint64_t programs)
{
    struct rt_step step = {.kind = RT_STEP_KERNEL,
                           .name = rt_module_text(x->m, l->kernel->name),
                           .programs = programs,
                           .alone = x->left_out};
    enum ldsl_status status =
        rt_kernel_get(&step.kernel, x->plan->lib, x->file, step.name, bindings->data);
    if (!status)
        status = check_programs(&l->call, &step);
    if (!status)
        status = fill_slots(x, &l->call, &step);
    if (!status && !rt_reserve(&x->plan->steps, 1))
        status = rt_nomem(rt_expansion_sink(x));
    if (status)
        return status;
    step.variant = bindings->data; /* the plan's from here on, both */
    bindings->data = NULL;
    step.tuned = *tuned;
    *tuned = NULL;
    x->plan->steps.data[x->plan->steps.count++] = step;
    return LDSL_OK;
}

static enum ldsl_status eval_pins(const struct rt_expansion *x, const struct rt_body *f,
                                  struct ldsl_module_range range, struct rt_settings *pins)
{
    *pins = (struct rt_settings){0};
    if (!range.count)
        return LDSL_OK;
    pins->list = calloc(range.count, sizeof *pins->list);
    if (!pins->list)
        return rt_nomem(rt_expansion_sink(x));
    for (uint32_t i = 0; i < range.count; i++) {
        const struct ldsl_module_setting *s = &x->m->settings[range.first + i];
        struct rt_setting *pin = &pins->list[pins->count++];
        pin->name = rt_module_text(x->m, s->name);
        pin->length = strlen(pin->name);
        enum ldsl_status status = rt_call_eval_int(f->call, s->node, &pin->value);
        if (status)
            return status;
    }
    return LDSL_OK;
}

/* Chooses by what was asked for and recorded; *tuned gets what tuning wants to know of it. */
static enum ldsl_status choose(const struct rt_expansion *x, struct rt_settings *pins,
                               struct rt_launch *l, struct rt_tuned *tuned,
                               struct rt_text *bindings, uint64_t *programs)
{
    struct rt_settings recorded = {0};
    struct rt_sources sources = {
        {pins, x->asked}
    };
    size_t length = bindings->length;
    char *text = rt_tuning_find(x->plan->lib->ctx, tuned);
    /* A damaged record is as good as none. */
    if (text && rt_settings_parse(&recorded, text, NULL) == LDSL_OK)
        sources.from[RT_RECORDED] = &recorded;
    tuned->from_record = sources.from[RT_RECORDED] != NULL;
    enum ldsl_status status = rt_schedule(l, &sources, bindings, programs);
    tuned->wants_tuning =
        tuned->tunable_count && !tuned->from_record && !pins->count && !x->asked->count;
    if (!status && !rt_tuned_finish(tuned, l, bindings->data + length))
        status = rt_nomem(rt_expansion_sink(x));
    free(recorded.list);
    free(text);
    return status;
}

static enum ldsl_status schedule_and_emit(struct rt_expansion *x, const struct rt_body *f,
                                          const struct ldsl_module_stmt *s, struct rt_launch *l)
{
    struct rt_settings pins;
    struct rt_text bindings = {0};
    struct rt_tuned *tuned = NULL;
    uint64_t programs = 0;
    enum ldsl_status status = eval_pins(x, f, s->second, &pins);
    if (!status)
        status = rt_schedule_variant(l, &bindings);
    if (!status) {
        tuned = rt_tuned_create(l, bindings.data, f->call, f->op);
        status = tuned ? choose(x, &pins, l, tuned, &bindings, &programs) : LDSL_NOMEM;
    }
    rt_print_ready(&l->call, &x->before, &bindings);
    if (!status && bindings.failed)
        status = rt_nomem(rt_expansion_sink(x));
    if (!status)
        status = note_uses(x, f, s->line, &l->call);
    if (!status && programs)
        status = emit_launch(x, l, &bindings, &tuned, programs);
    rt_uses_of(&x->before, &l->call);
    x->left_out = programs == 0;
    rt_tuned_destroy(tuned);
    free(bindings.data);
    free(pins.list);
    return status;
}

enum ldsl_status rt_expand_launch(struct rt_expansion *x, const struct rt_body *f,
                                  const struct ldsl_module_stmt *s)
{
    const struct ldsl_module_kernel *kernel = &x->m->kernels[s->a];
    struct rt_launch l = {.kernel = kernel};
    enum ldsl_status status =
        rt_open_call(x, f, s, &l.call, &kernel->scope, kernel->name, kernel->path);
    if (!status)
        status = rt_bind(&l.call, kernel->requires);
    if (!status)
        status = check_strides(&l.call);
    if (!status) {
        l.same = calloc(kernel->scope.params.count + 1, sizeof *l.same);
        status = l.same ? check_sharing(&l) : rt_nomem(rt_expansion_sink(x));
    }
    if (!status)
        status = schedule_and_emit(x, f, s, &l);
    free(l.same);
    rt_call_destroy(&l.call);
    return status;
}

/* ---- zero and copy ----------------------------------------------------------------------------- */

/* How many of the innermost dims lie in one run, and how many elements that is. */
static uint32_t run_of(const struct rt_tensor *t, int64_t *elements)
{
    uint32_t d = t->rank;
    *elements = 1;
    while (d > 0 && (t->shape[d - 1] == 1 || t->strides[d - 1] == *elements))
        *elements *= t->shape[--d];
    return d;
}

static enum ldsl_status emit_run(struct rt_expansion *x, const struct rt_step *step)
{
    if (x->plan->steps.count >= MAX_STATEMENTS)
        return rt_error(rt_expansion_sink(x), LDSL_UNSUPPORTED, "%s: more than %d steps",
                        x->plan->op, MAX_STATEMENTS);
    if (!rt_reserve(&x->plan->steps, 1))
        return rt_nomem(rt_expansion_sink(x));
    x->plan->steps.data[x->plan->steps.count++] = *step;
    return LDSL_OK;
}

/* One step per run of `outer` outermost dims; from: NULL to zero. */
static enum ldsl_status emit_runs(struct rt_expansion *x, const struct rt_tensor *to,
                                  const struct rt_tensor *from, uint32_t outer, uint64_t bytes)
{
    int64_t at[LDSL_MAX_RANK] = {0};
    size_t size = ldsl_dtype_size(to->dtype);
    for (;;) {
        struct rt_step step = {
            .kind = from ? RT_STEP_COPY : RT_STEP_ZERO,
            .to = {to->source, to->offset},
            .bytes = bytes
        };
        if (from)
            step.from = (struct rt_address){from->source, from->offset};
        for (uint32_t d = 0; d < outer; d++) {
            step.to.offset += (uint64_t)(at[d] * to->strides[d]) * size;
            if (from)
                step.from.offset += (uint64_t)(at[d] * from->strides[d]) * size;
        }
        enum ldsl_status status = emit_run(x, &step);
        if (status)
            return status;
        uint32_t d = outer;
        while (d > 0 && ++at[d - 1] == to->shape[d - 1])
            at[--d] = 0;
        if (d == 0)
            return LDSL_OK;
    }
}

/* A step that is no launch: all are over before it begins. */
static void forget_launches(struct rt_expansion *x)
{
    x->before.known = false;
    x->left_out = false;
}

enum ldsl_status rt_expand_zero(struct rt_expansion *x, const struct rt_body *f,
                                const struct ldsl_module_stmt *s)
{
    struct rt_tensor to;
    enum ldsl_status status = rt_make_view(x, f, s->line, s->a, &to);
    forget_launches(x);
    if (status || to.presence == RT_ABSENT)
        return status;
    status = rt_note_use(x, f, s->line, to.source, false, true);
    int64_t elements;
    uint32_t outer = run_of(&to, &elements);
    if (status || rt_tensor_count(&to) == 0)
        return status;
    status = emit_runs(x, &to, NULL, outer, (uint64_t)elements * ldsl_dtype_size(to.dtype));
    rt_note_last(x, to.source);
    return status;
}

static bool is_same_shape(const struct rt_tensor *a, const struct rt_tensor *b)
{
    bool same = a->rank == b->rank && a->dtype == b->dtype;
    for (uint32_t d = 0; same && d < a->rank; d++)
        same = a->shape[d] == b->shape[d];
    return same;
}

enum ldsl_status rt_expand_copy(struct rt_expansion *x, const struct rt_body *f,
                                const struct ldsl_module_stmt *s)
{
    struct rt_tensor to, from;
    forget_launches(x);
    enum ldsl_status status = rt_make_view(x, f, s->line, s->a, &to);
    if (!status)
        status = rt_make_view(x, f, s->line, s->b, &from);
    if (status)
        return status;
    const char *name = rt_module_text(x->m, x->m->tensors[x->m->views[s->a].tensor].name);
    if (to.presence == RT_ABSENT || from.presence == RT_ABSENT)
        return rt_body_error(x, f, s->line, "is copied to or from a tensor that is absent", name);
    if (!is_same_shape(&to, &from))
        return rt_body_error(x, f, s->line, "and the tensor copied to it differ in shape or type",
                             name);
    if (to.source == from.source &&
        rt_tensors_overlap(&to, &from, (int64_t)(from.offset - to.offset)))
        return rt_body_error(x, f, s->line, "overlaps the tensor copied to it", name);
    status = rt_note_use(x, f, s->line, from.source, true, false);
    if (!status)
        status = rt_note_use(x, f, s->line, to.source, false, true);
    if (status || rt_tensor_count(&to) == 0)
        return status;
    int64_t to_run, from_run;
    uint32_t outer = run_of(&to, &to_run), from_outer = run_of(&from, &from_run);
    int64_t run = outer > from_outer ? to_run : from_run;
    outer = outer > from_outer ? outer : from_outer;
    status = emit_runs(x, &to, &from, outer, (uint64_t)run * ldsl_dtype_size(to.dtype));
    rt_note_last(x, from.source);
    rt_note_last(x, to.source);
    return status;
}
