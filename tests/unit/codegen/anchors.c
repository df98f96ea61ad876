/* Layouts that accesses have of their own: who has one, that they are layouts, by what means values are
 * converted, and that tiles in shared memory have a place for every element, on banks of its own. */
#include "layout.h"

#include "codegen/gpu/convert.h"

/* ---- transpositions ---------------------------------------------------------------------------- */

/* A tile read along its columns and written along its rows. */
struct turn {
    const char *elem;
    int rows, columns, warps, aligned;
    const char *settings;
};

static void make_turn(struct made *m, const struct turn *t)
{
    char text[2048];
    const char *fact = t->aligned ? "{align = 16}" : "";
    int multiple = t->aligned ? 16 : 1;
    snprintf(text, sizeof text,
             "kernel turn {\n"
             "  params { %%R.0 : dim {multiple = %d}  %%C.1 : dim {multiple = %d} }\n"
             "  tensors { x : read %s[%%R.0, %%C.1] %s  y : out %s[%%C.1, %%R.0] %s }\n"
             "  axes { r : grid %%z .. %%R.0 {tile = %d}  c : grid %%z .. %%C.1 {tile = %d} }\n"
             "  settings { num_warps = %d  %s }\n"
             "  body {\n"
             "    %%z = const {i = 0} : index\n"
             "    %%r = index {axis = r} : index[r]\n"
             "    %%c = index {axis = c} : index[c]\n"
             "    %%x = load x[%%r, %%c] : %s[r, c]\n"
             "    store y[%%c, %%r], %%x\n"
             "    return\n"
             "  }\n"
             "}\n",
             multiple, multiple, t->elem, fact, t->elem, fact, t->rows, t->columns, t->warps,
             t->settings, t->elem);
    make(m, text);
    assert_true(m->fine);
}

static const struct gpu_conversion *only_conversion(const struct made *m)
{
    assert_int_equal(m->layout.anchor_count, 1);
    assert_non_null(m->layout.anchors[0].conversion);
    return m->layout.anchors[0].conversion;
}

/* ---- who has one ------------------------------------------------------------------------------- */

static void test_where_it_pays(void **state)
{
    static const struct turn pays = {"bf16", 128, 128, 16, 1, ""};
    static const struct turn forbidden = {"bf16", 128, 128, 16, 1, "convert = 0"};
    static const struct turn cluster = {"bf16", 128, 128, 8, 1, "cluster = 2  convert = 1"};
    struct made m;
    (void)state;
    make_turn(&m, &pays);
    const struct gpu_conversion *c = only_conversion(&m);
    assert_true(m.layout.anchors[0].gain > 1);
    assert_int_equal(c->means, GPU_SHARED);
    assert_int_equal(c->axes, 3);
    assert_true(gpu_anchor_of(&m.layout, m.layout.anchors[0].node) == &m.layout.anchors[0]);
    end(&m);
    make_turn(&m, &forbidden);
    assert_int_equal(m.layout.anchor_count, 0);
    end(&m);
    make_turn(&m, &cluster); /* its blocks would have to exchange elements */
    assert_int_equal(m.layout.anchor_count, 0);
    end(&m);
}

/* y[r, c] = x[r, c] + w[s]: what goes along one axis only is no reason. */
static void test_where_nothing_crosses(void **state)
{
    static const char text[] =
        "kernel straight {\n"
        "  params { %R.0 : dim {multiple = 16}  %C.1 : dim {multiple = 16} }\n"
        "  tensors { x : read f32[%R.0, %C.1] {align = 16}  w : read f32[%R.0] {align = 16}\n"
        "            y : out f32[%R.0, %C.1] {align = 16} }\n"
        "  axes { r : grid %z .. %R.0 {tile = 64}  c : grid %z .. %C.1 {tile = 64} }\n"
        "  settings { num_warps = 4  convert = 1 }\n"
        "  body {\n"
        "    %z = const {i = 0} : index\n"
        "    %r = index {axis = r} : index[r]\n"
        "    %c = index {axis = c} : index[c]\n"
        "    %x = load x[%r, %c] : f32[r, c]\n"
        "    %w = load w[%r] : f32[r]\n"
        "    %s = add %x, %w : f32[r, c]\n"
        "    store y[%r, %c], %s\n"
        "    return\n"
        "  }\n"
        "}\n";
    struct made m;
    (void)state;
    make(&m, text);
    assert_true(m.fine);
    assert_int_equal(m.layout.anchor_count, 0);
    end(&m);
}

/* ---- means ------------------------------------------------------------------------------------- */

static void test_means(void **state)
{
    static const struct {
        struct turn turn;
        enum gpu_means means;
    } some[] = {
        {{"f32", 1, 32, 1, 0, "convert = 1"},  GPU_RENAME },
        {{"f32", 4, 8, 1, 0, "convert = 1"},   GPU_SHUFFLE},
        {{"f32", 8, 8, 1, 0, "convert = 1"},   GPU_SHUFFLE},
        {{"f32", 32, 32, 1, 1, "convert = 1"}, GPU_SHARED },
        {{"f32", 32, 32, 4, 1, "convert = 1"}, GPU_SHARED },
    };
    (void)state;
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        struct made m;
        make_turn(&m, &some[i].turn);
        assert_int_equal(only_conversion(&m)->means, some[i].means);
        end(&m);
    }
}

/* ---- shared memory ----------------------------------------------------------------------------- */

/* The place of an element is its own, inside of what was asked for, and aligned where accesses begin. */
static void check_places(const struct gpu_conversion *c)
{
    const struct gpu_axis_layout *r = &c->from->axes[0], *k = &c->from->axes[1];
    uint32_t bytes = (c->write > c->read ? c->write : c->read) * c->bytes;
    bool *taken = calloc(c->shared_bytes, sizeof *taken);
    for (uint32_t i = 0; i < r->cover; i++)
        for (uint32_t j = 0; j < k->cover; j++) {
            uint32_t at = gpu_place_along(&c->pitches[0], i) + gpu_place_along(&c->pitches[1], j);
            assert_true(at + c->bytes <= c->shared_bytes);
            if ((c->fast ? j : i) % (bytes / c->bytes) == 0)
                assert_int_equal(at % bytes, 0);
            for (uint32_t b = 0; b < c->bytes; b++) {
                assert_false(taken[at + b]);
                taken[at + b] = true;
            }
        }
    free(taken);
}

/* A thread's place and a register's add up. */
static void check_sums(const struct gpu_conversion *c, const struct gpu_layout *l)
{
    for (uint32_t a = 0; a < l->axis_count; a++)
        for (uint32_t thread = 0; thread < l->threads; thread++)
            for (uint32_t i = 0; i < l->axes[a].regs; i++) {
                const struct gpu_pitch *p = &c->pitches[a];
                uint32_t part = thread_part(l, &l->axes[a], thread, 0);
                uint32_t offset = gpu_axis_offset(&l->axes[a], i);
                assert_int_equal(gpu_place_along(p, part) + gpu_place_along(p, offset),
                                 gpu_place_along(p, part + offset));
            }
}

static void test_places(void **state)
{
    static const char *const elems[] = {"bf16", "f32", "u8", "f64"};
    static const int tiles[][2] = {
        {64,  64 },
        {128, 128},
        {32,  96 },
        {48,  40 },
        {20,  100},
        {256, 16 }
    };
    static const int warps[] = {1, 3, 4, 8};
    (void)state;
    for (size_t e = 0; e < 4; e++)
        for (size_t t = 0; t < sizeof tiles / sizeof tiles[0]; t++)
            for (size_t w = 0; w < 4; w++) {
                struct turn turn = {elems[e], tiles[t][0], tiles[t][1], warps[w], 1, "convert = 1"};
                struct made m;
                make_turn(&m, &turn);
                if (m.layout.anchor_count) {
                    const struct gpu_conversion *c = only_conversion(&m);
                    check_holders(m.layout.anchors[0].layout, 3);
                    check_holders(&m.layout, 3);
                    if (c->means == GPU_SHARED) {
                        check_places(c);
                        check_sums(c, c->from);
                        check_sums(c, c->to);
                    }
                }
                end(&m);
            }
}

/* Sixteen bytes of each lane fill the banks four times, and need no more than that. */
static void test_banks(void **state)
{
    static const struct turn some[] = {
        {"bf16", 64,  64,  2, 1, "convert = 1"},
        {"bf16", 128, 128, 8, 1, "convert = 1"},
        {"f32",  64,  64,  4, 1, "convert = 1"},
        {"f32",  128, 64,  8, 1, "convert = 1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        struct made m;
        make_turn(&m, &some[i]);
        const struct gpu_conversion *c = only_conversion(&m);
        assert_int_equal(c->write * c->bytes, 16);
        assert_int_equal(c->read * c->bytes, 16);
        assert_int_equal(c->write_rounds, 4);
        assert_int_equal(c->read_rounds, 4);
        end(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_it_pays), cmocka_unit_test(test_where_nothing_crosses),
        cmocka_unit_test(test_means),         cmocka_unit_test(test_places),
        cmocka_unit_test(test_banks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
