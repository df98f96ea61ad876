/* Waiting for words that other warps send, and what is done meanwhile: sums over the rounds of a loop,
 * as far as they need nothing of these words. */
#include "codegen/gpu/gpu.h"

bool gpu_works_meanwhile(const struct gen *g)
{
    return g->gpu->schedule.in_shared == 3 && g->target->facts.cluster > 1;
}

/* A value that the loop carries, what the next round gets for it, and that in registers. */
struct due {
    struct ir_value *carried, *next;
    LLVMValueRef *regs;
};

/* Can it be computed now? The old value must have no other use: the new one takes its place. */
static bool is_due(struct gen *g, const struct due *d)
{
    const struct gpu_value *next = gpu_value(g, d->next);
    return d->next->type.axes && next->lazy && !next->regs[0] && d->carried->uses == 1 &&
           next->view.count == gpu_value(g, d->carried)->view.count && gpu_is_ready(g, d->next);
}

/* Of the loop whose body node n stands in. */
static struct due *find_due(struct gen *g, const struct ir_node *n, uint32_t *count)
{
    struct ir_value **carried = gpu_carried(g, n);
    const struct ir_node *last = n->block->last;
    *count = 0;
    if (!carried || !gpu_works_meanwhile(g) || last->op != IR_OP_yield)
        return NULL;
    struct due *all = arena_array(&g->s->module, struct due, last->operand_count + 1);
    for (uint32_t i = 0; i < last->operand_count; i++) {
        all[*count] = (struct due){carried[i], last->operands[i], NULL};
        *count += is_due(g, &all[*count]);
    }
    return all;
}

/* Side by side, so that each vector is read once. */
static void compute_due(struct gen *g, struct due *all, uint32_t count)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct gpu_value *next = gpu_value(g, all[i].next);
        all[i].regs = arena_array(&g->s->module, LLVMValueRef, next->view.count);
        most = next->view.count > most ? next->view.count : most;
    }
    for (uint32_t r = 0; r < most; r++)
        for (uint32_t i = 0; i < count; i++)
            if (r < gpu_value(g, all[i].next)->view.count) {
                all[i].regs[r] = gpu_reg(g, all[i].next, r);
                LLVMBuildStore(g->b, all[i].regs[r], gpu_value(g, all[i].carried)->slots[r]);
            }
}

/* In a loop that is left after one round, or ptxas would do the work after the wait; of what is read
 * elsewhere in each round, or it would do most of it before the loop, and keep it in registers. */
static void work(struct gen *g, struct due *all, uint32_t count)
{
    LLVMBasicBlockRef body = gen_block(g, "meanwhile"), after = gen_block(g, "await");
    LLVMValueRef place = gen_alloca(g, g->t_i32);
    LLVMBuildStore(g->b, gen_int(g, g->t_i32, 0), place);
    LLVMBuildBr(g->b, body);
    LLVMPositionBuilderAtEnd(g->b, body);
    gpu_settle(g, NULL);
    uint32_t mark = gpu_enter(g);
    gpu_park_elsewhere(g, LLVMBuildLoad2(g->b, g->t_i32, place, ""));
    compute_due(g, all, count);
    gpu_leave(g, mark);
    LLVMBuildStore(g->b, gen_int(g, g->t_i32, 16), place);
    LLVMBuildCondBr(g->b, g->gpu->hooks->never(&g->gpu->lane), body, after);
    LLVMPositionBuilderAtEnd(g->b, after);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t r = 0; r < gpu_value(g, all[i].next)->view.count; r++)
            gpu_set(g, all[i].next, r, all[i].regs[r]);
}

void gpu_await(struct gen *g, const struct gpu_mailbox *box, const struct ir_node *n)
{
    uint32_t count;
    struct due *all = find_due(g, n, &count);
    if (count)
        work(g, all, count);
    gpu_settle(g, NULL);
    g->gpu->hooks->mbarrier_await(&g->gpu->lane, box->mbarrier, box->parity);
}
