/* The emulator's table of device functions. Memory is the CPU device's. */
#include "simt/machine.h"
#include "simt/simt.h"

#include "cpu/cpu.h"
#include "cpu/loader.h"
#include "cpu/pool.h"
#include "internal.h"
#include "target/gpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What kernels are told of the GPU. Few processors: persistent kernels, which run as many programs,
 * then have several rows each even in small tests. */
#define PROCESSORS 4

/* By the device's number: simt:86. The first one is the emulator without a number. */
static const struct gpu {
    uint32_t cc;
    const char *device, *processor;
} gpus[] = {
    {90, "simt",    "sm_90a"},
    {80, "simt:80", "sm_80" },
    {86, "simt:86", "sm_86" },
    {89, "simt:89", "sm_89" },
};

struct device {
    const struct gpu *gpu;
    struct facts facts;
    void *memory; /* a CPU device */
    struct pool *pool;
    struct loader *loader;
    const struct ldsl_sink *sink;
    pthread_mutex_t lock;  /* over the rest */
    struct simt_past past; /* of the last launch */
};

struct kernel {
    struct loaded *image;
    struct simt_kernel k;
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
    if (d->memory)
        rt_cpu.close(d->memory);
    loader_destroy(d->loader);
    pool_destroy(d->pool);
    pthread_mutex_destroy(&d->lock);
    free(d->past.tensors);
    free(d);
}

static enum ldsl_status open_parts(struct device *d, const struct rt_device_options *options)
{
    struct rt_device_options memory = {.threads = 1, .sink = options->sink};
    enum ldsl_status status = rt_cpu.open(&d->memory, &memory);
    if (status)
        return status;
    d->pool = pool_create(options->threads ? options->threads : core_count());
    if (!d->pool)
        return rt_error(d->sink, LDSL_DEVICE, "cannot start the worker threads");
    return loader_create(&d->loader, d->sink);
}

static enum ldsl_status find_gpu(struct device *d, uint32_t number)
{
    for (size_t i = 0; i < sizeof gpus / sizeof *gpus && !d->gpu; i++)
        if (number == gpus[i].cc || !number)
            d->gpu = &gpus[i];
    if (d->gpu && target_gpu_facts(d->gpu->processor, &d->facts))
        return LDSL_OK;
    return rt_error_help(d->sink, LDSL_ARGUMENT, "there are simt:80, simt:86, simt:89 and simt:90",
                         "no GPU of compute capability %u.%u is emulated", number / 10,
                         number % 10);
}

static enum ldsl_status open_device(void **out, const struct rt_device_options *options)
{
    struct device *d = *out = calloc(1, sizeof *d);
    if (!d)
        return rt_nomem(options->sink);
    d->sink = options->sink;
    pthread_mutex_init(&d->lock, NULL);
    enum ldsl_status status = find_gpu(d, options->number);
    if (!status)
        status = open_parts(d, options);
    if (status) {
        close_device(d);
        *out = NULL;
    }
    return status;
}

static void describe(void *device, struct rt_device_info *info)
{
    struct device *d = device;
    char cpu[64];
    *info = (struct rt_device_info){.sm_count = PROCESSORS,
                                    .smem = d->facts.shared_bytes,
                                    .cc = d->gpu->cc,
                                    .lanes = SIMT_LANES,
                                    .blocks_most = RT_GPU_BLOCKS_MOST,
                                    .is_gpu = true};
    for (uint32_t i = 0; d->gpu->cc >= 90 && i < RT_CLUSTER_SIZES; i++)
        info->clusters[i] = PROCESSORS >> (i + 1);
    loader_describe(cpu, sizeof cpu, info->identity, sizeof info->identity);
    snprintf(info->name, sizeof info->name, "%s", d->gpu->device);
    snprintf(info->target, sizeof info->target, "simt:%s", d->gpu->processor);
    snprintf(info->description, sizeof info->description,
             "emulator of a GPU (%s) on %u threads of %.40s", d->gpu->processor,
             pool_threads(d->pool), cpu);
}

/* ---- memory: as on the CPU --------------------------------------------------------------------- */

static enum ldsl_status alloc(void *device, uint64_t *address, size_t bytes)
{
    return rt_cpu.alloc(((struct device *)device)->memory, address, bytes);
}

static void free_memory(void *device, uint64_t address)
{
    rt_cpu.free(((struct device *)device)->memory, address);
}

static enum ldsl_status upload(void *device, uint64_t to, const void *from, size_t bytes)
{
    return rt_cpu.upload(((struct device *)device)->memory, to, from, bytes);
}

static enum ldsl_status download(void *device, void *to, uint64_t from, size_t bytes)
{
    return rt_cpu.download(((struct device *)device)->memory, to, from, bytes);
}

static enum ldsl_status copy(void *device, uint64_t to, uint64_t from, size_t bytes, void *stream)
{
    return rt_cpu.copy(((struct device *)device)->memory, to, from, bytes, stream);
}

static enum ldsl_status zero(void *device, uint64_t to, size_t bytes, void *stream)
{
    return rt_cpu.zero(((struct device *)device)->memory, to, bytes, stream);
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
    char name[512];
    enum ldsl_status status = loader_find(d->loader, k->image, k->k.info.entry, &address);
    k->k.entry = (simt_entry *)(uintptr_t)address;
    if (status)
        return status;
    snprintf(name, sizeof name, "%s.resume", k->k.info.entry);
    status = loader_find(d->loader, k->image, name, &address);
    k->k.resume = (simt_resume *)(uintptr_t)address;
    return status;
}

static enum ldsl_status check_artifact(struct device *d, struct kernel *k,
                                       const ldsl_artifact *artifact)
{
    struct ldsl_kernel_info *info = &k->k.info;
    if (!ldsl_artifact_kernel(artifact, info))
        return rt_error(d->sink, LDSL_ARGUMENT, "the artifact holds no kernel");
    if (strncmp(info->target, "simt:", 5) != 0)
        return rt_error(d->sink, LDSL_ARGUMENT, "kernel %s is for %s, not for the emulator",
                        info->name, info->target);
    if (!info->cluster || info->cluster > 16 || !info->block_threads ||
        info->block_threads > 1024 || info->block_threads % SIMT_LANES ||
        info->shared_bytes > d->facts.shared_bytes)
        return rt_error(d->sink, LDSL_DEVICE,
                        "kernel %s wants %u blocks of %u threads and %u bytes of shared memory; a "
                        "GPU has no such program",
                        info->name, info->cluster, info->block_threads, info->shared_bytes);
    return LDSL_OK;
}

static enum ldsl_status load(void *device, void **out, const ldsl_artifact *artifact)
{
    struct device *d = device;
    struct kernel *k = *out = calloc(1, sizeof *k);
    if (!k)
        return rt_nomem(d->sink);
    size_t bytes;
    const void *image = ldsl_artifact_data(artifact, &bytes);
    enum ldsl_status status = check_artifact(d, k, artifact);
    if (!status)
        status = loader_load(d->loader, &k->image, image, bytes);
    if (!status)
        status = find_functions(d, k);
    if (status) {
        unload(d, k);
        *out = NULL;
    }
    return status;
}

/* ---- launching --------------------------------------------------------------------------------- */

static void run_programs(void *user, int64_t first, int64_t last, void *scratch)
{
    struct simt_launch *l = user;
    struct machine *m = machine_create(l);
    (void)scratch;
    if (!m) {
        simt_fail_memory(l);
        return;
    }
    for (int64_t i = first; i < last; i++)
        machine_run(m, (uint64_t)i);
    machine_destroy(m);
}

/* A machine costs about as much as a small program: few chunks. */
static int64_t choose_chunk(const struct device *d, uint64_t programs)
{
    uint64_t chunks = (uint64_t)pool_threads(d->pool) * 4;
    return (int64_t)((programs + chunks - 1) / chunks);
}

static bool begin_past(struct device *d, struct simt_launch *l, bool alone)
{
    static const struct simt_past nothing = {0};
    pthread_mutex_lock(&d->lock);
    bool fine = simt_past_copy(&l->before, alone ? &nothing : &d->past);
    pthread_mutex_unlock(&d->lock);
    return fine;
}

static void end_past(struct device *d, struct simt_launch *l)
{
    free(l->before.tensors);
    pthread_mutex_lock(&d->lock);
    free(d->past.tensors);
    d->past = (struct simt_past){0};
    if (l->tensors && !simt_past_of(&d->past, l))
        l->out_of_memory = true;
    pthread_mutex_unlock(&d->lock);
}

static bool open_launch(struct simt_launch *l)
{
    l->tensors = calloc(SIMT_TENSORS, sizeof *l->tensors);
    pthread_mutex_init(&l->lock, NULL);
    for (uint32_t i = 0; i < SIMT_LOCKS; i++)
        pthread_mutex_init(&l->locks[i], NULL);
    return l->tensors;
}

static void close_launch(struct simt_launch *l)
{
    for (uint32_t i = 0; l->tensors && i < SIMT_TENSORS; i++)
        free(l->tensors[i].touches);
    free(l->tensors);
    for (uint32_t i = 0; i < SIMT_LOCKS; i++)
        pthread_mutex_destroy(&l->locks[i]);
    pthread_mutex_destroy(&l->lock);
}

static enum ldsl_status launch(void *device, void *kernel, const uint64_t *slots,
                               uint32_t slot_count, uint64_t programs, bool alone, void *stream)
{
    struct device *d = device;
    struct kernel *k = kernel;
    (void)stream;
    if (slot_count != k->k.info.slot_count)
        return rt_error(d->sink, LDSL_ARGUMENT, "kernel %s takes %u slots, not %u", k->k.info.name,
                        k->k.info.slot_count, slot_count);
    if (programs >= UINT32_MAX)
        return rt_error(d->sink, LDSL_UNSUPPORTED,
                        "kernel %s has %llu programs; one launch runs "
                        "fewer than 2^32",
                        k->k.info.name, (unsigned long long)programs);
    struct simt_launch l = {.kernel = &k->k, .slots = slots, .sink = d->sink};
    bool fine = begin_past(d, &l, alone);
    if (open_launch(&l) && fine)
        pool_run(d->pool, (int64_t)programs, choose_chunk(d, programs), run_programs, &l);
    else
        l.out_of_memory = true;
    if (!l.out_of_memory)
        simt_check_outputs(&l);
    end_past(d, &l);
    enum ldsl_status status = simt_tell(&l);
    close_launch(&l);
    return status;
}

static enum ldsl_status synchronize(void *device, void *stream)
{
    (void)device;
    (void)stream;
    return LDSL_OK; /* every launch is done when it returns */
}

const struct rt_device_ops rt_simt = {
    .name = "simt",
    .numbers_kinds = true,
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
