/* Module images: the op layer of one source file in compiled form. What the compiler hands to the
 * runtime for everything that is not machine code: signatures of kernels and operators, host
 * expressions, operator bodies.
 *
 * An image is one relocatable block, 8-byte aligned: a header, then tables of fixed-size records
 * that refer to each other by 32-bit index. Texts are offsets into the TEXT table (0: no text).
 * LDSL_NONE stands for "no index". Numbers are in the byte order of the machine that wrote it.
 *
 * Kernels and operators each own a *scope*: consecutive ranges of the node, symbol, generic and
 * param tables. Whatever belongs to a kernel or operator refers only into its own scope, by
 * absolute index. A node's operands stand before it.
 *
 * Readers trust nothing: runtime/module.c checks every index before anybody uses the image. */
#ifndef LDSL_MODULE_H
#define LDSL_MODULE_H

#include <ldsl/dtype.h>
#include <ldsl/ops.h>
#include <stdint.h>

#define LDSL_MODULE_MAGIC   0x4d53444cu /* "LDSM" where the low byte comes first */
#define LDSL_MODULE_VERSION 2u
#define LDSL_NONE           UINT32_MAX

/* Consecutive records of a table. */
struct ldsl_module_range {
    uint32_t first, count;
};

/* ---- host expressions --------------------------------------------------------------------------
 */

/* Values are integers (I64: dims, indices, enum positions, dtype numbers; or a narrower integer
 * type), booleans or floats (F32 results are rounded to it, F64). */

/* clang-format off */
/*     NAME       operands */
#define LDSL_HOST_LIST(X) \
    X(INT,    0) /* value.i */                                          \
    X(FLOAT,  0) /* value.f */                                          \
    X(SYMBOL, 0) /* n: symbol */                                        \
    X(HAS,    0) /* n: param; true if the optional tensor is given */   \
    X(PACKED, 0) /* n: param; strides are the products of the dims */   \
    X(ALIGN,  1) /* n: param, a: bytes; base and rows are so aligned */ \
    X(DEVICE, 0) /* n: enum ldsl_device_fact */                         \
    X(NEG,    1) X(NOT,    1) X(INVERT, 1)                              \
    X(CAST,   1) /* to the node's dtype; floats saturate, NaN gives 0 */\
    X(ABS,    1) X(FLOOR,  1) X(CEIL,   1) X(ROUND,  1) X(TRUNC,  1)    \
    X(SQRT,   1) X(EXP,    1) X(EXP2,   1) X(LOG,    1) X(LOG2,   1)    \
    X(FIT,    1) /* smallest legal cover */                             \
    X(BUCKET, 1) /* power-of-two class */                               \
    X(ADD,    2) X(SUB,    2) X(MUL,    2) X(DIV,    2) X(REM,    2)    \
    X(SHL,    2) X(SHR,    2)                                           \
    X(LT,     2) X(GT,     2) X(LE,     2) X(GE,     2)                 \
    X(EQ,     2) X(NE,     2)                                           \
    X(BIT_AND,2) X(BIT_OR, 2) X(BIT_XOR,2)                              \
    X(AND,    2) X(OR,     2) /* the second is not evaluated in vain */ \
    X(MIN,    2) X(MAX,    2) X(CDIV,   2) X(POW,    2)                 \
    X(COND,   3) /* a ? b : c */

#define LDSL_DEVICE_FACT_LIST(X) \
    X(SM_COUNT, "sm_count") X(SMEM, "smem") X(CC, "cc") X(LANES, "lanes") X(IS_GPU, "is_gpu") \
    X(CLUSTERS_OF_2, "clusters_of_2") X(CLUSTERS_OF_4, "clusters_of_4")                       \
    X(CLUSTERS_OF_8, "clusters_of_8")
/* clang-format on */

enum ldsl_host_op {
#define X(name, operands) LDSL_HOST_##name,
    LDSL_HOST_LIST(X)
#undef X
        LDSL_HOST_COUNT
};

enum ldsl_device_fact {
#define X(name, text) LDSL_DEVICE_##name,
    LDSL_DEVICE_FACT_LIST(X)
#undef X
        LDSL_DEVICE_FACT_COUNT
};

/* An expression's `cost` is 1 + the costs of its operands: evaluating takes at most that many
 * steps and that much depth. */
#define LDSL_HOST_MAX_COST 4096u

struct ldsl_module_node {
    uint8_t op;    /* enum ldsl_host_op */
    uint8_t dtype; /* enum ldsl_dtype of the result */
    uint16_t unused;
    uint32_t cost;
    uint32_t n;       /* leaf operand: see the list */
    uint32_t a, b, c; /* operand nodes */
    uint32_t line;    /* where it is written */
    uint32_t unused2;
    union {
        int64_t i;
        double f;
    } value;
};

/* What fit(d) gives: 16, then {1, 1.25, 1.5, 1.75} x powers of two up to LDSL_FIT_MAX; the smallest
 * that is >= d. */
#define LDSL_FIT_MIN 16
#define LDSL_FIT_MAX 65536

enum ldsl_symbol_kind {
    LDSL_SYMBOL_DIM,     /* bound by tensor shapes */
    LDSL_SYMBOL_SCALAR,  /* a scalar parameter */
    LDSL_SYMBOL_CONST,   /* a const parameter */
    LDSL_SYMBOL_GENERIC, /* enum ldsl_dtype */
    LDSL_SYMBOL_LET,
    LDSL_SYMBOL_LOOP,
    LDSL_SYMBOL_META,
    LDSL_SYMBOL_TUNE,
    LDSL_SYMBOL_KIND_COUNT
};

struct ldsl_module_symbol {
    uint32_t name;
    uint8_t kind;  /* enum ldsl_symbol_kind */
    uint8_t dtype; /* enum ldsl_dtype */
    uint16_t unused;
};

/* ---- signatures --------------------------------------------------------------------------------
 */

struct ldsl_module_generic {
    uint32_t name;
    uint32_t dtypes; /* bit d: enum ldsl_dtype d is allowed; never 0 */
    uint32_t symbol; /* LDSL_SYMBOL_GENERIC */
};

enum ldsl_module_param_flag {
    LDSL_MODULE_CONST = 1,
    LDSL_MODULE_OPTIONAL = 2,
    LDSL_MODULE_STRIDED = 4 /* the inner stride may differ from 1 */
};

struct ldsl_module_param {
    uint32_t name;
    uint8_t role; /* enum ldsl_param_role; outputs of a kernel are its `out` tensors */
    uint8_t kind; /* enum ldsl_param_kind */
    uint8_t dtype;
    uint8_t flags;
    uint32_t generic;                 /* index of the element type, or LDSL_NONE: dtype */
    uint32_t symbol;                  /* scalars and enums: their value; tensors: LDSL_NONE */
    uint32_t default_node;            /* LDSL_NONE: none */
    uint32_t enumeration;             /* LDSL_KIND_ENUM: index into enums; else LDSL_NONE */
    uint32_t sample;                  /* text */
    struct ldsl_module_range dims;    /* tensors: rank of them, at most LDSL_MAX_RANK */
    struct ldsl_module_range choices; /* const: into values */
};

/* One dim of a tensor: its value, and how it is written. */
struct ldsl_module_dim {
    uint32_t node, text;
};

struct ldsl_module_enum {
    uint32_t name;
    struct ldsl_module_range words; /* into indices: text offsets */
};

/* A condition that must hold (require, where), or a specialize group. */
struct ldsl_module_check {
    uint32_t node;
    uint32_t text;    /* as written */
    uint32_t message; /* 0: none */
    uint32_t line;
};

struct ldsl_module_scope {
    struct ldsl_module_range nodes, symbols, generics, params;
};

/* ---- kernels -----------------------------------------------------------------------------------
 */

/* A derived compile-time value: meta BD = fit(D), or an axis's own `tile fit(D)` ("fit.c"). */
struct ldsl_module_meta {
    uint32_t symbol, node;
};

struct ldsl_module_tune {
    uint32_t symbol;
    struct ldsl_module_range values; /* into values; at least one */
};

struct ldsl_module_setting {
    uint32_t name; /* text */
    uint32_t node;
};

struct ldsl_module_default {
    uint32_t where; /* node, or LDSL_NONE: always */
    uint32_t line;
    struct ldsl_module_range settings;
};

/* One grid axis: ceil(extent / tile) programs. */
struct ldsl_module_grid {
    uint32_t name;
    uint32_t extent; /* node: hi - lo, or the bound */
    uint32_t tile;   /* node */
};

struct ldsl_module_kernel {
    struct ldsl_module_scope scope;
    uint32_t name; /* as the compiler knows it in this file */
    uint32_t path, line;
    uint32_t hash; /* text: what its code depends on; tuning records carry it */
    struct ldsl_module_range requires, groups, metas, tunes, wheres, defaults, grids;
    struct ldsl_module_range parts; /* into indices: names of part axes, bound as "parts.NAME" */
};

/* ---- operators ---------------------------------------------------------------------------------
 */

enum ldsl_tensor_kind { LDSL_TENSOR_PARAM, LDSL_TENSOR_SCRATCH, LDSL_TENSOR_VIEW };

/* A tensor an operator's body has a name for. */
struct ldsl_module_tensor {
    uint32_t name;
    uint8_t kind;  /* enum ldsl_tensor_kind */
    uint8_t dtype; /* SCRATCH */
    uint16_t unused;
    uint32_t generic;              /* SCRATCH: index of the element type, or LDSL_NONE: dtype */
    uint32_t param;                /* PARAM */
    uint32_t rank;                 /* VIEW: rank of what it shows */
    struct ldsl_module_range dims; /* SCRATCH */
};

/* x[lo .. hi] keeps the dim, x[lo] (hi LDSL_NONE) drops it. */
struct ldsl_module_sub {
    uint32_t lo, hi; /* nodes */
};

/* A tensor, narrowed: subs apply to the leading dims. */
struct ldsl_module_view {
    uint32_t tensor;
    struct ldsl_module_range subs;
};

enum ldsl_arg_kind { LDSL_PASS_ABSENT, LDSL_PASS_TENSOR, LDSL_PASS_VALUE };

/* What a launch or call passes for one parameter of the callee. */
struct ldsl_module_arg {
    uint32_t kind;  /* enum ldsl_arg_kind */
    uint32_t index; /* TENSOR: view; VALUE: node */
};

/* clang-format off */
/*     NAME        a        b        c        d     first             second */
#define LDSL_STMT_LIST(X) \
    X(LET)     /*  symbol   node                                             */ \
    X(SCRATCH) /*  tensor                                                    */ \
    X(VIEW)    /*  tensor   view                                             */ \
    X(LAUNCH)  /*  kernel                           args, one a param  settings (with) */ \
    X(CALL)    /*  op                               args, one a param        */ \
    X(ZERO)    /*  view                                                      */ \
    X(COPY)    /*  to view  from view                                        */ \
    X(IF)      /*  node                             stmts             stmts of else */ \
    X(FOR)     /*  symbol   lo node  hi node  step  stmts                    */ \
    X(ASSERT)  /*  check                                                     */
/* clang-format on */

enum ldsl_stmt_kind {
#define X(name) LDSL_STMT_##name,
    LDSL_STMT_LIST(X)
#undef X
        LDSL_STMT_COUNT
};

/* Bodies stand before the statement they belong to. */
struct ldsl_module_stmt {
    uint32_t kind; /* enum ldsl_stmt_kind */
    uint32_t line;
    uint32_t a, b, c, d;
    struct ldsl_module_range first, second;
};

struct ldsl_module_bench {
    struct ldsl_module_range sizes; /* into settings */
};

enum ldsl_module_op_flag {
    LDSL_MODULE_OWN = 1,    /* declared in the file itself, not imported; these come first */
    LDSL_MODULE_EXTERN = 2, /* has no body */
    LDSL_MODULE_LINKED = 4  /* imported, and the gradient or reference of one before: next */
};

struct ldsl_module_op {
    struct ldsl_module_scope scope;
    uint32_t name, path, line, flags;
    uint32_t doc, summary;
    uint32_t grad, ref;            /* texts */
    struct ldsl_module_range dims; /* into indices: symbols of the named dims, in order */
    struct ldsl_module_range keys; /* into indices: nodes a tuning record is filed under */
    struct ldsl_module_range requires, tensors, benches;
    struct ldsl_module_range stmts; /* all of its statements, nested ones too */
    struct ldsl_module_range body;  /* those of the outermost level; among stmts */
};

/* ---- the image ---------------------------------------------------------------------------------
 */

/* clang-format off */
/*     NAME      field      record */
#define LDSL_MODULE_TABLES(X) \
    X(TEXT,     text,      char)                        \
    X(NODE,     nodes,     struct ldsl_module_node)     \
    X(SYMBOL,   symbols,   struct ldsl_module_symbol)   \
    X(GENERIC,  generics,  struct ldsl_module_generic)  \
    X(PARAM,    params,    struct ldsl_module_param)    \
    X(DIM,      dims,      struct ldsl_module_dim)      \
    X(VALUE,    values,    int64_t)                     \
    X(INDEX,    indices,   uint32_t)                    \
    X(ENUM,     enums,     struct ldsl_module_enum)     \
    X(CHECK,    checks,    struct ldsl_module_check)    \
    X(META,     metas,     struct ldsl_module_meta)     \
    X(TUNE,     tunes,     struct ldsl_module_tune)     \
    X(SETTING,  settings,  struct ldsl_module_setting)  \
    X(DEFAULT,  defaults,  struct ldsl_module_default)  \
    X(GRID,     grids,     struct ldsl_module_grid)     \
    X(TENSOR,   tensors,   struct ldsl_module_tensor)   \
    X(SUB,      subs,      struct ldsl_module_sub)      \
    X(VIEW,     views,     struct ldsl_module_view)     \
    X(ARG,      args,      struct ldsl_module_arg)      \
    X(STMT,     stmts,     struct ldsl_module_stmt)     \
    X(BENCH,    benches,   struct ldsl_module_bench)    \
    X(KERNEL,   kernels,   struct ldsl_module_kernel)   \
    X(OP,       ops,       struct ldsl_module_op)
/* clang-format on */

enum ldsl_module_table {
#define X(NAME, field, record) LDSL_MODULE_##NAME,
    LDSL_MODULE_TABLES(X)
#undef X
        LDSL_MODULE_TABLE_COUNT
};

struct ldsl_module_header {
    uint32_t magic, version;
    uint64_t bytes; /* of the whole image */
    /* Per table: byte offset from the header (8-byte aligned) and number of records. */
    struct ldsl_module_range tables[LDSL_MODULE_TABLE_COUNT];
};

#endif
