#include "value.h"
#include "random.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { max_arguments = 3 };

static const char forms[] =
    "a tensor is @file.npy, @file.safetensors:key, a list like [1, 2], or one of randn(SHAPE), "
    "uniform(LO..HI,SHAPE), randint(LO..HI,SHAPE), full(VALUE,SHAPE), zeros(SHAPE), ones(SHAPE) "
    "with "
    "a shape like 4096x4096 and perhaps a dtype: randn(4096x4096,bf16)";

static const char dtypes[] = "dtypes are f16, bf16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64 "
                             "and bool; the sizes of a shape are joined by x: randn(4x8,bf16)";

static bool fail(struct cli *cli, const struct value_use *use, const char *text, const char *why)
{
    cli_error_help(cli, forms, "%s=%.80s: %s", use->name, text, why);
    return false;
}

/* ---- fills: NAME(ARG,ARG,...) ------------------------------------------------------------- */

struct argument {
    const char *text;
    size_t length;
};

struct call {
    struct argument name;
    struct argument arguments[max_arguments];
    unsigned count;
};

static bool split_call(const char *text, struct call *call)
{
    const char *open = strchr(text, '(');
    size_t length = strlen(text);
    if (!open || open == text || text[length - 1] != ')')
        return false;
    *call = (struct call){
        .name = {text, (size_t)(open - text)}
    };
    const char *at = open + 1, *end = text + length - 1;
    while (at < end || call->count == 0) {
        if (call->count == max_arguments)
            return false;
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        call->arguments[call->count++] = (struct argument){at, (size_t)(stop - at)};
        if (!comma)
            break;
        at = comma + 1;
    }
    return true;
}

static bool argument_is(const struct argument *a, const char *word)
{
    return a->length == strlen(word) && memcmp(a->text, word, a->length) == 0;
}

static bool argument_dtype(const struct argument *a, enum ldsl_dtype *dtype)
{
    char word[16];
    if (a->length >= sizeof word)
        return false;
    memcpy(word, a->text, a->length);
    word[a->length] = '\0';
    return ldsl_dtype_parse(word, dtype);
}

bool value_read_number(double *number, const char *text, enum ldsl_dtype dtype)
{
    char *end;
    *number = strtod(text, &end);
    bool named = strpbrk(text, "nN") != NULL; /* inf, nan */
    bool fits = isfinite(*number) && (dtype != LDSL_F32 || isfinite((float)*number));
    return end != text && !*end && (named || fits);
}

static bool argument_number(const struct argument *a, double *number)
{
    char word[64];
    if (!a->length || a->length >= sizeof word)
        return false;
    memcpy(word, a->text, a->length);
    word[a->length] = '\0';
    return value_read_number(number, word, LDSL_F64);
}

/* "LO..HI" */
static bool argument_range(const struct argument *a, double *low, double *high)
{
    for (size_t i = 1; i + 2 < a->length; i++)
        if (a->text[i] == '.' && a->text[i + 1] == '.') {
            struct argument first = {a->text, i}, second = {a->text + i + 2, a->length - i - 2};
            return argument_number(&first, low) && argument_number(&second, high);
        }
    return false;
}

enum fill {
    FILL_ZEROS,
    FILL_ONES,
    FILL_NORMAL,
    FILL_UNIFORM,
    FILL_INTEGERS,
    FILL_VALUE,
    FILL_COUNT
};

static const char *const fill_names[FILL_COUNT] = {
    [FILL_ZEROS] = "zeros",     [FILL_ONES] = "ones",        [FILL_NORMAL] = "randn",
    [FILL_UNIFORM] = "uniform", [FILL_INTEGERS] = "randint", [FILL_VALUE] = "full",
};

static bool find_fill(const struct call *call, enum fill *fill)
{
    for (int i = 0; i < FILL_COUNT; i++)
        if (argument_is(&call->name, fill_names[i])) {
            *fill = (enum fill)i;
            return true;
        }
    return false;
}

static void apply_fill(struct tensor *t, enum fill fill, double low, double high, uint64_t seed)
{
    switch (fill) {
    case FILL_ZEROS: break; /* as it was made */
    case FILL_ONES: tensor_fill(t, 1); break;
    case FILL_NORMAL: tensor_fill_normal(t, 0, 1, seed); break;
    case FILL_UNIFORM: tensor_fill_uniform(t, low, high, seed); break;
    case FILL_INTEGERS: tensor_fill_integers(t, (int64_t)low, (int64_t)high, seed); break;
    case FILL_VALUE: tensor_fill(t, low); break;
    case FILL_COUNT: break;
    }
}

static bool read_fill(struct cli *cli, struct tensor *out, const char *text,
                      const struct call *call, const struct value_use *use)
{
    enum fill fill;
    if (!find_fill(call, &fill))
        return fail(cli, use, text, "no such fill");
    double low = 0, high = 1;
    unsigned next = 0;
    if (fill == FILL_VALUE) {
        if (!argument_number(&call->arguments[next++], &low))
            return fail(cli, use, text, "full begins with a number");
    } else if (fill == FILL_INTEGERS || fill == FILL_UNIFORM) {
        if (argument_range(&call->arguments[0], &low, &high))
            next++;
        else if (fill == FILL_INTEGERS)
            return fail(cli, use, text, "randint begins with a range like 0..100");
    }
    uint32_t rank;
    int64_t shape[LDSL_MAX_RANK];
    if (next >= call->count ||
        !shape_parse(call->arguments[next].text, call->arguments[next].length, &rank, shape))
        return fail(cli, use, text, "the shape is missing or malformed");
    next++;
    enum ldsl_dtype dtype = use->dtype;
    if (next < call->count && !argument_dtype(&call->arguments[next++], &dtype)) {
        const struct argument *word = &call->arguments[next - 1];
        cli_error_help(cli, dtypes, "%s=%.80s: no such dtype: '%.*s'", use->name, text,
                       (int)(word->length < 80 ? word->length : 80), word->text);
        return false;
    }
    if (next < call->count)
        return fail(cli, use, text, "too many arguments");
    struct tensor_error error;
    if (!tensor_create(out, dtype, rank, shape, &error)) {
        cli_error(cli, "%s=%.80s: %s", use->name, text, error.text);
        return false;
    }
    apply_fill(out, fill, low, high, random_seed(use->seed, use->name));
    return true;
}

/* ---- files -------------------------------------------------------------------------------- */

static bool ends_with(const char *text, size_t length, const char *end)
{
    size_t end_length = strlen(end);
    return length >= end_length && memcmp(text + length - end_length, end, end_length) == 0;
}

/* "FILE.npy" or "FILE.safetensors[:KEY]". */
static bool read_tensor_file(struct cli *cli, struct tensor *out, const char *name,
                             const struct value_use *use)
{
    static const char extension[] = ".safetensors";
    struct tensor_error error;
    bool ok;
    const char *found = strstr(name, extension);
    size_t path_length = found ? (size_t)(found - name) + sizeof extension - 1 : 0;
    if (found && (name[path_length] == ':' || !name[path_length])) {
        char *path = strdup(name);
        const char *key = name[path_length] ? name + path_length + 1 : NULL;
        if (path)
            path[path_length] = '\0';
        ok = path ? safetensors_read(out, path, key, &error) : tensor_fail(&error, "out of memory");
        free(path);
    } else if (ends_with(name, strlen(name), ".npy")) {
        ok = npy_read(out, name, &error);
    } else {
        ok = tensor_fail(&error, "%.200s: a tensor file ends in .npy or .safetensors", name);
    }
    if (!ok)
        cli_error(cli, "%s: %s", use->name, error.text);
    return ok;
}

/* ---- lists: [[1, 2], [3, 4]] -------------------------------------------------------------- */

static const char uneven[] = "a list of numbers whose rows are equally long is needed";

static bool list_shape(json_t *list, uint32_t *rank, int64_t *shape)
{
    *rank = 0;
    while (json_is_array(list)) {
        if (*rank == LDSL_MAX_RANK)
            return false;
        shape[(*rank)++] = (int64_t)json_array_size(list);
        list = json_array_get(list, 0);
    }
    return true;
}

/* A number that the dtype cannot hold would become another one; floats round, as they do. */
static bool number_fits(enum ldsl_dtype dtype, json_t *number)
{
    if (dtype_is_float(dtype) || json_is_boolean(number))
        return true;
    double value = json_number_value(number);
    int bits = dtype == LDSL_BOOL ? 1 : 8 * (int)ldsl_dtype_size(dtype);
    double low = dtype_is_signed(dtype) ? -ldexp(1, bits - 1) : 0;
    double high = dtype_is_signed(dtype) ? ldexp(1, bits - 1) : ldexp(1, bits);
    bool rounded = json_is_integer(number) && bits == 64; /* by the conversion to double */
    return value == floor(value) && value >= low && (value < high || rounded);
}

/* JSON has no names for them: "inf", "-inf" and "nan" become strings. malloc'ed. */
static char *quote_names(const char *text)
{
    static const char *const names[] = {"-inf", "inf", "nan"};
    char *out = malloc(3 * strlen(text) + 1), *to = out;
    while (out && *text) {
        const char *name = NULL;
        for (int i = 0; i < 3 && !name; i++)
            name = strncmp(text, names[i], strlen(names[i])) == 0 ? names[i] : NULL;
        if (name)
            to += sprintf(to, "\"%s\"", name);
        else
            *to++ = *text;
        text += name ? strlen(name) : 1;
    }
    if (out)
        *to = '\0';
    return out;
}

static bool store_list(struct tensor *t, size_t *position, json_t *list, uint32_t depth,
                       struct tensor_error *error)
{
    if (depth == t->rank) {
        double named;
        if (json_is_number(list) && !number_fits(t->dtype, list))
            return tensor_fail(error, "%.17g is no %s", json_number_value(list),
                               ldsl_dtype_name(t->dtype));
        if (json_is_integer(list))
            tensor_set_integer(t, (*position)++, json_integer_value(list));
        else if (json_is_real(list))
            tensor_set(t, (*position)++, json_real_value(list));
        else if (json_is_boolean(list))
            tensor_set_integer(t, (*position)++, json_is_true(list));
        else if (json_is_string(list) && dtype_is_float(t->dtype) &&
                 value_read_number(&named, json_string_value(list), LDSL_F64))
            tensor_set(t, (*position)++, named);
        else
            return tensor_fail(error, "%s", uneven);
        return true;
    }
    if (!json_is_array(list) || (int64_t)json_array_size(list) != t->shape[depth])
        return tensor_fail(error, "%s", uneven);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!store_list(t, position, json_array_get(list, i), depth + 1, error))
            return false;
    return true;
}

static bool read_list(struct cli *cli, struct tensor *out, const char *text,
                      const struct value_use *use)
{
    json_error_t cause;
    char *quoted = quote_names(text);
    json_t *list = quoted ? json_loads(quoted, 0, &cause) : NULL;
    free(quoted);
    if (!list)
        return fail(cli, use, text, "not a list of numbers");
    uint32_t rank;
    int64_t shape[LDSL_MAX_RANK];
    struct tensor_error error = {.text = "too many dims"};
    size_t position = 0;
    bool ok = list_shape(list, &rank, shape) && tensor_create(out, use->dtype, rank, shape, &error);
    if (ok && !store_list(out, &position, list, 0, &error)) {
        tensor_destroy(out);
        ok = false;
    }
    json_decref(list);
    return ok || fail(cli, use, text, error.text);
}

bool value_read_tensor(struct cli *cli, struct tensor *out, const char *text,
                       const struct value_use *use)
{
    struct call call;
    *out = (struct tensor){0};
    if (*text == '@')
        return read_tensor_file(cli, out, text + 1, use);
    if (*text == '[')
        return read_list(cli, out, text, use);
    if (split_call(text, &call))
        return read_fill(cli, out, text, &call, use);
    return fail(cli, use, text, "not a tensor");
}

bool value_named_dtype(const char *text, enum ldsl_dtype *dtype)
{
    struct call call;
    return *text != '@' && *text != '[' && split_call(text, &call) && call.count &&
           argument_dtype(&call.arguments[call.count - 1], dtype);
}
