/* Which calls of an operator are tried: every two of its choices (types, const parameters, presence of
 * optional tensors, sizes of dims, layouts, kinds of input, parts, schedules) meet in some case. */
#ifndef LDSL_CASES_H
#define LDSL_CASES_H

#include "cover.h"
#include "subject.h"

enum { CASES_SIZES = 24 };

enum factor_kind {
    FACTOR_DIM,
    FACTOR_TYPE,
    FACTOR_CHOICE,   /* a const parameter */
    FACTOR_PRESENCE, /* an optional tensor */
    FACTOR_SCALAR,   /* a scalar with a sample hint: its default, or a sample */
    FACTOR_LAYOUT,
    FACTOR_STYLE,
    FACTOR_PARTS,
    FACTOR_SCHEDULE
};

struct factor {
    enum factor_kind kind;
    uint32_t index; /* of the dim, generic or parameter */
};

struct cases {
    const struct subject *subject;
    struct factor factors[COVER_FACTORS];
    unsigned factor_count;
    bool is_wide[SUBJECT_DIMS]; /* the dim is the last of some tensor: rows are that long */
    int64_t wide[CASES_SIZES], narrow[CASES_SIZES];
    unsigned wide_count, narrow_count;
    size_t most_elements; /* of one tensor: other dims shrink to keep below it */
    struct cover cover;
};

enum { CASES_PARTS = 1, CASES_GRADIENT = 2, CASES_SCHEDULES = 4, CASES_SMALL = 8 };

/* tiles: sizes worth trying with their neighbours. flags: CASES_PARTS if the operator's kernels have
 * part axes; CASES_SCHEDULES: with the ways to map kernels to a GPU; CASES_SMALL: fewer
 * elements, for an emulator; CASES_GRADIENT: only what the value of a derivative may depend on, at
 * small sizes. */
bool cases_create(struct cases *out, const struct subject *s, const int64_t *tiles,
                  unsigned tile_count, unsigned flags);
void cases_destroy(struct cases *c);

/* Makes trial t, freshly created, case number i. *style: how to fill it. */
void cases_apply(struct trial *t, enum style *style, const struct cases *c, size_t i);

/* Makes dims smaller until no tensor has more than most_elements; widths last. */
void cases_shrink(struct trial *t, const struct cases *c);

/* A trial at ordinary sizes, everything else at its first choice: to learn tiles from. */
void cases_ordinary(struct trial *t, const struct cases *c);

/* The case in words: "T=bf16 casting=gemma no w R=33 D=129 padded". */
void cases_describe(char *text, size_t size, const struct trial *t, enum style style);

/* Collects the tile sizes that a variant text mentions ("BR=1,BD=8192,fit.c=1024"). */
void cases_learn_tiles(int64_t *tiles, unsigned *count, unsigned capacity, const char *variant);

#endif
