/* Row kernels against plain loops: widths around the vector and tile sizes, rows around the tile. */
#include "run.h"

#include <math.h>

static const char rms_norm[] =
    "kernel rms {\n"
    "  params { %R.0 : dim  %D.1 : dim  %eps.2 : scalar f32 }\n"
    "  tensors { x : read f32[%R.0, %D.1]  w : read f32[%D.1]\n"
    "            y : out f32[%R.0, %D.1]  s : out f32[%R.0] }\n"
    "  axes { r : grid %z .. %R.0 {tile = 4}  c : held %z .. %D.1 {tile = 1024} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %r = index {axis = r} : index[r]\n"
    "    %c = index {axis = c} : index[c]\n"
    "    %x = load x[%r, %c] : f32[r, c]\n"
    "    %q = mul %x, %x : f32[r, c]\n"
    "    %sum = reduce %q {axes = [c], kind = sum} : f32[r]\n"
    "    %d = cast %D.1 : f32\n"
    "    %m = div %sum, %d : f32[r]\n"
    "    %e = add %m, %eps.2 : f32[r]\n"
    "    %rs = rsqrt %e : f32[r]\n"
    "    store s[%r], %rs\n"
    "    %n = mul %x, %rs : f32[r, c]\n"
    "    %w = load w[%c] : f32[c]\n"
    "    %y = mul %n, %w : f32[r, c]\n"
    "    store y[%r, %c], %y\n"
    "    return\n"
    "  }\n"
    "}\n";

static const int64_t sizes[] = {0, 1, 2, 7, 31, 32, 33, 64, 100, 1023, 1024};
#define SIZES (sizeof sizes / sizeof sizes[0])

static void check_rms(const struct program *p, int64_t R, int64_t D)
{
    uint32_t seed = 1;
    float *x = malloc((size_t)(R * D) * 4 + 4), *y = malloc((size_t)(R * D) * 4 + 4);
    float *w = malloc((size_t)D * 4 + 4), *s = malloc((size_t)R * 4 + 4);
    for (int64_t i = 0; i < R * D; i++)
        x[i] = random_float(&seed), y[i] = NAN;
    for (int64_t i = 0; i < D; i++)
        w[i] = random_float(&seed);
    y[R * D] = 77;
    uint64_t slots[] = {POINTER(x), (uint64_t)D, POINTER(w),  POINTER(y),       (uint64_t)D,
                        POINTER(s), (uint64_t)R, (uint64_t)D, float_slot(1e-5f)};
    run(p, slots, (R + 3) / 4);
    for (int64_t r = 0; r < R; r++) {
        double sum = 0;
        for (int64_t c = 0; c < D; c++)
            sum += (double)x[r * D + c] * x[r * D + c];
        double rs = 1 / sqrt(sum / (double)D + 1e-5);
        if (D)
            assert_true(fabs(s[r] - rs) <= 2e-6 * rs);
        for (int64_t c = 0; c < D; c++)
            assert_true(fabs(y[r * D + c] - x[r * D + c] * rs * w[c]) <= 1e-6 * rs);
    }
    assert_true(y[R * D] == 77);
    free(x), free(y), free(w), free(s);
}

static void test_rms_norm(void **state)
{
    (void)state;
    struct program p = compile_ir(rms_norm);
    for (size_t i = 0; i < SIZES; i++)
        for (int64_t R = 0; R < 10; R++)
            check_rms(&p, R, sizes[i]);
    release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rms_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
