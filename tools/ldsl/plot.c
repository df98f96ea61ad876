#include "plot.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

void plot_add(struct plot *p, const char *label, double ratio, const char *note)
{
    struct plot_row *rows = realloc(p->rows, (p->count + 1) * sizeof *rows);
    if (!rows)
        return; /* a chart without this bar */
    p->rows = rows;
    struct plot_row *row = &rows[p->count++];
    *row = (struct plot_row){.ratio = ratio};
    snprintf(row->label, sizeof row->label, "%s", label);
    snprintf(row->note, sizeof row->note, "%s", note);
}

void plot_destroy(struct plot *p)
{
    free(p->rows);
    *p = (struct plot){0};
}

/* A text in gnuplot's quotes: what its texts take for markup is escaped. */
static void put_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++)
        if (strchr("_^@&~{}", *text))
            fprintf(out, "\\\\%c", *text);
        else if (*text != '"' && *text != '\\' && *text != '`')
            fputc(*text, out);
    fputc('"', out);
}

/* At least that of the copy, which is always shown. */
static double largest_ratio(const struct plot *p)
{
    double largest = 1;
    for (unsigned i = 0; i < p->count; i++)
        largest = p->rows[i].ratio > largest ? p->rows[i].ratio : largest;
    return largest;
}

/* The chart as a gnuplot program with its data. The result goes to gnuplot's standard output, so no
 * path needs quoting. Rows stand from top to bottom, the first one highest. */
static void write_program(FILE *out, const struct plot *p)
{
    fprintf(out, "set terminal svg size 1000,%u font 'sans,11' background 'white'\n",
            130 + 26 * p->count);
    fputs("set title ", out);
    put_text(out, p->title);
    fprintf(out,
            "\nset style fill solid 0.9\n"
            "set xlabel 'bandwidth, as a part of that of the best copy of as many bytes'\n"
            "set xrange [0:%.3f]\n"
            "set yrange [-0.7:%u-0.3]\n"
            "set ytics scale 0\n"
            "set grid xtics\n"
            "set key outside top center horizontal\n"
            "set lmargin 48\n"
            "set border 3\n"
            "set arrow from 1, graph 0 to 1, graph 1 nohead lw 2 lc rgb '#cc0000'\n"
            "plot '-' using (0):($0):(0):1:($0-0.35):($0+0.35):ytic(2) with boxxyerror notitle "
            "lc rgb '#3465a4', "
            "'-' using 1:($0):2 with labels left offset 0.5,0 notitle, "
            "NaN with lines lw 2 lc rgb '#cc0000' title 'the best copy'\n",
            1.35 * largest_ratio(p), p->count);
    for (unsigned i = p->count; i-- > 0;) {
        fprintf(out, "%.6g ", p->rows[i].ratio);
        put_text(out, p->rows[i].label);
        fputc('\n', out);
    }
    fputs("e\n", out);
    for (unsigned i = p->count; i-- > 0;) {
        fprintf(out, "%.6g ", p->rows[i].ratio);
        put_text(out, p->rows[i].note);
        fputc('\n', out);
    }
    fputs("e\n", out);
}

/* gnuplot's program is a file, its output a pipe that we read: both directions at once could block. */
static bool run_gnuplot(struct cli *cli, const struct plot *p, FILE *to)
{
    char program[] = "/tmp/ldsl-plot-XXXXXX", command[64], block[4096];
    int fd = mkstemp(program);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file) {
        cli_error(cli, "cannot make a temporary file for gnuplot");
        return false;
    }
    write_program(file, p);
    fclose(file);
    snprintf(command, sizeof command, "gnuplot %s", program);
    FILE *pipe = popen(command, "r");
    for (size_t got; pipe && (got = fread(block, 1, sizeof block, pipe)) > 0;)
        fwrite(block, 1, got, to);
    int status = pipe ? pclose(pipe) : -1;
    remove(program);
    if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 127)
        cli_error_help(cli, "install the package gnuplot-nox, or leave --plot out",
                       "--plot needs gnuplot, which was not found");
    else
        cli_error(cli, "gnuplot failed");
    return false;
}

int plot_write(struct cli *cli, const struct plot *p, const char *path)
{
    struct output out;
    if (!output_open(cli, &out, path))
        return EXIT_DEVICE;
    if (!run_gnuplot(cli, p, out.file)) {
        output_abandon(&out);
        return EXIT_DEVICE;
    }
    return output_commit(cli, &out) ? EXIT_DONE : EXIT_DEVICE;
}
