/* Bar charts by gnuplot. */
#ifndef LDSL_PLOT_H
#define LDSL_PLOT_H

#include "command.h"

struct plot_row {
    char label[256];
    double value, yardstick;
};

struct plot {
    struct plot_row *rows;
    unsigned count;
};

void plot_add(struct plot *p, const char *label, double value, double yardstick);
void plot_destroy(struct plot *p);

/* Writes an SVG. An exit status, after reporting. */
int plot_write(struct cli *cli, const struct plot *p, const char *path);

#endif
