/* LDSL: fused kernels in a small tile language. Includes the whole public interface. */
#ifndef LDSL_H
#define LDSL_H

#include <ldsl/artifact.h>
#include <ldsl/cache.h>
#include <ldsl/compile.h>
#include <ldsl/diag.h>
#include <ldsl/dtype.h>
#include <ldsl/ops.h>
#include <ldsl/runtime.h>
#include <ldsl/schedule.h>
#include <ldsl/status.h>
#include <ldsl/tune.h>

#endif
