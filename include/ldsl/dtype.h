/* Element types of tensors and scalars: one list for the language, the compiler and the runtime. */
#ifndef LDSL_DTYPE_H
#define LDSL_DTYPE_H

#include <ldsl/status.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */
/*    NAME     text       bits kind (Bool, Signed, Unsigned, Float) */
#define LDSL_DTYPE_LIST(X)       \
    X(BOOL,    "bool",     8, 'B') \
    X(I8,      "i8",       8, 'S') \
    X(I16,     "i16",     16, 'S') \
    X(I32,     "i32",     32, 'S') \
    X(I64,     "i64",     64, 'S') \
    X(U8,      "u8",       8, 'U') \
    X(U16,     "u16",     16, 'U') \
    X(U32,     "u32",     32, 'U') \
    X(U64,     "u64",     64, 'U') \
    X(F16,     "f16",     16, 'F') \
    X(BF16,    "bf16",    16, 'F') \
    X(F32,     "f32",     32, 'F') \
    X(F64,     "f64",     64, 'F') \
    X(F8E4M3,  "f8e4m3",   8, 'F') \
    X(F8E5M2,  "f8e5m2",   8, 'F')
/* clang-format on */

/* clang-format off */
enum ldsl_dtype {
#define X(name, text, bits, kind) LDSL_##name,
    LDSL_DTYPE_LIST(X)
#undef X
    LDSL_DTYPE_COUNT
};
/* clang-format on */

LDSL_API const char *ldsl_dtype_name(enum ldsl_dtype dtype);              /* "bf16" */
LDSL_API size_t ldsl_dtype_size(enum ldsl_dtype dtype);                   /* bytes of one element */
LDSL_API bool ldsl_dtype_parse(const char *text, enum ldsl_dtype *dtype); /* false: unknown */

#ifdef __cplusplus
}
#endif
#endif
