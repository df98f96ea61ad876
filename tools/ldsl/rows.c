#include "rows.h"

enum { ELEMENTS = 1 << 20, LEAST = 8 };

static void add(int64_t *rows, uint32_t *count, int64_t row)
{
    uint32_t at = *count;
    for (uint32_t i = 0; i < *count; i++)
        if (rows[i] == row)
            return;
    for (; at > 0 && rows[at - 1] > row; at--)
        rows[at] = rows[at - 1];
    rows[at] = row;
    ++*count;
}

static int64_t wanted_rows(int64_t count, int64_t row_elements)
{
    int64_t wanted = row_elements > 0 ? ELEMENTS / row_elements : ROWS_MOST;
    wanted = wanted < LEAST ? LEAST : wanted > ROWS_MOST ? ROWS_MOST : wanted;
    return wanted < count ? wanted : count;
}

uint32_t rows_choose(int64_t rows[ROWS_MOST], int64_t count, int64_t row_elements, int64_t step)
{
    uint32_t found = 0;
    int64_t wanted = wanted_rows(count, row_elements);
    if (count <= 0)
        return 0;
    add(rows, &found, 0);
    add(rows, &found, count - 1);
    for (int bits = 31; bits <= 32 && row_elements > 0; bits++)
        for (int64_t before = 0; before <= 1; before++) {
            int64_t at = ((int64_t)1 << bits) - before;
            if (at / row_elements < count)
                add(rows, &found, at / step % count);
        }
    for (int64_t i = 1; i < count && found < wanted; i++)
        add(rows, &found, i * (count / wanted) % count);
    return found;
}
