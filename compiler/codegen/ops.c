/* Elementwise ops on scalars or vectors of one width. 16-bit and 8-bit floats compute in f32 and
 * round once: f32 has more than twice their digits, so + - * / and sqrt come out correctly rounded. */
#include "codegen/internal.h"

#include <math.h>
#include <string.h>

static bool is_narrow(enum ir_elem e)
{
    return ir_elem_is_float(e) && ir_elem_bits(e) < 32;
}

/* ---- constants --------------------------------------------------------------------------------- */

/* A double rounded once to a small float: `digits` stored bits of the significand, exponents biased
 * by `bias`; finite: there is no infinity, the largest pattern is NaN. */
static uint64_t small_float(double v, int digits, int bias, int exponent_bits, bool finite)
{
    uint64_t top = (UINT64_C(1) << exponent_bits) - 1, sign = signbit(v) ? 1 : 0;
    uint64_t shifted = sign << (digits + exponent_bits);
    uint64_t inf = top << digits;
    uint64_t quiet =
        finite ? inf | ((UINT64_C(1) << digits) - 1) : inf | (UINT64_C(1) << (digits - 1));
    if (isnan(v))
        return shifted | quiet;
    int e;
    double m = frexp(fabs(v), &e); /* fabs(v) = m * 2^e, m in [0.5, 1) */
    if (m == 0)
        return shifted;
    if (isinf(v))
        return shifted | (finite ? quiet : inf);
    int least = 1 - bias; /* exponent of the smallest normal number */
    int quantum = (e - 1 < least ? least : e - 1) - digits;
    double n = nearbyint(ldexp(fabs(v), -quantum)); /* exact scaling, one rounding */
    uint64_t steps = (uint64_t)n;
    uint64_t bits = steps;
    if (e - 1 >= least)
        bits = ((uint64_t)(e - 1 + bias) << digits) + (steps - (UINT64_C(1) << digits));
    uint64_t limit = finite ? quiet : inf;
    return shifted | (bits >= limit ? limit : bits);
}

static uint64_t float_bits(enum ir_elem e, double v)
{
    switch ((int)e) {
    case IR_F16: return small_float(v, 10, 15, 5, false);
    case IR_BF16: return small_float(v, 7, 127, 8, false);
    case IR_F8E4M3: return small_float(v, 3, 7, 4, true);
    default: return small_float(v, 2, 15, 5, false);
    }
}

static LLVMValueRef float_constant(const struct gen *g, enum ir_elem e, double v)
{
    if (is_narrow(e))
        return gen_int(g, gen_type(g, e), (int64_t)float_bits(e, v));
    return LLVMConstReal(gen_type(g, e), e == IR_F32 ? (double)(float)v : v);
}

LLVMValueRef gen_constant(struct gen *g, const struct ir_node *n)
{
    enum ir_elem e = n->results[0]->type.elem;
    return ir_elem_is_float(e) ? float_constant(g, e, n->attr.f)
                               : gen_int(g, gen_type(g, e), n->attr.i);
}

/* ---- integers ---------------------------------------------------------------------------------- */

static LLVMValueRef select(struct gen *g, LLVMValueRef c, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildSelect(g->b, c, a, b, "");
}

static LLVMValueRef icmp(struct gen *g, LLVMIntPredicate p, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildICmp(g->b, p, a, b, "");
}

static LLVMValueRef like(struct gen *g, LLVMValueRef x, int64_t value)
{
    LLVMTypeRef t = LLVMTypeOf(x);
    return gen_ints(g, LLVMGetTypeKind(t) == LLVMVectorTypeKind ? LLVMGetElementType(t) : t, value,
                    x);
}

static bool is_positive_constant(LLVMValueRef v)
{
    return LLVMIsAConstantInt(v) && LLVMConstIntGetSExtValue(v) > 0;
}

/* A divisor that cannot trap: 1 in place of 0, and of -1 under the most negative number (where the
 * quotient wraps to itself, as division by 1 gives). */
static LLVMValueRef safe_divisor(struct gen *g, enum ir_elem e, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef bad = icmp(g, LLVMIntEQ, b, like(g, b, 0));
    if (ir_elem_is_signed(e)) {
        int64_t least = (int64_t)(UINT64_C(1) << (ir_elem_bits(e) - 1));
        LLVMValueRef wraps = LLVMBuildAnd(g->b, icmp(g, LLVMIntEQ, a, like(g, a, least)),
                                          icmp(g, LLVMIntEQ, b, like(g, b, -1)), "");
        bad = LLVMBuildOr(g->b, bad, wraps, "");
    }
    return select(g, bad, like(g, b, 1), b);
}

/* Floor division of indexes by adjusting the truncated one. */
static LLVMValueRef floor_quotient(struct gen *g, LLVMValueRef a, LLVMValueRef d, LLVMValueRef *rem)
{
    LLVMValueRef q = LLVMBuildSDiv(g->b, a, d, ""), r = LLVMBuildSRem(g->b, a, d, "");
    LLVMValueRef crosses =
        LLVMBuildAnd(g->b, icmp(g, LLVMIntNE, r, like(g, r, 0)),
                     icmp(g, LLVMIntSLT, LLVMBuildXor(g->b, r, d, ""), like(g, r, 0)), "");
    *rem = select(g, crosses, LLVMBuildAdd(g->b, r, d, ""), r);
    return select(g, crosses, LLVMBuildSub(g->b, q, like(g, q, 1), ""), q);
}

static LLVMValueRef power_of_two_div(struct gen *g, LLVMValueRef a, LLVMValueRef b, bool rem)
{
    int64_t d = LLVMConstIntGetSExtValue(b);
    if (d & (d - 1))
        return NULL;
    int shift = 0;
    while (((int64_t)1 << shift) < d)
        shift++;
    return rem ? LLVMBuildAnd(g->b, a, like(g, a, d - 1), "")
               : LLVMBuildAShr(g->b, a, like(g, a, shift), "");
}

/* x / 0 is 0; x rem 0 is x - 0 * 0 = x. */
static LLVMValueRef gen_division(struct gen *g, enum ir_elem e, LLVMValueRef a, LLVMValueRef b,
                                 bool rem)
{
    if (e == IR_INDEX && is_positive_constant(b)) {
        LLVMValueRef v = power_of_two_div(g, a, b, rem);
        if (v)
            return v;
    }
    bool safe = is_positive_constant(b);
    LLVMValueRef d = safe ? b : safe_divisor(g, e, a, b);
    LLVMValueRef r, v;
    if (e == IR_INDEX) {
        v = floor_quotient(g, a, d, &r);
        v = rem ? r : v;
    } else if (ir_elem_is_signed(e)) {
        v = rem ? LLVMBuildSRem(g->b, a, d, "") : LLVMBuildSDiv(g->b, a, d, "");
    } else {
        v = rem ? LLVMBuildURem(g->b, a, d, "") : LLVMBuildUDiv(g->b, a, d, "");
    }
    if (safe)
        return v;
    return select(g, icmp(g, LLVMIntEQ, b, like(g, b, 0)), rem ? a : like(g, v, 0), v);
}

static LLVMValueRef gen_shift(struct gen *g, enum ir_elem e, LLVMValueRef a, LLVMValueRef b,
                              bool left)
{
    int64_t bits = ir_elem_bits(e);
    LLVMValueRef inside = icmp(g, LLVMIntULT, b, like(g, b, bits));
    LLVMValueRef n = select(g, inside, b, like(g, b, bits - 1));
    if (!left && ir_elem_is_signed(e))
        return LLVMBuildAShr(g->b, a, n, "");
    LLVMValueRef v = left ? LLVMBuildShl(g->b, a, n, "") : LLVMBuildLShr(g->b, a, n, "");
    return select(g, inside, v, like(g, v, 0));
}

static LLVMValueRef int_min_max(struct gen *g, enum ir_elem e, LLVMValueRef a, LLVMValueRef b,
                                bool max)
{
    LLVMIntPredicate p =
        ir_elem_is_signed(e) ? (max ? LLVMIntSGT : LLVMIntSLT) : (max ? LLVMIntUGT : LLVMIntULT);
    return select(g, icmp(g, p, a, b), a, b);
}

/* ---- floats ------------------------------------------------------------------------------------ */

/* On x86 the first select is one min or max instruction: it gives b when either is NaN. GPUs have
 * both kinds of instruction. */
static LLVMValueRef float_min_max(struct gen *g, LLVMValueRef a, LLVMValueRef b, bool max,
                                  bool ignore_nan)
{
    if (g->gpu && LLVMTypeOf(a) == g->t_f32) {
        const char *name = ignore_nan ? (max ? "llvm.maxnum" : "llvm.minnum")
                                      : (max ? "llvm.maximum" : "llvm.minimum");
        LLVMValueRef args[] = {a, b};
        return gen_intrinsic(g, name, &g->t_f32, 1, args, 2);
    }
    LLVMRealPredicate p = max ? LLVMRealOGT : LLVMRealOLT;
    LLVMValueRef v = select(g, LLVMBuildFCmp(g->b, p, a, b, ""), a, b);
    LLVMValueRef odd = ignore_nan ? b : a;
    LLVMValueRef nan = LLVMBuildFCmp(g->b, LLVMRealUNO, odd, odd, "");
    return select(g, nan, a, v);
}

static LLVMValueRef float_quotient(struct gen *g, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef v = gen_hardware_divide(g, a, b);
    return v ? v : LLVMBuildFDiv(g->b, a, b, "");
}

static LLVMValueRef square_root(struct gen *g, LLVMValueRef x)
{
    LLVMValueRef v = gen_hardware(g, LANE_SQRT, x);
    return v ? v : gen_unary_intrinsic(g, "llvm.sqrt", x);
}

static LLVMValueRef inverse_root(struct gen *g, LLVMValueRef x)
{
    LLVMValueRef v = gen_hardware(g, LANE_RSQRT, x);
    if (v)
        return v;
    LLVMTypeRef t = LLVMTypeOf(x);
    LLVMTypeRef scalar = LLVMGetTypeKind(t) == LLVMVectorTypeKind ? LLVMGetElementType(t) : t;
    return LLVMBuildFDiv(g->b, gen_floats(g, scalar, 1.0, x),
                         gen_unary_intrinsic(g, "llvm.sqrt", x), "");
}

/* ---- both -------------------------------------------------------------------------------------- */

static LLVMValueRef gen_min_max(struct gen *g, enum ir_elem e, LLVMValueRef a, LLVMValueRef b,
                                bool max, bool ignore_nan)
{
    return ir_elem_is_float(e) ? float_min_max(g, a, b, max, ignore_nan)
                               : int_min_max(g, e, a, b, max);
}

LLVMValueRef gen_compare(struct gen *g, enum ir_cmp c, enum ir_elem e, LLVMValueRef a,
                         LLVMValueRef b)
{
    static const LLVMRealPredicate floats[] = {LLVMRealOEQ, LLVMRealUNE, LLVMRealOLT,
                                               LLVMRealOLE, LLVMRealOGT, LLVMRealOGE};
    static const LLVMIntPredicate signs[] = {LLVMIntEQ,  LLVMIntNE,  LLVMIntSLT,
                                             LLVMIntSLE, LLVMIntSGT, LLVMIntSGE};
    static const LLVMIntPredicate naturals[] = {LLVMIntEQ,  LLVMIntNE,  LLVMIntULT,
                                                LLVMIntULE, LLVMIntUGT, LLVMIntUGE};
    if (ir_elem_is_float(e))
        return LLVMBuildFCmp(g->b, floats[c], a, b, "");
    return icmp(g, ir_elem_is_signed(e) ? signs[c] : naturals[c], a, b);
}

static LLVMValueRef gen_arithmetic(struct gen *g, enum ir_opcode op, enum ir_elem e, LLVMValueRef a,
                                   LLVMValueRef b)
{
    bool f = ir_elem_is_float(e);
    LLVMBuilderRef w = g->b;
    switch ((int)op) {
    case IR_OP_add:
        return f ? gen_contract(g, LLVMBuildFAdd(w, a, b, "")) : LLVMBuildAdd(w, a, b, "");
    case IR_OP_sub:
        return f ? gen_contract(g, LLVMBuildFSub(w, a, b, "")) : LLVMBuildSub(w, a, b, "");
    case IR_OP_mul:
        return f ? gen_contract(g, LLVMBuildFMul(w, a, b, "")) : LLVMBuildMul(w, a, b, "");
    case IR_OP_div: return f ? float_quotient(g, a, b) : gen_division(g, e, a, b, false);
    case IR_OP_div_exact: return LLVMBuildFDiv(w, a, b, "");
    case IR_OP_rem: return gen_division(g, e, a, b, true);
    case IR_OP_pow: return gen_pow(g, a, b);
    case IR_OP_min: return gen_min_max(g, e, a, b, false, false);
    case IR_OP_max: return gen_min_max(g, e, a, b, true, false);
    case IR_OP_fmin: return gen_min_max(g, e, a, b, false, true);
    case IR_OP_fmax: return gen_min_max(g, e, a, b, true, true);
    case IR_OP_and: return LLVMBuildAnd(w, a, b, "");
    case IR_OP_or: return LLVMBuildOr(w, a, b, "");
    case IR_OP_xor: return LLVMBuildXor(w, a, b, "");
    case IR_OP_shl: return gen_shift(g, e, a, b, true);
    default: return gen_shift(g, e, a, b, false);
    }
}

LLVMValueRef gen_binary_kind(struct gen *g, enum ir_kind kind, enum ir_elem e, LLVMValueRef a,
                             LLVMValueRef b)
{
    switch (kind) {
    case IR_KIND_SUM: return gen_arithmetic(g, IR_OP_add, e, a, b);
    case IR_KIND_PROD: return gen_arithmetic(g, IR_OP_mul, e, a, b);
    case IR_KIND_MAX: return gen_arithmetic(g, IR_OP_max, e, a, b);
    case IR_KIND_MIN: return gen_arithmetic(g, IR_OP_min, e, a, b);
    case IR_KIND_FMAX: return gen_arithmetic(g, IR_OP_fmax, e, a, b);
    case IR_KIND_FMIN: return gen_arithmetic(g, IR_OP_fmin, e, a, b);
    case IR_KIND_ANY: return LLVMBuildOr(g->b, a, b, "");
    case IR_KIND_ALL: return LLVMBuildAnd(g->b, a, b, "");
    case IR_KIND_COMBINER: break;
    }
    return NULL;
}

static LLVMValueRef gen_abs(struct gen *g, enum ir_elem e, LLVMValueRef x)
{
    if (is_narrow(e))
        return LLVMBuildAnd(g->b, x, like(g, x, ((int64_t)1 << (ir_elem_bits(e) - 1)) - 1), "");
    if (ir_elem_is_float(e))
        return gen_unary_intrinsic(g, "llvm.fabs", x);
    if (!ir_elem_is_signed(e))
        return x;
    LLVMTypeRef t = LLVMTypeOf(x);
    LLVMValueRef args[] = {x, gen_int(g, g->t_i1, 0)};
    return gen_intrinsic(g, "llvm.abs", &t, 1, args, 2);
}

static LLVMValueRef gen_neg(struct gen *g, enum ir_elem e, LLVMValueRef x)
{
    if (is_narrow(e))
        return LLVMBuildXor(g->b, x, like(g, x, (int64_t)1 << (ir_elem_bits(e) - 1)), "");
    return ir_elem_is_float(e) ? LLVMBuildFNeg(g->b, x, "") : LLVMBuildNeg(g->b, x, "");
}

static LLVMValueRef gen_unary_op(struct gen *g, enum ir_opcode op, LLVMValueRef x)
{
    switch ((int)op) {
    case IR_OP_sqrt: return square_root(g, x);
    case IR_OP_rsqrt: return inverse_root(g, x);
    case IR_OP_floor: return gen_unary_intrinsic(g, "llvm.floor", x);
    case IR_OP_ceil: return gen_unary_intrinsic(g, "llvm.ceil", x);
    case IR_OP_round: return gen_unary_intrinsic(g, "llvm.roundeven", x);
    case IR_OP_trunc: return gen_unary_intrinsic(g, "llvm.trunc", x);
    default: return gen_math(g, op, x);
    }
}

static LLVMValueRef bitcast(struct gen *g, LLVMValueRef x, enum ir_elem to)
{
    return gen_bits(g, x, gen_type(g, to));
}

/* fma of narrow floats: the product and most sums are exact in f64, whose result is rounded once. */
static LLVMValueRef gen_fused(struct gen *g, enum ir_elem e, LLVMValueRef *x)
{
    enum ir_elem as = is_narrow(e) ? IR_F64 : e;
    LLVMValueRef args[3], v = gen_hardware_fused(g, e, x);
    if (v)
        return v;
    for (int i = 0; i < 3; i++)
        args[i] = gen_cast(g, x[i], e, as);
    LLVMTypeRef t = LLVMTypeOf(args[0]);
    return gen_cast(g, gen_intrinsic(g, "llvm.fma", &t, 1, args, 3), as, e);
}

static bool is_plain_bits(enum ir_opcode op)
{
    return op == IR_OP_select || op == IR_OP_neg || op == IR_OP_abs || op == IR_OP_bitcast ||
           op == IR_OP_cast || op == IR_OP_fma;
}

LLVMValueRef gen_elementwise(struct gen *g, const struct ir_node *n, LLVMValueRef *x)
{
    enum ir_elem e = n->operands[0]->type.elem, to = n->results[0]->type.elem;
    if (is_narrow(e) && !is_plain_bits(n->op)) {
        for (uint32_t i = 0; i < n->operand_count; i++)
            x[i] = gen_cast(g, x[i], e, IR_F32);
        e = IR_F32;
    }
    LLVMValueRef v;
    switch ((int)n->op) {
    case IR_OP_select: return select(g, x[0], x[1], x[2]);
    case IR_OP_cast: return gen_cast(g, x[0], e, to);
    case IR_OP_bitcast: return bitcast(g, x[0], to);
    case IR_OP_cmp: return gen_compare(g, (enum ir_cmp)n->attr.kind, e, x[0], x[1]);
    case IR_OP_fma: return gen_fused(g, e, x);
    case IR_OP_neg: return gen_neg(g, e, x[0]);
    case IR_OP_abs: return gen_abs(g, e, x[0]);
    case IR_OP_not: return LLVMBuildNot(g->b, x[0], "");
    default:
        v = n->operand_count == 1 ? gen_unary_op(g, n->op, x[0])
                                  : gen_arithmetic(g, n->op, e, x[0], x[1]);
    }
    return is_narrow(to) ? gen_cast(g, v, IR_F32, to) : v;
}
