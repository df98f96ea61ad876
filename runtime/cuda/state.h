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
    int clusters[RT_CLUSTER_SIZES]; /* as in struct rt_device_info */
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

/* clusters.c: asks for the number of clusters that run at once. The context is current. */
void cuda_count_clusters(struct cuda_device *d);

/* kernel.c */
enum ldsl_status cuda_load(void *device, void **out, const ldsl_artifact *artifact);
void cuda_unload(void *device, void *kernel);
void cuda_resources(void *device, const void *kernel, struct ldsl_kernel_info *info);
enum ldsl_status cuda_launch(void *device, void *kernel, const uint64_t *slots, uint32_t slot_count,
                             uint64_t programs, bool alone, void *stream);
enum ldsl_status cuda_time_bare(void *device, void *kernel, const uint64_t *slots,
                                uint32_t slot_count, uint64_t programs, double *seconds,
                                uint32_t count);
const struct cuda_resources *cuda_kernel_resources(const void *kernel);

/* time.c */
enum ldsl_status cuda_time(void *device, enum ldsl_status (*before)(void *user, void *stream),
                           enum ldsl_status (*work)(void *user, void *stream), void *user,
                           double *seconds, uint32_t count);

/* translate.c */
enum ldsl_status cuda_translate(void *device, ldsl_artifact **out, const ldsl_artifact *artifact);
bool cuda_is_machine_code(const void *image, size_t bytes);

/* The options of a call that compiles PTX, and what the compiler wrote. Stays where it is. */
struct cuda_jit {
    char error[4096], info[4096];
    int options[5];
    void *values[5];
};
void cuda_jit_init(struct cuda_jit *jit);
/* Passes the log on and tells a failure of `call`. */
enum ldsl_status cuda_jit_end(struct cuda_jit *jit, struct cuda_device *d,
                              const struct ldsl_kernel_info *info, const char *call,
                              cu_result result);

/* error.c: makes the GPU's context current until cuda_leave, unless the context is lost. */
enum ldsl_status cuda_enter(struct cuda_device *d);
void cuda_leave(struct cuda_device *d);
/* The same where it is not current already: cuda_leave if *entered. */
enum ldsl_status cuda_enter_quickly(struct cuda_device *d, bool *entered);

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
