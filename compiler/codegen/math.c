/* Functions beyond the instruction set. f32: polynomials on vectors, errors as stated (measured
 * against f64 over all arguments, with fma; NaN, infinities, zeros and subnormal numbers as the C
 * library has them); where a GPU has an instruction, that one, unless the kernel is @exact
 * (docs/targets.md has the errors). f64: the C library, lane by lane; on a GPU math64.c. */
#include "codegen/internal.h"

#include <math.h>
#include <string.h>

/* ---- small words for f32 vectors --------------------------------------------------------------- */

static LLVMValueRef f(struct gen *g, double v, LLVMValueRef like)
{
    return gen_floats(g, g->t_f32, v, like);
}

static LLVMValueRef n32(struct gen *g, int64_t v, LLVMValueRef like)
{
    return gen_ints(g, g->t_i32, v, like);
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

static LLVMValueRef pick(struct gen *g, LLVMValueRef c, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildSelect(g->b, c, a, b, "");
}

static LLVMValueRef cmp(struct gen *g, LLVMRealPredicate p, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildFCmp(g->b, p, a, b, "");
}

static LLVMValueRef ints_of(struct gen *g, LLVMValueRef x)
{
    return gen_bits(g, x, g->t_i32);
}

static LLVMValueRef floats_of(struct gen *g, LLVMValueRef x)
{
    return gen_bits(g, x, g->t_f32);
}

static LLVMValueRef absolute(struct gen *g, LLVMValueRef x)
{
    return gen_unary_intrinsic(g, "llvm.fabs", x);
}

static LLVMValueRef with_sign_of(struct gen *g, LLVMValueRef x, LLVMValueRef sign)
{
    LLVMTypeRef t = LLVMTypeOf(x);
    LLVMValueRef args[] = {x, sign};
    return gen_intrinsic(g, "llvm.copysign", &t, 1, args, 2);
}

static LLVMValueRef exact_fma(struct gen *g, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z)
{
    LLVMTypeRef t = LLVMTypeOf(x);
    LLVMValueRef args[] = {x, y, z};
    return gen_intrinsic(g, "llvm.fma", &t, 1, args, 3);
}

/* c[0] x^(n-1) + ... + c[n-1], in the element type t. */
static LLVMValueRef poly(struct gen *g, LLVMTypeRef t, LLVMValueRef x, const double *c, size_t n)
{
    LLVMValueRef p = gen_floats(g, t, c[0], x);
    for (size_t i = 1; i < n; i++)
        p = gen_fma(g, p, x, gen_floats(g, t, c[i], x));
    return p;
}
#define POLY(g, x, c) poly((g), (g)->t_f32, (x), (c), sizeof(c) / sizeof *(c))

/* lo <= x <= hi; NaN stays. */
static LLVMValueRef clamped(struct gen *g, LLVMValueRef x, double lo, double hi)
{
    LLVMValueRef a = f(g, lo, x), b = f(g, hi, x);
    x = pick(g, cmp(g, LLVMRealOLT, x, a), a, x);
    return pick(g, cmp(g, LLVMRealOGT, x, b), b, x);
}

/* The nearest integer as a float and as an integer, by adding 1.5 * 2^23: the sum's low bits are the
 * integer, and NaN needs no care. |x| < 2^22. */
static LLVMValueRef nearest(struct gen *g, LLVMValueRef x, LLVMValueRef *integer)
{
    LLVMValueRef magic = f(g, 12582912.0, x);
    LLVMValueRef sum = add(g, x, magic);
    *integer = LLVMBuildSub(g->b, ints_of(g, sum), n32(g, 0x4b400000, x), "");
    return sub(g, sum, magic);
}

/* y * 2^n for -252 <= n <= 254, in two steps so that subnormal and infinite results come out. */
static LLVMValueRef scale(struct gen *g, LLVMValueRef y, LLVMValueRef n)
{
    LLVMValueRef half = LLVMBuildAShr(g->b, n, n32(g, 1, y), "");
    LLVMValueRef parts[] = {half, LLVMBuildSub(g->b, n, half, "")};
    for (int i = 0; i < 2; i++) {
        LLVMValueRef e = LLVMBuildAdd(g->b, parts[i], n32(g, 127, y), "");
        y = mul(g, y, floats_of(g, LLVMBuildShl(g->b, e, n32(g, 23, y), "")));
    }
    return y;
}

/* ---- sixteen lanes at a time: AVX-512 ---------------------------------------------------------- */

/* Fewer lanes ride in a whole register, so that a value's bits do not depend on its neighbours. */
static LLVMValueRef whole_registers(struct gen *g, LLVMValueRef x)
{
    unsigned width = gen_width_of(x);
    return width % 16 ? gen_widened(g, x, (width + 15) / 16 * 16) : x;
}

static LLVMValueRef first_lanes(struct gen *g, LLVMValueRef x, unsigned width)
{
    return gen_width_of(x) == width ? x : gen_lanes(g, x, 0, width);
}

/* `part` as lanes at .. at + 16 behind those of `all`. */
static LLVMValueRef with_register(struct gen *g, LLVMValueRef all, LLVMValueRef part, unsigned at)
{
    LLVMValueRef lanes[1024];
    if (!at)
        return part;
    for (unsigned i = 0; i < at + 16; i++)
        lanes[i] = gen_int(g, g->t_i32, i);
    return LLVMBuildShuffleVector(g->b, all, gen_widened(g, part, at),
                                  LLVMConstVector(lanes, at + 16), "");
}

/* `of` sixteen lanes of x, and of y's where there is a y, until there are no more. */
static LLVMValueRef by_register(struct gen *g,
                                LLVMValueRef (*of)(struct gen *, LLVMValueRef, LLVMValueRef),
                                LLVMValueRef x, LLVMValueRef y)
{
    LLVMValueRef all = NULL;
    for (unsigned at = 0; at < gen_width_of(x); at += 16)
        all = with_register(g, all,
                            of(g, gen_lanes(g, x, at, 16), y ? gen_lanes(g, y, at, 16) : NULL), at);
    return all;
}

/* y * 2^floor(k), rightly at all exponents. */
static LLVMValueRef scale_register(struct gen *g, LLVMValueRef y, LLVMValueRef k)
{
    LLVMValueRef args[] = {y, k, y, gen_int(g, g->t_i16, -1),
                           gen_int(g, g->t_i32, 4)}; /* rounding as it is set */
    return gen_intrinsic(g, "llvm.x86.avx512.mask.scalef.ps.512", NULL, 0, args, 5);
}

/* 2^(i / 16) for the low four bits i of each lane. */
static LLVMValueRef roots_register(struct gen *g, LLVMValueRef i, LLVMValueRef none)
{
    (void)none;
    LLVMValueRef roots[16];
    for (int n = 0; n < 16; n++)
        roots[n] = LLVMConstReal(g->t_f32, exp2(n / 16.0));
    LLVMValueRef args[] = {LLVMConstVector(roots, 16), i};
    return gen_intrinsic(g, "llvm.x86.avx512.permvar.sf.512", NULL, 0, args, 2);
}

/* x less the nearest sixteenth; 0 for infinities. */
static LLVMValueRef fraction_register(struct gen *g, LLVMValueRef x, LLVMValueRef none)
{
    (void)none;
    LLVMValueRef args[] = {x, gen_int(g, g->t_i32, 4 << 4), /* to four bits behind the point */
                           x, gen_int(g, g->t_i16, -1), gen_int(g, g->t_i32, 4)};
    return gen_intrinsic(g, "llvm.x86.avx512.mask.reduce.ps.512", NULL, 0, args, 5);
}

#define SIXTEENTHS 786432.0 /* 1.5 * 2^19 */

/* 2^k e^r for |r| <= ln(2) / 32. Adding SIXTEENTHS makes k whole sixteenths: how many is in the sum's
 * low bits. The roots are a table in one register and leave a short polynomial. */
static LLVMValueRef exp_lanes(struct gen *g, LLVMValueRef x)
{
    x = clamped(g, x, -104.0, 89.0);
    LLVMValueRef sum = exact_fma(g, x, f(g, 1.44269504088896341, x), f(g, SIXTEENTHS, x));
    LLVMValueRef k = sub(g, sum, f(g, SIXTEENTHS, x));
    LLVMValueRef r = exact_fma(g, k, f(g, -0x1.62e43p-1, x), x);
    LLVMValueRef p = gen_fma(g, r, f(g, 0.16667024, r), f(g, 0.5000162, r));
    p = gen_fma(g, mul(g, r, r), p, exact_fma(g, k, f(g, 0x1.05c61p-29, x), r));
    LLVMValueRef root = by_register(g, roots_register, ints_of(g, sum), NULL);
    return by_register(g, scale_register, gen_fma(g, root, p, root), k);
}

/* 2^x alike, without a clamp: where x + SIXTEENTHS loses the sixteenths, x is so large that the
 * result is 0 or infinite, and any of the roots will do. */
static LLVMValueRef exp2_lanes(struct gen *g, LLVMValueRef x)
{
    static const double c[] = {0.0555041087, 0.240226507, 0.693147182};
    LLVMValueRef r = by_register(g, fraction_register, x, NULL);
    LLVMValueRef p = mul(g, POLY(g, r, c), r);
    LLVMValueRef sum = add(g, x, f(g, SIXTEENTHS, x));
    LLVMValueRef root = by_register(g, roots_register, ints_of(g, sum), NULL);
    return by_register(g, scale_register, gen_fma(g, root, p, root), sub(g, x, r));
}

/* ---- exp, exp2: 1.03 ulp, 1.06 ulp; without AVX-512 1.01 ulp, 1.02 ulp -------------------------- */

/* e^r for |r| <= ln(2) / 2. */
static LLVMValueRef exp_reduced(struct gen *g, LLVMValueRef r)
{
    static const double c[] = {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3,
                               4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1};
    LLVMValueRef p = gen_fma(g, POLY(g, r, c), mul(g, r, r), r);
    return add(g, p, f(g, 1.0, r));
}

static LLVMValueRef gen_exp(struct gen *g, LLVMValueRef x)
{
    if (gen_has_hardware(g, x))
        return gen_hardware(g, LANE_EX2, mul(g, x, f(g, 1.44269504088896341, x)));
    if (g->avx512)
        return first_lanes(g, exp_lanes(g, whole_registers(g, x)), gen_width_of(x));
    x = clamped(g, x, -104.0, 89.0);
    LLVMValueRef n, k = nearest(g, mul(g, x, f(g, 1.44269504088896341, x)), &n);
    LLVMValueRef r = gen_fma(g, k, f(g, -0.693359375, x), x);
    r = gen_fma(g, k, f(g, 2.12194440e-4, x), r);
    return scale(g, exp_reduced(g, r), n);
}

static LLVMValueRef gen_exp2(struct gen *g, LLVMValueRef x)
{
    if (gen_has_hardware(g, x))
        return gen_hardware(g, LANE_EX2, x);
    if (g->avx512)
        return first_lanes(g, exp2_lanes(g, whole_registers(g, x)), gen_width_of(x));
    x = clamped(g, x, -151.0, 129.0);
    LLVMValueRef n, k = nearest(g, x, &n);
    LLVMValueRef r = mul(g, sub(g, x, k), f(g, 0.693147180559945309, x));
    return scale(g, exp_reduced(g, r), n);
}

/* ---- log, log2: 0.9 ulp, 1.2 ulp --------------------------------------------------------------- */

/* x = 2^e * (1 + m), 1 + m in [sqrt(1/2), sqrt(2)); x positive and finite. */
static LLVMValueRef split(struct gen *g, LLVMValueRef x, LLVMValueRef *m)
{
    LLVMValueRef tiny = cmp(g, LLVMRealOLT, x, f(g, 0x1p-126, x));
    LLVMValueRef bits = ints_of(g, pick(g, tiny, mul(g, x, f(g, 0x1p23, x)), x));
    LLVMValueRef root = n32(g, 0x3f3504f3, x);
    bits = LLVMBuildSub(g->b, bits, root, "");
    LLVMValueRef e = LLVMBuildAShr(g->b, bits, n32(g, 23, x), "");
    LLVMValueRef low = LLVMBuildAnd(g->b, bits, n32(g, 0x7fffff, x), "");
    *m = sub(g, floats_of(g, LLVMBuildAdd(g->b, low, root, "")), f(g, 1.0, x));
    e = LLVMBuildSub(g->b, e, pick(g, tiny, n32(g, 23, x), n32(g, 0, x)), "");
    return LLVMBuildSIToFP(g->b, e, LLVMTypeOf(x), "");
}

/* log(1 + m) - m */
static LLVMValueRef log_tail(struct gen *g, LLVMValueRef m)
{
    static const double c[] = {7.0376836292e-2,  -1.1514610310e-1, 1.1676998740e-1,
                               -1.2420140846e-1, 1.4249322787e-1,  -1.6668057665e-1,
                               2.0000714765e-1,  -2.4999993993e-1, 3.3333331174e-1};
    LLVMValueRef z = mul(g, m, m);
    LLVMValueRef y = mul(g, mul(g, POLY(g, m, c), m), z);
    return gen_fma(g, f(g, -0.5, m), z, y);
}

/* What logarithms are at 0, infinity, NaN and below 0. */
static LLVMValueRef log_special(struct gen *g, LLVMValueRef x, LLVMValueRef y)
{
    LLVMValueRef inf = floats_of(g, n32(g, 0x7f800000, x));
    LLVMValueRef nan = floats_of(g, n32(g, 0x7fc00000, x));
    y = pick(g, cmp(g, LLVMRealOEQ, x, f(g, 0.0, x)), LLVMBuildFNeg(g->b, inf, ""), y);
    y = pick(g, cmp(g, LLVMRealULT, x, f(g, 0.0, x)), nan, y);
    return pick(g, cmp(g, LLVMRealOEQ, x, inf), inf, y);
}

static LLVMValueRef gen_log(struct gen *g, LLVMValueRef x)
{
    if (gen_has_hardware(g, x))
        return mul(g, gen_hardware(g, LANE_LG2, x), f(g, 0.693147180559945309, x));
    LLVMValueRef m, e = split(g, x, &m);
    LLVMValueRef y = gen_fma(g, e, f(g, -2.12194440e-4, x), log_tail(g, m));
    y = gen_fma(g, e, f(g, 0.693359375, x), add(g, m, y));
    return log_special(g, x, y);
}

static LLVMValueRef gen_log2(struct gen *g, LLVMValueRef x)
{
    if (gen_has_hardware(g, x))
        return gen_hardware(g, LANE_LG2, x);
    LLVMValueRef m, e = split(g, x, &m), y = log_tail(g, m);
    LLVMValueRef a = f(g, 0.44269504088896340736, x); /* log2(e) - 1 */
    LLVMValueRef z = gen_fma(g, m, a, mul(g, y, a));
    z = add(g, add(g, add(g, z, y), m), e);
    return log_special(g, x, z);
}

/* ---- tanh, erf: 1.4 ulp, 1.1 ulp --------------------------------------------------------------- */

/* 2 / x */
static LLVMValueRef twice_inverse(struct gen *g, LLVMValueRef x)
{
    LLVMValueRef two = f(g, 2.0, x), r = gen_hardware(g, LANE_RCP, x);
    return r ? mul(g, two, r) : LLVMBuildFDiv(g->b, two, x, "");
}

static LLVMValueRef gen_tanh(struct gen *g, LLVMValueRef x)
{
    static const double c[] = {-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2,
                               1.33314422036e-1, -3.33332819422e-1};
    LLVMValueRef a = absolute(g, x), z = mul(g, x, x);
    LLVMValueRef small = gen_fma(g, mul(g, POLY(g, z, c), z), x, x);
    LLVMValueRef e = gen_exp(g, add(g, a, a));
    LLVMValueRef q = twice_inverse(g, add(g, e, f(g, 1.0, x)));
    LLVMValueRef large = sub(g, f(g, 1.0, x), q);
    return with_sign_of(g, pick(g, cmp(g, LLVMRealOLT, a, f(g, 0.625, x)), small, large), x);
}

static LLVMValueRef gen_erf(struct gen *g, LLVMValueRef x)
{
    static const double near[] = {-5.96761703e-4, 4.99119423e-3,  -2.67681349e-2,
                                  1.12819925e-1,  -3.76125336e-1, 1.28379166e-1};
    LLVMValueRef a = absolute(g, x), z = mul(g, x, x);
    LLVMValueRef small = gen_fma(g, POLY(g, z, near), x, x);
    /* 1 - exp(p(|x|)) */
    LLVMValueRef r = gen_fma(g, f(g, -1.72853470e-5, x), a, f(g, 3.83197126e-4, x));
    LLVMValueRef u = gen_fma(g, f(g, -3.88396438e-3, x), a, f(g, 2.42546219e-2, x));
    static const double far[] = {-1.06777877e-1, -6.34846687e-1, -1.28717512e-1};
    r = gen_fma(g, r, z, u);
    for (int i = 0; i < 3; i++)
        r = gen_fma(g, r, a, f(g, far[i], x));
    r = gen_fma(g, r, a, LLVMBuildFNeg(g->b, a, ""));
    /* Beyond 4 the result is 1, and the polynomial no longer falls. */
    r = pick(g, cmp(g, LLVMRealOGT, a, f(g, 4.0, x)), f(g, -30.0, x), r);
    LLVMValueRef large = with_sign_of(g, sub(g, f(g, 1.0, x), gen_exp(g, r)), x);
    return pick(g, cmp(g, LLVMRealUGT, a, f(g, 0.927734375, x)), large, small);
}

/* ---- sin, cos: 1.0 ulp, 1.2 ulp ---------------------------------------------------------------- */

/* x - k pi/2 in three steps, and k. Good for |x| up to 48039. */
static LLVMValueRef reduce_angle(struct gen *g, LLVMValueRef x, LLVMValueRef *quadrant)
{
    LLVMValueRef k = nearest(g, mul(g, x, f(g, 0.636619772367581343, x)), quadrant);
    LLVMValueRef r = exact_fma(g, k, f(g, -0x1.921fb6p+0, x), x);
    r = exact_fma(g, k, f(g, 0x1.777a5cp-25, x), r);
    return exact_fma(g, k, f(g, 0x1.ee59dap-50, x), r);
}

/* Of x, which is r and q quarter turns. */
static LLVMValueRef angle_function(struct gen *g, LLVMValueRef x, LLVMValueRef r, LLVMValueRef q,
                                   bool cosine)
{
    static const double s[] = {2.86567956e-6, -1.98559923e-4, 8.33338592e-3, -1.66666672e-1};
    static const double c[] = {2.44677067e-5, -1.38877297e-3, 4.16666567e-2, -5.00000000e-1, 1.0};
    LLVMValueRef z = mul(g, r, r);
    if (cosine)
        q = LLVMBuildAdd(g->b, q, n32(g, 1, x), "");
    LLVMValueRef sine = gen_fma(g, POLY(g, z, s), mul(g, r, z), r);
    LLVMValueRef odd = LLVMBuildTrunc(g->b, q, gen_shape(g, g->t_i1, x), "");
    LLVMValueRef v = pick(g, odd, POLY(g, z, c), sine);
    LLVMValueRef sign =
        LLVMBuildShl(g->b, LLVMBuildAnd(g->b, q, n32(g, 2, x), ""), n32(g, 30, x), "");
    v = floats_of(g, LLVMBuildXor(g->b, ints_of(g, v), sign, ""));
    /* The sine of -0 is -0. */
    return cosine ? v : pick(g, cmp(g, LLVMRealOEQ, x, f(g, 0, x)), x, v);
}

/* ---- the C library ----------------------------------------------------------------------------- */

static LLVMValueRef library(struct gen *g, const char *name, LLVMTypeRef t, unsigned count)
{
    LLVMValueRef fn = LLVMGetNamedFunction(g->module, name);
    LLVMTypeRef params[] = {t, t};
    if (!fn) {
        fn = LLVMAddFunction(g->module, name, LLVMFunctionType(t, params, count, false));
        unsigned kinds[] = {LLVMGetEnumAttributeKindForName("nounwind", 8),
                            LLVMGetEnumAttributeKindForName("willreturn", 10)};
        for (int i = 0; i < 2; i++)
            LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex,
                                    LLVMCreateEnumAttribute(g->context, kinds[i], 0));
    }
    return fn;
}

static LLVMValueRef call_library(struct gen *g, const char *name, LLVMValueRef *x, unsigned count)
{
    LLVMTypeRef whole = LLVMTypeOf(x[0]);
    bool vector = LLVMGetTypeKind(whole) == LLVMVectorTypeKind;
    LLVMTypeRef t = vector ? LLVMGetElementType(whole) : whole, params[] = {t, t};
    LLVMValueRef fn = library(g, name, t, count);
    LLVMTypeRef type = LLVMFunctionType(t, params, count, false);
    if (!vector)
        return LLVMBuildCall2(g->b, type, fn, x, count, "");
    LLVMValueRef all = LLVMGetPoison(whole);
    for (unsigned i = 0; i < LLVMGetVectorSize(whole); i++) {
        LLVMValueRef args[2];
        for (unsigned j = 0; j < count; j++)
            args[j] = gen_lane(g, x[j], i);
        LLVMValueRef v = LLVMBuildCall2(g->b, type, fn, args, count, "");
        all = LLVMBuildInsertElement(g->b, all, v, gen_int(g, g->t_i32, i), "");
    }
    return all;
}

/* ---- angles too large for the reduction -------------------------------------------------------- */

static LLVMValueRef large_angle(struct gen *g, LLVMValueRef x, bool cosine)
{
    LLVMValueRef q, r;
    if (!g->gpu)
        return call_library(g, cosine ? "cosf" : "sinf", &x, 1);
    r = gen_reduce_large_angle(g, x, &q);
    return angle_function(g, x, r, q, cosine);
}

/* fn(x) = any |x| > 48039 ? lane by lane the hard way : the polynomial. A function of its own, since
 * it branches and where it is used must not. */
static void fill_angle(struct gen *g, LLVMValueRef fn, bool cosine)
{
    LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(g->context, fn, "");
    LLVMBasicBlockRef fast = LLVMAppendBasicBlockInContext(g->context, fn, "fast");
    LLVMBasicBlockRef slow = LLVMAppendBasicBlockInContext(g->context, fn, "slow");
    LLVMValueRef x = LLVMGetParam(fn, 0);
    LLVMPositionBuilderAtEnd(g->b, entry);
    LLVMValueRef large = cmp(g, LLVMRealUGT, absolute(g, x), f(g, 48039.0, x));
    if (gen_width_of(x) > 1)
        large = gen_unary_intrinsic(g, "llvm.vector.reduce.or", large);
    LLVMBuildCondBr(g->b, large, slow, fast);
    LLVMPositionBuilderAtEnd(g->b, fast);
    LLVMValueRef q, r = reduce_angle(g, x, &q);
    LLVMBuildRet(g->b, angle_function(g, x, r, q, cosine));
    LLVMPositionBuilderAtEnd(g->b, slow);
    LLVMBuildRet(g->b, large_angle(g, x, cosine));
}

static LLVMValueRef gen_angle(struct gen *g, LLVMValueRef x, bool cosine)
{
    LLVMTypeRef t = LLVMTypeOf(x), type = LLVMFunctionType(t, &t, 1, false);
    const char *name =
        arena_printf(&g->s->module, "ldsl.%s.%u", cosine ? "cos" : "sin", gen_width_of(x));
    LLVMValueRef fn = LLVMGetNamedFunction(g->module, name);
    if (!fn) {
        fn = LLVMAddFunction(g->module, name, type);
        LLVMSetLinkage(fn, LLVMInternalLinkage);
        gen_mark_function(g, fn);
        if (g->gpu)
            gen_add_attribute(g, fn, LLVMAttributeFunctionIndex, "alwaysinline");
        LLVMBuilderRef caller = g->b;
        LLVMBuilderRef own = g->llvm->callee = LLVMCreateBuilderInContext(g->context);
        g->b = own;
        fill_angle(g, fn, cosine);
        g->b = caller;
        g->llvm->callee = NULL;
        LLVMDisposeBuilder(own);
    }
    return LLVMBuildCall2(g->b, type, fn, &x, 1, "");
}

/* ---- pow: 1 ulp -------------------------------------------------------------------------------- */

/* log2 of a positive finite f64 that is an f32's value: error 1e-12. */
static LLVMValueRef wide_log2(struct gen *g, LLVMValueRef x)
{
    static const double c[] = {1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3, 1.0};
    LLVMBuilderRef b = g->b;
    LLVMValueRef root = gen_ints(g, g->t_i64, 0x3fe6a09e667f3bcd, x);
    LLVMValueRef bits = LLVMBuildSub(b, gen_bits(g, x, g->t_i64), root, "");
    LLVMValueRef e = LLVMBuildAShr(b, bits, gen_ints(g, g->t_i64, 52, x), "");
    LLVMValueRef low = LLVMBuildAnd(b, bits, gen_ints(g, g->t_i64, 0xfffffffffffff, x), "");
    LLVMValueRef m = gen_bits(g, LLVMBuildAdd(b, low, root, ""), g->t_f64);
    LLVMValueRef one = gen_floats(g, g->t_f64, 1.0, x);
    LLVMValueRef s =
        LLVMBuildFDiv(b, LLVMBuildFSub(b, m, one, ""), LLVMBuildFAdd(b, m, one, ""), "");
    LLVMValueRef p = poly(g, g->t_f64, LLVMBuildFMul(b, s, s, ""), c, 7);
    LLVMValueRef twice = gen_floats(g, g->t_f64, 2 * 1.44269504088896340736, x);
    e = LLVMBuildTrunc(b, e, gen_shape(g, g->t_i32, x), "");
    return gen_fma(g, LLVMBuildFMul(b, s, twice, ""), p, LLVMBuildSIToFP(b, e, LLVMTypeOf(x), ""));
}

/* 2^t for -1000 < t < 1000: relative error 1e-11. */
static LLVMValueRef wide_exp2(struct gen *g, LLVMValueRef t)
{
    static const double c[] = {1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120,
                               1.0 / 24,     1.0 / 6,     1.0 / 2,    1.0,       1.0};
    LLVMBuilderRef b = g->b;
    LLVMValueRef magic = gen_floats(g, g->t_f64, 0x1.8p52, t);
    LLVMValueRef sum = LLVMBuildFAdd(b, t, magic, "");
    LLVMValueRef r = LLVMBuildFSub(b, t, LLVMBuildFSub(b, sum, magic, ""), "");
    r = LLVMBuildFMul(b, r, gen_floats(g, g->t_f64, 0.693147180559945309, t), "");
    LLVMValueRef n = LLVMBuildShl(b, gen_bits(g, sum, g->t_i64), gen_ints(g, g->t_i64, 52, t), "");
    LLVMValueRef p = gen_bits(g, poly(g, g->t_f64, r, c, 10), g->t_i64);
    return gen_bits(g, LLVMBuildAdd(b, p, n, ""), g->t_f64);
}

static LLVMValueRef is_whole(struct gen *g, LLVMValueRef y)
{
    return cmp(g, LLVMRealOEQ, gen_unary_intrinsic(g, "llvm.floor", y), y);
}

/* What powers are besides v = |x|^y: the sign of odd powers of negative numbers, NaN between them, 1
 * whatever the other is. t: the element type. */
static LLVMValueRef power_special(struct gen *g, LLVMTypeRef t, LLVMValueRef x, LLVMValueRef y,
                                  LLVMValueRef v)
{
    LLVMBuilderRef b = g->b;
    LLVMValueRef zero = gen_floats(g, t, 0, x), one = gen_floats(g, t, 1, x), a = absolute(g, x);
    LLVMValueRef inf = gen_floats(g, t, INFINITY, x), nan = gen_floats(g, t, NAN, x);
    LLVMValueRef half = gen_floats(g, t, 0.5, x);
    v = pick(g, cmp(g, LLVMRealOEQ, a, one), one, v);
    LLVMValueRef whole = is_whole(g, y);
    LLVMValueRef odd =
        LLVMBuildAnd(b, whole, LLVMBuildNot(b, is_whole(g, mul(g, y, half)), ""), "");
    LLVMTypeRef bits = t == g->t_f64 ? g->t_i64 : g->t_i32;
    LLVMValueRef negative =
        LLVMBuildICmp(b, LLVMIntSLT, gen_bits(g, x, bits), gen_ints(g, bits, 0, x), "");
    v = pick(g, LLVMBuildAnd(b, odd, negative, ""), LLVMBuildFNeg(b, v, ""), v);
    LLVMValueRef below =
        LLVMBuildAnd(b, cmp(g, LLVMRealOLT, x, zero), cmp(g, LLVMRealONE, a, inf), "");
    v = pick(g, LLVMBuildAnd(b, below, LLVMBuildNot(b, whole, ""), ""), nan, v);
    v = pick(g, cmp(g, LLVMRealUNO, x, y), nan, v);
    LLVMValueRef always_one =
        LLVMBuildOr(b, cmp(g, LLVMRealOEQ, y, zero), cmp(g, LLVMRealOEQ, x, one), "");
    return pick(g, always_one, one, v);
}

static LLVMValueRef pow_f32(struct gen *g, LLVMValueRef x, LLVMValueRef y)
{
    LLVMBuilderRef b = g->b;
    LLVMTypeRef wide = gen_shape(g, g->t_f64, x);
    LLVMValueRef inf = floats_of(g, n32(g, 0x7f800000, x)), a = absolute(g, x);
    LLVMValueRef l = wide_log2(g, LLVMBuildFPExt(b, a, wide, ""));
    LLVMValueRef inf64 = LLVMBuildFPExt(b, inf, wide, "");
    l = pick(g, cmp(g, LLVMRealOEQ, a, f(g, 0, x)), LLVMBuildFNeg(b, inf64, ""), l);
    l = pick(g, cmp(g, LLVMRealOEQ, a, inf), inf64, l);
    LLVMValueRef t = LLVMBuildFMul(b, l, LLVMBuildFPExt(b, y, wide, ""), "");
    LLVMValueRef lo = gen_floats(g, g->t_f64, -200, x), hi = gen_floats(g, g->t_f64, 200, x);
    t = pick(g, cmp(g, LLVMRealOLT, t, lo), lo, t);
    t = pick(g, cmp(g, LLVMRealOGT, t, hi), hi, t);
    LLVMValueRef v = LLVMBuildFPTrunc(b, wide_exp2(g, t), LLVMTypeOf(x), "");
    return power_special(g, g->t_f32, x, y, v);
}

LLVMValueRef gen_pow(struct gen *g, LLVMValueRef x, LLVMValueRef y)
{
    LLVMValueRef args[] = {x, y};
    LLVMTypeRef t = LLVMTypeOf(x);
    if (LLVMGetTypeKind(t) == LLVMVectorTypeKind)
        t = LLVMGetElementType(t);
    if (t == g->t_f32)
        return pow_f32(g, x, y);
    if (g->gpu)
        return power_special(g, t, x, y, gen_power64(g, absolute(g, x), y));
    return call_library(g, "pow", args, 2);
}

/* ---- all --------------------------------------------------------------------------------------- */

static const char *library_name(enum ir_opcode op)
{
    switch ((int)op) {
    case IR_OP_exp: return "exp";
    case IR_OP_exp2: return "exp2";
    case IR_OP_log: return "log";
    case IR_OP_log2: return "log2";
    case IR_OP_sin: return "sin";
    case IR_OP_cos: return "cos";
    case IR_OP_tanh: return "tanh";
    default: return "erf";
    }
}

LLVMValueRef gen_math(struct gen *g, enum ir_opcode op, LLVMValueRef x)
{
    LLVMTypeRef t = LLVMTypeOf(x);
    if (LLVMGetTypeKind(t) == LLVMVectorTypeKind)
        t = LLVMGetElementType(t);
    if (t == g->t_f64)
        return g->gpu ? gen_math64(g, op, x) : call_library(g, library_name(op), &x, 1);
    switch ((int)op) {
    case IR_OP_exp: return gen_exp(g, x);
    case IR_OP_exp2: return gen_exp2(g, x);
    case IR_OP_log: return gen_log(g, x);
    case IR_OP_log2: return gen_log2(g, x);
    case IR_OP_sin: return gen_angle(g, x, false);
    case IR_OP_cos: return gen_angle(g, x, true);
    case IR_OP_tanh: return gen_tanh(g, x);
    default: return gen_erf(g, x);
    }
}
