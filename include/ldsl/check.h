/* Run-time checks: what kernels compiled with `check` call when one fails. The contract between
 * generated code and the runtime.
 *
 * The kernel gets a struct ldsl_check_report as its last argument and goes on after a failure as if
 * the access had not taken place. Beside its entry such an image has the function
 *     void <entry>.extents(const uint64_t *slots, struct ldsl_check_extent *extents)
 * which tells for each tensor what to track. */
#ifndef LDSL_CHECK_H
#define LDSL_CHECK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ldsl_check_kind {
    LDSL_CHECK_BOUNDS,    /* values: the subscripts, then the dims */
    LDSL_CHECK_ASSERT,    /* no values */
    LDSL_CHECK_UNWRITTEN, /* an element of an `out` tensor read before it is written: subscripts */
    LDSL_CHECK_RACE,      /* an element that another program wrote: subscripts, that program */
    LDSL_CHECK_OUTPUT     /* an element of an `out` tensor that no program wrote: subscripts */
};

/* Where and what was checked: constant data of the image. */
struct ldsl_check_site {
    uint32_t kind, line, column, rank;
    const char *path;
    const char *tensor; /* name; NULL for asserts */
    const char *text;   /* the assert's message, or NULL */
};

/* Of one tensor. */
struct ldsl_check_extent {
    int64_t elements;                     /* to track; 0: none */
    const struct ldsl_check_site *output; /* told if one of them is never written; NULL: may be */
    int64_t dims[8];
};

struct ldsl_check_report {
    /* Called from any thread, any number of times. */
    void (*fail)(struct ldsl_check_report *report, const struct ldsl_check_site *site,
                 int64_t program, const int64_t *values);
    /* For each tracked tensor one number an element, row-major over its dims: 0, or 1 + the program
     * that wrote it. */
    uint32_t *const *writers;
};

#ifdef __cplusplus
}
#endif
#endif
