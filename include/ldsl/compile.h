/* The compiler: .ldsl text (or tile IR text) in, artifact out. Needs no device.
 *
 * Reentrant: compiles may run in parallel on different threads; nothing is shared. */
#ifndef LDSL_COMPILE_H
#define LDSL_COMPILE_H

#include <ldsl/artifact.h>
#include <ldsl/diag.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A source text. Imports are looked up next to `path`, then in the embedded library. */
typedef struct ldsl_source {
    const char *path; /* shown in diagnostics; relative imports start at its folder */
    const char *text;
    size_t length;
} ldsl_source;

enum ldsl_emit {
    LDSL_EMIT_IMAGE,  /* a kernel artifact ready to load */
    LDSL_EMIT_MODULE, /* the op layer of the whole file: signatures, host code (ldsl/module.h) */
    LDSL_EMIT_AST,    /* the rest are texts */
    LDSL_EMIT_IR,
    LDSL_EMIT_PLAN,
    LDSL_EMIT_LLVM,
    LDSL_EMIT_ASM,    /* assembly; PTX for nvptx */
    LDSL_EMIT_CHECK,  /* nothing: only check the file, all variants */
    LDSL_EMIT_LAYOUT, /* a GPU's layouts of the tiles, in words */
    LDSL_EMIT_DRAWING /* the same as SVG */
};

typedef struct ldsl_options {
    enum ldsl_emit emit;
    const char *target; /* "cpu:native" */
    const char *kernel; /* NULL: the only kernel of the file */
    /* "T=bf16,BR=4"; NULL: all defaults. A number for a dim, "D=4096", chooses what is left out as a
     * launch with such tensors would. */
    const char *bindings;
    const char *passes;     /* run these passes instead of the pipeline; NULL: the pipeline */
    const char *stop_after; /* LDSL_EMIT_IR: stop after this pass; "elaborate": before the first */
    bool whole;             /* the bindings are all of a variant: defaults add nothing */
    bool from_ir;           /* the text is tile IR */
    bool check;             /* instrument: bounds, unwritten reads, double writes */
    bool line_info;
    bool remarks;
    int round_bias; /* -1, 0, 1: see docs/debugging.md, references */
    /* Called with each pass's IR after it ran, and with each stage's time in seconds; may be NULL. */
    void (*dump)(void *user, const char *pass, const char *text);
    void (*time)(void *user, const char *stage, double seconds);
    void *user;
} ldsl_options;

/* clang-format off */
#define LDSL_OPTIONS_INIT {.target = "cpu:native"}
/* clang-format on */

/* Compiles. On LDSL_OK *out is owned by the caller (ldsl_artifact_free); else *out is NULL and the
 * sink has been told why. LDSL_EMIT_CHECK gives no artifact: *out is NULL. */
LDSL_API enum ldsl_status ldsl_compile(ldsl_artifact **out, const ldsl_source *source,
                                       const ldsl_options *options, const struct ldsl_sink *sink);

/* The key under which the result of this compile may be cached: 128 bits over everything that can
 * change it (the checked IR or module, flags, target, compiler and LLVM versions), as 32 hex digits
 * and a NUL. Costs the front end, not code generation. */
LDSL_API enum ldsl_status ldsl_compile_key(char key[33], const ldsl_source *source,
                                           const ldsl_options *options,
                                           const struct ldsl_sink *sink);

/* Formats a source ("ldsl fmt"). *text is malloc'ed, owned by the caller (free). */
LDSL_API enum ldsl_status ldsl_format(char **text, const ldsl_source *source,
                                      const struct ldsl_sink *sink);

/* "0.1.0 (LLVM 19.1.7)": static storage. */
LDSL_API const char *ldsl_compiler_version(void);

/* The passes in pipeline order: name and summary; NULL past the end. */
LDSL_API const char *ldsl_pass_name(unsigned i);
LDSL_API const char *ldsl_pass_summary(unsigned i);

#ifdef __cplusplus
}
#endif
#endif
