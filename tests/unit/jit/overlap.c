/* Launches that overlap: what the emulator says of a kernel that does not wait where it should. Variants
 * are asked for by hand, with tensors said to be ready that are not. */
#include "internal.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdlib.h>
#include <string.h>

enum { N = 100 };

static const char source[] = "kernel twice(x: tensor<f32>[N], y: out tensor<f32>[N])\n"
                             "{\n"
                             "  grid axis i in 0 .. N tile 32;\n"
                             "  y[i] = 2.0 * x[i];\n"
                             "}\n";

struct world {
    ldsl_context *ctx;
    ldsl_library *library;
    ldsl_buffer *buffers[4];
};

static struct world open_world(void)
{
    struct world w;
    float zeros[N] = {0};
    ldsl_context_options options = {.no_cache = true, .threads = 2};
    assert_int_equal(ldsl_context_create(&w.ctx, "simt", &options), LDSL_OK);
    assert_int_equal(
        ldsl_library_load_text(&w.library, w.ctx, "overlap.ldsl", source, sizeof source - 1),
        LDSL_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(ldsl_buffer_create(&w.buffers[i], w.ctx, sizeof zeros), LDSL_OK);
        ldsl_buffer_upload(w.buffers[i], 0, zeros, sizeof zeros);
    }
    return w;
}

static void close_world(struct world *w)
{
    for (int i = 0; i < 4; i++)
        ldsl_buffer_destroy(w->buffers[i]);
    ldsl_library_destroy(w->library);
    ldsl_context_destroy(w->ctx);
}

/* twice(buffer x, buffer y) */
static enum ldsl_status launch(const struct world *w, const char *bindings, int x, int y,
                               bool alone)
{
    const struct rt_kernel *k;
    if (rt_kernel_get(&k, w->library, 0, "twice", bindings))
        fail_msg("%s", ldsl_last_error());
    const uint64_t slots[] = {ldsl_buffer_address(w->buffers[x]),
                              ldsl_buffer_address(w->buffers[y]), N};
    return w->ctx->ops->launch(w->ctx->device, k->handle, slots, 3, (N + 31) / 32, alone, NULL);
}

struct pair {
    const char *ready;
    int x, y; /* of the second launch; the first reads 0 and writes 1 */
    const char *text;
};

static const struct pair pairs[] = {
    {"ready.x=1,ready.y=1", 2, 3, NULL                          },
    {"ready.x=1,ready.y=1", 0, 3, NULL                          },
    {"ready.y=1",           1, 3, NULL                          },
    {"ready.x=1",           2, 0, NULL                          },
    {"ready.x=1,ready.y=1", 1, 3, "meets x before it has waited"}, /* read after write  */
    {"ready.x=1,ready.y=1", 2, 0, "meets y before it has waited"}, /* write after read  */
    {"ready.x=1,ready.y=1", 2, 1, "meets y before it has waited"}, /* write after write */
};

static void what_the_launch_before_uses_is_waited_for(void **state)
{
    (void)state;
    struct world w = open_world();
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const struct pair *p = &pairs[i];
        assert_int_equal(launch(&w, "", 0, 1, false), LDSL_OK);
        enum ldsl_status status = launch(&w, p->ready, p->x, p->y, false);
        assert_int_equal(status, p->text ? LDSL_DEVICE : LDSL_OK);
        if (p->text && !strstr(ldsl_last_error(), p->text))
            fail_msg("pair %zu: %s", i, ldsl_last_error());
    }
    close_world(&w);
}

/* What runs alone meets nobody. */
static void alone_all_is_ready(void **state)
{
    (void)state;
    struct world w = open_world();
    assert_int_equal(launch(&w, "", 0, 1, false), LDSL_OK);
    assert_int_equal(launch(&w, "ready.x=1,ready.y=1", 1, 0, true), LDSL_OK);
    close_world(&w);
}

/* Of the launches before only the last one may still run. */
static void the_last_but_one_is_over(void **state)
{
    (void)state;
    struct world w = open_world();
    assert_int_equal(launch(&w, "", 0, 1, false), LDSL_OK);
    assert_int_equal(launch(&w, "ready.x=1,ready.y=1", 2, 3, false), LDSL_OK);
    assert_int_equal(launch(&w, "ready.x=1,ready.y=1", 1, 0, false), LDSL_OK);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_launch_before_uses_is_waited_for),
        cmocka_unit_test(alone_all_is_ready),
        cmocka_unit_test(the_last_but_one_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
