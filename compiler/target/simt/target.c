/* simt: the GPU lowering, run on the host by the emulator in runtime/simt. The code is this machine's;
 * the facts are those of the GPU whose name the processor has.
 *
 * For tests of the tests, a processor's name may go on with a fault, "sm_90a,barrier=2": the third
 * barrier is left out. Faults: barrier, guard (of an access), select (of what exists), shuffle, commit
 * and wait (of copies), await (of other kernels), basis: a digit of a layout, or a pad in
 * shared memory, that moves nothing, and digit, the bit of the thread's number that is always 0.
 * "probe=2" makes a launch fail where the third guard is false, "selected=2" where the third select
 * leaves something out: what never happens need not be missed. */
#include "target/simt/simt.h"

#include "target/gpus.h"
#include "target/native.h"
#include "target/registry.h"

#include <stdlib.h>
#include <string.h>

#define NATIVE "sm_90a"

static const char *const faults[] = {
    [SIMT_BARRIER] = "barrier", [SIMT_GUARD] = "guard",       [SIMT_PROBE] = "probe",
    [SIMT_SELECT] = "select",   [SIMT_SELECTED] = "selected", [SIMT_SHUFFLE] = "shuffle",
    [SIMT_AWAIT] = "await",     [SIMT_COMMIT] = "commit",     [SIMT_WAIT] = "wait",
    [SIMT_BASIS] = "basis",     [SIMT_DIGIT] = "digit",
};

bool simt_parse_fault(const char *cpu, enum simt_fault *fault, uint32_t *number)
{
    const char *text = strchr(cpu, ',');
    *fault = SIMT_FAULT_NONE;
    *number = 0;
    if (!text)
        return true;
    const char *equals = strchr(++text, '=');
    for (enum simt_fault f = SIMT_BARRIER; equals && f <= SIMT_DIGIT; f++)
        if (strlen(faults[f]) == (size_t)(equals - text) &&
            strncmp(faults[f], text, (size_t)(equals - text)) == 0) {
            char *end;
            *fault = f;
            *number = (uint32_t)strtoul(equals + 1, &end, 10);
            return !*end && end > equals + 1;
        }
    return false;
}

static bool open_simt(const struct target *t, struct session *s, const char *name,
                      struct target_machine *out)
{
    if (strcmp(name, "native") == 0)
        name = NATIVE;
    const char *gpu = intern(s, name, strcspn(name, ","));
    enum simt_fault fault;
    uint32_t number;
    if (!simt_parse_fault(name, &fault, &number) || !target_gpu_facts(gpu, &out->facts))
        return diag_error(s, (struct span){0}, DIAG_TARGET, "there is no processor simt:%s", name);
    if (!target_open_native(s, /* quickly */ true, out))
        return false;
    out->target = t;
    out->cpu = intern_text(s, name);
    return true;
}

const struct target target_simt = {
    .name = "simt",
    .summary = "an emulator of GPUs that finds races, divergence and wrong addresses",
    .open = open_simt,
    .lanes = &simt_hooks,
    .early_passes = "coro-early",
    .late_passes = "cgscc(coro-split),coro-cleanup,function(sccp,simplifycfg)",
};
