/* ldsl_compile: the stages in order.
 *
 *   source -> sema (parse, resolve, elaborate one variant) -> passes -> codegen -> artifact
 *
 * User errors are reported and end the stage; running out of memory and our own bugs unwind to the
 * one setjmp here. Either way the session goes, and with it everything the compile made. */
#include "artifact.h"
#include "codegen/codegen.h"
#include "pass/pass.h"
#include "sema/sema.h"
#include "target/target.h"

#include <builtin.h>
#include <ldsl/compile.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <llvm-c/Core.h>
#include <llvm/Config/llvm-config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

/* One call of the public interface. What it makes (artifact, text, key) is malloc'ed or a value. */
struct compile {
    struct session s;
    const ldsl_source *source;
    const ldsl_options *options;
    enum ldsl_status (*run)(struct compile *c);
    struct target_machine machine;
    uint32_t file;       /* the source's number in the session */
    const char *variant; /* the bindings of what is compiled; NULL: of tile IR */
    double since;        /* when the stage began */
    ldsl_artifact *artifact;
    char *text;
    char *key;
};

/* ---- stages and their time -------------------------------------------------------------------- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void end_stage(struct compile *c, const char *stage)
{
    double at = now();
    if (c->options->time)
        c->options->time(c->options->user, stage, at - c->since);
    c->since = now();
}

/* ---- imports ---------------------------------------------------------------------------------- */

static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* The whole file in the arena, or NULL if it cannot be read. Nothing may unwind while it is open. */
static const char *read_text(struct session *s, const char *path, size_t *length)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return NULL;
    size_t size = (size_t)info.st_size;
    char *text = arena_alloc_array(&s->module, size + 1, 1);
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    *length = fread(text, 1, size, file);
    bool fine = !ferror(file);
    fclose(file);
    return fine ? text : NULL;
}

static bool load_builtin(struct session *s, const char *path, const char **found, const char **text,
                         size_t *length)
{
    const struct builtin_file *file = builtin_find(path);
    if (!file)
        return false;
    *found = arena_printf(&s->module, "%s%s", BUILTIN_ROOT, file->path);
    *text = file->text;
    *length = file->length;
    return true;
}

/* Next to the importing file, then in the embedded library. Built-in files see only each other. */
static bool load_import(void *user, struct session *s, const char *from, const char *name,
                        const char **path, const char **text, size_t *length)
{
    bool from_builtin = strncmp(from, BUILTIN_ROOT, sizeof BUILTIN_ROOT - 1) == 0;
    const char *near =
        name[0] == '/' ? name
                       : arena_printf(&s->module, "%.*s%s", (int)folder_length(from), from, name);
    (void)user;
    if (from_builtin)
        return load_builtin(s, near, path, text, length) ||
               load_builtin(s, name, path, text, length);
    *path = near;
    *text = read_text(s, near, length);
    return *text || load_builtin(s, name, path, text, length);
}

static const struct sema_loader loader = {load_import, NULL};

/* ---- front end -------------------------------------------------------------------------------- */

static struct sema_module *load_module(struct compile *c)
{
    struct sema_module *m = sema_load(&c->s, c->file, &loader);
    end_stage(c, "parse");
    return c->s.errors ? NULL : m;
}

static const char *choose_kernel(struct compile *c, const struct sema_module *m)
{
    uint32_t count = sema_kernel_count(m);
    if (c->options->kernel)
        return c->options->kernel;
    if (count == 1)
        return sema_kernel_name(m, 0);
    diag_error(&c->s, (struct span){0}, DIAG_KERNEL_CHOICE, "%s has %s; name the one to compile",
               c->source->path, count ? "several kernels" : "no kernel");
    for (uint32_t i = 0; i < count; i++)
        diag_note(&c->s, (struct span){0}, "kernel %s", sema_kernel_name(m, i));
    return NULL;
}

static void expect_dims(struct ir_func *f, const struct bindings *dims)
{
    for (uint32_t i = 0; i < f->params.count; i++)
        for (uint32_t d = dims->count; d > 0; d--) /* the first of a name counts */
            if (strcmp(f->params.data[i].name, dims->list[d - 1].name) == 0)
                f->params.data[i].expected = dims->list[d - 1].value;
}

static struct ir_func *elaborate(struct compile *c)
{
    struct bindings bindings, dims;
    struct sema_module *m = load_module(c);
    const char *kernel = m ? choose_kernel(c, m) : NULL;
    const char *text = c->options->bindings ? c->options->bindings : "";
    const struct facts *facts = &c->machine.facts;
    struct sema_device device = {facts->cc, facts->shared_bytes, facts->lanes, facts->lanes > 1};
    if (!kernel ||
        !sema_parse_bindings(m, kernel, text, c->options->whole ? NULL : &device, &bindings, &dims))
        return NULL;
    c->variant = c->options->whole ? text : sema_print_bindings(m, kernel, &bindings);
    struct ir_func *f = sema_elaborate(m, kernel, &bindings);
    if (f)
        expect_dims(f, &dims);
    end_stage(c, "elaborate");
    return f;
}

static struct ir_func *read_ir(struct compile *c)
{
    struct ir_func *f = ir_read(&c->s, c->file);
    end_stage(c, "read");
    return f;
}

/* The tile IR before any pass; NULL after reporting. */
static struct ir_func *front(struct compile *c)
{
    return c->options->from_ir ? read_ir(c) : elaborate(c);
}

/* ---- passes ----------------------------------------------------------------------------------- */

static void dump_ir(void *user, const char *pass, bool changed, const struct ir_func *f)
{
    struct compile *c = user;
    const char *text = !pass || changed ? ir_print(&c->s, f) : "(unchanged)\n";
    c->options->dump(c->options->user, pass ? pass : "elaborate", text);
}

static void time_pass(void *user, const char *pass, double seconds)
{
    struct compile *c = user;
    c->options->time(c->options->user, pass, seconds);
}

static bool run_passes(struct compile *c, struct ir_func *f)
{
    struct pass_options options = {
        .facts = &c->machine.facts,
        .passes = c->options->passes,
        .stop_after = c->options->emit == LDSL_EMIT_IR ? c->options->stop_after : NULL,
        .dump = c->options->dump ? dump_ir : NULL,
        .time = c->options->time ? time_pass : NULL,
        .user = c,
    };
    bool before_passes = options.stop_after && strcmp(options.stop_after, "elaborate") == 0;
    bool fine = before_passes || pass_run(&c->s, f, &options);
    c->since = now();
    return fine;
}

/* ---- artifacts -------------------------------------------------------------------------------- */

static enum ldsl_status keep(struct compile *c, const struct artifact_parts *parts)
{
    c->artifact = artifact_create(parts);
    return c->artifact ? LDSL_OK : LDSL_NOMEM;
}

static enum ldsl_status keep_text(struct compile *c, const char *text)
{
    struct artifact_parts parts = {.kind = LDSL_ARTIFACT_TEXT, .data = text};
    if (!text)
        return LDSL_SOURCE;
    parts.data_bytes = strlen(text);
    return keep(c, &parts);
}

struct slot_list {
    VEC(struct artifact_slot) slots;
};

/* A tensor's pointer and strides; the innermost stride only if it is not 1. */
static void add_tensor_slots(struct arena *a, struct slot_list *list, const struct ir_tensor *t)
{
    uint32_t strides = t->rank && !t->strided ? t->rank - 1 : t->rank;
    vec_push(a, &list->slots, (struct artifact_slot){LDSL_SLOT_POINTER, t->elem, 0, t->name});
    for (uint32_t d = 0; d < strides; d++)
        vec_push(a, &list->slots, (struct artifact_slot){LDSL_SLOT_STRIDE, t->elem, d, t->name});
}

static uint32_t dtype_of(enum ir_elem elem)
{
    return elem == IR_INDEX ? (uint32_t)LDSL_I64 : (uint32_t)elem;
}

/* The kernel's argument block (include/ldsl/artifact.h). */
static struct slot_list list_slots(struct arena *a, const struct ir_func *f)
{
    struct slot_list list = {0};
    for (uint32_t i = 0; i < f->tensors.count; i++)
        add_tensor_slots(a, &list, &f->tensors.data[i]);
    for (uint32_t i = 0; i < f->params.count; i++) {
        const struct ir_param *p = &f->params.data[i];
        enum ldsl_slot_kind kind = p->kind == IR_PARAM_DIM ? LDSL_SLOT_DIM : LDSL_SLOT_SCALAR;
        vec_push(a, &list.slots,
                 (struct artifact_slot){kind, dtype_of(p->value->type.elem), 0, p->name});
    }
    return list;
}

static const char *target_text(struct compile *c)
{
    return arena_printf(&c->s.module, "%s:%s", c->machine.target->name, c->machine.cpu);
}

static enum ldsl_status keep_kernel(struct compile *c, const struct ir_func *f,
                                    const struct codegen_result *result)
{
    struct slot_list list = list_slots(&c->s.module, f);
    struct artifact_parts parts = {
        .kind = LDSL_ARTIFACT_KERNEL,
        .data = result->image,
        .data_bytes = result->image_bytes,
        .info = {.name = f->name,
                 .entry = result->entry,
                 .target = target_text(c),
                 .variant = c->variant ? c->variant : "",
                 .slot_count = list.slots.count,
                 .block_threads = result->threads,
                 .cluster = result->cluster,
                 .shared_bytes = result->shared_bytes,
                 .dependent = result->dependent,
                 .scratch_bytes = result->scratch_bytes,
                 .checked = c->options->check},
        .slots = list.slots.data,
    };
    return keep(c, &parts);
}

/* ---- what can be emitted ---------------------------------------------------------------------- */

static enum ldsl_status emit_ast(struct compile *c)
{
    struct ast_file *file = syntax_parse(&c->s, c->file);
    end_stage(c, "parse");
    return c->s.errors ? LDSL_SOURCE : keep_text(c, syntax_print(&c->s, file));
}

static enum ldsl_status emit_check(struct compile *c)
{
    if (c->options->from_ir)
        return read_ir(c) ? LDSL_OK : LDSL_SOURCE;
    struct sema_module *m = sema_load(&c->s, c->file, &loader);
    end_stage(c, "parse");
    bool fine = sema_check(m);
    end_stage(c, "check");
    return fine && !c->s.errors ? LDSL_OK : LDSL_SOURCE;
}

static enum ldsl_status emit_module(struct compile *c)
{
    struct artifact_parts parts = {.kind = LDSL_ARTIFACT_MODULE};
    struct sema_module *m = load_module(c);
    parts.data = m ? sema_module_image(m, &parts.data_bytes) : NULL;
    end_stage(c, "module");
    return parts.data && !c->s.errors ? keep(c, &parts) : LDSL_SOURCE;
}

static enum ldsl_status emit_plan(struct compile *c)
{
    size_t bytes;
    struct sema_module *m = load_module(c);
    const void *image = m ? sema_module_image(m, &bytes) : NULL;
    end_stage(c, "module");
    return image ? keep_text(c, sema_print_plan(&c->s, image)) : LDSL_SOURCE;
}

static enum ldsl_status emit_code(struct compile *c, const struct codegen_options *options)
{
    struct codegen_result result = {0};
    struct ir_func *f = front(c);
    if (!f)
        return LDSL_SOURCE;
    if (c->variant)
        diag_remark(&c->s, f->at, "%s with %s", f->name,
                    *c->variant ? c->variant : "nothing to choose");
    if (!run_passes(c, f))
        return LDSL_ARGUMENT;
    if (c->options->emit == LDSL_EMIT_IR)
        return keep_text(c, ir_print(&c->s, f));
    bool fine = codegen_run(&c->s, f, &c->machine, options, &result);
    end_stage(c, "codegen");
    if (!fine)
        return LDSL_UNSUPPORTED;
    return result.text ? keep_text(c, result.text) : keep_kernel(c, f, &result);
}

static bool open_target(struct compile *c)
{
    return target_open(&c->s, c->options->target ? c->options->target : "cpu:native", &c->machine);
}

static enum ldsl_status emit_kernel(struct compile *c)
{
    struct codegen_options options = {
        .check = c->options->check,
        .line_info = c->options->line_info,
        .round_bias = c->options->round_bias,
        .emit_llvm = c->options->emit == LDSL_EMIT_LLVM,
        .emit_asm = c->options->emit == LDSL_EMIT_ASM,
        .emit_layout = c->options->emit == LDSL_EMIT_LAYOUT,
        .emit_drawing = c->options->emit == LDSL_EMIT_DRAWING,
    };
    if (!open_target(c))
        return LDSL_ARGUMENT;
    end_stage(c, "target");
    return emit_code(c, &options);
}

static enum ldsl_status run_compile(struct compile *c)
{
    switch (c->options->emit) {
    case LDSL_EMIT_AST: return emit_ast(c);
    case LDSL_EMIT_CHECK: return emit_check(c);
    case LDSL_EMIT_MODULE: return emit_module(c);
    case LDSL_EMIT_IMAGE:
    case LDSL_EMIT_IR:
    case LDSL_EMIT_LLVM:
    case LDSL_EMIT_LAYOUT:
    case LDSL_EMIT_DRAWING:
    case LDSL_EMIT_ASM: return emit_kernel(c);
    case LDSL_EMIT_PLAN: return emit_plan(c);
    }
    diag_error(&c->s, (struct span){0}, DIAG_NONE, "this cannot be emitted");
    return LDSL_UNSUPPORTED;
}

/* ---- keys ------------------------------------------------------------------------------------- */

/* With its end, so that ("ab", "c") and ("a", "bc") differ; NULL is none of the texts. */
static void add_text(XXH3_state_t *hash, const char *text)
{
    const unsigned char given = text != NULL;
    XXH3_128bits_update(hash, &given, 1);
    if (text)
        XXH3_128bits_update(hash, text, strlen(text) + 1);
}

static void add_flags(XXH3_state_t *hash, const ldsl_options *o)
{
    char flags[96];
    snprintf(flags, sizeof flags, "emit %d ir %d check %d lines %d bias %d", (int)o->emit,
             o->from_ir, o->check, o->line_info, o->round_bias);
    add_text(hash, flags);
    add_text(hash, o->passes);
    add_text(hash, o->emit == LDSL_EMIT_IR ? o->stop_after : NULL);
    add_text(hash, o->bindings); /* the artifact repeats it */
}

/* Everything read: line tables and check reports speak of places in it. */
static void add_sources(XXH3_state_t *hash, const struct session *s)
{
    for (uint32_t i = 0; i < s->sources.count; i++) {
        add_text(hash, s->sources.data[i]->path);
        add_text(hash, s->sources.data[i]->text);
    }
}

static enum ldsl_status add_content(struct compile *c, XXH3_state_t *hash)
{
    bool with_places = c->options->check || c->options->line_info;
    size_t bytes;
    if (c->options->emit == LDSL_EMIT_AST || c->options->emit == LDSL_EMIT_CHECK) {
        add_sources(hash, &c->s);
        return LDSL_OK;
    }
    if (c->options->emit == LDSL_EMIT_MODULE) {
        struct sema_module *m = load_module(c);
        const void *image = m ? sema_module_image(m, &bytes) : NULL;
        if (!image || c->s.errors)
            return LDSL_SOURCE;
        XXH3_128bits_update(hash, image, bytes);
        return LDSL_OK;
    }
    struct ir_func *f = front(c);
    if (!f)
        return LDSL_SOURCE;
    add_text(hash, ir_print(&c->s, f));
    if (with_places)
        add_sources(hash, &c->s);
    return LDSL_OK;
}

static enum ldsl_status run_key(struct compile *c)
{
    XXH3_state_t hash;
    XXH3_128bits_reset(&hash);
    if (!open_target(c))
        return LDSL_ARGUMENT;
    add_text(&hash, ldsl_compiler_version());
    add_text(&hash, target_text(c));
    add_text(&hash, c->machine.features);
    add_flags(&hash, c->options);
    enum ldsl_status status = add_content(c, &hash);
    XXH128_hash_t sum = XXH3_128bits_digest(&hash);
    snprintf(c->key, 33, "%016" PRIx64 "%016" PRIx64, (uint64_t)sum.high64, (uint64_t)sum.low64);
    return status;
}

/* ---- formatting ------------------------------------------------------------------------------- */

static enum ldsl_status run_format(struct compile *c)
{
    const char *text = syntax_format(&c->s, c->file);
    if (!text)
        return LDSL_SOURCE;
    size_t bytes = strlen(text) + 1;
    c->text = malloc(bytes);
    if (!c->text)
        return LDSL_NOMEM;
    memcpy(c->text, text, bytes);
    return LDSL_OK;
}

/* ---- the public functions --------------------------------------------------------------------- */

/* The only setjmp. The compile lives in the caller's frame, so the jump leaves it intact. */
static enum ldsl_status guard(struct compile *c)
{
    if (setjmp(c->s.unwind.env))
        return c->s.unwind.status;
    c->file = source_add(&c->s, c->source->path ? c->source->path : "<text>", c->source->text,
                         c->source->length);
    return c->run(c);
}

static void report_no_memory(const struct ldsl_sink *sink)
{
    static const struct ldsl_diag diag = {
        .severity = LDSL_ERROR, .place = {.length = 1}, .text = "out of memory"};
    if (sink && sink->report)
        sink->report(sink->user, &diag);
}

static enum ldsl_status run(struct compile *c, const struct ldsl_sink *sink)
{
    if (!c->source || !c->source->text || !c->options)
        return LDSL_ARGUMENT;
    session_init(&c->s, sink);
    c->s.remarks = c->options->remarks;
    c->since = now();
    enum ldsl_status status = guard(c);
    session_destroy(&c->s);
    target_close(&c->machine);
    if (status == LDSL_NOMEM)
        report_no_memory(sink);
    if (status != LDSL_OK) {
        ldsl_artifact_free(c->artifact);
        c->artifact = NULL;
    }
    return status;
}

enum ldsl_status ldsl_compile(ldsl_artifact **out, const ldsl_source *source,
                              const ldsl_options *options, const struct ldsl_sink *sink)
{
    struct compile c = {.source = source, .options = options, .run = run_compile};
    if (!out)
        return LDSL_ARGUMENT;
    enum ldsl_status status = run(&c, sink);
    *out = c.artifact;
    return status;
}

enum ldsl_status ldsl_compile_key(char key[33], const ldsl_source *source,
                                  const ldsl_options *options, const struct ldsl_sink *sink)
{
    struct compile c = {.source = source, .options = options, .run = run_key, .key = key};
    return key ? run(&c, sink) : LDSL_ARGUMENT;
}

enum ldsl_status ldsl_format(char **text, const ldsl_source *source, const struct ldsl_sink *sink)
{
    static const ldsl_options plain = LDSL_OPTIONS_INIT;
    struct compile c = {.source = source, .options = &plain, .run = run_format};
    if (!text)
        return LDSL_ARGUMENT;
    enum ldsl_status status = run(&c, sink);
    *text = c.text;
    return status;
}

const char *ldsl_compiler_version(void)
{
    return LDSL_VERSION " (LLVM " LLVM_VERSION_STRING ")";
}

const char *ldsl_pass_name(unsigned i)
{
    uint32_t count;
    const struct pass *passes = pass_table(&count);
    return i < count ? passes[i].name : NULL;
}

const char *ldsl_pass_summary(unsigned i)
{
    uint32_t count;
    const struct pass *passes = pass_table(&count);
    return i < count ? passes[i].summary : NULL;
}
