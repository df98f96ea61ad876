/* Tile IR run on the CPU and, as a GPU would, on the emulator: for tests that compare the two. A test
 * gives a text, its tensors and how it is to be spread over threads; a race, a divergent barrier and
 * so on fail it as wrong numbers do. With the argument `cuda` a test runs on the first GPU instead. */
#ifndef BOTH_H
#define BOTH_H

#include "cpu/cpu.h"
#include "cuda/cuda.h"
#include "simt/simt.h"

#include <ldsl/compile.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- devices ----------------------------------------------------------------------------------- */

static inline void print_diag(void *user, const struct ldsl_diag *d)
{
    char text[4096];
    (void)user;
    ldsl_diag_format(d, LDSL_DIAG_PLAIN, text, sizeof text);
    fputs(text, stderr);
}

/* A device, open while the tests run. */
struct runner {
    const struct rt_device_ops *ops;
    void *device;
    struct rt_device_info info;
};

static const struct ldsl_sink test_sink = {print_diag, NULL};
static struct runner on_cpu = {.ops = &rt_cpu}, on_gpu = {.ops = &rt_simt};

static inline void open_runner(struct runner *r)
{
    struct rt_device_options options = {.threads = 1, .sink = &test_sink};
    assert_int_equal(r->ops->open(&r->device, &options), LDSL_OK);
    r->ops->describe(r->device, &r->info);
}

static inline int open_both(void **state)
{
    (void)state;
    open_runner(&on_cpu);
    open_runner(&on_gpu);
    return 0;
}

static inline int close_both(void **state)
{
    (void)state;
    on_cpu.ops->close(on_cpu.device);
    on_gpu.ops->close(on_gpu.device);
    return 0;
}

static inline void choose_gpu(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "cuda") == 0)
        on_gpu.ops = &rt_cuda;
}

/* Memory of the device with a copy of the bytes. */
static inline uint64_t put(const struct runner *on, const void *bytes, size_t size)
{
    uint64_t at;
    assert_int_equal(on->ops->alloc(on->device, &at, size + 64), LDSL_OK);
    assert_int_equal(on->ops->upload(on->device, at, bytes, size), LDSL_OK);
    return at;
}

/* Frees it; what was in it goes to `bytes` if that is not NULL. */
static inline void take(const struct runner *on, uint64_t at, void *bytes, size_t size)
{
    if (bytes)
        assert_int_equal(on->ops->download(on->device, bytes, at, size), LDSL_OK);
    on->ops->free(on->device, at);
}

/* A compiled kernel, for several launches. */
struct ready {
    const struct runner *on;
    ldsl_artifact *artifact;
    void *kernel;
    uint32_t slot_count;
};

static inline struct ready get_ready(const struct runner *on, const char *text)
{
    struct ready r = {.on = on};
    struct ldsl_source source = {"test.tir", text, strlen(text)};
    struct ldsl_options options = LDSL_OPTIONS_INIT;
    struct ldsl_kernel_info info;
    options.target = on->info.target;
    options.from_ir = true;
    if (ldsl_compile(&r.artifact, &source, &options, &test_sink) != LDSL_OK)
        fail_msg("not compiled for %s:\n%s", on->info.target, text);
    assert_true(ldsl_artifact_kernel(r.artifact, &info));
    r.slot_count = info.slot_count;
    assert_int_equal(on->ops->load(on->device, &r.kernel, r.artifact), LDSL_OK);
    return r;
}

static inline void launch(const struct ready *r, const uint64_t *slots, int64_t programs,
                          const char *text)
{
    const struct runner *on = r->on;
    if (on->ops->launch(on->device, r->kernel, slots, r->slot_count, (uint64_t)programs, false,
                        NULL) ||
        on->ops->synchronize(on->device, NULL))
        fail_msg("refused by %s:\n%s", on->info.name, text);
}

static inline void release(struct ready *r)
{
    r->on->ops->unload(r->on->device, r->kernel);
    ldsl_artifact_free(r->artifact);
}

/* ---- element types ----------------------------------------------------------------------------- */

struct type {
    const char *name; /* in IR text */
    size_t bytes;
    double error; /* of one rounding, relative; 0: exact */
};

static const struct type f32 = {"f32", 4, 1e-7}, f64 = {"f64", 8, 1e-15}, bf16 = {"bf16", 2, 8e-3},
                         f16 = {"f16", 2, 1e-3}, i32 = {"i32", 4, 0}, i64 = {"i64", 8, 0},
                         u8 = {"u8", 1, 0};

static inline double read_half(uint16_t h)
{
    int exponent = h >> 10 & 31, digits = h & 0x3ff;
    double m = exponent == 31 ? (digits ? (double)NAN : (double)INFINITY)
               : exponent     ? ldexp(digits + 1024, exponent - 25)
                              : ldexp(digits, -24);
    return h & 0x8000 ? -m : m;
}

static inline double read_element(const struct type *t, const void *p)
{
    uint16_t half;
    uint32_t bits;
    float f;
    int64_t i;
    double d;
    if (t == &i32)
        return *(const int32_t *)p;
    if (t == &i64)
        return memcpy(&i, p, sizeof i), (double)i;
    if (t == &u8)
        return *(const uint8_t *)p;
    if (t == &f64)
        return memcpy(&d, p, sizeof d), d;
    if (t == &f32)
        return memcpy(&f, p, sizeof f), (double)f;
    memcpy(&half, p, sizeof half);
    if (t == &f16)
        return read_half(half);
    bits = (uint32_t)half << 16;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Numbers that repeat from run to run. */
static inline uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Floats in -1 .. 1, integers of both signs. */
static inline void write_random(const struct type *t, void *p, uint32_t *seed)
{
    uint32_t r = next_random(seed), bits;
    float f = (float)(int32_t)r / 2147483648.0f;
    double d = f;
    int64_t wide = (int64_t)((uint64_t)r * 0x123456789) - 0x40000000;
    int32_t narrow = (int32_t)(r % 2001) - 1000;
    memcpy(&bits, &f, sizeof bits);
    uint16_t upper = (uint16_t)(bits >> 16), half = (uint16_t)((r & 0x83ff) | 0x3400);
    uint8_t byte = (uint8_t)r;
    const void *from = t == &f32    ? (const void *)&f
                       : t == &f64  ? (const void *)&d
                       : t == &i32  ? (const void *)&narrow
                       : t == &i64  ? (const void *)&wide
                       : t == &u8   ? (const void *)&byte
                       : t == &bf16 ? (const void *)&upper
                                    : (const void *)&half;
    memcpy(p, from, t->bytes);
}

/* ---- kernels over x[R, D] ---------------------------------------------------------------------- */

/* Who shares a program. */
struct config {
    int warps, cluster, rows, tile;
};

/* Layouts leave threads idle rather than exchange little, so tiles are wide enough that they do not;
 * gpu_reduce.c checks what they are spread over. Few registers each: compiling takes the time. */
static const struct config configs[] = {
    {1, 1, 1,  64  },
    {4, 1, 1,  1024},
    {2, 2, 1,  2048},
    {5, 1, 1,  1280},
    {8, 1, 2,  1024},
    {4, 4, 1,  4096},
    {7, 1, 1,  1792},
    {8, 1, 4,  1024},
    {3, 1, 2,  384 },
    {5, 2, 1,  2560},
    {2, 1, 16, 16  },
    {4, 2, 2,  1024},
};
#define CONFIGS (sizeof configs / sizeof configs[0])

enum result_axes { OVER_R, OVER_C, OVER_BOTH };

/* A kernel that makes %y of %x: [r, c]. For OVER_C programs own columns and r is held, else rows and
 * c is. */
struct body {
    const struct type *type, *result;
    enum result_axes over;
    const char *lines;
    const char *word; /* after the kernel's name: "ordered"; NULL: none */
    const char *axes; /* beside r and c; NULL: none */
    double slack;     /* allowed error in roundings; 0: one for each element that is combined */
};

#define TEXT_BYTES 8192

static inline void make_text(char *text, const struct body *k, const struct config *c)
{
    static const char *const kinds[] = {"held", "grid"};
    bool columns = k->over == OVER_C;
    static const char *const dims[] = {"%R", "%D", "%R, %D"}, *const at[] = {"%r", "%c", "%r, %c"};
    snprintf(text, TEXT_BYTES,
             "kernel k%s%s {\n"
             "  params { %%R : dim  %%D : dim }\n"
             "  tensors { x : read %s[%%R, %%D]  y : out %s[%s] }\n"
             "  axes { r : %s %%z .. %%R {tile = %d}  c : %s %%z .. %%D {tile = %d} %s }\n"
             "  settings { num_warps = %d  cluster = %d }\n"
             "  body {\n"
             "    %%z = const {i = 0} : index\n"
             "    %%r = index {axis = r} : index[r]\n"
             "    %%c = index {axis = c} : index[c]\n"
             "    %%x = load x[%%r, %%c] : %s[r, c]\n"
             "%s"
             "    store y[%s], %%y\n"
             "    return\n"
             "  }\n"
             "}\n",
             k->word ? " " : "", k->word ? k->word : "", k->type->name, k->result->name,
             dims[k->over], kinds[!columns], columns ? c->tile : c->rows, kinds[columns],
             columns ? c->rows : c->tile, k->axes ? k->axes : "", c->warps, c->cluster,
             k->type->name, k->lines, at[k->over]);
}

struct matrix {
    int64_t R, D;
    char *x;
};

static inline struct matrix new_matrix(const struct type *t, int64_t R, int64_t D)
{
    struct matrix m = {R, D, malloc((size_t)(R * D) * t->bytes + 64)};
    uint32_t seed = 12345 + (uint32_t)D;
    for (size_t i = 0; i < (size_t)(R * D); i++)
        write_random(t, m.x + i * t->bytes, &seed);
    return m;
}

static inline size_t result_count(const struct body *k, const struct matrix *m)
{
    int64_t count[] = {m->R, m->D, m->R * m->D};
    return (size_t)count[k->over];
}

/* y of a launch: malloc'ed. */
static inline char *run_matrix(const struct ready *r, const struct body *k, const struct config *c,
                               const struct matrix *m, const char *text)
{
    size_t bytes = result_count(k, m) * k->result->bytes;
    char *y = malloc(bytes + 64);
    memset(y, 0x55, bytes + 64);
    uint64_t slots[8], n = 0;
    slots[n++] = put(r->on, m->x, (size_t)(m->R * m->D) * k->type->bytes);
    slots[n++] = (uint64_t)m->D;
    slots[n++] = put(r->on, y, bytes + 64);
    if (k->over == OVER_BOTH)
        slots[n++] = (uint64_t)m->D;
    slots[n++] = (uint64_t)m->R;
    slots[n++] = (uint64_t)m->D;
    int64_t owned = k->over == OVER_C ? m->D : m->R;
    launch(r, slots, (owned + c->rows - 1) / c->rows, text);
    take(r->on, slots[0], NULL, 0);
    take(r->on, slots[2], y, bytes + 64);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(y[bytes + i], 0x55);
    return y;
}

static inline void compare(const struct body *k, const struct matrix *m, const char *cpu,
                           const char *gpu, const char *text)
{
    double roundings = k->slack > 0 ? k->slack : (double)(k->over == OVER_C ? m->R : m->D);
    for (size_t i = 0; i < result_count(k, m); i++) {
        double a = read_element(k->result, cpu + i * k->result->bytes);
        double b = read_element(k->result, gpu + i * k->result->bytes);
        double most = k->result->error * (1 + fabs(a)) * (k->result->bytes > 2 ? roundings : 1);
        if (!(fabs(a - b) <= most) && a != b && !(isnan(a) && isnan(b)))
            fail_msg("element %d of [%d, %d]: CPU %.9g, GPU %.9g\n%s", (int)i, (int)m->R, (int)m->D,
                     a, b, text);
    }
}

/* Two programs, the second one partly filled; tiles full, nearly full, half full, with one element. */
static inline void check_body(const struct body *k, const struct config *c)
{
    char text[TEXT_BYTES];
    make_text(text, k, c);
    struct ready cpu = get_ready(&on_cpu, text), gpu = get_ready(&on_gpu, text);
    int64_t widths[] = {c->tile, c->tile - 1, c->tile / 2 + 3, 1}, owned = (3 * c->rows + 1) / 2;
    for (int i = 0; i < 4; i++) {
        struct matrix m = new_matrix(k->type, k->over == OVER_C ? widths[i] : owned,
                                     k->over == OVER_C ? owned : widths[i]);
        char *a = run_matrix(&cpu, k, c, &m, text), *b = run_matrix(&gpu, k, c, &m, text);
        compare(k, &m, a, b, text);
        free(a), free(b), free(m.x);
    }
    release(&cpu);
    release(&gpu);
}

#endif
