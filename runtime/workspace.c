/* Placing scratch tensors: intervals in time, intervals in memory. */
#include "plan.h"

#include <stdlib.h>

enum { ALIGNMENT = 256 };

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* A step may begin while the one before it still runs. */
static bool alive_together(const struct rt_scratch *a, const struct rt_scratch *b)
{
    return a->first <= b->last + 1 && b->first <= a->last + 1;
}

static int larger_first(const void *a, const void *b)
{
    const struct rt_scratch *x = *(struct rt_scratch *const *)a,
                            *y = *(struct rt_scratch *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return x < y ? -1 : x > y; /* the same order in every run */
}

/* The lowest offset at which `s` meets none of the placed ones that live when it does. `placed` is
 * ordered by offset. */
static uint64_t find_offset(const struct rt_scratch *s, struct rt_scratch *const *placed,
                            uint32_t count)
{
    uint64_t offset = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct rt_scratch *other = placed[i];
        if (!alive_together(s, other) || other->offset + other->bytes <= offset)
            continue;
        if (other->offset >= offset + s->bytes)
            break;
        offset = round_up(other->offset + other->bytes);
    }
    return offset;
}

static void insert_by_offset(struct rt_scratch **placed, uint32_t count, struct rt_scratch *s)
{
    uint32_t i = count;
    for (; i > 0 && placed[i - 1]->offset > s->offset; i--)
        placed[i] = placed[i - 1];
    placed[i] = s;
}

enum ldsl_status rt_workspace_place(struct rt_scratch *scratches, uint32_t count, uint64_t *bytes,
                                    const struct ldsl_sink *sink)
{
    *bytes = 0;
    struct rt_scratch **order = calloc(count ? 2 * (size_t)count : 1, sizeof(struct rt_scratch *));
    if (!order)
        return rt_nomem(sink);
    struct rt_scratch **placed = order + count;
    uint32_t used = 0, placed_count = 0;
    for (uint32_t i = 0; i < count; i++)
        if (scratches[i].bytes && scratches[i].first <= scratches[i].last)
            order[used++] = &scratches[i];
    qsort(order, used, sizeof(struct rt_scratch *), larger_first);
    for (uint32_t i = 0; i < used; i++) {
        struct rt_scratch *s = order[i];
        s->offset = find_offset(s, placed, placed_count);
        insert_by_offset(placed, placed_count++, s);
        if (round_up(s->offset + s->bytes) > *bytes)
            *bytes = round_up(s->offset + s->bytes);
    }
    free(order);
    return LDSL_OK;
}
