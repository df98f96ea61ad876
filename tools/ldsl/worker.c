#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- life -------------------------------------------------------------------------------------- */

static void close_pair(const int pipe[2])
{
    close(pipe[0]);
    close(pipe[1]);
}

/* The child: dies with its parent, leaves no core files, and is not the parent's stdio twice. */
static void run_child(worker_body *body, void *user, const int requests[2], const int answers[2])
{
    const struct rlimit none = {0, 0};
    close(requests[1]);
    close(answers[0]);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setrlimit(RLIMIT_CORE, &none);
    FILE *in = fdopen(requests[0], "r"), *out = fdopen(answers[1], "w");
    if (in && out)
        body(user, in, out);
    if (out)
        fflush(out);
    fflush(stderr);
    _exit(0);
}

bool worker_start(struct worker *w, worker_body *body, void *user)
{
    int requests[2], answers[2];
    *w = (struct worker){0};
    fflush(NULL);
    if (pipe(requests) != 0)
        return false;
    if (pipe(answers) != 0) {
        close_pair(requests);
        return false;
    }
    pid_t pid = fork();
    if (pid == 0)
        run_child(body, user, requests, answers);
    if (pid < 0) {
        close_pair(requests);
        close_pair(answers);
        return false;
    }
    close(requests[0]);
    close(answers[1]);
    *w = (struct worker){.pid = pid, .to = requests[1], .from = answers[0]};
    return true;
}

void worker_stop(struct worker *w, char *why, size_t size)
{
    int status = 0;
    if (size)
        *why = '\0';
    if (!w->pid)
        return;
    /* One that has ended stays what it is; the others are ended now. */
    pid_t ended = waitpid(w->pid, &status, WNOHANG);
    if (ended == 0) {
        struct timespec moment = {.tv_nsec = 20000000};
        nanosleep(&moment, NULL); /* its pipe closes before it is gone */
        ended = waitpid(w->pid, &status, WNOHANG);
    }
    if (ended == 0) {
        kill(w->pid, SIGKILL);
        while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR) {
        }
    } else if (size && WIFSIGNALED(status)) {
        snprintf(why, size, "by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else if (size) {
        snprintf(why, size, "with status %d", WEXITSTATUS(status));
    }
    close(w->to);
    close(w->from);
    free(w->line);
    *w = (struct worker){0};
}

/* ---- the parent's end -------------------------------------------------------------------------- */

bool worker_send(struct worker *w, json_t *request)
{
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    if (!text || !w->pid) {
        free(text);
        return false;
    }
    size_t length = strlen(text), sent = 0;
    text[length++] = '\n'; /* in the place of the NUL */
    while (sent < length) {
        ssize_t n = write(w->to, text + sent, length - sent);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    free(text);
    return sent == length;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The first whole line of what was read, as JSON; NULL: there is none. */
static json_t *take_line(struct worker *w)
{
    char *end = w->length ? memchr(w->line, '\n', w->length) : NULL;
    if (!end)
        return NULL;
    size_t bytes = (size_t)(end - w->line) + 1;
    json_t *answer = json_loadb(w->line, bytes, 0, NULL);
    memmove(w->line, w->line + bytes, w->length - bytes);
    w->length -= bytes;
    return answer;
}

/* Reads some more. False: the end, or no memory. */
static bool read_more(struct worker *w)
{
    if (w->capacity - w->length < 4096) {
        char *line = realloc(w->line, w->capacity + 65536);
        if (!line)
            return false;
        w->line = line;
        w->capacity += 65536;
    }
    ssize_t n;
    do
        n = read(w->from, w->line + w->length, w->capacity - w->length);
    while (n < 0 && errno == EINTR);
    w->length += n > 0 ? (size_t)n : 0;
    return n > 0;
}

json_t *worker_receive(struct worker *w, double seconds, bool *late)
{
    double deadline = now() + seconds;
    *late = false;
    for (;;) {
        json_t *answer = take_line(w);
        if (answer || !w->pid)
            return answer;
        struct pollfd poll_for = {.fd = w->from, .events = POLLIN};
        double left = deadline - now();
        int ready = poll(&poll_for, 1, left > 0 ? (int)(left * 1e3) + 1 : 0);
        if (ready < 0 && errno == EINTR)
            continue;
        *late = ready == 0;
        if (ready <= 0 || !read_more(w))
            return NULL;
    }
}

/* ---- the child's end --------------------------------------------------------------------------- */

json_t *worker_read(FILE *in)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length = getline(&line, &capacity, in);
    json_t *request = length > 0 ? json_loadb(line, (size_t)length, 0, NULL) : NULL;
    free(line);
    return request;
}

bool worker_write(FILE *out, json_t *answer)
{
    bool good = answer && json_dumpf(answer, out, JSON_COMPACT | JSON_REAL_PRECISION(12)) == 0 &&
                fputc('\n', out) != EOF && fflush(out) == 0;
    json_decref(answer);
    return good;
}
