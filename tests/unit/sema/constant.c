/* Compile-time values: rounding, wrapping, conversion, and the covers of fit. */
#include "sema/internal.h"
#include "unit/sema/elaborate.h"

#include <math.h>

static struct const_value value_of(struct front *f, const char *name)
{
    struct sema_item *item = sema_find(f->m, intern_text(&f->s, name));
    assert_non_null(item);
    struct const_value v = sema_const(item);
    diag_flush(&f->s);
    if (v.kind == CONST_POISON)
        fail_msg("%s: %s", name, f->messages);
    return v;
}

static void test_integers(void **state)
{
    struct front f;
    (void)state;
    front_begin(&f, "const a = 7 / 2 * 10 + 7 % 2;\n"
                    "const floor_ = index(-7) / 2;\n"
                    "const trunc_ = i32(-7) / 2;\n"
                    "const wraps: u8 = u8(250) + 10;\n"
                    "const low = i8(200);\n"
                    "const shifted: index = 1 << 40;\n"
                    "const hash: u64 = 0x9E3779B97F4A7C15;\n"
                    "const pick = a > 30 ? min(a, 12) : cdiv(1, 0);\n"
                    "const up = cdiv(33, 32);\n");
    assert_int_equal(value_of(&f, "a").i, 31);
    assert_int_equal(value_of(&f, "floor_").i, -4);
    assert_int_equal(value_of(&f, "trunc_").i, -3);
    assert_int_equal(value_of(&f, "wraps").i, 4);
    assert_int_equal(value_of(&f, "low").i, -56);
    assert_int_equal(value_of(&f, "shifted").i, (int64_t)1 << 40);
    assert_int_equal((uint64_t)value_of(&f, "hash").i, 0x9E3779B97F4A7C15u);
    assert_int_equal(value_of(&f, "pick").i, 12);
    assert_int_equal(value_of(&f, "up").i, 2);
    front_end(&f);
}

static void test_floats(void **state)
{
    struct front f;
    (void)state;
    front_begin(&f, "const third: f32 = 1.0 / 3.0;\n"
                    "const h: f16 = 0.1;\n"
                    "const b: bf16 = 3.14159;\n"
                    "const tie: f16 = f16(2049.0);\n"
                    "const tiny: f16 = 5.9604645e-8;\n"
                    "const q: f8e4m3 = 0.3;\n"
                    "const over = f16(1e6);\n"
                    "const clamp: i8 = i8(1000.7);\n"
                    "const zero = i32(nan);\n"
                    "const mixed = 2 * 0.5;\n");
    assert_true(value_of(&f, "third").f == (double)(1.0f / 3.0f));
    assert_true(value_of(&f, "h").f == 0x1.998p-4);
    assert_true(value_of(&f, "b").f == 3.140625);
    assert_true(value_of(&f, "tie").f == 2048.0);
    assert_true(value_of(&f, "tiny").f == 0x1p-24);
    assert_true(value_of(&f, "q").f == 0.3125);
    assert_true(isinf(value_of(&f, "over").f));
    assert_int_equal(value_of(&f, "clamp").i, 127);
    assert_int_equal(value_of(&f, "zero").i, 0);
    assert_true(value_of(&f, "mixed").literal && value_of(&f, "mixed").f == 1.0);
    front_end(&f);
}

static void test_covers(void **state)
{
    (void)state;
    assert_int_equal(fit_cover(1), 16);
    assert_int_equal(fit_cover(16), 16);
    assert_int_equal(fit_cover(17), 20);
    assert_int_equal(fit_cover(1024), 1024);
    assert_int_equal(fit_cover(5000), 5120);
    assert_int_equal(fit_cover(65536), 65536);
    assert_int_equal(fit_cover(65537), 0);
    for (uint32_t i = 1; fit_rung(i); i++)
        assert_true(fit_rung(i) > fit_rung(i - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_covers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
