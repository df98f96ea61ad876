/* codegen_run: plan, emit, optimise, make the object file. */
#include "codegen/internal.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <string.h>

/* What our IR leaves to do: turn accumulators into registers, fold and merge what emission repeats.
 * A short list, since emission is already vectorised and hoisted: compile time is latency. */
#define CPU_PASSES                                                                                 \
    "function(sroa,early-cse,instcombine<no-verify-fixpoint>,simplifycfg,loop-mssa(licm),"         \
    "early-cse<memssa>,adce)"

/* A GPU's code is a straight line for one thread. Nothing may move unpacked words out of loops or over
 * barriers (they are pinned: see gpu/gpu.h), so there is no code motion, no vectoriser, no unrolling;
 * the driver's compiler schedules. */
#define GPU_PASSES                                                                                 \
    "always-inline,function(sroa,early-cse,instcombine<no-verify-fixpoint>,simplifycfg,"           \
    "early-cse<memssa>,sink,adce)"

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
    g->llvm = arena_new(&s->module, struct llvm_handles);
    session_on_end(s, dispose, g->llvm);
    g->tensors = arena_array(&s->module, LLVMValueRef, f->tensors.count + 1);
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
    g->x86 = g->target->facts.lanes == 1 && strncmp(triple, "x86_64", 6) == 0;
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

/* ---- functions --------------------------------------------------------------------------------- */

void gen_add_attribute(struct gen *g, LLVMValueRef fn, LLVMAttributeIndex at, const char *name)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(fn, at, LLVMCreateEnumAttribute(g->context, kind, 0));
}

void gen_add_text_attribute(struct gen *g, LLVMValueRef fn, const char *name, const char *value)
{
    LLVMAttributeRef a = LLVMCreateStringAttribute(g->context, name, (unsigned)strlen(name), value,
                                                   (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex, a);
}

/* A text of LLVM's as an attribute. */
static void add_own_text(struct gen *g, LLVMValueRef fn, const char *name, char *value)
{
    if (*value)
        gen_add_text_attribute(g, fn, name, value);
    LLVMDisposeMessage(value);
}

/* The processor that runs the code goes into the function too: passes ask it there. (An emulator's is
 * not the target's.) */
void gen_mark_function(struct gen *g, LLVMValueRef fn)
{
    unsigned kind = LLVMGetEnumAttributeKindForName("nounwind", 8);
    LLVMAddAttributeAtIndex(fn, LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(g->context, kind, 0));
    LLVMTargetMachineRef machine = g->target->machine;
    add_own_text(g, fn, "target-cpu", LLVMGetTargetMachineCPU(machine));
    add_own_text(g, fn, "target-features", LLVMGetTargetMachineFeatureString(machine));
    if (g->avx512)
        gen_add_text_attribute(g, fn, "prefer-vector-width", "512");
}

void gen_open_function(struct gen *g, const char *name, const LLVMTypeRef *params, unsigned count)
{
    LLVMTypeRef type = LLVMFunctionType(g->t_void, (LLVMTypeRef *)(uintptr_t)params, count, false);
    g->entry = LLVMAddFunction(g->module, name, type);
    gen_mark_function(g, g->entry);
    LLVMBasicBlockRef allocas = gen_block(g, "entry"), body = gen_block(g, "body");
    LLVMPositionBuilderAtEnd(g->b, allocas);
    g->alloca_end = LLVMBuildBr(g->b, body);
    LLVMPositionBuilderAtEnd(g->b, body);
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

static const char *list_passes(const struct gen *g)
{
    const struct target *t = g->target->target;
    return arena_printf(&g->s->module, "%s%s%s%s%s", t->early_passes ? t->early_passes : "",
                        t->early_passes ? "," : "", g->gpu ? GPU_PASSES : CPU_PASSES,
                        t->late_passes ? "," : "", t->late_passes ? t->late_passes : "");
}

static void optimise(struct gen *g)
{
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(g->module, list_passes(g), g->target->machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (!error)
        return;
    char *why = LLVMGetErrorMessage(error);
    const char *text = intern_text(g->s, why);
    LLVMDisposeErrorMessage(why);
    diag_bug(g->s, g->f->at, "optimising failed: %s", text);
}

bool gen_is_ptx(const struct gen *g)
{
    return strncmp(LLVMGetTarget(g->module), "nvptx", 5) == 0;
}

static bool give_text(struct gen *g, struct codegen_result *out)
{
    g->llvm->text = LLVMPrintModuleToString(g->module);
    out->text = arena_copy_text(&g->s->module, g->llvm->text, strlen(g->llvm->text));
    return true;
}

/* What the target machine makes of the module: bytes in the module arena, with a NUL behind them. */
static const char *emit_file(struct gen *g, LLVMCodeGenFileType type, size_t *size)
{
    struct llvm_handles *h = g->llvm;
    if (LLVMTargetMachineEmitToMemoryBuffer(g->target->machine, g->module, type, &h->text,
                                            &h->file))
        diag_bug(g->s, g->f->at, "no code was generated: %s", h->text);
    *size = LLVMGetBufferSize(h->file);
    const char *bytes = arena_copy_text(&g->s->module, LLVMGetBufferStart(h->file), *size);
    if (g->complaint)
        diag_bug(g->s, g->f->at, "no code was generated: %s", g->complaint);
    return bytes;
}

/* A GPU's image is its assembly, PTX, with the NUL that the driver wants. */
static bool give_code(struct gen *g, struct codegen_result *out)
{
    bool text = g->options->emit_asm || gen_is_ptx(g);
    size_t size;
    const char *bytes = emit_file(g, text ? LLVMAssemblyFile : LLVMObjectFile, &size);
    if (g->options->emit_asm) {
        out->text = bytes;
        return true;
    }
    out->image = bytes;
    out->image_bytes = text ? size + 1 : size;
    return true;
}

bool codegen_run(struct session *s, struct ir_func *f, const struct target_machine *target,
                 const struct codegen_options *options, struct codegen_result *out)
{
    *out = (struct codegen_result){0};
    struct gen *g = new_gen(s, f, target, options);
    uint32_t errors = s->errors;
    if (options->emit_layout || options->emit_drawing)
        return target->facts.lanes > 1
                   ? gen_gpu_layout(g, options->emit_drawing, out)
                   : diag_error(s, f->at, DIAG_TARGET, "layouts are of GPUs; this target is a CPU");
    open_module(g);
    if (target->facts.lanes > 1)
        gen_gpu(g, f, out);
    else
        gen_cpu(g, f, out);
    if (s->errors > errors) {
        dispose(g->llvm);
        return false;
    }
    verify(g);
    optimise(g);
    out->entry = f->name;
    bool fine = options->emit_llvm ? give_text(g, out) : give_code(g, out);
    dispose(g->llvm);
    return fine;
}
