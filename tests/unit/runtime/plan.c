/* Plans: what is launched, with what, and what is refused. */
#include "plan_world.h"

#define F32(x) ((uint64_t)float_bits(x))

static uint32_t float_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* ---- one launch ---------------------------------------------------------------------------------- */

static const char norm_text[] =
    "enum Mode { plain, fancy }\n"
    "kernel norm<T: float, W: float>(x: tensor<T>[R, D], w: tensor<W>[D]?, y: out tensor<T>[R, "
    "D],\n"
    "    eps: f32, const mode: Mode)\n"
    "  specialize D % 8 == 0, align(x, 16);\n"
    "  meta BD = fit(D);\n"
    "  tune { BR in {1, 2, 4}; num_warps in {1, 2}; where BR * BD <= 4096;\n"
    "    default { BR = 2, num_warps = 1 } where BD <= 64;\n"
    "    default { BR = 1, num_warps = 2 }; }\n"
    "{ grid axis r in 0 .. R tile BR; axis c in 0 .. D tile BD;\n"
    "  var v = f32(x[r, c]) * eps;\n"
    "  if has w { v *= f32(w[c]); }\n"
    "  if mode == Mode.fancy { v += 1.0; }\n"
    "  y[r, c] = T(v); }\n"
    "op norm_op<T: float, W: float>(x: tensor<T>[R, D], w: tensor<W>[D]?, eps: f32 = 0.5,\n"
    "    const mode: Mode = Mode.plain) -> (y: tensor<T>[R, D])\n"
    "  require D >= 2, \"rows have two elements\";\n"
    "{ launch norm(x, w, y, eps, mode); }\n";

static void test_launch(void **state)
{
    (void)state;
    struct world w = open_world(norm_text);
    const ldsl_argument args[] = {tensor("x", LDSL_BF16, 7, 24, -1),
                                  tensor("w", LDSL_F32, 24, -1, -1), word("mode", "fancy")};
    ldsl_plan *plan = prepare(&w, "norm_op", args, 3, NULL);
    ldsl_tensor_info info;
    assert_int_equal(ldsl_plan_tensor_count(plan), 3);
    assert_true(ldsl_plan_tensor(plan, 2, &info));
    assert_string_equal(info.name, "y");
    assert_int_equal(info.dtype, LDSL_BF16);
    assert_int_equal(info.shape[0], 7);
    assert_int_equal(info.shape[1], 24);
    assert_int_equal(info.strides[0], 24);
    assert_int_equal(info.bytes, 7 * 24 * 2);
    assert_true(info.is_output && info.is_written);
    assert_int_equal(ldsl_plan_workspace_bytes(plan), 0);
    assert_int_equal(ldsl_plan_launch_count(plan), 1);
    assert_string_equal(ldsl_plan_launch_kernel(plan, 0), "norm");
    assert_string_equal(ldsl_plan_launch_variant(plan, 0),
                        "T=bf16,W=f32,mode=1,w?=1,specialize.0=1,BD=24,BR=2,num_warps=1");
    launch(plan);
    const struct event *e = &fake.events[0];
    assert_int_equal(fake.event_count, 1);
    assert_int_equal(e->programs, 4);
    assert_int_equal(POINTER(e, "x"), BASE(0));
    assert_int_equal(POINTER(e, "w"), BASE(1));
    assert_int_equal(POINTER(e, "y"), BASE(2));
    assert_int_equal(STRIDE(e, "x", 0), 24);
    assert_int_equal(DIM(e, "R"), 7);
    assert_int_equal(DIM(e, "D"), 24);
    assert_int_equal(SCALAR(e, "eps"), F32(0.5f));
    ldsl_plan_destroy(plan);
    close_world(&w);
}

/* Rows that begin anywhere: on a GPU their tiles have room for what lies before them. */
static void test_room_for_rows(void **state)
{
    (void)state;
    static const struct {
        int64_t width;
        bool is_gpu;
        const char *cover;
    } cases[] = {
        {1024, true,  "specialize.0=1,BD=1024,"},
        {1017, true,  "specialize.0=0,BD=1024,"},
        {1018, true,  "specialize.0=0,BD=1280,"},
        {1023, true,  "specialize.0=0,BD=1280,"},
        {1023, false, "specialize.0=0,BD=1024,"},
        {4091, true,  "specialize.0=0,BD=5120,"},
    };
    static const char text[] =
        "kernel copy(x: tensor<f16>[R, D], y: out tensor<f16>[R, D])\n"
        "  specialize D % 8 == 0, align(x, 16), align(y, 16);\n"
        "  meta BD = fit(D);\n"
        "  tune { num_warps in {1, 2}; default { num_warps = 1 }; }\n"
        "{ grid r in 0 .. R; axis c in 0 .. D tile BD; y[r, c] = x[r, c]; }\n"
        "op copied(x: tensor<f16>[R, D]) -> (y: tensor<f16>[R, D]) { launch copy(x, y); }\n";
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world w = open_world_on(text, cases[i].is_gpu);
        const ldsl_argument x = tensor("x", LDSL_F16, 3, cases[i].width, -1);
        ldsl_plan *plan = prepare(&w, "copied", &x, 1, NULL);
        assert_non_null(strstr(ldsl_plan_launch_variant(plan, 0), cases[i].cover));
        ldsl_plan_destroy(plan);
        close_world(&w);
    }
}

/* The widest tile is as wide as rows may be: there is no more room. */
static void test_no_room_for_rows(void **state)
{
    (void)state;
    static const char text[] =
        "kernel last<T: float>(x: tensor<T>[R, D], y: out tensor<T>[R])\n"
        "  specialize D % 8 == 0, align(x, 16);\n"
        "  meta BD = fit(D);\n"
        "{ grid r in 0 .. R; axis c in 0 .. D tile BD; y[r] = max(x[r, c] over c); }\n"
        "op lasts(x: tensor<f16>[R, D]) -> (y: tensor<f16>[R]) { launch last(x, y); }\n";
    struct world w = open_world_on(text, true);
    const ldsl_argument x = tensor("x", LDSL_F16, 3, 65535, -1),
                        wide = tensor("x", LDSL_F16, 3, 65537, -1);
    ldsl_plan *plan = prepare(&w, "lasts", &x, 1, NULL);
    assert_non_null(strstr(ldsl_plan_launch_variant(plan, 0), "specialize.0=0,BD=65536"));
    ldsl_plan_destroy(plan);
    assert_refused(&w, "lasts", &wide, 1, NULL, "last: no tile is wide enough to hold it at once");
    close_world(&w);
}

/* What is absent, wider, strided or asked for picks another variant. */
static void test_variant_choice(void **state)
{
    (void)state;
    struct world w = open_world(norm_text);
    ldsl_argument x = tensor("x", LDSL_F16, 3, 100, -1);
    ldsl_plan *plan = prepare(&w, "norm_op", &x, 1, NULL);
    assert_string_equal(ldsl_plan_launch_variant(plan, 0),
                        "T=f16,W=f16,mode=0,w?=0,specialize.0=0,BD=112,BR=1,num_warps=2");
    assert_int_equal(ldsl_plan_tensor_count(plan), 2);
    ldsl_plan_destroy(plan);

    plan = prepare(&w, "norm_op", &x, 1, "BR=4");
    assert_string_equal(ldsl_plan_launch_variant(plan, 0),
                        "T=f16,W=f16,mode=0,w?=0,specialize.0=0,BD=112,BR=4,num_warps=2");
    ldsl_plan_destroy(plan);

    x = tensor("x", LDSL_F32, 3, 64, -1);
    x.strides[0] = 66; /* rows begin at multiples of 8 bytes only */
    x.strides[1] = 1;
    plan = prepare(&w, "norm_op", &x, 1, NULL);
    assert_string_equal(ldsl_plan_launch_variant(plan, 0),
                        "T=f32,W=f16,mode=0,w?=0,specialize.0=0,BD=64,BR=2,num_warps=1");
    launch(plan);
    assert_int_equal(STRIDE(&fake.events[0], "x", 0), 66);
    assert_int_equal(STRIDE(&fake.events[0], "y", 0), 64);
    ldsl_plan_destroy(plan);

    x = tensor("x", LDSL_F32, 3, 64, -1);
    x.alignment = 8;
    plan = prepare(&w, "norm_op", &x, 1, NULL);
    assert_non_null(strstr(ldsl_plan_launch_variant(plan, 0), "specialize.0=0"));
    ldsl_plan_destroy(plan);
    close_world(&w);
}

/* Every kernel takes schedule values, in the order of their list; a kernel's own list restricts one. */
static void test_schedule_values(void **state)
{
    (void)state;
    struct world w = open_world_on(norm_text, true);
    const ldsl_argument x = tensor("x", LDSL_F16, 3, 100, -1);
    ldsl_plan *plan = prepare(&w, "norm_op", &x, 1, "evict_last=1,hold=64,num_warps=1");
    assert_string_equal(ldsl_plan_launch_variant(plan, 0),
                        "T=f16,W=f16,mode=0,w?=0,specialize.0=0,BD=112,BR=1,num_warps=1,hold=64,"
                        "evict_last=1");
    ldsl_plan_destroy(plan);
    assert_refused(&w, "norm_op", &x, 1, "norm.BR=2,BR=4,other.BR=1",
                   "norm_op: no kernel launched has a tuned value other.BR");
    plan = prepare(&w, "norm_op", &x, 1, "norm.BR=2,BR=4,norm.cluster=2,stages=3");
    assert_string_equal(ldsl_plan_launch_variant(plan, 0),
                        "T=f16,W=f16,mode=0,w?=0,specialize.0=0,BD=112,BR=2,num_warps=2,cluster=2,"
                        "stages=3");
    ldsl_plan_destroy(plan);
    assert_refused(&w, "norm_op", &x, 1, "num_warps=4",
                   "norm: num_warps=4 is none of its choices: 1, 2");
    assert_refused(&w, "norm_op", &x, 1, "cluster=17",
                   "norm: cluster=17: it is a number from 1 to 16");
    close_world(&w);
}

/* Where there are no warps they are checked, and change nothing. */
static void test_schedule_on_cpu(void **state)
{
    (void)state;
    struct world w = open_world(norm_text);
    const ldsl_argument x = tensor("x", LDSL_F16, 3, 100, -1);
    ldsl_plan *plan = prepare(&w, "norm_op", &x, 1, "evict_last=1,hold=64,num_warps=1");
    assert_string_equal(ldsl_plan_launch_variant(plan, 0),
                        "T=f16,W=f16,mode=0,w?=0,specialize.0=0,BD=112,BR=1,num_warps=2");
    ldsl_plan_destroy(plan);
    assert_refused(&w, "norm_op", &x, 1, "num_warps=4",
                   "norm: num_warps=4 is none of its choices: 1, 2");
    assert_refused(&w, "norm_op", &x, 1, "cluster=17",
                   "norm: cluster=17: it is a number from 1 to 16");
    close_world(&w);
}

static const char silent_text[] =
    "kernel add<T: float>(x: tensor<T>[R, D], y: out tensor<T>[R, D])\n"
    "  tune { BD in {64, 128}; default { BD = 64, hold = 32 } where dev.sm_count > 64;\n"
    "    default { BD = 128, hold = 96, early_weights = 1 }; }\n"
    "{ grid r in 0 .. R; axis c in 0 .. D tile BD; sweep c { y[r, c] = x[r, c]; } }\n"
    "op add_op<T: float>(x: tensor<T>[R, D]) -> (y: tensor<T>[R, D])\n"
    "{ launch add(x, y) with { stages = 2 }; }\n";

/* A default and a launch may set one that the kernel does not list. */
static void test_schedule_in_source(void **state)
{
    (void)state;
    struct world w = open_world_on(silent_text, true);
    const ldsl_argument x = tensor("x", LDSL_F32, 3, 100, -1);
    ldsl_plan *plan = prepare(&w, "add_op", &x, 1, "hold=0,stages=4");
    assert_string_equal(ldsl_plan_launch_variant(plan, 0),
                        "T=f32,BD=128,hold=0,stages=2,early_weights=1");
    ldsl_plan_destroy(plan);
    close_world(&w);
}

static const char special_text[] =
    "kernel add(x: tensor<f32>[R, D], y: out tensor<f32>[R, D])\n"
    "  specialize D % 8 == 0, align(x, 16);\n"
    "  tune { BD in {64, 128, 256}; where specialized || BD < 256;\n"
    "    default { BD = 256 } where D > 64 && specialized; default { BD = 128 } where "
    "specialized;\n"
    "    default { BD = 64 }; }\n"
    "{ grid r in 0 .. R; axis c in 0 .. D tile BD; sweep c { y[r, c] = x[r, c]; } }\n"
    "op add_op(x: tensor<f32>[R, D]) -> (y: tensor<f32>[R, D]) { launch add(x, y); }\n";

/* A default may be for launches that a group takes: not only sizes, also addresses decide. */
static void test_default_of_the_specialized(void **state)
{
    (void)state;
    static const struct {
        int64_t width;
        uint32_t alignment;
        const char *variant;
    } cases[] = {
        {96, 16, "specialize.0=1,BD=256"},
        {64, 16, "specialize.0=1,BD=128"},
        {96, 4,  "specialize.0=0,BD=64" },
        {97, 16, "specialize.0=0,BD=64" }
    };
    struct world w = open_world(special_text);
    for (int i = 0; i < 4; i++) {
        ldsl_argument x = tensor("x", LDSL_F32, 3, cases[i].width, -1);
        x.alignment = cases[i].alignment;
        ldsl_plan *plan = prepare(&w, "add_op", &x, 1, NULL);
        assert_string_equal(ldsl_plan_launch_variant(plan, 0), cases[i].variant);
        ldsl_plan_destroy(plan);
    }
    const ldsl_argument odd = tensor("x", LDSL_F32, 3, 97, -1);
    assert_refused(&w, "add_op", &odd, 1, "BD=256",
                   "add: where specialized || BD < 256 does not hold for specialize.0=0,BD=256");
    close_world(&w);
}

static const char typed_text[] =
    "kernel add<T: float>(x: tensor<T>[R, D], y: out tensor<T>[R, D])\n"
    "  tune { BD in {64, 128}; default { BD = 64 } where T == f32 && D > 64;\n"
    "    default { BD = 128 }; }\n"
    "{ grid r in 0 .. R; axis c in 0 .. D tile BD; sweep c { y[r, c] = x[r, c]; } }\n"
    "op add_op<T: float>(x: tensor<T>[R, D]) -> (y: tensor<T>[R, D]) { launch add(x, y); }\n";

/* What fits a block depends on how large elements are. */
static void test_default_by_type(void **state)
{
    (void)state;
    static const struct {
        enum ldsl_dtype dtype;
        int64_t width;
        const char *variant;
    } cases[] = {
        {LDSL_F32,  100, "T=f32,BD=64"  },
        {LDSL_F32,  50,  "T=f32,BD=128" },
        {LDSL_BF16, 100, "T=bf16,BD=128"}
    };
    struct world w = open_world(typed_text);
    for (int i = 0; i < 3; i++) {
        const ldsl_argument x = tensor("x", cases[i].dtype, 3, cases[i].width, -1);
        ldsl_plan *plan = prepare(&w, "add_op", &x, 1, NULL);
        assert_string_equal(ldsl_plan_launch_variant(plan, 0), cases[i].variant);
        ldsl_plan_destroy(plan);
    }
    close_world(&w);
}

/* No rows: nothing is launched, nothing is compiled. */
static void test_empty(void **state)
{
    (void)state;
    struct world w = open_world(norm_text);
    ldsl_argument x = tensor("x", LDSL_F16, 0, 100, -1);
    unsigned compiles = fake.compiles;
    ldsl_plan *plan = prepare(&w, "norm_op", &x, 1, NULL);
    uint64_t pointers[2] = {0, 0};
    assert_int_equal(ldsl_plan_launch_count(plan), 0);
    assert_int_equal(fake.compiles, compiles);
    assert_int_equal(ldsl_plan_launch(plan, pointers, 2, 0, NULL), LDSL_OK);
    assert_int_equal(fake.event_count, 0);
    ldsl_plan_destroy(plan);
    close_world(&w);
}

/* ---- what is refused ------------------------------------------------------------------------------- */

static void test_refused_arguments(void **state)
{
    (void)state;
    struct world w = open_world(norm_text);
    ldsl_argument x = tensor("x", LDSL_F32, 4, 8, -1), bad = x;
    ldsl_argument two[2] = {x};
    assert_refused(&w, "none", NULL, 0, NULL, "there is no operator 'none'");
    assert_refused(&w, "norm_op", NULL, 0, NULL, "norm_op: x is missing");
    two[1] = tensor("z", LDSL_F32, 8, -1, -1);
    assert_refused(&w, "norm_op", two, 2, NULL,
                   "norm_op: there is no parameter 'z'; it has x, w, eps, mode, y");
    two[1] = x;
    assert_refused(&w, "norm_op", two, 2, NULL, "norm_op: x is given twice");
    two[1] = tensor("w", LDSL_F32, 9, -1, -1);
    assert_refused(&w, "norm_op", two, 2, NULL, "norm_op: D is 8 from x, 9 from w");
    two[1] = tensor("y", LDSL_F16, 4, 8, -1);
    assert_refused(&w, "norm_op", two, 2, NULL, "norm_op: T is f32 from x, f16 from y");
    two[1] = tensor("w", LDSL_F32, 8, 8, -1);
    assert_refused(&w, "norm_op", two, 2, NULL, "norm_op: w has rank 1; 2 was given");
    two[1] = tensor("w", LDSL_I32, 8, -1, -1);
    assert_refused(&w, "norm_op", two, 2, NULL, "norm_op: W may be f16, bf16, f32; w is i32");
    two[1] = word("mode", "grand");
    assert_refused(&w, "norm_op", two, 2, NULL,
                   "norm_op: mode cannot be 'grand'; it is one of plain, fancy");
    two[1] = word("eps", "plain");
    assert_refused(&w, "norm_op", two, 2, NULL, "norm_op: eps is no enum; a word was given");
    two[1] = integer("mode", 2);
    assert_refused(&w, "norm_op", two, 2, NULL,
                   "norm_op: mode cannot be 2: it is none of its choices");
    two[1] = absent("eps");
    assert_refused(&w, "norm_op", two, 2, NULL, "norm_op: eps is not optional");
    two[1] = number("w", 1);
    assert_refused(&w, "norm_op", two, 2, NULL, "norm_op: w is a tensor; a number was given");
    two[1] = (ldsl_argument){.kind = LDSL_ARG_SCALAR};
    assert_refused(&w, "norm_op", two, 2, NULL, "norm_op: argument 1 has no name");

    bad.shape[0] = -1;
    assert_refused(&w, "norm_op", &bad, 1, NULL, "norm_op: dim 0 of x is -1");
    bad = x;
    bad.strides[0] = 8;
    bad.strides[1] = 2;
    assert_refused(&w, "norm_op", &bad, 1, NULL,
                   "norm_op: the innermost stride of x is 2; it must be 1");
    bad.strides[0] = -8;
    bad.strides[1] = 1;
    assert_refused(&w, "norm_op", &bad, 1, NULL, "norm_op: stride 0 of x is -8");
    bad = x;
    bad.shape[0] = INT64_MAX / 4;
    assert_refused(&w, "norm_op", &bad, 1, NULL, "norm_op: x is larger than any memory");
    bad = x;
    bad.alignment = 12;
    assert_refused(&w, "norm_op", &bad, 1, NULL,
                   "norm_op: x is aligned to 12 bytes, which is no power of two");
    bad.alignment = 2;
    assert_refused(&w, "norm_op", &bad, 1, NULL,
                   "norm_op: x is aligned to 2 bytes; its elements need 4");
    bad = x;
    bad.rank = 9;
    assert_refused(&w, "norm_op", &bad, 1, NULL, "norm_op: x has rank 9; 8 is the most");
    bad = x;
    bad.dtype = (enum ldsl_dtype)99;
    assert_refused(&w, "norm_op", &bad, 1, NULL, "norm_op: x has no known element type (99)");
    two[1] = tensor("y", LDSL_F32, 4, 8, -1);
    two[1].strides[0] = 4; /* rows over each other */
    two[1].strides[1] = 1;
    assert_refused(&w, "norm_op", two, 2, NULL,
                   "norm_op: y is written, but its strides put elements over each other");
    close_world(&w);
}

/* Conditions point at their line in the source. */
static void test_refused_conditions(void **state)
{
    (void)state;
    struct world w = open_world(norm_text);
    ldsl_argument x = tensor("x", LDSL_F32, 4, 1, -1);
    assert_refused(&w, "norm_op", &x, 1, NULL, "norm_op: rows have two elements (requires D >= 2)");
    assert_int_equal(fake.error_line, 16);
    x = tensor("x", LDSL_F32, 4, 4000, -1);
    assert_refused(&w, "norm_op", &x, 1, "BR=2",
                   "norm: where BR * BD <= 4096 does not hold for "
                   "T=f32,W=f16,mode=0,w?=0,specialize.0=1,BD=4096,BR=2,num_warps=2");
    assert_int_equal(fake.error_line, 6);
    assert_refused(&w, "norm_op", &x, 1, "BR=3", "norm: BR=3 is none of its choices: 1, 2, 4");
    assert_refused(&w, "norm_op", &x, 1, "BX=3",
                   "norm_op: no kernel launched has a tuned value BX");
    assert_refused(&w, "norm_op", &x, 1, "BR",
                   "'BR' is no setting: write NAME=NUMBER, separated by commas");
    x = tensor("x", LDSL_F32, 4, 70000, -1);
    assert_refused(&w, "norm_op", &x, 1, NULL, "norm: no tile is wide enough to hold it at once");
    close_world(&w);
}

static void test_refused_pointers(void **state)
{
    (void)state;
    struct world w = open_world(norm_text);
    ldsl_argument x = tensor("x", LDSL_F32, 4, 8, -1);
    ldsl_plan *plan = prepare(&w, "norm_op", &x, 1, NULL);
    uint64_t pointers[2] = {4096, 8192};
    assert_int_equal(ldsl_plan_launch(NULL, pointers, 2, 0, NULL), LDSL_ARGUMENT);
    assert_int_equal(ldsl_plan_launch(plan, NULL, 2, 0, NULL), LDSL_ARGUMENT);
    assert_string_equal(fake.error, "norm_op: the list of pointers is NULL");
    assert_int_equal(ldsl_plan_launch(plan, pointers, 1, 0, NULL), LDSL_ARGUMENT);
    assert_string_equal(fake.error, "norm_op: the plan has 2 tensors; 1 pointers were given");
    pointers[0] = 0;
    assert_int_equal(ldsl_plan_launch(plan, pointers, 2, 0, NULL), LDSL_ARGUMENT);
    assert_string_equal(fake.error, "norm_op: the pointer of x is NULL");
    pointers[0] = 4096 + 16;
    assert_int_equal(ldsl_plan_launch(plan, pointers, 2, 0, NULL), LDSL_ARGUMENT);
    assert_string_equal(
        fake.error,
        "norm_op: x is not aligned to 256 bytes; its argument may say a smaller alignment");
    pointers[0] = 8192;
    assert_int_equal(ldsl_plan_launch(plan, pointers, 2, 0, NULL), LDSL_ARGUMENT);
    assert_string_equal(fake.error, "norm_op: x and y overlap in memory, and y is written");
    pointers[0] = UINT64_MAX - 255;
    assert_int_equal(ldsl_plan_launch(plan, pointers, 2, 0, NULL), LDSL_OK);
    pointers[0] = 8192 - 256;
    assert_int_equal(ldsl_plan_launch(plan, pointers, 2, 0, NULL), LDSL_OK);
    assert_int_equal(fake.event_count, 2);
    ldsl_plan_destroy(plan);
    close_world(&w);
}

/* ---- bodies ------------------------------------------------------------------------------------------ */

#define COPY_KERNEL                                                                                \
    "kernel twice(a: tensor<f32>[N, D], b: out tensor<f32>[N, D]) {\n"                             \
    "  grid i in 0 .. N; for c in 0 .. D { b[i, c] = 2.0 * a[i, c]; } }\n"                         \
    "kernel join(a: tensor<f32>[N, D], b: tensor<f32>[N, D], c: out tensor<f32>[N, D]) {\n"        \
    "  grid i in 0 .. N; for k in 0 .. D { c[i, k] = a[i, k] + b[i, k]; } }\n"

/* Scratch tensors share bytes when their lives do not meet. */
static void test_workspace(void **state)
{
    (void)state;
    struct world w =
        open_world(COPY_KERNEL "op chain(x: tensor<f32>[N, D]) -> (y: tensor<f32>[N, D]) {\n"
                               "  scratch a: tensor<f32>[N, D];\n"
                               "  scratch b: tensor<f32>[N, D];\n"
                               "  scratch c: tensor<f32>[N, D];\n"
                               "  scratch d: tensor<f32>[N, D];\n"
                               "  launch twice(x, a);\n"
                               "  launch twice(a, b);\n"
                               "  launch twice(b, c);\n"
                               "  launch twice(c, d);\n"
                               "  launch twice(d, y);\n"
                               "}\n");
    ldsl_argument x = tensor("x", LDSL_F32, 10, 10, -1);
    ldsl_plan *plan = prepare(&w, "chain", &x, 1, NULL);
    assert_int_equal(ldsl_plan_workspace_bytes(plan),
                     1536); /* 400 bytes thrice, 256-byte aligned */
    launch(plan);
    assert_int_equal(fake.event_count, 5);
    uint64_t a = POINTER(&fake.events[0], "b"), b = POINTER(&fake.events[1], "b");
    assert_int_equal(POINTER(&fake.events[0], "a"), BASE(0));
    assert_int_equal(a, WORKSPACE);
    assert_int_equal(b, WORKSPACE + 512);
    assert_int_equal(POINTER(&fake.events[2], "b"), WORKSPACE + 1024);
    assert_int_equal(POINTER(&fake.events[3], "b"), a); /* d lies where a was */
    assert_int_equal(POINTER(&fake.events[4], "b"), BASE(1));
    uint64_t pointers[2] = {BASE(0), BASE(1)};
    assert_int_equal(ldsl_plan_launch(plan, pointers, 2, 0, NULL), LDSL_ARGUMENT);
    assert_string_equal(fake.error, "chain: a workspace of 1536 bytes is needed; it is NULL");
    assert_int_equal(ldsl_plan_launch(plan, pointers, 2, 128, NULL), LDSL_ARGUMENT);
    assert_int_equal(ldsl_plan_launch(plan, pointers, 2, BASE(1), NULL), LDSL_ARGUMENT);
    assert_string_equal(fake.error, "chain: y and the workspace overlap in memory");
    ldsl_plan_destroy(plan);
    close_world(&w);
}

/* A loop over slices; the last one is short. */
static void test_loop(void **state)
{
    (void)state;
    struct world w =
        open_world(COPY_KERNEL "op chunks(x: tensor<f32>[N, D]) -> (y: tensor<f32>[N, D]) {\n"
                               "  let C = min(N, 4);\n"
                               "  scratch z: tensor<f32>[C, D];\n"
                               "  for i in 0 .. N step C {\n"
                               "    let j = min(i + C, N);\n"
                               "    let zc = z[0 .. j - i];\n"
                               "    launch twice(x[i .. j], zc);\n"
                               "    launch twice(zc, y[i .. j]);\n"
                               "  }\n"
                               "}\n");
    ldsl_argument x = tensor("x", LDSL_F32, 10, 3, -1);
    ldsl_plan *plan = prepare(&w, "chunks", &x, 1, NULL);
    launch(plan);
    assert_int_equal(fake.event_count, 6);
    const uint64_t rows[] = {4, 4, 2};
    for (unsigned i = 0; i < 3; i++) {
        const struct event *first = &fake.events[2 * i], *second = &fake.events[2 * i + 1];
        assert_int_equal(DIM(first, "N"), rows[i]);
        assert_int_equal(first->programs, rows[i]);
        assert_int_equal(POINTER(first, "a"), BASE(0) + i * 4 * 3 * 4);
        assert_int_equal(POINTER(first, "b"), WORKSPACE);
        assert_int_equal(POINTER(second, "b"), BASE(1) + i * 4 * 3 * 4);
    }
    ldsl_plan_destroy(plan);
    close_world(&w);
}

/* Columns of a tensor: strides stay, alignment goes with the offset, zero and copy go row by row. */
static void test_columns(void **state)
{
    (void)state;
    struct world w = open_world(
        COPY_KERNEL "op halves(x: tensor<f32>[N, 2 * F]) -> (y: tensor<f32>[N, 2 * F]) {\n"
                    "  launch twice(x[0 .. N, 0 .. F], y[0 .. N, F .. 2 * F]);\n"
                    "  zero(y[0 .. 2, 0 .. F]);\n"
                    "  copy(y[1 .. N, 0 .. F], x[1 .. N, F .. 2 * F]);\n"
                    "}\n");
    ldsl_argument x = tensor("x", LDSL_F32, 3, 10, -1);
    ldsl_plan *plan = prepare(&w, "halves", &x, 1, NULL);
    launch(plan);
    assert_int_equal(fake.event_count, 1 + 2 + 2);
    assert_int_equal(DIM(&fake.events[0], "D"), 5);
    assert_int_equal(STRIDE(&fake.events[0], "b", 0), 10);
    assert_int_equal(POINTER(&fake.events[0], "b"), BASE(1) + 20);
    assert_int_equal(fake.events[1].kind, 'z');
    assert_int_equal(fake.events[1].to, BASE(1));
    assert_int_equal(fake.events[2].to, BASE(1) + 40);
    assert_int_equal(fake.events[2].bytes, 20);
    assert_int_equal(fake.events[4].kind, 'c');
    assert_int_equal(fake.events[4].to, BASE(1) + 80);
    assert_int_equal(fake.events[4].from, BASE(0) + 80 + 20);
    ldsl_plan_destroy(plan);
    x = tensor("x", LDSL_F32, 3, 9, -1);
    assert_refused(&w, "halves", &x, 1, NULL, "halves: dim 1 of x is 9, which 2 * F cannot be");
    x = tensor("x", LDSL_F32, 1, 10, -1);
    assert_refused(&w, "halves", &x, 1, NULL, "halves: 0 .. 2 leaves dim 0 of y, which has 1");
    assert_int_equal(fake.error_line, 7);
    close_world(&w);
}

/* One view read and written by a launch is one tensor to the kernel; other overlaps are refused. */
static void test_in_place(void **state)
{
    (void)state;
    struct world w =
        open_world(COPY_KERNEL "op out_of_place(x: tensor<f32>[N, D]) -> (y: tensor<f32>[N, D]) {\n"
                               "  launch twice(x, y);\n"
                               "}\n"
                               "op in_place(x: mut tensor<f32>[N, D]) -> () {\n"
                               "  out_of_place(x, x);\n"
                               "  launch join(x, x, x);\n"
                               "}\n"
                               "op shifted(x: mut tensor<f32>[N, D]) -> () {\n"
                               "  launch twice(x[0 .. N - 1], x[1 .. N]);\n"
                               "}\n");
    ldsl_argument x = tensor("x", LDSL_F32, 3, 10, -1);
    ldsl_plan *plan = prepare(&w, "in_place", &x, 1, NULL);
    assert_string_equal(ldsl_plan_launch_variant(plan, 0), "same.b=0");
    assert_string_equal(ldsl_plan_launch_variant(plan, 1), "same.b=0,same.c=0");
    launch(plan);
    assert_int_equal(POINTER(&fake.events[0], "a"), BASE(0));
    assert_int_equal(fake.events[0].slot_count, 4); /* one pointer, one stride, two dims */
    ldsl_plan_destroy(plan);
    assert_refused(&w, "shifted", &x, 1, NULL, "twice: a and b overlap, and b is written");
    close_world(&w);
}

/* Optional tensors and host conditions. */
static void test_branches(void **state)
{
    (void)state;
    struct world w =
        open_world(COPY_KERNEL "op pick(x: tensor<f32>[N, D], extra: tensor<f32>[N, D]?)\n"
                               "  -> (y: tensor<f32>[N, D], z: tensor<f32>[N, D]?) {\n"
                               "  if has extra { launch join(x, extra, y); }\n"
                               "  else { launch twice(x, y); }\n"
                               "  if has z { launch twice(x, z); }\n"
                               "  assert(N < 100, \"few rows\");\n"
                               "}\n");
    ldsl_argument args[3] = {tensor("x", LDSL_F32, 3, 10, -1), absent("z")};
    ldsl_plan *plan = prepare(&w, "pick", args, 2, NULL);
    assert_int_equal(ldsl_plan_launch_count(plan), 1);
    assert_string_equal(ldsl_plan_launch_kernel(plan, 0), "twice");
    assert_int_equal(ldsl_plan_tensor_count(plan), 2);
    ldsl_plan_destroy(plan);
    args[1] = tensor("extra", LDSL_F32, 3, 10, -1);
    plan = prepare(&w, "pick", args, 2, NULL);
    assert_int_equal(ldsl_plan_launch_count(plan), 2);
    assert_string_equal(ldsl_plan_launch_kernel(plan, 0), "join");
    assert_int_equal(ldsl_plan_tensor_count(plan), 4);
    ldsl_plan_destroy(plan);
    args[0] = tensor("x", LDSL_F32, 100, 10, -1);
    assert_refused(&w, "pick", args, 1, NULL, "pick: few rows (asserts N < 100)");
    assert_int_equal(fake.error_line, 10);
    close_world(&w);
}

/* What only a shape reveals: a loop that never ends, a division by zero, a read of nothing. */
static void test_refused_bodies(void **state)
{
    (void)state;
    struct world w = open_world(
        COPY_KERNEL "op long(x: tensor<f32>[N, D]) -> (y: tensor<f32>[N, D]) {\n"
                    "  for i in 0 .. N { for j in 0 .. N { zero(y[i .. i + 1]); } }\n"
                    "}\n"
                    "op idle(x: tensor<f32>[N, D]) -> (y: tensor<f32>[N, D]) {\n"
                    "  for i in 0 .. 4000000000000 { }\n"
                    "  launch twice(x, y);\n"
                    "}\n"
                    "op divide(x: tensor<f32>[N, D]) -> (y: tensor<f32>[N, D]) {\n"
                    "  let n = D / (N - 3);\n"
                    "  if n > 0 { launch twice(x, y); } else { zero(y); }\n"
                    "}\n"
                    "op stuck(x: tensor<f32>[N, D]) -> (y: tensor<f32>[N, D]) {\n"
                    "  for i in 0 .. N step N - 3 { zero(y); }\n"
                    "}\n"
                    "op maybe(x: tensor<f32>[N, D]) -> (y: tensor<f32>[N, D]) {\n"
                    "  scratch s: tensor<f32>[N, D];\n"
                    "  if N > 3 { zero(s); }\n"
                    "  launch twice(s, y);\n"
                    "}\n"
                    "extern op vendor(x: tensor<f32>[N, D]) -> (y: tensor<f32>[N, D]);\n"
                    "op calls(x: tensor<f32>[N, D]) -> (y: tensor<f32>[N, D]) { vendor(x, y); }\n");
    ldsl_argument x = tensor("x", LDSL_F32, 3, 1, -1), tall = tensor("x", LDSL_F32, 1000, 1, -1);
    assert_refused(&w, "long", &tall, 1, NULL,
                   "long: the body unrolls to more than 65536 statements");
    assert_refused(&w, "divide", &x, 1, NULL, "divide: division by zero");
    assert_int_equal(fake.error_line, 13);
    assert_refused(&w, "stuck", &x, 1, NULL, "stuck: the step of a loop must be positive");
    assert_refused(&w, "maybe", &x, 1, NULL, "maybe: s is read before anything is written to it");
    assert_refused(&w, "calls", &x, 1, NULL,
                   "vendor: it is declared extern, and nothing provides it");
    close_world(&w);
}

/* Types and dims that arguments do not tell. */
static void test_types_by_name(void **state)
{
    (void)state;
    struct world w =
        open_world("kernel rounded<T: real>(x: tensor<f64>[N], y: out tensor<f64>[N]) {\n"
                   "  grid i in 0 .. N; y[i] = f64(T(x[i])); }\n"
                   "op round_op<T: real>(x: tensor<f64>[N]) -> (y: tensor<f64>[N]) { launch "
                   "rounded(x, y); }\n");
    ldsl_argument args[2] = {
        tensor("x", LDSL_F64, 5, -1, -1), {.name = "T", .kind = LDSL_ARG_TYPE, .dtype = LDSL_BF16}
    };
    ldsl_plan *plan = prepare(&w, "round_op", args, 2, NULL);
    assert_string_equal(ldsl_plan_launch_variant(plan, 0), "T=bf16");
    ldsl_plan_destroy(plan);
    args[1].dtype = LDSL_I8;
    assert_refused(&w, "round_op", args, 2, NULL, "round_op: type T cannot be i8");
    args[1].name = "U";
    assert_refused(&w, "round_op", args, 2, NULL, "round_op: there is no type 'U'");
    close_world(&w);
}

/* ---- asking about operators ---------------------------------------------------------------------------- */

static void count_variant(void *user, const char *kernel, const char *variant)
{
    unsigned *count = user;
    assert_string_equal(kernel, "norm");
    assert_non_null(strstr(variant, "specialize.0="));
    count[0]++;
    count[1] +=
        strstr(variant, "T=bf16,W=f32,mode=1,w?=1,specialize.0=1,BD=24,BR=2,num_warps=1") != NULL;
}

static void test_variants(void **state)
{
    (void)state;
    struct world w = open_world(norm_text);
    unsigned count[2] = {0, 0};
    assert_int_equal(ldsl_op_variants(w.lib, "norm_op", count_variant, count), LDSL_OK);
    /* T x (W with w, the first W without) x modes x groups x covers up to 4096 */
    unsigned covers = 0;
    for (int64_t octave = 16; octave <= 4096; octave *= 2)
        covers += octave == 4096 ? 1 : 4;
    assert_int_equal(count[0], 3 * (3 + 1) * 2 * 2 * covers);
    assert_int_equal(count[1], 1);
    close_world(&w);
}

static void test_introspection(void **state)
{
    (void)state;
    struct world w = open_world(
        "kernel k(x: tensor<f32>[N, 2 * F], y: out tensor<f32>[N, F], a: f32) {\n"
        "  grid i in 0 .. N; for c in 0 .. F { y[i, c] = a * x[i, c]; } }\n"
        "/// Halves rows. It keeps 0 .. F of them.\n"
        "///\n/// More.\n"
        "op half<T: {f32}>(x: tensor<T>[N, 2 * F], a: f32 = 2.5, const b: index in {3, 5} = 5)\n"
        "  -> (y: tensor<T>[N, F])\n"
        "  sample x = uniform(0.0, 1.0);\n"
        "  bench { N = 64, F = 2 * 8 };\n"
        "{ launch k(x, y, a); }\n");
    ldsl_op_info info;
    ldsl_op_param p;
    int64_t value;
    const char *text;
    assert_false(ldsl_op_find(w.lib, "k", &info));
    assert_true(ldsl_op_find(w.lib, "half", &info));
    assert_string_equal(info.summary, "Halves rows");
    assert_int_equal(info.param_count, 4);
    assert_int_equal(info.dim_count, 2);
    assert_null(info.grad);
    assert_true(ldsl_op_get_param(w.lib, "half", 0, &p));
    assert_string_equal(p.dims[1], "2 * F");
    assert_string_equal(p.sample, "uniform(0.0, 1.0)");
    assert_string_equal(p.generic, "T");
    assert_true(ldsl_op_get_param(w.lib, "half", 1, &p));
    assert_true(p.has_default && p.default_number == 2.5);
    assert_true(ldsl_op_get_param(w.lib, "half", 2, &p));
    assert_true(p.is_const);
    assert_int_equal(p.choice_count, 2);
    assert_int_equal(p.default_integer, 5);
    assert_true(ldsl_op_choice(w.lib, "half", 2, 0, &value, &text));
    assert_int_equal(value, 3);
    assert_null(text);
    assert_false(ldsl_op_choice(w.lib, "half", 2, 2, &value, &text));
    assert_true(ldsl_op_get_param(w.lib, "half", 3, &p));
    assert_int_equal(p.role, LDSL_PARAM_OUTPUT);
    assert_false(ldsl_op_get_param(w.lib, "half", 4, &p));
    assert_string_equal(ldsl_op_dim(w.lib, "half", 1), "F");
    assert_true(ldsl_op_bench(w.lib, "half", 0, "F", &value));
    assert_int_equal(value, 16);
    assert_false(ldsl_op_bench(w.lib, "half", 0, "D", &value));
    assert_false(ldsl_op_bench(w.lib, "half", 1, "F", &value));
    close_world(&w);
}

/* ---- threads ------------------------------------------------------------------------------------------- */

static void *launch_often(void *plan)
{
    for (int i = 0; i < 4; i++) {
        uint64_t pointers[2] = {BASE(0), BASE(1)};
        if (ldsl_plan_launch(plan, pointers, 2, WORKSPACE, NULL))
            return plan;
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct world w = open_world(norm_text);
    ldsl_argument x = tensor("x", LDSL_F32, 4, 8, -1);
    ldsl_plan *plan = prepare(&w, "norm_op", &x, 1, NULL);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, launch_often, plan), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(fake.event_count, 16);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(POINTER(&fake.events[i], "y"), BASE(1));
    ldsl_plan_destroy(plan);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_launch),
        cmocka_unit_test(test_room_for_rows),
        cmocka_unit_test(test_no_room_for_rows),
        cmocka_unit_test(test_variant_choice),
        cmocka_unit_test(test_schedule_values),
        cmocka_unit_test(test_schedule_on_cpu),
        cmocka_unit_test(test_schedule_in_source),
        cmocka_unit_test(test_default_of_the_specialized),
        cmocka_unit_test(test_default_by_type),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_refused_arguments),
        cmocka_unit_test(test_refused_conditions),
        cmocka_unit_test(test_refused_pointers),
        cmocka_unit_test(test_workspace),
        cmocka_unit_test(test_loop),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_branches),
        cmocka_unit_test(test_refused_bodies),
        cmocka_unit_test(test_types_by_name),
        cmocka_unit_test(test_variants),
        cmocka_unit_test(test_introspection),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
