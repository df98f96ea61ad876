/* What failed, in words. Kept is the first failure of the lowest program, so that the report does not
 * depend on which host thread was faster. */
#include "simt/machine.h"

#include "internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define NO_PROGRAM UINT64_MAX

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

static void keep_failure(struct simt_launch *l, uint64_t program, const struct ldsl_simt_site *site,
                         const char *format, va_list args)
{
    struct failure *f = &l->failure;
    pthread_mutex_lock(&l->lock);
    if (!f->count++ || program < f->program) {
        f->program = program;
        f->line = site ? site->line : 0;
        snprintf(f->path, sizeof f->path, "%s", site && site->path ? site->path : "");
        vsnprintf(f->text, sizeof f->text, format, args);
    }
    pthread_mutex_unlock(&l->lock);
}

void simt_fail(struct thread *t, const struct ldsl_simt_site *site, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    keep_failure(t->m->launch, t->m->program, site, format, args);
    va_end(args);
}

void simt_fail_after(struct simt_launch *l, const struct ldsl_simt_site *site, const char *format,
                     ...)
{
    va_list args;
    va_start(args, format);
    keep_failure(l, NO_PROGRAM, site, format, args);
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
    char program[40] = "";
    if (f->program != NO_PROGRAM)
        snprintf(program, sizeof program, ", program %" PRIu64, f->program);
    return rt_error_at(l->sink, LDSL_DEVICE, f->path[0] ? f->path : NULL, f->line,
                       "%s (kernel %s%s, %" PRIu64 " failed check%s)", f->text,
                       l->kernel->info.name, program, f->count, f->count == 1 ? "" : "s");
}
