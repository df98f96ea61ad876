/* A set of texts. */
#ifndef RUNTIME_SEEN_H
#define RUNTIME_SEEN_H

#include <stdbool.h>
#include <stdint.h>

struct rt_seen {
    char **slots; /* open addressing; owned texts */
    uint32_t count, capacity;
};

/* False: out of memory. */
bool rt_seen_add(struct rt_seen *seen, const char *text, bool *is_new);
void rt_seen_clear(struct rt_seen *seen);

#endif
