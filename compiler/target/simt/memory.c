/* Memory: every access is a call. Values travel through the thread's record. */
#include "target/simt/simt.h"

#define VALUE offsetof(struct ldsl_simt_thread, value)

static uint32_t size_of(struct lane_emit *e, LLVMTypeRef type)
{
    return (uint32_t)LLVMStoreSizeOfType(LLVMGetModuleDataLayout(e->module), type);
}

static LLVMValueRef guard_of(struct lane_emit *e, LLVMValueRef guard)
{
    LLVMTypeRef i32 = simt(e)->i32;
    if (!guard || simt_is_left_out(e, SIMT_GUARD))
        return simt_int(e, i32, 1);
    if (simt_is_left_out(e, SIMT_PROBE))
        simt_check(e, guard, "the guard holds");
    return LLVMBuildZExt(e->b, guard, i32, "");
}

/* ---- global memory ----------------------------------------------------------------------------- */

static struct ldsl_simt_site tensor_site(struct lane_emit *e, uint8_t number)
{
    const struct ir_tensor *t = &e->f->tensors.data[number];
    return (struct ldsl_simt_site){
        .text = t->name,
        .number = number,
        .rank = t->rank,
        .element = ir_elem_bits(t->elem) / 8,
        .flags = (t->access != IR_READ ? LDSL_SIMT_WRITTEN : 0) |
                 (t->access == IR_OUT ? LDSL_SIMT_OUTPUT : 0) | (t->ready ? LDSL_SIMT_READY : 0),
    };
}

static struct ldsl_simt_site access_site(struct lane_emit *e, const struct lane_access *a,
                                         uint32_t bytes)
{
    struct ldsl_simt_site site = tensor_site(e, a->tensor);
    site.bytes = bytes;
    site.align = a->align;
    site.flags |= a->constant ? LDSL_SIMT_CONSTANT : 0;
    return site;
}

void simt_tensor(struct lane_emit *e, uint8_t tensor, LLVMValueRef base, LLVMValueRef const *dims,
                 LLVMValueRef const *strides)
{
    struct simt_emit *x = simt(e);
    struct ldsl_simt_site site = tensor_site(e, tensor);
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    LLVMPositionBuilderBefore(e->b, LLVMGetBasicBlockTerminator(x->allocas));
    LLVMValueRef list = LLVMBuildAlloca(e->b, LLVMArrayType2(x->i64, 2 * site.rank + 1), "extents");
    LLVMPositionBuilderAtEnd(e->b, here);
    for (uint32_t i = 0; i < 2 * site.rank; i++) {
        LLVMValueRef at = simt_int(e, x->i64, i);
        LLVMBuildStore(e->b, i < site.rank ? dims[i] : strides[i - site.rank],
                       LLVMBuildInBoundsGEP2(e->b, x->i64, list, &at, 1, ""));
    }
    LLVMValueRef args[] = {simt_site(e, &site, false), base, list};
    SIMT_CALL(e, tensor, args, 3);
}

LLVMValueRef simt_load(struct lane_emit *e, const struct lane_access *a)
{
    struct ldsl_simt_site site = access_site(e, a, size_of(e, a->type));
    LLVMValueRef args[] = {simt_site(e, &site, false), a->address, guard_of(e, a->guard),
                           a->exists ? a->exists : simt_int(e, simt(e)->i32, UINT32_MAX)};
    SIMT_CALL(e, load, args, 4);
    return simt_get(e, VALUE, a->type);
}

void simt_store(struct lane_emit *e, const struct lane_access *a, LLVMValueRef value)
{
    struct ldsl_simt_site site = access_site(e, a, size_of(e, LLVMTypeOf(value)));
    simt_set(e, VALUE, value);
    LLVMValueRef args[] = {simt_site(e, &site, false), a->address, guard_of(e, a->guard)};
    SIMT_CALL(e, store, args, 3);
}

static bool find_combine(enum ir_kind kind, enum ir_elem elem, enum ldsl_simt_combine *out)
{
    bool whole = ir_elem_is_integer(elem);
    if (ir_elem_bits(elem) < 32)
        return false;
    switch ((int)kind) {
    case IR_KIND_SUM: *out = LDSL_SIMT_SUM; return true;
    case IR_KIND_MAX: *out = LDSL_SIMT_MAX; return true;
    case IR_KIND_MIN: *out = LDSL_SIMT_MIN; return true;
    case IR_KIND_FMAX: *out = LDSL_SIMT_FMAX; return true;
    case IR_KIND_FMIN: *out = LDSL_SIMT_FMIN; return true;
    case IR_KIND_ANY: *out = LDSL_SIMT_ANY; return whole;
    case IR_KIND_ALL: *out = LDSL_SIMT_ALL; return whole;
    default: return false;
    }
}

bool simt_atomic(struct lane_emit *e, const struct lane_access *a, enum ir_kind kind,
                 enum ir_elem elem, LLVMValueRef value)
{
    enum ldsl_simt_combine combine;
    if (!find_combine(kind, elem, &combine))
        return false;
    struct ldsl_simt_site site = access_site(e, a, size_of(e, LLVMTypeOf(value)));
    site.function = combine;
    site.dtype = elem == IR_INDEX ? (uint32_t)LDSL_I64 : (uint32_t)elem;
    simt_set(e, VALUE, value);
    LLVMValueRef args[] = {simt_site(e, &site, false), a->address, guard_of(e, a->guard)};
    SIMT_CALL(e, atomic, args, 3);
    return true;
}

/* ---- shared memory ----------------------------------------------------------------------------- */

LLVMValueRef simt_shared_load(struct lane_emit *e, LLVMTypeRef type, LLVMValueRef offset,
                              LLVMValueRef guard)
{
    struct ldsl_simt_site site = {.bytes = size_of(e, type)};
    LLVMValueRef args[] = {simt_site(e, &site, false), offset, guard_of(e, guard)};
    SIMT_CALL(e, shared_load, args, 3);
    return simt_get(e, VALUE, type);
}

void simt_shared_store(struct lane_emit *e, LLVMValueRef value, LLVMValueRef offset,
                       LLVMValueRef guard, LLVMValueRef rank)
{
    struct ldsl_simt_site site = {.bytes = size_of(e, LLVMTypeOf(value))};
    simt_set(e, VALUE, value);
    LLVMValueRef args[] = {simt_site(e, &site, false), offset, guard_of(e, guard),
                           rank ? rank : simt_rank(e)};
    SIMT_CALL(e, shared_store, args, 4);
}

/* ---- words that are sent ------------------------------------------------------------------------ */

/* Bytes tell whether a phase has ended; sends are not counted. */
void simt_mbarrier_create(struct lane_emit *e, LLVMValueRef offset, uint32_t sends,
                          LLVMValueRef guard)
{
    (void)sends;
    struct ldsl_simt_site site = {.bytes = 8};
    LLVMValueRef args[] = {simt_site(e, &site, false), offset, guard_of(e, guard)};
    SIMT_CALL(e, mbarrier_create, args, 3);
}

void simt_mbarrier_expect(struct lane_emit *e, LLVMValueRef offset, uint32_t bytes,
                          LLVMValueRef guard)
{
    struct ldsl_simt_site site = {.bytes = bytes};
    LLVMValueRef args[] = {simt_site(e, &site, false), offset, guard_of(e, guard)};
    SIMT_CALL(e, mbarrier_expect, args, 3);
}

void simt_send(struct lane_emit *e, LLVMValueRef value, LLVMValueRef offset, LLVMValueRef guard,
               LLVMValueRef rank, LLVMValueRef mbarrier)
{
    struct ldsl_simt_site site = {.bytes = size_of(e, LLVMTypeOf(value))};
    simt_set(e, VALUE, value);
    LLVMValueRef args[] = {simt_site(e, &site, false), offset, guard_of(e, guard), rank, mbarrier};
    SIMT_CALL(e, send, args, 5);
}

/* ---- copies that do not wait ------------------------------------------------------------------- */

void simt_copy_async(struct lane_emit *e, const struct lane_access *from, LLVMValueRef offset,
                     uint32_t fixed, uint32_t bytes)
{
    struct ldsl_simt_site site = access_site(e, from, bytes);
    LLVMValueRef all = simt_int(e, simt(e)->i32, UINT32_MAX);
    LLVMValueRef args[] = {simt_site(e, &site, false), from->address, guard_of(e, from->guard),
                           from->exists ? from->exists : all,
                           LLVMBuildAdd(e->b, offset, simt_int(e, simt(e)->i32, fixed), "")};
    SIMT_CALL(e, copy, args, 5);
}

void simt_commit(struct lane_emit *e)
{
    if (simt_is_left_out(e, SIMT_COMMIT))
        return;
    SIMT_CALL(e, commit, NULL, 0);
}

void simt_wait(struct lane_emit *e, uint32_t pending)
{
    LLVMValueRef arg = simt_int(e, simt(e)->i32, pending);
    if (simt_is_left_out(e, SIMT_WAIT))
        return;
    SIMT_CALL(e, wait, &arg, 1);
}
