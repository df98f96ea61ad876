/* Model-sized calls: ldsl test --large, --shape. */
#include "test.h"

#include "cases.h"
#include "model.h"

#include <inttypes.h>
#include <string.h>

struct walk {
    struct test_session *s;
    struct test_tally tally; /* of the operator whose calls come; op NULL: none yet */
};

static void end_operator(struct walk *w)
{
    if (w->tally.op)
        test_end(w->s, &w->tally);
    w->tally = (struct test_tally){0};
}

static void name_case(char *name, size_t size, const struct trial *t, const struct coverage *c)
{
    cases_describe(name, size, t, STYLE_SAMPLE);
    size_t used = strlen(name);
    if (c->of)
        snprintf(name + used, size - used, " (%" PRId64 " of %s=%" PRId64 ")", c->rows, c->dim,
                 c->of);
    else
        snprintf(name + used, size - used, "%s", c->fewer ? " (with fewer rows)" : "");
}

static int test_call(void *user, struct trial *t, enum ldsl_dtype dtype)
{
    struct walk *w = user;
    struct test_session *s = w->s;
    struct outcome outcome;
    struct coverage coverage = {0};
    char name[460];
    (void)dtype;
    if (!t->subject->info.ref)
        return EXIT_DONE;
    name_case(name, sizeof name, t, &coverage);
    if (s->options->only && !strstr(name, s->options->only))
        return EXIT_DONE;
    if (!w->tally.op || strcmp(w->tally.op, t->subject->info.name) != 0) {
        end_operator(w);
        test_begin(&w->tally, t->subject->info.name);
    }
    if (!call_fits(s->cli, &s->ops, t))
        return EXIT_DONE;
    cli_progress(s->cli, "%s: %s", w->tally.op, name);
    s->ear.muted = true;
    verify_model(&outcome, &coverage, t, s->options->seed, s->cli, &s->ops, &s->references);
    name_case(name, sizeof name, t, &coverage);
    test_row(s, &w->tally, name, outcome.passed, outcome.error, outcome.allowed, outcome.why);
    s->ear.muted = false;
    return EXIT_DONE;
}

int test_models(struct test_session *s)
{
    struct walk w = {.s = s};
    struct calls_options calls = s->options->calls;
    calls.words = s->options->ops;
    calls.with = s->options->with;
    calls.every_shape = true;
    int status = calls_check(s->cli, &calls);
    if (!status)
        status = calls_each(s->cli, &s->ops, &calls, test_call, &w);
    end_operator(&w);
    return status;
}
