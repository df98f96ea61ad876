/* ldsl compile: the compiler by itself, stopping at any stage. Needs no device. */
#include "command.h"

#include <stdlib.h>
#include <string.h>

enum { max_stages = 128 };

struct options {
    const char *input, *output;
    const char *emit, *target, *kernel, *passes, *stop_after, *from, *dump_pass;
    char *with;
    bool list_passes, dump, remarks, time, check, line_info;
};

enum {
    OPTION_EMIT = 1,
    OPTION_TARGET,
    OPTION_FROM,
    OPTION_PASSES,
    OPTION_LIST_PASSES,
    OPTION_STOP_AFTER,
    OPTION_DUMP,
    OPTION_REMARKS,
    OPTION_TIME,
    OPTION_CHECK,
};

/* clang-format off */
static const struct argp_option options[] = {
    {"kernel", 'k', "NAME", 0, "The kernel to compile; needed if the file has several", 1},
    {"with", 'w', "NAME=VALUE,...", 0,
     "Bind types, const parameters, tuning values: T=bf16,BR=4, or for one kernel rows.BR=4; the rest "
     "take their defaults, as for the dims given: D=4096", 1},
    {"target", OPTION_TARGET, "TARGET", 0,
     "What to compile for: cpu:native (the default), cpu:x86-64-v3, nvptx:sm_90a, ...", 1},
    {"output", 'o', "OUT", 0, "Write the result to OUT instead of standard output", 1},
    {"check", OPTION_CHECK, 0, 0,
     "Instrument the kernel: bounds, unwritten reads, double writes", 1},
    {"line-info", 'g', 0, 0, "Keep source lines for debuggers and profilers", 1},
    {"emit", OPTION_EMIT, "STAGE", 0,
     "What to print: check, ast, ir, plan, layout, svg, llvm, asm, ptx, image or module", 2},
    {"from", OPTION_FROM, "FORM", 0, "What the file holds: ldsl (the default) or ir", 2},
    {"passes", OPTION_PASSES, "A,B,...", 0, "Run these passes instead of the pipeline", 2},
    {"stop-after", OPTION_STOP_AFTER, "PASS", 0,
     "With --emit=ir: stop after PASS; 'elaborate' is before the first", 2},
    {"dump", OPTION_DUMP, "PASS", OPTION_ARG_OPTIONAL,
     "Print the IR after each pass, or after PASS, to standard error", 2},
    {"list-passes", OPTION_LIST_PASSES, 0, 0, "List the passes in the order they run", 2},
    {"remarks", OPTION_REMARKS, 0, 0, "Say what the compiler did and could not do", 2},
    {"time", OPTION_TIME, 0, 0, "Print where the time went", 2},
    {0},
};
/* clang-format on */

/* --with may be given several times. */
static void add_bindings(struct options *o, const char *text, struct argp_state *state)
{
    size_t used = o->with ? strlen(o->with) : 0, size = used + strlen(text) + 2;
    char *joined = realloc(o->with, size);
    if (!joined)
        argp_failure(state, EXIT_DEVICE, 0, "out of memory");
    else
        snprintf(joined + used, size - used, "%s%s", used ? "," : "", text);
    o->with = joined;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    switch (key) {
    case 'k': o->kernel = arg; return 0;
    case 'w': add_bindings(o, arg, state); return 0;
    case 'o': o->output = arg; return 0;
    case 'g': o->line_info = true; return 0;
    case OPTION_TARGET: o->target = arg; return 0;
    case OPTION_CHECK: o->check = true; return 0;
    case OPTION_EMIT: o->emit = arg; return 0;
    case OPTION_FROM: o->from = arg; return 0;
    case OPTION_PASSES: o->passes = arg; return 0;
    case OPTION_STOP_AFTER: o->stop_after = arg; return 0;
    case OPTION_DUMP:
        o->dump = true;
        o->dump_pass = arg;
        return 0;
    case OPTION_LIST_PASSES: o->list_passes = true; return 0;
    case OPTION_REMARKS: o->remarks = true; return 0;
    case OPTION_TIME: o->time = true; return 0;
    case ARGP_KEY_ARG:
        if (o->input)
            return ARGP_ERR_UNKNOWN;
        o->input = arg;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* ---- stages ------------------------------------------------------------------------------- */

static const struct stage {
    const char *name;
    enum ldsl_emit emit;
    bool binary;
} stages[] = {
  /* clang-format off */
    {"check",  LDSL_EMIT_CHECK,   false},
    {"ast",    LDSL_EMIT_AST,     false},
    {"ir",     LDSL_EMIT_IR,      false},
    {"plan",   LDSL_EMIT_PLAN,    false},
    {"layout", LDSL_EMIT_LAYOUT,  false},
    {"svg",    LDSL_EMIT_DRAWING, false},
    {"llvm",   LDSL_EMIT_LLVM,    false},
    {"asm",    LDSL_EMIT_ASM,     false},
    {"ptx",    LDSL_EMIT_ASM,     false},
    {"image",  LDSL_EMIT_IMAGE,   true},
    {"module", LDSL_EMIT_MODULE,  true},
  /* clang-format on */
};

enum { stage_count = sizeof stages / sizeof *stages };

static const struct stage *find_stage(const char *name)
{
    for (int i = 0; i < stage_count; i++)
        if (strcmp(stages[i].name, name) == 0)
            return &stages[i];
    return NULL;
}

/* What is said of one variant only; NULL: nothing. */
static const char *variant_option(const struct options *o)
{
    return o->with         ? "--with"
           : o->target     ? "--target"
           : o->dump       ? "--dump"
           : o->remarks    ? "--remarks"
           : o->check      ? "--check"
           : o->line_info  ? "--line-info"
           : o->passes     ? "--passes"
           : o->stop_after ? "--stop-after"
                           : NULL;
}

static bool is_of_file(const struct stage *stage)
{
    return stage->emit == LDSL_EMIT_CHECK || stage->emit == LDSL_EMIT_AST ||
           stage->emit == LDSL_EMIT_PLAN || stage->emit == LDSL_EMIT_MODULE;
}

static int choose_stage(struct cli *cli, const struct options *o, const struct stage **stage)
{
    const char *name = o->emit                                       ? o->emit
                       : o->stop_after || o->passes || o->from       ? "ir"
                       : o->kernel || o->output || variant_option(o) ? "image"
                                                                     : "check";
    *stage = find_stage(name);
    if (!*stage) {
        const char *names[stage_count + 1] = {0};
        for (int i = 0; i < stage_count; i++)
            names[i] = stages[i].name;
        const char *nearest = nearest_word(name, names);
        if (nearest)
            return cli_usage(cli, "unknown stage '%s'; did you mean '%s'?", name, nearest);
        return cli_usage(cli, "unknown stage '%s'", name);
    }
    if (is_of_file(*stage) && variant_option(o))
        return cli_usage(cli, "--emit=%s is of the whole file; %s is for one variant", name,
                         variant_option(o));
    if (o->stop_after && (*stage)->emit != LDSL_EMIT_IR)
        return cli_usage(cli, "--stop-after is for --emit=ir, not --emit=%s", name);
    if (strcmp(name, "ptx") == 0 && (!o->target || strncmp(o->target, "nvptx", 5) != 0))
        return cli_usage(cli, "--emit=ptx needs a --target such as nvptx:sm_90a");
    if ((*stage)->emit == LDSL_EMIT_IMAGE && o->output && strcmp(o->output, "-") == 0)
        return cli_usage(cli, "an image does not go to standard output; name a file");
    if (o->from && strcmp(o->from, "ir") != 0 && strcmp(o->from, "ldsl") != 0)
        return cli_usage(cli, "--from is ldsl or ir, not '%s'", o->from);
    return EXIT_DONE;
}

/* ---- the source: a file, or the file of a built-in operator ------------------------------- */

struct text {
    char path[4096];
    char *text; /* malloc'ed */
    size_t length;
    char kernel[128]; /* "": not known */
};

struct kernels {
    char first[128];
    char names[512];
    unsigned count;
};

static void note_kernel(void *user, const char *kernel, const char *variant)
{
    struct kernels *k = user;
    (void)variant;
    const char *seen = k->count ? strstr(k->names, kernel) : NULL;
    size_t length = strlen(kernel);
    for (; seen; seen = strstr(seen + 1, kernel))
        if ((seen == k->names || seen[-1] == ' ') && (seen[length] == ',' || !seen[length]))
            return;
    size_t used = strlen(k->names);
    snprintf(k->names + used, sizeof k->names - used, "%s%s", used ? ", " : "", kernel);
    if (!k->count++)
        snprintf(k->first, sizeof k->first, "%s", kernel);
}

/* The embedded file that declares an operator. Its text is enough to tell: the library is formatted,
 * so every declaration starts a line. Loading all of it would cost more than the compile. */
static bool find_declaration(struct text *out, const char *op)
{
    const char *path;
    size_t length = strlen(op);
    for (uint32_t i = 0; (path = ldsl_builtin_path(i)); i++) {
        const char *text = ldsl_builtin_text(i, &out->length);
        for (const char *at = text; (at = strstr(at, "\nop ")); at++)
            if (strncmp(at + 4, op, length) == 0 &&
                (at[4 + length] == '<' || at[4 + length] == '(')) {
                snprintf(out->path, sizeof out->path, LDSL_BUILTIN_ROOT "%s", path);
                out->text = strdup(text);
                return out->text != NULL;
            }
    }
    return false;
}

/* Reports an operator that no embedded file declares. */
static int unknown_operator(struct cli *cli, const char *op)
{
    struct operators operators;
    ldsl_op_info info;
    int status = open_library(cli, NULL, &operators);
    if (status == EXIT_DONE)
        status = find_operator(cli, operators.library, op, &info);
    close_operators(&operators);
    return status == EXIT_DONE ? cli_error(cli, "the source of '%s' is not in this build", op)
                               : status;
}

/* The one kernel that the operator launches. */
static int find_kernel(struct cli *cli, const char *op, struct text *text)
{
    struct operators operators = {0};
    struct kernels kernels = {.count = 0};
    ldsl_context_options context_options = {.sink = cli->sink};
    unsigned before = cli->errors;
    enum ldsl_status status = ldsl_context_create(&operators.context, "cpu", &context_options);
    if (status == LDSL_OK)
        status = ldsl_library_load_text(&operators.library, operators.context, text->path,
                                        text->text, text->length);
    if (status == LDSL_OK)
        status = ldsl_op_variants(operators.library, op, note_kernel, &kernels);
    close_operators(&operators);
    if (status != LDSL_OK)
        return cli_failed(cli, status, before, op);
    if (kernels.count != 1)
        return cli_usage(cli, "'%s' launches %u kernels; choose one by --kernel: %s", op,
                         kernels.count, kernels.names);
    snprintf(text->kernel, sizeof text->kernel, "%s", kernels.first);
    return EXIT_DONE;
}

static int open_builtin(struct cli *cli, const struct options *o, bool needs_kernel,
                        struct text *out)
{
    if (!find_declaration(out, o->input))
        return unknown_operator(cli, o->input);
    return needs_kernel && !o->kernel ? find_kernel(cli, o->input, out) : EXIT_DONE;
}

static bool names_file(const char *name)
{
    return strpbrk(name, "./") || strcmp(name, "-") == 0;
}

static int open_source(struct cli *cli, const struct options *o, const struct stage *stage,
                       struct text *out)
{
    *out = (struct text){0};
    if (!names_file(o->input))
        return open_builtin(cli, o, !is_of_file(stage), out);
    snprintf(out->path, sizeof out->path, "%s", strcmp(o->input, "-") == 0 ? "<stdin>" : o->input);
    out->text = read_file(cli, o->input, &out->length);
    return out->text ? EXIT_DONE : EXIT_WRONG;
}

/* ---- watching ----------------------------------------------------------------------------- */

struct watcher {
    const struct options *options;
    struct {
        char name[48];
        double seconds;
    } stages[max_stages];
    unsigned count;
};

static void dump_pass(void *user, const char *pass, const char *text)
{
    const struct watcher *w = user;
    if (!w->options->dump_pass || strcmp(w->options->dump_pass, pass) == 0)
        fprintf(stderr, "// after %s\n%s\n", pass, text);
}

static void note_time(void *user, const char *stage, double seconds)
{
    struct watcher *w = user;
    for (unsigned i = 0; i < w->count; i++)
        if (strcmp(w->stages[i].name, stage) == 0) {
            w->stages[i].seconds += seconds;
            return;
        }
    if (w->count == max_stages)
        return;
    snprintf(w->stages[w->count].name, sizeof w->stages[0].name, "%s", stage);
    w->stages[w->count++].seconds = seconds;
}

static void print_times(const struct watcher *w)
{
    double total = 0;
    for (unsigned i = 0; i < w->count; i++)
        total += w->stages[i].seconds;
    for (unsigned i = 0; i < w->count; i++)
        fprintf(stderr, "%-24s %9.3f ms %5.1f %%\n", w->stages[i].name, 1e3 * w->stages[i].seconds,
                total > 0 ? 100 * w->stages[i].seconds / total : 0.0);
    fprintf(stderr, "%-24s %9.3f ms\n", "total", 1e3 * total);
}

/* ---- the result --------------------------------------------------------------------------- */

static void describe_kernel(const ldsl_artifact *artifact)
{
    struct ldsl_kernel_info info;
    size_t bytes;
    if (!ldsl_artifact_kernel(artifact, &info))
        return;
    ldsl_artifact_data(artifact, &bytes);
    printf("%s for %s: %zu bytes of code, %u argument slots", info.name, info.target, bytes,
           info.slot_count);
    if (info.scratch_bytes)
        printf(", %llu bytes of tile memory a thread", (unsigned long long)info.scratch_bytes);
    if (info.block_threads > 1)
        printf(", %u threads", info.block_threads);
    if (info.cluster > 1)
        printf(" in each of %u blocks", info.cluster);
    if (info.shared_bytes)
        printf(", %u bytes of shared memory", info.shared_bytes);
    printf("%s%s\n", *info.variant ? "\n  " : "", info.variant);
}

static int write_result(struct cli *cli, const struct options *o, const struct stage *stage,
                        const ldsl_artifact *artifact)
{
    size_t bytes = 0;
    if (stage->emit == LDSL_EMIT_CHECK)
        return EXIT_DONE;
    if (stage->binary && !o->output) {
        describe_kernel(artifact);
        return EXIT_DONE;
    }
    const void *data = stage->binary ? ldsl_artifact_bytes(artifact, &bytes)
                                     : ldsl_artifact_data(artifact, &bytes);
    return write_file(cli, o->output ? o->output : "-", data, bytes) ? EXIT_DONE : EXIT_DEVICE;
}

static bool ends_in(const char *name, const char *end)
{
    size_t length = name ? strlen(name) : 0, end_length = strlen(end);
    return length >= end_length && strcmp(name + length - end_length, end) == 0;
}

static int compile(struct cli *cli, const struct options *o, const struct stage *stage,
                   const struct text *text)
{
    bool layout = stage->emit == LDSL_EMIT_LAYOUT;
    bool of_gpu = layout || stage->emit == LDSL_EMIT_DRAWING;
    const char *default_target = of_gpu ? "nvptx:sm_90a" : "cpu:native";
    struct watcher watcher = {.options = o};
    struct ldsl_source source = {.path = text->path, .text = text->text, .length = text->length};
    ldsl_options compile_options = {
        .emit = layout && ends_in(o->output, ".svg") ? LDSL_EMIT_DRAWING : stage->emit,
        .target = o->target ? o->target : default_target,
        .kernel = o->kernel         ? o->kernel
                  : text->kernel[0] ? text->kernel
                                    : NULL,
        .bindings = o->with,
        .passes = o->passes,
        .stop_after = o->stop_after,
        .from_ir = o->from && strcmp(o->from, "ir") == 0,
        .check = o->check,
        .line_info = o->line_info,
        .remarks = o->remarks,
        .dump = o->dump ? dump_pass : NULL,
        .time = o->time ? note_time : NULL,
        .user = &watcher,
    };
    ldsl_artifact *artifact = NULL;
    unsigned before = cli->errors;
    enum ldsl_status status = ldsl_compile(&artifact, &source, &compile_options, &cli->sink);
    if (o->time)
        print_times(&watcher);
    int result = cli_failed(cli, status, before, o->input);
    if (result == EXIT_DONE && artifact)
        result = write_result(cli, o, stage, artifact);
    ldsl_artifact_free(artifact);
    return result;
}

static int run_with(struct cli *cli, const struct options *o)
{
    if (o->list_passes) {
        for (unsigned i = 0; ldsl_pass_name(i); i++)
            printf("%-16s %s\n", ldsl_pass_name(i), ldsl_pass_summary(i));
        return EXIT_DONE;
    }
    if (!o->input)
        return cli_usage(cli, "which file or operator?");
    const struct stage *stage;
    struct text text;
    int status = choose_stage(cli, o, &stage);
    if (status != EXIT_DONE)
        return status;
    status = open_source(cli, o, stage, &text);
    if (status == EXIT_DONE)
        status = compile(cli, o, stage, &text);
    free(text.text);
    return status;
}

static int run(struct cli *cli, void *input)
{
    struct options *o = input;
    int status = run_with(cli, o);
    free(o->with);
    return status;
}

const struct command command_compile = {
    .name = "compile",
    .summary = "compile a file or an operator; print any stage of it",
    .args = "FILE_OR_OP",
    .doc =
        "Without options, checks the whole file: every kernel in every variant. With a kernel, or "
        "anything that is said of one variant (--with, --target, --remarks, ...), compiles "
        "that.\n\n"
        "A FILE has a dot or a slash in its name, or is - for standard input; anything else is an "
        "operator of the built-in library.",
    .example =
        "# check a file\n"
        "ldsl compile my.ldsl\n"
        "# the assembly of one variant\n"
        "ldsl compile rms_norm --kernel rms_norm_rows --with T=bf16,BR=4 --emit asm\n"
        "# the code that a GPU runs for rows of 4096\n"
        "ldsl compile rms_norm --kernel rms_norm_rows --with T=bf16,D=4096 --target nvptx:sm_90a\n"
        "# one pass on tile IR\n"
        "ldsl compile --from=ir --passes=canon f.tir\n"
        "# how a GPU holds its tiles: in words, and as a drawing\n"
        "ldsl compile rms_norm --kernel rms_norm_rows --emit layout\n"
        "ldsl compile rms_norm --kernel rms_norm_rows --emit svg -o rms_norm.svg\n"
        "# where the time goes\n"
        "ldsl compile rms_norm --kernel rms_norm_rows --time -o rms_norm.ldsla\n",
    .options = options,
    .parse = parse,
    .options_bytes = sizeof(struct options),
    .run = run,
    .takes_ops = true,
};
