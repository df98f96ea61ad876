/* Values of expressions: compile-time constants, run-time tiles, records; and how they convert. */
#include "sema/elab.h"

struct value value_poison(void)
{
    return (struct value){.kind = VALUE_POISON};
}

struct value value_const(struct const_value c)
{
    if (c.kind == CONST_POISON)
        return value_poison();
    return (struct value){.kind = VALUE_CONST, .c = c};
}

struct value value_ir(struct ir_value *ir)
{
    return ir ? (struct value){.kind = VALUE_IR, .ir = ir} : value_poison();
}

uint32_t struct_size(const struct sema_item *of)
{
    return of->ast->params.count;
}

struct value value_struct(struct elab *e, const struct sema_item *of, struct ir_value **parts)
{
    (void)e;
    for (uint32_t i = 0; i < struct_size(of); i++)
        if (!parts[i])
            return value_poison();
    return (struct value){.kind = VALUE_STRUCT, .of = of, .parts = parts};
}

bool is_literal(struct value v, bool *is_float)
{
    bool yes, no;
    *is_float = v.kind == VALUE_CONST && v.c.kind == CONST_FLOAT;
    if (v.kind != VALUE_CHOICE)
        return v.kind == VALUE_CONST && v.c.literal;
    bool literal = is_literal(v.choice->yes, &yes) && is_literal(v.choice->no, &no);
    *is_float = yes || no;
    return literal;
}

/* The element type of a number or bool; a literal's is what it becomes by itself. */
static enum ir_elem elem_of(struct value v)
{
    bool is_float;
    if (is_literal(v, &is_float))
        return is_float ? IR_F32 : IR_INDEX;
    return v.kind == VALUE_CONST ? v.c.elem : v.ir->type.elem;
}

axis_set value_axes(struct value v)
{
    if (v.kind == VALUE_IR)
        return v.ir->type.axes;
    if (v.kind == VALUE_CHOICE)
        return v.choice->test->type.axes | value_axes(v.choice->yes) | value_axes(v.choice->no);
    axis_set axes = 0;
    for (uint32_t i = 0; v.kind == VALUE_STRUCT && i < struct_size(v.of); i++)
        axes |= v.parts[i]->type.axes;
    return axes;
}

const char *axes_text(struct elab *e, axis_set axes)
{
    const char *text = "";
    for (uint32_t i = 0; i < e->f->axes.count; i++)
        if (axes & (axis_set)1 << i)
            text = arena_printf(&e->s->module, "%s%s%s", text, *text ? ", " : "",
                                e->f->axes.data[i].name);
    return text;
}

const char *elem_type_text(struct elab *e, struct ir_type type)
{
    if (!type.axes)
        return ir_elem_name(type.elem);
    return arena_printf(&e->s->module, "%s[%s]", ir_elem_name(type.elem), axes_text(e, type.axes));
}

const char *value_text(struct elab *e, struct value v)
{
    switch (v.kind) {
    case VALUE_POISON: return "an erroneous value";
    case VALUE_NONE: return "nothing";
    case VALUE_CONST: return const_kind_text(e->s, v.c);
    case VALUE_CHOICE: return "a choice of literals";
    case VALUE_IR: return elem_type_text(e, v.ir->type);
    case VALUE_STRUCT: return v.of->ast->name.text;
    }
    return "a value";
}

/* ---- to IR ---------------------------------------------------------------------------------- */

struct ir_value *as_ir(struct elab *e, struct span at, struct value v)
{
    e->b.at = at;
    if (is_poison(v))
        return NULL;
    if (v.kind == VALUE_IR)
        return v.ir;
    if (v.kind == VALUE_CHOICE)
        return as_elem(e, at, v, elem_of(v));
    if (v.kind == VALUE_CONST && v.c.kind == CONST_FLOAT)
        return ir_const_float(&e->b, v.c.elem, v.c.f);
    if (v.kind == VALUE_CONST && (v.c.kind == CONST_INT || v.c.kind == CONST_BOOL))
        return ir_const_int(&e->b, v.c.elem, v.c.i);
    diag_error(e->s, at, DIAG_NOT_A_VALUE, "a number or bool is wanted here, not %s",
               value_text(e, v));
    return NULL;
}

static struct ir_value *choice_as_elem(struct elab *e, struct span at, const struct choice *c,
                                       enum ir_elem elem)
{
    struct ir_value *all[] = {c->test, as_elem(e, at, c->yes, elem), as_elem(e, at, c->no, elem)};
    if (!all[1] || !all[2] || !join_axes(e, at, all, 3))
        return NULL;
    return ir_select(&e->b, all[0], all[1], all[2]);
}

/* The generic that was written, most likely, where this type is wanted; or NULL. */
static const char *generic_bound_to(const struct elab *e, enum ir_elem elem)
{
    for (uint32_t i = e->floor; i < e->names.count; i++) {
        const struct local *l = e->names.data[i];
        if (l->kind == LOCAL_TYPE && l->elem == elem)
            return l->name.text;
    }
    return NULL;
}

struct ir_value *as_elem(struct elab *e, struct span at, struct value v, enum ir_elem elem)
{
    struct const_value c;
    if (is_poison(v))
        return NULL;
    if (v.kind == VALUE_CHOICE)
        return choice_as_elem(e, at, v.choice, elem);
    if (v.kind == VALUE_CONST)
        return const_adapt(e->s, at, v.c, elem, &c) ? as_ir(e, at, value_const(c)) : NULL;
    if (v.kind != VALUE_IR) {
        diag_error(e->s, at, DIAG_IMPLICIT_CONVERSION, "%s is wanted here, not %s",
                   ir_elem_name(elem), value_text(e, v));
        return NULL;
    }
    e->b.at = at;
    if (elem_widens(v.ir->type.elem, elem))
        return ir_cast(&e->b, v.ir, elem);
    report_implicit(e->s, at, v.ir->type.elem, elem, generic_bound_to(e, elem));
    return NULL;
}

struct ir_value *as_index(struct elab *e, struct span at, struct value v, const char *what)
{
    struct ir_value *ir = as_ir(e, at, v);
    if (!ir)
        return NULL;
    if (!ir_elem_is_integer(ir->type.elem)) {
        diag_error(e->s, at, DIAG_IMPLICIT_CONVERSION, "%s must be an integer, not %s", what,
                   elem_type_text(e, ir->type));
        return NULL;
    }
    return ir_cast(&e->b, ir, IR_INDEX);
}

static bool check_uniform(struct elab *e, struct span at, const struct ir_value *v,
                          const char *what)
{
    if (!v->type.axes)
        return true;
    diag_error(e->s, at, DIAG_NOT_UNIFORM, "the %s differs from lane to lane: it varies along %s",
               what, axes_text(e, v->type.axes));
    return false;
}

struct ir_value *as_condition(struct elab *e, struct span at, struct value v, const char *what)
{
    struct ir_value *ir = as_ir(e, at, v);
    if (!ir)
        return NULL;
    if (ir->type.elem != IR_BOOL) {
        diag_error(e->s, at, DIAG_NOT_BOOL, "the %s is %s, not a bool", what,
                   elem_type_text(e, ir->type));
        if (ir_elem_is_integer(ir->type.elem))
            diag_help(e->s, "compare it: `x != 0`");
        return NULL;
    }
    if (check_uniform(e, at, ir, what))
        return ir;
    diag_help(e->s, "choose per lane with `c ? a : b`, or reduce it with any() or all()");
    return NULL;
}

struct ir_value *as_bound(struct elab *e, struct span at, struct value v, const char *what)
{
    struct ir_value *ir = as_index(e, at, v, what);
    if (!ir || check_uniform(e, at, ir, what))
        return ir;
    diag_help(e->s, "reduce it to one number first, as in max(n over %s)",
              axes_text(e, ir->type.axes));
    return NULL;
}

struct value convert_value(struct elab *e, struct span at, struct value v, enum ir_elem elem)
{
    struct const_value c;
    if (is_poison(v))
        return value_poison();
    if (v.kind == VALUE_CONST)
        return const_cast(e->s, at, v.c, elem, &c) ? value_const(c) : value_poison();
    struct ir_value *ir = as_ir(e, at, v);
    if (!ir)
        return value_poison();
    return value_ir(ir_cast(&e->b, ir, elem));
}

/* ---- operands together ---------------------------------------------------------------------- */

static unsigned count_axes(axis_set axes)
{
    unsigned n = 0;
    for (; axes; axes &= axes - 1)
        n++;
    return n;
}

/* A value over a part axis p next to one over p's parent: every element takes its part's value. */
static struct ir_value *spread_parts(struct elab *e, struct ir_value *v, axis_set all)
{
    for (uint32_t p = 0; p < e->f->axes.count; p++) {
        const struct ir_axis *axis = &e->f->axes.data[p];
        if (axis->kind != IR_AXIS_PART || !(v->type.axes & (axis_set)1 << p) ||
            !(all & (axis_set)1 << axis->parent))
            continue;
        struct ir_type type = {v->type.elem,
                               (v->type.axes & ~((axis_set)1 << p)) | (axis_set)1 << axis->parent};
        struct ir_attr attr = {.axis = axis->parent};
        v = ir_append(&e->b, IR_OP_spread, attr, &v, 1, &type, 1, 0)->results[0];
    }
    return v;
}

bool join_axes(struct elab *e, struct span at, struct ir_value **values, uint32_t count)
{
    axis_set all = 0, joined = 0;
    for (uint32_t i = 0; i < count; i++)
        all |= values[i]->type.axes;
    e->b.at = at;
    for (uint32_t i = 0; i < count; i++) {
        values[i] = spread_parts(e, values[i], all);
        joined |= values[i]->type.axes;
    }
    if (count_axes(joined) <= IR_MAX_AXES)
        return true;
    return diag_error(e->s, at, DIAG_TOO_MANY_AXES,
                      "the result varies along %u axes (%s), more than %d", count_axes(joined),
                      axes_text(e, joined), IR_MAX_AXES);
}

static bool is_scalar_like(struct value v)
{
    return v.kind == VALUE_IR || v.kind == VALUE_CHOICE ||
           (v.kind == VALUE_CONST && v.c.kind != CONST_ENUM && v.c.kind != CONST_TEXT);
}

/* Whether the literal adapts to the element type (a float literal never to an integer). */
static bool adapts(struct value v, enum ir_elem to)
{
    bool is_float;
    return is_literal(v, &is_float) && to != IR_BOOL && (!is_float || ir_elem_is_float(to));
}

bool join_operands(struct elab *e, struct span at, const char *what, bool compares, struct value *x,
                   struct value *y, struct ir_value **out)
{
    enum ir_elem elem;
    if (is_poison(*x) || is_poison(*y))
        return false;
    if (!is_scalar_like(*x) || !is_scalar_like(*y))
        return diag_error(e->s, at, DIAG_TYPE_MIX, "%s %s and %s", what, value_text(e, *x),
                          value_text(e, *y));
    if (adapts(*x, elem_of(*y)))
        elem = elem_of(*y);
    else if (adapts(*y, elem_of(*x)))
        elem = elem_of(*x);
    else if (!(compares ? elem_join_compare : elem_join)(elem_of(*x), elem_of(*y), &elem))
        return report_mix(e->s, at, what, elem_of(*x), elem_of(*y));
    struct value both[] = {*x, *y};
    for (int i = 0; i < 2; i++) {
        bool is_float, literal = is_literal(both[i], &is_float);
        out[i] = literal ? as_elem(e, at, both[i], elem) : as_ir(e, at, both[i]);
        if (!out[i])
            return false;
        out[i] = ir_cast(&e->b, out[i], elem);
    }
    return join_axes(e, at, out, 2);
}

/* ---- places --------------------------------------------------------------------------------- */

struct ir_value *repeat_over(struct elab *e, struct ir_value *v, axis_set axes)
{
    if (!v || !(axes & ~v->type.axes))
        return v;
    struct ir_type type = {v->type.elem, v->type.axes | axes};
    struct ir_attr attr = {.axes = axes & ~v->type.axes};
    return ir_append(&e->b, IR_OP_expand, attr, &v, 1, &type, 1, 0)->results[0];
}

static struct ir_value *fit_axes(struct elab *e, struct span at, struct ir_value *v,
                                 const struct place *place, const char *name)
{
    if (!v || place->lifts)
        return v;
    v = spread_parts(e, v, place->axes | v->type.axes);
    axis_set extra = v->type.axes & ~place->axes;
    if (!extra)
        return repeat_over(e, v, place->axes);
    const char *over = axes_text(e, extra);
    struct ir_type type = {v->type.elem, place->axes};
    diag_error(e->s, at, DIAG_VAR_TYPE, "%s is %s%s, but this value also varies along %s", name,
               place->axes ? "" : "one ", elem_type_text(e, type), over);
    diag_help(e->s, "reduce over %s first, or declare the variable as a tile over it", over);
    return NULL;
}

static struct value fit_struct(struct elab *e, struct span at, struct value v,
                               const struct place *place, const char *name)
{
    if (v.kind != VALUE_STRUCT || v.of->ast != place->of->ast) {
        diag_error(e->s, at, DIAG_IMPLICIT_CONVERSION, "%s is a %s, not %s", name,
                   place->of->ast->name.text, value_text(e, v));
        return value_poison();
    }
    struct ir_value **parts = arena_array(&e->s->module, struct ir_value *, struct_size(v.of));
    for (uint32_t i = 0; i < struct_size(v.of); i++) {
        parts[i] = fit_axes(e, at, v.parts[i], place, name);
        if (!parts[i])
            return value_poison();
    }
    return value_struct(e, v.of, parts);
}

struct value fit_place(struct elab *e, struct span at, struct value v, const struct place *place,
                       const char *name)
{
    struct const_value c;
    if (is_poison(v) || place->kind == PLACE_POISON)
        return value_poison();
    if (place->kind == PLACE_STRUCT)
        return fit_struct(e, at, v, place, name);
    if (place->kind == PLACE_ENUM) {
        if (v.kind == VALUE_CONST && v.c.kind == CONST_ENUM && v.c.of == place->of->ast)
            return v;
        diag_error(e->s, at, DIAG_IMPLICIT_CONVERSION, "%s is a %s, not %s", name,
                   place->of->ast->name.text, value_text(e, v));
        return value_poison();
    }
    if (v.kind == VALUE_CONST && place->lifts)
        return const_adapt(e->s, at, v.c, place->elem, &c) ? value_const(c) : value_poison();
    return value_ir(fit_axes(e, at, as_elem(e, at, v, place->elem), place, name));
}

struct place place_of_value(struct elab *e, struct value v)
{
    (void)e;
    if (is_poison(v) || v.kind == VALUE_NONE)
        return (struct place){.kind = PLACE_POISON};
    if (v.kind == VALUE_STRUCT)
        return (struct place){.kind = PLACE_STRUCT, .of = v.of, .axes = value_axes(v)};
    if (v.kind == VALUE_CONST && (v.c.kind == CONST_ENUM || v.c.kind == CONST_TEXT))
        return (struct place){.kind = PLACE_POISON};
    return (struct place){.kind = PLACE_ELEM, .elem = elem_of(v), .axes = value_axes(v)};
}

uint32_t place_width(const struct place *p)
{
    return p->kind == PLACE_ELEM ? 1 : p->kind == PLACE_STRUCT ? struct_size(p->of) : 0;
}

static enum ir_elem field_elem(const struct sema_item *of, uint32_t i)
{
    enum ir_elem elem = IR_F32;
    const struct type_expr *t = of->ast->params.data[i].type;
    if (t && t->kind == TYPE_NAME)
        elem_named(t->name.text, &elem);
    return elem;
}

void place_types(const struct place *p, struct ir_type *out)
{
    for (uint32_t i = 0; i < place_width(p); i++)
        out[i] =
            (struct ir_type){p->kind == PLACE_STRUCT ? field_elem(p->of, i) : p->elem, p->axes};
}

struct ir_value *value_part(struct value v, uint32_t i)
{
    return v.kind == VALUE_STRUCT ? v.parts[i] : v.ir;
}

struct value value_of_parts(struct elab *e, const struct place *p, struct ir_value *const *parts)
{
    if (p->kind == PLACE_ELEM)
        return value_ir(parts[0]);
    if (p->kind != PLACE_STRUCT)
        return value_poison();
    struct ir_value **copy = arena_array(&e->s->module, struct ir_value *, struct_size(p->of));
    for (uint32_t i = 0; i < struct_size(p->of); i++)
        copy[i] = parts[i];
    return value_struct(e, p->of, copy);
}

void label_value(struct value v, const char *name)
{
    if (v.kind == VALUE_IR && !v.ir->name && v.ir->def == IR_DEF_NODE)
        v.ir->name = name;
    for (uint32_t i = 0; v.kind == VALUE_STRUCT && i < struct_size(v.of); i++)
        if (!v.parts[i]->name && v.parts[i]->def == IR_DEF_NODE)
            v.parts[i]->name = v.of->ast->params.data[i].name.text;
}

/* ---- written types -------------------------------------------------------------------------- */

static struct place bad_type(struct elab *e, const struct type_expr *t)
{
    VEC(const char *) names = {0};
    uint32_t count;
    const char *const *elems = elem_names(&count);
    for (uint32_t i = 0; i < count; i++)
        vec_push(&e->s->scratch, &names, elems[i]);
    for (uint32_t i = e->floor; i < e->names.count; i++)
        if (e->names.data[i]->kind == LOCAL_TYPE)
            vec_push(&e->s->scratch, &names, e->names.data[i]->name.text);
    diag_error(e->s, t->name.at, DIAG_UNKNOWN_TYPE, "there is no type called %s", t->name.text);
    const char *near = nearest_name(t->name.text, names.data, names.count);
    if (!near)
        near = nearest_item(e->m, t->name.text, 1u << ITEM_ENUM | 1u << ITEM_STRUCT);
    if (near)
        diag_help(e->s, "did you mean %s?", near);
    return (struct place){.kind = PLACE_POISON};
}

bool check_fields(struct session *s, const struct item *of)
{
    enum ir_elem elem;
    bool good = true;
    if (of->params.count > MAX_FIELDS)
        good = diag_error(s, of->name.at, DIAG_TOO_LARGE, "a struct has at most %d fields",
                          MAX_FIELDS);
    for (uint32_t i = 0; i < of->params.count; i++) {
        const struct type_expr *t = of->params.data[i].type;
        if (t->kind != TYPE_NAME || t->module.text || !elem_named(t->name.text, &elem))
            good = diag_error(s, t->at, DIAG_BAD_TYPE, "a field is a number or a bool");
    }
    return good;
}

static struct place resolve_name(struct elab *e, const struct type_expr *t)
{
    struct place place = {.kind = PLACE_ELEM, .lifts = true};
    struct local *l = t->module.text ? NULL : find_local(e, t->name.text);
    if (l && l->kind == LOCAL_TYPE) {
        place.elem = l->elem;
        return place;
    }
    if (!t->module.text && elem_named(t->name.text, &place.elem))
        return place;
    struct sema_item *item = find_item(e, t->module, t->name);
    if (!item || (item->ast->kind != ITEM_ENUM && item->ast->kind != ITEM_STRUCT))
        return bad_type(e, t);
    place.kind = item->ast->kind == ITEM_ENUM ? PLACE_ENUM : PLACE_STRUCT;
    place.of = item;
    if (place.kind == PLACE_STRUCT && !check_fields(e->s, item->ast))
        place.kind = PLACE_POISON;
    return place;
}

struct place resolve_place(struct elab *e, const struct type_expr *t)
{
    if (t->kind == TYPE_NAME)
        return resolve_name(e, t);
    if (t->kind != TYPE_TILE) {
        diag_error(e->s, t->at, t->kind == TYPE_PTR ? DIAG_NOT_SUPPORTED : DIAG_BAD_TYPE,
                   t->kind == TYPE_PTR ? "pointers are not supported yet"
                                       : "only a kernel's parameter can be a tensor");
        return (struct place){.kind = PLACE_POISON};
    }
    struct place place = resolve_place(e, t->element);
    if (place.kind == PLACE_ENUM || (place.kind != PLACE_POISON && !place.lifts)) {
        diag_error(e->s, t->element->at, DIAG_BAD_TYPE,
                   "a tile's element is a number, a bool or a struct");
        return (struct place){.kind = PLACE_POISON};
    }
    place.lifts = false;
    for (uint32_t i = 0; i < t->dims.count; i++) {
        const struct expr *d = t->dims.data[i];
        if (d->kind != EXPR_NAME) {
            diag_error(e->s, d->at, DIAG_AXIS_UNKNOWN, "a tile's type lists axes by name");
            return (struct place){.kind = PLACE_POISON};
        }
        int axis = find_axis(e, (struct ast_name){d->string, d->at});
        if (axis < 0)
            return (struct place){.kind = PLACE_POISON};
        if (e->f->axes.data[axis].kind == IR_AXIS_PROGRAM) {
            diag_error(e->s, d->at, DIAG_BAD_TYPE,
                       "%s is one number in a program, not an axis of tiles", d->string);
            return (struct place){.kind = PLACE_POISON};
        }
        if (place.axes & (axis_set)1 << axis)
            diag_error(e->s, d->at, DIAG_AXIS_TWICE, "the tile lists axis %s twice", d->string);
        place.axes |= (axis_set)1 << axis;
    }
    if (count_axes(place.axes) > IR_MAX_AXES) {
        diag_error(e->s, t->at, DIAG_TOO_MANY_AXES, "a tile has at most %d axes", IR_MAX_AXES);
        place.kind = PLACE_POISON;
    }
    return place;
}
