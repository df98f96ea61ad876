/* Variants by text: parsing, defaults, canonical order, messages. */
#include "unit/sema/elaborate.h"

static const char header[] =
    "enum Mode { slow, fast, wild }\n"
    "kernel k<T: float, W: {i8, u8}>(x: tensor<T>[R, D], w: tensor<W>[D]?,\n"
    "    y: out tensor<T>[R, D], const mode: Mode, const deep: bool,\n"
    "    const n: index in {2, 4}, const s: f32 in {0.5, 2.0})\n"
    "  specialize D % 8 == 0, align(x, 16);\n"
    "  specialize R == 1;\n"
    "  meta BD = fit(D), twice = 2 * n;\n"
    "  tune {\n"
    "    BR in {1, 2}; persistent in {false, true}; raster in {rows, grouped8};\n"
    "    default { BR = 2, persistent = true } where dev.is_gpu;\n"
    "    default { BR = 1, persistent = false, raster = grouped8 };\n"
    "  }\n"
    "{\n"
    "  grid axis r in 0 .. R tile BR;\n"
    "  axis c in 0 .. D tile fit(D) parts p;\n"
    "  y[r, c] = x[r, c];\n"
    "}\n";

static const char *text_for(struct front *f, const char *kernel, const char *text,
                            const struct sema_device *device)
{
    struct bindings b;
    const char *out = "";
    if (!sema_parse_bindings(f->m, kernel, text, device, &b, NULL)) {
        diag_flush(&f->s);
        return NULL;
    }
    for (uint32_t i = 0; i < b.count; i++)
        out = arena_printf(&f->s.module, "%s%s=%lld ", out, b.list[i].name,
                           (long long)b.list[i].value);
    return out;
}

static const char *text_of(struct front *f, const char *kernel, const char *text)
{
    return text_for(f, kernel, text, &(struct sema_device){0});
}

static void test_defaults(void **state)
{
    struct front f;
    (void)state;
    front_begin(&f, header);
    assert_string_equal(text_of(&f, "k", ""),
                        "T=9 W=1 mode=0 deep=0 n=2 s=4602678819172646912 w?=1 specialize.0=0 "
                        "specialize.1=0 BD=1024 twice=4 fit.c=1024 BR=1 persistent=0 raster=1 ");
    front_end(&f);
}

static const struct sema_device gpu = {.cc = 90, .smem = 232448, .lanes = 32, .is_gpu = true};
static const struct sema_device cpu = {.lanes = 1};

/* The first default that surely holds; without a device, none. */
static void test_devices(void **state)
{
    struct front f;
    (void)state;
    front_begin(&f, header);
    assert_has(text_for(&f, "k", "", &gpu), "BR=2 persistent=1 raster=0 ");
    assert_has(text_for(&f, "k", "BR=1", &gpu), "BR=1 persistent=1 raster=0 ");
    assert_has(text_for(&f, "k", "", &cpu), "BR=1 persistent=0 raster=1 ");
    assert_has(text_for(&f, "k", "BR=2", NULL), "BR=2 persistent=0 raster=0 ");
    front_end(&f);
    front_begin(&f,
                "kernel k<T: float>(x: tensor<T>[R, D], w: tensor<T>[D]?, y: out tensor<T>[R, D])\n"
                "  meta BD = fit(D);\n"
                "  tune {\n"
                "    BR in {1, 2, 4, 8};\n"
                "    default { BR = 8, stages = 2 } where dev.cc >= 100 || BD > 4096;\n"
                "    default { BR = 4, hold = 64 } where D % 64 == 0 && has w;\n"
                "    default { BR = 2 } where T == bf16;\n"
                "    default { BR = 1, evict_last = 1 };\n"
                "  }\n"
                "{ grid axis r in 0 .. R tile BR; axis c in 0 .. D tile BD;\n"
                "  y[r, c] = has w ? x[r, c] : T(0); }\n");
    assert_string_equal(text_for(&f, "k", "", &gpu), "T=9 w?=1 BD=1024 BR=1 evict_last=1 ");
    assert_string_equal(text_for(&f, "k", "T=bf16", &gpu), "T=10 w?=1 BD=1024 BR=2 ");
    assert_string_equal(text_for(&f, "k", "BD=5120", &gpu), "T=9 w?=1 BD=5120 BR=8 stages=2 ");
    assert_string_equal(text_for(&f, "k", "D=4100", &gpu), "T=9 w?=1 BD=5120 BR=8 stages=2 ");
    assert_string_equal(text_for(&f, "k", "D=128", &gpu), "T=9 w?=1 BD=128 BR=4 hold=64 ");
    assert_string_equal(text_for(&f, "k", "D=128,w?=0", &gpu),
                        "T=9 w?=0 BD=128 BR=1 evict_last=1 ");
    assert_string_equal(text_for(&f, "k", "BR=4", NULL), "T=9 w?=1 BD=1024 BR=4 ");
    front_end(&f);
}

/* A default may be for what is known to be specialized, in whichever way, or for the rest. */
static void test_specialized(void **state)
{
    struct front f;
    (void)state;
    front_begin(&f, "kernel k(x: tensor<f32>[R, D], y: out tensor<f32>[R, D])\n"
                    "  specialize D % 8 == 0, align(x, 16); specialize R == 1;\n"
                    "  meta BD = fit(D);\n"
                    "  tune {\n"
                    "    BR in {1, 2, 4};\n"
                    "    where specialized || BR < 4;\n"
                    "    default { BR = 4 } where BD > 64 && specialized;\n"
                    "    default { BR = 2 } where !specialized;\n"
                    "    default { BR = 1 };\n"
                    "  }\n"
                    "{ grid axis r in 0 .. R tile BR; axis c in 0 .. D tile BD;\n"
                    "  y[r, c] = x[r, c]; }\n");
    assert_has(text_for(&f, "k", "D=128", &gpu), "specialize.0=1 specialize.1=0 BD=128 BR=4");
    assert_has(text_for(&f, "k", "D=64", &gpu), "specialize.0=1 specialize.1=0 BD=64 BR=1");
    assert_has(text_for(&f, "k", "D=129,R=1", &gpu), "specialize.0=0 specialize.1=1 BD=160 BR=4");
    assert_has(text_for(&f, "k", "D=129", &gpu), "specialize.0=0 specialize.1=0 BD=160 BR=2");
    front_end(&f);
}

/* What a launch with such tensors would take; the dims are no part of the variant. */
static void test_dims(void **state)
{
    struct front f;
    (void)state;
    front_begin(&f, header);
    assert_has(text_of(&f, "k", "D=64"),
               "w?=1 specialize.0=1 specialize.1=0 BD=64 twice=4 fit.c=64 BR");
    assert_has(text_of(&f, "k", "D=65,R=1"),
               "specialize.0=0 specialize.1=1 BD=80 twice=4 fit.c=80 ");
    assert_has(text_of(&f, "k", "D=64,R=1"), "specialize.0=1 specialize.1=0 ");
    assert_has(text_of(&f, "k", "D=64,specialize.0=0"), "specialize.0=0 specialize.1=0 BD=64 ");
    struct bindings all, dims;
    assert_true(sema_parse_bindings(f.m, "k", "D=64,BR=2,R=1,D=32", NULL, &all, &dims));
    assert_int_equal(dims.count, 3);
    assert_string_equal(dims.list[0].name, "D");
    assert_int_equal(dims.list[0].value, 64);
    assert_null(text_of(&f, "k", "D=wide"));
    assert_has(f.messages, "dimension D of k cannot be \"wide\"");
    front_end(&f);
}

static void test_given(void **state)
{
    struct front f;
    (void)state;
    front_begin(&f, header);
    assert_string_equal(
        text_of(&f, "k",
                "raster=rows, BR=2,parts.p=16,w?=0,T=bf16,W=u8,mode=wild,deep=true,n=4,"
                "s=2,specialize.1=1,BD=5120,fit.c=2048,persistent=1"),
        "T=10 W=5 mode=2 deep=1 n=4 s=4611686018427387904 w?=0 specialize.0=0 "
        "specialize.1=1 BD=5120 twice=8 fit.c=2048 BR=2 persistent=1 raster=0 "
        "parts.p=16 ");
    front_end(&f);
}

/* "k.BR" is about k alone and goes before "BR"; what is about another kernel is nothing to k. */
static void test_of_a_kernel(void **state)
{
    static const char two[] =
        "kernel k(y: out tensor<f32>[R]) tune { BR in {1, 2, 4}; default { BR = 1 }; }\n"
        "{ grid axis r in 0 .. R tile BR; y[r] = 1.0; }\n"
        "kernel other(y: out tensor<f32>[R]) tune { BQ in {1, 2}; default { BQ = 1 }; }\n"
        "{ grid axis r in 0 .. R tile BQ; y[r] = 1.0; }\n";
    struct front f;
    (void)state;
    front_begin(&f, two);
    assert_string_equal(text_of(&f, "k", "k.BR=4"), "BR=4 ");
    assert_string_equal(text_of(&f, "k", "BR=2,k.BR=4, other.BQ=2"), "BR=4 ");
    assert_string_equal(text_of(&f, "k", "k.BR=4,BR=2,k.num_warps=2"), "BR=4 num_warps=2 ");
    assert_string_equal(text_of(&f, "other", "k.BR=4,other.BQ=2"), "BQ=2 ");
    assert_null(text_of(&f, "k", "k.BQ=2"));
    assert_null(text_of(&f, "k", "nobody.BR=2"));
    front_end(&f);
    front_begin(&f, "kernel parts(x: tensor<f32>[D], y: out tensor<f32>[D])\n"
                    "{ axis c in 0 .. D tile fit(D) parts p; y[c] = x[c]; }\n");
    assert_string_equal(text_of(&f, "parts", "parts.p=16,fit.c=2048"), "fit.c=2048 parts.p=16 ");
    front_end(&f);
}

static void test_wrong(void **state)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"T=f64",         "T of k cannot be \"f64\"; it is one of: f16, bf16, f32"          },
        {"mode=fats",     "mode of k cannot be \"fats\"; it is one of: Mode.slow, Mode.fast"},
        {"n=3",           "n of k cannot be \"3\"; it is one of: 2, 4"                      },
        {"s=0.75",        "s of k cannot be \"0.75\"; it is one of: 0.5, 2"                 },
        {"BQ=1",          "k has nothing to bind called BQ"                                 },
        {"BR",            "\"BR\" is not name=value"                                        },
        {"BD=0",          "BD of k cannot be \"0\""                                         },
        {"cluster=17",    "cluster of k cannot be \"17\"; it is a number from 1 to 16"      },
        {"BD=9999999999", "BD of k cannot be \"9999999999\"; it is a number from 1 to 65536"},
    };
    struct front f;
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        front_begin(&f, header);
        assert_null(text_of(&f, "k", rows[i].text));
        assert_has(f.messages, rows[i].message);
        front_end(&f);
    }
    front_begin(&f, header);
    assert_null(text_of(&f, "kk", ""));
    assert_has(f.messages, "there is no kernel called kk");
    front_end(&f);
}

/* Schedule values need no declaration, stay out of the text unless set, and stand before the parts. */
static void test_schedule(void **state)
{
    struct front f;
    (void)state;
    front_begin(&f, header);
    const char *text = text_of(&f, "k", "evict_last=true,parts.p=16,hold=128,num_warps=5");
    assert_has(text, "raster=1 num_warps=5 hold=128 evict_last=1 parts.p=16 ");
    front_end(&f);
    front_begin(&f, "kernel k(x: tensor<f32>[R], y: out tensor<f32>[R])\n"
                    "  tune { B in {16, 32}; num_warps in {1, 2};\n"
                    "    default { B = 16, num_warps = 2, stages = 3 }; }\n"
                    "{ grid axis r in 0 .. R tile B; y[r] = x[r]; }\n");
    assert_string_equal(text_of(&f, "k", ""), "B=16 num_warps=2 stages=3 ");
    assert_string_equal(text_of(&f, "k", "stages=0,cluster=2"),
                        "B=16 num_warps=2 cluster=2 stages=0 ");
    front_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedule),    cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_devices),     cmocka_unit_test(test_specialized),
        cmocka_unit_test(test_dims),        cmocka_unit_test(test_given),
        cmocka_unit_test(test_of_a_kernel), cmocka_unit_test(test_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
