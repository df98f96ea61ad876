/* The rows of builtins.def and the functions that elaborate them. */
#ifndef SEMA_BUILTIN_H
#define SEMA_BUILTIN_H

#include "sema/elab.h"

struct builtin {
    const char *name;
    struct value (*call)(struct elab *e, const struct expr *x, const struct builtin *row);
    uint32_t least, most;
    int what;
};

typedef struct value builtin_call(struct elab *e, const struct expr *x, const struct builtin *row);

builtin_call builtin_float_math, builtin_absolute, builtin_sigmoid, builtin_is_nan,
    builtin_float_pair, builtin_fused, builtin_cdiv, builtin_bitcast, builtin_min_max,
    builtin_reduction, builtin_count, builtin_arg_best, builtin_combine, builtin_running,
    builtin_dot, builtin_not_yet, builtin_element, builtin_relabel, builtin_load, builtin_store,
    builtin_atomic_add, builtin_elsewhere;

/* "exp wants a float, not i32": returns poison. */
struct value wants(struct elab *e, struct span at, const char *name, const char *wanted,
                   const struct ir_value *got);

#endif
