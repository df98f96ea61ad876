/* Elaboration: one walk from the AST of a kernel to the tile IR of one variant, checking on the way.
 *
 * What the files of the walk share. Every function that elaborates reports what is wrong and then
 * returns a poison (VALUE_POISON, NULL), about which callers say nothing more. */
#ifndef SEMA_ELAB_H
#define SEMA_ELAB_H

#include "sema/internal.h"
#include "sema/linear.h"

#define MAX_FIELDS 16 /* of a struct */

/* ---- values --------------------------------------------------------------------------------- */

enum value_kind {
    VALUE_POISON,
    VALUE_NONE,   /* a call that returns nothing */
    VALUE_CONST,  /* known now */
    VALUE_CHOICE, /* test ? literal : literal, which still takes the type its context wants */
    VALUE_IR,     /* known when the kernel runs: a scalar or a tile */
    VALUE_STRUCT  /* a record of run-time components */
};

struct value {
    enum value_kind kind;
    struct const_value c;
    struct ir_value *ir;
    const struct sema_item *of; /* STRUCT */
    struct ir_value **parts;    /* STRUCT: one for each field */
    struct choice *choice;      /* CHOICE */
};

struct choice {
    struct ir_value *test;
    struct value yes, no; /* literals, or choices again */
};

/* The type of a place: a `var`, a parameter or result of a function. */
enum place_kind { PLACE_POISON, PLACE_ELEM, PLACE_STRUCT, PLACE_ENUM };

struct place {
    enum place_kind kind;
    enum ir_elem elem;
    const struct sema_item *of; /* STRUCT, ENUM */
    axis_set axes;
    bool lifts; /* takes a value with any axes: written as a plain element type */
};

/* ---- names ---------------------------------------------------------------------------------- */

enum local_kind {
    LOCAL_VALUE, /* let, scalar and const parameters, dims, meta, tune, grid values, counters */
    LOCAL_VAR,
    LOCAL_AXIS,
    LOCAL_TENSOR,
    LOCAL_TYPE, /* a generic: elem */
    LOCAL_WORD  /* a tuned schedule word: not a value of the language */
};

struct local {
    struct ast_name name;
    enum local_kind kind;
    bool is_dim, used, quiet; /* quiet: may stay unused */
    bool absent;              /* a dim of absent tensors only */
    const char *noun;         /* "parameter", "axis": for messages */
    struct value value;
    struct place place; /* VAR */
    axis_set sweeping;  /* VAR: the sweeps that surround its declaration */
    enum ir_elem elem;  /* TYPE */
    uint32_t number;    /* AXIS: axis; TENSOR: index in elab.tensors */
};

struct tensor {
    const struct ast_param *param;
    enum ir_elem elem;
    bool present, used, written;
    uint8_t number; /* in ir_func.tensors, if present */
    uint32_t rank;
    struct ir_value *dims[IR_MAX_RANK];
    const char *dim_text[IR_MAX_RANK];
};

/* ---- surroundings --------------------------------------------------------------------------- */

typedef VEC(struct local *) locals;

enum loop_kind { LOOP_RUN, LOOP_STATIC };

struct loop {
    struct loop *outer;
    enum loop_kind kind;
    locals carried;   /* the values break and continue hand on */
    uint32_t regions; /* STATIC: run-time regions open when it began */
};

/* The statements after the one being elaborated: where a branch that does not return goes on. */
struct rest {
    const struct rest *outer;
    const ast_block *block;
    uint32_t from, names, scope;
};

/* An inlined function. */
struct call {
    struct call *outer;
    struct span at;
    const struct item *fn;
    struct place result;
    struct value value;
    const struct rest *rest;
    uint32_t regions;  /* open where the call stands: return may not leave one inside */
    uint32_t unrolled; /* static loops open inside */
};

/* A thing whose number is not known but may stand in a linear form. */
struct symbol {
    const char *text;
    enum ast_binary op; /* derived: from a and b by this operator (min, max: LT, GT) */
    struct linear a, b;
    bool derived;
    bool data;    /* depends on memory or on what a loop did */
    uint8_t axis; /* IR_NO_AXIS: not an axis */
};

enum flow {
    FLOW_NEXT,   /* the next statement follows */
    FLOW_END,    /* the block has its terminator */
    FLOW_RETURN, /* an inlined function has its value */
    FLOW_BREAK,  /* of an unrolled loop */
    FLOW_CONTINUE
};

struct elab {
    struct session *s;
    struct sema_module *m; /* where names resolve: changes inside inlined functions */
    const struct sema_item *kernel;
    const struct bindings *bindings;
    struct ir_func *f;
    struct ir_builder b;

    locals names;
    uint32_t floor; /* names below are hidden: those of an inlined function's caller */
    uint32_t scope; /* first name of the innermost scope */
    VEC(struct tensor) tensors;

    struct loop *loop;
    struct call *call;
    uint32_t dead;     /* > 0: in a branch that this variant never takes */
    uint32_t regions;  /* run-time regions open */
    uint32_t depth;    /* of recursion, for the limits */
    uint32_t calls;    /* functions inlined into each other */
    uint32_t steps;    /* statements, expressions and unrolled rounds met so far */
    axis_set swept;    /* axes that some sweep of the body walks */
    axis_set sweeping; /* those that a sweep around this point walks */
    axis_set tested;   /* PROGRAM axes that an equality test around this point fixes */
    bool host_only;    /* in require and specialize: tensors cannot be read */
    bool body_top;     /* at the top level of the kernel's body: axes may be declared */
    bool stored;       /* a store was met: the grid is settled */
    bool impossible;   /* a require rules this variant out */
    bool too_large;
    bool warn;     /* collect warnings about names */
    locals unused; /* reported at the end, if there was no error */

    VEC(struct symbol) symbols;
    VEC(uint32_t) symbol_of;    /* value id -> symbol + 1 */
    VEC(struct linear *) forms; /* value id -> its form, once asked for */
    VEC(uint64_t) names_of;     /* value id -> grid names, once asked for */
    struct ir_value *sweep_lo[IR_MAX_AXIS], *sweep_hi[IR_MAX_AXIS]; /* of the sweeps around */
    struct linear_facts facts;
    struct linear_facts truths; /* about derived symbols: hold everywhere */
};

/* ---- value.c: making and converting values -------------------------------------------------- */

struct value value_poison(void);
struct value value_const(struct const_value c);
struct value value_ir(struct ir_value *ir); /* NULL: poison */
struct value value_struct(struct elab *e, const struct sema_item *of, struct ir_value **parts);
static inline bool is_poison(struct value v)
{
    return v.kind == VALUE_POISON || (v.kind == VALUE_CONST && v.c.kind == CONST_POISON);
}
/* True for literals and choices between them; *is_float: one with a fraction. */
bool is_literal(struct value v, bool *is_float);
axis_set value_axes(struct value v);
uint32_t struct_size(const struct sema_item *of);
/* True if the struct's fields are scalars and not too many; reports otherwise. */
bool check_fields(struct session *s, const struct item *of);
/* "f32[r, c]", "an integer literal", "Casting". */
const char *value_text(struct elab *e, struct value v);
const char *axes_text(struct elab *e, axis_set axes);            /* "r, c" */
const char *elem_type_text(struct elab *e, struct ir_type type); /* "f32[r, c]" */

/* v as a run-time scalar or tile of its own type (a literal: index or f32). */
struct ir_value *as_ir(struct elab *e, struct span at, struct value v);
/* v as an elem, by the implicit conversions; literals adapt. */
struct ir_value *as_elem(struct elab *e, struct span at, struct value v, enum ir_elem elem);
/* Any integer, as an index: subscripts and bounds. `what` names the place for messages. */
struct ir_value *as_index(struct elab *e, struct span at, struct value v, const char *what);
/* A bool without axes; what: "condition of if". Tiles are reported as not uniform. */
struct ir_value *as_condition(struct elab *e, struct span at, struct value v, const char *what);
/* An index without axes. */
struct ir_value *as_bound(struct elab *e, struct span at, struct value v, const char *what);
/* elem(v), asked for explicitly. */
struct value convert_value(struct elab *e, struct span at, struct value v, enum ir_elem elem);
/* Brings operands to one element type and to axes that go together (parts are spread). False after
 * reporting; `what` begins the message: "+ does not take". */
bool join_operands(struct elab *e, struct span at, const char *what, bool compares, struct value *x,
                   struct value *y, struct ir_value **out);
/* Spreads parts where their parent axis is present too, and checks the number of axes. */
bool join_axes(struct elab *e, struct span at, struct ir_value **values, uint32_t count);
/* v fitted to a place (converted, repeated over the place's axes). `place` names it: "m". */
struct value fit_place(struct elab *e, struct span at, struct value v, const struct place *place,
                       const char *name);
struct ir_value *repeat_over(struct elab *e, struct ir_value *v, axis_set axes);
struct place place_of_value(struct elab *e, struct value v);
/* The type written at t, as a place. */
struct place resolve_place(struct elab *e, const struct type_expr *t);
/* Flattens and rebuilds the run-time values a variable stands for. */
uint32_t place_width(const struct place *p);
void place_types(const struct place *p, struct ir_type *out);
struct ir_value *value_part(struct value v, uint32_t i);
struct value value_of_parts(struct elab *e, const struct place *p, struct ir_value *const *parts);
void label_value(struct value v, const char *name);

/* ---- scope.c: names ------------------------------------------------------------------------- */

void report_unused(struct elab *e, uint32_t errors_before);
uint32_t scope_begin(struct elab *e); /* returns what scope_end wants */
void scope_end(struct elab *e, uint32_t outer);
struct local *declare(struct elab *e, struct ast_name name, enum local_kind kind, const char *noun);
struct local *find_local(struct elab *e, const char *name); /* marks it used */
/* Reports an unknown name with the nearest one in sight. `what`: "value", "axis". */
void unknown_name(struct elab *e, struct ast_name name, const char *what);
/* The axis a name means, or -1 after reporting. */
int find_axis(struct elab *e, struct ast_name name);
struct sema_item *find_item(struct elab *e, struct ast_name module, struct ast_name name);

/* ---- range.c: facts about numbers ----------------------------------------------------------- */

struct linear form_of(struct elab *e, const struct ir_value *v);
struct linear axis_form(struct elab *e, uint8_t axis, bool data); /* of its index */
/* lo <= index of axis < hi, from here on. */
void assume_axis_range(struct elab *e, uint8_t axis, const struct ir_value *lo,
                       const struct ir_value *hi);
/* The same for each held axis among these: for looking at an access along them. */
void assume_held_ranges(struct elab *e, axis_set axes);
/* True if the form is a multiple of `by` (from the facts about parameters). */
bool divides(struct elab *e, int64_t by, const struct linear *form);
struct linear counter_form(struct elab *e, const struct ir_value *counter); /* of a `for` */
const char *form_text(struct elab *e, const struct linear *form);           /* "c + 1" */
void assume_at_least(struct elab *e, const struct linear *a, const struct linear *b); /* a >= b */
void assume_condition(struct elab *e, const struct ir_value *condition, bool holds);
bool show_at_least(struct elab *e, const struct linear *a, const struct linear *b);
bool is_data(struct elab *e, const struct linear *form); /* depends on memory: trusted */
uint32_t facts_mark(const struct elab *e);
void facts_release(struct elab *e, uint32_t mark);
/* The grid names (PROGRAM and GRID axes) that a value depends on. */
axis_set grid_names_of(struct elab *e, const struct ir_value *v);

/* ---- expr.c, call.c, builtin.c, access.c, reduce.c, function.c ------------------------------- */

struct value elab_expr(struct elab *e, const struct expr *x);
struct value elab_binary(struct elab *e, struct span at, enum ast_binary op, struct value x,
                         struct value y);
struct value elab_select(struct elab *e, struct span at, struct ir_value *test, struct value yes,
                         struct value no);
/* A compile-time value, or poison after reporting that `what` must be one. */
struct const_value elab_const(struct elab *e, const struct expr *x, const char *what);
struct value elab_call(struct elab *e, const struct expr *x);

struct builtin;
const struct builtin *find_builtin(const char *name);
struct value call_builtin(struct elab *e, const struct expr *x, const struct builtin *row);
const char *nearest_builtin(const char *name);
/* Named arguments that a call may have; reports others. NULL: not given. */
const struct ast_arg *named_arg(const struct expr *call, const char *name);
bool plain_args(struct elab *e, const struct expr *call, const char *name, uint32_t least,
                uint32_t most, const char *const *named);

struct value elab_load(struct elab *e, const struct expr *target, const struct expr *fill,
                       enum ir_cache cache);
void elab_store(struct elab *e, const struct expr *target, struct value v, struct span value_at,
                bool clip, enum ir_cache cache);
void elab_atomic(struct elab *e, const struct expr *target, struct value v, struct span value_at);
void elab_update(struct elab *e, const struct expr *target, enum ast_binary op,
                 const struct expr *value);
struct value tensor_dim_use(struct elab *e, struct local *l);

/* Inlines a call of fn with the given arguments (one for each parameter). */
struct value inline_fn(struct elab *e, struct span at, struct sema_item *fn,
                       const struct value *args, const struct span *spans, uint32_t count);
struct value elab_fn_call(struct elab *e, const struct expr *x, struct sema_item *fn);
struct value construct(struct elab *e, const struct expr *x, struct sema_item *of);

/* ---- stmt.c, loop.c, axis.c ------------------------------------------------------------------ */

enum flow elab_block(struct elab *e, const ast_block *block); /* its own scope */
enum flow elab_statements(struct elab *e, const ast_block *block, uint32_t from);
void elab_return_value(struct elab *e, struct span at, const struct expr *value);
enum flow elab_if(struct elab *e, const struct stmt *st);
enum flow elab_for(struct elab *e, const struct stmt *st);
enum flow elab_while(struct elab *e, const struct stmt *st);
enum flow elab_sweep(struct elab *e, const struct stmt *st);
void elab_axis(struct elab *e, const struct stmt *st);
void end_block(struct elab *e, enum ir_opcode op, const locals *carried);
/* Variables visible here that the statements assign. */
void collect_assigned(struct elab *e, const ast_block *block, locals *out);
bool sweeps_axis(const ast_block *block, const char *axis);

/* Code that is checked, then dropped: conditions for the host, and branches that this variant never
 * takes (dead: there everything about ranges counts as shown). */
struct discard {
    struct ir_block *block, *back;
    uint32_t facts;
    bool dead;
};
struct discard discard_begin(struct elab *e, bool dead);
void discard_end(struct elab *e, struct discard *d);

/* A walk with an empty function; kernel may be NULL (checking functions alone). */
struct elab *elab_new(struct sema_module *m, const struct sema_item *kernel, const char *name);
/* The IR of a variant, verified; NULL after reporting. In a check, unused names are reported too, and
 * a variant that a require rules out is no error (NULL). */
struct ir_func *elab_kernel(struct sema_item *item, const struct bindings *all, bool check);

/* The bound value of a name, or false. */
bool find_binding(const struct bindings *b, const char *name, int64_t *value);
/* Counts a step. False after reporting, once: the kernel has grown beyond the limits. */
bool small_enough(struct elab *e, struct span at);

#endif
