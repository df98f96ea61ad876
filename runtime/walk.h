/* How variants are enumerated: variants.c takes every signature and every choice of one launch, walk.c
 * follows the bodies between. */
#ifndef RUNTIME_WALK_H
#define RUNTIME_WALK_H

#include "overlap.h"
#include "seen.h"

struct rt_walk {
    const struct rt_module *m;
    struct ldsl_context *ctx;
    void (*report)(void *user, const char *kernel, const char *variant);
    void *user;
    struct rt_seen seen;      /* "kernel bindings" */
    uint32_t sources;         /* tensors made so far: each its own source */
    struct rt_befores before; /* the launch before the next one is one of these */
    uint32_t steps, depth;
    enum ldsl_status status; /* the first failure: of memory or of a limit */
    struct ldsl_sink silent; /* a combination that cannot be is no error */
};

/* False: a limit is reached, or an earlier failure. */
bool rt_walk_step(struct rt_walk *w);

enum rt_answer { RT_NO, RT_YES, RT_MAYBE };
enum rt_answer rt_walk_ask(const struct rt_call *call, uint32_t node);
bool rt_walk_may_hold(const struct rt_call *call, struct ldsl_module_range checks);

/* Calls `go` for every value of the const parameters, from number i on, that the arguments leave open. */
void rt_walk_each_const(struct rt_walk *w, struct rt_call *call, uint32_t i,
                        void (*go)(struct rt_walk *w, struct rt_call *call, void *user),
                        void *user);
/* Reports the variants of a launch: specialize groups x covers x defaults x launches before. */
void rt_walk_each_group(struct rt_walk *w, const struct rt_launch *l);

/* Follows the body of an operator whose arguments are in place. */
void rt_walk_visit(struct rt_walk *w, struct rt_call *call, const struct ldsl_module_op *op);
/* The launch before the next one is this one. */
void rt_walk_set_before(struct rt_walk *w, const struct rt_uses *uses);

#endif
