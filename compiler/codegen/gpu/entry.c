/* The frame of a GPU kernel: slots, where this thread is, the body, the end. */
#include "codegen/gpu/gpu.h"

/* ---- slots ------------------------------------------------------------------------------------- */

static LLVMValueRef from_slot(struct gen *g, LLVMValueRef slot, enum ir_elem e)
{
    LLVMTypeRef t = gen_memory_type(g, e);
    unsigned bits = ir_elem_bits(e);
    LLVMTypeRef whole = LLVMIntTypeInContext(g->context, bits);
    LLVMValueRef x = bits == 64 ? slot : LLVMBuildTrunc(g->b, slot, whole, "");
    if (t != whole)
        x = LLVMBuildBitCast(g->b, x, t, "");
    return e == IR_BOOL ? LLVMBuildICmp(g->b, LLVMIntNE, x, gen_int(g, g->t_i8, 0), "") : x;
}

static uint32_t stride_count(const struct ir_tensor *t)
{
    return t->rank && !t->strided ? t->rank - 1 : t->rank;
}

static uint32_t count_slots(const struct ir_func *f)
{
    uint32_t count = f->params.count;
    for (uint32_t i = 0; i < f->tensors.count; i++)
        count += 1 + stride_count(&f->tensors.data[i]);
    return count;
}

/* For each tensor its pointer and strides, then the parameters. */
static void read_slots(struct gen *g)
{
    struct lane_emit *e = &g->gpu->lane;
    uint32_t next = 0;
    for (uint32_t i = 0; i < g->f->tensors.count; i++) {
        const struct ir_tensor *t = &g->f->tensors.data[i];
        g->tensors[i] = g->gpu->hooks->slot(e, next++);
        for (uint32_t d = 0; d < t->rank; d++)
            g->strides[i][d] =
                d < stride_count(t) ? g->gpu->hooks->slot(e, next++) : gen_index(g, 1);
    }
    for (uint32_t i = 0; i < g->f->params.count; i++) {
        struct ir_value *v = g->f->params.data[i].value;
        gpu_set(g, v, 0, from_slot(g, g->gpu->hooks->slot(e, next++), v->type.elem));
    }
}

static void announce_tensors(struct gen *g)
{
    for (uint32_t i = 0; g->gpu->hooks->tensor && i < g->f->tensors.count; i++) {
        const struct ir_tensor *t = &g->f->tensors.data[i];
        LLVMValueRef dims[IR_MAX_RANK];
        for (uint32_t d = 0; d < t->rank; d++)
            dims[d] = gpu_scalar(g, t->dims[d]);
        g->gpu->hooks->tensor(&g->gpu->lane, (uint8_t)i, g->tensors[i], dims, g->strides[i]);
    }
}

/* ---- state ------------------------------------------------------------------------------------- */

static void mark_written(struct gen *g, const struct ir_block *b)
{
    for (const struct ir_node *n = b->first; n; n = n->next) {
        if (ir_op_info(n->op)->traits & IR_WRITES)
            g->gpu->written[n->attr.tensor] = true;
        for (uint32_t i = 0; i < n->region_count; i++)
            mark_written(g, n->regions[i]);
    }
}

static void new_state(struct gen *g)
{
    struct arena *a = &g->s->module;
    struct gpu *s = g->gpu = arena_new(a, struct gpu);
    s->hooks = g->target->target->lanes;
    s->values = arena_array(a, struct gpu_value *, g->f->value_count + 1);
    s->written = arena_array(a, bool, g->f->tensors.count + 1);
    s->layout = arena_new(a, struct gpu_layout);
    s->lane = (struct lane_emit){.s = g->s,
                                 .f = g->f,
                                 .target = g->target,
                                 .context = g->context,
                                 .module = g->module,
                                 .b = g->b,
                                 .at = g->f->at};
    mark_written(g, g->f->body);
}

/* ---- the frame --------------------------------------------------------------------------------- */

static void open_entry(struct gen *g)
{
    const struct schedule *s = &g->gpu->schedule;
    struct lane_kernel kernel = {.name = g->f->name,
                                 .slots = count_slots(g->f),
                                 .threads = g->gpu->layout->threads,
                                 .cluster = s->cluster,
                                 .blocks_per_sm = s->blocks_per_sm,
                                 .max_registers = s->max_registers};
    g->gpu->hooks->begin(&g->gpu->lane, &kernel);
    g->entry = g->gpu->lane.entry;
    g->alloca_end = LLVMGetBasicBlockTerminator(LLVMGetEntryBasicBlock(g->entry));
    g->gpu->exit = gen_block(g, "exit");
}

static void take_bases_of(struct gen *g, struct gpu_layout *l)
{
    for (uint32_t a = 0; a < l->axis_count; a++)
        for (uint32_t d = 0; d < l->axes[a].digit_count; d++) {
            struct gpu_digit *digit = &l->axes[a].digits[d];
            digit->stride = g->gpu->hooks->basis(&g->gpu->lane, digit->stride);
        }
}

/* As the target has them, which may be faulty. */
static void take_bases(struct gen *g)
{
    struct gpu_layout *l = g->gpu->layout;
    if (!g->gpu->hooks->basis)
        return;
    take_bases_of(g, l);
    for (uint32_t i = 0; i < l->anchor_count; i++)
        take_bases_of(g, l->anchors[i].layout);
}

static void find_thread(struct gen *g)
{
    struct lane_emit *e = &g->gpu->lane;
    LLVMValueRef lanes = gen_int(g, g->t_i32, g->target->facts.lanes);
    g->gpu->thread = g->gpu->hooks->thread(e);
    g->gpu->lane_id = LLVMBuildURem(g->b, g->gpu->thread, lanes, "");
    g->gpu->warp = LLVMBuildUDiv(g->b, g->gpu->thread, lanes, "");
    g->gpu->rank = g->gpu->schedule.cluster > 1 ? g->gpu->hooks->rank(e) : gen_int(g, g->t_i32, 0);
    g->gpu->program = g->gpu->hooks->block(e);
    gpu_locate(g);
}

static void emit_body(struct gen *g)
{
    gpu_overlap(g);
    gpu_block(g, g->f->body);
    LLVMPositionBuilderAtEnd(g->b, g->gpu->exit);
}

void gen_gpu(struct gen *g, struct ir_func *f, struct codegen_result *out)
{
    new_state(g);
    if (!gpu_schedule(g, &g->gpu->schedule) || !gpu_assign(g, &g->gpu->schedule, g->gpu->layout))
        return;
    open_entry(g);
    take_bases(g);
    gpu_reserve_conversions(g);
    gen_debug_begin(g);
    read_slots(g);
    announce_tensors(g);
    find_thread(g);
    emit_body(g);
    g->gpu->hooks->end(&g->gpu->lane, g->gpu->shared_bytes);
    gen_debug_end(g);
    out->threads = g->gpu->layout->threads;
    out->cluster = g->gpu->schedule.cluster;
    out->shared_bytes = g->gpu->shared_bytes;
    out->dependent = g->target->facts.has_dependent_launch;
    gpu_remark(g);
    (void)f;
}
