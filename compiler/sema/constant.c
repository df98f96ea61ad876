/* Compile-time values: what they are, how they convert, and their operators. Expressions outside
 * kernel bodies are evaluated by evaluate.c; kernel bodies fold with the same operators (expr.c). */
#include "sema/internal.h"

#include <math.h>

struct const_value const_poison(void)
{
    return (struct const_value){.kind = CONST_POISON};
}

struct const_value const_int(enum ir_elem elem, int64_t i)
{
    return (struct const_value){.kind = CONST_INT, .elem = elem, .i = i};
}

struct const_value const_literal_int(int64_t i)
{
    return (struct const_value){.kind = CONST_INT, .literal = true, .elem = IR_INDEX, .i = i};
}

struct const_value const_literal_float(double f)
{
    return (struct const_value){.kind = CONST_FLOAT, .literal = true, .elem = IR_F32, .f = f};
}

struct const_value const_bool(bool b)
{
    return (struct const_value){.kind = CONST_BOOL, .elem = IR_BOOL, .i = b};
}

struct const_value const_enum(const struct item *of, int64_t position)
{
    return (struct const_value){.kind = CONST_ENUM, .of = of, .i = position};
}

struct const_value const_type(int64_t elem)
{
    return (struct const_value){.kind = CONST_TYPE, .i = elem};
}

struct const_value const_unknown(enum ir_elem elem)
{
    return (struct const_value){.kind = CONST_UNKNOWN, .elem = elem};
}

static bool set(struct const_value *out, struct const_value v)
{
    *out = v;
    return v.kind != CONST_POISON;
}

static bool poison(struct const_value *out)
{
    return set(out, const_poison());
}

const char *const_text(struct session *s, struct const_value v)
{
    struct arena *a = &s->module;
    switch (v.kind) {
    case CONST_POISON:
    case CONST_UNKNOWN: return "?";
    case CONST_INT:
        return v.elem == IR_U64 ? arena_printf(a, "%llu", (unsigned long long)v.i)
                                : arena_printf(a, "%lld", (long long)v.i);
    case CONST_FLOAT: return arena_printf(a, "%.9g", v.f);
    case CONST_BOOL: return v.i ? "true" : "false";
    case CONST_ENUM: return arena_printf(a, "%s.%s", v.of->name.text, v.of->members.data[v.i].text);
    case CONST_TYPE: return v.i < 0 ? "?" : ir_elem_name((enum ir_elem)v.i);
    case CONST_TEXT: return arena_printf(a, "\"%s\"", v.text);
    }
    return "?";
}

const char *const_kind_text(struct session *s, struct const_value v)
{
    switch (v.kind) {
    case CONST_POISON: return "an erroneous value";
    case CONST_UNKNOWN:
    case CONST_INT:
    case CONST_FLOAT:
    case CONST_BOOL:
        return v.literal ? v.kind == CONST_INT ? "an integer literal" : "a float literal"
                         : ir_elem_name(v.elem);
    case CONST_ENUM: return v.of->name.text;
    case CONST_TYPE: return "a type";
    case CONST_TEXT: return "a text";
    }
    return arena_printf(&s->module, "kind %d", (int)v.kind);
}

bool const_equal(struct const_value a, struct const_value b)
{
    if (a.kind != b.kind)
        return false;
    if (a.kind == CONST_FLOAT)
        return a.f == b.f;
    if (a.kind == CONST_ENUM && a.of != b.of)
        return false;
    return a.i == b.i;
}

/* ---- element types as sets of numbers ------------------------------------------------------- */

/* i reduced to elem's bits, as machine integers wrap. */
static int64_t wrap(enum ir_elem elem, int64_t i)
{
    unsigned bits = ir_elem_bits(elem);
    if (bits >= 64)
        return i;
    uint64_t low = (uint64_t)i & (((uint64_t)1 << bits) - 1);
    bool negative = ir_elem_is_signed(elem) && (low >> (bits - 1)) & 1;
    return (int64_t)(negative ? low | ~(((uint64_t)1 << bits) - 1) : low);
}

/* digits: of the significand with the hidden one; least: exponent of the smallest normal number. */
static const struct float_form {
    enum ir_elem elem;
    int digits, least;
    double largest;
} forms[] = {
    {IR_F16,    11, -14,  65504.0       },
    {IR_BF16,   8,  -126, 0x1.fep127    },
    {IR_F32,    24, -126, 0x1.fffffep127},
    {IR_F8E4M3, 4,  -6,   448.0         },
    {IR_F8E5M2, 3,  -14,  57344.0       },
};

/* f rounded to nearest even in elem. */
static double round_to(enum ir_elem elem, double f)
{
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (forms[i].elem != elem || !isfinite(f) || f == 0)
            continue;
        int exponent;
        frexp(f, &exponent);
        exponent -= 1;
        if (exponent < forms[i].least)
            exponent = forms[i].least;
        double unit = ldexp(1.0, exponent - forms[i].digits + 1);
        double r = rint(f / unit) * unit;
        if (fabs(r) <= forms[i].largest)
            return r;
        return elem == IR_F8E4M3 ? (double)NAN : copysign((double)INFINITY, f);
    }
    return f;
}

static bool fits(enum ir_elem elem, int64_t i)
{
    if (elem == IR_U64)
        return i >= 0;
    return wrap(elem, i) == i;
}

bool const_adapt(struct session *s, struct span at, struct const_value v, enum ir_elem elem,
                 struct const_value *out)
{
    if (v.kind == CONST_POISON)
        return poison(out);
    if (v.kind == CONST_ENUM || v.kind == CONST_TYPE || v.kind == CONST_TEXT) {
        diag_error(s, at, DIAG_IMPLICIT_CONVERSION, "%s is wanted here, not %s", ir_elem_name(elem),
                   const_kind_text(s, v));
        return poison(out);
    }
    bool to_float = ir_elem_is_float(elem), to_int = ir_elem_is_integer(elem);
    if (v.kind == CONST_UNKNOWN && elem_widens(v.elem, elem))
        return set(out, const_unknown(elem));
    if (v.kind == CONST_BOOL && elem == IR_BOOL)
        return set(out, v);
    if (v.kind == CONST_INT && to_int && v.literal) {
        if (fits(elem, v.i))
            return set(out, const_int(elem, v.i));
        diag_error(s, at, DIAG_LITERAL_RANGE, "%s does not fit %s", const_text(s, v),
                   ir_elem_name(elem));
        return poison(out);
    }
    if (v.kind == CONST_INT && to_float && v.literal) {
        double f = round_to(elem, (double)v.i);
        if (f == (double)v.i && fabs(f) <= 0x1p53)
            return set(out, (struct const_value){.kind = CONST_FLOAT, .elem = elem, .f = f});
        diag_error(s, at, DIAG_LITERAL_RANGE, "%s is not exact in %s", const_text(s, v),
                   ir_elem_name(elem));
        diag_help(s, "write it as a float: %s.0", const_text(s, v));
        return poison(out);
    }
    if (v.kind == CONST_FLOAT && to_float && (v.literal || elem_widens(v.elem, elem))) {
        double f = round_to(elem, v.f);
        if (isfinite(f) || !isfinite(v.f))
            return set(out, (struct const_value){.kind = CONST_FLOAT, .elem = elem, .f = f});
        diag_error(s, at, DIAG_LITERAL_RANGE, "%s is too large for %s", const_text(s, v),
                   ir_elem_name(elem));
        return poison(out);
    }
    if (v.kind == CONST_INT && elem_widens(v.elem, elem))
        return set(out, const_int(elem, v.i));
    report_implicit(s, at, v.elem, elem, NULL);
    return poison(out);
}

static int64_t float_to_int(enum ir_elem elem, double f)
{
    unsigned bits = ir_elem_bits(elem);
    bool is_signed = ir_elem_is_signed(elem);
    if (isnan(f))
        return 0;
    f = trunc(f);
    double top = ldexp(1.0, (int)bits - is_signed);
    if (f >= top)
        return is_signed ? (int64_t)(((uint64_t)1 << (bits - 1)) - 1) : wrap(elem, -1);
    if (f < (is_signed ? -top : 0.0))
        return is_signed ? wrap(elem, (int64_t)((uint64_t)1 << (bits - 1))) : 0;
    return f >= 0x1p63 ? (int64_t)(uint64_t)f : (int64_t)f;
}

static double int_to_float(enum ir_elem from, int64_t i)
{
    return from == IR_U64 ? (double)(uint64_t)i : (double)i;
}

bool const_cast(struct session *s, struct span at, struct const_value v, enum ir_elem elem,
                struct const_value *out)
{
    bool to_float = ir_elem_is_float(elem);
    switch (v.kind) {
    case CONST_POISON: return poison(out);
    case CONST_UNKNOWN: return set(out, const_unknown(elem));
    case CONST_FLOAT:
        if (to_float)
            return set(out, (struct const_value){
                                .kind = CONST_FLOAT, .elem = elem, .f = round_to(elem, v.f)});
        if (elem == IR_BOOL)
            return set(out, const_bool(v.f != 0));
        return set(out, const_int(elem, float_to_int(elem, v.f)));
    case CONST_INT:
    case CONST_BOOL:
        if (elem == IR_BOOL)
            return set(out, const_bool(v.i != 0));
        if (!to_float)
            return set(out, const_int(elem, wrap(elem, v.i)));
        return set(out, (struct const_value){.kind = CONST_FLOAT,
                                             .elem = elem,
                                             .f = round_to(elem, int_to_float(v.elem, v.i))});
    case CONST_ENUM:
    case CONST_TYPE:
    case CONST_TEXT:
        diag_error(s, at, DIAG_IMPLICIT_CONVERSION, "%s is not a number", const_kind_text(s, v));
        return poison(out);
    }
    return poison(out);
}

/* ---- operators ------------------------------------------------------------------------------ */

bool const_is_number(struct const_value v)
{
    return v.kind == CONST_INT || v.kind == CONST_FLOAT ||
           (v.kind == CONST_UNKNOWN && v.elem != IR_BOOL);
}

bool const_is_truth(struct const_value v)
{
    return v.kind == CONST_BOOL || (v.kind == CONST_UNKNOWN && v.elem == IR_BOOL);
}

static bool overflow(struct session *s, struct span at, const char *what, struct const_value *out)
{
    diag_error(s, at, DIAG_CONST_OVERFLOW, "the result of %s does not fit an index", what);
    return poison(out);
}

bool const_unary(struct session *s, struct span at, enum ast_unary op, struct const_value x,
                 struct const_value *out)
{
    static const char *const texts[] = {"-", "!", "~"};
    if (x.kind == CONST_POISON)
        return poison(out);
    if (op == AST_NOT && const_is_truth(x))
        return set(out, x.kind == CONST_UNKNOWN ? x : const_bool(!x.i));
    if (op != AST_NOT && const_is_number(x) && (op == AST_NEGATE || !ir_elem_is_float(x.elem))) {
        if (x.kind == CONST_UNKNOWN)
            return set(out, x);
        if (x.kind == CONST_FLOAT)
            x.f = -x.f;
        else if (op == AST_BIT_NOT)
            x.i = wrap(x.elem, ~x.i);
        else if (x.elem == IR_INDEX && x.i == INT64_MIN)
            return overflow(s, at, "-", out);
        else
            x.i = wrap(x.elem, (int64_t)(0 - (uint64_t)x.i));
        return set(out, x);
    }
    diag_error(s, at, DIAG_NO_ARITHMETIC, "%s is not defined for %s", texts[op],
               const_kind_text(s, x));
    if (op == AST_NOT && const_is_number(x))
        diag_help(s, "compare it: `x == 0`");
    return poison(out);
}

/* Brings two numbers to one type; both literal: the result is one too. */
bool const_meet(struct session *s, struct span at, enum ast_binary op, struct const_value *x,
                struct const_value *y)
{
    bool compares = op == AST_LT || op == AST_GT || op == AST_LE || op == AST_GE || op == AST_EQ ||
                    op == AST_NE;
    enum ir_elem elem;
    if (x->literal && y->literal) {
        if (x->kind == y->kind)
            return true;
        if (x->kind == CONST_INT)
            *x = const_literal_float((double)x->i);
        else
            *y = const_literal_float((double)y->i);
        return true;
    }
    if (x->literal && (x->kind == CONST_INT || ir_elem_is_float(y->elem)))
        return const_adapt(s, at, *x, y->elem, x);
    if (y->literal && (y->kind == CONST_INT || ir_elem_is_float(x->elem)))
        return const_adapt(s, at, *y, x->elem, y);
    if (!(compares ? elem_join_compare : elem_join)(x->elem, y->elem, &elem)) {
        const char *what = arena_printf(&s->module, "%s does not take", ast_binary_text(op));
        return report_mix(s, at, what, x->elem, y->elem);
    }
    x->elem = y->elem = elem;
    return true;
}

static bool compare(enum ast_binary op, int order, bool unordered)
{
    switch ((int)op) {
    case AST_LT: return order < 0;
    case AST_GT: return order > 0;
    case AST_LE: return order <= 0 && !unordered;
    case AST_GE: return order >= 0 && !unordered;
    case AST_EQ: return order == 0 && !unordered;
    default: return order != 0 || unordered;
    }
}

static bool is_comparison(enum ast_binary op)
{
    return op == AST_LT || op == AST_GT || op == AST_LE || op == AST_GE || op == AST_EQ ||
           op == AST_NE;
}

static bool float_binary(struct session *s, struct span at, enum ast_binary op,
                         struct const_value x, struct const_value y, struct const_value *out)
{
    double r;
    if (is_comparison(op))
        return set(out,
                   const_bool(compare(op, (x.f > y.f) - (x.f < y.f), isnan(x.f) || isnan(y.f))));
    switch ((int)op) {
    case AST_ADD: r = x.f + y.f; break;
    case AST_SUB: r = x.f - y.f; break;
    case AST_MUL: r = x.f * y.f; break;
    case AST_DIV: r = x.f / y.f; break;
    default:
        diag_error(s, at, DIAG_NO_ARITHMETIC, "%s is not defined for floats", ast_binary_text(op));
        return poison(out);
    }
    x.f = x.literal ? r : round_to(x.elem, r);
    return set(out, x);
}

/* Division as the IR does it: index rounds down, others toward zero. */
int64_t const_divide(enum ir_elem elem, int64_t x, int64_t y)
{
    if (elem == IR_U64)
        return (int64_t)((uint64_t)x / (uint64_t)y);
    if (y == -1)
        return (int64_t)(0 - (uint64_t)x);
    int64_t q = x / y;
    return elem == IR_INDEX && x % y != 0 && (x < 0) != (y < 0) ? q - 1 : q;
}

static int64_t shift(enum ir_elem elem, enum ast_binary op, int64_t x, int64_t y)
{
    bool gone = y < 0 || y >= (int64_t)ir_elem_bits(elem);
    if (op == AST_SHL)
        return gone ? 0 : wrap(elem, (int64_t)((uint64_t)x << y));
    if (!ir_elem_is_signed(elem))
        return gone ? 0 : (int64_t)((uint64_t)x >> y);
    return x < 0 ? ~(~x >> (gone ? 63 : y)) : x >> (gone ? 63 : y);
}

static bool int_binary(struct session *s, struct span at, enum ast_binary op, struct const_value x,
                       struct const_value y, struct const_value *out)
{
    int64_t r = 0;
    bool over = false, checked = x.elem == IR_INDEX;
    uint64_t a = (uint64_t)x.i, b = (uint64_t)y.i;
    if (is_comparison(op)) {
        int order = x.elem == IR_U64 ? (a > b) - (a < b) : (x.i > y.i) - (x.i < y.i);
        return set(out, const_bool(compare(op, order, false)));
    }
    switch ((int)op) {
    case AST_ADD:
        r = (int64_t)(a + b);
        over = ((x.i ^ r) & (y.i ^ r)) < 0;
        break;
    case AST_SUB:
        r = (int64_t)(a - b);
        over = ((x.i ^ y.i) & (x.i ^ r)) < 0;
        break;
    case AST_MUL:
        r = (int64_t)(a * b);
        over = x.i && ((x.i == -1 && y.i == INT64_MIN) || (x.i != -1 && r / x.i != y.i));
        break;
    case AST_DIV:
    case AST_REM:
        if (!y.i) {
            diag_error(s, at, DIAG_DIVISION_BY_ZERO, "division by zero");
            return poison(out);
        }
        over = x.i == INT64_MIN && y.i == -1;
        r = const_divide(x.elem, x.i, y.i);
        if (op == AST_REM)
            r = (int64_t)(a - (uint64_t)r * b);
        break;
    case AST_SHL:
        r = shift(x.elem, op, x.i, y.i);
        over = y.i < 0 || y.i > 62 || (r >> y.i) != x.i;
        break;
    case AST_SHR: r = shift(x.elem, op, x.i, y.i); break;
    case AST_BIT_AND: r = (int64_t)(a & b); break;
    case AST_BIT_OR: r = (int64_t)(a | b); break;
    case AST_BIT_XOR: r = (int64_t)(a ^ b); break;
    default:
        diag_error(s, at, DIAG_NO_ARITHMETIC, "%s wants bools", ast_binary_text(op));
        return poison(out);
    }
    if (over && checked)
        return overflow(s, at, ast_binary_text(op), out);
    x.i = wrap(x.elem, r);
    return set(out, x);
}

static bool truth_binary(struct session *s, struct span at, enum ast_binary op,
                         struct const_value x, struct const_value y, struct const_value *out)
{
    bool known = x.kind == CONST_BOOL && y.kind == CONST_BOOL;
    switch ((int)op) {
    case AST_AND:
    case AST_BIT_AND:
        if ((x.kind == CONST_BOOL && !x.i) || (y.kind == CONST_BOOL && !y.i))
            return set(out, const_bool(false));
        return set(out, known ? const_bool(true) : const_unknown(IR_BOOL));
    case AST_OR:
    case AST_BIT_OR:
        if ((x.kind == CONST_BOOL && x.i) || (y.kind == CONST_BOOL && y.i))
            return set(out, const_bool(true));
        return set(out, known ? const_bool(false) : const_unknown(IR_BOOL));
    case AST_BIT_XOR:
    case AST_NE: return set(out, known ? const_bool(x.i != y.i) : const_unknown(IR_BOOL));
    case AST_EQ: return set(out, known ? const_bool(x.i == y.i) : const_unknown(IR_BOOL));
    default:
        diag_error(s, at, DIAG_NO_ARITHMETIC, "%s is not defined for bools", ast_binary_text(op));
        return poison(out);
    }
}

bool const_binary(struct session *s, struct span at, enum ast_binary op, struct const_value x,
                  struct const_value y, struct const_value *out)
{
    if (x.kind == CONST_POISON || y.kind == CONST_POISON)
        return poison(out);
    if (x.kind == CONST_ENUM && y.kind == CONST_ENUM && x.of == y.of &&
        (op == AST_EQ || op == AST_NE))
        return set(out, const_bool((x.i == y.i) == (op == AST_EQ)));
    if (x.kind == CONST_TYPE && y.kind == CONST_TYPE && (op == AST_EQ || op == AST_NE))
        return set(out, x.i < 0 || y.i < 0 ? const_unknown(IR_BOOL)
                                           : const_bool((x.i == y.i) == (op == AST_EQ)));
    if (const_is_truth(x) && const_is_truth(y))
        return truth_binary(s, at, op, x, y, out);
    if (!const_is_number(x) || !const_is_number(y)) {
        diag_error(s, at, DIAG_TYPE_MIX, "%s does not take %s and %s", ast_binary_text(op),
                   const_kind_text(s, x), const_kind_text(s, y));
        return poison(out);
    }
    if (!const_meet(s, at, op, &x, &y))
        return poison(out);
    if (x.kind == CONST_UNKNOWN || y.kind == CONST_UNKNOWN)
        return set(out, const_unknown(is_comparison(op) ? IR_BOOL : x.elem));
    return (x.kind == CONST_FLOAT ? float_binary : int_binary)(s, at, op, x, y, out);
}
