/* The compile cache looked at from outside: ldsl cache list, why, verify, clear. */
#include "cache.h"

#include <errno.h>
#include <ldsl/cache.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WHY_BYTES = 16384 };

/* Cuts the "name=value" lines apart in place and points the entry at the values. */
static void split_why(ldsl_cache_entry *entry, char *why)
{
    const struct {
        const char *name;
        const char **value;
    } fields[] = {
        {"kernel",  &entry->kernel },
        {"target",  &entry->target },
        {"variant", &entry->variant},
        {"source",  &entry->source },
        {"made_by", &entry->made_by},
        {"content", &entry->content},
    };
    for (char *line = why; *line;) {
        char *end = line + strcspn(line, "\n");
        char *next = *end ? end + 1 : end;
        *end = '\0';
        char *equals = strchr(line, '=');
        if (equals) {
            *equals = '\0';
            for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
                if (strcmp(line, fields[i].name) == 0)
                    *fields[i].value = equals + 1;
        }
        line = next;
    }
}

static void report_file(int folder, const char *folder_path, const struct cache_file *file,
                        void (*report)(void *user, const ldsl_cache_entry *entry), void *user)
{
    char name[CACHE_NAME_BYTES], path[CACHE_PATH_BYTES + CACHE_NAME_BYTES], why[WHY_BYTES] = "";
    cache_file_name(name, &file->key);
    snprintf(path, sizeof path, "%s/%s", folder_path, name);
    ldsl_cache_entry entry = {
        .key = file->key.text,
        .path = path,
        .bytes = file->bytes,
        .used = file->used,
    };
    struct cache_entry block;
    enum cache_verdict verdict = cache_entry_read(&block, folder, &file->key, &entry.problem);
    if (verdict == CACHE_MISSING && !entry.problem)
        return; /* removed since the scan */
    if (verdict == CACHE_SOUND) {
        ldsl_artifact *artifact = NULL;
        if (ldsl_artifact_read(&artifact, block.data, block.data_bytes) != LDSL_OK)
            entry.problem = "it does not hold an artifact";
        ldsl_artifact_free(artifact);
        snprintf(why, sizeof why, "%.*s", (int)block.why_bytes, block.why);
        split_why(&entry, why);
        cache_entry_free(&block);
    }
    report(user, &entry);
}

/* Opens and scans; LDSL_OK with folder -1: there is no cache yet. */
static enum ldsl_status open_and_scan(int *folder, char used[CACHE_PATH_BYTES],
                                      struct cache_scan *scan, const char *path, int64_t stale)
{
    *scan = (struct cache_scan){0};
    *folder = cache_open_folder(used, path, false);
    if (*folder < 0 && errno == ENOENT)
        return LDSL_OK;
    int error = *folder < 0 ? errno : cache_scan_folder(scan, *folder, stale);
    if (!error)
        return LDSL_OK;
    if (*folder >= 0)
        close(*folder);
    *folder = -1;
    return rt_error(NULL, error == ENOMEM ? LDSL_NOMEM : LDSL_DEVICE,
                    "cannot read cache folder '%s': %s", used, strerror(error));
}

enum ldsl_status ldsl_cache_list(const char *folder,
                                 void (*report)(void *user, const ldsl_cache_entry *entry),
                                 void *user)
{
    if (!report)
        return rt_error(NULL, LDSL_ARGUMENT, "nobody to tell the entries: report is NULL");
    int fd;
    char path[CACHE_PATH_BYTES];
    struct cache_scan scan;
    enum ldsl_status status = open_and_scan(&fd, path, &scan, folder, INT64_MAX);
    if (status || fd < 0)
        return status;
    for (size_t i = scan.count; i-- > 0;)
        report_file(fd, path, &scan.files[i], report, user);
    cache_scan_free(&scan);
    close(fd);
    return LDSL_OK;
}

enum ldsl_status ldsl_cache_clear(const char *folder, uint64_t *removed)
{
    uint64_t count = 0;
    int fd, error = 0;
    char path[CACHE_PATH_BYTES];
    struct cache_scan scan;
    if (removed)
        *removed = 0;
    enum ldsl_status status = open_and_scan(&fd, path, &scan, folder, 0);
    if (status || fd < 0)
        return status;
    for (size_t i = 0; i < scan.count; i++) {
        char name[CACHE_NAME_BYTES];
        cache_file_name(name, &scan.files[i].key);
        if (unlinkat(fd, name, 0) == 0)
            count++;
        else if (errno != ENOENT)
            error = errno;
    }
    cache_scan_free(&scan);
    close(fd);
    if (removed)
        *removed = count;
    if (error)
        return rt_error(NULL, LDSL_DEVICE, "cannot remove every entry of '%s': %s", path,
                        strerror(error));
    return LDSL_OK;
}
