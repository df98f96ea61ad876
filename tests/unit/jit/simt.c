/* The emulator: right kernels give right results, and each kind of wrong one is told with its line. */
#include "simt_kernel.h"

/* ---- right kernels ----------------------------------------------------------------------------- */

static void sum_of_warp(struct kernel *k)
{
    LLVMValueRef i = whole_index(k, 64), v = load(k, X, i);
    for (uint32_t mask = 16; mask; mask /= 2)
        v = add(k, v, k->h->shuffle_xor(&k->e, v, mask));
    store(k, Y, i, v);
}

static void test_shuffles(void **state)
{
    struct outcome *o = *state;
    run(o, &(struct shape){sum_of_warp, .threads = 64, .cluster = 1, .programs = 5, .n = 320});
    assert_string_equal(o->text, "");
    for (int32_t i = 0; i < 320; i++)
        assert_int_equal(o->y[i], i / 32 * 32 * 32 + 31 * 16);
}

static void scan_and_broadcast(struct kernel *k)
{
    LLVMValueRef up = k->h->shuffle_up(&k->e, k->thread, 3);
    store(k, M, k->thread, k->h->shuffle_from(&k->e, k->thread, word(k, 7)));
    store(k, Y, k->thread, up);
}

static void test_up_and_from(void **state)
{
    struct outcome *o = *state;
    run(o,
        &(struct shape){scan_and_broadcast, .threads = 64, .cluster = 1, .programs = 1, .n = 64});
    assert_string_equal(o->text, "");
    for (int32_t i = 0; i < 64; i++) {
        assert_int_equal(o->y[i], i % 32 < 3 ? i : i - 3);
        assert_int_equal(o->m[i], i / 32 * 32 + 7);
    }
}

static LLVMValueRef mirrored(struct kernel *k, uint32_t threads)
{
    return LLVMBuildSub(k->e.b, word(k, threads - 1), k->thread, "");
}

/* barriers: which of the two there are. */
static void reverse(struct kernel *k, unsigned barriers)
{
    LLVMValueRef i = whole_index(k, 96);
    at_line(k, 3);
    store_shared(k, k->thread, load(k, X, i));
    at_line(k, 4);
    if (barriers & 1)
        k->h->barrier(&k->e);
    at_line(k, 5);
    LLVMValueRef v = load_shared(k, mirrored(k, 96));
    at_line(k, 6);
    if (barriers & 2)
        k->h->barrier(&k->e);
    at_line(k, 7);
    store_shared(k, k->thread, v);
    store(k, Y, i, v);
}

static void reverse_right(struct kernel *k)
{
    reverse(k, 3);
}

#define REVERSE(with)                                                                              \
    {                                                                                              \
        .body = with, .threads = 96, .cluster = 1, .shared_bytes = 384, .programs = 9, .n = 864    \
    }

static void test_shared_memory(void **state)
{
    struct outcome *o = *state;
    run(o, &(struct shape)REVERSE(reverse_right));
    assert_string_equal(o->text, "");
    for (int32_t i = 0; i < 864; i++)
        assert_int_equal(o->y[i], i / 96 * 96 + 95 - i % 96);
}

static void count_all(struct kernel *k)
{
    struct lane_access a = element(k, M, word(k, 5), NULL);
    assert_true(k->h->atomic(&k->e, &a, IR_KIND_SUM, IR_I32, word(k, 2)));
}

/* m[5 + i]: kind i, of what was there and every thread's value. */
static void combine_kinds(struct kernel *k)
{
    static const enum ir_kind kinds[] = {IR_KIND_MAX, IR_KIND_MIN, IR_KIND_ANY, IR_KIND_ALL};
    LLVMValueRef values[] = {k->thread, k->thread, add(k, k->thread, k->thread), word(k, 6)};
    for (uint32_t i = 0; i < 4; i++) {
        struct lane_access a = element(k, M, word(k, 5 + i), NULL);
        assert_true(k->h->atomic(&k->e, &a, kinds[i], IR_I32, values[i]));
    }
}

static void test_kinds_of_atomics(void **state)
{
    struct outcome *o = *state;
    run(o, &(struct shape){combine_kinds, .threads = 32, .cluster = 1, .programs = 3, .n = 16});
    assert_string_equal(o->text, "");
    assert_int_equal(o->m[5], 31);
    assert_int_equal(o->m[6], 0);
    assert_int_equal(o->m[7], 7 | 62);
    assert_int_equal(o->m[8], 8 & 6);
}

static void test_atomics(void **state)
{
    struct outcome *o = *state;
    run(o, &(struct shape){count_all, .threads = 32, .cluster = 1, .programs = 100, .n = 8});
    assert_string_equal(o->text, "");
    assert_int_equal(o->m[5], 5 + 2 * 3200);
}

/* Each block sends its threads' numbers to the next one's shared memory. */
static void ring(struct kernel *k, bool first, bool last)
{
    LLVMValueRef rank = k->h->rank(&k->e);
    LLVMValueRef next = LLVMBuildURem(k->e.b, add(k, rank, word(k, 1)), word(k, 4), "");
    LLVMValueRef mine = add(k, times(k, rank, 32), k->thread);
    at_line(k, 10);
    if (first)
        k->h->cluster_barrier(&k->e);
    at_line(k, 11);
    k->h->shared_store(&k->e, mine, times(k, k->thread, 4), NULL, next);
    at_line(k, 12);
    if (last)
        k->h->cluster_barrier(&k->e);
    else
        k->h->barrier(&k->e);
    at_line(k, 13);
    store(k, Y,
          add(k, times(k, mine, 1),
              LLVMBuildTrunc(k->e.b, times(k, k->h->block(&k->e), 128), k->i32, "")),
          load_shared(k, k->thread));
}

static void ring_right(struct kernel *k)
{
    ring(k, true, true);
}

#define RING(with)                                                                                 \
    {                                                                                              \
        .body = with, .threads = 32, .cluster = 4, .shared_bytes = 128, .programs = 3, .n = 384    \
    }

static void test_clusters(void **state)
{
    struct outcome *o = *state;
    run(o, &(struct shape)RING(ring_right));
    assert_string_equal(o->text, "");
    for (int32_t i = 0; i < 384; i++)
        assert_int_equal(o->y[i], (i % 128 + 96) % 128);
}

/* Each block sends its threads' numbers to the next one's shared memory, behind an mbarrier. */
struct sending {
    bool created, met, expected, awaited;
    uint32_t bytes, parity;
};

static void sent_ring(struct kernel *k, const struct sending *s)
{
    LLVMValueRef rank = k->h->rank(&k->e), first = below(k, k->thread, 1);
    LLVMValueRef next = LLVMBuildURem(k->e.b, add(k, rank, word(k, 1)), word(k, 4), "");
    LLVMValueRef mine = add(k, times(k, rank, 32), k->thread);
    at_line(k, 24);
    if (s->created)
        k->h->mbarrier_create(&k->e, word(k, 0), 32, first);
    if (s->met)
        k->h->cluster_meet(&k->e);
    at_line(k, 25);
    if (s->expected)
        k->h->mbarrier_expect(&k->e, word(k, 0), s->bytes, first);
    at_line(k, 26);
    k->h->send(&k->e, mine, add(k, times(k, k->thread, 4), word(k, 16)), NULL, next, word(k, 0));
    at_line(k, 27);
    if (s->awaited)
        k->h->mbarrier_await(&k->e, word(k, 0), word(k, s->parity));
    at_line(k, 28);
    LLVMValueRef program = LLVMBuildTrunc(k->e.b, k->h->block(&k->e), k->i32, "");
    store(k, Y, add(k, mine, times(k, program, 128)),
          load_shared(k, add(k, mirrored(k, 32), word(k, 4))));
}

static void sent(struct kernel *k)
{
    sent_ring(k, &(struct sending){true, true, true, true, 128, 0});
}

#define SENT(with)                                                                                 \
    {                                                                                              \
        .body = with, .threads = 32, .cluster = 4, .shared_bytes = 144, .programs = 3, .n = 384    \
    }

static void test_sends(void **state)
{
    struct outcome *o = *state;
    run(o, &(struct shape)SENT(sent));
    assert_string_equal(o->text, "");
    for (int32_t i = 0; i < 384; i++)
        assert_int_equal(o->y[i], (i % 128 / 32 + 3) % 4 * 32 + 31 - i % 32);
}

static void copy_row(struct kernel *k, bool waits, bool changes)
{
    struct lane_access from = element(k, M, k->thread, below(k, k->thread, 20));
    at_line(k, 20);
    k->h->copy_async(&k->e, &from, times(k, k->thread, 4), 0, 4);
    k->h->commit(&k->e);
    if (changes) {
        LLVMBasicBlockRef after = begin_if(k, below(k, k->thread, 1));
        store(k, M, word(k, 0), word(k, 77));
        end_if(k, after);
    }
    if (waits)
        k->h->wait(&k->e, 0);
    k->h->barrier(&k->e);
    at_line(k, 21);
    LLVMValueRef from_there = mirrored(k, 32), v = load_shared(k, from_there);
    struct lane_access to = element(k, Y, k->thread, below(k, from_there, 20));
    k->h->store(&k->e, &to, v);
}

static void copy_right(struct kernel *k)
{
    copy_row(k, true, false);
}

#define COPY(with)                                                                                 \
    {                                                                                              \
        .body = with, .threads = 32, .cluster = 1, .shared_bytes = 128, .programs = 1, .n = 32     \
    }

static void test_copies(void **state)
{
    struct outcome *o = *state;
    run(o, &(struct shape)COPY(copy_right));
    assert_string_equal(o->text, "");
    for (int32_t i = 0; i < 32; i++)
        assert_int_equal(o->y[i], 31 - i < 20 ? 31 - i : -1);
}

static void guarded(struct kernel *k)
{
    LLVMValueRef inside = below(k, k->thread, 20);
    struct lane_access from = element(k, X, k->thread, inside),
                       to = element(k, Y, k->thread, inside);
    LLVMValueRef v = k->h->load(&k->e, &from);
    k->h->store(&k->e, &to, v);
    store(k, M, k->thread, LLVMBuildSelect(k->e.b, inside, v, word(k, 0), ""));
}

static void guarded_strictly(struct kernel *k)
{
    LLVMValueRef inside = below(k, k->thread, 20);
    struct lane_access from = element(k, X, k->thread, inside),
                       to = element(k, Y, k->thread, inside);
    at_line(k, 8);
    LLVMValueRef v = k->h->load(&k->e, &from);
    at_line(k, 9);
    k->h->store(&k->e, &to, v);
}

static void test_guards(void **state)
{
    struct outcome *o = *state;
    run(o, &(struct shape){guarded, .threads = 32, .cluster = 1, .programs = 1, .n = 32});
    assert_string_equal(o->text, "");
    for (int32_t i = 0; i < 32; i++) {
        assert_int_equal(o->y[i], i < 20 ? i : -1);
        assert_int_equal(o->m[i], i < 20 ? i : 0);
    }
}

/* ---- wrong kernels ----------------------------------------------------------------------------- */

static void reverse_unordered(struct kernel *k)
{
    reverse(k, 2);
}

static void reverse_too_early(struct kernel *k)
{
    reverse(k, 1);
}

static void reads_lower(struct kernel *k)
{
    at_line(k, 4);
    store_shared(k, k->thread, k->thread);
    at_line(k, 5);
    store(k, M, whole_index(k, 96),
          load_shared(k, LLVMBuildLShr(k->e.b, k->thread, word(k, 1), "")));
}

static void ring_unstarted(struct kernel *k)
{
    ring(k, false, true);
}

static void ring_unordered(struct kernel *k)
{
    ring(k, true, false);
}

static void ring_ends_early(struct kernel *k)
{
    LLVMValueRef rank = k->h->rank(&k->e);
    LLVMValueRef next = LLVMBuildURem(k->e.b, add(k, rank, word(k, 1)), word(k, 4), "");
    k->h->cluster_barrier(&k->e);
    k->h->shared_store(&k->e, rank, times(k, k->thread, 4), NULL, next);
}

static void sent_nowhere(struct kernel *k)
{
    sent_ring(k, &(struct sending){false, true, true, true, 128, 0});
}

static void sent_before_start(struct kernel *k)
{
    sent_ring(k, &(struct sending){true, false, true, true, 128, 0});
}

static void sent_unexpected(struct kernel *k)
{
    sent_ring(k, &(struct sending){true, true, false, true, 128, 0});
}

static void sent_too_little(struct kernel *k)
{
    sent_ring(k, &(struct sending){true, true, true, true, 132, 0});
}

static void sent_too_much(struct kernel *k)
{
    sent_ring(k, &(struct sending){true, true, true, true, 124, 0});
}

static void sent_unawaited(struct kernel *k)
{
    sent_ring(k, &(struct sending){true, true, true, false, 128, 0});
}

static void sent_other_parity(struct kernel *k)
{
    sent_ring(k, &(struct sending){true, true, true, true, 128, 1});
}

/* With one copy a fast block may send for the next round before a slow one has read. */
static void sent_again(struct kernel *k)
{
    LLVMValueRef first = below(k, k->thread, 1), rank = k->h->rank(&k->e);
    k->h->mbarrier_create(&k->e, word(k, 0), 64, first);
    k->h->cluster_meet(&k->e);
    for (uint32_t round = 0; round < 2; round++) {
        at_line(k, 24 + 4 * round);
        k->h->mbarrier_expect(&k->e, word(k, 0), 256, first);
        for (uint32_t to = 0; to < 2; to++) {
            LLVMValueRef at = add(k, times(k, rank, 128), times(k, k->thread, 4));
            k->h->send(&k->e, word(k, round), add(k, at, word(k, 16)), NULL, word(k, to),
                       word(k, 0));
        }
        k->h->mbarrier_await(&k->e, word(k, 0), word(k, round));
        at_line(k, 25 + 4 * round);
        store(k, Y, add(k, times(k, rank, 32), k->thread),
              load_shared(k, add(k, mirrored(k, 32), word(k, 4))));
    }
}

static void copy_unwaited(struct kernel *k)
{
    copy_row(k, false, false);
}

static void copy_changed(struct kernel *k)
{
    copy_row(k, true, true);
}

static void barrier_of_some(struct kernel *k)
{
    LLVMBasicBlockRef after = begin_if(k, below(k, k->thread, 40));
    at_line(k, 5);
    k->h->barrier(&k->e);
    end_if(k, after);
}

static void barriers_apart(struct kernel *k)
{
    LLVMBasicBlockRef no = new_block(k), yes = new_block(k), after = new_block(k);
    LLVMBuildCondBr(k->e.b, below(k, k->thread, 40), yes, no);
    LLVMPositionBuilderAtEnd(k->e.b, yes);
    at_line(k, 5);
    k->h->barrier(&k->e);
    LLVMBuildBr(k->e.b, after);
    LLVMPositionBuilderAtEnd(k->e.b, no);
    at_line(k, 6);
    k->h->barrier(&k->e);
    end_if(k, after);
}

static void shuffle_of_some(struct kernel *k)
{
    LLVMBasicBlockRef after = begin_if(k, below(k, k->thread, 40));
    at_line(k, 5);
    store(k, Y, k->thread, k->h->shuffle_xor(&k->e, k->thread, 1));
    end_if(k, after);
}

static void writes_outside(struct kernel *k)
{
    at_line(k, 2);
    store(k, Y, k->thread, k->thread);
}

static void reads_outside(struct kernel *k)
{
    at_line(k, 2);
    LLVMValueRef v = load(k, X, k->thread);
    struct lane_access to = element(k, Y, k->thread, below(k, k->thread, 10));
    k->h->store(&k->e, &to, v);
}

static void reads_unaligned(struct kernel *k)
{
    struct lane_access a = element(k, X, k->thread, below(k, k->thread, 16));
    at_line(k, 2);
    a.type = LLVMVectorType(k->i32, 4);
    LLVMValueRef v = k->h->load(&k->e, &a);
    store(k, Y, k->thread, LLVMBuildExtractElement(k->e.b, v, word(k, 0), ""));
}

static void same_in_all_programs(struct kernel *k)
{
    at_line(k, 2);
    store(k, Y, k->thread, k->thread);
}

static void reads_neighbour(struct kernel *k)
{
    LLVMValueRef i = whole_index(k, 32);
    at_line(k, 2);
    LLVMValueRef v = load(k, M, LLVMBuildXor(k->e.b, i, word(k, 32), ""));
    at_line(k, 3);
    store(k, M, i, v);
}

static void reads_output(struct kernel *k)
{
    at_line(k, 2);
    store(k, M, k->thread, load(k, Y, k->thread));
}

static void writes_threads(struct kernel *k)
{
    at_line(k, 2);
    store(k, Y, k->thread, k->thread);
}

static void reads_nothing(struct kernel *k)
{
    at_line(k, 2);
    store(k, Y, k->thread, load_shared(k, k->thread));
}

static void exchange_by_tensor(struct kernel *k, bool barrier)
{
    at_line(k, 2);
    store(k, M, k->thread, k->thread);
    if (barrier)
        k->h->barrier(&k->e);
    at_line(k, 3);
    store(k, Y, k->thread, load(k, M, mirrored(k, 64)));
}

static void tensor_unordered(struct kernel *k)
{
    exchange_by_tensor(k, false);
}

static void tensor_ordered(struct kernel *k)
{
    exchange_by_tensor(k, true);
}

static void one_element(struct kernel *k)
{
    struct lane_access a = element(k, Y, word(k, 0), NULL);
    at_line(k, 2);
    k->h->store(&k->e, &a, word(k, 4));
}

static void awaits(struct kernel *k)
{
    k->h->await_dependencies(&k->e);
    store(k, Y, k->thread, k->thread);
}

static void too_early(struct kernel *k)
{
    at_line(k, 2);
    store(k, Y, k->thread, load(k, X, k->thread));
    k->h->await_dependencies(&k->e);
}

static void never_waits(struct kernel *k)
{
    (void)k;
}

static void releases_early(struct kernel *k)
{
    k->h->release_dependents(&k->e);
    k->h->await_dependencies(&k->e);
}

static void asserts(struct kernel *k)
{
    at_line(k, 2);
    k->h->check(&k->e, below(k, k->thread, 20), "there are twenty");
}

/* x[thread] for the first twenty threads; the registers of the others hold nothing. */
static LLVMValueRef load_twenty(struct kernel *k)
{
    struct lane_access from = element(k, X, k->thread, below(k, k->thread, 20));
    return k->h->load(&k->e, &from);
}

static void writes_nothing(struct kernel *k)
{
    LLVMValueRef v = load_twenty(k);
    at_line(k, 2);
    store(k, Y, k->thread, times(k, v, 3));
}

static void sums_nothing(struct kernel *k)
{
    LLVMValueRef v = load_twenty(k);
    for (uint32_t mask = 16; mask; mask /= 2)
        v = add(k, v, k->h->shuffle_xor(&k->e, v, mask));
    at_line(k, 2);
    store(k, Y, k->thread, v);
}

/* The same with what the sum needs. */
static void sums_twenty(struct kernel *k)
{
    LLVMValueRef v = load_twenty(k);
    v = LLVMBuildSelect(k->e.b, below(k, k->thread, 20), v, word(k, 0), "");
    for (uint32_t mask = 16; mask; mask /= 2)
        v = add(k, v, k->h->shuffle_xor(&k->e, v, mask));
    store(k, Y, k->thread, v);
}

static void shares_nothing(struct kernel *k)
{
    store_shared(k, k->thread, load_twenty(k));
    k->h->barrier(&k->e);
    at_line(k, 2);
    store(k, Y, k->thread, load_shared(k, mirrored(k, 32)));
}

static void copies_nothing(struct kernel *k)
{
    struct lane_access from = element(k, X, k->thread, below(k, k->thread, 20));
    k->h->copy_async(&k->e, &from, times(k, k->thread, 4), 0, 4);
    k->h->commit(&k->e);
    k->h->wait(&k->e, 0);
    at_line(k, 2);
    store(k, Y, k->thread, load_shared(k, k->thread));
}

static void adds_nothing(struct kernel *k)
{
    struct lane_access a = element(k, M, word(k, 0), NULL);
    LLVMValueRef v = load_twenty(k);
    at_line(k, 2);
    assert_true(k->h->atomic(&k->e, &a, IR_KIND_SUM, IR_I32, v));
}

static void branches_on_nothing(struct kernel *k)
{
    LLVMBasicBlockRef after = begin_if(k, below(k, load_twenty(k), 5));
    store(k, Y, k->thread, k->thread);
    end_if(k, after);
}

static void gathers_by_nothing(struct kernel *k)
{
    LLVMValueRef at = load_twenty(k);
    at_line(k, 2);
    store(k, Y, k->thread, load(k, X, at));
}

static void guards_by_nothing(struct kernel *k)
{
    struct lane_access to = element(k, Y, k->thread, below(k, load_twenty(k), 5));
    at_line(k, 2);
    k->h->store(&k->e, &to, k->thread);
}

/* A gather that takes place only where its subscript holds something, known by an `and`. */
static void gathers_twenty(struct kernel *k)
{
    LLVMValueRef at = load_twenty(k), inside = below(k, k->thread, 20);
    inside = LLVMBuildAnd(k->e.b, inside, below(k, at, 10), "");
    struct lane_access from = element(k, X, at, inside), to = element(k, Y, k->thread, inside);
    k->h->store(&k->e, &to, k->h->load(&k->e, &from));
}

static void asserts_nothing(struct kernel *k)
{
    LLVMValueRef v = load_twenty(k);
    at_line(k, 2);
    k->h->check(&k->e, below(k, v, 20), "few");
}

/* Pairs of which the first element exists. y gets the `which`-th, by way of a word's halves. */
static void writes_of_pair(struct kernel *k, uint32_t which)
{
    struct lane_access a = element(k, X, times(k, k->thread, 2), NULL);
    a.type = LLVMVectorType(k->i32, 2);
    a.exists = word(k, 1);
    LLVMValueRef v = k->h->load(&k->e, &a);
    LLVMValueRef low = LLVMBuildExtractElement(k->e.b, v, word(k, 0), "");
    LLVMValueRef high = LLVMBuildExtractElement(k->e.b, v, word(k, 1), "");
    LLVMValueRef both = LLVMBuildOr(k->e.b, LLVMBuildShl(k->e.b, high, word(k, 16), ""), low, "");
    both = k->h->pin(&k->e, both, false);
    at_line(k, 2);
    store(k, Y, k->thread,
          which ? LLVMBuildLShr(k->e.b, both, word(k, 16), "")
                : LLVMBuildAnd(k->e.b, both, word(k, 0xffff), ""));
}

static void writes_first(struct kernel *k)
{
    writes_of_pair(k, 0);
}

static void writes_second(struct kernel *k)
{
    writes_of_pair(k, 1);
}

/* A loop that sets its variable in the first round, or never. */
static void reads_unwritten(struct kernel *k, uint32_t first)
{
    LLVMBuilderRef b = k->e.b;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(b), head = new_block(k), after = new_block(k);
    LLVMPositionBuilderBefore(b, LLVMGetFirstInstruction(LLVMGetEntryBasicBlock(k->e.entry)));
    LLVMValueRef slot = LLVMBuildAlloca(b, k->i32, "");
    LLVMPositionBuilderAtEnd(b, here);
    if (first)
        LLVMBuildStore(b, k->thread, slot);
    LLVMBuildBr(b, head);
    LLVMPositionBuilderAtEnd(b, head);
    LLVMValueRef round = LLVMBuildPhi(b, k->i32, ""), zero = word(k, 0);
    LLVMValueRef old = LLVMBuildLoad2(b, k->i32, slot, ""), next = add(k, round, word(k, 1));
    LLVMBuildStore(b, add(k, old, round), slot);
    LLVMAddIncoming(round, &zero, &here, 1);
    LLVMAddIncoming(round, &next, &head, 1);
    LLVMBuildCondBr(b, below(k, next, 4), head, after);
    LLVMPositionBuilderAtEnd(b, after);
    at_line(k, 2);
    store(k, Y, k->thread, LLVMBuildLoad2(b, k->i32, slot, ""));
}

static void reads_written(struct kernel *k)
{
    reads_unwritten(k, 1);
}

static void reads_never_written(struct kernel *k)
{
    reads_unwritten(k, 0);
}

#define PLAIN(with, t, p, count)                                                                   \
    {                                                                                              \
        .body = with, .threads = t, .cluster = 1, .programs = p, .n = count                        \
    }

/* clang-format off */
static const struct wrong {
    const char *name;
    struct shape shape;
    uint32_t line;
    const char *text;
} wrongs[] = {
    {"no barrier before the read", REVERSE(reverse_unordered), 5, "thread 0 reads byte 380 of shared memory, which has not been written"},
    {"no barrier before a later thread's read", REVERSE(reads_lower), 5, "race: thread 1 reads byte 0 of shared memory, and thread 0 touched it"},
    {"no barrier before the write", REVERSE(reverse_too_early), 5, "race: thread 48 reads byte 188 of shared memory, and thread 47"},
    {"a write into a block not started", RING(ring_unstarted), 11, "may not have started"},
    {"a block's barrier for a cluster's", RING(ring_unordered), 13, "race"},
    {"the end of a block written to", RING(ring_ends_early), 0, "ends though other blocks"},
    {"words sent to no mbarrier", SENT(sent_nowhere), 25, "meets no mbarrier at byte 0"},
    {"words sent into a block not started", SENT(sent_before_start), 26, "may not have started"},
    {"words that nobody expects", SENT(sent_unexpected), 27, "nobody has said how many"},
    {"fewer words than expected", SENT(sent_too_little), 27, "awaits 4 bytes that nobody sends"},
    {"more words than expected", SENT(sent_too_much), 25, "bytes more were sent than"},
    {"words read before they came", SENT(sent_unawaited), 28, "has not been written"},
    {"the wait for another phase", SENT(sent_other_parity), 27,
     "waits at an mbarrier, but thread 0 of block 0 has ended"},
    {"words sent over others", {.body = sent_again, .threads = 32, .cluster = 2, .shared_bytes = 272, .programs = 1, .n = 64}, 28, "race"},
    {"a copy read before it arrived", COPY(copy_unwaited), 21, "on its way"},
    {"a copy's source written", COPY(copy_changed), 20, "copies bytes of m that changed"},
    {"a barrier for some", PLAIN(barrier_of_some, 64, 1, 64), 5, "thread 40 has ended"},
    {"two barriers at once", PLAIN(barriers_apart, 64, 1, 64), 5, "thread 40 waits at a barrier of line 6"},
    {"a shuffle of some", PLAIN(shuffle_of_some, 64, 1, 64), 5, "thread 32 waits at a shuffle, but thread 40 has ended"},
    {"a write past the end", PLAIN(writes_outside, 32, 1, 31), 2, "thread 31 writes y outside the tensor: byte 124 of 124"},
    {"a read past the end", PLAIN(reads_outside, 32, 1, 31), 2, "thread 31 reads x outside the tensor"},
    {"a vector not aligned", PLAIN(reads_unaligned, 32, 1, 64), 2, "not a multiple of 16"},
    {"two programs write", PLAIN(same_in_all_programs, 32, 2, 32), 2, "y[0] belongs to two programs"},
    {"a program reads what another writes", PLAIN(reads_neighbour, 32, 2, 64), 0, "belongs to two programs"},
    {"an output not written whole", {.body = writes_threads, .threads = 32, .cluster = 1, .programs = 1, .n = 34, .output = true}, 0, "y[32] is never written"},
    {"an output read first", {.body = reads_output, .threads = 32, .cluster = 1, .programs = 1, .n = 32, .output = true}, 2, "y[0] is read by thread 0 but has not been written"},
    {"shared memory read first", {.body = reads_nothing, .threads = 32, .cluster = 1, .shared_bytes = 128, .programs = 1, .n = 32}, 2, "byte 0 of shared memory, which has not been written"},
    {"shared memory there is not", {.body = reads_nothing, .threads = 32, .cluster = 1, .shared_bytes = 64, .programs = 1, .n = 32}, 2, "of shared memory"},
    {"no barrier between accesses of a tensor", PLAIN(tensor_unordered, 64, 1, 64), 2, "race: thread 32 writes m[32], and thread 31 touched it"},
    {"one place written by all", PLAIN(one_element, 32, 1, 8), 2, "race: thread 1 writes y[0]"},
    {"a read before the kernels before have ended", {.body = too_early, .threads = 32, .cluster = 1, .programs = 1, .n = 32, .dependent = true}, 2, "before it has waited"},
    {"an end before the kernels before have ended", {.body = never_waits, .threads = 32, .cluster = 1, .programs = 1, .n = 32, .dependent = true}, 0, "thread 0 ends before it has waited"},
    {"the next kernel let go before the one before has ended", {.body = releases_early, .threads = 32, .cluster = 1, .programs = 1, .n = 32, .dependent = true}, 0, "thread 0 lets the next kernel start before it has waited"},
    {"a value that was not loaded", PLAIN(writes_nothing, 32, 1, 32), 2, "what thread 20 writes to y[20] depends on a register that holds nothing"},
    {"one handed on by shuffles", PLAIN(sums_nothing, 32, 1, 32), 2, "what thread 0 writes to y[0] depends"},
    {"one handed on by shared memory", {.body = shares_nothing, .threads = 32, .cluster = 1, .shared_bytes = 128, .programs = 1, .n = 32}, 2, "what thread 0 writes to y[0] depends"},
    {"a copy that did not take place", {.body = copies_nothing, .threads = 32, .cluster = 1, .shared_bytes = 128, .programs = 1, .n = 32}, 2, "what thread 20 writes to y[20] depends"},
    {"nothing added to memory", PLAIN(adds_nothing, 32, 1, 32), 2, "what thread 20 writes to m[0] depends"},
    {"a branch on nothing", PLAIN(branches_on_nothing, 32, 1, 32), 0, "a branch of thread 20 depends"},
    {"a place that nothing says", PLAIN(gathers_by_nothing, 32, 1, 32), 2, "where thread 20 meets x depends"},
    {"a guard of nothing", PLAIN(guards_by_nothing, 32, 1, 32), 2, "whether thread 20 meets y depends"},
    {"an assertion about nothing", PLAIN(asserts_nothing, 32, 1, 32), 2, "an assertion of thread 20 depends"},
    {"the half of a word that is nothing", PLAIN(writes_second, 32, 1, 64), 2, "what thread 0 writes to y[0] depends"},
    {"a register never written", PLAIN(reads_never_written, 32, 1, 32), 2, "what thread 0 writes to y[0] depends"},
    {"an assertion", PLAIN(asserts, 32, 1, 8), 2, "assertion failed: there are twenty (thread 20)"},
};

/* clang-format on */

static void test_wrong(void **state)
{
    struct outcome *o = *state;
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        const struct wrong *w = &wrongs[i];
        run(o, &w->shape);
        if (o->status != LDSL_DEVICE || !strstr(o->text, w->text) ||
            (w->line && o->line != w->line))
            fail_msg("%s: status %d, line %u: %s", w->name, o->status, o->line, o->text);
        assert_string_equal(o->path, w->line ? "by_hand.ldsl" : o->path);
    }
}

static void test_right(void **state)
{
    /* clang-format off */
    static const struct shape rights[] = {
        PLAIN(tensor_ordered, 64, 1, 64),
        {.body = awaits, .threads = 32, .cluster = 1, .programs = 1, .n = 32, .dependent = true},
        PLAIN(guarded_strictly, 32, 1, 20),
        PLAIN(sums_twenty, 32, 1, 32),
        PLAIN(gathers_twenty, 32, 1, 32),
        PLAIN(writes_first, 32, 1, 64),
        PLAIN(reads_written, 32, 1, 32)
    };
    /* clang-format on */
    struct outcome *o = *state;
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
        run(o, &rights[i]);
        assert_string_equal(o->text, "");
    }
}

/* ---- faults: the emulator's own errors, for tests of tests -------------------------------------- */

static void test_faults(void **state)
{
    /* clang-format off */
    static const struct fault {
        const char *target;
        struct shape shape;
        const char *text; /* NULL: only the result is wrong */
    } faults[] = {
        {"simt:sm_90a,barrier=0", REVERSE(reverse_right), "not been written"},
        {"simt:sm_90a,barrier=1", REVERSE(reverse_right), "race"},
        {"simt:sm_90a,barrier=2", REVERSE(reverse_right), ""},
        {"simt:sm_90a,barrier=0", RING(ring_right), "started"},
        {"simt:sm_90a,barrier=1", RING(ring_right), ""},
        {"simt:sm_90a,guard=0", PLAIN(guarded_strictly, 32, 1, 20), "reads x outside"},
        {"simt:sm_90a,guard=1", PLAIN(guarded_strictly, 32, 1, 20), "writes y outside"},
        {"simt:sm_90a,select=0", PLAIN(sums_twenty, 32, 1, 32), "holds nothing"},
        {"simt:sm_90a,commit=0", COPY(copy_right), "on its way"},
        {"simt:sm_90a,wait=0", COPY(copy_right), "on its way"},
        {"simt:sm_90a,digit=4", REVERSE(reverse_right), ""},
    };
    /* clang-format on */
    struct outcome *o = *state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct shape shape = faults[i].shape;
        shape.target = faults[i].target;
        run(o, &shape);
        bool harmless = strcmp(faults[i].target, "simt:sm_90a,barrier=2") == 0;
        assert_int_equal(o->status, harmless ? LDSL_OK : LDSL_DEVICE);
        if (!strstr(o->text, faults[i].text))
            fail_msg("%s: %s", faults[i].target, o->text);
    }
    struct shape shape = {sum_of_warp, "simt:sm_90a,shuffle=3", 64, 1, 0, 5, 320, false, false};
    run(o, &shape);
    assert_int_not_equal(o->y[0], 31 * 16);
}

int main(void)
{
    static struct outcome outcome;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_shuffles, &outcome),
        cmocka_unit_test_prestate(test_up_and_from, &outcome),
        cmocka_unit_test_prestate(test_shared_memory, &outcome),
        cmocka_unit_test_prestate(test_atomics, &outcome),
        cmocka_unit_test_prestate(test_kinds_of_atomics, &outcome),
        cmocka_unit_test_prestate(test_clusters, &outcome),
        cmocka_unit_test_prestate(test_sends, &outcome),
        cmocka_unit_test_prestate(test_copies, &outcome),
        cmocka_unit_test_prestate(test_guards, &outcome),
        cmocka_unit_test_prestate(test_right, &outcome),
        cmocka_unit_test_prestate(test_wrong, &outcome),
        cmocka_unit_test_prestate(test_faults, &outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
