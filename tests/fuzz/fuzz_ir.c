/* Tile IR text: what reads also verifies, prints, and reads back as the same text; the pipeline
 * takes it and leaves a function that verifies (the runner checks after each pass). */
#include "pass/pass.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Noreturn void broken(const char *what)
{
    fprintf(stderr, "%s\n", what);
    abort();
}

/* Prints, reads and prints again. */
static void check_round_trip(struct session *s, const struct ir_func *f)
{
    const char *text = ir_print(s, f);
    struct ir_func *again = ir_read(s, source_add(s, "again.tir", text, strlen(text)));
    if (!again)
        broken("printed text does not read");
    if (strcmp(ir_print(s, again), text) != 0)
        broken("printed text reads as another function");
}

static void run_pipeline(struct session *s, struct ir_func *f)
{
    static const struct facts facts = {.lanes = 1, .vector_bytes = 32, .max_tile = 65536};
    struct pass_options options = {.facts = &facts};
    if (!pass_run(s, f, &options))
        broken("the pipeline failed");
    check_round_trip(s, f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session s;
    session_init(&s, NULL);
    if (setjmp(s.unwind.env))
        broken(s.unwind.status == LDSL_NOMEM ? "out of memory" : "internal error");
    struct ir_func *f = ir_read(&s, source_add(&s, "fuzz.tir", (const char *)data, size));
    if (f) {
        check_round_trip(&s, f);
        run_pipeline(&s, f);
    } else if (!s.errors) {
        broken("rejected without a reason");
    }
    session_destroy(&s);
    return 0;
}
