/* Shared memory: who gets which bytes, and why exchanges need one barrier.
 *
 * An exchange writes, meets a barrier, and reads. Its memory is its own for the whole kernel, so the
 * only danger is the exchange itself, met again in a loop: a fast thread may write for the next round
 * while a slow one still reads for this one. Two copies that take turns exclude that:
 *
 *   round n      write copy 0   barrier   read copy 0
 *   round n + 1  write copy 1   barrier   read copy 1
 *   round n + 2  write copy 0 ...
 *
 * Whoever writes in round n + 2 has passed the barrier of round n + 1, which no thread passes before
 * all have reached it, having read what they wanted of round n. For a cluster this holds with its
 * barrier and the memory of all its blocks. After the barrier of its last exchange nobody writes to a
 * block, so that it may end before the others do.
 *
 * Turns are counted by exchange, not by round of some loop: one under a condition, after a `continue`
 * or in a loop entered many times takes part in the alternation only when it happens, and between two
 * uses of one copy there is always its own barrier. Other exchanges in the same loop have other
 * memory; their barriers are not needed and do no harm. Conversions, which may be large, all have the same
 * two copies: for the same reason, as long as every use takes its turn. */
#include "codegen/gpu/gpu.h"

#define ALIGNMENT 16

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

uint32_t gpu_shared(struct gen *g, uint32_t bytes)
{
    uint32_t at = g->gpu->shared_bytes, most = g->target->facts.shared_bytes;
    uint64_t end = at + round_up(bytes);
    if (end > most) {
        diag_error(g->s, g->gpu->lane.at, DIAG_SHARED_MEMORY,
                   "%llu bytes of shared memory are needed so far, a block has %u",
                   (unsigned long long)end, most);
        diag_help(g->s, "smaller tiles, fewer warps or more blocks of a cluster need less");
        return 0;
    }
    g->gpu->shared_bytes = (uint32_t)end;
    return at;
}

/* A stack slot with the offset of the next turn's copy, which LLVM makes a register. */
static LLVMValueRef new_turn(struct gen *g, uint32_t at)
{
    LLVMValueRef turn = gen_alloca(g, g->t_i32);
    LLVMPositionBuilderBefore(g->llvm->allocas, g->alloca_end);
    LLVMBuildStore(g->llvm->allocas, gen_int(g, g->t_i32, at), turn);
    return turn;
}

struct gpu_turns gpu_shared_turns(struct gen *g, uint32_t bytes, bool again)
{
    uint64_t copy = round_up(bytes);
    if (!again)
        return (struct gpu_turns){.sum = gpu_shared(g, bytes)};
    uint32_t at = gpu_shared(g, 2 * copy > UINT32_MAX ? UINT32_MAX : (uint32_t)(2 * copy));
    return (struct gpu_turns){(uint32_t)(2 * at + copy), new_turn(g, at)};
}

LLVMValueRef gpu_shared_take(struct gen *g, const struct gpu_turns *turns)
{
    LLVMValueRef sum = gen_int(g, g->t_i32, turns->sum);
    if (!turns->next)
        return sum;
    LLVMValueRef offset = LLVMBuildLoad2(g->b, g->t_i32, turns->next, "");
    LLVMBuildStore(g->b, LLVMBuildSub(g->b, sum, offset, ""), turns->next);
    return offset;
}

LLVMValueRef gpu_shared_turn(struct gen *g, uint32_t bytes)
{
    struct gpu_turns turns = gpu_shared_turns(g, bytes, g->gpu->loop_depth > 0);
    return gpu_shared_take(g, &turns);
}
