/* The edition without a compiler (libldsl_rt): launches what is in the cache or a bundle. */
#include "internal.h"

#include "cuda/cuda.h"

static const struct rt_device_ops *const devices[] = {&rt_cuda, NULL};

const struct rt_edition rt_edition = {.devices = devices};
