#include "expr.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct number {
    double value;
    bool whole; /* an integer: / and % are those of integers */
};

struct reader {
    const char *at;
    const struct expr_names *names;
    int depth;
};

enum { MAX_DEPTH = 64 };

static bool read_sum(struct reader *r, struct number *out);

static char peek(struct reader *r)
{
    while (isspace((unsigned char)*r->at))
        r->at++;
    return *r->at;
}

static bool take(struct reader *r, char c)
{
    if (peek(r) != c)
        return false;
    r->at++;
    return true;
}

static bool read_number(struct reader *r, struct number *out)
{
    char *end;
    out->value = strtod(r->at, &end);
    out->whole = true;
    for (const char *c = r->at; c < end; c++)
        if (!isdigit((unsigned char)*c))
            out->whole = false;
    bool any = end > r->at;
    r->at = end;
    return any;
}

static bool call(const char *name, struct number a, struct number b, struct number *out)
{
    out->whole = a.whole && b.whole;
    if (strcmp(name, "min") == 0)
        out->value = fmin(a.value, b.value);
    else if (strcmp(name, "max") == 0)
        out->value = fmax(a.value, b.value);
    else if (strcmp(name, "cdiv") == 0 && b.value != 0)
        out->value = ceil(a.value / b.value);
    else
        return false;
    return true;
}

static bool read_name(struct reader *r, struct number *out)
{
    char name[64];
    size_t length = 0;
    while (isalnum((unsigned char)r->at[length]) || r->at[length] == '_')
        length++;
    if (length == 0 || length >= sizeof name)
        return false;
    memcpy(name, r->at, length);
    name[length] = '\0';
    r->at += length;
    if (take(r, '(')) {
        struct number a, b;
        return read_sum(r, &a) && take(r, ',') && read_sum(r, &b) && take(r, ')') &&
               call(name, a, b, out);
    }
    out->whole = true;
    return r->names && r->names->find(r->names->user, name, &out->value);
}

static bool read_factor(struct reader *r, struct number *out)
{
    bool good;
    if (++r->depth > MAX_DEPTH)
        return false;
    if (take(r, '-')) {
        good = read_factor(r, out);
        out->value = -out->value;
    } else if (take(r, '(')) {
        good = read_sum(r, out) && take(r, ')');
    } else if (isdigit((unsigned char)peek(r)) || *r->at == '.') {
        good = read_number(r, out);
    } else {
        good = read_name(r, out);
    }
    r->depth--;
    return good;
}

static bool read_product(struct reader *r, struct number *out)
{
    if (!read_factor(r, out))
        return false;
    for (;;) {
        char op = peek(r);
        struct number right;
        if (op != '*' && op != '/' && op != '%')
            return true;
        r->at++;
        if (!read_factor(r, &right) || (op != '*' && right.value == 0))
            return false;
        out->whole = out->whole && right.whole;
        if (op == '*')
            out->value *= right.value;
        else if (op == '%')
            out->value -= floor(out->value / right.value) * right.value;
        else
            out->value = out->whole ? floor(out->value / right.value) : out->value / right.value;
    }
}

static bool read_sum(struct reader *r, struct number *out)
{
    if (!read_product(r, out))
        return false;
    for (;;) {
        char op = peek(r);
        struct number right;
        if (op != '+' && op != '-')
            return true;
        r->at++;
        if (!read_product(r, &right))
            return false;
        out->value += op == '+' ? right.value : -right.value;
        out->whole = out->whole && right.whole;
    }
}

bool expr_evaluate(double *value, const char **text, const struct expr_names *names)
{
    struct reader r = {.at = *text, .names = names};
    struct number number;
    if (!read_sum(&r, &number))
        return false;
    *value = number.value;
    *text = r.at;
    return true;
}

bool expr_dim(int64_t *value, const char *text, const struct expr_names *names)
{
    double number;
    if (!expr_evaluate(&number, &text, names) || *text || number < 0 || number > 0x1p53 ||
        number != floor(number))
        return false;
    *value = (int64_t)number;
    return true;
}
