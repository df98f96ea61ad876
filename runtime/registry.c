/* Which devices there are, and which one a text such as "cuda:1" means. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

/* Families the project knows, in this build or not. */
static const char *const families[] = {"cpu", "cuda", "simt"};

static const struct rt_device_ops *find_family(const char *name, size_t length)
{
    for (const struct rt_device_ops *const *d = rt_edition.devices; *d; d++)
        if (strlen((*d)->name) == length && memcmp((*d)->name, name, length) == 0)
            return *d;
    return NULL;
}

static bool is_known(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strlen(families[i]) == length && memcmp(families[i], name, length) == 0)
            return true;
    return false;
}

/* The digits after the colon, at most four of them. */
static bool parse_number(uint32_t *number, const char *text)
{
    *number = 0;
    size_t length = strlen(text);
    if (length == 0 || length > 4 || strspn(text, "0123456789") != length)
        return false;
    for (; *text; text++)
        *number = *number * 10 + (uint32_t)(*text - '0');
    return true;
}

/* The first family with a device. One that has none is not an error: nobody asked for it. */
static enum ldsl_status find_best(const struct rt_device_ops **ops, const struct ldsl_sink *sink)
{
    char why[256] = "";
    for (const struct rt_device_ops *const *d = rt_edition.devices; *d; d++) {
        if ((*d)->probe(why, sizeof why) > 0) {
            *ops = *d;
            return LDSL_OK;
        }
    }
    return rt_error(sink, LDSL_DEVICE, "no device was found%s%s", *why ? ": " : "", why);
}

enum ldsl_status rt_device_find(const struct rt_device_ops **ops, uint32_t *number,
                                const char *text, const struct ldsl_sink *sink)
{
    *number = 0;
    if (!text)
        return find_best(ops, sink);

    size_t length = strcspn(text, ":");
    if (!is_known(text, length))
        return rt_error_help(sink, LDSL_ARGUMENT, "devices are cpu, cuda, cuda:N, simt and simt:86",
                             "unknown device '%s'", text);
    if (text[length] == ':' && !parse_number(number, text + length + 1))
        return rt_error_help(sink, LDSL_ARGUMENT, "write the number as in cuda:1",
                             "device '%s' has no valid number after the colon", text);

    *ops = find_family(text, length);
    if (!*ops)
        return rt_error(sink, LDSL_UNSUPPORTED, "this build of ldsl has no device '%.*s'",
                        (int)length, text);
    char why[256] = "";
    uint32_t count = (*ops)->probe(why, sizeof why);
    if (count == 0)
        return rt_error(sink, LDSL_DEVICE, "device '%s' is not there: %s", text, why);
    if (*number >= count && !(*ops)->numbers_kinds)
        return rt_error(sink, LDSL_DEVICE,
                        "device '%s' is not there: there %s %u of its kind, counted from 0", text,
                        count == 1 ? "is" : "are", count);
    return LDSL_OK;
}
