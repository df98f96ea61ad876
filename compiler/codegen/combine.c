/* What reductions and scans combine: element types, identities. */
#include "codegen/internal.h"

#include <math.h>

enum ir_elem gen_accumulate_as(enum ir_elem e)
{
    return ir_elem_is_float(e) && ir_elem_bits(e) < 32 ? IR_F32 : e;
}

/* A combiner's region is written for the operands' own types. */
enum ir_elem gen_combined_as(const struct ir_node *n, uint32_t operand)
{
    enum ir_elem e = n->operands[operand]->type.elem;
    return n->attr.kind == IR_KIND_COMBINER ? e : gen_accumulate_as(e);
}

static LLVMValueRef extreme(struct gen *g, enum ir_elem e, bool most)
{
    LLVMTypeRef t = gen_type(g, e);
    unsigned bits = ir_elem_bits(e);
    if (ir_elem_is_float(e)) {
        return LLVMConstReal(t, most ? (double)INFINITY : -(double)INFINITY);
    }
    uint64_t all = bits == 64 ? ~UINT64_C(0) : (UINT64_C(1) << bits) - 1;
    if (!ir_elem_is_signed(e))
        return LLVMConstInt(t, most ? all : 0, false);
    return LLVMConstInt(t, most ? all >> 1 : (all >> 1) + 1, false);
}

LLVMValueRef gen_identity(struct gen *g, enum ir_kind kind, enum ir_elem e)
{
    LLVMTypeRef t = gen_type(g, e);
    switch (kind) {
    case IR_KIND_PROD:
        return ir_elem_is_float(e) ? LLVMConstReal(t, 1.0) : LLVMConstInt(t, 1, false);
    case IR_KIND_MAX:
    case IR_KIND_FMAX: return extreme(g, e, false);
    case IR_KIND_MIN:
    case IR_KIND_FMIN: return extreme(g, e, true);
    case IR_KIND_ALL: return LLVMConstInt(t, 1, false);
    case IR_KIND_SUM:
    case IR_KIND_ANY:
    case IR_KIND_COMBINER: break;
    }
    return LLVMConstNull(t);
}
