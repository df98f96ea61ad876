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
    struct simt_emit *x = simt(e);
    if (!text)
        return LLVMConstNull(x->ptr);
    for (uint32_t i = 0; i < x->texts.count; i++)
        if (x->texts.data[i].text == text)
            return x->texts.data[i].value;
    LLVMValueRef bytes = LLVMConstStringInContext2(e->context, text, strlen(text), false);
    struct simt_constant c = {.text = text, .value = make_constant(e, bytes, "text")};
    vec_push(&e->s->module, &x->texts, c);
    return c.value;
}

static LLVMValueRef make_site(struct lane_emit *e, const struct ldsl_simt_site *site)
{
    LLVMTypeRef i32 = simt(e)->i32;
    LLVMValueRef fields[] = {
        simt_int(e, i32, site->line),     simt_int(e, i32, site->column),
        text_constant(e, site->path),     text_constant(e, site->text),
        simt_int(e, i32, site->number),   simt_int(e, i32, site->rank),
        simt_int(e, i32, site->bytes),    simt_int(e, i32, site->element),
        simt_int(e, i32, site->align),    simt_int(e, i32, site->flags),
        simt_int(e, i32, site->function), simt_int(e, i32, site->dtype),
    };
    return make_constant(
        e, LLVMConstStructInContext(e->context, fields, sizeof fields / sizeof fields[0], false),
        "site");
}

static bool same_site(const struct ldsl_simt_site *a, const struct ldsl_simt_site *b)
{
    return a->line == b->line && a->column == b->column && a->path == b->path &&
           a->text == b->text && a->number == b->number && a->bytes == b->bytes &&
           a->align == b->align && a->flags == b->flags && a->function == b->function &&
           a->dtype == b->dtype;
}

LLVMValueRef simt_site(struct lane_emit *e, const struct ldsl_simt_site *site, bool own)
{
    struct simt_emit *x = simt(e);
    struct source *src = source_get(e->s, e->at.file);
    struct simt_constant c = {.site = *site};
    if (src) {
        if (!site->line)
            source_locate(e->s, e->at, &c.site.line, &c.site.column);
        c.site.path = src->path;
    }
    /* The registers of an op follow each other. */
    for (uint32_t i = x->sites.count; i-- > 0 && !own;)
        if (same_site(&x->sites.data[i].site, &c.site))
            return x->sites.data[i].value;
    c.value = make_site(e, &c.site);
    if (!own)
        vec_push(&e->s->module, &x->sites, c);
    return c.value;
}

bool simt_is_left_out(struct lane_emit *e, enum simt_fault kind)
{
    struct simt_emit *x = simt(e);
    return x->met[kind]++ == x->fault_number && x->fault == kind;
}
