/* Copying and zeroing memory with all threads of a pool. */
#ifndef CPU_MOVE_H
#define CPU_MOVE_H

#include "cpu/pool.h"

void move_copy(struct pool *p, void *to, const void *from, size_t bytes); /* no overlap */
void move_zero(struct pool *p, void *to, size_t bytes);

#endif
