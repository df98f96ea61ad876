/* Arithmetic on constants, with the meaning that ops.def gives every op: integers wrap, floats are
 * rounded once to nearest even. What the host cannot compute exactly is left to the target. */
#include "pass/internal.h"

#include <math.h>

/* ---- floats ----------------------------------------------------------------------------------- */

struct float_format {
    int digits;  /* significand bits with the hidden one */
    int min_exp; /* exponent of the smallest normal number, as in 2^min_exp */
    int max_exp; /* exponent of the largest */
};

static bool format_of(enum ir_elem elem, struct float_format *out)
{
    switch ((int)elem) {
    case IR_F16: *out = (struct float_format){11, -14, 15}; return true;
    case IR_BF16: *out = (struct float_format){8, -126, 127}; return true;
    case IR_F32: *out = (struct float_format){24, -126, 127}; return true;
    case IR_F64: *out = (struct float_format){53, -1022, 1023}; return true;
    default: return false; /* f8: left to the target */
    }
}

/* Nearest even, whatever the rounding mode of the thread is. */
static double round_integer(double x)
{
    double below = floor(x), rest = x - below;
    bool odd = fmod(below, 2) != 0;
    return rest > 0.5 || (rest == 0.5 && odd) ? below + 1 : below;
}

/* x rounded to a narrower format. */
static double round_to(struct float_format format, double x)
{
    int exponent;
    if (x == 0 || !isfinite(x) || format.digits == 53)
        return x;
    frexp(x, &exponent);
    exponent--; /* |x| in [2^exponent, 2^(exponent + 1)) */
    if (exponent < format.min_exp)
        exponent = format.min_exp;
    int unit = exponent - (format.digits - 1);
    double rounded = ldexp(round_integer(ldexp(fabs(x), -unit)), unit);
    if (rounded >= ldexp(1, format.max_exp + 1))
        rounded = INFINITY;
    return copysign(rounded, x);
}

/* Rounding a double result of + - * / sqrt again to half its digits or less is the same as rounding
 * the exact result once. */
static bool give_float(enum ir_elem elem, double exact, struct number *out)
{
    struct float_format format;
    if (!format_of(elem, &format))
        return false;
    *out = (struct number){.elem = elem, .f = round_to(format, exact)};
    return true;
}

/* ---- integers --------------------------------------------------------------------------------- */

static bool give_int(enum ir_elem elem, uint64_t value, struct number *out)
{
    *out = (struct number){.elem = elem, .i = ir_wrap(elem, value)};
    return true;
}

static bool less(enum ir_elem elem, int64_t x, int64_t y)
{
    return ir_elem_is_signed(elem) ? x < y : (uint64_t)x < (uint64_t)y;
}

/* Quotient and remainder: 0 for a zero divisor; truncated, for index floored. */
static void divide(enum ir_elem elem, int64_t x, int64_t y, uint64_t *quotient, uint64_t *remainder)
{
    *quotient = *remainder = 0;
    if (y == 0)
        return;
    if (!ir_elem_is_signed(elem)) {
        *quotient = (uint64_t)x / (uint64_t)y;
        *remainder = (uint64_t)x % (uint64_t)y;
        return;
    }
    if (y == -1) { /* the smallest number wraps */
        *quotient = 0 - (uint64_t)x;
        return;
    }
    int64_t q = x / y, r = x % y;
    if (elem == IR_INDEX && r && (r < 0) != (y < 0)) {
        q--;
        r += y;
    }
    *quotient = (uint64_t)q;
    *remainder = (uint64_t)r;
}

static uint64_t shift(enum ir_opcode op, enum ir_elem elem, int64_t x, int64_t by)
{
    bool negative = ir_elem_is_signed(elem) && x < 0;
    uint64_t bits = (uint64_t)x;
    if ((uint64_t)by >= ir_elem_bits(elem))
        return op == IR_OP_shr && negative ? UINT64_MAX : 0;
    if (op == IR_OP_shl)
        return bits << by;
    return negative ? ~(~bits >> by) : bits >> by;
}

static bool fold_int(enum ir_opcode op, struct number x, struct number y, struct number *out)
{
    uint64_t a = (uint64_t)x.i, b = (uint64_t)y.i, quotient, remainder;
    switch ((int)op) {
    case IR_OP_add: return give_int(x.elem, a + b, out);
    case IR_OP_sub: return give_int(x.elem, a - b, out);
    case IR_OP_mul: return give_int(x.elem, a * b, out);
    case IR_OP_and: return give_int(x.elem, a & b, out);
    case IR_OP_or: return give_int(x.elem, a | b, out);
    case IR_OP_xor: return give_int(x.elem, a ^ b, out);
    case IR_OP_min:
    case IR_OP_fmin: return give_int(x.elem, less(x.elem, y.i, x.i) ? b : a, out);
    case IR_OP_max:
    case IR_OP_fmax: return give_int(x.elem, less(x.elem, x.i, y.i) ? b : a, out);
    case IR_OP_shl:
    case IR_OP_shr: return give_int(x.elem, shift(op, x.elem, x.i, y.i), out);
    case IR_OP_div:
    case IR_OP_rem:
        divide(x.elem, x.i, y.i, &quotient, &remainder);
        return give_int(x.elem, op == IR_OP_div ? quotient : remainder, out);
    default: return false;
    }
}

/* ---- ops on floats ---------------------------------------------------------------------------- */

/* The smaller or larger; of two zeros, -0 is the smaller. */
static double pick(bool larger, double x, double y)
{
    bool x_less = x < y || (x == y && signbit(x) && !signbit(y));
    return x_less == larger ? y : x;
}

static bool fold_float(enum ir_opcode op, struct number x, struct number y, struct number *out)
{
    bool no_nan = !isnan(x.f) && !isnan(y.f);
    switch ((int)op) {
    case IR_OP_add: return give_float(x.elem, x.f + y.f, out);
    case IR_OP_sub: return give_float(x.elem, x.f - y.f, out);
    case IR_OP_mul: return give_float(x.elem, x.f * y.f, out);
    case IR_OP_div:
    case IR_OP_div_exact: return give_float(x.elem, x.f / y.f, out);
    case IR_OP_min:
    case IR_OP_max:
        return give_float(x.elem, no_nan ? pick(op == IR_OP_max, x.f, y.f) : (double)NAN, out);
    case IR_OP_fmin:
    case IR_OP_fmax:
        if (!no_nan)
            return give_float(x.elem, isnan(x.f) ? y.f : x.f, out);
        return give_float(x.elem, pick(op == IR_OP_fmax, x.f, y.f), out);
    default: return false;
    }
}

bool fold_binary(enum ir_opcode op, struct number x, struct number y, struct number *out)
{
    return ir_elem_is_float(x.elem) ? fold_float(op, x, y, out) : fold_int(op, x, y, out);
}

bool fold_compare(enum ir_cmp cmp, struct number x, struct number y)
{
    bool is_float = ir_elem_is_float(x.elem);
    bool x_less = is_float ? x.f < y.f : less(x.elem, x.i, y.i);
    bool y_less = is_float ? y.f < x.f : less(x.elem, y.i, x.i);
    bool equal = is_float ? x.f == y.f : x.i == y.i;
    switch (cmp) {
    case IR_CMP_EQ: return equal;
    case IR_CMP_NE: return !equal;
    case IR_CMP_LT: return x_less;
    case IR_CMP_LE: return x_less || equal;
    case IR_CMP_GT: return y_less;
    case IR_CMP_GE: return y_less || equal;
    }
    return false;
}

/* ---- casts and other unary ops ---------------------------------------------------------------- */

/* Truncated and saturated; NaN gives 0. */
static bool float_to_int(double x, enum ir_elem to, struct number *out)
{
    unsigned bits = ir_elem_bits(to);
    bool is_signed = ir_elem_is_signed(to);
    double limit = ldexp(1, (int)bits - is_signed); /* first number that is too large */
    uint64_t most = UINT64_MAX >> (64 - bits + is_signed);
    if (isnan(x))
        return give_int(to, 0, out);
    if (x >= limit)
        return give_int(to, most, out);
    if (is_signed && x < -limit)
        return give_int(to, ~most, out);
    if (!is_signed)
        return give_int(to, x < 0 ? 0 : (uint64_t)x, out);
    return give_int(to, (uint64_t)(int64_t)x, out);
}

/* A 64-bit integer with more than 53 digits would be rounded twice on the way to a narrow float. */
static bool int_to_float(struct number x, enum ir_elem to, struct number *out)
{
    bool is_signed = x.elem == IR_BOOL || ir_elem_is_signed(x.elem);
    double value = is_signed ? (double)x.i : (double)(uint64_t)x.i;
    bool exact = fabs(value) <= 9007199254740992.0; /* 2^53 */
    return (exact || to == IR_F64) && give_float(to, value, out);
}

static bool fold_cast(struct number x, enum ir_elem to, struct number *out)
{
    struct float_format unused;
    bool from_float = ir_elem_is_float(x.elem);
    if (from_float && !format_of(x.elem, &unused))
        return false;
    if (to == IR_BOOL)
        return give_int(to, from_float ? x.f != 0 : x.i != 0, out);
    if (ir_elem_is_float(to))
        return from_float ? give_float(to, x.f, out) : int_to_float(x, to, out);
    return from_float ? float_to_int(x.f, to, out) : give_int(to, (uint64_t)x.i, out);
}

static bool fold_float_unary(enum ir_opcode op, struct number x, struct number *out)
{
    switch ((int)op) {
    case IR_OP_neg: return give_float(x.elem, -x.f, out);
    case IR_OP_abs: return give_float(x.elem, fabs(x.f), out);
    case IR_OP_sqrt: return give_float(x.elem, sqrt(x.f), out);
    case IR_OP_floor: return give_float(x.elem, floor(x.f), out);
    case IR_OP_ceil: return give_float(x.elem, ceil(x.f), out);
    case IR_OP_trunc: return give_float(x.elem, trunc(x.f), out);
    case IR_OP_round:
        if (!isfinite(x.f))
            return give_float(x.elem, x.f, out);
        return give_float(x.elem, copysign(round_integer(fabs(x.f)), x.f), out);
    default: return false;
    }
}

bool fold_unary(enum ir_opcode op, struct number x, enum ir_elem to, struct number *out)
{
    if (op == IR_OP_cast)
        return fold_cast(x, to, out);
    if (ir_elem_is_float(x.elem))
        return fold_float_unary(op, x, out);
    uint64_t bits = (uint64_t)x.i;
    bool negative = ir_elem_is_signed(x.elem) && x.i < 0;
    switch ((int)op) {
    case IR_OP_neg: return give_int(x.elem, 0 - bits, out);
    case IR_OP_abs: return give_int(x.elem, negative ? 0 - bits : bits, out);
    case IR_OP_not: return give_int(x.elem, x.elem == IR_BOOL ? !bits : ~bits, out);
    default: return false;
    }
}

bool cast_is_exact(enum ir_elem from, enum ir_elem to)
{
    struct float_format a, b;
    if (from == to)
        return true;
    if (to == IR_BOOL)
        return false;
    if (from == IR_BOOL)
        return true;
    bool from_float = ir_elem_is_float(from), to_float = ir_elem_is_float(to);
    int bits = (int)ir_elem_bits(from) - ir_elem_is_signed(from); /* of an integer's magnitude */
    if (from_float && to_float)
        return format_of(from, &a) && format_of(to, &b) && a.digits <= b.digits &&
               a.min_exp - a.digits >= b.min_exp - b.digits && a.max_exp <= b.max_exp;
    if (to_float)
        return format_of(to, &b) && bits <= b.digits && bits <= b.max_exp;
    if (from_float || (ir_elem_is_signed(from) && !ir_elem_is_signed(to)))
        return false;
    return bits <= (int)ir_elem_bits(to) - ir_elem_is_signed(to);
}
