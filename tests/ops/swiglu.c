/* The halves of one tensor give the same bits as two tensors. */
#include "support/call.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <string.h>

enum { R = 5, F = 1031 };

static void fused_form_gives_the_same_bits(void **state)
{
    static float values[2 * R * F], more[R * F];
    static uint16_t x[R * 2 * F], a[R * F], b[R * F], dy[R * F], y[R * F], y_fused[R * F];
    static uint16_t da[R * F], db[R * F], dx[R * 2 * F];
    fill_uniform(values, 2 * R * F, -4, 4, 1);
    fill_uniform(more, R * F, -1, 1, 2);
    for (int r = 0; r < R; r++)
        for (int f = 0; f < F; f++) {
            a[r * F + f] = x[r * 2 * F + f] = bf16_of(values[r * 2 * F + f]);
            b[r * F + f] = x[r * 2 * F + F + f] = bf16_of(values[r * 2 * F + F + f]);
            dy[r * F + f] = bf16_of(more[r * F + f]);
        }
    struct op_call two = op_call("swiglu");
    op_tensor(&two, "a", LDSL_BF16, a, 2, R, F);
    op_tensor(&two, "b", LDSL_BF16, b, 2, R, F);
    op_tensor(&two, "y", LDSL_BF16, y, 2, R, F);
    op_run(*state, &two);
    struct op_call one = op_call("swiglu_fused");
    op_tensor(&one, "x", LDSL_BF16, x, 2, R, 2 * F);
    op_tensor(&one, "y", LDSL_BF16, y_fused, 2, R, F);
    op_run(*state, &one);
    assert_memory_equal(y, y_fused, sizeof y);

    struct op_call back = op_call("swiglu_bwd");
    op_tensor(&back, "dy", LDSL_BF16, dy, 2, R, F);
    op_tensor(&back, "a", LDSL_BF16, a, 2, R, F);
    op_tensor(&back, "b", LDSL_BF16, b, 2, R, F);
    op_tensor(&back, "da", LDSL_BF16, da, 2, R, F);
    op_tensor(&back, "db", LDSL_BF16, db, 2, R, F);
    op_run(*state, &back);
    struct op_call back_fused = op_call("swiglu_fused_bwd");
    op_tensor(&back_fused, "dy", LDSL_BF16, dy, 2, R, F);
    op_tensor(&back_fused, "x", LDSL_BF16, x, 2, R, 2 * F);
    op_tensor(&back_fused, "dx", LDSL_BF16, dx, 2, R, 2 * F);
    op_run(*state, &back_fused);
    for (int r = 0; r < R; r++) {
        assert_memory_equal(&dx[r * 2 * F], &da[r * F], F * sizeof *da);
        assert_memory_equal(&dx[r * 2 * F + F], &db[r * F], F * sizeof *db);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fused_form_gives_the_same_bits)};
    return cmocka_run_group_tests(tests, bench_create, bench_destroy);
}
