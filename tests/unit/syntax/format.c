/* ldsl fmt: one layout, reached in one step, that keeps comments and tokens. */
#include "parsed.h"

#include <stdlib.h>

static const char *format_text(struct parsed *p, const char *text)
{
    const char *formatted = syntax_format(&p->s, open_source(p, text));
    diag_flush(&p->s);
    assert_string_equal(p->said, "");
    assert_non_null(formatted);
    return formatted;
}

/* The tree of a text, as text. The caller frees it. */
static char *tree_of(const char *text)
{
    struct parsed p;
    const char *tree = syntax_print(&p.s, parse_text(&p, text));
    size_t size = strlen(tree) + 1;
    char *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, tree, size);
    session_destroy(&p.s);
    return copy;
}

static void expect_columns(const char *text, size_t columns)
{
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= columns);
}

static void expect_format(const char *text, const char *wanted)
{
    struct parsed p;
    assert_string_equal(format_text(&p, text), wanted);
    session_destroy(&p.s);
    assert_string_equal(format_text(&p, wanted), wanted);
    session_destroy(&p.s);
    char *before = tree_of(text), *after = tree_of(wanted);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void blanks_follow_the_tokens(void **state)
{
    (void)state;
    expect_format("const X=- a*( b+c ) [ i,j ] . k ;", "const X = -a * (b + c)[i, j].k;\n");
    expect_format("const X = a<b?a:f( n :b )|~c<<2;", "const X = a < b ? a : f(n: b) | ~c << 2;\n");
    expect_format("const X=sum( x over( r,c )to p with( a,b )=>a+b );",
                  "const X = sum(x over (r, c) to p with (a, b) => a + b);\n");
    expect_format(
        "extern op f < T : { f16,bf16 } > ( x : mut tensor < T > [ N ] strided ? , const g : i32 "
        "in { 1,2 } ) ;",
        "extern op f<T: {f16, bf16}>(x: mut tensor<T>[N] strided?, const g: i32 in {1, 2});\n");
    expect_format("enum E{a,b}struct S{x:f32}", "enum E { a, b }\nstruct S { x: f32 }\n");
    expect_format("const grid=key( step )[ to ];", "const grid = key(step)[to];\n");
    expect_format("const X=!has w&&-1-(-2)<0;", "const X = !has w && -1 - (-2) < 0;\n");
}

static void statements_have_lines_of_their_own(void **state)
{
    (void)state;
    expect_format(
        "kernel k(x: tensor<f32>[N]) { grid i in 0 .. N;\nlet a = 1; var b: f32 = 2; while a {\n"
        "b += 1; }\n\n\n\nsweep v pipeline(2) {\n\n\nb = 1;\n\n}\nlaunch f(a) grid(1) "
        "with{B=2}; }",
        "kernel k(x: tensor<f32>[N]) {\n"
        "  grid i in 0 .. N;\n"
        "  let a = 1;\n"
        "  var b: f32 = 2;\n"
        "  while a {\n"
        "    b += 1;\n"
        "  }\n"
        "\n"
        "  sweep v pipeline(2) {\n"
        "    b = 1;\n"
        "  }\n"
        "  launch f(a) grid (1) with { B = 2 };\n"
        "}\n");
}

static void short_blocks_may_stay_on_one_line(void **state)
{
    (void)state;
    expect_format("fn f(x: f32) -> f32 {\n"
                  "  if x > 1 { return x; } else { return 1; }\n"
                  "  if x > 1 { return x; }\n  else { return 1; }\n"
                  "  if x > 1 {\n    return x; } else { return 1; }\n"
                  "  sweep v { }\n"
                  "}\n",
                  "fn f(x: f32) -> f32 {\n"
                  "  if x > 1 { return x; } else { return 1; }\n"
                  "  if x > 1 { return x; } else { return 1; }\n"
                  "  if x > 1 {\n    return x;\n  } else {\n    return 1;\n  }\n"
                  "  sweep v {}\n"
                  "}\n");
    expect_format("fn f(x: f32) -> f32 {\n"
                  "  if a_rather_long_condition(x, x, x, x) > 1 { return "
                  "another_rather_long_name(x, x, x, x, "
                  "x, x, x); }\n}\n",
                  "fn f(x: f32) -> f32 {\n"
                  "  if a_rather_long_condition(x, x, x, x) > 1 {\n"
                  "    return another_rather_long_name(x, x, x, x, x, x, x);\n"
                  "  }\n"
                  "}\n");
}

static void headers_put_clauses_on_lines(void **state)
{
    (void)state;
    expect_format(
        "/// Doc.\n@ordered kernel k<T: float>(x: tensor<T>[N],\ny: tensor<T>[N]) "
        "require N > 1; tune { "
        "B in {1, 2}; where B < 2;\nwhere N < 4 { where N < 2 { default { B = 2 }; }\n"
        "default { B = 1 } where N < 3; // three\n} default { B = 1 }; } { grid i in 0 .. N; }\n"
        "op o(x: tensor<f32>[N]) -> (y: tensor<f32>[N]) key(N); bench{N=3}; { zero(y); }",
        "/// Doc.\n"
        "@ordered\n"
        "kernel k<T: float>(x: tensor<T>[N],\n"
        "    y: tensor<T>[N])\n"
        "  require N > 1;\n"
        "  tune {\n"
        "    B in {1, 2}; where B < 2;\n"
        "    where N < 4 {\n"
        "      where N < 2 { default { B = 2 }; }\n"
        "      default { B = 1 } where N < 3;  // three\n"
        "    }\n"
        "    default { B = 1 };\n"
        "  }\n"
        "{\n"
        "  grid i in 0 .. N;\n"
        "}\n"
        "\n"
        "op o(x: tensor<f32>[N]) -> (y: tensor<f32>[N])\n"
        "  key(N);\n"
        "  bench { N = 3 };\n"
        "{\n"
        "  zero(y);\n"
        "}\n");
}

static void long_lines_are_broken(void **state)
{
    (void)state;
    expect_format("op some_operator<T: float>(first: tensor<T>[R, D], second: tensor<T>[R, D], "
                  "eps: f32 = 1e-6) -> "
                  "(result: tensor<T>[R, D], other: tensor<f32>[R]) key(R); { }",
                  "op some_operator<T: float>(first: tensor<T>[R, D], second: tensor<T>[R, D], "
                  "eps: f32 = 1e-6)\n"
                  "  -> (result: tensor<T>[R, D], other: tensor<f32>[R])\n"
                  "  key(R);\n"
                  "{}\n");
    expect_format(
        "kernel some_kernel<T: float>(first: tensor<T>[R, D], second: tensor<T>[R, D], third: "
        "tensor<T>[R, "
        "D], eps: f32) { }",
        "kernel some_kernel<T: float>(\n"
        "    first: tensor<T>[R, D], second: tensor<T>[R, D], third: tensor<T>[R, D], eps: f32)\n"
        "{}\n");
    expect_format(
        "const X = first_function(argument, argument) + second_function(argument, argument) * "
        "third_function(argument, argument);",
        "const X = first_function(argument, argument) +\n"
        "    second_function(argument, argument) * third_function(argument, argument);\n");
    expect_format("const X = function(argument_one, argument_two, argument_three, argument_four, "
                  "argument_five, arg_six);",
                  "const X = function(argument_one, argument_two, argument_three, argument_four, "
                  "argument_five,\n"
                  "    arg_six);\n");
}

static void long_lists_are_broken(void **state)
{
    (void)state;
    expect_format("enum Longer { first_member, second_member, third_member, fourth_member, "
                  "fifth_member, sixth, seventh }",
                  "enum Longer { first_member, second_member, third_member, fourth_member, "
                  "fifth_member, sixth,\n"
                  "  seventh }\n");
}

static void the_authors_line_breaks_stay(void **state)
{
    (void)state;
    expect_format("const X = a\n  + b *\n c;\n", "const X = a\n    + b *\n    c;\n");
    expect_format("fn f(\n  x: f32,\n  y: f32)\n  -> f32 = x;\n",
                  "fn f(\n    x: f32,\n    y: f32)\n    -> f32 = x;\n");
    expect_format("enum E {\n a,\n b\n}\n", "enum E {\n  a,\n  b\n}\n");
    expect_format("const\nX\n=\n1\n;\n", "const X =\n    1;\n");
}

static void comments_stay_where_they_are(void **state)
{
    (void)state;
    expect_format("// First.   \n\n\n// Second.\nconst X = 1;   // one\nconst LONG = 1; // "
                  "two\n\nconst Y = 1; // three\n"
                  "// Last.",
                  "// First.\n\n// Second.\nconst X = 1;     // one\nconst LONG = 1;  // two\n\n"
                  "const Y = 1;  // three\n// Last.\n");
    expect_format(
        "fn f(x: f32) -> f32 { // open\n// above\nreturn x; // beside\n\n// below\n}\n",
        "fn f(x: f32) -> f32 {  // open\n  // above\n  return x;  // beside\n\n  // below\n}\n");
    expect_format("extern op f(a: f32, // the first\n// above b\nb: f32);\n",
                  "extern op f(a: f32,  // the first\n    // above b\n    b: f32);\n");
    expect_format("kernel k()\n// a clause\nrequire N > 1; // why\n// the body\n{ }\n",
                  "kernel k()\n  // a clause\n  require N > 1;  // why\n  // the body\n{}\n");
}

static void what_does_not_parse_is_not_formatted(void **state)
{
    (void)state;
    struct parsed p;
    assert_null(syntax_format(&p.s, open_source(&p, "const X = ;")));
    diag_flush(&p.s);
    assert_string_equal(p.said, "1:11: expected an expression, found ';'\n");
    session_destroy(&p.s);
}

static void wide_characters_count_once(void **state)
{
    (void)state;
    char text[256] = "const X = f(\"", wide[128] = "";
    for (int i = 0; i < 40; i++)
        strcat(wide, "\xc3\xa9");
    strcat(text, wide);
    strcat(text, "\", a_long_argument, a_long_argument);");
    char wanted[sizeof text + 1];
    snprintf(wanted, sizeof wanted, "%s\n", text);
    expect_format(text, wanted);
}

static void everything_on_one_line_is_laid_out(void **state)
{
    (void)state;
    struct parsed p;
    const char *text =
        "kernel k<T: float>(x: tensor<T>[R, D], w: tensor<T>[D]?, y: out tensor<T>[R, D]) "
        "specialize D "
        "% 8 == 0, align(x, 16); meta BD = fit(D); tune { BR in {1, 2, 4, 8, 16}; num_warps in {1, "
        "2, "
        "4, 8, 16, 32}; where BR * BD <= 65536; default { BR = 1, num_warps = 8 }; } { grid axis r "
        "in "
        "0 .. R tile BR; axis c in 0 .. D tile BD; let xv = f32(x[r, c]); if has w { y[r, c] = "
        "T(xv * "
        "rsqrt(sum(xv * xv over c) / f32(D) + 1e-6) * f32(w[c])); } else { y[r, c] = T(xv); } }";
    const char *formatted = format_text(&p, text);
    expect_columns(formatted, 100);
    session_destroy(&p.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_follow_the_tokens),
        cmocka_unit_test(statements_have_lines_of_their_own),
        cmocka_unit_test(short_blocks_may_stay_on_one_line),
        cmocka_unit_test(headers_put_clauses_on_lines),
        cmocka_unit_test(long_lines_are_broken),
        cmocka_unit_test(long_lists_are_broken),
        cmocka_unit_test(the_authors_line_breaks_stay),
        cmocka_unit_test(comments_stay_where_they_are),
        cmocka_unit_test(what_does_not_parse_is_not_formatted),
        cmocka_unit_test(wide_characters_count_once),
        cmocka_unit_test(everything_on_one_line_is_laid_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
