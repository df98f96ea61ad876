/* Whether a gradient operator computes gradients: its f64 reference against finite differences of the
 * forward operator's f64 reference. */
#ifndef LDSL_GRADIENT_H
#define LDSL_GRADIENT_H

#include "reference.h"

/* One derivative compared. */
struct gradient_row {
    const char *input; /* "x" */
    double error, allowed;
    bool passed;
};

/* t: a filled trial of the forward operator (any types: they are widened). Calls report for each input
 * that the gradient operator has a result for. False with a reason. */
bool gradient_check(const struct references *r, const struct trial *t,
                    void (*report)(void *user, const struct gradient_row *row), void *user,
                    struct tensor_error *error);

#endif
