/* The next program's row. While a program works on a row the next one's comes near: processors foresee
 * lines of one page, and wait for a row that begins on another. */
#include "codegen/cpu/cpu.h"

#define LINE 64
#define FAR  ((int64_t)128 << 10) /* a row and the next stay in a second-level cache */

static uint8_t last_program_axis(const struct ir_func *f)
{
    uint8_t last = IR_NO_AXIS;
    for (unsigned i = 0; i < f->axes.count; i++)
        if (f->axes.data[i].kind == IR_AXIS_PROGRAM || f->axes.data[i].kind == IR_AXIS_GRID)
            last = (uint8_t)i;
    return last;
}

/* Is the axis's number in this program a term of the subscript? */
static bool is_number(const struct ir_affine_term *term, uint8_t axis)
{
    const struct ir_value *v = term->value;
    return v && v->def == IR_DEF_NODE && v->node->op == IR_OP_index && v->node->attr.axis == axis &&
           term->coefficient == 1;
}

enum along { STAYS, FOLLOWS, JUMPS };

/* What a dim's subscript is in the next program, beside its steps along the leaf. */
static enum along next_along(const struct gen *g, const struct ir_value *subscript, uint8_t program)
{
    struct ir_affine a;
    enum along along = STAYS;
    ir_affine_of(subscript, &a);
    if (!a.affine)
        return JUMPS;
    for (unsigned i = 0; i < g->f->axes.count; i++) {
        if (!a.coefficient[i] || i == g->cpu->leaf)
            continue;
        if (i != program || a.coefficient[i] != 1 || a.factor[i])
            return JUMPS;
        along = FOLLOWS;
    }
    for (uint32_t i = 0; i < a.term_count; i++)
        if (is_number(&a.terms[i], program))
            along = FOLLOWS;
    /* x[r + c]: what the next program reads is mostly what this one does. */
    return along == FOLLOWS && a.coefficient[g->cpu->leaf] ? JUMPS : along;
}

/* i64: how many elements further on the next program reads the same; NULL: not known. */
static LLVMValueRef next_program(struct gen *g, const struct ir_node *n, uint32_t rank)
{
    uint8_t program = last_program_axis(g->f);
    LLVMValueRef step = NULL;
    if (g->cpu->leaf == program) /* it goes on where this one ends, as any processor expects */
        return NULL;
    for (uint32_t d = 0; d < rank; d++) {
        enum along along = next_along(g, n->operands[d], program);
        if (along == JUMPS || (along == FOLLOWS && step))
            return NULL;
        if (along == FOLLOWS)
            step = g->strides[n->attr.tensor][d];
    }
    return step;
}

void gen_fetch_ahead(struct gen *g, const struct ir_node *n, LLVMValueRef from, unsigned width)
{
    const struct ir_tensor *t = &g->f->tensors.data[n->attr.tensor];
    uint32_t element = ir_elem_bits(t->elem) / 8;
    LLVMValueRef step = width * element < LINE ? NULL : next_program(g, n, t->rank);
    if (!step)
        return;
    step = LLVMBuildMul(g->b, step, gen_index(g, element), "");
    LLVMValueRef near = LLVMBuildICmp(g->b, LLVMIntULT, step, gen_index(g, FAR), "");
    step = LLVMBuildSelect(g->b, near, step, gen_index(g, 0), "");
    for (uint32_t i = 0; i < width * element; i += LINE) {
        LLVMValueRef by = LLVMBuildAdd(g->b, step, gen_index(g, i), "");
        LLVMValueRef args[] = {LLVMBuildGEP2(g->b, g->t_i8, from, &by, 1, ""),
                               gen_int(g, g->t_i32, 0),  /* to be read, */
                               gen_int(g, g->t_i32, 2),  /* from the second-level cache, */
                               gen_int(g, g->t_i32, 1)}; /* data */
        gen_intrinsic(g, "llvm.prefetch", &g->t_ptr, 1, args, 4);
    }
}
