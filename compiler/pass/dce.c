/* dce: removes what nobody can observe.
 *
 * What:  marks what stores, checks and jumps need, backwards, and removes the rest: pure ops, loads,
 *        loops and branches without effects, and the values that loops and branches carry for nobody.
 * Needs: nothing.
 * Keeps: stores, atomics, asserts, assumes, return and whatever decides whether they happen; the
 *        values that the tables of the function name.
 * Example:
 *        %4 = exp %x : f32[r]
 *        store y[%r], %x               ->     store y[%r], %x */
#include "pass/internal.h"

struct dce {
    struct pass_ctx *ctx;
    struct ir_func *f;
    bool *live;                     /* by value id */
    VEC(struct ir_value *) pending; /* live values whose makers were not looked at yet */
    bool changed;
};

enum { MARK_DEAD, MARK_NEEDED };

static void mark_live(struct dce *d, struct ir_value *v)
{
    if (!v || d->live[v->id])
        return;
    d->live[v->id] = true;
    vec_push(&d->ctx->session->scratch, &d->pending, v);
}

/* ---- jumps and what they carry ---------------------------------------------------------------- */

/* Calls visit for each terminator in b that hands values to `target`: the yields of its regions, and
 * the breaks and continues that belong to it if it is a loop. */
static void each_exit(struct ir_block *b, struct ir_node *target,
                      void (*visit)(void *user, struct ir_node *exit), void *user)
{
    for (struct ir_node *n = b->first; n; n = n->next) {
        bool jumps = n->op == IR_OP_break || n->op == IR_OP_continue;
        if ((jumps && is_loop(target->op)) || (n->op == IR_OP_yield && b->parent == target))
            visit(user, n);
        for (uint32_t r = 0; r < n->region_count && !is_loop(n->op); r++)
            each_exit(n->regions[r], target, visit, user);
    }
}

static void each_exit_of(struct ir_node *target, void (*visit)(void *user, struct ir_node *exit),
                         void *user)
{
    for (uint32_t r = 0; r < target->region_count; r++)
        each_exit(target->regions[r], target, visit, user);
}

struct position {
    struct dce *d;
    uint32_t i;
};

static void mark_exit_operand(void *user, struct ir_node *exit)
{
    struct position *p = user;
    mark_live(p->d, exit->operands[p->i]);
}

static uint32_t counters(const struct ir_node *n)
{
    return n->op == IR_OP_for;
}

/* Carried value i of a loop, or result i of an if: everything that hands it on. */
static void mark_position(struct dce *d, struct ir_node *n, uint32_t i)
{
    struct position p = {d, i};
    mark_live(d, n->results[i]);
    if (is_loop(n->op)) {
        mark_live(d, n->operands[loop_bounds(n->op) + i]);
        mark_live(d, n->regions[0]->args.data[counters(n) + i]);
    }
    each_exit_of(n, mark_exit_operand, &p);
}

/* ---- marking ---------------------------------------------------------------------------------- */

static bool carries(const struct ir_node *n)
{
    return n->op == IR_OP_if || is_loop(n->op);
}

static void need_node(struct dce *d, struct ir_node *n);

static void need_jump(void *user, struct ir_node *exit)
{
    if (exit->op != IR_OP_yield)
        need_node(user, exit);
}

/* What decides whether and how often the regions of n run. */
static void need_control(struct dce *d, struct ir_node *n)
{
    uint32_t control = n->op == IR_OP_if ? 1 : loop_bounds(n->op);
    for (uint32_t i = 0; i < control; i++)
        mark_live(d, n->operands[i]);
    if (is_loop(n->op))
        each_exit_of(n, need_jump, d);
}

static void need_yield(void *user, struct ir_node *exit)
{
    struct dce *d = user;
    for (uint32_t i = 0; i < exit->operand_count; i++)
        mark_live(d, exit->operands[i]);
}

/* n stays, and so does what stands around it. */
static void need_node(struct dce *d, struct ir_node *n)
{
    if (n->mark == MARK_NEEDED)
        return;
    n->mark = MARK_NEEDED;
    if (n->block->parent)
        need_node(d, n->block->parent);
    if (ir_op_info(n->op)->traits & IR_TERMINATOR)
        return;
    if (carries(n)) {
        need_control(d, n);
        return;
    }
    for (uint32_t i = 0; i < n->operand_count; i++)
        mark_live(d, n->operands[i]);
    each_exit_of(n, need_yield, d); /* the combiner of a reduce or scan */
}

static void mark_effect(void *user, struct ir_node *n)
{
    if ((ir_op_info(n->op)->traits & (IR_WRITES | IR_EFFECT)) || n->op == IR_OP_return)
        need_node(user, n);
}

static void mark_tables(struct dce *d)
{
    for (uint32_t i = 0; i < d->f->axes.count; i++) {
        mark_live(d, d->f->axes.data[i].lo);
        mark_live(d, d->f->axes.data[i].hi);
        mark_live(d, d->f->axes.data[i].bound);
    }
    for (uint32_t i = 0; i < d->f->tensors.count; i++)
        for (uint32_t k = 0; k < d->f->tensors.data[i].rank; k++)
            mark_live(d, d->f->tensors.data[i].dims[k]);
}

/* The maker of a live value stays. */
static void follow(struct dce *d, struct ir_value *v)
{
    struct ir_node *maker = v->def == IR_DEF_NODE ? v->node : v->block->parent;
    if (!maker) /* a parameter */
        return;
    need_node(d, maker);
    if (!carries(maker))
        return;
    if (v->def == IR_DEF_NODE)
        mark_position(d, maker, v->number);
    else if (v->number >= counters(maker))
        mark_position(d, maker, v->number - counters(maker));
}

static void clear_mark(void *user, struct ir_node *n)
{
    (void)user;
    n->mark = MARK_DEAD;
}

static void mark_all(struct dce *d)
{
    each_node(d->f->body, clear_mark, NULL);
    each_node(d->f->body, mark_effect, d);
    mark_tables(d);
    while (d->pending.count)
        follow(d, d->pending.data[--d->pending.count]);
}

/* ---- sweeping --------------------------------------------------------------------------------- */

static void drop_operand(struct ir_node *n, uint32_t i)
{
    n->operands[i]->uses--;
    n->operand_count--;
    memmove(n->operands + i, n->operands + i + 1, (n->operand_count - i) * sizeof *n->operands);
}

static void drop_exit_operand(void *user, struct ir_node *exit)
{
    struct position *p = user;
    drop_operand(exit, p->i);
}

static void drop_result(struct ir_node *n, uint32_t i)
{
    n->result_count--;
    for (uint32_t k = i; k < n->result_count; k++) {
        n->results[k] = n->results[k + 1];
        n->results[k]->number = k;
    }
}

static void drop_arg(struct ir_block *b, uint32_t i)
{
    b->args.count--;
    for (uint32_t k = i; k < b->args.count; k++) {
        b->args.data[k] = b->args.data[k + 1];
        b->args.data[k]->number = k;
    }
}

/* Positions that carry a value for nobody. Their uses go first, the argument itself after the
 * region is swept. */
static void drop_exit_values(struct dce *d, struct ir_node *n)
{
    struct position p = {d, n->result_count};
    while (p.i--)
        if (!d->live[n->results[p.i]->id])
            each_exit_of(n, drop_exit_operand, &p);
}

static void drop_positions(struct dce *d, struct ir_node *n)
{
    for (uint32_t i = n->result_count; i--;) {
        if (d->live[n->results[i]->id])
            continue;
        drop_result(n, i);
        d->changed = true;
        if (!is_loop(n->op))
            continue;
        drop_operand(n, loop_bounds(n->op) + i);
        drop_arg(n->regions[0], counters(n) + i);
    }
}

static void sweep_block(struct dce *d, struct ir_block *b)
{
    for (struct ir_node *n = b->last, *before; n; n = before) {
        before = n->prev;
        bool terminator = ir_op_info(n->op)->traits & IR_TERMINATOR;
        if (n->mark == MARK_DEAD && !terminator) {
            ir_remove(n);
            d->changed = true;
            continue;
        }
        if (!carries(n))
            continue;
        drop_exit_values(d, n);
        for (uint32_t r = 0; r < n->region_count; r++)
            sweep_block(d, n->regions[r]);
        drop_positions(d, n);
    }
}

bool pass_dce(struct pass_ctx *ctx, struct ir_func *f)
{
    struct dce d = {.ctx = ctx, .f = f};
    d.live = arena_array(&ctx->session->scratch, bool, f->value_count);
    mark_all(&d);
    sweep_block(&d, f->body);
    return d.changed;
}
