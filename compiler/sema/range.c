/* What is known about numbers: linear forms of IR values, facts, and the grid names behind a value. */
#include "sema/elab.h"

#define MAX_DEPTH 200

/* ---- symbols -------------------------------------------------------------------------------- */

static uint32_t new_symbol(struct elab *e, struct symbol s)
{
    vec_push(&e->s->module, &e->symbols, s);
    return e->symbols.count - 1;
}

static uint32_t *symbol_slot(struct elab *e, const struct ir_value *v)
{
    while (e->symbol_of.count <= v->id)
        vec_push(&e->s->module, &e->symbol_of, 0);
    return &e->symbol_of.data[v->id];
}

static uint32_t axis_symbol(struct elab *e, uint8_t axis)
{
    for (uint32_t i = 0; i < e->symbols.count; i++)
        if (e->symbols.data[i].axis == axis)
            return i;
    return new_symbol(e, (struct symbol){.text = e->f->axes.data[axis].name, .axis = axis});
}

/* A value that is a number of its own: a parameter, a counter, a loaded element ... */
static struct linear atom(struct elab *e, const struct ir_value *v)
{
    uint32_t *slot = symbol_slot(e, v);
    if (!*slot) {
        bool parameter = v->def == IR_DEF_ARG && v->block == e->f->body;
        *slot =
            1 +
            new_symbol(e, (struct symbol){.text = v->name, .data = !parameter, .axis = IR_NO_AXIS});
        struct linear form = linear_symbol(*slot - 1);
        if (ir_elem_is_integer(v->type.elem) && !ir_elem_is_signed(v->type.elem))
            facts_add(&e->truths, &form);
    }
    return linear_symbol(*slot - 1);
}

struct linear counter_form(struct elab *e, const struct ir_value *counter)
{
    struct linear form = atom(e, counter);
    e->symbols.data[form.terms[0].symbol].data = false;
    return form;
}

struct linear axis_form(struct elab *e, uint8_t axis, bool data)
{
    uint32_t symbol = axis_symbol(e, axis);
    e->symbols.data[symbol].data |= data;
    return linear_symbol(symbol);
}

/* What a symbol is known to be a multiple of: a parameter by its facts, others by 1. */
static int64_t multiple_of(struct elab *e, uint32_t symbol)
{
    for (uint32_t i = 0; i < e->f->params.count; i++)
        if (*symbol_slot(e, e->f->params.data[i].value) == symbol + 1)
            return e->f->params.data[i].multiple;
    return 1;
}

bool divides(struct elab *e, int64_t by, const struct linear *form)
{
    if (form->constant % by)
        return false;
    for (uint32_t i = 0; i < form->count; i++) {
        int64_t step = multiple_of(e, form->terms[i].symbol) % by;
        if ((form->terms[i].coefficient % by) * step % by)
            return false;
    }
    return true;
}

bool is_data(struct elab *e, const struct linear *form)
{
    for (uint32_t i = 0; i < form->count; i++)
        if (e->symbols.data[form->terms[i].symbol].data)
            return true;
    return false;
}

/* ---- derived numbers: a / b, a % b, min(a, b) and so on, one symbol for equal operands -------- */

static struct linear difference(const struct linear *a, const struct linear *b)
{
    return linear_add(a, b, -1);
}

static void truth_at_least(struct elab *e, const struct linear *a, const struct linear *b)
{
    struct linear form = difference(a, b);
    facts_add(&e->truths, &form);
}

static bool is_constant(const struct linear *form)
{
    return form->valid && !form->count;
}

/* q = a / k rounded down: k q <= a <= k q + k - 1. */
static void divide_facts(struct elab *e, const struct linear *q, const struct linear *a, int64_t k)
{
    struct linear low = linear_scale(q, k);
    struct linear last = linear_constant(k - 1);
    struct linear high = linear_add(&low, &last, 1);
    truth_at_least(e, a, &low);
    truth_at_least(e, &high, a);
}

static void minmax_facts(struct elab *e, const struct linear *m, const struct linear *a,
                         const struct linear *b, bool is_min)
{
    truth_at_least(e, is_min ? a : m, is_min ? m : a);
    truth_at_least(e, is_min ? b : m, is_min ? m : b);
}

static bool shown(struct elab *e, const struct linear *a, const struct linear *b)
{
    struct linear form = difference(a, b);
    return facts_show(&e->facts, &e->truths, &form);
}

/* s = a * b, and 0 <= a < n / b for some n: then a * b <= n - b. */
static void quotient_facts(struct elab *e, const struct linear *s, const struct linear *a,
                           const struct linear *b)
{
    struct linear zero = linear_constant(0), one = linear_constant(1);
    for (uint32_t i = 0; i < e->symbols.count; i++) {
        struct symbol q = e->symbols.data[i];
        if (!q.derived || q.op != AST_DIV || !linear_equal(&q.b, b))
            continue;
        struct linear number = linear_symbol(i), last = difference(&number, &one);
        struct linear most = difference(&q.a, b);
        if (shown(e, a, &zero) && shown(e, b, &one) && shown(e, &last, a))
            assume_at_least(e, &most, s);
    }
}

/* What follows about a derived number s from the facts of this place: min(a, b) >= 0 if a and b are,
 * a * b >= 0, 0 <= a % b < b and 0 <= a / b <= a for a positive b. */
static void local_facts(struct elab *e, enum ast_binary op, const struct linear *s,
                        const struct linear *a, const struct linear *b)
{
    struct linear zero = linear_constant(0), one = linear_constant(1);
    if (op == AST_LT || op == AST_MUL) {
        if (shown(e, a, &zero) && shown(e, b, &zero))
            assume_at_least(e, s, &zero);
        if (op == AST_MUL) {
            quotient_facts(e, s, a, b);
            quotient_facts(e, s, b, a);
        }
    } else if (op == AST_REM && shown(e, b, &one)) {
        struct linear below = difference(b, &one);
        assume_at_least(e, s, &zero);
        assume_at_least(e, &below, s);
    } else if (op == AST_DIV && shown(e, b, &one) && shown(e, a, &zero)) {
        assume_at_least(e, s, &zero);
        assume_at_least(e, a, s);
    }
}

/* Numbers are derived from earlier ones, so in order of their making. */
static void all_local_facts(struct elab *e)
{
    for (uint32_t i = 0; i < e->symbols.count; i++) {
        struct symbol s = e->symbols.data[i];
        struct linear number = linear_symbol(i);
        if (s.derived)
            local_facts(e, s.op, &number, &s.a, &s.b);
    }
}

static const char *derived_text(struct elab *e, enum ast_binary op, const struct linear *a,
                                const struct linear *b)
{
    const char *x = form_text(e, a), *y = form_text(e, b);
    struct arena *arena = &e->s->module;
    if (op == AST_LT || op == AST_GT)
        return arena_printf(arena, "%s(%s, %s)", op == AST_LT ? "min" : "max", x, y);
    return arena_printf(arena, "(%s) %s (%s)", x, ast_binary_text(op), y);
}

static struct linear derived(struct elab *e, enum ast_binary op, struct linear a, struct linear b)
{
    for (uint32_t i = 0; i < e->symbols.count; i++) {
        const struct symbol *s = &e->symbols.data[i];
        bool same = s->derived && s->op == op && linear_equal(&s->a, &a) && linear_equal(&s->b, &b);
        bool swapped = s->derived && s->op == op && op != AST_DIV && op != AST_REM &&
                       linear_equal(&s->a, &b) && linear_equal(&s->b, &a);
        if (same || swapped)
            return linear_symbol(i);
    }
    uint32_t number = new_symbol(e, (struct symbol){.text = derived_text(e, op, &a, &b),
                                                    .op = op,
                                                    .a = a,
                                                    .b = b,
                                                    .derived = true,
                                                    .data = is_data(e, &a) || is_data(e, &b),
                                                    .axis = IR_NO_AXIS});
    struct linear form = linear_symbol(number);
    if (op == AST_DIV && is_constant(&b))
        divide_facts(e, &form, &a, b.constant);
    else if (op == AST_LT || op == AST_GT)
        minmax_facts(e, &form, &a, &b, op == AST_LT);
    return form;
}

static struct linear quotient(struct elab *e, const struct ir_value *v, const struct linear *a,
                              const struct linear *b, bool remainder)
{
    if (!a->valid || !b->valid || v->type.elem != IR_INDEX)
        return atom(e, v);
    if (!is_constant(b) || b->constant <= 0)
        return derived(e, remainder ? AST_REM : AST_DIV, *a, *b);
    struct linear q = derived(e, AST_DIV, *a, *b);
    return remainder ? linear_add(a, &q, -b->constant) : q;
}

/* ---- forms ---------------------------------------------------------------------------------- */

static struct linear form_at(struct elab *e, const struct ir_value *v, unsigned depth);

/* Element types whose arithmetic here is that of the integers: index is checked, i64 is wide. */
static bool is_exact(enum ir_elem elem)
{
    return elem == IR_INDEX || elem == IR_I64;
}

static struct linear form_of_node(struct elab *e, const struct ir_value *v, unsigned depth)
{
    const struct ir_node *n = v->node;
    struct linear a = {0}, b = {0};
    if (n->op == IR_OP_const)
        return linear_constant(n->attr.i);
    if (n->op == IR_OP_index)
        return linear_symbol(axis_symbol(e, n->attr.axis));
    if (n->op == IR_OP_cast || n->op == IR_OP_expand) {
        enum ir_elem from = n->operands[0]->type.elem;
        bool same =
            n->op == IR_OP_expand || (ir_elem_is_integer(from) && from != IR_U64 &&
                                      (is_exact(v->type.elem) || elem_widens(from, v->type.elem)));
        return same ? form_at(e, n->operands[0], depth + 1) : atom(e, v);
    }
    if (!is_exact(v->type.elem) || n->operand_count != 2)
        return atom(e, v);
    a = form_at(e, n->operands[0], depth + 1);
    b = form_at(e, n->operands[1], depth + 1);
    struct linear form = {0};
    switch ((int)n->op) {
    case IR_OP_add: form = linear_add(&a, &b, 1); break;
    case IR_OP_sub: form = linear_add(&a, &b, -1); break;
    case IR_OP_mul:
        if (is_constant(&a))
            form = linear_scale(&b, a.constant);
        else if (is_constant(&b))
            form = linear_scale(&a, b.constant);
        else if (a.valid && b.valid)
            form = derived(e, AST_MUL, a, b);
        break;
    case IR_OP_div: form = quotient(e, v, &a, &b, false); break;
    case IR_OP_rem: form = quotient(e, v, &a, &b, true); break;
    case IR_OP_min:
    case IR_OP_max:
        if (a.valid && b.valid)
            form = derived(e, n->op == IR_OP_min ? AST_LT : AST_GT, a, b);
        break;
    default: break;
    }
    return form.valid ? form : atom(e, v);
}

static struct linear form_at(struct elab *e, const struct ir_value *v, unsigned depth)
{
    if (!ir_elem_is_integer(v->type.elem))
        return (struct linear){0};
    if (v->def == IR_DEF_ARG || depth > MAX_DEPTH)
        return atom(e, v);
    while (e->forms.count <= v->id)
        vec_push(&e->s->module, &e->forms, NULL);
    if (!e->forms.data[v->id]) {
        struct linear *form = arena_new(&e->s->module, struct linear);
        *form = form_of_node(e, v, depth);
        e->forms.data[v->id] = form;
    }
    return *e->forms.data[v->id];
}

struct linear form_of(struct elab *e, const struct ir_value *v)
{
    return form_at(e, v, 0);
}

const char *form_text(struct elab *e, const struct linear *form)
{
    struct arena *a = &e->s->module;
    const char *text = "";
    for (uint32_t i = 0; i < form->count; i++) {
        const struct linear_term *t = &form->terms[i];
        const char *name = e->symbols.data[t->symbol].text;
        bool minus = t->coefficient < 0;
        long long size = minus ? -t->coefficient : t->coefficient;
        const char *sign = *text ? minus ? " - " : " + " : minus ? "-" : "";
        if (!name)
            name = "(a run-time value)";
        text = size == 1 ? arena_printf(a, "%s%s%s", text, sign, name)
                         : arena_printf(a, "%s%s%lld * %s", text, sign, size, name);
    }
    if (!*text)
        return arena_printf(a, "%lld", (long long)form->constant);
    if (!form->constant)
        return text;
    return arena_printf(a, "%s %c %lld", text, form->constant < 0 ? '-' : '+',
                        (long long)(form->constant < 0 ? -form->constant : form->constant));
}

/* ---- facts ---------------------------------------------------------------------------------- */

uint32_t facts_mark(const struct elab *e)
{
    return e->facts.list.count;
}

void facts_release(struct elab *e, uint32_t mark)
{
    e->facts.list.count = mark;
}

void assume_at_least(struct elab *e, const struct linear *a, const struct linear *b)
{
    struct linear form = difference(a, b);
    facts_add(&e->facts, &form);
}

static void assume_compare(struct elab *e, enum ir_cmp cmp, const struct linear *a,
                           const struct linear *b)
{
    struct linear one = linear_constant(1);
    struct linear above_a = linear_add(a, &one, 1), above_b = linear_add(b, &one, 1);
    switch (cmp) {
    case IR_CMP_LT: assume_at_least(e, b, &above_a); break;
    case IR_CMP_LE: assume_at_least(e, b, a); break;
    case IR_CMP_GT: assume_at_least(e, a, &above_b); break;
    case IR_CMP_GE: assume_at_least(e, a, b); break;
    case IR_CMP_EQ:
        assume_at_least(e, a, b);
        assume_at_least(e, b, a);
        break;
    case IR_CMP_NE:
        /* a != 0 of a number that is never negative: a >= 1 */
        if (show_at_least(e, a, b))
            assume_at_least(e, a, &above_b);
        else if (show_at_least(e, b, a))
            assume_at_least(e, b, &above_a);
        break;
    }
}

static enum ir_cmp opposite(enum ir_cmp cmp)
{
    switch (cmp) {
    case IR_CMP_EQ: return IR_CMP_NE;
    case IR_CMP_NE: return IR_CMP_EQ;
    case IR_CMP_LT: return IR_CMP_GE;
    case IR_CMP_LE: return IR_CMP_GT;
    case IR_CMP_GT: return IR_CMP_LE;
    case IR_CMP_GE: return IR_CMP_LT;
    }
    return cmp;
}

/* budget: how many parts of the condition to look at; it may be a graph with many paths. */
static void assume_parts(struct elab *e, const struct ir_value *c, bool holds, unsigned *budget)
{
    if (!c || c->def != IR_DEF_NODE || !*budget)
        return;
    --*budget;
    const struct ir_node *n = c->node;
    if (n->op == IR_OP_not) {
        assume_parts(e, n->operands[0], !holds, budget);
    } else if (n->op == (holds ? IR_OP_and : IR_OP_or)) {
        assume_parts(e, n->operands[0], holds, budget);
        assume_parts(e, n->operands[1], holds, budget);
    } else if (n->op == IR_OP_cmp && ir_elem_is_integer(n->operands[0]->type.elem)) {
        enum ir_cmp cmp = (enum ir_cmp)n->attr.kind;
        struct linear a = form_of(e, n->operands[0]), b = form_of(e, n->operands[1]);
        if (a.valid && b.valid)
            assume_compare(e, holds ? cmp : opposite(cmp), &a, &b);
    }
}

void assume_condition(struct elab *e, const struct ir_value *condition, bool holds)
{
    unsigned budget = 64;
    assume_parts(e, condition, holds, &budget);
}

bool show_at_least(struct elab *e, const struct linear *a, const struct linear *b)
{
    if (shown(e, a, b))
        return true;
    uint32_t mark = facts_mark(e);
    all_local_facts(e);
    bool holds = facts_mark(e) != mark && shown(e, a, b);
    facts_release(e, mark);
    return holds;
}

/* ---- grid names ----------------------------------------------------------------------------- */

static axis_set grid_names(struct elab *e, const struct ir_value *v, unsigned depth);

static axis_set grid_names_of_axis(struct elab *e, uint8_t number, unsigned depth)
{
    const struct ir_axis *axis = &e->f->axes.data[number];
    const struct ir_value *bounds[] = {axis->lo, axis->hi, e->sweep_lo[number],
                                       e->sweep_hi[number]};
    axis_set names = 0;
    if (axis->kind == IR_AXIS_PROGRAM || axis->kind == IR_AXIS_GRID)
        names |= (axis_set)1 << number;
    for (unsigned i = 0; i < sizeof bounds / sizeof *bounds; i++)
        names |= grid_names(e, bounds[i], depth);
    return names;
}

static axis_set grid_names_of_operands(struct elab *e, const struct ir_node *n, unsigned depth)
{
    axis_set names = 0;
    for (uint32_t i = 0; i < n->operand_count; i++)
        names |= grid_names(e, n->operands[i], depth);
    return names;
}

/* A counter depends on what its bounds depend on, a carried value on what it starts from, the
 * result of a branch or loop also on what its regions yield. */
static axis_set grid_names_of_def(struct elab *e, const struct ir_value *v, unsigned depth)
{
    if (v->def == IR_DEF_ARG)
        return v->block->parent ? grid_names_of_operands(e, v->block->parent, depth) : 0;
    if (v->node->op == IR_OP_index)
        return grid_names_of_axis(e, v->node->attr.axis, depth);
    axis_set names = grid_names_of_operands(e, v->node, depth);
    for (uint32_t r = 0; r < v->node->region_count; r++)
        if (v->node->regions[r]->last)
            names |= grid_names_of_operands(e, v->node->regions[r]->last, depth);
    return names;
}

#define NAMES_KNOWN (UINT64_C(1) << 63)

static axis_set grid_names(struct elab *e, const struct ir_value *v, unsigned depth)
{
    if (!v || depth > MAX_DEPTH)
        return 0;
    while (e->names_of.count <= v->id)
        vec_push(&e->s->module, &e->names_of, 0);
    if (!(e->names_of.data[v->id] & NAMES_KNOWN)) {
        e->names_of.data[v->id] = NAMES_KNOWN; /* a loop's value may lead back to itself */
        axis_set names = grid_names_of_def(e, v, depth + 1);
        e->names_of.data[v->id] = NAMES_KNOWN | names;
    }
    return (axis_set)e->names_of.data[v->id];
}

axis_set grid_names_of(struct elab *e, const struct ir_value *v)
{
    return grid_names(e, v, 0);
}
