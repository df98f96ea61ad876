/* This machine's processor. Any thread. */
#ifndef TARGET_NATIVE_H
#define TARGET_NATIVE_H

#include <stdbool.h>

struct session;
struct target_machine;

/* Fills LLVM's tables for this machine: once per process, by whoever comes first (compiling or
 * loading). */
void target_init_native(void);

/* Opens LLVM's machine for this very processor: cpu, features, machine. quickly: code that is made
 * fast rather than runs fast. False after reporting. */
bool target_open_native(struct session *s, bool quickly, struct target_machine *out);

#endif
