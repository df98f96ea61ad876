/* The child of ldsl tune: opens the device, and does what the parent asks for, call after call. It may
 * crash or hang, for which the parent starts another.
 *
 * It begins with {"count": calls, "calls": [{"op", "dtype", "shape", "dims"}...], "status", "device"}
 * (or {"exit": status} after telling the user why), then for each call from `first` on says what it is:
 *     {"launches": [{"kernel", "tunables": [...]}], "recorded": settings of its records, or null}, or
 *     {"error"}
 * and answers requests until {"do": "next"}; after the last call it says {"end": true}. An error with
 * "lost" beside it is the last that it says: the device is of no more use to the process.
 *     {"do": "compile", "with": [settings...], "jobs": n}
 *         -> any number of {"begin": i}, {"done": i, "code": number as text, or "error"}, then {"end"}
 *     {"do": "time", "with", "best": seconds or 0, "runs": most, "seconds": at most}
 *         -> {"seconds", "runs"} or {"error"}
 *     {"do": "verify", "with"} -> {"passed", "why"}
 *     {"do": "record", "with"} -> {"records": [[nine fields]...]}, one for each launch */
#ifndef LDSL_TUNE_WORK_H
#define LDSL_TUNE_WORK_H

#include "calls.h"

struct tune_work {
    struct cli *cli;
    struct device_options device;
    const char *records; /* where there may be some already, as device_options has it */
    const struct calls_options *calls;
    unsigned first;
};

/* A worker_body; user: struct tune_work. */
void tune_work(void *user, FILE *in, FILE *out);

#endif
