/* The SIMT emulator as a device: runs what the GPU lowering makes on the host, a thread at a time, and
 * reports what a GPU would do silently wrong. Doorway of runtime/simt.
 *
 * A launch fails with LDSL_DEVICE and the .ldsl line of
 *   - a race: two threads touch the same bytes of shared or global memory, one of them writes, and no
 *     barrier lies between; or two programs do, for which there are no barriers
 *   - a barrier or shuffle that not all threads come to
 *   - an address outside of its tensor, or not a multiple of the access's size
 *   - a read of shared memory, or of an output, before it is written
 *   - a store, branch, address or guard that depends on a register that holds nothing: one of an
 *     element that does not exist, or that nothing was written to
 *   - an asynchronous copy's destination touched before the copy is waited for
 *   - shared memory of another block touched before that block is known to run, or after it may
 *     have ended
 *   - global memory touched before the kernels before this one are waited for
 * and a failed check of the kernel's own. */
#ifndef SIMT_SIMT_H
#define SIMT_SIMT_H

#include "device.h"

extern const struct rt_device_ops rt_simt;

#endif
