/* Compiling through the compile cache. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "internal.h"

#include <stdio.h>
#include <string.h>

/* ---- keys --------------------------------------------------------------------------------------
 */

/* Adds a text with its end, so that ("ab", "c") and ("a", "bc") differ. */
static void add_text(XXH3_state_t *state, const char *text)
{
    unsigned char given = text != NULL;
    XXH3_128bits_update(state, &given, 1);
    if (text)
        XXH3_128bits_update(state, text, strlen(text) + 1);
}

/* `content` stands for what is compiled: the library's identity with path, kernel and bindings, or
 * ldsl_compile_key's answer, which costs the front end. The rest is what the result depends on
 * besides: the compiler and the processor that "native" means. */
static struct rt_cache_key make_key(const struct ldsl_context *ctx, const ldsl_source *source,
                                    const ldsl_options *options, const char *content, bool sealed)
{
    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    add_text(&state, rt_edition.compiler->identity);
    add_text(&state, rt_edition.compiler->version());
    add_text(&state, ctx->info.identity);
    add_text(&state, content);
    if (sealed) {
        char flags[64];
        snprintf(flags, sizeof flags, "emit %d check %d lines %d bias %d", (int)options->emit,
                 options->check, options->line_info, options->round_bias);
        add_text(&state, flags);
        add_text(&state, source->path);
        add_text(&state, options->target);
        add_text(&state, options->kernel);
        add_text(&state, options->bindings);
    }
    XXH128_hash_t hash = XXH3_128bits_digest(&state);
    struct rt_cache_key key;
    snprintf(key.text, sizeof key.text, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
    return key;
}

/* The cache key of a compile; a failing front end is the compile's own failure. *content: the answer
 * of ldsl_compile_key, or empty if an identity made that unnecessary. */
static enum ldsl_status find_key(struct rt_cache_key *key, char content[33],
                                 const struct ldsl_context *ctx, const ldsl_source *source,
                                 const ldsl_options *options, const char *identity,
                                 const struct ldsl_sink *sink)
{
    content[0] = '\0';
    if (!identity) {
        enum ldsl_status status = rt_edition.compiler->key(content, source, options, sink);
        if (status)
            return status;
    }
    *key = make_key(ctx, source, options, identity ? identity : content, identity != NULL);
    return LDSL_OK;
}

/* ---- what people read about an entry ------------------------------------------------------------
 */

/* Appends "name=value\n"; what would break the line becomes a space. */
static void add_line(char *why, size_t size, const char *name, const char *value)
{
    size_t used = strlen(why);
    if (!value)
        return;
    snprintf(why + used, size - used, "%s=%s", name, value);
    for (char *c = why + used; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
    used = strlen(why);
    if (used + 1 < size)
        memcpy(why + used, "\n", 2);
}

static void put(struct ldsl_context *ctx, const struct rt_cache_key *key, const char *content,
                const ldsl_source *source, const ldsl_options *options,
                const ldsl_artifact *artifact)
{
    char why[8192] = "";
    struct ldsl_kernel_info info;
    add_line(why, sizeof why, "source", source->path);
    add_line(why, sizeof why, "made_by", rt_edition.compiler->version());
    if (ldsl_artifact_kernel(artifact, &info)) {
        add_line(why, sizeof why, "kernel", info.name);
        add_line(why, sizeof why, "target", info.target);
        add_line(why, sizeof why, "variant", info.variant);
    } else {
        add_line(why, sizeof why, "target", options->target);
    }
    if (*content)
        add_line(why, sizeof why, "content", content);
    rt_cache_put(ctx->cache, key, artifact, why);
}

/* ---- compiling ---------------------------------------------------------------------------------
 */

static enum ldsl_status refuse(const ldsl_options *options, const struct ldsl_sink *sink)
{
    return rt_error_help(sink, LDSL_UNSUPPORTED,
                         "run once with compiling allowed, or compile this variant beforehand",
                         "kernel '%s' variant '%s' for %s is not compiled, and compiling is "
                         "forbidden",
                         options->kernel, options->bindings ? options->bindings : "",
                         options->target);
}

/* What the device's driver would do at each loading is done once, for the cache. */
static enum ldsl_status translate(ldsl_artifact **artifact, struct ldsl_context *ctx)
{
    ldsl_artifact *made = NULL, *from = *artifact;
    if (!ctx->ops->translate)
        return LDSL_OK;
    enum ldsl_status status = ctx->ops->translate(ctx->device, &made, from);
    ldsl_artifact_free(from);
    *artifact = made;
    return status;
}

static enum ldsl_status compile(ldsl_artifact **out, struct ldsl_context *ctx,
                                const ldsl_source *source, const ldsl_options *options,
                                const char *identity, const struct ldsl_sink *sink)
{
    /* Without an identity a module image's key costs as much as the image. */
    bool cached = ctx->cache && (identity || options->emit == LDSL_EMIT_IMAGE);
    struct rt_cache_key key;
    char content[33];
    if (cached) {
        enum ldsl_status status = find_key(&key, content, ctx, source, options, identity, sink);
        if (status)
            return status;
        *out = rt_cache_find(ctx->cache, &key);
        if (*out)
            return LDSL_OK;
    }
    if (ctx->no_compile && options->emit == LDSL_EMIT_IMAGE)
        return refuse(options, sink);
    enum ldsl_status status = rt_edition.compiler->compile(out, source, options, sink);
    if (!status && cached && options->emit == LDSL_EMIT_IMAGE)
        status = translate(out, ctx);
    if (!status && cached)
        put(ctx, &key, content, source, options, *out);
    return status;
}

enum ldsl_status rt_compile_cached(ldsl_artifact **out, struct ldsl_context *ctx,
                                   const ldsl_source *source, enum ldsl_emit emit,
                                   const char *kernel, const char *bindings, const char *identity)
{
    *out = NULL;
    if (!rt_edition.compiler)
        return rt_error(&ctx->sink, LDSL_UNSUPPORTED,
                        "'%s' is source text, and this build of ldsl has no compiler",
                        source->path);
    ldsl_options options = LDSL_OPTIONS_INIT;
    options.emit = emit;
    options.target = ctx->info.target;
    options.kernel = kernel;
    options.bindings = bindings;
    options.whole = true;
    options.check = ctx->check;
    options.line_info = ctx->line_info;
    options.round_bias = ctx->round_bias;

    struct rt_recorder recorder;
    rt_recorder_init(&recorder, &ctx->sink);
    enum ldsl_status status = compile(out, ctx, source, &options, identity, &recorder.sink);
    bool told = recorder.failed || status == LDSL_DEVICE; /* the device itself tells its failures */
    if (status && !told)
        return rt_error(&ctx->sink, status, "compiling '%s' failed: %s", source->path,
                        ldsl_status_name(status));
    return status;
}
