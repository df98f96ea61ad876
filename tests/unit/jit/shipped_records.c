/* The records that come with the library are for its kernels as they are: others would never be used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "internal.h"
#include "module.h"

#include <ldsl/runtime.h>
#include <ldsl/tune.h>
#include <string.h>

static bool has_kernel(const struct rt_module *m, const ldsl_record *r)
{
    for (uint32_t i = 0; i < m->kernels_count; i++)
        if (strcmp(rt_module_text(m, m->kernels[i].name), r->kernel) == 0 &&
            strcmp(rt_module_text(m, m->kernels[i].hash), r->hash) == 0)
            return true;
    return false;
}

static void records_are_for_the_kernels_as_they_are(void **state)
{
    (void)state;
    ldsl_context *context;
    ldsl_library *library;
    ldsl_records *records;
    size_t length;
    const char *text = ldsl_builtin_records(&length);
    assert_int_equal(ldsl_context_create(&context, "cpu", NULL), LDSL_OK);
    assert_int_equal(ldsl_library_load_builtin(&library, context), LDSL_OK);
    assert_int_equal(ldsl_records_create(&records), LDSL_OK);
    assert_int_equal(ldsl_records_read_text(records, "built-in", text, length, NULL), LDSL_OK);
    assert_int_not_equal(ldsl_records_count(records), 0);
    for (uint32_t i = 0; i < ldsl_records_count(records); i++) {
        ldsl_record r;
        bool found = false;
        assert_true(ldsl_records_get(records, i, &r));
        for (uint32_t f = 0; f < library->file_count && !found; f++)
            found = has_kernel(library->files[f].module, &r);
        if (!found)
            fail_msg("%s of %s at %s has changed since it was tuned", r.kernel, r.op, r.shape);
    }
    ldsl_records_destroy(records);
    ldsl_library_destroy(library);
    ldsl_context_destroy(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_for_the_kernels_as_they_are),
    };
    return cmocka_run_group_tests_name("jit.shipped_records", tests, NULL, NULL);
}
