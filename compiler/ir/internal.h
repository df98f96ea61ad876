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

/* "f32[r, c]" */
const char *ir_type_text(const struct ir_func *f, struct ir_type type);

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
