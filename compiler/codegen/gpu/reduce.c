/* Reductions, in three steps: the registers of a thread, the lanes of a warp, and what is left (warps,
 * blocks of a cluster) through shared memory, with one barrier for all siblings. Every thread that
 * holds a result computes it itself, in the same order, so that all have the same bits.
 *
 * Elements that do not exist take part as nothing. Neighbours in one vector mostly exist together:
 * they are combined first and then taken or left as a whole. */
#include "codegen/gpu/reduce.h"

/* ---- in a thread ------------------------------------------------------------------------------- */

/* Registers from..to - 1 of the list exist if `test` holds. */
struct run {
    uint32_t from, to;
    LLVMValueRef test;
};

/* The registers that go into one register of the result. */
struct thread_part {
    struct gpu_reduction *r;
    uint32_t *regs, count;
    struct run *runs;
    uint32_t run_count;
    axis_set cut; /* runs are vectors along these axes, of which some elements may not exist */
};

static bool is_same_test(LLVMValueRef a, LLVMValueRef b)
{
    if (a == b || !a || !b)
        return a == b;
    return LLVMIsAInstruction(a) && LLVMIsAInstruction(b) &&
           LLVMGetInstructionOpcode(a) == LLVMAnd && LLVMGetInstructionOpcode(b) == LLVMAnd &&
           LLVMGetOperand(a, 0) == LLVMGetOperand(b, 0) &&
           LLVMGetOperand(a, 1) == LLVMGetOperand(b, 1);
}

static void find_runs(struct gen *g, struct thread_part *p)
{
    const struct gpu_reduction *r = p->r;
    p->runs = arena_array(&g->s->module, struct run, p->count);
    for (uint32_t i = 0; i < p->count; i++) {
        LLVMValueRef test = gpu_exists(g, &r->from, p->regs[i], r->over);
        if (p->run_count && is_same_test(p->runs[p->run_count - 1].test, test))
            p->runs[p->run_count - 1].to = i + 1;
        else
            p->runs[p->run_count++] = (struct run){i, i + 1, test};
    }
}

/* Chains of dependent steps that run side by side. Few, so that products and sums become fma. */
static uint32_t chains_for(uint32_t count)
{
    return count >= 16 ? 4 : count >= 4 ? 2 : 1;
}

static struct gpu_item join_chains(struct gen *g, const struct ir_node *n, struct gpu_item *chains,
                                   uint32_t count)
{
    for (; count > 1; count /= 2)
        for (uint32_t i = 0; i < count / 2; i++)
            chains[i] = gpu_item_join(g, n, &chains[i], &chains[i + count / 2]);
    return chains[0];
}

static struct gpu_item fold_registers(struct gen *g, const struct thread_part *p,
                                      const struct run *run)
{
    const struct ir_node *n = p->r->node;
    struct gpu_item chains[4];
    uint32_t count = chains_for(run->to - run->from);
    for (uint32_t i = run->from; i < run->to; i++) {
        struct gpu_item x = gpu_item_at(g, n, &p->r->from, p->regs[i]);
        struct gpu_item *chain = &chains[(i - run->from) % count];
        *chain = i < run->from + count ? x : gpu_item_join(g, n, chain, &x);
    }
    return join_chains(g, n, chains, count);
}

static struct gpu_item fold_elements(struct gen *g, const struct thread_part *p,
                                     const struct run *run)
{
    const struct ir_node *n = p->r->node;
    struct gpu_item sum = {.any = NULL};
    for (uint32_t i = run->from; i < run->to; i++) {
        struct gpu_item x = gpu_item_at(g, n, &p->r->from, p->regs[i]);
        x = gpu_item_if(g, n, &x, gpu_exists(g, &p->r->from, p->regs[i], p->r->over));
        sum = i > run->from ? gpu_item_join(g, n, &sum, &x) : x;
    }
    return sum;
}

/* The few threads whose vector is cut by the border fold it again, element by element. */
static struct gpu_item mend(struct gen *g, const struct thread_part *p, const struct run *run,
                            const struct gpu_item *whole)
{
    LLVMBasicBlockRef from = LLVMGetInsertBlock(g->b);
    LLVMBasicBlockRef cut = gen_block(g, "cut"), join = gen_block(g, "folded");
    LLVMBuildCondBr(g->b, gpu_is_cut(g, &p->r->from, p->regs[run->from], p->cut), cut, join);
    LLVMPositionBuilderAtEnd(g->b, cut);
    uint32_t mark = gpu_enter(g);
    gpu_settle(g, NULL);
    gpu_by_vectors(g, p->cut, false);
    struct gpu_item sum = fold_elements(g, p, run);
    gpu_by_vectors(g, p->cut, true);
    gpu_leave(g, mark);
    cut = LLVMGetInsertBlock(g->b);
    LLVMBuildBr(g->b, join);
    LLVMPositionBuilderAtEnd(g->b, join);
    sum.v[0] = gpu_one_of(g, whole->v[0], from, sum.v[0], cut);
    return sum;
}

static struct gpu_item fold_run(struct gen *g, const struct thread_part *p, const struct run *run)
{
    struct gpu_item sum = fold_registers(g, p, run);
    sum = gpu_item_if(g, p->r->node, &sum, run->test);
    return p->cut ? mend(g, p, run, &sum) : sum;
}

static struct gpu_item fold_runs(struct gen *g, const struct thread_part *p, uint32_t from,
                                 uint32_t count)
{
    if (count == 1)
        return fold_run(g, p, &p->runs[from]);
    uint32_t half = gpu_tree_half(count);
    struct gpu_item a = fold_runs(g, p, from, half);
    struct gpu_item b = fold_runs(g, p, from + half, count - half);
    return gpu_item_join(g, p->r->node, &a, &b);
}

/* Of a row whose border lies within a vector of one thread or two, all threads take or leave whole
 * vectors. Not for combiners, whose items may say in one way that there is something, and not in the
 * other. */
static void in_thread(struct gen *g, struct gpu_reduction *r)
{
    uint32_t each = r->from.count / r->to.count;
    axis_set cut = r->node->attr.kind == IR_KIND_COMBINER ? 0 : gpu_cut_axes(g, r->over);
    gpu_renew_tests(g, r->over);
    gpu_by_vectors(g, cut, true);
    for (uint32_t k = 0; k < r->to.count; k++) {
        struct thread_part p = {.r = r, .cut = cut};
        p.regs = arena_array(&g->s->module, uint32_t, each);
        for (uint32_t i = 0; i < r->from.count; i++)
            if (gpu_view_map(&r->from, i, &r->to) == k)
                p.regs[p.count++] = i;
        find_runs(g, &p);
        r->items[k] = fold_runs(g, &p, 0, p.run_count);
    }
    gpu_by_vectors(g, cut, false);
}

/* ---- across lanes ------------------------------------------------------------------------------ */

static bool is_power_of_two(uint32_t x)
{
    return (x & (x - 1)) == 0;
}

/* The lanes whose numbers differ in one bit hand each other what they have. A combiner sees the
 * lower lane's first in both, so that both get the same bits; sums and the like are the same anyway
 * (but for the sign of a zero maximum). */
static struct gpu_item with_neighbour(struct gen *g, const struct ir_node *n,
                                      const struct gpu_item *x, uint32_t mask)
{
    struct gpu_item other = gpu_item_xor(g, n, x, mask);
    if (n->attr.kind != IR_KIND_COMBINER && !g->f->ordered)
        return gpu_item_join(g, n, x, &other);
    LLVMValueRef bit = LLVMBuildAnd(g->b, g->gpu->lane_id, gen_int(g, g->t_i32, mask), "");
    LLVMValueRef lower = LLVMBuildICmp(g->b, LLVMIntEQ, bit, gen_int(g, g->t_i32, 0), "");
    struct gpu_item a = gpu_item_select(g, n, lower, x, &other);
    struct gpu_item b = gpu_item_select(g, n, lower, &other, x);
    return gpu_item_join(g, n, &a, &b);
}

static struct gpu_item by_halves(struct gen *g, const struct ir_node *n, struct gpu_item x,
                                 const struct gpu_digit *d)
{
    for (uint32_t by = 1; by < d->count; by *= 2)
        x = with_neighbour(g, n, &x, by * d->divisor);
    return x;
}

static struct gpu_item one_by_one(struct gen *g, const struct gpu_reduction *r,
                                  const struct gpu_item *x, const struct gpu_digit *d)
{
    LLVMValueRef base = gpu_other_lanes(g, r->from.axes, d);
    struct gpu_item sum = {.any = NULL};
    for (uint32_t i = 0; i < d->count; i++) {
        LLVMValueRef at =
            LLVMBuildAdd(g->b, base, gen_int(g, g->t_i32, (int64_t)i * d->divisor), "");
        struct gpu_item y = gpu_item_from_lane(g, r->node, x, at);
        sum = i ? gpu_item_join(g, r->node, &sum, &y) : y;
    }
    return sum;
}

bool gpu_is_by_bits(const struct gpu_digit *d)
{
    return is_power_of_two(d->divisor) && is_power_of_two(d->count);
}

struct gpu_item gpu_reduce_lanes(struct gen *g, const struct gpu_reduction *r,
                                 const struct gpu_item *x, const struct gpu_digit *d)
{
    return gpu_is_by_bits(d) ? by_halves(g, r->node, *x, d) : one_by_one(g, r, x, d);
}

static void across_lanes(struct gen *g, struct gpu_reduction *r)
{
    for (unsigned a = 0; a < g->f->axes.count; a++) {
        const struct gpu_axis_layout *l = &g->gpu->layout->axes[a];
        for (uint32_t i = 0; (r->over >> a & 1) && i < l->digit_count; i++)
            for (uint32_t k = 0; l->digits[i].source == GPU_LANE && k < r->to.count; k++)
                r->items[k] = gpu_reduce_lanes(g, r, &r->items[k], &l->digits[i]);
    }
}

/* ---- across warps and blocks ------------------------------------------------------------------- */

static uint32_t words_of(const struct gpu_reduction *r, uint32_t k)
{
    return gpu_item_word_count(r->node, r->items[k].any != NULL);
}

/* Siblings with the same axes share an exchange: their words lie side by side. */
static struct gpu_exchange *exchange_for(struct gen *g, struct gpu_reduction *all, uint32_t i)
{
    struct gpu_reduction *r = &all[i];
    for (uint32_t k = 0; k < i; k++)
        if (all[k].over == r->over && all[k].to.axes == r->to.axes)
            return all[k].exchange;
    struct gpu_exchange *x = arena_new(&g->s->module, struct gpu_exchange);
    x->groups = x->parts = 1;
    x->reduction = r->node;
    gpu_exchange_keep(g, x, r->to.axes);
    for (unsigned a = 0; a < g->f->axes.count; a++) {
        const struct gpu_axis_layout *l = &g->gpu->layout->axes[a];
        for (uint32_t d = 0; (r->over >> a & 1) && d < l->digit_count; d++)
            if (l->digits[d].source == GPU_WARP || l->digits[d].source == GPU_RANK)
                gpu_exchange_across(x, &l->digits[d]);
    }
    return x->parts > 1 ? x : NULL;
}

static void write_parts(struct gen *g, struct gpu_exchange *x, struct gpu_reduction *all,
                        uint32_t count)
{
    LLVMValueRef *words = arena_array(&g->s->module, LLVMValueRef, x->words);
    for (uint32_t i = 0; i < count; i++) {
        struct gpu_reduction *r = &all[i];
        uint32_t at = r->first_word;
        for (uint32_t k = 0; r->exchange == x && k < r->to.count; k++)
            at += gpu_item_to_words(g, r->node, &r->items[k], words + at);
    }
    gpu_exchange_write(g, x, gpu_exchange_part(g, x), words, gpu_exchange_writer(g, x));
}

static struct gpu_item read_part(struct gen *g, struct gpu_reduction *r, uint32_t k, uint32_t at,
                                 uint32_t part)
{
    LLVMValueRef words[GPU_ITEM_WORDS];
    uint32_t count = words_of(r, k);
    for (uint32_t i = 0; i < count; i++)
        words[i] = gpu_exchange_word(g, r->exchange, part, at + i);
    return gpu_item_from_words(g, r->node, r->items[k].any != NULL, words);
}

static struct gpu_item join_parts(struct gen *g, struct gpu_reduction *r, uint32_t k, uint32_t at,
                                  uint32_t from, uint32_t count)
{
    if (count == 1)
        return read_part(g, r, k, at, from);
    uint32_t half = gpu_tree_half(count);
    struct gpu_item a = join_parts(g, r, k, at, from, half);
    struct gpu_item b = join_parts(g, r, k, at, from + half, count - half);
    return gpu_item_join(g, r->node, &a, &b);
}

enum { MANY_PARTS = 16 };

/* Many parts for one result: each lane reads some of them, and lanes hand on what they have. */
static bool can_share(const struct gen *g, const struct gpu_reduction *r)
{
    const struct gpu_exchange *x = r->exchange;
    return x->parts >= MANY_PARTS && x->groups == 1 && r->to.count == 1 &&
           r->node->attr.kind != IR_KIND_COMBINER && is_power_of_two(g->target->facts.lanes);
}

static struct gpu_item read_shared_part(struct gen *g, struct gpu_reduction *r, LLVMValueRef part,
                                        bool surely)
{
    LLVMValueRef words[GPU_MAX_OPERANDS * GPU_ITEM_WORDS], none = gen_int(g, g->t_i32, 0);
    LLVMValueRef all = gen_int(g, g->t_i32, r->exchange->parts), test = NULL;
    if (!surely) {
        test = LLVMBuildICmp(g->b, LLVMIntULT, part, all, "");
        part = LLVMBuildSelect(g->b, test, part, none, "");
    }
    gpu_exchange_read(g, r->exchange, part, words);
    struct gpu_item x = gpu_item_from_words(g, r->node, false, words + r->first_word);
    return gpu_item_if(g, r->node, &x, test);
}

static struct gpu_item share_parts(struct gen *g, struct gpu_reduction *r)
{
    uint32_t parts = r->exchange->parts, lanes = g->target->facts.lanes;
    if (is_power_of_two(parts) && parts < lanes)
        lanes = parts;
    LLVMValueRef own = LLVMBuildAnd(g->b, g->gpu->lane_id, gen_int(g, g->t_i32, lanes - 1), "");
    struct gpu_item sum = {.any = NULL};
    for (uint32_t from = 0; from < parts; from += lanes) {
        LLVMValueRef part = LLVMBuildAdd(g->b, own, gen_int(g, g->t_i32, from), "");
        struct gpu_item x = read_shared_part(g, r, part, from + lanes <= parts);
        sum = from ? gpu_item_join(g, r->node, &sum, &x) : x;
    }
    struct gpu_digit digit = {.source = GPU_LANE, .divisor = 1, .count = lanes};
    return gpu_reduce_lanes(g, r, &sum, &digit);
}

static void read_parts(struct gen *g, struct gpu_reduction *r)
{
    uint32_t at = r->first_word;
    if (r->exchange && can_share(g, r)) {
        r->items[0] = share_parts(g, r);
        return;
    }
    for (uint32_t k = 0; r->exchange && k < r->to.count; k++) {
        uint32_t words = words_of(r, k);
        r->items[k] = join_parts(g, r, k, at, 0, r->exchange->parts);
        at += words;
    }
}

static void exchange(struct gen *g, struct gpu_reduction *all, uint32_t count)
{
    struct gpu_exchange **used = arena_array(&g->s->module, struct gpu_exchange *, count);
    uint32_t used_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct gpu_reduction *r = &all[i];
        r->exchange = exchange_for(g, all, i);
        if (!r->exchange)
            continue;
        if (!r->exchange->words)
            used[used_count++] = r->exchange;
        r->first_word = r->exchange->words;
        for (uint32_t k = 0; k < r->to.count; k++)
            r->exchange->words += words_of(r, k);
    }
    if (!used_count)
        return;
    gpu_exchange_place(g, used, used_count);
    for (uint32_t i = 0; i < used_count; i++)
        write_parts(g, used[i], all, count);
    gpu_exchange_meet(g, used, used_count);
    for (uint32_t i = 0; i < count; i++)
        read_parts(g, &all[i]);
}

/* ---- whole ------------------------------------------------------------------------------------- */

static void begin(struct gen *g, struct gpu_reduction *r, struct ir_node *n)
{
    axis_set axes = gpu_operand_axes(n);
    r->node = n;
    r->over = n->attr.axes;
    r->from = gpu_view(g->gpu->layout, axes);
    r->to = gpu_view(g->gpu->layout, axes & ~r->over);
    r->items = arena_array(&g->s->module, struct gpu_item, r->from.count);
}

static void finish(struct gen *g, struct gpu_reduction *r)
{
    for (uint32_t k = 0; k < r->to.count; k++)
        gpu_item_set(g, r->node, &r->items[k], k);
}

/* A reduction down to parts ends in the thread: its elements are its part. */
void gpu_reduce(struct gen *g, struct ir_node **siblings, uint32_t count)
{
    struct gpu_reduction *all = arena_array(&g->s->module, struct gpu_reduction, count);
    bool parts = siblings[0]->attr.to != IR_NO_AXIS;
    for (uint32_t i = 0; i < count; i++) {
        begin(g, &all[i], siblings[i]);
        if (g->f->ordered) {
            gpu_reduce_ordered(g, &all[i]);
            continue;
        }
        in_thread(g, &all[i]);
        if (!parts)
            across_lanes(g, &all[i]);
    }
    if (!parts && !g->f->ordered)
        exchange(g, all, count);
    for (uint32_t i = 0; i < count; i++)
        finish(g, &all[i]);
}
