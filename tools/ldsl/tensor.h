/* Tensors on the host: typed, dense, row-major. What files are read into and results come out in.
 *
 * A tensor owns its memory: from malloc, or a read-only mapping of the file it was read from (big
 * files are mapped, never copied). Elements may be misaligned in a mapping, so they are read with
 * tensor_get, or in bulk with tensor_load. */
#ifndef LDSL_TENSOR_H
#define LDSL_TENSOR_H

#include <ldsl/runtime.h>
#include <stdbool.h>
#include <stdint.h>

struct tensor {
    enum ldsl_dtype dtype;
    uint32_t rank;
    int64_t shape[LDSL_MAX_RANK];
    size_t count, bytes; /* elements; bytes of data */
    void *data;          /* NULL only if bytes is 0 */
    void *mapping;       /* NULL: data is malloc'ed */
    size_t mapping_bytes;
};

/* Why a tensor could not be made or read: one line, lower case. */
struct tensor_error {
    char text[320];
};
/* Sets the text; returns false. */
bool tensor_fail(struct tensor_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Zeroed memory. False if the size overflows or memory runs out. */
bool tensor_create(struct tensor *out, enum ldsl_dtype dtype, uint32_t rank, const int64_t *shape,
                   struct tensor_error *error);
void tensor_destroy(struct tensor *t); /* safe on a zeroed tensor, and twice */

/* Elements and bytes of a shape; false if a dim is negative or the product overflows. */
bool tensor_size(enum ldsl_dtype dtype, uint32_t rank, const int64_t *shape, size_t *count,
                 size_t *bytes);

/* Elements by position in memory order. Floats round to nearest even, once, straight from the
 * double; f8 saturates. Integers of a double truncate and saturate; 64-bit ones are exact with
 * the integer pair. */
double tensor_get(const struct tensor *t, size_t i);
void tensor_set(struct tensor *t, size_t i, double value);
int64_t tensor_get_integer(const struct tensor *t, size_t i); /* u64: wraps */
void tensor_set_integer(struct tensor *t, size_t i, int64_t value);

/* count elements from position first, as doubles; and back. */
void tensor_load(const struct tensor *t, size_t first, size_t count, double *out);
void tensor_store(struct tensor *t, size_t first, size_t count, const double *values);

/* Exact conversions between bit patterns and doubles (bits in the low bytes). */
double float_decode(enum ldsl_dtype dtype, uint64_t bits);
uint64_t float_encode(enum ldsl_dtype dtype, double value);
bool dtype_is_float(enum ldsl_dtype dtype);
bool dtype_is_signed(enum ldsl_dtype dtype); /* an integer below 0 is held */

/* "4096x4096": parses dims separated by x; "" is rank 0. "bf16[4096, 4096]" the other way. */
bool shape_parse(const char *text, size_t length, uint32_t *rank, int64_t *shape);
const char *tensor_describe(const struct tensor *t, char *buffer, size_t size);

/* ---- files: npy.c, safetensors.c ---------------------------------------------------------- */

/* NumPy .npy versions 1 to 3. bf16 is '<V2', which is what NumPy writes for ml_dtypes' bfloat16.
 * Fortran order and big-endian files are read (by a copy). */
bool npy_read(struct tensor *out, const char *path, struct tensor_error *error);
/* The file's bytes in memory; out->data is a copy. */
bool npy_parse(struct tensor *out, const void *data, size_t bytes, struct tensor_error *error);

/* One tensor of a .safetensors file. key NULL: the only one. An unknown key names what there is. */
bool safetensors_read(struct tensor *out, const char *path, const char *key,
                      struct tensor_error *error);
bool safetensors_parse(struct tensor *out, const void *data, size_t bytes, const char *key,
                       struct tensor_error *error);

/* Writers put the whole file through write; npy cannot hold f8. False if write returned false or
 * the dtype has no form (error says so). */
typedef bool tensor_write(void *user, const void *data, size_t bytes);
bool npy_write(const struct tensor *t, tensor_write *write, void *user, struct tensor_error *error);
bool safetensors_write(const struct tensor *t, const char *key, tensor_write *write, void *user,
                       struct tensor_error *error);

#endif
