/* Which calls of which operators bench, tune and test run: operators x shapes x element types. */
#ifndef LDSL_CALLS_H
#define LDSL_CALLS_H

#include "command.h"
#include "subject.h"
#include "words.h"

enum { CALLS_SHAPES = 64 };

/* What the command line says; the texts are its own. */
struct calls_options {
    struct words words; /* operators and NAME=VALUE, as they came; its owner frees it */
    const char *shapes[CALLS_SHAPES]; /* --shape, each "R=8192,D=4096" */
    unsigned shape_count;
    bool every_shape;  /* every bench clause, not only the first */
    const char *dtype; /* NULL: bf16 and f32 */
    const char *with;  /* schedule values, or NULL */
};

struct argp_state;

/* One more --shape; more than there is room for are an error of the command line. */
void calls_add_shape(struct calls_options *o, const char *shape, struct argp_state *state);

/* Reports an element type that is none: EXIT_DONE or EXIT_USAGE. */
int calls_check(struct cli *cli, const struct calls_options *o);

/* Calls visit for each call; `dtype` is what its generics were set to. One that fails does not keep
 * those of other operators from being visited, unless the operators were named. EXIT_DONE, or the
 * first other status. */
typedef int call_visit(void *user, struct trial *t, enum ldsl_dtype dtype);
int calls_each(struct cli *cli, const struct operators *ops, const struct calls_options *o,
               call_visit *visit, void *user);

/* The NAME=VALUE words that are about the trial's operator. False after reporting. */
bool calls_assign(struct cli *cli, const struct calls_options *o, struct trial *t);

/* "R=8192,D=4096" */
void call_describe_shape(char *text, size_t size, const struct trial *t);
/* SIZE_MAX: cannot be told. */
size_t host_memory_bytes(void);
/* Bytes of all tensors of the trial. */
size_t call_tensor_bytes(const struct trial *t);
/* Whether they fit this machine's memory; says so if they do not and the device is the host. */
bool call_fits(struct cli *cli, const struct operators *ops, const struct trial *t);

#endif
