/* Values where they belong. A value is emitted once at the outermost level at which it is the same
 * (the loop over the innermost of its axes, else its region), and kept until that level ends. */
#include "codegen/cpu/cpu.h"

/* ---- levels ------------------------------------------------------------------------------------ */

unsigned gen_depth(const struct gen *g)
{
    return g->cpu->levels.count - 1;
}

void gen_push(struct gen *g, LLVMValueRef hoist)
{
    vec_push(&g->s->module, &g->cpu->levels, (struct gen_level){.hoist = hoist});
    g->cpu->at = gen_depth(g);
}

void gen_pop(struct gen *g)
{
    struct gen_level *level = &vec_last(&g->cpu->levels);
    for (uint32_t i = level->cached.count; i--;) {
        struct cached **slot = &g->cpu->cache[level->cached.data[i]];
        *slot = (*slot)->outer;
    }
    g->cpu->levels.count--;
    g->cpu->at = gen_depth(g);
}

/* The branch before which code of this level goes; NULL: the end of the current block. */
static LLVMValueRef hoist_point(const struct gen *g, unsigned level)
{
    for (unsigned i = level + 1; i < g->cpu->levels.count; i++)
        if (g->cpu->levels.data[i].hoist)
            return g->cpu->levels.data[i].hoist;
    return NULL;
}

unsigned gen_go(struct gen *g, unsigned level)
{
    unsigned from = g->cpu->at;
    if (level == from)
        return from;
    LLVMValueRef here = hoist_point(g, from), there = hoist_point(g, level);
    if (!here)
        g->cpu->tip = LLVMGetInsertBlock(g->b);
    g->cpu->at = level;
    if (here == there)
        return from;
    LLVMMetadataRef line = LLVMGetCurrentDebugLocation2(g->b);
    if (there)
        LLVMPositionBuilderBefore(g->b, there);
    else
        LLVMPositionBuilderAtEnd(g->b, g->cpu->tip);
    LLVMSetCurrentDebugLocation2(g->b, line);
    return from;
}

/* ---- values ------------------------------------------------------------------------------------ */

unsigned gen_value_width(const struct gen *g, const struct ir_value *v)
{
    const struct value_plan *vp = plan_of(g->cpu->plan, v);
    if (vp->invariant)
        return 1;
    if (vp->region && vp->region->combiner)
        return g->cpu->combine_width;
    return g->cpu->leaf != IR_NO_AXIS && (vp->axes & axis_bit(g->cpu->leaf)) ? g->cpu->width : 1;
}

unsigned gen_value_level(const struct gen *g, const struct ir_value *v)
{
    const struct value_plan *vp = plan_of(g->cpu->plan, v);
    if (vp->invariant)
        return 0;
    unsigned level = vp->region->level;
    for (unsigned a = 0; a < g->f->axes.count; a++)
        if ((vp->axes & axis_bit(a)) && g->cpu->axes[a].bound && g->cpu->axes[a].level > level)
            level = g->cpu->axes[a].level;
    return level;
}

static void set_at(struct gen *g, struct ir_value *v, LLVMValueRef value, unsigned level)
{
    struct cached *c = arena_new(&g->s->module, struct cached);
    *c = (struct cached){value, gen_width_of(value), level, g->cpu->cache[v->id]};
    g->cpu->cache[v->id] = c;
    vec_push(&g->s->module, &g->cpu->levels.data[level].cached, v->id);
}

void gen_set(struct gen *g, struct ir_value *v, LLVMValueRef value)
{
    set_at(g, v, value, g->cpu->at);
}

static LLVMValueRef make_value(struct gen *g, struct ir_value *v, unsigned width)
{
    const struct value_plan *vp = plan_of(g->cpu->plan, v);
    if (vp->lazy)
        return gen_compute(g, v->node);
    if (!vp->storage)
        diag_bug(g->s, v->def == IR_DEF_NODE ? v->node->at : g->f->at,
                 "a value is used before it is made");
    return gen_storage_load(g, vp->storage, v->type.elem, width, IR_NO_AXIS, NULL);
}

LLVMValueRef gen_value(struct gen *g, struct ir_value *v)
{
    struct cached *c = g->cpu->cache[v->id];
    unsigned width = gen_value_width(g, v);
    if (c && c->width == width)
        return c->value;
    unsigned level = gen_value_level(g, v);
    LLVMMetadataRef line = LLVMGetCurrentDebugLocation2(g->b);
    unsigned back = gen_go(g, level < g->cpu->at ? level : g->cpu->at);
    LLVMValueRef value = gen_splat(g, make_value(g, v, width), width);
    set_at(g, v, value, g->cpu->at);
    gen_go(g, back);
    LLVMSetCurrentDebugLocation2(g->b, line);
    return value;
}

LLVMValueRef gen_value_as(struct gen *g, struct ir_value *v, unsigned width)
{
    return gen_splat(g, gen_value(g, v), width);
}

/* ---- axes -------------------------------------------------------------------------------------- */

/* PROGRAM and GRID axes are set when the program starts, swept ones by their sweep. The others have
 * one range in the whole program, found when first needed. */
void gen_axis_range(struct gen *g, uint8_t axis)
{
    struct gen_axis *x = &g->cpu->axes[axis];
    const struct ir_axis *a = &g->f->axes.data[axis];
    if (x->ranged)
        return;
    x->ranged = true;
    if (a->kind != IR_AXIS_HELD) {
        /* Parts, and tiles over a swept axis outside its sweep: all lanes. */
        x->begin = gen_index(g, 0);
        x->count = gen_index(g, a->tile);
        return;
    }
    unsigned back = gen_go(g, 1);
    x->range_level = 1;
    x->begin = gen_value(g, a->lo);
    LLVMValueRef count = LLVMBuildSub(g->b, gen_value(g, a->hi), x->begin, "");
    if (a->full)
        count = gen_index(g, a->tile);
    LLVMTypeRef t = g->t_i64;
    LLVMValueRef floor[] = {count, gen_index(g, 0)};
    LLVMValueRef positive = a->full ? count : gen_intrinsic(g, "llvm.smax", &t, 1, floor, 2);
    LLVMValueRef cap[] = {positive, gen_index(g, a->tile)};
    x->count = a->full ? count : gen_intrinsic(g, "llvm.smin", &t, 1, cap, 2);
    gen_go(g, back);
}

/* index{a} where the code is. */
static LLVMValueRef index_tile(struct gen *g, uint8_t axis, unsigned width)
{
    const struct gen_axis *x = &g->cpu->axes[axis];
    gen_axis_range(g, axis);
    LLVMValueRef first = x->offset ? LLVMBuildAdd(g->b, x->begin, x->offset, "") : x->begin;
    if (width == 1)
        return first;
    return LLVMBuildAdd(g->b, gen_splat(g, first, width), gen_iota(g, g->t_i64, width), "");
}

/* ---- lazy ops ---------------------------------------------------------------------------------- */

static axis_set part_of(const struct gen *g, const struct ir_node *spread)
{
    return plan_of(g->cpu->plan, spread->operands[0])->axes &
           ~plan_of(g->cpu->plan, spread->results[0])->axes;
}

static uint8_t only_axis(axis_set axes)
{
    uint8_t a = 0;
    while (!(axes & axis_bit(a)))
        a++;
    return a;
}

/* The element offset mod parts of the tile over parts. */
static LLVMValueRef gen_spread(struct gen *g, struct ir_node *n, unsigned width)
{
    uint8_t part = only_axis(part_of(g, n));
    const struct storage *s = plan_of(g->cpu->plan, n->operands[0])->storage;
    LLVMValueRef offset = g->cpu->axes[n->attr.axis].offset;
    LLVMValueRef parts = gen_index(g, g->f->axes.data[part].tile);
    offset = offset ? LLVMBuildURem(g->b, offset, parts, "") : gen_index(g, 0);
    return gen_storage_load(g, s, n->results[0]->type.elem, width, part, offset);
}

static LLVMValueRef gen_extract(struct gen *g, struct ir_node *n, unsigned width)
{
    const struct value_plan *vp = plan_of(g->cpu->plan, n->operands[0]);
    if (!(vp->axes & axis_bit(n->attr.axis)))
        return gen_value(g, n->operands[0]);
    LLVMValueRef at = gen_value(g, n->operands[1]);
    LLVMTypeRef t = g->t_i64;
    LLVMValueRef floor[] = {at, gen_index(g, 0)};
    LLVMValueRef cap[] = {gen_intrinsic(g, "llvm.smax", &t, 1, floor, 2),
                          gen_index(g, g->f->axes.data[n->attr.axis].tile - 1)};
    at = gen_intrinsic(g, "llvm.smin", &t, 1, cap, 2);
    return gen_storage_load(g, vp->storage, n->results[0]->type.elem, width, n->attr.axis, at);
}

static LLVMValueRef gen_relabel(struct gen *g, struct ir_node *n, unsigned width)
{
    const struct value_plan *vp = plan_of(g->cpu->plan, n->operands[0]);
    if (!(vp->axes & axis_bit(n->attr.axis)))
        return gen_value(g, n->operands[0]);
    LLVMValueRef offset = g->cpu->axes[n->attr.to].offset;
    return gen_storage_load(g, vp->storage, n->results[0]->type.elem, width, n->attr.axis,
                            offset ? offset : gen_index(g, 0));
}

/* Is the value the axis's own number, which 32 bits hold? */
static bool is_small_index(const struct gen *g, const struct ir_value *v)
{
    if (v->def != IR_DEF_NODE || v->node->op != IR_OP_index)
        return false;
    const struct ir_axis *a = &g->f->axes.data[v->node->attr.axis];
    if (!a->lo || a->lo->def != IR_DEF_NODE || a->lo->node->op != IR_OP_const ||
        a->lo->node->attr.i != 0)
        return false;
    for (uint32_t i = 0; i < g->f->params.count; i++)
        if (g->f->params.data[i].value == a->hi)
            return g->f->params.data[i].hi <= INT32_MAX;
    return false;
}

static LLVMValueRef limited(struct gen *g, LLVMValueRef x, int64_t lo, int64_t hi)
{
    LLVMTypeRef t = g->t_i64;
    LLVMValueRef low[] = {x, gen_index(g, lo)};
    LLVMValueRef high[] = {gen_intrinsic(g, "llvm.smax", &t, 1, low, 2), gen_index(g, hi)};
    return LLVMBuildTrunc(g->b, gen_intrinsic(g, "llvm.smin", &t, 1, high, 2), g->t_i32, "");
}

/* i32: how far behind lane 0 of the index tile the scalar is; any number beyond the lanes will do if it
 * is beyond them. Of a small index the scalar is limited first, outside of any loop. */
static LLVMValueRef distance(struct gen *g, struct ir_value *index, struct ir_value *scalar)
{
    LLVMTypeRef t = g->t_i64;
    LLVMValueRef first = gen_lane(g, gen_value(g, index), 0), to = gen_value(g, scalar);
    if (is_small_index(g, index))
        return LLVMBuildSub(g->b, limited(g, to, -1, INT32_MAX),
                            LLVMBuildTrunc(g->b, first, g->t_i32, ""), "");
    LLVMValueRef both[] = {to, first};
    return limited(g, gen_intrinsic(g, "llvm.ssub.sat", &t, 1, both, 2), -1, g->cpu->width);
}

/* Index tiles against a scalar (v == target): 64-bit lanes are dear, so the scalar's distance from
 * the first lane is compared with the lanes' numbers in 32 bits. */
static LLVMValueRef compare_index(struct gen *g, struct ir_node *n)
{
    static const LLVMIntPredicate ahead[] = {LLVMIntEQ,  LLVMIntNE,  LLVMIntSLT,
                                             LLVMIntSLE, LLVMIntSGT, LLVMIntSGE};
    static const LLVMIntPredicate behind[] = {LLVMIntEQ,  LLVMIntNE,  LLVMIntSGT,
                                              LLVMIntSGE, LLVMIntSLT, LLVMIntSLE};
    if (n->op != IR_OP_cmp || g->cpu->leaf == IR_NO_AXIS || n->operands[0]->type.elem != IR_INDEX)
        return NULL;
    for (int side = 0; side < 2; side++) {
        struct ir_affine a;
        ir_affine_of(n->operands[side], &a);
        if (!a.affine || a.coefficient[g->cpu->leaf] != 1 || a.factor[g->cpu->leaf] ||
            gen_value_width(g, n->operands[side]) == 1 ||
            gen_value_width(g, n->operands[!side]) > 1)
            continue;
        LLVMIntPredicate p = side ? behind[n->attr.kind] : ahead[n->attr.kind];
        LLVMValueRef d = distance(g, n->operands[side], n->operands[!side]);
        return LLVMBuildICmp(g->b, p, gen_iota(g, g->t_i32, g->cpu->width),
                             gen_splat(g, d, g->cpu->width), "");
    }
    return NULL;
}

static LLVMValueRef gen_plain(struct gen *g, struct ir_node *n)
{
    LLVMValueRef compared = compare_index(g, n);
    if (compared)
        return compared;
    LLVMValueRef x[3];
    for (uint32_t i = 0; i < n->operand_count; i++)
        x[i] = gen_value(g, n->operands[i]);
    unsigned widest = 1;
    for (uint32_t i = 0; i < n->operand_count; i++)
        if (gen_width_of(x[i]) > widest)
            widest = gen_width_of(x[i]);
    for (uint32_t i = 0; i < n->operand_count; i++)
        x[i] = gen_splat(g, x[i], widest);
    return gen_elementwise(g, n, x);
}

LLVMValueRef gen_compute(struct gen *g, struct ir_node *n)
{
    unsigned width = gen_value_width(g, n->results[0]);
    gen_at(g, n->at);
    switch ((int)n->op) {
    case IR_OP_const: return gen_constant(g, n);
    case IR_OP_index: return index_tile(g, n->attr.axis, width);
    case IR_OP_load: return gen_load(g, n, width);
    case IR_OP_expand:
    case IR_OP_merge: return gen_value(g, n->operands[0]);
    case IR_OP_spread: return gen_spread(g, n, width);
    case IR_OP_extract: return gen_extract(g, n, width);
    case IR_OP_relabel: return gen_relabel(g, n, width);
    default: return gen_plain(g, n);
    }
}
