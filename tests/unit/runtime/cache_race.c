/* The compile cache under attack: 64 processes write, read and evict the same few entries while
 * they are killed at random points. No reader may ever meet an entry that is not sound. */
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
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum { WORKERS = 64, KEYS = 8, MAX_BYTES = 60000, KILLS = 200 };
#define STOP "stop" /* a file that ends the race */
enum { EXIT_GOOD, EXIT_UNSOUND, EXIT_BROKEN };

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static struct rt_cache_key key_of(uint32_t number)
{
    struct rt_cache_key key;
    snprintf(key.text, sizeof key.text, "%032x", number);
    return key;
}

/* The content that belongs to a key: size and bytes follow from its number. */
static size_t content_of(unsigned char *to, uint32_t number)
{
    size_t bytes = (size_t)(number + 1) * (MAX_BYTES / KEYS);
    for (size_t i = 0; i < bytes; i++)
        to[i] = (unsigned char)(i * 31 + number);
    return bytes;
}

static int read_one(int folder, uint32_t number, unsigned char *wanted)
{
    struct rt_cache_key key = key_of(number);
    struct cache_entry entry;
    const char *problem;
    enum cache_verdict verdict = cache_entry_read(&entry, folder, &key, &problem);
    if (verdict == CACHE_MISSING)
        return problem ? EXIT_BROKEN : EXIT_GOOD;
    if (verdict == CACHE_DAMAGED)
        return EXIT_UNSOUND;
    size_t bytes = content_of(wanted, number);
    bool same = entry.data_bytes == bytes && memcmp(entry.data, wanted, bytes) == 0;
    cache_entry_free(&entry);
    return same ? EXIT_GOOD : EXIT_UNSOUND;
}

/* Until killed or told to stop: mostly reads and writes, now and then empties the cache. */
static int work(const char *path, uint32_t seed)
{
    static unsigned char content[MAX_BYTES];
    int folder = open(path, O_RDONLY | O_DIRECTORY);
    int verdict = folder < 0 ? EXIT_BROKEN : EXIT_GOOD;
    pid_t parent = getppid(); /* when the test itself fails, workers must not stay behind */
    while (verdict == EXIT_GOOD && getppid() == parent && faccessat(folder, STOP, F_OK, 0) != 0) {
        uint32_t choice = next_random(&seed), number = next_random(&seed) % KEYS;
        struct rt_cache_key key = key_of(number);
        uint64_t bytes;
        if (choice % 64 == 0) {
            /* Leftovers of the living are in use; only those of the dead are old. */
            struct cache_scan scan;
            if (cache_scan_folder(&scan, folder, 600) != 0)
                return EXIT_BROKEN;
            for (size_t i = 0; i < scan.count; i++) {
                char name[CACHE_NAME_BYTES];
                cache_file_name(name, &scan.files[i].key);
                if (unlinkat(folder, name, 0) != 0 && errno != ENOENT)
                    return EXIT_BROKEN;
            }
            cache_scan_free(&scan);
        } else if (choice % 2) {
            size_t length = content_of(content, number);
            if (cache_entry_write(&bytes, folder, &key, "kernel=k\n", content, length) != 0)
                return EXIT_BROKEN;
        } else {
            verdict = read_one(folder, number, content);
        }
    }
    close(folder);
    return verdict;
}

static pid_t start_worker(const char *path, uint32_t seed)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(work(path, seed | 1));
    assert_true(pid > 0);
    return pid;
}

static void join_worker(pid_t pid, bool killed)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (killed && WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return;
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_GOOD);
}

static void readers_never_meet_an_unsound_entry(void **state)
{
    (void)state;
    char path[FOLDER_BYTES];
    assert_true(folder_create(path));
    uint32_t seed = 2463534242u;
    pid_t workers[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start_worker(path, next_random(&seed));
    for (int kills = 0; kills < KILLS; kills++) {
        struct timespec pause = {.tv_nsec = (long)(next_random(&seed) % 3000000)};
        nanosleep(&pause, NULL);
        uint32_t victim = next_random(&seed) % WORKERS;
        kill(workers[victim], SIGKILL);
        join_worker(workers[victim], true);
        workers[victim] = start_worker(path, next_random(&seed));
    }
    int folder = open(path, O_RDONLY | O_DIRECTORY);
    close(openat(folder, STOP, O_WRONLY | O_CREAT, 0600));
    for (int i = 0; i < WORKERS; i++)
        join_worker(workers[i], false);

    static unsigned char content[MAX_BYTES];
    for (uint32_t number = 0; number < KEYS; number++)
        assert_int_equal(read_one(folder, number, content), EXIT_GOOD);
    close(folder);
    folder_remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_never_meet_an_unsound_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
