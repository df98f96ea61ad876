/* Device memory for callers who have no allocator of their own. */
#include "internal.h"

#include <stdlib.h>

struct ldsl_buffer {
    struct ldsl_context *ctx;
    uint64_t address; /* 0: no bytes */
    size_t bytes;
};

enum ldsl_status ldsl_buffer_create(ldsl_buffer **out, ldsl_context *ctx, size_t bytes)
{
    if (!out || !ctx)
        return rt_error(ctx ? &ctx->sink : NULL, LDSL_ARGUMENT,
                        "a buffer needs a context and a place for its handle");
    *out = NULL;
    ldsl_buffer *buffer = calloc(1, sizeof *buffer);
    if (!buffer)
        return rt_nomem(&ctx->sink);
    buffer->ctx = ctx;
    buffer->bytes = bytes;
    if (bytes) {
        enum ldsl_status status = ctx->ops->alloc(ctx->device, &buffer->address, bytes);
        if (status) {
            free(buffer);
            return status;
        }
    }
    *out = buffer;
    return LDSL_OK;
}

void ldsl_buffer_destroy(ldsl_buffer *buffer)
{
    if (!buffer)
        return;
    if (buffer->address)
        buffer->ctx->ops->free(buffer->ctx->device, buffer->address);
    free(buffer);
}

uint64_t ldsl_buffer_address(const ldsl_buffer *buffer)
{
    return buffer ? buffer->address : 0;
}

static enum ldsl_status check_range(const ldsl_buffer *buffer, size_t offset, const void *data,
                                    size_t bytes)
{
    if (!buffer)
        return rt_error(NULL, LDSL_ARGUMENT, "the buffer is NULL");
    if (!data && bytes)
        return rt_error(&buffer->ctx->sink, LDSL_ARGUMENT,
                        "there is no host memory for %zu bytes: it is NULL", bytes);
    if (offset > buffer->bytes || bytes > buffer->bytes - offset)
        return rt_error(&buffer->ctx->sink, LDSL_ARGUMENT,
                        "%zu bytes at offset %zu do not fit a buffer of %zu bytes", bytes, offset,
                        buffer->bytes);
    return LDSL_OK;
}

enum ldsl_status ldsl_buffer_upload(ldsl_buffer *buffer, size_t offset, const void *data,
                                    size_t bytes)
{
    enum ldsl_status status = check_range(buffer, offset, data, bytes);
    if (status || !bytes)
        return status;
    struct ldsl_context *ctx = buffer->ctx;
    return ctx->ops->upload(ctx->device, buffer->address + offset, data, bytes);
}

enum ldsl_status ldsl_buffer_download(const ldsl_buffer *buffer, size_t offset, void *data,
                                      size_t bytes)
{
    enum ldsl_status status = check_range(buffer, offset, data, bytes);
    if (status || !bytes)
        return status;
    struct ldsl_context *ctx = buffer->ctx;
    return ctx->ops->download(ctx->device, data, buffer->address + offset, bytes);
}

enum ldsl_status ldsl_device_copy(ldsl_context *ctx, uint64_t destination, uint64_t source,
                                  size_t bytes, void *stream)
{
    if (!ctx)
        return rt_error(NULL, LDSL_ARGUMENT, "the context is NULL");
    if (!bytes)
        return LDSL_OK;
    if (!destination || !source)
        return rt_error(&ctx->sink, LDSL_ARGUMENT, "copy of %zu bytes %s address 0", bytes,
                        destination ? "from" : "to");
    return ctx->ops->copy(ctx->device, destination, source, bytes, stream);
}
