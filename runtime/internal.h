/* What the runtime's files share: contexts, libraries, kernels, errors.
 *
 *     context.c   a device, a sink, a cache          module.c     reads module images
 *     library.c   sources and their module images    host.c       evaluates host expressions
 *     kernel.c    kernels of a library, loaded       plan.c       prepare and launch
 *     compile.c   compiling through the cache
 *     cache.c     compiled artifacts on disk         workspace.c  lays scratch tensors out
 *     registry.c  the devices of this build          ops.c        what operators look like
 *     error.c     how failures are told              buffer.c     memory for those who have none
 *     tuned.c     launches as tuning knows them      records.c    tuning records
 *     search.c    what to try next                   tune.c       tuning before the first use
 *     measure.c   timing on the device
 *
 * The same sources make two libraries. libldsl_rt launches what is compiled; libldsl adds the
 * compiler, the CPU device and the built-in operators. What differs is one constant, rt_edition,
 * defined by bare.c or full.c. */
#ifndef RUNTIME_INTERNAL_H
#define RUNTIME_INTERNAL_H

#include "builtin.h"
#include "device.h"
#include "module.h"

#include <ldsl/artifact.h>
#include <ldsl/compile.h>
#include <ldsl/runtime.h>
#include <pthread.h>

/* ---- editions: bare.c, full.c ------------------------------------------------------------------
 */

struct rt_compiler {
    const char *identity; /* changes whenever the compiler does */
    enum ldsl_status (*compile)(ldsl_artifact **out, const ldsl_source *source,
                                const ldsl_options *options, const struct ldsl_sink *sink);
    enum ldsl_status (*key)(char key[33], const ldsl_source *source, const ldsl_options *options,
                            const struct ldsl_sink *sink);
    const char *(*version)(void);
};

struct rt_edition {
    const struct rt_device_ops *const *devices; /* the best first; NULL ends the list */
    const struct rt_compiler *compiler;         /* NULL: cannot compile */
    const struct builtin_file *builtins;        /* NULL: none */
    const char *records;                        /* tuning records; NULL: none */
};
extern const struct rt_edition rt_edition;

/* ---- errors: error.c ---------------------------------------------------------------------------
 */

/* Tells a failure: keeps the text for ldsl_last_error, hands it to the sink (NULL or without
 * report: nobody), returns `status`. Lower case, one line: the call's object, what was found, what
 * was wanted. Long texts are cut. */
enum ldsl_status rt_error(const struct ldsl_sink *sink, enum ldsl_status status, const char *format,
                          ...) __attribute__((format(printf, 3, 4)));
/* The same with a suggestion. */
enum ldsl_status rt_error_help(const struct ldsl_sink *sink, enum ldsl_status status,
                               const char *help, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with the place in the source that it comes from (path NULL: none). */
enum ldsl_status rt_error_at(const struct ldsl_sink *sink, enum ldsl_status status,
                             const char *path, uint32_t line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Something worth knowing that stops nothing. */
void rt_warning(const struct ldsl_sink *sink, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same for what few want to know. */
void rt_remark(const struct ldsl_sink *sink, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum ldsl_status rt_nomem(const struct ldsl_sink *sink);
/* Between these, on this thread, no sink hears anything; they nest. */
void rt_quiet_begin(void);
void rt_quiet_end(void);

/* A sink that passes on to `next` and keeps the first error's text, place included, for
 * ldsl_last_error: what calls into the compiler use. Lives on the caller's stack. */
struct rt_recorder {
    struct ldsl_sink sink; /* hand this out */
    const struct ldsl_sink *next;
    bool failed;
};
void rt_recorder_init(struct rt_recorder *recorder, const struct ldsl_sink *next);

/* ---- contexts: context.c -----------------------------------------------------------------------
 */

struct rt_cache;
struct rt_tuning;

struct ldsl_context {
    const struct rt_device_ops *ops;
    void *device;
    struct rt_device_info info;
    struct ldsl_sink sink;
    struct rt_cache *cache;   /* NULL: no compile cache */
    struct rt_tuning *tuning; /* NULL: no tuning records */
    bool tune_first_use;
    bool no_compile;
    bool check;
    bool line_info;
    int round_bias;
};

/* ---- libraries: library.c ----------------------------------------------------------------------
 */

struct rt_kernel_table;

/* One source file of a library. */
struct rt_file {
    ldsl_source source;       /* path and text are the library's copies */
    ldsl_artifact *image;     /* its op layer (ldsl/module.h) */
    struct rt_module *module; /* the same, read */
};

/* An operator by name: where it is. */
struct rt_op_entry {
    uint32_t file; /* index into files */
    uint32_t op;   /* number in that file's module */
};

struct ldsl_library {
    struct ldsl_context *ctx;
    struct rt_file *files;
    uint32_t file_count;
    struct rt_op_entry *ops; /* the operators the files themselves declare, in file order */
    uint32_t op_count;
    bool sealed; /* the files can only import each other and never change: `identity` says it all */
    char identity[33];
    struct rt_kernel_table *kernels;
};

/* The operator's place, or NULL. ops.c and plan.c find through this. */
const struct rt_op_entry *rt_library_find(const struct ldsl_library *lib, const char *op);

/* What library.c asks of module.c. The image outlives the module. Only operators that the file
 * itself declares are counted; behind them stand `linked` imported ones, their gradients and
 * references. */
enum ldsl_status rt_module_open(struct rt_module **out, const void *image, size_t bytes,
                                const struct ldsl_sink *sink);
void rt_module_close(struct rt_module *module); /* NULL is fine */
uint32_t rt_module_op_count(const struct rt_module *module, uint32_t *linked);
const char *rt_module_op_name(const struct rt_module *module, uint32_t i);

/* ---- kernels: kernel.c -------------------------------------------------------------------------
 */

/* A kernel variant ready to launch: ctx->ops->launch(ctx->device, kernel->handle, ...). Owned by
 * its library; never changes once handed out. */
struct rt_kernel {
    ldsl_artifact *artifact;
    struct ldsl_kernel_info info; /* slot table, names: into the artifact */
    void *handle;
};

/* The kernel `name` of file `file` with the canonical bindings text, from memory, the compile cache
 * or the compiler, in this order. Threads that ask for the same one at the same time share one
 * compile. The texts need only live during the call. */
enum ldsl_status rt_kernel_get(const struct rt_kernel **out, struct ldsl_library *lib,
                               uint32_t file, const char *name, const char *bindings);

enum ldsl_status rt_kernel_table_create(struct rt_kernel_table **out, const struct ldsl_sink *sink);
void rt_kernel_table_destroy(struct rt_kernel_table *table, struct ldsl_context *ctx);

/* Compiles one thing of a source for the context's device through the compile cache. `identity`
 * (NULL: none) is a text that, with the source's path and the options, determines the result: it
 * saves the front end's work on a hit. */
enum ldsl_status rt_compile_cached(ldsl_artifact **out, struct ldsl_context *ctx,
                                   const ldsl_source *source, enum ldsl_emit emit,
                                   const char *kernel, const char *bindings, const char *identity);

/* ---- the compile cache: cache.c ----------------------------------------------------------------
 */

/* 128 bits as 32 hex digits and a NUL. */
struct rt_cache_key {
    char text[33];
};

enum ldsl_status rt_cache_create(struct rt_cache **out, const char *path, uint64_t limit_bytes,
                                 const struct ldsl_sink *sink);
void rt_cache_destroy(struct rt_cache *cache); /* NULL is fine */
/* The artifact under the key, or NULL. A damaged entry is a warning, is removed, and counts as
 * none. */
ldsl_artifact *rt_cache_find(struct rt_cache *cache, const struct rt_cache_key *key);
/* Puts an artifact under the key. `why` tells people what it is: lines of "name=value". Failing to
 * write is a warning, once. */
void rt_cache_put(struct rt_cache *cache, const struct rt_cache_key *key,
                  const ldsl_artifact *artifact, const char *why);

/* ---- small things ------------------------------------------------------------------------------
 */

char *rt_copy_text(const char *text); /* malloc'ed; NULL when out of memory */

#endif
