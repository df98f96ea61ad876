/* What the files of runtime/cuda share: an open GPU, and how its calls fail. */
#ifndef CUDA_STATE_H
#define CUDA_STATE_H

#include "cuda/api.h"
#include "device.h"

#include <pthread.h>
#include <stdatomic.h>

struct cuda_device {
    struct cuda_api api;
    const struct ldsl_sink *sink;
    cu_device handle;
    cu_context context; /* retained; NULL while opening */
    uint32_t number;
    int driver; /* 13000: CUDA 13.0 */
    int cc, sm_count, lanes, smem;
    size_t memory;
    char name[96];

    /* The first error that ended the context. `loss` is written once, before `lost` is set. */
    atomic_bool lost;
    pthread_mutex_t loss_lock;
    char loss[192];
};

/* What the driver says of a loaded kernel. */
struct cuda_resources {
    int registers;    /* per thread */
    int local_bytes;  /* per thread: spills and arrays that did not fit registers */
    int shared_bytes; /* per program, beside the artifact's dynamic ones */
    int max_threads;  /* per program, with so many registers */
};

/* device.c: opens with a given driver, and asks one how many GPUs there are; tests bring their own.
 */
enum ldsl_status cuda_open(void **out, const struct cuda_api *api,
                           const struct rt_device_options *options);
uint32_t cuda_count(const struct cuda_api *api, char *why, size_t size);

/* kernel.c */
enum ldsl_status cuda_load(void *device, void **out, const ldsl_artifact *artifact);
void cuda_unload(void *device, void *kernel);
enum ldsl_status cuda_launch(void *device, void *kernel, const uint64_t *slots, uint32_t slot_count,
                             uint64_t programs, void *stream);
const struct cuda_resources *cuda_kernel_resources(const void *kernel);

/* error.c: makes the GPU's context current until cuda_leave, unless the context is lost. */
enum ldsl_status cuda_enter(struct cuda_device *d);
void cuda_leave(struct cuda_device *d);

/* error.c: tells that driver function `call` failed. Errors after which no call can succeed are kept
 * and told again by every later cuda_enter. */
enum ldsl_status cuda_fail(struct cuda_device *d, const char *call, cu_result result);

static inline enum ldsl_status cuda_check(struct cuda_device *d, const char *call, cu_result result)
{
    return result == CU_SUCCESS ? LDSL_OK : cuda_fail(d, call, result);
}

/* Calls a driver function: LDSL_OK, or the failure told. */
#define CUDA_CALL(d, function, ...) cuda_check(d, #function, (d)->api.function(__VA_ARGS__))

#endif
