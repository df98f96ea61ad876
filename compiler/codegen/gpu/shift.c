/* Rows that begin anywhere: a tile may begin a few elements before its range, so that its vectors lie
 * at multiples of their size; guards keep out what is not in the range. All accesses along the axis
 * should be off by the same: the first one decides, the others are tested. So should the rows that a
 * sweep walks over while a held tile stays: docs/decisions/0020. */
#include "codegen/gpu/gpu.h"

/* ---- may an axis be shifted? ------------------------------------------------------------------- */

/* Ops that see where a tile begins, or pair elements of tiles that begin elsewhere. */
static bool pins_start(const struct ir_node *n, uint8_t axis)
{
    switch ((int)n->op) {
    case IR_OP_scan:
    case IR_OP_extract:
    case IR_OP_merge:
    case IR_OP_dot: return n->attr.axis == axis;
    case IR_OP_relabel: return n->attr.axis == axis || n->attr.to == axis;
    default: return false;
    }
}

static bool block_pins(const struct ir_block *b, uint8_t axis)
{
    for (const struct ir_node *n = b->first; n; n = n->next) {
        if (pins_start(n, axis))
            return true;
        for (uint32_t i = 0; i < n->region_count; i++)
            if (block_pins(n->regions[i], axis))
                return true;
    }
    return false;
}

bool gpu_is_shiftable(const struct gen *g, uint8_t axis)
{
    const struct ir_axis *a = &g->f->axes.data[axis];
    bool range = a->kind == IR_AXIS_HELD || a->kind == IR_AXIS_SWEPT;
    return range && !g->f->ordered && !block_pins(g->f->body, axis);
}

/* ---- by how much ------------------------------------------------------------------------------- */

static axis_set combined_axes(const struct ir_node *n)
{
    switch ((int)n->op) {
    case IR_OP_reduce: return n->attr.axes;
    case IR_OP_relabel: return (axis_set)1 << n->attr.axis | (axis_set)1 << n->attr.to;
    case IR_OP_scan:
    case IR_OP_extract:
    case IR_OP_merge:
    case IR_OP_dot: return (axis_set)1 << n->attr.axis;
    default: return 0;
    }
}

/* Do threads exchange, along the other axis, values that have the axis too? */
static bool is_combined(const struct ir_block *b, uint8_t axis, uint8_t other)
{
    for (const struct ir_node *n = b->first; n; n = n->next) {
        for (uint32_t i = 0; i < n->operand_count && combined_axes(n) >> other & 1; i++)
            if (n->operands[i]->type.axes >> axis & 1)
                return true;
        for (uint32_t i = 0; i < n->region_count; i++)
            if (is_combined(n->regions[i], axis, other))
                return true;
    }
    return false;
}

/* Rows that a sweep walks over while a held tile stays: the first one decides for all. */
static bool is_walked(const struct gen *g, unsigned other, uint8_t axis)
{
    return g->f->axes.data[axis].kind == IR_AXIS_HELD &&
           g->f->axes.data[other].kind == IR_AXIS_SWEPT;
}

/* Rows of other axes: the shift is one for all registers of a thread, and for all threads where they go
 * through the rounds of a sweep together, or where rows are combined. */
static bool is_uniform(const struct gen *g, axis_set others, uint8_t axis)
{
    bool swept = g->f->axes.data[axis].kind == IR_AXIS_SWEPT;
    for (unsigned i = 0; i < g->f->axes.count; i++) {
        const struct gpu_axis_layout *l = &g->gpu->layout->axes[i];
        if (!(others >> i & 1) || is_walked(g, i, axis))
            continue;
        if (l->regs > 1 || (l->digit_count && (swept || is_combined(g->f->body, axis, (uint8_t)i))))
            return false;
    }
    return true;
}

static bool others_are_placed(struct gen *g, axis_set others, uint8_t axis)
{
    for (unsigned i = 0; i < g->f->axes.count; i++)
        if ((others >> i & 1) && (is_walked(g, i, axis) ? !gpu_is_ready(g, g->f->axes.data[i].lo)
                                                        : !g->gpu->axes[i].placed))
            return false;
    return true;
}

static bool is_ready(struct gen *g, const struct ir_node *n, uint8_t axis)
{
    struct ir_affine f;
    for (uint32_t d = 0; d < g->f->tensors.data[n->attr.tensor].rank; d++) {
        ir_affine_of(n->operands[d], &f);
        if (!f.affine)
            return false;
        for (uint32_t i = 0; i < f.term_count; i++)
            if (f.terms[i].value && !gpu_is_ready(g, f.terms[i].value))
                return false;
        for (uint32_t i = 0; i < g->f->axes.count; i++)
            if (f.factor[i] && !gpu_is_ready(g, f.factor[i]))
                return false;
        if (!others_are_placed(g, f.axes & ~((axis_set)1 << axis), axis))
            return false;
    }
    return true;
}

/* An access along the axis that is not known to be aligned, of one shift for all that must share it. */
static bool may_decide(struct gen *g, const struct ir_node *n, uint8_t axis)
{
    uint8_t along;
    const char *why;
    if ((n->op != IR_OP_load && n->op != IR_OP_store) || gpu_anchor_of(g->gpu->layout, n))
        return false;
    axis_set axes = gpu_subscript_axes(g->f, n);
    uint32_t bytes = g->gpu->schedule.vector;
    uint32_t possible = gpu_possible_width(g, g->gpu->layout, n, axes, bytes, &along);
    if (possible == 1 || along != axis ||
        gpu_access_width(g, g->gpu->layout, n, axes, bytes, &along, &why) >= possible)
        return false;
    axis_set others = axes & ~((axis_set)1 << axis);
    return is_uniform(g, others, axis);
}

/* What is read in every round before what is read once. ready: of those whose address is known at this
 * place. */
static const struct ir_node *find_deciding(struct gen *g, const struct ir_block *b, uint8_t axis,
                                           bool ready)
{
    for (const struct ir_node *n = b->first; n; n = n->next)
        for (uint32_t i = 0; i < n->region_count; i++) {
            const struct ir_node *found = find_deciding(g, n->regions[i], axis, ready);
            if (found)
                return found;
        }
    for (const struct ir_node *n = b->first; n; n = n->next)
        if (may_decide(g, n, axis) && (!ready || is_ready(g, n, axis)))
            return n;
    return NULL;
}

/* Of a held axis each row's tile may begin elsewhere, and a conversion pairs elements of all rows. */
static bool is_converted(const struct gen *g, uint8_t axis)
{
    const struct gpu_layout *l = g->gpu->layout;
    for (uint32_t i = 0; i < l->anchor_count; i++)
        if (gpu_subscript_axes(g->f, l->anchors[i].node) >> axis & 1)
            return g->f->axes.data[axis].kind == IR_AXIS_HELD;
    return false;
}

bool gpu_may_shift(struct gen *g, uint8_t axis)
{
    return gpu_is_shiftable(g, axis) && !is_converted(g, axis) &&
           find_deciding(g, g->f->body, axis, false);
}

/* Of the access, for a tile that begins at `at`, in the first round of sweeps along other axes. */
static struct gpu_address first_address(struct gen *g, const struct ir_node *n, uint8_t axis,
                                        LLVMValueRef at)
{
    struct gpu_axis saved[IR_MAX_AXIS];
    memcpy(saved, g->gpu->axes, sizeof saved);
    axis_set axes = gpu_subscript_axes(g->f, n);
    for (unsigned i = 0; i < g->f->axes.count; i++)
        if ((axes >> i & 1) && i != axis && is_walked(g, i, axis))
            g->gpu->axes[i] =
                (struct gpu_axis){.placed = true, .start = gpu_scalar(g, g->f->axes.data[i].lo)};
    g->gpu->axes[axis] = (struct gpu_axis){.placed = true, .start = at};
    struct gpu_address a = gpu_address(g, n, axes);
    memcpy(g->gpu->axes, saved, sizeof saved);
    return a;
}

LLVMValueRef gpu_shift(struct gen *g, uint8_t axis, LLVMValueRef at, uint32_t granule,
                       uint64_t tile)
{
    if (!gpu_is_shiftable(g, axis) || is_converted(g, axis))
        return NULL;
    const struct ir_node *n = find_deciding(g, g->f->body, axis, true);
    if (!n)
        return NULL;
    struct gpu_address a = first_address(g, n, axis, at);
    while (granule > tile * a.bytes)
        granule /= 2;
    LLVMValueRef low = LLVMBuildAnd(g->b, a.base, gen_index(g, (int64_t)granule - 1), "");
    return LLVMBuildUDiv(g->b, low, gen_index(g, a.bytes), "");
}
