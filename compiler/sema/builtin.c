/* The built-in functions that are not reductions: mathematics, elements of tiles, tensor access. */
#include "sema/builtin.h"

static const struct builtin builtins[] = {
#define BUILTIN(name, handler, least, most, what)                                                  \
    {#name, builtin_##handler, least, most, (int)what},
#include "sema/builtins.def"
#undef BUILTIN
};

#define BUILTIN_COUNT (sizeof builtins / sizeof *builtins)

const struct builtin *find_builtin(const char *name)
{
    for (unsigned i = 0; i < BUILTIN_COUNT; i++)
        if (strcmp(builtins[i].name, name) == 0)
            return &builtins[i];
    return NULL;
}

const char *nearest_builtin(const char *name)
{
    const char *names[BUILTIN_COUNT];
    for (unsigned i = 0; i < BUILTIN_COUNT; i++)
        names[i] = builtins[i].name;
    return nearest_name(name, names, BUILTIN_COUNT);
}

bool word_is_reserved(const char *name)
{
    enum ir_elem elem;
    return elem_named(name, &elem) || strcmp(name, "inf") == 0 || strcmp(name, "nan") == 0 ||
           strcmp(name, "dev") == 0;
}

bool name_is_reserved(const char *name)
{
    return word_is_reserved(name) || find_builtin(name);
}

struct value call_builtin(struct elab *e, const struct expr *x, const struct builtin *row)
{
    return row->call(e, x, row);
}

/* ---- arguments ------------------------------------------------------------------------------ */

const struct ast_arg *named_arg(const struct expr *call, const char *name)
{
    for (uint32_t i = 0; i < call->call.args.count; i++) {
        const struct ast_arg *a = &call->call.args.data[i];
        if (a->name.text && strcmp(a->name.text, name) == 0)
            return a;
    }
    return NULL;
}

static bool is_listed(const char *const *names, const char *name)
{
    for (; names && *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static bool check_name(struct elab *e, const struct expr *call, uint32_t i, const char *function,
                       const char *const *names)
{
    const struct ast_arg *a = &call->call.args.data[i];
    uint32_t count = 0;
    while (names && names[count])
        count++;
    if (!is_listed(names, a->name.text)) {
        diag_error(e->s, a->name.at, DIAG_BAD_ARGUMENTS, "%s has no argument called %s", function,
                   a->name.text);
        const char *near = nearest_name(a->name.text, names, count);
        const char *habit = habit_help(a->name.text);
        if (habit)
            diag_help(e->s, "%s", habit);
        else if (near)
            diag_help(e->s, "did you mean %s?", near);
        return false;
    }
    for (uint32_t j = 0; j < i; j++)
        if (call->call.args.data[j].name.text == a->name.text)
            return diag_error(e->s, a->name.at, DIAG_BAD_ARGUMENTS, "%s is given twice",
                              a->name.text);
    return true;
}

bool plain_args(struct elab *e, const struct expr *call, const char *name, uint32_t least,
                uint32_t most, const char *const *named)
{
    uint32_t plain = 0;
    for (uint32_t i = 0; i < call->call.args.count; i++) {
        const struct ast_arg *a = &call->call.args.data[i];
        if (a->has_over)
            return diag_error(e->s, a->at, DIAG_BAD_ARGUMENTS, "%s does not work over axes", name);
        if (a->name.text && !check_name(e, call, i, name, named))
            return false;
        if (!a->name.text && plain < i)
            return diag_error(e->s, a->at, DIAG_BAD_ARGUMENTS,
                              "plain arguments come before named ones");
        plain += !a->name.text;
    }
    if (plain >= least && plain <= most)
        return true;
    return least == most
               ? diag_error(e->s, call->at, DIAG_BAD_ARGUMENTS, "%s wants %u argument%s, not %u",
                            name, least, least == 1 ? "" : "s", plain)
               : diag_error(e->s, call->at, DIAG_BAD_ARGUMENTS,
                            "%s wants %u to %u arguments, not %u", name, least, most, plain);
}

static struct span arg_at(const struct expr *x, uint32_t i)
{
    return x->call.args.data[i].value->at;
}

static struct value elab_arg(struct elab *e, const struct expr *x, uint32_t i)
{
    return elab_expr(e, x->call.args.data[i].value);
}

static bool is_byte_float(enum ir_elem elem)
{
    return elem == IR_F8E4M3 || elem == IR_F8E5M2;
}

struct value wants(struct elab *e, struct span at, const char *name, const char *wanted,
                   const struct ir_value *got)
{
    diag_error(e->s, at, DIAG_NO_ARITHMETIC, "%s wants %s, not %s", name, wanted,
               elem_type_text(e, got->type));
    if (is_byte_float(got->type.elem) || ir_elem_is_integer(got->type.elem))
        diag_help(e->s, "convert it first: f32(x)");
    return value_poison();
}

/* A float operand; an integer literal adapts to f32. */
static struct ir_value *float_arg(struct elab *e, struct span at, struct value v, const char *name)
{
    bool is_float;
    if (is_literal(v, &is_float))
        return as_elem(e, at, v, IR_F32);
    struct ir_value *ir = as_ir(e, at, v);
    if (ir && (!ir_elem_is_float(ir->type.elem) || is_byte_float(ir->type.elem))) {
        wants(e, at, name, "a float", ir);
        return NULL;
    }
    return ir;
}

/* ---- mathematics ---------------------------------------------------------------------------- */

struct value builtin_float_math(struct elab *e, const struct expr *x, const struct builtin *row)
{
    if (!plain_args(e, x, row->name, row->least, row->most, NULL))
        return value_poison();
    struct ir_value *v = float_arg(e, arg_at(x, 0), elab_arg(e, x, 0), row->name);
    if (!v)
        return value_poison();
    e->b.at = x->at;
    return value_ir(ir_unary(&e->b, (enum ir_opcode)row->what, v));
}

struct value builtin_absolute(struct elab *e, const struct expr *x, const struct builtin *row)
{
    struct const_value c;
    if (!plain_args(e, x, row->name, 1, 1, NULL))
        return value_poison();
    struct value v = elab_arg(e, x, 0);
    if (v.kind == VALUE_CONST && (v.c.kind == CONST_INT || v.c.kind == CONST_FLOAT))
        return const_call(e->s, x->at, "abs", &v.c, 1, &c) ? value_const(c) : value_poison();
    struct ir_value *ir = as_ir(e, arg_at(x, 0), v);
    if (!ir)
        return value_poison();
    if (ir->type.elem == IR_BOOL || is_byte_float(ir->type.elem))
        return wants(e, arg_at(x, 0), "abs", "a number", ir);
    return value_ir(ir_unary(&e->b, IR_OP_abs, ir));
}

/* 1 / (1 + exp(-x)) */
struct value builtin_sigmoid(struct elab *e, const struct expr *x, const struct builtin *row)
{
    if (!plain_args(e, x, row->name, 1, 1, NULL))
        return value_poison();
    struct ir_value *v = float_arg(e, arg_at(x, 0), elab_arg(e, x, 0), row->name);
    if (!v)
        return value_poison();
    e->b.at = x->at;
    struct ir_value *one = ir_const_float(&e->b, v->type.elem, 1.0);
    struct ir_value *power = ir_unary(&e->b, IR_OP_exp, ir_unary(&e->b, IR_OP_neg, v));
    return value_ir(ir_binary(&e->b, IR_OP_div, one, ir_binary(&e->b, IR_OP_add, one, power)));
}

struct value builtin_is_nan(struct elab *e, const struct expr *x, const struct builtin *row)
{
    if (!plain_args(e, x, row->name, 1, 1, NULL))
        return value_poison();
    struct ir_value *v = float_arg(e, arg_at(x, 0), elab_arg(e, x, 0), row->name);
    return v ? value_ir(ir_compare(&e->b, IR_CMP_NE, v, v)) : value_poison();
}

static struct value pair(struct elab *e, struct span at, const char *name, enum ir_opcode op,
                         struct value x, struct value y)
{
    struct ir_value *both[2];
    struct const_value args[] = {x.c, y.c}, c;
    if (x.kind == VALUE_CONST && y.kind == VALUE_CONST && const_has_function(name))
        return const_call(e->s, at, name, args, 2, &c) ? value_const(c) : value_poison();
    const char *what = arena_printf(&e->s->module, "%s does not take", name);
    if (!join_operands(e, at, what, false, &x, &y, both))
        return value_poison();
    if (both[0]->type.elem == IR_BOOL || is_byte_float(both[0]->type.elem))
        return wants(e, at, name, "numbers", both[0]);
    return value_ir(ir_binary(&e->b, op, both[0], both[1]));
}

/* Of two values what a reduction of that kind does. */
static enum ir_opcode pair_op(enum ir_kind kind)
{
    switch ((int)kind) {
    case IR_KIND_MIN: return IR_OP_min;
    case IR_KIND_MAX: return IR_OP_max;
    case IR_KIND_FMIN: return IR_OP_fmin;
    default: return IR_OP_fmax;
    }
}

struct value builtin_min_max(struct elab *e, const struct expr *x, const struct builtin *row)
{
    if (x->call.args.count == 1 && x->call.args.data[0].has_over)
        return builtin_reduction(e, x, row);
    if (x->call.args.count == 1 && !x->call.args.data[0].name.text) {
        diag_error(e->s, x->at, DIAG_BAD_ARGUMENTS, "%s of one value wants an axis", row->name);
        diag_help(e->s, "write %s(x over c), or give two values", row->name);
        return value_poison();
    }
    if (!plain_args(e, x, row->name, row->least, row->most, NULL))
        return value_poison();
    struct value v = elab_arg(e, x, 0);
    for (uint32_t i = 1; i < x->call.args.count; i++)
        v = pair(e, x->at, row->name, pair_op((enum ir_kind)row->what), v, elab_arg(e, x, i));
    return v;
}

struct value builtin_float_pair(struct elab *e, const struct expr *x, const struct builtin *row)
{
    struct ir_value *both[2];
    if (!plain_args(e, x, row->name, 2, 2, NULL))
        return value_poison();
    struct value a = elab_arg(e, x, 0), b = elab_arg(e, x, 1);
    const char *what = arena_printf(&e->s->module, "%s does not take", row->name);
    bool is_float;
    if (is_literal(a, &is_float) && is_literal(b, &is_float))
        a = value_ir(as_elem(e, arg_at(x, 0), a, IR_F32));
    if (!join_operands(e, x->at, what, false, &a, &b, both))
        return value_poison();
    if (!ir_elem_is_float(both[0]->type.elem) || is_byte_float(both[0]->type.elem))
        return wants(e, x->at, row->name, "floats", both[0]);
    return value_ir(ir_binary(&e->b, (enum ir_opcode)row->what, both[0], both[1]));
}

/* x * y + z rounded once: the three meet in one type. */
struct value builtin_fused(struct elab *e, const struct expr *x, const struct builtin *row)
{
    struct ir_value *xy[2], *xz[2];
    if (!plain_args(e, x, row->name, 3, 3, NULL))
        return value_poison();
    struct value a = elab_arg(e, x, 0), b = elab_arg(e, x, 1), c = elab_arg(e, x, 2);
    bool is_float;
    if (is_literal(a, &is_float) && is_literal(b, &is_float))
        a = value_ir(as_elem(e, arg_at(x, 0), a, c.kind == VALUE_IR ? c.ir->type.elem : IR_F32));
    if (!join_operands(e, x->at, "fma does not take", false, &a, &b, xy))
        return value_poison();
    struct value first = value_ir(xy[0]);
    if (!join_operands(e, x->at, "fma does not take", false, &first, &c, xz))
        return value_poison();
    if (!ir_elem_is_float(xz[0]->type.elem) || is_byte_float(xz[0]->type.elem))
        return wants(e, x->at, row->name, "floats", xz[0]);
    struct ir_value *all[] = {xz[0], ir_cast(&e->b, xy[1], xz[0]->type.elem), xz[1]};
    if (!join_axes(e, x->at, all, 3))
        return value_poison();
    struct ir_type type = {all[0]->type.elem,
                           all[0]->type.axes | all[1]->type.axes | all[2]->type.axes};
    struct ir_attr attr = {0};
    return value_ir(ir_append(&e->b, IR_OP_fma, attr, all, 3, &type, 1, 0)->results[0]);
}

/* (x + y - 1) / y */
struct value builtin_cdiv(struct elab *e, const struct expr *x, const struct builtin *row)
{
    struct const_value c;
    if (!plain_args(e, x, row->name, 2, 2, NULL))
        return value_poison();
    struct value a = elab_arg(e, x, 0), b = elab_arg(e, x, 1);
    struct const_value args[] = {a.c, b.c};
    if (a.kind == VALUE_CONST && b.kind == VALUE_CONST)
        return const_call(e->s, x->at, "cdiv", args, 2, &c) ? value_const(c) : value_poison();
    struct value one = value_const(const_literal_int(1));
    struct value last = elab_binary(e, x->at, AST_SUB, elab_binary(e, x->at, AST_ADD, a, b), one);
    if (last.kind == VALUE_IR && !ir_elem_is_integer(last.ir->type.elem))
        return wants(e, x->at, row->name, "integers", last.ir);
    return elab_binary(e, x->at, AST_DIV, last, b);
}

static bool type_argument(struct elab *e, const struct expr *x, enum ir_elem *elem)
{
    struct local *l = x->kind == EXPR_NAME ? find_local(e, x->string) : NULL;
    if (l && l->kind == LOCAL_TYPE) {
        *elem = l->elem;
        return true;
    }
    if (x->kind == EXPR_NAME && elem_named(x->string, elem))
        return true;
    return diag_error(e->s, x->at, DIAG_UNKNOWN_TYPE, "the second argument of bitcast is a type");
}

struct value builtin_bitcast(struct elab *e, const struct expr *x, const struct builtin *row)
{
    enum ir_elem elem;
    if (!plain_args(e, x, row->name, 2, 2, NULL) ||
        !type_argument(e, x->call.args.data[1].value, &elem))
        return value_poison();
    struct ir_value *v = as_ir(e, arg_at(x, 0), elab_arg(e, x, 0));
    if (!v)
        return value_poison();
    if (v->type.elem == IR_BOOL || elem == IR_BOOL ||
        ir_elem_bits(v->type.elem) != ir_elem_bits(elem)) {
        diag_error(e->s, x->at, DIAG_NO_ARITHMETIC, "the bits of %s are not those of a %s",
                   elem_type_text(e, v->type), ir_elem_name(elem));
        diag_help(e->s, "bitcast keeps the size: f32 and u32, f16 and u16");
        return value_poison();
    }
    struct ir_type type = {elem, v->type.axes};
    struct ir_attr attr = {0};
    return value_ir(ir_append(&e->b, IR_OP_bitcast, attr, &v, 1, &type, 1, 0)->results[0]);
}

/* ---- elements of tiles ---------------------------------------------------------------------- */

/* x and the one named argument of at(x, c: j) and relabel(x, m: n). */
static struct ir_value *tile_and_axis(struct elab *e, const struct expr *x, const char *name,
                                      int *axis, const struct expr **with)
{
    if (x->call.args.count != 2 || x->call.args.data[0].name.text ||
        x->call.args.data[0].has_over || !x->call.args.data[1].name.text) {
        diag_error(e->s, x->at, DIAG_BAD_ARGUMENTS, "%s wants a tile and one of its axes, as in %s",
                   name, *name == 'a' ? "at(x, c: j)" : "relabel(x, m: n)");
        return NULL;
    }
    struct ir_value *v = as_ir(e, arg_at(x, 0), elab_arg(e, x, 0));
    *axis = find_axis(e, x->call.args.data[1].name);
    *with = x->call.args.data[1].value;
    if (!v || *axis < 0)
        return NULL;
    if (!(v->type.axes & (axis_set)1 << *axis)) {
        diag_error(e->s, x->call.args.data[1].name.at, DIAG_AXIS_ABSENT,
                   "the value does not vary along %s", e->f->axes.data[*axis].name);
        return NULL;
    }
    if (e->f->axes.data[*axis].kind != IR_AXIS_HELD) {
        diag_error(e->s, x->call.args.data[1].name.at, DIAG_BAD_RELABEL,
                   "%s works on axes that are held whole, and %s is not", name,
                   e->f->axes.data[*axis].name);
        diag_note(e->s, e->f->axes.data[*axis].at, "%s is declared here",
                  e->f->axes.data[*axis].name);
        return NULL;
    }
    return v;
}

static bool element_inside(struct elab *e, struct span at, const struct ir_value *j,
                           const struct ir_axis *axis)
{
    struct linear form = form_of(e, j), lo = form_of(e, axis->lo), hi = form_of(e, axis->hi);
    struct linear minus_one = linear_constant(-1), last = linear_add(&hi, &minus_one, 1);
    if (e->dead || is_data(e, &form) ||
        (show_at_least(e, &form, &lo) && show_at_least(e, &last, &form)))
        return true;
    return diag_error(e->s, at, DIAG_RANGE, "could not show that %s lies in axis %s: %s .. %s",
                      form_text(e, &form), axis->name, form_text(e, &lo), form_text(e, &hi));
}

struct value builtin_element(struct elab *e, const struct expr *x, const struct builtin *row)
{
    int axis;
    const struct expr *with;
    struct ir_value *v = tile_and_axis(e, x, row->name, &axis, &with);
    if (!v)
        return value_poison();
    struct ir_value *j = as_bound(e, with->at, elab_expr(e, with), "element's number");
    if (!j || !element_inside(e, with->at, j, &e->f->axes.data[axis]))
        return value_poison();
    e->b.at = x->at;
    struct ir_value *operands[] = {v, ir_binary(&e->b, IR_OP_sub, j, e->f->axes.data[axis].lo)};
    struct ir_type type = {v->type.elem, v->type.axes & ~((axis_set)1 << axis)};
    struct ir_attr attr = {.axis = (uint8_t)axis};
    return value_ir(ir_append(&e->b, IR_OP_extract, attr, operands, 2, &type, 1, 0)->results[0]);
}

static bool same_range(struct elab *e, const struct ir_axis *a, const struct ir_axis *b)
{
    struct linear lo_a = form_of(e, a->lo), lo_b = form_of(e, b->lo);
    struct linear hi_a = form_of(e, a->hi), hi_b = form_of(e, b->hi);
    return a->tile == b->tile && b->kind == IR_AXIS_HELD && linear_equal(&lo_a, &lo_b) &&
           linear_equal(&hi_a, &hi_b);
}

struct value builtin_relabel(struct elab *e, const struct expr *x, const struct builtin *row)
{
    int axis;
    const struct expr *with;
    struct ir_value *v = tile_and_axis(e, x, row->name, &axis, &with);
    if (!v)
        return value_poison();
    if (with->kind != EXPR_NAME) {
        diag_error(e->s, with->at, DIAG_BAD_RELABEL, "the new axis is given by name");
        return value_poison();
    }
    int to = find_axis(e, (struct ast_name){with->string, with->at});
    if (to < 0)
        return value_poison();
    if (v->type.axes & (axis_set)1 << to) {
        diag_error(e->s, with->at, DIAG_AXIS_TWICE, "the value already varies along %s",
                   with->string);
        return value_poison();
    }
    if (!same_range(e, &e->f->axes.data[axis], &e->f->axes.data[to])) {
        diag_error(e->s, x->at, DIAG_BAD_RELABEL, "%s and %s differ in range or tile size",
                   e->f->axes.data[axis].name, with->string);
        diag_note(e->s, e->f->axes.data[axis].at, "%s is declared here",
                  e->f->axes.data[axis].name);
        diag_note(e->s, e->f->axes.data[to].at, "%s is declared here", with->string);
        return value_poison();
    }
    struct ir_type type = {v->type.elem,
                           (v->type.axes & ~((axis_set)1 << axis)) | (axis_set)1 << to};
    struct ir_attr attr = {.axis = (uint8_t)axis, .to = (uint8_t)to};
    return value_ir(ir_append(&e->b, IR_OP_relabel, attr, &v, 1, &type, 1, 0)->results[0]);
}

/* ---- tensor access -------------------------------------------------------------------------- */

static bool cache_word(struct elab *e, const struct expr *x, enum ir_cache *out)
{
    static const char *const words[] = {
#define X(name, text) text,
        IR_CACHE_LIST(X)
#undef X
    };
    const struct ast_arg *a = named_arg(x, "cache");
    *out = IR_CACHE_NONE;
    if (!a)
        return true;
    for (unsigned i = 1; a->value->kind == EXPR_NAME && i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], a->value->string) == 0) {
            *out = (enum ir_cache)i;
            return true;
        }
    return diag_error(e->s, a->value->at, DIAG_BAD_ACCESS, "cache is stream, keep or bypass_l1");
}

static const struct expr *element_arg(struct elab *e, const struct expr *x, const char *name)
{
    const struct expr *target = x->call.args.data[0].value;
    if (target->kind == EXPR_INDEX)
        return target;
    if (target->kind != EXPR_POISON)
        diag_error(e->s, target->at, DIAG_BAD_ACCESS,
                   "%s wants an element of a tensor, as in %s(t[i, j]...)", name, name);
    return NULL;
}

struct value builtin_load(struct elab *e, const struct expr *x, const struct builtin *row)
{
    static const char *const named[] = {"fill", "cache", NULL};
    enum ir_cache cache;
    if (!plain_args(e, x, row->name, 1, 1, named) || !cache_word(e, x, &cache))
        return value_poison();
    const struct ast_arg *fill = named_arg(x, "fill");
    const struct expr *target = element_arg(e, x, row->name);
    return target ? elab_load(e, target, fill ? fill->value : NULL, cache) : value_poison();
}

struct value builtin_store(struct elab *e, const struct expr *x, const struct builtin *row)
{
    static const char *const named[] = {"clip", "cache", NULL};
    enum ir_cache cache;
    bool clip = false;
    if (!plain_args(e, x, row->name, 2, 2, named) || !cache_word(e, x, &cache))
        return value_poison();
    const struct ast_arg *a = named_arg(x, "clip");
    if (a) {
        struct const_value c = elab_const(e, a->value, "clip");
        if (c.kind != CONST_BOOL && c.kind != CONST_POISON)
            diag_error(e->s, a->value->at, DIAG_NOT_BOOL, "clip is true or false");
        clip = c.kind == CONST_BOOL && c.i;
    }
    const struct expr *target = element_arg(e, x, row->name);
    struct value v = elab_arg(e, x, 1);
    if (target)
        elab_store(e, target, v, arg_at(x, 1), clip, cache);
    return (struct value){.kind = VALUE_NONE};
}

struct value builtin_atomic_add(struct elab *e, const struct expr *x, const struct builtin *row)
{
    if (!plain_args(e, x, row->name, 2, 2, NULL))
        return value_poison();
    const struct expr *target = element_arg(e, x, row->name);
    struct value v = elab_arg(e, x, 1);
    if (target)
        elab_atomic(e, target, v, arg_at(x, 1));
    return (struct value){.kind = VALUE_NONE};
}

/* ---- the rest ------------------------------------------------------------------------------- */

struct value builtin_not_yet(struct elab *e, const struct expr *x, const struct builtin *row)
{
    diag_error(e->s, x->at, DIAG_NOT_SUPPORTED, "%s is not supported yet", row->name);
    return value_poison();
}

struct value builtin_elsewhere(struct elab *e, const struct expr *x, const struct builtin *row)
{
    diag_error(e->s, x->at, DIAG_NOT_CALLABLE, "%s belongs in %s", row->name,
               row->name[0] == 'f' ? "a meta clause or the tile of an axis"
                                   : "require and specialize clauses");
    return value_poison();
}
