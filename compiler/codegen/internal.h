/* What the files of codegen share: the state of one function's generation and its parts.
 *
 *   codegen.c  entry, module, finish          plan.c units.c schedule.c storage.c  the plan
 *   host.c     programs, control flow         nest.c    loops over axes, units
 *   value.c    values at their levels         memory.c  tile storage
 *   access.c   tensors                        reduce.c  reductions     scan.c  dot.c
 *   ops.c      elementwise ops                convert.c casts          math.c  functions
 *   debug.c    source lines                   check.c   run-time checks
 *
 * Values have one of two shapes: scalar, or, in a vectorised leaf loop, a vector over the leaf's
 * axis. 16-bit and 8-bit floats are held as integers of their bits. */
#ifndef CODEGEN_INTERNAL_H
#define CODEGEN_INTERNAL_H

#include "codegen/codegen.h"
#include "codegen/plan.h"

#include <llvm-c/Core.h>
#include <llvm-c/DebugInfo.h>

/* LLVM's objects: the only things here that are not in an arena. */
struct llvm_handles {
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef builder, allocas;
    LLVMBuilderRef callee; /* while a function beside the entry is filled */
    LLVMDIBuilderRef debug;
    LLVMMemoryBufferRef file; /* what was made, until the session has a copy */
    char *text;
};

/* A level is a loop or region being emitted. Code for an outer level is put before `hoist`, the
 * branch that entered the level; NULL: the level is straight-line code of the one outside it. */
struct gen_level {
    LLVMValueRef hoist;
    VEC(uint32_t) cached; /* ids whose values die with the level */
};

struct cached {
    LLVMValueRef value;
    unsigned width, level;
    struct cached *outer; /* what it hides */
};

/* Where along an axis the code is: element begin + offset, offset < count. */
struct gen_axis {
    bool ranged; /* begin and count are known at the current level */
    LLVMValueRef begin, count;
    bool bound;
    LLVMValueRef offset;  /* in a vector leaf: of the first lane */
    unsigned level;       /* of the loop that binds it */
    unsigned range_level; /* at which begin and count are known */
};

struct pending_store {
    const struct storage *storage;
    enum ir_elem elem;
    LLVMValueRef value;
    unsigned width;
};

/* The loop that break and continue mean. */
struct gen_loop {
    struct gen_loop *outer;
    struct ir_node *node;
    LLVMBasicBlockRef next, exit;
};

struct gen {
    struct session *s;
    const struct ir_func *f;
    const struct target_machine *target;
    const struct codegen_options *options;
    struct plan *plan;
    struct llvm_handles *llvm;
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef b;
    LLVMValueRef entry;
    LLVMValueRef alloca_end; /* allocas go before it */

    LLVMTypeRef t_i1, t_i8, t_i16, t_i32, t_i64, t_half, t_f32, t_f64, t_ptr, t_void;

    VEC(struct gen_level) levels;
    unsigned at;           /* level that code is being put at */
    LLVMBasicBlockRef tip; /* where the innermost level goes on, while `at` is an outer one */
    struct cached **cache;
    struct gen_axis axes[IR_MAX_AXIS];
    uint8_t leaf;   /* axis of the vector leaf; IR_NO_AXIS: none */
    unsigned width; /* of the leaf */
    unsigned combine_width;
    VEC(struct pending_store) pending;

    LLVMValueRef *tensors; /* base addresses */
    LLVMValueRef (*strides)[IR_MAX_RANK];
    bool x86, avx512;
    bool *streamed;       /* by tensor: `stream` has been found */
    LLVMValueRef *stream; /* by tensor: large enough to be written past the caches; NULL: never */
    bool fence;           /* something is: the entry ends with a store fence */
    LLVMValueRef scratch, report, program;
    LLVMValueRef nowhere; /* harmless memory for accesses that do not take place */
    LLVMBasicBlockRef program_end;
    struct gen_loop *loop;

    LLVMMetadataRef *alias_scope, *alias_others; /* by tensor; the last: scratch */
    unsigned md_scope, md_noalias, md_nontemporal, md_invariant;
    LLVMMetadataRef debug_scope;
    LLVMValueRef *writers;     /* check: shadow arrays by tensor */
    LLVMValueRef check_values; /* check: what a failure reports */
    LLVMValueRef race_site, unwritten_site;
    const char *complaint; /* of LLVM's code generator */
};

/* ---- the function: codegen.c ------------------------------------------------------------------- */

void gen_mark_function(struct gen *g, LLVMValueRef fn);

/* ---- types, small code: llvm.c ----------------------------------------------------------------- */

void gen_init_types(struct gen *g);
LLVMTypeRef gen_type(const struct gen *g, enum ir_elem e);        /* of a value */
LLVMTypeRef gen_memory_type(const struct gen *g, enum ir_elem e); /* in memory: bool is a byte */
LLVMTypeRef gen_wide(LLVMTypeRef t, unsigned width);
LLVMTypeRef gen_shape(const struct gen *g, LLVMTypeRef scalar, LLVMValueRef like);
unsigned gen_width_of(LLVMValueRef v);
void gen_store_fence(struct gen *g);
LLVMValueRef gen_int(const struct gen *g, LLVMTypeRef t, int64_t value);
LLVMValueRef gen_index(const struct gen *g, int64_t value);
/* Constants of the shape of `like`. */
LLVMValueRef gen_ints(const struct gen *g, LLVMTypeRef scalar, int64_t value, LLVMValueRef like);
LLVMValueRef gen_floats(const struct gen *g, LLVMTypeRef scalar, double value, LLVMValueRef like);
LLVMValueRef gen_splat(struct gen *g, LLVMValueRef v, unsigned width);
LLVMValueRef gen_iota(struct gen *g, LLVMTypeRef t, unsigned width);
LLVMValueRef gen_lane(struct gen *g, LLVMValueRef v, unsigned lane);
LLVMValueRef gen_lanes(struct gen *g, LLVMValueRef v, unsigned first, unsigned count);
LLVMValueRef gen_intrinsic(struct gen *g, const char *name, const LLVMTypeRef *types,
                           unsigned type_count, LLVMValueRef *args, unsigned count);
LLVMValueRef gen_unary_intrinsic(struct gen *g, const char *name, LLVMValueRef x);
LLVMValueRef gen_fma(struct gen *g, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z);
LLVMValueRef gen_alloca(struct gen *g, LLVMTypeRef t);
LLVMBasicBlockRef gen_block(struct gen *g, const char *name);
LLVMValueRef gen_contract(struct gen *g, LLVMValueRef v);
bool gen_is_zero(LLVMValueRef v);
LLVMValueRef gen_bits(struct gen *g, LLVMValueRef v, LLVMTypeRef scalar);

/* ---- levels and values: value.c ---------------------------------------------------------------- */

void gen_push(struct gen *g, LLVMValueRef hoist);
void gen_pop(struct gen *g);
unsigned gen_depth(const struct gen *g); /* the current level */

/* Puts the following code at an outer level (or the current one) and returns the level to go back
 * to with the same call. Code put at an outer level must not make basic blocks. */
unsigned gen_go(struct gen *g, unsigned level);

LLVMValueRef gen_value(struct gen *g, struct ir_value *v);
LLVMValueRef gen_value_as(struct gen *g, struct ir_value *v, unsigned width); /* splat if need be */
unsigned gen_value_width(const struct gen *g, const struct ir_value *v);
void gen_set(struct gen *g, struct ir_value *v, LLVMValueRef value);
/* The outermost level at which the value is the same, and whether it is there for good. */
unsigned gen_value_level(const struct gen *g, const struct ir_value *v);
void gen_axis_range(struct gen *g, uint8_t axis);
/* The level at which the axis has its current element. */
LLVMValueRef gen_compute(struct gen *g, struct ir_node *n);

/* ---- storage: memory.c ------------------------------------------------------------------------- */

void gen_place_storages(struct gen *g);
LLVMValueRef gen_storage_offset(struct gen *g, const struct storage *s, uint8_t axis,
                                LLVMValueRef offset);
LLVMValueRef gen_storage_load(struct gen *g, const struct storage *s, enum ir_elem elem,
                              unsigned width, uint8_t moved, LLVMValueRef offset);
void gen_storage_store(struct gen *g, const struct storage *s, enum ir_elem elem,
                       LLVMValueRef value, unsigned width, uint8_t moved, LLVMValueRef offset);
void gen_scratch_alias(struct gen *g, LLVMValueRef access);

/* ---- nests: nest.c ----------------------------------------------------------------------------- */

void gen_items(struct gen *g, struct item *it);
/* A loop with a counter from..to: `body` emits one round. Straight-line if it runs once. */
typedef void gen_round(struct gen *g, void *user, LLVMValueRef counter);
void gen_counted(struct gen *g, LLVMValueRef from, LLVMValueRef to, int64_t step, gen_round *round,
                 void *user);
void gen_flush(struct gen *g);

/* ---- accesses: access.c ------------------------------------------------------------------------ */

LLVMValueRef gen_load(struct gen *g, struct ir_node *n, unsigned width);
void gen_store(struct gen *g, struct ir_node *n);
void gen_atomic(struct gen *g, struct ir_node *n);

/* ---- reductions: reduce.c, scan.c, dot.c ------------------------------------------------------- */

void gen_reduce_begin(struct gen *g, struct unit *u);
void gen_reduce_tail_begin(struct gen *g, struct unit *u);
void gen_reduce(struct gen *g, struct unit *u);
void gen_reduce_round(struct gen *g, struct unit *u);
void gen_reduce_tail_end(struct gen *g, struct unit *u);
void gen_reduce_end(struct gen *g, struct unit *u);
/* One combine step on values of one width: out = a with b. */
void gen_combine(struct gen *g, const struct ir_node *n, LLVMValueRef *out, LLVMValueRef *a,
                 LLVMValueRef *b, unsigned width);
LLVMValueRef gen_identity(struct gen *g, enum ir_kind kind, enum ir_elem e);
enum ir_elem gen_accumulate_as(enum ir_elem e);
void gen_scan_begin(struct gen *g, struct unit *u);
void gen_scan_round(struct gen *g, struct unit *u);
void gen_fill_storage(struct gen *g, const struct storage *s, enum ir_elem elem,
                      LLVMValueRef value);
void gen_scan(struct gen *g, struct unit *u);
void gen_dot(struct gen *g, struct unit *u);

/* ---- control: host.c --------------------------------------------------------------------------- */

void gen_control(struct gen *g, struct unit *u);
void gen_programs(struct gen *g);

/* ---- elementwise: ops.c, convert.c, math.c ----------------------------------------------------- */

LLVMValueRef gen_elementwise(struct gen *g, const struct ir_node *n, LLVMValueRef *x);
LLVMValueRef gen_binary_kind(struct gen *g, enum ir_kind kind, enum ir_elem e, LLVMValueRef a,
                             LLVMValueRef b);
LLVMValueRef gen_constant(struct gen *g, const struct ir_node *n);
LLVMValueRef gen_cast(struct gen *g, LLVMValueRef x, enum ir_elem from, enum ir_elem to);
LLVMValueRef gen_math(struct gen *g, enum ir_opcode op, LLVMValueRef x); /* f32 or f64 */
LLVMValueRef gen_pow(struct gen *g, LLVMValueRef x, LLVMValueRef y);

/* ---- debug.c, check.c -------------------------------------------------------------------------- */

void gen_debug_begin(struct gen *g);
void gen_debug_end(struct gen *g);
void gen_at(struct gen *g, struct span at);
void gen_assert(struct gen *g, struct ir_node *n);
/* Reports an access of elements outside the tensor; `inside` per lane. */
void gen_check_bounds(struct gen *g, struct ir_node *n, LLVMValueRef inside, unsigned width);
/* Tracks who wrote what; called with the lanes that do access memory. */
void gen_check_touch(struct gen *g, struct ir_node *n, LLVMValueRef inside, unsigned width);
void gen_check_begin(struct gen *g);
void gen_check_extents(struct gen *g);

#endif
