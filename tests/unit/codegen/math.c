/* The functions of math.c against the C library in double: the largest error in units in the last
 * place over arguments spread through all of f32, and the special values. */
#include "run.h"

#include <math.h>

static const char form[] = "kernel f {\n"
                           "  params { %N.0 : dim }\n"
                           "  tensors { x : read f32[%N.0]  y : out f32[%N.0] }\n"
                           "  axes { i : grid %z .. %N.0 {tile = 4096} }\n"
                           "  body {\n"
                           "    %z = const {i = 0} : index\n"
                           "    %i = index {axis = i} : index[i]\n"
                           "    %x = load x[%i] : f32[i]\n"
                           "    %y = OP %x : f32[i]\n"
                           "    store y[%i], %y\n"
                           "    return\n"
                           "  }\n"
                           "}\n";

#define COUNT ((int64_t)1 << 20)

static struct program compile_op(const char *op)
{
    char text[sizeof form + 16];
    const char *at = strstr(form, "OP");
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - form), form, op, at + 2);
    return compile_ir(text);
}

/* Distance in units in the last place of the correctly rounded result's binade. */
static double error_in_ulp(float got, double want)
{
    float rounded = (float)want;
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got) ? 0 : INFINITY;
    if (isinf(rounded) || isinf(got))
        return rounded == got || fabs((double)got) >= 3.4028234e38 ? 0 : INFINITY;
    int e;
    frexp(want, &e);
    double ulp = ldexp(1, (e - 24 < -149 ? -149 : e - 24));
    return fabs(got - want) / ulp;
}

static const float specials[] = {
    0.0f,    -0.0f,   1.0f,    -1.0f,  INFINITY,    -INFINITY, NAN,        1e-45f,  -1e-45f, 1e-38f,
    3e38f,   -3e38f,  0.5f,    2.0f,   88.7228394f, 88.73f,    -87.4f,     -103.9f, -104.5f, 128.0f,
    127.99f, -149.0f, -150.5f, 0.625f, 0.9277f,     9.1f,      3.1415926f, 48040.0f};

/* Sign, and what a function gives at zeros and infinities, must be exact. */
static void check_special(const char *op, float x, float got, double want)
{
    if (isnan(want) ? !isnan(got) : (isinf((float)want) && got != (float)want))
        fail_msg("%s(%a) = %a, not %a", op, (double)x, (double)got, want);
    if (want == 0 && (got != 0 || !signbit(got) != !signbit(want)))
        fail_msg("%s(%a) = %a, not %a", op, (double)x, (double)got, want);
}

static void check_op(const char *op, double (*exact)(double), double limit, float most)
{
    struct program p = compile_op(op);
    float *x = malloc(COUNT * 4), *y = malloc(COUNT * 4);
    double worst = 0, at = 0;
    size_t n = sizeof specials / sizeof *specials;
    for (uint32_t part = 0; part < 16; part++) {
        uint32_t seed = part * 977 + 3;
        for (int64_t i = 0; i < COUNT; i++) {
            uint32_t bits = next_random(&seed);
            memcpy(&x[i], &bits, 4);
            /* Half of them where the action is. */
            if (i & 1)
                x[i] = random_float(&seed) * (i & 2 ? 16.0f : 128.0f);
        }
        memcpy(x, specials, sizeof specials);
        uint64_t slots[] = {POINTER(x), POINTER(y), COUNT};
        run(&p, slots, COUNT / 4096);
        for (int64_t i = 0; i < COUNT; i++) {
            double want = exact((double)x[i]);
            if (i < (int64_t)n)
                check_special(op, x[i], y[i], want);
            if (fabsf(x[i]) > most)
                continue;
            double e = error_in_ulp(y[i], want);
            if (e > worst)
                worst = e, at = (double)x[i];
        }
    }
    printf("%-6s %.3f ulp at %a\n", op, worst, at);
    assert_true(worst <= limit);
    free(x), free(y);
    release(&p);
}

static double rsqrt_exact(double x)
{
    return 1 / sqrt(x);
}

static void test_unary(void **state)
{
    (void)state;
    check_op("exp", exp, 1.5, INFINITY);
    check_op("exp2", exp2, 1.5, INFINITY);
    check_op("log", log, 1.5, INFINITY);
    check_op("log2", log2, 2.0, INFINITY);
    check_op("tanh", tanh, 2.0, INFINITY);
    check_op("erf", erf, 2.0, INFINITY);
    check_op("sin", sin, 2.0, INFINITY);
    check_op("cos", cos, 2.0, INFINITY);
    check_op("sqrt", sqrt, 0.5, INFINITY);
    check_op("rsqrt", rsqrt_exact, 1.5, INFINITY);
    check_op("floor", floor, 0, INFINITY);
    check_op("ceil", ceil, 0, INFINITY);
    check_op("trunc", trunc, 0, INFINITY);
    check_op("round", nearbyint, 0, INFINITY);
}

static const char pow_text[] =
    "kernel f {\n"
    "  params { %N.0 : dim }\n"
    "  tensors { a : read f32[%N.0]  b : read f32[%N.0]  y : out f32[%N.0] }\n"
    "  axes { i : grid %z .. %N.0 {tile = 4096} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %i = index {axis = i} : index[i]\n"
    "    %a = load a[%i] : f32[i]\n"
    "    %b = load b[%i] : f32[i]\n"
    "    %y = pow %a, %b : f32[i]\n"
    "    store y[%i], %y\n"
    "    return\n"
    "  }\n"
    "}\n";

static void test_pow(void **state)
{
    (void)state;
    static const float x[] = {0.0f, -0.0f, 1.0f, -1.0f, INFINITY, -INFINITY, NAN,   2.0f,  -2.0f,
                              0.5f, -0.5f, 3.0f, -3.0f, 2.5f,     -2.5f,     1e30f, 1e-40f};
    int64_t n = sizeof x / sizeof *x, count = n * n + 100000;
    struct program p = compile_ir(pow_text);
    float *a = malloc((size_t)count * 4), *b = malloc((size_t)count * 4);
    float *y = malloc((size_t)count * 4);
    uint32_t seed = 5;
    for (int64_t i = 0; i < count; i++) {
        a[i] = i < n * n ? x[i / n] : fabsf(random_float(&seed)) * 10;
        b[i] = i < n * n ? x[i % n] : random_float(&seed) * 40;
    }
    uint64_t slots[] = {POINTER(a), POINTER(b), POINTER(y), (uint64_t)count};
    run(&p, slots, (count + 4095) / 4096);
    for (int64_t i = 0; i < count; i++) {
        double want = pow((double)a[i], (double)b[i]);
        if (i < n * n)
            check_special("pow", a[i], y[i], want);
        if (error_in_ulp(y[i], want) > 1.0)
            fail_msg("pow(%a, %a) = %a, not %a", (double)a[i], (double)b[i], (double)y[i], want);
    }
    free(a), free(b), free(y);
    release(&p);
}

/* In a vector or in the rest of a row: the same bits. */
static void a_value_has_the_same_bits_at_every_place(void **state)
{
    (void)state;
    static const char *const ops[] = {"exp", "exp2", "log", "tanh", "erf", "sin"};
    for (int k = 0; k < 6; k++) {
        struct program p = compile_op(ops[k]);
        uint32_t seed = 11;
        for (int i = 0; i < 1000; i++) {
            float value = random_float(&seed) * 30, x[45], y[45];
            for (int c = 0; c < 45; c++)
                x[c] = value;
            uint64_t slots[] = {POINTER(x), POINTER(y), 45};
            run(&p, slots, 1);
            for (int c = 1; c < 45; c++)
                if (memcmp(&y[c], &y[0], 4) != 0)
                    fail_msg("%s(%a) is %a and %a", ops[k], (double)value, (double)y[0],
                             (double)y[c]);
        }
        release(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unary),
        cmocka_unit_test(test_pow),
        cmocka_unit_test(a_value_has_the_same_bits_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
