/* Launches that overlap. The emulator runs one after the other, but checks that a kernel could have run
 * beside the one before it: what it touches before it waits must be nothing that one writes, and what
 * it writes before it waits nothing that one touches. It must wait before it lets the next launch
 * start and before it ends; compiler/codegen/gpu/overlap.c says why. */
#include "simt/machine.h"

#include <stdlib.h>
#include <string.h>

static bool waits(const struct thread *t)
{
    return t->m->launch->kernel->info.dependent;
}

void call_depend(struct ldsl_simt_thread *given)
{
    thread_of(given)->awaited = true;
}

void call_release(struct ldsl_simt_thread *given)
{
    struct thread *t = thread_of(given);
    if (!t->awaited)
        simt_fail(t, NULL, "%s lets the next kernel start before it has waited itself",
                  simt_thread_name(t->m, touch_name(t)).text);
}

void simt_check_awaited(struct thread *t)
{
    if (waits(t) && !t->awaited)
        simt_fail(t, NULL, "%s ends before it has waited for the kernels before this one",
                  simt_thread_name(t->m, touch_name(t)).text);
}

/* Whether the launch before may be at work on an element. */
static bool is_in_use(const struct simt_past *before, uint64_t address, bool writes)
{
    for (uint32_t i = 0; i < before->count; i++)
        if ((writes || before->tensors[i].written) && simt_exists(&before->tensors[i], address))
            return true;
    return false;
}

bool simt_may_access(struct thread *t, const struct ldsl_simt_site *site, uint64_t address,
                     uint32_t used, bool writes)
{
    if (t->awaited || !waits(t))
        return true;
    bool may = site->flags & LDSL_SIMT_READY;
    for (uint32_t i = 0; may && i < site->bytes / site->element; i++)
        if (used >> (i < 31 ? i : 31) & 1)
            may = !is_in_use(&t->m->launch->before, address + i * site->element, writes);
    if (!may)
        simt_fail(t, site, "%s meets %s before it has waited for the kernels before this one",
                  simt_thread_name(t->m, touch_name(t)).text, site->text);
    return may;
}

/* ---- from launch to launch --------------------------------------------------------------------- */

bool simt_past_copy(struct simt_past *out, const struct simt_past *from)
{
    *out = (struct simt_past){.tensors = calloc(from->count + 1, sizeof *out->tensors)};
    if (!out->tensors)
        return false;
    if (from->count)
        memcpy(out->tensors, from->tensors, from->count * sizeof *out->tensors);
    out->count = from->count;
    return true;
}

bool simt_past_of(struct simt_past *out, const struct simt_launch *l)
{
    *out = (struct simt_past){.tensors = calloc(SIMT_TENSORS, sizeof *out->tensors)};
    for (uint32_t i = 0; out->tensors && i < SIMT_TENSORS; i++)
        if (l->tensors[i].known && l->tensors[i].checked) {
            struct simt_tensor *x = &out->tensors[out->count++];
            *x = l->tensors[i];
            x->touches = NULL; /* the launch's own */
        }
    return out->tensors;
}
