/* Finding the NVIDIA driver at run time, so that one binary runs with and without a GPU. */
#include "cuda/api.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* ISO C has no cast from void * to a function pointer; POSIX says the bytes are the same. */
static bool find(void *library, const char *name, void *function, size_t bytes)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, bytes);
    return symbol != NULL;
}

bool cuda_api_load(struct cuda_api *api, char *why, size_t size)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *reason = dlerror();
        /* A library that is there and does not load is worth the loader's own words. */
        if (!reason || strstr(reason, "No such file"))
            snprintf(why, size, "no NVIDIA driver: libcuda.so.1 was not found");
        else
            snprintf(why, size, "the NVIDIA driver does not load: %s", reason);
        return false;
    }
#define DRIVER(name, parameters)                                                                   \
    if (!find(library, #name, &api->name, sizeof api->name)) {                                     \
        snprintf(why, size, "the NVIDIA driver is older than CUDA 11.8: it has no " #name);        \
        return false;                                                                              \
    }
#include "driver_api.def"
#undef DRIVER
    return true;
}

const char *cuda_result_name(const struct cuda_api *api, cu_result result)
{
    const char *name = NULL;
    if (api->cuGetErrorName(result, &name) != CU_SUCCESS || !name)
        return "an error that the driver has no name for";
    return name;
}
