/* The schedule: values that the tuner may choose, by name, and what they are when nobody chose. */
#include "codegen/gpu/gpu.h"

#include <stdlib.h>
#include <string.h>

/* ---- defaults that depend on the kernel -------------------------------------------------------- */

/* Which tensors the sweeps read: by tensor, the number of the sweep that read it last. */
struct sweeps {
    uint32_t *reader;
    uint32_t count;
    bool again;
};

static void visit_reads(struct sweeps *s, const struct ir_block *b, uint32_t sweep)
{
    for (const struct ir_node *n = b->first; n; n = n->next) {
        uint32_t inner = n->op == IR_OP_sweep && !sweep ? ++s->count : sweep;
        if (n->op == IR_OP_load && sweep) {
            uint32_t *reader = &s->reader[n->attr.tensor];
            s->again |= *reader && *reader != sweep;
            *reader = sweep;
        }
        for (uint32_t i = 0; i < n->region_count; i++)
            visit_reads(s, n->regions[i], inner);
    }
}

/* What two sweeps read should be in the cache when it is read again. */
static bool reads_again(struct gen *g)
{
    struct sweeps s = {arena_array(&g->s->module, uint32_t, g->f->tensors.count + 1), 0, false};
    visit_reads(&s, g->f->body, 0);
    return s.again;
}

/* Weights read early wait in registers: worth it for up to four vectors per thread. */
static bool weights_are_few(const struct ir_func *f, uint32_t threads, uint32_t vector)
{
    int64_t widest = 1;
    for (uint32_t a = 0; a < f->axes.count; a++)
        if (f->axes.data[a].tile > widest)
            widest = f->axes.data[a].tile;
    return widest * 2 <= (int64_t)4 * threads * vector;
}

/* ---- warps that nobody chose ------------------------------------------------------------------- */

enum { DEFAULT_WARPS = 4, MOST_VECTORS = 8 };

/* Bytes that one access moves if it fills its tile. */
static int64_t access_bytes(const struct ir_func *f, const struct ir_node *n)
{
    const struct ir_tensor *t = &f->tensors.data[n->attr.tensor];
    int64_t bytes = ir_elem_bits(t->elem) / 8;
    axis_set axes = gpu_subscript_axes(f, n);
    for (uint32_t a = 0; a < f->axes.count; a++)
        if (axes >> a & 1)
            bytes *= f->axes.data[a].tile;
    return bytes;
}

static int64_t widest_access(const struct ir_func *f, const struct ir_block *b)
{
    int64_t widest = 0;
    for (const struct ir_node *n = b->first; n; n = n->next) {
        int64_t bytes = n->op == IR_OP_load || n->op == IR_OP_store ? access_bytes(f, n) : 0;
        for (uint32_t i = 0; i < n->region_count; i++) {
            int64_t inner = widest_access(f, n->regions[i]);
            bytes = inner > bytes ? inner : bytes;
        }
        widest = bytes > widest ? bytes : widest;
    }
    return widest;
}

/* Four, or as many as keep a thread to eight vectors of its widest tile. */
static uint32_t default_warps(const struct gen *g, uint32_t most)
{
    const struct facts *facts = &g->target->facts;
    int64_t of_warp = (int64_t)MOST_VECTORS * facts->lanes * facts->vector_bytes;
    int64_t warps = (widest_access(g->f, g->f->body) + of_warp - 1) / of_warp;
    warps = warps > DEFAULT_WARPS ? warps : DEFAULT_WARPS;
    return warps < most ? (uint32_t)warps : most;
}

/* ---- values by name ---------------------------------------------------------------------------- */

struct reader {
    struct gen *g;
    bool fine;
};

static const int64_t *find(const struct ir_func *f, const char *name)
{
    const int64_t *found = NULL;
    for (uint32_t i = 0; i < f->settings.count; i++)
        if (strcmp(f->settings.data[i].name, name) == 0)
            found = &f->settings.data[i].value;
    return found;
}

static uint32_t number(struct reader *r, const char *name, uint32_t otherwise, uint32_t least,
                       uint32_t most)
{
    const int64_t *value = find(r->g->f, name);
    if (!value)
        return otherwise;
    if (*value >= least && *value <= most)
        return (uint32_t)*value;
    r->fine = false;
    if (least == most)
        diag_error(r->g->s, r->g->f->at, DIAG_BAD_SCHEDULE,
                   "%s is %lld, but this target allows only %u", name, (long long)*value, least);
    else
        diag_error(r->g->s, r->g->f->at, DIAG_BAD_SCHEDULE,
                   "%s is %lld, but this target allows %u to %u", name, (long long)*value, least,
                   most);
    return otherwise;
}

static uint32_t power_of_two(struct reader *r, const char *name, uint32_t otherwise, uint32_t most)
{
    uint32_t value = number(r, name, otherwise, 1, most);
    if (!(value & (value - 1)))
        return value;
    r->fine = diag_error(r->g->s, r->g->f->at, DIAG_BAD_SCHEDULE, "%s is %u, not a power of two",
                         name, value);
    return otherwise;
}

static bool flag(struct reader *r, const char *name, bool otherwise)
{
    return number(r, name, otherwise, 0, 1) != 0;
}

static uint32_t at_least_one(uint32_t n)
{
    return n ? n : 1;
}

bool gpu_schedule(struct gen *g, struct schedule *out)
{
    const struct facts *facts = &g->target->facts;
    struct reader r = {g, true};
    struct schedule s = {0};
    uint32_t most_warps = at_least_one(facts->block_threads / facts->lanes);
    s.num_warps = number(&r, "num_warps", default_warps(g, most_warps), 1, most_warps);
    uint32_t threads = s.num_warps * facts->lanes;
    s.cluster = power_of_two(&r, "cluster", 1, at_least_one(facts->cluster));
    s.vector = power_of_two(&r, "vector", facts->vector_bytes, facts->vector_bytes);
    s.blocks_per_sm = number(&r, "blocks_per_sm", 0, 0, at_least_one(facts->resident / threads));
    s.max_registers = number(&r, "maxreg", 0, 0, facts->registers);
    s.max_registers = number(&r, "max_registers", s.max_registers, 0, facts->registers);
    s.hold = number(&r, "hold", 0, 0, facts->shared_bytes / threads);
    s.hold_registers = number(&r, "hold_registers", 0, 0, facts->registers / 4);
    s.stages = number(&r, "stages", 0, 0, facts->has_async_copy ? 16 : 0);
    s.in_shared = number(&r, "in_shared", 0, 0, facts->has_async_copy ? 3 : 0);
    s.evict_last = flag(&r, "evict_last", reads_again(g));
    s.early_weights =
        flag(&r, "early_weights", weights_are_few(g->f, threads * s.cluster, s.vector));
    s.convert = find(g->f, "convert") ? (enum gpu_convert)flag(&r, "convert", false)
                                      : GPU_CONVERT_IF_CHEAPER;
    *out = s;
    return r.fine;
}
