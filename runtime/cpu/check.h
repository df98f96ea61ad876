/* Launches of kernels compiled with run-time checks: the record the kernel reports to, and what a
 * failure looks like to the user. */
#ifndef CPU_CHECK_H
#define CPU_CHECK_H

#include <ldsl/artifact.h>
#include <ldsl/check.h>
#include <ldsl/diag.h>
#include <stddef.h>

typedef void check_extents(const uint64_t *slots, struct ldsl_check_extent *extents);

struct check;

/* For one launch; allocates what tracks the written tensors. */
enum ldsl_status check_begin(struct check **out, const struct ldsl_kernel_info *info,
                             check_extents *extents, const uint64_t *slots,
                             const struct ldsl_sink *sink);
struct ldsl_check_report *check_report(struct check *c);
/* After the last program: reports the first failure, if there was one, and frees. */
enum ldsl_status check_end(struct check *c);

#endif
