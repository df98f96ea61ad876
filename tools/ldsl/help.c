/* ldsl help: the list of commands, one command's help, the manual page. */
#include "command.h"
#include "manual.h"

#include <string.h>

struct options {
    char *command;
    bool manual;
};

/* clang-format off */
static const struct argp_option options[] = {
    {"man", 'm', 0, 0, "Print the manual page (troff), made from the same tables", 0},
    {0},
};
/* clang-format on */

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case 'm': o->manual = true; return 0;
    case ARGP_KEY_ARG:
        if (o->command)
            return ARGP_ERR_UNKNOWN;
        o->command = arg;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static void print_commands(void)
{
    puts("ldsl: fused kernels in a small tile language\n\n"
         "Usage: ldsl COMMAND [OPTION...] [ARGUMENT...]\n\nCommands:");
    for (const struct command *const *c = commands; *c; c++)
        printf("  %-11s %s\n", (*c)->name, (*c)->summary);
    puts("\n'ldsl COMMAND --help' shows a command's options and examples.\n\n"
         "Examples:\n"
         "  ldsl ops                                    what operators there are\n"
         "  ldsl run softmax 'x=randn(4x1000)'          run one\n"
         "  ldsl bench rms_norm                         time one\n"
         "  ldsl compile my.ldsl --kernel f --emit ir   look inside\n\n"
         "Exit status: 0 done, 1 wrong input or failed test, 2 usage, 3 device or files,\n"
         "4 internal error.");
}

static int run(struct cli *cli, void *input)
{
    const struct options *o = input;
    if (o->manual)
        print_manual();
    else if (!o->command)
        print_commands();
    else
        return run_command(cli, 2, (char *[]){o->command, "--help", NULL});
    return EXIT_DONE;
}

const struct command command_help = {
    .name = "help",
    .summary = "list the commands, or explain one",
    .args = "[COMMAND]",
    .doc = "Without a COMMAND, lists all of them.",
    .example = "ldsl help bench\nldsl help --man | man -l -\n",
    .options = options,
    .parse = parse,
    .options_bytes = sizeof(struct options),
    .run = run,
};
