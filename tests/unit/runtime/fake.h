/* A runtime edition of the test's own: a device that remembers, a compiler that counts. */
#ifndef RUNTIME_FAKE_H
#define RUNTIME_FAKE_H

#include "artifact.h"
#include "internal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct {
    atomic_int compiles, keys, loads, unloads, warnings, errors;
    atomic_bool fail; /* the compiler refuses */
    char warning[512], error[512];
} fake;

/* ---- the device -------------------------------------------------------------------------------- */

static uint32_t fake_probe(char *why, size_t size)
{
    (void)why;
    (void)size;
    return 1;
}

static uint32_t fake_probe_none(char *why, size_t size)
{
    snprintf(why, size, "no driver was found");
    return 0;
}

static enum ldsl_status fake_open(void **device, const struct rt_device_options *options)
{
    (void)options;
    *device = &fake;
    return LDSL_OK;
}

static void fake_close(void *device)
{
    (void)device;
}

static void fake_describe(void *device, struct rt_device_info *info)
{
    (void)device;
    *info = (struct rt_device_info){.name = "cpu", .target = "cpu:fake", .identity = "fake cpu"};
}

static enum ldsl_status fake_alloc(void *device, uint64_t *address, size_t bytes)
{
    (void)device;
    void *block = malloc(bytes);
    *address = (uint64_t)(uintptr_t)block;
    return block ? LDSL_OK : LDSL_NOMEM;
}

static void fake_free(void *device, uint64_t address)
{
    (void)device;
    free((void *)(uintptr_t)address);
}

static enum ldsl_status fake_upload(void *device, uint64_t to, const void *from, size_t bytes)
{
    (void)device;
    memcpy((void *)(uintptr_t)to, from, bytes);
    return LDSL_OK;
}

static enum ldsl_status fake_download(void *device, void *to, uint64_t from, size_t bytes)
{
    (void)device;
    memcpy(to, (void *)(uintptr_t)from, bytes);
    return LDSL_OK;
}

static enum ldsl_status fake_load(void *device, void **kernel, const ldsl_artifact *artifact)
{
    (void)device;
    *kernel = (void *)(uintptr_t)artifact;
    fake.loads++;
    return LDSL_OK;
}

static void fake_unload(void *device, void *kernel)
{
    (void)device;
    (void)kernel;
    fake.unloads++;
}

static const struct rt_device_ops fake_cpu = {
    .name = "cpu",
    .probe = fake_probe,
    .open = fake_open,
    .close = fake_close,
    .describe = fake_describe,
    .alloc = fake_alloc,
    .free = fake_free,
    .upload = fake_upload,
    .download = fake_download,
    .load = fake_load,
    .unload = fake_unload,
};

static const struct rt_device_ops fake_cuda = {.name = "cuda", .probe = fake_probe_none};

static const struct rt_device_ops *const fake_devices[] = {&fake_cuda, &fake_cpu, NULL};

/* ---- the compiler ------------------------------------------------------------------------------ */

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

static const char *fake_version(void)
{
    return "fake 1.0";
}

static const struct rt_compiler fake_compiler = {
    .identity = "fake", .compile = fake_compile, .key = fake_key, .version = fake_version};

const struct rt_edition rt_edition = {.devices = fake_devices, .compiler = &fake_compiler};

/* ---- listening --------------------------------------------------------------------------------- */

static void fake_report(void *user, const struct ldsl_diag *diag)
{
    (void)user;
    if (diag->severity == LDSL_WARNING) {
        fake.warnings++;
        snprintf(fake.warning, sizeof fake.warning, "%s", diag->text);
    } else if (diag->severity == LDSL_ERROR) {
        fake.errors++;
        snprintf(fake.error, sizeof fake.error, "%s", diag->text);
    }
}

static const struct ldsl_sink fake_sink = {.report = fake_report};

static inline void fake_reset(void)
{
    fake.compiles = fake.keys = fake.loads = fake.unloads = fake.warnings = fake.errors = 0;
    fake.fail = false;
    fake.warning[0] = fake.error[0] = '\0';
}

#endif
