/* The hooks of NVIDIA GPUs: what PTX each of them becomes. With LDSL_PTX=FOLDER in the environment
 * every text is written there too, for ptxas. */
#include "target/lane.h"
#include "target/target.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Core.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- a kernel by hand -------------------------------------------------------------------------- */

struct world {
    struct session s;
    struct target_machine machine;
    struct lane_emit e;
    const struct lane_hooks *h;
    char *ptx;
};

static struct world begin(const char *target, struct lane_kernel k)
{
    static struct world w;
    static const struct ldsl_sink silent = {0};
    w = (struct world){0};
    session_init(&w.s, &silent);
    assert_true(target_open(&w.s, target, &w.machine));
    w.h = w.machine.target->lanes;
    w.e.s = &w.s;
    w.e.target = &w.machine;
    w.e.context = LLVMContextCreate();
    w.e.module = LLVMModuleCreateWithNameInContext("test", w.e.context);
    w.e.b = LLVMCreateBuilderInContext(w.e.context);
    LLVMSetTarget(w.e.module, "nvptx64-nvidia-cuda");
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(w.machine.machine);
    LLVMSetModuleDataLayout(w.e.module, layout);
    LLVMDisposeTargetData(layout);
    if (!k.name)
        k.name = "k";
    if (!k.threads)
        k.threads = 128;
    if (!k.slots)
        k.slots = 3;
    w.h->begin(&w.e, &k);
    return w;
}

static void keep_for_ptxas(const char *ptx, const char *test)
{
    const char *folder = getenv("LDSL_PTX");
    char path[512];
    if (!folder)
        return;
    snprintf(path, sizeof path, "%s/%s.ptx", folder, test);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(ptx, file);
    fclose(file);
}

static const char *finish(struct world *w, const char *test)
{
    char *why = NULL;
    LLVMMemoryBufferRef text;
    w->h->end(&w->e, 1024);
    if (LLVMVerifyModule(w->e.module, LLVMReturnStatusAction, &why))
        fail_msg("%s", why);
    LLVMDisposeMessage(why);
    why = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(w->machine.machine, w->e.module, LLVMAssemblyFile, &why,
                                            &text))
        fail_msg("%s", why);
    w->ptx = strdup(LLVMGetBufferStart(text));
    LLVMDisposeMemoryBuffer(text);
    if (getenv("LDSL_SHOW"))
        fputs(w->ptx, stderr);
    keep_for_ptxas(w->ptx, test);
    return w->ptx;
}
#define FINISH(w) finish((w), __func__)

static void end(struct world *w)
{
    free(w->ptx);
    LLVMDisposeBuilder(w->e.b);
    LLVMDisposeModule(w->e.module);
    LLVMContextDispose(w->e.context);
    session_destroy(&w->s);
    target_close(&w->machine);
}

/* The text has these pieces, in this order. NULL ends the list. */
static void assert_pieces(const char *text, ...)
{
    va_list pieces;
    const char *at = text, *piece;
    va_start(pieces, text);
    while ((piece = va_arg(pieces, const char *))) {
        const char *found = strstr(at, piece);
        if (!found)
            fail_msg("no \"%s\" where it is wanted in\n%s", piece, text);
        at = found + strlen(piece);
    }
    va_end(pieces);
}

static void assert_lacks(const char *text, const char *piece)
{
    if (strstr(text, piece))
        fail_msg("\"%s\" in\n%s", piece, text);
}

static uint32_t count_of(const char *text, const char *piece)
{
    uint32_t n = 0;
    for (const char *at = text; (at = strstr(at, piece)); at += strlen(piece))
        n++;
    return n;
}

/* ---- values ------------------------------------------------------------------------------------ */

static LLVMTypeRef i32(struct world *w)
{
    return LLVMInt32TypeInContext(w->e.context);
}

static LLVMValueRef word(struct world *w, uint32_t v)
{
    return LLVMConstInt(i32(w), v, false);
}

static LLVMValueRef slot(struct world *w, uint32_t number)
{
    return w->h->slot(&w->e, number);
}

/* Slot 2 is a flag. */
static LLVMValueRef guard(struct world *w)
{
    return LLVMBuildICmp(w->e.b, LLVMIntNE, slot(w, 2), LLVMConstNull(LLVMTypeOf(slot(w, 2))), "");
}

static LLVMTypeRef words4(struct world *w)
{
    return LLVMVectorType(i32(w), 4);
}

static struct lane_access access(struct world *w, uint32_t number)
{
    return (struct lane_access){.type = words4(w), .address = slot(w, number), .align = 16};
}

/* Sixteen bytes from slot 0 to slot 1. */
static void copy(struct world *w, struct lane_access from, struct lane_access to)
{
    w->h->store(&w->e, &to, w->h->load(&w->e, &from));
}

/* ---- kernels ----------------------------------------------------------------------------------- */

static void a_kernel_says_how_it_is_launched(void **state)
{
    (void)state;
    struct world w =
        begin("nvptx:sm_90a", (struct lane_kernel){.name = "rms_norm", .threads = 160});
    const char *ptx = FINISH(&w);
    assert_pieces(ptx, ".version 8.1", ".target sm_90a", ".visible .entry rms_norm(",
                  ".reqntid 160, 1, 1", NULL);
    assert_lacks(ptx, ".maxnreg");
    assert_lacks(ptx, "debug");
    end(&w);
    w = begin("nvptx:sm_80", (struct lane_kernel){.blocks_per_sm = 3, .max_registers = 72});
    ptx = FINISH(&w);
    assert_pieces(ptx, ".version 7.8", ".target sm_80", ".minnctapersm 3", ".maxnreg 72", NULL);
    end(&w);
}

static void slots_are_64_bit_parameters(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_80", (struct lane_kernel){.slots = 3});
    struct lane_access to = {
        .type = LLVMInt64TypeInContext(w.e.context), .address = slot(&w, 1), .align = 8};
    w.h->store(&w.e, &to, slot(&w, 2));
    assert_pieces(FINISH(&w), ".param .u64 k_param_0", ".param .u64 k_param_2", "ld.param.u64",
                  "st.global.u64", NULL);
    end(&w);
}

static void place_of(const char *target, uint32_t cluster, const char *test, const char *block,
                     bool rank)
{
    struct world w = begin(target, (struct lane_kernel){.cluster = cluster});
    LLVMTypeRef i64 = LLVMInt64TypeInContext(w.e.context);
    LLVMValueRef t = LLVMBuildZExt(w.e.b, w.h->thread(&w.e), i64, "");
    LLVMValueRef r = LLVMBuildZExt(w.e.b, w.h->rank(&w.e), i64, "");
    struct lane_access to = {.type = i64, .address = slot(&w, 0), .align = 8};
    w.h->store(&w.e, &to, LLVMBuildMul(w.e.b, w.h->block(&w.e), LLVMBuildAdd(w.e.b, t, r, ""), ""));
    const char *ptx = finish(&w, test);
    assert_pieces(ptx, "%tid.x", NULL);
    assert_pieces(ptx, block, NULL);
    assert_int_equal(strstr(ptx, "%cluster_ctarank") != NULL, rank);
    end(&w);
}

static void threads_know_their_place(void **state)
{
    (void)state;
    place_of("nvptx:sm_86", 1, "place", "%ctaid.x", false);
    place_of("nvptx:sm_90", 4, "place_in_cluster", "%clusterid.x", true);
}

/* ---- global memory ----------------------------------------------------------------------------- */

static void plain_accesses_are_wide_and_have_no_hints(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_90a", (struct lane_kernel){0});
    struct lane_access from = access(&w, 0), to = access(&w, 1);
    from.constant = true;
    copy(&w, from, to);
    from.type = to.type = LLVMVectorType(LLVMInt16TypeInContext(w.e.context), 8);
    copy(&w, from, to);
    const char *ptx = FINISH(&w);
    assert_int_equal(count_of(ptx, "ld.global.v4."), 2);
    assert_int_equal(count_of(ptx, "st.global.v4."), 2);
    assert_lacks(ptx, "no_allocate");
    assert_lacks(ptx, "begin inline asm");
    end(&w);
}

static void a_guard_is_a_predicate(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_90a", (struct lane_kernel){0});
    struct lane_access from = access(&w, 0), to = access(&w, 1);
    from.guard = to.guard = guard(&w);
    copy(&w, from, to);
    const char *ptx = FINISH(&w);
    assert_pieces(ptx, "setp.ne.s64", "mov.b32 ", ", 0;", "@%p", " ld.global.v4.b32 {", "@%p",
                  " st.global.v4.b32 [", NULL);
    assert_lacks(ptx, "bra");
    end(&w);
}

static void guarded_accesses_of_all_widths(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_80", (struct lane_kernel){0});
    LLVMContextRef c = w.e.context;
    LLVMTypeRef types[] = {
        LLVMInt8TypeInContext(c),
        LLVMInt16TypeInContext(c),
        i32(&w),
        LLVMFloatTypeInContext(c),
        LLVMInt64TypeInContext(c),
        LLVMDoubleTypeInContext(c),
        LLVMVectorType(LLVMInt8TypeInContext(c), 2),
        LLVMVectorType(LLVMInt8TypeInContext(c), 16),
        LLVMVectorType(LLVMInt16TypeInContext(c), 4),
        LLVMVectorType(LLVMFloatTypeInContext(c), 4),
        LLVMVectorType(LLVMInt64TypeInContext(c), 2),
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct lane_access from = access(&w, 0), to = access(&w, 1);
        from.type = to.type = types[i];
        from.guard = to.guard = guard(&w);
        copy(&w, from, to);
    }
    const char *ptx = FINISH(&w);
    assert_int_equal(count_of(ptx, "ld.global.b8"), 1);
    assert_int_equal(count_of(ptx, "ld.global.b16"), 2);
    assert_int_equal(count_of(ptx, "ld.global.b32"), 2);
    assert_int_equal(count_of(ptx, "ld.global.v2.b32"), 3);
    assert_int_equal(count_of(ptx, "ld.global.v4.b32"), 3);
    assert_int_equal(count_of(ptx, "st.global.v4.b32"), 3);
    end(&w);
}

static void an_access_is_no_wider_than_its_address_allows(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_80", (struct lane_kernel){0});
    struct lane_access from = access(&w, 0), to = access(&w, 1);
    from.guard = to.guard = guard(&w);
    from.align = 8;
    to.align = 2;
    copy(&w, from, to);
    const char *ptx = FINISH(&w);
    assert_int_equal(count_of(ptx, "ld.global.v2.b32"), 2);
    assert_int_equal(count_of(ptx, "st.global.b16"), 8);
    end(&w);
}

static void what_is_kept_has_a_policy_made_once(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_90a", (struct lane_kernel){0});
    struct lane_access from = access(&w, 0), to = access(&w, 1);
    from.keep = true;
    copy(&w, from, to);
    from.guard = guard(&w);
    to.stream = true;
    copy(&w, from, to);
    const char *ptx = FINISH(&w);
    assert_int_equal(count_of(ptx, "createpolicy.fractional.L2::evict_last.b64"), 1);
    assert_int_equal(count_of(ptx, "ld.global.L2::cache_hint.v4.b32"), 2);
    assert_int_equal(count_of(ptx, "st.global.cs.v4.b32"), 1);
    end(&w);
}

/* Reads of what the kernel writes stay between the writes. */
static void accesses_of_written_tensors_stay_in_order(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_90a", (struct lane_kernel){0});
    struct lane_access from = access(&w, 0), to = access(&w, 0);
    from.guard = to.guard = guard(&w);
    w.h->store(&w.e, &to, LLVMConstNull(words4(&w)));
    LLVMValueRef between = w.h->load(&w.e, &from);
    w.h->store(&w.e, &to, LLVMConstNull(words4(&w)));
    to.address = slot(&w, 1);
    w.h->store(&w.e, &to, between);
    assert_pieces(FINISH(&w), "st.global.v4.b32", "ld.global.v4.b32", "st.global.v4.b32",
                  "st.global.v4.b32", NULL);
    end(&w);
}

static void sums_in_memory_are_one_instruction(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_80", (struct lane_kernel){0});
    LLVMContextRef c = w.e.context;
    LLVMValueRef f = LLVMConstReal(LLVMFloatTypeInContext(c), 1.5);
    LLVMValueRef d = LLVMConstReal(LLVMDoubleTypeInContext(c), 1.5);
    LLVMValueRef n = word(&w, 3), wide = LLVMConstInt(LLVMInt64TypeInContext(c), 3, false);
    struct lane_access to = access(&w, 0);
    assert_true(w.h->atomic(&w.e, &to, IR_KIND_SUM, IR_F32, f));
    to.guard = guard(&w);
    assert_true(w.h->atomic(&w.e, &to, IR_KIND_SUM, IR_F64, d));
    assert_true(w.h->atomic(&w.e, &to, IR_KIND_SUM, IR_I64, wide));
    assert_true(w.h->atomic(&w.e, &to, IR_KIND_MAX, IR_I32, n));
    assert_true(w.h->atomic(&w.e, &to, IR_KIND_MIN, IR_U64, wide));
    assert_true(w.h->atomic(&w.e, &to, IR_KIND_ANY, IR_U32, n));
    assert_true(w.h->atomic(&w.e, &to, IR_KIND_ALL, IR_INDEX, wide));
    assert_false(w.h->atomic(&w.e, &to, IR_KIND_PROD, IR_I32, n));
    assert_false(w.h->atomic(&w.e, &to, IR_KIND_SUM, IR_BF16, f));
    assert_pieces(FINISH(&w), "red.relaxed.gpu.global.add.f32 [", "@%p", "global.add.f64",
                  "global.add.u64", "global.max.s32", "global.min.u64", "global.or.b32",
                  "global.and.b64", NULL);
    end(&w);
}

/* Two instructions, of which one takes place. */
static void extremes_of_floats_are_those_of_integers(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_80", (struct lane_kernel){0});
    LLVMContextRef c = w.e.context;
    struct lane_access at = access(&w, 0);
    at.type = LLVMFloatTypeInContext(c);
    LLVMValueRef f = w.h->load(&w.e, &at);
    assert_true(w.h->atomic(&w.e, &at, IR_KIND_MAX, IR_F32, f));
    at.guard = guard(&w);
    assert_true(w.h->atomic(&w.e, &at, IR_KIND_FMIN, IR_F32, f));
    at.type = LLVMDoubleTypeInContext(c);
    assert_true(w.h->atomic(&w.e, &at, IR_KIND_MIN, IR_F64, w.h->load(&w.e, &at)));
    const char *ptx = FINISH(&w);
    assert_pieces(ptx, "2143289344", "red.relaxed.gpu.global.max.s32",
                  "red.relaxed.gpu.global.min.u32", "red.relaxed.gpu.global.min.s32",
                  "red.relaxed.gpu.global.max.u32", "red.relaxed.gpu.global.min.s64",
                  "red.relaxed.gpu.global.max.u64", NULL);
    assert_int_equal(count_of(ptx, "@%p"), 7); /* with the guarded load */
    end(&w);
}

/* ---- shared memory ----------------------------------------------------------------------------- */

static void shared_memory_is_one_array(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_80", (struct lane_kernel){0});
    LLVMValueRef at = LLVMBuildMul(w.e.b, w.h->thread(&w.e), word(&w, 16), "");
    w.h->shared_store(&w.e, LLVMConstNull(words4(&w)), at, NULL, NULL);
    w.h->barrier(&w.e);
    LLVMValueRef v = w.h->shared_load(&w.e, words4(&w), at, guard(&w));
    struct lane_access to = access(&w, 1);
    w.h->store(&w.e, &to, v);
    const char *ptx = FINISH(&w);
    assert_pieces(ptx, ".extern .shared .align 128 .b8 ldsl_shared[]", "st.shared.v4.b32",
                  "bar.sync 0;", "@%p", " ld.shared.v4.b32", NULL);
    end(&w);
}

static void a_cluster_writes_to_its_peers(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_90", (struct lane_kernel){.cluster = 2});
    w.h->shared_store(&w.e, word(&w, 7), word(&w, 64), guard(&w), word(&w, 1));
    w.h->cluster_barrier(&w.e);
    struct lane_access to = access(&w, 1);
    to.type = i32(&w);
    w.h->store(&w.e, &to, w.h->shared_load(&w.e, i32(&w), word(&w, 64), NULL));
    assert_pieces(FINISH(&w), "mapa.shared::cluster.u32", "@%p", " st.shared::cluster.b32 [",
                  "barrier.cluster.arrive.aligned;", "barrier.cluster.wait.aligned;",
                  "ld.shared.b32", NULL);
    end(&w);
}

/* Bytes that arrive are counted; within a block, writers are. */
static void words_are_sent_behind_an_mbarrier(void **state)
{
    (void)state;
    for (uint32_t cluster = 1; cluster <= 2; cluster++) {
        struct world w = begin("nvptx:sm_90", (struct lane_kernel){.cluster = cluster});
        w.h->mbarrier_create(&w.e, word(&w, 0), 6, guard(&w));
        w.h->cluster_meet(&w.e);
        w.h->mbarrier_expect(&w.e, word(&w, 0), 96, guard(&w));
        w.h->send(&w.e, LLVMConstNull(words4(&w)), word(&w, 16), guard(&w), word(&w, 0),
                  word(&w, 0));
        w.h->mbarrier_await(&w.e, word(&w, 0), word(&w, 1));
        struct lane_access to = access(&w, 1);
        w.h->store(&w.e, &to, w.h->shared_load(&w.e, words4(&w), word(&w, 16), NULL));
        const char *ptx = FINISH(&w);
        if (cluster == 2)
            assert_pieces(ptx, "mbarrier.init.shared.b64", "fence.mbarrier_init.release.cluster;",
                          "mbarrier.arrive.expect_tx.shared.b64 _, [", "mapa.shared::cluster.u32",
                          "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [",
                          "mbarrier.try_wait.parity.shared.b64 p, [", "@!p bra again;",
                          "ld.shared.v4", NULL);
        else
            assert_pieces(ptx, "mbarrier.init.shared.b64", "st.shared.v4.b32 [",
                          "mbarrier.arrive.shared.b64 _, [",
                          "mbarrier.try_wait.parity.shared.b64 p, [", "ld.shared.v4", NULL);
        assert_int_equal(count_of(ptx, "expect_tx"), cluster - 1);
        end(&w);
    }
}

static void copies_do_not_wait(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_80", (struct lane_kernel){0});
    struct lane_access from = access(&w, 0);
    w.h->copy_async(&w.e, &from, word(&w, 0), 0, 16);
    from.guard = guard(&w);
    w.h->copy_async(&w.e, &from, word(&w, 0), 16, 4);
    w.h->copy_async(&w.e, &from, word(&w, 0), 32, 16);
    w.h->commit(&w.e);
    w.h->wait(&w.e, 1);
    from.valid = w.h->thread(&w.e);
    w.h->copy_async(&w.e, &from, word(&w, 16), 32, 8);
    const char *ptx = FINISH(&w);
    /* A guard, or the end of a row, is the size that is read. */
    assert_pieces(ptx, "cp.async.cg.shared.global [", "], 16;", "selp",
                  "cp.async.ca.shared.global [", "], 4, %r", "cp.async.cg.shared.global [",
                  "], 16, %r", "cp.async.commit_group;", "cp.async.wait_group 1;", "selp",
                  "cp.async.ca.shared.global [", "], 8, %r", NULL);
    assert_int_equal(count_of(ptx, "L2::cache_hint"), 0);
    end(&w);
}

/* Where a copy with a policy puts its bytes must be in a register of the thread's own (memory.c). */
static void copies_with_a_policy_have_addresses_of_their_own(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_90a", (struct lane_kernel){0});
    struct lane_access from = access(&w, 0);
    from.keep = true;
    LLVMValueRef place = w.h->thread(&w.e);
    w.h->copy_async(&w.e, &from, place, 0, 16);
    w.h->copy_async(&w.e, &from, place, 4096, 16);
    from.guard = guard(&w);
    w.h->copy_async(&w.e, &from, place, 8192, 4);
    const char *ptx = FINISH(&w);
    assert_int_equal(count_of(ptx, "createpolicy.fractional.L2::evict_last.b64"), 1);
    assert_int_equal(count_of(ptx, "%lanemask_ge"), 1);
    assert_pieces(ptx, "mad.lo.u32", "cp.async.cg.shared.global.L2::cache_hint [", "], 16, %rd",
                  "cp.async.cg.shared.global.L2::cache_hint [", "], 16, %rd",
                  "cp.async.ca.shared.global.L2::cache_hint [", "], 4, %r", NULL);
    /* One product for all places that differ by a constant. */
    assert_int_equal(count_of(ptx, "mad.lo.u32"), 1);
    end(&w);
}

/* ---- exchange and order ------------------------------------------------------------------------ */

static void warps_shuffle(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_80", (struct lane_kernel){0});
    LLVMValueRef v = w.h->thread(&w.e);
    v = w.h->shuffle_xor(&w.e, v, 16);
    v = w.h->shuffle_up(&w.e, v, 4);
    v = w.h->shuffle_from(&w.e, v, word(&w, 31));
    struct lane_access to = access(&w, 1);
    to.type = i32(&w);
    w.h->store(&w.e, &to, v);
    assert_pieces(FINISH(&w), "shfl.sync.bfly.b32", ", 16, 31, -1;", "shfl.sync.up.b32",
                  ", 4, 0, -1;", "shfl.sync.idx.b32", ", 31, 31, -1;", NULL);
    end(&w);
}

/* Reads of other kernels' results come after the wait, be they ever so constant. */
static void nothing_is_read_before_the_wait(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_90a", (struct lane_kernel){0});
    w.h->await_dependencies(&w.e);
    struct lane_access from = access(&w, 0), to = access(&w, 1);
    from.constant = true;
    from.guard = guard(&w);
    LLVMValueRef guarded = w.h->load(&w.e, &from);
    from.guard = NULL;
    LLVMValueRef plain = w.h->load(&w.e, &from);
    w.h->release_dependents(&w.e);
    w.h->store(&w.e, &to, LLVMBuildXor(w.e.b, guarded, plain, ""));
    const char *ptx = FINISH(&w);
    assert_pieces(ptx, "griddepcontrol.wait;", "ld.global.v4.b32", NULL);
    assert_pieces(ptx, "griddepcontrol.wait;", "ld.global.v4.u32", NULL);
    assert_pieces(ptx, "griddepcontrol.launch_dependents;", "st.global.v4", NULL);
    end(&w);
}

/* ---- arithmetic -------------------------------------------------------------------------------- */

static void functions_are_instructions(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_80", (struct lane_kernel){0});
    struct lane_access at = access(&w, 0);
    at.type = LLVMFloatTypeInContext(w.e.context);
    LLVMValueRef x = w.h->load(&w.e, &at);
    for (int f = LANE_EX2; f <= LANE_COS; f++)
        x = w.h->function(&w.e, (enum lane_function)f, x);
    x = w.h->divide(&w.e, x, LLVMConstReal(at.type, 3));
    w.h->store(&w.e, &at, x);
    assert_pieces(FINISH(&w), "ex2.approx.ftz.f32", "lg2.approx.f32", "rcp.approx.ftz.f32",
                  "rsqrt.approx.f32", "sqrt.approx.f32", "tanh.approx.f32", "sin.approx.f32",
                  "cos.approx.f32", "div.full.f32", NULL);
    end(&w);
}

static void two_floats_are_narrowed_at_once(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_80", (struct lane_kernel){0});
    struct lane_access at = access(&w, 0);
    at.type = LLVMFloatTypeInContext(w.e.context);
    LLVMValueRef low = w.h->load(&w.e, &at), high = LLVMBuildFNeg(w.e.b, low, "");
    at.type = i32(&w);
    w.h->store(&w.e, &at, w.h->narrow(&w.e, IR_BF16, low, high));
    at.address = slot(&w, 1);
    w.h->store(&w.e, &at, w.h->narrow(&w.e, IR_F16, low, high));
    /* The high half is the first operand. */
    assert_pieces(FINISH(&w), "neg.f32 \t%f1, %f4", "cvt.rn.bf16x2.f32 %r1, %f1, %f4",
                  "cvt.rn.f16x2.f32 %r2, %f1, %f4", NULL);
    end(&w);
}

static void what_is_computed_from_a_pin_is_computed_anew(void **state)
{
    (void)state;
    struct world w = begin("nvptx:sm_80", (struct lane_kernel){0});
    struct lane_access at = access(&w, 0);
    at.type = i32(&w);
    LLVMValueRef v = w.h->load(&w.e, &at), by = word(&w, 16);
    for (int i = 0; i < 3; i++) {
        at.address = slot(&w, 1);
        w.h->store(&w.e, &at, LLVMBuildShl(w.e.b, v, by, ""));
        v = w.h->pin(&w.e, v, i == 1);
    }
    const char *ptx = FINISH(&w);
    assert_int_equal(count_of(ptx, "shl.b32"), 3);
    end(&w);
}

/* ---- processors -------------------------------------------------------------------------------- */

static void processors_have_facts(void **state)
{
    (void)state;
    struct session s;
    struct target_machine m;
    static const struct ldsl_sink silent = {0};
    session_init(&s, &silent);
    assert_true(target_open(&s, "nvptx:sm_90a", &m));
    assert_int_equal(m.facts.lanes, 32);
    assert_int_equal(m.facts.shared_bytes, 232448);
    assert_int_equal(m.facts.cluster, 8);
    assert_true(m.facts.has_dependent_launch);
    target_close(&m);
    assert_true(target_open(&s, "nvptx:sm_86", &m));
    assert_int_equal(m.facts.shared_bytes, 101376);
    assert_int_equal(m.facts.cluster, 1);
    assert_false(m.facts.has_dependent_launch);
    target_close(&m);
    assert_false(target_open(&s, "nvptx", &m));
    assert_false(target_open(&s, "nvptx:native", &m));
    assert_false(target_open(&s, "nvptx:sm_75", &m));
    session_destroy(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kernel_says_how_it_is_launched),
        cmocka_unit_test(slots_are_64_bit_parameters),
        cmocka_unit_test(threads_know_their_place),
        cmocka_unit_test(plain_accesses_are_wide_and_have_no_hints),
        cmocka_unit_test(a_guard_is_a_predicate),
        cmocka_unit_test(guarded_accesses_of_all_widths),
        cmocka_unit_test(an_access_is_no_wider_than_its_address_allows),
        cmocka_unit_test(what_is_kept_has_a_policy_made_once),
        cmocka_unit_test(accesses_of_written_tensors_stay_in_order),
        cmocka_unit_test(sums_in_memory_are_one_instruction),
        cmocka_unit_test(extremes_of_floats_are_those_of_integers),
        cmocka_unit_test(shared_memory_is_one_array),
        cmocka_unit_test(a_cluster_writes_to_its_peers),
        cmocka_unit_test(words_are_sent_behind_an_mbarrier),
        cmocka_unit_test(copies_do_not_wait),
        cmocka_unit_test(copies_with_a_policy_have_addresses_of_their_own),
        cmocka_unit_test(warps_shuffle),
        cmocka_unit_test(nothing_is_read_before_the_wait),
        cmocka_unit_test(functions_are_instructions),
        cmocka_unit_test(two_floats_are_narrowed_at_once),
        cmocka_unit_test(what_is_computed_from_a_pin_is_computed_anew),
        cmocka_unit_test(processors_have_facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
