/* Host expressions: the evaluator of an operator's dims, conditions and lets.
 *
 * A frame is a kernel or operator with what is known of its symbols and tensors. The caller owns
 * its arrays. Evaluating changes nothing, allocates nothing, and ends: an expression's cost is
 * bounded (ldsl/module.h). */
#ifndef RUNTIME_HOST_H
#define RUNTIME_HOST_H

#include "device.h"
#include "module.h"
#include "tensor.h"

/* A host value: an integer (booleans are 0 and 1, enums positions, generics dtype numbers) or a
 * float. */
struct rt_value {
    bool known;
    bool is_float;
    union {
        int64_t i;
        double f;
    };
};

static inline struct rt_value rt_value_int(int64_t i)
{
    return (struct rt_value){.known = true, .i = i};
}

static inline struct rt_value rt_value_float(double f)
{
    return (struct rt_value){.known = true, .is_float = true, .f = f};
}

struct rt_frame {
    const struct rt_module *m;
    const struct ldsl_module_scope *scope;
    struct rt_value *values;   /* one per symbol of the scope */
    struct rt_tensor *tensors; /* one per param of the scope; scalars' are unused */
    const struct rt_device_info *device;
};

enum rt_eval {
    RT_EVAL_OK,
    RT_EVAL_UNKNOWN, /* needs a symbol or tensor nothing is known of */
    RT_EVAL_FAULT    /* overflow, division by zero */
};

struct rt_fault {
    const char *why; /* "division by zero"; UNKNOWN: the symbol's name, or NULL */
    uint32_t line;
};

/* The value of a node of the frame's scope. `fault` may be NULL. */
enum rt_eval rt_host_eval(const struct rt_frame *frame, uint32_t node, struct rt_value *out,
                          struct rt_fault *fault);

/* The same as an integer or a truth value: floats are truncated, UNKNOWN if they do not fit. */
enum rt_eval rt_host_eval_int(const struct rt_frame *frame, uint32_t node, int64_t *out,
                              struct rt_fault *fault);

/* node = k * symbol + b, when it is so: the symbol is unknown, the rest known. */
bool rt_host_linear(const struct rt_frame *frame, uint32_t node, uint32_t symbol, int64_t *k,
                    int64_t *b);

/* The symbols of the frame that the node needs and that are not known: how many, and one of them.
 */
uint32_t rt_host_unknowns(const struct rt_frame *frame, uint32_t node, uint32_t *symbol);

/* A value as a dtype holds it: rounded, wrapped, saturated. */
struct rt_value rt_value_cast(struct rt_value v, enum ldsl_dtype dtype);
/* Its bits in the low bytes of a kernel slot. */
uint64_t rt_value_bits(struct rt_value v, enum ldsl_dtype dtype);
/* Exactly representable in the dtype? */
bool rt_value_fits(struct rt_value v, enum ldsl_dtype dtype);

/* The smallest cover >= extent, and the i-th cover; 0: there is none. */
int64_t rt_fit_cover(int64_t extent);
int64_t rt_fit_rung(uint32_t i);
/* What bucket(extent) gives: the power of two at or above. */
int64_t rt_bucket(int64_t extent);

#endif
