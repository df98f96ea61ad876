/* The op layer: from the AST of operators and kernel headers to a module image (ldsl/module.h).
 *
 *     op.c         which kernels and operators an image holds; the entry points
 *     op_sign.c    signatures: generics, parameters, dims, conditions
 *     op_kernel.c  what the host must know of a kernel: grid, meta, tune, specialize
 *     op_body.c    operator bodies: statements
 *     op_pass.c    what launches and calls pass
 *     op_flow.c    who wrote which tensor, and what is known to be present
 *     op_link.c    grad, ref
 *     host.c       host expressions; host_fn.c: functions called in them
 *     op_image.c   tables to bytes
 *     op_print.c   an image as text
 *
 * Each kernel and operator is built on its own: nodes, symbols, generics and params count from 0 in
 * its unit and are moved to their place when the image is put together. */
#ifndef SEMA_OP_H
#define SEMA_OP_H

#include "sema/internal.h"

#include <ldsl/module.h>

/* ---- the image being built (op_image.c) -------------------------------------------------------- */

/* The tables. Those of a unit are appended to these when it is done. */
struct image {
    struct session *s;
#define X(NAME, field, record) VEC(record) field;
    LDSL_MODULE_TABLES(X)
#undef X
    VEC(const struct item *) enum_items; /* what stands in enums */
};

uint32_t image_enum(struct image *image, const struct item *e);
uint32_t image_text(struct image *image, const char *text); /* NULL, "": 0 */
const void *image_finish(struct image *image, size_t *bytes);

/* ---- signatures (op_sign.c) -------------------------------------------------------------------- */

struct sig_param {
    const struct ast_param *ast;
    enum ldsl_param_role role;
    enum ldsl_param_kind kind;
    enum ir_elem elem;     /* unless generic or of */
    int32_t generic;       /* -1: none */
    const struct item *of; /* the enum */
    bool optional, strided;
    uint32_t rank;
    const_values choices; /* const parameters of operators, enums and bools of kernels */
};

struct sig_generic {
    struct ast_name name;
    elem_set set;
};

/* Kernel or operator: parameters, inputs before outputs. */
struct signature {
    struct sema_item *item;
    bool is_op;
    bool broken;    /* errors were reported: what depends on it says nothing */
    uint32_t index; /* in the image's kernels or ops */
    VEC(struct sig_generic) generics;
    VEC(struct sig_param) params;
};

struct signature *signature_new(struct sema_item *item, uint32_t index);
int32_t signature_find_param(const struct signature *sig, const char *name); /* -1: none */
int32_t signature_find_generic(const struct signature *sig, const char *name);
/* "tensor<T>[R, 2 * D]", "f32", "Casting": for messages. */
const char *sig_param_text(struct session *s, const struct signature *sig,
                           const struct sig_param *p);
const char *source_text(struct session *s, struct span at); /* as written, on one line */

/* ---- units: one kernel or operator -------------------------------------------------------------- */

enum host_kind {
    HOST_POISON, /* an error was reported */
    HOST_NUMBER, /* integer, float or bool: elem */
    HOST_ENUM,
    HOST_TYPE /* a generic */
};

struct host_value {
    enum host_kind kind;
    enum ir_elem elem;
    bool literal; /* takes the type its context wants */
    const struct item *of;
    uint32_t node;
};

enum host_name_kind {
    HOST_NAME_VALUE,  /* value: a symbol, or an expression put in its place */
    HOST_NAME_LATER,  /* a `let` of a kernel's body: translated when it is asked for */
    HOST_NAME_PARAM,  /* a tensor parameter: has, align, packed */
    HOST_NAME_TENSOR, /* a scratch tensor or slice of an operator */
    HOST_NAME_DEVICE  /* something the host cannot know: for messages */
};

struct host_name {
    struct ast_name name;
    enum host_name_kind kind;
    struct host_value value;
    const struct expr *later;
    uint32_t index; /* PARAM: parameter; TENSOR: in unit.tensors */
    bool used;
    bool quiet; /* may stay unused */
};

/* A tensor that an operator's body has a name for. */
struct op_tensor {
    struct ast_name name;
    enum ldsl_tensor_kind kind;
    enum ir_elem elem; /* unless generic */
    int32_t generic;
    int32_t param; /* PARAM */
    uint32_t rank;
    uint32_t root; /* VIEW: the tensor it shows a part of; else itself */
    bool writable;
    bool may, must; /* written on some way, on every way to here */
    bool present;   /* known to be there */
    bool ever_used;
};

struct unit {
    struct session *s;
    struct sema_module *m; /* where names resolve: changes inside functions */
    struct image *image;
    struct signature *sig;
    const struct op_units *units;

    VEC(struct ldsl_module_node) nodes;
    VEC(struct ldsl_module_symbol) symbols;
    VEC(struct ldsl_module_generic) generics;
    VEC(struct ldsl_module_param) params;

    VEC(struct host_name) names;
    uint32_t floor;                        /* names below are hidden */
    VEC(const struct sema_item *) inlined; /* functions around this point */
    uint32_t depth;                        /* of lets used in lets */
    uint32_t steps;    /* of translation so far: functions may call functions many times */
    struct span fn_at; /* the call being inlined */

    VEC(struct op_tensor) tensors;
    VEC(struct ldsl_module_tensor) tensor_records; /* the same, for the image */
    uint32_t branches;                             /* ifs around this point */
    bool unclear; /* what a launch or call writes is not known: an error was reported */
};

/* Signatures of all that the image holds. */
struct op_units {
    struct sema_module *root;
    VEC(struct signature *) kernels, ops;
    uint32_t found; /* ops: the file's own and what those link to; the rest are called */
};

struct signature *find_signature(const struct op_units *units, const struct sema_item *item);

/* ---- host expressions (host.c, host_fn.c) ------------------------------------------------------- */

struct host_value host_poison(void);
/* The value of an expression; reports. */
struct host_value host_expr(struct unit *u, const struct expr *e);
/* The same as a number of a type: implicit conversions only. LDSL_NONE after reporting. */
uint32_t host_as(struct unit *u, const struct expr *e, enum ir_elem elem);
uint32_t host_convert(struct unit *u, struct span at, struct host_value v, enum ir_elem elem);
uint32_t host_condition(struct unit *u, const struct expr *e, const char *what);
struct host_value host_call_fn(struct unit *u, const struct expr *e, struct sema_item *fn);

/* Counts a step of translation; false after reporting when there were too many. */
bool host_step(struct unit *u, struct span at);
uint32_t host_node(struct unit *u, enum ldsl_host_op op, enum ir_elem elem, struct span at,
                   uint32_t a, uint32_t b, uint32_t c);
uint32_t host_int(struct unit *u, int64_t value, struct span at);
uint32_t host_symbol(struct unit *u, uint32_t symbol, struct span at);
/* A constant's node as a value. */
struct host_value host_const(struct unit *u, struct const_value v, struct span at);
enum ldsl_dtype dtype_of(enum ir_elem elem); /* index: I64 */

struct host_name *host_declare(struct unit *u, struct ast_name name, enum host_name_kind kind);
struct host_name *host_find(struct unit *u, const char *name);
uint32_t unit_symbol(struct unit *u, const char *name, enum ldsl_symbol_kind kind,
                     enum ir_elem elem);
uint32_t line_of(struct session *s, struct span at);
bool host_depends_on_launch(const struct unit *u, uint32_t node); /* on dims or scalars */

/* ---- the parts of a unit ------------------------------------------------------------------------ */

bool unit_open(struct unit *u, struct image *image, const struct op_units *units,
               struct signature *sig); /* op_sign.c: fills generics, symbols, params */
struct ldsl_module_range unit_requires(struct unit *u, const struct ast_require *list,
                                       uint32_t count);
/* Appends a condition to the image's checks; node: of the unit. */
void unit_check(struct unit *u, uint32_t node, const char *text, const struct expr *message,
                struct span at);
/* Appends the unit's tables to the image and says where they went. Indices that other records hold
 * (nodes, symbols, ...) count from 0 in the unit; *base is to be added to them. */
struct ldsl_module_scope unit_close(struct unit *u);
/* What the next unit's indices will be moved by: records outside the unit's own tables are written
 * with these added. */
static inline uint32_t unit_node(const struct unit *u, uint32_t node)
{
    return node == LDSL_NONE ? node : node + u->image->nodes.count;
}
static inline uint32_t unit_symbol_at(const struct unit *u, uint32_t symbol)
{
    return symbol + u->image->symbols.count;
}

void build_kernel(struct image *image, const struct op_units *units, struct signature *sig);
/* 16 hex digits over all that the kernel's code depends on (op_hash.c). */
const char *kernel_hash(struct sema_module *m, const struct item *kernel);
/* NAME = value, NAME a tuned or schedule value of the kernel; values in the unit's scope. */
struct ldsl_module_range build_settings(struct unit *u, const struct sema_item *kernel,
                                        const ast_settings *list);
/* How sema_elaborate finds a kernel from the file that is compiled: "name", or "path:name" when the
 * file does not see it by name. */
const char *kernel_reference(struct sema_module *root, const struct sema_item *kernel);
void build_op(struct image *image, const struct op_units *units, struct signature *sig);

/* Statements of a body, in order; *body says where the outermost stand (op_body.c). */
void build_body(struct unit *u, const ast_block *block, struct ldsl_module_range *body);
/* What a launch or call passes, one for each parameter of the callee (op_pass.c). */
struct ldsl_module_range pass_arguments(struct unit *u, const struct expr *call,
                                        const struct signature *callee);
/* Is it a tensor, perhaps with subscripts? */
bool is_tensor_expr(struct unit *u, const struct expr *e);
/* A tensor with subscripts as a view; LDSL_NONE after reporting. *tensor: which; *rank: the view's. */
uint32_t tensor_view(struct unit *u, const struct expr *e, uint32_t *tensor, uint32_t *rank);
/* What a launch (op: a call) starts; NULL after reporting, or when it is broken. */
struct signature *resolve_callee(struct unit *u, const struct expr *callee, bool op);

/* ---- data flow (op_flow.c) ---------------------------------------------------------------------- */

struct flow_state {
    bool *may, *must, *present;
    uint32_t count;
};
struct flow_state flow_save(struct unit *u);
void flow_restore(struct unit *u, const struct flow_state *state);
void flow_assume(struct unit *u, const struct expr *test, bool holds);
/* After an if: what both ways agree on. `yes` is the state at the end of the first way, the unit's
 * own that at the end of the other. */
void flow_merge(struct unit *u, const struct flow_state *before, const struct flow_state *yes);
void flow_read(struct unit *u, struct span at, uint32_t tensor);
bool flow_write(struct unit *u, struct span at, uint32_t tensor, const char *by);
void flow_finish(struct unit *u);

/* ---- links (op_link.c) -------------------------------------------------------------------------- */

void check_links(struct sema_module *m, struct signature *sig);

#endif
