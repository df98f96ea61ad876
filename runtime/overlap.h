/* What a launch may touch while the launch before it still runs.
 *
 * A GPU can start a launch as soon as all programs of the one before have let it; the kernel waits for
 * that one's end itself, before the first access that needs it (compiler/codegen/gpu/overlap.c). Which
 * of its tensors need no waiting its variant says, "ready.x=1": those that the launch before does not
 * write, nor read if this one writes them. Of the first launch of a plan nothing is known, nor of what
 * follows zero and copy steps: no tensor is ready, and the kernel waits at once. */
#ifndef RUNTIME_OVERLAP_H
#define RUNTIME_OVERLAP_H

#include "schedule.h"

enum { RT_MAX_USES = 255 }; /* tensors of a kernel */

struct rt_use {
    uint32_t source; /* whole tensors: two views of one may meet */
    bool writes;
};
/* The tensors of a launch; not known: anything. */
struct rt_uses {
    bool known;
    uint32_t count;
    struct rt_use list[RT_MAX_USES];
};

/* Of a kernel whose tensors are in place. */
void rt_uses_of(struct rt_uses *out, const struct rt_call *call);
/* Appends the ready tensors of a launch to its bindings, if its device can overlap launches. */
void rt_print_ready(const struct rt_call *call, const struct rt_uses *before, struct rt_text *out);

/* ---- for those who enumerate --------------------------------------------------------------------- */

/* What the launch before may be: a set. free(list). */
struct rt_befores {
    struct rt_uses *list;
    uint32_t count;
};

/* False: out of memory, and the set is as it was. */
bool rt_befores_add(struct rt_befores *set, const struct rt_uses *uses);
bool rt_befores_add_all(struct rt_befores *set, const struct rt_befores *more);

#endif
