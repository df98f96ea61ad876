/* One tile of a sweep. Where all elements exist and none is sought, it needs no guards and has a body
 * of its own; a guarded copy is for the others. A block whose tile lies at the border chooses by
 * threads, if none waits for another: hardly one has more to look out for than which of its vectors
 * exist. */
#include "codegen/gpu/sweep.h"

/* ---- places ------------------------------------------------------------------------------------ */

/* The same number, opaque: LLVM would keep a running pointer for each access, in two registers each,
 * while bases and strides are constants of the launch and cost none. */
static LLVMValueRef opaque(struct gen *g, LLVMValueRef x)
{
    const struct lane_hooks *hooks = g->gpu->hooks;
    if (LLVMIsConstant(x))
        return x;
    if (LLVMTypeOf(x) == g->t_i32)
        return hooks->pin(&g->gpu->lane, x, true);
    LLVMValueRef half = gen_index(g, 32);
    LLVMValueRef low = LLVMBuildTrunc(g->b, x, g->t_i32, "");
    LLVMValueRef high = LLVMBuildTrunc(g->b, LLVMBuildLShr(g->b, x, half, ""), g->t_i32, "");
    low = LLVMBuildZExt(g->b, hooks->pin(&g->gpu->lane, low, true), g->t_i64, "");
    high = LLVMBuildZExt(g->b, hooks->pin(&g->gpu->lane, high, true), g->t_i64, "");
    return LLVMBuildOr(g->b, low, LLVMBuildShl(g->b, high, half, ""), "");
}

static struct gpu_ahead ahead_of(struct gen *g, const struct sweep *s, LLVMValueRef at)
{
    struct gpu_ahead a = {.left = LLVMBuildSub(g->b, s->hi, at, "")};
    if (s->first)
        a.before = LLVMBuildSub(g->b, s->first, at, "");
    for (uint32_t i = 0; i < s->sought.count; i++)
        a.sought[i] = LLVMBuildSub(g->b, gpu_scalar(g, s->sought.scalars[i]), at, "");
    return a;
}

static LLVMValueRef to_word(struct gen *g, const char *clamp, LLVMValueRef x)
{
    LLVMTypeRef t = g->t_i64;
    LLVMValueRef args[] = {x, gen_index(g, INT32_MAX)};
    return LLVMBuildTrunc(g->b, gen_intrinsic(g, clamp, &t, 1, args, 2), g->t_i32, "");
}

/* What is further away than 32 bits say is put as far away as they can: no tile of the stretch gets
 * there. */
struct gpu_stretch gpu_stretch(struct gen *g, const struct sweep *s, LLVMValueRef at)
{
    struct gpu_ahead a = ahead_of(g, s, at);
    a.left = to_word(g, "llvm.smin", a.left);
    if (a.before)
        a.before = LLVMBuildTrunc(g->b, a.before, g->t_i32, "");
    for (uint32_t i = 0; i < s->sought.count; i++)
        a.sought[i] = to_word(g, "llvm.umin", a.sought[i]);
    return (struct gpu_stretch){at, a};
}

struct gpu_spot gpu_spot_in(const struct gpu_stretch *in, LLVMValueRef done)
{
    return (struct gpu_spot){.in = in, .done = done};
}

struct gpu_spot gpu_spot_at(LLVMValueRef start)
{
    return (struct gpu_spot){.start = start};
}

static LLVMValueRef start_of(struct gen *g, struct gpu_spot spot)
{
    if (!spot.in)
        return opaque(g, spot.start);
    LLVMValueRef done = LLVMBuildZExt(g->b, opaque(g, spot.done), g->t_i64, "");
    return LLVMBuildAdd(g->b, spot.in->at, done, "");
}

static struct gpu_ahead moved(struct gen *g, const struct sweep *s, struct gpu_ahead a,
                              LLVMValueRef by)
{
    by = LLVMBuildZExt(g->b, by, LLVMTypeOf(a.left), "");
    a.left = LLVMBuildSub(g->b, a.left, by, "");
    if (a.before)
        a.before = LLVMBuildSub(g->b, a.before, by, "");
    for (uint32_t i = 0; i < s->sought.count; i++)
        a.sought[i] = LLVMBuildSub(g->b, a.sought[i], by, "");
    return a;
}

static struct gpu_ahead ahead_of_spot(struct gen *g, const struct sweep *s, struct gpu_spot spot)
{
    return spot.in ? moved(g, s, spot.in->ahead, spot.done) : ahead_of(g, s, spot.start);
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
        bool more = s->sought.count < GPU_MOST_SOUGHT;
        if (index && !scalar->type.axes && gpu_is_ready(g, scalar) && more)
            s->sought.scalars[s->sought.count++] = scalar;
    }
}

/* ---- what threads do by themselves ------------------------------------------------------------- */

/* Ops that a thread does with its own registers, or that are none. */
static bool is_own(const struct gen *g, const struct ir_node *n)
{
    switch ((int)n->op) {
    case IR_OP_reduce: return n->attr.to != IR_NO_AXIS && !g->f->ordered;
    case IR_OP_load:
    case IR_OP_store: return !gpu_anchor_of(g->gpu->layout, n);
    case IR_OP_atomic:
    case IR_OP_yield:
    case IR_OP_const:
    case IR_OP_index:
    case IR_OP_spread:
    case IR_OP_merge:
    case IR_OP_expand:
    case IR_OP_assume: return true;
    default: return ir_op_info(n->op)->traits & IR_ELEMENTWISE;
    }
}

static bool is_apart(struct gen *g, struct ir_node *sweep)
{
    for (const struct ir_node *n = sweep->regions[0]->first; n; n = n->next)
        if (!is_own(g, n))
            return false;
    return !gpu_has_conflict(g, sweep);
}

void gpu_tile_learn(struct gen *g, struct sweep *s)
{
    find_sought(g, s);
    s->apart = is_apart(g, s->node);
}

/* ---- kinds of tiles ---------------------------------------------------------------------------- */

static LLVMValueRef compare(struct gen *g, LLVMIntPredicate how, LLVMValueRef x, uint64_t y)
{
    return LLVMBuildICmp(g->b, how, x, LLVMConstInt(LLVMTypeOf(x), y, false), "");
}

/* True if `length` elements from there on exist. */
static LLVMValueRef all_exist(struct gen *g, const struct gpu_ahead *a, uint64_t length)
{
    LLVMValueRef test = compare(g, LLVMIntSGE, a->left, length);
    return a->before ? gpu_and(g, test, compare(g, LLVMIntSLE, a->before, 0)) : test;
}

/* True if no sought one lies among `length` elements, `from` elements ahead. */
static LLVMValueRef none_sought(struct gen *g, const struct sweep *s, const struct gpu_ahead *a,
                                uint64_t from, uint64_t length)
{
    LLVMValueRef none = NULL;
    for (uint32_t i = 0; i < s->sought.count; i++) {
        LLVMValueRef d = a->sought[i];
        d = LLVMBuildSub(g->b, d, LLVMConstInt(LLVMTypeOf(d), from, false), "");
        none = gpu_and(g, none, compare(g, LLVMIntUGE, d, length));
    }
    return none;
}

static struct gpu_ahead moved_to_thread(struct gen *g, const struct sweep *s, struct gpu_ahead a)
{
    LLVMValueRef thread = g->gpu->axes[s->axis].thread;
    return thread ? moved(g, s, a, thread) : a;
}

static uint32_t reach(const struct gen *g, const struct sweep *s)
{
    const struct gpu_axis_layout *l = &g->gpu->layout->axes[s->axis];
    return gpu_axis_offset(l, l->regs - 1) + 1;
}

/* True if no element of this thread exists, seen from its first one. */
static LLVMValueRef is_empty_here(struct gen *g, const struct sweep *s, const struct gpu_ahead *a)
{
    LLVMValueRef test = compare(g, LLVMIntSLE, a->left, 0);
    if (a->before)
        test = LLVMBuildOr(g->b, test, compare(g, LLVMIntSGE, a->before, reach(g, s)), "");
    return test;
}

/* Nothing sought is held by this thread, whose registers along the axis lie in runs of neighbours. */
static LLVMValueRef holds_none(struct gen *g, const struct sweep *s, const struct gpu_ahead *a)
{
    const struct gpu_axis_layout *l = &g->gpu->layout->axes[s->axis];
    LLVMValueRef none = NULL;
    for (uint32_t r = 0; r < l->regs; r += l->vector)
        none = gpu_and(g, none, none_sought(g, s, a, gpu_axis_offset(l, r), l->vector));
    return none;
}

/* A border lies within the vector that begins `from` elements ahead. */
static LLVMValueRef cuts(struct gen *g, LLVMValueRef border, uint32_t from, uint32_t length)
{
    LLVMValueRef before = LLVMConstInt(LLVMTypeOf(border), from + 1, false);
    return compare(g, LLVMIntULT, LLVMBuildSub(g->b, border, before, ""), length - 1);
}

/* No vector of this thread exists in part. */
static LLVMValueRef has_whole_vectors(struct gen *g, const struct sweep *s,
                                      const struct gpu_ahead *a)
{
    const struct gpu_axis_layout *l = &g->gpu->layout->axes[s->axis];
    LLVMValueRef cut = gen_int(g, g->t_i1, 0);
    for (uint32_t r = 0; s->group % l->vector && r < l->regs; r += l->vector) {
        uint32_t from = gpu_axis_offset(l, r);
        cut = LLVMBuildOr(g->b, cut, cuts(g, a->left, from, l->vector), "");
        if (a->before && from < GPU_SWEEP_GRANULE)
            cut = LLVMBuildOr(g->b, cut, cuts(g, a->before, from, l->vector), "");
    }
    return LLVMBuildNot(g->b, cut, "");
}

/* ---- bodies ------------------------------------------------------------------------------------ */

static void place(struct gen *g, const struct sweep *s, LLVMValueRef start, enum gpu_tile_kind kind)
{
    bool guarded = kind == GPU_TILE_PART || kind == GPU_TILE_VECTORS;
    gpu_place_axis(g, s->axis, start, guarded ? s->hi : NULL, s->group);
    if (guarded && s->first)
        gpu_skip_to(g, s->axis, s->first, GPU_SWEEP_GRANULE);
    g->gpu->axes[s->axis].by_vectors = kind == GPU_TILE_VECTORS;
    if (kind == GPU_TILE_EMPTY)
        g->gpu->axes[s->axis].room = gen_int(g, g->t_i32, INT32_MIN);
}

void gpu_tile(struct gen *g, const struct sweep *s, struct gpu_spot spot, enum gpu_tile_kind kind,
              LLVMBasicBlockRef next)
{
    struct gpu_axis outer = g->gpu->axes[s->axis];
    uint32_t mark = gpu_enter(g);
    place(g, s, start_of(g, spot), kind);
    const struct gpu_absent *before = g->gpu->absent;
    g->gpu->absent = kind == GPU_TILE_PART ? NULL : &s->sought;
    gpu_round(g, s->node, s->used, next, s->exit);
    g->gpu->absent = before;
    gpu_leave(g, mark);
    g->gpu->axes[s->axis] = outer;
}

/* Goes on with one kind if the test holds, and at the builder's new place if not. */
static void emit_if(struct gen *g, const struct sweep *s, struct gpu_spot spot, LLVMValueRef test,
                    enum gpu_tile_kind kind, LLVMBasicBlockRef next)
{
    LLVMBasicBlockRef yes = gen_block(g, "tile"), no = gen_block(g, "other");
    LLVMBuildCondBr(g->b, test, yes, no);
    LLVMPositionBuilderAtEnd(g->b, yes);
    gpu_tile(g, s, spot, kind, next);
    LLVMPositionBuilderAtEnd(g->b, no);
}

/* Each thread chooses. whole: the block that has the body without guards. */
static void emit_border(struct gen *g, const struct sweep *s, struct gpu_spot spot,
                        struct gpu_ahead a, LLVMBasicBlockRef whole, LLVMBasicBlockRef next)
{
    const struct gpu_axis_layout *l = &g->gpu->layout->axes[s->axis];
    a = moved_to_thread(g, s, a);
    emit_if(g, s, spot, is_empty_here(g, s, &a), GPU_TILE_EMPTY, next);
    LLVMBasicBlockRef part = gen_block(g, "part");
    LLVMValueRef plain = all_exist(g, &a, reach(g, s)), none = holds_none(g, s, &a);
    LLVMBuildCondBr(g->b, gpu_and(g, plain, none), whole, part);
    LLVMPositionBuilderAtEnd(g->b, part);
    if (l->vector > 1 && l->regs > l->vector)
        emit_if(g, s, spot, gpu_and(g, none, has_whole_vectors(g, s, &a)), GPU_TILE_VECTORS, next);
    gpu_tile(g, s, spot, GPU_TILE_PART, next);
}

void gpu_tile_any(struct gen *g, const struct sweep *s, struct gpu_spot spot,
                  LLVMBasicBlockRef next)
{
    if (s->full && !s->sought.count) {
        gpu_tile(g, s, spot, GPU_TILE_WHOLE, next);
        return;
    }
    LLVMBasicBlockRef whole = gen_block(g, "whole"), border = gen_block(g, "border");
    struct gpu_ahead a = ahead_of_spot(g, s, spot);
    LLVMValueRef test = gpu_and(g, all_exist(g, &a, s->tile), none_sought(g, s, &a, 0, s->tile));
    LLVMBuildCondBr(g->b, test, whole, border);
    LLVMPositionBuilderAtEnd(g->b, border);
    if (s->apart)
        emit_border(g, s, spot, a, whole, next);
    else
        gpu_tile(g, s, spot, GPU_TILE_PART, next);
    LLVMPositionBuilderAtEnd(g->b, whole);
    gpu_tile(g, s, spot, GPU_TILE_WHOLE, next);
}

/* ---- fetching ---------------------------------------------------------------------------------- */

static void fetch(struct gen *g, const struct sweep *s, struct gpu_stage *stage, LLVMValueRef start,
                  LLVMValueRef slot, enum gpu_tile_kind kind)
{
    struct gpu_axis outer = g->gpu->axes[s->axis];
    uint32_t mark = gpu_enter(g);
    place(g, s, start, kind);
    gpu_stage_fetch(g, stage, slot);
    gpu_leave(g, mark);
    g->gpu->axes[s->axis] = outer;
}

void gpu_tile_fetch(struct gen *g, const struct sweep *s, struct gpu_stage *stage,
                    struct gpu_spot spot, LLVMValueRef slot)
{
    LLVMValueRef start = start_of(g, spot);
    if (s->full) {
        fetch(g, s, stage, start, slot, GPU_TILE_WHOLE);
        return;
    }
    LLVMBasicBlockRef whole = gen_block(g, "whole"), part = gen_block(g, "part");
    LLVMBasicBlockRef done = gen_block(g, "fetched");
    struct gpu_ahead a = ahead_of_spot(g, s, spot);
    LLVMBuildCondBr(g->b, all_exist(g, &a, s->tile), whole, part);
    LLVMPositionBuilderAtEnd(g->b, whole);
    fetch(g, s, stage, start, slot, GPU_TILE_WHOLE);
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, part);
    fetch(g, s, stage, start, slot, GPU_TILE_PART);
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, done);
}

void gpu_tile_keep(struct gen *g, const struct sweep *s, struct gpu_stage *stage,
                   struct gpu_spot spot, uint32_t round)
{
    struct gpu_axis outer = g->gpu->axes[s->axis];
    uint32_t mark = gpu_enter(g);
    place(g, s, start_of(g, spot), GPU_TILE_PART);
    gpu_stage_keep(g, stage, round);
    gpu_leave(g, mark);
    g->gpu->axes[s->axis] = outer;
}
