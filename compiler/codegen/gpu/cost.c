/* What a choice of layouts costs: a rough count of the cycles that a block keeps a multiprocessor
 * busy. Only comparisons matter, so the rates are round numbers of recent GPUs. */
#include "codegen/gpu/assign.h"

#define MEMORY_BYTES 20.0  /* a cycle, of one multiprocessor's share */
#define CACHE_BYTES  128.0 /* first level */
#define SHARED_BYTES 128.0
#define ALU_LANES    128.0
#define BARRIER      100.0
#define CLUSTER_WAIT 200.0
#define ROOMY        160.0 /* registers that cost nothing */
#define GUARDED      1.05  /* arithmetic where tiles stick out of the layout */

/* Of the cost of a conversion, while other blocks use the memory. Transpositions of 8192 x 8192 on an
 * H200 took 1.02 to 1.14 times as long without, with tiles from 32 x 32 to 256 x 64. */
#define EXPOSED 0.25

static uint32_t ceil_div(uint32_t a, uint32_t b)
{
    return (a + b - 1) / b;
}

uint32_t gpu_choice_regs(const struct choice *c, uint8_t axis)
{
    const struct axis_choice *x = &c->axes[axis];
    uint32_t tile = (uint32_t)c->f->axes.data[axis].tile;
    return x->vector * ceil_div(tile, x->vector * x->lanes * x->warps * x->ranks);
}

static bool has(axis_set axes, uint32_t axis)
{
    return axes >> axis & 1;
}

/* Registers that a thread has for a value over `axes`; over parts it has one along their parents. */
static double regs_over(const struct choice *c, axis_set axes, bool parts)
{
    double regs = 1;
    for (uint32_t a = 0; a < c->f->axes.count; a++)
        if (has(axes, a))
            regs *= gpu_choice_regs(c, (uint8_t)a);
    return parts ? 1 : regs;
}

/* ---- memory ------------------------------------------------------------------------------------ */

double gpu_width_cost(uint32_t bytes)
{
    switch (bytes) {
    case 1: return 2.5;
    case 2: return 1.7;
    case 4: return 1.3;
    case 8: return 1.1;
    case 16: return 1.0;
    default: return 1.0 + 0.02 * bytes / 16; /* pieces with gaps between */
    }
}

/* How much slower memory is when lanes touch only `run` bytes in a row. */
static double scatter_cost(double run, bool writes)
{
    static const struct {
        double run, read, write;
    } rows[] = {
        {512, 1.00, 1.00},
        {256, 1.02, 1.03},
        {128, 1.08, 1.07},
        {64,  1.40, 1.70},
        {32,  2.00, 3.20},
    };
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (run >= rows[i].run)
            return writes ? rows[i].write : rows[i].read;
    return writes ? 12.0 : 5.0;
}

/* Bytes of different elements that the block's threads touch. */
static double distinct_bytes(const struct choice *c, const struct work *w)
{
    double bytes = w->bytes;
    for (uint32_t a = 0; a < c->f->axes.count; a++)
        if (has(w->axes, a)) {
            const struct axis_choice *x = &c->axes[a];
            double held = (double)gpu_choice_regs(c, (uint8_t)a) * x->lanes * x->warps;
            double tile = (double)c->f->axes.data[a].tile;
            bytes *= held < tile ? held : tile;
        }
    return bytes;
}

static double access_cost(const struct choice *c, const struct work *w)
{
    double regs = regs_over(c, w->axes, w->parts), run = w->bytes;
    double vector = 1;
    if (w->fast != IR_NO_AXIS && w->fast < c->f->axes.count && has(w->axes, w->fast)) {
        const struct axis_choice *x = &c->axes[w->fast];
        double all = (double)(w->bytes * c->f->axes.data[w->fast].tile);
        vector = x->vector;
        run = w->bytes * vector * x->lanes;
        run = run < all ? run : all;
    }
    double together = vector < w->proven ? vector : w->proven;
    double width = together * w->bytes > 16 ? 16 : together * w->bytes;
    double instructions = regs * w->bytes / width * c->warps;
    double touched = regs * w->bytes * c->lanes * c->warps;
    return distinct_bytes(c, w) * scatter_cost(run, w->writes) / MEMORY_BYTES +
           touched / CACHE_BYTES + instructions;
}

static double move_cost(const struct choice *c, const struct work *w)
{
    double regs = regs_over(c, w->axes, w->parts), width = c->axes[w->fast].vector * w->bytes;
    double bytes = regs * w->bytes, lanes = c->lanes * c->warps;
    width = width > 16 ? 16 : width;
    double packing = w->bytes < 4 && width > w->bytes ? regs * lanes / ALU_LANES : 0;
    double all = bytes / width * c->warps + bytes * lanes / SHARED_BYTES + packing + BARRIER / 2;
    return all * EXPOSED;
}

/* ---- arithmetic, reductions -------------------------------------------------------------------- */

static double elements_cost(const struct choice *c, const struct work *w)
{
    double cost = regs_over(c, w->axes, w->parts) * c->lanes * c->warps / ALU_LANES;
    for (uint32_t a = 0; a < c->f->axes.count; a++)
        if (has(w->axes, a)) {
            const struct axis_choice *x = &c->axes[a];
            uint64_t cover =
                (uint64_t)gpu_choice_regs(c, (uint8_t)a) * x->lanes * x->warps * x->ranks;
            if (cover != (uint64_t)c->f->axes.data[a].tile)
                cost *= GUARDED;
        }
    return cost;
}

static double log2_of(uint32_t power)
{
    double result = 0;
    for (; power > 1; power /= 2)
        result++;
    return result;
}

static double reduce_cost(const struct choice *c, const struct work *w)
{
    uint32_t lanes = 1, warps = 1, ranks = 1;
    double kept = 1; /* results, over all threads of a warp */
    for (uint32_t a = 0; a < c->f->axes.count; a++)
        if (has(w->reduced, a)) {
            lanes *= c->axes[a].lanes;
            warps *= c->axes[a].warps;
            ranks *= c->axes[a].ranks;
        } else if (has(w->axes, a)) {
            kept *= c->axes[a].lanes;
        }
    double results = regs_over(c, w->axes & ~w->reduced, w->parts);
    double words = results * (w->bytes + 3) / 4;
    double cost = words * log2_of(lanes) * c->warps * 1.5; /* a shuffle, an addition */
    if (warps > 1 || ranks > 1)
        cost += BARRIER + words * kept * 4 * c->warps * (1 + warps * ranks) / SHARED_BYTES;
    return cost + (ranks > 1 ? CLUSTER_WAIT : 0);
}

/* Of the widest values: two such live at once. */
static double crowding(const struct choice *c, const struct work_list *list)
{
    double most = 0;
    for (uint32_t i = 0; i < list->items.count; i++) {
        const struct work *w = &list->items.data[i];
        double regs = 2 * regs_over(c, w->axes, w->parts);
        most = regs > most ? regs : most;
    }
    return most > ROOMY ? most / ROOMY : 1;
}

double gpu_choice_cost(const struct choice *c, const struct work_list *list)
{
    double sum = 0;
    for (uint32_t i = 0; i < list->items.count; i++) {
        const struct work *w = &list->items.data[i];
        switch (w->kind) {
        case WORK_ELEMENTS: sum += w->times * elements_cost(c, w); break;
        case WORK_ACCESS: sum += w->times * access_cost(c, w); break;
        case WORK_MOVE: sum += w->times * move_cost(c, w); break;
        case WORK_REDUCE: sum += w->times * reduce_cost(c, w); break;
        }
    }
    return sum * crowding(c, list);
}
