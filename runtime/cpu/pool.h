/* Worker threads that share jobs with the threads that bring them.
 *
 * A job is a range of programs, handed out in chunks. The thread that brings a job works on it too
 * and returns when it is done. Several threads may bring jobs at the same time. Whoever works has a
 * piece of scratch memory; the pieces grow only in pool_reserve. */
#ifndef CPU_POOL_H
#define CPU_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pool;

typedef void pool_work(void *user, int64_t first, int64_t last, void *scratch);

/* threads: how many work on one job at most, the caller included; at least 1. NULL: no memory or no
 * threads to be had. */
struct pool *pool_create(uint32_t threads);
void pool_destroy(struct pool *p);
uint32_t pool_threads(const struct pool *p);

/* Gives every thread at least this much scratch. Waits for jobs that run. False: out of memory. */
bool pool_reserve(struct pool *p, size_t scratch_bytes);

/* Runs work on 0 .. count - 1 in chunks of `chunk` (0: chosen). Allocates nothing. */
void pool_run(struct pool *p, int64_t count, int64_t chunk, pool_work *work, void *user);

#endif
