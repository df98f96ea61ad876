/* Devices: what the runtime asks of one. A device family (cpu, cuda, ...) is one table of
 * functions; registry.c finds them, context.c opens one, everything else calls through the table.
 *
 * Addresses are uint64_t (a CPU address is the pointer's value); streams are void *, NULL being the
 * device's default stream. Every function that can fail reports the reason with rt_error() to the
 * sink it was opened with and returns a status; LDSL_DEVICE errors name the driver call and the
 * driver's own word for the error.
 *
 * Threads: all functions but open and close may be called from several threads at once. */
#ifndef RUNTIME_DEVICE_H
#define RUNTIME_DEVICE_H

#include <ldsl/artifact.h>
#include <ldsl/diag.h>
#include <ldsl/runtime.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RT_GPU_BLOCKS_MOST = INT32_MAX }; /* of one launch on NVIDIA's GPUs, along x */
enum { RT_CLUSTER_SIZES = 3 };

/* What to know of an open device. The numbers are the `dev.` facts of the language. */
struct rt_device_info {
    char name[32];         /* "cpu", "cuda:1" */
    char target[64];       /* what to compile for: "cpu:native", "nvptx:sm_90a" */
    char identity[512];    /* all of the processor that compiled code depends on, for cache keys */
    char description[160]; /* for people: processor, cores, memory */
    char model[96];        /* what tuning records are filed under: "NVIDIA H200"; "": the target */
    int64_t sm_count;      /* processors that run programs at once; CPU: threads */
    int64_t smem;          /* shared memory a program may use, bytes; CPU: 0 */
    int64_t cc;            /* compute capability times ten (90); CPU: 0 */
    int64_t lanes;         /* threads that shuffle among themselves; CPU: 1 */
    /* Clusters of 2, 4 and 8 blocks that run at once if each block has a multiprocessor for itself;
     * where there are no clusters, 0. */
    int64_t clusters[RT_CLUSTER_SIZES];
    uint64_t blocks_most; /* programs of a launch, times the blocks of each; 0: any number */
    bool is_gpu;
};

struct rt_device_options {
    uint32_t number;              /* which one of the family */
    uint32_t threads;             /* CPU: worker threads; 0: one per core */
    const struct ldsl_sink *sink; /* lives longer than the device */
};

struct rt_device_ops {
    const char *name;   /* the family: "cpu", "cuda" */
    bool numbers_kinds; /* the number says which kind of device: open knows which there are */

    /* How many devices of the family there are. When 0, why (a sentence without full stop: "no
     * NVIDIA driver: libcuda.so.1 was not found") is written to `why`. Touches no device. */
    uint32_t (*probe)(char *why, size_t size);

    enum ldsl_status (*open)(void **device, const struct rt_device_options *options);
    void (*close)(void *device); /* after everything that was made with it */
    void (*describe)(void *device, struct rt_device_info *info);

    /* Memory: 256-byte aligned, bytes > 0. Upload and download are done when they return. */
    enum ldsl_status (*alloc)(void *device, uint64_t *address, size_t bytes);
    void (*free)(void *device, uint64_t address);
    enum ldsl_status (*upload)(void *device, uint64_t to, const void *from, size_t bytes);
    enum ldsl_status (*download)(void *device, void *to, uint64_t from, size_t bytes);

    /* Work in stream order, as fast as the device can; may be captured in a graph. */
    enum ldsl_status (*copy)(void *device, uint64_t to, uint64_t from, size_t bytes, void *stream);
    enum ldsl_status (*zero)(void *device, uint64_t to, size_t bytes, void *stream);

    /* (optional) Compiles the artifact of a kernel further, as far as it can be done in advance for
     * this very device: what the compile cache keeps. It is as loadable as the one it came from. */
    enum ldsl_status (*translate)(void *device, ldsl_artifact **out, const ldsl_artifact *artifact);

    /* Makes a kernel artifact ready to launch. Afterwards launching needs no memory: what the
     * kernel wants (CPU: tile memory of each worker) is reserved here. The artifact outlives the
     * kernel. */
    enum ldsl_status (*load)(void *device, void **kernel, const ldsl_artifact *artifact);
    void (*unload)(void *device, void *kernel);
    /* (optional) What the loaded kernel takes: fills registers and spill_bytes. */
    void (*resources)(void *device, const void *kernel, struct ldsl_kernel_info *info);

    /* Runs programs 0 .. programs - 1 (programs > 0). A kernel that waits itself for the work before
     * it in the stream may start while that ends, unless it runs `alone`. Slots are as struct
     * ldsl_slot says and are copied or used up before the return. Allocates nothing, never synchronises, takes no lock
     * that a launch on another stream holds, can be captured. On the CPU the work is done on
     * return, so that failed checks of a check build are reported here; on a GPU errors of the
     * work itself come out of synchronize. */
    enum ldsl_status (*launch)(void *device, void *kernel, const uint64_t *slots,
                               uint32_t slot_count, uint64_t programs, bool alone, void *stream);

    /* Waits for the stream. LDSL_DEVICE if work on it failed; where the driver makes that error
     * sticky (a GPU after an illegal address), every later call fails with the same text, which
     * says that the process must start anew. */
    enum ldsl_status (*synchronize)(void *device, void *stream);

    /* (optional) As ldsl_device_time, on a stream of its own: captures `work` as a graph, and replays
     * it `count` times, each after what `before` (may be NULL) enqueues. */
    enum ldsl_status (*time)(void *device, enum ldsl_status (*before)(void *user, void *stream),
                             enum ldsl_status (*work)(void *user, void *stream), void *user,
                             double *seconds, uint32_t count);

    /* (optional) How long `count` launches of the kernel take the host in seconds, by the driver's
     * calls alone: what launch is measured against. */
    enum ldsl_status (*time_bare)(void *device, void *kernel, const uint64_t *slots,
                                  uint32_t slot_count, uint64_t programs, double *seconds,
                                  uint32_t count);
};

/* ---- the registry: registry.c ------------------------------------------------------------------
 */

/* Finds the device that `text` names ("cpu", "cuda", "cuda:1"; NULL: the first family that has
 * one). Reports what is wrong: an unknown name is LDSL_ARGUMENT, a known one that is not there
 * LDSL_DEVICE, one this build leaves out LDSL_UNSUPPORTED. */
enum ldsl_status rt_device_find(const struct rt_device_ops **ops, uint32_t *number,
                                const char *text, const struct ldsl_sink *sink);

#endif
