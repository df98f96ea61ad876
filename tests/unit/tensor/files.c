/* .npy and .safetensors: round trips, and every way a file can be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "random.h"
#include "tensor.h"

struct bytes {
    unsigned char data[4096];
    size_t length;
};

static bool append(void *user, const void *data, size_t length)
{
    struct bytes *b = user;
    assert_true(b->length + length <= sizeof b->data);
    memcpy(b->data + b->length, data, length);
    b->length += length;
    return true;
}

static struct tensor sample(enum ldsl_dtype dtype, uint32_t rank, const int64_t *shape)
{
    struct tensor t;
    struct tensor_error error;
    assert_true(tensor_create(&t, dtype, rank, shape, &error));
    for (size_t i = 0; i < t.count; i++)
        tensor_set(&t, i, dtype == LDSL_BOOL ? (double)(i % 2) : (double)i - 2);
    return t;
}

static void assert_same(const struct tensor *a, const struct tensor *b)
{
    assert_int_equal(a->dtype, b->dtype);
    assert_int_equal(a->rank, b->rank);
    for (uint32_t d = 0; d < a->rank; d++)
        assert_int_equal(a->shape[d], b->shape[d]);
    assert_int_equal(a->bytes, b->bytes);
    if (a->bytes)
        assert_memory_equal(a->data, b->data, a->bytes);
}

static void files_survive_a_round_trip(void **state)
{
    (void)state;
    static const int64_t shapes[][3] = {
        {2, 3, 4},
        {7, 1, 1},
        {0, 3, 1}
    };
    for (int k = 0; k < LDSL_DTYPE_COUNT; k++)
        for (uint32_t rank = 0; rank <= 3; rank++)
            for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
                enum ldsl_dtype dtype = (enum ldsl_dtype)k;
                struct tensor t = sample(dtype, rank, shapes[s]), back;
                struct tensor_error error;
                struct bytes npy = {.length = 0}, safe = {.length = 0};
                if (dtype == LDSL_F8E4M3 || dtype == LDSL_F8E5M2) {
                    assert_false(npy_write(&t, append, &npy, &error));
                } else {
                    assert_true(npy_write(&t, append, &npy, &error));
                    assert_int_equal((npy.length - t.bytes) % 64, 0);
                    assert_true(npy_parse(&back, npy.data, npy.length, &error));
                    assert_same(&t, &back);
                    tensor_destroy(&back);
                }
                assert_true(safetensors_write(&t, "w", append, &safe, &error));
                assert_int_equal((safe.length - t.bytes) % 64, 0);
                assert_true(safetensors_parse(&back, safe.data, safe.length, "w", &error));
                assert_same(&t, &back);
                tensor_destroy(&back);
                tensor_destroy(&t);
            }
}

/* ---- npy ---------------------------------------------------------------------------------- */

/* A .npy of some version around a header text and elements. */
static struct bytes npy_file(int version, const char *header, const void *data, size_t length)
{
    struct bytes b = {.length = 0};
    size_t header_length = strlen(header);
    unsigned char prefix[12] = {0x93,
                                'N',
                                'U',
                                'M',
                                'P',
                                'Y',
                                (unsigned char)version,
                                0,
                                (unsigned char)header_length,
                                (unsigned char)(header_length >> 8)};
    append(&b, prefix, version == 1 ? 10 : 12);
    append(&b, header, header_length);
    append(&b, data, length);
    return b;
}

static void npy_reads_other_orders(void **state)
{
    (void)state;
    struct tensor t;
    struct tensor_error error;
    const unsigned char big[] = {0x3f, 0x80, 0, 0, 0x40, 0, 0, 0}; /* 1.0f, 2.0f */
    struct bytes b =
        npy_file(2, "{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", big, 8);
    assert_true(npy_parse(&t, b.data, b.length, &error));
    assert_true(tensor_get(&t, 0) == 1 && tensor_get(&t, 1) == 2);
    tensor_destroy(&t);
    const unsigned char columns[] = {0, 1, 2, 3, 4, 5}; /* 3 rows of 2: element (r, c) is r + 3 c */
    b = npy_file(3, "{\"shape\":(3L,2L),'descr':'|u1','fortran_order':True}", columns, 6);
    assert_true(npy_parse(&t, b.data, b.length, &error));
    static const int expected[] = {0, 3, 1, 4, 2, 5};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(tensor_get_integer(&t, i), expected[i]);
    tensor_destroy(&t);
}

static void malformed_npy_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header, *error;
        size_t data;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",                        "truncated file", 7},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",                        "bytes after",    9},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }",                        "'<c8'",          8},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",               "structured",     8},
        {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,), }",                        "fortran_order",  8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }",                       "whole number",   8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2 }",                           "')'",            8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}",                  "unknown key",    8},
        {"{'descr': '<f4', 'fortran_order': False}",                                         "missing",        8},
        {"{'descr': '<f4, 'fortran_order': False, 'shape': (2,), }",                         "",               8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)",                           "'}'",            8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,2)}",           "dims",           8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",       "too large",
         8                                                                                                      },
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999,9999999999999)}",
         "too large",                                                                                          8},
        {"{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }",                        "bool",           2},
        {"",                                                                                 "'{'",            8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tensor t;
        struct tensor_error error = {.text = ""};
        struct bytes b = npy_file(1, cases[i].header, "\2\3\4\5\6\7\10\11\12", cases[i].data);
        assert_false(npy_parse(&t, b.data, b.length, &error));
        assert_non_null(strstr(error.text, cases[i].error));
        assert_null(t.data);
    }
    struct bytes b = npy_file(4, "{}", "", 0);
    struct tensor t;
    struct tensor_error error;
    assert_false(npy_parse(&t, b.data, b.length, &error));
    assert_false(npy_parse(&t, "hello", 5, &error));
    assert_false(npy_parse(&t, NULL, 0, &error));
}

/* ---- safetensors -------------------------------------------------------------------------- */

static struct bytes safe_file(const char *header, size_t data)
{
    struct bytes b = {.length = 0};
    unsigned char prefix[8] = {(unsigned char)strlen(header), (unsigned char)(strlen(header) >> 8)};
    append(&b, prefix, sizeof prefix);
    append(&b, header, strlen(header));
    unsigned char elements[64] = {1};
    append(&b, elements, data);
    return b;
}

static void malformed_safetensors_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header, *error;
    } cases[] = {
        {"",                                                                                    "malformed header"         },
        {"[]",                                                                                  "not a JSON object"        },
        {"{}",                                                                                  "no tensors"               },
        {"{\"a\":1}",                                                                           "no dtype"                 },
        {"{\"a\":{\"dtype\":\"U8\"}}",                                                          "no shape"                 },
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[8]}}",                                            "data_offsets"             },
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0]}}",                       "data_offsets"             },
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,9]}}",                     "outside"                  },
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[-8,0]}}",                    "outside"                  },
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[8,0]}}",                     "outside"                  },
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[8],\"data_offsets\":[0,8]}}",                    "need 32"                  },
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-8],\"data_offsets\":[0,8]}}",                    "whole number"             },
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[8.0],\"data_offsets\":[0,8]}}",                   "whole number"             },
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}",
         "too large"                                                                                                       },
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,8],\"data_offsets\":[0,8]}}",     "dims"                     },
        {"{\"a\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,8]}}",                    "C64"                      },
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}",             "duplicate"                },
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[0,5]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}",             "overlap"                  },
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}",             "name one of its 2 tensors"},
    };
    struct tensor t;
    struct tensor_error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes b = safe_file(cases[i].header, 8);
        assert_false(safetensors_parse(&t, b.data, b.length, NULL, &error));
        if (!strstr(error.text, cases[i].error))
            fail_msg("case %zu: '%s' lacks '%s'", i, error.text, cases[i].error);
    }
    const unsigned char lengths[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, '{', '}'};
    assert_false(safetensors_parse(&t, lengths, sizeof lengths, NULL, &error));
    assert_false(safetensors_parse(&t, lengths, 3, NULL, &error));
    assert_false(safetensors_parse(&t, NULL, 0, NULL, &error));
}

static void tensors_are_found_by_name(void **state)
{
    (void)state;
    struct tensor t;
    struct tensor_error error;
    struct bytes b = safe_file("{\"__metadata__\":{\"format\":\"pt\"},"
                               "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]},"
                               "\"odd\":{\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[8,9]},"
                               "\"a\":{\"dtype\":\"U8\",\"shape\":[2,2],\"data_offsets\":[0,4]}}",
                               9);
    assert_true(safetensors_parse(&t, b.data, b.length, "a", &error));
    assert_int_equal(t.rank, 2);
    assert_int_equal(tensor_get_integer(&t, 0), 1);
    tensor_destroy(&t);
    assert_false(safetensors_parse(&t, b.data, b.length, "c", &error));
    assert_non_null(strstr(error.text, "it has a, b, odd"));
    assert_false(safetensors_parse(&t, b.data, b.length, "odd", &error));
    assert_non_null(strstr(error.text, "F4"));
}

/* ---- on disk ------------------------------------------------------------------------------ */

static char *temporary_file(const struct bytes *b)
{
    char *path = strdup("/tmp/ldsl_tensor_XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, b->data, b->length), (ssize_t)b->length);
    close(file);
    return path;
}

static void files_are_mapped(void **state)
{
    (void)state;
    const int64_t shape[] = {3, 5};
    struct tensor t = sample(LDSL_F32, 2, shape), back;
    struct tensor_error error;
    struct bytes npy = {.length = 0}, safe = {.length = 0};
    assert_true(npy_write(&t, append, &npy, &error));
    assert_true(safetensors_write(&t, "w", append, &safe, &error));
    char *path = temporary_file(&npy);
    assert_true(npy_read(&back, path, &error));
    assert_non_null(back.mapping);
    assert_same(&t, &back);
    tensor_destroy(&back);
    assert_false(safetensors_read(&back, path, NULL, &error));
    assert_non_null(strstr(error.text, path));
    unlink(path);
    free(path);
    path = temporary_file(&safe);
    assert_true(safetensors_read(&back, path, NULL, &error));
    assert_non_null(back.mapping);
    assert_same(&t, &back);
    tensor_destroy(&back);
    unlink(path);
    assert_false(npy_read(&back, path, &error));
    assert_non_null(strstr(error.text, "No such file"));
    free(path);
    assert_false(npy_read(&back, "/tmp", &error));
    assert_non_null(strstr(error.text, "not a regular file"));
    tensor_destroy(&t);
}

static void an_empty_file_is_not_a_tensor(void **state)
{
    (void)state;
    struct bytes none = {.length = 0};
    struct tensor t;
    struct tensor_error error;
    char *path = temporary_file(&none);
    assert_false(npy_read(&t, path, &error));
    assert_false(safetensors_read(&t, path, NULL, &error));
    unlink(path);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_survive_a_round_trip),
        cmocka_unit_test(npy_reads_other_orders),
        cmocka_unit_test(malformed_npy_is_refused),
        cmocka_unit_test(malformed_safetensors_is_refused),
        cmocka_unit_test(tensors_are_found_by_name),
        cmocka_unit_test(files_are_mapped),
        cmocka_unit_test(an_empty_file_is_not_a_tensor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
