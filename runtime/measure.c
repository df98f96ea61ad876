/* Timing work on a device. */
#include "internal.h"

#include <ldsl/tune.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* By the host's clock, for devices without one of their own: the work is waited for. */
static enum ldsl_status time_once(ldsl_context *ctx,
                                  enum ldsl_status (*before)(void *user, void *stream),
                                  enum ldsl_status (*work)(void *user, void *stream), void *user,
                                  double *seconds)
{
    enum ldsl_status status = before ? before(user, NULL) : LDSL_OK;
    if (!status)
        status = ctx->ops->synchronize(ctx->device, NULL);
    double start = now();
    if (!status)
        status = work(user, NULL);
    if (!status)
        status = ctx->ops->synchronize(ctx->device, NULL);
    *seconds = now() - start;
    return status;
}

enum ldsl_status ldsl_device_time(ldsl_context *ctx,
                                  enum ldsl_status (*before)(void *user, void *stream),
                                  enum ldsl_status (*work)(void *user, void *stream), void *user,
                                  double *seconds, uint32_t count)
{
    if (!ctx || !work || !seconds)
        return rt_error(ctx ? &ctx->sink : NULL, LDSL_ARGUMENT,
                        "timing needs a context, some work and a place for the times");
    if (ctx->ops->time)
        return ctx->ops->time(ctx->device, before, work, user, seconds, count);
    enum ldsl_status status = LDSL_OK;
    for (uint32_t i = 0; !status && i < count; i++)
        status = time_once(ctx, before, work, user, &seconds[i]);
    return status;
}
