/* Tuning records in memory: one line of a file each, in order.
 *
 * The file is text, so that people read it and version control merges it: comment lines begin with
 * '#', every other line is one record, ten fields separated by " | " (ldsl_record's, in its order; an
 * empty one is "-"). Lines are sorted, so records of different things never meet in one place. */
#ifndef RUNTIME_RECORDS_H
#define RUNTIME_RECORDS_H

#include "internal.h"

#include <ldsl/tune.h>

/* All fields but the time are texts: identity first. */
enum record_field {
    RECORD_OP,
    RECORD_KERNEL,
    RECORD_VARIANT,
    RECORD_KEY,
    RECORD_SHAPE,
    RECORD_DEVICE,
    RECORD_TARGET,
    RECORD_HASH,
    RECORD_SETTINGS,
    RECORD_FIELDS,
    RECORD_IDENTITY = RECORD_SETTINGS /* the fields before tell records apart */
};

struct record {
    const char *field[RECORD_FIELDS]; /* into text */
    uint64_t nanoseconds;
    bool fresh; /* put since the last save */
    char *text; /* owned */
};

struct ldsl_records {
    struct record *list; /* sorted by identity, no two alike */
    uint32_t count, capacity;
};

/* Takes the record over. `replaces`: it also ends those of other code. False: out of memory, and the
 * record is freed. */
bool records_add(struct ldsl_records *records, struct record *record, bool replaces);
void records_clear(struct ldsl_records *records);
/* The first record whose op, kernel, variant and key are not before these. */
uint32_t records_seek(const struct ldsl_records *records, const char *const identity[4]);

/* A record of copied texts; false: out of memory, or a text that no line can hold. */
bool record_create(struct record *out, const ldsl_record *from);
void record_get(const struct record *record, ldsl_record *out);

/* Writes the line without its end to a growing text. */
struct rt_text;
void record_print(const struct record *record, struct rt_text *out);
/* Reads a line; false: it is none. */
bool record_parse(struct record *out, const char *line, size_t length, bool *no_memory);

#endif
