/* Loads and stores. Neighbouring registers along the fastest axis go as one vector of up to 16 bytes.
 * Where a tile ends within a vector, that one goes element by element; where only a test at run time
 * can tell whether the addresses are aligned, there is code for both cases. */
#include "codegen/gpu/gpu.h"

/* ---- what an element is in memory -------------------------------------------------------------- */

static bool in_words(const struct gpu_address *a)
{
    return a->bytes == 2 && a->width > 1;
}

LLVMTypeRef gpu_vector_type(struct gen *g, const struct gpu_address *a)
{
    LLVMTypeRef t = gen_memory_type(g, a->tensor->elem);
    return in_words(a) ? gen_wide(g->t_i32, a->width / 2) : gen_wide(t, a->width);
}

static LLVMValueRef from_memory(struct gen *g, enum ir_elem e, LLVMValueRef x)
{
    return e == IR_BOOL ? LLVMBuildICmp(g->b, LLVMIntNE, x, gen_int(g, g->t_i8, 0), "") : x;
}

static LLVMValueRef to_memory(struct gen *g, enum ir_elem e, LLVMValueRef x)
{
    return e == IR_BOOL ? LLVMBuildZExt(g->b, x, g->t_i8, "") : x;
}

static LLVMValueRef insert(struct gen *g, LLVMValueRef v, LLVMValueRef x, uint32_t i)
{
    return LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind
               ? LLVMBuildInsertElement(g->b, v, x, gen_int(g, g->t_i32, i), "")
               : x;
}

/* ---- guards ------------------------------------------------------------------------------------ */

/* Whether the vector's elements all exist, and whether some do: where the two differ, the vector is
 * ragged and goes by elements. */
struct border {
    LLVMValueRef all, some;
    bool ragged;
};

static struct border border_of(struct gen *g, const struct gpu_address *a, uint32_t i)
{
    if (a->width == 1 || !gpu_is_ragged(g, a->width, a->vector_axis)) {
        LLVMValueRef exists = gpu_exists(g, &a->view, i, a->view.axes);
        return (struct border){exists, exists, false};
    }
    axis_set along = (axis_set)1 << a->vector_axis;
    LLVMValueRef others = gpu_exists(g, &a->view, i, a->view.axes & ~along);
    LLVMValueRef all = gpu_contains(g, &a->view, i, a->width, a->vector_axis);
    LLVMValueRef some = gpu_overlaps(g, &a->view, i, a->width, a->vector_axis);
    return (struct border){gpu_and(g, others, all), gpu_and(g, others, some), true};
}

/* True if element i lies in the tensor. */
static LLVMValueRef in_tensor(struct gen *g, const struct gpu_address *a, uint32_t i)
{
    LLVMValueRef in = NULL;
    for (uint32_t d = 0; a->node->attr.flag && d < a->tensor->rank; d++) {
        LLVMValueRef x = gpu_reg_in(g, a->node->operands[d], &a->view, i);
        if (LLVMTypeOf(x) != g->t_i64)
            x = LLVMBuildSExt(g->b, x, g->t_i64, "");
        LLVMValueRef dim = gpu_scalar(g, a->tensor->dims[d]);
        in = gpu_and(g, in, LLVMBuildICmp(g->b, LLVMIntULT, x, dim, ""));
    }
    return in;
}

/* ---- loads ------------------------------------------------------------------------------------- */

static LLVMValueRef load_one(struct gen *g, const struct gpu_address *a, uint32_t i,
                             LLVMValueRef guard)
{
    LLVMTypeRef type = gen_memory_type(g, a->tensor->elem);
    struct lane_access access = gpu_access(g, a, i, type, 1, guard);
    return g->gpu->hooks->load(&g->gpu->lane, &access);
}

static void load_single(struct gen *g, const struct gpu_address *a, uint32_t i)
{
    struct ir_value *v = a->node->results[0];
    enum ir_elem e = v->type.elem;
    LLVMValueRef in = in_tensor(g, a, i);
    LLVMValueRef guard = gpu_and(g, gpu_exists(g, &a->view, i, a->view.axes), in);
    LLVMValueRef x = from_memory(g, e, load_one(g, a, i, guard));
    if (in)
        x = LLVMBuildSelect(g->b, in, x,
                            gpu_reg_in(g, a->node->operands[a->tensor->rank], &a->view, i), "");
    gpu_set(g, v, i, x);
}

/* The elements of a vector that exist, one by one; the others are 0. */
LLVMValueRef gpu_load_elements(struct gen *g, const struct gpu_address *a, uint32_t i)
{
    LLVMTypeRef flat = gen_wide(gen_memory_type(g, a->tensor->elem), a->width);
    LLVMValueRef v = LLVMConstNull(flat);
    uint32_t mark = gpu_enter(g);
    gpu_renew_tests(g, a->view.axes);
    for (uint32_t k = 0; k < a->width; k++) {
        LLVMValueRef guard = gpu_exists(g, &a->view, i + k, a->view.axes);
        v = insert(g, v, load_one(g, a, i + k, guard), k);
    }
    gpu_leave(g, mark);
    return LLVMBuildBitCast(g->b, v, gpu_vector_type(g, a), "");
}

LLVMValueRef gpu_one_of(struct gen *g, LLVMValueRef x, LLVMBasicBlockRef from, LLVMValueRef y,
                        LLVMBasicBlockRef other)
{
    LLVMValueRef phi = LLVMBuildPhi(g->b, LLVMTypeOf(x), ""), values[] = {x, y};
    LLVMBasicBlockRef blocks[] = {from, other};
    LLVMAddIncoming(phi, values, blocks, 2);
    return phi;
}

static LLVMValueRef load_vector(struct gen *g, const struct gpu_address *a, uint32_t i)
{
    LLVMTypeRef type = gpu_vector_type(g, a);
    struct border b = border_of(g, a, i);
    struct lane_access access = gpu_access(g, a, i, type, a->width, b.all);
    LLVMValueRef quick = g->gpu->hooks->load(&g->gpu->lane, &access);
    if (!b.ragged)
        return quick;
    LLVMBasicBlockRef from = LLVMGetInsertBlock(g->b);
    LLVMBasicBlockRef slow = gen_block(g, "border"), join = gen_block(g, "loaded");
    LLVMValueRef partly = gpu_and(g, b.some, LLVMBuildNot(g->b, b.all, ""));
    LLVMBuildCondBr(g->b, partly, slow, join);
    LLVMPositionBuilderAtEnd(g->b, slow);
    LLVMValueRef parts = gpu_load_elements(g, a, i);
    LLVMBasicBlockRef end = LLVMGetInsertBlock(g->b);
    LLVMBuildBr(g->b, join);
    LLVMPositionBuilderAtEnd(g->b, join);
    return gpu_one_of(g, quick, from, parts, end);
}

/* All vectors, in a block of their own. */
static LLVMBasicBlockRef load_block(struct gen *g, const struct gpu_address *a, bool whole,
                                    LLVMValueRef *out)
{
    uint32_t mark = gpu_enter(g);
    for (uint32_t i = 0; i < a->view.count / a->width; i++)
        out[i] = whole ? load_vector(g, a, i * a->width) : gpu_load_elements(g, a, i * a->width);
    gpu_leave(g, mark);
    return LLVMGetInsertBlock(g->b);
}

/* Vectors if the address allows, else elements. */
static void load_tested(struct gen *g, const struct gpu_address *a, LLVMValueRef *out)
{
    uint32_t count = a->view.count / a->width;
    LLVMBasicBlockRef wide = gen_block(g, "wide"), narrow = gen_block(g, "narrow");
    LLVMBasicBlockRef join = gen_block(g, "loaded");
    LLVMValueRef *parts = arena_array(&g->s->module, LLVMValueRef, count);
    LLVMBuildCondBr(g->b, a->aligned, wide, narrow);
    LLVMPositionBuilderAtEnd(g->b, narrow);
    narrow = load_block(g, a, false, parts);
    LLVMBuildBr(g->b, join);
    LLVMPositionBuilderAtEnd(g->b, wide);
    wide = load_block(g, a, true, out);
    LLVMBuildBr(g->b, join);
    LLVMPositionBuilderAtEnd(g->b, join);
    for (uint32_t i = 0; i < count; i++)
        out[i] = gpu_one_of(g, out[i], wide, parts[i], narrow);
}

void gpu_load_vectors(struct gen *g, const struct gpu_address *a, LLVMValueRef *out)
{
    gpu_renew_tests(g, a->view.axes);
    if (a->aligned) {
        load_tested(g, a, out);
        return;
    }
    for (uint32_t i = 0; i < a->view.count / a->width; i++)
        out[i] = load_vector(g, a, i * a->width);
}

void gpu_take_vector(struct gen *g, const struct gpu_address *a, LLVMValueRef x, uint32_t from)
{
    struct ir_value *v = a->node->results[0];
    const struct gpu_view *own = &gpu_value(g, v)->view;
    bool words = in_words(a);
    bool same = gpu_view_same(&a->view, own) && gpu_value(g, v)->words;
    if (words && !same)
        x = LLVMBuildBitCast(g->b, x, gen_wide(g->t_i16, a->width), "");
    for (uint32_t k = 0; k < a->width; k++)
        if (!words || !same)
            gpu_set(g, v, gpu_view_map(&a->view, from + k, own),
                    from_memory(g, v->type.elem, gen_lane(g, x, k)));
        else if (k % 2 == 0)
            gpu_set_word(g, v, (from + k) / 2, gen_lane(g, x, k / 2));
}

void gpu_take_vectors(struct gen *g, const struct gpu_address *a, LLVMValueRef const *vectors)
{
    for (uint32_t i = 0; i < a->view.count; i += a->width)
        gpu_take_vector(g, a, vectors[i / a->width], i);
}

bool gpu_is_loaded(struct gen *g, const struct ir_node *n)
{
    const struct gpu_value *v = gpu_value(g, n->results[0]);
    return v->regs[0] || (v->words && v->words[0]) || v->late || v->parked;
}

/* ---- late loads -------------------------------------------------------------------------------- */

enum { MANY = 4, AHEAD = 2 }; /* vectors */

static bool is_reduced_after(const struct ir_node *n)
{
    for (; n; n = n->next)
        if (n->region_count)
            return true;
    return false;
}

static bool is_reduced_before(const struct ir_node *n)
{
    for (; n; n = n->prev)
        if (n->op == IR_OP_reduce && n->attr.to == IR_NO_AXIS)
            return true;
    return false;
}

/* Weights: many vectors, read after the last reduction of a block, in straight-line code. All of them
 * at once would take registers that the row itself needs. */
static bool may_be_late(struct gen *g, const struct gpu_address *a)
{
    const struct ir_node *n = a->node;
    if (g->gpu->loop || a->aligned || a->width == 1 || a->view.count / a->width < MANY ||
        !gpu_view_same(&a->view, &gpu_value(g, n->results[0])->view) ||
        g->gpu->written[n->attr.tensor] || is_reduced_after(n->next) || !is_reduced_before(n->prev))
        return false;
    for (uint32_t i = 0; i < a->view.count; i += a->width)
        if (border_of(g, a, i).ragged)
            return false;
    return true;
}

void gpu_load_late(struct gen *g, struct gpu_value *gv, uint32_t i)
{
    const struct gpu_address *a = gv->late;
    if (gv->parked) {
        gpu_unpark(g, gv, i);
        return;
    }
    uint32_t from = i - i % a->width, ahead = from + (AHEAD + 1) * a->width;
    for (; from < a->view.count && from < ahead; from += a->width)
        if (gv->words && in_words(a) ? !gv->words[from / 2] : !gv->regs[from])
            gpu_take_vector(g, a, load_vector(g, a, from), from);
}

void gpu_load_here(struct gen *g, struct ir_node *n)
{
    gpu_order(g, n);
    if (gpu_stage_take(g, n) || gpu_park(g, n))
        return;
    struct gpu_address a = gpu_address(g, n, n->results[0]->type.axes);
    if (a.width == 1) {
        gpu_renew_tests(g, a.view.axes);
        for (uint32_t i = 0; i < a.view.count; i++)
            load_single(g, &a, i);
        return;
    }
    if (may_be_late(g, &a)) {
        struct gpu_address *late = arena_new(&g->s->module, struct gpu_address);
        *late = a;
        gpu_value(g, n->results[0])->late = late;
        return;
    }
    LLVMValueRef *vectors = arena_array(&g->s->module, LLVMValueRef, a.view.count / a.width);
    gpu_load_vectors(g, &a, vectors);
    gpu_take_vectors(g, &a, vectors);
}

/* ---- stores ------------------------------------------------------------------------------------ */

static void store_single(struct gen *g, const struct gpu_address *a, struct ir_value *v, uint32_t i,
                         LLVMValueRef owner)
{
    LLVMValueRef guard = gpu_and(g, gpu_exists(g, &a->view, i, a->view.axes), in_tensor(g, a, i));
    LLVMValueRef x = to_memory(g, v->type.elem, gpu_reg_in(g, v, &a->view, i));
    struct lane_access access = gpu_access(g, a, i, LLVMTypeOf(x), 1, gpu_and(g, guard, owner));
    g->gpu->hooks->store(&g->gpu->lane, &access, x);
}

static LLVMValueRef word_in(struct gen *g, const struct gpu_address *a, struct ir_value *v,
                            uint32_t i)
{
    struct gpu_value *gv = gpu_value(g, v);
    if (gpu_view_same(&gv->view, &a->view))
        return gpu_word(g, v, i / 2);
    LLVMValueRef low = gpu_reg_in(g, v, &a->view, i), high = gpu_reg_in(g, v, &a->view, i + 1);
    low = LLVMBuildZExt(g->b, low, g->t_i32, "");
    high =
        LLVMBuildShl(g->b, LLVMBuildZExt(g->b, high, g->t_i32, ""), gen_int(g, g->t_i32, 16), "");
    return LLVMBuildOr(g->b, low, high, "");
}

static LLVMValueRef collect(struct gen *g, const struct gpu_address *a, struct ir_value *v,
                            uint32_t i)
{
    LLVMValueRef all = LLVMGetPoison(gpu_vector_type(g, a));
    if (in_words(a))
        for (uint32_t k = 0; k < a->width / 2; k++)
            all = insert(g, all, word_in(g, a, v, i + 2 * k), k);
    else
        for (uint32_t k = 0; k < a->width; k++)
            all = insert(g, all, to_memory(g, v->type.elem, gpu_reg_in(g, v, &a->view, i + k)), k);
    return all;
}

static void store_by_element(struct gen *g, const struct gpu_address *a, uint32_t i, LLVMValueRef x,
                             LLVMValueRef owner)
{
    LLVMTypeRef t = gen_memory_type(g, a->tensor->elem);
    x = LLVMBuildBitCast(g->b, x, gen_wide(t, a->width), "");
    uint32_t mark = gpu_enter(g);
    gpu_renew_tests(g, a->view.axes);
    for (uint32_t k = 0; k < a->width; k++) {
        LLVMValueRef exists = gpu_exists(g, &a->view, i + k, a->view.axes);
        struct lane_access access = gpu_access(g, a, i + k, t, 1, gpu_and(g, exists, owner));
        g->gpu->hooks->store(&g->gpu->lane, &access, gen_lane(g, x, k));
    }
    gpu_leave(g, mark);
}

static void store_vector(struct gen *g, const struct gpu_address *a, uint32_t i, LLVMValueRef x,
                         LLVMValueRef owner)
{
    struct border b = border_of(g, a, i);
    LLVMValueRef guard = gpu_and(g, b.all, owner);
    struct lane_access access = gpu_access(g, a, i, LLVMTypeOf(x), a->width, guard);
    g->gpu->hooks->store(&g->gpu->lane, &access, x);
    if (!b.ragged)
        return;
    LLVMBasicBlockRef slow = gen_block(g, "border"), join = gen_block(g, "stored");
    LLVMValueRef partly = gpu_and(g, b.some, LLVMBuildNot(g->b, b.all, ""));
    LLVMBuildCondBr(g->b, gpu_and(g, partly, owner), slow, join);
    LLVMPositionBuilderAtEnd(g->b, slow);
    store_by_element(g, a, i, x, owner);
    LLVMBuildBr(g->b, join);
    LLVMPositionBuilderAtEnd(g->b, join);
}

static void store_tested(struct gen *g, const struct gpu_address *a, LLVMValueRef const *vectors,
                         LLVMValueRef owner)
{
    LLVMBasicBlockRef wide = gen_block(g, "wide"), narrow = gen_block(g, "narrow");
    LLVMBasicBlockRef join = gen_block(g, "stored");
    LLVMBuildCondBr(g->b, a->aligned, wide, narrow);
    LLVMPositionBuilderAtEnd(g->b, wide);
    uint32_t mark = gpu_enter(g);
    for (uint32_t i = 0; i < a->view.count; i += a->width)
        store_vector(g, a, i, vectors[i / a->width], owner);
    gpu_leave(g, mark);
    LLVMBuildBr(g->b, join);
    LLVMPositionBuilderAtEnd(g->b, narrow);
    for (uint32_t i = 0; i < a->view.count; i += a->width)
        store_by_element(g, a, i, vectors[i / a->width], owner);
    LLVMBuildBr(g->b, join);
    LLVMPositionBuilderAtEnd(g->b, join);
}

/* One vector after the other, so that what goes into it need not wait in registers. */
static void store_proven(struct gen *g, const struct gpu_address *a, struct ir_value *v,
                         LLVMValueRef owner)
{
    for (uint32_t i = 0; i < a->view.count; i += a->width)
        if (a->width == 1)
            store_single(g, a, v, i, owner);
        else
            store_vector(g, a, i, collect(g, a, v, i), owner);
}

/* Of a scalar only its owner needs the value: LLVM moves what computes it into the branch. */
static void store_scalar(struct gen *g, const struct gpu_address *a, struct ir_value *v,
                         LLVMValueRef owner)
{
    LLVMBasicBlockRef own = gen_block(g, "own"), join = gen_block(g, "stored");
    LLVMValueRef test = gpu_and(g, owner, in_tensor(g, a, 0));
    LLVMBuildCondBr(g->b, test, own, join);
    LLVMPositionBuilderAtEnd(g->b, own);
    LLVMValueRef x = to_memory(g, v->type.elem, gpu_scalar(g, v));
    struct lane_access access = gpu_access(g, a, 0, LLVMTypeOf(x), 1, NULL);
    g->gpu->hooks->store(&g->gpu->lane, &access, x);
    LLVMBuildBr(g->b, join);
    LLVMPositionBuilderAtEnd(g->b, join);
}

void gpu_store_here(struct gen *g, struct ir_node *n)
{
    uint32_t rank = g->f->tensors.data[n->attr.tensor].rank;
    struct ir_value *v = n->operands[rank];
    gpu_order(g, n);
    gpu_end_copies(g, n->attr.tensor);
    axis_set axes = gpu_subscript_axes(g->f, n) | v->type.axes;
    struct gpu_address a = gpu_address(g, n, axes);
    LLVMValueRef owner = gpu_owner(g, axes);
    gpu_renew_tests(g, axes);
    if (!axes && owner) {
        gpu_force(g, v);
        store_scalar(g, &a, v, owner);
        return;
    }
    if (!a.aligned) {
        store_proven(g, &a, v, owner);
        return;
    }
    LLVMValueRef *vectors = arena_array(&g->s->module, LLVMValueRef, a.view.count / a.width);
    for (uint32_t i = 0; i < a.view.count; i += a.width)
        vectors[i / a.width] = collect(g, &a, v, i);
    store_tested(g, &a, vectors, owner);
}

/* ---- atomics, assertions ----------------------------------------------------------------------- */

void gpu_atomic(struct gen *g, struct ir_node *n)
{
    uint32_t rank = g->f->tensors.data[n->attr.tensor].rank;
    struct ir_value *v = n->operands[rank];
    gpu_order(g, n);
    gpu_end_copies(g, n->attr.tensor);
    axis_set axes = gpu_subscript_axes(g->f, n) | v->type.axes;
    struct gpu_address a = gpu_address(g, n, axes);
    LLVMValueRef owner = gpu_owner(g, axes);
    for (uint32_t i = 0; i < a.view.count; i++) {
        LLVMValueRef guard = gpu_and(g, gpu_exists(g, &a.view, i, axes), in_tensor(g, &a, i));
        LLVMValueRef x = gpu_reg_in(g, v, &a.view, i);
        struct lane_access access =
            gpu_access(g, &a, i, LLVMTypeOf(x), 1, gpu_and(g, guard, owner));
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
