/* ldsl run: one operator on real tensors. */
#include "summary.h"
#include "value.h"
#include "words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct options {
    struct device_options device; /* first: see command.h */
    const char *op, *with;
    struct words values;  /* NAME=VALUE */
    struct words outputs; /* NAME=PATH */
    uint64_t seed;
};

/* clang-format off */
static const struct argp_option options[] = {
    {"output", 'o', "NAME=PATH", 0, "Write result NAME to PATH: .npy or .safetensors", 1},
    {"seed", 's', "N", 0, "Seed of the random fills; the same seed gives the same values", 1},
    {"with", 'w', "NAME=VALUE,...", 0, "Schedule values for the kernels: BR=4", 1},
    {0},
};
/* clang-format on */

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    char *end;
    switch (key) {
    case 'o':
        if (!strchr(arg, '='))
            argp_error(state, "-o takes NAME=PATH, not '%s'", arg);
        return words_add(&o->outputs, arg);
    case 's':
        errno = 0;
        o->seed = strtoull(arg, &end, 0);
        if (*end || end == arg || errno)
            argp_error(state, "--seed is a whole number, not '%s'", arg);
        return 0;
    case 'w': o->with = arg; return 0;
    case ARGP_KEY_ARG:
        if (o->op && !strchr(arg, '='))
            argp_error(state, "an argument is NAME=VALUE, not '%s'", arg);
        if (o->op)
            return words_add(&o->values, arg);
        o->op = arg;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* "NAME=VALUE": whether it sets this name; the value. */
static const char *value_of(const char *assignment, const char *name)
{
    size_t length = strlen(name);
    bool same = strncmp(assignment, name, length) == 0 && assignment[length] == '=';
    return same ? assignment + length + 1 : NULL;
}

/* ---- the job ------------------------------------------------------------------------------ */

/* What one parameter of the operator is given. */
struct input {
    ldsl_op_param param;
    const char *text; /* NULL: not given */
    struct tensor tensor;
};

/* A tensor of the plan on the device. */
struct slot {
    ldsl_tensor_info info;
    ldsl_buffer *buffer; /* NULL: the host tensor's own memory */
};

struct job {
    struct cli *cli;
    const struct options *options;
    struct operators operators;
    ldsl_op_info op;
    struct input *inputs; /* op.param_count */
    ldsl_argument *arguments;
    uint32_t argument_count;
    ldsl_plan *plan;
    struct slot *slots;
    uint64_t *pointers;
    uint32_t slot_count;
    ldsl_buffer *workspace;
    json_t *rows;
};

static void destroy_job(struct job *j)
{
    for (uint32_t i = 0; i < j->slot_count; i++)
        ldsl_buffer_destroy(j->slots[i].buffer);
    ldsl_buffer_destroy(j->workspace);
    ldsl_plan_destroy(j->plan);
    for (uint32_t i = 0; j->inputs && i < j->op.param_count; i++)
        tensor_destroy(&j->inputs[i].tensor);
    free(j->inputs);
    free(j->arguments);
    free(j->slots);
    free(j->pointers);
    json_decref(j->rows);
    close_operators(&j->operators);
}

static int failed(struct job *j, enum ldsl_status status, unsigned errors_before)
{
    return cli_failed(j->cli, status, errors_before, j->options->op);
}

static int out_of_memory(struct job *j)
{
    cli_error(j->cli, "out of memory");
    return EXIT_DEVICE;
}

/* ---- matching names ----------------------------------------------------------------------- */

static struct input *find_input(struct job *j, const char *assignment)
{
    for (uint32_t i = 0; i < j->op.param_count; i++)
        if (value_of(assignment, j->inputs[i].param.name))
            return &j->inputs[i];
    return NULL;
}

/* The generic that "T=bf16" binds, or NULL. */
static const char *find_generic(const struct job *j, const char *assignment)
{
    for (uint32_t g = 0; g < j->op.generic_count; g++) {
        enum ldsl_dtype dtypes[LDSL_DTYPE_COUNT];
        uint32_t count;
        const char *name = ldsl_op_generic(j->operators.library, j->op.name, g, dtypes, &count);
        if (name && value_of(assignment, name))
            return name;
    }
    return NULL;
}

static int unknown_name(struct job *j, const char *assignment, bool outputs_only)
{
    char name[64], help[512] = "";
    snprintf(name, sizeof name, "%.*s", (int)strcspn(assignment, "="), assignment);
    size_t used = (size_t)snprintf(help, sizeof help, "%s has", j->op.name);
    for (uint32_t i = 0; i < j->op.param_count && used < sizeof help; i++)
        if (!outputs_only || j->inputs[i].param.role != LDSL_PARAM_INPUT)
            used +=
                (size_t)snprintf(help + used, sizeof help - used, " %s", j->inputs[i].param.name);
    return cli_error_help(j->cli, help, "%s has no %s '%s'", j->op.name,
                          outputs_only ? "result" : "parameter", name);
}

static int match_values(struct job *j)
{
    for (unsigned v = 0; v < j->options->values.count; v++) {
        const char *assignment = j->options->values.data[v];
        struct input *input = find_input(j, assignment);
        if (!input && find_generic(j, assignment))
            continue;
        if (!input)
            return unknown_name(j, assignment, false);
        if (input->param.role == LDSL_PARAM_OUTPUT)
            return cli_error(j->cli, "%s is a result of %s: -o %s=FILE writes it",
                             input->param.name, j->op.name, input->param.name);
        if (input->text)
            return cli_error(j->cli, "%s is given twice", input->param.name);
        input->text = value_of(assignment, input->param.name);
    }
    for (unsigned i = 0; i < j->options->outputs.count; i++) {
        struct input *result = find_input(j, j->options->outputs.data[i]);
        if (!result || result->param.role == LDSL_PARAM_INPUT)
            return unknown_name(j, j->options->outputs.data[i], true);
    }
    return EXIT_DONE;
}

/* ---- element types ------------------------------------------------------------------------ */

static bool bound_dtype(const struct job *j, const char *generic, enum ldsl_dtype *dtype)
{
    for (unsigned v = 0; v < j->options->values.count; v++) {
        const char *text = value_of(j->options->values.data[v], generic);
        if (text && !find_input((struct job *)j, j->options->values.data[v]))
            return ldsl_dtype_parse(text, dtype);
    }
    for (uint32_t i = 0; i < j->op.param_count; i++) {
        const struct input *input = &j->inputs[i];
        if (!input->param.generic || strcmp(input->param.generic, generic) != 0 || !input->text)
            continue;
        if (value_named_dtype(input->text, dtype))
            return true;
        if (*input->text == '@' && (input->tensor.data || input->tensor.rank)) {
            *dtype = input->tensor.dtype;
            return true;
        }
    }
    return false;
}

/* What nothing names: f32 if the operator takes it, else i64, else the first it takes. */
static enum ldsl_dtype default_dtype(const struct job *j, const char *generic)
{
    for (uint32_t g = 0; g < j->op.generic_count; g++) {
        enum ldsl_dtype dtypes[LDSL_DTYPE_COUNT], best = LDSL_F32;
        uint32_t count = 0;
        const char *name = ldsl_op_generic(j->operators.library, j->op.name, g, dtypes, &count);
        if (!name || strcmp(name, generic) != 0 || !count)
            continue;
        best = dtypes[0];
        for (uint32_t i = 0; i < count; i++)
            if (dtypes[i] == LDSL_F32 || (dtypes[i] == LDSL_I64 && best != LDSL_F32))
                best = dtypes[i];
        return best;
    }
    return LDSL_F32;
}

/* ---- arguments ---------------------------------------------------------------------------- */

static bool is_absent(const struct input *input)
{
    return input->param.optional && input->text && strcmp(input->text, "none") == 0;
}

/* Files first: their element types decide those of fills without one. */
static int read_tensors(struct job *j, bool files)
{
    for (uint32_t i = 0; i < j->op.param_count; i++) {
        struct input *input = &j->inputs[i];
        if (input->param.kind != LDSL_KIND_TENSOR || !input->text || is_absent(input) ||
            (*input->text == '@') != files)
            continue;
        struct value_use use = {
            .name = input->param.name, .dtype = input->param.dtype, .seed = j->options->seed};
        if (input->param.generic && !bound_dtype(j, input->param.generic, &use.dtype))
            use.dtype = default_dtype(j, input->param.generic);
        cli_progress(j->cli, "filling %s", input->param.name);
        if (!value_read_tensor(j->cli, &input->tensor, input->text, &use))
            return EXIT_WRONG;
    }
    return EXIT_DONE;
}

/* A read-only input in a mapped file needs no copy on the host's own device. */
static bool is_direct(const struct job *j, const struct input *input)
{
    return input->tensor.mapping && input->param.role == LDSL_PARAM_INPUT &&
           (uintptr_t)input->tensor.data % ldsl_dtype_size(input->tensor.dtype) == 0 &&
           strcmp(ldsl_context_device(j->operators.context), "cpu") == 0;
}

static uint32_t alignment_of(const void *address)
{
    uint32_t alignment = 1;
    while (alignment < 256 && (uintptr_t)address % ((uintptr_t)alignment * 2) == 0)
        alignment *= 2;
    return alignment;
}

static void add_tensor(const struct job *j, ldsl_argument *a, const struct input *input)
{
    a->kind = LDSL_ARG_TENSOR;
    a->dtype = input->tensor.dtype;
    a->rank = input->tensor.rank;
    memcpy(a->shape, input->tensor.shape, sizeof a->shape);
    if (is_direct(j, input))
        a->alignment = alignment_of(input->tensor.data);
}

static int add_scalar(struct job *j, ldsl_argument *a, const struct input *input)
{
    char *end;
    errno = 0;
    a->kind = LDSL_ARG_SCALAR;
    a->integer = strtoll(input->text, &end, 0);
    a->is_integer = !*end && end != input->text && !errno;
    if (a->is_integer)
        return EXIT_DONE;
    if (value_read_number(&a->number, input->text, input->param.dtype))
        return EXIT_DONE;
    if (strcmp(input->text, "true") == 0 || strcmp(input->text, "false") == 0) {
        a->is_integer = true;
        a->integer = strcmp(input->text, "true") == 0;
        return EXIT_DONE;
    }
    return cli_error(j->cli, "%s=%.80s: a number is needed, of %s", input->param.name, input->text,
                     ldsl_dtype_name(input->param.dtype));
}

static int add_input(struct job *j, const struct input *input)
{
    if (!input->text)
        return EXIT_DONE;
    ldsl_argument *a = &j->arguments[j->argument_count++];
    *a = (ldsl_argument){.name = input->param.name};
    if (is_absent(input)) {
        a->kind = LDSL_ARG_ABSENT;
    } else if (input->param.kind == LDSL_KIND_TENSOR) {
        add_tensor(j, a, input);
    } else if (input->param.kind == LDSL_KIND_ENUM) {
        a->kind = LDSL_ARG_ENUM;
        a->word = input->text;
    } else {
        return add_scalar(j, a, input);
    }
    return EXIT_DONE;
}

static int add_generics(struct job *j)
{
    for (unsigned v = 0; v < j->options->values.count; v++) {
        const char *assignment = j->options->values.data[v];
        const char *name = find_input(j, assignment) ? NULL : find_generic(j, assignment);
        if (!name)
            continue;
        ldsl_argument *a = &j->arguments[j->argument_count++];
        *a = (ldsl_argument){.name = name, .kind = LDSL_ARG_TYPE};
        if (!ldsl_dtype_parse(value_of(assignment, name), &a->dtype))
            return cli_error(j->cli, "%s: no such dtype", assignment);
    }
    return EXIT_DONE;
}

static int make_arguments(struct job *j)
{
    j->inputs = calloc(j->op.param_count + 1, sizeof *j->inputs);
    j->arguments =
        calloc((size_t)j->op.param_count + j->options->values.count + 1, sizeof *j->arguments);
    if (!j->inputs || !j->arguments)
        return out_of_memory(j);
    for (uint32_t i = 0; i < j->op.param_count; i++)
        ldsl_op_get_param(j->operators.library, j->op.name, i, &j->inputs[i].param);
    int status = match_values(j);
    if (status == EXIT_DONE)
        status = read_tensors(j, true);
    if (status == EXIT_DONE)
        status = read_tensors(j, false);
    for (uint32_t i = 0; status == EXIT_DONE && i < j->op.param_count; i++)
        status = add_input(j, &j->inputs[i]);
    return status == EXIT_DONE ? add_generics(j) : status;
}

/* ---- running ------------------------------------------------------------------------------ */

static struct input *input_named(struct job *j, const char *name)
{
    for (uint32_t i = 0; i < j->op.param_count; i++)
        if (strcmp(j->inputs[i].param.name, name) == 0)
            return &j->inputs[i];
    return NULL;
}

static enum ldsl_status place_tensor(struct job *j, uint32_t i)
{
    struct slot *slot = &j->slots[i];
    ldsl_plan_tensor(j->plan, i, &slot->info);
    const struct input *input = input_named(j, slot->info.name);
    if (input && is_direct(j, input)) {
        j->pointers[i] = (uint64_t)(uintptr_t)input->tensor.data;
        return LDSL_OK;
    }
    enum ldsl_status status =
        ldsl_buffer_create(&slot->buffer, j->operators.context, slot->info.bytes);
    if (status == LDSL_OK && input && input->tensor.data)
        status = ldsl_buffer_upload(slot->buffer, 0, input->tensor.data, input->tensor.bytes);
    if (status == LDSL_OK)
        j->pointers[i] = ldsl_buffer_address(slot->buffer);
    return status;
}

static enum ldsl_status launch(struct job *j)
{
    size_t bytes = ldsl_plan_workspace_bytes(j->plan);
    enum ldsl_status status = LDSL_OK;
    for (uint32_t i = 0; status == LDSL_OK && i < j->slot_count; i++)
        status = place_tensor(j, i);
    if (status == LDSL_OK && bytes)
        status = ldsl_buffer_create(&j->workspace, j->operators.context, bytes);
    if (status == LDSL_OK)
        status = ldsl_plan_launch(j->plan, j->pointers, j->slot_count,
                                  j->workspace ? ldsl_buffer_address(j->workspace) : 0, NULL);
    if (status == LDSL_OK)
        status = ldsl_stream_synchronize(j->operators.context, NULL);
    return status;
}

static int run_plan(struct job *j)
{
    unsigned before = j->cli->errors;
    cli_progress(j->cli, "preparing %s", j->op.name);
    ldsl_plan *plan = NULL;
    enum ldsl_status status = ldsl_plan_prepare(&plan, j->operators.library, j->op.name,
                                                j->arguments, j->argument_count, j->options->with);
    j->plan = plan;
    if (status != LDSL_OK)
        return failed(j, status, before);
    uint32_t count = ldsl_plan_tensor_count(j->plan);
    j->slots = calloc(count + 1, sizeof *j->slots);
    j->pointers = calloc(count + 1, sizeof *j->pointers);
    if (!j->slots || !j->pointers)
        return out_of_memory(j);
    j->slot_count = count;
    cli_progress(j->cli, "running %s", j->op.name);
    status = launch(j);
    cli_progress(j->cli, NULL);
    return failed(j, status, before);
}

/* ---- results ------------------------------------------------------------------------------ */

static bool write_bytes(void *user, const void *data, size_t bytes)
{
    return fwrite(data, 1, bytes, user) == bytes;
}

static int write_tensor(struct job *j, const char *name, const char *path, const struct tensor *t)
{
    struct output out;
    struct tensor_error error;
    const char *dot = strrchr(path, '.');
    bool safe = dot && strcmp(dot, ".safetensors") == 0;
    if (!safe && (!dot || strcmp(dot, ".npy") != 0))
        return cli_error(j->cli, "%s=%s: a tensor file ends in .npy or .safetensors", name, path);
    if (!output_open(j->cli, &out, path))
        return EXIT_DEVICE;
    bool ok = safe ? safetensors_write(t, name, write_bytes, out.file, &error)
                   : npy_write(t, write_bytes, out.file, &error);
    if (ok)
        return output_commit(j->cli, &out) ? EXIT_DONE : EXIT_DEVICE;
    output_abandon(&out);
    return cli_error(j->cli, "%s=%s: %s", name, path, error.text);
}

static int report_result(struct job *j, const struct slot *slot)
{
    struct tensor t;
    struct tensor_error error;
    if (!tensor_create(&t, slot->info.dtype, slot->info.rank, slot->info.shape, &error))
        return cli_error(j->cli, "%s: %s", slot->info.name, error.text);
    unsigned before = j->cli->errors;
    int status = EXIT_DONE;
    if (t.bytes)
        status = failed(j, ldsl_buffer_download(slot->buffer, 0, t.data, t.bytes), before);
    if (status == EXIT_DONE && j->cli->json_path)
        json_array_append_new(j->rows, summary_json(slot->info.name, &t));
    else if (status == EXIT_DONE)
        print_summary(slot->info.name, &t);
    for (unsigned i = 0; status == EXIT_DONE && i < j->options->outputs.count; i++) {
        const char *path = value_of(j->options->outputs.data[i], slot->info.name);
        if (path)
            status = write_tensor(j, slot->info.name, path, &t);
    }
    tensor_destroy(&t);
    return status;
}

static int report_results(struct job *j)
{
    int status = EXIT_DONE;
    j->rows = json_array();
    for (uint32_t i = 0; status == EXIT_DONE && i < j->slot_count; i++)
        if (j->slots[i].info.is_written)
            status = report_result(j, &j->slots[i]);
    if (status == EXIT_DONE && j->cli->json_path) {
        json_t *rows = j->rows;
        j->rows = NULL;
        if (!cli_write_json(j->cli, ldsl_context_device(j->operators.context), rows))
            status = EXIT_DEVICE;
    }
    return status;
}

static int run_job(struct job *j)
{
    int status = open_operators(j->cli, &j->options->device, &j->operators);
    if (status == EXIT_DONE)
        status = find_operator(j->cli, j->operators.library, j->options->op, &j->op);
    if (status == EXIT_DONE)
        status = make_arguments(j);
    if (status == EXIT_DONE)
        status = run_plan(j);
    return status == EXIT_DONE ? report_results(j) : status;
}

static int run(struct cli *cli, void *input)
{
    struct options *o = input;
    int status;
    if (!o->op) {
        status = cli_usage(cli, "which operator?");
    } else {
        struct job job = {.cli = cli, .options = o};
        status = run_job(&job);
        destroy_job(&job);
    }
    words_free(&o->values);
    words_free(&o->outputs);
    return status;
}

const struct command command_run = {
    .name = "run",
    .summary = "run an operator on tensors from files or random ones",
    .args = "OP NAME=VALUE...",
    .doc =
        "A VALUE is a number, a word of an enum, none (an optional tensor left out), or a tensor: "
        "@x.npy, @model.safetensors:key, a list like [[1, 2], [3, 4]], randn(SHAPE), "
        "uniform(LO..HI,SHAPE), randint(LO..HI,SHAPE), full(VALUE,SHAPE), zeros(SHAPE), "
        "ones(SHAPE). A SHAPE is 4096x4096; a dtype may follow it, else the parameter's is "
        "taken. NAME may be a type parameter too: T=bf16.\n\n"
        "Prints shape, dtype and a summary of each result. .npy files hold bf16 as the two-byte "
        "type '<V2', which is how NumPy stores it.",
    .example = "ldsl run softmax 'x=randn(4096x4096,bf16)'\n"
               "ldsl run rms_norm x=@x.npy w=@model.safetensors:norm.weight -o y=y.npy\n"
               "ldsl run scale --file my.ldsl 'x=[1, 2, 3]' s=2\n",
    .options = options,
    .parse = parse,
    .options_bytes = sizeof(struct options),
    .run = run,
    .takes_ops = true,
    .takes_device = true,
    .json = JSON_FLAG,
};
