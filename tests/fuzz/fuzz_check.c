/* .ldsl text through the front end: what the checker accepts elaborates to IR that verifies, prints
 * and reads back; what it rejects is rejected with a reason. */
#include "sema/sema.h"

#include <builtin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Noreturn void broken(const char *what)
{
    fprintf(stderr, "%s\n", what);
    abort();
}

/* Of any family: the importing file's own is not known. */
static const struct builtin_file *find_by_name(const char *name)
{
    for (const struct builtin_file *f = builtin_files; f->path; f++) {
        const char *slash = strrchr(f->path, '/');
        if (slash && strcmp(slash + 1, name) == 0)
            return f;
    }
    return builtin_find(name);
}

/* Imports come from the library, so that its files are useful seeds. */
static bool import_builtin(void *user, struct session *s, const char *from, const char *name,
                           const char **path, const char **text, size_t *length)
{
    const struct builtin_file *file = find_by_name(name);
    (void)user, (void)s, (void)from;
    if (!file)
        return false;
    *path = file->path;
    *text = file->text;
    *length = file->length;
    return true;
}

static void check_ir(struct session *s, const struct ir_func *f)
{
    const char *why, *text = ir_print(s, f);
    if (!ir_verify(f, &why))
        broken(why);
    struct ir_func *again = ir_read(s, source_add(s, "printed.tir", text, strlen(text)));
    if (!again || strcmp(ir_print(s, again), text) != 0)
        broken("printed IR does not read back");
}

static void elaborate_defaults(struct session *s, struct sema_module *m)
{
    for (uint32_t i = 0; i < sema_kernel_count(m); i++) {
        struct bindings bindings;
        const char *kernel = sema_kernel_name(m, i);
        if (!sema_parse_bindings(m, kernel, "", &(struct sema_device){0}, &bindings, NULL))
            continue;
        struct ir_func *f = sema_elaborate(m, kernel, &bindings);
        if (f)
            check_ir(s, f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sema_loader loader = {import_builtin, NULL};
    struct session s;
    session_init(&s, NULL);
    if (setjmp(s.unwind.env))
        broken(s.unwind.status == LDSL_NOMEM ? "out of memory" : "internal error");
    struct sema_module *m =
        sema_load(&s, source_add(&s, "fuzz.ldsl", (const char *)data, size), &loader);
    bool fine = sema_check(m); /* with syntax errors too: the rest is checked */
    if (fine && !s.errors)
        elaborate_defaults(&s, m);
    else if (!s.errors)
        broken("rejected without a reason");
    session_destroy(&s);
    return 0;
}
