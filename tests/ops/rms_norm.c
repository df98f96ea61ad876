/* Roundings of rms_norm that its reference, being given the same type twice, does not tell apart. */
#include "support/call.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>

enum { D = 3 };

static void run(const struct bench *bench, enum ldsl_dtype x_type, void *x, enum ldsl_dtype w_type,
                void *w, void *y)
{
    struct op_call call = op_call("rms_norm");
    op_tensor(&call, "x", x_type, x, 2, 1, D);
    op_tensor(&call, "w", w_type, w, 1, D);
    op_number(&call, "eps", 1e-3);
    op_number(&call, "offset", 0.3);
    op_word(&call, "casting", "none");
    op_tensor(&call, "y", x_type, y, 2, 1, D);
    float rstd;
    op_tensor(&call, "rstd", LDSL_F32, &rstd, 1, 1);
    op_run(bench, &call);
}

/* offset + w is a number of the wider type: 1.3, which bf16 does not have. */
static void weights_of_another_type_round_nothing(void **state)
{
    float x[D] = {1, 2, 3}, y[D];
    uint16_t w[D] = {bf16_of(1), bf16_of(1), bf16_of(1)};
    run(*state, LDSL_F32, x, LDSL_BF16, w, y);
    double unit = 1.3 / sqrt(14.0 / 3 + 1e-3);
    for (int i = 0; i < D; i++)
        assert_true(fabs(y[i] - x[i] * unit) <= 1e-6 * y[i]);
}

/* Where both are bf16, 0.3 + 1 is 1.296875 or 1.3046875: the sum of the rounded offset, 0.30078125, lies
 * nearer to the first. */
static void weights_of_the_same_type_round_the_sum(void **state)
{
    uint16_t x[D] = {bf16_of(1), bf16_of(2), bf16_of(3)}, y[D];
    uint16_t w[D] = {bf16_of(1), bf16_of(1), bf16_of(1)};
    run(*state, LDSL_BF16, x, LDSL_BF16, w, y);
    double unit = bf16_value(bf16_of(bf16_value(bf16_of(0.3f)) + 1)) / sqrt(14.0 / 3 + 1e-3);
    for (int i = 0; i < D; i++)
        assert_true(fabs(bf16_value(y[i]) - (i + 1) * unit) <= 0.004 * (i + 1) * unit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_of_another_type_round_nothing),
        cmocka_unit_test(weights_of_the_same_type_round_the_sum),
    };
    return cmocka_run_group_tests(tests, bench_create, bench_destroy);
}
