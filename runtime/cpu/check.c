#include "cpu/check.h"
#include "internal.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_VALUES 16
#define NO_PROGRAM INT64_MAX

struct check {
    struct ldsl_check_report report; /* first: what the kernel sees */
    const struct ldsl_sink *sink;
    const char *kernel;
    uint32_t **writers;
    struct ldsl_check_extent *extents;
    uint32_t tensors;
    pthread_mutex_t lock;
    uint64_t failures;
    struct ldsl_check_site site; /* of the first failure */
    int64_t program, values[MAX_VALUES];
};

static uint32_t value_count(const struct ldsl_check_site *s)
{
    switch ((enum ldsl_check_kind)s->kind) {
    case LDSL_CHECK_BOUNDS: return 2 * s->rank;
    case LDSL_CHECK_OUTPUT:
    case LDSL_CHECK_UNWRITTEN: return s->rank;
    case LDSL_CHECK_RACE: return s->rank + 1;
    case LDSL_CHECK_ASSERT: break;
    }
    return 0;
}

/* Keeps the failure of the lowest program, so that the report does not depend on the threads. */
static void fail(struct ldsl_check_report *report, const struct ldsl_check_site *site,
                 int64_t program, const int64_t *values)
{
    struct check *c = (struct check *)(void *)report;
    pthread_mutex_lock(&c->lock);
    if (!c->failures++ || program < c->program) {
        c->site = *site;
        c->program = program;
        uint32_t count = value_count(site);
        for (uint32_t i = 0; i < count && i < MAX_VALUES; i++)
            c->values[i] = values[i];
    }
    pthread_mutex_unlock(&c->lock);
}

static uint32_t count_tensors(const struct ldsl_kernel_info *info)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < info->slot_count; i++)
        n += info->slots[i].kind == LDSL_SLOT_POINTER;
    return n;
}

static void free_check(struct check *c)
{
    for (uint32_t i = 0; c->writers && i < c->tensors; i++)
        free(c->writers[i]);
    free(c->writers);
    free(c->extents);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

enum ldsl_status check_begin(struct check **out, const struct ldsl_kernel_info *info,
                             check_extents *extents, const uint64_t *slots,
                             const struct ldsl_sink *sink)
{
    struct check *c = *out = calloc(1, sizeof *c);
    if (!c)
        return rt_nomem(sink);
    pthread_mutex_init(&c->lock, NULL);
    c->sink = sink;
    c->kernel = info->name;
    c->tensors = count_tensors(info);
    c->writers = calloc(c->tensors + 1, sizeof *c->writers);
    c->extents = calloc(c->tensors + 1, sizeof *c->extents);
    bool fine = c->writers && c->extents;
    if (fine)
        extents(slots, c->extents);
    for (uint32_t i = 0; i < c->tensors && fine; i++)
        if (c->extents[i].elements > 0) {
            c->writers[i] = calloc((size_t)c->extents[i].elements, sizeof **c->writers);
            fine = c->writers[i] != NULL;
        }
    c->report = (struct ldsl_check_report){.fail = fail, .writers = c->writers};
    if (fine)
        return LDSL_OK;
    free_check(c);
    *out = NULL;
    return rt_nomem(sink);
}

struct ldsl_check_report *check_report(struct check *c)
{
    return &c->report;
}

/* "x[3, 17]" */
static void put_element(char *text, size_t size, const struct check *c)
{
    size_t at = (size_t)snprintf(text, size, "%s[", c->site.tensor);
    for (uint32_t i = 0; i < c->site.rank && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%" PRId64, i ? ", " : "", c->values[i]);
    if (at < size)
        snprintf(text + at, size - at, "]");
}

/* The first subscript outside its dim. */
static uint32_t bad_dim(const struct check *c)
{
    uint32_t rank = c->site.rank;
    for (uint32_t i = 0; i < rank; i++)
        if (c->values[i] < 0 || c->values[i] >= c->values[rank + i])
            return i;
    return 0;
}

static enum ldsl_status tell(const struct check *c)
{
    char element[256] = "", what[512];
    const struct ldsl_check_site *s = &c->site;
    uint32_t d = bad_dim(c);
    if (s->tensor)
        put_element(element, sizeof element, c);
    switch ((enum ldsl_check_kind)s->kind) {
    case LDSL_CHECK_BOUNDS:
        snprintf(what, sizeof what, "%s is outside the tensor: dim %u has %" PRId64 " elements",
                 element, d, c->values[s->rank + d]);
        break;
    case LDSL_CHECK_ASSERT: snprintf(what, sizeof what, "assertion failed: %s", s->text); break;
    case LDSL_CHECK_UNWRITTEN:
        snprintf(what, sizeof what, "%s is read but has not been written", element);
        break;
    case LDSL_CHECK_RACE:
        snprintf(what, sizeof what, "%s belongs to two programs: program %" PRId64 " wrote it too",
                 element, c->values[s->rank]);
        break;
    case LDSL_CHECK_OUTPUT:
        snprintf(what, sizeof what, "%s is never written, but an `out` tensor is written whole",
                 element);
        break;
    }
    char program[40] = "";
    if (c->program != NO_PROGRAM)
        snprintf(program, sizeof program, ", program %" PRId64, c->program);
    return rt_error_at(c->sink, LDSL_DEVICE, s->path, s->line,
                       "%s (kernel %s%s, %" PRIu64 " failed check%s)", what, c->kernel, program,
                       c->failures, c->failures == 1 ? "" : "s");
}

/* The first element of an output that no program wrote. */
static void check_outputs(struct check *c)
{
    int64_t at[8];
    for (uint32_t i = 0; i < c->tensors && !c->failures; i++) {
        const struct ldsl_check_extent *x = &c->extents[i];
        int64_t element = 0;
        while (element < x->elements && c->writers[i][element])
            element++;
        if (!x->output || element >= x->elements)
            continue;
        for (uint32_t d = x->output->rank; d-- > 0; element /= x->dims[d])
            at[d] = element % x->dims[d];
        fail(&c->report, x->output, NO_PROGRAM, at);
    }
}

enum ldsl_status check_end(struct check *c)
{
    check_outputs(c);
    enum ldsl_status status = c->failures ? tell(c) : LDSL_OK;
    free_check(c);
    return status;
}
