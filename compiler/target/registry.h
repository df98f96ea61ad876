/* The record of each family of targets, defined in its folder. */
#ifndef TARGET_REGISTRY_H
#define TARGET_REGISTRY_H

#include "target/target.h"

extern const struct target target_cpu;
extern const struct target target_simt;
extern const struct target target_nvptx;

#endif
