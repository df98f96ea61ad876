/* Preparing plans, and what may be asked of them. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "plan.h"

#include <stdlib.h>
#include <string.h>

bool rt_grow(void *data, size_t size, uint32_t count, uint32_t more, uint32_t *capacity)
{
    void *entries;
    memcpy(&entries, data, sizeof entries); /* whatever type they are of */
    if (more > UINT32_MAX / 2 - count)
        return false;
    if (count + more <= *capacity)
        return true;
    uint32_t wanted = *capacity * 2 > count + more ? *capacity * 2 : count + more;
    void *grown = realloc(entries, wanted * size);
    if (!grown)
        return false;
    memcpy(data, &grown, sizeof grown);
    *capacity = wanted;
    return true;
}

/* ---- prepare ----------------------------------------------------------------------------------- */

/* The tensors of the plan: those of the operator that are there, in order. */
static enum ldsl_status list_tensors(struct ldsl_plan *plan, struct rt_call *call)
{
    const struct ldsl_module_range params = call->frame.scope->params;
    if (!rt_reserve(&plan->tensors, params.count))
        return rt_nomem(call->sink);
    for (uint32_t i = 0; i < params.count; i++) {
        const struct ldsl_module_param *p = &call->frame.m->params[params.first + i];
        struct rt_tensor *t = &call->tensors[i];
        if (p->kind != LDSL_KIND_TENSOR || t->presence != RT_PRESENT)
            continue;
        t->source = plan->tensors.count;
        struct rt_plan_tensor *out = &plan->tensors.data[plan->tensors.count++];
        *out = (struct rt_plan_tensor){.tensor = *t};
        out->info.name = rt_call_param_name(call, i);
        out->info.dtype = t->dtype;
        out->info.rank = t->rank;
        memcpy(out->info.shape, t->shape, sizeof t->shape);
        memcpy(out->info.strides, t->strides, sizeof t->strides);
        out->info.bytes = rt_tensor_bytes(t);
        out->info.is_output = p->role == LDSL_PARAM_OUTPUT;
        out->info.is_written = p->role != LDSL_PARAM_INPUT;
    }
    return LDSL_OK;
}

static enum ldsl_status check_outputs(const struct ldsl_plan *plan, const struct rt_call *call)
{
    for (uint32_t i = 0; i < plan->tensors.count; i++) {
        const struct rt_plan_tensor *t = &plan->tensors.data[i];
        if (t->info.is_output && t->info.bytes && !t->written)
            return rt_call_error(call, LDSL_SOURCE, "%s is not written for these arguments",
                                 t->info.name);
    }
    return LDSL_OK;
}

static void resolve(const struct ldsl_plan *plan, struct rt_address *at)
{
    if (!(at->source & RT_SCRATCH))
        return;
    at->offset += plan->scratches.data[at->source & ~RT_SCRATCH].offset;
    at->source = RT_WORKSPACE;
}

static enum ldsl_status lay_workspace_out(struct ldsl_plan *plan)
{
    enum ldsl_status status = rt_workspace_place(plan->scratches.data, plan->scratches.count,
                                                 &plan->workspace_bytes, &plan->lib->ctx->sink);
    for (uint32_t i = 0; i < plan->patches.count; i++)
        resolve(plan, &plan->patches.data[i].at);
    for (uint32_t i = 0; i < plan->steps.count; i++) {
        if (plan->steps.data[i].kind == RT_STEP_KERNEL)
            continue;
        resolve(plan, &plan->steps.data[i].to);
        if (plan->steps.data[i].kind == RT_STEP_COPY)
            resolve(plan, &plan->steps.data[i].from);
    }
    return status;
}

/* A plan without launches heard no setting: that is no fault of the settings. */
static enum ldsl_status check_settings(const struct ldsl_plan *plan, const struct rt_call *call,
                                       const struct rt_settings *asked)
{
    for (uint32_t i = 0; plan->steps.count && i < asked->count; i++)
        if (!asked->list[i].used)
            return rt_call_error(call, LDSL_ARGUMENT, "no kernel launched has a tuned value %.*s",
                                 (int)asked->list[i].length, asked->list[i].name);
    return LDSL_OK;
}

static enum ldsl_status prepare(struct ldsl_plan *plan, const struct rt_op_entry *entry,
                                struct rt_call *call, const ldsl_argument *arguments,
                                uint32_t count, struct rt_settings *asked)
{
    const struct ldsl_module_op *op = &call->frame.m->ops[entry->op];
    enum ldsl_status status = rt_take_arguments(call, arguments, count);
    if (!status)
        status = rt_bind(call, op->requires);
    if (!status)
        status = list_tensors(plan, call);
    if (!status)
        status = rt_expand(plan, entry->file, op, call, asked);
    if (!status)
        status = check_outputs(plan, call);
    if (!status)
        status = check_settings(plan, call, asked);
    return status ? status : lay_workspace_out(plan);
}

static enum ldsl_status prepare_op(struct ldsl_plan *plan, const struct rt_op_entry *entry,
                                   const ldsl_argument *arguments, uint32_t count,
                                   struct rt_settings *asked)
{
    struct ldsl_context *ctx = plan->lib->ctx;
    const struct rt_module *m = plan->lib->files[entry->file].module;
    const struct ldsl_module_op *op = &m->ops[entry->op];
    struct rt_call call;
    enum ldsl_status status = rt_call_init(&call, m, &op->scope, &ctx->info, &ctx->sink);
    if (status)
        return status;
    plan->op = call.name = rt_module_text(m, op->name);
    call.own_path = rt_module_text(m, op->path);
    status = prepare(plan, entry, &call, arguments, count, asked);
    rt_call_destroy(&call);
    return status;
}

enum ldsl_status rt_prepare(ldsl_plan **out, struct ldsl_library *lib, const char *op,
                            const ldsl_argument *arguments, uint32_t count, const char *with)
{
    const struct ldsl_sink *sink = &lib->ctx->sink;
    const struct rt_op_entry *entry = rt_library_find(lib, op);
    *out = NULL;
    if (!entry)
        return rt_error(sink, LDSL_ARGUMENT, "there is no operator '%s'", op);
    struct rt_settings asked;
    enum ldsl_status status = rt_settings_parse(&asked, with, sink);
    if (status)
        return status;
    struct ldsl_plan *plan = calloc(1, sizeof *plan);
    if (plan) {
        plan->lib = lib;
        status = prepare_op(plan, entry, arguments, count, &asked);
    } else {
        status = rt_nomem(sink);
    }
    free(asked.list);
    if (status)
        ldsl_plan_destroy(plan);
    else
        *out = plan;
    return status;
}

/* One thread at a time measures; those that waited may find what they need. */
static enum ldsl_status tune_and_prepare(ldsl_plan **plan, ldsl_library *lib, const char *op,
                                         const ldsl_argument *arguments, uint32_t count)
{
    rt_tuning_lock(lib->ctx);
    for (int attempt = 0;; attempt++) {
        ldsl_plan_destroy(*plan);
        enum ldsl_status status = rt_prepare(plan, lib, op, arguments, count, NULL);
        if (status || attempt == 1 || !rt_wants_tuning(*plan)) {
            rt_tuning_unlock(lib->ctx);
            return status;
        }
        rt_tune_first_use(lib, *plan, arguments, count);
    }
}

enum ldsl_status ldsl_plan_prepare(ldsl_plan **out, ldsl_library *lib, const char *op,
                                   const ldsl_argument *arguments, uint32_t count, const char *with)
{
    if (out)
        *out = NULL;
    if (!out || !lib || !op)
        return rt_error(lib ? &lib->ctx->sink : NULL, LDSL_ARGUMENT,
                        "preparing needs a library, an operator and a place for the plan");
    enum ldsl_status status = rt_prepare(out, lib, op, arguments, count, with);
    if (!status && lib->ctx->tune_first_use && rt_wants_tuning(*out))
        status = tune_and_prepare(out, lib, op, arguments, count);
    return status;
}

void ldsl_plan_destroy(ldsl_plan *plan)
{
    if (!plan)
        return;
    for (uint32_t i = 0; i < plan->steps.count; i++) {
        free(plan->steps.data[i].variant);
        rt_tuned_destroy(plan->steps.data[i].tuned);
    }
    free(plan->tensors.data);
    free(plan->steps.data);
    free(plan->slots.data);
    free(plan->patches.data);
    free(plan->scratches.data);
    free(plan);
}

/* ---- questions --------------------------------------------------------------------------------- */

uint32_t ldsl_plan_tensor_count(const ldsl_plan *plan)
{
    return plan ? plan->tensors.count : 0;
}

bool ldsl_plan_tensor(const ldsl_plan *plan, uint32_t i, ldsl_tensor_info *info)
{
    if (!plan || !info || i >= plan->tensors.count)
        return false;
    *info = plan->tensors.data[i].info;
    return true;
}

size_t ldsl_plan_workspace_bytes(const ldsl_plan *plan)
{
    return plan ? plan->workspace_bytes : 0;
}

/* Launches are numbered among themselves: zero and copy steps do not count. */
static const struct rt_step *find_launch(const ldsl_plan *plan, uint32_t number)
{
    for (uint32_t i = 0; plan && i < plan->steps.count; i++)
        if (plan->steps.data[i].kind == RT_STEP_KERNEL && !number--)
            return &plan->steps.data[i];
    return NULL;
}

uint32_t ldsl_plan_launch_count(const ldsl_plan *plan)
{
    uint32_t count = 0;
    for (uint32_t i = 0; plan && i < plan->steps.count; i++)
        count += plan->steps.data[i].kind == RT_STEP_KERNEL;
    return count;
}

const char *ldsl_plan_launch_kernel(const ldsl_plan *plan, uint32_t i)
{
    const struct rt_step *step = find_launch(plan, i);
    return step ? step->name : NULL;
}

const char *ldsl_plan_launch_variant(const ldsl_plan *plan, uint32_t i)
{
    const struct rt_step *step = find_launch(plan, i);
    return step ? step->variant : NULL;
}

bool ldsl_plan_launch_info(const ldsl_plan *plan, uint32_t i, struct ldsl_kernel_info *info)
{
    const struct rt_step *step = find_launch(plan, i);
    if (step && info)
        *info = step->kernel->info;
    return step && info;
}

/* ---- tuning ------------------------------------------------------------------------------------ */

bool ldsl_plan_tunable(const ldsl_plan *plan, uint32_t launch, uint32_t i, ldsl_tunable *out)
{
    const struct rt_step *step = find_launch(plan, launch);
    if (!step || !out || i >= step->tuned->tunable_count)
        return false;
    *out = step->tuned->tunables[i];
    return true;
}

bool ldsl_plan_record(const ldsl_plan *plan, uint32_t launch, ldsl_record *out)
{
    const struct rt_step *step = find_launch(plan, launch);
    if (step && out)
        rt_tuned_record(plan->lib->ctx, step->tuned, out);
    return step && out;
}

bool ldsl_plan_is_tuned(const ldsl_plan *plan, uint32_t launch)
{
    const struct rt_step *step = find_launch(plan, launch);
    return step && step->tuned->from_record;
}

uint64_t ldsl_plan_code(const ldsl_plan *plan)
{
    uint64_t code = 0;
    for (uint32_t i = 0; plan && i < plan->steps.count; i++) {
        const struct rt_step *step = &plan->steps.data[i];
        if (step->kind != RT_STEP_KERNEL)
            continue;
        const struct ldsl_kernel_info *info = &step->kernel->info;
        const uint64_t numbers[] = {code, step->programs, info->block_threads, info->cluster,
                                    info->shared_bytes};
        size_t bytes;
        const void *image = ldsl_artifact_data(step->kernel->artifact, &bytes);
        code = XXH3_64bits_withSeed(image, bytes, XXH3_64bits(numbers, sizeof numbers));
    }
    return code;
}
