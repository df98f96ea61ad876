/* What the header promises in its first lines, as a stranger would write it: open, load, prepare,
 * launch, release. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ldsl/ldsl.h>
#include <string.h>

static const char source[] =
    "kernel scale_rows<T: float>(x: tensor<T>[R, D], y: out tensor<T>[R, D], factor: f32)\n"
    "{\n"
    "  grid r in 0 .. R;\n"
    "  axis c in 0 .. D tile fit(D);\n"
    "  y[r, c] = T(f32(x[r, c]) * factor);\n"
    "}\n"
    "\n"
    "/// y = x * factor * factor, by way of scratch memory.\n"
    "op scale_twice<T: float>(x: tensor<T>[R, D], factor: f32 = 2.0) -> (y: tensor<T>[R, D])\n"
    "{\n"
    "  scratch half: tensor<T>[R, D];\n"
    "  launch scale_rows(x, half, factor);\n"
    "  launch scale_rows(half, y, factor);\n"
    "}\n";

enum { ROWS = 3, WIDTH = 37 };

static void a_program_in_five_steps(void **state)
{
    (void)state;
    ldsl_context *ctx;
    ldsl_library *lib;
    ldsl_plan *plan;
    assert_int_equal(ldsl_context_create(&ctx, "cpu", NULL), LDSL_OK);
    assert_int_equal(ldsl_library_load_text(&lib, ctx, "mine.ldsl", source, strlen(source)),
                     LDSL_OK);

    const ldsl_argument arguments[] = {
        {.name = "x",
         .kind = LDSL_ARG_TENSOR,
         .dtype = LDSL_F32,
         .rank = 2,
         .shape = {ROWS, WIDTH}},
        {.name = "factor", .kind = LDSL_ARG_SCALAR, .number = 3.0},
    };
    assert_int_equal(ldsl_plan_prepare(&plan, lib, "scale_twice", arguments, 2, NULL), LDSL_OK);

    /* The output was not described: the plan knows it. */
    ldsl_tensor_info y;
    assert_int_equal(ldsl_plan_tensor_count(plan), 2);
    assert_true(ldsl_plan_tensor(plan, 1, &y));
    assert_string_equal(y.name, "y");
    assert_true(y.is_output && y.is_written);
    assert_int_equal(y.dtype, LDSL_F32);
    assert_int_equal(y.shape[0], ROWS);
    assert_int_equal(y.shape[1], WIDTH);
    assert_int_equal(y.bytes, ROWS * WIDTH * sizeof(float));
    assert_false(ldsl_plan_tensor(plan, 2, &y));
    assert_int_equal(ldsl_plan_launch_count(plan), 2);
    assert_string_equal(ldsl_plan_launch_kernel(plan, 0), "scale_rows");
    assert_non_null(strstr(ldsl_plan_launch_variant(plan, 0), "T=f32"));
    assert_true(ldsl_plan_workspace_bytes(plan) >= y.bytes);

    float in[ROWS * WIDTH], out[ROWS * WIDTH];
    for (int i = 0; i < ROWS * WIDTH; i++)
        in[i] = (float)i;
    ldsl_buffer *x_buffer, *y_buffer, *workspace;
    assert_int_equal(ldsl_buffer_create(&x_buffer, ctx, sizeof in), LDSL_OK);
    assert_int_equal(ldsl_buffer_create(&y_buffer, ctx, sizeof out), LDSL_OK);
    assert_int_equal(ldsl_buffer_create(&workspace, ctx, ldsl_plan_workspace_bytes(plan)), LDSL_OK);
    assert_int_equal(ldsl_buffer_upload(x_buffer, 0, in, sizeof in), LDSL_OK);
    const uint64_t pointers[] = {ldsl_buffer_address(x_buffer), ldsl_buffer_address(y_buffer)};
    assert_int_equal(ldsl_plan_launch(plan, pointers, 2, ldsl_buffer_address(workspace), NULL),
                     LDSL_OK);
    assert_int_equal(ldsl_stream_synchronize(ctx, NULL), LDSL_OK);
    assert_int_equal(ldsl_buffer_download(y_buffer, 0, out, sizeof out), LDSL_OK);
    for (int i = 0; i < ROWS * WIDTH; i++)
        assert_true(out[i] == (float)i * 9.0f);

    ldsl_buffer_destroy(x_buffer);
    ldsl_buffer_destroy(y_buffer);
    ldsl_buffer_destroy(workspace);
    ldsl_plan_destroy(plan);
    ldsl_library_destroy(lib);
    ldsl_context_destroy(ctx);
}

static void operators_describe_themselves(void **state)
{
    (void)state;
    ldsl_context *ctx;
    ldsl_library *lib;
    ldsl_op_info info;
    ldsl_op_param param;
    enum ldsl_dtype dtypes[LDSL_DTYPE_COUNT];
    uint32_t count;
    assert_int_equal(ldsl_context_create(&ctx, "cpu", NULL), LDSL_OK);
    assert_int_equal(ldsl_library_load_text(&lib, ctx, "mine.ldsl", source, strlen(source)),
                     LDSL_OK);
    assert_int_equal(ldsl_library_op_count(lib), 1);
    assert_string_equal(ldsl_library_op_name(lib, 0), "scale_twice");
    assert_null(ldsl_library_op_name(lib, 1));
    assert_true(ldsl_op_find(lib, "scale_twice", &info));
    assert_false(ldsl_op_find(lib, "scale_rows", &info)); /* a kernel is no operator */
    assert_true(ldsl_op_find(lib, "scale_twice", &info));
    assert_int_equal(info.param_count, 3);
    assert_true(ldsl_op_get_param(lib, "scale_twice", 1, &param));
    assert_string_equal(param.name, "factor");
    assert_true(param.has_default);
    assert_true(param.default_number == 2.0);
    assert_string_equal(ldsl_op_generic(lib, "scale_twice", 0, dtypes, &count), "T");
    assert_int_equal(count, 3);
    assert_string_equal(ldsl_op_dim(lib, "scale_twice", 0), "R");
    assert_string_equal(ldsl_op_dim(lib, "scale_twice", 1), "D");
    ldsl_library_destroy(lib);
    ldsl_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_in_five_steps),
        cmocka_unit_test(operators_describe_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
