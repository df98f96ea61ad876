/* Host tensors: conversions of every 8- and 16-bit float, integers, shapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "random.h"
#include "tensor.h"

static const struct small {
    enum ldsl_dtype dtype;
    unsigned codes;      /* of one sign */
    unsigned max_finite; /* code of the largest finite value */
} smalls[] = {
    {LDSL_F16,    0x8000, 0x7bff},
    {LDSL_BF16,   0x8000, 0x7f7f},
    {LDSL_F8E4M3, 0x80,   0x7e  },
    {LDSL_F8E5M2, 0x80,   0x7b  },
};

enum { small_count = sizeof smalls / sizeof *smalls };

static void every_code_survives_a_round_trip(void **state)
{
    (void)state;
    for (int k = 0; k < small_count; k++)
        for (unsigned code = 0; code < 2 * smalls[k].codes; code++) {
            double value = float_decode(smalls[k].dtype, code);
            bool finite = (code & (smalls[k].codes - 1)) <= smalls[k].max_finite;
            if (isnan(value))
                assert_true(
                    isnan(float_decode(smalls[k].dtype, float_encode(smalls[k].dtype, value))));
            else if (finite || smalls[k].dtype == LDSL_F16 || smalls[k].dtype == LDSL_BF16)
                assert_int_equal(float_encode(smalls[k].dtype, value), code);
        }
}

/* Neighbouring values are exact doubles and so are their midpoints: this pins round to nearest even
 * for the whole format. */
static void midpoints_round_to_even(void **state)
{
    (void)state;
    for (int k = 0; k < small_count; k++)
        for (unsigned code = 0; code < smalls[k].max_finite; code++) {
            enum ldsl_dtype dtype = smalls[k].dtype;
            double low = float_decode(dtype, code), high = float_decode(dtype, code + 1);
            assert_true(low < high);
            double middle = (low + high) / 2;
            assert_int_equal(float_encode(dtype, middle), code % 2 ? code + 1 : code);
            assert_int_equal(float_encode(dtype, nextafter(middle, 0)), code);
            assert_int_equal(float_encode(dtype, nextafter(middle, INFINITY)), code + 1);
            assert_int_equal(float_encode(dtype, -middle),
                             smalls[k].codes | (code % 2 ? code + 1 : code));
        }
}

static void values_beyond_the_range_overflow(void **state)
{
    (void)state;
    assert_int_equal(float_encode(LDSL_F16, 65519.9), 0x7bff);
    assert_int_equal(float_encode(LDSL_F16, 65520.0), 0x7c00);
    assert_int_equal(float_encode(LDSL_F16, -1e300), 0xfc00);
    assert_int_equal(float_encode(LDSL_BF16, INFINITY), 0x7f80);
    assert_int_equal(float_encode(LDSL_F8E4M3, 1e9), 0x7e); /* saturates: 448 */
    assert_int_equal(float_encode(LDSL_F8E5M2, -INFINITY), 0xfb);
    assert_int_equal(float_encode(LDSL_F8E4M3, NAN) & 0x7f, 0x7f);
    assert_int_equal(float_encode(LDSL_BF16, NAN) & 0x7fff, 0x7fc0);
    assert_int_equal(float_encode(LDSL_F16, 0x1p-25), 0); /* half of the smallest: to even */
    assert_int_equal(float_encode(LDSL_F16, 0x1.8p-25), 1);
    assert_int_equal(float_encode(LDSL_F16, 0x1p-1074), 0);
    assert_int_equal(float_encode(LDSL_F16, -0.0), 0x8000);
}

/* 1 + 2^-11 + 2^-40 lies just above the midpoint of two halves: going through float would lose that
 * and round down. */
static void rounding_happens_once(void **state)
{
    (void)state;
    assert_int_equal(float_encode(LDSL_F16, 1 + 0x1p-11 + 0x1p-40), 0x3c01);
    assert_int_equal(float_encode(LDSL_F16, 1 + 0x1p-11), 0x3c00);
}

static void f32_agrees_with_the_processor(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 200000; i++) {
        uint64_t bits = random_bits(1, i);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (i % 2) /* half of them near the range of float */
            value = ldexp(random_uniform(2, i) + 0.5, (int)(bits % 300) - 160);
        if (isnan(value))
            continue;
        float single = (float)value;
        uint32_t expected;
        memcpy(&expected, &single, sizeof expected);
        assert_int_equal(float_encode(LDSL_F32, value), expected);
        if (isfinite(single))
            assert_true(float_decode(LDSL_F32, expected) == (double)single);
    }
}

static struct tensor make(enum ldsl_dtype dtype, int64_t n)
{
    struct tensor t;
    struct tensor_error error;
    assert_true(tensor_create(&t, dtype, 1, &n, &error));
    return t;
}

static void integers_keep_their_value(void **state)
{
    (void)state;
    static const struct {
        enum ldsl_dtype dtype;
        int64_t low, high;
    } ranges[] = {
        {LDSL_I8,   INT8_MIN,  INT8_MAX  },
        {LDSL_I16,  INT16_MIN, INT16_MAX },
        {LDSL_I32,  INT32_MIN, INT32_MAX },
        {LDSL_I64,  INT64_MIN, INT64_MAX },
        {LDSL_U8,   0,         UINT8_MAX },
        {LDSL_U16,  0,         UINT16_MAX},
        {LDSL_U32,  0,         UINT32_MAX},
        {LDSL_BOOL, 0,         1         },
    };
    for (size_t k = 0; k < sizeof ranges / sizeof *ranges; k++) {
        struct tensor t = make(ranges[k].dtype, 2);
        tensor_set_integer(&t, 0, ranges[k].low);
        tensor_set_integer(&t, 1, ranges[k].high);
        assert_int_equal(tensor_get_integer(&t, 0), ranges[k].low);
        assert_int_equal(tensor_get_integer(&t, 1), ranges[k].high);
        tensor_set(&t, 0, -1e30);
        tensor_set(&t, 1, 1e30);
        if (ranges[k].dtype != LDSL_BOOL) {
            assert_int_equal(tensor_get_integer(&t, 0), ranges[k].low);
            assert_int_equal(tensor_get_integer(&t, 1), ranges[k].high);
        }
        tensor_destroy(&t);
    }
    struct tensor t = make(LDSL_U64, 1);
    tensor_set(&t, 0, 0x1p64);
    assert_true(tensor_get(&t, 0) == (double)UINT64_MAX);
    tensor_set(&t, 0, -3);
    assert_true(tensor_get(&t, 0) == 0);
    tensor_destroy(&t);
    t = make(LDSL_I32, 1);
    tensor_set(&t, 0, NAN);
    assert_int_equal(tensor_get_integer(&t, 0), 0);
    tensor_set(&t, 0, -2.9);
    assert_int_equal(tensor_get_integer(&t, 0), -2);
    tensor_destroy(&t);
}

static void impossible_shapes_are_refused(void **state)
{
    (void)state;
    struct tensor t;
    struct tensor_error error;
    int64_t huge[] = {INT64_MAX, 2}, negative[] = {-1}, empty[] = {INT64_MAX, INT64_MAX, 0};
    int64_t many[LDSL_MAX_RANK + 1] = {0};
    assert_false(tensor_create(&t, LDSL_U8, 2, huge, &error));
    assert_false(tensor_create(&t, LDSL_F64, 1, huge, &error));
    assert_false(tensor_create(&t, LDSL_U8, 1, negative, &error));
    assert_false(tensor_create(&t, LDSL_U8, LDSL_MAX_RANK + 1, many, &error));
    assert_false(tensor_create(&t, LDSL_U8, 3, empty, &error));
    int64_t none[] = {5, 0};
    assert_true(tensor_create(&t, LDSL_U8, 2, none, &error));
    assert_null(t.data);
    tensor_destroy(&t);
    tensor_destroy(&t);
}

static void shapes_read_and_print(void **state)
{
    (void)state;
    uint32_t rank;
    int64_t shape[LDSL_MAX_RANK];
    assert_true(shape_parse("3x4096x1", 8, &rank, shape));
    assert_int_equal(rank, 3);
    assert_int_equal(shape[1], 4096);
    assert_true(shape_parse("", 0, &rank, shape));
    assert_int_equal(rank, 0);
    static const char *const wrong[] = {
        "x", "3x", "x3", "3xx4", "3 x4", "-3", "3y4", "99999999999999999999", "1x1x1x1x1x1x1x1x1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(shape_parse(wrong[i], strlen(wrong[i]), &rank, shape));
    char text[64];
    struct tensor t = {
        .dtype = LDSL_BF16, .rank = 2, .shape = {3, 5}
    };
    assert_string_equal(tensor_describe(&t, text, sizeof text), "bf16[3, 5]");
    assert_string_equal(tensor_describe(&t, text, 8), "bf16[3,"); /* cut, never overrun */
}

static void random_values_are_reproducible_and_distributed(void **state)
{
    (void)state;
    assert_true(random_bits(7, 3) == random_bits(7, 3));
    assert_true(random_bits(7, 3) != random_bits(8, 3));
    assert_true(random_seed(0, "x") != random_seed(0, "y"));
    enum { count = 200000 };
    double sum = 0, squares = 0, beyond = 0;
    for (uint64_t i = 0; i < count; i++) {
        double v = random_normal(5, i);
        assert_true(isfinite(v));
        sum += v;
        squares += v * v;
        beyond += fabs(v) > 2;
    }
    assert_true(fabs(sum / count) < 0.01);
    assert_true(fabs(squares / count - 1) < 0.02);
    assert_true(fabs(beyond / count - 0.0455) < 0.003); /* both tails past two deviations */
    struct tensor t = make(LDSL_I64, 1000);
    tensor_fill_integers(&t, -5, 5, 1);
    int seen = 0;
    for (size_t i = 0; i < t.count; i++) {
        int64_t v = tensor_get_integer(&t, i);
        assert_in_range(v + 5, 0, 9);
        seen |= 1 << (v + 5);
    }
    assert_int_equal(seen, 0x3ff);
    tensor_destroy(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_survives_a_round_trip),
        cmocka_unit_test(midpoints_round_to_even),
        cmocka_unit_test(values_beyond_the_range_overflow),
        cmocka_unit_test(rounding_happens_once),
        cmocka_unit_test(f32_agrees_with_the_processor),
        cmocka_unit_test(integers_keep_their_value),
        cmocka_unit_test(impossible_shapes_are_refused),
        cmocka_unit_test(shapes_read_and_print),
        cmocka_unit_test(random_values_are_reproducible_and_distributed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
