/* Poison: registers that hold nothing, and what must not depend on them.
 *
 * A lane outside a range computes too: with whatever its registers hold. That is fine as long as
 * nothing of it is seen, so the emulator's code computes beside every value which of its bits are
 * poison, the shadow (as LLVM's memory sanitizer does). Poison comes from loads that do not take place,
 * from elements of a vector that do not exist, and from registers that nothing was written to. It
 * goes through arithmetic, shuffles and shared memory, and ends where a select or an `and` leaves it
 * out. Stores, branches, addresses, guards and checks may not depend on it.
 *
 *   poison.c   which values, in which order, who is asked about them
 *   shadow.c   the shadow of an instruction
 *
 * Values that poison cannot reach have no shadow and cost nothing. */
#ifndef TARGET_SIMT_POISON_H
#define TARGET_SIMT_POISON_H

#include "target/simt/simt.h"

struct shadowed {
    LLVMValueRef value, shadow; /* shadow NULL: not made yet */
};

/* In the module arena. */
struct poison {
    struct lane_emit *e;
    struct shadowed *table; /* open addressing */
    uint32_t capacity;      /* a power of two */
};

/* NULL: poison cannot reach it. */
struct shadowed *poison_find(const struct poison *p, LLVMValueRef v);
/* Is this the place in the thread's record through which values travel? */
bool poison_is_value(const struct poison *p, LLVMValueRef pointer);

/* ---- shadow.c: of an integer one as wide, a set bit is poison; of anything else one bit ---------- */

/* Of a value used somewhere: null if it is clean. */
LLVMValueRef shadow_of(const struct poison *p, LLVMValueRef v);
LLVMTypeRef shadow_type(const struct poison *p, LLVMTypeRef type);
/* As wide as the value, whatever its type. */
LLVMValueRef shadow_bits(const struct poison *p, LLVMValueRef v);
/* i1: a bit of it is set. */
LLVMValueRef shadow_any(const struct poison *p, LLVMValueRef shadow);
/* Built at the builder's place, from the shadows of the operands. Not of phis. */
LLVMValueRef shadow_make(const struct poison *p, LLVMValueRef instruction);

#endif
