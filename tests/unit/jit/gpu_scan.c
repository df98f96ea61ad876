/* Scans of the GPU lowering: kinds, element types, combiners, inclusive and exclusive, along rows and
 * columns, in vectors, lanes, warps, repeats and blocks of a cluster. */
#include "both.h"

static void check_scan(const struct type *t, const char *kind, bool exclusive,
                       const struct config *c, char along)
{
    char lines[256];
    snprintf(lines, sizeof lines, "    %%y = scan %%x {axis = %c, kind = %s%s} : %s[r, c]\n", along,
             kind, exclusive ? ", exclusive" : "", t->name);
    check_body(&(struct body){t, t, OVER_BOTH, .lines = lines}, c);
}

static void test_every_config(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIGS; i++)
        check_scan(i % 3 ? &f32 : &bf16, "sum", i % 2, &configs[i], 'c');
}

static void test_every_kind(void **state)
{
    (void)state;
    static const char *const kinds[] = {"sum", "prod", "max", "min", "fmax", "fmin"};
    static const struct type *const types[] = {&f32, &f64, &i32, &i64, &u8, &f16};
    for (size_t i = 0; i < 12; i++)
        check_scan(types[(i + i / 6) % 6], kinds[i % 6], i % 2, &configs[i % 5], 'c');
}

/* Rows of a tile: the axis may be in registers, lanes or warps. */
static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIGS; i++)
        if (configs[i].rows > 1)
            check_scan(&i32, "sum", i % 2, &configs[i], 'r');
}

/* The sum so far, and where the greatest so far stood: without an identity. */
static const char pair[] =
    "    %%s, %%m = scan %%x, %%x {axis = c, kind = combiner%s} : i32[r, c], i32[r, c] do "
    "(%%a : i32, %%am : i32, %%b : i32, %%bm : i32) {\n"
    "      %%t = add %%a, %%b : i32\n"
    "      %%n = max %%am, %%bm : i32\n"
    "      yield %%t, %%n\n"
    "    }\n"
    "    %%y = sub %%s, %%m : i32[r, c]\n";

static void test_combiner(void **state)
{
    (void)state;
    char lines[1024];
    for (size_t i = 0; i < CONFIGS; i++) {
        snprintf(lines, sizeof lines, pair, i % 2 ? ", exclusive" : "");
        check_body(&(struct body){&i32, &i32, OVER_BOTH, .lines = lines}, &configs[i]);
    }
}

/* Scans of what a loop carries: the copies of shared memory take turns. */
static const char rounds[] =
    "    %one = const {i = 1} : index\n"
    "    %five = const {i = 5} : index\n"
    "    %y = for %z, %five, %one, %x : i32[r, c] do (%i : index, %a : i32[r, c]) {\n"
    "      %s = scan %a {axis = c, kind = sum} : i32[r, c]\n"
    "      %n = sub %s, %x : i32[r, c]\n"
    "      yield %n\n"
    "    }\n";

static void test_loop(void **state)
{
    (void)state;
    for (size_t i = 1; i < CONFIGS; i += 3)
        check_body(&(struct body){&i32, &i32, OVER_BOTH, .lines = rounds}, &configs[i]);
}

int main(int argc, char **argv)
{
    choose_gpu(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_config), cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_rows),         cmocka_unit_test(test_combiner),
        cmocka_unit_test(test_loop),
    };
    return cmocka_run_group_tests(tests, open_both, close_both);
}
