/* Launches that overlap: where a kernel waits for those before it, where it lets the next one start.
 *
 * A launch starts when every block of the one before it has released it or ended. Of a kernel, on
 * every path, the wait comes before the release and before the end. So when a launch starts, the one
 * before it may still run, but has passed its own wait: all launches before that one have ended, and
 * what they wrote is seen. What a kernel must wait for, then, is only what the launch right before it
 * writes, or reads and this one writes: the tensors that are not `ready`. Where nothing is known none
 * are, and the wait is the first thing a kernel does. So it is of a kernel of one program, which leaves
 * nearly all of the GPU idle: better than to go ahead by itself is to let the next one start. */
#include "codegen/gpu/gpu.h"

/* ---- waiting ----------------------------------------------------------------------------------- */

static bool is_pending(const struct gen *g, uint8_t tensor)
{
    return g->target->facts.has_dependent_launch && !g->f->tensors.data[tensor].ready;
}

bool gpu_may_access(const struct gen *g, uint8_t tensor)
{
    return g->gpu->awaited || !is_pending(g, tensor);
}

bool gpu_is_constant(const struct gen *g, uint8_t tensor)
{
    return g->f->tensors.data[tensor].access == IR_READ && !g->gpu->written[tensor] &&
           !(g->gpu->waits_late && is_pending(g, tensor));
}

/* Whether a node, or one in its regions, accesses what the launch before may write. */
static bool must_wait(const struct gen *g, const struct ir_node *n)
{
    if (ir_op_info(n->op)->traits & (IR_READS | IR_WRITES) && is_pending(g, n->attr.tensor))
        return true;
    for (uint32_t i = 0; i < n->region_count; i++)
        for (const struct ir_node *x = n->regions[i]->first; x; x = x->next)
            if (must_wait(g, x))
                return true;
    return false;
}

/* ---- releasing --------------------------------------------------------------------------------- */

static bool has_load(const struct ir_node *n)
{
    if (n->op == IR_OP_load)
        return true;
    for (uint32_t i = 0; i < n->region_count; i++)
        for (const struct ir_node *x = n->regions[i]->first; x; x = x->next)
            if (has_load(x))
                return true;
    return false;
}

static bool is_one_program(const struct ir_func *f)
{
    for (uint32_t i = 0; i < f->axes.count; i++)
        if (f->axes.data[i].kind == IR_AXIS_PROGRAM || f->axes.data[i].kind == IR_AXIS_GRID)
            return false;
    return true;
}

/* The node of the body after which the next launch may start; NULL: there is none. After the last
 * loads: what starts earlier takes bandwidth from them. Of several loops the last one reads again what
 * the others read, much of it from close by. */
static const struct ir_node *releaser(const struct gen *g)
{
    const struct ir_node *last = NULL, *before = NULL;
    for (const struct ir_node *n = g->f->body->first; n; n = n->next)
        if (has_load(n)) {
            before = last && last->region_count ? last : before;
            last = n;
        }
    return last && last->region_count && before ? before : last;
}

static void release_if_due(struct gen *g)
{
    if (g->gpu->release_due && g->gpu->awaited)
        g->gpu->hooks->release_dependents(&g->gpu->lane);
    g->gpu->release_due &= !g->gpu->awaited;
}

static void await(struct gen *g)
{
    g->gpu->hooks->await_dependencies(&g->gpu->lane);
    g->gpu->awaited = true;
    release_if_due(g);
}

/* ---- the body ---------------------------------------------------------------------------------- */

void gpu_overlap(struct gen *g)
{
    struct gpu *s = g->gpu;
    if (!g->target->facts.has_dependent_launch) {
        s->awaited = true;
        return;
    }
    bool single = is_one_program(g->f);
    for (uint32_t i = 0; i < g->f->tensors.count; i++)
        s->waits_late |= g->f->tensors.data[i].ready && !single;
    s->releaser = single ? NULL : releaser(g);
    s->release_due = single;
    if (!s->waits_late)
        await(g);
}

void gpu_before_node(struct gen *g, const struct ir_node *n)
{
    if (!g->gpu->awaited && must_wait(g, n))
        await(g);
}

static void release(struct gen *g)
{
    g->gpu->releaser = NULL;
    g->gpu->release_due = true;
    release_if_due(g);
}

void gpu_after_node(struct gen *g, const struct ir_node *n)
{
    if (n == g->gpu->releaser)
        release(g);
}

void gpu_after_early_loads(struct gen *g)
{
    const struct ir_node *last = g->gpu->releaser;
    if (last && last->op == IR_OP_load && gpu_is_loaded(g, last))
        release(g);
}

void gpu_before_return(struct gen *g)
{
    if (!g->gpu->awaited)
        g->gpu->hooks->await_dependencies(&g->gpu->lane);
}
