/* Every elementwise op on every type it takes, on values that hurt. */
#include "run.h"

#include <math.h>

/* ---- integers ---------------------------------------------------------------------------------- */

struct integer {
    const char *name;
    unsigned bits;
    bool sign;
};
static const struct integer integers[] = {
    {"i8",    8,  true },
    {"i16",   16, true },
    {"i32",   32, true },
    {"i64",   64, true },
    {"index", 64, true },
    {"u8",    8,  false},
    {"u16",   16, false},
    {"u32",   32, false},
    {"u64",   64, false},
};

/* The two's complement number of `bits` bits. */
static int64_t wrap(const struct integer *t, uint64_t v)
{
    if (t->bits == 64)
        return (int64_t)v;
    v &= (UINT64_C(1) << t->bits) - 1;
    if (t->sign && v >> (t->bits - 1))
        v |= ~((UINT64_C(1) << t->bits) - 1);
    return (int64_t)v;
}

static int64_t divide(const struct integer *t, int64_t a, int64_t b, bool rem)
{
    if (!b)
        return rem ? a : 0;
    if (!t->sign) {
        uint64_t x = (uint64_t)a, y = (uint64_t)b;
        return (int64_t)(rem ? x % y : x / y);
    }
    if (b == -1)
        return rem ? 0 : wrap(t, 0 - (uint64_t)a);
    int64_t q = a / b, r = a % b;
    if (strcmp(t->name, "index") == 0 && r && (r ^ b) < 0)
        q--, r += b;
    return rem ? r : q;
}

static bool less(const struct integer *t, int64_t a, int64_t b)
{
    return t->sign ? a < b : (uint64_t)a < (uint64_t)b;
}

static int64_t shift(const struct integer *t, int64_t a, int64_t b, bool left)
{
    bool inside = (uint64_t)wrap(&(struct integer){"", t->bits, false}, (uint64_t)b) < t->bits;
    if (left)
        return inside ? wrap(t, (uint64_t)a << b) : 0;
    if (t->sign)
        return inside ? (a < 0 ? ~(~a >> b) : a >> b) : a < 0 ? -1 : 0;
    return inside ? (int64_t)((uint64_t)a >> b) : 0;
}

static int64_t expect_int(const struct integer *t, const char *op, int64_t a, int64_t b)
{
    uint64_t x = (uint64_t)a, y = (uint64_t)b;
    if (!strcmp(op, "add"))
        return wrap(t, x + y);
    if (!strcmp(op, "sub"))
        return wrap(t, x - y);
    if (!strcmp(op, "mul"))
        return wrap(t, x * y);
    if (!strcmp(op, "div"))
        return divide(t, a, b, false);
    if (!strcmp(op, "rem"))
        return divide(t, a, b, true);
    if (!strcmp(op, "min") || !strcmp(op, "fmin"))
        return less(t, a, b) ? a : b;
    if (!strcmp(op, "max") || !strcmp(op, "fmax"))
        return less(t, a, b) ? b : a;
    if (!strcmp(op, "and"))
        return a & b;
    if (!strcmp(op, "or"))
        return a | b;
    if (!strcmp(op, "xor"))
        return wrap(t, x ^ y);
    if (!strcmp(op, "shl"))
        return shift(t, a, b, true);
    if (!strcmp(op, "shr"))
        return shift(t, a, b, false);
    if (!strcmp(op, "neg"))
        return wrap(t, 0 - x);
    if (!strcmp(op, "not"))
        return wrap(t, ~x);
    assert_string_equal(op, "abs");
    return t->sign && a < 0 ? wrap(t, 0 - x) : a;
}

static const char form[] =
    "kernel f {\n"
    "  params { %%N.0 : dim }\n"
    "  tensors { a : read %s[%%N.0]  b : read %s[%%N.0]  y : out %s[%%N.0] }\n"
    "  axes { i : grid %%z .. %%N.0 {tile = 64} }\n"
    "  body {\n"
    "    %%z = const {i = 0} : index\n"
    "    %%i = index {axis = i} : index[i]\n"
    "    %%a0 = load a[%%i] : %s[i]\n"
    "    %%b0 = load b[%%i] : %s[i]\n"
    "    %%a = cast %%a0 : %s[i]\n"
    "    %%b = cast %%b0 : %s[i]\n"
    "    %%y0 = %s\n"
    "    %%y = cast %%y0 : %s[i]\n"
    "    store y[%%i], %%y\n"
    "    return\n"
    "  }\n"
    "}\n";

/* Operands and results travel as `outer` (a type that holds them exactly). */
static struct program compile_op(const char *op, const char *type, const char *outer,
                                 const char *result, bool binary)
{
    char text[2048], call[128];
    snprintf(call, sizeof call, binary ? "%s %%a, %%b : %s[i]" : "%s %%a : %s[i]", op, type);
    snprintf(text, sizeof text, form, outer, outer, result, outer, outer, type, type, call, result);
    return compile_ir(text);
}

static const char *const int_binary[] = {"add",  "sub",  "mul", "div", "rem", "min", "max",
                                         "fmin", "fmax", "and", "or",  "xor", "shl", "shr"};
static const char *const int_unary[] = {"neg", "not", "abs"};

static void check_int(const struct integer *t, const char *op, bool binary)
{
    static const int64_t values[] = {0,   1,     -1,     2,       -2,        3,        7,   -7,
                                     8,   31,    63,     64,      100,       -100,     127, -128,
                                     255, 32767, -32768, 1 << 30, INT64_MAX, INT64_MIN};
    enum { N = sizeof values / sizeof *values };
    static int64_t a[N * N], b[N * N], y[N * N];
    for (int i = 0; i < N * N; i++) {
        a[i] = wrap(t, (uint64_t)values[i / N]);
        b[i] = wrap(t, (uint64_t)values[i % N]);
        if (!t->sign && t->bits < 64)
            a[i] &= (int64_t)((UINT64_C(1) << t->bits) - 1),
                b[i] &= (int64_t)((UINT64_C(1) << t->bits) - 1);
    }
    struct program p = compile_op(op, t->name, "i64", "i64", binary);
    uint64_t slots[] = {POINTER(a), POINTER(b), POINTER(y), N * N};
    run(&p, slots, (N * N + 63) / 64);
    for (int i = 0; i < N * N; i++) {
        int64_t want = expect_int(t, op, a[i], b[i]);
        if (y[i] != want)
            fail_msg("%s %s(%lld, %lld) = %lld, not %lld", t->name, op, (long long)a[i],
                     (long long)b[i], (long long)y[i], (long long)want);
    }
    release(&p);
}

static void test_integers(void **state)
{
    (void)state;
    for (size_t t = 0; t < sizeof integers / sizeof *integers; t++) {
        for (size_t i = 0; i < sizeof int_binary / sizeof *int_binary; i++)
            check_int(&integers[t], int_binary[i], true);
        for (size_t i = 0; i < sizeof int_unary / sizeof *int_unary; i++)
            check_int(&integers[t], int_unary[i], false);
    }
}

/* ---- floats ------------------------------------------------------------------------------------ */

static double expect_float(const char *op, double a, double b)
{
    if (!strcmp(op, "add"))
        return a + b;
    if (!strcmp(op, "sub"))
        return a - b;
    if (!strcmp(op, "mul"))
        return a * b;
    if (!strcmp(op, "div") || !strcmp(op, "div_exact"))
        return a / b;
    if (!strcmp(op, "min"))
        return isnan(a) || isnan(b) ? NAN : a < b ? a : b;
    if (!strcmp(op, "max"))
        return isnan(a) || isnan(b) ? NAN : a > b ? a : b;
    if (!strcmp(op, "fmin"))
        return fmin(a, b);
    if (!strcmp(op, "fmax"))
        return fmax(a, b);
    if (!strcmp(op, "neg"))
        return -a;
    if (!strcmp(op, "abs"))
        return fabs(a);
    if (!strcmp(op, "sqrt"))
        return sqrt(a);
    if (!strcmp(op, "floor"))
        return floor(a);
    if (!strcmp(op, "ceil"))
        return ceil(a);
    if (!strcmp(op, "round"))
        return nearbyint(a);
    if (!strcmp(op, "trunc"))
        return trunc(a);
    if (!strcmp(op, "pow"))
        return pow(a, b);
    if (!strcmp(op, "exp"))
        return exp(a);
    if (!strcmp(op, "log2"))
        return log2(a);
    if (!strcmp(op, "erf"))
        return erf(a);
    assert_string_equal(op, "tanh");
    return tanh(a);
}

/* Rounded to the type: by the casts that convert.c tests. */
static void round_to(const char *type, const double *x, double *y, int64_t n)
{
    struct program p = compile_op("abs", type, "f64", "f64", false);
    double *a = malloc((size_t)n * 8);
    for (int64_t i = 0; i < n; i++)
        a[i] = x[i];
    uint64_t slots[] = {POINTER(a), POINTER(a), POINTER(y), (uint64_t)n};
    run(&p, slots, (n + 63) / 64);
    for (int64_t i = 0; i < n; i++)
        y[i] = copysign(y[i], x[i]);
    free(a);
    release(&p);
}

static void check_float(const char *type, const char *op, bool binary, bool library)
{
    static const double values[] = {0.0,   -0.0,  1.0,   -1.0,     1.5,       -2.5, 0.1, 3.0, 1e-3,
                                    100.0, -7.25, 240.0, INFINITY, -INFINITY, NAN,  0.5, 2.0};
    enum { N = sizeof values / sizeof *values };
    double a[N * N], b[N * N], y[N * N], want[N * N], x[N * N];
    for (int i = 0; i < N * N; i++)
        x[i] = values[i / N], want[i] = values[i % N];
    round_to(type, x, a, N * N);
    round_to(type, want, b, N * N);
    struct program p = compile_op(op, type, "f64", "f64", binary);
    uint64_t slots[] = {POINTER(a), POINTER(b), POINTER(y), N * N};
    run(&p, slots, (N * N + 63) / 64);
    for (int i = 0; i < N * N; i++)
        x[i] = expect_float(op, a[i], b[i]);
    round_to(type, x, want, N * N);
    for (int i = 0; i < N * N; i++) {
        /* Functions may be off by the f32 polynomial's error; the rest is exact. */
        double slack = library ? fabs(want[i]) * (strcmp(type, "f64") ? 0x1p-2 : 1e-14) : 0;
        if (library && strcmp(type, "f32") == 0)
            slack = fabs(want[i]) * 3e-7;
        if (library && strcmp(type, "bf16") == 0)
            slack = fabs(want[i]) * 0x1p-7;
        bool fine = isnan(want[i]) ? isnan(y[i]) : y[i] == want[i] || fabs(y[i] - want[i]) <= slack;
        if (!fine)
            fail_msg("%s %s(%a, %a) = %a, not %a", type, op, a[i], b[i], y[i], want[i]);
    }
    release(&p);
}

static void test_floats(void **state)
{
    (void)state;
    static const char *const types[] = {"f16", "bf16", "f32", "f64", "f8e4m3", "f8e5m2"};
    static const char *const binary[] = {"add", "sub", "mul",  "div", "div_exact",
                                         "min", "max", "fmin", "fmax"};
    static const char *const unary[] = {"neg", "abs", "sqrt", "floor", "ceil", "round", "trunc"};
    for (int t = 0; t < 6; t++) {
        for (size_t i = 0; i < sizeof binary / sizeof *binary; i++)
            check_float(types[t], binary[i], true, false);
        for (size_t i = 0; i < sizeof unary / sizeof *unary; i++)
            check_float(types[t], unary[i], false, false);
    }
    static const char *const library[] = {"exp", "log2", "tanh", "erf"};
    for (int t = 1; t < 4; t++)
        for (int i = 0; i < 4; i++)
            check_float(types[t], library[i], false, true);
    check_float("f64", "pow", true, true);
}

/* ---- comparisons, select, bits ----------------------------------------------------------------- */

static void test_compare(void **state)
{
    (void)state;
    static const char *const words[] = {"eq", "ne", "lt", "le", "gt", "ge"};
    static const double x[] = {1, 2, 2, NAN, -0.0, INFINITY, 3},
                        y[] = {2, 1, 2, 1, 0.0, INFINITY, NAN};
    for (int c = 0; c < 6; c++) {
        char call[64], text[2048];
        snprintf(call, sizeof call, "cmp %%a, %%b {cmp = %s} : bool[i]", words[c]);
        snprintf(text, sizeof text, form, "f64", "f64", "bool", "f64", "f64", "f32", "f32", call,
                 "bool");
        struct program p = compile_ir(text);
        uint8_t got[7];
        uint64_t slots[] = {POINTER(x), POINTER(y), POINTER(got), 7};
        run(&p, slots, 1);
        for (int i = 0; i < 7; i++) {
            bool want[] = {x[i] == y[i], x[i] != y[i], x[i]<y[i], x[i] <= y[i], x[i]> y[i],
                           x[i] >= y[i]};
            assert_int_equal(got[i], want[c]);
        }
        release(&p);
    }
}

static const char mixed[] =
    "kernel f {\n"
    "  params { %N.0 : dim  %flag.1 : scalar bool  %h.2 : scalar f16 }\n"
    "  tensors { b : read bool[%N.0]  x : read f32[%N.0]  y : out f32[%N.0]  c : out bool[%N.0]\n"
    "            u : out u32[%N.0] }\n"
    "  axes { i : grid %z .. %N.0 {tile = 64} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %i = index {axis = i} : index[i]\n"
    "    %b = load b[%i] : bool[i]\n"
    "    %x = load x[%i] : f32[i]\n"
    "    %f = xor %b, %flag.1 : bool[i]\n"
    "    %h = cast %h.2 : f32\n"
    "    %m = fma %x, %h, %x : f32[i]\n"
    "    %y = select %f, %m, %x : f32[i]\n"
    "    store y[%i], %y\n"
    "    %n = not %f : bool[i]\n"
    "    store c[%i], %n\n"
    "    %u = bitcast %x : u32[i]\n"
    "    store u[%i], %u\n"
    "    return\n"
    "  }\n"
    "}\n";

static void test_mixed(void **state)
{
    (void)state;
    struct program p = compile_ir(mixed);
    uint8_t b[70], c[70];
    float x[70], y[70];
    uint32_t u[70], seed = 9, bits;
    for (int i = 0; i < 70; i++)
        x[i] = random_float(&seed), b[i] = i % 3 == 0;
    for (int flag = 0; flag < 2; flag++) {
        uint64_t slots[] = {POINTER(b), POINTER(x), POINTER(y),     POINTER(c),
                            POINTER(u), 70,         (uint64_t)flag, 0x3e00 /* 1.5 */};
        run(&p, slots, 2);
        for (int i = 0; i < 70; i++) {
            bool f = b[i] != flag;
            assert_true(y[i] == (f ? fmaf(x[i], 1.5f, x[i]) : x[i]));
            assert_int_equal(c[i], !f);
            memcpy(&bits, &x[i], 4);
            assert_true(u[i] == bits);
        }
    }
    release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_mixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
