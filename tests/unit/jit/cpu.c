/* The CPU device below its table: workers, copies, the loader. */
#include "cpu/cpu.h"
#include "cpu/loader.h"
#include "cpu/move.h"
#include "cpu/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- pool -------------------------------------------------------------------------------------- */

#define PROGRAMS 5000

struct tally {
    atomic_int done[PROGRAMS];
    size_t scratch;
};

static void count_programs(void *user, int64_t first, int64_t last, void *scratch)
{
    struct tally *t = user;
    memset(scratch, 1, t->scratch);
    for (int64_t i = first; i < last; i++)
        atomic_fetch_add(&t->done[i], 1);
}

static void check_once(struct pool *p, int64_t count, int64_t chunk, size_t scratch)
{
    struct tally *t = calloc(1, sizeof *t);
    t->scratch = scratch;
    pool_run(p, count, chunk, count_programs, t);
    for (int64_t i = 0; i < PROGRAMS; i++)
        assert_int_equal(atomic_load(&t->done[i]), i < count);
    free(t);
}

static void test_each_once(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads <= 4; threads++) {
        struct pool *p = pool_create(threads);
        assert_non_null(p);
        assert_int_equal(pool_threads(p), threads);
        assert_true(pool_reserve(p, 1000));
        check_once(p, 0, 0, 1000);
        check_once(p, 1, 0, 1000);
        check_once(p, PROGRAMS, 0, 1000);
        check_once(p, PROGRAMS - 1, 7, 1000);
        assert_true(pool_reserve(p, 100000));
        check_once(p, PROGRAMS, 100, 100000);
        pool_destroy(p);
    }
    pool_destroy(NULL);
}

static void *launch_many(void *user)
{
    struct pool *p = user;
    for (int i = 0; i < 200; i++)
        check_once(p, 100 + i, 0, 1000);
    return NULL;
}

static void *grow_often(void *user)
{
    for (size_t bytes = 1000; bytes < 200000; bytes += 5000)
        assert_true(pool_reserve(user, bytes));
    return NULL;
}

/* More callers than there are seats, while scratch grows. */
static void test_many_callers(void **state)
{
    (void)state;
    struct pool *p = pool_create(3);
    pthread_t callers[12], grower;
    assert_true(pool_reserve(p, 1000));
    for (int i = 0; i < 12; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, launch_many, p), 0);
    assert_int_equal(pthread_create(&grower, NULL, grow_often, p), 0);
    for (int i = 0; i < 12; i++)
        pthread_join(callers[i], NULL);
    pthread_join(grower, NULL);
    pool_destroy(p);
}

struct growth {
    struct pool *pool;
    size_t bytes;
    pthread_t thread;
};

static void *grow_and_use(void *user)
{
    struct growth *g = user;
    assert_true(pool_reserve(g->pool, g->bytes));
    check_once(g->pool, 40, 1, g->bytes); /* as much as was asked for is there */
    return NULL;
}

/* One that waits for another to grow the scratch does not shrink it. */
static void test_growers_together(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct growth growths[3] = {{.bytes = 1 << 16}, {.bytes = 1 << 12}, {.bytes = 1 << 14}};
        struct pool *p = pool_create(2);
        for (int i = 0; i < 3; i++) {
            growths[i].pool = p;
            assert_int_equal(pthread_create(&growths[i].thread, NULL, grow_and_use, &growths[i]),
                             0);
        }
        for (int i = 0; i < 3; i++)
            pthread_join(growths[i].thread, NULL);
        check_once(p, 40, 1, 1 << 16);
        pool_destroy(p);
    }
}

/* ---- copies ------------------------------------------------------------------------------------ */

static void test_move(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 63, 4097, 300000, 9000001};
    struct pool *p = pool_create(2);
    size_t most = 9000001 + 64;
    unsigned char *from = malloc(most), *to = malloc(most);
    for (size_t i = 0; i < most; i++)
        from[i] = (unsigned char)(i * 31 + (i >> 8));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t shift = 0; shift < 20; shift += 19) {
            size_t n = sizes[i];
            memset(to, 0xee, most);
            move_copy(p, to + shift, from + 3, n);
            assert_memory_equal(to + shift, from + 3, n);
            assert_int_equal(to[shift + n], 0xee);
            move_zero(p, to + shift, n);
            for (size_t k = 0; k < n; k += 1 + n / 1000)
                assert_int_equal(to[shift + k], 0);
            assert_int_equal(to[shift + n], 0xee);
            assert_true(!shift || to[shift - 1] == 0xee);
        }
    free(from), free(to);
    pool_destroy(p);
}

/* ---- loader ------------------------------------------------------------------------------------ */

static void count_errors(void *user, const struct ldsl_diag *d)
{
    (void)d;
    ++*(int *)user;
}

static void test_damaged_image(void **state)
{
    (void)state;
    int errors = 0;
    struct ldsl_sink sink = {count_errors, &errors};
    struct loader *l;
    struct loaded *image = NULL;
    uint64_t address;
    assert_int_equal(loader_create(&l, &sink), LDSL_OK);
    static const char junk[256] = "\177ELF not really";
    enum ldsl_status status = loader_load(l, &image, junk, sizeof junk);
    if (!status)
        status = loader_find(l, image, "entry", &address);
    assert_int_equal(status, LDSL_DEVICE);
    assert_int_equal(errors, 1);
    loader_unload(l, image);
    loader_destroy(l);
}

static void test_device(void **state)
{
    (void)state;
    int errors = 0;
    struct ldsl_sink sink = {count_errors, &errors};
    struct rt_device_options options = {.threads = 3, .sink = &sink};
    struct rt_device_info info;
    void *device;
    uint64_t address;
    assert_int_equal(rt_cpu.open(&device, &options), LDSL_OK);
    rt_cpu.describe(device, &info);
    assert_int_equal(info.sm_count, 3);
    assert_string_equal(info.target, "cpu:native");
    assert_true(info.identity[0] && info.description[0]);
    assert_int_equal(rt_cpu.alloc(device, &address, 1000), LDSL_OK);
    assert_int_equal(address % 256, 0);
    rt_cpu.free(device, address);
    rt_cpu.close(device);
    options.number = 1;
    assert_int_equal(rt_cpu.open(&device, &options), LDSL_ARGUMENT);
    assert_int_equal(errors, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_once),        cmocka_unit_test(test_many_callers),
        cmocka_unit_test(test_growers_together), cmocka_unit_test(test_move),
        cmocka_unit_test(test_damaged_image),    cmocka_unit_test(test_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
