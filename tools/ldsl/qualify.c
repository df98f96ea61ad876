#include "qualify.h"

#include <stdio.h>
#include <string.h>

char *qualify(const char *fixed, const char *kernel, const char *settings)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fputs(fixed, out);
    for (const char *s = settings; *s;) {
        int length = (int)strcspn(s, ",");
        fprintf(out, "%s%s.%.*s", s == settings && !*fixed ? "" : ",", kernel, length, s);
        s += length;
        s += *s == ',';
    }
    return fclose(out) == 0 ? text : NULL;
}
