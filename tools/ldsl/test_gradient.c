/* Gradients against finite differences of the forward's reference. */
#include "test.h"

#include "cases.h"
#include "gradient.h"

#include <string.h>

struct gradient_name {
    struct test_session *session;
    struct test_tally *tally;
    const char *name;
};

static void report_gradient(void *user, const struct gradient_row *g)
{
    struct gradient_name *n = user;
    char name[460], why[128];
    snprintf(name, sizeof name, "gradient of %s: %s", g->input, n->name);
    snprintf(why, sizeof why, "differs from finite differences by %.3g, allowed %.3g", g->error,
             g->allowed);
    test_row(n->session, n->tally, name, g->passed, g->error, g->allowed, why);
}

static void run_gradient(struct test_session *s, struct test_tally *tally, struct trial *t)
{
    char name[400];
    enum ldsl_status status;
    struct tensor_error error = {.text = ""};
    bool good = test_make_acceptable(s, t, &status);
    cases_describe(name, sizeof name, t, STYLE_SAMPLE);
    if (!good || (s->options->only && !strstr("gradient", s->options->only) &&
                  !strstr(name, s->options->only)))
        return;
    cli_progress(s->cli, "%s: gradient, %s", tally->op, name);
    struct gradient_name user = {.session = s, .tally = tally, .name = name};
    s->ear.muted = true;
    if (!trial_fill(t, STYLE_SAMPLE, s->options->seed, &error) ||
        !gradient_check(&s->references, t, report_gradient, &user, &error))
        test_row(s, tally, name, false, 0, 0, error.text);
    s->ear.muted = false;
}

void test_gradient(struct test_session *s, struct test_tally *tally, const struct subject *subject)
{
    struct cases cases;
    if (!cases_create(&cases, subject, NULL, 0, CASES_GRADIENT))
        return;
    for (size_t i = 0; i < cases.cover.count; i++) {
        struct trial t;
        enum style style;
        if (!trial_create(&t, subject))
            break;
        for (uint32_t g = 0; g < subject->generic_count; g++)
            for (uint32_t k = 0; k < subject->generics[g].count; k++)
                if (subject->generics[g].dtypes[k] == LDSL_F32)
                    t.types[g] = LDSL_F32; /* inputs that f32 can hold; computed in f64 */
        cases_apply(&t, &style, &cases, i);
        run_gradient(s, tally, &t);
        trial_destroy(&t);
    }
    cases_destroy(&cases);
}
