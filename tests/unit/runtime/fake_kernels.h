/* A compiler for show: what it makes of a kernel are its bindings. It counts. */
#ifndef RUNTIME_FAKE_KERNELS_H
#define RUNTIME_FAKE_KERNELS_H

#include "fake.h"

#include <time.h>

static enum ldsl_status fake_compile(ldsl_artifact **out, const ldsl_source *source,
                                     const ldsl_options *options, const struct ldsl_sink *sink)
{
    struct timespec pause = {.tv_nsec = 20000000}; /* time for others to come in between */
    struct ldsl_diag diag = {
        .severity = LDSL_ERROR,
        .code = 100,
        .text = "no such luck",
        .place = {.path = source->path, .line = 3, .column = 7}
    };
    nanosleep(&pause, NULL);
    fake.compiles++;
    if (fake.fail) {
        sink->report(sink->user, &diag);
        return LDSL_SOURCE;
    }
    struct artifact_parts parts = {
        .kind = LDSL_ARTIFACT_KERNEL,
        .data = options->bindings,
        .data_bytes = strlen(options->bindings) + 1,
        .info = {.name = options->kernel,
                 .entry = "k",
                 .target = options->target,
                 .variant = options->bindings},
    };
    *out = artifact_create(&parts);
    return *out ? LDSL_OK : LDSL_NOMEM;
}

static enum ldsl_status fake_key(char key[33], const ldsl_source *source,
                                 const ldsl_options *options, const struct ldsl_sink *sink)
{
    (void)source;
    (void)sink;
    fake.keys++;
    snprintf(key, 33, "%.20s%.11s", options->bindings, options->kernel);
    return LDSL_OK;
}

FAKE_EDITION(fake_compile, fake_key);

#endif
