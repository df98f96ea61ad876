/* ldsl ops: what operators there are, and what one takes and gives. */
#include "command.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct options {
    const char *file;
    const char *op;
    bool names, all;
};

/* clang-format off */
static const struct argp_option options[] = {
    {"file", 'f', "FILE", 0, "List the operators of FILE instead of the built-in library", 0},
    {"all", 'a', 0, 0, "List the references too", 0},
    {"names", 'n', 0, 0, "Print names only", 0},
    {0},
};
/* clang-format on */

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case 'f': o->file = arg; return 0;
    case 'a': o->all = true; return 0;
    case 'n': o->names = true; return 0;
    case ARGP_KEY_ARG:
        if (o->op)
            return ARGP_ERR_UNKNOWN;
        o->op = arg;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* The dtypes of the operator's main type: its first generic's, or its first tensor's. */
static uint32_t main_dtypes(const ldsl_library *library, const ldsl_op_info *info,
                            enum ldsl_dtype *dtypes)
{
    uint32_t count = 0;
    if (info->generic_count) {
        ldsl_op_generic(library, info->name, 0, dtypes, &count);
        return count;
    }
    ldsl_op_param param;
    for (uint32_t i = 0; i < info->param_count; i++)
        if (ldsl_op_get_param(library, info->name, i, &param) && param.kind == LDSL_KIND_TENSOR) {
            dtypes[0] = param.dtype;
            return 1;
        }
    return 0;
}

/* ---- the list ----------------------------------------------------------------------------- */

static json_t *op_row(const ldsl_library *library, const ldsl_op_info *info)
{
    enum ldsl_dtype dtypes[LDSL_DTYPE_COUNT];
    uint32_t count = main_dtypes(library, info, dtypes);
    json_t *names = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(names, json_string(ldsl_dtype_name(dtypes[i])));
    return json_pack("{s:s, s:s?, s:s?, s:s?, s:o}", "name", info->name, "file", info->path,
                     "summary", info->summary, "grad", info->grad, "dtypes", names);
}

/* Widths of the columns that vary. */
struct widths {
    int name, path, grad, dtypes;
};

static void widen(int *width, const char *text)
{
    int length = text ? (int)strlen(text) : 1;
    *width = length > *width ? length : *width;
}

static void dtype_list(const ldsl_library *library, const ldsl_op_info *info, char *text,
                       size_t size)
{
    enum ldsl_dtype dtypes[LDSL_DTYPE_COUNT];
    uint32_t count = main_dtypes(library, info, dtypes);
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? " " : "",
                                 ldsl_dtype_name(dtypes[i]));
}

static void print_row(const struct widths *w, const char *name, const char *path, const char *grad,
                      const char *dtypes, const char *summary)
{
    printf("%-*s  %-*s  %-*s  %-*s  %s\n", w->name, name, w->path, path ? path : "-", w->grad,
           grad ? grad : "-", w->dtypes, dtypes, summary ? summary : "");
}

/* The operators to list, in order; malloc'ed. */
static ldsl_op_info *listed_ops(const ldsl_library *library, bool all, uint32_t *listed)
{
    uint32_t count = ldsl_library_op_count(library);
    ldsl_op_info *infos = calloc((size_t)count + 1, sizeof *infos);
    *listed = 0;
    for (uint32_t i = 0; infos && i < count; i++) {
        const char *name = ldsl_library_op_name(library, i);
        if ((all || !is_reference(library, name)) && ldsl_op_find(library, name, &infos[*listed]))
            ++*listed;
    }
    return infos;
}

static void print_table(const ldsl_library *library, const ldsl_op_info *infos, uint32_t count)
{
    static const char *const heads[] = {"operator", "file", "gradient", "dtypes", "summary"};
    char dtypes[128];
    struct widths w = {(int)strlen(heads[0]), (int)strlen(heads[1]), (int)strlen(heads[2]),
                       (int)strlen(heads[3])};
    for (uint32_t i = 0; i < count; i++) {
        dtype_list(library, &infos[i], dtypes, sizeof dtypes);
        widen(&w.name, infos[i].name);
        widen(&w.path, infos[i].path);
        widen(&w.grad, infos[i].grad);
        widen(&w.dtypes, dtypes);
    }
    print_row(&w, heads[0], heads[1], heads[2], heads[3], heads[4]);
    for (uint32_t i = 0; i < count; i++) {
        dtype_list(library, &infos[i], dtypes, sizeof dtypes);
        print_row(&w, infos[i].name, infos[i].path, infos[i].grad, dtypes, infos[i].summary);
    }
}

static int list(struct cli *cli, const struct options *o, const ldsl_library *library)
{
    uint32_t count;
    ldsl_op_info *infos = listed_ops(library, o->all, &count);
    if (!infos) {
        cli_error(cli, "out of memory");
        return EXIT_DEVICE;
    }
    int status = EXIT_DONE;
    if (cli->json_path) {
        json_t *rows = json_array();
        for (uint32_t i = 0; i < count; i++)
            json_array_append_new(rows, op_row(library, &infos[i]));
        status = cli_write_json(cli, NULL, rows) ? EXIT_DONE : EXIT_DEVICE;
    } else if (o->names) {
        for (uint32_t i = 0; i < count; i++)
            puts(infos[i].name);
    } else {
        print_table(library, infos, count);
    }
    free(infos);
    return status;
}

/* ---- one operator ------------------------------------------------------------------------- */

static void print_choices(const ldsl_library *library, const char *op, uint32_t index,
                          const ldsl_op_param *param)
{
    for (uint32_t c = 0; c < param->choice_count; c++) {
        int64_t value;
        const char *word = NULL;
        if (!ldsl_op_choice(library, op, index, c, &value, &word))
            continue;
        printf(c ? ", " : ": ");
        if (word)
            fputs(word, stdout);
        else
            printf("%" PRId64, value);
    }
}

static void print_default(const ldsl_library *library, const char *op, uint32_t index,
                          const ldsl_op_param *param)
{
    int64_t value;
    const char *word = NULL;
    if (!param->has_default)
        return;
    if (param->kind == LDSL_KIND_ENUM &&
        ldsl_op_choice(library, op, index, (uint32_t)param->default_number, &value, &word) && word)
        printf(" = %s", word);
    else
        printf(" = %g", param->default_number);
}

static void print_param(const ldsl_library *library, const char *op, uint32_t index,
                        const ldsl_op_param *param)
{
    const char *type = param->generic ? param->generic : ldsl_dtype_name(param->dtype);
    printf("  %-8s %s%s: ", param->role == LDSL_PARAM_OUTPUT ? "output" : "input",
           param->is_const ? "const " : "", param->name);
    switch (param->kind) {
    case LDSL_KIND_TENSOR:
        printf("%stensor<%s>[", param->role == LDSL_PARAM_MUT ? "mut " : "", type);
        for (uint32_t d = 0; d < param->rank; d++)
            printf("%s%s", d ? ", " : "", param->dims[d]);
        printf("]%s", param->optional ? "?" : "");
        break;
    case LDSL_KIND_SCALAR: printf("%s", type); break;
    case LDSL_KIND_ENUM: printf("%s", param->enum_name ? param->enum_name : "enum"); break;
    }
    print_default(library, op, index, param);
    if (param->choice_count)
        print_choices(library, op, index, param);
    putchar('\n');
}

static int describe(struct cli *cli, const ldsl_library *library, const char *op)
{
    ldsl_op_info info;
    int status = find_operator(cli, library, op, &info);
    if (status != EXIT_DONE)
        return status;
    printf("%s (%s)\n\n%s\n", info.name, info.path ? info.path : "?", info.doc ? info.doc : "");
    for (uint32_t i = 0; i < info.param_count; i++) {
        ldsl_op_param param;
        if (ldsl_op_get_param(library, op, i, &param))
            print_param(library, op, i, &param);
    }
    for (uint32_t g = 0; g < info.generic_count; g++) {
        enum ldsl_dtype dtypes[LDSL_DTYPE_COUNT];
        uint32_t count = 0;
        const char *name = ldsl_op_generic(library, op, g, dtypes, &count);
        printf("  type     %s:", name);
        for (uint32_t i = 0; i < count; i++)
            printf(" %s", ldsl_dtype_name(dtypes[i]));
        putchar('\n');
    }
    if (info.grad)
        printf("  gradient %s\n", info.grad);
    return EXIT_DONE;
}

static int run(struct cli *cli, void *input)
{
    const struct options *o = input;
    struct operators operators;
    int status = open_library(cli, o->file, &operators);
    if (status == EXIT_DONE)
        status = o->op ? describe(cli, operators.library, o->op) : list(cli, o, operators.library);
    close_operators(&operators);
    return status;
}

const struct command command_ops = {
    .name = "ops",
    .summary = "list the operators, or describe one",
    .args = "[OP]",
    .doc =
        "Lists name, file, gradient, dtypes and a sentence of each operator of the library. With "
        "an OP, prints its documentation and its parameters.",
    .example = "ldsl ops\nldsl ops rms_norm\nldsl ops --file my.ldsl --json\n",
    .options = options,
    .parse = parse,
    .options_bytes = sizeof(struct options),
    .run = run,
    .takes_ops = true,
    .json = JSON_FLAG,
};
