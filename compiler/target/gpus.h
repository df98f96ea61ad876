/* GPUs by name, for every target that generates code for them or stands in for one. */
#ifndef TARGET_GPUS_H
#define TARGET_GPUS_H

#include "target/facts.h"

/* "sm_90a". False: there is no such GPU. */
bool target_gpu_facts(const char *name, struct facts *out);

#endif
