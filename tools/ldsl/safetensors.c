/* Hugging Face's .safetensors: header length (u64), a JSON object, the bytes of all tensors.
 * {"name": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [begin, end]}, "__metadata__": {...}}
 */
#include "mapping.h"
#include "tensor.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    length_bytes = 8,
    max_header_bytes = 100 * 1000 * 1000, /* as the format's own library */
    data_alignment = 64,
    names_shown = 8, /* in "no such tensor" */
};

static const char metadata_key[] = "__metadata__";

static const struct {
    const char *name;
    enum ldsl_dtype dtype;
} element_types[] = {
    {"BOOL",    LDSL_BOOL  },
    {"I8",      LDSL_I8    },
    {"I16",     LDSL_I16   },
    {"I32",     LDSL_I32   },
    {"I64",     LDSL_I64   },
    {"U8",      LDSL_U8    },
    {"U16",     LDSL_U16   },
    {"U32",     LDSL_U32   },
    {"U64",     LDSL_U64   },
    {"F16",     LDSL_F16   },
    {"F32",     LDSL_F32   },
    {"F64",     LDSL_F64   },
    {"F8_E4M3", LDSL_F8E4M3},
    {"BF16",    LDSL_BF16  },
    {"F8_E5M2", LDSL_F8E5M2},
};

enum { element_type_count = sizeof element_types / sizeof *element_types };

struct entry {
    const char *name;
    const char *type_name;
    bool known; /* dtype is one of ours */
    enum ldsl_dtype dtype;
    uint32_t rank;
    int64_t shape[LDSL_MAX_RANK];
    uint64_t begin, end;
};

/* ---- the header --------------------------------------------------------------------------- */

static bool read_shape(struct entry *e, json_t *shape, struct tensor_error *error)
{
    if (!json_is_array(shape))
        return tensor_fail(error, "tensor '%.60s' has no shape", e->name);
    if (json_array_size(shape) > LDSL_MAX_RANK)
        return tensor_fail(error, "tensor '%.60s' has %zu dims, more than the %d allowed", e->name,
                           json_array_size(shape), LDSL_MAX_RANK);
    e->rank = (uint32_t)json_array_size(shape);
    for (uint32_t d = 0; d < e->rank; d++) {
        json_t *dim = json_array_get(shape, d);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return tensor_fail(error, "dim %" PRIu32 " of tensor '%.60s' is not a whole number", d,
                               e->name);
        e->shape[d] = json_integer_value(dim);
    }
    return true;
}

static bool read_offsets(struct entry *e, json_t *offsets, uint64_t data_bytes,
                         struct tensor_error *error)
{
    json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return tensor_fail(error, "tensor '%.60s' has no pair of data_offsets", e->name);
    json_int_t from = json_integer_value(begin), to = json_integer_value(end);
    if (from < 0 || to < from || (uint64_t)to > data_bytes)
        return tensor_fail(error,
                           "data_offsets [%" PRId64 ", %" PRId64
                           "] of tensor '%.60s' lie outside the %" PRIu64 " bytes of data",
                           (int64_t)from, (int64_t)to, e->name, data_bytes);
    e->begin = (uint64_t)from;
    e->end = (uint64_t)to;
    return true;
}

static bool read_entry(struct entry *e, const char *name, json_t *value, uint64_t data_bytes,
                       struct tensor_error *error)
{
    *e = (struct entry){.name = name};
    e->type_name = json_string_value(json_object_get(value, "dtype"));
    if (!e->type_name)
        return tensor_fail(error, "tensor '%.60s' has no dtype", name);
    for (int i = 0; i < element_type_count; i++)
        if (strcmp(element_types[i].name, e->type_name) == 0) {
            e->known = true;
            e->dtype = element_types[i].dtype;
        }
    if (!read_shape(e, json_object_get(value, "shape"), error) ||
        !read_offsets(e, json_object_get(value, "data_offsets"), data_bytes, error))
        return false;
    size_t count, bytes;
    if (!e->known) /* other element types may be in the file as long as nobody asks for them */
        return true;
    if (!tensor_size(e->dtype, e->rank, e->shape, &count, &bytes))
        return tensor_fail(error, "the shape of tensor '%.60s' is too large", name);
    if (bytes != e->end - e->begin)
        return tensor_fail(
            error, "tensor '%.60s' has %" PRIu64 " bytes, but its shape and dtype %s need %zu",
            name, e->end - e->begin, e->type_name, bytes);
    return true;
}

static int by_begin(const void *lhs, const void *rhs)
{
    const struct entry *a = lhs, *b = rhs;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

static bool check_overlap(struct entry *entries, size_t count, struct tensor_error *error)
{
    qsort(entries, count, sizeof *entries, by_begin);
    for (size_t i = 1; i < count; i++)
        if (entries[i].begin < entries[i - 1].end)
            return tensor_fail(error, "tensors '%.60s' and '%.60s' overlap in the file",
                               entries[i - 1].name, entries[i].name);
    return true;
}

static bool no_such_tensor(const struct entry *entries, size_t count, const char *key,
                           struct tensor_error *error)
{
    char names[200] = "";
    size_t used = 0;
    for (size_t i = 0; i < count && i < names_shown && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%.60s", i ? ", " : "",
                                 entries[i].name);
    const char *more = count > names_shown ? ", ..." : "";
    if (!count)
        return tensor_fail(error, "holds no tensors");
    if (!key)
        return tensor_fail(error, "name one of its %zu tensors after a colon: %s%s", count, names,
                           more);
    return tensor_fail(error, "has no tensor '%.60s'; it has %s%s", key, names, more);
}

static bool choose(struct entry *out, const struct entry *entries, size_t count, const char *key,
                   struct tensor_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (key ? strcmp(entries[i].name, key) == 0 : count == 1) {
            *out = entries[i];
            return out->known ||
                   tensor_fail(error, "tensor '%.60s' has dtype %.20s, which is not supported",
                               out->name, out->type_name);
        }
    return no_such_tensor(entries, count, key, error);
}

/* Reads and checks every entry of the header, then picks the one asked for. Its texts belong to
 * header. */
static bool read_entries(struct entry *out, json_t *header, const char *key, uint64_t data_bytes,
                         struct tensor_error *error)
{
    if (!json_is_object(header))
        return tensor_fail(error, "the header is not a JSON object");
    struct entry *entries = calloc(json_object_size(header) + 1, sizeof *entries);
    if (!entries)
        return tensor_fail(error, "out of memory");
    size_t count = 0;
    bool ok = true;
    const char *name;
    json_t *value;
    json_object_foreach(header, name, value) if (strcmp(name, metadata_key) != 0 && ok) ok =
        read_entry(&entries[count++], name, value, data_bytes, error);
    ok = ok && check_overlap(entries, count, error) && choose(out, entries, count, key, error);
    free(entries);
    return ok;
}

/* Fills t (all but its memory) and the place of its data. */
static bool locate(struct tensor *t, size_t *offset, const unsigned char *data, size_t bytes,
                   const char *key, struct tensor_error *error)
{
    *t = (struct tensor){0};
    if (bytes < length_bytes)
        return tensor_fail(error, "not a .safetensors file: shorter than its header length");
    uint64_t length = 0;
    for (int i = 0; i < length_bytes; i++)
        length |= (uint64_t)data[i] << (8 * i);
    if (length > max_header_bytes || length > bytes - length_bytes)
        return tensor_fail(
            error, "not a .safetensors file: header length %" PRIu64 " of a file of %zu bytes",
            length, bytes);
    json_error_t cause;
    json_t *header = json_loadb((const char *)data + length_bytes, (size_t)length,
                                JSON_REJECT_DUPLICATES, &cause);
    if (!header)
        return tensor_fail(error, "malformed header: %.150s", cause.text);
    size_t data_offset = length_bytes + (size_t)length;
    struct entry e;
    bool ok = read_entries(&e, header, key, bytes - data_offset, error);
    if (ok) {
        t->dtype = e.dtype;
        t->rank = e.rank;
        memcpy(t->shape, e.shape, sizeof t->shape);
        tensor_size(t->dtype, t->rank, t->shape, &t->count, &t->bytes);
        *offset = data_offset + (size_t)e.begin;
        const unsigned char *p = data + *offset;
        for (size_t i = 0; ok && t->dtype == LDSL_BOOL && i < t->count; i++)
            ok = p[i] <= 1 ||
                 tensor_fail(error, "element %zu of bool tensor '%.60s' is %u", i, e.name, p[i]);
    }
    json_decref(header);
    return ok;
}

bool safetensors_parse(struct tensor *out, const void *data, size_t bytes, const char *key,
                       struct tensor_error *error)
{
    struct tensor found;
    size_t offset = 0;
    *out = (struct tensor){0};
    if (!locate(&found, &offset, data, bytes, key, error) ||
        !tensor_create(out, found.dtype, found.rank, found.shape, error))
        return false;
    if (out->bytes)
        memcpy(out->data, (const unsigned char *)data + offset, out->bytes);
    return true;
}

bool safetensors_read(struct tensor *out, const char *path, const char *key,
                      struct tensor_error *error)
{
    struct mapping file;
    size_t offset = 0;
    *out = (struct tensor){0};
    if (!mapping_open(&file, path, error))
        return false;
    if (locate(out, &offset, file.data, file.bytes, key, error)) {
        out->data = (unsigned char *)file.data + offset;
        out->mapping = file.data;
        out->mapping_bytes = file.bytes;
        return true;
    }
    struct tensor_error cause = *error;
    snprintf(error->text, sizeof error->text, "%.100s: %.200s", path, cause.text);
    mapping_close(&file);
    *out = (struct tensor){0};
    return false;
}

/* ---- writing ------------------------------------------------------------------------------ */

static const char *type_name(enum ldsl_dtype dtype)
{
    for (int i = 0; i < element_type_count; i++)
        if (element_types[i].dtype == dtype)
            return element_types[i].name;
    return NULL;
}

static char *header_text(const struct tensor *t, const char *key)
{
    json_t *shape = json_array();
    for (uint32_t d = 0; d < t->rank; d++)
        json_array_append_new(shape, json_integer(t->shape[d]));
    json_t *header = json_pack("{s:{s:s, s:o, s:[I, I]}}", key, "dtype", type_name(t->dtype),
                               "shape", shape, "data_offsets", (json_int_t)0, (json_int_t)t->bytes);
    char *text = header ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    return text;
}

bool safetensors_write(const struct tensor *t, const char *key, tensor_write *write, void *user,
                       struct tensor_error *error)
{
    char *text = header_text(t, key);
    if (!text)
        return tensor_fail(error, "'%.60s' is not a name that JSON can hold", key);
    size_t length = strlen(text);
    size_t padding = (data_alignment - (length_bytes + length) % data_alignment) % data_alignment;
    char spaces[data_alignment];
    memset(spaces, ' ', sizeof spaces);
    unsigned char prefix[length_bytes];
    for (int i = 0; i < length_bytes; i++)
        prefix[i] = (unsigned char)((uint64_t)(length + padding) >> (8 * i));
    bool ok = write(user, prefix, sizeof prefix) && write(user, text, length) &&
              write(user, spaces, padding) && (!t->bytes || write(user, t->data, t->bytes));
    free(text);
    return ok || tensor_fail(error, "writing failed");
}
