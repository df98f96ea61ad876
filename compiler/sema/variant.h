/* The bindings that make one variant of a kernel: which there are, what they may be, their defaults. */
#ifndef SEMA_VARIANT_H
#define SEMA_VARIANT_H

#include "sema/internal.h"

enum slot_kind {
    SLOT_GENERIC, /* value: an element type */
    SLOT_CONST,   /* a const parameter */
    SLOT_PRESENT, /* "w?": 0 or 1 */
    SLOT_SAME,  /* "same.dx": number of the parameter whose tensor dx is; bound only if asked for */
    SLOT_READY, /* "ready.x": 1: the launch before leaves x alone; bound only if asked for */
    SLOT_SPECIALIZE, /* "specialize.0": 0 or 1 */
    SLOT_META,
    SLOT_FIT, /* "fit.c": the cover of an axis declared `tile fit(...)` */
    SLOT_TUNE,
    SLOT_SCHEDULE, /* a schedule value that `tune` does not list: bound only if somebody sets it */
    SLOT_PARTS     /* "parts.p": bound only if asked for */
};

enum tune_kind { TUNE_NUMBER, TUNE_BOOL, TUNE_WORD };

struct slot {
    enum slot_kind kind;
    const char *name;
    union {
        const struct ast_generic *generic;
        const struct ast_param *param;
        const struct ast_meta *meta;
        const struct ast_tune *tune;
        const struct ast_group *group;
        const struct expr *fit; /* the argument */
        const struct schedule_word *word;
    };
};

/* A row of ldsl/schedule.h. */
struct schedule_word {
    const char *name;
    int64_t least, most;
};

typedef VEC(struct slot) slots;

/* In canonical order. */
void slots_of(struct sema_module *m, const struct item *kernel, slots *out);

/* What conditions of `where` and of defaults call the truth that a group of `specialize` holds. */
#define WORD_SPECIALIZED "specialized"

enum tune_kind tune_kind(struct sema_module *m, const struct ast_tune *t);
/* The value of a tuned number, bool or word as a binding; false after reporting. */
bool tune_value(const struct const_scope *scope, const struct ast_tune *t, const struct expr *x,
                int64_t *out);
/* True if the value is among the choices. */
bool tune_has(const struct const_scope *scope, const struct ast_tune *t, int64_t value);
/* The schedule value of that name, or NULL. */
const struct schedule_word *find_schedule_word(const char *name);
/* The value that a default gives it; false after reporting. */
bool schedule_value(const struct const_scope *scope, const struct schedule_word *word,
                    const struct expr *x, int64_t *out);
/* True for those, and for names that are reserved for the schedules of matrix kernels. */
bool is_schedule_name(const char *name);

/* A scope for compile-time expressions of the kernel's header: const parameters, meta and tune
 * values by the bindings so far, dims by those given; scalars are unknown. */
struct header_scope {
    struct sema_module *m;
    const struct item *kernel;
    const struct bindings *bindings, *given;
};
struct const_scope header_const_scope(struct header_scope *h);

/* Fills in what `given` leaves out, as sema_parse_bindings says. False after reporting. */
bool complete_bindings(struct sema_module *m, const struct item *kernel,
                       const struct bindings *given, const struct sema_device *device,
                       struct bindings *out);

/* True for a dim of the kernel's tensors. */
bool is_kernel_dim(const struct item *kernel, const char *name);

/* The element type of a const parameter that is no enum. */
bool const_param_elem(const struct ast_param *p, enum ir_elem *elem);
/* True if the value, as a binding, is one that the const parameter lists. */
bool is_const_choice(struct sema_module *m, const struct ast_param *p, int64_t value);

/* The kernel of that name; NULL after reporting. */
struct sema_item *find_kernel(struct sema_module *m, const char *name);

#endif
