/* Loop nests: reductions, scans, parts, tiles carried round loops, and the order of memory accesses,
 * against plain loops. */
#include "run.h"

#include <math.h>

#define MAX 70000

static float a[MAX], b[MAX], out[MAX];
static int64_t ints[MAX], more_ints[MAX];

static void fill_random(float *x, int64_t n)
{
    uint32_t seed = 7;
    for (int64_t i = 0; i < n; i++)
        x[i] = random_float(&seed);
}

/* "$" stands for number. */
static const char *with(const char *form, int64_t number)
{
    static char text[8192];
    size_t n = 0;
    for (; *form && n + 32 < sizeof text; form++)
        if (*form == '$')
            n += (size_t)sprintf(text + n, "%lld", (long long)number);
        else
            text[n++] = *form;
    text[n] = '\0';
    return text;
}

static void near(double got, double want, double scale)
{
    if (!(fabs(got - want) <= 1e-5 * (scale + fabs(want))))
        fail_msg("%.9g, not %.9g", got, want);
}

/* ---- reductions -------------------------------------------------------------------------------- */

static const char column_sums[] =
    "kernel k {\n"
    "  params { %R.0 : dim  %D.1 : dim }\n"
    "  tensors { x : read f32[%R.0, %D.1]  y : out f32[%D.1] }\n"
    "  axes { r : held %z .. %R.0 {tile = 64}  c : held %z .. %D.1 {tile = 128} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %r = index {axis = r} : index[r]\n"
    "    %c = index {axis = c} : index[c]\n"
    "    %x = load x[%r, %c] : f32[r, c]\n"
    "    %e = exp %x : f32[r, c]\n"
    "    %s = reduce %e {axes = [r], kind = sum} : f32[c]\n"
    "    %t = reduce %s {axes = [c], kind = max} : f32\n"
    "    %q = div %s, %t : f32[c]\n"
    "    store y[%c], %q\n"
    "    return\n"
    "  }\n"
    "}\n";

static void test_outer_axis(void **state)
{
    (void)state;
    struct program p = compile_ir(column_sums);
    for (int64_t R = 0; R <= 64; R += 7)
        for (int64_t D = 0; D <= 128; D += R % 2 ? 31 : 32) {
            fill_random(a, R * D);
            uint64_t slots[] = {POINTER(a), (uint64_t)D, POINTER(out), (uint64_t)R, (uint64_t)D};
            run(&p, slots, 1);
            double sums[128], top = -INFINITY;
            for (int64_t c = 0; c < D; c++) {
                sums[c] = 0;
                for (int64_t r = 0; r < R; r++)
                    sums[c] += exp((double)a[r * D + c]);
                top = sums[c] > top ? sums[c] : top;
            }
            for (int64_t c = 0; c < D && R; c++)
                near((double)out[c], sums[c] / top, 0);
        }
    release(&p);
}

/* Along a vector's lanes, over columns, and to parts. */
static const char extremes[] =
    "kernel k {\n"
    "  params { %R.0 : dim  %D.1 : dim }\n"
    "  tensors { x : read f32[%R.0, %D.1]  y : out f32[%R.0]  z : out f32[%D.1]\n"
    "            w : out f32[%R.0] }\n"
    "  axes { r : held %z .. %R.0 {tile = 64}  c : held %z .. %D.1 {tile = 128}\n"
    "         p : part c {tile = 32} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %r = index {axis = r} : index[r]\n"
    "    %c = index {axis = c} : index[c]\n"
    "    %x = load x[%r, %c] : f32[r, c]\n"
    "    %a = reduce %x {axes = [c], kind = KIND} : f32[r]\n"
    "    store y[%r], %a\n"
    "    %b = reduce %x {axes = [r], kind = KIND} : f32[c]\n"
    "    store z[%c], %b\n"
    "    %d = reduce %x {axes = [c], to = p, kind = KIND} : f32[r, p]\n"
    "    %e = reduce %d {axes = [p], kind = KIND} : f32[r]\n"
    "    store w[%r], %e\n"
    "    return\n"
    "  }\n"
    "}\n";

/* What min, max (NaN stays) and fmin, fmax (NaN is passed over) have found. */
static void see(float *so_far, float x, bool most, bool numbers)
{
    if (isnan(*so_far) || (isnan(x) && numbers))
        return;
    if (isnan(x) || (most ? x > *so_far : x < *so_far))
        *so_far = x;
}

static void check_extremes(const struct program *p, int64_t R, int64_t D, bool most, bool numbers)
{
    float rows[64], columns[128], got_rows[64], got_columns[128], by_parts[64];
    for (int i = 0; i < 128; i++)
        rows[i % 64] = columns[i] = most ? -INFINITY : INFINITY;
    for (int64_t i = 0; i < R * D; i++) {
        see(&rows[i / D], a[i], most, numbers);
        see(&columns[i % D], a[i], most, numbers);
    }
    uint64_t slots[] = {POINTER(a),        (uint64_t)D, POINTER(got_rows), POINTER(got_columns),
                        POINTER(by_parts), (uint64_t)R, (uint64_t)D};
    run(p, slots, 1);
    for (int64_t r = 0; r < R; r++) {
        assert_true(isnan(rows[r]) ? isnan(got_rows[r]) : got_rows[r] == rows[r]);
        assert_true(isnan(rows[r]) ? isnan(by_parts[r]) : by_parts[r] == rows[r]);
    }
    for (int64_t c = 0; c < D; c++)
        assert_true(isnan(columns[c]) ? isnan(got_columns[c]) : got_columns[c] == columns[c]);
}

static void test_extremes(void **state)
{
    static const char *const kinds[] = {"min", "max", "fmin", "fmax"};
    (void)state;
    for (int k = 0; k < 4; k++) {
        char text[sizeof extremes + 16], *to = text;
        for (const char *from = extremes; (*to = *from); to++, from++)
            if (strncmp(from, "KIND", 4) == 0) {
                to += sprintf(to, "%s", kinds[k]) - 1;
                from += 3;
            }
        struct program p = compile_ir(text);
        for (int64_t D = 1; D <= 128; D += D == 1 ? 30 : 16) {
            fill_random(a, 5 * D);
            a[2 * D + D / 2] = NAN;
            for (int64_t c = 0; c < D; c++)
                a[4 * D + c] = NAN;
            check_extremes(&p, 5, D, k % 2, k > 1);
        }
        release(&p);
    }
}

static const char both_axes[] =
    "kernel k {\n"
    "  params { %R.0 : dim  %D.1 : dim }\n"
    "  tensors { x : read f32[%R.0, %D.1]  y : out f32[%two] }\n"
    "  axes { r : held %z .. %R.0 {tile = 64}  c : held %z .. %D.1 {tile = 128} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %one = const {i = 1} : index\n"
    "    %two = const {i = 2} : index\n"
    "    %r = index {axis = r} : index[r]\n"
    "    %c = index {axis = c} : index[c]\n"
    "    %x = load x[%r, %c] : f32[r, c]\n"
    "    %s = reduce %x {axes = [r, c], kind = sum} : f32\n"
    "    %m = reduce %x {axes = [r, c], kind = min} : f32\n"
    "    store y[%z], %s\n"
    "    store y[%one], %m\n"
    "    return\n"
    "  }\n"
    "}\n";

static void test_both_axes(void **state)
{
    (void)state;
    struct program p = compile_ir(both_axes);
    for (int64_t R = 0; R <= 64; R += 9)
        for (int64_t D = 0; D <= 128; D += 43) {
            fill_random(a, R * D);
            uint64_t slots[] = {POINTER(a), (uint64_t)D, POINTER(out), (uint64_t)R, (uint64_t)D};
            run(&p, slots, 1);
            double sum = 0, least = INFINITY;
            for (int64_t i = 0; i < R * D; i++) {
                sum += (double)a[i];
                least = (double)a[i] < least ? (double)a[i] : least;
            }
            near((double)out[0], sum, 10);
            assert_true((double)out[1] == least);
        }
    release(&p);
}

/* Loops a > b > c, reducing a and c: lanes combine into storage over b. */
static const char inner_and_outer[] =
    "kernel k {\n"
    "  params { %A.0 : dim  %B.1 : dim  %C.2 : dim }\n"
    "  tensors { x : read f32[%A.0, %B.1, %C.2]  y : out f32[%B.1]  i : out i64[%B.1] }\n"
    "  axes { a : held %z .. %A.0 {tile = 8}  b : held %z .. %B.1 {tile = 8}\n"
    "         c : held %z .. %C.2 {tile = 64} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %a = index {axis = a} : index[a]\n"
    "    %b = index {axis = b} : index[b]\n"
    "    %c = index {axis = c} : index[c]\n"
    "    %x = load x[%a, %b, %c] : f32[a, b, c]\n"
    "    %s = reduce %x {axes = [a, c], kind = sum} : f32[b]\n"
    "    store y[%b], %s\n"
    "    %ac = mul %a, %C.2 : index[a]\n"
    "    %n = add %ac, %c : index[a, c]\n"
    "    %m, %at = reduce %x, %n {axes = [a, c], kind = combiner} : f32[b], index[b] do (%p : f32, "
    "%pi : index, %q : f32, %qi : index) {\n"
    "      %more = cmp %q, %p {cmp = gt} : bool\n"
    "      %same = cmp %q, %p {cmp = eq} : bool\n"
    "      %before = cmp %qi, %pi {cmp = lt} : bool\n"
    "      %tie = and %same, %before : bool\n"
    "      %take = or %more, %tie : bool\n"
    "      %v = select %take, %q, %p : f32\n"
    "      %vi = select %take, %qi, %pi : index\n"
    "      yield %v, %vi\n"
    "    }\n"
    "    %ai = cast %at : i64[b]\n"
    "    store i[%b], %ai\n"
    "    return\n"
    "  }\n"
    "}\n";

static void test_inner_and_outer(void **state)
{
    (void)state;
    struct program p = compile_ir(inner_and_outer);
    for (int64_t A = 1; A <= 8; A += 3)
        for (int64_t C = 1; C <= 64; C += 21) {
            int64_t B = 7;
            fill_random(a, A * B * C);
            uint64_t slots[] = {POINTER(a),    (uint64_t)(B * C), (uint64_t)C, POINTER(out),
                                POINTER(ints), (uint64_t)A,       (uint64_t)B, (uint64_t)C};
            run(&p, slots, 1);
            for (int64_t j = 0; j < B; j++) {
                double sum = 0;
                float top = -INFINITY;
                int64_t at = -1;
                for (int64_t i = 0; i < A; i++)
                    for (int64_t k = 0; k < C; k++) {
                        float v = a[(i * B + j) * C + k];
                        sum += (double)v;
                        if (v > top)
                            top = v, at = i * C + k;
                    }
                near((double)out[j], sum, 1);
                assert_true(ints[j] == at);
            }
        }
    release(&p);
}

/* ---- parts ------------------------------------------------------------------------------------- */

/* Online softmax: one running pair for each part. */
static const char online[] =
    "kernel k {\n"
    "  params { %R.0 : dim  %V.1 : dim }\n"
    "  tensors { x : read f32[%R.0, %V.1]  y : out f32[%R.0]  w : out f32[%R.0, %V.1] }\n"
    "  axes { r : grid %z .. %R.0 {tile = 2}  v : swept %z .. %V.1 {tile = 64}  p : part v "
    "{tile = $} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %zero = const {f = 0} : f32\n"
    "    %low = const {f = -inf} : f32\n"
    "    %r = index {axis = r} : index[r]\n"
    "    %m0 = expand %low {axes = [r, p]} : f32[r, p]\n"
    "    %d0 = expand %zero {axes = [r, p]} : f32[r, p]\n"
    "    %m1, %d1 = sweep %z, %V.1, %m0, %d0 {axis = v} : f32[r, p], f32[r, p] do (%m : f32[r, p], "
    "%d : f32[r, p]) {\n"
    "      %v = index {axis = v} : index[v]\n"
    "      %x = load x[%r, %v] : f32[r, v]\n"
    "      %t = reduce %x {axes = [v], kind = max, to = p} : f32[r, p]\n"
    "      %hi = max %m, %t : f32[r, p]\n"
    "      %none = cmp %hi, %low {cmp = eq} : bool[r, p]\n"
    "      %b = select %none, %zero, %hi : f32[r, p]\n"
    "      %bs = spread %b {axis = v} : f32[r, v]\n"
    "      %xb = sub %x, %bs : f32[r, v]\n"
    "      %e = exp %xb : f32[r, v]\n"
    "      %s = reduce %e {axes = [v], kind = sum, to = p} : f32[r, p]\n"
    "      %mb = sub %m, %b : f32[r, p]\n"
    "      %f = exp %mb : f32[r, p]\n"
    "      %df = mul %d, %f : f32[r, p]\n"
    "      %dn = add %df, %s : f32[r, p]\n"
    "      yield %hi, %dn\n"
    "    }\n"
    "    %top = reduce %m1 {axes = [p], kind = max} : f32[r]\n"
    "    %mt = sub %m1, %top : f32[r, p]\n"
    "    %em = exp %mt : f32[r, p]\n"
    "    %de = mul %d1, %em : f32[r, p]\n"
    "    %sum = reduce %de {axes = [p], kind = sum} : f32[r]\n"
    "    %l = log %sum : f32[r]\n"
    "    %lse = add %top, %l : f32[r]\n"
    "    store y[%r], %lse\n"
    "    sweep %z, %V.1 {axis = v} do {\n"
    "      %v2 = index {axis = v} : index[v]\n"
    "      %x2 = load x[%r, %v2] : f32[r, v]\n"
    "      %xl2 = sub %x2, %lse : f32[r, v]\n"
    "      %e2 = exp %xl2 : f32[r, v]\n"
    "      store w[%r, %v2], %e2\n"
    "      yield\n"
    "    }\n"
    "    return\n"
    "  }\n"
    "}\n";

static void check_online(const struct program *p, int64_t R, int64_t V)
{
    fill_random(a, R * V);
    for (int64_t i = 0; i < R * V; i++)
        a[i] = a[i] * 20 + (float)(i % V) / 10;
    uint64_t slots[] = {POINTER(a),  (uint64_t)V, POINTER(out), POINTER(b),
                        (uint64_t)V, (uint64_t)R, (uint64_t)V};
    run(p, slots, (R + 1) / 2);
    for (int64_t r = 0; r < R; r++) {
        double top = -INFINITY, sum = 0;
        for (int64_t v = 0; v < V; v++)
            top = fmax(top, (double)a[r * V + v]);
        for (int64_t v = 0; v < V; v++)
            sum += exp((double)a[r * V + v] - top);
        double lse = top + log(sum);
        near((double)out[r], lse, 0);
        for (int64_t v = 0; v < V; v++)
            near((double)b[r * V + v], exp((double)a[r * V + v] - lse), 1);
    }
}

static void test_parts(void **state)
{
    (void)state;
    static const int64_t parts[] = {1, 3, 5, 8, 16, 32, 48, 64, 63};
    static const int64_t widths[] = {1, 15, 63, 64, 65, 128, 200, 1000};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct program p = compile_ir(with(online, parts[i]));
        for (size_t j = 0; j < sizeof widths / sizeof *widths; j++)
            check_online(&p, 3, widths[j]);
        release(&p);
    }
}

/* A combiner down to parts: parts that meet nothing are 0. */
static const char part_combiner[] =
    "kernel k {\n"
    "  params { %V.0 : dim }\n"
    "  tensors { x : read f32[%V.0]  y : out f32[%P] }\n"
    "  axes { v : held %z .. %V.0 {tile = 128}  p : part v {tile = $} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %P = const {i = $} : index\n"
    "    %v = index {axis = v} : index[v]\n"
    "    %x = load x[%v] : f32[v]\n"
    "    %t = reduce %x {axes = [v], kind = combiner, to = p} : f32[p] do (%a : f32, %b : f32) {\n"
    "      %c = min %a, %b : f32\n"
    "      yield %c\n"
    "    }\n"
    "    %p = index {axis = p} : index[p]\n"
    "    store y[%p], %t\n"
    "    return\n"
    "  }\n"
    "}\n";

static void test_part_combiner(void **state)
{
    (void)state;
    for (int64_t P = 1; P <= 128; P = P < 4 ? P + 1 : P * 2) {
        struct program p = compile_ir(with(part_combiner, P));
        for (int64_t V = 0; V <= 128; V += 11) {
            fill_random(a, V);
            uint64_t slots[] = {POINTER(a), POINTER(out), (uint64_t)V};
            run(&p, slots, 1);
            for (int64_t j = 0; j < P; j++) {
                float least = j < V ? a[j] : 0;
                for (int64_t v = j; v < V; v += P)
                    least = a[v] < least ? a[v] : least;
                assert_true(out[j] == least);
            }
        }
        release(&p);
    }
}

/* ---- scans ------------------------------------------------------------------------------------- */

static const char scans[] =
    "kernel k {\n"
    "  params { %R.0 : dim  %D.1 : dim }\n"
    "  tensors { x : read i64[%R.0, %D.1]  s : out i64[%R.0, %D.1]  e : out i64[%R.0, %D.1]\n"
    "            d : out i64[%R.0, %D.1]  c : out i64[%R.0, %D.1] }\n"
    "  axes { r : held %z .. %R.0 {tile = 8}  c : held %z .. %D.1 {tile = 256} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %r = index {axis = r} : index[r]\n"
    "    %c = index {axis = c} : index[c]\n"
    "    %x = load x[%r, %c] : i64[r, c]\n"
    "    %s = scan %x {axis = c, kind = sum} : i64[r, c]\n"
    "    store s[%r, %c], %s\n"
    "    %e = scan %x {axis = c, kind = sum, exclusive} : i64[r, c]\n"
    "    store e[%r, %c], %e\n"
    "    %d = scan %x {axis = r, kind = max} : i64[r, c]\n"
    "    store d[%r, %c], %d\n"
    "    %q = scan %x {axis = c, kind = combiner} : i64[r, c] do (%a : i64, %b : i64) {\n"
    "      %m = min %a, %b : i64\n"
    "      yield %m\n"
    "    }\n"
    "    store c[%r, %c], %q\n"
    "    return\n"
    "  }\n"
    "}\n";

static void check_scans(const struct program *p, int64_t R, int64_t D)
{
    static int64_t x[2048], s[2048], e[2048], d[2048], c[2048];
    uint32_t seed = 3;
    for (int64_t i = 0; i < R * D; i++)
        x[i] = (int64_t)(next_random(&seed) % 1000) - 500;
    uint64_t w = (uint64_t)D;
    uint64_t slots[] = {POINTER(x), w, POINTER(s), w, POINTER(e),  w,
                        POINTER(d), w, POINTER(c), w, (uint64_t)R, w};
    run(p, slots, 1);
    for (int64_t r = 0; r < R; r++) {
        int64_t sum = 0, least = INT64_MAX;
        for (int64_t k = 0; k < D; k++) {
            int64_t i = r * D + k, v = x[i], most = v;
            assert_true(e[i] == sum);
            sum += v;
            assert_true(s[i] == sum);
            least = v < least ? v : least;
            assert_true(c[i] == least);
            for (int64_t up = 0; up < r; up++)
                most = x[up * D + k] > most ? x[up * D + k] : most;
            assert_true(d[i] == most);
        }
    }
}

static void test_scans(void **state)
{
    (void)state;
    struct program p = compile_ir(scans);
    for (int64_t D = 0; D <= 256; D += D < 40 ? 3 : 31)
        for (int64_t R = 1; R <= 8; R += 3)
            check_scans(&p, R, D);
    release(&p);
}

/* ---- order of memory --------------------------------------------------------------------------- */

/* Rotates halves in place: reads of both come before writes of both. */
static const char halves[] =
    "kernel k {\n"
    "  params { %S.0 : dim  %E.1 : dim  %P.2 : dim }\n"
    "  tensors { q : mut f32[%S.0, %E.1] }\n"
    "  axes { s : program %z .. %S.0 {tile = 1}  p : held %z .. %P.2 {tile = 64} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %s = index {axis = s} : index\n"
    "    %p = index {axis = p} : index[p]\n"
    "    %re = load q[%s, %p] : f32[p]\n"
    "    %h = add %p, %P.2 : index[p]\n"
    "    %im = load q[%s, %h] : f32[p]\n"
    "    %d = sub %re, %im : f32[p]\n"
    "    %t = add %re, %im : f32[p]\n"
    "    store q[%s, %p], %d\n"
    "    store q[%s, %h], %t\n"
    "    return\n"
    "  }\n"
    "}\n";

static void test_halves(void **state)
{
    (void)state;
    struct program p = compile_ir(halves);
    for (int64_t P = 0; P <= 64; P += 8 + P % 3) {
        fill_random(a, 3 * 2 * P);
        memcpy(b, a, sizeof a);
        uint64_t slots[] = {POINTER(a), (uint64_t)(2 * P), 3, (uint64_t)(2 * P), (uint64_t)P};
        run(&p, slots, 3);
        for (int64_t s = 0; s < 3; s++)
            for (int64_t i = 0; i < P; i++) {
                float re = b[s * 2 * P + i], im = b[s * 2 * P + i + P];
                assert_true(a[s * 2 * P + i] == re - im);
                assert_true(a[s * 2 * P + i + P] == re + im);
            }
    }
    release(&p);
}

/* y[c] = y[c + 1] for all c at once, then a read of what was written: nothing may be fused. */
static const char shift[] = "kernel k {\n"
                            "  params { %D.0 : dim  %E.1 : dim }\n"
                            "  tensors { y : mut f32[%E.1]  o : out f32[%D.0] }\n"
                            "  axes { c : held %z .. %D.0 {tile = 128} }\n"
                            "  body {\n"
                            "    %z = const {i = 0} : index\n"
                            "    %one = const {i = 1} : index\n"
                            "    %c = index {axis = c} : index[c]\n"
                            "    %n = add %c, %one : index[c]\n"
                            "    %x = load y[%n] : f32[c]\n"
                            "    store y[%c], %x\n"
                            "    %first = load y[%z] : f32\n"
                            "    %w = load y[%c] : f32[c]\n"
                            "    %v = sub %w, %first : f32[c]\n"
                            "    store o[%c], %v\n"
                            "    return\n"
                            "  }\n"
                            "}\n";

static void test_shift(void **state)
{
    (void)state;
    struct program p = compile_ir(shift);
    for (int64_t D = 1; D <= 128; D += 7) {
        fill_random(a, D + 1);
        memcpy(b, a, sizeof a);
        uint64_t slots[] = {POINTER(a), POINTER(out), (uint64_t)D, (uint64_t)D + 1};
        run(&p, slots, 1);
        for (int64_t i = 0; i < D; i++) {
            assert_true(a[i] == b[i + 1]);
            assert_true(out[i] == b[i + 1] - b[1]);
        }
    }
    release(&p);
}

/* ---- carried tiles ----------------------------------------------------------------------------- */

/* Sums of rows p, p + P, ...: the accumulator is a tile carried round a run-time loop; a second one
 * takes the first's old value each round. */
static const char persistent[] =
    "kernel k {\n"
    "  params { %R.0 : dim  %D.1 : dim  %P.2 : dim }\n"
    "  tensors { x : read f32[%R.0, %D.1]  part : out f32[%P.2, %D.1]  last : out f32[%P.2, %D.1] "
    "}\n"
    "  axes { p : program %z .. %P.2 {tile = 1}  c : held %z .. %D.1 {tile = 256} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %zero = const {f = 0} : f32\n"
    "    %p = index {axis = p} : index\n"
    "    %c = index {axis = c} : index[c]\n"
    "    %i0 = expand %zero {axes = [c]} : f32[c]\n"
    "    %s, %t = for %p, %R.0, %P.2, %i0, %i0 : f32[c], f32[c] do (%r : index, %acc : f32[c], "
    "%old : f32[c]) {\n"
    "      %x = load x[%r, %c] : f32[c]\n"
    "      %q = mul %x, %x : f32[c]\n"
    "      %rs = reduce %q {axes = [c], kind = sum} : f32\n"
    "      %y = mul %x, %rs : f32[c]\n"
    "      %n = add %acc, %y : f32[c]\n"
    "      yield %n, %acc\n"
    "    }\n"
    "    store part[%p, %c], %s\n"
    "    store last[%p, %c], %t\n"
    "    return\n"
    "  }\n"
    "}\n";

static void test_carried(void **state)
{
    (void)state;
    struct program p = compile_ir(persistent);
    for (int64_t D = 0; D <= 256; D += 37)
        for (int64_t R = 0; R <= 9; R++) {
            int64_t P = 3;
            fill_random(a, R * D);
            uint64_t slots[] = {POINTER(a),  (uint64_t)D, POINTER(out), (uint64_t)D, POINTER(b),
                                (uint64_t)D, (uint64_t)R, (uint64_t)D,  (uint64_t)P};
            run(&p, slots, P);
            for (int64_t q = 0; q < P; q++)
                for (int64_t c = 0; c < D; c++) {
                    double sum = 0, old = 0;
                    for (int64_t r = q; r < R; r += P) {
                        double s = 0;
                        for (int64_t k = 0; k < D; k++)
                            s += (double)a[r * D + k] * (double)a[r * D + k];
                        old = sum;
                        sum += (double)a[r * D + c] * s;
                    }
                    near((double)out[q * D + c], sum, 20);
                    near((double)b[q * D + c], old, 20);
                }
        }
    release(&p);
}

/* Fibonacci in every lane: two carried tiles that swap. */
static const char swapping[] = "kernel k {\n"
                               "  params { %D.0 : dim  %N.1 : scalar i64 }\n"
                               "  tensors { y : out i64[%D.0] }\n"
                               "  axes { c : held %z .. %D.0 {tile = 100} }\n"
                               "  body {\n"
                               "    %z = const {i = 0} : index\n"
                               "    %o = const {i = 0} : i64\n"
                               "    %u = const {i = 1} : i64\n"
                               "    %c = index {axis = c} : index[c]\n"
                               "    %ci = cast %c : i64[c]\n"
                               "    %o1 = expand %u {axes = [c]} : i64[c]\n"
                               "    %f, %g = for %o, %N.1, %u, %ci, %o1 : i64[c], i64[c] do (%i : "
                               "i64, %a : i64[c], %b : i64[c]) {\n"
                               "      %n = add %a, %b : i64[c]\n"
                               "      yield %b, %n\n"
                               "    }\n"
                               "    store y[%c], %f\n"
                               "    return\n"
                               "  }\n"
                               "}\n";

static void test_swapping(void **state)
{
    (void)state;
    struct program p = compile_ir(swapping);
    uint64_t slots[] = {POINTER(ints), 100, 20};
    run(&p, slots, 1);
    for (int64_t c = 0; c < 100; c++) {
        int64_t x = c, y = 1;
        for (int i = 0; i < 20; i++) {
            int64_t n = x + y;
            x = y;
            y = n;
        }
        assert_true(ints[c] == x);
    }
    release(&p);
}

/* A tile over the swept axis itself, held outside the sweep: lanes never visited keep their start. */
static const char lanes[] =
    "kernel k {\n"
    "  params { %V.0 : dim }\n"
    "  tensors { x : read f32[%V.0]  y : out f32[] }\n"
    "  axes { v : swept %z .. %V.0 {tile = 64} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %u = const {f = 1} : f32\n"
    "    %i0 = expand %u {axes = [v]} : f32[v]\n"
    "    %s = sweep %z, %V.0, %i0 {axis = v} : f32[v] do (%acc : f32[v]) {\n"
    "      %v = index {axis = v} : index[v]\n"
    "      %x = load x[%v] : f32[v]\n"
    "      %n = add %acc, %x : f32[v]\n"
    "      %m = merge %n, %acc {axis = v} : f32[v]\n"
    "      yield %m\n"
    "    }\n"
    "    %t = reduce %s {axes = [v], kind = sum} : f32\n"
    "    store y[], %t\n"
    "    return\n"
    "  }\n"
    "}\n";

static void test_lanes(void **state)
{
    (void)state;
    struct program p = compile_ir(lanes);
    for (int64_t V = 0; V <= 300; V += 13) {
        fill_random(a, V);
        uint64_t slots[] = {POINTER(a), POINTER(out), (uint64_t)V};
        run(&p, slots, 1);
        double sum = 64;
        for (int64_t i = 0; i < V; i++)
            sum += (double)a[i];
        near((double)out[0], sum, 1);
    }
    release(&p);
}

/* ---- size -------------------------------------------------------------------------------------- */

/* Chains as long as unrolled loops make them: x = x + x, whose expanded tree no machine could walk. */
static void test_long_chains(void **state)
{
    (void)state;
    enum { STEPS = 3000 };
    size_t room = STEPS * 100 + 2000, n = 0;
    char *text = malloc(room);
    n += (size_t)snprintf(text + n, room - n,
                          "kernel k {\n"
                          "  params { %%D.0 : dim  %%s.1 : scalar i64 }\n"
                          "  tensors { x : read i64[%%D.0]  y : out i64[%%D.0] }\n"
                          "  axes { c : held %%z .. %%D.0 {tile = 64} }\n"
                          "  body {\n"
                          "    %%z = const {i = 0} : index\n"
                          "    %%c = index {axis = c} : index[c]\n"
                          "    %%x0 = load x[%%c] : i64[c]\n"
                          "    %%t0 = load x[%%z] : i64\n");
    for (int i = 0; i < STEPS; i++)
        n += (size_t)snprintf(text + n, room - n,
                              "    %%x%d = sub %%x%d, %%x%d : i64[c]\n"
                              "    %%t%d = sub %%s.1, %%t%d : i64\n",
                              i + 1, i, i ? i - 1 : i, i + 1, i);
    snprintf(text + n, room - n,
             "    %%v = add %%x%d, %%t%d : i64[c]\n"
             "    store y[%%c], %%v\n"
             "    return\n"
             "  }\n"
             "}\n",
             STEPS, STEPS);
    struct program p = compile_ir(text);
    for (int i = 0; i < 50; i++)
        ints[i] = i * 3 - 20;
    uint64_t slots[] = {POINTER(ints), POINTER(more_ints), 50, 9};
    run(&p, slots, 1);
    for (int i = 0; i < 50; i++) {
        uint64_t old = (uint64_t)ints[i], x = old, t = (uint64_t)ints[0];
        for (int k = 0; k < STEPS; k++) {
            uint64_t next = x - (k ? old : x);
            old = x;
            x = next;
            t = 9 - t;
        }
        assert_true((uint64_t)more_ints[i] == x + t);
    }
    free(text);
    release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outer_axis),      cmocka_unit_test(test_both_axes),
        cmocka_unit_test(test_inner_and_outer), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_part_combiner),   cmocka_unit_test(test_scans),
        cmocka_unit_test(test_halves),          cmocka_unit_test(test_shift),
        cmocka_unit_test(test_carried),         cmocka_unit_test(test_swapping),
        cmocka_unit_test(test_lanes),           cmocka_unit_test(test_long_chains),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
