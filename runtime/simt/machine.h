/* The inside of the emulator.
 *
 *   device.c    the table of functions        thread.c    running, shuffles, barriers
 *   machine.c   what a program runs on        report.c    what fails
 *   touch.c     who touched a byte when       global.c    tensors
 *   shared.c    shared memory, async copies,  overlap.c   the launch before
 *               mbarriers
 *   poison.c    registers that hold nothing
 *
 * A machine runs one program (a cluster of blocks) after another on one host thread. Its clock counts
 * barriers: two touches of a byte are in order if a barrier of both threads lies between them. Words
 * that are awaited put shared memory in order as a barrier does: all threads have sent theirs. */
#ifndef SIMT_MACHINE_H
#define SIMT_MACHINE_H

#include <ldsl/artifact.h>
#include <ldsl/diag.h>
#include <ldsl/simt.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>

#define SIMT_LANES    32
#define SIMT_MAX_RANK 8
#define SIMT_TENSORS  256

/* ---- a launch ---------------------------------------------------------------------------------- */

typedef void simt_entry(const uint64_t *slots, struct ldsl_simt_thread *t);
typedef void simt_resume(void *frame);

struct simt_kernel {
    simt_entry *entry;
    simt_resume *resume;
    struct ldsl_kernel_info info;
};

/* The first failure of the lowest program. */
struct failure {
    uint64_t count, program;
    char path[256], text[512];
    uint32_t line;
};

struct simt_touches;

/* A tensor of the launch, known once the first thread has told. Then constant. */
struct simt_tensor {
    bool known, checked;  /* checked: its elements can be told from other addresses */
    bool packed, written; /* written: it is no input */
    const struct ldsl_simt_site *output; /* of a tensor that holds nothing before; else NULL */
    uint64_t base;
    uint32_t rank, element; /* bytes */
    int64_t dims[SIMT_MAX_RANK], strides[SIMT_MAX_RANK];
    uint8_t order[SIMT_MAX_RANK]; /* dims, the largest stride first */
    uint64_t count;               /* elements from the first to the last address */
    uint32_t memory;              /* number of the first tensor with the same base */
    struct simt_touches *touches; /* of that one: if the kernel writes it; one an element */
    uint64_t touch_count;
};

/* The tensors of a launch that the next one may overlap. */
struct simt_past {
    struct simt_tensor *tensors;
    uint32_t count;
};

#define SIMT_LOCKS 64

struct simt_launch {
    const struct simt_kernel *kernel;
    const uint64_t *slots;
    const struct ldsl_sink *sink;
    pthread_mutex_t lock;              /* over tensors' making and the failure */
    pthread_mutex_t locks[SIMT_LOCKS]; /* over the bytes of global memory */
    struct simt_tensor *tensors;       /* SIMT_TENSORS */
    struct failure failure;
    bool out_of_memory;
    struct simt_past before; /* overlap.c */
};

/* ---- threads, blocks --------------------------------------------------------------------------- */

enum state {
    SIMT_RUNS,
    SIMT_SHUFFLES,
    SIMT_WAITS,
    SIMT_WAITS_CLUSTER,
    SIMT_AWAITS, /* words, at an mbarrier */
    SIMT_ENDED
};

struct copy {
    const struct ldsl_simt_site *site;
    const void *from; /* NULL: zeros */
    uint32_t used;    /* bit i: element i was read; the last bit stands for all that follow */
    uint32_t offset, group;
    uint8_t data[16], poison[16];
};

struct thread {
    struct ldsl_simt_thread given; /* first: what the kernel sees */
    struct machine *m;
    struct block *block;
    void *frame;
    enum state state;
    const struct ldsl_simt_site *site; /* where it waits */
    uint32_t by;                       /* shuffles: mask, distance, lane; mbarriers: parity */
    uint32_t mbarrier;                 /* its offset */
    bool started, awaited;
    struct copy *copies;
    uint32_t copy_count, copy_capacity, group;
};

/* What was done before comes before what the block's threads do next: by themselves, by all of the
 * cluster. */
struct order {
    uint32_t block, cluster; /* times */
};

struct block {
    struct thread *threads;
    uint32_t rank, waiting, ended;
    struct order global_order, shared_order; /* of accesses to either memory */
    uint32_t reached_time;                   /* of the last access from another block */
    bool reached;
    uint8_t *shared, *poison; /* bits of the bytes that hold nothing */
    struct touch *touches;    /* one a byte */
};

struct machine {
    struct simt_launch *launch;
    struct block *blocks;
    uint32_t cluster, block_threads, shared_bytes;
    uint64_t program;
    uint32_t clock, start_time;
    uint32_t cluster_barriers; /* of this program */
    size_t frame_bytes;
    uint8_t *frames;
    jmp_buf *no_memory; /* where a program goes for which there is none */
};

/* NULL: out of memory. */
struct machine *machine_create(struct simt_launch *launch);
void machine_destroy(struct machine *m);
void machine_run(struct machine *m, uint64_t program); /* thread.c */

extern const struct ldsl_simt_calls simt_calls;

static inline struct thread *thread_of(struct ldsl_simt_thread *t)
{
    return (struct thread *)(void *)t;
}

/* ---- touch.c ----------------------------------------------------------------------------------- */

/* Who wrote a byte or element last and who read it since, and when. */
struct touch {
    uint32_t write_time, read_time; /* 0: never */
    uint16_t writer, reader;        /* touch_name; TOUCH_MANY, TOUCH_MANY_OF */
    bool atomic;                    /* the write */
    bool pending;                   /* the write is an asynchronous copy on its way */
    bool mbarrier;                  /* the write has made one here */
};
#define TOUCH_MANY 0xffff

#define TOUCH_MANY_OF 0x8000 /* | rank: several threads of that block */

/* rank * threads of a block + thread. */
uint16_t touch_name(const struct thread *t);
/* Is what the thread of that name did at that time in order with what t does now? */
bool touch_in_order(const struct thread *t, const struct order *order, uint16_t name,
                    uint32_t time);
/* The other thread's name if there is a race, else TOUCH_NONE. They also take note. */
#define TOUCH_NONE UINT32_MAX
uint32_t touch_read(struct touch *b, const struct thread *t, const struct order *order);
uint32_t touch_write(struct touch *b, const struct thread *t, const struct order *order,
                     bool atomic);

/* ---- poison.c ---------------------------------------------------------------------------------- */

/* What travels holds nothing, or all of it holds something. */
void poison_set(struct thread *t, bool poisoned);
/* Are place and guard, arguments 0 and 1, sound? What: "x", of a tensor. Takes the doubt. */
bool poison_check_access(struct thread *t, const struct ldsl_simt_site *site, uint32_t guard,
                         const char *what);
/* Element i of the value that is written; told is its name. */
bool poison_is_in(const struct thread *t, const struct ldsl_simt_site *site, uint32_t i);
/* Is argument 0 sound? Else `what` is told of the thread. */
bool poison_check(struct thread *t, const struct ldsl_simt_site *site, const char *what);
void call_decide(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site, uint32_t poison);

/* ---- calls ------------------------------------------------------------------------------------- */

/* global.c */
void call_tensor(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site, uint64_t base,
                 const int64_t *extents);
void call_load(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site, uint64_t address,
               uint32_t guard, uint32_t used);
void call_store(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site, uint64_t address,
                uint32_t guard);
void call_atomic(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site, uint64_t address,
                 uint32_t guard);
/* The bytes at the address and what of them is poison, with all checks of a read; false: it failed,
 * they are zeros. */
bool simt_read(struct thread *t, const struct ldsl_simt_site *site, uint64_t address, uint32_t used,
               void *to, void *poison);
/* Has memory that was read with simt_read kept its bytes? */
bool simt_unchanged(struct thread *t, const void *from, const void *bytes, uint32_t count);

/* After the last program: every element of what is only written must have been. */
void simt_check_outputs(struct simt_launch *l);

/* Does an element begin at the address? */
bool simt_exists(const struct simt_tensor *x, uint64_t address);

/* overlap.c */
void call_depend(struct ldsl_simt_thread *t);
void call_release(struct ldsl_simt_thread *t);
/* May a thread make this access already? If not, that is reported. */
bool simt_may_access(struct thread *t, const struct ldsl_simt_site *site, uint64_t address,
                     uint32_t used, bool writes);
/* A thread ends. */
void simt_check_awaited(struct thread *t);
/* What the launch after `l` may meet; false: out of memory. */
bool simt_past_of(struct simt_past *out, const struct simt_launch *l);
bool simt_past_copy(struct simt_past *out, const struct simt_past *from);

/* shared.c */
void call_shared_load(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site,
                      uint32_t offset, uint32_t guard);
void call_shared_store(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site,
                       uint32_t offset, uint32_t guard, uint32_t rank);
void call_copy(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site, uint64_t address,
               uint32_t guard, uint32_t used, uint32_t offset);
void call_mbarrier_create(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site,
                          uint32_t offset, uint32_t guard);
void call_mbarrier_expect(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site,
                          uint32_t offset, uint32_t guard);
void call_mbarrier_await(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site,
                         uint32_t offset, uint32_t parity);
void call_send(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site, uint32_t offset,
               uint32_t guard, uint32_t rank, uint32_t mbarrier);
/* Bytes that a thread still awaits; INT32_MAX: nobody has said how many. 0: its phase has ended. */
int32_t simt_missing_bytes(const struct thread *t);
void call_commit(struct ldsl_simt_thread *t);
void call_wait(struct ldsl_simt_thread *t, uint32_t pending);

/* ---- report.c ---------------------------------------------------------------------------------- */

void simt_fail(struct thread *t, const struct ldsl_simt_site *site, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What shows when all programs have ended. */
void simt_fail_after(struct simt_launch *l, const struct ldsl_simt_site *site, const char *format,
                     ...) __attribute__((format(printf, 3, 4)));
void simt_fail_memory(struct simt_launch *l);
/* "thread 5", "thread 5 of block 1"; for messages, in the given text. */
struct simt_name {
    char text[48];
};
struct simt_name simt_thread_name(const struct machine *m, uint32_t name);
enum ldsl_status simt_tell(const struct simt_launch *l);

#endif
