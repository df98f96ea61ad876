/* Kernels of a library: one compile however many ask, the compile cache in between, failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache.h"
#include "fake_kernels.h"
#include "support/folder.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { THREADS = 16 };

/* A context and a library of one file, without going through the op layer. */
struct world {
    char path[FOLDER_BYTES];
    ldsl_context_options options;
    ldsl_context *ctx;
    struct rt_file file;
    struct ldsl_library lib;
};

static void open_world(struct world *w)
{
    assert_int_equal(ldsl_context_create(&w->ctx, "cpu", &w->options), LDSL_OK);
    w->file = (struct rt_file){
        .source = {.path = "a.ldsl", .text = "", .length = 0}
    };
    w->lib = (struct ldsl_library){.ctx = w->ctx, .files = &w->file, .file_count = 1};
    assert_int_equal(rt_kernel_table_create(&w->lib.kernels, &w->ctx->sink), LDSL_OK);
}

static void close_world(struct world *w)
{
    rt_kernel_table_destroy(w->lib.kernels, w->ctx);
    ldsl_context_destroy(w->ctx);
}

static void reopen_world(struct world *w)
{
    close_world(w);
    open_world(w);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    if (!w || !folder_create(w->path))
        return -1;
    fake_reset();
    w->options = (ldsl_context_options){.sink = fake_sink, .cache_path = w->path};
    open_world(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    close_world(w);
    chmod(w->path, 0700);
    folder_remove(w->path);
    free(w);
    return 0;
}

static const struct rt_kernel *get(struct world *w, const char *name, const char *bindings)
{
    const struct rt_kernel *kernel;
    assert_int_equal(rt_kernel_get(&kernel, &w->lib, 0, name, bindings), LDSL_OK);
    assert_string_equal(kernel->info.name, name);
    assert_string_equal(kernel->info.variant, bindings);
    return kernel;
}

static void *ask(void *user)
{
    const struct rt_kernel *kernel = NULL;
    rt_kernel_get(&kernel, &((struct world *)user)->lib, 0, "k", "T=f32");
    return (void *)(uintptr_t)kernel;
}

static void threads_share_one_compile(void **state)
{
    struct world *w = *state;
    pthread_t threads[THREADS];
    void *kernels[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, w), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], &kernels[i]);
    for (int i = 0; i < THREADS; i++)
        assert_ptr_equal(kernels[i], kernels[0]);
    assert_non_null(kernels[0]);
    assert_int_equal(fake.compiles, 1);
    assert_int_equal(fake.loads, 1);
}

static void variants_are_told_apart(void **state)
{
    struct world *w = *state;
    const struct rt_kernel *a = get(w, "k", "T=f32");
    assert_ptr_not_equal(get(w, "k", "T=bf16"), a);
    assert_ptr_not_equal(get(w, "other", "T=f32"), a);
    assert_ptr_equal(get(w, "k", "T=f32"), a);
    assert_int_equal(fake.compiles, 3);
}

static void kernels_are_unloaded_with_their_library(void **state)
{
    struct world *w = *state;
    get(w, "k", "T=f32");
    get(w, "k", "T=bf16");
    reopen_world(w);
    assert_int_equal(fake.unloads, 2);
}

static void a_failed_compile_is_told_and_tried_again(void **state)
{
    struct world *w = *state;
    const struct rt_kernel *kernel;
    fake.fail = true;
    assert_int_equal(rt_kernel_get(&kernel, &w->lib, 0, "k", "T=f32"), LDSL_SOURCE);
    assert_null(kernel);
    assert_string_equal(ldsl_last_error(), "a.ldsl:3:7: no such luck");
    assert_int_equal(fake.errors, 1);
    fake.fail = false;
    get(w, "k", "T=f32");
}

static void the_next_process_finds_it_on_disk(void **state)
{
    struct world *w = *state;
    get(w, "k", "T=f32");
    reopen_world(w);
    get(w, "k", "T=f32");
    assert_int_equal(fake.compiles, 1);
    get(w, "k", "T=bf16");
    assert_int_equal(fake.compiles, 2);
}

static void a_sealed_library_needs_no_front_end(void **state)
{
    struct world *w = *state;
    w->lib.sealed = true;
    snprintf(w->lib.identity, sizeof w->lib.identity, "one");
    get(w, "k", "T=f32");
    reopen_world(w);
    w->lib.sealed = true;
    snprintf(w->lib.identity, sizeof w->lib.identity, "one");
    get(w, "k", "T=f32");
    assert_int_equal(fake.keys, 0);
    assert_int_equal(fake.compiles, 1);
    reopen_world(w);
    w->lib.sealed = true;
    snprintf(w->lib.identity, sizeof w->lib.identity, "two");
    get(w, "k", "T=f32");
    assert_int_equal(fake.compiles, 2);
}

static void flags_make_other_entries(void **state)
{
    struct world *w = *state;
    const struct {
        bool check, line_info;
        int bias;
    } flags[] = {
        {false, false, 0},
        {true,  false, 0},
        {false, true,  0},
        {false, false, 1}
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        w->options.check = flags[i].check;
        w->options.line_info = flags[i].line_info;
        w->options.round_bias = flags[i].bias;
        reopen_world(w);
        w->lib.sealed = true;
        get(w, "k", "T=f32");
        assert_int_equal(fake.compiles, i + 1);
    }
}

static void forbidden_compiles_name_the_variant(void **state)
{
    struct world *w = *state;
    const struct rt_kernel *kernel;
    get(w, "k", "T=f32");
    w->options.no_compile = true;
    reopen_world(w);
    get(w, "k", "T=f32"); /* what is there may be used */
    assert_int_equal(rt_kernel_get(&kernel, &w->lib, 0, "k", "T=bf16"), LDSL_UNSUPPORTED);
    assert_non_null(strstr(ldsl_last_error(), "'k'"));
    assert_non_null(strstr(ldsl_last_error(), "'T=bf16'"));
    assert_int_equal(fake.compiles, 1);
}

/* The path of the only entry. */
static void entry_path(const struct world *w, char path[2 * FOLDER_BYTES])
{
    int folder = open(w->path, O_RDONLY | O_DIRECTORY);
    struct cache_scan scan;
    char name[CACHE_NAME_BYTES];
    assert_int_equal(cache_scan_folder(&scan, folder, INT64_MAX), 0);
    assert_int_equal(scan.count, 1);
    cache_file_name(name, &scan.files[0].key);
    snprintf(path, 2 * FOLDER_BYTES, "%s/%s", w->path, name);
    cache_scan_free(&scan);
    close(folder);
}

static void a_damaged_entry_is_rebuilt_with_a_warning(void **state)
{
    struct world *w = *state;
    char path[2 * FOLDER_BYTES];
    get(w, "k", "T=f32");
    entry_path(w, path);
    assert_int_equal(truncate(path, 70), 0);
    reopen_world(w);
    get(w, "k", "T=f32");
    assert_int_equal(fake.compiles, 2);
    assert_int_equal(fake.warnings, 1);
    assert_non_null(strstr(fake.warning, path));
    reopen_world(w);
    get(w, "k", "T=f32");
    assert_int_equal(fake.compiles, 2);
}

static size_t count_entries(const struct world *w, uint64_t *bytes)
{
    int folder = open(w->path, O_RDONLY | O_DIRECTORY);
    struct cache_scan scan;
    assert_int_equal(cache_scan_folder(&scan, folder, INT64_MAX), 0);
    size_t count = scan.count;
    *bytes = scan.bytes;
    cache_scan_free(&scan);
    close(folder);
    return count;
}

static void the_folder_stays_below_its_limit(void **state)
{
    struct world *w = *state;
    uint64_t bytes;
    w->options.cache_bytes = 4000;
    reopen_world(w);
    for (int i = 0; i < 40; i++) {
        char bindings[32];
        snprintf(bindings, sizeof bindings, "N=%d", i);
        get(w, "k", bindings);
    }
    assert_in_range(count_entries(w, &bytes), 2, 39);
    assert_true(bytes <= 4000);
    int compiles = fake.compiles;
    reopen_world(w);
    get(w, "k", "N=39"); /* the newest is still there */
    assert_int_equal(fake.compiles, compiles);
    get(w, "k", "N=0"); /* the oldest is not */
    assert_int_equal(fake.compiles, compiles + 1);
}

static void without_a_folder_there_is_one_warning_and_no_cache(void **state)
{
    struct world *w = *state;
    char path[2 * FOLDER_BYTES];
    snprintf(path, sizeof path, "%s/file/below", w->path);
    int fd = openat(AT_FDCWD, w->path, O_RDONLY | O_DIRECTORY);
    close(openat(fd, "file", O_WRONLY | O_CREAT, 0600));
    close(fd);
    w->options.cache_path = path;
    reopen_world(w);
    get(w, "k", "T=f32");
    get(w, "k", "T=bf16");
    assert_int_equal(fake.warnings, 1);
    assert_non_null(strstr(fake.warning, path));
}

static void a_folder_open_to_everyone_is_not_used(void **state)
{
    struct world *w = *state;
    uint64_t bytes;
    chmod(w->path, 0777);
    reopen_world(w);
    get(w, "k", "T=f32");
    assert_int_equal(fake.warnings, 1);
    assert_int_equal(count_entries(w, &bytes), 0);
}

static void a_folder_that_goes_away_is_one_warning(void **state)
{
    struct world *w = *state;
    folder_remove(w->path);
    get(w, "k", "T=f32");
    get(w, "k", "T=bf16");
    assert_int_equal(fake.warnings, 1);
    assert_int_equal(fake.compiles, 2);
}

static void the_limit_comes_from_the_environment(void **state)
{
    struct world *w = *state;
    uint64_t bytes;
    setenv("LDSL_CACHE_SIZE", "2K", 1);
    reopen_world(w);
    for (int i = 0; i < 20; i++) {
        char bindings[32];
        snprintf(bindings, sizeof bindings, "N=%d", i);
        get(w, "k", bindings);
    }
    assert_in_range(count_entries(w, &bytes), 1, 10);
    assert_true(bytes <= 2048);
    setenv("LDSL_CACHE_SIZE", "much", 1);
    reopen_world(w);
    assert_int_equal(fake.warnings, 1);
    unsetenv("LDSL_CACHE_SIZE");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(threads_share_one_compile),
        TEST(variants_are_told_apart),
        TEST(kernels_are_unloaded_with_their_library),
        TEST(a_failed_compile_is_told_and_tried_again),
        TEST(the_next_process_finds_it_on_disk),
        TEST(a_sealed_library_needs_no_front_end),
        TEST(flags_make_other_entries),
        TEST(forbidden_compiles_name_the_variant),
        TEST(a_damaged_entry_is_rebuilt_with_a_warning),
        TEST(the_folder_stays_below_its_limit),
        TEST(without_a_folder_there_is_one_warning_and_no_cache),
        TEST(a_folder_open_to_everyone_is_not_used),
        TEST(a_folder_that_goes_away_is_one_warning),
        TEST(the_limit_comes_from_the_environment),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
