#include "records.h"

#include "schedule.h"

#include <stdlib.h>
#include <string.h>

static const char separator[] = " | ";

/* ---- records ------------------------------------------------------------------------------------ */

static bool is_plain(const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ')
            return false;
    return !strstr(text, separator) && strcmp(text, "-") != 0;
}

bool record_create(struct record *out, const ldsl_record *from)
{
    const char *fields[RECORD_FIELDS] = {from->op,     from->kernel, from->variant,
                                         from->key,    from->shape,  from->device,
                                         from->target, from->hash,   from->settings};
    size_t bytes = 0;
    for (int i = 0; i < RECORD_FIELDS; i++) {
        fields[i] = fields[i] ? fields[i] : "";
        if (!is_plain(fields[i]))
            return false;
        bytes += strlen(fields[i]) + 1;
    }
    *out = (struct record){.text = malloc(bytes)};
    if (!out->text)
        return false;
    char *at = out->text;
    for (int i = 0; i < RECORD_FIELDS; i++) {
        size_t length = strlen(fields[i]) + 1;
        out->field[i] = memcpy(at, fields[i], length);
        at += length;
    }
    /* Not a number, negative: no time. Beyond a day: a day. */
    double time = from->time_us > 0 ? from->time_us : 0;
    out->nanoseconds = time > 8.64e10 ? UINT64_C(86400000000000) : (uint64_t)(time * 1e3 + 0.5);
    return true;
}

void record_get(const struct record *record, ldsl_record *out)
{
    *out = (ldsl_record){
        .op = record->field[RECORD_OP],
        .kernel = record->field[RECORD_KERNEL],
        .variant = record->field[RECORD_VARIANT],
        .key = record->field[RECORD_KEY],
        .shape = record->field[RECORD_SHAPE],
        .device = record->field[RECORD_DEVICE],
        .target = record->field[RECORD_TARGET],
        .hash = record->field[RECORD_HASH],
        .settings = record->field[RECORD_SETTINGS],
        .time_us = (double)record->nanoseconds * 1e-3,
    };
}

/* ---- lines -------------------------------------------------------------------------------------- */

void record_print(const struct record *record, struct rt_text *out)
{
    for (int i = 0; i < RECORD_FIELDS; i++)
        rt_text_add(out, "%s%s", *record->field[i] ? record->field[i] : "-", separator);
    /* Not %f: its point depends on the program's locale. */
    rt_text_add(out, "%llu.%03u", (unsigned long long)(record->nanoseconds / 1000),
                (unsigned)(record->nanoseconds % 1000));
}

/* "27.412" */
static bool parse_time(const char *text, uint64_t *nanoseconds)
{
    size_t whole = strspn(text, "0123456789");
    if (whole == 0 || whole > 12)
        return false;
    *nanoseconds = 0;
    for (size_t i = 0; i < whole; i++)
        *nanoseconds = *nanoseconds * 10 + (uint64_t)(text[i] - '0');
    const char *digits = text[whole] == '.' ? text + whole + 1 : text + whole;
    for (int i = 0; i < 3; i++) {
        bool given = *digits >= '0' && *digits <= '9';
        *nanoseconds = *nanoseconds * 10 + (given ? (uint64_t)(*digits - '0') : 0);
        digits += given;
    }
    return !digits[strspn(digits, "0123456789")];
}

bool record_parse(struct record *out, const char *line, size_t length, bool *no_memory)
{
    char *text = malloc(length + 1);
    *out = (struct record){.text = text};
    *no_memory = !text;
    if (!text)
        return false;
    memcpy(text, line, length);
    text[length] = '\0';
    char *at = text;
    bool good = strlen(text) == length;
    for (int i = 0; good && i < RECORD_FIELDS; i++) {
        char *end = strstr(at, separator);
        good = end && end > at;
        if (!good)
            break;
        *end = '\0';
        out->field[i] = strcmp(at, "-") == 0 ? "" : at;
        at = end + strlen(separator);
    }
    if (good && parse_time(at, &out->nanoseconds))
        return true;
    free(text);
    return false;
}

/* ---- sets --------------------------------------------------------------------------------------- */

static int compare(const struct record *a, const struct record *b, int fields)
{
    for (int i = 0; i < fields; i++) {
        int order = strcmp(a->field[i], b->field[i]);
        if (order)
            return order;
    }
    return 0;
}

/* Which of two for the same thing stays. */
static bool is_better(const struct record *a, const struct record *b)
{
    if (a->nanoseconds != b->nanoseconds)
        return a->nanoseconds < b->nanoseconds;
    return strcmp(a->field[RECORD_SETTINGS], b->field[RECORD_SETTINGS]) < 0;
}

/* Where a record stands or would stand. */
static uint32_t find_place(const struct ldsl_records *records, const struct record *r)
{
    uint32_t low = 0, high = records->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare(&records->list[middle], r, RECORD_IDENTITY) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t records_seek(const struct ldsl_records *records, const char *const identity[4])
{
    struct record r = {
        .field = {identity[0], identity[1], identity[2], identity[3], "", "", "", "", ""}
    };
    return find_place(records, &r);
}

static void remove_at(struct ldsl_records *records, uint32_t i)
{
    free(records->list[i].text);
    memmove(&records->list[i], &records->list[i + 1],
            (records->count - i - 1) * sizeof *records->list);
    records->count--;
}

/* Records for the same thing but other code stand side by side: the hash is the last of the identity. */
static void remove_other_code(struct ldsl_records *records, const struct record *r)
{
    struct record first = *r;
    first.field[RECORD_HASH] = "";
    uint32_t i = find_place(records, &first);
    while (i < records->count && compare(&records->list[i], r, RECORD_HASH) == 0)
        remove_at(records, i);
}

bool records_add(struct ldsl_records *records, struct record *record, bool replaces)
{
    if (replaces)
        remove_other_code(records, record);
    uint32_t i = find_place(records, record);
    if (i < records->count && compare(&records->list[i], record, RECORD_IDENTITY) == 0) {
        struct record worse = *record;
        if (is_better(record, &records->list[i])) {
            worse = records->list[i];
            records->list[i] = *record;
        }
        free(worse.text);
        return true;
    }
    if (records->count == records->capacity) {
        uint32_t capacity = records->capacity ? records->capacity * 2 : 64;
        struct record *list = realloc(records->list, capacity * sizeof *list);
        if (!list) {
            free(record->text);
            return false;
        }
        records->list = list;
        records->capacity = capacity;
    }
    memmove(&records->list[i + 1], &records->list[i], (records->count - i) * sizeof *records->list);
    records->list[i] = *record;
    records->count++;
    return true;
}

void records_clear(struct ldsl_records *records)
{
    for (uint32_t i = 0; i < records->count; i++)
        free(records->list[i].text);
    free(records->list);
    *records = (struct ldsl_records){0};
}

enum ldsl_status ldsl_records_create(ldsl_records **out)
{
    if (!out)
        return rt_error(NULL, LDSL_ARGUMENT, "no place to put the records: out is NULL");
    *out = calloc(1, sizeof **out);
    return *out ? LDSL_OK : rt_nomem(NULL);
}

void ldsl_records_destroy(ldsl_records *records)
{
    if (records)
        records_clear(records);
    free(records);
}

enum ldsl_status ldsl_records_put(ldsl_records *records, const ldsl_record *record)
{
    struct record r;
    if (!records || !record || !record->op || !record->kernel)
        return rt_error(NULL, LDSL_ARGUMENT, "a record names an operator and a kernel");
    if (!record_create(&r, record))
        return rt_error(NULL, LDSL_ARGUMENT,
                        "a record's texts have no line ends and no \"%s\" inside", separator);
    r.fresh = true;
    return records_add(records, &r, true) ? LDSL_OK : rt_nomem(NULL);
}

uint32_t ldsl_records_count(const ldsl_records *records)
{
    return records ? records->count : 0;
}

bool ldsl_records_get(const ldsl_records *records, uint32_t i, ldsl_record *record)
{
    if (!records || !record || i >= records->count)
        return false;
    record_get(&records->list[i], record);
    return true;
}
