/* Reductions, scans and dot: what combines elements along axes. */
#include "sema/builtin.h"

/* sum(value over axes to part): the argument that says so. */
struct over {
    const struct ast_arg *arg;
    struct value value;
    axis_set axes;
    int axis; /* the only one, or -1 */
    uint8_t to;
};

static bool over_axis(struct elab *e, struct ast_name name, struct value v, struct over *o)
{
    int axis = find_axis(e, name);
    if (axis < 0)
        return false;
    axis_set bit = (axis_set)1 << axis;
    if (o->axes & bit)
        return diag_error(e->s, name.at, DIAG_AXIS_TWICE, "axis %s is listed twice", name.text);
    o->axes |= bit;
    o->axis = o->axis == -2 ? axis : -1;
    if (is_poison(v))
        return false;
    if (value_axes(v) & bit)
        return true;
    diag_error(e->s, name.at, DIAG_AXIS_ABSENT, "the value does not vary along %s", name.text);
    const char *has = axes_text(e, value_axes(v));
    diag_note(e->s, o->arg->value->at, *has ? "it varies along %s" : "it is one value%s", has);
    return false;
}

static bool over_part(struct elab *e, struct over *o)
{
    struct ast_name to = o->arg->to;
    o->to = IR_NO_AXIS;
    if (!to.text)
        return true;
    int part = find_axis(e, to);
    if (part < 0)
        return false;
    const struct ir_axis *p = &e->f->axes.data[part];
    if (p->kind != IR_AXIS_PART || o->axes != (axis_set)1 << p->parent) {
        diag_error(e->s, to.at, DIAG_BAD_PARTS, "%s is not a partition of the reduced axis",
                   to.text);
        return diag_note(e->s, p->at, "%s is declared here", to.text);
    }
    o->to = (uint8_t)part;
    return true;
}

/* Elaborates argument i, which must be `value over axes`. */
static bool elab_over(struct elab *e, const struct expr *x, uint32_t i, const char *name,
                      struct over *o)
{
    *o = (struct over){.axis = -2, .to = IR_NO_AXIS};
    if (x->call.args.count <= i || !x->call.args.data[i].has_over) {
        diag_error(e->s, x->at, DIAG_BAD_ARGUMENTS, "%s needs an axis to work over", name);
        return diag_help(e->s, "write %s(%sx over c)", name, i ? "a, " : "");
    }
    o->arg = &x->call.args.data[i];
    o->value = elab_expr(e, o->arg->value);
    bool good = true;
    for (uint32_t a = 0; a < o->arg->over.count; a++)
        good &= over_axis(e, o->arg->over.data[a], o->value, o);
    return good && over_part(e, o);
}

static bool only_over(struct elab *e, const struct expr *x, const char *name,
                      const char *const *named, bool with)
{
    for (uint32_t i = 1; i < x->call.args.count; i++) {
        const struct ast_arg *a = &x->call.args.data[i];
        bool known = false;
        for (const char *const *n = named; n && *n; n++)
            known |= a->name.text && strcmp(*n, a->name.text) == 0;
        if (!known)
            return diag_error(e->s, a->at, DIAG_BAD_ARGUMENTS, "%s does not take this argument",
                              name);
    }
    if (x->call.args.count && x->call.args.data[0].has_over) {
        const struct ast_arg *a = &x->call.args.data[0];
        bool has = a->with.text || a->with_body;
        if (with && !has)
            return diag_error(e->s, x->at, DIAG_BAD_ARGUMENTS,
                              "%s needs a combiner: %s(x over c with f)", name, name);
        if (has && !with)
            return diag_error(e->s, a->at, DIAG_BAD_ARGUMENTS,
                              "%s takes no combiner: use reduce or scan", name);
    }
    return true;
}

/* Sums of 16-bit floats are formed in f32: a 16-bit running sum would lose most of its terms. */
static struct ir_value *summand(struct elab *e, struct ir_value *v, enum ir_kind kind)
{
    bool adds = kind == IR_KIND_SUM || kind == IR_KIND_PROD;
    bool small = ir_elem_is_float(v->type.elem) && ir_elem_bits(v->type.elem) < 32;
    return adds && small ? ir_cast(&e->b, v, IR_F32) : v;
}

static bool kind_fits(struct elab *e, const struct expr *x, const char *name, enum ir_kind kind,
                      const struct ir_value *v)
{
    bool logical = kind == IR_KIND_ANY || kind == IR_KIND_ALL;
    bool byte_float = ir_elem_is_float(v->type.elem) && ir_elem_bits(v->type.elem) == 8;
    if (logical == (v->type.elem == IR_BOOL) && !byte_float)
        return true;
    wants(e, x->call.args.data[0].value->at, name, logical ? "bools" : "numbers", v);
    if (v->type.elem == IR_BOOL)
        diag_help(e->s, "count(b over c) counts the true ones");
    return false;
}

static struct ir_node *append_reduce(struct elab *e, struct span at, enum ir_kind kind,
                                     const struct over *o, struct ir_value **operands,
                                     uint32_t count)
{
    struct ir_type types[MAX_FIELDS];
    axis_set axes = 0;
    e->b.at = at;
    for (uint32_t i = 0; i < count; i++)
        axes |= operands[i]->type.axes;
    axes &= ~o->axes;
    if (o->to != IR_NO_AXIS)
        axes |= (axis_set)1 << o->to;
    for (uint32_t i = 0; i < count; i++)
        types[i] = (struct ir_type){operands[i]->type.elem, axes};
    struct ir_attr attr = {.kind = (uint8_t)kind, .axes = o->axes, .to = o->to};
    return ir_append(&e->b, IR_OP_reduce, attr, operands, count, types, count,
                     kind == IR_KIND_COMBINER);
}

struct value builtin_reduction(struct elab *e, const struct expr *x, const struct builtin *row)
{
    struct over o;
    enum ir_kind kind = (enum ir_kind)row->what;
    if (!only_over(e, x, row->name, NULL, false) || !elab_over(e, x, 0, row->name, &o))
        return value_poison();
    struct ir_value *v = as_ir(e, o.arg->value->at, o.value);
    if (!v || !kind_fits(e, x, row->name, kind, v))
        return value_poison();
    v = summand(e, v, kind);
    return value_ir(append_reduce(e, x->at, kind, &o, &v, 1)->results[0]);
}

struct value builtin_count(struct elab *e, const struct expr *x, const struct builtin *row)
{
    struct over o;
    if (!only_over(e, x, row->name, NULL, false) || !elab_over(e, x, 0, row->name, &o))
        return value_poison();
    struct ir_value *v = as_ir(e, o.arg->value->at, o.value);
    if (!v || !kind_fits(e, x, row->name, IR_KIND_ANY, v))
        return value_poison();
    v = ir_cast(&e->b, v, IR_INDEX);
    return value_ir(append_reduce(e, x->at, IR_KIND_SUM, &o, &v, 1)->results[0]);
}

/* ---- combiners ------------------------------------------------------------------------------ */

/* The region's arguments: a.. then b.., scalars of the operands' element types. */
static void combiner_args(struct elab *e, struct ir_node *n, struct ir_value **a,
                          struct ir_value **b)
{
    for (uint32_t side = 0; side < 2; side++)
        for (uint32_t i = 0; i < n->operand_count; i++) {
            struct ir_type type = {n->operands[i]->type.elem, 0};
            (side ? b : a)[i] = ir_block_arg(e->f, n->regions[0], type);
        }
}

/* Goes into the region; returns the block to come back to. */
static struct ir_block *enter(struct elab *e, struct ir_node *n)
{
    struct ir_block *back = e->b.block;
    e->b.block = n->regions[0];
    return back;
}

static void leave(struct elab *e, struct ir_block *back, struct ir_value **yields, uint32_t count)
{
    struct ir_attr attr = {0};
    ir_append(&e->b, IR_OP_yield, attr, yields, count, NULL, 0, 0);
    e->b.block = back;
}

/* a wins if it is better, or a NaN against a number, or equal and earlier. */
static struct ir_value *first_wins(struct elab *e, enum ir_cmp better, struct ir_value *a,
                                   struct ir_value *b, struct ir_value *ai, struct ir_value *bi)
{
    struct ir_builder *in = &e->b;
    struct ir_value *wins = ir_compare(in, better, a, b);
    struct ir_value *same = ir_compare(in, IR_CMP_EQ, a, b);
    if (ir_elem_is_float(a->type.elem)) {
        struct ir_value *a_nan = ir_compare(in, IR_CMP_NE, a, a);
        struct ir_value *b_nan = ir_compare(in, IR_CMP_NE, b, b);
        struct ir_value *only_a = ir_binary(in, IR_OP_and, a_nan, ir_unary(in, IR_OP_not, b_nan));
        wins = ir_binary(in, IR_OP_or, wins, only_a);
        same = ir_binary(in, IR_OP_or, same, ir_binary(in, IR_OP_and, a_nan, b_nan));
    }
    struct ir_value *earlier = ir_compare(in, IR_CMP_LT, ai, bi);
    return ir_binary(in, IR_OP_or, wins, ir_binary(in, IR_OP_and, same, earlier));
}

struct value builtin_arg_best(struct elab *e, const struct expr *x, const struct builtin *row)
{
    struct over o;
    struct ir_value *a[2], *b[2];
    if (!only_over(e, x, row->name, NULL, false) || !elab_over(e, x, 0, row->name, &o))
        return value_poison();
    struct ir_value *v = as_ir(e, o.arg->value->at, o.value);
    if (!v || !kind_fits(e, x, row->name, IR_KIND_MAX, v))
        return value_poison();
    if (o.axis < 0 || o.to != IR_NO_AXIS || e->f->axes.data[o.axis].kind == IR_AXIS_PART) {
        diag_error(e->s, x->at, DIAG_BAD_ARGUMENTS, "%s works over one whole axis", row->name);
        return value_poison();
    }
    struct ir_value *operands[] = {v, ir_index(&e->b, (uint8_t)o.axis)};
    struct ir_node *n = append_reduce(e, x->at, IR_KIND_COMBINER, &o, operands, 2);
    combiner_args(e, n, a, b);
    struct ir_block *back = enter(e, n);
    struct ir_value *keep = first_wins(e, (enum ir_cmp)row->what, a[0], b[0], a[1], b[1]);
    struct ir_value *yields[] = {ir_select(&e->b, keep, a[0], b[0]),
                                 ir_select(&e->b, keep, a[1], b[1])};
    leave(e, back, yields, 2);
    return value_ir(n->results[1]);
}

static bool defined_in(const struct ir_value *v, const struct ir_block *region)
{
    const struct ir_block *b = v->def == IR_DEF_ARG ? v->block : v->node->block;
    while (b && b != region)
        b = b->parent ? b->parent->block : NULL;
    return b == region;
}

/* A combiner may not reach outside: it runs between any two elements, in any order. */
static bool stands_alone(struct elab *e, const struct ir_block *block,
                         const struct ir_block *region, struct span at)
{
    for (const struct ir_node *n = block->first; n; n = n->next) {
        if (ir_op_info(n->op)->traits & (IR_READS | IR_WRITES | IR_EFFECT))
            return diag_error(e->s, at, DIAG_BAD_COMBINER, "a combiner cannot access tensors");
        for (uint32_t i = 0; i < n->operand_count; i++)
            if (!defined_in(n->operands[i], region))
                return diag_error(e->s, at, DIAG_BAD_COMBINER,
                                  "a combiner uses only its two arguments and constants");
        for (uint32_t r = 0; r < n->region_count; r++)
            if (!stands_alone(e, n->regions[r], region, at))
                return false;
    }
    return true;
}

static struct value combine_by_name(struct elab *e, const struct ast_arg *arg, struct value a,
                                    struct value b)
{
    struct value args[] = {a, b};
    struct span spans[] = {arg->value->at, arg->value->at};
    struct sema_item *fn = sema_find(e->m, arg->with.text);
    if (!fn || fn->ast->kind != ITEM_FN) {
        diag_error(e->s, arg->with.at, DIAG_BAD_COMBINER, "there is no function called %s",
                   arg->with.text);
        const char *near = nearest_item(e->m, arg->with.text, 1u << ITEM_FN);
        if (near)
            diag_help(e->s, "did you mean %s?", near);
        return value_poison();
    }
    if (fn->ast->params.count != 2) {
        diag_error(e->s, arg->with.at, DIAG_BAD_COMBINER,
                   "%s takes %u arguments; a combiner takes two", arg->with.text,
                   fn->ast->params.count);
        diag_note(e->s, fn->ast->name.at, "%s is declared here", arg->with.text);
        return value_poison();
    }
    return inline_fn(e, arg->with.at, fn, args, spans, 2);
}

static struct value combine_by_lambda(struct elab *e, const struct ast_arg *arg, struct value a,
                                      struct value b)
{
    if (arg->with_params.count != 2) {
        diag_error(e->s, arg->at, DIAG_BAD_COMBINER, "a combiner takes two arguments");
        return value_poison();
    }
    uint32_t outer = scope_begin(e);
    struct value sides[] = {a, b};
    for (int i = 0; i < 2; i++)
        declare(e, arg->with_params.data[i], LOCAL_VALUE, "argument")->value = sides[i];
    struct value v = elab_expr(e, arg->with_body);
    scope_end(e, outer);
    return v;
}

/* Fills the node's region with the user's combiner. */
static bool build_combiner(struct elab *e, const struct ast_arg *arg, struct ir_node *n,
                           const struct place *place)
{
    struct ir_value *a[MAX_FIELDS], *b[MAX_FIELDS], *yields[MAX_FIELDS];
    combiner_args(e, n, a, b);
    struct ir_block *back = enter(e, n);
    struct span at = arg->with.text ? arg->with.at : arg->with_body->at;
    struct value x = value_of_parts(e, place, a), y = value_of_parts(e, place, b);
    struct value v =
        arg->with.text ? combine_by_name(e, arg, x, y) : combine_by_lambda(e, arg, x, y);
    struct place result = *place;
    result.axes = 0;
    result.lifts = false;
    struct place got = place_of_value(e, v);
    bool same =
        got.kind == place->kind && (got.kind != PLACE_ELEM || elem_widens(got.elem, place->elem));
    bool is_float, literal = is_literal(v, &is_float);
    if (!is_poison(v) && !same && !literal)
        diag_error(e->s, at, DIAG_BAD_COMBINER, "the combiner returns %s, not %s", value_text(e, v),
                   place->kind == PLACE_STRUCT ? place->of->ast->name.text
                                               : ir_elem_name(place->elem));
    if (value_axes(v)) {
        diag_error(e->s, at, DIAG_BAD_COMBINER,
                   "a combiner uses only its two arguments and constants");
        v = value_poison();
    }
    v = same || literal ? fit_place(e, at, v, &result, "the combiner's result") : value_poison();
    bool good = !is_poison(v);
    for (uint32_t i = 0; i < n->operand_count; i++)
        yields[i] = good ? value_part(v, i) : a[i];
    leave(e, back, yields, n->operand_count);
    return good && stands_alone(e, n->regions[0], n->regions[0], at);
}

static bool combined_operands(struct elab *e, struct span at, struct value v, struct place *place,
                              struct ir_value **operands, uint32_t *count)
{
    *place = place_of_value(e, v);
    *count = place_width(place);
    if (v.kind == VALUE_CHOICE)
        v = value_ir(as_ir(e, at, v));
    if (is_poison(v) || !*count)
        return false;
    for (uint32_t i = 0; i < *count; i++)
        operands[i] = value_part(v, i);
    return true;
}

struct value builtin_combine(struct elab *e, const struct expr *x, const struct builtin *row)
{
    struct over o;
    struct place place;
    struct ir_value *operands[MAX_FIELDS];
    uint32_t count;
    if (!only_over(e, x, row->name, NULL, true) || !elab_over(e, x, 0, row->name, &o) ||
        !combined_operands(e, x->at, o.value, &place, operands, &count))
        return value_poison();
    struct ir_node *n = append_reduce(e, x->at, IR_KIND_COMBINER, &o, operands, count);
    if (!build_combiner(e, o.arg, n, &place))
        return value_poison();
    return value_of_parts(e, &place, n->results);
}

/* ---- scans ---------------------------------------------------------------------------------- */

struct value builtin_running(struct elab *e, const struct expr *x, const struct builtin *row)
{
    static const char *const named[] = {"exclusive", NULL};
    struct over o;
    struct place place;
    struct ir_value *operands[MAX_FIELDS];
    struct ir_type types[MAX_FIELDS];
    uint32_t count;
    enum ir_kind kind = (enum ir_kind)row->what;
    if (!only_over(e, x, row->name, named, kind == IR_KIND_COMBINER) ||
        !elab_over(e, x, 0, row->name, &o) ||
        !combined_operands(e, x->at, o.value, &place, operands, &count))
        return value_poison();
    if (o.axis < 0 || o.to != IR_NO_AXIS) {
        diag_error(e->s, x->at, DIAG_BAD_ARGUMENTS, "%s runs along one whole axis", row->name);
        return value_poison();
    }
    const struct ast_arg *exclusive = named_arg(x, "exclusive");
    struct const_value flag = const_bool(false);
    if (exclusive)
        flag = elab_const(e, exclusive->value, "exclusive");
    if (kind != IR_KIND_COMBINER) {
        if (count != 1 || !kind_fits(e, x, row->name, kind, operands[0]))
            return value_poison();
        operands[0] = summand(e, operands[0], kind);
        place.elem = operands[0]->type.elem;
    }
    for (uint32_t i = 0; i < count; i++)
        types[i] = (struct ir_type){operands[i]->type.elem, value_axes(o.value)};
    e->b.at = x->at;
    struct ir_attr attr = {
        .kind = (uint8_t)kind, .axis = (uint8_t)o.axis, .flag = flag.kind == CONST_BOOL && flag.i};
    struct ir_node *n =
        ir_append(&e->b, IR_OP_scan, attr, operands, count, types, count, kind == IR_KIND_COMBINER);
    if (kind == IR_KIND_COMBINER && !build_combiner(e, o.arg, n, &place))
        return value_poison();
    return value_of_parts(e, &place, n->results);
}

/* ---- dot ------------------------------------------------------------------------------------ */

static bool dot_precision(struct elab *e, const struct expr *x, enum ir_elem elem, uint8_t *out)
{
    static const char *const words[] = {"tf32", "f32x3", "f32"};
    const struct ast_arg *a = named_arg(x, "precision");
    *out = 0;
    if (!a && elem == IR_F32) {
        diag_error(e->s, x->at, DIAG_DOT_PRECISION, "dot of f32 needs a precision");
        return diag_help(e->s, "add `precision: tf32`, `f32x3` or `f32`");
    }
    for (uint8_t i = 0; a && a->value->kind == EXPR_NAME && i < 3; i++)
        if (strcmp(words[i], a->value->string) == 0)
            *out = i + 1;
    if (a && !*out)
        return diag_error(e->s, a->value->at, DIAG_DOT_PRECISION,
                          "precision is tf32, f32x3 or f32");
    return true;
}

static bool has_dot(enum ir_elem elem)
{
    return ir_elem_is_float(elem) || elem == IR_I8 || elem == IR_U8;
}

struct value builtin_dot(struct elab *e, const struct expr *x, const struct builtin *row)
{
    struct over o;
    struct ir_value *both[2];
    uint8_t precision;
    bool shape = x->call.args.count >= 2 && x->call.args.count <= 3 &&
                 !x->call.args.data[0].has_over && x->call.args.data[1].has_over &&
                 (x->call.args.count == 2 || named_arg(x, "precision"));
    if (!shape) {
        diag_error(e->s, x->at, DIAG_BAD_DOT, "dot is written dot(a, b over k)");
        return value_poison();
    }
    struct value a = elab_expr(e, x->call.args.data[0].value);
    if (!elab_over(e, x, 1, row->name, &o) ||
        !join_operands(e, x->at, "dot does not take", false, &a, &o.value, both))
        return value_poison();
    if (o.axis < 0 || o.to != IR_NO_AXIS) {
        diag_error(e->s, x->at, DIAG_BAD_DOT, "dot contracts one axis");
        return value_poison();
    }
    if (!(both[0]->type.axes & o.axes)) {
        diag_error(e->s, x->call.args.data[0].value->at, DIAG_AXIS_ABSENT,
                   "this operand of dot does not vary along %s", e->f->axes.data[o.axis].name);
        return value_poison();
    }
    enum ir_elem elem = both[0]->type.elem;
    if (!has_dot(elem))
        return wants(e, x->at, row->name, "floats or 8-bit integers", both[0]);
    if (!dot_precision(e, x, elem, &precision))
        return value_poison();
    struct ir_type type = {elem == IR_F64           ? IR_F64
                           : ir_elem_is_float(elem) ? IR_F32
                                                    : IR_I32,
                           (both[0]->type.axes | both[1]->type.axes) & ~o.axes};
    struct ir_attr attr = {.axis = (uint8_t)o.axis, .kind = precision};
    e->b.at = x->at;
    return value_ir(ir_append(&e->b, IR_OP_dot, attr, both, 2, &type, 1, 0)->results[0]);
}
