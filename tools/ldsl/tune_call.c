#include "tune_call.h"

#include "qualify.h"
#include "tune_child.h"

#include <ldsl/tune.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    MAX_VALUES = 64,
    MAX_TUNABLES = 64,
    CANDIDATES_TO_VERIFY = 6, /* so many winners may be wrong before the defaults win */
};

/* How long a child may take: what takes longer hangs. A candidate may be a hundred times slower than
 * the best, beside what every run needs. */
static const double compile_seconds = 60, first_seconds = 30, run_seconds = 4, verify_seconds = 120;
/* What one candidate is worth; a final comparison has rounds. */
static const double candidate_seconds = 0.05, final_seconds = 0.04;
enum { CANDIDATE_RUNS = 9, FINALISTS = 4, FINAL_RUNS = 7, FINAL_ROUNDS = 5 };
/* Which of a candidate's sorted times counts. A search looks at the faster ones: what disturbs a run only
 * makes it slower. What is chosen in the end must be fast as a rule: some settings are so now and then. */
static const double search_quantile = 0.2, final_quantile = 0.5;
/* What is not faster than the defaults by more than this is noise. */
static const double worth_it = 0.99;

double tune_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- compiling --------------------------------------------------------------------------------- */

enum compile_state { NOT_BEGUN, BEGUN, COMPILED, FAILED };

struct compile {
    struct tuner *tuner;
    const char *const *withs;
    unsigned count;
    enum compile_state *state;
};

static void note_compile(struct compile *c, const json_t *answer)
{
    const json_t *begin = json_object_get(answer, "begin"), *done = json_object_get(answer, "done");
    const char *code = json_string_value(json_object_get(answer, "code"));
    json_int_t i = json_integer_value(begin ? begin : done);
    if ((!begin && !done) || i < 0 || i >= c->count)
        return;
    c->state[i] = begin ? BEGUN : code ? COMPILED : FAILED;
    struct attempt *a = attempts_find(&c->tuner->tried, c->withs[i]);
    if (a && code)
        snprintf(a->code, sizeof a->code, "%s", code);
    if (done && !code)
        tuner_set_why(c->tuner, json_string_value(json_object_get(answer, "error")));
}

/* Compiles those that are not done, `jobs` at a time. True when the child said that it is through;
 * false: it was replaced. */
static bool compile_rest(struct compile *c, unsigned jobs)
{
    struct tuner *t = c->tuner;
    json_t *withs = json_array();
    bool late = false, through = false;
    unsigned *numbers = calloc(c->count + 1, sizeof *numbers), rest = 0;
    for (unsigned i = 0; numbers && i < c->count; i++)
        if (c->state[i] == NOT_BEGUN) {
            numbers[rest++] = i;
            json_array_append_new(withs, json_string(c->withs[i]));
        }
    if (!rest || !tuner_has_child(t)) {
        json_decref(withs);
        free(numbers);
        return true;
    }
    bool good = worker_send(&t->worker, json_pack("{s:s, s:o, s:i}", "do", "compile", "with", withs,
                                                  "jobs", (int)jobs));
    while (good && !through) {
        json_t *answer = worker_receive(&t->worker, compile_seconds, &late);
        for (int k = 0; k < 2; k++) {
            json_t *number = json_object_get(answer, k ? "done" : "begin");
            if (number && json_integer_value(number) < rest)
                json_integer_set(number, numbers[json_integer_value(number)]);
        }
        note_compile(c, answer);
        through = json_object_get(answer, "end") != NULL;
        good = answer != NULL;
        json_decref(answer);
    }
    free(numbers);
    if (!through)
        (void)tuner_replace(t, late, "compiling");
    return through;
}

/* Compiles all; what kills the compiler is found out one by one. */
static void compile_all(struct compile *c)
{
    unsigned jobs = c->tuner->jobs;
    while (!compile_rest(c, jobs) && tuner_has_child(c->tuner)) {
        unsigned suspects = 0;
        for (unsigned i = 0; i < c->count; i++)
            suspects += c->state[i] == BEGUN;
        for (unsigned i = 0; i < c->count; i++)
            if (c->state[i] == BEGUN)
                c->state[i] = suspects > 1 ? NOT_BEGUN : FAILED;
        jobs = 1;
    }
}

/* ---- timing ------------------------------------------------------------------------------------ */

/* Seconds of one launch; INFINITY with t->why. */
static double time_with(struct tuner *t, const char *with, double best, unsigned runs,
                        double seconds, double quantile)
{
    const struct attempt *known = attempts_best(&t->tried);
    double patience = known ? run_seconds + 100 * known->seconds : first_seconds;
    json_t *answer = tuner_ask(t,
                               json_pack("{s:s, s:s, s:f, s:i, s:f, s:f}", "do", "time", "with",
                                         with, "best", best < INFINITY ? best : 0, "runs",
                                         (int)runs, "seconds", seconds, "quantile", quantile),
                               patience, "running it");
    double time = json_number_value(json_object_get(answer, "seconds"));
    json_decref(answer);
    return time > 0 ? time : INFINITY;
}

static void time_attempt(struct tuner *t, struct attempt *a)
{
    const struct attempt *best = attempts_best(&t->tried);
    a->seconds = attempts_known_time(&t->tried, a);
    if (!(a->seconds > 0))
        a->seconds = time_with(t, a->with, best ? best->seconds : 0, CANDIDATE_RUNS,
                               candidate_seconds, search_quantile);
}

static bool is_late(const struct tuner *t)
{
    double now = tune_now();
    return now > t->call_deadline || now > t->deadline || !tuner_has_child(t);
}

/* Compiles and times what was not tried before. Those that time does not allow stay INFINITY, unless
 * they must be tried. */
static void try_all(struct tuner *t, const char *const *withs, unsigned count, bool must)
{
    struct compile c = {.tuner = t, .withs = withs, .count = count};
    c.state = calloc(count + 1, sizeof *c.state);
    for (unsigned i = 0; c.state && i < count; i++)
        if (attempts_find(&t->tried, withs[i]) || !attempts_add(&t->tried, withs[i]))
            c.state[i] = COMPILED;
    if (c.state)
        compile_all(&c);
    for (unsigned i = 0; c.state && i < count && (must || !is_late(t) || !attempts_best(&t->tried));
         i++) {
        struct attempt *a = attempts_find(&t->tried, withs[i]);
        if (a && c.state[i] == COMPILED && *a->code && !(a->seconds < INFINITY))
            time_attempt(t, a);
    }
    free(c.state);
}

/* ---- the kernels of a call --------------------------------------------------------------------- */

/* What a kernel's search works on: from the description of its first launch. */
struct kernel {
    const char *name;
    ldsl_tunable tunables[MAX_TUNABLES];
    int64_t values[MAX_TUNABLES][MAX_VALUES];
    uint32_t count;
};

/* "rows.BR=4,rows.hold=64": the value that the text sets for the tunable of the kernel. */
static bool find_setting(const char *with, const char *kernel, const char *name, int64_t *value)
{
    size_t kernel_length = strlen(kernel), length = strlen(name);
    for (const char *s = with; *s; s += strcspn(s, ","), s += *s == ',')
        if (strncmp(s, kernel, kernel_length) == 0 && s[kernel_length] == '.' &&
            strncmp(s + kernel_length + 1, name, length) == 0 &&
            s[kernel_length + 1 + length] == '=') {
            *value = strtoll(s + kernel_length + length + 2, NULL, 10);
            return true;
        }
    return false;
}

/* start: the settings that the search begins with; "": what the launch does by default. */
static void read_tunable(struct kernel *k, const json_t *from, const char *start)
{
    ldsl_tunable *out = &k->tunables[k->count];
    const json_t *values = json_object_get(from, "values");
    *out = (ldsl_tunable){
        .name = json_string_value(json_object_get(from, "name")),
        .values = k->values[k->count],
        .is_listed = json_is_true(json_object_get(from, "is_listed")),
        .is_set = json_is_true(json_object_get(from, "is_set")),
        .current = json_integer_value(json_object_get(from, "current")),
    };
    for (size_t i = 0; i < json_array_size(values) && i < MAX_VALUES; i++)
        k->values[k->count][out->value_count++] = json_integer_value(json_array_get(values, i));
    if (*start)
        out->is_set = find_setting(start, k->name, out->name, &out->current);
    k->count++;
}

static bool read_kernel(struct kernel *k, const json_t *launch, const char *start)
{
    const json_t *tunables = json_object_get(launch, "tunables");
    *k = (struct kernel){.name = json_string_value(json_object_get(launch, "kernel"))};
    for (size_t i = 0; i < json_array_size(tunables) && i < MAX_TUNABLES; i++)
        read_tunable(k, json_array_get(tunables, i), start);
    return k->count != 0;
}

/* Is it the first launch of its kernel? */
static bool is_first(const json_t *launches, size_t i)
{
    const char *name = json_string_value(json_object_get(json_array_get(launches, i), "kernel"));
    for (size_t k = 0; k < i; k++)
        if (strcmp(name,
                   json_string_value(json_object_get(json_array_get(launches, k), "kernel"))) == 0)
            return false;
    return true;
}

/* A round in pieces that keep the compiling threads busy. False: no time is left. */
static bool try_round(struct tuner *t, ldsl_search *search, uint32_t count, const char *fixed,
                      const char *kernel)
{
    uint32_t piece = t->jobs * 4;
    for (uint32_t at = 0; at < count; at += piece) {
        char *withs[4 * 64];
        uint32_t n = count - at < piece ? count - at : piece;
        if (is_late(t))
            return false;
        for (uint32_t i = 0; i < n; i++)
            withs[i] = qualify(fixed, kernel, ldsl_search_settings(search, at + i));
        bool good = true;
        for (uint32_t i = 0; i < n; i++)
            good = good && withs[i];
        if (good)
            try_all(t, (const char *const *)withs, n, false);
        for (uint32_t i = 0; i < n; i++) {
            const struct attempt *a = withs[i] ? attempts_find(&t->tried, withs[i]) : NULL;
            ldsl_search_tell(search, at + i, a ? a->seconds : INFINITY);
            free(withs[i]);
        }
    }
    return true;
}

/* The settings of the records that there are; "": there are none. */
static const char *recorded_of(const struct tuner *t)
{
    const char *with = json_string_value(json_object_get(t->call, "recorded"));
    return with ? with : "";
}

/* "op", "dtype" or "shape" of the call. */
static const char *name_of(const struct tuner *t, const char *what)
{
    return json_string_value(json_object_get(json_array_get(t->names, t->index), what));
}

static void show_progress(struct tuner *t, const char *kernel)
{
    const struct attempt *best = attempts_best(&t->tried);
    double left = t->deadline - tune_now();
    char time[48] = "";
    if (left < INFINITY && left > 0)
        snprintf(time, sizeof time, ", %d:%02d left", (int)left / 60, (int)left % 60);
    cli_progress(t->cli, "[%u/%u] %s %s %s: %s, %u tried%s%.1f us%s", t->index + 1, t->calls,
                 name_of(t, "op"), name_of(t, "dtype"), name_of(t, "shape"), kernel, t->tried.count,
                 ", best ", best ? best->seconds * 1e6 : 0, time);
}

/* Searches one kernel; *fixed gets its best settings added. */
static void tune_kernel(struct tuner *t, struct kernel *k, char **fixed)
{
    ldsl_search *search;
    uint32_t count;
    if (ldsl_search_create(&search, k->tunables, k->count) != LDSL_OK)
        return;
    show_progress(t, k->name);
    while ((count = ldsl_search_round(search)) > 0 && try_round(t, search, count, *fixed, k->name))
        show_progress(t, k->name);
    double best;
    const char *settings = ldsl_search_best(search, &best);
    char *with = best < INFINITY ? qualify(*fixed, k->name, settings) : NULL;
    if (with) {
        free(*fixed);
        *fixed = with;
    }
    ldsl_search_destroy(search);
}

static void tune_kernels(struct tuner *t, const char *start)
{
    static struct kernel kernel; /* too large for the stack; the parent has one thread */
    json_t *launches = json_object_get(t->call, "launches");
    char *fixed = strdup("");
    for (size_t i = 0; fixed && i < json_array_size(launches) && !is_late(t); i++)
        if (is_first(launches, i) && read_kernel(&kernel, json_array_get(launches, i), start))
            tune_kernel(t, &kernel, &fixed);
    free(fixed);
}

/* ---- the winner -------------------------------------------------------------------------------- */

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* What is raced in the end: what others must beat, and the fastest of those. */
struct finals {
    struct attempt *list[1 + FINALISTS];
    unsigned count;
};

static bool is_in(const struct finals *f, const struct attempt *a)
{
    for (unsigned i = 0; i < f->count; i++)
        if (f->list[i] == a || (*a->code && strcmp(f->list[i]->code, a->code) == 0))
            return true;
    return false;
}

static void choose_finalists(struct finals *f, const struct tuner *t, struct attempt *standard)
{
    *f = (struct finals){.list = {standard}, .count = standard && standard->seconds < INFINITY};
    while (f->count < 1 + FINALISTS) {
        struct attempt *next = NULL;
        for (unsigned i = 0; i < t->tried.count; i++) {
            struct attempt *a = &t->tried.list[i];
            if (a->seconds < (next ? next->seconds : INFINITY) && !is_in(f, a))
                next = a;
        }
        if (!next)
            return;
        f->list[f->count++] = next;
    }
}

/* All times once more, in turn: the medians. */
static void race(struct tuner *t, struct finals *f)
{
    double seconds[1 + FINALISTS][FINAL_ROUNDS];
    for (int round = 0; round < FINAL_ROUNDS; round++)
        for (unsigned i = 0; i < f->count; i++)
            seconds[i][round] = tuner_has_child(t) ? time_with(t, f->list[i]->with, 0, FINAL_RUNS,
                                                               final_seconds, final_quantile)
                                                   : INFINITY;
    for (unsigned i = 0; i < f->count; i++) {
        qsort(seconds[i], FINAL_ROUNDS, sizeof *seconds[i], compare_doubles);
        if (seconds[i][FINAL_ROUNDS / 2] < INFINITY)
            f->list[i]->seconds = seconds[i][FINAL_ROUNDS / 2];
    }
}

/* The fastest, if it is clearly faster than the first. NULL: there is none. */
static struct attempt *fastest(const struct finals *f)
{
    struct attempt *best = f->count ? f->list[0] : NULL;
    for (unsigned i = 1; i < f->count; i++)
        if (f->list[i]->seconds < best->seconds)
            best = f->list[i];
    return best && best->seconds >= f->list[0]->seconds * worth_it ? f->list[0] : best;
}

static bool is_right(struct tuner *t, const char *with)
{
    json_t *answer = tuner_ask(t, json_pack("{s:s, s:s}", "do", "verify", "with", with),
                               verify_seconds, "verifying it");
    bool passed = json_is_true(json_object_get(answer, "passed"));
    if (answer && !passed)
        tuner_set_why(t, json_string_value(json_object_get(answer, "why")));
    json_decref(answer);
    return passed;
}

/* What others must beat: the records there are, else the defaults; the defaults too if those clearly
 * beat the records. */
static struct attempt *find_standard(struct tuner *t)
{
    struct attempt *defaults = attempts_find(&t->tried, "");
    struct attempt *recorded = attempts_find(&t->tried, recorded_of(t));
    if (!recorded || recorded == defaults || !(recorded->seconds < INFINITY))
        return defaults;
    return defaults->seconds < recorded->seconds * worth_it ? defaults : recorded;
}

/* The fastest that is right and clearly faster than what there was; else that. NULL: not even the
 * defaults work. */
static struct attempt *choose_winner(struct tuner *t, struct tuned_call *out)
{
    for (int i = 0; i < CANDIDATES_TO_VERIFY; i++) {
        struct attempt *defaults = attempts_find(&t->tried, "");
        struct finals finals;
        choose_finalists(&finals, t, find_standard(t));
        if (finals.count > 1)
            race(t, &finals);
        struct attempt *winner = fastest(&finals);
        if (!winner || winner == defaults)
            return winner;
        if (is_right(t, winner->with))
            return winner;
        cli_warning(t->cli, "%s with %s is left out: %s", name_of(t, "op"), winner->with, t->why);
        winner->seconds = INFINITY;
        out->wrong++;
    }
    struct attempt *defaults = attempts_find(&t->tried, "");
    return defaults && defaults->seconds < INFINITY ? defaults : NULL;
}

/* Records of kernels with something to choose. */
static json_t *get_records(struct tuner *t, const char *with)
{
    json_t *answer = tuner_ask(t, json_pack("{s:s, s:s}", "do", "record", "with", with),
                               compile_seconds, "preparing it");
    const json_t *all = json_object_get(answer, "records");
    json_t *launches = json_object_get(t->call, "launches"), *records = json_array();
    for (size_t i = 0; i < json_array_size(all) && i < json_array_size(launches); i++) {
        const json_t *launch = json_array_get(launches, i);
        if (json_array_size(json_object_get(launch, "tunables")))
            json_array_append(records, json_array_get(all, i));
    }
    json_decref(answer);
    return records;
}

/* ---- a call ------------------------------------------------------------------------------------ */

static void fail(struct tuned_call *out, const char *why)
{
    out->failed = true;
    snprintf(out->why, sizeof out->why, "%s", why);
}

static void tune(struct tuned_call *out, struct tuner *t)
{
    const char *defaults = "", *recorded = recorded_of(t);
    tuner_set_why(t, "");
    try_all(t, &defaults, 1, true);
    out->default_seconds =
        attempts_find(&t->tried, "") ? attempts_find(&t->tried, "")->seconds : INFINITY;
    if (!(out->default_seconds < INFINITY))
        snprintf(out->why, sizeof out->why, "%s", t->why);
    if (*recorded)
        try_all(t, &recorded, 1, true);
    const struct attempt *start = attempts_best(&t->tried);
    tune_kernels(t, start ? start->with : "");
    out->tried = t->tried.count;
    const struct attempt *winner = choose_winner(t, out);
    if (!winner) {
        fail(out, out->default_seconds < INFINITY ? t->why : out->why);
        return;
    }
    out->default_seconds = attempts_find(&t->tried, "")->seconds;
    out->seconds = winner->seconds;
    out->with = strdup(winner->with);
    out->records = get_records(t, winner->with);
}

bool tune_call(struct tuned_call *out, struct tuner *t)
{
    *out = (struct tuned_call){.default_seconds = INFINITY, .seconds = INFINITY};
    t->call = tuner_receive_call(t);
    const char *error = json_string_value(json_object_get(t->call, "error"));
    if (!t->call)
        fail(out, t->why);
    else if (error)
        fail(out, error);
    else
        tune(out, t);
    attempts_forget(&t->tried);
    json_decref(t->call);
    t->call = NULL;
    return tuner_go_on(t);
}

void tuned_call_destroy(struct tuned_call *c)
{
    free(c->with);
    json_decref(c->records);
    *c = (struct tuned_call){0};
}
