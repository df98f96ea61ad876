/* Memory: all of it is the session's, so running out at any allocation leaves nothing behind (the
 * address sanitizer says so) and ends in NOMEM. Needs a build with -DLDSL_HOSTILE=ON. */
#include "parsed.h"

static const char *const text =
    "/// Doc.\n"
    "import \"a.ldsl\" as a;\n"
    "kernel k<T: float>(x: tensor<T>[N, D]?, y: out tensor<T>[N])\n"
    "  require N > 1, \"a \\\"string\\\"\";\n"
    "  tune { B in {1, 2 .. 8 step 2}; default { B = 1 }; }\n"
    "{\n"
    "  axis c in 0 .. D tile B parts p;  // comment\n"
    "  sweep c { y[i] = sum(x[i, c] * 1.5e3 over c to p with (l, r) => l + r); }\n"
    "  if N > 0x10 { return; } else if a.f(1) { let (u, v) = w; }\n"
    "  launch f(x, n: 3) grid (4) with { B = 4 };\n"
    "}\n";
static const char *const wrong =
    "kernel k(x tensor<f32>[N]) { let x = (1; $ if { y = 1 } }\nfn f(\n";

static enum ldsl_status compile_failing_at(uint64_t allocation, const char *source_text)
{
    struct parsed p = {0};
    p.sink = (struct ldsl_sink){take_said, &p};
    arena_fail_at(0);
    session_init(&p.s, &p.sink);
    volatile enum ldsl_status status = LDSL_OK;
    if (setjmp(p.s.unwind.env)) {
        status = p.s.unwind.status;
    } else {
        arena_fail_at(allocation);
        uint32_t source = source_add(&p.s, "test.ldsl", source_text, strlen(source_text));
        syntax_print(&p.s, syntax_parse(&p.s, source));
        syntax_format(&p.s, source);
        diag_flush(&p.s);
    }
    arena_fail_at(0);
    session_destroy(&p.s);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
#ifndef LDSL_HOSTILE
    print_message("needs a build with -DLDSL_HOSTILE=ON\n");
    skip();
#endif
    static const char *const texts[] = {text, wrong};
    for (size_t i = 0; i < 2; i++) {
        uint64_t allocation = 1;
        while (compile_failing_at(allocation, texts[i]) == LDSL_NOMEM)
            allocation++;
        assert_true(allocation > 100);
        assert_int_equal(compile_failing_at(allocation, texts[i]), LDSL_OK);
    }
}

static void files_have_a_largest_size(void **state)
{
    (void)state;
    struct parsed p;
    open_source(&p, "");
    size_t size = (16u << 20) + 1;
    char *big = test_malloc(size);
    memset(big, ' ', size);
    syntax_parse(&p.s, source_add(&p.s, "big.ldsl", big, size));
    diag_flush(&p.s);
    assert_string_equal(p.said, "1:1: the file has 16777217 bytes; at most 16777216 are read\n");
    test_free(big);
    session_destroy(&p.s);
}

static void many_errors_end_in_silence(void **state)
{
    (void)state;
    struct parsed p;
    open_source(&p, "");
    enum { lines = 100000 };
    char *noise = test_malloc(lines * 4);
    for (size_t i = 0; i < lines; i++)
        memcpy(noise + 4 * i, i % 2 ? "$;\n " : "fn;\n", 4);
    syntax_parse(&p.s, source_add(&p.s, "noise.ldsl", noise, lines * 4));
    assert_in_range(p.s.errors, 50, 200);
    test_free(noise);
    session_destroy(&p.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(files_have_a_largest_size),
        cmocka_unit_test(many_errors_end_in_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
