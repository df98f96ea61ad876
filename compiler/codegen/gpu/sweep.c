/* Sweeps: an axis walked tile by tile (tile.c). Where rows begin anywhere the walk begins early
 * (shift.c); what rounds read may be fetched ahead or kept for a later sweep (stage.c). */
#include "codegen/gpu/sweep.h"

static LLVMValueRef word(struct gen *g, uint64_t value)
{
    return gen_int(g, g->t_i32, (int64_t)value);
}

/* ---- walks ------------------------------------------------------------------------------------- */

static LLVMValueRef phi_of(struct gen *g, LLVMTypeRef t, LLVMValueRef first, LLVMBasicBlockRef from)
{
    LLVMValueRef phi = LLVMBuildPhi(g->b, t, "");
    LLVMAddIncoming(phi, &first, &from, 1);
    return phi;
}

static LLVMValueRef tile_of(struct gen *g, const struct sweep *s)
{
    return gen_index(g, (int64_t)s->tile);
}

/* From `at` on, whole tiles, then the one that sticks out. */
static void walk_plain(struct gen *g, const struct sweep *s, LLVMValueRef at)
{
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b);
    LLVMBasicBlockRef test = gen_block(g, "tiles"), body = gen_block(g, "tile");
    LLVMBasicBlockRef next = gen_block(g, "next"), rest = gen_block(g, "rest");
    LLVMBasicBlockRef done = gen_block(g, "done");
    LLVMBuildBr(g->b, test);
    LLVMPositionBuilderAtEnd(g->b, test);
    LLVMValueRef start = phi_of(g, g->t_i64, at, before);
    LLVMValueRef left = LLVMBuildSub(g->b, s->hi, start, "");
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSGE, left, tile_of(g, s), ""), body, rest);
    LLVMPositionBuilderAtEnd(g->b, body);
    gpu_tile(g, s, gpu_spot_at(start), GPU_TILE_WHOLE, next);
    LLVMPositionBuilderAtEnd(g->b, next);
    LLVMValueRef after = LLVMBuildAdd(g->b, start, tile_of(g, s), "");
    LLVMAddIncoming(start, &after, &next, 1);
    LLVMBuildBr(g->b, test);
    LLVMPositionBuilderAtEnd(g->b, rest);
    if (!s->full) {
        LLVMBasicBlockRef part = gen_block(g, "part");
        LLVMValueRef more = LLVMBuildICmp(g->b, LLVMIntSLT, start, s->hi, "");
        LLVMBuildCondBr(g->b, more, part, done);
        LLVMPositionBuilderAtEnd(g->b, part);
        gpu_tile(g, s, gpu_spot_at(start), GPU_TILE_PART, done);
    } else {
        LLVMBuildBr(g->b, done);
    }
    LLVMPositionBuilderAtEnd(g->b, done);
}

/* From `at` on, tiles of any kind. */
static void walk_any(struct gen *g, const struct sweep *s, LLVMValueRef at)
{
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b);
    LLVMBasicBlockRef test = gen_block(g, "tiles"), body = gen_block(g, "tile");
    LLVMBasicBlockRef next = gen_block(g, "next"), done = gen_block(g, "done");
    LLVMBuildBr(g->b, test);
    LLVMPositionBuilderAtEnd(g->b, test);
    LLVMValueRef start = phi_of(g, g->t_i64, at, before);
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, start, s->hi, ""), body, done);
    LLVMPositionBuilderAtEnd(g->b, body);
    gpu_tile_any(g, s, gpu_spot_at(start), next);
    LLVMPositionBuilderAtEnd(g->b, next);
    LLVMValueRef after = LLVMBuildAdd(g->b, start, tile_of(g, s), "");
    LLVMAddIncoming(start, &after, &next, 1);
    LLVMBuildBr(g->b, test);
    LLVMPositionBuilderAtEnd(g->b, done);
}

static LLVMValueRef round_start(struct gen *g, const struct sweep *s, uint64_t round)
{
    return LLVMBuildAdd(g->b, s->begin, gen_index(g, (int64_t)(round * s->tile)), "");
}

/* ---- fetching ---------------------------------------------------------------------------------- */

/* Fetches the tile, if there is one, as a group of its own. */
static void fetch(struct gen *g, const struct sweep *s, struct gpu_stage *stage,
                  struct gpu_spot spot, LLVMValueRef exists, LLVMValueRef slot)
{
    LLVMBasicBlockRef some = gen_block(g, "fetch"), done = gen_block(g, "fetched");
    LLVMBuildCondBr(g->b, exists, some, done);
    LLVMPositionBuilderAtEnd(g->b, some);
    gpu_tile_fetch(g, s, stage, spot, slot);
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, done);
    g->gpu->hooks->commit(&g->gpu->lane);
}

/* The rounds that slots hold, one group each. */
static void fetch_slots(struct gen *g, const struct sweep *s, struct gpu_stage *stage,
                        const struct gpu_stretch *in)
{
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b);
    LLVMBasicBlockRef body = gen_block(g, "ahead"), done = gen_block(g, "begun");
    LLVMBuildBr(g->b, body);
    LLVMPositionBuilderAtEnd(g->b, body);
    LLVMValueRef at = phi_of(g, g->t_i32, word(g, 0), before);
    LLVMValueRef slot = phi_of(g, g->t_i32, word(g, 0), before);
    LLVMValueRef exists = LLVMBuildICmp(g->b, LLVMIntSLT, at, in->ahead.left, "");
    fetch(g, s, stage, gpu_spot_in(in, at), exists, slot);
    LLVMBasicBlockRef end = LLVMGetInsertBlock(g->b);
    LLVMValueRef after = LLVMBuildAdd(g->b, at, word(g, s->tile), "");
    LLVMValueRef next = LLVMBuildAdd(g->b, slot, word(g, stage->slot_bytes), "");
    LLVMAddIncoming(at, &after, &end, 1);
    LLVMAddIncoming(slot, &next, &end, 1);
    LLVMValueRef all = word(g, stage->slots * s->tile);
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntULT, after, all, ""), body, done);
    LLVMPositionBuilderAtEnd(g->b, done);
}

/* ---- holds ------------------------------------------------------------------------------------- */

static struct gpu_spot kept_spot(struct gen *g, const struct sweep *s, const struct gpu_stretch *in,
                                 uint32_t round)
{
    return gpu_spot_in(in, word(g, round * s->tile));
}

static void keep_rounds(struct gen *g, const struct sweep *s, struct gpu_stage *stage,
                        const struct gpu_stretch *in)
{
    for (uint32_t r = 0; r < stage->rounds_in_registers; r++)
        gpu_tile_keep(g, s, stage, kept_spot(g, s, in, r), r);
}

static void walk_registers(struct gen *g, const struct sweep *s, struct gpu_stage *stage,
                           const struct gpu_stretch *in)
{
    for (uint32_t r = 0; r < stage->rounds_in_registers; r++) {
        LLVMBasicBlockRef some = gen_block(g, "kept"), next = gen_block(g, "next");
        struct gpu_spot spot = kept_spot(g, s, in, r);
        LLVMValueRef exists = LLVMBuildICmp(g->b, LLVMIntSLT, spot.done, in->ahead.left, "");
        LLVMBuildCondBr(g->b, exists, some, next);
        LLVMPositionBuilderAtEnd(g->b, some);
        stage->round = (int)r;
        gpu_tile_any(g, s, spot, next);
        stage->round = -1;
        LLVMPositionBuilderAtEnd(g->b, next);
    }
}

static LLVMValueRef smaller(struct gen *g, LLVMValueRef x, uint64_t most)
{
    LLVMTypeRef t = g->t_i32;
    LLVMValueRef args[] = {x, word(g, most)};
    return gen_intrinsic(g, "llvm.smin", &t, 1, args, 2);
}

/* Each round commits an empty group, so that the groups after its own are always as many. */
static void walk_slots(struct gen *g, const struct sweep *s, struct gpu_stage *stage,
                       const struct gpu_stretch *in, bool again)
{
    LLVMBasicBlockRef test = gen_block(g, "slots"), body = gen_block(g, "slot");
    LLVMBasicBlockRef next = gen_block(g, "next"), done = gen_block(g, "done");
    LLVMValueRef all = smaller(g, in->ahead.left, stage->slots * s->tile);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b);
    LLVMBuildBr(g->b, test);
    LLVMPositionBuilderAtEnd(g->b, test);
    LLVMValueRef at = phi_of(g, g->t_i32, word(g, 0), before);
    LLVMValueRef slot = phi_of(g, g->t_i32, word(g, 0), before);
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, at, all, ""), body, done);
    LLVMPositionBuilderAtEnd(g->b, body);
    if (!again) {
        g->gpu->hooks->commit(&g->gpu->lane);
        g->gpu->hooks->wait(&g->gpu->lane, stage->slots);
    }
    stage->slot = slot;
    gpu_tile_any(g, s, gpu_spot_in(in, at), next);
    stage->slot = NULL;
    LLVMPositionBuilderAtEnd(g->b, next);
    LLVMValueRef after = LLVMBuildAdd(g->b, at, word(g, s->tile), "");
    LLVMValueRef step = LLVMBuildAdd(g->b, slot, word(g, stage->slot_bytes), "");
    LLVMAddIncoming(at, &after, &next, 1);
    LLVMAddIncoming(slot, &step, &next, 1);
    LLVMBuildBr(g->b, test);
    LLVMPositionBuilderAtEnd(g->b, done);
}

static void walk_held(struct gen *g, const struct sweep *s, struct gpu_stage *stage, bool again)
{
    uint32_t rounds = stage->rounds_in_registers;
    struct gpu_stretch kept = gpu_stretch(g, s, s->begin);
    struct gpu_stretch slots = rounds ? gpu_stretch(g, s, round_start(g, s, rounds)) : kept;
    if (!again)
        keep_rounds(g, s, stage, &kept); /* first, as it is used first */
    if (!again && stage->slots)
        fetch_slots(g, s, stage, &slots);
    gpu_meet_early(g, s->node);
    walk_registers(g, s, stage, &kept);
    if (stage->slots)
        walk_slots(g, s, stage, &slots, again);
    walk_any(g, s, round_start(g, s, (uint64_t)rounds + stage->slots));
}

/* ---- rings ------------------------------------------------------------------------------------- */

static void refill(struct gen *g, const struct sweep *s, struct gpu_stage *stage,
                   LLVMValueRef start, LLVMValueRef slot)
{
    LLVMValueRef ahead = gen_index(g, (int64_t)(stage->slots * s->tile));
    ahead = LLVMBuildAdd(g->b, start, ahead, "");
    LLVMValueRef exists = LLVMBuildICmp(g->b, LLVMIntSLT, ahead, s->hi, "");
    fetch(g, s, stage, gpu_spot_at(ahead), exists, slot);
}

/* True if some of the round's data stays in its slot, which is then filled anew only after the round. */
static bool take_round(struct gen *g, struct gpu_stage *stage)
{
    bool parked = false;
    for (uint32_t i = 0; i < stage->loads.count; i++) {
        struct ir_node *n = (struct ir_node *)(uintptr_t)stage->loads.data[i].node;
        if (gpu_park_round(g, n))
            parked = true;
        else
            gpu_load(g, n);
    }
    return parked;
}

static void walk_ring(struct gen *g, const struct sweep *s, struct gpu_stage *stage)
{
    struct gpu_stretch ahead = gpu_stretch(g, s, s->begin);
    fetch_slots(g, s, stage, &ahead);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b);
    LLVMBasicBlockRef test = gen_block(g, "ring"), body = gen_block(g, "round");
    LLVMBasicBlockRef next = gen_block(g, "next"), done = gen_block(g, "done");
    uint64_t all = (uint64_t)stage->slots * stage->slot_bytes;
    LLVMBuildBr(g->b, test);
    LLVMPositionBuilderAtEnd(g->b, test);
    LLVMValueRef start = phi_of(g, g->t_i64, s->begin, before);
    LLVMValueRef slot = phi_of(g, g->t_i32, word(g, 0), before);
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, start, s->hi, ""), body, done);
    LLVMPositionBuilderAtEnd(g->b, body);
    g->gpu->hooks->wait(&g->gpu->lane, stage->slots - 1);
    uint32_t mark = gpu_enter(g);
    gpu_parked_arrive(g);
    stage->slot = slot;
    bool parked = take_round(g, stage);
    if (!parked)
        refill(g, s, stage, start, slot);
    gpu_tile_any(g, s, gpu_spot_at(start), next);
    gpu_leave(g, mark);
    stage->slot = NULL;
    LLVMPositionBuilderAtEnd(g->b, next);
    if (parked)
        refill(g, s, stage, start, slot);
    LLVMBasicBlockRef end = LLVMGetInsertBlock(g->b);
    LLVMValueRef after = LLVMBuildAdd(g->b, start, tile_of(g, s), "");
    LLVMValueRef step = LLVMBuildAdd(g->b, slot, word(g, stage->slot_bytes), "");
    LLVMValueRef wraps = LLVMBuildICmp(g->b, LLVMIntUGE, step, word(g, all), "");
    step = LLVMBuildSelect(g->b, wraps, word(g, 0), step, "");
    LLVMAddIncoming(start, &after, &end, 1);
    LLVMAddIncoming(slot, &step, &end, 1);
    LLVMBuildBr(g->b, test);
    LLVMPositionBuilderAtEnd(g->b, done);
}

/* ---- the sweep --------------------------------------------------------------------------------- */

/* A first tile has elements of the range, and of an empty range there is no tile. */
static struct gpu_walk new_walk(struct gen *g, const struct sweep *s)
{
    const struct ir_value *lo_of = s->node->operands[0], *hi_of = s->node->operands[1];
    LLVMValueRef lo = gpu_scalar(g, s->node->operands[0]);
    struct gpu_walk w = {.axis = s->axis, .lo = lo_of, .hi = hi_of, .begin = lo};
    LLVMValueRef shift = gpu_shift(g, s->axis, lo, GPU_SWEEP_GRANULE, s->tile);
    if (!shift)
        return w;
    LLVMValueRef some = LLVMBuildICmp(g->b, LLVMIntSLT, lo, s->hi, "");
    shift = LLVMBuildSelect(g->b, some, shift, gen_index(g, 0), "");
    w.begin = LLVMBuildSub(g->b, lo, shift, "");
    w.first = lo;
    return w;
}

static struct gpu_walk walk_of(struct gen *g, const struct sweep *s)
{
    for (uint32_t i = g->gpu->walks.count; i-- > 0;) {
        const struct gpu_walk *w = &g->gpu->walks.data[i];
        if (w->axis == s->axis && w->lo == s->node->operands[0] && w->hi == s->node->operands[1])
            return *w;
    }
    struct gpu_walk w = new_walk(g, s);
    vec_push(&g->s->module, &g->gpu->walks, w);
    return w;
}

static void measure(struct gen *g, struct sweep *s)
{
    s->hi = gpu_scalar(g, s->node->operands[1]);
    s->tile = (uint64_t)g->f->axes.data[s->axis].tile;
    struct gpu_walk w = walk_of(g, s);
    s->begin = w.begin;
    s->first = w.first;
    s->full = g->f->axes.data[s->axis].full && !s->first;
    axis_set own = (axis_set)1 << s->axis;
    g->gpu->shifted = s->first ? g->gpu->shifted | own : g->gpu->shifted & ~own;
    s->group = s->first ? 1 : gpu_group(g, s->node->operands[0], s->node->operands[1], s->tile);
    gpu_tile_learn(g, s);
}

/* A break passes by the waits of the rounds that are left. */
static bool has_break(const struct ir_block *b)
{
    for (const struct ir_node *n = b->first; n; n = n->next) {
        if (n->op == IR_OP_break)
            return true;
        bool loop = n->op == IR_OP_sweep || n->op == IR_OP_for || n->op == IR_OP_loop;
        for (uint32_t i = 0; i < n->region_count && !loop; i++)
            if (has_break(n->regions[i]))
                return true;
    }
    return false;
}

void gpu_sweep(struct gen *g, struct ir_node *n)
{
    struct sweep s = {.node = n, .axis = n->attr.axis};
    struct gpu_stage *outer = g->gpu->stage;
    bool again;
    measure(g, &s);
    s.used = gpu_prepare_loop(g, n);
    s.exit = gen_block(g, "end");
    gpu_begin_loop(g, n);
    struct gpu_stage *stage = g->gpu->stage = gpu_stage_open(g, n, &again);
    if (!stage && (s.first || s.sought.count))
        walk_any(g, &s, s.begin);
    else if (!stage)
        walk_plain(g, &s, s.begin);
    else if (stage->ring)
        walk_ring(g, &s, stage);
    else
        walk_held(g, &s, stage, again);
    g->gpu->stage = outer;
    gpu_end_loop(g, n);
    LLVMBuildBr(g->b, s.exit);
    LLVMPositionBuilderAtEnd(g->b, s.exit);
    if (stage && stage->slots && has_break(n->regions[0]))
        g->gpu->hooks->wait(&g->gpu->lane, 0);
}
