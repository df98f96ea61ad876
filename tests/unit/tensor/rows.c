/* Which rows of a large tensor are looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>

#include "rows.h"

static bool has(const int64_t *rows, uint32_t count, int64_t row)
{
    for (uint32_t i = 0; i < count; i++)
        if (rows[i] == row)
            return true;
    return false;
}

static void check(uint32_t found, const int64_t *rows, int64_t count)
{
    assert_in_range(found, 1, ROWS_MOST);
    assert_true(has(rows, found, 0) && has(rows, found, count - 1));
    for (uint32_t i = 1; i < found; i++)
        assert_true(rows[i - 1] < rows[i]);
    assert_true(rows[found - 1] < count);
}

static void few_rows_are_all_taken(void **state)
{
    int64_t rows[ROWS_MOST];
    (void)state;
    for (int64_t count = 1; count <= 8; count++)
        assert_int_equal(rows_choose(rows, count, 1 << 24, 1 << 24), count);
    assert_int_equal(rows_choose(rows, 0, 4096, 4096), 0);
}

static void ends_and_borders_are_among_many(void **state)
{
    static const struct {
        int64_t count, width;
    } sizes[] = {
        {8192,   4096   },
        {9,      4096   },
        {65537,  65541  },
        {524289, 8192   },
        {4096,   128256 },
        {16,     1 << 28}
    };
    int64_t rows[ROWS_MOST];
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint32_t found = rows_choose(rows, sizes[i].count, sizes[i].width, sizes[i].width);
        check(found, rows, sizes[i].count);
        for (int bits = 31; bits <= 32; bits++) {
            int64_t row = ((int64_t)1 << bits) / sizes[i].width;
            assert_true(row >= sizes[i].count || has(rows, found, row));
        }
    }
    assert_int_equal(rows_choose(rows, 8192, 4096, 4096), 256);
    assert_int_equal(rows_choose(rows, 8192, 0, 0), 256);
}

/* Element 2^31 of [4, 100000, 8192], rows counted by the second dim: 62144 of the third. */
static void borders_are_found_in_inner_dims(void **state)
{
    int64_t rows[ROWS_MOST];
    (void)state;
    uint32_t found = rows_choose(rows, 100000, 4 * 8192, 8192);
    check(found, rows, 100000);
    assert_true(has(rows, found, 62144) && has(rows, found, 62143));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_rows_are_all_taken),
        cmocka_unit_test(ends_and_borders_are_among_many),
        cmocka_unit_test(borders_are_found_in_inner_dims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
