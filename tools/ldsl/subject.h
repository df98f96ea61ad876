/* An operator as test and bench see it: its declaration in arrays, and calls of it on host tensors.
 *
 * A subject points into its library, which outlives it. A trial owns its tensors. */
#ifndef LDSL_SUBJECT_H
#define LDSL_SUBJECT_H

#include "tensor.h"

#include <ldsl/ldsl.h>

enum { SUBJECT_GENERICS = 8, SUBJECT_DIMS = 24 };

struct subject {
    const ldsl_library *library;
    ldsl_op_info info;
    ldsl_op_param *params; /* info.param_count */
    uint32_t generic_count;
    struct {
        const char *name;
        enum ldsl_dtype dtypes[LDSL_DTYPE_COUNT];
        uint32_t count;
    } generics[SUBJECT_GENERICS];
    uint32_t dim_count;
    const char *dims[SUBJECT_DIMS];
};

/* False: no such operator, out of memory, or more generics or dims than anybody needs. */
bool subject_create(struct subject *out, const ldsl_library *library, const char *op);
void subject_destroy(struct subject *s); /* safe on a zeroed one */
const ldsl_op_param *subject_find(const struct subject *s, const char *name); /* or NULL */
uint32_t subject_find_dim(const struct subject *s, const char *name);         /* or UINT32_MAX */
uint32_t subject_find_generic(const struct subject *s, const char *name);     /* or UINT32_MAX */

/* How a tensor lies in memory. */
enum layout {
    LAYOUT_PACKED = 0,
    LAYOUT_PADDED = 1,     /* rows stand apart by an odd number of elements more than their width */
    LAYOUT_MISALIGNED = 2, /* the base is aligned to one element only */
};

enum style {
    STYLE_SAMPLE,  /* as the declaration's sample hints say */
    STYLE_EXTREMES /* the same with zeros, tiny and large numbers strewn in */
};

/* The value of one parameter in a trial. Index: as in subject.params. */
struct trial_param {
    bool absent; /* an optional tensor that is not given */
    bool given;  /* scalars and enums: false takes the default */
    bool is_integer;
    double number;
    int64_t integer;
    const char *word;
    struct tensor before; /* inputs and mut tensors: what is in them */
    struct tensor after;  /* mut tensors and outputs: what came out */
};

struct trial {
    const struct subject *subject;
    enum ldsl_dtype types[SUBJECT_GENERICS];
    int64_t dims[SUBJECT_DIMS];
    const char *with;  /* schedule values, or NULL */
    const char *parts; /* "parts=3", or NULL; more of the same */
    char fewer[64];    /* where `with` is what is left of a longer one */
    unsigned layout;   /* enum layout, or-ed */
    bool once;         /* no second run to compare with: references */
    bool graph;        /* run from a captured graph too, twice; on a device that has graphs */
    struct trial_param *params;
};

bool trial_create(struct trial *out, const struct subject *s);
void trial_destroy(struct trial *t); /* safe on a zeroed one */

enum ldsl_dtype trial_dtype(const struct trial *t, uint32_t param);
/* The shape of a tensor parameter from the trial's dims; false if a dim cannot be told. */
bool trial_shape(const struct trial *t, uint32_t param, int64_t shape[LDSL_MAX_RANK]);
/* Elements of the largest tensor; SIZE_MAX: cannot be told. */
size_t trial_elements(const struct trial *t);

/* Makes the tensors of the trial's shapes and fills those that are read. False with a reason. */
bool trial_fill(struct trial *t, enum style style, uint64_t seed, struct tensor_error *error);
/* Fills one tensor as the parameter's hint says. */
bool trial_sample(struct tensor *out, const struct trial *t, uint32_t param, uint64_t seed,
                  struct tensor_error *error);
/* The value of a scalar as its hint says; false: it has none. */
bool trial_sample_scalar(struct trial *t, uint32_t param, uint64_t seed);

/* Prepares the trial's plan; every generic is bound by name, outputs are passed with their strides. */
enum ldsl_status trial_prepare(ldsl_plan **out, const struct trial *t, ldsl_library *library);

/* Runs the trial on a device: guard bands around every buffer, results and workspace poisoned
 * beforehand, all of it twice. LDSL_OK with *wrong empty: the results are in params[].after. LDSL_OK
 * with a text: the operator wrote where it may not, or another run gave other bits. Else the library's
 * status. */
enum ldsl_status trial_run(struct trial *t, ldsl_context *ctx, ldsl_library *library,
                           struct tensor_error *wrong);

#endif
