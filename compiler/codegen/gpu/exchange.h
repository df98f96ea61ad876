/* Exchanges: words that threads of a block, or of a cluster's blocks, hand to each other.
 *
 * Threads that need each other's words are a group: they have the same `kept` digits. What a group
 * writes are `parts` of `words` words each, numbered by the `across` digits; afterwards each of its
 * threads may read all of them. Threads that differ in other digits hold copies, of which one writes.
 * Group, part and word lie in shared memory in this order, the last one fastest, so that a group's
 * words are read 16 bytes at a time.
 *
 *   gpu_exchange_keep, gpu_exchange_across    who takes part        (several exchanges ...)
 *   gpu_exchange_place                        memory for all
 *   gpu_exchange_write                        before the barrier
 *   gpu_exchange_meet                         the barrier, or wait  (... with one of them)
 *   gpu_exchange_word, gpu_exchange_read      after it
 *
 * One barrier is enough, and where all warps write words are sent and awaited instead of blocks of a
 * cluster meeting at one: shared.c says why. */
#ifndef CODEGEN_GPU_EXCHANGE_H
#define CODEGEN_GPU_EXCHANGE_H

#include "codegen/gpu/gpu.h"

struct gpu_named_digit {
    struct gpu_digit digit;
    uint32_t weight; /* of the digit in the number of the group or part */
};

#define GPU_MAX_NAMED (IR_MAX_AXES * GPU_MAX_DIGITS)

/* Starts as {.parts = 1, .groups = 1}, with `words` set before it is placed. */
struct gpu_exchange {
    struct gpu_named_digit kept[GPU_MAX_NAMED], across[GPU_MAX_NAMED];
    uint32_t kept_count, across_count;
    uint32_t groups, parts, words;
    bool scattered;  /* parts are read at places that differ between lanes: rows are padded */
    bool of_cluster; /* parts come from several blocks */
    const struct ir_node
        *reduction;         /* for it every part of every group is written; NULL: maybe not */
    struct gpu_mailbox box; /* words are sent there; no mbarrier: there is a barrier */
    LLVMValueRef base;      /* i32: the offset of this thread's group */
    LLVMValueRef *read;
};

/* Slots for each value of the lane and warp digits of these axes. */
void gpu_exchange_keep(struct gen *g, struct gpu_exchange *x, axis_set axes);
void gpu_exchange_keep_digit(struct gpu_exchange *x, const struct gpu_digit *d);
/* The digit's values are parts: the next faster digit of the part's number. */
void gpu_exchange_across(struct gpu_exchange *x, const struct gpu_digit *d);
/* The digit's threads belong to the group, but add no parts: one of them writes. */
void gpu_exchange_among(struct gpu_exchange *x, const struct gpu_digit *d);

/* i32: what the lane digits of these axes, but one, make of the lane's number. */
LLVMValueRef gpu_other_lanes(struct gen *g, axis_set axes, const struct gpu_digit *but);

void gpu_exchange_place(struct gen *g, struct gpu_exchange **all, uint32_t count);

/* i1: this thread is the one among copies that writes; NULL: there are no copies. */
LLVMValueRef gpu_exchange_writer(struct gen *g, const struct gpu_exchange *x);
/* i32: the part of this thread. */
LLVMValueRef gpu_exchange_part(struct gen *g, const struct gpu_exchange *x);
/* Writes x->words words as a part (i32) to all blocks of the group. guard: gpu_exchange_writer's
 * or less. */
void gpu_exchange_write(struct gen *g, struct gpu_exchange *x, LLVMValueRef part,
                        LLVMValueRef *words, LLVMValueRef guard);
void gpu_exchange_meet(struct gen *g, struct gpu_exchange **all, uint32_t count);
LLVMValueRef gpu_exchange_word(struct gen *g, struct gpu_exchange *x, uint32_t part, uint32_t word);
/* The words of a part (i32) that is known at run time only. */
void gpu_exchange_read(struct gen *g, struct gpu_exchange *x, LLVMValueRef part,
                       LLVMValueRef *words);

#endif
