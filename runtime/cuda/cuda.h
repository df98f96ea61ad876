/* NVIDIA GPUs as devices, through the driver that is found at run time. Doorway of runtime/cuda.
 *
 * Work is done in the GPU's primary context, the one that the CUDA runtime and frameworks built on
 * it use: their streams and addresses are good here, and ours there. The calling thread's current
 * context is as it was when a call returns. */
#ifndef CUDA_CUDA_H
#define CUDA_CUDA_H

#include "device.h"

extern const struct rt_device_ops rt_cuda;

#endif
