/* Pairwise covering: few rows of choices such that every two factors meet in every combination of
 * their levels. Most faults need two things to meet; few need three. */
#ifndef LDSL_COVER_H
#define LDSL_COVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COVER_FACTORS = 64 };

struct cover {
    unsigned factors;
    uint8_t *rows; /* count * factors levels; malloc'ed */
    size_t count;
};

/* levels[f] >= 1 for each factor. The same arguments give the same rows. If full is set and there are
 * at most that many combinations, all of them. False: out of memory or too many factors. */
bool cover_create(struct cover *out, const uint8_t *levels, unsigned factors, size_t full);
void cover_destroy(struct cover *c);

#endif
