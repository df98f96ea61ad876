/* Loop nests: items of the plan to LLVM loops, units to code. */
#include "codegen/cpu/cpu.h"

/* ---- counted loops ----------------------------------------------------------------------------- */

static bool constant_of(LLVMValueRef v, int64_t *value)
{
    if (!LLVMIsAConstantInt(v))
        return false;
    *value = LLVMConstIntGetSExtValue(v);
    return true;
}

/* The same level's code goes on below. */
static void straight(struct gen *g, LLVMValueRef counter, gen_round *round, void *user)
{
    gen_push(g, NULL);
    round(g, user, counter);
    gen_pop(g);
}

void gen_counted(struct gen *g, LLVMValueRef from, LLVMValueRef to, int64_t step, gen_round *round,
                 void *user)
{
    int64_t first, last;
    if (constant_of(from, &first) && constant_of(to, &last)) {
        if (first >= last)
            return;
        if (last - first <= step) {
            straight(g, from, round, user);
            return;
        }
    }
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b);
    LLVMBasicBlockRef body = gen_block(g, "loop"), exit = gen_block(g, "done");
    LLVMValueRef any = LLVMBuildICmp(g->b, LLVMIntSLT, from, to, "");
    LLVMValueRef enter = LLVMBuildCondBr(g->b, any, body, exit);
    LLVMPositionBuilderAtEnd(g->b, body);
    LLVMValueRef counter = LLVMBuildPhi(g->b, g->t_i64, "i");
    gen_push(g, enter);
    round(g, user, counter);
    gen_pop(g);
    LLVMValueRef next = LLVMBuildAdd(g->b, counter, gen_index(g, step), "");
    if (LLVMIsAInstruction(next))
        LLVMSetNSW(next, true);
    LLVMValueRef more = LLVMBuildICmp(g->b, LLVMIntSLT, next, to, "");
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(g->b);
    LLVMBuildCondBr(g->b, more, body, exit);
    LLVMValueRef values[] = {from, next};
    LLVMBasicBlockRef blocks[] = {before, latch};
    LLVMAddIncoming(counter, values, blocks, 2);
    LLVMPositionBuilderAtEnd(g->b, exit);
}

/* ---- units ------------------------------------------------------------------------------------- */

/* Copies of carried values are written when all values of the iteration have been read. Those of an
 * outer iteration wait: an inner loop may have no rounds. */
void gen_flush(struct gen *g, uint32_t from)
{
    for (uint32_t i = from; i < g->cpu->pending.count; i++) {
        struct pending_store *p = &g->cpu->pending.data[i];
        gen_storage_store(g, p->storage, p->elem, p->value, p->width, IR_NO_AXIS, NULL);
    }
    g->cpu->pending.count = from;
}

static void emit_copy(struct gen *g, struct unit *u)
{
    const struct storage *to = u->to ? u->to : plan_of(g->cpu->plan, u->target)->storage;
    bool wide = g->cpu->leaf != IR_NO_AXIS && (u->space & axis_bit(g->cpu->leaf));
    struct pending_store p = {.storage = to, .width = wide ? g->cpu->width : 1};
    if (u->from) {
        p.elem = u->from->elem;
        p.value = gen_storage_load(g, u->from, p.elem, p.width, IR_NO_AXIS, NULL);
    } else {
        p.elem = u->value->type.elem;
        p.value = gen_value_as(g, u->value, p.width);
    }
    vec_push(&g->s->module, &g->cpu->pending, p);
}

/* A value computed at this place; kept in storage if it is wanted elsewhere. */
static void emit_anchor(struct gen *g, struct ir_node *n)
{
    struct ir_value *v = n->results[0];
    const struct value_plan *vp = plan_of(g->cpu->plan, v);
    unsigned width = gen_value_width(g, v);
    LLVMValueRef value = gen_splat(g, gen_compute(g, n), width);
    gen_set(g, v, value);
    if (vp->storage)
        gen_storage_store(g, vp->storage, v->type.elem, value, width, IR_NO_AXIS, NULL);
}

static void emit_unit(struct gen *g, struct unit *u)
{
    if (u->kind == UNIT_COPY) {
        emit_copy(g, u);
        return;
    }
    gen_at(g, u->node->at);
    switch ((int)u->node->op) {
    case IR_OP_store: gen_store(g, u->node); return;
    case IR_OP_atomic: gen_atomic(g, u->node); return;
    case IR_OP_reduce: gen_reduce(g, u); return;
    case IR_OP_scan: gen_scan(g, u); return;
    case IR_OP_dot: gen_dot(g, u); return;
    case IR_OP_assert: gen_assert(g, u->node); return;
    case IR_OP_if:
    case IR_OP_for:
    case IR_OP_loop:
    case IR_OP_sweep:
    case IR_OP_break:
    case IR_OP_continue:
    case IR_OP_return: gen_control(g, u); return;
    default: emit_anchor(g, u->node);
    }
}

/* ---- loops over axes --------------------------------------------------------------------------- */

static void emit_round(struct gen *g, void *user, LLVMValueRef counter)
{
    struct item *it = user;
    struct gen_axis *x = &g->cpu->axes[it->axis];
    uint32_t pending = g->cpu->pending.count;
    x->offset = counter;
    x->level = gen_depth(g);
    x->bound = true;
    gen_items(g, it);
    gen_flush(g, pending);
    for (uint32_t i = 0; i < it->rounds.count; i++)
        gen_reduce_round(g, it->rounds.data[i]);
    x->bound = false;
    x->offset = NULL;
}

static LLVMValueRef whole_chunks(struct gen *g, LLVMValueRef count, unsigned width)
{
    if (!(width & (width - 1)))
        return LLVMBuildAnd(g->b, count, gen_index(g, -(int64_t)width), "");
    LLVMValueRef rest = LLVMBuildURem(g->b, count, gen_index(g, width), "");
    return LLVMBuildSub(g->b, count, rest, "");
}

static void emit_rounds(struct gen *g, struct item *it)
{
    gen_axis_range(g, it->axis);
    LLVMValueRef zero = gen_index(g, 0), count = g->cpu->axes[it->axis].count;
    if (it->width == 1) {
        gen_counted(g, zero, count, 1, emit_round, it);
        return;
    }
    LLVMValueRef chunks = whole_chunks(g, count, it->width);
    g->cpu->leaf = it->axis;
    g->cpu->width = it->width;
    gen_counted(g, zero, chunks, it->width, emit_round, it);
    g->cpu->leaf = IR_NO_AXIS;
    g->cpu->width = 1;
    gen_counted(g, chunks, count, 1, emit_round, it);
}

static void emit_loop(struct gen *g, struct item *it)
{
    for (uint32_t i = 0; i < it->reductions.count; i++)
        gen_reduce_begin(g, it->reductions.data[i]);
    for (uint32_t i = 0; i < it->tails.count; i++)
        gen_reduce_tail_begin(g, it->tails.data[i]);
    for (uint32_t i = 0; i < it->scans.count; i++)
        gen_scan_begin(g, it->scans.data[i]);
    emit_rounds(g, it);
    for (uint32_t i = 0; i < it->tails.count; i++)
        gen_reduce_tail_end(g, it->tails.data[i]);
    for (uint32_t i = 0; i < it->reductions.count; i++)
        gen_reduce_end(g, it->reductions.data[i]);
}

void gen_items(struct gen *g, struct item *it)
{
    uint32_t pending = g->cpu->pending.count;
    for (uint32_t i = 0; i < it->children.count; i++) {
        struct item *child = it->children.data[i];
        if (child->unit)
            emit_unit(g, child->unit);
        else
            emit_loop(g, child);
    }
    if (!it->parent)
        gen_flush(g, pending);
}

bool gen_may_branch(const struct gen *g)
{
    return g->cpu && g->cpu->leaf != IR_NO_AXIS;
}
