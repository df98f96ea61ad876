/* When a result is right: the error model of ldsl test, derived in docs/testing.md.
 *
 * A row is the last dim of a tensor. With the reference known to lie in [lo, hi], element i of a row
 * may miss that interval by u_i, one unit in the last place for 16-bit floats and nothing for wider
 * ones; the 2-norm of what it misses it by beyond that may be at most
 *
 *     max( min(1e-5, 2^-24 (32 + 8 sqrt(n))) ||r||,  8 ||k||,  2^-24 s )
 *
 * where r is the row of the reference, n the longest reduction that the operator can have, and k what
 * the reference moves by when the inputs move at random by at most half a unit in the last place of
 * f32: no f32 arithmetic can do much better. Each input tensor is moved by itself, twice; the moves of
 * the row are added in quadrature. s is the size of the inputs. Integers and booleans are exact. */
#ifndef LDSL_TOLERANCE_H
#define LDSL_TOLERANCE_H

#include "tensor.h"

/* What is known about the right result of one tensor. All have its shape; f64 where it is a float,
 * else its own dtype. */
struct expected {
    const struct tensor *bounds[3]; /* under the three roundings: lo and hi are their range */
    const struct tensor *still;     /* without any rounding */
    const struct tensor **moved;    /* the same, two moves of each input: see answers.moves */
    unsigned moves;                 /* 0: k is 0 */
    double reduction;               /* n */
    double size;                    /* s: root mean square of the largest float input */
};

struct verdict {
    bool passed;
    double error;   /* of the row that comes closest to failing, or fails by most */
    double allowed; /* for that row */
    size_t element; /* the worst one of that row */
    char why[200]; /* "[3, 17] is 1, expected 2": goes on from the tensor's name; empty if passed */
};

void check_tensor(struct verdict *out, const struct tensor *actual,
                  const struct expected *expected);

/* The factor of ||r||. */
double relative_tolerance(double reduction);

#endif
