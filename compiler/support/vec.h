/* Growable arrays in an arena: VEC(struct expr *) args = {0}; vec_push(arena, &args, e); */
#ifndef SUPPORT_VEC_H
#define SUPPORT_VEC_H

#include "support/arena.h"

#include <string.h>

#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *data;                                                                                \
        uint32_t count, capacity;                                                                  \
    }

#define vec_push(a, v, ...)                                                                        \
    do {                                                                                           \
        if ((v)->count == (v)->capacity)                                                           \
            (v)->data = vec_grow((a), (v)->data, sizeof *(v)->data, (v)->count, &(v)->capacity);   \
        (v)->data[(v)->count++] = __VA_ARGS__;                                                     \
    } while (0)

#define vec_last(v) ((v)->data[(v)->count - 1])

static inline void *vec_grow(struct arena *a, void *data, size_t size, uint32_t count,
                             uint32_t *capacity)
{
    *capacity = *capacity ? *capacity * 2 : 8;
    void *grown = arena_alloc_array(a, *capacity, size);
    if (count)
        memcpy(grown, data, count * size);
    return grown;
}

#endif
