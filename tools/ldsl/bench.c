/* ldsl bench: how fast operators are, measured against a copy of the same bytes in the same run. */
#include "cases.h"
#include "command.h"
#include "plot.h"
#include "random.h"
#include "verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SHAPE = 16, MAX_RUNS = 1000, MIN_RUNS = 9 };

struct options {
    struct device_options device;
    const char **words; /* operators and NAME=VALUE, as they came */
    unsigned word_count;
    const char *shape, *dtype, *plot, *with;
    double seconds;
    bool verify, every_shape;
};

/* clang-format off */
static const struct argp_option options[] = {
    {"shape", 'S', "R=N,D=N", 0,
     "Sizes of the named dims (default: the operator's bench clauses)", 0},
    {"all-shapes", 'a', 0, 0, "Every bench clause, not only the first", 0},
    {"dtype", 't', "TYPE", 0, "Element type (default: bf16 and f32)", 0},
    {"with", 'w', "NAME=N,...", 0, "Schedule values: BR=4", 0},
    {"seconds", 's', "S", 0, "Time to measure each row for (default 1)", 0},
    {"verify", 'v', 0, 0, "Check the results first, at the same widths and fewer rows", 0},
    {"plot", 'p', "F.svg", 0, "Draw the rows' GB/s as a bar chart (needs gnuplot)", 0},
    {0},
};
/* clang-format on */

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    char *end;
    switch (key) {
    case ARGP_KEY_INIT: o->seconds = 1; return 0;
    case 'S': o->shape = arg; return 0;
    case 'a': o->every_shape = true; return 0;
    case 't': o->dtype = arg; return 0;
    case 'w': o->with = arg; return 0;
    case 'v': o->verify = true; return 0;
    case 'p': o->plot = arg; return 0;
    case 's':
        o->seconds = strtod(arg, &end);
        if (end == arg || *end || !(o->seconds > 0))
            argp_error(state, "'%s' is not a number of seconds", arg);
        return 0;
    case ARGP_KEY_ARG: {
        const char **words = realloc(o->words, (o->word_count + 1) * sizeof *words);
        if (!words)
            return ENOMEM;
        o->words = words;
        o->words[o->word_count++] = arg;
        return 0;
    }
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
    ldsl_buffer *flush; /* larger than any cache */
    size_t flush_bytes;
    unsigned wrong; /* rows that verification refused */
};

/* ---- setting up a call ------------------------------------------------------------------------- */

static bool is_assignment(const char *word)
{
    return strchr(word, '=') != NULL;
}

/* "casting=gemma", "offset=1.0", "w=none". False: it is about no parameter of this operator, or wrong;
 * the latter is reported. */
static bool assign(struct session *s, struct trial *t, const char *word)
{
    const char *equals = strchr(word, '='), *text = equals + 1;
    for (uint32_t i = 0; i < t->subject->info.param_count; i++) {
        const ldsl_op_param *p = &t->subject->params[i];
        struct trial_param *value = &t->params[i];
        char *end;
        if (strlen(p->name) != (size_t)(equals - word) ||
            strncmp(p->name, word, (size_t)(equals - word)) != 0)
            continue;
        if (p->kind == LDSL_KIND_TENSOR) {
            value->absent = p->optional && strcmp(text, "none") == 0;
            return value->absent ||
                   cli_error(s->cli, "'%s' is an optional tensor: say %s=none or nothing", p->name,
                             p->name) == EXIT_DONE;
        }
        value->given = true;
        value->word = text;
        value->number = strtod(text, &end);
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
            value->number = *text == 't';
        else if (p->kind == LDSL_KIND_SCALAR && (end == text || *end))
            return cli_error(s->cli, "'%s' of '%s' is not a number", text, p->name) == EXIT_DONE;
        value->is_integer = !dtype_is_float(p->dtype);
        value->integer = (int64_t)value->number;
        return true;
    }
    return false;
}

/* Every NAME=VALUE that concerns the operator. */
static bool assign_all(struct session *s, struct trial *t)
{
    unsigned before = s->cli->errors;
    for (unsigned i = 0; i < s->options->word_count; i++)
        if (is_assignment(s->options->words[i]))
            (void)assign(s, t, s->options->words[i]);
    return s->cli->errors == before;
}

static bool set_type(struct trial *t, enum ldsl_dtype dtype)
{
    bool any = t->subject->generic_count == 0;
    for (uint32_t g = 0; g < t->subject->generic_count; g++)
        for (uint32_t k = 0; k < t->subject->generics[g].count; k++)
            if (t->subject->generics[g].dtypes[k] == dtype) {
                t->types[g] = dtype;
                any = true;
            }
    return any;
}

/* The dims from bench clause `clause`; false: there is none. */
static bool set_clause(struct trial *t, uint32_t clause)
{
    const struct subject *s = t->subject;
    if (clause >= s->info.bench_count)
        return false;
    for (uint32_t d = 0; d < s->dim_count; d++)
        if (!ldsl_op_bench(s->library, s->info.name, clause, s->dims[d], &t->dims[d]))
            return false;
    return true;
}

static bool set_shape(struct session *s, struct trial *t, const char *text)
{
    struct dim_value dims[MAX_SHAPE];
    unsigned count;
    if (!parse_dims(s->cli, text, dims, MAX_SHAPE, &count))
        return false;
    for (uint32_t d = 0; d < t->subject->dim_count; d++) {
        bool found = false;
        for (unsigned i = 0; i < count; i++)
            if (strcmp(dims[i].name, t->subject->dims[d]) == 0) {
                t->dims[d] = dims[i].value;
                found = true;
            }
        if (!found && !t->dims[d]) {
            cli_error(s->cli, "--shape gives no size for dim '%s' of '%s'", t->subject->dims[d],
                      t->subject->info.name);
            return false;
        }
    }
    return true;
}

/* ---- tensors on the device --------------------------------------------------------------------- */

struct loaded {
    ldsl_plan *plan;
    uint32_t count;
    ldsl_buffer **buffers;
    uint64_t *pointers;
    ldsl_buffer *workspace, *copy_from, *copy_to;
    size_t bytes; /* that must move: inputs once, outputs once, mut both ways */
};

static void unload(struct loaded *l)
{
    for (uint32_t i = 0; l->buffers && i < l->count; i++)
        ldsl_buffer_destroy(l->buffers[i]);
    free(l->buffers);
    free(l->pointers);
    ldsl_buffer_destroy(l->workspace);
    ldsl_buffer_destroy(l->copy_from);
    ldsl_buffer_destroy(l->copy_to);
    ldsl_plan_destroy(l->plan);
    *l = (struct loaded){0};
}

/* Fills a tensor by its hint. A million values, repeated: their number is no multiple of a row. */
static enum ldsl_status fill(struct session *s, ldsl_buffer *buffer, const struct trial *t,
                             const ldsl_tensor_info *info)
{
    struct tensor_error error;
    struct tensor pattern = {0};
    const ldsl_op_param *p = subject_find(t->subject, info->name);
    size_t element = ldsl_dtype_size(info->dtype), count = info->bytes / element;
    int64_t shape[1] = {(int64_t)(count < 1000003 ? count : 1000003)};
    enum ldsl_status status = LDSL_OK;
    if (!tensor_create(&pattern, info->dtype, 1, shape, &error) ||
        !trial_sample(&pattern, t, (uint32_t)(p - t->subject->params), 1, &error)) {
        cli_error(s->cli, "%s", error.text);
        status = LDSL_ARGUMENT;
    }
    for (size_t at = 0; !status && at < info->bytes; at += pattern.bytes) {
        size_t left = info->bytes - at;
        status = ldsl_buffer_upload(buffer, at, pattern.data,
                                    left < pattern.bytes ? left : pattern.bytes);
    }
    tensor_destroy(&pattern);
    return status;
}

/* Fills a buffer that no operator reads. Pages that were never written are all the same page of
 * zeros: copying those would time the cache, not the memory. */
static enum ldsl_status fill_bits(ldsl_buffer *buffer, size_t bytes)
{
    uint64_t block[8192];
    for (size_t i = 0; i < sizeof block / sizeof *block; i++)
        block[i] = random_bits(1, i);
    enum ldsl_status status = LDSL_OK;
    for (size_t at = 0; !status && at < bytes; at += sizeof block)
        status = ldsl_buffer_upload(buffer, at, block,
                                    bytes - at < sizeof block ? bytes - at : sizeof block);
    return status;
}

static enum ldsl_status load(struct loaded *l, struct session *s, const struct trial *t)
{
    enum ldsl_status status = trial_prepare(&l->plan, t, s->ops.library);
    if (status)
        return status;
    l->count = ldsl_plan_tensor_count(l->plan);
    l->buffers = calloc(l->count + 1, sizeof *l->buffers);
    l->pointers = calloc(l->count + 1, sizeof *l->pointers);
    if (!l->buffers || !l->pointers)
        return LDSL_NOMEM;
    for (uint32_t i = 0; !status && i < l->count; i++) {
        ldsl_tensor_info info;
        ldsl_plan_tensor(l->plan, i, &info);
        status = ldsl_buffer_create(&l->buffers[i], s->ops.context, info.bytes);
        if (!status)
            l->pointers[i] = ldsl_buffer_address(l->buffers[i]);
        if (!status && info.bytes) /* outputs too: their pages must be there */
            status = fill(s, l->buffers[i], t, &info);
        l->bytes += info.bytes * (info.is_written && !info.is_output ? 2 : 1);
    }
    if (!status)
        status =
            ldsl_buffer_create(&l->workspace, s->ops.context, ldsl_plan_workspace_bytes(l->plan));
    if (!status)
        status = ldsl_buffer_create(&l->copy_from, s->ops.context, l->bytes / 2);
    if (!status)
        status = ldsl_buffer_create(&l->copy_to, s->ops.context, l->bytes / 2);
    if (!status)
        status = fill_bits(l->copy_from, l->bytes / 2);
    if (!status)
        status = fill_bits(l->copy_to, l->bytes / 2);
    return status;
}

/* ---- measuring --------------------------------------------------------------------------------- */

struct samples {
    double seconds[MAX_RUNS];
    unsigned count;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

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

/* Writes through more memory than the caches hold. */
static enum ldsl_status flush(struct session *s)
{
    uint64_t address = ldsl_buffer_address(s->flush);
    size_t half = s->flush_bytes / 2;
    enum ldsl_status status = ldsl_device_copy(s->ops.context, address + half, address, half, NULL);
    return status ? status : ldsl_stream_synchronize(s->ops.context, NULL);
}

static enum ldsl_status time_launch(double *seconds, struct session *s, const struct loaded *l)
{
    enum ldsl_status status = flush(s);
    double start = now();
    if (!status)
        status = ldsl_plan_launch(l->plan, l->pointers, l->count, ldsl_buffer_address(l->workspace),
                                  NULL);
    if (!status)
        status = ldsl_stream_synchronize(s->ops.context, NULL);
    *seconds = now() - start;
    return status;
}

static enum ldsl_status time_copy(double *seconds, struct session *s, const struct loaded *l)
{
    enum ldsl_status status = flush(s);
    double start = now();
    if (!status)
        status = ldsl_device_copy(s->ops.context, ldsl_buffer_address(l->copy_to),
                                  ldsl_buffer_address(l->copy_from), l->bytes / 2, NULL);
    if (!status)
        status = ldsl_stream_synchronize(s->ops.context, NULL);
    *seconds = now() - start;
    return status;
}

/* Launches and copies in turn, so that both see the same machine. The first of each warms up. */
static enum ldsl_status measure(struct samples *launches, struct samples *copies, struct session *s,
                                const struct loaded *l)
{
    double unused, spent = 0;
    launches->count = copies->count = 0;
    enum ldsl_status status = time_launch(&unused, s, l);
    if (!status)
        status = time_copy(&unused, s, l);
    while (!status && launches->count < MAX_RUNS &&
           (launches->count < MIN_RUNS || spent < s->options->seconds)) {
        double launch, copy;
        status = time_launch(&launch, s, l);
        if (!status)
            status = time_copy(&copy, s, l);
        if (status)
            return status;
        launches->seconds[launches->count++] = launch;
        copies->seconds[copies->count++] = copy;
        spent += launch + copy;
    }
    qsort(launches->seconds, launches->count, sizeof(double), compare_doubles);
    qsort(copies->seconds, copies->count, sizeof(double), compare_doubles);
    return status;
}

/* ---- rows -------------------------------------------------------------------------------------- */

static void describe_shape(char *text, size_t size, const struct trial *t)
{
    size_t used = 0;
    *text = '\0';
    for (uint32_t d = 0; d < t->subject->dim_count && used < size; d++)
        used += (size_t)snprintf(text + used, size - used, "%s%s=%lld", d ? "," : "",
                                 t->subject->dims[d], (long long)t->dims[d]);
}

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

static void print_head(void)
{
    printf("%-28s %-5s %-34s %10s %10s %10s %8s %6s\n", "operator", "dtype", "shape", "median us",
           "p20", "p80", "GB/s", "copy");
}

static void report(struct session *s, const struct trial *t, const struct loaded *l,
                   enum ldsl_dtype dtype, const struct samples *launches,
                   const struct samples *copies, const char *verified)
{
    double median = quantile(launches, 0.5), gbs = (double)l->bytes / median * 1e-9;
    double ratio = quantile(copies, 0.5) / median;
    double p20 = quantile(launches, 0.2) * 1e6, p80 = quantile(launches, 0.8) * 1e6;
    char shape[128], label[256];
    describe_shape(shape, sizeof shape, t);
    cli_progress(s->cli, NULL);
    if (!s->cli->json_path || strcmp(s->cli->json_path, "-") != 0) {
        if (!json_array_size(s->rows))
            print_head();
        printf("%-28s %-5s %-34s %10.1f %10.1f %10.1f %8.2f %6.2f%s%s\n", t->subject->info.name,
               ldsl_dtype_name(dtype), shape, median * 1e6, p20, p80, gbs, ratio,
               *verified ? "  " : "", verified);
        fflush(stdout);
    }
    snprintf(label, sizeof label, "%s %s %s", t->subject->info.name, ldsl_dtype_name(dtype), shape);
    if (s->options->plot)
        plot_add(&s->plot, label, gbs, gbs / ratio);
    json_array_append_new(
        s->rows,
        json_pack(
            "{s:s, s:n, s:s, s:s, s:o, s:f, s:f, s:f, s:I, s:f, s:f, s:n, s:n, s:o, s:n, s:s?}",
            "op", t->subject->info.name, "kernel", "device", ldsl_context_device(s->ops.context),
            "dtype", ldsl_dtype_name(dtype), "shape", shape_object(t), "median_us", median * 1e6,
            "p20_us", p20, "p80_us", p80, "bytes", (json_int_t)l->bytes, "gbs", gbs, "copy_ratio",
            ratio, "flops", "tflops", "config", config_object(l->plan), "spills", "verified",
            *verified ? verified : NULL));
}

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
        if (assign_all(s, &t)) {
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

static size_t memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (size_t)pages * (size_t)size : SIZE_MAX;
}

/* Bytes of all tensors of the trial. */
static size_t tensor_bytes(const struct trial *t)
{
    size_t sum = 0;
    for (uint32_t i = 0; i < t->subject->info.param_count; i++) {
        const ldsl_op_param *p = &t->subject->params[i];
        int64_t shape[LDSL_MAX_RANK];
        size_t count, bytes;
        if (p->kind == LDSL_KIND_TENSOR && !t->params[i].absent && trial_shape(t, i, shape) &&
            tensor_size(trial_dtype(t, i), p->rank, shape, &count, &bytes))
            sum += bytes;
    }
    return sum;
}

/* Measures one call. EXIT_DONE also when it is skipped, which is said. */
static int bench_trial(struct session *s, const struct trial *t, enum ldsl_dtype dtype)
{
    static struct samples launches, copies;
    struct loaded loaded = {0};
    char shape[128];
    unsigned before = s->cli->errors;
    describe_shape(shape, sizeof shape, t);
    cli_progress(s->cli, "%s %s %s", t->subject->info.name, ldsl_dtype_name(dtype), shape);
    if (tensor_bytes(t) > memory_bytes() / 3 &&
        strcmp(ldsl_context_device(s->ops.context), "cpu") == 0) {
        cli_warning(s->cli, "%s %s is skipped: its tensors are too large for this machine's memory",
                    t->subject->info.name, shape);
        return EXIT_DONE;
    }
    const char *verified = s->options->verify ? verify(s, t) : "";
    enum ldsl_status status = load(&loaded, s, t);
    if (!status)
        status = measure(&launches, &copies, s, &loaded);
    if (!status)
        report(s, t, &loaded, dtype, &launches, &copies, verified);
    unload(&loaded);
    return cli_failed(s->cli, status, before, t->subject->info.name);
}

static int bench_dtype(struct session *s, const struct subject *subject, enum ldsl_dtype dtype,
                       uint32_t clause)
{
    struct trial t;
    int status = EXIT_DONE;
    if (!trial_create(&t, subject))
        return cli_error(s->cli, "out of memory");
    t.with = s->options->with;
    bool has_shape = set_clause(&t, clause);
    if (s->options->shape)
        has_shape = set_shape(s, &t, s->options->shape);
    if (!has_shape && s->options->shape)
        status = EXIT_WRONG;
    else if (has_shape && set_type(&t, dtype))
        status = assign_all(s, &t) ? bench_trial(s, &t, dtype) : EXIT_WRONG;
    else if (has_shape && s->options->dtype)
        cli_warning(s->cli, "%s is skipped: it takes no %s", subject->info.name,
                    ldsl_dtype_name(dtype));
    trial_destroy(&t);
    return status;
}

static int bench_op(struct session *s, const char *op)
{
    static const enum ldsl_dtype both[] = {LDSL_BF16, LDSL_F32};
    struct subject subject;
    enum ldsl_dtype dtype = LDSL_F32;
    int status = EXIT_DONE;
    if (s->options->dtype)
        (void)ldsl_dtype_parse(s->options->dtype, &dtype); /* run() has tested it */
    if (!subject_create(&subject, s->ops.library, op))
        return cli_error(s->cli, "operator '%s' has more parameters than bench can hold", op);
    uint32_t clauses = s->options->shape          ? 1
                       : s->options->every_shape  ? subject.info.bench_count
                       : subject.info.bench_count ? 1
                                                  : 0;
    for (uint32_t c = 0; !status && c < clauses; c++) {
        if (s->options->dtype)
            status = bench_dtype(s, &subject, dtype, c);
        for (int k = 0; !status && !s->options->dtype && k < 2; k++)
            status = bench_dtype(s, &subject, both[k], c);
    }
    subject_destroy(&subject);
    return status;
}

/* ---- the command ------------------------------------------------------------------------------- */

/* Twice the largest cache, or 128 MiB where it is unknown. */
static enum ldsl_status make_flush(struct session *s)
{
    size_t cache = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
    long size = sysconf(_SC_LEVEL3_CACHE_SIZE);
    cache = size > 0 ? (size_t)size : 0;
#endif
    s->flush_bytes = cache && cache < ((size_t)256 << 20) ? 2 * cache : (size_t)128 << 20;
    enum ldsl_status status = ldsl_buffer_create(&s->flush, s->ops.context, s->flush_bytes);
    if (!status)
        status = fill_bits(s->flush, s->flush_bytes);
    return status ? status : flush(s);
}

static int bench_named(struct session *s, unsigned *named)
{
    *named = 0;
    for (unsigned i = 0; i < s->options->word_count; i++) {
        ldsl_op_info info;
        if (is_assignment(s->options->words[i]))
            continue;
        int status = find_operator(s->cli, s->ops.library, s->options->words[i], &info);
        if (!status && !info.bench_count && !s->options->shape)
            status = cli_error_help(s->cli, "give sizes with --shape",
                                    "operator '%s' has no bench clause", info.name);
        if (!status)
            status = bench_op(s, info.name);
        if (status)
            return status;
        ++*named;
    }
    return EXIT_DONE;
}

/* Every operator with a bench clause; one that fails does not keep the others from being measured. */
static int bench_all(struct session *s)
{
    int first = EXIT_DONE;
    bool any = false;
    for (uint32_t i = 0; i < ldsl_library_op_count(s->ops.library); i++) {
        ldsl_op_info info;
        const char *op = ldsl_library_op_name(s->ops.library, i);
        any = any || s->options->shape ||
              (ldsl_op_find(s->ops.library, op, &info) && info.bench_count);
        int status = bench_op(s, op);
        if (!first)
            first = status;
    }
    return any ? first : cli_error(s->cli, "no operator has a bench clause");
}

static int open_session(struct session *s)
{
    unsigned before = s->cli->errors;
    int opened = open_operators(s->cli, &s->options->device, &s->ops);
    if (opened)
        return opened;
    enum ldsl_status status = make_flush(s);
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
    return s->options->plot ? plot_write(s->cli, &s->plot, s->options->plot) : EXIT_DONE;
}

static int run(struct cli *cli, void *user)
{
    struct options *o = user;
    struct session s = {.cli = cli, .options = o, .rows = json_array()};
    unsigned named = 0;
    enum ldsl_dtype unused;
    int status = EXIT_DONE;
    if (o->dtype && !ldsl_dtype_parse(o->dtype, &unused))
        status = cli_usage(cli, "unknown element type '%s'", o->dtype);
    if (!status)
        status = open_session(&s);
    if (!status) {
        status = bench_named(&s, &named);
        if (!status && !named)
            status = bench_all(&s);
        int written = write_results(&s);
        if (!status)
            status = written;
    }
    if (!status && s.wrong)
        status = EXIT_WRONG;
    plot_destroy(&s.plot);
    json_decref(s.rows);
    ldsl_buffer_destroy(s.flush);
    references_close(&s.references);
    close_operators(&s.ops);
    free(o->words);
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
