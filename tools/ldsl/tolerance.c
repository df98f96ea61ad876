#include "tolerance.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

double relative_tolerance(double reduction)
{
    return fmin(1e-5, 0x1p-24 * (32.0 + 8.0 * sqrt(fmax(reduction, 1.0))));
}

/* ---- one element -------------------------------------------------------------------------- */

static bool same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

/* The neighbour of a rounded value, one unit in the last place away; infinity follows the largest
 * finite number. */
static double step(enum ldsl_dtype dtype, double value, int direction)
{
    unsigned bits = (unsigned)ldsl_dtype_size(dtype) * 8;
    uint64_t sign = UINT64_C(1) << (bits - 1), code = float_encode(dtype, value);
    if (isnan(value) || (isinf(value) && (value > 0) == (direction > 0)))
        return value;
    if (value == 0)
        return float_decode(dtype, direction > 0 ? 1 : sign | 1);
    return float_decode(dtype, (value > 0) == (direction > 0) ? code + 1 : code - 1);
}

/* What 16-bit results may be: one step beyond the rounded bounds. Wider ones: the bounds. */
static void widen(double *lo, double *hi, enum ldsl_dtype dtype)
{
    double low = float_decode(dtype, float_encode(dtype, *lo));
    double high = float_decode(dtype, float_encode(dtype, *hi));
    if (ldsl_dtype_size(dtype) <= 2) {
        *lo = step(dtype, low, -1);
        *hi = step(dtype, high, +1);
    } else {
        /* Rounding to f32 itself is no error of the operator. */
        *lo = fmin(*lo, low);
        *hi = fmax(*hi, high);
    }
}

/* By how much a float misses what it may be; infinity: it is not even a number of the right kind. */
static double miss(const struct tensor *actual, const struct expected *e, size_t i)
{
    double value = tensor_get(actual, i), lo = INFINITY, hi = -INFINITY;
    for (int b = 0; b < 3; b++) {
        double bound = tensor_get(e->bounds[b], i);
        if (same(value, float_decode(actual->dtype, float_encode(actual->dtype, bound))))
            return 0.0;
        lo = fmin(lo, bound);
        hi = fmax(hi, bound);
    }
    if (isnan(value) || lo > hi)
        return INFINITY;
    widen(&lo, &hi, actual->dtype);
    if (value >= lo && value <= hi)
        return 0.0;
    double by = value < lo ? lo - value : value - hi;
    return isnan(by) ? INFINITY : by;
}

/* ---- rows --------------------------------------------------------------------------------- */

struct row {
    double error, allowed;
    size_t worst;
};

static double finite_or_zero(double value)
{
    return isfinite(value) ? value : 0.0;
}

static struct row check_row(const struct tensor *actual, const struct expected *e, size_t first,
                            size_t width)
{
    double error = 0, reference = 0, moved = 0, most = -1;
    struct row row = {.worst = first};
    for (size_t i = first; i < first + width; i++) {
        double by = miss(actual, e, i);
        if (by > most) {
            most = by;
            row.worst = i;
        }
        double r = finite_or_zero(tensor_get(e->bounds[1], i));
        error += by * by;
        reference += r * r;
        for (unsigned m = 0; m < e->moves; m++) {
            double k = finite_or_zero(tensor_get(e->moved[m], i) - tensor_get(e->still, i));
            moved += k * k / 2;
        }
    }
    row.error = sqrt(error);
    row.allowed = fmax(relative_tolerance(e->reduction) * sqrt(reference), 8.0 * sqrt(moved));
    row.allowed = fmax(row.allowed, 0x1p-24 * e->size);
    return row;
}

static bool is_closer(const struct row *a, const struct verdict *b)
{
    if (a->error > a->allowed && b->passed)
        return true;
    return a->error * b->allowed > b->error * a->allowed ||
           (b->error == 0 && a->error == 0 && a->allowed < b->allowed);
}

/* "[3, 17]"; nothing for a tensor of rank 0. */
static const char *subscripts(char *text, size_t size, const struct tensor *t, size_t element)
{
    size_t at[LDSL_MAX_RANK], length = 0;
    for (uint32_t d = t->rank; d-- > 0; element /= (size_t)t->shape[d])
        at[d] = element % (size_t)t->shape[d];
    *text = '\0';
    for (uint32_t d = 0; d < t->rank && length < size; d++)
        length += (size_t)snprintf(text + length, size - length, "%s%zu%s", d ? ", " : "[", at[d],
                                   d + 1 == t->rank ? "]" : "");
    return text;
}

static void check_floats(struct verdict *out, const struct tensor *actual, const struct expected *e)
{
    size_t width = actual->rank ? (size_t)actual->shape[actual->rank - 1] : 1;
    out->allowed = INFINITY;
    for (size_t first = 0; first < actual->count; first += width) {
        struct row row = check_row(actual, e, first, width);
        if (!is_closer(&row, out))
            continue;
        out->error = row.error;
        out->allowed = row.allowed;
        out->element = row.worst;
        out->passed = row.error <= row.allowed;
    }
    if (isinf(out->allowed))
        out->allowed = 0;
    char at[64];
    if (!out->passed)
        snprintf(out->why, sizeof out->why,
                 "%s is %.9g, expected %.9g; its row misses by %.3g, allowed %.3g",
                 subscripts(at, sizeof at, actual, out->element), tensor_get(actual, out->element),
                 tensor_get(e->bounds[1], out->element), out->error, out->allowed);
}

static void check_integers(struct verdict *out, const struct tensor *actual,
                           const struct expected *e)
{
    for (size_t i = 0; out->passed && i < actual->count; i++) {
        int64_t value = tensor_get_integer(actual, i);
        if (value == tensor_get_integer(e->bounds[0], i) ||
            value == tensor_get_integer(e->bounds[1], i) ||
            value == tensor_get_integer(e->bounds[2], i))
            continue;
        out->passed = false;
        out->element = i;
        out->error = fabs((double)value - (double)tensor_get_integer(e->bounds[1], i));
        char at[64];
        snprintf(out->why, sizeof out->why, "%s is %lld, expected %lld",
                 subscripts(at, sizeof at, actual, i), (long long)value,
                 (long long)tensor_get_integer(e->bounds[1], i));
    }
}

void check_tensor(struct verdict *out, const struct tensor *actual, const struct expected *expected)
{
    *out = (struct verdict){.passed = true};
    if (actual->count == 0)
        return;
    if (dtype_is_float(actual->dtype))
        check_floats(out, actual, expected);
    else
        check_integers(out, actual, expected);
}
