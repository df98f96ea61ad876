/* What failed, in words. Kept is the first failure of the lowest program, so that the report does not
 * depend on which host thread was faster. */
#include "simt/machine.h"

#include "internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct simt_name simt_thread_name(const struct machine *m, uint32_t name)
{
    struct simt_name n;
    if (name == TOUCH_MANY || name & TOUCH_MANY_OF)
        snprintf(n.text, sizeof n.text, "several threads");
    else if (m->cluster > 1)
        snprintf(n.text, sizeof n.text, "thread %u of block %u", name % m->block_threads,
                 name / m->block_threads);
    else
        snprintf(n.text, sizeof n.text, "thread %u", name);
    return n;
}

void simt_fail(struct thread *t, const struct ldsl_simt_site *site, const char *format, ...)
{
    struct simt_launch *l = t->m->launch;
    struct failure *f = &l->failure;
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&l->lock);
    if (!f->count++ || t->m->program < f->program) {
        f->program = t->m->program;
        f->line = site ? site->line : 0;
        snprintf(f->path, sizeof f->path, "%s", site && site->path ? site->path : "");
        vsnprintf(f->text, sizeof f->text, format, args);
    }
    pthread_mutex_unlock(&l->lock);
    va_end(args);
}

void simt_fail_memory(struct simt_launch *l)
{
    pthread_mutex_lock(&l->lock);
    l->out_of_memory = true;
    pthread_mutex_unlock(&l->lock);
}

enum ldsl_status simt_tell(const struct simt_launch *l)
{
    const struct failure *f = &l->failure;
    if (l->out_of_memory)
        return rt_nomem(l->sink);
    if (!f->count)
        return LDSL_OK;
    return rt_error_at(l->sink, LDSL_DEVICE, f->path[0] ? f->path : NULL, f->line,
                       "%s (kernel %s, program %" PRIu64 ", %" PRIu64 " failed check%s)", f->text,
                       l->kernel->info.name, f->program, f->count, f->count == 1 ? "" : "s");
}
