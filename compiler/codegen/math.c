#include "codegen/internal.h"
LLVMValueRef gen_math(struct gen *g, enum ir_opcode op, LLVMValueRef x)
{
    (void)g;
    (void)op;
    return x;
}
LLVMValueRef gen_pow(struct gen *g, LLVMValueRef x, LLVMValueRef y)
{
    (void)g;
    (void)y;
    return x;
}
