/* Libraries: source files, compiled as far as their op layer; kernels follow when plans ask. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SOURCE_BYTES = 64 << 20 };

/* ---- reading files -----------------------------------------------------------------------------
 */

static enum ldsl_status read_stream(char **text, size_t *length, FILE *stream, const char *path,
                                    const struct ldsl_sink *sink)
{
    size_t capacity = 1 << 16, used = 0;
    char *buffer = malloc(capacity);
    while (buffer) {
        used += fread(buffer + used, 1, capacity - used - 1, stream);
        if (ferror(stream) || used >= MAX_SOURCE_BYTES) {
            free(buffer);
            return rt_error(sink, LDSL_DEVICE, "cannot read '%s': %s", path,
                            ferror(stream) ? strerror(errno) : "it is too long for a source");
        }
        if (feof(stream)) {
            buffer[used] = '\0';
            *text = buffer;
            *length = used;
            return LDSL_OK;
        }
        if (capacity - used < 2) {
            char *grown = realloc(buffer, capacity *= 2);
            if (!grown)
                free(buffer);
            buffer = grown;
        }
    }
    return rt_nomem(sink);
}

static enum ldsl_status read_file(char **text, size_t *length, const char *path,
                                  const struct ldsl_sink *sink)
{
    FILE *stream = fopen(path, "rb");
    if (!stream)
        return rt_error(sink, LDSL_DEVICE, "cannot open '%s': %s", path, strerror(errno));
    enum ldsl_status status = read_stream(text, length, stream, path, sink);
    fclose(stream);
    return status;
}

/* ---- making one --------------------------------------------------------------------------------
 */

static enum ldsl_status create(ldsl_library **out, ldsl_context *ctx, uint32_t file_count)
{
    ldsl_library *lib = calloc(1, sizeof *lib);
    if (!lib)
        return rt_nomem(&ctx->sink);
    lib->ctx = ctx;
    lib->files = calloc(file_count ? file_count : 1, sizeof *lib->files);
    if (!lib->files) {
        free(lib);
        return rt_nomem(&ctx->sink);
    }
    enum ldsl_status status = rt_kernel_table_create(&lib->kernels, &ctx->sink);
    if (status) {
        ldsl_library_destroy(lib);
        return status;
    }
    *out = lib;
    return LDSL_OK;
}

void ldsl_library_destroy(ldsl_library *lib)
{
    if (!lib)
        return;
    rt_kernel_table_destroy(lib->kernels, lib->ctx);
    for (uint32_t i = 0; i < lib->file_count; i++) {
        rt_module_close(lib->files[i].module);
        ldsl_artifact_free(lib->files[i].image);
        free((char *)lib->files[i].source.path);
        free((char *)lib->files[i].source.text);
    }
    free(lib->files);
    free(lib->ops);
    free(lib);
}

/* Copies the source into the next file of the library. */
static enum ldsl_status add_file(ldsl_library *lib, const char *path, const char *text,
                                 size_t length)
{
    struct rt_file *file = &lib->files[lib->file_count++];
    char *copy = malloc(length + 1);
    file->source.path = rt_copy_text(path);
    file->source.text = copy;
    file->source.length = length;
    if (!file->source.path || !copy)
        return rt_nomem(&lib->ctx->sink);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return LDSL_OK;
}

static enum ldsl_status compile_file(ldsl_library *lib, struct rt_file *file)
{
    enum ldsl_status status =
        rt_compile_cached(&file->image, lib->ctx, &file->source, LDSL_EMIT_MODULE, NULL, NULL,
                          lib->sealed ? lib->identity : NULL);
    if (status)
        return status;
    size_t bytes;
    const void *image = ldsl_artifact_data(file->image, &bytes);
    return rt_module_open(&file->module, image, bytes, &lib->ctx->sink);
}

static const char *op_name(const ldsl_library *lib, const struct rt_op_entry *entry)
{
    return rt_module_op_name(lib->files[entry->file].module, entry->op);
}

static enum ldsl_status add_op(ldsl_library *lib, uint32_t file, uint32_t op)
{
    struct rt_op_entry entry = {.file = file, .op = op};
    const char *name = op_name(lib, &entry);
    const struct rt_op_entry *other = rt_library_find(lib, name);
    if (other)
        return rt_error(&lib->ctx->sink, LDSL_SOURCE,
                        "operator '%s' of '%s' is also declared in '%s'", name,
                        lib->files[file].source.path, lib->files[other->file].source.path);
    lib->ops[lib->op_count++] = entry;
    return LDSL_OK;
}

/* Gradients and references that a file imports from one outside the library. */
static void add_linked(ldsl_library *lib, uint32_t file)
{
    uint32_t linked, own = rt_module_op_count(lib->files[file].module, &linked);
    for (uint32_t op = own; op < own + linked; op++) {
        struct rt_op_entry entry = {.file = file, .op = op};
        if (!rt_library_find(lib, op_name(lib, &entry)))
            lib->ops[lib->op_count++] = entry;
    }
}

static enum ldsl_status list_ops(ldsl_library *lib)
{
    uint32_t count = 0, linked;
    for (uint32_t i = 0; i < lib->file_count; i++) {
        count += rt_module_op_count(lib->files[i].module, &linked);
        count += linked;
    }
    lib->ops = calloc(count ? count : 1, sizeof *lib->ops);
    if (!lib->ops)
        return rt_nomem(&lib->ctx->sink);
    for (uint32_t i = 0; i < lib->file_count; i++) {
        uint32_t own = rt_module_op_count(lib->files[i].module, &linked);
        for (uint32_t op = 0; op < own; op++) {
            enum ldsl_status status = add_op(lib, i, op);
            if (status)
                return status;
        }
    }
    for (uint32_t i = 0; i < lib->file_count; i++)
        add_linked(lib, i);
    return LDSL_OK;
}

/* Every file is compiled even after one failed, so that all errors are told in one go. */
static enum ldsl_status compile_files(ldsl_library *lib)
{
    enum ldsl_status first = LDSL_OK;
    for (uint32_t i = 0; i < lib->file_count; i++) {
        enum ldsl_status status = compile_file(lib, &lib->files[i]);
        if (!first)
            first = status;
    }
    return first ? first : list_ops(lib);
}

/* Hands the library out, or destroys it. */
static enum ldsl_status finish(ldsl_library **out, ldsl_library *lib, enum ldsl_status status)
{
    if (status)
        ldsl_library_destroy(lib);
    else
        *out = lib;
    return status;
}

static enum ldsl_status check_arguments(ldsl_library **out, ldsl_context *ctx)
{
    if (!out)
        return rt_error(ctx ? &ctx->sink : NULL, LDSL_ARGUMENT,
                        "no place to put the library: out is NULL");
    *out = NULL;
    if (!ctx)
        return rt_error(NULL, LDSL_ARGUMENT, "the context is NULL");
    return LDSL_OK;
}

/* ---- the three ways to load --------------------------------------------------------------------
 */

enum ldsl_status ldsl_library_load_text(ldsl_library **out, ldsl_context *ctx, const char *path,
                                        const char *text, size_t length)
{
    enum ldsl_status status = check_arguments(out, ctx);
    if (status)
        return status;
    if (!path || !text)
        return rt_error(&ctx->sink, LDSL_ARGUMENT, "the %s of the source is NULL",
                        path ? "text" : "path");
    ldsl_library *lib;
    status = create(&lib, ctx, 1);
    if (status)
        return status;
    status = add_file(lib, path, text, length);
    if (!status)
        status = compile_files(lib);
    return finish(out, lib, status);
}

enum ldsl_status ldsl_library_load_file(ldsl_library **out, ldsl_context *ctx, const char *path)
{
    enum ldsl_status status = check_arguments(out, ctx);
    if (status)
        return status;
    if (!path)
        return rt_error(&ctx->sink, LDSL_ARGUMENT, "the path of the source is NULL");
    char *text = NULL;
    size_t length = 0;
    status = read_file(&text, &length, path, &ctx->sink);
    if (status)
        return status;
    status = ldsl_library_load_text(out, ctx, path, text, length);
    free(text);
    return status;
}

/* Built-in files import each other only, so a hash of all of them stands for each with its imports.
 */
static void seal(ldsl_library *lib)
{
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    for (uint32_t i = 0; i < lib->file_count; i++) {
        const ldsl_source *source = &lib->files[i].source;
        uint64_t length = source->length;
        XXH3_128bits_update(&state, source->path, strlen(source->path) + 1);
        XXH3_128bits_update(&state, &length, sizeof length);
        XXH3_128bits_update(&state, source->text, source->length);
    }
    XXH128_hash_t hash = XXH3_128bits_digest(&state);
    snprintf(lib->identity, sizeof lib->identity, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
    lib->sealed = true;
}

static enum ldsl_status add_builtins(ldsl_library *lib, const struct builtin_file *builtins)
{
    for (const struct builtin_file *file = builtins; file->path; file++) {
        char path[512];
        snprintf(path, sizeof path, BUILTIN_ROOT "%s", file->path);
        enum ldsl_status status = add_file(lib, path, file->text, file->length);
        if (status)
            return status;
    }
    seal(lib);
    return LDSL_OK;
}

enum ldsl_status ldsl_library_load_builtin(ldsl_library **out, ldsl_context *ctx)
{
    enum ldsl_status status = check_arguments(out, ctx);
    if (status)
        return status;
    if (!rt_edition.builtins)
        return rt_error(&ctx->sink, LDSL_UNSUPPORTED,
                        "this build of ldsl has no built-in operators");
    uint32_t count = 0;
    while (rt_edition.builtins[count].path)
        count++;
    ldsl_library *lib;
    status = create(&lib, ctx, count);
    if (status)
        return status;
    status = add_builtins(lib, rt_edition.builtins);
    if (!status)
        status = compile_files(lib);
    return finish(out, lib, status);
}

/* ---- what is in it -----------------------------------------------------------------------------
 */

const struct rt_op_entry *rt_library_find(const struct ldsl_library *lib, const char *op)
{
    for (uint32_t i = 0; i < lib->op_count; i++)
        if (strcmp(op_name(lib, &lib->ops[i]), op) == 0)
            return &lib->ops[i];
    return NULL;
}

uint32_t ldsl_library_op_count(const ldsl_library *lib)
{
    return lib ? lib->op_count : 0;
}

const char *ldsl_library_op_name(const ldsl_library *lib, uint32_t i)
{
    return lib && i < lib->op_count ? op_name(lib, &lib->ops[i]) : NULL;
}
