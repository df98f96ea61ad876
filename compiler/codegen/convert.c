/* Conversions, all exact: each rounds once, to nearest even; float to integer truncates, saturates
 * and takes NaN to 0. */
#include "codegen/internal.h"

#include <string.h>

static bool is_narrow(enum ir_elem e)
{
    return ir_elem_is_float(e) && ir_elem_bits(e) < 32;
}

static LLVMValueRef ints(struct gen *g, LLVMTypeRef t, int64_t v, LLVMValueRef like)
{
    return gen_ints(g, t, v, like);
}

static LLVMValueRef is_nan(struct gen *g, LLVMValueRef x)
{
    return LLVMBuildFCmp(g->b, LLVMRealUNO, x, x, "");
}

/* ---- bf16: the upper half of an f32 ------------------------------------------------------------ */

static LLVMValueRef f32_of_bf16(struct gen *g, LLVMValueRef x)
{
    LLVMValueRef bits = LLVMBuildZExt(g->b, x, gen_shape(g, g->t_i32, x), "");
    bits = LLVMBuildShl(g->b, bits, ints(g, g->t_i32, 16, x), "");
    return gen_bits(g, bits, g->t_f32);
}

/* The upper halves of 32-bit lanes: one shuffle of two registers, where truncating takes five
 * instructions. */
static LLVMValueRef upper_halves(struct gen *g, LLVMValueRef bits)
{
    unsigned width = gen_width_of(bits);
    LLVMValueRef lanes[1024];
    if (width == 1 || width > 512) {
        bits = LLVMBuildLShr(g->b, bits, ints(g, g->t_i32, 16, bits), "");
        return LLVMBuildTrunc(g->b, bits, gen_shape(g, g->t_i16, bits), "");
    }
    LLVMTypeRef halves = LLVMVectorType(g->t_i16, 2 * width);
    for (unsigned i = 0; i < width; i++)
        lanes[i] = gen_int(g, g->t_i32, 2 * i + 1);
    LLVMValueRef v = LLVMBuildBitCast(g->b, bits, halves, "");
    return LLVMBuildShuffleVector(g->b, v, LLVMGetPoison(halves), LLVMConstVector(lanes, width),
                                  "");
}

static bool has_feature(const struct gen *g, const char *feature)
{
    const char *at = strstr(g->target->features, feature);
    size_t length = strlen(feature);
    return at && at > g->target->features && at[-1] == '+' && (at[length] == ',' || !at[length]);
}

static LLVMValueRef round_bits(struct gen *g, LLVMValueRef x);

/* The conversion instruction rounds as we do but takes subnormal numbers for 0: where a lane is
 * subnormal, the integers do it. Two registers at a time. */
static LLVMValueRef convert_lanes(struct gen *g, LLVMValueRef x, LLVMValueRef *subnormal)
{
    LLVMValueRef half[2], is[2];
    for (unsigned i = 0; i < 2; i++) {
        half[i] = gen_lanes(g, x, 16 * i, 16);
        LLVMValueRef args[] = {half[i], gen_int(g, g->t_i32, 0x20)};
        is[i] = gen_intrinsic(g, "llvm.x86.avx512.fpclass.ps.512", NULL, 0, args, 2);
    }
    LLVMValueRef either = LLVMBuildOr(g->b, is[0], is[1], "");
    *subnormal = gen_unary_intrinsic(g, "llvm.vector.reduce.or", either);
    LLVMValueRef args[] = {half[1], half[0]};
    LLVMValueRef v = gen_intrinsic(g, "llvm.x86.avx512bf16.cvtne2ps2bf16.512", NULL, 0, args, 2);
    return LLVMBuildBitCast(g->b, v, LLVMVectorType(g->t_i16, 32), "");
}

/* Only in a leaf's body, where basic blocks may be made. */
static LLVMValueRef bf16_by_instruction(struct gen *g, LLVMValueRef x)
{
    LLVMValueRef subnormal, quick = convert_lanes(g, x, &subnormal);
    LLVMBasicBlockRef from = LLVMGetInsertBlock(g->b);
    LLVMBasicBlockRef slow = gen_block(g, "subnormal"), done = gen_block(g, "rounded");
    LLVMBuildCondBr(g->b, subnormal, slow, done);
    LLVMPositionBuilderAtEnd(g->b, slow);
    LLVMValueRef exact = round_bits(g, x);
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, done);
    LLVMValueRef v = LLVMBuildPhi(g->b, LLVMTypeOf(quick), "");
    LLVMValueRef values[] = {quick, exact};
    LLVMBasicBlockRef blocks[] = {from, slow};
    LLVMAddIncoming(v, values, blocks, 2);
    return v;
}

static LLVMValueRef bf16_of_f32(struct gen *g, LLVMValueRef x)
{
    bool quick =
        g->avx512 && gen_width_of(x) == 32 && gen_may_branch(g) && has_feature(g, "avx512bf16");
    return quick ? bf16_by_instruction(g, x) : round_bits(g, x);
}

/* Adding 0x7fff, plus one if the kept part is odd, carries exactly when rounding up. NaN could lose
 * its payload's upper bits or carry into the sign: it becomes quiet by setting a bit instead. */
static LLVMValueRef round_bits(struct gen *g, LLVMValueRef x)
{
    LLVMBuilderRef b = g->b;
    LLVMValueRef bits = gen_bits(g, x, g->t_i32);
    LLVMValueRef odd = LLVMBuildAnd(b, LLVMBuildLShr(b, bits, ints(g, g->t_i32, 16, x), ""),
                                    ints(g, g->t_i32, 1, x), "");
    LLVMValueRef up = LLVMBuildAdd(b, odd, ints(g, g->t_i32, 0x7fff, x), "");
    LLVMValueRef rounded = LLVMBuildAdd(b, bits, up, "");
    LLVMValueRef quiet = LLVMBuildOr(b, bits, ints(g, g->t_i32, 0x400000, x), "");
    return upper_halves(g, LLVMBuildSelect(b, is_nan(g, x), quiet, rounded, ""));
}

/* ---- small floats by integer arithmetic -------------------------------------------------------- */

/* e exponent bits, m stored bits of the significand. finite: no infinity; all ones is NaN. */
struct format {
    int exponent_bits, digits, bias;
    bool finite;
};
static const struct format format_f16 = {5, 10, 15, false};
static const struct format format_e4m3 = {4, 3, 7, true};
static const struct format format_e5m2 = {5, 2, 15, false};

/* x has the bits right-aligned in i32. Shift them to where f32 has them and scale by a power of two:
 * exact, subnormal numbers included. */
static LLVMValueRef widen(struct gen *g, LLVMValueRef x, const struct format *f)
{
    LLVMBuilderRef b = g->b;
    int all = f->exponent_bits + f->digits;
    LLVMValueRef sign =
        LLVMBuildShl(b, LLVMBuildAnd(b, x, ints(g, g->t_i32, (int64_t)1 << all, x), ""),
                     ints(g, g->t_i32, 31 - all, x), "");
    LLVMValueRef rest = LLVMBuildAnd(b, x, ints(g, g->t_i32, ((int64_t)1 << all) - 1, x), "");
    LLVMValueRef moved = LLVMBuildShl(b, rest, ints(g, g->t_i32, 23 - f->digits, x), "");
    union {
        uint32_t u;
        float f;
    } power = {.u = (uint32_t)(254 - f->bias) << 23};
    LLVMValueRef scale = gen_floats(g, g->t_f32, (double)power.f, x);
    LLVMValueRef v = LLVMBuildFMul(b, gen_bits(g, moved, g->t_f32), scale, "");
    LLVMValueRef bits = gen_bits(g, v, g->t_i32);
    int64_t top = (((int64_t)1 << f->exponent_bits) - 1) << f->digits;
    int64_t nan_only = top | (((int64_t)1 << f->digits) - 1);
    LLVMValueRef special =
        f->finite ? LLVMBuildICmp(b, LLVMIntEQ, rest, ints(g, g->t_i32, nan_only, x), "")
                  : LLVMBuildICmp(b, LLVMIntUGE, rest, ints(g, g->t_i32, top, x), "");
    LLVMValueRef odd = LLVMBuildOr(b, moved, ints(g, g->t_i32, 0x7f800000, x), "");
    bits = LLVMBuildSelect(b, special, odd, bits, "");
    return gen_bits(g, LLVMBuildOr(b, bits, sign, ""), g->t_f32);
}

/* Normal results: rebias and round as for bf16. Subnormal ones: adding 2^(23 + least) makes the f32
 * adder round at the right bit. Too large: infinity, or NaN if there is none. */
static LLVMValueRef narrow(struct gen *g, LLVMValueRef x, const struct format *f)
{
    LLVMBuilderRef b = g->b;
    LLVMTypeRef t = g->t_i32;
    int cut = 23 - f->digits;
    LLVMValueRef bits = gen_bits(g, x, t);
    LLVMValueRef mag = LLVMBuildAnd(b, bits, ints(g, t, 0x7fffffff, x), "");
    LLVMValueRef sign = LLVMBuildLShr(b, LLVMBuildXor(b, bits, mag, ""),
                                      ints(g, t, 31 - f->exponent_bits - f->digits, x), "");
    LLVMValueRef odd =
        LLVMBuildAnd(b, LLVMBuildLShr(b, mag, ints(g, t, cut, x), ""), ints(g, t, 1, x), "");
    int64_t rebias = ((int64_t)(127 - f->bias) << 23) - (((int64_t)1 << (cut - 1)) - 1);
    LLVMValueRef normal = LLVMBuildAdd(b, LLVMBuildSub(b, mag, ints(g, t, rebias, x), ""), odd, "");
    normal = LLVMBuildLShr(b, normal, ints(g, t, cut, x), "");

    int least = 1 - f->bias;
    union {
        uint32_t u;
        float f;
    } magic = {.u = (uint32_t)(127 + least - f->digits + 23) << 23};
    LLVMValueRef anchor = gen_floats(g, g->t_f32, (double)magic.f, x);
    LLVMValueRef small = LLVMBuildFAdd(b, gen_bits(g, mag, g->t_f32), anchor, "");
    small = LLVMBuildSub(b, gen_bits(g, small, t), ints(g, t, (int64_t)magic.u, x), "");

    LLVMValueRef is_small =
        LLVMBuildICmp(b, LLVMIntULT, mag, ints(g, t, (int64_t)(127 + least) << 23, x), "");
    LLVMValueRef v = LLVMBuildSelect(b, is_small, small, normal, "");
    int64_t inf = (((int64_t)1 << f->exponent_bits) - 1) << f->digits;
    int64_t nan =
        f->finite ? inf | (((int64_t)1 << f->digits) - 1) : inf | ((int64_t)1 << (f->digits - 1));
    int64_t limit = f->finite ? nan : inf;
    LLVMValueRef over = LLVMBuildICmp(b, LLVMIntUGE, v, ints(g, t, limit, x), "");
    v = LLVMBuildSelect(b, over, ints(g, t, limit, x), v, "");
    v = LLVMBuildSelect(b, is_nan(g, x), ints(g, t, nan, x), v, "");
    return LLVMBuildOr(b, v, sign, "");
}

/* Every processor with AVX2 has it, and every GPU. */
static bool has_half(const struct gen *g)
{
    if (g->gpu && !g->x86)
        return true;
    return g->x86 && (g->target->facts.vector_bytes >= 32 || has_feature(g, "f16c"));
}

static LLVMValueRef f32_of_narrow(struct gen *g, LLVMValueRef x, enum ir_elem from)
{
    if (from == IR_BF16)
        return f32_of_bf16(g, x);
    if (from == IR_F16 && has_half(g))
        return LLVMBuildFPExt(g->b, gen_bits(g, x, g->t_half), gen_shape(g, g->t_f32, x), "");
    LLVMValueRef bits = LLVMBuildZExt(g->b, x, gen_shape(g, g->t_i32, x), "");
    return widen(g, bits,
                 from == IR_F16      ? &format_f16
                 : from == IR_F8E4M3 ? &format_e4m3
                                     : &format_e5m2);
}

static LLVMValueRef narrow_of_f32(struct gen *g, LLVMValueRef x, enum ir_elem to)
{
    LLVMValueRef quick = to == IR_BF16 || to == IR_F16 ? gen_hardware_narrow(g, x, to) : NULL;
    if (quick)
        return quick;
    if (to == IR_BF16)
        return bf16_of_f32(g, x);
    if (to == IR_F16 && has_half(g))
        return gen_bits(g, LLVMBuildFPTrunc(g->b, x, gen_shape(g, g->t_half, x), ""), g->t_i16);
    LLVMValueRef v = narrow(g, x,
                            to == IR_F16      ? &format_f16
                            : to == IR_F8E4M3 ? &format_e4m3
                                              : &format_e5m2);
    return LLVMBuildTrunc(g->b, v, gen_shape(g, gen_type(g, to), x), "");
}

/* ---- f64 to narrow ----------------------------------------------------------------------------- */

/* f64 to f32 rounded to odd: if inexact, the neighbour with the last bit set. The second rounding
 * then sees which side the value was on, so both together round once. */
static LLVMValueRef odd_f32(struct gen *g, LLVMValueRef x)
{
    LLVMBuilderRef b = g->b;
    LLVMValueRef y = LLVMBuildFPTrunc(b, x, gen_shape(g, g->t_f32, x), "");
    LLVMValueRef back = LLVMBuildFPExt(b, y, gen_shape(g, g->t_f64, x), "");
    LLVMValueRef inexact = LLVMBuildFCmp(b, LLVMRealONE, back, x, "");
    LLVMValueRef bits = gen_bits(g, y, g->t_i32);
    LLVMValueRef one = ints(g, g->t_i32, 1, x);
    LLVMValueRef even =
        LLVMBuildICmp(b, LLVMIntEQ, LLVMBuildAnd(b, bits, one, ""), ints(g, g->t_i32, 0, x), "");
    LLVMValueRef low = LLVMBuildFCmp(b, LLVMRealOLT, gen_unary_intrinsic(g, "llvm.fabs", back),
                                     gen_unary_intrinsic(g, "llvm.fabs", x), "");
    LLVMValueRef step = LLVMBuildSelect(b, low, one, ints(g, g->t_i32, -1, x), "");
    LLVMValueRef moved = LLVMBuildAdd(b, bits, step, "");
    LLVMValueRef move = LLVMBuildAnd(b, inexact, even, "");
    return gen_bits(g, LLVMBuildSelect(b, move, moved, bits, ""), g->t_f32);
}

/* Option round_bias: x moves up or down by 2^-20 of its size before it is rounded. */
static LLVMValueRef biased(struct gen *g, LLVMValueRef x)
{
    if (!g->options->round_bias)
        return x;
    LLVMValueRef part = gen_floats(g, g->t_f64, g->options->round_bias * 0x1p-20, x);
    LLVMValueRef size = gen_unary_intrinsic(g, "llvm.fabs", x);
    return LLVMBuildFAdd(g->b, x, LLVMBuildFMul(g->b, size, part, ""), "");
}

/* ---- floats ------------------------------------------------------------------------------------ */

static LLVMValueRef float_to_float(struct gen *g, LLVMValueRef x, enum ir_elem from,
                                   enum ir_elem to)
{
    if (is_narrow(from)) {
        x = f32_of_narrow(g, x, from);
        from = IR_F32;
    }
    if (from == to)
        return x;
    if (from == IR_F32)
        return to == IR_F64 ? LLVMBuildFPExt(g->b, x, gen_shape(g, g->t_f64, x), "")
                            : narrow_of_f32(g, x, to);
    if (to == IR_F32)
        return LLVMBuildFPTrunc(g->b, x, gen_shape(g, g->t_f32, x), "");
    return narrow_of_f32(g, odd_f32(g, biased(g, x)), to);
}

static LLVMValueRef float_to_int(struct gen *g, LLVMValueRef x, enum ir_elem from, enum ir_elem to)
{
    if (is_narrow(from))
        x = f32_of_narrow(g, x, from);
    LLVMTypeRef types[] = {gen_shape(g, gen_type(g, to), x), LLVMTypeOf(x)};
    const char *name = ir_elem_is_signed(to) ? "llvm.fptosi.sat" : "llvm.fptoui.sat";
    return gen_intrinsic(g, name, types, 2, &x, 1);
}

/* 64-bit integers of more than 53 bits: the bits that f64 cannot hold are or-ed into the last one it
 * can, which is rounding to odd. */
static LLVMValueRef sticky(struct gen *g, LLVMValueRef x, bool sign)
{
    LLVMBuilderRef b = g->b;
    LLVMValueRef low = LLVMBuildAnd(b, x, ints(g, g->t_i64, 0x7ff, x), "");
    LLVMValueRef lost = LLVMBuildICmp(b, LLVMIntNE, low, ints(g, g->t_i64, 0, x), "");
    LLVMValueRef bit =
        LLVMBuildSelect(b, lost, ints(g, g->t_i64, 0x800, x), ints(g, g->t_i64, 0, x), "");
    LLVMValueRef odd = LLVMBuildOr(b, LLVMBuildXor(b, x, low, ""), bit, "");
    LLVMValueRef span = LLVMBuildAdd(b, x, ints(g, g->t_i64, sign ? (int64_t)1 << 53 : 0, x), "");
    int64_t most = sign ? (int64_t)1 << 54 : (int64_t)1 << 53;
    LLVMValueRef exact = LLVMBuildICmp(b, LLVMIntULE, span, ints(g, g->t_i64, most, x), "");
    return LLVMBuildSelect(b, exact, x, odd, "");
}

static LLVMValueRef int_to_float(struct gen *g, LLVMValueRef x, enum ir_elem from, enum ir_elem to)
{
    bool sign = from != IR_BOOL && ir_elem_is_signed(from);
    enum ir_elem via = to;
    if (is_narrow(to)) {
        via = IR_F64;
        if (from != IR_BOOL && ir_elem_bits(from) == 64)
            x = sticky(g, x, sign);
    }
    LLVMTypeRef t = gen_shape(g, gen_type(g, via), x);
    LLVMValueRef v = sign ? LLVMBuildSIToFP(g->b, x, t, "") : LLVMBuildUIToFP(g->b, x, t, "");
    return is_narrow(to) ? narrow_of_f32(g, odd_f32(g, v), to) : v;
}

static LLVMValueRef int_to_int(struct gen *g, LLVMValueRef x, enum ir_elem from, enum ir_elem to)
{
    LLVMTypeRef t = gen_shape(g, gen_type(g, to), x);
    unsigned a = from == IR_BOOL ? 1 : ir_elem_bits(from), b = ir_elem_bits(to);
    if (a == b)
        return x;
    if (b < a)
        return LLVMBuildTrunc(g->b, x, t, "");
    return from != IR_BOOL && ir_elem_is_signed(from) ? LLVMBuildSExt(g->b, x, t, "")
                                                      : LLVMBuildZExt(g->b, x, t, "");
}

static LLVMValueRef to_bool(struct gen *g, LLVMValueRef x, enum ir_elem from)
{
    if (!ir_elem_is_float(from))
        return LLVMBuildICmp(g->b, LLVMIntNE, x, LLVMConstNull(LLVMTypeOf(x)), "");
    if (is_narrow(from))
        x = f32_of_narrow(g, x, from);
    return LLVMBuildFCmp(g->b, LLVMRealUNE, x, LLVMConstNull(LLVMTypeOf(x)), "");
}

LLVMValueRef gen_cast(struct gen *g, LLVMValueRef x, enum ir_elem from, enum ir_elem to)
{
    if (from == to)
        return x;
    if (to == IR_BOOL)
        return to_bool(g, x, from);
    bool f = ir_elem_is_float(from), t = ir_elem_is_float(to);
    return f && t ? float_to_float(g, x, from, to)
           : f    ? float_to_int(g, x, from, to)
           : t    ? int_to_float(g, x, from, to)
                  : int_to_int(g, x, from, to);
}
