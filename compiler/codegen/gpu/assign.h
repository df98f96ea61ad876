/* Choosing a layout: what a kernel does with its axes, and what that costs under a choice.
 *
 *   work.c    what the kernel does      cost.c    its time under a choice      assign.c    the search
 *   anchor.c  accesses that are better off with layouts of their own
 *
 * A choice gives each axis a vector, lanes, warps and blocks; the rest of its tile is registers. */
#ifndef CODEGEN_GPU_ASSIGN_H
#define CODEGEN_GPU_ASSIGN_H

#include "codegen/gpu/gpu.h"

enum work_kind {
    WORK_ELEMENTS, /* arithmetic on each element */
    WORK_ACCESS,   /* a load, store or atomic */
    WORK_MOVE,     /* to or from shared memory: one side of a conversion. Described as the access
                      that it is for, with vectors as wide as there are */
    WORK_REDUCE    /* a reduction over elements that different threads may hold */
};

/* One thing that the kernel does, or several of one kind. Part axes stand as their parents, which
 * says who works; program axes are left out. */
struct work {
    enum work_kind kind;
    axis_set axes;
    double times;     /* loops count as several rounds */
    uint32_t bytes;   /* ACCESS: of an element; REDUCE: of all operands */
    axis_set reduced; /* REDUCE */
    uint8_t fast;     /* ACCESS: the axis whose neighbours are neighbours in memory; IR_NO_AXIS */
    uint32_t proven;  /* ACCESS: neighbours along it that surely go together */
    bool writes;      /* ACCESS */
    bool parts;       /* over a part axis: one element per thread along its parent */
    const struct ir_node *node; /* ACCESS */
};

struct work_list {
    VEC(struct work) items;
    axis_set meets[IR_MAX_AXIS];
    axis_set laid_out; /* axes that have digits of their own */
};

/* What the function does; in the module arena. */
void gpu_collect_work(const struct gen *g, struct work_list *out);
/* Bytes that an access moves, loops counted. */
double gpu_work_bytes(const struct ir_func *f, const struct work *w);
/* Bytes that go by vectors along an axis: how much it matters that they are wide. */
double gpu_fast_bytes(const struct ir_func *f, const struct work_list *list, uint8_t axis);

/* Bytes. Of a program, as far as ranges fill their tiles: outside loops, and in a round of them. Of a
 * launch, each element that is touched once: read and written. */
struct gpu_traffic {
    double read, written, read_in_loops, written_in_loops;
};
struct gpu_traffic gpu_program_traffic(const struct ir_func *f, const struct work_list *list);
/* False: it does not follow from what dims are expected to be; *unsaid: one that would help, or NULL. */
bool gpu_launch_traffic(const struct ir_func *f, const struct work_list *list,
                        struct gpu_traffic *out, const char **unsaid);

struct axis_choice {
    uint32_t vector, lanes, warps, ranks; /* >= 1 */
};

struct choice {
    const struct ir_func *f;
    uint32_t lanes, warps, cluster; /* that there are */
    struct axis_choice axes[IR_MAX_AXIS];
};

/* The cheapest layout for what is listed; its cost. Parts have no digits yet. */
double gpu_find_layout(struct gen *g, const struct schedule *schedule, const struct work_list *list,
                       struct gpu_layout *out);
/* Gives accesses layouts of their own where that makes the kernel cheaper, and *out, the cheapest layout
 * in which all accesses take part, that of the other works; its time is `cost`. */
void gpu_anchor_accesses(struct gen *g, const struct schedule *schedule, struct work_list *list,
                         double cost, struct gpu_layout *out);

/* Registers of an axis under a choice. */
uint32_t gpu_choice_regs(const struct choice *c, uint8_t axis);
/* Relative time of one block: cycles of a multiprocessor with nothing else to do. */
double gpu_choice_cost(const struct choice *c, const struct work_list *list);
/* Relative cost of accesses of `bytes` each. */
double gpu_width_cost(uint32_t bytes);

#endif
