#include "words.h"

#include <errno.h>
#include <stdlib.h>

int words_add(struct words *w, const char *word)
{
    const char **data = realloc(w->data, (w->count + 1) * sizeof *data);
    if (!data)
        return ENOMEM;
    w->data = data;
    w->data[w->count++] = word;
    return 0;
}

void words_free(struct words *w)
{
    free(w->data);
    *w = (struct words){0};
}
