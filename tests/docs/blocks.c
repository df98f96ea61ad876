/* Compiles every ```ldsl block of the Markdown files named on the command line, each as a file of its
 * own, in all variants. A block stands at its own lines of the page, so a diagnostic points there. */
#include <ldsl/compile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_diag(void *user, const struct ldsl_diag *diag)
{
    char text[8192];
    (void)user;
    ldsl_diag_format(diag, LDSL_DIAG_PLAIN, text, sizeof text);
    fputs(text, stderr);
}

static char *read_page(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        return NULL;
    long size = ftell(file);
    char *text = size >= 0 ? malloc((size_t)size + 1) : NULL;
    rewind(file);
    *length = text ? fread(text, 1, (size_t)size, file) : 0;
    fclose(file);
    if (text)
        text[*length] = 0;
    return text;
}

/* The start of the line after p, or the end of the text. */
static char *next_line(char *p)
{
    char *end = strchr(p, '\n');
    return end ? end + 1 : p + strlen(p);
}

static bool line_is(const char *p, const char *text)
{
    size_t length = strlen(text);
    return strncmp(p, text, length) == 0 && (p[length] == '\n' || p[length] == 0);
}

/* Everything outside the block becomes blanks, line ends stay. */
static bool compile_block(const char *path, const char *page, const char *begin, const char *end)
{
    size_t length = (size_t)(end - page);
    char *text = malloc(length + 1);
    if (!text)
        return false;
    for (size_t i = 0; i < length; i++)
        text[i] = page + i >= begin || page[i] == '\n' ? page[i] : ' ';
    text[length] = 0;

    ldsl_source source = {path, text, length};
    ldsl_options options = LDSL_OPTIONS_INIT;
    options.emit = LDSL_EMIT_CHECK;
    struct ldsl_sink sink = {print_diag, NULL};
    ldsl_artifact *artifact = NULL;
    enum ldsl_status status = ldsl_compile(&artifact, &source, &options, &sink);
    ldsl_artifact_free(artifact);
    free(text);
    return status == LDSL_OK;
}

static bool check_page(const char *path)
{
    size_t length = 0;
    char *page = read_page(path, &length);
    if (!page) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return false;
    }
    unsigned blocks = 0, wrong = 0;
    for (char *p = page; *p; p = next_line(p)) {
        if (!line_is(p, "```ldsl"))
            continue;
        char *begin = next_line(p), *end = begin;
        while (*end && !line_is(end, "```"))
            end = next_line(end);
        blocks++;
        if (!compile_block(path, page, begin, end))
            wrong++;
        p = end;
    }
    printf("%s: %u blocks, %u do not compile\n", path, blocks, wrong);
    free(page);
    return blocks > 0 && wrong == 0;
}

int main(int argc, char **argv)
{
    bool good = argc > 1;
    for (int i = 1; i < argc; i++)
        good = check_page(argv[i]) && good;
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
