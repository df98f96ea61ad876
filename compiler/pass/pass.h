/* Passes over the tile IR: what there is, in which order it runs. Doorway of compiler/pass.
 *
 * A pass is `bool run(struct pass_ctx *, struct ir_func *)` and returns whether it changed anything.
 * The runner verifies after each pass, dumps on request, times, and resets the scratch arena. */
#ifndef PASS_PASS_H
#define PASS_PASS_H

#include "ir/ir.h"
#include "target/facts.h"

struct pass_ctx {
    struct session *session;
    const struct facts *facts;
};

struct pass {
    const char *name;
    bool (*run)(struct pass_ctx *ctx, struct ir_func *f);
    const char *summary;
};

struct pass_options {
    const struct facts *facts;
    const char *passes;     /* "canon,cse": run these instead of the pipeline; NULL: the pipeline */
    const char *stop_after; /* stop after the pass of this name; NULL: run all */
    /* Called before the first pass (name NULL) and after each one; may be NULL. */
    void (*dump)(void *user, const char *pass, bool changed, const struct ir_func *f);
    void (*time)(void *user, const char *pass, double seconds);
    void *user;
};

/* Runs the pipeline; false after reporting (unknown pass name; a verifier failure is a bug). */
bool pass_run(struct session *s, struct ir_func *f, const struct pass_options *options);

/* The table, for --list-passes and docs/passes.md. */
const struct pass *pass_table(uint32_t *count);

#endif
