/* What the files of sema share: loaded modules, their items, and compile-time values.
 *
 * Elaboration (kernels to tile IR) has its own header, elab.h; the op layer (op*.c, host*.c) needs
 * only this one. Everything lives in the session's module arena. */
#ifndef SEMA_INTERNAL_H
#define SEMA_INTERNAL_H

#include "sema/sema.h"

/* ---- compile-time values (constant.c) ------------------------------------------------------- */

enum const_kind {
    CONST_POISON,  /* an error was reported; say nothing more */
    CONST_UNKNOWN, /* checked, but only a launch or a device knows it: dims and dev. facts */
    CONST_INT,
    CONST_FLOAT,
    CONST_BOOL,
    CONST_ENUM,
    CONST_TYPE, /* to be compared with another: T == f32 */
    CONST_TEXT
};

struct const_value {
    enum const_kind kind;
    bool literal;          /* INT, FLOAT: takes the type its context wants */
    enum ir_elem elem;     /* of INT, FLOAT, BOOL, UNKNOWN; a literal's own: index or f32 */
    int64_t i;             /* INT, BOOL (0, 1), ENUM (position), TYPE (enum ir_elem; -1: a
                              generic that is not bound); u64 as its bits */
    double f;              /* FLOAT, already rounded to elem unless literal */
    const char *text;      /* TEXT */
    const struct item *of; /* ENUM: its declaration */
};

struct const_value const_poison(void);
struct const_value const_int(enum ir_elem elem, int64_t i);
struct const_value const_literal_int(int64_t i);
struct const_value const_literal_float(double f);
struct const_value const_bool(bool b);
struct const_value const_enum(const struct item *of, int64_t position);
struct const_value const_type(int64_t elem);
struct const_value const_unknown(enum ir_elem elem);

/* "3", "0.5", "true", "Casting.llama": for messages. */
const char *const_text(struct session *s, struct const_value v);
/* What kind of thing it is: "an index", "a bool", "a Casting". */
const char *const_kind_text(struct session *s, struct const_value v);
bool const_equal(struct const_value a, struct const_value b);

/* v as an elem, by the implicit rules of docs/language.md (literals adapt, integers widen); false
 * after reporting at `at`. */
bool const_adapt(struct session *s, struct span at, struct const_value v, enum ir_elem elem,
                 struct const_value *out);
/* elem(v): explicit conversion, as the IR's cast op does it. */
bool const_cast(struct session *s, struct span at, struct const_value v, enum ir_elem elem,
                struct const_value *out);
/* Operators; report at `at` (overflow of index, division by zero, operands that do not mix). */
bool const_unary(struct session *s, struct span at, enum ast_unary op, struct const_value x,
                 struct const_value *out);
bool const_binary(struct session *s, struct span at, enum ast_binary op, struct const_value x,
                  struct const_value y, struct const_value *out);
bool const_is_number(struct const_value v); /* or an unknown one */
bool const_is_truth(struct const_value v);
/* Brings two numbers to one type, as op does it; of two literals the result is one too. */
bool const_meet(struct session *s, struct span at, enum ast_binary op, struct const_value *x,
                struct const_value *y);
/* x / y as the IR's div does it; y is not 0. */
int64_t const_divide(enum ir_elem elem, int64_t x, int64_t y);
/* A function of compile-time integers or floats by name (min, max, cdiv, abs, fit); false without a
 * report when there is none of that name. */
bool const_has_function(const char *name);
bool const_call(struct session *s, struct span at, const char *name, const struct const_value *args,
                uint32_t count, struct const_value *out);

/* What is written here instead of a name that other languages have; NULL: nothing is known of it. */
const char *habit_help(const char *name);

/* The ladder of fit: 16, then {1, 1.25, 1.5, 1.75} x powers of two. */
#define FIT_MAX 65536
/* On a GPU, in variants of kernels with groups of `specialize` of which none holds, so many more where
 * the ladder goes on: rows may begin anywhere, and a tile then begins before one, at a multiple of 16
 * bytes (codegen/gpu/shift.c). Enough for elements of 16 bits. */
#define FIT_SLACK 7
int64_t fit_cover(int64_t extent); /* smallest cover >= extent; 0: wider than any */
int64_t fit_rung(uint32_t i);      /* the i-th cover, 0 past the last */

/* dev.sm_count and its like: what the device has, or an unknown of the right type; reports names that
 * are none. device: NULL where nothing is known. */
struct const_value device_fact(struct session *s, struct ast_name name,
                               const struct sema_device *device);

/* Where a compile-time expression stands: its module, and what else has a value there. `name`
 * returns false when the name is not its own (then module constants are tried); it may set a
 * poison after reporting. */
struct const_scope {
    struct sema_module *m;
    bool (*name)(void *user, struct ast_name name, struct const_value *out);
    bool (*has)(void *user, struct ast_name name, struct const_value *out); /* has w; NULL: no */
    void *user;
    const struct sema_device *device; /* whose dev.x may be asked for; NULL: none's */
};

/* The value of an expression; false and a poison after reporting, for example because it is not
 * known at compile time. */
bool const_eval(const struct const_scope *scope, const struct expr *e, struct const_value *out);

/* ---- element types and generic sets (types.c) ----------------------------------------------- */

bool elem_named(const char *text, enum ir_elem *elem); /* "bf16", "index" */
/* The names above, for nearest-name suggestions. */
const char *const *elem_names(uint32_t *count);

typedef uint32_t elem_set; /* bit i: enum ir_elem i */

/* What a generic may be: float, real, int, any, or the types listed. Reports; 0 on error. */
elem_set generic_set(struct sema_module *m, const struct ast_generic *g);
const char *elem_set_text(struct session *s, elem_set set); /* "f16, bf16, f32" */

/* True if a `from` becomes a `to` without being asked: small floats to f32, integers to wider ones of
 * one sign (index counts as the widest signed one). */
bool elem_widens(enum ir_elem from, enum ir_elem to);
/* The type in which two operands meet; false: they do not mix. */
bool elem_join(enum ir_elem a, enum ir_elem b, enum ir_elem *out);
/* The same for comparisons, where index meets every integer. */
bool elem_join_compare(enum ir_elem a, enum ir_elem b, enum ir_elem *out);
/* "%what f16 and i32" with advice; "f32 does not become f16 by itself". Return false. */
bool report_mix(struct session *s, struct span at, const char *what, enum ir_elem a,
                enum ir_elem b);
/* generic: what stands for `to` in the source, for the advice; or NULL. */
bool report_implicit(struct session *s, struct span at, enum ir_elem from, enum ir_elem to,
                     const char *generic);

/* ---- modules and items (module.c) ----------------------------------------------------------- */

enum const_state { CONST_NOT_YET, CONST_BUSY, CONST_DONE };

/* A top-level item of a file that has a name. */
struct sema_item {
    const struct item *ast;
    struct sema_module *module; /* where it is written: its names resolve there */
    bool used;
    enum const_state state; /* ITEM_CONST: evaluated on first use */
    struct const_value value;
};

struct sema_import {
    const struct item *ast;
    const char *alias;          /* NULL: its names are visible without a prefix */
    struct sema_module *module; /* NULL when it could not be loaded */
    bool used;
};

struct sema_module {
    struct session *s;
    struct sema_world *world; /* every file of this load, each once */
    uint32_t source;
    const char *path;
    struct ast_file *file;
    VEC(struct sema_item *) items;
    VEC(struct sema_import) imports;
    bool loading; /* its imports are being read: meeting it again is a cycle */
    uint32_t syntax_errors;
};

/* The item a name means in a file: its own, else one of an import without alias. Marks it used.
 * NULL when there is none; then the caller reports, with nearest_item for the suggestion. */
struct sema_item *sema_find(struct sema_module *m, const char *name);
/* alias.name. *alias_known tells "no such import" from "no such item in it". */
struct sema_item *sema_find_in(struct sema_module *m, const char *alias, const char *name,
                               bool *alias_known);
/* The item a loaded file declares itself; NULL: none. */
struct sema_item *sema_find_at(struct sema_module *m, const char *path, const char *name);
bool sema_is_alias(const struct sema_module *m, const char *name);
/* The visible item nearest to a name, among kinds (bits 1 << enum item_kind; 0: all), or NULL. */
const char *nearest_item(struct sema_module *m, const char *name, unsigned kinds);
/* True for names of built-in functions, types and constants (f32, sum, inf, dev ...). */
bool name_is_reserved(const char *name);
/* True for words that even a local may not take: types, inf, nan, dev. */
bool word_is_reserved(const char *name);
/* "kernel", "function", "struct": for messages. */
const char *item_kind_text(enum item_kind kind);
const char *item_kind_article(enum item_kind kind); /* "a", "an" */

/* The value of a module constant (evaluated on first use); poison after reporting. */
struct const_value sema_const(struct sema_item *item);
/* Position of a member of an enum; -1: none. */
int64_t enum_position(const struct item *e, const char *member);
/* Reports "enum has no member x" with the nearest; returns poison. */
struct const_value enum_value(struct session *s, const struct item *e, struct ast_name member);
/* The enum a type names in a file, or NULL (not an error). */
const struct item *enum_of_type(struct sema_module *m, const struct type_expr *t);

/* ---- variants of one kernel or op ----------------------------------------------------------- */

/* The finite set of values of a const parameter: bool and enum members, or its `in { .. }` list.
 * Reports when there is none. */
typedef VEC(struct const_value) const_values;
bool param_choices(struct sema_module *m, const struct ast_param *p, const_values *out);
/* What a const value is as a binding, and back. */
int64_t binding_of_const(struct const_value v);
struct const_value const_of_binding(struct sema_module *m, const struct ast_param *p,
                                    int64_t value);

/* The op layer's part of sema_check (op.c). */
bool sema_check_ops(struct sema_module *m);

#endif
