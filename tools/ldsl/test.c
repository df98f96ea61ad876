/* ldsl test: operators against their f64 references, gradients against finite differences. */
#include "test.h"

#include "cases.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct argp_option options[] = {
    {"case", 'k', "TEXT", 0, "Only cases whose description contains TEXT", 0},
    {"cases", 'n', "N", 0, "At most N cases of each operator, spread over all of them", 0},
    {"dtype", 't', "TYPE", 0, "Element type of model-sized calls (default: bf16 and f32)", 0},
    {"graph", 'G', 0, 0,
     "On a GPU: also capture each case as a graph, replay that twice, compare in every bit", 0},
    {"large", 'L', 0, 0, "Model-sized calls instead of edge cases: every bench clause", 0},
    {"seed", 's', "N", 0, "Seed of the random inputs (default 1)", 0},
    {"shape", 'S', "R=N,D=N", 0, "A model-sized call of these dims instead; may be repeated", 0},
    {"verbose", 'v', 0, 0, "Print every case", 0},
    {"with", 'w', "NAME=N,...", 0,
     "Schedule values for every case; on a GPU the default is to try many", 0},
    {0},
};
/* clang-format on */

static error_t parse_number(unsigned long *number, const char *arg, struct argp_state *state)
{
    char *end;
    *number = strtoul(arg, &end, 10);
    if (!isdigit((unsigned char)*arg) || *end)
        argp_error(state, "'%s' is not a number", arg);
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct test_options *o = state->input;
    unsigned long number = 0;
    switch (key) {
    case ARGP_KEY_INIT: o->seed = 1; return 0;
    case 'G': o->graph = true; return 0;
    case 'L': o->large = true; return 0;
    case 'S': calls_add_shape(&o->calls, arg, state); return 0;
    case 't': o->calls.dtype = arg; return 0;
    case 'k': o->only = arg; return 0;
    case 'n':
        parse_number(&o->cases, arg, state);
        if (!o->cases)
            argp_error(state, "--cases 0 would test nothing");
        return 0;
    case 's':
        parse_number(&number, arg, state);
        o->seed = number;
        return 0;
    case 'v': o->verbose = true; return 0;
    case 'w': o->with = arg; return 0;
    case ARGP_KEY_ARG: return words_add(&o->ops, arg);
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- one run of the command -------------------------------------------------------------------- */

static void hear(void *user, const struct ldsl_diag *diag)
{
    struct ear *ear = user;
    if (diag->severity == LDSL_ERROR && diag->place.path) {
        snprintf(ear->text, sizeof ear->text, "%s", diag->text);
        snprintf(ear->place, sizeof ear->place, "%s:%u: ", diag->place.path, diag->place.line);
    }
    if (!ear->muted || diag->severity == LDSL_WARNING)
        ear->cli->sink.report(ear->cli->sink.user, diag);
}

void test_row(struct test_session *s, struct test_tally *tally, const char *name, bool passed,
              double error, double allowed, const char *why)
{
    tally->passed += passed;
    tally->failed += !passed;
    if (allowed > 0 && error / allowed > tally->worst)
        tally->worst = error / allowed;
    if (s->cli->json_path)
        json_array_append_new(
            s->rows, json_pack("{s:s, s:s, s:s, s:b, s:f, s:f, s:s?}", "op", tally->op, "device",
                               ldsl_context_device(s->ops.context), "case", name, "passed", passed,
                               "max_error", error < 1e300 ? error : 1e300, "allowed_error", allowed,
                               "reason", passed ? NULL : why));
    bool to_terminal = !s->cli->json_path || strcmp(s->cli->json_path, "-") != 0;
    if (!to_terminal || (passed && !s->options->verbose))
        return;
    cli_progress(s->cli, NULL);
    printf("%s %s: %s", passed ? "ok    " : "FAILED", tally->op, name);
    if (passed)
        printf("  error %.3g, allowed %.3g\n", error, allowed);
    else
        printf("\n       %s%s\n", strcmp(why, s->ear.text) == 0 ? s->ear.place : "", why);
}

/* ---- values ------------------------------------------------------------------------------------ */

/* Whether the operator takes these sizes: `require` may refuse some. */
static bool is_accepted(struct test_session *s, const struct trial *t, enum ldsl_status *status)
{
    ldsl_plan *plan = NULL;
    s->ear.muted = true;
    *status = trial_prepare(&plan, t, s->ops.library);
    s->ear.muted = false;
    ldsl_plan_destroy(plan);
    return *status == LDSL_OK;
}

/* Refused, as opposed to failed. */
static bool is_refused(enum ldsl_status status)
{
    return status == LDSL_ARGUMENT || status == LDSL_UNSUPPORTED;
}

/* Gives up the last of the schedule values. */
static void drop_value(struct trial *t)
{
    snprintf(t->fewer, sizeof t->fewer, "%.*s", (int)sizeof t->fewer - 1, t->with);
    char *comma = strrchr(t->fewer, ',');
    if (comma)
        *comma = '\0';
    t->with = comma ? t->fewer : NULL;
}

/* If parts are refused (no launch of these sizes has any), or schedule values (the kernel lists others,
 * the GPU has no such block), leaves them to the compiler, one by one. */
static bool without_choices(struct test_session *s, struct trial *t, enum ldsl_status *status)
{
    bool fine = false;
    if (t->parts && is_refused(*status)) {
        t->parts = NULL;
        fine = is_accepted(s, t, status);
    }
    while (!fine && t->with && t->with != s->options->with && is_refused(*status)) {
        drop_value(t);
        fine = is_accepted(s, t, status);
    }
    return fine;
}

/* If the sizes are refused, tries each dim as 1, as each other dim, and as one more than it. */
bool test_make_acceptable(struct test_session *s, struct trial *t, enum ldsl_status *status)
{
    if (is_accepted(s, t, status) || without_choices(s, t, status))
        return true;
    for (uint32_t d = 0; is_refused(*status) && d < t->subject->dim_count; d++) {
        int64_t kept = t->dims[d];
        for (uint32_t e = 0; e <= 2 * t->subject->dim_count; e++) {
            t->dims[d] = e == 0 ? 1 : t->dims[(e - 1) / 2] + (e - 1) % 2;
            if ((e == 0 || (e - 1) / 2 != d) && is_accepted(s, t, status))
                return true;
            t->dims[d] = kept;
            if (!is_refused(*status))
                break;
        }
    }
    return false;
}

/* The command that runs a case alone. */
static void print_again(const struct test_session *s, const char *op, const char *name)
{
    const struct test_options *o = s->options;
    if (s->cli->json_path && strcmp(s->cli->json_path, "-") == 0)
        return;
    printf("       again: ldsl test %s", op);
    if (o->device.file)
        printf(" --file %s", o->device.file);
    if (o->device.device)
        printf(" --device %s", o->device.device);
    if (o->device.check)
        printf(" --check");
    if (o->graph)
        printf(" --graph");
    if (o->seed != 1)
        printf(" --seed %llu", (unsigned long long)o->seed);
    if (o->with)
        printf(" --with %s", o->with);
    printf(" --case '%s'\n", name);
}

static void run_case(struct test_session *s, struct test_tally *tally, struct trial *t,
                     enum style style)
{
    char name[400];
    struct outcome outcome = {.passed = false};
    enum ldsl_status status;
    bool good = test_make_acceptable(s, t, &status);
    cases_describe(name, sizeof name, t, style);
    if (s->options->only && !strstr(name, s->options->only))
        return;
    cli_progress(s->cli, "%s: %s", tally->op, name);
    if (!good && is_refused(status)) {
        tally->refused++;
        if (s->options->verbose && (!s->cli->json_path || strcmp(s->cli->json_path, "-") != 0))
            printf("refused %s: %s\n        %s\n", tally->op, name, ldsl_last_error());
        return;
    }
    s->ear.muted = true; /* failures become rows */
    if (good)
        verify_trial(&outcome, t, style, s->options->seed, &s->ops, &s->references);
    test_row(s, tally, name, outcome.passed, outcome.error, outcome.allowed,
             good ? outcome.why : ldsl_last_error());
    s->ear.muted = false;
    if (!outcome.passed)
        print_again(s, tally->op, name);
}

/* What the operator's kernels are tiled by at ordinary sizes, and whether they have part axes. */
static unsigned learn(struct test_session *s, const struct subject *subject, int64_t *tiles,
                      unsigned *tile_count, unsigned capacity)
{
    struct cases none;
    struct trial t = {0};
    ldsl_plan *plan = NULL;
    unsigned flags = 0;
    enum ldsl_status status;
    *tile_count = 0;
    if (!cases_create(&none, subject, NULL, 0, CASES_GRADIENT))
        return 0;
    if (trial_create(&t, subject)) {
        cases_ordinary(&t, &none);
        s->ear.muted = true;
        if (test_make_acceptable(s, &t, &status) && !trial_prepare(&plan, &t, s->ops.library))
            for (uint32_t i = 0; i < ldsl_plan_launch_count(plan); i++)
                cases_learn_tiles(tiles, tile_count, capacity, ldsl_plan_launch_variant(plan, i));
        ldsl_plan_destroy(plan);
        t.parts = "parts=3";
        flags = is_accepted(s, &t, &status) ? CASES_PARTS : 0;
        s->ear.muted = false;
    }
    trial_destroy(&t);
    cases_destroy(&none);
    return flags;
}

static bool make_case(const struct test_session *s, struct trial *t, enum style *style,
                      const struct subject *subject, const struct cases *cases, size_t i)
{
    if (!trial_create(t, subject))
        return false;
    cases_apply(t, style, cases, i);
    t->graph = s->options->graph;
    if (s->options->with)
        t->with = s->options->with;
    return true;
}

static bool is_asked_for(const struct test_session *s, const struct trial *t, enum style style)
{
    char name[400];
    cases_describe(name, sizeof name, t, style);
    return strstr(name, s->options->only) != NULL;
}

/* Is a case that --case asks for among them, before sizes are made acceptable, which compiles its
 * kernels? Then no other needs to be compiled. */
static bool plans_case(const struct test_session *s, const struct subject *subject,
                       const struct cases *cases, size_t step)
{
    bool found = false;
    for (size_t i = 0; i < cases->cover.count && !found; i += step) {
        struct trial t;
        enum style style;
        if (!make_case(s, &t, &style, subject, cases, i))
            return false;
        found = is_asked_for(s, &t, style);
        trial_destroy(&t);
    }
    return found;
}

static void test_values(struct test_session *s, struct test_tally *tally,
                        const struct subject *subject)
{
    int64_t tiles[3];
    unsigned tile_count;
    unsigned flags = learn(s, subject, tiles, &tile_count, 3);
    const char *device = ldsl_context_device(s->ops.context);
    if (!s->options->with && strcmp(device, "cpu") != 0)
        flags |= CASES_SCHEDULES;
    if (strncmp(device, "simt", 4) == 0)
        flags |= CASES_SMALL;
    struct cases cases;
    if (!cases_create(&cases, subject, tiles, tile_count, flags)) {
        test_row(s, tally, "making the cases", false, 0, 0,
                 "out of memory, or too many parameters");
        return;
    }
    size_t step = 1;
    if (s->options->cases && cases.cover.count > s->options->cases)
        step = cases.cover.count / s->options->cases;
    bool named = s->options->only && plans_case(s, subject, &cases, step);
    for (size_t i = 0; i < cases.cover.count; i += step) {
        struct trial t;
        enum style style;
        if (!make_case(s, &t, &style, subject, &cases, i))
            break;
        if (!named || is_asked_for(s, &t, style))
            run_case(s, tally, &t, style);
        trial_destroy(&t);
    }
    cases_destroy(&cases);
    if (!tally->passed && !tally->failed && !s->options->only)
        test_row(s, tally, "any sizes", false, 0, 0, ldsl_last_error());
}

/* ---- operators --------------------------------------------------------------------------------- */

void test_begin(struct test_tally *tally, const char *op)
{
    *tally = (struct test_tally){.op = op};
    clock_gettime(CLOCK_MONOTONIC, &tally->start);
}

void test_end(struct test_session *s, const struct test_tally *tally)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds = (double)(now.tv_sec - tally->start.tv_sec) +
                     1e-9 * (double)(now.tv_nsec - tally->start.tv_nsec);
    s->failed_ops += tally->failed != 0;
    s->cases += tally->passed + tally->failed + tally->refused;
    cli_progress(s->cli, NULL);
    if (s->cli->json_path && strcmp(s->cli->json_path, "-") == 0)
        return;
    printf("%-28s %-8s %5u passed %5u failed %5u refused   worst %.2f of allowed   %5.1f s\n",
           tally->op, ldsl_context_device(s->ops.context), tally->passed, tally->failed,
           tally->refused, tally->worst, seconds);
    fflush(stdout);
}

static void test_op(struct test_session *s, const char *op)
{
    struct test_tally tally;
    struct subject subject;
    test_begin(&tally, op);
    if (!subject_create(&subject, s->ops.library, op)) {
        test_row(s, &tally, "its declaration", false, 0, 0,
                 "more parameters than the test can hold");
    } else {
        test_values(s, &tally, &subject);
        if (subject.info.grad)
            test_gradient(s, &tally, &subject);
    }
    test_end(s, &tally);
    subject_destroy(&subject);
}

/* Is there something to compare the operators that were named with? */
static int check_named(struct test_session *s, bool models)
{
    for (unsigned i = 0; i < s->options->ops.count; i++) {
        ldsl_op_info info;
        const char *name = s->options->ops.data[i];
        if (models && strchr(name, '='))
            continue; /* a parameter */
        int status = find_operator(s->cli, s->ops.library, name, &info);
        if (status)
            return status;
        if (!info.ref)
            return cli_error_help(s->cli, "name one with 'ref NAME;' in its declaration",
                                  "operator '%s' has no reference to test against", info.name);
    }
    return EXIT_DONE;
}

static int test_named(struct test_session *s)
{
    for (unsigned i = 0; i < s->options->ops.count; i++)
        test_op(s, s->options->ops.data[i]);
    return EXIT_DONE;
}

static int test_all(struct test_session *s)
{
    unsigned tested = 0;
    for (uint32_t i = 0; i < ldsl_library_op_count(s->ops.library); i++) {
        ldsl_op_info info;
        const char *op = ldsl_library_op_name(s->ops.library, i);
        if (!ldsl_op_find(s->ops.library, op, &info) || !info.ref)
            continue;
        test_op(s, op);
        tested++;
    }
    return tested ? EXIT_DONE : cli_error(s->cli, "no operator has a reference to test against");
}

static int open_session(struct test_session *s)
{
    const struct device_options *device = &s->options->device;
    struct ldsl_sink sink = {.report = hear, .user = &s->ear};
    unsigned before = s->cli->errors;
    ldsl_context_options context = {
        .sink = sink,
        .cache_path = device->cache,
        .no_cache = device->no_cache,
        .no_compile = device->no_compile,
        .check = device->check,
        .threads = device->threads,
    };
    enum ldsl_status status = ldsl_context_create(&s->ops.context, device->device, &context);
    if (!status && device->file)
        status = ldsl_library_load_file(&s->ops.library, s->ops.context, device->file);
    else if (!status)
        status = ldsl_library_load_builtin(&s->ops.library, s->ops.context);
    if (!status)
        status = references_open(&s->references, device, &sink);
    return cli_failed(s->cli, status, before, "loading the operators");
}

/* Other devices have no graphs. */
static int check_graphs(const struct test_session *s, bool models)
{
    const char *device = ldsl_context_device(s->ops.context);
    if (models)
        return cli_usage(s->cli, "--graph is for edge cases, not for model-sized calls");
    if (strncmp(device, "cuda", 4) == 0)
        return EXIT_DONE;
    return cli_error_help(s->cli, "name one with --device cuda",
                          "--graph needs a GPU: device '%s' has no graphs", device);
}

static int run(struct cli *cli, void *user)
{
    struct test_options *o = user;
    struct test_session s = {.cli = cli, .options = o, .ear = {.cli = cli}, .rows = json_array()};
    int status = open_session(&s);
    bool models = o->large || o->calls.shape_count || o->calls.dtype;
    if (!status && o->graph)
        status = check_graphs(&s, models);
    if (!status)
        status = check_named(&s, models);
    if (!status)
        status = models ? test_models(&s) : o->ops.count ? test_named(&s) : test_all(&s);
    if (!status && o->only && !s.cases)
        status = cli_error_help(cli, "'ldsl test OP -v' prints each case's description",
                                "no case's description contains '%s'", o->only);
    if (!status && models && !s.cases)
        status = cli_error_help(cli, "'ldsl ops OP' lists its dtypes, --shape gives dims",
                                "no model-sized call was tested");
    if (!status && cli->json_path) {
        json_incref(s.rows);
        if (!cli_write_json(cli, ldsl_context_device(s.ops.context), s.rows))
            status = EXIT_DEVICE;
    }
    if (!status && s.failed_ops)
        status = EXIT_WRONG;
    json_decref(s.rows);
    references_close(&s.references);
    close_operators(&s.ops);
    words_free(&o->ops);
    return status;
}

/* clang-format off */
const struct command command_test = {
    .name = "test",
    .summary = "test operators against their references",
    .args = "[OP...] [NAME=VALUE...]",
    .doc = "Runs each operator that names a reference (all of them, or those given) on edge shapes, dtypes, "
           "options and layouts, and compares with the f64 reference within the tolerance that "
           "docs/testing.md derives. Results are poisoned beforehand, buffers stand between guard bands, "
           "and a second run must give the same bits. Gradient operators are compared with finite "
           "differences of the forward's reference. With --large or --shape model-sized calls are run instead, and "
           "compared whole or, where results are by rows, in some rows; NAME=VALUE then sets parameters as for "
           "'ldsl bench'. Exit status 1 if anything failed.",
    .example = "ldsl test\n"
               "ldsl test rms_norm -v\n"
               "# one failing case again\n"
               "ldsl test rms_norm --case 'T=bf16 W=f32 casting=gemma'\n"
               "# model-sized; and a tensor of more than 2^31 elements\n"
               "ldsl test --device cuda --large\n"
               "ldsl test rms_norm --device cuda --shape R=65600,D=32768 --dtype bf16\n",
    .options = options,
    .parse = parse,
    .options_bytes = sizeof(struct test_options),
    .run = run,
    .takes_ops = true,
    .takes_device = true,
    .json = JSON_FLAG,
};
/* clang-format on */
