/* A thread as a coroutine: beginning, waiting for others, the end. */
#include "target/simt/simt.h"

#include <string.h>

/* ---- LLVM's coroutines ------------------------------------------------------------------------- */

static LLVMValueRef coroutine(struct lane_emit *e, const char *name, const LLVMTypeRef *overloads,
                              unsigned overload_count, LLVMValueRef *args, unsigned count)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMTypeRef *types = (LLVMTypeRef *)(uintptr_t)overloads;
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->module, id, types, overload_count);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, types, overload_count);
    return LLVMBuildCall2(e->b, type, fn, args, count, "");
}

static LLVMValueRef no_token(struct lane_emit *e)
{
    return LLVMConstNull(LLVMTokenTypeInContext(e->context));
}

static LLVMBasicBlockRef new_block(struct lane_emit *e, const char *name)
{
    return LLVMAppendBasicBlockInContext(e->context, e->entry, name);
}

static void suspend(struct lane_emit *e, bool final)
{
    struct simt_emit *x = simt(e);
    LLVMValueRef args[] = {no_token(e), simt_int(e, x->i1, final)};
    LLVMValueRef how = coroutine(e, "llvm.coro.suspend", NULL, 0, args, 2);
    LLVMBasicBlockRef resumed = new_block(e, "resumed");
    LLVMValueRef branch = LLVMBuildSwitch(e->b, how, x->suspended, 2);
    LLVMAddCase(branch, simt_int(e, x->i8, 0), resumed);
    LLVMAddCase(branch, simt_int(e, x->i8, 1), x->cleanup);
    LLVMPositionBuilderAtEnd(e->b, resumed);
}

/* ---- begin ------------------------------------------------------------------------------------- */

static void add_flag(struct lane_emit *e, LLVMValueRef fn, const char *name)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(e->context, kind, 0));
}

static void add_text(struct lane_emit *e, LLVMValueRef fn, const char *name, char *text)
{
    LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex,
                            LLVMCreateStringAttribute(e->context, name, (unsigned)strlen(name),
                                                      text, (unsigned)strlen(text)));
    LLVMDisposeMessage(text);
}

static LLVMValueRef add_function(struct lane_emit *e, const char *name, LLVMTypeRef *params,
                                 unsigned count)
{
    LLVMTypeRef type = LLVMFunctionType(simt(e)->nothing, params, count, false);
    LLVMValueRef fn = LLVMAddFunction(e->module, name, type);
    add_flag(e, fn, "nounwind");
    add_text(e, fn, "target-cpu", LLVMGetTargetMachineCPU(e->target->machine));
    add_text(e, fn, "target-features", LLVMGetTargetMachineFeatureString(e->target->machine));
    return fn;
}

static struct simt_emit *new_state(struct lane_emit *e)
{
    struct simt_emit *x = e->state = arena_new(&e->s->module, struct simt_emit);
    x->i1 = LLVMInt1TypeInContext(e->context);
    x->i8 = LLVMInt8TypeInContext(e->context);
    x->i32 = LLVMInt32TypeInContext(e->context);
    x->i64 = LLVMInt64TypeInContext(e->context);
    x->ptr = LLVMPointerTypeInContext(e->context, 0);
    x->nothing = LLVMVoidTypeInContext(e->context);
    simt_parse_fault(e->target->cpu, &x->fault, &x->fault_number);
    return x;
}

static void begin_coroutine(struct lane_emit *e)
{
    struct simt_emit *x = simt(e);
    LLVMValueRef null = LLVMConstNull(x->ptr);
    LLVMValueRef id_args[] = {simt_int(e, x->i32, 64), null, null, null};
    LLVMValueRef id = coroutine(e, "llvm.coro.id", NULL, 0, id_args, 4);
    LLVMValueRef size = coroutine(e, "llvm.coro.size", &x->i64, 1, NULL, 0);
    LLVMValueRef memory = simt_call(e, offsetof(struct ldsl_simt_calls, frame), x->ptr, &size, 1);
    LLVMValueRef begin_args[] = {id, memory};
    x->frame = coroutine(e, "llvm.coro.begin", NULL, 0, begin_args, 2);
}

void simt_begin(struct lane_emit *e, const struct lane_kernel *k)
{
    struct simt_emit *x = new_state(e);
    LLVMTypeRef params[] = {x->ptr, x->ptr};
    e->entry = add_function(e, k->name, params, 2);
    add_flag(e, e->entry, "presplitcoroutine");
    x->slots = LLVMGetParam(e->entry, 0);
    x->thread = LLVMGetParam(e->entry, 1);
    x->allocas = new_block(e, "entry");
    LLVMBasicBlockRef start = new_block(e, "start"), body = new_block(e, "body");
    x->cleanup = new_block(e, "cleanup");
    x->suspended = new_block(e, "suspended");
    LLVMPositionBuilderAtEnd(e->b, x->allocas);
    LLVMBuildBr(e->b, start);
    LLVMPositionBuilderAtEnd(e->b, start);
    begin_coroutine(e);
    LLVMBuildBr(e->b, body);
    LLVMPositionBuilderAtEnd(e->b, body);
}

/* ---- end --------------------------------------------------------------------------------------- */

static void end_coroutine(struct lane_emit *e)
{
    struct simt_emit *x = simt(e);
    LLVMPositionBuilderAtEnd(e->b, x->cleanup);
    LLVMBuildBr(e->b, x->suspended);
    LLVMPositionBuilderAtEnd(e->b, x->suspended);
    LLVMValueRef args[] = {x->frame, simt_int(e, x->i1, 0), no_token(e)};
    coroutine(e, "llvm.coro.end", NULL, 0, args, 3);
    LLVMBuildRetVoid(e->b);
}

/* void <entry>.resume(ptr frame) */
static void add_resume(struct lane_emit *e)
{
    const char *name = arena_printf(&e->s->module, "%s.resume", LLVMGetValueName(e->entry));
    LLVMValueRef fn = add_function(e, name, &simt(e)->ptr, 1);
    LLVMPositionBuilderAtEnd(e->b, LLVMAppendBasicBlockInContext(e->context, fn, ""));
    LLVMValueRef frame = LLVMGetParam(fn, 0);
    coroutine(e, "llvm.coro.resume", NULL, 0, &frame, 1);
    LLVMBuildRetVoid(e->b);
}

void simt_end(struct lane_emit *e, uint32_t shared_bytes)
{
    (void)shared_bytes;
    SIMT_CALL(e, leave, NULL, 0); /* others may still wait for this thread */
    suspend(e, true);
    LLVMBuildUnreachable(e->b);
    end_coroutine(e);
    simt_add_poison(e);
    LLVMSetCurrentDebugLocation2(e->b, NULL);
    add_resume(e);
}

/* ---- place ------------------------------------------------------------------------------------- */

LLVMValueRef simt_slot(struct lane_emit *e, uint32_t number)
{
    LLVMValueRef at = simt_int(e, simt(e)->i64, number);
    LLVMValueRef from = LLVMBuildInBoundsGEP2(e->b, simt(e)->i64, simt(e)->slots, &at, 1, "");
    return LLVMBuildLoad2(e->b, simt(e)->i64, from, "");
}

LLVMValueRef simt_thread(struct lane_emit *e)
{
    struct simt_emit *x = simt(e);
    LLVMValueRef v = simt_get(e, offsetof(struct ldsl_simt_thread, thread), x->i32);
    if (x->fault != SIMT_DIGIT)
        return v;
    return LLVMBuildAnd(e->b, v, simt_int(e, x->i32, ~(1u << (x->fault_number & 31))), "");
}

LLVMValueRef simt_block(struct lane_emit *e)
{
    return simt_get(e, offsetof(struct ldsl_simt_thread, program), simt(e)->i64);
}

LLVMValueRef simt_rank(struct lane_emit *e)
{
    return simt_get(e, offsetof(struct ldsl_simt_thread, rank), simt(e)->i32);
}

/* ---- together ---------------------------------------------------------------------------------- */

static LLVMValueRef shuffle(struct lane_emit *e, enum ldsl_simt_shuffle how, LLVMValueRef word,
                            LLVMValueRef by)
{
    size_t value = offsetof(struct ldsl_simt_thread, value);
    struct ldsl_simt_site site = {.function = how};
    if (simt_is_left_out(e, SIMT_SHUFFLE))
        return word;
    simt_set(e, value, word);
    LLVMValueRef args[] = {simt_site(e, &site, true), by};
    SIMT_CALL(e, shuffle, args, 2);
    suspend(e, false);
    return simt_get(e, value, simt(e)->i32);
}

LLVMValueRef simt_shuffle_xor(struct lane_emit *e, LLVMValueRef word, uint32_t mask)
{
    return shuffle(e, LDSL_SIMT_XOR, word, simt_int(e, simt(e)->i32, mask));
}

LLVMValueRef simt_shuffle_up(struct lane_emit *e, LLVMValueRef word, uint32_t delta)
{
    return shuffle(e, LDSL_SIMT_UP, word, simt_int(e, simt(e)->i32, delta));
}

LLVMValueRef simt_shuffle_from(struct lane_emit *e, LLVMValueRef word, LLVMValueRef lane)
{
    return shuffle(e, LDSL_SIMT_FROM, word, lane);
}

static void barrier(struct lane_emit *e, uint32_t flags)
{
    struct ldsl_simt_site site = {.flags = flags};
    if (simt_is_left_out(e, SIMT_BARRIER))
        return;
    LLVMValueRef arg = simt_site(e, &site, true);
    SIMT_CALL(e, barrier, &arg, 1);
    suspend(e, false);
}

void simt_barrier(struct lane_emit *e)
{
    barrier(e, 0);
}

void simt_cluster_barrier(struct lane_emit *e)
{
    barrier(e, LDSL_SIMT_CLUSTER);
}

void simt_cluster_meet(struct lane_emit *e)
{
    barrier(e, LDSL_SIMT_CLUSTER);
}

void simt_mbarrier_await(struct lane_emit *e, LLVMValueRef offset, LLVMValueRef parity)
{
    struct ldsl_simt_site site = {.bytes = 8};
    if (simt_is_left_out(e, SIMT_BARRIER))
        return;
    LLVMValueRef args[] = {simt_site(e, &site, true), offset, parity};
    SIMT_CALL(e, mbarrier_await, args, 3);
    suspend(e, false);
}

void simt_release_dependents(struct lane_emit *e)
{
    SIMT_CALL(e, release, NULL, 0);
}

void simt_await_dependencies(struct lane_emit *e)
{
    if (!simt_is_left_out(e, SIMT_AWAIT))
        SIMT_CALL(e, depend, NULL, 0);
}

void simt_check(struct lane_emit *e, LLVMValueRef test, const char *text)
{
    struct ldsl_simt_site site = {.text = text};
    LLVMValueRef args[] = {simt_site(e, &site, false), LLVMBuildZExt(e->b, test, simt(e)->i32, "")};
    SIMT_CALL(e, check, args, 2);
}

uint32_t simt_basis(struct lane_emit *e, uint32_t stride)
{
    return simt_is_left_out(e, SIMT_BASIS) ? 0 : stride;
}

const struct lane_hooks simt_hooks = {
    .begin = simt_begin,
    .end = simt_end,
    .slot = simt_slot,
    .tensor = simt_tensor,
    .thread = simt_thread,
    .block = simt_block,
    .rank = simt_rank,
    .shuffle_xor = simt_shuffle_xor,
    .shuffle_up = simt_shuffle_up,
    .shuffle_from = simt_shuffle_from,
    .barrier = simt_barrier,
    .cluster_barrier = simt_cluster_barrier,
    .cluster_meet = simt_cluster_meet,
    .shared_load = simt_shared_load,
    .shared_store = simt_shared_store,
    .mbarrier_create = simt_mbarrier_create,
    .mbarrier_expect = simt_mbarrier_expect,
    .mbarrier_await = simt_mbarrier_await,
    .send = simt_send,
    .load = simt_load,
    .store = simt_store,
    .atomic = simt_atomic,
    .copy_async = simt_copy_async,
    .commit = simt_commit,
    .wait = simt_wait,
    .pin = simt_pin,
    .never = simt_never,
    .function = simt_function,
    .narrow = simt_narrow,
    .release_dependents = simt_release_dependents,
    .await_dependencies = simt_await_dependencies,
    .check = simt_check,
    .basis = simt_basis,
};
