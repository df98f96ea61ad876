/* Where tiles stand and which of their elements exist. */
#include "codegen/gpu/gpu.h"

#include <string.h>

enum {
    MOST_GROUP = 64, /* more than a vector has */
    MOST_KEPT = 4,   /* tests of an axis: a thread has seven predicates */
    LONG = 8,        /* elements of a vector: a branch is worth testing one instead of each */
};

static axis_set bit_of(unsigned axis)
{
    return (axis_set)1 << axis;
}

static LLVMValueRef constant(struct gen *g, uint64_t value)
{
    return gen_int(g, g->t_i32, (int64_t)value);
}

/* ---- digits ------------------------------------------------------------------------------------ */

static LLVMValueRef number_of(struct gen *g, enum gpu_digit_source source)
{
    return source == GPU_LANE ? g->gpu->lane_id : source == GPU_WARP ? g->gpu->warp : g->gpu->rank;
}

/* How many numbers a source has. */
static uint64_t numbers(const struct gen *g, enum gpu_digit_source source)
{
    const struct gpu_layout *l = g->gpu->layout;
    return source == GPU_LANE ? g->target->facts.lanes : source == GPU_WARP ? l->warps : l->cluster;
}

LLVMValueRef gpu_digit_value(struct gen *g, const struct gpu_digit *d)
{
    LLVMValueRef x = number_of(g, (enum gpu_digit_source)d->source);
    if (d->divisor > 1)
        x = LLVMBuildUDiv(g->b, x, constant(g, d->divisor), "");
    if ((uint64_t)d->divisor * d->count < numbers(g, (enum gpu_digit_source)d->source))
        x = LLVMBuildURem(g->b, x, constant(g, d->count), "");
    return x;
}

LLVMValueRef gpu_thread_part(struct gen *g, const struct gpu_axis_layout *l)
{
    LLVMValueRef sum = NULL;
    for (uint32_t i = 0; i < l->digit_count; i++) {
        const struct gpu_digit *d = &l->digits[i];
        if (d->source == GPU_REG)
            continue;
        LLVMValueRef x = LLVMBuildMul(g->b, gpu_digit_value(g, d), constant(g, d->stride), "");
        sum = sum ? LLVMBuildAdd(g->b, sum, x, "") : x;
    }
    return sum;
}

void gpu_locate(struct gen *g)
{
    for (unsigned i = 0; i < g->f->axes.count; i++)
        g->gpu->axes[i].thread = gpu_thread_part(g, &g->gpu->layout->axes[i]);
}

/* ---- copies ------------------------------------------------------------------------------------ */

/* The source's number less what the digits of `axes` account for: 0 in the first of the threads that
 * differ in other digits only. NULL: the digits account for all of it. */
static LLVMValueRef rest_of(struct gen *g, axis_set axes, enum gpu_digit_source source)
{
    uint64_t accounted = 1;
    LLVMValueRef sum = NULL;
    for (unsigned a = 0; a < g->f->axes.count; a++) {
        const struct gpu_axis_layout *l = &g->gpu->layout->axes[a];
        for (uint32_t i = 0; (axes & bit_of(a)) && i < l->digit_count; i++) {
            const struct gpu_digit *d = &l->digits[i];
            if (d->source != source)
                continue;
            LLVMValueRef x = LLVMBuildMul(g->b, gpu_digit_value(g, d), constant(g, d->divisor), "");
            sum = sum ? LLVMBuildAdd(g->b, sum, x, "") : x;
            accounted *= d->count;
        }
    }
    if (accounted == numbers(g, source))
        return NULL;
    return sum ? LLVMBuildSub(g->b, number_of(g, source), sum, "") : number_of(g, source);
}

LLVMValueRef gpu_owner(struct gen *g, axis_set axes)
{
    LLVMValueRef rest = NULL;
    for (int source = GPU_LANE; source <= GPU_RANK; source++) {
        LLVMValueRef x = rest_of(g, axes, (enum gpu_digit_source)source);
        if (x)
            rest = rest ? LLVMBuildOr(g->b, rest, x, "") : x;
    }
    return rest ? LLVMBuildICmp(g->b, LLVMIntEQ, rest, constant(g, 0), "") : NULL;
}

/* ---- known multiples --------------------------------------------------------------------------- */

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

static uint64_t multiple_of_arg(const struct gen *g, const struct ir_value *v)
{
    for (uint32_t i = 0; i < g->f->params.count; i++)
        if (g->f->params.data[i].value == v)
            return (uint64_t)g->f->params.data[i].multiple;
    return 1;
}

/* 0 is a multiple of everything: constants give 0 for 0. Integers wrap at a power of two, so only
 * powers of two outlive a product. */
static uint64_t multiple(const struct gen *g, const struct ir_value *v, unsigned depth)
{
    if (v->def != IR_DEF_NODE)
        return multiple_of_arg(g, v);
    const struct ir_node *n = v->node;
    if (n->op == IR_OP_const)
        return ir_elem_is_float(v->type.elem) ? 1
                                              : (uint64_t)n->attr.i & (~(uint64_t)n->attr.i + 1);
    if (n->op == IR_OP_index && !v->type.axes)
        return (uint64_t)g->f->axes.data[n->attr.axis].tile;
    if (depth == 0 || n->operand_count < 2)
        return 1;
    uint64_t a = multiple(g, n->operands[0], depth - 1);
    uint64_t b = multiple(g, n->operands[1], depth - 1);
    switch ((int)n->op) {
    case IR_OP_add:
    case IR_OP_sub:
    case IR_OP_min:
    case IR_OP_max: return gcd(a, b);
    case IR_OP_mul: return a && b ? (a & (~a + 1)) * (b & (~b + 1)) : 0;
    default: return 1;
    }
}

uint64_t gpu_multiple(const struct gen *g, const struct ir_value *v)
{
    return v ? multiple(g, v, 6) : 0;
}

uint32_t gpu_group(const struct gen *g, const struct ir_value *lo, const struct ir_value *hi,
                   uint64_t tile)
{
    uint64_t multiples[] = {gpu_multiple(g, lo), gpu_multiple(g, hi), tile};
    uint32_t group = MOST_GROUP;
    for (unsigned i = 0; i < 3; i++)
        while (multiples[i] % group)
            group /= 2;
    return group;
}

/* ---- axes -------------------------------------------------------------------------------------- */

static LLVMValueRef to_word(struct gen *g, LLVMValueRef x, uint64_t most)
{
    LLVMTypeRef t = g->t_i64;
    LLVMValueRef high[] = {x, gen_index(g, (int64_t)most)};
    x = gen_intrinsic(g, "llvm.smin", &t, 1, high, 2);
    return LLVMBuildTrunc(g->b, x, g->t_i32, "");
}

/* What is left of the tile from this thread's first element on. */
static void find_room(struct gen *g, uint8_t axis)
{
    const struct gpu_axis_layout *l = &g->gpu->layout->axes[axis];
    const struct ir_axis *a = &g->f->axes.data[axis];
    struct gpu_axis *x = &g->gpu->axes[axis];
    x->skip = x->span = x->room = NULL;
    x->tests = arena_array(&g->s->module, LLVMValueRef, l->regs);
    if (a->kind == IR_AXIS_PART || (!x->end && l->cover == (uint64_t)a->tile))
        return;
    LLVMValueRef room = x->end ? x->end : constant(g, (uint64_t)a->tile);
    x->room = x->thread ? LLVMBuildSub(g->b, room, x->thread, "") : room;
}

/* The tests of a held axis are many and stand in the way of each other; a sweep makes them at its ends
 * only, where registers are dearer than predicates. */
static void find_skip(struct gen *g, uint8_t axis)
{
    struct gpu_axis *x = &g->gpu->axes[axis];
    bool held = g->f->axes.data[axis].kind == IR_AXIS_HELD;
    x->skip = x->thread ? LLVMBuildSub(g->b, x->first, x->thread, "") : x->first;
    x->span = held && x->room ? LLVMBuildSub(g->b, x->room, x->skip, "") : NULL;
}

void gpu_place_axis(struct gen *g, uint8_t axis, LLVMValueRef start, LLVMValueRef limit,
                    uint32_t group)
{
    const struct ir_axis *a = &g->f->axes.data[axis];
    struct gpu_axis *x = &g->gpu->axes[axis];
    x->placed = true;
    x->start = start;
    x->by_vectors = false;
    x->group = group;
    x->first = x->end = NULL;
    if (limit && a->kind != IR_AXIS_PART)
        x->end = to_word(g, LLVMBuildSub(g->b, limit, start, ""), (uint64_t)a->tile);
    find_room(g, axis);
}

void gpu_skip_to(struct gen *g, uint8_t axis, LLVMValueRef first, uint32_t most)
{
    struct gpu_axis *x = &g->gpu->axes[axis];
    x->most_skip = most;
    x->first = LLVMBuildTrunc(g->b, LLVMBuildSub(g->b, first, x->start, ""), g->t_i32, "");
    find_skip(g, axis);
}

void gpu_step_into(struct gen *g, struct gpu_layout *layout, axis_set axes,
                   struct gpu_standing *saved)
{
    saved->layout = g->gpu->layout;
    memcpy(saved->axes, g->gpu->axes, sizeof saved->axes);
    g->gpu->layout = layout;
    for (unsigned a = 0; a < g->f->axes.count; a++) {
        struct gpu_axis *x = &g->gpu->axes[a];
        if (!(axes & bit_of(a)))
            continue;
        x->thread = gpu_thread_part(g, &layout->axes[a]);
        find_room(g, (uint8_t)a);
        if (x->first)
            find_skip(g, (uint8_t)a);
    }
}

void gpu_step_back(struct gen *g, const struct gpu_standing *saved)
{
    g->gpu->layout = saved->layout;
    memcpy(g->gpu->axes, saved->axes, sizeof saved->axes);
}

LLVMValueRef gpu_and(struct gen *g, LLVMValueRef a, LLVMValueRef b)
{
    return !a ? b : !b ? a : LLVMBuildAnd(g->b, a, b, "");
}

/* How many elements in a row exist or not together, as the thread's registers have them. */
static uint32_t group_of(const struct gpu_axis *x, const struct gpu_axis_layout *l)
{
    if (x->by_vectors)
        return l->vector;
    return l->vector > 1 && !x->skip ? (uint32_t)gcd(l->vector, x->group) : 1;
}

/* A constant decides its tests at once: of a tile without elements nothing is left. */
static void renew(struct gen *g, LLVMValueRef *word)
{
    if (*word && !LLVMIsConstant(*word))
        gpu_remember(g, word, g->gpu->hooks->pin(&g->gpu->lane, *word, true));
}

void gpu_renew_tests(struct gen *g, axis_set axes)
{
    for (unsigned a = 0; a < g->f->axes.count; a++) {
        struct gpu_axis *x = &g->gpu->axes[a];
        const struct gpu_axis_layout *l = &g->gpu->layout->axes[a];
        if (!(axes & bit_of(a)) || (!x->room && !x->skip) || l->regs / group_of(x, l) <= MOST_KEPT)
            continue;
        for (uint32_t r = 0; r < l->regs; r++)
            if (x->tests[r])
                gpu_remember(g, &x->tests[r], NULL);
        renew(g, &x->room);
        renew(g, &x->skip);
        renew(g, &x->span);
    }
}

/* Of the elements counted from this thread's first one: are those from `from` on, `width` of them, among
 * those that exist? With a span by one comparison: skip <= from and from + width <= room is
 * from - skip <= span - width without a sign. */
static LLVMValueRef contains(struct gen *g, const struct gpu_axis *x, uint32_t from, uint32_t width)
{
    bool may_precede = x->skip && from < x->most_skip;
    if (x->span && may_precede) {
        LLVMTypeRef t = g->t_i32;
        LLVMValueRef after = LLVMBuildSub(g->b, constant(g, from), x->skip, "");
        LLVMValueRef fit[] = {LLVMBuildSub(g->b, x->span, constant(g, width - 1), ""),
                              constant(g, 0)};
        LLVMValueRef places = gen_intrinsic(g, "llvm.smax", &t, 1, fit, 2);
        return LLVMBuildICmp(g->b, LLVMIntULT, after, places, "");
    }
    LLVMValueRef in = NULL;
    if (x->room)
        in = LLVMBuildICmp(g->b, LLVMIntSGE, x->room, constant(g, from + width), "");
    if (may_precede)
        in = gpu_and(g, in, LLVMBuildICmp(g->b, LLVMIntSLE, x->skip, constant(g, from), ""));
    return in;
}

/* One test for all elements that exist together: it is the same LLVM value for all of them. */
static LLVMValueRef exists_along(struct gen *g, const struct gpu_view *view, uint32_t i,
                                 uint8_t axis)
{
    const struct gpu_axis *x = &g->gpu->axes[axis];
    const struct gpu_axis_layout *l = &g->gpu->layout->axes[axis];
    if (!x->room && !x->skip)
        return NULL;
    uint32_t r = gpu_view_digit(view, i, axis);
    r -= r % group_of(x, l);
    if (!x->tests[r])
        gpu_remember(g, &x->tests[r], contains(g, x, gpu_axis_offset(l, r), 1));
    return x->tests[r];
}

bool gpu_is_ragged(struct gen *g, uint32_t width, uint8_t axis)
{
    const struct gpu_axis *x = &g->gpu->axes[axis];
    return (x->room || x->skip) && group_of(x, &g->gpu->layout->axes[axis]) % width != 0;
}

axis_set gpu_cut_axes(struct gen *g, axis_set axes)
{
    axis_set cut = 0;
    for (unsigned a = 0; a < g->f->axes.count; a++) {
        uint32_t vector = g->gpu->layout->axes[a].vector;
        if ((axes & bit_of(a)) && g->f->axes.data[a].kind == IR_AXIS_HELD && vector > 1 &&
            gpu_is_ragged(g, vector, (uint8_t)a))
            cut |= bit_of(a);
    }
    return cut;
}

/* The border lies within the vector that begins `from` elements after this thread's first one. */
static LLVMValueRef cuts(struct gen *g, LLVMValueRef border, uint32_t from, uint32_t width)
{
    LLVMValueRef after = LLVMBuildSub(g->b, border, constant(g, from + 1), "");
    return LLVMBuildICmp(g->b, LLVMIntULT, after, constant(g, width - 1), "");
}

LLVMValueRef gpu_is_cut(struct gen *g, const struct gpu_view *view, uint32_t i, axis_set axes)
{
    LLVMValueRef cut = gen_int(g, g->t_i1, 0);
    for (unsigned a = 0; a < g->f->axes.count; a++) {
        const struct gpu_axis *x = &g->gpu->axes[a];
        const struct gpu_axis_layout *l = &g->gpu->layout->axes[a];
        if (!(axes & bit_of(a)))
            continue;
        uint32_t from = gpu_axis_offset(l, gpu_view_digit(view, i, (uint8_t)a));
        if (x->room)
            cut = LLVMBuildOr(g->b, cut, cuts(g, x->room, from, l->vector), "");
        if (x->skip && from < x->most_skip)
            cut = LLVMBuildOr(g->b, cut, cuts(g, x->skip, from, l->vector), "");
    }
    return cut;
}

void gpu_by_vectors(struct gen *g, axis_set axes, bool by_vectors)
{
    for (unsigned a = 0; a < g->f->axes.count; a++) {
        struct gpu_axis *x = &g->gpu->axes[a];
        if (!(axes & bit_of(a)))
            continue;
        x->by_vectors = by_vectors;
        for (uint32_t r = 0; r < g->gpu->layout->axes[a].regs; r++)
            if (x->tests[r])
                gpu_remember(g, &x->tests[r], NULL);
    }
}

LLVMValueRef gpu_contains(struct gen *g, const struct gpu_view *view, uint32_t i, uint32_t width,
                          uint8_t axis)
{
    const struct gpu_axis_layout *l = &g->gpu->layout->axes[axis];
    uint32_t offset = gpu_axis_offset(l, gpu_view_digit(view, i, axis));
    return contains(g, &g->gpu->axes[axis], offset, width);
}

LLVMValueRef gpu_overlaps(struct gen *g, const struct gpu_view *view, uint32_t i, uint32_t width,
                          uint8_t axis)
{
    const struct gpu_axis *x = &g->gpu->axes[axis];
    const struct gpu_axis_layout *l = &g->gpu->layout->axes[axis];
    uint32_t offset = gpu_axis_offset(l, gpu_view_digit(view, i, axis));
    LLVMValueRef in = NULL;
    if (x->room)
        in = LLVMBuildICmp(g->b, LLVMIntSGT, x->room, constant(g, offset), "");
    if (x->skip && offset + width <= x->most_skip)
        in = gpu_and(g, in,
                     LLVMBuildICmp(g->b, LLVMIntSLT, x->skip, constant(g, offset + width), ""));
    return in;
}

LLVMValueRef gpu_exists(struct gen *g, const struct gpu_view *view, uint32_t i, axis_set axes)
{
    LLVMValueRef in = NULL;
    for (unsigned a = 0; a < g->f->axes.count; a++)
        if (axes & bit_of(a))
            in = gpu_and(g, in, exists_along(g, view, i, (uint8_t)a));
    return in;
}

/* ---- programs ---------------------------------------------------------------------------------- */

static bool is_grid(const struct ir_axis *a)
{
    return a->kind == IR_AXIS_PROGRAM || a->kind == IR_AXIS_GRID;
}

static bool range_is_ready(struct gen *g, const struct ir_axis *a)
{
    return (!a->lo || gpu_is_ready(g, a->lo)) && (!a->hi || gpu_is_ready(g, a->hi)) &&
           (!a->bound || gpu_is_ready(g, a->bound));
}

/* Tiles along the axis, as the host counted them, of its bound or of its range; in 32 bits, since a
 * grid has fewer than 2^31 programs. At least 1. */
static LLVMValueRef count_tiles(struct gen *g, const struct ir_axis *a)
{
    LLVMValueRef length = a->bound
                              ? gpu_scalar(g, a->bound)
                              : LLVMBuildSub(g->b, gpu_scalar(g, a->hi), gpu_scalar(g, a->lo), "");
    if (a->tile > 1) {
        length = LLVMBuildAdd(g->b, length, gen_index(g, a->tile - 1), "");
        length = LLVMBuildUDiv(g->b, length, gen_index(g, a->tile), "");
    }
    LLVMTypeRef t = g->t_i32;
    LLVMValueRef args[] = {LLVMBuildTrunc(g->b, length, t, ""), constant(g, 1)};
    return gen_intrinsic(g, "llvm.umax", &t, 1, args, 2);
}

/* Programs beyond a range known only on the device leave at once. */
static void leave_beyond(struct gen *g, LLVMValueRef start, LLVMValueRef hi)
{
    LLVMBasicBlockRef inside = gen_block(g, "inside");
    LLVMValueRef in = LLVMBuildICmp(g->b, LLVMIntSLT, start, hi, "");
    LLVMBuildCondBr(g->b, in, inside, g->gpu->exit);
    LLVMPositionBuilderAtEnd(g->b, inside);
}

static void enter_axis(struct gen *g, uint8_t axis, LLVMValueRef number)
{
    const struct ir_axis *a = &g->f->axes.data[axis];
    LLVMValueRef at = LLVMBuildZExt(g->b, number, g->t_i64, "");
    at = LLVMBuildMul(g->b, at, gen_index(g, a->tile), "");
    LLVMValueRef start = LLVMBuildAdd(g->b, gpu_scalar(g, a->lo), at, "");
    LLVMValueRef hi = gpu_scalar(g, a->hi);
    if (a->bound)
        leave_beyond(g, start, hi);
    bool whole = a->full || a->tile == 1;
    gpu_place_axis(g, axis, start, whole ? NULL : hi,
                   gpu_group(g, a->lo, a->hi, (uint64_t)a->tile));
}

/* program = ((tile of 1st) * tiles of 2nd + tile of 2nd) * ... */
static void enter_grid(struct gen *g)
{
    LLVMValueRef numbers[IR_MAX_AXIS];
    LLVMValueRef rest = LLVMBuildTrunc(g->b, g->gpu->program, g->t_i32, "");
    uint8_t grid[IR_MAX_AXIS];
    unsigned count = 0;
    for (unsigned i = 0; i < g->f->axes.count; i++)
        if (is_grid(&g->f->axes.data[i]))
            grid[count++] = (uint8_t)i;
    for (unsigned i = count; i-- > 1;) {
        LLVMValueRef tiles = count_tiles(g, &g->f->axes.data[grid[i]]);
        numbers[i] = LLVMBuildURem(g->b, rest, tiles, "");
        rest = LLVMBuildUDiv(g->b, rest, tiles, "");
    }
    numbers[0] = rest;
    for (unsigned i = 0; i < count; i++)
        enter_axis(g, grid[i], numbers[i]);
}

static bool grid_is_ready(struct gen *g)
{
    for (unsigned i = 0; i < g->f->axes.count; i++)
        if (is_grid(&g->f->axes.data[i]) && !range_is_ready(g, &g->f->axes.data[i]))
            return false;
    return true;
}

/* The whole range in one tile; aligned down if there is room for the elements before it. */
static void place_range(struct gen *g, uint8_t axis)
{
    const struct ir_axis *a = &g->f->axes.data[axis];
    LLVMValueRef lo = gpu_scalar(g, a->lo), hi = gpu_scalar(g, a->hi);
    LLVMValueRef shift = gpu_shift(g, axis, lo, GPU_GRANULE, (uint64_t)a->tile);
    if (!shift) {
        gpu_place_axis(g, axis, lo, a->full ? NULL : hi, gpu_group(g, a->lo, a->hi, 0));
        return;
    }
    g->gpu->shifted |= (axis_set)1 << axis;
    LLVMValueRef early = LLVMBuildSub(g->b, lo, shift, "");
    LLVMValueRef length = LLVMBuildSub(g->b, hi, early, "");
    LLVMValueRef fits = LLVMBuildICmp(g->b, LLVMIntSLE, length, gen_index(g, a->tile), "");
    gpu_place_axis(g, axis, LLVMBuildSelect(g->b, fits, early, lo, ""), hi, 1);
    gpu_skip_to(g, axis, lo, GPU_GRANULE);
}

/* A swept axis stands nowhere until its sweep; held values over it have the tile's elements. */
static void place_held(struct gen *g, uint8_t axis)
{
    const struct ir_axis *a = &g->f->axes.data[axis];
    if (a->kind == IR_AXIS_PART)
        gpu_place_axis(g, axis, gen_index(g, 0), NULL, 1);
    else if (a->kind == IR_AXIS_SWEPT)
        gpu_place_axis(g, axis, gpu_scalar(g, a->lo), NULL, 1);
    else
        place_range(g, axis);
}

void gpu_place_axes(struct gen *g)
{
    if (!g->gpu->entered && grid_is_ready(g)) {
        g->gpu->entered = true;
        enter_grid(g);
    }
    for (unsigned i = 0; i < g->f->axes.count; i++) {
        const struct ir_axis *a = &g->f->axes.data[i];
        if (!is_grid(a) && !g->gpu->axes[i].placed && range_is_ready(g, a))
            place_held(g, (uint8_t)i);
    }
}
