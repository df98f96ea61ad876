#include "loaded.h"

#include "random.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- flushing ---------------------------------------------------------------------------------- */

/* Pages that were never written are all the same page of zeros: copying those would time the cache,
 * not the memory. */
enum ldsl_status fill_bits(ldsl_buffer *buffer, size_t bytes)
{
    uint64_t block[8192];
    for (size_t i = 0; i < sizeof block / sizeof *block; i++)
        block[i] = random_bits(1, i);
    enum ldsl_status status = LDSL_OK;
    for (size_t at = 0; !status && at < bytes; at += sizeof block)
        status = ldsl_buffer_upload(buffer, at, block,
                                    bytes - at < sizeof block ? bytes - at : sizeof block);
    return status;
}

/* Twice the largest cache of the host, or 128 MiB where it is unknown. 256 MiB for a GPU, of which all
 * but a little is written: its cache is then full of lines that have yet to go to memory, as between
 * the kernels of a model. */
enum ldsl_status flush_create(struct flush *out, ldsl_context *context)
{
    size_t cache = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
    long size = sysconf(_SC_LEVEL3_CACHE_SIZE);
    cache = size > 0 ? (size_t)size : 0;
#endif
    out->bytes = cache && cache < ((size_t)256 << 20) ? 2 * cache : (size_t)128 << 20;
    out->part = out->bytes / 2;
    if (strncmp(ldsl_context_device(context), "cuda", 4) == 0) {
        out->bytes = (size_t)256 << 20;
        out->part = out->bytes / 32;
    }
    enum ldsl_status status = ldsl_buffer_create(&out->buffer, context, out->bytes);
    if (!status)
        status = fill_bits(out->buffer, out->bytes);
    if (!status)
        status = flush_run(out, context, NULL);
    return status ? status : ldsl_stream_synchronize(context, NULL);
}

void flush_destroy(struct flush *flush)
{
    ldsl_buffer_destroy(flush->buffer);
    *flush = (struct flush){0};
}

enum ldsl_status flush_run(const struct flush *flush, ldsl_context *context, void *stream)
{
    uint64_t address = ldsl_buffer_address(flush->buffer);
    enum ldsl_status status = LDSL_OK;
    for (size_t at = flush->part; !status && at < flush->bytes; at += flush->part)
        status = ldsl_device_copy(context, address + at, address, flush->part, stream);
    return status;
}

/* ---- tensors ----------------------------------------------------------------------------------- */

/* Fills a tensor by its hint. A million values, repeated: their number is no multiple of a row. */
static enum ldsl_status fill(struct cli *cli, ldsl_buffer *buffer, const struct trial *t,
                             uint64_t seed, const ldsl_tensor_info *info)
{
    struct tensor_error error;
    struct tensor pattern = {0};
    const ldsl_op_param *p = subject_find(t->subject, info->name);
    size_t element = ldsl_dtype_size(info->dtype), count = info->bytes / element;
    int64_t shape[1] = {(int64_t)(count < 1000003 ? count : 1000003)};
    enum ldsl_status status = LDSL_OK;
    if (!tensor_create(&pattern, info->dtype, 1, shape, &error) ||
        !trial_sample(&pattern, t, (uint32_t)(p - t->subject->params), seed, &error)) {
        cli_error(cli, "%s", error.text);
        status = LDSL_ARGUMENT;
    }
    for (size_t at = 0; !status && at < info->bytes; at += pattern.bytes) {
        size_t left = info->bytes - at;
        status = ldsl_buffer_upload(buffer, at, pattern.data,
                                    left < pattern.bytes ? left : pattern.bytes);
    }
    tensor_destroy(&pattern);
    return status;
}

static enum ldsl_status keep_before(struct loaded *l, uint32_t i)
{
    enum ldsl_status status = ldsl_buffer_create(&l->before[i], l->context, l->tensor_bytes[i]);
    if (!status)
        status = ldsl_device_copy(l->context, ldsl_buffer_address(l->before[i]), l->pointers[i],
                                  l->tensor_bytes[i], NULL);
    return status ? status : ldsl_stream_synchronize(l->context, NULL);
}

static enum ldsl_status load_tensor(struct loaded *l, uint32_t i, struct cli *cli,
                                    const struct trial *t, uint64_t seed)
{
    ldsl_tensor_info info;
    ldsl_plan_tensor(l->plan, i, &info);
    l->tensor_bytes[i] = info.bytes;
    enum ldsl_status status = ldsl_buffer_create(&l->buffers[i], l->context, info.bytes);
    if (status)
        return status;
    l->pointers[i] = ldsl_buffer_address(l->buffers[i]);
    bool is_mut = info.is_written && !info.is_output;
    l->bytes += info.bytes * (is_mut ? 2 : 1);
    if (info.bytes) /* outputs too: their pages must be there */
        status = fill(cli, l->buffers[i], t, seed, &info);
    return !status && is_mut && info.bytes ? keep_before(l, i) : status;
}

enum ldsl_status loaded_create(struct loaded *l, struct cli *cli, const struct operators *ops,
                               const struct trial *t, uint64_t seed, ldsl_plan *plan,
                               const struct flush *flush)
{
    *l = (struct loaded){.context = ops->context,
                         .flush = flush,
                         .plan = plan,
                         .count = ldsl_plan_tensor_count(plan)};
    l->buffers = calloc(l->count + 1, sizeof *l->buffers);
    l->before = calloc(l->count + 1, sizeof *l->before);
    l->tensor_bytes = calloc(l->count + 1, sizeof *l->tensor_bytes);
    l->pointers = calloc(l->count + 1, sizeof *l->pointers);
    if (!l->buffers || !l->before || !l->tensor_bytes || !l->pointers)
        return LDSL_NOMEM;
    enum ldsl_status status = LDSL_OK;
    for (uint32_t i = 0; !status && i < l->count; i++)
        status = load_tensor(l, i, cli, t, seed);
    return status ? status : loaded_use(l, plan);
}

void loaded_destroy(struct loaded *l)
{
    for (uint32_t i = 0; l->buffers && l->before && i < l->count; i++) {
        ldsl_buffer_destroy(l->buffers[i]);
        ldsl_buffer_destroy(l->before[i]);
    }
    free(l->buffers);
    free(l->before);
    free(l->tensor_bytes);
    free(l->pointers);
    ldsl_buffer_destroy(l->workspace);
    *l = (struct loaded){0};
}

enum ldsl_status loaded_use(struct loaded *l, ldsl_plan *plan)
{
    size_t bytes = ldsl_plan_workspace_bytes(plan);
    l->plan = plan;
    if (l->workspace && bytes <= l->workspace_bytes)
        return LDSL_OK;
    ldsl_buffer_destroy(l->workspace);
    l->workspace = NULL;
    l->workspace_bytes = bytes;
    return ldsl_buffer_create(&l->workspace, l->context, bytes);
}

/* ---- timing ------------------------------------------------------------------------------------ */

enum ldsl_status loaded_before(void *user, void *stream)
{
    const struct loaded *l = user;
    enum ldsl_status status = LDSL_OK;
    for (uint32_t i = 0; !status && i < l->count; i++)
        if (l->before[i])
            status = ldsl_device_copy(l->context, l->pointers[i], ldsl_buffer_address(l->before[i]),
                                      l->tensor_bytes[i], stream);
    return status ? status : flush_run(l->flush, l->context, stream);
}

enum ldsl_status loaded_launch(void *user, void *stream)
{
    const struct loaded *l = user;
    return ldsl_plan_launch(l->plan, l->pointers, l->count, ldsl_buffer_address(l->workspace),
                            stream);
}
