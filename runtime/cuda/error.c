/* How calls of the driver fail. */
#include "cuda/state.h"
#include "internal.h"

#include <stdio.h>

/* After these the driver answers every call of the process on this GPU with the same error. */
static bool is_sticky(cu_result result)
{
    switch (result) {
    case CU_DEINITIALIZED:
    case CU_ECC_UNCORRECTABLE:
    case CU_NVLINK_UNCORRECTABLE:
    case CU_ILLEGAL_ADDRESS:
    case CU_LAUNCH_TIMEOUT:
    case CU_CONTEXT_IS_DESTROYED:
    case CU_ASSERT:
    case CU_HARDWARE_STACK_ERROR:
    case CU_ILLEGAL_INSTRUCTION:
    case CU_MISALIGNED_ADDRESS:
    case CU_INVALID_ADDRESS_SPACE:
    case CU_INVALID_PC:
    case CU_LAUNCH_FAILED: return true;
    default: return false;
    }
}

static enum ldsl_status tell_loss(const struct cuda_device *d)
{
    return rt_error(d->sink, LDSL_DEVICE, "%s", d->loss);
}

/* The first thread to see the error names it; the work that caused it may be another's. */
static void keep_loss(struct cuda_device *d, const char *call, cu_result result)
{
    pthread_mutex_lock(&d->loss_lock);
    if (!atomic_load(&d->lost)) {
        snprintf(d->loss, sizeof d->loss,
                 "cuda:%u is lost to this process, which must start anew: %s failed with %s (%d)",
                 d->number, call, cuda_result_name(&d->api, result), result);
        atomic_store(&d->lost, true);
    }
    pthread_mutex_unlock(&d->loss_lock);
}

enum ldsl_status cuda_fail(struct cuda_device *d, const char *call, cu_result result)
{
    if (is_sticky(result)) {
        keep_loss(d, call, result);
        return tell_loss(d);
    }
    return rt_error(d->sink, result == CU_OUT_OF_MEMORY ? LDSL_NOMEM : LDSL_DEVICE,
                    "cuda:%u: %s failed with %s (%d)", d->number, call,
                    cuda_result_name(&d->api, result), result);
}

enum ldsl_status cuda_enter(struct cuda_device *d)
{
    if (atomic_load(&d->lost))
        return tell_loss(d);
    return CUDA_CALL(d, cuCtxPushCurrent_v2, d->context);
}

enum ldsl_status cuda_enter_quickly(struct cuda_device *d, bool *entered)
{
    cu_context current = NULL;
    *entered = false;
    if (!atomic_load(&d->lost) && d->api.cuCtxGetCurrent(&current) == CU_SUCCESS &&
        current == d->context)
        return LDSL_OK;
    enum ldsl_status status = cuda_enter(d);
    *entered = status == LDSL_OK;
    return status;
}

void cuda_leave(struct cuda_device *d)
{
    cu_context popped;
    d->api.cuCtxPopCurrent_v2(&popped);
}
