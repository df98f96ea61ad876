/* The shadow of an instruction from those of its operands. What moves bits moves their shadows;
 * arithmetic on a poisoned bit poisons all of the result. */
#include "target/simt/poison.h"

static LLVMBuilderRef builder(const struct poison *p)
{
    return p->e->b;
}

/* ---- types ------------------------------------------------------------------------------------- */

static unsigned lanes_of(LLVMTypeRef t)
{
    return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? LLVMGetVectorSize(t) : 0;
}

static LLVMTypeRef element_of(LLVMTypeRef t)
{
    return lanes_of(t) ? LLVMGetElementType(t) : t;
}

static bool is_whole(LLVMTypeRef t)
{
    return LLVMGetTypeKind(element_of(t)) == LLVMIntegerTypeKind;
}

static unsigned bits_of(LLVMTypeRef t)
{
    switch ((int)LLVMGetTypeKind(t)) {
    case LLVMIntegerTypeKind: return LLVMGetIntTypeWidth(t);
    case LLVMHalfTypeKind:
    case LLVMBFloatTypeKind: return 16;
    case LLVMFloatTypeKind: return 32;
    default: return 64;
    }
}

/* Integers of so many bits, as many as the type has elements. */
static LLVMTypeRef integers(const struct poison *p, LLVMTypeRef type, unsigned bits)
{
    LLVMTypeRef one = LLVMIntTypeInContext(p->e->context, bits);
    return lanes_of(type) ? LLVMVectorType(one, lanes_of(type)) : one;
}

LLVMTypeRef shadow_type(const struct poison *p, LLVMTypeRef type)
{
    return integers(p, type, is_whole(type) ? bits_of(element_of(type)) : 1);
}

LLVMValueRef shadow_of(const struct poison *p, LLVMValueRef v)
{
    const struct shadowed *s = poison_find(p, v);
    LLVMTypeRef type = shadow_type(p, LLVMTypeOf(v));
    if (s && s->shadow)
        return s->shadow;
    return LLVMIsUndef(v) ? LLVMConstAllOnes(type) : LLVMConstNull(type);
}

/* ---- parts ------------------------------------------------------------------------------------- */

LLVMValueRef shadow_any(const struct poison *p, LLVMValueRef shadow)
{
    LLVMTypeRef type = LLVMTypeOf(shadow);
    if (lanes_of(type)) {
        unsigned bits = lanes_of(type) * bits_of(element_of(type));
        type = LLVMIntTypeInContext(p->e->context, bits);
        shadow = LLVMBuildBitCast(builder(p), shadow, type, "");
    }
    if (LLVMGetIntTypeWidth(type) == 1)
        return shadow;
    return LLVMBuildICmp(builder(p), LLVMIntNE, shadow, LLVMConstNull(type), "");
}

/* A set bit sets all of its element; of a value of another shape, all there is. */
static LLVMValueRef spread(const struct poison *p, LLVMValueRef shadow, LLVMTypeRef to)
{
    LLVMTypeRef from = LLVMTypeOf(shadow);
    if (LLVMIsNull(shadow))
        return LLVMConstNull(to);
    if (lanes_of(from) != lanes_of(to))
        return LLVMBuildSelect(builder(p), shadow_any(p, shadow), LLVMConstAllOnes(to),
                               LLVMConstNull(to), "");
    LLVMValueRef set = shadow;
    if (bits_of(element_of(from)) > 1)
        set = LLVMBuildICmp(builder(p), LLVMIntNE, shadow, LLVMConstNull(from), "");
    return LLVMTypeOf(set) == to ? set : LLVMBuildSExt(builder(p), set, to, "");
}

LLVMValueRef shadow_bits(const struct poison *p, LLVMValueRef v)
{
    LLVMTypeRef type = LLVMTypeOf(v), to = integers(p, type, bits_of(element_of(type)));
    LLVMValueRef shadow = shadow_of(p, v);
    return LLVMTypeOf(shadow) == to ? shadow : spread(p, shadow, to);
}

/* The shadow of a value of that type with these bits. */
static LLVMValueRef from_bits(const struct poison *p, LLVMValueRef bits, LLVMTypeRef type)
{
    return is_whole(type) ? bits : spread(p, bits, shadow_type(p, type));
}

static LLVMValueRef join(const struct poison *p, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMIsNull(a) ? b : LLVMIsNull(b) ? a : LLVMBuildOr(builder(p), a, b, "");
}

static LLVMValueRef mask(const struct poison *p, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMIsNull(a) ? a : LLVMIsNull(b) ? b : LLVMBuildAnd(builder(p), a, b, "");
}

/* ---- instructions ------------------------------------------------------------------------------ */

static LLVMValueRef operand(LLVMValueRef i, unsigned number)
{
    return LLVMGetOperand(i, number);
}

static LLVMValueRef of_operand(const struct poison *p, LLVMValueRef i, unsigned number)
{
    return shadow_of(p, operand(i, number));
}

static LLVMValueRef any_operand(const struct poison *p, LLVMValueRef i, LLVMTypeRef to)
{
    LLVMValueRef all = LLVMConstNull(to);
    for (int k = 0; k < LLVMGetNumOperands(i); k++)
        all = join(p, all, spread(p, of_operand(p, i, (unsigned)k), to));
    return all;
}

/* A bit that the other operand decides is clean: 0 of an `and`, 1 of an `or`. */
static LLVMValueRef decided(const struct poison *p, LLVMValueRef i, bool by_zero)
{
    LLVMValueRef a = operand(i, 0), b = operand(i, 1);
    LLVMValueRef of_a = shadow_of(p, a), of_b = shadow_of(p, b);
    LLVMValueRef both = mask(p, of_a, of_b);
    if (!by_zero) {
        a = LLVMIsNull(of_b) ? a : LLVMBuildNot(builder(p), a, "");
        b = LLVMIsNull(of_a) ? b : LLVMBuildNot(builder(p), b, "");
    }
    return join(p, both, join(p, mask(p, of_a, b), mask(p, of_b, a)));
}

static LLVMValueRef shifted(const struct poison *p, LLVMValueRef i)
{
    LLVMValueRef x = of_operand(p, i, 0), by = of_operand(p, i, 1);
    LLVMOpcode how = LLVMGetInstructionOpcode(i);
    LLVMValueRef moved = LLVMIsNull(x) ? x : LLVMBuildBinOp(builder(p), how, x, operand(i, 1), "");
    return join(p, moved, spread(p, by, LLVMTypeOf(x)));
}

/* By a test that is poison: the bits in which both agree are clean (the upper half of a word that
 * holds one 16-bit float). */
static LLVMValueRef either(const struct poison *p, LLVMValueRef i, LLVMValueRef both,
                           LLVMTypeRef to)
{
    if (!is_whole(LLVMTypeOf(i)))
        return LLVMConstAllOnes(to);
    return join(p, LLVMBuildXor(builder(p), operand(i, 1), operand(i, 2), ""), both);
}

static LLVMValueRef selected(const struct poison *p, LLVMValueRef i, LLVMTypeRef to)
{
    LLVMValueRef test = of_operand(p, i, 0), yes = of_operand(p, i, 1), no = of_operand(p, i, 2);
    LLVMValueRef both = join(p, yes, no), one = both;
    if (!LLVMIsNull(both))
        one = LLVMBuildSelect(builder(p), operand(i, 0), yes, no, "");
    if (LLVMIsNull(test))
        return one;
    return LLVMBuildSelect(builder(p), test, either(p, i, both, to), one, "");
}

static LLVMValueRef shuffled(const struct poison *p, LLVMValueRef i)
{
    enum { MOST = 64 };
    LLVMValueRef numbers[MOST];
    unsigned count = LLVMGetNumMaskElements(i);
    LLVMTypeRef i32 = LLVMInt32TypeInContext(p->e->context), to = shadow_type(p, LLVMTypeOf(i));
    if (count > MOST)
        return any_operand(p, i, to);
    for (unsigned k = 0; k < count; k++) {
        int from = LLVMGetMaskValue(i, k);
        numbers[k] = LLVMConstInt(i32, from < 0 ? 0 : (unsigned)from, false);
    }
    return LLVMBuildShuffleVector(builder(p), of_operand(p, i, 0), of_operand(p, i, 1),
                                  LLVMConstVector(numbers, count), "");
}

/* The record's shadow of the value that travels there. */
static LLVMValueRef loaded(const struct poison *p, LLVMValueRef i, LLVMTypeRef to)
{
    LLVMTypeRef type = LLVMTypeOf(i), bits = integers(p, type, bits_of(element_of(type)));
    if (!poison_is_value(p, operand(i, 0)))
        return any_operand(p, i, to);
    return from_bits(p, simt_get(p->e, offsetof(struct ldsl_simt_thread, poison), bits), type);
}

static LLVMValueRef cast_bits(const struct poison *p, LLVMValueRef i)
{
    LLVMTypeRef type = LLVMTypeOf(i), bits = integers(p, type, bits_of(element_of(type)));
    LLVMValueRef from = shadow_bits(p, operand(i, 0));
    return from_bits(p, LLVMBuildBitCast(builder(p), from, bits, ""), type);
}

/* simt_pin is assembly that does nothing. */
static LLVMValueRef called(const struct poison *p, LLVMValueRef i, LLVMTypeRef to)
{
    return LLVMIsAInlineAsm(LLVMGetCalledValue(i)) ? of_operand(p, i, 0) : any_operand(p, i, to);
}

LLVMValueRef shadow_make(const struct poison *p, LLVMValueRef i)
{
    LLVMTypeRef to = shadow_type(p, LLVMTypeOf(i));
    LLVMOpcode opcode = LLVMGetInstructionOpcode(i);
    switch ((int)opcode) {
    case LLVMAnd: return decided(p, i, true);
    case LLVMOr: return decided(p, i, false);
    case LLVMXor: return join(p, of_operand(p, i, 0), of_operand(p, i, 1));
    case LLVMShl:
    case LLVMLShr:
    case LLVMAShr: return shifted(p, i);
    case LLVMTrunc:
    case LLVMZExt:
    case LLVMSExt: return LLVMBuildCast(builder(p), opcode, of_operand(p, i, 0), to, "");
    case LLVMBitCast: return cast_bits(p, i);
    case LLVMFreeze: return of_operand(p, i, 0);
    case LLVMSelect: return selected(p, i, to);
    case LLVMExtractElement:
        return LLVMBuildExtractElement(builder(p), of_operand(p, i, 0), operand(i, 1), "");
    case LLVMInsertElement:
        return LLVMBuildInsertElement(builder(p), of_operand(p, i, 0), of_operand(p, i, 1),
                                      operand(i, 2), "");
    case LLVMShuffleVector: return shuffled(p, i);
    case LLVMLoad: return loaded(p, i, to);
    case LLVMCall: return called(p, i, to);
    default: return any_operand(p, i, to);
    }
}
