/* Do the tests on the emulator have teeth? The GPU lowering of some operators is compiled by a faulty
 * target that leaves out one barrier, guard, select, shuffle, end of a copy, or wait for other kernels,
 * or one digit of a layout or of the thread's number. Each of these must be found: the emulator fails
 * the launch, or the result is wrong. Excused are guards that are true wherever they are met, and
 * selects that always take the same. */
#include "internal.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GPU "simt:sm_90a"

enum { ROWS = 5, ELEMENTS = ROWS * 512, SIZES = 9, MAX_FAULTS = 400 };

/* Rows are as wide as the tile or much narrower; they begin at multiples of 16 bytes, or equally far
 * from them in x and y, or not; and between them lie elements that no tensor has. */
/* clang-format off */
static const struct {
    int64_t width, x_stride, y_stride;
} sizes[] = {
    {253, 512, 512}, {130, 512, 512}, {3, 512, 512}, {250, 511, 511}, {129, 511, 511}, {1, 511, 511},
    {253, 511, 509}, {65, 511, 509}, {2, 511, 509},
};
/* clang-format on */

static const char source[] =
    "kernel held_rows(x: tensor<f32>[R, D], y: out tensor<f32>[R, D])\n"
    "  require D <= 256;\n"
    "{\n"
    "  grid axis r in 0 .. R tile 2;\n"
    "  axis c in 0 .. D tile 256;\n"
    "  let v = x[r, c];\n"
    "  let e = exp(v - max(v over c));\n"
    "  y[r, c] = e / sum(e over c);\n"
    "}\n"
    "op held(x: tensor<f32>[R, D]) -> (y: tensor<f32>[R, D]) { launch held_rows(x, y); }\n"
    "kernel swept_rows(x: tensor<f32>[R, D], y: out tensor<f32>[R, D])\n"
    "{\n"
    "  grid r in 0 .. R;\n"
    "  axis c in 0 .. D tile 128 parts p;\n"
    "  var s: tile<f32>[p] = 0.0;\n"
    "  sweep c { s += sum(x[r, c] over c to p); }\n"
    "  let total = sum(s over p);\n"
    "  sweep c { y[r, c] = x[r, c] / (total + 1.0); }\n"
    "}\n"
    "op swept(x: tensor<f32>[R, D]) -> (y: tensor<f32>[R, D]) { launch swept_rows(x, y); }\n"
    "kernel column_parts(x: tensor<f32>[R, D], part: out tensor<f32>[P, D])\n"
    "  require D <= 256;\n"
    "{\n"
    "  grid p in 0 .. P;\n"
    "  axis c in 0 .. D tile 256;\n"
    "  var s: tile<f32>[c] = 0.0;\n"
    "  for r in p .. R step P { s += x[r, c] * sum(x[r, c] over c); }\n"
    "  part[p, c] = s;\n"
    "}\n"
    "kernel column_sums(part: tensor<f32>[P, D], y: out tensor<f32>[R, D])\n"
    "{\n"
    "  grid r in 0 .. R;\n"
    "  grid axis c in 0 .. D tile 64;\n"
    "  var s: tile<f32>[c] = 0.0;\n"
    "  for p in 0 .. P { s += part[p, c]; }\n"
    "  y[r, c] = s;\n"
    "}\n"
    "op columns(x: tensor<f32>[R, D]) -> (y: tensor<f32>[R, D])\n"
    "{\n"
    "  let P = 2;\n"
    "  scratch part: tensor<f32>[P, D];\n"
    "  launch column_parts(x, part);\n"
    "  launch column_sums(part, y);\n"
    "}\n"
    "kernel summing_rows(x: tensor<f32>[R, D], y: out tensor<f32>[R, D],\n"
    "                    part: out tensor<f32>[P, D])\n"
    "  require D <= 1024;\n"
    "{\n"
    "  grid p in 0 .. P;\n"
    "  axis c in 0 .. D tile 1024;\n"
    "  axis i in 0 .. cdiv(R - p, P) tile 1;\n"
    "  var s: tile<f32>[c] = 0.0;\n"
    "  sweep i {\n"
    "    let v = x[p + i * P, c];\n"
    "    s += sum(v * v over i);\n"
    "    y[p + i * P, c] = v - sum(v over c);\n"
    "  }\n"
    "  part[p, c] = s;\n"
    "}\n"
    "kernel add_sums(part: tensor<f32>[P, D], y: mut tensor<f32>[R, D])\n"
    "{\n"
    "  grid r in 0 .. R;\n"
    "  grid axis c in 0 .. D tile 64;\n"
    "  var s = y[r, c];\n"
    "  for p in 0 .. P { s += part[p, c]; }\n"
    "  y[r, c] = s;\n"
    "}\n"
    "op summed(x: tensor<f32>[R, D]) -> (y: tensor<f32>[R, D])\n"
    "{\n"
    "  let P = 2;\n"
    "  scratch part: tensor<f32>[P, D];\n"
    "  launch summing_rows(x, y, part);\n"
    "  launch add_sums(part, y);\n"
    "}\n"
    "kernel scanned_rows(x: tensor<f32>[R, D], y: out tensor<f32>[R, D])\n"
    "  require D <= 256;\n"
    "{\n"
    "  grid r in 0 .. R;\n"
    "  axis c in 0 .. D tile 256;\n"
    "  y[r, c] = cumsum(x[r, c] over c);\n"
    "}\n"
    "op scanned(x: tensor<f32>[R, D]) -> (y: tensor<f32>[R, D]) { launch scanned_rows(x, y); }\n"
    "kernel turned_tiles(x: tensor<f32>[R, D], y: out tensor<f32>[D, R])\n"
    "{\n"
    "  grid axis r in 0 .. R tile 32;\n"
    "  grid axis c in 0 .. D tile 16;\n"
    "  y[c, r] = x[r, c];\n"
    "}\n"
    "kernel turned_rounds(x: tensor<f32>[R, D], y: out tensor<f32>[D, R])\n"
    "{\n"
    "  grid axis c in 0 .. D tile 8;\n"
    "  axis r in 0 .. R tile 64;\n"
    "  sweep r { y[c, r] = x[r, c]; }\n"
    "}\n"
    "op turned(x: tensor<f32>[R, D]) -> (y: tensor<f32>[R, D])\n"
    "{\n"
    "  scratch turn: tensor<f32>[D, R];\n"
    "  launch turned_tiles(x, turn);\n"
    "  launch turned_rounds(turn, y);\n"
    "}\n";

/* ---- one run ----------------------------------------------------------------------------------- */

/* What came of all sizes. */
struct result {
    enum ldsl_status status;
    char why[512];
    uint64_t images; /* digest of the kernels */
    float y[SIZES][ELEMENTS];
};

static void digest(struct result *r, ldsl_library *library, const ldsl_plan *plan)
{
    for (uint32_t i = 0; i < ldsl_plan_launch_count(plan); i++) {
        const struct rt_kernel *k;
        size_t bytes;
        assert_int_equal(rt_kernel_get(&k, library, 0, ldsl_plan_launch_kernel(plan, i),
                                       ldsl_plan_launch_variant(plan, i)),
                         LDSL_OK);
        const unsigned char *image = ldsl_artifact_data(k->artifact, &bytes);
        for (size_t b = 0; b < bytes; b++)
            r->images = (r->images ^ image[b]) * 1099511628211u; /* FNV-1a */
    }
}

static void launch(struct result *r, float *y, ldsl_context *ctx, const ldsl_plan *plan,
                   const float *x)
{
    ldsl_buffer *in, *out, *workspace;
    assert_int_equal(ldsl_buffer_create(&in, ctx, ELEMENTS * sizeof *x), LDSL_OK);
    assert_int_equal(ldsl_buffer_create(&out, ctx, ELEMENTS * sizeof *y), LDSL_OK);
    assert_int_equal(ldsl_buffer_create(&workspace, ctx, ldsl_plan_workspace_bytes(plan) + 256),
                     LDSL_OK);
    for (size_t i = 0; i < ELEMENTS; i++)
        y[i] = -7;
    ldsl_buffer_upload(in, 0, x, ELEMENTS * sizeof *x);
    ldsl_buffer_upload(out, 0, y, ELEMENTS * sizeof *y);
    uint64_t pointers[] = {ldsl_buffer_address(in), ldsl_buffer_address(out)};
    enum ldsl_status status =
        ldsl_plan_launch(plan, pointers, 2, ldsl_buffer_address(workspace), NULL);
    if (status && !r->status)
        snprintf(r->why, sizeof r->why, "%s", ldsl_last_error());
    r->status = r->status ? r->status : status;
    ldsl_buffer_download(out, 0, y, ELEMENTS * sizeof *y);
    ldsl_buffer_destroy(in);
    ldsl_buffer_destroy(out);
    ldsl_buffer_destroy(workspace);
}

static void run_size(struct result *r, uint32_t i, ldsl_context *ctx, ldsl_library *library,
                     const char *op, const char *with)
{
    static float x[ELEMENTS];
    ldsl_argument arguments[2];
    ldsl_plan *plan;
    for (uint32_t k = 0; k < ELEMENTS; k++)
        x[k] = (float)((k * 2654435761u >> 8) % 1000) / 250 - 2;
    for (uint32_t k = 0; k < 2; k++) {
        ldsl_argument *a = &arguments[k];
        *a = (ldsl_argument){.name = k ? "y" : "x", .kind = LDSL_ARG_TENSOR, .dtype = LDSL_F32};
        a->rank = 2;
        a->shape[0] = ROWS;
        a->shape[1] = sizes[i].width;
        a->strides[0] = k ? sizes[i].y_stride : sizes[i].x_stride;
        a->strides[1] = 1;
    }
    if (ldsl_plan_prepare(&plan, library, op, arguments, 2, with))
        fail_msg("%s (%s): %s", op, with, ldsl_last_error());
    launch(r, r->y[i], ctx, plan, x);
    digest(r, library, plan);
    ldsl_plan_destroy(plan);
}

/* Runs op compiled for `target`, which the device does not know. */
static void run(struct result *r, const char *op, const char *with, const char *target)
{
    ldsl_context *ctx;
    ldsl_library *library;
    ldsl_context_options options = {.no_cache = true, .threads = 1};
    r->status = LDSL_OK;
    r->images = 14695981039346656037u;
    assert_int_equal(ldsl_context_create(&ctx, "simt", &options), LDSL_OK);
    snprintf(ctx->info.target, sizeof ctx->info.target, "%s", target);
    assert_int_equal(
        ldsl_library_load_text(&library, ctx, "mutants.ldsl", source, sizeof source - 1), LDSL_OK);
    for (uint32_t i = 0; i < SIZES; i++)
        run_size(r, i, ctx, library, op, with);
    ldsl_library_destroy(library);
    ldsl_context_destroy(ctx);
}

static bool differs(const struct result *a, const struct result *b)
{
    for (size_t i = 0; i < SIZES; i++)
        for (size_t k = 0; k < ELEMENTS; k++)
            if (!(fabsf(a->y[i][k] - b->y[i][k]) <= 1e-4f * fabsf(b->y[i][k]) + 1e-6f))
                return true;
    return false;
}

/* ---- all faults -------------------------------------------------------------------------------- */

struct tally {
    unsigned failed, wrong, idle, missed;
};

/* A guard that is never false is not missed, nor a select that leaves nothing out. */
static bool is_idle(const char *op, const char *with, const char *kind, unsigned number)
{
    static struct result r;
    char target[64];
    const char *probe = strcmp(kind, "guard") == 0    ? "probe"
                        : strcmp(kind, "select") == 0 ? "selected"
                                                      : NULL;
    if (!probe)
        return false;
    snprintf(target, sizeof target, GPU ",%s=%u", probe, number);
    run(&r, op, with, target);
    return !r.status;
}

/* Digits: only those that the block has. */
static void try_fault(struct tally *t, const char *op, const char *with, const char *kind,
                      const struct result *right, unsigned digits)
{
    static struct result r;
    unsigned count = digits ? digits : MAX_FAULTS;
    for (unsigned i = 0; i < count; i++) {
        char target[64];
        snprintf(target, sizeof target, GPU ",%s=%u", kind, i);
        run(&r, op, with, target);
        if (!digits && r.images == right->images)
            return; /* there is no such one any more */
        bool wrong = !r.status && differs(&r, right);
        t->failed += r.status != LDSL_OK;
        t->wrong += wrong;
        if (r.status || wrong)
            continue;
        if (is_idle(op, with, kind, i)) {
            t->idle++;
            continue;
        }
        t->missed++;
        print_message("missed: %s (%s) without %s %u\n", op, with, kind, i);
    }
}

/* spare: what the kernel could do without. */
static void check_subject(const char *op, const char *with, unsigned digits, unsigned spare)
{
    static struct result right;
    struct tally t = {0};
    run(&right, op, with, GPU);
    if (right.status)
        fail_msg("%s (%s): %s", op, with, right.why);
    try_fault(&t, op, with, "barrier", &right, 0);
    try_fault(&t, op, with, "guard", &right, 0);
    try_fault(&t, op, with, "select", &right, 0);
    try_fault(&t, op, with, "shuffle", &right, 0);
    try_fault(&t, op, with, "await", &right, 0);
    try_fault(&t, op, with, "basis", &right, 0);
    try_fault(&t, op, with, "commit", &right, 0);
    try_fault(&t, op, with, "wait", &right, 0);
    try_fault(&t, op, with, "digit", &right, digits);
    print_message("%s (%s): %u reported, %u wrong, %u never matter, %u missed\n", op, with,
                  t.failed, t.wrong, t.idle, t.missed);
    assert_true(t.failed > t.idle);
    assert_int_equal(t.missed, spare);
}

static void test_held(void **state)
{
    (void)state;
    check_subject("held", "num_warps=2", 6, 0);
}

static void test_swept(void **state)
{
    (void)state;
    check_subject("swept", "num_warps=2", 6, 0);
    /* Of a copy without its guard no bytes are valid. */
    check_subject("swept", "num_warps=2,stages=2,hold=32", 6, 1);
    check_subject("swept", "cluster=2,num_warps=1", 5, 0);
}

/* Sums over rows, formed while the words of a row are under way. Spare are guards of copies. */
static void test_sent(void **state)
{
    (void)state;
    check_subject("summed", "num_warps=4,stages=2,in_shared=3", 7, 2);
    check_subject("summed", "num_warps=2,cluster=2,stages=2,in_shared=3", 6, 2);
}

static void test_columns(void **state)
{
    (void)state;
    check_subject("columns", "num_warps=4", 7, 0);
}

static void test_scanned(void **state)
{
    (void)state;
    /* In a thread's two elements: those that do not exist come after all that do. */
    check_subject("scanned", "num_warps=4", 7, 2);
}

/* One side has a layout of its own, and the tile is turned in shared memory. */
static void test_turned(void **state)
{
    (void)state;
    check_subject("turned", "num_warps=2,convert=1", 6, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held),    cmocka_unit_test(test_swept),
        cmocka_unit_test(test_columns), cmocka_unit_test(test_scanned),
        cmocka_unit_test(test_turned),  cmocka_unit_test(test_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
