/* How failures are told: the sink hears them, and the last one's text is kept for this thread. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 1024 };

/* The thread-locals of the runtime: ldsl_last_error promises a text per thread, and what one thread
 * tries without telling anybody is no reason for others to be silent. */
static _Thread_local char last_error[TEXT_BYTES];
static _Thread_local uint32_t quiet;

void rt_quiet_begin(void)
{
    quiet++;
}

void rt_quiet_end(void)
{
    quiet--;
}

const char *ldsl_last_error(void)
{
    return last_error;
}

static void tell(const struct ldsl_sink *sink, enum ldsl_severity severity, const char *text,
                 const char *help)
{
    if (!sink || !sink->report || quiet)
        return;
    struct ldsl_diag diag = {.severity = severity, .text = text, .help = help};
    sink->report(sink->user, &diag);
}

enum ldsl_status rt_error(const struct ldsl_sink *sink, enum ldsl_status status, const char *format,
                          ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(last_error, sizeof last_error, format, args);
    va_end(args);
    tell(sink, LDSL_ERROR, last_error, NULL);
    return status;
}

enum ldsl_status rt_error_help(const struct ldsl_sink *sink, enum ldsl_status status,
                               const char *help, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(last_error, sizeof last_error, format, args);
    va_end(args);
    tell(sink, LDSL_ERROR, last_error, help);
    return status;
}

enum ldsl_status rt_error_at(const struct ldsl_sink *sink, enum ldsl_status status,
                             const char *path, uint32_t line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(last_error, sizeof last_error, format, args);
    va_end(args);
    if (sink && sink->report && !quiet) {
        struct ldsl_diag diag = {
            .severity = LDSL_ERROR,
            .text = last_error,
            .place = {.path = path, .line = line, .column = 1, .length = 1}
        };
        sink->report(sink->user, &diag);
    }
    return status;
}

void rt_warning(const struct ldsl_sink *sink, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tell(sink, LDSL_WARNING, text, NULL);
}

void rt_remark(const struct ldsl_sink *sink, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tell(sink, LDSL_REMARK, text, NULL);
}

enum ldsl_status rt_nomem(const struct ldsl_sink *sink)
{
    return rt_error(sink, LDSL_NOMEM, "out of memory");
}

static void keep(const struct ldsl_diag *diag)
{
    if (diag->text == last_error)
        return; /* rt_error kept it already */
    if (diag->place.path)
        snprintf(last_error, sizeof last_error, "%s:%u:%u: %s", diag->place.path, diag->place.line,
                 diag->place.column, diag->text);
    else
        snprintf(last_error, sizeof last_error, "%s", diag->text);
}

static void record(void *user, const struct ldsl_diag *diag)
{
    struct rt_recorder *recorder = user;
    if (diag->severity == LDSL_ERROR && !recorder->failed) {
        recorder->failed = true;
        keep(diag);
    }
    if (recorder->next && recorder->next->report)
        recorder->next->report(recorder->next->user, diag);
}

void rt_recorder_init(struct rt_recorder *recorder, const struct ldsl_sink *next)
{
    recorder->sink = (struct ldsl_sink){.report = record, .user = recorder};
    recorder->next = next;
    recorder->failed = false;
}
