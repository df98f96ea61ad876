/* Functions as GPU kernels compute them, on the emulator: f64 without a C library, angles of any size,
 * and what special numbers give. The hardware's own functions are the emulator's here. */
#include "both.h"

enum { N = 4096 };

/* y = op(x), or op(x, z). */
static void run_op(const char *op, bool exact, const struct type *t, const void *x, const void *z,
                   void *y)
{
    char text[1024];
    snprintf(text, sizeof text,
             "kernel k%s {\n  params {\n    %%D.0 : dim\n  }\n  tensors {\n    x : read %s[%%D.0]\n"
             "    z : read %s[%%D.0]\n    y : out %s[%%D.0]\n  }\n  axes {\n"
             "    c : grid %%1 .. %%D.0 {tile = 256}\n  }\n  body {\n"
             "    %%1 = const {i = 0} : index\n    %%c.2 = index {axis = c} : index[c]\n"
             "    %%3 = load x[%%c.2] : %s[c]\n    %%4 = load z[%%c.2] : %s[c]\n"
             "    %%5 = %s %%3%s : %s[c]\n    store y[%%c.2], %%5\n    return\n  }\n}\n",
             exact ? " exact" : "", t->name, t->name, t->name, t->name, t->name, op,
             z ? ", %4" : "", t->name);
    struct ready r = get_ready(&on_gpu, text);
    uint64_t slots[] = {(uint64_t)(uintptr_t)x, (uint64_t)(uintptr_t)(z ? z : x),
                        (uint64_t)(uintptr_t)y, N};
    assert_int_equal(r.slot_count, 4);
    launch(&r, slots, N / 256, text);
    release(&r);
}

/* ---- f64 --------------------------------------------------------------------------------------- */

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static double uniform(uint64_t *state, double lo, double hi)
{
    return lo + (hi - lo) * (double)(next(state) >> 11) * 0x1p-53;
}

static const double specials[] = {0.0,    -0.0,      1.0,       -1.0,       INFINITY,
                                  NAN,    -INFINITY, 0x1p-1060, -0x1p-1060, 1e300,
                                  -1e300, 0.5,       2.0,       -2.0,       3.0};
enum { SPECIALS = sizeof specials / sizeof *specials };

/* ulps: of the result; above that, a subnormal number's least step. */
static void assert_near(const char *op, double x, double z, double got, double want, double ulps)
{
    if (isnan(want) ? isnan(got) : got == want)
        return;
    if (!(fabs(got - want) <= ulps * 0x1p-52 * fabs(want) + 0x1p-1073))
        fail_msg("%s of %a, %a is %a, not %a", op, x, z, got, want);
}

static void check_f64(const char *op, double (*want)(double), double lo, double hi, double ulps)
{
    static double x[N], y[N];
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < N; i++)
        x[i] = i < SPECIALS ? specials[i] : uniform(&state, lo, hi);
    run_op(op, false, &f64, x, NULL, y);
    for (int i = 0; i < N; i++) {
        bool beyond = fabs(x[i]) >= 0x1p51 && (*op == 's' || *op == 'c');
        if (beyond)
            assert_true(isnan(y[i])); /* as documented */
        else
            assert_near(op, x[i], 0, y[i], want(x[i]), ulps);
    }
}

static void functions_of_f64(void **state)
{
    (void)state;
    check_f64("exp", exp, -745, 710, 2);
    check_f64("exp", exp, -1, 1, 2);
    check_f64("exp2", exp2, -1075, 1024, 2);
    check_f64("log", log, 0, 4, 2);
    check_f64("log", log, 0, 1e300, 2);
    check_f64("log2", log2, 0.5, 100, 2);
    check_f64("tanh", tanh, -3, 3, 2);
    check_f64("tanh", tanh, -30, 30, 2);
    check_f64("erf", erf, -1.2, 1.2, 2);
    check_f64("erf", erf, -7, 7, 2);
    check_f64("sin", sin, -7, 7, 2);
    check_f64("cos", cos, -7, 7, 2);
    check_f64("sin", sin, -1e15, 1e15, 8);
    check_f64("cos", cos, -1e15, 1e15, 8);
}

static void powers_of_f64(void **state)
{
    static double x[N], z[N], y[N];
    uint64_t random = 362436069;
    (void)state;
    for (int i = 0; i < N; i++) {
        x[i] = uniform(&random, 0, 10);
        z[i] = uniform(&random, -300, 300);
        if (i < SPECIALS * SPECIALS) {
            x[i] = specials[i % SPECIALS];
            z[i] = specials[i / SPECIALS];
        }
    }
    run_op("pow", false, &f64, x, z, y);
    for (int i = 0; i < N; i++)
        assert_near("pow", x[i], z[i], y[i], pow(x[i], z[i]), 1e-13 / 0x1p-52);
}

/* ---- f32 --------------------------------------------------------------------------------------- */

/* Any bits: most angles are beyond what one subtraction of quarter turns can reduce. */
static void angles_of_any_size(void **state)
{
    static float x[N], y[N];
    uint64_t random = 521288629;
    (void)state;
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < N; i++) {
            uint32_t bits = (uint32_t)next(&random);
            memcpy(&x[i], &bits, sizeof bits);
        }
        x[0] = INFINITY;
        x[1] = -0.0f;
        run_op(round % 2 ? "cos" : "sin", round > 1, &f32, x, NULL, y);
        for (int i = 0; i < N; i++) {
            double want = round % 2 ? cos((double)x[i]) : sin((double)x[i]);
            if (isnan(want) ? !isnan(y[i])
                            : fabs((double)y[i] - want) > 1.5 * 0x1p-23 * fabs(want) + 0x1p-149)
                fail_msg("%s of %a is %a, not %a", round % 2 ? "cos" : "sin", (double)x[i],
                         (double)y[i], want);
        }
    }
}

/* What the hardware's functions, used as they are, would get wrong. */
static void special_numbers_of_f32(void **state)
{
    static const struct {
        const char *op;
        float x, want;
    } cases[] = {
        {"exp",   -INFINITY, 0        },
        {"exp",   INFINITY,  INFINITY },
        {"exp",   200,       INFINITY },
        {"exp2",  -500,      0        },
        {"log",   0,         -INFINITY},
        {"log",   INFINITY,  INFINITY },
        {"log",   -1,        NAN      },
        {"log",   1,         0        },
        {"tanh",  50,        1        },
        {"tanh",  -INFINITY, -1       },
        {"tanh",  NAN,       NAN      },
        {"erf",   INFINITY,  1        },
        {"erf",   -9,        -1       },
        {"sqrt",  0,         0        },
        {"sqrt",  -1,        NAN      },
        {"rsqrt", 0,         INFINITY },
        {"rsqrt", INFINITY,  0        },
    };
    static float x[N], y[N];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int n = 0; n < N; n++)
            x[n] = cases[i].x;
        run_op(cases[i].op, false, &f32, x, NULL, y);
        float want = cases[i].want;
        if (isnan(want) ? !isnan(y[7]) : y[7] != want)
            fail_msg("%s of %g is %g", cases[i].op, (double)cases[i].x, (double)y[7]);
    }
}

/* Quotients of numbers whose inverse is out of range. */
static void quotients_of_f32(void **state)
{
    static const float cases[][3] = {
        {0x1p127f,  0x1p127f,  1          },
        {3,         0x1p127f,  0x1.8p-126f},
        {0x1p-130f, 0x1p-130f, 1          },
        {1.5f,      0,         INFINITY   },
        {0,         0,         NAN        },
        {-7,        2,         -3.5f      },
    };
    static float x[N], z[N], y[N];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int n = 0; n < N; n++) {
            x[n] = cases[i][0];
            z[n] = cases[i][1];
        }
        run_op("div", false, &f32, x, z, y);
        float want = cases[i][2];
        if (isnan(want) ? !isnan(y[7]) : fabs((double)(y[7] - want)) > 0x1p-22 * fabs((double)want))
            if (y[7] != want)
                fail_msg("%a / %a is %a", (double)x[0], (double)z[0], (double)y[7]);
    }
}

int main(int argc, char **argv)
{
    choose_gpu(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_of_f64),   cmocka_unit_test(powers_of_f64),
        cmocka_unit_test(angles_of_any_size), cmocka_unit_test(special_numbers_of_f32),
        cmocka_unit_test(quotients_of_f32),
    };
    return cmocka_run_group_tests(tests, open_both, close_both);
}
