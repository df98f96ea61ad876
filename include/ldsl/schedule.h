/* Schedule values: how a kernel is mapped to a GPU, chosen without touching its source.
 *
 * Every kernel takes all of them. A kernel's own `tune` block may list one of these names: it then has
 * only the choices listed, and a default. One that nobody sets is the compiler's choice. On the CPU
 * they mean nothing: they are accepted, and change neither the code nor its name in a cache.
 *
 * The one list for the compiler, the runtime and the tuner. `tries` is what the tuner tries, in this
 * order, where the kernel lists no choices of its own. */
#ifndef LDSL_SCHEDULE_H
#define LDSL_SCHEDULE_H

/* clang-format off */
/*    name            least  most    tries                              meaning */
#define LDSL_SCHEDULE_LIST(X) \
    X(num_warps,      1,     32,     "1 2 4 8 16 3 5 6 7 10 12 14 24 32", "warps of a block") \
    X(cluster,        1,     16,     "1 2 4",                           "blocks that share a program") \
    X(vector,         1,     16,     "16 8",                            "bytes of the widest access") \
    X(blocks_per_sm,  0,     32,     "1 2 3 4 6 8",                     "blocks meant to be resident on a multiprocessor; 0: as many as fit") \
    X(max_registers,  0,     255,    "40 64 96 128 168",                "registers of a thread at most; 0: no limit") \
    X(hold,           0,     4096,   "0 64 96 128 160 192 224 256 320 416", "bytes a thread keeps in shared memory of a swept row that is read again") \
    X(hold_registers, 0,     64,     "0 2 4 6 8 12",                    "vectors a thread keeps in registers of a swept row that is read again") \
    X(stages,         0,     16,     "0 2 3 4",                         "depth of the ring that loads of a loop go through; 0: no ring") \
    X(in_shared,      0,     3,      "0 1 2 3",                         "rows that are used again after a reduction wait in shared memory; 2: sums over rounds are formed last; 3: or while words are under way") \
    X(evict_last,     0,     1,      "0 1",                             "reads ask to stay in the L2 cache") \
    X(early_weights,  0,     1,      "0 1",                             "loads that do not depend on a reduction move up before it") \
    X(convert,        0,     1,      "0 1",                             "accesses across each other have layouts of their own, values go through shared memory")
/* clang-format on */

#endif
