/* A call with its tensors on the device, ready to be timed. */
#ifndef LDSL_LOADED_H
#define LDSL_LOADED_H

#include "command.h"
#include "subject.h"

/* Memory larger than any cache of the device: writing through it leaves nothing of a call there. */
struct flush {
    ldsl_buffer *buffer;
    size_t bytes, part; /* the first part is copied to all others */
};
enum ldsl_status flush_create(struct flush *out, ldsl_context *context);
void flush_destroy(struct flush *flush);
enum ldsl_status flush_run(const struct flush *flush, ldsl_context *context, void *stream);

struct loaded {
    ldsl_context *context;
    const struct flush *flush;
    ldsl_plan *plan; /* the caller's; exchangeable for another of the same call: loaded_use */
    uint32_t count;
    ldsl_buffer **buffers;
    ldsl_buffer **before; /* of tensors that are read and written: what was in them; else NULL */
    size_t *tensor_bytes;
    uint64_t *pointers;
    ldsl_buffer *workspace;
    size_t workspace_bytes;
    size_t bytes; /* that must move: inputs once, outputs once, mut both ways */
};

enum { LOADED_SEED = 1 }; /* where nobody asks for another */

/* Makes and fills the tensors of the plan, one of trial t. loaded_destroy is safe either way, and
 * leaves the plan to the caller. */
enum ldsl_status loaded_create(struct loaded *out, struct cli *cli, const struct operators *ops,
                               const struct trial *t, uint64_t seed, ldsl_plan *plan,
                               const struct flush *flush);
void loaded_destroy(struct loaded *l);
/* Launches mean this plan from now on. */
enum ldsl_status loaded_use(struct loaded *l, ldsl_plan *plan);

/* For ldsl_device_time; user: the struct loaded. */
enum ldsl_status loaded_before(void *user, void *stream); /* tensors restored, caches flushed */
enum ldsl_status loaded_launch(void *user, void *stream);

/* Fills a buffer with bits that no operator reads. */
enum ldsl_status fill_bits(ldsl_buffer *buffer, size_t bytes);

#endif
