/* Large angles without the C library: x - k pi/2 for any f32 by multiplying with enough bits of 2/pi
 * (Payne and Hanek). Only the bits that matter for x's exponent are used: those above give whole
 * turns, those below nothing. */
#include "codegen/internal.h"

/* 2/pi, a quarter of it, in words; the leading 0 is for the smallest exponents. */
static const int64_t two_over_pi[] = {0,          0x28be60db, 0x9391054a, 0x7f09d5f4,
                                      0x7d4d3770, 0x36d8a566, 0x4f10e410, 0x7f9458eb};

static LLVMValueRef word(struct gen *g, int64_t v)
{
    return gen_int(g, g->t_i32, v);
}

static LLVMValueRef wide(struct gen *g, LLVMValueRef v)
{
    return LLVMBuildZExt(g->b, v, g->t_i64, "");
}

/* Word `at` + skip of the table, 0 <= at <= 4. */
static LLVMValueRef table_word(struct gen *g, LLVMValueRef at, int skip)
{
    LLVMValueRef v = word(g, two_over_pi[skip]);
    for (int i = 1; i <= 4 && i + skip < 8; i++) {
        LLVMValueRef here = LLVMBuildICmp(g->b, LLVMIntEQ, at, word(g, i), "");
        v = LLVMBuildSelect(g->b, here, word(g, two_over_pi[i + skip]), v, "");
    }
    return v;
}

/* x * 2/pi as a fixed-point number: two bits of quadrant, 62 of fraction. */
static LLVMValueRef quarter_turns(struct gen *g, LLVMValueRef bits)
{
    LLVMBuilderRef b = g->b;
    LLVMValueRef m =
        LLVMBuildOr(b, LLVMBuildAnd(b, bits, word(g, 0x7fffff), ""), word(g, 0x800000), "");
    m = LLVMBuildShl(b, m, word(g, 8), "");
    LLVMValueRef e = LLVMBuildAnd(b, LLVMBuildLShr(b, bits, word(g, 23), ""), word(g, 255), "");
    e = LLVMBuildSub(b, e, word(g, 126), "");
    LLVMValueRef at = LLVMBuildLShr(b, e, word(g, 5), ""), words[3];
    for (int i = 0; i < 3; i++) {
        LLVMValueRef args[] = {table_word(g, at, i), table_word(g, at, i + 1),
                               LLVMBuildAnd(b, e, word(g, 31), "")};
        words[i] = gen_intrinsic(g, "llvm.fshl", &g->t_i32, 1, args, 3);
    }
    LLVMValueRef p = LLVMBuildMul(b, wide(g, m), wide(g, words[2]), "");
    p = LLVMBuildLShr(b, p, gen_int(g, g->t_i64, 32), "");
    p = LLVMBuildAdd(b, p, LLVMBuildMul(b, wide(g, m), wide(g, words[1]), ""), "");
    LLVMValueRef high = wide(g, LLVMBuildMul(b, m, words[0], ""));
    return LLVMBuildAdd(b, p, LLVMBuildShl(b, high, gen_int(g, g->t_i64, 32), ""), "");
}

LLVMValueRef gen_reduce_large_angle(struct gen *g, LLVMValueRef x, LLVMValueRef *quadrant)
{
    LLVMBuilderRef b = g->b;
    LLVMValueRef bits = LLVMBuildBitCast(b, x, g->t_i32, ""), p = quarter_turns(g, bits);
    LLVMValueRef half = gen_int(g, g->t_i64, INT64_C(1) << 61), at = gen_int(g, g->t_i64, 62);
    LLVMValueRef q = LLVMBuildLShr(b, LLVMBuildAdd(b, p, half, ""), at, "");
    LLVMValueRef rest = LLVMBuildSub(b, p, LLVMBuildShl(b, q, at, ""), "");
    LLVMValueRef d = LLVMBuildSIToFP(b, rest, g->t_f64, "");
    d = LLVMBuildFMul(b, d, LLVMConstReal(g->t_f64, 0x1.921fb54442d18p-62), "");
    LLVMValueRef r = LLVMBuildFPTrunc(b, d, g->t_f32, "");
    q = LLVMBuildTrunc(b, q, g->t_i32, "");
    LLVMValueRef negative = LLVMBuildICmp(b, LLVMIntSLT, bits, word(g, 0), "");
    *quadrant = LLVMBuildSelect(b, negative, LLVMBuildNeg(b, q, ""), q, "");
    r = LLVMBuildSelect(b, negative, LLVMBuildFNeg(b, r, ""), r, "");
    /* Infinities and NaN give NaN. */
    return LLVMBuildFAdd(b, r, LLVMBuildFSub(b, x, x, ""), "");
}
