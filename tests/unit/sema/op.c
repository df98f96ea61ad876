/* The op layer in compiled form: what an image says of operators and of the kernels they launch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sema/sema.h"

#include <ldsl/module.h>
#include <stdio.h>
#include <stdlib.h>

struct file {
    const char *path, *text;
};

static bool load(void *user, struct session *s, const char *from, const char *name,
                 const char **path, const char **text, size_t *length)
{
    const struct file *files = user;
    (void)s;
    (void)from;
    for (uint32_t i = 0; files[i].path; i++)
        if (strcmp(files[i].path, name) == 0) {
            *path = files[i].path;
            *text = files[i].text;
            *length = strlen(files[i].text);
            return true;
        }
    return false;
}

static void hear(void *user, const struct ldsl_diag *diag)
{
    (void)user;
    printf("%u: %s\n", diag->place.line, diag->text);
}

/* The image of the first file, as text and (if wanted) as bytes that the caller frees. */
static char *print(const struct file *files, void **image, size_t *bytes)
{
    struct session s;
    const struct ldsl_sink sink = {.report = hear};
    const struct sema_loader loader = {load, (void *)(uintptr_t)files};
    session_init(&s, &sink);
    if (setjmp(s.unwind.env))
        fail_msg("the compile was unwound");
    struct sema_module *m =
        sema_load(&s, source_add(&s, files[0].path, files[0].text, strlen(files[0].text)), &loader);
    size_t size = 0;
    const void *made = sema_module_image(m, &size);
    diag_flush(&s);
    assert_non_null(made);
    const char *text = sema_print_plan(&s, made);
    char *copy = malloc(strlen(text) + 1);
    strcpy(copy, text);
    if (image) {
        *image = malloc(size);
        memcpy(*image, made, size);
        *bytes = size;
    }
    session_destroy(&s);
    return copy;
}

static void assert_prints(const struct file *files, const char *expected)
{
    char *text = print(files, NULL, NULL);
    assert_string_equal(text, expected);
    free(text);
}

static void test_kernel_and_op(void **state)
{
    (void)state;
    const struct file files[] = {
        {"a.ldsl",
         "enum Mode { plain, fancy }\n"
         "kernel k<T: float>(x: tensor<T>[R, D], w: tensor<f32>[D]?, y: out tensor<T>[R, D], e: "
         "f32,\n"
         "    const mode: Mode)\n"
         "  require D > 1, \"wide\";\n"
         "  specialize D % 8 == 0, align(x, 16);\n"
         "  meta BD = fit(D);\n"
         "  tune { BR in {1, 2, 4 .. 10 step 3}; raster in {rows, grouped8}; where BR * BD <= "
         "dev.smem;\n"
         "    default { BR = 2, raster = grouped8 } where dev.is_gpu; default { BR = 1, raster = "
         "rows }; }\n"
         "{ grid axis r in 0 .. R tile BR; axis c in 0 .. D tile BD parts p; axis d in 0 .. R tile "
         "fit(R);\n"
         "  let n = R + 1; grid i in 1 .. n; y[r, c] = x[r, c]; }\n"
         "/// Says it. And more.\n"
         "op f<T: {f16, f32}>(x: tensor<T>[R, 2 * D], e: f32 = 1e-3) -> (y: tensor<T>[R, D])\n"
         "  key(D, bucket(R), T);\n"
         "  sample x = normal(0.0,\n     1.0);\n"
         "  bench { R = 8, D = 4 };\n"
         "{ launch k(x[0 .. R, 0 .. D], y: y, e: e * 2.0, mode: D > 9 ? Mode.plain : Mode.fancy)\n"
         "    with { BR = 4 }; }\n"},
        {NULL,     NULL            },
    };
    assert_prints(
        files, "kernel k  // a.ldsl:2\n"
               "  type T: f16, bf16, f32\n"
               "  in x: tensor<T>[R, D]\n"
               "  in w: tensor<f32>[D]?\n"
               "  out y: tensor<T>[R, D]\n"
               "  in e: f32\n"
               "  in mode: const Mode in {0, 1}\n"
               "  require (D > 1), \"wide\"\n"
               "  specialize (((D % 8) == 0) && align(x, 16))\n"
               "  meta BD = fit(((!dev.is_gpu || (((D % 8) == 0) && align(x, 16))) ? D : "
               "max(min((D + 7), 65536), D)))\n"
               "  meta fit.d = fit(((!dev.is_gpu || (((D % 8) == 0) && align(x, 16))) ? R : "
               "max(min((R + 7), 65536), R)))\n"
               "  tune BR in {1, 2, 4, 7}\n"
               "  tune raster in {0, 1}\n"
               "  where ((BR * BD) <= dev.smem)\n"
               "  default { BR = 2, raster = 1 } where dev.is_gpu\n"
               "  default { BR = 1, raster = 0 }\n"
               "  grid r: R by BR\n"
               "  grid i: ((R + 1) - 1) by 1\n"
               "  parts p\n"
               "\n"
               "op f  // a.ldsl:12\n"
               "  type T: f16, f32\n"
               "  in x: tensor<T>[R, (2 * D)] sample normal(0.0, 1.0)\n"
               "  in e: f32 = 0.001\n"
               "  out y: tensor<T>[R, D]\n"
               "  key D, bucket(R), T\n"
               "  bench { R = 8, D = 4 }\n"
               "do\n"
               "  launch k(x: x[0 .. R, 0 .. D], w: -, y: y, e: (e * 2), mode: ((D > 9) ? 0 : 1)) "
               "with { BR = 4 }\n"
               "\n");
}

static void test_statements(void **state)
{
    (void)state;
    const struct file files[] = {
        {"a.ldsl", "fn chunk(n: index, most: index) -> index {\n"
                   "  let half = n / 2;\n"
                   "  if half > most { return most; }\n"
                   "  return max(half, 1);\n"
                   "}\n"
                   "const limit: index = 4;\n"
                   "extern op mul(x: tensor<f32>[N], s: f32) -> (y: tensor<f32>[N]);\n"
                   "op f(x: mut tensor<f32>[N], w: tensor<f32>[N]?) -> (y: tensor<f32>[N]) {\n"
                   "  let C = chunk(N, limit);\n"
                   "  scratch t: tensor<f32>[C];\n"
                   "  for i in 0 .. N step C {\n"
                   "    let part = x[i .. min(i + C, N)];\n"
                   "    if has w && N > 3 { zero(t); } else { zero(part); }\n"
                   "    mul(x, y: y, s: 0.5);\n"
                   "  }\n"
                   "  assert(C > 0, \"some\");\n"
                   "}\n"},
        {NULL,     NULL                   },
    };
    assert_prints(files, "extern op mul  // a.ldsl:7\n"
                         "  in x: tensor<f32>[N]\n"
                         "  in s: f32\n"
                         "  out y: tensor<f32>[N]\n"
                         "do\n"
                         "\n"
                         "op f  // a.ldsl:8\n"
                         "  mut x: tensor<f32>[N]\n"
                         "  in w: tensor<f32>[N]?\n"
                         "  out y: tensor<f32>[N]\n"
                         "do\n"
                         "  let C = (((N / 2) > 4) ? 4 : max((N / 2), 1))\n"
                         "  scratch t: tensor<f32>[C]\n"
                         "  for i in 0 .. N step C\n"
                         "    let part = x[i .. min((i + C), N)]\n"
                         "    if (has w && (N > 3))\n"
                         "      zero t\n"
                         "    else\n"
                         "      zero part\n"
                         "    mul(x: x, s: 0.5, y: y)\n"
                         "  assert (C > 0)\n"
                         "\n");
}

/* Operators and kernels of other files come along; one that the file does not see by name is named
 * with its path. */
static void test_imports(void **state)
{
    (void)state;
    const struct file files[] = {
        {"a.ldsl", "import \"b.ldsl\" as b;\n"
                   "op f(x: tensor<f32>[N]) -> (y: tensor<f32>[N]) { b.g(x, y); }\n"          },
        {"b.ldsl", "import \"c.ldsl\";\n"
                   "op g(x: tensor<f32>[N]) -> (y: tensor<f32>[N]) { launch k(x, y); }\n"
                   "op unused(x: tensor<f32>[N]) -> (y: tensor<f32>[N]) { launch k(x, y); }\n"},
        {"c.ldsl", "kernel k(x: tensor<f32>[N], y: out tensor<f32>[N]) {\n"
                   "  grid i in 0 .. N; y[i] = x[i]; }\n"                                     },
        {NULL,     NULL                                                                                         },
    };
    void *image;
    size_t bytes;
    char *text = print(files, &image, &bytes);
    assert_non_null(strstr(text, "kernel c.ldsl:k  // c.ldsl:1\n"));
    assert_null(strstr(text, "unused"));
    const struct ldsl_module_header *h = image;
    const struct ldsl_module_op *ops =
        (const void *)((const char *)image + h->tables[LDSL_MODULE_OP].first);
    assert_int_equal(h->bytes, bytes);
    assert_int_equal(h->tables[LDSL_MODULE_OP].count, 2);
    assert_int_equal(ops[0].flags, LDSL_MODULE_OWN);
    assert_int_equal(ops[1].flags, 0);
    free(image);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_and_op),
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_imports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
