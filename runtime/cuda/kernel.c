/* Kernels on a GPU: loading PTX text or machine code, launching. */
#include "cuda/state.h"
#include "internal.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SLOTS_MAX = 512,           /* 4096 bytes of parameters: what every GPU takes */
    SHARED_DEFAULT = 48 * 1024 /* more must be asked for */
};

struct kernel {
    cu_module module; /* NULL: not loaded */
    cu_function function;
    struct cuda_resources resources;
    struct ldsl_kernel_info info;
    struct cu_launch_attribute attributes[2];
    unsigned attribute_count;
};

const struct cuda_resources *cuda_kernel_resources(const void *kernel)
{
    return &((const struct kernel *)kernel)->resources;
}

/* Local memory is what did not fit into registers: kernels of ours have no arrays in it. */
void cuda_resources(void *device, const void *kernel, struct ldsl_kernel_info *info)
{
    const struct cuda_resources *r = cuda_kernel_resources(kernel);
    (void)device;
    info->registers = (uint32_t)r->registers;
    info->spill_bytes = (uint32_t)r->local_bytes;
}

/* ---- loading ----------------------------------------------------------------------------------- */

static enum ldsl_status load_module(struct cuda_device *d, struct kernel *k, const void *image)
{
    struct cuda_jit jit;
    cuda_jit_init(&jit);
    cu_result result = d->api.cuModuleLoadDataEx(
        &k->module, image, sizeof jit.options / sizeof *jit.options, jit.options, jit.values);
    if (result != CU_SUCCESS)
        k->module = NULL;
    return cuda_jit_end(&jit, d, &k->info, "cuModuleLoadDataEx", result);
}

/* The driver wants PTX to end with a NUL, which the artifact need not have. */
static enum ldsl_status load_image(struct cuda_device *d, struct kernel *k, const char *image,
                                   size_t bytes)
{
    if (bytes == 0)
        return rt_error(d->sink, LDSL_ARGUMENT, "the artifact of kernel %s is empty", k->info.name);
    if (cuda_is_machine_code(image, bytes) || image[bytes - 1] == '\0')
        return load_module(d, k, image);
    char *text = malloc(bytes + 1);
    if (!text)
        return rt_nomem(d->sink);
    memcpy(text, image, bytes);
    text[bytes] = '\0';
    enum ldsl_status status = load_module(d, k, text);
    free(text);
    return status;
}

static enum ldsl_status read_resources(struct cuda_device *d, struct kernel *k)
{
    const struct {
        int attribute, *value;
    } wanted[] = {
        {CU_FUNC_NUM_REGS,              &k->resources.registers   },
        {CU_FUNC_LOCAL_SIZE_BYTES,      &k->resources.local_bytes },
        {CU_FUNC_SHARED_SIZE_BYTES,     &k->resources.shared_bytes},
        {CU_FUNC_MAX_THREADS_PER_BLOCK, &k->resources.max_threads }
    };
    enum ldsl_status status = LDSL_OK;
    for (size_t i = 0; !status && i < sizeof wanted / sizeof *wanted; i++)
        status =
            CUDA_CALL(d, cuFuncGetAttribute, wanted[i].value, wanted[i].attribute, k->function);
    return status;
}

/* Refuses what no launch could run, and asks for shared memory beyond the default. */
static enum ldsl_status fit(struct cuda_device *d, struct kernel *k)
{
    if (k->info.block_threads == 0 || k->info.block_threads > (uint32_t)k->resources.max_threads)
        return rt_error(d->sink, LDSL_DEVICE,
                        "kernel %s wants %u threads per program; with its %d registers per thread "
                        "cuda:%u runs 1 to %d",
                        k->info.name, k->info.block_threads, k->resources.registers, d->number,
                        k->resources.max_threads);
    uint64_t shared = (uint64_t)k->info.shared_bytes + (uint64_t)k->resources.shared_bytes;
    if (shared > (uint64_t)d->smem)
        return rt_error(d->sink, LDSL_DEVICE,
                        "kernel %s wants %llu bytes of shared memory per program; cuda:%u has %d",
                        k->info.name, (unsigned long long)shared, d->number, d->smem);
    if (shared <= SHARED_DEFAULT)
        return LDSL_OK;
    return CUDA_CALL(d, cuFuncSetAttribute, k->function, CU_FUNC_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                     (int)k->info.shared_bytes);
}

/* What every launch of the kernel says beyond its grid; last what one that runs alone leaves out. */
static void add_attributes(struct kernel *k)
{
    if (k->info.cluster > 1)
        k->attributes[k->attribute_count++] = (struct cu_launch_attribute){
            .id = CU_LAUNCH_CLUSTER_DIMENSION, .value.cluster = {k->info.cluster, 1, 1}
        };
    if (k->info.dependent)
        k->attributes[k->attribute_count++] = (struct cu_launch_attribute){
            .id = CU_LAUNCH_PROGRAMMATIC_STREAM_SERIALIZATION, .value.allowed = 1};
}

static enum ldsl_status load_entered(struct cuda_device *d, struct kernel *k,
                                     const ldsl_artifact *artifact)
{
    size_t bytes;
    const void *image = ldsl_artifact_data(artifact, &bytes);
    enum ldsl_status status = load_image(d, k, image, bytes);
    if (!status)
        status = CUDA_CALL(d, cuModuleGetFunction, &k->function, k->module, k->info.entry);
    if (!status)
        status = read_resources(d, k);
    return status ? status : fit(d, k);
}

static enum ldsl_status check_artifact(struct cuda_device *d, struct kernel *k,
                                       const ldsl_artifact *artifact)
{
    if (!ldsl_artifact_kernel(artifact, &k->info))
        return rt_error(d->sink, LDSL_ARGUMENT, "the artifact holds no kernel");
    if (strncmp(k->info.target, "nvptx:", 6) != 0)
        return rt_error(d->sink, LDSL_ARGUMENT, "kernel %s is for %s, not for an NVIDIA GPU",
                        k->info.name, k->info.target);
    if (k->info.slot_count > SLOTS_MAX)
        return rt_error(d->sink, LDSL_UNSUPPORTED, "kernel %s has %u slots; a GPU takes up to %d",
                        k->info.name, k->info.slot_count, SLOTS_MAX);
    return LDSL_OK;
}

enum ldsl_status cuda_load(void *device, void **out, const ldsl_artifact *artifact)
{
    struct cuda_device *d = device;
    struct kernel *k = *out = calloc(1, sizeof *k);
    if (!k)
        return rt_nomem(d->sink);
    enum ldsl_status status = check_artifact(d, k, artifact);
    add_attributes(k);
    if (!status)
        status = cuda_enter(d);
    if (!status) {
        status = load_entered(d, k, artifact);
        cuda_leave(d);
    }
    if (status) {
        cuda_unload(d, k);
        *out = NULL;
    }
    return status;
}

void cuda_unload(void *device, void *kernel)
{
    struct cuda_device *d = device;
    struct kernel *k = kernel;
    if (k && k->module && !atomic_load(&d->lost) && !cuda_enter(d)) {
        (void)CUDA_CALL(d, cuModuleUnload, k->module);
        cuda_leave(d);
    }
    free(k);
}

/* ---- launching --------------------------------------------------------------------------------- */

static enum ldsl_status check_launch(const struct cuda_device *d, const struct kernel *k,
                                     uint32_t slot_count, uint64_t programs)
{
    uint64_t cluster = k->info.cluster ? k->info.cluster : 1;
    if (slot_count != k->info.slot_count)
        return rt_error(d->sink, LDSL_ARGUMENT, "kernel %s takes %u slots, not %u", k->info.name,
                        k->info.slot_count, slot_count);
    if (programs > RT_GPU_BLOCKS_MOST / cluster)
        return rt_error(d->sink, LDSL_UNSUPPORTED,
                        "kernel %s has %llu programs; one launch on a GPU runs up to %llu",
                        k->info.name, (unsigned long long)programs,
                        (unsigned long long)(RT_GPU_BLOCKS_MOST / cluster));
    return LDSL_OK;
}

/* Each parameter is one slot; the driver copies them all. */
static void list_parameters(void **parameters, const uint64_t *slots, uint32_t slot_count)
{
    for (uint32_t i = 0; i < slot_count; i++)
        parameters[i] = (void *)(uintptr_t)&slots[i];
}

static struct cu_launch_config config_of(const struct kernel *k, uint64_t programs, bool alone,
                                         void *stream)
{
    return (struct cu_launch_config){
        .grid_x = (unsigned)(programs * (k->info.cluster ? k->info.cluster : 1)),
        .grid_y = 1,
        .grid_z = 1,
        .block_x = k->info.block_threads,
        .block_y = 1,
        .block_z = 1,
        .shared_bytes = k->info.shared_bytes,
        .stream = stream,
        .attributes = k->attributes,
        .attribute_count = k->attribute_count - (alone && k->info.dependent),
    };
}

enum ldsl_status cuda_launch(void *device, void *kernel, const uint64_t *slots, uint32_t slot_count,
                             uint64_t programs, bool alone, void *stream)
{
    struct cuda_device *d = device;
    const struct kernel *k = kernel;
    void *parameters[SLOTS_MAX];
    bool entered = false;
    enum ldsl_status status = check_launch(d, k, slot_count, programs);
    if (!status)
        status = cuda_enter_quickly(d, &entered);
    if (status)
        return status;
    list_parameters(parameters, slots, slot_count);
    const struct cu_launch_config config = config_of(k, programs, alone, stream);
    status = CUDA_CALL(d, cuLaunchKernelEx, &config, k->function, parameters, NULL);
    if (entered)
        cuda_leave(d);
    return status;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum ldsl_status cuda_time_bare(void *device, void *kernel, const uint64_t *slots,
                                uint32_t slot_count, uint64_t programs, double *seconds,
                                uint32_t count)
{
    struct cuda_device *d = device;
    const struct kernel *k = kernel;
    void *parameters[SLOTS_MAX];
    enum ldsl_status status = check_launch(d, k, slot_count, programs);
    if (!status)
        status = cuda_enter(d);
    if (status)
        return status;
    list_parameters(parameters, slots, slot_count);
    const struct cu_launch_config config = config_of(k, programs, false, NULL);
    cu_result result = CU_SUCCESS;
    double start = now();
    for (uint32_t i = 0; i < count && result == CU_SUCCESS; i++)
        result = d->api.cuLaunchKernelEx(&config, k->function, parameters, NULL);
    *seconds = now() - start;
    status = cuda_check(d, "cuLaunchKernelEx", result);
    cuda_leave(d);
    return status;
}
