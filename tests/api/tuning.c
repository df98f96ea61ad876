/* Tuning as a program meets it: records that are found, files that are named, tuning before the first
 * use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ldsl/ldsl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char source[] =
    "kernel add_rows<T: float>(x: tensor<T>[R, D], y: mut tensor<T>[R, D])\n"
    "  tune { BR in {1, 2, 4}; BD in {64, 256}; default { BR = 1, BD = 64 }; }\n"
    "{\n"
    "  grid axis r in 0 .. R tile BR;\n"
    "  axis c in 0 .. D tile BD;\n"
    "  sweep c { y[r, c] = T(f32(x[r, c]) + f32(y[r, c])); }\n"
    "}\n"
    "op add<T: float>(x: tensor<T>[R, D], y: mut tensor<T>[R, D]) -> ()\n"
    "  key(D, bucket(R));\n"
    "{\n"
    "  launch add_rows(x, y);\n"
    "}\n"
    "kernel more_rows<T: float>(x: tensor<T>[R, D], y: mut tensor<T>[R, D])\n"
    "  tune { BR in {1, 2}; BD in {64, 128}; default { BR = 1, BD = 64 }; }\n"
    "{\n"
    "  grid axis r in 0 .. R tile BR;\n"
    "  axis c in 0 .. D tile BD;\n"
    "  sweep c { y[r, c] = T(f32(x[r, c]) + f32(y[r, c])); }\n"
    "}\n"
    "op add_twice<T: float>(x: tensor<T>[R, D], y: mut tensor<T>[R, D]) -> ()\n"
    "  key(D, bucket(R));\n"
    "{\n"
    "  launch add_rows(x, y);\n"
    "  launch more_rows(x, y);\n"
    "}\n";

static char path[64];

static int set_up(void **state)
{
    (void)state;
    strcpy(path, "/tmp/ldsl-tuning-XXXXXX");
    int fd = mkstemp(path);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

struct world {
    ldsl_context *ctx;
    ldsl_library *lib;
};

static struct world open_world(const ldsl_context_options *options)
{
    struct world w;
    assert_int_equal(ldsl_context_create(&w.ctx, "cpu", options), LDSL_OK);
    assert_int_equal(ldsl_library_load_text(&w.lib, w.ctx, "add.ldsl", source, strlen(source)),
                     LDSL_OK);
    return w;
}

static void close_world(struct world *w)
{
    ldsl_library_destroy(w->lib);
    ldsl_context_destroy(w->ctx);
}

static ldsl_plan *prepare_op(const struct world *w, const char *op, int64_t rows, const char *with)
{
    ldsl_plan *plan;
    const ldsl_argument arguments[] = {
        {.name = "x", .kind = LDSL_ARG_TENSOR, .dtype = LDSL_F32, .rank = 2, .shape = {rows, 100}},
        {.name = "y", .kind = LDSL_ARG_TENSOR, .dtype = LDSL_F32, .rank = 2, .shape = {rows, 100}},
    };
    assert_int_equal(ldsl_plan_prepare(&plan, w->lib, op, arguments, 2, with), LDSL_OK);
    return plan;
}

static ldsl_plan *prepare(const struct world *w, int64_t rows, const char *with)
{
    return prepare_op(w, "add", rows, with);
}

static uint32_t count_records(void)
{
    ldsl_records *records;
    assert_int_equal(ldsl_records_create(&records), LDSL_OK);
    assert_int_equal(ldsl_records_read(records, path, NULL), LDSL_OK);
    uint32_t count = ldsl_records_count(records);
    ldsl_records_destroy(records);
    return count;
}

/* A program may make records itself: prepare with settings, time, keep. */
static void records_are_found(void **state)
{
    (void)state;
    const ldsl_context_options options = {.records_path = path};
    struct world w = open_world(&options);
    ldsl_plan *plan = prepare(&w, 40, "BR=4,BD=256");
    ldsl_record record;
    ldsl_records *records;
    assert_true(ldsl_plan_record(plan, 0, &record));
    assert_string_equal(record.settings, "BR=4,BD=256");
    assert_false(ldsl_plan_is_tuned(plan, 0));
    record.time_us = 12.5;
    assert_int_equal(ldsl_records_create(&records), LDSL_OK);
    assert_int_equal(ldsl_records_put(records, &record), LDSL_OK);
    assert_int_equal(ldsl_records_save(records, path, NULL), LDSL_OK);
    ldsl_records_destroy(records);
    ldsl_plan_destroy(plan);
    close_world(&w);

    w = open_world(&options);
    plan = prepare(&w, 33, NULL); /* in the bucket of 40 */
    assert_string_equal(ldsl_plan_launch_variant(plan, 0), "T=f32,BR=4,BD=256");
    assert_true(ldsl_plan_is_tuned(plan, 0));
    ldsl_plan_destroy(plan);
    plan = prepare(&w, 65, NULL);
    assert_string_equal(ldsl_plan_launch_variant(plan, 0), "T=f32,BR=1,BD=64");
    assert_false(ldsl_plan_is_tuned(plan, 0));
    ldsl_plan_destroy(plan);
    close_world(&w);

    w = open_world(&(ldsl_context_options){.records_path = path, .no_records = true});
    plan = prepare(&w, 40, NULL);
    assert_string_equal(ldsl_plan_launch_variant(plan, 0), "T=f32,BR=1,BD=64");
    ldsl_plan_destroy(plan);
    close_world(&w);
}

/* Tunes once, computes what it should, and finds the record the next time. */
static void first_use(void **state)
{
    (void)state;
    float x[3][100], y[3][100];
    struct world w =
        open_world(&(ldsl_context_options){.records_path = path, .tune_first_use = true});
    ldsl_plan *plan = prepare(&w, 3, NULL);
    assert_true(ldsl_plan_is_tuned(plan, 0));
    assert_int_equal(count_records(), 1);
    ldsl_buffer *buffers[2];
    uint64_t pointers[2];
    for (int i = 0; i < 300; i++) {
        x[i / 100][i % 100] = (float)i;
        y[i / 100][i % 100] = 0.5f;
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ldsl_buffer_create(&buffers[i], w.ctx, sizeof x), LDSL_OK);
        assert_int_equal(ldsl_buffer_upload(buffers[i], 0, i ? y : x, sizeof x), LDSL_OK);
        pointers[i] = ldsl_buffer_address(buffers[i]);
    }
    assert_int_equal(ldsl_plan_launch(plan, pointers, 2, 0, NULL), LDSL_OK);
    assert_int_equal(ldsl_buffer_download(buffers[1], 0, y, sizeof y), LDSL_OK);
    for (int i = 0; i < 300; i++)
        assert_true(y[i / 100][i % 100] == (float)i + 0.5f);
    for (int i = 0; i < 2; i++)
        ldsl_buffer_destroy(buffers[i]);
    ldsl_plan_destroy(plan);

    /* Settings that are asked for need no tuning. */
    plan = prepare(&w, 1000, "BR=2");
    assert_false(ldsl_plan_is_tuned(plan, 0));
    assert_int_equal(count_records(), 1);
    ldsl_plan_destroy(plan);
    close_world(&w);

    w = open_world(&(ldsl_context_options){.records_path = path});
    plan = prepare(&w, 3, NULL);
    assert_true(ldsl_plan_is_tuned(plan, 0));
    ldsl_plan_destroy(plan);
    close_world(&w);
}

/* Of two kernels one has a record: the other is tuned beside it, and it stays. */
static void first_use_leaves_records_alone(void **state)
{
    (void)state;
    struct world w = open_world(&(ldsl_context_options){.records_path = path});
    ldsl_plan *plan = prepare_op(&w, "add_twice", 3, "add_rows.BR=4,add_rows.BD=256");
    ldsl_record record;
    ldsl_records *records;
    assert_true(ldsl_plan_record(plan, 0, &record));
    assert_int_equal(ldsl_records_create(&records), LDSL_OK);
    assert_int_equal(ldsl_records_put(records, &record), LDSL_OK);
    assert_int_equal(ldsl_records_save(records, path, NULL), LDSL_OK);
    ldsl_records_destroy(records);
    ldsl_plan_destroy(plan);
    close_world(&w);

    w = open_world(&(ldsl_context_options){.records_path = path, .tune_first_use = true});
    plan = prepare_op(&w, "add_twice", 3, NULL);
    assert_true(ldsl_plan_is_tuned(plan, 0) && ldsl_plan_is_tuned(plan, 1));
    assert_string_equal(ldsl_plan_launch_variant(plan, 0), "T=f32,BR=4,BD=256");
    assert_int_equal(count_records(), 2);
    ldsl_plan_destroy(plan);
    close_world(&w);
}

/* Processes of one job read records and choose alike: nobody tunes, nobody writes. */
static void read_only(void **state)
{
    (void)state;
    struct world w = open_world(&(ldsl_context_options){
        .records_path = path, .tune_first_use = true, .records_read_only = true});
    ldsl_plan *plan = prepare(&w, 3, NULL);
    assert_false(ldsl_plan_is_tuned(plan, 0));
    assert_string_equal(ldsl_plan_launch_variant(plan, 0), "T=f32,BR=1,BD=64");
    assert_int_equal(count_records(), 0);
    ldsl_plan_destroy(plan);
    close_world(&w);
}

static void *prepare_one(void *user)
{
    ldsl_plan *plan = prepare(user, 3, NULL);
    bool tuned = ldsl_plan_is_tuned(plan, 0);
    ldsl_plan_destroy(plan);
    return tuned ? user : NULL;
}

/* Several threads that need the same record: one measures, the others wait and find it. */
static void first_use_on_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    struct world w =
        open_world(&(ldsl_context_options){.records_path = path, .tune_first_use = true});
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, prepare_one, &w), 0);
    for (int i = 0; i < 4; i++) {
        void *tuned;
        assert_int_equal(pthread_join(threads[i], &tuned), 0);
        assert_ptr_equal(tuned, &w);
    }
    assert_int_equal(count_records(), 1);
    close_world(&w);
}

static enum ldsl_status count_call(void *user, void *stream)
{
    (void)stream;
    ++*(int *)user;
    return LDSL_OK;
}

static void timing(void **state)
{
    (void)state;
    struct world w = open_world(NULL);
    double seconds[3] = {-1, -1, -1};
    int calls = 0;
    assert_int_equal(ldsl_device_time(w.ctx, count_call, count_call, &calls, seconds, 3), LDSL_OK);
    assert_int_equal(calls, 6);
    for (int i = 0; i < 3; i++)
        assert_true(seconds[i] >= 0 && seconds[i] < 1);
    assert_int_equal(ldsl_device_time(w.ctx, NULL, NULL, NULL, seconds, 1), LDSL_ARGUMENT);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(first_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(first_use_leaves_records_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(read_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(first_use_on_threads, set_up, tear_down),
        cmocka_unit_test(timing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
