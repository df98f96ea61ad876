/* One compile's world: arenas, interned names, sources, diagnostics.
 *
 * A session belongs to one thread. The driver makes it, sets the one unwind point, and destroys it;
 * everything allocated through it dies then. */
#ifndef SUPPORT_SESSION_H
#define SUPPORT_SESSION_H

#include "support/arena.h"
#include "support/span.h"
#include "support/vec.h"

#include <ldsl/diag.h>
#include <stdbool.h>

struct source {
    const char *path; /* as shown to the user */
    const char *text; /* NUL terminated */
    size_t length;
    VEC(uint32_t) lines; /* offset of each line's first byte; filled on first use */
    uint32_t shown_line; /* the line a diagnostic showed last, and its text */
    const char *shown_text;
};

struct intern_table {
    const char **slots;
    uint32_t count, capacity;
};

struct session {
    struct unwind unwind;
    struct arena module, scratch;
    struct intern_table names;
    VEC(struct source *) sources;
    const struct ldsl_sink *sink;
    uint32_t errors, warnings;
    bool remarks;   /* report LDSL_REMARK diagnostics too */
    uint32_t muted; /* > 0: diagnostics are counted in muted_errors and dropped */
    uint32_t muted_errors;
    struct pending_diag *pending; /* the diagnostic that notes still attach to */
    struct reported *reported;    /* what was said: nothing is said twice */
    struct undo *undo;            /* what session_on_end was given, newest first */
};

void session_init(struct session *s, const struct ldsl_sink *sink);
void session_destroy(struct session *s); /* flushes the last diagnostic */

/* Calls undo(object) when the session is destroyed, newest first, however the compile ended: for
 * the few things an arena cannot own (LLVM's). Register a zeroed record, then fill it, so that an
 * unwind in between loses nothing. */
void session_on_end(struct session *s, void (*undo)(void *object), void *object);

/* The one copy of a name: equal names are equal pointers. */
const char *intern(struct session *s, const char *text, size_t length);
const char *intern_text(struct session *s, const char *text);

/* Adds a source (text is copied) and returns its number for struct span.file. */
uint32_t source_add(struct session *s, const char *path, const char *text, size_t length);
struct source *source_get(struct session *s, uint32_t file);
/* Line and column, both from 1, of a byte offset. */
void source_locate(struct session *s, struct span at, uint32_t *line, uint32_t *column);

/* The error codes: see support/codes.def. */
enum diag_code {
    DIAG_NONE,
#define CODE(name, number, explanation) DIAG_##name = number,
#include "support/codes.def"
#undef CODE
};

/* Reports. Text: lower case, one line, what was found and what was wanted, in the user's words.
 * Notes and help attach to the diagnostic reported last. A report equal to an earlier one (same
 * place, code and text) is dropped with its notes. All return false, so that a checker can
 * `return diag_error(...)`. */
bool diag_error(struct session *s, struct span at, enum diag_code code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool diag_warning(struct session *s, struct span at, enum diag_code code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool diag_remark(struct session *s, struct span at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool diag_note(struct session *s, struct span at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool diag_help(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void diag_flush(struct session *s);

/* An impossible state: reports "internal error" at the span and unwinds to the driver. */
_Noreturn void diag_bug(struct session *s, struct span at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The candidate nearest to name (for "did you mean"), or NULL when none is near enough. */
const char *nearest_name(const char *name, const char *const *candidates, uint32_t count);

#endif
