/* Scratch placement: what lives together does not share bytes, what does not may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan.h"

static bool together(const struct rt_scratch *a, const struct rt_scratch *b)
{
    return a->first <= b->last + 1 && b->first <= a->last + 1;
}

static void check(const struct rt_scratch *list, uint32_t count, uint64_t bytes)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct rt_scratch *a = &list[i];
        if (a->first > a->last || !a->bytes)
            continue;
        assert_int_equal(a->offset % 256, 0);
        assert_true(a->offset + a->bytes <= bytes);
        end = a->offset + a->bytes > end ? a->offset + a->bytes : end;
        for (uint32_t k = 0; k < i; k++) {
            const struct rt_scratch *b = &list[k];
            if (b->first > b->last || !b->bytes || !together(a, b))
                continue;
            assert_true(a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset);
        }
    }
    assert_int_equal((end + 255) / 256 * 256, bytes);
}

static uint64_t place(struct rt_scratch *list, uint32_t count)
{
    uint64_t bytes;
    assert_int_equal(rt_workspace_place(list, count, &bytes, NULL), LDSL_OK);
    check(list, count, bytes);
    return bytes;
}

static void test_nothing(void **state)
{
    (void)state;
    struct rt_scratch unused[] = {
        {.bytes = 100, .first = 1, .last = 0},
        {.bytes = 0,   .first = 0, .last = 3}
    };
    assert_int_equal(place(NULL, 0), 0);
    assert_int_equal(place(unused, 2), 0);
}

/* A chain: each tensor is read by the step that writes the next, and that may still run while the one
 * after it writes. Three places are enough. */
static void test_chain(void **state)
{
    (void)state;
    struct rt_scratch list[8] = {0};
    for (uint32_t i = 0; i < 8; i++)
        list[i] = (struct rt_scratch){.bytes = 1000, .first = i, .last = i + 1};
    assert_int_equal(place(list, 8), 3072);
}

/* A small one goes into the hole that a dead one leaves under a living one. */
static void test_hole(void **state)
{
    (void)state;
    struct rt_scratch list[] = {
        {.bytes = 1024, .first = 0, .last = 1},
        {.bytes = 512,  .first = 0, .last = 5},
        {.bytes = 256,  .first = 3, .last = 5},
        {.bytes = 256,  .first = 3, .last = 5},
    };
    assert_int_equal(place(list, 4), 1536);
}

/* All live at once: no byte is wasted beyond alignment. */
static void test_together(void **state)
{
    (void)state;
    struct rt_scratch list[5];
    for (uint32_t i = 0; i < 5; i++)
        list[i] = (struct rt_scratch){.bytes = i * 300 + 1, .first = 0, .last = 9};
    assert_int_equal(place(list, 5), 256 + 512 + 768 + 1024 + 1280);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Many random lives: never an overlap, never more than all of them side by side. */
static void test_random(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (int round = 0; round < 300; round++) {
        struct rt_scratch list[40];
        uint32_t count = next_random(&seed) % 40;
        uint64_t sum = 0;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t first = next_random(&seed) % 30;
            list[i] = (struct rt_scratch){.bytes = next_random(&seed) % 5000,
                                          .first = first,
                                          .last = first + next_random(&seed) % 8};
            sum += (list[i].bytes + 255) / 256 * 256;
        }
        assert_true(place(list, count) <= sum);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),  cmocka_unit_test(test_chain),  cmocka_unit_test(test_hole),
        cmocka_unit_test(test_together), cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
