/* Module images, read: every index in bounds, every recursion finite, every text terminated.
 *
 * A module only points into the image, which must outlive it. It never changes after it was read,
 * so any number of threads may use it. */
#ifndef RUNTIME_MODULE_H
#define RUNTIME_MODULE_H

#include <ldsl/diag.h>
#include <ldsl/module.h>

struct rt_module {
#define X(NAME, field, record)                                                                     \
    const record *field;                                                                           \
    uint32_t field##_count;
    LDSL_MODULE_TABLES(X)
#undef X
};

/* Reads an image, 8-byte aligned. False: it is damaged (or not an image), and *why says how. */
bool rt_module_read(struct rt_module *out, const void *image, size_t bytes, const char **why);

/* The text at an offset ("" for 0). */
const char *rt_module_text(const struct rt_module *m, uint32_t offset);

/* Record number by name, or LDSL_NONE. */
uint32_t rt_module_find_op(const struct rt_module *m, const char *name);
uint32_t rt_module_find_param(const struct rt_module *m, const struct ldsl_module_scope *scope,
                              const char *name); /* counted within the scope */

#endif
