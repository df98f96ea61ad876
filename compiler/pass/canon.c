/* canon: one spelling for each idea.
 *
 * What:  folds ops on constants, removes identities that hold for every number (NaN, infinities and
 *        -0 included), writes constants on the right, joins exact chains of casts, drops expands
 *        that broadcasting does anyway, removes branches and loops that constants decide.
 * Needs: nothing.
 * Keeps: every observable bit: floats are only simplified where IEEE arithmetic gives the same
 *        result, so x + 0.0 stays (-0.0 + 0.0 is 0.0) and x * 1.0 goes.
 * Example:
 *        %3 = const {i = 8} : index           %3 = const {i = 8} : index
 *        %4 = mul %3, %i : index        ->    %4 = mul %i, %3 : index
 *        %5 = cast %x : f32[c]                (uses of %6 take %x, a bf16[c])
 *        %6 = cast %5 : bf16[c] */
#include "pass/internal.h"

#include <math.h>

struct canon {
    struct ir_func *f;
    bool changed;
};

/* A builder that stands before n. */
static struct ir_builder builder_at(struct canon *c, struct ir_node *n)
{
    return (struct ir_builder){c->f, n->block, n->at, n};
}

static struct ir_value *make_number(struct ir_builder *b, struct number x)
{
    return ir_elem_is_float(x.elem) ? ir_const_float(b, x.elem, x.f) : ir_const_int(b, x.elem, x.i);
}

/* v with the axes of the node's result, which it may lack. */
static struct ir_value *with_axes_of(struct canon *c, struct ir_node *n, struct ir_value *v)
{
    struct ir_type type = n->results[0]->type;
    if (v->type.axes == type.axes)
        return v;
    struct ir_builder b = builder_at(c, n);
    struct ir_attr attr = {.axes = type.axes & ~v->type.axes};
    return ir_append(&b, IR_OP_expand, attr, &v, 1, &type, 1, 0)->results[0];
}

static struct ir_value *number_for(struct canon *c, struct ir_node *n, struct number x)
{
    struct ir_builder b = builder_at(c, n);
    return with_axes_of(c, n, make_number(&b, x));
}

static struct ir_value *int_for(struct canon *c, struct ir_node *n, int64_t i)
{
    struct number x = {.elem = n->results[0]->type.elem, .i = i};
    return number_for(c, n, x);
}

static struct ir_node *node_of(const struct ir_value *v, enum ir_opcode op)
{
    return v->def == IR_DEF_NODE && v->node->op == op ? v->node : NULL;
}

/* ---- constants -------------------------------------------------------------------------------- */

static struct ir_value *fold(struct canon *c, struct ir_node *n)
{
    struct number x, y, result;
    if (!const_of(n->operands[0], &x))
        return NULL;
    if (n->operand_count == 1)
        return fold_unary(n->op, x, n->results[0]->type.elem, &result) ? number_for(c, n, result)
                                                                       : NULL;
    if (n->operand_count != 2 || !const_of(n->operands[1], &y))
        return NULL;
    if (n->op == IR_OP_cmp)
        return int_for(c, n, fold_compare((enum ir_cmp)n->attr.kind, x, y));
    return fold_binary(n->op, x, y, &result) ? number_for(c, n, result) : NULL;
}

static enum ir_cmp mirror(enum ir_cmp cmp)
{
    switch (cmp) {
    case IR_CMP_LT: return IR_CMP_GT;
    case IR_CMP_LE: return IR_CMP_GE;
    case IR_CMP_GT: return IR_CMP_LT;
    case IR_CMP_GE: return IR_CMP_LE;
    case IR_CMP_EQ:
    case IR_CMP_NE: break;
    }
    return cmp;
}

/* A constant on the left goes to the right. */
static void order_operands(struct canon *c, struct ir_node *n)
{
    struct number unused;
    bool may_swap = (ir_op_info(n->op)->traits & IR_COMMUTES) || n->op == IR_OP_cmp;
    if (!may_swap || !const_of(n->operands[0], &unused) || const_of(n->operands[1], &unused))
        return;
    struct ir_value *left = n->operands[0];
    n->operands[0] = n->operands[1];
    n->operands[1] = left;
    if (n->op == IR_OP_cmp)
        n->attr.kind = (uint8_t)mirror((enum ir_cmp)n->attr.kind);
    c->changed = true;
}

/* ---- identities ------------------------------------------------------------------------------- */

static bool all_ones(struct number y)
{
    return y.elem == IR_BOOL ? y.i == 1 : y.i == ir_wrap(y.elem, UINT64_MAX);
}

/* x op y is x. */
static bool is_neutral(enum ir_opcode op, struct number y)
{
    bool is_float = ir_elem_is_float(y.elem);
    switch ((int)op) {
    case IR_OP_add: return is_float ? y.f == 0 && signbit(y.f) : y.i == 0;
    case IR_OP_sub: return is_float ? y.f == 0 && !signbit(y.f) : y.i == 0;
    case IR_OP_mul:
    case IR_OP_div:
    case IR_OP_div_exact: return is_float ? y.f == 1 : y.i == 1;
    case IR_OP_or:
    case IR_OP_xor:
    case IR_OP_shl:
    case IR_OP_shr: return y.i == 0;
    case IR_OP_and: return all_ones(y);
    default: return false;
    }
}

/* x op y is the constant *out, for integers and bools. */
static bool absorbs(enum ir_opcode op, struct number y, int64_t *out)
{
    *out = op == IR_OP_or ? y.i : 0;
    if (ir_elem_is_float(y.elem))
        return false;
    switch ((int)op) {
    case IR_OP_mul:
    case IR_OP_and:
    case IR_OP_div: return y.i == 0; /* a division by 0 gives 0 */
    case IR_OP_rem: return y.i == 0 || y.i == 1;
    case IR_OP_or: return all_ones(y);
    default: return false;
    }
}

static struct ir_value *simplify_with_constant(struct canon *c, struct ir_node *n)
{
    struct number y;
    int64_t absorbed;
    if (!const_of(n->operands[1], &y))
        return NULL;
    if (is_neutral(n->op, y))
        return with_axes_of(c, n, n->operands[0]);
    return absorbs(n->op, y, &absorbed) ? int_for(c, n, absorbed) : NULL;
}

/* x op x. */
static struct ir_value *simplify_same(struct canon *c, struct ir_node *n)
{
    struct ir_value *x = n->operands[0];
    bool is_float = ir_elem_is_float(x->type.elem);
    if (x != n->operands[1])
        return NULL;
    switch ((int)n->op) {
    case IR_OP_min:
    case IR_OP_max:
    case IR_OP_fmin:
    case IR_OP_fmax:
    case IR_OP_and:
    case IR_OP_or: return x;
    case IR_OP_sub:
    case IR_OP_xor: return is_float ? NULL : int_for(c, n, 0);
    case IR_OP_cmp: {
        bool holds =
            n->attr.kind == IR_CMP_EQ || n->attr.kind == IR_CMP_LE || n->attr.kind == IR_CMP_GE;
        return is_float ? NULL : int_for(c, n, holds);
    }
    default: return NULL;
    }
}

/* (x + 3) + 4 is x + 7, for integers; x - 3 is x + -3. */
static struct ir_value *join_sums(struct canon *c, struct ir_node *n)
{
    struct number y, inner_y;
    struct ir_value *x = n->operands[0];
    bool is_sum = n->op == IR_OP_add || n->op == IR_OP_sub;
    if (!is_sum || !ir_elem_is_integer(x->type.elem) || !const_of(n->operands[1], &y))
        return NULL;
    uint64_t sum = n->op == IR_OP_sub ? 0 - (uint64_t)y.i : (uint64_t)y.i;
    struct ir_node *inner = node_of(x, IR_OP_add);
    bool joins = inner && const_of(inner->operands[1], &inner_y);
    if (!joins && n->op == IR_OP_add)
        return NULL;
    if (joins) {
        sum += (uint64_t)inner_y.i;
        x = inner->operands[0];
    }
    struct ir_builder b = builder_at(c, n);
    return ir_binary(&b, IR_OP_add, x, ir_const_int(&b, y.elem, (int64_t)sum));
}

static struct ir_value *simplify_binary(struct canon *c, struct ir_node *n)
{
    struct ir_value *v = simplify_with_constant(c, n);
    if (!v)
        v = simplify_same(c, n);
    return v ? v : join_sums(c, n);
}

/* A bool cast from bool comparisons aside, only casts whose first step loses nothing join. */
static struct ir_value *simplify_cast(struct canon *c, struct ir_node *n)
{
    struct ir_value *x = n->operands[0];
    enum ir_elem to = n->results[0]->type.elem;
    if (x->type.elem == to)
        return x;
    struct ir_node *inner = node_of(x, IR_OP_cast);
    if (!inner || !cast_is_exact(inner->operands[0]->type.elem, x->type.elem))
        return NULL;
    struct ir_builder b = builder_at(c, n);
    return ir_cast(&b, inner->operands[0], to);
}

/* not (x < y) is x >= y for integers; for floats only == and != have an opposite. */
static struct ir_value *simplify_not(struct canon *c, struct ir_node *n)
{
    static const enum ir_cmp opposite[] = {IR_CMP_NE, IR_CMP_EQ, IR_CMP_GE,
                                           IR_CMP_GT, IR_CMP_LE, IR_CMP_LT};
    struct ir_node *cmp = node_of(n->operands[0], IR_OP_cmp);
    struct ir_node *inner = node_of(n->operands[0], IR_OP_not);
    if (inner)
        return inner->operands[0];
    if (!cmp || (ir_elem_is_float(cmp->operands[0]->type.elem) && cmp->attr.kind > IR_CMP_NE))
        return NULL;
    struct ir_builder b = builder_at(c, n);
    return ir_compare(&b, opposite[cmp->attr.kind], cmp->operands[0], cmp->operands[1]);
}

static struct ir_value *simplify_select(struct canon *c, struct ir_node *n)
{
    struct number test;
    if (n->operands[1] == n->operands[2])
        return with_axes_of(c, n, n->operands[1]);
    if (const_of(n->operands[0], &test))
        return with_axes_of(c, n, n->operands[test.i ? 1 : 2]);
    return NULL;
}

static struct ir_value *simplify_expand(struct canon *c, struct ir_node *n)
{
    struct ir_value *x = n->operands[0];
    struct ir_node *inner = node_of(x, IR_OP_expand);
    if (x->type.axes == n->results[0]->type.axes)
        return x;
    return inner ? with_axes_of(c, n, inner->operands[0]) : NULL;
}

static struct ir_value *simplify_twice(struct ir_node *n)
{
    struct ir_node *inner = node_of(n->operands[0], n->op);
    if (!inner)
        return NULL;
    return n->op == IR_OP_neg ? inner->operands[0] : inner->results[0];
}

/* Broadcasting is implicit: an elementwise op takes the operand of an expand if the others bring
 * the axes anyway. */
static void skip_expands(struct canon *c, struct ir_node *n)
{
    for (uint32_t i = 0; i < n->operand_count; i++) {
        struct ir_node *expand = node_of(n->operands[i], IR_OP_expand);
        if (!expand)
            continue;
        axis_set axes = expand->operands[0]->type.axes;
        for (uint32_t j = 0; j < n->operand_count; j++)
            axes |= j == i ? 0 : n->operands[j]->type.axes;
        if (axes != n->results[0]->type.axes)
            continue;
        ir_set_operand(n, i, expand->operands[0]);
        c->changed = true;
    }
}

/* What the result of n is equal to, or NULL. */
static struct ir_value *simplify(struct canon *c, struct ir_node *n)
{
    struct ir_value *v = fold(c, n);
    if (v)
        return v;
    order_operands(c, n);
    switch ((int)n->op) {
    case IR_OP_cast: return simplify_cast(c, n);
    case IR_OP_not: return simplify_not(c, n);
    case IR_OP_select: return simplify_select(c, n);
    case IR_OP_expand: return simplify_expand(c, n);
    case IR_OP_neg:
    case IR_OP_abs: return simplify_twice(n);
    default: return n->operand_count == 2 ? simplify_binary(c, n) : NULL;
    }
}

/* ---- control ---------------------------------------------------------------------------------- */

static void remove_rest(struct ir_node *after)
{
    struct ir_block *b = after->block;
    while (b->last != after)
        ir_remove(b->last);
}

/* The live region of a decided `if` takes its place. A region that leaves (break, continue, return)
 * makes what follows unreachable. */
static void inline_branch(struct canon *c, struct ir_node *n, struct ir_block *live)
{
    struct ir_node *end = live->last;
    for (struct ir_node *inner = live->first, *next; inner != end; inner = next) {
        next = inner->next;
        ir_detach(inner);
        ir_insert_before(n, inner);
    }
    if (end->op == IR_OP_yield) {
        for (uint32_t i = 0; i < n->result_count; i++)
            ir_replace(c->f, n->results[i], end->operands[i]);
    } else {
        remove_rest(n);
        ir_detach(end);
        ir_insert_before(n, end);
    }
    ir_remove(n);
    c->changed = true;
}

static bool simplify_if(struct canon *c, struct ir_node *n)
{
    struct number test;
    if (!const_of(n->operands[0], &test))
        return false;
    struct ir_block *live = n->regions[test.i ? 0 : 1];
    if (n->block == c->f->body && live->last->op != IR_OP_yield)
        return false; /* the tables of the function name values of the top level: all stay */
    inline_branch(c, n, live);
    return true;
}

/* A for or sweep over an empty range gives its initial values. */
static bool simplify_loop(struct canon *c, struct ir_node *n)
{
    struct number lo, hi;
    if (n->op == IR_OP_loop || !const_of(n->operands[0], &lo) || !const_of(n->operands[1], &hi) ||
        fold_compare(IR_CMP_LT, lo, hi))
        return false;
    for (uint32_t i = 0; i < n->result_count; i++)
        ir_replace(c->f, n->results[i], n->operands[loop_bounds(n->op) + i]);
    ir_remove(n);
    c->changed = true;
    return true;
}

static bool simplify_check(struct canon *c, struct ir_node *n)
{
    struct number test;
    if (!const_of(n->operands[0], &test) || !test.i)
        return false;
    ir_remove(n);
    c->changed = true;
    return true;
}

/* True if the node went away. */
static bool simplify_control(struct canon *c, struct ir_node *n)
{
    switch ((int)n->op) {
    case IR_OP_if: return simplify_if(c, n);
    case IR_OP_for:
    case IR_OP_sweep: return simplify_loop(c, n);
    case IR_OP_assert:
    case IR_OP_assume: return simplify_check(c, n);
    default: return false;
    }
}

static void replace_node(struct canon *c, struct ir_node *n, struct ir_value *v)
{
    if (!v->name)
        v->name = n->results[0]->name;
    ir_replace(c->f, n->results[0], v);
    ir_remove(n);
    c->changed = true;
}

static void canon_block(struct canon *c, struct ir_block *b)
{
    struct ir_node *next;
    for (struct ir_node *n = b->first; n; n = next) {
        struct ir_node *before = n->prev;
        unsigned traits = ir_op_info(n->op)->traits;
        struct ir_value *v = NULL;
        if (simplify_control(c, n)) { /* visit what took its place */
            next = before ? before->next : b->first;
            continue;
        }
        for (uint32_t r = 0; r < n->region_count; r++)
            canon_block(c, n->regions[r]);
        if (n->op == IR_OP_expand || ((traits & IR_ELEMENTWISE) && n->operand_count))
            v = simplify(c, n);
        if (!v && (traits & IR_ELEMENTWISE))
            skip_expands(c, n);
        next = n->next;
        if (v)
            replace_node(c, n, v);
    }
}

bool pass_canon(struct pass_ctx *ctx, struct ir_func *f)
{
    (void)ctx;
    struct canon c = {f, false};
    canon_block(&c, f->body);
    return c.changed;
}
