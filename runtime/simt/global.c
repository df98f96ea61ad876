/* Tensors: every element that an access names must exist, and no other thread may touch it unless a
 * barrier lies between. Programs have no barriers: what one writes no other may touch.
 *
 * Inputs of which no output shares the memory are not tracked. Elements are tracked by their place in
 * memory, so that two tensor parameters of one address are one. */
#include "simt/machine.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAMS_MANY UINT32_MAX
#define UNUSED        0xff /* bytes of elements that the kernel does not look at: NaNs */

struct simt_touches {
    struct touch touch;                   /* by threads of the programs below */
    uint32_t write_program, read_program; /* + 1; 0: none */
};

/* ---- tensors ----------------------------------------------------------------------------------- */

static void sort_dims(struct simt_tensor *x)
{
    for (uint32_t i = 0; i < x->rank; i++) {
        uint32_t at = i;
        for (; at > 0 && x->strides[x->order[at - 1]] < x->strides[i]; at--)
            x->order[at] = x->order[at - 1];
        x->order[at] = (uint8_t)i;
    }
}

/* Elements from the first to the last address; 0: none exist. */
static uint64_t span_of(const struct simt_tensor *x)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < x->rank; i++) {
        if (x->dims[i] <= 0)
            return 0;
        last += (uint64_t)(x->dims[i] - 1) * (uint64_t)x->strides[i];
    }
    return last + 1;
}

static bool is_packed(const struct simt_tensor *x)
{
    uint64_t count = 1;
    for (uint32_t i = 0; i < x->rank; i++)
        count *= x->dims[i] > 0 ? (uint64_t)x->dims[i] : 0;
    return count == x->count;
}

static void describe(struct simt_tensor *x, const struct ldsl_simt_site *site, uint64_t base,
                     const int64_t *extents)
{
    x->known = x->checked = true;
    x->base = base;
    x->rank = site->rank;
    x->element = site->element;
    x->written = site->flags & LDSL_SIMT_WRITTEN;
    x->output = site->flags & LDSL_SIMT_OUTPUT ? site : NULL;
    for (uint32_t i = 0; i < x->rank; i++) {
        x->dims[i] = extents[i];
        x->strides[i] = extents[x->rank + i];
        x->checked &= x->strides[i] >= 0;
    }
    sort_dims(x);
    x->count = x->checked ? span_of(x) : 0;
    x->packed = is_packed(x);
}

/* The first tensor at the same address keeps track for all. */
static struct simt_tensor *memory_of(struct simt_launch *l, struct simt_tensor *x, uint32_t number)
{
    x->memory = number;
    for (uint32_t i = 0; i < number; i++)
        if (l->tensors[i].known && l->tensors[i].base == x->base && l->tensors[i].memory == i) {
            x->memory = i;
            break;
        }
    return &l->tensors[x->memory];
}

void call_tensor(struct ldsl_simt_thread *given, const struct ldsl_simt_site *site, uint64_t base,
                 const int64_t *extents)
{
    struct thread *t = thread_of(given);
    struct simt_launch *l = t->m->launch;
    if (given->thread || given->rank || site->number >= SIMT_TENSORS)
        return;
    bool fine = true;
    pthread_mutex_lock(&l->lock);
    struct simt_tensor *x = &l->tensors[site->number];
    if (!x->known) {
        describe(x, site, base, extents);
        struct simt_tensor *memory = memory_of(l, x, site->number);
        if (site->flags & LDSL_SIMT_WRITTEN && !memory->touches && x->count) {
            memory->touches = calloc(x->count, sizeof *memory->touches);
            memory->touch_count = x->count;
            fine = memory->touches != NULL;
        }
    }
    pthread_mutex_unlock(&l->lock);
    if (!fine)
        longjmp(*t->m->no_memory, 1);
}

/* Subscripts of the element at an address; false: there is none. */
static bool find_element(const struct simt_tensor *x, uint64_t address, int64_t *subscripts)
{
    int64_t offset = (int64_t)(address - x->base);
    bool inside = offset >= 0 && offset % x->element == 0;
    offset /= x->element;
    for (uint32_t i = 0; i < x->rank; i++) {
        uint32_t d = x->order[i];
        int64_t most = x->dims[d] > 0 ? x->dims[d] - 1 : 0;
        int64_t at = x->strides[d] ? offset / x->strides[d] : 0;
        subscripts[d] = at < most ? at : most;
        offset -= subscripts[d] * x->strides[d];
    }
    return inside && x->count && offset == 0;
}

bool simt_exists(const struct simt_tensor *x, uint64_t address)
{
    int64_t subscripts[SIMT_MAX_RANK];
    uint64_t offset = address - x->base;
    if (x->packed)
        return offset < x->count * x->element && offset % x->element == 0;
    return find_element(x, address, subscripts);
}

/* ---- addresses --------------------------------------------------------------------------------- */

struct element_name {
    char text[160];
};

/* "x[3, 17]" */
static struct element_name name_element(const struct simt_tensor *x, const char *tensor,
                                        uint64_t address)
{
    struct element_name n;
    int64_t subscripts[SIMT_MAX_RANK];
    find_element(x, address, subscripts);
    size_t at = (size_t)snprintf(n.text, sizeof n.text, "%.60s[", tensor);
    for (uint32_t i = 0; i < x->rank && at < sizeof n.text; i++)
        at += (size_t)snprintf(n.text + at, sizeof n.text - at, "%s%" PRId64, i ? ", " : "",
                               subscripts[i]);
    if (at < sizeof n.text)
        snprintf(n.text + at, sizeof n.text - at, "]");
    return n;
}

static struct simt_name name_of(const struct thread *t)
{
    return simt_thread_name(t->m, touch_name(t));
}

/* Where the address would be: offsets in elements, which people can compare with strides. */
static bool outside(struct thread *t, const struct ldsl_simt_site *site,
                    const struct simt_tensor *x, uint64_t address, const char *verb)
{
    int64_t offset = (int64_t)(address - x->base);
    simt_fail(t, site,
              "%s %s %s outside the tensor: byte %" PRId64 " of %" PRIu64 ", at address 0x%" PRIx64,
              name_of(t).text, verb, site->text, offset, x->count * x->element, address);
    return false;
}

static bool is_aligned(struct thread *t, const struct ldsl_simt_site *site, uint64_t address)
{
    uint32_t align = site->align > site->bytes ? site->align : site->bytes;
    if (address % align == 0)
        return true;
    simt_fail(t, site, "%s meets %s at address 0x%" PRIx64 ", which is not a multiple of %u",
              name_of(t).text, site->text, address, align);
    return false;
}

/* The tensor, once all that does not depend on others holds; else NULL, reported. */
static struct simt_tensor *check_address(struct thread *t, const struct ldsl_simt_site *site,
                                         uint64_t address, uint32_t used, bool writes)
{
    struct simt_tensor *x = &t->m->launch->tensors[site->number];
    if (!simt_may_access(t, site, address, used, writes) || !is_aligned(t, site, address))
        return NULL;
    for (uint32_t i = 0; x->checked && i < site->bytes / x->element; i++)
        if (used >> (i < 31 ? i : 31) & 1 && !simt_exists(x, address + i * x->element)) {
            outside(t, site, x, address + i * x->element, writes ? "writes" : "reads");
            return NULL;
        }
    return x;
}

/* ---- races ------------------------------------------------------------------------------------- */

static struct simt_touches *touches_at(const struct simt_launch *l, const struct simt_tensor *x,
                                       uint64_t address)
{
    const struct simt_tensor *memory = &l->tensors[x->memory];
    if (!memory->touches)
        return NULL;
    uint64_t i = (address - memory->base) / memory->element;
    return i < memory->touch_count ? &memory->touches[i] : NULL;
}

static void tell_race(struct thread *t, const struct ldsl_simt_site *site,
                      const struct simt_tensor *x, uint64_t address, const char *verb,
                      uint32_t other)
{
    simt_fail(t, site, "race: %s %s %s, and %s touched it with no barrier between", name_of(t).text,
              verb, name_element(x, site->text, address).text, simt_thread_name(t->m, other).text);
}

static void tell_programs(struct thread *t, const struct ldsl_simt_site *site,
                          const struct simt_tensor *x, uint64_t address, const char *verb,
                          const char *other_verb, uint32_t other)
{
    char who[32] = "others";
    if (other != PROGRAMS_MANY)
        snprintf(who, sizeof who, "program %u", other - 1);
    simt_fail(t, site, "%s belongs to two programs: %s %s it, and %s %s it",
              name_element(x, site->text, address).text, name_of(t).text, verb, who, other_verb);
}

static void note_read(struct thread *t, const struct ldsl_simt_site *site,
                      const struct simt_tensor *x, uint64_t address)
{
    struct simt_touches *k = touches_at(t->m->launch, x, address);
    uint32_t own = (uint32_t)t->m->program + 1;
    if (!k)
        return;
    if (!k->write_program && site->flags & LDSL_SIMT_OUTPUT)
        simt_fail(t, site, "%s is read by %s but has not been written",
                  name_element(x, site->text, address).text, name_of(t).text);
    if (k->write_program && k->write_program != own)
        tell_programs(t, site, x, address, "reads", "writes", k->write_program);
    if (k->read_program && k->read_program != own) {
        k->read_program = PROGRAMS_MANY;
        return;
    }
    if (k->write_program != own)
        k->touch.write_time = 0;
    if (k->read_program != own)
        k->touch.read_time = 0;
    k->read_program = own;
    uint32_t other = touch_read(&k->touch, t, &t->block->global_order);
    if (other != TOUCH_NONE)
        tell_race(t, site, x, address, "reads", other);
}

static void note_write(struct thread *t, const struct ldsl_simt_site *site,
                       const struct simt_tensor *x, uint64_t address, bool atomic)
{
    struct simt_touches *k = touches_at(t->m->launch, x, address);
    uint32_t own = (uint32_t)t->m->program + 1;
    if (!k)
        return;
    bool both = atomic && k->touch.atomic && k->write_program;
    if (k->write_program && k->write_program != own && !both)
        tell_programs(t, site, x, address, "writes", "writes", k->write_program);
    if (k->read_program && k->read_program != own)
        tell_programs(t, site, x, address, "writes", "reads", k->read_program);
    if (k->write_program != own) /* of the other program's threads nothing is in order or not */
        k->touch.write_time = 0;
    if (k->read_program != own)
        k->touch.read_time = 0;
    k->write_program = own;
    uint32_t other = touch_write(&k->touch, t, &t->block->global_order, atomic);
    if (other != TOUCH_NONE)
        tell_race(t, site, x, address, "writes", other);
}

/* ---- accesses ---------------------------------------------------------------------------------- */

/* An aligned access lies within one lock's bytes. */
static pthread_mutex_t *lock_at(const struct thread *t, uint64_t address)
{
    pthread_mutex_t *lock = &t->m->launch->locks[address / 64 % SIMT_LOCKS];
    pthread_mutex_lock(lock);
    return lock;
}

bool simt_read(struct thread *t, const struct ldsl_simt_site *site, uint64_t address, uint32_t used,
               void *to, void *poison)
{
    const struct simt_tensor *x = check_address(t, site, address, used, false);
    memset(to, x ? UNUSED : 0, site->bytes);
    memset(poison, x ? UNUSED : 0, site->bytes);
    if (!x)
        return false;
    pthread_mutex_t *lock = lock_at(t, address);
    for (uint32_t i = 0; i < site->bytes / site->element; i++) {
        uint64_t at = address + i * site->element;
        if (!(used >> (i < 31 ? i : 31) & 1))
            continue;
        note_read(t, site, x, at);
        memcpy((char *)to + i * site->element, (const void *)(uintptr_t)at, site->element);
        memset((char *)poison + i * site->element, 0, site->element);
    }
    pthread_mutex_unlock(lock);
    return true;
}

bool simt_unchanged(struct thread *t, const void *from, const void *bytes, uint32_t count)
{
    pthread_mutex_t *lock = lock_at(t, (uint64_t)(uintptr_t)from);
    bool same = memcmp(from, bytes, count) == 0;
    pthread_mutex_unlock(lock);
    return same;
}

void call_load(struct ldsl_simt_thread *given, const struct ldsl_simt_site *site, uint64_t address,
               uint32_t guard, uint32_t used)
{
    struct thread *t = thread_of(given);
    bool sound = poison_check_access(t, site, guard, site->text);
    memset(given->value, 0, sizeof given->value);
    poison_set(t, sound && !guard);
    if (sound && guard)
        simt_read(t, site, address, used, given->value, given->poison);
}

/* What is written must hold something. One report is enough. */
static void check_value(struct thread *t, const struct ldsl_simt_site *site,
                        const struct simt_tensor *x, uint64_t address)
{
    for (uint32_t i = 0; i < site->bytes / site->element; i++)
        if (poison_is_in(t, site, i)) {
            simt_fail(t, site, "what %s writes to %s depends on a register that holds nothing",
                      name_of(t).text,
                      name_element(x, site->text, address + i * site->element).text);
            return;
        }
}

/* The tensor, if the write takes place and is right so far. */
static const struct simt_tensor *begin_write(struct thread *t, const struct ldsl_simt_site *site,
                                             uint64_t address, uint32_t guard)
{
    if (!poison_check_access(t, site, guard, site->text) || !guard)
        return NULL;
    const struct simt_tensor *x = check_address(t, site, address, UINT32_MAX, true);
    if (x)
        check_value(t, site, x, address);
    return x;
}

void call_store(struct ldsl_simt_thread *given, const struct ldsl_simt_site *site, uint64_t address,
                uint32_t guard)
{
    struct thread *t = thread_of(given);
    const struct simt_tensor *x = begin_write(t, site, address, guard);
    if (!x)
        return;
    void *to = (void *)(uintptr_t)address;
    pthread_mutex_t *lock = lock_at(t, address);
    for (uint32_t i = 0; i < site->bytes / site->element; i++)
        note_write(t, site, x, address + i * site->element, false);
    memcpy(to, given->value, site->bytes);
    pthread_mutex_unlock(lock);
}

/* ---- atomics ----------------------------------------------------------------------------------- */

#define SUM(a, b) ((a) + (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
/* A NaN wins, or loses. */
#define HIGH(a, b) (isnan(a) || (a) > (b) ? (a) : (b))
#define LOW(a, b)  (isnan(a) || (a) < (b) ? (a) : (b))
#define FMAX(a, b) (isnan(b) || (a) > (b) ? (a) : (b))
#define FMIN(a, b) (isnan(b) || (a) < (b) ? (a) : (b))
#define OR(a, b)   ((a) | (b))
#define AND(a, b)  ((a) & (b))

#define COMBINE(type, how)                                                                         \
    do {                                                                                           \
        type a, b, c;                                                                              \
        memcpy(&a, to, sizeof a);                                                                  \
        memcpy(&b, with, sizeof b);                                                                \
        c = (type)how(a, b);                                                                       \
        memcpy(to, &c, sizeof c);                                                                  \
    } while (0)

#define COMBINE_INTEGER(type, wrapping)                                                            \
    switch (how) {                                                                                 \
    case LDSL_SIMT_SUM: COMBINE(wrapping, SUM); return;                                            \
    case LDSL_SIMT_MAX:                                                                            \
    case LDSL_SIMT_FMAX: COMBINE(type, MAX); return;                                               \
    case LDSL_SIMT_MIN:                                                                            \
    case LDSL_SIMT_FMIN: COMBINE(type, MIN); return;                                               \
    case LDSL_SIMT_ANY: COMBINE(wrapping, OR); return;                                             \
    case LDSL_SIMT_ALL: COMBINE(wrapping, AND); return;                                            \
    }                                                                                              \
    return

#define COMBINE_FLOAT(type)                                                                        \
    switch (how) {                                                                                 \
    case LDSL_SIMT_SUM: COMBINE(type, SUM); return;                                                \
    case LDSL_SIMT_MAX: COMBINE(type, HIGH); return;                                               \
    case LDSL_SIMT_MIN: COMBINE(type, LOW); return;                                                \
    case LDSL_SIMT_FMAX: COMBINE(type, FMAX); return;                                              \
    case LDSL_SIMT_FMIN: COMBINE(type, FMIN); return;                                              \
    case LDSL_SIMT_ANY:                                                                            \
    case LDSL_SIMT_ALL: return;                                                                    \
    }                                                                                              \
    return

static void combine(void *to, const void *with, enum ldsl_simt_combine how, enum ldsl_dtype dtype)
{
    switch ((int)dtype) {
    case LDSL_I32: COMBINE_INTEGER(int32_t, uint32_t);
    case LDSL_I64: COMBINE_INTEGER(int64_t, uint64_t);
    case LDSL_U32: COMBINE_INTEGER(uint32_t, uint32_t);
    case LDSL_U64: COMBINE_INTEGER(uint64_t, uint64_t);
    case LDSL_F32: COMBINE_FLOAT(float);
    case LDSL_F64: COMBINE_FLOAT(double);
    default: return;
    }
}

void call_atomic(struct ldsl_simt_thread *given, const struct ldsl_simt_site *site,
                 uint64_t address, uint32_t guard)
{
    struct thread *t = thread_of(given);
    const struct simt_tensor *x = begin_write(t, site, address, guard);
    if (!x)
        return;
    pthread_mutex_t *lock = lock_at(t, address);
    note_write(t, site, x, address, true);
    combine((void *)(uintptr_t)address, given->value, (enum ldsl_simt_combine)site->function,
            (enum ldsl_dtype)site->dtype);
    pthread_mutex_unlock(lock);
}

/* ---- outputs ----------------------------------------------------------------------------------- */

/* The address of the first element that nothing was written to; false: there is none. */
static bool find_unwritten(const struct simt_launch *l, const struct simt_tensor *x,
                           uint64_t *address)
{
    int64_t at[SIMT_MAX_RANK] = {0};
    for (;;) {
        *address = x->base;
        for (uint32_t i = 0; i < x->rank; i++)
            *address += (uint64_t)(at[i] * x->strides[i]) * x->element;
        const struct simt_touches *k = touches_at(l, x, *address);
        if (k && !k->write_program)
            return true;
        uint32_t d = x->rank;
        while (d > 0 && ++at[d - 1] == x->dims[d - 1])
            at[--d] = 0;
        if (!d)
            return false;
    }
}

void simt_check_outputs(struct simt_launch *l)
{
    uint64_t address;
    for (uint32_t i = 0; i < SIMT_TENSORS && !l->failure.count; i++) {
        const struct simt_tensor *x = &l->tensors[i];
        if (x->known && x->output && x->count && find_unwritten(l, x, &address))
            simt_fail_after(l, x->output,
                            "%s is never written, but an `out` tensor is written whole",
                            name_element(x, x->output->text, address).text);
    }
}
