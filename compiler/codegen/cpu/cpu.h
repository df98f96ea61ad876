/* The CPU lowering: loop nests over tile axes, innermost loops vectorised.
 *
 *   entry.c    slots, the entry's frame       plan.c units.c schedule.c storage.c  the plan
 *   host.c     programs, control flow         nest.c    loops over axes, units
 *   value.c    values at their levels         memory.c  tile storage
 *   access.c   tensors                        reduce.c  reductions     scan.c  dot.c
 *   ahead.c    the next program's row
 *   check.c    run-time checks
 *
 * Values have one of two shapes: scalar, or, in a vectorised leaf loop, a vector over the leaf's
 * axis. */
#ifndef CODEGEN_CPU_CPU_H
#define CODEGEN_CPU_CPU_H

#include "codegen/cpu/plan.h"
#include "codegen/internal.h"

/* A level is a loop or region being emitted. Code for an outer level is put before `hoist`, the
 * branch that entered the level; NULL: the level is straight-line code of the one outside it. */
struct gen_level {
    LLVMValueRef hoist;
    VEC(uint32_t) cached; /* ids whose values die with the level */
};

struct cached {
    LLVMValueRef value;
    unsigned width, level;
    struct cached *outer; /* what it hides */
};

/* Where along an axis the code is: element begin + offset, offset < count. */
struct gen_axis {
    bool ranged; /* begin and count are known at the current level */
    LLVMValueRef begin, count;
    bool bound;
    LLVMValueRef offset;  /* in a vector leaf: of the first lane */
    unsigned level;       /* of the loop that binds it */
    unsigned range_level; /* at which begin and count are known */
};

struct pending_store {
    const struct storage *storage;
    enum ir_elem elem;
    LLVMValueRef value;
    unsigned width;
};

/* The loop that break and continue mean. */
struct gen_loop {
    struct gen_loop *outer;
    struct ir_node *node;
    LLVMBasicBlockRef next, exit;
};

struct cpu {
    struct plan *plan;
    VEC(struct gen_level) levels;
    unsigned at;           /* level that code is being put at */
    LLVMBasicBlockRef tip; /* where the innermost level goes on, while `at` is an outer one */
    struct cached **cache;
    struct gen_axis axes[IR_MAX_AXIS];
    uint8_t leaf;   /* axis of the vector leaf; IR_NO_AXIS: none */
    unsigned width; /* of the leaf */
    unsigned combine_width;
    VEC(struct pending_store) pending;
    bool *streamed;       /* by tensor: `stream` has been found */
    LLVMValueRef *stream; /* by tensor: large enough to be written past the caches; NULL: never */
    bool fence;           /* something is: the entry ends with a store fence */
    LLVMValueRef scratch, report, program;
    LLVMValueRef nowhere; /* harmless memory for accesses that do not take place */
    LLVMBasicBlockRef program_end;
    struct gen_loop *loop;
    LLVMMetadataRef *alias_scope, *alias_others; /* by tensor; the last: scratch */
    LLVMValueRef *writers;                       /* check: shadow arrays by tensor */
    LLVMValueRef check_values;                   /* check: what a failure reports */
    LLVMValueRef race_site, unwritten_site;
};

/* ---- levels and values: value.c ---------------------------------------------------------------- */

void gen_push(struct gen *g, LLVMValueRef hoist);
void gen_pop(struct gen *g);
unsigned gen_depth(const struct gen *g); /* the current level */

/* Puts the following code at an outer level (or the current one) and returns the level to go back
 * to with the same call. Code put at an outer level must not make basic blocks. */
unsigned gen_go(struct gen *g, unsigned level);

LLVMValueRef gen_value(struct gen *g, struct ir_value *v);
LLVMValueRef gen_value_as(struct gen *g, struct ir_value *v, unsigned width); /* splat if need be */
unsigned gen_value_width(const struct gen *g, const struct ir_value *v);
void gen_set(struct gen *g, struct ir_value *v, LLVMValueRef value);
/* The outermost level at which the value is the same, and whether it is there for good. */
unsigned gen_value_level(const struct gen *g, const struct ir_value *v);
void gen_axis_range(struct gen *g, uint8_t axis);
/* The level at which the axis has its current element. */
LLVMValueRef gen_compute(struct gen *g, struct ir_node *n);

/* ---- storage: memory.c ------------------------------------------------------------------------- */

void gen_place_storages(struct gen *g);
LLVMValueRef gen_storage_offset(struct gen *g, const struct storage *s, uint8_t axis,
                                LLVMValueRef offset);
LLVMValueRef gen_storage_load(struct gen *g, const struct storage *s, enum ir_elem elem,
                              unsigned width, uint8_t moved, LLVMValueRef offset);
void gen_storage_store(struct gen *g, const struct storage *s, enum ir_elem elem,
                       LLVMValueRef value, unsigned width, uint8_t moved, LLVMValueRef offset);
void gen_scratch_alias(struct gen *g, LLVMValueRef access);

/* ---- nests: nest.c ----------------------------------------------------------------------------- */

void gen_items(struct gen *g, struct item *it);
/* A loop with a counter from..to: `body` emits one round. Straight-line if it runs once. */
typedef void gen_round(struct gen *g, void *user, LLVMValueRef counter);
void gen_counted(struct gen *g, LLVMValueRef from, LLVMValueRef to, int64_t step, gen_round *round,
                 void *user);
/* Writes the copies that are pending since there were `from`. */
void gen_flush(struct gen *g, uint32_t from);

/* ---- accesses: access.c ------------------------------------------------------------------------ */

LLVMValueRef gen_load(struct gen *g, struct ir_node *n, unsigned width);
void gen_store(struct gen *g, struct ir_node *n);
void gen_atomic(struct gen *g, struct ir_node *n);
void gen_store_fence(struct gen *g);
/* Beside a load of `width` elements from `from` on: asks for the same ones of the next program, if its
 * row follows. ahead.c */
void gen_fetch_ahead(struct gen *g, const struct ir_node *n, LLVMValueRef from, unsigned width);

/* ---- reductions: reduce.c, scan.c, dot.c ------------------------------------------------------- */

void gen_reduce_begin(struct gen *g, struct unit *u);
void gen_reduce_tail_begin(struct gen *g, struct unit *u);
void gen_reduce(struct gen *g, struct unit *u);
void gen_reduce_round(struct gen *g, struct unit *u);
void gen_reduce_tail_end(struct gen *g, struct unit *u);
void gen_reduce_end(struct gen *g, struct unit *u);
/* One combine step on values of one width: out = a with b. */
void gen_combine(struct gen *g, const struct ir_node *n, LLVMValueRef *out, LLVMValueRef *a,
                 LLVMValueRef *b, unsigned width);
void gen_scan_begin(struct gen *g, struct unit *u);
void gen_scan_round(struct gen *g, struct unit *u);
void gen_fill_storage(struct gen *g, const struct storage *s, enum ir_elem elem,
                      LLVMValueRef value);
void gen_scan(struct gen *g, struct unit *u);
void gen_dot(struct gen *g, struct unit *u);

/* ---- control: host.c --------------------------------------------------------------------------- */

void gen_control(struct gen *g, struct unit *u);
void gen_programs(struct gen *g);

void gen_assert(struct gen *g, struct ir_node *n);
/* Reports an access of elements outside the tensor; `inside` per lane. */
void gen_check_bounds(struct gen *g, struct ir_node *n, LLVMValueRef inside, unsigned width);
/* Tracks who wrote what; called with the lanes that do access memory. */
void gen_check_touch(struct gen *g, struct ir_node *n, LLVMValueRef inside, unsigned width);
void gen_check_begin(struct gen *g);
void gen_check_extents(struct gen *g);

#endif
