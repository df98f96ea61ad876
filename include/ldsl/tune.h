/* Tuning: records of what was measured to be fastest, and the search that finds it.
 *
 * A plan takes the tuned values of each launch from the records that its context found: the user's
 * file first, then those that came with the library. `ldsl tune` makes records; docs/tuning.md
 * describes how, and their file.
 *
 * Threads: a set of records and a search are used by one thread at a time. */
#ifndef LDSL_TUNE_H
#define LDSL_TUNE_H

#include <ldsl/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- records --------------------------------------------------------------------------------- */

/* What one kernel should be launched with. Texts have no line ends and no " | " inside. */
typedef struct ldsl_record {
    const char *op;     /* the operator whose body launches the kernel */
    const char *kernel; /* its name in its own file */
    const char
        *variant;    /* what the arguments decide of its variant: "T=bf16,specialize.0=1,BD=4096" */
    const char *key; /* the values of the operator's key clause: "4096,8192,bf16" */
    const char *shape;    /* the sizes it was measured at: "R=8192,D=4096" */
    const char *device;   /* "NVIDIA H200" */
    const char *target;   /* "nvptx:sm_90a" */
    const char *hash;     /* of the kernel's code: of no use for other code */
    const char *settings; /* "BR=1,num_warps=8"; "" sets nothing */
    double time_us;       /* of the whole operator with these settings */
} ldsl_record;

typedef struct ldsl_records ldsl_records;

LDSL_API enum ldsl_status ldsl_records_create(ldsl_records **out);
LDSL_API void ldsl_records_destroy(ldsl_records *records); /* NULL is fine */

/* Adds the records of a file; one that is not there has none. Lines that are none are warnings. Of
 * two records for the same thing the faster one stays, of two that are equally fast the one whose
 * settings come first in order: so the result does not depend on the order of merging. */
LDSL_API enum ldsl_status ldsl_records_read(ldsl_records *records, const char *path,
                                            const struct ldsl_sink *sink);
LDSL_API enum ldsl_status ldsl_records_read_text(ldsl_records *records, const char *path,
                                                 const char *text, size_t length,
                                                 const struct ldsl_sink *sink);
/* Adds what was just measured (copied): it replaces what there is for the same thing, of whatever
 * code. */
LDSL_API enum ldsl_status ldsl_records_put(ldsl_records *records, const ldsl_record *record);

/* In order; valid until the set changes. */
LDSL_API uint32_t ldsl_records_count(const ldsl_records *records);
LDSL_API bool ldsl_records_get(const ldsl_records *records, uint32_t i, ldsl_record *record);

/* Merges what was put into the file: those of others who write it at the same time stay. It is
 * replaced as a whole, and made with its folders if it is not there. */
LDSL_API enum ldsl_status ldsl_records_save(ldsl_records *records, const char *path,
                                            const struct ldsl_sink *sink);

/* The user's file: $LDSL_RECORDS, else ldsl/tuned.records in the user's data folder. Returns the
 * length of the whole text, as snprintf does; 0: there is none ("none", or no home). */
LDSL_API size_t ldsl_records_path(char *buffer, size_t size);
/* The records that came with the library: "" if there are none. Static storage. */
LDSL_API const char *ldsl_builtin_records(size_t *length);

/* ---- what may be chosen ---------------------------------------------------------------------- */

/* A value of a launch that tuning may choose. Valid as long as the plan. */
typedef struct ldsl_tunable {
    const char *name;
    const int64_t *values; /* the kernel's own list, or what is worth trying (ldsl/schedule.h) */
    uint32_t value_count;
    bool is_listed;  /* by the kernel: it has one of the values in any case */
    bool is_set;     /* it has one in this plan, */
    int64_t current; /* this one */
} ldsl_tunable;

/* Tunable i of a kernel launch of the plan; false past the last. Values that mean nothing to the
 * device are left out. */
LDSL_API bool ldsl_plan_tunable(const ldsl_plan *plan, uint32_t launch, uint32_t i,
                                ldsl_tunable *out);
/* The record that the launch would be found by, with the settings that it has now and no time. Valid
 * as long as the plan. */
LDSL_API bool ldsl_plan_record(const ldsl_plan *plan, uint32_t launch, ldsl_record *out);
/* Whether the settings come from a record. */
LDSL_API bool ldsl_plan_is_tuned(const ldsl_plan *plan, uint32_t launch);
/* A number for the machine code of all launches, and how many programs they have: plans that have it
 * in common do the same work. */
LDSL_API uint64_t ldsl_plan_code(const ldsl_plan *plan);

/* ---- the search ------------------------------------------------------------------------------ */

/* Asks for candidates in rounds; every candidate of a round is told its time (in any order), then
 * comes the next round. Begins with the current values. Small spaces are walked whole; large ones one
 * value after the other, until a whole turn brings nothing. Of candidates whose times differ by less
 * than the noise (1 %) the one asked for first stays, so that equal machines agree. */
typedef struct ldsl_search ldsl_search;

/* The tunables are copied, their names and values are not: the plan they are of outlives the search. */
LDSL_API enum ldsl_status ldsl_search_create(ldsl_search **out, const ldsl_tunable *tunables,
                                             uint32_t count);
LDSL_API void ldsl_search_destroy(ldsl_search *search); /* NULL is fine */

/* Begins a round. How many candidates it has; 0: the search is over. */
LDSL_API uint32_t ldsl_search_round(ldsl_search *search);
/* The settings of candidate i of the round, valid until the next: "BR=1,num_warps=8". */
LDSL_API const char *ldsl_search_settings(const ldsl_search *search, uint32_t i);
/* Its time in any unit; INFINITY: it does not work. */
LDSL_API void ldsl_search_tell(ldsl_search *search, uint32_t i, double time);
/* The best so far and its time, INFINITY if nothing worked; valid until the next call of tell. */
LDSL_API const char *ldsl_search_best(ldsl_search *search, double *time);

/* ---- timing ---------------------------------------------------------------------------------- */

/* Times `work`, which enqueues launches and copies on a stream, `count` times by the device's own
 * clock. Where the device has graphs the work is captured once and replayed. Ahead of each time
 * `before` (may be NULL) enqueues what is not timed: flushing caches, restoring what the work
 * overwrites. */
LDSL_API enum ldsl_status ldsl_device_time(ldsl_context *ctx,
                                           enum ldsl_status (*before)(void *user, void *stream),
                                           enum ldsl_status (*work)(void *user, void *stream),
                                           void *user, double *seconds, uint32_t count);

/* What launching a plan costs the host, in seconds a launch: *ours is ldsl_plan_launch, *bare the same
 * launches by calls of the driver with everything prepared. Both are the best of many short series,
 * taken in turn on the default stream; the device's work is not in them. LDSL_UNSUPPORTED where the
 * device has no driver. The plan's tensors are read and written as often as it is launched. */
LDSL_API enum ldsl_status ldsl_plan_time_launch(const ldsl_plan *plan, const uint64_t *pointers,
                                                uint32_t count, uint64_t workspace, double *ours,
                                                double *bare);

#ifdef __cplusplus
}
#endif
#endif
