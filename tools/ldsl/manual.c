#include "manual.h"
#include "command.h"

#include <string.h>

/* Text with troff's specials escaped; a leading dot or quote would be a request. */
static void put_span(const char *text, size_t length)
{
    bool line_start = true;
    for (size_t i = 0; i < length; i++) {
        if (line_start && (text[i] == '.' || text[i] == '\''))
            fputs("\\&", stdout);
        if (text[i] == '\\')
            fputs("\\e", stdout);
        else if (text[i] == '-')
            fputs("\\-", stdout);
        else
            putchar(text[i]);
        line_start = text[i] == '\n';
    }
}

static void put_text(const char *text)
{
    put_span(text, strlen(text));
}

/* Paragraphs are separated by empty lines. */
static void put_paragraphs(const char *text)
{
    while (*text) {
        const char *end = strstr(text, "\n\n");
        size_t length = end ? (size_t)(end - text) : strlen(text);
        printf(".PP\n");
        put_span(text, length);
        putchar('\n');
        text += length + (end ? 2 : 0);
    }
}

static void put_example(const char *text)
{
    printf(".PP\nExamples:\n.PP\n.nf\n.RS 2\n");
    put_text(text);
    printf(".RE\n.fi\n");
}

static void put_options(const struct argp_option *option)
{
    for (; option && (option->name || option->key); option++) {
        if (option->flags & OPTION_HIDDEN || !option->name)
            continue;
        printf(".TP\n");
        if (option->key > ' ' && option->key < 127)
            printf("\\fB\\-%c\\fR, ", option->key);
        printf("\\fB\\-\\-");
        put_text(option->name);
        printf("\\fR");
        if (option->arg)
            printf("=\\fI%s\\fR", option->arg);
        putchar('\n');
        put_text(option->doc ? option->doc : "");
        putchar('\n');
    }
}

static void put_command(const struct command *command)
{
    printf(".SS ldsl %s \\- ", command->name);
    put_text(command->summary);
    putchar('\n');
    for (const char *form = command->args; form;) {
        size_t length = strcspn(form, "\n");
        printf(".PP\n\\fBldsl %s\\fR [\\fIOPTION\\fR...] ", command->name);
        put_span(form, length);
        putchar('\n');
        form = form[length] ? form + length + 1 : NULL;
    }
    put_paragraphs(command->doc);
    put_options(command->options);
    put_options(json_options[command->json]);
    put_example(command->example);
}

void print_manual(void)
{
    printf(".TH LDSL 1 \"\" \"ldsl " LDSL_VERSION "\" \"User commands\"\n"
           ".SH NAME\nldsl \\- compile, run, test and time fused kernels\n"
           ".SH SYNOPSIS\n\\fBldsl\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]\n"
           ".SH DESCRIPTION\n"
           "Works on operators written in the LDSL tile language: those of the built\\-in library, "
           "or those of a file.\n.SH COMMANDS\n");
    for (const struct command *const *c = commands; *c; c++)
        put_command(*c);
    printf(".SH OPTIONS OF EVERY COMMAND\n");
    put_options(common_options);
    printf(".SH OPTIONS OF COMMANDS THAT USE A DEVICE\n");
    put_options(device_option_list);
    printf(
        ".SH EXIT STATUS\n"
        ".TP\n0\nDone.\n"
        ".TP\n1\nThe input is wrong, or a test failed.\n"
        ".TP\n2\nThe command line is wrong.\n"
        ".TP\n3\nA device, a driver or the file system failed.\n"
        ".TP\n4\nAn internal error.\n"
        ".SH ENVIRONMENT\n"
        ".TP\nLDSL_CACHE\nFolder of the compile cache; default: ldsl in the user's cache folder.\n"
        ".TP\nLDSL_CACHE_SIZE\nIts size limit, such as 512M or 2G; default: 1G.\n"
        ".TP\nNO_COLOR\nIf set and not empty, no colours.\n");
}
