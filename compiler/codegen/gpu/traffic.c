/* What a kernel moves between memory and the GPU: estimates for reports. */
#include "codegen/gpu/assign.h"

#include <math.h>

struct gpu_traffic gpu_program_traffic(const struct ir_func *f, const struct work_list *list)
{
    struct gpu_traffic t = {0};
    for (uint32_t i = 0; i < list->items.count; i++) {
        const struct work *w = &list->items.data[i];
        if (w->kind != WORK_ACCESS)
            continue;
        double *sum = w->times > 1 ? w->writes ? &t.written_in_loops : &t.read_in_loops
                      : w->writes  ? &t.written
                                   : &t.read;
        *sum += gpu_work_bytes(f, w) / w->times;
    }
    return t;
}

/* ---- a launch ---------------------------------------------------------------------------------- */

/* An expression that is shared by many is looked at again for each, but not for longer than this. */
enum { MOST_STEPS = 4096 };

struct expectation {
    const struct ir_func *f;
    const char *unsaid; /* a dim that nobody gave (or that is 0); NULL: none was needed */
    uint32_t steps;
};

static bool expect_param(struct expectation *e, const struct ir_value *v, double *out)
{
    for (uint32_t i = 0; i < e->f->params.count; i++) {
        const struct ir_param *p = &e->f->params.data[i];
        if (p->value != v || p->kind != IR_PARAM_DIM)
            continue;
        *out = (double)p->expected;
        if (!p->expected)
            e->unsaid = p->name;
        return p->expected;
    }
    return false;
}

/* The value of an index that follows from dims. */
static bool expect(struct expectation *e, const struct ir_value *v, double *out)
{
    double x, y;
    if (v->def == IR_DEF_ARG)
        return expect_param(e, v, out);
    const struct ir_node *n = v->node;
    if (n->op == IR_OP_const) {
        *out = (double)n->attr.i;
        return true;
    }
    if (n->operand_count != 2 || ++e->steps > MOST_STEPS || !expect(e, n->operands[0], &x) ||
        !expect(e, n->operands[1], &y))
        return false;
    switch ((int)n->op) {
    case IR_OP_add: *out = x + y; return true;
    case IR_OP_sub: *out = x - y; return true;
    case IR_OP_mul: *out = x * y; return true;
    case IR_OP_div: *out = y > 0 ? floor(x / y) : 0; return true;
    case IR_OP_min: *out = x < y ? x : y; return true;
    case IR_OP_max: *out = x > y ? x : y; return true;
    default: return false;
    }
}

/* The axes on which a value depends; false: also on rounds of loops, or on too much to tell. */
static bool depends(struct expectation *e, const struct ir_value *v, axis_set *axes)
{
    if (v->def == IR_DEF_ARG)
        return v->block == e->f->body;
    const struct ir_node *n = v->node;
    if (n->region_count || ++e->steps > MOST_STEPS)
        return false;
    if (n->op == IR_OP_index)
        *axes |= (axis_set)1 << n->attr.axis;
    bool known = true;
    for (uint32_t i = 0; i < n->operand_count; i++)
        known &= depends(e, n->operands[i], axes);
    return known;
}

/* Elements of its tensor that an access comes by, if each is met once. */
static bool expect_reach(struct expectation *e, const struct ir_node *n, double *out)
{
    axis_set axes = 0;
    uint32_t rank = e->f->tensors.data[n->attr.tensor].rank;
    *out = 1;
    for (uint32_t d = 0; d < rank; d++)
        if (!depends(e, n->operands[d], &axes))
            return false;
    for (uint32_t a = 0; a < e->f->axes.count; a++) {
        const struct ir_axis *axis = &e->f->axes.data[a];
        double lo, hi;
        if (!(axes >> a & 1))
            continue;
        if (!axis->lo || !expect(e, axis->lo, &lo) || !expect(e, axis->hi, &hi))
            return false;
        *out *= hi > lo ? hi - lo : 0;
    }
    return true;
}

static bool expect_size(struct expectation *e, const struct ir_tensor *t, double *out)
{
    *out = 1;
    for (uint32_t d = 0; d < t->rank; d++) {
        double dim;
        if (!expect(e, t->dims[d], &dim))
            return false;
        *out *= dim;
    }
    return true;
}

static bool is_such(const struct work *w, uint32_t tensor, bool writes)
{
    return w->kind == WORK_ACCESS && w->node->attr.tensor == tensor && w->writes == writes;
}

/* Whether an access before this one comes by the same elements. */
static bool is_again(const struct ir_func *f, const struct work_list *list, uint32_t number)
{
    const struct work *w = &list->items.data[number];
    uint32_t tensor = w->node->attr.tensor;
    for (uint32_t i = 0; i < number; i++)
        if (is_such(&list->items.data[i], tensor, w->writes) &&
            gpu_same_place(list->items.data[i].node, w->node, f->tensors.data[tensor].rank))
            return true;
    return false;
}

/* Elements of a tensor that are read, or written: what its accesses come by, but no more than it has. */
static bool expect_elements(struct expectation *e, const struct work_list *list, uint32_t tensor,
                            bool writes, double *out)
{
    double size = 0, sum = 0;
    bool has_size = expect_size(e, &e->f->tensors.data[tensor], &size), has_sum = true;
    for (uint32_t i = 0; i < list->items.count; i++) {
        const struct work *w = &list->items.data[i];
        double reach = 0;
        if (!is_such(w, tensor, writes) || is_again(e->f, list, i))
            continue;
        has_sum &= expect_reach(e, w->node, &reach);
        sum += reach;
    }
    *out = !has_sum || (has_size && size < sum) ? size : sum;
    return has_sum || has_size;
}

bool gpu_launch_traffic(const struct ir_func *f, const struct work_list *list,
                        struct gpu_traffic *out, const char **unsaid)
{
    *out = (struct gpu_traffic){0};
    *unsaid = NULL;
    for (uint32_t t = 0; t < f->tensors.count; t++) {
        uint32_t bytes = (ir_elem_bits(f->tensors.data[t].elem) + 7) / 8;
        double read, written;
        struct expectation e = {.f = f};
        if (!expect_elements(&e, list, t, false, &read) ||
            !expect_elements(&e, list, t, true, &written)) {
            *unsaid = e.unsaid;
            return false;
        }
        out->read += read * bytes;
        out->written += written * bytes;
    }
    return true;
}
