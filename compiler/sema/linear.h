/* A small prover for linear inequalities over integers.
 *
 * A form is constant + sum of coefficient * symbol; a fact says that a form is never negative. To
 * show a goal the prover assumes its opposite and eliminates symbols (Fourier-Motzkin, constants
 * rounded after division by the common divisor) until a contradiction stands, or its limits are
 * reached. It never claims what is not so; it may fail to show what is. Coefficients are checked
 * for overflow: a form that would overflow is dropped, which only weakens the facts. */
#ifndef SEMA_LINEAR_H
#define SEMA_LINEAR_H

#include "support/session.h"

#define LINEAR_TERMS 8

struct linear_term {
    uint32_t symbol;
    int64_t coefficient; /* never 0 */
};

/* Terms are ordered by symbol. A form with valid == false stands for "not linear, or too large". */
struct linear {
    bool valid;
    int64_t constant;
    uint32_t count;
    struct linear_term terms[LINEAR_TERMS];
};

struct linear linear_constant(int64_t value);
struct linear linear_symbol(uint32_t symbol);
struct linear linear_add(const struct linear *a, const struct linear *b, int64_t scale_b);
struct linear linear_scale(const struct linear *a, int64_t scale);
bool linear_equal(const struct linear *a, const struct linear *b);

/* Facts in order of arrival, so that those of an inner scope can be dropped again. */
struct linear_facts {
    struct arena *arena;
    VEC(struct linear) list;
    struct linear_system *work[2]; /* made on first use */
};

void facts_add(struct linear_facts *facts, const struct linear *form); /* form >= 0 */
/* True if the facts, together with `more`, imply form >= 0. */
bool facts_show(struct linear_facts *facts, const struct linear_facts *more,
                const struct linear *form);

#endif
