/* The outer frame: programs, their place in the grid, structured control flow. */
#include "codegen/cpu/cpu.h"

/* ---- control flow ------------------------------------------------------------------------------ */

static void store_scalar(struct gen *g, struct ir_value *target, LLVMValueRef value)
{
    gen_storage_store(g, plan_of(g->cpu->plan, target)->storage, target->type.elem, value, 1,
                      IR_NO_AXIS, NULL);
}

/* Scalars become arguments or results; tiles have been copied by units. All are read before the
 * first is written. */
static void pass_scalars(struct gen *g, struct ir_value *const *values,
                         struct ir_value *const *targets, uint32_t count)
{
    LLVMValueRef *got = arena_array(&g->s->module, LLVMValueRef, count + 1);
    for (uint32_t i = 0; i < count; i++)
        if (!plan_of(g->cpu->plan, targets[i])->axes)
            got[i] = gen_value(g, values[i]);
    for (uint32_t i = 0; i < count; i++)
        if (got[i])
            store_scalar(g, targets[i], got[i]);
}

static void emit_region(struct gen *g, struct region *r)
{
    r->level = gen_depth(g);
    gen_items(g, r->root);
}

/* True if the block ended in yield: code follows it. */
static bool end_region(struct gen *g, struct region *r, struct ir_value *const *targets)
{
    struct ir_node *last = r->block->last;
    if (last->op != IR_OP_yield)
        return false;
    pass_scalars(g, last->operands, targets, last->operand_count);
    return true;
}

static void emit_arm(struct gen *g, struct unit *u, uint32_t i, LLVMValueRef branch,
                     LLVMBasicBlockRef arm, LLVMBasicBlockRef join)
{
    LLVMPositionBuilderAtEnd(g->b, arm);
    gen_push(g, branch);
    emit_region(g, u->regions[i]);
    if (end_region(g, u->regions[i], u->node->results))
        LLVMBuildBr(g->b, join);
    gen_pop(g);
}

static void emit_if(struct gen *g, struct unit *u)
{
    LLVMValueRef test = gen_value(g, u->node->operands[0]);
    LLVMBasicBlockRef yes = gen_block(g, "then"), no = gen_block(g, "else");
    LLVMBasicBlockRef join = gen_block(g, "join");
    LLVMValueRef branch = LLVMBuildCondBr(g->b, test, yes, no);
    emit_arm(g, u, 0, branch, yes, join);
    emit_arm(g, u, 1, branch, no, join);
    LLVMPositionBuilderAtEnd(g->b, join);
}

/* The frame of a loop: `next` is where another round is prepared. */
static void emit_loop_body(struct gen *g, struct unit *u, LLVMBasicBlockRef next,
                           LLVMBasicBlockRef exit)
{
    struct ir_node *n = u->node;
    struct gen_loop loop = {g->cpu->loop, n, next, exit};
    struct ir_value **args = n->regions[0]->args.data + (n->op == IR_OP_for);
    g->cpu->loop = &loop;
    emit_region(g, u->regions[0]);
    if (end_region(g, u->regions[0], args))
        LLVMBuildBr(g->b, next);
    g->cpu->loop = loop.outer;
}

static void pass_initial(struct gen *g, struct ir_node *n)
{
    struct ir_value **args = n->regions[0]->args.data + (n->op == IR_OP_for);
    pass_scalars(g, n->operands + plan_loop_bounds(n->op), args, n->result_count);
}

static void emit_for(struct gen *g, struct unit *u)
{
    struct ir_node *n = u->node;
    enum ir_elem e = n->operands[0]->type.elem;
    LLVMTypeRef t = gen_type(g, e);
    LLVMValueRef lo = gen_value(g, n->operands[0]), hi = gen_value(g, n->operands[1]);
    LLVMValueRef step = gen_value(g, n->operands[2]);
    LLVMIntPredicate less = ir_elem_is_signed(e) ? LLVMIntSLT : LLVMIntULT;
    /* A step of 0 or less would never end. */
    LLVMValueRef one = gen_int(g, t, 1);
    LLVMIntPredicate more = ir_elem_is_signed(e) ? LLVMIntSGT : LLVMIntUGT;
    step =
        LLVMBuildSelect(g->b, LLVMBuildICmp(g->b, more, step, gen_int(g, t, 0), ""), step, one, "");
    pass_initial(g, n);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b);
    LLVMBasicBlockRef body = gen_block(g, "for"), next = gen_block(g, "next");
    LLVMBasicBlockRef exit = gen_block(g, "end");
    LLVMValueRef enter = LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, less, lo, hi, ""), body, exit);
    LLVMPositionBuilderAtEnd(g->b, body);
    LLVMValueRef counter = LLVMBuildPhi(g->b, t, "");
    gen_push(g, enter);
    gen_set(g, n->regions[0]->args.data[0], counter);
    emit_loop_body(g, u, next, exit);
    gen_pop(g);
    LLVMPositionBuilderAtEnd(g->b, next);
    /* Compare what is left, so that the counter cannot wrap. */
    LLVMValueRef left = LLVMBuildSub(g->b, hi, counter, "");
    LLVMValueRef after = LLVMBuildAdd(g->b, counter, step, "");
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntULT, step, left, ""), body, exit);
    LLVMValueRef values[] = {lo, after};
    LLVMBasicBlockRef blocks[] = {before, next};
    LLVMAddIncoming(counter, values, blocks, 2);
    LLVMPositionBuilderAtEnd(g->b, exit);
}

static void emit_forever(struct gen *g, struct unit *u)
{
    pass_initial(g, u->node);
    LLVMBasicBlockRef body = gen_block(g, "loop"), exit = gen_block(g, "end");
    LLVMValueRef enter = LLVMBuildBr(g->b, body);
    LLVMPositionBuilderAtEnd(g->b, body);
    gen_push(g, enter);
    emit_loop_body(g, u, body, exit);
    gen_pop(g);
    LLVMPositionBuilderAtEnd(g->b, exit);
}

static LLVMValueRef smaller(struct gen *g, LLVMValueRef a, LLVMValueRef b)
{
    LLVMTypeRef t = g->t_i64;
    LLVMValueRef args[] = {a, b};
    return gen_intrinsic(g, "llvm.smin", &t, 1, args, 2);
}

static void emit_sweep(struct gen *g, struct unit *u)
{
    struct ir_node *n = u->node;
    const struct ir_axis *a = &g->f->axes.data[n->attr.axis];
    struct gen_axis *x = &g->cpu->axes[n->attr.axis], outer = *x;
    LLVMValueRef lo = gen_value(g, n->operands[0]), hi = gen_value(g, n->operands[1]);
    LLVMValueRef tile = gen_index(g, a->tile);
    pass_initial(g, n);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b);
    LLVMBasicBlockRef body = gen_block(g, "sweep"), next = gen_block(g, "next");
    LLVMBasicBlockRef exit = gen_block(g, "end");
    LLVMValueRef enter =
        LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, lo, hi, ""), body, exit);
    LLVMPositionBuilderAtEnd(g->b, body);
    LLVMValueRef start = LLVMBuildPhi(g->b, g->t_i64, "");
    gen_push(g, enter);
    *x = (struct gen_axis){.ranged = true, .begin = start, .range_level = gen_depth(g)};
    x->count = a->full ? tile : smaller(g, LLVMBuildSub(g->b, hi, start, ""), tile);
    emit_loop_body(g, u, next, exit);
    gen_pop(g);
    *x = outer;
    LLVMPositionBuilderAtEnd(g->b, next);
    LLVMValueRef after = LLVMBuildAdd(g->b, start, tile, "");
    LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, after, hi, ""), body, exit);
    LLVMValueRef values[] = {lo, after};
    LLVMBasicBlockRef blocks[] = {before, next};
    LLVMAddIncoming(start, values, blocks, 2);
    LLVMPositionBuilderAtEnd(g->b, exit);
}

static void leave_loop(struct gen *g, struct ir_node *n)
{
    struct gen_loop *loop = g->cpu->loop;
    struct ir_value **args = loop->node->regions[0]->args.data + (loop->node->op == IR_OP_for);
    pass_scalars(g, n->operands, args, n->operand_count);
    LLVMBuildBr(g->b, n->op == IR_OP_break ? loop->exit : loop->next);
}

void gen_control(struct gen *g, struct unit *u)
{
    gen_flush(g, 0);
    switch ((int)u->node->op) {
    case IR_OP_if: emit_if(g, u); return;
    case IR_OP_for: emit_for(g, u); return;
    case IR_OP_loop: emit_forever(g, u); return;
    case IR_OP_sweep: emit_sweep(g, u); return;
    case IR_OP_return: LLVMBuildBr(g->b, g->cpu->program_end); return;
    default: leave_loop(g, u->node);
    }
}

/* ---- programs ---------------------------------------------------------------------------------- */

static bool is_grid(const struct ir_axis *a)
{
    return a->kind == IR_AXIS_PROGRAM || a->kind == IR_AXIS_GRID;
}

/* Tiles along the axis, as the host counted them: of its bound, or of its range. */
static LLVMValueRef count_tiles(struct gen *g, const struct ir_axis *a)
{
    LLVMValueRef length = a->bound
                              ? gen_value(g, a->bound)
                              : LLVMBuildSub(g->b, gen_value(g, a->hi), gen_value(g, a->lo), "");
    LLVMValueRef up = LLVMBuildAdd(g->b, length, gen_index(g, a->tile - 1), "");
    return LLVMBuildUDiv(g->b, up, gen_index(g, a->tile), "");
}

/* Sets the range of one grid axis; programs beyond a range known only on the device leave. */
static void enter_axis(struct gen *g, uint8_t axis, LLVMValueRef tile_number)
{
    const struct ir_axis *a = &g->f->axes.data[axis];
    struct gen_axis *x = &g->cpu->axes[axis];
    LLVMValueRef tile = gen_index(g, a->tile);
    LLVMValueRef hi = gen_value(g, a->hi);
    x->begin =
        LLVMBuildAdd(g->b, gen_value(g, a->lo), LLVMBuildMul(g->b, tile_number, tile, ""), "");
    x->ranged = true;
    x->range_level = gen_depth(g);
    if (a->bound) {
        LLVMBasicBlockRef inside = gen_block(g, "inside");
        LLVMBuildCondBr(g->b, LLVMBuildICmp(g->b, LLVMIntSLT, x->begin, hi, ""), inside,
                        g->cpu->program_end);
        LLVMPositionBuilderAtEnd(g->b, inside);
    }
    x->count =
        a->full || a->tile == 1 ? tile : smaller(g, LLVMBuildSub(g->b, hi, x->begin, ""), tile);
}

/* program = ((tile of 1st) * tiles of 2nd + tile of 2nd) * ...; segments' ranges may depend on outer
 * axes, so axes are entered from the outside in. */
static void enter_program(struct gen *g)
{
    LLVMValueRef tiles[IR_MAX_AXIS], numbers[IR_MAX_AXIS], rest = g->cpu->program;
    uint8_t grid[IR_MAX_AXIS];
    unsigned count = 0;
    for (unsigned i = 0; i < g->f->axes.count; i++)
        if (is_grid(&g->f->axes.data[i]))
            grid[count++] = (uint8_t)i;
    for (unsigned i = count; i-- > 1;) {
        unsigned back = gen_go(g, 0);
        tiles[i] = count_tiles(g, &g->f->axes.data[grid[i]]);
        LLVMTypeRef t = g->t_i64;
        LLVMValueRef args[] = {tiles[i], gen_index(g, 1)};
        tiles[i] = gen_intrinsic(g, "llvm.smax", &t, 1, args, 2);
        gen_go(g, back);
        numbers[i] = LLVMBuildURem(g->b, rest, tiles[i], "");
        rest = LLVMBuildUDiv(g->b, rest, tiles[i], "");
    }
    if (count)
        numbers[0] = rest;
    for (unsigned i = 0; i < count; i++)
        enter_axis(g, grid[i], numbers[i]);
}

static void emit_program(struct gen *g, void *user, LLVMValueRef number)
{
    (void)user;
    g->cpu->program = number;
    g->cpu->program_end = gen_block(g, "program.end");
    g->cpu->plan->body->level = gen_depth(g);
    enter_program(g);
    emit_region(g, g->cpu->plan->body);
    LLVMPositionBuilderAtEnd(g->b, g->cpu->program_end);
    for (unsigned i = 0; i < g->f->axes.count; i++)
        g->cpu->axes[i].ranged = false;
}

/* The body of entry(slots, first, last, scratch, report). */
void gen_programs(struct gen *g)
{
    LLVMValueRef first = LLVMGetParam(g->entry, 1), last = LLVMGetParam(g->entry, 2);
    gen_counted(g, first, last, 1, emit_program, NULL);
}
