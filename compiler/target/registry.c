/* The families of targets, and opening one by name. */
#include "target/registry.h"
#include "target/target.h"

#include <string.h>

static const struct target *const families[] = {&target_cpu, &target_simt, &target_nvptx};

const struct target *const *target_table(uint32_t *count)
{
    *count = sizeof families / sizeof families[0];
    return families;
}

static bool unknown_family(struct session *s, const char *name, size_t length)
{
    const char *names[sizeof families / sizeof families[0]];
    uint32_t count = sizeof families / sizeof families[0];
    for (uint32_t i = 0; i < count; i++)
        names[i] = families[i]->name;
    const char *family = arena_copy_text(&s->module, name, length);
    const char *near = nearest_name(family, names, count);
    diag_error(s, (struct span){0}, DIAG_TARGET, "this compiler has no target %s", family);
    if (near)
        return diag_help(s, "did you mean %s?", near);
    return diag_help(s, "targets are cpu, simt, and NVIDIA GPUs by processor, as in nvptx:sm_90a");
}

bool target_open(struct session *s, const char *name, struct target_machine *out)
{
    const char *colon = strchr(name, ':');
    size_t length = colon ? (size_t)(colon - name) : strlen(name);
    *out = (struct target_machine){0};
    for (uint32_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        const struct target *t = families[i];
        if (strlen(t->name) == length && strncmp(t->name, name, length) == 0)
            return t->open(t, s, colon ? colon + 1 : "native", out);
    }
    return unknown_family(s, name, length);
}

void target_close(struct target_machine *m)
{
    if (m->machine)
        LLVMDisposeTargetMachine(m->machine);
    m->machine = NULL;
}
