/* What the files of expansion share: expand.c walks bodies, view.c narrows tensors, step.c makes
 * steps of launches, zero and copy. */
#ifndef RUNTIME_EXPAND_H
#define RUNTIME_EXPAND_H

#include "overlap.h"
#include "plan.h"

/* Bodies are short programs of launches; what needs more than this belongs into a kernel. */
enum { MAX_STATEMENTS = 1 << 16, MAX_DEPTH = 32, MAX_SCRATCHES = 4096 };

struct rt_expansion {
    struct ldsl_plan *plan;
    const struct rt_module *m;
    uint32_t file;
    struct rt_settings *asked;
    uint32_t statements;   /* executed so far */
    uint32_t depth;        /* of operators calling operators and of nested bodies */
    struct rt_uses before; /* of the launch before; nothing is known of zero and copy */
    bool left_out;         /* that launch has no programs, and is no step */
};

/* An operator being expanded. */
struct rt_body {
    struct rt_call *call;
    const struct ldsl_module_op *op;
    struct rt_tensor *locals; /* one per op->tensors */
};

const struct ldsl_sink *rt_expansion_sink(const struct rt_expansion *x);
/* Reports "op: name what" at a line of the operator. */
enum ldsl_status rt_body_error(const struct rt_expansion *x, const struct rt_body *f, uint32_t line,
                               const char *what, const char *name);

/* The next step uses a tensor. Reading what nobody wrote is an error of the operator. */
enum ldsl_status rt_note_use(struct rt_expansion *x, const struct rt_body *f, uint32_t line,
                             uint32_t source, bool reads, bool writes);

/* The step added last uses a scratch tensor noted before: statements that become several steps. */
void rt_note_last(struct rt_expansion *x, uint32_t source);

/* A tensor the body knows, narrowed by subscripts. */
enum ldsl_status rt_make_view(const struct rt_expansion *x, const struct rt_body *f, uint32_t line,
                              uint32_t view, struct rt_tensor *out);

/* The callee of a launch or call with its arguments in place; rt_call_destroy it even on failure. */
enum ldsl_status rt_open_call(const struct rt_expansion *x, const struct rt_body *f,
                              const struct ldsl_module_stmt *s, struct rt_call *callee,
                              const struct ldsl_module_scope *scope, uint32_t name,
                              uint32_t own_path);

enum ldsl_status rt_expand_launch(struct rt_expansion *x, const struct rt_body *f,
                                  const struct ldsl_module_stmt *s);
enum ldsl_status rt_expand_zero(struct rt_expansion *x, const struct rt_body *f,
                                const struct ldsl_module_stmt *s);
enum ldsl_status rt_expand_copy(struct rt_expansion *x, const struct rt_body *f,
                                const struct ldsl_module_stmt *s);

#endif
