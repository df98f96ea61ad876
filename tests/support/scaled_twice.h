/* An operator of two launches with scratch memory between them: y = x * s * s. */
#ifndef TESTS_SUPPORT_SCALED_TWICE_H
#define TESTS_SUPPORT_SCALED_TWICE_H

#include <ldsl/ldsl.h>

static const char scaled_twice[] =
    "kernel k<T: float>(x: tensor<T>[R, D], y: out tensor<T>[R, D], s: f32)\n"
    "{\n"
    "  grid r in 0 .. R;\n"
    "  axis c in 0 .. D tile fit(D);\n"
    "  y[r, c] = T(f32(x[r, c]) * s);\n"
    "}\n"
    "op f<T: float>(x: tensor<T>[R, D], s: f32) -> (y: tensor<T>[R, D])\n"
    "{\n"
    "  scratch z: tensor<T>[R, D];\n"
    "  launch k(x, z, s);\n"
    "  launch k(z, y, s);\n"
    "}\n";

/* Operator f of it, for an f32 tensor x. */
static inline enum ldsl_status prepare_scaled_twice(ldsl_plan **plan, ldsl_library *lib,
                                                    int64_t rows, int64_t width, double s)
{
    const ldsl_argument arguments[] = {
        {.name = "x",
         .kind = LDSL_ARG_TENSOR,
         .dtype = LDSL_F32,
         .rank = 2,
         .shape = {rows, width}},
        {.name = "s", .kind = LDSL_ARG_SCALAR, .number = s},
    };
    return ldsl_plan_prepare(plan, lib, "f", arguments, 2, NULL);
}

#endif
