/* Affine views of subscripts: what code generation and the range rules ask of an access.
 *
 * Index arithmetic wraps at 64 bits, and so do the coefficients here: the sum is equal to the value
 * whatever the numbers are. */
#include "ir/internal.h"

#define MAX_TERMS  (sizeof((struct ir_affine *)0)->terms / sizeof(struct ir_affine_term))
#define MAX_VISITS 256 /* a shared subexpression is visited once for each way to it */

struct walk {
    struct ir_affine *out;
    unsigned visits;
};

static int64_t times(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

static int64_t plus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static bool add_term(struct ir_affine *out, struct ir_value *value, int64_t coefficient)
{
    for (uint32_t i = 0; i < out->term_count; i++)
        if (out->terms[i].value == value) {
            out->terms[i].coefficient = plus(out->terms[i].coefficient, coefficient);
            return true;
        }
    if (out->term_count == MAX_TERMS)
        return false;
    out->terms[out->term_count++] = (struct ir_affine_term){value, coefficient};
    return true;
}

static bool is_const(const struct ir_value *v)
{
    return v->def == IR_DEF_NODE && v->node->op == IR_OP_const;
}

static bool add_scaled(struct walk *w, const struct ir_value *v, int64_t scale);

static bool is_index(const struct ir_value *v)
{
    return v->type.axes && v->def == IR_DEF_NODE && v->node->op == IR_OP_index;
}

/* index{a} * factor: the one place where the axis occurs. */
static bool add_index(struct walk *w, uint8_t axis, struct ir_value *factor, int64_t scale)
{
    bool met = w->out->coefficient[axis] != 0;
    if (met && (factor || w->out->factor[axis]))
        return false;
    w->out->coefficient[axis] = plus(w->out->coefficient[axis], scale);
    w->out->factor[axis] = factor;
    return true;
}

static bool add_product(struct walk *w, struct ir_value *a, struct ir_value *b, int64_t scale)
{
    if (is_const(b))
        return add_scaled(w, a, times(scale, b->node->attr.i));
    return is_index(a) && !b->type.axes && add_index(w, a->node->attr.axis, b, scale);
}

/* The value as a sum of its operands; false if its op is not linear. */
static bool add_operands(struct walk *w, const struct ir_value *v, int64_t scale)
{
    const struct ir_node *n = v->def == IR_DEF_NODE ? v->node : NULL;
    if (!n || v->type.elem != IR_INDEX || w->visits++ > MAX_VISITS)
        return false;
    struct ir_value **x = n->operands;
    switch ((int)n->op) {
    case IR_OP_const: return add_term(w->out, NULL, times(n->attr.i, scale));
    case IR_OP_expand: return add_scaled(w, x[0], scale);
    case IR_OP_neg: return add_scaled(w, x[0], times(scale, -1));
    case IR_OP_add: return add_scaled(w, x[0], scale) && add_scaled(w, x[1], scale);
    case IR_OP_sub: return add_scaled(w, x[0], scale) && add_scaled(w, x[1], times(scale, -1));
    case IR_OP_mul: return add_product(w, x[0], x[1], scale) || add_product(w, x[1], x[0], scale);
    case IR_OP_index: return v->type.axes && add_index(w, n->attr.axis, NULL, scale);
    default: return false;
    }
}

/* A scalar that is no sum, or a sum of too many terms, is a term of its own. */
static bool add_scaled(struct walk *w, const struct ir_value *v, int64_t scale)
{
    struct ir_affine before = *w->out;
    if (add_operands(w, v, scale))
        return true;
    if (v->type.axes)
        return false;
    *w->out = before;
    return add_term(w->out, (struct ir_value *)v, scale);
}

static void drop_zero_terms(struct ir_affine *out)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < out->term_count; i++)
        if (out->terms[i].coefficient)
            out->terms[kept++] = out->terms[i];
    out->term_count = kept;
}

void ir_affine_of(const struct ir_value *value, struct ir_affine *out)
{
    struct walk w = {.out = out};
    *out = (struct ir_affine){0};
    if (!add_scaled(&w, value, 1)) {
        *out = (struct ir_affine){.axes = value->type.axes};
        return;
    }
    out->affine = true;
    drop_zero_terms(out);
    for (unsigned i = 0; i < IR_MAX_AXIS; i++)
        if (out->coefficient[i])
            out->axes |= axis_bit(i);
}
