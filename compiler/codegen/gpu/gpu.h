/* The GPU lowering: the code of one thread of a block.
 *
 *   entry.c    slots, programs, the frame     layout.c   who holds which element
 *   schedule.c values the tuner chooses       assign.c   layouts for a function, by
 *   value.c    registers of values            work.c     ... what it does with its axes,
 *   guard.c    which elements exist           cost.c     ... what that costs, and
 *   access.c   tensors                        pressure.c ... what registers it takes
 *   address.c  where elements are             width.c    how wide an access may be
 *   shift.c    axes aligned down              control.c  structured control flow
 *   sweep.c    loops over an axis, tile.c     stage.c    what rounds fetch ahead and keep
 *   anchor.c   accesses with layouts of their own
 *   convert.c  ... values converted for them  means.c    how: registers, shuffles,
 *   bank.c     ... shared memory
 *   reduce.c   reductions                     ordered.c  ... of @ordered kernels
 *   scan.c     scans                          item.c     what is reduced: tuples, words
 *   move.c     extract, relabel               exchange.c by way of shared memory and clusters
 *   shared.c   shared memory                  hazard.c   barriers for tensors
 *   park.c     rows that wait in shared       overlap.c  launches that overlap
 *              memory                         draw.c     layouts as SVG
 *   report.c   --emit=layout, remarks
 *
 * A tile is spread over the registers of the threads by a layout. Ops that act (loads, stores,
 * reductions, control) are emitted where they stand. Elementwise ops are lazy: each register is
 * computed when something asks for it and remembered in the memo until its region ends. At a block
 * barrier the cheap ones are forgotten, and the packed words they came from are pinned, so that 16-bit
 * data stays 16 bits wide while the block waits. */
#ifndef CODEGEN_GPU_GPU_H
#define CODEGEN_GPU_GPU_H

#include "codegen/gpu/layout.h"
#include "codegen/internal.h"
#include "target/lane.h"

/* May accesses that go across each other have layouts of their own? */
enum gpu_convert { GPU_CONVERT_NEVER, GPU_CONVERT_ALWAYS, GPU_CONVERT_IF_CHEAPER };

/* What the tuner may choose, by the names of ir_func.settings: schedule.c. */
struct schedule {
    uint32_t num_warps;      /* any number of warps that the target allows */
    uint32_t cluster;        /* blocks that share a program */
    uint32_t vector;         /* bytes of the widest access */
    uint32_t blocks_per_sm;  /* wanted residency; 0: none */
    uint32_t max_registers;  /* 0: none */
    uint32_t hold;           /* of a swept row read again: bytes a thread keeps in shared memory */
    uint32_t hold_registers; /* ... and vectors it keeps in registers */
    uint32_t stages;         /* depth of the ring that loads of a loop go through; 0: no ring */
    uint32_t in_shared;      /* 1: what is used again after a barrier waits in shared memory; 2: and
                              * what rounds add up is read again for it, last; 3: or while words are
                              * under way */
    bool evict_last;         /* reads ask to stay in the L2 cache */
    bool early_weights;      /* loads that do not depend on a reduction move up before it */
    enum gpu_convert convert;
};

struct gpu_address;

/* A register of a value: a scalar; a 16-bit float is an i16 of its bits. Of 16-bit floats two
 * neighbours (registers 2 i and 2 i + 1) may be kept as one i32 word. */
struct gpu_value {
    struct ir_value *v;
    struct gpu_view view;      /* over the axes of the value */
    LLVMValueRef *regs;        /* view.count; NULL entries: not there (yet) */
    LLVMValueRef *words;       /* view.count / 2, or NULL: not a 16-bit float or an odd count */
    LLVMValueRef *slots;       /* of carried values: an alloca for each register */
    LLVMValueRef aside;        /* what all registers of the op share */
    struct gpu_address *late;  /* of a load: its vectors are read when they are asked for */
    struct gpu_parked *parked; /* ... from shared memory, again after each barrier */
    bool lazy;                 /* an elementwise op, emitted where it is used */
    bool cheap;                /* lazy, and better computed again than kept over a barrier */
    uint8_t cost;              /* of computing one register from what is kept */
};

/* Something remembered, and what was there before: undone when its region ends. */
struct memo {
    LLVMValueRef *place, old;
    bool cheap;
};

/* Where a tile stands along an axis at this point of the code. */
struct gpu_axis {
    bool placed;
    LLVMValueRef start;  /* i64: element number of the tile's first element */
    LLVMValueRef end;    /* i32: elements counted from start that exist; NULL: all of the tile */
    LLVMValueRef first;  /* i32: elements counted from start before it do not exist; NULL: none */
    LLVMValueRef thread; /* i32: this thread's part of the coordinate, from start; NULL: 0 */
    LLVMValueRef room;   /* i32: elements counted from this thread's first one that exist; NULL: all
                            of the layout's cover */
    LLVMValueRef skip;   /* i32: elements before it do not exist; NULL: none */
    uint32_t most_skip;  /* ... of which there are at most so many in the tile */
    LLVMValueRef span;   /* i32: room - skip; NULL: test against both */
    uint32_t group;      /* elements exist or not in groups of so many */
    bool by_vectors;     /* ... as this thread's vectors do */
    LLVMValueRef *tests; /* by register number along the axis: exists */
};

/* Where a sweep begins: another one of the same range does so too, so that each thread meets the
 * elements again that it had. */
struct gpu_walk {
    uint8_t axis;
    const struct ir_value *lo, *hi;
    LLVMValueRef begin, first; /* as in struct sweep */
};

/* Two copies of some shared memory that take turns, or one. */
struct gpu_turns {
    uint32_t first, sum; /* offset of one copy, sum of the copies' offsets */
    LLVMValueRef
        next; /* i32, a stack slot: the offset of the copy that is next; NULL: there is one */
};

/* Memory that words are sent to; all i32. */
struct gpu_mailbox {
    LLVMValueRef mbarrier; /* its offset */
    LLVMValueRef parity;   /* of its phase */
    LLVMValueRef words;    /* their offset, aligned to 16 */
};

struct gpu_stage;  /* stage.h */
struct gpu_parked; /* park.c */
struct gpu_absent; /* sweep.h */

/* The loop that break and continue mean: control.c. */
struct gpu_loop;

struct gpu {
    const struct lane_hooks *hooks;
    struct lane_emit lane;
    struct schedule schedule;
    struct gpu_layout *layout; /* of the function: assign.c */
    struct gpu_value **values; /* by value id; NULL: not met yet */
    VEC(struct memo) memo;
    struct gpu_axis axes[IR_MAX_AXIS];
    LLVMValueRef thread, lane_id, warp, rank; /* i32 */
    LLVMValueRef program;                     /* i64 */
    bool entered;                             /* the axes of the grid are placed */
    LLVMBasicBlockRef exit;                   /* where return goes */
    struct gpu_loop *loop;
    uint32_t loop_depth;
    uint32_t shared_bytes;        /* given out so far */
    struct gpu_turns conversions; /* the shared memory of them all */
    LLVMValueRef meeting; /* the branch to where the cluster's blocks first meet; NULL: not yet */
    bool *written;        /* by tensor: this kernel writes it */
    bool waits_late;      /* for the launches before it not at once */
    bool awaited;         /* the code at hand comes after that wait */
    bool release_due;     /* the next launch may start as soon as that is so */
    const struct ir_node *releaser;  /* overlap.c */
    const struct gpu_absent *absent; /* scalars that the tile at hand does not reach; NULL: none */
    struct gpu_stage *stage;         /* of the sweep that is being emitted; NULL: none */
    VEC(struct gpu_stage *) held;    /* what earlier sweeps of open blocks keep */
    VEC(struct gpu_walk) walks;      /* where those began */
    axis_set shifted;                /* axes whose tile begins before its range (shift.c) */
    VEC(struct ir_node *) pending;   /* accesses of written tensors since the last barrier */
};

/* ---- values: value.c ------------------------------------------------------------------------- */

struct gpu_value *gpu_value(struct gen *g, struct ir_value *v);
/* Register i of a value, as gen_type of its element type (bool: i1). */
LLVMValueRef gpu_reg(struct gen *g, struct ir_value *v, uint32_t i);
/* Registers 2 i and 2 i + 1 of a 16-bit value as one i32 word. */
LLVMValueRef gpu_word(struct gen *g, struct ir_value *v, uint32_t i);
/* Any two of its registers as a word. */
LLVMValueRef gpu_pair(struct gen *g, struct ir_value *v, uint32_t low, uint32_t high);
/* The register of `v` that goes with register i of a value over `view`; v's axes are among the
 * view's. */
LLVMValueRef gpu_reg_in(struct gen *g, struct ir_value *v, const struct gpu_view *view, uint32_t i);
LLVMValueRef gpu_scalar(struct gen *g, struct ir_value *v);
/* Sets register i of a value that is emitted where it stands. */
void gpu_set(struct gen *g, struct ir_value *v, uint32_t i, LLVMValueRef x);
void gpu_set_word(struct gen *g, struct ir_value *v, uint32_t i, LLVMValueRef word);

/* False: a scalar that is not computed yet and cannot be here. */
bool gpu_is_ready(struct gen *g, const struct ir_value *v);
/* Computes all registers of a value now. */
void gpu_force(struct gen *g, struct ir_value *v);

/* Puts x into a place of the state, until the region ends. */
void gpu_remember(struct gen *g, LLVMValueRef *place, LLVMValueRef x);
/* Regions nest; leaving one forgets what was remembered inside it. */
uint32_t gpu_enter(struct gen *g);
void gpu_leave(struct gen *g, uint32_t mark);
/* A barrier is met next: forgets cheap values, pins the words they come from. With `used` (by value
 * id) a loop's body begins, which the words used in it are not to leave. */
void gpu_settle(struct gen *g, const bool *used);

/* A scalar of any element type as 32-bit words and back, for shuffles and shared memory. */
uint32_t gpu_to_words(struct gen *g, LLVMValueRef x, LLVMValueRef words[2]);
LLVMValueRef gpu_from_words(struct gen *g, LLVMTypeRef type, LLVMValueRef words[2]);

/* ---- axes, guards: guard.c ------------------------------------------------------------------- */

/* i32: this thread's value of a digit that is not a register's. */
LLVMValueRef gpu_digit_value(struct gen *g, const struct gpu_digit *d);
/* In the entry: this thread's coordinates. */
void gpu_locate(struct gen *g);
/* i32: this thread's part of a coordinate; NULL: 0. */
LLVMValueRef gpu_thread_part(struct gen *g, const struct gpu_axis_layout *l);
/* The tile begins at `start`; elements from `limit` on do not exist (NULL: all of the tile do). */
void gpu_place_axis(struct gen *g, uint8_t axis, LLVMValueRef start, LLVMValueRef limit,
                    uint32_t group);
/* ... and elements before `first` (i64) do not, of which the tile has `most` at most. After
 * gpu_place_axis. */
void gpu_skip_to(struct gen *g, uint8_t axis, LLVMValueRef first, uint32_t most);
/* Where the tiles are that stand along `axes`, as another layout sees them; and back. */
struct gpu_standing {
    struct gpu_layout *layout;
    struct gpu_axis axes[IR_MAX_AXIS];
};
void gpu_step_into(struct gen *g, struct gpu_layout *layout, axis_set axes,
                   struct gpu_standing *saved);
void gpu_step_back(struct gen *g, const struct gpu_standing *saved);
/* True (i1) if the element in register i exists along `axes`; NULL: it surely does. */
LLVMValueRef gpu_exists(struct gen *g, const struct gpu_view *view, uint32_t i, axis_set axes);
/* Many tests are not kept from one access to the next: call it where one begins, and in the blocks of
 * its cases (between gpu_enter and gpu_leave). What LLVM takes for the same test would live all the
 * while, in one of seven predicates; from more, ptxas makes bits of a register, and has been seen to
 * read one back wrong (docs/decisions/0016). */
void gpu_renew_tests(struct gen *g, axis_set axes);
/* Do of `width` neighbours some exist along the axis and others not? */
bool gpu_is_ragged(struct gen *g, uint32_t width, uint8_t axis);
/* If so: true if all of them exist, from register i on; true if one of them does. */
LLVMValueRef gpu_contains(struct gen *g, const struct gpu_view *view, uint32_t i, uint32_t width,
                          uint8_t axis);
LLVMValueRef gpu_overlaps(struct gen *g, const struct gpu_view *view, uint32_t i, uint32_t width,
                          uint8_t axis);
/* Those of the axes, held in tiles, whose border may lie within a vector. */
axis_set gpu_cut_axes(struct gen *g, axis_set axes);
/* True if it lies within the vector that register i begins. */
LLVMValueRef gpu_is_cut(struct gen *g, const struct gpu_view *view, uint32_t i, axis_set axes);
/* From here on a vector along these axes exists as its first element does; or each element by itself. */
void gpu_by_vectors(struct gen *g, axis_set axes, bool by_vectors);
/* True for the one thread among those that hold copies of the same elements over `axes`; NULL:
 * there are no copies. */
LLVMValueRef gpu_owner(struct gen *g, axis_set axes);
LLVMValueRef gpu_and(struct gen *g, LLVMValueRef a, LLVMValueRef b); /* NULL: true */
/* A number that the scalar is known to be a multiple of. */
uint64_t gpu_multiple(const struct gen *g, const struct ir_value *v);
/* A power of two that surely divides what is left of lo .. hi at any of its tiles (tile 0: there is but
 * one): elements exist or not in groups of so many. */
uint32_t gpu_group(const struct gen *g, const struct ir_value *lo, const struct ir_value *hi,
                   uint64_t tile);
/* The axes of the grid and those held, as soon as their ranges are known. */
void gpu_place_axes(struct gen *g);

/* i32, of a coordinate along an axis: what its lane digits make of the lane's number, and the number
 * of the register. move.c */
LLVMValueRef gpu_lane_of(struct gen *g, const struct gpu_axis_layout *l, LLVMValueRef coordinate);
LLVMValueRef gpu_register_of(struct gen *g, const struct gpu_axis_layout *l,
                             LLVMValueRef coordinate);

/* ---- order of accesses: hazard.c ------------------------------------------------------------- */

/* Puts a barrier before an access that could meet another thread's. */
void gpu_order(struct gen *g, struct ir_node *n);
/* The same for all of a loop, before it is emitted; and what is pending after it. */
struct gpu_before {
    struct ir_node **nodes;
    uint32_t count;
};
struct gpu_before gpu_order_ahead(struct gen *g, struct ir_node *loop);
void gpu_order_behind(struct gen *g, struct ir_node *loop, const struct gpu_before *before);
/* Do accesses of a loop's body, of the same or of different rounds, need barriers between them? */
bool gpu_has_conflict(struct gen *g, struct ir_node *loop);
/* The same for everything in a loop's body, where a round of it begins. */
void gpu_order_loop(struct gen *g, struct ir_node *loop);
/* Are the subscripts of two accesses of one tensor the same? */
bool gpu_same_place(const struct ir_node *a, const struct ir_node *b, uint32_t rank);
/* Do the subscripts name each of its elements once, so that each belongs to one thread? */
bool gpu_names_once(const struct gen *g, const struct ir_node *n);
/* A barrier of the block (cluster: of its blocks), with all that belongs to it. */
void gpu_barrier(struct gen *g);

/* ---- launches before and after: overlap.c ---------------------------------------------------- */

/* Before the body; around each of its nodes; where loads were moved up; before a return, anywhere. */
void gpu_overlap(struct gen *g);
void gpu_before_node(struct gen *g, const struct ir_node *n);
void gpu_after_node(struct gen *g, const struct ir_node *n);
void gpu_after_early_loads(struct gen *g);
void gpu_before_return(struct gen *g);
/* False: the launch before may still write the tensor, or need it. */
bool gpu_may_access(const struct gen *g, uint8_t tensor);
/* Does it keep its values as long as this kernel runs, seen from any place of it? */
bool gpu_is_constant(const struct gen *g, uint8_t tensor);

/* The axes of an access's subscripts. address.c */
axis_set gpu_subscript_axes(const struct ir_func *f, const struct ir_node *n);

/* ---- addresses: address.c -------------------------------------------------------------------- */

struct gpu_gather {
    struct ir_value *subscript;
    LLVMValueRef stride; /* i64, bytes */
};

struct gpu_address {
    const struct ir_node *node;
    const struct ir_tensor *tensor;
    struct gpu_view view;           /* over the axes of the subscripts and the value */
    uint32_t bytes;                 /* of an element */
    LLVMValueRef base;              /* i64: everything but the registers' part */
    LLVMValueRef step[IR_MAX_AXIS]; /* i64, bytes for one element along an axis; NULL: none */
    struct gpu_gather gathers[IR_MAX_RANK];
    uint32_t gather_count;
    uint32_t width;       /* registers of one vector */
    uint8_t vector_axis;  /* IR_NO_AXIS: none */
    LLVMValueRef aligned; /* i1: whether the vectors are aligned; NULL: they are */
};

struct gpu_address gpu_address(struct gen *g, const struct ir_node *n, axis_set axes);
/* i64: of register i. */
LLVMValueRef gpu_address_of(struct gen *g, const struct gpu_address *a, uint32_t i);
struct lane_access gpu_access(struct gen *g, const struct gpu_address *a, uint32_t i,
                              LLVMTypeRef type, uint32_t elements, LLVMValueRef guard);
/* Reads the vector of register i, and the next ones, of a load that was put off. access.c */
void gpu_load_late(struct gen *g, struct gpu_value *gv, uint32_t i);
/* access.c: the type of one vector in memory; all vectors of a load; what a load gives. */
LLVMTypeRef gpu_vector_type(struct gen *g, const struct gpu_address *a);
/* The width without an address: what gpu_address will choose. */
uint32_t gpu_width_of(struct gen *g, const struct ir_node *n, axis_set axes, bool *tested,
                      uint8_t *axis);
void gpu_load_vectors(struct gen *g, const struct gpu_address *a, LLVMValueRef *out);
LLVMValueRef gpu_load_elements(struct gen *g, const struct gpu_address *a, uint32_t i);
/* x where control comes `from` there, y from `other`. */
LLVMValueRef gpu_one_of(struct gen *g, LLVMValueRef x, LLVMBasicBlockRef from, LLVMValueRef y,
                        LLVMBasicBlockRef other);
/* One vector, from register `from` of the access's view on, as the value has its registers. */
void gpu_take_vector(struct gen *g, const struct gpu_address *a, LLVMValueRef x, uint32_t from);
void gpu_take_vectors(struct gen *g, const struct gpu_address *a, LLVMValueRef const *vectors);

/* ---- axes aligned down: shift.c --------------------------------------------------------------- */

/* May tiles of the axis begin before its range, so that accesses are aligned? */
bool gpu_is_shiftable(const struct gen *g, uint8_t axis);
/* Bytes that begin a held tile, and a sweep's first: a vector; what the caches move together. */
enum { GPU_GRANULE = 16, GPU_SWEEP_GRANULE = 128 };
/* Will some? What decides may not be known yet. */
bool gpu_may_shift(struct gen *g, uint8_t axis);
/* i64: how many elements, fewer than a tile has, the tile that begins at `at` should begin earlier;
 * NULL: it is aligned as it is, or cannot be. granule: bytes to align to. */
LLVMValueRef gpu_shift(struct gen *g, uint8_t axis, LLVMValueRef at, uint32_t granule,
                       uint64_t tile);

/* ---- rounds: stage.c --------------------------------------------------------------------------- */

/* Gives a load what was fetched for this round; false: nothing was. */
bool gpu_stage_take(struct gen *g, struct ir_node *n);

/* ---- what waits in shared memory: park.c ------------------------------------------------------- */

/* Sends a load of straight-line code to shared memory; false: it should go to registers. */
bool gpu_park(struct gen *g, struct ir_node *n);
/* The same for a load whose data is in the slot of its sweep's round. */
bool gpu_park_round(struct gen *g, struct ir_node *n);
/* Reads the vector of register i. */
void gpu_unpark(struct gen *g, struct gpu_value *gv, uint32_t i);
/* Everything that was parked is known to have arrived. */
void gpu_parked_arrive(struct gen *g);
/* Before the tensor is written to: what is copied from it has been read. */
void gpu_end_copies(struct gen *g, uint8_t tensor);
/* A barrier: what was read is to be read again. */
void gpu_park_again(struct gen *g, struct gpu_value *gv);
/* Until gpu_leave, everything is read so many bytes (i32) from where it is. */
void gpu_park_elsewhere(struct gen *g, LLVMValueRef by);

/* ---- emission -------------------------------------------------------------------------------- */

void gpu_block(struct gen *g, struct ir_block *b);          /* control.c: all nodes but the last */
void gpu_control(struct gen *g, struct ir_node *n);         /* control.c */
bool gpu_is_loaded(struct gen *g, const struct ir_node *n); /* access.c: early, or for a ring */
void gpu_load(struct gen *g, struct ir_node *n);            /* convert.c: by way of .. */
void gpu_store(struct gen *g, struct ir_node *n);           /* ... another layout, or not */
void gpu_load_here(struct gen *g, struct ir_node *n);       /* access.c */
void gpu_store_here(struct gen *g, struct ir_node *n);      /* access.c */
void gpu_atomic(struct gen *g, struct ir_node *n);          /* access.c */
void gpu_assert(struct gen *g, struct ir_node *n);          /* access.c */
/* Sibling reductions, none of which needs another's result, in one exchange; results by gpu_set. */
void gpu_reduce(struct gen *g, struct ir_node **siblings, uint32_t count); /* reduce.c */
void gpu_scan(struct gen *g, struct ir_node *n);                           /* scan.c */
void gpu_extract(struct gen *g, struct ir_node *n);                        /* move.c */
void gpu_relabel(struct gen *g, struct ir_node *n);                        /* move.c */

/* One combine step of a reduce or scan: out = a with b; one scalar per operand. item.c */
void gpu_combine(struct gen *g, const struct ir_node *n, LLVMValueRef *out, LLVMValueRef *a,
                 LLVMValueRef *b);
void gpu_sweep(struct gen *g, struct ir_node *n); /* sweep.c */
/* Is the scalar known to be none of the tile's element numbers along the axis? tile.c */
bool gpu_is_absent(const struct gen *g, const struct ir_value *scalar, uint8_t axis);
/* Loops, in this order. Before: computes what rounds share; which values they use. */
bool *gpu_prepare_loop(struct gen *g, struct ir_node *loop);
void gpu_begin_loop(struct gen *g, struct ir_node *loop);
/* One round, from the builder's place to `next`, or by break to `exit`. */
void gpu_round(struct gen *g, struct ir_node *loop, const bool *used, LLVMBasicBlockRef next,
               LLVMBasicBlockRef exit);
/* After the last round the results are what is carried. */
void gpu_end_loop(struct gen *g, struct ir_node *loop);
/* What the innermost loop carries, if node n stands in its body itself; else NULL. */
struct ir_value **gpu_carried(const struct gen *g, const struct ir_node *n);
/* Waits for the words that node n needs. What rounds of its loop add up, as far as it is ready, is formed
 * meanwhile: if the schedule and the target have it so. await.c */
bool gpu_works_meanwhile(const struct gen *g);
void gpu_await(struct gen *g, const struct gpu_mailbox *box, const struct ir_node *n);
/* A combiner's region on scalars: args and results one per value. control.c */
void gpu_inline(struct gen *g, struct ir_block *region, LLVMValueRef *args, LLVMValueRef *results);

/* ---- shared memory: shared.c ----------------------------------------------------------------- */

/* Bytes of shared memory for good, aligned to 16; their offset. */
uint32_t gpu_shared(struct gen *g, uint32_t bytes);
/* In a loop, two copies take turns: the offset (i32) of this round's copy of `bytes`. */
LLVMValueRef gpu_shared_turn(struct gen *g, uint32_t bytes);
/* The same with words that are sent. */
struct gpu_mailbox gpu_mailbox_turn(struct gen *g, uint32_t bytes, uint32_t sends);
/* The same for several users of the same copies. */
struct gpu_turns gpu_shared_turns(struct gen *g, uint32_t bytes, bool again);
LLVMValueRef gpu_shared_take(struct gen *g, const struct gpu_turns *turns);
/* Before the first node of the body that may send words or write to another block's shared memory: waits
 * until all blocks of the cluster run, and mbarriers are there. Loads that stand before it are under way meanwhile. exchange.c */
void gpu_meet_cluster(struct gen *g, const struct ir_node *n);
/* The same while loads of node n of the body are under way, if there is a later node that needs it. */
void gpu_meet_early(struct gen *g, const struct ir_node *n);

/* Shared memory for the conversions of the layout's anchors. convert.c */
void gpu_reserve_conversions(struct gen *g);

/* ---- schedule, layouts ------------------------------------------------------------------------ */

/* False after reporting a value that the target cannot have. */
bool gpu_schedule(struct gen *g, struct schedule *out);
/* Neighbours along an axis, at most so many, that an access surely finds at a multiple of their size;
 * *why: what is not known that more would need, or NULL. width.c */
uint32_t gpu_proven_width(const struct gen *g, const struct ir_node *n, uint8_t axis, uint32_t most,
                          const char **why);
/* How many registers of a value over `axes` one access of a node takes, and along which axis they
 * are neighbours (IR_NO_AXIS: it takes one). */
uint32_t gpu_access_width(const struct gen *g, const struct gpu_layout *l, const struct ir_node *n,
                          axis_set axes, uint32_t bytes, uint8_t *axis, const char **why);

/* The same where addresses are only known when the kernel runs. */
uint32_t gpu_hoped_width(const struct gen *g, const struct ir_node *n, uint8_t axis, uint32_t most);
uint32_t gpu_possible_width(const struct gen *g, const struct gpu_layout *l,
                            const struct ir_node *n, axis_set axes, uint32_t bytes, uint8_t *axis);

/* Gives every axis its layout, and every part axis as many parts as threads hold its parent. False
 * after reporting. */
bool gpu_assign(struct gen *g, const struct schedule *schedule, struct gpu_layout *out);

/* An estimate of the registers that a thread needs; in_shared: rows wait elsewhere. pressure.c */
uint32_t gpu_pressure(struct session *s, const struct ir_func *f, const struct gpu_layout *layout,
                      bool in_shared);

/* ---- what a person may see -------------------------------------------------------------------- */

/* The schedule and layouts in words, report.c, and as SVG, draw.c. Module arena. */
const char *gpu_report(struct gen *g);
const char *gpu_drawing(struct gen *g);
/* The same as remarks, when the code is complete. */
void gpu_remark(struct gen *g);

#endif
