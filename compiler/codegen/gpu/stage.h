/* Stages: where the loads of a sweep's rounds get their data.
 *
 * Every thread fetches what it will itself use, so no barrier is needed. The loads of one round fill
 * a slot of shared memory; a ring takes slots in turn, a few rounds ahead of their use; a hold keeps
 * the first rounds of a row in registers and slots, for the sweeps that read the row again. */
#ifndef CODEGEN_GPU_STAGE_H
#define CODEGEN_GPU_STAGE_H

#include "codegen/gpu/gpu.h"

enum { GPU_SHARED_RESERVE = 2048 }; /* bytes of shared memory left for reductions */

/* A load of the sweep's body. */
struct gpu_staged {
    const struct ir_node *node;
    uint32_t vectors;    /* of a thread in a round */
    uint32_t bytes;      /* of a vector */
    uint32_t offset;     /* in a slot: of the block's vectors */
    bool held;           /* by an earlier sweep */
    LLVMValueRef **kept; /* by round: vectors in registers */
};

struct gpu_stage {
    VEC(struct gpu_staged) loads;
    uint8_t axis;
    const struct ir_value *lo, *hi; /* of the sweep */
    uint32_t rounds_in_registers, slots;
    bool ring; /* slots are used again */
    uint32_t slot_bytes, base;
    /* While a round is emitted: */
    LLVMValueRef slot; /* i32: where its slot begins; NULL: not from a slot */
    int round;         /* whose registers; -1: none */
};

/* What this sweep should fetch or has at hand; NULL: nothing. `again`: an earlier sweep fetched. */
struct gpu_stage *gpu_stage_open(struct gen *g, struct ir_node *sweep, bool *again);

/* Fetches the round that the axis is placed at into a slot. */
void gpu_stage_fetch(struct gen *g, struct gpu_stage *s, LLVMValueRef slot);
/* Loads it into registers. */
void gpu_stage_keep(struct gen *g, struct gpu_stage *s, uint32_t round);

/* May the load's vectors be copied without waiting? Then how many of what size. */
bool gpu_stage_describe(struct gen *g, const struct ir_node *n, struct gpu_staged *out);
/* Bytes of shared memory that one round of the load takes. */
uint64_t gpu_stage_bytes(struct gen *g, const struct gpu_staged *x);
/* Bytes of shared memory that a sweep's ring should have, by the schedule. */
uint64_t gpu_stage_ring_bytes(struct gen *g, const struct ir_node *sweep);
/* The stage's load; NULL: it has none of the node. */
const struct gpu_staged *gpu_stage_find(const struct gpu_stage *s, const struct ir_node *n);
/* The load's address without where it is, and vector k of what lies in a slot. */
struct gpu_address gpu_stage_shape(struct gen *g, const struct gpu_staged *x);
LLVMValueRef gpu_stage_read(struct gen *g, const struct gpu_stage *s, const struct gpu_staged *x,
                            const struct gpu_address *shape, LLVMValueRef slot, uint32_t k);

#endif
