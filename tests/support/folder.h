/* A folder of a test's own, made under the system's temporary folder and removed with all in it. */
#ifndef SUPPORT_FOLDER_H
#define SUPPORT_FOLDER_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_BYTES = 512 };

static inline bool folder_create(char path[FOLDER_BYTES])
{
    const char *parent = getenv("TMPDIR");
    snprintf(path, FOLDER_BYTES, "%s/ldsl-test-XXXXXX", parent && *parent ? parent : "/tmp");
    return mkdtemp(path) != NULL;
}

static inline void folder_remove(const char *path)
{
    DIR *stream = opendir(path);
    for (struct dirent *item = stream ? readdir(stream) : NULL; item; item = readdir(stream)) {
        char inner[4096];
        struct stat info;
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
            continue;
        if ((size_t)snprintf(inner, sizeof inner, "%s/%s", path, item->d_name) >= sizeof inner)
            continue;
        if (lstat(inner, &info) == 0 && S_ISDIR(info.st_mode))
            folder_remove(inner);
        else
            unlink(inner);
    }
    if (stream)
        closedir(stream);
    rmdir(path);
}

#endif
