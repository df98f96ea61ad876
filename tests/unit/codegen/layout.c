/* Layouts: every element of every tile is in one register of one thread, or in copies of it; rows
 * are covered with little waste; what is no layout is found out; schedules are read and refused. */
#include "layout.h"

/* ---- brute force: who holds what --------------------------------------------------------------- */

static void check_values(const struct gpu_layout *l, const struct ir_block *b)
{
    for (const struct ir_node *n = b->first; n; n = n->next) {
        axis_set axes = 0;
        for (uint32_t i = 0; i < n->operand_count; i++)
            axes |= n->operands[i]->type.axes;
        if (n->op == IR_OP_store)
            check_holders(l, axes);
        for (uint32_t i = 0; i < n->result_count; i++)
            check_holders(l, n->results[i]->type.axes);
        for (uint32_t r = 0; r < n->region_count; r++)
            check_values(l, n->regions[r]);
    }
}

/* ---- rows -------------------------------------------------------------------------------------- */

static const char *row_text(char text[2048], const char *elem, int rows, int columns, int warps,
                            int cluster)
{
    snprintf(text, 2048,
             "kernel row {\n"
             "  params { %%R.0 : dim  %%D.1 : dim {multiple = 8} }\n"
             "  tensors { x : read %s[%%R.0, %%D.1] {align = 16}  w : read %s[%%D.1] {align = 16}\n"
             "            y : out %s[%%R.0, %%D.1] {align = 16}  s : out f32[%%R.0] }\n"
             "  axes { r : grid %%z .. %%R.0 {tile = %d}  c : held %%z .. %%D.1 {tile = %d} }\n"
             "  settings { num_warps = %d  cluster = %d }\n"
             "  body {\n"
             "    %%z = const {i = 0} : index\n"
             "    %%r = index {axis = r} : index[r]\n"
             "    %%c = index {axis = c} : index[c]\n"
             "    %%x = load x[%%r, %%c] : %s[r, c]\n"
             "    %%f = cast %%x : f32[r, c]\n"
             "    %%q = mul %%f, %%f : f32[r, c]\n"
             "    %%sum = reduce %%q {axes = [c], kind = sum} : f32[r]\n"
             "    store s[%%r], %%sum\n"
             "    %%w = load w[%%c] : %s[c]\n"
             "    %%v = cast %%w : f32[c]\n"
             "    %%n = mul %%f, %%v : f32[r, c]\n"
             "    %%m = mul %%n, %%sum : f32[r, c]\n"
             "    %%y = cast %%m : %s[r, c]\n"
             "    store y[%%r, %%c], %%y\n"
             "    return\n"
             "  }\n"
             "}\n",
             elem, elem, elem, rows, columns, warps, cluster, elem, elem, elem);
    return text;
}

static void make_row(struct made *m, const char *elem, int rows, int columns, int warps,
                     int cluster)
{
    char text[2048];
    make(m, row_text(text, elem, rows, columns, warps, cluster));
    assert_true(m->fine);
}

/* Any whole number of warps and repeats: next to no waste where powers of two would waste half. */
static void test_cover(void **state)
{
    static const struct {
        int columns, warps;
        uint32_t cover;
    } rows[] = {
        {576,   1,  768  },
        {768,   1,  768  },
        {2560,  2,  2560 },
        {2880,  4,  3072 },
        {3072,  4,  3072 },
        {5120,  4,  5120 },
        {5120,  5,  5120 },
        {5376,  7,  5376 },
        {5376,  8,  6144 },
        {7168,  4,  7168 },
        {7168,  7,  7168 },
        {11008, 16, 12288},
        {14336, 8,  14336},
        {18944, 16, 20480},
        {65536, 16, 65536},
    };
    (void)state;
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct made m;
        make_row(&m, "bf16", 1, rows[i].columns, rows[i].warps, 1);
        const struct gpu_axis_layout *c = axis_layout(&m, "c");
        assert_int_equal(c->cover, rows[i].cover);
        assert_int_equal(c->exact, rows[i].cover == (uint32_t)rows[i].columns);
        assert_int_equal(c->vector, 8);
        assert_int_equal(gpu_axis_count(c, GPU_LANE), 32);
        assert_int_equal(gpu_axis_count(c, GPU_WARP), rows[i].warps);
        assert_int_equal(c->regs, rows[i].cover / (uint32_t)(32 * rows[i].warps));
        end(&m);
    }
}

static void test_every_element_once(void **state)
{
    static const char *const elems[] = {"bf16", "f32"};
    static const int rows[] = {1, 2, 3, 4, 16}, columns[] = {1, 3, 8, 31, 64, 100, 768, 1000, 1280};
    static const int warps[] = {1, 2, 3, 4, 5, 7, 8};
    (void)state;
    for (uint32_t e = 0; e < 2; e++)
        for (uint32_t r = 0; r < sizeof rows / sizeof rows[0]; r++)
            for (uint32_t c = 0; c < sizeof columns / sizeof columns[0]; c++)
                for (uint32_t w = 0; w < sizeof warps / sizeof warps[0]; w++) {
                    struct made m;
                    const char *why;
                    make_row(&m, elems[e], rows[r], columns[c], warps[w], 1 + (c & 1));
                    if (!gpu_layout_check(&m.s, m.g.f, &m.layout, &why))
                        fail_msg("%s", why);
                    check_values(&m.layout, m.g.f->body);
                    end(&m);
                }
}

/* A warp for each row needs no barrier; a row alone has all warps. */
static void test_rows_share_warps(void **state)
{
    struct made m;
    (void)state;
    make_row(&m, "bf16", 4, 1024, 4, 1);
    assert_int_equal(gpu_axis_count(axis_layout(&m, "r"), GPU_WARP), 4);
    assert_int_equal(gpu_axis_count(axis_layout(&m, "c"), GPU_LANE), 32);
    assert_int_equal(gpu_axis_count(axis_layout(&m, "c"), GPU_WARP), 1);
    end(&m);
    make_row(&m, "bf16", 16, 64, 4, 1);
    assert_int_equal(gpu_axis_count(axis_layout(&m, "c"), GPU_LANE), 8);
    assert_int_equal(gpu_axis_count(axis_layout(&m, "r"), GPU_LANE), 4);
    assert_int_equal(gpu_axis_count(axis_layout(&m, "r"), GPU_WARP), 4);
    end(&m);
    make_row(&m, "bf16", 1, 16384, 8, 2);
    assert_int_equal(gpu_axis_count(axis_layout(&m, "c"), GPU_WARP), 8);
    assert_int_equal(gpu_axis_count(axis_layout(&m, "c"), GPU_RANK), 2);
    end(&m);
}

/* Where no more is proven than single elements and tiles cannot be shifted, neighbouring lanes hold
 * neighbours. */
static void test_unproven_rows(void **state)
{
    struct made m;
    char text[2048];
    (void)state;
    row_text(text, "bf16", 1, 4096, 4, 1);
    for (char *at; (at = strstr(text, "{align = 16}"));)
        memset(at, ' ', strlen("{align = 16}"));
    memcpy(strstr(text, "held"), "grid", 4);
    make(&m, text);
    assert_true(m.fine);
    assert_int_equal(axis_layout(&m, "c")->vector, 1);
    assert_int_equal(axis_layout(&m, "c")->digits[0].source, GPU_LANE);
    end(&m);
}

static void test_too_many_registers(void **state)
{
    struct made m;
    char text[2048];
    (void)state;
    make(&m, row_text(text, "bf16", 1, 65536, 1, 1));
    assert_false(m.fine);
    assert_non_null(strstr(last_message, "E0706"));
    assert_non_null(strstr(last_message, "2048 registers"));
    end(&m);
    make(&m, row_text(text, "bf16", 65536, 65536, 32, 1));
    assert_false(m.fine);
    assert_non_null(strstr(last_message, "E0706"));
    end(&m);
    make(&m, row_text(text, "bf16", 1, 65537, 32, 1));
    assert_false(m.fine);
    assert_non_null(strstr(last_message, "E0704"));
    end(&m);
}

/* ---- parts, relabelled axes -------------------------------------------------------------------- */

static const char parts_text[] =
    "kernel parts {\n"
    "  params { %N.0 : dim }\n"
    "  tensors { x : read f32[%N.0] {align = 16}  y : out f32[] }\n"
    "  axes { v : swept %z .. %N.0 {tile = 1000}  p : part v {tile = 16} }\n"
    "  settings { num_warps = 3 }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %f = const {f = 0.0} : f32\n"
    "    %s = expand %f {axes = [p]} : f32[p]\n"
    "    %t = sweep %z, %N.0, %s {axis = v} : f32[p] do (%a : f32[p]) {\n"
    "      %v = index {axis = v} : index[v]\n"
    "      %x = load x[%v] : f32[v]\n"
    "      %r = reduce %x {axes = [v], to = p, kind = sum} : f32[p]\n"
    "      %b = add %a, %r : f32[p]\n"
    "      yield %b\n"
    "    }\n"
    "    %u = reduce %t {axes = [p], kind = sum} : f32\n"
    "    store y[], %u\n"
    "    return\n"
    "  }\n"
    "}\n";

static void test_parts_are_threads(void **state)
{
    struct made m;
    (void)state;
    make(&m, parts_text);
    assert_true(m.fine);
    const struct gpu_axis_layout *v = axis_layout(&m, "v"), *p = axis_layout(&m, "p");
    assert_int_equal(p->regs, 1);
    assert_int_equal(p->cover * v->regs, v->cover);
    assert_int_equal(p->cover, 96);
    assert_int_equal(m.g.f->axes.data[axis_number(&m, "p")].tile, 96);
    check_holders(&m.layout, (axis_set)1 << axis_number(&m, "p"));
    end(&m);
}

static const char relabel_text[] =
    "kernel relabelled {\n"
    "  params { %N.0 : dim }\n"
    "  tensors { x : read f32[%N.0] {align = 16}  y : out f32[%N.0, %N.0] {align = 16} }\n"
    "  axes { m : held %z .. %N.0 {tile = 48}  n : held %z .. %N.0 {tile = 48}\n"
    "         k : held %z .. %N.0 {tile = 48} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %m = index {axis = m} : index[m]\n"
    "    %n = index {axis = n} : index[n]\n"
    "    %x = load x[%m] : f32[m]\n"
    "    %k = relabel %x {axis = m, to = k} : f32[k]\n"
    "    %s = reduce %k {axes = [k], kind = sum} : f32\n"
    "    %t = relabel %x {axis = m, to = n} : f32[n]\n"
    "    %p = mul %x, %t : f32[m, n]\n"
    "    %q = mul %p, %s : f32[m, n]\n"
    "    store y[%m, %n], %q\n"
    "    return\n"
    "  }\n"
    "}\n";

/* k never meets m, so that renaming moves nothing; n does, and has other threads. */
static void test_relabelled(void **state)
{
    struct made m;
    (void)state;
    make(&m, relabel_text);
    assert_true(m.fine);
    assert_memory_equal(axis_layout(&m, "k")->digits, axis_layout(&m, "m")->digits,
                        sizeof axis_layout(&m, "k")->digits);
    check_values(&m.layout, m.g.f->body);
    end(&m);
}

/* ---- random functions -------------------------------------------------------------------------- */

/* Loads over random axes in random order, stores of what they make, a sum over one of them. */
static void random_text(char text[8192], uint32_t *seed)
{
    uint32_t axes = 1 + next_random(seed) % 4, loads = 1 + next_random(seed) % 4;
    size_t used = 0;
#define PUT(...) used += (size_t)snprintf(text + used, 8192 - used, __VA_ARGS__)
    uint32_t subscripts[4][4], ranks[4];
    for (uint32_t i = 0; i < loads; i++) {
        bool taken[4] = {false};
        ranks[i] = 1 + next_random(seed) % axes;
        for (uint32_t d = 0; d < ranks[i]; d++) {
            uint32_t a = next_random(seed) % axes;
            while (taken[a])
                a = (a + 1) % axes;
            taken[a] = true;
            subscripts[i][d] = a;
        }
    }
    PUT("kernel any {\n  params { ");
    for (uint32_t a = 0; a < axes; a++)
        PUT("%%N%u.%u : dim {multiple = %u}  ", a, a, 1u << next_random(seed) % 4);
    PUT("}\n  tensors {\n");
    for (uint32_t i = 0; i < loads; i++)
        for (uint32_t k = 0; k < 2; k++) {
            PUT("    %s%u : %s %s[", k ? "y" : "x", i, k ? "out" : "read", i % 2 ? "f32" : "bf16");
            for (uint32_t d = 0; d < ranks[i]; d++)
                PUT("%s%%N%u.%u", d ? ", " : "", subscripts[i][d], subscripts[i][d]);
            PUT("] {align = 16}\n");
        }
    PUT("  }\n  axes {\n");
    for (uint32_t a = 0; a < axes; a++)
        PUT("    a%u : %s %%z .. %%N%u.%u {tile = %u}\n", a, a ? "held" : "grid", a, a,
            1 + next_random(seed) % (axes > 2 ? 17 : 200));
    PUT("  }\n  settings { num_warps = %u  cluster = %u }\n  body {\n", 1 + next_random(seed) % 9,
        1u << next_random(seed) % 3);
    PUT("    %%z = const {i = 0} : index\n");
    for (uint32_t a = 0; a < axes; a++)
        PUT("    %%i%u = index {axis = a%u} : index[a%u]\n", a, a, a);
    for (uint32_t i = 0; i < loads; i++) {
        char list[64] = "", names[64] = "";
        for (uint32_t d = 0; d < ranks[i]; d++) {
            sprintf(list + strlen(list), "%s%%i%u", d ? ", " : "", subscripts[i][d]);
            sprintf(names + strlen(names), "%sa%u", d ? ", " : "", subscripts[i][d]);
        }
        const char *elem = i % 2 ? "f32" : "bf16";
        PUT("    %%x%u = load x%u[%s] : %s[%s]\n", i, i, list, elem, names);
        PUT("    store y%u[%s], %%x%u\n", i, list, i);
    }
    PUT("    return\n  }\n}\n");
#undef PUT
}

static void test_random(void **state)
{
    uint32_t seed = 20240601;
    (void)state;
    for (uint32_t i = 0; i < 400; i++) {
        struct made m;
        char text[8192];
        random_text(text, &seed);
        make(&m, text);
        assert_true(m.fine);
        check_values(&m.layout, m.g.f->body);
        end(&m);
    }
}

/* An order of an access's own: the same registers, those along one axis next to each other. */
static void check_along(const struct gpu_layout *l, axis_set axes, uint8_t axis)
{
    struct gpu_view own = gpu_view(l, axes), along = gpu_view_along(l, axes, axis);
    assert_int_equal(own.count, along.count);
    for (uint32_t i = 0; i < along.count; i++) {
        uint32_t r = gpu_view_map(&along, i, &own);
        assert_int_equal(gpu_view_map(&own, r, &along), i);
        assert_int_equal(gpu_view_digit(&along, i, axis), i % l->axes[axis].regs);
        assert_true(gpu_view_same(&own, &along) ? r == i : true);
        for (uint32_t a = 0; a < l->axis_count; a++)
            if (axes >> a & 1)
                assert_int_equal(gpu_view_digit(&along, i, (uint8_t)a),
                                 gpu_view_digit(&own, r, (uint8_t)a));
    }
}

/* Registers of a value over some axes, seen from one over more. */
static void test_views(void **state)
{
    uint32_t seed = 7;
    (void)state;
    for (uint32_t i = 0; i < 100; i++) {
        struct made m;
        char text[8192];
        random_text(text, &seed);
        make(&m, text);
        axis_set all = ((axis_set)1 << m.layout.axis_count) - 1;
        axis_set some = next_random(&seed) & all;
        struct gpu_view from = gpu_view(&m.layout, all), to = gpu_view(&m.layout, some);
        for (uint32_t r = 0; r < from.count; r++) {
            uint32_t image = gpu_view_map(&from, r, &to);
            assert_true(image < to.count);
            for (uint32_t a = 0; a < m.layout.axis_count; a++)
                if (some >> a & 1)
                    assert_int_equal(gpu_view_digit(&from, r, (uint8_t)a),
                                     gpu_view_digit(&to, image, (uint8_t)a));
        }
        for (uint32_t a = 0; a < m.layout.axis_count; a++)
            if (some >> a & 1)
                check_along(&m.layout, some, (uint8_t)a);
        end(&m);
    }
}

/* ---- what is no layout ------------------------------------------------------------------------- */

static void spoil(struct made *m, int how)
{
    struct gpu_axis_layout *c = &m->layout.axes[axis_number(m, "c")];
    struct gpu_axis_layout *r = &m->layout.axes[axis_number(m, "r")];
    switch (how) {
    case 0: c->digits[1].stride *= 2; break;
    case 1: c->digits[1].count = 1; break;
    case 2: c->digits[1].divisor = 2; break;
    case 3: c->digits[1].divisor = 0; break;
    case 4: c->cover--; break;
    case 5: c->regs++; break;
    case 6: c->vector = 16; break;
    case 7: m->layout.order[0] = m->layout.order[1]; break;
    case 8: /* rows in the lanes of columns */ r->digits[0].source = GPU_LANE; break;
    default: /* no room for the last rows */
        r->digit_count = 0;
        r->cover = 1;
        break;
    }
}

static void test_check_finds(void **state)
{
    (void)state;
    for (int how = 0; how < 10; how++) {
        struct made m;
        const char *why = NULL;
        make_row(&m, "bf16", 4, 1024, 4, 1);
        assert_true(gpu_layout_check(&m.s, m.g.f, &m.layout, &why));
        assert_int_equal(axis_layout(&m, "c")->digits[1].source, GPU_LANE);
        assert_int_equal(axis_layout(&m, "r")->digits[0].source, GPU_WARP);
        spoil(&m, how);
        assert_false(gpu_layout_check(&m.s, m.g.f, &m.layout, &why));
        assert_non_null(why);
        end(&m);
    }
}

/* ---- schedules --------------------------------------------------------------------------------- */

static bool schedule_of(struct schedule *out, const char *settings)
{
    struct made m;
    char text[512];
    snprintf(text, sizeof text, "kernel k {\n  settings { %s }\n  body {\n    return\n  }\n}\n",
             settings);
    read_function(&m, text);
    bool fine = gpu_schedule(&m.g, out);
    end(&m);
    return fine;
}

static void test_schedule(void **state)
{
    struct schedule s;
    (void)state;
    assert_true(schedule_of(&s, "BR = 3"));
    assert_int_equal(s.num_warps, 4);
    assert_int_equal(s.cluster, 1);
    assert_int_equal(s.vector, 16);
    assert_int_equal(s.max_registers, 0);
    assert_true(s.early_weights && !s.evict_last);
    assert_true(schedule_of(&s, "num_warps = 7  cluster = 4  vector = 8  blocks_per_sm = 2  "
                                "max_registers = 64  hold = 96  hold_registers = 4  stages = 2  "
                                "evict_last = 1  early_weights = 0"));
    assert_int_equal(s.num_warps, 7);
    assert_int_equal(s.cluster, 4);
    assert_int_equal(s.vector, 8);
    assert_int_equal(s.blocks_per_sm, 2);
    assert_int_equal(s.max_registers, 64);
    assert_int_equal(s.hold, 96);
    assert_int_equal(s.hold_registers, 4);
    assert_int_equal(s.stages, 2);
    assert_true(s.evict_last && !s.early_weights);
    assert_true(schedule_of(&s, "maxreg = 40"));
    assert_int_equal(s.max_registers, 40);
}

/* Nobody chose: wide rows get more than four warps. */
static void test_default_warps(void **state)
{
    static const struct {
        int columns;
        uint32_t warps;
    } rows[] = {
        {1024,  4 },
        {8192,  4 },
        {10240, 5 },
        {16384, 8 },
        {65536, 32}
    };
    (void)state;
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct made m;
        char text[2048];
        row_text(text, "bf16", 1, rows[i].columns, 1, 1);
        memcpy(strstr(text, "num_warps"), "BR       ", 9);
        make(&m, text);
        assert_true(m.fine);
        assert_int_equal(m.schedule.num_warps, rows[i].warps);
        end(&m);
    }
}

static void test_schedule_refuses(void **state)
{
    static const char *const wrong[] = {
        "num_warps = 0",
        "num_warps = 33",
        "cluster = 3",
        "cluster = 32",
        "vector = 12",
        "vector = 32",
        "num_warps = 32  blocks_per_sm = 3",
        "max_registers = 256",
        "evict_last = 2",
        "num_warps = 32  hold = 228",
        "stages = 17",
        "hold = -1",
    };
    (void)state;
    for (uint32_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct schedule s;
        assert_false(schedule_of(&s, wrong[i]));
        assert_non_null(strstr(last_message, "E0706"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cover),
        cmocka_unit_test(test_every_element_once),
        cmocka_unit_test(test_rows_share_warps),
        cmocka_unit_test(test_unproven_rows),
        cmocka_unit_test(test_too_many_registers),
        cmocka_unit_test(test_parts_are_threads),
        cmocka_unit_test(test_relabelled),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_check_finds),
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_default_warps),
        cmocka_unit_test(test_schedule_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
