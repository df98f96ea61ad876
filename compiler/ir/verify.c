/* The rules of the IR, checked after building, after reading and after every pass. docs/ir.md lists
 * them; the result types are in type.c. */
#include "ir/internal.h"

struct verifier {
    const struct ir_func *f;
    const struct ir_broken *broken;
    uint32_t found;
    uint8_t *seen;    /* by value id: defined somewhere */
    uint8_t *visible; /* by value id: defined on the way to here */
    uint32_t *uses;   /* by value id: operand slots met */
};

/* What surrounds a block. */
struct scope {
    const struct ir_node *owner; /* NULL: the body */
    const struct ir_node *loop;  /* innermost for, loop or sweep; NULL: none */
    axis_set swept;              /* axes of the sweeps around */
    bool combiner;               /* inside the region of a reduce or scan */
};

static bool wrong(struct verifier *v, struct span at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool wrong(struct verifier *v, struct span at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    v->found++;
    v->broken->report(v->broken->user, at, arena_vprintf(&v->f->session->module, format, args));
    va_end(args);
    return false;
}

static bool node_wrong(struct verifier *v, const struct ir_node *n, const char *why)
{
    return wrong(v, n->at, "%s: %s", ir_op_info(n->op)->name, why);
}

static bool same_type(struct ir_type a, struct ir_type b)
{
    return a.elem == b.elem && a.axes == b.axes;
}

static bool is_scalar(const struct ir_value *value, enum ir_elem elem)
{
    return value->type.elem == elem && !value->type.axes;
}

static bool is_loop(enum ir_opcode op)
{
    return op == IR_OP_for || op == IR_OP_loop || op == IR_OP_sweep;
}

/* Definitions. */

static bool define(struct verifier *v, struct span at, const struct ir_value *value)
{
    if (!value || value->id >= v->f->value_count)
        return wrong(v, at, "a result is missing or has no number");
    if (v->seen[value->id])
        return wrong(v, at, "a value is defined twice");
    if ((unsigned)value->type.elem >= IR_ELEM_COUNT)
        return wrong(v, at, "a value has no element type");
    if (axis_count(value->type.axes) > IR_MAX_AXES)
        return wrong(v, at, "a value has more than %d axes", IR_MAX_AXES);
    for (uint32_t i = v->f->axes.count; i < IR_MAX_AXIS; i++)
        if (value->type.axes & axis_bit(i))
            return wrong(v, at, "a value has an axis that does not exist");
    for (uint32_t i = 0; i < v->f->axes.count; i++)
        if ((value->type.axes & axis_bit(i)) && v->f->axes.data[i].kind == IR_AXIS_PROGRAM)
            return wrong(v, at, "a value has program axis %s: those are scalars",
                         ir_axis_text(v->f, i));
    v->seen[value->id] = v->visible[value->id] = 1;
    return true;
}

static bool is_visible(const struct verifier *v, const struct ir_value *value)
{
    return value && value->id < v->f->value_count && v->visible[value->id];
}

static bool check_operands(struct verifier *v, const struct ir_node *n)
{
    for (uint32_t i = 0; i < n->operand_count; i++) {
        if (!is_visible(v, n->operands[i]))
            return node_wrong(v, n, "an operand is used where it is not defined");
        v->uses[n->operands[i]->id]++;
    }
    return true;
}

static bool define_results(struct verifier *v, const struct ir_node *n)
{
    for (uint32_t i = 0; i < n->result_count; i++) {
        const struct ir_value *value = n->results[i];
        if (!define(v, n->at, value))
            return false;
        if (value->def != IR_DEF_NODE || value->node != n || value->number != i)
            return node_wrong(v, n, "a result does not point back to its node");
    }
    return true;
}

/* Attributes. */

static uint32_t word_count(const char *const *words)
{
    uint32_t n = 0;
    while (words[n])
        n++;
    return n;
}

/* An axis can be used once its range is known; a swept one only inside its sweep. */
static bool axis_ready(const struct verifier *v, const struct scope *scope, unsigned axis)
{
    const struct ir_axis *a = &v->f->axes.data[axis];
    if (a->kind == IR_AXIS_PART)
        a = &v->f->axes.data[a->parent];
    return is_visible(v, a->lo) && is_visible(v, a->hi) &&
           (a->kind != IR_AXIS_SWEPT || a != &v->f->axes.data[axis] ||
            (scope->swept & axis_bit(axis)));
}

static bool check_axis(struct verifier *v, const struct ir_node *n, const struct scope *scope)
{
    const struct ir_func *f = v->f;
    if (n->attr.axis >= f->axes.count)
        return node_wrong(v, n, "there is no such axis");
    const struct ir_axis *axis = &f->axes.data[n->attr.axis];
    if (n->op == IR_OP_sweep && axis->kind != IR_AXIS_SWEPT)
        return node_wrong(v, n, "the axis is not a swept one");
    if (n->op == IR_OP_sweep && (scope->swept & axis_bit(n->attr.axis)))
        return node_wrong(v, n, "stands in a sweep of the same axis");
    if (n->op == IR_OP_index && !axis_ready(v, scope, n->attr.axis))
        return node_wrong(v, n,
                          axis->kind == IR_AXIS_SWEPT
                              ? "a swept axis has elements inside its sweep only"
                              : "the range of the axis is not known yet");
    return true;
}

static bool check_const(struct verifier *v, const struct ir_node *n)
{
    enum ir_elem elem = n->results[0]->type.elem;
    unsigned bits = elem == IR_BOOL ? 1 : ir_elem_bits(elem);
    if (ir_elem_is_float(elem) || bits == 64)
        return true;
    int64_t lo = ir_elem_is_signed(elem) ? -((int64_t)1 << (bits - 1)) : 0;
    int64_t hi = lo + ((int64_t)1 << bits) - 1;
    return (n->attr.i >= lo && n->attr.i <= hi) ||
           node_wrong(v, n, "the constant does not fit its element type");
}

static bool check_attrs(struct verifier *v, const struct ir_node *n, const struct scope *scope)
{
    unsigned has = ir_op_info(n->op)->attrs;
    const char *unused;
    if ((has & IR_A_KIND) && n->attr.kind >= word_count(ir_kind_words(n->op, &unused)))
        return node_wrong(v, n, "there is no such kind");
    if ((has & IR_A_CMP) && n->attr.kind >= word_count(ir_cmp_names))
        return node_wrong(v, n, "there is no such comparison");
    if ((has & IR_A_CACHE) && n->attr.kind >= word_count(ir_cache_names))
        return node_wrong(v, n, "there is no such cache hint");
    if ((has & IR_A_TO) && n->attr.to != IR_NO_AXIS && n->attr.to >= v->f->axes.count)
        return node_wrong(v, n, "there is no such axis to go to");
    if (n->op == IR_OP_const && n->result_count == 1)
        return check_const(v, n);
    return !(has & IR_A_AXIS) || check_axis(v, n, scope);
}

/* A tensor's dims are known where it is accessed. */
static bool check_tensor(struct verifier *v, const struct ir_node *n)
{
    const struct ir_tensor *t = &v->f->tensors.data[n->attr.tensor];
    for (uint32_t d = 0; d < t->rank; d++)
        if (!is_visible(v, t->dims[d]))
            return node_wrong(v, n, "the dims of the tensor are not known yet");
    return true;
}

/* Result types of ops that have a rule. */

static bool result_count_fits(const struct ir_node *n)
{
    int wanted = ir_op_info(n->op)->results;
    if (n->op == IR_OP_reduce || n->op == IR_OP_scan)
        return n->result_count == n->operand_count;
    return wanted < 0 || n->result_count == (uint32_t)wanted;
}

static bool check_result_types(struct verifier *v, const struct ir_node *n)
{
    struct ir_type type;
    enum ir_elem wanted = n->result_count ? n->results[0]->type.elem : IR_BOOL;
    const char *why =
        ir_type_rule(v->f, n->op, &n->attr, n->operands, n->operand_count, wanted, &type);
    if (why)
        return node_wrong(v, n, why);
    for (uint32_t i = 0; i < n->result_count; i++) {
        if (i) /* reduce and scan: one result for each operand */
            type.elem = n->operands[i]->type.elem;
        if (!same_type(n->results[i]->type, type))
            return wrong(v, n->at, "%s: the result has type %s; its operands make %s",
                         ir_op_info(n->op)->name, ir_type_text(v->f, n->results[i]->type),
                         ir_type_text(v->f, type));
    }
    return !(ir_op_info(n->op)->attrs & IR_A_TENSOR) || check_tensor(v, n);
}

/* Control ops. */

/* Operands before the initial values of a loop. */
static uint32_t loop_bounds(enum ir_opcode op)
{
    return op == IR_OP_for ? 3 : op == IR_OP_sweep ? 2 : 0;
}

static bool check_loop(struct verifier *v, const struct ir_node *n)
{
    uint32_t first = loop_bounds(n->op);
    const struct ir_block *body = n->regions[0];
    uint32_t counter = n->op == IR_OP_for;
    if (n->operand_count != first + n->result_count ||
        body->args.count != counter + n->result_count)
        return node_wrong(v, n, "results, initial values and carried values differ in number");
    for (uint32_t i = 0; i < first; i++)
        if (!is_scalar(n->operands[i], n->op == IR_OP_sweep ? IR_INDEX : n->operands[0]->type.elem))
            return node_wrong(v, n, "bounds must be scalars of one integer type");
    if (counter && (!ir_elem_is_integer(n->operands[0]->type.elem) ||
                    !same_type(body->args.data[0]->type, n->operands[0]->type)))
        return node_wrong(v, n, "the counter and the bounds must have one integer type");
    for (uint32_t i = 0; i < n->result_count; i++)
        if (!same_type(n->results[i]->type, n->operands[first + i]->type) ||
            !same_type(n->results[i]->type, body->args.data[counter + i]->type))
            return node_wrong(v, n, "a carried value changes its type");
    return true;
}

static bool check_if(struct verifier *v, const struct ir_node *n)
{
    if (n->operand_count != 1 || !is_scalar(n->operands[0], IR_BOOL))
        return node_wrong(v, n, "the condition must be a scalar bool");
    return (!n->regions[0]->args.count && !n->regions[1]->args.count) ||
           node_wrong(v, n, "a branch takes no arguments");
}

static bool check_combiner(struct verifier *v, const struct ir_node *n)
{
    const struct ir_block *body = n->regions[0];
    if (body->args.count != 2 * n->operand_count)
        return node_wrong(v, n, "the combiner wants two arguments for each operand");
    for (uint32_t i = 0; i < body->args.count; i++)
        if (!is_scalar(body->args.data[i], n->operands[i % n->operand_count]->type.elem))
            return node_wrong(v, n,
                              "the combiner's arguments must be scalars of the operand types");
    return true;
}

static bool check_regions(struct verifier *v, const struct ir_node *n)
{
    if (n->region_count != ir_region_count(n->op, &n->attr))
        return node_wrong(v, n, "has the wrong number of regions");
    if (is_loop(n->op))
        return check_loop(v, n);
    if (n->op == IR_OP_if)
        return check_if(v, n);
    return !n->region_count || check_combiner(v, n);
}

/* Terminators. */

static bool check_results_of(struct verifier *v, const struct ir_node *n,
                             const struct ir_node *owner)
{
    if (n->operand_count != owner->result_count)
        return node_wrong(v, n, "does not give one value for each result of the op around it");
    for (uint32_t i = 0; i < n->operand_count; i++) {
        struct ir_type wanted = owner->results[i]->type;
        if (owner->op == IR_OP_reduce || owner->op == IR_OP_scan)
            wanted = (struct ir_type){owner->operands[i]->type.elem, 0};
        if (!same_type(n->operands[i]->type, wanted))
            return wrong(v, n->at, "%s: gives %s where %s is wanted", ir_op_info(n->op)->name,
                         ir_type_text(v->f, n->operands[i]->type), ir_type_text(v->f, wanted));
    }
    return true;
}

static bool check_terminator(struct verifier *v, const struct ir_node *n, const struct scope *scope)
{
    if (n->op == IR_OP_yield)
        return scope->owner ? check_results_of(v, n, scope->owner)
                            : node_wrong(v, n, "the body ends with return");
    if (scope->combiner)
        return node_wrong(v, n, "a combiner ends with yield");
    if (n->op == IR_OP_return)
        return !n->operand_count || node_wrong(v, n, "takes no operands");
    return scope->loop ? check_results_of(v, n, scope->loop)
                       : node_wrong(v, n, "stands in no loop");
}

/* Combiners are functions of scalars. */
static bool check_inside_combiner(struct verifier *v, const struct ir_node *n)
{
    unsigned traits = ir_op_info(n->op)->traits;
    if (!(traits & (IR_PURE | IR_TERMINATOR)) || (traits & IR_REGIONS))
        return node_wrong(v, n, "a combiner holds pure ops only");
    for (uint32_t i = 0; i < n->operand_count; i++)
        if (n->operands[i]->type.axes)
            return node_wrong(v, n, "a combiner works on scalars");
    return true;
}

/* Blocks. */

static bool check_block(struct verifier *v, const struct ir_block *b, const struct scope *scope);

static struct scope scope_in(const struct ir_node *n, const struct scope *outer)
{
    struct scope inner = {n, outer->loop, outer->swept, outer->combiner};
    if (is_loop(n->op))
        inner.loop = n;
    if (n->op == IR_OP_sweep)
        inner.swept |= axis_bit(n->attr.axis);
    if (n->op == IR_OP_reduce || n->op == IR_OP_scan)
        inner.combiner = true;
    return inner;
}

static bool check_node(struct verifier *v, const struct ir_node *n, const struct scope *scope)
{
    bool terminator = ir_op_info(n->op)->traits & IR_TERMINATOR;
    if (!check_operands(v, n))
        return false;
    if (!result_count_fits(n))
        return node_wrong(v, n, "has the wrong number of results");
    if (scope->combiner && !check_inside_combiner(v, n))
        return false;
    if (!check_attrs(v, n, scope) || !check_regions(v, n))
        return false;
    if (ir_has_type_rule(n->op) && !check_result_types(v, n))
        return false;
    if (terminator && !check_terminator(v, n, scope))
        return false;
    struct scope inner = scope_in(n, scope);
    for (uint32_t i = 0; i < n->region_count; i++) {
        if (n->regions[i]->parent != n)
            return node_wrong(v, n, "a region does not point back to its op");
        if (!check_block(v, n->regions[i], &inner))
            return false;
    }
    return define_results(v, n);
}

static bool check_links(struct verifier *v, const struct ir_block *b)
{
    const struct ir_node *last = NULL;
    for (const struct ir_node *n = b->first; n; last = n, n = n->next) {
        if (n->block != b || n->prev != last)
            return node_wrong(v, n, "is linked wrongly into its block");
        bool terminator = ir_op_info(n->op)->traits & IR_TERMINATOR;
        if (terminator && n->next)
            return node_wrong(v, n, "is not the last op of its block");
        if (!terminator && !n->next)
            return node_wrong(v, n, "ends a block: a terminator must follow");
    }
    if (last != b->last)
        return wrong(v, last ? last->at : v->f->at, "a block does not know its last op");
    return last || wrong(v, b->parent ? b->parent->at : v->f->at, "a block is empty");
}

static void hide_block(struct verifier *v, const struct ir_block *b)
{
    for (uint32_t i = 0; i < b->args.count; i++)
        v->visible[b->args.data[i]->id] = 0;
    for (const struct ir_node *n = b->first; n; n = n->next)
        for (uint32_t i = 0; i < n->result_count; i++)
            v->visible[n->results[i]->id] = 0;
}

static bool check_block(struct verifier *v, const struct ir_block *b, const struct scope *scope)
{
    if (!check_links(v, b))
        return false;
    for (uint32_t i = 0; i < b->args.count; i++) {
        const struct ir_value *arg = b->args.data[i];
        if (!define(v, b->parent ? b->parent->at : v->f->at, arg))
            return false;
        if (arg->def != IR_DEF_ARG || arg->block != b || arg->number != i)
            return wrong(v, v->f->at, "an argument does not point back to its block");
    }
    bool fine = true;
    for (const struct ir_node *n = b->first; n && fine; n = n->next)
        fine = check_node(v, n, scope);
    if (fine && scope->owner)
        hide_block(v, b);
    return fine;
}

/* The tables. */

static bool check_params(struct verifier *v)
{
    const struct ir_func *f = v->f;
    if (f->params.count != f->body->args.count)
        return wrong(v, f->at, "parameters and arguments of the body differ in number");
    for (uint32_t i = 0; i < f->params.count; i++) {
        const struct ir_param *p = &f->params.data[i];
        if (p->value != f->body->args.data[i] || !p->name)
            return wrong(v, f->at, "parameter %u is not argument %u of the body", i, i);
        if (p->value->type.axes || (p->kind == IR_PARAM_DIM && p->value->type.elem != IR_INDEX))
            return wrong(v, f->at, "parameter %s must be a scalar, a dim an index", p->name);
        if (p->multiple < 1 || p->lo > p->hi)
            return wrong(v, f->at, "the facts about parameter %s contradict each other", p->name);
        if (p->expected < 0 || (p->expected && p->kind != IR_PARAM_DIM))
            return wrong(v, f->at, "parameter %s has an expectation that no dim has", p->name);
    }
    return true;
}

/* Values in the tables are scalars made at the top level. */
static bool is_top_index(const struct verifier *v, const struct ir_value *value)
{
    if (!value || value->id >= v->f->value_count || !v->seen[value->id])
        return false;
    const struct ir_block *home = value->def == IR_DEF_NODE ? value->node->block : value->block;
    return home == v->f->body && is_scalar(value, IR_INDEX);
}

static bool check_tensors(struct verifier *v)
{
    const struct ir_func *f = v->f;
    for (uint32_t i = 0; i < f->tensors.count; i++) {
        const struct ir_tensor *t = &f->tensors.data[i];
        if (!t->name || t->rank > IR_MAX_RANK || (unsigned)t->elem >= IR_INDEX)
            return wrong(v, t->at, "tensor %u needs a name, a small rank and a storable type", i);
        if (!t->align || (t->align & (t->align - 1)) || t->align * 8 < ir_elem_bits(t->elem))
            return wrong(v, t->at,
                         "the alignment of tensor %s must be a power of two, at least "
                         "the size of an element",
                         t->name);
        for (uint32_t d = 0; d < t->rank; d++)
            if (!is_top_index(v, t->dims[d]))
                return wrong(v, t->at, "dim %u of tensor %s must be an index of the top level", d,
                             t->name);
    }
    return true;
}

static bool check_one_axis(struct verifier *v, const struct ir_axis *a)
{
    if (a->kind == IR_AXIS_PART) {
        bool fine = a->parent < v->f->axes.count && !a->lo && !a->hi && a->tile >= 0 &&
                    v->f->axes.data[a->parent].kind != IR_AXIS_PART &&
                    v->f->axes.data[a->parent].kind != IR_AXIS_PROGRAM;
        return fine || wrong(v, a->at, "part axis %s needs a parent with elements", a->name);
    }
    if (a->tile < 1 || (a->kind == IR_AXIS_PROGRAM && a->tile != 1))
        return wrong(v, a->at, "axis %s has an impossible tile size", a->name);
    if (!is_top_index(v, a->lo) || !is_top_index(v, a->hi))
        return wrong(v, a->at, "the range of axis %s must be indexes of the top level", a->name);
    if (a->bound && !is_top_index(v, a->bound))
        return wrong(v, a->at, "the bound of axis %s must be an index of the top level", a->name);
    bool grid = a->kind == IR_AXIS_GRID || a->kind == IR_AXIS_PROGRAM;
    return grid || !a->bound || wrong(v, a->at, "axis %s has a bound but no grid", a->name);
}

static bool check_axes(struct verifier *v)
{
    for (uint32_t i = 0; i < v->f->axes.count; i++)
        if (!check_one_axis(v, &v->f->axes.data[i]))
            return false;
    return true;
}

/* What must hold before types may look at the tables. */
static bool check_shape(struct verifier *v)
{
    const struct ir_func *f = v->f;
    if (!f->name || f->axes.count > IR_MAX_AXIS || f->tensors.count > UINT8_MAX)
        return wrong(v, f->at, "a function needs a name, at most %d axes and %d tensors",
                     IR_MAX_AXIS, UINT8_MAX);
    for (uint32_t i = 0; i < f->axes.count; i++) {
        const struct ir_axis *a = &f->axes.data[i];
        if (!a->name || (unsigned)a->kind > IR_AXIS_PART ||
            (a->kind == IR_AXIS_PART && a->parent >= f->axes.count))
            return wrong(v, a->at, "axis %u needs a name, a kind and an existing parent", i);
    }
    for (uint32_t i = 0; i < f->tensors.count; i++)
        if (f->tensors.data[i].rank > IR_MAX_RANK)
            return wrong(v, f->tensors.data[i].at, "tensor %u has too many dims", i);
    return true;
}

static void check_uses(struct verifier *v, const struct ir_block *b)
{
    for (uint32_t i = 0; i < b->args.count; i++)
        if (b->args.data[i]->uses != v->uses[b->args.data[i]->id])
            wrong(v, v->f->at, "an argument is used %u times, not %u", v->uses[b->args.data[i]->id],
                  b->args.data[i]->uses);
    for (const struct ir_node *n = b->first; n; n = n->next) {
        for (uint32_t i = 0; i < n->result_count; i++)
            if (n->results[i]->uses != v->uses[n->results[i]->id])
                node_wrong(v, n, "the count of uses of a result is wrong");
        for (uint32_t i = 0; i < n->region_count; i++)
            check_uses(v, n->regions[i]);
    }
}

bool ir_check(const struct ir_func *f, const struct ir_broken *broken)
{
    struct arena *a = &f->session->module;
    struct verifier v = {.f = f, .broken = broken};
    v.seen = arena_array(a, uint8_t, f->value_count);
    v.visible = arena_array(a, uint8_t, f->value_count);
    v.uses = arena_array(a, uint32_t, f->value_count);
    struct scope top = {0};
    if (!check_shape(&v) || !check_params(&v) || !check_block(&v, f->body, &top))
        return false;
    check_uses(&v, f->body);
    return check_tensors(&v) && check_axes(&v) && !v.found;
}

/* ir_verify: the broken rules as one text. */

struct collected {
    struct arena *arena;
    const char *text;
};

static void collect(void *user, struct span at, const char *why)
{
    struct collected *c = user;
    (void)at;
    c->text = c->text ? arena_printf(c->arena, "%s; %s", c->text, why) : why;
}

bool ir_verify(const struct ir_func *f, const char **why)
{
    struct collected c = {.arena = &f->session->module};
    struct ir_broken broken = {collect, &c};
    bool fine = ir_check(f, &broken);
    *why = c.text;
    return fine;
}
