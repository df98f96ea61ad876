/* Running a trial on a device, and watching what it touches. */
#include "subject.h"

#include <ldsl/tune.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GUARD_BYTES = 512,   /* before and after every buffer's content */
    GUARD_FILL = 0xa5,   /* guard bands, and gaps between rows */
    POISON_FLOAT = 0xff, /* a NaN in every format */
    POISON_INTEGER = 0xa7,
    REPLAYS = 2
};

/* ---- arguments ---------------------------------------------------------------------------- */

/* Strides of a layout; those of a packed tensor are its own. */
static void set_strides(int64_t *strides, const ldsl_op_param *p, const int64_t *shape,
                        unsigned layout)
{
    int64_t step = 1;
    for (uint32_t d = p->rank; d-- > 0;) {
        strides[d] = step;
        step *= shape[d] ? shape[d] : 1;
        if (d == p->rank - 1 && layout & LAYOUT_PADDED && p->rank > 1)
            step += step % 2 ? 2 : 3; /* odd, whatever the width */
    }
}

static void set_argument(ldsl_argument *a, const struct trial *t, uint32_t i)
{
    const ldsl_op_param *p = &t->subject->params[i];
    const struct trial_param *value = &t->params[i];
    *a = (ldsl_argument){.name = p->name};
    switch (p->kind) {
    case LDSL_KIND_TENSOR:
        a->kind = value->absent ? LDSL_ARG_ABSENT : LDSL_ARG_TENSOR;
        if (value->absent)
            return;
        a->dtype = trial_dtype(t, i);
        a->rank = p->rank;
        trial_shape(t, i, a->shape);
        set_strides(a->strides, p, a->shape, t->layout);
        a->alignment = t->layout & LAYOUT_MISALIGNED ? (uint32_t)ldsl_dtype_size(a->dtype) : 0;
        return;
    case LDSL_KIND_SCALAR:
        a->kind = LDSL_ARG_SCALAR;
        a->number = value->number;
        a->integer = value->integer;
        a->is_integer = value->is_integer;
        return;
    case LDSL_KIND_ENUM:
        a->kind = LDSL_ARG_ENUM;
        a->word = value->word;
        return;
    }
}

/* One argument a generic, then those of the parameters that are given. malloc'ed. */
static ldsl_argument *make_arguments(uint32_t *count, const struct trial *t)
{
    const struct subject *s = t->subject;
    ldsl_argument *list = calloc(s->generic_count + s->info.param_count + 1, sizeof *list);
    *count = 0;
    if (!list)
        return NULL;
    for (uint32_t g = 0; g < s->generic_count; g++)
        list[(*count)++] = (ldsl_argument){
            .name = s->generics[g].name, .kind = LDSL_ARG_TYPE, .dtype = t->types[g]};
    for (uint32_t i = 0; i < s->info.param_count; i++)
        if (s->params[i].kind == LDSL_KIND_TENSOR || t->params[i].given)
            set_argument(&list[(*count)++], t, i);
    return list;
}

enum ldsl_status trial_prepare(ldsl_plan **out, const struct trial *t, ldsl_library *library)
{
    uint32_t count;
    char with[256];
    *out = NULL;
    snprintf(with, sizeof with, "%s%s%s", t->parts ? t->parts : "", t->parts && t->with ? "," : "",
             t->with ? t->with : "");
    ldsl_argument *arguments = make_arguments(&count, t);
    if (!arguments)
        return LDSL_NOMEM;
    enum ldsl_status status =
        ldsl_plan_prepare(out, library, t->subject->info.name, arguments, count, with);
    free(arguments);
    return status;
}

/* ---- tensors on the device ---------------------------------------------------------------- */

/* A tensor of the plan between two guard bands. */
struct placed {
    ldsl_tensor_info info;
    struct trial_param *value;
    const char *name;
    ldsl_buffer *buffer;
    size_t base, bytes;               /* where its first element stands; size of the buffer */
    unsigned char *image;             /* what is uploaded */
    unsigned char *result;            /* what came back */
    bool differs;                     /* a second run gave other bits */
    unsigned char *replayed[REPLAYS]; /* what came back after each replay of a graph */
};

/* Calls visit for every row of the tensor: its byte offset in the buffer, its byte offset in dense
 * order, its bytes. */
static void each_row(struct placed *p, void (*visit)(struct placed *, size_t, size_t, size_t))
{
    size_t element = ldsl_dtype_size(p->info.dtype);
    int64_t at[LDSL_MAX_RANK] = {0};
    uint32_t outer = p->info.rank ? p->info.rank - 1 : 0;
    size_t width = p->info.rank ? (size_t)p->info.shape[outer] : 1;
    for (uint32_t d = 0; d < p->info.rank; d++)
        if (p->info.shape[d] == 0)
            return;
    for (size_t row = 0;; row++) {
        int64_t offset = 0;
        for (uint32_t d = 0; d < outer; d++)
            offset += at[d] * p->info.strides[d];
        visit(p, p->base + (size_t)offset * element, row * width * element, width * element);
        uint32_t d = outer;
        while (d-- > 0 && ++at[d] == p->info.shape[d])
            at[d] = 0;
        if (d == UINT32_MAX)
            return;
    }
}

static void put_row(struct placed *p, size_t offset, size_t dense, size_t bytes)
{
    if (p->value->before.data)
        memcpy(p->image + offset, (char *)p->value->before.data + dense, bytes);
    else
        memset(p->image + offset, dtype_is_float(p->info.dtype) ? POISON_FLOAT : POISON_INTEGER,
               bytes);
}

/* Takes the row over and puts the old bytes in its place, so that what is left can be compared. */
static void take_row(struct placed *p, size_t offset, size_t dense, size_t bytes)
{
    memcpy((char *)p->value->after.data + dense, p->result + offset, bytes);
    memcpy(p->result + offset, p->image + offset, bytes);
}

static void compare_row(struct placed *p, size_t offset, size_t dense, size_t bytes)
{
    if (memcmp((char *)p->value->after.data + dense, p->result + offset, bytes) != 0)
        p->differs = true;
}

static enum ldsl_status place(struct placed *p, struct trial *t, ldsl_context *ctx)
{
    for (uint32_t i = 0; i < t->subject->info.param_count; i++) {
        if (strcmp(t->subject->params[i].name, p->info.name) == 0) {
            p->value = &t->params[i];
            p->name = t->subject->params[i].name;
        }
    }
    p->base = GUARD_BYTES;
    if (t->layout & LAYOUT_MISALIGNED)
        p->base += ldsl_dtype_size(p->info.dtype);
    p->bytes = p->base + p->info.bytes + GUARD_BYTES;
    p->image = malloc(p->bytes);
    p->result = malloc(p->bytes);
    if (!p->image || !p->result || !p->value)
        return LDSL_NOMEM;
    memset(p->image, GUARD_FILL, p->bytes);
    each_row(p, put_row);
    return ldsl_buffer_create(&p->buffer, ctx, p->bytes);
}

static void unplace(struct placed *p)
{
    ldsl_buffer_destroy(p->buffer);
    free(p->image);
    free(p->result);
    for (int i = 0; i < REPLAYS; i++)
        free(p->replayed[i]);
}

/* ---- running ------------------------------------------------------------------------------ */

struct run {
    ldsl_context *ctx;
    ldsl_plan *plan;
    uint32_t count;
    struct placed *tensors;
    uint64_t *pointers;
    ldsl_buffer *workspace;
    size_t workspace_bytes;
    unsigned char *workspace_image; /* with its guard bands */
    unsigned replays;               /* begun */
};

static enum ldsl_status place_all(struct run *run, struct trial *t)
{
    enum ldsl_status status = LDSL_OK;
    run->count = ldsl_plan_tensor_count(run->plan);
    run->tensors = calloc(run->count + 1, sizeof *run->tensors);
    run->pointers = calloc(run->count + 1, sizeof *run->pointers);
    run->workspace_bytes = ldsl_plan_workspace_bytes(run->plan);
    run->workspace_image = malloc(run->workspace_bytes + 2 * GUARD_BYTES);
    if (!run->tensors || !run->pointers || !run->workspace_image)
        return LDSL_NOMEM;
    for (uint32_t i = 0; !status && i < run->count; i++) {
        ldsl_plan_tensor(run->plan, i, &run->tensors[i].info);
        status = place(&run->tensors[i], t, run->ctx);
        if (!status)
            run->pointers[i] = ldsl_buffer_address(run->tensors[i].buffer) + run->tensors[i].base;
    }
    if (!status)
        status =
            ldsl_buffer_create(&run->workspace, run->ctx, run->workspace_bytes + 2 * GUARD_BYTES);
    return status;
}

/* Fresh inputs, poisoned outputs and workspace. */
static enum ldsl_status prepare_memory(struct run *run)
{
    size_t workspace_bytes = run->workspace_bytes + 2 * GUARD_BYTES;
    memset(run->workspace_image, POISON_FLOAT, workspace_bytes);
    enum ldsl_status status =
        ldsl_buffer_upload(run->workspace, 0, run->workspace_image, workspace_bytes);
    for (uint32_t i = 0; !status && i < run->count; i++)
        status = ldsl_buffer_upload(run->tensors[i].buffer, 0, run->tensors[i].image,
                                    run->tensors[i].bytes);
    return status;
}

static enum ldsl_status launch_on(void *user, void *stream)
{
    const struct run *run = user;
    return ldsl_plan_launch(run->plan, run->pointers, run->count,
                            ldsl_buffer_address(run->workspace) + GUARD_BYTES, stream);
}

/* Launch; everything back. */
static enum ldsl_status launch(struct run *run)
{
    size_t workspace_bytes = run->workspace_bytes + 2 * GUARD_BYTES;
    enum ldsl_status status = prepare_memory(run);
    if (!status)
        status = launch_on(run, NULL);
    if (!status)
        status = ldsl_stream_synchronize(run->ctx, NULL);
    for (uint32_t i = 0; !status && i < run->count; i++)
        status = ldsl_buffer_download(run->tensors[i].buffer, 0, run->tensors[i].result,
                                      run->tensors[i].bytes);
    if (!status)
        status = ldsl_buffer_download(run->workspace, 0, run->workspace_image, workspace_bytes);
    return status;
}

static void check_bands(const struct placed *p, struct tensor_error *wrong)
{
    for (size_t i = 0; i < p->bytes && !*wrong->text; i++) {
        if (p->result[i] == p->image[i])
            continue;
        if (!p->info.is_written)
            tensor_fail(wrong, "input '%s' was written (byte %zd)", p->name,
                        (ssize_t)(i - p->base));
        else
            tensor_fail(wrong, "'%s' was written outside of its elements (byte %zd of %zu)",
                        p->name, (ssize_t)(i - p->base), p->info.bytes);
    }
}

static void check_workspace(const struct run *run, struct tensor_error *wrong)
{
    const unsigned char *after = run->workspace_image + GUARD_BYTES + run->workspace_bytes;
    for (size_t i = 0; i < GUARD_BYTES && !*wrong->text; i++)
        if (run->workspace_image[i] != POISON_FLOAT || after[i] != POISON_FLOAT)
            tensor_fail(wrong, "memory beside the workspace was written");
}

/* The second run must give the bits of the first, which are in value->after. */
static void check_repeat(struct placed *p, struct tensor_error *wrong)
{
    if (!p->info.is_written)
        return;
    each_row(p, compare_row);
    if (p->differs && !*wrong->text)
        tensor_fail(wrong, "a second run gave other bits in '%s'", p->name);
}

/* ---- graphs ------------------------------------------------------------------------------- */

static enum ldsl_status keep_replay(struct run *run, unsigned number)
{
    enum ldsl_status status = LDSL_OK;
    for (uint32_t i = 0; !status && i < run->count; i++) {
        struct placed *p = &run->tensors[i];
        p->replayed[number] = malloc(p->bytes);
        status = p->replayed[number]
                     ? ldsl_buffer_download(p->buffer, 0, p->replayed[number], p->bytes)
                     : LDSL_NOMEM;
    }
    return status;
}

/* Ahead of each replay: what the one before gave is kept. */
static enum ldsl_status before_replay(void *user, void *stream)
{
    struct run *run = user;
    enum ldsl_status status = run->replays ? keep_replay(run, run->replays - 1) : LDSL_OK;
    (void)stream;
    run->replays++;
    return status ? status : prepare_memory(run);
}

/* The plan's very first launch is the captured one: what it still had to load would show. */
static enum ldsl_status replay(struct run *run)
{
    double seconds[REPLAYS];
    enum ldsl_status status =
        ldsl_device_time(run->ctx, before_replay, launch_on, run, seconds, REPLAYS);
    return status ? status : keep_replay(run, REPLAYS - 1);
}

/* The plain run has just come back. */
static void check_replays(const struct placed *p, struct tensor_error *wrong)
{
    for (int i = 0; i < REPLAYS && !*wrong->text; i++)
        if (memcmp(p->replayed[i], p->result, p->bytes) != 0)
            tensor_fail(wrong, "replay %d of a captured graph gave other bits in '%s'", i + 1,
                        p->name);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static enum ldsl_status run_plan(struct run *run, const struct trial *t, struct tensor_error *wrong)
{
    enum ldsl_status status = t->graph ? replay(run) : LDSL_OK;
    if (!status)
        status = launch(run);
    if (status)
        return status;
    for (uint32_t i = 0; t->graph && i < run->count; i++)
        check_replays(&run->tensors[i], wrong);
    for (uint32_t i = 0; i < run->count; i++) {
        struct placed *p = &run->tensors[i];
        if (p->info.is_written)
            each_row(p, take_row);
        check_bands(p, wrong);
    }
    check_workspace(run, wrong);
    if (t->once)
        return LDSL_OK;
    status = launch(run);
    for (uint32_t i = 0; !status && i < run->count; i++)
        check_repeat(&run->tensors[i], wrong);
    return status;
}

enum ldsl_status trial_run(struct trial *t, ldsl_context *ctx, ldsl_library *library,
                           struct tensor_error *wrong)
{
    struct run run = {.ctx = ctx};
    *wrong->text = '\0';
    enum ldsl_status status = trial_prepare(&run.plan, t, library);
    if (!status)
        status = place_all(&run, t);
    if (!status)
        status = run_plan(&run, t, wrong);
    for (uint32_t i = 0; run.tensors && i < run.count; i++)
        unplace(&run.tensors[i]);
    free(run.tensors);
    free(run.pointers);
    ldsl_buffer_destroy(run.workspace);
    free(run.workspace_image);
    ldsl_plan_destroy(run.plan);
    return status;
}
