#include "random.h"

#include <math.h>

/* The finaliser of splitmix64: a bijection whose output bits each depend on all input bits. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t random_bits(uint64_t seed, uint64_t i)
{
    return mix(mix(seed) + (i + 1) * UINT64_C(0x9e3779b97f4a7c15));
}

double random_uniform(uint64_t seed, uint64_t i)
{
    return (double)(random_bits(seed, i) >> 11) * 0x1p-53;
}

uint64_t random_seed(uint64_t seed, const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return mix(seed ^ hash);
}

/* The inverse of the normal distribution function, by the rational approximations of P. Acklam:
 * relative error below 1.2e-9, which is far below what any test of ours could see. */
static double tail(double p)
{
    static const double c[] = {-7.784894002430293e-03, -3.223964580411365e-01,
                               -2.400758277161838e+00, -2.549732539343734e+00,
                               4.374664141464968e+00,  2.938163982698783e+00};
    static const double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                               3.754408661907416e+00};
    double q = sqrt(-2 * log(p));
    return (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
           ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
}

static double center(double p)
{
    static const double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,
                               -2.759285104469687e+02, 1.383577518672690e+02,
                               -3.066479806614716e+01, 2.506628277459239e+00};
    static const double b[] = {-5.447609879822406e+01, 1.615858368580409e+02,
                               -1.556989798598866e+02, 6.680131188771972e+01,
                               -1.328068155288572e+01};
    double q = p - 0.5, r = q * q;
    return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
           (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

double random_normal(uint64_t seed, uint64_t i)
{
    double p = random_uniform(seed, i) + 0x1p-54; /* inside (0, 1) */
    if (p < 0.02425)
        return tail(p);
    return p > 1 - 0.02425 ? -tail(1 - p) : center(p);
}

void tensor_fill_normal(struct tensor *t, double mean, double deviation, uint64_t seed)
{
    for (size_t i = 0; i < t->count; i++)
        tensor_set(t, i, mean + deviation * random_normal(seed, i));
}

void tensor_fill_uniform(struct tensor *t, double low, double high, uint64_t seed)
{
    for (size_t i = 0; i < t->count; i++)
        tensor_set(t, i, low + (high - low) * random_uniform(seed, i));
}

void tensor_fill_integers(struct tensor *t, int64_t low, int64_t high, uint64_t seed)
{
    uint64_t range = high > low ? (uint64_t)high - (uint64_t)low : 1;
    for (size_t i = 0; i < t->count; i++)
        tensor_set_integer(t, i, (int64_t)((uint64_t)low + random_bits(seed, i) % range));
}

void tensor_fill(struct tensor *t, double value)
{
    for (size_t i = 0; i < t->count; i++)
        tensor_set(t, i, value);
}
