/* How wide an access may be: how many neighbours, surely at an address that is a multiple of their
 * size. */
#include "codegen/gpu/gpu.h"

struct proof {
    const struct gen *g;
    const struct ir_node *node;
    const struct ir_tensor *tensor;
    uint8_t axis;
    uint64_t width;
    const char *why; /* what is not known */
};

static bool divides(uint64_t width, uint64_t multiple)
{
    return multiple % width == 0;
}

static bool fails(struct proof *p, const char *why)
{
    p->why = why;
    return false;
}

static const char *say(struct proof *p, const char *format, const char *name)
{
    return arena_printf(&p->g->s->module, format, name);
}

static bool start_is_multiple(struct proof *p)
{
    const struct ir_axis *a = &p->g->f->axes.data[p->axis];
    bool tiled = a->kind == IR_AXIS_GRID || a->kind == IR_AXIS_SWEPT;
    if (!divides(p->width, gpu_multiple(p->g, a->lo)))
        return fails(p, say(p, "%s may begin anywhere", a->name));
    return !tiled || divides(p->width, (uint64_t)a->tile) ||
           fails(p, say(p, "tiles of %s are no multiple of it", a->name));
}

/* Does the last subscript take the elements of the axis in aligned runs? */
static bool runs_along(struct proof *p, const struct ir_affine *f)
{
    for (uint32_t i = 0; i < f->term_count; i++) {
        const struct ir_affine_term *t = &f->terms[i];
        uint64_t m = t->value ? gpu_multiple(p->g, t->value) : 1;
        if (!divides(p->width, (uint64_t)t->coefficient) && !divides(p->width, m))
            return fails(p, say(p, "the offset along the rows of %s is not known to be a multiple",
                                p->tensor->name));
    }
    for (unsigned i = 0; i < p->g->f->axes.count; i++) {
        int64_t c = f->coefficient[i];
        if (i == p->axis && (c != 1 || f->factor[i]))
            return fails(p, say(p, "%s does not go along its rows", p->g->f->axes.data[i].name));
        if (i != p->axis && !divides(p->width, (uint64_t)c))
            return fails(p, say(p, "%s moves by less", p->g->f->axes.data[i].name));
    }
    return start_is_multiple(p);
}

static bool is_fastest(struct proof *p)
{
    struct ir_affine f = {0};
    const char *name = p->g->f->axes.data[p->axis].name;
    for (uint32_t d = 0; d < p->tensor->rank; d++) {
        bool last = d + 1 == p->tensor->rank;
        ir_affine_of(p->node->operands[d], &f);
        if (!f.affine && p->node->operands[d]->type.axes)
            return fails(p, "a subscript depends on data");
        if (f.affine && (f.coefficient[p->axis] != 0) != last)
            return fails(p, say(p,
                                last ? "%s is not in its last subscript"
                                     : "%s is not the fastest axis of the tensor",
                                name));
    }
    return f.affine || fails(p, "a subscript is not a sum of axes");
}

static bool is_proven(struct proof *p)
{
    uint32_t bytes = ir_elem_bits(p->tensor->elem) / 8;
    struct ir_affine last;
    if (p->node->attr.flag)
        return fails(p, "elements outside the tensor are tested one by one");
    if (p->tensor->strided)
        return fails(p, say(p, "the innermost stride of %s is not known", p->tensor->name));
    if (!p->tensor->rank || !is_fastest(p))
        return false;
    ir_affine_of(p->node->operands[p->tensor->rank - 1], &last);
    if (!runs_along(p, &last))
        return false;
    return p->tensor->align >= p->width * bytes ||
           fails(p, arena_printf(&p->g->s->module,
                                 "rows of %s are only known to begin at "
                                 "multiples of %u bytes: specialize align(%s, 16)",
                                 p->tensor->name, p->tensor->align, p->tensor->name));
}

uint32_t gpu_proven_width(const struct gen *g, const struct ir_node *n, uint8_t axis, uint32_t most,
                          const char **why)
{
    struct proof p = {.g = g,
                      .node = n,
                      .tensor = &g->f->tensors.data[n->attr.tensor],
                      .axis = axis,
                      .width = most};
    *why = NULL;
    while (p.width & (p.width - 1))
        p.width &= p.width - 1;
    for (; p.width > 1 && !is_proven(&p); p.width /= 2)
        *why = *why ? *why : p.why;
    return p.width ? (uint32_t)p.width : 1;
}

/* The axis whose registers are the fastest in a view over `axes`. */
static uint8_t fastest_axis(const struct gpu_layout *l, axis_set axes)
{
    for (uint32_t k = l->axis_count; k-- > 0;)
        if (axes >> l->order[k] & 1 && l->axes[l->order[k]].regs > 1)
            return l->order[k];
    return IR_NO_AXIS;
}

/* The axis whose neighbours are neighbours in memory, if they are in neighbouring registers; else
 * the one that has most say. */
static uint8_t vector_axis(const struct gen *g, const struct gpu_layout *l, const struct ir_node *n,
                           axis_set axes)
{
    struct proof p = {.g = g, .node = n, .tensor = &g->f->tensors.data[n->attr.tensor]};
    for (p.axis = 0; p.tensor->rank && p.axis < l->axis_count; p.axis++)
        if (axes >> p.axis & 1 && l->axes[p.axis].vector > 1 && is_fastest(&p))
            return p.axis;
    return fastest_axis(l, axes);
}

/* Along a shiftable axis the address is tested when the kernel runs, and mostly fits. */
uint32_t gpu_hoped_width(const struct gen *g, const struct ir_node *n, uint8_t axis, uint32_t most)
{
    const struct ir_tensor *t = &g->f->tensors.data[n->attr.tensor];
    struct proof p = {.g = g, .node = n, .tensor = t, .axis = axis};
    struct ir_affine last;
    const char *why;
    uint32_t proven = gpu_proven_width(g, n, axis, most, &why);
    if (n->attr.flag || t->strided || !t->rank || !gpu_is_shiftable(g, axis) || !is_fastest(&p))
        return proven;
    ir_affine_of(n->operands[t->rank - 1], &last);
    while (most & (most - 1))
        most &= most - 1;
    return last.coefficient[axis] == 1 && !last.factor[axis] && most ? most : proven;
}

uint32_t gpu_possible_width(const struct gen *g, const struct gpu_layout *l,
                            const struct ir_node *n, axis_set axes, uint32_t bytes, uint8_t *axis)
{
    uint32_t most = bytes / (ir_elem_bits(g->f->tensors.data[n->attr.tensor].elem) / 8);
    *axis = vector_axis(g, l, n, axes);
    if (*axis == IR_NO_AXIS)
        return 1;
    uint32_t vector = l->axes[*axis].vector;
    return gpu_hoped_width(g, n, *axis, vector < most ? vector : most);
}

uint32_t gpu_access_width(const struct gen *g, const struct gpu_layout *l, const struct ir_node *n,
                          axis_set axes, uint32_t bytes, uint8_t *axis, const char **why)
{
    uint32_t most = bytes / (ir_elem_bits(g->f->tensors.data[n->attr.tensor].elem) / 8);
    uint8_t fastest = vector_axis(g, l, n, axes);
    *axis = IR_NO_AXIS;
    *why = NULL;
    if (fastest == IR_NO_AXIS)
        return 1;
    uint32_t width = gpu_proven_width(g, n, fastest, most, why);
    uint32_t vector = l->axes[fastest].vector;
    if (!*why && vector < width)
        *why = arena_printf(&g->s->module, "%s goes in pieces of %u", g->f->axes.data[fastest].name,
                            vector);
    while (width > vector)
        width /= 2;
    if (width > 1)
        *axis = fastest;
    return width;
}
