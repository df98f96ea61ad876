/* Running out of memory, everywhere: allocation number N of a whole compile fails, for every N.
 * Each time the compile says NOMEM, gives nothing, and leaks nothing (the sanitizer watches). Needs
 * -DLDSL_HOSTILE=ON, which gives every allocation of the arenas its own malloc and can fail it. */
#include "support/arena.h"

#include <ldsl/compile.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#ifdef LDSL_HOSTILE

static const char kernel_text[] =
    "kernel scale<T: float>(x: tensor<T>[R, C], y: out tensor<T>[R, C], s: f32)\n"
    "  tune { BR in {1, 2}; default { BR = 2 }; }\n"
    "{\n"
    "  grid axis r in 0 .. R tile BR;\n"
    "  axis c in 0 .. C tile fit(C);\n"
    "  let v = f32(x[r, c]);\n"
    "  let m = max(v over c);\n"
    "  y[r, c] = T((v - m) * s);\n"
    "}\n";

static const char ir_text[] = "kernel k {\n"
                              "  params {\n"
                              "    %N.0 : dim\n"
                              "  }\n"
                              "  tensors {\n"
                              "    x : mut f32[%N.0]\n"
                              "  }\n"
                              "  axes {\n"
                              "    c : grid %zero .. %N.0 {tile = 16}\n"
                              "  }\n"
                              "  body {\n"
                              "    %zero = const {i = 0} : index\n"
                              "    %c = index {axis = c} : index[c]\n"
                              "    %x = load x[%c] : f32[c]\n"
                              "    %y = add %x, %x : f32[c]\n"
                              "    store x[%c], %y\n"
                              "    return\n"
                              "  }\n"
                              "}\n";

static void remember(void *user, const struct ldsl_diag *diag)
{
    *(bool *)user = strcmp(diag->text, "out of memory") == 0;
}

/* Compiles once with allocation n failing. False when the compile was over before. */
static bool fails_at(uint64_t n, const ldsl_source *source, const ldsl_options *options)
{
    bool said = false;
    struct ldsl_sink sink = {remember, &said};
    ldsl_artifact *artifact = (ldsl_artifact *)-1;
    arena_fail_at(n);
    enum ldsl_status status = ldsl_compile(&artifact, source, options, &sink);
    arena_fail_at(0);
    if (status == LDSL_OK) {
        assert_non_null(artifact);
        ldsl_artifact_free(artifact);
        return false;
    }
    assert_int_equal(status, LDSL_NOMEM);
    assert_null(artifact);
    assert_true(said);
    return true;
}

static void sweep(const char *text, size_t length, enum ldsl_emit emit, bool from_ir)
{
    ldsl_source source = {.path = "oom.ldsl", .text = text, .length = length};
    ldsl_options options = LDSL_OPTIONS_INIT;
    options.emit = emit;
    options.from_ir = from_ir;
    uint64_t n = 1;
    while (fails_at(n, &source, &options))
        n++;
    assert_true(n > 100); /* the hook works */
}

static void from_ir(void **state)
{
    (void)state;
    sweep(ir_text, sizeof ir_text - 1, LDSL_EMIT_IR, true);
}

static void front_end(void **state)
{
    (void)state;
    sweep(kernel_text, sizeof kernel_text - 1, LDSL_EMIT_IR, false);
}

static void module_image(void **state)
{
    (void)state;
    sweep(kernel_text, sizeof kernel_text - 1, LDSL_EMIT_MODULE, false);
}

static void machine_code(void **state)
{
    (void)state;
    sweep(ir_text, sizeof ir_text - 1, LDSL_EMIT_IMAGE, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_ir),
        cmocka_unit_test(front_end),
        cmocka_unit_test(module_image),
        cmocka_unit_test(machine_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void needs_hostile_build(void **state)
{
    (void)state;
    print_message("skipped: configure with -DLDSL_HOSTILE=ON\n");
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(needs_hostile_build)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
