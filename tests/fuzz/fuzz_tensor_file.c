/* Any bytes as a tensor file: an error or a tensor, never a crash, an overrun or a leak. What is
 * read must write and read back the same. */
#include "tensor.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
    unsigned char *data;
    size_t length;
};

static bool append(void *user, const void *data, size_t length)
{
    struct bytes *b = user;
    unsigned char *grown = realloc(b->data, b->length + length + 1);
    if (!grown)
        return false;
    memcpy(grown + b->length, data, length);
    b->data = grown;
    b->length += length;
    return true;
}

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_round_trip(struct tensor *t)
{
    struct bytes file = {0};
    struct tensor back;
    struct tensor_error error;
    require(safetensors_write(t, "t", append, &file, &error));
    require(safetensors_parse(&back, file.data, file.length, "t", &error));
    require(back.bytes == t->bytes && back.rank == t->rank);
    require(!t->bytes || memcmp(back.data, t->data, t->bytes) == 0);
    tensor_destroy(&back);
    free(file.data);
    tensor_destroy(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tensor t;
    struct tensor_error error;
    if (npy_parse(&t, data, size, &error))
        check_round_trip(&t);
    if (safetensors_parse(&t, data, size, NULL, &error))
        check_round_trip(&t);
    if (safetensors_parse(&t, data, size, "a", &error))
        check_round_trip(&t);
    return 0;
}
