/* LLVM's tables for this machine: filled once per process, by whoever comes first (compiling or
 * loading). Any thread. */
#ifndef TARGET_NATIVE_H
#define TARGET_NATIVE_H

void target_init_native(void);

#endif
