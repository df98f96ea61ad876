#include "seen.h"

#include "internal.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash_text(const char *text)
{
    uint32_t h = 2166136261u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    return h;
}

static char **find(char **slots, uint32_t capacity, const char *text)
{
    for (uint32_t i = hash_text(text);; i++) {
        char **slot = &slots[i & (capacity - 1)];
        if (!*slot || strcmp(*slot, text) == 0)
            return slot;
    }
}

static bool grow(struct rt_seen *seen)
{
    uint32_t capacity = seen->capacity ? seen->capacity * 2 : 256;
    char **slots = calloc(capacity, sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = 0; i < seen->capacity; i++)
        if (seen->slots[i])
            *find(slots, capacity, seen->slots[i]) = seen->slots[i];
    free(seen->slots);
    seen->slots = slots;
    seen->capacity = capacity;
    return true;
}

bool rt_seen_add(struct rt_seen *seen, const char *text, bool *is_new)
{
    *is_new = false;
    if (seen->count * 2 >= seen->capacity && !grow(seen))
        return false;
    char **slot = find(seen->slots, seen->capacity, text);
    if (*slot)
        return true;
    *slot = rt_copy_text(text);
    *is_new = *slot != NULL;
    seen->count += *is_new;
    return *is_new;
}

void rt_seen_clear(struct rt_seen *seen)
{
    for (uint32_t i = 0; i < seen->capacity; i++)
        free(seen->slots[i]);
    free(seen->slots);
    *seen = (struct rt_seen){0};
}
