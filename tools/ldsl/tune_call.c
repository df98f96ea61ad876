#include "tune_call.h"

#include <ldsl/tune.h>
#include <math.h>
#include <signal.h>
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
static const double open_seconds = 300, compile_seconds = 60, first_seconds = 30, run_seconds = 4,
                    verify_seconds = 120;
/* What one candidate is worth; a final comparison is worth more. */
static const double candidate_seconds = 0.05, final_seconds = 0.2;
enum { CANDIDATE_RUNS = 9, FINAL_RUNS = 25 };
/* What is not faster than the defaults by more than this is noise. */
static const double worth_it = 0.99;

double tune_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- children ---------------------------------------------------------------------------------- */

static void set_why(struct tuner *t, const char *text)
{
    snprintf(t->why, sizeof t->why, "%s", text);
}

/* A child that serves call t->index next. The answer to its opening words, or NULL after reporting. */
static json_t *start_child(struct tuner *t)
{
    bool late;
    t->work.first = t->index;
    if (!worker_start(&t->worker, tune_work, &t->work)) {
        cli_error(t->cli, "cannot start a process to measure in");
        return NULL;
    }
    json_t *first = worker_receive(&t->worker, open_seconds, &late);
    if (!first)
        cli_error(t->cli, "the process that measures %s before it began",
                  late ? "did not answer" : "ended");
    return first;
}

int tuner_start(struct tuner *t, int *found)
{
    json_t *first = start_child(t);
    int status = first ? EXIT_DONE : EXIT_DEVICE;
    const json_t *failed = json_object_get(first, "exit");
    if (failed) {
        status = (int)json_integer_value(failed);
    } else if (first) {
        t->calls = (unsigned)json_integer_value(json_object_get(first, "count"));
        *found = (int)json_integer_value(json_object_get(first, "status"));
        snprintf(t->device, sizeof t->device, "%s",
                 json_string_value(json_object_get(first, "device")));
    }
    json_decref(first);
    return status;
}

void tuner_stop(struct tuner *t)
{
    worker_stop(&t->worker, NULL, 0);
}

/* The child is gone or late: says how in t->why, starts another and has it open the call again. False:
 * that does not work either. */
static bool replace_child(struct tuner *t, bool late, const char *doing)
{
    char how[96];
    bool unused;
    worker_stop(&t->worker, how, sizeof how);
    t->crashes++;
    if (late)
        snprintf(t->why, sizeof t->why, "%s took too long", doing);
    else
        snprintf(t->why, sizeof t->why, "%s ended the process %s", doing, how);
    json_t *first = start_child(t);
    bool good = json_object_get(first, "count") != NULL;
    json_decref(first);
    json_t *call = good ? worker_receive(&t->worker, open_seconds, &unused) : NULL;
    good = call && !json_object_get(call, "error");
    json_decref(call);
    if (!good)
        worker_stop(&t->worker, NULL, 0);
    return good;
}

static bool has_child(const struct tuner *t)
{
    return t->worker.pid != 0;
}

/* One request, one answer; NULL with t->why. A child that died or hung is replaced. */
static json_t *ask(struct tuner *t, json_t *request, double seconds, const char *doing)
{
    bool late = false;
    json_t *answer = NULL;
    if (!has_child(t)) {
        json_decref(request);
        return NULL;
    }
    if (worker_send(&t->worker, request))
        answer = worker_receive(&t->worker, seconds, &late);
    const char *error = json_string_value(json_object_get(answer, "error"));
    if (error)
        set_why(t, error);
    else if (answer)
        return answer;
    json_decref(answer);
    if (!error)
        (void)replace_child(t, late, doing);
    return NULL;
}

/* ---- attempts ---------------------------------------------------------------------------------- */

static struct attempt *find_attempt(const struct tuner *t, const char *with)
{
    for (unsigned i = 0; i < t->attempt_count; i++)
        if (strcmp(t->attempts[i].with, with) == 0)
            return &t->attempts[i];
    return NULL;
}

/* NULL: out of memory. */
static struct attempt *add_attempt(struct tuner *t, const char *with)
{
    struct attempt *list = realloc(t->attempts, (t->attempt_count + 1) * sizeof *list);
    char *copy = strdup(with);
    if (list)
        t->attempts = list;
    if (!list || !copy) {
        free(copy);
        return NULL;
    }
    list[t->attempt_count] = (struct attempt){.with = copy, .seconds = INFINITY};
    return &list[t->attempt_count++];
}

static void forget_attempts(struct tuner *t)
{
    for (unsigned i = 0; i < t->attempt_count; i++)
        free(t->attempts[i].with);
    free(t->attempts);
    t->attempts = NULL;
    t->attempt_count = 0;
}

/* The fastest; of equals the first. NULL: nothing works. */
static struct attempt *best_attempt(const struct tuner *t)
{
    struct attempt *best = NULL;
    for (unsigned i = 0; i < t->attempt_count; i++)
        if (t->attempts[i].seconds < (best ? best->seconds : INFINITY))
            best = &t->attempts[i];
    return best;
}

/* The time of the same machine code, tried before under other settings; 0: it is new. */
static double known_time(const struct tuner *t, const struct attempt *a)
{
    for (unsigned i = 0; i < t->attempt_count && *a->code; i++) {
        const struct attempt *other = &t->attempts[i];
        if (other != a && strcmp(other->code, a->code) == 0 && other->seconds < INFINITY)
            return other->seconds;
    }
    return 0;
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
    struct attempt *a = find_attempt(c->tuner, c->withs[i]);
    if (a && code)
        snprintf(a->code, sizeof a->code, "%s", code);
    if (done && !code)
        set_why(c->tuner, json_string_value(json_object_get(answer, "error")));
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
    if (!rest || !has_child(t)) {
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
        (void)replace_child(t, late, "compiling");
    return through;
}

/* Compiles all; what kills the compiler is found out one by one. */
static void compile_all(struct compile *c)
{
    unsigned jobs = c->tuner->jobs;
    while (!compile_rest(c, jobs) && has_child(c->tuner)) {
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
                        double seconds)
{
    const struct attempt *known = best_attempt(t);
    double patience = known ? run_seconds + 100 * known->seconds : first_seconds;
    json_t *answer =
        ask(t,
            json_pack("{s:s, s:s, s:f, s:i, s:f}", "do", "time", "with", with, "best",
                      best < INFINITY ? best : 0, "runs", (int)runs, "seconds", seconds),
            patience, "running it");
    double time = json_number_value(json_object_get(answer, "seconds"));
    json_decref(answer);
    return time > 0 ? time : INFINITY;
}

static void time_attempt(struct tuner *t, struct attempt *a)
{
    const struct attempt *best = best_attempt(t);
    a->seconds = known_time(t, a);
    if (!(a->seconds > 0))
        a->seconds =
            time_with(t, a->with, best ? best->seconds : 0, CANDIDATE_RUNS, candidate_seconds);
}

static bool is_late(const struct tuner *t)
{
    double now = tune_now();
    return now > t->call_deadline || now > t->deadline || !has_child(t);
}

/* Compiles and times what was not tried before. Those that time does not allow stay INFINITY. */
static void try_all(struct tuner *t, const char *const *withs, unsigned count)
{
    struct compile c = {.tuner = t, .withs = withs, .count = count};
    c.state = calloc(count + 1, sizeof *c.state);
    for (unsigned i = 0; c.state && i < count; i++)
        if (find_attempt(t, withs[i]) || !add_attempt(t, withs[i]))
            c.state[i] = COMPILED;
    if (c.state)
        compile_all(&c);
    for (unsigned i = 0; c.state && i < count && (!is_late(t) || !best_attempt(t)); i++) {
        struct attempt *a = find_attempt(t, withs[i]);
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

static void read_tunable(struct kernel *k, const json_t *from)
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
    k->count++;
}

static bool read_kernel(struct kernel *k, const json_t *launch)
{
    const json_t *tunables = json_object_get(launch, "tunables");
    *k = (struct kernel){.name = json_string_value(json_object_get(launch, "kernel"))};
    for (size_t i = 0; i < json_array_size(tunables) && i < MAX_TUNABLES; i++)
        read_tunable(k, json_array_get(tunables, i));
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

/* `settings` with the kernel's name before each, behind what is fixed for other kernels. malloc'ed. */
static char *qualify(const char *fixed, const char *kernel, const char *settings)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fputs(fixed, out);
    for (const char *s = settings; *s;) {
        int length = (int)strcspn(s, ",");
        fprintf(out, "%s%s.%.*s", s == settings && !*fixed ? "" : ",", kernel, length, s);
        s += length;
        s += *s == ',';
    }
    return fclose(out) == 0 ? text : NULL;
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
            try_all(t, (const char *const *)withs, n);
        for (uint32_t i = 0; i < n; i++) {
            const struct attempt *a = withs[i] ? find_attempt(t, withs[i]) : NULL;
            ldsl_search_tell(search, at + i, a ? a->seconds : INFINITY);
            free(withs[i]);
        }
    }
    return true;
}

static void show_progress(struct tuner *t, const char *kernel)
{
    const struct attempt *best = best_attempt(t);
    double left = t->deadline - tune_now();
    char time[48] = "";
    if (left < INFINITY && left > 0)
        snprintf(time, sizeof time, ", %d:%02d left", (int)left / 60, (int)left % 60);
    cli_progress(t->cli, "[%u/%u] %s %s %s: %s, %u tried%s%.1f us%s", t->index + 1, t->calls,
                 json_string_value(json_object_get(t->call, "op")),
                 json_string_value(json_object_get(t->call, "dtype")),
                 json_string_value(json_object_get(t->call, "shape")), kernel, t->attempt_count,
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

static void tune_kernels(struct tuner *t)
{
    static struct kernel kernel; /* too large for the stack; the parent has one thread */
    json_t *launches = json_object_get(t->call, "launches");
    char *fixed = strdup("");
    for (size_t i = 0; fixed && i < json_array_size(launches) && !is_late(t); i++)
        if (is_first(launches, i) && read_kernel(&kernel, json_array_get(launches, i)))
            tune_kernel(t, &kernel, &fixed);
    free(fixed);
}

/* ---- the winner -------------------------------------------------------------------------------- */

/* Its time and the defaults' once more, in turn. */
static void compare_with_default(struct tuner *t, struct attempt *winner, struct attempt *standard)
{
    if (winner == standard || !(standard->seconds < INFINITY))
        return;
    double least[2] = {INFINITY, INFINITY};
    for (int i = 0; i < 4 && has_child(t); i++) {
        const struct attempt *a = i % 2 ? standard : winner;
        double seconds = time_with(t, a->with, 0, FINAL_RUNS / 2, final_seconds / 2);
        least[i % 2] = seconds < least[i % 2] ? seconds : least[i % 2];
    }
    if (least[0] < INFINITY)
        winner->seconds = least[0];
    if (least[1] < INFINITY)
        standard->seconds = least[1];
}

static bool is_right(struct tuner *t, const char *with)
{
    json_t *answer = ask(t, json_pack("{s:s, s:s}", "do", "verify", "with", with), verify_seconds,
                         "verifying it");
    bool passed = json_is_true(json_object_get(answer, "passed"));
    if (answer && !passed)
        set_why(t, json_string_value(json_object_get(answer, "why")));
    json_decref(answer);
    return passed;
}

/* The fastest that is clearly faster than the defaults and right; else the defaults. NULL: not even
 * these work. */
static struct attempt *choose_winner(struct tuner *t, struct tuned_call *out)
{
    for (int i = 0; i < CANDIDATES_TO_VERIFY; i++) {
        struct attempt *standard = find_attempt(t, ""), *winner = best_attempt(t);
        if (!winner || winner == standard)
            return winner;
        compare_with_default(t, winner, standard);
        if (winner->seconds >= standard->seconds * worth_it)
            return standard;
        if (is_right(t, winner->with))
            return winner;
        cli_warning(t->cli, "%s with %s is left out: %s",
                    json_string_value(json_object_get(t->call, "op")), winner->with, t->why);
        winner->seconds = INFINITY;
        out->wrong++;
    }
    struct attempt *standard = find_attempt(t, "");
    return standard && standard->seconds < INFINITY ? standard : NULL;
}

/* Records of kernels with something to choose. */
static json_t *get_records(struct tuner *t, const char *with)
{
    json_t *answer = ask(t, json_pack("{s:s, s:s}", "do", "record", "with", with), compile_seconds,
                         "preparing it");
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

/* The child's description of the call; NULL: it died over it, and another one goes on behind it. */
static json_t *receive_call(struct tuner *t)
{
    bool late;
    json_t *call = worker_receive(&t->worker, open_seconds, &late);
    if (call)
        return call;
    char how[96];
    worker_stop(&t->worker, how, sizeof how);
    snprintf(t->why, sizeof t->why, "preparing it ended the process %s", how);
    t->crashes++;
    return NULL;
}

/* Goes on to the next call. False: no child can be started, which was reported. */
static bool go_on(struct tuner *t)
{
    t->index++;
    if (has_child(t) && worker_send(&t->worker, json_pack("{s:s}", "do", "next")))
        return true;
    worker_stop(&t->worker, NULL, 0);
    if (t->index == t->calls)
        return true;
    json_t *first = start_child(t);
    bool good = json_object_get(first, "count") != NULL;
    json_decref(first);
    return good;
}

static void fail(struct tuned_call *out, const char *why)
{
    out->failed = true;
    snprintf(out->why, sizeof out->why, "%s", why);
}

static void tune(struct tuned_call *out, struct tuner *t)
{
    const char *standard = "";
    set_why(t, "");
    try_all(t, &standard, 1);
    out->default_seconds = find_attempt(t, "") ? find_attempt(t, "")->seconds : INFINITY;
    if (!(out->default_seconds < INFINITY))
        snprintf(out->why, sizeof out->why, "%s", t->why);
    tune_kernels(t);
    out->tried = t->attempt_count;
    const struct attempt *winner = choose_winner(t, out);
    if (!winner) {
        fail(out, out->default_seconds < INFINITY ? t->why : out->why);
        return;
    }
    out->default_seconds = find_attempt(t, "")->seconds;
    out->seconds = winner->seconds;
    out->with = strdup(winner->with);
    out->records = get_records(t, winner->with);
}

bool tune_call(struct tuned_call *out, struct tuner *t)
{
    *out = (struct tuned_call){.default_seconds = INFINITY, .seconds = INFINITY};
    t->call = receive_call(t);
    const char *error = json_string_value(json_object_get(t->call, "error"));
    if (!t->call)
        fail(out, t->why);
    else if (error)
        fail(out, error);
    else
        tune(out, t);
    forget_attempts(t);
    return go_on(t);
}

void tuned_call_destroy(struct tuned_call *c)
{
    free(c->with);
    json_decref(c->records);
    *c = (struct tuned_call){0};
}
