/* ldsl tune: measures which schedules are fastest, and keeps that as records. */
#include "tune_child.h"

#include <ldsl/tune.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_JOBS = 64 };
static const double seconds_per_call = 10, /* without a budget */
    search_part = 0.8;

struct options {
    struct device_options device;
    struct calls_options calls;
    double budget; /* 0: none */
    unsigned jobs; /* 0: one per core */
};

/* clang-format off */
static const struct argp_option options[] = {
    {"shape", 'S', "R=N,D=N", 0,
     "Sizes of the named dims (default: the operator's bench clauses); may be repeated", 0},
    {"all-shapes", 'a', 0, 0, "Every bench clause, not only the first", 0},
    {"dtype", 't', "TYPE", 0, "Element type (default: bf16 and f32)", 0},
    {"budget", 'b', "SECONDS", 0,
     "Time for everything, shared by the calls (default: up to 10 s for each)", 0},
    {"jobs", 'j', "N", 0, "Compile so many candidates at a time (default: one per core)", 0},
    {0},
};
/* clang-format on */

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    char *end;
    unsigned long jobs;
    switch (key) {
    case 'S': calls_add_shape(&o->calls, arg, state); return 0;
    case 'a': o->calls.every_shape = true; return 0;
    case 't': o->calls.dtype = arg; return 0;
    case 'b':
        o->budget = strtod(arg, &end);
        if (end == arg || *end || !(o->budget > 0))
            argp_error(state, "'%s' is not a number of seconds", arg);
        return 0;
    case 'j':
        jobs = strtoul(arg, &end, 10);
        if (end == arg || *end || jobs < 1 || jobs > MAX_JOBS)
            argp_error(state, "--jobs is a number from 1 to %d, not '%s'", MAX_JOBS, arg);
        o->jobs = (unsigned)jobs;
        return 0;
    case ARGP_KEY_ARG: return words_add(&o->calls.words, arg);
    default: return ARGP_ERR_UNKNOWN;
    }
}

struct session {
    struct cli *cli;
    const struct options *options;
    struct tuner tuner;
    char path[4096]; /* of the records */
    ldsl_records *records;
    json_t *rows;
    unsigned failed;
    double gain; /* sum of the logarithms */
};

/* ---- records ----------------------------------------------------------------------------------- */

static const char *text_at(const json_t *array, size_t i)
{
    const char *text = json_string_value(json_array_get(array, i));
    return text ? text : "";
}

/* Keeps the records of one call, at once: what was measured stays measured whatever comes next. */
static int save(struct session *s, const struct tuned_call *c)
{
    unsigned before = s->cli->errors;
    enum ldsl_status status = LDSL_OK;
    for (size_t i = 0; !status && i < json_array_size(c->records); i++) {
        const json_t *from = json_array_get(c->records, i);
        const ldsl_record record = {
            .op = text_at(from, 0),
            .kernel = text_at(from, 1),
            .variant = text_at(from, 2),
            .key = text_at(from, 3),
            .shape = text_at(from, 4),
            .device = text_at(from, 5),
            .target = text_at(from, 6),
            .hash = text_at(from, 7),
            .settings = text_at(from, 8),
            .time_us = c->seconds * 1e6,
        };
        status = ldsl_records_put(s->records, &record);
    }
    if (!status && json_array_size(c->records))
        status = ldsl_records_save(s->records, s->path, &s->cli->sink);
    return cli_failed(s->cli, status, before, "writing the records");
}

static int find_path(struct session *s)
{
    const char *named = s->options->device.records;
    size_t length = named ? (size_t)snprintf(s->path, sizeof s->path, "%s", named)
                          : ldsl_records_path(s->path, sizeof s->path);
    if (length && length < sizeof s->path && strcmp(s->path, "none") != 0)
        return EXIT_DONE;
    return cli_error_help(s->cli, "name a file with --records", "there is no file for the records");
}

/* ---- telling ----------------------------------------------------------------------------------- */

static bool prints_table(const struct session *s)
{
    return !s->cli->json_path || strcmp(s->cli->json_path, "-") != 0;
}

static void print_row(struct session *s, const json_t *call, const struct tuned_call *c)
{
    char shape[64];
    snprintf(shape, sizeof shape, "%s", json_string_value(json_object_get(call, "shape")));
    if (!json_array_size(s->rows))
        printf("%-28s %-5s %-34s %10s %10s %6s %6s  %s\n", "operator", "dtype", "shape",
               "default us", "tuned us", "gain", "tried", "settings");
    printf("%-28s %-5s %-34s %10.1f %10.1f %6.2f %6u  %s\n",
           json_string_value(json_object_get(call, "op")),
           json_string_value(json_object_get(call, "dtype")), shape, c->default_seconds * 1e6,
           c->seconds * 1e6, c->default_seconds / c->seconds, c->tried,
           *c->with ? c->with : "defaults");
    fflush(stdout);
}

static json_t *number_or_null(double value)
{
    return value < INFINITY ? json_real(value) : json_null();
}

static void report(struct session *s, const json_t *call, const struct tuned_call *c)
{
    const char *op = json_string_value(json_object_get(call, "op"));
    const char *dtype = json_string_value(json_object_get(call, "dtype"));
    const char *shape = json_string_value(json_object_get(call, "shape"));
    cli_progress(s->cli, NULL);
    if (c->failed) {
        cli_error(s->cli, "%s %s %s: not tuned: %s", op, dtype, shape, c->why);
        s->failed++;
        return;
    }
    if (!(c->default_seconds < INFINITY))
        cli_warning(s->cli, "%s %s %s does not run by default: %s", op, dtype, shape, c->why);
    if (prints_table(s))
        print_row(s, call, c);
    s->gain += c->default_seconds < INFINITY ? log(c->default_seconds / c->seconds) : 0;
    json_array_append_new(
        s->rows, json_pack("{s:s, s:s, s:O, s:s, s:o, s:f, s:i, s:i, s:s, s:O}", "op", op, "dtype",
                           dtype, "shape", json_object_get(call, "dims"), "device", s->tuner.device,
                           "default_us", number_or_null(c->default_seconds * 1e6), "tuned_us",
                           c->seconds * 1e6, "tried", (int)c->tried, "wrong", (int)c->wrong,
                           "settings", c->with, "records", c->records));
}

static void print_summary(const struct session *s)
{
    size_t count = json_array_size(s->rows);
    if (!prints_table(s) || !count)
        return;
    printf("%zu call%s tuned, %.2f times as fast in the mean", count, count == 1 ? "" : "s",
           exp(s->gain / (double)count));
    if (s->tuner.crashes)
        printf("; %u candidate%s crashed or hung", s->tuner.crashes,
               s->tuner.crashes == 1 ? "" : "s");
    printf("; records in %s\n", s->path);
}

/* ---- the command ------------------------------------------------------------------------------- */

/* What is left is shared evenly by the calls that are left; of its share a call keeps some to compare
 * and verify its winner. */
static void set_deadline(struct session *s)
{
    struct tuner *t = &s->tuner;
    double now = tune_now();
    double share = (t->deadline - now) / (t->calls - t->index);
    t->call_deadline = now + (share < INFINITY ? share * search_part : seconds_per_call);
}

static int tune_calls(struct session *s)
{
    struct tuner *t = &s->tuner;
    int status = EXIT_DONE;
    while (!status && t->index < t->calls) {
        struct tuned_call c;
        const json_t *call = json_array_get(t->names, t->index);
        set_deadline(s);
        bool going = tune_call(&c, t);
        report(s, call, &c);
        if (!c.failed)
            status = save(s, &c);
        tuned_call_destroy(&c);
        if (!status && !going)
            status = EXIT_DEVICE;
    }
    return status;
}

static unsigned core_count(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > MAX_JOBS ? MAX_JOBS : (unsigned)cores;
}

/* The children measure with the defaults; what records there are is one of the candidates. */
static void describe_work(struct session *s)
{
    const struct options *o = s->options;
    s->tuner = (struct tuner){
        .cli = s->cli,
        .work = {.cli = s->cli, .device = o->device, .calls = &o->calls},
        .jobs = o->jobs ? o->jobs : core_count(),
        .deadline = o->budget > 0 ? tune_now() + o->budget : INFINITY,
    };
    s->tuner.work.records = o->device.records;
    s->tuner.work.device.records = "none";
    s->tuner.work.device.tune = false;
}

static int run(struct cli *cli, void *user)
{
    struct options *o = user;
    struct session s = {.cli = cli, .options = o, .rows = json_array()};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    int found = EXIT_DONE, status = calls_check(cli, &o->calls);
    (void)sigaction(SIGPIPE, &ignore, NULL); /* a child that is gone is an answer, too */
    describe_work(&s);
    if (!status)
        status = find_path(&s);
    if (!status)
        status = cli_failed(cli, ldsl_records_create(&s.records), cli->errors, "keeping records");
    if (!status)
        status = tuner_start(&s.tuner, &found);
    if (!status)
        status = tune_calls(&s);
    tuner_stop(&s.tuner);
    print_summary(&s);
    if (cli->json_path) {
        json_incref(s.rows);
        if (!cli_write_json(cli, *s.tuner.device ? s.tuner.device : NULL, s.rows) && !status)
            status = EXIT_DEVICE;
    }
    if (!status)
        status = s.failed ? EXIT_WRONG : found;
    json_decref(s.rows);
    ldsl_records_destroy(s.records);
    words_free(&o->calls.words);
    return status;
}

/* clang-format off */
const struct command command_tune = {
    .name = "tune",
    .summary = "find the fastest schedules and keep them as records",
    .args = "[OP...] [NAME=VALUE...]",
    .doc = "Tries the tuned values that the operators' kernels list and, on a GPU, the schedule values "
           "that every kernel takes: compiles candidates in parallel, times them one after the other "
           "with caches flushed, drops losers early, and checks each winner against the operator's "
           "reference. What crashes or hangs does so in a process of its own. Records go to --records, "
           "else to the file that 'ldsl doctor' names; every plan prepared later on such a device finds "
           "them there. Operators, shapes and NAME=VALUE are as for 'ldsl bench'.",
    .example = "ldsl tune\n"
               "ldsl tune rms_norm --shape R=8192,D=4096 --dtype bf16 casting=gemma\n"
               "# Everything, in three minutes, to a file that ships with the library:\n"
               "ldsl tune --device cuda --all-shapes --dtype bf16 --budget 180 --records h200.records\n",
    .options = options,
    .parse = parse,
    .options_bytes = sizeof(struct options),
    .run = run,
    .takes_ops = true,
    .takes_device = true,
    .json = JSON_FILE,
};
/* clang-format on */
