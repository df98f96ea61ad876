/* Some rows of a call's tensors: which dim counts rows, where they lie, taking them out. */
#ifndef LDSL_SAMPLE_H
#define LDSL_SAMPLE_H

#include "reference.h"
#include "rows.h"

/* The first dim, as the operator declares them, that all results have, that no tensor has twice or as
 * a part of another, of whose rows none has more than most_elements in any tensor, and whose rows'
 * results depend neither on how many rows there are nor on where among them they stand (two of the
 * reference's are compared with the same two among four). UINT32_MAX: there is none. The trial's
 * tensors need not be made. */
uint32_t sample_dim(const struct trial *t, size_t most_elements,
                    const struct references *references);

/* Which rows of dim: rows_choose for the largest tensor. Returns how many. */
uint32_t sample_rows(int64_t rows[ROWS_MOST], const struct trial *t, uint32_t dim);

/* The same call with another number of rows, its tensors not made; dim may be UINT32_MAX. */
bool sample_resize(struct trial *out, const struct trial *t, uint32_t dim, int64_t rows);

/* A tensor as `outer` times `count` rows of `block` bytes. */
struct sample_cut {
    size_t outer, count, block;
};
/* Of parameter `param`, in its trial's shape. False: it does not have the dim. */
bool sample_cut(struct sample_cut *out, const struct trial *t, uint32_t param, uint32_t dim);
/* The rows out of one of the outer parts. */
void sample_gather(void *to, const void *from, const struct sample_cut *cut, const int64_t *rows,
                   uint32_t row_count);

#endif
