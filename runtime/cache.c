/* The compile cache in use: find, put, stay below the limit. */
#include "cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct rt_cache {
    int folder;
    char path[CACHE_PATH_BYTES];
    uint64_t limit;
    const struct ldsl_sink *sink;
    pthread_mutex_t lock; /* over the rest */
    uint64_t estimate;    /* bytes in the folder: our own puts since the last scan included */
    bool scanned;
    bool read_only; /* writing failed: said so, not tried again */
};

enum {
    STALE_SECONDS = 3600, /* a temporary file this old has lost its writer */
    TOUCH_SECONDS = 60    /* uses closer together than this count as one */
};

static const uint64_t default_limit = UINT64_C(1) << 30;

/* "512M", "2G", "100000". */
static bool parse_size(uint64_t *bytes, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 15)
        return false;
    uint64_t unit = 1;
    if (text[digits]) {
        const char *units = "KMG", *found = strchr(units, text[digits]);
        if (!found || text[digits + 1])
            return false;
        unit = UINT64_C(1) << (10 * (found - units + 1));
    }
    *bytes = strtoull(text, NULL, 10);
    if (*bytes > UINT64_MAX / unit)
        return false;
    *bytes *= unit;
    return true;
}

static uint64_t limit_from_environment(const struct ldsl_sink *sink)
{
    const char *text = getenv("LDSL_CACHE_SIZE");
    uint64_t bytes = default_limit;
    if (text && *text && !parse_size(&bytes, text)) {
        rt_warning(sink, "LDSL_CACHE_SIZE is '%s', not a size such as 512M: using 1G", text);
        return default_limit;
    }
    return bytes;
}

/* The folder, or -1 after a warning: a cache that cannot be is no reason to fail. */
static int open_folder(char used[CACHE_PATH_BYTES], const char *path, const struct ldsl_sink *sink)
{
    int folder = cache_open_folder(used, path, true);
    if (folder < 0) {
        if (!*used)
            rt_warning(sink,
                       "no compile cache: neither LDSL_CACHE, XDG_CACHE_HOME nor HOME is set");
        else
            rt_warning(sink, "no compile cache: cannot open folder '%s': %s", used,
                       strerror(errno));
        return -1;
    }
    /* What is in the cache is run: nobody else may put something there. */
    struct stat info;
    const char *wrong = fstat(folder, &info) != 0                      ? strerror(errno)
                        : info.st_mode & S_IWOTH                       ? "is writable by everyone"
                        : info.st_uid != geteuid() && info.st_uid != 0 ? "belongs to somebody else"
                                                                       : NULL;
    if (!wrong)
        return folder;
    rt_warning(sink, "no compile cache: folder '%s' %s", used, wrong);
    close(folder);
    return -1;
}

enum ldsl_status rt_cache_create(struct rt_cache **out, const char *path, uint64_t limit_bytes,
                                 const struct ldsl_sink *sink)
{
    *out = NULL;
    struct rt_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return rt_nomem(sink);
    cache->sink = sink;
    cache->limit = limit_bytes ? limit_bytes : limit_from_environment(sink);
    cache->folder = open_folder(cache->path, path, sink);
    if (cache->folder < 0 || pthread_mutex_init(&cache->lock, NULL) != 0) {
        if (cache->folder >= 0)
            close(cache->folder);
        free(cache);
        return LDSL_OK;
    }
    *out = cache;
    return LDSL_OK;
}

void rt_cache_destroy(struct rt_cache *cache)
{
    if (!cache)
        return;
    close(cache->folder);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static void drop(struct rt_cache *cache, const struct rt_cache_key *key, const char *problem)
{
    char name[CACHE_NAME_BYTES];
    cache_file_name(name, key);
    rt_warning(cache->sink, "compile cache: '%s/%s' is rebuilt: %s", cache->path, name, problem);
    (void)unlinkat(cache->folder, name, 0);
}

ldsl_artifact *rt_cache_find(struct rt_cache *cache, const struct rt_cache_key *key)
{
    struct cache_entry entry;
    const char *problem;
    enum cache_verdict verdict = cache_entry_read(&entry, cache->folder, key, &problem);
    if (verdict == CACHE_DAMAGED)
        drop(cache, key, problem);
    if (verdict != CACHE_SOUND)
        return NULL;
    ldsl_artifact *artifact = NULL;
    if (ldsl_artifact_read(&artifact, entry.data, entry.data_bytes) != LDSL_OK)
        drop(cache, key, "it does not hold an artifact");
    else if (time(NULL) - entry.used > TOUCH_SECONDS)
        cache_entry_touch(cache->folder, key);
    cache_entry_free(&entry);
    return artifact;
}

/* Removes what was not used for longest until a tenth of the limit is free again. */
static void evict(struct rt_cache *cache)
{
    struct cache_scan scan;
    if (cache_scan_folder(&scan, cache->folder, STALE_SECONDS) != 0)
        return;
    if (scan.bytes > cache->limit) {
        uint64_t target = cache->limit - cache->limit / 10;
        for (size_t i = 0; i < scan.count && scan.bytes > target; i++) {
            char name[CACHE_NAME_BYTES];
            cache_file_name(name, &scan.files[i].key);
            if (unlinkat(cache->folder, name, 0) == 0 || errno == ENOENT)
                scan.bytes -= scan.files[i].bytes;
        }
    }
    cache->estimate = scan.bytes;
    cache->scanned = true;
    cache_scan_free(&scan);
}

static void note_put(struct rt_cache *cache, uint64_t bytes)
{
    pthread_mutex_lock(&cache->lock);
    cache->estimate += bytes;
    if (!cache->scanned || cache->estimate > cache->limit)
        evict(cache);
    pthread_mutex_unlock(&cache->lock);
}

/* True the first time. */
static bool give_up_writing(struct rt_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    bool first = !cache->read_only;
    cache->read_only = true;
    pthread_mutex_unlock(&cache->lock);
    return first;
}

static bool is_read_only(struct rt_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    bool read_only = cache->read_only;
    pthread_mutex_unlock(&cache->lock);
    return read_only;
}

void rt_cache_put(struct rt_cache *cache, const struct rt_cache_key *key,
                  const ldsl_artifact *artifact, const char *why)
{
    size_t data_bytes;
    const void *data = ldsl_artifact_bytes(artifact, &data_bytes);
    if (data_bytes >= cache->limit || is_read_only(cache))
        return;
    uint64_t bytes;
    int error = cache_entry_write(&bytes, cache->folder, key, why, data, data_bytes);
    if (!error)
        note_put(cache, bytes);
    else if (give_up_writing(cache))
        rt_warning(cache->sink, "compile cache: cannot write to '%s': %s", cache->path,
                   strerror(error));
}
