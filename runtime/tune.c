/* Tuning before the first use: what a context with tune_first_use does when it prepares a plan whose
 * kernels have no records.
 *
 * The plan's own shapes are measured, on tensors made for it: floats between 0.5 and 1 with either
 * sign, integers zero, which every index may be. Nobody checks results here and nobody survives a
 * candidate that faults: `ldsl tune` does better, and this is for those who cannot run it. */
#include "plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 5, FLUSH_BYTES_CPU = 32 << 20, FLUSH_BYTES_GPU = 128 << 20, BLOCK_BYTES = 1 << 16 };
static const double seconds_per_operator = 2;

struct first_use {
    /* Copies that report to nobody: a candidate that cannot be is no error of the user's. */
    struct ldsl_context ctx;
    struct ldsl_library lib;
    const char *op;
    const ldsl_argument *arguments;
    uint32_t count;

    const ldsl_plan *plan; /* being timed */
    uint32_t tensor_count;
    uint64_t *pointers; /* owned memory, as the rest */
    uint64_t *before;   /* what is in tensors that are read and written; 0: elsewhere */
    uint64_t workspace, flush;
    size_t workspace_bytes, flush_bytes;
    double deadline;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- memory -------------------------------------------------------------------------------------- */

static void release(const struct first_use *f, uint64_t address)
{
    if (address)
        f->ctx.ops->free(f->ctx.device, address);
}

static void release_all(struct first_use *f)
{
    for (uint32_t i = 0; i < f->tensor_count; i++) {
        release(f, f->pointers ? f->pointers[i] : 0);
        release(f, f->before ? f->before[i] : 0);
    }
    release(f, f->workspace);
    release(f, f->flush);
    free(f->pointers);
    free(f->before);
}

/* A number of the float type between 0.5 and 1, sign and mantissa at random, as bits. */
static uint64_t random_float(enum ldsl_dtype dtype, uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t r = *state >> 24 ^ *state;
    switch ((int)dtype) {
    case LDSL_F16: return 0x3800 | (r & 0x83ff);
    case LDSL_BF16: return 0x3f00 | (r & 0x807f);
    case LDSL_F32: return 0x3f000000 | (r & 0x807fffff);
    case LDSL_F64: return UINT64_C(0x3fe0000000000000) | (r & UINT64_C(0x800fffffffffffff));
    default: return 0;
    }
}

static enum ldsl_status fill(const struct first_use *f, const ldsl_tensor_info *info, uint64_t to)
{
    unsigned char *block = malloc(BLOCK_BYTES);
    size_t size = ldsl_dtype_size(info->dtype);
    uint64_t state = 1;
    if (!block)
        return LDSL_NOMEM;
    for (size_t at = 0; at + size <= BLOCK_BYTES; at += size) {
        uint64_t bits = random_float(info->dtype, &state);
        memcpy(block + at, &bits, size); /* the low bytes come first wherever we run */
    }
    enum ldsl_status status = LDSL_OK;
    for (size_t at = 0; !status && at < info->bytes; at += BLOCK_BYTES) {
        size_t left = info->bytes - at;
        status = f->ctx.ops->upload(f->ctx.device, to + at, block,
                                    left < BLOCK_BYTES ? left : BLOCK_BYTES);
    }
    free(block);
    return status;
}

static enum ldsl_status make_tensor(struct first_use *f, uint32_t i)
{
    const struct rt_device_ops *ops = f->ctx.ops;
    ldsl_tensor_info info;
    ldsl_plan_tensor(f->plan, i, &info);
    if (!info.bytes)
        return LDSL_OK;
    enum ldsl_status status = ops->alloc(f->ctx.device, &f->pointers[i], info.bytes);
    if (!status)
        status = fill(f, &info, f->pointers[i]);
    if (status || !info.is_written || info.is_output)
        return status;
    status = ops->alloc(f->ctx.device, &f->before[i], info.bytes);
    return status ? status : fill(f, &info, f->before[i]);
}

static enum ldsl_status make_all(struct first_use *f)
{
    const struct rt_device_ops *ops = f->ctx.ops;
    f->tensor_count = ldsl_plan_tensor_count(f->plan);
    f->pointers = calloc(f->tensor_count + 1, sizeof *f->pointers);
    f->before = calloc(f->tensor_count + 1, sizeof *f->before);
    if (!f->pointers || !f->before)
        return LDSL_NOMEM;
    enum ldsl_status status = LDSL_OK;
    for (uint32_t i = 0; !status && i < f->tensor_count; i++)
        status = make_tensor(f, i);
    f->flush_bytes = f->ctx.info.is_gpu ? FLUSH_BYTES_GPU : FLUSH_BYTES_CPU;
    return status ? status : ops->alloc(f->ctx.device, &f->flush, f->flush_bytes);
}

static enum ldsl_status reserve_workspace(struct first_use *f, size_t bytes)
{
    if (bytes <= f->workspace_bytes)
        return LDSL_OK;
    release(f, f->workspace);
    f->workspace = 0;
    f->workspace_bytes = bytes;
    return f->ctx.ops->alloc(f->ctx.device, &f->workspace, bytes);
}

/* ---- timing -------------------------------------------------------------------------------------- */

static enum ldsl_status restore(void *user, void *stream)
{
    const struct first_use *f = user;
    enum ldsl_status status = LDSL_OK;
    for (uint32_t i = 0; !status && i < f->tensor_count; i++) {
        ldsl_tensor_info info;
        ldsl_plan_tensor(f->plan, i, &info);
        if (f->before[i])
            status =
                f->ctx.ops->copy(f->ctx.device, f->pointers[i], f->before[i], info.bytes, stream);
    }
    return status ? status : f->ctx.ops->zero(f->ctx.device, f->flush, f->flush_bytes, stream);
}

static enum ldsl_status launch(void *user, void *stream)
{
    const struct first_use *f = user;
    return ldsl_plan_launch(f->plan, f->pointers, f->tensor_count, f->workspace, stream);
}

/* The least of a few runs; INFINITY: it does not work. */
static double time_plan(struct first_use *f, const ldsl_plan *plan)
{
    double seconds[RUNS], least = INFINITY;
    f->plan = plan;
    if (reserve_workspace(f, ldsl_plan_workspace_bytes(plan)) ||
        ldsl_device_time(&f->ctx, restore, launch, f, seconds, 1) || /* warms up */
        ldsl_device_time(&f->ctx, restore, launch, f, seconds, RUNS))
        return INFINITY;
    for (int i = 0; i < RUNS; i++)
        least = seconds[i] < least ? seconds[i] : least;
    return least;
}

static double time_settings(struct first_use *f, const char *with)
{
    ldsl_plan *plan;
    double seconds = INFINITY;
    if (!rt_prepare(&plan, &f->lib, f->op, f->arguments, f->count, with))
        seconds = time_plan(f, plan);
    ldsl_plan_destroy(plan);
    return seconds;
}

/* ---- searching ----------------------------------------------------------------------------------- */

/* Appends settings with their kernel's name before each. */
static void qualify(struct rt_text *out, const char *kernel, const char *settings)
{
    for (const char *s = settings; *s;) {
        int length = (int)strcspn(s, ",");
        rt_text_add(out, "%s%s.%.*s", out->length ? "," : "", kernel, length, s);
        s += length;
        s += *s == ',';
    }
}

/* Searches one kernel behind what was found for those before it, and adds what it finds. */
static void tune_kernel(struct first_use *f, const struct rt_tuned *t, struct rt_text *found,
                        double *seconds)
{
    ldsl_search *search;
    uint32_t round;
    double best;
    if (ldsl_search_create(&search, t->tunables, t->tunable_count))
        return;
    while (now() < f->deadline && (round = ldsl_search_round(search)) > 0)
        for (uint32_t i = 0; i < round && now() < f->deadline; i++) {
            struct rt_text with = {0};
            rt_text_add(&with, "%s", found->data);
            qualify(&with, t->kernel, ldsl_search_settings(search, i));
            ldsl_search_tell(search, i, with.failed ? INFINITY : time_settings(f, with.data));
            free(with.data);
        }
    const char *settings = ldsl_search_best(search, &best);
    if (best < INFINITY) {
        qualify(found, t->kernel, settings);
        *seconds = best;
    }
    ldsl_search_destroy(search);
}

static bool is_first(const ldsl_plan *plan, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (plan->steps.data[k].kind == RT_STEP_KERNEL &&
            strcmp(plan->steps.data[k].tuned->kernel, plan->steps.data[i].tuned->kernel) == 0)
            return false;
    return true;
}

/* Does a launch of that kernel want to be tuned? */
static bool wants(const ldsl_plan *plan, const char *kernel)
{
    for (uint32_t i = 0; i < plan->steps.count; i++) {
        const struct rt_step *step = &plan->steps.data[i];
        if (step->kind == RT_STEP_KERNEL && step->tuned->wants_tuning &&
            strcmp(step->tuned->kernel, kernel) == 0)
            return true;
    }
    return false;
}

/* The settings of the kernels that have records: what is timed must run them so. */
static void keep_recorded(struct rt_text *found, const ldsl_plan *plan)
{
    for (uint32_t i = 0; i < plan->steps.count; i++) {
        const struct rt_step *step = &plan->steps.data[i];
        if (step->kind == RT_STEP_KERNEL && step->tuned->from_record && is_first(plan, i) &&
            !wants(plan, step->tuned->kernel))
            qualify(found, step->tuned->kernel, step->tuned->settings);
    }
}

/* Of the kernels that `untuned` wants tuned. */
static void keep_records(struct first_use *f, struct ldsl_context *ctx, const ldsl_plan *untuned,
                         const char *with, double seconds)
{
    ldsl_plan *plan;
    ldsl_record record;
    if (rt_prepare(&plan, &f->lib, f->op, f->arguments, f->count, with))
        return;
    for (uint32_t i = 0; ldsl_plan_record(plan, i, &record); i++) {
        ldsl_tunable any;
        record.time_us = seconds * 1e6;
        if (ldsl_plan_tunable(plan, i, 0, &any) && wants(untuned, record.kernel))
            rt_tuning_put(ctx, &record);
    }
    ldsl_plan_destroy(plan);
}

void rt_tune_first_use(struct ldsl_library *lib, const ldsl_plan *plan,
                       const ldsl_argument *arguments, uint32_t count)
{
    struct first_use f = {.ctx = *lib->ctx,
                          .lib = *lib,
                          .op = plan->op,
                          .arguments = arguments,
                          .count = count,
                          .plan = plan,
                          .deadline = now() + seconds_per_operator};
    struct rt_text found = {0};
    double seconds = INFINITY;
    f.ctx.sink = (struct ldsl_sink){0};
    f.ctx.tuning = NULL;
    f.lib.ctx = &f.ctx;
    rt_quiet_begin(); /* the device too: it reports to the sink of the context */
    rt_text_add(&found, "%s", "");
    keep_recorded(&found, plan);
    if (!make_all(&f) && !found.failed) {
        seconds = time_plan(&f, plan);
        for (uint32_t i = 0; i < plan->steps.count; i++) {
            const struct rt_step *step = &plan->steps.data[i];
            if (step->kind == RT_STEP_KERNEL && step->tuned->wants_tuning && is_first(plan, i))
                tune_kernel(&f, step->tuned, &found, &seconds);
        }
        if (seconds < INFINITY && !found.failed)
            keep_records(&f, lib->ctx, plan, found.data, seconds);
    }
    release_all(&f);
    rt_quiet_end();
    free(found.data);
}

bool rt_wants_tuning(const ldsl_plan *plan)
{
    for (uint32_t i = 0; i < plan->steps.count; i++)
        if (plan->steps.data[i].kind == RT_STEP_KERNEL && plan->steps.data[i].tuned->wants_tuning)
            return true;
    return false;
}
