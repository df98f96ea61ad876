/* Properties of cross entropy that a comparison with its reference at random inputs does not show. */
#include "support/call.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>
#include <string.h>

enum { N = 9, V = 1031 };

/* Every optional result that a test does not look at. */
static void leave_out(struct op_call *call, const char *const *names)
{
    for (; *names; names++)
        op_absent(call, *names);
}

/* A row that is nearly sure of its target: p is within 1e-3 of 1, and p - 1 is all the signal there is.
 * In 16 bits p alone would round to 1. */
static void confident_rows_keep_their_gradient(void **state)
{
    static uint16_t z[N * V], dz[N * V];
    static int64_t target[N];
    float loss;
    for (int i = 0; i < N; i++) {
        target[i] = 37 * i;
        for (int v = 0; v < V; v++)
            z[i * V + v] = bf16_of(v == target[i] ? 14.0f : 0.0f);
    }
    struct op_call call = op_call("cross_entropy");
    op_tensor(&call, "z", LDSL_BF16, z, 2, N, V);
    op_tensor(&call, "target", LDSL_I64, target, 1, N);
    op_word(&call, "reduction", "sum");
    op_tensor(&call, "loss", LDSL_F32, &loss, 0);
    op_tensor(&call, "dz", LDSL_BF16, dz, 2, N, V);
    leave_out(&call, (const char *const[]){"weight", "z_loss", "accuracy", "predicted", "top",
                                           "rest", NULL});
    op_run(*state, &call);

    double rest = (V - 1) * exp(-14.0);
    for (int i = 0; i < N; i++) {
        double got = bf16_value(dz[i * V + target[i]]), want = -rest / (1 + rest);
        assert_true(fabs(got - want) <= 0.004 * fabs(want));
    }
    assert_true(fabs(loss - N * log1p(rest)) <= 1e-6 * N);
}

static void nothing_is_divided_when_all_rows_are_ignored(void **state)
{
    static float z[N * V], dz[N * V], weight[V];
    static int64_t target[N], predicted[N];
    float loss = NAN, z_loss = NAN, accuracy = NAN;
    fill_uniform(z, N * V, -3, 3, 1);
    fill_uniform(dz, N * V, -3, 3, 2);
    fill_uniform(weight, V, 0.5f, 2, 3);
    for (int i = 0; i < N; i++)
        target[i] = -100;
    struct op_call call = op_call("cross_entropy");
    op_tensor(&call, "z", LDSL_F32, z, 2, N, V);
    op_tensor(&call, "target", LDSL_I64, target, 1, N);
    op_tensor(&call, "weight", LDSL_F32, weight, 1, V);
    op_number(&call, "z_scale", 1e-3);
    op_number(&call, "label_smoothing", 0.1);
    op_tensor(&call, "loss", LDSL_F32, &loss, 0);
    op_tensor(&call, "z_loss", LDSL_F32, &z_loss, 0);
    op_tensor(&call, "accuracy", LDSL_F32, &accuracy, 0);
    op_tensor(&call, "predicted", LDSL_I64, predicted, 1, N);
    op_tensor(&call, "dz", LDSL_F32, dz, 2, N, V);
    leave_out(&call, (const char *const[]){"top", "rest", NULL});
    op_run(*state, &call);

    assert_true(loss == 0 && z_loss == 0 && accuracy == 0);
    for (int i = 0; i < N; i++)
        assert_int_equal(predicted[i], -1);
    for (int i = 0; i < N * V; i++)
        assert_true(dz[i] == 0);
}

static void logits_are_only_read_without_a_gradient(void **state)
{
    static float z[N * V], kept[N * V];
    static int64_t target[N];
    float loss;
    fill_uniform(z, N * V, -3, 3, 4);
    memcpy(kept, z, sizeof kept);
    for (int i = 0; i < N; i++)
        target[i] = i % 2 ? -100 : i;
    struct op_call call = op_call("cross_entropy");
    op_tensor(&call, "z", LDSL_F32, z, 2, N, V);
    op_tensor(&call, "target", LDSL_I64, target, 1, N);
    op_tensor(&call, "loss", LDSL_F32, &loss, 0);
    leave_out(&call, (const char *const[]){"weight", "z_loss", "accuracy", "predicted", "top",
                                           "rest", "dz", NULL});
    op_run(*state, &call);
    assert_memory_equal(z, kept, sizeof z);
}

static void a_class_out_of_range_gives_nan_and_harms_no_other_row(void **state)
{
    static float z[N * V];
    static int64_t target[N] = {0, V, 2, -7, INT64_MAX, INT64_MIN, 6, 7, 8};
    static float loss[N];
    fill_uniform(z, N * V, -3, 3, 5);
    struct op_call call = op_call("cross_entropy_rows");
    op_tensor(&call, "z", LDSL_F32, z, 2, N, V);
    op_tensor(&call, "target", LDSL_I64, target, 1, N);
    op_tensor(&call, "loss", LDSL_F32, loss, 1, N);
    leave_out(&call, (const char *const[]){"weight", "z_loss", "accuracy", "predicted", "top",
                                           "rest", "dz", NULL});
    op_run(*state, &call);
    for (int i = 0; i < N; i++)
        assert_int_equal(isnan(loss[i]) != 0, target[i] < 0 || target[i] >= V);
}

/* The maximum of a row passes over NaN; nothing else of the row may. */
static void a_logit_that_is_nan_makes_its_row_nan_and_no_other(void **state)
{
    static float z[N * V], dz[N * V], loss[N], rest[N];
    static const int place[] = {0, 1, 31, 32, 512, 1023, 1024, V - 1};
    static int64_t target[N];
    fill_uniform(z, N * V, -3, 3, 8);
    for (int i = 0; i < 8; i++) {
        z[i * V + place[i]] = NAN;
        target[i] = i % 2 ? place[i] : 5;
    }
    struct op_call call = op_call("cross_entropy_rows");
    op_tensor(&call, "z", LDSL_F32, z, 2, N, V);
    op_tensor(&call, "target", LDSL_I64, target, 1, N);
    op_tensor(&call, "loss", LDSL_F32, loss, 1, N);
    op_tensor(&call, "rest", LDSL_F32, rest, 1, N);
    op_tensor(&call, "dz", LDSL_F32, dz, 2, N, V);
    leave_out(&call,
              (const char *const[]){"weight", "z_loss", "accuracy", "predicted", "top", NULL});
    op_run(*state, &call);
    for (int i = 0; i < N; i++) {
        assert_int_equal(isnan(loss[i]) != 0, i < 8);
        for (int v = 0; v < V; v++)
            assert_int_equal(isnan(dz[i * V + v]) != 0, i < 8);
    }
}

static void the_first_of_equal_classes_is_predicted(void **state)
{
    static float z[N * V];
    static int64_t target[N], predicted[N];
    static float loss[N], hit[N];
    for (int i = 0; i < N; i++) {
        target[i] = 100 + i;
        z[i * V + 100 + i] = z[i * V + 200] = z[i * V + V - 1] = 5;
    }
    struct op_call call = op_call("cross_entropy_rows");
    op_tensor(&call, "z", LDSL_F32, z, 2, N, V);
    op_tensor(&call, "target", LDSL_I64, target, 1, N);
    op_tensor(&call, "loss", LDSL_F32, loss, 1, N);
    op_tensor(&call, "accuracy", LDSL_F32, hit, 1, N);
    op_tensor(&call, "predicted", LDSL_I64, predicted, 1, N);
    leave_out(&call, (const char *const[]){"weight", "z_loss", "top", "rest", "dz", NULL});
    op_run(*state, &call);
    for (int i = 0; i < N; i++) {
        assert_int_equal(predicted[i], 100 + i);
        assert_true(hit[i] == 1);
    }
}

/* The gradient made in the forward and rescaled, and the one made in the backward, agree. */
static void both_ways_to_the_gradient_agree(void **state)
{
    static float z[N * V], forward[N * V], backward[N * V], top[N], rest[N];
    static int64_t target[N];
    float loss, up = 0.37f;
    fill_uniform(z, N * V, -3, 3, 6);
    for (int i = 0; i < N; i++)
        target[i] = i == 4 ? -100 : 11 * i;
    struct op_call call = op_call("cross_entropy");
    op_tensor(&call, "z", LDSL_F32, z, 2, N, V);
    op_tensor(&call, "target", LDSL_I64, target, 1, N);
    op_number(&call, "softcap", 4.0);
    op_number(&call, "label_smoothing", 0.1);
    op_tensor(&call, "loss", LDSL_F32, &loss, 0);
    op_tensor(&call, "top", LDSL_F32, top, 1, N);
    op_tensor(&call, "rest", LDSL_F32, rest, 1, N);
    op_tensor(&call, "dz", LDSL_F32, forward, 2, N, V);
    leave_out(&call, (const char *const[]){"weight", "z_loss", "accuracy", "predicted", NULL});
    op_run(*state, &call);

    struct op_call scale = op_call("scale_gradient");
    op_tensor(&scale, "g", LDSL_F32, forward, 2, N, V);
    op_tensor(&scale, "up", LDSL_F32, &up, 0);
    op_run(*state, &scale);

    struct op_call later = op_call("cross_entropy_bwd");
    op_tensor(&later, "z", LDSL_F32, z, 2, N, V);
    op_tensor(&later, "target", LDSL_I64, target, 1, N);
    op_absent(&later, "weight");
    op_tensor(&later, "top", LDSL_F32, top, 1, N);
    op_tensor(&later, "rest", LDSL_F32, rest, 1, N);
    op_tensor(&later, "dloss", LDSL_F32, &up, 0);
    op_number(&later, "softcap", 4.0);
    op_number(&later, "label_smoothing", 0.1);
    op_tensor(&later, "dz", LDSL_F32, backward, 2, N, V);
    op_run(*state, &later);
    for (int i = 0; i < N * V; i++)
        assert_true(fabsf(forward[i] - backward[i]) <= 1e-6f * (1 + fabsf(forward[i])));
}

static float loss_of(const struct bench *bench, float *z, int classes, int64_t target,
                     double smoothing)
{
    float loss;
    struct op_call call = op_call("cross_entropy_rows");
    op_tensor(&call, "z", LDSL_F32, z, 2, 1, classes);
    op_tensor(&call, "target", LDSL_I64, &target, 1, 1);
    op_number(&call, "label_smoothing", smoothing);
    op_tensor(&call, "loss", LDSL_F32, &loss, 1, 1);
    leave_out(&call, (const char *const[]){"weight", "z_loss", "accuracy", "predicted", "top",
                                           "rest", "dz", NULL});
    op_run(bench, &call);
    return loss;
}

/* A target that cannot be is infinitely bad, not undefined; other classes that cannot be are, unless
 * smoothing wants some of them. */
static void masked_classes(void **state)
{
    float target[] = {1, -INFINITY, 2}, other[] = {1, 0.5f, -INFINITY};
    assert_true(loss_of(*state, target, 3, 1, 0) == INFINITY);
    assert_true(loss_of(*state, target, 3, 1, 0.1) == INFINITY);
    assert_true(loss_of(*state, other, 3, 2, 0.1) == INFINITY);
    assert_true(loss_of(*state, other, 3, 1, 0.1) == INFINITY);
    assert_true(fabs(loss_of(*state, other, 3, 1, 0) - log1p(exp(0.5))) <= 1e-6);
}

/* Near 2^30 f32 steps by 64: the difference of two neighbours is exact, their exponents are not. */
static void logits_of_30_bits(void **state)
{
    float z[] = {866710016.0f, 866709952.0f, 0};
    assert_true(loss_of(*state, z, 3, 0, 0) <= 1e-6f);
    assert_true(fabsf(loss_of(*state, z, 3, 1, 0) - 64) <= 1e-4f);
}

/* The mean divides by the sum of the weights of the targets, though it is negative. */
static void weights_of_either_sign(void **state)
{
    float z[] = {0, 1, 2, 0, 1, 2}, weight[] = {-2, 1, 1}, loss;
    int64_t target[] = {0, 2};
    struct op_call call = op_call("cross_entropy");
    op_tensor(&call, "z", LDSL_F32, z, 2, 2, 3);
    op_tensor(&call, "target", LDSL_I64, target, 1, 2);
    op_tensor(&call, "weight", LDSL_F32, weight, 1, 3);
    op_tensor(&call, "loss", LDSL_F32, &loss, 0);
    leave_out(&call,
              (const char *const[]){"z_loss", "accuracy", "predicted", "top", "rest", "dz", NULL});
    op_run(*state, &call);
    double lse = 2 + log(1 + exp(-1) + exp(-2));
    assert_true(fabs(loss - (-2 * lse + (lse - 2)) / (-2 + 1)) <= 1e-5);
}

static void options_out_of_range_are_refused(void **state)
{
    float z[3] = {0}, loss;
    int64_t target = 1;
    static const struct {
        const char *option;
        double value;
        const char *words;
    } cases[] = {
        {"softcap",         -1,   "a softcap is positive"  },
        {"label_smoothing", 1.5,  "label_smoothing lies in"},
        {"label_smoothing", -0.1, "label_smoothing lies in"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct op_call call = op_call("cross_entropy_rows");
        op_tensor(&call, "z", LDSL_F32, z, 2, 1, 3);
        op_tensor(&call, "target", LDSL_I64, &target, 1, 1);
        op_number(&call, cases[i].option, cases[i].value);
        op_tensor(&call, "loss", LDSL_F32, &loss, 1, 1);
        leave_out(&call, (const char *const[]){"weight", "z_loss", "accuracy", "predicted", "top",
                                               "rest", "dz", NULL});
        op_refused(*state, &call, cases[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(confident_rows_keep_their_gradient),
        cmocka_unit_test(nothing_is_divided_when_all_rows_are_ignored),
        cmocka_unit_test(logits_are_only_read_without_a_gradient),
        cmocka_unit_test(a_class_out_of_range_gives_nan_and_harms_no_other_row),
        cmocka_unit_test(a_logit_that_is_nan_makes_its_row_nan_and_no_other),
        cmocka_unit_test(the_first_of_equal_classes_is_predicted),
        cmocka_unit_test(both_ways_to_the_gradient_agree),
        cmocka_unit_test(masked_classes),
        cmocka_unit_test(logits_of_30_bits),
        cmocka_unit_test(weights_of_either_sign),
        cmocka_unit_test(options_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, bench_create, bench_destroy);
}
