/* Lanes: what the GPU lowering asks of a target. Each hook builds LLVM IR at the builder's place;
 * that IR is the code of one thread of a block. nvptx answers with instructions, simt with calls
 * into its emulator. Everything above the hooks is the same for both.
 *
 * Words are i32. Memory types are scalars or vectors of LLVM's integer types and float; 16-bit floats
 * are i16, or i32 words of two. Shared memory is addressed by its byte offset, an i32. */
#ifndef TARGET_LANE_H
#define TARGET_LANE_H

#include "ir/ir.h"

#include <llvm-c/Types.h>

struct target_machine;

/* The function being built. Made by codegen, passed to every hook. */
struct lane_emit {
    struct session *s;
    const struct ir_func *f;
    const struct target_machine *target;
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef b;
    LLVMValueRef entry;
    struct span at; /* what the code comes from */
    void *state;    /* the target's own; in the module arena */
};

/* What the target must know of a kernel before there is code. */
struct lane_kernel {
    const char *name;
    uint32_t slots;         /* 64-bit parameters, as struct ldsl_slot of the artifact says */
    uint32_t threads;       /* of a block */
    uint32_t cluster;       /* blocks of a cluster; 1: none */
    uint32_t blocks_per_sm; /* that the registers must leave room for; 0: no wish */
    uint32_t max_registers; /* of a thread; 0: no wish */
};

/* A read or write of global memory: one vector of up to 16 bytes. */
struct lane_access {
    LLVMTypeRef type;     /* of the value */
    LLVMValueRef address; /* i64 */
    LLVMValueRef guard;   /* i1: takes place; NULL: always */
    LLVMValueRef exists;  /* loads, copies, i32: bit i: element i of the vector is used; NULL: all.
                             For targets that check; others may ignore it */
    LLVMValueRef valid;   /* copy_async, i32: bytes that are read, the rest become 0; NULL: all */
    uint32_t align;       /* proven alignment of the address, bytes */
    uint8_t tensor;       /* number in ir_func.tensors */
    bool constant;        /* a read of what this kernel never writes */
    bool keep;            /* to be kept in the L2 cache: it is read again */
    bool stream;          /* not to be kept */
};

enum lane_function {
    LANE_EX2, /* 2^x */
    LANE_LG2,
    LANE_RCP,
    LANE_RSQRT,
    LANE_SQRT,
    LANE_TANH,
    LANE_SIN, /* for |x| <= pi only */
    LANE_COS
};

struct lane_hooks {
    /* Declares the function (e->entry) with an entry block for allocas, puts the builder into an
     * empty body block. end: builds the return, and whatever goes into the module's tail. */
    void (*begin)(struct lane_emit *e, const struct lane_kernel *k);
    void (*end)(struct lane_emit *e, uint32_t shared_bytes);
    LLVMValueRef (*slot)(struct lane_emit *e, uint32_t number); /* i64; in the body's first block */

    /* What a tensor spans, for targets that check; NULL: no interest. Called for every tensor, at the
     * top of the body and so before any access. dims and strides: i64, one per dim. */
    void (*tensor)(struct lane_emit *e, uint8_t tensor, LLVMValueRef base, LLVMValueRef const *dims,
                   LLVMValueRef const *strides);

    /* Place: all i32 but block, which is i64. */
    LLVMValueRef (*thread)(struct lane_emit *e); /* 0 .. threads - 1; lane: its low bits */
    LLVMValueRef (*block)(struct lane_emit *e);  /* number of the program: cluster, if there are */
    LLVMValueRef (*rank)(struct lane_emit *e);   /* of the block in its cluster */

    /* Among the lanes of a warp, all of which take part. Words. */
    LLVMValueRef (*shuffle_xor)(struct lane_emit *e, LLVMValueRef word, uint32_t mask);
    LLVMValueRef (*shuffle_up)(struct lane_emit *e, LLVMValueRef word, uint32_t delta);
    LLVMValueRef (*shuffle_from)(struct lane_emit *e, LLVMValueRef word, LLVMValueRef lane);

    /* All threads of the block, or of the cluster, arrive; what they wrote before is seen after. */
    void (*barrier)(struct lane_emit *e);
    void (*cluster_barrier)(struct lane_emit *e);
    /* All threads of the cluster arrive, and so have begun; says nothing about what they wrote. */
    void (*cluster_meet)(struct lane_emit *e);

    /* Shared memory. rank NULL: of the own block. Vectors up to 16 bytes, naturally aligned. */
    LLVMValueRef (*shared_load)(struct lane_emit *e, LLVMTypeRef type, LLVMValueRef offset,
                                LLVMValueRef guard);
    void (*shared_store)(struct lane_emit *e, LLVMValueRef value, LLVMValueRef offset,
                         LLVMValueRef guard, LLVMValueRef rank);

    /* Words sent to blocks of the cluster, or within the block, with no barrier: where they arrive, they
     * count towards the phase of an mbarrier there, 8 bytes of shared memory. A phase has ended when all
     * it expects have come, some of them maybe before they were expected. Rank and guard as above.
     *   create   by one thread, before the cluster (or block) first meets. sends: of each phase
     *   expect   by one thread for each phase. bytes: of all its sends
     *   await    by all threads: until the phase of that parity (i32: 0 for the first) has ended; then
     *            what came is seen
     * Only if facts.cluster > 1. */
    void (*mbarrier_create)(struct lane_emit *e, LLVMValueRef offset, uint32_t sends,
                            LLVMValueRef guard);
    void (*mbarrier_expect)(struct lane_emit *e, LLVMValueRef offset, uint32_t bytes,
                            LLVMValueRef guard);
    void (*mbarrier_await)(struct lane_emit *e, LLVMValueRef offset, LLVMValueRef parity);
    void (*send)(struct lane_emit *e, LLVMValueRef value, LLVMValueRef offset, LLVMValueRef guard,
                 LLVMValueRef rank, LLVMValueRef mbarrier);

    /* Global memory. A load that does not take place gives zero bits, on which nothing that is seen may
     * depend: simt tells. */
    LLVMValueRef (*load)(struct lane_emit *e, const struct lane_access *a);
    void (*store)(struct lane_emit *e, const struct lane_access *a, LLVMValueRef value);
    /* Combines into memory, relaxed. Of 32 or 64 bits; kinds SUM MAX MIN FMAX FMIN, and for integers
     * ANY ALL. False if the target cannot. */
    bool (*atomic)(struct lane_emit *e, const struct lane_access *a, enum ir_kind kind,
                   enum ir_elem elem, LLVMValueRef value);

    /* Copies 4, 8 or 16 bytes from global memory to shared memory at offset + fixed (zeros if the
     * guard is false) without waiting. commit closes a group; wait returns when all but the `pending` newest groups
     * of this thread have arrived. Only if facts.has_async_copy. */
    void (*copy_async)(struct lane_emit *e, const struct lane_access *from, LLVMValueRef offset,
                       uint32_t fixed, uint32_t bytes);
    void (*commit)(struct lane_emit *e);
    void (*wait)(struct lane_emit *e, uint32_t pending);

    /* The same word, opaque to the optimiser: what is computed from it is computed anew. fixed: it
     * must not leave the loop it stands in. */
    LLVMValueRef (*pin)(struct lane_emit *e, LLVMValueRef word, bool fixed);

    /* i1: false, which no optimiser knows. A branch by it back to some code keeps that code where it is. */
    LLVMValueRef (*never)(struct lane_emit *e);

    /* f32 functions of the hardware; NULL: there is none, compute it. Errors: docs/targets.md. */
    LLVMValueRef (*function)(struct lane_emit *e, enum lane_function f, LLVMValueRef x);
    /* f32 division as good as the other functions; NULL: only the rounded one. */
    LLVMValueRef (*divide)(struct lane_emit *e, LLVMValueRef x, LLVMValueRef y);
    /* x * y + z of f16 or bf16 (i16), rounded once. NULL: none. */
    LLVMValueRef (*fused)(struct lane_emit *e, enum ir_elem elem, LLVMValueRef x, LLVMValueRef y,
                          LLVMValueRef z);
    /* Two f32 rounded to nearest even as f16 or bf16: low half, high half of a word. NULL: none. */
    LLVMValueRef (*narrow)(struct lane_emit *e, enum ir_elem to, LLVMValueRef low,
                           LLVMValueRef high);

    /* The kernels after this one in the stream may start; waits until those before have ended.
     * Only if facts.has_dependent_launch. */
    void (*release_dependents)(struct lane_emit *e);
    void (*await_dependencies)(struct lane_emit *e);

    /* A thread for which `test` (i1) is false has found `text` to be untrue. */
    void (*check)(struct lane_emit *e, LLVMValueRef test, const char *text);

    /* By how many elements a digit of a layout moves, or by how many bytes a row of a tile in shared
     * memory is padded: `stride`, unless the target has a fault to be found. Called once for each.
     * NULL: it has none. */
    uint32_t (*basis)(struct lane_emit *e, uint32_t stride);
};

#endif
