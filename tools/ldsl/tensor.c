#include "tensor.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

bool tensor_fail(struct tensor_error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return false;
}

/* ---- floating-point formats --------------------------------------------------------------- */

struct float_format {
    int exponent_bits, mantissa_bits;
    uint64_t max_finite; /* code of the largest finite value */
    bool has_infinity;   /* conversions overflow to infinity; else they saturate */
};

static const struct float_format formats[LDSL_DTYPE_COUNT] = {
  /* clang-format off */
    [LDSL_F16]    = {5, 10, 0x7bff, true},
    [LDSL_BF16]   = {8, 7, 0x7f7f, true},
    [LDSL_F32]    = {8, 23, 0x7f7fffff, true},
    [LDSL_F64]    = {11, 52, UINT64_C(0x7fefffffffffffff), true},
    [LDSL_F8E4M3] = {4, 3, 0x7e, false}, /* no infinity: 0x7f is the only NaN */
    [LDSL_F8E5M2] = {5, 2, 0x7b, false},
  /* clang-format on */
};

bool dtype_is_float(enum ldsl_dtype dtype)
{
    return formats[dtype].exponent_bits != 0;
}

static uint64_t double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double bits_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double float_decode(enum ldsl_dtype dtype, uint64_t bits)
{
    if (dtype == LDSL_F64)
        return bits_double(bits);
    const struct float_format *f = &formats[dtype];
    int bias = (1 << (f->exponent_bits - 1)) - 1;
    uint64_t sign = bits >> (f->exponent_bits + f->mantissa_bits) & 1;
    uint64_t code = bits & ((UINT64_C(1) << (f->exponent_bits + f->mantissa_bits)) - 1);
    uint64_t mantissa = code & ((UINT64_C(1) << f->mantissa_bits) - 1);
    int exponent = (int)(code >> f->mantissa_bits);
    double magnitude;
    if (code > f->max_finite) {
        bool infinite = mantissa == 0 && dtype != LDSL_F8E4M3;
        magnitude = infinite ? (double)INFINITY : (double)NAN;
    } else if (exponent == 0) {
        magnitude = ldexp((double)mantissa, 1 - bias - f->mantissa_bits);
    } else {
        magnitude = bits_double((uint64_t)(exponent - bias + 1023) << 52 |
                                mantissa << (52 - f->mantissa_bits));
    }
    return sign ? -magnitude : magnitude;
}

uint64_t float_encode(enum ldsl_dtype dtype, double value)
{
    uint64_t bits = double_bits(value);
    if (dtype == LDSL_F64)
        return bits;
    const struct float_format *f = &formats[dtype];
    int bias = (1 << (f->exponent_bits - 1)) - 1;
    uint64_t sign = bits >> 63 << (f->exponent_bits + f->mantissa_bits);
    uint64_t overflow = f->has_infinity ? f->max_finite + 1 : f->max_finite;
    if (isnan(value)) { /* the quiet one: exponent all ones, top bit of the mantissa */
        uint64_t quiet = ((UINT64_C(2) << f->exponent_bits) - 1) << (f->mantissa_bits - 1);
        return sign | (dtype == LDSL_F8E4M3 ? 0x7f : quiet);
    }
    if (isinf(value))
        return sign | overflow;
    int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
    if (exponent == -1023) /* zero, or far below every smaller format */
        return sign;
    uint64_t significand = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
    int smallest = 1 - bias; /* exponent of the smallest normal number */
    int shift = 52 - f->mantissa_bits + (exponent < smallest ? smallest - exponent : 0);
    if (shift > 53)
        return sign;
    uint64_t half = UINT64_C(1) << (shift - 1);
    uint64_t rounded = (significand + half - 1 + (significand >> shift & 1)) >> shift;
    /* A carry out of the mantissa lands in the exponent, which is what rounding up means. */
    uint64_t code = rounded;
    if (exponent >= smallest)
        code += (uint64_t)(exponent - smallest) << f->mantissa_bits;
    return sign | (code > f->max_finite ? overflow : code);
}

/* ---- tensors ------------------------------------------------------------------------------ */

bool tensor_size(enum ldsl_dtype dtype, uint32_t rank, const int64_t *shape, size_t *count,
                 size_t *bytes)
{
    size_t limit = PTRDIFF_MAX / ldsl_dtype_size(dtype), n = 1;
    bool empty = false;
    for (uint32_t d = 0; d < rank; d++) {
        if (shape[d] < 0)
            return false;
        if (shape[d] == 0) {
            empty = true;
            continue;
        }
        if ((uint64_t)shape[d] > limit / n)
            return false;
        n *= (size_t)shape[d];
    }
    *count = empty ? 0 : n;
    *bytes = *count * ldsl_dtype_size(dtype);
    return true;
}

bool tensor_create(struct tensor *out, enum ldsl_dtype dtype, uint32_t rank, const int64_t *shape,
                   struct tensor_error *error)
{
    *out = (struct tensor){.dtype = dtype, .rank = rank};
    if (rank > LDSL_MAX_RANK) {
        return tensor_fail(error, "rank %" PRIu32 " is more than the %d dims allowed", rank,
                           LDSL_MAX_RANK);
    }
    if (!tensor_size(dtype, rank, shape, &out->count, &out->bytes)) {
        return tensor_fail(error, "the shape is negative or too large");
    }
    for (uint32_t d = 0; d < rank; d++)
        out->shape[d] = shape[d];
    if (!out->bytes)
        return true;
    out->data = calloc(1, out->bytes);
    if (!out->data) {
        tensor_fail(error, "out of memory: %zu bytes for a tensor", out->bytes);
        *out = (struct tensor){0};
        return false;
    }
    return true;
}

void tensor_destroy(struct tensor *t)
{
    if (t->mapping)
        munmap(t->mapping, t->mapping_bytes);
    else
        free(t->data);
    *t = (struct tensor){0};
}

static const unsigned char *element(const struct tensor *t, size_t i)
{
    return (const unsigned char *)t->data + i * ldsl_dtype_size(t->dtype);
}

static uint64_t get_bits(const struct tensor *t, size_t i)
{
    const unsigned char *p = element(t, i);
    switch (ldsl_dtype_size(t->dtype)) {
    case 1: return *p;
    case 2: {
        uint16_t bits;
        memcpy(&bits, p, sizeof bits);
        return bits;
    }
    case 4: {
        uint32_t bits;
        memcpy(&bits, p, sizeof bits);
        return bits;
    }
    default: {
        uint64_t bits;
        memcpy(&bits, p, sizeof bits);
        return bits;
    }
    }
}

static void set_bits(struct tensor *t, size_t i, uint64_t bits)
{
    size_t size = ldsl_dtype_size(t->dtype);
    unsigned char *p = (unsigned char *)t->data + i * size;
    uint16_t bits16 = (uint16_t)bits;
    uint32_t bits32 = (uint32_t)bits;
    switch (size) {
    case 1: *p = (unsigned char)bits; break;
    case 2: memcpy(p, &bits16, sizeof bits16); break;
    case 4: memcpy(p, &bits32, sizeof bits32); break;
    default: memcpy(p, &bits, sizeof bits);
    }
}

bool dtype_is_signed(enum ldsl_dtype dtype)
{
    return dtype == LDSL_I8 || dtype == LDSL_I16 || dtype == LDSL_I32 || dtype == LDSL_I64;
}

int64_t tensor_get_integer(const struct tensor *t, size_t i)
{
    if (dtype_is_float(t->dtype))
        return (int64_t)tensor_get(t, i);
    uint64_t bits = get_bits(t, i);
    unsigned unused = 64 - 8 * (unsigned)ldsl_dtype_size(t->dtype);
    if (dtype_is_signed(t->dtype) && unused) /* extend the sign */
        return (int64_t)(bits << unused) >> unused;
    return (int64_t)bits;
}

double tensor_get(const struct tensor *t, size_t i)
{
    if (t->dtype == LDSL_F32) {
        float value;
        memcpy(&value, element(t, i), sizeof value);
        return (double)value;
    }
    if (dtype_is_float(t->dtype))
        return float_decode(t->dtype, get_bits(t, i));
    if (t->dtype == LDSL_U64)
        return (double)get_bits(t, i);
    return (double)tensor_get_integer(t, i);
}

void tensor_set_integer(struct tensor *t, size_t i, int64_t value)
{
    if (dtype_is_float(t->dtype))
        tensor_set(t, i, (double)value);
    else
        set_bits(t, i, t->dtype == LDSL_BOOL ? value != 0 : (uint64_t)value);
}

/* value truncated to a whole number and held within the integers of the dtype */
static uint64_t integer_bits(enum ldsl_dtype dtype, double value)
{
    if (isnan(value))
        return 0;
    int bits = 8 * (int)ldsl_dtype_size(dtype);
    if (dtype_is_signed(dtype)) {
        double limit = ldexp(1, bits - 1);
        if (value >= limit)
            return (UINT64_C(1) << (bits - 1)) - 1;
        return value < -limit ? UINT64_C(1) << (bits - 1) : (uint64_t)(int64_t)value;
    }
    if (value <= 0)
        return 0;
    return value >= ldexp(1, bits) ? UINT64_MAX >> (64 - bits) : (uint64_t)value;
}

void tensor_set(struct tensor *t, size_t i, double value)
{
    if (t->dtype == LDSL_F32) {
        float single = (float)value;
        memcpy((unsigned char *)t->data + i * sizeof single, &single, sizeof single);
    } else if (dtype_is_float(t->dtype)) {
        set_bits(t, i, float_encode(t->dtype, value));
    } else if (t->dtype == LDSL_BOOL) {
        set_bits(t, i, value != 0);
    } else {
        set_bits(t, i, integer_bits(t->dtype, value));
    }
}

void tensor_load(const struct tensor *t, size_t first, size_t count, double *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = tensor_get(t, first + i);
}

void tensor_store(struct tensor *t, size_t first, size_t count, const double *values)
{
    for (size_t i = 0; i < count; i++)
        tensor_set(t, first + i, values[i]);
}

/* ---- shapes as text ----------------------------------------------------------------------- */

bool shape_parse(const char *text, size_t length, uint32_t *rank, int64_t *shape)
{
    *rank = 0;
    size_t i = 0;
    while (i < length) {
        if (*rank == LDSL_MAX_RANK)
            return false;
        size_t start = i;
        int64_t dim = 0;
        for (; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
            if (dim > (INT64_MAX - 9) / 10)
                return false;
            dim = dim * 10 + (text[i] - '0');
        }
        if (i == start)
            return false;
        shape[(*rank)++] = dim;
        if (i < length && (text[i++] != 'x' || i == length))
            return false;
    }
    return true;
}

const char *tensor_describe(const struct tensor *t, char *buffer, size_t size)
{
    int used = snprintf(buffer, size, "%s[", ldsl_dtype_name(t->dtype));
    for (uint32_t d = 0; d < t->rank && used >= 0 && (size_t)used < size; d++)
        used +=
            snprintf(buffer + used, size - (size_t)used, "%s%" PRId64, d ? ", " : "", t->shape[d]);
    if (used >= 0 && (size_t)used < size)
        snprintf(buffer + used, size - (size_t)used, "]");
    return buffer;
}
