/* The operator library's sources, embedded at build time (tools/embed.cmake).
 *
 * Their paths in diagnostics, in imports and in ldsl_source.path begin with BUILTIN_ROOT, so that a
 * built-in file never mistakes a file of the user's folder for one of its own. */
#ifndef RUNTIME_BUILTIN_H
#define RUNTIME_BUILTIN_H

#include <ldsl/ops.h>
#include <stddef.h>

#define BUILTIN_ROOT LDSL_BUILTIN_ROOT

struct builtin_file {
    const char *path; /* below kernels.ldsl/, such as "norm/rms_norm.ldsl"; NULL ends the table */
    const char *text;
    size_t length;
};

extern const struct builtin_file builtin_files[];

/* The texts of kernels.ldsl/tuned behind each other: records.h says what they are. */
extern const char builtin_records[];

/* The file with this path, with or without BUILTIN_ROOT, or NULL. */
const struct builtin_file *builtin_find(const char *path);

#endif
