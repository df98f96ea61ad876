#include "attempts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct attempt *attempts_find(const struct attempts *a, const char *with)
{
    for (unsigned i = 0; i < a->count; i++)
        if (strcmp(a->list[i].with, with) == 0)
            return &a->list[i];
    return NULL;
}

struct attempt *attempts_add(struct attempts *a, const char *with)
{
    struct attempt *list = realloc(a->list, (a->count + 1) * sizeof *list);
    char *copy = strdup(with);
    if (list)
        a->list = list;
    if (!list || !copy) {
        free(copy);
        return NULL;
    }
    list[a->count] = (struct attempt){.with = copy, .seconds = INFINITY};
    return &list[a->count++];
}

void attempts_forget(struct attempts *a)
{
    for (unsigned i = 0; i < a->count; i++)
        free(a->list[i].with);
    free(a->list);
    *a = (struct attempts){0};
}

struct attempt *attempts_best(const struct attempts *a)
{
    struct attempt *best = NULL;
    for (unsigned i = 0; i < a->count; i++)
        if (a->list[i].seconds < (best ? best->seconds : INFINITY))
            best = &a->list[i];
    return best;
}

double attempts_known_time(const struct attempts *a, const struct attempt *attempt)
{
    for (unsigned i = 0; i < a->count && *attempt->code; i++) {
        const struct attempt *other = &a->list[i];
        if (other != attempt && strcmp(other->code, attempt->code) == 0 &&
            other->seconds < INFINITY)
            return other->seconds;
    }
    return 0;
}
