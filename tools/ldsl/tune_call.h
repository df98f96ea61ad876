/* Tuning one call: the parent's side of tune_work.h.
 *
 * An operator may launch several kernels. Each has a search of its own, one after the other in the
 * order of the launches; what is timed is always the whole operator, with the kernels before at their
 * best and those after as they are by default. So what one kernel leaves in the caches for the next,
 * and how many partial results it makes for it, count as they do in use. */
#ifndef LDSL_TUNE_CALL_H
#define LDSL_TUNE_CALL_H

#include "attempts.h"
#include "tune_work.h"
#include "worker.h"

struct tuner {
    struct cli *cli;
    struct tune_work work; /* for the children */
    struct worker worker;
    unsigned jobs;    /* threads that compile */
    double deadline;  /* of the whole run, by tune_now; INFINITY: none */
    unsigned calls;   /* in all */
    unsigned crashes; /* children that died or hung */
    char device[32];
    json_t *names; /* of all calls: {"op", "dtype", "shape", "dims"}; owned */

    /* The call being tuned. */
    unsigned index;
    double call_deadline;
    json_t *call; /* its description */
    struct attempts tried;
    char why[256]; /* the last failure */
};

/* What came out. */
struct tuned_call {
    bool failed; /* nothing works: `why` says what happened to the defaults */
    char why[256];
    double default_seconds,
        seconds;           /* the operator by default, and as the records say; INFINITY: not */
    unsigned tried, wrong; /* settings that were timed; of these, fast ones with wrong results */
    char *with;            /* the winner; "": the defaults */
    json_t *records; /* arrays of nine fields; those of kernels with nothing to choose left out */
};

double tune_now(void);

/* Tunes call t->index, which the child describes next. False: no child can be started any more, which
 * was reported. tuned_call_destroy either way. */
bool tune_call(struct tuned_call *out, struct tuner *t);
void tuned_call_destroy(struct tuned_call *c);

#endif
