#include "tune_child.h"

#include <string.h>

/* How long one may take to open the device and a call: what takes longer hangs. */
static const double open_seconds = 300;

void tuner_set_why(struct tuner *t, const char *text)
{
    snprintf(t->why, sizeof t->why, "%s", text);
}

/* A child that serves call t->index next. The answer to its opening words, or NULL after reporting. */
static json_t *start_child(struct tuner *t)
{
    bool late;
    t->work.first = t->index;
    if (!worker_start(&t->worker, tune_work, &t->work)) {
        cli_error(t->cli, "cannot start a process to measure in");
        return NULL;
    }
    json_t *first = worker_receive(&t->worker, open_seconds, &late);
    if (!first)
        cli_error(t->cli, "the process that measures %s before it began",
                  late ? "did not answer" : "ended");
    return first;
}

int tuner_start(struct tuner *t, int *found)
{
    json_t *first = start_child(t);
    int status = first ? EXIT_DONE : EXIT_DEVICE;
    const json_t *failed = json_object_get(first, "exit");
    if (failed) {
        status = (int)json_integer_value(failed);
    } else if (first) {
        t->calls = (unsigned)json_integer_value(json_object_get(first, "count"));
        t->names = json_incref(json_object_get(first, "calls"));
        *found = (int)json_integer_value(json_object_get(first, "status"));
        snprintf(t->device, sizeof t->device, "%s",
                 json_string_value(json_object_get(first, "device")));
    }
    json_decref(first);
    return status;
}

void tuner_stop(struct tuner *t)
{
    worker_stop(&t->worker, NULL, 0);
    json_decref(t->names);
    t->names = NULL;
}

/* ---- one that failed --------------------------------------------------------------------------- */

/* The child was stopped: starts another and has it open the call again. False: that does not work. */
static bool reopen(struct tuner *t)
{
    bool unused;
    t->crashes++;
    json_t *first = start_child(t);
    bool good = json_object_get(first, "count") != NULL;
    json_decref(first);
    json_t *call = good ? worker_receive(&t->worker, open_seconds, &unused) : NULL;
    good = call && !json_object_get(call, "error");
    json_decref(call);
    if (!good)
        worker_stop(&t->worker, NULL, 0);
    return good;
}

bool tuner_replace(struct tuner *t, bool late, const char *doing)
{
    char how[96];
    worker_stop(&t->worker, how, sizeof how);
    if (late)
        snprintf(t->why, sizeof t->why, "%s took too long", doing);
    else
        snprintf(t->why, sizeof t->why, "%s ended the process %s", doing, how);
    return reopen(t);
}

bool tuner_has_child(const struct tuner *t)
{
    return t->worker.pid != 0;
}

/* ---- requests ---------------------------------------------------------------------------------- */

json_t *tuner_ask(struct tuner *t, json_t *request, double seconds, const char *doing)
{
    bool late = false;
    json_t *answer = NULL;
    if (!tuner_has_child(t)) {
        json_decref(request);
        return NULL;
    }
    if (worker_send(&t->worker, request))
        answer = worker_receive(&t->worker, seconds, &late);
    const char *error = json_string_value(json_object_get(answer, "error"));
    if (answer && !error)
        return answer;
    if (!answer) {
        (void)tuner_replace(t, late, doing);
        return NULL;
    }
    tuner_set_why(t, error);
    if (json_object_get(answer, "lost")) {
        worker_stop(&t->worker, NULL, 0);
        (void)reopen(t);
    }
    json_decref(answer);
    return NULL;
}

/* ---- calls ------------------------------------------------------------------------------------- */

json_t *tuner_receive_call(struct tuner *t)
{
    bool late;
    char how[96];
    json_t *call = worker_receive(&t->worker, open_seconds, &late);
    if (call && !json_object_get(call, "lost"))
        return call;
    const char *error = json_string_value(json_object_get(call, "error"));
    worker_stop(&t->worker, how, sizeof how);
    if (error)
        tuner_set_why(t, error);
    else
        snprintf(t->why, sizeof t->why, "preparing it ended the process %s", how);
    json_decref(call);
    t->crashes++;
    return NULL;
}

bool tuner_go_on(struct tuner *t)
{
    t->index++;
    if (tuner_has_child(t) && worker_send(&t->worker, json_pack("{s:s}", "do", "next")))
        return true;
    worker_stop(&t->worker, NULL, 0);
    if (t->index == t->calls)
        return true;
    json_t *first = start_child(t);
    bool good = json_object_get(first, "count") != NULL;
    json_decref(first);
    return good;
}
