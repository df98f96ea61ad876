/* dot: a small matrix product on tiles in storage.
 *
 * Operands lie as x[batch.., m.., k] and y[batch.., k, n..] (narrow floats widened to f32). Loops run
 * over the result's axes; the last axis that only y has is vectorised, four elements of the last
 * axis that only x has share each vector of y, and k runs innermost in registers. */
#include "codegen/cpu/cpu.h"

#define ROWS 4

struct dot {
    struct unit *unit;
    const struct storage *x, *y, *out;
    enum ir_elem result;
    uint8_t k, row, column; /* IR_NO_AXIS: none */
    axis_set rest;          /* axes of the result that get plain loops */
    unsigned rows, width;
    LLVMValueRef first_row;
    LLVMValueRef sums[ROWS];
};

static void bind(struct gen *g, uint8_t axis, LLVMValueRef offset)
{
    g->cpu->axes[axis].offset = offset;
    g->cpu->axes[axis].bound = true;
    g->cpu->axes[axis].level = gen_depth(g);
}

static void unbind(struct gen *g, uint8_t axis)
{
    g->cpu->axes[axis].offset = NULL;
    g->cpu->axes[axis].bound = false;
}

static void bind_row(struct gen *g, const struct dot *d, unsigned row)
{
    if (d->row != IR_NO_AXIS)
        g->cpu->axes[d->row].offset = LLVMBuildAdd(g->b, d->first_row, gen_index(g, row), "");
}

static LLVMValueRef multiply_add(struct gen *g, enum ir_elem e, LLVMValueRef x, LLVMValueRef y,
                                 LLVMValueRef sum)
{
    if (ir_elem_is_float(e))
        return gen_fma(g, x, y, sum);
    return LLVMBuildAdd(g->b, LLVMBuildMul(g->b, x, y, ""), sum, "");
}

static void inner_round(struct gen *g, void *user, LLVMValueRef counter)
{
    struct dot *d = user;
    bind(g, d->k, counter);
    LLVMTypeRef t = gen_wide(gen_type(g, d->result), d->width);
    LLVMValueRef y = gen_storage_load(g, d->y, d->y->elem, d->width, IR_NO_AXIS, NULL);
    y = gen_splat(g, gen_cast(g, y, d->y->elem, d->result), d->width);
    for (unsigned i = 0; i < d->rows; i++) {
        bind_row(g, d, i);
        uint8_t leaf = g->cpu->leaf;
        g->cpu->leaf = IR_NO_AXIS;
        LLVMValueRef x = gen_storage_load(g, d->x, d->x->elem, 1, IR_NO_AXIS, NULL);
        g->cpu->leaf = leaf;
        x = gen_splat(g, gen_cast(g, x, d->x->elem, d->result), d->width);
        LLVMValueRef sum = LLVMBuildLoad2(g->b, t, d->sums[i], "");
        LLVMBuildStore(g->b, multiply_add(g, d->result, x, y, sum), d->sums[i]);
    }
    unbind(g, d->k);
}

/* rows x width elements of the result. */
static void block(struct gen *g, struct dot *d)
{
    LLVMTypeRef t = gen_wide(gen_type(g, d->result), d->width);
    for (unsigned i = 0; i < d->rows; i++) {
        d->sums[i] = gen_alloca(g, t);
        LLVMBuildStore(g->b, LLVMConstNull(t), d->sums[i]);
    }
    gen_axis_range(g, d->k);
    gen_counted(g, gen_index(g, 0), g->cpu->axes[d->k].count, 1, inner_round, d);
    for (unsigned i = 0; i < d->rows; i++) {
        bind_row(g, d, i);
        LLVMValueRef sum = LLVMBuildLoad2(g->b, t, d->sums[i], "");
        gen_storage_store(g, d->out, d->result, sum, d->width, IR_NO_AXIS, NULL);
    }
}

static void row_round(struct gen *g, void *user, LLVMValueRef counter)
{
    struct dot *d = user;
    bind(g, d->row, counter);
    d->first_row = counter;
    block(g, d);
    unbind(g, d->row);
}

static void all_rows(struct gen *g, struct dot *d)
{
    if (d->row == IR_NO_AXIS) {
        d->rows = 1;
        block(g, d);
        return;
    }
    gen_axis_range(g, d->row);
    LLVMValueRef count = g->cpu->axes[d->row].count;
    LLVMValueRef whole = LLVMBuildAnd(g->b, count, gen_index(g, -(int64_t)ROWS), "");
    d->rows = ROWS;
    gen_counted(g, gen_index(g, 0), whole, ROWS, row_round, d);
    d->rows = 1;
    gen_counted(g, whole, count, 1, row_round, d);
}

static void column_round(struct gen *g, void *user, LLVMValueRef counter)
{
    struct dot *d = user;
    bind(g, d->column, counter);
    if (d->width > 1)
        g->cpu->leaf = d->column;
    all_rows(g, d);
    g->cpu->leaf = IR_NO_AXIS;
    unbind(g, d->column);
}

static void all_columns(struct gen *g, struct dot *d)
{
    if (d->column == IR_NO_AXIS) {
        d->width = 1;
        all_rows(g, d);
        return;
    }
    gen_axis_range(g, d->column);
    LLVMValueRef count = g->cpu->axes[d->column].count;
    unsigned width = g->target->facts.vector_bytes / 4 * 2;
    LLVMValueRef whole = LLVMBuildAnd(g->b, count, gen_index(g, -(int64_t)width), "");
    d->width = width;
    gen_counted(g, gen_index(g, 0), whole, width, column_round, d);
    d->width = 1;
    gen_counted(g, whole, count, 1, column_round, d);
}

static void other_axes(struct gen *g, struct dot *d);

struct other {
    struct dot *dot;
    uint8_t axis;
};

static void other_round(struct gen *g, void *user, LLVMValueRef counter)
{
    struct other *o = user;
    bind(g, o->axis, counter);
    other_axes(g, o->dot);
    unbind(g, o->axis);
}

static void other_axes(struct gen *g, struct dot *d)
{
    if (!d->rest) {
        all_columns(g, d);
        return;
    }
    struct other o = {.dot = d};
    while (!(d->rest & axis_bit(o.axis)))
        o.axis++;
    d->rest &= ~axis_bit(o.axis);
    gen_axis_range(g, o.axis);
    gen_counted(g, gen_index(g, 0), g->cpu->axes[o.axis].count, 1, other_round, &o);
    d->rest |= axis_bit(o.axis);
}

/* The innermost dim of s that is one of axes. */
static uint8_t last_of(const struct storage *s, axis_set axes)
{
    for (unsigned i = s->dim_count; i--;)
        if (axes & axis_bit(s->dims[i]))
            return s->dims[i];
    return IR_NO_AXIS;
}

void gen_dot(struct gen *g, struct unit *u)
{
    const struct ir_node *n = u->node;
    const struct value_plan *x = plan_of(g->cpu->plan, n->operands[0]);
    const struct value_plan *y = plan_of(g->cpu->plan, n->operands[1]);
    const struct value_plan *out = plan_of(g->cpu->plan, n->results[0]);
    struct dot d = {.unit = u, .x = x->storage, .y = y->storage, .out = out->storage};
    d.result = n->results[0]->type.elem;
    d.k = n->attr.axis;
    d.row = last_of(d.x, x->axes & ~y->axes);
    d.column = last_of(d.y, y->axes & ~x->axes);
    d.rest = out->axes;
    if (d.row != IR_NO_AXIS)
        d.rest &= ~axis_bit(d.row);
    if (d.column != IR_NO_AXIS)
        d.rest &= ~axis_bit(d.column);
    other_axes(g, &d);
}
