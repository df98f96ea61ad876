/* What the passes share. */
#ifndef PASS_INTERNAL_H
#define PASS_INTERNAL_H

#include "pass/pass.h"

bool pass_canon(struct pass_ctx *ctx, struct ir_func *f);
bool pass_cse(struct pass_ctx *ctx, struct ir_func *f);
bool pass_mem(struct pass_ctx *ctx, struct ir_func *f);
bool pass_licm(struct pass_ctx *ctx, struct ir_func *f);
bool pass_dce(struct pass_ctx *ctx, struct ir_func *f);
bool pass_defer(struct pass_ctx *ctx, struct ir_func *f);
bool pass_parts(struct pass_ctx *ctx, struct ir_func *f);

/* ---- constants (fold.c): the exact meaning of ops.def on numbers ------------------------------ */

/* A scalar constant: i for integers and bool, f for floats, as in ir_attr. */
struct number {
    enum ir_elem elem;
    int64_t i;
    double f;
};

bool fold_unary(enum ir_opcode op, struct number x, enum ir_elem to, struct number *out);
bool fold_binary(enum ir_opcode op, struct number x, struct number y, struct number *out);
bool fold_compare(enum ir_cmp cmp, struct number x, struct number y);

/* True if every value of `from` is a value of `to`, so that a cast is exact. */
bool cast_is_exact(enum ir_elem from, enum ir_elem to);

/* ---- questions about nodes (query.c) ---------------------------------------------------------- */

/* The constant behind a value; false if it is none. */
bool const_of(const struct ir_value *v, struct number *out);

/* The tensors that a node, or anything inside it, writes: bit t of word t / 64. */
struct tensor_set {
    uint64_t word[4];
};
void add_written(const struct ir_node *n, struct tensor_set *out);
bool has_tensor(const struct tensor_set *set, uint8_t tensor);

bool is_loop(enum ir_opcode op);
/* Operands before a loop's initial values. */
uint32_t loop_bounds(enum ir_opcode op);

/* True if the node stands in b or in a region inside it. */
bool is_inside(const struct ir_block *b, const struct ir_node *n);
/* The block that defines a value. */
const struct ir_block *home_of(const struct ir_value *v);
/* True if the value is defined in b or in a region inside it. */
bool is_local(const struct ir_block *b, const struct ir_value *v);

/* Calls visit for every node of b and of the regions inside it, outer nodes first. */
void each_node(struct ir_block *b, void (*visit)(void *user, struct ir_node *n), void *user);

#endif
