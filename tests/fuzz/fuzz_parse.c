/* Any bytes through the parser, the printer and the formatter: no crash, no hang, every span inside
 * the text, and a source that parses is formatted to the same tokens, once and for all. */
#include "syntax/syntax.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
    if (!ok)
        abort();
}

static void check_diag(void *user, const struct ldsl_diag *diag)
{
    size_t size = *(const size_t *)user;
    char text[512];
    ldsl_diag_format(diag, LDSL_DIAG_PLAIN, text, sizeof text);
    expect(diag->severity == LDSL_ERROR && diag->code != 0 && diag->text[0]);
    expect(diag->place.path && diag->place.line >= 1 && diag->place.line <= size + 1);
    expect(diag->place.column >= 1 && diag->place.column <= size + 1);
}

static void format_and_compare(struct session *s, uint32_t source, const char *tree)
{
    const char *once = syntax_format(s, source);
    expect(once != NULL);
    uint32_t second = source_add(s, "formatted", once, strlen(once));
    const struct ast_file *file = syntax_parse(s, second);
    expect(s->errors == 0 && strcmp(syntax_print(s, file), tree) == 0);
    const char *twice = syntax_format(s, second);
    expect(twice && strcmp(once, twice) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ldsl_sink sink = {check_diag, &size};
    struct session s;
    session_init(&s, &sink);
    if (setjmp(s.unwind.env) == 0) {
        uint32_t source = source_add(&s, "input", (const char *)data, size);
        const struct ast_file *file = syntax_parse(&s, source);
        const char *tree = syntax_print(&s, file);
        if (!s.errors)
            format_and_compare(&s, source, tree);
    } else {
        abort(); /* an internal error: there is memory enough */
    }
    session_destroy(&s);
    return 0;
}
