/* Sweeps: an axis walked tile by tile. Whole tiles need no guards and have a body of their own; tiles
 * at the border have a guarded copy. Where rows begin anywhere the walk begins early (shift.c); what
 * rounds read may be fetched ahead or kept for a later sweep (stage.c). */
#include "codegen/gpu/stage.h"

/* Scalars that the body compares with the axis's element numbers (the target class): tiles that do
 * not have them need not compare, and there is hardly another. */
struct gpu_absent {
    uint8_t axis;
    struct ir_value *scalars[4];
    uint32_t count;
};

struct sweep {
    struct ir_node *node;
    struct gpu_absent sought;
    uint8_t axis;
    const bool *used;
    LLVMValueRef begin, hi; /* i64: the first tile's start, the range's end */
    LLVMValueRef first;     /* i64: elements before do not exist; NULL: begin */
    LLVMValueRef tile;
    uint32_t group;
    bool full;
    LLVMBasicBlockRef exit;
};

static LLVMValueRef word(struct gen *g, uint64_t value)
{
    return gen_int(g, g->t_i32, (int64_t)value);
}

/* The same number, opaque: LLVM would keep a running pointer for each access, in two registers each,
 * while bases and strides are constants of the launch and cost none. */
static LLVMValueRef opaque(struct gen *g, LLVMValueRef x)
{
    const struct lane_hooks *hooks = g->gpu->hooks;
    LLVMValueRef half = gen_index(g, 32);
    LLVMValueRef low = LLVMBuildTrunc(g->b, x, g->t_i32, "");
    LLVMValueRef high = LLVMBuildTrunc(g->b, LLVMBuildLShr(g->b, x, half, ""), g->t_i32, "");
    low = LLVMBuildZExt(g->b, hooks->pin(&g->gpu->lane, low, true), g->t_i64, "");
    high = LLVMBuildZExt(g->b, hooks->pin(&g->gpu->lane, high, true), g->t_i64, "");
    return LLVMBuildOr(g->b, low, LLVMBuildShl(g->b, high, half, ""), "");
}

/* ---- elements that are sought ------------------------------------------------------------------ */

bool gpu_is_absent(const struct gen *g, const struct ir_value *scalar, uint8_t axis)
{
    for (uint32_t i = 0; i < g->gpu->absent->count; i++)
        if (g->gpu->absent->axis == axis && g->gpu->absent->scalars[i] == scalar)
            return true;
    return false;
}

static bool is_index_of(const struct ir_value *v, uint8_t axis)
{
    return v->def == IR_DEF_NODE && v->node->op == IR_OP_index && v->node->attr.axis == axis;
}

static void find_sought(struct gen *g, struct sweep *s)
{
    s->sought.axis = s->axis;
    for (const struct ir_node *n = s->node->regions[0]->first; n; n = n->next) {
        if (n->op != IR_OP_cmp || n->attr.kind != IR_CMP_EQ ||
            n->operands[0]->type.elem != IR_INDEX)
            continue;
        bool swapped = is_index_of(n->operands[1], s->axis);
        struct ir_value *scalar = n->operands[swapped ? 0 : 1];
        bool index = is_index_of(n->operands[swapped], s->axis);
        if (index && !scalar->type.axes && gpu_is_ready(g, scalar) && s->sought.count < 4)
            s->sought.scalars[s->sought.count++] = scalar;
    }
}

/* True if the tile at `start` has none of them. */
static LLVMValueRef has_none(struct gen *g, const struct sweep *s, LLVMValueRef start)
{
    LLVMValueRef none = NULL;
    for (uint32_t i = 0; i < s->sought.count; i++) {
        LLVMValueRef at = LLVMBuildSub(g->b, gpu_scalar(g, s->sought.scalars[i]), start, "");
        none = gpu_and(g, none, LLVMBuildICmp(g->b, LLVMIntUGE, at, s->tile, ""));
    }
    return none;
}

/* ---- one tile ---------------------------------------------------------------------------------- */

static void place(struct gen *g, const struct sweep *s, LLVMValueRef start, bool guarded)
{
    gpu_place_axis(g, s->axis, start, guarded ? s->hi : NULL, s->group);
    if (guarded && s->first)
        gpu_skip_to(g, s->axis, s->first);
}

static void emit_tile(struct gen *g, const struct sweep *s, LLVMValueRef start, bool guarded,
                      LLVMBasicBlockRef next)
{
    struct gpu_axis outer = g->gpu->axes[s->axis];
    uint32_t mark = gpu_enter(g);
    place(g, s, opaque(g, start), guarded);
    const struct gpu_absent *before = g->gpu->absent;
    g->gpu->absent = guarded ? NULL : &s->sought;
    gpu_round(g, s->node, s->used, next, s->exit);
    g->gpu->absent = before;
    gpu_leave(g, mark);
    g->gpu->axes[s->axis] = outer;
}

/* A tile that may be whole or not, may have what is sought or not: a body for most tiles, one for the
 * others. */
static void emit_any_tile(struct gen *g, const struct sweep *s, LLVMValueRef start,
                          LLVMBasicBlockRef next)
{
    if (s->full && !s->sought.count) {
        emit_tile(g, s, start, false, next);
        return;
    }
    LLVMBasicBlockRef whole = gen_block(g, "whole"), part = gen_block(g, "part");
    LLVMValueRef left = LLVMBuildSub(g->b, s->hi, start, "");
    LLVMValueRef test = LLVMBuildICmp(g->b, LLVMIntSGE, left, s->tile, "");
    if (s->first)
        test = gpu_and(g, test, LLVMBuildICmp(g->b, LLVMIntSGE, start, s->first, ""));
    test = gpu_and(g, test, has_none(g, s, start));
    LLVMBuildCondBr(g->b, test, whole, part);
    LLVMPositionBuilderAtEnd(g->b, whole);
    emit_tile(g, s, start, false, next);
    LLVMPositionBuilderAtEnd(g->b, part);
    emit_tile(g, s, start, true, next);
}

/* ---- walks ------------------------------------------------------------------------------------- */

static LLVMValueRef phi_of(struct gen *g, LLVMTypeRef t, LLVMValueRef first, LLVMBasicBlockRef from)
{
    LLVMValueRef phi = LLVMBuildPhi(g->b, t, "");
    LLVMAddIncoming(phi, &first, &from, 1);
    return phi;
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
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSGE, left, s->tile, ""), body, rest);
    LLVMPositionBuilderAtEnd(g->b, body);
    emit_tile(g, s, start, false, next);
    LLVMPositionBuilderAtEnd(g->b, next);
    LLVMValueRef after = LLVMBuildAdd(g->b, start, s->tile, "");
    LLVMAddIncoming(start, &after, &next, 1);
    LLVMBuildBr(g->b, test);
    LLVMPositionBuilderAtEnd(g->b, rest);
    if (!s->full) {
        LLVMBasicBlockRef part = gen_block(g, "part");
        LLVMValueRef more = LLVMBuildICmp(g->b, LLVMIntSLT, start, s->hi, "");
        LLVMBuildCondBr(g->b, more, part, done);
        LLVMPositionBuilderAtEnd(g->b, part);
        emit_tile(g, s, start, true, done);
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
    emit_any_tile(g, s, start, next);
    LLVMPositionBuilderAtEnd(g->b, next);
    LLVMValueRef after = LLVMBuildAdd(g->b, start, s->tile, "");
    LLVMAddIncoming(start, &after, &next, 1);
    LLVMBuildBr(g->b, test);
    LLVMPositionBuilderAtEnd(g->b, done);
}

static LLVMValueRef round_start(struct gen *g, const struct sweep *s, uint64_t round)
{
    int64_t elements = (int64_t)round * g->f->axes.data[s->axis].tile;
    return LLVMBuildAdd(g->b, s->begin, gen_index(g, elements), "");
}

/* ---- fetching ---------------------------------------------------------------------------------- */

/* Fetches the tile at `start`, if there is one, as a group of its own. */
static void fetch(struct gen *g, const struct sweep *s, struct gpu_stage *stage, LLVMValueRef start,
                  LLVMValueRef slot)
{
    struct gpu_axis outer = g->gpu->axes[s->axis];
    LLVMBasicBlockRef some = gen_block(g, "fetch"), done = gen_block(g, "fetched");
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, start, s->hi, ""), some, done);
    LLVMPositionBuilderAtEnd(g->b, some);
    uint32_t mark = gpu_enter(g);
    place(g, s, opaque(g, start), !s->full);
    gpu_stage_fetch(g, stage, slot);
    gpu_leave(g, mark);
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, done);
    g->gpu->hooks->commit(&g->gpu->lane);
    g->gpu->axes[s->axis] = outer;
}

/* The rounds that slots hold, one group each. */
static void fetch_slots(struct gen *g, const struct sweep *s, struct gpu_stage *stage)
{
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b);
    LLVMBasicBlockRef body = gen_block(g, "ahead"), done = gen_block(g, "begun");
    LLVMValueRef at = round_start(g, s, stage->rounds_in_registers);
    LLVMBuildBr(g->b, body);
    LLVMPositionBuilderAtEnd(g->b, body);
    LLVMValueRef start = phi_of(g, g->t_i64, at, before);
    LLVMValueRef slot = phi_of(g, g->t_i32, word(g, 0), before);
    fetch(g, s, stage, start, slot);
    LLVMBasicBlockRef end = LLVMGetInsertBlock(g->b);
    LLVMValueRef after = LLVMBuildAdd(g->b, start, s->tile, "");
    LLVMValueRef next = LLVMBuildAdd(g->b, slot, word(g, stage->slot_bytes), "");
    LLVMAddIncoming(start, &after, &end, 1);
    LLVMAddIncoming(slot, &next, &end, 1);
    uint64_t all = (uint64_t)stage->slots * stage->slot_bytes;
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntULT, next, word(g, all), ""), body, done);
    LLVMPositionBuilderAtEnd(g->b, done);
}

/* ---- holds ------------------------------------------------------------------------------------- */

static void keep_rounds(struct gen *g, const struct sweep *s, struct gpu_stage *stage)
{
    struct gpu_axis outer = g->gpu->axes[s->axis];
    for (uint32_t r = 0; r < stage->rounds_in_registers; r++) {
        uint32_t mark = gpu_enter(g);
        place(g, s, round_start(g, s, r), true);
        gpu_stage_keep(g, stage, r);
        gpu_leave(g, mark);
    }
    g->gpu->axes[s->axis] = outer;
}

static void walk_registers(struct gen *g, const struct sweep *s, struct gpu_stage *stage)
{
    for (uint32_t r = 0; r < stage->rounds_in_registers; r++) {
        LLVMBasicBlockRef some = gen_block(g, "kept"), next = gen_block(g, "next");
        LLVMValueRef start = round_start(g, s, r);
        LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, start, s->hi, ""), some, next);
        LLVMPositionBuilderAtEnd(g->b, some);
        stage->round = (int)r;
        emit_any_tile(g, s, start, next);
        stage->round = -1;
        LLVMPositionBuilderAtEnd(g->b, next);
    }
}

/* Each round commits an empty group, so that the groups after its own are always as many. */
static void walk_slots(struct gen *g, const struct sweep *s, struct gpu_stage *stage, bool again)
{
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b);
    LLVMBasicBlockRef test = gen_block(g, "slots"), body = gen_block(g, "slot");
    LLVMBasicBlockRef next = gen_block(g, "next"), done = gen_block(g, "done");
    LLVMValueRef at = round_start(g, s, stage->rounds_in_registers);
    uint64_t all = (uint64_t)stage->slots * stage->slot_bytes;
    LLVMBuildBr(g->b, test);
    LLVMPositionBuilderAtEnd(g->b, test);
    LLVMValueRef start = phi_of(g, g->t_i64, at, before);
    LLVMValueRef slot = phi_of(g, g->t_i32, word(g, 0), before);
    LLVMValueRef more = LLVMBuildICmp(g->b, LLVMIntSLT, start, s->hi, "");
    more = gpu_and(g, more, LLVMBuildICmp(g->b, LLVMIntULT, slot, word(g, all), ""));
    LLVMBuildCondBr(g->b, more, body, done);
    LLVMPositionBuilderAtEnd(g->b, body);
    if (!again) {
        g->gpu->hooks->commit(&g->gpu->lane);
        g->gpu->hooks->wait(&g->gpu->lane, stage->slots);
    }
    stage->slot = slot;
    emit_any_tile(g, s, start, next);
    stage->slot = NULL;
    LLVMPositionBuilderAtEnd(g->b, next);
    LLVMValueRef after = LLVMBuildAdd(g->b, start, s->tile, "");
    LLVMValueRef step = LLVMBuildAdd(g->b, slot, word(g, stage->slot_bytes), "");
    LLVMAddIncoming(start, &after, &next, 1);
    LLVMAddIncoming(slot, &step, &next, 1);
    LLVMBuildBr(g->b, test);
    LLVMPositionBuilderAtEnd(g->b, done);
}

static void walk_held(struct gen *g, const struct sweep *s, struct gpu_stage *stage, bool again)
{
    if (!again && stage->slots)
        fetch_slots(g, s, stage);
    if (!again)
        keep_rounds(g, s, stage);
    walk_registers(g, s, stage);
    if (stage->slots)
        walk_slots(g, s, stage, again);
    walk_any(g, s, round_start(g, s, (uint64_t)stage->rounds_in_registers + stage->slots));
}

/* ---- rings ------------------------------------------------------------------------------------- */

/* Takes the round's data into registers, then lets its slot be filled anew. */
static void take_and_refill(struct gen *g, const struct sweep *s, struct gpu_stage *stage,
                            LLVMValueRef start, LLVMValueRef slot)
{
    stage->slot = slot;
    for (uint32_t i = 0; i < stage->loads.count; i++)
        gpu_load(g, (struct ir_node *)(uintptr_t)stage->loads.data[i].node);
    LLVMValueRef ahead = gen_index(g, (int64_t)stage->slots * g->f->axes.data[s->axis].tile);
    fetch(g, s, stage, LLVMBuildAdd(g->b, start, ahead, ""), slot);
}

static void walk_ring(struct gen *g, const struct sweep *s, struct gpu_stage *stage)
{
    fetch_slots(g, s, stage);
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
    take_and_refill(g, s, stage, start, slot);
    emit_any_tile(g, s, start, next);
    gpu_leave(g, mark);
    stage->slot = NULL;
    LLVMPositionBuilderAtEnd(g->b, next);
    LLVMValueRef after = LLVMBuildAdd(g->b, start, s->tile, "");
    LLVMValueRef step = LLVMBuildAdd(g->b, slot, word(g, stage->slot_bytes), "");
    LLVMValueRef wraps = LLVMBuildICmp(g->b, LLVMIntUGE, step, word(g, all), "");
    step = LLVMBuildSelect(g->b, wraps, word(g, 0), step, "");
    LLVMAddIncoming(start, &after, &next, 1);
    LLVMAddIncoming(slot, &step, &next, 1);
    LLVMBuildBr(g->b, test);
    LLVMPositionBuilderAtEnd(g->b, done);
}

/* ---- the sweep --------------------------------------------------------------------------------- */

enum { SECTOR_LINE = 128 }; /* bytes that the caches move together: rows begin best at multiples */

static void measure(struct gen *g, struct sweep *s)
{
    LLVMValueRef lo = gpu_scalar(g, s->node->operands[0]);
    LLVMValueRef shift = gpu_shift(g, s->axis, lo, SECTOR_LINE);
    s->hi = gpu_scalar(g, s->node->operands[1]);
    s->tile = gen_index(g, g->f->axes.data[s->axis].tile);
    s->full = g->f->axes.data[s->axis].full && !shift;
    s->begin = shift ? LLVMBuildSub(g->b, lo, shift, "") : lo;
    s->first = shift ? lo : NULL;
    s->group = s->first ? 1
                        : gpu_group(g, s->node->operands[0], s->node->operands[1],
                                    (uint64_t)g->f->axes.data[s->axis].tile);
    find_sought(g, s);
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
}
