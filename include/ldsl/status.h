/* Status codes: whose fault a failure is. Every fallible public function returns one. */
#ifndef LDSL_STATUS_H
#define LDSL_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LDSL_API __attribute__((visibility("default")))
#else
#define LDSL_API
#endif

/* clang-format off */
#define LDSL_STATUS_LIST(X)                                              \
    X(OK,          "ok",                "it worked")                      \
    X(SOURCE,      "source error",      "the .ldsl text is wrong; the diagnostics say where") \
    X(ARGUMENT,    "bad argument",      "the caller passed something that cannot be")         \
    X(UNSUPPORTED, "unsupported",       "well formed, but this build, device or policy cannot do it") \
    X(NOMEM,       "out of memory",     "an allocation failed")           \
    X(DEVICE,      "device error",      "the driver, the device or the file system failed")   \
    X(INTERNAL,    "internal error",    "a bug of ours")
/* clang-format on */

enum ldsl_status {
#define X(name, text, meaning) LDSL_##name,
    LDSL_STATUS_LIST(X)
#undef X
};

/* The short text of a status ("ok", "source error", ...); static storage; never NULL. */
LDSL_API const char *ldsl_status_name(enum ldsl_status status);

#ifdef __cplusplus
}
#endif
#endif
