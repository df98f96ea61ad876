/* Sweeps: what the walk over the tiles (sweep.c) and a tile of it (tile.c) share. */
#ifndef CODEGEN_GPU_SWEEP_H
#define CODEGEN_GPU_SWEEP_H

#include "codegen/gpu/stage.h"

enum { GPU_MOST_SOUGHT = 4 };

/* Scalars that the body compares with the axis's element numbers (the target class): threads that do
 * not have them need not compare, and hardly another has. */
struct gpu_absent {
    uint8_t axis;
    struct ir_value *scalars[GPU_MOST_SOUGHT];
    uint32_t count;
};

struct sweep {
    struct ir_node *node;
    struct gpu_absent sought;
    uint8_t axis;
    const bool *used;
    LLVMValueRef begin, hi; /* i64: the first tile's start, the range's end */
    LLVMValueRef first;     /* i64: elements before do not exist; NULL: begin */
    uint64_t tile;
    uint32_t group;
    bool full;
    bool apart; /* threads may go different ways through a round: none waits for another */
    LLVMBasicBlockRef exit;
};

/* What is ahead of a place: how many elements the range has from there on, how many come before its
 * first one, how far the sought ones are (unsigned). */
struct gpu_ahead {
    LLVMValueRef left, before, sought[GPU_MOST_SOUGHT];
};

/* A few tiles of the walk, counted in 32 bits from where they begin. */
struct gpu_stretch {
    LLVMValueRef at; /* i64 */
    struct gpu_ahead ahead;
};

/* Where a tile begins: `done` elements (i32) into a stretch, or anywhere (i64). */
struct gpu_spot {
    const struct gpu_stretch *in;
    LLVMValueRef done, start;
};

struct gpu_stretch gpu_stretch(struct gen *g, const struct sweep *s, LLVMValueRef at);
struct gpu_spot gpu_spot_in(const struct gpu_stretch *in, LLVMValueRef done);
struct gpu_spot gpu_spot_at(LLVMValueRef start);

/* In measuring the sweep: `sought` and `apart`. */
void gpu_tile_learn(struct gen *g, struct sweep *s);
enum gpu_tile_kind {
    GPU_TILE_WHOLE,   /* all elements exist, none is sought */
    GPU_TILE_VECTORS, /* whole vectors exist or not, none has a sought one */
    GPU_TILE_PART,    /* anything */
    GPU_TILE_EMPTY    /* no element exists */
};

/* One tile, from the builder's place to `next`. */
void gpu_tile(struct gen *g, const struct sweep *s, struct gpu_spot spot, enum gpu_tile_kind kind,
              LLVMBasicBlockRef next);
/* A tile that may be whole or not, may have what is sought or not. */
void gpu_tile_any(struct gen *g, const struct sweep *s, struct gpu_spot spot,
                  LLVMBasicBlockRef next);
/* Fetches a tile into a slot. */
void gpu_tile_fetch(struct gen *g, const struct sweep *s, struct gpu_stage *stage,
                    struct gpu_spot spot, LLVMValueRef slot);
/* Loads a tile into registers. */
void gpu_tile_keep(struct gen *g, const struct sweep *s, struct gpu_stage *stage,
                   struct gpu_spot spot, uint32_t round);

#endif
