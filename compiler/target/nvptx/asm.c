/* Inline assembly and intrinsics. */
#include "target/nvptx/nvptx.h"

enum { MAX_ARGS = 8 };

static void mark(struct lane_emit *e, LLVMValueRef call, const char *name)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddCallSiteAttribute(call, LLVMAttributeFunctionIndex,
                             LLVMCreateEnumAttribute(e->context, kind, 0)); /* memory(none): 0 */
}

LLVMValueRef nvptx_asm(struct lane_emit *e, enum nvptx_effect effect, LLVMTypeRef result,
                       const char *text, const char *constraints, LLVMValueRef *args,
                       unsigned count)
{
    LLVMTypeRef types[MAX_ARGS];
    if (count > MAX_ARGS)
        diag_bug(e->s, e->at, "an instruction with %u operands", count);
    for (unsigned i = 0; i < count; i++)
        types[i] = LLVMTypeOf(args[i]);
    if (effect >= NVPTX_MEMORY)
        constraints =
            arena_printf(&e->s->module, "%s%s~{memory}", constraints, *constraints ? "," : "");
    LLVMTypeRef type =
        LLVMFunctionType(result ? result : LLVMVoidTypeInContext(e->context), types, count, false);
    LLVMValueRef code =
        LLVMGetInlineAsm(type, text, strlen(text), constraints, strlen(constraints),
                         effect >= NVPTX_FIXED, false, LLVMInlineAsmDialectATT, false);
    LLVMValueRef call = LLVMBuildCall2(e->b, type, code, args, count, "");
    mark(e, call, "nounwind");
    if (effect == NVPTX_PURE) {
        mark(e, call, "memory");
        mark(e, call, "willreturn");
    }
    if (effect == NVPTX_MEETING)
        mark(e, call, "convergent");
    return call;
}

LLVMValueRef nvptx_intrinsic(struct lane_emit *e, const char *name, LLVMValueRef *args,
                             unsigned count)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    if (!id)
        diag_bug(e->s, e->at, "no intrinsic %s", name);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->module, id, NULL, 0);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, NULL, 0);
    return LLVMBuildCall2(e->b, type, fn, args, count, "");
}

LLVMValueRef nvptx_at_entry(struct lane_emit *e, LLVMTypeRef type, const char *text,
                            const char *constraint)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    LLVMMetadataRef at = LLVMGetCurrentDebugLocation2(e->b);
    LLVMPositionBuilderBefore(e->b, LLVMGetBasicBlockTerminator(LLVMGetEntryBasicBlock(e->entry)));
    LLVMSetCurrentDebugLocation2(e->b, at);
    LLVMValueRef word = nvptx_asm(e, NVPTX_PURE, type, text, constraint, NULL, 0);
    LLVMPositionBuilderAtEnd(e->b, here);
    LLVMSetCurrentDebugLocation2(e->b, at);
    return word;
}

/* Bit 31 is in every lane's mask of lanes from its own on. */
LLVMValueRef nvptx_opaque_one(struct lane_emit *e)
{
    struct nvptx *n = nvptx_of(e);
    if (!n->one)
        n->one =
            nvptx_at_entry(e, LLVMInt32TypeInContext(e->context),
                           "{ .reg .b32 m; mov.u32 m, %lanemask_ge; shr.u32 $0, m, 31; }", "=r");
    return n->one;
}

LLVMValueRef nvptx_never(struct lane_emit *e)
{
    return LLVMBuildICmp(e->b, LLVMIntEQ, nvptx_opaque_one(e), nvptx_word(e, 0), "");
}
