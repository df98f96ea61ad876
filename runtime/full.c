/* The edition with everything (libldsl): compiler, CPU device, built-in operators. */
#include "internal.h"

#include "cpu/cpu.h"
#include "cuda/cuda.h"
#include "simt/simt.h"

#include <identity.h>

/* The first one there is the default: a GPU, or else the CPU. */
static const struct rt_device_ops *const devices[] = {&rt_cuda, &rt_cpu, &rt_simt, NULL};

static const struct rt_compiler compiler = {
    .identity = LDSL_IDENTITY,
    .compile = ldsl_compile,
    .key = ldsl_compile_key,
    .version = ldsl_compiler_version,
};

const struct rt_edition rt_edition = {
    .devices = devices,
    .compiler = &compiler,
    .builtins = builtin_files,
    .records = builtin_records,
};
