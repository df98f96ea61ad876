/* Which record a launch takes, and what it is filed under. */
#include "plan_world.h"

#include <ldsl/tune.h>
#include <unistd.h>

static const char text[] =
    "kernel norm<T: float>(x: tensor<T>[R, D], y: out tensor<T>[R, D])\n"
    "  meta BD = fit(D);\n"
    "  tune { BR in {1, 2, 4}; num_warps in {1, 2}; where BR <= R;\n"
    "    default { BR = 1, num_warps = 2 }; }\n"
    "{ grid axis r in 0 .. R tile BR; axis c in 0 .. D tile BD; y[r, c] = x[r, c]; }\n"
    "op norm_op<T: float>(x: tensor<T>[R, D]) -> (y: tensor<T>[R, D])\n"
    "  key(D, bucket(R), T);\n"
    "{ launch norm(x, y); }\n"
    "op plain_op<T: float>(x: tensor<T>[R, D]) -> (y: tensor<T>[R, D])\n"
    "{ launch norm(x, y); }\n";

static char path[] = "/tmp/ldsl-tuned-XXXXXX", hash[32];
static struct world w;

/* A world whose user has these records; "HASH" in them stands for the kernel's. */
static void open_with(const char *records, bool is_gpu)
{
    ldsl_context_options options = {
        .sink = {.report = fake_report}, .no_cache = true, .records_path = path};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (const char *at; (at = strstr(records, "HASH")); records = at + 4)
        fprintf(file, "%.*s%s", (int)(at - records), records, hash);
    fputs(records, file);
    fclose(file);
    memset(&fake, 0, sizeof fake);
    fake.is_gpu = is_gpu;
    assert_int_equal(ldsl_context_create(&w.ctx, "cpu", &options), LDSL_OK);
    assert_int_equal(ldsl_library_load_text(&w.lib, w.ctx, "test.ldsl", text, strlen(text)),
                     LDSL_OK);
}

/* The variant's end that tuning chose, for rows of 24 elements. */
static const char *settings(const char *op, int64_t rows)
{
    static char out[256];
    const ldsl_argument x = tensor("x", LDSL_F32, rows, 24, -1);
    ldsl_plan *plan = prepare(&w, op, &x, 1, NULL);
    snprintf(out, sizeof out, "%s", strstr(ldsl_plan_launch_variant(plan, 0), "BR="));
    ldsl_plan_destroy(plan);
    return out;
}

/* ---- what a record is filed under ----------------------------------------------------------------- */

static int set_up(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    if (fd < 0)
        return -1;
    close(fd);
    open_with("", false);
    const ldsl_argument x = tensor("x", LDSL_F32, 5, 24, -1);
    ldsl_plan *plan = prepare(&w, "norm_op", &x, 1, NULL);
    ldsl_record r;
    assert_true(ldsl_plan_record(plan, 0, &r));
    snprintf(hash, sizeof hash, "%s", r.hash);
    ldsl_plan_destroy(plan);
    close_world(&w);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static void test_record(void **state)
{
    (void)state;
    ldsl_record r;
    ldsl_tunable t;
    open_with("", true);
    const ldsl_argument x = tensor("x", LDSL_BF16, 5, 24, -1);
    ldsl_plan *plan = prepare(&w, "norm_op", &x, 1, "hold=64");
    assert_true(ldsl_plan_record(plan, 0, &r));
    assert_false(ldsl_plan_record(plan, 1, &r));
    assert_string_equal(r.op, "norm_op");
    assert_string_equal(r.kernel, "norm");
    assert_string_equal(r.variant, "T=bf16,BD=24");
    assert_string_equal(r.key, "24,8,bf16");
    assert_string_equal(r.shape, "R=5,D=24");
    assert_string_equal(r.device, "cpu:fake");
    assert_string_equal(r.target, "cpu:fake");
    assert_int_equal(strlen(r.hash), 16);
    assert_string_equal(r.settings, "BR=1,num_warps=2,hold=64");
    assert_false(ldsl_plan_is_tuned(plan, 0));
    assert_true(ldsl_plan_tunable(plan, 0, 1, &t));
    assert_string_equal(t.name, "num_warps");
    assert_true(t.is_listed && t.is_set);
    assert_int_equal(t.value_count, 2);
    assert_int_equal(t.values[1], 2);
    assert_int_equal(t.current, 2);
    for (uint32_t i = 2; strcmp(t.name, "hold") != 0; i++)
        assert_true(ldsl_plan_tunable(plan, 0, i, &t));
    assert_true(!t.is_listed && t.is_set);
    assert_int_equal(t.current, 64);
    assert_int_equal(t.values[0], 0);
    ldsl_plan_destroy(plan);
    /* Without a key clause: the sizes of all dims, roughly. */
    plan = prepare(&w, "plain_op", &x, 1, NULL);
    assert_true(ldsl_plan_record(plan, 0, &r));
    assert_string_equal(r.key, "8,32");
    ldsl_plan_destroy(plan);
    close_world(&w);
}

/* A device without warps has no schedule values to choose. */
static void test_tunables_of_cpu(void **state)
{
    (void)state;
    ldsl_tunable t;
    open_with("", false);
    const ldsl_argument x = tensor("x", LDSL_F32, 5, 24, -1);
    ldsl_plan *plan = prepare(&w, "norm_op", &x, 1, NULL);
    assert_true(ldsl_plan_tunable(plan, 0, 0, &t));
    assert_string_equal(t.name, "BR");
    assert_false(ldsl_plan_tunable(plan, 0, 1, &t));
    assert_false(ldsl_plan_tunable(plan, 1, 0, &t));
    ldsl_plan_destroy(plan);
    close_world(&w);
}

/* ---- which one is taken ---------------------------------------------------------------------------- */

#define LINE(key, shape, device, hash, settings)                                                   \
    "norm_op | norm | T=f32,BD=24 | " key " | " shape " | " device " | cpu:fake | " hash           \
    " | " settings " | 1.0\n"

static void test_exact_shape_then_bucket_then_default(void **state)
{
    (void)state;
    open_with(LINE("24,8,f32", "R=5,D=24", "cpu:fake", "HASH", "BR=2,num_warps=1")
                  LINE("24,8,f32", "R=8,D=24", "cpu:fake", "HASH", "BR=4,num_warps=1"),
              true);
    assert_string_equal(settings("norm_op", 5), "BR=2,num_warps=1");
    assert_string_equal(settings("norm_op", 8), "BR=4,num_warps=1");
    assert_string_equal(settings("norm_op", 7), "BR=2,num_warps=1"); /* the first of the bucket */
    assert_string_equal(settings("norm_op", 9), "BR=1,num_warps=2");
    assert_string_equal(settings("plain_op", 5), "BR=1,num_warps=2");
    close_world(&w);
}

/* GPUs of one architecture help each other out; processors do not. */
static void test_other_devices(void **state)
{
    (void)state;
    static const char records[] =
        LINE("24,8,f32", "R=5,D=24", "other", "HASH", "BR=2,num_warps=1,cluster=2")
            LINE("24,8,f32", "R=6,D=24", "cpu:fake", "HASH", "BR=4,num_warps=1");
    open_with(records, true);
    assert_string_equal(settings("norm_op", 5), "BR=4,num_warps=1"); /* its own goes before */
    close_world(&w);
    open_with(LINE("24,8,f32", "R=5,D=24", "other", "HASH", "BR=2,num_warps=1,cluster=2"), true);
    assert_string_equal(settings("norm_op", 5), "BR=2,num_warps=1,cluster=2");
    close_world(&w);
    open_with(LINE("24,8,f32", "R=5,D=24", "other", "HASH", "BR=2,num_warps=1"), false);
    assert_string_equal(settings("norm_op", 5), "BR=1,num_warps=2");
    close_world(&w);
}

static void test_other_code(void **state)
{
    (void)state;
    open_with(LINE("24,8,f32", "R=5,D=24", "cpu:fake", "0123456789abcdef", "BR=2,num_warps=1"),
              true);
    assert_string_equal(settings("norm_op", 5), "BR=1,num_warps=2");
    close_world(&w);
}

/* What a hand wrote wrongly, and what does not fit this shape, is left out. */
static void test_records_that_do_not_fit(void **state)
{
    (void)state;
    static const char *const wrong[] = {"BR=3", "nothing=1", "cluster=99", "BR", "BR=4"};
    for (unsigned i = 0; i < COUNT(wrong); i++) {
        char records[256];
        snprintf(
            records, sizeof records,
            "norm_op | norm | T=f32,BD=24 | 24,2,f32 | R=2,D=24 | cpu:fake | cpu:fake | HASH | "
            "%s | 1.0\n",
            wrong[i]);
        open_with(records, true);
        assert_string_equal(settings("norm_op", 2), "BR=1,num_warps=2"); /* where BR <= R */
        close_world(&w);
    }
}

/* What the user asks for goes before records; what is not asked for stays as recorded. */
static void test_asked_before_recorded(void **state)
{
    (void)state;
    open_with(LINE("24,8,f32", "R=5,D=24", "cpu:fake", "HASH", "BR=2,num_warps=1,hold=32"), true);
    const ldsl_argument x = tensor("x", LDSL_F32, 5, 24, -1);
    ldsl_plan *plan = prepare(&w, "norm_op", &x, 1, "BR=4,stages=2");
    assert_non_null(strstr(ldsl_plan_launch_variant(plan, 0), "BR=4,num_warps=1,hold=32,stages=2"));
    assert_true(ldsl_plan_is_tuned(plan, 0));
    ldsl_plan_destroy(plan);
    close_world(&w);
}

/* Comments, defaults and the names of others do not change a kernel's hash; its code and its helpers do. */
static void test_hash(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "const k = 2;\nfn twice(x: f32) -> f32 = x * f32(k);\nfn other(x: f32) -> f32 = x;\n"
        "kernel a(x: tensor<f32>[N], y: out tensor<f32>[N]) {\n"
        "  grid axis i in 0 .. N tile 16; y[i] = twice(x[i]); }\n",
        "// A comment.\nconst k = 2;\nfn twice(x: f32) -> f32 = x * f32(k);\n"
        "fn other(x: f32) -> f32 = 3.0 * x;\n/// Doubles.\n"
        "kernel a(x: tensor<f32>[N], y: out tensor<f32>[N])\n"
        "  tune { default { num_warps = 2 }; }\n{\n"
        "  grid axis i in 0 .. N tile 16;\n  y[i] = twice(x[i]);\n}\n",
        "const k = 3;\nfn twice(x: f32) -> f32 = x * f32(k);\nfn other(x: f32) -> f32 = x;\n"
        "kernel a(x: tensor<f32>[N], y: out tensor<f32>[N]) {\n"
        "  grid axis i in 0 .. N tile 16; y[i] = twice(x[i]); }\n",
        "const k = 2;\nfn twice(x: f32) -> f32 = x * f32(k);\nfn other(x: f32) -> f32 = x;\n"
        "kernel a(x: tensor<f32>[N], y: out tensor<f32>[N]) {\n"
        "  grid axis i in 0 .. N tile 32; y[i] = twice(x[i]); }\n",
    };
    char hashes[4][32];
    for (int i = 0; i < 4; i++) {
        char whole[2048];
        snprintf(whole, sizeof whole,
                 "%sop a_op(x: tensor<f32>[N]) -> (y: tensor<f32>[N]) { launch a(x, y); }\n",
                 texts[i]);
        struct world own = open_world(whole);
        const ldsl_argument x = tensor("x", LDSL_F32, 5, -1, -1);
        ldsl_plan *plan = prepare(&own, "a_op", &x, 1, NULL);
        ldsl_record r;
        assert_true(ldsl_plan_record(plan, 0, &r));
        snprintf(hashes[i], sizeof hashes[i], "%s", r.hash);
        ldsl_plan_destroy(plan);
        close_world(&own);
    }
    assert_string_equal(hashes[0], hashes[1]);
    assert_string_not_equal(hashes[0], hashes[2]);
    assert_string_not_equal(hashes[0], hashes[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_tunables_of_cpu),
        cmocka_unit_test(test_exact_shape_then_bucket_then_default),
        cmocka_unit_test(test_other_devices),
        cmocka_unit_test(test_other_code),
        cmocka_unit_test(test_records_that_do_not_fit),
        cmocka_unit_test(test_asked_before_recorded),
        cmocka_unit_test(test_hash),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
