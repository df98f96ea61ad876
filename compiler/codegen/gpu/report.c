/* Layouts in words, for --emit=layout, and the same as remarks. */
#include "codegen/gpu/assign.h"
#include "codegen/gpu/convert.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- texts ------------------------------------------------------------------------------------- */

struct text {
    struct arena *a;
    VEC(char) bytes;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *words = arena_vprintf(t->a, format, args);
    va_end(args);
    for (; *words; words++)
        vec_push(t->a, &t->bytes, *words);
}

static const char *whole_text(struct text *t)
{
    vec_push(t->a, &t->bytes, '\0');
    return t->bytes.data;
}

/* ---- axes -------------------------------------------------------------------------------------- */

static uint32_t source_size(const struct gpu_layout *l, uint8_t source)
{
    return source == GPU_LANE ? l->threads / l->warps : source == GPU_WARP ? l->warps : l->cluster;
}

static const char *source_name(uint8_t source)
{
    static const char *const names[] = {"register", "lane", "warp", "block"};
    return names[source];
}

/* "8 * (lane / 4 % 8)" */
static void put_digit(struct text *t, const struct gpu_layout *l, const struct gpu_digit *d,
                      uint32_t below, uint32_t regs)
{
    bool reg = d->source == GPU_REG;
    uint32_t divisor = reg ? below : d->divisor;
    uint32_t size = reg ? regs : source_size(l, d->source);
    bool divides = divisor > 1, wraps = divisor * d->count < size;
    if (d->stride > 1)
        put(t, "%u * %s", d->stride, divides || wraps ? "(" : "");
    put(t, "%s", source_name(d->source));
    if (divides)
        put(t, " / %u", divisor);
    if (wraps)
        put(t, " %% %u", d->count);
    if (d->stride > 1 && (divides || wraps))
        put(t, ")");
}

static void put_sum(struct text *t, const struct gpu_layout *l, const struct gpu_axis_layout *x)
{
    uint32_t below = 1;
    for (uint32_t i = 0; i < x->digit_count; i++) {
        if (i)
            put(t, " + ");
        put_digit(t, l, &x->digits[i], below, x->regs);
        if (x->digits[i].source == GPU_REG)
            below *= x->digits[i].count;
    }
}

static const char *kind_name(enum ir_axis_kind kind)
{
    switch (kind) {
    case IR_AXIS_PROGRAM: return "one element a program";
    case IR_AXIS_GRID: return "one tile a program";
    case IR_AXIS_HELD: return "held";
    case IR_AXIS_SWEPT: return "swept";
    case IR_AXIS_PART: return "parts";
    }
    return "";
}

static void put_axis(struct text *t, const struct ir_func *f, const struct gpu_layout *l,
                     uint32_t axis)
{
    const struct ir_axis *a = &f->axes.data[axis];
    const struct gpu_axis_layout *x = &l->axes[axis];
    put(t, "  %s: %s", a->name, kind_name(a->kind));
    if (a->kind == IR_AXIS_PART)
        put(t, " of %s", f->axes.data[a->parent].name);
    if (a->kind != IR_AXIS_PROGRAM)
        put(t, ", %" PRId64 " %s", a->tile, a->tile == 1 ? "element" : "elements");
    if (x->digit_count) {
        put(t, "; %s = ", a->name);
        put_sum(t, l, x);
    }
    if (!x->exact)
        put(t, "; room for %" PRIu64, x->cover);
    put(t, "\n");
}

/* ---- accesses ---------------------------------------------------------------------------------- */

static const char *access_name(struct session *s, const struct ir_func *f, const struct work *w)
{
    const struct ir_tensor *tensor = &f->tensors.data[w->node->attr.tensor];
    struct text t = {.a = &s->module};
    put(&t, "%s[", tensor->name);
    for (uint32_t d = 0; d < tensor->rank; d++) {
        axis_set axes = w->node->operands[d]->type.axes;
        put(&t, d ? ", " : "");
        bool first = true;
        for (uint32_t a = 0; a < f->axes.count; a++)
            if (axes >> a & 1) {
                put(&t, "%s%s", first ? "" : " ", f->axes.data[a].name);
                first = false;
            }
        if (first)
            put(&t, "%s", w->node->operands[d]->name ? w->node->operands[d]->name : ".");
    }
    put(&t, "]");
    return whole_text(&t);
}

struct described {
    uint32_t bytes;  /* of one instruction */
    bool tested;     /* ... where the address allows it, which the kernel looks at */
    const char *why; /* not wider, or not without a test */
};

static struct gpu_layout *layout_of(const struct gen *g, const struct work *w)
{
    const struct gpu_anchor *a = gpu_anchor_of(g->gpu->layout, w->node);
    return a ? a->layout : g->gpu->layout;
}

static struct described describe(struct gen *g, const struct work *w)
{
    struct described d;
    uint8_t axis;
    uint32_t wanted = g->gpu->schedule.vector;
    struct gpu_layout *function = g->gpu->layout;
    g->gpu->layout = layout_of(g, w);
    gpu_access_width(g, g->gpu->layout, w->node, w->axes, wanted, &axis, &d.why);
    d.bytes = w->bytes * gpu_width_of(g, w->node, w->axes, &d.tested, &axis);
    g->gpu->layout = function;
    return d;
}

static const char *access_word(const struct work *w)
{
    return w->node->op == IR_OP_load ? "loads" : w->node->op == IR_OP_store ? "stores" : "atomics";
}

/* "8 warps x 32 lanes x 8, repeat 5" along one axis. */
static void put_spread(struct text *t, const struct gpu_axis_layout *x)
{
    uint32_t ranks = gpu_axis_count(x, GPU_RANK), warps = gpu_axis_count(x, GPU_WARP);
    uint32_t lanes = gpu_axis_count(x, GPU_LANE);
    if (ranks > 1)
        put(t, "%u blocks x ", ranks);
    if (warps > 1)
        put(t, "%u warps x ", warps);
    put(t, "%u %s x %u", lanes, lanes == 1 ? "lane" : "lanes", x->vector);
    if (x->regs > x->vector)
        put(t, ", repeat %u", x->regs / x->vector);
}

/* Is it worth a word that an access is narrow? */
static bool matters(const struct ir_func *f, const struct work_list *list, const struct work *w)
{
    double most = 0;
    for (uint32_t i = 0; i < list->items.count; i++)
        if (list->items.data[i].kind == WORK_ACCESS) {
            double bytes = gpu_work_bytes(f, &list->items.data[i]);
            most = bytes > most ? bytes : most;
        }
    return gpu_work_bytes(f, w) * 16 >= most;
}

static const char *access_text(struct gen *g, const struct work_list *list, const struct work *w)
{
    struct text t = {.a = &g->s->module};
    struct described d = describe(g, w);
    put(&t, "%s: %u-byte %s", access_name(g->s, g->f, w), d.bytes, access_word(w));
    const struct gpu_layout *l = layout_of(g, w);
    for (uint32_t k = g->f->axes.count; k-- > 0;) {
        uint8_t a = l->order[k];
        const struct gpu_axis_layout *x = &l->axes[a];
        if (!(w->axes >> a & 1) || !x->digit_count)
            continue;
        put(&t, "; %s ", g->f->axes.data[a].name);
        put_spread(&t, x);
    }
    if (d.why && matters(g->f, list, w))
        put(&t, " (%s: %s)", d.tested ? "if a test finds them aligned" : "not wider", d.why);
    return whole_text(&t);
}

/* ---- conversions ------------------------------------------------------------------------------- */

static const struct work *work_of(const struct work_list *list, const struct ir_node *n)
{
    const struct work *found = NULL;
    for (uint32_t i = 0; i < list->items.count; i++)
        if (list->items.data[i].node == n)
            found = &list->items.data[i];
    return found;
}

/* An access of as many bytes, by all lanes of a warp, fills the banks so many times. */
static void put_rounds(struct text *t, const char *what, uint32_t bytes, uint32_t rounds)
{
    uint32_t least = bytes > 4 ? bytes / 4 : 1;
    put(t, ", %u-byte %s", bytes, what);
    if (rounds > least)
        put(t, " (banks met %u times, not %u)", rounds, least);
}

static void put_means(struct text *t, const struct gpu_conversion *c)
{
    if (c->means == GPU_RENAME)
        put(t, ": by other registers");
    if (c->means == GPU_SHUFFLE)
        put(t, ": by shuffles");
    if (c->means != GPU_SHARED)
        return;
    put(t, ": through %u bytes of shared memory", c->shared_bytes);
    put_rounds(t, "writes", c->write * c->bytes, c->write_rounds);
    put_rounds(t, "reads", c->read * c->bytes, c->read_rounds);
}

/* What is converted, how, and what for. */
static const char *conversion_text(struct gen *g, const struct work *w, const struct gpu_anchor *a)
{
    struct text t = {.a = &g->s->module};
    bool loads = a->node->op == IR_OP_load;
    put(&t, "%s has a layout of its own, %s which its value is converted",
        access_name(g->s, g->f, w), loads ? "from" : "to");
    if (a->conversion)
        put_means(&t, a->conversion);
    put(&t, " (%sestimated cost in one layout: %.2f of this)",
        g->gpu->schedule.convert == GPU_CONVERT_ALWAYS ? "convert = 1; " : "", a->gain);
    return whole_text(&t);
}

static void put_conversions(struct text *t, struct gen *g, const struct work_list *list)
{
    const struct gpu_layout *l = g->gpu->layout;
    if (l->anchor_count)
        put(t, "conversions\n");
    for (uint32_t i = 0; i < l->anchor_count; i++) {
        const struct gpu_anchor *a = &l->anchors[i];
        const struct work *w = work_of(list, a->node);
        put(t, "  %s\n", conversion_text(g, w, a));
        for (uint32_t axis = 0; axis < g->f->axes.count; axis++) {
            const struct gpu_axis_layout *x = &a->layout->axes[axis];
            if (!(w->axes >> axis & 1) || !x->digit_count)
                continue;
            put(t, "    %s = ", g->f->axes.data[axis].name);
            put_sum(t, a->layout, x);
            put(t, x->exact ? "\n" : "; room for %" PRIu64 "\n", x->cover);
        }
    }
}

/* ---- sums -------------------------------------------------------------------------------------- */

static const char *program_text(struct gen *g, const struct work_list *list)
{
    struct text t = {.a = &g->s->module};
    struct gpu_traffic x = gpu_program_traffic(g->f, list);
    put(&t, "a program reads %.0f bytes and writes %.0f", x.read, x.written);
    if (x.read_in_loops + x.written_in_loops > 0)
        put(&t, "; a round of its loops reads %.0f and writes %.0f", x.read_in_loops,
            x.written_in_loops);
    return whole_text(&t);
}

/* NULL: nobody said how large anything is. */
static const char *launch_text(struct gen *g, const struct work_list *list)
{
    struct text t = {.a = &g->s->module};
    struct gpu_traffic x;
    const char *unsaid;
    bool asked = false;
    for (uint32_t i = 0; i < g->f->params.count; i++)
        asked |= g->f->params.data[i].expected;
    if (!asked)
        return NULL;
    if (!gpu_launch_traffic(g->f, list, &x, &unsaid)) {
        put(&t, "what a launch moves is not predicted: %s%s", unsaid ? unsaid : "it",
            unsaid ? " is not known" : " depends on data");
        return whole_text(&t);
    }
    put(&t, "a launch reads %.1f MB and writes %.1f MB, each element once", x.read / 1e6,
        x.written / 1e6);
    uint32_t bandwidth = g->target->facts.bandwidth;
    if (bandwidth)
        put(&t, ": at least %.1f us at %u GB/s", (x.read + x.written) / 1e3 / bandwidth, bandwidth);
    return whole_text(&t);
}

static void put_schedule(struct text *t, const struct schedule *s, const struct gpu_layout *l)
{
    put(t, "%u %s (%u threads)", s->num_warps, s->num_warps == 1 ? "warp" : "warps", l->threads);
    if (s->cluster > 1)
        put(t, ", clusters of %u blocks", s->cluster);
    put(t, ", vectors of %u bytes", s->vector);
    if (s->blocks_per_sm)
        put(t, ", %u blocks on a multiprocessor", s->blocks_per_sm);
    if (s->max_registers)
        put(t, ", at most %u registers", s->max_registers);
    if (s->hold || s->hold_registers)
        put(t, ", holds %u bytes and %u vectors a thread", s->hold, s->hold_registers);
    if (s->stages)
        put(t, ", ring of %u stages", s->stages);
    if (s->in_shared)
        put(t, ", in_shared = %u", s->in_shared);
    put(t, "%s%s", s->evict_last ? ", evict_last" : "", s->early_weights ? ", early_weights" : "");
}

/* ---- the report -------------------------------------------------------------------------------- */

const char *gpu_report(struct gen *g)
{
    const struct gpu_layout *l = g->gpu->layout;
    struct text t = {.a = &g->s->module};
    struct work_list work;
    gpu_collect_work(g, &work);
    put(&t, "kernel %s for %s:%s\n", g->f->name, g->target->target->name, g->target->cpu);
    put(&t, "schedule\n  ");
    put_schedule(&t, &g->gpu->schedule, l);
    put(&t, "\naxes\n");
    for (uint32_t a = 0; a < g->f->axes.count; a++)
        put_axis(&t, g->f, l, a);
    put(&t, "accesses\n");
    for (uint32_t i = 0; i < work.items.count; i++)
        if (work.items.data[i].kind == WORK_ACCESS)
            put(&t, "  %s\n", access_text(g, &work, &work.items.data[i]));
    put_conversions(&t, g, &work);
    put(&t, "estimates\n  %s\n", program_text(g, &work));
    const char *launch = launch_text(g, &work);
    if (launch)
        put(&t, "  %s\n", launch);
    put(&t, "  about %u registers a thread\n",
        gpu_pressure(g->s, g->f, l, g->gpu->schedule.in_shared));
    return whole_text(&t);
}

/* ---- remarks ----------------------------------------------------------------------------------- */

static void remark_guards(struct gen *g, const struct gpu_layout *l)
{
    for (uint32_t a = 0; a < g->f->axes.count; a++) {
        const struct ir_axis *axis = &g->f->axes.data[a];
        if (axis->kind == IR_AXIS_PROGRAM || axis->kind == IR_AXIS_PART || axis->tile == 1)
            continue;
        if (!axis->full)
            diag_remark(g->s, axis->at, "%s is guarded: its last tile may stick out of its range",
                        axis->name);
        else if (!l->axes[a].exact)
            diag_remark(g->s, axis->at,
                        "%s is guarded: its tile of %" PRId64 " has a layout for %" PRIu64,
                        axis->name, axis->tile, l->axes[a].cover);
    }
}

/* Blocks that one multiprocessor can hold at once, by what limits them first. */
static void remark_residency(struct gen *g)
{
    const struct facts *facts = &g->target->facts;
    uint32_t threads = g->gpu->layout->threads, shared = g->gpu->shared_bytes;
    uint32_t regs = gpu_pressure(g->s, g->f, g->gpu->layout, g->gpu->schedule.in_shared);
    uint32_t most =
        g->gpu->schedule.max_registers ? g->gpu->schedule.max_registers : facts->registers;
    uint32_t used = regs < most ? regs : most;
    uint32_t by_threads = facts->resident / threads;
    uint32_t by_regs = facts->block_registers / (threads * (used < 16 ? 16 : used));
    uint32_t by_shared = shared ? facts->shared_bytes / shared : by_threads;
    uint32_t blocks = by_threads < by_regs ? by_threads : by_regs;
    blocks = blocks < by_shared ? blocks : by_shared;
    const char *limit = blocks == by_threads ? "threads"
                        : blocks == by_regs  ? "registers"
                                             : "shared memory";
    diag_remark(g->s, g->f->at,
                "about %u registers a thread, %u bytes of shared memory a block: %s allow %u %s "
                "on a multiprocessor",
                regs, shared, limit, blocks, blocks == 1 ? "block" : "blocks");
    if (regs > most)
        diag_remark(g->s, g->f->at,
                    "a thread may have %u registers, so some values will wait in memory: more "
                    "warps or smaller tiles would help",
                    most);
}

void gpu_remark(struct gen *g)
{
    struct text t = {.a = &g->s->module};
    struct work_list work;
    if (!g->s->remarks)
        return;
    gpu_collect_work(g, &work);
    put_schedule(&t, &g->gpu->schedule, g->gpu->layout);
    diag_remark(g->s, g->f->at, "%s: %s", g->f->name, whole_text(&t));
    for (uint32_t i = 0; i < work.items.count; i++)
        if (work.items.data[i].kind == WORK_ACCESS)
            diag_remark(g->s, work.items.data[i].node->at, "%s",
                        access_text(g, &work, &work.items.data[i]));
    for (uint32_t i = 0; i < g->gpu->layout->anchor_count; i++) {
        const struct gpu_anchor *a = &g->gpu->layout->anchors[i];
        diag_remark(g->s, a->node->at, "%s", conversion_text(g, work_of(&work, a->node), a));
    }
    remark_guards(g, g->gpu->layout);
    diag_remark(g->s, g->f->at, "%s", program_text(g, &work));
    const char *launch = launch_text(g, &work);
    if (launch)
        diag_remark(g->s, g->f->at, "%s", launch);
    remark_residency(g);
}

/* ---- emission ---------------------------------------------------------------------------------- */

bool gen_gpu_layout(struct gen *g, bool drawing, struct codegen_result *out)
{
    g->gpu = arena_new(&g->s->module, struct gpu);
    g->gpu->layout = arena_new(&g->s->module, struct gpu_layout);
    if (!gpu_schedule(g, &g->gpu->schedule) || !gpu_assign(g, &g->gpu->schedule, g->gpu->layout))
        return false;
    out->text = drawing ? gpu_drawing(g) : gpu_report(g);
    return true;
}
