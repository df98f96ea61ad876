/* An operator from source text, run on four numbers: what a stranger does first. */
#include <ldsl/ldsl.h>
#include <stdio.h>
#include <string.h>

static const char source[] = "kernel twice_fwd(x: tensor<f32>[N], y: out tensor<f32>[N]) {\n"
                             "  grid axis i in 0 .. N tile 64;\n"
                             "  y[i] = x[i] + x[i];\n"
                             "}\n"
                             "op twice(x: tensor<f32>[N]) -> (y: tensor<f32>[N]) {\n"
                             "  launch twice_fwd(x, y);\n"
                             "}\n";

static int check(enum ldsl_status status, const char *what)
{
    if (status != LDSL_OK)
        fprintf(stderr, "%s: %s: %s\n", what, ldsl_status_name(status), ldsl_last_error());
    return status == LDSL_OK;
}

int main(void)
{
    ldsl_context *context = NULL;
    ldsl_library *library = NULL;
    ldsl_plan *plan = NULL;
    ldsl_context_options options = {.no_cache = true};
    const ldsl_argument x = {
        .name = "x", .dtype = LDSL_F32, .rank = 1, .shape = {4}, .alignment = sizeof(float)};
    float in[4] = {1, 2, 3, 4.5f}, out[4] = {0};
    const float expected[4] = {2, 4, 6, 9};
    uint64_t pointers[2] = {(uint64_t)(uintptr_t)in, (uint64_t)(uintptr_t)out};

    ldsl_argument arguments[2] = {x, x};
    arguments[1].name = "y";
    int ok = check(ldsl_context_create(&context, "cpu", &options), "context") &&
             check(ldsl_library_load_text(&library, context, "twice.ldsl", source, strlen(source)),
                   "load") &&
             check(ldsl_plan_prepare(&plan, library, "twice", arguments, 2, NULL), "prepare") &&
             check(ldsl_plan_launch(plan, pointers, 2, 0, NULL), "launch") &&
             check(ldsl_stream_synchronize(context, NULL), "synchronize");
    if (ok && memcmp(out, expected, sizeof out) != 0) {
        fprintf(stderr, "wrong result\n");
        ok = 0;
    }
    ldsl_plan_destroy(plan);
    ldsl_library_destroy(library);
    ldsl_context_destroy(context);
    return !ok;
}
