/* The plan: how a function's tile ops become loop nests. Made before any LLVM IR is.
 *
 * Values are of three sorts. *Lazy* ones are emitted where they are used, as often as needed:
 * scalars, cheap elementwise chains, loads that nothing can change in between. *Anchors* are
 * computed at one place of the program: stores, reductions, expensive ops. *Arguments* of regions
 * and results of control ops live in storage.
 *
 * Per block the anchors become *units*, and the units are put into a tree of *items*: loops over
 * axes, innermost ones vectorised, with units as leaves. Anchors whose value is needed outside the
 * loops that make it get *storage*: tile memory in the thread's scratch, or one vector register
 * (SLOT) for small tiles over a part axis. */
#ifndef CODEGEN_PLAN_H
#define CODEGEN_PLAN_H

#include "ir/ir.h"
#include "target/facts.h"

#include <llvm-c/Types.h>

/* A block of the function; its item tree once planned. */
struct region {
    struct ir_block *block;
    struct region *outer;
    struct ir_node *owner; /* NULL: the body */
    struct unit *unit;     /* that of owner */
    struct unit **units;   /* in program order */
    uint32_t unit_count;
    struct item *root; /* the same as a tree of loops */
    bool combiner;     /* of a reduce or scan: emitted inline, any number of times */
    unsigned level;    /* while it is emitted: the level its own values live at */
};

enum storage_kind { STORAGE_SCALAR, STORAGE_SLOT, STORAGE_MEMORY };

/* Where the elements of a tile are kept. */
struct storage {
    enum storage_kind kind;
    enum ir_elem elem; /* as kept: may be wider than the value's */
    unsigned dim_count;
    uint8_t dims[IR_MAX_AXES]; /* axes, outermost first; the last is contiguous */
    int64_t size[IR_MAX_AXES];
    uint64_t bytes, offset; /* MEMORY: in scratch */
    struct region *home;    /* where it is defined */
    bool used;
    uint32_t first, last; /* positions in home between which it is in use */
    LLVMValueRef place;   /* alloca, or address in scratch */
};

enum unit_kind {
    UNIT_NODE, /* what an op does */
    UNIT_COPY  /* a value to the storage of a carried value or result */
};

/* An access to a tensor that the kernel also writes: its order matters. */
struct touch {
    const struct ir_node *node;
    bool writes;
};

struct dep {
    struct ir_value *value;
    bool nonlocal; /* other elements than the current one are read */
};

struct unit {
    enum unit_kind kind;
    struct region *region;
    struct ir_node *node;
    struct ir_value *value;    /* COPY: what; NULL: from */
    struct ir_value *target;   /* COPY: the argument or result it becomes; NULL: to */
    struct storage *from, *to; /* COPY through a temporary */
    axis_set space;            /* axes it iterates over */
    axis_set parts;            /* part axes that its values are spread from or reduced to */
    bool wide;                 /* works on f64 */
    bool fence;                /* control: nothing moves across */
    VEC(struct dep) deps;      /* anchors and arguments it needs, through lazy values */
    VEC(struct touch) touches;
    struct region **regions;
    struct item *item;
    uint8_t mark;         /* scheduler: where the unit went in this round */
    uint32_t first, last; /* positions of the outermost loop around it, or of a control op */
    /* Reductions. */
    struct item *outer_loop; /* outermost and innermost loops over reduced axes; NULL: no loop */
    struct item *inner_loop;
    struct item *tail_loop;   /* outermost of the reduced loops that end with the innermost loop */
    struct item *scan_loop;   /* the loop along a scan's axis; NULL: one element */
    struct storage **running; /* scans over an outer loop: the running values */
    struct running *running_values;
    struct accumulator *acc;
};

struct item {
    struct item *parent; /* NULL: root of a region */
    struct unit *unit;   /* NULL: root or loop */
    uint8_t axis;        /* of a loop */
    bool leaf;           /* a loop of units only: vectorised by width */
    unsigned width;
    VEC(struct item *) children;
    VEC(struct unit *) reductions; /* begin before this loop, end after it */
    VEC(struct unit *) tails;      /* whose lane accumulators begin and end here */
    VEC(struct unit *) scans;      /* whose running value starts before this loop */
    VEC(struct unit *) rounds;     /* whose first round is over after one iteration */
};

struct value_plan {
    struct region *region;
    struct unit *unit; /* computes it; NULL: lazy or argument */
    struct storage *storage;
    struct ir_node *user; /* one of the users */
    axis_set axes;        /* without those of which a program has one element */
    axis_set common;      /* loops that definition and uses share */
    uint16_t cost;
    uint16_t depth;    /* of the chain of lazy values under it */
    uint8_t last_axis; /* that storage should have innermost; IR_NO_AXIS: no wish */
    enum ir_elem kept; /* element type in storage */
    bool lazy, forced, invariant, stored;
    uint32_t stamp;
};

struct plan {
    struct session *session;
    const struct ir_func *f;
    const struct facts *facts;
    bool check;
    struct value_plan *values; /* by id */
    axis_set single;           /* axes of which a program has exactly one element */
    uint32_t score[IR_MAX_AXIS];
    bool *written, *loaded; /* by tensor */
    VEC(struct region *) regions;
    VEC(struct unit *) units;
    VEC(struct storage *) storages;
    struct region *body;
    uint64_t scratch_bytes;
    uint32_t stamp;
};

struct plan *gen_plan(struct session *s, const struct ir_func *f, const struct facts *facts,
                      bool check);

/* Parts of planning: units.c, schedule.c, storage.c. */
void plan_units(struct plan *p);
void plan_items(struct plan *p);
void plan_storage(struct plan *p);

struct value_plan *plan_of(const struct plan *p, const struct ir_value *v);
axis_set plan_axes(const struct plan *p, axis_set axes);
struct region *plan_region(const struct plan *p, const struct ir_block *b);
struct storage *plan_new_storage(struct plan *p, const struct ir_value *v, axis_set axes);
bool plan_touches_apart(const struct plan *p, const struct touch *a, const struct touch *b,
                        uint8_t axis, axis_set open);
bool plan_is_loop(enum ir_opcode op);
/* Operands of a loop before the initial values: bounds. */
uint32_t plan_loop_bounds(enum ir_opcode op);

static inline axis_set axis_bit(unsigned axis)
{
    return (axis_set)1 << axis;
}

#endif
