/* A runtime edition that compiles signatures for real and kernels for show: what a plan launches is
 * written down, slot by slot, instead of being run. */
#ifndef TEST_PLAN_H
#define TEST_PLAN_H

#include "fake.h"

#include "sema/sema.h"

/* ---- the compiler -------------------------------------------------------------------------------- */

/* The slots that code generation would ask for: see ldsl/artifact.h. */
static ldsl_artifact *kernel_artifact(const struct ir_func *f, const char *bindings)
{
    struct artifact_slot slots[MAX_EVENT_SLOTS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->tensors.count; i++) {
        const struct ir_tensor *t = &f->tensors.data[i];
        slots[count++] = (struct artifact_slot){LDSL_SLOT_POINTER, (uint32_t)t->elem, 0, t->name};
        for (uint32_t d = 0; d + !t->strided < t->rank; d++)
            slots[count++] = (struct artifact_slot){LDSL_SLOT_STRIDE, 0, d, t->name};
    }
    for (uint32_t i = 0; i < f->params.count; i++) {
        const struct ir_param *p = &f->params.data[i];
        slots[count++] = (struct artifact_slot){
            p->kind == IR_PARAM_DIM ? LDSL_SLOT_DIM : LDSL_SLOT_SCALAR,
            p->kind == IR_PARAM_DIM ? 0 : (uint32_t)p->value->type.elem, 0, p->name};
    }
    struct artifact_parts parts = {
        .kind = LDSL_ARTIFACT_KERNEL,
        .data = "",
        .data_bytes = 1,
        .info = {.name = f->name,
                 .entry = "k",
                 .target = "cpu:fake",
                 .variant = bindings,
                 .slot_count = count},
        .slots = slots,
    };
    return artifact_create(&parts);
}

static enum ldsl_status fake_compile(ldsl_artifact **out, const ldsl_source *source,
                                     const ldsl_options *options, const struct ldsl_sink *sink)
{
    struct session s;
    session_init(&s, sink);
    *out = NULL;
    fake.compiles++;
    if (setjmp(s.unwind.env)) {
        session_destroy(&s);
        return s.unwind.status;
    }
    struct sema_module *m =
        sema_load(&s, source_add(&s, source->path, source->text, source->length), NULL);
    if (!s.errors && options->emit == LDSL_EMIT_MODULE) {
        struct artifact_parts parts = {.kind = LDSL_ARTIFACT_MODULE};
        parts.data = sema_module_image(m, &parts.data_bytes);
        if (parts.data)
            *out = artifact_create(&parts);
    } else if (!s.errors) {
        struct bindings bindings;
        struct ir_func *f =
            sema_parse_bindings(m, options->kernel, options->bindings, NULL, &bindings, NULL)
                ? sema_elaborate(m, options->kernel, &bindings)
                : NULL;
        if (f)
            *out = kernel_artifact(f, options->bindings);
    }
    session_destroy(&s);
    return *out ? LDSL_OK : LDSL_SOURCE;
}

static enum ldsl_status fake_key(char key[33], const ldsl_source *source,
                                 const ldsl_options *options, const struct ldsl_sink *sink)
{
    (void)source;
    (void)options;
    (void)sink;
    snprintf(key, 33, "none");
    return LDSL_OK;
}

FAKE_EDITION(fake_compile, fake_key);

/* ---- a library and its plans ----------------------------------------------------------------------- */

struct world {
    ldsl_context *ctx;
    ldsl_library *lib;
};

static inline struct world open_world_on(const char *text, bool is_gpu)
{
    struct world w;
    fake_reset();
    fake.is_gpu = is_gpu;
    ldsl_context_options options = {.sink = fake_sink, .no_cache = true, .no_records = true};
    assert_int_equal(ldsl_context_create(&w.ctx, "cpu", &options), LDSL_OK);
    if (ldsl_library_load_text(&w.lib, w.ctx, "test.ldsl", text, strlen(text)))
        fail_msg("test.ldsl:%u: %s", fake.error_line, fake.error);
    return w;
}

static inline struct world open_world(const char *text)
{
    return open_world_on(text, false);
}

static inline void close_world(struct world *w)
{
    ldsl_library_destroy(w->lib);
    ldsl_context_destroy(w->ctx);
}

/* A contiguous tensor by its shape; ends at the first negative extent. */
static inline ldsl_argument tensor(const char *name, enum ldsl_dtype dtype, int64_t d0, int64_t d1,
                                   int64_t d2)
{
    const int64_t dims[] = {d0, d1, d2};
    ldsl_argument a = {.name = name, .kind = LDSL_ARG_TENSOR, .dtype = dtype};
    while (a.rank < 3 && dims[a.rank] >= 0) {
        a.shape[a.rank] = dims[a.rank];
        a.rank++;
    }
    return a;
}

static inline ldsl_argument number(const char *name, double value)
{
    return (ldsl_argument){.name = name, .kind = LDSL_ARG_SCALAR, .number = value};
}

static inline ldsl_argument integer(const char *name, int64_t value)
{
    return (ldsl_argument){
        .name = name, .kind = LDSL_ARG_SCALAR, .integer = value, .is_integer = true};
}

static inline ldsl_argument word(const char *name, const char *text)
{
    return (ldsl_argument){.name = name, .kind = LDSL_ARG_ENUM, .word = text};
}

static inline ldsl_argument absent(const char *name)
{
    return (ldsl_argument){.name = name, .kind = LDSL_ARG_ABSENT};
}

#define COUNT(list) ((uint32_t)(sizeof(list) / sizeof *(list)))

static inline ldsl_plan *prepare(struct world *w, const char *op, const ldsl_argument *args,
                                 uint32_t count, const char *with)
{
    ldsl_plan *plan;
    if (ldsl_plan_prepare(&plan, w->lib, op, args, count, with))
        fail_msg("%s", fake.error);
    return plan;
}

static inline void assert_refused(struct world *w, const char *op, const ldsl_argument *args,
                                  uint32_t count, const char *with, const char *text)
{
    ldsl_plan *plan;
    fake.error[0] = '\0';
    assert_int_not_equal(ldsl_plan_prepare(&plan, w->lib, op, args, count, with), LDSL_OK);
    assert_null(plan);
    assert_string_equal(fake.error, text);
    assert_string_equal(ldsl_last_error(), text);
}

/* Tensor i of the plan lies at (i + 1) << 32, the workspace at 1 << 48. */
#define BASE(i)   ((uint64_t)((i) + 1) << 32)
#define WORKSPACE ((uint64_t)1 << 48)

static inline void launch(const ldsl_plan *plan)
{
    uint64_t pointers[16];
    uint32_t count = ldsl_plan_tensor_count(plan);
    for (uint32_t i = 0; i < count; i++)
        pointers[i] = BASE(i);
    fake.event_count = 0;
    if (ldsl_plan_launch(plan, pointers, count, WORKSPACE, NULL))
        fail_msg("%s", fake.error);
}

/* The slot of a launch: its value by kind and name. */
static inline uint64_t slot(const struct event *e, enum ldsl_slot_kind kind, const char *name,
                            uint32_t dim)
{
    for (uint32_t i = 0; i < e->slot_count; i++)
        if (e->slot_names[i].kind == kind && e->slot_names[i].dim == dim &&
            strcmp(e->slot_names[i].name, name) == 0)
            return e->slots[i];
    fail_msg("%s has no slot %s", e->name, name);
    return 0;
}

#define POINTER(e, name)     slot((e), LDSL_SLOT_POINTER, (name), 0)
#define STRIDE(e, name, dim) slot((e), LDSL_SLOT_STRIDE, (name), (dim))
#define DIM(e, name)         slot((e), LDSL_SLOT_DIM, (name), 0)
#define SCALAR(e, name)      slot((e), LDSL_SLOT_SCALAR, (name), 0)

#endif
