/* A runtime edition of the test's own: a device that remembers what it was asked to do, and whatever
 * compiler the test names in FAKE_EDITION (fake_kernels.h and plan_world.h have one each). */
#ifndef RUNTIME_FAKE_H
#define RUNTIME_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "artifact.h"
#include "internal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_EVENTS = 64, MAX_EVENT_SLOTS = 64 };

struct event {
    char kind; /* 'k'ernel, 'z'ero, 'c'opy */
    char name[64];
    char variant[256];
    uint64_t programs;
    bool alone;
    uint64_t slots[MAX_EVENT_SLOTS];
    struct artifact_slot slot_names[MAX_EVENT_SLOTS];
    uint32_t slot_count;
    uint64_t to, from;
    size_t bytes;
};

static struct {
    struct event events[MAX_EVENTS];
    atomic_uint event_count;
    atomic_int compiles, keys, loads, unloads, warnings, errors;
    atomic_bool fail;                /* the compiler refuses */
    bool is_gpu;                     /* the device has warps */
    char warning[1024], error[1024]; /* the last ones */
    uint32_t error_line;             /* its place */
} fake;

static inline void fake_reset(void)
{
    memset(&fake, 0, sizeof fake);
}

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

/* Of a GPU with 4 multiprocessors: none alike or twice another, so that a number of programs tells its cluster. */
static const int64_t fake_clusters[RT_CLUSTER_SIZES] = {6, 10, 14};

static void fake_describe(void *device, struct rt_device_info *info)
{
    (void)device;
    *info = (struct rt_device_info){.name = "cpu",
                                    .target = "cpu:fake",
                                    .identity = "fake cpu",
                                    .sm_count = 4,
                                    .smem = 0,
                                    .cc = fake.is_gpu ? 90 : 0,
                                    .lanes = 1,
                                    .is_gpu = fake.is_gpu};
    for (int i = 0; fake.is_gpu && i < RT_CLUSTER_SIZES; i++)
        info->clusters[i] = fake_clusters[i];
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

static struct event *next_event(char kind)
{
    unsigned i = atomic_fetch_add(&fake.event_count, 1);
    assert_true(i < MAX_EVENTS);
    fake.events[i] = (struct event){.kind = kind};
    return &fake.events[i];
}

static enum ldsl_status fake_launch(void *device, void *kernel, const uint64_t *slots,
                                    uint32_t slot_count, uint64_t programs, bool alone,
                                    void *stream)
{
    (void)device;
    (void)stream;
    const ldsl_artifact *artifact = kernel;
    struct ldsl_kernel_info info;
    struct event *e = next_event('k');
    assert_true(ldsl_artifact_kernel(artifact, &info));
    assert_int_equal(info.slot_count, slot_count);
    assert_true(slot_count <= MAX_EVENT_SLOTS);
    snprintf(e->name, sizeof e->name, "%s", info.name);
    snprintf(e->variant, sizeof e->variant, "%s", info.variant);
    e->programs = programs;
    e->alone = alone;
    e->slot_count = slot_count;
    for (uint32_t i = 0; i < slot_count; i++) {
        e->slots[i] = slots[i];
        e->slot_names[i] =
            (struct artifact_slot){.kind = info.slots[i].kind,
                                   .dim = info.slots[i].dim,
                                   .name = ldsl_artifact_text(artifact, info.slots[i].name)};
    }
    return LDSL_OK;
}

static enum ldsl_status fake_zero(void *device, uint64_t to, size_t bytes, void *stream)
{
    (void)device;
    (void)stream;
    struct event *e = next_event('z');
    e->to = to;
    e->bytes = bytes;
    return LDSL_OK;
}

static enum ldsl_status fake_copy(void *device, uint64_t to, uint64_t from, size_t bytes,
                                  void *stream)
{
    (void)device;
    (void)stream;
    struct event *e = next_event('c');
    e->to = to;
    e->from = from;
    e->bytes = bytes;
    return LDSL_OK;
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
    .launch = fake_launch,
    .zero = fake_zero,
    .copy = fake_copy,
};

static const struct rt_device_ops fake_cuda = {.name = "cuda", .probe = fake_probe_none};

static const struct rt_device_ops *const fake_devices[] = {&fake_cuda, &fake_cpu, NULL};

/* ---- the compiler ------------------------------------------------------------------------------ */

static const char *fake_version(void)
{
    return "fake 1.0";
}

#define FAKE_EDITION(compile_function, key_function)                                               \
    static const struct rt_compiler fake_compiler = {.identity = "fake",                           \
                                                     .compile = (compile_function),                \
                                                     .key = (key_function),                        \
                                                     .version = fake_version};                     \
    const struct rt_edition rt_edition = {.devices = fake_devices, .compiler = &fake_compiler}

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
        fake.error_line = diag->place.line;
    }
}

static const struct ldsl_sink fake_sink = {.report = fake_report};

#endif
