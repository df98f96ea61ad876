/* parts: how many parts a partition has.
 *
 * What:  gives each part axis without a number of parts one that fits the target: on a CPU two
 *        vectors of f32, so that two chains of dependent ops run side by side, but never more than
 *        its parent's tile has elements; on a GPU one part for each thread, as far as is known here:
 *        there the layout has the last word.
 * Needs: nothing.
 * Keeps: numbers of parts that the kernel or the user chose. @ordered functions get the same number
 *        on every CPU, because it decides the order of their sums.
 * Example: with 32-byte vectors,
 *        p : part v {tile = 0}  ->  p : part v {tile = 16} */
#include "pass/internal.h"

#define ORDERED_PARTS 16

static int64_t setting_of(const struct ir_func *f, const char *name, int64_t otherwise)
{
    for (uint32_t i = 0; i < f->settings.count; i++)
        if (strcmp(f->settings.data[i].name, name) == 0)
            return f->settings.data[i].value;
    return otherwise;
}

static int64_t wanted_parts(const struct ir_func *f, const struct facts *facts)
{
    if (f->ordered)
        return ORDERED_PARTS;
    if (facts->lanes > 1)
        return facts->lanes * setting_of(f, "num_warps", 4) * setting_of(f, "cluster", 1);
    int64_t vector = facts->vector_bytes / 4;
    return vector ? 2 * vector : 1;
}

bool pass_parts(struct pass_ctx *ctx, struct ir_func *f)
{
    int64_t wanted = wanted_parts(f, ctx->facts);
    bool changed = false;
    for (uint32_t i = 0; i < f->axes.count; i++) {
        struct ir_axis *axis = &f->axes.data[i];
        if (axis->kind != IR_AXIS_PART || axis->tile)
            continue;
        int64_t most = f->axes.data[axis->parent].tile;
        axis->tile = wanted < most ? wanted : most;
        changed = true;
    }
    return changed;
}
