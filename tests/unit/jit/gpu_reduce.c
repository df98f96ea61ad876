/* Reductions of the GPU lowering: element types, kinds, combiners, siblings, both directions; in
 * loops and under conditions; down to parts; @ordered. */
#include "both.h"

static void check_kind(const struct type *t, const char *kind, const struct config *c, bool columns)
{
    char lines[256];
    snprintf(lines, sizeof lines, "    %%y = reduce %%x {axes = [%s], kind = %s} : %s[%s]\n",
             columns ? "r" : "c", kind, t->name, columns ? "c" : "r");
    check_body(&(struct body){t, t, columns ? OVER_C : OVER_R, .lines = lines}, c);
}

static const char sum[] = "    %y = reduce %x {axes = [c], kind = sum} : f32[r]\n";

/* The configurations are what they are meant to be: rows are spread over warps and blocks. */
static void test_layouts(void **state)
{
    static const char *const over[CONFIGS] = {"lane", "warp", "block", "warp",  "warp", "block",
                                              "warp", "warp", "lane",  "block", "lane", "warp"};
    (void)state;
    for (size_t i = 0; i < CONFIGS; i++) {
        char text[TEXT_BYTES];
        make_text(text, &(struct body){&f32, &f32, OVER_R, .lines = sum}, &configs[i]);
        struct ldsl_source source = {"test.tir", text, strlen(text)};
        struct ldsl_options options = {
            .target = on_gpu.info.target, .from_ir = true, .emit = LDSL_EMIT_LAYOUT};
        ldsl_artifact *layout;
        size_t bytes;
        assert_int_equal(ldsl_compile(&layout, &source, &options, &test_sink), LDSL_OK);
        const char *axis = strstr(ldsl_artifact_data(layout, &bytes), "\n  c: ");
        assert_non_null(axis);
        const char *found = strstr(axis, over[i]);
        if (!found || found > strchr(axis + 1, '\n'))
            fail_msg("not over a %s:%.200s", over[i], axis);
        ldsl_artifact_free(layout);
    }
}

static void test_every_config(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIGS; i++)
        check_kind(i % 2 ? &bf16 : &f32, "sum", &configs[i], false);
    check_kind(&bf16, "sum", &(struct config){1, 1, 1, 1024}, false);
}

/* So many warps and blocks that lanes share the reading of their parts: 16, 20, 34, 64. */
static void test_many_parts(void **state)
{
    (void)state;
    static const struct config many[] = {
        {16, 1, 1, 4096 },
        {20, 1, 1, 5120 },
        {17, 2, 1, 8704 },
        {16, 4, 1, 16384}
    };
    static const char *const kinds[] = {"sum", "fmax", "min", "prod"};
    static const struct type *const types[] = {&f32, &bf16, &i64, &f64};
    for (size_t i = 0; i < sizeof many / sizeof many[0]; i++)
        for (size_t k = 0; k < 4; k++)
            check_kind(types[(i + k) % 4], kinds[k], &many[i], false);
}

static void test_columns(void **state)
{
    (void)state;
    for (size_t i = 1; i < CONFIGS; i += 2)
        check_kind(i % 2 ? &f32 : &bf16, i % 3 ? "max" : "sum", &configs[i], true);
}

static void test_every_kind(void **state)
{
    (void)state;
    static const char *const kinds[] = {"sum", "prod", "max", "min", "fmax", "fmin"};
    static const struct type *const types[] = {&f32, &f64, &bf16, &f16, &i32, &i64, &u8};
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
        for (size_t i = t % 2; i < 6; i += 2)
            check_kind(types[t], kinds[i], &configs[(t * 6 + i) % 6], false);
}

static void test_bools(void **state)
{
    (void)state;
    static const char lines[] = "    %lim = const {i = 2} : u8\n"
                                "    %low = cmp %x, %lim {cmp = lt} : bool[r, c]\n"
                                "    %some = reduce %low {axes = [c], kind = any} : bool[r]\n"
                                "    %big = not %low : bool[r, c]\n"
                                "    %all = reduce %big {axes = [c], kind = all} : bool[r]\n"
                                "    %a = cast %some : u8[r]\n"
                                "    %b = cast %all : u8[r]\n"
                                "    %two = const {i = 2} : u8\n"
                                "    %bb = mul %b, %two : u8[r]\n"
                                "    %y = add %a, %bb : u8[r]\n";
    for (size_t i = 0; i < CONFIGS; i += 3)
        check_body(&(struct body){&u8, &u8, OVER_R, .lines = lines}, &configs[i]);
}

/* ---- combiners --------------------------------------------------------------------------------- */

/* The first of the greatest: one 32-bit and one 64-bit value, no identity. Values repeat. */
static const char first_of_greatest[] =
    "    %seven = const {i = 7} : i32\n"
    "    %v = rem %x, %seven : i32[r, c]\n"
    "    %m, %at = reduce %v, %c {axes = [c], kind = combiner} : i32[r], index[r] do "
    "(%p : i32, %i : index, %q : i32, %j : index) {\n"
    "      %more = cmp %q, %p {cmp = gt} : bool\n"
    "      %same = cmp %q, %p {cmp = eq} : bool\n"
    "      %before = cmp %j, %i {cmp = lt} : bool\n"
    "      %tie = and %same, %before : bool\n"
    "      %take = or %more, %tie : bool\n"
    "      %w = select %take, %q, %p : i32\n"
    "      %k = select %take, %j, %i : index\n"
    "      yield %w, %k\n"
    "    }\n"
    "    %y = cast %at : i64[r]\n";

/* Maximum, and the sum of exp(x - maximum): what an online softmax keeps. */
static const char softmax_pair[] =
    "    %one = const {f = 1} : f32\n"
    "    %ones = expand %one {axes = [r, c]} : f32[r, c]\n"
    "    %m, %s = reduce %x, %ones {axes = [c], kind = combiner} : f32[r], f32[r] do "
    "(%a : f32, %sa : f32, %b : f32, %sb : f32) {\n"
    "      %hi = max %a, %b : f32\n"
    "      %da = sub %a, %hi : f32\n"
    "      %db = sub %b, %hi : f32\n"
    "      %ea = exp %da : f32\n"
    "      %eb = exp %db : f32\n"
    "      %ta = mul %sa, %ea : f32\n"
    "      %tb = mul %sb, %eb : f32\n"
    "      %t = add %ta, %tb : f32\n"
    "      yield %hi, %t\n"
    "    }\n"
    "    %l = log %s : f32[r]\n"
    "    %y = add %m, %l : f32[r]\n";

static void test_combiners(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIGS; i++) {
        if (i % 2)
            check_body(&(struct body){&i32, &i64, OVER_R, .lines = first_of_greatest}, &configs[i]);
        else
            check_body(&(struct body){&f32, &f32, OVER_R, .lines = softmax_pair}, &configs[i]);
    }
}

/* ---- siblings ---------------------------------------------------------------------------------- */

/* Different element types, different axes, a tuple among them; then one that needs the others. */
static const char siblings[] =
    "    %d = cast %x : f64[r, c]\n"
    "    %s = reduce %x {axes = [c], kind = sum} : f32[r]\n"
    "    %ds = reduce %d {axes = [c], kind = sum} : f64[r]\n"
    "    %hi = reduce %x {axes = [c], kind = max} : f32[r]\n"
    "    %every = reduce %x {axes = [r, c], kind = min} : f32\n"
    "    %lo, %hi2 = reduce %x, %x {axes = [c], kind = combiner} : f32[r], f32[r] do "
    "(%a : f32, %b : f32, %p : f32, %q : f32) {\n"
    "      %n = min %a, %p : f32\n"
    "      %m = max %b, %q : f32\n"
    "      yield %n, %m\n"
    "    }\n"
    "    %f = cast %ds : f32[r]\n"
    "    %o = sub %x, %hi : f32[r, c]\n"
    "    %os = reduce %o {axes = [c], kind = fmin} : f32[r]\n"
    "    %a0 = add %s, %f : f32[r]\n"
    "    %a1 = add %a0, %hi : f32[r]\n"
    "    %a2 = add %a1, %lo : f32[r]\n"
    "    %a3 = sub %a2, %hi2 : f32[r]\n"
    "    %a4 = add %a3, %os : f32[r]\n"
    "    %y = add %a4, %every : f32[r]\n";

static void test_siblings(void **state)
{
    (void)state;
    /* A minimum over rows too: all of a program's rows must be elements of it. */
    for (size_t i = 0; i < CONFIGS; i += 2)
        check_body(&(struct body){&f32, &f32, OVER_R, .lines = siblings}, &configs[i]);
}

/* ---- loops ------------------------------------------------------------------------------------- */

/* Rounds with one exchange, with two, with one now and then: copies take turns. */
static const char rounds[] =
    "    %one = const {i = 1} : index\n"
    "    %two = const {i = 2} : index\n"
    "    %nine = const {i = 9} : index\n"
    "    %zero = const {f = 0} : f32\n"
    "    %first = reduce %x {axes = [c], kind = min} : f32[r]\n"
    "    %y = for %z, %nine, %one, %first : f32[r] do (%i : index, %a : f32[r]) {\n"
    "      %d = sub %x, %a : f32[r, c]\n"
    "      %s = reduce %d {axes = [c], kind = max} : f32[r]\n"
    "      %odd = rem %i, %two : index\n"
    "      %is_odd = cmp %odd, %one {cmp = eq} : bool\n"
    "      %n = if %is_odd : f32[r] do {\n"
    "        %e = add %x, %s : f32[r, c]\n"
    "        %t = reduce %e {axes = [c], kind = min} : f32[r]\n"
    "        yield %t\n"
    "      } else {\n"
    "        yield %s\n"
    "      }\n"
    "      yield %n\n"
    "    }\n";

/* Nothing but an exchange that happens in every other round, of an inner loop of its own. */
static const char now_and_then[] =
    "    %one = const {i = 1} : index\n"
    "    %two = const {i = 2} : index\n"
    "    %three = const {i = 3} : index\n"
    "    %zero = const {f = 0} : f32\n"
    "    %start = expand %zero {axes = [r]} : f32[r]\n"
    "    %y = for %z, %three, %one, %start : f32[r] do (%o : index, %b : f32[r]) {\n"
    "      %in = for %z, %three, %one, %b : f32[r] do (%i : index, %a : f32[r]) {\n"
    "        %odd = rem %i, %two : index\n"
    "        %is_odd = cmp %odd, %one {cmp = eq} : bool\n"
    "        if %is_odd do {\n"
    "          continue %a\n"
    "        } else {\n"
    "          yield\n"
    "        }\n"
    "        %d = sub %x, %a : f32[r, c]\n"
    "        %s = reduce %d {axes = [c], kind = max} : f32[r]\n"
    "        yield %s\n"
    "      }\n"
    "      yield %in\n"
    "    }\n";

static void test_loops(void **state)
{
    (void)state;
    for (size_t i = 1; i < CONFIGS; i += 4) {
        check_body(&(struct body){&f32, &f32, OVER_R, rounds, .slack = 8}, &configs[i]);
        check_body(&(struct body){&f32, &f32, OVER_R, now_and_then, .slack = 8}, &configs[i]);
    }
}

/* ---- parts ------------------------------------------------------------------------------------- */

/* What an online softmax does without meeting anybody before the end: a pair for each part, and log
 * of the sum of exp, which does not depend on the parts. */
static const char by_parts[] = "    %t = reduce %x {axes = [c], kind = max, to = p} : f32[r, p]\n"
                               "    %tc = spread %t {axis = c} : f32[r, c]\n"
                               "    %d = sub %x, %tc : f32[r, c]\n"
                               "    %e = exp %d : f32[r, c]\n"
                               "    %s = reduce %e {axes = [c], kind = sum, to = p} : f32[r, p]\n"
                               "    %top = reduce %t {axes = [p], kind = max} : f32[r]\n"
                               "    %dp = sub %t, %top : f32[r, p]\n"
                               "    %ep = exp %dp : f32[r, p]\n"
                               "    %sp = mul %s, %ep : f32[r, p]\n"
                               "    %sum = reduce %sp {axes = [p], kind = sum} : f32[r]\n"
                               "    %l = log %sum : f32[r]\n"
                               "    %y = add %l, %top : f32[r]\n";

static void test_parts(void **state)
{
    (void)state;
    struct body k = {&f32, &f32, OVER_R, by_parts, .axes = " p : part c {tile = 0}"};
    for (size_t i = 0; i < CONFIGS; i += 2)
        check_body(&k, &configs[i]);
}

/* ---- ordered ----------------------------------------------------------------------------------- */

/* Sums of products of very different sizes: any other order shows. */
static const char products[] = "    %q = mul %x, %x : f32[r, c]\n"
                               "    %qq = mul %q, %q : f32[r, c]\n"
                               "    %n = mul %qq, %x : f32[r, c]\n"
                               "    %y = reduce %n {axes = [c], kind = sum} : f32[r]\n";

static const char pairs[] =
    "    %m, %s = reduce %x, %x {axes = [c], kind = combiner} : f32[r], f32[r] do "
    "(%a : f32, %sa : f32, %b : f32, %sb : f32) {\n"
    "      %hi = max %a, %b : f32\n"
    "      %t = mul %sa, %a : f32\n"
    "      %u = add %t, %sb : f32\n"
    "      yield %hi, %u\n"
    "    }\n"
    "    %y = add %m, %s : f32[r]\n";

static char *run_ordered(const struct body *k, const struct config *c, const struct matrix *m)
{
    char text[TEXT_BYTES];
    make_text(text, k, c);
    struct ready gpu = get_ready(&on_gpu, text);
    char *y = run_matrix(&gpu, k, c, m, text);
    release(&gpu);
    return y;
}

/* Even of a combiner that is neither associative nor commutative the bits are the same. */
static void check_ordered(const char *lines, int64_t D)
{
    static const struct config spread[] = {
        {1, 1, 1, 512 },
        {4, 1, 1, 1024},
        {5, 1, 1, 1280},
        {8, 1, 2, 1024},
        {7, 1, 1, 1792},
        {2, 2, 1, 2048},
        {5, 2, 1, 2560},
    };
    struct body k = {&f32, &f32, OVER_R, lines, .word = "ordered"};
    struct matrix m = new_matrix(&f32, 5, D);
    char *first = run_ordered(&k, &spread[0], &m);
    for (size_t i = 1; i < sizeof spread / sizeof spread[0]; i++) {
        char *y = run_ordered(&k, &spread[i], &m);
        assert_memory_equal(y, first, 5 * sizeof(float));
        free(y);
    }
    free(first), free(m.x);
}

static void test_ordered(void **state)
{
    (void)state;
    for (size_t i = 0; i < CONFIGS; i += 4)
        check_body(&(struct body){&f32, &f32, OVER_R, products, .word = "ordered"}, &configs[i]);
    check_ordered(products, 448);
    check_ordered(products, 77);
    check_ordered(pairs, 131);
}

int main(int argc, char **argv)
{
    choose_gpu(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),    cmocka_unit_test(test_every_config),
        cmocka_unit_test(test_many_parts), cmocka_unit_test(test_columns),
        cmocka_unit_test(test_every_kind), cmocka_unit_test(test_bools),
        cmocka_unit_test(test_combiners),  cmocka_unit_test(test_siblings),
        cmocka_unit_test(test_loops),      cmocka_unit_test(test_parts),
        cmocka_unit_test(test_ordered),
    };
    return cmocka_run_group_tests(tests, open_both, close_both);
}
