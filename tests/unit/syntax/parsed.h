/* A session around one source, and what it was told. */
#ifndef UNIT_SYNTAX_PARSED_H
#define UNIT_SYNTAX_PARSED_H

#include "syntax/syntax.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct parsed {
    struct session s;
    struct ldsl_sink sink;
    char said[2048]; /* "line:column: text" of each diagnostic, a line each */
};

static inline void take_said(void *user, const struct ldsl_diag *d)
{
    char *said = ((struct parsed *)user)->said;
    size_t used = strlen(said);
    snprintf(said + used, sizeof((struct parsed *)user)->said - used, "%u:%u: %s\n", d->place.line,
             d->place.column, d->text);
}

static inline uint32_t open_source(struct parsed *p, const char *text)
{
    memset(p, 0, sizeof *p);
    p->sink = (struct ldsl_sink){take_said, p};
    session_init(&p->s, &p->sink);
    if (setjmp(p->s.unwind.env))
        fail_msg("the session unwound");
    return source_add(&p->s, "test.ldsl", text, strlen(text));
}

/* The tree of a text that must parse. */
static inline struct ast_file *parse_text(struct parsed *p, const char *text)
{
    struct ast_file *file = syntax_parse(&p->s, open_source(p, text));
    diag_flush(&p->s);
    assert_string_equal(p->said, "");
    return file;
}

#endif
