/* Small arithmetic over named numbers: the dims of parameters ("2 * F") and the arguments of sample
 * hints ("randint(0, V)") as texts of an operator's declaration. */
#ifndef LDSL_EXPR_H
#define LDSL_EXPR_H

#include <stdbool.h>
#include <stdint.h>

/* What a name stands for; false: unknown. */
struct expr_names {
    bool (*find)(const void *user, const char *name, double *value);
    const void *user;
};

/* Numbers, names, + - * / %, unary minus, parentheses, min(a, b), max(a, b), cdiv(a, b). Whole numbers
 * divide to whole numbers, rounding down. On success *text stands after the expression. */
bool expr_evaluate(double *value, const char **text, const struct expr_names *names);

/* The whole of the text, as a dim: a whole number that is not negative. */
bool expr_dim(int64_t *value, const char *text, const struct expr_names *names);

#endif
