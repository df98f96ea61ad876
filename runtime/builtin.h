/* The operator library's sources, embedded at build time (tools/embed.cmake). */
#ifndef RUNTIME_BUILTIN_H
#define RUNTIME_BUILTIN_H

#include <stddef.h>

struct builtin_file {
    const char *path; /* below kernels.ldsl/, such as "norm/rms_norm.ldsl"; NULL ends the table */
    const char *text;
    size_t length;
};

extern const struct builtin_file builtin_files[];

#endif
