/* The search: what it asks for, in which order, and what it settles on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "internal.h"

#include <ldsl/tune.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct rt_edition rt_edition = {0};

static const int64_t tiles[] = {1, 2, 4}, warps[] = {2, 4, 8, 16}, holds[] = {0, 32, 64};
static const int64_t many[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

#define LISTED(name_, list_, current_)                                                             \
    {                                                                                              \
        .name = (name_), .values = (list_), .value_count = sizeof(list_) / sizeof *(list_),        \
        .is_listed = true, .is_set = true, .current = (current_)                                   \
    }
#define FREE(name_, list_)                                                                         \
    {                                                                                              \
        .name = (name_), .values = (list_), .value_count = sizeof(list_) / sizeof *(list_)         \
    }

/* A fake device: the time of settings by a function. Writes down what was asked. */
struct fake {
    double (*time)(const char *settings);
    char asked[8192];
    unsigned count;
};

static const char *run(struct fake *f, const ldsl_tunable *tunables, uint32_t count, double *time)
{
    static char best[256];
    ldsl_search *s;
    uint32_t round;
    f->count = 0;
    f->asked[0] = '\0';
    assert_int_equal(ldsl_search_create(&s, tunables, count), LDSL_OK);
    while ((round = ldsl_search_round(s)) > 0) {
        for (uint32_t i = 0; i < round; i++) {
            size_t used = strlen(f->asked);
            snprintf(f->asked + used, sizeof f->asked - used, "%s%s", ldsl_search_settings(s, i),
                     i + 1 == round ? "\n" : " ");
            f->count++;
        }
        for (uint32_t i = round; i-- > 0;) /* in any order */
            ldsl_search_tell(s, i, f->time(ldsl_search_settings(s, i)));
    }
    snprintf(best, sizeof best, "%s", ldsl_search_best(s, time));
    ldsl_search_destroy(s);
    return best;
}

static int64_t value(const char *settings, const char *name, int64_t otherwise)
{
    size_t length = strlen(name);
    for (const char *s = settings; s && *s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL)
        if (strncmp(s, name, length) == 0 && s[length] == '=')
            return strtoll(s + length + 1, NULL, 10);
    return otherwise;
}

/* ---- order ------------------------------------------------------------------------------------- */

static double flat(const char *settings)
{
    (void)settings;
    return 1;
}

/* The current values first, then what differs from them in one place, then in two. */
static void test_small_space_is_walked_whole(void **state)
{
    (void)state;
    struct fake f = {.time = flat};
    const ldsl_tunable t[] = {LISTED("BR", tiles, 2), FREE("hold", holds)};
    const char *best = run(&f, t, 2, NULL);
    assert_string_equal(f.asked, "BR=2\n"
                                 "BR=1 BR=2,hold=0 BR=2,hold=32 BR=2,hold=64 BR=4 "
                                 "BR=1,hold=0 BR=1,hold=32 BR=1,hold=64 "
                                 "BR=4,hold=0 BR=4,hold=32 BR=4,hold=64\n");
    assert_string_equal(best, "BR=2"); /* what is no better does not win */
}

static void test_nothing_to_choose(void **state)
{
    (void)state;
    struct fake f = {.time = flat};
    double time;
    assert_string_equal(run(&f, NULL, 0, &time), "");
    assert_int_equal(f.count, 1);
    assert_true(time == 1);
}

/* 3 x 4 of the first two together, then the rest one by one, until a turn brings nothing. */
static double far_corner(const char *s)
{
    double time = 100;
    time -= value(s, "BR", 0) == 4 && value(s, "num_warps", 0) == 16 ? 20 : 0;
    time -= value(s, "hold", -1) == 64 ? 10 : 0;
    /* Only good once hold is there: found in the second turn. */
    time -= value(s, "hold", -1) == 64 && value(s, "stages", 0) == 9 ? 5 : 0;
    time -= value(s, "stages", 0) == 9 && value(s, "early", 0) == 7 ? 2 : 0;
    return time;
}

static void test_large_space_by_turns(void **state)
{
    (void)state;
    struct fake f = {.time = far_corner};
    const ldsl_tunable t[] = {LISTED("BR", tiles, 1), LISTED("num_warps", warps, 2),
                              FREE("early", many), FREE("stages", many), FREE("hold", holds)};
    double time;
    assert_string_equal(run(&f, t, 5, &time), "BR=4,num_warps=16,early=7,stages=9,hold=64");
    assert_true(time == 63);
    assert_true(f.count < 150); /* of 3 x 4 x 11 x 11 x 4 */
}

static void test_every_point_once(void **state)
{
    (void)state;
    struct fake f = {.time = far_corner};
    const ldsl_tunable t[] = {LISTED("BR", tiles, 1), LISTED("num_warps", warps, 2),
                              FREE("early", many), FREE("stages", many), FREE("hold", holds)};
    run(&f, t, 5, NULL);
    char *rest = f.asked, *seen[256];
    unsigned count = 0;
    for (char *word = strtok_r(rest, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        for (unsigned i = 0; i < count; i++)
            assert_string_not_equal(seen[i], word);
        seen[count++] = word;
    }
    assert_int_equal(count, f.count);
}

/* ---- ties and failures -------------------------------------------------------------------------- */

/* Slightly faster is noise: whoever was asked first stays, on every machine alike. */
static double slightly(const char *s)
{
    return value(s, "BR", 0) == 4 ? 0.995 : value(s, "BR", 0) == 1 ? 1.0 : 1.001;
}

static void test_ties(void **state)
{
    (void)state;
    struct fake f = {.time = slightly};
    const ldsl_tunable t[] = {LISTED("BR", tiles, 2)};
    assert_string_equal(run(&f, t, 1, NULL), "BR=2");
}

static double default_fails(const char *s)
{
    return value(s, "BR", 0) == 2 ? INFINITY : value(s, "BR", 0) == 1 ? -1 : 3;
}

static double all_fail(const char *s)
{
    (void)s;
    return INFINITY;
}

static void test_failures(void **state)
{
    (void)state;
    struct fake f = {.time = default_fails};
    const ldsl_tunable t[] = {LISTED("BR", tiles, 2)};
    double time;
    assert_string_equal(run(&f, t, 1, &time), "BR=4");
    assert_true(time == 3);
    f.time = all_fail;
    assert_string_equal(run(&f, t, 1, &time), "BR=2"); /* where it began */
    assert_true(time == INFINITY);
    assert_int_equal(f.count, 3);
}

static void test_refused(void **state)
{
    (void)state;
    ldsl_search *s = NULL;
    const ldsl_tunable empty = {.name = "BR"};
    assert_int_equal(ldsl_search_create(NULL, NULL, 0), LDSL_ARGUMENT);
    assert_int_equal(ldsl_search_create(&s, NULL, 1), LDSL_ARGUMENT);
    assert_int_equal(ldsl_search_create(&s, &empty, 1), LDSL_ARGUMENT);
    assert_null(s);
    ldsl_search_destroy(NULL);
    assert_null(ldsl_search_settings(NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_space_is_walked_whole),
        cmocka_unit_test(test_nothing_to_choose),
        cmocka_unit_test(test_large_space_by_turns),
        cmocka_unit_test(test_every_point_once),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
