/* Bar charts by gnuplot. */
#ifndef LDSL_PLOT_H
#define LDSL_PLOT_H

#include "command.h"

struct plot_row {
    char label[256];
    double ratio;  /* the operator's bandwidth by that of the best copy of as many bytes */
    char note[64]; /* stands behind the bar */
};

struct plot {
    const char *title; /* what it was measured on */
    struct plot_row *rows;
    unsigned count;
};

void plot_add(struct plot *p, const char *label, double ratio, const char *note);
void plot_destroy(struct plot *p);

/* Writes an SVG. An exit status, after reporting. */
int plot_write(struct cli *cli, const struct plot *p, const char *path);

#endif
