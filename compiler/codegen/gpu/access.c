/* Tensor accesses. An address is a uniform 64-bit part, this thread's part, and an offset for each
 * register, a constant wherever strides are. Neighbouring registers along the fastest axis go as one
 * vector of up to 16 bytes; at the border of a tile whose end is not a multiple of the vector, the
 * one vector that sticks out goes element by element. */
#include "codegen/gpu/gpu.h"

struct gather {
    struct ir_value *subscript;
    LLVMValueRef stride; /* i64, bytes */
};

struct address {
    const struct ir_node *node;
    const struct ir_tensor *tensor;
    struct gpu_view view;
    axis_set axes;                  /* of the subscripts */
    uint32_t bytes;                 /* of an element */
    LLVMValueRef base;              /* i64: everything but the registers' part */
    LLVMValueRef step[IR_MAX_AXIS]; /* i64, bytes for one element along an axis; NULL: none */
    struct gather gathers[IR_MAX_RANK];
    uint32_t gather_count;
    uint32_t width;      /* registers of one vector */
    uint8_t vector_axis; /* IR_NO_AXIS: none */
};

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

/* ---- addresses --------------------------------------------------------------------------------- */

/* In bytes. */
static LLVMValueRef stride_of(struct gen *g, const struct address *a, uint32_t dim)
{
    bool unit = dim + 1 == a->tensor->rank && !a->tensor->strided;
    return unit ? gen_index(g, a->bytes)
                : times(g, g->strides[a->node->attr.tensor][dim], a->bytes);
}

static void add_dim(struct gen *g, struct address *a, uint32_t dim)
{
    struct ir_value *subscript = a->node->operands[dim];
    LLVMValueRef stride = stride_of(g, a, dim), fixed = NULL;
    struct ir_affine f;
    ir_affine_of(subscript, &f);
    if (!f.affine && subscript->type.axes) {
        a->gathers[a->gather_count++] = (struct gather){subscript, stride};
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
        fixed = plus(g, fixed, times(g, g->gpu->axes[i].start, f.coefficient[i]));
        a->step[i] = plus(g, a->step[i], times(g, stride, f.coefficient[i]));
    }
    if (fixed)
        a->base = LLVMBuildAdd(g->b, a->base, LLVMBuildMul(g->b, fixed, stride, ""), "");
}

static void add_threads(struct gen *g, struct address *a)
{
    for (unsigned i = 0; i < g->f->axes.count; i++) {
        LLVMValueRef thread = g->gpu->axes[i].thread;
        if (!a->step[i] || !thread || !(a->axes >> i & 1))
            continue;
        LLVMValueRef x = LLVMBuildZExt(g->b, thread, g->t_i64, "");
        a->base = LLVMBuildAdd(g->b, a->base, LLVMBuildMul(g->b, x, a->step[i], ""), "");
    }
}

static LLVMValueRef address_of(struct gen *g, const struct address *a, uint32_t i)
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

static struct address make_address(struct gen *g, const struct ir_node *n, axis_set axes)
{
    const struct ir_tensor *t = &g->f->tensors.data[n->attr.tensor];
    const char *why;
    struct address a = {.node = n,
                        .tensor = t,
                        .view = gpu_view(g->gpu->layout, axes),
                        .axes = axes,
                        .bytes = ir_elem_bits(t->elem) / 8,
                        .base = g->tensors[n->attr.tensor]};
    for (uint32_t d = 0; d < t->rank; d++)
        add_dim(g, &a, d);
    add_threads(g, &a);
    a.width =
        gpu_access_width(g, g->gpu->layout, n, axes, g->gpu->schedule.vector, &a.vector_axis, &why);
    return a;
}

static struct lane_access access_of(struct gen *g, const struct address *a, uint32_t i,
                                    LLVMTypeRef type, uint32_t elements, LLVMValueRef guard)
{
    const struct ir_tensor *t = a->tensor;
    return (struct lane_access){
        .type = type,
        .address = address_of(g, a, i),
        .guard = guard,
        .align = elements * a->bytes,
        .tensor = a->node->attr.tensor,
        .constant = t->access == IR_READ && !g->gpu->written[a->node->attr.tensor],
        .keep = a->node->attr.kind == IR_CACHE_KEEP || g->gpu->schedule.evict_last,
        .stream = a->node->attr.kind == IR_CACHE_STREAM,
    };
}

/* ---- what an element is in memory -------------------------------------------------------------- */

static bool in_words(const struct address *a)
{
    return a->bytes == 2 && a->width > 1;
}

static LLVMTypeRef vector_type(struct gen *g, const struct address *a)
{
    LLVMTypeRef t = gen_memory_type(g, a->tensor->elem);
    return in_words(a) ? gen_wide(g->t_i32, a->width / 2) : gen_wide(t, a->width);
}

static LLVMValueRef part_of(struct gen *g, LLVMValueRef v, uint32_t i)
{
    return gen_lane(g, v, i);
}

static LLVMValueRef from_memory(struct gen *g, enum ir_elem e, LLVMValueRef x)
{
    return e == IR_BOOL ? LLVMBuildICmp(g->b, LLVMIntNE, x, gen_int(g, g->t_i8, 0), "") : x;
}

static LLVMValueRef to_memory(struct gen *g, enum ir_elem e, LLVMValueRef x)
{
    return e == IR_BOOL ? LLVMBuildZExt(g->b, x, g->t_i8, "") : x;
}

/* ---- guards ------------------------------------------------------------------------------------ */

/* Whether the vector's elements all exist, and whether some do: where the two differ (border), the
 * vector goes by elements. */
struct border {
    LLVMValueRef all, some;
    bool ragged;
};

static struct border border_of(struct gen *g, const struct address *a, uint32_t i)
{
    if (a->width == 1) {
        LLVMValueRef exists = gpu_exists(g, &a->view, i, a->axes);
        return (struct border){exists, exists, false};
    }
    axis_set along = (axis_set)1 << a->vector_axis;
    LLVMValueRef others = gpu_exists(g, &a->view, i, a->axes & ~along);
    LLVMValueRef first = gpu_exists(g, &a->view, i, along);
    LLVMValueRef last = gpu_exists(g, &a->view, i + a->width - 1, along);
    bool ragged = first != last;
    LLVMValueRef all = ragged ? gpu_and(g, first, last) : first;
    LLVMValueRef some =
        ragged && g->gpu->axes[a->vector_axis].skip ? LLVMBuildOr(g->b, first, last, "") : first;
    return (struct border){gpu_and(g, others, all), gpu_and(g, others, some), ragged};
}

/* ---- flagged accesses -------------------------------------------------------------------------- */

/* True if element i lies in the tensor. */
static LLVMValueRef in_tensor(struct gen *g, const struct address *a, uint32_t i)
{
    LLVMValueRef in = NULL;
    for (uint32_t d = 0; a->node->attr.flag && d < a->tensor->rank; d++) {
        LLVMValueRef x = wide(g, gpu_reg_in(g, a->node->operands[d], &a->view, i));
        LLVMValueRef dim = gpu_scalar(g, a->tensor->dims[d]);
        in = gpu_and(g, in, LLVMBuildICmp(g->b, LLVMIntULT, x, dim, ""));
    }
    return in;
}

/* ---- loads ------------------------------------------------------------------------------------- */

static LLVMValueRef load_one(struct gen *g, const struct address *a, uint32_t i, LLVMValueRef guard)
{
    struct lane_access access = access_of(g, a, i, gen_memory_type(g, a->tensor->elem), 1, guard);
    return g->gpu->hooks->load(&g->gpu->lane, &access);
}

static void load_single(struct gen *g, const struct address *a, uint32_t i)
{
    struct ir_value *v = a->node->results[0];
    enum ir_elem e = v->type.elem;
    LLVMValueRef in = in_tensor(g, a, i);
    LLVMValueRef guard = gpu_and(g, gpu_exists(g, &a->view, i, a->axes), in);
    LLVMValueRef x = from_memory(g, e, load_one(g, a, i, guard));
    if (in)
        x = LLVMBuildSelect(g->b, in, x,
                            gpu_reg_in(g, a->node->operands[a->tensor->rank], &a->view, i), "");
    gpu_set(g, v, i, x);
}

static LLVMValueRef insert(struct gen *g, LLVMValueRef v, LLVMValueRef x, uint32_t i)
{
    return LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind
               ? LLVMBuildInsertElement(g->b, v, x, gen_int(g, g->t_i32, i), "")
               : x;
}

/* The elements of a ragged vector that exist, one by one; the others are 0. */
static LLVMValueRef load_by_element(struct gen *g, const struct address *a, uint32_t i,
                                    LLVMTypeRef type)
{
    LLVMTypeRef flat = gen_wide(gen_memory_type(g, a->tensor->elem), a->width);
    LLVMValueRef v = LLVMConstNull(flat);
    for (uint32_t k = 0; k < a->width; k++) {
        LLVMValueRef guard = gpu_exists(g, &a->view, i + k, a->axes);
        v = insert(g, v, load_one(g, a, i + k, guard), k);
    }
    return LLVMBuildBitCast(g->b, v, type, "");
}

/* A vector all of which exists, else in a block of its own the elements that do. */
static LLVMValueRef load_ragged(struct gen *g, const struct address *a, uint32_t i,
                                LLVMTypeRef type, const struct border *b)
{
    struct lane_access access = access_of(g, a, i, type, a->width, b->all);
    LLVMValueRef quick = g->gpu->hooks->load(&g->gpu->lane, &access);
    LLVMBasicBlockRef from = LLVMGetInsertBlock(g->b);
    LLVMBasicBlockRef slow = gen_block(g, "border"), join = gen_block(g, "loaded");
    LLVMValueRef partly = LLVMBuildAnd(g->b, b->some, LLVMBuildNot(g->b, b->all, ""), "");
    LLVMBuildCondBr(g->b, partly, slow, join);
    LLVMPositionBuilderAtEnd(g->b, slow);
    LLVMValueRef parts = load_by_element(g, a, i, type);
    LLVMBasicBlockRef end = LLVMGetInsertBlock(g->b);
    LLVMBuildBr(g->b, join);
    LLVMPositionBuilderAtEnd(g->b, join);
    LLVMValueRef v = LLVMBuildPhi(g->b, type, "");
    LLVMValueRef values[] = {quick, parts};
    LLVMBasicBlockRef blocks[] = {from, end};
    LLVMAddIncoming(v, values, blocks, 2);
    return v;
}

static void load_vector(struct gen *g, const struct address *a, uint32_t i)
{
    struct ir_value *v = a->node->results[0];
    LLVMTypeRef type = vector_type(g, a);
    struct border b = border_of(g, a, i);
    struct lane_access access = access_of(g, a, i, type, a->width, b.all);
    LLVMValueRef x =
        b.ragged ? load_ragged(g, a, i, type, &b) : g->gpu->hooks->load(&g->gpu->lane, &access);
    if (in_words(a))
        for (uint32_t k = 0; k < a->width / 2; k++)
            gpu_set_word(g, v, i / 2 + k, part_of(g, x, k));
    else
        for (uint32_t k = 0; k < a->width; k++)
            gpu_set(g, v, i + k, from_memory(g, v->type.elem, part_of(g, x, k)));
}

/* Guards are made before the blocks of ragged vectors, which may not remember anything. */
static void prepare_guards(struct gen *g, const struct address *a)
{
    for (uint32_t i = 0; i < a->view.count; i++)
        gpu_exists(g, &a->view, i, a->axes);
}

void gpu_load(struct gen *g, struct ir_node *n)
{
    gpu_order(g, n);
    struct address a = make_address(g, n, n->results[0]->type.axes);
    prepare_guards(g, &a);
    for (uint32_t i = 0; i < a.view.count; i += a.width)
        if (a.width == 1)
            load_single(g, &a, i);
        else
            load_vector(g, &a, i);
}

/* ---- stores ------------------------------------------------------------------------------------ */

static axis_set subscript_axes(const struct ir_node *n, uint32_t rank)
{
    axis_set axes = 0;
    for (uint32_t d = 0; d < rank; d++)
        axes |= n->operands[d]->type.axes;
    return axes;
}

static void store_single(struct gen *g, const struct address *a, struct ir_value *v, uint32_t i,
                         LLVMValueRef owner)
{
    LLVMValueRef guard = gpu_and(g, gpu_exists(g, &a->view, i, a->axes), in_tensor(g, a, i));
    LLVMValueRef x = to_memory(g, v->type.elem, gpu_reg_in(g, v, &a->view, i));
    struct lane_access access = access_of(g, a, i, LLVMTypeOf(x), 1, gpu_and(g, guard, owner));
    g->gpu->hooks->store(&g->gpu->lane, &access, x);
}

static LLVMValueRef word_in(struct gen *g, const struct address *a, struct ir_value *v, uint32_t i)
{
    struct gpu_value *gv = gpu_value(g, v);
    if (gv->view.axes == a->view.axes)
        return gpu_word(g, v, i / 2);
    LLVMValueRef low = gpu_reg_in(g, v, &a->view, i), high = gpu_reg_in(g, v, &a->view, i + 1);
    low = LLVMBuildZExt(g->b, low, g->t_i32, "");
    high =
        LLVMBuildShl(g->b, LLVMBuildZExt(g->b, high, g->t_i32, ""), gen_int(g, g->t_i32, 16), "");
    return LLVMBuildOr(g->b, low, high, "");
}

static LLVMValueRef collect(struct gen *g, const struct address *a, struct ir_value *v, uint32_t i)
{
    LLVMValueRef all = LLVMGetPoison(vector_type(g, a));
    if (in_words(a))
        for (uint32_t k = 0; k < a->width / 2; k++)
            all = insert(g, all, word_in(g, a, v, i + 2 * k), k);
    else
        for (uint32_t k = 0; k < a->width; k++)
            all = insert(g, all, to_memory(g, v->type.elem, gpu_reg_in(g, v, &a->view, i + k)), k);
    return all;
}

static void store_by_element(struct gen *g, const struct address *a, uint32_t i, LLVMValueRef x)
{
    LLVMTypeRef t = gen_memory_type(g, a->tensor->elem);
    x = LLVMBuildBitCast(g->b, x, gen_wide(t, a->width), "");
    for (uint32_t k = 0; k < a->width; k++) {
        LLVMValueRef guard = gpu_exists(g, &a->view, i + k, a->axes);
        struct lane_access access = access_of(g, a, i + k, t, 1, guard);
        g->gpu->hooks->store(&g->gpu->lane, &access, part_of(g, x, k));
    }
}

static void store_vector(struct gen *g, const struct address *a, struct ir_value *v, uint32_t i,
                         LLVMValueRef owner)
{
    LLVMValueRef x = collect(g, a, v, i);
    struct border b = border_of(g, a, i);
    struct lane_access access =
        access_of(g, a, i, LLVMTypeOf(x), a->width, gpu_and(g, b.all, owner));
    g->gpu->hooks->store(&g->gpu->lane, &access, x);
    if (!b.ragged)
        return;
    LLVMBasicBlockRef slow = gen_block(g, "border"), join = gen_block(g, "stored");
    LLVMValueRef partly = LLVMBuildAnd(g->b, b.some, LLVMBuildNot(g->b, b.all, ""), "");
    LLVMBuildCondBr(g->b, gpu_and(g, partly, owner), slow, join);
    LLVMPositionBuilderAtEnd(g->b, slow);
    store_by_element(g, a, i, x);
    LLVMBuildBr(g->b, join);
    LLVMPositionBuilderAtEnd(g->b, join);
}

void gpu_store(struct gen *g, struct ir_node *n)
{
    const struct ir_tensor *t = &g->f->tensors.data[n->attr.tensor];
    struct ir_value *v = n->operands[t->rank];
    gpu_order(g, n);
    axis_set axes = subscript_axes(n, t->rank) | v->type.axes;
    struct address a = make_address(g, n, axes);
    LLVMValueRef owner = gpu_owner(g, axes);
    prepare_guards(g, &a);
    for (uint32_t i = 0; i < a.view.count; i += a.width)
        if (a.width == 1)
            store_single(g, &a, v, i, owner);
        else
            store_vector(g, &a, v, i, owner);
}

void gpu_atomic(struct gen *g, struct ir_node *n)
{
    const struct ir_tensor *t = &g->f->tensors.data[n->attr.tensor];
    struct ir_value *v = n->operands[t->rank];
    gpu_order(g, n);
    axis_set axes = subscript_axes(n, t->rank) | v->type.axes;
    struct address a = make_address(g, n, axes);
    LLVMValueRef owner = gpu_owner(g, axes);
    for (uint32_t i = 0; i < a.view.count; i++) {
        LLVMValueRef guard = gpu_and(g, gpu_exists(g, &a.view, i, axes), in_tensor(g, &a, i));
        LLVMValueRef x = gpu_reg_in(g, v, &a.view, i);
        struct lane_access access = access_of(g, &a, i, LLVMTypeOf(x), 1, gpu_and(g, guard, owner));
        if (!g->gpu->hooks->atomic(&g->gpu->lane, &access, (enum ir_kind)n->attr.kind, v->type.elem,
                                   x))
            diag_error(g->s, n->at, DIAG_TARGET, "%s has no atomic %s of %s",
                       g->target->target->name, ir_kind_name((enum ir_kind)n->attr.kind),
                       ir_elem_name(v->type.elem));
    }
}

void gpu_assert(struct gen *g, struct ir_node *n)
{
    struct gpu_value *test = gpu_value(g, n->operands[0]);
    if (!g->options->check)
        return;
    for (uint32_t i = 0; i < test->view.count; i++) {
        LLVMValueRef exists = gpu_exists(g, &test->view, i, test->view.axes);
        LLVMValueRef holds = gpu_reg(g, n->operands[0], i);
        if (exists)
            holds = LLVMBuildOr(g->b, holds, LLVMBuildNot(g->b, exists, ""), "");
        g->gpu->hooks->check(&g->gpu->lane, holds, n->attr.text);
    }
}
