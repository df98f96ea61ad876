/* For a scalar L = sum over the outputs of (upstream gradient * output) and a direction v in one input,
 *
 *     (L(x + h v) - L(x - h v)) / 2h  =  <dL/dx, v> + O(h^2)
 *
 * Two steps h, extrapolated (Richardson), leave O(h^4): with h = 2^-9 about 1e-11 of what f64 holds.
 * The step pair that changes the answer least is taken, as the best h depends on the function. */
#include "gradient.h"

#include "random.h"

#include <math.h>
#include <string.h>

enum { DIRECTIONS = 3, STEPS = 5 };
static const double tolerance =
    1e-6; /* of the products' norms: far above 1e-11, far below a mistake */

struct check {
    const struct references *references;
    struct subject forward, backward; /* both references */
    struct trial base;                /* the forward at x, with its outputs */
    struct trial gradient;            /* the backward there */
    struct tensor_error *error;
};

static bool run(struct check *c, struct trial *t)
{
    const struct operators *ops = &c->references->biased[BIAS_NONE];
    struct tensor_error wrong;
    enum ldsl_status status = trial_run(t, ops->context, ops->library, &wrong);
    if (status || *wrong.text)
        return tensor_fail(c->error, "'%s': %.200s", t->subject->info.name,
                           status ? ldsl_last_error() : wrong.text);
    return true;
}

static uint32_t find_param(const struct subject *s, const char *name)
{
    const ldsl_op_param *p = subject_find(s, name);
    return p ? (uint32_t)(p - s->params) : UINT32_MAX;
}

static bool is_result(const ldsl_op_param *p)
{
    return p->kind == LDSL_KIND_TENSOR && p->role != LDSL_PARAM_INPUT;
}

/* The forward result whose upstream gradient the backward's parameter is, or UINT32_MAX. */
static uint32_t upstream_of(const struct check *c, const ldsl_op_param *p)
{
    if (p->kind != LDSL_KIND_TENSOR || p->role == LDSL_PARAM_OUTPUT || p->name[0] != 'd')
        return UINT32_MAX;
    uint32_t i = find_param(&c->forward, p->name + 1);
    return i != UINT32_MAX && is_result(&c->forward.params[i]) ? i : UINT32_MAX;
}

/* ---- the backward's arguments ------------------------------------------------------------------ */

static bool give_upstream(struct check *c, struct trial_param *to, uint32_t forward,
                          const ldsl_op_param *p)
{
    const struct tensor *result = &c->base.params[forward].after;
    to->absent = c->base.params[forward].absent;
    if (to->absent)
        return true;
    if (!tensor_create(&to->before, LDSL_F64, result->rank, result->shape, c->error))
        return false;
    tensor_fill_normal(&to->before, 0.0, 1.0, random_seed(7, p->name));
    return p->role != LDSL_PARAM_MUT || tensor_widen(&to->after, result, c->error);
}

static bool give_value(struct check *c, struct trial_param *to, const ldsl_op_param *p)
{
    uint32_t i = find_param(&c->forward, p->name);
    if (i == UINT32_MAX)
        return p->has_default ||
               tensor_fail(c->error, "gradient '%s' wants '%s', which is nothing of '%s'",
                           c->backward.info.name, p->name, c->forward.info.name);
    const struct trial_param *from = &c->base.params[i];
    *to = (struct trial_param){.absent = from->absent,
                               .given = from->given,
                               .is_integer = from->is_integer,
                               .number = from->number,
                               .integer = from->integer,
                               .word = from->word};
    if (p->kind != LDSL_KIND_TENSOR || from->absent)
        return true;
    const struct tensor *value =
        c->forward.params[i].role == LDSL_PARAM_OUTPUT ? &from->after : &from->before;
    return tensor_widen(&to->before, value, c->error) &&
           (p->role != LDSL_PARAM_MUT || tensor_widen(&to->after, value, c->error));
}

static bool make_result(struct check *c, struct trial_param *to, const ldsl_op_param *p)
{
    uint32_t i = p->name[0] == 'd' ? find_param(&c->forward, p->name + 1) : UINT32_MAX;
    if (i == UINT32_MAX)
        return (to->absent = p->optional) ||
               tensor_fail(c->error, "result '%s' of gradient '%s' is of no input of '%s'", p->name,
                           c->backward.info.name, c->forward.info.name);
    to->absent = c->base.params[i].absent;
    return to->absent || tensor_widen(&to->after, &c->base.params[i].before, c->error);
}

static bool make_gradient(struct check *c)
{
    if (!trial_create(&c->gradient, &c->backward))
        return tensor_fail(c->error, "out of memory");
    c->gradient.once = true;
    for (uint32_t g = 0; g < c->backward.generic_count; g++)
        c->gradient.types[g] = LDSL_F64;
    for (uint32_t d = 0; d < c->backward.dim_count; d++) {
        uint32_t same = subject_find_dim(&c->forward, c->backward.dims[d]);
        if (same == UINT32_MAX)
            return tensor_fail(c->error, "gradient '%s' has a dim '%s' that '%s' has not",
                               c->backward.info.name, c->backward.dims[d], c->forward.info.name);
        c->gradient.dims[d] = c->base.dims[same];
    }
    for (uint32_t i = 0; i < c->backward.info.param_count; i++) {
        const ldsl_op_param *p = &c->backward.params[i];
        struct trial_param *to = &c->gradient.params[i];
        uint32_t upstream = upstream_of(c, p);
        bool good = upstream != UINT32_MAX         ? give_upstream(c, to, upstream, p)
                    : p->role == LDSL_PARAM_OUTPUT ? make_result(c, to, p)
                                                   : give_value(c, to, p);
        if (!good)
            return false;
    }
    return run(c, &c->gradient);
}

/* ---- differences ------------------------------------------------------------------------------- */

/* L at x + h v: v is a direction in input `input`. */
static bool loss_at(double *loss, struct check *c, uint32_t input, const struct tensor *v, double h)
{
    struct trial t;
    bool good = reference_trial(&t, &c->forward, &c->base, true, c->error);
    for (size_t k = 0; good && k < v->count; k++)
        tensor_set(&t.params[input].before, k,
                   tensor_get(&t.params[input].before, k) + h * tensor_get(v, k));
    good = good && run(c, &t);
    *loss = 0;
    for (uint32_t i = 0; good && i < c->backward.info.param_count; i++) {
        uint32_t result = upstream_of(c, &c->backward.params[i]);
        if (result == UINT32_MAX || c->gradient.params[i].absent)
            continue;
        const struct tensor *up = &c->gradient.params[i].before;
        for (size_t k = 0; k < up->count; k++)
            *loss += tensor_get(up, k) * tensor_get(&t.params[result].after, k);
    }
    trial_destroy(&t);
    return good;
}

static bool central(double *slope, struct check *c, uint32_t input, const struct tensor *v,
                    double h)
{
    double above, below;
    if (!loss_at(&above, c, input, v, h) || !loss_at(&below, c, input, v, -h))
        return false;
    *slope = (above - below) / (2 * h);
    return true;
}

/* Extrapolates pairs of steps; the pair whose answer moves least from the one before is taken. */
static bool derivative(double *best, struct check *c, uint32_t input, const struct tensor *v)
{
    double slopes[STEPS], before = 0, least = INFINITY;
    for (int k = 0; k < STEPS; k++)
        if (!central(&slopes[k], c, input, v, ldexp(1.0, -5 - 2 * k)))
            return false;
    for (int k = 1; k < STEPS; k++) {
        double extrapolated = (16 * slopes[k] - slopes[k - 1]) / 15; /* steps differ by 4 */
        if (k == 1 || fabs(extrapolated - before) < least) {
            least = k == 1 ? INFINITY : fabs(extrapolated - before);
            *best = extrapolated;
        }
        before = extrapolated;
    }
    return true;
}

static double product(const struct tensor *a, const struct tensor *b, double *norms)
{
    double sum = 0, aa = 0, bb = 0;
    for (size_t k = 0; k < a->count; k++) {
        double x = tensor_get(a, k), y = tensor_get(b, k);
        sum += x * y;
        aa += x * x;
        bb += y * y;
    }
    *norms = sqrt(aa) * sqrt(bb);
    return sum;
}

/* Compares in several directions; the row is the worst of them. */
static bool check_input(struct gradient_row *row, struct check *c, uint32_t input,
                        const struct tensor *gradient)
{
    *row = (struct gradient_row){.input = c->forward.params[input].name, .passed = true};
    for (unsigned d = 0; d < DIRECTIONS; d++) {
        struct tensor v = {0};
        double numeric = 0, norms = 0;
        bool good = tensor_create(&v, LDSL_F64, gradient->rank, gradient->shape, c->error);
        if (good)
            tensor_fill_normal(&v, 0.0, 1.0, random_seed(100 + d, row->input));
        good = good && derivative(&numeric, c, input, &v);
        double analytic = good ? product(gradient, &v, &norms) : 0;
        tensor_destroy(&v);
        if (!good)
            return false;
        double error = fabs(numeric - analytic), allowed = tolerance * (norms + fabs(numeric));
        bool passed = error <= allowed || error < 1e-12; /* false for NaN */
        if (d == 0 || !passed || error * row->allowed > row->error * allowed) {
            row->error = error;
            row->allowed = allowed;
        }
        row->passed = row->passed && passed;
        if (!passed)
            break;
    }
    return true;
}

static bool check_all(struct check *c, void (*report)(void *user, const struct gradient_row *row),
                      void *user)
{
    unsigned compared = 0;
    for (uint32_t i = 0; i < c->backward.info.param_count; i++) {
        const ldsl_op_param *p = &c->backward.params[i];
        const struct trial_param *value = &c->gradient.params[i];
        if (!is_result(p) || value->absent || value->after.dtype != LDSL_F64 || p->name[0] != 'd')
            continue;
        uint32_t input = find_param(&c->forward, p->name + 1);
        struct gradient_row row;
        if (!check_input(&row, c, input, &value->after))
            return false;
        report(user, &row);
        compared++;
    }
    return compared ||
           tensor_fail(c->error, "gradient '%s' has no result that is a gradient of an input",
                       c->backward.info.name);
}

bool gradient_check(const struct references *r, const struct trial *t,
                    void (*report)(void *user, const struct gradient_row *row), void *user,
                    struct tensor_error *error)
{
    const ldsl_library *library = r->biased[BIAS_NONE].library;
    struct check c = {.references = r, .error = error};
    ldsl_op_info gradient;
    bool good = false;
    if (!ldsl_op_find(library, t->subject->info.grad, &gradient) || !gradient.ref)
        tensor_fail(error, "gradient '%s' is not there or has no reference", t->subject->info.grad);
    else if (!subject_create(&c.forward, library, t->subject->info.ref) ||
             !subject_create(&c.backward, library, gradient.ref))
        tensor_fail(error, "reference '%s' or '%s' is not there", t->subject->info.ref,
                    gradient.ref);
    else
        good = reference_trial(&c.base, &c.forward, t, true, error) && run(&c, &c.base) &&
               make_gradient(&c) && check_all(&c, report, user);
    trial_destroy(&c.base);
    trial_destroy(&c.gradient);
    subject_destroy(&c.forward);
    subject_destroy(&c.backward);
    return good;
}
