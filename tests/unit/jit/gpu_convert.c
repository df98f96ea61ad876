/* Accesses with layouts of their own in the GPU lowering: transpositions of all kinds, whose values go
 * through shared memory, shuffles or other registers. The CPU has no layouts, and says what is right. */
#include "both.h"

/* ---- kernels over x[B, R, C] ------------------------------------------------------------------- */

/* w and y are [B, C, R], or as it says. */
struct kernel {
    const char *name, *shape, *columns; /* columns: kind of the axis c */
    bool narrows;                       /* x is f32, y is bf16 */
    const char *lines;                  /* %b, %r, %c: indexes */
};

#define LOAD_X "    %x = load x[%b, %r, %c] : TYPE[r, c]\n"

/* clang-format off */
static const struct kernel kernels[] = {
    {"turned", "%B, %C, %R", "grid", false,
     LOAD_X
     "    store y[%b, %c, %r], %x\n"},
    {"turned far", "%C, %B, %R", "grid", false,
     LOAD_X
     "    store y[%c, %b, %r], %x\n"},
    {"turned and narrowed", "%B, %C, %R", "grid", true,
     LOAD_X
     "    %s = add %x, %x : f32[r, c]\n"
     "    %n = cast %s : bf16[r, c]\n"
     "    store y[%b, %c, %r], %n\n"},
    {"turned on the way in", "%B, %C, %R", "grid", false,
     LOAD_X
     "    %w = load w[%b, %c, %r] : TYPE[r, c]\n"
     "    %s = max %x, %w : TYPE[r, c]\n"
     "    store m[%b, %r, %c], %s\n"
     "    store y[%b, %c, %r], %s\n"},
    {"written and read", "%B, %C, %R", "grid", false,
     "    %x = load m[%b, %r, %c] : TYPE[r, c]\n"
     "    %w = load w[%b, %c, %r] : TYPE[r, c]\n"
     "    %s = min %x, %w : TYPE[r, c]\n"
     "    store m[%b, %r, %c], %s\n"
     "    store w[%b, %c, %r], %x\n"
     "    %n = load m[%b, %r, %c] : TYPE[r, c]\n"
     "    %v = load w[%b, %c, %r] : TYPE[r, c]\n"
     "    %t = max %n, %v : TYPE[r, c]\n"
     "    store y[%b, %c, %r], %t\n"},
    {"turned round by round", "%B, %C, %R", "swept", false,
     "    sweep %z, %C {axis = c} do {\n"
     "      %c = index {axis = c} : index[c]\n"
     LOAD_X
     "      store y[%b, %c, %r], %x\n"
     "      %w = load w[%b, %c, %r] : TYPE[r, c]\n"
     "      store m[%b, %r, %c], %w\n"
     "      yield\n"
     "    }\n"},
    {"turned and reduced", "%B, %C, %R", "held", false,
     LOAD_X
     "    %most = reduce %x {axes = [c], kind = max} : TYPE[r]\n"
     "    %s = min %x, %most : TYPE[r, c]\n"
     "    store y[%b, %c, %r], %s\n"
     "    store m[%b, %r, %c], %most\n"},
};
/* clang-format on */
#define KERNELS (sizeof kernels / sizeof kernels[0])

/* How it is spread, and whether rows are known to begin at multiples of 16 bytes. */
struct spread {
    int warps, rows, columns, vector, aligned;
};

static const struct spread spreads[] = {
    {4, 64,  64, 16, 1},
    {1, 16,  32, 16, 1},
    {8, 32,  64, 16, 0},
    {3, 48,  40, 8,  1},
    {2, 32,  8,  16, 1},
    {5, 16,  80, 4,  0},
    {4, 128, 16, 16, 1},
    {1, 8,   8,  16, 0}, /* shuffles */
    {1, 1,   32, 16, 0}, /* other registers */
};
#define SPREADS (sizeof spreads / sizeof spreads[0])

static void make_kernel(char *text, const struct kernel *k, const struct type *t,
                        const struct spread *s)
{
    char template[TEXT_BYTES], *at = template;
    const char *fact = s->aligned ? " {align = 16}" : "";
    int multiple = s->aligned ? 16 : 1;
    bool swept = strcmp(k->columns, "swept") == 0;
    snprintf(template, sizeof template,
             "kernel k {\n"
             "  params { %%B : dim  %%R : dim {multiple = %d}  %%C : dim {multiple = %d} }\n"
             "  tensors { x : read TYPE[%%B, %%R, %%C]%s  w : mut TYPE[%s]%s\n"
             "            m : mut TYPE[%%B, %%R, %%C]%s  y : mut %s[%s]%s }\n"
             "  axes { b : program %%z .. %%B {tile = 1}  r : grid %%z .. %%R {tile = %d}\n"
             "         c : %s %%z .. %%C {tile = %d} }\n"
             "  settings { num_warps = %d  vector = %d  convert = 1 }\n"
             "  body {\n"
             "    %%z = const {i = 0} : index\n"
             "    %%b = index {axis = b} : index\n"
             "    %%r = index {axis = r} : index[r]\n"
             "%s%s"
             "    return\n"
             "  }\n"
             "}\n",
             multiple, multiple, fact, k->shape, fact, fact, k->narrows ? "bf16" : "TYPE", k->shape,
             fact, s->rows, k->columns, s->columns, s->warps, s->vector,
             swept ? "" : "    %c = index {axis = c} : index[c]\n", k->lines);
    for (char *type; (type = strstr(at, "TYPE")); at = type + 4)
        text += sprintf(text, "%.*s%s", (int)(type - at), at, t->name);
    strcpy(text, at);
}

/* ---- running ----------------------------------------------------------------------------------- */

enum { X, W, M, Y, TENSORS };

struct tensors {
    unsigned char *bytes[TENSORS];
    size_t size;
};

static struct tensors new_tensors(const struct type *t, size_t count)
{
    struct tensors x = {.size = count * t->bytes};
    uint32_t seed = 12345;
    for (int i = 0; i < TENSORS; i++) {
        x.bytes[i] = malloc(x.size + 64);
        for (size_t e = 0; e < count; e++)
            write_random(t, x.bytes[i] + e * t->bytes, &seed);
    }
    return x;
}

static void free_tensors(struct tensors *x)
{
    for (int i = 0; i < TENSORS; i++)
        free(x->bytes[i]);
}

static void run_kernel(const struct ready *r, const struct kernel *k, const struct spread *s,
                       struct tensors *x, const int64_t dims[3], const char *text)
{
    uint64_t B = (uint64_t)dims[0], R = (uint64_t)dims[1], C = (uint64_t)dims[2];
    bool far = k->shape[1] == 'C';
    uint64_t outer = far ? B * R : C * R, inner = R, slots[16], n = 0, at[TENSORS];
    for (int i = 0; i < TENSORS; i++) {
        bool turned = i == W || i == Y;
        slots[n++] = at[i] = put(r->on, x->bytes[i], x->size);
        slots[n++] = turned ? outer : R * C;
        slots[n++] = turned ? inner : C;
    }
    slots[n++] = B, slots[n++] = R, slots[n++] = C;
    int64_t programs = dims[0] * ((dims[1] + s->rows - 1) / s->rows);
    if (strcmp(k->columns, "grid") == 0)
        programs *= (dims[2] + s->columns - 1) / s->columns;
    launch(r, slots, programs, text);
    for (int i = 0; i < TENSORS; i++)
        take(r->on, at[i], x->bytes[i], x->size);
}

static void check_kernel(const struct kernel *k, const struct type *t, const struct spread *s)
{
    char text[TEXT_BYTES];
    make_kernel(text, k, t, s);
    struct ready cpu = get_ready(&on_cpu, text), gpu = get_ready(&on_gpu, text);
    bool held = strcmp(k->columns, "held") == 0;
    int64_t widest = held ? s->columns : 2 * s->columns, step = s->aligned ? 16 : 1;
    int64_t dims[][3] = {
        {1, s->rows,                         s->columns / step * step  },
        {2, (s->rows + 17) / step * step,    widest / step * step      },
        {3, step,                            step                      },
        {1, (2 * s->rows - 1) / step * step, (widest - 1) / step * step}
    };
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
        struct tensors want = new_tensors(t, (size_t)(dims[i][0] * dims[i][1] * dims[i][2]));
        struct tensors got = new_tensors(t, (size_t)(dims[i][0] * dims[i][1] * dims[i][2]));
        run_kernel(&cpu, k, s, &want, dims[i], text);
        run_kernel(&gpu, k, s, &got, dims[i], text);
        for (int x = 0; x < TENSORS; x++)
            for (size_t b = 0; b < got.size; b++)
                if (got.bytes[x][b] != want.bytes[x][b])
                    fail_msg("%s: byte %d of tensor %d is %d, not %d\n%s", k->name, (int)b, x,
                             got.bytes[x][b], want.bytes[x][b], text);
        free_tensors(&want);
        free_tensors(&got);
    }
    release(&cpu);
    release(&gpu);
}

static const struct type *const types[] = {&bf16, &f32, &u8, &f64, &f16, &i64};
#define TYPES (sizeof types / sizeof types[0])

/* Every kernel, spread and type, though not with every other: compiling takes the time. */
static void test_kernels(void **state)
{
    (void)state;
    for (size_t k = 0; k < KERNELS; k++)
        for (size_t s = 0; s < SPREADS; s++)
            check_kernel(&kernels[k], kernels[k].narrows ? &f32 : types[(k + s) % TYPES],
                         &spreads[s]);
}

static void test_types(void **state)
{
    (void)state;
    for (size_t t = 0; t < TYPES; t++)
        for (size_t s = 0; s < SPREADS; s++)
            check_kernel(&kernels[0], types[t], &spreads[s]);
}

int main(int argc, char **argv)
{
    choose_gpu(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels),
        cmocka_unit_test(test_types),
    };
    return cmocka_run_group_tests(tests, open_both, close_both);
}
