/* The result type of every op, in one place: the builder's shorthands take it, the verifier and the
 * reader compare with it. Elementwise ops join the axes of their operands. */
#include "ir/internal.h"

/* What a rule looks at. */
struct use {
    const struct ir_func *f;
    enum ir_opcode op;
    const struct ir_attr *attr;
    struct ir_value *const *operands;
    uint32_t count;
    enum ir_elem wanted;
};

const char *ir_type_text(const struct ir_func *f, struct ir_type type)
{
    struct arena *a = &f->session->module;
    char *text = arena_printf(a, "%s", ir_elem_name(type.elem));
    const char *before = "[";
    for (unsigned i = 0; i < IR_MAX_AXIS; i++) {
        if (!(type.axes & axis_bit(i)))
            continue;
        const char *name = i < f->axes.count ? ir_axis_text(f, i) : "?";
        text = arena_printf(a, "%s%s%s", text, before, name);
        before = ", ";
    }
    return type.axes ? arena_printf(a, "%s]", text) : text;
}

static axis_set join_axes(const struct use *u, uint32_t first)
{
    axis_set axes = 0;
    for (uint32_t i = first; i < u->count; i++)
        axes |= u->operands[i]->type.axes;
    return axes;
}

static enum ir_elem elem_of(const struct use *u, uint32_t i)
{
    return u->operands[i]->type.elem;
}

static bool is_number(enum ir_elem e)
{
    return ir_elem_is_float(e) || ir_elem_is_integer(e);
}

static bool is_bits(enum ir_elem e)
{
    return e == IR_BOOL || ir_elem_is_integer(e);
}

static bool same_elem(const struct use *u, uint32_t first)
{
    for (uint32_t i = first + 1; i < u->count; i++)
        if (elem_of(u, i) != elem_of(u, first))
            return false;
    return true;
}

static const char *unary_rule(const struct use *u, bool fits, const char *wants,
                              struct ir_type *out)
{
    *out = u->operands[0]->type;
    return fits ? NULL : wants;
}

static const char *binary_rule(const struct use *u, bool fits, const char *wants,
                               struct ir_type *out)
{
    *out = (struct ir_type){elem_of(u, 0), join_axes(u, 0)};
    if (!same_elem(u, 0))
        return "operands have different element types";
    return fits ? NULL : wants;
}

/* Subscripts of load, store and atomic: one index for each dim. */
static const char *check_subscripts(const struct use *u, uint32_t rest)
{
    if (u->attr->tensor >= u->f->tensors.count)
        return "there is no such tensor";
    const struct ir_tensor *t = &u->f->tensors.data[u->attr->tensor];
    if (u->count != t->rank + rest)
        return "wants one subscript for each dim of the tensor, then its other operands";
    for (uint32_t i = 0; i < t->rank; i++)
        if (elem_of(u, i) != IR_INDEX)
            return "subscripts must have type index";
    return NULL;
}

static const char *load_rule(const struct use *u, struct ir_type *out)
{
    const char *why = check_subscripts(u, u->attr->flag ? 1 : 0);
    if (why)
        return why;
    const struct ir_tensor *t = &u->f->tensors.data[u->attr->tensor];
    *out = (struct ir_type){t->elem, join_axes(u, 0)};
    if (u->attr->flag && elem_of(u, u->count - 1) != t->elem)
        return "the fill must have the tensor's element type";
    return NULL;
}

static const char *store_rule(const struct use *u)
{
    const char *why = check_subscripts(u, 1);
    if (why)
        return why;
    const struct ir_tensor *t = &u->f->tensors.data[u->attr->tensor];
    const struct ir_value *value = u->operands[u->count - 1];
    axis_set target = 0;
    for (uint32_t i = 0; i < t->rank; i++)
        target |= u->operands[i]->type.axes;
    if (t->access == IR_READ)
        return "the tensor is read-only";
    if (value->type.elem != t->elem)
        return "the value must have the tensor's element type";
    if (u->op == IR_OP_store && (value->type.axes & ~target))
        return "the value has an axis that the subscripts lack";
    return NULL;
}

/* Whether a kind combines values of this element type. */
static const char *check_kind(enum ir_kind kind, enum ir_elem elem)
{
    switch (kind) {
    case IR_KIND_SUM:
    case IR_KIND_PROD:
    case IR_KIND_MAX:
    case IR_KIND_MIN:
    case IR_KIND_FMAX:
    case IR_KIND_FMIN: return is_number(elem) ? NULL : "this kind combines numbers";
    case IR_KIND_ANY:
    case IR_KIND_ALL: return elem == IR_BOOL ? NULL : "this kind combines bools";
    case IR_KIND_COMBINER: return NULL;
    }
    return "there is no such kind";
}

static const char *atomic_rule(const struct use *u)
{
    const char *why = store_rule(u);
    if (why)
        return why;
    if (u->attr->kind == IR_KIND_COMBINER)
        return "an atomic wants a built-in kind";
    return check_kind((enum ir_kind)u->attr->kind, elem_of(u, u->count - 1));
}

/* reduce and scan without a combiner take one operand. */
static const char *check_combine(const struct use *u)
{
    if (u->attr->kind != IR_KIND_COMBINER && u->count != 1)
        return "a built-in kind combines one operand";
    return check_kind((enum ir_kind)u->attr->kind, elem_of(u, 0));
}

static const char *reduce_rule(const struct use *u, struct ir_type *out)
{
    axis_set axes = join_axes(u, 0);
    *out = (struct ir_type){elem_of(u, 0), axes & ~u->attr->axes};
    if (!u->attr->axes)
        return "wants at least one axis to reduce over";
    if (u->attr->axes & ~axes)
        return "reduces over an axis that no operand has";
    if (u->attr->to != IR_NO_AXIS) {
        if (u->attr->to >= u->f->axes.count)
            return "there is no such part axis";
        const struct ir_axis *to = &u->f->axes.data[u->attr->to];
        if (to->kind != IR_AXIS_PART || u->attr->axes != axis_bit(to->parent))
            return "`to` must be a part axis of the one axis that is reduced";
        out->axes |= axis_bit(u->attr->to);
    }
    return check_combine(u);
}

static const char *scan_rule(const struct use *u, struct ir_type *out)
{
    *out = (struct ir_type){elem_of(u, 0), join_axes(u, 0)};
    if (!(out->axes & axis_bit(u->attr->axis)))
        return "scans along an axis that no operand has";
    return check_combine(u);
}

static const char *spread_rule(const struct use *u, struct ir_type *out)
{
    axis_set parts = 0;
    *out = u->operands[0]->type;
    for (unsigned i = 0; i < u->f->axes.count; i++)
        if ((out->axes & axis_bit(i)) && u->f->axes.data[i].kind == IR_AXIS_PART &&
            u->f->axes.data[i].parent == u->attr->axis)
            parts |= axis_bit(i);
    if (axis_count(parts) != 1)
        return "the operand must have exactly one part axis of the axis";
    out->axes = (out->axes & ~parts) | axis_bit(u->attr->axis);
    return NULL;
}

static const char *extract_rule(const struct use *u, struct ir_type *out)
{
    *out = u->operands[0]->type;
    if (!(out->axes & axis_bit(u->attr->axis)))
        return "the tile lacks the axis";
    if (elem_of(u, 1) != IR_INDEX || u->operands[1]->type.axes)
        return "the element number must be a scalar of type index";
    out->axes &= ~axis_bit(u->attr->axis);
    return NULL;
}

static const char *relabel_rule(const struct use *u, struct ir_type *out)
{
    *out = u->operands[0]->type;
    if (u->attr->to >= u->f->axes.count)
        return "there is no such axis to relabel to";
    if (!(out->axes & axis_bit(u->attr->axis)))
        return "the tile lacks the axis";
    if (out->axes & axis_bit(u->attr->to))
        return "the tile already has the axis it is relabelled to";
    if (u->f->axes.data[u->attr->axis].tile != u->f->axes.data[u->attr->to].tile)
        return "both axes must have one tile size";
    out->axes = (out->axes & ~axis_bit(u->attr->axis)) | axis_bit(u->attr->to);
    return NULL;
}

static const char *dot_rule(const struct use *u, struct ir_type *out)
{
    axis_set both = u->operands[0]->type.axes & u->operands[1]->type.axes;
    enum ir_elem elem = elem_of(u, 0);
    enum ir_elem result = elem == IR_F64 ? IR_F64 : ir_elem_is_float(elem) ? IR_F32 : IR_I32;
    *out = (struct ir_type){result, join_axes(u, 0) & ~axis_bit(u->attr->axis)};
    if (!same_elem(u, 0) || !is_number(elem))
        return "wants two tiles of numbers of one element type";
    if (!(both & axis_bit(u->attr->axis)))
        return "both operands must have the contracted axis";
    return u->attr->kind <= 3 ? NULL : "there is no such precision";
}

static const char *bitcast_rule(const struct use *u, struct ir_type *out)
{
    *out = (struct ir_type){u->wanted, join_axes(u, 0)};
    if (elem_of(u, 0) == IR_BOOL || u->wanted == IR_BOOL)
        return "bool has no bit pattern to reinterpret";
    return ir_elem_bits(elem_of(u, 0)) == ir_elem_bits(u->wanted)
               ? NULL
               : "both types must have the same size";
}

static const char *select_rule(const struct use *u, struct ir_type *out)
{
    *out = (struct ir_type){elem_of(u, 1), join_axes(u, 0)};
    if (elem_of(u, 0) != IR_BOOL)
        return "the condition must be bool";
    return same_elem(u, 1) ? NULL : "both choices must have one element type";
}

static const char *index_rule(const struct use *u, struct ir_type *out)
{
    const struct ir_axis *axis = &u->f->axes.data[u->attr->axis];
    bool scalar = axis->kind == IR_AXIS_PROGRAM;
    *out = (struct ir_type){IR_INDEX, scalar ? 0 : axis_bit(u->attr->axis)};
    return NULL;
}

static const char *merge_rule(const struct use *u, struct ir_type *out)
{
    *out = (struct ir_type){elem_of(u, 0), join_axes(u, 0) | axis_bit(u->attr->axis)};
    return same_elem(u, 0) ? NULL : "operands have different element types";
}

static const char *apply_rule(const struct use *u, struct ir_type *out)
{
    enum ir_elem x = u->count ? elem_of(u, 0) : IR_BOOL;
    switch (u->op) {
    case IR_OP_const: *out = (struct ir_type){u->wanted, 0}; return NULL;
    case IR_OP_index: return index_rule(u, out);
    case IR_OP_neg:
    case IR_OP_abs: return unary_rule(u, is_number(x), "wants a number", out);
    case IR_OP_not: return unary_rule(u, is_bits(x), "wants a bool or an integer", out);
    case IR_OP_sqrt:
    case IR_OP_rsqrt:
    case IR_OP_exp:
    case IR_OP_exp2:
    case IR_OP_log:
    case IR_OP_log2:
    case IR_OP_sin:
    case IR_OP_cos:
    case IR_OP_tanh:
    case IR_OP_erf:
    case IR_OP_floor:
    case IR_OP_ceil:
    case IR_OP_round:
    case IR_OP_trunc: return unary_rule(u, ir_elem_is_float(x), "wants a float", out);
    case IR_OP_cast: *out = (struct ir_type){u->wanted, join_axes(u, 0)}; return NULL;
    case IR_OP_bitcast: return bitcast_rule(u, out);
    case IR_OP_add:
    case IR_OP_sub:
    case IR_OP_mul:
    case IR_OP_div:
    case IR_OP_min:
    case IR_OP_max:
    case IR_OP_fmin:
    case IR_OP_fmax: return binary_rule(u, is_number(x), "wants numbers", out);
    case IR_OP_rem:
    case IR_OP_shl:
    case IR_OP_shr: return binary_rule(u, ir_elem_is_integer(x), "wants integers", out);
    case IR_OP_and:
    case IR_OP_or:
    case IR_OP_xor: return binary_rule(u, is_bits(x), "wants bools or integers", out);
    case IR_OP_pow:
    case IR_OP_div_exact:
    case IR_OP_fma: return binary_rule(u, ir_elem_is_float(x), "wants floats", out);
    case IR_OP_cmp: {
        const char *why = binary_rule(u, true, NULL, out);
        out->elem = IR_BOOL;
        return why;
    }
    case IR_OP_select: return select_rule(u, out);
    case IR_OP_load: return load_rule(u, out);
    case IR_OP_store: return store_rule(u);
    case IR_OP_atomic: return atomic_rule(u);
    case IR_OP_reduce: return reduce_rule(u, out);
    case IR_OP_scan: return scan_rule(u, out);
    case IR_OP_spread: return spread_rule(u, out);
    case IR_OP_merge: return merge_rule(u, out);
    case IR_OP_extract: return extract_rule(u, out);
    case IR_OP_relabel: return relabel_rule(u, out);
    case IR_OP_dot: return dot_rule(u, out);
    case IR_OP_expand: *out = (struct ir_type){x, join_axes(u, 0) | u->attr->axes}; return NULL;
    case IR_OP_assert:
    case IR_OP_assume: return x == IR_BOOL ? NULL : "wants a bool";
    case IR_OP_yield:
    case IR_OP_break:
    case IR_OP_continue:
    case IR_OP_return:
    case IR_OP_if:
    case IR_OP_for:
    case IR_OP_loop:
    case IR_OP_sweep:
    case IR_OP_COUNT: break;
    }
    return NULL;
}

static bool count_fits(int wanted, uint32_t count)
{
    return wanted >= 0 ? count == (uint32_t)wanted : count + 1 >= (uint32_t)-wanted;
}

bool ir_has_type_rule(enum ir_opcode op)
{
    return !(ir_op_info(op)->traits & IR_TERMINATOR) && op != IR_OP_if && op != IR_OP_for &&
           op != IR_OP_loop && op != IR_OP_sweep;
}

const char *ir_type_rule(const struct ir_func *f, enum ir_opcode op, const struct ir_attr *attr,
                         struct ir_value *const *operands, uint32_t count, enum ir_elem elem_wanted,
                         struct ir_type *out)
{
    const struct ir_op_info *info = ir_op_info(op);
    axis_set known = f->axes.count >= IR_MAX_AXIS ? ~(axis_set)0 : axis_bit(f->axes.count) - 1;
    *out = (struct ir_type){elem_wanted, 0};
    if (!count_fits(info->args, count))
        return "has the wrong number of operands";
    if ((info->attrs & IR_A_AXIS) && attr->axis >= f->axes.count)
        return "there is no such axis";
    if ((info->attrs & IR_A_AXES) && (attr->axes & ~known))
        return "there is no such axis";
    struct use u = {f, op, attr, operands, count, elem_wanted};
    const char *why = apply_rule(&u, out);
    if (!why && axis_count(out->axes) > IR_MAX_AXES)
        return "the result has too many axes";
    return why;
}

uint32_t ir_region_count(enum ir_opcode op, const struct ir_attr *attr)
{
    if (op == IR_OP_if)
        return 2;
    if (op == IR_OP_reduce || op == IR_OP_scan)
        return attr->kind == IR_KIND_COMBINER;
    return (ir_op_info(op)->traits & IR_REGIONS) != 0;
}
