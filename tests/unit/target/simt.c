/* The emulator as a target: it takes the names of GPUs, and faults for tests of tests. */
#include "target/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool opens(const char *name, struct facts *facts, const char **cpu)
{
    static struct session s; /* the name lives in it until the next call */
    static bool used;
    struct target_machine m;
    if (used)
        session_destroy(&s);
    used = true;
    session_init(&s, NULL);
    bool opened = target_open(&s, name, &m);
    *facts = m.facts;
    *cpu = m.cpu;
    if (opened) {
        assert_non_null(m.machine);
        assert_non_null(m.target->lanes);
        target_close(&m);
    }
    return opened;
}

static void test_facts_are_those_of_the_gpu(void **state)
{
    struct facts here, there;
    const char *cpu;
    (void)state;
    assert_true(opens("simt", &here, &cpu));
    assert_string_equal(cpu, "sm_90a");
    assert_int_equal(here.cluster, 8);
    assert_true(opens("simt:sm_86", &here, &cpu));
    assert_string_equal(cpu, "sm_86");
    assert_true(opens("nvptx:sm_86", &there, &cpu));
    assert_memory_equal(&here, &there, sizeof here);
}

static void test_names(void **state)
{
    static const char *const wrong[] = {
        "simt:sm_9",         "simt:x86-64",         "simt:",
        "simt:sm_90a,",      "simt:sm_90a,digit",   "simt:sm_90a,barrier=",
        "simt:sm_90a,tea=1", "simt:sm_90a,guard=1x"};
    static const char *const right[] = {"simt:sm_90a,barrier=0",  "simt:sm_80,guard=12",
                                        "simt:sm_90a,shuffle=3",  "simt:sm_90,digit=4",
                                        "simt:sm_90a,probe=2",    "simt:sm_90a,select=1",
                                        "simt:sm_90a,selected=1", "simt:sm_90a,commit=0",
                                        "simt:sm_90a,wait=0",     "simt:sm_90a,basis=5"};
    struct facts facts;
    const char *cpu;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (opens(wrong[i], &facts, &cpu))
            fail_msg("%s was opened", wrong[i]);
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        if (!opens(right[i], &facts, &cpu))
            fail_msg("%s was not opened", right[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts_are_those_of_the_gpu),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
