/* GEGLU far from zero. */
#include "support/call.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

enum { F = 8 };

/* The slope is 1 on the right and 0 on the left, where squares of the input are infinite. */
static void slope_far_out_is_finite(void **state)
{
    float a[F] = {1e20f, -1e20f, 3e38f, -3e38f, 101, -101, 30, -30};
    float dy[F] = {1, 1, 1, 1, 1, 1, 1, 1}, b[F] = {1, 1, 1, 1, 1, 1, 1, 1}, da[F], db[F];
    const char *const forms[] = {"tanh", "erf"};
    for (int form = 0; form < 2; form++) {
        struct op_call call = op_call("geglu_bwd");
        op_tensor(&call, "dy", LDSL_F32, dy, 2, 1, F);
        op_tensor(&call, "a", LDSL_F32, a, 2, 1, F);
        op_tensor(&call, "b", LDSL_F32, b, 2, 1, F);
        op_word(&call, "form", forms[form]);
        op_tensor(&call, "da", LDSL_F32, da, 2, 1, F);
        op_tensor(&call, "db", LDSL_F32, db, 2, 1, F);
        op_run(*state, &call);
        for (int i = 0; i < F; i++) {
            assert_true(da[i] == (a[i] > 0 ? 1.0f : 0.0f));
            assert_true(db[i] == (a[i] > 0 ? a[i] : 0.0f));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(slope_far_out_is_finite)};
    return cmocka_run_group_tests(tests, bench_create, bench_destroy);
}
