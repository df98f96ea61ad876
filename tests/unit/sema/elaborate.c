/* Kernels to tile IR: what each construct becomes. The IR is verified by sema_elaborate itself. */
#include "unit/sema/elaborate.h"

#define HEAD "kernel k(x: tensor<f32>[R, C], y: out tensor<f32>[R], z: mut tensor<f32>[R, C])\n"

static void test_facts_reach_the_ir(void **state)
{
    struct front f;
    (void)state;
    front_begin(&f, "kernel k<T: float>(x: tensor<T>[R, D], y: out tensor<T>[R, D] strided)\n"
                    "  require R >= 2 && D <= 4096;\n"
                    "  specialize D % 8 == 0, align(x, 16), packed(x);\n"
                    "  specialize D % 12 == 0;\n"
                    "{ grid axis r in 0 .. R tile 1; axis c in 0 .. D tile 4;\n"
                    "  sweep c { y[r, c] = x[r, c]; } }\n");
    const char *general = ir_of(&f, "T=bf16");
    assert_has(general, "%R.0 : dim {lo = 2}");
    assert_has(general, "%D.1 : dim {hi = 4096}");
    assert_has(general, "x : read bf16[%R.0, %D.1]\n");
    assert_has(general, "c : swept %3 .. %D.1 {tile = 4}");
    const char *special = ir_of(&f, "T=bf16,specialize.0=1,specialize.1=1");
    assert_has(special, "%D.1 : dim {hi = 4096, multiple = 24}");
    assert_has(special, "{align = 16, packed}");
    assert_has(special, "c : swept %3 .. %D.1 {tile = 4, full}");
    front_end(&f);
}

static void test_presence_and_consts(void **state)
{
    struct front f;
    (void)state;
    front_begin(&f, "enum Mode { plain, twice }\n"
                    "kernel k(x: tensor<f32>[N], w: tensor<f32>[N, E]?, y: out tensor<f32>[N],\n"
                    "    const mode: Mode) {\n"
                    "  grid axis i in 0 .. N tile 16;\n"
                    "  var v = x[i];\n"
                    "  if mode == Mode.twice { v *= 2.0; }\n"
                    "  if has w { v += load(w[i, E - 1], fill: 0.0); }\n"
                    "  y[i] = has w ? v : -v;\n"
                    "}\n");
    const char *bare = ir_of(&f, "w?=0");
    assert_lacks(bare, "%E");
    assert_lacks(bare, "w :");
    assert_lacks(bare, "mul");
    assert_has(bare, "neg");
    const char *full = ir_of(&f, "mode=twice");
    assert_has(full, "w : read f32[%N.0, %E.1]");
    assert_has(full, "mul");
    assert_lacks(full, "neg");
    front_end(&f);
}

/* A kernel may ask which types it was given; a type is compared with any other. */
static void test_types_compared(void **state)
{
    static const char source[] =
        "fn f<T: float, W: float>(x: T, w: W, scale: f32) -> f32 {\n"
        "  if T == W { return f32(x + T(w)); }\n"
        "  return f32(x) - f32(w) * scale;\n"
        "}\n"
        "kernel k<T: float, W: float>(x: tensor<T>[N], w: tensor<W>[N], y: out tensor<T>[N]) {\n"
        "  grid i in 0 .. N;\n"
        "  let v = f(x[i], w[i], 2.0);\n"
        "  y[i] = T(T != bf16 ? v : -v);\n"
        "}\n";
    struct front f;
    (void)state;
    front_begin(&f, source);
    const char *same = ir_of(&f, "T=f32, W=f32"), *other = ir_of(&f, "T=bf16, W=f32");
    assert_has(same, "add");
    assert_null(strstr(same, "neg"));
    assert_has(other, "sub");
    assert_has(other, "neg");
    sema_check(f.m); /* neither is scale unused where the types are one */
    diag_flush(&f.s);
    assert_string_equal(f.messages, "");
    front_end(&f);
}

static void test_branches(void **state)
{
    struct front f;
    (void)state;
    front_begin(&f, HEAD "{ grid r in 0 .. R; axis c in 0 .. C tile fit(C);\n"
                         "  let top = max(x[r, c] over c);\n"
                         "  var a = 0.0; var b = 1.0;\n"
                         "  if top > 2.0 { y[r] = 0.0; return; }\n"
                         "  if top > 1.0 { a = top; } else { let _t = top; }\n"
                         "  y[r] = a + b; }\n");
    const char *ir = ir_of(&f, "");
    assert_has(ir, "return\n    } else {\n      yield\n    }");
    assert_has(ir, " : f32 do {\n      yield %top"); /* b is unchanged: only a is a result */
    front_end(&f);
}

static void test_loops(void **state)
{
    struct front f;
    (void)state;
    front_begin(&f, HEAD "{ grid r in 0 .. R;\n"
                         "  var s = 0.0; var n: index = 0;\n"
                         "  for i in r .. C step R {\n"
                         "    if x[r, i] > 9.0 { break; }\n"
                         "    if x[r, i] < 0.0 { continue; }\n"
                         "    s += x[r, i];\n"
                         "  }\n"
                         "  while s > 1.0 { s *= 0.5; n += 1; }\n"
                         "  for static j in 0 .. 3 { if j == 2 { break; } s += f32(j); }\n"
                         "  y[r] = s + f32(n); }\n");
    const char *ir = ir_of(&f, "");
    assert_has(ir, "break %s");
    assert_has(ir, "continue %s");
    assert_has(ir, " loop %");
    assert_has(ir, "do (%i");
    front_end(&f);
}

static void test_sweeps(void **state)
{
    struct front f;
    (void)state;
    front_begin(
        &f, HEAD
        "{ grid axis r in 0 .. R tile 4; axis c in 0 .. C tile 64;\n"
        "  var lane: tile<f32>[r, c] = 0.0;\n"
        "  sweep c pipeline(2) { lane += x[r, c]; var own = x[r, c]; own *= 2.0; z[r, c] = own; }\n"
        "  y[r] = sum(lane over c); }\n");
    const char *ir = ir_of(&f, "");
    assert_has(ir, "i = 2, axis = c");
    assert_has(ir, "merge");
    char *first = strstr(ir, "merge");
    assert_null(strstr(first + 1, "merge")); /* a variable of the sweep itself needs none */
    front_end(&f);
}

static void test_parts(void **state)
{
    struct front f;
    (void)state;
    front_begin(&f,
                HEAD "{ grid r in 0 .. R; axis c in 0 .. C tile 64 parts p;\n"
                     "  var m: tile<f32>[p] = -inf;\n"
                     "  sweep c { m = max(m, max(x[r, c] over c to p)); z[r, c] = x[r, c] - m; }\n"
                     "  y[r] = max(m over p); }\n");
    assert_has(ir_of(&f, ""), "p : part c {tile = 0}");
    const char *ir = ir_of(&f, "parts.p=8");
    assert_has(ir, "p : part c {tile = 8}");
    assert_has(ir, "to = p, kind = max");
    assert_has(ir, "spread %m");
    front_end(&f);
}

static void test_structs_and_combiners(void **state)
{
    struct front f;
    (void)state;
    front_begin(&f,
                "struct Moments { mean: f32, m2: f32, n: f32 }\n"
                "fn merge(a: Moments, b: Moments) -> Moments {\n"
                "  let n = a.n + b.n;\n"
                "  let d = b.mean - a.mean;\n"
                "  return Moments(mean: a.mean + d * b.n / n, m2: a.m2 + b.m2 + d * d * a.n * b.n "
                "/ n, n: n);\n"
                "}\n"
                "kernel k(x: tensor<f16>[R, C], y: out tensor<f32>[R], i: out tensor<i64>[R]) {\n"
                "  grid axis r in 0 .. R tile 2;\n"
                "  axis c in 0 .. C tile 32;\n"
                "  var all: tile<Moments>[r] = Moments(0.0, 0.0, 0.0);\n"
                "  var best: tile<i64>[r] = 0;\n"
                "  sweep c {\n"
                "    let here = reduce(Moments(f32(x[r, c]), 0.0, 1.0) over c with merge);\n"
                "    all = all.n == 0.0 ? here : merge(all, here);\n"
                "    best = i64(argmax(x[r, c] over c));\n"
                "    all.n = all.n + sum(x[r, c] over c);\n"
                "  }\n"
                "  let (mean, m2, n) = all;\n"
                "  y[r] = m2 / n - mean + reduce(f32(2) * all.n over r with (a, b) => max(a, b));\n"
                "  i[r] = best;\n"
                "}\n");
    const char *ir = ir_of(&f, "");
    assert_has(ir, "kind = combiner");
    assert_has(ir, "%mean");
    assert_has(ir, "f32[r], f32[r], f32[r]");
    front_end(&f);
}

/* f16 sums are formed in f32; maxima stay f16. */
static void test_reduction_types(void **state)
{
    struct front f;
    (void)state;
    front_begin(&f, "kernel k(x: tensor<f16>[R, C], y: out tensor<f32>[R], m: out tensor<f16>[R],\n"
                    "    n: out tensor<i64>[R], s: out tensor<f32>[R, C]) {\n"
                    "  grid axis r in 0 .. R tile 2; axis c in 0 .. C tile fit(C);\n"
                    "  y[r] = sum(x[r, c] over c); m[r] = max(x[r, c] over c);\n"
                    "  n[r] = i64(count(x[r, c] > 0.0 over c));\n"
                    "  s[r, c] = cumsum(x[r, c] over c, exclusive: true); }\n");
    const char *ir = ir_of(&f, "");
    assert_has(ir, "kind = sum} : f32[r]");
    assert_has(ir, "kind = max} : f16[r]");
    assert_has(ir, "kind = sum} : index[r]");
    assert_has(ir, "scan");
    front_end(&f);
}

static void test_functions(void **state)
{
    struct front f;
    (void)state;
    front_begin(&f, "const half = 0.5;\n"
                    "fn pick<T: float>(x: T, n: i32) -> T {\n"
                    "  if n == 1 { return x; }\n"
                    "  if n > 2 { return -x; } else { let x = x * half; if n < 0 { return x; } }\n"
                    "  return x * 2.0;\n"
                    "}\n"
                    "kernel k(x: tensor<bf16>[N], y: out tensor<bf16>[N], n: i32) {\n"
                    "  grid axis i in 0 .. N tile 16;\n"
                    "  y[i] = pick(x[i], n);\n"
                    "}\n");
    const char *ir = ir_of(&f, "");
    assert_has(ir, " : bf16[i] do {");
    assert_has(ir, "const {f = 0.5} : bf16");
    front_end(&f);
}

/* What converts by itself. */
static void test_literals_adapt(void **state)
{
    struct front f;
    (void)state;
    front_begin(
        &f,
        "kernel k(h: tensor<bf16>[N], i: tensor<i8>[N], t: tensor<i64>[N], y: out tensor<f32>[N],\n"
        "    z: out tensor<bf16>[N], j: out tensor<i64>[N]) {\n"
        "  grid axis n in 0 .. N tile 16;\n"
        "  let f = f32(h[n]);\n"
        "  y[n] = h[n] + f;\n"
        "  z[n] = h[n] * 2.0 + (n > 3 ? 1.0 : n > 2 ? 0.5 : 0);\n"
        "  j[n] = i[n] + t[n];\n"
        "  y[n] = t[n] == n ? 1 : 0.0;\n"
        "}\n");
    assert_has(ir_of(&f, ""), "const {f = 2} : bf16");
    front_end(&f);
}

/* What the prover shows without help: all of these are accepted. */
static void test_ranges_shown(void **state)
{
    struct front f;
    (void)state;
    front_begin(
        &f,
        "const taps = 4;\n"
        "kernel k(q: tensor<f32>[B, E], half: tensor<f32>[P], flat: tensor<f32>[M], t: "
        "tensor<i32>[B],\n"
        "    n: index, y: out tensor<f32>[B, E])\n"
        "  require E == 2 * P;\n"
        "  require M == 64 * B + 3;\n"
        "  require n >= 1 && n <= P;\n"
        "{\n"
        "  grid b in 0 .. B;\n"
        "  axis e in 0 .. E tile fit(E);\n"
        "  axis p in 0 .. P tile fit(P);\n"
        "  var v = q[b, p] + q[b, p + P] + half[n - 1] * half[P - 1 - p];\n"
        "  v += sum(half[e / 2] * half[e % P] over e) + flat[b * 64 + 3] + flat[min(b, M - 1)];\n"
        "  for i in 1 .. P { v += half[i - 1] + half[i]; }\n"
        "  for static s in 0 .. taps { v += flat[64 * b + s]; }\n"
        "  if b > 0 { v += q[b - 1, 0]; }\n"
        "  let at = t[b];\n"
        "  assert(at >= 0 && at < E, \"t out of range\");\n"
        "  y[b, p] = v + q[b, at];\n"
        "  y[b, p + P] = v;\n"
        "}\n");
    assert_lacks(ir_of(&f, ""), "{fill}");
    front_end(&f);
}

/* What holds in one branch is not believed in another. */
static void test_facts_stay_in_their_branch(void **state)
{
    struct front f;
    struct bindings b;
    (void)state;
    front_begin(&f,
                "enum Mode { plain, never }\n"
                "kernel k(x: tensor<f32>[N], y: out tensor<f32>[N], n: index, const mode: Mode) {\n"
                "  grid i in 0 .. N;\n"
                "  let j = min(n, i);\n"
                "  var v = 0.0;\n"
                "  if mode == Mode.never { v = x[j]; }\n"
                "  if n >= 0 { v += x[j]; v += x[j]; }\n"
                "  y[i] = v + x[j];\n"
                "}\n");
    assert_true(sema_parse_bindings(f.m, "k", "", &(struct sema_device){0}, &b, NULL));
    assert_null(sema_elaborate(f.m, "k", &b));
    diag_flush(&f.s);
    assert_string_equal(f.messages,
                        "8: this may lie before dimension 0 of x: could not show 0 <= min(n, i)\n");
    front_end(&f);
}

/* A test that is not needed leaves no trace: the load is a plain one. */
static void test_fill_only_where_needed(void **state)
{
    struct front f;
    (void)state;
    front_begin(
        &f,
        HEAD "{ grid r in 0 .. R; axis c in 0 .. C tile fit(C);\n"
             "  y[r] = sum(load(x[r, c], fill: 3.0) + load(x[r, c + 1], fill: 4.0) over c); }\n");
    const char *ir = ir_of(&f, "");
    assert_has(ir, "const {f = 4}");
    const char *fill = strstr(ir, "{fill}");
    assert_non_null(fill);
    assert_null(strstr(fill + 1, "{fill}"));
    front_end(&f);
}

static void test_attributes_and_settings(void **state)
{
    struct front f;
    (void)state;
    front_begin(&f, "@exact @ordered @maxreg(128)\n" HEAD
                    "  tune { num_warps in {4, 8}; default { num_warps = 8 }; }\n"
                    "{ grid r in 0 .. R; y[r] = 1.0; }\n");
    const char *ir = ir_of(&f, "");
    assert_has(ir, "exact");
    assert_has(ir, "ordered");
    assert_has(ir, "num_warps = 8");
    assert_has(ir, "max_registers = 128");
    front_end(&f);
}

/* The first of each kind of name in a message, so that a failure reads well. */
static void test_errors_name_the_place(void **state)
{
    struct front f;
    struct bindings b;
    (void)state;
    front_begin(&f, HEAD "{ grid r in 0 .. R;\n  y[r] = x[r, C];\n}\n");
    assert_true(sema_parse_bindings(f.m, "k", "", &(struct sema_device){0}, &b, NULL));
    assert_null(sema_elaborate(f.m, "k", &b));
    diag_flush(&f.s);
    assert_string_equal(f.messages,
                        "3: this may lie past dimension 1 of x: could not show C < C\n");
    front_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts_reach_the_ir),
        cmocka_unit_test(test_presence_and_consts),
        cmocka_unit_test(test_types_compared),
        cmocka_unit_test(test_branches),
        cmocka_unit_test(test_loops),
        cmocka_unit_test(test_sweeps),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_structs_and_combiners),
        cmocka_unit_test(test_reduction_types),
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_literals_adapt),
        cmocka_unit_test(test_ranges_shown),
        cmocka_unit_test(test_facts_stay_in_their_branch),
        cmocka_unit_test(test_fill_only_where_needed),
        cmocka_unit_test(test_attributes_and_settings),
        cmocka_unit_test(test_errors_name_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
