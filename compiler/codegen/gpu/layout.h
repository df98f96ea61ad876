/* Layouts: which thread holds which element of a tile, in which register.
 *
 * Along each axis of a tile the coordinate is a sum of digits,
 *
 *   coordinate = sum over the digits of  digit value * stride,
 *
 * where a digit's value comes from the number of the register, lane, warp or block (of the cluster):
 * (number / divisor) % count. Counts are any integers, so 5 warps and 7 repeats are as good as powers
 * of two; with powers of two this is a map of bits, which is what matrix fragments are.
 *
 * A function has one layout: digits for each of its axes. A value over some axes has the digits of
 * those axes; threads that differ only in digits of other axes hold copies. So values of different
 * axes always meet in the right thread, and broadcasting moves nothing. Axes that never meet in one
 * value may use the same lanes.
 *
 * An access may have a layout of its own, to or from which its value is converted: one side of a
 * transposition. */
#ifndef CODEGEN_GPU_LAYOUT_H
#define CODEGEN_GPU_LAYOUT_H

#include "ir/ir.h"

enum gpu_digit_source { GPU_REG, GPU_LANE, GPU_WARP, GPU_RANK };

struct gpu_digit {
    uint8_t source; /* enum gpu_digit_source */
    uint32_t
        divisor;    /* LANE, WARP, RANK; REG: unused, the registers of an axis are numbered apart */
    uint32_t count; /* >= 2 */
    uint32_t stride; /* elements */
};

#define GPU_MAX_DIGITS 8

/* Digits are listed from the fastest (smallest stride) to the slowest. */
struct gpu_axis_layout {
    struct gpu_digit digits[GPU_MAX_DIGITS];
    uint32_t digit_count;
    uint32_t regs; /* product of the REG counts */
    uint32_t
        vector; /* of these neighbours in memory order: the count of a REG digit of stride 1, or 1 */
    uint64_t cover; /* product of all counts: elements from 0 to cover - 1, each in one place */
    bool exact;     /* cover is the axis's tile */
};

struct gpu_anchor;
struct gpu_conversion; /* convert.h */

struct gpu_layout {
    uint32_t threads, warps, cluster;
    uint32_t axis_count;
    struct gpu_axis_layout axes[IR_MAX_AXIS];
    uint8_t order[IR_MAX_AXIS]; /* axes from the slowest to the fastest in register numbers; axes
                                   that are read and written in vectors come last */
    const struct gpu_anchor *anchors; /* of the function; its own layouts know them too */
    uint32_t anchor_count;
};

/* An access with a layout of its own: anchor.c chooses them. */
struct gpu_anchor {
    const struct ir_node *node; /* a load or store */
    struct gpu_layout *layout;
    struct gpu_conversion *conversion; /* of the value, from or to the function's; NULL: none, it
                                          is a scalar */
    bool again;                        /* it may happen more than once */
    double gain; /* the kernel's time in one layout, relative to its time now */
};

/* NULL: the access has the function's layout. */
const struct gpu_anchor *gpu_anchor_of(const struct gpu_layout *l, const struct ir_node *n);

/* How a value over `axes` is held: register numbers are mixed radix over the axes in the layout's
 * order, the last one fastest. An access may look at them in an order of its own, with the registers
 * along its vectors next to each other. */
struct gpu_view {
    const struct gpu_layout *layout;
    axis_set axes;
    uint32_t count; /* registers; 1 for a scalar */
    uint8_t fast;   /* the axis that is fastest in spite of the order; IR_NO_AXIS: none */
};

struct gpu_view gpu_view(const struct gpu_layout *l, axis_set axes);
/* The same with the registers of an axis the fastest; IR_NO_AXIS: no matter. */
struct gpu_view gpu_view_along(const struct gpu_layout *l, axis_set axes, uint8_t axis);
/* Do register numbers mean the same in both? */
bool gpu_view_same(const struct gpu_view *a, const struct gpu_view *b);
/* Register number along one axis of register i of the view. */
uint32_t gpu_view_digit(const struct gpu_view *v, uint32_t i, uint8_t axis);
/* The register of `to` (over a subset of the axes) that goes with register i of `from`. */
uint32_t gpu_view_map(const struct gpu_view *from, uint32_t i, const struct gpu_view *to);
/* The register with these numbers along the axes. */
uint32_t gpu_view_register(const struct gpu_view *v, const uint32_t numbers[IR_MAX_AXIS]);
/* Offset along the axis, in elements, of the axis's register number r, thread digits left out. */
uint32_t gpu_axis_offset(const struct gpu_axis_layout *l, uint32_t r);
/* How many threads hold distinct elements along the axis: by lanes, warps, blocks. */
uint32_t gpu_axis_count(const struct gpu_axis_layout *l, enum gpu_digit_source source);

/* Which axes each axis meets: they are axes of one value, or of one access; each meets itself. */
void gpu_axes_meeting(const struct ir_func *f, axis_set meets[IR_MAX_AXIS]);

/* True if every coordinate below cover is held in exactly one place and no thread digit is used by
 * two axes of one value; else *why says what is wrong (module arena). */
bool gpu_layout_check(struct session *s, const struct ir_func *f, const struct gpu_layout *l,
                      const char **why);

#endif
