#include "mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool mapping_open(struct mapping *out, const char *path, struct tensor_error *error)
{
    *out = (struct mapping){0};
    bool ok = false;
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0) {
        tensor_fail(error, "cannot open %s: %s", path, strerror(errno));
        goto out;
    }
    if (!S_ISREG(status.st_mode)) {
        tensor_fail(error, "%s is not a regular file", path);
        goto out;
    }
    out->bytes = (size_t)status.st_size;
    if (out->bytes) {
        void *data = mmap(NULL, out->bytes, PROT_READ, MAP_PRIVATE, file, 0);
        if (data == MAP_FAILED) {
            tensor_fail(error, "cannot map %s: %s", path, strerror(errno));
            goto out;
        }
        out->data = data;
    }
    ok = true;
out:
    if (file >= 0)
        close(file);
    return ok;
}

void mapping_close(struct mapping *m)
{
    if (m->data)
        munmap(m->data, m->bytes);
    *m = (struct mapping){0};
}
