/* Launches that overlap: which tensors a launch may touch while the one before it runs. */
#include "plan_world.h"

#define KERNELS                                                                                    \
    "kernel twice(a: tensor<f32>[N], b: out tensor<f32>[N]) {\n"                                   \
    "  grid i in 0 .. N; b[i] = 2.0 * a[i]; }\n"                                                   \
    "kernel join(a: tensor<f32>[N], b: tensor<f32>[N], c: out tensor<f32>[N]) {\n"                 \
    "  grid i in 0 .. N; c[i] = a[i] + b[i]; }\n"

static struct world open_gpu(const char *text)
{
    return open_world_on(text, true);
}

static ldsl_plan *prepare_on(struct world *w, const char *op, const ldsl_argument *args,
                             uint32_t count)
{
    ldsl_plan *plan;
    if (ldsl_plan_prepare(&plan, w->lib, op, args, count, NULL))
        fail_msg("%s: %s", op, fake.error);
    return plan;
}

static void assert_ready(const ldsl_plan *plan, uint32_t launch, const char *ready)
{
    const char *variant = ldsl_plan_launch_variant(plan, launch);
    const char *own = strstr(variant, "ready.");
    assert_string_equal(own ? own : "", ready);
}

/* What the launch before writes is not ready, nor what it reads and this one writes. */
static void what_neither_meets_is_ready(void **state)
{
    (void)state;
    struct world w = open_gpu(KERNELS "op three(x: tensor<f32>[N], y: tensor<f32>[N])\n"
                                      "  -> (z: tensor<f32>[N]) {\n"
                                      "  scratch s: tensor<f32>[N];\n"
                                      "  scratch t: tensor<f32>[N];\n"
                                      "  launch twice(x, s);\n"
                                      "  launch twice(y, t);\n"
                                      "  launch join(s, t, z);\n"
                                      "  launch twice(y, s);\n"
                                      "  launch join(x, z, t);\n"
                                      "}\n");
    ldsl_argument args[] = {tensor("x", LDSL_F32, 9, -1, -1), tensor("y", LDSL_F32, 9, -1, -1)};
    ldsl_plan *plan = prepare_on(&w, "three", args, 2);
    assert_ready(plan, 0, ""); /* before the plan anything may run */
    assert_ready(plan, 1, "ready.a=1,ready.b=1");
    assert_ready(plan, 2, "ready.a=1,ready.c=1"); /* s was written by the one before the last */
    assert_ready(plan, 3, "ready.a=1");           /* s is still read */
    assert_ready(plan, 4, "ready.a=1,ready.b=1,ready.c=1");
    ldsl_plan_destroy(plan);
    close_world(&w);
}

/* Views are as ready as the whole tensor; a tensor read and written in one is written. */
static void views_and_shared_tensors(void **state)
{
    (void)state;
    struct world w = open_gpu(KERNELS "op parts(x: mut tensor<f32>[N], y: tensor<f32>[N])\n"
                                      "  -> (z: tensor<f32>[N]) {\n"
                                      "  launch twice(x[0 .. 2], z[0 .. 2]);\n"
                                      "  launch twice(y[2 .. N], z[2 .. N]);\n"
                                      "  launch twice(x, x);\n"
                                      "  launch twice(x[0 .. 2], x[2 .. 4]);\n"
                                      "}\n");
    ldsl_argument args[] = {tensor("x", LDSL_F32, 9, -1, -1), tensor("y", LDSL_F32, 9, -1, -1)};
    ldsl_plan *plan = prepare_on(&w, "parts", args, 2);
    assert_ready(plan, 1, "ready.a=1");
    assert_ready(plan, 2, "ready.a=1,ready.b=1");
    assert_non_null(strstr(ldsl_plan_launch_variant(plan, 2), "same.b=0"));
    assert_ready(plan, 3, "");
    ldsl_plan_destroy(plan);
    close_world(&w);
}

/* Zero and copy are no kernels of ours: nothing is known. */
static void nothing_is_ready_after_other_steps(void **state)
{
    (void)state;
    struct world w = open_gpu(KERNELS "op steps(x: tensor<f32>[N]) -> (y: tensor<f32>[N],\n"
                                      "  z: tensor<f32>[N]) {\n"
                                      "  launch twice(x, y);\n"
                                      "  zero(z);\n"
                                      "  launch twice(x, y);\n"
                                      "  copy(z, x);\n"
                                      "  launch twice(x, y);\n"
                                      "}\n");
    ldsl_argument x = tensor("x", LDSL_F32, 9, -1, -1);
    ldsl_plan *plan = prepare_on(&w, "steps", &x, 1);
    for (uint32_t i = 0; i < 3; i++)
        assert_ready(plan, i, "");
    ldsl_plan_destroy(plan);
    close_world(&w);
}

/* The variant counts on the launch written before. If that has no programs, another one is before: the
 * launch does not overlap it. */
static void behind_an_empty_launch_one_runs_alone(void **state)
{
    (void)state;
    struct world w = open_gpu(KERNELS "op gap(x: tensor<f32>[N], e: tensor<f32>[M])\n"
                                      "  -> (y: tensor<f32>[N], f: tensor<f32>[M]) {\n"
                                      "  scratch s: tensor<f32>[N];\n"
                                      "  launch twice(x, s);\n"
                                      "  launch twice(e, f);\n"
                                      "  launch twice(s, y);\n"
                                      "  launch twice(x, s);\n"
                                      "}\n");
    for (int64_t m = 0; m < 2; m++) {
        ldsl_argument args[] = {tensor("x", LDSL_F32, 9, -1, -1), tensor("e", LDSL_F32, m, -1, -1)};
        ldsl_plan *plan = prepare_on(&w, "gap", args, 2);
        uint64_t pointers[] = {4096, 8192, 12288, 16384};
        uint32_t before = fake.event_count;
        assert_int_equal(ldsl_plan_launch(plan, pointers, 4, 1 << 20, NULL), LDSL_OK);
        assert_int_equal(fake.event_count - before, 3 + m);
        assert_false(fake.events[before].alone);
        assert_ready(plan, 1 + (uint32_t)m, "ready.a=1,ready.b=1");
        assert_int_equal(fake.events[before + 1 + m].alone, m == 0);
        assert_false(fake.events[before + 2 + m].alone);
        ldsl_plan_destroy(plan);
    }
    close_world(&w);
}

/* A device whose launches do not overlap needs no variants for it. */
static void without_overlap_nothing_is_said(void **state)
{
    (void)state;
    struct world w = open_world(KERNELS "op two(x: tensor<f32>[N]) -> (y: tensor<f32>[N],\n"
                                        "  z: tensor<f32>[N]) {\n"
                                        "  launch twice(x, y);\n"
                                        "  launch twice(x, z);\n"
                                        "}\n");
    ldsl_argument x = tensor("x", LDSL_F32, 9, -1, -1);
    ldsl_plan *plan = prepare_on(&w, "two", &x, 1);
    assert_ready(plan, 1, "");
    ldsl_plan_destroy(plan);
    close_world(&w);
}

/* ---- the closed set ---------------------------------------------------------------------------- */

struct list {
    char text[32][256];
    bool taken[32];
    uint32_t count;
};

static void keep(void *user, const char *kernel, const char *variant)
{
    struct list *l = user;
    assert_true(l->count < 32);
    snprintf(l->text[l->count++], sizeof l->text[0], "%s %s", kernel, variant ? variant : "");
}

static void take(struct list *l, const char *kernel, const char *variant)
{
    char text[256];
    snprintf(text, sizeof text, "%s %s", kernel, variant);
    for (uint32_t i = 0; i < l->count; i++)
        if (strcmp(l->text[i], text) == 0) {
            l->taken[i] = true;
            return;
        }
    fail_msg("%s is not in the set", text);
}

/* Whatever way a plan takes through conditions, loops and steps, its variants are in the set; and there
 * is nothing else in it. */
static void plans_take_variants_of_the_closed_set(void **state)
{
    (void)state;
    struct world w = open_gpu(
        KERNELS "op ways(x: tensor<f32>[N], k: i32) -> (y: tensor<f32>[N], z: tensor<f32>[N]) {\n"
                "  scratch s: tensor<f32>[N];\n"
                "  launch twice(x, s);\n"
                "  if k > 0 { launch join(x, s, y); } else { launch twice(x, y); zero(y); }\n"
                "  for i in 0 .. N / 4 { launch twice(x[0 .. 2], z[0 .. 2]); }\n"
                "  launch join(x, s, z);\n"
                "}\n");
    static struct list set;
    assert_int_equal(ldsl_op_variants(w.lib, "ways", keep, &set), LDSL_OK);
    for (int64_t n = 3; n < 10; n += 3)
        for (int64_t k = 0; k < 2; k++) {
            ldsl_argument args[] = {tensor("x", LDSL_F32, n, -1, -1), integer("k", k)};
            ldsl_plan *plan = prepare_on(&w, "ways", args, 2);
            for (uint32_t i = 0; i < ldsl_plan_launch_count(plan); i++)
                take(&set, ldsl_plan_launch_kernel(plan, i), ldsl_plan_launch_variant(plan, i));
            ldsl_plan_destroy(plan);
        }
    for (uint32_t i = 0; i < set.count; i++)
        if (!set.taken[i])
            fail_msg("%s is in the set, and no plan takes it", set.text[i]);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_neither_meets_is_ready),
        cmocka_unit_test(views_and_shared_tensors),
        cmocka_unit_test(nothing_is_ready_after_other_steps),
        cmocka_unit_test(behind_an_empty_launch_one_runs_alone),
        cmocka_unit_test(without_overlap_nothing_is_said),
        cmocka_unit_test(plans_take_variants_of_the_closed_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
