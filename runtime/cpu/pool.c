/* The pool: jobs on a list under one lock that is held for moments only; chunks from an atomic
 * counter in the job. Workers look for jobs a little while before they sleep, so that the launches
 * of one plan, which follow each other closely, do not pay for waking them. */
#include "cpu/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CALLERS     8 /* threads that can bring jobs at once; more wait for each other */
#define SPINS       3000
#define STACK_BYTES (1u << 20)
#define ALIGNMENT   4096

struct seat {
    void *scratch;
    bool taken; /* by a caller, under the pool's lock */
};

struct job {
    struct job *next;
    pool_work *work;
    void *user;
    int64_t count, chunk;
    atomic_int_least64_t taken; /* first program not handed out */
    uint32_t helpers;           /* workers on it, under the pool's lock */
    bool listed;
};

struct worker {
    struct pool *pool;
    struct seat *seat;
    pthread_t thread;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work_waits, helpers_done, seat_free;
    struct job *jobs;
    atomic_uint_least32_t posted; /* jobs ever listed: what idle workers watch */
    bool closing;
    uint32_t busy_workers;
    bool growing; /* scratch is being replaced: nobody starts */
    uint32_t workers;
    struct worker *worker;
    struct seat *worker_seats;
    struct seat caller_seats[CALLERS];
    size_t scratch_bytes;
};

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* ---- working ----------------------------------------------------------------------------------- */

static bool has_more(struct job *j)
{
    return atomic_load_explicit(&j->taken, memory_order_relaxed) < j->count;
}

static void work_on(struct job *j, void *scratch)
{
    for (;;) {
        int64_t first = atomic_fetch_add_explicit(&j->taken, j->chunk, memory_order_relaxed);
        if (first >= j->count)
            return;
        int64_t last = first + j->chunk < j->count ? first + j->chunk : j->count;
        j->work(j->user, first, last, scratch);
    }
}

static void unlist(struct pool *p, struct job *j)
{
    for (struct job **at = &p->jobs; *at && j->listed; at = &(*at)->next)
        if (*at == j) {
            *at = j->next;
            j->listed = false;
            return;
        }
}

/* The next job with programs left; jobs without are taken off the list. */
static struct job *find_job(struct pool *p)
{
    while (p->jobs && !has_more(p->jobs))
        unlist(p, p->jobs);
    return p->growing ? NULL : p->jobs;
}

static void help(struct pool *p, struct job *j, struct seat *seat)
{
    j->helpers++;
    p->busy_workers++;
    pthread_mutex_unlock(&p->lock);
    work_on(j, seat->scratch);
    pthread_mutex_lock(&p->lock);
    unlist(p, j);
    p->busy_workers--;
    if (!--j->helpers)
        pthread_cond_broadcast(&p->helpers_done);
    if (p->growing)
        pthread_cond_broadcast(&p->seat_free);
}

static void *worker_main(void *user)
{
    struct worker *w = user;
    struct pool *p = w->pool;
    pthread_mutex_lock(&p->lock);
    while (!p->closing) {
        struct job *j = find_job(p);
        if (j) {
            help(p, j, w->seat);
            continue;
        }
        uint_least32_t seen = atomic_load_explicit(&p->posted, memory_order_relaxed);
        pthread_mutex_unlock(&p->lock);
        for (int i = 0; i < SPINS; i++) {
            if (atomic_load_explicit(&p->posted, memory_order_relaxed) != seen)
                break;
            pause_briefly();
        }
        pthread_mutex_lock(&p->lock);
        if (!p->closing && atomic_load_explicit(&p->posted, memory_order_relaxed) == seen)
            pthread_cond_wait(&p->work_waits, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- bringing jobs ----------------------------------------------------------------------------- */

static struct seat *take_seat(struct pool *p)
{
    for (;;) {
        for (uint32_t i = 0; !p->growing && i < CALLERS; i++)
            if (!p->caller_seats[i].taken) {
                p->caller_seats[i].taken = true;
                return &p->caller_seats[i];
            }
        pthread_cond_wait(&p->seat_free, &p->lock);
    }
}

static int64_t choose_chunk(const struct pool *p, int64_t count)
{
    int64_t chunk = count / ((int64_t)(p->workers + 1) * 16);
    return chunk < 1 ? 1 : chunk;
}

void pool_run(struct pool *p, int64_t count, int64_t chunk, pool_work *work, void *user)
{
    if (count <= 0)
        return;
    struct job j = {.work = work, .user = user, .count = count};
    j.chunk = chunk > 0 ? chunk : choose_chunk(p, count);
    atomic_init(&j.taken, 0);
    bool shared = p->workers && count > j.chunk;
    pthread_mutex_lock(&p->lock);
    struct seat *seat = take_seat(p);
    if (shared) {
        j.next = p->jobs;
        j.listed = true;
        p->jobs = &j;
        atomic_fetch_add_explicit(&p->posted, 1, memory_order_relaxed);
        pthread_cond_broadcast(&p->work_waits);
    }
    pthread_mutex_unlock(&p->lock);
    work_on(&j, seat->scratch);
    pthread_mutex_lock(&p->lock);
    unlist(p, &j);
    while (j.helpers)
        pthread_cond_wait(&p->helpers_done, &p->lock);
    seat->taken = false;
    pthread_cond_broadcast(&p->seat_free);
    pthread_mutex_unlock(&p->lock);
}

/* ---- scratch ----------------------------------------------------------------------------------- */

static bool is_idle(const struct pool *p)
{
    for (uint32_t i = 0; i < CALLERS; i++)
        if (p->caller_seats[i].taken)
            return false;
    return !p->busy_workers;
}

static bool grow_seat(struct seat *s, size_t bytes)
{
    void *more = aligned_alloc(ALIGNMENT, bytes);
    if (!more)
        return false;
    free(s->scratch);
    s->scratch = more;
    return true;
}

bool pool_reserve(struct pool *p, size_t scratch_bytes)
{
    bool fine = true;
    scratch_bytes = (scratch_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    pthread_mutex_lock(&p->lock);
    while (p->growing)
        pthread_cond_wait(&p->seat_free, &p->lock);
    if (scratch_bytes > p->scratch_bytes) {
        p->growing = true;
        while (!is_idle(p))
            pthread_cond_wait(&p->seat_free, &p->lock);
        for (uint32_t i = 0; i < CALLERS && fine; i++)
            fine = grow_seat(&p->caller_seats[i], scratch_bytes);
        for (uint32_t i = 0; i < p->workers && fine; i++)
            fine = grow_seat(&p->worker_seats[i], scratch_bytes);
        if (fine)
            p->scratch_bytes = scratch_bytes;
        p->growing = false;
        atomic_fetch_add_explicit(&p->posted, 1, memory_order_relaxed);
        pthread_cond_broadcast(&p->seat_free);
        pthread_cond_broadcast(&p->work_waits);
    }
    pthread_mutex_unlock(&p->lock);
    return fine;
}

/* ---- life -------------------------------------------------------------------------------------- */

uint32_t pool_threads(const struct pool *p)
{
    return p->workers + 1;
}

static bool start_worker(struct pool *p, uint32_t i)
{
    struct worker *w = &p->worker[i];
    *w = (struct worker){.pool = p, .seat = &p->worker_seats[i]};
    pthread_attr_t attr;
    if (pthread_attr_init(&attr))
        return false;
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    bool fine = pthread_create(&w->thread, &attr, worker_main, w) == 0;
    pthread_attr_destroy(&attr);
    return fine;
}

struct pool *pool_create(uint32_t threads)
{
    struct pool *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work_waits, NULL);
    pthread_cond_init(&p->helpers_done, NULL);
    pthread_cond_init(&p->seat_free, NULL);
    uint32_t wanted = threads ? threads - 1 : 0;
    p->worker = calloc(wanted + 1, sizeof *p->worker);
    p->worker_seats = calloc(wanted + 1, sizeof *p->worker_seats);
    bool fine = p->worker && p->worker_seats;
    while (fine && p->workers < wanted) {
        pthread_mutex_lock(&p->lock);
        fine = start_worker(p, p->workers);
        p->workers += fine;
        pthread_mutex_unlock(&p->lock);
    }
    if (fine)
        return p;
    pool_destroy(p);
    return NULL;
}

void pool_destroy(struct pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    atomic_fetch_add_explicit(&p->posted, 1, memory_order_relaxed);
    pthread_cond_broadcast(&p->work_waits);
    pthread_mutex_unlock(&p->lock);
    for (uint32_t i = 0; i < p->workers; i++)
        pthread_join(p->worker[i].thread, NULL);
    for (uint32_t i = 0; i < p->workers; i++)
        free(p->worker_seats[i].scratch);
    for (uint32_t i = 0; i < CALLERS; i++)
        free(p->caller_seats[i].scratch);
    free(p->worker);
    free(p->worker_seats);
    pthread_cond_destroy(&p->seat_free);
    pthread_cond_destroy(&p->helpers_done);
    pthread_cond_destroy(&p->work_waits);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
