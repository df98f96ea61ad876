/* ldsl variants: the closed set of binaries an operator can need. */
#include "command.h"

#include <string.h>

struct options {
    const char *what;
    bool count_only;
};

/* clang-format off */
static const struct argp_option options[] = {
    {"count", 'n', 0, 0, "Print only how many there are per operator", 0},
    {0},
};
/* clang-format on */

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case 'n': o->count_only = true; return 0;
    case ARGP_KEY_ARG:
        if (o->what)
            return ARGP_ERR_UNKNOWN;
        o->what = arg;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

struct printer {
    const char *op;
    bool silent;
    unsigned count;
};

static void print_variant(void *user, const char *kernel, const char *variant)
{
    struct printer *p = user;
    p->count++;
    if (!p->silent)
        printf("%-24s %-28s %s\n", p->op, kernel, variant);
}

static int list_op(struct cli *cli, ldsl_library *library, const char *op, bool count_only)
{
    struct printer printer = {.op = op, .silent = count_only};
    unsigned before = cli->errors;
    enum ldsl_status status = ldsl_op_variants(library, op, print_variant, &printer);
    if (status == LDSL_OK && count_only)
        printf("%-24s %u\n", op, printer.count);
    return cli_failed(cli, status, before, op);
}

static int run(struct cli *cli, void *input)
{
    const struct options *o = input;
    if (!o->what)
        return cli_usage(cli, "which file or operator?");
    size_t length = strlen(o->what);
    bool is_file = length > 5 && strcmp(o->what + length - 5, ".ldsl") == 0;
    struct operators operators;
    int status = open_library(cli, is_file ? o->what : NULL, &operators);
    ldsl_op_info info;
    if (status == EXIT_DONE && !is_file) {
        status = find_operator(cli, operators.library, o->what, &info);
        if (status == EXIT_DONE)
            status = list_op(cli, operators.library, o->what, o->count_only);
    }
    uint32_t count = status == EXIT_DONE && is_file ? ldsl_library_op_count(operators.library) : 0;
    for (uint32_t i = 0; i < count && status == EXIT_DONE; i++)
        status = list_op(cli, operators.library, ldsl_library_op_name(operators.library, i),
                         o->count_only);
    close_operators(&operators);
    return status;
}

const struct command command_variants = {
    .name = "variants",
    .summary = "list every binary that an operator or a file can need",
    .args = "FILE_OR_OP",
    .doc = "A variant is a kernel with its types, const parameters, optional tensors and "
           "specialisations bound. The set is closed: nothing else can be asked for at run time.",
    .example = "ldsl variants rms_norm\nldsl variants --count my.ldsl\n",
    .options = options,
    .parse = parse,
    .options_bytes = sizeof(struct options),
    .run = run,
    .takes_ops = true,
};
