/* What the right results are: an operator's f64 reference, run on the CPU under each rounding. */
#ifndef LDSL_REFERENCE_H
#define LDSL_REFERENCE_H

#include "command.h"
#include "subject.h"
#include "tolerance.h"

/* The operators on the CPU, compiled with round_bias -1, 0 and 1. */
struct references {
    struct operators biased[3];
};
enum { BIAS_NONE = 1 }; /* index of the one without */

/* LDSL_OK or why not; close is safe either way. The sink hears of errors. */
enum ldsl_status references_open(struct references *out, const struct device_options *options,
                                 const struct ldsl_sink *sink);
void references_close(struct references *r);

/* What one trial should give. */
struct answers {
    struct subject subject; /* the reference operator */
    struct trial biased[3];
    struct trial still;  /* all generics f64: nothing is rounded */
    struct trial *moved; /* the same with one input moved: two for each float input */
    unsigned moves;
    const struct tensor **scratch; /* what expected.moved of the last answers_find points to */
};

/* Runs the reference of t's operator. False with a reason; destroy is safe either way. */
bool answers_create(struct answers *out, const struct references *r, const struct trial *t,
                    struct tensor_error *error);
void answers_destroy(struct answers *a);

/* What is expected of one tensor of the trial, valid until the next call; false: the reference does
 * not have it. */
bool answers_find(struct expected *out, struct answers *a, const struct trial *t, uint32_t param);

/* A call of `reference` with the inputs of t, floats as f64. smooth: all generics f64, so that nothing
 * is rounded. Used for gradients too. */
bool reference_trial(struct trial *out, const struct subject *reference, const struct trial *t,
                     bool smooth, struct tensor_error *error);
/* A copy with floats as f64. */
bool tensor_widen(struct tensor *out, const struct tensor *from, struct tensor_error *error);

#endif
