/* Linear forms and the elimination that shows inequalities. */
#include "sema/linear.h"

/* Beyond these a form is given up; sums and products of values below stay inside int64. */
#define COEFFICIENT_MAX ((int64_t)1 << 30)
#define CONSTANT_MAX    ((int64_t)1 << 61)

/* How much work one question may cost. */
#define MAX_RELEVANT 48
#define MAX_FORMS    256

static const struct linear not_linear = {0};

static bool in_range(int64_t value, int64_t limit)
{
    return value <= limit && value >= -limit;
}

static bool multiply(int64_t a, int64_t b, int64_t limit, int64_t *out)
{
    if (a && b && (!in_range(a, limit) || !in_range(b, limit / (a < 0 ? -a : a))))
        return false;
    *out = a * b;
    return true;
}

struct linear linear_constant(int64_t value)
{
    return (struct linear){.valid = in_range(value, CONSTANT_MAX), .constant = value};
}

struct linear linear_symbol(uint32_t symbol)
{
    return (struct linear){.valid = true, .count = 1, .terms = {{symbol, 1}}};
}

struct linear linear_scale(const struct linear *a, int64_t scale)
{
    struct linear zero = linear_constant(0);
    return linear_add(&zero, a, scale);
}

/* coefficient_a + scale * coefficient_b, appended unless zero. */
static bool add_term(struct linear *out, uint32_t symbol, int64_t a, int64_t b, int64_t scale)
{
    int64_t scaled;
    if (!multiply(b, scale, COEFFICIENT_MAX, &scaled) || !in_range(a + scaled, COEFFICIENT_MAX))
        return false;
    if (a + scaled == 0)
        return true;
    if (out->count == LINEAR_TERMS)
        return false;
    out->terms[out->count++] = (struct linear_term){symbol, a + scaled};
    return true;
}

struct linear linear_add(const struct linear *a, const struct linear *b, int64_t scale)
{
    struct linear out = {.valid = true};
    int64_t scaled;
    if (!a->valid || !b->valid || !multiply(b->constant, scale, CONSTANT_MAX, &scaled) ||
        !in_range(a->constant + scaled, CONSTANT_MAX))
        return not_linear;
    out.constant = a->constant + scaled;
    uint32_t i = 0, j = 0;
    while (i < a->count || j < b->count) {
        bool take_a = j == b->count || (i < a->count && a->terms[i].symbol <= b->terms[j].symbol);
        bool take_b = i == a->count || (j < b->count && b->terms[j].symbol <= a->terms[i].symbol);
        uint32_t symbol = take_a ? a->terms[i].symbol : b->terms[j].symbol;
        int64_t from_a = take_a ? a->terms[i++].coefficient : 0;
        int64_t from_b = take_b ? b->terms[j++].coefficient : 0;
        if (!add_term(&out, symbol, from_a, from_b, scale))
            return not_linear;
    }
    return out;
}

bool linear_equal(const struct linear *a, const struct linear *b)
{
    if (!a->valid || !b->valid || a->constant != b->constant || a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (a->terms[i].symbol != b->terms[i].symbol ||
            a->terms[i].coefficient != b->terms[i].coefficient)
            return false;
    return true;
}

void facts_add(struct linear_facts *facts, const struct linear *form)
{
    if (form->valid && form->count)
        vec_push(facts->arena, &facts->list, *form);
    else if (form->valid && form->constant < 0)
        vec_push(facts->arena, &facts->list, *form); /* a contradiction: all follows */
}

/* ---- elimination ---------------------------------------------------------------------------- */

struct linear_system {
    struct linear forms[MAX_FORMS];
    uint32_t count;
    bool contradiction;
};

static int64_t gcd(int64_t a, int64_t b)
{
    a = a < 0 ? -a : a;
    b = b < 0 ? -b : b;
    while (b) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

static int64_t divide_down(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return a % b < 0 ? q - 1 : q;
}

static bool same_terms(const struct linear *a, const struct linear *b)
{
    struct linear c = *b;
    c.constant = a->constant;
    return linear_equal(a, &c);
}

/* Keeps the tighter of two forms with the same terms. False: no room. */
static bool system_add(struct linear_system *sys, struct linear form)
{
    if (!form.valid)
        return true;
    if (!form.count) {
        sys->contradiction |= form.constant < 0;
        return true;
    }
    int64_t divisor = 0;
    for (uint32_t i = 0; i < form.count; i++)
        divisor = gcd(divisor, form.terms[i].coefficient);
    for (uint32_t i = 0; i < form.count; i++)
        form.terms[i].coefficient /= divisor;
    form.constant = divide_down(form.constant, divisor);
    for (uint32_t i = 0; i < sys->count; i++)
        if (same_terms(&sys->forms[i], &form)) {
            if (form.constant < sys->forms[i].constant)
                sys->forms[i].constant = form.constant;
            return true;
        }
    if (sys->count == MAX_FORMS)
        return false;
    sys->forms[sys->count++] = form;
    return true;
}

static int64_t coefficient_of(const struct linear *form, uint32_t symbol)
{
    for (uint32_t i = 0; i < form->count; i++)
        if (form->terms[i].symbol == symbol)
            return form->terms[i].coefficient;
    return 0;
}

/* The symbol whose elimination makes the fewest new forms. */
static bool cheapest_symbol(const struct linear_system *sys, uint32_t *out)
{
    uint64_t best = UINT64_MAX;
    for (uint32_t i = 0; i < sys->count; i++)
        for (uint32_t t = 0; t < sys->forms[i].count; t++) {
            uint32_t symbol = sys->forms[i].terms[t].symbol;
            uint64_t above = 0, below = 0;
            for (uint32_t j = 0; j < sys->count; j++) {
                int64_t c = coefficient_of(&sys->forms[j], symbol);
                above += c > 0;
                below += c < 0;
            }
            if (above * below < best) {
                best = above * below;
                *out = symbol;
            }
        }
    return best != UINT64_MAX;
}

/* Combines every form that bounds the symbol below with every one that bounds it above. */
static bool eliminate(struct linear_system *sys, struct linear_system *next, uint32_t symbol)
{
    next->count = 0;
    next->contradiction = false;
    for (uint32_t i = 0; i < sys->count; i++) {
        int64_t a = coefficient_of(&sys->forms[i], symbol);
        if (a == 0 && !system_add(next, sys->forms[i]))
            return false;
        for (uint32_t j = 0; a > 0 && j < sys->count; j++) {
            int64_t b = coefficient_of(&sys->forms[j], symbol);
            if (b >= 0)
                continue;
            int64_t g = gcd(a, b);
            struct linear scaled = linear_scale(&sys->forms[i], -b / g);
            if (!system_add(next, linear_add(&scaled, &sys->forms[j], a / g)))
                return false;
        }
    }
    return true;
}

static bool shares_symbol(const struct linear *a, const struct linear *b)
{
    for (uint32_t i = 0; i < a->count; i++)
        if (coefficient_of(b, a->terms[i].symbol))
            return true;
    return false;
}

static void add_sharing(struct linear_system *sys, const struct linear *seed,
                        const struct linear_facts *facts)
{
    for (uint32_t i = 0; i < facts->list.count && sys->count < MAX_RELEVANT; i++)
        if (shares_symbol(seed, &facts->list.data[i]))
            system_add(sys, facts->list.data[i]);
}

/* The facts that are tied to the goal through shared symbols, nearest first. */
static void add_relevant(struct linear_system *sys, const struct linear_facts *facts,
                         const struct linear_facts *more)
{
    for (uint32_t i = 0; i < sys->count; i++) {
        struct linear seed = sys->forms[i];
        add_sharing(sys, &seed, facts);
        add_sharing(sys, &seed, more);
    }
}

bool facts_show(struct linear_facts *facts, const struct linear_facts *more,
                const struct linear *form)
{
    if (!form->valid)
        return false;
    for (uint32_t i = 0; i < facts->list.count; i++)
        if (!facts->list.data[i].count)
            return true; /* only contradictions are kept without terms */
    struct linear minus_one = linear_constant(-1);
    struct linear opposite = linear_add(&minus_one, form, -1);
    for (int i = 0; i < 2 && !facts->work[i]; i++)
        facts->work[i] = arena_new(facts->arena, struct linear_system);
    struct linear_system *sys = facts->work[0], *next = facts->work[1];
    sys->count = 0;
    sys->contradiction = false;
    system_add(sys, opposite);
    add_relevant(sys, facts, more);
    uint32_t symbol = 0;
    while (!sys->contradiction && cheapest_symbol(sys, &symbol)) {
        if (!eliminate(sys, next, symbol))
            return false;
        struct linear_system *done = sys;
        sys = next;
        next = done;
    }
    return sys->contradiction;
}
