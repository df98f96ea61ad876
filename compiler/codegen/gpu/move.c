/* Elements that change threads: extract, relabel. The cheapest way that serves: other registers of
 * the same thread, shuffles within the warp, shared memory. */
#include "codegen/gpu/exchange.h"

static LLVMValueRef constant(struct gen *g, uint64_t value)
{
    return gen_int(g, g->t_i32, (int64_t)value);
}

/* ---- words ------------------------------------------------------------------------------------- */

static unsigned bits_of(struct gen *g, LLVMTypeRef t)
{
    return t == g->t_f32 ? 32 : t == g->t_f64 ? 64 : LLVMGetIntTypeWidth(t);
}

uint32_t gpu_to_words(struct gen *g, LLVMValueRef x, LLVMValueRef words[2])
{
    unsigned bits = bits_of(g, LLVMTypeOf(x));
    if (bits < 32) {
        words[0] = LLVMBuildZExt(g->b, x, g->t_i32, "");
        return 1;
    }
    if (bits == 32) {
        words[0] = LLVMBuildBitCast(g->b, x, g->t_i32, "");
        return 1;
    }
    LLVMValueRef whole = LLVMBuildBitCast(g->b, x, g->t_i64, "");
    words[0] = LLVMBuildTrunc(g->b, whole, g->t_i32, "");
    words[1] = LLVMBuildTrunc(g->b, LLVMBuildLShr(g->b, whole, gen_index(g, 32), ""), g->t_i32, "");
    return 2;
}

LLVMValueRef gpu_from_words(struct gen *g, LLVMTypeRef type, LLVMValueRef words[2])
{
    unsigned bits = bits_of(g, type);
    if (bits < 32)
        return LLVMBuildTrunc(g->b, words[0], type, "");
    if (bits == 32)
        return LLVMBuildBitCast(g->b, words[0], type, "");
    LLVMValueRef low = LLVMBuildZExt(g->b, words[0], g->t_i64, "");
    LLVMValueRef high = LLVMBuildZExt(g->b, words[1], g->t_i64, "");
    high = LLVMBuildShl(g->b, high, gen_index(g, 32), "");
    return LLVMBuildBitCast(g->b, LLVMBuildOr(g->b, high, low, ""), type, "");
}

static uint32_t words_of(enum ir_elem e)
{
    return ir_elem_bits(e) > 32 ? 2 : 1;
}

/* ---- a tile as columns along one axis ---------------------------------------------------------- */

struct columns {
    struct ir_value *v;
    uint8_t axis;
    const struct gpu_axis_layout *layout;
    struct gpu_view view, kept; /* kept: without the axis */
    uint32_t words;             /* of an element */
    uint32_t *reg;              /* [column][number along the axis]: register of the value */
};

static struct columns columns_of(struct gen *g, struct ir_value *v, uint8_t axis)
{
    struct columns c = {.v = v, .axis = axis, .layout = &g->gpu->layout->axes[axis]};
    c.view = gpu_view(g->gpu->layout, v->type.axes);
    c.kept = gpu_view(g->gpu->layout, v->type.axes & ~((axis_set)1 << axis));
    c.words = words_of(v->type.elem);
    c.reg = arena_array(&g->s->module, uint32_t, c.view.count);
    for (uint32_t i = 0; i < c.view.count; i++)
        c.reg[gpu_view_map(&c.view, i, &c.kept) * c.layout->regs +
              gpu_view_digit(&c.view, i, axis)] = i;
    return c;
}

static LLVMValueRef element(struct gen *g, const struct columns *c, uint32_t column, uint32_t r)
{
    return gpu_reg(g, c->v, c->reg[column * c->layout->regs + r]);
}

static void set_element(struct gen *g, const struct columns *c, uint32_t column, uint32_t r,
                        LLVMValueRef *words)
{
    LLVMValueRef x = gpu_from_words(g, gen_type(g, c->v->type.elem), words);
    gpu_set(g, c->v, c->reg[column * c->layout->regs + r], x);
}

/* ---- coordinates ------------------------------------------------------------------------------- */

/* A digit of a coordinate below the cover (i32). */
static LLVMValueRef digit_of(struct gen *g, const struct gpu_axis_layout *l,
                             const struct gpu_digit *d, LLVMValueRef coordinate)
{
    LLVMValueRef x = coordinate;
    if (d->stride > 1)
        x = LLVMBuildUDiv(g->b, x, constant(g, d->stride), "");
    if ((uint64_t)d->stride * d->count < l->cover)
        x = LLVMBuildURem(g->b, x, constant(g, d->count), "");
    return x;
}

LLVMValueRef gpu_register_of(struct gen *g, const struct gpu_axis_layout *l,
                             LLVMValueRef coordinate)
{
    LLVMValueRef sum = constant(g, 0);
    uint32_t weight = 1;
    for (uint32_t i = 0; i < l->digit_count; i++) {
        if (l->digits[i].source != GPU_REG)
            continue;
        LLVMValueRef x = digit_of(g, l, &l->digits[i], coordinate);
        sum = LLVMBuildAdd(g->b, sum, LLVMBuildMul(g->b, x, constant(g, weight), ""), "");
        weight *= l->digits[i].count;
    }
    return sum;
}

LLVMValueRef gpu_lane_of(struct gen *g, const struct gpu_axis_layout *l, LLVMValueRef coordinate)
{
    LLVMValueRef sum = constant(g, 0);
    for (uint32_t i = 0; i < l->digit_count; i++) {
        const struct gpu_digit *d = &l->digits[i];
        if (d->source != GPU_LANE)
            continue;
        LLVMValueRef x = digit_of(g, l, d, coordinate);
        sum = LLVMBuildAdd(g->b, sum, LLVMBuildMul(g->b, x, constant(g, d->divisor), ""), "");
    }
    return sum;
}

/* True in the threads that hold a coordinate; NULL: all do. */
static LLVMValueRef holds(struct gen *g, const struct gpu_axis_layout *l, LLVMValueRef coordinate)
{
    LLVMValueRef all = NULL;
    for (uint32_t i = 0; i < l->digit_count; i++) {
        const struct gpu_digit *d = &l->digits[i];
        if (d->source == GPU_REG)
            continue;
        LLVMValueRef x = digit_of(g, l, d, coordinate);
        all = gpu_and(g, all, LLVMBuildICmp(g->b, LLVMIntEQ, gpu_digit_value(g, d), x, ""));
    }
    return all;
}

static void shuffle(struct gen *g, LLVMValueRef *words, uint32_t count, LLVMValueRef lane)
{
    for (uint32_t i = 0; i < count; i++)
        words[i] = g->gpu->hooks->shuffle_from(&g->gpu->lane, words[i], lane);
}

/* ---- extract ----------------------------------------------------------------------------------- */

/* The element number as a coordinate that exists in the tile (i32). */
static LLVMValueRef clamp(struct gen *g, LLVMValueRef number, int64_t tile)
{
    LLVMValueRef zero = gen_index(g, 0), last = gen_index(g, tile - 1);
    LLVMValueRef below = LLVMBuildICmp(g->b, LLVMIntSLT, number, zero, "");
    number = LLVMBuildSelect(g->b, below, zero, number, "");
    LLVMValueRef above = LLVMBuildICmp(g->b, LLVMIntSGT, number, last, "");
    number = LLVMBuildSelect(g->b, above, last, number, "");
    return LLVMBuildTrunc(g->b, number, g->t_i32, "");
}

/* The element of each column that the holder has, as words one after the other. */
static void pick(struct gen *g, const struct columns *c, LLVMValueRef coordinate,
                 LLVMValueRef *words)
{
    LLVMValueRef number = gpu_register_of(g, c->layout, coordinate);
    bool known = LLVMIsAConstantInt(number);
    for (uint32_t k = 0; k < c->kept.count; k++) {
        uint32_t first = known ? (uint32_t)LLVMConstIntGetZExtValue(number) : 0;
        LLVMValueRef x = element(g, c, k, first);
        for (uint32_t r = 1; !known && r < c->layout->regs; r++) {
            LLVMValueRef here = LLVMBuildICmp(g->b, LLVMIntEQ, number, constant(g, r), "");
            x = LLVMBuildSelect(g->b, here, element(g, c, k, r), x, "");
        }
        gpu_to_words(g, x, words + k * c->words);
    }
}

static bool is_of_warp(const struct gpu_axis_layout *l)
{
    return gpu_axis_count(l, GPU_WARP) == 1 && gpu_axis_count(l, GPU_RANK) == 1;
}

/* The holder writes, all read. */
static void hand_out(struct gen *g, const struct columns *c, LLVMValueRef coordinate,
                     LLVMValueRef *words)
{
    struct gpu_exchange *x = arena_new(&g->s->module, struct gpu_exchange);
    *x = (struct gpu_exchange){.groups = 1, .parts = 1, .words = c->kept.count * c->words};
    gpu_exchange_keep(g, x, c->kept.axes);
    for (uint32_t i = 0; i < c->layout->digit_count; i++)
        if (c->layout->digits[i].source != GPU_REG)
            gpu_exchange_among(x, &c->layout->digits[i]);
    gpu_exchange_place(g, &x, 1);
    LLVMValueRef guard = gpu_and(g, gpu_exchange_writer(g, x), holds(g, c->layout, coordinate));
    gpu_exchange_write(g, x, constant(g, 0), words, guard);
    gpu_exchange_meet(g, &x, 1);
    for (uint32_t i = 0; i < x->words; i++)
        words[i] = gpu_exchange_word(g, x, 0, i);
}

void gpu_extract(struct gen *g, struct ir_node *n)
{
    struct columns c = columns_of(g, n->operands[0], n->attr.axis);
    int64_t tile = g->f->axes.data[n->attr.axis].tile;
    uint32_t count = c.kept.count * c.words;
    LLVMValueRef *words = arena_array(&g->s->module, LLVMValueRef, count + 1);
    LLVMValueRef at = clamp(g, gpu_scalar(g, n->operands[1]), tile);
    pick(g, &c, at, words);
    if (!is_of_warp(c.layout)) {
        hand_out(g, &c, at, words);
    } else if (gpu_axis_count(c.layout, GPU_LANE) > 1) {
        LLVMValueRef lane = LLVMBuildAdd(g->b, gpu_other_lanes(g, c.kept.axes, NULL),
                                         gpu_lane_of(g, c.layout, at), "");
        shuffle(g, words, count, lane);
    }
    LLVMTypeRef t = gen_type(g, c.v->type.elem);
    for (uint32_t k = 0; k < c.kept.count; k++)
        gpu_set(g, n->results[0], k, gpu_from_words(g, t, words + k * c.words));
}

/* ---- relabel ----------------------------------------------------------------------------------- */

static bool is_same_digit(const struct gpu_digit *a, const struct gpu_digit *b)
{
    return a->source == b->source && a->count == b->count && a->stride == b->stride &&
           (a->source == GPU_REG || a->divisor == b->divisor);
}

static bool has_digit(const struct gpu_axis_layout *l, const struct gpu_digit *d)
{
    for (uint32_t i = 0; i < l->digit_count; i++)
        if (is_same_digit(&l->digits[i], d))
            return true;
    return false;
}

/* Both have the same digits, or at least the same of warps and blocks. */
static bool agree(const struct gpu_axis_layout *a, const struct gpu_axis_layout *b, bool far_only)
{
    for (uint32_t i = 0; i < a->digit_count; i++) {
        bool far = a->digits[i].source == GPU_WARP || a->digits[i].source == GPU_RANK;
        if ((far || !far_only) && !has_digit(b, &a->digits[i]))
            return false;
    }
    return true;
}

static void rename_registers(struct gen *g, const struct columns *from, const struct columns *to)
{
    for (uint32_t k = 0; k < to->kept.count; k++)
        for (uint32_t r = 0; r < to->layout->regs; r++) {
            LLVMValueRef words[2];
            gpu_to_words(g, element(g, from, k, r), words);
            set_element(g, to, k, r, words);
        }
}

/* Where, at compile time: the register that holds what register r of a lane wants. */
static uint32_t source_register(const struct gpu_axis_layout *from,
                                const struct gpu_axis_layout *to, uint32_t r, uint32_t lane)
{
    uint32_t at = gpu_axis_offset(to, r), number = 0, weight = 1;
    for (uint32_t i = 0; i < to->digit_count; i++)
        if (to->digits[i].source == GPU_LANE)
            at += lane / to->digits[i].divisor % to->digits[i].count * to->digits[i].stride;
    for (uint32_t i = 0; i < from->digit_count; i++)
        if (from->digits[i].source == GPU_REG) {
            number += at / from->digits[i].stride % from->digits[i].count * weight;
            weight *= from->digits[i].count;
        }
    return number;
}

/* Marks the registers that some lane's register r wants; how many. */
static uint32_t find_sources(const struct gen *g, const struct columns *from,
                             const struct columns *to, uint32_t r, bool *wanted)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < from->layout->regs; i++)
        wanted[i] = false;
    for (uint32_t lane = 0; lane < g->target->facts.lanes; lane++) {
        uint32_t source = source_register(from->layout, to->layout, r, lane);
        count += !wanted[source];
        wanted[source] = true;
    }
    return count;
}

/* A shuffle for each source register that some lane wants. Not worth it if there are many. */
static bool is_shuffled_well(struct gen *g, const struct columns *from, const struct columns *to)
{
    bool *wanted = arena_array(&g->s->module, bool, from->layout->regs);
    uint32_t shuffles = 0;
    if (!agree(from->layout, to->layout, true) || !agree(to->layout, from->layout, true))
        return false;
    for (uint32_t r = 0; r < to->layout->regs; r++)
        shuffles += find_sources(g, from, to, r, wanted);
    return shuffles <= 2 * to->layout->regs;
}

/* i32: the coordinate of register r of this thread. */
static LLVMValueRef coordinate_of(struct gen *g, const struct columns *c, uint32_t r)
{
    LLVMValueRef at = constant(g, gpu_axis_offset(c->layout, r));
    LLVMValueRef thread = g->gpu->axes[c->axis].thread;
    at = thread ? LLVMBuildAdd(g->b, at, thread, "") : at;
    return at;
}

static void by_shuffles(struct gen *g, const struct columns *from, const struct columns *to)
{
    bool *wanted = arena_array(&g->s->module, bool, from->layout->regs);
    LLVMValueRef others = gpu_other_lanes(g, from->kept.axes, NULL);
    for (uint32_t r = 0; r < to->layout->regs; r++) {
        LLVMValueRef at = coordinate_of(g, to, r);
        LLVMValueRef lane = LLVMBuildAdd(g->b, others, gpu_lane_of(g, from->layout, at), "");
        LLVMValueRef number = gpu_register_of(g, from->layout, at);
        find_sources(g, from, to, r, wanted);
        for (uint32_t k = 0; k < to->kept.count; k++) {
            LLVMValueRef words[2], all[2] = {NULL, NULL};
            for (uint32_t s = 0; s < from->layout->regs; s++) {
                if (!wanted[s])
                    continue;
                gpu_to_words(g, element(g, from, k, s), words);
                shuffle(g, words, from->words, lane);
                LLVMValueRef here = LLVMBuildICmp(g->b, LLVMIntEQ, number, constant(g, s), "");
                for (uint32_t i = 0; i < from->words; i++)
                    all[i] = all[i] ? LLVMBuildSelect(g->b, here, words[i], all[i], "") : words[i];
            }
            set_element(g, to, k, r, all);
        }
    }
}

/* Parts are coordinates; columns lie side by side. */
static void by_shared_memory(struct gen *g, const struct columns *from, const struct columns *to)
{
    struct gpu_exchange *x = arena_new(&g->s->module, struct gpu_exchange);
    *x = (struct gpu_exchange){
        .groups = 1, .parts = 1, .words = from->kept.count * from->words, .scattered = true};
    gpu_exchange_keep(g, x, from->kept.axes);
    for (uint32_t i = 0; i < from->layout->digit_count; i++)
        gpu_exchange_across(x, &from->layout->digits[i]);
    gpu_exchange_place(g, &x, 1);
    LLVMValueRef *words = arena_array(&g->s->module, LLVMValueRef, x->words);
    LLVMValueRef guard = gpu_exchange_writer(g, x);
    for (uint32_t r = 0; r < from->layout->regs; r++) {
        for (uint32_t k = 0; k < from->kept.count; k++)
            gpu_to_words(g, element(g, from, k, r), words + k * from->words);
        gpu_exchange_write(g, x, coordinate_of(g, from, r), words, guard);
    }
    gpu_exchange_meet(g, &x, 1);
    LLVMValueRef last = constant(g, from->layout->cover - 1);
    for (uint32_t r = 0; r < to->layout->regs; r++) {
        LLVMValueRef at = coordinate_of(g, to, r);
        if (to->layout->cover > from->layout->cover) {
            LLVMValueRef inside = LLVMBuildICmp(g->b, LLVMIntULT, at, last, "");
            at = LLVMBuildSelect(g->b, inside, at, last, "");
        }
        gpu_exchange_read(g, x, at, words);
        for (uint32_t k = 0; k < to->kept.count; k++)
            set_element(g, to, k, r, words + k * from->words);
    }
}

void gpu_relabel(struct gen *g, struct ir_node *n)
{
    struct columns from = columns_of(g, n->operands[0], n->attr.axis);
    struct columns to = columns_of(g, n->results[0], n->attr.to);
    if (agree(from.layout, to.layout, false) && agree(to.layout, from.layout, false))
        rename_registers(g, &from, &to);
    else if (is_shuffled_well(g, &from, &to))
        by_shuffles(g, &from, &to);
    else
        by_shared_memory(g, &from, &to);
}
