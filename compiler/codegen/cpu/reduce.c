/* Reductions.
 *
 * In the innermost reduced loops a reduction over the leaf's axis runs lane by lane in a vector
 * accumulator, its scalar rest in another; at the end of those loops (the tail) the lanes are
 * combined. A reduction whose outer loops enclose loops over axes it keeps, and one down to a part
 * axis, accumulates into storage over those axes. Accumulators are allocas: sroa makes them
 * registers. A combiner has no identity: a flag tells its first element. */
#include "codegen/cpu/cpu.h"

#define MAX_OPERANDS 16

struct accumulator {
    uint32_t count;
    enum ir_elem elem[MAX_OPERANDS];  /* accumulated as */
    bool leaf_reduced;                /* the leaf's axis is combined lane by lane */
    bool in_storage;                  /* partial results go to the results' storage */
    LLVMValueRef lanes[MAX_OPERANDS]; /* allocas: vector, scalar */
    LLVMValueRef single[MAX_OPERANDS];
    LLVMValueRef lanes_any, single_any, any; /* combiner: something was combined */
    unsigned width;
};

static enum ir_kind kind_of(const struct ir_node *n)
{
    return (enum ir_kind)n->attr.kind;
}

static bool is_combiner(const struct ir_node *n)
{
    return n->attr.kind == IR_KIND_COMBINER;
}

/* ---- one step ---------------------------------------------------------------------------------- */

/* The combiner's region, inlined for values of any width. */
static void apply_region(struct gen *g, const struct ir_node *n, LLVMValueRef *out, LLVMValueRef *a,
                         LLVMValueRef *b, unsigned width)
{
    struct region *r = plan_region(g->cpu->plan, n->regions[0]);
    uint32_t count = n->operand_count;
    unsigned outer = g->cpu->combine_width;
    g->cpu->combine_width = width;
    gen_push(g, NULL);
    r->level = gen_depth(g);
    for (uint32_t i = 0; i < count; i++) {
        gen_set(g, r->block->args.data[i], a[i]);
        gen_set(g, r->block->args.data[count + i], b[i]);
    }
    for (uint32_t i = 0; i < count; i++)
        out[i] = gen_value_as(g, r->block->last->operands[i], width);
    gen_pop(g);
    g->cpu->combine_width = outer;
}

/* What fmin and fmax have met so far is never NaN, since they start at infinity: one instruction,
 * which gives the second operand when either is NaN. */
static LLVMValueRef best_number(struct gen *g, bool most, LLVMValueRef so_far, LLVMValueRef x)
{
    LLVMRealPredicate better = most ? LLVMRealOGT : LLVMRealOLT;
    return LLVMBuildSelect(g->b, LLVMBuildFCmp(g->b, better, x, so_far, ""), x, so_far, "");
}

void gen_combine(struct gen *g, const struct ir_node *n, LLVMValueRef *out, LLVMValueRef *a,
                 LLVMValueRef *b, unsigned width)
{
    bool most = n->attr.kind == IR_KIND_FMAX, least = n->attr.kind == IR_KIND_FMIN;
    if ((most || least) && ir_elem_is_float(n->operands[0]->type.elem))
        out[0] = best_number(g, most, a[0], b[0]);
    else if (is_combiner(n))
        apply_region(g, n, out, a, b, width);
    else
        out[0] = gen_binary_kind(g, kind_of(n), gen_accumulate_as(n->operands[0]->type.elem), a[0],
                                 b[0]);
}

/* acc = first ? x : acc with x. */
static void step(struct gen *g, const struct ir_node *n, LLVMValueRef *acc, LLVMValueRef *x,
                 LLVMValueRef any, unsigned width)
{
    LLVMValueRef out[MAX_OPERANDS];
    gen_combine(g, n, out, acc, x, width);
    for (uint32_t i = 0; i < n->operand_count; i++)
        acc[i] = any ? LLVMBuildSelect(g->b, any, out[i], x[i], "") : out[i];
}

/* ---- accumulators ------------------------------------------------------------------------------ */

static const struct storage *storage_of(const struct gen *g, const struct ir_value *v)
{
    return plan_of(g->cpu->plan, v)->storage;
}

static struct accumulator *new_accumulator(struct gen *g, struct unit *u)
{
    const struct ir_node *n = u->node;
    struct accumulator *acc = arena_new(&g->s->module, struct accumulator);
    acc->count = n->operand_count;
    if (acc->count > MAX_OPERANDS)
        diag_bug(g->s, n->at, "a reduction of more than %d values", MAX_OPERANDS);
    for (uint32_t i = 0; i < acc->count; i++)
        acc->elem[i] = gen_combined_as(n, i);
    acc->leaf_reduced = u->tail_loop && n->attr.to == IR_NO_AXIS;
    acc->in_storage = n->attr.to != IR_NO_AXIS || u->tail_loop != u->outer_loop;
    return acc;
}

static LLVMValueRef new_flag(struct gen *g, const struct ir_node *n)
{
    LLVMValueRef flag = is_combiner(n) ? gen_alloca(g, g->t_i1) : NULL;
    if (flag)
        LLVMBuildStore(g->b, gen_int(g, g->t_i1, 0), flag);
    return flag;
}

static LLVMValueRef read_flag(struct gen *g, LLVMValueRef flag)
{
    return flag ? LLVMBuildLoad2(g->b, g->t_i1, flag, "") : NULL;
}

static void set_flag(struct gen *g, LLVMValueRef flag)
{
    if (flag)
        LLVMBuildStore(g->b, gen_int(g, g->t_i1, 1), flag);
}

/* ---- storage over kept axes -------------------------------------------------------------------- */

struct fill {
    const struct storage *storage;
    enum ir_elem elem;
    LLVMValueRef value;
    unsigned dim;
    axis_set fixed; /* axes whose loops are around */
    unsigned width;
};

static void fill_round(struct gen *g, void *user, LLVMValueRef counter);

static void fill_dims(struct gen *g, struct fill *f)
{
    const struct storage *s = f->storage;
    if (s->kind == STORAGE_SLOT) {
        LLVMValueRef all = gen_splat(g, f->value, (unsigned)s->size[0]);
        gen_storage_store(g, s, f->elem, all, (unsigned)s->size[0], IR_NO_AXIS, NULL);
        return;
    }
    while (f->dim < s->dim_count && g->cpu->axes[s->dims[f->dim]].bound)
        f->dim++;
    if (f->dim == s->dim_count) {
        gen_storage_store(g, s, f->elem, gen_splat(g, f->value, f->width), f->width, IR_NO_AXIS,
                          NULL);
        return;
    }
    bool last = f->dim + 1 == s->dim_count;
    unsigned width = last && s->size[f->dim] % 16 == 0 ? 16 : 1;
    struct fill inner = *f;
    inner.width = width;
    gen_counted(g, gen_index(g, 0), gen_index(g, s->size[f->dim]), width, fill_round, &inner);
}

static void fill_round(struct gen *g, void *user, LLVMValueRef counter)
{
    struct fill f = *(struct fill *)user;
    uint8_t axis = f.storage->dims[f.dim];
    struct gen_axis saved = g->cpu->axes[axis];
    uint8_t leaf = g->cpu->leaf;
    g->cpu->axes[axis].offset = counter;
    g->cpu->axes[axis].bound = true;
    g->cpu->axes[axis].level = gen_depth(g);
    if (f.width > 1)
        g->cpu->leaf = axis;
    f.dim++;
    fill_dims(g, &f);
    g->cpu->leaf = leaf;
    g->cpu->axes[axis] = saved;
}

void gen_fill_storage(struct gen *g, const struct storage *s, enum ir_elem elem, LLVMValueRef value)
{
    struct fill f = {.storage = s, .elem = elem, .value = value, .width = 1};
    fill_dims(g, &f);
}

/* Offset along the part axis of the element where the code is. */
static LLVMValueRef part_offset(struct gen *g, const struct ir_node *n)
{
    const struct ir_axis *part = &g->f->axes.data[n->attr.to];
    LLVMValueRef offset = g->cpu->axes[part->parent].offset;
    if (!offset || part->tile == 1)
        return gen_index(g, 0);
    return LLVMBuildURem(g->b, offset, gen_index(g, part->tile), "");
}

/* True until every part has met its first element: elements before `parts` of the tile are first. */
static LLVMValueRef parts_begun(struct gen *g, const struct ir_node *n, LLVMValueRef any)
{
    const struct ir_axis *part = &g->f->axes.data[n->attr.to];
    LLVMValueRef offset = g->cpu->axes[part->parent].offset;
    if (!offset)
        return any;
    LLVMValueRef later = LLVMBuildICmp(g->b, LLVMIntSGE, offset, gen_index(g, part->tile), "");
    return any ? LLVMBuildOr(g->b, later, any, "") : later;
}

static void combine_into_storage(struct gen *g, struct unit *u, LLVMValueRef *x, unsigned width)
{
    const struct ir_node *n = u->node;
    struct accumulator *acc = u->acc;
    bool parts = n->attr.to != IR_NO_AXIS;
    uint8_t moved = parts ? n->attr.to : IR_NO_AXIS;
    LLVMValueRef offset = parts ? part_offset(g, n) : NULL;
    LLVMValueRef old[MAX_OPERANDS];
    for (uint32_t i = 0; i < acc->count; i++)
        old[i] =
            gen_storage_load(g, storage_of(g, n->results[i]), acc->elem[i], width, moved, offset);
    LLVMValueRef any = NULL;
    if (is_combiner(n))
        any = parts ? parts_begun(g, n,
                                  u->inner_loop != u->outer_loop ? read_flag(g, acc->any) : NULL)
                    : read_flag(g, acc->any);
    step(g, n, old, x, any, width);
    for (uint32_t i = 0; i < acc->count; i++)
        gen_storage_store(g, storage_of(g, n->results[i]), acc->elem[i], old[i], width, moved,
                          offset);
}

/* ---- the life of a reduction ------------------------------------------------------------------- */

void gen_reduce_begin(struct gen *g, struct unit *u)
{
    const struct ir_node *n = u->node;
    struct accumulator *acc = u->acc = new_accumulator(g, u);
    acc->any = new_flag(g, n);
    if (!acc->in_storage)
        return;
    for (uint32_t i = 0; i < acc->count; i++) {
        const struct storage *s = storage_of(g, n->results[i]);
        if (!s)
            diag_bug(g->s, n->at, "a reduction has nowhere to accumulate");
        gen_fill_storage(g, s, acc->elem[i], gen_identity(g, kind_of(n), acc->elem[i]));
    }
}

static void init_single(struct gen *g, struct unit *u)
{
    struct accumulator *acc = u->acc;
    for (uint32_t i = 0; i < acc->count; i++) {
        LLVMValueRef identity = gen_identity(g, kind_of(u->node), acc->elem[i]);
        acc->single[i] = gen_alloca(g, gen_type(g, acc->elem[i]));
        LLVMBuildStore(g->b, identity, acc->single[i]);
        if (acc->width == 1)
            continue;
        acc->lanes[i] = gen_alloca(g, LLVMVectorType(gen_type(g, acc->elem[i]), acc->width));
        LLVMBuildStore(g->b, gen_splat(g, identity, acc->width), acc->lanes[i]);
    }
}

void gen_reduce_tail_begin(struct gen *g, struct unit *u)
{
    struct accumulator *acc = u->acc;
    if (!acc->leaf_reduced)
        return;
    acc->width = u->inner_loop->leaf ? u->inner_loop->width : 1;
    init_single(g, u);
    acc->single_any = new_flag(g, u->node);
    acc->lanes_any = new_flag(g, u->node);
}

static void combine_single(struct gen *g, struct unit *u, LLVMValueRef *x, unsigned width)
{
    struct accumulator *acc = u->acc;
    LLVMValueRef *place = width > 1 ? acc->lanes : acc->single;
    LLVMValueRef flag = width > 1 ? acc->lanes_any : acc->single_any;
    LLVMValueRef old[MAX_OPERANDS];
    for (uint32_t i = 0; i < acc->count; i++)
        old[i] = LLVMBuildLoad2(g->b, gen_wide(gen_type(g, acc->elem[i]), width), place[i], "");
    step(g, u->node, old, x, read_flag(g, flag), width);
    for (uint32_t i = 0; i < acc->count; i++)
        LLVMBuildStore(g->b, old[i], place[i]);
    set_flag(g, flag);
}

/* The reduced axes have one element in a program: nothing to combine. */
static void pass_through(struct gen *g, struct unit *u)
{
    for (uint32_t i = 0; i < u->node->operand_count; i++) {
        struct ir_value *v = u->node->results[i];
        unsigned width = gen_value_width(g, v);
        LLVMValueRef x = gen_value_as(g, u->node->operands[i], width);
        gen_set(g, v, x);
        if (storage_of(g, v))
            gen_storage_store(g, storage_of(g, v), v->type.elem, x, width, IR_NO_AXIS, NULL);
    }
}

void gen_reduce(struct gen *g, struct unit *u)
{
    const struct ir_node *n = u->node;
    LLVMValueRef x[MAX_OPERANDS];
    if (!u->outer_loop) {
        pass_through(g, u);
        return;
    }
    bool wide = g->cpu->leaf != IR_NO_AXIS && (u->space & axis_bit(g->cpu->leaf));
    unsigned width = wide ? g->cpu->width : 1;
    for (uint32_t i = 0; i < n->operand_count; i++)
        x[i] = gen_cast(g, gen_value_as(g, n->operands[i], width), n->operands[i]->type.elem,
                        u->acc->elem[i]);
    if (u->acc->leaf_reduced)
        combine_single(g, u, x, width);
    else
        combine_into_storage(g, u, x, width);
}

void gen_reduce_round(struct gen *g, struct unit *u)
{
    if (u->node->op == IR_OP_scan)
        gen_scan_round(g, u);
    else
        set_flag(g, u->acc->any);
}

/* Combines the lanes: halves with halves. */
static void across_lanes(struct gen *g, const struct ir_node *n, LLVMValueRef *v, unsigned width)
{
    uint32_t count = n->operand_count;
    while (width > 1) {
        LLVMValueRef low[MAX_OPERANDS], high[MAX_OPERANDS], odd[MAX_OPERANDS];
        unsigned half = width / 2;
        for (uint32_t i = 0; i < count; i++) {
            low[i] = gen_lanes(g, v[i], 0, half);
            high[i] = gen_lanes(g, v[i], half, half);
            odd[i] = width % 2 ? gen_lane(g, v[i], width - 1) : NULL;
        }
        if (width % 2) {
            /* Fold the odd lane into the first of the lower half. */
            LLVMValueRef first[MAX_OPERANDS], sum[MAX_OPERANDS];
            for (uint32_t i = 0; i < count; i++)
                first[i] = gen_lane(g, low[i], 0);
            gen_combine(g, n, sum, first, odd, 1);
            for (uint32_t i = 0; i < count; i++)
                low[i] = half == 1 ? sum[i]
                                   : LLVMBuildInsertElement(g->b, low[i], sum[i],
                                                            gen_int(g, g->t_i32, 0), "");
        }
        gen_combine(g, n, v, low, high, half);
        width = half;
    }
    for (uint32_t i = 0; i < count; i++)
        v[i] = gen_lane(g, v[i], 0);
}

/* The lanes' and the rest's results as one. *any: something was combined (combiners only). */
static void collect(struct gen *g, struct unit *u, LLVMValueRef *v, LLVMValueRef *any)
{
    struct accumulator *acc = u->acc;
    const struct ir_node *n = u->node;
    LLVMValueRef rest[MAX_OPERANDS], both[MAX_OPERANDS];
    for (uint32_t i = 0; i < acc->count; i++)
        rest[i] = LLVMBuildLoad2(g->b, gen_type(g, acc->elem[i]), acc->single[i], "");
    *any = read_flag(g, acc->single_any);
    if (acc->width == 1) {
        for (uint32_t i = 0; i < acc->count; i++)
            v[i] = rest[i];
        return;
    }
    for (uint32_t i = 0; i < acc->count; i++)
        v[i] = LLVMBuildLoad2(g->b, LLVMVectorType(gen_type(g, acc->elem[i]), acc->width),
                              acc->lanes[i], "");
    across_lanes(g, n, v, acc->width);
    gen_combine(g, n, both, v, rest, 1);
    if (!is_combiner(n)) {
        v[0] = both[0];
        return;
    }
    LLVMValueRef lanes_any = read_flag(g, acc->lanes_any);
    for (uint32_t i = 0; i < acc->count; i++) {
        LLVMValueRef some = LLVMBuildSelect(g->b, *any, both[i], v[i], "");
        v[i] = LLVMBuildSelect(g->b, lanes_any, some, rest[i], "");
    }
    *any = LLVMBuildOr(g->b, *any, lanes_any, "");
}

void gen_reduce_tail_end(struct gen *g, struct unit *u)
{
    struct accumulator *acc = u->acc;
    if (!acc->leaf_reduced || !acc->in_storage)
        return;
    /* Into storage over the kept axes of the loops between. */
    LLVMValueRef v[MAX_OPERANDS], old[MAX_OPERANDS], some;
    const struct ir_node *n = u->node;
    collect(g, u, v, &some);
    for (uint32_t i = 0; i < acc->count; i++)
        old[i] =
            gen_storage_load(g, storage_of(g, n->results[i]), acc->elem[i], 1, IR_NO_AXIS, NULL);
    LLVMValueRef out[MAX_OPERANDS];
    for (uint32_t i = 0; i < acc->count; i++)
        out[i] = old[i];
    step(g, n, out, v, read_flag(g, acc->any), 1);
    for (uint32_t i = 0; i < acc->count; i++) {
        LLVMValueRef x = some ? LLVMBuildSelect(g->b, some, out[i], old[i], "") : out[i];
        gen_storage_store(g, storage_of(g, n->results[i]), acc->elem[i], x, 1, IR_NO_AXIS, NULL);
    }
}

/* The result is complete: at hand for what follows, and in storage if wanted farther away. */
void gen_reduce_end(struct gen *g, struct unit *u)
{
    struct accumulator *acc = u->acc;
    const struct ir_node *n = u->node;
    if (acc->in_storage)
        return;
    LLVMValueRef v[MAX_OPERANDS], any;
    collect(g, u, v, &any);
    for (uint32_t i = 0; i < acc->count; i++) {
        if (any)
            v[i] = LLVMBuildSelect(g->b, any, v[i], LLVMConstNull(LLVMTypeOf(v[i])), "");
        struct ir_value *result = n->results[i];
        LLVMValueRef x = gen_cast(g, v[i], acc->elem[i], result->type.elem);
        gen_set(g, result, x);
        if (storage_of(g, result))
            gen_storage_store(g, storage_of(g, result), result->type.elem, x, 1, IR_NO_AXIS, NULL);
    }
}
