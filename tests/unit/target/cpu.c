/* Targets by name. */
#include "target/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct said {
    char text[256], help[256];
};

static void take(void *user, const struct ldsl_diag *d)
{
    struct said *s = user;
    strncpy(s->text, d->text, sizeof s->text - 1);
    strncpy(s->help, d->help ? d->help : "", sizeof s->help - 1);
}

static bool try_open(const char *name, struct target_machine *m, struct said *said)
{
    static struct session s; /* the machine's texts live in it until the next call */
    static bool used;
    struct ldsl_sink sink = {take, said};
    if (used)
        session_destroy(&s);
    used = true;
    *said = (struct said){.text = ""};
    session_init(&s, &sink);
    bool opened = target_open(&s, name, m);
    diag_flush(&s);
    s.sink = NULL;
    return opened;
}

static void test_names(void **state)
{
    (void)state;
    struct target_machine m;
    struct said said;
    assert_true(try_open("cpu:native", &m, &said));
    assert_non_null(m.machine);
    assert_true(m.facts.vector_bytes >= 16);
    assert_int_equal(m.facts.lanes, 1);
    assert_true(strcmp(m.cpu, "native") != 0);
    target_close(&m);
    assert_true(try_open("cpu:x86-64-v3", &m, &said));
    assert_int_equal(m.facts.vector_bytes, 32);
    assert_string_equal(m.cpu, "x86-64-v3");
    target_close(&m);
    target_close(&m); /* twice does no harm */
    assert_true(try_open("cpu:x86-64-v4", &m, &said));
    assert_int_equal(m.facts.vector_bytes, 64);
    target_close(&m);
}

static void test_unknown(void **state)
{
    (void)state;
    struct target_machine m;
    struct said said;
    assert_false(try_open("cpu:x86-64-v33", &m, &said));
    assert_non_null(strstr(said.text, "cpu:x86-64-v33"));
    assert_non_null(strstr(said.help, "cpu:x86-64-v3"));
    assert_false(try_open("cpus:native", &m, &said));
    assert_non_null(strstr(said.text, "cpus"));
    assert_non_null(strstr(said.help, "cpu"));
    target_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
