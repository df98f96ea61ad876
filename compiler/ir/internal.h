/* What the files of compiler/ir share: the result-type rules and the words of the text form. */
#ifndef IR_INTERNAL_H
#define IR_INTERNAL_H

#include "ir/ir.h"

/* The type that the op's rule gives to its (first) result, for every op whose result type follows
 * from operands and attributes; elem_wanted is used where the op leaves the element type open
 * (const, cast, bitcast). Returns NULL, or why the operands or attributes break the rule, in words
 * (static or module arena). Control ops have no rule here: verify.c checks them. */
const char *ir_type_rule(const struct ir_func *f, enum ir_opcode op, const struct ir_attr *attr,
                         struct ir_value *const *operands, uint32_t count, enum ir_elem elem_wanted,
                         struct ir_type *out);

/* True if ir_type_rule knows the op. */
bool ir_has_type_rule(enum ir_opcode op);

/* How many regions a node of the op has. */
uint32_t ir_region_count(enum ir_opcode op, const struct ir_attr *attr);

/* "f32[r, c]" */
const char *ir_type_text(const struct ir_func *f, struct ir_type type);

/* Names of axes and tensors as the text form says them: made unique where two are called alike. */
const char *ir_axis_text(const struct ir_func *f, uint32_t axis);
const char *ir_tensor_text(const struct ir_func *f, uint32_t tensor);

/* The word for attr.flag of an op: "fill", "clip", "exclusive". */
const char *ir_flag_word(enum ir_opcode op);
/* The words attr.kind of an op is said with (a list as below), and the attribute's name. */
const char *const *ir_kind_words(enum ir_opcode op, const char **attr_name);

/* The rules of ir_verify, each broken one reported to `broken` with the place of the node. */
struct ir_broken {
    void (*report)(void *user, struct span at, const char *why);
    void *user;
};
bool ir_check(const struct ir_func *f, const struct ir_broken *broken);

/* Words of the text form: NULL-terminated lists, indexed by the enum. */
extern const char *const ir_axis_kind_names[]; /* enum ir_axis_kind */
extern const char *const ir_access_names[];    /* enum ir_tensor_access */
extern const char *const ir_precision_names[]; /* attr.kind of dot */
extern const char *const ir_kind_names[];      /* enum ir_kind */
extern const char *const ir_cmp_names[];       /* enum ir_cmp */
extern const char *const ir_cache_names[];     /* enum ir_cache */

static inline axis_set axis_bit(unsigned axis)
{
    return axis < IR_MAX_AXIS ? (axis_set)1 << axis : 0;
}

static inline unsigned axis_count(axis_set axes)
{
    unsigned n = 0;
    for (; axes; axes &= axes - 1)
        n++;
    return n;
}

#endif
