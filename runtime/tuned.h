/* A launch as tuning knows it: what its record is filed under, what may be chosen, what was.
 *
 * The records of a context are read when the first launch asks for one, and shared by all threads. */
#ifndef RUNTIME_TUNED_H
#define RUNTIME_TUNED_H

#include "records.h"
#include "schedule.h"

struct rt_tuned {
    const char *op, *kernel, *hash; /* in the module image */
    char *variant, *key, *shape;    /* owned, as the rest */
    char *settings;                 /* what was chosen */
    bool from_record;
    bool wants_tuning; /* something may be chosen, and neither a record nor the user chose it */
    struct ldsl_tunable *tunables;
    uint32_t tunable_count;
    int64_t *numbers; /* values of tunables that the kernel does not list */
};

/* Of a launch whose variant is chosen (rt_schedule_variant), in the body of `op`, whose call is
 * `caller`. NULL after reporting: out of memory. */
struct rt_tuned *rt_tuned_create(const struct rt_launch *launch, const char *variant,
                                 const struct rt_call *caller, const struct ldsl_module_op *op);
void rt_tuned_destroy(struct rt_tuned *tuned); /* NULL is fine */
/* Once its settings are chosen: `settings` is the rest of the bindings text. False: out of memory. */
bool rt_tuned_finish(struct rt_tuned *tuned, const struct rt_launch *launch, const char *settings);

/* ---- the records of a context ------------------------------------------------------------------ */

struct rt_tuning;

/* options: records_path, no_records and what comes with them. */
enum ldsl_status rt_tuning_create(struct rt_tuning **out, const ldsl_context_options *options,
                                  const struct ldsl_sink *sink);
void rt_tuning_destroy(struct rt_tuning *tuning); /* NULL is fine */

/* The settings of the best record for a launch, malloc'ed; NULL: there is none. Best is: made on such
 * a device rather than on one with the same target, at this very shape rather than in its bucket, by
 * the user rather than by the library's makers. */
char *rt_tuning_find(struct ldsl_context *ctx, const struct rt_tuned *tuned);
/* Keeps a new record, and writes it to the user's file unless the context only reads it. */
void rt_tuning_put(struct ldsl_context *ctx, const ldsl_record *record);

/* Only one thread measures at a time. */
void rt_tuning_lock(struct ldsl_context *ctx);
void rt_tuning_unlock(struct ldsl_context *ctx);

void rt_tuned_record(const struct ldsl_context *ctx, const struct rt_tuned *tuned,
                     ldsl_record *out);

#endif
