/* Arithmetic of layouts: registers of views, offsets, and whether a layout is one. */
#include "codegen/gpu/layout.h"

#include <string.h>

/* ---- views ------------------------------------------------------------------------------------- */

struct gpu_view gpu_view(const struct gpu_layout *l, axis_set axes)
{
    struct gpu_view v = {.layout = l, .axes = axes, .count = 1, .fast = IR_NO_AXIS};
    for (uint32_t a = 0; a < l->axis_count; a++)
        if (axes >> a & 1)
            v.count *= l->axes[a].regs;
    return v;
}

struct gpu_view gpu_view_along(const struct gpu_layout *l, axis_set axes, uint8_t axis)
{
    struct gpu_view v = gpu_view(l, axes);
    for (uint32_t k = l->axis_count; k-- > 0 && axis != IR_NO_AXIS && l->order[k] != axis;)
        if (axes >> l->order[k] & 1 && l->axes[l->order[k]].regs > 1)
            v.fast = axis;
    return v;
}

bool gpu_view_same(const struct gpu_view *a, const struct gpu_view *b)
{
    return a->axes == b->axes && a->fast == b->fast;
}

/* The axes from the fastest to the slowest; IR_NO_AXIS past the end. */
static uint8_t axis_at(const struct gpu_view *v, uint32_t k)
{
    const struct gpu_layout *l = v->layout;
    if (v->fast != IR_NO_AXIS && k-- == 0)
        return v->fast;
    for (uint32_t i = l->axis_count; i-- > 0;) {
        uint8_t a = l->order[i];
        if (v->axes >> a & 1 && a != v->fast && k-- == 0)
            return a;
    }
    return IR_NO_AXIS;
}

uint32_t gpu_view_digit(const struct gpu_view *v, uint32_t i, uint8_t axis)
{
    uint8_t a;
    for (uint32_t k = 0; (a = axis_at(v, k)) != IR_NO_AXIS; k++) {
        uint32_t regs = v->layout->axes[a].regs;
        if (a == axis)
            return i % regs;
        i /= regs;
    }
    return 0;
}

uint32_t gpu_view_register(const struct gpu_view *v, const uint32_t numbers[IR_MAX_AXIS])
{
    uint32_t result = 0, weight = 1;
    uint8_t a;
    for (uint32_t k = 0; (a = axis_at(v, k)) != IR_NO_AXIS; k++) {
        result += numbers[a] * weight;
        weight *= v->layout->axes[a].regs;
    }
    return result;
}

uint32_t gpu_view_map(const struct gpu_view *from, uint32_t i, const struct gpu_view *to)
{
    uint32_t numbers[IR_MAX_AXIS];
    for (uint32_t a = 0; a < to->layout->axis_count; a++)
        numbers[a] = to->axes >> a & 1 ? gpu_view_digit(from, i, (uint8_t)a) : 0;
    return gpu_view_register(to, numbers);
}

uint32_t gpu_axis_offset(const struct gpu_axis_layout *l, uint32_t r)
{
    uint32_t offset = 0;
    for (uint32_t d = 0; d < l->digit_count; d++)
        if (l->digits[d].source == GPU_REG) {
            offset += r % l->digits[d].count * l->digits[d].stride;
            r /= l->digits[d].count;
        }
    return offset;
}

uint32_t gpu_axis_count(const struct gpu_axis_layout *l, enum gpu_digit_source source)
{
    uint32_t count = 1;
    for (uint32_t d = 0; d < l->digit_count; d++)
        if (l->digits[d].source == source)
            count *= l->digits[d].count;
    return count;
}

const struct gpu_anchor *gpu_anchor_of(const struct gpu_layout *l, const struct ir_node *n)
{
    for (uint32_t i = 0; i < l->anchor_count; i++)
        if (l->anchors[i].node == n)
            return &l->anchors[i];
    return NULL;
}

/* ---- axes that meet ---------------------------------------------------------------------------- */

static void meet(axis_set axes, axis_set *meets)
{
    for (uint32_t a = 0; a < IR_MAX_AXIS; a++)
        if (axes >> a & 1)
            meets[a] |= axes;
}

static void meet_in_block(const struct ir_block *b, axis_set *meets);

static void meet_in_node(const struct ir_node *n, axis_set *meets)
{
    axis_set all = 0;
    for (uint32_t i = 0; i < n->operand_count; i++)
        all |= n->operands[i]->type.axes;
    /* What these do happens for each element over the axes of all operands together. */
    if (n->op == IR_OP_store || n->op == IR_OP_load || n->op == IR_OP_atomic || n->op == IR_OP_dot)
        meet(all, meets);
    for (uint32_t i = 0; i < n->result_count; i++)
        meet(n->results[i]->type.axes, meets);
    for (uint32_t r = 0; r < n->region_count; r++)
        meet_in_block(n->regions[r], meets);
}

static void meet_in_block(const struct ir_block *b, axis_set *meets)
{
    for (uint32_t i = 0; i < b->args.count; i++)
        meet(b->args.data[i]->type.axes, meets);
    for (const struct ir_node *n = b->first; n; n = n->next)
        meet_in_node(n, meets);
}

void gpu_axes_meeting(const struct ir_func *f, axis_set meets[IR_MAX_AXIS])
{
    memset(meets, 0, IR_MAX_AXIS * sizeof *meets);
    for (uint32_t a = 0; a < f->axes.count; a++)
        meets[a] = (axis_set)1 << a;
    meet_in_block(f->body, meets);
}

/* ---- checking ---------------------------------------------------------------------------------- */

static uint32_t source_size(const struct gpu_layout *l, uint8_t source)
{
    switch ((enum gpu_digit_source)source) {
    case GPU_LANE: return l->threads / l->warps;
    case GPU_WARP: return l->warps;
    case GPU_RANK: return l->cluster;
    case GPU_REG: break;
    }
    return UINT32_MAX;
}

/* Two digits of one source tell a number's parts apart: one ends below where the other begins. */
static bool are_apart(const struct gpu_digit *x, const struct gpu_digit *y)
{
    if (x->source == GPU_REG || x->source != y->source)
        return true;
    uint64_t x_end = (uint64_t)x->divisor * x->count, y_end = (uint64_t)y->divisor * y->count;
    return y->divisor % x_end == 0 || x->divisor % y_end == 0;
}

static bool apart_on_axes(const struct gpu_axis_layout *x, const struct gpu_axis_layout *y)
{
    for (uint32_t i = 0; i < x->digit_count; i++)
        for (uint32_t j = 0; j < y->digit_count; j++)
            if ((x != y || i != j) && !are_apart(&x->digits[i], &y->digits[j]))
                return false;
    return true;
}

/* NULL, or what is wrong with the digits of one axis. */
static const char *check_axis(const struct gpu_layout *l, const struct gpu_axis_layout *x)
{
    uint64_t cover = 1, regs = 1;
    if (x->digit_count > GPU_MAX_DIGITS)
        return "too many digits";
    for (uint32_t d = 0; d < x->digit_count; d++) {
        const struct gpu_digit *digit = &x->digits[d];
        if (digit->count < 2)
            return "a digit that says nothing";
        if (digit->stride != cover)
            return "a digit whose stride is not the product of the counts before it";
        if (digit->source != GPU_REG &&
            (!digit->divisor ||
             (uint64_t)digit->divisor * digit->count > source_size(l, digit->source)))
            return "a digit of threads that there are not";
        cover *= digit->count;
        regs *= digit->source == GPU_REG ? digit->count : 1;
    }
    if (cover != x->cover || regs != x->regs)
        return "a cover or number of registers that its digits do not make";
    bool starts_in_register = x->digit_count && x->digits[0].source == GPU_REG;
    if (x->vector != 1 && (!starts_in_register || x->digits[0].count % x->vector))
        return "a vector that is not in neighbouring registers";
    return apart_on_axes(x, x) ? NULL : "two digits of the same threads";
}

static bool is_part_of(const struct ir_func *f, uint32_t part, uint32_t parent)
{
    return f->axes.data[part].kind == IR_AXIS_PART && f->axes.data[part].parent == parent;
}

static bool check_axes(struct session *s, const struct ir_func *f, const struct gpu_layout *l,
                       const char **why)
{
    for (uint32_t a = 0; a < f->axes.count; a++) {
        const struct ir_axis *axis = &f->axes.data[a];
        const struct gpu_axis_layout *x = &l->axes[a];
        const char *wrong = check_axis(l, x);
        if (!wrong && axis->kind == IR_AXIS_PART && x->regs != 1)
            wrong = "registers, though its parts are threads";
        if (!wrong && axis->kind != IR_AXIS_PART && x->cover < (uint64_t)axis->tile)
            wrong = "no place for the end of its tile";
        if (wrong) {
            *why = arena_printf(&s->module, "axis %s has %s", axis->name, wrong);
            return false;
        }
    }
    return true;
}

static bool check_order(struct session *s, const struct gpu_layout *l, const char **why)
{
    axis_set seen = 0;
    for (uint32_t k = 0; k < l->axis_count; k++)
        seen |= l->order[k] < l->axis_count ? (axis_set)1 << l->order[k] : 0;
    for (uint32_t a = 0; a < l->axis_count; a++)
        if (!(seen >> a & 1)) {
            *why = arena_printf(&s->module, "axis number %u is not in the order", a);
            return false;
        }
    return true;
}

bool gpu_layout_check(struct session *s, const struct ir_func *f, const struct gpu_layout *l,
                      const char **why)
{
    axis_set meets[IR_MAX_AXIS];
    if (!check_axes(s, f, l, why) || !check_order(s, l, why))
        return false;
    gpu_axes_meeting(f, meets);
    for (uint32_t a = 0; a < f->axes.count; a++)
        for (uint32_t b = 0; b < a; b++)
            if (meets[a] >> b & 1 && !is_part_of(f, a, b) && !is_part_of(f, b, a) &&
                !apart_on_axes(&l->axes[a], &l->axes[b])) {
                *why = arena_printf(&s->module, "axes %s and %s meet and use the same threads",
                                    f->axes.data[a].name, f->axes.data[b].name);
                return false;
            }
    return true;
}
