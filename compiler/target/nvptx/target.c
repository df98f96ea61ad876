/* nvptx: the processors that can be named, and what they are. A processor runs the code of older ones
 * of its family; sm_90a alone is for just that one. */
#include "target/gpus.h"
#include "target/nvptx/nvptx.h"
#include "target/registry.h"

#include <llvm-c/Target.h>
#include <pthread.h>
#include <stdlib.h>

/* ptx: the oldest version of the language that has all we use, so that old drivers take it. */
/* clang-format off */
static const struct processor {
    const char *name, *ptx;
    uint32_t shared_kib, resident, cluster; /* shared: what one block may have */
    uint32_t bandwidth;                     /* of an A100 80 GB, A40, L40S, H200 */
} processors[] = {
    {"sm_80",  "+ptx78", 163, 2048, 1, 2039},
    {"sm_86",  "+ptx78",  99, 1536, 1,  696},
    {"sm_89",  "+ptx78",  99, 1536, 1,  864},
    {"sm_90",  "+ptx81", 227, 2048, 8, 4800},
    {"sm_90a", "+ptx81", 227, 2048, 8, 4800},
};
/* clang-format on */
#define PROCESSOR_COUNT (sizeof processors / sizeof processors[0])

static pthread_once_t llvm_once = PTHREAD_ONCE_INIT;

static void init_llvm(void)
{
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
}

static const struct processor *find_processor(const char *name)
{
    for (size_t i = 0; i < PROCESSOR_COUNT; i++)
        if (strcmp(processors[i].name, name) == 0)
            return &processors[i];
    return NULL;
}

static bool unknown_processor(struct session *s, const char *name)
{
    if (strcmp(name, "native") == 0) {
        diag_error(s, (struct span){0}, DIAG_TARGET, "which NVIDIA GPU is not said");
        return diag_help(s, "name the processor, as in nvptx:sm_90a");
    }
    diag_error(s, (struct span){0}, DIAG_TARGET, "there is no processor nvptx:%s", name);
    return diag_help(s,
                     "there are sm_80, sm_86, sm_89, sm_90 and sm_90a; newer GPUs run the code of "
                     "sm_90");
}

static struct facts facts_of(const struct processor *p)
{
    bool hopper = p->cluster > 1;
    return (struct facts){.lanes = 32,
                          .vector_bytes = 16,
                          .registers = 255,
                          .shared_bytes = p->shared_kib * 1024,
                          .max_tile = 65536 * p->cluster,
                          .has_bf16_math = hopper,
                          .block_threads = 1024,
                          .block_registers = 65536,
                          .cc = (uint32_t)strtoul(p->name + 3, NULL, 10),
                          .resident = p->resident,
                          .cluster = p->cluster,
                          .bandwidth = p->bandwidth,
                          .has_async_copy = true,
                          .has_dependent_launch = hopper};
}

bool target_gpu_facts(const char *name, struct facts *out)
{
    const struct processor *p = find_processor(name);
    if (p)
        *out = facts_of(p);
    return p;
}

static bool open_nvptx(const struct target *t, struct session *s, const char *cpu,
                       struct target_machine *out)
{
    static const char triple[] = "nvptx64-nvidia-cuda";
    const struct processor *p = find_processor(cpu);
    if (!p)
        return unknown_processor(s, cpu);
    pthread_once(&llvm_once, init_llvm);
    out->target = t;
    out->cpu = p->name;
    out->features = p->ptx;
    out->facts = facts_of(p);
    LLVMTargetRef target;
    char *why = NULL;
    if (LLVMGetTargetFromTriple(triple, &target, &why)) {
        diag_error(s, (struct span){0}, DIAG_TARGET, "this LLVM makes no code for NVIDIA GPUs");
        LLVMDisposeMessage(why);
        return false;
    }
    out->machine = LLVMCreateTargetMachine(target, triple, p->name, p->ptx, LLVMCodeGenLevelDefault,
                                           LLVMRelocDefault, LLVMCodeModelDefault);
    if (!out->machine)
        return diag_error(s, (struct span){0}, DIAG_TARGET, "no code for processor nvptx:%s", cpu);
    return true;
}

static const struct lane_hooks hooks = {
    .begin = nvptx_begin,
    .end = nvptx_end,
    .slot = nvptx_slot,
    .thread = nvptx_thread,
    .block = nvptx_block,
    .rank = nvptx_rank,
    .shuffle_xor = nvptx_shuffle_xor,
    .shuffle_up = nvptx_shuffle_up,
    .shuffle_from = nvptx_shuffle_from,
    .barrier = nvptx_barrier,
    .cluster_barrier = nvptx_cluster_barrier,
    .cluster_meet = nvptx_cluster_meet,
    .shared_load = nvptx_shared_load,
    .shared_store = nvptx_shared_store,
    .mbarrier_create = nvptx_mbarrier_create,
    .mbarrier_expect = nvptx_mbarrier_expect,
    .mbarrier_await = nvptx_mbarrier_await,
    .send = nvptx_send,
    .load = nvptx_load,
    .store = nvptx_store,
    .atomic = nvptx_atomic,
    .copy_async = nvptx_copy_async,
    .commit = nvptx_commit,
    .wait = nvptx_wait,
    .pin = nvptx_pin,
    .never = nvptx_never,
    .function = nvptx_function,
    .divide = nvptx_divide,
    .narrow = nvptx_narrow,
    .fused = nvptx_fused,
    .release_dependents = nvptx_release_dependents,
    .await_dependencies = nvptx_await_dependencies,
    .check = nvptx_check,
};

const struct target target_nvptx = {
    .name = "nvptx",
    .summary = "NVIDIA GPUs from sm_80 on, by PTX text that the driver compiles",
    .open = open_nvptx,
    .lanes = &hooks,
};
