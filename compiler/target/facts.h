/* What passes may ask about a target: numbers and booleans, never its name. */
#ifndef TARGET_FACTS_H
#define TARGET_FACTS_H

#include <stdbool.h>
#include <stdint.h>

struct facts {
    uint32_t lanes;        /* threads that shuffle among themselves; 1: a CPU */
    uint32_t vector_bytes; /* widest vector register (CPU) or memory access (GPU: 16) */
    uint32_t registers;    /* 32-bit registers a thread may have; 0: not a limit */
    uint32_t shared_bytes; /* shared memory a block may have; 0: none */
    uint32_t max_tile;     /* elements one tile may hold */
    bool has_bf16_math;    /* bf16 arithmetic in hardware */

    /* GPUs only; 0 on a CPU. */
    uint32_t cc;               /* compute capability: 90 is 9.0 */
    uint32_t block_threads;    /* most threads of a block */
    uint32_t block_registers;  /* registers that the blocks of a multiprocessor share */
    uint32_t resident;         /* most threads that a multiprocessor holds */
    uint32_t cluster;          /* most blocks of a cluster; 1: no clusters */
    uint32_t bandwidth;        /* GB/s of the memory, by the data sheet of a usual board */
    bool has_async_copy;       /* copies from global to shared memory that do not wait */
    bool has_dependent_launch; /* a kernel may start before the one before it has ended */
};

#endif
