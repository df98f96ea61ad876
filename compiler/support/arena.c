#include "support/arena.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef LDSL_HOSTILE
#define CHUNK_BYTES ((size_t)0) /* every allocation its own malloc, so that ASan sees overruns */
static _Atomic uint64_t fail_countdown;
#else
#define CHUNK_BYTES ((size_t)64 * 1024)
#endif

struct arena_chunk {
    struct arena_chunk *older;
    size_t bytes;
    _Alignas(max_align_t) char data[];
};

void arena_fail_at(uint64_t allocation)
{
#ifdef LDSL_HOSTILE
    fail_countdown = allocation;
#else
    (void)allocation;
#endif
}

void arena_init(struct arena *a, struct unwind *unwind)
{
    *a = (struct arena){.unwind = unwind};
}

static void free_chunks(struct arena_chunk *chunk)
{
    while (chunk) {
        struct arena_chunk *older = chunk->older;
        free(chunk);
        chunk = older;
    }
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *keep = a->chunks;
    if (!keep)
        return;
    if (keep->bytes != CHUNK_BYTES || CHUNK_BYTES == 0) {
        arena_destroy(a);
        return;
    }
    free_chunks(keep->older);
    keep->older = NULL;
    a->next = keep->data;
    a->end = keep->data + keep->bytes;
}

void arena_destroy(struct arena *a)
{
    free_chunks(a->chunks);
    a->chunks = NULL;
    a->next = a->end = NULL;
}

static _Noreturn void out_of_memory(struct arena *a)
{
    a->unwind->status = LDSL_NOMEM;
    longjmp(a->unwind->env, 1);
}

static void add_chunk(struct arena *a, size_t bytes)
{
    size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    struct arena_chunk *chunk = NULL;
#ifdef LDSL_HOSTILE
    bool fail = fail_countdown && --fail_countdown == 0;
#else
    const int fail = 0;
#endif
    if (!fail && size <= SIZE_MAX - sizeof *chunk)
        chunk = malloc(sizeof *chunk + size);
    if (!chunk)
        out_of_memory(a);
    *chunk = (struct arena_chunk){.older = a->chunks, .bytes = size};
    a->chunks = chunk;
    a->next = chunk->data;
    a->end = chunk->data + size;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    const size_t unit = _Alignof(max_align_t);
    if (bytes > SIZE_MAX - unit)
        out_of_memory(a);
    bytes = (bytes + unit - 1) / unit * unit;
    if (!a->chunks || (size_t)(a->end - a->next) < bytes || CHUNK_BYTES == 0)
        add_chunk(a, bytes);
    void *p = a->next;
    a->next += bytes;
    return memset(p, 0, bytes);
}

void *arena_alloc_array(struct arena *a, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        out_of_memory(a);
    return arena_alloc(a, count * size);
}

char *arena_copy_text(struct arena *a, const char *text, size_t length)
{
    char *copy = arena_alloc_array(a, length + 1, 1);
    if (length)
        memcpy(copy, text, length);
    return copy;
}

char *arena_vprintf(struct arena *a, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *text = arena_alloc_array(a, (size_t)(length < 0 ? 0 : length) + 1, 1);
    if (length > 0)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(a, format, args);
    va_end(args);
    return text;
}
