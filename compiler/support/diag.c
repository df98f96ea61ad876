/* The public face of diagnostics: names of statuses and dtypes, printing, explanations. */
#include "support/session.h"

#include <ldsl/dtype.h>
#include <stdio.h>
#include <string.h>

const char *ldsl_status_name(enum ldsl_status status)
{
    switch (status) {
#define X(name, text, meaning)                                                                     \
    case LDSL_##name: return text;
        LDSL_STATUS_LIST(X)
#undef X
    }
    return "unknown status";
}

static const struct {
    const char *name;
    unsigned bits;
} dtypes[LDSL_DTYPE_COUNT] = {
#define X(name, text, bits, kind) {text, bits},
    LDSL_DTYPE_LIST(X)
#undef X
};

const char *ldsl_dtype_name(enum ldsl_dtype dtype)
{
    return (unsigned)dtype < LDSL_DTYPE_COUNT ? dtypes[dtype].name : "unknown";
}

size_t ldsl_dtype_size(enum ldsl_dtype dtype)
{
    return (unsigned)dtype < LDSL_DTYPE_COUNT ? dtypes[dtype].bits / 8 : 0;
}

bool ldsl_dtype_parse(const char *text, enum ldsl_dtype *dtype)
{
    for (unsigned i = 0; i < LDSL_DTYPE_COUNT; i++)
        if (strcmp(dtypes[i].name, text) == 0) {
            *dtype = (enum ldsl_dtype)i;
            return true;
        }
    return false;
}

const char *ldsl_diag_explain(uint32_t code)
{
    switch (code) {
#define CODE(name, number, explanation)                                                            \
    case number:                                                                                   \
        return explanation;
#include "support/codes.def"
#undef CODE
    default: return NULL;
    }
}

const char *ldsl_nearest_name(const char *name, const char *const *candidates, uint32_t count)
{
    return nearest_name(name, candidates, count);
}

struct writer {
    char *buffer;
    size_t size, length;
};

static void put(struct writer *w, const char *text, size_t length)
{
    if (w->length < w->size) {
        size_t room = w->size - w->length;
        memcpy(w->buffer + w->length, text, length < room ? length : room);
    }
    w->length += length;
}

static void put_text(struct writer *w, const char *text)
{
    put(w, text, strlen(text));
}

static void put_number(struct writer *w, const char *format, unsigned number)
{
    char text[32];
    int length = snprintf(text, sizeof text, format, number);
    put(w, text, (size_t)length);
}

static const char *severity_color(enum ldsl_severity severity)
{
    switch (severity) {
    case LDSL_NOTE: return "\033[1;36m";
    case LDSL_REMARK: return "\033[1;34m";
    case LDSL_WARNING: return "\033[1;35m";
    case LDSL_ERROR: return "\033[1;31m";
    }
    return "";
}

static const char *severity_name(enum ldsl_severity severity)
{
    switch (severity) {
    case LDSL_NOTE: return "note";
    case LDSL_REMARK: return "remark";
    case LDSL_WARNING: return "warning";
    case LDSL_ERROR: return "error";
    }
    return "";
}

/* "  12 | let x = y;" and the carets below it; tabs are kept so that the carets line up. */
static void put_picture(struct writer *w, const struct ldsl_place *p, const char *on,
                        const char *off)
{
    if (!p->line_text)
        return;
    put_number(w, "%5u | ", p->line);
    put_text(w, p->line_text);
    put_text(w, "\n      | ");
    for (uint32_t i = 0; i + 1 < p->column && p->line_text[i]; i++)
        put_text(w, p->line_text[i] == '\t' ? "\t" : " ");
    put_text(w, on);
    for (uint32_t i = 0; i < p->length; i++)
        put_text(w, "^");
    put_text(w, off);
    put_text(w, "\n");
}

static void put_diag(struct writer *w, const struct ldsl_diag *d, enum ldsl_diag_style style)
{
    bool color = style == LDSL_DIAG_COLOR;
    const char *bold = color ? "\033[1m" : "", *off = color ? "\033[0m" : "";
    const char *on = color ? severity_color(d->severity) : "";
    if (d->place.path) {
        put_text(w, bold);
        put_text(w, d->place.path);
        put_number(w, ":%u", d->place.line);
        put_number(w, ":%u: ", d->place.column);
        put_text(w, off);
    }
    put_text(w, on);
    put_text(w, severity_name(d->severity));
    if (d->code)
        put_number(w, "[E%04u]", d->code);
    put_text(w, off);
    put_text(w, ": ");
    put_text(w, d->text);
    put_text(w, "\n");
    put_picture(w, &d->place, on, off);
    if (d->help) {
        put_text(w, "      = help: ");
        put_text(w, d->help);
        put_text(w, "\n");
    }
    for (uint32_t i = 0; i < d->note_count; i++)
        put_diag(w, &d->notes[i], style);
}

size_t ldsl_diag_format(const struct ldsl_diag *diag, enum ldsl_diag_style style, char *buffer,
                        size_t size)
{
    struct writer w = {.buffer = buffer, .size = size ? size - 1 : 0};
    put_diag(&w, diag, style);
    if (size)
        buffer[w.length < size - 1 ? w.length : size - 1] = '\0';
    return w.length;
}
