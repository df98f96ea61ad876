/* Artifacts: what a compile produced. The contract between compiler and runtime.
 *
 * An artifact is one immutable block. Getters return pointers into it, valid until it is freed. It
 * can be written to disk as it is and read back (on the same byte order): that is what the compile
 * cache and bundles hold. */
#ifndef LDSL_ARTIFACT_H
#define LDSL_ARTIFACT_H

#include <ldsl/dtype.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ldsl_artifact ldsl_artifact;

enum ldsl_artifact_kind {
    LDSL_ARTIFACT_TEXT,   /* data: text of some stage */
    LDSL_ARTIFACT_MODULE, /* data: a module image (ldsl/module.h) */
    LDSL_ARTIFACT_KERNEL  /* data: machine code of one kernel variant */
};

/* One 64-bit slot of a kernel's argument block. Order: for each tensor its pointer, then its
 * strides; then the dims and scalars. */
enum ldsl_slot_kind {
    LDSL_SLOT_POINTER, /* base address of tensor `name` */
    LDSL_SLOT_STRIDE,  /* stride of dim `dim` of tensor `name`, in elements, as int64 */
    LDSL_SLOT_DIM,     /* the dim `name` (a symbol like R), as int64 */
    LDSL_SLOT_SCALAR   /* scalar parameter `name`: dtype in the low bytes, little endian */
};

struct ldsl_slot {
    uint32_t kind;  /* enum ldsl_slot_kind */
    uint32_t dtype; /* enum ldsl_dtype: SCALAR, POINTER (element) */
    uint32_t dim;
    uint32_t name; /* offset of the name: ldsl_artifact_text */
};

/* How a kernel is started. CPU: entry(slots, first program, last program + 1, scratch, report).
 * GPU: one 64-bit parameter per slot; `cluster` blocks of block_threads threads per program. */
struct ldsl_kernel_info {
    const char *name;    /* kernel name in the source */
    const char *entry;   /* symbol */
    const char *target;  /* "cpu:znver3" */
    const char *variant; /* canonical bindings text */
    const struct ldsl_slot *slots;
    uint32_t slot_count;
    uint32_t block_threads; /* GPU: threads of a block; CPU: 1 */
    uint32_t cluster;       /* blocks that share a program (a thread block cluster); CPU: 1 */
    uint32_t shared_bytes;  /* GPU: dynamic shared memory of a block */
    uint32_t registers;     /* GPU, 0: unknown */
    uint32_t spill_bytes;   /* GPU */
    uint64_t scratch_bytes; /* CPU: tile memory per thread, 64-byte aligned */
    bool checked;           /* compiled with check: `report` is used */
    bool dependent; /* GPU: waits itself for the kernels before it, so it may be launched with
                               programmatic stream serialization */
};

LDSL_API enum ldsl_artifact_kind ldsl_artifact_kind(const ldsl_artifact *a);
LDSL_API const void *ldsl_artifact_data(const ldsl_artifact *a, size_t *bytes);
LDSL_API const char *ldsl_artifact_text(const ldsl_artifact *a, uint32_t offset);
LDSL_API bool ldsl_artifact_kernel(const ldsl_artifact *a, struct ldsl_kernel_info *info);

/* The artifact as bytes for a file, and back (copied; every offset is checked: a damaged block is
 * LDSL_ARGUMENT, never a crash). */
LDSL_API const void *ldsl_artifact_bytes(const ldsl_artifact *a, size_t *bytes);
LDSL_API enum ldsl_status ldsl_artifact_read(ldsl_artifact **out, const void *data, size_t bytes);

/* The same with other machine code: what a driver made of it. */
LDSL_API enum ldsl_status ldsl_artifact_with_code(ldsl_artifact **out, const ldsl_artifact *a,
                                                  const void *code, size_t bytes);

LDSL_API void ldsl_artifact_free(ldsl_artifact *a); /* NULL is fine */

#ifdef __cplusplus
}
#endif
#endif
