/* Instructions that compute. Their errors are in docs/targets.md. */
#include "target/nvptx/nvptx.h"

LLVMValueRef nvptx_pin(struct lane_emit *e, LLVMValueRef word, bool fixed)
{
    return nvptx_asm(e, fixed ? NVPTX_FIXED : NVPTX_OPAQUE, LLVMTypeOf(word), "", "=r,0", &word, 1);
}

/* .ftz where a subnormal number would only cost instructions: 2^x below 2^-126 is 0, 1/x of a
 * subnormal number infinity. Logarithms and roots of subnormal numbers are right. */
LLVMValueRef nvptx_function(struct lane_emit *e, enum lane_function f, LLVMValueRef x)
{
    static const char *const intrinsics[] = {
        [LANE_EX2] = "llvm.nvvm.ex2.approx.ftz.f", [LANE_LG2] = "llvm.nvvm.lg2.approx.f",
        [LANE_RCP] = "llvm.nvvm.rcp.approx.ftz.f", [LANE_RSQRT] = "llvm.nvvm.rsqrt.approx.f",
        [LANE_SQRT] = "llvm.nvvm.sqrt.approx.f",   [LANE_TANH] = NULL,
        [LANE_SIN] = "llvm.nvvm.sin.approx.f",     [LANE_COS] = "llvm.nvvm.cos.approx.f",
    };
    if (intrinsics[f])
        return nvptx_intrinsic(e, intrinsics[f], &x, 1);
    return nvptx_asm(e, NVPTX_PURE, LLVMTypeOf(x), "tanh.approx.f32 $0, $1;", "=f,f", &x, 1);
}

LLVMValueRef nvptx_divide(struct lane_emit *e, LLVMValueRef x, LLVMValueRef y)
{
    LLVMValueRef args[] = {x, y};
    return nvptx_asm(e, NVPTX_PURE, LLVMTypeOf(x), "div.full.f32 $0, $1, $2;", "=f,f,f", args, 2);
}

LLVMValueRef nvptx_narrow(struct lane_emit *e, enum ir_elem to, LLVMValueRef low, LLVMValueRef high)
{
    LLVMValueRef args[] = {high, low};
    const char *text =
        to == IR_BF16 ? "cvt.rn.bf16x2.f32 $0, $1, $2;" : "cvt.rn.f16x2.f32 $0, $1, $2;";
    return nvptx_asm(e, NVPTX_PURE, LLVMInt32TypeInContext(e->context), text, "=r,f,f", args, 2);
}

LLVMValueRef nvptx_fused(struct lane_emit *e, enum ir_elem elem, LLVMValueRef x, LLVMValueRef y,
                         LLVMValueRef z)
{
    LLVMValueRef args[] = {x, y, z};
    const char *text =
        elem == IR_BF16 ? "fma.rn.bf16 $0, $1, $2, $3;" : "fma.rn.f16 $0, $1, $2, $3;";
    return nvptx_asm(e, NVPTX_PURE, LLVMTypeOf(x), text, "=h,h,h,h", args, 3);
}
