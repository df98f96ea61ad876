#include "tuned.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a record is filed under ---------------------------------------------------------------- */

static const char *comma(const struct rt_text *text)
{
    return text->length ? "," : "";
}

static const struct rt_value *value_of(const struct rt_call *call, uint32_t symbol)
{
    return &call->values[symbol - call->frame.scope->symbols.first];
}

static void add_value(struct rt_text *out, const struct rt_call *call, uint32_t node)
{
    const struct rt_module *m = call->frame.m;
    const struct ldsl_module_node *n = &m->nodes[node];
    struct rt_value v;
    if (rt_host_eval(&call->frame, node, &v, NULL) != RT_EVAL_OK)
        rt_text_add(out, "%s?", comma(out));
    else if (n->op == LDSL_HOST_SYMBOL && m->symbols[n->n].kind == LDSL_SYMBOL_GENERIC)
        rt_text_add(out, "%s%s", comma(out), ldsl_dtype_name((enum ldsl_dtype)v.i));
    else if (v.is_float)
        rt_text_add(out, "%s%.9g", comma(out), v.f);
    else
        rt_text_add(out, "%s%lld", comma(out), (long long)v.i);
}

/* The key clause; without one the sizes of all dims, roughly. */
static void print_key(struct rt_text *out, const struct rt_call *call,
                      const struct ldsl_module_op *op)
{
    const struct rt_module *m = call->frame.m;
    rt_text_add(out, "%s", "");
    for (uint32_t i = 0; i < op->keys.count; i++)
        add_value(out, call, m->indices[op->keys.first + i]);
    for (uint32_t i = 0; !op->keys.count && i < op->dims.count; i++)
        rt_text_add(out, "%s%lld", comma(out),
                    (long long)rt_bucket(value_of(call, m->indices[op->dims.first + i])->i));
}

static void print_shape(struct rt_text *out, const struct rt_call *call,
                        const struct ldsl_module_op *op)
{
    const struct rt_module *m = call->frame.m;
    rt_text_add(out, "%s", "");
    for (uint32_t i = 0; i < op->dims.count; i++) {
        uint32_t symbol = m->indices[op->dims.first + i];
        rt_text_add(out, "%s%s=%lld", comma(out), rt_module_text(m, m->symbols[symbol].name),
                    (long long)value_of(call, symbol)->i);
    }
}

/* ---- what may be chosen -------------------------------------------------------------------------- */

static uint32_t count_numbers(const char *text)
{
    uint32_t count = 0;
    for (const char *c = text; *c; c++)
        count += *c != ' ' && (c == text || c[-1] == ' ');
    return count;
}

/* Schedule values mean nothing to a device without warps. */
static bool list_tunables(struct rt_tuned *t, const struct rt_launch *launch)
{
    const struct rt_call *call = &launch->call;
    const struct rt_module *m = call->frame.m;
    const struct ldsl_module_range tunes = launch->kernel->tunes;
    bool is_gpu = call->frame.device->is_gpu;
    uint32_t words = 0, numbers = 0;
    for (const struct rt_schedule_word *w = rt_schedule_words; w->name; w++) {
        words++;
        numbers += count_numbers(w->tries);
    }
    t->tunables = calloc(tunes.count + words, sizeof *t->tunables);
    t->numbers = calloc(numbers + 1, sizeof *t->numbers);
    if (!t->tunables || !t->numbers)
        return false;
    for (uint32_t i = 0; i < tunes.count; i++) {
        const struct ldsl_module_tune *tune = &m->tunes[tunes.first + i];
        const char *name = rt_module_text(m, m->symbols[tune->symbol].name);
        if (is_gpu || !rt_schedule_find_word(name, strlen(name)))
            t->tunables[t->tunable_count++] =
                (struct ldsl_tunable){.name = name,
                                      .values = &m->values[tune->values.first],
                                      .value_count = tune->values.count,
                                      .is_listed = true};
    }
    int64_t *next = t->numbers;
    for (const struct rt_schedule_word *w = rt_schedule_words; is_gpu && w->name; w++) {
        if (rt_find_tune(launch, w->name, strlen(w->name)))
            continue;
        struct ldsl_tunable *out = &t->tunables[t->tunable_count++];
        *out = (struct ldsl_tunable){.name = w->name, .values = next};
        out->value_count = count_numbers(w->tries);
        const char *text = w->tries;
        for (uint32_t k = 0; k < out->value_count; k++) {
            char *end;
            *next++ = strtoll(text, &end, 10);
            text = end;
        }
    }
    return true;
}

struct rt_tuned *rt_tuned_create(const struct rt_launch *launch, const char *variant,
                                 const struct rt_call *caller, const struct ldsl_module_op *op)
{
    const struct rt_module *m = launch->call.frame.m;
    struct rt_text key = {0}, shape = {0};
    struct rt_tuned *t = calloc(1, sizeof *t);
    print_key(&key, caller, op);
    print_shape(&shape, caller, op);
    if (t) {
        t->op = rt_module_text(m, op->name);
        t->kernel = rt_kernel_own_name(launch);
        t->hash = rt_module_text(m, launch->kernel->hash);
        t->variant = rt_copy_text(variant);
        t->key = key.data;
        t->shape = shape.data;
    } else {
        free(key.data);
        free(shape.data);
    }
    if (t && t->variant && !key.failed && !shape.failed && list_tunables(t, launch))
        return t;
    rt_tuned_destroy(t);
    (void)rt_nomem(launch->call.sink);
    return NULL;
}

void rt_tuned_destroy(struct rt_tuned *t)
{
    if (!t)
        return;
    free(t->variant);
    free(t->key);
    free(t->shape);
    free(t->settings);
    free(t->tunables);
    free(t->numbers);
    free(t);
}

bool rt_tuned_finish(struct rt_tuned *t, const struct rt_launch *launch, const char *settings)
{
    struct rt_settings chosen;
    t->settings = rt_copy_text(settings + (*settings == ','));
    if (!t->settings || rt_settings_parse(&chosen, t->settings, launch->call.sink))
        return false;
    for (uint32_t i = 0; i < t->tunable_count; i++)
        for (uint32_t k = 0; k < chosen.count; k++) {
            struct ldsl_tunable *tunable = &t->tunables[i];
            const struct rt_setting *s = &chosen.list[k];
            if (strlen(tunable->name) != s->length ||
                memcmp(tunable->name, s->name, s->length) != 0)
                continue;
            tunable->is_set = true;
            tunable->current = s->value;
        }
    free(chosen.list);
    return true;
}

void rt_tuned_record(const struct ldsl_context *ctx, const struct rt_tuned *t, ldsl_record *out)
{
    *out = (ldsl_record){
        .op = t->op,
        .kernel = t->kernel,
        .variant = t->variant,
        .key = t->key,
        .shape = t->shape,
        .device = *ctx->info.model ? ctx->info.model : ctx->info.target,
        .target = ctx->info.target,
        .hash = t->hash,
        .settings = t->settings,
    };
}

/* ---- the records of a context -------------------------------------------------------------------- */

struct rt_tuning {
    pthread_mutex_t measuring; /* taken before `lock` */
    pthread_mutex_t lock;      /* over the rest */
    bool loaded, stale_told;
    bool read_only;
    char *path; /* of the user's file; NULL: the usual one */
    struct ldsl_records builtin, user;
};

enum ldsl_status rt_tuning_create(struct rt_tuning **out, const ldsl_context_options *options,
                                  const struct ldsl_sink *sink)
{
    const char *own = getenv("LDSL_RECORDS");
    *out = NULL;
    if (options->no_records || (!options->records_path && own && strcmp(own, "none") == 0))
        return LDSL_OK;
    struct rt_tuning *tuning = calloc(1, sizeof *tuning);
    if (!tuning || pthread_mutex_init(&tuning->lock, NULL) != 0) {
        free(tuning);
        return rt_nomem(sink);
    }
    if (pthread_mutex_init(&tuning->measuring, NULL) != 0) {
        pthread_mutex_destroy(&tuning->lock);
        free(tuning);
        return rt_nomem(sink);
    }
    *out = tuning;
    tuning->read_only = options->records_read_only;
    tuning->path = options->records_path ? rt_copy_text(options->records_path) : NULL;
    return options->records_path && !tuning->path ? rt_nomem(sink) : LDSL_OK;
}

void rt_tuning_destroy(struct rt_tuning *tuning)
{
    if (!tuning)
        return;
    records_clear(&tuning->builtin);
    records_clear(&tuning->user);
    pthread_mutex_destroy(&tuning->lock);
    pthread_mutex_destroy(&tuning->measuring);
    free(tuning->path);
    free(tuning);
}

/* The user's file: "" if there is none. */
static void user_path(const struct rt_tuning *tuning, char *path, size_t size)
{
    size_t length = tuning->path ? (size_t)snprintf(path, size, "%s", tuning->path)
                                 : ldsl_records_path(path, size);
    if (length >= size)
        *path = '\0';
}

/* Under the lock. A file that cannot be read is told, and is no reason to fail. */
static void load(struct ldsl_context *ctx, struct rt_tuning *tuning)
{
    char path[4096];
    size_t length;
    if (tuning->loaded)
        return;
    tuning->loaded = true;
    const char *text = ldsl_builtin_records(&length);
    (void)ldsl_records_read_text(&tuning->builtin, "the library's records", text, length,
                                 &ctx->sink);
    user_path(tuning, path, sizeof path);
    if (*path)
        (void)ldsl_records_read(&tuning->user, path, &ctx->sink);
}

struct find {
    const struct ldsl_context *ctx;
    const struct rt_tuned *tuned;
    const struct record *best;
    int rank;
    bool stale; /* there is one for other code */
};

/* 0: not for this device or this code. Records come in order, so that the first of two equals stays. */
static int rank_of(struct find *f, const struct record *r, bool is_user)
{
    const struct rt_device_info *info = &f->ctx->info;
    const char *model = *info->model ? info->model : info->target;
    bool same_device = strcmp(r->field[RECORD_DEVICE], model) == 0;
    bool same_target = strcmp(r->field[RECORD_TARGET], info->target) == 0;
    if (!same_device && !(info->is_gpu && same_target))
        return 0;
    if (strcmp(r->field[RECORD_HASH], f->tuned->hash) != 0) {
        f->stale = true;
        return 0;
    }
    bool same_shape = strcmp(r->field[RECORD_SHAPE], f->tuned->shape) == 0;
    return 1 + 4 * same_device + 2 * same_shape + is_user;
}

static void look(struct find *f, const struct ldsl_records *records, bool is_user)
{
    const char *const identity[4] = {f->tuned->op, f->tuned->kernel, f->tuned->variant,
                                     f->tuned->key};
    for (uint32_t i = records_seek(records, identity); i < records->count; i++) {
        const struct record *r = &records->list[i];
        for (int k = 0; k < 4; k++)
            if (strcmp(r->field[k], identity[k]) != 0)
                return;
        int rank = rank_of(f, r, is_user);
        if (rank > f->rank) {
            f->rank = rank;
            f->best = r;
        }
    }
}

char *rt_tuning_find(struct ldsl_context *ctx, const struct rt_tuned *tuned)
{
    struct rt_tuning *tuning = ctx->tuning;
    struct find f = {.ctx = ctx, .tuned = tuned};
    char *settings = NULL;
    if (!tuning)
        return NULL;
    pthread_mutex_lock(&tuning->lock);
    load(ctx, tuning);
    look(&f, &tuning->user, true);
    look(&f, &tuning->builtin, false);
    if (f.best)
        settings = rt_copy_text(f.best->field[RECORD_SETTINGS]);
    bool tell = !f.best && f.stale && !tuning->stale_told;
    tuning->stale_told |= tell;
    pthread_mutex_unlock(&tuning->lock);
    if (tell)
        rt_remark(&ctx->sink,
                  "the tuning records of kernel %s were made for other code and are not used: "
                  "'ldsl tune %s' makes new ones",
                  tuned->kernel, tuned->op);
    return settings;
}

void rt_tuning_put(struct ldsl_context *ctx, const ldsl_record *record)
{
    struct rt_tuning *tuning = ctx->tuning;
    char path[4096];
    if (!tuning)
        return;
    pthread_mutex_lock(&tuning->lock);
    load(ctx, tuning);
    enum ldsl_status status = ldsl_records_put(&tuning->user, record);
    user_path(tuning, path, sizeof path);
    if (!status && *path && !tuning->read_only &&
        ldsl_records_save(&tuning->user, path, NULL) != LDSL_OK) {
        rt_warning(&ctx->sink, "%s: tuning records stay in memory", ldsl_last_error());
        tuning->read_only = true;
    }
    pthread_mutex_unlock(&tuning->lock);
}

void rt_tuning_lock(struct ldsl_context *ctx)
{
    pthread_mutex_lock(&ctx->tuning->measuring);
}

void rt_tuning_unlock(struct ldsl_context *ctx)
{
    pthread_mutex_unlock(&ctx->tuning->measuring);
}
