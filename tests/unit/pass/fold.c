/* Constant arithmetic against the host's: every pair of 8-bit integers, roundings against bit
 * tricks, casts at their borders. */
#include "pass/internal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int64_t fold_two(enum ir_opcode op, enum ir_elem elem, int64_t x, int64_t y)
{
    struct number out;
    assert_true(fold_binary(op, (struct number){.elem = elem, .i = x},
                            (struct number){.elem = elem, .i = y}, &out));
    return out.i;
}

static void check_signed_pair(int x, int y)
{
    assert_int_equal(fold_two(IR_OP_add, IR_I8, x, y), (int8_t)(x + y));
    assert_int_equal(fold_two(IR_OP_sub, IR_I8, x, y), (int8_t)(x - y));
    assert_int_equal(fold_two(IR_OP_mul, IR_I8, x, y), (int8_t)(x * y));
    assert_int_equal(fold_two(IR_OP_div, IR_I8, x, y), y ? (int8_t)(x / y) : 0);
    assert_int_equal(fold_two(IR_OP_rem, IR_I8, x, y), y ? x % y : 0);
    assert_int_equal(fold_two(IR_OP_min, IR_I8, x, y), x < y ? x : y);
    assert_int_equal(fold_two(IR_OP_max, IR_I8, x, y), x > y ? x : y);
    assert_int_equal(fold_two(IR_OP_xor, IR_I8, x, y), (int8_t)(x ^ y));
}

static void check_unsigned_pair(unsigned x, unsigned y)
{
    assert_int_equal(fold_two(IR_OP_sub, IR_U8, x, y), (uint8_t)(x - y));
    assert_int_equal(fold_two(IR_OP_div, IR_U8, x, y), y ? x / y : 0);
    assert_int_equal(fold_two(IR_OP_rem, IR_U8, x, y), y ? x % y : 0);
    assert_int_equal(fold_two(IR_OP_min, IR_U8, x, y), x < y ? x : y);
    assert_int_equal(fold_two(IR_OP_shl, IR_U8, x, y), y < 8 ? (uint8_t)(x << y) : 0);
    assert_int_equal(fold_two(IR_OP_shr, IR_U8, x, y), y < 8 ? x >> y : 0);
}

static void small_integers(void **state)
{
    (void)state;
    for (int x = -128; x < 128; x++)
        for (int y = -128; y < 128; y++) {
            check_signed_pair(x, y);
            check_unsigned_pair((unsigned)x & 255, (unsigned)y & 255);
        }
}

static void arithmetic_shift(void **state)
{
    (void)state;
    assert_int_equal(fold_two(IR_OP_shr, IR_I8, -128, 3), -16);
    assert_int_equal(fold_two(IR_OP_shr, IR_I8, -1, 100), -1);
    assert_int_equal(fold_two(IR_OP_shr, IR_I8, 64, 100), 0);
    assert_int_equal(fold_two(IR_OP_shl, IR_I64, 1, 63), INT64_MIN);
}

/* index divides downwards; the smallest number over -1 wraps. */
static void index_division(void **state)
{
    (void)state;
    for (int x = -20; x <= 20; x++)
        for (int y = 1; y <= 7; y++) {
            int64_t quotient = (int64_t)floor((double)x / y);
            assert_int_equal(fold_two(IR_OP_div, IR_INDEX, x, y), quotient);
            assert_int_equal(fold_two(IR_OP_rem, IR_INDEX, x, y), x - quotient * y);
        }
    assert_int_equal(fold_two(IR_OP_div, IR_I64, INT64_MIN, -1), INT64_MIN);
    assert_int_equal(fold_two(IR_OP_rem, IR_I64, INT64_MIN, -1), 0);
}

static double cast_float(enum ir_elem from, double x, enum ir_elem to)
{
    struct number out;
    assert_true(fold_unary(IR_OP_cast, (struct number){.elem = from, .f = x}, to, &out));
    return out.f;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* bf16 is the upper half of an f32: add half of what is dropped, ties to even. */
static void round_to_bf16(void **state)
{
    (void)state;
    for (uint64_t step = 0; step < 0x100000000u; step += 40503) {
        uint32_t bits = (uint32_t)step;
        float x = float_of(bits);
        if (isnan(x))
            continue;
        uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
        assert_int_equal(bits_of((float)cast_float(IR_F32, x, IR_BF16)), rounded);
    }
}

/* Half of the numbers between two neighbouring f16 go down, half go up, the middle to the even. */
static void round_to_f16(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x7bff; h++) {
        uint32_t exponent = h >> 10, fraction = h & 1023;
        double unit = ldexp(1, exponent ? (int)exponent - 25 : -24);
        double low = exponent ? ldexp(1024 + fraction, (int)exponent - 25) : fraction * unit;
        assert_true(cast_float(IR_F64, low, IR_F16) == low);
        assert_true(cast_float(IR_F64, low + unit * 0.499, IR_F16) == low);
        assert_true(cast_float(IR_F64, low + unit * 0.501, IR_F16) == low + unit);
        double even = h & 1 ? low + unit : low;
        assert_true(cast_float(IR_F64, low + unit * 0.5, IR_F16) == even);
        assert_true(cast_float(IR_F64, -(low + unit * 0.5), IR_F16) == -even);
    }
    assert_true(cast_float(IR_F64, 65519.99, IR_F16) == 65504);
    assert_true(isinf(cast_float(IR_F64, 65520, IR_F16)));
}

static void round_to_f32(void **state)
{
    (void)state;
    double x = 1e-46;
    for (int i = 0; i < 20000; i++, x *= 1.0100001) {
        float nearest = (float)x;
        assert_int_equal(bits_of((float)cast_float(IR_F64, x, IR_F32)), bits_of(nearest));
    }
}

static int64_t cast_int(double x, enum ir_elem to)
{
    struct number out;
    assert_true(fold_unary(IR_OP_cast, (struct number){.elem = IR_F64, .f = x}, to, &out));
    return out.i;
}

static void saturating_casts(void **state)
{
    (void)state;
    assert_int_equal(cast_int(NAN, IR_I32), 0);
    assert_int_equal(cast_int(-1e300, IR_I32), INT32_MIN);
    assert_int_equal(cast_int(1e300, IR_I32), INT32_MAX);
    assert_int_equal(cast_int(-3.99, IR_I8), -3);
    assert_int_equal(cast_int(-128.5, IR_I8), -128);
    assert_int_equal(cast_int(INFINITY, IR_U64), -1);
    assert_int_equal(cast_int(-INFINITY, IR_U64), 0);
    assert_int_equal(cast_int(9223372036854775808.0, IR_I64), INT64_MAX);
    assert_int_equal(cast_int(18446744073709549568.0, IR_U64), (int64_t)18446744073709549568u);
}

/* A wide integer is rounded once or not at all. */
static void wide_integers_to_floats(void **state)
{
    (void)state;
    struct number out, x = {.elem = IR_I64, .i = (1LL << 60) + 1};
    assert_false(fold_unary(IR_OP_cast, x, IR_F32, &out));
    assert_true(fold_unary(IR_OP_cast, x, IR_F64, &out));
    assert_true(out.f == (double)x.i);
}

static void exact_casts(void **state)
{
    (void)state;
    assert_true(cast_is_exact(IR_BF16, IR_F32));
    assert_true(cast_is_exact(IR_F16, IR_F32));
    assert_false(cast_is_exact(IR_F16, IR_BF16));
    assert_false(cast_is_exact(IR_BF16, IR_F16));
    assert_true(cast_is_exact(IR_I32, IR_F64));
    assert_false(cast_is_exact(IR_I32, IR_F32));
    assert_true(cast_is_exact(IR_U8, IR_BF16));
    assert_false(cast_is_exact(IR_U16, IR_F16));
    assert_true(cast_is_exact(IR_U32, IR_I64));
    assert_false(cast_is_exact(IR_I32, IR_U64));
    assert_false(cast_is_exact(IR_U64, IR_INDEX));
    assert_true(cast_is_exact(IR_BOOL, IR_F16));
    assert_false(cast_is_exact(IR_I8, IR_BOOL));
}

static void comparisons(void **state)
{
    (void)state;
    struct number nan = {.elem = IR_F32, .f = NAN}, one = {.elem = IR_F32, .f = 1};
    struct number big = {.elem = IR_U64, .i = -1}, small = {.elem = IR_U64, .i = 1};
    assert_true(fold_compare(IR_CMP_NE, nan, nan));
    assert_false(fold_compare(IR_CMP_EQ, nan, nan));
    assert_false(fold_compare(IR_CMP_LE, nan, one));
    assert_false(fold_compare(IR_CMP_GT, nan, one));
    assert_true(fold_compare(IR_CMP_LT, small, big));
    assert_false(fold_compare(IR_CMP_GE, small, big));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_integers),   cmocka_unit_test(arithmetic_shift),
        cmocka_unit_test(index_division),   cmocka_unit_test(round_to_bf16),
        cmocka_unit_test(round_to_f16),     cmocka_unit_test(round_to_f32),
        cmocka_unit_test(saturating_casts), cmocka_unit_test(wide_integers_to_floats),
        cmocka_unit_test(exact_casts),      cmocka_unit_test(comparisons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
