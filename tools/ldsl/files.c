#include "command.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int cannot(struct cli *cli, const char *what, const char *path)
{
    return cli_error(cli, "cannot %s %s: %s", what, path, strerror(errno));
}

char *read_file(struct cli *cli, const char *path, size_t *length)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rb");
    if (!file) {
        cannot(cli, "open", path);
        return NULL;
    }
    char *text = NULL;
    size_t capacity = 0, used = 0;
    errno = 0;
    do {
        capacity = capacity ? capacity * 2 : 1 << 16;
        char *grown = realloc(text, capacity + 1);
        if (!grown)
            break;
        text = grown;
        used += fread(text + used, 1, capacity - used, file);
    } while (used == capacity);
    bool failed = !text || used == capacity || ferror(file);
    if (failed) {
        cannot(cli, "read", path);
        free(text);
        text = NULL;
    } else {
        text[used] = '\0';
        *length = used;
    }
    if (!standard)
        fclose(file);
    return text;
}

/* What the path stands for: the file behind a symbolic link, or the path itself. */
static char *real_path(const char *path)
{
    char *real = realpath(path, NULL);
    return real ? real : strdup(path);
}

/* The mode that the file will have: its present one, or what the umask leaves. */
static mode_t wanted_mode(const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0)
        return status.st_mode & 07777;
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

/* A device or a pipe is written as it is: there is nothing to rename. */
static bool is_special(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

static bool open_temporary(struct output *out)
{
    size_t size = strlen(out->path) + sizeof ".tmp.XXXXXX";
    out->temporary = malloc(size);
    if (!out->temporary)
        return false;
    snprintf(out->temporary, size, "%s.tmp.XXXXXX", out->path);
    int file = mkstemp(out->temporary);
    if (file < 0) {
        out->temporary[0] = '\0'; /* there is nothing to remove */
        return false;
    }
    if (fchmod(file, wanted_mode(out->path)) == 0)
        out->file = fdopen(file, "wb");
    if (!out->file)
        close(file);
    return out->file != NULL;
}

bool output_open(struct cli *cli, struct output *out, const char *path)
{
    *out = (struct output){0};
    if (strcmp(path, "-") == 0) {
        out->file = stdout;
        return true;
    }
    out->path = real_path(path);
    bool ok = out->path;
    if (ok && is_special(out->path))
        ok = (out->file = fopen(out->path, "wb")) != NULL;
    else if (ok)
        ok = open_temporary(out);
    if (!ok) {
        cannot(cli, "write", path);
        output_abandon(out);
    }
    return ok;
}

bool output_commit(struct cli *cli, struct output *out)
{
    const char *name = out->path ? out->path : "standard output";
    bool written = !ferror(out->file) && fflush(out->file) == 0;
    if (out->path) {
        written = fclose(out->file) == 0 && written;
        out->file = NULL;
        if (written && out->temporary)
            written = rename(out->temporary, out->path) == 0;
    }
    if (!written)
        cannot(cli, "write", name);
    if (written && out->temporary)
        out->temporary[0] = '\0'; /* renamed: nothing to remove */
    output_abandon(out);
    return written;
}

void output_abandon(struct output *out)
{
    if (out->file && out->path)
        fclose(out->file);
    if (out->temporary && out->temporary[0])
        unlink(out->temporary);
    free(out->temporary);
    free(out->path);
    *out = (struct output){0};
}

bool write_file(struct cli *cli, const char *path, const void *data, size_t bytes)
{
    struct output out;
    if (!output_open(cli, &out, path))
        return false;
    fwrite(data, 1, bytes, out.file);
    return output_commit(cli, &out);
}
