/* Sema: from syntax to checked kernels and operators. Doorway of compiler/sema.
 *
 * A kernel is checked by elaborating an *instance* of it: generics bound to types, const parameters,
 * `has` and tuning values bound to constants. One walk over the AST checks types, axes, ranges and
 * uniformity and builds tile IR as it goes, so what is checked is what is compiled. Because variants
 * are a closed set, checking a file means elaborating every kernel for every combination of types,
 * consts and presence (docs/decisions/0001). */
#ifndef SEMA_SEMA_H
#define SEMA_SEMA_H

#include "ir/ir.h"
#include "syntax/syntax.h"

/* Finds the text of an imported file. `from` is the importing file's path. Returns false if there
 * is no such file. *path (the resolved path, for messages and cycle detection) and *text are
 * allocated by the loader in the session's module arena. */
struct sema_loader {
    bool (*load)(void *user, struct session *s, const char *from, const char *name,
                 const char **path, const char **text, size_t *length);
    void *user;
};

struct sema_module; /* a file, its imports, and their resolved items */

/* Parses the source and everything it imports; resolves items, enums, structs, constants and
 * signatures. Reports errors; never NULL. Ask s->errors. */
struct sema_module *sema_load(struct session *s, uint32_t source, const struct sema_loader *loader);

/* Checks everything: kernels in all combinations, functions, ops. Of a file with syntax errors, the
 * items that do not depend on what could not be read. False if any error was reported. */
bool sema_check(struct sema_module *m);

/* One binding of a variant. Names: a generic (value: enum ldsl_dtype), a const parameter (its value;
 * an enum's position), "w?" (0 or 1: the optional tensor w is present), "specialize.0" (0 or 1: the
 * first specialize group holds), a meta name or a tune name or a schedule word (an integer). */
struct binding {
    const char *name;
    int64_t value;
};

struct bindings {
    const struct binding *list;
    uint32_t count;
};

/* The facts of a device that clauses ask for as dev.cc and so on; lanes == 0: none is known. */
struct sema_device {
    int64_t cc, smem, lanes;
    bool is_gpu;
};

/* Parses "T=bf16,W=f32,casting=llama,w?=1,specialize.0=1,BR=4" against the kernel's declarations.
 * A dim too may be given a number, "D=4096": not as part of the variant, but to choose what is left
 * out as a launch with such tensors would. Those are in *dims, which may be NULL.
 *
 * Values left out take: generics and consts: their first choice; "w?" 1; "specialize.N" 1 if the dims
 * given make its conditions true, alignment aside, else 0; tune and schedule values: what the first
 * default says that surely holds on the device; meta: its expression, where fit(run-time dim)
 * takes the smallest cover of 1024 unless bound. Without a device the text is a whole variant, and
 * no default adds anything. Reports what is wrong. */
bool sema_parse_bindings(struct sema_module *m, const char *kernel, const char *text,
                         const struct sema_device *device, struct bindings *out,
                         struct bindings *dims);

/* The text that gives these bindings again, in the module arena. */
const char *sema_print_bindings(struct sema_module *m, const char *kernel,
                                const struct bindings *bindings);

/* The tile IR of one kernel variant, all bound, verified; NULL after reporting errors. */
struct ir_func *sema_elaborate(struct sema_module *m, const char *kernel,
                               const struct bindings *bindings);

/* The op layer of the file in its compiled form (include/ldsl/module.h): operator and kernel
 * signatures, host expressions, op bodies. In the module arena; NULL after reporting errors. */
const void *sema_module_image(struct sema_module *m, size_t *bytes);

/* Such an image as text (--emit=plan), in the module arena. */
const char *sema_print_plan(struct session *s, const void *image);

/* Kernel names of the file itself (not imports), in order. */
uint32_t sema_kernel_count(const struct sema_module *m);
const char *sema_kernel_name(const struct sema_module *m, uint32_t i);

#endif
