/* Run-time checks (option check). A failed check calls the function in the launch's report record
 * (ldsl/check.h); the access then does not take place. The tests are straight-line code with a call
 * of a function of our own, which branches, since accesses may be emitted where no block may be made.
 */
#include "codegen/cpu/cpu.h"

#include <ldsl/check.h>
#include <stddef.h>
#include <string.h>

#define MAX_VALUES (2 * IR_MAX_RANK)

/* ---- sites ------------------------------------------------------------------------------------- */

static LLVMValueRef text_constant(struct gen *g, const char *text)
{
    if (!text)
        return LLVMConstNull(g->t_ptr);
    LLVMValueRef bytes =
        LLVMConstStringInContext2(g->context, text, strlen(text), /* no NUL */ false);
    LLVMValueRef v = LLVMAddGlobal(g->module, LLVMTypeOf(bytes), "text");
    LLVMSetInitializer(v, bytes);
    LLVMSetGlobalConstant(v, true);
    LLVMSetLinkage(v, LLVMPrivateLinkage);
    return v;
}

/* A constant struct ldsl_check_site. */
static LLVMValueRef make_site(struct gen *g, enum ldsl_check_kind kind, struct span place,
                              const struct ir_tensor *t, const char *text)
{
    struct source *src = source_get(g->s, place.file);
    uint32_t line = 0, column = 0;
    if (src)
        source_locate(g->s, place, &line, &column);
    LLVMValueRef fields[] = {gen_int(g, g->t_i32, kind),
                             gen_int(g, g->t_i32, line),
                             gen_int(g, g->t_i32, column),
                             gen_int(g, g->t_i32, t ? t->rank : 0),
                             text_constant(g, src ? src->path : NULL),
                             text_constant(g, t ? t->name : NULL),
                             text_constant(g, text)};
    LLVMValueRef record = LLVMConstStructInContext(g->context, fields, 7, false);
    LLVMValueRef v = LLVMAddGlobal(g->module, LLVMTypeOf(record), "site");
    LLVMSetInitializer(v, record);
    LLVMSetGlobalConstant(v, true);
    LLVMSetLinkage(v, LLVMPrivateLinkage);
    return v;
}

/* ---- ldsl.fail, ldsl.owner --------------------------------------------------------------------- */

struct own_function {
    LLVMValueRef fn;
    LLVMTypeRef type;
    LLVMBuilderRef caller;
};

/* Starts an internal function unless the module has it: g->b builds it until close_own. */
static bool open_own(struct gen *g, const char *name, LLVMTypeRef type, struct own_function *o)
{
    o->type = type;
    o->fn = LLVMGetNamedFunction(g->module, name);
    if (o->fn)
        return false;
    o->fn = LLVMAddFunction(g->module, name, type);
    LLVMSetLinkage(o->fn, LLVMInternalLinkage);
    gen_mark_function(g, o->fn);
    o->caller = g->b;
    g->b = g->llvm->callee = LLVMCreateBuilderInContext(g->context);
    LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(g->context, o->fn, "");
    LLVMPositionBuilderAtEnd(g->b, entry);
    return true;
}

static void close_own(struct gen *g, struct own_function *o)
{
    LLVMDisposeBuilder(g->b);
    g->llvm->callee = NULL;
    g->b = o->caller;
}

static LLVMBasicBlockRef own_block(struct gen *g, struct own_function *o)
{
    return LLVMAppendBasicBlockInContext(g->context, o->fn, "");
}

static LLVMValueRef field(struct gen *g, LLVMValueRef record, int64_t offset)
{
    LLVMValueRef at = gen_index(g, offset);
    return LLVMBuildGEP2(g->b, g->t_i8, record, &at, 1, "");
}

/* void ldsl.fail(i1 fine, report, site, program, values): tells the runtime unless fine. */
static struct own_function fail_function(struct gen *g)
{
    struct own_function o;
    LLVMTypeRef params[] = {g->t_i1, g->t_ptr, g->t_ptr, g->t_i64, g->t_ptr};
    if (!open_own(g, "ldsl.fail", LLVMFunctionType(g->t_void, params, 5, false), &o))
        return o;
    LLVMBasicBlockRef bad = own_block(g, &o), done = own_block(g, &o);
    LLVMBuildCondBr(g->b, LLVMGetParam(o.fn, 0), done, bad);
    LLVMPositionBuilderAtEnd(g->b, bad);
    LLVMTypeRef fail_params[] = {g->t_ptr, g->t_ptr, g->t_i64, g->t_ptr};
    LLVMTypeRef fail = LLVMFunctionType(g->t_void, fail_params, 4, false);
    LLVMValueRef report = LLVMGetParam(o.fn, 1);
    LLVMValueRef callee = LLVMBuildLoad2(
        g->b, g->t_ptr, field(g, report, offsetof(struct ldsl_check_report, fail)), "");
    LLVMValueRef args[] = {report, LLVMGetParam(o.fn, 2), LLVMGetParam(o.fn, 3),
                           LLVMGetParam(o.fn, 4)};
    LLVMBuildCall2(g->b, fail, callee, args, 4, "");
    LLVMBuildBr(g->b, done);
    LLVMPositionBuilderAtEnd(g->b, done);
    LLVMBuildRetVoid(g->b);
    close_own(g, &o);
    return o;
}

/* i64 ldsl.owner(i1 inside, writers, i64 element, i64 program, i1 writes): the program that wrote the
 * element before, plus one, and 0 if none or outside; a write puts this program there. */
static struct own_function owner_function(struct gen *g)
{
    struct own_function o;
    LLVMTypeRef params[] = {g->t_i1, g->t_ptr, g->t_i64, g->t_i64, g->t_i1};
    if (!open_own(g, "ldsl.owner", LLVMFunctionType(g->t_i64, params, 5, false), &o))
        return o;
    LLVMBasicBlockRef look = own_block(g, &o), write = own_block(g, &o), read = own_block(g, &o);
    LLVMBasicBlockRef none = own_block(g, &o);
    LLVMBuildCondBr(g->b, LLVMGetParam(o.fn, 0), look, none);
    LLVMPositionBuilderAtEnd(g->b, look);
    LLVMValueRef element = LLVMGetParam(o.fn, 2);
    LLVMValueRef at = LLVMBuildGEP2(g->b, g->t_i32, LLVMGetParam(o.fn, 1), &element, 1, "");
    LLVMBuildCondBr(g->b, LLVMGetParam(o.fn, 4), write, read);
    LLVMPositionBuilderAtEnd(g->b, write);
    LLVMValueRef own = LLVMBuildAdd(g->b, LLVMGetParam(o.fn, 3), gen_index(g, 1), "");
    own = LLVMBuildTrunc(g->b, own, g->t_i32, "");
    LLVMValueRef old = LLVMBuildAtomicRMW(g->b, LLVMAtomicRMWBinOpXchg, at, own,
                                          LLVMAtomicOrderingMonotonic, false);
    LLVMBuildRet(g->b, LLVMBuildZExt(g->b, old, g->t_i64, ""));
    LLVMPositionBuilderAtEnd(g->b, read);
    LLVMValueRef seen = LLVMBuildLoad2(g->b, g->t_i32, at, "");
    LLVMSetOrdering(seen, LLVMAtomicOrderingMonotonic);
    LLVMSetAlignment(seen, 4);
    LLVMBuildRet(g->b, LLVMBuildZExt(g->b, seen, g->t_i64, ""));
    LLVMPositionBuilderAtEnd(g->b, none);
    LLVMBuildRet(g->b, gen_index(g, 0));
    close_own(g, &o);
    return o;
}

/* ---- checks ------------------------------------------------------------------------------------ */

static void put_value(struct gen *g, uint32_t i, LLVMValueRef v)
{
    LLVMBuildStore(g->b, v, field(g, g->cpu->check_values, 8 * (int64_t)i));
}

static void call_fail(struct gen *g, LLVMValueRef fine, LLVMValueRef site)
{
    struct own_function o = fail_function(g);
    LLVMValueRef args[] = {fine, g->cpu->report, site, g->cpu->program, g->cpu->check_values};
    LLVMBuildCall2(g->b, o.type, o.fn, args, 5, "");
}

static LLVMValueRef subscript(struct gen *g, struct ir_node *n, uint32_t dim, unsigned lane)
{
    LLVMValueRef v = gen_value(g, n->operands[dim]);
    return gen_lane(g, v, gen_width_of(v) > 1 ? lane : 0);
}

static void put_subscripts(struct gen *g, struct ir_node *n, const struct ir_tensor *t,
                           unsigned lane)
{
    for (uint32_t d = 0; d < t->rank; d++)
        put_value(g, d, subscript(g, n, d, lane));
}

void gen_check_bounds(struct gen *g, struct ir_node *n, LLVMValueRef inside, unsigned width)
{
    const struct ir_tensor *t = &g->f->tensors.data[n->attr.tensor];
    LLVMValueRef site = make_site(g, LDSL_CHECK_BOUNDS, n->at, t, NULL);
    for (unsigned lane = 0; lane < width; lane++) {
        put_subscripts(g, n, t, lane);
        for (uint32_t d = 0; d < t->rank; d++)
            put_value(g, t->rank + d, gen_value(g, t->dims[d]));
        call_fail(g, gen_lane(g, inside, lane), site);
    }
}

/* Row-major number of the element among the tensor's dims. */
static LLVMValueRef element_number(struct gen *g, struct ir_node *n, const struct ir_tensor *t,
                                   unsigned lane)
{
    LLVMValueRef at = gen_index(g, 0);
    for (uint32_t d = 0; d < t->rank; d++) {
        at = LLVMBuildMul(g->b, at, gen_value(g, t->dims[d]), "");
        at = LLVMBuildAdd(g->b, at, subscript(g, n, d, lane), "");
    }
    return at;
}

static bool is_tracked(const struct gen *g, uint8_t tensor)
{
    const struct ir_tensor *t = &g->f->tensors.data[tensor];
    if (!g->cpu->plan->written[tensor])
        return false;
    for (uint32_t d = 0; d < t->rank; d++)
        if (!plan_of(g->cpu->plan, t->dims[d])->invariant)
            return false;
    return true;
}

static void check_touch_lane(struct gen *g, struct ir_node *n, const struct ir_tensor *t,
                             LLVMValueRef inside, unsigned lane)
{
    bool writes = ir_op_info(n->op)->traits & IR_WRITES;
    struct own_function o = owner_function(g);
    LLVMValueRef args[] = {inside, g->cpu->writers[n->attr.tensor], element_number(g, n, t, lane),
                           g->cpu->program, gen_int(g, g->t_i1, writes)};
    LLVMValueRef owner = LLVMBuildCall2(g->b, o.type, o.fn, args, 5, "");
    LLVMValueRef own = LLVMBuildAdd(g->b, g->cpu->program, gen_index(g, 1), "");
    LLVMValueRef none = LLVMBuildICmp(g->b, LLVMIntEQ, owner, gen_index(g, 0), "");
    LLVMValueRef mine = LLVMBuildICmp(g->b, LLVMIntEQ, owner, own, "");
    put_subscripts(g, n, t, lane);
    put_value(g, t->rank, LLVMBuildSub(g->b, owner, gen_index(g, 1), ""));
    call_fail(g, LLVMBuildOr(g->b, none, mine, ""), g->cpu->race_site);
    if (writes || t->access != IR_OUT)
        return;
    LLVMValueRef outside = LLVMBuildNot(g->b, inside, "");
    call_fail(g, LLVMBuildOr(g->b, outside, LLVMBuildNot(g->b, none, ""), ""),
              g->cpu->unwritten_site);
}

void gen_check_touch(struct gen *g, struct ir_node *n, LLVMValueRef inside, unsigned width)
{
    const struct ir_tensor *t = &g->f->tensors.data[n->attr.tensor];
    if (!is_tracked(g, n->attr.tensor) || n->op == IR_OP_atomic)
        return;
    g->cpu->race_site = make_site(g, LDSL_CHECK_RACE, n->at, t, NULL);
    g->cpu->unwritten_site = make_site(g, LDSL_CHECK_UNWRITTEN, n->at, t, NULL);
    for (unsigned lane = 0; lane < width; lane++)
        check_touch_lane(g, n, t, gen_lane(g, inside, lane), lane);
}

void gen_assert(struct gen *g, struct ir_node *n)
{
    LLVMValueRef fine = gen_value(g, n->operands[0]);
    if (gen_width_of(fine) > 1)
        fine = gen_unary_intrinsic(g, "llvm.vector.reduce.and", fine);
    call_fail(g, fine, make_site(g, LDSL_CHECK_ASSERT, n->at, NULL, n->attr.text));
}

/* ---- the frame --------------------------------------------------------------------------------- */

/* The record's shadow arrays are loaded where the slots are. */
void gen_check_begin(struct gen *g)
{
    if (!g->options->check)
        return;
    g->cpu->check_values = gen_alloca(g, LLVMArrayType2(g->t_i64, MAX_VALUES));
    g->cpu->writers = arena_array(&g->s->module, LLVMValueRef, g->f->tensors.count + 1);
    LLVMValueRef list = LLVMBuildLoad2(
        g->b, g->t_ptr, field(g, g->cpu->report, offsetof(struct ldsl_check_report, writers)), "");
    for (uint32_t i = 0; i < g->f->tensors.count; i++)
        g->cpu->writers[i] = LLVMBuildLoad2(g->b, g->t_ptr, field(g, list, 8 * (int64_t)i), "");
}

/* void <entry>.extents(slots, extents): see ldsl/check.h. Emitted as an entry that stores products of
 * dims where the other runs programs. */
void gen_check_extents(struct gen *g)
{
    LLVMValueRef list = LLVMGetParam(g->entry, 1);
    for (uint32_t i = 0; i < g->f->tensors.count; i++) {
        const struct ir_tensor *t = &g->f->tensors.data[i];
        bool tracked = is_tracked(g, (uint8_t)i);
        int64_t record = (int64_t)(i * sizeof(struct ldsl_check_extent));
        LLVMValueRef elements = gen_index(g, tracked);
        for (uint32_t d = 0; d < t->rank && tracked; d++) {
            LLVMValueRef dim = gen_value(g, t->dims[d]);
            int64_t at = record + (int64_t)(offsetof(struct ldsl_check_extent, dims) + 8 * d);
            LLVMBuildStore(g->b, dim, field(g, list, at));
            elements = LLVMBuildMul(g->b, elements, dim, "");
        }
        LLVMBuildStore(g->b, elements, field(g, list, record));
        if (tracked && t->access == IR_OUT)
            LLVMBuildStore(
                g->b, make_site(g, LDSL_CHECK_OUTPUT, t->at, t, NULL),
                field(g, list, record + (int64_t)offsetof(struct ldsl_check_extent, output)));
    }
}
