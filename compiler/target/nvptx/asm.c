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
