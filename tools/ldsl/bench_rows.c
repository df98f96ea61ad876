#include "bench_rows.h"

#include <string.h>

static double number(const json_t *row, const char *key)
{
    return json_number_value(json_object_get(row, key));
}

static const char *text(const json_t *row, const char *key)
{
    const char *value = json_string_value(json_object_get(row, key));
    return value ? value : "";
}

/* "R=4096,D=4096" */
static void put_shape(char *out, size_t size, const json_t *row)
{
    json_t *shape = json_object_get(row, "shape"), *extent;
    const char *dim;
    size_t used = 0;
    *out = '\0';
    json_object_foreach(shape, dim, extent)
    {
        if (used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s=%lld", used ? "," : "", dim,
                                     (long long)json_integer_value(extent));
    }
}

void bench_row_print(const json_t *row, bool first)
{
    char shape[128], spilled[48] = "";
    json_int_t spills = json_integer_value(json_object_get(row, "spills"));
    const char *verified = text(row, "verified");
    put_shape(shape, sizeof shape, row);
    if (spills)
        snprintf(spilled, sizeof spilled, "  spills %d bytes", (int)spills);
    if (first)
        printf("%-28s %-5s %-34s %10s %10s %10s %8s %6s %9s\n", "operator", "dtype", "shape",
               "median us", "p20", "p80", "GB/s", "copy", "copy GB/s");
    printf("%-28s %-5s %-34s %10.1f %10.1f %10.1f %8.2f %6.2f %9.2f%s%s%s\n", text(row, "op"),
           text(row, "dtype"), shape, number(row, "median_us"), number(row, "p20_us"),
           number(row, "p80_us"), number(row, "gbs"), number(row, "copy_ratio"),
           number(row, "copy_gbs"), *verified ? "  " : "", verified, spilled);
    fflush(stdout);
}

void bench_row_plot(struct plot *plot, const json_t *row)
{
    char shape[128], label[256], note[64];
    double ratio = number(row, "copy_ratio");
    put_shape(shape, sizeof shape, row);
    snprintf(label, sizeof label, "%.80s %.16s %s", text(row, "op"), text(row, "dtype"), shape);
    snprintf(note, sizeof note, "%.2f: %.1f us, %.0f GB/s", ratio, number(row, "median_us"),
             number(row, "gbs"));
    plot_add(plot, label, ratio, note);
}

/* ---- what was measured before ------------------------------------------------------------------ */

static bool is_row(const json_t *row)
{
    static const char *const numbers[] = {"median_us", "p20_us",     "p80_us",
                                          "gbs",       "copy_ratio", "copy_gbs"};
    bool good = json_is_string(json_object_get(row, "op")) &&
                json_is_string(json_object_get(row, "dtype")) &&
                json_is_object(json_object_get(row, "shape"));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        good = good && json_is_number(json_object_get(row, numbers[i]));
    return good;
}

static int show_rows(struct cli *cli, const char *path, const json_t *rows, const char *plot_path)
{
    struct plot plot = {.title = text(json_array_get(rows, 0), "machine")};
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        if (!is_row(row)) {
            plot_destroy(&plot);
            return cli_error(cli, "%s: row %zu is none of 'ldsl bench'", path, i + 1);
        }
        bench_row_print(row, i == 0);
        bench_row_plot(&plot, row);
    }
    int status = plot_path ? plot_write(cli, &plot, plot_path) : EXIT_DONE;
    plot_destroy(&plot);
    return status;
}

int bench_show(struct cli *cli, const char *path, const char *plot_path)
{
    json_error_t error;
    json_t *object = json_load_file(path, 0, &error);
    if (!object && error.line < 0)
        return cli_error(cli, "%s", error.text);
    if (!object)
        return cli_error(cli, "%s:%d: %s", path, error.line, error.text);
    const json_t *rows = json_object_get(object, "rows");
    int status = json_array_size(rows)
                     ? show_rows(cli, path, rows, plot_path)
                     : cli_error_help(cli, "name a file that 'ldsl bench --json' wrote",
                                      "%s has no rows", path);
    json_decref(object);
    return status;
}
