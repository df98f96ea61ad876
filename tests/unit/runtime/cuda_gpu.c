/* The first GPU, if there is one: memory, a kernel from an artifact, a captured graph, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "artifact.h"
#include "cuda/cuda.h"
#include "cuda/state.h"
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 128, N = 100003, PROGRAMS = (N + BLOCK - 1) / BLOCK };

/* y[i] = a x[i] + y[i]; thread t of program p has element 128 p + t. */
static const char axpy[] = ".version 7.0\n"
                           ".target sm_70\n"
                           ".address_size 64\n"
                           ".visible .entry axpy(.param .u64 px, .param .u64 py, .param .u64 pn,\n"
                           "                     .param .u64 pa)\n"
                           "{\n"
                           "  .reg .pred %p;\n"
                           "  .reg .b32 %c, %t, %b;\n"
                           "  .reg .f32 %a, %x, %y;\n"
                           "  .reg .b64 %i, %n, %px, %py;\n"
                           "  mov.u32 %c, %ctaid.x;\n"
                           "  mov.u32 %t, %tid.x;\n"
                           "  mov.u32 %b, %ntid.x;\n"
                           "  mad.lo.u32 %c, %c, %b, %t;\n"
                           "  cvt.u64.u32 %i, %c;\n"
                           "  ld.param.u64 %n, [pn];\n"
                           "  setp.ge.s64 %p, %i, %n;\n"
                           "  @%p bra DONE;\n"
                           "  ld.param.u64 %px, [px];\n"
                           "  ld.param.u64 %py, [py];\n"
                           "  ld.param.f32 %a, [pa];\n"
                           "  shl.b64 %i, %i, 2;\n"
                           "  add.s64 %px, %px, %i;\n"
                           "  add.s64 %py, %py, %i;\n"
                           "  ld.global.f32 %x, [%px];\n"
                           "  ld.global.f32 %y, [%py];\n"
                           "  fma.rn.f32 %y, %a, %x, %y;\n"
                           "  st.global.f32 [%py], %y;\n"
                           "DONE:\n"
                           "  ret;\n"
                           "}\n";

static ldsl_artifact *make_with(const char *ptx, struct ldsl_kernel_info info)
{
    static const struct artifact_slot slots[] = {
        {LDSL_SLOT_POINTER, LDSL_F32, 0, "x"},
        {LDSL_SLOT_POINTER, LDSL_F32, 0, "y"},
        {LDSL_SLOT_DIM,     0,        0, "n"},
        {LDSL_SLOT_SCALAR,  LDSL_F32, 0, "a"}
    };
    struct artifact_parts parts = {
        .kind = LDSL_ARTIFACT_KERNEL,
        .data = ptx,
        .data_bytes = strlen(ptx) + 1,
        .info = info,
        .slots = slots,
    };
    parts.info.name = parts.info.entry = "axpy";
    parts.info.target = "nvptx:sm_70";
    parts.info.variant = "";
    parts.info.slot_count = 4;
    parts.info.block_threads = BLOCK;
    ldsl_artifact *a = artifact_create(&parts);
    assert_non_null(a);
    return a;
}

static ldsl_artifact *make_artifact(const char *ptx, uint32_t shared_bytes)
{
    return make_with(ptx, (struct ldsl_kernel_info){.shared_bytes = shared_bytes});
}

/* ---- a GPU with x and y on it ------------------------------------------------------------------ */

struct world {
    void *device, *kernel;
    ldsl_artifact *artifact;
    uint64_t slots[4]; /* x, y, n, a */
    float x[N], y[N], back[N];
};

static const float factor = 1.5F;

static void fill(struct world *w)
{
    for (int i = 0; i < N; i++) {
        w->x[i] = (float)(i % 1000) * 0.25F;
        w->y[i] = (float)(i % 77);
    }
    assert_int_equal(rt_cuda.upload(w->device, w->slots[0], w->x, sizeof w->x), LDSL_OK);
    assert_int_equal(rt_cuda.upload(w->device, w->slots[1], w->y, sizeof w->y), LDSL_OK);
}

/* y is what `times` launches make of it; every number is exact in f32. */
static void assert_axpy(struct world *w, int times)
{
    assert_int_equal(rt_cuda.download(w->device, w->back, w->slots[1], sizeof w->back), LDSL_OK);
    for (int i = 0; i < N; i++)
        if (w->back[i] != w->y[i] + (float)times * factor * w->x[i])
            fail_msg("element %d is %g", i, (double)w->back[i]);
}

static int set_up(void **state)
{
    char why[256] = "";
    *state = NULL;
    if (rt_cuda.probe(why, sizeof why) == 0)
        return 0;
    struct world *w = *state = calloc(1, sizeof *w);
    struct rt_device_options options = {.number = 0};
    if (!w || rt_cuda.open(&w->device, &options))
        return -1;
    w->artifact = make_artifact(axpy, 0);
    if (rt_cuda.load(w->device, &w->kernel, w->artifact) ||
        rt_cuda.alloc(w->device, &w->slots[0], sizeof w->x) ||
        rt_cuda.alloc(w->device, &w->slots[1], sizeof w->y))
        return -1;
    w->slots[2] = N;
    memcpy(&w->slots[3], &factor, sizeof factor);
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    if (!w)
        return 0;
    rt_cuda.free(w->device, w->slots[0]);
    rt_cuda.free(w->device, w->slots[1]);
    rt_cuda.unload(w->device, w->kernel);
    rt_cuda.close(w->device);
    ldsl_artifact_free(w->artifact);
    free(w);
    return 0;
}

static struct world *world_or_skip(void **state)
{
    char why[256] = "";
    if (!*state) {
        rt_cuda.probe(why, sizeof why);
        print_message("skipped: %s\n", why);
        skip();
    }
    return *state;
}

static enum ldsl_status launch(struct world *w, void *stream)
{
    return rt_cuda.launch(w->device, w->kernel, w->slots, 4, PROGRAMS, false, stream);
}

/* ---- tests ------------------------------------------------------------------------------------- */

static void it_describes_itself(void **state)
{
    struct world *w = world_or_skip(state);
    struct rt_device_info info;
    rt_cuda.describe(w->device, &info);
    print_message("%s: %s, target %s\n", info.name, info.description, info.target);
    assert_string_equal(info.name, "cuda:0");
    assert_true(info.is_gpu);
    assert_true(info.sm_count > 0 && info.smem >= 48 * 1024 && info.cc >= 50);
    assert_int_equal(info.lanes, 32);
    print_message("clusters of 2, 4, 8: %lld, %lld, %lld\n", (long long)info.clusters[0],
                  (long long)info.clusters[1], (long long)info.clusters[2]);
    for (int i = 0; i < RT_CLUSTER_SIZES; i++)
        assert_true(info.cc >= 90
                        ? info.clusters[i] > 0 && info.clusters[i] << (i + 1) <= info.sm_count
                        : info.clusters[i] == 0);
}

static void a_kernel_of_ptx_text_computes(void **state)
{
    struct world *w = world_or_skip(state);
    const struct cuda_resources *r = cuda_kernel_resources(w->kernel);
    assert_true(r->registers > 0 && r->max_threads >= BLOCK);
    assert_int_equal(r->local_bytes, 0);
    fill(w);
    assert_int_equal(launch(w, NULL), LDSL_OK);
    assert_int_equal(rt_cuda.synchronize(w->device, NULL), LDSL_OK);
    assert_axpy(w, 1);
}

static void memory_is_copied_and_zeroed(void **state)
{
    struct world *w = world_or_skip(state);
    fill(w);
    assert_int_equal(w->slots[0] % 256, 0);
    assert_int_equal(rt_cuda.copy(w->device, w->slots[1], w->slots[0], sizeof w->x, NULL), LDSL_OK);
    assert_int_equal(rt_cuda.zero(w->device, w->slots[1], 401, NULL), LDSL_OK);
    assert_int_equal(rt_cuda.download(w->device, w->back, w->slots[1], sizeof w->back), LDSL_OK);
    memset(w->x, 0, 401);
    assert_memory_equal(w->back, w->x, sizeof w->x);
}

static void the_callers_context_stays(void **state)
{
    struct world *w = world_or_skip(state);
    const struct cuda_api *g = &((const struct cuda_device *)w->device)->api;
    cu_context before = NULL, after = NULL;
    assert_int_equal(g->cuCtxGetCurrent(&before), CU_SUCCESS);
    assert_null(before); /* nothing of ours stays current in a thread that had none */
    fill(w);
    assert_int_equal(launch(w, NULL), LDSL_OK);
    assert_int_equal(rt_cuda.synchronize(w->device, NULL), LDSL_OK);
    assert_int_equal(g->cuCtxGetCurrent(&after), CU_SUCCESS);
    assert_null(after);
}

static void launches_are_captured_in_a_graph(void **state)
{
    struct world *w = world_or_skip(state);
    struct cuda_device *d = w->device;
    const struct cuda_api *g = &d->api;
    cu_stream stream = NULL;
    cu_graph graph = NULL;
    cu_graph_exec exec = NULL;
    fill(w);
    assert_int_equal(cuda_enter(d), LDSL_OK);
    assert_int_equal(g->cuStreamCreate(&stream, 1), CU_SUCCESS); /* does not wait for the default */
    assert_int_equal(g->cuStreamBeginCapture_v2(stream, 0), CU_SUCCESS);
    assert_int_equal(rt_cuda.zero(d, w->slots[1], sizeof w->y, stream), LDSL_OK);
    assert_int_equal(launch(w, stream), LDSL_OK);
    assert_int_equal(launch(w, stream), LDSL_OK);
    assert_int_equal(g->cuStreamEndCapture(stream, &graph), CU_SUCCESS);
    assert_int_equal(g->cuGraphInstantiateWithFlags(&exec, graph, 0), CU_SUCCESS);
    assert_axpy(w, 0); /* recorded, not run */
    memset(w->y, 0, sizeof w->y);
    for (int replay = 0; replay < 3; replay++) {
        assert_int_equal(g->cuGraphLaunch(exec, stream), CU_SUCCESS);
        assert_int_equal(rt_cuda.synchronize(d, stream), LDSL_OK);
        assert_axpy(w, 2);
    }
    assert_int_equal(g->cuGraphExecDestroy(exec), CU_SUCCESS);
    assert_int_equal(g->cuGraphDestroy(graph), CU_SUCCESS);
    assert_int_equal(g->cuStreamDestroy_v2(stream), CU_SUCCESS);
    cuda_leave(d);
}

/* The kernel does the same, made ready in another way. */
static void use(struct world *w, const ldsl_artifact *a)
{
    rt_cuda.unload(w->device, w->kernel);
    w->kernel = NULL;
    assert_int_equal(rt_cuda.load(w->device, &w->kernel, a), LDSL_OK);
    fill(w);
    assert_int_equal(launch(w, NULL), LDSL_OK);
    assert_int_equal(launch(w, NULL), LDSL_OK);
    assert_axpy(w, 2);
}

static void machine_code_of_the_driver_computes_the_same(void **state)
{
    struct world *w = world_or_skip(state);
    ldsl_artifact *made;
    size_t bytes;
    assert_int_equal(rt_cuda.translate(w->device, &made, w->artifact), LDSL_OK);
    const void *code = ldsl_artifact_data(made, &bytes);
    assert_true(cuda_is_machine_code(code, bytes));
    use(w, made);
    ldsl_artifact_free(made);
}

/* Blocks beyond the programs find nothing to do. */
static void clusters_and_dependent_launches_run(void **state)
{
    struct world *w = world_or_skip(state);
    struct ldsl_kernel_info info = {.cluster = 2, .dependent = true};
    char ptx[4096];
    if (((const struct cuda_device *)w->device)->cc < 90) {
        print_message("skipped: no clusters before compute capability 9.0\n");
        skip();
    }
    snprintf(ptx, sizeof ptx, ".version 7.8\n.target sm_90\n%s", strstr(axpy, ".address_size"));
    char *body = strstr(ptx, "  mov.u32 %c");
    memmove(body + strlen("griddepcontrol.wait;\n"), body, strlen(body) + 1);
    memcpy(body, "griddepcontrol.wait;\n", strlen("griddepcontrol.wait;\n"));
    ldsl_artifact *a = make_with(ptx, info);
    use(w, a);
    ldsl_artifact_free(a);
}

static enum ldsl_status launch_twice(void *user, void *stream)
{
    struct world *w = user;
    enum ldsl_status status = launch(w, stream);
    return status ? status : launch(w, stream);
}

static void work_is_timed(void **state)
{
    struct world *w = world_or_skip(state);
    double seconds[5] = {0}, host = 0;
    fill(w);
    assert_int_equal(rt_cuda.time(w->device, NULL, launch_twice, w, seconds, 5), LDSL_OK);
    for (int i = 0; i < 5; i++)
        assert_true(seconds[i] > 1e-7 && seconds[i] < 0.1);
    assert_axpy(w, 10);
    assert_int_equal(rt_cuda.time_bare(w->device, w->kernel, w->slots, 4, PROGRAMS, &host, 100),
                     LDSL_OK);
    print_message("%.2f us for two kernels; the host takes %.2f us a launch\n", 1e6 * seconds[4],
                  1e4 * host);
    assert_true(host > 0);
    assert_axpy(w, 110);
}

static void much_shared_memory_can_be_had(void **state)
{
    struct world *w = world_or_skip(state);
    struct rt_device_info info;
    void *plain = w->kernel;
    rt_cuda.describe(w->device, &info);
    ldsl_artifact *a = make_artifact(axpy, (uint32_t)info.smem);
    assert_int_equal(rt_cuda.load(w->device, &w->kernel, a), LDSL_OK);
    fill(w);
    assert_int_equal(launch(w, NULL), LDSL_OK);
    assert_axpy(w, 1);
    rt_cuda.unload(w->device, w->kernel);
    w->kernel = plain;
    ldsl_artifact_free(a);
}

static void the_ptx_compilers_words_are_told(void **state)
{
    struct world *w = world_or_skip(state);
    void *kernel;
    ldsl_artifact *a =
        make_artifact(".version 7.0\n.target sm_70\n.address_size 64\nnonsense;\n", 0);
    assert_int_equal(rt_cuda.load(w->device, &kernel, a), LDSL_DEVICE);
    assert_null(kernel);
    print_message("%s\n", ldsl_last_error());
    assert_non_null(strstr(ldsl_last_error(), "CUDA_ERROR_INVALID_PTX"));
    assert_non_null(strstr(ldsl_last_error(), "line 4"));
    ldsl_artifact_free(a);
}

static void too_much_memory_is_no_disaster(void **state)
{
    struct world *w = world_or_skip(state);
    uint64_t address;
    assert_int_equal(rt_cuda.alloc(w->device, &address, (size_t)1 << 46), LDSL_NOMEM);
    assert_non_null(strstr(ldsl_last_error(), "CUDA_ERROR_OUT_OF_MEMORY"));
    fill(w);
    assert_int_equal(launch(w, NULL), LDSL_OK);
    assert_axpy(w, 1);
}

/* The last test: afterwards the GPU is lost to this process. */
static void an_illegal_address_is_told_by_every_call(void **state)
{
    struct world *w = world_or_skip(state);
    uint64_t slots[4] = {256, 256, N, 0}, address;
    char first[256];
    assert_int_equal(rt_cuda.launch(w->device, w->kernel, slots, 4, PROGRAMS, false, NULL),
                     LDSL_OK);
    assert_int_equal(rt_cuda.synchronize(w->device, NULL), LDSL_DEVICE);
    snprintf(first, sizeof first, "%s", ldsl_last_error());
    print_message("%s\n", first);
    assert_non_null(strstr(first, "CUDA_ERROR_ILLEGAL_ADDRESS"));
    assert_non_null(strstr(first, "must start anew"));
    assert_int_equal(rt_cuda.alloc(w->device, &address, 256), LDSL_DEVICE);
    assert_string_equal(ldsl_last_error(), first);
    assert_int_equal(launch(w, NULL), LDSL_DEVICE);
    assert_string_equal(ldsl_last_error(), first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(it_describes_itself),
        TEST(a_kernel_of_ptx_text_computes),
        TEST(memory_is_copied_and_zeroed),
        TEST(the_callers_context_stays),
        TEST(launches_are_captured_in_a_graph),
        TEST(machine_code_of_the_driver_computes_the_same),
        TEST(clusters_and_dependent_launches_run),
        TEST(work_is_timed),
        TEST(much_shared_memory_can_be_had),
        TEST(the_ptx_compilers_words_are_told),
        TEST(too_much_memory_is_no_disaster),
        TEST(an_illegal_address_is_told_by_every_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
