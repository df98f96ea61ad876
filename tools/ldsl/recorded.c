#include "recorded.h"

#include "qualify.h"

#include <ldsl/tune.h>
#include <stdlib.h>
#include <string.h>

void recorded_open(struct recorded *out, struct cli *cli, const struct device_options *options,
                   const char *records)
{
    struct device_options device = *options;
    device.records = records;
    device.new_records = true;
    device.tune = false;
    if (open_operators(cli, &device, &out->ops))
        recorded_close(out);
}

void recorded_close(struct recorded *r)
{
    close_operators(&r->ops);
}

static bool is_first(const ldsl_plan *plan, uint32_t i)
{
    const char *kernel = ldsl_plan_launch_kernel(plan, i);
    for (uint32_t k = 0; k < i; k++)
        if (strcmp(ldsl_plan_launch_kernel(plan, k), kernel) == 0)
            return false;
    return true;
}

/* One setting for each kernel: of several launches the first one's. */
static char *settings_of(const ldsl_plan *plan)
{
    char *with = strdup("");
    ldsl_record record;
    for (uint32_t i = 0; with && ldsl_plan_record(plan, i, &record); i++)
        if (is_first(plan, i)) {
            char *longer = qualify(with, record.kernel, record.settings);
            free(with);
            with = longer;
        }
    return with;
}

char *recorded_settings(const struct recorded *r, const struct trial *t, const ldsl_plan *plan)
{
    ldsl_plan *known;
    char *with = NULL;
    if (!r->ops.library || trial_prepare(&known, t, r->ops.library))
        return NULL;
    if (ldsl_plan_code(known) != ldsl_plan_code(plan))
        with = settings_of(known);
    ldsl_plan_destroy(known);
    return with;
}
