/* Module images, damaged in every place: reading refuses or what it accepts can be used. */
#include "plan_world.h"

#include "module.h"

static const char text[] =
    "enum Mode { plain, fancy }\n"
    "kernel k<T: float>(x: tensor<T>[N, D], w: tensor<f32>[D]?, y: out tensor<T>[N, D],\n"
    "    a: f32, const mode: Mode)\n"
    "  require D > 0, \"columns\";\n"
    "  specialize D % 8 == 0, align(x, 16);\n"
    "  meta BD = fit(D);\n"
    "  tune { B in {1, 2, 4}; where B * BD <= 65536; default { B = 2 } where dev.is_gpu; default { "
    "B = 1 }; }\n"
    "{ grid axis i in 0 .. N tile B; axis c in 0 .. D tile BD parts p;\n"
    "  var v = f32(x[i, c]) * a;\n"
    "  if has w { v *= w[c]; }\n"
    "  if mode == Mode.fancy { v += 1.0; }\n"
    "  y[i, c] = T(v); }\n"
    "/// Does a little of everything.\n"
    "op all_of_it<T: float>(x: tensor<T>[N, 2 * D], w: tensor<f32>[D]?, a: f32 = 2.0,\n"
    "    const mode: Mode = Mode.plain) -> (y: tensor<T>[N, 2 * D])\n"
    "  require N < 1000 || D < 10, \"small\";\n"
    "  key(D, bucket(N), T);\n"
    "  sample x = uniform(0.0, 1.0);\n"
    "  bench { N = 64, D = 32 };\n"
    "{\n"
    "  let C = min(N, 2);\n"
    "  scratch z: tensor<T>[C, D];\n"
    "  for i in 0 .. N step C {\n"
    "    let j = min(i + C, N);\n"
    "    let part = z[0 .. j - i];\n"
    "    launch k(x[i .. j, 0 .. D], w, part, a, mode) with { B = 1 };\n"
    "    if has w { copy(y[i .. j, 0 .. D], part); } else { zero(y[i .. j, 0 .. D]); }\n"
    "  }\n"
    "  half(x, y);\n"
    "  assert(N > 0 && D > 0);\n"
    "}\n"
    "op half<T: float>(x: tensor<T>[N, 2 * D]) -> (y: tensor<T>[N, 2 * D])\n"
    "{ launch k(x[0 .. N, D .. 2 * D], y: y[0 .. N, D .. 2 * D], a: 1.0, mode: Mode.fancy); }\n";

struct image {
    struct world w;
    struct rt_module *original;
    uint64_t *copy; /* 8-byte aligned */
    const void *data;
    size_t bytes;
};

static int set_up(void **state)
{
    struct image *image = calloc(1, sizeof *image);
    image->w = open_world(text);
    image->original = image->w.lib->files[0].module;
    image->data = ldsl_artifact_data(image->w.lib->files[0].image, &image->bytes);
    image->copy = malloc(image->bytes + 8);
    *state = image;
    return image->copy ? 0 : -1;
}

static int tear_down(void **state)
{
    struct image *image = *state;
    close_world(&image->w);
    free(image->copy);
    free(image);
    return 0;
}

static void count_variant(void *user, const char *kernel, const char *variant)
{
    (void)kernel;
    (void)variant;
    ++*(unsigned *)user;
}

/* Everything a runtime does with a module that was read. */
static void use(struct image *image, struct rt_module *m)
{
    struct ldsl_library *lib = image->w.lib;
    const ldsl_argument args[] = {tensor("x", LDSL_F32, 5, 6, -1),
                                  tensor("w", LDSL_F32, 3, -1, -1)};
    lib->files[0].module = m;
    for (uint32_t i = 0; i < lib->op_count && lib->ops[i].op < m->ops_count; i++) {
        const char *name = rt_module_text(m, m->ops[lib->ops[i].op].name);
        ldsl_plan *plan;
        ldsl_op_info info;
        ldsl_op_param param;
        ldsl_op_find(lib, name, &info);
        for (uint32_t p = 0; p < 8; p++)
            ldsl_op_get_param(lib, name, p, &param);
        if (!ldsl_plan_prepare(&plan, lib, name, args, 2, NULL))
            ldsl_plan_destroy(plan);
    }
    lib->files[0].module = image->original;
}

static void test_sound(void **state)
{
    struct image *image = *state;
    struct rt_module m;
    const char *why = NULL;
    assert_true(rt_module_read(&m, image->data, image->bytes, &why));
    assert_int_equal(m.ops_count, 2);
    assert_int_equal(rt_module_find_op(&m, "half"), 1);
    assert_int_equal(rt_module_find_op(&m, "none"), LDSL_NONE);
    unsigned count = 0;
    assert_int_equal(ldsl_op_variants(image->w.lib, "all_of_it", count_variant, &count), LDSL_OK);
    assert_true(count > 0);
    use(image, &m);
}

static void test_truncated(void **state)
{
    struct image *image = *state;
    for (size_t bytes = 0; bytes < image->bytes; bytes++) {
        struct rt_module m;
        const char *why = NULL;
        uint64_t *copy = malloc(bytes + 1); /* exact, so that sanitizers see an overrun */
        memcpy(copy, image->data, bytes);
        assert_false(rt_module_read(&m, copy, bytes, &why));
        assert_non_null(why);
        free(copy);
    }
}

static void test_misaligned(void **state)
{
    struct image *image = *state;
    struct rt_module m;
    const char *why = NULL;
    char *shifted = (char *)image->copy + 4;
    memcpy(shifted, image->data, image->bytes);
    assert_false(rt_module_read(&m, shifted, image->bytes, &why));
    assert_string_equal(why, "the image is not 8-byte aligned");
}

/* Each byte in turn takes other values. */
static void test_corrupted(void **state)
{
    struct image *image = *state;
    static const unsigned char changes[] = {0x01, 0x80, 0xff};
    unsigned refused = 0;
    memcpy(image->copy, image->data, image->bytes);
    for (size_t at = 0; at < image->bytes; at++)
        for (size_t c = 0; c < sizeof changes; c++) {
            struct rt_module m;
            const char *why = NULL;
            unsigned char *byte = (unsigned char *)image->copy + at;
            *byte ^= changes[c];
            if (rt_module_read(&m, image->copy, image->bytes, &why))
                use(image, &m);
            else
                refused++;
            *byte ^= changes[c];
        }
    assert_true(refused > image->bytes / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_truncated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_misaligned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_corrupted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
