/* The parent's hold on its child (tune_work.h), which may crash, hang, or lose its device: then another
 * takes its place. */
#ifndef LDSL_TUNE_CHILD_H
#define LDSL_TUNE_CHILD_H

#include "tune_call.h"

/* Starts the first child. EXIT_DONE, or an exit status after reporting. */
int tuner_start(struct tuner *t, int *found);
/* Ends it, and forgets the calls' names. */
void tuner_stop(struct tuner *t);
bool tuner_has_child(const struct tuner *t);

/* The description of call t->index; NULL with t->why: the child is gone, and another one goes on
 * behind it. */
json_t *tuner_receive_call(struct tuner *t);
/* One request, one answer; NULL with t->why. A child that is of no more use is replaced. */
json_t *tuner_ask(struct tuner *t, json_t *request, double seconds, const char *doing);
/* The child is gone or late: says how in t->why, starts another and has it open the call again. False:
 * that does not work either. */
bool tuner_replace(struct tuner *t, bool late, const char *doing);
/* To the next call. False: no child can be started, which was reported. */
bool tuner_go_on(struct tuner *t);

void tuner_set_why(struct tuner *t, const char *text);

#endif
