/* The table of device functions of NVIDIA GPUs: their life and their memory. */
#include "cuda/cuda.h"
#include "cuda/state.h"
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- life -------------------------------------------------------------------------------------- */

uint32_t cuda_count(const struct cuda_api *api, char *why, size_t size)
{
    int count = 0;
    cu_result result = api->cuInit(0);
    if (result == CU_SUCCESS)
        result = api->cuDeviceGetCount(&count);
    if (result != CU_SUCCESS && result != CU_NO_DEVICE)
        snprintf(why, size, "the NVIDIA driver does not start: %s (%d)",
                 cuda_result_name(api, result), result);
    else if (count <= 0)
        snprintf(why, size, "the NVIDIA driver sees no GPU");
    return result == CU_SUCCESS && count > 0 ? (uint32_t)count : 0;
}

static uint32_t probe(char *why, size_t size)
{
    struct cuda_api api;
    return cuda_api_load(&api, why, size) ? cuda_count(&api, why, size) : 0;
}

static void close_device(void *device)
{
    struct cuda_device *d = device;
    if (d->context)
        d->api.cuDevicePrimaryCtxRelease_v2(d->handle);
    pthread_mutex_destroy(&d->loss_lock);
    free(d);
}

static enum ldsl_status read_attributes(struct cuda_device *d)
{
    int major = 0, minor = 0;
    const struct {
        int attribute, *value;
    } wanted[] = {
        {CU_DEVICE_CC_MAJOR,                          &major      },
        {CU_DEVICE_CC_MINOR,                          &minor      },
        {CU_DEVICE_MULTIPROCESSOR_COUNT,              &d->sm_count},
        {CU_DEVICE_WARP_SIZE,                         &d->lanes   },
        {CU_DEVICE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, &d->smem    }
    };
    enum ldsl_status status = LDSL_OK;
    for (size_t i = 0; !status && i < sizeof wanted / sizeof *wanted; i++)
        status =
            CUDA_CALL(d, cuDeviceGetAttribute, wanted[i].value, wanted[i].attribute, d->handle);
    d->cc = major * 10 + minor;
    return status;
}

static enum ldsl_status read_device(struct cuda_device *d)
{
    enum ldsl_status status = CUDA_CALL(d, cuInit, 0);
    if (!status)
        status = CUDA_CALL(d, cuDriverGetVersion, &d->driver);
    if (!status)
        status = CUDA_CALL(d, cuDeviceGet, &d->handle, (int)d->number);
    if (!status)
        status = CUDA_CALL(d, cuDeviceGetName, d->name, (int)sizeof d->name, d->handle);
    if (!status)
        status = CUDA_CALL(d, cuDeviceTotalMem_v2, &d->memory, d->handle);
    return status ? status : read_attributes(d);
}

enum ldsl_status cuda_open(void **out, const struct cuda_api *api,
                           const struct rt_device_options *options)
{
    struct cuda_device *d = *out = calloc(1, sizeof *d);
    if (!d)
        return rt_nomem(options->sink);
    d->api = *api;
    d->sink = options->sink;
    d->number = options->number;
    pthread_mutex_init(&d->loss_lock, NULL);
    enum ldsl_status status = read_device(d);
    if (!status) {
        cu_context context = NULL;
        status = CUDA_CALL(d, cuDevicePrimaryCtxRetain, &context, d->handle);
        d->context = status ? NULL : context;
    }
    if (!status)
        status = cuda_enter(d);
    if (!status) {
        cuda_count_clusters(d);
        cuda_leave(d);
    }
    if (status) {
        close_device(d);
        *out = NULL;
    }
    return status;
}

static enum ldsl_status open_device(void **out, const struct rt_device_options *options)
{
    struct cuda_api api;
    char why[256];
    *out = NULL;
    if (!cuda_api_load(&api, why, sizeof why))
        return rt_error(options->sink, LDSL_DEVICE, "%s", why);
    return cuda_open(out, &api, options);
}

/* What to compile for. The fastest instructions of 9.0 are in a dialect for that one alone; newer GPUs
 * run the common one. */
static void describe_target(const struct cuda_device *d, char *target, size_t size)
{
    int cc = d->cc == 87 || d->cc == 88 ? 86 : d->cc > 90 ? 90 : d->cc;
    snprintf(target, size, "nvptx:sm_%d%s", cc, d->cc == 90 ? "a" : "");
}

static void describe(void *device, struct rt_device_info *info)
{
    const struct cuda_device *d = device;
    *info = (struct rt_device_info){
        .sm_count = d->sm_count,
        .smem = d->smem,
        .cc = d->cc,
        .lanes = d->lanes,
        .blocks_most = RT_GPU_BLOCKS_MOST,
        .is_gpu = true,
    };
    for (int i = 0; i < RT_CLUSTER_SIZES; i++)
        info->clusters[i] = d->clusters[i];
    snprintf(info->name, sizeof info->name, "cuda:%u", d->number);
    describe_target(d, info->target, sizeof info->target);
    snprintf(info->model, sizeof info->model, "%s", d->name);
    snprintf(info->identity, sizeof info->identity, "%s on sm_%d, CUDA %d", info->target, d->cc,
             d->driver);
    snprintf(info->description, sizeof info->description,
             "%.70s (compute capability %d.%d), %d multiprocessors, %.0f GiB, CUDA %d.%d", d->name,
             d->cc / 10, d->cc % 10, d->sm_count, (double)d->memory / (1 << 30), d->driver / 1000,
             d->driver % 1000 / 10);
}

/* ---- memory ------------------------------------------------------------------------------------ */

static enum ldsl_status alloc(void *device, uint64_t *address, size_t bytes)
{
    struct cuda_device *d = device;
    *address = 0;
    enum ldsl_status status = cuda_enter(d);
    if (status)
        return status;
    status = CUDA_CALL(d, cuMemAlloc_v2, address, bytes); /* aligned to 256 bytes or more */
    cuda_leave(d);
    return status;
}

static void free_memory(void *device, uint64_t address)
{
    struct cuda_device *d = device;
    /* What is left of a lost GPU goes with the process; the loss has been told. */
    if (!address || atomic_load(&d->lost) || cuda_enter(d))
        return;
    (void)CUDA_CALL(d, cuMemFree_v2, address);
    cuda_leave(d);
}

static enum ldsl_status upload(void *device, uint64_t to, const void *from, size_t bytes)
{
    struct cuda_device *d = device;
    enum ldsl_status status = cuda_enter(d);
    if (status)
        return status;
    status = CUDA_CALL(d, cuMemcpyHtoD_v2, to, from, bytes);
    /* The driver may return when it has read the host's memory; streams that do not wait for the
     * default one would then see the old contents. */
    if (!status)
        status = CUDA_CALL(d, cuStreamSynchronize, NULL);
    cuda_leave(d);
    return status;
}

static enum ldsl_status download(void *device, void *to, uint64_t from, size_t bytes)
{
    struct cuda_device *d = device;
    enum ldsl_status status = cuda_enter(d);
    if (status)
        return status;
    status = CUDA_CALL(d, cuMemcpyDtoH_v2, to, from, bytes);
    cuda_leave(d);
    return status;
}

static enum ldsl_status copy(void *device, uint64_t to, uint64_t from, size_t bytes, void *stream)
{
    struct cuda_device *d = device;
    enum ldsl_status status = cuda_enter(d);
    if (status)
        return status;
    status = CUDA_CALL(d, cuMemcpyDtoDAsync_v2, to, from, bytes, stream);
    cuda_leave(d);
    return status;
}

static enum ldsl_status zero(void *device, uint64_t to, size_t bytes, void *stream)
{
    struct cuda_device *d = device;
    enum ldsl_status status = cuda_enter(d);
    if (status)
        return status;
    status = CUDA_CALL(d, cuMemsetD8Async, to, 0, bytes, stream);
    cuda_leave(d);
    return status;
}

static enum ldsl_status synchronize(void *device, void *stream)
{
    struct cuda_device *d = device;
    enum ldsl_status status = cuda_enter(d);
    if (status)
        return status;
    status = CUDA_CALL(d, cuStreamSynchronize, stream);
    cuda_leave(d);
    return status;
}

const struct rt_device_ops rt_cuda = {
    .name = "cuda",
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
    .translate = cuda_translate,
    .load = cuda_load,
    .unload = cuda_unload,
    .resources = cuda_resources,
    .launch = cuda_launch,
    .synchronize = synchronize,
    .time = cuda_time,
    .time_bare = cuda_time_bare,
};
