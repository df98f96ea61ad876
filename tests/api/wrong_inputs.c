/* Wrong inputs of every kind: the right status, a text that says what is wrong, nothing written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ldsl/ldsl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char source[] =
    "enum Mode { plain, negated }\n"
    "kernel k<T: float>(x: tensor<T>[R, D], w: tensor<T>[D]?, y: out tensor<T>[R, D], s: f32,\n"
    "                   const mode: Mode)\n"
    "{\n"
    "  grid r in 0 .. R;\n"
    "  axis c in 0 .. D tile fit(D);\n"
    "  var v = f32(x[r, c]) * s;\n"
    "  if has w { v += f32(w[c]); }\n"
    "  if mode == Mode.negated { v = -v; }\n"
    "  y[r, c] = T(v);\n"
    "}\n"
    "op f<T: float>(x: tensor<T>[R, D], w: tensor<T>[D]?, s: f32 = 1.0, const mode: Mode = "
    "Mode.plain)\n"
    "  -> (y: tensor<T>[R, D])\n"
    "  require D <= 1000, \"rows are too wide\";\n"
    "{\n"
    "  scratch z: tensor<T>[R, D];\n"
    "  launch k(x, w, z, s, mode);\n"
    "  launch k(z, w, y, s, mode);\n"
    "}\n";

enum { ROWS = 2, WIDTH = 8, ELEMENTS = ROWS * WIDTH };

struct world {
    ldsl_context *ctx;
    ldsl_library *lib;
    unsigned heard; /* errors */
    char text[512];
};

static void hear(void *user, const struct ldsl_diag *diag)
{
    struct world *w = user;
    if (diag->severity == LDSL_ERROR) {
        w->heard++;
        snprintf(w->text, sizeof w->text, "%s", diag->text);
    }
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    if (!w)
        return -1;
    ldsl_context_options options = {
        .sink = {.report = hear, .user = w}
    };
    *state = w;
    return ldsl_context_create(&w->ctx, "cpu", &options) ||
           ldsl_library_load_text(&w->lib, w->ctx, "f.ldsl", source, strlen(source));
}

static int tear_down(void **state)
{
    struct world *w = *state;
    ldsl_library_destroy(w->lib);
    ldsl_context_destroy(w->ctx);
    free(w);
    return 0;
}

#define TENSOR(n, ...)                                                                             \
    {                                                                                              \
        .name = n, .kind = LDSL_ARG_TENSOR, .dtype = LDSL_F32, __VA_ARGS__                         \
    }
#define X TENSOR("x", .rank = 2, .shape = {ROWS, WIDTH})

/* Each of these must be refused, with a text that contains `says`. */
static const struct wrong {
    const char *what;
    ldsl_argument arguments[3];
    const char *with;
    const char *says;
} wrongs[] = {
    {"rank",                             {TENSOR("x", .rank = 1, .shape = {8})},                         NULL,   "x"                },
    {"too many dims",                    {TENSOR("x", .rank = 9, .shape = {1})},                         NULL,   "x"                },
    {"negative dim",                     {TENSOR("x", .rank = 2, .shape = {2, -8})},                     NULL,   "x"                },
    {"dtype",
     {X, {.name = "w", .kind = LDSL_ARG_TENSOR, .dtype = LDSL_BF16, .rank = 1, .shape = {8}}},
     NULL,                                                                                                       "w"                },
    {"dtype out of set",
     {{.name = "x", .kind = LDSL_ARG_TENSOR, .dtype = LDSL_I32, .rank = 2, .shape = {2, 8}}},
     NULL,                                                                                                       "x"                },
    {"no dtype at all",
     {{.name = "x",
       .kind = LDSL_ARG_TENSOR,
       .dtype = (enum ldsl_dtype)99,
       .rank = 2,
       .shape = {2, 8}}},
     NULL,                                                                                                       "x"                },
    {"dim that differs",                 {X, TENSOR("w", .rank = 1, .shape = {9})},                      NULL,   "w"                },
    {"output's dim",                     {X, TENSOR("y", .rank = 2, .shape = {3, 8})},                   NULL,   "y"                },
    {"require",                          {TENSOR("x", .rank = 2, .shape = {2, 1001})},                   NULL,   "rows are too wide"},
    {"inner stride",                     {TENSOR("x", .rank = 2, .shape = {2, 8}, .strides = {16, 2})},  NULL,   "x"                },
    {"rows of the output on each other",
     {X, TENSOR("y", .rank = 2, .shape = {2, 8}, .strides = {4, 1})},
     NULL,                                                                                                       "y"                },
    {"size overflow",                    {TENSOR("x", .rank = 2, .shape = {INT64_MAX / 4, 8})},          NULL,   "x"                },
    {"alignment that is none",
     {TENSOR("x", .rank = 2, .shape = {2, 8}, .alignment = 3)},
     NULL,                                                                                                       "x"                },
    {"missing tensor",                   {TENSOR("w", .rank = 1, .shape = {8})},                         NULL,   "x"                },
    {"absent but needed",                {{.name = "x", .kind = LDSL_ARG_ABSENT}},                       NULL,   "x"                },
    {"unknown argument",                 {X, TENSOR("weight", .rank = 1, .shape = {8})},                 NULL,   "weight"           },
    {"argument twice",                   {X, X},                                                         NULL,   "x"                },
    {"argument without a name",          {X, {.name = NULL, .kind = LDSL_ARG_SCALAR}},                   NULL,   ""                 },
    {"scalar for a tensor",              {{.name = "x", .kind = LDSL_ARG_SCALAR, .number = 1}},          NULL,   "x"                },
    {"tensor for a scalar",              {X, TENSOR("s", .rank = 0)},                                    NULL,   "s"                },
    {"number that f32 has not",
     {X, {.name = "s", .kind = LDSL_ARG_SCALAR, .number = 1e300}},
     NULL,                                                                                                       "s"                },
    {"enum word",                        {X, {.name = "mode", .kind = LDSL_ARG_ENUM, .word = "negatd"}}, NULL,   "negatd"           },
    {"enum without a word",              {X, {.name = "mode", .kind = LDSL_ARG_ENUM}},                   NULL,   "mode"             },
    {"generic that contradicts",
     {X, {.name = "T", .kind = LDSL_ARG_TYPE, .dtype = LDSL_BF16}},
     NULL,                                                                                                       "T"                },
    {"unknown schedule value",           {X},                                                            "BQ=4", "BQ"               },
    {"schedule that is no list",         {X},                                                            "=,=",  ""                 },
};

static void every_wrong_argument_is_refused(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        const struct wrong *wrong = &wrongs[i];
        ldsl_plan *plan = (ldsl_plan *)w;
        uint32_t count = 1;
        while (count < 3 &&
               memcmp(&wrong->arguments[count], &(ldsl_argument){0}, sizeof(ldsl_argument)) != 0)
            count++;
        if (strcmp(wrong->what, "argument without a name") == 0)
            count = 2;
        w->heard = 0;
        enum ldsl_status status =
            ldsl_plan_prepare(&plan, w->lib, "f", wrong->arguments, count, wrong->with);
        if (status != LDSL_ARGUMENT || plan || !strstr(ldsl_last_error(), wrong->says) ||
            w->heard != 1 || strcmp(w->text, ldsl_last_error()) != 0) {
            print_error("%s: %s, heard %u times: '%s'\n", wrong->what, ldsl_status_name(status),
                        w->heard, ldsl_last_error());
            fail();
        }
    }
}

static void unknown_operators_are_named(void **state)
{
    struct world *w = *state;
    ldsl_plan *plan;
    const ldsl_argument x = X;
    assert_int_equal(ldsl_plan_prepare(&plan, w->lib, "g", &x, 1, NULL), LDSL_ARGUMENT);
    assert_non_null(strstr(ldsl_last_error(), "'g'"));
    assert_int_equal(ldsl_plan_prepare(&plan, w->lib, NULL, &x, 1, NULL), LDSL_ARGUMENT);
    assert_int_equal(ldsl_plan_prepare(&plan, NULL, "f", &x, 1, NULL), LDSL_ARGUMENT);
    assert_int_equal(ldsl_plan_prepare(NULL, w->lib, "f", &x, 1, NULL), LDSL_ARGUMENT);
    assert_int_equal(ldsl_plan_prepare(&plan, w->lib, "f", NULL, 1, NULL), LDSL_ARGUMENT);
}

/* A launch with pointers of the given kind; nothing may be written. */
static void every_wrong_pointer_is_refused(void **state)
{
    struct world *w = *state;
    ldsl_plan *plan;
    const ldsl_argument x = X;
    assert_int_equal(ldsl_plan_prepare(&plan, w->lib, "f", &x, 1, NULL), LDSL_OK);
    size_t bytes = ldsl_plan_workspace_bytes(plan);
    ldsl_buffer *buffer;
    assert_int_equal(ldsl_buffer_create(&buffer, w->ctx, 2048 + bytes + 512), LDSL_OK);
    unsigned char before[2048], after[2048];
    memset(before, 0x5a, sizeof before);
    assert_int_equal(ldsl_buffer_upload(buffer, 0, before, sizeof before), LDSL_OK);
    uint64_t base = ldsl_buffer_address(buffer), space = base + 2048;
    const struct {
        uint64_t pointers[2];
        uint32_t count;
        uint64_t workspace;
        const char *says;
    } launches[] = {
        {{0, base + 1024},        2, space,     "x"        },
        {{base, 0},               2, space,     "y"        },
        {{base + 4, base + 1024}, 2, space,     "x"        }, /* 256 was promised */
        {{base, base},            2, space,     "overlap"  },
        {{base, base + 1024},     1, space,     "1"        },
        {{base, base + 1024},     3, space,     "3"        },
        {{base, base + 1024},     2, 0,         "workspace"},
        {{base, base + 1024},     2, space + 8, "workspace"},
        {{base, base + 1024},     2, base,      "workspace"}, /* on x */
    };
    for (size_t i = 0; i < sizeof launches / sizeof *launches; i++) {
        w->heard = 0;
        enum ldsl_status status = ldsl_plan_launch(plan, launches[i].pointers, launches[i].count,
                                                   launches[i].workspace, NULL);
        if (status != LDSL_ARGUMENT || w->heard != 1 ||
            !strstr(ldsl_last_error(), launches[i].says)) {
            print_error("launch %zu: %s: '%s'\n", i, ldsl_status_name(status), ldsl_last_error());
            fail();
        }
    }
    assert_int_equal(ldsl_plan_launch(plan, NULL, 2, space, NULL), LDSL_ARGUMENT);
    assert_int_equal(ldsl_plan_launch(NULL, NULL, 0, 0, NULL), LDSL_ARGUMENT);
    assert_int_equal(ldsl_buffer_download(buffer, 0, after, sizeof after), LDSL_OK);
    assert_memory_equal(before, after, sizeof before);
    ldsl_buffer_destroy(buffer);
    ldsl_plan_destroy(plan);
}

static void nothing_is_a_buffer(void **state)
{
    struct world *w = *state;
    ldsl_buffer *buffer;
    char byte = 0;
    assert_int_equal(ldsl_buffer_create(&buffer, NULL, 1), LDSL_ARGUMENT);
    assert_int_equal(ldsl_buffer_create(NULL, w->ctx, 1), LDSL_ARGUMENT);
    assert_int_equal(ldsl_buffer_upload(NULL, 0, &byte, 1), LDSL_ARGUMENT);
    assert_int_equal(ldsl_buffer_download(NULL, 0, &byte, 1), LDSL_ARGUMENT);
    assert_int_equal(ldsl_buffer_address(NULL), 0);
    assert_int_equal(ldsl_device_copy(NULL, 1, 2, 3, NULL), LDSL_ARGUMENT);
    assert_int_equal(ldsl_buffer_create(&buffer, w->ctx, 1), LDSL_OK);
    assert_int_equal(ldsl_buffer_upload(buffer, 0, NULL, 1), LDSL_ARGUMENT);
    assert_int_equal(ldsl_buffer_download(buffer, 0, NULL, 1), LDSL_ARGUMENT);
    assert_int_equal(ldsl_buffer_upload(buffer, 0, NULL, 0), LDSL_OK);
    ldsl_buffer_destroy(buffer);
    assert_string_equal(ldsl_context_device(NULL), "");
    assert_int_equal(ldsl_library_op_count(NULL), 0);
    assert_null(ldsl_library_op_name(NULL, 0));
    assert_false(ldsl_plan_launch_info(NULL, 0, NULL));
}

static void wrong_sources_say_where(void **state)
{
    struct world *w = *state;
    ldsl_library *lib;
    static const char text[] =
        "op f(x: tensor<f32>[R]) -> (y: tensor<f32>[R])\n{\n  launch k(x, y);\n}\n";
    w->heard = 0;
    assert_int_equal(ldsl_library_load_text(&lib, w->ctx, "bad.ldsl", text, strlen(text)),
                     LDSL_SOURCE);
    assert_null(lib);
    assert_true(w->heard >= 1);
    assert_non_null(strstr(ldsl_last_error(), "bad.ldsl:3:")); /* the first one */
    assert_int_equal(ldsl_library_load_text(&lib, w->ctx, "zero.ldsl", "\0\0\0", 3), LDSL_SOURCE);
    assert_int_equal(ldsl_library_load_file(&lib, w->ctx, "/nowhere.ldsl"), LDSL_DEVICE);
}

static void damaged_artifacts_are_refused(void **state)
{
    (void)state;
    ldsl_artifact *artifact = NULL, *back = NULL;
    ldsl_source src = {.path = "f.ldsl", .text = source, .length = strlen(source)};
    ldsl_options options = LDSL_OPTIONS_INIT;
    options.kernel = "k";
    assert_int_equal(ldsl_compile(&artifact, &src, &options, NULL), LDSL_OK);
    size_t bytes;
    const char *block = ldsl_artifact_bytes(artifact, &bytes);
    for (size_t cut = 0; cut < bytes; cut += cut < 256 ? 1 : 61) {
        char *copy = malloc(cut + 1); /* of its own size, so that a sanitizer sees overruns */
        assert_non_null(copy);
        memcpy(copy, block, cut);
        assert_int_equal(ldsl_artifact_read(&back, copy, cut), LDSL_ARGUMENT);
        assert_null(back);
        free(copy);
    }
    assert_int_equal(ldsl_artifact_read(&back, block, bytes), LDSL_OK);
    ldsl_artifact_free(back);
    ldsl_artifact_free(artifact);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_wrong_argument_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_operators_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_wrong_pointer_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_a_buffer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_sources_say_where, set_up, tear_down),
        cmocka_unit_test(damaged_artifacts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
