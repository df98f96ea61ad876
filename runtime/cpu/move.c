/* Blocks too large for the caches are written past them: a plain store would first read the line it
 * is about to overwrite. */
#include "cpu/move.h"

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define BLOCK ((size_t)1 << 18) /* what a thread takes at a time */
#define STREAM                                                                                     \
    ((size_t)1 << 23) /* from this size on the destination will not be found in a cache */
#define LINE 64

struct move {
    char *to;
    const char *from; /* NULL: zeros */
    size_t bytes;
    bool stream;
};

#if defined(__SSE2__)
/* `to` is at a cache line; bytes is a multiple of a line. */
static void stream_lines(char *to, const char *from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += LINE) {
        __m128i a = _mm_setzero_si128(), b = a, c = a, d = a;
        if (from) {
            a = _mm_loadu_si128((const __m128i *)(const void *)(from + i));
            b = _mm_loadu_si128((const __m128i *)(const void *)(from + i + 16));
            c = _mm_loadu_si128((const __m128i *)(const void *)(from + i + 32));
            d = _mm_loadu_si128((const __m128i *)(const void *)(from + i + 48));
        }
        _mm_stream_si128((__m128i *)(void *)(to + i), a);
        _mm_stream_si128((__m128i *)(void *)(to + i + 16), b);
        _mm_stream_si128((__m128i *)(void *)(to + i + 32), c);
        _mm_stream_si128((__m128i *)(void *)(to + i + 48), d);
    }
    _mm_sfence();
}
#else
static void stream_lines(char *to, const char *from, size_t bytes)
{
    if (from)
        memcpy(to, from, bytes);
    else
        memset(to, 0, bytes);
}
#endif

static void move_plain(char *to, const char *from, size_t bytes)
{
    if (from)
        memcpy(to, from, bytes);
    else
        memset(to, 0, bytes);
}

static void move_stream(char *to, const char *from, size_t bytes)
{
    size_t head = (size_t)(-(uintptr_t)to & (LINE - 1));
    head = head < bytes ? head : bytes;
    size_t lines = (bytes - head) / LINE * LINE;
    move_plain(to, from, head);
    stream_lines(to + head, from ? from + head : NULL, lines);
    size_t done = head + lines;
    move_plain(to + done, from ? from + done : NULL, bytes - done);
}

static void move_blocks(void *user, int64_t first, int64_t last, void *scratch)
{
    const struct move *m = user;
    (void)scratch;
    size_t begin = (size_t)first * BLOCK, end = (size_t)last * BLOCK;
    end = end < m->bytes ? end : m->bytes;
    const char *from = m->from ? m->from + begin : NULL;
    if (m->stream)
        move_stream(m->to + begin, from, end - begin);
    else
        move_plain(m->to + begin, from, end - begin);
}

static void move(struct pool *p, char *to, const char *from, size_t bytes)
{
    struct move m = {to, from, bytes, bytes >= STREAM};
    pool_run(p, (int64_t)((bytes + BLOCK - 1) / BLOCK), 1, move_blocks, &m);
}

void move_copy(struct pool *p, void *to, const void *from, size_t bytes)
{
    move(p, to, from, bytes);
}

void move_zero(struct pool *p, void *to, size_t bytes)
{
    move(p, to, NULL, bytes);
}
