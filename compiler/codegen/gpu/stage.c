/* What rounds fetch ahead and keep: stage.h. */
#include "codegen/gpu/stage.h"

uint64_t gpu_stage_bytes(struct gen *g, const struct gpu_staged *x)
{
    return (uint64_t)x->vectors * x->bytes * g->gpu->layout->threads;
}

/* ---- which loads ------------------------------------------------------------------------------- */

/* Does the value follow from the sweep's place and what lies outside its body? */
static bool is_free(const struct ir_value *v, const struct ir_node *sweep, unsigned depth)
{
    if (v->def == IR_DEF_ARG)
        return v->block != sweep->regions[0];
    const struct ir_node *n = v->node;
    if (n->block != sweep->regions[0])
        return true;
    if (depth == 0 || !(ir_op_info(n->op)->traits & IR_PURE) || n->region_count)
        return false;
    for (uint32_t i = 0; i < n->operand_count; i++)
        if (!is_free(n->operands[i], sweep, depth - 1))
            return false;
    return true;
}

/* Every access of a tensor that is written goes to the place that the load reads, so that another
 * round cannot change what was fetched. */
static bool stays(const struct gen *g, const struct ir_block *b, const struct ir_node *load)
{
    uint32_t rank = g->f->tensors.data[load->attr.tensor].rank;
    for (const struct ir_node *n = b->first; n; n = n->next) {
        bool writes = ir_op_info(n->op)->traits & IR_WRITES;
        if (writes && n->attr.tensor == load->attr.tensor &&
            (!gpu_same_place(n, load, rank) || !gpu_names_once(g, load)))
            return false;
        for (uint32_t i = 0; i < n->region_count; i++)
            if (!stays(g, n->regions[i], load))
                return false;
    }
    return true;
}

bool gpu_stage_describe(struct gen *g, const struct ir_node *n, struct gpu_staged *out)
{
    if (n->op != IR_OP_load || n->attr.flag || gpu_anchor_of(g->gpu->layout, n))
        return false;
    const struct ir_tensor *t = &g->f->tensors.data[n->attr.tensor];
    axis_set axes = gpu_subscript_axes(g->f, n);
    for (uint32_t d = 0; d < t->rank; d++) {
        struct ir_affine f;
        ir_affine_of(n->operands[d], &f);
        if (!f.affine)
            return false;
    }
    if (axes != n->results[0]->type.axes || !stays(g, g->f->body, n))
        return false;
    bool tested;
    uint8_t axis;
    uint32_t width = gpu_width_of(g, n, axes, &tested, &axis);
    uint32_t bytes = width * ir_elem_bits(t->elem) / 8;
    *out = (struct gpu_staged){
        .node = n, .vectors = gpu_view(g->gpu->layout, axes).count / width, .bytes = bytes};
    return bytes == 4 || bytes == 8 || bytes == 16;
}

static bool block_writes(const struct ir_block *b, uint8_t tensor);

static bool node_writes(const struct ir_node *n, uint8_t tensor)
{
    if (ir_op_info(n->op)->traits & IR_WRITES && n->attr.tensor == tensor)
        return true;
    for (uint32_t i = 0; i < n->region_count; i++)
        if (block_writes(n->regions[i], tensor))
            return true;
    return false;
}

static bool block_writes(const struct ir_block *b, uint8_t tensor)
{
    for (const struct ir_node *n = b->first; n; n = n->next)
        if (node_writes(n, tensor))
            return true;
    return false;
}

/* Do the nodes from `from` up to `to` write to the tensor? */
static bool written_between(const struct gen *g, const struct ir_node *from,
                            const struct ir_node *to, uint8_t tensor)
{
    for (const struct ir_node *n = from; g->gpu->written[tensor] && n != to; n = n->next)
        if (node_writes(n, tensor))
            return true;
    return false;
}

/* A load of the body's own block, of another place in each round, before the round writes there. */
static bool describe(struct gen *g, const struct ir_node *sweep, const struct ir_node *n,
                     struct gpu_staged *out)
{
    if (n->op != IR_OP_load || !(gpu_subscript_axes(g->f, n) >> sweep->attr.axis & 1) ||
        written_between(g, sweep->regions[0]->first, n, n->attr.tensor))
        return false;
    for (uint32_t d = 0; d < g->f->tensors.data[n->attr.tensor].rank; d++)
        if (!is_free(n->operands[d], sweep, 6))
            return false;
    return gpu_stage_describe(g, n, out);
}

/* ---- sweeps that read the same ----------------------------------------------------------------- */

static const struct ir_node *same_load(struct gen *g, const struct ir_node *sweep,
                                       const struct ir_node *load)
{
    struct gpu_staged x;
    uint32_t rank = g->f->tensors.data[load->attr.tensor].rank;
    for (const struct ir_node *n = sweep->regions[0]->first; n; n = n->next)
        if (n->op == IR_OP_load && n->attr.tensor == load->attr.tensor &&
            gpu_same_place(n, load, rank) && describe(g, sweep, n, &x))
            return n;
    return NULL;
}

static bool is_same_range(const struct ir_node *a, const struct ir_node *b)
{
    return b->op == IR_OP_sweep && a->attr.axis == b->attr.axis &&
           a->operands[0] == b->operands[0] && a->operands[1] == b->operands[1];
}

/* Is the load repeated by a sweep of the same range, in n or inside it? */
static bool repeats(struct gen *g, const struct ir_node *n, const struct ir_node *sweep,
                    const struct ir_node *load)
{
    if (is_same_range(sweep, n) && same_load(g, n, load))
        return true;
    for (uint32_t i = 0; i < n->region_count; i++)
        for (const struct ir_node *m = n->regions[i]->first; m; m = m->next)
            if (repeats(g, m, sweep, load))
                return true;
    return false;
}

/* Is the load repeated after the sweep, and nothing written to the tensor before the last time? */
static bool is_read_again(struct gen *g, const struct ir_node *sweep, const struct ir_node *load)
{
    const struct ir_node *last = NULL;
    for (const struct ir_node *n = sweep->next; n; n = n->next)
        if (repeats(g, n, sweep, load))
            last = n;
    if (!last)
        return false;
    bool itself = is_same_range(sweep, last);
    return !written_between(g, sweep, itself ? last : last->next, load->attr.tensor);
}

static struct gpu_stage *new_stage(struct gen *g, const struct ir_node *sweep)
{
    struct gpu_stage *s = arena_new(&g->s->module, struct gpu_stage);
    s->axis = sweep->attr.axis;
    s->lo = sweep->operands[0];
    s->hi = sweep->operands[1];
    s->round = -1;
    return s;
}

static void add_load(struct gen *g, struct gpu_stage *s, struct gpu_staged x)
{
    x.offset = s->slot_bytes;
    s->slot_bytes += (uint32_t)gpu_stage_bytes(g, &x);
    vec_push(&g->s->module, &s->loads, x);
}

/* ---- opening ----------------------------------------------------------------------------------- */

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* As many of the wanted slots as there is room for. */
static uint32_t fitting_slots(const struct gen *g, const struct gpu_stage *s, uint32_t wanted)
{
    uint32_t used = g->gpu->shared_bytes + GPU_SHARED_RESERVE, all = g->target->facts.shared_bytes;
    return smaller(wanted, used < all ? (all - used) / s->slot_bytes : 0);
}

static void make_kept(struct gen *g, struct gpu_stage *s)
{
    for (uint32_t i = 0; i < s->loads.count; i++) {
        struct gpu_staged *x = &s->loads.data[i];
        x->kept = arena_array(&g->s->module, LLVMValueRef *, s->rounds_in_registers + 1);
        for (uint32_t r = 0; r < s->rounds_in_registers; r++)
            x->kept[r] = arena_array(&g->s->module, LLVMValueRef, x->vectors);
    }
}

/* The first of several sweeps: keeps what the schedule has room for. */
static struct gpu_stage *open_hold(struct gen *g, struct ir_node *sweep)
{
    const struct schedule *plan = &g->gpu->schedule;
    struct gpu_stage *s = new_stage(g, sweep);
    uint32_t vectors = 0, bytes = 0;
    struct gpu_staged x;
    for (const struct ir_node *n = sweep->regions[0]->first; n; n = n->next)
        if (describe(g, sweep, n, &x) && is_read_again(g, sweep, n)) {
            add_load(g, s, x);
            vectors += x.vectors;
            bytes += x.vectors * x.bytes;
        }
    if (!s->loads.count)
        return NULL;
    s->rounds_in_registers = smaller(plan->hold_registers / vectors, 16);
    s->slots = g->target->facts.has_async_copy ? fitting_slots(g, s, plan->hold / bytes) : 0;
    make_kept(g, s);
    s->base = s->slots ? gpu_shared(g, s->slots * s->slot_bytes) : 0;
    vec_push(&g->s->module, &g->gpu->held, s);
    return s;
}

static const struct gpu_staged *find_held(struct gen *g, const struct gpu_stage *s,
                                          const struct ir_node *n)
{
    uint32_t rank = g->f->tensors.data[n->attr.tensor].rank;
    for (uint32_t i = 0; i < s->loads.count; i++)
        if (s->loads.data[i].node->attr.tensor == n->attr.tensor &&
            gpu_same_place(s->loads.data[i].node, n, rank))
            return &s->loads.data[i];
    return NULL;
}

/* A later sweep of the same range: its loads that were kept. */
static struct gpu_stage *reopen(struct gen *g, struct ir_node *sweep, const struct gpu_stage *first)
{
    struct gpu_stage *s = arena_new(&g->s->module, struct gpu_stage);
    *s = *first;
    s->loads.data = NULL;
    s->loads.count = s->loads.capacity = 0;
    for (const struct ir_node *n = sweep->regions[0]->first; n; n = n->next) {
        struct gpu_staged own;
        const struct gpu_staged *x = describe(g, sweep, n, &own) ? find_held(g, first, n) : NULL;
        if (!x)
            continue;
        struct gpu_staged mine = *x;
        mine.node = n;
        vec_push(&g->s->module, &s->loads, mine);
    }
    return s->loads.count ? s : NULL;
}

static struct gpu_stage *open_ring(struct gen *g, struct ir_node *sweep)
{
    struct gpu_stage *s = new_stage(g, sweep);
    struct gpu_staged x;
    for (const struct ir_node *n = sweep->regions[0]->first; n; n = n->next)
        if (describe(g, sweep, n, &x))
            add_load(g, s, x);
    if (!s->loads.count)
        return NULL;
    s->ring = true;
    s->slots = fitting_slots(g, s, g->gpu->schedule.stages);
    if (!s->slots)
        return NULL;
    s->base = gpu_shared(g, s->slots * s->slot_bytes);
    return s;
}

uint64_t gpu_stage_ring_bytes(struct gen *g, const struct ir_node *sweep)
{
    uint64_t bytes = 0;
    struct gpu_staged x;
    for (const struct ir_node *n = sweep->regions[0]->first; n; n = n->next)
        if (describe(g, sweep, n, &x))
            bytes += gpu_stage_bytes(g, &x);
    return bytes * g->gpu->schedule.stages;
}

struct gpu_stage *gpu_stage_open(struct gen *g, struct ir_node *sweep, bool *again)
{
    const struct schedule *plan = &g->gpu->schedule;
    *again = false;
    for (uint32_t i = g->gpu->held.count; i-- > 0;) {
        const struct gpu_stage *s = g->gpu->held.data[i];
        if (s->axis == sweep->attr.axis && s->lo == sweep->operands[0] &&
            s->hi == sweep->operands[1]) {
            *again = true;
            return reopen(g, sweep, s);
        }
    }
    struct gpu_stage *s = plan->hold || plan->hold_registers ? open_hold(g, sweep) : NULL;
    if (!s && plan->stages && g->target->facts.has_async_copy)
        s = open_ring(g, sweep);
    return s;
}

/* ---- slots ------------------------------------------------------------------------------------- */

/* i32: where this thread's vectors of a load begin in the slot, but for what is the same for all. */
static LLVMValueRef own_place(struct gen *g, const struct gpu_staged *x, LLVMValueRef slot)
{
    LLVMValueRef own = LLVMBuildMul(g->b, g->gpu->thread, gen_int(g, g->t_i32, x->bytes), "");
    return LLVMBuildAdd(g->b, own, slot, "");
}

/* The rest of vector k's place. */
static uint32_t fixed_place(const struct gen *g, const struct gpu_stage *s,
                            const struct gpu_staged *x, uint32_t k)
{
    return s->base + x->offset + k * x->bytes * g->gpu->layout->threads;
}

static LLVMValueRef place_of(struct gen *g, const struct gpu_stage *s, const struct gpu_staged *x,
                             LLVMValueRef slot, uint32_t k)
{
    LLVMValueRef fixed = gen_int(g, g->t_i32, fixed_place(g, s, x, k));
    return LLVMBuildAdd(g->b, own_place(g, x, slot), fixed, "");
}

/* i32: the bytes of the vector up to the axis's end. */
static LLVMValueRef valid_bytes(struct gen *g, const struct gpu_address *a, uint32_t i)
{
    const struct gpu_axis *x = &g->gpu->axes[a->vector_axis];
    const struct gpu_axis_layout *l = &g->gpu->layout->axes[a->vector_axis];
    uint32_t offset = gpu_axis_offset(l, gpu_view_digit(&a->view, i, a->vector_axis));
    LLVMTypeRef t = g->t_i32;
    LLVMValueRef left = LLVMBuildSub(g->b, x->room, gen_int(g, t, offset), "");
    LLVMValueRef most[] = {left, gen_int(g, t, a->width)};
    left = gen_intrinsic(g, "llvm.smin", &t, 1, most, 2);
    LLVMValueRef least[] = {left, gen_int(g, t, 0)};
    left = gen_intrinsic(g, "llvm.smax", &t, 1, least, 2);
    return LLVMBuildMul(g->b, left, gen_int(g, t, a->bytes), "");
}

/* i32: bit k: element k of the vector exists. */
static LLVMValueRef used_elements(struct gen *g, const struct gpu_address *a, uint32_t i)
{
    LLVMValueRef all = gen_int(g, g->t_i32, 0);
    for (uint32_t k = 0; k < a->width; k++) {
        LLVMValueRef exists = gpu_exists(g, &a->view, i + k, a->view.axes);
        LLVMValueRef bit = gen_int(g, g->t_i32, (int64_t)1 << k);
        if (exists)
            bit = LLVMBuildSelect(g->b, exists, bit, gen_int(g, g->t_i32, 0), "");
        all = LLVMBuildOr(g->b, all, bit, "");
    }
    return all;
}

static void copy_vector(struct gen *g, const struct gpu_stage *s, const struct gpu_staged *x,
                        const struct gpu_address *a, LLVMValueRef slot, uint32_t k)
{
    uint32_t i = k * a->width;
    LLVMValueRef guard = NULL, valid = NULL;
    if (a->width > 1 && gpu_is_ragged(g, a->width, a->vector_axis)) {
        axis_set others = a->view.axes & ~((axis_set)1 << a->vector_axis);
        guard = gpu_and(g, gpu_exists(g, &a->view, i, others),
                        gpu_overlaps(g, &a->view, i, a->width, a->vector_axis));
        valid = valid_bytes(g, a, i);
    } else {
        guard = gpu_exists(g, &a->view, i, a->view.axes);
    }
    struct lane_access access = gpu_access(g, a, i, gpu_vector_type(g, a), a->width, guard);
    access.valid = valid;
    access.exists = valid ? used_elements(g, a, i) : NULL;
    g->gpu->hooks->copy_async(&g->gpu->lane, &access, own_place(g, x, slot),
                              fixed_place(g, s, x, k), x->bytes);
}

static void fetch_load(struct gen *g, const struct gpu_stage *s, const struct gpu_staged *x,
                       LLVMValueRef slot)
{
    struct gpu_address a = gpu_address(g, x->node, x->node->results[0]->type.axes);
    gpu_renew_tests(g, a.view.axes);
    if (!a.aligned) {
        for (uint32_t k = 0; k < x->vectors; k++)
            copy_vector(g, s, x, &a, slot, k);
        return;
    }
    LLVMBasicBlockRef wide = gen_block(g, "wide"), narrow = gen_block(g, "narrow");
    LLVMBasicBlockRef join = gen_block(g, "fetched");
    LLVMBuildCondBr(g->b, a.aligned, wide, narrow);
    LLVMPositionBuilderAtEnd(g->b, wide);
    uint32_t mark = gpu_enter(g);
    for (uint32_t k = 0; k < x->vectors; k++)
        copy_vector(g, s, x, &a, slot, k);
    gpu_leave(g, mark);
    LLVMBuildBr(g->b, join);
    LLVMPositionBuilderAtEnd(g->b, narrow);
    for (uint32_t k = 0; k < x->vectors; k++)
        g->gpu->hooks->shared_store(&g->gpu->lane, gpu_load_elements(g, &a, k * a.width),
                                    place_of(g, s, x, slot, k), NULL, NULL);
    LLVMBuildBr(g->b, join);
    LLVMPositionBuilderAtEnd(g->b, join);
}

void gpu_stage_fetch(struct gen *g, struct gpu_stage *s, LLVMValueRef slot)
{
    uint32_t mark = gpu_enter(g);
    for (uint32_t i = 0; i < s->loads.count; i++)
        fetch_load(g, s, &s->loads.data[i], slot);
    gpu_leave(g, mark);
}

/* ---- registers --------------------------------------------------------------------------------- */

void gpu_stage_keep(struct gen *g, struct gpu_stage *s, uint32_t round)
{
    uint32_t mark = gpu_enter(g);
    for (uint32_t i = 0; i < s->loads.count; i++) {
        struct gpu_staged *x = &s->loads.data[i];
        struct gpu_address a = gpu_address(g, x->node, x->node->results[0]->type.axes);
        gpu_load_vectors(g, &a, x->kept[round]);
    }
    gpu_leave(g, mark);
}

/* ---- taking ------------------------------------------------------------------------------------ */

/* The address's shape without the address. */
struct gpu_address gpu_stage_shape(struct gen *g, const struct gpu_staged *x)
{
    const struct ir_tensor *t = &g->f->tensors.data[x->node->attr.tensor];
    axis_set axes = x->node->results[0]->type.axes;
    uint32_t bytes = ir_elem_bits(t->elem) / 8;
    bool tested;
    uint8_t axis;
    uint32_t width = gpu_width_of(g, x->node, axes, &tested, &axis);
    return (struct gpu_address){.node = x->node,
                                .tensor = t,
                                .view = gpu_view_along(g->gpu->layout, axes, axis),
                                .bytes = bytes,
                                .width = width,
                                .vector_axis = axis};
}

LLVMValueRef gpu_stage_read(struct gen *g, const struct gpu_stage *s, const struct gpu_staged *x,
                            const struct gpu_address *shape, LLVMValueRef slot, uint32_t k)
{
    return g->gpu->hooks->shared_load(&g->gpu->lane, gpu_vector_type(g, shape),
                                      place_of(g, s, x, slot, k), NULL);
}

const struct gpu_staged *gpu_stage_find(const struct gpu_stage *s, const struct ir_node *n)
{
    for (uint32_t i = 0; s && i < s->loads.count; i++)
        if (s->loads.data[i].node == n)
            return &s->loads.data[i];
    return NULL;
}

bool gpu_stage_take(struct gen *g, struct ir_node *n)
{
    struct gpu_stage *s = g->gpu->stage;
    const struct gpu_staged *x = gpu_stage_find(s, n);
    if (!x || (!s->slot && s->round < 0))
        return false;
    struct gpu_address a = gpu_stage_shape(g, x);
    if (s->round >= 0) {
        gpu_take_vectors(g, &a, x->kept[s->round]);
        return true;
    }
    LLVMValueRef *vectors = arena_array(&g->s->module, LLVMValueRef, x->vectors);
    for (uint32_t k = 0; k < x->vectors; k++)
        vectors[k] = gpu_stage_read(g, s, x, &a, s->slot, k);
    gpu_take_vectors(g, &a, vectors);
    return true;
}
