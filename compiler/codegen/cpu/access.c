/* Tensor accesses. An address is the sum of the subscripts' affine terms, each multiplied at the
 * level where it is fixed. Along the leaf's axis an access is contiguous (one vector access), fixed
 * (one element for all lanes) or anything else (a gather or scatter of the lanes). */
#include "codegen/cpu/cpu.h"

struct address {
    LLVMValueRef pointer; /* of the first lane */
    LLVMValueRef start;   /* the same where the leaf's loop begins */
    LLVMValueRef lanes;   /* offsets of the lanes from it, in elements; NULL: contiguous or fixed */
    bool contiguous;
    unsigned width;
};

static const struct ir_tensor *tensor_of(const struct gen *g, const struct ir_node *n)
{
    return &g->f->tensors.data[n->attr.tensor];
}

/* ---- addresses --------------------------------------------------------------------------------- */

/* Parts of an offset by the level at which they are fixed. */
struct sum {
    LLVMValueRef *at;
};

static void add_to(struct gen *g, struct sum *s, LLVMValueRef v)
{
    LLVMValueRef *at = &s->at[g->cpu->at];
    *at = *at ? LLVMBuildAdd(g->b, *at, v, "") : v;
}

static LLVMValueRef scaled(struct gen *g, LLVMValueRef v, int64_t coefficient, LLVMValueRef stride)
{
    if (LLVMTypeOf(v) != g->t_i64)
        v = LLVMBuildSExt(g->b, v, g->t_i64, "");
    if (coefficient != 1)
        v = LLVMBuildMul(g->b, v, gen_index(g, coefficient), "");
    return LLVMBuildMul(g->b, v, stride, "");
}

static void add_term(struct gen *g, struct sum *s, const struct ir_affine_term *term,
                     LLVMValueRef stride)
{
    unsigned level = term->value ? gen_value_level(g, term->value) : 0;
    unsigned back = gen_go(g, level < g->cpu->at ? level : g->cpu->at);
    LLVMValueRef v = term->value ? gen_value(g, term->value) : gen_index(g, 1);
    add_to(g, s, scaled(g, v, term->coefficient, stride));
    gen_go(g, back);
}

/* A stride, and the level at which it is known. */
struct stride {
    LLVMValueRef value;
    unsigned level;
};

/* A dim's stride times what the axis is multiplied by. */
static struct stride stride_along(struct gen *g, const struct ir_affine *a, unsigned axis,
                                  LLVMValueRef stride)
{
    struct ir_value *factor = a->factor[axis];
    if (!factor)
        return (struct stride){stride, 0};
    unsigned level = gen_value_level(g, factor);
    level = level < g->cpu->at ? level : g->cpu->at;
    unsigned back = gen_go(g, level);
    stride = scaled(g, gen_value(g, factor), 1, stride);
    gen_go(g, back);
    return (struct stride){stride, level};
}

/* Adds v * coefficient * stride where all three are known, v being so at `level`. */
static void add_at(struct gen *g, struct sum *s, unsigned level, LLVMValueRef v,
                   int64_t coefficient, struct stride stride)
{
    level = level < stride.level ? stride.level : level;
    unsigned back = gen_go(g, level < g->cpu->at ? level : g->cpu->at);
    add_to(g, s, scaled(g, v, coefficient, stride.value));
    gen_go(g, back);
}

/* index{axis} = begin + offset: begin is fixed for the tile, the offset by the loop over it. */
static void add_axis(struct gen *g, struct sum *s, uint8_t axis, int64_t coefficient,
                     struct stride stride)
{
    const struct gen_axis *x = &g->cpu->axes[axis];
    gen_axis_range(g, axis);
    add_at(g, s, x->range_level, x->begin, coefficient, stride);
    if (x->bound && x->offset)
        add_at(g, s, x->level, x->offset, coefficient, stride);
}

static LLVMValueRef stride_of(const struct gen *g, const struct ir_node *n, uint32_t dim)
{
    const struct ir_tensor *t = tensor_of(g, n);
    return dim + 1 == t->rank && !t->strided ? gen_index(g, 1) : g->strides[n->attr.tensor][dim];
}

/* Offsets of the lanes of one dim, or NULL if all lanes have the same subscript. */
static LLVMValueRef add_dim(struct gen *g, struct sum *s, struct ir_node *n, uint32_t dim,
                            unsigned width, bool *unit)
{
    LLVMValueRef stride = stride_of(g, n, dim);
    struct ir_affine a;
    ir_affine_of(n->operands[dim], &a);
    *unit = false;
    if (!a.affine) {
        LLVMValueRef v = gen_value(g, n->operands[dim]);
        if (gen_width_of(v) == 1) {
            add_to(g, s, scaled(g, v, 1, stride));
            return NULL;
        }
        return LLVMBuildMul(g->b, v, gen_splat(g, stride, width), "");
    }
    for (uint32_t i = 0; i < a.term_count; i++)
        add_term(g, s, &a.terms[i], stride);
    for (unsigned i = 0; i < g->f->axes.count; i++)
        if (a.coefficient[i])
            add_axis(g, s, (uint8_t)i, a.coefficient[i], stride_along(g, &a, i, stride));
    if (width == 1 || g->cpu->leaf == IR_NO_AXIS || !a.coefficient[g->cpu->leaf])
        return NULL;
    uint8_t leaf = g->cpu->leaf;
    *unit = a.coefficient[leaf] == 1 && !a.factor[leaf] && LLVMIsAConstantInt(stride);
    stride = stride_along(g, &a, leaf, stride).value;
    LLVMValueRef step = scaled(g, gen_index(g, a.coefficient[leaf]), 1, stride);
    return LLVMBuildMul(g->b, gen_iota(g, g->t_i64, width), gen_splat(g, step, width), "");
}

static struct address make_address(struct gen *g, struct ir_node *n, unsigned width)
{
    const struct ir_tensor *t = tensor_of(g, n);
    struct sum s = {arena_array(&g->s->module, LLVMValueRef, g->cpu->levels.count)};
    struct address a = {.width = width};
    uint32_t moving = 0;
    for (uint32_t d = 0; d < t->rank; d++) {
        bool unit;
        LLVMValueRef lanes = add_dim(g, &s, n, d, width, &unit);
        if (!lanes)
            continue;
        moving++;
        a.contiguous = unit;
        a.lanes = a.lanes ? LLVMBuildAdd(g->b, a.lanes, lanes, "") : lanes;
    }
    a.contiguous &= moving == 1;
    if (a.contiguous)
        a.lanes = NULL;
    a.pointer = g->tensors[n->attr.tensor];
    for (unsigned level = 0; level <= g->cpu->at; level++) {
        if (g->cpu->leaf != IR_NO_AXIS && level == g->cpu->axes[g->cpu->leaf].level)
            a.start = a.pointer;
        if (!s.at[level] || gen_is_zero(s.at[level]))
            continue;
        unsigned back = gen_go(g, level);
        a.pointer =
            LLVMBuildGEP2(g->b, gen_memory_type(g, t->elem), a.pointer, &s.at[level], 1, "");
        gen_go(g, back);
    }
    return a;
}

static LLVMValueRef lane_pointers(struct gen *g, const struct ir_tensor *t, const struct address *a)
{
    return LLVMBuildGEP2(g->b, gen_memory_type(g, t->elem), a->pointer, (LLVMValueRef[]){a->lanes},
                         1, "");
}

/* ---- range tests ------------------------------------------------------------------------------- */

/* Lanes whose subscripts all lie inside the tensor: a bool, or a vector of them. */
static LLVMValueRef inside(struct gen *g, struct ir_node *n, unsigned width)
{
    const struct ir_tensor *t = tensor_of(g, n);
    LLVMValueRef all = gen_splat(g, gen_int(g, g->t_i1, 1), width);
    for (uint32_t d = 0; d < t->rank; d++) {
        LLVMValueRef v = gen_value(g, n->operands[d]);
        LLVMValueRef dim = gen_splat(g, gen_value(g, t->dims[d]), gen_width_of(v));
        /* Below zero is beyond the dim as an unsigned number. */
        LLVMValueRef in = LLVMBuildICmp(g->b, LLVMIntULT, v, dim, "");
        all = LLVMBuildAnd(g->b, all, gen_splat(g, in, width), "");
    }
    return all;
}

/* ---- accesses ---------------------------------------------------------------------------------- */

static LLVMValueRef mark(struct gen *g, LLVMValueRef access, uint8_t tensor)
{
    LLVMSetMetadata(access, g->md_scope,
                    LLVMMetadataAsValue(g->context, g->cpu->alias_scope[tensor]));
    if (g->cpu->alias_others[tensor])
        LLVMSetMetadata(access, g->md_noalias,
                        LLVMMetadataAsValue(g->context, g->cpu->alias_others[tensor]));
    return access;
}

static unsigned element_bytes(enum ir_elem e)
{
    return ir_elem_bits(e) / 8;
}

static LLVMValueRef to_value(struct gen *g, enum ir_elem e, LLVMValueRef v)
{
    return e == IR_BOOL ? LLVMBuildICmp(g->b, LLVMIntNE, v, LLVMConstNull(LLVMTypeOf(v)), "") : v;
}

static LLVMValueRef to_memory(struct gen *g, enum ir_elem e, LLVMValueRef v)
{
    return e == IR_BOOL ? LLVMBuildZExt(g->b, v, gen_shape(g, g->t_i8, v), "") : v;
}

static LLVMValueRef plain_load(struct gen *g, const struct ir_tensor *t, LLVMTypeRef type,
                               LLVMValueRef p, uint8_t number)
{
    LLVMValueRef v = LLVMBuildLoad2(g->b, type, p, "");
    LLVMSetAlignment(v, element_bytes(t->elem));
    return mark(g, v, number);
}

/* Fixed for all lanes: read from harmless memory where it is not inside. */
static LLVMValueRef load_one(struct gen *g, const struct ir_tensor *t, const struct address *a,
                             LLVMValueRef in, LLVMValueRef fill, uint8_t number)
{
    LLVMTypeRef type = gen_memory_type(g, t->elem);
    if (!in)
        return plain_load(g, t, type, a->pointer, number);
    LLVMValueRef p = LLVMBuildSelect(g->b, in, a->pointer, g->cpu->nowhere, "");
    return LLVMBuildSelect(g->b, in, plain_load(g, t, type, p, number), fill, "");
}

static LLVMValueRef load_lanes(struct gen *g, const struct ir_tensor *t, const struct address *a,
                               LLVMValueRef in, LLVMValueRef fill, uint8_t number)
{
    LLVMTypeRef type = LLVMVectorType(gen_memory_type(g, t->elem), a->width);
    if (a->contiguous && !in)
        return plain_load(g, t, type, a->pointer, number);
    if (!in)
        in = gen_splat(g, gen_int(g, g->t_i1, 1), a->width);
    LLVMValueRef align = gen_int(g, g->t_i32, element_bytes(t->elem));
    if (a->contiguous) {
        LLVMTypeRef types[] = {type, g->t_ptr};
        LLVMValueRef args[] = {a->pointer, align, in, fill};
        return mark(g, gen_intrinsic(g, "llvm.masked.load", types, 2, args, 4), number);
    }
    LLVMTypeRef types[] = {type, LLVMVectorType(g->t_ptr, a->width)};
    LLVMValueRef args[] = {lane_pointers(g, t, a), align, in, fill};
    return mark(g, gen_intrinsic(g, "llvm.masked.gather", types, 2, args, 4), number);
}

LLVMValueRef gen_load(struct gen *g, struct ir_node *n, unsigned width)
{
    const struct ir_tensor *t = tensor_of(g, n);
    bool guarded = n->attr.flag || g->options->check;
    LLVMValueRef in = guarded ? inside(g, n, width) : NULL;
    if (g->options->check && !n->attr.flag)
        gen_check_bounds(g, n, in, width);
    if (g->options->check)
        gen_check_touch(g, n, in, width);
    struct address a = make_address(g, n, width);
    LLVMTypeRef type = gen_wide(gen_memory_type(g, t->elem), width);
    LLVMValueRef fill = LLVMConstNull(type);
    if (n->attr.flag)
        fill = to_memory(g, t->elem, gen_value_as(g, n->operands[t->rank], width));
    if (a.contiguous)
        gen_fetch_ahead(g, n, a.pointer, width);
    bool fixed = width == 1 || (!a.lanes && !a.contiguous && !in);
    LLVMValueRef v = fixed ? load_one(g, t, &a, in, fill, n->attr.tensor) : NULL;
    if (!v && !a.lanes && !a.contiguous)
        a.lanes = LLVMConstNull(LLVMVectorType(g->t_i64, width));
    if (!v)
        v = load_lanes(g, t, &a, in, fill, n->attr.tensor);
    return to_value(g, t->elem, v);
}

static void plain_store(struct gen *g, const struct ir_node *n, LLVMValueRef v, LLVMValueRef p)
{
    const struct ir_tensor *t = tensor_of(g, n);
    LLVMValueRef st = LLVMBuildStore(g->b, v, p);
    LLVMSetAlignment(st, element_bytes(t->elem));
    mark(g, st, n->attr.tensor);
}

/* ---- stores past the caches -------------------------------------------------------------------- */

#define STREAM_BYTES ((int64_t)16 << 20)
#define LINE         64

/* A large result that this kernel does not read is gone from the caches before anybody wants it;
 * writing around them saves reading each line first. NULL: the size is not known up front. */
static LLVMValueRef is_large(struct gen *g, uint8_t tensor)
{
    const struct ir_tensor *t = &g->f->tensors.data[tensor];
    if (g->cpu->streamed[tensor])
        return g->cpu->stream[tensor];
    g->cpu->streamed[tensor] = true;
    if (!g->x86 || t->access != IR_OUT || g->cpu->plan->loaded[tensor])
        return NULL;
    for (uint32_t d = 0; d < t->rank; d++)
        if (!plan_of(g->cpu->plan, t->dims[d])->invariant)
            return NULL;
    unsigned back = gen_go(g, 0);
    LLVMValueRef bytes = gen_index(g, element_bytes(t->elem));
    for (uint32_t d = 0; d < t->rank; d++)
        bytes = LLVMBuildMul(g->b, bytes, gen_value(g, t->dims[d]), "");
    g->cpu->stream[tensor] =
        LLVMBuildICmp(g->b, LLVMIntSGE, bytes, gen_index(g, STREAM_BYTES), "large");
    gen_go(g, back);
    return g->cpu->stream[tensor];
}

/* Such stores want whole aligned lines: true if the leaf's first address is at one. */
static LLVMValueRef may_stream(struct gen *g, const struct ir_node *n, const struct address *a)
{
    const struct ir_tensor *t = tensor_of(g, n);
    LLVMValueRef large = NULL;
    if (a->start && a->width * element_bytes(t->elem) % LINE == 0)
        large = is_large(g, n->attr.tensor);
    if (!large)
        return NULL;
    unsigned back = gen_go(g, g->cpu->axes[g->cpu->leaf].level - 1);
    LLVMValueRef at = LLVMBuildPtrToInt(g->b, a->start, g->t_i64, "");
    LLVMValueRef low = LLVMBuildAnd(g->b, at, gen_index(g, LINE - 1), "");
    LLVMValueRef aligned = LLVMBuildICmp(g->b, LLVMIntEQ, low, gen_index(g, 0), "");
    LLVMValueRef both = LLVMBuildAnd(g->b, aligned, large, "");
    gen_go(g, back);
    return both;
}

static void store_contiguous(struct gen *g, const struct ir_node *n, LLVMValueRef v,
                             const struct address *a)
{
    LLVMValueRef stream = may_stream(g, n, a);
    if (!stream) {
        plain_store(g, n, v, a->pointer);
        return;
    }
    g->cpu->fence = true;
    LLVMBasicBlockRef past = gen_block(g, "past"), cached = gen_block(g, "cached");
    LLVMBasicBlockRef done = gen_block(g, "done");
    LLVMBuildCondBr(g->b, stream, past, cached);
    LLVMPositionBuilderAtEnd(g->b, past);
    LLVMValueRef st = mark(g, LLVMBuildStore(g->b, v, a->pointer), n->attr.tensor);
    LLVMSetAlignment(st, LINE);
    LLVMMetadataRef one = LLVMValueAsMetadata(gen_int(g, g->t_i32, 1));
    LLVMMetadataRef hint = LLVMMDNodeInContext2(g->context, &one, 1);
    LLVMSetMetadata(st, g->md_nontemporal, LLVMMetadataAsValue(g->context, hint));
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, cached);
    plain_store(g, n, v, a->pointer);
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, done);
}

static void store_lanes(struct gen *g, const struct ir_node *n, LLVMValueRef v,
                        const struct address *a, LLVMValueRef in)
{
    const struct ir_tensor *t = tensor_of(g, n);
    if (a->contiguous && !in) {
        store_contiguous(g, n, v, a);
        return;
    }
    if (!in)
        in = gen_splat(g, gen_int(g, g->t_i1, 1), a->width);
    LLVMValueRef align = gen_int(g, g->t_i32, element_bytes(t->elem));
    LLVMTypeRef type = LLVMTypeOf(v);
    if (a->contiguous) {
        LLVMTypeRef types[] = {type, g->t_ptr};
        LLVMValueRef args[] = {v, a->pointer, align, in};
        mark(g, gen_intrinsic(g, "llvm.masked.store", types, 2, args, 4), n->attr.tensor);
        return;
    }
    LLVMTypeRef types[] = {type, LLVMVectorType(g->t_ptr, a->width)};
    LLVMValueRef args[] = {v, lane_pointers(g, t, a), align, in};
    mark(g, gen_intrinsic(g, "llvm.masked.scatter", types, 2, args, 4), n->attr.tensor);
}

/* Lanes that a writing node covers: those of all its operands. */
static unsigned node_width(const struct gen *g, const struct ir_node *n)
{
    unsigned width = 1;
    for (uint32_t i = 0; i < n->operand_count; i++) {
        unsigned w = gen_value_width(g, n->operands[i]);
        width = w > width ? w : width;
    }
    return width;
}

void gen_store(struct gen *g, struct ir_node *n)
{
    const struct ir_tensor *t = tensor_of(g, n);
    unsigned width = node_width(g, n);
    bool guarded = n->attr.flag || g->options->check;
    LLVMValueRef v = to_memory(g, t->elem, gen_value_as(g, n->operands[t->rank], width));
    LLVMValueRef in = guarded ? inside(g, n, width) : NULL;
    if (g->options->check && !n->attr.flag)
        gen_check_bounds(g, n, in, width);
    if (g->options->check)
        gen_check_touch(g, n, in, width);
    struct address a = make_address(g, n, width);
    if (width > 1 && (a.contiguous || a.lanes)) {
        store_lanes(g, n, v, &a, in);
        return;
    }
    LLVMValueRef p = a.pointer;
    if (in)
        p = LLVMBuildSelect(g->b, gen_lane(g, in, 0), p, g->cpu->nowhere, "");
    plain_store(g, n, gen_lane(g, v, width - 1), p);
}

/* ---- atomics ----------------------------------------------------------------------------------- */

/* old = *p; do new = old with v; while *p changed meanwhile. Floats go as integers of their bits. */
static void combine_atomically(struct gen *g, struct ir_node *n, LLVMValueRef p, LLVMValueRef v)
{
    const struct ir_tensor *t = tensor_of(g, n);
    LLVMTypeRef bits = LLVMIntTypeInContext(g->context, ir_elem_bits(t->elem));
    LLVMValueRef first = LLVMBuildLoad2(g->b, bits, p, "");
    LLVMSetOrdering(first, LLVMAtomicOrderingMonotonic);
    LLVMSetAlignment(first, element_bytes(t->elem));
    LLVMBasicBlockRef before = LLVMGetInsertBlock(g->b);
    LLVMBasicBlockRef again = gen_block(g, "atomic"), done = gen_block(g, "done");
    LLVMBuildBr(g->b, again);
    LLVMPositionBuilderAtEnd(g->b, again);
    LLVMValueRef old = LLVMBuildPhi(g->b, bits, "");
    enum ir_elem as = gen_accumulate_as(t->elem);
    LLVMValueRef x =
        to_value(g, t->elem, LLVMBuildBitCast(g->b, old, gen_memory_type(g, t->elem), ""));
    x = gen_binary_kind(g, (enum ir_kind)n->attr.kind, as, gen_cast(g, x, t->elem, as),
                        gen_cast(g, v, t->elem, as));
    x = to_memory(g, t->elem, gen_cast(g, x, as, t->elem));
    x = LLVMBuildBitCast(g->b, x, bits, "");
    LLVMValueRef swap = LLVMBuildAtomicCmpXchg(g->b, p, old, x, LLVMAtomicOrderingMonotonic,
                                               LLVMAtomicOrderingMonotonic, false);
    LLVMSetAlignment(swap, element_bytes(t->elem));
    LLVMValueRef found = LLVMBuildExtractValue(g->b, swap, 0, "");
    LLVMBuildCondBr(g->b, LLVMBuildExtractValue(g->b, swap, 1, ""), done, again);
    LLVMValueRef values[] = {first, found};
    LLVMBasicBlockRef blocks[] = {before, LLVMGetInsertBlock(g->b)};
    LLVMAddIncoming(old, values, blocks, 2);
    LLVMPositionBuilderAtEnd(g->b, done);
}

static void atomic_lane(struct gen *g, struct ir_node *n, LLVMValueRef p, LLVMValueRef v)
{
    const struct ir_tensor *t = tensor_of(g, n);
    if (n->attr.kind != IR_KIND_SUM || ir_elem_is_float(t->elem)) {
        combine_atomically(g, n, p, v);
        return;
    }
    LLVMBuildAtomicRMW(g->b, LLVMAtomicRMWBinOpAdd, p, v, LLVMAtomicOrderingMonotonic, false);
}

void gen_atomic(struct gen *g, struct ir_node *n)
{
    const struct ir_tensor *t = tensor_of(g, n);
    unsigned width = node_width(g, n);
    LLVMValueRef v = gen_value_as(g, n->operands[t->rank], width);
    LLVMValueRef in = g->options->check || n->attr.flag ? inside(g, n, width) : NULL;
    if (g->options->check)
        gen_check_bounds(g, n, in, width);
    struct address a = make_address(g, n, width);
    for (unsigned i = 0; i < width; i++) {
        LLVMValueRef at = a.lanes ? gen_lane(g, a.lanes, i) : gen_index(g, a.contiguous ? i : 0);
        LLVMValueRef p = LLVMBuildGEP2(g->b, gen_memory_type(g, t->elem), a.pointer, &at, 1, "");
        if (in)
            p = LLVMBuildSelect(g->b, gen_lane(g, in, i), p, g->cpu->nowhere, "");
        atomic_lane(g, n, p, gen_lane(g, v, i));
    }
}

/* Stores past the caches become visible in no order by themselves. */
void gen_store_fence(struct gen *g)
{
    if (g->cpu->fence)
        gen_intrinsic(g, "llvm.x86.sse.sfence", NULL, 0, NULL, 0);
}
