/* Trees: what each construct becomes, how operators bind, where nodes say they stand. */
#include "parsed.h"

/* The printed tree of a text. */
static void expect_tree(const char *text, const char *tree)
{
    struct parsed p;
    assert_string_equal(syntax_print(&p.s, parse_text(&p, text)), tree);
    session_destroy(&p.s);
}

/* The printed form of one expression. */
static void expect_expr(const char *text, const char *printed)
{
    char source[512], tree[512];
    snprintf(source, sizeof source, "const X = %s;", text);
    snprintf(tree, sizeof tree, "const X\n  value %s\n", printed);
    expect_tree(source, tree);
}

static void operators_bind_as_in_c(void **state)
{
    (void)state;
    expect_expr("a + b * c - d", "((a + (b * c)) - d)");
    expect_expr("a - b - c", "((a - b) - c)");
    expect_expr("a || b && c == d | e", "(a || (b && ((c == d) | e)))");
    expect_expr("a & b ^ c | d", "(((a & b) ^ c) | d)");
    expect_expr("a << b + c < d", "((a << (b + c)) < d)");
    expect_expr("-a * !b", "(-a * !b)");
    expect_expr("-a.b[1](c)", "-a.b[1](c)");
    expect_expr("a ? b : c ? d : e", "(a ? b : (c ? d : e))");
    expect_expr("a < b ? a + 1 : b", "((a < b) ? (a + 1) : b)");
    expect_expr("(a + b) * c", "((a + b) * c)");
    expect_expr("has w && x % 8 == 0", "(has w && ((x % 8) == 0))");
}

static void literals_keep_their_values(void **state)
{
    (void)state;
    expect_expr("18446744073709551615", "18446744073709551615");
    expect_expr("0xffFF", "65535");
    expect_expr("1.5", "1.5");
    expect_expr("1e-6", "1e-06");
    expect_expr("2e3", "2000.0");
    expect_expr("0.1", "0.1");
    expect_expr("0.30000000000000004", "0.30000000000000004");
    expect_expr("true", "true");
    expect_expr("\"a\\t\\\"\\\\\\n\"", "\"a\\t\\\"\\\\\\n\"");
    expect_expr("\"\xc3\xa9\"", "\"\xc3\xa9\"");
}

static void calls_take_all_kinds_of_arguments(void **state)
{
    (void)state;
    expect_expr("f()", "f()");
    expect_expr("load(x[r, c], cache: stream, fill: 0)", "load(x[r, c], cache: stream, fill: 0)");
    expect_expr("sum(x over v)", "sum(x over (v))");
    expect_expr("max(x over (r, c) to p)", "max(x over (r, c) to p)");
    expect_expr("reduce(x over c with f)", "reduce(x over (c) with f)");
    expect_expr("reduce(x over c with (a, b) => a + b)",
                "reduce(x over (c) with (a, b) => (a + b))");
    expect_expr("f(a ? b : c, n: a ? b : c)", "f((a ? b : c), n: (a ? b : c))");
    expect_expr("m.f(z[0 .. n], s[])", "m.f(z[0 .. n], s[])");
}

static void words_are_names_outside_their_place(void **state)
{
    (void)state;
    static const char *const words[] = {
        "as",       "bench",   "bound",  "default", "grad",    "grid",       "key",
        "launch",   "meta",    "mut",    "out",     "over",    "parts",      "ref",
        "pipeline", "require", "sample", "step",    "scratch", "specialize", "static",
        "strided",  "to",      "tune",   "where",   "with"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *w = words[i];
        char text[1024], tree[1024];
        snprintf(text, sizeof text,
                 "fn %s(%s: %s) -> f32 { let %s = %s(%s, %s: %s.%s); %s[%s] = %s; %s += 1; "
                 "return %s; }",
                 w, w, w, w, w, w, w, w, w, w, w, w, w, w);
        snprintf(tree, sizeof tree,
                 "fn %s\n  param %s: %s\n  result f32\n  body\n    let %s = %s(%s, %s: %s.%s)\n"
                 "    %s[%s] = %s\n    %s += 1\n    return %s\n",
                 w, w, w, w, w, w, w, w, w, w, w, w, w, w);
        expect_tree(text, tree);
    }
}

static void items_without_bodies(void **state)
{
    (void)state;
    expect_tree("import \"a.ldsl\"; import \"b.ldsl\" as b;",
                "import\n  path \"a.ldsl\"\nimport b\n  path \"b.ldsl\"\n");
    expect_tree("const N: index = 3;", "const N\n  type index\n  value 3\n");
    expect_tree("enum E { a, b }", "enum E\n  members a, b\n");
    expect_tree("struct S { a: f32, b: m.T }", "struct S\n  field a: f32\n  field b: m.T\n");
    expect_tree("extern op f<T: {f16, bf16}>(x: tensor<T>[N]);",
                "extern op f\n  generic T: {f16, bf16}\n  param x: tensor<T>[N]\n");
}

static void parameters_and_types(void **state)
{
    (void)state;
    expect_tree(
        "extern op f(a: mut tensor<T>[R, 2 * F] strided ?, b: out tensor<f32>[]?, c: ptr<u8>,\n"
        "  const d: index in {1, 2} = 1, const e: E, g: f32 = -1.5) -> (h: tensor<f32>[]);",
        "extern op f\n"
        "  param a: mut tensor<T>[R, (2 * F)] strided?\n"
        "  param b: out tensor<f32>[]?\n"
        "  param c: ptr<u8>\n"
        "  param const d: index in {1, 2} = 1\n"
        "  param const e: E\n"
        "  param g: f32 = -1.5\n"
        "  output h: tensor<f32>[]\n");
}

static void kernel_header(void **state)
{
    (void)state;
    expect_tree("@ordered @maxreg(128) kernel k(x: tensor<f32>[D])\n"
                "  require D > 0, \"empty\"; require D < 9; specialize D % 8 == 0, align(x, 16);\n"
                "  specialize packed(x); meta BD = fit(D), Q: index = 2;\n"
                "  tune { B in {1, 2 .. 8, 16 .. 64 step 16}; where B < BD; default { B = 1 };\n"
                "    default { B = 2, s = true } where dev.cc >= 90;\n"
                "    where B < 8 { default { B = 3 }; where s { default { B = 4 } where D > 1; }\n"
                "      default { B = 5 }; } where s { } default { B = 6 }; }\n"
                "{ }\n",
                "kernel k\n"
                "  attribute ordered\n"
                "  attribute maxreg 128\n"
                "  param x: tensor<f32>[D]\n"
                "  require (D > 0), \"empty\"\n"
                "  require (D < 9)\n"
                "  specialize ((D % 8) == 0), align(x, 16)\n"
                "  specialize packed(x)\n"
                "  meta BD = fit(D)\n"
                "  meta Q: index = 2\n"
                "  tune B in {1, 2 .. 8, 16 .. 64 step 16}\n"
                "  where (B < BD)\n"
                "  default {B = 1}\n"
                "  default {B = 2, s = true} where (dev.cc >= 90)\n"
                "  default {B = 3} where (B < 8)\n"
                "  default {B = 4} where (((B < 8) && s) && (D > 1))\n"
                "  default {B = 5} where (B < 8)\n"
                "  default {B = 6}\n"
                "  body\n");
}

static void op_header_and_body(void **state)
{
    (void)state;
    expect_tree("op o(x: tensor<f32>[R], t: tensor<i64>[R]) -> (y: tensor<f32>[R])\n"
                "  require R > 1; key(R, bucket(R)); grad o_bwd; ref o_ref;\n"
                "  sample t = randint(0, V); bench { R = 8 }; bench { R = 16, V = 2 };\n"
                "{ let P = min(R, 4); scratch s: tensor<f32>[P]; zero(s);\n"
                "  for i in 0 .. R step P { m.gemm(x[i .. i + P], s); }\n"
                "  launch k(s, y) grid (P, 2) with { B = 4 }; launch m.k(s); copy(y, s); }\n",
                "op o\n"
                "  param x: tensor<f32>[R]\n"
                "  param t: tensor<i64>[R]\n"
                "  output y: tensor<f32>[R]\n"
                "  require (R > 1)\n"
                "  key R, bucket(R)\n"
                "  grad o_bwd\n"
                "  ref o_ref\n"
                "  sample t = randint(0, V)\n"
                "  bench {R = 8}\n"
                "  bench {R = 16, V = 2}\n"
                "  body\n"
                "    let P = min(R, 4)\n"
                "    scratch s: tensor<f32>[P]\n"
                "    zero(s)\n"
                "    for i in 0 .. R step P\n"
                "      m.gemm(x[i .. (i + P)], s)\n"
                "    launch k(s, y) grid (P, 2) with {B = 4}\n"
                "    launch m.k(s)\n"
                "    copy(y, s)\n");
}

static void statements(void **state)
{
    (void)state;
    expect_tree(
        "kernel k(x: tensor<f32>[N]) {\n"
        "  grid axis r in 0 .. N tile 4 bound A; axis c in s[g] .. s[g + 1] tile B parts p;\n"
        "  grid i in 0 .. N bound M; var a: tile<f32>[r, c] = 0.0; let (b, d) = f(a);\n"
        "  sweep c in 0 .. 9 pipeline(2) { break; } sweep c { continue; }\n"
        "  for static j in 0 .. 4 { } while a > b { { a *= 2; } a /= 2; a -= 1; }\n"
        "  if a { return; } else if b { return a; } else { return (a, b); }\n"
        "  assert(a, \"m\"); assume(b); static_assert(c == d);\n"
        "}",
        "kernel k\n"
        "  param x: tensor<f32>[N]\n"
        "  body\n"
        "    grid axis r in 0 .. N tile 4 bound A\n"
        "    axis c in s[g] .. s[(g + 1)] tile B parts p\n"
        "    grid i in 0 .. N bound M\n"
        "    var a: tile<f32>[r, c] = 0.0\n"
        "    let b, d = f(a)\n"
        "    sweep c in 0 .. 9 pipeline 2\n"
        "      break\n"
        "    sweep c\n"
        "      continue\n"
        "    for static j in 0 .. 4\n"
        "    while (a > b)\n"
        "      block\n"
        "        a *= 2\n"
        "      a /= 2\n"
        "      a -= 1\n"
        "    if a\n"
        "      return\n"
        "    else\n"
        "      if b\n"
        "        return a\n"
        "      else\n"
        "        return a, b\n"
        "    assert a, \"m\"\n"
        "    assume b\n"
        "    static_assert (c == d)\n");
}

static void doc_comments_belong_to_the_item_below(void **state)
{
    (void)state;
    expect_tree("/// not this one\n\n/// One.\n///  Two.\n@a enum E { a }\n// plain\nconst N = 1;\n"
                "//// nor this\nconst M = 1; /// late\n",
                "enum E\n  doc \"One.\\n Two.\"\n  attribute a\n  members a\n"
                "const N\n  value 1\nconst M\n  value 1\n");
}

static void expect_span(struct parsed *p, struct span at, const char *text)
{
    const struct source *src = source_get(&p->s, at.file);
    assert_non_null(src);
    assert_true(at.begin <= at.end && at.end <= src->length);
    assert_int_equal(at.end - at.begin, strlen(text));
    assert_memory_equal(src->text + at.begin, text, strlen(text));
}

static void spans_cover_what_was_written(void **state)
{
    (void)state;
    struct parsed p;
    struct ast_file *file = parse_text(&p, " kernel k(x: tensor<f32>[N]) {\n"
                                           "  y[i] = a + sum(b * c over v) ;\n"
                                           "}  ");
    const struct item *k = file->items.data[0];
    expect_span(&p, k->name.at, "k");
    expect_span(&p, k->params.data[0].at, "x: tensor<f32>[N]");
    expect_span(&p, k->params.data[0].type->at, "tensor<f32>[N]");
    const struct stmt *st = k->kernel.body.data[0];
    expect_span(&p, st->at, "y[i] = a + sum(b * c over v) ;");
    expect_span(&p, st->assign.target->at, "y[i]");
    expect_span(&p, st->assign.value->at, "a + sum(b * c over v)");
    expect_span(&p, st->assign.value->binary.op_at, "+");
    expect_span(&p, st->assign.value->binary.right->call.args.data[0].at, "b * c over v");
    assert_int_equal(k->at.begin, 1);
    session_destroy(&p.s);
}

static void equal_names_are_one_pointer(void **state)
{
    (void)state;
    struct parsed p;
    struct ast_file *file = parse_text(&p, "const key = key;");
    assert_ptr_equal(file->items.data[0]->name.text, file->items.data[0]->constant.value->string);
    session_destroy(&p.s);
}

static void depth_is_counted(void **state)
{
    (void)state;
    struct parsed p;
    struct ast_file *file = parse_text(&p, "const a = f(x[i + 1], -b);");
    assert_int_equal(file->items.data[0]->constant.value->depth, 4);
    session_destroy(&p.s);
}

static void empty_files_are_files(void **state)
{
    (void)state;
    expect_tree("", "");
    expect_tree("\n\n// only a comment", "");
    expect_tree("/// a doc of nothing\n", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_bind_as_in_c),
        cmocka_unit_test(literals_keep_their_values),
        cmocka_unit_test(calls_take_all_kinds_of_arguments),
        cmocka_unit_test(words_are_names_outside_their_place),
        cmocka_unit_test(items_without_bodies),
        cmocka_unit_test(parameters_and_types),
        cmocka_unit_test(kernel_header),
        cmocka_unit_test(op_header_and_body),
        cmocka_unit_test(statements),
        cmocka_unit_test(doc_comments_belong_to_the_item_below),
        cmocka_unit_test(spans_cover_what_was_written),
        cmocka_unit_test(equal_names_are_one_pointer),
        cmocka_unit_test(depth_is_counted),
        cmocka_unit_test(empty_files_are_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
