/* The error model: what passes, and that what is just outside does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "tolerance.h"

enum { WIDTH = 64 };

/* One row of ones as reference, and a result equal to it. */
struct world {
    struct tensor bounds[3], actual, still, moved;
    const struct tensor *moves[1];
    struct expected expected;
};

static void open_world(struct world *w, enum ldsl_dtype dtype)
{
    struct tensor_error error;
    int64_t shape[2] = {1, WIDTH};
    enum ldsl_dtype wide = dtype_is_float(dtype) ? LDSL_F64 : dtype;
    *w = (struct world){.expected = {.reduction = WIDTH}};
    for (int b = 0; b < 3; b++) {
        assert_true(tensor_create(&w->bounds[b], wide, 2, shape, &error));
        w->expected.bounds[b] = &w->bounds[b];
    }
    assert_true(tensor_create(&w->actual, dtype, 2, shape, &error));
    assert_true(tensor_create(&w->still, wide, 2, shape, &error));
    assert_true(tensor_create(&w->moved, wide, 2, shape, &error));
    w->moves[0] = &w->moved;
    w->expected.still = &w->still;
    w->expected.moved = w->moves;
    for (size_t i = 0; i < WIDTH; i++) {
        for (int b = 0; b < 3; b++)
            tensor_set(&w->bounds[b], i, 1.0);
        tensor_set(&w->actual, i, 1.0);
    }
}

static void close_world(struct world *w)
{
    for (int b = 0; b < 3; b++)
        tensor_destroy(&w->bounds[b]);
    tensor_destroy(&w->actual);
    tensor_destroy(&w->still);
    tensor_destroy(&w->moved);
}

static bool passes(struct world *w)
{
    struct verdict verdict;
    check_tensor(&verdict, &w->actual, &w->expected);
    assert_true(verdict.passed == (verdict.why[0] == '\0'));
    return verdict.passed;
}

static void the_bound_is_never_looser_than_1e5(void **state)
{
    (void)state;
    assert_true(relative_tolerance(1) < 2.5e-6);
    assert_true(relative_tolerance(1e9) == 1e-5);
    for (double n = 1; n < 1e6; n *= 2)
        assert_true(relative_tolerance(n) <= 1e-5);
}

static void f32_rows_are_held_to_their_norm(void **state)
{
    (void)state;
    struct world w;
    double allowed = relative_tolerance(WIDTH) * 8; /* sqrt(64) */
    open_world(&w, LDSL_F32);
    assert_true(passes(&w));
    tensor_set(&w.actual, 5, 1.0 + 0.9 * allowed);
    assert_true(passes(&w));
    tensor_set(&w.actual, 5, 1.0 + 1.1 * allowed);
    assert_false(passes(&w));
    for (size_t i = 0; i < WIDTH; i++) /* small everywhere is as bad */
        tensor_set(&w.actual, i, 1.0 + 1.1 * allowed / 8);
    assert_false(passes(&w));
    close_world(&w);
}

static void sixteen_bits_have_one_unit_in_the_last_place(void **state)
{
    (void)state;
    const struct {
        enum ldsl_dtype dtype;
        double unit; /* above 1; below it is half */
    } types[] = {
        {LDSL_BF16, 0x1p-7 },
        {LDSL_F16,  0x1p-10}
    };
    for (int k = 0; k < 2; k++) {
        struct world w;
        open_world(&w, types[k].dtype);
        tensor_set(&w.actual, 0, 1.0 + types[k].unit);
        tensor_set(&w.actual, 1, 1.0 - types[k].unit / 2);
        assert_true(passes(&w));
        tensor_set(&w.actual, 0, 1.0 + 2 * types[k].unit);
        assert_false(passes(&w));
        tensor_set(&w.actual, 0, 1.0);
        tensor_set(&w.actual, 1, 1.0 - types[k].unit);
        assert_false(passes(&w));
        close_world(&w);
    }
}

static void results_between_the_roundings_are_right(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, LDSL_F32);
    tensor_set(&w.bounds[0], 7, 0.5);
    tensor_set(&w.actual, 7, 0.75);
    assert_true(passes(&w));
    tensor_set(&w.actual, 7, 0.49);
    assert_false(passes(&w));
    close_world(&w);
}

static void ill_conditioned_rows_get_what_they_need(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, LDSL_F32);
    tensor_set(&w.actual, 3, 1.001);
    assert_false(passes(&w));
    tensor_set(&w.moved, 3, 0.0005); /* 8 * 0.0005 / sqrt(2) = 0.0028 */
    w.expected.moves = 1;
    assert_true(passes(&w));
    tensor_set(&w.actual, 3, 1.004);
    assert_false(passes(&w));
    close_world(&w);
}

static void structural_zeros_keep_rounding_of_the_inputs_size(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, LDSL_F32);
    for (size_t i = 0; i < WIDTH; i++) {
        for (int b = 0; b < 3; b++)
            tensor_set(&w.bounds[b], i, 0.0);
        tensor_set(&w.actual, i, 0.0);
    }
    tensor_set(&w.actual, 1, 1e-8);
    assert_false(passes(&w));
    w.expected.size = 1;
    assert_true(passes(&w));
    tensor_set(&w.actual, 1, 1e-7);
    assert_false(passes(&w));
    close_world(&w);
}

static void special_values_stand_where_they_should(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, LDSL_F16);
    tensor_set(&w.actual, 2, NAN); /* not written, say */
    assert_false(passes(&w));
    for (int b = 0; b < 3; b++)
        tensor_set(&w.bounds[b], 2, NAN);
    assert_true(passes(&w));
    tensor_set(&w.actual, 2, 1.0);
    assert_false(passes(&w));
    for (int b = 0; b < 3; b++)
        tensor_set(&w.bounds[b], 2, 1e6); /* overflows f16 */
    assert_false(passes(&w));
    tensor_set(&w.actual, 2, INFINITY);
    assert_true(passes(&w));
    tensor_set(&w.actual, 2, -INFINITY);
    assert_false(passes(&w));
    close_world(&w);
}

static void integers_are_exact(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, LDSL_I64);
    assert_true(passes(&w));
    tensor_set_integer(&w.actual, 9, 2);
    assert_false(passes(&w));
    tensor_set_integer(&w.bounds[2], 9, 2); /* a tie that rounding decides */
    assert_true(passes(&w));
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bound_is_never_looser_than_1e5),
        cmocka_unit_test(f32_rows_are_held_to_their_norm),
        cmocka_unit_test(sixteen_bits_have_one_unit_in_the_last_place),
        cmocka_unit_test(results_between_the_roundings_are_right),
        cmocka_unit_test(ill_conditioned_rows_get_what_they_need),
        cmocka_unit_test(structural_zeros_keep_rounding_of_the_inputs_size),
        cmocka_unit_test(special_values_stand_where_they_should),
        cmocka_unit_test(integers_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
