/* A whole file in memory, mapped read-only. Must not be cut short by others meanwhile. */
#ifndef LDSL_MAPPING_H
#define LDSL_MAPPING_H

#include "tensor.h"

struct mapping {
    void *data; /* NULL if the file is empty */
    size_t bytes;
};

bool mapping_open(struct mapping *out, const char *path, struct tensor_error *error);
void mapping_close(struct mapping *m);

#endif
