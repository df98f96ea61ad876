/* Rows that wait in shared memory: what a thread has loaded and needs again after a reduction. Each
 * thread copies what it will itself use, without waiting, and reads a vector when something asks for
 * it; a barrier forgets what was read. So between the barriers a row takes no registers. */
#include "codegen/gpu/stage.h"

struct gpu_parked {
    const struct gpu_stage *stage;
    struct gpu_staged load;
    LLVMValueRef slot;
    LLVMValueRef arrived; /* not NULL: the copies are known to have ended */
};

enum { LEAST_BYTES = 32 }; /* of a thread; less is better off in registers */

static void set_parked(struct gen *g, const struct gpu_stage *s, const struct gpu_staged *x,
                       LLVMValueRef slot)
{
    struct gpu_parked *p = arena_new(&g->s->module, struct gpu_parked);
    *p = (struct gpu_parked){.stage = s, .load = *x, .slot = slot};
    gpu_value(g, x->node->results[0])->parked = p;
}

/* Is something after the node kept waiting by a barrier, which the row would have to outlive? */
static bool is_needed_later(const struct ir_node *n)
{
    for (n = n->next; n; n = n->next)
        if (n->region_count || n->op == IR_OP_reduce || n->op == IR_OP_scan)
            return true;
    return false;
}

/* Beside it there must be room for the rings of the sweeps that follow, which profit more. */
static bool has_room(struct gen *g, const struct ir_node *n, uint64_t bytes)
{
    uint64_t used = (uint64_t)g->gpu->shared_bytes + GPU_SHARED_RESERVE, rings = 0;
    for (n = n->next; n; n = n->next) {
        uint64_t ring = n->op == IR_OP_sweep ? gpu_stage_ring_bytes(g, n) : 0;
        rings = ring > rings ? ring : rings;
    }
    return used + bytes + rings <= g->target->facts.shared_bytes;
}

bool gpu_park(struct gen *g, struct ir_node *n)
{
    struct gpu_staged x;
    if (!g->gpu->schedule.in_shared || g->gpu->loop || !is_needed_later(n) ||
        !gpu_stage_describe(g, n, &x) || x.vectors * x.bytes < LEAST_BYTES)
        return false;
    bool shared = gpu_owner(g, n->results[0]->type.axes) != NULL;
    if (!has_room(g, n, gpu_stage_bytes(g, &x)) || (g->gpu->written[n->attr.tensor] && shared))
        return false;
    struct gpu_stage *s = arena_new(&g->s->module, struct gpu_stage);
    s->slots = 1;
    s->slot_bytes = (uint32_t)gpu_stage_bytes(g, &x);
    s->base = gpu_shared(g, s->slot_bytes);
    vec_push(&g->s->module, &s->loads, x);
    LLVMValueRef slot = gen_int(g, g->t_i32, 0);
    gpu_stage_fetch(g, s, slot);
    g->gpu->hooks->commit(&g->gpu->lane);
    set_parked(g, s, &x, slot);
    return true;
}

bool gpu_park_round(struct gen *g, struct ir_node *n)
{
    const struct gpu_stage *s = g->gpu->stage;
    const struct gpu_staged *x = gpu_stage_find(s, n);
    if (!g->gpu->schedule.in_shared || !x || x->vectors * x->bytes < LEAST_BYTES)
        return false;
    set_parked(g, s, x, s->slot);
    gpu_value(g, n->results[0])->parked->arrived = s->slot;
    return true;
}

void gpu_parked_arrive(struct gen *g)
{
    for (uint32_t id = 0; id < g->f->value_count; id++) {
        struct gpu_value *gv = g->gpu->values[id];
        if (gv && gv->parked && !gv->parked->arrived)
            gpu_remember(g, &gv->parked->arrived, gv->parked->slot);
    }
}

void gpu_end_copies(struct gen *g, uint8_t tensor)
{
    for (uint32_t id = 0; id < g->f->value_count; id++) {
        const struct gpu_value *gv = g->gpu->values[id];
        if (!gv || !gv->parked || gv->parked->arrived ||
            gv->parked->load.node->attr.tensor != tensor)
            continue;
        g->gpu->hooks->wait(&g->gpu->lane, 0);
        gpu_parked_arrive(g);
        return;
    }
}

void gpu_unpark(struct gen *g, struct gpu_value *gv, uint32_t i)
{
    const struct gpu_parked *p = gv->parked;
    if (!p->arrived) {
        g->gpu->hooks->wait(&g->gpu->lane, 0);
        gpu_parked_arrive(g);
    }
    struct gpu_address shape = gpu_stage_shape(g, &p->load);
    uint32_t k = gpu_view_map(&gv->view, i, &shape.view) / shape.width;
    LLVMValueRef vector = gpu_stage_read(g, p->stage, &p->load, &shape, p->slot, k);
    gpu_take_vector(g, &shape, vector, k * shape.width);
}

void gpu_park_again(struct gen *g, struct gpu_value *gv)
{
    for (uint32_t i = 0; i < gv->view.count; i++) {
        if (gv->regs[i])
            gpu_remember(g, &gv->regs[i], NULL);
        if (gv->words && i % 2 == 0 && gv->words[i / 2])
            gpu_remember(g, &gv->words[i / 2], NULL);
    }
}

void gpu_park_elsewhere(struct gen *g, LLVMValueRef by)
{
    for (uint32_t id = 0; id < g->f->value_count; id++) {
        struct gpu_value *gv = g->gpu->values[id];
        if (gv && gv->parked)
            gpu_remember(g, &gv->parked->slot, LLVMBuildAdd(g->b, gv->parked->slot, by, ""));
    }
}
