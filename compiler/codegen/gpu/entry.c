#include "codegen/internal.h"
void gen_gpu(struct gen *g, struct ir_func *f, struct codegen_result *out)
{
    (void)f;
    (void)out;
    diag_bug(g->s, g->f->at, "no GPU lowering");
}
