/* A child process for work that may crash or hang: requests and answers are JSON objects, one a line,
 * over two pipes. */
#ifndef LDSL_WORKER_H
#define LDSL_WORKER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct worker {
    pid_t pid; /* 0: none */
    int to, from;
    char *line; /* what was read beyond the last answer */
    size_t length, capacity;
};

/* Starts the child, which runs body and ends. The parent has no threads yet: the child goes on with
 * the one that called. False with errno. */
typedef void worker_body(void *user, FILE *in, FILE *out);
bool worker_start(struct worker *w, worker_body *body, void *user);
/* Ends the child, however busy it is; safe without one. *why, if given, gets how it ended by itself
 * ("by signal 11 (Segmentation fault)"), or "" if it had to be ended. */
void worker_stop(struct worker *w, char *why, size_t size);

/* Takes over the request. False: the child is gone. */
bool worker_send(struct worker *w, json_t *request);
/* The next answer, the caller's; NULL: the child is gone, or took longer than `seconds` (*late). */
json_t *worker_receive(struct worker *w, double seconds, bool *late);

/* In the child. NULL: the parent is gone. */
json_t *worker_read(FILE *in);
bool worker_write(FILE *out, json_t *answer); /* takes over */

#endif
