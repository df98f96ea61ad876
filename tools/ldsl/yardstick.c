#include "yardstick.h"

#include <string.h>

#define CLONE_PATH "memory/copy.ldsl"

enum { VECTOR_BYTES = 16 };

/* ---- life -------------------------------------------------------------------------------------- */

static const char *clone_text(size_t *length)
{
    const char *path;
    for (uint32_t i = 0; (path = ldsl_builtin_path(i)) != NULL; i++)
        if (strcmp(path, CLONE_PATH) == 0)
            return ldsl_builtin_text(i, length);
    return NULL;
}

enum ldsl_status yardstick_open(struct yardstick *y, ldsl_context *context,
                                const struct flush *flush, bool no_compile)
{
    size_t length;
    const char *text = clone_text(&length);
    *y = (struct yardstick){.context = context, .flush = flush};
    if (!text || no_compile || strcmp(ldsl_context_device(context), "cpu") == 0)
        return LDSL_OK;
    return ldsl_library_load_text(&y->library, context, LDSL_BUILTIN_ROOT CLONE_PATH, text, length);
}

void yardstick_close(struct yardstick *y)
{
    yardstick_unload(y);
    ldsl_library_destroy(y->library);
    *y = (struct yardstick){0};
}

/* ---- one size ---------------------------------------------------------------------------------- */

static void add_copy(struct yardstick *y, const char *name, ldsl_plan *plan)
{
    y->copies[y->count++] = (struct yardstick_copy){.yardstick = y, .name = name, .plan = plan};
}

static enum ldsl_status add_kernel(struct yardstick *y, const char *name, const char *with)
{
    enum ldsl_dtype dtype = LDSL_BF16;
    ldsl_argument x = {.name = "x", .dtype = dtype, .rank = 1};
    ldsl_plan *plan;
    x.shape[0] = (int64_t)(y->bytes / ldsl_dtype_size(dtype));
    enum ldsl_status status = ldsl_plan_prepare(&plan, y->library, "clone", &x, 1, with);
    if (!status)
        add_copy(y, name, plan);
    return status;
}

/* The device's own copy comes last, and so between one that keeps what it read in the cache and what is
 * measured: the copy behind such a one is slower by a part in a hundred, caches flushed or not. */
static enum ldsl_status add_copies(struct yardstick *y)
{
    enum ldsl_status status = LDSL_OK;
    if (y->library && y->bytes)
        status = add_kernel(y, "clone", "BN=2048,num_warps=8,evict_last=0");
    if (!status && y->library && y->bytes)
        status = add_kernel(y, "clone, evict_last", "BN=2048,num_warps=8,evict_last=1");
    if (!status)
        add_copy(y, "device", NULL);
    return status;
}

/* Both are filled: what was never written need not have pages of its own. */
static enum ldsl_status make_buffer(ldsl_buffer **out, struct yardstick *y)
{
    enum ldsl_status status = ldsl_buffer_create(out, y->context, y->bytes);
    return status ? status : fill_bits(*out, y->bytes);
}

enum ldsl_status yardstick_load(struct yardstick *y, size_t moved)
{
    y->bytes = moved / 2;
    if (y->library) /* whole vectors: at most one more than asked for */
        y->bytes = (y->bytes + VECTOR_BYTES - 1) / VECTOR_BYTES * VECTOR_BYTES;
    enum ldsl_status status = make_buffer(&y->from, y);
    if (!status)
        status = make_buffer(&y->to, y);
    return status ? status : add_copies(y);
}

void yardstick_unload(struct yardstick *y)
{
    for (unsigned i = 0; i < y->count; i++)
        ldsl_plan_destroy(y->copies[i].plan);
    ldsl_buffer_destroy(y->from);
    ldsl_buffer_destroy(y->to);
    y->from = y->to = NULL;
    y->count = 0;
}

/* ---- copying ----------------------------------------------------------------------------------- */

enum ldsl_status yardstick_before(void *user, void *stream)
{
    const struct yardstick_copy *copy = user;
    return flush_run(copy->yardstick->flush, copy->yardstick->context, stream);
}

enum ldsl_status yardstick_copy(void *user, void *stream)
{
    const struct yardstick_copy *copy = user;
    const struct yardstick *y = copy->yardstick;
    uint64_t pointers[] = {ldsl_buffer_address(y->from), ldsl_buffer_address(y->to)};
    if (copy->plan)
        return ldsl_plan_launch(copy->plan, pointers, 2, 0, stream);
    return ldsl_device_copy(y->context, pointers[1], pointers[0], y->bytes, stream);
}
