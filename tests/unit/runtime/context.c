/* Contexts, devices by name, buffers: what is refused, and how it is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_kernels.h"

static const ldsl_context_options options = {.sink = {.report = fake_report}, .no_cache = true};

static int reset(void **state)
{
    (void)state;
    fake_reset();
    return 0;
}

static void assert_refused(const char *device, enum ldsl_status status, const char *text)
{
    ldsl_context *ctx;
    fake_reset();
    assert_int_equal(ldsl_context_create(&ctx, device, &options), status);
    assert_null(ctx);
    assert_string_equal(ldsl_last_error(), text);
    assert_string_equal(fake.error, text);
    assert_int_equal(fake.errors, 1);
}

static void devices_that_are_not_there_are_explained(void **state)
{
    (void)state;
    assert_refused("gpu", LDSL_ARGUMENT, "unknown device 'gpu'");
    assert_refused("", LDSL_ARGUMENT, "unknown device ''");
    assert_refused("cuda", LDSL_DEVICE, "device 'cuda' is not there: no driver was found");
    assert_refused("cuda:1", LDSL_DEVICE, "device 'cuda:1' is not there: no driver was found");
    assert_refused("cuda:", LDSL_ARGUMENT, "device 'cuda:' has no valid number after the colon");
    assert_refused("cpu:-1", LDSL_ARGUMENT, "device 'cpu:-1' has no valid number after the colon");
    assert_refused("cpu:99999", LDSL_ARGUMENT,
                   "device 'cpu:99999' has no valid number after the colon");
    assert_refused("cpu:1", LDSL_DEVICE,
                   "device 'cpu:1' is not there: there is 1 of its kind, counted from 0");
    assert_refused("simt", LDSL_UNSUPPORTED, "this build of ldsl has no device 'simt'");
}

static void the_default_is_the_best_there_is(void **state)
{
    (void)state;
    ldsl_context *ctx;
    assert_int_equal(ldsl_context_create(&ctx, NULL, &options), LDSL_OK);
    assert_string_equal(ldsl_context_device(ctx), "cpu");
    assert_int_equal(fake.errors, 0); /* a missing GPU is no error unless it was asked for */
    ldsl_context_destroy(ctx);
}

static void options_are_checked(void **state)
{
    (void)state;
    ldsl_context *ctx;
    ldsl_context_options bad = options;
    bad.round_bias = 2;
    assert_int_equal(ldsl_context_create(&ctx, "cpu", &bad), LDSL_ARGUMENT);
    assert_int_equal(ldsl_context_create(NULL, "cpu", &options), LDSL_ARGUMENT);
}

static void buffers_keep_to_their_size(void **state)
{
    (void)state;
    ldsl_context *ctx;
    ldsl_buffer *buffer;
    char data[16] = "0123456789abcde", back[16] = "";
    assert_int_equal(ldsl_context_create(&ctx, "cpu", &options), LDSL_OK);
    assert_int_equal(ldsl_buffer_create(&buffer, ctx, 16), LDSL_OK);
    assert_int_equal(ldsl_buffer_upload(buffer, 0, data, 16), LDSL_OK);
    assert_int_equal(ldsl_buffer_download(buffer, 10, back, 6), LDSL_OK);
    assert_string_equal(back, "abcde");
    assert_int_equal(ldsl_buffer_upload(buffer, 1, data, 16), LDSL_ARGUMENT);
    assert_string_equal(ldsl_last_error(), "16 bytes at offset 1 do not fit a buffer of 16 bytes");
    assert_int_equal(ldsl_buffer_download(buffer, SIZE_MAX, back, 2), LDSL_ARGUMENT);
    assert_int_equal(ldsl_buffer_upload(buffer, 16, data, 0), LDSL_OK);
    assert_int_equal(ldsl_device_copy(ctx, 0, ldsl_buffer_address(buffer), 4, NULL), LDSL_ARGUMENT);
    ldsl_buffer_destroy(buffer);
    assert_int_equal(ldsl_buffer_create(&buffer, ctx, 0), LDSL_OK);
    assert_int_equal(ldsl_buffer_address(buffer), 0);
    ldsl_buffer_destroy(buffer);
    ldsl_buffer_destroy(NULL);
    ldsl_context_destroy(ctx);
    ldsl_context_destroy(NULL);
}

static void missing_sources_are_told(void **state)
{
    (void)state;
    ldsl_context *ctx;
    ldsl_library *lib;
    assert_int_equal(ldsl_context_create(&ctx, "cpu", &options), LDSL_OK);
    assert_int_equal(ldsl_library_load_file(&lib, ctx, "/nowhere/x.ldsl"), LDSL_DEVICE);
    assert_null(lib);
    assert_string_equal(ldsl_last_error(),
                        "cannot open '/nowhere/x.ldsl': No such file or directory");
    assert_int_equal(ldsl_library_load_file(&lib, ctx, "/"), LDSL_DEVICE);
    assert_int_equal(ldsl_library_load_file(&lib, ctx, NULL), LDSL_ARGUMENT);
    assert_int_equal(ldsl_library_load_text(&lib, ctx, "x", NULL, 0), LDSL_ARGUMENT);
    assert_int_equal(ldsl_library_load_builtin(&lib, ctx), LDSL_UNSUPPORTED);
    assert_int_equal(ldsl_library_load_builtin(&lib, NULL), LDSL_ARGUMENT);
    ldsl_library_destroy(NULL);
    ldsl_context_destroy(ctx);
}

static void *fail_elsewhere(void *user)
{
    ldsl_context *ctx;
    (void)user;
    ldsl_context_create(&ctx, "elsewhere", &options);
    return NULL;
}

static void each_thread_has_its_own_last_error(void **state)
{
    (void)state;
    ldsl_context *ctx;
    pthread_t thread;
    ldsl_context_create(&ctx, "here", &options);
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    pthread_join(thread, NULL);
    assert_string_equal(ldsl_last_error(), "unknown device 'here'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(devices_that_are_not_there_are_explained, reset),
        cmocka_unit_test_setup(the_default_is_the_best_there_is, reset),
        cmocka_unit_test_setup(options_are_checked, reset),
        cmocka_unit_test_setup(buffers_keep_to_their_size, reset),
        cmocka_unit_test_setup(missing_sources_are_told, reset),
        cmocka_unit_test_setup(each_thread_has_its_own_last_error, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
