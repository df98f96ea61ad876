#include "verify.h"

#include "cases.h"

#include <string.h>

static void fail(struct outcome *out, const char *why)
{
    *out = (struct outcome){.passed = false};
    snprintf(out->why, sizeof out->why, "%s", *why ? why : "it failed without saying why");
}

static bool is_closer(const struct verdict *a, const struct outcome *b)
{
    return !a->passed || a->error * b->allowed >= b->error * a->allowed;
}

void verify_results(struct outcome *out, const struct trial *t, struct answers *answers)
{
    *out = (struct outcome){.passed = true};
    for (uint32_t i = 0; out->passed && i < t->subject->info.param_count; i++) {
        const ldsl_op_param *p = &t->subject->params[i];
        struct expected expected;
        struct verdict verdict;
        if (p->kind != LDSL_KIND_TENSOR || p->role == LDSL_PARAM_INPUT || t->params[i].absent)
            continue;
        if (!answers_find(&expected, answers, t, i)) {
            fail(out, "the reference gives no such result");
            return;
        }
        check_tensor(&verdict, &t->params[i].after, &expected);
        if (!is_closer(&verdict, out))
            continue;
        out->passed = verdict.passed;
        out->error = verdict.error;
        out->allowed = verdict.allowed;
        if (!verdict.passed)
            snprintf(out->why, sizeof out->why, "%s%s", p->name, verdict.why);
    }
}

void verify_trial(struct outcome *out, struct trial *t, enum style style, uint64_t seed,
                  const struct operators *ops, const struct references *references)
{
    struct tensor_error error = {.text = ""};
    struct answers answers = {.biased = {{0}}};
    if (!trial_fill(t, style, seed, &error))
        fail(out, error.text);
    else if (trial_run(t, ops->context, ops->library, &error))
        fail(out, ldsl_last_error());
    else if (*error.text)
        fail(out, error.text);
    else if (!answers_create(&answers, references, t, &error))
        fail(out, error.text);
    else
        verify_results(out, t, &answers);
    answers_destroy(&answers);
}

bool verify_fewer(struct outcome *out, char *name, size_t size, const struct trial *model,
                  size_t most_elements, const struct operators *ops,
                  const struct references *references)
{
    struct cases cases;
    struct trial t;
    *out = (struct outcome){.why = "out of memory"};
    if (!cases_create(&cases, model->subject, NULL, 0, CASES_GRADIENT))
        return false;
    cases.most_elements = most_elements;
    bool made = trial_create(&t, model->subject);
    if (made) {
        memcpy(t.types, model->types, sizeof t.types);
        memcpy(t.dims, model->dims, sizeof t.dims);
        memcpy(t.params, model->params, model->subject->info.param_count * sizeof *t.params);
        t.with = model->with;
        cases_shrink(&t, &cases);
        verify_trial(out, &t, STYLE_SAMPLE, 1, ops, references);
        cases_describe(name, size, &t, STYLE_SAMPLE);
    }
    trial_destroy(&t);
    cases_destroy(&cases);
    return out->passed;
}
