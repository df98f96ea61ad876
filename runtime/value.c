/* Host values as element types hold them. */
#include "host.h"

#include <math.h>
#include <string.h>

static char kind_of(enum ldsl_dtype dtype)
{
    static const char kinds[LDSL_DTYPE_COUNT] = {
#define X(name, text, bits, kind) [LDSL_##name] = kind,
        LDSL_DTYPE_LIST(X)
#undef X
    };
    return kinds[dtype];
}

static unsigned bits_of(enum ldsl_dtype dtype)
{
    return (unsigned)ldsl_dtype_size(dtype) * 8;
}

/* v rounded to `digits` bits of significand, least exponent `low` (of the last place of
 * subnormals), to nearest, ties to even. */
static double round_to(double v, int digits, int low)
{
    int exponent;
    if (v == 0 || !isfinite(v))
        return v;
    frexp(v, &exponent);
    int last = exponent - digits > low ? exponent - digits : low;
    return ldexp(nearbyint(ldexp(v, -last)), last);
}

struct format {
    int digits, low; /* of round_to */
    double max;
    bool infinite; /* has infinities; else too large values become NaN */
};

static bool small_format(enum ldsl_dtype dtype, struct format *out)
{
    switch ((int)dtype) {
    case LDSL_F16: *out = (struct format){11, -24, 65504.0, true}; return true;
    case LDSL_BF16: *out = (struct format){8, -133, 0x1.fep127, true}; return true;
    case LDSL_F8E4M3: *out = (struct format){4, -9, 448.0, false}; return true;
    case LDSL_F8E5M2: *out = (struct format){3, -16, 57344.0, true}; return true;
    default: return false;
    }
}

static double round_float(double v, enum ldsl_dtype dtype)
{
    struct format f;
    if (dtype == LDSL_F32)
        return (double)(float)v;
    if (!small_format(dtype, &f))
        return v;
    double r = round_to(v, f.digits, f.low);
    if (fabs(r) > f.max)
        r = f.infinite ? copysign(INFINITY, v) : NAN;
    return r;
}

static int64_t wrap(int64_t i, enum ldsl_dtype dtype)
{
    unsigned bits = bits_of(dtype);
    if (dtype == LDSL_BOOL)
        return i != 0;
    if (bits == 64)
        return i;
    uint64_t low = (uint64_t)i & ((UINT64_C(1) << bits) - 1);
    if (kind_of(dtype) == 'S' && low >> (bits - 1))
        return (int64_t)low - (INT64_C(1) << bits);
    return (int64_t)low;
}

/* Truncates, saturates; NaN gives 0. */
static int64_t int_of_float(double f, enum ldsl_dtype dtype)
{
    if (isnan(f))
        return 0;
    if (dtype == LDSL_BOOL)
        return f != 0;
    bool is_signed = kind_of(dtype) == 'S';
    int bits = (int)bits_of(dtype);
    double top = ldexp(1, is_signed ? bits - 1 : bits);
    f = trunc(f);
    if (f >= top)
        return is_signed ? INT64_MAX >> (64 - bits) : (int64_t)(UINT64_MAX >> (64 - bits));
    if (is_signed && f < -top)
        return INT64_MIN >> (64 - bits);
    if (!is_signed)
        return f < 0 ? 0 : (int64_t)(uint64_t)f;
    return (int64_t)f;
}

struct rt_value rt_value_cast(struct rt_value v, enum ldsl_dtype dtype)
{
    if (kind_of(dtype) == 'F') {
        double f = v.is_float ? v.f : (double)v.i;
        return rt_value_float(round_float(f, dtype));
    }
    return rt_value_int(v.is_float ? int_of_float(v.f, dtype) : wrap(v.i, dtype));
}

bool rt_value_fits(struct rt_value v, enum ldsl_dtype dtype)
{
    struct rt_value c = rt_value_cast(v, dtype);
    if (v.is_float && kind_of(dtype) == 'F')
        return isinf(v.f) || !isinf(c.f); /* rounding is what floats are for; overflow is not */
    if (v.is_float)
        return (double)c.i == v.f;
    if (kind_of(dtype) == 'F')
        return fabs(c.f) < 0x1p63 && (int64_t)c.f == v.i;
    return c.i == v.i;
}

static uint64_t small_bits(double f, enum ldsl_dtype dtype)
{
    struct format form = {0};
    small_format(dtype, &form);
    unsigned bits = bits_of(dtype), mantissa = (unsigned)form.digits - 1;
    uint64_t sign = signbit(f) ? UINT64_C(1) << (bits - 1) : 0;
    uint64_t ones = (UINT64_C(1) << (bits - 1)) - 1; /* all but the sign */
    if (isnan(f))
        return form.infinite ? ones : sign | ones;
    if (isinf(f))
        return sign | (ones >> mantissa << mantissa);
    /* In units of the smallest subnormal; each doubling beyond the first normal adds one to the
     * exponent field, which `steps` counts. */
    double units = ldexp(fabs(f), -form.low);
    uint64_t steps = 0;
    while (units >= ldexp(1, form.digits)) {
        units /= 2;
        steps++;
    }
    return sign | ((steps << mantissa) + (uint64_t)units);
}

uint64_t rt_value_bits(struct rt_value v, enum ldsl_dtype dtype)
{
    struct rt_value c = rt_value_cast(v, dtype);
    uint64_t bits = 0;
    if (!c.is_float) {
        memcpy(&bits, &c.i, sizeof bits);
        unsigned width = bits_of(dtype);
        return width == 64 ? bits : bits & ((UINT64_C(1) << width) - 1);
    }
    if (dtype == LDSL_F64) {
        memcpy(&bits, &c.f, sizeof bits);
    } else if (dtype == LDSL_F32) {
        float f = (float)c.f;
        uint32_t narrow;
        memcpy(&narrow, &f, sizeof narrow);
        bits = narrow;
    } else {
        bits = small_bits(c.f, dtype);
    }
    return bits;
}
