/* Which variant of a kernel a launch takes, and how many programs it has. */
#ifndef RUNTIME_SCHEDULE_H
#define RUNTIME_SCHEDULE_H

#include "bind.h"

/* A growing text; `failed` after running out of memory. free(text.data). */
struct rt_text {
    char *data;
    size_t length, capacity;
    bool failed;
};
void rt_text_add(struct rt_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A tuned or schedule value asked for by name, "BR", or by that of a kernel and its own,
 * "rms_norm_rows.BR". */
struct rt_setting {
    const char *name;
    size_t length; /* of the name: it may stand in a longer text */
    int64_t value;
    bool used;
};
struct rt_settings {
    struct rt_setting *list;
    uint32_t count;
};

/* "BR=4,num_warps=8", as users write it. The names point into the text. free(list). */
enum ldsl_status rt_settings_parse(struct rt_settings *out, const char *text,
                                   const struct ldsl_sink *sink);

/* Where tuned values come from, the strongest first; a tuned value that none of them has takes the
 * kernel's default, a schedule value (ldsl/schedule.h) is then left to the compiler. What a record
 * says and the kernel cannot do is no error: the record is left out. */
enum rt_source {
    RT_PINNED,   /* launch ... with */
    RT_ASKED,    /* the user */
    RT_RECORDED, /* tuning */
    RT_SOURCE_COUNT
};
struct rt_sources {
    struct rt_settings *from[RT_SOURCE_COUNT]; /* NULL: none */
};

/* A launched kernel: the call is bound; `same[i]` is the parameter whose tensor parameter i shares,
 * or LDSL_NONE. */
struct rt_launch {
    struct rt_call call;
    const struct ldsl_module_kernel *kernel;
    uint32_t *same;
};

/* Is one of the two read, the other written, and both are the same view of the same tensor? */
bool rt_may_share(const struct rt_call *call, uint32_t i, uint32_t k);
/* Fills `same`: parameters that share a tensor that the launch reads and writes. */
void rt_find_shared(struct rt_launch *launch);

/* Chooses specialize group and covers (they become the call's symbols) and writes the first part of
 * the canonical bindings text: all that the arguments decide. Tuning records are filed under it. */
enum ldsl_status rt_schedule_variant(struct rt_launch *launch, struct rt_text *bindings);
/* Chooses tuned and schedule values, checks the kernel's conditions on them, completes the text, counts
 * programs. */
enum ldsl_status rt_schedule(struct rt_launch *launch, const struct rt_sources *sources,
                             struct rt_text *bindings, uint64_t *programs);

/* ---- what may be chosen -------------------------------------------------------------------------- */

/* A row of ldsl/schedule.h. */
struct rt_schedule_word {
    const char *name;
    int64_t least, most;
    const char *tries; /* numbers separated by blanks */
};
extern const struct rt_schedule_word rt_schedule_words[]; /* a NULL name ends them */
const struct rt_schedule_word *rt_schedule_find_word(const char *name, size_t length); /* or NULL */

/* The name of a launched kernel in its own file: without the path that an import puts before it. */
const char *rt_kernel_own_name(const struct rt_launch *launch);
/* The tuned value of that name which the kernel lists, or NULL. */
const struct ldsl_module_tune *rt_find_tune(const struct rt_launch *launch, const char *name,
                                            size_t length);

/* The steps of both, for those who enumerate. */
void rt_print_signature(const struct rt_launch *launch, struct rt_text *out);
void rt_print_group(const struct rt_launch *launch, uint32_t holds, struct rt_text *out);
void rt_print_symbol(const struct rt_call *call, uint32_t symbol, struct rt_text *out);
/* Appends the schedule values that a default sets without the kernel listing them. */
enum ldsl_status rt_print_default_schedule(const struct rt_launch *launch,
                                           const struct ldsl_module_default *d,
                                           struct rt_text *out);

#endif
