/* f64 functions for GPUs, which have no C library: 1 to 2 ulp, 8 for sin and cos of large angles
 * (beyond 2^51 NaN), 1e-13 for pow. Scalars. Kernels seldom need them, so they are short rather than
 * fast. */
#include "codegen/internal.h"

#include <math.h>

/* ---- small words ------------------------------------------------------------------------------- */

static LLVMValueRef d(struct gen *g, double v)
{
    return LLVMConstReal(g->t_f64, v);
}

static LLVMValueRef n64(struct gen *g, int64_t v)
{
    return gen_int(g, g->t_i64, v);
}

static LLVMValueRef add(struct gen *g, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFAdd(g->b, a, b, "");
}

static LLVMValueRef sub(struct gen *g, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFSub(g->b, a, b, "");
}

static LLVMValueRef mul(struct gen *g, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFMul(g->b, a, b, "");
}

static LLVMValueRef over(struct gen *g, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFDiv(g->b, a, b, "");
}

static LLVMValueRef fma64(struct gen *g, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
    LLVMValueRef args[] = {a, b, c};
    return gen_intrinsic(g, "llvm.fma", &g->t_f64, 1, args, 3);
}

static LLVMValueRef pick(struct gen *g, LLVMValueRef c, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildSelect(g->b, c, a, b, "");
}

static LLVMValueRef cmp(struct gen *g, LLVMRealPredicate p, LLVMValueRef a, double b)
{
    return LLVMBuildFCmp(g->b, p, a, d(g, b), "");
}

static LLVMValueRef bits_of(struct gen *g, LLVMValueRef x)
{
    return LLVMBuildBitCast(g->b, x, g->t_i64, "");
}

static LLVMValueRef of_bits(struct gen *g, LLVMValueRef x)
{
    return LLVMBuildBitCast(g->b, x, g->t_f64, "");
}

static LLVMValueRef absolute(struct gen *g, LLVMValueRef x)
{
    return gen_unary_intrinsic(g, "llvm.fabs", x);
}

static LLVMValueRef with_sign_of(struct gen *g, LLVMValueRef x, LLVMValueRef sign)
{
    LLVMValueRef args[] = {x, sign};
    return gen_intrinsic(g, "llvm.copysign", &g->t_f64, 1, args, 2);
}

/* c[0] x^(n-1) + ... + c[n-1] */
static LLVMValueRef poly(struct gen *g, LLVMValueRef x, const double *c, size_t n)
{
    LLVMValueRef p = d(g, c[0]);
    for (size_t i = 1; i < n; i++)
        p = fma64(g, p, x, d(g, c[i]));
    return p;
}
#define POLY(g, x, c) poly((g), (x), (c), sizeof(c) / sizeof *(c))

/* lo <= x <= hi; NaN stays. */
static LLVMValueRef clamped(struct gen *g, LLVMValueRef x, double lo, double hi)
{
    x = pick(g, cmp(g, LLVMRealOLT, x, lo), d(g, lo), x);
    return pick(g, cmp(g, LLVMRealOGT, x, hi), d(g, hi), x);
}

/* The nearest integer, |x| < 2^51; *bits: its low bits are those of the integer. */
static LLVMValueRef nearest(struct gen *g, LLVMValueRef x, LLVMValueRef *bits)
{
    LLVMValueRef magic = d(g, 0x1.8p52), sum = add(g, x, magic);
    *bits = LLVMBuildSub(g->b, bits_of(g, sum), bits_of(g, magic), "");
    return sub(g, sum, magic);
}

/* ---- exp --------------------------------------------------------------------------------------- */

/* y * 2^n in two steps, so that subnormal and infinite results come out. */
static LLVMValueRef scale(struct gen *g, LLVMValueRef y, LLVMValueRef n)
{
    LLVMValueRef half = LLVMBuildAShr(g->b, n, n64(g, 1), "");
    LLVMValueRef parts[] = {half, LLVMBuildSub(g->b, n, half, "")};
    for (int i = 0; i < 2; i++) {
        LLVMValueRef e = LLVMBuildAdd(g->b, parts[i], n64(g, 1023), "");
        y = mul(g, y, of_bits(g, LLVMBuildShl(g->b, e, n64(g, 52), "")));
    }
    return y;
}

/* e^r 2^n for |r| <= ln(2) / 2. */
static LLVMValueRef exp_reduced(struct gen *g, LLVMValueRef r, LLVMValueRef n)
{
    static const double c[] = {1.0 / 6227020800,
                               1.0 / 479001600,
                               1.0 / 39916800,
                               1.0 / 3628800,
                               1.0 / 362880,
                               1.0 / 40320,
                               1.0 / 5040,
                               1.0 / 720,
                               1.0 / 120,
                               1.0 / 24,
                               1.0 / 6,
                               1.0 / 2,
                               1.0,
                               1.0};
    return scale(g, POLY(g, r, c), n);
}

static LLVMValueRef exp64(struct gen *g, LLVMValueRef x)
{
    LLVMValueRef n;
    x = clamped(g, x, -746, 710);
    LLVMValueRef k = nearest(g, mul(g, x, d(g, 1.44269504088896340736)), &n);
    LLVMValueRef r = fma64(g, k, d(g, -0x1.62e42fefa39efp-1), x);
    return exp_reduced(g, fma64(g, k, d(g, -0x1.abc9e3b39803fp-56), r), n);
}

static LLVMValueRef exp2_64(struct gen *g, LLVMValueRef x)
{
    LLVMValueRef n;
    x = clamped(g, x, -1076, 1025);
    LLVMValueRef k = nearest(g, x, &n);
    return exp_reduced(g, mul(g, sub(g, x, k), d(g, 0.693147180559945309417)), n);
}

/* ---- log --------------------------------------------------------------------------------------- */

/* x = 2^*e m, m in [sqrt(1/2), sqrt(2)), positive and finite: log(m) = f - *less. */
static LLVMValueRef log_parts(struct gen *g, LLVMValueRef x, LLVMValueRef *e, LLVMValueRef *less)
{
    static const double c[] = {1.479819860511658591e-01, 1.531383769920937332e-01,
                               1.818357216161805012e-01, 2.222219843214978396e-01,
                               2.857142874366239149e-01, 3.999999999940941908e-01,
                               6.666666666666735130e-01, 0};
    LLVMBuilderRef b = g->b;
    LLVMValueRef tiny = cmp(g, LLVMRealOLT, x, 0x1p-1022);
    LLVMValueRef bits = bits_of(g, pick(g, tiny, mul(g, x, d(g, 0x1p54)), x));
    LLVMValueRef root = n64(g, 0x3fe6a09e667f3bcd);
    bits = LLVMBuildSub(b, bits, root, "");
    LLVMValueRef low = LLVMBuildAnd(b, bits, n64(g, 0xfffffffffffff), "");
    LLVMValueRef f = sub(g, of_bits(g, LLVMBuildAdd(b, low, root, "")), d(g, 1));
    LLVMValueRef n = LLVMBuildAShr(b, bits, n64(g, 52), "");
    n = LLVMBuildSub(b, n, pick(g, tiny, n64(g, 54), n64(g, 0)), "");
    *e = LLVMBuildSIToFP(b, n, g->t_f64, "");
    LLVMValueRef s = over(g, f, add(g, f, d(g, 2))), half = mul(g, d(g, 0.5), mul(g, f, f));
    LLVMValueRef r = POLY(g, mul(g, s, s), c);
    *less = sub(g, half, mul(g, s, add(g, half, r)));
    return f;
}

/* What logarithms are at 0, infinity, NaN and below 0. */
static LLVMValueRef log_special(struct gen *g, LLVMValueRef x, LLVMValueRef y)
{
    y = pick(g, cmp(g, LLVMRealOEQ, x, 0), d(g, -INFINITY), y);
    y = pick(g, cmp(g, LLVMRealULT, x, 0), d(g, NAN), y);
    return pick(g, cmp(g, LLVMRealOEQ, x, INFINITY), x, y);
}

static LLVMValueRef log64(struct gen *g, LLVMValueRef x)
{
    LLVMValueRef e, less, f = log_parts(g, x, &e, &less);
    less = sub(g, less, mul(g, e, d(g, 1.90821492927058770002e-10)));
    LLVMValueRef y = sub(g, mul(g, e, d(g, 6.93147180369123816490e-01)), sub(g, less, f));
    return log_special(g, x, y);
}

static LLVMValueRef log2_64(struct gen *g, LLVMValueRef x)
{
    LLVMValueRef e, less, f = log_parts(g, x, &e, &less);
    LLVMValueRef y = fma64(g, sub(g, f, less), d(g, 1.44269504088896340736), e);
    return log_special(g, x, y);
}

/* ---- tanh, erf --------------------------------------------------------------------------------- */

static LLVMValueRef tanh64(struct gen *g, LLVMValueRef x)
{
    static const double p[] = {-9.64399179425052238628e-1, -9.92877231001918586564e1,
                               -1.61468768441708447952e3};
    static const double q[] = {1.0, 1.12811678491632931402e2, 2.23548839060100448583e3,
                               4.84406305325125486048e3};
    LLVMValueRef a = absolute(g, x), z = mul(g, x, x);
    LLVMValueRef small = fma64(g, mul(g, x, z), over(g, POLY(g, z, p), POLY(g, z, q)), x);
    LLVMValueRef e = exp64(g, add(g, a, a));
    LLVMValueRef large = sub(g, d(g, 1), over(g, d(g, 2), add(g, e, d(g, 1))));
    return pick(g, cmp(g, LLVMRealOLT, a, 0.625), small, with_sign_of(g, large, x));
}

static LLVMValueRef erf64(struct gen *g, LLVMValueRef x)
{
    static const double t[] = {9.60497373987051638749e0, 9.00260197203842689217e1,
                               2.23200534594684319226e3, 7.00332514112805075473e3,
                               5.55923013010394962768e4};
    static const double u[] = {1.0,
                               3.35617141647503099647e1,
                               5.21357949780152679795e2,
                               4.59432382970980127987e3,
                               2.26290000613890934246e4,
                               4.92673942608635921086e4};
    static const double p[] = {
        2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687e0,
        4.86371970985681366614e1,   1.96520832956077098242e2,  5.26445194995477358631e2,
        9.34528527171957607540e2,   1.02755188689515710272e3,  5.57535335369399327526e2};
    static const double q[] = {1.0,
                               1.32281951154744992508e1,
                               8.67072140885989742329e1,
                               3.54937778887819891062e2,
                               9.75708501743205489753e2,
                               1.82390916687909736289e3,
                               2.24633760818710981792e3,
                               1.65666309194161350182e3,
                               5.57535340817727675546e2};
    LLVMValueRef z = mul(g, x, x);
    LLVMValueRef small = mul(g, x, over(g, POLY(g, z, t), POLY(g, z, u)));
    /* 1 - erfc(|x|), which is 1 from 6 on. */
    LLVMValueRef a = clamped(g, absolute(g, x), 0, 6);
    LLVMValueRef tail = exp64(g, LLVMBuildFNeg(g->b, mul(g, a, a), ""));
    tail = mul(g, tail, over(g, POLY(g, a, p), POLY(g, a, q)));
    LLVMValueRef large = with_sign_of(g, sub(g, d(g, 1), tail), x);
    return pick(g, cmp(g, LLVMRealOLE, absolute(g, x), 1), small, large);
}

/* ---- sin, cos ---------------------------------------------------------------------------------- */

static LLVMValueRef angle64(struct gen *g, LLVMValueRef x, bool cosine)
{
    static const double s[] = {1.58969099521155010221e-10, -2.50507602534068634195e-08,
                               2.75573137070700676789e-06, -1.98412698298579493134e-04,
                               8.33333333332248946124e-03, -1.66666666666666324348e-01};
    static const double c[] = {-1.13596475577881948265e-11,
                               2.08757232129817482790e-09,
                               -2.75573143513906633035e-07,
                               2.48015872894767294178e-05,
                               -1.38888888888741095749e-03,
                               4.16666666666666019037e-02,
                               -0.5,
                               1.0};
    LLVMBuilderRef b = g->b;
    LLVMValueRef q = n64(g, 0), r = x;
    /* The quotient of a large angle is off by a part of a quarter turn: that is what the second round
     * takes away. */
    for (int i = 0; i < 2; i++) {
        LLVMValueRef more, k = nearest(g, mul(g, r, d(g, 0.636619772367581343076)), &more);
        r = fma64(g, k, d(g, -0x1.921fb54442d18p0), r);
        r = fma64(g, k, d(g, -0x1.1a62633145c07p-54), r);
        r = fma64(g, k, d(g, 0x1.f1976b7ed8fbcp-110), r);
        q = LLVMBuildAdd(b, q, more, "");
    }
    if (cosine)
        q = LLVMBuildAdd(b, q, n64(g, 1), "");
    LLVMValueRef z = mul(g, r, r), sine = fma64(g, mul(g, r, z), POLY(g, z, s), r);
    LLVMValueRef v = pick(g, LLVMBuildTrunc(b, q, g->t_i1, ""), POLY(g, z, c), sine);
    LLVMValueRef sign = LLVMBuildShl(b, LLVMBuildAnd(b, q, n64(g, 2), ""), n64(g, 62), "");
    v = of_bits(g, LLVMBuildXor(b, bits_of(g, v), sign, ""));
    v = pick(g, cmp(g, LLVMRealULT, absolute(g, x), 0x1p51), v, d(g, NAN));
    return cosine ? v : pick(g, cmp(g, LLVMRealOEQ, x, 0), x, v);
}

/* ---- all --------------------------------------------------------------------------------------- */

LLVMValueRef gen_math64(struct gen *g, enum ir_opcode op, LLVMValueRef x)
{
    switch ((int)op) {
    case IR_OP_exp: return exp64(g, x);
    case IR_OP_exp2: return exp2_64(g, x);
    case IR_OP_log: return log64(g, x);
    case IR_OP_log2: return log2_64(g, x);
    case IR_OP_sin: return angle64(g, x, false);
    case IR_OP_cos: return angle64(g, x, true);
    case IR_OP_tanh: return tanh64(g, x);
    default: return erf64(g, x);
    }
}

/* y log2(x) as a sum: the part of the exponent is exact. */
LLVMValueRef gen_power64(struct gen *g, LLVMValueRef x, LLVMValueRef y)
{
    LLVMValueRef e, less, f = log_parts(g, x, &e, &less);
    LLVMValueRef m = mul(g, sub(g, f, less), d(g, 1.44269504088896340736));
    LLVMValueRef none = cmp(g, LLVMRealOEQ, x, 0), all = cmp(g, LLVMRealOEQ, x, INFINITY);
    e = pick(g, none, d(g, -INFINITY), pick(g, all, x, e));
    m = pick(g, LLVMBuildOr(g->b, none, all, ""), d(g, 0), m);
    y = clamped(g, y, -1e300, 1e300); /* no infinity, whose parts could cancel */
    LLVMValueRef p = mul(g, y, e), q = mul(g, y, m), t = add(g, p, q);
    LLVMValueRef rest = add(g, sub(g, p, t), q);
    rest = add(g, rest,
               add(g, fma64(g, y, e, LLVMBuildFNeg(g->b, p, "")),
                   fma64(g, y, m, LLVMBuildFNeg(g->b, q, ""))));
    LLVMValueRef v = exp2_64(g, t), finite = cmp(g, LLVMRealOLT, v, INFINITY);
    finite = LLVMBuildAnd(g->b, finite, cmp(g, LLVMRealOLT, absolute(g, t), 1100), "");
    rest = pick(g, finite, mul(g, rest, d(g, 0.693147180559945309417)), d(g, 0));
    return pick(g, finite, fma64(g, v, rest, v), v);
}
