/* Reductions of @ordered kernels: the result's bits depend on the elements alone, not on warps,
 * vectors or repeats.
 *
 * Each axis is reduced by a binary tree over the bits of the element number: neighbours 2 i and
 * 2 i + 1 first, then pairs of pairs. Who holds them only decides where a step happens:
 *
 *   bit of the number   0   1   2 | 3   4   5   6   7 | 8 ...
 *   held by             register  | lane              | warp, repeat: the rest, by way of
 *                                                       shared memory, in the order of elements
 *
 * An element that does not exist is nothing, which leaves the other side of its step as it was; so a
 * tile that is wider than the row, by however much, gives the same bits. */
#include "codegen/gpu/reduce.h"

/* One reduced axis of a reduction. */
struct axis_step {
    struct gpu_reduction *r;
    const struct gpu_axis_layout *layout;
    axis_set kept;
    uint32_t columns;      /* registers over the other axes */
    uint32_t count;        /* items left in each column */
    struct gpu_item *item; /* [column][number along the axis] */
    uint32_t next;         /* the first digit that is not reduced yet */
};

static struct gpu_item *item_at(const struct axis_step *s, uint32_t column, uint32_t i)
{
    return &s->item[column * s->layout->regs + i];
}

/* Numbers from..from + count - 1 of a list. */
static struct gpu_item tree(struct gen *g, const struct ir_node *n, const struct gpu_item *list,
                            uint32_t count)
{
    if (count == 1)
        return *list;
    uint32_t half = gpu_tree_half(count);
    struct gpu_item a = tree(g, n, list, half), b = tree(g, n, list + half, count - half);
    return gpu_item_join(g, n, &a, &b);
}

/* ---- registers and lanes ----------------------------------------------------------------------- */

static void reduce_registers(struct gen *g, struct axis_step *s, uint32_t each)
{
    s->count /= each;
    for (uint32_t c = 0; c < s->columns; c++)
        for (uint32_t i = 0; i < s->count; i++)
            *item_at(s, c, i) = tree(g, s->r->node, item_at(s, c, i * each), each);
}

static void reduce_lanes(struct gen *g, struct axis_step *s, const struct gpu_digit *d)
{
    for (uint32_t c = 0; c < s->columns; c++)
        for (uint32_t i = 0; i < s->count; i++)
            *item_at(s, c, i) = gpu_reduce_lanes(g, s->r, item_at(s, c, i), d);
}

static bool is_power_of_two(uint32_t x)
{
    return (x & (x - 1)) == 0;
}

/* As long as a digit is bits of the element number, and no other warp is needed. */
static void reduce_near(struct gen *g, struct axis_step *s)
{
    for (; s->next < s->layout->digit_count; s->next++) {
        const struct gpu_digit *d = &s->layout->digits[s->next];
        if (d->source == GPU_REG && is_power_of_two(d->count))
            reduce_registers(g, s, d->count);
        else if (d->source == GPU_LANE && gpu_is_by_bits(d))
            reduce_lanes(g, s, d);
        else
            break;
    }
}

/* ---- the rest ---------------------------------------------------------------------------------- */

static bool is_in_thread(const struct axis_step *s)
{
    for (uint32_t i = s->next; i < s->layout->digit_count; i++)
        if (s->layout->digits[i].source != GPU_REG)
            return false;
    return true;
}

/* All items of a column say whether they are something, or none does. */
static bool even_out(struct gen *g, struct axis_step *s, uint32_t column)
{
    bool flagged = false;
    for (uint32_t i = 0; i < s->count; i++)
        flagged |= item_at(s, column, i)->any != NULL;
    for (uint32_t i = 0; flagged && i < s->count; i++)
        if (!item_at(s, column, i)->any)
            item_at(s, column, i)->any = gen_int(g, g->t_i1, 1);
    return flagged;
}

/* The part that item i of a column is, the thread's digits left out. */
static uint32_t part_of(const struct gpu_exchange *x, uint32_t i)
{
    uint32_t part = 0;
    for (uint32_t k = 0; k < x->across_count; k++) {
        const struct gpu_named_digit *d = &x->across[k];
        if (d->digit.source != GPU_REG)
            continue;
        part += i % d->digit.count * d->weight;
        i /= d->digit.count;
    }
    return part;
}

static void write_items(struct gen *g, struct axis_step *s, struct gpu_exchange *x)
{
    LLVMValueRef *words = arena_array(&g->s->module, LLVMValueRef, x->words);
    LLVMValueRef own = gpu_exchange_part(g, x), guard = gpu_exchange_writer(g, x);
    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t at = 0;
        for (uint32_t c = 0; c < s->columns; c++)
            at += gpu_item_to_words(g, s->r->node, item_at(s, c, i), words + at);
        LLVMValueRef offset = gen_int(g, g->t_i32, part_of(x, i));
        gpu_exchange_write(g, x, LLVMBuildAdd(g->b, own, offset, ""), words, guard);
    }
}

static struct gpu_item read_tree(struct gen *g, const struct axis_step *s, struct gpu_exchange *x,
                                 uint32_t column, uint32_t word, uint32_t from, uint32_t count)
{
    const struct ir_node *n = s->r->node;
    if (count > 1) {
        uint32_t half = gpu_tree_half(count);
        struct gpu_item a = read_tree(g, s, x, column, word, from, half);
        struct gpu_item b = read_tree(g, s, x, column, word, from + half, count - half);
        return gpu_item_join(g, n, &a, &b);
    }
    LLVMValueRef words[GPU_ITEM_WORDS];
    bool flagged = item_at(s, column, 0)->any != NULL;
    for (uint32_t i = 0; i < gpu_item_word_count(n, flagged); i++)
        words[i] = gpu_exchange_word(g, x, from, word + i);
    return gpu_item_from_words(g, n, flagged, words);
}

static void reduce_far(struct gen *g, struct axis_step *s)
{
    struct gpu_exchange *x = arena_new(&g->s->module, struct gpu_exchange);
    x->groups = x->parts = 1;
    gpu_exchange_keep(g, x, s->kept);
    for (uint32_t i = s->next; i < s->layout->digit_count; i++)
        gpu_exchange_across(x, &s->layout->digits[i]);
    for (uint32_t c = 0; c < s->columns; c++)
        x->words += gpu_item_word_count(s->r->node, even_out(g, s, c));
    gpu_exchange_place(g, &x, 1);
    write_items(g, s, x);
    gpu_exchange_meet(g, &x, 1);
    for (uint32_t c = 0, word = 0; c < s->columns; c++) {
        uint32_t words = gpu_item_word_count(s->r->node, item_at(s, c, 0)->any != NULL);
        *item_at(s, c, 0) = read_tree(g, s, x, c, word, 0, x->parts);
        word += words;
    }
}

/* ---- axes -------------------------------------------------------------------------------------- */

/* Reduces the items over `axes` along one of them. */
static void reduce_axis(struct gen *g, struct gpu_reduction *r, axis_set axes, unsigned axis,
                        bool to_parts)
{
    struct axis_step s = {.r = r, .layout = &g->gpu->layout->axes[axis]};
    s.kept = axes & ~((axis_set)1 << axis);
    struct gpu_view from = gpu_view(g->gpu->layout, axes), to = gpu_view(g->gpu->layout, s.kept);
    s.columns = to.count;
    s.count = s.layout->regs;
    s.item = arena_array(&g->s->module, struct gpu_item, from.count);
    for (uint32_t i = 0; i < from.count; i++)
        *item_at(&s, gpu_view_map(&from, i, &to), gpu_view_digit(&from, i, (uint8_t)axis)) =
            r->items[i];
    if (!to_parts)
        reduce_near(g, &s);
    if (to_parts || is_in_thread(&s))
        reduce_registers(g, &s, s.count);
    else
        reduce_far(g, &s);
    for (uint32_t c = 0; c < s.columns; c++)
        r->items[c] = *item_at(&s, c, 0);
}

void gpu_reduce_ordered(struct gen *g, struct gpu_reduction *r)
{
    axis_set axes = r->from.axes;
    gpu_renew_tests(g, r->over);
    for (uint32_t i = 0; i < r->from.count; i++) {
        struct gpu_item x = gpu_item_at(g, r->node, &r->from, i);
        r->items[i] = gpu_item_if(g, r->node, &x, gpu_exists(g, &r->from, i, r->over));
    }
    for (unsigned a = g->f->axes.count; a-- > 0;) {
        if (!(r->over >> a & 1))
            continue;
        reduce_axis(g, r, axes, a, r->node->attr.to != IR_NO_AXIS);
        axes &= ~((axis_set)1 << a);
    }
}
