/* Running the threads of a program, and where they wait for each other: warps at shuffles, blocks and
 * clusters at barriers. Threads run one at a time, each until it waits or ends. */
#include "simt/machine.h"

#include <setjmp.h>
#include <stdlib.h>

#define FRAME_ALIGNMENT 64

/* ---- calls ------------------------------------------------------------------------------------- */

/* The first thread's wish sizes the frames of all. */
static void *frame(struct ldsl_simt_thread *given, uint64_t bytes)
{
    struct thread *t = thread_of(given);
    struct machine *m = t->m;
    bytes = (bytes + FRAME_ALIGNMENT - 1) / FRAME_ALIGNMENT * FRAME_ALIGNMENT;
    if (bytes > m->frame_bytes) {
        free(m->frames);
        m->frame_bytes = bytes;
        m->frames = aligned_alloc(FRAME_ALIGNMENT, bytes * m->block_threads * m->cluster);
    }
    if (!m->frames) {
        m->frame_bytes = 0;
        longjmp(*m->no_memory, 1);
    }
    return t->frame = m->frames + touch_name(t) * m->frame_bytes;
}

static void shuffle(struct ldsl_simt_thread *given, const struct ldsl_simt_site *site, uint32_t by)
{
    struct thread *t = thread_of(given);
    poison_check(t, site, "the lane that a shuffle");
    t->state = SIMT_SHUFFLES;
    t->site = site;
    t->by = by;
}

static void barrier(struct ldsl_simt_thread *given, const struct ldsl_simt_site *site)
{
    struct thread *t = thread_of(given);
    t->state = site->flags & LDSL_SIMT_CLUSTER ? SIMT_WAITS_CLUSTER : SIMT_WAITS;
    t->site = site;
    t->block->waiting++;
}

static void check(struct ldsl_simt_thread *given, const struct ldsl_simt_site *site, uint32_t test)
{
    struct thread *t = thread_of(given);
    if (poison_check(t, site, "an assertion") && !test)
        simt_fail(t, site, "assertion failed: %s (%s)", site->text,
                  simt_thread_name(t->m, touch_name(t)).text);
}

/* Another block may still write to this one's shared memory unless a barrier lies between. */
static void leave(struct ldsl_simt_thread *given)
{
    struct thread *t = thread_of(given);
    struct block *b = t->block;
    t->state = SIMT_ENDED;
    simt_check_awaited(t);
    if (!b->ended++ && b->reached && b->reached_time >= b->shared_order.cluster)
        simt_fail(t, NULL,
                  "block %u ends though other blocks of its cluster may not have finished with its "
                  "shared memory",
                  b->rank);
}

const struct ldsl_simt_calls simt_calls = {
    .frame = frame,
    .tensor = call_tensor,
    .load = call_load,
    .store = call_store,
    .atomic = call_atomic,
    .shared_load = call_shared_load,
    .shared_store = call_shared_store,
    .mbarrier_create = call_mbarrier_create,
    .mbarrier_expect = call_mbarrier_expect,
    .mbarrier_await = call_mbarrier_await,
    .send = call_send,
    .copy = call_copy,
    .commit = call_commit,
    .wait = call_wait,
    .shuffle = shuffle,
    .barrier = barrier,
    .depend = call_depend,
    .release = call_release,
    .check = check,
    .decide = call_decide,
    .leave = leave,
};

/* ---- warps ------------------------------------------------------------------------------------- */

static void resume(struct thread *t)
{
    const struct simt_kernel *k = t->m->launch->kernel;
    t->state = SIMT_RUNS;
    if (t->started) {
        k->resume(t->frame);
        return;
    }
    t->started = true;
    k->entry(t->m->launch->slots, &t->given);
}

static uint32_t source_lane(const struct thread *t, uint32_t lane)
{
    switch ((enum ldsl_simt_shuffle)t->site->function) {
    case LDSL_SIMT_XOR: return lane ^ t->by;
    case LDSL_SIMT_UP: return t->by > lane ? lane : lane - t->by;
    case LDSL_SIMT_FROM: break;
    }
    return t->by;
}

/* All lanes are there: words change hands. */
static void exchange(struct thread *warp)
{
    uint64_t words[SIMT_LANES], poison[SIMT_LANES];
    for (uint32_t i = 0; i < SIMT_LANES; i++) {
        words[i] = warp[i].given.value[0];
        poison[i] = warp[i].given.poison[0];
    }
    for (uint32_t i = 0; i < SIMT_LANES; i++) {
        uint32_t from = source_lane(&warp[i], i) % SIMT_LANES;
        warp[i].given.value[0] = words[from];
        warp[i].given.poison[0] = poison[from];
    }
}

/* True if all lanes wait at one shuffle. */
static bool all_shuffle(const struct thread *warp)
{
    for (uint32_t i = 0; i < SIMT_LANES; i++)
        if (warp[i].state != SIMT_SHUFFLES || warp[i].site != warp[0].site)
            return false;
    return true;
}

/* Runs a warp until it waits for others. */
static void run_warp(struct thread *warp)
{
    for (;;) {
        for (uint32_t i = 0; i < SIMT_LANES; i++)
            if (warp[i].state == SIMT_RUNS)
                resume(&warp[i]);
        if (!all_shuffle(warp))
            return;
        exchange(warp);
        for (uint32_t i = 0; i < SIMT_LANES; i++)
            warp[i].state = SIMT_RUNS;
    }
}

/* ---- barriers ---------------------------------------------------------------------------------- */

static bool all_wait(const struct machine *m, const struct block *b, enum state at,
                     const struct ldsl_simt_site *site)
{
    if (b->waiting != m->block_threads)
        return false;
    for (uint32_t i = 0; i < m->block_threads; i++)
        if (b->threads[i].state != at || b->threads[i].site != site)
            return false;
    return true;
}

static void release(struct machine *m, struct block *b, bool of_cluster)
{
    for (uint32_t i = 0; i < m->block_threads; i++)
        b->threads[i].state = SIMT_RUNS;
    b->waiting = 0;
    b->global_order.block = b->shared_order.block = m->clock;
    if (of_cluster)
        b->global_order.cluster = b->shared_order.cluster = m->clock;
}

static bool pass_barrier(struct machine *m, struct block *b)
{
    if (!all_wait(m, b, SIMT_WAITS, b->threads[0].site))
        return false;
    m->clock++;
    release(m, b, m->cluster == 1);
    return true;
}

static bool pass_cluster_barrier(struct machine *m)
{
    for (uint32_t i = 0; i < m->cluster; i++)
        if (!all_wait(m, &m->blocks[i], SIMT_WAITS_CLUSTER, m->blocks[0].threads[0].site))
            return false;
    m->clock++;
    m->cluster_barriers++;
    for (uint32_t i = 0; i < m->cluster; i++)
        release(m, &m->blocks[i], true);
    return true;
}

/* Those whose words have come go on, one by one. */
static bool end_waits(struct machine *m, struct block *b)
{
    bool some = false;
    for (uint32_t i = 0; i < m->block_threads; i++) {
        struct thread *t = &b->threads[i];
        if (t->state != SIMT_AWAITS || simt_missing_bytes(t))
            continue;
        t->state = SIMT_RUNS;
        some = true;
    }
    return some;
}

/* ---- divergence -------------------------------------------------------------------------------- */

static struct thread *thread_at(struct machine *m, uint32_t i)
{
    return &m->blocks[i / m->block_threads].threads[i % m->block_threads];
}

static const char *what_waits(const struct thread *t)
{
    switch (t->state) {
    case SIMT_SHUFFLES: return "a shuffle";
    case SIMT_WAITS: return "a barrier";
    case SIMT_WAITS_CLUSTER: return "a barrier of the cluster";
    case SIMT_AWAITS: return "an mbarrier";
    case SIMT_RUNS:
    case SIMT_ENDED: break;
    }
    return "nothing";
}

/* Is `other` why t waits in vain? */
static bool keeps_waiting(const struct thread *t, const struct thread *other)
{
    bool warp = t->state == SIMT_SHUFFLES, block = warp || t->state == SIMT_WAITS;
    if (block && other->block != t->block)
        return false;
    if (warp && other->given.thread / SIMT_LANES != t->given.thread / SIMT_LANES)
        return false;
    return other->state != t->state || other->site != t->site;
}

static void report_missing(struct machine *m)
{
    for (uint32_t i = 0; i < m->cluster * m->block_threads; i++) {
        struct thread *t = thread_at(m, i);
        if (t->state != SIMT_AWAITS)
            continue;
        int32_t missing = simt_missing_bytes(t);
        if (missing == INT32_MAX)
            simt_fail(t, t->site, "%s awaits words, and nobody has said how many",
                      simt_thread_name(m, i).text);
        else
            simt_fail(t, t->site, "%s awaits %d bytes that nobody sends",
                      simt_thread_name(m, i).text, missing);
        return;
    }
}

/* Nobody can go on, and somebody waits. */
static void report_divergence(struct machine *m)
{
    uint32_t all = m->cluster * m->block_threads;
    for (uint32_t i = 0; i < all; i++)
        for (uint32_t k = 0; k < all; k++) {
            struct thread *t = thread_at(m, i), *other = thread_at(m, k);
            if (t->state == SIMT_ENDED || !keeps_waiting(t, other))
                continue;
            if (other->state == SIMT_ENDED)
                simt_fail(t, t->site, "%s waits at %s, but %s has ended",
                          simt_thread_name(m, i).text, what_waits(t), simt_thread_name(m, k).text);
            else
                simt_fail(t, t->site, "%s waits at %s, but %s waits at %s of line %u",
                          simt_thread_name(m, i).text, what_waits(t), simt_thread_name(m, k).text,
                          what_waits(other), other->site->line);
            return;
        }
    report_missing(m);
}

/* ---- programs ---------------------------------------------------------------------------------- */

static void start_thread(struct machine *m, struct thread *t, uint32_t rank, uint32_t number)
{
    t->given = (struct ldsl_simt_thread){
        .calls = &simt_calls, .program = m->program, .thread = number, .rank = rank};
    t->state = SIMT_RUNS;
    t->site = NULL;
    t->started = t->awaited = false;
    t->copy_count = t->group = 0;
}

static void start(struct machine *m, uint64_t program)
{
    m->program = program;
    m->start_time = ++m->clock;
    m->cluster_barriers = 0;
    for (uint32_t rank = 0; rank < m->cluster; rank++) {
        struct block *b = &m->blocks[rank];
        b->waiting = b->ended = 0;
        b->reached = false;
        b->global_order = b->shared_order = (struct order){m->clock, m->clock};
        for (uint32_t i = 0; i < m->block_threads; i++)
            start_thread(m, &b->threads[i], rank, i);
    }
}

/* False: nobody could go on. */
static bool run_block(struct machine *m, struct block *b)
{
    bool ran = false;
    for (uint32_t i = 0; i < m->block_threads; i += SIMT_LANES) {
        for (uint32_t k = 0; k < SIMT_LANES && !ran; k++)
            ran = b->threads[i + k].state == SIMT_RUNS;
        run_warp(&b->threads[i]);
    }
    return ran;
}

static bool has_ended(const struct machine *m)
{
    for (uint32_t i = 0; i < m->cluster; i++)
        if (m->blocks[i].ended != m->block_threads)
            return false;
    return true;
}

static void run(struct machine *m)
{
    for (;;) {
        bool went_on = false;
        for (uint32_t i = 0; i < m->cluster; i++) {
            went_on |= run_block(m, &m->blocks[i]);
            went_on |= pass_barrier(m, &m->blocks[i]);
            went_on |= end_waits(m, &m->blocks[i]);
        }
        if (has_ended(m))
            return;
        went_on |= pass_cluster_barrier(m);
        if (!went_on) {
            report_divergence(m);
            return;
        }
    }
}

void machine_run(struct machine *m, uint64_t program)
{
    jmp_buf no_memory;
    m->no_memory = &no_memory;
    if (setjmp(no_memory)) {
        simt_fail_memory(m->launch);
        return;
    }
    start(m, program);
    run(m);
}
