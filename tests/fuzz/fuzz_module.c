/* Module images from anywhere: what the reader accepts can be listed, asked about and prepared, with
 * arguments made up from its own signatures. Kernels are not compiled, so plans end at the first
 * launch that is not empty. The corpus holds images as the compiler writes them. */
#include "internal.h"
#include "module.h"

#include <ldsl/ops.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct rt_device_ops device = {.name = "none"};

enum { MAX_ARGUMENTS = 16 };

/* Tensors of extent 4, outputs and scalars left out. */
static uint32_t make_arguments(const ldsl_library *lib, const char *op, ldsl_argument *out,
                               enum ldsl_dtype dtype)
{
    ldsl_op_param p;
    uint32_t count = 0;
    for (uint32_t i = 0; count < MAX_ARGUMENTS && ldsl_op_get_param(lib, op, i, &p); i++) {
        ldsl_argument *a = &out[count];
        if (p.kind != LDSL_KIND_TENSOR || p.role == LDSL_PARAM_OUTPUT)
            continue;
        *a = (ldsl_argument){.name = p.name, .kind = LDSL_ARG_TENSOR, .rank = p.rank};
        a->dtype = p.generic ? dtype : p.dtype;
        for (uint32_t d = 0; d < p.rank; d++)
            a->shape[d] = 4;
        count++;
    }
    return count;
}

static void hear(void *user, const char *kernel, const char *variant)
{
    size_t *bytes = user;
    *bytes += strlen(kernel) + strlen(variant);
}

static void use_op(struct ldsl_library *lib, const char *op)
{
    ldsl_argument arguments[MAX_ARGUMENTS];
    ldsl_op_info info;
    ldsl_plan *plan;
    size_t bytes = 0;
    ldsl_op_find(lib, op, &info);
    uint32_t count = make_arguments(lib, op, arguments, LDSL_F32);
    if (ldsl_plan_prepare(&plan, lib, op, arguments, count, "BR=1") == LDSL_OK)
        ldsl_plan_destroy(plan);
    ldsl_op_variants(lib, op, hear, &bytes);
}

static void use_module(struct rt_module *m)
{
    struct ldsl_context ctx = {.ops = &device, .no_compile = true, .info = {.sm_count = 2}};
    struct rt_file file = {
        .source = {.path = "fuzz", .text = "", .length = 0},
          .module = m
    };
    struct rt_op_entry entries[4];
    struct ldsl_library lib = {.ctx = &ctx, .files = &file, .file_count = 1, .ops = entries};
    if (rt_kernel_table_create(&lib.kernels, NULL))
        return;
    for (uint32_t i = 0; i < m->ops_count && i < 4; i++)
        entries[lib.op_count++] = (struct rt_op_entry){0, i};
    for (uint32_t i = 0; i < lib.op_count; i++)
        use_op(&lib, rt_module_text(m, m->ops[i].name));
    rt_kernel_table_destroy(lib.kernels, &ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rt_module m;
    const char *why;
    void *image = malloc(size ? size : 1); /* aligned, and exact for the sanitizer */
    if (!image)
        return 0;
    if (size)
        memcpy(image, data, size);
    if (rt_module_read(&m, image, size, &why))
        use_module(&m);
    free(image);
    return 0;
}
