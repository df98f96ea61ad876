/* Object files to functions, by LLVM's JIT linker. One loader per device; loading is safe from
 * several threads at once. */
#ifndef CPU_LOADER_H
#define CPU_LOADER_H

#include <ldsl/diag.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loader;
struct loaded;

enum ldsl_status loader_create(struct loader **out, const struct ldsl_sink *sink);
void loader_destroy(struct loader *l); /* after what it loaded */

/* The image is copied. */
enum ldsl_status loader_load(struct loader *l, struct loaded **out, const void *image,
                             size_t bytes);
/* Address of a function of the image. */
enum ldsl_status loader_find(struct loader *l, const struct loaded *image, const char *name,
                             uint64_t *address);
void loader_unload(struct loader *l, struct loaded *image); /* NULL is fine */

/* This machine's processor, with a digest of its features: what compiled code depends on. */
void loader_describe(char *name, size_t name_size, char *identity, size_t identity_size);

#endif
