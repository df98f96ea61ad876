/* Elements that change threads in the GPU lowering: extract, relabel. */
#include "both.h"

/* ---- extract ----------------------------------------------------------------------------------- */

/* j: the lines that make %j, an index. */
static void check_extract(const struct type *t, const char *j, const struct config *c)
{
    char lines[512];
    snprintf(lines, sizeof lines, "%s    %%y = extract %%x, %%j {axis = c} : %s[r]\n", j, t->name);
    check_body(&(struct body){t, t, OVER_R, .lines = lines}, c);
}

static const char *const numbers[] = {
    "    %j = const {i = 0} : index\n",
    "    %one = const {i = 1} : index\n    %j = sub %D, %one : index\n",
    "    %two = const {i = 2} : index\n    %j = div %D, %two : index\n",
    "    %far = const {i = 100000} : index\n    %j = sub %z, %far : index\n", /* as 0 */
};

static void test_extract(void **state)
{
    (void)state;
    static const struct type *const types[] = {&f32, &i64, &bf16, &f64, &u8};
    for (size_t i = 0; i < 2 * CONFIGS; i++)
        check_extract(types[i % 5], numbers[i % 4], &configs[i % CONFIGS]);
}

/* Which element depends on the round: the holder changes, the memory is used again. */
static const char rounds[] =
    "    %one = const {i = 1} : index\n"
    "    %zero = const {i = 0} : i32\n"
    "    %start = expand %zero {axes = [r]} : i32[r]\n"
    "    %y = for %z, %D, %one, %start : i32[r] do (%i : index, %a : i32[r]) {\n"
    "      %e = extract %x, %i {axis = c} : i32[r]\n"
    "      %k = cast %i : i32\n"
    "      %w = mul %e, %k : i32[r]\n"
    "      %n = add %a, %w : i32[r]\n"
    "      yield %n\n"
    "    }\n";

static void test_extract_in_loop(void **state)
{
    (void)state;
    static const struct config small[] = {
        {1, 1, 1, 64  },
        {3, 1, 2, 96  },
        {4, 1, 1, 1024}
    };
    for (size_t i = 0; i < 3; i++)
        check_body(&(struct body){&i32, &i32, OVER_R, .lines = rounds}, &small[i]);
}

/* ---- relabel ----------------------------------------------------------------------------------- */

/* y[r, c, d] = x[r, d] - x[r, c]: x is held along c and along d. */
static void make_differences(char *text, const struct type *t, const struct config *c, bool aligned)
{
    const char *fact = aligned ? " {align = 16, packed}" : "";
    snprintf(text, TEXT_BYTES,
             "kernel k {\n"
             "  params { %%R : dim  %%N : dim {multiple = %d} }\n"
             "  tensors { x : read %s[%%R, %%N]%s  y : out %s[%%R, %%N, %%N]%s }\n"
             "  axes {\n"
             "    r : grid %%z .. %%R {tile = %d}\n"
             "    c : held %%z .. %%N {tile = %d}\n"
             "    d : held %%z .. %%N {tile = %d}\n"
             "  }\n"
             "  settings { num_warps = %d  cluster = %d }\n"
             "  body {\n"
             "    %%z = const {i = 0} : index\n"
             "    %%r = index {axis = r} : index[r]\n"
             "    %%c = index {axis = c} : index[c]\n"
             "    %%d = index {axis = d} : index[d]\n"
             "    %%a = load x[%%r, %%c] : %s[r, c]\n"
             "    %%b = relabel %%a {axis = c, to = d} : %s[r, d]\n"
             "    %%y = sub %%b, %%a : %s[r, c, d]\n"
             "    store y[%%r, %%c, %%d], %%y\n"
             "    return\n"
             "  }\n"
             "}\n",
             aligned ? 16 : 1, t->name, fact, t->name, fact, c->rows, c->tile, c->tile, c->warps,
             c->cluster, t->name, t->name, t->name);
}

static void check_differences(const struct type *t, const struct ready *gpu, const struct config *c,
                              int64_t R, int64_t N, const char *text)
{
    struct matrix m = new_matrix(t, R, N);
    size_t count = (size_t)(R * N * N);
    char *y = calloc(count, t->bytes);
    uint64_t n = (uint64_t)N, x_at = put(gpu->on, m.x, (size_t)(R * N) * t->bytes);
    uint64_t y_at = put(gpu->on, y, count * t->bytes);
    uint64_t slots[] = {x_at, n, y_at, n * n, n, (uint64_t)R, n};
    launch(gpu, slots, (R + c->rows - 1) / c->rows, text);
    take(gpu->on, x_at, NULL, 0);
    take(gpu->on, y_at, y, count * t->bytes);
    for (size_t i = 0; i < count; i++) {
        size_t r = i / (size_t)(N * N), a = i / (size_t)N % (size_t)N, b = i % (size_t)N;
        double from = read_element(t, m.x + (r * (size_t)N + a) * t->bytes);
        double to = read_element(t, m.x + (r * (size_t)N + b) * t->bytes);
        double got = read_element(t, y + i * t->bytes);
        if (!(fabs(got - (to - from)) <= t->error * 2))
            fail_msg("y[%d, %d, %d] is %g, not %g - %g\n%s", (int)r, (int)a, (int)b, got, to, from,
                     text);
    }
    free(y), free(m.x);
}

static void test_differences(void **state)
{
    (void)state;
    static const struct config small[] = {
        {1, 1, 1, 16},
        {1, 1, 1, 32},
        {4, 1, 1, 32},
        {2, 1, 2, 16},
        {3, 1, 1, 24},
        {2, 2, 1, 32},
    };
    static const struct type *const types[] = {&f32, &f64, &bf16, &i32};
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        char text[TEXT_BYTES];
        bool aligned = i % 2 == 0;
        make_differences(text, types[i % 4], &small[i], aligned);
        struct ready gpu = get_ready(&on_gpu, text);
        check_differences(types[i % 4], &gpu, &small[i], 3, small[i].tile, text);
        if (!aligned)
            check_differences(types[i % 4], &gpu, &small[i], 2, small[i].tile / 2 + 1, text);
        release(&gpu);
    }
}

/* y = x, or x transposed: what is read along c in vectors is written along d. */
static void make_copy(char *text, const struct type *t, const struct config *c, bool transposed)
{
    snprintf(text, TEXT_BYTES,
             "kernel k {\n"
             "  params { %%R : dim  %%N : dim {multiple = 16} }\n"
             "  tensors { x : read %s[%%R, %%N] {align = 16, packed}  y : out %s[%s] }\n"
             "  axes {\n"
             "    r : grid %%z .. %%R {tile = %d}\n"
             "    c : held %%z .. %%N {tile = %d}\n"
             "    d : held %%z .. %%N {tile = %d}\n"
             "  }\n"
             "  settings { num_warps = %d  cluster = %d }\n"
             "  body {\n"
             "    %%z = const {i = 0} : index\n"
             "    %%r = index {axis = r} : index[r]\n"
             "    %%c = index {axis = c} : index[c]\n"
             "    %%d = index {axis = d} : index[d]\n"
             "    %%a = load x[%%r, %%c] : %s[r, c]\n"
             "    %%y = relabel %%a {axis = c, to = d} : %s[r, d]\n"
             "    store y[%s], %%y\n"
             "    return\n"
             "  }\n"
             "}\n",
             t->name, t->name, transposed ? "%N, %R" : "%R, %N", c->rows, c->tile, c->tile,
             c->warps, c->cluster, t->name, t->name, transposed ? "%d, %r" : "%r, %d");
}

static void check_copy(const struct type *t, const struct config *c, bool transposed)
{
    char text[TEXT_BYTES];
    make_copy(text, t, c, transposed);
    struct ready gpu = get_ready(&on_gpu, text);
    size_t R = (size_t)c->rows + 1, N = (size_t)c->tile;
    struct matrix m = new_matrix(t, (int64_t)R, (int64_t)N);
    char *y = calloc(R * N, t->bytes);
    uint64_t x_at = put(&on_gpu, m.x, R * N * t->bytes), y_at = put(&on_gpu, y, R * N * t->bytes);
    uint64_t slots[] = {x_at, N, y_at, transposed ? R : N, R, N};
    launch(&gpu, slots, 2, text);
    take(&on_gpu, x_at, NULL, 0);
    take(&on_gpu, y_at, y, R * N * t->bytes);
    for (size_t i = 0; i < R * N; i++) {
        size_t at = transposed ? i % N * R + i / N : i;
        if (memcmp(y + at * t->bytes, m.x + i * t->bytes, t->bytes) != 0)
            fail_msg("x[%d, %d] is elsewhere\n%s", (int)(i / N), (int)(i % N), text);
    }
    release(&gpu);
    free(y), free(m.x);
}

/* Through other registers, shuffles (two elements of a vector go to two lanes), shared memory. */
static void test_copies(void **state)
{
    (void)state;
    static const struct config some[] = {
        {1, 1, 1, 128 },
        {4, 1, 1, 1024},
        {2, 1, 4, 256 },
        {5, 1, 1, 640 },
        {4, 2, 1, 2048},
    };
    static const struct type *const types[] = {&f64, &f32, &bf16, &i64};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
        for (size_t t = 0; t < 4; t++)
            check_copy(types[t], &some[i], (i + t) % 4 != 3);
}

/* Rows of 72 bytes, 80 apart: they are aligned for vectors of 16 elements, but the last vector has 8.
 * What lies between the rows stays as it is. */
static void test_rows_of_72(void **state)
{
    enum { ROWS = 3, LENGTH = 72, PITCH = 80 };
    static const char text[] = "kernel k {\n"
                               "  params { %R : dim  %N : dim {multiple = 72} }\n"
                               "  tensors { x : read i8[%R, %N] {align = 16}\n"
                               "            y : out i8[%R, %N] {align = 16} }\n"
                               "  axes {\n"
                               "    r : program %z .. %R {tile = 1}\n"
                               "    c : held %z .. %N {tile = 128}\n"
                               "  }\n"
                               "  body {\n"
                               "    %z = const {i = 0} : index\n"
                               "    %r = index {axis = r} : index\n"
                               "    %c = index {axis = c} : index[c]\n"
                               "    %a = load x[%r, %c] : i8[c]\n"
                               "    store y[%r, %c], %a\n"
                               "    return\n"
                               "  }\n"
                               "}\n";
    (void)state;
    char x[ROWS * PITCH], y[ROWS * PITCH];
    for (size_t i = 0; i < sizeof x; i++)
        x[i] = (char)(i % 100), y[i] = -1;
    struct ready gpu = get_ready(&on_gpu, text);
    uint64_t x_at = put(&on_gpu, x, sizeof x), y_at = put(&on_gpu, y, sizeof y);
    uint64_t slots[] = {x_at, PITCH, y_at, PITCH, ROWS, LENGTH};
    launch(&gpu, slots, ROWS, text);
    take(&on_gpu, x_at, NULL, 0);
    take(&on_gpu, y_at, y, sizeof y);
    for (size_t i = 0; i < sizeof y; i++)
        assert_int_equal(y[i], i % PITCH < LENGTH ? x[i] : -1);
    release(&gpu);
}

int main(int argc, char **argv)
{
    choose_gpu(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extract),     cmocka_unit_test(test_extract_in_loop),
        cmocka_unit_test(test_differences), cmocka_unit_test(test_copies),
        cmocka_unit_test(test_rows_of_72),
    };
    return cmocka_run_group_tests(tests, open_both, close_both);
}
