/* cpu: code for the processors of this machine's architecture. "native" is this very processor;
 * any other name is one that LLVM knows ("x86-64-v3", "znver4"). */
#include "target/native.h"
#include "target/registry.h"

#include <llvm-c/Core.h>
#include <llvm-c/Target.h>
#include <pthread.h>
#include <string.h>

/* The processors that can be named and the bytes of their widest vectors. LLVM's C interface has no
 * such list, and LLVM only warns (on stderr) about a name it does not know. */
/* clang-format off */
static const struct processor {
    const char *name;
    uint32_t vector_bytes;
} processors[] = {
    {"x86-64", 16}, {"x86-64-v2", 16}, {"x86-64-v3", 32}, {"x86-64-v4", 64},
    {"nehalem", 16}, {"westmere", 16}, {"sandybridge", 16}, {"ivybridge", 16},
    {"haswell", 32}, {"broadwell", 32}, {"skylake", 32}, {"alderlake", 32}, {"raptorlake", 32},
    {"meteorlake", 32}, {"arrowlake", 32}, {"lunarlake", 32}, {"sierraforest", 32},
    {"skylake-avx512", 64}, {"cascadelake", 64}, {"cooperlake", 64}, {"icelake-client", 64},
    {"icelake-server", 64}, {"tigerlake", 64}, {"rocketlake", 64}, {"sapphirerapids", 64},
    {"emeraldrapids", 64}, {"graniterapids", 64},
    {"znver1", 32}, {"znver2", 32}, {"znver3", 32}, {"znver4", 64},
    {"generic", 16}, {"neoverse-n1", 16}, {"neoverse-n2", 16}, {"neoverse-v1", 16},
    {"neoverse-v2", 16}, {"cortex-a76", 16}, {"apple-m1", 16}, {"apple-m2", 16}, {"apple-m3", 16},
};
/* clang-format on */
#define PROCESSOR_COUNT (sizeof processors / sizeof processors[0])

/* Registers LLVM's tables: once, since that is not safe to do twice at the same time. */
static pthread_once_t llvm_once = PTHREAD_ONCE_INIT;

static void init_llvm(void)
{
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
}

void target_init_native(void)
{
    pthread_once(&llvm_once, init_llvm);
}

static bool has_feature(const char *features, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = strstr(features, name); at; at = strstr(at + 1, name))
        if (at > features && at[-1] == '+' && (at[length] == ',' || !at[length]))
            return true;
    return false;
}

static const struct processor *find_processor(const char *cpu)
{
    for (size_t i = 0; i < PROCESSOR_COUNT; i++)
        if (strcmp(processors[i].name, cpu) == 0)
            return &processors[i];
    return NULL;
}

/* This machine's processor may be newer than the list. */
static uint32_t native_vector_bytes(const char *features)
{
    bool wide = has_feature(features, "avx512f") && has_feature(features, "avx512vl") &&
                has_feature(features, "avx512bw") && has_feature(features, "avx512dq");
    return wide ? 64 : has_feature(features, "avx2") ? 32 : 16;
}

static bool unknown_cpu(struct session *s, const char *cpu)
{
    const char *names[PROCESSOR_COUNT + 1] = {"native"};
    for (size_t i = 0; i < PROCESSOR_COUNT; i++)
        names[i + 1] = processors[i].name;
    const char *near = nearest_name(cpu, names, PROCESSOR_COUNT + 1);
    diag_error(s, (struct span){0}, DIAG_TARGET, "there is no processor cpu:%s", cpu);
    if (near)
        diag_help(s, "did you mean cpu:%s?", near);
    return false;
}

/* A text of LLVM's. It lives as long as the session; the record is registered before there is a
 * text, so that an unwind loses none. */
struct message {
    char *text;
};

static void dispose_message(void *object)
{
    struct message *message = object;
    if (message->text)
        LLVMDisposeMessage(message->text);
}

static struct message *new_message(struct session *s)
{
    struct message *message = arena_new(&s->module, struct message);
    session_on_end(s, dispose_message, message);
    return message;
}

static const char *keep_message(struct session *s, char *(*get)(void))
{
    struct message *message = new_message(s);
    message->text = get();
    return message->text;
}

static bool open_machine(struct session *s, LLVMCodeGenOptLevel level, struct target_machine *out)
{
    const char *triple = keep_message(s, LLVMGetDefaultTargetTriple);
    LLVMTargetRef target;
    struct message *why = new_message(s);
    if (LLVMGetTargetFromTriple(triple, &target, &why->text))
        return diag_error(s, (struct span){0}, DIAG_TARGET, "no code for %s: %s", triple,
                          why->text);
    out->machine = LLVMCreateTargetMachine(target, triple, out->cpu, out->features, level,
                                           LLVMRelocPIC, LLVMCodeModelDefault);
    if (!out->machine)
        return diag_error(s, (struct span){0}, DIAG_TARGET, "no code for processor %s", out->cpu);
    return true;
}

bool target_open_native(struct session *s, bool quickly, struct target_machine *out)
{
    target_init_native();
    out->cpu = intern_text(s, keep_message(s, LLVMGetHostCPUName));
    out->features = keep_message(s, LLVMGetHostCPUFeatures);
    return open_machine(s, quickly ? LLVMCodeGenLevelNone : LLVMCodeGenLevelDefault, out);
}

static bool open_cpu(const struct target *t, struct session *s, const char *cpu,
                     struct target_machine *out)
{
    target_init_native();
    const char *host = keep_message(s, LLVMGetHostCPUName);
    bool native = strcmp(cpu, "native") == 0 || strcmp(cpu, host) == 0;
    const struct processor *processor = find_processor(cpu);
    if (!native && !processor)
        return unknown_cpu(s, cpu);
    out->target = t;
    out->cpu = intern_text(s, cpu);
    out->features = "";
    if (!(native ? target_open_native(s, false, out)
                 : open_machine(s, LLVMCodeGenLevelDefault, out)))
        return false;
    out->facts = (struct facts){.lanes = 1,
                                .vector_bytes = native ? native_vector_bytes(out->features)
                                                       : processor->vector_bytes,
                                .max_tile = 65536,
                                .has_bf16_math = false};
    return true;
}

const struct target target_cpu = {
    .name = "cpu",
    .summary = "this machine's processor, or a named one of its architecture",
    .open = open_cpu,
};
