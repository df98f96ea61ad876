#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int open_operators(struct cli *cli, const struct device_options *options, struct operators *out)
{
    *out = (struct operators){0};
    if (options->file && access(options->file, R_OK) != 0)
        return cli_error(cli, "cannot open %s: %s", options->file, strerror(errno));
    bool no_records = options->records && strcmp(options->records, "none") == 0;
    bool reads = options->records && !no_records && !options->new_records && !options->tune;
    if (reads && access(options->records, R_OK) != 0)
        return cli_error(cli, "cannot open %s: %s", options->records, strerror(errno));
    ldsl_context_options context = {
        .sink = cli->sink,
        .cache_path = options->cache,
        .no_cache = options->no_cache,
        .no_compile = options->no_compile,
        .check = options->check,
        .line_info = options->line_info,
        .threads = options->threads,
        .records_path = options->records,
        .no_records = no_records,
        .tune_first_use = options->tune,
    };
    unsigned before = cli->errors;
    enum ldsl_status status = ldsl_context_create(&out->context, options->device, &context);
    if (status != LDSL_OK) {
        int result = cli_failed(cli, status, before, "opening the device");
        return status == LDSL_UNSUPPORTED ? EXIT_DEVICE : result;
    }
    if (options->file)
        status = ldsl_library_load_file(&out->library, out->context, options->file);
    else
        status = ldsl_library_load_builtin(&out->library, out->context);
    return cli_failed(cli, status, before, "loading the operators");
}

int open_library(struct cli *cli, const char *file, struct operators *out)
{
    struct device_options options = {.device = "cpu", .file = file};
    return open_operators(cli, &options, out);
}

void close_operators(struct operators *operators)
{
    if (operators->library)
        ldsl_library_destroy(operators->library);
    if (operators->context)
        ldsl_context_destroy(operators->context);
    *operators = (struct operators){0};
}

static const char *nearest_operator(const ldsl_library *library, const char *name)
{
    uint32_t count = ldsl_library_op_count(library);
    const char **names = calloc(count + 1, sizeof *names);
    if (!names)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        names[i] = ldsl_library_op_name(library, i);
    const char *nearest = nearest_word(name, names);
    free(names);
    return nearest;
}

int find_operator(struct cli *cli, const ldsl_library *library, const char *name,
                  ldsl_op_info *info)
{
    if (ldsl_op_find(library, name, info))
        return EXIT_DONE;
    const char *nearest = nearest_operator(library, name);
    char help[128] = "'ldsl ops' lists the operators; those of another file are found with --file";
    if (nearest)
        snprintf(help, sizeof help, "did you mean '%.80s'?", nearest);
    return cli_error_help(cli, help, "unknown operator '%s'", name);
}

bool is_reference(const ldsl_library *library, const char *name)
{
    ldsl_op_info info;
    uint32_t count = ldsl_library_op_count(library);
    for (uint32_t i = 0; i < count; i++)
        if (ldsl_op_find(library, ldsl_library_op_name(library, i), &info) && info.ref &&
            strcmp(info.ref, name) == 0)
            return true;
    return false;
}

/* "D=4096" of the given length. */
static bool parse_dim(const char *text, size_t length, struct dim_value *dim)
{
    const char *equals = memchr(text, '=', length);
    if (!equals || equals == text || (size_t)(equals - text) >= sizeof dim->name)
        return false;
    size_t name_length = (size_t)(equals - text);
    memcpy(dim->name, text, name_length);
    dim->name[name_length] = '\0';
    char *end;
    errno = 0;
    dim->value = strtoll(equals + 1, &end, 10);
    return end == text + length && end > equals + 1 && !errno && dim->value >= 0;
}

bool parse_dims(struct cli *cli, const char *text, struct dim_value *dims, unsigned capacity,
                unsigned *count)
{
    *count = 0;
    while (*text) {
        size_t length = strcspn(text, ",");
        if (*count == capacity || !parse_dim(text, length, &dims[*count])) {
            cli_error_help(cli, "dims are given as R=8192,D=4096",
                           "'%.*s' is not a dim and its size", length > 80 ? 80 : (int)length,
                           text);
            return false;
        }
        ++*count;
        text += length;
        text += *text == ',';
    }
    return true;
}
