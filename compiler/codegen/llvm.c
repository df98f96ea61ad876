/* Types, constants and the few instructions that everything else is made of. */
#include "codegen/internal.h"

#include <string.h>

void gen_init_types(struct gen *g)
{
    g->t_i1 = LLVMInt1TypeInContext(g->context);
    g->t_i8 = LLVMInt8TypeInContext(g->context);
    g->t_i16 = LLVMInt16TypeInContext(g->context);
    g->t_i32 = LLVMInt32TypeInContext(g->context);
    g->t_i64 = LLVMInt64TypeInContext(g->context);
    g->t_half = LLVMHalfTypeInContext(g->context);
    g->t_f32 = LLVMFloatTypeInContext(g->context);
    g->t_f64 = LLVMDoubleTypeInContext(g->context);
    g->t_ptr = LLVMPointerTypeInContext(g->context, 0);
    g->t_void = LLVMVoidTypeInContext(g->context);
}

LLVMTypeRef gen_type(const struct gen *g, enum ir_elem e)
{
    switch (e) {
    case IR_BOOL: return g->t_i1;
    case IR_I8:
    case IR_U8:
    case IR_F8E4M3:
    case IR_F8E5M2: return g->t_i8;
    case IR_I16:
    case IR_U16:
    case IR_F16:
    case IR_BF16: return g->t_i16;
    case IR_I32:
    case IR_U32: return g->t_i32;
    case IR_F32: return g->t_f32;
    case IR_F64: return g->t_f64;
    case IR_I64:
    case IR_U64:
    case IR_INDEX:
    case IR_ELEM_COUNT: break;
    }
    return g->t_i64;
}

LLVMTypeRef gen_memory_type(const struct gen *g, enum ir_elem e)
{
    return e == IR_BOOL ? g->t_i8 : gen_type(g, e);
}

LLVMTypeRef gen_wide(LLVMTypeRef t, unsigned width)
{
    return width == 1 ? t : LLVMVectorType(t, width);
}

unsigned gen_width_of(LLVMValueRef v)
{
    LLVMTypeRef t = LLVMTypeOf(v);
    return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? LLVMGetVectorSize(t) : 1;
}

static bool is_vector(LLVMValueRef v)
{
    return LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind;
}

LLVMTypeRef gen_shape(const struct gen *g, LLVMTypeRef scalar, LLVMValueRef like)
{
    (void)g;
    return is_vector(like) ? LLVMVectorType(scalar, gen_width_of(like)) : scalar;
}

LLVMValueRef gen_int(const struct gen *g, LLVMTypeRef t, int64_t value)
{
    (void)g;
    return LLVMConstInt(t, (unsigned long long)value, true);
}

LLVMValueRef gen_index(const struct gen *g, int64_t value)
{
    return gen_int(g, g->t_i64, value);
}

static LLVMValueRef repeat(LLVMValueRef v, LLVMValueRef like)
{
    LLVMValueRef lanes[1024];
    if (!is_vector(like))
        return v;
    unsigned width = gen_width_of(like);
    for (unsigned i = 0; i < width; i++)
        lanes[i] = v;
    return LLVMConstVector(lanes, width);
}

LLVMValueRef gen_ints(const struct gen *g, LLVMTypeRef scalar, int64_t value, LLVMValueRef like)
{
    return repeat(gen_int(g, scalar, value), like);
}

LLVMValueRef gen_floats(const struct gen *g, LLVMTypeRef scalar, double value, LLVMValueRef like)
{
    (void)g;
    return repeat(LLVMConstReal(scalar, value), like);
}

LLVMValueRef gen_splat(struct gen *g, LLVMValueRef v, unsigned width)
{
    if (width == 1 || is_vector(v))
        return v;
    LLVMTypeRef t = LLVMVectorType(LLVMTypeOf(v), width);
    LLVMValueRef one =
        LLVMBuildInsertElement(g->b, LLVMGetPoison(t), v, gen_int(g, g->t_i32, 0), "");
    LLVMValueRef mask = LLVMConstNull(LLVMVectorType(g->t_i32, width));
    return LLVMBuildShuffleVector(g->b, one, LLVMGetPoison(t), mask, "");
}

LLVMValueRef gen_iota(struct gen *g, LLVMTypeRef t, unsigned width)
{
    LLVMValueRef lanes[1024];
    for (unsigned i = 0; i < width; i++)
        lanes[i] = gen_int(g, t, i);
    return width == 1 ? lanes[0] : LLVMConstVector(lanes, width);
}

LLVMValueRef gen_lane(struct gen *g, LLVMValueRef v, unsigned lane)
{
    return is_vector(v) ? LLVMBuildExtractElement(g->b, v, gen_int(g, g->t_i32, lane), "") : v;
}

LLVMValueRef gen_lanes(struct gen *g, LLVMValueRef v, unsigned first, unsigned count)
{
    LLVMValueRef lanes[1024];
    if (count == 1)
        return gen_lane(g, v, first);
    for (unsigned i = 0; i < count; i++)
        lanes[i] = gen_int(g, g->t_i32, first + i);
    return LLVMBuildShuffleVector(g->b, v, LLVMGetPoison(LLVMTypeOf(v)),
                                  LLVMConstVector(lanes, count), "");
}

LLVMValueRef gen_widened(struct gen *g, LLVMValueRef v, unsigned width)
{
    LLVMValueRef lanes[1024];
    unsigned own = gen_width_of(v);
    if (own == 1) {
        LLVMValueRef none = LLVMGetPoison(LLVMVectorType(LLVMTypeOf(v), width));
        return LLVMBuildInsertElement(g->b, none, v, gen_int(g, g->t_i32, 0), "");
    }
    for (unsigned i = 0; i < width; i++)
        lanes[i] = i < own ? gen_int(g, g->t_i32, i) : LLVMGetPoison(g->t_i32);
    return LLVMBuildShuffleVector(g->b, v, LLVMGetPoison(LLVMTypeOf(v)),
                                  LLVMConstVector(lanes, width), "");
}

LLVMValueRef gen_intrinsic(struct gen *g, const char *name, const LLVMTypeRef *types,
                           unsigned type_count, LLVMValueRef *args, unsigned count)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    if (!id)
        diag_bug(g->s, g->f->at, "no intrinsic %s", name);
    LLVMTypeRef *overloads = (LLVMTypeRef *)(uintptr_t)types;
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(g->module, id, overloads, type_count);
    LLVMTypeRef type = LLVMIntrinsicGetType(g->context, id, overloads, type_count);
    return LLVMBuildCall2(g->b, type, fn, args, count, "");
}

LLVMValueRef gen_unary_intrinsic(struct gen *g, const char *name, LLVMValueRef x)
{
    LLVMTypeRef t = LLVMTypeOf(x);
    return gen_intrinsic(g, name, &t, 1, &x, 1);
}

LLVMValueRef gen_fma(struct gen *g, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z)
{
    LLVMTypeRef t = LLVMTypeOf(x);
    LLVMValueRef args[] = {x, y, z};
    return gen_intrinsic(g, "llvm.fmuladd", &t, 1, args, 3);
}

/* In the entry block, whatever is being emitted: sroa turns it into registers. */
LLVMValueRef gen_alloca(struct gen *g, LLVMTypeRef t)
{
    LLVMPositionBuilderBefore(g->llvm->allocas, g->alloca_end);
    return LLVMBuildAlloca(g->llvm->allocas, t, "");
}

LLVMBasicBlockRef gen_block(struct gen *g, const char *name)
{
    return LLVMAppendBasicBlockInContext(g->context, g->entry, name);
}

/* Lets a * b + c become one fma, unless the kernel is @exact; or @ordered, since what becomes one
 * depends on who computes what. */
LLVMValueRef gen_contract(struct gen *g, LLVMValueRef v)
{
    bool fixed = g->f->exact || g->f->ordered;
    if (!fixed && LLVMIsAInstruction(v) && LLVMCanValueUseFastMathFlags(v))
        LLVMSetFastMathFlags(v, LLVMFastMathAllowContract);
    return v;
}

bool gen_is_zero(LLVMValueRef v)
{
    return LLVMIsAConstantInt(v) && LLVMConstIntGetZExtValue(v) == 0;
}

/* The same bits as another scalar type of the same size, lane by lane. */
LLVMValueRef gen_bits(struct gen *g, LLVMValueRef v, LLVMTypeRef scalar)
{
    return LLVMBuildBitCast(g->b, v, gen_shape(g, scalar, v), "");
}
