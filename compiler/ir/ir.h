/* The tile IR: one kernel variant in SSA form, over tiles with named axes. Doorway of compiler/ir.
 *
 * A value has an element type and a set of axes: `f32[r, c]` is a tile, `f32` a scalar. Elementwise
 * ops join the axes of their operands (broadcast is by name and needs no op). An axis knows its
 * range, its tile size and whether the tile may stick out of the range: lanes outside [lo, hi) are
 * never loaded, stored, reduced or otherwise observed, so no op carries a mask.
 *
 * Control flow is structured: `if`, `for`, `loop` and `sweep` own regions of one block each. A
 * block ends with one terminator: `yield`, or `break` / `continue` (with the values the enclosing
 * loop carries) or `return`. Conditions and bounds are scalars.
 *
 * Everything lives in the session's module arena. Ids are dense, so a pass may keep its facts in
 * arrays indexed by value->id or axis number. docs/ir.md is the reference of the ops. */
#ifndef IR_IR_H
#define IR_IR_H

#include "support/session.h"

#include <ldsl/dtype.h>

#define IR_MAX_AXES 8  /* axes of one value */
#define IR_MAX_AXIS 32 /* axes of one function: a set of them is a uint32_t */
#define IR_MAX_RANK 8

/* Element types: the public dtypes (same numbers) and `index`, 64 bits, never negative when it
 * names an element. */
enum ir_elem {
#define X(name, text, bits, kind) IR_##name,
    LDSL_DTYPE_LIST(X)
#undef X
        IR_INDEX,
    IR_ELEM_COUNT
};

typedef uint32_t axis_set; /* bit i: axis number i */

struct ir_type {
    enum ir_elem elem;
    axis_set axes;
};

enum ir_opcode {
#define OP(name, args, results, attrs, traits, meaning) IR_OP_##name,
#include "ir/ops.def"
#undef OP
    IR_OP_COUNT
};

/* clang-format off */
/* What reduce, scan and atomic combine with. COMBINER: the op's region. */
#define IR_KIND_LIST(X) \
    X(SUM, "sum") X(PROD, "prod") X(MAX, "max") X(MIN, "min") X(FMAX, "fmax") X(FMIN, "fmin") \
    X(ANY, "any") X(ALL, "all") X(COMBINER, "combiner")
/* Comparison predicates. */
#define IR_CMP_LIST(X) X(EQ, "eq") X(NE, "ne") X(LT, "lt") X(LE, "le") X(GT, "gt") X(GE, "ge")
/* How a load or store wants to be cached. */
#define IR_CACHE_LIST(X) X(NONE, "none") X(STREAM, "stream") X(KEEP, "keep") X(BYPASS_L1, "bypass_l1")
/* clang-format on */

enum ir_kind {
#define X(name, text) IR_KIND_##name,
    IR_KIND_LIST(X)
#undef X
};
enum ir_cmp {
#define X(name, text) IR_CMP_##name,
    IR_CMP_LIST(X)
#undef X
};
enum ir_cache {
#define X(name, text) IR_CACHE_##name,
    IR_CACHE_LIST(X)
#undef X
};

/* The attributes of a node. Which ones an op has is in ops.def; the others are zero. */
struct ir_attr {
    int64_t i;        /* INT: const's integer bits, element number, pipeline depth */
    double f;         /* FLOAT: const's value when the element type is a float */
    const char *text; /* TEXT: assert's message */
    axis_set axes;    /* AXES: reduced axes */
    uint8_t axis;     /* AXIS: the axis of index, sweep, scan, extract, spread ... */
    uint8_t to;     /* TO: the part axis of a partial reduce; IR_NO_AXIS: none; relabel's target */
    uint8_t kind;   /* KIND: enum ir_kind, ir_cmp or ir_cache, as the op says */
    uint8_t tensor; /* TENSOR: number of the tensor in ir_func.tensors */
    bool flag;      /* FLAG: exclusive scan; a range-tested load or store */
};
#define IR_NO_AXIS 255

enum ir_def_kind { IR_DEF_NODE, IR_DEF_ARG };

struct ir_value {
    struct ir_type type;
    uint32_t id; /* dense within the function */
    enum ir_def_kind def;
    uint32_t number;        /* which result of node, or which argument of block */
    struct ir_node *node;   /* IR_DEF_NODE */
    struct ir_block *block; /* IR_DEF_ARG */
    const char *name;       /* from the source, for dumps; may be NULL */
    uint32_t uses;          /* operand slots that hold it */
};

struct ir_node {
    enum ir_opcode op;
    struct span at;
    struct ir_attr attr;
    struct ir_value **operands;
    uint32_t operand_count;
    struct ir_value **results;
    uint32_t result_count;
    struct ir_block **regions; /* one block each */
    uint32_t region_count;
    struct ir_block *block; /* where it stands */
    struct ir_node *prev, *next;
    uint32_t mark; /* a pass's own while it runs; means nothing before */
};

struct ir_block {
    VEC(struct ir_value *) args;
    struct ir_node *first, *last;
    struct ir_node *parent; /* NULL: the function's body */
};

enum ir_axis_kind {
    IR_AXIS_PROGRAM, /* this program owns one element: index{a} is a scalar, never an axis of a
                        value */
    IR_AXIS_GRID,    /* this program owns one tile of it */
    IR_AXIS_HELD,    /* the whole range in one tile */
    IR_AXIS_SWEPT,   /* walked by sweep ops; usable inside them (held values over it keep `tile`
                        lanes) */
    IR_AXIS_PART /* a partition of `parent` into `tile` parts, which the target makes: docs/ir.md */
};

struct ir_axis {
    const char *name;
    enum ir_axis_kind kind;
    struct span at;
    int64_t tile; /* elements held at once; PROGRAM: 1; PART: parts, 0 until a pass picks */
    struct ir_value *lo, *hi; /* scalars (index), defined at the top of the body; PART: NULL */
    struct ir_value *bound; /* GRID, PROGRAM: upper limit of hi - lo the host knows, or NULL: hi is
                               a host value */
    uint8_t parent;         /* PART: the axis it partitions */
    bool full;              /* proven: a tile never sticks out of lo .. hi */
};

enum ir_tensor_access { IR_READ, IR_MUT, IR_OUT };

/* Element (i, j, k) of a tensor is at base + i * stride[0] + j * stride[1] + k * stride[2]. */
struct ir_tensor {
    const char *name;
    struct span at;
    enum ir_elem elem;
    uint32_t rank;
    enum ir_tensor_access access;
    bool strided; /* the innermost stride is a run-time value too; else it is 1 */
    bool packed;  /* proven: strides are the products of the dims */
    bool ready; /* the launch before this one leaves it alone: it may be accessed while that runs */
    uint32_t align; /* proven alignment in bytes of the base and of every row: outer strides are
                       multiples of it too (at least the element size) */
    struct ir_value *dims[IR_MAX_RANK]; /* scalars (index) */
};

enum ir_param_kind { IR_PARAM_DIM, IR_PARAM_SCALAR };

/* Scalar parameters are the arguments of the body block, in this order. A dim's value is known to
 * be >= lo, and a multiple of `multiple` (facts from require and specialize). */
struct ir_param {
    enum ir_param_kind kind;
    const char *name;
    struct ir_value *value;
    int64_t lo, hi;   /* inclusive; hi INT64_MAX: unknown */
    int64_t multiple; /* >= 1 */
    int64_t expected; /* DIM: what it will probably be, for estimates alone; 0: nobody said */
};

/* A schedule value ("num_warps" = 8): what tuning chose, kept by name. */
struct ir_setting {
    const char *name;
    int64_t value;
};

struct ir_func {
    struct session *session;
    const char *name; /* kernel name; the variant key is the artifact's business */
    struct span at;
    VEC(struct ir_param) params;
    VEC(struct ir_tensor) tensors;
    VEC(struct ir_axis)
    axes; /* in declaration order; of PROGRAM and GRID axes the first is outermost:
             program = ((tile of 1st) * tiles of 2nd + tile of 2nd) * ... */
    VEC(struct ir_setting) settings;
    struct ir_block *body;
    uint32_t value_count;
    bool exact;   /* @exact: no contraction, correctly rounded division */
    bool ordered; /* @ordered: reductions in an order that tuning cannot change */
};

/* ---- what an op is (from ops.def) ------------------------------------------------------------ */

enum ir_trait {
    IR_PURE = 1,     /* no effect, same operands give the same result */
    IR_COMMUTES = 2, /* operands may be swapped */
    IR_READS = 4,    /* reads a tensor */
    IR_WRITES = 8,   /* writes a tensor */
    IR_TERMINATOR = 16,
    IR_REGIONS = 32,     /* owns blocks */
    IR_ELEMENTWISE = 64, /* element e of the result depends on element e of the operands only */
    IR_EFFECT = 128      /* must stay even if its results are unused, beyond READS and WRITES */
};

enum ir_attr_mask {
    IR_A_INT = 1,
    IR_A_FLOAT = 2,
    IR_A_TEXT = 4,
    IR_A_AXES = 8,
    IR_A_AXIS = 16,
    IR_A_TO = 32,
    IR_A_KIND = 64,
    IR_A_CMP = 128,
    IR_A_CACHE = 256,
    IR_A_TENSOR = 512,
    IR_A_FLAG = 1024
};

struct ir_op_info {
    const char *name;
    int args;        /* operands; negative: at least -args - 1 */
    int results;     /* -1: any number */
    unsigned attrs;  /* enum ir_attr_mask */
    unsigned traits; /* enum ir_trait */
    const char *meaning;
};

const struct ir_op_info *ir_op_info(enum ir_opcode op);
const char *ir_elem_name(enum ir_elem elem);
const char *ir_kind_name(enum ir_kind kind);
const char *ir_cmp_name(enum ir_cmp cmp);
const char *ir_cache_name(enum ir_cache cache);
bool ir_elem_is_float(enum ir_elem elem);
bool ir_elem_is_integer(enum ir_elem elem); /* signed, unsigned or index; not bool */
bool ir_elem_is_signed(enum ir_elem elem);  /* index counts as signed */
unsigned ir_elem_bits(enum ir_elem elem);   /* index: 64; bool: 8 as stored */

/* The integer as the element type holds it: wrapped, then extended to 64 bits; a bool is 0 or 1. */
int64_t ir_wrap(enum ir_elem elem, uint64_t value);

/* ---- building -------------------------------------------------------------------------------- */

/* Appends at the end of `block`, or before the node `before` of it; every node takes the current
 * span. */
struct ir_builder {
    struct ir_func *func;
    struct ir_block *block;
    struct span at;
    struct ir_node *before; /* NULL: at the end */
};

struct ir_func *ir_func_new(struct session *s, const char *name);
struct ir_block *ir_block_new(struct ir_func *f, struct ir_node *parent);
struct ir_value *ir_block_arg(struct ir_func *f, struct ir_block *b, struct ir_type type);

/* The general constructor: operands are copied, results are made with result_types. For ops with
 * regions, region_count empty blocks are made. */
struct ir_node *ir_append(struct ir_builder *b, enum ir_opcode op, struct ir_attr attr,
                          struct ir_value *const *operands, uint32_t operand_count,
                          const struct ir_type *result_types, uint32_t result_count,
                          uint32_t region_count);

/* Shorthands; result types follow from the operands. */
struct ir_value *ir_const_int(struct ir_builder *b, enum ir_elem elem,
                              int64_t value); /* any non-float */
struct ir_value *ir_const_float(struct ir_builder *b, enum ir_elem elem, double value);
struct ir_value *ir_index(struct ir_builder *b, uint8_t axis);
struct ir_value *ir_unary(struct ir_builder *b, enum ir_opcode op, struct ir_value *x);
struct ir_value *ir_binary(struct ir_builder *b, enum ir_opcode op, struct ir_value *x,
                           struct ir_value *y);
struct ir_value *ir_compare(struct ir_builder *b, enum ir_cmp cmp, struct ir_value *x,
                            struct ir_value *y);
struct ir_value *ir_select(struct ir_builder *b, struct ir_value *test, struct ir_value *yes,
                           struct ir_value *no);
struct ir_value *ir_cast(struct ir_builder *b, struct ir_value *x, enum ir_elem elem);

/* Editing, for passes. */
void ir_insert_before(struct ir_node *at, struct ir_node *node); /* node is detached */
void ir_detach(struct ir_node *node); /* operands keep their use counts */
void ir_remove(struct ir_node *node); /* results must be unused; drops operand uses, regions too */
void ir_set_operand(struct ir_node *node, uint32_t i, struct ir_value *value);
void ir_replace(struct ir_func *f, struct ir_value *old, struct ir_value *new_value);

/* ---- text, checking -------------------------------------------------------------------------- */

/* The text of a function; ir_read of it gives an equal function. In the module arena. */
const char *ir_print(struct session *s, const struct ir_func *f);

/* Reads one function from a source of the session; NULL after reporting what is wrong. A function
 * that reads without error also verifies. */
struct ir_func *ir_read(struct session *s, uint32_t source);

/* True if f keeps every rule of docs/ir.md; else the first broken ones are in *why (module arena).
 * A broken rule after a pass is our bug, so the caller decides how to report it. */
bool ir_verify(const struct ir_func *f, const char **why);

/* ---- affine views of subscripts -------------------------------------------------------------- */

/* value = base + sum of coefficient[a] * factor[a] * (element number of axis a, counted from 0 in its
 * tile's whole range), when the value is such a sum; base is a list of scalar terms. */
struct ir_affine_term {
    struct ir_value *value; /* scalar; NULL: the constant 1 */
    int64_t coefficient;
};
struct ir_affine {
    bool affine;                          /* false: data dependent or not linear: a gather */
    axis_set axes;                        /* axes with a nonzero coefficient */
    int64_t coefficient[IR_MAX_AXIS];     /* of index{a} */
    struct ir_value *factor[IR_MAX_AXIS]; /* scalar; NULL: 1 */
    struct ir_affine_term terms[8];
    uint32_t term_count;
};
void ir_affine_of(const struct ir_value *value, struct ir_affine *out);

#endif
