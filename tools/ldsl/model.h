/* A call at its full, model-sized shape, run on the device and compared with its reference. */
#ifndef LDSL_MODEL_H
#define LDSL_MODEL_H

#include "verify.h"

/* How much of the results the verdict is about. */
struct coverage {
    int64_t rows, of; /* 0: all of them */
    const char *dim;  /* that counts the rows */
    bool fewer;       /* not this call: one at the same widths with fewer rows */
};

/* Runs call t, whose tensors are not made: its inputs are filled on the device, a pattern that
 * repeats; results are poisoned beforehand. Small calls are compared whole. Of larger ones some rows are
 * (sample.h), if results are by rows: the first, the last, those at element 2^31 and 2^32, and some
 * between, computed by the reference as a call with that many rows. What is left is compared whole if
 * it is not too large, else fewer rows are run instead. */
void verify_model(struct outcome *out, struct coverage *coverage, const struct trial *t,
                  uint64_t seed, struct cli *cli, const struct operators *ops,
                  const struct references *references);

#endif
