/* The compile cache's files: what was written is read, and nothing else ever passes for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache.h"
#include "support/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ldsl/cache.h>
#include <sys/stat.h>
#include <time.h>

static const struct rt_cache_key key = {"0123456789abcdef0123456789abcdef"};
static const struct rt_cache_key other = {"ffffffffffffffffffffffffffffffff"};
static const char why[] = "kernel=k\nvariant=T=f32\n";
static const char data[] = "forty-two bytes of very good machine code";

struct world {
    char path[FOLDER_BYTES];
    int folder;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    if (!w || !folder_create(w->path))
        return -1;
    w->folder = open(w->path, O_RDONLY | O_DIRECTORY);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    close(w->folder);
    folder_remove(w->path);
    free(w);
    return 0;
}

static void write_entry(const struct world *w)
{
    uint64_t bytes;
    assert_int_equal(cache_entry_write(&bytes, w->folder, &key, why, data, sizeof data), 0);
}

static size_t read_raw(const struct world *w, char *to, size_t size)
{
    char name[CACHE_NAME_BYTES];
    cache_file_name(name, &key);
    int fd = openat(w->folder, name, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t got = read(fd, to, size);
    close(fd);
    assert_true(got > 0);
    return (size_t)got;
}

static void write_raw(const struct world *w, const char *from, size_t bytes)
{
    char name[CACHE_NAME_BYTES];
    cache_file_name(name, &key);
    int fd = openat(w->folder, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, from, bytes), bytes);
    close(fd);
}

static void assert_verdict(const struct world *w, enum cache_verdict wanted)
{
    struct cache_entry entry;
    const char *problem;
    enum cache_verdict verdict = cache_entry_read(&entry, w->folder, &key, &problem);
    if (verdict == CACHE_SOUND)
        cache_entry_free(&entry);
    assert_int_equal(verdict, wanted);
    assert_true((verdict == CACHE_DAMAGED) == (problem != NULL));
}

static void what_is_written_is_read(void **state)
{
    struct world *w = *state;
    assert_verdict(w, CACHE_MISSING);
    write_entry(w);
    struct cache_entry entry;
    const char *problem;
    assert_int_equal(cache_entry_read(&entry, w->folder, &key, &problem), CACHE_SOUND);
    assert_int_equal(entry.data_bytes, sizeof data);
    assert_memory_equal(entry.data, data, sizeof data);
    assert_int_equal(entry.why_bytes, sizeof why - 1);
    assert_memory_equal(entry.why, why, sizeof why - 1);
    cache_entry_free(&entry);
}

static void every_truncation_is_found(void **state)
{
    struct world *w = *state;
    char block[1024];
    write_entry(w);
    size_t bytes = read_raw(w, block, sizeof block);
    for (size_t length = 0; length < bytes; length++) {
        write_raw(w, block, length);
        assert_verdict(w, CACHE_DAMAGED);
    }
    write_raw(w, block, bytes);
    assert_verdict(w, CACHE_SOUND);
    write_raw(w, block, bytes + 1);
    assert_verdict(w, CACHE_DAMAGED);
}

static void every_flipped_bit_is_found(void **state)
{
    struct world *w = *state;
    char block[1024];
    write_entry(w);
    size_t bytes = read_raw(w, block, sizeof block);
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        block[bit / 8] = (char)(block[bit / 8] ^ (1 << bit % 8));
        write_raw(w, block, bytes);
        assert_verdict(w, CACHE_DAMAGED);
        block[bit / 8] = (char)(block[bit / 8] ^ (1 << bit % 8));
    }
}

static void an_entry_under_another_name_is_damaged(void **state)
{
    struct world *w = *state;
    uint64_t bytes;
    char from[CACHE_NAME_BYTES], to[CACHE_NAME_BYTES];
    assert_int_equal(cache_entry_write(&bytes, w->folder, &other, why, data, sizeof data), 0);
    cache_file_name(from, &other);
    cache_file_name(to, &key);
    assert_int_equal(renameat(w->folder, from, w->folder, to), 0);
    assert_verdict(w, CACHE_DAMAGED);
}

static void what_is_no_file_is_damaged(void **state)
{
    struct world *w = *state;
    char name[CACHE_NAME_BYTES];
    cache_file_name(name, &key);
    assert_int_equal(mkdirat(w->folder, name, 0700), 0);
    assert_verdict(w, CACHE_DAMAGED);
    assert_int_equal(unlinkat(w->folder, name, AT_REMOVEDIR), 0);
    assert_int_equal(symlinkat("/dev/zero", w->folder, name), 0);
    assert_verdict(w, CACHE_DAMAGED);
    assert_int_equal(unlinkat(w->folder, name, 0), 0);
    assert_int_equal(mkfifoat(w->folder, name, 0600), 0);
    assert_verdict(w, CACHE_DAMAGED); /* and does not wait for a writer */
}

static void a_failed_write_leaves_nothing(void **state)
{
    struct world *w = *state;
    uint64_t bytes;
    int closed = open("/dev/null", O_RDONLY); /* not a folder: every step fails */
    assert_int_not_equal(cache_entry_write(&bytes, closed, &key, why, data, sizeof data), 0);
    close(closed);
    assert_verdict(w, CACHE_MISSING);
}

/* A file of the folder last touched `age` seconds ago. */
static void make_file(const struct world *w, const char *name, time_t age)
{
    int fd = openat(w->folder, name, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    struct timespec times[2] = {{.tv_sec = time(NULL) - age}, {.tv_sec = time(NULL) - age}};
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
}

static bool exists(const struct world *w, const char *name)
{
    return faccessat(w->folder, name, F_OK, 0) == 0;
}

static void a_scan_sees_entries_and_clears_leftovers(void **state)
{
    struct world *w = *state;
    char oldest[CACHE_NAME_BYTES];
    cache_file_name(oldest, &other);
    write_entry(w);
    make_file(w, oldest, 1000);
    make_file(w, "README", 5000);
    make_file(w, "0123.ldslc", 5000);
    make_file(w, CACHE_TEMPORARY "old", 5000);
    make_file(w, CACHE_TEMPORARY "new", 5);

    struct cache_scan scan;
    assert_int_equal(cache_scan_folder(&scan, w->folder, 3600), 0);
    assert_int_equal(scan.count, 2);
    assert_string_equal(scan.files[0].key.text, other.text);
    assert_string_equal(scan.files[1].key.text, key.text);
    assert_int_equal(scan.bytes, scan.files[1].bytes);
    cache_scan_free(&scan);
    assert_true(exists(w, "README"));
    assert_true(exists(w, "0123.ldslc"));
    assert_true(exists(w, CACHE_TEMPORARY "new"));
    assert_false(exists(w, CACHE_TEMPORARY "old"));
}

static void folders_are_made_for_this_user_only(void **state)
{
    struct world *w = *state;
    char path[2 * FOLDER_BYTES], used[CACHE_PATH_BYTES];
    struct stat info;
    snprintf(path, sizeof path, "%s/a/b/c", w->path);
    int fd = cache_open_folder(used, path, false);
    assert_int_equal(fd, -1);
    assert_int_equal(errno, ENOENT);
    fd = cache_open_folder(used, path, true);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
}

static void the_default_folder_follows_the_environment(void **state)
{
    (void)state;
    char path[64];
    setenv("LDSL_CACHE", "/own", 1);
    setenv("XDG_CACHE_HOME", "/xdg", 1);
    setenv("HOME", "/home/me", 1);
    assert_int_equal(ldsl_cache_folder(path, sizeof path), 4);
    assert_string_equal(path, "/own");
    setenv("LDSL_CACHE", "", 1);
    ldsl_cache_folder(path, sizeof path);
    assert_string_equal(path, "/xdg/ldsl");
    setenv("XDG_CACHE_HOME", "relative", 1); /* not allowed by its specification */
    ldsl_cache_folder(path, sizeof path);
    assert_string_equal(path, "/home/me/.cache/ldsl");
    assert_int_equal(ldsl_cache_folder(path, 5), 20); /* cut, as snprintf does */
    assert_string_equal(path, "/hom");
    unsetenv("HOME");
    assert_int_equal(ldsl_cache_folder(path, sizeof path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_truncation_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_entry_under_another_name_is_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_write_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_scan_sees_entries_and_clears_leftovers, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(folders_are_made_for_this_user_only, set_up, tear_down),
        cmocka_unit_test(the_default_folder_follows_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
