#include "command.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- diagnostics -------------------------------------------------------------------------- */

static const char *severity_word(enum ldsl_severity severity)
{
    switch (severity) {
    case LDSL_NOTE: return "note";
    case LDSL_REMARK: return "remark";
    case LDSL_WARNING: return "warning";
    case LDSL_ERROR: return "error";
    }
    return "error";
}

static json_t *diag_json(const struct ldsl_diag *diag)
{
    json_t *object =
        json_pack("{s:s, s:s}", "severity", severity_word(diag->severity), "text", diag->text);
    if (diag->code) {
        char code[16];
        snprintf(code, sizeof code, "E%04u", diag->code);
        json_object_set_new(object, "code", json_string(code));
    }
    if (diag->place.path) {
        json_object_set_new(object, "path", json_string(diag->place.path));
        json_object_set_new(object, "line", json_integer(diag->place.line));
        json_object_set_new(object, "column", json_integer(diag->place.column));
        json_object_set_new(object, "length", json_integer(diag->place.length));
    }
    if (diag->help)
        json_object_set_new(object, "help", json_string(diag->help));
    if (diag->note_count) {
        json_t *notes = json_array();
        for (uint32_t i = 0; i < diag->note_count; i++)
            json_array_append_new(notes, diag_json(&diag->notes[i]));
        json_object_set_new(object, "notes", notes);
    }
    return object;
}

static void print_text(const struct cli *cli, const struct ldsl_diag *diag)
{
    enum ldsl_diag_style style = cli->color ? LDSL_DIAG_COLOR : LDSL_DIAG_PLAIN;
    size_t length = ldsl_diag_format(diag, style, NULL, 0);
    char *text = malloc(length + 1);
    if (!text) {
        fprintf(stderr, "%s: %s\n", severity_word(diag->severity), diag->text);
        return;
    }
    ldsl_diag_format(diag, style, text, length + 1);
    fputs(text, stderr);
    free(text);
}

static void report(void *user, const struct ldsl_diag *diag)
{
    struct cli *cli = user;
    cli_progress(cli, NULL);
    cli->errors += diag->severity == LDSL_ERROR;
    if (!cli->json_diag) {
        print_text(cli, diag);
        return;
    }
    json_t *object = diag_json(diag);
    json_dumpf(object, stderr, JSON_COMPACT);
    fputc('\n', stderr);
    json_decref(object);
}

void cli_init(struct cli *cli)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    bool terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    *cli = (struct cli){.color = terminal && !(no_color && *no_color), .progress = terminal};
    cli->sink = (struct ldsl_sink){.report = report, .user = cli};
}

static void say(struct cli *cli, enum ldsl_severity severity, const char *help, const char *format,
                va_list args)
{
    char text[1024];
    vsnprintf(text, sizeof text, format, args);
    struct ldsl_diag diag = {.severity = severity, .text = text, .help = help};
    report(cli, &diag);
}

int cli_error(struct cli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(cli, LDSL_ERROR, NULL, format, args);
    va_end(args);
    return EXIT_WRONG;
}

int cli_error_help(struct cli *cli, const char *help, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(cli, LDSL_ERROR, help, format, args);
    va_end(args);
    return EXIT_WRONG;
}

int cli_usage(struct cli *cli, const char *format, ...)
{
    char help[96];
    snprintf(help, sizeof help, "'ldsl %s%s' shows how it is used",
             cli->command ? cli->command->name : "--help", cli->command ? " --help" : "");
    va_list args;
    va_start(args, format);
    say(cli, LDSL_ERROR, help, format, args);
    va_end(args);
    return EXIT_USAGE;
}

void cli_warning(struct cli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(cli, LDSL_WARNING, NULL, format, args);
    va_end(args);
}

int cli_failed(struct cli *cli, enum ldsl_status status, unsigned errors_before, const char *what)
{
    if (status != LDSL_OK && cli->errors == errors_before) {
        const char *last = ldsl_last_error();
        cli_error(cli, "%s: %s", what, *last ? last : ldsl_status_name(status));
    }
    switch (status) {
    case LDSL_OK: return EXIT_DONE;
    case LDSL_SOURCE:
    case LDSL_ARGUMENT:
    case LDSL_UNSUPPORTED: return EXIT_WRONG;
    case LDSL_NOMEM:
    case LDSL_DEVICE: return EXIT_DEVICE;
    case LDSL_INTERNAL: break;
    }
    fprintf(stderr,
            "This is a bug in ldsl %s. Please report it with the command line, the .ldsl "
            "file and the text above.\n",
            ldsl_compiler_version());
    return EXIT_INTERNAL;
}

/* ---- progress ----------------------------------------------------------------------------- */

void cli_progress(struct cli *cli, const char *format, ...)
{
    if (cli->progress_shown)
        fputs("\r\033[K", stderr);
    cli->progress_shown = false;
    if (!format || !cli->progress)
        return;
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fflush(stderr);
    cli->progress_shown = true;
}

/* ---- JSON --------------------------------------------------------------------------------- */

bool cli_write_json(struct cli *cli, const char *device, json_t *rows)
{
    json_t *object = json_pack("{s:s, s:o*, s:o}", "version", ldsl_compiler_version(), "device",
                               device ? json_string(device) : NULL, "rows", rows);
    char *text = object ? json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(object);
    if (!text) {
        cli_error(cli, "out of memory while writing JSON");
        return false;
    }
    size_t length = strlen(text);
    text[length] = '\n'; /* in the place of the NUL: the length says where it ends */
    bool ok = write_file(cli, cli->json_path, text, length + 1);
    free(text);
    return ok;
}

/* ---- near names --------------------------------------------------------------------------- */

const char *nearest_word(const char *name, const char *const *candidates)
{
    uint32_t count = 0;
    while (candidates[count])
        count++;
    return ldsl_nearest_name(name, candidates, count);
}
