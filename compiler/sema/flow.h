/* What branches and loops share: regions, and the variables whose values they hand on. */
#ifndef SEMA_FLOW_H
#define SEMA_FLOW_H

#include "sema/elab.h"

typedef VEC(struct ir_value *) ir_values;

/* The values of variables, all in a row: a struct takes one place for each field. */
void current_values(struct elab *e, const locals *vars, ir_values *out);
void set_values(struct elab *e, const locals *vars, struct ir_value *const *values);

/* One arm of a run-time branch, elaborated into a block that the `if` adopts afterwards. */
struct arm {
    struct ir_block *block;
    enum flow flow;
    ir_values values;    /* of the variables at its end */
    struct value result; /* of a function whose arm returned */
};

/* What go_inside changes and come_back restores. */
struct outside {
    struct ir_block *block;
    uint32_t facts;
    axis_set tested;
    bool body_top;
};

struct outside go_inside(struct elab *e, struct ir_block *block);
void come_back(struct elab *e, const struct outside *o);

/* An `if` that adopts the blocks of its arms. */
struct ir_node *append_if(struct elab *e, struct ir_value *test, struct arm *arms,
                          const struct ir_type *types, uint32_t count);
/* A branch that this variant does not take: checked, with no trace left. */
void elab_dead(struct elab *e, const ast_block *block);

#endif
