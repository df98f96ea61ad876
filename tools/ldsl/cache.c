/* ldsl cache: what the compile cache holds, and whether it is sound. */
#include "command.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct options {
    const char *folder;
    const char *action;
    const char *what;
};

enum { OPTION_FOLDER = 1 };

/* clang-format off */
static const struct argp_option options[] = {
    {"cache-dir", OPTION_FOLDER, "DIR", 0, "Folder of the cache", 0},
    {0},
};
/* clang-format on */

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case OPTION_FOLDER: o->folder = arg; return 0;
    case ARGP_KEY_ARG:
        if (o->what)
            return ARGP_ERR_UNKNOWN;
        *(o->action ? &o->what : &o->action) = arg;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

struct tally {
    struct cli *cli;
    const char *what; /* why: the kernel or key asked for */
    uint64_t count, bytes, problems;
};

static void count_entry(struct tally *t, const ldsl_cache_entry *entry)
{
    t->count++;
    t->bytes += entry->bytes;
    t->problems += entry->problem != NULL;
}

static int list_entries(struct tally *t, const char *folder,
                        void (*report)(void *user, const ldsl_cache_entry *entry))
{
    unsigned before = t->cli->errors;
    return cli_failed(t->cli, ldsl_cache_list(folder, report, t), before, "reading the cache");
}

static void print_total(const struct tally *t)
{
    printf("%" PRIu64 " entries, %.1f MB\n", t->count, (double)t->bytes / 1e6);
}

/* ---- list --------------------------------------------------------------------------------- */

static void print_entry(void *user, const ldsl_cache_entry *entry)
{
    char when[32] = "";
    time_t used = (time_t)entry->used;
    struct tm local;
    if (localtime_r(&used, &local))
        strftime(when, sizeof when, "%Y-%m-%d %H:%M", &local);
    count_entry(user, entry);
    printf("%.12s  %s %9" PRIu64 "  %-28s %s\n", entry->key, when, entry->bytes,
           entry->problem  ? entry->problem
           : entry->kernel ? entry->kernel
                           : "(operators)",
           entry->variant  ? entry->variant
           : entry->source ? entry->source
                           : "");
}

static int list(struct cli *cli, const struct options *o)
{
    struct tally tally = {.cli = cli};
    int status = list_entries(&tally, o->folder, print_entry);
    if (status == EXIT_DONE)
        print_total(&tally);
    return status;
}

/* ---- why ---------------------------------------------------------------------------------- */

/* Whether the source as it is now, compiled with or without checks, has the content of the entry. */
static bool is_current(const ldsl_cache_entry *entry, const char *text, size_t length)
{
    struct ldsl_source source = {.path = entry->source, .text = text, .length = length};
    struct ldsl_sink silent = {.report = NULL};
    for (int check = 0; check < 2; check++) {
        ldsl_options compile_options = LDSL_OPTIONS_INIT;
        compile_options.kernel = entry->kernel;
        compile_options.bindings = entry->variant;
        compile_options.whole = true;
        compile_options.check = check;
        char key[33];
        if (ldsl_compile_key(key, &source, &compile_options, &silent) == LDSL_OK &&
            strcmp(key, entry->content) == 0)
            return true;
    }
    return false;
}

/* Would the same request be answered by this entry today? */
static const char *verdict(const ldsl_cache_entry *entry)
{
    if (entry->problem)
        return "damaged: it will be rebuilt";
    if (entry->made_by && strcmp(entry->made_by, ldsl_compiler_version()) != 0)
        return "stale: made by another version of the compiler";
    if (!entry->content || !entry->kernel || !entry->source)
        return "used as long as this build of ldsl is";
    if (access(entry->source, R_OK) != 0)
        return "unused: its source is no longer there";
    struct cli quiet = {.errors = 0};
    size_t length;
    char *text = read_file(&quiet, entry->source, &length);
    bool current = text && is_current(entry, text, length);
    free(text);
    return current ? "used: the source as it is now gives this entry"
                   : "unused: the source has changed since, or other options were given";
}

static void explain_entry(void *user, const ldsl_cache_entry *entry)
{
    struct tally *t = user;
    bool wanted = !t->what || (entry->kernel && strcmp(entry->kernel, t->what) == 0) ||
                  strncmp(entry->key, t->what, strlen(t->what)) == 0;
    if (!wanted)
        return;
    count_entry(t, entry);
    printf(
        "%s\n  kernel   %s\n  variant  %s\n  target   %s\n  source   %s\n  made by  %s\n  verdict  "
        "%s\n",
        entry->key, entry->kernel ? entry->kernel : "(operators)",
        entry->variant ? entry->variant : "-", entry->target ? entry->target : "-",
        entry->source ? entry->source : "-", entry->made_by ? entry->made_by : "-", verdict(entry));
}

static int why(struct cli *cli, const struct options *o)
{
    struct tally tally = {.cli = cli, .what = o->what};
    int status = list_entries(&tally, o->folder, explain_entry);
    if (status == EXIT_DONE && !tally.count)
        return cli_error_help(cli, "'ldsl cache list' shows what there is",
                              "the cache has no entry for '%s'", o->what ? o->what : "anything");
    return status;
}

/* ---- verify, clear ------------------------------------------------------------------------ */

static void verify_entry(void *user, const ldsl_cache_entry *entry)
{
    struct tally *t = user;
    count_entry(t, entry);
    if (entry->problem)
        printf("%s: %s\n", entry->path, entry->problem);
}

static int verify(struct cli *cli, const struct options *o)
{
    struct tally tally = {.cli = cli};
    int status = list_entries(&tally, o->folder, verify_entry);
    if (status != EXIT_DONE)
        return status;
    print_total(&tally);
    if (!tally.problems)
        return EXIT_DONE;
    return cli_error_help(cli,
                          "they are rebuilt when they are needed; 'ldsl cache clear' removes all",
                          "%" PRIu64 " entries are damaged", tally.problems);
}

static int clear(struct cli *cli, const struct options *o)
{
    uint64_t removed = 0;
    unsigned before = cli->errors;
    int status =
        cli_failed(cli, ldsl_cache_clear(o->folder, &removed), before, "clearing the cache");
    if (status == EXIT_DONE)
        printf("%" PRIu64 " entries removed\n", removed);
    return status;
}

static const struct action {
    const char *name;
    int (*run)(struct cli *cli, const struct options *o);
} actions[] = {
    {"list",   list  },
    {"why",    why   },
    {"verify", verify},
    {"clear",  clear }
};

static const char *const words[] = {"list", "why", "verify", "clear", NULL};

static int run(struct cli *cli, void *input)
{
    const struct options *o = input;
    if (!o->action)
        return cli_usage(cli, "what about the cache: list, why, verify or clear?");
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(actions[i].name, o->action) == 0) {
            if (o->what && actions[i].run != why)
                return cli_usage(cli, "'cache %s' takes no argument", o->action);
            return actions[i].run(cli, o);
        }
    return cli_usage(cli, "'%s' is none of list, why, verify, clear", o->action);
}

const struct command command_cache = {
    .name = "cache",
    .summary = "look at the compile cache, check it, empty it",
    .args = "list\nwhy [KERNEL|KEY]\nverify\nclear",
    .doc = "list: the entries, most recently used first. why: what an entry was made from, and "
           "whether it would be used today. verify: reads every entry and compares its checksum. "
           "clear: removes them all. Damaged entries are never used: they are rebuilt.",
    .example = "ldsl cache list\nldsl cache why rms_norm_fwd\nldsl cache verify\n",
    .options = options,
    .parse = parse,
    .options_bytes = sizeof(struct options),
    .run = run,
    .words = words,
};
