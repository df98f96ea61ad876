/* The command line: what a subcommand is, and what all of them share.
 *
 * A subcommand is one file with one `const struct command command_<name>`; the list below is the
 * only other place that knows it. Help, man page and shell completion are made from these tables. */
#ifndef LDSL_COMMAND_H
#define LDSL_COMMAND_H

#include <argp.h>
#include <jansson.h>
#include <ldsl/ldsl.h>
#include <stdio.h>

/* Exit statuses: part of what a user relies on. */
enum {
    EXIT_DONE,
    EXIT_WRONG,    /* the input is wrong, or a test failed */
    EXIT_USAGE,    /* the command line is wrong */
    EXIT_DEVICE,   /* a device, a driver or the file system failed */
    EXIT_INTERNAL, /* a bug of ours */
};

/* One run of the program: how to talk to the user. Made by main, handed to everyone. */
struct cli {
    const struct command *command;
    bool color;            /* standard error is a terminal and NO_COLOR is unset */
    bool progress;         /* standard error is a terminal: show progress */
    bool progress_shown;   /* a progress line stands there now */
    bool json_diag;        /* --diagnostics=json */
    struct ldsl_sink sink; /* prints diagnostics to standard error */
    unsigned errors;       /* reported so far */
    const char *json_path; /* --json's file, "-" for standard output; NULL: no JSON wanted */
};

/* How a command offers JSON: not at all, --json[=FILE] (without FILE to standard
 * output), --json FILE. */
enum json_option { JSON_NONE, JSON_FLAG, JSON_FILE };

struct command {
    const char *name;    /* "bench" */
    const char *summary; /* one line, lower case */
    const char *args;    /* "[OP...]"; several forms are separated by newlines */
    const char *doc;     /* paragraphs for --help and the man page */
    const char *example; /* command lines, each followed by "\n"; comment lines start with "# " */

    const struct argp_option *options;                              /* NULL: none of its own */
    error_t (*parse)(int key, char *arg, struct argp_state *state); /* state->input: the options */
    size_t options_bytes; /* size of the options struct: zeroed, then filled by parse */

    /* Returns an exit status. Frees what parse allocated. */
    int (*run)(struct cli *cli, void *options);

    /* clang-format off */
    const char *const *words; /* fixed words that args may take, for completion; NULL ends them */
    /* clang-format on */
    bool takes_ops;        /* args name operators of the library: completion offers them */
    bool takes_device;     /* has --device and its kin; see struct device_options */
    enum json_option json; /* has --json */
};

/* clang-format off */
#define COMMAND_LIST(X) \
    X(ops) X(run) X(test) X(bench) X(tune) X(compile) X(variants) X(fmt) X(explain) X(cache) X(doctor) \
    X(completion) X(help)
/* clang-format on */

#define X(name) extern const struct command command_##name;
COMMAND_LIST(X)
#undef X
extern const struct command *const commands[]; /* all, NULL at the end */

/* Parses the arguments (argv[0] is the command's name) and runs it. Returns an exit status. */
int run_command(struct cli *cli, int argc, char **argv);

/* The options that every command has, and those of takes_device and json: for help and completion. */
extern const struct argp_option common_options[], device_option_list[];
extern const struct argp_option json_options[][2]; /* by enum json_option */

/* ---- telling the user: cli.c -------------------------------------------------------------- */

void cli_init(struct cli *cli);

/* Prints "error: text" (or a JSON object) and counts it. Returns EXIT_WRONG. */
int cli_error(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same with a suggestion on a line of its own; help may be NULL. */
int cli_error_help(struct cli *cli, const char *help, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a wrong command line: says where help is. Returns EXIT_USAGE. */
int cli_usage(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_warning(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The exit status for a failed library call; for LDSL_OK EXIT_DONE. If nothing was reported since
 * errors_before (cli->errors as it was), prints ldsl_last_error() or the status; `what` says what
 * was tried ("preparing rms_norm"). */
int cli_failed(struct cli *cli, enum ldsl_status status, unsigned errors_before, const char *what);

/* One line on standard error that the next call replaces; only on a terminal. NULL clears it. */
void cli_progress(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes {"version", "device", "rows"} to cli->json_path. Takes over rows; device may be NULL.
 * False after reporting. */
bool cli_write_json(struct cli *cli, const char *device, json_t *rows);

/* The candidate nearest to name, for "did you mean"; NULL when none is near. NULL ends the list. */
const char *nearest_word(const char *name, const char *const *candidates);

/* ---- devices and operators: operators.c --------------------------------------------------- */

/* The options of commands with takes_device, whose own options struct begins with this. */
struct device_options {
    const char *device; /* --device; NULL: the best there is */
    const char *file;   /* --file: operators from this file; NULL: the built-in library */
    const char *cache;  /* --cache-dir */
    bool no_cache;      /* --no-cache */
    bool no_compile;    /* --no-compile */
    bool check;         /* --check: run-time checks in the kernels */
    bool line_info;     /* --line-info: kernels carry the lines of their source */
    unsigned threads;   /* --threads; 0: one per core */
    const char
        *records;     /* --records: the user's tuning records; "none": defaults for all kernels */
    bool new_records; /* they may be a file that does not exist yet */
    bool tune;        /* --tune: tune what has no record before its first use */
};

/* A context on the device and the operators asked for. EXIT_DONE, or an exit status after reporting;
 * close_operators is safe either way. */
struct operators {
    ldsl_context *context;
    ldsl_library *library;
};
int open_operators(struct cli *cli, const struct device_options *options, struct operators *out);
/* The operators on the host, for commands that need no device. file NULL: the built-in library. */
int open_library(struct cli *cli, const char *file, struct operators *out);
void close_operators(struct operators *operators);

/* Reports an unknown operator with the nearest name. EXIT_DONE or EXIT_WRONG. */
int find_operator(struct cli *cli, const ldsl_library *library, const char *name,
                  ldsl_op_info *info);
/* Whether the operator is the reference of another one: left out of lists. */
bool is_reference(const ldsl_library *library, const char *name);

/* Parses "R=8192,D=4096" into dims; reports what is wrong and returns false. */
struct dim_value {
    char name[64];
    int64_t value;
};
bool parse_dims(struct cli *cli, const char *text, struct dim_value *dims, unsigned capacity,
                unsigned *count);

/* ---- files: files.c ----------------------------------------------------------------------- */

/* Reads a whole file ("-": standard input) into malloc'ed memory with a NUL after it; NULL after
 * reporting. */
char *read_file(struct cli *cli, const char *path, size_t *length);

/* A file that appears complete or not at all: written under a temporary name beside it, renamed by
 * output_commit. "-" is standard output. */
struct output {
    FILE *file;
    char *path, *temporary; /* NULL for standard output */
};
bool output_open(struct cli *cli, struct output *out, const char *path);
bool output_commit(struct cli *cli, struct output *out); /* false after reporting; file removed */
void output_abandon(struct output *out);                 /* removes it; safe after commit */
/* The same for bytes in hand. */
bool write_file(struct cli *cli, const char *path, const void *data, size_t bytes);

#endif
