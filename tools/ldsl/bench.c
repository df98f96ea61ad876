/* ldsl bench: how fast operators are, measured against the best copy of as many bytes in the same run. */
#include "bench_rows.h"
#include "calls.h"
#include "loaded.h"
#include "verify.h"
#include "yardstick.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RUNS = 1000, MIN_RUNS = 9, OPTION_SHOW = 0x200 };

struct options {
    struct device_options device;
    struct calls_options calls;
    const char *plot, *show;
    double seconds;
    bool verify, launch;
};

/* clang-format off */
static const struct argp_option options[] = {
    {"shape", 'S', "R=N,D=N", 0,
     "Sizes of the named dims (default: the operator's bench clauses); may be repeated", 0},
    {"all-shapes", 'a', 0, 0, "Every bench clause, not only the first", 0},
    {"dtype", 't', "TYPE", 0, "Element type (default: bf16 and f32)", 0},
    {"with", 'w', "NAME=N,...", 0, "Schedule values: BR=4", 0},
    {"seconds", 's', "S", 0, "Time to measure each row for (default 1)", 0},
    {"verify", 'v', 0, 0, "Check the results first, at the same widths and fewer rows", 0},
    {"launch", 'l', 0, 0,
     "Time the host's side of a launch instead, against the driver's own call (GPUs)", 0},
    {"plot", 'p', "F.svg", 0, "Draw the rows' ratio to a copy as a bar chart (needs gnuplot)", 0},
    {"show", OPTION_SHOW, "FILE", 0, "Measure nothing: show what --json wrote to FILE (with --plot: draw it too)", 0},
    {0},
};
/* clang-format on */

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    char *end;
    switch (key) {
    case ARGP_KEY_INIT: o->seconds = 1; return 0;
    case 'S': calls_add_shape(&o->calls, arg, state); return 0;
    case 'a': o->calls.every_shape = true; return 0;
    case 't': o->calls.dtype = arg; return 0;
    case 'w': o->calls.with = arg; return 0;
    case 'v': o->verify = true; return 0;
    case 'l': o->launch = true; return 0;
    case 'p': o->plot = arg; return 0;
    case OPTION_SHOW: o->show = arg; return 0;
    case 's':
        o->seconds = strtod(arg, &end);
        if (end == arg || *end || !(o->seconds > 0))
            argp_error(state, "'%s' is not a number of seconds", arg);
        return 0;
    case ARGP_KEY_ARG: return words_add(&o->calls.words, arg);
    default: return ARGP_ERR_UNKNOWN;
    }
}

struct session {
    struct cli *cli;
    const struct options *options;
    struct operators ops;
    struct references references; /* with --verify */
    json_t *rows;
    struct plot plot;
    struct flush flush;
    struct yardstick yardstick;
    unsigned wrong; /* rows that verification refused */
};

/* ---- a call and the copies of as many bytes ---------------------------------------------------- */

struct call {
    ldsl_plan *plan;
    struct loaded loaded;
};

static void unload(struct call *c, struct yardstick *yardstick)
{
    loaded_destroy(&c->loaded);
    yardstick_unload(yardstick);
    ldsl_plan_destroy(c->plan);
    *c = (struct call){0};
}

static enum ldsl_status load(struct call *c, struct session *s, const struct trial *t)
{
    enum ldsl_status status = trial_prepare(&c->plan, t, s->ops.library);
    if (!status)
        status = loaded_create(&c->loaded, s->cli, &s->ops, t, LOADED_SEED, c->plan, &s->flush);
    if (!status && !s->options->launch)
        status = yardstick_load(&s->yardstick, c->loaded.bytes);
    return status;
}

/* ---- measuring --------------------------------------------------------------------------------- */

struct contender {
    const char *name;
    enum ldsl_status (*before)(void *user, void *stream);
    enum ldsl_status (*work)(void *user, void *stream);
    void *user;
    double seconds[MAX_RUNS];
};

/* The call, then the copies. All have been timed equally often. */
struct race {
    struct contender contenders[1 + YARDSTICK_COPIES];
    unsigned count, rounds;
};

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Of sorted times, between neighbours. */
static double quantile(const struct race *race, unsigned contender, double q)
{
    const double *seconds = race->contenders[contender].seconds;
    double at = q * (race->rounds - 1);
    unsigned low = (unsigned)at, high = low + 1 < race->rounds ? low + 1 : low;
    return seconds[low] + (at - low) * (seconds[high] - seconds[low]);
}

/* The number of the fastest copy. */
static unsigned best_copy(const struct race *race)
{
    unsigned best = 1;
    for (unsigned i = 2; i < race->count; i++)
        if (quantile(race, i, 0.5) < quantile(race, best, 0.5))
            best = i;
    return best;
}

static void line_up(struct race *race, struct call *call, struct yardstick *y)
{
    race->contenders[0] =
        (struct contender){.before = loaded_before, .work = loaded_launch, .user = &call->loaded};
    for (unsigned i = 0; i < y->count; i++)
        race->contenders[1 + i] = (struct contender){.name = y->copies[i].name,
                                                     .before = yardstick_before,
                                                     .work = yardstick_copy,
                                                     .user = &y->copies[i]};
    race->count = 1 + y->count;
    race->rounds = 0;
}

/* Each once, so that all see the same machine. */
static enum ldsl_status run_round(struct race *race, ldsl_context *context)
{
    enum ldsl_status status = LDSL_OK;
    for (unsigned i = 0; !status && i < race->count; i++) {
        struct contender *c = &race->contenders[i];
        status =
            ldsl_device_time(context, c->before, c->work, c->user, &c->seconds[race->rounds], 1);
    }
    return status;
}

/* The first round warms up. */
static enum ldsl_status measure(struct race *race, struct session *s, struct call *call)
{
    double spent = 0;
    line_up(race, call, &s->yardstick);
    enum ldsl_status status = run_round(race, s->ops.context);
    while (!status && race->rounds < MAX_RUNS &&
           (race->rounds < MIN_RUNS || spent < s->options->seconds)) {
        status = run_round(race, s->ops.context);
        for (unsigned i = 0; !status && i < race->count; i++)
            spent += race->contenders[i].seconds[race->rounds];
        race->rounds += !status;
    }
    for (unsigned i = 0; !status && i < race->count; i++)
        qsort(race->contenders[i].seconds, race->rounds, sizeof(double), compare_doubles);
    return status;
}

/* ---- rows -------------------------------------------------------------------------------------- */

static json_t *shape_object(const struct trial *t)
{
    json_t *shape = json_object();
    for (uint32_t d = 0; d < t->subject->dim_count; d++)
        json_object_set_new(shape, t->subject->dims[d], json_integer(t->dims[d]));
    return shape;
}

static json_t *config_object(const ldsl_plan *plan)
{
    json_t *config = json_object();
    for (uint32_t i = 0; i < ldsl_plan_launch_count(plan); i++)
        json_object_set_new(config, ldsl_plan_launch_kernel(plan, i),
                            json_string(ldsl_plan_launch_variant(plan, i)));
    return config;
}

/* Bytes of local memory of a thread that the call's kernels take: registers that did not fit. NULL on
 * a CPU. */
static json_t *spills_of(const ldsl_plan *plan, const char *device)
{
    struct ldsl_kernel_info info;
    uint32_t bytes = 0;
    if (strncmp(device, "cuda", 4) != 0)
        return json_null();
    for (uint32_t i = 0; ldsl_plan_launch_info(plan, i, &info); i++)
        bytes += info.spill_bytes;
    return json_integer(bytes);
}

static json_t *copies_object(const struct race *race)
{
    json_t *copies = json_object();
    for (unsigned i = 1; i < race->count; i++)
        json_object_set_new(copies, race->contenders[i].name,
                            json_real(1e6 * quantile(race, i, 0.5)));
    return copies;
}

static void report(struct session *s, const struct trial *t, const struct call *c,
                   enum ldsl_dtype dtype, const struct race *race, const char *verified)
{
    unsigned best = best_copy(race);
    double bytes = (double)c->loaded.bytes, copy = quantile(race, best, 0.5);
    double median = quantile(race, 0, 0.5), gbs = bytes / median * 1e-9;
    double ratio = copy / median, copy_gbs = bytes / copy * 1e-9;
    double p20 = quantile(race, 0, 0.2) * 1e6, p80 = quantile(race, 0, 0.8) * 1e6;
    const char *device = ldsl_context_device(s->ops.context);
    json_t *row = json_pack(
        "{s:s, s:n, s:s, s:s, s:s, s:o, s:f, s:f, s:f, s:I, s:f, s:f, s:f, s:s, s:o, s:n, s:n, "
        "s:o, s:o, s:s?}",
        "op", t->subject->info.name, "kernel", "device", device, "machine",
        ldsl_context_description(s->ops.context), "dtype", ldsl_dtype_name(dtype), "shape",
        shape_object(t), "median_us", median * 1e6, "p20_us", p20, "p80_us", p80, "bytes",
        (json_int_t)c->loaded.bytes, "gbs", gbs, "copy_ratio", ratio, "copy_gbs", copy_gbs, "copy",
        race->contenders[best].name, "copies_us", copies_object(race), "flops", "tflops", "config",
        config_object(c->plan), "spills", spills_of(c->plan, device), "verified",
        *verified ? verified : NULL);
    cli_progress(s->cli, NULL);
    if (!s->cli->json_path || strcmp(s->cli->json_path, "-") != 0)
        bench_row_print(row, !json_array_size(s->rows));
    if (s->options->plot)
        bench_row_plot(&s->plot, row);
    json_array_append_new(s->rows, row);
}

/* ---- the host's side of a launch --------------------------------------------------------------- */

static void report_launch(struct session *s, const struct trial *t, const struct call *c,
                          enum ldsl_dtype dtype, double ours, double bare)
{
    uint32_t kernels = ldsl_plan_launch_count(c->plan);
    char shape[128];
    call_describe_shape(shape, sizeof shape, t);
    cli_progress(s->cli, NULL);
    if (!s->cli->json_path || strcmp(s->cli->json_path, "-") != 0) {
        if (!json_array_size(s->rows))
            printf("%-28s %-5s %-34s %8s %10s %10s %10s\n", "operator", "dtype", "shape", "kernels",
                   "launch us", "driver us", "more us");
        printf("%-28s %-5s %-34s %8u %10.2f %10.2f %10.2f\n", t->subject->info.name,
               ldsl_dtype_name(dtype), shape, kernels, 1e6 * ours, 1e6 * bare, 1e6 * (ours - bare));
        fflush(stdout);
    }
    json_array_append_new(
        s->rows, json_pack("{s:s, s:s, s:s, s:o, s:i, s:f, s:f}", "op", t->subject->info.name,
                           "device", ldsl_context_device(s->ops.context), "dtype",
                           ldsl_dtype_name(dtype), "shape", shape_object(t), "kernels",
                           (int)kernels, "launch_us", 1e6 * ours, "driver_us", 1e6 * bare));
}

static enum ldsl_status bench_launch(struct session *s, const struct trial *t, struct call *c,
                                     enum ldsl_dtype dtype)
{
    const struct loaded *l = &c->loaded;
    double ours, bare;
    enum ldsl_status status = ldsl_plan_time_launch(
        c->plan, l->pointers, l->count, ldsl_buffer_address(l->workspace), &ours, &bare);
    if (!status)
        report_launch(s, t, c, dtype, ours, bare);
    return status;
}

/* ---- one call ---------------------------------------------------------------------------------- */

enum { VERIFY_ELEMENTS = 1 << 20 };

static const char *verify(struct session *s, const struct trial *t)
{
    struct outcome outcome;
    char name[400] = "";
    if (!t->subject->info.ref)
        return "no reference";
    if (verify_fewer(&outcome, name, sizeof name, t, VERIFY_ELEMENTS, &s->ops, &s->references))
        return "verified";
    cli_error(s->cli, "%s, %s: %s", t->subject->info.name, name, outcome.why);
    s->wrong++;
    return "WRONG";
}

/* Measures one call. EXIT_DONE also when it is skipped, which is said. */
static int bench_call(void *user, struct trial *t, enum ldsl_dtype dtype)
{
    struct session *s = user;
    struct call call = {0};
    struct race race;
    char shape[128];
    unsigned before = s->cli->errors;
    call_describe_shape(shape, sizeof shape, t);
    cli_progress(s->cli, "%s %s %s", t->subject->info.name, ldsl_dtype_name(dtype), shape);
    if (!call_fits(s->cli, &s->ops, t))
        return EXIT_DONE;
    const char *verified = s->options->verify ? verify(s, t) : "";
    enum ldsl_status status = load(&call, s, t);
    if (!status && s->options->launch) {
        status = bench_launch(s, t, &call, dtype);
    } else if (!status) {
        status = measure(&race, s, &call);
        if (!status)
            report(s, t, &call, dtype, &race, verified);
    }
    unload(&call, &s->yardstick);
    return cli_failed(s->cli, status, before, t->subject->info.name);
}

/* ---- the command ------------------------------------------------------------------------------- */

static int open_session(struct session *s)
{
    unsigned before = s->cli->errors;
    int opened = open_operators(s->cli, &s->options->device, &s->ops);
    if (opened)
        return opened;
    enum ldsl_status status = flush_create(&s->flush, s->ops.context);
    if (!status)
        status =
            yardstick_open(&s->yardstick, s->ops.context, &s->flush, s->options->device.no_compile);
    if (!status && s->options->verify)
        status = references_open(&s->references, &s->options->device, &s->cli->sink);
    return cli_failed(s->cli, status, before, "getting ready to measure");
}

static int write_results(struct session *s)
{
    if (s->cli->json_path) {
        json_incref(s->rows);
        if (!cli_write_json(s->cli, ldsl_context_device(s->ops.context), s->rows))
            return EXIT_DEVICE;
    }
    s->plot.title = ldsl_context_description(s->ops.context);
    return s->options->plot ? plot_write(s->cli, &s->plot, s->options->plot) : EXIT_DONE;
}

static int run(struct cli *cli, void *user)
{
    struct options *o = user;
    struct session s = {.cli = cli, .options = o, .rows = json_array()};
    if (o->show) {
        bool more = o->calls.words.count || cli->json_path;
        json_decref(s.rows);
        words_free(&o->calls.words);
        return more ? cli_usage(cli, "--show measures nothing: only --plot goes with it")
                    : bench_show(cli, o->show, o->plot);
    }
    int status = calls_check(cli, &o->calls);
    if (!status)
        status = open_session(&s);
    if (!status) {
        status = calls_each(cli, &s.ops, &o->calls, bench_call, &s);
        int written = write_results(&s);
        if (!status)
            status = written;
    }
    if (!status && s.wrong)
        status = EXIT_WRONG;
    plot_destroy(&s.plot);
    json_decref(s.rows);
    yardstick_close(&s.yardstick);
    flush_destroy(&s.flush);
    references_close(&s.references);
    close_operators(&s.ops);
    words_free(&o->calls.words);
    return status;
}

/* clang-format off */
const struct command command_bench = {
    .name = "bench",
    .summary = "time operators against a copy of the same bytes",
    .args = "[OP...] [NAME=VALUE...]",
    .doc = "Times each operator (all with a bench clause, or those given) on model-sized tensors: median and "
           "quantiles, the bytes that must move, GB/s, and the ratio to a plain copy of as many bytes, "
           "measured in turn with the operator. On a GPU the best of three copies counts: the driver's, and "
           "the library's operator clone with and without evict_last. Caches are flushed before each run. "
           "NAME=VALUE sets a parameter for the operators that have it: casting=gemma, w=none for an absent "
           "tensor.",
    .example = "ldsl bench\n"
               "ldsl bench rms_norm --shape R=8192,D=4096 --dtype bf16 casting=gemma\n"
               "ldsl bench --json bench.json --plot bench.svg\n"
               "# where there is a GPU, and where there is gnuplot\n"
               "ldsl bench --device cuda --all-shapes --json bench.json\n"
               "ldsl bench --show bench.json --plot bench.svg\n",
    .options = options,
    .parse = parse,
    .options_bytes = sizeof(struct options),
    .run = run,
    .takes_ops = true,
    .takes_device = true,
    .json = JSON_FILE,
};
/* clang-format on */
