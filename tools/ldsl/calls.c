#include "calls.h"
#include "value.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SHAPE = 16 };

void calls_add_shape(struct calls_options *o, const char *shape, struct argp_state *state)
{
    if (o->shape_count == CALLS_SHAPES)
        argp_error(state, "more than %d shapes", CALLS_SHAPES);
    else
        o->shapes[o->shape_count++] = shape;
}

int calls_check(struct cli *cli, const struct calls_options *o)
{
    enum ldsl_dtype unused;
    if (o->dtype && !ldsl_dtype_parse(o->dtype, &unused))
        return cli_usage(cli, "unknown element type '%s'", o->dtype);
    return EXIT_DONE;
}

/* ---- parameters -------------------------------------------------------------------------------- */

static bool is_assignment(const char *word)
{
    return strchr(word, '=') != NULL;
}

/* "casting=gemma", "offset=1.0", "w=none"; what is about no parameter of this operator is another's. */
static void assign(struct cli *cli, struct trial *t, const char *word)
{
    const char *equals = strchr(word, '='), *text = equals + 1;
    for (uint32_t i = 0; i < t->subject->info.param_count; i++) {
        const ldsl_op_param *p = &t->subject->params[i];
        struct trial_param *value = &t->params[i];
        if (strlen(p->name) != (size_t)(equals - word) ||
            strncmp(p->name, word, (size_t)(equals - word)) != 0)
            continue;
        if (p->kind == LDSL_KIND_TENSOR) {
            value->absent = p->optional && strcmp(text, "none") == 0;
            if (!value->absent)
                cli_error(cli, "'%s' is an optional tensor: say %s=none or nothing", p->name,
                          p->name);
            return;
        }
        value->given = true;
        value->word = text;
        bool is_number = value_read_number(&value->number, text, p->dtype);
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
            value->number = *text == 't';
        else if (p->kind == LDSL_KIND_SCALAR && !is_number)
            cli_error(cli, "'%s' of '%s' is not a number of %s", text, p->name,
                      ldsl_dtype_name(p->dtype));
        value->is_integer = !dtype_is_float(p->dtype);
        value->integer = (int64_t)value->number;
        return;
    }
}

bool calls_assign(struct cli *cli, const struct calls_options *o, struct trial *t)
{
    unsigned before = cli->errors;
    for (unsigned i = 0; i < o->words.count; i++)
        if (is_assignment(o->words.data[i]))
            assign(cli, t, o->words.data[i]);
    return cli->errors == before;
}

/* ---- types and shapes -------------------------------------------------------------------------- */

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

/* What the text leaves out is as in the first bench clause. */
static bool set_shape(struct cli *cli, struct trial *t, const char *text)
{
    struct dim_value dims[MAX_SHAPE];
    unsigned count;
    if (!parse_dims(cli, text, dims, MAX_SHAPE, &count))
        return false;
    (void)set_clause(t, 0);
    for (uint32_t d = 0; d < t->subject->dim_count; d++) {
        bool found = false;
        for (unsigned i = 0; i < count; i++)
            if (strcmp(dims[i].name, t->subject->dims[d]) == 0) {
                t->dims[d] = dims[i].value;
                found = true;
            }
        if (!found && !t->dims[d]) {
            cli_error(cli, "--shape gives no size for dim '%s' of '%s'", t->subject->dims[d],
                      t->subject->info.name);
            return false;
        }
    }
    return true;
}

void call_describe_shape(char *text, size_t size, const struct trial *t)
{
    size_t used = 0;
    *text = '\0';
    for (uint32_t d = 0; d < t->subject->dim_count && used < size; d++)
        used += (size_t)snprintf(text + used, size - used, "%s%s=%lld", d ? "," : "",
                                 t->subject->dims[d], (long long)t->dims[d]);
}

/* ---- memory ------------------------------------------------------------------------------------ */

size_t host_memory_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (size_t)pages * (size_t)size : SIZE_MAX;
}

size_t call_tensor_bytes(const struct trial *t)
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

bool call_fits(struct cli *cli, const struct operators *ops, const struct trial *t)
{
    char shape[128];
    if (call_tensor_bytes(t) <= host_memory_bytes() / 3 ||
        strcmp(ldsl_context_device(ops->context), "cpu") != 0)
        return true;
    call_describe_shape(shape, sizeof shape, t);
    cli_warning(cli, "%s %s is skipped: its tensors are too large for this machine's memory",
                t->subject->info.name, shape);
    return false;
}

/* ---- every call -------------------------------------------------------------------------------- */

struct walk {
    struct cli *cli;
    const struct operators *ops;
    const struct calls_options *options;
    call_visit *visit;
    void *user;
};

/* Shape number `shape`: of --shape, or else of the bench clauses. */
static int visit_dtype(struct walk *w, const struct subject *subject, enum ldsl_dtype dtype,
                       uint32_t shape)
{
    const struct calls_options *o = w->options;
    struct trial t;
    int status = EXIT_DONE;
    if (!trial_create(&t, subject))
        return cli_error(w->cli, "out of memory");
    t.with = o->with;
    bool has_shape =
        o->shape_count ? set_shape(w->cli, &t, o->shapes[shape]) : set_clause(&t, shape);
    if (!has_shape && o->shape_count)
        status = EXIT_WRONG;
    else if (has_shape && set_type(&t, dtype))
        status = calls_assign(w->cli, o, &t) ? w->visit(w->user, &t, dtype) : EXIT_WRONG;
    else if (has_shape && o->dtype)
        cli_warning(w->cli, "%s is skipped: it takes no %s", subject->info.name,
                    ldsl_dtype_name(dtype));
    trial_destroy(&t);
    return status;
}

/* The type of the first tensor: what an operator without generics is for. */
static enum ldsl_dtype own_type(const struct subject *s)
{
    for (uint32_t i = 0; i < s->info.param_count; i++)
        if (s->params[i].kind == LDSL_KIND_TENSOR)
            return (enum ldsl_dtype)s->params[i].dtype;
    return LDSL_F32;
}

/* The element types to visit; 0: none that was asked for. */
static unsigned choose_types(const struct walk *w, const struct subject *s,
                             enum ldsl_dtype types[2])
{
    types[0] = s->generic_count ? LDSL_BF16 : own_type(s);
    types[1] = LDSL_F32;
    enum ldsl_dtype own = types[0];
    if (w->options->dtype)
        (void)ldsl_dtype_parse(w->options->dtype, &types[0]); /* calls_check has tested it */
    if (s->generic_count || types[0] == own)
        return s->generic_count && !w->options->dtype ? 2 : 1;
    cli_warning(w->cli, "%s is skipped: it takes no %s", s->info.name, w->options->dtype);
    return 0;
}

static int visit_op(struct walk *w, const char *op)
{
    const struct calls_options *o = w->options;
    struct subject subject;
    enum ldsl_dtype types[2];
    int status = EXIT_DONE;
    if (!subject_create(&subject, w->ops->library, op))
        return cli_error(w->cli, "operator '%s' has more parameters than can be held", op);
    unsigned count = choose_types(w, &subject, types);
    uint32_t shapes = o->shape_count   ? o->shape_count
                      : o->every_shape ? subject.info.bench_count
                                       : subject.info.bench_count > 0;
    for (uint32_t s = 0; !status && s < shapes; s++)
        for (unsigned k = 0; !status && k < count; k++)
            status = visit_dtype(w, &subject, types[k], s);
    subject_destroy(&subject);
    return status;
}

static int visit_named(struct walk *w, unsigned *named)
{
    *named = 0;
    for (unsigned i = 0; i < w->options->words.count; i++) {
        ldsl_op_info info;
        if (is_assignment(w->options->words.data[i]))
            continue;
        (void)ldsl_op_find(w->ops->library, w->options->words.data[i], &info); /* it is there */
        int status = EXIT_DONE;
        if (!info.bench_count && !w->options->shape_count)
            status = cli_error_help(w->cli, "give sizes with --shape",
                                    "operator '%s' has no bench clause", info.name);
        if (!status)
            status = visit_op(w, info.name);
        if (status)
            return status;
        ++*named;
    }
    return EXIT_DONE;
}

/* Every operator with a bench clause, or all with --shape; references only by name. */
static int visit_all(struct walk *w)
{
    int first = EXIT_DONE;
    bool any = false;
    for (uint32_t i = 0; i < ldsl_library_op_count(w->ops->library); i++) {
        ldsl_op_info info;
        const char *op = ldsl_library_op_name(w->ops->library, i);
        if (is_reference(w->ops->library, op))
            continue;
        any = any || w->options->shape_count ||
              (ldsl_op_find(w->ops->library, op, &info) && info.bench_count);
        int status = visit_op(w, op);
        if (!first)
            first = status;
    }
    return any ? first : cli_error(w->cli, "no operator has a bench clause");
}

/* ---- names that nothing has -------------------------------------------------------------------- */

typedef bool has_name(const struct subject *s, const char *name);

static bool has_dim(const struct subject *s, const char *name)
{
    return subject_find_dim(s, name) != UINT32_MAX;
}

static bool has_param(const struct subject *s, const char *name)
{
    return subject_find(s, name) != NULL;
}

static bool op_has(const struct walk *w, const char *op, has_name *has, const char *name)
{
    struct subject subject;
    bool found = subject_create(&subject, w->ops->library, op) && has(&subject, name);
    subject_destroy(&subject);
    return found;
}

/* Whether one of the operators that are meant has it. *only: the operator, if there is just one. */
static bool any_has(const struct walk *w, has_name *has, const char *name, const char **only)
{
    unsigned named = 0;
    *only = NULL;
    for (unsigned i = 0; i < w->options->words.count; i++) {
        if (is_assignment(w->options->words.data[i]))
            continue;
        if (op_has(w, w->options->words.data[i], has, name))
            return true;
        *only = named++ ? NULL : w->options->words.data[i];
    }
    for (uint32_t i = 0; !named && i < ldsl_library_op_count(w->ops->library); i++)
        if (op_has(w, ldsl_library_op_name(w->ops->library, i), has, name))
            return true;
    return false;
}

/* The operators that are named. */
static int check_operators(const struct walk *w)
{
    int status = EXIT_DONE;
    for (unsigned i = 0; !status && i < w->options->words.count; i++) {
        ldsl_op_info unused;
        if (!is_assignment(w->options->words.data[i]))
            status = find_operator(w->cli, w->ops->library, w->options->words.data[i], &unused);
    }
    return status;
}

static void list_dims(char *text, size_t size, const struct walk *w, const char *op)
{
    struct subject s;
    size_t used = 0;
    *text = '\0';
    if (op && subject_create(&s, w->ops->library, op)) {
        used = (size_t)snprintf(text, size, "the dims of '%s' are", op);
        for (uint32_t d = 0; d < s.dim_count && used < size; d++)
            used += (size_t)snprintf(text + used, size - used, "%s %s", d ? "," : "", s.dims[d]);
        subject_destroy(&s);
    }
}

static void check_dims(const struct walk *w, const char *text)
{
    struct dim_value dims[MAX_SHAPE];
    unsigned count;
    if (!parse_dims(w->cli, text, dims, MAX_SHAPE, &count))
        return;
    for (unsigned i = 0; i < count; i++) {
        char help[512];
        const char *op;
        if (any_has(w, has_dim, dims[i].name, &op))
            continue;
        list_dims(help, sizeof help, w, op);
        if (op)
            cli_error_help(w->cli, help, "%s has no dim '%s'", op, dims[i].name);
        else
            cli_error(w->cli, "none of the operators has dim '%s'", dims[i].name);
    }
}

static void check_assignment(const struct walk *w, const char *word)
{
    char name[64];
    const char *op;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    if (!any_has(w, has_param, name, &op))
        cli_error(w->cli, "%s has %sparameter '%s'", op ? op : "none of the operators",
                  op ? "no " : "", name);
}

/* What is said of dims and parameters concerns some operator. False after reporting. */
static bool check_names(const struct walk *w)
{
    unsigned before = w->cli->errors;
    for (unsigned i = 0; i < w->options->shape_count; i++)
        check_dims(w, w->options->shapes[i]);
    for (unsigned i = 0; i < w->options->words.count; i++)
        if (is_assignment(w->options->words.data[i]))
            check_assignment(w, w->options->words.data[i]);
    return w->cli->errors == before;
}

int calls_each(struct cli *cli, const struct operators *ops, const struct calls_options *o,
               call_visit *visit, void *user)
{
    struct walk w = {.cli = cli, .ops = ops, .options = o, .visit = visit, .user = user};
    unsigned named = 0;
    int status = check_operators(&w);
    if (!status && !check_names(&w))
        status = EXIT_WRONG;
    if (!status)
        status = visit_named(&w, &named);
    return status || named ? status : visit_all(&w);
}
