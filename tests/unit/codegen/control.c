/* Programs, control flow, and accesses that are not plain rows. */
#include "run.h"

#include <math.h>

/* ---- the grid ---------------------------------------------------------------------------------- */

/* Segments of rows whose bounds are in memory; surplus programs leave. */
static const char segments[] =
    "kernel k {\n"
    "  params { %G.0 : dim  %A.1 : dim  %N.2 : dim  %X.3 : dim }\n"
    "  tensors { start : read i64[%X.3]  y : mut f32[%A.1, %N.2] }\n"
    "  axes { g : program %z .. %G.0 {tile = 1}  m : grid %lo .. %hi {tile = 4, bound = %A.1}\n"
    "         n : grid %z .. %N.2 {tile = 16} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %one = const {i = 1} : index\n"
    "    %g = index {axis = g} : index\n"
    "    %s = load start[%g] : i64\n"
    "    %lo = cast %s : index\n"
    "    %g1 = add %g, %one : index\n"
    "    %e = load start[%g1] : i64\n"
    "    %hi = cast %e : index\n"
    "    %m = index {axis = m} : index[m]\n"
    "    %n = index {axis = n} : index[n]\n"
    "    %y = load y[%m, %n] : f32[m, n]\n"
    "    %gf = cast %g1 : f32\n"
    "    %v = add %y, %gf : f32[m, n]\n"
    "    store y[%m, %n], %v\n"
    "    return\n"
    "  }\n"
    "}\n";

static void test_segments(void **state)
{
    (void)state;
    struct program p = compile_ir(segments);
    int64_t start[] = {0, 3, 3, 12, 17}, A = 17, N = 19, G = 4;
    float y[17 * 19] = {0};
    uint64_t slots[] = {POINTER(start), POINTER(y), (uint64_t)N, (uint64_t)G, (uint64_t)A,
                        (uint64_t)N,    5};
    run(&p, slots, G * ((A + 3) / 4) * 2);
    for (int64_t r = 0; r < A; r++)
        for (int64_t n = 0; n < N; n++)
            assert_true(y[r * N + n] == (r < 3 ? 1 : r < 12 ? 3 : 4));
    release(&p);
}

/* Chunks of the program range may be run apart. */
static void test_ranges(void **state)
{
    (void)state;
    struct program p = compile_ir(segments);
    int64_t start[] = {0, 8}, N = 40;
    float y[8 * 40] = {0};
    uint64_t slots[] = {POINTER(start), POINTER(y), (uint64_t)N, 1, 8, (uint64_t)N, 2};
    for (int64_t i = 0; i < 6; i++)
        p.entry(slots, i, i + 1, p.scratch, NULL);
    for (int64_t i = 0; i < 8 * N; i++)
        assert_true(y[i] == 1);
    release(&p);
}

/* ---- control flow ------------------------------------------------------------------------------ */

static const char flow[] =
    "kernel k {\n"
    "  params { %N.0 : dim  %D.1 : dim }\n"
    "  tensors { t : read i64[%N.0]  y : out f32[%N.0, %D.1]  s : out i64[%N.0] }\n"
    "  axes { n : program %z .. %N.0 {tile = 1}  c : held %z .. %D.1 {tile = 64} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %zero = const {i = 0} : i64\n"
    "    %one = const {i = 1} : i64\n"
    "    %two = const {i = 2} : i64\n"
    "    %big = const {i = 100} : i64\n"
    "    %fz = const {f = 0} : f32\n"
    "    %n = index {axis = n} : index\n"
    "    %c = index {axis = c} : index[c]\n"
    "    %t = load t[%n] : i64\n"
    "    %neg = cmp %t, %zero {cmp = lt} : bool\n"
    "    if %neg do {\n"
    "      %mt = neg %t : i64\n"
    "      store s[%n], %mt\n"
    "      store y[%n, %c], %fz\n"
    "      return\n"
    "    } else {\n"
    "      yield\n"
    "    }\n"
    // Collatz steps, at most 100
    "    %steps, %last = loop %zero, %t : i64, i64 do (%k : i64, %v : i64) {\n"
    "      %done = cmp %v, %one {cmp = le} : bool\n"
    "      %many = cmp %k, %big {cmp = ge} : bool\n"
    "      %stop = or %done, %many : bool\n"
    "      if %stop do {\n"
    "        break %k, %v\n"
    "      } else {\n"
    "        yield\n"
    "      }\n"
    "      %k1 = add %k, %one : i64\n"
    "      %odd = and %v, %one : i64\n"
    "      %even = cmp %odd, %zero {cmp = eq} : bool\n"
    "      if %even do {\n"
    "        %h = div %v, %two : i64\n"
    "        continue %k1, %h\n"
    "      } else {\n"
    "        yield\n"
    "      }\n"
    "      %v2 = mul %v, %two : i64\n"
    "      %v3 = add %v2, %v : i64\n"
    "      %v4 = add %v3, %one : i64\n"
    "      yield %k1, %v4\n"
    "    }\n"
    "    store s[%n], %steps\n"
    // a tile from one of two branches
    "    %small = cmp %steps, %two {cmp = lt} : bool\n"
    "    %cf = cast %c : f32[c]\n"
    "    %ef = exp %cf : f32[c]\n"
    "    %w = if %small : f32[c] do {\n"
    "      %q = add %ef, %cf : f32[c]\n"
    "      yield %q\n"
    "    } else {\n"
    "      %sf = cast %steps : f32\n"
    "      %q2 = mul %cf, %sf : f32[c]\n"
    "      yield %q2\n"
    "    }\n"
    "    store y[%n, %c], %w\n"
    "    return\n"
    "  }\n"
    "}\n";

static void test_flow(void **state)
{
    (void)state;
    struct program p = compile_ir(flow);
    int64_t t[] = {-5, 0, 1, 2, 3, 27, 97, 6}, s[8];
    int64_t D = 37;
    float y[8 * 37];
    uint64_t slots[] = {POINTER(t), POINTER(y), (uint64_t)D, POINTER(s), 8, (uint64_t)D};
    run(&p, slots, 8);
    for (int i = 0; i < 8; i++) {
        int64_t k = 0, v = t[i];
        if (v < 0)
            k = -v;
        for (; v > 1 && k < 100; k++)
            v = v % 2 ? 3 * v + 1 : v / 2;
        assert_int_equal(s[i], k);
        for (int64_t c = 0; c < D; c++) {
            double want = t[i] < 0 ? 0 : k < 2 ? exp((double)c) + (double)c : (double)(c * k);
            assert_true(fabs((double)y[i * D + c] - want) <= 1e-6 * want);
        }
    }
    release(&p);
}

/* A run-time loop that steps over the end of its type. */
static const char wrapping[] =
    "kernel k {\n"
    "  params { %lo.0 : scalar i8  %hi.1 : scalar i8  %step.2 : scalar i8 }\n"
    "  tensors { y : out i64[] }\n"
    "  body {\n"
    "    %zero = const {i = 0} : i64\n"
    "    %one = const {i = 1} : i64\n"
    "    %n = for %lo.0, %hi.1, %step.2, %zero : i64 do (%i : i8, %k : i64) {\n"
    "      %k1 = add %k, %one : i64\n"
    "      yield %k1\n"
    "    }\n"
    "    store y[], %n\n"
    "    return\n"
    "  }\n"
    "}\n";

static void test_for_bounds(void **state)
{
    (void)state;
    struct program p = compile_ir(wrapping);
    static const int cases[][4] = {
        {0,    10,  1,   10},
        {0,    10,  3,   4 },
        {100,  127, 20,  2 },
        {5,    5,   1,   0 },
        {-128, 127, 100, 3 },
        {7,    3,   1,   0 }
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t y = -1;
        uint64_t slots[] = {POINTER(&y), (uint8_t)cases[i][0], (uint8_t)cases[i][1],
                            (uint8_t)cases[i][2]};
        run(&p, slots, 1);
        assert_int_equal(y, cases[i][3]);
    }
    release(&p);
}

/* ---- accesses ---------------------------------------------------------------------------------- */

/* Neighbours with a fill, a clipped store, a strided tensor, a gather and a scatter. */
static const char windows[] =
    "kernel k {\n"
    "  params { %N.0 : dim }\n"
    "  tensors { x : read f32[%N.0]  i : read i64[%N.0]  y : out f32[%N.0]  z : mut f32[%N.0] "
    "{strided}\n"
    "            g : out f32[%N.0]  h : mut f32[%N.0]  b : out bf16[%N.0] }\n"
    "  axes { n : grid %o .. %N.0 {tile = 64} }\n"
    "  body {\n"
    "    %o = const {i = 0} : index\n"
    "    %one = const {i = 1} : index\n"
    "    %f = const {f = -5} : f32\n"
    "    %n = index {axis = n} : index[n]\n"
    "    %x = load x[%n] : f32[n]\n"
    "    %l = sub %n, %one : index[n]\n"
    "    %xl = load x[%l], %f {fill} : f32[n]\n"
    "    %r = add %n, %one : index[n]\n"
    "    %xr = load x[%r], %f {fill} : f32[n]\n"
    "    %s = add %xl, %xr : f32[n]\n"
    "    store y[%n], %s\n"
    "    store h[%r], %x {clip}\n"
    "    %zv = load z[%n] : f32[n]\n"
    "    %z2 = add %zv, %x : f32[n]\n"
    "    store z[%n], %z2\n"
    "    %iv = load i[%n] : i64[n]\n"
    "    %j = cast %iv : index[n]\n"
    "    %xj = load x[%j] : f32[n]\n"
    "    store g[%n], %xj\n"
    "    %xb = cast %x : bf16[n]\n"
    "    store b[%j], %xb\n"
    "    return\n"
    "  }\n"
    "}\n";

static void check_windows(const struct program *p, int64_t N)
{
    float x[200], y[200], z[600], g[200], h[201], old[600];
    int64_t i[200];
    uint16_t b[200];
    uint32_t seed = 4;
    for (int64_t k = 0; k < N; k++)
        x[k] = (float)(k % 100), i[k] = (k * 7 + 3) % N;
    for (int k = 0; k < 600; k++)
        z[k] = old[k] = random_float(&seed);
    h[0] = 11, h[N] = 22;
    uint64_t slots[] = {POINTER(x), POINTER(i), POINTER(y), POINTER(z), 3,
                        POINTER(g), POINTER(h), POINTER(b), (uint64_t)N};
    run(p, slots, (N + 63) / 64);
    for (int64_t k = 0; k < N; k++) {
        float left = k ? x[k - 1] : -5, right = k + 1 < N ? x[k + 1] : -5, f = x[k];
        uint32_t bits;
        memcpy(&bits, &f, 4);
        assert_true(y[k] == left + right);
        assert_true(g[k] == x[i[k]]);
        assert_int_equal(b[i[k]], bits >> 16);
        assert_true(z[3 * k] == old[3 * k] + x[k]);
        assert_true(z[3 * k + 1] == old[3 * k + 1]);
        if (k)
            assert_true(h[k] == x[k - 1]);
    }
    assert_true(h[0] == 11 && h[N] == 22);
}

static void test_windows(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 31, 64, 65, 131};
    struct program p = compile_ir(windows);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check_windows(&p, sizes[i]);
    release(&p);
    p = compile_for("cpu:x86-64-v2", windows, (struct codegen_options){0});
    check_windows(&p, 131);
    release(&p);
}

static const char atomics[] = "kernel k {\n"
                              "  params { %N.0 : dim  %M.1 : dim }\n"
                              "  tensors { i : read i64[%N.0]  f : mut f32[%M.1]  h : mut "
                              "f16[%M.1]  n : mut i32[%M.1]  m : mut u8[%M.1] }\n"
                              "  axes { k : grid %z .. %N.0 {tile = 64} }\n"
                              "  body {\n"
                              "    %z = const {i = 0} : index\n"
                              "    %k = index {axis = k} : index[k]\n"
                              "    %iv = load i[%k] : i64[k]\n"
                              "    %j = cast %iv : index[k]\n"
                              "    %one = const {f = 1} : f32\n"
                              "    %two = const {f = 2} : f16\n"
                              "    %three = const {i = 3} : i32\n"
                              "    %kb = cast %k : u8[k]\n"
                              "    atomic f[%j], %one {kind = sum}\n"
                              "    atomic h[%j], %two {kind = sum}\n"
                              "    atomic n[%j], %three {kind = sum}\n"
                              "    atomic m[%j], %kb {kind = max}\n"
                              "    return\n"
                              "  }\n"
                              "}\n";

static void test_atomics(void **state)
{
    (void)state;
    struct program p = compile_ir(atomics);
    int64_t i[150];
    float f[4] = {0};
    uint16_t h[4] = {0};
    int32_t n[4] = {0};
    uint8_t m[4] = {0};
    for (int k = 0; k < 150; k++)
        i[k] = k % 3;
    uint64_t slots[] = {POINTER(i), POINTER(f), POINTER(h), POINTER(n), POINTER(m), 150, 4};
    run(&p, slots, 3);
    for (int k = 0; k < 4; k++) {
        assert_true(f[k] == (k < 3 ? 50 : 0));
        assert_int_equal(h[k], k < 3 ? 0x5640 : 0); /* 100 */
        assert_int_equal(n[k], k < 3 ? 150 : 0);
        assert_int_equal(m[k], k < 3 ? 147 + k : 0);
    }
    release(&p);
}

/* ---- tiles as wholes --------------------------------------------------------------------------- */

/* x x^T by relabelling, an element by number, and a product of matrices. */
static const char products[] =
    "kernel k {\n"
    "  params { %M.0 : dim  %N.1 : dim  %K.2 : dim  %j.3 : scalar index }\n"
    "  tensors { a : read f16[%M.0, %K.2]  b : read f16[%N.1, %K.2]  y : out f32[%M.0, %N.1]\n"
    "            t : out f32[%M.0, %M.0]  e : out f32[%M.0] }\n"
    "  axes { m : held %z .. %M.0 {tile = 16}  n : held %z .. %N.1 {tile = 64}  k : swept %z .. "
    "%K.2 {tile = 8}\n"
    "         o : held %z .. %M.0 {tile = 16} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %zero = const {f = 0} : f32\n"
    "    %m = index {axis = m} : index[m]\n"
    "    %n = index {axis = n} : index[n]\n"
    "    %acc0 = expand %zero {axes = [m, n]} : f32[m, n]\n"
    "    %acc = sweep %z, %K.2, %acc0 {axis = k} : f32[m, n] do (%s : f32[m, n]) {\n"
    "      %k = index {axis = k} : index[k]\n"
    "      %a = load a[%m, %k] : f16[m, k]\n"
    "      %b = load b[%n, %k] : f16[n, k]\n"
    "      %d = dot %a, %b {axis = k} : f32[m, n]\n"
    "      %s1 = add %s, %d : f32[m, n]\n"
    "      yield %s1\n"
    "    }\n"
    "    store y[%m, %n], %acc\n"
    "    %e = extract %acc, %j.3 {axis = n} : f32[m]\n"
    "    store e[%m], %e\n"
    "    %o = index {axis = o} : index[o]\n"
    "    %eo = relabel %e {axis = m, to = o} : f32[o]\n"
    "    %p = mul %e, %eo : f32[m, o]\n"
    "    store t[%m, %o], %p\n"
    "    return\n"
    "  }\n"
    "}\n";

/* 16-bit patterns of small integers. */
static uint16_t half_of(int v)
{
    int sign = v < 0 ? 0x8000 : 0, a = abs(v), e = 0;
    if (!a)
        return 0;
    while (a >> (e + 1))
        e++;
    return (uint16_t)(sign | (e + 15) << 10 | ((a << (10 - e)) & 0x3ff));
}

static void check_products(const struct program *p, int M, int N, int K)
{
    static uint16_t a[16 * 40], b[64 * 40];
    static float y[16 * 64], t[16 * 16], e[16];
    int x[16 * 40], w[64 * 40];
    for (int i = 0; i < M * K; i++)
        a[i] = half_of(x[i] = i * 7 % 11 - 5);
    for (int i = 0; i < N * K; i++)
        b[i] = half_of(w[i] = i * 5 % 13 - 6);
    uint64_t slots[] = {POINTER(a),  (uint64_t)K, POINTER(b),       (uint64_t)K, POINTER(y),
                        (uint64_t)N, POINTER(t),  (uint64_t)M,      POINTER(e),  (uint64_t)M,
                        (uint64_t)N, (uint64_t)K, (uint64_t)(N - 1)};
    run(p, slots, 1);
    for (int m = 0; m < M; m++)
        for (int n = 0; n < N; n++) {
            int sum = 0;
            for (int k = 0; k < K; k++)
                sum += x[m * K + k] * w[n * K + k];
            assert_true(y[m * N + n] == (float)sum);
            if (n == N - 1)
                assert_true(e[m] == (float)sum);
        }
    for (int m = 0; m < M; m++)
        for (int o = 0; o < M; o++)
            assert_true(t[m * M + o] == e[m] * e[o]);
}

static void test_products(void **state)
{
    (void)state;
    struct program p = compile_ir(products);
    for (int M = 1; M <= 16; M += 5)
        for (int N = 1; N <= 64; N += 21)
            for (int K = 0; K <= 40; K += 13)
                check_products(&p, M, N, K);
    release(&p);
}

/* What a loop carries over rows begins before the rows' elements are read, of which there may be too
 * few for a vector. */
static const char carried[] =
    "kernel k {\n"
    "  params { %R.0 : dim  %D.1 : dim }\n"
    "  tensors { x : read i32[%R.0, %D.1]  y : out i32[%R.0] }\n"
    "  axes { r : grid %z .. %R.0 {tile = 2}  c : held %z .. %D.1 {tile = 96} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %one = const {i = 1} : index\n"
    "    %seven = const {i = 7} : i32\n"
    "    %r = index {axis = r} : index[r]\n"
    "    %c = index {axis = c} : index[c]\n"
    "    %x = load x[%r, %c] : i32[r, c]\n"
    "    %start = expand %seven {axes = [r]} : i32[r]\n"
    "    %y = for %z, %D.1, %one, %start : i32[r] do (%i : index, %a : i32[r]) {\n"
    "      %e = extract %x, %i {axis = c} : i32[r]\n"
    "      %n = add %a, %e : i32[r]\n"
    "      yield %n\n"
    "    }\n"
    "    store y[%r], %y\n"
    "    return\n"
    "  }\n"
    "}\n";

static void test_carried(void **state)
{
    (void)state;
    struct program p = compile_ir(carried);
    int32_t x[3 * 96], y[3];
    for (int32_t i = 0; i < 3 * 96; i++)
        x[i] = i;
    for (int32_t D = 1; D <= 96; D += 19) {
        uint64_t slots[] = {POINTER(x), (uint64_t)D, POINTER(y), 3, (uint64_t)D};
        run(&p, slots, 2);
        for (int32_t r = 0; r < 3; r++)
            assert_int_equal(y[r], 7 + r * D * D + D * (D - 1) / 2);
    }
    release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments), cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_flow),     cmocka_unit_test(test_for_bounds),
        cmocka_unit_test(test_windows),  cmocka_unit_test(test_atomics),
        cmocka_unit_test(test_products), cmocka_unit_test(test_carried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
