#include "support/session.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NOTES 8

struct pending_diag {
    struct ldsl_diag diag;
    struct ldsl_diag notes[MAX_NOTES];
    bool active;
    bool dropped; /* said before: its notes are dropped too */
};

struct reported {
    struct reported *next;
    struct span at;
    uint32_t code;
    const char *text;
};

struct undo {
    struct undo *older;
    void (*run)(void *object);
    void *object;
};

void session_init(struct session *s, const struct ldsl_sink *sink)
{
    *s = (struct session){.sink = sink};
    arena_init(&s->module, &s->unwind);
    arena_init(&s->scratch, &s->unwind);
}

void session_destroy(struct session *s)
{
    diag_flush(s);
    for (struct undo *u = s->undo; u; u = u->older)
        u->run(u->object);
    s->undo = NULL;
    arena_destroy(&s->scratch);
    arena_destroy(&s->module);
}

void session_on_end(struct session *s, void (*undo)(void *object), void *object)
{
    struct undo *u = arena_new(&s->module, struct undo);
    *u = (struct undo){s->undo, undo, object};
    s->undo = u;
}

/* Names: open addressing, FNV-1a. */

static uint32_t hash_text(const char *text, size_t length)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)text[i]) * 16777619u;
    return h;
}

static const char **find_slot(struct intern_table *t, const char *text, size_t length)
{
    uint32_t i = hash_text(text, length);
    for (;; i++) {
        const char **slot = &t->slots[i & (t->capacity - 1)];
        if (!*slot || (strncmp(*slot, text, length) == 0 && (*slot)[length] == '\0'))
            return slot;
    }
}

static void grow_names(struct session *s)
{
    struct intern_table old = s->names;
    s->names.capacity = old.capacity ? old.capacity * 2 : 256;
    s->names.slots = arena_array(&s->module, const char *, s->names.capacity);
    for (uint32_t i = 0; i < old.capacity; i++)
        if (old.slots[i])
            *find_slot(&s->names, old.slots[i], strlen(old.slots[i])) = old.slots[i];
}

const char *intern(struct session *s, const char *text, size_t length)
{
    if (s->names.count * 2 >= s->names.capacity)
        grow_names(s);
    const char **slot = find_slot(&s->names, text, length);
    if (!*slot) {
        *slot = arena_copy_text(&s->module, text, length);
        s->names.count++;
    }
    return *slot;
}

const char *intern_text(struct session *s, const char *text)
{
    return intern(s, text, strlen(text));
}

/* Sources. */

uint32_t source_add(struct session *s, const char *path, const char *text, size_t length)
{
    struct source *src = arena_new(&s->module, struct source);
    src->path = arena_copy_text(&s->module, path, strlen(path));
    src->text = arena_copy_text(&s->module, text, length);
    src->length = length;
    vec_push(&s->module, &s->sources, src);
    return s->sources.count;
}

struct source *source_get(struct session *s, uint32_t file)
{
    return file && file <= s->sources.count ? s->sources.data[file - 1] : NULL;
}

static void index_lines(struct session *s, struct source *src)
{
    vec_push(&s->module, &src->lines, 0);
    for (uint32_t i = 0; i < src->length; i++)
        if (src->text[i] == '\n')
            vec_push(&s->module, &src->lines, i + 1);
}

void source_locate(struct session *s, struct span at, uint32_t *line, uint32_t *column)
{
    struct source *src = source_get(s, at.file);
    *line = *column = 0;
    if (!src)
        return;
    if (!src->lines.count)
        index_lines(s, src);
    uint32_t low = 0, high = src->lines.count;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (src->lines.data[mid] <= at.begin)
            low = mid;
        else
            high = mid;
    }
    *line = low + 1;
    *column = at.begin - src->lines.data[low] + 1;
}

/* Diagnostics. */

static struct ldsl_place place_of(struct session *s, struct span at)
{
    struct source *src = source_get(s, at.file);
    struct ldsl_place place = {.length = 1};
    if (!src)
        return place;
    source_locate(s, at, &place.line, &place.column);
    uint32_t begin = src->lines.data[place.line - 1];
    uint32_t end = begin;
    while (end < src->length && src->text[end] != '\n')
        end++;
    place.path = src->path;
    if (src->shown_line != place.line) {
        src->shown_line = place.line;
        src->shown_text = arena_copy_text(&s->module, src->text + begin, end - begin);
    }
    place.line_text = src->shown_text;
    uint32_t stop = at.end < end ? at.end : end;
    place.length = stop > at.begin + 1 ? stop - at.begin : 1;
    return place;
}

static bool said_before(struct session *s, struct span at, uint32_t code, const char *text)
{
    for (struct reported *r = s->reported; r; r = r->next)
        if (r->at.file == at.file && r->at.begin == at.begin && r->at.end == at.end &&
            r->code == code && strcmp(r->text, text) == 0)
            return true;
    struct reported *r = arena_new(&s->module, struct reported);
    *r = (struct reported){.next = s->reported, .at = at, .code = code, .text = text};
    s->reported = r;
    return false;
}

void diag_flush(struct session *s)
{
    struct pending_diag *p = s->pending;
    if (!p || !p->active)
        return;
    p->active = false;
    if (!p->dropped && s->sink && s->sink->report)
        s->sink->report(s->sink->user, &p->diag);
}

static void begin_diag(struct session *s, enum ldsl_severity severity, struct span at,
                       enum diag_code code, const char *format, va_list args)
{
    diag_flush(s);
    if (!s->pending)
        s->pending = arena_new(&s->module, struct pending_diag);
    struct pending_diag *p = s->pending;
    const char *text = arena_vprintf(&s->module, format, args);
    *p = (struct pending_diag){.active = true};
    p->diag = (struct ldsl_diag){.severity = severity,
                                 .code = (uint32_t)code,
                                 .place = place_of(s, at),
                                 .text = text,
                                 .notes = p->notes};
    p->dropped = said_before(s, at, (uint32_t)code, text);
}

bool diag_error(struct session *s, struct span at, enum diag_code code, const char *format, ...)
{
    if (s->muted) {
        s->muted_errors++;
        return false;
    }
    va_list args;
    va_start(args, format);
    begin_diag(s, LDSL_ERROR, at, code, format, args);
    va_end(args);
    s->errors++;
    return false;
}

bool diag_warning(struct session *s, struct span at, enum diag_code code, const char *format, ...)
{
    if (s->muted)
        return false;
    va_list args;
    va_start(args, format);
    begin_diag(s, LDSL_WARNING, at, code, format, args);
    va_end(args);
    s->warnings++;
    return false;
}

bool diag_remark(struct session *s, struct span at, const char *format, ...)
{
    if (s->muted || !s->remarks)
        return false;
    va_list args;
    va_start(args, format);
    begin_diag(s, LDSL_REMARK, at, DIAG_NONE, format, args);
    va_end(args);
    return false;
}

bool diag_note(struct session *s, struct span at, const char *format, ...)
{
    struct pending_diag *p = s->pending;
    if (s->muted || !p || !p->active || p->diag.note_count == MAX_NOTES)
        return false;
    va_list args;
    va_start(args, format);
    p->notes[p->diag.note_count++] =
        (struct ldsl_diag){.severity = LDSL_NOTE,
                           .place = place_of(s, at),
                           .text = arena_vprintf(&s->module, format, args)};
    va_end(args);
    return false;
}

bool diag_help(struct session *s, const char *format, ...)
{
    struct pending_diag *p = s->pending;
    if (s->muted || !p || !p->active)
        return false;
    va_list args;
    va_start(args, format);
    p->diag.help = arena_vprintf(&s->module, format, args);
    va_end(args);
    return false;
}

_Noreturn void diag_bug(struct session *s, struct span at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(&s->module, format, args);
    va_end(args);
    s->muted = 0;
    diag_error(s, at, DIAG_NONE, "internal error: %s", text);
    diag_help(s, "this is a bug of the compiler; please report it with the source");
    diag_flush(s);
    s->unwind.status = LDSL_INTERNAL;
    longjmp(s->unwind.env, 1);
}

/* Names longer than this are never near. */
#define MAX_NAME 64

enum { COST_CASE = 1, COST_EDIT = 2 };

static bool same_letter(char a, char b)
{
    return a == b || (isalpha((unsigned char)a) && (a ^ b) == ('a' ^ 'A'));
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What it costs to make one name of the other: letters put in, left out, changed, or two neighbours
 * that changed places. A letter of the other case costs less. */
static uint32_t edit_cost(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    uint32_t rows[3][MAX_NAME + 1];
    if (n > MAX_NAME || m > MAX_NAME)
        return UINT32_MAX;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = COST_EDIT * (uint32_t)j;
    for (size_t i = 1; i <= n; i++) {
        uint32_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];
        row[0] = COST_EDIT * (uint32_t)i;
        for (size_t j = 1; j <= m; j++) {
            char x = a[i - 1], y = b[j - 1];
            uint32_t change = x == y ? 0 : same_letter(x, y) ? COST_CASE : COST_EDIT;
            row[j] = least(above[j - 1] + change, least(above[j], row[j - 1]) + COST_EDIT);
            if (i > 1 && j > 1 && x == b[j - 2] && a[i - 2] == y)
                row[j] = least(row[j], second[j - 2] + COST_EDIT);
        }
    }
    return rows[n % 3][m];
}

/* One edit for every three letters is near; something of a short name must be left. */
const char *nearest_name(const char *name, const char *const *candidates, uint32_t count)
{
    uint32_t length = (uint32_t)strlen(name);
    uint32_t best = least(COST_EDIT * ((length + 2) / 3) + 1, COST_EDIT * length);
    const char *found = NULL;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t cost = edit_cost(name, candidates[i]);
        if (cost && cost < best) {
            best = cost;
            found = candidates[i];
        }
    }
    return found;
}
