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

#endif
