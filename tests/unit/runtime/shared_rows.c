/* Backward norms of the library: their operators count the programs that run at once, and the defaults of
 * their kernels say how many blocks share a row. The two must agree: fewer programs leave multiprocessors
 * idle, more run in a second wave. */
#include "plan_world.h"

#include "builtin.h"

/* A multiple of every number of programs that may run: each is taken. */
enum { ROWS = 840 };

/* Without its imports: those stand before it. */
static void put_text(char **end, const char *line)
{
    for (size_t length; *line; line += length) {
        length = strcspn(line, "\n");
        length += line[length] == '\n';
        if (strncmp(line, "import ", 7) == 0)
            continue;
        memcpy(*end, line, length);
        *end += length;
    }
    **end = '\0';
}

static struct world open_library(const char *const *files)
{
    static char text[1 << 18];
    char *end = text;
    for (; *files; files++) {
        const struct builtin_file *file = builtin_find(*files);
        assert_non_null(file);
        assert_true(file->length < (size_t)(text + sizeof text - end));
        put_text(&end, file->text);
    }
    return open_world_on(text, true);
}

/* A call of an operator: its tensors of rows, of numbers a row, and what may be left out. */
struct call {
    const char *op, *kernel;
    const char *rows[4], *numbers[3];
    const char *without;
};

static ldsl_plan *plan_of(struct world *w, const struct call *c, enum ldsl_dtype dtype,
                          int64_t width)
{
    ldsl_argument args[8];
    uint32_t count = 0;
    for (uint32_t i = 0; c->rows[i]; i++)
        args[count++] = tensor(c->rows[i], dtype, ROWS, width, -1);
    for (uint32_t i = 0; c->numbers[i]; i++)
        args[count++] = tensor(c->numbers[i], LDSL_F32, ROWS, -1, -1);
    args[count++] = tensor("w", dtype, width, -1, -1);
    if (c->without)
        args[count++] = absent(c->without);
    return prepare(w, c->op, args, count, NULL);
}

/* A program or cluster for each place that 4 multiprocessors have, or two. */
static void check_plan(const struct call *c, const ldsl_plan *plan)
{
    launch(plan);
    const struct event *e = &fake.events[0];
    assert_string_equal(e->name, c->kernel);
    const char *word = strstr(e->variant, "cluster=");
    uint64_t cluster = word ? strtoul(word + strlen("cluster="), NULL, 10) : 1;
    uint64_t places = cluster == 1 ? 4 : (uint64_t)fake_clusters[cluster == 2 ? 0 : cluster / 4];
    uint64_t programs = DIM(e, "P");
    if (programs != places && programs != 2 * places)
        fail_msg("%s without %s, %llu columns: %llu programs of %s", c->op,
                 c->without ? c->without : "nothing", (unsigned long long)DIM(e, "D"),
                 (unsigned long long)programs, e->variant);
}

/* Each width that a tile may have, and rows of four less that begin anywhere: every second at a multiple of
 * 16 bytes, so that even numbers of programs are taken. */
static void check_widths(struct world *w, const struct call *c)
{
    static const enum ldsl_dtype dtypes[] = {LDSL_BF16, LDSL_F32};
    for (int64_t width = 1024; width <= 65536; width *= 2)
        for (int64_t quarters = 4; quarters < (width < 65536 ? 8 : 5); quarters++)
            for (int kind = 0; kind < 4; kind++) {
                ldsl_plan *plan =
                    plan_of(w, c, dtypes[kind & 1], width / 4 * quarters - 4 * (kind >> 1));
                check_plan(c, plan);
                ldsl_plan_destroy(plan);
            }
}

static void test_rms_norm(void **state)
{
    (void)state;
    static const char *const files[] = {"prelude.ldsl", "norm/rms_norm.ldsl",
                                        "norm/fused_add_rms_norm.ldsl", NULL};
    static const struct call calls[] = {
        {"rms_norm_bwd",           "rms_norm_bwd_rows", {"dy", "x"},       {"rstd"}, NULL},
        {"fused_add_rms_norm_bwd", "rms_norm_bwd_rows", {"dy", "ds", "s"}, {"rstd"}, NULL},
        {"fused_add_rms_norm_bwd", "rms_norm_bwd_rows", {"dy", "s"},       {"rstd"}, "ds"},
    };
    struct world w = open_library(files);
    for (uint32_t i = 0; i < COUNT(calls); i++)
        check_widths(&w, &calls[i]);
    close_world(&w);
}

static void test_layer_norm(void **state)
{
    (void)state;
    static const char *const files[] = {"prelude.ldsl", "norm/layer_norm.ldsl", NULL};
    static const struct call calls[] = {
        {"layer_norm_bwd", "layer_norm_bwd_rows", {"dy", "x"}, {"mean", "rstd"}, NULL},
        {"layer_norm_bwd", "layer_norm_bwd_rows", {"dy", "x"}, {"mean", "rstd"}, "db"},
    };
    struct world w = open_library(files);
    for (uint32_t i = 0; i < COUNT(calls); i++)
        check_widths(&w, &calls[i]);
    close_world(&w);
}

/* As many programs as need no more turns; all rows of one begin equally far from a multiple of 16 bytes. */
static void test_programs(void **state)
{
    (void)state;
    static const struct {
        int64_t rows, width, most, wide, programs;
    } cases[] = {
        {8192, 4096, 264, 0, 256},
        {8192, 4097, 264, 0, 256},
        {8192, 4097, 132, 0, 128},
        {1000, 4096, 132, 0, 125},
        {1000, 4097, 132, 0, 128},
        {1000, 4098, 132, 0, 128},
        {1000, 4100, 132, 0, 126},
        {1000, 4097, 132, 1, 128},
        {1000, 4098, 132, 1, 126},
        {4096, 4097, 30,  0, 24 },
        {4096, 4097, 30,  1, 28 },
        {24,   4097, 4,   0, 4  },
        {100,  4097, 132, 0, 100},
    };
    static char text[1 << 16];
    char *end = text;
    const struct builtin_file *prelude = builtin_find("prelude.ldsl");
    assert_non_null(prelude);
    put_text(&end, prelude->text);
    put_text(&end, "kernel fill(x: tensor<f32>[R, D], part: out tensor<f32>[P, D])\n"
                   "{ grid p in 0 .. P; axis c in 0 .. D tile 64; sweep c { part[p, c] = 1.0; } }\n"
                   "op filled(x: tensor<f32>[R, D], most: i64, const wide: bool) -> () {\n"
                   "  let P = summing_programs(R, D, most, wide);\n"
                   "  scratch part: tensor<f32>[P, D];\n"
                   "  launch fill(x, part);\n"
                   "}\n");
    struct world w = open_world_on(text, true);
    for (uint32_t i = 0; i < COUNT(cases); i++) {
        const ldsl_argument args[] = {tensor("x", LDSL_F32, cases[i].rows, cases[i].width, -1),
                                      integer("most", cases[i].most),
                                      integer("wide", cases[i].wide)};
        ldsl_plan *plan = prepare(&w, "filled", args, 3, NULL);
        launch(plan);
        assert_int_equal(DIM(&fake.events[0], "P"), cases[i].programs);
        ldsl_plan_destroy(plan);
    }
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_programs),
        cmocka_unit_test(test_rms_norm),
        cmocka_unit_test(test_layer_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
