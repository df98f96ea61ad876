/* Layouts of functions in tile IR, and whether they hold every element once: for tests. */
#ifndef TESTS_CODEGEN_LAYOUT_H
#define TESTS_CODEGEN_LAYOUT_H

#include "codegen/gpu/gpu.h"
#include "run.h"

/* ---- a function and its layout ----------------------------------------------------------------- */

static const struct facts gpu_facts = {
    .lanes = 32,
    .vector_bytes = 16,
    .registers = 255,
    .shared_bytes = 232448,
    .max_tile = 65536,
    .has_bf16_math = true,
    .block_threads = 1024,
    .block_registers = 65536,
    .resident = 2048,
    .cluster = 16,
    .has_async_copy = true,
    .has_dependent_launch = true,
};

struct made {
    struct session s;
    struct target_machine machine;
    struct gen g;
    struct schedule schedule;
    struct gpu_layout layout;
    bool fine;
};

static inline void ignore_diag(void *user, const struct ldsl_diag *d)
{
    char *last = user;
    ldsl_diag_format(d, LDSL_DIAG_PLAIN, last, 512);
}

static char last_message[512];

static inline void read_function(struct made *m, const char *text)
{
    static const struct ldsl_sink sink = {ignore_diag, last_message};
    last_message[0] = '\0';
    session_init(&m->s, &sink);
    if (setjmp(m->s.unwind.env)) {
        fprintf(stderr, "%s\n%s", last_message, text);
        fail();
    }
    struct ir_func *f = ir_read(&m->s, source_add(&m->s, "test.tir", text, strlen(text)));
    if (!f)
        fprintf(stderr, "%s\n%s", last_message, text);
    assert_non_null(f);
    m->machine = (struct target_machine){.facts = gpu_facts};
    m->g = (struct gen){.s = &m->s, .f = f, .target = &m->machine};
}

/* In the caller's memory, since an unwind must find it. */
static inline void make(struct made *m, const char *text)
{
    read_function(m, text);
    m->fine = gpu_schedule(&m->g, &m->schedule) && gpu_assign(&m->g, &m->schedule, &m->layout);
    diag_flush(&m->s);
}

static inline void end(struct made *m)
{
    session_destroy(&m->s);
}

static inline uint32_t axis_number(const struct made *m, const char *name)
{
    for (uint32_t a = 0; a < m->g.f->axes.count; a++)
        if (strcmp(m->g.f->axes.data[a].name, name) == 0)
            return a;
    fail();
    return 0;
}

static inline const struct gpu_axis_layout *axis_layout(const struct made *m, const char *name)
{
    return &m->layout.axes[axis_number(m, name)];
}

/* ---- brute force: who holds what --------------------------------------------------------------- */

/* A thread's part of a coordinate, from the definition. */
static inline uint32_t thread_part(const struct gpu_layout *l, const struct gpu_axis_layout *x,
                                   uint32_t thread, uint32_t rank)
{
    uint32_t lanes = l->threads / l->warps, sum = 0;
    for (uint32_t i = 0; i < x->digit_count; i++) {
        const struct gpu_digit *d = &x->digits[i];
        if (d->source == GPU_REG)
            continue;
        uint32_t number = d->source == GPU_LANE   ? thread % lanes
                          : d->source == GPU_WARP ? thread / lanes
                                                  : rank;
        sum += number / d->divisor % d->count * d->stride;
    }
    return sum;
}

/* Every element that there is room for is held, always in the same register, by threads that have
 * the same part of all coordinates: copies. */
static inline void check_holders(const struct gpu_layout *l, axis_set axes)
{
    struct gpu_view view = gpu_view(l, axes);
    uint64_t count = 1;
    for (uint32_t a = 0; a < l->axis_count; a++)
        count *= axes >> a & 1 ? l->axes[a].cover : 1;
    if (count > 1 << 20)
        return;
    struct {
        uint64_t thread;
        uint32_t reg;
    } *holder = calloc(count, sizeof *holder);
    for (uint32_t rank = 0; rank < l->cluster; rank++)
        for (uint32_t thread = 0; thread < l->threads; thread++)
            for (uint32_t i = 0; i < view.count; i++) {
                uint64_t element = 0, held_by = 1;
                for (uint32_t a = 0; a < l->axis_count; a++) {
                    if (!(axes >> a & 1))
                        continue;
                    const struct gpu_axis_layout *x = &l->axes[a];
                    uint32_t part = thread_part(l, x, thread, rank);
                    uint32_t at = part + gpu_axis_offset(x, gpu_view_digit(&view, i, (uint8_t)a));
                    assert_true(at < x->cover);
                    element = element * x->cover + at;
                    held_by = held_by * x->cover + part;
                }
                assert_true(holder[element].thread == 0 ||
                            (holder[element].thread == held_by && holder[element].reg == i));
                holder[element].thread = held_by;
                holder[element].reg = i;
            }
    for (uint64_t e = 0; e < count; e++)
        assert_true(holder[e].thread != 0);
    free(holder);
}

#endif
