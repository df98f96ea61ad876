/* GPUs over a driver of the test's own: what is asked of it, and how its errors are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "artifact.h"
#include "cuda/cuda.h"
#include "cuda/state.h"
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the driver -------------------------------------------------------------------------------- */

/* What it answers, and what it was asked. */
static struct {
    cu_result count_result, alloc_result, load_result, launch_result, wait_result;
    int devices, depth, pushes, retained, freed, unloaded, waits;
    int max_threads, static_shared, dynamic_shared;
    int cc_major, cc_minor;
    bool is_current; /* our context, before anything is pushed */
    cu_result link_result;
    int links, links_open;
    const char *error_log, *info_log;
    char image[64];
    struct cu_launch_config config;
    struct cu_launch_attribute attributes[2];
    uint64_t parameters[3];
} driver;

static char context_object, module_object, function_object,
    link_object; /* only their addresses matter */

static cu_result init(unsigned flags)
{
    assert_int_equal(flags, 0);
    return CU_SUCCESS;
}

static cu_result get_version(int *version)
{
    *version = 12080;
    return CU_SUCCESS;
}

static cu_result get_error_name(cu_result result, const char **name)
{
    static const struct {
        cu_result result;
        const char *name;
    } names[] = {
        {CU_OUT_OF_MEMORY,   "CUDA_ERROR_OUT_OF_MEMORY"  },
        {CU_NO_DEVICE,       "CUDA_ERROR_NO_DEVICE"      },
        {CU_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS"},
        {218,                "CUDA_ERROR_INVALID_PTX"    },
        {1,                  "CUDA_ERROR_INVALID_VALUE"  },
        {803,                "CUDA_ERROR_MISMATCH"       },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].result == result) {
            *name = names[i].name;
            return CU_SUCCESS;
        }
    *name = NULL;
    return 1;
}

static cu_result get_count(int *count)
{
    *count = driver.devices;
    return driver.count_result;
}

static cu_result get_device(cu_device *device, int ordinal)
{
    *device = 40 + ordinal;
    return CU_SUCCESS;
}

static cu_result get_name(char *name, int size, cu_device device)
{
    snprintf(name, (size_t)size, "Fake %d", device);
    return CU_SUCCESS;
}

static cu_result total_memory(size_t *bytes, cu_device device)
{
    (void)device;
    *bytes = (size_t)80 << 30;
    return CU_SUCCESS;
}

static cu_result device_attribute(int *value, int attribute, cu_device device)
{
    (void)device;
    switch (attribute) {
    case CU_DEVICE_CC_MAJOR: *value = driver.cc_major; break;
    case CU_DEVICE_CC_MINOR: *value = driver.cc_minor; break;
    case CU_DEVICE_WARP_SIZE: *value = 32; break;
    case CU_DEVICE_MULTIPROCESSOR_COUNT: *value = 132; break;
    case CU_DEVICE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = 227 * 1024; break;
    default: return 1;
    }
    return CU_SUCCESS;
}

static cu_result retain(cu_context *context, cu_device device)
{
    assert_int_equal(device, 41);
    *context = (cu_context)(void *)&context_object;
    driver.retained++;
    return CU_SUCCESS;
}

static cu_result release(cu_device device)
{
    assert_int_equal(device, 41);
    driver.retained--;
    return CU_SUCCESS;
}

static cu_result get_current(cu_context *context)
{
    bool is_current = driver.is_current || driver.depth;
    *context = is_current ? (cu_context)(void *)&context_object : NULL;
    return CU_SUCCESS;
}

static cu_result push(cu_context context)
{
    assert_ptr_equal(context, &context_object);
    driver.depth++;
    driver.pushes++;
    return CU_SUCCESS;
}

static cu_result pop(cu_context *context)
{
    *context = (cu_context)(void *)&context_object;
    assert_true(driver.depth-- > 0);
    return CU_SUCCESS;
}

static cu_result mem_alloc(cu_address *address, size_t bytes)
{
    assert_int_equal(driver.depth, 1);
    *address = bytes;
    return driver.alloc_result;
}

static cu_result mem_free(cu_address address)
{
    (void)address;
    driver.freed++;
    return CU_SUCCESS;
}

static cu_result stream_wait(cu_stream stream)
{
    (void)stream;
    assert_int_equal(driver.depth, 1);
    driver.waits++;
    return driver.wait_result;
}

static cu_result to_device(cu_address to, const void *from, size_t bytes)
{
    memcpy((void *)(uintptr_t)to, from, bytes);
    return CU_SUCCESS;
}

static void give_logs(unsigned count, int *options, void **values)
{
    for (unsigned i = 0; i + 1 < count; i++) {
        const char *log = options[i] == CU_JIT_ERROR_LOG_BUFFER  ? driver.error_log
                          : options[i] == CU_JIT_INFO_LOG_BUFFER ? driver.info_log
                                                                 : NULL;
        if (log)
            snprintf(values[i], (size_t)(uintptr_t)values[i + 1], "%s", log);
    }
}

static cu_result module_load(cu_module *module, const void *image, unsigned count, int *options,
                             void **values)
{
    assert_int_equal(driver.depth, 1);
    snprintf(driver.image, sizeof driver.image, "%s", (const char *)image);
    give_logs(count, options, values);
    *module = (cu_module)(void *)&module_object;
    return driver.load_result;
}

/* Logs go to the buffers that the link was created with. */
static cu_result link_create(unsigned count, int *options, void **values, cu_link *link)
{
    assert_int_equal(driver.depth, 1);
    give_logs(count, options, values);
    *link = (cu_link)(void *)&link_object;
    driver.links_open++;
    return CU_SUCCESS;
}

static cu_result link_add(cu_link link, int type, void *data, size_t size, const char *name,
                          unsigned count, int *options, void **values)
{
    (void)options;
    (void)values;
    assert_ptr_equal(link, &link_object);
    assert_int_equal(type, CU_JIT_INPUT_PTX);
    assert_int_equal(((const char *)data)[size - 1], '\0');
    assert_string_equal(name, "axpy");
    assert_int_equal(count, 0);
    snprintf(driver.image, sizeof driver.image, "%s", (const char *)data);
    return driver.link_result;
}

static cu_result link_complete(cu_link link, void **cubin, size_t *size)
{
    static char code[] = "\177ELF code";
    assert_ptr_equal(link, &link_object);
    *cubin = code;
    *size = sizeof code - 1;
    driver.links++;
    return CU_SUCCESS;
}

static cu_result link_destroy(cu_link link)
{
    assert_ptr_equal(link, &link_object);
    driver.links_open--;
    return CU_SUCCESS;
}

static cu_result module_unload(cu_module module)
{
    assert_ptr_equal(module, &module_object);
    driver.unloaded++;
    return CU_SUCCESS;
}

static cu_result get_function(cu_function *function, cu_module module, const char *name)
{
    assert_ptr_equal(module, &module_object);
    *function = (cu_function)(void *)&function_object;
    return strcmp(name, "k") == 0 || strcmp(name, "nothing") == 0 ? CU_SUCCESS : 1;
}

static cu_result function_attribute(int *value, int attribute, cu_function function)
{
    (void)function;
    switch (attribute) {
    case CU_FUNC_NUM_REGS: *value = 96; break;
    case CU_FUNC_LOCAL_SIZE_BYTES: *value = 24; break;
    case CU_FUNC_SHARED_SIZE_BYTES: *value = driver.static_shared; break;
    case CU_FUNC_MAX_THREADS_PER_BLOCK: *value = driver.max_threads; break;
    default: return 1;
    }
    return CU_SUCCESS;
}

static cu_result set_attribute(cu_function function, int attribute, int value)
{
    (void)function;
    assert_int_equal(attribute, CU_FUNC_MAX_DYNAMIC_SHARED_SIZE_BYTES);
    driver.dynamic_shared = value;
    return CU_SUCCESS;
}

/* Groups of multiprocessors are no multiples of four. Of clusters of eight it knows nothing. */
static cu_result count_clusters(int *clusters, cu_function function,
                                const struct cu_launch_config *config)
{
    assert_ptr_equal(function, &function_object);
    assert_int_equal(driver.depth, 1);
    assert_int_equal(config->shared_bytes, 227 * 1024);
    assert_int_equal(driver.dynamic_shared, 227 * 1024);
    assert_int_equal(config->attribute_count, 1);
    assert_int_equal(config->attributes->id, CU_LAUNCH_CLUSTER_DIMENSION);
    unsigned blocks = config->attributes->value.cluster.x;
    assert_int_equal(config->grid_x, blocks);
    *clusters = blocks == 2 ? 66 : blocks == 4 ? 30 : 14;
    return blocks == 8 ? 1 : CU_SUCCESS;
}

static cu_result launch_kernel(const struct cu_launch_config *config, cu_function function,
                               void **parameters, void **extra)
{
    assert_ptr_equal(function, &function_object);
    assert_null(extra);
    assert_int_equal(driver.depth, !driver.is_current);
    assert_true(config->attribute_count <= 2);
    driver.config = *config;
    memcpy(driver.attributes, config->attributes,
           config->attribute_count * sizeof *driver.attributes);
    for (int i = 0; i < 3; i++)
        memcpy(&driver.parameters[i], parameters[i], sizeof driver.parameters[i]);
    return driver.launch_result;
}

static const struct cuda_api api = {
    .cuInit = init,
    .cuDriverGetVersion = get_version,
    .cuGetErrorName = get_error_name,
    .cuDeviceGetCount = get_count,
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
    .cuStreamSynchronize = stream_wait,
    .cuModuleLoadDataEx = module_load,
    .cuModuleUnload = module_unload,
    .cuLinkCreate_v2 = link_create,
    .cuLinkAddData_v2 = link_add,
    .cuLinkComplete = link_complete,
    .cuLinkDestroy = link_destroy,
    .cuModuleGetFunction = get_function,
    .cuFuncGetAttribute = function_attribute,
    .cuFuncSetAttribute = set_attribute,
    .cuOccupancyMaxActiveClusters = count_clusters,
    .cuLaunchKernelEx = launch_kernel,
};

/* ---- a device on it ---------------------------------------------------------------------------- */

static char warning[256];

static void listen(void *user, const struct ldsl_diag *diag)
{
    (void)user;
    if (diag->severity == LDSL_WARNING)
        snprintf(warning, sizeof warning, "%s", diag->text);
}

static const struct ldsl_sink sink = {.report = listen};

static int set_up(void **state)
{
    memset(&driver, 0, sizeof driver);
    driver.devices = 2;
    driver.max_threads = 1024;
    driver.cc_major = 9;
    warning[0] = '\0';
    struct rt_device_options options = {.number = 1, .sink = &sink};
    int status = cuda_open(state, &api, &options);
    driver.pushes = driver.unloaded = driver.dynamic_shared = 0;
    return status;
}

static int tear_down(void **state)
{
    rt_cuda.close(*state);
    /* Whatever failed, the context was left as often as entered, and given back. */
    return driver.depth == 0 && driver.retained == 0 && driver.links_open == 0 ? 0 : -1;
}

static ldsl_artifact *make_info(struct ldsl_kernel_info info, size_t text_bytes)
{
    static const struct artifact_slot slots[] = {
        {LDSL_SLOT_POINTER, LDSL_F32, 0, "x"},
        {LDSL_SLOT_DIM,     0,        0, "n"},
        {LDSL_SLOT_SCALAR,  LDSL_F32, 0, "a"}
    };
    struct artifact_parts parts = {
        .kind = LDSL_ARTIFACT_KERNEL,
        .data = ".version\0 ...",
        .data_bytes = text_bytes,
        .info = info,
        .slots = slots,
    };
    parts.info.name = "axpy";
    parts.info.variant = "";
    parts.info.slot_count = 3;
    ldsl_artifact *a = artifact_create(&parts);
    assert_non_null(a);
    return a;
}

/* Its text has no NUL. */
static ldsl_artifact *make(const char *target, const char *entry, uint32_t threads, uint32_t shared)
{
    return make_info(
        (struct ldsl_kernel_info){
            .target = target, .entry = entry, .block_threads = threads, .shared_bytes = shared},
        8);
}

/* Loading such an artifact fails, and this is said. */
static void assert_not_loaded(void *device, ldsl_artifact *a, enum ldsl_status status,
                              const char *text)
{
    void *kernel;
    assert_int_equal(rt_cuda.load(device, &kernel, a), status);
    assert_null(kernel);
    assert_string_equal(ldsl_last_error(), text);
    ldsl_artifact_free(a);
}

/* ---- tests ------------------------------------------------------------------------------------- */

static void missing_gpus_are_explained(void **state)
{
    char why[128] = "";
    (void)state;
    assert_int_equal(cuda_count(&api, why, sizeof why), 2);
    assert_string_equal(why, "");
    driver.devices = 0;
    assert_int_equal(cuda_count(&api, why, sizeof why), 0);
    assert_string_equal(why, "the NVIDIA driver sees no GPU");
    driver.count_result = CU_NO_DEVICE;
    assert_int_equal(cuda_count(&api, why, sizeof why), 0);
    assert_string_equal(why, "the NVIDIA driver sees no GPU");
    driver.count_result = 803;
    assert_int_equal(cuda_count(&api, why, sizeof why), 0);
    assert_string_equal(why, "the NVIDIA driver does not start: CUDA_ERROR_MISMATCH (803)");
    driver.count_result = 4711;
    assert_int_equal(cuda_count(&api, why, sizeof why), 0);
    assert_non_null(strstr(why, "(4711)"));
}

static void the_facts_are_the_drivers(void **state)
{
    struct rt_device_info info;
    rt_cuda.describe(*state, &info);
    assert_string_equal(info.name, "cuda:1");
    assert_string_equal(info.target, "nvptx:sm_90a");
    assert_string_equal(info.description, "Fake 41 (compute capability 9.0), 132 multiprocessors, "
                                          "80 GiB, CUDA 12.8");
    assert_int_equal(info.sm_count, 132);
    assert_int_equal(info.smem, 227 * 1024);
    assert_int_equal(info.cc, 90);
    assert_int_equal(info.lanes, 32);
    assert_true(info.is_gpu);
    assert_int_equal(info.clusters[0], 66);
    assert_int_equal(info.clusters[1], 30);
    assert_int_equal(info.clusters[2], 132 / 8); /* it would not say */
}

static void errors_name_the_call_and_the_drivers_word(void **state)
{
    uint64_t address;
    driver.alloc_result = CU_OUT_OF_MEMORY;
    assert_int_equal(rt_cuda.alloc(*state, &address, 256), LDSL_NOMEM);
    assert_string_equal(ldsl_last_error(),
                        "cuda:1: cuMemAlloc_v2 failed with CUDA_ERROR_OUT_OF_MEMORY (2)");
    driver.alloc_result = 1;
    assert_int_equal(rt_cuda.alloc(*state, &address, 256), LDSL_DEVICE);
    assert_string_equal(ldsl_last_error(),
                        "cuda:1: cuMemAlloc_v2 failed with CUDA_ERROR_INVALID_VALUE (1)");
    driver.alloc_result = CU_SUCCESS; /* such errors pass */
    assert_int_equal(rt_cuda.alloc(*state, &address, 256), LDSL_OK);
}

static void a_lost_context_is_told_by_every_call(void **state)
{
    static const char loss[] = "cuda:1 is lost to this process, which must start anew: "
                               "cuStreamSynchronize failed with CUDA_ERROR_ILLEGAL_ADDRESS (700)";
    uint64_t address;
    ldsl_artifact *a = make("nvptx:sm_90a", "k", 128, 0);
    void *kernel;
    assert_int_equal(rt_cuda.load(*state, &kernel, a), LDSL_OK);
    driver.wait_result = CU_ILLEGAL_ADDRESS;
    assert_int_equal(rt_cuda.synchronize(*state, NULL), LDSL_DEVICE);
    assert_string_equal(ldsl_last_error(), loss);
    driver.wait_result = CU_SUCCESS;
    int pushes = driver.pushes;
    rt_error(&sink, LDSL_DEVICE, "another");
    assert_int_equal(rt_cuda.alloc(*state, &address, 256), LDSL_DEVICE);
    assert_string_equal(ldsl_last_error(), loss);
    assert_int_equal(rt_cuda.synchronize(*state, NULL), LDSL_DEVICE);
    rt_cuda.free(*state, 256);
    rt_cuda.unload(*state, kernel);
    assert_int_equal(driver.pushes, pushes); /* the driver is left alone */
    assert_int_equal(driver.freed + driver.unloaded, 0);
    ldsl_artifact_free(a);
}

static void the_ptx_compilers_words_are_told(void **state)
{
    driver.load_result = 218;
    driver.error_log = "ptxas application ptx input, line 3; error\n";
    assert_not_loaded(*state, make("nvptx:sm_90a", "k", 128, 0), LDSL_DEVICE,
                      "cuda:1: kernel axpy (nvptx:sm_90a) cannot be loaded: cuModuleLoadDataEx "
                      "failed with CUDA_ERROR_INVALID_PTX (218): ptxas application ptx input, line "
                      "3; error");
    assert_string_equal(driver.image, ".version"); /* ended, though the artifact's text is not */
    assert_int_equal(driver.unloaded, 0);
    driver.error_log = NULL;
    assert_not_loaded(*state, make("nvptx:sm_90a", "k", 128, 0), LDSL_DEVICE,
                      "cuda:1: cuModuleLoadDataEx failed with CUDA_ERROR_INVALID_PTX (218)");
    assert_string_equal(warning, "");
    driver.info_log = "slow\n";
    driver.load_result = CU_SUCCESS;
    assert_not_loaded(*state, make("nvptx:sm_90a", "absent", 128, 0), LDSL_DEVICE,
                      "cuda:1: cuModuleGetFunction failed with CUDA_ERROR_INVALID_VALUE (1)");
    assert_int_equal(driver.unloaded, 1);
    assert_string_equal(warning, "kernel axpy (nvptx:sm_90a): slow");
}

static void what_cannot_run_is_not_loaded(void **state)
{
    assert_not_loaded(*state, make("cpu:native", "k", 1, 0), LDSL_ARGUMENT,
                      "kernel axpy is for cpu:native, not for an NVIDIA GPU");
    driver.max_threads = 640;
    assert_not_loaded(*state, make("nvptx:sm_90a", "k", 1024, 0), LDSL_DEVICE,
                      "kernel axpy wants 1024 threads per program; with its 96 registers per "
                      "thread cuda:1 runs 1 to 640");
    driver.static_shared = 1;
    assert_not_loaded(*state, make("nvptx:sm_90a", "k", 128, 227 * 1024), LDSL_DEVICE,
                      "kernel axpy wants 232449 bytes of shared memory per program; cuda:1 has "
                      "232448");
}

static void much_shared_memory_is_asked_for(void **state)
{
    void *kernel;
    ldsl_artifact *a = make("nvptx:sm_90a", "k", 128, 48 * 1024);
    assert_int_equal(rt_cuda.load(*state, &kernel, a), LDSL_OK);
    assert_int_equal(driver.dynamic_shared, 0);
    assert_int_equal(cuda_kernel_resources(kernel)->registers, 96);
    assert_int_equal(cuda_kernel_resources(kernel)->local_bytes, 24);
    rt_cuda.unload(*state, kernel);
    driver.static_shared = 1024;
    assert_int_equal(rt_cuda.load(*state, &kernel, a), LDSL_OK);
    assert_int_equal(driver.dynamic_shared, 48 * 1024);
    rt_cuda.unload(*state, kernel);
    assert_int_equal(driver.unloaded, 2);
    ldsl_artifact_free(a);
}

static void a_launch_is_one_block_a_program_and_one_parameter_a_slot(void **state)
{
    static const uint64_t slots[] = {0x1000, 77, 0x3f800000};
    int stream;
    void *kernel;
    ldsl_artifact *a = make("nvptx:sm_90a", "k", 128, 512);
    assert_int_equal(rt_cuda.load(*state, &kernel, a), LDSL_OK);
    assert_int_equal(rt_cuda.launch(*state, kernel, slots, 3, INT32_MAX, false, &stream), LDSL_OK);
    assert_int_equal(driver.config.grid_x, INT32_MAX);
    assert_int_equal(driver.config.grid_y, 1);
    assert_int_equal(driver.config.grid_z, 1);
    assert_int_equal(driver.config.block_x, 128);
    assert_int_equal(driver.config.shared_bytes, 512);
    assert_ptr_equal(driver.config.stream, &stream);
    assert_memory_equal(driver.parameters, slots, sizeof slots);
    assert_int_equal(driver.waits, 0);

    assert_int_equal(rt_cuda.launch(*state, kernel, slots, 2, 1, false, NULL), LDSL_ARGUMENT);
    assert_string_equal(ldsl_last_error(), "kernel axpy takes 3 slots, not 2");
    assert_int_equal(rt_cuda.launch(*state, kernel, slots, 3, (uint64_t)INT32_MAX + 1, false, NULL),
                     LDSL_UNSUPPORTED);
    assert_string_equal(ldsl_last_error(), "kernel axpy has 2147483648 programs; one launch on a "
                                           "GPU runs up to 2147483647");
    driver.launch_result = 1;
    assert_int_equal(rt_cuda.launch(*state, kernel, slots, 3, 1, false, NULL), LDSL_DEVICE);
    assert_string_equal(ldsl_last_error(),
                        "cuda:1: cuLaunchKernelEx failed with CUDA_ERROR_INVALID_VALUE (1)");
    rt_cuda.unload(*state, kernel);
    ldsl_artifact_free(a);
}

static void a_cluster_is_blocks_of_one_program(void **state)
{
    static const uint64_t slots[3];
    void *kernel;
    ldsl_artifact *a = make_info((struct ldsl_kernel_info){.target = "nvptx:sm_90a",
                                                           .entry = "k",
                                                           .block_threads = 256,
                                                           .cluster = 4,
                                                           .dependent = true},
                                 8);
    assert_int_equal(sizeof(struct cu_launch_attribute), 72); /* as the driver has it */
    assert_int_equal(rt_cuda.load(*state, &kernel, a), LDSL_OK);
    assert_int_equal(rt_cuda.launch(*state, kernel, slots, 3, 100, false, NULL), LDSL_OK);
    assert_int_equal(driver.config.grid_x, 400);
    assert_int_equal(driver.config.attribute_count, 2);
    assert_int_equal(driver.attributes[0].id, 4);
    assert_int_equal(driver.attributes[0].value.cluster.x, 4);
    assert_int_equal(driver.attributes[0].value.cluster.y, 1);
    assert_int_equal(driver.attributes[0].value.cluster.z, 1);
    assert_int_equal(driver.attributes[1].id, 6);
    assert_int_equal(driver.attributes[1].value.allowed, 1);
    assert_int_equal(rt_cuda.launch(*state, kernel, slots, 3, 100, true, NULL), LDSL_OK);
    assert_int_equal(driver.config.attribute_count, 1); /* alone: still a cluster */
    assert_int_equal(rt_cuda.launch(*state, kernel, slots, 3, 1 << 29, false, NULL),
                     LDSL_UNSUPPORTED);
    rt_cuda.unload(*state, kernel);
    ldsl_artifact_free(a);

    a = make("nvptx:sm_90a", "k", 256, 0);
    assert_int_equal(rt_cuda.load(*state, &kernel, a), LDSL_OK);
    assert_int_equal(rt_cuda.launch(*state, kernel, slots, 3, 100, false, NULL), LDSL_OK);
    assert_int_equal(driver.config.attribute_count, 0);
    rt_cuda.unload(*state, kernel);
    ldsl_artifact_free(a);
}

static void a_current_context_is_not_entered_to_launch(void **state)
{
    static const uint64_t slots[3];
    void *kernel;
    ldsl_artifact *a = make("nvptx:sm_90a", "k", 128, 0);
    assert_int_equal(rt_cuda.load(*state, &kernel, a), LDSL_OK);
    int pushes = driver.pushes;
    driver.is_current = true;
    assert_int_equal(rt_cuda.launch(*state, kernel, slots, 3, 1, false, NULL), LDSL_OK);
    assert_int_equal(driver.pushes, pushes);
    driver.is_current = false;
    assert_int_equal(rt_cuda.launch(*state, kernel, slots, 3, 1, false, NULL), LDSL_OK);
    assert_int_equal(driver.pushes, pushes + 1);
    rt_cuda.unload(*state, kernel);
    ldsl_artifact_free(a);
}

static void what_is_translated_loads_as_machine_code(void **state)
{
    const struct ldsl_kernel_info info = {.target = "nvptx:sm_90a",
                                          .entry = "k",
                                          .block_threads = 128,
                                          .cluster = 2,
                                          .dependent = true};
    ldsl_artifact *a = make_info(info, 9), *made, *again;
    struct ldsl_kernel_info now;
    void *kernel;
    size_t bytes;
    assert_int_equal(rt_cuda.translate(*state, &made, a), LDSL_OK);
    assert_string_equal(driver.image, ".version");
    assert_int_equal(driver.links, 1);
    assert_memory_equal(ldsl_artifact_data(made, &bytes), "\177ELF code", 9);
    assert_int_equal(bytes, 9);

    const void *block = ldsl_artifact_bytes(made, &bytes); /* it survives the cache */
    assert_int_equal(ldsl_artifact_read(&again, block, bytes), LDSL_OK);
    assert_true(ldsl_artifact_kernel(again, &now));
    assert_string_equal(now.entry, "k");
    assert_int_equal(now.cluster, 2);
    assert_int_equal(now.slot_count, 3);
    assert_string_equal(ldsl_artifact_text(again, now.slots[1].name), "n");
    assert_int_equal(rt_cuda.load(*state, &kernel, again), LDSL_OK);
    rt_cuda.resources(*state, kernel, &now);
    assert_int_equal(now.registers, 96);
    assert_int_equal(now.spill_bytes, 24);
    rt_cuda.unload(*state, kernel);
    ldsl_artifact_free(again);
    assert_int_equal(rt_cuda.translate(*state, &again, made), LDSL_ARGUMENT);
    assert_null(again);
    ldsl_artifact_free(made);
    ldsl_artifact_free(a);
}

static void a_failing_translation_tells_the_compilers_words(void **state)
{
    const struct ldsl_kernel_info info = {.target = "nvptx:sm_90a", .entry = "k"};
    ldsl_artifact *a = make_info(info, 9), *made;
    driver.link_result = 218;
    driver.error_log = "line 7; bad\n";
    assert_int_equal(rt_cuda.translate(*state, &made, a), LDSL_DEVICE);
    assert_null(made);
    assert_string_equal(ldsl_last_error(),
                        "cuda:1: kernel axpy (nvptx:sm_90a) cannot be loaded: cuLinkAddData failed "
                        "with CUDA_ERROR_INVALID_PTX (218): line 7; bad");
    ldsl_artifact_free(a);
}

/* The dialect of 9.0 is for 9.0 alone; machine code depends on the GPU and the driver. */
static void other_gpus_run_what_they_can(void **state)
{
    static const struct {
        int major, minor;
        const char *target, *identity;
    } gpus[] = {
        {8,  0, "nvptx:sm_80",  "nvptx:sm_80 on sm_80, CUDA 12080" },
        {8,  7, "nvptx:sm_86",  "nvptx:sm_86 on sm_87, CUDA 12080" },
        {9,  0, "nvptx:sm_90a", "nvptx:sm_90a on sm_90, CUDA 12080"},
        {10, 0, "nvptx:sm_90",  "nvptx:sm_90 on sm_100, CUDA 12080"},
        {12, 0, "nvptx:sm_90",  "nvptx:sm_90 on sm_120, CUDA 12080"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof gpus / sizeof *gpus; i++) {
        struct rt_device_options options = {.number = 1, .sink = &sink};
        struct rt_device_info info;
        void *device;
        driver.cc_major = gpus[i].major;
        driver.cc_minor = gpus[i].minor;
        assert_int_equal(cuda_open(&device, &api, &options), LDSL_OK);
        rt_cuda.describe(device, &info);
        assert_string_equal(info.target, gpus[i].target);
        assert_string_equal(info.identity, gpus[i].identity);
        rt_cuda.close(device);
    }
}

static void an_upload_has_arrived_when_it_returns(void **state)
{
    char there[8] = "";
    assert_int_equal(rt_cuda.upload(*state, (uint64_t)(uintptr_t)there, "abc", 4), LDSL_OK);
    assert_string_equal(there, "abc");
    assert_int_equal(driver.waits, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(missing_gpus_are_explained),
        TEST(the_facts_are_the_drivers),
        TEST(errors_name_the_call_and_the_drivers_word),
        TEST(a_lost_context_is_told_by_every_call),
        TEST(the_ptx_compilers_words_are_told),
        TEST(what_cannot_run_is_not_loaded),
        TEST(much_shared_memory_is_asked_for),
        TEST(a_launch_is_one_block_a_program_and_one_parameter_a_slot),
        TEST(a_cluster_is_blocks_of_one_program),
        TEST(a_current_context_is_not_entered_to_launch),
        TEST(what_is_translated_loads_as_machine_code),
        TEST(a_failing_translation_tells_the_compilers_words),
        TEST(other_gpus_run_what_they_can),
        TEST(an_upload_has_arrived_when_it_returns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
