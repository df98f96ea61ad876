/* Layouts for a function: digits for each of its axes.
 *
 * First each axis that is read or written in vectors gets the vector that suits its accesses; two
 * that meet, as in a transposition, may both have one, or a smaller one if that is cheaper. Then
 * lanes, warps and blocks are shared out among the axes by search: two axes at a time, the cheapest
 * of all their splits (cost.c), until nothing gets better. Kernels have two or three axes, so this is
 * nearly always all there is. What remains of a tile is registers. */
#include "codegen/gpu/assign.h"

#include <string.h>

enum { MOST_REGS = 1024 }; /* of one value: more could not be compiled in reasonable time */
#define APART 1.5          /* cost of accesses with gaps between those of neighbouring lanes */

struct search {
    struct gen *g;
    const struct ir_func *f;
    const struct schedule *schedule;
    struct work_list work;
    struct choice choice;
    uint8_t order[IR_MAX_AXIS]; /* the fastest axis first */
    uint32_t order_count;
    uint8_t like[IR_MAX_AXIS]; /* the axis that it shares its layout with, or itself */
};

static axis_set bit(uint32_t axis)
{
    return (axis_set)1 << axis;
}

static uint32_t tile_of(const struct search *s, uint32_t axis)
{
    return (uint32_t)s->f->axes.data[axis].tile;
}

static uint32_t ceil_div(uint32_t a, uint32_t b)
{
    return (a + b - 1) / b;
}

static uint32_t power_above(uint32_t n)
{
    uint32_t power = 1;
    while (power < n)
        power *= 2;
    return power;
}

/* ---- vectors ----------------------------------------------------------------------------------- */

/* A vector that no access may take whole is worse than a narrow one: its pieces lie apart. */
static double vector_cost(const struct search *s, uint8_t axis, uint32_t vector)
{
    double cost = 0;
    for (uint32_t i = 0; i < s->work.items.count; i++) {
        const struct work *w = &s->work.items.data[i];
        bool along = w->kind == WORK_ACCESS || w->kind == WORK_MOVE;
        if (!along || w->fast == IR_NO_AXIS || s->like[w->fast] != axis)
            continue;
        uint32_t together = vector < w->proven ? vector : w->proven;
        bool apart = together < vector && together * w->bytes < s->schedule->vector;
        double width = gpu_width_cost((apart ? together : vector) * w->bytes);
        cost += gpu_work_bytes(s->f, w) * width * (apart ? APART : 1);
    }
    return cost;
}

/* Is the axis one that much goes along, next to those it meets? Else its vectors would only be in
 * the way: eight rows of a tile in one thread for the sake of one column of statistics. */
static bool deserves_vectors(const struct search *s, uint8_t axis)
{
    double own = gpu_fast_bytes(s->f, &s->work, axis), most = 0;
    for (uint32_t a = 0; a < s->f->axes.count; a++)
        if (s->work.meets[axis] & bit(a)) {
            double bytes = gpu_fast_bytes(s->f, &s->work, (uint8_t)a);
            most = bytes > most ? bytes : most;
        }
    return own > 0 && own * 4 >= most;
}

/* The number of neighbours that suits most of the bytes: 8 for rows of 16-bit floats, though a few
 * f32 values go along with them. */
static uint32_t choose_vector(const struct search *s, uint8_t axis)
{
    uint32_t best = 1, most = power_above(tile_of(s, axis));
    double best_cost = vector_cost(s, axis, 1);
    if (!deserves_vectors(s, axis))
        return 1;
    for (uint32_t v = 2; v <= s->schedule->vector && v <= most; v *= 2) {
        double cost = vector_cost(s, axis, v);
        if (cost < best_cost) {
            best = v;
            best_cost = cost;
        }
    }
    return best;
}

/* Axes by the bytes that go along them in vectors, most first. */
static void sort_axes(struct search *s)
{
    double bytes[IR_MAX_AXIS];
    for (uint32_t a = 0; a < s->f->axes.count; a++) {
        uint32_t at = s->order_count++;
        bytes[a] = gpu_fast_bytes(s->f, &s->work, (uint8_t)a);
        for (; at > 0 && bytes[s->order[at - 1]] < bytes[a]; at--)
            s->order[at] = s->order[at - 1];
        s->order[at] = (uint8_t)a;
    }
}

/* ---- axes of one layout ------------------------------------------------------------------------ */

/* A relabelled tile keeps its place if both axes have one layout; they can if they never meet. */
static void join(struct search *s, uint32_t a, uint32_t b)
{
    a = s->like[a];
    b = s->like[b];
    if (a == b || s->work.meets[a] & bit(b) || tile_of(s, a) != tile_of(s, b))
        return;
    for (uint32_t i = 0; i < s->f->axes.count; i++) {
        if (s->like[i] == b)
            s->like[i] = (uint8_t)a;
        if (s->work.meets[i] & bit(b))
            s->work.meets[i] |= bit(a);
    }
    s->work.meets[a] |= s->work.meets[b];
}

static void join_relabelled(struct search *s, const struct ir_block *b)
{
    for (const struct ir_node *n = b->first; n; n = n->next) {
        if (n->op == IR_OP_relabel)
            join(s, n->attr.axis, n->attr.to);
        for (uint32_t r = 0; r < n->region_count; r++)
            join_relabelled(s, n->regions[r]);
    }
}

static bool is_chosen(const struct search *s, uint32_t axis)
{
    return s->work.laid_out & bit(axis) && s->like[axis] == axis;
}

/* ---- places among lanes, warps and blocks ------------------------------------------------------ */

struct divisors {
    uint32_t lanes[IR_MAX_AXIS], warps[IR_MAX_AXIS], ranks[IR_MAX_AXIS];
};

static uint32_t common_multiple(uint32_t a, uint32_t b)
{
    uint32_t x = a, y = b;
    while (y) {
        uint32_t rest = x % y;
        x = y;
        y = rest;
    }
    return a / x * b;
}

/* Each axis begins where the faster axes that it meets end. False if there are not so many threads. */
static bool place(const struct search *s, struct divisors *out)
{
    const struct choice *c = &s->choice;
    for (uint32_t i = 0; i < s->order_count; i++) {
        uint8_t a = s->order[i];
        if (!is_chosen(s, a))
            continue;
        uint32_t lane = 1, warp = 1, rank = 1;
        for (uint32_t j = 0; j < i; j++) {
            uint8_t b = s->order[j];
            if (!is_chosen(s, b) || !(s->work.meets[a] & bit(b)))
                continue;
            lane = common_multiple(lane, out->lanes[b] * c->axes[b].lanes);
            warp = common_multiple(warp, out->warps[b] * c->axes[b].warps);
            rank = common_multiple(rank, out->ranks[b] * c->axes[b].ranks);
        }
        if (lane * c->axes[a].lanes > c->lanes || warp * c->axes[a].warps > c->warps ||
            rank * c->axes[a].ranks > c->cluster)
            return false;
        out->lanes[a] = lane;
        out->warps[a] = warp;
        out->ranks[a] = rank;
    }
    return true;
}

/* ---- the search -------------------------------------------------------------------------------- */

struct candidates {
    VEC(struct axis_choice) list;
};

/* Numbers of warps worth trying: what divides them all, and powers of two. */
static bool is_split(uint32_t count, uint32_t of)
{
    return of % count == 0 || !(count & (count - 1));
}

/* All splits of an axis that leave no thread without elements, but for the last of a power of two. */
static struct candidates list_candidates(struct search *s, uint32_t axis)
{
    struct candidates out = {0};
    const struct choice *c = &s->choice;
    uint32_t vector = c->axes[axis].vector, pieces = ceil_div(tile_of(s, axis), vector);
    for (uint32_t lanes = 1; lanes <= c->lanes && lanes <= power_above(pieces); lanes *= 2)
        for (uint32_t warps = 1; warps <= c->warps; warps++)
            for (uint32_t ranks = 1; ranks <= c->cluster; ranks *= 2)
                if (is_split(warps, c->warps) &&
                    (warps * ranks == 1 || lanes * warps * ranks <= pieces))
                    vec_push(&s->g->s->scratch, &out.list,
                             ((struct axis_choice){vector, lanes, warps, ranks}));
    return out;
}

static void set_choice(struct search *s, uint32_t axis, struct axis_choice x)
{
    for (uint32_t a = 0; a < s->f->axes.count; a++)
        if (s->like[a] == axis)
            s->choice.axes[a] = x;
}

static bool improve_pair(struct search *s, struct candidates *lists, uint32_t a, uint32_t b,
                         double *best)
{
    struct axis_choice best_a = s->choice.axes[a], best_b = s->choice.axes[b];
    struct divisors d;
    bool better = false;
    for (uint32_t i = 0; i < lists[a].list.count; i++)
        for (uint32_t j = 0; j < (a == b ? 1 : lists[b].list.count); j++) {
            if (a != b)
                set_choice(s, b, lists[b].list.data[j]);
            set_choice(s, a, lists[a].list.data[i]);
            double cost = place(s, &d) ? gpu_choice_cost(&s->choice, &s->work) : *best;
            if (cost >= *best * (1 - 1e-9))
                continue;
            *best = cost;
            best_b = s->choice.axes[b];
            best_a = s->choice.axes[a];
            better = true;
        }
    set_choice(s, b, best_b);
    set_choice(s, a, best_a);
    return better;
}

/* Finds splits for the vectors as they are; their cost. */
static double split(struct search *s)
{
    struct candidates lists[IR_MAX_AXIS] = {0};
    bool better = true;
    for (uint32_t a = 0; a < s->f->axes.count; a++)
        if (is_chosen(s, a))
            set_choice(s, a, (struct axis_choice){s->choice.axes[a].vector, 1, 1, 1});
    double best = gpu_choice_cost(&s->choice, &s->work);
    for (uint32_t a = 0; a < s->f->axes.count; a++)
        if (is_chosen(s, a))
            lists[a] = list_candidates(s, a);
    for (uint32_t round = 0; better && round < 8; round++) {
        better = false;
        for (uint32_t a = 0; a < s->f->axes.count; a++)
            for (uint32_t b = 0; b <= a; b++)
                if (lists[a].list.count && lists[b].list.count)
                    better |= improve_pair(s, lists, a, b, &best);
    }
    return best;
}

/* Does an axis with vectors meet another that has some and at least as much going along it? Then
 * every thread has a square of elements, which may be more than there is for it. */
static bool is_second(const struct search *s, uint32_t axis)
{
    for (uint32_t i = 0; i < s->order_count && s->order[i] != axis; i++)
        if (s->work.meets[axis] & bit(s->order[i]) && s->choice.axes[s->order[i]].vector > 1)
            return true;
    return false;
}

static double search(struct search *s)
{
    double best = split(s);
    for (uint32_t i = 0; i < s->order_count; i++) {
        uint8_t a = s->order[i];
        struct choice kept = s->choice;
        if (!is_chosen(s, a) || kept.axes[a].vector == 1 || !is_second(s, a))
            continue;
        for (uint32_t v = kept.axes[a].vector / 2; v >= 1; v /= 2) {
            set_choice(s, a, (struct axis_choice){v, 1, 1, 1});
            double cost = split(s);
            if (cost >= best)
                continue;
            best = cost;
            kept = s->choice;
        }
        s->choice = kept;
    }
    return best;
}

/* ---- digits ------------------------------------------------------------------------------------ */

static void add_digit(struct gpu_axis_layout *x, enum gpu_digit_source source, uint32_t divisor,
                      uint32_t count)
{
    if (count < 2)
        return;
    x->digits[x->digit_count++] =
        (struct gpu_digit){(uint8_t)source, divisor, count, (uint32_t)x->cover};
    x->cover *= count;
    if (source == GPU_REG)
        x->regs *= count;
}

/* Vector, lanes, warps, blocks, then what is left as registers: a warp reads one piece of memory
 * after the other, and the end of a row is missing from all warps alike. */
static void lay_out_axis(const struct search *s, const struct divisors *d, uint32_t axis,
                         struct gpu_axis_layout *x)
{
    const struct axis_choice *c = &s->choice.axes[axis];
    *x = (struct gpu_axis_layout){.regs = 1, .vector = c->vector, .cover = 1};
    add_digit(x, GPU_REG, 0, c->vector);
    add_digit(x, GPU_LANE, d->lanes[axis], c->lanes);
    add_digit(x, GPU_WARP, d->warps[axis], c->warps);
    add_digit(x, GPU_RANK, d->ranks[axis], c->ranks);
    add_digit(x, GPU_REG, 0, gpu_choice_regs(&s->choice, (uint8_t)axis) / c->vector);
    x->exact = x->cover == (uint64_t)s->f->axes.data[axis].tile;
}

/* The parts of an axis are the threads that hold it, however many were planned. */
static void lay_out_parts(const struct gpu_axis_layout *parent, struct ir_axis *axis,
                          struct gpu_axis_layout *x)
{
    *x = (struct gpu_axis_layout){.regs = 1, .vector = 1, .cover = 1, .exact = true};
    for (uint32_t d = 0; d < parent->digit_count; d++)
        if (parent->digits[d].source != GPU_REG)
            add_digit(x, (enum gpu_digit_source)parent->digits[d].source, parent->digits[d].divisor,
                      parent->digits[d].count);
    axis->tile = (int64_t)x->cover;
}

static void lay_out(const struct search *s, struct gpu_layout *out)
{
    struct divisors d = {{0}, {0}, {0}};
    place(s, &d);
    for (uint32_t a = 0; a < s->f->axes.count; a++) {
        out->order[s->f->axes.count - 1 - a] = s->order[a];
        out->axes[a] = (struct gpu_axis_layout){.regs = 1, .vector = 1, .cover = 1, .exact = true};
        if (s->work.laid_out & bit(a))
            lay_out_axis(s, &d, s->like[a], &out->axes[a]);
    }
}

static void lay_out_all_parts(const struct ir_func *f, struct gpu_layout *out)
{
    for (uint32_t a = 0; a < f->axes.count; a++)
        if (f->axes.data[a].kind == IR_AXIS_PART)
            lay_out_parts(&out->axes[f->axes.data[a].parent], &f->axes.data[a], &out->axes[a]);
}

/* ---- limits ------------------------------------------------------------------------------------ */

static bool check_tiles(const struct gen *g)
{
    uint32_t most = g->target->facts.max_tile;
    for (uint32_t a = 0; a < g->f->axes.count; a++) {
        const struct ir_axis *axis = &g->f->axes.data[a];
        if (axis->tile > most)
            return diag_error(g->s, axis->at, DIAG_TOO_WIDE,
                              "a tile of %lld elements; this target holds at most %u",
                              (long long)axis->tile, most);
    }
    return true;
}

/* Registers over some axes, as far as they matter. */
static uint64_t count_regs(const struct gpu_layout *l, axis_set axes)
{
    uint64_t regs = 1;
    for (uint32_t a = 0; a < l->axis_count && regs <= UINT32_MAX; a++)
        regs *= axes >> a & 1 ? l->axes[a].regs : 1;
    return regs;
}

static bool check_size(const struct gen *g, const struct work_list *list,
                       const struct gpu_layout *l)
{
    for (uint32_t i = 0; i < list->items.count; i++) {
        const struct work *w = &list->items.data[i];
        uint64_t regs = w->parts ? 1 : count_regs(l, w->axes);
        if (regs > MOST_REGS)
            return diag_error(g->s, w->node ? w->node->at : g->f->at, DIAG_BAD_SCHEDULE,
                              "a tile takes %llu registers of each of the %u threads; use more "
                              "warps or smaller tiles",
                              (unsigned long long)regs, l->threads);
    }
    return true;
}

static void begin(struct search *s)
{
    const struct facts *facts = &s->g->target->facts;
    s->choice = (struct choice){.f = s->f,
                                .lanes = facts->lanes,
                                .warps = s->schedule->num_warps,
                                .cluster = s->schedule->cluster};
    sort_axes(s);
    for (uint32_t a = 0; a < IR_MAX_AXIS; a++) {
        s->like[a] = (uint8_t)a;
        s->choice.axes[a] = (struct axis_choice){1, 1, 1, 1};
    }
    join_relabelled(s, s->f->body);
    for (uint32_t a = 0; a < s->f->axes.count; a++)
        if (is_chosen(s, a))
            set_choice(s, a, (struct axis_choice){choose_vector(s, (uint8_t)a), 1, 1, 1});
}

double gpu_find_layout(struct gen *g, const struct schedule *schedule, const struct work_list *list,
                       struct gpu_layout *out)
{
    struct search s = {.g = g, .f = g->f, .schedule = schedule, .work = *list};
    begin(&s);
    double cost = search(&s);
    *out = (struct gpu_layout){.threads = schedule->num_warps * g->target->facts.lanes,
                               .warps = schedule->num_warps,
                               .cluster = schedule->cluster,
                               .axis_count = g->f->axes.count};
    lay_out(&s, out);
    return cost;
}

bool gpu_assign(struct gen *g, const struct schedule *schedule, struct gpu_layout *out)
{
    struct work_list work;
    const char *why;
    if (!check_tiles(g))
        return false;
    gpu_collect_work(g, &work);
    double cost = gpu_find_layout(g, schedule, &work, out);
    gpu_anchor_accesses(g, schedule, &work, cost, out);
    lay_out_all_parts(g->f, out);
    if (!check_size(g, &work, out))
        return false;
    if (!gpu_layout_check(g->s, g->f, out, &why))
        diag_bug(g->s, g->f->at, "a layout that is none: %s", why);
    return true;
}
