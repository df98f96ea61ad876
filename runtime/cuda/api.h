/* The NVIDIA driver as this runtime sees it: the few types and numbers of its C interface that
 * driver_api.def needs, and the table of its functions. No CUDA toolkit is needed to build or run.
 *
 * Names and numbers are NVIDIA's ABI and stay as they are for good; functions carry the version
 * suffix under which the library exports the interface meant here. */
#ifndef CUDA_API_H
#define CUDA_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int cu_result; /* 0: success */
typedef int cu_device;
typedef uint64_t cu_address;
typedef struct cu_context_s *cu_context;
typedef struct cu_module_s *cu_module;
typedef struct cu_function_s *cu_function;
typedef struct cu_stream_s *cu_stream;
typedef struct cu_event_s *cu_event;
typedef struct cu_graph_s *cu_graph;
typedef struct cu_graph_exec_s *cu_graph_exec;
typedef struct cu_link_s *cu_link;

enum { /* CUresult */
       CU_SUCCESS = 0,
       CU_OUT_OF_MEMORY = 2,
       CU_DEINITIALIZED = 4,
       CU_NO_DEVICE = 100,
       CU_ECC_UNCORRECTABLE = 214,
       CU_NVLINK_UNCORRECTABLE = 220,
       CU_ILLEGAL_ADDRESS = 700,
       CU_LAUNCH_TIMEOUT = 702,
       CU_CONTEXT_IS_DESTROYED = 709,
       CU_ASSERT = 710,
       CU_HARDWARE_STACK_ERROR = 714,
       CU_ILLEGAL_INSTRUCTION = 715,
       CU_MISALIGNED_ADDRESS = 716,
       CU_INVALID_ADDRESS_SPACE = 717,
       CU_INVALID_PC = 718,
       CU_LAUNCH_FAILED = 719
};

enum { /* CUdevice_attribute */
       CU_DEVICE_WARP_SIZE = 10,
       CU_DEVICE_MULTIPROCESSOR_COUNT = 16,
       CU_DEVICE_CC_MAJOR = 75,
       CU_DEVICE_CC_MINOR = 76,
       CU_DEVICE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97
};

enum { /* CUfunction_attribute */
       CU_FUNC_MAX_THREADS_PER_BLOCK = 0,
       CU_FUNC_SHARED_SIZE_BYTES = 1,
       CU_FUNC_LOCAL_SIZE_BYTES = 3,
       CU_FUNC_NUM_REGS = 4,
       CU_FUNC_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8
};

enum { /* CUjit_option */
       CU_JIT_INFO_LOG_BUFFER = 3,
       CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES = 4,
       CU_JIT_ERROR_LOG_BUFFER = 5,
       CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6,
       CU_JIT_GENERATE_LINE_INFO = 13
};

enum { CU_JIT_INPUT_PTX = 1 };                    /* CUjitInputType */
enum { CU_STREAM_NON_BLOCKING = 1 };              /* CUstream_flags */
enum { CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1 }; /* CUstreamCaptureMode */

enum { /* CUlaunchAttributeID */
       CU_LAUNCH_CLUSTER_DIMENSION = 4,
       CU_LAUNCH_PROGRAMMATIC_STREAM_SERIALIZATION = 6
};

struct cu_launch_attribute { /* CUlaunchAttribute */
    int id;
    char unused[4];
    union {
        char bytes[64];
        struct {
            unsigned x, y, z;
        } cluster;
        int allowed;
    } value;
};

struct cu_launch_config { /* CUlaunchConfig */
    unsigned grid_x, grid_y, grid_z;
    unsigned block_x, block_y, block_z;
    unsigned shared_bytes;
    cu_stream stream;
    const struct cu_launch_attribute *attributes;
    unsigned attribute_count;
};

struct cuda_api {
#define DRIVER(name, parameters) cu_result(*name) parameters;
#include "driver_api.def"
#undef DRIVER
};

/* Finds the driver and fills the table, or writes to `why` what is missing (a sentence without full
 * stop). The library is loaded once per process, however often this is called, and stays: it cannot
 * be unloaded safely. Any thread. */
bool cuda_api_load(struct cuda_api *api, char *why, size_t size);

/* The driver's own name of a result ("CUDA_ERROR_INVALID_PTX"); never NULL. */
const char *cuda_result_name(const struct cuda_api *api, cu_result result);

#endif
