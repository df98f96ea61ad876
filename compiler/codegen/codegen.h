/* Code generation: tile IR to LLVM IR to machine code. Doorway of compiler/codegen. */
#ifndef CODEGEN_CODEGEN_H
#define CODEGEN_CODEGEN_H

#include "ir/ir.h"
#include "target/target.h"

struct codegen_options {
    bool check;     /* bounds, unwritten reads, double writes: report through the launch record */
    bool line_info; /* DWARF lines of the .ldsl source */
    int round_bias; /* -1, 0, 1: nudges f64 -> 16-bit roundings down or up by 2^-20 relative: lets a
                        reference bracket the results of an intermediate rounding */
    bool emit_llvm; /* *text_out: LLVM IR after optimisation */
    bool emit_layout;  /* *text_out: GPU layouts in words */
    bool emit_drawing; /* *text_out: GPU layouts as SVG */
    bool emit_asm;     /* *text_out: assembly (PTX for GPUs) */
};

/* What code generation made of one kernel. In the module arena. */
struct codegen_result {
    const void *image; /* object file (CPU) or PTX text (GPU); NULL when a text was asked for */
    size_t image_bytes;
    const char *text;
    const char *entry;         /* symbol of the kernel */
    uint64_t scratch_bytes;    /* CPU: tile memory per thread */
    uint32_t threads, cluster; /* of a block, blocks of a program; CPU: 1, 1 */
    uint32_t shared_bytes;     /* GPU */
    bool dependent;            /* GPU: begins by waiting for the kernels before it */
};

/* The function must verify. False after reporting. */
bool codegen_run(struct session *s, struct ir_func *f, const struct target_machine *target,
                 const struct codegen_options *options, struct codegen_result *out);

#endif
