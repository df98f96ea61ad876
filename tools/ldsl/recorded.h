/* What records say of a call that is to be tuned: the operators once more, in a context that has the
 * user's records and the library's. */
#ifndef LDSL_RECORDED_H
#define LDSL_RECORDED_H

#include "command.h"
#include "subject.h"

struct recorded {
    struct operators ops; /* empty: there are no records to be had */
};

/* As options say, but with these records. recorded_close is safe either way. */
void recorded_open(struct recorded *out, struct cli *cli, const struct device_options *options,
                   const char *records);
void recorded_close(struct recorded *r);

/* The settings of the call's records, "kernel.BR=4,other.hold=64", malloc'ed; NULL: there are none, or
 * they come to what `plan`, prepared by default, does anyway. */
char *recorded_settings(const struct recorded *r, const struct trial *t, const ldsl_plan *plan);

#endif
