/* Timing by the GPU's own clock: the work is captured as a graph and replayed between two events, so
 * that what the host does does not count. */
#include "cuda/state.h"
#include "internal.h"

/* Everything that one timing makes. Zeroed: not there. */
struct timing {
    cu_stream stream;
    cu_graph graph;
    cu_graph_exec exec;
    cu_event start, end;
};

static enum ldsl_status capture(struct cuda_device *d, struct timing *t,
                                enum ldsl_status (*work)(void *user, void *stream), void *user)
{
    enum ldsl_status status =
        CUDA_CALL(d, cuStreamBeginCapture_v2, t->stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
    if (status)
        return status;
    status = work(user, t->stream);
    /* A capture is ended whatever became of the work. */
    cu_result result = d->api.cuStreamEndCapture(t->stream, &t->graph);
    if (!status)
        status = cuda_check(d, "cuStreamEndCapture", result);
    return status ? status : CUDA_CALL(d, cuGraphInstantiateWithFlags, &t->exec, t->graph, 0);
}

static enum ldsl_status replay(struct cuda_device *d, const struct timing *t,
                               enum ldsl_status (*before)(void *user, void *stream), void *user,
                               double *seconds)
{
    float milliseconds = 0;
    enum ldsl_status status = before ? before(user, t->stream) : LDSL_OK;
    if (!status)
        status = CUDA_CALL(d, cuEventRecord, t->start, t->stream);
    if (!status)
        status = CUDA_CALL(d, cuGraphLaunch, t->exec, t->stream);
    if (!status)
        status = CUDA_CALL(d, cuEventRecord, t->end, t->stream);
    if (!status)
        status = CUDA_CALL(d, cuEventSynchronize, t->end);
    if (!status)
        status = CUDA_CALL(d, cuEventElapsedTime, &milliseconds, t->start, t->end);
    *seconds = 1e-3 * (double)milliseconds;
    return status;
}

static enum ldsl_status prepare(struct cuda_device *d, struct timing *t,
                                enum ldsl_status (*work)(void *user, void *stream), void *user)
{
    enum ldsl_status status = CUDA_CALL(d, cuStreamCreate, &t->stream, CU_STREAM_NON_BLOCKING);
    if (!status)
        status = CUDA_CALL(d, cuEventCreate, &t->start, 0);
    if (!status)
        status = CUDA_CALL(d, cuEventCreate, &t->end, 0);
    return status ? status : capture(d, t, work, user);
}

static void dispose(struct cuda_device *d, struct timing *t)
{
    if (t->exec)
        d->api.cuGraphExecDestroy(t->exec);
    if (t->graph)
        d->api.cuGraphDestroy(t->graph);
    if (t->end)
        d->api.cuEventDestroy_v2(t->end);
    if (t->start)
        d->api.cuEventDestroy_v2(t->start);
    if (t->stream)
        d->api.cuStreamDestroy_v2(t->stream);
}

enum ldsl_status cuda_time(void *device, enum ldsl_status (*before)(void *user, void *stream),
                           enum ldsl_status (*work)(void *user, void *stream), void *user,
                           double *seconds, uint32_t count)
{
    struct cuda_device *d = device;
    struct timing t = {0};
    enum ldsl_status status = cuda_enter(d);
    if (status)
        return status;
    /* What is enqueued on other streams is not part of the work. */
    status = CUDA_CALL(d, cuStreamSynchronize, NULL);
    if (!status)
        status = prepare(d, &t, work, user);
    for (uint32_t i = 0; !status && i < count; i++)
        status = replay(d, &t, before, user, &seconds[i]);
    dispose(d, &t);
    cuda_leave(d);
    return status;
}
