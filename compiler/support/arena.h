/* Arenas: memory that is freed all at once.
 *
 * Everything compile-time lives in one of the two arenas of a session (support/session.h): the
 * module arena (AST, types, IR, texts) or the scratch arena (a pass's own sets, reset after it).
 * Nothing in an arena owns a file, a handle or a malloc. When memory runs out an arena jumps to
 * the unwind point it was given; it never returns NULL. */
#ifndef SUPPORT_ARENA_H
#define SUPPORT_ARENA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <ldsl/status.h>

/* Where to go when a compile cannot continue (out of memory, internal bug). One per compile. */
struct unwind {
    jmp_buf env;
    enum ldsl_status status; /* set before the jump */
};

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    char *next, *end;
    struct unwind *unwind;
};

void arena_init(struct arena *a, struct unwind *unwind);
void arena_reset(struct arena *a);   /* frees what was handed out, keeps the arena usable */
void arena_destroy(struct arena *a); /* safe to call twice */

/* Zeroed memory, aligned for any object. */
void *arena_alloc(struct arena *a, size_t bytes);
/* The same with count * size checked for overflow. */
void *arena_alloc_array(struct arena *a, size_t count, size_t size);

#define arena_new(a, type)          ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, count) ((type *)arena_alloc_array((a), (count), sizeof(type)))

char *arena_copy_text(struct arena *a, const char *text, size_t length); /* NUL terminated */
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Test hook (LDSL_HOSTILE builds): the allocation with this number fails; 0 turns it off. Counted
 * from the call, over all arenas of the process. A no-op in other builds. */
void arena_fail_at(uint64_t allocation);

#endif
