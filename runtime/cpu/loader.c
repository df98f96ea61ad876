#include "cpu/loader.h"
#include "internal.h"
#include "target/native.h"

#include <llvm-c/Core.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/LLJITUtils.h>
#include <llvm-c/TargetMachine.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct loader {
    LLVMOrcLLJITRef jit;
    const struct ldsl_sink *sink;
    atomic_uint_least64_t images; /* ever loaded: names of their symbol tables */
};

/* Each image has a symbol table of its own, so that kernels of one name do not meet, and a tracker
 * to take its memory back. */
struct loaded {
    LLVMOrcJITDylibRef symbols;
    LLVMOrcResourceTrackerRef tracker;
};

static enum ldsl_status llvm_failed(const struct loader *l, const char *what, LLVMErrorRef error)
{
    char *text = LLVMGetErrorMessage(error);
    rt_error(l->sink, LDSL_DEVICE, "%s: %s", what, text);
    LLVMDisposeErrorMessage(text);
    return LDSL_DEVICE;
}

/* What goes wrong outside of any call of ours: heard of through the call that needed it. */
static void ignore_error(void *user, LLVMErrorRef error)
{
    (void)user;
    LLVMConsumeError(error);
}

enum ldsl_status loader_create(struct loader **out, const struct ldsl_sink *sink)
{
    target_init_native();
    struct loader *l = calloc(1, sizeof *l);
    *out = l;
    if (!l)
        return rt_nomem(sink);
    l->sink = sink;
    LLVMErrorRef error = LLVMOrcCreateLLJIT(&l->jit, NULL);
    if (error) {
        enum ldsl_status status = llvm_failed(l, "cannot load code", error);
        free(l);
        *out = NULL;
        return status;
    }
    LLVMOrcExecutionSessionSetErrorReporter(LLVMOrcLLJITGetExecutionSession(l->jit), ignore_error,
                                            NULL);
    /* Lets a debugger see the lines of kernels; without one nothing is lost. */
    LLVMConsumeError(LLVMOrcLLJITEnableDebugSupport(l->jit));
    return LDSL_OK;
}

void loader_destroy(struct loader *l)
{
    if (!l)
        return;
    LLVMConsumeError(LLVMOrcDisposeLLJIT(l->jit));
    free(l);
}

/* Kernels call the C library (f64 functions, memset). */
static LLVMErrorRef add_process_symbols(struct loader *l, LLVMOrcJITDylibRef symbols)
{
    LLVMOrcDefinitionGeneratorRef generator;
    LLVMErrorRef error = LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
        &generator, LLVMOrcLLJITGetGlobalPrefix(l->jit), NULL, NULL);
    if (!error)
        LLVMOrcJITDylibAddGenerator(symbols, generator);
    return error;
}

enum ldsl_status loader_load(struct loader *l, struct loaded **out, const void *image, size_t bytes)
{
    struct loaded *x = *out = calloc(1, sizeof *x);
    if (!x)
        return rt_nomem(l->sink);
    char name[32];
    snprintf(name, sizeof name, "kernel%llu", (unsigned long long)atomic_fetch_add(&l->images, 1));
    x->symbols =
        LLVMOrcExecutionSessionCreateBareJITDylib(LLVMOrcLLJITGetExecutionSession(l->jit), name);
    LLVMErrorRef error = add_process_symbols(l, x->symbols);
    if (!error) {
        x->tracker = LLVMOrcJITDylibCreateResourceTracker(x->symbols);
        LLVMMemoryBufferRef object =
            LLVMCreateMemoryBufferWithMemoryRangeCopy(image, bytes, "kernel");
        error = LLVMOrcLLJITAddObjectFileWithRT(l->jit, x->tracker, object);
    }
    if (!error)
        return LDSL_OK;
    enum ldsl_status status = llvm_failed(l, "cannot load a kernel", error);
    loader_unload(l, x);
    *out = NULL;
    return status;
}

/* A lookup answers on whichever thread links the code. */
struct lookup {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool done;
    uint64_t address;
    LLVMErrorRef error;
};

static void take_answer(LLVMErrorRef error, LLVMOrcCSymbolMapPairs result, size_t count, void *user)
{
    struct lookup *w = user;
    pthread_mutex_lock(&w->lock);
    w->error = error;
    w->address = !error && count ? result[0].Sym.Address : 0;
    w->done = true;
    pthread_cond_signal(&w->answered);
    pthread_mutex_unlock(&w->lock);
}

enum ldsl_status loader_find(struct loader *l, const struct loaded *image, const char *name,
                             uint64_t *address)
{
    struct lookup w = {.lock = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER};
    LLVMOrcCJITDylibSearchOrderElement order = {image->symbols,
                                                LLVMOrcJITDylibLookupFlagsMatchAllSymbols};
    LLVMOrcCLookupSetElement symbol = {LLVMOrcLLJITMangleAndIntern(l->jit, name),
                                       LLVMOrcSymbolLookupFlagsRequiredSymbol};
    LLVMOrcExecutionSessionLookup(LLVMOrcLLJITGetExecutionSession(l->jit), LLVMOrcLookupKindStatic,
                                  &order, 1, &symbol, 1, take_answer, &w);
    pthread_mutex_lock(&w.lock);
    while (!w.done)
        pthread_cond_wait(&w.answered, &w.lock);
    pthread_mutex_unlock(&w.lock);
    if (w.error)
        return llvm_failed(l, "cannot link a kernel", w.error);
    *address = w.address;
    return LDSL_OK;
}

void loader_unload(struct loader *l, struct loaded *image)
{
    (void)l;
    if (!image)
        return;
    if (image->tracker) {
        LLVMConsumeError(LLVMOrcResourceTrackerRemove(image->tracker));
        LLVMOrcReleaseResourceTracker(image->tracker);
    }
    free(image);
}

void loader_describe(char *name, size_t name_size, char *identity, size_t identity_size)
{
    char *cpu = LLVMGetHostCPUName(), *features = LLVMGetHostCPUFeatures();
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (const char *at = features; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    snprintf(name, name_size, "%s", cpu);
    snprintf(identity, identity_size, "%s %016llx", cpu, (unsigned long long)hash);
    LLVMDisposeMessage(cpu);
    LLVMDisposeMessage(features);
}
