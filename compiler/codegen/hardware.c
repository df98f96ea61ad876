/* Functions that a GPU has instructions for. All answer NULL where code for any processor is wanted:
 * on a CPU, in @exact kernels, and where the target has no such instruction. */
#include "codegen/gpu/gpu.h"

/* Scalars of f32 only. */
static bool may_use(const struct gen *g, LLVMValueRef x)
{
    return g->gpu && !g->f->exact && LLVMTypeOf(x) == g->t_f32;
}

bool gen_has_hardware(const struct gen *g, LLVMValueRef x)
{
    return may_use(g, x) && g->gpu->hooks->function;
}

LLVMValueRef gen_hardware(struct gen *g, enum lane_function f, LLVMValueRef x)
{
    return gen_has_hardware(g, x) ? g->gpu->hooks->function(&g->gpu->lane, f, x) : NULL;
}

LLVMValueRef gen_hardware_divide(struct gen *g, LLVMValueRef x, LLVMValueRef y)
{
    LLVMBool inexact;
    if (!may_use(g, x) || !g->gpu->hooks->divide)
        return NULL;
    double one = LLVMIsAConstantFP(x) ? LLVMConstRealGetDouble(x, &inexact) : 0;
    double divisor = LLVMIsAConstantFP(y) ? LLVMConstRealGetDouble(y, &inexact) : 0;
    double size = divisor < 0 ? -divisor : divisor;
    if (size > 0x1p-120 && size < 0x1p120)
        return LLVMBuildFMul(g->b, x, LLVMConstReal(g->t_f32, 1 / divisor), "");
    LLVMValueRef v = one == 1 ? gen_hardware(g, LANE_RCP, y) : NULL;
    return v ? v : g->gpu->hooks->divide(&g->gpu->lane, x, y);
}

/* Rounds as the CPU does, so it is right for @exact too. */
LLVMValueRef gen_hardware_narrow(struct gen *g, LLVMValueRef x, enum ir_elem to)
{
    if (!g->gpu || !g->gpu->hooks->narrow || LLVMTypeOf(x) != g->t_f32)
        return NULL;
    LLVMValueRef zero = LLVMConstNull(g->t_f32);
    LLVMValueRef word = g->gpu->hooks->narrow(&g->gpu->lane, to, x, zero);
    return LLVMBuildTrunc(g->b, word, g->t_i16, "");
}

LLVMValueRef gen_hardware_fused(struct gen *g, enum ir_elem e, LLVMValueRef *x)
{
    if (!g->gpu || !g->gpu->hooks->fused || LLVMTypeOf(x[0]) != g->t_i16)
        return NULL;
    return g->gpu->hooks->fused(&g->gpu->lane, e, x[0], x[1], x[2]);
}
