/* The evaluator of host expressions. Integers are checked for overflow: a dim that wrapped would
 * become a wrong address later. */
#include "host.h"

#include <math.h>
#include <string.h>

static enum rt_eval fault_at(const struct ldsl_module_node *node, struct rt_fault *fault,
                             enum rt_eval kind, const char *why)
{
    if (fault)
        *fault = (struct rt_fault){.why = why, .line = node->line};
    return kind;
}

static double as_float(struct rt_value v)
{
    return v.is_float ? v.f : (double)v.i;
}

static bool is_true(struct rt_value v)
{
    return v.is_float ? v.f != 0 : v.i != 0;
}

/* ---- the ladder of fit --------------------------------------------------------------------------
 */

int64_t rt_fit_rung(uint32_t i)
{
    uint32_t octave = i / 4;
    if (octave > 12 || (octave == 12 && i % 4))
        return 0;
    return (int64_t)(LDSL_FIT_MIN / 4) * (4 + i % 4) << octave;
}

int64_t rt_fit_cover(int64_t extent)
{
    for (uint32_t i = 0;; i++) {
        int64_t cover = rt_fit_rung(i);
        if (!cover || cover >= extent)
            return cover;
    }
}

/* The class a tuning record is filed under: the power of two at or above. */
int64_t rt_bucket(int64_t v)
{
    int64_t class = 1;
    while (class < v && class <= INT64_MAX / 2)
        class *= 2;
    return v <= 0 ? 0 : class;
}

/* ---- integers ----------------------------------------------------------------------------------
 */

static bool add_int(int64_t a, int64_t b, int64_t *out)
{
    if (b > 0 ? a > INT64_MAX - b : a < INT64_MIN - b)
        return false;
    *out = a + b;
    return true;
}

static bool multiply_int(int64_t a, int64_t b, int64_t *out)
{
    *out = 0;
    if (a == 0 || b == 0)
        return true;
    if ((a == -1 && b == INT64_MIN) || (b == -1 && a == INT64_MIN))
        return false;
    if (a > 0 ? (b > 0 ? a > INT64_MAX / b : b < INT64_MIN / a)
              : (b > 0 ? a < INT64_MIN / b : b < INT64_MAX / a))
        return false;
    *out = a * b;
    return true;
}

static const char *divide_int(enum ldsl_host_op op, int64_t a, int64_t b, int64_t *out)
{
    if (b == 0)
        return "division by zero";
    if (a == INT64_MIN && b == -1)
        return "integer overflow";
    if (op == LDSL_HOST_REM)
        *out = a % b;
    else if (op == LDSL_HOST_CDIV)
        *out = a / b + (a % b != 0 && (a % b > 0) == (b > 0));
    else
        *out = a / b;
    return NULL;
}

static const char *shift_int(enum ldsl_host_op op, int64_t a, int64_t b, int64_t *out)
{
    if (b < 0 || b > 63)
        return "shift by a negative amount or by more than 63";
    if (op == LDSL_HOST_SHR)
        *out = a >= 0 ? a >> b : ~(~a >> b);
    else if (b > 62)
        return a ? "integer overflow" : (*out = 0, NULL);
    else if (!multiply_int(a, INT64_C(1) << b, out))
        return "integer overflow";
    return NULL;
}

/* NULL, or what went wrong. */
static const char *binary_int(enum ldsl_host_op op, int64_t a, int64_t b, int64_t *out)
{
    switch ((int)op) {
    case LDSL_HOST_ADD: return add_int(a, b, out) ? NULL : "integer overflow";
    case LDSL_HOST_SUB:
        if (b == INT64_MIN)
            return "integer overflow";
        return add_int(a, -b, out) ? NULL : "integer overflow";
    case LDSL_HOST_MUL: return multiply_int(a, b, out) ? NULL : "integer overflow";
    case LDSL_HOST_DIV:
    case LDSL_HOST_REM:
    case LDSL_HOST_CDIV: return divide_int(op, a, b, out);
    case LDSL_HOST_SHL:
    case LDSL_HOST_SHR: return shift_int(op, a, b, out);
    case LDSL_HOST_LT: *out = a < b; return NULL;
    case LDSL_HOST_GT: *out = a > b; return NULL;
    case LDSL_HOST_LE: *out = a <= b; return NULL;
    case LDSL_HOST_GE: *out = a >= b; return NULL;
    case LDSL_HOST_EQ: *out = a == b; return NULL;
    case LDSL_HOST_NE: *out = a != b; return NULL;
    case LDSL_HOST_BIT_AND: *out = a & b; return NULL;
    case LDSL_HOST_BIT_OR: *out = a | b; return NULL;
    case LDSL_HOST_BIT_XOR: *out = a ^ b; return NULL;
    case LDSL_HOST_MIN: *out = a < b ? a : b; return NULL;
    case LDSL_HOST_MAX: *out = a > b ? a : b; return NULL;
    default: return "an operation that integers do not have";
    }
}

/* ---- floats ------------------------------------------------------------------------------------
 */

static const char *binary_float(enum ldsl_host_op op, double a, double b, struct rt_value *out)
{
    bool nan = isnan(a) || isnan(b);
    switch ((int)op) {
    case LDSL_HOST_ADD: *out = rt_value_float(a + b); return NULL;
    case LDSL_HOST_SUB: *out = rt_value_float(a - b); return NULL;
    case LDSL_HOST_MUL: *out = rt_value_float(a * b); return NULL;
    case LDSL_HOST_DIV: *out = rt_value_float(a / b); return NULL;
    case LDSL_HOST_POW: *out = rt_value_float(pow(a, b)); return NULL;
    case LDSL_HOST_MIN: *out = rt_value_float(nan ? NAN : a < b ? a : b); return NULL;
    case LDSL_HOST_MAX: *out = rt_value_float(nan ? NAN : a > b ? a : b); return NULL;
    case LDSL_HOST_LT: *out = rt_value_int(a < b); return NULL;
    case LDSL_HOST_GT: *out = rt_value_int(a > b); return NULL;
    case LDSL_HOST_LE: *out = rt_value_int(a <= b); return NULL;
    case LDSL_HOST_GE: *out = rt_value_int(a >= b); return NULL;
    case LDSL_HOST_EQ: *out = rt_value_int(a == b); return NULL;
    case LDSL_HOST_NE: *out = rt_value_int(a != b); return NULL;
    default: return "an operation that floats do not have";
    }
}

static double unary_float(enum ldsl_host_op op, double x)
{
    switch ((int)op) {
    case LDSL_HOST_NEG: return -x;
    case LDSL_HOST_ABS: return fabs(x);
    case LDSL_HOST_FLOOR: return floor(x);
    case LDSL_HOST_CEIL: return ceil(x);
    case LDSL_HOST_ROUND: return nearbyint(x);
    case LDSL_HOST_TRUNC: return trunc(x);
    case LDSL_HOST_SQRT: return sqrt(x);
    case LDSL_HOST_EXP: return exp(x);
    case LDSL_HOST_EXP2: return exp2(x);
    case LDSL_HOST_LOG: return log(x);
    case LDSL_HOST_LOG2: return log2(x);
    default: return x;
    }
}

static const char *unary_int(enum ldsl_host_op op, int64_t x, int64_t *out)
{
    switch ((int)op) {
    case LDSL_HOST_NEG:
    case LDSL_HOST_ABS:
        if (x == INT64_MIN)
            return "integer overflow";
        *out = op == LDSL_HOST_NEG || x < 0 ? -x : x;
        return NULL;
    case LDSL_HOST_INVERT: *out = ~x; return NULL;
    case LDSL_HOST_FIT:
        *out = rt_fit_cover(x);
        return *out ? NULL : "no tile is wide enough to hold it at once";
    case LDSL_HOST_BUCKET: *out = rt_bucket(x); return NULL;
    default: *out = x; return NULL;
    }
}

/* ---- leaves ------------------------------------------------------------------------------------
 */

static enum rt_eval eval_fact(const struct rt_frame *f, const struct ldsl_module_node *node,
                              struct rt_value *out, struct rt_fault *fault)
{
    const struct rt_device_info *d = f->device;
    if (!d)
        return fault_at(node, fault, RT_EVAL_UNKNOWN, NULL);
    switch ((enum ldsl_device_fact)node->n) {
    case LDSL_DEVICE_SM_COUNT: *out = rt_value_int(d->sm_count); break;
    case LDSL_DEVICE_SMEM: *out = rt_value_int(d->smem); break;
    case LDSL_DEVICE_CC: *out = rt_value_int(d->cc); break;
    case LDSL_DEVICE_LANES: *out = rt_value_int(d->lanes); break;
    case LDSL_DEVICE_IS_GPU: *out = rt_value_int(d->is_gpu); break;
    case LDSL_DEVICE_CLUSTERS_OF_2: *out = rt_value_int(d->clusters[0]); break;
    case LDSL_DEVICE_CLUSTERS_OF_4: *out = rt_value_int(d->clusters[1]); break;
    case LDSL_DEVICE_CLUSTERS_OF_8: *out = rt_value_int(d->clusters[2]); break;
    case LDSL_DEVICE_FACT_COUNT: break;
    }
    return RT_EVAL_OK;
}

static enum rt_eval eval_tensor(const struct rt_frame *f, const struct ldsl_module_node *node,
                                struct rt_value *out, struct rt_fault *fault)
{
    const struct rt_tensor *t = &f->tensors[node->n - f->scope->params.first];
    struct rt_value bytes = rt_value_int(0);
    if (node->op == LDSL_HOST_HAS && t->presence != RT_UNKNOWN) {
        *out = rt_value_int(t->presence == RT_PRESENT);
        return RT_EVAL_OK;
    }
    /* What is absent is as well laid out as anyone may wish. */
    if (node->op != LDSL_HOST_HAS && t->presence == RT_ABSENT) {
        *out = rt_value_int(1);
        return RT_EVAL_OK;
    }
    if (node->op == LDSL_HOST_HAS || !t->laid_out)
        return fault_at(node, fault, RT_EVAL_UNKNOWN, NULL);
    if (node->op == LDSL_HOST_PACKED) {
        *out = rt_value_int(rt_tensor_is_packed(t));
        return RT_EVAL_OK;
    }
    enum rt_eval status = rt_host_eval(f, node->a, &bytes, fault);
    if (status)
        return status;
    *out =
        rt_value_int(!bytes.is_float && bytes.i > 0 && rt_tensor_is_aligned(t, (uint64_t)bytes.i));
    return RT_EVAL_OK;
}

static enum rt_eval eval_leaf(const struct rt_frame *f, const struct ldsl_module_node *node,
                              struct rt_value *out, struct rt_fault *fault)
{
    switch ((int)node->op) {
    case LDSL_HOST_INT: *out = rt_value_int(node->value.i); return RT_EVAL_OK;
    case LDSL_HOST_FLOAT: *out = rt_value_float(node->value.f); return RT_EVAL_OK;
    case LDSL_HOST_SYMBOL:
        *out = f->values[node->n - f->scope->symbols.first];
        if (out->known)
            return RT_EVAL_OK;
        return fault_at(node, fault, RT_EVAL_UNKNOWN,
                        rt_module_text(f->m, f->m->symbols[node->n].name));
    case LDSL_HOST_DEVICE: return eval_fact(f, node, out, fault);
    default: return eval_tensor(f, node, out, fault);
    }
}

/* ---- operators ---------------------------------------------------------------------------------
 */

static enum rt_eval eval_unary(const struct rt_frame *f, const struct ldsl_module_node *node,
                               struct rt_value *out, struct rt_fault *fault)
{
    struct rt_value x;
    enum rt_eval status = rt_host_eval(f, node->a, &x, fault);
    if (status)
        return status;
    enum ldsl_host_op op = node->op;
    if (op == LDSL_HOST_CAST) {
        *out = x;
    } else if (op == LDSL_HOST_NOT) {
        *out = rt_value_int(!is_true(x));
    } else if (x.is_float || (op >= LDSL_HOST_SQRT && op <= LDSL_HOST_LOG2)) {
        if (op == LDSL_HOST_FIT || op == LDSL_HOST_BUCKET || op == LDSL_HOST_INVERT)
            return fault_at(node, fault, RT_EVAL_FAULT, "an operation that floats do not have");
        *out = rt_value_float(unary_float(op, as_float(x)));
    } else {
        *out = rt_value_int(0);
        const char *why = unary_int(op, x.i, &out->i);
        if (why)
            return fault_at(node, fault, RT_EVAL_FAULT, why);
    }
    return RT_EVAL_OK;
}

static enum rt_eval eval_binary(const struct rt_frame *f, const struct ldsl_module_node *node,
                                struct rt_value *out, struct rt_fault *fault)
{
    struct rt_value x, y;
    enum rt_eval status = rt_host_eval(f, node->a, &x, fault);
    if (!status)
        status = rt_host_eval(f, node->b, &y, fault);
    if (status)
        return status;
    const char *why;
    if (x.is_float || y.is_float || node->op == LDSL_HOST_POW) {
        why = binary_float(node->op, as_float(x), as_float(y), out);
    } else {
        *out = rt_value_int(0);
        why = binary_int(node->op, x.i, y.i, &out->i);
    }
    return why ? fault_at(node, fault, RT_EVAL_FAULT, why) : RT_EVAL_OK;
}

/* a && b, a || b: one side alone may decide, also when the other is unknown. */
static enum rt_eval eval_logic(const struct rt_frame *f, const struct ldsl_module_node *node,
                               struct rt_value *out, struct rt_fault *fault)
{
    bool decisive = node->op == LDSL_HOST_OR;
    struct rt_value x, y;
    enum rt_eval left = rt_host_eval(f, node->a, &x, fault);
    *out = rt_value_int(decisive);
    if (left == RT_EVAL_FAULT || (left == RT_EVAL_OK && is_true(x) == decisive))
        return left;
    enum rt_eval right = rt_host_eval(f, node->b, &y, left ? NULL : fault);
    if (right == RT_EVAL_OK && is_true(y) == decisive)
        return RT_EVAL_OK;
    *out = rt_value_int(!decisive);
    return left ? left : right;
}

static enum rt_eval eval_cond(const struct rt_frame *f, const struct ldsl_module_node *node,
                              struct rt_value *out, struct rt_fault *fault)
{
    struct rt_value test;
    enum rt_eval status = rt_host_eval(f, node->a, &test, fault);
    if (status)
        return status;
    return rt_host_eval(f, is_true(test) ? node->b : node->c, out, fault);
}

enum rt_eval rt_host_eval(const struct rt_frame *f, uint32_t index, struct rt_value *out,
                          struct rt_fault *fault)
{
    static const uint8_t operands[LDSL_HOST_COUNT] = {
#define X(name, count) [LDSL_HOST_##name] = count,
        LDSL_HOST_LIST(X)
#undef X
    };
    const struct ldsl_module_node *node = &f->m->nodes[index];
    enum rt_eval status;
    if (operands[node->op] == 0 || node->op == LDSL_HOST_ALIGN)
        status = eval_leaf(f, node, out, fault);
    else if (operands[node->op] == 1)
        status = eval_unary(f, node, out, fault);
    else if (node->op == LDSL_HOST_AND || node->op == LDSL_HOST_OR)
        status = eval_logic(f, node, out, fault);
    else if (operands[node->op] == 2)
        status = eval_binary(f, node, out, fault);
    else
        status = eval_cond(f, node, out, fault);
    if (!status)
        *out = rt_value_cast(*out, node->dtype);
    return status;
}

enum rt_eval rt_host_eval_int(const struct rt_frame *frame, uint32_t node, int64_t *out,
                              struct rt_fault *fault)
{
    struct rt_value v;
    enum rt_eval status = rt_host_eval(frame, node, &v, fault);
    if (!status)
        *out = rt_value_cast(v, LDSL_I64).i;
    return status;
}

/* ---- solving -----------------------------------------------------------------------------------
 */

uint32_t rt_host_unknowns(const struct rt_frame *f, uint32_t index, uint32_t *symbol)
{
    static const uint8_t operands[LDSL_HOST_COUNT] = {
#define X(name, count) [LDSL_HOST_##name] = count,
        LDSL_HOST_LIST(X)
#undef X
    };
    const struct ldsl_module_node *node = &f->m->nodes[index];
    if (node->op == LDSL_HOST_SYMBOL) {
        if (f->values[node->n - f->scope->symbols.first].known)
            return 0;
        *symbol = node->n;
        return 1;
    }
    const uint32_t children[3] = {node->a, node->b, node->c};
    uint32_t count = 0, first = LDSL_NONE;
    for (unsigned i = 0; i < operands[node->op]; i++) {
        uint32_t other = LDSL_NONE, n = rt_host_unknowns(f, children[i], &other);
        if (n && first != LDSL_NONE && other == first)
            n--;
        if (n && first == LDSL_NONE)
            first = other;
        count += n;
    }
    if (first != LDSL_NONE)
        *symbol = first;
    return count;
}

bool rt_host_linear(const struct rt_frame *f, uint32_t index, uint32_t symbol, int64_t *k,
                    int64_t *b)
{
    const struct ldsl_module_node *node = &f->m->nodes[index];
    int64_t ka, ba, kb, bb;
    if (rt_host_eval_int(f, index, b, NULL) == RT_EVAL_OK) {
        *k = 0;
        return true;
    }
    switch ((int)node->op) {
    case LDSL_HOST_SYMBOL:
        *k = 1;
        *b = 0;
        return node->n == symbol;
    case LDSL_HOST_ADD:
    case LDSL_HOST_SUB:
        return rt_host_linear(f, node->a, symbol, &ka, &ba) &&
               rt_host_linear(f, node->b, symbol, &kb, &bb) && !binary_int(node->op, ka, kb, k) &&
               !binary_int(node->op, ba, bb, b);
    case LDSL_HOST_MUL:
        if (!rt_host_linear(f, node->a, symbol, &ka, &ba) ||
            !rt_host_linear(f, node->b, symbol, &kb, &bb) || (ka && kb))
            return false;
        return multiply_int(ka ? ka : kb, ka ? bb : ba, k) && multiply_int(ba, bb, b);
    default: return false;
    }
}
