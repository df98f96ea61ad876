/* ldsl bench: how fast operators are, measured against a copy of the same bytes in the same run. */
#include "calls.h"
#include "cases.h"
#include "loaded.h"
#include "plot.h"
#include "verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RUNS = 1000, MIN_RUNS = 9 };

struct options {
    struct device_options device;
    struct calls_options calls;
    const char *plot;
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
    {0},
};
/* clang-format on */

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    char *end;
    switch (key) {
    case ARGP_KEY_INIT: o->seconds = 1; return 0;
    case 'S':
        if (o->calls.shape_count == CALLS_SHAPES)
            argp_error(state, "more than %d shapes", CALLS_SHAPES);
        else
            o->calls.shapes[o->calls.shape_count++] = arg;
        return 0;
    case 'a': o->calls.every_shape = true; return 0;
    case 't': o->calls.dtype = arg; return 0;
    case 'w': o->calls.with = arg; return 0;
    case 'v': o->verify = true; return 0;
    case 'l': o->launch = true; return 0;
    case 'p': o->plot = arg; return 0;
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
    unsigned wrong; /* rows that verification refused */
};

/* ---- a call and the copy of as many bytes ------------------------------------------------------ */

struct pair {
    ldsl_plan *plan;
    struct loaded loaded;
    ldsl_buffer *copy_from, *copy_to;
};

static void unload(struct pair *p)
{
    loaded_destroy(&p->loaded);
    ldsl_buffer_destroy(p->copy_from);
    ldsl_buffer_destroy(p->copy_to);
    ldsl_plan_destroy(p->plan);
    *p = (struct pair){0};
}

static enum ldsl_status load(struct pair *p, struct session *s, const struct trial *t)
{
    enum ldsl_status status = trial_prepare(&p->plan, t, s->ops.library);
    if (!status)
        status = loaded_create(&p->loaded, s->cli, &s->ops, t, p->plan, &s->flush);
    size_t half = p->loaded.bytes / 2;
    if (!status)
        status = ldsl_buffer_create(&p->copy_from, s->ops.context, half);
    if (!status)
        status = ldsl_buffer_create(&p->copy_to, s->ops.context, half);
    if (!status)
        status = fill_bits(p->copy_from, half);
    return status ? status : fill_bits(p->copy_to, half);
}

static enum ldsl_status flush_before_copy(void *user, void *stream)
{
    const struct pair *p = user;
    return flush_run(p->loaded.flush, p->loaded.context, stream);
}

static enum ldsl_status copy(void *user, void *stream)
{
    const struct pair *p = user;
    return ldsl_device_copy(p->loaded.context, ldsl_buffer_address(p->copy_to),
                            ldsl_buffer_address(p->copy_from), p->loaded.bytes / 2, stream);
}

/* ---- measuring --------------------------------------------------------------------------------- */

struct samples {
    double seconds[MAX_RUNS];
    unsigned count;
};

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Of sorted samples, between neighbours. */
static double quantile(const struct samples *s, double q)
{
    double at = q * (s->count - 1);
    unsigned low = (unsigned)at, high = low + 1 < s->count ? low + 1 : low;
    return s->seconds[low] + (at - low) * (s->seconds[high] - s->seconds[low]);
}

/* Launches and copies in turn, so that both see the same machine. The first of each warms up. */
static enum ldsl_status measure(struct samples *launches, struct samples *copies, struct session *s,
                                struct pair *p)
{
    ldsl_context *ctx = s->ops.context;
    double unused, spent = 0;
    launches->count = copies->count = 0;
    enum ldsl_status status =
        ldsl_device_time(ctx, loaded_before, loaded_launch, &p->loaded, &unused, 1);
    if (!status)
        status = ldsl_device_time(ctx, flush_before_copy, copy, p, &unused, 1);
    while (!status && launches->count < MAX_RUNS &&
           (launches->count < MIN_RUNS || spent < s->options->seconds)) {
        double launch_seconds, copy_seconds;
        status =
            ldsl_device_time(ctx, loaded_before, loaded_launch, &p->loaded, &launch_seconds, 1);
        if (!status)
            status = ldsl_device_time(ctx, flush_before_copy, copy, p, &copy_seconds, 1);
        if (status)
            return status;
        launches->seconds[launches->count++] = launch_seconds;
        copies->seconds[copies->count++] = copy_seconds;
        spent += launch_seconds + copy_seconds;
    }
    qsort(launches->seconds, launches->count, sizeof(double), compare_doubles);
    qsort(copies->seconds, copies->count, sizeof(double), compare_doubles);
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

static void print_head(void)
{
    printf("%-28s %-5s %-34s %10s %10s %10s %8s %6s\n", "operator", "dtype", "shape", "median us",
           "p20", "p80", "GB/s", "copy");
}

static void report(struct session *s, const struct trial *t, const struct pair *p,
                   enum ldsl_dtype dtype, const struct samples *launches,
                   const struct samples *copies, const char *verified)
{
    double median = quantile(launches, 0.5), gbs = (double)p->loaded.bytes / median * 1e-9;
    double ratio = quantile(copies, 0.5) / median;
    double p20 = quantile(launches, 0.2) * 1e6, p80 = quantile(launches, 0.8) * 1e6;
    char shape[128], label[256], spilled[48] = "", note[64];
    json_t *spills = spills_of(p->plan, ldsl_context_device(s->ops.context));
    if (json_integer_value(spills))
        snprintf(spilled, sizeof spilled, "  spills %d bytes", (int)json_integer_value(spills));
    call_describe_shape(shape, sizeof shape, t);
    cli_progress(s->cli, NULL);
    if (!s->cli->json_path || strcmp(s->cli->json_path, "-") != 0) {
        if (!json_array_size(s->rows))
            print_head();
        printf("%-28s %-5s %-34s %10.1f %10.1f %10.1f %8.2f %6.2f%s%s%s\n", t->subject->info.name,
               ldsl_dtype_name(dtype), shape, median * 1e6, p20, p80, gbs, ratio,
               *verified ? "  " : "", verified, spilled);
        fflush(stdout);
    }
    snprintf(label, sizeof label, "%s %s %s", t->subject->info.name, ldsl_dtype_name(dtype), shape);
    snprintf(note, sizeof note, "%.2f: %.1f us, %.0f GB/s", ratio, median * 1e6, gbs);
    if (s->options->plot)
        plot_add(&s->plot, label, ratio, note);
    json_array_append_new(
        s->rows,
        json_pack(
            "{s:s, s:n, s:s, s:s, s:o, s:f, s:f, s:f, s:I, s:f, s:f, s:n, s:n, s:o, s:o, s:s?}",
            "op", t->subject->info.name, "kernel", "device", ldsl_context_device(s->ops.context),
            "dtype", ldsl_dtype_name(dtype), "shape", shape_object(t), "median_us", median * 1e6,
            "p20_us", p20, "p80_us", p80, "bytes", (json_int_t)p->loaded.bytes, "gbs", gbs,
            "copy_ratio", ratio, "flops", "tflops", "config", config_object(p->plan), "spills",
            spills, "verified", *verified ? verified : NULL));
}

/* ---- the host's side of a launch --------------------------------------------------------------- */

static void report_launch(struct session *s, const struct trial *t, const struct pair *p,
                          enum ldsl_dtype dtype, double ours, double bare)
{
    uint32_t kernels = ldsl_plan_launch_count(p->plan);
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

static enum ldsl_status bench_launch(struct session *s, const struct trial *t, struct pair *p,
                                     enum ldsl_dtype dtype)
{
    const struct loaded *l = &p->loaded;
    double ours, bare;
    enum ldsl_status status = ldsl_plan_time_launch(
        p->plan, l->pointers, l->count, ldsl_buffer_address(l->workspace), &ours, &bare);
    if (!status)
        report_launch(s, t, p, dtype, ours, bare);
    return status;
}

/* ---- one call ---------------------------------------------------------------------------------- */

/* The same call at the same widths with fewer rows, against the reference. */
static const char *verify(struct session *s, const struct trial *model)
{
    struct cases cases;
    struct trial t;
    struct outcome outcome = {.passed = false};
    char name[400];
    if (!model->subject->info.ref)
        return "no reference";
    if (!cases_create(&cases, model->subject, NULL, 0, CASES_GRADIENT))
        return "unverified";
    cases.most_elements = 1 << 20;
    if (trial_create(&t, model->subject)) {
        memcpy(t.types, model->types, sizeof t.types);
        memcpy(t.dims, model->dims, sizeof t.dims);
        t.with = model->with;
        if (calls_assign(s->cli, &s->options->calls, &t)) {
            cases_shrink(&t, &cases);
            verify_trial(&outcome, &t, STYLE_SAMPLE, 1, &s->ops, &s->references);
        }
        cases_describe(name, sizeof name, &t, STYLE_SAMPLE);
        if (!outcome.passed)
            cli_error(s->cli, "%s, %s: %s", t.subject->info.name, name, outcome.why);
    }
    trial_destroy(&t);
    cases_destroy(&cases);
    s->wrong += !outcome.passed;
    return outcome.passed ? "verified" : "WRONG";
}

/* Measures one call. EXIT_DONE also when it is skipped, which is said. */
static int bench_call(void *user, struct trial *t, enum ldsl_dtype dtype)
{
    static struct samples launches, copies;
    struct session *s = user;
    struct pair pair = {0};
    char shape[128];
    unsigned before = s->cli->errors;
    call_describe_shape(shape, sizeof shape, t);
    cli_progress(s->cli, "%s %s %s", t->subject->info.name, ldsl_dtype_name(dtype), shape);
    if (!call_fits(s->cli, &s->ops, t))
        return EXIT_DONE;
    const char *verified = s->options->verify ? verify(s, t) : "";
    enum ldsl_status status = load(&pair, s, t);
    if (!status && s->options->launch) {
        status = bench_launch(s, t, &pair, dtype);
    } else if (!status) {
        status = measure(&launches, &copies, s, &pair);
        if (!status)
            report(s, t, &pair, dtype, &launches, &copies, verified);
    }
    unload(&pair);
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
           "measured in turn with the operator. Caches are flushed before each run. NAME=VALUE sets a "
           "parameter for the operators that have it: casting=gemma, w=none for an absent tensor.",
    .example = "ldsl bench\n"
               "ldsl bench rms_norm --shape R=8192,D=4096 --dtype bf16 casting=gemma\n"
               "ldsl bench --json bench.json --plot bench.svg\n",
    .options = options,
    .parse = parse,
    .options_bytes = sizeof(struct options),
    .run = run,
    .takes_ops = true,
    .takes_device = true,
    .json = JSON_FILE,
};
/* clang-format on */
