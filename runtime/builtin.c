/* Finding embedded sources. A library of its own: the compiler looks imports up here too. */
#include "builtin.h"

#include <ldsl/ops.h>
#include <string.h>

const struct builtin_file *builtin_find(const char *path)
{
    if (strncmp(path, BUILTIN_ROOT, sizeof BUILTIN_ROOT - 1) == 0)
        path += sizeof BUILTIN_ROOT - 1;
    for (const struct builtin_file *file = builtin_files; file->path; file++)
        if (strcmp(file->path, path) == 0)
            return file;
    return NULL;
}

static const struct builtin_file *file_at(uint32_t i)
{
    const struct builtin_file *file = builtin_files;
    while (i && file->path) {
        file++;
        i--;
    }
    return file;
}

const char *ldsl_builtin_path(uint32_t i)
{
    return file_at(i)->path;
}

const char *ldsl_builtin_text(uint32_t i, size_t *length)
{
    const struct builtin_file *file = file_at(i);
    if (length)
        *length = file->length;
    return file->text;
}
