/* Exchanges: addresses, writes to the blocks of a cluster, reads 16 bytes at a time. */
#include "codegen/gpu/exchange.h"

#define BANKS 32 /* words that shared memory delivers at a time, from different rows of words */

static LLVMValueRef constant(struct gen *g, uint64_t value)
{
    return gen_int(g, g->t_i32, (int64_t)value);
}

static LLVMValueRef add(struct gen *g, LLVMValueRef a, LLVMValueRef b)
{
    return !a ? b : !b ? a : LLVMBuildAdd(g->b, a, b, "");
}

static LLVMValueRef times(struct gen *g, LLVMValueRef a, uint64_t by)
{
    return by == 1 ? a : LLVMBuildMul(g->b, a, constant(g, by), "");
}

/* ---- who takes part ---------------------------------------------------------------------------- */

void gpu_exchange_keep_digit(struct gpu_exchange *x, const struct gpu_digit *d)
{
    if (d->source != GPU_LANE && d->source != GPU_WARP)
        return; /* blocks have shared memory of their own */
    x->kept[x->kept_count++] = (struct gpu_named_digit){*d, x->groups};
    x->groups *= d->count;
}

void gpu_exchange_keep(struct gen *g, struct gpu_exchange *x, axis_set axes)
{
    for (unsigned a = 0; a < g->f->axes.count; a++) {
        const struct gpu_axis_layout *l = &g->gpu->layout->axes[a];
        for (uint32_t i = 0; (axes >> a & 1) && i < l->digit_count; i++)
            gpu_exchange_keep_digit(x, &l->digits[i]);
    }
}

void gpu_exchange_among(struct gpu_exchange *x, const struct gpu_digit *d)
{
    x->across[x->across_count++] = (struct gpu_named_digit){*d, 0};
    x->of_cluster |= d->source == GPU_RANK;
}

void gpu_exchange_across(struct gpu_exchange *x, const struct gpu_digit *d)
{
    gpu_exchange_among(x, d);
    x->across[x->across_count - 1].weight = x->parts;
    x->parts *= d->count;
}

static LLVMValueRef weighted(struct gen *g, const struct gpu_named_digit *digits, uint32_t count)
{
    LLVMValueRef sum = NULL;
    for (uint32_t i = 0; i < count; i++)
        if (digits[i].digit.source != GPU_REG && digits[i].weight)
            sum = add(g, sum, times(g, gpu_digit_value(g, &digits[i].digit), digits[i].weight));
    return sum ? sum : constant(g, 0);
}

LLVMValueRef gpu_exchange_part(struct gen *g, const struct gpu_exchange *x)
{
    return weighted(g, x->across, x->across_count);
}

LLVMValueRef gpu_other_lanes(struct gen *g, axis_set axes, const struct gpu_digit *but)
{
    LLVMValueRef sum = NULL;
    for (unsigned a = 0; a < g->f->axes.count; a++) {
        const struct gpu_axis_layout *l = &g->gpu->layout->axes[a];
        for (uint32_t i = 0; (axes >> a & 1) && i < l->digit_count; i++) {
            const struct gpu_digit *d = &l->digits[i];
            if (d->source == GPU_LANE && d != but)
                sum = add(g, sum, times(g, gpu_digit_value(g, d), d->divisor));
        }
    }
    return sum ? sum : constant(g, 0);
}

/* ---- one writer among copies ------------------------------------------------------------------- */

/* What these digits make of the source's number; NULL: 0. */
static LLVMValueRef number_of(struct gen *g, const struct gpu_named_digit *digits, uint32_t count,
                              uint8_t source)
{
    LLVMValueRef sum = NULL;
    for (uint32_t i = 0; i < count; i++)
        if (digits[i].digit.source == source)
            sum = add(g, sum,
                      times(g, gpu_digit_value(g, &digits[i].digit), digits[i].digit.divisor));
    return sum;
}

/* How many numbers of the source they tell apart. */
static uint64_t numbers_of(const struct gpu_named_digit *digits, uint32_t count, uint8_t source)
{
    uint64_t numbers = 1;
    for (uint32_t i = 0; i < count; i++)
        if (digits[i].digit.source == source)
            numbers *= digits[i].digit.count;
    return numbers;
}

/* Do the exchange's digits tell all numbers of lanes, or warps, apart? Then there are no copies. */
static bool names_all(const struct gen *g, const struct gpu_exchange *x, uint8_t source)
{
    return numbers_of(x->kept, x->kept_count, source) *
               numbers_of(x->across, x->across_count, source) ==
           (source == GPU_LANE ? g->target->facts.lanes : g->gpu->layout->warps);
}

/* The source's number less what named digits account for; NULL: nothing is left. */
static LLVMValueRef rest_of(struct gen *g, const struct gpu_exchange *x, uint8_t source)
{
    if (names_all(g, x, source))
        return NULL;
    LLVMValueRef kept = number_of(g, x->kept, x->kept_count, source);
    LLVMValueRef sum = add(g, kept, number_of(g, x->across, x->across_count, source));
    LLVMValueRef number = source == GPU_LANE ? g->gpu->lane_id : g->gpu->warp;
    return sum ? LLVMBuildSub(g->b, number, sum, "") : number;
}

LLVMValueRef gpu_exchange_writer(struct gen *g, const struct gpu_exchange *x)
{
    LLVMValueRef lane = rest_of(g, x, GPU_LANE), warp = rest_of(g, x, GPU_WARP);
    LLVMValueRef rest = lane && warp ? LLVMBuildOr(g->b, lane, warp, "") : lane ? lane : warp;
    return rest ? LLVMBuildICmp(g->b, LLVMIntEQ, rest, constant(g, 0), "") : NULL;
}

/* ---- places ------------------------------------------------------------------------------------ */

/* Parts that lanes pick themselves: one more after each row of banks, so that lanes at a stride of a
 * power of two meet different banks. */
static uint32_t places(const struct gpu_exchange *x)
{
    return x->parts + (x->scattered ? x->parts / BANKS : 0);
}

static LLVMValueRef place_of(struct gen *g, const struct gpu_exchange *x, LLVMValueRef part)
{
    if (x->scattered && x->parts > BANKS)
        part = add(g, part, LLVMBuildUDiv(g->b, part, constant(g, BANKS), ""));
    return add(g, x->base, times(g, part, x->words * UINT64_C(4)));
}

/* Words from one group's slots to the next's: aligned for wide reads, on other banks. */
static uint32_t group_words(const struct gpu_exchange *x)
{
    uint32_t words = places(x) * x->words;
    if (x->groups == 1)
        return words;
    if (words > 2)
        words = (words + 3) / 4 * 4;
    return words % BANKS ? words : words + 4;
}

static uint64_t bytes_of(const struct gpu_exchange *x)
{
    return (uint64_t)group_words(x) * x->groups * 4;
}

/* Widest access that the place of a part is aligned for. */
static uint32_t width_of(const struct gpu_exchange *x)
{
    return x->words % 4 == 0 ? 4 : x->words % 2 == 0 ? 2 : 1;
}

/* Can words be sent instead of being written before a barrier of the cluster? */
static bool can_send(const struct gen *g, struct gpu_exchange *const *all, uint32_t count)
{
    bool meanwhile = g->gpu->loop && gpu_works_meanwhile(g);
    for (uint32_t i = 0; i < count; i++)
        if (!(all[i]->of_cluster || meanwhile) || !all[i]->reduction ||
            !names_all(g, all[i], GPU_WARP))
            return false;
    return true;
}

/* Memory for all, of words that are sent. */
static LLVMValueRef place_box(struct gen *g, struct gpu_exchange *const *all, uint32_t count,
                              uint32_t bytes)
{
    uint32_t words = 0, sends = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t each = all[i]->groups * all[i]->parts;
        words += each * all[i]->words;
        sends += each * (all[i]->words / width_of(all[i]));
    }
    struct gpu_mailbox box = gpu_mailbox_turn(g, bytes, sends);
    for (uint32_t i = 0; i < count; i++)
        all[i]->box = box;
    LLVMValueRef first = LLVMBuildICmp(g->b, LLVMIntEQ, g->gpu->thread, constant(g, 0), "");
    g->gpu->hooks->mbarrier_expect(&g->gpu->lane, box.mbarrier, 4 * words, first);
    return box.words;
}

void gpu_exchange_place(struct gen *g, struct gpu_exchange **all, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += (bytes_of(all[i]) + 15) / 16 * 16;
    uint32_t bytes = sum > UINT32_MAX / 4 ? UINT32_MAX / 4 : (uint32_t)sum; /* too much is told */
    LLVMValueRef at =
        can_send(g, all, count) ? place_box(g, all, count, bytes) : gpu_shared_turn(g, bytes);
    for (uint32_t i = 0; i < count; i++) {
        struct gpu_exchange *x = all[i];
        LLVMValueRef group = weighted(g, x->kept, x->kept_count);
        x->base = add(g, at, times(g, group, group_words(x) * UINT64_C(4)));
        x->read = arena_array(&g->s->module, LLVMValueRef, x->parts * x->words);
        at = add(g, at, constant(g, (bytes_of(x) + 15) / 16 * 16));
    }
}

/* ---- writing ----------------------------------------------------------------------------------- */

static LLVMValueRef vector_of(struct gen *g, LLVMValueRef *words, uint32_t count)
{
    if (count == 1)
        return words[0];
    LLVMValueRef v = LLVMGetPoison(LLVMVectorType(g->t_i32, count));
    for (uint32_t i = 0; i < count; i++)
        v = LLVMBuildInsertElement(g->b, v, words[i], constant(g, i), "");
    return v;
}

static void write_to(struct gen *g, struct gpu_exchange *x, LLVMValueRef place, LLVMValueRef *words,
                     LLVMValueRef guard, LLVMValueRef rank)
{
    struct lane_emit *e = &g->gpu->lane;
    uint32_t width = width_of(x);
    for (uint32_t i = 0; i < x->words; i += width) {
        LLVMValueRef value = vector_of(g, words + i, width);
        LLVMValueRef at = add(g, place, constant(g, i * UINT64_C(4)));
        if (x->box.mbarrier)
            g->gpu->hooks->send(e, value, at, guard, rank, x->box.mbarrier);
        else
            g->gpu->hooks->shared_store(e, value, at, guard, rank);
    }
}

/* The own rank less the digits across: the first block of the group. */
static LLVMValueRef first_rank(struct gen *g, const struct gpu_exchange *x)
{
    if (numbers_of(x->across, x->across_count, GPU_RANK) == g->gpu->schedule.cluster)
        return constant(g, 0);
    LLVMValueRef sum = number_of(g, x->across, x->across_count, GPU_RANK);
    return sum ? LLVMBuildSub(g->b, g->gpu->rank, sum, "") : g->gpu->rank;
}

/* To the blocks that differ in the digits across from number `digit` on. */
static void write_to_ranks(struct gen *g, struct gpu_exchange *x, LLVMValueRef place,
                           LLVMValueRef *words, LLVMValueRef guard, uint32_t digit,
                           LLVMValueRef rank)
{
    while (digit < x->across_count && x->across[digit].digit.source != GPU_RANK)
        digit++;
    if (digit == x->across_count) {
        write_to(g, x, place, words, guard, rank);
        return;
    }
    const struct gpu_digit *d = &x->across[digit].digit;
    for (uint32_t i = 0; i < d->count; i++)
        write_to_ranks(g, x, place, words, guard, digit + 1,
                       add(g, rank, constant(g, (uint64_t)i * d->divisor)));
}

void gpu_exchange_write(struct gen *g, struct gpu_exchange *x, LLVMValueRef part,
                        LLVMValueRef *words, LLVMValueRef guard)
{
    LLVMValueRef place = place_of(g, x, part);
    if (x->of_cluster)
        write_to_ranks(g, x, place, words, guard, 0, first_rank(g, x));
    else
        write_to(g, x, place, words, guard, x->box.mbarrier ? g->gpu->rank : NULL);
}

/* Words that were awaited, or a barrier that is not the cluster's, say nothing about the tensors that
 * its blocks share. */
void gpu_exchange_meet(struct gen *g, struct gpu_exchange **all, uint32_t count)
{
    bool of_cluster = g->gpu->schedule.cluster == 1;
    if (all[0]->box.mbarrier) {
        gpu_await(g, &all[0]->box, all[0]->reduction);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        of_cluster |= all[i]->of_cluster;
    if (of_cluster) {
        gpu_barrier(g);
        return;
    }
    gpu_settle(g, NULL);
    g->gpu->hooks->barrier(&g->gpu->lane);
}

/* A reduction to parts hands nothing over: they are the threads' own. */
static bool hands_over(const struct gen *g, const struct ir_node *n)
{
    if (n->op == IR_OP_reduce)
        return n->attr.to == IR_NO_AXIS || g->f->ordered;
    return n->op == IR_OP_scan || n->op == IR_OP_extract || n->op == IR_OP_relabel;
}

/* Is it a reduction of what several warps hold? */
static bool crosses_warps(const struct gen *g, const struct ir_node *n)
{
    if (n->op != IR_OP_reduce || n->attr.to != IR_NO_AXIS)
        return false;
    for (unsigned a = 0; a < g->f->axes.count; a++) {
        const struct gpu_axis_layout *l = &g->gpu->layout->axes[a];
        for (uint32_t i = 0; (n->attr.axes >> a & 1) && i < l->digit_count; i++)
            if (l->digits[i].source == GPU_WARP)
                return true;
    }
    return false;
}

static bool holds_for(const struct gen *g, const struct ir_node *n,
                      bool (*test)(const struct gen *, const struct ir_node *))
{
    if (test(g, n))
        return true;
    for (uint32_t i = 0; i < n->region_count; i++)
        for (const struct ir_node *x = n->regions[i]->first; x; x = x->next)
            if (holds_for(g, x, test))
                return true;
    return false;
}

/* May it send words, or write to other blocks' shared memory? */
static bool may_send(const struct gen *g, const struct ir_node *n)
{
    if (g->gpu->schedule.cluster > 1)
        return holds_for(g, n, hands_over);
    return gpu_works_meanwhile(g) && n->region_count && holds_for(g, n, crosses_warps);
}

static void meet(struct gen *g)
{
    if (g->gpu->meeting)
        return;
    LLVMBasicBlockRef meeting = gen_block(g, "meeting");
    g->gpu->meeting = LLVMBuildBr(g->b, meeting);
    LLVMPositionBuilderAtEnd(g->b, meeting);
    if (g->gpu->schedule.cluster > 1)
        g->gpu->hooks->cluster_meet(&g->gpu->lane);
    else
        g->gpu->hooks->barrier(&g->gpu->lane);
}

void gpu_meet_cluster(struct gen *g, const struct ir_node *n)
{
    if (may_send(g, n))
        meet(g);
}

void gpu_meet_early(struct gen *g, const struct ir_node *n)
{
    if (n->block != g->f->body)
        return;
    while (n && !may_send(g, n))
        n = n->next;
    if (n)
        meet(g);
}

/* ---- reading ----------------------------------------------------------------------------------- */

static void read_at(struct gen *g, LLVMValueRef place, uint32_t offset, uint32_t width,
                    LLVMValueRef *words)
{
    LLVMTypeRef t = gen_wide(g->t_i32, width);
    LLVMValueRef at = offset ? add(g, place, constant(g, offset * UINT64_C(4))) : place;
    LLVMValueRef v = g->gpu->hooks->shared_load(&g->gpu->lane, t, at, NULL);
    for (uint32_t i = 0; i < width; i++)
        words[i] = gen_lane(g, v, i);
}

LLVMValueRef gpu_exchange_word(struct gen *g, struct gpu_exchange *x, uint32_t part, uint32_t word)
{
    uint32_t i = part * x->words + word, all = x->parts * x->words;
    if (x->read[i])
        return x->read[i];
    uint32_t first = i / 4 * 4, width = 4;
    while (first + width > all || i >= first + width) {
        if (i >= first + width)
            first += width;
        else
            width /= 2;
    }
    read_at(g, x->base, first, width, x->read + first);
    return x->read[i];
}

void gpu_exchange_read(struct gen *g, struct gpu_exchange *x, LLVMValueRef part,
                       LLVMValueRef *words)
{
    uint32_t width = width_of(x);
    LLVMValueRef place = place_of(g, x, part);
    for (uint32_t i = 0; i < x->words; i += width)
        read_at(g, place, i, width, words + i);
}
