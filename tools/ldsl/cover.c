#include "cover.h"

#include "random.h"

#include <stdlib.h>
#include <string.h>

/* The pairs (f, level of f, g, level of g), f < g, that no row has yet. */
struct pairs {
    unsigned factors;
    const uint8_t *levels;
    unsigned first[COVER_FACTORS]; /* number of factor f's level 0 among all levels */
    unsigned total;
    unsigned char *open; /* total * total */
    size_t left;
};

static unsigned char *pair_at(const struct pairs *p, unsigned f, unsigned a, unsigned g, unsigned b)
{
    return &p->open[(size_t)(p->first[f] + a) * p->total + p->first[g] + b];
}

static bool pairs_create(struct pairs *p, const uint8_t *levels, unsigned factors)
{
    *p = (struct pairs){.factors = factors, .levels = levels};
    for (unsigned f = 0; f < factors; f++) {
        p->first[f] = p->total;
        p->total += levels[f];
    }
    p->open = calloc((size_t)p->total * p->total + 1, 1);
    if (!p->open)
        return false;
    for (unsigned f = 0; f < factors; f++)
        for (unsigned g = 0; g < factors; g++)
            for (unsigned a = 0; f != g && a < levels[f]; a++)
                for (unsigned b = 0; b < levels[g]; b++)
                    *pair_at(p, f, a, g, b) = 1;
    for (unsigned f = 0; f < factors; f++)
        for (unsigned g = f + 1; g < factors; g++)
            p->left += (size_t)levels[f] * levels[g];
    return true;
}

static void close_pairs(struct pairs *p, const uint8_t *row)
{
    for (unsigned f = 0; f < p->factors; f++)
        for (unsigned g = f + 1; g < p->factors; g++)
            if (*pair_at(p, f, row[f], g, row[g])) {
                *pair_at(p, f, row[f], g, row[g]) = 0;
                *pair_at(p, g, row[g], f, row[f]) = 0;
                p->left--;
            }
}

enum { UNSET = 255 };

/* Open pairs that factor f at level a closes with what is set in the row. */
static unsigned gain(const struct pairs *p, const uint8_t *row, unsigned f, unsigned a)
{
    unsigned count = 0;
    for (unsigned g = 0; g < p->factors; g++)
        if (g != f && row[g] != UNSET)
            count += *pair_at(p, f, a, g, row[g]);
    return count;
}

/* All open pairs of factor f at level a: what it could still close. */
static unsigned promise(const struct pairs *p, unsigned f, unsigned a)
{
    unsigned count = 0;
    for (unsigned g = 0; g < p->factors; g++)
        for (unsigned b = 0; g != f && b < p->levels[g]; b++)
            count += *pair_at(p, f, a, g, b);
    return count;
}

/* The level that closes most; among equals the most promising, then one by the dice. */
static uint8_t choose_level(const struct pairs *p, const uint8_t *row, unsigned f, uint64_t dice)
{
    uint8_t best = 0;
    unsigned most = 0, hope = 0;
    for (unsigned i = 0; i < p->levels[f]; i++) {
        uint8_t a = (uint8_t)((i + dice) % p->levels[f]);
        unsigned closes = gain(p, row, f, a), could = promise(p, f, a);
        if (i == 0 || closes > most || (closes == most && could > hope)) {
            best = a;
            most = closes;
            hope = could;
        }
    }
    return best;
}

/* A row built greedily, the factors taken in an order by the dice. */
static void make_row(const struct pairs *p, uint8_t *row, uint64_t seed)
{
    unsigned order[COVER_FACTORS];
    for (unsigned f = 0; f < p->factors; f++) {
        unsigned at = (unsigned)(random_bits(seed, f) % (f + 1));
        order[f] = order[at];
        order[at] = f;
    }
    memset(row, UNSET, p->factors);
    for (unsigned i = 0; i < p->factors; i++)
        row[order[i]] = choose_level(p, row, order[i], random_bits(seed, 1000 + i));
}

static size_t count_closed(const struct pairs *p, const uint8_t *row)
{
    size_t count = 0;
    for (unsigned f = 0; f < p->factors; f++)
        for (unsigned g = f + 1; g < p->factors; g++)
            count += *pair_at(p, f, row[f], g, row[g]);
    return count;
}

/* The best of some rows. With few pairs left dice may miss them all: then one is put in by hand. */
static void best_row(const struct pairs *p, uint8_t *best, size_t number)
{
    size_t most = 0;
    for (unsigned attempt = 0; attempt < 16; attempt++) {
        uint8_t row[COVER_FACTORS];
        make_row(p, row, number * 16 + attempt);
        size_t closed = count_closed(p, row);
        if (attempt == 0 || closed > most) {
            memcpy(best, row, p->factors);
            most = closed;
        }
    }
    for (unsigned f = 0; most == 0 && f < p->factors; f++)
        for (unsigned g = f + 1; most == 0 && g < p->factors; g++)
            for (uint8_t a = 0; most == 0 && a < p->levels[f]; a++)
                for (uint8_t b = 0; most == 0 && b < p->levels[g]; b++)
                    if (*pair_at(p, f, a, g, b)) {
                        best[f] = a;
                        best[g] = b;
                        most = 1;
                    }
}

static bool append(struct cover *c, size_t *capacity, const uint8_t *row)
{
    if (c->count == *capacity) {
        size_t grown = *capacity ? *capacity * 2 : 64;
        uint8_t *rows = realloc(c->rows, grown * (c->factors + 1));
        if (!rows)
            return false;
        c->rows = rows;
        *capacity = grown;
    }
    if (c->factors)
        memcpy(c->rows + c->count * c->factors, row, c->factors);
    c->count++;
    return true;
}

/* Every combination, counting like an odometer. */
static bool fill_all(struct cover *c, const uint8_t *levels)
{
    uint8_t row[COVER_FACTORS] = {0};
    size_t capacity = 0;
    for (;;) {
        if (!append(c, &capacity, row))
            return false;
        unsigned f = c->factors;
        while (f-- > 0 && ++row[f] == levels[f])
            row[f] = 0;
        if (f == (unsigned)-1)
            return true;
    }
}

static bool fill_pairwise(struct cover *c, const uint8_t *levels)
{
    struct pairs pairs;
    size_t capacity = 0;
    if (!pairs_create(&pairs, levels, c->factors))
        return false;
    bool good = true;
    while (good && (pairs.left || !c->count)) {
        uint8_t row[COVER_FACTORS] = {0};
        best_row(&pairs, row, c->count);
        close_pairs(&pairs, row);
        good = append(c, &capacity, row);
    }
    free(pairs.open);
    return good;
}

bool cover_create(struct cover *out, const uint8_t *levels, unsigned factors, size_t full)
{
    *out = (struct cover){.factors = factors};
    size_t combinations = 1;
    if (factors > COVER_FACTORS)
        return false;
    for (unsigned f = 0; f < factors && combinations <= full; f++)
        combinations *= levels[f];
    bool good = combinations <= full ? fill_all(out, levels) : fill_pairwise(out, levels);
    if (!good)
        cover_destroy(out);
    return good;
}

void cover_destroy(struct cover *c)
{
    free(c->rows);
    *c = (struct cover){0};
}
