/* Casts between all element types: every bit pattern of the small ones, and for the wide ones the
 * neighbourhood of every rounding boundary of the small floats. */
#include "run.h"

#include <math.h>

struct format {
    const char *name;
    int digits, exponent_bits, bias;
    bool finite;
    size_t bytes;
};
static const struct format formats[] = {
    {"f16",    10, 5, 15,  false, 2},
    {"bf16",   7,  8, 127, false, 2},
    {"f8e4m3", 3,  4, 7,   true,  1},
    {"f8e5m2", 2,  5, 15,  false, 1},
};

static const char form[] = "kernel f {\n"
                           "  params { %%N.0 : dim }\n"
                           "  tensors { x : read %s[%%N.0]  y : out %s[%%N.0] }\n"
                           "  axes { i : grid %%z .. %%N.0 {tile = 1024} }\n"
                           "  body {\n"
                           "    %%z = const {i = 0} : index\n"
                           "    %%i = index {axis = i} : index[i]\n"
                           "    %%x = load x[%%i] : %s[i]\n"
                           "    %%y = cast %%x : %s[i]\n"
                           "    store y[%%i], %%y\n"
                           "    return\n"
                           "  }\n"
                           "}\n";

static struct program compile_cast_for(const char *target, const char *from, const char *to,
                                       int round_bias)
{
    char text[1024];
    snprintf(text, sizeof text, form, from, to, from, to);
    return compile_for(target, text, (struct codegen_options){.round_bias = round_bias});
}

static void cast_all(const char *target, const char *from, const char *to, const void *x, void *y,
                     int64_t count)
{
    struct program p = compile_cast_for(target, from, to, 0);
    uint64_t slots[] = {POINTER(x), POINTER(y), (uint64_t)count};
    run(&p, slots, (count + 1023) / 1024);
    release(&p);
}

/* What the bits mean. */
static double decode(const struct format *f, uint32_t bits)
{
    uint32_t all = f->digits + f->exponent_bits, mask = (1u << f->digits) - 1;
    uint32_t e = bits >> f->digits & ((1u << f->exponent_bits) - 1), m = bits & mask;
    double sign = bits >> all & 1 ? -1 : 1;
    if (e == (1u << f->exponent_bits) - 1 && (!f->finite || m == mask))
        return m ? NAN : sign * INFINITY;
    if (!e)
        return sign * ldexp(m, 1 - f->bias - f->digits);
    return sign * ldexp(m + mask + 1, (int)e - f->bias - f->digits);
}

static uint32_t patterns(const struct format *f)
{
    return 1u << (f->bytes * 8);
}

static uint32_t get_bits(const struct format *f, const void *array, int64_t i)
{
    return f->bytes == 2 ? ((const uint16_t *)array)[i] : ((const uint8_t *)array)[i];
}

static void check_widening(const struct format *f, const char *target)
{
    uint32_t count = patterns(f);
    void *x = malloc(count * f->bytes);
    float *y = malloc(count * sizeof *y);
    double *d = malloc(count * sizeof *d);
    for (uint32_t i = 0; i < count; i++)
        if (f->bytes == 2)
            ((uint16_t *)x)[i] = (uint16_t)i;
        else
            ((uint8_t *)x)[i] = (uint8_t)i;
    cast_all(target, f->name, "f32", x, y, count);
    cast_all(target, f->name, "f64", x, d, count);
    for (uint32_t i = 0; i < count; i++) {
        double want = decode(f, i);
        if (isnan(want) ? !isnan(y[i]) || !isnan(d[i])
                        : y[i] != (float)want || d[i] != want || !signbit(y[i]) != !signbit(want))
            fail_msg("%s %#x is %a, not %a", f->name, i, (double)y[i], want);
    }
    free(x), free(y), free(d);
}

/* The nearest of the format's values, ties to even, by search. */
static uint32_t encode(const struct format *f, long double v)
{
    uint32_t all = f->digits + f->exponent_bits, sign = signbit(v) ? 1u << all : 0;
    uint32_t inf = ((1u << f->exponent_bits) - 1) << f->digits;
    uint32_t over = f->finite ? (1u << all) - 1 : inf; /* what is too large becomes */
    if (isnan(v))
        return UINT32_MAX;
    long double a = fabsl(v);
    uint32_t low = 0, high = over; /* magnitude patterns are ordered as their values */
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (decode(f, mid) <= a)
            low = mid;
        else
            high = mid;
    }
    if (decode(f, low) == a)
        return sign | low;
    /* The step beyond the largest value counts as a value for rounding. */
    double below = decode(f, low), step = low ? below - decode(f, low - 1) : decode(f, 1);
    if (low && !(low & ((1u << f->digits) - 1)) && low >> f->digits > 1)
        step *= 2;
    double above = high == over ? below + step : decode(f, high), middle = below / 2 + above / 2;
    bool up = a > middle || (a == middle && (low & 1));
    return sign | (up ? high : low);
}

static void check_narrow(const struct format *f, long double v, uint32_t got, const char *from)
{
    uint32_t want = encode(f, v);
    bool fine = want == UINT32_MAX
                    ? isnan(decode(f, got))
                    : got == want || (isnan(decode(f, got)) && isnan(decode(f, want)));
    if (!fine)
        fail_msg("%s %La as %s is %#x, not %#x", from, v, f->name, got, want);
}

/* Every value, the middle to its neighbour, and the next f32 or f64 around both. */
static int64_t boundaries(const struct format *f, double *out, bool wide)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < patterns(f); i++) {
        double a = decode(f, i), b = decode(f, i + 1 < patterns(f) ? i + 1 : i), points[2];
        if (isnan(a) || isinf(a))
            continue;
        points[0] = a;
        points[1] = isnan(b) || isinf(b) ? a * (1 + ldexp(1, -f->digits - 2)) : a / 2 + b / 2;
        for (int k = 0; k < 2; k++) {
            out[n++] = points[k];
            out[n++] = wide ? nextafter(points[k], INFINITY)
                            : (double)nextafterf((float)points[k], INFINITY);
            out[n++] = wide ? nextafter(points[k], -INFINITY)
                            : (double)nextafterf((float)points[k], -INFINITY);
        }
    }
    static const double extra[] = {INFINITY, -INFINITY, NAN, 1e300, -1e300,
                                   1e-300,   448,       464, 465,   3e38};
    for (size_t i = 0; i < sizeof extra / sizeof *extra; i++)
        out[n++] = extra[i];
    return n;
}

static void check_narrowing(const struct format *f, const char *target)
{
    double *d = malloc((size_t)patterns(f) * 6 * 8 + 200);
    int64_t n = boundaries(f, d, true);
    void *y = malloc((size_t)n * f->bytes);
    cast_all(target, "f64", f->name, d, y, n);
    for (int64_t i = 0; i < n; i++)
        check_narrow(f, (long double)d[i], get_bits(f, y, i), "f64");
    n = boundaries(f, d, false);
    float *x = malloc((size_t)n * 4);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)d[i];
    cast_all(target, "f32", f->name, x, y, n);
    for (int64_t i = 0; i < n; i++)
        check_narrow(f, (long double)x[i], get_bits(f, y, i), "f32");
    free(d), free(y), free(x);
}

static void test_small_floats(void **state)
{
    (void)state;
    static const char *const targets[] = {"cpu:native", "cpu:x86-64-v2"};
    for (int t = 0; t < 2; t++)
        for (int i = 0; i < 4; i++) {
            check_widening(&formats[i], targets[t]);
            check_narrowing(&formats[i], targets[t]);
        }
}

/* Integers to small floats must round once, also those that f64 does not hold. */
static void test_integers_to_small(void **state)
{
    (void)state;
    int64_t x[2048], n = 0;
    for (int s = 0; s < 63; s++)
        for (int64_t k = -3; k <= 3; k++) {
            int64_t power = (int64_t)1 << s;
            x[n++] = power + k;
            x[n++] = -power - k;
            x[n++] = power + (power >> 11) + k; /* near the middle between two f16 or bf16 */
            x[n++] = power + (power >> 8) + k;
        }
    for (int f = 0; f < 2; f++) {
        uint16_t y[2048];
        cast_all("cpu:native", "i64", formats[f].name, x, y, n);
        for (int64_t i = 0; i < n; i++) {
            check_narrow(&formats[f], (long double)x[i], y[i], "i64");
        }
    }
}

static void test_saturating(void **state)
{
    (void)state;
    static const float x[] = {0.0f,          -0.5f,  0.99f,   -0.99f,   1.5f,      -1.5f,
                              127.9f,        128.0f, -129.0f, 255.5f,   256.0f,    3e9f,
                              -3e9f,         1e20f,  -1e20f,  INFINITY, -INFINITY, NAN,
                              2147483520.0f, 9e18f,  1e19f,   1.8e19f,  65535.5f,  -32769.0f};
    enum { N = sizeof x / sizeof *x };
    int8_t i8[N];
    uint8_t u8[N];
    int32_t i32[N];
    int64_t i64[N];
    uint64_t u64[N];
    cast_all("cpu:native", "f32", "i8", x, i8, N);
    cast_all("cpu:native", "f32", "u8", x, u8, N);
    cast_all("cpu:native", "f32", "i32", x, i32, N);
    cast_all("cpu:native", "f32", "i64", x, i64, N);
    cast_all("cpu:native", "f32", "u64", x, u64, N);
    for (int i = 0; i < N; i++) {
        double t = isnan(x[i]) ? 0 : trunc((double)x[i]);
        assert_int_equal(i8[i], t < -128 ? -128 : t > 127 ? 127 : (int)t);
        assert_int_equal(u8[i], t < 0 ? 0 : t > 255 ? 255 : (int)t);
        assert_int_equal(i32[i], t < -2147483648.0  ? INT32_MIN
                                 : t > 2147483647.0 ? INT32_MAX
                                                    : (int32_t)t);
        assert_true(i64[i] == (t < -9223372036854775808.0   ? INT64_MIN
                               : t >= 9223372036854775808.0 ? INT64_MAX
                                                            : (int64_t)t));
        assert_true(u64[i] == (t < 0 ? 0 : t >= 18446744073709551616.0 ? UINT64_MAX : (uint64_t)t));
    }
}

static void test_integers(void **state)
{
    (void)state;
    static const int64_t x[] = {0,   1,     -1,     127,       128,       -128,     255,
                                256, 65535, -32769, 1ll << 40, INT64_MIN, INT64_MAX};
    enum { N = sizeof x / sizeof *x };
    int8_t i8[N];
    uint16_t u16[N];
    uint8_t b[N];
    float f[N];
    cast_all("cpu:native", "i64", "i8", x, i8, N);
    cast_all("cpu:native", "i64", "u16", x, u16, N);
    cast_all("cpu:native", "i64", "bool", x, b, N);
    cast_all("cpu:native", "i64", "f32", x, f, N);
    for (int i = 0; i < N; i++) {
        assert_int_equal(i8[i], (int8_t)(uint8_t)((uint64_t)x[i] & 255));
        assert_int_equal(u16[i], (uint16_t)((uint64_t)x[i] & 65535));
        assert_int_equal(b[i], x[i] != 0);
        assert_true(f[i] == (float)x[i]);
    }
    int64_t wide[N];
    cast_all("cpu:native", "i8", "i64", i8, wide, N);
    for (int i = 0; i < N; i++)
        assert_true(wide[i] == i8[i]);
    cast_all("cpu:native", "u16", "i64", u16, wide, N);
    for (int i = 0; i < N; i++)
        assert_true(wide[i] == u16[i]);
}

/* round_bias moves only values within 2^-20 of a boundary. */
static void test_round_bias(void **state)
{
    (void)state;
    const double x[] = {1 + 0x1p-8, 1 + 0x1p-8 + 0x1p-30, 1 + 0x1p-8 - 0x1p-30, -1 - 0x1p-8,
                        1.25,       1 + 0x1p-8 + 0x1p-12};
    static const uint16_t want[3][6] = {
        {0x3f80, 0x3f80, 0x3f80, 0xbf81, 0x3fa0, 0x3f81},
        {0x3f80, 0x3f81, 0x3f80, 0xbf80, 0x3fa0, 0x3f81},
        {0x3f81, 0x3f81, 0x3f81, 0xbf80, 0x3fa0, 0x3f81}
    };
    for (int bias = -1; bias <= 1; bias++) {
        uint16_t y[6];
        struct program p = compile_cast_for("cpu:native", "f64", "bf16", bias);
        uint64_t slots[] = {POINTER(x), POINTER(y), 6};
        run(&p, slots, 1);
        assert_memory_equal(y, want[bias + 1], sizeof y);
        release(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_floats), cmocka_unit_test(test_integers_to_small),
        cmocka_unit_test(test_saturating),   cmocka_unit_test(test_integers),
        cmocka_unit_test(test_round_bias),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
