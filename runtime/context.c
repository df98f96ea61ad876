/* Contexts: an open device, someone to tell, a compile cache. */
#include "internal.h"
#include "tuned.h"

#include <stdlib.h>
#include <string.h>

char *rt_copy_text(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = malloc(bytes);
    if (copy)
        memcpy(copy, text, bytes);
    return copy;
}

static enum ldsl_status open_device(struct ldsl_context *ctx, const char *name, uint32_t threads)
{
    struct rt_device_options options = {.threads = threads, .sink = &ctx->sink};
    enum ldsl_status status = rt_device_find(&ctx->ops, &options.number, name, &ctx->sink);
    if (status)
        return status;
    status = ctx->ops->open(&ctx->device, &options);
    if (status)
        return status;
    ctx->ops->describe(ctx->device, &ctx->info);
    return LDSL_OK;
}

enum ldsl_status ldsl_context_create(ldsl_context **out, const char *device,
                                     const ldsl_context_options *options)
{
    static const ldsl_context_options defaults;
    if (!options)
        options = &defaults;
    if (!out)
        return rt_error(&options->sink, LDSL_ARGUMENT, "no place to put the context: out is NULL");
    *out = NULL;
    if (options->round_bias < -1 || options->round_bias > 1)
        return rt_error(&options->sink, LDSL_ARGUMENT, "round_bias is -1, 0 or 1, not %d",
                        options->round_bias);

    struct ldsl_context *ctx = calloc(1, sizeof *ctx);
    if (!ctx)
        return rt_nomem(&options->sink);
    ctx->sink = options->sink;
    ctx->no_compile = options->no_compile;
    ctx->check = options->check;
    ctx->line_info = options->line_info;
    ctx->round_bias = options->round_bias;
    ctx->tune_first_use = options->tune_first_use && !options->records_read_only;

    enum ldsl_status status = open_device(ctx, device, options->threads);
    if (!status && !options->no_cache)
        status =
            rt_cache_create(&ctx->cache, options->cache_path, options->cache_bytes, &ctx->sink);
    if (!status)
        status = rt_tuning_create(&ctx->tuning, options, &ctx->sink);
    ctx->tune_first_use &= ctx->tuning != NULL;
    if (status) {
        ldsl_context_destroy(ctx);
        return status;
    }
    *out = ctx;
    return LDSL_OK;
}

void ldsl_context_destroy(ldsl_context *ctx)
{
    if (!ctx)
        return;
    rt_tuning_destroy(ctx->tuning);
    rt_cache_destroy(ctx->cache);
    if (ctx->device)
        ctx->ops->close(ctx->device);
    free(ctx);
}

const char *ldsl_context_device(const ldsl_context *ctx)
{
    return ctx ? ctx->info.name : "";
}

const char *ldsl_context_target(const ldsl_context *ctx)
{
    return ctx ? ctx->info.target : "";
}

const char *ldsl_context_description(const ldsl_context *ctx)
{
    return ctx ? ctx->info.description : "";
}

enum ldsl_status ldsl_stream_synchronize(ldsl_context *ctx, void *stream)
{
    if (!ctx)
        return rt_error(NULL, LDSL_ARGUMENT, "the context is NULL");
    return ctx->ops->synchronize(ctx->device, stream);
}
