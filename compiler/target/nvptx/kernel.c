/* Kernels as functions; where a thread stands; how threads meet. */
#include "target/nvptx/nvptx.h"
#include "target/target.h"

enum { PTX_KERNEL = 71 }; /* LLVM's number of the calling convention */

/* ---- functions --------------------------------------------------------------------------------- */

/* nvvm.annotations: what becomes .reqntid and the like. */
static void annotate(struct lane_emit *e, const char *name, uint32_t value)
{
    LLVMMetadataRef parts[] = {
        LLVMValueAsMetadata(e->entry),
        LLVMMDStringInContext2(e->context, name, strlen(name)),
        LLVMValueAsMetadata(nvptx_word(e, value)),
    };
    LLVMMetadataRef node = LLVMMDNodeInContext2(e->context, parts, 3);
    LLVMAddNamedMetadataOperand(e->module, "nvvm.annotations",
                                LLVMMetadataAsValue(e->context, node));
}

static void set_text_attribute(struct lane_emit *e, const char *name, const char *value)
{
    LLVMAttributeRef a = LLVMCreateStringAttribute(e->context, name, (unsigned)strlen(name), value,
                                                   (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(e->entry, LLVMAttributeFunctionIndex, a);
}

void nvptx_begin(struct lane_emit *e, const struct lane_kernel *k)
{
    struct nvptx *n = e->state = arena_new(&e->s->module, struct nvptx);
    n->kernel = *k;
    LLVMTypeRef *params = arena_array(&e->s->module, LLVMTypeRef, k->slots + 1);
    for (uint32_t i = 0; i < k->slots; i++)
        params[i] = LLVMInt64TypeInContext(e->context);
    LLVMTypeRef none = LLVMVoidTypeInContext(e->context);
    e->entry = LLVMAddFunction(e->module, k->name, LLVMFunctionType(none, params, k->slots, false));
    LLVMSetFunctionCallConv(e->entry, PTX_KERNEL);
    set_text_attribute(e, "target-cpu", e->target->cpu);
    set_text_attribute(e, "target-features", e->target->features);
    unsigned nounwind = LLVMGetEnumAttributeKindForName("nounwind", 8);
    LLVMAddAttributeAtIndex(e->entry, LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(e->context, nounwind, 0));
    annotate(e, "kernel", 1);
    annotate(e, "reqntidx", k->threads);
    annotate(e, "reqntidy", 1);
    annotate(e, "reqntidz", 1);
    if (k->blocks_per_sm)
        annotate(e, "minctasm", k->blocks_per_sm);
    if (k->max_registers)
        annotate(e, "maxnreg", k->max_registers);
    LLVMBasicBlockRef allocas = LLVMAppendBasicBlockInContext(e->context, e->entry, "entry");
    LLVMBasicBlockRef body = LLVMAppendBasicBlockInContext(e->context, e->entry, "body");
    LLVMPositionBuilderAtEnd(e->b, allocas);
    LLVMBuildBr(e->b, body);
    LLVMPositionBuilderAtEnd(e->b, body);
}

/* How much shared memory there is, the launch says. */
void nvptx_end(struct lane_emit *e, uint32_t shared_bytes)
{
    (void)shared_bytes;
    LLVMBuildRetVoid(e->b);
}

LLVMValueRef nvptx_slot(struct lane_emit *e, uint32_t number)
{
    return LLVMGetParam(e->entry, number);
}

/* ---- place ------------------------------------------------------------------------------------- */

/* A special register below `limit` (0: not known). */
static LLVMValueRef read_register(struct lane_emit *e, const char *name, uint32_t limit)
{
    LLVMValueRef v = nvptx_intrinsic(e, name, NULL, 0);
    if (!limit)
        return v;
    LLVMMetadataRef range[] = {LLVMValueAsMetadata(nvptx_word(e, 0)),
                               LLVMValueAsMetadata(nvptx_word(e, limit))};
    LLVMMetadataRef node = LLVMMDNodeInContext2(e->context, range, 2);
    LLVMSetMetadata(v, LLVMGetMDKindIDInContext(e->context, "range", 5),
                    LLVMMetadataAsValue(e->context, node));
    return v;
}

LLVMValueRef nvptx_thread(struct lane_emit *e)
{
    return read_register(e, "llvm.nvvm.read.ptx.sreg.tid.x", nvptx_of(e)->kernel.threads);
}

LLVMValueRef nvptx_block(struct lane_emit *e)
{
    const char *name = nvptx_of(e)->kernel.cluster > 1 ? "llvm.nvvm.read.ptx.sreg.clusterid.x"
                                                       : "llvm.nvvm.read.ptx.sreg.ctaid.x";
    LLVMValueRef v = read_register(e, name, INT32_MAX);
    return LLVMBuildZExt(e->b, v, LLVMInt64TypeInContext(e->context), "");
}

LLVMValueRef nvptx_rank(struct lane_emit *e)
{
    uint32_t cluster = nvptx_of(e)->kernel.cluster;
    return cluster > 1 ? read_register(e, "llvm.nvvm.read.ptx.sreg.cluster.ctarank", cluster)
                       : nvptx_word(e, 0);
}

/* ---- warps ------------------------------------------------------------------------------------- */

static LLVMValueRef shuffle(struct lane_emit *e, const char *name, LLVMValueRef word,
                            LLVMValueRef selector, int64_t clamp)
{
    LLVMValueRef args[] = {nvptx_word(e, -1), word, selector, nvptx_word(e, clamp)};
    return nvptx_intrinsic(e, name, args, 4);
}

LLVMValueRef nvptx_shuffle_xor(struct lane_emit *e, LLVMValueRef word, uint32_t mask)
{
    return shuffle(e, "llvm.nvvm.shfl.sync.bfly.i32", word, nvptx_word(e, mask), 31);
}

LLVMValueRef nvptx_shuffle_up(struct lane_emit *e, LLVMValueRef word, uint32_t delta)
{
    return shuffle(e, "llvm.nvvm.shfl.sync.up.i32", word, nvptx_word(e, delta), 0);
}

LLVMValueRef nvptx_shuffle_from(struct lane_emit *e, LLVMValueRef word, LLVMValueRef lane)
{
    return shuffle(e, "llvm.nvvm.shfl.sync.idx.i32", word, lane, 31);
}

/* ---- blocks and clusters ----------------------------------------------------------------------- */

void nvptx_barrier(struct lane_emit *e)
{
    nvptx_asm(e, NVPTX_MEETING, NULL, "bar.sync 0;", "", NULL, 0);
}

/* Arriving releases what was written, waiting acquires it. */
void nvptx_cluster_barrier(struct lane_emit *e)
{
    nvptx_asm(e, NVPTX_MEETING, NULL,
              "barrier.cluster.arrive.aligned;\n\tbarrier.cluster.wait.aligned;", "", NULL, 0);
}

/* A release would wait for everything that the block has under way. */
void nvptx_cluster_meet(struct lane_emit *e)
{
    nvptx_asm(e, NVPTX_MEETING, NULL,
              "barrier.cluster.arrive.relaxed.aligned;\n\tbarrier.cluster.wait.aligned;", "", NULL,
              0);
}

/* ---- kernels after and before this one --------------------------------------------------------- */

void nvptx_release_dependents(struct lane_emit *e)
{
    nvptx_asm(e, NVPTX_MEMORY, NULL, "griddepcontrol.launch_dependents;", "", NULL, 0);
}

void nvptx_await_dependencies(struct lane_emit *e)
{
    nvptx_asm(e, NVPTX_MEMORY, NULL, "griddepcontrol.wait;", "", NULL, 0);
}

/* ---- checks ------------------------------------------------------------------------------------ */

/* The driver reports that the kernel failed, not why: the emulator says that. */
void nvptx_check(struct lane_emit *e, LLVMValueRef test, const char *text)
{
    (void)text;
    nvptx_asm(e, NVPTX_MEMORY, NULL, "@!$0 trap;", "b", &test, 1);
}
