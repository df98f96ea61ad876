#include "codegen/internal.h"
void gen_assert(struct gen *g, struct ir_node *n)
{
    (void)g;
    (void)n;
}
void gen_check_bounds(struct gen *g, struct ir_node *n, LLVMValueRef inside, unsigned width)
{
    (void)g;
    (void)n;
    (void)inside;
    (void)width;
}
void gen_check_touch(struct gen *g, struct ir_node *n, LLVMValueRef inside, unsigned width)
{
    (void)g;
    (void)n;
    (void)inside;
    (void)width;
}
void gen_check_begin(struct gen *g)
{
    (void)g;
}
