/* Every elementwise op on every type becomes PTX: LLVM ends the process where it cannot select an
 * operation, so that a test that returns has met none. With LDSL_PTX=FOLDER in the environment the
 * texts are written there, for ptxas. */
#include "run.h"

/* PTX of a kernel in tile IR; "" if it is not valid IR. malloc'ed. */
static char *ptx_of(const char *text, bool lines)
{
    static const struct ldsl_sink silent = {0};
    struct session s;
    struct target_machine machine = {0};
    struct codegen_options options = {.emit_asm = true, .line_info = lines};
    struct codegen_result r = {0};
    session_init(&s, &silent);
    if (setjmp(s.unwind.env)) {
        session_destroy(&s);
        fail_msg("given up:\n%s", text);
    }
    assert_true(target_open(&s, "nvptx:sm_90a", &machine));
    struct ir_func *f = ir_read(&s, source_add(&s, "folder/test.tir", text, strlen(text)));
    if (f && !codegen_run(&s, f, &machine, &options, &r))
        fail_msg("not compiled:\n%s", text);
    char *ptx = strdup(f ? r.text : "");
    session_destroy(&s);
    target_close(&machine);
    return ptx;
}

static void keep_for_ptxas(const char *ptx, const char *name)
{
    const char *folder = getenv("LDSL_PTX");
    char path[512];
    if (!folder || !*ptx)
        return;
    snprintf(path, sizeof path, "%s/%s.ptx", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(ptx, file);
    fclose(file);
}

/* out = op(operands), all over one axis. exact: " exact" or "". */
static bool compile_op(const char *op, const char *attributes, const char *const *operands,
                       uint32_t count, const char *result, const char *exact)
{
    char text[2048], tensors[256] = "", loads[512] = "", uses[128] = "", name[128];
    for (uint32_t i = 0; i < count; i++) {
        snprintf(tensors + strlen(tensors), sizeof tensors - strlen(tensors),
                 "    x%u : read %s[%%D.0]\n", i, operands[i]);
        snprintf(loads + strlen(loads), sizeof loads - strlen(loads),
                 "    %%%u = load x%u[%%c.2] : %s[c]\n", 10 + i, i, operands[i]);
        snprintf(uses + strlen(uses), sizeof uses - strlen(uses), "%s%%%u", i ? ", " : " ", 10 + i);
    }
    snprintf(text, sizeof text,
             "kernel k%s {\n  params {\n    %%D.0 : dim\n  }\n  tensors {\n%s    y : out "
             "%s[%%D.0]\n  }\n  axes {\n    c : grid %%1 .. %%D.0 {tile = 128}\n  }\n  body {\n"
             "    %%1 = const {i = 0} : index\n    %%c.2 = index {axis = c} : index[c]\n%s"
             "    %%20 = %s%s%s : %s[c]\n    store y[%%c.2], %%20\n    return\n  }\n}\n",
             exact, tensors, result, loads, op, uses, attributes, result);
    char *ptx = ptx_of(text, false);
    bool fine = *ptx;
    snprintf(name, sizeof name, "%s_%s_%s%s", op, operands[0], result, *exact ? "_exact" : "");
    keep_for_ptxas(ptx, name);
    if (strstr(ptx, "extern") || strstr(ptx, "call"))
        fail_msg("calls a function:\n%s", ptx);
    free(ptx);
    return fine;
}

static uint32_t elem_count(void)
{
    return IR_INDEX; /* tensors hold no indexes */
}

/* ---- tests ------------------------------------------------------------------------------------- */

static void every_op_compiles(void **state)
{
    (void)state;
    for (int op = 0; op < IR_OP_COUNT; op++) {
        const struct ir_op_info *info = ir_op_info((enum ir_opcode)op);
        if (!(info->traits & IR_ELEMENTWISE) || op == IR_OP_cast || op == IR_OP_bitcast)
            continue;
        uint32_t types = 0;
        for (uint32_t e = 0; e < elem_count(); e++) {
            const char *elem = ir_elem_name((enum ir_elem)e);
            const char *operands[] = {op == IR_OP_select ? "bool" : elem, elem, elem};
            const char *result = op == IR_OP_cmp ? "bool" : elem;
            const char *attributes = op == IR_OP_cmp ? " {cmp = le}" : "";
            uint32_t count = (uint32_t)info->args;
            types += compile_op(info->name, attributes, operands, count, result, "");
            if (e == IR_F32)
                compile_op(info->name, attributes, operands, count, result, " exact");
        }
        if (!types)
            fail_msg("no type for %s", info->name);
    }
}

static void every_cast_compiles(void **state)
{
    uint32_t casts = 0;
    (void)state;
    for (uint32_t from = 0; from < elem_count(); from++)
        for (uint32_t to = 0; to < elem_count(); to++) {
            const char *operands[] = {ir_elem_name((enum ir_elem)from)};
            casts += compile_op("cast", "", operands, 1, ir_elem_name((enum ir_elem)to), "");
        }
    assert_true(casts >= elem_count() * (elem_count() - 1));
}

/* One op's text, with patterns: in this order. */
static void assert_ptx(const char *op, const char *elem, uint32_t count, const char *exact,
                       const char *const *wanted, const char *unwanted)
{
    char text[1024], uses[64] = "", *ptx;
    for (uint32_t i = 0; i < count; i++)
        strcat(uses, i ? ", %3" : " %3");
    snprintf(text, sizeof text,
             "kernel k%s {\n params {\n %%D.0 : dim\n }\n tensors {\n x : read %s[%%D.0]\n y : out "
             "%s[%%D.0]\n }\n axes {\n c : grid %%1 .. %%D.0 {tile = 128}\n }\n body {\n"
             " %%1 = const {i = 0} : index\n %%c.2 = index {axis = c} : index[c]\n"
             " %%3 = load x[%%c.2] : %s[c]\n %%4 = %s%s : %s[c]\n store y[%%c.2], %%4\n return\n"
             " }\n}\n",
             exact, elem, elem, elem, op, uses, elem);
    ptx = ptx_of(text, false);
    const char *at = ptx;
    for (; *wanted; wanted++) {
        const char *found = strstr(at, *wanted);
        if (!found)
            fail_msg("no \"%s\" for %s %s in\n%s", *wanted, op, elem, ptx);
        at = found;
    }
    if (unwanted && strstr(ptx, unwanted))
        fail_msg("\"%s\" for %s %s in\n%s", unwanted, op, elem, ptx);
    free(ptx);
}
#define WANT(...) ((const char *const[]){__VA_ARGS__, NULL})

static void functions_are_instructions_unless_exact(void **state)
{
    (void)state;
    assert_ptx("div", "f32", 2, "", WANT("div.full.f32"), "div.rn");
    assert_ptx("div", "f32", 2, " exact", WANT("div.rn.f32"), "div.full");
    assert_ptx("div_exact", "f32", 2, "", WANT("div.rn.f32"), "div.full");
    assert_ptx("sqrt", "f32", 1, "", WANT("sqrt.approx.f32"), NULL);
    assert_ptx("sqrt", "f32", 1, " exact", WANT("sqrt.rn.f32"), NULL);
    assert_ptx("rsqrt", "f32", 1, "", WANT("rsqrt.approx.f32"), "div");
    assert_ptx("rsqrt", "f32", 1, " exact", WANT("sqrt.rn.f32"), "approx");
    assert_ptx("exp", "f32", 1, "", WANT("0f3FB8AA3B", "ex2.approx.ftz.f32"), NULL);
    assert_ptx("exp", "f32", 1, " exact", WANT("fma.rn.f32"), "approx");
    assert_ptx("exp2", "f32", 1, "", WANT("ex2.approx.ftz.f32"), "mul.rn");
    assert_ptx("log", "f32", 1, "", WANT("lg2.approx.f32", "0f3F317218"), NULL);
    assert_ptx("tanh", "f32", 1, "", WANT("ex2.approx.ftz.f32", "rcp.approx.ftz.f32"), "tanh");
    assert_ptx("max", "f32", 2, "", WANT("x"), "max"); /* of one value with itself */
    assert_ptx("sin", "f32", 1, "", WANT("bra", "fma.rn.f32"), ".func");
}

static void sixteen_bit_floats_are_converted_by_instructions(void **state)
{
    (void)state;
    assert_ptx("exp", "bf16", 1, "", WANT("shl.b32", "ex2", "cvt.rn.bf16x2.f32"), NULL);
    assert_ptx("exp", "f16", 1, "", WANT("cvt.f32.f16", "ex2", "cvt.rn.f16x2.f32"), NULL);
    assert_ptx("fma", "bf16", 3, "", WANT("fma.rn.bf16"), "f64");
    assert_ptx("fma", "f16", 3, "", WANT("fma.rn.f16"), "f64");
}

/* Lines and files for profilers, and nothing that makes the driver leave code unoptimised. */
static void lines_are_in_the_text(void **state)
{
    static const char text[] = "kernel k {\n  params {\n    %D.0 : dim\n  }\n  tensors {\n"
                               "    y : out f32[%D.0]\n  }\n  axes {\n"
                               "    c : grid %1 .. %D.0 {tile = 128}\n  }\n  body {\n"
                               "    %1 = const {i = 0} : index\n"
                               "    %c.2 = index {axis = c} : index[c]\n"
                               "    %3 = const {f = 1.5} : f32\n    store y[%c.2], %3\n"
                               "    return\n  }\n}\n";
    (void)state;
    char *ptx = ptx_of(text, true);
    keep_for_ptxas(ptx, "lines");
    assert_non_null(strstr(ptx, ".loc\t1 15 "));
    assert_non_null(strstr(ptx, ".file\t1 \"folder/test.tir\""));
    assert_null(strstr(ptx, ".target sm_90a, debug"));
    assert_null(strstr(ptx, "debug_info"));
    free(ptx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op_compiles),
        cmocka_unit_test(every_cast_compiles),
        cmocka_unit_test(functions_are_instructions_unless_exact),
        cmocka_unit_test(sixteen_bit_floats_are_converted_by_instructions),
        cmocka_unit_test(lines_are_in_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
