/* Artifacts: what goes in comes out; every damaged or cut block is refused. */
#include "artifact.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct artifact_slot slots[] = {
    {LDSL_SLOT_POINTER, LDSL_BF16, 0, "x"},
    {LDSL_SLOT_STRIDE,  LDSL_BF16, 1, "x"},
    {LDSL_SLOT_DIM,     LDSL_I64,  0, "R"},
};

static ldsl_artifact *make(void)
{
    struct artifact_parts parts = {
        .kind = LDSL_ARTIFACT_KERNEL,
        .data = "code",
        .data_bytes = 4,
        .info = {.name = "k",
                 .entry = "k_entry",
                 .target = "cpu:x",
                 .variant = "T=bf16",
                 .slot_count = 3,
                 .block_threads = 1,
                 .scratch_bytes = 4096,
                 .checked = true},
        .slots = slots,
    };
    ldsl_artifact *a = artifact_create(&parts);
    assert_non_null(a);
    return a;
}

static void check_contents(const ldsl_artifact *a)
{
    struct ldsl_kernel_info info;
    size_t bytes;
    assert_int_equal(ldsl_artifact_kind(a), LDSL_ARTIFACT_KERNEL);
    assert_memory_equal(ldsl_artifact_data(a, &bytes), "code", 5);
    assert_int_equal(bytes, 4);
    assert_true(ldsl_artifact_kernel(a, &info));
    assert_string_equal(info.name, "k");
    assert_string_equal(info.entry, "k_entry");
    assert_string_equal(info.target, "cpu:x");
    assert_string_equal(info.variant, "T=bf16");
    assert_int_equal(info.scratch_bytes, 4096);
    assert_true(info.checked);
    assert_int_equal(info.slot_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(info.slots[i].kind, slots[i].kind);
        assert_int_equal(info.slots[i].dtype, slots[i].dtype);
        assert_int_equal(info.slots[i].dim, slots[i].dim);
        assert_string_equal(ldsl_artifact_text(a, info.slots[i].name), slots[i].name);
    }
}

static void round_trip(void **state)
{
    (void)state;
    ldsl_artifact *a = make(), *b = NULL;
    size_t bytes;
    const void *block = ldsl_artifact_bytes(a, &bytes);
    check_contents(a);
    assert_int_equal(ldsl_artifact_read(&b, block, bytes), LDSL_OK);
    ldsl_artifact_free(a);
    check_contents(b);
    ldsl_artifact_free(b);
}

static void texts(void **state)
{
    (void)state;
    struct artifact_parts parts = {.kind = LDSL_ARTIFACT_TEXT, .data = "", .data_bytes = 0};
    struct ldsl_kernel_info info;
    size_t bytes;
    ldsl_artifact *a = artifact_create(&parts);
    assert_string_equal(ldsl_artifact_data(a, &bytes), "");
    assert_false(ldsl_artifact_kernel(a, &info));
    ldsl_artifact_free(a);
}

static void expect_refused(const void *block, size_t bytes)
{
    ldsl_artifact *b = (ldsl_artifact *)-1;
    assert_int_equal(ldsl_artifact_read(&b, block, bytes), LDSL_ARGUMENT);
    assert_null(b);
}

static void damaged_blocks(void **state)
{
    (void)state;
    ldsl_artifact *a = make();
    size_t bytes;
    const void *block = ldsl_artifact_bytes(a, &bytes);
    char *copy = malloc(bytes);
    for (size_t i = 0; i < bytes; i++) {
        memcpy(copy, block, bytes);
        copy[i] ^= 0x20;
        expect_refused(copy, bytes);
        expect_refused(block, i);
    }
    free(copy);
    ldsl_artifact_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(texts),
        cmocka_unit_test(damaged_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
