/* The compile cache on disk, looked at from outside: what it holds, whether it is sound.
 *
 * Contexts read and write the cache by themselves (ldsl_context_options.cache_path); nothing here
 * is needed to run operators. Safe while other processes use the same cache. `folder` may be NULL:
 * the default one ($LDSL_CACHE, else the user's cache folder). */
#ifndef LDSL_CACHE_H
#define LDSL_CACHE_H

#include <ldsl/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One entry. Everything it points to is valid only during the report call. */
typedef struct ldsl_cache_entry {
    const char *key;     /* 32 hex digits: content, compiler and processor */
    const char *path;    /* the file */
    const char *kernel;  /* NULL: not a kernel (a module image), or damaged */
    const char *target;  /* "cpu:znver3", or NULL */
    const char *variant; /* bindings text, or NULL */
    const char *source;  /* path of the .ldsl file, or NULL */
    const char *made_by; /* compiler version, or NULL */
    const char *content; /* ldsl_compile_key of what was compiled; NULL: a built-in operator */
    uint64_t bytes;      /* of the file */
    int64_t used;        /* last use, seconds since 1970 */
    const char *problem; /* what is wrong with it, or NULL: it is sound */
} ldsl_cache_entry;

/* The default folder, as snprintf does: returns the length, cut to size - 1 bytes; 0: there is
 * none. */
LDSL_API size_t ldsl_cache_folder(char *buffer, size_t size);

/* Reports every entry, most recently used first. Each file is read and its checksum compared. */
LDSL_API enum ldsl_status ldsl_cache_list(const char *folder,
                                          void (*report)(void *user, const ldsl_cache_entry *entry),
                                          void *user);

/* Removes every entry and leftover temporary file; *removed (may be NULL) is how many entries. */
LDSL_API enum ldsl_status ldsl_cache_clear(const char *folder, uint64_t *removed);

#ifdef __cplusplus
}
#endif
#endif
