/* Plans: an operator for given shapes and types, as a flat list of steps.
 *
 *     arguments.c   what the user gave, by name         workspace.c   where scratch tensors lie
 *     expand.c      operator bodies to steps            plan.c        prepare, and questions
 *     launch.c      runs the steps
 *
 * After it is prepared a plan never changes: launches on any threads share it. */
#ifndef RUNTIME_PLAN_H
#define RUNTIME_PLAN_H

#include "tuned.h"

/* Where a tensor's bytes are. Sources below RT_SCRATCH are the plan's tensors. */
#define RT_SCRATCH   0x80000000u /* + number of the scratch tensor; only while a plan is made */
#define RT_WORKSPACE 0xffffffffu

struct rt_address {
    uint32_t source;
    uint64_t offset; /* bytes */
};

enum rt_step_kind { RT_STEP_KERNEL, RT_STEP_ZERO, RT_STEP_COPY };

struct rt_step {
    enum rt_step_kind kind;
    /* KERNEL */
    const struct rt_kernel *kernel;
    const char *name; /* in the module image */
    char *variant;
    struct rt_tuned *tuned;
    uint32_t slots, slot_count;    /* into the plan's slots */
    uint32_t patches, patch_count; /* into the plan's patches */
    uint64_t programs;
    bool alone; /* not while the step before runs: the variant counts on another one */
    /* ZERO, COPY */
    struct rt_address to, from;
    uint64_t bytes;
};

/* A slot that gets an address at launch; the others are filled in advance. */
struct rt_patch {
    uint32_t slot;
    struct rt_address at;
};

/* A scratch tensor: alive from its first to its last step. */
struct rt_scratch {
    const char *name;
    uint64_t bytes;
    uint32_t first, last; /* steps; first > last: never used */
    bool written;
    uint64_t offset;
};

/* Lays scratch tensors out so that those alive together, or in steps next to each other, do not share
 * bytes: the largest first, each
 * at the lowest offset that is free all its life. Offsets are multiples of 256. */
enum ldsl_status rt_workspace_place(struct rt_scratch *scratches, uint32_t count, uint64_t *bytes,
                                    const struct ldsl_sink *sink);

struct rt_plan_tensor {
    ldsl_tensor_info info;
    struct rt_tensor tensor;
    bool written; /* by a step so far */
};

/* Launches copy a step's slots to the stack. */
#define RT_MAX_SLOTS 512

#define RT_LIST(type)                                                                              \
    struct {                                                                                       \
        type *data;                                                                                \
        uint32_t count, capacity;                                                                  \
    }

struct ldsl_plan {
    struct ldsl_library *lib;
    const char *op;
    RT_LIST(struct rt_plan_tensor) tensors;
    RT_LIST(struct rt_step) steps;
    RT_LIST(uint64_t) slots;
    RT_LIST(struct rt_patch) patches;
    RT_LIST(struct rt_scratch) scratches;
    uint64_t workspace_bytes;
};

/* Room for `more` entries behind the list's last; false: out of memory. */
#define rt_reserve(list, more)                                                                     \
    rt_grow(&(list)->data, sizeof *(list)->data, (list)->count, (more), &(list)->capacity)
/* data: the address of a pointer to the entries. */
bool rt_grow(void *data, size_t size, uint32_t count, uint32_t more, uint32_t *capacity);

/* ldsl_plan_prepare without tuning. */
enum ldsl_status rt_prepare(ldsl_plan **out, struct ldsl_library *lib, const char *op,
                            const ldsl_argument *arguments, uint32_t count, const char *with);

/* Whether a kernel of the plan has choices and nobody made them: neither a record nor the user. */
bool rt_wants_tuning(const ldsl_plan *plan);
/* Measures those kernels with the plan's shapes and keeps records; without success it keeps none. */
void rt_tune_first_use(struct ldsl_library *lib, const ldsl_plan *plan,
                       const ldsl_argument *arguments, uint32_t count);

/* Puts the user's arguments into the call of an operator. */
enum ldsl_status rt_take_arguments(struct rt_call *call, const ldsl_argument *arguments,
                                   uint32_t count);

/* Appends the steps of an operator whose call is bound and whose tensors' sources are set. */
enum ldsl_status rt_expand(struct ldsl_plan *plan, uint32_t file, const struct ldsl_module_op *op,
                           struct rt_call *call, struct rt_settings *asked);

#endif
