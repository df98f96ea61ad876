/* Which passes there are and in which order they run, and the one runner. Nothing else orders
 * passes. */
#include "pass/internal.h"

#include <time.h>

/* clang-format off */
static const struct pass passes[] = {
    {"canon", pass_canon, "one spelling for each idea: constants fold and stand right, identities and dead branches go"},
    {"cse",   pass_cse,   "the same op on the same operands is computed once; loads too, if nothing wrote in between"},
    {"mem",   pass_mem,   "a load of what was just stored takes the value; scalar loads that no round changes leave loops"},
    {"licm",  pass_licm,  "what is the same in every round is computed before the loop"},
    {"dce",   pass_dce,   "what nobody can observe goes, carried values of loops too"},
    {"defer", pass_defer, "sums that a loop adds to are finished after it (GPUs)"},
    {"parts", pass_parts, "picks the number of parts of each partition from the target's vector width or threads"},
};

/* By name; a pass may run more than once. */
static const char *const order[] = {"canon", "cse", "mem", "licm", "canon", "cse", "dce", "defer", "parts"};
/* clang-format on */

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof *(array)))

const struct pass *pass_table(uint32_t *count)
{
    *count = COUNT(passes);
    return passes;
}

static const struct pass *find_pass(const char *name, size_t length)
{
    for (uint32_t i = 0; i < COUNT(passes); i++)
        if (strlen(passes[i].name) == length && memcmp(passes[i].name, name, length) == 0)
            return &passes[i];
    return NULL;
}

static bool unknown_pass(struct session *s, const char *name)
{
    const char *names[COUNT(passes)];
    for (uint32_t i = 0; i < COUNT(passes); i++)
        names[i] = passes[i].name;
    diag_error(s, (struct span){0}, DIAG_PASS_NAME, "there is no pass '%s'", name);
    const char *near = nearest_name(name, names, COUNT(passes));
    if (near)
        diag_help(s, "did you mean %s?", near);
    return false;
}

struct pass_list {
    VEC(const struct pass *) passes;
};

/* "canon,cse" */
static bool parse_passes(struct session *s, const char *text, struct pass_list *out)
{
    while (*text) {
        size_t length = strcspn(text, ",");
        const struct pass *pass = find_pass(text, length);
        if (!pass)
            return unknown_pass(s, arena_copy_text(&s->module, text, length));
        vec_push(&s->module, &out->passes, pass);
        text += length + (text[length] == ',');
    }
    return true;
}

static bool choose_passes(struct session *s, const struct pass_options *options,
                          struct pass_list *out)
{
    if (options->stop_after && !find_pass(options->stop_after, strlen(options->stop_after)))
        return unknown_pass(s, options->stop_after);
    if (options->passes)
        return parse_passes(s, options->passes, out);
    for (uint32_t i = 0; i < COUNT(order); i++)
        vec_push(&s->module, &out->passes, find_pass(order[i], strlen(order[i])));
    return true;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void dump(const struct pass_options *options, const char *name, bool changed,
                 const struct ir_func *f)
{
    if (options->dump)
        options->dump(options->user, name, changed, f);
}

static void run_one(struct session *s, struct ir_func *f, const struct pass_options *options,
                    const struct pass *pass)
{
    struct pass_ctx ctx = {s, options->facts};
    const char *why;
    double start = now();
    bool changed = pass->run(&ctx, f);
    double seconds = now() - start;
    arena_reset(&s->scratch);
    dump(options, pass->name, changed, f);
    if (options->time)
        options->time(options->user, pass->name, seconds);
    if (!ir_verify(f, &why))
        diag_bug(s, f->at, "after pass %s: %s", pass->name, why);
}

bool pass_run(struct session *s, struct ir_func *f, const struct pass_options *options)
{
    struct pass_list list = {0};
    if (!choose_passes(s, options, &list))
        return false;
    dump(options, NULL, false, f);
    for (uint32_t i = 0; i < list.passes.count; i++) {
        run_one(s, f, options, list.passes.data[i]);
        if (options->stop_after && strcmp(list.passes.data[i]->name, options->stop_after) == 0)
            break;
    }
    return true;
}
