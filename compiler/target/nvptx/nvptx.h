/* nvptx: NVIDIA GPUs, as PTX text that the driver turns into machine code. What the files of this
 * folder share.
 *
 *   target.c  processors, facts            kernel.c    functions, threads, barriers
 *   asm.c     inline assembly              memory.c    global and shared memory
 *   math.c    functions of the hardware
 *
 * What LLVM has an instruction for is left to LLVM. The rest is inline assembly: LLVM 19 ends the
 * process when it meets an operation that it cannot select (fences, llvm.exp, ...), so none of those
 * is ever built. */
#ifndef NVPTX_NVPTX_H
#define NVPTX_NVPTX_H

#include "support/session.h"
#include "target/lane.h"

#include <llvm-c/Core.h>
#include <string.h>

/* Of the function being built: lane_emit.state. */
struct nvptx {
    struct lane_kernel kernel;
    LLVMValueRef shared; /* the array of all shared memory; NULL: not used so far */
    LLVMValueRef keep;   /* i64: the policy of accesses to be kept in the L2 cache, or NULL */
    LLVMValueRef one;    /* i32: 1, which ptxas does not know; or NULL */
};

static inline struct nvptx *nvptx_of(struct lane_emit *e)
{
    return e->state;
}

/* What LLVM must assume of an assembly text. */
enum nvptx_effect {
    NVPTX_PURE,   /* a function of its operands: may be dropped, merged, moved */
    NVPTX_OPAQUE, /* no effect, but its result is unlike any other's */
    NVPTX_FIXED,  /* as opaque, and stays where it is */
    NVPTX_MEMORY, /* reads or writes memory */
    NVPTX_MEETING /* memory, and all threads of the warp come together here */
};

/* One assembly text with operands $0, $1, ...: results first. result NULL: none. */
LLVMValueRef nvptx_asm(struct lane_emit *e, enum nvptx_effect effect, LLVMTypeRef result,
                       const char *text, const char *constraints, LLVMValueRef *args,
                       unsigned count);

LLVMValueRef nvptx_intrinsic(struct lane_emit *e, const char *name, LLVMValueRef *args,
                             unsigned count);

static inline LLVMValueRef nvptx_word(struct lane_emit *e, int64_t value)
{
    return LLVMConstInt(LLVMInt32TypeInContext(e->context), (unsigned long long)value, true);
}

/* ---- the hooks, by file ------------------------------------------------------------------------ */

/* asm.c: i32: 1, which ptxas does not know. */
LLVMValueRef nvptx_opaque_one(struct lane_emit *e);
LLVMValueRef nvptx_never(struct lane_emit *e);
/* asm.c: a word that an assembly text makes from nothing, at the entry, where all of the kernel sees it. */
LLVMValueRef nvptx_at_entry(struct lane_emit *e, LLVMTypeRef type, const char *text,
                            const char *constraint);

/* kernel.c */
void nvptx_begin(struct lane_emit *e, const struct lane_kernel *k);
void nvptx_end(struct lane_emit *e, uint32_t shared_bytes);
LLVMValueRef nvptx_slot(struct lane_emit *e, uint32_t number);
LLVMValueRef nvptx_thread(struct lane_emit *e);
LLVMValueRef nvptx_block(struct lane_emit *e);
LLVMValueRef nvptx_rank(struct lane_emit *e);
LLVMValueRef nvptx_shuffle_xor(struct lane_emit *e, LLVMValueRef word, uint32_t mask);
LLVMValueRef nvptx_shuffle_up(struct lane_emit *e, LLVMValueRef word, uint32_t delta);
LLVMValueRef nvptx_shuffle_from(struct lane_emit *e, LLVMValueRef word, LLVMValueRef lane);
void nvptx_barrier(struct lane_emit *e);
void nvptx_cluster_barrier(struct lane_emit *e);
void nvptx_cluster_meet(struct lane_emit *e);
void nvptx_release_dependents(struct lane_emit *e);
void nvptx_await_dependencies(struct lane_emit *e);
void nvptx_check(struct lane_emit *e, LLVMValueRef test, const char *text);

/* memory.c */
LLVMValueRef nvptx_shared_load(struct lane_emit *e, LLVMTypeRef type, LLVMValueRef offset,
                               LLVMValueRef guard);
void nvptx_shared_store(struct lane_emit *e, LLVMValueRef value, LLVMValueRef offset,
                        LLVMValueRef guard, LLVMValueRef rank);
void nvptx_mbarrier_create(struct lane_emit *e, LLVMValueRef offset, uint32_t sends,
                           LLVMValueRef guard);
void nvptx_mbarrier_expect(struct lane_emit *e, LLVMValueRef offset, uint32_t bytes,
                           LLVMValueRef guard);
void nvptx_mbarrier_await(struct lane_emit *e, LLVMValueRef offset, LLVMValueRef parity);
void nvptx_send(struct lane_emit *e, LLVMValueRef value, LLVMValueRef offset, LLVMValueRef guard,
                LLVMValueRef rank, LLVMValueRef mbarrier);
LLVMValueRef nvptx_load(struct lane_emit *e, const struct lane_access *a);
void nvptx_store(struct lane_emit *e, const struct lane_access *a, LLVMValueRef value);
bool nvptx_atomic(struct lane_emit *e, const struct lane_access *a, enum ir_kind kind,
                  enum ir_elem elem, LLVMValueRef value);
void nvptx_copy_async(struct lane_emit *e, const struct lane_access *from, LLVMValueRef offset,
                      uint32_t fixed, uint32_t bytes);
void nvptx_commit(struct lane_emit *e);
void nvptx_wait(struct lane_emit *e, uint32_t pending);

/* math.c */
LLVMValueRef nvptx_pin(struct lane_emit *e, LLVMValueRef word, bool fixed);
LLVMValueRef nvptx_function(struct lane_emit *e, enum lane_function f, LLVMValueRef x);
LLVMValueRef nvptx_divide(struct lane_emit *e, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef nvptx_narrow(struct lane_emit *e, enum ir_elem to, LLVMValueRef low,
                          LLVMValueRef high);
LLVMValueRef nvptx_fused(struct lane_emit *e, enum ir_elem elem, LLVMValueRef x, LLVMValueRef y,
                         LLVMValueRef z);

#endif
