/* Structured control flow. Conditions and bounds are scalars, so all threads of a block go the same
 * way. What loops carry and ifs give has a stack slot for each register, which LLVM turns back into
 * registers. */
#include "codegen/gpu/gpu.h"

struct gpu_loop {
    struct gpu_loop *outer;
    struct ir_node *node;
    LLVMBasicBlockRef next, exit;
};

/* ---- carried values ---------------------------------------------------------------------------- */

static uint32_t bounds_of(const struct ir_node *loop)
{
    return loop->op == IR_OP_for ? 3 : loop->op == IR_OP_sweep ? 2 : 0;
}

static struct ir_value **carried_args(const struct ir_node *loop)
{
    return loop->regions[0]->args.data + (loop->op == IR_OP_for);
}

struct ir_value **gpu_carried(const struct gen *g, const struct ir_node *n)
{
    const struct gpu_loop *loop = g->gpu->loop;
    return loop && n->block == loop->node->regions[0] ? carried_args(loop->node) : NULL;
}

static void make_slots(struct gen *g, struct ir_value *v)
{
    struct gpu_value *gv = gpu_value(g, v);
    if (gv->slots)
        return;
    gv->slots = arena_array(&g->s->module, LLVMValueRef, gv->view.count);
    for (uint32_t i = 0; i < gv->view.count; i++)
        gv->slots[i] = gen_alloca(g, gen_type(g, v->type.elem));
}

/* All values are read before the first slot is written: a loop may swap what it carries. */
static void pass(struct gen *g, struct ir_value *const *values, struct ir_value *const *targets,
                 uint32_t count)
{
    LLVMValueRef **read = arena_array(&g->s->module, LLVMValueRef *, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        const struct gpu_view *view = &gpu_value(g, targets[i])->view;
        read[i] = arena_array(&g->s->module, LLVMValueRef, view->count);
        for (uint32_t r = 0; r < view->count; r++)
            read[i][r] = gpu_reg_in(g, values[i], view, r);
    }
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t r = 0; r < gpu_value(g, targets[i])->view.count; r++)
            LLVMBuildStore(g->b, read[i][r], gpu_value(g, targets[i])->slots[r]);
}

static void make_all_slots(struct gen *g, struct ir_value *const *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        make_slots(g, values[i]);
}

/* ---- what a loop uses -------------------------------------------------------------------------- */

static void use(bool *used, const struct ir_value *v)
{
    if (used[v->id])
        return;
    used[v->id] = true;
    const struct ir_node *n = v->def == IR_DEF_NODE ? v->node : NULL;
    for (uint32_t i = 0; n && !n->region_count && i < n->operand_count; i++)
        use(used, n->operands[i]);
}

static void use_block(bool *used, const struct ir_block *b)
{
    for (const struct ir_node *n = b->first; n; n = n->next) {
        for (uint32_t i = 0; i < n->operand_count; i++)
            use(used, n->operands[i]);
        for (uint32_t i = 0; i < n->region_count; i++)
            use_block(used, n->regions[i]);
    }
}

static void force_outer(struct gen *g, const struct ir_block *body, const bool *used)
{
    for (uint32_t id = 0; id < g->f->value_count; id++) {
        struct gpu_value *gv = g->gpu->values[id];
        if (used[id] && gv && gv->lazy && !gv->cheap && gv->v->node->block != body)
            gpu_force(g, gv->v);
    }
}

/* Before a loop: what its rounds share and is dear is computed now; what is cheap will be computed in
 * each round from words that stay packed. */
bool *gpu_prepare_loop(struct gen *g, struct ir_node *loop)
{
    bool *used = arena_array(&g->s->module, bool, g->f->value_count + 1);
    use_block(used, loop->regions[0]);
    force_outer(g, loop->regions[0], used);
    return used;
}

/* ---- blocks ------------------------------------------------------------------------------------ */

/* A region's body; true if it ended in yield, whose operands went to the targets. */
static bool emit_region(struct gen *g, struct ir_block *b, struct ir_value *const *targets)
{
    gpu_block(g, b);
    if (b->last->op != IR_OP_yield)
        return false;
    if (g->gpu->schedule.in_shared)
        gpu_settle(g, NULL);
    pass(g, b->last->operands, targets, b->last->operand_count);
    return true;
}

/* ---- if ---------------------------------------------------------------------------------------- */

/* What is pending at the join because of this arm: nothing if it goes elsewhere. */
static void emit_arm(struct gen *g, struct ir_node *n, uint32_t i, LLVMBasicBlockRef arm,
                     LLVMBasicBlockRef join)
{
    LLVMPositionBuilderAtEnd(g->b, arm);
    uint32_t mark = gpu_enter(g);
    if (emit_region(g, n->regions[i], n->results))
        LLVMBuildBr(g->b, join);
    else
        g->gpu->pending.count = 0;
    gpu_leave(g, mark);
}

/* A barrier in one arm says nothing about the other: what was pending before or in either stays. */
static void emit_if(struct gen *g, struct ir_node *n)
{
    LLVMValueRef test = gpu_scalar(g, n->operands[0]);
    make_all_slots(g, n->results, n->result_count);
    LLVMBasicBlockRef yes = gen_block(g, "then"), no = gen_block(g, "else");
    LLVMBasicBlockRef join = gen_block(g, "join");
    LLVMBuildCondBr(g->b, test, yes, no);
    uint32_t before = g->gpu->pending.count;
    struct ir_node **kept = arena_array(&g->s->module, struct ir_node *, before + 1);
    for (uint32_t i = 0; i < before; i++)
        kept[i] = g->gpu->pending.data[i];
    emit_arm(g, n, 0, yes, join);
    uint32_t after = g->gpu->pending.count;
    struct ir_node **first = arena_array(&g->s->module, struct ir_node *, after + 1);
    for (uint32_t i = 0; i < after; i++)
        first[i] = g->gpu->pending.data[i];
    g->gpu->pending.count = 0;
    for (uint32_t i = 0; i < before; i++)
        vec_push(&g->s->module, &g->gpu->pending, kept[i]);
    emit_arm(g, n, 1, no, join);
    for (uint32_t i = 0; i < after; i++)
        vec_push(&g->s->module, &g->gpu->pending, first[i]);
    LLVMPositionBuilderAtEnd(g->b, join);
}

/* ---- loops ------------------------------------------------------------------------------------- */

/* One round, from the builder's place to `next` or `exit`. */
void gpu_round(struct gen *g, struct ir_node *n, const bool *used, LLVMBasicBlockRef next,
               LLVMBasicBlockRef exit)
{
    struct gpu_loop loop = {g->gpu->loop, n, next, exit};
    g->gpu->loop = &loop;
    g->gpu->loop_depth++;
    gpu_settle(g, used);
    gpu_order_loop(g, n);
    if (emit_region(g, n->regions[0], carried_args(n)))
        LLVMBuildBr(g->b, next);
    g->gpu->loop_depth--;
    g->gpu->loop = loop.outer;
}

void gpu_begin_loop(struct gen *g, struct ir_node *n)
{
    struct ir_value **args = carried_args(n);
    make_all_slots(g, args, n->result_count);
    make_all_slots(g, n->results, n->result_count);
    pass(g, n->operands + bounds_of(n), args, n->result_count);
}

/* After the last round the results are what is carried. break writes them itself. */
void gpu_end_loop(struct gen *g, struct ir_node *n)
{
    struct ir_value **args = carried_args(n);
    for (uint32_t i = 0; i < n->result_count; i++) {
        struct gpu_value *from = gpu_value(g, args[i]), *to = gpu_value(g, n->results[i]);
        LLVMTypeRef t = gen_type(g, args[i]->type.elem);
        for (uint32_t r = 0; r < to->view.count; r++)
            LLVMBuildStore(g->b, LLVMBuildLoad2(g->b, t, from->slots[r], ""), to->slots[r]);
    }
}

static void emit_for(struct gen *g, struct ir_node *n)
{
    enum ir_elem e = n->operands[0]->type.elem;
    LLVMTypeRef t = gen_type(g, e);
    LLVMValueRef lo = gpu_scalar(g, n->operands[0]), hi = gpu_scalar(g, n->operands[1]);
    LLVMValueRef step = gpu_scalar(g, n->operands[2]), one = gen_int(g, t, 1);
    bool is_signed = ir_elem_is_signed(e);
    /* A step of 0 or less would never end. */
    LLVMValueRef forward =
        LLVMBuildICmp(g->b, is_signed ? LLVMIntSGT : LLVMIntUGT, step, gen_int(g, t, 0), "");
    step = LLVMBuildSelect(g->b, forward, step, one, "");
    const bool *used = gpu_prepare_loop(g, n);
    gpu_begin_loop(g, n);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b);
    LLVMBasicBlockRef body = gen_block(g, "for"), next = gen_block(g, "next");
    LLVMBasicBlockRef done = gen_block(g, "done"), exit = gen_block(g, "end");
    LLVMValueRef some = LLVMBuildICmp(g->b, is_signed ? LLVMIntSLT : LLVMIntULT, lo, hi, "");
    LLVMBuildCondBr(g->b, some, body, done);
    LLVMPositionBuilderAtEnd(g->b, body);
    LLVMValueRef counter = LLVMBuildPhi(g->b, t, "");
    uint32_t mark = gpu_enter(g);
    gpu_set(g, n->regions[0]->args.data[0], 0, counter);
    gpu_round(g, n, used, next, exit);
    gpu_leave(g, mark);
    LLVMPositionBuilderAtEnd(g->b, next);
    /* Compare what is left, so that the counter cannot wrap. */
    LLVMValueRef left = LLVMBuildSub(g->b, hi, counter, "");
    LLVMValueRef after = LLVMBuildAdd(g->b, counter, step, "");
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntULT, step, left, ""), body, done);
    LLVMValueRef values[] = {lo, after};
    LLVMBasicBlockRef blocks[] = {before, next};
    LLVMAddIncoming(counter, values, blocks, 2);
    LLVMPositionBuilderAtEnd(g->b, done);
    gpu_end_loop(g, n);
    LLVMBuildBr(g->b, exit);
    LLVMPositionBuilderAtEnd(g->b, exit);
}

static void emit_forever(struct gen *g, struct ir_node *n)
{
    const bool *used = gpu_prepare_loop(g, n);
    gpu_begin_loop(g, n);
    LLVMBasicBlockRef body = gen_block(g, "loop"), exit = gen_block(g, "end");
    LLVMBuildBr(g->b, body);
    LLVMPositionBuilderAtEnd(g->b, body);
    uint32_t mark = gpu_enter(g);
    gpu_round(g, n, used, body, exit);
    gpu_leave(g, mark);
    LLVMPositionBuilderAtEnd(g->b, exit);
}

/* ---- leaving ----------------------------------------------------------------------------------- */

static void leave_loop(struct gen *g, struct ir_node *n)
{
    struct gpu_loop *loop = g->gpu->loop;
    bool ends = n->op == IR_OP_break;
    pass(g, n->operands, ends ? loop->node->results : carried_args(loop->node), n->operand_count);
    LLVMBuildBr(g->b, ends ? loop->exit : loop->next);
}

static void emit_loop(struct gen *g, struct ir_node *n,
                      void (*emit)(struct gen *, struct ir_node *))
{
    struct gpu_before before = gpu_order_ahead(g, n);
    emit(g, n);
    gpu_order_behind(g, n, &before);
}

void gpu_control(struct gen *g, struct ir_node *n)
{
    switch ((int)n->op) {
    case IR_OP_if: emit_if(g, n); return;
    case IR_OP_for: emit_loop(g, n, emit_for); return;
    case IR_OP_loop: emit_loop(g, n, emit_forever); return;
    case IR_OP_sweep: emit_loop(g, n, gpu_sweep); return;
    case IR_OP_return:
        gpu_before_return(g);
        LLVMBuildBr(g->b, g->gpu->exit);
        return;
    default: leave_loop(g, n);
    }
}

/* ---- nodes ------------------------------------------------------------------------------------- */

static bool depends_on(const struct ir_value *v, const struct ir_node *n, unsigned depth)
{
    if (v->def != IR_DEF_NODE || depth == 0)
        return v->def == IR_DEF_NODE;
    if (v->node == n)
        return true;
    for (uint32_t i = 0; i < v->node->operand_count; i++)
        if (depends_on(v->node->operands[i], n, depth - 1))
            return true;
    return false;
}

static bool is_sibling(struct ir_node *const *siblings, uint32_t count, const struct ir_node *n)
{
    const struct ir_node *first = siblings[0];
    if (n->attr.axes != first->attr.axes || n->attr.to != first->attr.to)
        return false;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < n->operand_count; k++)
            if (depends_on(n->operands[k], siblings[i], 12))
                return false;
    return true;
}

#define MAX_SIBLINGS 8

/* The reductions over the same axes that can be done together with n: nothing between them acts. */
static uint32_t find_siblings(struct ir_node *n, struct ir_node **siblings)
{
    uint32_t count = 1;
    siblings[0] = n;
    for (struct ir_node *x = n->next; x && count < MAX_SIBLINGS; x = x->next) {
        unsigned traits = ir_op_info(x->op)->traits;
        if (x->op == IR_OP_reduce && is_sibling(siblings, count, x))
            siblings[count++] = x;
        else if (!(traits & IR_PURE) || (traits & IR_REGIONS) || x->op == IR_OP_extract)
            break;
    }
    return count;
}

/* Loads of this block that need nothing from the reduction are better under way while it waits. */
static void load_early(struct gen *g, struct ir_node *n)
{
    for (; n; n = n->next) {
        if (n->region_count && n->op != IR_OP_reduce)
            return;
        bool ready = n->op == IR_OP_load && n->results[0]->type.axes && !n->attr.flag &&
                     !g->gpu->written[n->attr.tensor] && gpu_may_access(g, n->attr.tensor);
        for (uint32_t d = 0; ready && d < g->f->tensors.data[n->attr.tensor].rank; d++)
            ready = gpu_is_ready(g, n->operands[d]);
        if (ready)
            gpu_load(g, n);
    }
}

static void emit_reduce(struct gen *g, struct ir_node *n)
{
    struct ir_node *siblings[MAX_SIBLINGS];
    const struct gpu_value *first = gpu_value(g, n->results[0]);
    if (first->lazy || first->regs[0])
        return; /* of one element; done together with an earlier one */
    if (g->gpu->schedule.early_weights) {
        load_early(g, n->next);
        gpu_after_early_loads(g);
    }
    uint32_t count = find_siblings(n, siblings);
    gpu_reduce(g, siblings, count);
}

/* What follows goes on with any values, and may find more to report. */
static void unsupported(struct gen *g, struct ir_node *n)
{
    struct ir_value *v = n->results[0];
    diag_error(g->s, n->at, DIAG_TARGET, "%s is not supported on %s yet", ir_op_info(n->op)->name,
               g->target->target->name);
    for (uint32_t i = 0; i < gpu_value(g, v)->view.count; i++)
        gpu_set(g, v, i, LLVMGetUndef(gen_type(g, v->type.elem)));
}

/* An op that uses up registers of what acted (a sum's new value, of the sum and a reduction's result)
 * is emitted where it stands: later both would still be waiting. */
static bool uses_up(struct gen *g, const struct ir_node *n)
{
    if (gpu_value(g, n->results[0])->cheap)
        return false;
    for (uint32_t i = 0; i < n->operand_count; i++) {
        const struct gpu_value *x = gpu_value(g, n->operands[i]);
        if (x->v->type.axes && !x->lazy && !x->words && x->v->uses == 1)
            return true;
    }
    return false;
}

/* Computes a value here, and keeps LLVM from doing so later. */
static void anchor(struct gen *g, struct ir_value *v)
{
    struct gpu_value *gv = gpu_value(g, v);
    gpu_force(g, v);
    if (v->type.elem != IR_F32)
        return;
    for (uint32_t i = 0; i < gv->view.count; i++) {
        LLVMValueRef word = LLVMBuildBitCast(g->b, gv->regs[i], g->t_i32, "");
        word = g->gpu->hooks->pin(&g->gpu->lane, word, true);
        gpu_set(g, v, i, LLVMBuildBitCast(g->b, word, g->t_f32, ""));
    }
    /* What it was computed from is read again for the next op, instead of all of it waiting. */
    if (g->gpu->schedule.in_shared)
        gpu_settle(g, NULL);
}

static void emit_node(struct gen *g, struct ir_node *n)
{
    g->gpu->lane.at = n->at;
    gen_at(g, n->at);
    switch ((int)n->op) {
    case IR_OP_load: gpu_load(g, n); return;
    case IR_OP_store: gpu_store(g, n); return;
    case IR_OP_atomic: gpu_atomic(g, n); return;
    case IR_OP_reduce: emit_reduce(g, n); return;
    case IR_OP_scan: gpu_scan(g, n); return;
    case IR_OP_extract: gpu_extract(g, n); return;
    case IR_OP_relabel: gpu_relabel(g, n); return;
    case IR_OP_dot: unsupported(g, n); return;
    case IR_OP_assert: gpu_assert(g, n); return;
    case IR_OP_assume:
    case IR_OP_yield: return;
    default: break;
    }
    unsigned traits = ir_op_info(n->op)->traits;
    if (traits & (IR_REGIONS | IR_TERMINATOR))
        gpu_control(g, n);
    else if (!n->results[0]->type.axes)
        gpu_force(g, n->results[0]); /* here, where all that follow can use it */
    else if (g->gpu->loop && uses_up(g, n))
        anchor(g, n->results[0]);
}

void gpu_block(struct gen *g, struct ir_block *b)
{
    bool body = b == g->f->body;
    uint32_t held = g->gpu->held.count, walks = g->gpu->walks.count;
    for (struct ir_node *n = b->first; n; n = n->next) {
        if (body) {
            gpu_place_axes(g);
            gpu_meet_cluster(g, n);
            gpu_before_node(g, n);
        }
        emit_node(g, n);
        if (body)
            gpu_after_node(g, n);
    }
    g->gpu->held.count = held; /* what was kept by this block's sweeps */
    g->gpu->walks.count = walks;
}

/* ---- combiners --------------------------------------------------------------------------------- */

void gpu_inline(struct gen *g, struct ir_block *region, LLVMValueRef *args, LLVMValueRef *results)
{
    uint32_t mark = gpu_enter(g);
    for (uint32_t i = 0; i < region->args.count; i++)
        gpu_set(g, region->args.data[i], 0, args[i]);
    gpu_block(g, region);
    for (uint32_t i = 0; i < region->last->operand_count; i++)
        results[i] = gpu_scalar(g, region->last->operands[i]);
    gpu_leave(g, mark);
}
