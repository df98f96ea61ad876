/* Two GPUs over a driver of the test's own, which knows whose everything is: memory, modules and
 * functions may be used only while their GPU's context is current, and each thread has its own stack of
 * current contexts, which must be as it was whenever a call returns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "artifact.h"
#include "cuda/cuda.h"
#include "cuda/state.h"
#include "internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the driver -------------------------------------------------------------------------------- */

enum { GPUS = 2, STACK = 8, ROUNDS = 200, BYTES = 64 };

struct memory {
    int gpu;
    unsigned char bytes[BYTES];
};

static int contexts[GPUS + 1], modules[GPUS], functions[GPUS]; /* only their addresses matter */
static int *const stranger = &contexts[GPUS];                  /* what somebody else made current */
static atomic_int retained[GPUS], launches[GPUS], faults;
static _Thread_local cu_context stack[STACK];
static _Thread_local int depth;

/* Which GPU's context is current; GPUS: a stranger's; -1: none. */
static int current(void)
{
    return depth ? (int)((int *)(void *)stack[depth - 1] - contexts) : -1;
}

/* CMocka's assertions belong to its own thread. */
static void expect(bool good)
{
    if (!good)
        atomic_fetch_add(&faults, 1);
}

static cu_result init(unsigned flags)
{
    (void)flags;
    return CU_SUCCESS;
}

static cu_result get_version(int *version)
{
    *version = 13000;
    return CU_SUCCESS;
}

static cu_result get_error_name(cu_result result, const char **name)
{
    (void)result;
    *name = "CUDA_ERROR";
    return CU_SUCCESS;
}

static cu_result get_device(cu_device *device, int ordinal)
{
    *device = ordinal;
    return CU_SUCCESS;
}

static cu_result get_name(char *name, int size, cu_device device)
{
    snprintf(name, (size_t)size, "Fake %d", device);
    return CU_SUCCESS;
}

static cu_result total_memory(size_t *bytes, cu_device device)
{
    *bytes = (size_t)(device + 1) << 30;
    return CU_SUCCESS;
}

static cu_result device_attribute(int *value, int attribute, cu_device device)
{
    (void)device;
    *value = attribute == CU_DEVICE_CC_MAJOR    ? 9
             : attribute == CU_DEVICE_CC_MINOR  ? 0
             : attribute == CU_DEVICE_WARP_SIZE ? 32
                                                : 1 << 16;
    return CU_SUCCESS;
}

static cu_result retain(cu_context *context, cu_device device)
{
    *context = (cu_context)(void *)&contexts[device];
    atomic_fetch_add(&retained[device], 1);
    return CU_SUCCESS;
}

static cu_result release(cu_device device)
{
    atomic_fetch_sub(&retained[device], 1);
    return CU_SUCCESS;
}

static cu_result get_current(cu_context *context)
{
    *context = depth ? stack[depth - 1] : NULL;
    return CU_SUCCESS;
}

static cu_result push(cu_context context)
{
    expect(depth < STACK);
    stack[depth++] = context;
    return CU_SUCCESS;
}

static cu_result pop(cu_context *context)
{
    expect(depth > 0);
    *context = stack[--depth];
    return CU_SUCCESS;
}

static cu_result mem_alloc(cu_address *address, size_t bytes)
{
    struct memory *m = calloc(1, sizeof *m);
    expect(bytes <= BYTES && current() >= 0 && current() < GPUS);
    m->gpu = current();
    *address = (cu_address)(uintptr_t)m;
    return CU_SUCCESS;
}

static struct memory *memory_at(cu_address address)
{
    struct memory *m = (struct memory *)(uintptr_t)address;
    expect(m->gpu == current());
    return m;
}

static cu_result mem_free(cu_address address)
{
    free(memory_at(address));
    return CU_SUCCESS;
}

static cu_result to_device(cu_address to, const void *from, size_t bytes)
{
    memcpy(memory_at(to)->bytes, from, bytes);
    return CU_SUCCESS;
}

static cu_result to_host(void *to, cu_address from, size_t bytes)
{
    memcpy(to, memory_at(from)->bytes, bytes);
    return CU_SUCCESS;
}

static cu_result copy_on_device(cu_address to, cu_address from, size_t bytes, cu_stream stream)
{
    (void)stream;
    memcpy(memory_at(to)->bytes, memory_at(from)->bytes, bytes);
    return CU_SUCCESS;
}

static cu_result fill(cu_address to, unsigned char value, size_t bytes, cu_stream stream)
{
    (void)stream;
    memset(memory_at(to)->bytes, value, bytes);
    return CU_SUCCESS;
}

static cu_result stream_wait(cu_stream stream)
{
    (void)stream;
    expect(current() >= 0 && current() < GPUS);
    return CU_SUCCESS;
}

static cu_result module_load(cu_module *module, const void *image, unsigned count, int *options,
                             void **values)
{
    (void)image;
    (void)count;
    (void)options;
    (void)values;
    *module = (cu_module)(void *)&modules[current()];
    return CU_SUCCESS;
}

static cu_result module_unload(cu_module module)
{
    expect((int *)(void *)module == &modules[current()]);
    return CU_SUCCESS;
}

static cu_result get_function(cu_function *function, cu_module module, const char *name)
{
    (void)name;
    expect((int *)(void *)module == &modules[current()]);
    *function = (cu_function)(void *)&functions[current()];
    return CU_SUCCESS;
}

static cu_result function_attribute(int *value, int attribute, cu_function function)
{
    expect((int *)(void *)function == &functions[current()]);
    *value = attribute == CU_FUNC_MAX_THREADS_PER_BLOCK ? 1024 : 16;
    return CU_SUCCESS;
}

static cu_result set_attribute(cu_function function, int attribute, int value)
{
    (void)function;
    (void)attribute;
    (void)value;
    return CU_SUCCESS;
}

/* Each GPU has its own number. */
static cu_result count_clusters(int *clusters, cu_function function,
                                const struct cu_launch_config *config)
{
    (void)config;
    expect((int *)(void *)function == &functions[current()]);
    *clusters = 10 + current();
    return CU_SUCCESS;
}

/* Adds one to what the first slot points to. */
static cu_result launch_kernel(const struct cu_launch_config *config, cu_function function,
                               void **parameters, void **extra)
{
    cu_address address;
    (void)config;
    (void)extra;
    expect((int *)(void *)function == &functions[current()]);
    memcpy(&address, parameters[0], sizeof address);
    memory_at(address)->bytes[0]++;
    atomic_fetch_add(&launches[current()], 1);
    return CU_SUCCESS;
}

static const struct cuda_api api = {
    .cuInit = init,
    .cuDriverGetVersion = get_version,
    .cuGetErrorName = get_error_name,
    .cuDeviceGet = get_device,
    .cuDeviceGetName = get_name,
    .cuDeviceTotalMem_v2 = total_memory,
    .cuDeviceGetAttribute = device_attribute,
    .cuDevicePrimaryCtxRetain = retain,
    .cuDevicePrimaryCtxRelease_v2 = release,
    .cuCtxGetCurrent = get_current,
    .cuCtxPushCurrent_v2 = push,
    .cuCtxPopCurrent_v2 = pop,
    .cuMemAlloc_v2 = mem_alloc,
    .cuMemFree_v2 = mem_free,
    .cuMemcpyHtoD_v2 = to_device,
    .cuMemcpyDtoH_v2 = to_host,
    .cuMemcpyDtoDAsync_v2 = copy_on_device,
    .cuMemsetD8Async = fill,
    .cuStreamSynchronize = stream_wait,
    .cuModuleLoadDataEx = module_load,
    .cuModuleUnload = module_unload,
    .cuModuleGetFunction = get_function,
    .cuFuncGetAttribute = function_attribute,
    .cuFuncSetAttribute = set_attribute,
    .cuOccupancyMaxActiveClusters = count_clusters,
    .cuLaunchKernelEx = launch_kernel,
};

/* ---- two devices on it ------------------------------------------------------------------------- */

struct gpu {
    void *device, *kernel;
    ldsl_artifact *artifact;
    uint64_t x, y;
    enum ldsl_status status; /* of a thread's work */
    unsigned char found;
};

static struct gpu gpus[GPUS];

static ldsl_artifact *make(void)
{
    static const struct artifact_slot slots[] = {
        {LDSL_SLOT_POINTER, LDSL_F32, 0, "x"}
    };
    const struct artifact_parts parts = {
        .kind = LDSL_ARTIFACT_KERNEL,
        .data = ".version",
        .data_bytes = 8,
        .info = {.name = "axpy",
                 .variant = "",
                 .target = "nvptx:sm_90a",
                 .entry = "k",
                 .block_threads = 32,
                 .slot_count = 1},
        .slots = slots,
    };
    return artifact_create(&parts);
}

static int open_both(void **state)
{
    (void)state;
    atomic_store(&faults, 0);
    for (uint32_t i = 0; i < GPUS; i++) {
        struct gpu *g = &gpus[i];
        const struct rt_device_options options = {.number = i};
        *g = (struct gpu){.artifact = make()};
        atomic_store(&launches[i], 0);
        if (cuda_open(&g->device, &api, &options) ||
            rt_cuda.load(g->device, &g->kernel, g->artifact) ||
            rt_cuda.alloc(g->device, &g->x, BYTES) || rt_cuda.alloc(g->device, &g->y, BYTES))
            return -1;
    }
    return 0;
}

static int close_both(void **state)
{
    (void)state;
    for (int i = 0; i < GPUS; i++) {
        rt_cuda.free(gpus[i].device, gpus[i].x);
        rt_cuda.free(gpus[i].device, gpus[i].y);
        rt_cuda.unload(gpus[i].device, gpus[i].kernel);
        rt_cuda.close(gpus[i].device);
        ldsl_artifact_free(gpus[i].artifact);
    }
    return atomic_load(&faults) || depth || atomic_load(&retained[0]) || atomic_load(&retained[1])
               ? -1
               : 0;
}

/* Up, one launch in each buffer's memory, over, down. */
static enum ldsl_status use(struct gpu *g, unsigned char value, unsigned char *found)
{
    enum ldsl_status status = rt_cuda.zero(g->device, g->y, BYTES, NULL);
    if (!status)
        status = rt_cuda.upload(g->device, g->x, &value, 1);
    if (!status)
        status = rt_cuda.launch(g->device, g->kernel, &g->x, 1, 1, false, NULL);
    if (!status)
        status = rt_cuda.copy(g->device, g->y, g->x, BYTES, NULL);
    if (!status)
        status = rt_cuda.synchronize(g->device, NULL);
    return status ? status : rt_cuda.download(g->device, found, g->y, 1);
}

static void one_thread_uses_both_in_turn(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < GPUS; i++) {
            unsigned char found = 0;
            assert_int_equal(use(&gpus[i], (unsigned char)(round + i), &found), LDSL_OK);
            assert_int_equal(found, (unsigned char)(round + i + 1));
            assert_int_equal(current(), -1);
        }
    assert_int_equal(atomic_load(&launches[0]), ROUNDS);
    assert_int_equal(atomic_load(&launches[1]), ROUNDS);
    assert_int_equal(atomic_load(&faults), 0);
}

/* Whatever the caller has made current, the other GPU's context too, is so again afterwards. */
static void the_callers_context_stays(void **state)
{
    (void)state;
    for (int theirs = 0; theirs <= GPUS; theirs++) {
        cu_context popped;
        push((cu_context)(void *)&contexts[theirs]);
        for (int i = 0; i < GPUS; i++) {
            unsigned char found = 0;
            assert_int_equal(use(&gpus[i], 7, &found), LDSL_OK);
            assert_int_equal(found, 8);
            assert_int_equal(current(), theirs);
            assert_int_equal(depth, 1);
        }
        pop(&popped);
        assert_ptr_equal(popped, theirs == GPUS ? (void *)stranger : (void *)&contexts[theirs]);
    }
    assert_int_equal(atomic_load(&faults), 0);
}

static void *work(void *user)
{
    struct gpu *g = user;
    for (int round = 0; !g->status && round < ROUNDS; round++) {
        g->status = use(g, (unsigned char)round, &g->found);
        expect(g->found == (unsigned char)(round + 1) && depth == 0);
    }
    return NULL;
}

static void each_thread_has_its_own(void **state)
{
    pthread_t threads[GPUS];
    (void)state;
    for (int i = 0; i < GPUS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &gpus[i]), 0);
    for (int i = 0; i < GPUS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < GPUS; i++)
        assert_int_equal(gpus[i].status, LDSL_OK);
    assert_int_equal(atomic_load(&faults), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_thread_uses_both_in_turn, open_both, close_both),
        cmocka_unit_test_setup_teardown(the_callers_context_stays, open_both, close_both),
        cmocka_unit_test_setup_teardown(each_thread_has_its_own, open_both, close_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
