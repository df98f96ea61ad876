/* Shared memory: of the own block for reads, of any block of the cluster for writes. Each byte knows
 * who touched it. Asynchronous copies arrive when they are waited for and not before; words that are sent
 * arrive at once, but must be awaited at an mbarrier to be read. */
#include "simt/machine.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY "shared memory"

static struct simt_name name_of(const struct thread *t)
{
    return simt_thread_name(t->m, touch_name(t));
}

static bool check_offset(struct thread *t, const struct ldsl_simt_site *site, uint32_t offset,
                         uint32_t bytes)
{
    if (offset % bytes == 0 && (uint64_t)offset + bytes <= t->m->shared_bytes)
        return true;
    if (offset % bytes)
        simt_fail(t, site, "%s meets shared memory at byte %u, which is not a multiple of %u",
                  name_of(t).text, offset, bytes);
    else
        simt_fail(t, site, "%s meets shared memory at byte %u, and there are %u", name_of(t).text,
                  offset, t->m->shared_bytes);
    return false;
}

static void tell_race(struct thread *t, const struct ldsl_simt_site *site, const char *verb,
                      uint32_t at, uint32_t other)
{
    simt_fail(t, site,
              "race: %s %s byte %u of shared memory, and %s touched it with no barrier between",
              name_of(t).text, verb, at, simt_thread_name(t->m, other).text);
}

static bool is_pending(const struct thread *t, const struct touch *k)
{
    return k->pending && k->write_time >= t->m->start_time;
}

static void tell_pending(struct thread *t, const struct ldsl_simt_site *site, const char *verb,
                         uint32_t at)
{
    simt_fail(t, site,
              "%s %s byte %u of shared memory, to which an asynchronous copy is on its way",
              name_of(t).text, verb, at);
}

/* One failure is enough for an access. */
static bool note_reads(struct thread *t, const struct ldsl_simt_site *site, uint32_t offset,
                       uint32_t bytes)
{
    for (uint32_t i = offset; i < offset + bytes; i++) {
        struct touch *k = &t->block->touches[i];
        uint32_t other = touch_read(k, t, &t->block->shared_order);
        if (k->write_time < t->m->start_time)
            simt_fail(t, site, "%s reads byte %u of shared memory, which has not been written",
                      name_of(t).text, i);
        else if (is_pending(t, k))
            tell_pending(t, site, "reads", i);
        else if (other != TOUCH_NONE)
            tell_race(t, site, "reads", i, other);
        else
            continue;
        return false;
    }
    return true;
}

static bool note_writes(struct thread *t, const struct ldsl_simt_site *site, struct block *b,
                        uint32_t offset, uint32_t bytes)
{
    for (uint32_t i = offset; i < offset + bytes; i++) {
        struct touch *k = &b->touches[i];
        bool pending = is_pending(t, k);
        uint32_t other = touch_write(k, t, &t->block->shared_order, false);
        if (pending)
            tell_pending(t, site, "writes", i);
        else if (other != TOUCH_NONE)
            tell_race(t, site, "writes", i, other);
        else
            continue;
        return false;
    }
    return true;
}

void call_shared_load(struct ldsl_simt_thread *given, const struct ldsl_simt_site *site,
                      uint32_t offset, uint32_t guard)
{
    struct thread *t = thread_of(given);
    bool sound = poison_check_access(t, site, guard, MEMORY);
    memset(given->value, 0, sizeof given->value);
    poison_set(t, sound && !guard);
    if (!sound || !guard || !check_offset(t, site, offset, site->bytes) ||
        !note_reads(t, site, offset, site->bytes))
        return;
    memcpy(given->value, t->block->shared + offset, site->bytes);
    memcpy(given->poison, t->block->poison + offset, site->bytes);
}

/* Another block must run already, and still. */
static bool check_reach(struct thread *t, const struct ldsl_simt_site *site, uint32_t rank)
{
    struct machine *m = t->m;
    if (rank >= m->cluster) {
        simt_fail(t, site, "%s writes to block %u of a cluster of %u", name_of(t).text, rank,
                  m->cluster);
        return false;
    }
    struct block *b = &m->blocks[rank];
    if (b == t->block)
        return true;
    if (!m->cluster_barriers)
        simt_fail(t, site,
                  "%s writes to block %u, which may not have started: the cluster has had "
                  "no barrier",
                  name_of(t).text, rank);
    else if (b->ended)
        simt_fail(t, site, "%s writes to block %u, which has ended", name_of(t).text, rank);
    b->reached = true;
    b->reached_time = m->clock;
    return m->cluster_barriers && !b->ended;
}

void call_shared_store(struct ldsl_simt_thread *given, const struct ldsl_simt_site *site,
                       uint32_t offset, uint32_t guard, uint32_t rank)
{
    struct thread *t = thread_of(given);
    if (!poison_check_access(t, site, guard, MEMORY) || !guard ||
        !check_offset(t, site, offset, site->bytes) || !check_reach(t, site, rank))
        return;
    struct block *b = &t->m->blocks[rank];
    note_writes(t, site, b, offset, site->bytes);
    memcpy(b->shared + offset, given->value, site->bytes);
    memcpy(b->poison + offset, given->poison, site->bytes);
}

/* ---- words that are sent ------------------------------------------------------------------------ */

/* As it lies in shared memory. */
struct mbarrier {
    uint16_t ended;  /* phases */
    uint16_t named;  /* the bytes of this phase are */
    int32_t missing; /* those that were named less those that came */
};

/* NULL: there is none. */
static struct mbarrier *mbarrier_at(const struct machine *m, const struct block *b, uint32_t offset)
{
    bool fits = offset % sizeof(struct mbarrier) == 0 &&
                (uint64_t)offset + sizeof(struct mbarrier) <= m->shared_bytes;
    const struct touch *k = &b->touches[fits ? offset : 0];
    bool there = fits && k->mbarrier && k->write_time >= m->start_time;
    return there ? (struct mbarrier *)(void *)(b->shared + offset) : NULL;
}

/* NULL: there is none, or none that the thread could know of. That is reported. */
static struct mbarrier *find_mbarrier(struct thread *t, const struct ldsl_simt_site *site,
                                      const struct block *b, uint32_t offset)
{
    struct mbarrier *x = mbarrier_at(t->m, b, offset);
    if (!x) {
        simt_fail(t, site, "%s meets no mbarrier at byte %u of shared memory", name_of(t).text,
                  offset);
        return NULL;
    }
    const struct touch *k = &b->touches[offset];
    if (touch_in_order(t, &t->block->shared_order, k->writer, k->write_time))
        return x;
    tell_race(t, site, "meets the mbarrier at", offset, k->writer);
    return NULL;
}

static bool takes_part(struct thread *t, const struct ldsl_simt_site *site, uint32_t offset,
                       uint32_t guard)
{
    return poison_check_access(t, site, guard, MEMORY) && guard &&
           check_offset(t, site, offset, sizeof(struct mbarrier));
}

void call_mbarrier_create(struct ldsl_simt_thread *given, const struct ldsl_simt_site *site,
                          uint32_t offset, uint32_t guard)
{
    struct thread *t = thread_of(given);
    if (!takes_part(t, site, offset, guard))
        return;
    if (mbarrier_at(t->m, t->block, offset)) {
        simt_fail(t, site, "%s makes an mbarrier at byte %u of shared memory, where there is one",
                  name_of(t).text, offset);
        return;
    }
    if (!note_writes(t, site, t->block, offset, sizeof(struct mbarrier)))
        return;
    t->block->touches[offset].mbarrier = true;
    memset(t->block->shared + offset, 0, sizeof(struct mbarrier));
}

/* All that the phase expects have come: all threads have sent, and so come before who waited. */
static void end_phase(struct thread *t, const struct ldsl_simt_site *site, struct block *b,
                      struct mbarrier *x)
{
    if (!x->named || x->missing > 0)
        return;
    if (x->missing < 0)
        simt_fail(t, site, "%d bytes more were sent than the mbarrier expects", -x->missing);
    *x = (struct mbarrier){.ended = (uint16_t)(x->ended + 1)};
    b->shared_order.block = b->shared_order.cluster = ++t->m->clock;
}

void call_mbarrier_expect(struct ldsl_simt_thread *given, const struct ldsl_simt_site *site,
                          uint32_t offset, uint32_t guard)
{
    struct thread *t = thread_of(given);
    struct mbarrier *x =
        takes_part(t, site, offset, guard) ? find_mbarrier(t, site, t->block, offset) : NULL;
    if (!x)
        return;
    if (x->named)
        simt_fail(t, site, "%s says what the mbarrier at byte %u expects, which was said",
                  name_of(t).text, offset);
    x->named = true;
    x->missing += (int32_t)site->bytes;
    end_phase(t, site, t->block, x);
}

void call_mbarrier_await(struct ldsl_simt_thread *given, const struct ldsl_simt_site *site,
                         uint32_t offset, uint32_t parity)
{
    struct thread *t = thread_of(given);
    if (!takes_part(t, site, offset, true) || !find_mbarrier(t, site, t->block, offset))
        return;
    t->state = SIMT_AWAITS;
    t->site = site;
    t->mbarrier = offset;
    t->by = parity;
}

int32_t simt_missing_bytes(const struct thread *t)
{
    const struct mbarrier *x = mbarrier_at(t->m, t->block, t->mbarrier);
    if (!x || x->ended % 2 != t->by % 2)
        return 0;
    return x->named ? x->missing : INT32_MAX;
}

void call_send(struct ldsl_simt_thread *given, const struct ldsl_simt_site *site, uint32_t offset,
               uint32_t guard, uint32_t rank, uint32_t mbarrier)
{
    struct thread *t = thread_of(given);
    if (!poison_check_access(t, site, guard, MEMORY) || !guard ||
        !check_offset(t, site, offset, site->bytes) || !check_reach(t, site, rank))
        return;
    struct block *b = &t->m->blocks[rank];
    struct mbarrier *x = find_mbarrier(t, site, b, mbarrier);
    if (!x || !note_writes(t, site, b, offset, site->bytes))
        return;
    memcpy(b->shared + offset, given->value, site->bytes);
    memcpy(b->poison + offset, given->poison, site->bytes);
    x->missing -= (int32_t)site->bytes;
    end_phase(t, site, b, x);
}

/* ---- copies that do not wait ------------------------------------------------------------------- */

static struct copy *new_copy(struct thread *t)
{
    if (t->copy_count == t->copy_capacity) {
        uint32_t more = t->copy_capacity ? 2 * t->copy_capacity : 8;
        struct copy *list = realloc(t->copies, more * sizeof *list);
        if (!list)
            longjmp(*t->m->no_memory, 1);
        t->copies = list;
        t->copy_capacity = more;
    }
    return &t->copies[t->copy_count++];
}

static void set_pending(struct thread *t, uint32_t offset, uint32_t bytes)
{
    for (uint32_t i = offset; i < offset + bytes; i++)
        t->block->touches[i].pending = true;
}

void call_copy(struct ldsl_simt_thread *given, const struct ldsl_simt_site *site, uint64_t address,
               uint32_t guard, uint32_t used, uint32_t offset)
{
    struct thread *t = thread_of(given);
    if (!poison_check_access(t, site, guard, site->text) ||
        !check_offset(t, site, offset, site->bytes) ||
        !note_writes(t, site, t->block, offset, site->bytes))
        return;
    struct copy *c = new_copy(t);
    *c = (struct copy){.site = site, .offset = offset, .group = t->group};
    bool read = guard && simt_read(t, site, address, used, c->data, c->poison);
    if (!guard)
        memset(c->poison, 0xff, sizeof c->poison);
    if (read)
        c->from = (const void *)(uintptr_t)address;
    c->used = used;
    set_pending(t, offset, site->bytes);
}

void call_commit(struct ldsl_simt_thread *given)
{
    thread_of(given)->group++;
}

static bool is_unchanged(struct thread *t, const struct copy *c)
{
    uint32_t size = c->site->element;
    for (uint32_t i = 0; c->from && i < c->site->bytes / size; i++)
        if (c->used >> (i < 31 ? i : 31) & 1 &&
            !simt_unchanged(t, (const char *)c->from + i * size, c->data + i * size, size))
            return false;
    return true;
}

static void arrive(struct thread *t, const struct copy *c)
{
    if (!is_unchanged(t, c))
        simt_fail(t, c->site, "%s copies bytes of %s that changed before the copy was waited for",
                  name_of(t).text, c->site->text);
    memcpy(t->block->shared + c->offset, c->data, c->site->bytes);
    memcpy(t->block->poison + c->offset, c->poison, c->site->bytes);
    for (uint32_t i = c->offset; i < c->offset + c->site->bytes; i++) {
        t->block->touches[i].pending = false;
        t->block->touches[i].write_time = t->m->clock;
    }
}

void call_wait(struct ldsl_simt_thread *given, uint32_t pending)
{
    struct thread *t = thread_of(given);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < t->copy_count; i++) {
        struct copy *c = &t->copies[i];
        if (c->group + pending < t->group)
            arrive(t, c);
        else
            t->copies[kept++] = *c;
    }
    t->copy_count = kept;
}
