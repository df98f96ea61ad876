/* NumPy's .npy: magic, version, header length, a Python dict as text, the elements. */
#include "mapping.h"
#include "tensor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char magic[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};
enum { data_alignment = 64 };

struct header {
    enum ldsl_dtype dtype;
    bool swapped; /* big-endian elements of more than one byte */
    bool fortran; /* first dim varies fastest */
    uint32_t rank;
    int64_t shape[LDSL_MAX_RANK];
    size_t data_offset;
};

struct reader {
    const char *at, *end;
    struct tensor_error *error;
};

/* ---- element types ------------------------------------------------------------------------ */

static const struct {
    const char *code; /* without the byte order */
    enum ldsl_dtype dtype;
} element_types[] = {
    {"b1", LDSL_BOOL},
    {"i1", LDSL_I8  },
    {"i2", LDSL_I16 },
    {"i4", LDSL_I32 },
    {"i8", LDSL_I64 },
    {"u1", LDSL_U8  },
    {"u2", LDSL_U16 },
    {"u4", LDSL_U32 },
    {"u8", LDSL_U64 },
    {"f2", LDSL_F16 },
    {"f4", LDSL_F32 },
    {"f8", LDSL_F64 },
    {"V2", LDSL_BF16},
};

enum { element_type_count = sizeof element_types / sizeof *element_types };

static bool parse_descr(struct header *h, const char *text, size_t length,
                        struct tensor_error *error)
{
    bool ordered = length && strchr("<>=|", text[0]);
    const char *code = ordered ? text + 1 : text;
    size_t code_length = ordered ? length - 1 : length;
    for (int i = 0; i < element_type_count; i++)
        if (code_length == 2 && memcmp(code, element_types[i].code, 2) == 0) {
            h->dtype = element_types[i].dtype;
            h->swapped = ordered && text[0] == '>' && ldsl_dtype_size(h->dtype) > 1;
            return true;
        }
    return tensor_fail(error, "element type '%.*s' is not supported",
                       length > 40 ? 40 : (int)length, text);
}

/* ---- the header's dict -------------------------------------------------------------------- */

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t'))
        r->at++;
}

static bool accept(struct reader *r, char wanted)
{
    skip_blanks(r);
    if (r->at == r->end || *r->at != wanted)
        return false;
    r->at++;
    return true;
}

static bool expect(struct reader *r, char wanted)
{
    return accept(r, wanted) || tensor_fail(r->error, "malformed header: '%c' is missing", wanted);
}

static bool read_string(struct reader *r, const char **text, size_t *length)
{
    skip_blanks(r);
    if (r->at == r->end || (*r->at != '\'' && *r->at != '"'))
        return tensor_fail(r->error, "malformed header: a quoted text is missing");
    char quote = *r->at++;
    const char *close = memchr(r->at, quote, (size_t)(r->end - r->at));
    if (!close)
        return tensor_fail(r->error, "malformed header: a quote is not closed");
    *text = r->at;
    *length = (size_t)(close - r->at);
    r->at = close + 1;
    return true;
}

static bool accept_word(struct reader *r, const char *word)
{
    skip_blanks(r);
    size_t length = strlen(word);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, word, length) != 0)
        return false;
    r->at += length;
    return true;
}

static bool read_dim(struct reader *r, int64_t *dim)
{
    const char *start = r->at;
    *dim = 0;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
        if (*dim > (INT64_MAX - 9) / 10)
            return tensor_fail(r->error, "malformed header: a dim is too large");
        *dim = *dim * 10 + (*r->at - '0');
    }
    if (r->at == start)
        return tensor_fail(r->error, "malformed header: a dim is not a whole number");
    accept(r, 'L'); /* as Python 2 wrote them */
    return true;
}

static bool read_shape(struct reader *r, struct header *h)
{
    if (!expect(r, '('))
        return false;
    h->rank = 0;
    while (!accept(r, ')')) {
        if (h->rank == LDSL_MAX_RANK)
            return tensor_fail(r->error, "more than the %d dims allowed", LDSL_MAX_RANK);
        if (!read_dim(r, &h->shape[h->rank++]))
            return false;
        if (!accept(r, ',')) {
            if (!expect(r, ')'))
                return false;
            break;
        }
    }
    return true;
}

enum { HAS_DESCR = 1, HAS_ORDER = 2, HAS_SHAPE = 4, HAS_ALL = 7 };

static bool read_entry(struct reader *r, struct header *h, unsigned *seen)
{
    const char *key = NULL, *text = NULL;
    size_t key_length = 0, length = 0;
    if (!read_string(r, &key, &key_length) || !expect(r, ':'))
        return false;
    skip_blanks(r);
    if (key_length == 5 && memcmp(key, "descr", 5) == 0) {
        *seen |= HAS_DESCR;
        if (r->at < r->end && *r->at == '[')
            return tensor_fail(r->error, "structured arrays are not supported");
        return read_string(r, &text, &length) && parse_descr(h, text, length, r->error);
    }
    if (key_length == 13 && memcmp(key, "fortran_order", 13) == 0) {
        *seen |= HAS_ORDER;
        h->fortran = accept_word(r, "True");
        return h->fortran || accept_word(r, "False") ||
               tensor_fail(r->error, "malformed header: fortran_order is neither True nor False");
    }
    if (key_length == 5 && memcmp(key, "shape", 5) == 0) {
        *seen |= HAS_SHAPE;
        return read_shape(r, h);
    }
    return tensor_fail(r->error, "malformed header: unknown key '%.*s'",
                       key_length > 40 ? 40 : (int)key_length, key);
}

static bool read_dict(struct reader *r, struct header *h)
{
    unsigned seen = 0;
    if (!expect(r, '{'))
        return false;
    while (!accept(r, '}')) {
        if (!read_entry(r, h, &seen))
            return false;
        if (!accept(r, ',')) {
            if (!expect(r, '}'))
                return false;
            break;
        }
    }
    return seen == HAS_ALL ||
           tensor_fail(r->error, "malformed header: descr, fortran_order or shape is missing");
}

static bool read_header(struct header *h, const unsigned char *data, size_t bytes,
                        struct tensor_error *error)
{
    *h = (struct header){0};
    if (bytes < 10 || memcmp(data, magic, sizeof magic) != 0)
        return tensor_fail(error, "not a .npy file");
    unsigned version = data[6];
    if (version < 1 || version > 3)
        return tensor_fail(error, "version %u of the .npy format is not supported", version);
    size_t start = version == 1 ? 10 : 12;
    if (bytes < start)
        return tensor_fail(error, "truncated header");
    size_t length = data[8] | (size_t)data[9] << 8;
    if (version > 1)
        length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (length > bytes - start)
        return tensor_fail(error, "truncated header: %zu bytes of %zu", bytes - start, length);
    struct reader r = {.at = (const char *)data + start, .error = error};
    r.end = r.at + length;
    h->data_offset = start + length;
    return read_dict(&r, h);
}

/* ---- elements ----------------------------------------------------------------------------- */

static bool check_bools(const struct tensor *t, struct tensor_error *error)
{
    const unsigned char *p = t->data;
    for (size_t i = 0; t->dtype == LDSL_BOOL && i < t->count; i++)
        if (p[i] > 1)
            return tensor_fail(error, "element %zu of a bool array is %u", i, p[i]);
    return true;
}

static void copy_element(unsigned char *to, const unsigned char *from, size_t size, bool swapped)
{
    for (size_t b = 0; b < size; b++)
        to[b] = from[swapped ? size - 1 - b : b];
}

/* Elements of a big-endian or Fortran-ordered file, in our order. */
static void copy_elements(struct tensor *t, const struct header *h, const unsigned char *from)
{
    size_t size = ldsl_dtype_size(h->dtype);
    size_t stride[LDSL_MAX_RANK];
    size_t step = 1;
    for (uint32_t k = 0; k < h->rank; k++) {
        uint32_t d = h->fortran ? k : h->rank - 1 - k;
        stride[d] = step;
        step *= (size_t)h->shape[d];
    }
    int64_t index[LDSL_MAX_RANK] = {0};
    size_t position = 0; /* of the element in the file */
    for (size_t i = 0; i < t->count; i++) {
        copy_element((unsigned char *)t->data + i * size, from + position * size, size, h->swapped);
        for (uint32_t d = h->rank; d-- > 0;) {
            position += stride[d];
            if (++index[d] < h->shape[d])
                break;
            position -= stride[d] * (size_t)h->shape[d];
            index[d] = 0;
        }
    }
}

static bool describe(struct tensor *t, const struct header *h, size_t bytes,
                     struct tensor_error *error)
{
    *t = (struct tensor){.dtype = h->dtype, .rank = h->rank};
    memcpy(t->shape, h->shape, sizeof t->shape);
    if (!tensor_size(h->dtype, h->rank, h->shape, &t->count, &t->bytes))
        return tensor_fail(error, "the shape is too large");
    size_t have = bytes - h->data_offset;
    if (have == t->bytes)
        return true;
    char text[128];
    return tensor_fail(error, "%s: %zu bytes of elements, but %s needs %zu",
                       have < t->bytes ? "truncated file" : "bytes after the elements", have,
                       tensor_describe(t, text, sizeof text), t->bytes);
}

bool npy_parse(struct tensor *out, const void *data, size_t bytes, struct tensor_error *error)
{
    struct header h;
    *out = (struct tensor){0};
    struct tensor shape;
    if (!read_header(&h, data, bytes, error) || !describe(&shape, &h, bytes, error) ||
        !tensor_create(out, h.dtype, h.rank, h.shape, error))
        return false;
    copy_elements(out, &h, (const unsigned char *)data + h.data_offset);
    if (check_bools(out, error))
        return true;
    tensor_destroy(out);
    return false;
}

bool npy_read(struct tensor *out, const char *path, struct tensor_error *error)
{
    struct mapping file;
    struct header h;
    *out = (struct tensor){0};
    if (!mapping_open(&file, path, error))
        return false;
    if (read_header(&h, file.data, file.bytes, error) && describe(out, &h, file.bytes, error)) {
        bool as_it_is = !h.swapped && (!h.fortran || h.rank < 2);
        out->data = (unsigned char *)file.data + h.data_offset;
        out->mapping = file.data;
        out->mapping_bytes = file.bytes;
        if (as_it_is && check_bools(out, error))
            return true;
        *out = (struct tensor){0};
        if (!as_it_is && npy_parse(out, file.data, file.bytes, error)) {
            mapping_close(&file);
            return true;
        }
    }
    struct tensor_error cause = *error;
    snprintf(error->text, sizeof error->text, "%.100s: %.200s", path, cause.text);
    mapping_close(&file);
    *out = (struct tensor){0};
    return false;
}

/* ---- writing ------------------------------------------------------------------------------ */

static const char *descr_code(enum ldsl_dtype dtype)
{
    for (int i = 0; i < element_type_count; i++)
        if (element_types[i].dtype == dtype)
            return element_types[i].code;
    return NULL;
}

bool npy_write(const struct tensor *t, tensor_write *write, void *user, struct tensor_error *error)
{
    const char *code = descr_code(t->dtype);
    if (!code)
        return tensor_fail(error, ".npy cannot hold %s; use a .safetensors file",
                           ldsl_dtype_name(t->dtype));
    char header[512];
    int used = snprintf(header + 10, sizeof header - 10,
                        "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                        ldsl_dtype_size(t->dtype) == 1 ? '|' : '<', code);
    size_t length = 10 + (size_t)used;
    for (uint32_t d = 0; d < t->rank; d++)
        length +=
            (size_t)snprintf(header + length, sizeof header - length, "%" PRId64 "%s", t->shape[d],
                             t->rank == 1      ? ","
                             : d + 1 < t->rank ? ", "
                                               : "");
    length += (size_t)snprintf(header + length, sizeof header - length, "), }");
    while ((length + 1) % data_alignment) /* spaces and a newline up to the alignment */
        header[length++] = ' ';
    header[length++] = '\n';
    memcpy(header, magic, sizeof magic);
    header[6] = 1;
    header[7] = 0;
    header[8] = (char)((length - 10) & 0xff);
    header[9] = (char)((length - 10) >> 8);
    return (write(user, header, length) && (!t->bytes || write(user, t->data, t->bytes))) ||
           tensor_fail(error, "writing failed");
}
