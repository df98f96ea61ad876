/* ldsl: finds the subcommand, parses its options, runs it. */
#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const struct command *const commands[] = {
#define X(name) &command_##name,
    COMMAND_LIST(X)
#undef X
    NULL,
};
/* clang-format on */

static const struct command *find_command(const char *name)
{
    for (const struct command *const *c = commands; *c; c++)
        if (strcmp((*c)->name, name) == 0)
            return *c;
    return NULL;
}

/* ---- options that commands share ---------------------------------------------------------- */

enum {
    OPTION_DIAGNOSTICS = 0x1000,
    OPTION_JSON,
    OPTION_DEVICE,
    OPTION_FILE,
    OPTION_CACHE,
    OPTION_NO_CACHE,
    OPTION_NO_COMPILE,
    OPTION_CHECK,
    OPTION_LINE_INFO,
    OPTION_THREADS,
    OPTION_RECORDS,
    OPTION_TUNE,
};

/* clang-format off */
const struct argp_option common_options[] = {
    {"diagnostics", OPTION_DIAGNOSTICS, "FORMAT", 0,
     "How to print errors and warnings: text (the default) or json, one object a line", 9},
    {0},
};

const struct argp_option device_option_list[] = {
    {"device", OPTION_DEVICE, "DEVICE", 0,
     "Where to run: cpu, cuda, cuda:N, simt or simt:86; default: cpu", 5},
    {"file", OPTION_FILE, "FILE", 0, "Take operators from FILE instead of the built-in library", 5},
    {"check", OPTION_CHECK, 0, 0,
     "Compile kernels with run-time checks: bounds, unwritten reads, double writes", 5},
    {"line-info", OPTION_LINE_INFO, 0, 0,
     "Keep source lines in the kernels, for debuggers and profilers", 5},
    {"threads", OPTION_THREADS, "N", 0, "Worker threads of the cpu device; default: one per core", 5},
    {"cache-dir", OPTION_CACHE, "DIR", 0, "Folder of the compile cache", 5},
    {"no-cache", OPTION_NO_CACHE, 0, 0, "Neither read nor write the compile cache", 5},
    {"no-compile", OPTION_NO_COMPILE, 0, 0,
     "A kernel that is not in the cache is an error, which names it, instead of compiled", 5},
    {"records", OPTION_RECORDS, "FILE", 0,
     "Your tuning records (default: see 'ldsl doctor'); none: leave out the library's too", 5},
    {"tune", OPTION_TUNE, 0, 0,
     "Before the first use of a kernel that has no tuning record, tune it: takes two seconds", 5},
    {0},
};

const struct argp_option json_options[][2] = {
    [JSON_NONE] = {{0}},
    [JSON_FLAG] = {{"json", OPTION_JSON, "FILE", OPTION_ARG_OPTIONAL,
                    "Print one JSON object to standard output, or write it to FILE", 6}, {0}},
    [JSON_FILE] = {{"json", OPTION_JSON, "FILE", 0,
                    "Write one JSON object to FILE; - is standard output", 6}, {0}},
};
/* clang-format on */

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
    struct cli *cli = state->input;
    switch (key) {
    case OPTION_DIAGNOSTICS:
        if (strcmp(arg, "json") != 0 && strcmp(arg, "text") != 0)
            argp_error(state, "--diagnostics is text or json, not '%s'", arg);
        cli->json_diag = strcmp(arg, "json") == 0;
        return 0;
    case OPTION_JSON:
        if (arg && strncmp(arg, "--", 2) == 0)
            argp_error(state, "--json lacks its file before %s; ./%s would be one of that name",
                       arg, arg);
        cli->json_path = arg ? arg : "-";
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_device(int key, char *arg, struct argp_state *state)
{
    struct device_options *options = state->input;
    char *end;
    switch (key) {
    case OPTION_DEVICE: options->device = arg; return 0;
    case OPTION_FILE: options->file = arg; return 0;
    case OPTION_CACHE: options->cache = arg; return 0;
    case OPTION_NO_CACHE: options->no_cache = true; return 0;
    case OPTION_NO_COMPILE: options->no_compile = true; return 0;
    case OPTION_CHECK: options->check = true; return 0;
    case OPTION_LINE_INFO: options->line_info = true; return 0;
    case OPTION_RECORDS: options->records = arg; return 0;
    case OPTION_TUNE: options->tune = true; return 0;
    case OPTION_THREADS: {
        errno = 0;
        unsigned long threads = strtoul(arg, &end, 10);
        if (*end || end == arg || errno || !threads || threads > 4096)
            argp_error(state, "--threads is a number from 1 to 4096, not '%s'", arg);
        options->threads = (unsigned)threads;
        return 0;
    }
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- parsing ------------------------------------------------------------------------------ */

struct inputs {
    struct cli *cli;
    void *options;
};

enum { CHILD_COMMAND, CHILD_COMMON, CHILD_JSON, CHILD_DEVICE, CHILD_COUNT };

static error_t parse_root(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    const struct inputs *inputs = state->input;
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    for (int i = 0; i < CHILD_COUNT; i++)
        state->child_inputs[i] =
            i == CHILD_COMMON || i == CHILD_JSON ? inputs->cli : inputs->options;
    return 0;
}

/* Options before the first "--" that no table has: getopt would say so too, but not which was
 * meant. */
static int check_option_names(struct cli *cli, int argc, char **argv,
                              const struct argp_option *const *tables)
{
    const char *names[128] = {"help", "usage", "version"};
    unsigned count = 3;
    for (; *tables; tables++)
        for (const struct argp_option *o = *tables; (o->name || o->key) && count < 127; o++)
            if (o->name)
                names[count++] = o->name;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--", 2) != 0)
            continue;
        size_t length = strcspn(argv[i] + 2, "=");
        bool known = false;
        for (unsigned k = 0; k < count; k++)
            known |= strncmp(argv[i] + 2, names[k], length) == 0;
        if (known)
            continue;
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), argv[i] + 2);
        const char *nearest = nearest_word(name, names);
        if (nearest)
            return cli_usage(cli, "unknown option '--%s'; did you mean '--%s'?", name, nearest);
        return cli_usage(cli, "unknown option '--%s'", name);
    }
    return EXIT_DONE;
}

/* Copies a text with two spaces before each line. */
static void indent(FILE *out, const char *text)
{
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n") + 1;
        fprintf(out, "  %.*s\n", (int)length - 1, line);
        line += line[length - 1] ? length : length - 1;
    }
}

/* What --help prints around the options: argp takes what follows \v for the end. */
static char *help_text(const struct command *command)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fprintf(out, "%c%s.\n\n%s\vExamples:\n", toupper((unsigned char)command->summary[0]),
            command->summary + 1, command->doc);
    indent(out, command->example);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static int parse_and_run(struct cli *cli, const struct command *command, int argc, char **argv)
{
    cli->command = command;
    static const struct argp_option none[] = {{0}};
    const struct argp_option *own = command->options ? command->options : none;
    const struct argp_option *json = json_options[command->json];
    const struct argp_option *device = command->takes_device ? device_option_list : none;
    const struct argp_option *const tables[] = {own, common_options, json, device, NULL};
    int usage = check_option_names(cli, argc, argv, tables);
    if (usage != EXIT_DONE)
        return usage;

    struct argp parsers[CHILD_COUNT] = {
        [CHILD_COMMAND] = {.options = own,            .parser = command->parse                             },
        [CHILD_COMMON] = {.options = common_options, .parser = parse_common                               },
        [CHILD_JSON] = {.options = json,           .parser = parse_common                               },
        [CHILD_DEVICE] = {.options = device,         .parser = command->takes_device ? parse_device : NULL},
    };
    struct argp_child children[CHILD_COUNT + 1] = {{0}};
    for (int i = 0; i < CHILD_COUNT; i++)
        children[i].argp = &parsers[i];
    char *doc = help_text(command), name[64];
    void *options = calloc(1, command->options_bytes ? command->options_bytes : 1);
    int status = EXIT_DEVICE;
    if (!doc || !options) {
        cli_error(cli, "out of memory");
    } else {
        const struct argp root = {
            .parser = parse_root, .args_doc = command->args, .doc = doc, .children = children};
        struct inputs inputs = {.cli = cli, .options = options};
        snprintf(name, sizeof name, "ldsl %s", command->name);
        argv[0] = name;
        error_t error = argp_parse(&root, argc, argv, 0, NULL, &inputs);
        status = error ? cli_usage(cli, "%s", strerror(error)) : command->run(cli, options);
    }
    cli_progress(cli, NULL);
    free(options);
    free(doc);
    return status;
}

static int unknown_command(struct cli *cli, const char *name)
{
    const char *names[64] = {0};
    for (unsigned i = 0; commands[i] && i < 63; i++)
        names[i] = commands[i]->name;
    const char *nearest = nearest_word(name, names);
    if (nearest)
        return cli_usage(cli, "unknown command '%s'; did you mean '%s'?", name, nearest);
    return cli_usage(cli, "unknown command '%s'", name);
}

int run_command(struct cli *cli, int argc, char **argv)
{
    const struct command *command = find_command(argv[0]);
    return command ? parse_and_run(cli, command, argc, argv) : unknown_command(cli, argv[0]);
}

/* Results that could not be written are a failure, however well the rest went. */
static int finish(struct cli *cli, int status)
{
    if ((fflush(stdout) == 0 && !ferror(stdout)) || status != EXIT_DONE)
        return status;
    cli_error(cli, "cannot write standard output: %s", strerror(errno));
    return EXIT_DEVICE;
}

int main(int argc, char **argv)
{
    static char version[96];
    snprintf(version, sizeof version, "ldsl %s", ldsl_compiler_version());
    argp_program_version = version;
    argp_err_exit_status = EXIT_USAGE;

    struct cli cli;
    cli_init(&cli);
    char *help[] = {"help", NULL};
    if (argc < 2) {
        run_command(&cli, 1, help);
        return EXIT_USAGE;
    }
    const char *first = argv[1];
    if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0) {
        puts(version);
        return finish(&cli, EXIT_DONE);
    }
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "-?") == 0)
        return finish(&cli, run_command(&cli, 1, help));
    return finish(&cli, run_command(&cli, argc - 1, argv + 1));
}
