/* One trial from inputs to verdict. */
#ifndef LDSL_VERIFY_H
#define LDSL_VERIFY_H

#include "reference.h"

struct outcome {
    bool passed;
    double error, allowed; /* of the result that comes closest to failing */
    char why[256];         /* empty if passed */
};

/* Fills the trial, runs it, runs its reference, compares every result. */
void verify_trial(struct outcome *out, struct trial *t, enum style style, uint64_t seed,
                  const struct operators *ops, const struct references *references);
/* Only the last: the results in t->params[].after against answers of the same trial. */
void verify_results(struct outcome *out, const struct trial *t, struct answers *answers);
/* A large call (whose tensors were not made) at the same widths with fewer rows. name: the case. */
bool verify_fewer(struct outcome *out, char *name, size_t size, const struct trial *model,
                  size_t most_elements, const struct operators *ops,
                  const struct references *references);

#endif
