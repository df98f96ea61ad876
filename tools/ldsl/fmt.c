/* ldsl fmt: one layout for all .ldsl files. */
#include "command.h"

#include <stdlib.h>
#include <string.h>

struct options {
    bool check;
    char **files;
    int count;
};

/* clang-format off */
static const struct argp_option options[] = {
    {"check", 'c', 0, 0,
     "Change nothing; name the files that are not formatted and exit with 1", 0},
    {0},
};
/* clang-format on */

static error_t parse(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    struct options *o = state->input;
    switch (key) {
    case 'c': o->check = true; return 0;
    case ARGP_KEY_ARGS:
        o->files = state->argv + state->next;
        o->count = state->argc - state->next;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static int format_file(struct cli *cli, const struct options *o, const char *path)
{
    size_t length;
    char *text = read_file(cli, path, &length), *formatted = NULL;
    if (!text)
        return EXIT_WRONG;
    bool standard = strcmp(path, "-") == 0;
    struct ldsl_source source = {
        .path = standard ? "<stdin>" : path, .text = text, .length = length};
    unsigned before = cli->errors;
    enum ldsl_status status = ldsl_format(&formatted, &source, &cli->sink);
    int result = cli_failed(cli, status, before, path);
    if (status == LDSL_OK) {
        size_t formatted_length = strlen(formatted);
        bool same = formatted_length == length && memcmp(formatted, text, length) == 0;
        if (o->check && !same) {
            printf("%s\n", source.path);
            result = EXIT_WRONG;
        } else if (!o->check && (standard || !same)) {
            if (!write_file(cli, path, formatted, formatted_length))
                result = EXIT_DEVICE;
        }
    }
    free(formatted);
    free(text);
    return result;
}

static int run(struct cli *cli, void *input)
{
    const struct options *o = input;
    if (!o->count)
        return cli_usage(cli, "which files? - is standard input");
    int result = EXIT_DONE;
    for (int i = 0; i < o->count; i++) {
        int status = format_file(cli, o, o->files[i]);
        result = status > result ? status : result;
    }
    return result;
}

const struct command command_fmt = {
    .name = "fmt",
    .summary = "format .ldsl files in place",
    .args = "FILE...",
    .doc = "A file with a syntax error is reported and left alone. - formats standard input to "
           "standard output.",
    .example = "ldsl fmt kernels.ldsl/norm/*.ldsl\n"
               "ldsl fmt --check my.ldsl && echo formatted\n",
    .options = options,
    .parse = parse,
    .options_bytes = sizeof(struct options),
    .run = run,
};
