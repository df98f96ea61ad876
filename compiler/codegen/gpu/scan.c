/* Scans. The digits of the axis are taken from the fastest to the slowest; what is known after each is
 * the sum of every block of neighbours that the digits so far make up (its total), and for each
 * element what comes before it in its block. Elements in neighbouring registers are summed up once and
 * then share what comes before:
 *
 *   element = before (blocks to the left)  with  local (registers to the left in the vector)
 *
 * Blocks in lanes are scanned by shuffles, those in warps and in blocks of a cluster by all threads
 * reading all totals. */
#include "codegen/gpu/exchange.h"
#include "codegen/gpu/item.h"

struct scan {
    const struct ir_node *node;
    struct gpu_view view, kept;
    const struct gpu_axis_layout *layout;
    uint32_t columns; /* registers over the other axes */
    uint32_t lead;    /* registers that are neighbours in memory order */
    uint32_t groups;  /* of such, in a column */
    uint32_t totals;  /* in a column: groups that have one total count once */
    uint32_t *reg;    /* [column][number along the axis]: register of the view */

    struct gpu_item *local;  /* [column][number along the axis] */
    struct gpu_item *before; /* [column][group]; if has_before */
    bool *has_before;
    struct gpu_item *total; /* [column][total] */
};

static struct gpu_item nothing(struct gen *g, const struct ir_node *n)
{
    struct gpu_item x = {.any = NULL};
    for (uint32_t i = 0; i < n->operand_count; i++)
        x.v[i] = gen_identity(g, (enum ir_kind)n->attr.kind, gen_combined_as(n, i));
    if (n->attr.kind == IR_KIND_COMBINER)
        x.any = gen_int(g, g->t_i1, 0);
    return x;
}

static LLVMValueRef constant(struct gen *g, uint64_t value)
{
    return gen_int(g, g->t_i32, (int64_t)value);
}

/* ---- registers in a row ------------------------------------------------------------------------ */

static uint32_t leading_digits(const struct gpu_axis_layout *l, uint32_t *regs)
{
    uint32_t i = 0;
    *regs = 1;
    for (; i < l->digit_count && l->digits[i].source == GPU_REG; i++)
        *regs *= l->digits[i].count;
    return i;
}

static void begin(struct gen *g, struct scan *s, const struct ir_node *n)
{
    struct arena *a = &g->s->module;
    axis_set axes = gpu_operand_axes(n);
    s->node = n;
    s->view = gpu_view(g->gpu->layout, axes);
    s->kept = gpu_view(g->gpu->layout, axes & ~((axis_set)1 << n->attr.axis));
    s->layout = &g->gpu->layout->axes[n->attr.axis];
    s->columns = s->kept.count;
    leading_digits(s->layout, &s->lead);
    s->groups = s->totals = s->layout->regs / s->lead;
    s->reg = arena_array(a, uint32_t, s->view.count);
    s->local = arena_array(a, struct gpu_item, s->view.count);
    s->before = arena_array(a, struct gpu_item, s->columns * s->groups);
    s->has_before = arena_array(a, bool, s->columns * s->groups);
    s->total = arena_array(a, struct gpu_item, s->columns * s->groups);
    for (uint32_t i = 0; i < s->view.count; i++)
        s->reg[gpu_view_map(&s->view, i, &s->kept) * s->layout->regs +
               gpu_view_digit(&s->view, i, n->attr.axis)] = i;
}

static void in_rows(struct gen *g, struct scan *s)
{
    const struct ir_node *n = s->node;
    axis_set along = (axis_set)1 << n->attr.axis;
    gpu_renew_tests(g, along);
    for (uint32_t i = 0; i < s->view.count; i++) {
        struct gpu_item x = gpu_item_at(g, n, &s->view, s->reg[i]);
        x = gpu_item_if(g, n, &x, gpu_exists(g, &s->view, s->reg[i], along));
        s->local[i] = i % s->lead ? gpu_item_join(g, n, &s->local[i - 1], &x) : x;
        if (i % s->lead == s->lead - 1)
            s->total[i / s->lead] = s->local[i];
    }
}

/* ---- one digit --------------------------------------------------------------------------------- */

/* x comes before all groups of a total. */
static void put_before(struct gen *g, struct scan *s, uint32_t column, uint32_t total,
                       const struct gpu_item *x)
{
    uint32_t each = s->groups / s->totals;
    for (uint32_t i = 0; i < each; i++) {
        uint32_t at = column * s->groups + total * each + i;
        s->before[at] = s->has_before[at] ? gpu_item_join(g, s->node, x, &s->before[at]) : *x;
        s->has_before[at] = true;
    }
}

static void along_registers(struct gen *g, struct scan *s, uint32_t count)
{
    uint32_t totals = s->totals / count;
    for (uint32_t c = 0; c < s->columns; c++)
        for (uint32_t t = 0; t < totals; t++) {
            struct gpu_item *total = &s->total[c * s->totals + t * count], sum = total[0];
            for (uint32_t i = 1; i < count; i++) {
                put_before(g, s, c, t * count + i, &sum);
                sum = gpu_item_join(g, s->node, &sum, &total[i]);
            }
            s->total[c * totals + t] = sum;
        }
    s->totals = totals;
}

static LLVMValueRef is_at_least(struct gen *g, LLVMValueRef digit, uint32_t value)
{
    return LLVMBuildICmp(g->b, LLVMIntUGE, digit, constant(g, value), "");
}

/* Doubling steps; then each lane takes its neighbour's sum, and all the last one's. */
static void along_lanes(struct gen *g, struct scan *s, const struct gpu_digit *d)
{
    const struct ir_node *n = s->node;
    LLVMValueRef digit = gpu_digit_value(g, d);
    LLVMValueRef last = LLVMBuildAdd(g->b, gpu_other_lanes(g, s->view.axes, d),
                                     constant(g, (uint64_t)(d->count - 1) * d->divisor), "");
    for (uint32_t i = 0; i < s->columns * s->totals; i++) {
        struct gpu_item sum = s->total[i];
        for (uint32_t by = 1; by < d->count; by *= 2) {
            struct gpu_item left = gpu_item_up(g, n, &sum, by * d->divisor);
            struct gpu_item both = gpu_item_join(g, n, &left, &sum);
            sum = gpu_item_select(g, n, is_at_least(g, digit, by), &both, &sum);
        }
        struct gpu_item left = gpu_item_up(g, n, &sum, d->divisor);
        left = gpu_item_if(g, n, &left, is_at_least(g, digit, 1));
        put_before(g, s, i / s->totals, i % s->totals, &left);
        s->total[i] = gpu_item_from_lane(g, n, &sum, last);
    }
}

/* ---- digits of warps and blocks ---------------------------------------------------------------- */

/* Digits from..to - 1; those that are not scanned yet tell different totals apart. */
static struct gpu_exchange *new_exchange(struct gen *g, struct scan *s, uint32_t from, uint32_t to)
{
    struct gpu_exchange *x = arena_new(&g->s->module, struct gpu_exchange);
    x->groups = x->parts = 1;
    gpu_exchange_keep(g, x, s->kept.axes);
    for (uint32_t i = to; i < s->layout->digit_count; i++)
        gpu_exchange_keep_digit(x, &s->layout->digits[i]);
    for (uint32_t i = from; i < to; i++)
        gpu_exchange_across(x, &s->layout->digits[i]);
    for (uint32_t i = 0; i < s->columns * s->totals; i++)
        x->words += gpu_item_word_count(s->node, s->total[i].any != NULL);
    return x;
}

/* Every thread adds up all parts, and remembers the sum before its own. */
static void sum_parts(struct gen *g, struct scan *s, struct gpu_exchange *x, LLVMValueRef own,
                      uint32_t i, uint32_t word)
{
    const struct ir_node *n = s->node;
    bool flagged = s->total[i].any != NULL;
    struct gpu_item sum = {.any = NULL}, left = nothing(g, n);
    for (uint32_t p = 0; p < x->parts; p++) {
        LLVMValueRef words[GPU_ITEM_WORDS];
        for (uint32_t w = 0; w < gpu_item_word_count(n, flagged); w++)
            words[w] = gpu_exchange_word(g, x, p, word + w);
        struct gpu_item part = gpu_item_from_words(g, n, flagged, words);
        if (p) {
            LLVMValueRef here = LLVMBuildICmp(g->b, LLVMIntEQ, own, constant(g, p), "");
            left = gpu_item_select(g, n, here, &sum, &left);
        }
        sum = p ? gpu_item_join(g, n, &sum, &part) : part;
    }
    put_before(g, s, i / s->totals, i % s->totals, &left);
    s->total[i] = sum;
}

static void along_warps(struct gen *g, struct scan *s, uint32_t from, uint32_t to)
{
    struct gpu_exchange *x = new_exchange(g, s, from, to);
    LLVMValueRef *words = arena_array(&g->s->module, LLVMValueRef, x->words);
    uint32_t at = 0;
    for (uint32_t i = 0; i < s->columns * s->totals; i++)
        at += gpu_item_to_words(g, s->node, &s->total[i], words + at);
    gpu_exchange_place(g, &x, 1);
    LLVMValueRef own = gpu_exchange_part(g, x);
    gpu_exchange_write(g, x, own, words, gpu_exchange_writer(g, x));
    gpu_exchange_meet(g, &x, 1);
    at = 0;
    for (uint32_t i = 0; i < s->columns * s->totals; i++) {
        uint32_t count = gpu_item_word_count(s->node, s->total[i].any != NULL);
        sum_parts(g, s, x, own, i, at);
        at += count;
    }
}

/* ---- whole ------------------------------------------------------------------------------------- */

static bool is_far(const struct gpu_digit *d)
{
    return d->source == GPU_WARP || d->source == GPU_RANK;
}

static void along_digits(struct gen *g, struct scan *s)
{
    const struct gpu_axis_layout *l = s->layout;
    uint32_t lead, i = leading_digits(l, &lead);
    while (i < l->digit_count) {
        uint32_t to = i + 1;
        if (is_far(&l->digits[i])) {
            while (to < l->digit_count && is_far(&l->digits[to]))
                to++;
            along_warps(g, s, i, to);
        } else if (l->digits[i].source == GPU_LANE) {
            along_lanes(g, s, &l->digits[i]);
        } else {
            along_registers(g, s, l->digits[i].count);
        }
        i = to;
    }
}

static void set_results(struct gen *g, struct scan *s)
{
    const struct ir_node *n = s->node;
    for (uint32_t i = 0; i < s->view.count; i++) {
        uint32_t group = i / s->lead;
        struct gpu_item x = nothing(g, n);
        bool some = !n->attr.flag || i % s->lead;
        if (some)
            x = s->local[n->attr.flag ? i - 1 : i];
        if (s->has_before[group])
            x = some ? gpu_item_join(g, n, &s->before[group], &x) : s->before[group];
        gpu_item_set(g, n, &x, s->reg[i]);
    }
}

void gpu_scan(struct gen *g, struct ir_node *n)
{
    struct scan s = {0};
    begin(g, &s, n);
    in_rows(g, &s);
    along_digits(g, &s);
    set_results(g, &s);
}
