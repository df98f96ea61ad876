/* Rows of ldsl bench, as JSON: measured now, or read from the file of an earlier run. */
#ifndef LDSL_BENCH_ROWS_H
#define LDSL_BENCH_ROWS_H

#include "command.h"
#include "plot.h"

/* A line of the table, under its head if it is the first. */
void bench_row_print(const json_t *row, bool first);
void bench_row_plot(struct plot *plot, const json_t *row);

/* The table, and a chart if there is a path for it, of what --json wrote. An exit status. */
int bench_show(struct cli *cli, const char *path, const char *plot_path);

#endif
