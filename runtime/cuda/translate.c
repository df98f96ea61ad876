/* PTX to machine code by the driver's compiler, ahead of loading: what the compile cache keeps, so that
 * a process that finds it there loads it in a millisecond or two. */
#include "cuda/state.h"
#include "internal.h"

#include <stdint.h>
#include <string.h>

/* ---- the compiler's log ------------------------------------------------------------------------ */

void cuda_jit_init(struct cuda_jit *jit)
{
    /* The driver reads numbers from the pointers' own values. */
    void *size = (void *)(uintptr_t)(sizeof jit->error - 1), *yes = (void *)(uintptr_t)1;
    *jit = (struct cuda_jit){
        .options = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
                    CU_JIT_INFO_LOG_BUFFER,                                                 CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES,
                    CU_JIT_GENERATE_LINE_INFO                                                                                     },
        .values = {jit->error,              size,                               jit->info, size,                              yes},
    };
}

/* One line without the padding and the newline at its end. */
static const char *flatten(char *log)
{
    size_t length = strlen(log);
    while (length && (unsigned char)log[length - 1] <= ' ')
        log[--length] = '\0';
    for (char *c = log; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
    return log;
}

enum ldsl_status cuda_jit_end(struct cuda_jit *jit, struct cuda_device *d,
                              const struct ldsl_kernel_info *info, const char *call,
                              cu_result result)
{
    if (*flatten(jit->info))
        rt_warning(d->sink, "kernel %s (%s): %s", info->name, info->target, jit->info);
    if (result == CU_SUCCESS)
        return LDSL_OK;
    if (!*flatten(jit->error))
        return cuda_fail(d, call, result);
    return rt_error(d->sink, LDSL_DEVICE,
                    "cuda:%u: kernel %s (%s) cannot be loaded: %s failed with %s (%d): %s",
                    d->number, info->name, info->target, call, cuda_result_name(&d->api, result),
                    result, jit->error);
}

bool cuda_is_machine_code(const void *image, size_t bytes)
{
    static const unsigned char elf[] = {0x7f, 'E', 'L', 'F'}, fat[] = {0x50, 0xed, 0x55, 0xba};
    return bytes >= 4 && (memcmp(image, elf, 4) == 0 || memcmp(image, fat, 4) == 0);
}

/* ---- translating ------------------------------------------------------------------------------- */

/* The code belongs to the link, which outlives the copy. */
static enum ldsl_status link_text(struct cuda_device *d, ldsl_artifact **out,
                                  const ldsl_artifact *from, const struct ldsl_kernel_info *info,
                                  struct cuda_jit *jit)
{
    const char *call = "cuLinkCreate";
    cu_link link = NULL;
    void *code = NULL;
    size_t bytes, size = 0;
    void *text = (void *)(uintptr_t)ldsl_artifact_data(from, &bytes);
    cu_result result = d->api.cuLinkCreate_v2(sizeof jit->options / sizeof *jit->options,
                                              jit->options, jit->values, &link);
    if (result == CU_SUCCESS) {
        call = "cuLinkAddData";
        result =
            d->api.cuLinkAddData_v2(link, CU_JIT_INPUT_PTX, text, bytes, info->name, 0, NULL, NULL);
    }
    if (result == CU_SUCCESS) {
        call = "cuLinkComplete";
        result = d->api.cuLinkComplete(link, &code, &size);
    }
    enum ldsl_status status = cuda_jit_end(jit, d, info, call, result);
    if (!status && ldsl_artifact_with_code(out, from, code, size) != LDSL_OK)
        status = rt_nomem(d->sink);
    if (link)
        d->api.cuLinkDestroy(link);
    return status;
}

enum ldsl_status cuda_translate(void *device, ldsl_artifact **out, const ldsl_artifact *artifact)
{
    struct cuda_device *d = device;
    struct ldsl_kernel_info info;
    struct cuda_jit jit;
    size_t bytes;
    *out = NULL;
    if (!ldsl_artifact_kernel(artifact, &info))
        return rt_error(d->sink, LDSL_ARGUMENT, "the artifact holds no kernel");
    const char *text = ldsl_artifact_data(artifact, &bytes);
    if (bytes == 0 || cuda_is_machine_code(text, bytes) || text[bytes - 1])
        return rt_error(d->sink, LDSL_ARGUMENT, "the artifact of kernel %s holds no PTX",
                        info.name);
    enum ldsl_status status = cuda_enter(d);
    if (status)
        return status;
    cuda_jit_init(&jit);
    status = link_text(d, out, artifact, &info, &jit);
    cuda_leave(d);
    return status;
}
