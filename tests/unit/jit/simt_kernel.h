/* Kernels for the emulator built by hand, hook by hook, and run: what the GPU lowering would never
 * make on purpose. Tensors: x (an input), y (an output), m (changed in place), i32 [n]. */
#ifndef SIMT_KERNEL_H
#define SIMT_KERNEL_H

#include "artifact.h"
#include "simt/simt.h"
#include "target/target.h"

#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { X, Y, M, TENSORS };

struct kernel {
    struct lane_emit e;
    const struct lane_hooks *h;
    LLVMTypeRef i32, i64;
    LLVMValueRef base[TENSORS], n; /* i64 */
    LLVMValueRef thread;           /* i32 */
};

typedef void kernel_body(struct kernel *k);

/* How it is launched. */
struct shape {
    kernel_body *body;
    const char *target; /* NULL: "simt:native" */
    uint32_t threads, cluster, shared_bytes, programs, n;
    bool dependent;
    bool output; /* y is `out`: it holds nothing before, and must be written whole */
};

/* ---- small code -------------------------------------------------------------------------------- */

static inline LLVMValueRef word(struct kernel *k, uint32_t value)
{
    return LLVMConstInt(k->i32, value, false);
}

static inline LLVMValueRef add(struct kernel *k, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildAdd(k->e.b, a, b, "");
}

static inline LLVMValueRef times(struct kernel *k, LLVMValueRef a, uint32_t factor)
{
    return LLVMBuildMul(k->e.b, a, LLVMConstInt(LLVMTypeOf(a), factor, false), "");
}

static inline LLVMValueRef below(struct kernel *k, LLVMValueRef a, uint32_t limit)
{
    return LLVMBuildICmp(k->e.b, LLVMIntULT, a, LLVMConstInt(LLVMTypeOf(a), limit, false), "");
}

/* What follows comes from that line. */
static inline void at_line(struct kernel *k, uint32_t line)
{
    k->e.at = (struct span){1, line - 1, line};
}

static inline LLVMBasicBlockRef new_block(struct kernel *k)
{
    return LLVMAppendBasicBlockInContext(k->e.context, k->e.entry, "");
}

static inline LLVMBasicBlockRef begin_if(struct kernel *k, LLVMValueRef test)
{
    LLVMBasicBlockRef yes = new_block(k), after = new_block(k);
    LLVMBuildCondBr(k->e.b, test, yes, after);
    LLVMPositionBuilderAtEnd(k->e.b, yes);
    return after;
}

static inline void end_if(struct kernel *k, LLVMBasicBlockRef after)
{
    LLVMBuildBr(k->e.b, after);
    LLVMPositionBuilderAtEnd(k->e.b, after);
}

/* index: i32. */
static inline struct lane_access element(struct kernel *k, uint8_t tensor, LLVMValueRef index,
                                         LLVMValueRef guard)
{
    LLVMValueRef offset = LLVMBuildZExt(k->e.b, index, k->i64, "");
    return (struct lane_access){.type = k->i32,
                                .address = add(k, k->base[tensor], times(k, offset, 4)),
                                .guard = guard,
                                .align = 4,
                                .tensor = tensor};
}

static inline LLVMValueRef load(struct kernel *k, uint8_t tensor, LLVMValueRef index)
{
    struct lane_access a = element(k, tensor, index, NULL);
    return k->h->load(&k->e, &a);
}

static inline void store(struct kernel *k, uint8_t tensor, LLVMValueRef index, LLVMValueRef value)
{
    struct lane_access a = element(k, tensor, index, NULL);
    k->h->store(&k->e, &a, value);
}

static inline LLVMValueRef load_shared(struct kernel *k, LLVMValueRef index)
{
    return k->h->shared_load(&k->e, k->i32, times(k, index, 4), NULL);
}

static inline void store_shared(struct kernel *k, LLVMValueRef index, LLVMValueRef value)
{
    k->h->shared_store(&k->e, value, times(k, index, 4), NULL, NULL);
}

/* program * threads + thread */
static inline LLVMValueRef whole_index(struct kernel *k, uint32_t threads)
{
    LLVMValueRef program = LLVMBuildTrunc(k->e.b, k->h->block(&k->e), k->i32, "");
    return add(k, times(k, program, threads), k->thread);
}

/* ---- compiling --------------------------------------------------------------------------------- */

static inline void add_tensor(struct ir_func *f, const char *name, enum ir_tensor_access access)
{
    struct ir_tensor t = {.name = name, .elem = IR_I32, .rank = 1, .access = access, .align = 4};
    vec_push(&f->session->module, &f->tensors, t);
}

static inline struct ir_func *make_func(struct session *s, bool output)
{
    static const char lines[] = "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n";
    struct ir_func *f = ir_func_new(s, "k");
    source_add(s, "by_hand.ldsl", lines, sizeof lines - 1);
    add_tensor(f, "x", IR_READ);
    add_tensor(f, "y", output ? IR_OUT : IR_MUT);
    add_tensor(f, "m", IR_MUT);
    return f;
}

static inline void build(struct kernel *k, const struct shape *shape)
{
    struct lane_kernel entry = {
        .name = "k", .slots = TENSORS + 1, .threads = shape->threads, .cluster = shape->cluster};
    k->h->begin(&k->e, &entry);
    for (uint32_t i = 0; i < TENSORS; i++)
        k->base[i] = k->h->slot(&k->e, i);
    k->n = k->h->slot(&k->e, TENSORS);
    LLVMValueRef one = LLVMConstInt(k->i64, 1, false);
    for (uint32_t i = 0; i < TENSORS; i++)
        k->h->tensor(&k->e, (uint8_t)i, k->base[i], &k->n, &one);
    k->thread = k->h->thread(&k->e);
    shape->body(k);
    k->h->end(&k->e, shape->shared_bytes);
}

static inline LLVMMemoryBufferRef generate(struct kernel *k)
{
    const struct target *t = k->e.target->target;
    LLVMTargetMachineRef machine = k->e.target->machine;
    char passes[256];
    snprintf(passes, sizeof passes, "%s,function(sroa,early-cse,simplifycfg),%s", t->early_passes,
             t->late_passes);
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMPassBuilderOptionsSetVerifyEach(options, true);
    assert_null(LLVMRunPasses(k->e.module, passes, machine, options));
    LLVMDisposePassBuilderOptions(options);
    LLVMMemoryBufferRef image = NULL;
    char *why = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, k->e.module, LLVMObjectFile, &why, &image))
        fail_msg("%s", why);
    return image;
}

static inline ldsl_artifact *pack(const struct kernel *k, const struct shape *shape,
                                  LLVMMemoryBufferRef image)
{
    static const struct artifact_slot slots[] = {
        {LDSL_SLOT_POINTER, LDSL_I32, 0, "x"},
        {LDSL_SLOT_POINTER, LDSL_I32, 0, "y"},
        {LDSL_SLOT_POINTER, LDSL_I32, 0, "m"},
        {LDSL_SLOT_DIM,     LDSL_I64, 0, "n"},
    };
    struct artifact_parts parts = {
        .kind = LDSL_ARTIFACT_KERNEL,
        .data = LLVMGetBufferStart(image),
        .data_bytes = LLVMGetBufferSize(image),
        .info = {.name = "k",
                 .entry = LLVMGetValueName(k->e.entry),
                 .target = "simt:sm_90a",
                 .variant = "",
                 .slot_count = TENSORS + 1,
                 .block_threads = shape->threads,
                 .cluster = shape->cluster,
                 .shared_bytes = shape->shared_bytes,
                 .dependent = shape->dependent},
        .slots = slots,
    };
    return artifact_create(&parts);
}

static inline ldsl_artifact *compile(const struct shape *shape)
{
    struct session s;
    struct target_machine machine;
    session_init(&s, NULL);
    assert_true(target_open(&s, shape->target ? shape->target : "simt:native", &machine));
    struct kernel k = {.h = machine.target->lanes};
    k.e = (struct lane_emit){.s = &s, .f = make_func(&s, shape->output), .target = &machine};
    k.e.context = LLVMContextCreate();
    k.e.module = LLVMModuleCreateWithNameInContext("k", k.e.context);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine.machine);
    LLVMSetModuleDataLayout(k.e.module, layout);
    LLVMDisposeTargetData(layout);
    k.e.b = LLVMCreateBuilderInContext(k.e.context);
    k.i32 = LLVMInt32TypeInContext(k.e.context);
    k.i64 = LLVMInt64TypeInContext(k.e.context);
    build(&k, shape);
    LLVMMemoryBufferRef image = generate(&k);
    ldsl_artifact *artifact = pack(&k, shape, image);
    LLVMDisposeMemoryBuffer(image);
    LLVMDisposeBuilder(k.e.b);
    LLVMDisposeModule(k.e.module);
    LLVMContextDispose(k.e.context);
    target_close(&machine);
    session_destroy(&s);
    return artifact;
}

/* ---- running ----------------------------------------------------------------------------------- */

#define CAPACITY 4096

/* What a run leaves. x[i] = m[i] = i before; y[i] = -1. */
struct outcome {
    _Alignas(64) int32_t x[CAPACITY];
    _Alignas(64) int32_t y[CAPACITY];
    _Alignas(64) int32_t m[CAPACITY];
    enum ldsl_status status;
    char text[1024], path[64];
    uint32_t line;
};

static inline void take_diag(void *user, const struct ldsl_diag *d)
{
    struct outcome *o = user;
    snprintf(o->text, sizeof o->text, "%s", d->text);
    snprintf(o->path, sizeof o->path, "%s", d->place.path ? d->place.path : "");
    o->line = d->place.line;
}

static inline void run(struct outcome *o, const struct shape *shape)
{
    *o = (struct outcome){.status = LDSL_OK};
    for (int32_t i = 0; i < CAPACITY; i++) {
        o->x[i] = o->m[i] = i;
        o->y[i] = -1;
    }
    struct ldsl_sink sink = {take_diag, o};
    struct rt_device_options options = {.threads = 2, .sink = &sink};
    void *device, *kernel;
    ldsl_artifact *artifact = compile(shape);
    assert_non_null(artifact);
    assert_int_equal(rt_simt.open(&device, &options), LDSL_OK);
    assert_int_equal(rt_simt.load(device, &kernel, artifact), LDSL_OK);
    uint64_t slots[] = {(uint64_t)(uintptr_t)o->x, (uint64_t)(uintptr_t)o->y,
                        (uint64_t)(uintptr_t)o->m, shape->n};
    o->status = rt_simt.launch(device, kernel, slots, TENSORS + 1, shape->programs, false, NULL);
    rt_simt.unload(device, kernel);
    rt_simt.close(device);
    ldsl_artifact_free(artifact);
}

#endif
