/* Binding: from tensors and values given to a kernel or operator to the values of its symbols.
 *
 * Operators called by users, operators called by operators and launched kernels all bind the same
 * way: types first, then dims, then defaults, then the conditions it requires. */
#ifndef RUNTIME_BIND_H
#define RUNTIME_BIND_H

#include "host.h"
#include "internal.h"

/* A kernel or operator with its arguments. The frame's arrays are the call's own. */
struct rt_call {
    struct rt_frame frame;
    const struct ldsl_sink *sink;
    const char *name; /* for messages: "rms_norm", "kernel rms_norm_rows" */
    const char *path; /* where it is launched from; NULL: by the user */
    uint32_t line;
    const char *own_path;    /* where its conditions are written */
    struct rt_value *values; /* = frame.values */
    struct rt_tensor *tensors;
    uint32_t *bound_by;           /* per symbol: the param that gave a dim or type its value */
    void *memory;                 /* the one block behind the arrays */
    const struct rt_call *caller; /* its generics stand in by name; may be NULL */
};

enum ldsl_status rt_call_init(struct rt_call *call, const struct rt_module *m,
                              const struct ldsl_module_scope *scope,
                              const struct rt_device_info *device, const struct ldsl_sink *sink);
void rt_call_destroy(struct rt_call *call);

/* Reports at the place of the call; returns status. */
enum ldsl_status rt_call_error(const struct rt_call *call, enum ldsl_status status,
                               const char *format, ...) __attribute__((format(printf, 3, 4)));
/* An expression of the call's scope as a value; reports faults and what is unknown. */
enum ldsl_status rt_call_eval(const struct rt_call *call, uint32_t node, struct rt_value *out);
enum ldsl_status rt_call_eval_int(const struct rt_call *call, uint32_t node, int64_t *out);

const char *rt_call_param_name(const struct rt_call *call, uint32_t param); /* within the scope */

/* Gives a scalar, const or enum parameter its value: converted exactly, or refused. */
enum ldsl_status rt_bind_value(struct rt_call *call, uint32_t param, struct rt_value value);

/* Tensors and given scalars are in place; binds everything else. Tensors that are present but not
 * laid out (outputs the user left out) get their dtype, shape and contiguous strides. */
enum ldsl_status rt_bind(struct rt_call *call, struct ldsl_module_range requires);

/* The parts of rt_bind that variants.c needs by themselves. */
enum ldsl_status rt_bind_generics(struct rt_call *call);

#endif
