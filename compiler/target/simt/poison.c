/* Poison: finding the values that it can reach, giving them shadows, asking where it must not be. */
#include "target/simt/poison.h"

#include <llvm-c/Error.h>
#include <llvm-c/Transforms/PassBuilder.h>

typedef VEC(LLVMValueRef) value_list;

/* ---- the table --------------------------------------------------------------------------------- */

static struct shadowed *place_of(const struct poison *p, LLVMValueRef v)
{
    uint64_t hash = (uint64_t)(uintptr_t)v * UINT64_C(0x9e3779b97f4a7c15) >> 32;
    uint32_t at = (uint32_t)hash & (p->capacity - 1);
    while (p->table[at].value && p->table[at].value != v)
        at = (at + 1) & (p->capacity - 1);
    return &p->table[at];
}

struct shadowed *poison_find(const struct poison *p, LLVMValueRef v)
{
    struct shadowed *s = place_of(p, v);
    return s->value ? s : NULL;
}

static LLVMValueRef first_of(LLVMBasicBlockRef b)
{
    return LLVMGetFirstInstruction(b);
}

/* Room for every instruction there is now; those of shadows have no shadows. */
static void make_table(struct poison *p)
{
    uint32_t count = 16;
    LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(p->e->entry);
    for (; b; b = LLVMGetNextBasicBlock(b))
        for (LLVMValueRef i = first_of(b); i; i = LLVMGetNextInstruction(i))
            count++;
    for (p->capacity = 1; p->capacity < 2 * count;)
        p->capacity *= 2;
    p->table = arena_array(&p->e->s->module, struct shadowed, p->capacity);
}

/* ---- what poison can reach --------------------------------------------------------------------- */

bool poison_is_value(const struct poison *p, LLVMValueRef pointer)
{
    if (!LLVMIsAGetElementPtrInst(pointer) || LLVMGetOperand(pointer, 0) != simt(p->e)->thread)
        return false;
    LLVMValueRef offset = LLVMGetOperand(pointer, 1);
    return LLVMIsAConstantInt(offset) &&
           LLVMConstIntGetZExtValue(offset) == offsetof(struct ldsl_simt_thread, value);
}

static bool is_source(const struct poison *p, LLVMValueRef i)
{
    if (LLVMIsALoadInst(i))
        return poison_is_value(p, LLVMGetOperand(i, 0));
    for (int k = 0; k < LLVMGetNumOperands(i); k++)
        if (LLVMIsUndef(LLVMGetOperand(i, (unsigned)k)))
            return true;
    return false;
}

static bool gives_bits(LLVMValueRef i)
{
    LLVMTypeKind kind = LLVMGetTypeKind(LLVMTypeOf(i));
    return kind != LLVMVoidTypeKind && kind != LLVMTokenTypeKind;
}

static void reach(struct poison *p, value_list *work, LLVMValueRef i)
{
    struct shadowed *s = place_of(p, i);
    if (s->value || !gives_bits(i))
        return;
    s->value = i;
    vec_push(&p->e->s->module, work, i);
}

static void reach_all(struct poison *p)
{
    value_list work = {0};
    LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(p->e->entry);
    for (; b; b = LLVMGetNextBasicBlock(b))
        for (LLVMValueRef i = first_of(b); i; i = LLVMGetNextInstruction(i))
            if (is_source(p, i))
                reach(p, &work, i);
    while (work.count) {
        LLVMValueRef v = work.data[--work.count];
        for (LLVMUseRef u = LLVMGetFirstUse(v); u; u = LLVMGetNextUse(u))
            reach(p, &work, LLVMGetUser(u));
    }
}

/* ---- order: a value before those that use it, but for phis --------------------------------------- */

struct visit {
    LLVMBasicBlockRef block;
    unsigned next; /* successor */
};

/* Blocks that can be reached, each after all that it leads to (but back). */
static void order_blocks(const struct poison *p, value_list *out)
{
    struct arena *a = &p->e->s->module;
    struct poison seen = *p;
    VEC(struct visit) stack = {0};
    seen.table = arena_array(a, struct shadowed, seen.capacity);
    vec_push(a, &stack, (struct visit){LLVMGetEntryBasicBlock(p->e->entry), 0});
    while (stack.count) {
        struct visit *v = &vec_last(&stack);
        LLVMValueRef end = LLVMGetBasicBlockTerminator(v->block);
        if (v->next == LLVMGetNumSuccessors(end)) {
            vec_push(a, out, LLVMBasicBlockAsValue(v->block));
            stack.count--;
            continue;
        }
        LLVMBasicBlockRef to = LLVMGetSuccessor(end, v->next++);
        struct shadowed *s = place_of(&seen, LLVMBasicBlockAsValue(to));
        if (s->value)
            continue;
        s->value = LLVMBasicBlockAsValue(to);
        vec_push(a, &stack, (struct visit){to, 0});
    }
}

/* ---- who is asked ------------------------------------------------------------------------------ */

/* A value on its way: its shadow goes with it. */
static void send(struct poison *p, LLVMValueRef store)
{
    if (!poison_is_value(p, LLVMGetOperand(store, 1)))
        return;
    LLVMPositionBuilderBefore(p->e->b, store);
    simt_set(p->e, offsetof(struct ldsl_simt_thread, poison),
             shadow_bits(p, LLVMGetOperand(store, 0)));
}

static bool is_emulator(LLVMValueRef call)
{
    LLVMValueRef callee = LLVMGetCalledValue(call);
    return !LLVMIsAFunction(callee) && !LLVMIsAInlineAsm(callee);
}

/* Tells the emulator which arguments after the site are poison. */
static void doubt(struct poison *p, LLVMValueRef call)
{
    LLVMBuilderRef b = p->e->b;
    LLVMTypeRef i32 = simt(p->e)->i32;
    LLVMValueRef all = LLVMConstNull(i32);
    LLVMPositionBuilderBefore(b, call);
    for (unsigned k = 2; k < LLVMGetNumArgOperands(call); k++) {
        LLVMValueRef shadow = shadow_of(p, LLVMGetOperand(call, k));
        if (LLVMIsNull(shadow))
            continue;
        LLVMValueRef bit = LLVMBuildZExt(b, shadow_any(p, shadow), i32, "");
        bit = LLVMBuildShl(b, bit, simt_int(p->e, i32, k - 2), "");
        all = LLVMBuildOr(b, all, bit, "");
    }
    if (!LLVMIsNull(all))
        simt_set(p->e, offsetof(struct ldsl_simt_thread, doubt), all);
}

/* Its line is known if the code has line information, else it is the kernel's. */
static void decide(struct poison *p, LLVMValueRef branch)
{
    struct lane_emit *e = p->e;
    if (LLVMIsABranchInst(branch) && !LLVMIsConditional(branch))
        return;
    LLVMValueRef shadow = shadow_of(p, LLVMGetOperand(branch, 0));
    if (LLVMIsNull(shadow))
        return;
    LLVMPositionBuilderBefore(e->b, branch);
    struct ldsl_simt_site site = {.line = LLVMGetDebugLocLine(branch)};
    LLVMValueRef any = LLVMBuildZExt(e->b, shadow_any(p, shadow), simt(e)->i32, "");
    LLVMValueRef args[] = {simt_site(e, &site, false), any};
    SIMT_CALL(e, decide, args, 2);
}

static void ask(struct poison *p, LLVMValueRef i)
{
    if (LLVMIsAStoreInst(i))
        send(p, i);
    else if (LLVMIsACallInst(i) && is_emulator(i))
        doubt(p, i);
    else if (LLVMIsABranchInst(i) || LLVMIsASwitchInst(i))
        decide(p, i);
}

/* ---- shadows ----------------------------------------------------------------------------------- */

static void make_phis(struct poison *p, LLVMBasicBlockRef b)
{
    for (LLVMValueRef i = first_of(b); i && LLVMIsAPHINode(i); i = LLVMGetNextInstruction(i)) {
        struct shadowed *s = poison_find(p, i);
        if (!s || s->shadow)
            continue;
        LLVMPositionBuilderBefore(p->e->b, i);
        s->shadow = LLVMBuildPhi(p->e->b, shadow_type(p, LLVMTypeOf(i)), "");
    }
}

static void fill_phis(struct poison *p, LLVMBasicBlockRef b)
{
    for (LLVMValueRef i = first_of(b); i && LLVMIsAPHINode(i); i = LLVMGetNextInstruction(i)) {
        const struct shadowed *s = poison_find(p, i);
        for (unsigned k = 0; s && k < LLVMCountIncoming(i); k++) {
            LLVMValueRef shadow = shadow_of(p, LLVMGetIncomingValue(i, k));
            LLVMBasicBlockRef from = LLVMGetIncomingBlock(i, k);
            LLVMAddIncoming(s->shadow, &shadow, &from, 1);
        }
    }
}

static void visit_block(struct poison *p, LLVMBasicBlockRef b)
{
    LLVMValueRef next;
    for (LLVMValueRef i = first_of(b); i; i = next) {
        struct shadowed *s = poison_find(p, i);
        next = LLVMGetNextInstruction(i);
        ask(p, i);
        if (!s || s->shadow)
            continue;
        LLVMPositionBuilderBefore(p->e->b, next);
        s->shadow = shadow_make(p, i);
    }
}

/* ---- faults ------------------------------------------------------------------------------------ */

/* A select between a tile's elements by what is none of them: whether elements exist. Without it,
 * what it should leave out is taken. */
static void leave_out(struct poison *p, LLVMValueRef select)
{
    LLVMValueRef test = LLVMGetOperand(select, 0);
    bool first = poison_find(p, LLVMGetOperand(select, 1)) != NULL;
    if (poison_find(p, test) || (!first && !poison_find(p, LLVMGetOperand(select, 2))))
        return;
    if (simt_is_left_out(p->e, SIMT_SELECT))
        LLVMReplaceAllUsesWith(select, LLVMGetOperand(select, first ? 1 : 2));
    if (!simt_is_left_out(p->e, SIMT_SELECTED))
        return;
    LLVMPositionBuilderBefore(p->e->b, select);
    simt_check(p->e, first ? test : LLVMBuildNot(p->e->b, test, ""), "the select does not matter");
}

static void leave_out_selects(struct poison *p)
{
    LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(p->e->entry);
    for (; b; b = LLVMGetNextBasicBlock(b))
        for (LLVMValueRef i = first_of(b); i; i = LLVMGetNextInstruction(i))
            if (LLVMIsASelectInst(i))
                leave_out(p, i);
}

/* ---- whole ------------------------------------------------------------------------------------- */

/* Registers instead of stack slots: a read before any write is then an undefined value. */
static void promote(struct lane_emit *e)
{
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(e->module, "function(mem2reg)", e->target->machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (!error)
        return;
    LLVMConsumeError(error);
    diag_bug(e->s, e->at, "stack slots cannot be made registers");
}

void simt_add_poison(struct lane_emit *e)
{
    struct poison p = {.e = e};
    value_list blocks = {0};
    e->at = e->f->at;
    promote(e);
    make_table(&p);
    reach_all(&p);
    leave_out_selects(&p);
    order_blocks(&p, &blocks);
    for (uint32_t i = blocks.count; i-- > 0;)
        make_phis(&p, LLVMValueAsBasicBlock(blocks.data[i]));
    for (uint32_t i = blocks.count; i-- > 0;)
        visit_block(&p, LLVMValueAsBasicBlock(blocks.data[i]));
    for (uint32_t i = 0; i < blocks.count; i++)
        fill_phis(&p, LLVMValueAsBasicBlock(blocks.data[i]));
}
