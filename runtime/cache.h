/* The compile cache's folder and file format: what cache.c (use) and cache_admin.c (inspection)
 * share.
 *
 * One file per entry, named <key>.ldslc:
 *
 *     +--------+---------+-----------+------------+-----+----------+-----+------+
 *     | magic  | version | why_bytes | data_bytes | key | checksum | why | data |
 *     | 8      | 4       | 4         | 8          | 16  | 16       |     |      |
 *     +--------+---------+-----------+------------+-----+----------+-----+------+
 *
 * why: lines of "name=value" for people; data: an artifact as ldsl_artifact_bytes gives it. The
 * checksum (XXH3, 128 bits) covers everything, with its own field taken as zero. Numbers are in the
 * machine's byte order: a cache is not carried between machines that differ in it.
 *
 * An entry is written under a temporary name and renamed, so it is complete or not there. Whoever
 * renames last wins; as the key determines the content, all are equal. Nothing is synced: what a
 * power cut leaves is found by the checksum. */
#ifndef RUNTIME_CACHE_H
#define RUNTIME_CACHE_H

#include "internal.h"

#include <sys/types.h>

#define CACHE_SUFFIX    ".ldslc"
#define CACHE_TEMPORARY ".tmp-"
enum { CACHE_NAME_BYTES = 32 + sizeof CACHE_SUFFIX };

/* A file of the folder, read. */
struct cache_entry {
    void *block; /* malloc'ed: the whole file */
    const char *why;
    size_t why_bytes;
    const void *data;
    size_t data_bytes;
    int64_t used; /* last use, seconds since 1970 */
};

enum cache_verdict {
    CACHE_SOUND,
    CACHE_MISSING, /* no such file, or it cannot be read: *problem says why unless it is missing */
    CACHE_DAMAGED  /* *problem says how */
};

/* Reads the entry of a key and checks all of it. Only CACHE_SOUND fills *entry. */
enum cache_verdict cache_entry_read(struct cache_entry *entry, int folder,
                                    const struct rt_cache_key *key, const char **problem);
void cache_entry_touch(int folder, const struct rt_cache_key *key); /* used now */
void cache_entry_free(struct cache_entry *entry);

/* Writes an entry. 0 or an errno. *bytes: the file's size. */
int cache_entry_write(uint64_t *bytes, int folder, const struct rt_cache_key *key, const char *why,
                      const void *data, size_t data_bytes);

/* What a scan of the folder finds, oldest use first. */
struct cache_file {
    struct rt_cache_key key;
    uint64_t bytes;
    int64_t used; /* seconds since 1970 */
    long used_nanoseconds;
};

struct cache_scan {
    struct cache_file *files; /* malloc'ed */
    size_t count;
    uint64_t bytes; /* of all files */
};

/* Scans the folder; removes temporary files not touched for `stale` seconds on the way. 0 or an
 * errno. */
int cache_scan_folder(struct cache_scan *scan, int folder, int64_t stale);
void cache_scan_free(struct cache_scan *scan);

void cache_file_name(char name[CACHE_NAME_BYTES], const struct rt_cache_key *key);

/* Opens the folder `path` (NULL: the default one). -1 with errno set; `used` gets its path. */
enum { CACHE_PATH_BYTES = 4096 };
int cache_open_folder(char used[CACHE_PATH_BYTES], const char *path, bool create);

#endif
