/* Diagnostics: what went wrong, where in the source, and what would help.
 *
 * Library code never prints. It hands each diagnostic to the caller's sink; the caller prints,
 * stores or counts it. A diagnostic and all it points to is valid only during the sink call. */
#ifndef LDSL_DIAG_H
#define LDSL_DIAG_H

#include <ldsl/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ldsl_severity { LDSL_NOTE, LDSL_REMARK, LDSL_WARNING, LDSL_ERROR };

/* A place in a source text. Lines and columns count from 1; columns count bytes.
 * path == NULL: there is no place (a run-time error, say). */
struct ldsl_place {
    const char *path;
    uint32_t line, column;
    uint32_t length;       /* bytes to underline on that line, at least 1 */
    const char *line_text; /* the source line, without its newline; NULL: not known (run time) */
};

struct ldsl_diag {
    enum ldsl_severity severity;
    uint32_t code; /* stable: 123 prints as E0123; 0: none */
    struct ldsl_place place;
    const char *text; /* one line, lower case, no full stop */
    const char *help; /* a suggestion, or NULL */
    const struct ldsl_diag *notes;
    uint32_t note_count;
};

/* A sink may be called from several threads at once, those of the compiler too, and with locks held:
 * it must not call the library, but for ldsl_diag_format. */
struct ldsl_sink {
    void (*report)(void *user, const struct ldsl_diag *diag);
    void *user;
};

enum ldsl_diag_style { LDSL_DIAG_PLAIN, LDSL_DIAG_COLOR };

/* Writes the printed form (several lines, with the source line and carets) to buffer, as snprintf
 * does: returns the length of the whole text, cut to size - 1 bytes. */
LDSL_API size_t ldsl_diag_format(const struct ldsl_diag *diag, enum ldsl_diag_style style,
                                 char *buffer, size_t size);

/* The long explanation of an error code ("ldsl explain E0123"), or NULL if there is none. */
LDSL_API const char *ldsl_diag_explain(uint32_t code);

/* The candidate nearest to a mistyped name, or NULL when none is near enough. */
LDSL_API const char *ldsl_nearest_name(const char *name, const char *const *candidates,
                                       uint32_t count);

#ifdef __cplusplus
}
#endif
#endif
