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
 * two copies: for the same reason, as long as every use takes its turn.
 *
 * Blocks of a cluster need no barrier where every warp sends a word to every block in each exchange:
 * each copy has an mbarrier, and whoever has waited for its words knows that all warps have sent
 * theirs, having read what they wanted of the exchange before. So both of the rules above hold, and
 * no phase meets the words of another: those of round n + 2 are sent by warps that have met the words
 * of round n + 1, which were sent by warps that had met all words of round n. What a barrier of the
 * cluster would cost more is its fence: it waits until the block's stores to global memory are done. */
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

/* A stack slot of a word, which LLVM makes a register. */
static LLVMValueRef new_slot(struct gen *g, uint32_t value)
{
    LLVMValueRef slot = gen_alloca(g, g->t_i32);
    LLVMPositionBuilderBefore(g->llvm->allocas, g->alloca_end);
    LLVMBuildStore(g->llvm->allocas, gen_int(g, g->t_i32, value), slot);
    return slot;
}

struct gpu_turns gpu_shared_turns(struct gen *g, uint32_t bytes, bool again)
{
    uint64_t copy = round_up(bytes), all = again ? 2 * copy : copy;
    uint32_t at = gpu_shared(g, all > UINT32_MAX ? UINT32_MAX : (uint32_t)all);
    return again ? (struct gpu_turns){at, (uint32_t)(2 * at + copy), new_slot(g, at)}
                 : (struct gpu_turns){at, at, NULL};
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

/* ---- memory that words are sent to ------------------------------------------------------------- */

static void create_mbarrier(struct gen *g, uint32_t at, uint32_t sends)
{
    struct lane_emit *e = &g->gpu->lane;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(g->b);
    LLVMPositionBuilderBefore(g->b, g->gpu->meeting);
    gen_at(g, e->at);
    LLVMValueRef zero = gen_int(g, g->t_i32, 0);
    LLVMValueRef first = LLVMBuildICmp(g->b, LLVMIntEQ, g->gpu->thread, zero, "");
    g->gpu->hooks->mbarrier_create(e, gen_int(g, g->t_i32, at), sends, first);
    LLVMPositionBuilderAtEnd(g->b, here);
    gen_at(g, e->at);
}

/* The phases of a copy's mbarrier are numbered by its turns: 0 0 1 1 2 2 ... for both of them. */
static LLVMValueRef next_parity(struct gen *g, const struct gpu_turns *turns)
{
    LLVMValueRef one = gen_int(g, g->t_i32, 1);
    if (!turns->next)
        return gen_int(g, g->t_i32, 0);
    LLVMValueRef slot = new_slot(g, 0), turn = LLVMBuildLoad2(g->b, g->t_i32, slot, "");
    LLVMBuildStore(g->b, LLVMBuildAdd(g->b, turn, one, ""), slot);
    return LLVMBuildAnd(g->b, LLVMBuildLShr(g->b, turn, one, ""), one, "");
}

struct gpu_mailbox gpu_mailbox_turn(struct gen *g, uint32_t bytes, uint32_t sends)
{
    bool again = g->gpu->loop_depth > 0;
    struct gpu_turns turns = gpu_shared_turns(g, bytes + ALIGNMENT, again);
    create_mbarrier(g, turns.first, sends);
    if (again)
        create_mbarrier(g, turns.sum - turns.first, sends);
    LLVMValueRef at = gpu_shared_take(g, &turns);
    LLVMValueRef words = LLVMBuildAdd(g->b, at, gen_int(g, g->t_i32, ALIGNMENT), "");
    return (struct gpu_mailbox){at, next_parity(g, &turns), words};
}
