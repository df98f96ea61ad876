/* Threads: preparing at the same time on one context, and launching one plan from several threads with
 * buffers and workspaces of their own. Run under the thread sanitizer too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "support/scaled_twice.h"
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 25, ROWS = 33, WIDTH = 100 };

struct worker {
    pthread_t thread;
    ldsl_context *ctx;
    ldsl_library *lib;
    const ldsl_plan *shared;
    int number;
    const char *failed; /* what went wrong, or NULL */
};

static enum ldsl_status prepare(ldsl_plan **plan, ldsl_library *lib, int64_t width, double s)
{
    return prepare_scaled_twice(plan, lib, ROWS, width, s);
}

static const char *launch(struct worker *w, const ldsl_plan *plan, size_t count, float square)
{
    static const float start = 1.5f;
    float values[ROWS * (WIDTH + THREADS)];
    ldsl_buffer *buffers[3] = {NULL};
    const char *failed = NULL;
    for (size_t i = 0; i < count; i++)
        values[i] = start + (float)i;
    size_t bytes = count * sizeof *values;
    if (ldsl_buffer_create(&buffers[0], w->ctx, bytes) ||
        ldsl_buffer_create(&buffers[1], w->ctx, bytes) ||
        ldsl_buffer_create(&buffers[2], w->ctx, ldsl_plan_workspace_bytes(plan)) ||
        ldsl_buffer_upload(buffers[0], 0, values, bytes))
        failed = "no buffers";
    const uint64_t pointers[] = {ldsl_buffer_address(buffers[0]), ldsl_buffer_address(buffers[1])};
    if (!failed && ldsl_plan_launch(plan, pointers, 2, ldsl_buffer_address(buffers[2]), NULL))
        failed = "launch failed";
    if (!failed && ldsl_buffer_download(buffers[1], 0, values, bytes))
        failed = "download failed";
    for (size_t i = 0; !failed && i < count; i++)
        if (values[i] != (start + (float)i) * square)
            failed = "wrong values";
    for (int i = 0; i < 3; i++)
        ldsl_buffer_destroy(buffers[i]);
    return failed;
}

static void *work(void *user)
{
    struct worker *w = user;
    for (int round = 0; !w->failed && round < ROUNDS; round++) {
        ldsl_plan *plan;
        int64_t width = WIDTH + (w->number + round) % THREADS; /* others prepare the same */
        if (prepare(&plan, w->lib, width, 2.0)) {
            w->failed = "prepare failed";
            break;
        }
        w->failed = launch(w, plan, (size_t)(ROWS * width), 4.0f);
        if (!w->failed)
            w->failed = launch(w, w->shared, ROWS * WIDTH, 9.0f);
        ldsl_plan_destroy(plan);
        if (prepare(&plan, w->lib, -1, 2.0) != LDSL_ARGUMENT || !*ldsl_last_error())
            w->failed = "a wrong call was not refused";
    }
    return NULL;
}

static void threads_prepare_and_launch_together(void **state)
{
    (void)state;
    ldsl_context *ctx;
    ldsl_library *lib;
    ldsl_plan *shared;
    struct worker workers[THREADS];
    const ldsl_context_options options = {.threads = 2};
    assert_int_equal(ldsl_context_create(&ctx, "cpu", &options), LDSL_OK);
    assert_int_equal(
        ldsl_library_load_text(&lib, ctx, "f.ldsl", scaled_twice, strlen(scaled_twice)), LDSL_OK);
    assert_int_equal(prepare(&shared, lib, WIDTH, 3.0), LDSL_OK);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.ctx = ctx, .lib = lib, .shared = shared, .number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < THREADS; i++)
        if (workers[i].failed)
            fail_msg("thread %d: %s", i, workers[i].failed);
    ldsl_plan_destroy(shared);
    ldsl_library_destroy(lib);
    ldsl_context_destroy(ctx);
}

static void *compile(void *user)
{
    struct worker *w = user;
    ldsl_source text = {.path = "f.ldsl", .text = scaled_twice, .length = strlen(scaled_twice)};
    for (int round = 0; !w->failed && round < 3; round++) {
        ldsl_options options = LDSL_OPTIONS_INIT;
        ldsl_artifact *artifact;
        options.kernel = "k";
        options.bindings = w->number % 2 ? "T=bf16" : "T=f32";
        if (ldsl_compile(&artifact, &text, &options, NULL))
            w->failed = "compile failed";
        ldsl_artifact_free(artifact);
    }
    return NULL;
}

static void threads_compile_together(void **state)
{
    (void)state;
    struct worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, compile, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < THREADS; i++)
        if (workers[i].failed)
            fail_msg("thread %d: %s", i, workers[i].failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_prepare_and_launch_together),
        cmocka_unit_test(threads_compile_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
