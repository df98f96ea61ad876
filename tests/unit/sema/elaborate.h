/* What the sema tests share: a session, source text to IR text, and what was reported. */
#ifndef TESTS_ELABORATE_H
#define TESTS_ELABORATE_H

#include "sema/sema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

struct front {
    struct session s;
    struct sema_module *m;
    char messages[8192]; /* every diagnostic's text, a line each */
};

static inline void front_report(void *user, const struct ldsl_diag *d)
{
    struct front *f = user;
    size_t used = strlen(f->messages);
    snprintf(f->messages + used, sizeof f->messages - used, "%u: %s\n", d->place.line, d->text);
}

/* Loads a source without imports. The session must be destroyed with front_end. */
static inline void front_begin(struct front *f, const char *text)
{
    static struct ldsl_sink sink;
    sink = (struct ldsl_sink){front_report, f};
    f->messages[0] = '\0';
    session_init(&f->s, &sink);
    if (setjmp(f->s.unwind.env))
        fail_msg("the front end gave up: %s", f->messages);
    f->m = sema_load(&f->s, source_add(&f->s, "test.ldsl", text, strlen(text)), NULL);
}

static inline void front_end(struct front *f)
{
    session_destroy(&f->s);
}

/* The IR of the kernel k with these bindings; fails the test on any report. */
static inline const char *ir_of(struct front *f, const char *bindings)
{
    struct bindings b;
    struct ir_func *func = NULL;
    if (!f->s.errors &&
        sema_parse_bindings(f->m, "k", bindings, &(struct sema_device){0}, &b, NULL))
        func = sema_elaborate(f->m, "k", &b);
    diag_flush(&f->s);
    if (!func)
        fail_msg("no IR: %s", f->messages);
    return ir_print(&f->s, func);
}

static inline void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

static inline void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("\"%s\" is in:\n%s", part, text);
}

#endif
