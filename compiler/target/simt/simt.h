/* The emulator as a target: hooks that call what include/ldsl/simt.h lists.
 *
 *   target.c   the record, processors      memory.c    loads, stores, copies
 *   thread.c   a thread as a coroutine     function.c  functions of the hardware
 *   call.c     calls and their sites         poison.c, shadow.c   registers that hold nothing
 *
 * A thread is a coroutine of LLVM's: it suspends where it waits for others, and what lives on is in
 * its frame. So threads need no stacks, and no switching that a machine or a sanitizer must know. */
#ifndef TARGET_SIMT_SIMT_H
#define TARGET_SIMT_SIMT_H

#include "target/lane.h"
#include "target/target.h"

#include <ldsl/simt.h>
#include <llvm-c/Core.h>
#include <stddef.h>

/* What a faulty emulator leaves out, so that tests see whether the checks have teeth. */
enum simt_fault {
    SIMT_FAULT_NONE,
    SIMT_BARRIER,
    SIMT_GUARD,
    SIMT_PROBE, /* of a guard: not left out, but fails where it is false */
    SIMT_SELECT,
    SIMT_SELECTED, /* of a select: likewise */
    SIMT_SHUFFLE,
    SIMT_AWAIT,
    SIMT_COMMIT,
    SIMT_WAIT,
    SIMT_BASIS, /* of a layout: a digit, or a pad, that moves nothing */
    SIMT_DIGIT  /* of the thread's number */
};

/* A constant in the image: a text, or what a call's site says. */
struct simt_constant {
    const char *text; /* by address */
    struct ldsl_simt_site site;
    LLVMValueRef value;
};

/* lane_emit.state */
struct simt_emit {
    LLVMTypeRef i1, i8, i32, i64, ptr, nothing;
    LLVMValueRef slots, thread, frame;
    LLVMBasicBlockRef allocas, cleanup, suspended;
    VEC(struct simt_constant) texts;
    VEC(struct simt_constant) sites;
    enum simt_fault fault;
    uint32_t fault_number;    /* which one, from 0; of a digit: the bit */
    uint32_t met[SIMT_DIGIT]; /* of each kind so far */
};

struct simt_emit *simt(struct lane_emit *e);
/* The one that the fault leaves out? Counts. */
bool simt_is_left_out(struct lane_emit *e, enum simt_fault kind);
/* "sm_90a,barrier=2": the fault. False: no such fault. */
bool simt_parse_fault(const char *cpu, enum simt_fault *fault, uint32_t *number);

/* ---- call.c ------------------------------------------------------------------------------------ */

LLVMValueRef simt_int(struct lane_emit *e, LLVMTypeRef type, uint64_t value);
/* Calls calls->(function at that offset)(t, args ...). */
#define SIMT_CALL(e, name, args, count)                                                            \
    simt_call(e, offsetof(struct ldsl_simt_calls, name), NULL, args, count)
LLVMValueRef simt_call(struct lane_emit *e, size_t function, LLVMTypeRef result,
                       const LLVMValueRef *args, uint32_t count);
/* A constant in the image; path, line (if 0) and column are those of e->at. own: not shared with calls that
 * say the same: where threads wait for each other. */
LLVMValueRef simt_site(struct lane_emit *e, const struct ldsl_simt_site *site, bool own);
/* A field of struct ldsl_simt_thread. */
LLVMValueRef simt_get(struct lane_emit *e, size_t offset, LLVMTypeRef type);
void simt_set(struct lane_emit *e, size_t offset, LLVMValueRef value);

/* ---- the hooks, by file ------------------------------------------------------------------------ */

extern const struct lane_hooks simt_hooks;

/* thread.c */
void simt_begin(struct lane_emit *e, const struct lane_kernel *k);
void simt_end(struct lane_emit *e, uint32_t shared_bytes);
LLVMValueRef simt_slot(struct lane_emit *e, uint32_t number);
LLVMValueRef simt_thread(struct lane_emit *e);
LLVMValueRef simt_block(struct lane_emit *e);
LLVMValueRef simt_rank(struct lane_emit *e);
LLVMValueRef simt_shuffle_xor(struct lane_emit *e, LLVMValueRef word, uint32_t mask);
LLVMValueRef simt_shuffle_up(struct lane_emit *e, LLVMValueRef word, uint32_t delta);
LLVMValueRef simt_shuffle_from(struct lane_emit *e, LLVMValueRef word, LLVMValueRef lane);
void simt_barrier(struct lane_emit *e);
void simt_cluster_barrier(struct lane_emit *e);
void simt_cluster_meet(struct lane_emit *e);
void simt_release_dependents(struct lane_emit *e);
void simt_await_dependencies(struct lane_emit *e);
void simt_mbarrier_await(struct lane_emit *e, LLVMValueRef offset, LLVMValueRef parity);
void simt_check(struct lane_emit *e, LLVMValueRef test, const char *text);
uint32_t simt_basis(struct lane_emit *e, uint32_t stride);

/* memory.c */
void simt_tensor(struct lane_emit *e, uint8_t tensor, LLVMValueRef base, LLVMValueRef const *dims,
                 LLVMValueRef const *strides);
LLVMValueRef simt_shared_load(struct lane_emit *e, LLVMTypeRef type, LLVMValueRef offset,
                              LLVMValueRef guard);
void simt_shared_store(struct lane_emit *e, LLVMValueRef value, LLVMValueRef offset,
                       LLVMValueRef guard, LLVMValueRef rank);
void simt_mbarrier_create(struct lane_emit *e, LLVMValueRef offset, uint32_t sends,
                          LLVMValueRef guard);
void simt_mbarrier_expect(struct lane_emit *e, LLVMValueRef offset, uint32_t bytes,
                          LLVMValueRef guard);
void simt_send(struct lane_emit *e, LLVMValueRef value, LLVMValueRef offset, LLVMValueRef guard,
               LLVMValueRef rank, LLVMValueRef mbarrier);
LLVMValueRef simt_load(struct lane_emit *e, const struct lane_access *a);
void simt_store(struct lane_emit *e, const struct lane_access *a, LLVMValueRef value);
bool simt_atomic(struct lane_emit *e, const struct lane_access *a, enum ir_kind kind,
                 enum ir_elem elem, LLVMValueRef value);
void simt_copy_async(struct lane_emit *e, const struct lane_access *from, LLVMValueRef offset,
                     uint32_t fixed, uint32_t bytes);
void simt_commit(struct lane_emit *e);
void simt_wait(struct lane_emit *e, uint32_t pending);

/* poison.c: when all of the thread's code is there. */
void simt_add_poison(struct lane_emit *e);

/* function.c */
LLVMValueRef simt_pin(struct lane_emit *e, LLVMValueRef word, bool fixed);
LLVMValueRef simt_never(struct lane_emit *e);
LLVMValueRef simt_function(struct lane_emit *e, enum lane_function f, LLVMValueRef x);
LLVMValueRef simt_narrow(struct lane_emit *e, enum ir_elem to, LLVMValueRef low, LLVMValueRef high);

#endif
