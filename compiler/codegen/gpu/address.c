/* Addresses of accesses: a uniform 64-bit part, this thread's part, and an offset for each register, a
 * constant wherever strides are. */
#include "codegen/gpu/gpu.h"

static LLVMValueRef wide(struct gen *g, LLVMValueRef x)
{
    return LLVMTypeOf(x) == g->t_i64 ? x : LLVMBuildSExt(g->b, x, g->t_i64, "");
}

static LLVMValueRef times(struct gen *g, LLVMValueRef x, int64_t c)
{
    return c == 1 ? x : LLVMBuildMul(g->b, x, gen_index(g, c), "");
}

static LLVMValueRef plus(struct gen *g, LLVMValueRef a, LLVMValueRef b)
{
    return a ? LLVMBuildAdd(g->b, a, b, "") : b;
}

axis_set gpu_subscript_axes(const struct ir_func *f, const struct ir_node *n)
{
    axis_set axes = 0;
    for (uint32_t d = 0; d < f->tensors.data[n->attr.tensor].rank; d++)
        axes |= n->operands[d]->type.axes;
    return axes;
}

/* In bytes. */
static LLVMValueRef stride_of(struct gen *g, const struct gpu_address *a, uint32_t dim)
{
    bool unit = dim + 1 == a->tensor->rank && !a->tensor->strided;
    return unit ? gen_index(g, a->bytes)
                : times(g, g->strides[a->node->attr.tensor][dim], a->bytes);
}

static bool is_swept(const struct gen *g, unsigned axis)
{
    return g->f->axes.data[axis].kind == IR_AXIS_SWEPT;
}

static void add_dim(struct gen *g, struct gpu_address *a, uint32_t dim)
{
    struct ir_value *subscript = a->node->operands[dim];
    LLVMValueRef stride = stride_of(g, a, dim), fixed = NULL;
    struct ir_affine f;
    ir_affine_of(subscript, &f);
    if (!f.affine && subscript->type.axes) {
        a->gathers[a->gather_count++] = (struct gpu_gather){subscript, stride};
        return;
    }
    if (!f.affine)
        fixed = wide(g, gpu_scalar(g, subscript));
    for (uint32_t i = 0; f.affine && i < f.term_count; i++) {
        const struct ir_affine_term *t = &f.terms[i];
        LLVMValueRef x = t->value ? wide(g, gpu_scalar(g, t->value)) : gen_index(g, 1);
        fixed = plus(g, fixed, times(g, x, t->coefficient));
    }
    for (unsigned i = 0; f.affine && i < g->f->axes.count; i++) {
        if (!f.coefficient[i])
            continue;
        LLVMValueRef start = g->gpu->axes[i].start, step = stride;
        if (f.factor[i]) {
            LLVMValueRef factor = wide(g, gpu_scalar(g, f.factor[i]));
            start = LLVMBuildMul(g->b, start, factor, "");
            step = LLVMBuildMul(g->b, step, factor, "");
        }
        if (!is_swept(g, i))
            fixed = plus(g, fixed, times(g, start, f.coefficient[i]));
        a->step[i] = plus(g, a->step[i], times(g, step, f.coefficient[i]));
    }
    if (fixed)
        a->base = LLVMBuildAdd(g->b, a->base, LLVMBuildMul(g->b, fixed, stride, ""), "");
}

static void add_threads(struct gen *g, struct gpu_address *a)
{
    for (unsigned i = 0; i < g->f->axes.count; i++) {
        LLVMValueRef thread = g->gpu->axes[i].thread;
        if (!a->step[i] || !thread || !(a->view.axes >> i & 1))
            continue;
        LLVMValueRef x = LLVMBuildZExt(g->b, thread, g->t_i64, "");
        a->base = LLVMBuildAdd(g->b, a->base, LLVMBuildMul(g->b, x, a->step[i], ""), "");
    }
}

/* Where the sweep is, last: the rest of the sum is the same in all rounds. */
static void add_sweeps(struct gen *g, struct gpu_address *a)
{
    for (unsigned i = 0; i < g->f->axes.count; i++) {
        if (!a->step[i] || !is_swept(g, i))
            continue;
        LLVMValueRef start = LLVMBuildMul(g->b, g->gpu->axes[i].start, a->step[i], "");
        a->base = LLVMBuildAdd(g->b, a->base, start, "");
    }
}

/* Do the registers along other axes move the address by nothing? Then one test of the base says
 * whether all vectors are aligned. */
static bool moves_alone(const struct gen *g, axis_set axes, uint8_t axis)
{
    for (unsigned i = 0; i < g->f->axes.count; i++)
        if (i != axis && (axes >> i & 1) && g->gpu->layout->axes[i].regs > 1)
            return false;
    return true;
}

/* Proven vectors, or wider ones that a test of the address allows. */
uint32_t gpu_width_of(struct gen *g, const struct ir_node *n, axis_set axes, bool *tested,
                      uint8_t *axis)
{
    const char *why;
    uint8_t possible_axis;
    uint32_t bytes = g->gpu->schedule.vector;
    uint32_t proven = gpu_access_width(g, g->gpu->layout, n, axes, bytes, axis, &why);
    if (proven > 1 && g->gpu->shifted >> *axis & 1)
        proven = 1; /* of tiles that begin with the range */
    uint32_t possible = gpu_possible_width(g, g->gpu->layout, n, axes, bytes, &possible_axis);
    *tested = possible > proven && moves_alone(g, axes, possible_axis);
    if (!*tested)
        return proven;
    *axis = possible_axis;
    return possible;
}

static void choose_width(struct gen *g, struct gpu_address *a)
{
    bool tested;
    a->width = gpu_width_of(g, a->node, a->view.axes, &tested, &a->vector_axis);
    if (!tested)
        return;
    LLVMValueRef mask = gen_index(g, (int64_t)a->width * a->bytes - 1);
    LLVMValueRef low = LLVMBuildAnd(g->b, a->base, mask, "");
    a->aligned = LLVMBuildICmp(g->b, LLVMIntEQ, low, gen_index(g, 0), "");
}

struct gpu_address gpu_address(struct gen *g, const struct ir_node *n, axis_set axes)
{
    const struct ir_tensor *t = &g->f->tensors.data[n->attr.tensor];
    struct gpu_address a = {.node = n,
                            .tensor = t,
                            .view = gpu_view(g->gpu->layout, axes),
                            .bytes = ir_elem_bits(t->elem) / 8,
                            .base = g->tensors[n->attr.tensor]};
    for (uint32_t d = 0; d < t->rank; d++)
        add_dim(g, &a, d);
    add_threads(g, &a);
    add_sweeps(g, &a);
    choose_width(g, &a);
    a.view = gpu_view_along(g->gpu->layout, axes, a.vector_axis);
    return a;
}

LLVMValueRef gpu_address_of(struct gen *g, const struct gpu_address *a, uint32_t i)
{
    LLVMValueRef at = a->base;
    for (unsigned axis = 0; axis < g->f->axes.count; axis++) {
        if (!a->step[axis] || !(a->view.axes >> axis & 1))
            continue;
        uint32_t r = gpu_view_digit(&a->view, i, (uint8_t)axis);
        uint32_t offset = gpu_axis_offset(&g->gpu->layout->axes[axis], r);
        if (offset)
            at = LLVMBuildAdd(g->b, at, times(g, a->step[axis], offset), "");
    }
    for (uint32_t k = 0; k < a->gather_count; k++) {
        LLVMValueRef x = wide(g, gpu_reg_in(g, a->gathers[k].subscript, &a->view, i));
        at = LLVMBuildAdd(g->b, at, LLVMBuildMul(g->b, x, a->gathers[k].stride, ""), "");
    }
    return at;
}

struct lane_access gpu_access(struct gen *g, const struct gpu_address *a, uint32_t i,
                              LLVMTypeRef type, uint32_t elements, LLVMValueRef guard)
{
    if (!gpu_may_access(g, a->node->attr.tensor))
        diag_bug(g->s, a->node->at, "%s is accessed before the wait for the launch that uses it",
                 a->tensor->name);
    return (struct lane_access){
        .type = type,
        .address = gpu_address_of(g, a, i),
        .guard = guard,
        .align = elements * a->bytes,
        .tensor = a->node->attr.tensor,
        .constant = gpu_is_constant(g, a->node->attr.tensor),
        .keep = a->node->op == IR_OP_load &&
                (a->node->attr.kind == IR_CACHE_KEEP || g->gpu->schedule.evict_last),
        .stream = a->node->op != IR_OP_atomic && a->node->attr.kind == IR_CACHE_STREAM,
    };
}
