/* What the files of ldsl test share: test.c (the command, edge cases), test_gradient.c,
 * test_model.c. */
#ifndef LDSL_TEST_H
#define LDSL_TEST_H

#include "calls.h"
#include "command.h"
#include "verify.h"
#include "words.h"

#include <time.h>

struct test_options {
    struct device_options device;
    struct words ops;    /* none: all that have a reference */
    const char *only;    /* --case: substring of the case's description */
    const char *with;    /* --with: schedule values for every case */
    unsigned long cases; /* --cases: at most so many an operator; 0: all */
    uint64_t seed;
    bool verbose;
    bool graph;                 /* --graph: from a captured graph too */
    bool large;                 /* --large, --shape: model-sized calls instead of edge cases */
    struct calls_options calls; /* their shapes and types */
};

/* What the contexts' sink is: silent while cases are tried that an operator may refuse. */
struct ear {
    struct cli *cli;
    bool muted;
    char text[512], place[256]; /* of the last error that has a place; "FILE:LINE: " */
};

struct test_session {
    struct cli *cli;
    const struct test_options *options;
    struct ear ear;
    struct operators ops; /* on the device under test */
    struct references references;
    json_t *rows;
    unsigned failed_ops, cases; /* so far */
};

/* What came of one operator. */
struct test_tally {
    const char *op;
    unsigned passed, failed, refused;
    double worst; /* error / allowed */
    struct timespec start;
};

/* test.c: a line of the table, of the JSON, and in the tally. */
void test_row(struct test_session *s, struct test_tally *tally, const char *name, bool passed,
              double error, double allowed, const char *why);
void test_begin(struct test_tally *tally, const char *op);
/* Prints the tally, counts the operator. */
void test_end(struct test_session *s, const struct test_tally *tally);
/* Makes sizes acceptable to the operator; false with the status of the last attempt. */
bool test_make_acceptable(struct test_session *s, struct trial *t, enum ldsl_status *status);

/* test_gradient.c */
void test_gradient(struct test_session *s, struct test_tally *tally, const struct subject *subject);
/* test_model.c: --large and --shape. An exit status; what failed is in s->failed_ops. */
int test_models(struct test_session *s);

#endif
