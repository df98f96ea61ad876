/* Tile storage: registers for scalars and slots, scratch for the rest. */
#include "codegen/cpu/cpu.h"

/* Bools are bytes outside of SSA values. */
static LLVMTypeRef kept_type(const struct gen *g, const struct storage *s)
{
    LLVMTypeRef t = gen_memory_type(g, s->elem);
    return s->kind == STORAGE_SLOT && s->size[0] > 1 ? LLVMVectorType(t, (unsigned)s->size[0]) : t;
}

void gen_place_storages(struct gen *g)
{
    for (uint32_t i = 0; i < g->cpu->plan->storages.count; i++) {
        struct storage *s = g->cpu->plan->storages.data[i];
        if (s->kind == STORAGE_MEMORY) {
            LLVMValueRef offset = gen_index(g, (int64_t)s->offset);
            s->place = LLVMBuildGEP2(g->b, g->t_i8, g->cpu->scratch, &offset, 1, "tile");
        } else {
            s->place = gen_alloca(g, kept_type(g, s));
        }
    }
}

void gen_scratch_alias(struct gen *g, LLVMValueRef access)
{
    uint32_t n = g->f->tensors.count;
    LLVMSetMetadata(access, g->md_scope, LLVMMetadataAsValue(g->context, g->cpu->alias_scope[n]));
    if (g->cpu->alias_others[n])
        LLVMSetMetadata(access, g->md_noalias,
                        LLVMMetadataAsValue(g->context, g->cpu->alias_others[n]));
}

static LLVMValueRef offset_of(struct gen *g, uint8_t axis, uint8_t moved, LLVMValueRef offset)
{
    if (axis == moved)
        return offset;
    LLVMValueRef own = g->cpu->axes[axis].offset;
    return own ? own : gen_index(g, 0);
}

/* Address of the element (the first lane's). *stride: elements from lane to lane; 0: one element
 * for all lanes. */
static LLVMValueRef address(struct gen *g, const struct storage *s, uint8_t moved,
                            LLVMValueRef offset, bool lanes_move, int64_t *stride)
{
    LLVMValueRef at = gen_index(g, 0);
    int64_t step = 1;
    *stride = 0;
    for (unsigned i = s->dim_count; i--;) {
        uint8_t axis = s->dims[i];
        LLVMValueRef o = offset_of(g, axis, moved, offset);
        at = LLVMBuildAdd(g->b, at, LLVMBuildMul(g->b, o, gen_index(g, step), ""), "");
        if (axis == moved ? lanes_move : axis == g->cpu->leaf)
            *stride = step;
        step *= s->size[i];
    }
    return LLVMBuildGEP2(g->b, gen_memory_type(g, s->elem), s->place, &at, 1, "");
}

static LLVMValueRef from_kept(struct gen *g, const struct storage *s, enum ir_elem elem,
                              LLVMValueRef v)
{
    if (s->elem == IR_BOOL)
        v = LLVMBuildTrunc(g->b, v, gen_shape(g, g->t_i1, v), "");
    return s->elem == elem ? v : gen_cast(g, v, s->elem, elem);
}

static LLVMValueRef to_kept(struct gen *g, const struct storage *s, enum ir_elem elem,
                            LLVMValueRef v)
{
    if (s->elem != elem)
        v = gen_cast(g, v, elem, s->elem);
    return s->elem == IR_BOOL ? LLVMBuildZExt(g->b, v, gen_shape(g, g->t_i8, v), "") : v;
}

static LLVMValueRef load_slot(struct gen *g, const struct storage *s, unsigned width, uint8_t moved,
                              LLVMValueRef offset)
{
    LLVMValueRef all = LLVMBuildLoad2(g->b, kept_type(g, s), s->place, "");
    if (width == (unsigned)s->size[0] || s->size[0] == 1)
        return all;
    LLVMValueRef at = offset_of(g, s->dims[0], moved, offset);
    return LLVMBuildExtractElement(g->b, all, at, "");
}

static LLVMValueRef mark_scratch(struct gen *g, LLVMValueRef access, const struct storage *s)
{
    LLVMSetAlignment(access, (unsigned)(ir_elem_bits(s->elem) / 8));
    gen_scratch_alias(g, access);
    return access;
}

/* The elements where the code is; `moved` (if an axis): at `offset` along it instead. The lanes of
 * a vector go along the leaf's axis, or along `moved` if the storage lacks that. */
LLVMValueRef gen_storage_load(struct gen *g, const struct storage *s, enum ir_elem elem,
                              unsigned width, uint8_t moved, LLVMValueRef offset)
{
    if (s->kind == STORAGE_SCALAR)
        return from_kept(g, s, elem, LLVMBuildLoad2(g->b, kept_type(g, s), s->place, ""));
    if (s->kind == STORAGE_SLOT)
        return from_kept(g, s, elem, load_slot(g, s, width, moved, offset));
    LLVMTypeRef t = gen_memory_type(g, s->elem);
    bool has_leaf = false;
    for (unsigned i = 0; i < s->dim_count; i++)
        has_leaf |= s->dims[i] == g->cpu->leaf;
    int64_t stride;
    LLVMValueRef p = address(g, s, moved, offset, width > 1 && !has_leaf, &stride);
    if (width == 1 || stride == 0)
        return from_kept(g, s, elem, mark_scratch(g, LLVMBuildLoad2(g->b, t, p, ""), s));
    if (stride == 1)
        return from_kept(g, s, elem,
                         mark_scratch(g, LLVMBuildLoad2(g->b, LLVMVectorType(t, width), p, ""), s));
    LLVMValueRef all = LLVMGetPoison(LLVMVectorType(t, width));
    for (unsigned i = 0; i < width; i++) {
        LLVMValueRef at = gen_index(g, stride * i);
        LLVMValueRef e = LLVMBuildGEP2(g->b, t, p, &at, 1, "");
        e = mark_scratch(g, LLVMBuildLoad2(g->b, t, e, ""), s);
        all = LLVMBuildInsertElement(g->b, all, e, gen_int(g, g->t_i32, i), "");
    }
    return from_kept(g, s, elem, all);
}

static void store_slot(struct gen *g, const struct storage *s, LLVMValueRef v, uint8_t moved,
                       LLVMValueRef offset)
{
    if (s->size[0] > 1 && gen_width_of(v) == 1) {
        LLVMValueRef all = LLVMBuildLoad2(g->b, kept_type(g, s), s->place, "");
        LLVMValueRef at = offset_of(g, s->dims[0], moved, offset);
        v = LLVMBuildInsertElement(g->b, all, v, at, "");
    }
    if (s->size[0] == 1)
        v = gen_lane(g, v, 0);
    LLVMBuildStore(g->b, v, s->place);
}

void gen_storage_store(struct gen *g, const struct storage *s, enum ir_elem elem,
                       LLVMValueRef value, unsigned width, uint8_t moved, LLVMValueRef offset)
{
    value = to_kept(g, s, elem, value);
    if (s->kind == STORAGE_SCALAR) {
        LLVMBuildStore(g->b, value, s->place);
        return;
    }
    if (s->kind == STORAGE_SLOT) {
        store_slot(g, s, value, moved, offset);
        return;
    }
    bool has_leaf = false;
    for (unsigned i = 0; i < s->dim_count; i++)
        has_leaf |= s->dims[i] == g->cpu->leaf;
    int64_t stride;
    LLVMValueRef p = address(g, s, moved, offset, width > 1 && !has_leaf, &stride);
    if (width == 1 || stride <= 1) {
        mark_scratch(
            g, LLVMBuildStore(g->b, stride || width == 1 ? value : gen_lane(g, value, 0), p), s);
        return;
    }
    LLVMTypeRef t = gen_memory_type(g, s->elem);
    for (unsigned i = 0; i < width; i++) {
        LLVMValueRef at = gen_index(g, stride * i);
        LLVMValueRef e = LLVMBuildGEP2(g->b, t, p, &at, 1, "");
        mark_scratch(g, LLVMBuildStore(g->b, gen_lane(g, value, i), e), s);
    }
}
