/* Tensors as the runtime sees them: where elements lie, not what they are. */
#ifndef RUNTIME_TENSOR_H
#define RUNTIME_TENSOR_H

#include <ldsl/dtype.h>
#include <ldsl/runtime.h>
#include <stdint.h>

enum rt_presence { RT_UNKNOWN, RT_ABSENT, RT_PRESENT };

struct rt_tensor {
    enum rt_presence presence;
    bool typed;    /* dtype is known */
    bool laid_out; /* shape, strides and alignment are known too */
    enum ldsl_dtype dtype;
    uint32_t rank;
    int64_t shape[LDSL_MAX_RANK];
    int64_t strides[LDSL_MAX_RANK]; /* in elements */
    uint64_t alignment;             /* of the base, bytes: a power of two */
    uint32_t source;                /* what it is part of: see plan.h */
    uint64_t offset;                /* bytes from there */
};

int64_t rt_tensor_count(const struct rt_tensor *t); /* elements */
/* Bytes from the base to behind the last element; 0 if there are no elements. */
uint64_t rt_tensor_bytes(const struct rt_tensor *t);

/* Fills strides as row-major products. False if the size overflows. */
bool rt_tensor_pack(struct rt_tensor *t);
/* Is every dim but those of extent 1 laid out as the products of the dims say? */
bool rt_tensor_is_packed(const struct rt_tensor *t);
/* Are the base and the start of every row multiples of `bytes`? */
bool rt_tensor_is_aligned(const struct rt_tensor *t, uint64_t bytes);

/* Do shape and strides keep every element's address far from overflow? */
bool rt_tensor_is_addressable(const struct rt_tensor *t);

/* May two elements of the tensor lie at one address? */
bool rt_tensor_overlaps_itself(const struct rt_tensor *t);
/* May elements of both lie at one address, b's base being `distance` bytes behind a's? */
bool rt_tensors_overlap(const struct rt_tensor *a, const struct rt_tensor *b, int64_t distance);

#endif
