/* Layout arithmetic. Shapes and strides have passed rt_tensor_is_addressable or come from
 * rt_tensor_pack, so that nothing here overflows. */
#include "tensor.h"

/* No tensor may reach further than this: sums of a few extents still fit 64 bits. */
#define MAX_ELEMENTS ((uint64_t)INT64_MAX / 64)

int64_t rt_tensor_count(const struct rt_tensor *t)
{
    int64_t count = 1;
    for (uint32_t d = 0; d < t->rank; d++)
        count *= t->shape[d];
    return count;
}

uint64_t rt_tensor_bytes(const struct rt_tensor *t)
{
    uint64_t last = 0;
    for (uint32_t d = 0; d < t->rank; d++) {
        if (t->shape[d] == 0)
            return 0;
        last += (uint64_t)(t->shape[d] - 1) * (uint64_t)t->strides[d];
    }
    return (last + 1) * ldsl_dtype_size(t->dtype);
}

bool rt_tensor_is_packed(const struct rt_tensor *t)
{
    int64_t stride = 1;
    for (uint32_t d = t->rank; d-- > 0;) {
        if (t->shape[d] != 1 && t->strides[d] != stride)
            return rt_tensor_count(t) == 0;
        stride *= t->shape[d];
    }
    return true;
}

bool rt_tensor_is_aligned(const struct rt_tensor *t, uint64_t bytes)
{
    if (!bytes || t->alignment % bytes)
        return false;
    for (uint32_t d = 0; d + 1 < t->rank; d++)
        if (t->shape[d] > 1 && (uint64_t)t->strides[d] * ldsl_dtype_size(t->dtype) % bytes)
            return false;
    return true;
}

bool rt_tensor_pack(struct rt_tensor *t)
{
    uint64_t stride = 1;
    for (uint32_t d = t->rank; d-- > 0;) {
        t->strides[d] = (int64_t)stride;
        if (t->shape[d] > 0 && stride > MAX_ELEMENTS / (uint64_t)t->shape[d])
            return false;
        stride *= t->shape[d] > 0 ? (uint64_t)t->shape[d] : 1;
    }
    return true;
}

bool rt_tensor_is_addressable(const struct rt_tensor *t)
{
    uint64_t last = 0, count = 1;
    for (uint32_t d = 0; d < t->rank; d++) {
        if (t->shape[d] < 0 || t->strides[d] < 0)
            return false;
        uint64_t extent = (uint64_t)t->shape[d], stride = (uint64_t)t->strides[d];
        if (extent && count > MAX_ELEMENTS / extent)
            return false;
        count *= extent ? extent : 1;
        if (extent > 1 && stride > (MAX_ELEMENTS - last) / (extent - 1))
            return false;
        last += extent > 1 ? stride * (extent - 1) : 0;
    }
    return true;
}

/* The dim with the largest stride among those that move, or rank: none. */
static uint32_t outermost(const struct rt_tensor *t, uint32_t skip)
{
    uint32_t best = t->rank;
    for (uint32_t d = 0; d < t->rank; d++)
        if (!(skip >> d & 1) && t->shape[d] > 1 &&
            (best == t->rank || t->strides[d] > t->strides[best]))
            best = d;
    return best;
}

/* Elements from the base to behind the last one, without the dims in `skip`. */
static uint64_t span_without(const struct rt_tensor *t, uint32_t skip)
{
    uint64_t last = 0;
    for (uint32_t d = 0; d < t->rank; d++)
        if (!(skip >> d & 1) && t->shape[d] > 1)
            last += (uint64_t)(t->shape[d] - 1) * (uint64_t)t->strides[d];
    return last + 1;
}

bool rt_tensor_overlaps_itself(const struct rt_tensor *t)
{
    uint32_t skip = 0, d;
    if (rt_tensor_count(t) == 0)
        return false;
    while ((d = outermost(t, skip)) < t->rank) {
        skip |= 1u << d;
        if ((uint64_t)t->strides[d] < span_without(t, skip))
            return true;
    }
    return false;
}

bool rt_tensors_overlap(const struct rt_tensor *a, const struct rt_tensor *b, int64_t distance)
{
    uint64_t a_bytes = rt_tensor_bytes(a), b_bytes = rt_tensor_bytes(b);
    if (!a_bytes || !b_bytes)
        return false;
    if (distance < 0)
        return rt_tensors_overlap(b, a, distance == INT64_MIN ? INT64_MAX : -distance);
    if ((uint64_t)distance >= a_bytes)
        return false;
    /* Columns of one matrix: rows of the same stride, side by side. */
    uint32_t ra = outermost(a, 0), rb = outermost(b, 0);
    if (ra == a->rank || rb == b->rank)
        return true;
    uint64_t a_size = ldsl_dtype_size(a->dtype), b_size = ldsl_dtype_size(b->dtype);
    uint64_t step = (uint64_t)a->strides[ra] * a_size;
    if (!step || step != (uint64_t)b->strides[rb] * b_size)
        return true;
    uint64_t a_row = span_without(a, 1u << ra) * a_size, b_row = span_without(b, 1u << rb) * b_size;
    uint64_t shift = (uint64_t)distance % step;
    return shift < a_row || shift + b_row > step;
}
