/* The CPU as a device: kernels loaded by LLVM's JIT linker, programs spread over worker threads.
 * Doorway of runtime/cpu. */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include "device.h"

extern const struct rt_device_ops rt_cpu;

#endif
