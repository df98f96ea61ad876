/* codegen_run: plan, emit, optimise, make the object file. */
#include "codegen/internal.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <string.h>

/* What our IR leaves to do: turn accumulators into registers, fold and merge what emission repeats.
 * A short list, since emission is already vectorised and hoisted: compile time is latency. */
#define PASSES                                                                                     \
    "function(sroa,early-cse,instcombine<no-verify-fixpoint>,simplifycfg,loop-mssa(licm),"         \
    "early-cse<memssa>,adce)"

/* ---- LLVM's objects ---------------------------------------------------------------------------- */

static void dispose(void *object)
{
    struct llvm_handles *h = object;
    if (h->file)
        LLVMDisposeMemoryBuffer(h->file);
    if (h->text)
        LLVMDisposeMessage(h->text);
    if (h->debug)
        LLVMDisposeDIBuilder(h->debug);
    if (h->callee)
        LLVMDisposeBuilder(h->callee);
    if (h->allocas)
        LLVMDisposeBuilder(h->allocas);
    if (h->builder)
        LLVMDisposeBuilder(h->builder);
    if (h->module)
        LLVMDisposeModule(h->module);
    if (h->context)
        LLVMContextDispose(h->context);
    *h = (struct llvm_handles){0};
}

/* LLVM's own words about what it cannot do, instead of printing and exiting. */
static void take_diagnostic(LLVMDiagnosticInfoRef info, void *user)
{
    struct gen *g = user;
    if (LLVMGetDiagInfoSeverity(info) != LLVMDSError || g->complaint)
        return;
    char *text = LLVMGetDiagInfoDescription(info);
    g->complaint = intern_text(g->s, text);
    LLVMDisposeMessage(text);
}

static struct gen *new_gen(struct session *s, struct ir_func *f,
                           const struct target_machine *target,
                           const struct codegen_options *options)
{
    struct gen *g = arena_new(&s->module, struct gen);
    g->s = s;
    g->f = f;
    g->target = target;
    g->options = options;
    g->leaf = IR_NO_AXIS;
    g->width = g->combine_width = 1;
    g->llvm = arena_new(&s->module, struct llvm_handles);
    session_on_end(s, dispose, g->llvm);
    g->cache = arena_array(&s->module, struct cached *, f->value_count + 1);
    g->tensors = arena_array(&s->module, LLVMValueRef, f->tensors.count + 1);
    g->stream = arena_array(&s->module, LLVMValueRef, f->tensors.count + 1);
    g->streamed = arena_array(&s->module, bool, f->tensors.count + 1);
    g->strides = arena_alloc_array(&s->module, f->tensors.count + 1, sizeof *g->strides);
    return g;
}

static void open_module(struct gen *g)
{
    g->context = g->llvm->context = LLVMContextCreate();
    LLVMContextSetDiagnosticHandler(g->context, take_diagnostic, g);
    g->module = g->llvm->module = LLVMModuleCreateWithNameInContext(g->f->name, g->context);
    g->b = g->llvm->builder = LLVMCreateBuilderInContext(g->context);
    g->llvm->allocas = LLVMCreateBuilderInContext(g->context);
    char *triple = LLVMGetTargetMachineTriple(g->target->machine);
    LLVMSetTarget(g->module, triple);
    g->x86 = strncmp(triple, "x86_64", 6) == 0;
    g->avx512 = g->x86 && g->target->facts.vector_bytes == 64;
    LLVMDisposeMessage(triple);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(g->target->machine);
    LLVMSetModuleDataLayout(g->module, layout);
    LLVMDisposeTargetData(layout);
    gen_init_types(g);
    g->md_scope = LLVMGetMDKindIDInContext(g->context, "alias.scope", 11);
    g->md_noalias = LLVMGetMDKindIDInContext(g->context, "noalias", 7);
    g->md_nontemporal = LLVMGetMDKindIDInContext(g->context, "nontemporal", 11);
    g->md_invariant = LLVMGetMDKindIDInContext(g->context, "invariant.load", 14);
}

/* ---- the entry --------------------------------------------------------------------------------- */

static void add_attribute(struct gen *g, LLVMAttributeIndex at, const char *name)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(g->entry, at, LLVMCreateEnumAttribute(g->context, kind, 0));
}

static void add_text_attribute(struct gen *g, LLVMValueRef fn, const char *name, const char *value)
{
    LLVMAttributeRef a = LLVMCreateStringAttribute(g->context, name, (unsigned)strlen(name), value,
                                                   (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex, a);
}

/* The processor goes into the function too: passes ask it there. */
void gen_mark_function(struct gen *g, LLVMValueRef fn)
{
    unsigned kind = LLVMGetEnumAttributeKindForName("nounwind", 8);
    LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(g->context, kind, 0));
    add_text_attribute(g, fn, "target-cpu", g->target->cpu);
    if (g->target->features[0])
        add_text_attribute(g, fn, "target-features", g->target->features);
    if (g->target->facts.vector_bytes == 64)
        add_text_attribute(g, fn, "prefer-vector-width", "512");
}

static void open_function(struct gen *g, const char *name, LLVMTypeRef *params, unsigned count)
{
    LLVMTypeRef type = LLVMFunctionType(g->t_void, params, count, false);
    g->entry = LLVMAddFunction(g->module, name, type);
    gen_mark_function(g, g->entry);
    add_attribute(g, 1, "noalias");
    add_attribute(g, 1, "readonly");
    LLVMBasicBlockRef allocas = gen_block(g, "entry"), body = gen_block(g, "body");
    LLVMPositionBuilderAtEnd(g->b, allocas);
    g->alloca_end = LLVMBuildBr(g->b, body);
    LLVMPositionBuilderAtEnd(g->b, body);
}

static void open_entry(struct gen *g)
{
    LLVMTypeRef params[] = {g->t_ptr, g->t_i64, g->t_i64, g->t_ptr, g->t_ptr};
    open_function(g, g->f->name, params, 5);
    add_attribute(g, 4, "noalias");
    g->scratch = LLVMGetParam(g->entry, 3);
    g->report = LLVMGetParam(g->entry, 4);
    g->nowhere = gen_alloca(g, LLVMVectorType(g->t_i64, 2));
}

/* ---- slots ------------------------------------------------------------------------------------- */

static LLVMValueRef load_slot(struct gen *g, unsigned number, LLVMTypeRef type)
{
    LLVMValueRef at = gen_index(g, number);
    LLVMValueRef p = LLVMBuildGEP2(g->b, g->t_i64, LLVMGetParam(g->entry, 0), &at, 1, "");
    LLVMValueRef v = LLVMBuildLoad2(g->b, type, p, "");
    LLVMSetAlignment(v, 8);
    LLVMSetMetadata(v, g->md_invariant,
                    LLVMMetadataAsValue(g->context, LLVMMDNodeInContext2(g->context, NULL, 0)));
    return v;
}

/* For each tensor its pointer and strides, then the parameters. */
static void load_slots(struct gen *g)
{
    unsigned next = 0;
    for (uint32_t i = 0; i < g->f->tensors.count; i++) {
        const struct ir_tensor *t = &g->f->tensors.data[i];
        g->tensors[i] = load_slot(g, next++, g->t_ptr);
        uint32_t strides = t->rank && !t->strided ? t->rank - 1 : t->rank;
        for (uint32_t d = 0; d < strides; d++)
            g->strides[i][d] = load_slot(g, next++, g->t_i64);
    }
    for (uint32_t i = 0; i < g->f->params.count; i++) {
        struct ir_value *v = g->f->params.data[i].value;
        enum ir_elem e = v->type.elem;
        LLVMValueRef x = load_slot(g, next++, gen_memory_type(g, e));
        if (e == IR_BOOL)
            x = LLVMBuildICmp(g->b, LLVMIntNE, x, gen_int(g, g->t_i8, 0), "");
        gen_set(g, v, x);
    }
}

/* One alias scope for each tensor and one for scratch: no two of them overlap. */
static void make_alias_scopes(struct gen *g)
{
    uint32_t count = g->f->tensors.count + 1;
    struct arena *a = &g->s->module;
    LLVMMetadataRef *scopes = arena_array(a, LLVMMetadataRef, count);
    g->alias_scope = arena_array(a, LLVMMetadataRef, count);
    g->alias_others = arena_array(a, LLVMMetadataRef, count);
    LLVMMetadataRef name = LLVMMDStringInContext2(g->context, g->f->name, strlen(g->f->name));
    LLVMMetadataRef domain = LLVMMDNodeInContext2(g->context, &name, 1);
    for (uint32_t i = 0; i < count; i++) {
        const char *text = arena_printf(a, "%u", i);
        LLVMMetadataRef parts[] = {LLVMMDStringInContext2(g->context, text, strlen(text)), domain};
        scopes[i] = LLVMMDNodeInContext2(g->context, parts, 2);
    }
    LLVMMetadataRef *others = arena_array(a, LLVMMetadataRef, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t n = 0;
        for (uint32_t j = 0; j < count; j++)
            if (j != i)
                others[n++] = scopes[j];
        g->alias_scope[i] = LLVMMDNodeInContext2(g->context, &scopes[i], 1);
        g->alias_others[i] = n ? LLVMMDNodeInContext2(g->context, others, n) : NULL;
    }
}

/* The second function of a checked image. */
static void emit_extents(struct gen *g)
{
    LLVMTypeRef params[] = {g->t_ptr, g->t_ptr};
    open_function(g, arena_printf(&g->s->module, "%s.extents", g->f->name), params, 2);
    gen_push(g, NULL);
    load_slots(g);
    gen_check_extents(g);
    LLVMBuildRetVoid(g->b);
    gen_pop(g);
}

static void emit(struct gen *g)
{
    if (g->options->check)
        emit_extents(g);
    open_entry(g);
    gen_debug_begin(g);
    make_alias_scopes(g);
    gen_push(g, NULL);
    load_slots(g);
    gen_check_begin(g);
    gen_place_storages(g);
    gen_programs(g);
    gen_store_fence(g);
    LLVMBuildRetVoid(g->b);
    gen_pop(g);
    gen_debug_end(g);
}

/* ---- finishing --------------------------------------------------------------------------------- */

static void verify(struct gen *g)
{
    char *why = NULL;
    if (LLVMVerifyModule(g->module, LLVMReturnStatusAction, &why)) {
        const char *text = intern_text(g->s, why);
        LLVMDisposeMessage(why);
        diag_bug(g->s, g->f->at, "generated code is malformed: %s", text);
    }
    LLVMDisposeMessage(why);
}

static void optimise(struct gen *g)
{
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(g->module, PASSES, g->target->machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (!error)
        return;
    char *why = LLVMGetErrorMessage(error);
    const char *text = intern_text(g->s, why);
    LLVMDisposeErrorMessage(why);
    diag_bug(g->s, g->f->at, "optimising failed: %s", text);
}

static bool give_text(struct gen *g, struct codegen_result *out)
{
    g->llvm->text = LLVMPrintModuleToString(g->module);
    out->text = arena_copy_text(&g->s->module, g->llvm->text, strlen(g->llvm->text));
    return true;
}

static bool give_file(struct gen *g, LLVMCodeGenFileType type, struct codegen_result *out)
{
    struct llvm_handles *h = g->llvm;
    if (LLVMTargetMachineEmitToMemoryBuffer(g->target->machine, g->module, type, &h->text,
                                            &h->file))
        diag_bug(g->s, g->f->at, "no code was generated: %s", h->text);
    size_t size = LLVMGetBufferSize(h->file);
    const char *bytes = arena_copy_text(&g->s->module, LLVMGetBufferStart(h->file), size);
    if (g->complaint)
        diag_bug(g->s, g->f->at, "no code was generated: %s", g->complaint);
    if (type == LLVMAssemblyFile) {
        out->text = bytes;
    } else {
        out->image = bytes;
        out->image_bytes = size;
    }
    return true;
}

bool codegen_run(struct session *s, struct ir_func *f, const struct target_machine *target,
                 const struct codegen_options *options, struct codegen_result *out)
{
    *out = (struct codegen_result){0};
    struct gen *g = new_gen(s, f, target, options);
    g->plan = gen_plan(s, f, &target->facts, options->check);
    open_module(g);
    emit(g);
    verify(g);
    optimise(g);
    out->entry = f->name;
    out->scratch_bytes = g->plan->scratch_bytes;
    bool fine = options->emit_llvm  ? give_text(g, out)
                : options->emit_asm ? give_file(g, LLVMAssemblyFile, out)
                                    : give_file(g, LLVMObjectFile, out);
    dispose(g->llvm);
    return fine;
}
