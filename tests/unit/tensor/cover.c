/* Pairwise covering and dim expressions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cover.h"
#include "expr.h"

static bool has_pair(const struct cover *c, unsigned f, unsigned a, unsigned g, unsigned b)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->rows[i * c->factors + f] == a && c->rows[i * c->factors + g] == b)
            return true;
    return false;
}

static void every_pair_meets(void **state)
{
    (void)state;
    const uint8_t levels[] = {12, 3, 3, 2, 2, 2, 4, 2, 6};
    enum { FACTORS = sizeof levels };
    struct cover c;
    assert_true(cover_create(&c, levels, FACTORS, 0));
    for (unsigned f = 0; f < FACTORS; f++)
        for (unsigned g = f + 1; g < FACTORS; g++)
            for (unsigned a = 0; a < levels[f]; a++)
                for (unsigned b = 0; b < levels[g]; b++)
                    assert_true(has_pair(&c, f, a, g, b));
    assert_in_range(c.count, 12 * 6, 100); /* the largest pair, and not much more */
    cover_destroy(&c);
}

static void few_combinations_are_all_made(void **state)
{
    (void)state;
    const uint8_t levels[] = {2, 3, 2};
    struct cover c;
    assert_true(cover_create(&c, levels, 3, 12));
    assert_int_equal(c.count, 12);
    for (size_t i = 0; i < c.count; i++)
        for (size_t k = i + 1; k < c.count; k++)
            assert_memory_not_equal(c.rows + 3 * i, c.rows + 3 * k, 3);
    cover_destroy(&c);
    assert_true(cover_create(&c, levels, 0, 12)); /* nothing to choose: one case */
    assert_int_equal(c.count, 1);
    cover_destroy(&c);
}

static bool find(const void *user, const char *name, double *value)
{
    (void)user;
    *value = strcmp(name, "P") == 0 ? 64 : 7;
    return strcmp(name, "P") == 0 || strcmp(name, "R_1") == 0;
}

static void dims_are_evaluated(void **state)
{
    (void)state;
    const struct expr_names names = {.find = find};
    const struct {
        const char *text;
        int64_t value; /* -1: refused */
    } rows[] = {
        {"P",             64 },
        {"2 * P",         128},
        {"2*P+R_1",       135},
        {"(P + 1) / 2",   32 },
        {"P % 10",        4  },
        {"min(P, 9)",     9  },
        {"cdiv(P, 7)",    10 },
        {"P - 65",        -1 },
        {"Q",             -1 },
        {"2 *",           -1 },
        {"P P",           -1 },
        {"1 / 0",         -1 },
        {"",              -1 },
        {"0.5",           -1 },
        {"-(-3)",         3  },
        {"max(P, 2 * P)", 128},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t value;
        bool good = expr_dim(&value, rows[i].text, &names);
        assert_int_equal(good ? value : -1, rows[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_meets),
        cmocka_unit_test(few_combinations_are_all_made),
        cmocka_unit_test(dims_are_evaluated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
