/* Values on the command line: "1e-6", "llama", "@x.npy", "randn(4096x4096,bf16)", "[1, 2, 3]". */
#ifndef LDSL_VALUE_H
#define LDSL_VALUE_H

#include "command.h"
#include "tensor.h"

/* What the value is for, as far as it is known. */
struct value_use {
    const char *name;      /* of the parameter, for messages and as its random stream */
    enum ldsl_dtype dtype; /* of tensors whose text names none */
    uint64_t seed;
};

/* A tensor: "@FILE.npy", "@FILE.safetensors[:KEY]", "FILL(ARGS)" or a list. False after reporting. */
bool value_read_tensor(struct cli *cli, struct tensor *out, const char *text,
                       const struct value_use *use);

/* A number by itself, infinity by name; false if it is none, or one that the dtype, if it is a float,
 * has only as infinity. */
bool value_read_number(double *number, const char *text, enum ldsl_dtype dtype);

/* The dtype that the text names ("zeros(4,bf16)"); false if it names none. Reads no file. */
bool value_named_dtype(const char *text, enum ldsl_dtype *dtype);

#endif
