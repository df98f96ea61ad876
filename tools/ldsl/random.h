/* Reproducible random tensors: element i depends on the seed and i only, so that a part, another
 * order or another thread count gives the same values on every machine. */
#ifndef LDSL_RANDOM_H
#define LDSL_RANDOM_H

#include "tensor.h"

/* 64 random bits; a double in [0, 1); a normal deviate (mean 0, deviation 1). */
uint64_t random_bits(uint64_t seed, uint64_t i);
double random_uniform(uint64_t seed, uint64_t i);
double random_normal(uint64_t seed, uint64_t i);

/* A seed for something named, so that each tensor of a run gets its own stream. */
uint64_t random_seed(uint64_t seed, const char *name);

void tensor_fill_normal(struct tensor *t, double mean, double deviation, uint64_t seed);
void tensor_fill_uniform(struct tensor *t, double low, double high,
                         uint64_t seed); /* [low, high) */
/* Integers low <= v < high (floats: whole numbers); low when the range is empty. */
void tensor_fill_integers(struct tensor *t, int64_t low, int64_t high, uint64_t seed);
void tensor_fill(struct tensor *t, double value);

#endif
