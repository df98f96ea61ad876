/* The CPU's table of device functions. */
#include "cpu/check.h"
#include "cpu/cpu.h"
#include "cpu/loader.h"
#include "cpu/move.h"
#include "cpu/pool.h"
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALIGNMENT 256 /* what device.h promises */

struct device {
    struct pool *pool;
    struct loader *loader;
    const struct ldsl_sink *sink;
};

typedef void entry_fn(const uint64_t *slots, int64_t first, int64_t last, void *scratch,
                      struct ldsl_check_report *report);

struct kernel {
    struct loaded *image;
    entry_fn *entry;
    check_extents *extents; /* checked kernels */
    struct ldsl_kernel_info info;
};

/* ---- life -------------------------------------------------------------------------------------- */

static uint32_t probe(char *why, size_t size)
{
    if (size)
        why[0] = '\0';
    return 1;
}

static uint32_t core_count(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (uint32_t)n;
}

static void close_device(void *device)
{
    struct device *d = device;
    loader_destroy(d->loader);
    pool_destroy(d->pool);
    free(d);
}

static enum ldsl_status open_device(void **out, const struct rt_device_options *options)
{
    struct device *d = *out = calloc(1, sizeof *d);
    if (!d)
        return rt_nomem(options->sink);
    d->sink = options->sink;
    enum ldsl_status status = LDSL_OK;
    if (options->number)
        status = rt_error(d->sink, LDSL_ARGUMENT, "there is one CPU device, cpu:0");
    if (!status) {
        d->pool = pool_create(options->threads ? options->threads : core_count());
        if (!d->pool)
            status = rt_error(d->sink, LDSL_DEVICE, "cannot start the worker threads");
    }
    if (!status)
        status = loader_create(&d->loader, d->sink);
    if (status) {
        close_device(d);
        *out = NULL;
    }
    return status;
}

/* "AMD EPYC 9B14" as the kernel of the system knows it. */
static void processor_name(char *name, size_t size, const char *fallback)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    snprintf(name, size, "%s", fallback);
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(name, size, "%s", colon + 2);
        break;
    }
    if (f)
        fclose(f);
}

static void describe(void *device, struct rt_device_info *info)
{
    struct device *d = device;
    char cpu[64], name[96];
    *info = (struct rt_device_info){.sm_count = pool_threads(d->pool), .lanes = 1};
    loader_describe(cpu, sizeof cpu, info->identity, sizeof info->identity);
    processor_name(name, sizeof name, cpu);
    snprintf(info->name, sizeof info->name, "cpu");
    snprintf(info->model, sizeof info->model, "%s", name);
    snprintf(info->target, sizeof info->target, "cpu:native");
    double gib = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1 << 30);
    snprintf(info->description, sizeof info->description, "%.70s (%.40s), %u threads, %.0f GiB",
             name, cpu, pool_threads(d->pool), gib);
}

/* ---- memory ------------------------------------------------------------------------------------ */

static enum ldsl_status alloc(void *device, uint64_t *address, size_t bytes)
{
    struct device *d = device;
    if (bytes > SIZE_MAX - ALIGNMENT)
        return rt_nomem(d->sink);
    void *p = aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    *address = (uint64_t)(uintptr_t)p;
    return p ? LDSL_OK : rt_nomem(d->sink);
}

static void *pointer(uint64_t address)
{
    return (void *)(uintptr_t)address;
}

static void free_memory(void *device, uint64_t address)
{
    (void)device;
    free(pointer(address));
}

static enum ldsl_status upload(void *device, uint64_t to, const void *from, size_t bytes)
{
    struct device *d = device;
    move_copy(d->pool, pointer(to), from, bytes);
    return LDSL_OK;
}

static enum ldsl_status download(void *device, void *to, uint64_t from, size_t bytes)
{
    struct device *d = device;
    move_copy(d->pool, to, pointer(from), bytes);
    return LDSL_OK;
}

static enum ldsl_status copy(void *device, uint64_t to, uint64_t from, size_t bytes, void *stream)
{
    (void)stream;
    return download(device, pointer(to), from, bytes);
}

static enum ldsl_status zero(void *device, uint64_t to, size_t bytes, void *stream)
{
    struct device *d = device;
    (void)stream;
    move_zero(d->pool, pointer(to), bytes);
    return LDSL_OK;
}

/* ---- kernels ----------------------------------------------------------------------------------- */

static void unload(void *device, void *kernel)
{
    struct device *d = device;
    struct kernel *k = kernel;
    if (k)
        loader_unload(d->loader, k->image);
    free(k);
}

static enum ldsl_status find_functions(struct device *d, struct kernel *k)
{
    uint64_t address = 0;
    enum ldsl_status status = loader_find(d->loader, k->image, k->info.entry, &address);
    k->entry = (entry_fn *)(uintptr_t)address;
    if (status || !k->info.checked)
        return status;
    char name[512];
    snprintf(name, sizeof name, "%s.extents", k->info.entry);
    status = loader_find(d->loader, k->image, name, &address);
    k->extents = (check_extents *)(uintptr_t)address;
    return status;
}

static enum ldsl_status load(void *device, void **out, const ldsl_artifact *artifact)
{
    struct device *d = device;
    struct kernel *k = *out = calloc(1, sizeof *k);
    if (!k)
        return rt_nomem(d->sink);
    size_t bytes;
    const void *image = ldsl_artifact_data(artifact, &bytes);
    enum ldsl_status status = LDSL_OK;
    if (!ldsl_artifact_kernel(artifact, &k->info))
        status = rt_error(d->sink, LDSL_ARGUMENT, "the artifact holds no kernel");
    else if (strncmp(k->info.target, "cpu:", 4) != 0)
        status = rt_error(d->sink, LDSL_ARGUMENT, "kernel %s is for %s, not for the CPU",
                          k->info.name, k->info.target);
    if (!status)
        status = loader_load(d->loader, &k->image, image, bytes);
    if (!status)
        status = find_functions(d, k);
    if (!status && !pool_reserve(d->pool, (size_t)k->info.scratch_bytes))
        status = rt_nomem(d->sink);
    if (status) {
        unload(d, k);
        *out = NULL;
    }
    return status;
}

struct launch {
    entry_fn *entry;
    const uint64_t *slots;
    struct ldsl_check_report *report;
};

static void run_programs(void *user, int64_t first, int64_t last, void *scratch)
{
    const struct launch *l = user;
    l->entry(l->slots, first, last, scratch, l->report);
}

static enum ldsl_status launch_checked(struct device *d, struct kernel *k, const uint64_t *slots,
                                       uint64_t programs)
{
    struct check *c;
    enum ldsl_status status = check_begin(&c, &k->info, k->extents, slots, d->sink);
    if (status)
        return status;
    struct launch l = {k->entry, slots, check_report(c)};
    pool_run(d->pool, (int64_t)programs, 0, run_programs, &l);
    return check_end(c);
}

static enum ldsl_status launch(void *device, void *kernel, const uint64_t *slots,
                               uint32_t slot_count, uint64_t programs, bool alone, void *stream)
{
    struct device *d = device;
    struct kernel *k = kernel;
    (void)alone; /* one launch at a time */
    (void)stream;
    if (slot_count != k->info.slot_count)
        return rt_error(d->sink, LDSL_ARGUMENT, "kernel %s takes %u slots, not %u", k->info.name,
                        k->info.slot_count, slot_count);
    if (k->info.checked)
        return launch_checked(d, k, slots, programs);
    struct launch l = {k->entry, slots, NULL};
    pool_run(d->pool, (int64_t)programs, 0, run_programs, &l);
    return LDSL_OK;
}

static enum ldsl_status synchronize(void *device, void *stream)
{
    (void)device;
    (void)stream;
    return LDSL_OK; /* every launch is done when it returns */
}

const struct rt_device_ops rt_cpu = {
    .name = "cpu",
    .probe = probe,
    .open = open_device,
    .close = close_device,
    .describe = describe,
    .alloc = alloc,
    .free = free_memory,
    .upload = upload,
    .download = download,
    .copy = copy,
    .zero = zero,
    .load = load,
    .unload = unload,
    .launch = launch,
    .synchronize = synchronize,
};
