/* What operators are measured against: copies of as many bytes, by every way that the device has.
 *
 * On a CPU that is the device's own copy. On a GPU it is the library's operator clone too, a vector a
 * thread, with and without reads that ask to stay in the cache: the driver's copy is the fastest of them
 * for some sizes and loses a third of the bandwidth at others, by rules that it keeps to itself. */
#ifndef LDSL_YARDSTICK_H
#define LDSL_YARDSTICK_H

#include "loaded.h"

enum { YARDSTICK_COPIES = 3 };

struct yardstick {
    ldsl_context *context;
    const struct flush *flush;
    ldsl_library *library; /* has clone; NULL: there is only the device's own copy */
    size_t bytes;          /* read, and as many written */
    ldsl_buffer *from, *to;
    unsigned count;
    struct yardstick_copy {
        const struct yardstick *yardstick;
        const char *name;
        ldsl_plan *plan; /* NULL: the device's own copy */
    } copies[YARDSTICK_COPIES];
};

/* Once for a device; no kernels where none may be compiled. yardstick_close is safe either way. */
enum ldsl_status yardstick_open(struct yardstick *out, ldsl_context *context,
                                const struct flush *flush, bool no_compile);
void yardstick_close(struct yardstick *y);

/* Buffers and copies for one size: `moved` bytes are read or written, half of them each. */
enum ldsl_status yardstick_load(struct yardstick *y, size_t moved);
void yardstick_unload(struct yardstick *y); /* safe without a load */

/* For ldsl_device_time; user: one of the copies. */
enum ldsl_status yardstick_before(void *user, void *stream); /* caches flushed */
enum ldsl_status yardstick_copy(void *user, void *stream);

#endif
