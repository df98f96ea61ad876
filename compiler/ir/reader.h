/* The state of reading one function, and what its files share. Local to compiler/ir.
 *
 * Every function here that returns bool reports what is wrong and returns false; the reading then
 * ends. */
#ifndef IR_READER_H
#define IR_READER_H

#include "ir/internal.h"
#include "ir/token.h"

struct name_slot {
    const char *name;
    struct ir_value *value;
};

/* The values that the header names, until the body is read; no text: none. */
struct axis_promise {
    struct token lo, hi, bound;
};

struct tensor_promise {
    struct token dims[IR_MAX_RANK];
};

struct reader {
    struct session *session;
    uint32_t source, at;
    struct token token; /* the next one */
    struct ir_func *f;
    struct name_slot *slots; /* open addressing, by pointer */
    uint32_t slot_count, slot_capacity;
    VEC(struct axis_promise) axes;
    VEC(struct tensor_promise) tensors;
    unsigned depth; /* regions around */
};

/* ---- tokens (reader.c) ------------------------------------------------------------------------ */

void reader_advance(struct reader *r);
/* "found x, wanted y"; always false. */
bool reader_unexpected(struct reader *r, const char *wanted);
bool reader_at_punct(const struct reader *r, const char *text);
/* These take the next token if it fits ... */
bool reader_accept_punct(struct reader *r, const char *text);
bool reader_accept_word(struct reader *r, const char *text);
/* ... and these report if it does not. */
bool reader_expect_punct(struct reader *r, const char *text);
bool reader_expect(struct reader *r, enum token_kind kind, const char *wanted, struct token *out);

/* What a token says. */
bool reader_int(struct reader *r, const struct token *t, int64_t *out);
bool reader_float(struct reader *r, const struct token *t, double *out);
/* The position of a word in a NULL-terminated list. */
bool reader_find_word(struct reader *r, const struct token *t, const char *const *words,
                      const char *what, uint32_t *out);
bool reader_find_elem(struct reader *r, const struct token *t, enum ir_elem *out);
bool reader_find_axis(struct reader *r, const struct token *t, uint8_t *out);

/* ---- attribute lists (attrs.c) ---------------------------------------------------------------- */

/* "name", "name = value" or "name = [word, word]" */
struct attr_item {
    struct token name, value;
    bool has_value, is_list, taken;
    VEC(struct token) list;
};

struct attr_items {
    VEC(struct attr_item) items;
};

/* Reads a list in braces; none is an empty one. */
bool attrs_read(struct reader *r, struct attr_items *out);
/* The attribute of this name, now taken, or NULL. */
struct attr_item *attrs_take(struct attr_items *attrs, const char *name);
bool attrs_flag(struct attr_items *attrs, const char *name);
/* Leaves *out alone if there is no such attribute. */
bool attrs_int(struct reader *r, struct attr_items *attrs, const char *name, int64_t *out);
/* Everything that ops.def gives the op. */
bool attrs_of_node(struct reader *r, const struct token *op_name, enum ir_opcode op,
                   struct attr_items *attrs, struct ir_attr *out);
/* What nobody took is an error. */
bool attrs_all_taken(struct reader *r, const struct attr_items *attrs, const char *what);

#endif
