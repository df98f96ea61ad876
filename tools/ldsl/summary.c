#include "summary.h"

#include <math.h>
#include <stdio.h>

enum { elements_shown = 6 };

struct summary {
    double min, max, mean;
    size_t nans;
};

static struct summary summarize(const struct tensor *t)
{
    struct summary s = {.min = INFINITY, .max = -INFINITY};
    double sum = 0;
    for (size_t i = 0; i < t->count; i++) {
        double value = tensor_get(t, i);
        if (isnan(value)) {
            s.nans++;
            continue;
        }
        s.min = value < s.min ? value : s.min;
        s.max = value > s.max ? value : s.max;
        sum += value;
    }
    s.mean = sum / (double)(t->count - s.nans); /* NaN if there is none */
    return s;
}

void print_summary(const char *name, const struct tensor *t)
{
    char text[128];
    printf("%s: %s", name, tensor_describe(t, text, sizeof text));
    struct summary s = summarize(t);
    if (t->count > s.nans)
        printf("  min %.6g  max %.6g  mean %.6g", s.min, s.max, s.mean);
    if (s.nans)
        printf("  NaN %zu", s.nans);
    printf("\n  ");
    for (size_t i = 0; i < t->count && i < elements_shown; i++)
        printf("%s%.6g", i ? ", " : "", tensor_get(t, i));
    printf("%s\n", t->count > elements_shown ? ", ..." : "");
}

/* JSON has no NaN or infinity: null. */
static json_t *json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *summary_json(const char *name, const struct tensor *t)
{
    struct summary s = summarize(t);
    json_t *shape = json_array(), *first = json_array();
    for (uint32_t d = 0; d < t->rank; d++)
        json_array_append_new(shape, json_integer(t->shape[d]));
    for (size_t i = 0; i < t->count && i < elements_shown; i++)
        json_array_append_new(first, json_number(tensor_get(t, i)));
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:o}", "name", name, "dtype",
                     ldsl_dtype_name(t->dtype), "shape", shape, "min", json_number(s.min), "max",
                     json_number(s.max), "mean", json_number(s.mean), "nan", (json_int_t)s.nans,
                     "first", first);
}
