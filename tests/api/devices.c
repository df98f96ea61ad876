/* Several devices in one process: a context each for the CPU, the emulator, and every GPU there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "support/scaled_twice.h"
#include <cmocka.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { DEVICES = 10, ROUNDS = 8, ROWS = 65, WIDTH = 300, ELEMENTS = ROWS * WIDTH };

struct device {
    char name[16];
    ldsl_context *ctx;
    ldsl_library *lib;
    ldsl_plan *plan;
    ldsl_buffer *x, *y, *workspace;
    float factor, start; /* every device has its own, so that mixing them up shows */
    const char *failed;
    pthread_t thread;
};

static struct device devices[DEVICES];
static int device_count;

static const char *upload(struct device *d, int round)
{
    float values[ELEMENTS];
    for (int i = 0; i < ELEMENTS; i++)
        values[i] = d->start + (float)(i + round);
    return ldsl_buffer_upload(d->x, 0, values, sizeof values) ? "upload failed" : NULL;
}

static const char *launch(struct device *d)
{
    const uint64_t pointers[] = {ldsl_buffer_address(d->x), ldsl_buffer_address(d->y)};
    return ldsl_plan_launch(d->plan, pointers, 2, ldsl_buffer_address(d->workspace), NULL)
               ? "launch failed"
               : NULL;
}

static const char *check(struct device *d, int round)
{
    float values[ELEMENTS];
    if (ldsl_buffer_download(d->y, 0, values, sizeof values))
        return "download failed";
    for (int i = 0; i < ELEMENTS; i++)
        if (values[i] != (d->start + (float)(i + round)) * d->factor * d->factor)
            return "wrong values";
    return NULL;
}

static void prepare(struct device *d)
{
    const size_t bytes = ELEMENTS * sizeof(float);
    assert_int_equal(
        ldsl_library_load_text(&d->lib, d->ctx, "f.ldsl", scaled_twice, strlen(scaled_twice)),
        LDSL_OK);
    assert_int_equal(prepare_scaled_twice(&d->plan, d->lib, ROWS, WIDTH, (double)d->factor),
                     LDSL_OK);
    assert_int_equal(ldsl_buffer_create(&d->x, d->ctx, bytes), LDSL_OK);
    assert_int_equal(ldsl_buffer_create(&d->y, d->ctx, bytes), LDSL_OK);
    assert_int_equal(ldsl_buffer_create(&d->workspace, d->ctx, ldsl_plan_workspace_bytes(d->plan)),
                     LDSL_OK);
}

/* False: there is no such device. */
static bool open_device(const char *name)
{
    if (device_count == DEVICES)
        return false;
    struct device *d = &devices[device_count];
    *d = (struct device){.factor = (float)(2 + device_count), .start = (float)(100 * device_count)};
    snprintf(d->name, sizeof d->name, "%s", name);
    if (ldsl_context_create(&d->ctx, name, NULL))
        return false;
    prepare(d);
    device_count++;
    return true;
}

static int open_all(void **state)
{
    (void)state;
    assert_true(open_device("cpu"));
    assert_true(open_device("simt"));
    assert_true(open_device("cpu")); /* another context on the same device */
    char name[16] = "cuda:0";
    for (int gpu = 1; open_device(name); gpu++)
        snprintf(name, sizeof name, "cuda:%d", gpu);
    for (int i = 0; i < device_count; i++)
        print_message("%s\n", devices[i].name);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    for (int i = 0; i < device_count; i++) {
        struct device *d = &devices[i];
        ldsl_buffer_destroy(d->x);
        ldsl_buffer_destroy(d->y);
        ldsl_buffer_destroy(d->workspace);
        ldsl_plan_destroy(d->plan);
        ldsl_library_destroy(d->lib);
        ldsl_context_destroy(d->ctx);
    }
    return 0;
}

static void one_thread_uses_all_in_turn(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < device_count; i++)
            assert_null(upload(&devices[i], round));
        for (int i = 0; i < device_count; i++)
            assert_null(launch(&devices[i])); /* nobody waits for anybody */
        for (int i = device_count; i-- > 0;)
            assert_null(check(&devices[i], round));
    }
}

static void *use(void *user)
{
    struct device *d = user;
    for (int round = 0; !d->failed && round < ROUNDS; round++) {
        d->failed = upload(d, round);
        if (!d->failed)
            d->failed = launch(d);
        if (!d->failed)
            d->failed = check(d, round);
    }
    return NULL;
}

static void each_has_a_thread_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < device_count; i++)
        assert_int_equal(pthread_create(&devices[i].thread, NULL, use, &devices[i]), 0);
    for (int i = 0; i < device_count; i++)
        pthread_join(devices[i].thread, NULL);
    for (int i = 0; i < device_count; i++)
        if (devices[i].failed)
            fail_msg("%s: %s", devices[i].name, devices[i].failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_uses_all_in_turn),
        cmocka_unit_test(each_has_a_thread_of_its_own),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
