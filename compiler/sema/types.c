/* Element types: their names, which sets a generic may name, and how two of them mix. */
#include "sema/internal.h"

static const char *const names[] = {
#define X(name, text, bits, kind) text,
    LDSL_DTYPE_LIST(X)
#undef X
        "index"};

bool elem_named(const char *text, enum ir_elem *elem)
{
    for (unsigned i = 0; i < IR_ELEM_COUNT; i++)
        if (strcmp(names[i], text) == 0) {
            *elem = (enum ir_elem)i;
            return true;
        }
    return false;
}

const char *const *elem_names(uint32_t *count)
{
    *count = IR_ELEM_COUNT;
    return names;
}

#define BIT(e) ((elem_set)1 << (e))

static const struct {
    const char *name;
    elem_set set;
} sets[] = {
    {"float", BIT(IR_F16) | BIT(IR_BF16) | BIT(IR_F32)              },
    {"real",  BIT(IR_F16) | BIT(IR_BF16) | BIT(IR_F32) | BIT(IR_F64)},
    {"int",   BIT(IR_I8) | BIT(IR_I16) | BIT(IR_I32) | BIT(IR_I64) | BIT(IR_U8) | BIT(IR_U16) |
                BIT(IR_U32) | BIT(IR_U64)                },
    {"any",   BIT(LDSL_DTYPE_COUNT) - 1                             },
};

static elem_set named_set(struct sema_module *m, const struct ast_generic *g)
{
    const char *candidates[sizeof sets / sizeof *sets];
    for (unsigned i = 0; i < sizeof sets / sizeof *sets; i++) {
        if (strcmp(sets[i].name, g->set.text) == 0)
            return sets[i].set;
        candidates[i] = sets[i].name;
    }
    diag_error(m->s, g->set.at, DIAG_UNKNOWN_TYPE, "there is no set of types called %s",
               g->set.text);
    const char *near = nearest_name(g->set.text, candidates, sizeof sets / sizeof *sets);
    diag_help(m->s, near ? "did you mean %s?" : "the sets are float, real, int and any%s",
              near ? near : "");
    return 0;
}

elem_set generic_set(struct sema_module *m, const struct ast_generic *g)
{
    if (g->set.text)
        return named_set(m, g);
    elem_set set = 0;
    for (uint32_t i = 0; i < g->members.count; i++) {
        const struct type_expr *t = g->members.data[i];
        enum ir_elem elem;
        if (t->kind != TYPE_NAME || t->module.text || !elem_named(t->name.text, &elem) ||
            elem == IR_INDEX)
            diag_error(m->s, t->at, DIAG_UNKNOWN_TYPE,
                       "a generic chooses among element types such as f16 or i32");
        else
            set |= BIT(elem);
    }
    return set;
}

const char *elem_set_text(struct session *s, elem_set set)
{
    const char *text = "";
    for (unsigned i = 0; i < IR_ELEM_COUNT; i++)
        if (set & BIT(i))
            text = arena_printf(&s->module, "%s%s%s", text, *text ? ", " : "", names[i]);
    return text;
}

static bool is_small_float(enum ir_elem e)
{
    return e == IR_F16 || e == IR_BF16 || e == IR_F8E4M3 || e == IR_F8E5M2;
}

bool elem_widens(enum ir_elem from, enum ir_elem to)
{
    if (from == to)
        return true;
    if (to == IR_F32)
        return is_small_float(from);
    if (!ir_elem_is_integer(from) || !ir_elem_is_integer(to) || from == IR_INDEX)
        return false;
    if (ir_elem_is_signed(from) != ir_elem_is_signed(to))
        return false;
    return to == IR_INDEX || ir_elem_bits(from) < ir_elem_bits(to);
}

bool elem_join(enum ir_elem a, enum ir_elem b, enum ir_elem *out)
{
    *out = elem_widens(a, b) ? b : a;
    return elem_widens(a, b) || elem_widens(b, a);
}

bool elem_join_compare(enum ir_elem a, enum ir_elem b, enum ir_elem *out)
{
    if (elem_join(a, b, out))
        return true;
    *out = IR_INDEX;
    return (a == IR_INDEX && ir_elem_is_integer(b)) || (b == IR_INDEX && ir_elem_is_integer(a));
}

static const char *mix_advice(enum ir_elem a, enum ir_elem b)
{
    if (a == IR_BOOL || b == IR_BOOL)
        return "a bool is not a number: write `b ? x : y`";
    if (ir_elem_is_float(a) != ir_elem_is_float(b))
        return "integers do not become floats by themselves: convert one, as in f32(i)";
    if (a == IR_F64 || b == IR_F64)
        return "f64 never appears by itself: convert one operand explicitly";
    if (ir_elem_is_float(a))
        return "convert both to f32 first";
    return "integers mix only when one type holds all values of the other: convert one explicitly";
}

bool report_mix(struct session *s, struct span at, const char *what, enum ir_elem a, enum ir_elem b)
{
    diag_error(s, at, DIAG_TYPE_MIX, "%s %s and %s", what, ir_elem_name(a), ir_elem_name(b));
    return diag_help(s, "%s", mix_advice(a, b));
}

bool report_implicit(struct session *s, struct span at, enum ir_elem from, enum ir_elem to,
                     const char *generic)
{
    diag_error(s, at, DIAG_IMPLICIT_CONVERSION, "%s does not become %s by itself",
               ir_elem_name(from), ir_elem_name(to));
    if (from == IR_BOOL)
        return diag_help(s, "write `b ? 1 : 0`");
    if (to == IR_BOOL)
        return diag_help(s, "compare it: `x != 0`");
    if (generic)
        return diag_help(s, "convert it: %s(...), where %s is %s here", generic, generic,
                         ir_elem_name(to));
    return diag_help(s, "convert it: %s(...)", ir_elem_name(to));
}
