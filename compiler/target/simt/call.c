/* Calls into the emulator, and the constants that say where they come from. */
#include "target/simt/simt.h"

#include <string.h>

struct simt_emit *simt(struct lane_emit *e)
{
    return e->state;
}

LLVMValueRef simt_int(struct lane_emit *e, LLVMTypeRef type, uint64_t value)
{
    (void)e;
    return LLVMConstInt(type, value, false);
}

static LLVMValueRef field(struct lane_emit *e, LLVMValueRef record, size_t offset)
{
    LLVMValueRef at = simt_int(e, simt(e)->i64, offset);
    return LLVMBuildInBoundsGEP2(e->b, simt(e)->i8, record, &at, 1, "");
}

LLVMValueRef simt_get(struct lane_emit *e, size_t offset, LLVMTypeRef type)
{
    LLVMValueRef v = LLVMBuildLoad2(e->b, type, field(e, simt(e)->thread, offset), "");
    LLVMSetAlignment(v, offset % 8 ? 4 : 8);
    return v;
}

void simt_set(struct lane_emit *e, size_t offset, LLVMValueRef value)
{
    LLVMValueRef v = LLVMBuildStore(e->b, value, field(e, simt(e)->thread, offset));
    LLVMSetAlignment(v, offset % 8 ? 4 : 8);
}

/* Nothing may move a call to where other threads do not make it too. */
static void mark_convergent(struct lane_emit *e, LLVMValueRef call)
{
    static const char name[] = "convergent";
    unsigned kind = LLVMGetEnumAttributeKindForName(name, sizeof name - 1);
    LLVMAddCallSiteAttribute(call, LLVMAttributeFunctionIndex,
                             LLVMCreateEnumAttribute(e->context, kind, 0));
}

LLVMValueRef simt_call(struct lane_emit *e, size_t function, LLVMTypeRef result,
                       const LLVMValueRef *args, uint32_t count)
{
    enum { MAX_ARGS = 8 };
    struct simt_emit *x = simt(e);
    LLVMValueRef list[MAX_ARGS] = {x->thread};
    LLVMTypeRef types[MAX_ARGS] = {x->ptr};
    for (uint32_t i = 0; i < count; i++) {
        list[i + 1] = args[i];
        types[i + 1] = LLVMTypeOf(args[i]);
    }
    LLVMTypeRef type = LLVMFunctionType(result ? result : x->nothing, types, count + 1, false);
    LLVMValueRef calls = simt_get(e, offsetof(struct ldsl_simt_thread, calls), x->ptr);
    LLVMValueRef callee = LLVMBuildLoad2(e->b, x->ptr, field(e, calls, function), "");
    LLVMValueRef call = LLVMBuildCall2(e->b, type, callee, list, count + 1, "");
    mark_convergent(e, call);
    return call;
}

static LLVMValueRef make_constant(struct lane_emit *e, LLVMValueRef value, const char *name)
{
    LLVMValueRef v = LLVMAddGlobal(e->module, LLVMTypeOf(value), name);
    LLVMSetInitializer(v, value);
    LLVMSetGlobalConstant(v, true);
    LLVMSetLinkage(v, LLVMPrivateLinkage);
    return v;
}

static LLVMValueRef text_constant(struct lane_emit *e, const char *text)
{
    if (!text)
        return LLVMConstNull(simt(e)->ptr);
    return make_constant(e, LLVMConstStringInContext2(e->context, text, strlen(text), false),
                         "text");
}

LLVMValueRef simt_site(struct lane_emit *e, const struct ldsl_simt_site *site)
{
    LLVMTypeRef i32 = simt(e)->i32;
    struct source *src = source_get(e->s, e->at.file);
    uint32_t line = 0, column = 0;
    if (src)
        source_locate(e->s, e->at, &line, &column);
    LLVMValueRef fields[] = {
        simt_int(e, i32, line),
        simt_int(e, i32, column),
        text_constant(e, src ? src->path : NULL),
        text_constant(e, site->text),
        simt_int(e, i32, site->number),
        simt_int(e, i32, site->rank),
        simt_int(e, i32, site->bytes),
        simt_int(e, i32, site->element),
        simt_int(e, i32, site->align),
        simt_int(e, i32, site->flags),
        simt_int(e, i32, site->function),
        simt_int(e, i32, site->dtype),
    };
    return make_constant(
        e, LLVMConstStructInContext(e->context, fields, sizeof fields / sizeof fields[0], false),
        "site");
}

bool simt_is_left_out(struct lane_emit *e, enum simt_fault kind)
{
    struct simt_emit *x = simt(e);
    return x->met[kind]++ == x->fault_number && x->fault == kind;
}
