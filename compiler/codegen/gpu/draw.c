/* Layouts as drawings: a cell for each vector of a tile, coloured by warp, with its lane and
 * registers; resting the pointer on a cell says what it holds. */
#include "codegen/gpu/assign.h"

#include <inttypes.h>
#include <stdarg.h>

enum {
    CELL_WIDTH = 34,
    CELL_HEIGHT = 20,
    MARGIN = 70,
    TITLE = 34,
    MOST_COLUMNS = 64,
    MOST_ROWS = 64
};

struct canvas {
    struct arena *a;
    VEC(char) bytes;
    uint32_t width, height; /* so far */
};

__attribute__((format(printf, 2, 3))) static void put(struct canvas *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *words = arena_vprintf(c->a, format, args);
    va_end(args);
    for (; *words; words++)
        vec_push(c->a, &c->bytes, *words);
}

/* ---- who holds an element ---------------------------------------------------------------------- */

/* The first of the threads that hold an element: its numbers, and its register in a view. */
struct holder {
    uint32_t lane, warp, rank, reg;
};

static void locate(const struct gpu_axis_layout *x, uint32_t coordinate, struct holder *h,
                   uint32_t *reg)
{
    uint32_t below = 1;
    *reg = 0;
    for (uint32_t i = 0; i < x->digit_count; i++) {
        const struct gpu_digit *d = &x->digits[i];
        uint32_t value = coordinate / d->stride % d->count;
        switch ((enum gpu_digit_source)d->source) {
        case GPU_REG:
            *reg += value * below;
            below *= d->count;
            break;
        case GPU_LANE: h->lane += value * d->divisor; break;
        case GPU_WARP: h->warp += value * d->divisor; break;
        case GPU_RANK: h->rank += value * d->divisor; break;
        }
    }
}

/* A tile of one or two axes: columns along `x`, in vectors; rows along `y` or, without one, what
 * comes after a full row. */
struct tile {
    const struct gpu_layout *l;
    const struct ir_func *f;
    const char *tensor; /* of the access whose own layout it is; NULL: the function's */
    uint8_t x, y;       /* y: IR_NO_AXIS */
    uint32_t step;      /* elements of a cell */
    uint32_t columns, rows, all_columns, all_rows;
};

static struct holder holder_at(const struct tile *t, uint32_t row, uint32_t column)
{
    struct holder h = {0};
    uint32_t x_reg, y_reg = 0;
    uint32_t piece = t->y == IR_NO_AXIS ? row * t->columns + column : column;
    locate(&t->l->axes[t->x], piece * t->step, &h, &x_reg);
    h.reg = x_reg;
    if (t->y != IR_NO_AXIS) {
        locate(&t->l->axes[t->y], row, &h, &y_reg);
        struct gpu_view view = gpu_view(t->l, (axis_set)1 << t->x | (axis_set)1 << t->y);
        uint32_t numbers[IR_MAX_AXIS] = {0};
        numbers[t->x] = x_reg;
        numbers[t->y] = y_reg;
        h.reg = gpu_view_register(&view, numbers);
    }
    return h;
}

static void put_registers(struct canvas *c, uint32_t reg, uint32_t count)
{
    if (count == 1)
        put(c, "%u", reg);
    else
        put(c, "%u-%u", reg, reg + count - 1);
}

/* ---- cells ------------------------------------------------------------------------------------- */

/* Hues a golden section apart differ as much as they can. */
static void put_colour(struct canvas *c, const struct holder *h)
{
    uint32_t hue = (h->warp * 137u + 200u) % 360u;
    uint32_t light = 78 + h->rank * 14 % 20 - (h->lane & 1) * 4;
    put(c, "hsl(%u,55%%,%u%%)", hue, light);
}

static void put_cell(struct canvas *c, const struct tile *t, uint32_t row, uint32_t column,
                     uint32_t top)
{
    struct holder h = holder_at(t, row, column);
    uint32_t piece = t->y == IR_NO_AXIS ? row * t->columns + column : column;
    uint32_t left = MARGIN + column * CELL_WIDTH, y = top + row * CELL_HEIGHT;
    const char *name = t->f->axes.data[t->x].name;
    bool inside = (uint64_t)piece * t->step < (uint64_t)t->f->axes.data[t->x].tile &&
                  (t->y == IR_NO_AXIS || row < (uint32_t)t->f->axes.data[t->y].tile);
    put(c, "<g%s><rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" fill=\"",
        inside ? "" : " opacity=\"0.25\"", left, y, CELL_WIDTH - 1, CELL_HEIGHT - 1);
    put_colour(c, &h);
    put(c, "\"/><text x=\"%u\" y=\"%u\">%u", left + 3, y + 9, h.lane);
    put(c, "</text><text x=\"%u\" y=\"%u\" class=\"r\">r", left + 3, y + 17);
    put_registers(c, h.reg, t->step);
    put(c, "</text><title>%s %u", name, piece * t->step);
    if (t->step > 1)
        put(c, " to %u", (piece + 1) * t->step - 1);
    if (t->y != IR_NO_AXIS)
        put(c, ", %s %u", t->f->axes.data[t->y].name, row);
    put(c, ": warp %u, lane %u", h.warp, h.lane);
    if (t->l->cluster > 1)
        put(c, ", block %u", h.rank);
    put(c, ", registers ");
    put_registers(c, h.reg, t->step);
    put(c, "%s</title></g>\n", inside ? "" : " (beyond the tile)");
}

/* ---- tiles ------------------------------------------------------------------------------------- */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static struct tile make_tile(const struct ir_func *f, const struct gpu_layout *l, uint8_t x,
                             uint8_t y)
{
    struct tile t = {.l = l, .f = f, .x = x, .y = y, .step = l->axes[x].vector};
    uint32_t pieces = (uint32_t)(l->axes[x].cover / t.step);
    if (y != IR_NO_AXIS) {
        t.all_columns = pieces;
        t.all_rows = (uint32_t)l->axes[y].cover;
    } else {
        t.all_columns = least(pieces, gpu_axis_count(&l->axes[x], GPU_LANE));
        t.all_rows = (pieces + t.all_columns - 1) / t.all_columns;
    }
    t.columns = least(t.all_columns, MOST_COLUMNS);
    t.rows = least(t.all_rows, MOST_ROWS);
    return t;
}

/* Threads that hold the same; the first of them is drawn. */
static uint32_t count_copies(const struct tile *t)
{
    uint32_t apart = 1;
    for (int source = GPU_LANE; source <= GPU_RANK; source++) {
        apart *= gpu_axis_count(&t->l->axes[t->x], (enum gpu_digit_source)source);
        if (t->y != IR_NO_AXIS)
            apart *= gpu_axis_count(&t->l->axes[t->y], (enum gpu_digit_source)source);
    }
    return t->l->threads * t->l->cluster / apart;
}

static void put_caption(struct canvas *c, const struct tile *t, uint32_t top)
{
    const struct ir_axis *x = &t->f->axes.data[t->x];
    put(c, "<text x=\"%u\" y=\"%u\" class=\"t\">", MARGIN, top + 16);
    if (t->tensor)
        put(c, "%s in a layout of its own; ", t->tensor);
    put(c, "%s: %" PRId64 " elements", x->name, x->tile);
    if (t->y != IR_NO_AXIS)
        put(c, ", %s: %" PRId64 " downwards", t->f->axes.data[t->y].name,
            t->f->axes.data[t->y].tile);
    put(c, "; a cell is %u %s; above its lane, below its registers", t->step,
        t->step == 1 ? "element" : "neighbours");
    uint32_t copies = count_copies(t);
    if (copies > 1)
        put(c, "; %u threads have each", copies);
    if (t->columns < t->all_columns || t->rows < t->all_rows)
        put(c, "; shown are %u x %u of %u x %u cells", t->rows, t->columns, t->all_rows,
            t->all_columns);
    put(c, "</text>\n");
}

static void put_tile(struct canvas *c, const struct tile *t)
{
    uint32_t top = c->height + TITLE;
    put_caption(c, t, c->height);
    for (uint32_t row = 0; row < t->rows; row++) {
        uint32_t at = t->y == IR_NO_AXIS ? row * t->columns * t->step : row;
        put(c, "<text x=\"%u\" y=\"%u\" class=\"i\">%u</text>\n", MARGIN - 8,
            top + row * CELL_HEIGHT + 13, at);
        for (uint32_t column = 0; column < t->columns; column++)
            put_cell(c, t, row, column, top);
    }
    uint32_t right = MARGIN + t->columns * CELL_WIDTH + 20;
    c->width = right > c->width ? right : c->width;
    c->height = top + t->rows * CELL_HEIGHT + 10;
}

/* ---- which tiles ------------------------------------------------------------------------------- */

/* The slower axis that a value over `axes` has most places along, besides x. */
static uint8_t second_axis(const struct gpu_layout *l, axis_set axes, uint8_t x)
{
    uint8_t best = IR_NO_AXIS;
    for (uint32_t a = 0; a < l->axis_count; a++)
        if (a != x && axes >> a & 1 && l->axes[a].cover > 1 &&
            (best == IR_NO_AXIS || l->axes[a].cover > l->axes[best].cover))
            best = (uint8_t)a;
    return best;
}

static bool is_new(uint16_t *seen, uint32_t *count, uint8_t x, uint8_t y)
{
    uint16_t pair = (uint16_t)(x << 8 | y);
    for (uint32_t i = 0; i < *count; i++)
        if (seen[i] == pair)
            return false;
    seen[(*count)++] = pair;
    return true;
}

/* The axis that goes to the right: the fastest of an access that has several places. */
static uint8_t first_axis(const struct gpu_layout *l, axis_set axes)
{
    uint8_t x = IR_NO_AXIS;
    for (uint32_t k = 0; k < l->axis_count; k++)
        if (axes >> l->order[k] & 1 && l->axes[l->order[k]].cover > 1)
            x = l->order[k];
    return x;
}

/* One drawing for each pair of axes that an access has, and for each access that has its own layout. */
static void put_tiles(struct canvas *c, const struct ir_func *f, const struct gpu_layout *function,
                      const struct work_list *work)
{
    uint16_t seen[16];
    uint32_t count = 0;
    for (uint32_t i = 0; i < work->items.count && count < 16; i++) {
        const struct work *w = &work->items.data[i];
        const struct gpu_anchor *own = w->node ? gpu_anchor_of(function, w->node) : NULL;
        const struct gpu_layout *l = own ? own->layout : function;
        uint8_t x = first_axis(l, w->axes);
        if (w->kind != WORK_ACCESS || x == IR_NO_AXIS)
            continue;
        uint8_t y = second_axis(l, w->axes, x);
        if (!own && !is_new(seen, &count, x, y))
            continue;
        struct tile t = make_tile(f, l, x, y);
        t.tensor = own ? f->tensors.data[w->node->attr.tensor].name : NULL;
        put_tile(c, &t);
    }
}

/* The warps by their colours. */
static void put_legend(struct canvas *c, const struct gpu_layout *l)
{
    for (uint32_t warp = 0; warp < l->warps; warp++) {
        uint32_t left = MARGIN + warp * CELL_WIDTH;
        put(c, "<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"14\" fill=\"", left, c->height,
            CELL_WIDTH - 1);
        put_colour(c, &(struct holder){.warp = warp});
        put(c, "\"/><text x=\"%u\" y=\"%u\">warp %u</text>\n", left + 2, c->height + 10, warp);
    }
    uint32_t right = MARGIN + l->warps * CELL_WIDTH + 20;
    c->width = right > c->width ? right : c->width;
    c->height += 24;
}

const char *gpu_drawing(struct gen *g)
{
    const struct gpu_layout *l = g->gpu->layout;
    struct canvas body = {.a = &g->s->module, .width = 1000}, page = {.a = &g->s->module};
    struct work_list work;
    gpu_collect_work(g, &work);
    put(&body, "<text x=\"%u\" y=\"20\" class=\"t\">%s: %u %s of %u lanes", MARGIN, g->f->name,
        l->warps, l->warps == 1 ? "warp" : "warps", l->threads / l->warps);
    put(&body, "%s</text>\n", l->cluster > 1 ? ", a shade for each block of the cluster" : "");
    body.height = 30;
    put_legend(&body, l);
    put_tiles(&body, g->f, l, &work);
    vec_push(body.a, &body.bytes, '\0');
    put(&page,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
        "viewBox=\"0 0 %u %u\">\n<style>text{font:8px monospace}.t{font:13px sans-serif}"
        ".i{font:9px monospace;text-anchor:end}.r{fill:#555;font-size:7px}</style>\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
        body.width, body.height, body.width, body.height);
    put(&page, "%s</svg>\n", body.bytes.data);
    vec_push(page.a, &page.bytes, '\0');
    return page.bytes.data;
}
