#include "support/call.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_diag(void *user, const struct ldsl_diag *diag)
{
    char text[4096];
    (void)user;
    if (diag->severity != LDSL_ERROR && diag->severity != LDSL_WARNING)
        return;
    ldsl_diag_format(diag, LDSL_DIAG_PLAIN, text, sizeof text);
    fputs(text, stderr);
}

int bench_create(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    ldsl_context_options options = {
        .sink = {print_diag, NULL},
          .no_cache = true
    };
    *state = bench;
    if (!bench || ldsl_context_create(&bench->context, "cpu", &options) != LDSL_OK)
        return -1;
    return ldsl_library_load_builtin(&bench->library, bench->context) == LDSL_OK ? 0 : -1;
}

int bench_destroy(void **state)
{
    struct bench *bench = *state;
    if (bench) {
        ldsl_library_destroy(bench->library);
        ldsl_context_destroy(bench->context);
    }
    free(bench);
    return 0;
}

struct op_call op_call(const char *op)
{
    return (struct op_call){.op = op};
}

static ldsl_argument *add(struct op_call *call, const char *name, enum ldsl_argument_kind kind)
{
    assert_true(call->count < OP_CALL_ARGUMENTS);
    ldsl_argument *a = &call->arguments[call->count++];
    a->name = name;
    a->kind = kind;
    return a;
}

void op_tensor(struct op_call *call, const char *name, enum ldsl_dtype dtype, void *data,
               uint32_t rank, ...)
{
    call->data[call->count] = data;
    ldsl_argument *a = add(call, name, LDSL_ARG_TENSOR);
    a->dtype = dtype;
    a->rank = rank;
    a->alignment = (uint32_t)ldsl_dtype_size(dtype);
    va_list extents;
    va_start(extents, rank);
    for (uint32_t d = 0; d < rank; d++)
        a->shape[d] = va_arg(extents, int);
    va_end(extents);
}

void op_absent(struct op_call *call, const char *name)
{
    add(call, name, LDSL_ARG_ABSENT);
}

void op_number(struct op_call *call, const char *name, double value)
{
    add(call, name, LDSL_ARG_SCALAR)->number = value;
}

void op_integer(struct op_call *call, const char *name, int64_t value)
{
    ldsl_argument *a = add(call, name, LDSL_ARG_SCALAR);
    a->integer = value;
    a->is_integer = true;
}

void op_word(struct op_call *call, const char *name, const char *word)
{
    add(call, name, LDSL_ARG_ENUM)->word = word;
}

static void *find_data(const struct op_call *call, const char *name)
{
    for (uint32_t i = 0; i < call->count; i++)
        if (strcmp(call->arguments[i].name, name) == 0)
            return call->data[i];
    fail_msg("%s: the test gives no tensor %s", call->op, name);
    return NULL;
}

void op_run(const struct bench *bench, const struct op_call *call)
{
    ldsl_plan *plan = NULL;
    ldsl_buffer *workspace = NULL;
    uint64_t pointers[OP_CALL_ARGUMENTS];
    if (ldsl_plan_prepare(&plan, bench->library, call->op, call->arguments, call->count, NULL))
        fail_msg("%s: %s", call->op, ldsl_last_error());
    uint32_t count = ldsl_plan_tensor_count(plan);
    assert_true(count <= OP_CALL_ARGUMENTS);
    for (uint32_t i = 0; i < count; i++) {
        ldsl_tensor_info info;
        assert_true(ldsl_plan_tensor(plan, i, &info));
        pointers[i] = (uint64_t)(uintptr_t)find_data(call, info.name);
    }
    if (ldsl_buffer_create(&workspace, bench->context, ldsl_plan_workspace_bytes(plan)) ||
        ldsl_plan_launch(plan, pointers, count, ldsl_buffer_address(workspace), NULL) ||
        ldsl_stream_synchronize(bench->context, NULL))
        fail_msg("%s: %s", call->op, ldsl_last_error());
    ldsl_buffer_destroy(workspace);
    ldsl_plan_destroy(plan);
}

void op_refused(const struct bench *bench, const struct op_call *call, const char *words)
{
    ldsl_plan *plan = NULL;
    enum ldsl_status status =
        ldsl_plan_prepare(&plan, bench->library, call->op, call->arguments, call->count, NULL);
    ldsl_plan_destroy(plan);
    if (status == LDSL_OK)
        fail_msg("%s took what it must refuse", call->op);
    if (!strstr(ldsl_last_error(), words))
        fail_msg("%s: %s", call->op, ldsl_last_error());
}

void fill_uniform(float *values, size_t count, float lo, float hi, uint32_t seed)
{
    uint32_t x = seed * 2654435761u + 1;
    for (size_t i = 0; i < count; i++) {
        x = x * 1664525u + 1013904223u;
        values[i] = lo + (hi - lo) * ((float)(x >> 8) / 16777216.0f);
    }
}

uint16_t bf16_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float bf16_value(uint16_t half)
{
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
