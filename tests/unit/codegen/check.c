/* Run-time checks: what is reported, and that the kernel goes on unharmed. */
#include "run.h"

#include <ldsl/check.h>

struct seen {
    struct ldsl_check_report report; /* first */
    int count;
    struct ldsl_check_site site;
    char tensor[32], text[64];
    int64_t program, values[8];
};

static void take(struct ldsl_check_report *report, const struct ldsl_check_site *site,
                 int64_t program, const int64_t *values)
{
    struct seen *s = (struct seen *)(void *)report;
    if (s->count++)
        return;
    s->site = *site;
    s->program = program;
    memcpy(s->values, values, sizeof s->values);
    snprintf(s->tensor, sizeof s->tensor, "%s", site->tensor ? site->tensor : "");
    snprintf(s->text, sizeof s->text, "%s", site->text ? site->text : "");
}

static struct program compile_checked(const char *text)
{
    return compile_for("cpu:native", text, (struct codegen_options){.check = true});
}

static void run_checked(const struct program *p, const uint64_t *slots, int64_t programs,
                        uint32_t *const *writers, struct seen *s)
{
    *s = (struct seen){
        .report = {.fail = take, .writers = writers}
    };
    p->entry(slots, 0, programs, p->scratch, &s->report);
}

static const char gather[] =
    "kernel k {\n"
    "  params { %N.0 : dim  %M.1 : dim }\n"
    "  tensors { x : read f32[%M.1]  i : read i64[%N.0]  y : out f32[%N.0] }\n"
    "  axes { n : grid %z .. %N.0 {tile = 16} }\n"
    "  body {\n"
    "    %z = const {i = 0} : index\n"
    "    %n = index {axis = n} : index[n]\n"
    "    %i = load i[%n] : i64[n]\n"
    "    %j = cast %i : index[n]\n"
    "    %x = load x[%j] : f32[n]\n"
    "    store y[%n], %x\n"
    "    return\n"
    "  }\n"
    "}\n";

static void test_bounds(void **state)
{
    (void)state;
    struct program p = compile_checked(gather);
    float x[5] = {1, 2, 3, 4, 5}, y[20];
    int64_t i[20] = {0};
    uint32_t shadow[20] = {0}, *writers[] = {NULL, NULL, shadow};
    uint64_t slots[] = {POINTER(x), POINTER(i), POINTER(y), 20, 5};
    struct seen s;
    i[3] = 4;
    run_checked(&p, slots, 2, writers, &s);
    assert_int_equal(s.count, 0);
    assert_true(y[3] == 5 && y[19] == 1);
    i[17] = 5;
    i[18] = -1;
    memset(shadow, 0, sizeof shadow);
    run_checked(&p, slots, 2, writers, &s);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.site.kind, LDSL_CHECK_BOUNDS);
    assert_int_equal(s.site.line, 10);
    assert_string_equal(s.tensor, "x");
    assert_int_equal(s.program, 1);
    assert_int_equal(s.values[0], 5);
    assert_int_equal(s.values[1], 5);
    assert_true(y[17] == 0 && y[19] == 1);
    release(&p);
}

static const char racing[] = "kernel k {\n"
                             "  params { %N.0 : dim  %h.1 : scalar index }\n"
                             "  tensors { y : out i64[%N.0] }\n"
                             "  axes { n : program %z .. %N.0 {tile = 1} }\n"
                             "  body {\n"
                             "    %z = const {i = 0} : index\n"
                             "    %n = index {axis = n} : index\n"
                             "    %i = div %n, %h.1 : index\n"
                             "    %v = cast %n : i64\n"
                             "    store y[%i], %v\n"
                             "    return\n"
                             "  }\n"
                             "}\n";

static void test_two_writers(void **state)
{
    (void)state;
    struct program p = compile_checked(racing);
    int64_t y[8];
    uint32_t shadow[8] = {0}, *writers[] = {shadow};
    uint64_t slots[] = {POINTER(y), 8, 1};
    struct seen s;
    run_checked(&p, slots, 8, writers, &s);
    assert_int_equal(s.count, 0);
    memset(shadow, 0, sizeof shadow);
    slots[2] = 2;
    run_checked(&p, slots, 8, writers, &s);
    assert_int_equal(s.count, 4);
    assert_int_equal(s.site.kind, LDSL_CHECK_RACE);
    assert_int_equal(s.program, 1);
    assert_int_equal(s.values[0], 0); /* element 0 */
    assert_int_equal(s.values[1], 0); /* program 0 wrote it before */
    release(&p);
}

static const char unwritten[] = "kernel k {\n"
                                "  params { %N.0 : dim }\n"
                                "  tensors { y : out f32[%N.0] }\n"
                                "  axes { n : held %z .. %N.0 {tile = 16} }\n"
                                "  body {\n"
                                "    %z = const {i = 0} : index\n"
                                "    %one = const {f = 1} : f32\n"
                                "    %n = index {axis = n} : index[n]\n"
                                "    %y = load y[%n] : f32[n]\n"
                                "    %v = add %y, %one : f32[n]\n"
                                "    store y[%n], %v\n"
                                "    return\n"
                                "  }\n"
                                "}\n";

static void test_unwritten(void **state)
{
    (void)state;
    struct program p = compile_checked(unwritten);
    float y[3] = {0};
    uint32_t shadow[3] = {0}, *writers[] = {shadow};
    uint64_t slots[] = {POINTER(y), 3};
    struct seen s;
    run_checked(&p, slots, 1, writers, &s);
    assert_int_equal(s.count, 3);
    assert_int_equal(s.site.kind, LDSL_CHECK_UNWRITTEN);
    assert_int_equal(s.site.line, 9);
    release(&p);
}

static const char asserting[] = "kernel k {\n"
                                "  params { %N.0 : dim }\n"
                                "  tensors { x : read i64[%N.0] }\n"
                                "  axes { n : held %z .. %N.0 {tile = 16} }\n"
                                "  body {\n"
                                "    %z = const {i = 0} : index\n"
                                "    %ten = const {i = 10} : i64\n"
                                "    %n = index {axis = n} : index[n]\n"
                                "    %x = load x[%n] : i64[n]\n"
                                "    %c = cmp %x, %ten {cmp = lt} : bool[n]\n"
                                "    assert %c {text = \"too large\"}\n"
                                "    return\n"
                                "  }\n"
                                "}\n";

static void test_assert(void **state)
{
    (void)state;
    struct program p = compile_checked(asserting);
    int64_t x[12] = {0};
    uint32_t *writers[] = {NULL};
    uint64_t slots[] = {POINTER(x), 12};
    struct seen s;
    run_checked(&p, slots, 1, writers, &s);
    assert_int_equal(s.count, 0);
    x[11] = 10;
    run_checked(&p, slots, 1, writers, &s);
    assert_int_equal(s.count, 1);
    assert_string_equal(s.text, "too large");
    assert_int_equal(s.site.line, 11);
    release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_two_writers),
        cmocka_unit_test(test_unwritten),
        cmocka_unit_test(test_assert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
