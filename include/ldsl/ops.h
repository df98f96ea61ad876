/* What an operator is: its parameters, types, options and links, as declared in its .ldsl file. */
#ifndef LDSL_OPS_H
#define LDSL_OPS_H

#include <ldsl/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ldsl_param_role { LDSL_PARAM_INPUT, LDSL_PARAM_MUT, LDSL_PARAM_OUTPUT };
enum ldsl_param_kind { LDSL_KIND_TENSOR, LDSL_KIND_SCALAR, LDSL_KIND_ENUM };

typedef struct ldsl_op_param {
    const char *name;
    enum ldsl_param_role role;
    enum ldsl_param_kind kind;
    bool is_const; /* each value is a variant */
    bool optional; /* tensor marked ? */
    bool has_default;
    const char *generic; /* element type is this generic; NULL: dtype */
    enum ldsl_dtype dtype;
    uint32_t rank;                   /* tensors */
    const char *dims[LDSL_MAX_RANK]; /* each dim as written: "R", "2 * F" */
    double default_number;           /* scalars; enums: position of the default */
    int64_t default_integer;
    uint32_t choice_count; /* const: the closed set of values */
    const char *enum_name;
    const char *sample; /* how tests fill it, as written: "randint(0, V)"; NULL: normal values */
} ldsl_op_param;

typedef struct ldsl_op_info {
    const char *name;
    const char *summary;    /* first sentence of the doc comment */
    const char *doc;        /* all of it */
    const char *path;       /* file it comes from */
    const char *grad, *ref; /* linked operators, or NULL */
    uint32_t param_count;   /* inputs then outputs */
    uint32_t generic_count;
    uint32_t dim_count;   /* named dims: R, D ... */
    uint32_t bench_count; /* model-sized shapes declared with `bench` */
} ldsl_op_info;

LDSL_API bool ldsl_op_find(const ldsl_library *lib, const char *name, ldsl_op_info *info);
LDSL_API bool ldsl_op_get_param(const ldsl_library *lib, const char *op, uint32_t i,
                                ldsl_op_param *param);
/* Choice c of a const parameter: its value, and its word if it is an enum. */
LDSL_API bool ldsl_op_choice(const ldsl_library *lib, const char *op, uint32_t param, uint32_t c,
                             int64_t *value, const char **word);
/* Generic g: its name and the dtypes it may take (at most LDSL_DTYPE_COUNT). */
LDSL_API const char *ldsl_op_generic(const ldsl_library *lib, const char *op, uint32_t g,
                                     enum ldsl_dtype *dtypes, uint32_t *count);
LDSL_API const char *ldsl_op_dim(const ldsl_library *lib, const char *op, uint32_t i);
/* Value of dim `name` in bench shape b; false if that shape does not set it. */
LDSL_API bool ldsl_op_bench(const ldsl_library *lib, const char *op, uint32_t b, const char *name,
                            int64_t *value);

/* Calls report for every binary the operator can need (ldsl variants): kernel and bindings text. */
LDSL_API enum ldsl_status
ldsl_op_variants(ldsl_library *lib, const char *op,
                 void (*report)(void *user, const char *kernel, const char *variant), void *user);

/* The sources of the built-in operators: path below the library's root ("norm/rms_norm.ldsl"), NULL
 * past the end, and text (NUL terminated). Static storage. As ldsl_source.path, LDSL_BUILTIN_ROOT
 * goes before it. */
#define LDSL_BUILTIN_ROOT "ldsl:"
LDSL_API const char *ldsl_builtin_path(uint32_t i);
LDSL_API const char *ldsl_builtin_text(uint32_t i, size_t *length);

#ifdef __cplusplus
}
#endif
#endif
