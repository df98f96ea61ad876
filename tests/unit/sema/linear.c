/* The prover: what it shows, what it must not show. */
#include "sema/linear.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { p, P, E, q, n };

struct world {
    struct arena arena;
    struct unwind unwind;
    struct linear_facts facts, none;
};

static void begin(struct world *w)
{
    memset(w, 0, sizeof *w);
    arena_init(&w->arena, &w->unwind);
    w->facts.arena = w->none.arena = &w->arena;
}

/* constant + a * x + b * y */
static struct linear form(int64_t constant, int64_t a, uint32_t x, int64_t b, uint32_t y)
{
    struct linear f = linear_constant(constant), sx = linear_symbol(x), sy = linear_symbol(y);
    f = linear_add(&f, &sx, a);
    return linear_add(&f, &sy, b);
}

static void fact(struct world *w, struct linear f)
{
    facts_add(&w->facts, &f);
}

static bool shows(struct world *w, struct linear f)
{
    return facts_show(&w->facts, &w->none, &f);
}

static void test_sums(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    fact(&w, form(-1, 1, P, -1, p)); /* p < P */
    fact(&w, form(0, 1, E, -2, P));  /* E == 2 P */
    fact(&w, form(0, -1, E, 2, P));
    struct linear goal = form(-1, 1, E, -1, p), half = linear_symbol(P);
    goal = linear_add(&goal, &half, -1); /* p + P < E */
    assert_true(shows(&w, goal));
    goal.constant -= 1; /* p + P + 1 < E need not hold */
    assert_false(shows(&w, goal));
    arena_destroy(&w.arena);
}

/* 64 q <= n <= 64 q + 63 and n < 64 p: q < p needs the rounding of integers. */
static void test_integers(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    fact(&w, form(0, 1, n, -64, q));
    fact(&w, form(63, 64, q, -1, n));
    fact(&w, form(-1, 64, p, -1, n));
    assert_true(shows(&w, form(-1, 1, p, -1, q)));
    assert_false(shows(&w, form(-2, 1, p, -1, q)));
    arena_destroy(&w.arena);
}

static void test_nothing_known(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    assert_false(shows(&w, linear_symbol(p)));
    assert_true(shows(&w, linear_constant(0)));
    assert_false(shows(&w, linear_constant(-1)));
    fact(&w, linear_constant(-1)); /* in a branch that is never taken all follows */
    assert_true(shows(&w, linear_symbol(p)));
    arena_destroy(&w.arena);
}

/* What would overflow is no form, and proves nothing. */
static void test_overflow(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    struct linear big = linear_constant(INT64_MAX), x = linear_symbol(p);
    assert_false(big.valid);
    assert_false(linear_scale(&x, INT64_MAX).valid);
    assert_false(linear_scale(&x, INT64_MIN).valid);
    x = linear_scale(&x, 1 << 20);
    assert_false(linear_scale(&x, 1 << 20).valid);
    fact(&w, big);
    assert_false(shows(&w, linear_symbol(p)));
    arena_destroy(&w.arena);
}

/* Many facts over many symbols: an answer, in reasonable time. */
static void test_limits(void **state)
{
    struct world w;
    (void)state;
    begin(&w);
    for (uint32_t i = 0; i < 40; i++)
        for (uint32_t j = 0; j < i; j++)
            fact(&w, form((int64_t)i * 7 - j, 3 + i, i, -5 - (int64_t)j, j));
    assert_false(shows(&w, form(-1000, -1, 0, 1, 39)));
    arena_destroy(&w.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),          cmocka_unit_test(test_integers),
        cmocka_unit_test(test_nothing_known), cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
