/* The driver: whose fault a failure is, imports, keys, callbacks, formatting. */
#include <ldsl/compile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char scale_text[] =
    "kernel scale<T: float>(x: tensor<T>[R, C], y: out tensor<T>[R, C], s: f32)\n"
    "  tune { BR in {1, 2}; default { BR = 2 }; }\n"
    "{\n"
    "  grid axis r in 0 .. R tile BR;\n"
    "  axis c in 0 .. C tile fit(C);\n"
    "  y[r, c] = T(f32(x[r, c]) * s);\n"
    "}\n";

struct heard {
    char first[512]; /* the first diagnostic's text */
    unsigned count;
};

static void listen(void *user, const struct ldsl_diag *diag)
{
    struct heard *heard = user;
    if (!heard->count++)
        snprintf(heard->first, sizeof heard->first, "%s", diag->text);
}

static ldsl_source source_of(const char *path, const char *text)
{
    return (ldsl_source){.path = path, .text = text, .length = strlen(text)};
}

/* Compiles; the artifact is the caller's. */
static enum ldsl_status compile(ldsl_artifact **out, struct heard *heard, const char *text,
                                const ldsl_options *options)
{
    struct ldsl_sink sink = {listen, heard};
    ldsl_source source = source_of("test.ldsl", text);
    *heard = (struct heard){0};
    enum ldsl_status status = ldsl_compile(out, &source, options, &sink);
    bool wanted = status == LDSL_OK && options->emit != LDSL_EMIT_CHECK;
    assert_true((*out != NULL) == wanted);
    assert_true(status == LDSL_OK || heard->count > 0);
    return status;
}

static void expect_text(const char *text, const ldsl_options *options, const char *part)
{
    struct heard heard;
    ldsl_artifact *a;
    assert_int_equal(compile(&a, &heard, text, options), LDSL_OK);
    if (!strstr(ldsl_artifact_data(a, NULL), part))
        fail_msg("no '%s' in: %s", part, (const char *)ldsl_artifact_data(a, NULL));
    ldsl_artifact_free(a);
}

static void every_stage(void **state)
{
    (void)state;
    static const struct {
        enum ldsl_emit emit;
        const char *part;
    } stages[] = {
        {LDSL_EMIT_AST,  "scale"         },
        {LDSL_EMIT_IR,   "kernel scale {"},
        {LDSL_EMIT_LLVM, "define"        },
        {LDSL_EMIT_ASM,  "scale"         }
    };
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        ldsl_options options = LDSL_OPTIONS_INIT;
        options.emit = stages[i].emit;
        expect_text(scale_text, &options, stages[i].part);
    }
}

/* The argument block: pointers and strides of tensors, then dims, then scalars. */
static void slots(void **state)
{
    (void)state;
    static const struct {
        enum ldsl_slot_kind kind;
        const char *name;
        uint32_t dtype;
    } wanted[] = {
        {LDSL_SLOT_POINTER, "x", LDSL_BF16},
        {LDSL_SLOT_STRIDE,  "x", LDSL_BF16},
        {LDSL_SLOT_POINTER, "y", LDSL_BF16},
        {LDSL_SLOT_STRIDE,  "y", LDSL_BF16},
        {LDSL_SLOT_DIM,     "R", LDSL_I64 },
        {LDSL_SLOT_DIM,     "C", LDSL_I64 },
        {LDSL_SLOT_SCALAR,  "s", LDSL_F32 }
    };
    struct ldsl_kernel_info info;
    struct heard heard;
    ldsl_artifact *a;
    ldsl_options options = LDSL_OPTIONS_INIT;
    options.bindings = "T=bf16";
    assert_int_equal(compile(&a, &heard, scale_text, &options), LDSL_OK);
    assert_true(ldsl_artifact_kernel(a, &info));
    assert_string_equal(info.name, "scale");
    assert_string_equal(info.variant, "T=bf16,fit.c=1024,BR=2");
    assert_int_equal(info.slot_count, sizeof wanted / sizeof *wanted);
    for (uint32_t i = 0; i < info.slot_count; i++) {
        assert_int_equal(info.slots[i].kind, wanted[i].kind);
        assert_int_equal(info.slots[i].dtype, wanted[i].dtype);
        assert_string_equal(ldsl_artifact_text(a, info.slots[i].name), wanted[i].name);
    }
    ldsl_artifact_free(a);
}

static void expect_failure(const char *text, const ldsl_options *options, enum ldsl_status status,
                           const char *part)
{
    struct heard heard;
    ldsl_artifact *a;
    assert_int_equal(compile(&a, &heard, text, options), status);
    if (!strstr(heard.first, part))
        fail_msg("said '%s', not '%s'", heard.first, part);
}

static void failures(void **state)
{
    (void)state;
    ldsl_options options = LDSL_OPTIONS_INIT;
    options.emit = LDSL_EMIT_IR;
    expect_failure("kernel", &options, LDSL_SOURCE, "");
    expect_failure("", &options, LDSL_SOURCE, "no kernel");
    options.target = "cpu:z80";
    expect_failure(scale_text, &options, LDSL_ARGUMENT, "z80");
    options.target = "cpu:native";
    options.passes = "canon,cze";
    expect_failure(scale_text, &options, LDSL_ARGUMENT, "there is no pass 'cze'");
    options.passes = NULL;
    options.kernel = "scael";
    expect_failure(scale_text, &options, LDSL_SOURCE, "scael");
    options.kernel = NULL;
    options.from_ir = true;
    expect_failure("kernel k {\n body {\n }\n}\n", &options, LDSL_SOURCE, "a block is empty");
    assert_int_equal(ldsl_compile(NULL, NULL, NULL, NULL), LDSL_ARGUMENT);
}

static void stop_after(void **state)
{
    (void)state;
    ldsl_options options = LDSL_OPTIONS_INIT;
    const char *text = "kernel k {\n tensors {\n  z : out f32[]\n }\n body {\n"
                       "  %one = const {f = 1} : f32\n  %two = add %one, %one : f32\n"
                       "  store z[], %two\n  return\n }\n}\n";
    options.emit = LDSL_EMIT_IR;
    options.from_ir = true;
    options.stop_after = "elaborate";
    expect_text(text, &options, "= add ");
    options.stop_after = "canon";
    expect_text(text, &options, "%two.1 = const {f = 2}");
}

static void key_of(char key[33], const char *text, const ldsl_options *options)
{
    ldsl_source source = source_of("test.ldsl", text);
    assert_int_equal(ldsl_compile_key(key, &source, options, NULL), LDSL_OK);
    assert_int_equal(strlen(key), 32);
}

static void keys(void **state)
{
    (void)state;
    char base[33], again[33];
    ldsl_options options = LDSL_OPTIONS_INIT;
    options.bindings = "T=bf16";
    key_of(base, scale_text, &options);
    key_of(again, scale_text, &options);
    assert_string_equal(base, again);
    char *spaced = malloc(sizeof scale_text + 100);
    snprintf(spaced, sizeof scale_text + 100, "// a comment changes no code\n%s", scale_text);
    key_of(again, spaced, &options);
    assert_string_equal(base, again);
    options.line_info = true; /* but the places in the source */
    key_of(base, scale_text, &options);
    key_of(again, spaced, &options);
    assert_string_not_equal(base, again);
    free(spaced);
    options.line_info = false;
    const ldsl_options plain = options;
    key_of(base, scale_text, &plain);
    options.bindings = "T=f16";
    key_of(again, scale_text, &options);
    assert_string_not_equal(base, again);
    options = plain;
    options.check = true;
    key_of(again, scale_text, &options);
    assert_string_not_equal(base, again);
    options = plain;
    options.emit = LDSL_EMIT_MODULE;
    key_of(again, scale_text, &options);
    assert_string_not_equal(base, again);
}

static void import_from_library(void **state)
{
    (void)state;
    struct heard heard;
    ldsl_artifact *a;
    ldsl_options options = LDSL_OPTIONS_INIT;
    options.emit = LDSL_EMIT_CHECK;
    assert_int_equal(compile(&a, &heard, "import \"prelude.ldsl\";\n", &options), LDSL_OK);
    assert_int_equal(compile(&a, &heard, "import \"no_such_file.ldsl\";\n", &options), LDSL_SOURCE);
}

/* A file next to the importing one goes before the library's. */
static void import_from_folder(void **state)
{
    (void)state;
    char folder[] = "/tmp/ldsl_import_XXXXXX", path[64], main_path[64];
    const char *text = "import \"prelude.ldsl\";\nfn twice(x: f32) -> f32 = double_it(x);\n";
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/prelude.ldsl", folder);
    snprintf(main_path, sizeof main_path, "%s/main.ldsl", folder);
    FILE *file = fopen(path, "w");
    fputs("fn double_it(x: f32) -> f32 = x + x;\n", file);
    fclose(file);
    struct heard heard = {0};
    struct ldsl_sink sink = {listen, &heard};
    ldsl_source source = source_of(main_path, text);
    ldsl_artifact *a;
    ldsl_options options = LDSL_OPTIONS_INIT;
    options.emit = LDSL_EMIT_CHECK;
    enum ldsl_status status = ldsl_compile(&a, &source, &options, &sink);
    unlink(path);
    rmdir(folder);
    if (status != LDSL_OK)
        fail_msg("%s", heard.first);
}

struct watched {
    char stages[512];
    unsigned dumps;
};

static void note_time(void *user, const char *stage, double seconds)
{
    struct watched *w = user;
    size_t used = strlen(w->stages);
    assert_true(seconds >= 0);
    snprintf(w->stages + used, sizeof w->stages - used, "%s ", stage);
}

static void note_dump(void *user, const char *pass, const char *text)
{
    struct watched *w = user;
    assert_non_null(pass);
    assert_non_null(text);
    w->dumps++;
}

static void callbacks(void **state)
{
    (void)state;
    struct watched w = {0};
    struct heard heard;
    ldsl_artifact *a;
    ldsl_options options = LDSL_OPTIONS_INIT;
    options.passes = "canon,dce";
    options.time = note_time;
    options.dump = note_dump;
    options.user = &w;
    assert_int_equal(compile(&a, &heard, scale_text, &options), LDSL_OK);
    ldsl_artifact_free(a);
    assert_string_equal(w.stages, "target parse elaborate canon dce codegen ");
    assert_int_equal(w.dumps, 3);
}

static void formatting(void **state)
{
    (void)state;
    char *text;
    ldsl_source source = source_of("f.ldsl", "fn f(x:f32)->f32=x+1.0;");
    ldsl_source bad = source_of("f.ldsl", "fn (");
    assert_int_equal(ldsl_format(&text, &source, NULL), LDSL_OK);
    assert_string_equal(text, "fn f(x: f32) -> f32 = x + 1.0;\n");
    free(text);
    assert_int_equal(ldsl_format(&text, &bad, NULL), LDSL_SOURCE);
    assert_null(text);
}

static void names(void **state)
{
    (void)state;
    unsigned count = 0;
    while (ldsl_pass_name(count)) {
        assert_non_null(ldsl_pass_summary(count));
        count++;
    }
    assert_true(count > 3);
    assert_null(ldsl_pass_summary(count));
    assert_non_null(strstr(ldsl_compiler_version(), "(LLVM "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stage),
        cmocka_unit_test(slots),
        cmocka_unit_test(failures),
        cmocka_unit_test(stop_after),
        cmocka_unit_test(keys),
        cmocka_unit_test(import_from_library),
        cmocka_unit_test(import_from_folder),
        cmocka_unit_test(callbacks),
        cmocka_unit_test(formatting),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
