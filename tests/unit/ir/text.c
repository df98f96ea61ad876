/* The text form: what is printed reads back as the same text, and verifies. */
#include "ir/ir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const row_sum =
    "kernel row_sum exact {\n"
    "  params {\n"
    "    %R.0 : dim {hi = 1048576}\n"
    "    %D.1 : dim {lo = 1, multiple = 8}\n"
    "    %scale.2 : scalar f32\n"
    "  }\n"
    "  tensors {\n"
    "    x : read bf16[%R.0, %D.1] {align = 16, packed}\n"
    "    y : out f32[%R.0] {strided}\n"
    "  }\n"
    "  axes {\n"
    "    r : grid %3 .. %R.0 {tile = 4}\n"
    "    c : swept %3 .. %D.1 {tile = 64, full}\n"
    "    p : part c {tile = 8}\n"
    "  }\n"
    "  settings {\n"
    "    num_warps = 4\n"
    "  }\n"
    "  body {\n"
    "    %3 = const {i = 0} : index\n"
    "    %r.4 = index {axis = r} : index[r]\n"
    "    %5 = const {f = 0} : f32\n"
    "    %6 = expand %5 {axes = [r, p]} : f32[r, p]\n"
    "    %7 = sweep %3, %D.1, %6 {i = 2, axis = c} : f32[r, p] do (%acc.8 : f32[r, p]) {\n"
    "      %9 = index {axis = c} : index[c]\n"
    "      %10 = load x[%r.4, %9] {cache = stream} : bf16[r, c]\n"
    "      %11 = cast %10 : f32[r, c]\n"
    "      %12 = reduce %11 {axes = [c], to = p, kind = sum} : f32[r, p]\n"
    "      %13 = add %acc.8, %12 : f32[r, p]\n"
    "      yield %13\n"
    "    }\n"
    "    %14 = reduce %7 {axes = [p], kind = combiner} : f32[r] do (%15 : f32, %16 : f32) {\n"
    "      %17 = add %15, %16 : f32\n"
    "      yield %17\n"
    "    }\n"
    "    %18 = const {f = 0.1} : f32\n"
    "    %19 = cmp %scale.2, %18 {cmp = lt} : bool\n"
    "    if %19 do {\n"
    "      return\n"
    "    } else {\n"
    "      yield\n"
    "    }\n"
    "    assert %19 {text = \"say \\\"hi\\\"\\x0a\"}\n"
    "    %20 = mul %14, %scale.2 : f32[r]\n"
    "    store y[%r.4], %20\n"
    "    return\n"
    "  }\n"
    "}\n";

static void report(void *user, const struct ldsl_diag *diag)
{
    char text[1000];
    ldsl_diag_format(diag, LDSL_DIAG_PLAIN, text, sizeof text);
    print_error("%s", text);
    (*(int *)user)++;
}

static void round_trip(void **state)
{
    (void)state;
    int errors = 0;
    struct ldsl_sink sink = {report, &errors};
    struct session s;
    session_init(&s, &sink);
    if (setjmp(s.unwind.env))
        fail();
    uint32_t source = source_add(&s, "row_sum.tir", row_sum, strlen(row_sum));
    struct ir_func *f = ir_read(&s, source);
    diag_flush(&s);
    assert_int_equal(errors, 0);
    assert_non_null(f);
    assert_string_equal(ir_print(&s, f), row_sum);
    session_destroy(&s);
}

/* Every number survives: shortest decimals, both zeros, infinities, NaN. */
static void float_constants(void **state)
{
    (void)state;
    static const double values[] = {0.1, -0.0, 1e300, 5e-324, 1.0 / 3, 1e22};
    struct session s;
    session_init(&s, NULL);
    if (setjmp(s.unwind.env))
        fail();
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct ir_func *f = ir_func_new(&s, "k");
        struct ir_builder b = {.func = f, .block = f->body};
        ir_const_float(&b, IR_F64, values[i]);
        ir_append(&b, IR_OP_return, (struct ir_attr){0}, NULL, 0, NULL, 0, 0);
        const char *text = ir_print(&s, f);
        struct ir_func *again = ir_read(&s, source_add(&s, "k.tir", text, strlen(text)));
        assert_non_null(again);
        assert_memory_equal(&again->body->first->attr.f, &values[i], sizeof(double));
    }
    session_destroy(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(float_constants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
