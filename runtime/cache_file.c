/* The files of the compile cache: names, format, folder. See cache.h for the picture. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ldsl/cache.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FORMAT_VERSION = 1, MAX_FILE_BYTES = 1 << 30 };

static const char magic[8] = {'L', 'D', 'S', 'L', 'C', '\r', '\n', '\0'};

struct header {
    char magic[8];
    uint32_t version;
    uint32_t why_bytes;
    uint64_t data_bytes;
    unsigned char key[16];
    unsigned char checksum[16];
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static bool key_bytes(unsigned char bytes[16], const char *text)
{
    for (int i = 0; i < 16; i++) {
        int high = hex_digit(text[2 * i]);
        int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static void checksum_of(unsigned char out[16], const void *block, size_t bytes)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(block, bytes));
    memcpy(out, canonical.digest, 16);
}

void cache_file_name(char name[CACHE_NAME_BYTES], const struct rt_cache_key *key)
{
    memcpy(name, key->text, 32);
    memcpy(name + 32, CACHE_SUFFIX, sizeof CACHE_SUFFIX);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

/* NULL, or what is wrong with the block. The checksum field is zeroed in place. */
static const char *check_block(struct cache_entry *entry, char *block, size_t bytes,
                               const struct rt_cache_key *key)
{
    struct header header;
    if (bytes < sizeof header)
        return "it is shorter than a header";
    memcpy(&header, block, sizeof header);
    if (memcmp(header.magic, magic, sizeof magic) != 0)
        return "it is not a cache entry";
    if (header.version != FORMAT_VERSION)
        return "it has another format version";
    size_t rest = bytes - sizeof header;
    if (header.why_bytes > rest || header.data_bytes != rest - header.why_bytes)
        return "its length is not what its header says";

    memset(block + offsetof(struct header, checksum), 0, sizeof header.checksum);
    unsigned char checksum[16], wanted[16];
    checksum_of(checksum, block, bytes);
    if (memcmp(checksum, header.checksum, sizeof checksum) != 0)
        return "its checksum does not match";
    if (!key_bytes(wanted, key->text) || memcmp(wanted, header.key, sizeof wanted) != 0)
        return "it holds another key";

    *entry = (struct cache_entry){
        .block = block,
        .why = block + sizeof header,
        .why_bytes = header.why_bytes,
        .data = block + sizeof header + header.why_bytes,
        .data_bytes = (size_t)header.data_bytes,
    };
    return NULL;
}

static bool read_all(int fd, char *to, size_t bytes)
{
    while (bytes) {
        ssize_t got = read(fd, to, bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        bytes -= (size_t)got;
    }
    return true;
}

static enum cache_verdict read_file(struct cache_entry *entry, int fd,
                                    const struct rt_cache_key *key, const char **problem)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        *problem = strerror(errno);
        return CACHE_MISSING;
    }
    if (!S_ISREG(info.st_mode) || info.st_size > MAX_FILE_BYTES) {
        *problem = "it is not a file of a plausible size";
        return CACHE_DAMAGED;
    }
    size_t bytes = (size_t)info.st_size;
    char *block = malloc(bytes ? bytes : 1);
    if (!block) {
        *problem = "out of memory";
        return CACHE_MISSING;
    }
    *problem = read_all(fd, block, bytes) ? check_block(entry, block, bytes, key)
                                          : "it cannot be read to its end";
    if (*problem) {
        free(block);
        return CACHE_DAMAGED;
    }
    entry->used = info.st_mtim.tv_sec;
    return CACHE_SOUND;
}

enum cache_verdict cache_entry_read(struct cache_entry *entry, int folder,
                                    const struct rt_cache_key *key, const char **problem)
{
    char name[CACHE_NAME_BYTES];
    cache_file_name(name, key);
    *problem = NULL;
    /* O_NONBLOCK: a fifo of that name must not make us wait. */
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        if (errno == ELOOP || errno == ENXIO) {
            *problem = "it is not a file";
            return CACHE_DAMAGED;
        }
        if (errno != ENOENT)
            *problem = strerror(errno);
        return CACHE_MISSING;
    }
    enum cache_verdict verdict = read_file(entry, fd, key, problem);
    close(fd);
    return verdict;
}

void cache_entry_touch(int folder, const struct rt_cache_key *key)
{
    char name[CACHE_NAME_BYTES];
    cache_file_name(name, key);
    (void)utimensat(folder, name, NULL, AT_SYMLINK_NOFOLLOW); /* a read-only cache is fine */
}

void cache_entry_free(struct cache_entry *entry)
{
    free(entry->block);
    *entry = (struct cache_entry){0};
}

/* ---- writing -----------------------------------------------------------------------------------
 */

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

/* A new file that nobody else writes. -1 with errno set. */
static int create_temporary(char name[64], int folder)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        snprintf(name, 64, CACHE_TEMPORARY "%ld-%lld-%09ld-%d", (long)getpid(),
                 (long long)now.tv_sec, now.tv_nsec, attempt);
        int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    errno = EEXIST;
    return -1;
}

static int write_block(int folder, const char *name, const char *block, size_t bytes)
{
    char temporary[64];
    int fd = create_temporary(temporary, folder);
    if (fd < 0)
        return errno;
    int error = write_all(fd, block, bytes);
    if (close(fd) != 0 && !error)
        error = errno;
    if (!error && renameat(folder, temporary, folder, name) != 0)
        error = errno == ENOENT ? 0 : errno; /* somebody cleared the cache meanwhile */
    if (error)
        (void)unlinkat(folder, temporary, 0);
    return error;
}

int cache_entry_write(uint64_t *bytes, int folder, const struct rt_cache_key *key, const char *why,
                      const void *data, size_t data_bytes)
{
    size_t why_bytes = strlen(why);
    if (why_bytes > MAX_FILE_BYTES / 2 || data_bytes > MAX_FILE_BYTES / 2)
        return EFBIG;
    size_t total = sizeof(struct header) + why_bytes + data_bytes;
    char *block = malloc(total);
    if (!block)
        return ENOMEM;
    struct header header = {
        .version = FORMAT_VERSION,
        .why_bytes = (uint32_t)why_bytes,
        .data_bytes = data_bytes,
    };
    memcpy(header.magic, magic, sizeof magic);
    key_bytes(header.key, key->text);
    memcpy(block, &header, sizeof header);
    memcpy(block + sizeof header, why, why_bytes);
    memcpy(block + sizeof header + why_bytes, data, data_bytes);
    checksum_of((unsigned char *)block + offsetof(struct header, checksum), block, total);

    char name[CACHE_NAME_BYTES];
    cache_file_name(name, key);
    int error = write_block(folder, name, block, total);
    free(block);
    *bytes = total;
    return error;
}

/* ---- scanning ----------------------------------------------------------------------------------
 */

static bool parse_name(struct rt_cache_key *key, const char *name)
{
    unsigned char bytes[16];
    if (strlen(name) != CACHE_NAME_BYTES - 1 || strcmp(name + 32, CACHE_SUFFIX) != 0 ||
        !key_bytes(bytes, name))
        return false;
    memcpy(key->text, name, 32);
    key->text[32] = '\0';
    return true;
}

static int compare_use(const void *left, const void *right)
{
    const struct cache_file *a = left, *b = right;
    if (a->used != b->used)
        return a->used < b->used ? -1 : 1;
    if (a->used_nanoseconds != b->used_nanoseconds)
        return a->used_nanoseconds < b->used_nanoseconds ? -1 : 1;
    return strcmp(a->key.text, b->key.text);
}

static bool add_file(struct cache_scan *scan, size_t *capacity, const struct cache_file *file)
{
    if (scan->count == *capacity) {
        size_t grown = *capacity ? *capacity * 2 : 64;
        struct cache_file *files = realloc(scan->files, grown * sizeof *files);
        if (!files)
            return false;
        scan->files = files;
        *capacity = grown;
    }
    scan->files[scan->count++] = *file;
    scan->bytes += file->bytes;
    return true;
}

static int scan_stream(struct cache_scan *scan, DIR *stream, int folder, int64_t stale)
{
    size_t capacity = 0;
    for (struct dirent *item = readdir(stream); item; item = readdir(stream)) {
        struct cache_file file = {.bytes = 0};
        bool temporary = strncmp(item->d_name, CACHE_TEMPORARY, sizeof CACHE_TEMPORARY - 1) == 0;
        struct stat info;
        if (!temporary && !parse_name(&file.key, item->d_name))
            continue; /* not ours */
        if (fstatat(folder, item->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
            continue; /* someone was faster */
        if (temporary) {
            if (time(NULL) - info.st_mtim.tv_sec >= stale)
                (void)unlinkat(folder, item->d_name, 0);
            continue;
        }
        file.bytes = (uint64_t)info.st_size;
        file.used = info.st_mtim.tv_sec;
        file.used_nanoseconds = info.st_mtim.tv_nsec;
        if (!add_file(scan, &capacity, &file))
            return ENOMEM;
    }
    return 0;
}

int cache_scan_folder(struct cache_scan *scan, int folder, int64_t stale)
{
    *scan = (struct cache_scan){0};
    /* A new open file description: readdir must not share its position with other threads. */
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    DIR *stream = fdopendir(fd);
    if (!stream) {
        int error = errno;
        close(fd);
        return error;
    }
    int error = scan_stream(scan, stream, folder, stale);
    closedir(stream);
    if (error) {
        cache_scan_free(scan);
        return error;
    }
    if (scan->count)
        qsort(scan->files, scan->count, sizeof *scan->files, compare_use);
    return 0;
}

void cache_scan_free(struct cache_scan *scan)
{
    free(scan->files);
    *scan = (struct cache_scan){0};
}

/* ---- the folder --------------------------------------------------------------------------------
 */

size_t ldsl_cache_folder(char *buffer, size_t size)
{
    const char *own = getenv("LDSL_CACHE");
    const char *xdg = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    int length = 0;
    if (size)
        buffer[0] = '\0';
    if (own && *own)
        length = snprintf(buffer, size, "%s", own);
    else if (xdg && *xdg == '/')
        length = snprintf(buffer, size, "%s/ldsl", xdg);
    else if (home && *home)
        length = snprintf(buffer, size, "%s/.cache/ldsl", home);
    return length > 0 ? (size_t)length : 0;
}

/* Makes the folder and what leads to it, for this user only. */
static bool make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool made = mkdir(path, 0700) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made)
            return false;
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

int cache_open_folder(char used[CACHE_PATH_BYTES], const char *path, bool create)
{
    size_t length = path ? (size_t)snprintf(used, CACHE_PATH_BYTES, "%s", path)
                         : ldsl_cache_folder(used, CACHE_PATH_BYTES);
    if (length == 0 || length >= CACHE_PATH_BYTES) {
        errno = length ? ENAMETOOLONG : ENOENT;
        return -1;
    }
    if (create && !make_folders(used))
        return -1;
    return open(used, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}
