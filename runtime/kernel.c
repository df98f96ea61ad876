/* Kernels: from a name and bindings to something that can be launched. Memory first, then the
 * compile cache, then the compiler. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 256 };

/* One variant. It stays in the table when making it failed, so that the next caller tries again. */
struct entry {
    struct entry *next;
    pthread_mutex_t lock; /* held while making it: others wait instead of compiling it too */
    bool ready;
    struct rt_kernel kernel;
    uint32_t file;
    const char *name, *bindings; /* in text */
    char text[];
};

struct rt_kernel_table {
    pthread_mutex_t lock; /* over the chains, not over the making of an entry */
    struct entry *buckets[BUCKETS];
};

enum ldsl_status rt_kernel_table_create(struct rt_kernel_table **out, const struct ldsl_sink *sink)
{
    *out = NULL;
    struct rt_kernel_table *table = calloc(1, sizeof *table);
    if (!table || pthread_mutex_init(&table->lock, NULL) != 0) {
        free(table);
        return rt_nomem(sink);
    }
    *out = table;
    return LDSL_OK;
}

static void entry_destroy(struct entry *entry, struct ldsl_context *ctx)
{
    if (entry->ready)
        ctx->ops->unload(ctx->device, entry->kernel.handle);
    ldsl_artifact_free(entry->kernel.artifact);
    pthread_mutex_destroy(&entry->lock);
    free(entry);
}

void rt_kernel_table_destroy(struct rt_kernel_table *table, struct ldsl_context *ctx)
{
    if (!table)
        return;
    for (int i = 0; i < BUCKETS; i++) {
        while (table->buckets[i]) {
            struct entry *entry = table->buckets[i];
            table->buckets[i] = entry->next;
            entry_destroy(entry, ctx);
        }
    }
    pthread_mutex_destroy(&table->lock);
    free(table);
}

static struct entry *entry_create(uint32_t file, const char *name, const char *bindings)
{
    size_t name_bytes = strlen(name) + 1, bindings_bytes = strlen(bindings) + 1;
    struct entry *entry = calloc(1, sizeof *entry + name_bytes + bindings_bytes);
    if (!entry || pthread_mutex_init(&entry->lock, NULL) != 0) {
        free(entry);
        return NULL;
    }
    entry->file = file;
    entry->name = memcpy(entry->text, name, name_bytes);
    entry->bindings = memcpy(entry->text + name_bytes, bindings, bindings_bytes);
    return entry;
}

static uint32_t bucket_of(const char *name, const char *bindings)
{
    uint32_t hash = 2166136261u; /* FNV-1a: the texts are short */
    for (const char *c = name; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    for (const char *c = bindings; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return hash % BUCKETS;
}

/* The entry, made if it is new; NULL: out of memory. */
static struct entry *entry_get(struct rt_kernel_table *table, uint32_t file, const char *name,
                               const char *bindings)
{
    struct entry **bucket = &table->buckets[bucket_of(name, bindings)];
    pthread_mutex_lock(&table->lock);
    struct entry *entry = *bucket;
    while (entry && (entry->file != file || strcmp(entry->name, name) != 0 ||
                     strcmp(entry->bindings, bindings) != 0))
        entry = entry->next;
    if (!entry && (entry = entry_create(file, name, bindings))) {
        entry->next = *bucket;
        *bucket = entry;
    }
    pthread_mutex_unlock(&table->lock);
    return entry;
}

static enum ldsl_status make_kernel(struct rt_kernel *kernel, struct ldsl_library *lib,
                                    uint32_t file, const char *name, const char *bindings)
{
    struct ldsl_context *ctx = lib->ctx;
    enum ldsl_status status =
        rt_compile_cached(&kernel->artifact, ctx, &lib->files[file].source, LDSL_EMIT_IMAGE, name,
                          bindings, lib->sealed ? lib->identity : NULL);
    if (status)
        return status;
    if (!ldsl_artifact_kernel(kernel->artifact, &kernel->info))
        status = rt_error(&ctx->sink, LDSL_INTERNAL, "compiling kernel '%s' made no kernel", name);
    else
        status = ctx->ops->load(ctx->device, &kernel->handle, kernel->artifact);
    if (!status && ctx->ops->resources)
        ctx->ops->resources(ctx->device, kernel->handle, &kernel->info);
    if (status) {
        ldsl_artifact_free(kernel->artifact);
        kernel->artifact = NULL;
    }
    return status;
}

enum ldsl_status rt_kernel_get(const struct rt_kernel **out, struct ldsl_library *lib,
                               uint32_t file, const char *name, const char *bindings)
{
    *out = NULL;
    struct entry *entry = entry_get(lib->kernels, file, name, bindings);
    if (!entry)
        return rt_nomem(&lib->ctx->sink);
    enum ldsl_status status = LDSL_OK;
    pthread_mutex_lock(&entry->lock);
    if (!entry->ready) {
        status = make_kernel(&entry->kernel, lib, file, name, bindings);
        entry->ready = status == LDSL_OK;
    }
    pthread_mutex_unlock(&entry->lock);
    if (!status)
        *out = &entry->kernel;
    return status;
}
