/* Running a plan: addresses go into the slots, the device does the rest. Nothing is allocated and
 * nothing of the plan is written, so that launches on other threads are not disturbed. */
#include "plan.h"

#include <ldsl/tune.h>
#include <math.h>
#include <string.h>
#include <time.h>

static enum ldsl_status check_pointer(const struct ldsl_plan *plan, const struct rt_plan_tensor *t,
                                      uint64_t pointer)
{
    const struct ldsl_sink *sink = &plan->lib->ctx->sink;
    if (!pointer)
        return rt_error(sink, LDSL_ARGUMENT, "%s: the pointer of %s is NULL", plan->op,
                        t->info.name);
    if (pointer % t->tensor.alignment)
        return rt_error(
            sink, LDSL_ARGUMENT,
            "%s: %s is not aligned to %llu bytes; its argument may say a smaller alignment",
            plan->op, t->info.name, (unsigned long long)t->tensor.alignment);
    if (pointer > UINT64_MAX - t->info.bytes)
        return rt_error(sink, LDSL_ARGUMENT, "%s: %s runs over the end of memory", plan->op,
                        t->info.name);
    return LDSL_OK;
}

static enum ldsl_status check_overlap(const struct ldsl_plan *plan, const uint64_t *pointers,
                                      uint32_t i)
{
    const struct rt_plan_tensor *a = &plan->tensors.data[i];
    for (uint32_t k = 0; k < i; k++) {
        const struct rt_plan_tensor *b = &plan->tensors.data[k];
        if (!a->info.is_written && !b->info.is_written)
            continue;
        if (rt_tensors_overlap(&b->tensor, &a->tensor, (int64_t)(pointers[i] - pointers[k])))
            return rt_error(&plan->lib->ctx->sink, LDSL_ARGUMENT,
                            "%s: %s and %s overlap in memory, and %s is written", plan->op,
                            b->info.name, a->info.name,
                            a->info.is_written ? a->info.name : b->info.name);
    }
    return LDSL_OK;
}

static enum ldsl_status check_pointers(const struct ldsl_plan *plan, const uint64_t *pointers,
                                       uint32_t count, uint64_t workspace)
{
    const struct ldsl_sink *sink = &plan->lib->ctx->sink;
    if (count != plan->tensors.count)
        return rt_error(sink, LDSL_ARGUMENT, "%s: the plan has %u tensors; %u pointers were given",
                        plan->op, plan->tensors.count, count);
    if (count && !pointers)
        return rt_error(sink, LDSL_ARGUMENT, "%s: the list of pointers is NULL", plan->op);
    for (uint32_t i = 0; i < count; i++) {
        if (!plan->tensors.data[i].info.bytes)
            continue;
        enum ldsl_status status = check_pointer(plan, &plan->tensors.data[i], pointers[i]);
        if (!status)
            status = check_overlap(plan, pointers, i);
        if (status)
            return status;
    }
    if (plan->workspace_bytes && !workspace)
        return rt_error(sink, LDSL_ARGUMENT, "%s: a workspace of %llu bytes is needed; it is NULL",
                        plan->op, (unsigned long long)plan->workspace_bytes);
    if (plan->workspace_bytes && workspace % 256)
        return rt_error(sink, LDSL_ARGUMENT, "%s: the workspace is not aligned to 256 bytes",
                        plan->op);
    return LDSL_OK;
}

static enum ldsl_status check_workspace(const struct ldsl_plan *plan, const uint64_t *pointers,
                                        uint64_t workspace)
{
    for (uint32_t i = 0; plan->workspace_bytes && i < plan->tensors.count; i++) {
        uint64_t bytes = plan->tensors.data[i].info.bytes;
        if (bytes && pointers[i] < workspace + plan->workspace_bytes &&
            workspace < pointers[i] + bytes)
            return rt_error(&plan->lib->ctx->sink, LDSL_ARGUMENT,
                            "%s: %s and the workspace overlap in memory", plan->op,
                            plan->tensors.data[i].info.name);
    }
    return LDSL_OK;
}

static uint64_t address_of(struct rt_address at, const uint64_t *pointers, uint64_t workspace)
{
    return (at.source == RT_WORKSPACE ? workspace : pointers[at.source]) + at.offset;
}

static void fill_slots(uint64_t slots[RT_MAX_SLOTS], const struct ldsl_plan *plan,
                       const struct rt_step *step, const uint64_t *pointers, uint64_t workspace)
{
    if (step->slot_count)
        memcpy(slots, plan->slots.data + step->slots, step->slot_count * sizeof *slots);
    for (uint32_t i = 0; i < step->patch_count; i++) {
        const struct rt_patch *p = &plan->patches.data[step->patches + i];
        slots[p->slot] = address_of(p->at, pointers, workspace);
    }
}

static enum ldsl_status run_kernel(const struct ldsl_plan *plan, const struct rt_step *step,
                                   const uint64_t *pointers, uint64_t workspace, void *stream)
{
    const struct ldsl_context *ctx = plan->lib->ctx;
    uint64_t slots[RT_MAX_SLOTS];
    fill_slots(slots, plan, step, pointers, workspace);
    return ctx->ops->launch(ctx->device, step->kernel->handle, slots, step->slot_count,
                            step->programs, step->alone, stream);
}

static enum ldsl_status run_step(const struct ldsl_plan *plan, const struct rt_step *step,
                                 const uint64_t *pointers, uint64_t workspace, void *stream)
{
    const struct ldsl_context *ctx = plan->lib->ctx;
    switch (step->kind) {
    case RT_STEP_KERNEL: return run_kernel(plan, step, pointers, workspace, stream);
    case RT_STEP_ZERO:
        return ctx->ops->zero(ctx->device, address_of(step->to, pointers, workspace), step->bytes,
                              stream);
    case RT_STEP_COPY:
        return ctx->ops->copy(ctx->device, address_of(step->to, pointers, workspace),
                              address_of(step->from, pointers, workspace), step->bytes, stream);
    }
    return LDSL_INTERNAL;
}

enum ldsl_status ldsl_plan_launch(const ldsl_plan *plan, const uint64_t *pointers, uint32_t count,
                                  uint64_t workspace, void *stream)
{
    if (!plan)
        return rt_error(NULL, LDSL_ARGUMENT, "the plan is NULL");
    enum ldsl_status status = check_pointers(plan, pointers, count, workspace);
    if (!status)
        status = check_workspace(plan, pointers, workspace);
    for (uint32_t i = 0; !status && i < plan->steps.count; i++)
        status = run_step(plan, &plan->steps.data[i], pointers, workspace, stream);
    return status;
}

/* ---- what launching costs ---------------------------------------------------------------------- */

enum { SERIES = 50, LAUNCHES = 100 }; /* a driver queues a thousand before it makes the host wait */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static enum ldsl_status time_ours(const ldsl_plan *plan, const uint64_t *pointers, uint32_t count,
                                  uint64_t workspace, double *seconds)
{
    enum ldsl_status status = LDSL_OK;
    double start = now();
    for (uint32_t i = 0; !status && i < LAUNCHES; i++)
        status = ldsl_plan_launch(plan, pointers, count, workspace, NULL);
    *seconds = now() - start;
    return status;
}

/* One step after the other; what is no kernel is a call of the driver as it is. */
static enum ldsl_status time_bare(const ldsl_plan *plan, const uint64_t *pointers,
                                  uint64_t workspace, double *seconds)
{
    const struct ldsl_context *ctx = plan->lib->ctx;
    enum ldsl_status status = LDSL_OK;
    *seconds = 0;
    for (uint32_t i = 0; !status && i < plan->steps.count; i++) {
        const struct rt_step *step = &plan->steps.data[i];
        uint64_t slots[RT_MAX_SLOTS];
        double part = 0, start = now();
        if (step->kind == RT_STEP_KERNEL) {
            fill_slots(slots, plan, step, pointers, workspace);
            status = ctx->ops->time_bare(ctx->device, step->kernel->handle, slots, step->slot_count,
                                         step->programs, &part, LAUNCHES);
        } else {
            for (uint32_t n = 0; !status && n < LAUNCHES; n++)
                status = run_step(plan, step, pointers, workspace, NULL);
            part = now() - start;
        }
        *seconds += part;
    }
    return status;
}

enum ldsl_status ldsl_plan_time_launch(const ldsl_plan *plan, const uint64_t *pointers,
                                       uint32_t count, uint64_t workspace, double *ours,
                                       double *bare)
{
    if (!plan || !ours || !bare)
        return rt_error(NULL, LDSL_ARGUMENT,
                        "timing launches needs a plan and places for the times");
    const struct ldsl_context *ctx = plan->lib->ctx;
    if (!ctx->ops->time_bare)
        return rt_error(&ctx->sink, LDSL_UNSUPPORTED, "device '%s' has no driver to compare with",
                        ctx->info.name);
    enum ldsl_status status = LDSL_OK;
    *ours = *bare = INFINITY;
    for (int i = 0; !status && i < SERIES; i++) {
        double mine = 0, drivers = 0;
        status = time_ours(plan, pointers, count, workspace, &mine);
        if (!status)
            status = ctx->ops->synchronize(ctx->device, NULL);
        if (!status)
            status = time_bare(plan, pointers, workspace, &drivers);
        if (!status)
            status = ctx->ops->synchronize(ctx->device, NULL);
        *ours = fmin(*ours, mine / LAUNCHES);
        *bare = fmin(*bare, drivers / LAUNCHES);
    }
    return status;
}
