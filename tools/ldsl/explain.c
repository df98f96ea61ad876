/* ldsl explain: the long text behind an error code. */
#include "command.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { code_limit = 10000 };

struct options {
    const char *code;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    if (key != ARGP_KEY_ARG || o->code)
        return ARGP_ERR_UNKNOWN;
    o->code = arg;
    return 0;
}

/* The first sentence, on one line. */
static void put_sentence(const char *text)
{
    for (; *text && !(text[0] == '.' && (!text[1] || strchr(" \n", text[1]))); text++)
        putchar(*text == '\n' ? ' ' : *text);
    putchar('\n');
}

static void list_codes(void)
{
    for (uint32_t code = 1; code < code_limit; code++) {
        const char *text = ldsl_diag_explain(code);
        if (!text)
            continue;
        printf("E%04u  ", code);
        put_sentence(text);
    }
}

/* "E0123", "e123" or "123"; 0 if it is none. */
static uint32_t read_code(const char *text)
{
    if (*text == 'E' || *text == 'e')
        text++;
    char *end;
    unsigned long code = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;
    return code && !*end && code < code_limit ? (uint32_t)code : 0;
}

static int run(struct cli *cli, void *input)
{
    const struct options *o = input;
    if (!o->code) {
        list_codes();
        return EXIT_DONE;
    }
    uint32_t code = read_code(o->code);
    if (!code)
        return cli_usage(cli, "an error code looks like E0123, not like '%s'", o->code);
    const char *text = ldsl_diag_explain(code);
    if (!text)
        return cli_error_help(cli, "'ldsl explain' lists all codes", "there is no error E%04u",
                              code);
    printf("E%04u\n\n%s\n", code, text);
    return EXIT_DONE;
}

const struct command command_explain = {
    .name = "explain",
    .summary = "say what an error code means and what to do about it",
    .args = "[CODE]",
    .doc = "Errors print a stable code such as E0302. Without a CODE, lists all of them.",
    .example = "ldsl explain E0302\n",
    .parse = parse,
    .options_bytes = sizeof(struct options),
    .run = run,
};
