#include "tune_work.h"

#include "loaded.h"
#include "recorded.h"
#include "verify.h"
#include "worker.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_RUNS = 64,
    MAX_JOBS = 64,
    VERIFY_ELEMENTS = 1 << 18 /* of one tensor: other dims shrink; widths stay */
};

struct prepared {
    char *with;
    ldsl_plan *plan;
};

struct child {
    const struct tune_work *work;
    struct cli *cli;
    FILE *in, *out;
    struct operators ops;
    struct references references; /* opened when first needed */
    bool has_references;
    struct recorded recorded;
    struct flush flush;
    unsigned index; /* of the call that comes next */
    bool over;      /* the parent is gone, or the device is broken */
    /* of the call being served */
    struct trial *trial;
    struct loaded loaded;
    struct prepared *plans;
    unsigned plan_count;
};

static void answer(struct child *c, json_t *object)
{
    c->over |= !worker_write(c->out, object);
}

static void answer_error(struct child *c, const char *text)
{
    answer(c, json_pack("{s:s}", "error", *text ? text : "it failed without saying why"));
}

/* A GPU after a fault stays broken, and who is to say what else is: the parent starts anew. */
static void answer_lost(struct child *c, const char *text)
{
    answer(c, json_pack("{s:s, s:b}", "error", *text ? text : "the device failed", "lost", 1));
    c->over = true;
}

/* ---- plans ------------------------------------------------------------------------------------- */

static ldsl_plan *find_plan(const struct child *c, const char *with)
{
    for (unsigned i = 0; i < c->plan_count; i++)
        if (strcmp(c->plans[i].with, with) == 0)
            return c->plans[i].plan;
    return NULL;
}

/* Keeps a plan of the call; NULL after destroying it: out of memory. */
static ldsl_plan *keep_plan(struct child *c, const char *with, ldsl_plan *plan)
{
    struct prepared *plans = realloc(c->plans, (c->plan_count + 1) * sizeof *plans);
    char *copy = strdup(with);
    if (plans)
        c->plans = plans;
    if (!plans || !copy) {
        free(copy);
        ldsl_plan_destroy(plan);
        return NULL;
    }
    c->plans[c->plan_count++] = (struct prepared){copy, plan};
    return plan;
}

static enum ldsl_status prepare(ldsl_plan **plan, const struct child *c, const char *with)
{
    struct trial trial = *c->trial;
    trial.with = *with ? with : NULL;
    return trial_prepare(plan, &trial, c->ops.library);
}

static enum ldsl_status get_plan(ldsl_plan **plan, struct child *c, const char *with)
{
    *plan = find_plan(c, with);
    if (*plan)
        return LDSL_OK;
    enum ldsl_status status = prepare(plan, c, with);
    if (!status && !(*plan = keep_plan(c, with, *plan)))
        status = LDSL_NOMEM;
    return status;
}

static void forget_plans(struct child *c)
{
    for (unsigned i = 0; i < c->plan_count; i++) {
        free(c->plans[i].with);
        ldsl_plan_destroy(c->plans[i].plan);
    }
    free(c->plans);
    c->plans = NULL;
    c->plan_count = 0;
}

/* ---- compiling --------------------------------------------------------------------------------- */

struct batch {
    struct child *child;
    json_t *withs;
    atomic_uint next;
    pthread_mutex_t lock; /* over answers and plans */
};

static json_t *compiled(unsigned i, const ldsl_plan *plan)
{
    char code[24];
    snprintf(code, sizeof code, "%016llx", (unsigned long long)ldsl_plan_code(plan));
    return json_pack("{s:i, s:s}", "done", (int)i, "code", code);
}

static void compile_one(struct batch *b, unsigned i)
{
    const char *with = json_string_value(json_array_get(b->withs, i));
    ldsl_plan *plan;
    pthread_mutex_lock(&b->lock);
    bool known = find_plan(b->child, with) != NULL;
    answer(b->child, json_pack("{s:i}", "begin", (int)i));
    pthread_mutex_unlock(&b->lock);
    enum ldsl_status status = known ? LDSL_OK : prepare(&plan, b->child, with);
    pthread_mutex_lock(&b->lock);
    if (known)
        plan = find_plan(b->child, with);
    else if (!status)
        plan = keep_plan(b->child, with, plan);
    if (!status && plan)
        answer(b->child, compiled(i, plan));
    else
        answer(b->child, json_pack("{s:i, s:s}", "done", (int)i, "error", ldsl_last_error()));
    pthread_mutex_unlock(&b->lock);
}

static void *compile_some(void *user)
{
    struct batch *b = user;
    for (;;) {
        unsigned i = atomic_fetch_add(&b->next, 1);
        if (i >= json_array_size(b->withs) || b->child->over)
            return NULL;
        compile_one(b, i);
    }
}

static void serve_compile(struct child *c, const json_t *request)
{
    struct batch b = {.child = c, .withs = json_object_get(request, "with")};
    pthread_t threads[MAX_JOBS];
    unsigned jobs = (unsigned)json_integer_value(json_object_get(request, "jobs")), started = 0;
    pthread_mutex_init(&b.lock, NULL);
    for (; started + 1 < jobs && started < MAX_JOBS; started++)
        if (pthread_create(&threads[started], NULL, compile_some, &b) != 0)
            break;
    compile_some(&b);
    while (started)
        pthread_join(threads[--started], NULL);
    pthread_mutex_destroy(&b.lock);
    answer(c, json_pack("{s:b}", "end", 1));
}

/* ---- timing ------------------------------------------------------------------------------------ */

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* quantile: below 1. */
static double quantile_of(double *seconds, unsigned count, double quantile)
{
    qsort(seconds, count, sizeof *seconds, compare_doubles);
    return seconds[(unsigned)(quantile * count)];
}

/* A loser is not worth more runs: one that is far off after one, or off after three. */
static bool is_lost(const double *seconds, unsigned count, double best)
{
    double least = seconds[0];
    for (unsigned i = 1; i < count; i++)
        least = seconds[i] < least ? seconds[i] : least;
    return best > 0 && (least > 2 * best || (count >= 3 && least > 1.15 * best));
}

static enum ldsl_status run_some(struct child *c, double *seconds, unsigned count)
{
    return ldsl_device_time(c->loaded.context, loaded_before, loaded_launch, &c->loaded, seconds,
                            count);
}

/* Once to warm up, once, twice more, then all the rest that its time allows. */
static enum ldsl_status measure(struct child *c, const json_t *request, double *seconds,
                                unsigned *count)
{
    double best = json_number_value(json_object_get(request, "best"));
    double most_seconds = json_number_value(json_object_get(request, "seconds")), unused;
    unsigned runs = (unsigned)json_integer_value(json_object_get(request, "runs"));
    enum ldsl_status status = run_some(c, &unused, 1);
    if (!status)
        status = run_some(c, seconds, *count = 1);
    if (status || is_lost(seconds, *count, best))
        return status;
    status = run_some(c, seconds + 1, 2);
    *count = 3;
    if (status || is_lost(seconds, *count, best))
        return status;
    double rest = most_seconds / (seconds[1] + 1e-9);
    runs = runs > MAX_RUNS ? MAX_RUNS : runs;
    runs = rest < runs ? (unsigned)rest : runs;
    if (runs > *count) {
        status = run_some(c, seconds + *count, runs - *count);
        *count = runs;
    }
    return status;
}

static void serve_time(struct child *c, const json_t *request)
{
    double seconds[MAX_RUNS];
    unsigned count = 0;
    ldsl_plan *plan;
    enum ldsl_status status =
        get_plan(&plan, c, json_string_value(json_object_get(request, "with")));
    if (!status)
        status = loaded_use(&c->loaded, plan);
    if (!status)
        status = measure(c, request, seconds, &count);
    if (status == LDSL_DEVICE)
        answer_lost(c, ldsl_last_error());
    else if (status)
        answer_error(c, ldsl_last_error());
    else
        answer(c, json_pack("{s:f, s:i}", "seconds",
                            quantile_of(seconds, count,
                                        json_number_value(json_object_get(request, "quantile"))),
                            "runs", (int)count));
}

/* ---- verifying --------------------------------------------------------------------------------- */

static bool open_references(struct child *c)
{
    if (!c->has_references)
        c->has_references =
            references_open(&c->references, &c->work->device, &c->cli->sink) == LDSL_OK;
    return c->has_references;
}

static void serve_verify(struct child *c, const json_t *request)
{
    struct outcome outcome = {.passed = true, .why = "there is no reference"};
    struct trial model = *c->trial;
    const char *with = json_string_value(json_object_get(request, "with"));
    char name[400];
    model.with = *with ? with : NULL;
    if (model.subject->info.ref && open_references(c)) {
        (void)verify_fewer(&outcome, name, sizeof name, &model, VERIFY_ELEMENTS, &c->ops,
                           &c->references);
    } else if (model.subject->info.ref) {
        outcome.passed = false;
        snprintf(outcome.why, sizeof outcome.why, "the references do not open: %s",
                 ldsl_last_error());
    }
    if (ldsl_stream_synchronize(c->ops.context, NULL) == LDSL_DEVICE)
        answer_lost(c, outcome.why);
    else
        answer(c, json_pack("{s:b, s:s}", "passed", outcome.passed, "why", outcome.why));
}

/* ---- records ----------------------------------------------------------------------------------- */

static void serve_record(struct child *c, const json_t *request)
{
    ldsl_plan *plan;
    ldsl_record r;
    if (get_plan(&plan, c, json_string_value(json_object_get(request, "with")))) {
        answer_error(c, ldsl_last_error());
        return;
    }
    json_t *records = json_array();
    for (uint32_t i = 0; ldsl_plan_record(plan, i, &r); i++)
        json_array_append_new(records,
                              json_pack("[s, s, s, s, s, s, s, s, s]", r.op, r.kernel, r.variant,
                                        r.key, r.shape, r.device, r.target, r.hash, r.settings));
    answer(c, json_pack("{s:o}", "records", records));
}

/* ---- calls ------------------------------------------------------------------------------------- */

static json_t *describe_tunables(const ldsl_plan *plan, uint32_t launch)
{
    json_t *list = json_array();
    ldsl_tunable t;
    for (uint32_t i = 0; ldsl_plan_tunable(plan, launch, i, &t); i++) {
        json_t *values = json_array();
        for (uint32_t k = 0; k < t.value_count; k++)
            json_array_append_new(values, json_integer(t.values[k]));
        json_array_append_new(list, json_pack("{s:s, s:o, s:b, s:b, s:I}", "name", t.name, "values",
                                              values, "is_listed", t.is_listed, "is_set", t.is_set,
                                              "current", (json_int_t)t.current));
    }
    return list;
}

static json_t *name_call(const struct trial *t, enum ldsl_dtype dtype)
{
    char shape[256];
    json_t *dims = json_object();
    const struct subject *s = t->subject;
    call_describe_shape(shape, sizeof shape, t);
    for (uint32_t d = 0; d < s->dim_count; d++)
        json_object_set_new(dims, s->dims[d], json_integer(t->dims[d]));
    return json_pack("{s:s, s:s, s:s, s:o}", "op", s->info.name, "dtype", ldsl_dtype_name(dtype),
                     "shape", shape, "dims", dims);
}

static json_t *describe_call(struct child *c, const ldsl_plan *plan)
{
    json_t *launches = json_array();
    ldsl_record r;
    for (uint32_t i = 0; ldsl_plan_record(plan, i, &r); i++)
        json_array_append_new(launches, json_pack("{s:s, s:o}", "kernel", r.kernel, "tunables",
                                                  describe_tunables(plan, i)));
    char *with = recorded_settings(&c->recorded, c->trial, plan);
    json_t *call = json_pack("{s:o, s:s?}", "launches", launches, "recorded", with);
    free(with);
    return call;
}

/* Prepares the call with its defaults, and its tensors. */
static void open_call(struct child *c)
{
    ldsl_plan *plan;
    enum ldsl_status status = get_plan(&plan, c, "");
    if (!status)
        status = loaded_create(&c->loaded, c->cli, &c->ops, c->trial, LOADED_SEED, plan, &c->flush);
    if (!status)
        answer(c, describe_call(c, plan));
    else if (status == LDSL_DEVICE)
        answer_lost(c, ldsl_last_error());
    else
        answer_error(c, ldsl_last_error());
}

static void serve_requests(struct child *c)
{
    while (!c->over) {
        json_t *request = worker_read(c->in);
        const char *what = json_string_value(json_object_get(request, "do"));
        bool next = what && strcmp(what, "next") == 0;
        if (!what)
            c->over = true;
        else if (strcmp(what, "compile") == 0)
            serve_compile(c, request);
        else if (strcmp(what, "time") == 0)
            serve_time(c, request);
        else if (strcmp(what, "verify") == 0)
            serve_verify(c, request);
        else if (strcmp(what, "record") == 0)
            serve_record(c, request);
        json_decref(request);
        if (next)
            return;
    }
}

static int serve_call(void *user, struct trial *t, enum ldsl_dtype dtype)
{
    struct child *c = user;
    (void)dtype;
    if (c->over || c->index++ < c->work->first)
        return EXIT_DONE;
    c->trial = t;
    if (call_fits(c->cli, &c->ops, t))
        open_call(c);
    else
        answer_error(c, "its tensors are too large for this machine's memory");
    serve_requests(c);
    loaded_destroy(&c->loaded);
    forget_plans(c);
    return EXIT_DONE;
}

static int list_call(void *user, struct trial *t, enum ldsl_dtype dtype)
{
    json_array_append_new(user, name_call(t, dtype));
    return EXIT_DONE;
}

/* From here on what goes wrong is the parent's to tell. */
static void be_silent(void)
{
    int null = open("/dev/null", O_WRONLY);
    if (null >= 0) {
        dup2(null, STDERR_FILENO);
        close(null);
    }
}

void tune_work(void *user, FILE *in, FILE *out)
{
    const struct tune_work *work = user;
    struct cli quiet = *work->cli;
    struct child c = {.work = work, .cli = &quiet, .in = in, .out = out};
    json_t *calls = json_array();
    unsigned before = quiet.errors;
    quiet.sink.user = &quiet;
    int status = open_operators(&quiet, &work->device, &c.ops);
    int found = status ? status : calls_each(&quiet, &c.ops, work->calls, list_call, calls);
    if (!status &&
        !json_array_size(calls)) /* some that cannot be do not keep the others from being tuned */
        status = found;
    if (!status)
        status = cli_failed(&quiet, flush_create(&c.flush, c.ops.context), before,
                            "getting ready to measure");
    if (!status) {
        be_silent();
        answer(&c, json_pack("{s:i, s:O, s:i, s:s}", "count", (int)json_array_size(calls), "calls",
                             calls, "status", found, "device", ldsl_context_device(c.ops.context)));
        recorded_open(&c.recorded, &quiet, &work->device, work->records);
        (void)calls_each(&quiet, &c.ops, work->calls, serve_call, &c);
        if (!c.over)
            answer(&c, json_pack("{s:b}", "end", 1));
    } else {
        answer(&c, json_pack("{s:i}", "exit", status));
    }
    json_decref(calls);
    recorded_close(&c.recorded);
    flush_destroy(&c.flush);
    references_close(&c.references);
    close_operators(&c.ops);
}
