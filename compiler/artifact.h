/* Making artifacts: the compiler's side of <ldsl/artifact.h>. */
#ifndef ARTIFACT_H
#define ARTIFACT_H

#include <ldsl/artifact.h>

/* A slot with its name spelled out. */
struct artifact_slot {
    enum ldsl_slot_kind kind;
    uint32_t dtype, dim;
    const char *name;
};

/* What an artifact is made of. Everything is copied. */
struct artifact_parts {
    enum ldsl_artifact_kind kind;
    const void *data;
    size_t data_bytes;
    /* KERNEL: its slots field is ignored for `slots` below; slot_count counts those. */
    struct ldsl_kernel_info info;
    const struct artifact_slot *slots;
};

/* One malloc'ed block; NULL when memory is out. */
ldsl_artifact *artifact_create(const struct artifact_parts *parts);

#endif
