/* ldsl completion: scripts that let a shell complete commands, options and operators. */
#include "command.h"

#include <string.h>

struct options {
    const char *shell;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    if (key != ARGP_KEY_ARG || o->shell)
        return ARGP_ERR_UNKNOWN;
    o->shell = arg;
    return 0;
}

static void put_option_names(const struct argp_option *option)
{
    for (; option && (option->name || option->key); option++)
        if (option->name && !(option->flags & OPTION_HIDDEN))
            printf(" --%s%s", option->name, option->arg ? "=" : "");
}

/* A shell function `_ldsl_words COMMAND`: the options and fixed words of the command, and its
 * operators if it takes them. Both shells use it. */
static void put_words_function(void)
{
    printf("_ldsl_words() {\n    case \"$1\" in\n");
    for (const struct command *const *c = commands; *c; c++) {
        printf("    %s) echo \"--help", (*c)->name);
        put_option_names((*c)->options);
        put_option_names(common_options);
        put_option_names(json_options[(*c)->json]);
        if ((*c)->takes_device)
            put_option_names(device_option_list);
        for (const char *const *word = (*c)->words; word && *word; word++)
            printf(" %s", *word);
        printf("\"%s;;\n", (*c)->takes_ops ? "; ldsl ops --names 2>/dev/null" : "");
    }
    printf("    *) echo \"--help --version");
    for (const struct command *const *c = commands; *c; c++)
        printf(" %s", (*c)->name);
    printf("\";;\n    esac\n}\n");
}

static void put_bash(void)
{
    printf("# bash completion for ldsl: source it, or put it in the completions folder.\n");
    put_words_function();
    printf("_ldsl() {\n"
           "    local word=\"${COMP_WORDS[COMP_CWORD]}\" command=\"\"\n"
           "    [ \"$COMP_CWORD\" -gt 1 ] && command=\"${COMP_WORDS[1]}\"\n"
           "    COMPREPLY=($(compgen -W \"$(_ldsl_words \"$command\")\" -- \"$word\"))\n"
           "    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
           "}\n"
           "complete -o default -F _ldsl ldsl\n");
}

static void put_zsh(void)
{
    printf("#compdef ldsl\n# zsh completion for ldsl: save it as _ldsl in a folder of $fpath.\n");
    put_words_function();
    printf("_ldsl() {\n"
           "    local command=\"\"\n"
           "    (( CURRENT > 2 )) && command=\"$words[2]\"\n"
           "    local -a candidates=($(_ldsl_words \"$command\"))\n"
           "    compadd -S '' -- ${(M)candidates:#*=}\n"
           "    compadd -- ${candidates:#*=}\n"
           "    _files\n"
           "}\n"
           "if [ \"$funcstack[1]\" = _ldsl ]; then _ldsl \"$@\"; else compdef _ldsl ldsl; fi\n");
}

static int run(struct cli *cli, void *input)
{
    const struct options *o = input;
    if (!o->shell)
        return cli_usage(cli, "which shell: bash or zsh?");
    if (strcmp(o->shell, "bash") == 0)
        put_bash();
    else if (strcmp(o->shell, "zsh") == 0)
        put_zsh();
    else
        return cli_usage(cli, "there is completion for bash and zsh, not for '%s'", o->shell);
    return EXIT_DONE;
}

static const char *const words[] = {"bash", "zsh", NULL};

const struct command command_completion = {
    .name = "completion",
    .summary = "print a script that completes ldsl's command lines",
    .args = "bash|zsh",
    .doc = "The script completes commands, options and names of operators.",
    .example = "source <(ldsl completion bash)\n"
               "ldsl completion zsh > ~/.zfunc/_ldsl\n",
    .parse = parse,
    .options_bytes = sizeof(struct options),
    .run = run,
    .words = words,
};
