/* Targets: what a code generator must know of one. Doorway of compiler/target.
 *
 * A target is named "cpu:native", "cpu:x86-64-v3", "nvptx:sm_90a", "simt" ... : a family and a
 * processor. The families are listed in registry.c. */
#ifndef TARGET_TARGET_H
#define TARGET_TARGET_H

#include "support/session.h"
#include "target/facts.h"
#include "target/lane.h"

#include <llvm-c/TargetMachine.h>

struct target_machine {
    const struct target *target;
    const char *cpu;      /* canonical processor name */
    const char *features; /* LLVM feature string */
    struct facts facts;
    LLVMTargetMachineRef machine; /* owned; NULL for targets without LLVM code */
};

struct target {
    const char *name;    /* "cpu" */
    const char *summary; /* one line for doctor and docs */
    /* Opens a processor of this family; reports and returns false if there is no such one. */
    bool (*open)(const struct target *t, struct session *s, const char *cpu,
                 struct target_machine *out);
    const struct lane_hooks *lanes; /* NULL: a CPU */
    /* LLVM passes before and after those of codegen; NULL: none. */
    const char *early_passes, *late_passes;
};

/* Opens "cpu:native" and the like. The caller closes it. */
bool target_open(struct session *s, const char *name, struct target_machine *out);
void target_close(struct target_machine *m);

const struct target *const *target_table(uint32_t *count);

#endif
