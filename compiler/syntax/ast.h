/* The syntax tree of a .ldsl file: what was written, nothing resolved.
 *
 * Built by the parser in the module arena and never changed afterwards. Names are interned
 * (support/session.h): compare them by pointer. Every node carries the span it was written at. */
#ifndef SYNTAX_AST_H
#define SYNTAX_AST_H

#include "support/session.h"

/* How deep a tree can be, so that recursive walks need no bound of their own: expressions below one
 * another, and blocks inside one another (an else-if counts as a block). */
#define AST_MAX_EXPR_DEPTH  1000
#define AST_MAX_BLOCK_DEPTH 200

struct expr;
struct stmt;
struct type_expr;

/* A name where it is written. */
struct ast_name {
    const char *text; /* interned; NULL: absent */
    struct span at;
};

typedef VEC(struct ast_name) ast_names;
typedef VEC(struct expr *) ast_exprs;
typedef VEC(struct stmt *) ast_block;

/* ---- expressions ---------------------------------------------------------------------------- */

/* clang-format off */
/*          NAME      text  */
#define AST_BINARY_LIST(X) \
    X(ADD,     "+")  X(SUB,     "-")  X(MUL, "*")  X(DIV, "/")  X(REM, "%") \
    X(SHL,     "<<") X(SHR,     ">>")                                       \
    X(LT,      "<")  X(GT,      ">")  X(LE,  "<=") X(GE,  ">=")             \
    X(EQ,      "==") X(NE,      "!=")                                       \
    X(BIT_AND, "&")  X(BIT_OR,  "|")  X(BIT_XOR, "^")                       \
    X(AND,     "&&") X(OR,      "||")
/* clang-format on */

enum ast_binary {
#define X(name, text) AST_##name,
    AST_BINARY_LIST(X)
#undef X
};

enum ast_unary { AST_NEGATE, AST_NOT, AST_BIT_NOT };

enum expr_kind {
    EXPR_INT,    /* 42, 0xff */
    EXPR_FLOAT,  /* 1e-6 (inf and nan are names) */
    EXPR_BOOL,   /* true, false */
    EXPR_STRING, /* "text": messages only */
    EXPR_NAME,   /* x */
    EXPR_HAS,    /* has w */
    EXPR_UNARY,
    EXPR_BINARY,
    EXPR_COND,   /* c ? a : b */
    EXPR_CALL,   /* f(a, b, name: c), sum(e over v), f32(x), m.f(x) */
    EXPR_INDEX,  /* t[i, j], t[], z[0 .. n] */
    EXPR_MEMBER, /* Casting.llama, pair.value, dev.smem, m.name */
    EXPR_POISON  /* stands for text that did not parse; say nothing more about it */
};

/* One argument of a call: value, name: value, or value over axes [to axis] [with combiner]. */
struct ast_arg {
    struct ast_name name;
    struct expr *value;
    bool has_over;
    ast_names over;
    struct ast_name to;
    struct ast_name with;   /* with f */
    ast_names with_params;  /* with (a, b) => expr */
    struct expr *with_body; /* NULL unless written as a lambda */
    struct span at;
};

typedef VEC(struct ast_arg) ast_args;

/* One subscript: an index, or first .. last when last is not NULL (op layer slices). */
struct ast_sub {
    struct expr *first, *last;
};

typedef VEC(struct ast_sub) ast_subs;

struct expr {
    enum expr_kind kind;
    uint32_t depth; /* 1 + that of the deepest expression below it */
    struct span at;
    union {
        uint64_t integer;
        double floating;
        bool boolean;
        const char *string; /* EXPR_STRING, unescaped; EXPR_NAME, EXPR_HAS: interned */
        struct {
            enum ast_unary op;
            struct expr *operand;
        } unary;
        struct {
            enum ast_binary op;
            struct expr *left, *right;
            struct span op_at;
        } binary;
        struct {
            struct expr *test, *yes, *no;
        } cond;
        struct {
            struct expr *callee; /* EXPR_NAME or EXPR_MEMBER, else the checker objects */
            ast_args args;
        } call;
        struct {
            struct expr *base;
            ast_subs subs;
        } index;
        struct {
            struct expr *base;
            struct ast_name member;
        } member;
    };
};

/* ---- types ---------------------------------------------------------------------------------- */

enum type_expr_kind {
    TYPE_NAME,   /* f32, T, Casting, a struct's name */
    TYPE_TENSOR, /* [mut|out] tensor<T>[N, D] [strided] [?] */
    TYPE_TILE,   /* tile<f32>[r, c] */
    TYPE_PTR     /* ptr<T> */
};

enum tensor_access { ACCESS_READ, ACCESS_MUT, ACCESS_OUT };

struct type_expr {
    enum type_expr_kind kind;
    struct span at;
    struct ast_name name; /* TYPE_NAME; for m.Name, module.name */
    struct ast_name module;
    struct type_expr *element; /* TENSOR, TILE, PTR */
    ast_exprs dims;            /* TENSOR: dim expressions; TILE: axis names as EXPR_NAME */
    enum tensor_access access;
    bool optional, strided;
};

typedef VEC(struct type_expr *) ast_types;

/* ---- parameters ----------------------------------------------------------------------------- */

/* <T: float>, <T: {f16, bf16}> */
struct ast_generic {
    struct ast_name name;
    struct ast_name set; /* float, int, real, any; NULL text when listed */
    ast_types members;   /* {f16, bf16} */
};

/* name: type, name: type = value, const name: type [in {1, 2, 4}] [= value] */
struct ast_param {
    struct ast_name name;
    struct type_expr *type;
    struct expr *value;
    bool is_const;
    ast_exprs choices;
    struct span at;
};

typedef VEC(struct ast_generic) ast_generics;
typedef VEC(struct ast_param) ast_params;

/* @name or @name(args) before an item. */
struct ast_attr {
    struct ast_name name;
    ast_exprs args;
};

/* ---- statements ----------------------------------------------------------------------------- */

enum stmt_kind {
    STMT_LET,   /* let x = e;  let x: t = e;  let (a, b) = e; */
    STMT_VAR,   /* var x = e;  var x: t = e; */
    STMT_AXIS,  /* [grid] axis a in lo .. hi tile B [bound A] [parts p]; */
    STMT_GRID,  /* grid i in lo .. hi [bound A]; */
    STMT_SWEEP, /* sweep a [in lo .. hi] [pipeline(n)] { } */
    STMT_FOR,   /* for [static] i in lo .. hi [step s] [pipeline(n)] { } */
    STMT_WHILE,
    STMT_IF,
    STMT_BREAK,
    STMT_CONTINUE,
    STMT_RETURN,
    STMT_ASSERT, /* assert(cond, "text"); assume(...); static_assert(...); */
    STMT_ASSUME,
    STMT_STATIC_ASSERT,
    STMT_EXPR,   /* f(x); */
    STMT_ASSIGN, /* target op= value; */
    STMT_BLOCK,
    STMT_LAUNCH,  /* op layer: launch k(args) [grid (e, ..)] [with { BR = 4 }]; */
    STMT_SCRATCH, /* op layer: scratch t: tensor<f32>[P, D]; */
    STMT_POISON   /* text that did not parse */
};

enum ast_assign { ASSIGN_SET, ASSIGN_ADD, ASSIGN_SUB, ASSIGN_MUL, ASSIGN_DIV };

/* BR = 4 in defaults and launch ... with */
struct ast_setting {
    struct ast_name name;
    struct expr *value;
};

typedef VEC(struct ast_setting) ast_settings;

struct stmt {
    enum stmt_kind kind;
    struct span at;
    union {
        struct {             /* LET, VAR, SCRATCH */
            ast_names names; /* more than one: let (a, b) = e */
            struct type_expr *type;
            struct expr *value;
        } let;
        struct { /* AXIS, GRID */
            struct ast_name name;
            bool is_grid;
            struct expr *lo, *hi, *tile, *bound; /* tile: NULL for STMT_GRID; bound: may be NULL */
            struct ast_name parts;
        } axis;
        struct { /* SWEEP: lo, hi may be NULL; FOR: step may be NULL */
            struct ast_name name;
            bool is_static;
            struct expr *lo, *hi, *step, *pipeline;
            ast_block body;
        } loop;
        struct { /* WHILE, IF: no_block holds one STMT_IF for else-if */
            struct expr *test;
            ast_block body, no;
            bool has_no;
        } branch;
        ast_exprs values; /* RETURN; ASSERT, ASSUME, STATIC_ASSERT: condition, message */
        struct expr *expr;
        struct {
            enum ast_assign op;
            struct expr *target, *value;
        } assign;
        ast_block block;
        struct { /* LAUNCH: call is an EXPR_CALL */
            struct expr *call;
            bool has_grid;
            ast_exprs grid;
            ast_settings with;
        } launch;
    };
};

/* ---- items ---------------------------------------------------------------------------------- */

enum item_kind {
    ITEM_IMPORT,
    ITEM_CONST,
    ITEM_ENUM,
    ITEM_STRUCT,
    ITEM_FN,
    ITEM_KERNEL,
    ITEM_OP,
    ITEM_EXTERN_OP
};

/* A tuned value's choices: an expression, or a range lo .. hi [step s]. */
struct ast_tune_value {
    struct expr *lo, *hi, *step; /* hi NULL: the single value lo */
};

typedef VEC(struct ast_tune_value) ast_tune_values;

struct ast_tune {
    struct ast_name name;
    ast_tune_values values;
};

struct ast_default {
    ast_settings settings;
    struct expr *own;   /* the condition that the entry itself says, or NULL */
    struct expr *where; /* that and those of the groups around it; NULL: always */
    struct span at;
};

struct ast_meta {
    struct ast_name name;
    struct type_expr *type; /* may be NULL */
    struct expr *value;
};

/* require cond, "message"; */
struct ast_require {
    struct expr *test;
    struct expr *message; /* EXPR_STRING or NULL */
};

/* specialize a, b, c;  one group */
struct ast_group {
    ast_exprs conditions;
    struct span at;
};

/* sample target = randint(0, V);   how tests and benchmarks fill an input */
struct ast_sample {
    struct ast_name name;
    struct expr *value;
};

/* bench { R = 8192, D = 4096 };    a model-sized shape */
struct ast_bench {
    ast_settings settings;
    struct span at;
};

struct item {
    enum item_kind kind;
    struct span at; /* the whole item */
    struct ast_name name;
    const char *doc; /* text of the /// lines above, joined by newlines, or NULL */
    bool damaged;    /* has syntax errors, or needs an item that has: checking it says nothing */
    VEC(struct ast_attr) attrs;
    ast_generics generics; /* FN, KERNEL, OP */
    ast_params params;     /* FN, KERNEL, OP; STRUCT: the fields */
    union {
        struct { /* IMPORT: import "path" [as name]; item.name is the alias or absent */
            const char *path;
            struct span path_at;
        } import;
        struct {
            struct type_expr *type; /* may be NULL */
            struct expr *value;
        } constant;
        ast_names members; /* ENUM */
        struct {           /* FN: one of body_expr, body */
            struct type_expr *result;
            struct expr *body_expr;
            ast_block body;
        } fn;
        struct {
            VEC(struct ast_require) requires;
            VEC(struct ast_group) specialize;
            VEC(struct ast_meta) meta;
            VEC(struct ast_tune) tune;
            VEC(struct expr *) where;
            VEC(struct ast_default) defaults;
            VEC(struct expr *) groups; /* conditions of where .. { defaults } */
            bool has_tune;
            struct span tune_at;
            ast_block body;
        } kernel;
        struct { /* OP, EXTERN_OP */
            ast_params outputs;
            VEC(struct ast_require) requires;
            ast_exprs key;
            struct ast_name grad, ref;
            VEC(struct ast_sample) samples;
            VEC(struct ast_bench) benches;
            ast_block body;
        } op;
    };
};

/* One parsed file. */
struct ast_file {
    uint32_t source; /* session source number */
    VEC(struct item *) items;
    bool cut; /* after errors: things are missing, and nobody knows who needs them */
};

#endif
