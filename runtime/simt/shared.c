/* Shared memory: of the own block for reads, of any block of the cluster for writes. Each byte knows
 * who touched it. Asynchronous copies arrive when they are waited for and not before. */
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
        uint32_t other = touch_read(k, t);
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
        uint32_t other = touch_write(k, t, false);
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
    if (read && used == UINT32_MAX)
        c->from = (const void *)(uintptr_t)address;
    set_pending(t, offset, site->bytes);
}

void call_commit(struct ldsl_simt_thread *given)
{
    thread_of(given)->group++;
}

static void arrive(struct thread *t, const struct copy *c)
{
    if (c->from && !simt_unchanged(t, c->from, c->data, c->site->bytes))
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
