/* The runtime: devices, operators, plans, launches.
 *
 * A program does five things:
 *     ldsl_context_create      open a device
 *     ldsl_library_load_*      load operators (a file, a text, the built-in library)
 *     ldsl_plan_prepare        one operator for given shapes and dtypes: all checks, variant
 *                              choice, compiling and workspace size happen here
 *     ldsl_plan_launch         run it on a stream with pointers and workspace
 *     ldsl_*_destroy           release
 *
 * Threads: a context may be used from several threads; preparing is reentrant; a plan may be
 * launched from several threads on different streams with different workspaces. Diagnostics of a
 * failed call go to the context's sink, and the last error's text is kept per thread:
 * ldsl_last_error(). */
#ifndef LDSL_RUNTIME_H
#define LDSL_RUNTIME_H

#include <ldsl/artifact.h>
#include <ldsl/diag.h>
#include <ldsl/dtype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LDSL_MAX_RANK 8

typedef struct ldsl_context ldsl_context;
typedef struct ldsl_library ldsl_library;
typedef struct ldsl_plan ldsl_plan;
typedef struct ldsl_buffer ldsl_buffer;

/* ---- contexts -------------------------------------------------------------------------------- */

typedef struct ldsl_context_options {
    struct ldsl_sink sink; /* report may be NULL */
    const char
        *cache_path; /* compile cache folder; NULL: $LDSL_CACHE, else the user's cache folder */
    uint64_t cache_bytes; /* its size limit; 0: $LDSL_CACHE_SIZE ("512M", "2G"), else 1 GiB */
    bool no_cache;        /* neither read nor write the compile cache */
    bool no_compile;  /* a kernel that is not cached or bundled is LDSL_UNSUPPORTED, not compiled;
                         the message names the variant */
    bool check;       /* compile kernels with run-time checks */
    bool line_info;   /* kernels carry the lines of their source, for debuggers */
    int round_bias;   /* ldsl_options.round_bias for all kernels: for references only */
    uint32_t threads; /* CPU: worker threads; 0: one per core */

    /* Tuning: see ldsl/tune.h. */
    const char *records_path; /* the user's records; NULL: ldsl_records_path */
    bool no_records;          /* neither those nor the library's: defaults. So does
                                 LDSL_RECORDS=none where no path is given */
    bool records_read_only;   /* never tune or write: all processes of a job then choose the same */
    bool tune_first_use;      /* preparing a plan that has no records tunes it first: that takes two
                            seconds, memory for its tensors, and the device for itself */
} ldsl_context_options;

/* device: "cpu", "cuda", "cuda:1", "simt", "simt:86"; NULL: the best there is. options may be NULL;
 * they and the sink's user are copied, texts too. */
LDSL_API enum ldsl_status ldsl_context_create(ldsl_context **out, const char *device,
                                              const ldsl_context_options *options);
LDSL_API void ldsl_context_destroy(ldsl_context *ctx); /* after its libraries, plans and buffers */
LDSL_API const char *ldsl_context_device(const ldsl_context *ctx); /* "cpu" */
LDSL_API const char *ldsl_context_target(const ldsl_context *ctx); /* "cpu:native" */
LDSL_API const char *
ldsl_context_description(const ldsl_context *ctx); /* processor, cores, memory */

/* The text of the last error of a call on this thread ("" if none). */
LDSL_API const char *ldsl_last_error(void);

/* ---- operators ------------------------------------------------------------------------------- */

/* Loads a file, a text, or the built-in operators. The library keeps its own copy of the source. */
LDSL_API enum ldsl_status ldsl_library_load_file(ldsl_library **out, ldsl_context *ctx,
                                                 const char *path);
LDSL_API enum ldsl_status ldsl_library_load_text(ldsl_library **out, ldsl_context *ctx,
                                                 const char *path, const char *text, size_t length);
LDSL_API enum ldsl_status ldsl_library_load_builtin(ldsl_library **out, ldsl_context *ctx);
LDSL_API void ldsl_library_destroy(ldsl_library *lib); /* after its plans */

/* What an operator is: see ldsl/ops.h for its parameters. */
LDSL_API uint32_t ldsl_library_op_count(const ldsl_library *lib);
LDSL_API const char *ldsl_library_op_name(const ldsl_library *lib, uint32_t i);

/* ---- plans ----------------------------------------------------------------------------------- */

enum ldsl_argument_kind {
    LDSL_ARG_TENSOR, /* dtype, rank, shape, strides */
    LDSL_ARG_ABSENT, /* an optional tensor that is not given */
    LDSL_ARG_SCALAR, /* number or integer, converted exactly or refused */
    LDSL_ARG_ENUM,   /* word */
    LDSL_ARG_TYPE    /* dtype: fixes a generic by name where arguments do not */
};

/* One argument by name. Parameters not given take their default; outputs may be left out: their
 * shape then follows from the operator, and they are contiguous and aligned to 256 bytes (ask
 * ldsl_plan_tensor). */
typedef struct ldsl_argument {
    const char *name;
    enum ldsl_argument_kind kind;
    enum ldsl_dtype dtype;
    uint32_t rank;
    int64_t shape[LDSL_MAX_RANK];
    int64_t strides[LDSL_MAX_RANK]; /* in elements; all zero: contiguous, row-major */
    uint32_t alignment;             /* of the base pointer in bytes; 0: 256 */
    double number;
    int64_t integer;
    bool is_integer; /* SCALAR: which of the two */
    const char *word;
} ldsl_argument;

/* with: schedule values for every kernel of the op, "BR=4,num_warps=8"; NULL: records or defaults.
 */
LDSL_API enum ldsl_status ldsl_plan_prepare(ldsl_plan **out, ldsl_library *lib, const char *op,
                                            const ldsl_argument *arguments, uint32_t count,
                                            const char *with);
LDSL_API void ldsl_plan_destroy(ldsl_plan *plan);

/* Tensors of a plan: inputs then outputs in declaration order, absent ones left out. Pointers of a
 * launch go in this order. */
typedef struct ldsl_tensor_info {
    const char *name;
    enum ldsl_dtype dtype;
    uint32_t rank;
    int64_t shape[LDSL_MAX_RANK];
    int64_t strides[LDSL_MAX_RANK];
    size_t bytes;    /* extent in memory from the base pointer */
    bool is_output;  /* declared after -> */
    bool is_written; /* outputs, and inputs declared mut */
} ldsl_tensor_info;

LDSL_API uint32_t ldsl_plan_tensor_count(const ldsl_plan *plan);
LDSL_API bool ldsl_plan_tensor(const ldsl_plan *plan, uint32_t i, ldsl_tensor_info *info);
LDSL_API size_t ldsl_plan_workspace_bytes(const ldsl_plan *plan);

/* Kernel launches of a plan in order: kernel name and variant, for reports. */
LDSL_API uint32_t ldsl_plan_launch_count(const ldsl_plan *plan);
LDSL_API const char *ldsl_plan_launch_kernel(const ldsl_plan *plan, uint32_t i);
LDSL_API const char *ldsl_plan_launch_variant(const ldsl_plan *plan, uint32_t i);
/* The kernel's artifact says: threads, shared memory, registers, spills. Texts are the plan's. */
LDSL_API bool ldsl_plan_launch_info(const ldsl_plan *plan, uint32_t i,
                                    struct ldsl_kernel_info *info);

/* Runs the plan. pointers: device addresses, one per tensor of the plan, aligned as promised.
 * workspace: ldsl_plan_workspace_bytes bytes, 256-byte aligned, not shared by launches in flight.
 * stream: the device's stream (CUstream), NULL: the default one; the CPU runs in the call.
 * Allocates nothing, does not synchronise, and so may be captured in a CUDA graph: begin to capture a
 * stream, launch on it, end. The graph keeps the pointers and the workspace, which must stay; the plan
 * must outlive it. Prepare before capturing: that allocates and loads kernels. */
LDSL_API enum ldsl_status ldsl_plan_launch(const ldsl_plan *plan, const uint64_t *pointers,
                                           uint32_t count, uint64_t workspace, void *stream);

/* Waits for a stream; reports errors of the work on it. */
LDSL_API enum ldsl_status ldsl_stream_synchronize(ldsl_context *ctx, void *stream);

/* ---- memory, for those who have no allocator of their own ---------------------------------------
 */

LDSL_API enum ldsl_status ldsl_buffer_create(ldsl_buffer **out, ldsl_context *ctx, size_t bytes);
LDSL_API void ldsl_buffer_destroy(ldsl_buffer *buffer);
LDSL_API uint64_t
ldsl_buffer_address(const ldsl_buffer *buffer); /* 256-byte aligned; 0 if 0 bytes */
/* Both are done when they return. They wait for the default stream alone: after work on another one,
 * ldsl_stream_synchronize first. */
LDSL_API enum ldsl_status ldsl_buffer_upload(ldsl_buffer *buffer, size_t offset, const void *data,
                                             size_t bytes);
LDSL_API enum ldsl_status ldsl_buffer_download(const ldsl_buffer *buffer, size_t offset, void *data,
                                               size_t bytes);

/* Copies bytes between device addresses the way the device does it best (all threads, or the copy
 * engine): the yardstick of ldsl bench. */
LDSL_API enum ldsl_status ldsl_device_copy(ldsl_context *ctx, uint64_t destination, uint64_t source,
                                           size_t bytes, void *stream);

#ifdef __cplusplus
}
#endif
#endif
