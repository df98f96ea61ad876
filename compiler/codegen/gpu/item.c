/* Items: joining, words, results. */
#include "codegen/gpu/item.h"

static bool is_combiner(const struct ir_node *n)
{
    return n->attr.kind == IR_KIND_COMBINER;
}

axis_set gpu_operand_axes(const struct ir_node *n)
{
    axis_set axes = 0;
    for (uint32_t i = 0; i < n->operand_count; i++)
        axes |= n->operands[i]->type.axes;
    return axes;
}

/* ---- joining ----------------------------------------------------------------------------------- */

void gpu_combine(struct gen *g, const struct ir_node *n, LLVMValueRef *out, LLVMValueRef *a,
                 LLVMValueRef *b)
{
    uint32_t count = n->operand_count;
    if (!is_combiner(n)) {
        out[0] = gen_binary_kind(g, (enum ir_kind)n->attr.kind, gen_combined_as(n, 0), a[0], b[0]);
        return;
    }
    LLVMValueRef args[2 * GPU_MAX_OPERANDS];
    for (uint32_t i = 0; i < count; i++) {
        args[i] = a[i];
        args[count + i] = b[i];
    }
    gpu_inline(g, n->regions[0], args, out);
}

/* What changes nothing, not even the sign of a zero: in @ordered kernels an item that is missing in
 * one configuration and not there in another must leave the same bits. */
static LLVMValueRef nothing(struct gen *g, const struct ir_node *n, uint32_t i)
{
    enum ir_elem e = gen_combined_as(n, i);
    if (g->f->ordered && n->attr.kind == IR_KIND_SUM && ir_elem_is_float(e))
        return LLVMConstReal(gen_type(g, e), -0.0);
    return gen_identity(g, (enum ir_kind)n->attr.kind, e);
}

struct gpu_item gpu_item_at(struct gen *g, const struct ir_node *n, const struct gpu_view *view,
                            uint32_t i)
{
    struct gpu_item x = {.any = NULL};
    if (n->operand_count > GPU_MAX_OPERANDS)
        diag_bug(g->s, n->at, "more than %d values are combined", GPU_MAX_OPERANDS);
    for (uint32_t k = 0; k < n->operand_count; k++)
        x.v[k] = gen_cast(g, gpu_reg_in(g, n->operands[k], view, i), n->operands[k]->type.elem,
                          gen_combined_as(n, k));
    return x;
}

struct gpu_item gpu_item_if(struct gen *g, const struct ir_node *n, const struct gpu_item *x,
                            LLVMValueRef test)
{
    struct gpu_item out = *x;
    if (!test)
        return out;
    if (is_combiner(n))
        out.any = x->any ? LLVMBuildAnd(g->b, x->any, test, "") : test;
    else
        out.v[0] = LLVMBuildSelect(g->b, test, x->v[0], nothing(g, n, 0), "");
    return out;
}

struct gpu_item gpu_item_select(struct gen *g, const struct ir_node *n, LLVMValueRef test,
                                const struct gpu_item *yes, const struct gpu_item *no)
{
    struct gpu_item out = {.any = NULL};
    for (uint32_t i = 0; i < n->operand_count; i++)
        out.v[i] = LLVMBuildSelect(g->b, test, yes->v[i], no->v[i], "");
    if (yes->any || no->any) {
        LLVMValueRef sure = gen_int(g, g->t_i1, 1);
        out.any =
            LLVMBuildSelect(g->b, test, yes->any ? yes->any : sure, no->any ? no->any : sure, "");
    }
    return out;
}

struct gpu_item gpu_item_join(struct gen *g, const struct ir_node *n, const struct gpu_item *a,
                              const struct gpu_item *b)
{
    struct gpu_item x = *a, y = *b, out = {.any = NULL};
    gpu_combine(g, n, out.v, x.v, y.v);
    for (uint32_t i = 0; i < n->operand_count; i++) {
        if (b->any)
            out.v[i] = LLVMBuildSelect(g->b, b->any, out.v[i], a->v[i], "");
        if (a->any)
            out.v[i] = LLVMBuildSelect(g->b, a->any, out.v[i], b->v[i], "");
    }
    if (a->any && b->any)
        out.any = LLVMBuildOr(g->b, a->any, b->any, "");
    return out;
}

uint32_t gpu_tree_half(uint32_t count)
{
    uint32_t half = 1;
    while (2 * half < count)
        half *= 2;
    return half;
}

/* ---- words ------------------------------------------------------------------------------------- */

static uint32_t words_of_operand(const struct ir_node *n, uint32_t i)
{
    return ir_elem_bits(gen_combined_as(n, i)) > 32 ? 2 : 1;
}

uint32_t gpu_item_word_count(const struct ir_node *n, bool flagged)
{
    uint32_t count = flagged;
    for (uint32_t i = 0; i < n->operand_count; i++)
        count += words_of_operand(n, i);
    return count;
}

uint32_t gpu_item_to_words(struct gen *g, const struct ir_node *n, const struct gpu_item *x,
                           LLVMValueRef *words)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n->operand_count; i++)
        count += gpu_to_words(g, x->v[i], words + count);
    if (x->any)
        count += gpu_to_words(g, x->any, words + count);
    return count;
}

struct gpu_item gpu_item_from_words(struct gen *g, const struct ir_node *n, bool flagged,
                                    LLVMValueRef *words)
{
    struct gpu_item x = {.any = NULL};
    for (uint32_t i = 0; i < n->operand_count; i++) {
        enum ir_elem e = gen_combined_as(n, i);
        x.v[i] = gpu_from_words(g, gen_type(g, e), words);
        words += words_of_operand(n, i);
    }
    if (flagged)
        x.any = gpu_from_words(g, g->t_i1, words);
    return x;
}

/* ---- results ----------------------------------------------------------------------------------- */

/* fmax and fmin of NaNs alone are the identity, as if it had taken part. The sums of @ordered kernels
 * began with -0. */
static LLVMValueRef finished(struct gen *g, const struct ir_node *n, LLVMValueRef x)
{
    enum ir_kind kind = (enum ir_kind)n->attr.kind;
    enum ir_elem e = gen_combined_as(n, 0);
    bool ignores_nan = kind == IR_KIND_FMAX || kind == IR_KIND_FMIN;
    if (!ir_elem_is_float(e) || !(ignores_nan || (g->f->ordered && kind == IR_KIND_SUM)))
        return x;
    return gen_binary_kind(g, kind, e, x, gen_identity(g, kind, e));
}

void gpu_item_set(struct gen *g, const struct ir_node *n, const struct gpu_item *x, uint32_t i)
{
    for (uint32_t k = 0; k < n->result_count; k++) {
        LLVMValueRef v = is_combiner(n) ? x->v[k] : finished(g, n, x->v[k]);
        if (x->any)
            v = LLVMBuildSelect(g->b, x->any, v, LLVMConstNull(LLVMTypeOf(v)), "");
        gpu_set(g, n->results[k], i,
                gen_cast(g, v, gen_combined_as(n, k), n->results[k]->type.elem));
    }
}

/* ---- other lanes ------------------------------------------------------------------------------- */

enum shuffle { XOR, UP, FROM };

static struct gpu_item shuffle(struct gen *g, const struct ir_node *n, const struct gpu_item *x,
                               enum shuffle how, uint32_t by, LLVMValueRef lane)
{
    const struct lane_hooks *hooks = g->gpu->hooks;
    LLVMValueRef words[GPU_ITEM_WORDS];
    uint32_t count = gpu_item_to_words(g, n, x, words);
    for (uint32_t i = 0; i < count; i++)
        switch (how) {
        case XOR: words[i] = hooks->shuffle_xor(&g->gpu->lane, words[i], by); break;
        case UP: words[i] = hooks->shuffle_up(&g->gpu->lane, words[i], by); break;
        case FROM: words[i] = hooks->shuffle_from(&g->gpu->lane, words[i], lane); break;
        }
    return gpu_item_from_words(g, n, x->any != NULL, words);
}

struct gpu_item gpu_item_xor(struct gen *g, const struct ir_node *n, const struct gpu_item *x,
                             uint32_t mask)
{
    return shuffle(g, n, x, XOR, mask, NULL);
}

struct gpu_item gpu_item_up(struct gen *g, const struct ir_node *n, const struct gpu_item *x,
                            uint32_t delta)
{
    return shuffle(g, n, x, UP, delta, NULL);
}

struct gpu_item gpu_item_from_lane(struct gen *g, const struct ir_node *n, const struct gpu_item *x,
                                   LLVMValueRef lane)
{
    return shuffle(g, n, x, FROM, 0, lane);
}
