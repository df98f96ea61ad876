/* Tuning records: their file, merging, writers at the same time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const struct rt_edition rt_edition = {0};

static char folder[64], path[96];
static char warning[256];
static unsigned warnings;

static void hear(void *user, const struct ldsl_diag *diag)
{
    (void)user;
    warnings += diag->severity == LDSL_WARNING;
    snprintf(warning, sizeof warning, "%s", diag->text);
}
static const struct ldsl_sink sink = {.report = hear};

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/ldsl-records-XXXXXX");
    warnings = 0;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/a/b/tuned.records", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

static ldsl_record record(const char *kernel, const char *shape, const char *hash,
                          const char *settings, double time_us)
{
    return (ldsl_record){.op = "norm",
                         .kernel = kernel,
                         .variant = "T=bf16,BD=4096",
                         .key = "4096,8192",
                         .shape = shape,
                         .device = "NVIDIA H200",
                         .target = "nvptx:sm_90a",
                         .hash = hash,
                         .settings = settings,
                         .time_us = time_us};
}

static void put(ldsl_records *records, const char *kernel, const char *shape, const char *hash,
                const char *settings, double time_us)
{
    const ldsl_record r = record(kernel, shape, hash, settings, time_us);
    assert_int_equal(ldsl_records_put(records, &r), LDSL_OK);
}

/* "kernel shape hash settings time" of all records, a line each. */
static const char *contents(const ldsl_records *records)
{
    static char text[4096];
    ldsl_record r;
    text[0] = '\0';
    for (uint32_t i = 0; ldsl_records_get(records, i, &r); i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s %s %s %s %.3f\n", r.kernel, r.shape, r.hash,
                 r.settings, r.time_us);
    }
    return text;
}

static const char *read_back(void)
{
    ldsl_records *records;
    assert_int_equal(ldsl_records_create(&records), LDSL_OK);
    assert_int_equal(ldsl_records_read(records, path, &sink), LDSL_OK);
    const char *text = contents(records);
    ldsl_records_destroy(records);
    return text;
}

/* ---- the file ------------------------------------------------------------------------------------ */

static void test_line(void **state)
{
    (void)state;
    ldsl_records *records;
    char text[1024];
    assert_int_equal(ldsl_records_create(&records), LDSL_OK);
    put(records, "rows", "R=8192", "aa", "BR=1,num_warps=8", 27.4125);
    put(records, "dots", "R=8192", "bb", "", 0.0304);
    assert_int_equal(ldsl_records_save(records, path, &sink), LDSL_OK);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    assert_memory_equal(text, "# LDSL tuning records, version 1 ", 33);
    assert_non_null(fgets(text, sizeof text, file));
    assert_string_equal(text, "norm | dots | T=bf16,BD=4096 | 4096,8192 | R=8192 | NVIDIA H200 | "
                              "nvptx:sm_90a | bb | - | 0.030\n");
    assert_non_null(fgets(text, sizeof text, file));
    assert_string_equal(text, "norm | rows | T=bf16,BD=4096 | 4096,8192 | R=8192 | NVIDIA H200 | "
                              "nvptx:sm_90a | aa | BR=1,num_warps=8 | 27.413\n");
    assert_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(read_back(), "dots R=8192 bb  0.030\nrows R=8192 aa BR=1,num_warps=8 "
                                     "27.413\n");
    ldsl_records_destroy(records);
}

static void test_no_file(void **state)
{
    (void)state;
    assert_string_equal(read_back(), "");
    assert_int_equal(warnings, 0);
}

static void read_text(ldsl_records *records, const char *text)
{
    assert_int_equal(ldsl_records_read_text(records, "t", text, strlen(text), &sink), LDSL_OK);
}

/* What a merge tool leaves behind, half lines and other versions do no harm. */
static void test_wrong_lines(void **state)
{
    (void)state;
    ldsl_records *records;
    assert_int_equal(ldsl_records_create(&records), LDSL_OK);
    read_text(records, "<<<<<<< ours\n"
                       "o | k | v | - | - | d | t | h | B=1 | 5.0\r\n"
                       "=======\n"
                       "o | k | v | - | - | d | t | h | B=2\n"
                       "o | k | v | - | - | d | t | h | B=2 | 4,5\n"
                       "o | k | v |  | - | d | t | h | B=2 | 4.5\n"
                       "o | k | w | - | - | d | t | h | - | 1 | 2\n"
                       "\n# a comment\n"
                       "o | k | z | - | - | d | t | h | B=3 | 7");
    assert_string_equal(contents(records), "k  h B=1 5.000\nk  h B=3 7.000\n");
    assert_int_equal(warnings, 1);
    assert_string_equal(warning, "t:1: no tuning record; 6 such lines are left out");
    read_text(records, "# LDSL tuning records, version 12 (new)\n"
                       "o | k | zz | - | - | d | t | h | B=3 | 7\n");
    assert_int_equal(ldsl_records_count(records), 2);
    assert_int_equal(warnings, 2);
    ldsl_records_destroy(records);
}

/* ---- merging ------------------------------------------------------------------------------------- */

/* Whatever the order of files: the faster one; of equals the one whose settings come first. */
static void test_merge_in_any_order(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "o | k | v | - | - | d | t | h | B=4 | 5.0\no | k | w | - | - | d | t | h | B=1 | 2.0\n",
        "o | k | v | - | - | d | t | h | B=2 | 4.0\n",
        "o | k | v | - | - | d | t | h | B=1 | 4.0\no | k | v | - | - | d | t | i | B=9 | 1.0\n",
    };
    static const int orders[][3] = {
        {0, 1, 2},
        {2, 1, 0},
        {1, 0, 2},
        {1, 2, 0}
    };
    for (unsigned i = 0; i < sizeof orders / sizeof *orders; i++) {
        ldsl_records *records;
        assert_int_equal(ldsl_records_create(&records), LDSL_OK);
        for (int k = 0; k < 3; k++)
            read_text(records, texts[orders[i][k]]);
        assert_string_equal(contents(records), "k  h B=1 4.000\nk  i B=9 1.000\nk  h B=1 2.000\n");
        ldsl_records_destroy(records);
    }
}

/* What is measured anew goes before what was measured faster, and ends what was for other code. */
static void test_put_replaces(void **state)
{
    (void)state;
    ldsl_records *old, *new;
    assert_int_equal(ldsl_records_create(&old), LDSL_OK);
    put(old, "rows", "R=8192", "aa", "BR=1", 10);
    put(old, "rows", "R=4096", "aa", "BR=1", 5);
    assert_int_equal(ldsl_records_save(old, path, &sink), LDSL_OK);
    assert_int_equal(ldsl_records_create(&new), LDSL_OK);
    put(new, "rows", "R=8192", "bb", "BR=2", 12);
    put(new, "rows", "R=4096", "aa", "BR=4", 6);
    assert_int_equal(ldsl_records_save(new, path, &sink), LDSL_OK);
    assert_string_equal(read_back(), "rows R=4096 aa BR=4 6.000\nrows R=8192 bb BR=2 12.000\n");
    /* Saving again what is no longer new changes nothing that others wrote since. */
    put(old, "rows", "R=8192", "cc", "BR=8", 3);
    assert_int_equal(ldsl_records_save(old, path, &sink), LDSL_OK);
    assert_int_equal(ldsl_records_save(new, path, &sink), LDSL_OK);
    assert_string_equal(read_back(), "rows R=4096 aa BR=4 6.000\nrows R=8192 cc BR=8 3.000\n");
    ldsl_records_destroy(old);
    ldsl_records_destroy(new);
}

static void test_refused(void **state)
{
    (void)state;
    ldsl_records *records;
    assert_int_equal(ldsl_records_create(&records), LDSL_OK);
    ldsl_record r = record("rows", "a | b", "h", "", 1);
    assert_int_equal(ldsl_records_put(records, &r), LDSL_ARGUMENT);
    r = record("rows", "a\nb", "h", "", 1);
    assert_int_equal(ldsl_records_put(records, &r), LDSL_ARGUMENT);
    r = record(NULL, "a", "h", "", 1);
    assert_int_equal(ldsl_records_put(records, &r), LDSL_ARGUMENT);
    assert_int_equal(ldsl_records_put(NULL, &r), LDSL_ARGUMENT);
    assert_int_equal(ldsl_records_save(records, "", &sink), LDSL_ARGUMENT);
    assert_int_equal(ldsl_records_save(records, "/proc/no/such", &sink), LDSL_DEVICE);
    ldsl_records_destroy(records);
}

/* The whole text of the file. */
static void assert_file(const char *expected)
{
    char text[400];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, expected);
}

/* What a later version of the library wrote is not lost. */
static void test_other_versions_stay(void **state)
{
    static const char later[] = "# LDSL tuning records, version 2: of another kind\nsomething\n";
    (void)state;
    ldsl_records *records;
    snprintf(path, sizeof path, "%s/tuned.records", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(later, file);
    fclose(file);
    assert_int_equal(ldsl_records_create(&records), LDSL_OK);
    put(records, "rows", "R=8192", "aa", "BR=1", 10);
    assert_int_equal(ldsl_records_save(records, path, &sink), LDSL_UNSUPPORTED);
    assert_file(later);
    ldsl_records_destroy(records);
}

/* A link stays one, and what it means gets the records; what is no file swallows them. */
static void test_links_and_devices_stay(void **state)
{
    (void)state;
    char link[200];
    struct stat info;
    ldsl_records *records;
    snprintf(path, sizeof path, "%s/tuned.records", folder);
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(ldsl_records_create(&records), LDSL_OK);
    put(records, "rows", "R=8192", "aa", "BR=1", 10);
    assert_int_equal(ldsl_records_save(records, link, &sink), LDSL_OK);
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_string_equal(read_back(), "rows R=8192 aa BR=1 10.000\n");
    unlink(link);
    assert_int_equal(symlink("/dev/null", link), 0);
    put(records, "rows", "R=1", "aa", "BR=1", 10);
    assert_int_equal(ldsl_records_save(records, link, &sink), LDSL_OK);
    assert_int_equal(stat(link, &info), 0);
    assert_true(S_ISCHR(info.st_mode));
    unlink(link);
    ldsl_records_destroy(records);
}

/* ---- many writers -------------------------------------------------------------------------------- */

enum { WRITERS = 8, ROUNDS = 12 };

static void write_some(int writer)
{
    for (int round = 0; round < ROUNDS; round++) {
        ldsl_records *records;
        char shape[32];
        snprintf(shape, sizeof shape, "R=%d", writer * 100 + round);
        if (ldsl_records_create(&records))
            _exit(1);
        const ldsl_record r = record("rows", shape, "aa", "BR=1", 1);
        if (ldsl_records_put(records, &r) || ldsl_records_save(records, path, &sink))
            _exit(2);
        ldsl_records_destroy(records);
    }
    _exit(0);
}

static void test_writers_at_the_same_time(void **state)
{
    (void)state;
    pid_t children[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            write_some(i);
    }
    for (int i = 0; i < WRITERS; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    ldsl_records *records;
    assert_int_equal(ldsl_records_create(&records), LDSL_OK);
    assert_int_equal(ldsl_records_read(records, path, &sink), LDSL_OK);
    assert_int_equal(ldsl_records_count(records), WRITERS * ROUNDS);
    ldsl_records_destroy(records);
}

/* ---- where --------------------------------------------------------------------------------------- */

static void test_path(void **state)
{
    (void)state;
    char text[128];
    setenv("LDSL_RECORDS", "/x/y.records", 1);
    assert_int_equal(ldsl_records_path(text, sizeof text), 12);
    assert_string_equal(text, "/x/y.records");
    setenv("LDSL_RECORDS", "none", 1);
    assert_int_equal(ldsl_records_path(text, sizeof text), 0);
    unsetenv("LDSL_RECORDS");
    setenv("XDG_DATA_HOME", "/data", 1);
    ldsl_records_path(text, sizeof text);
    assert_string_equal(text, "/data/ldsl/tuned.records");
    unsetenv("XDG_DATA_HOME");
    setenv("HOME", "/home/me", 1);
    ldsl_records_path(text, sizeof text);
    assert_string_equal(text, "/home/me/.local/share/ldsl/tuned.records");
    assert_int_equal(ldsl_records_path(text, 4), 40);
    assert_string_equal(text, "/ho");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_merge_in_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_put_replaces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_versions_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_links_and_devices_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_writers_at_the_same_time, set_up, tear_down),
        cmocka_unit_test(test_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
