/* For the tests of code generation: tile IR text to a function that can be called. */
#ifndef RUN_H
#define RUN_H

#include "codegen/codegen.h"
#include "ir/ir.h"
#include "target/target.h"

#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef void entry_fn(const uint64_t *slots, int64_t first, int64_t last, void *scratch,
                      void *report);

struct program {
    LLVMOrcLLJITRef jit;
    entry_fn *entry;
    void *scratch;
    size_t scratch_bytes;
};

static inline void print_diag(void *user, const struct ldsl_diag *d)
{
    char text[4096];
    (void)user;
    ldsl_diag_format(d, LDSL_DIAG_PLAIN, text, sizeof text);
    fputs(text, stderr);
}

static inline void check_error(LLVMErrorRef error)
{
    if (!error)
        return;
    char *text = LLVMGetErrorMessage(error);
    fprintf(stderr, "%s\n", text);
    LLVMDisposeErrorMessage(text);
    fail();
}

static inline void load_image(struct program *p, const struct codegen_result *r)
{
    check_error(LLVMOrcCreateLLJIT(&p->jit, NULL));
    LLVMOrcJITDylibRef lib = LLVMOrcLLJITGetMainJITDylib(p->jit);
    LLVMOrcDefinitionGeneratorRef symbols;
    char prefix = LLVMOrcLLJITGetGlobalPrefix(p->jit);
    check_error(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&symbols, prefix, NULL, NULL));
    LLVMOrcJITDylibAddGenerator(lib, symbols);
    LLVMMemoryBufferRef image =
        LLVMCreateMemoryBufferWithMemoryRangeCopy((const char *)r->image, r->image_bytes, "kernel");
    check_error(LLVMOrcLLJITAddObjectFile(p->jit, lib, image));
    LLVMOrcExecutorAddress address;
    check_error(LLVMOrcLLJITLookup(p->jit, &address, r->entry));
    p->entry = (entry_fn *)(uintptr_t)address;
    p->scratch_bytes = (size_t)(r->scratch_bytes + 63) / 64 * 64;
    p->scratch = aligned_alloc(64, p->scratch_bytes + 64);
    memset(p->scratch, 0xa5, p->scratch_bytes + 64);
}

static inline struct program compile_for(const char *target, const char *text,
                                         struct codegen_options options)
{
    struct program p = {0};
    struct session s;
    struct ldsl_sink sink = {print_diag, NULL};
    struct target_machine machine = {0};
    session_init(&s, &sink);
    if (setjmp(s.unwind.env)) {
        session_destroy(&s);
        fail_msg("compile was abandoned");
    }
    assert_true(target_open(&s, target, &machine));
    uint32_t source = source_add(&s, "test.tir", text, strlen(text));
    struct ir_func *f = ir_read(&s, source);
    diag_flush(&s);
    assert_non_null(f);
    struct codegen_result r;
    if (getenv("LDSL_SHOW")) {
        struct codegen_options show = options;
        show.emit_llvm = getenv("LDSL_SHOW")[0] == 'l';
        show.emit_asm = !show.emit_llvm;
        assert_true(codegen_run(&s, f, &machine, &show, &r));
        fputs(r.text, stderr);
    }
    assert_true(codegen_run(&s, f, &machine, &options, &r));
    load_image(&p, &r);
    session_destroy(&s);
    target_close(&machine);
    return p;
}

static inline struct program compile_ir(const char *text)
{
    return compile_for("cpu:native", text, (struct codegen_options){0});
}

/* Scratch must not be written past its end. */
static inline void run(const struct program *p, const uint64_t *slots, int64_t programs)
{
    unsigned char *end = (unsigned char *)p->scratch + p->scratch_bytes;
    p->entry(slots, 0, programs, p->scratch, NULL);
    for (int i = 0; i < 64; i++)
        assert_int_equal(end[i], 0xa5);
}

static inline void release(struct program *p)
{
    check_error(LLVMOrcDisposeLLJIT(p->jit));
    free(p->scratch);
}

#define POINTER(p) ((uint64_t)(uintptr_t)(p))

static inline uint64_t float_slot(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* Numbers in -1 .. 1 that repeat from run to run. */
static inline uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static inline float random_float(uint32_t *state)
{
    return (float)(int32_t)next_random(state) / 2147483648.0f;
}

#endif
