/* What ldsl run tells about a result: shape, dtype, range, mean, the first elements. */
#ifndef LDSL_SUMMARY_H
#define LDSL_SUMMARY_H

#include "tensor.h"

#include <jansson.h>

void print_summary(const char *name, const struct tensor *t);
json_t *summary_json(const char *name, const struct tensor *t);

#endif
