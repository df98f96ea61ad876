/* Rows whose first element, to which squares are taken relative, lies as badly as can be. */
#include "support/call.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>

enum { ROWS = 6, MOST = 70000 }; /* held rows, and rows that are swept */

static float x[ROWS * MOST], y[ROWS * MOST];
static float mean[ROWS], rstd[ROWS];

static void make_rows(int columns)
{
    fill_uniform(x, (size_t)ROWS * (size_t)columns, -1, 1, 3);
    for (int c = 0; c < columns; c++) {
        x[columns + c] += 1000; /* 1: far from 0, close to each other */
        x[2 * columns + c] = 5; /* 2: all alike */
        x[4 * columns + c] = c == 0 ? 1 : 1e-3F * x[4 * columns + c];
    }
    x[0] = 1e5F;           /* 0: far from all others */
    x[3 * columns] = 3.5F; /* 3: a little beyond where squares are summed again */
    x[5 * columns] = 1.6F; /* 5: not quite so far */
}

/* Of row r, in f64. */
static void check_row(int r, int columns)
{
    const float *row = x + (size_t)r * (size_t)columns, *out = y + (size_t)r * (size_t)columns;
    double m = 0, size = 0, squares = 0, wrong = 0, norm = 0;
    for (int c = 0; c < columns; c++) {
        m += row[c];
        size += fabs(row[c]);
    }
    m /= columns;
    size /= columns;
    for (int c = 0; c < columns; c++)
        squares += (row[c] - m) * (row[c] - m);
    double k = 1 / sqrt(squares / columns + (double)1e-6F);
    for (int c = 0; c < columns; c++) {
        double expected = (row[c] - (double)mean[r]) * k; /* rounded, as far as row 1 is from 0 */
        wrong += (out[c] - expected) * (out[c] - expected);
        norm += expected * expected;
    }
    /* wherever the first element lies; in row 0 all are added to one that is large */
    assert_true(fabs(mean[r] - m) <= (r == 0 ? 1e-6 * fabs(m) : ldexp(size, -22)));
    assert_true(fabs(rstd[r] / k - 1) <= 1e-5);
    assert_true(sqrt(wrong) <= 1e-5 * (norm > 0 ? sqrt(norm) : 1));
}

static void badly_placed_first_elements(void **state)
{
    static const int widths[] = {1, 8, 100, 2048, 16384, MOST};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        make_rows(widths[i]);
        struct op_call call = op_call("layer_norm");
        op_tensor(&call, "x", LDSL_F32, x, 2, ROWS, widths[i]);
        op_absent(&call, "w");
        op_absent(&call, "b");
        op_tensor(&call, "y", LDSL_F32, y, 2, ROWS, widths[i]);
        op_tensor(&call, "mean", LDSL_F32, mean, 1, ROWS);
        op_tensor(&call, "rstd", LDSL_F32, rstd, 1, ROWS);
        op_run(*state, &call);
        for (int r = 0; r < ROWS; r++)
            check_row(r, widths[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(badly_placed_first_elements)};
    return cmocka_run_group_tests(tests, bench_create, bench_destroy);
}
