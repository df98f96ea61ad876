/* The SIMT emulator: what kernels compiled for it call. The contract between generated code and the
 * runtime; its kernels are the GPU lowering's, run on the host a thread at a time.
 *
 * An image has two functions:
 *     void <entry>(const uint64_t *slots, struct ldsl_simt_thread *t)
 *     void <entry>.resume(void *frame)
 * The entry runs one thread of a block until it waits for others or ends. What it lives on then is
 * in the frame that it asked for; resume goes on from there. A thread waits after the calls shuffle,
 * barrier, mbarrier_await and leave.
 *
 * Values of up to 16 bytes travel in `value`: of a load afterwards, of a store before. With them goes
 * `poison`, whose set bits say which of theirs hold nothing: they come of elements that do not exist,
 * or that nothing was written to. */
#ifndef LDSL_SIMT_H
#define LDSL_SIMT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ldsl_simt_thread;

enum ldsl_simt_shuffle { LDSL_SIMT_XOR, LDSL_SIMT_UP, LDSL_SIMT_FROM };
enum ldsl_simt_combine {
    LDSL_SIMT_SUM,
    LDSL_SIMT_MAX, /* a NaN is the largest */
    LDSL_SIMT_MIN, /* a NaN is the smallest */
    LDSL_SIMT_FMAX,
    LDSL_SIMT_FMIN, /* of a number and a NaN the number */
    LDSL_SIMT_ANY,
    LDSL_SIMT_ALL
};

enum ldsl_simt_flag {
    LDSL_SIMT_CONSTANT = 1, /* reads what the kernel never writes */
    LDSL_SIMT_WRITTEN = 2,  /* the tensor is not an input */
    LDSL_SIMT_OUTPUT = 4,   /* the tensor holds nothing before the kernel writes it */
    LDSL_SIMT_CLUSTER = 8,  /* a barrier of the whole cluster */
    LDSL_SIMT_READY = 16    /* the tensor may be accessed while the kernel before runs */
};

/* Where and what: constant data of the image, one for each call. */
struct ldsl_simt_site {
    uint32_t line, column;
    const char *path;
    const char *text;  /* name of the tensor, or what a check says */
    uint32_t number;   /* of the tensor, in the order of the kernel's slots */
    uint32_t rank;     /* of the tensor */
    uint32_t bytes;    /* of the access */
    uint32_t element;  /* bytes of an element */
    uint32_t align;    /* that the compiler proved; 0: none */
    uint32_t flags;    /* enum ldsl_simt_flag */
    uint32_t function; /* enum ldsl_simt_shuffle, ldsl_simt_combine */
    uint32_t dtype;    /* of an atomic */
};

struct ldsl_simt_calls {
    /* Memory for as long as the thread lives, 64-byte aligned. Once, before any other call. */
    void *(*frame)(struct ldsl_simt_thread *t, uint64_t bytes);
    /* The tensor's dims, then its strides in elements. */
    void (*tensor)(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site, uint64_t base,
                   const int64_t *extents);
    /* guard 0: does not take place, a load gives zeros. used: bit i: element i matters. */
    void (*load)(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site, uint64_t address,
                 uint32_t guard, uint32_t used);
    void (*store)(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site, uint64_t address,
                  uint32_t guard);
    void (*atomic)(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site, uint64_t address,
                   uint32_t guard);
    void (*shared_load)(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site,
                        uint32_t offset, uint32_t guard);
    void (*shared_store)(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site,
                         uint32_t offset, uint32_t guard, uint32_t rank);
    void (*copy)(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site, uint64_t address,
                 uint32_t guard, uint32_t used, uint32_t offset);
    /* Words that are sent: an mbarrier is 8 bytes of shared memory. expect: site.bytes, once a phase. */
    void (*mbarrier_create)(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site,
                            uint32_t offset, uint32_t guard);
    void (*mbarrier_expect)(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site,
                            uint32_t offset, uint32_t guard);
    void (*mbarrier_await)(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site,
                           uint32_t offset, uint32_t parity);
    void (*send)(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site, uint32_t offset,
                 uint32_t guard, uint32_t rank, uint32_t mbarrier);
    void (*commit)(struct ldsl_simt_thread *t);
    void (*wait)(struct ldsl_simt_thread *t, uint32_t pending);
    /* value[0]: the word, then the word received. by: mask, distance or lane. */
    void (*shuffle)(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site, uint32_t by);
    void (*barrier)(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site);
    void (*depend)(struct ldsl_simt_thread *t);  /* the kernels before have ended */
    void (*release)(struct ldsl_simt_thread *t); /* the kernel after this one may start */
    /* A branch, whose way depends on poison if that is not 0. */
    void (*decide)(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site, uint32_t poison);
    void (*check)(struct ldsl_simt_thread *t, const struct ldsl_simt_site *site, uint32_t test);
    void (*leave)(struct ldsl_simt_thread *t);
};

struct ldsl_simt_thread {
    const struct ldsl_simt_calls *calls;
    uint64_t program;
    uint64_t value[2], poison[2];
    uint32_t thread; /* of the block */
    uint32_t rank;   /* of the block in its cluster */
    uint32_t doubt; /* bit i: argument i after the site is poison; set before a call, taken by it */
};

#ifdef __cplusplus
}
#endif
#endif
