/* Scans: running reductions that keep their axis.
 *
 * Along the leaf's axis a chunk is scanned in log2(width) steps of shifted lanes, then combined with
 * the running value, which is the last lane of the chunk before. Along an outer loop there is a
 * running value for each element of the loops inside. */
#include "codegen/cpu/cpu.h"

#define MAX_OPERANDS 16

struct running {
    LLVMValueRef value[MAX_OPERANDS]; /* allocas */
    LLVMValueRef any;                 /* combiner: there is a running value */
};

static bool is_combiner(const struct ir_node *n)
{
    return n->attr.kind == IR_KIND_COMBINER;
}

static LLVMValueRef identity(struct gen *g, const struct ir_node *n, uint32_t i)
{
    return gen_identity(g, (enum ir_kind)n->attr.kind, gen_combined_as(n, i));
}

void gen_scan_begin(struct gen *g, struct unit *u)
{
    const struct ir_node *n = u->node;
    struct running *r = arena_new(&g->s->module, struct running);
    if (n->operand_count > MAX_OPERANDS)
        diag_bug(g->s, n->at, "a scan of more than %d values", MAX_OPERANDS);
    u->running_values = r;
    if (is_combiner(n)) {
        r->any = gen_alloca(g, g->t_i1);
        LLVMBuildStore(g->b, gen_int(g, g->t_i1, 0), r->any);
    }
    for (uint32_t i = 0; i < n->operand_count; i++) {
        if (u->running) {
            gen_fill_storage(g, u->running[i], gen_combined_as(n, i), identity(g, n, i));
            continue;
        }
        r->value[i] = gen_alloca(g, gen_type(g, gen_combined_as(n, i)));
        LLVMBuildStore(g->b, identity(g, n, i), r->value[i]);
    }
}

void gen_scan_round(struct gen *g, struct unit *u)
{
    if (u->running_values->any)
        LLVMBuildStore(g->b, gen_int(g, g->t_i1, 1), u->running_values->any);
}

/* Lanes moved up by `by`; the lowest ones keep their own value (and are not used). */
static LLVMValueRef shifted(struct gen *g, LLVMValueRef v, unsigned width, unsigned by)
{
    LLVMValueRef lanes[1024];
    for (unsigned i = 0; i < width; i++)
        lanes[i] = gen_int(g, g->t_i32, i < by ? i : i - by);
    return LLVMBuildShuffleVector(g->b, v, LLVMGetPoison(LLVMTypeOf(v)),
                                  LLVMConstVector(lanes, width), "");
}

static LLVMValueRef lanes_from(struct gen *g, unsigned width, unsigned first)
{
    LLVMValueRef lanes[1024];
    for (unsigned i = 0; i < width; i++)
        lanes[i] = gen_int(g, g->t_i1, i >= first);
    return LLVMConstVector(lanes, width);
}

static void scan_chunk(struct gen *g, const struct ir_node *n, LLVMValueRef *x, unsigned width)
{
    for (unsigned by = 1; by < width; by *= 2) {
        LLVMValueRef low[MAX_OPERANDS], sum[MAX_OPERANDS];
        for (uint32_t i = 0; i < n->operand_count; i++)
            low[i] = shifted(g, x[i], width, by);
        gen_combine(g, n, sum, low, x, width);
        LLVMValueRef moved = lanes_from(g, width, by);
        for (uint32_t i = 0; i < n->operand_count; i++)
            x[i] = LLVMBuildSelect(g->b, moved, sum[i], x[i], "");
    }
}

/* Combines what ran before into x. */
static void join(struct gen *g, const struct ir_node *n, LLVMValueRef *old, LLVMValueRef *x,
                 LLVMValueRef any, unsigned width)
{
    LLVMValueRef sum[MAX_OPERANDS], wide[MAX_OPERANDS];
    for (uint32_t i = 0; i < n->operand_count; i++)
        wide[i] = gen_splat(g, old[i], width);
    gen_combine(g, n, sum, wide, x, width);
    for (uint32_t i = 0; i < n->operand_count; i++)
        x[i] = any ? LLVMBuildSelect(g->b, any, sum[i], x[i], "") : sum[i];
}

static void set_results(struct gen *g, const struct ir_node *n, LLVMValueRef *x, unsigned width)
{
    for (uint32_t i = 0; i < n->result_count; i++) {
        struct ir_value *v = n->results[i];
        LLVMValueRef value = gen_cast(g, x[i], gen_combined_as(n, i), v->type.elem);
        const struct storage *s = plan_of(g->cpu->plan, v)->storage;
        gen_set(g, v, value);
        if (s)
            gen_storage_store(g, s, v->type.elem, value, width, IR_NO_AXIS, NULL);
    }
}

static void along_leaf(struct gen *g, struct unit *u, LLVMValueRef *x, unsigned width)
{
    const struct ir_node *n = u->node;
    struct running *r = u->running_values;
    LLVMValueRef old[MAX_OPERANDS];
    LLVMValueRef any = r->any ? LLVMBuildLoad2(g->b, g->t_i1, r->any, "") : NULL;
    for (uint32_t i = 0; i < n->operand_count; i++)
        old[i] = LLVMBuildLoad2(g->b, gen_type(g, gen_combined_as(n, i)), r->value[i], "");
    scan_chunk(g, n, x, width);
    join(g, n, old, x, any, width);
    for (uint32_t i = 0; i < n->operand_count; i++)
        LLVMBuildStore(g->b, gen_lane(g, x[i], width - 1), r->value[i]);
    gen_scan_round(g, u);
    for (uint32_t i = 0; n->attr.flag && i < n->operand_count; i++) {
        if (width == 1) {
            x[i] = old[i];
            continue;
        }
        x[i] = LLVMBuildInsertElement(g->b, shifted(g, x[i], width, 1), old[i],
                                      gen_int(g, g->t_i32, 0), "");
    }
}

static void along_outer(struct gen *g, struct unit *u, LLVMValueRef *x, unsigned width)
{
    const struct ir_node *n = u->node;
    struct running *r = u->running_values;
    LLVMValueRef old[MAX_OPERANDS];
    LLVMValueRef any = r->any ? LLVMBuildLoad2(g->b, g->t_i1, r->any, "") : NULL;
    for (uint32_t i = 0; i < n->operand_count; i++)
        old[i] = gen_storage_load(g, u->running[i], gen_combined_as(n, i), width, IR_NO_AXIS, NULL);
    join(g, n, old, x, any, width);
    for (uint32_t i = 0; i < n->operand_count; i++)
        gen_storage_store(g, u->running[i], gen_combined_as(n, i), x[i], width, IR_NO_AXIS, NULL);
    for (uint32_t i = 0; n->attr.flag && i < n->operand_count; i++)
        x[i] = old[i];
}

void gen_scan(struct gen *g, struct unit *u)
{
    const struct ir_node *n = u->node;
    LLVMValueRef x[MAX_OPERANDS];
    bool wide = g->cpu->leaf != IR_NO_AXIS && (u->space & axis_bit(g->cpu->leaf));
    unsigned width = wide ? g->cpu->width : 1;
    for (uint32_t i = 0; i < n->operand_count; i++)
        x[i] = gen_cast(g, gen_value_as(g, n->operands[i], width), n->operands[i]->type.elem,
                        gen_combined_as(n, i));
    if (u->running)
        along_outer(g, u, x, width);
    else if (u->scan_loop)
        along_leaf(g, u, x, width);
    else
        for (uint32_t i = 0; n->attr.flag && i < n->operand_count; i++)
            x[i] = gen_splat(g, identity(g, n, i), width);
    set_results(g, n, x, width);
}
