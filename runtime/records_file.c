/* Files of tuning records: reading, and writing so that nobody's records are lost.
 *
 * A writer holds a lock on the file it replaces, from before it reads it until it has renamed the new
 * one to its place. The lock is on the file itself, not on one beside it: whoever gets it looks
 * whether the name still means that file, and if not, begins again with the new one. It is flock's,
 * which unlike POSIX's keeps threads of one process apart too. */
#include "records.h"
#include "schedule.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 256 << 20, MAX_LOCK_ATTEMPTS = 1000, PATH_BYTES = 4096 };

static const char first_line[] =
    "# LDSL tuning records, version 1 (docs/tuning.md); one a line, sorted: operator | kernel | "
    "variant "
    "| key | shape | device | target | hash | settings | microseconds\n";
static const char first_words[] = "# LDSL tuning records, version ";

/* ---- reading ------------------------------------------------------------------------------------ */

static bool is_other_version(const char *text, size_t length)
{
    size_t words = sizeof first_words - 1;
    return length > words + 1 && memcmp(text, first_words, words) == 0 &&
           (text[words] != '1' || (text[words + 1] >= '0' && text[words + 1] <= '9'));
}

static enum ldsl_status read_lines(struct ldsl_records *records, const char *path, const char *text,
                                   size_t length, const struct ldsl_sink *sink)
{
    uint32_t number = 0, wrong = 0, first_wrong = 0;
    for (const char *line = text, *end = text + length; line < end; number++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t bytes = (size_t)((stop ? stop : end) - line);
        struct record r;
        bool no_memory;
        if (bytes && line[bytes - 1] == '\r')
            bytes--;
        if (bytes && *line != '#') {
            bool good = record_parse(&r, line, bytes, &no_memory);
            if (good ? !records_add(records, &r, false) : no_memory)
                return rt_nomem(sink);
            if (!good && !wrong++)
                first_wrong = number + 1;
        }
        line = stop ? stop + 1 : end;
    }
    if (wrong)
        rt_warning(sink, "%s:%u: no tuning record; %u such line%s left out", path, first_wrong,
                   wrong, wrong == 1 ? " is" : "s are");
    return LDSL_OK;
}

enum ldsl_status ldsl_records_read_text(ldsl_records *records, const char *path, const char *text,
                                        size_t length, const struct ldsl_sink *sink)
{
    if (!records || !path || (!text && length))
        return rt_error(sink, LDSL_ARGUMENT, "reading records needs a set, a name and a text");
    if (is_other_version(text, length)) {
        rt_warning(sink, "%s: tuning records of another version of ldsl; they are left out", path);
        return LDSL_OK;
    }
    return read_lines(records, path, text, length, sink);
}

/* replacing: what is not understood must not be lost. */
static enum ldsl_status read_open(struct ldsl_records *records, int fd, const char *path,
                                  bool replacing, const struct ldsl_sink *sink)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return rt_error(sink, LDSL_DEVICE, "cannot read '%s': %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode)) /* /dev/null: no records */
        return LDSL_OK;
    if (info.st_size > MAX_FILE_BYTES)
        return rt_error(sink, LDSL_ARGUMENT, "'%s' is too large for tuning records", path);
    size_t bytes = (size_t)info.st_size, got = 0;
    char *text = malloc(bytes + 1);
    enum ldsl_status status = text ? LDSL_OK : rt_nomem(sink);
    while (!status && got < bytes) {
        ssize_t n = read(fd, text + got, bytes - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = rt_error(sink, LDSL_DEVICE, "cannot read '%s': %s", path, strerror(errno));
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    if (!status && replacing && is_other_version(text, got))
        status = rt_error(sink, LDSL_UNSUPPORTED,
                          "'%s' has tuning records of another version of ldsl; they are kept, and "
                          "none are added",
                          path);
    if (!status)
        status = ldsl_records_read_text(records, path, text, got, sink);
    free(text);
    return status;
}

enum ldsl_status ldsl_records_read(ldsl_records *records, const char *path,
                                   const struct ldsl_sink *sink)
{
    if (!records || !path)
        return rt_error(sink, LDSL_ARGUMENT, "reading records needs a set and a path");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return LDSL_OK;
    if (fd < 0)
        return rt_error(sink, LDSL_DEVICE, "cannot open '%s': %s", path, strerror(errno));
    enum ldsl_status status = read_open(records, fd, path, false, sink);
    close(fd);
    return status;
}

/* ---- writing ------------------------------------------------------------------------------------ */

static void make_folders(const char *path)
{
    char folder[PATH_BYTES];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *c = folder + 1; *c; c++)
        if (*c == '/') {
            *c = '\0';
            (void)mkdir(folder, 0777); /* opening the file tells what failed */
            *c = '/';
        }
}

/* The file, locked, and still the one of that name; -1 with errno. What is no file (/dev/null) is not
 * locked. */
static int open_locked(const char *path)
{
    for (int attempt = 0; attempt < MAX_LOCK_ATTEMPTS; attempt++) {
        struct stat ours, theirs;
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0)
            return -1;
        if (fstat(fd, &ours) == 0 && !S_ISREG(ours.st_mode))
            return fd;
        int locked;
        while ((locked = flock(fd, LOCK_EX)) != 0 && errno == EINTR) {
        }
        if (locked != 0) { /* a file system without locks */
            int error = errno;
            close(fd);
            errno = error;
            return -1;
        }
        if (fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
            ours.st_dev == theirs.st_dev)
            return fd;
        close(fd); /* replaced while we waited */
    }
    errno = EBUSY;
    return -1;
}

static bool print_all(const struct ldsl_records *records, struct rt_text *out)
{
    rt_text_add(out, "%s", first_line);
    for (uint32_t i = 0; i < records->count; i++) {
        record_print(&records->list[i], out);
        rt_text_add(out, "\n");
    }
    return !out->failed;
}

static int write_all(int fd, const char *from, size_t bytes)
{
    while (bytes) {
        ssize_t put = write(fd, from, bytes);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? errno : EIO;
        from += put;
        bytes -= (size_t)put;
    }
    return 0;
}

/* A new file beside the old one, then in its place. 0, or errno. */
static int replace_file(const char *path, int old, const char *text, size_t bytes)
{
    char temporary[PATH_BYTES];
    struct stat info;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int length =
        snprintf(temporary, sizeof temporary, "%s.%ld-%ld", path, (long)getpid(), now.tv_nsec);
    if (length < 0 || (size_t)length >= sizeof temporary)
        return ENAMETOOLONG;
    mode_t mode = fstat(old, &info) == 0 ? info.st_mode & 0777 : 0666;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return errno;
    int error = write_all(fd, text, bytes);
    if (!error && fsync(fd) != 0 && errno != EINVAL)
        error = errno;
    if (close(fd) != 0 && !error)
        error = errno;
    if (!error && rename(temporary, path) != 0)
        error = errno;
    if (error)
        unlink(temporary);
    return error;
}

/* What the file has, and what was put. */
static enum ldsl_status merge(struct ldsl_records *all, const struct ldsl_records *records, int fd,
                              const char *path, const struct ldsl_sink *sink)
{
    enum ldsl_status status = read_open(all, fd, path, true, sink);
    for (uint32_t i = 0; !status && i < records->count; i++) {
        ldsl_record record;
        struct record copy;
        if (!records->list[i].fresh)
            continue;
        record_get(&records->list[i], &record);
        if (!record_create(&copy, &record) || !records_add(all, &copy, true))
            status = rt_nomem(sink);
    }
    return status;
}

static enum ldsl_status save_locked(struct ldsl_records *records, int fd, const char *path,
                                    const struct ldsl_sink *sink)
{
    struct ldsl_records all = {0};
    struct rt_text text = {0};
    enum ldsl_status status = merge(&all, records, fd, path, sink);
    if (!status && !print_all(&all, &text))
        status = rt_nomem(sink);
    int error = status ? 0 : replace_file(path, fd, text.data, text.length);
    if (error)
        status = rt_error(sink, LDSL_DEVICE, "cannot write '%s': %s", path, strerror(error));
    free(text.data);
    records_clear(&all);
    for (uint32_t i = 0; !status && i < records->count; i++)
        records->list[i].fresh = false;
    return status;
}

enum ldsl_status ldsl_records_save(ldsl_records *records, const char *path,
                                   const struct ldsl_sink *sink)
{
    if (!records || !path || !*path)
        return rt_error(sink, LDSL_ARGUMENT, "saving records needs a set and a path");
    int fd = open_locked(path);
    if (fd < 0 && errno == ENOENT) {
        make_folders(path);
        fd = open_locked(path);
    }
    if (fd < 0)
        return rt_error(sink, LDSL_DEVICE, "cannot write '%s': %s", path, strerror(errno));
    char *real = realpath(path, NULL); /* a link stays one */
    struct stat info;
    enum ldsl_status status = LDSL_OK;
    if (!real)
        status = rt_error(sink, LDSL_DEVICE, "cannot write '%s': %s", path, strerror(errno));
    else if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) /* /dev/null: nowhere */
        status = save_locked(records, fd, real, sink);
    free(real);
    close(fd); /* ends the lock */
    return status;
}

/* ---- where they are ----------------------------------------------------------------------------- */

size_t ldsl_records_path(char *buffer, size_t size)
{
    const char *own = getenv("LDSL_RECORDS"), *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    int length = 0;
    if (size)
        *buffer = '\0';
    if (own && *own)
        length = strcmp(own, "none") == 0 ? 0 : snprintf(buffer, size, "%s", own);
    else if (data && *data == '/')
        length = snprintf(buffer, size, "%s/ldsl/tuned.records", data);
    else if (home && *home)
        length = snprintf(buffer, size, "%s/.local/share/ldsl/tuned.records", home);
    return length < 0 ? 0 : (size_t)length;
}

const char *ldsl_builtin_records(size_t *length)
{
    const char *text = rt_edition.records ? rt_edition.records : "";
    if (length)
        *length = strlen(text);
    return text;
}
