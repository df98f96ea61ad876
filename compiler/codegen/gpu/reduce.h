/* What the two ways to reduce share: reduce.c, the fast one, and ordered.c, whose bits do not depend
 * on the layout. */
#ifndef CODEGEN_GPU_REDUCE_H
#define CODEGEN_GPU_REDUCE_H

#include "codegen/gpu/exchange.h"
#include "codegen/gpu/item.h"

struct gpu_reduction {
    struct ir_node *node;
    axis_set over;
    struct gpu_view from, to;      /* of the operands, of the results without a part axis */
    struct gpu_item *items;        /* by register of `to`; there is room for those of `from` */
    struct gpu_exchange *exchange; /* NULL: none is needed */
    uint32_t first_word;           /* of its words in a part */
};

/* The lanes that differ in this digit; all get the result. */
struct gpu_item gpu_reduce_lanes(struct gen *g, const struct gpu_reduction *r,
                                 const struct gpu_item *x, const struct gpu_digit *d);
/* The digit is some bits of the number. */
bool gpu_is_by_bits(const struct gpu_digit *d);

/* All of an @ordered reduction but setting the results. ordered.c */
void gpu_reduce_ordered(struct gen *g, struct gpu_reduction *r);

#endif
