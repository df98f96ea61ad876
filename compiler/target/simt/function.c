/* The functions that GPUs have in hardware, by the C library, with results as coarse as a GPU's may
 * be: code that needs more shows it here too. */
#include "target/simt/simt.h"

#include <string.h>

LLVMValueRef simt_pin(struct lane_emit *e, LLVMValueRef word, bool fixed)
{
    LLVMTypeRef type = LLVMFunctionType(simt(e)->i32, &simt(e)->i32, 1, false);
    LLVMValueRef nothing =
        LLVMGetInlineAsm(type, "", 0, "=r,0", 4, fixed, false, LLVMInlineAsmDialectATT, false);
    return LLVMBuildCall2(e->b, type, nothing, &word, 1, "");
}

/* Nothing is moved that should not be: each wait is a call. */
LLVMValueRef simt_never(struct lane_emit *e)
{
    return simt_int(e, simt(e)->i1, 0);
}

static LLVMValueRef call_library(struct lane_emit *e, const char *name, LLVMValueRef x)
{
    LLVMTypeRef f32 = LLVMFloatTypeInContext(e->context);
    LLVMTypeRef type = LLVMFunctionType(f32, &f32, 1, false);
    LLVMValueRef fn = LLVMGetNamedFunction(e->module, name);
    if (!fn)
        fn = LLVMAddFunction(e->module, name, type);
    return LLVMBuildCall2(e->b, type, fn, &x, 1, "");
}

static LLVMValueRef divide_one(struct lane_emit *e, LLVMValueRef x)
{
    LLVMValueRef one = LLVMConstReal(LLVMFloatTypeInContext(e->context), 1);
    return LLVMBuildFDiv(e->b, one, x, "");
}

static LLVMValueRef exact(struct lane_emit *e, enum lane_function f, LLVMValueRef x)
{
    switch (f) {
    case LANE_EX2: return call_library(e, "exp2f", x);
    case LANE_LG2: return call_library(e, "log2f", x);
    case LANE_RCP: return divide_one(e, x);
    case LANE_RSQRT: return divide_one(e, call_library(e, "sqrtf", x));
    case LANE_SQRT: return call_library(e, "sqrtf", x);
    case LANE_TANH: return call_library(e, "tanhf", x);
    case LANE_SIN: return call_library(e, "sinf", x);
    case LANE_COS: return call_library(e, "cosf", x);
    }
    return x;
}

/* Low bits of the result that mean nothing. */
static unsigned noise(enum lane_function f)
{
    switch (f) {
    case LANE_TANH: return 12;
    case LANE_SIN:
    case LANE_COS: return 3;
    case LANE_EX2:
    case LANE_LG2:
    case LANE_RSQRT: return 1;
    case LANE_RCP:
    case LANE_SQRT: break;
    }
    return 0;
}

LLVMValueRef simt_function(struct lane_emit *e, enum lane_function f, LLVMValueRef x)
{
    LLVMTypeRef i32 = simt(e)->i32;
    LLVMValueRef y = exact(e, f, x);
    if (!noise(f))
        return y;
    LLVMValueRef bits = LLVMBuildBitCast(e->b, y, i32, "");
    bits = LLVMBuildAnd(e->b, bits, simt_int(e, i32, ~((1u << noise(f)) - 1)), "");
    return LLVMBuildBitCast(e->b, bits, LLVMTypeOf(x), "");
}

/* ---- two at once ------------------------------------------------------------------------------- */

static LLVMValueRef narrow_bf16(struct lane_emit *e, LLVMValueRef x)
{
    LLVMTypeRef i32 = simt(e)->i32;
    LLVMValueRef bits = LLVMBuildBitCast(e->b, x, i32, "");
    LLVMValueRef high = LLVMBuildLShr(e->b, bits, simt_int(e, i32, 16), "");
    LLVMValueRef odd = LLVMBuildAnd(e->b, high, simt_int(e, i32, 1), "");
    LLVMValueRef up = LLVMBuildAdd(e->b, simt_int(e, i32, 0x7fff), odd, "");
    LLVMValueRef rounded = LLVMBuildAdd(e->b, bits, up, "");
    rounded = LLVMBuildLShr(e->b, rounded, simt_int(e, i32, 16), "");
    LLVMValueRef nan = LLVMBuildFCmp(e->b, LLVMRealUNO, x, x, "");
    return LLVMBuildSelect(e->b, nan, simt_int(e, i32, 0x7fff), rounded, "");
}

static LLVMValueRef narrow_f16(struct lane_emit *e, LLVMValueRef x)
{
    x = LLVMBuildFPTrunc(e->b, x, LLVMHalfTypeInContext(e->context), "");
    x = LLVMBuildBitCast(e->b, x, LLVMInt16TypeInContext(e->context), "");
    return LLVMBuildZExt(e->b, x, simt(e)->i32, "");
}

/* Without the instruction LLVM would call a function of the compiler's own library. */
static bool has_f16(const struct lane_emit *e)
{
    const char *f = e->target->features;
    return strstr(f, "+f16c") || strstr(f, "+fullfp16");
}

LLVMValueRef simt_narrow(struct lane_emit *e, enum ir_elem to, LLVMValueRef low, LLVMValueRef high)
{
    bool half = to == IR_F16;
    if (half && !has_f16(e))
        return NULL;
    low = half ? narrow_f16(e, low) : narrow_bf16(e, low);
    high = half ? narrow_f16(e, high) : narrow_bf16(e, high);
    high = LLVMBuildShl(e->b, high, simt_int(e, simt(e)->i32, 16), "");
    return LLVMBuildOr(e->b, low, high, "");
}
