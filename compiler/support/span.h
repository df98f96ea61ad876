/* Spans: which bytes of which source a thing came from. Carried by tokens, AST nodes and IR. */
#ifndef SUPPORT_SPAN_H
#define SUPPORT_SPAN_H

#include <stdint.h>

struct span {
    uint32_t file;       /* 1-based index into the session's sources; 0: nowhere */
    uint32_t begin, end; /* byte offsets, half open */
};

static inline struct span span_join(struct span first, struct span last)
{
    if (!first.file)
        return last;
    if (first.file == last.file && last.end > first.end)
        first.end = last.end;
    return first;
}

#endif
