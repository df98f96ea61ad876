/* Conversions: a tile of values held by one layout becomes the same tile held by another. The cheapest
 * means that serves:
 *
 *   rename    each thread has what it needs, in other registers
 *   shuffle   ... or a lane of its warp has it
 *   shared    through shared memory: all write, meet a barrier, read
 *
 * In shared memory neighbours along one axis, the fast one, are neighbours, so that both sides can
 * move several at once, and the place of an element is
 *
 *   place = sum over the axes of  coordinate * pitch + coordinate / every * pad.
 *
 * The pads keep the lanes of an access off each other's banks. They add up where an exclusive-or of bits
 * would not: a register's place is its thread's place and a constant, and any count of anything will do.
 *
 * What a plan says is known before there is code: reports say it too. */
#ifndef CODEGEN_GPU_CONVERT_H
#define CODEGEN_GPU_CONVERT_H

#include "codegen/gpu/gpu.h"

enum gpu_means { GPU_RENAME, GPU_SHUFFLE, GPU_SHARED };

/* Bytes along one axis of a tile in shared memory. */
struct gpu_pitch {
    uint32_t pitch, every, pad; /* every: at least 1 */
};

/* The registers of `from` among which some thread finds what a register of `to` holds. */
struct gpu_sources {
    uint32_t *regs;
    uint32_t count;
};

struct gpu_conversion {
    enum gpu_means means;
    const struct gpu_layout *from, *to;
    axis_set axes;
    uint8_t fast;
    uint32_t bytes;              /* of an element */
    struct gpu_sources *sources; /* RENAME, SHUFFLE: of each register of `to` */
    struct gpu_pitch pitches[IR_MAX_AXIS];
    uint32_t write, read;               /* SHARED: elements of one access */
    uint32_t write_rounds, read_rounds; /* of the banks, for one access of a warp */
    uint32_t shared_bytes;              /* of one copy */
};

/* A conversion of a tile over `axes`, in the session's module arena. Threads hold at least one element
 * of every axis, the block is alone in its cluster. means.c */
struct gpu_conversion *gpu_plan_conversion(struct session *s, const struct gpu_layout *from,
                                           const struct gpu_layout *to, axis_set axes, uint8_t fast,
                                           uint32_t bytes);
/* Chooses pitches and widths. bank.c */
void gpu_arrange(struct gpu_conversion *c);
/* A coordinate's part of the place along an axis: parts of a thread and of a register add up. */
uint32_t gpu_place_along(const struct gpu_pitch *p, uint32_t coordinate);

#endif
