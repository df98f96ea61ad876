/* What the files of codegen share: the state of one function's generation and the code that both
 * lowerings use.
 *
 *   codegen.c  module, passes, finish         llvm.c    types, small code
 *   ops.c      elementwise ops                convert.c casts          math.c  functions
 *   combine.c  reductions, scans              debug.c   source lines
 *   hardware.c instructions of GPUs           angle.c   large angles   math64.c f64 functions
 *   cpu/       vector loops                   gpu/      threads of a block
 *
 * A value is a scalar or a vector of lanes. 16-bit and 8-bit floats are held as integers of their
 * bits. */
#ifndef CODEGEN_INTERNAL_H
#define CODEGEN_INTERNAL_H

#include "codegen/codegen.h"

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

struct gen {
    struct session *s;
    const struct ir_func *f;
    const struct target_machine *target;
    const struct codegen_options *options;
    struct cpu *cpu; /* the state of the lowering in use, the other is NULL */
    struct gpu *gpu;
    struct llvm_handles *llvm;
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef b;
    LLVMValueRef entry;
    LLVMValueRef alloca_end; /* allocas go before it */

    LLVMTypeRef t_i1, t_i8, t_i16, t_i32, t_i64, t_half, t_f32, t_f64, t_ptr, t_void;

    LLVMValueRef *tensors; /* base addresses */
    LLVMValueRef (*strides)[IR_MAX_RANK];
    bool x86, avx512;
    unsigned md_scope, md_noalias, md_nontemporal, md_invariant;
    LLVMMetadataRef debug_scope;
    const char *complaint; /* of LLVM's code generator */
};

/* ---- module, function: codegen.c --------------------------------------------------------------- */

/* Begins a function: an empty entry block for allocas, then the builder's place. */
void gen_open_function(struct gen *g, const char *name, const LLVMTypeRef *params, unsigned count);
void gen_mark_function(struct gen *g, LLVMValueRef fn);
bool gen_is_ptx(const struct gen *g); /* assembly for NVIDIA's own compiler */
void gen_add_attribute(struct gen *g, LLVMValueRef fn, LLVMAttributeIndex at, const char *name);
void gen_add_text_attribute(struct gen *g, LLVMValueRef fn, const char *name, const char *value);

/* The lowerings, each in its folder: the whole of a function. */
void gen_cpu(struct gen *g, struct ir_func *f, struct codegen_result *out);
void gen_gpu(struct gen *g, struct ir_func *f, struct codegen_result *out);
/* Instead of code, how a GPU would hold the function's tiles. False after reporting. */
bool gen_gpu_layout(struct gen *g, bool drawing, struct codegen_result *out);

/* ---- types, small code: llvm.c ----------------------------------------------------------------- */

void gen_init_types(struct gen *g);
LLVMTypeRef gen_type(const struct gen *g, enum ir_elem e);        /* of a value */
LLVMTypeRef gen_memory_type(const struct gen *g, enum ir_elem e); /* in memory: bool is a byte */
LLVMTypeRef gen_wide(LLVMTypeRef t, unsigned width);
LLVMTypeRef gen_shape(const struct gen *g, LLVMTypeRef scalar, LLVMValueRef like);
unsigned gen_width_of(LLVMValueRef v);
LLVMValueRef gen_int(const struct gen *g, LLVMTypeRef t, int64_t value);
LLVMValueRef gen_index(const struct gen *g, int64_t value);
/* Constants of the shape of `like`. */
LLVMValueRef gen_ints(const struct gen *g, LLVMTypeRef scalar, int64_t value, LLVMValueRef like);
LLVMValueRef gen_floats(const struct gen *g, LLVMTypeRef scalar, double value, LLVMValueRef like);
LLVMValueRef gen_splat(struct gen *g, LLVMValueRef v, unsigned width);
LLVMValueRef gen_iota(struct gen *g, LLVMTypeRef t, unsigned width);
LLVMValueRef gen_lane(struct gen *g, LLVMValueRef v, unsigned lane);
LLVMValueRef gen_lanes(struct gen *g, LLVMValueRef v, unsigned first, unsigned count);
/* The same lanes first, the rest undefined; a scalar's as a vector's. */
LLVMValueRef gen_widened(struct gen *g, LLVMValueRef v, unsigned width);
LLVMValueRef gen_intrinsic(struct gen *g, const char *name, const LLVMTypeRef *types,
                           unsigned type_count, LLVMValueRef *args, unsigned count);
LLVMValueRef gen_unary_intrinsic(struct gen *g, const char *name, LLVMValueRef x);
LLVMValueRef gen_fma(struct gen *g, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z);
LLVMValueRef gen_alloca(struct gen *g, LLVMTypeRef t);
LLVMBasicBlockRef gen_block(struct gen *g, const char *name);
LLVMValueRef gen_contract(struct gen *g, LLVMValueRef v);
bool gen_is_zero(LLVMValueRef v);
LLVMValueRef gen_bits(struct gen *g, LLVMValueRef v, LLVMTypeRef scalar);

/* ---- elementwise: ops.c, convert.c, math.c ----------------------------------------------------- */

LLVMValueRef gen_elementwise(struct gen *g, const struct ir_node *n, LLVMValueRef *x);
LLVMValueRef gen_binary_kind(struct gen *g, enum ir_kind kind, enum ir_elem e, LLVMValueRef a,
                             LLVMValueRef b);
LLVMValueRef gen_constant(struct gen *g, const struct ir_node *n);
LLVMValueRef gen_compare(struct gen *g, enum ir_cmp c, enum ir_elem e, LLVMValueRef a,
                         LLVMValueRef b);
LLVMValueRef gen_cast(struct gen *g, LLVMValueRef x, enum ir_elem from, enum ir_elem to);
LLVMValueRef gen_math(struct gen *g, enum ir_opcode op, LLVMValueRef x); /* f32 or f64 */
LLVMValueRef gen_pow(struct gen *g, LLVMValueRef x, LLVMValueRef y);
/* f64 scalars without a C library: math64.c. power: |x|^y. */
LLVMValueRef gen_math64(struct gen *g, enum ir_opcode op, LLVMValueRef x);
LLVMValueRef gen_power64(struct gen *g, LLVMValueRef x, LLVMValueRef y);
/* x - k pi/2 for |x| >= 2, and k. angle.c */
LLVMValueRef gen_reduce_large_angle(struct gen *g, LLVMValueRef x, LLVMValueRef *quadrant);

/* Instructions of a GPU, or NULL: hardware.c. */
bool gen_has_hardware(const struct gen *g, LLVMValueRef x); /* gen_hardware answers */
LLVMValueRef gen_hardware(struct gen *g, enum lane_function f, LLVMValueRef x);
LLVMValueRef gen_hardware_divide(struct gen *g, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef gen_hardware_narrow(struct gen *g, LLVMValueRef x, enum ir_elem to);
LLVMValueRef gen_hardware_fused(struct gen *g, enum ir_elem e, LLVMValueRef *x); /* f16, bf16 */

/* True where elementwise code may make basic blocks: in the leaves of CPU nests. cpu/nest.c */
bool gen_may_branch(const struct gen *g);

/* ---- what reductions and scans combine: combine.c ------------------------------------------------ */

enum ir_elem gen_accumulate_as(enum ir_elem e); /* floats narrower than f32: f32 */
/* The element type in which an operand of a reduce or scan is combined. */
enum ir_elem gen_combined_as(const struct ir_node *n, uint32_t operand);
/* Combined with anything it changes nothing; what an empty range gives. */
LLVMValueRef gen_identity(struct gen *g, enum ir_kind kind, enum ir_elem e);

/* ---- debug.c ----------------------------------------------------------------------------------- */

void gen_debug_begin(struct gen *g);
void gen_debug_end(struct gen *g);
void gen_at(struct gen *g, struct span at);

#endif
