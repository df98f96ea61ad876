/* ldsl doctor: what was found on this machine, and what to do about what is missing. */
#include "command.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static void put(const char *what, const char *text)
{
    printf("%-10s %s\n", what, text);
}

static void swallow(void *user, const struct ldsl_diag *diag)
{
    (void)user;
    (void)diag;
}

/* Opens a device without a word; prints what it is, or why it is not there. */
static bool check_device(const char *device, const char *advice)
{
    ldsl_context *context = NULL;
    ldsl_context_options options = {.sink = {.report = swallow}, .no_cache = true};
    bool ok = ldsl_context_create(&context, device, &options) == LDSL_OK;
    if (ok) {
        printf("%-10s %s (target %s)\n", device, ldsl_context_description(context),
               ldsl_context_target(context));
    } else {
        printf("%-10s not usable: %s\n", device, ldsl_last_error());
        printf("%-10s   %s\n", "", advice);
    }
    ldsl_context_destroy(context);
    return ok;
}

struct tally {
    uint64_t count, bytes, damaged;
};

static void count_entry(void *user, const ldsl_cache_entry *entry)
{
    struct tally *t = user;
    t->count++;
    t->bytes += entry->bytes;
    t->damaged += entry->problem != NULL;
}

static bool check_cache(void)
{
    char folder[4096];
    struct tally t = {0};
    if (!ldsl_cache_folder(folder, sizeof folder)) {
        put("cache", "none: neither LDSL_CACHE nor a home folder is set; every run compiles anew");
        return true;
    }
    if (access(folder, F_OK) != 0) {
        printf("%-10s %s: empty\n", "cache", folder);
        return true;
    }
    if (ldsl_cache_list(NULL, count_entry, &t) != LDSL_OK) {
        printf("%-10s %s: cannot be read: %s\n", "cache", folder, ldsl_last_error());
        put("", "  set LDSL_CACHE to a folder that you may write");
        return false;
    }
    printf("%-10s %s: %" PRIu64 " entries, %.1f MB, %" PRIu64 " damaged\n", "cache", folder,
           t.count, (double)t.bytes / 1e6, t.damaged);
    if (t.damaged)
        put("", "  damaged entries are rebuilt when needed; 'ldsl cache clear' removes all");
    return t.damaged == 0;
}

/* Records are made by ldsl tune; those that came with the library are enough to be fast. */
static bool check_records(struct cli *cli)
{
    char path[4096];
    size_t length;
    ldsl_records *builtin, *user = NULL;
    unsigned before = cli->errors;
    bool ok = ldsl_records_create(&builtin) == LDSL_OK && ldsl_records_create(&user) == LDSL_OK;
    const char *text = ldsl_builtin_records(&length);
    ok = ok && ldsl_records_read_text(builtin, "the library's records", text, length, &cli->sink) ==
                   LDSL_OK;
    length = ldsl_records_path(path, sizeof path);
    if (ok && length && length < sizeof path)
        ok = ldsl_records_read(user, path, &cli->sink) == LDSL_OK;
    else
        snprintf(path, sizeof path, "no file (LDSL_RECORDS is none, or HOME is not set)");
    printf("%-10s %s: %" PRIu32 "; %" PRIu32 " came with the library\n", "records", path,
           ldsl_records_count(user), ldsl_records_count(builtin));
    if (!ldsl_records_count(user) && !ldsl_records_count(builtin))
        put("", "  kernels use their default schedules; 'ldsl tune' finds better ones");
    ldsl_records_destroy(builtin);
    ldsl_records_destroy(user);
    return ok && cli->errors == before;
}

static bool check_library(struct cli *cli)
{
    struct operators operators;
    bool ok = open_library(cli, NULL, &operators) == EXIT_DONE;
    if (ok)
        printf("%-10s %" PRIu32 " operators in the built-in library\n", "operators",
               ldsl_library_op_count(operators.library));
    close_operators(&operators);
    return ok;
}

static int run(struct cli *cli, void *input)
{
    (void)input;
    put("ldsl", ldsl_compiler_version());
    bool ok = check_device("cpu", "this should never happen: please report it");
    check_device("cuda", "kernels run on the cpu device; a GPU needs its driver (libcuda.so.1)");
    ok = check_device("simt", "this should never happen: please report it") && ok;
    ok = check_library(cli) && ok;
    ok = check_cache() && ok;
    ok = check_records(cli) && ok;
    return ok ? EXIT_DONE : EXIT_WRONG;
}

const struct command command_doctor = {
    .name = "doctor",
    .summary = "say what was found on this machine and what is missing",
    .args = "",
    .doc =
        "Looks for devices and drivers, the compiler, the operators, the compile cache and tuning "
        "records. Exits with 1 if something needs attention.",
    .example = "ldsl doctor\n",
    .options_bytes = 1,
    .run = run,
};
