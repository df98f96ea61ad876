/* Which rows of a large tensor are looked at. */
#ifndef LDSL_ROWS_H
#define LDSL_ROWS_H

#include <stdint.h>

enum { ROWS_MOST = 256 };

/* Of `count` rows with so many elements: the first, the last, those around element 2^31 and 2^32, where
 * narrow arithmetic breaks, and others between, about a million elements in all but at least eight
 * rows. step: elements from one row to the next; fewer than a row's where the rows' dim is not the
 * tensor's first. Ascending and different; returns how many. */
uint32_t rows_choose(int64_t rows[ROWS_MOST], int64_t count, int64_t row_elements, int64_t step);

#endif
