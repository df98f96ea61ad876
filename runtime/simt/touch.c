/* Races. Time is the machine's count of barriers: a block's barrier puts what its own threads did
 * before in order with what they do after, a cluster's barrier does so for all its threads, and words
 * that were awaited do so for shared memory. Nothing else does: not shuffles, and not the order in which
 * the emulator happens to run threads. */
#include "simt/machine.h"

uint16_t touch_name(const struct thread *t)
{
    return (uint16_t)(t->given.rank * t->m->block_threads + t->given.thread);
}

static uint32_t rank_of(const struct machine *m, uint16_t name)
{
    if (name == TOUCH_MANY)
        return UINT32_MAX;
    return name & TOUCH_MANY_OF ? name & ~(uint32_t)TOUCH_MANY_OF : name / m->block_threads;
}

bool touch_in_order(const struct thread *t, const struct order *order, uint16_t name, uint32_t time)
{
    if (name == touch_name(t) || time < order->cluster)
        return true;
    return rank_of(t->m, name) == t->given.rank && time < order->block;
}

uint32_t touch_read(struct touch *b, const struct thread *t, const struct order *order)
{
    uint32_t race = TOUCH_NONE;
    if (b->write_time && !touch_in_order(t, order, b->writer, b->write_time))
        race = b->writer;
    if (!b->read_time || touch_in_order(t, order, b->reader, b->read_time))
        b->reader = touch_name(t);
    else if (rank_of(t->m, b->reader) == t->given.rank)
        b->reader = (uint16_t)(TOUCH_MANY_OF | t->given.rank);
    else
        b->reader = TOUCH_MANY;
    b->read_time = t->m->clock;
    return race;
}

uint32_t touch_write(struct touch *b, const struct thread *t, const struct order *order,
                     bool atomic)
{
    uint32_t race = TOUCH_NONE;
    bool both = atomic && b->atomic;
    if (b->write_time && !both && !touch_in_order(t, order, b->writer, b->write_time))
        race = b->writer;
    else if (b->read_time && !touch_in_order(t, order, b->reader, b->read_time))
        race = b->reader;
    b->writer = touch_name(t);
    b->write_time = t->m->clock;
    b->atomic = atomic;
    b->pending = b->mbarrier = false;
    return race;
}
