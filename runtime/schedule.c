#include "schedule.h"

#include <ldsl/schedule.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- texts ------------------------------------------------------------------------------------- */

void rt_text_add(struct rt_text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    size_t need = text->length + (size_t)(length < 0 ? 0 : length) + 1;
    if (need > text->capacity && !text->failed) {
        size_t capacity = need * 2 < 128 ? 128 : need * 2;
        char *grown = realloc(text->data, capacity);
        text->failed = !grown;
        if (grown) {
            text->data = grown;
            text->capacity = capacity;
        }
    }
    if (!text->failed) {
        vsnprintf(text->data + text->length, text->capacity - text->length, format, again);
        text->length = need - 1;
    }
    va_end(again);
}

/* One "name=value" of a bindings text. */
static const char *separator(const struct rt_text *text)
{
    return text->length ? "," : "";
}

/* ---- settings ---------------------------------------------------------------------------------- */

static bool parse_value(const char *text, size_t length, int64_t *out)
{
    char copy[32], *end;
    if (length == 0 || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (strcmp(copy, "true") == 0 || strcmp(copy, "false") == 0) {
        *out = copy[0] == 't';
        return true;
    }
    *out = strtoll(copy, &end, 10);
    return *end == '\0';
}

enum ldsl_status rt_settings_parse(struct rt_settings *out, const char *text,
                                   const struct ldsl_sink *sink)
{
    *out = (struct rt_settings){0};
    if (!text || !*text)
        return LDSL_OK;
    size_t count = 1;
    for (const char *c = text; *c; c++)
        count += *c == ',';
    out->list = calloc(count, sizeof *out->list);
    if (!out->list)
        return rt_nomem(sink);
    for (const char *c = text; c; c = strchr(c, ',') ? strchr(c, ',') + 1 : NULL) {
        struct rt_setting *s = &out->list[out->count++];
        size_t length = strcspn(c, ","), name = strcspn(c, "=");
        s->name = c;
        s->length = name;
        if (name == 0 || name >= length ||
            !parse_value(c + name + 1, length - name - 1, &s->value)) {
            free(out->list);
            *out = (struct rt_settings){0};
            return rt_error(sink, LDSL_ARGUMENT,
                            "'%.*s' is no setting: write NAME=NUMBER, separated by commas",
                            (int)(length < 64 ? length : 64), c);
        }
    }
    return LDSL_OK;
}

/* ---- schedule values --------------------------------------------------------------------------- */

const struct rt_schedule_word rt_schedule_words[] = {
#define X(name, least, most, tries, meaning) {#name, least, most, tries},
    LDSL_SCHEDULE_LIST(X)
#undef X
        {0},
};

const struct rt_schedule_word *rt_schedule_find_word(const char *name, size_t length)
{
    for (const struct rt_schedule_word *w = rt_schedule_words; w->name; w++)
        if (strlen(w->name) == length && memcmp(w->name, name, length) == 0)
            return w;
    return NULL;
}

const char *rt_kernel_own_name(const struct rt_launch *launch)
{
    const char *name = rt_module_text(launch->call.frame.m, launch->kernel->name);
    const char *colon = strrchr(name, ':');
    return colon ? colon + 1 : name;
}

/* ---- finding settings -------------------------------------------------------------------------- */

/* 2: the setting is about this kernel by name; 1: about every kernel; 0: another's, another value. */
static int match(const struct rt_setting *s, const char *kernel, const char *name)
{
    size_t own = strlen(kernel), length = strlen(name);
    if (s->length == length && memcmp(s->name, name, length) == 0)
        return 1;
    return s->length == own + 1 + length && memcmp(s->name, kernel, own) == 0 &&
                   s->name[own] == '.' && memcmp(s->name + own + 1, name, length) == 0
               ? 2
               : 0;
}

/* What the strongest source says; in one source a setting of this kernel goes before one of all. Those
 * that are weaker were heard too. */
static const struct rt_setting *find_setting(const struct rt_launch *launch,
                                             const struct rt_sources *sources, const char *name)
{
    const char *kernel = rt_kernel_own_name(launch);
    struct rt_setting *found = NULL;
    for (int i = 0; i < RT_SOURCE_COUNT; i++) {
        struct rt_settings *from = sources->from[i];
        int best = 0;
        struct rt_setting *of_source = NULL;
        for (uint32_t k = 0; from && k < from->count; k++) {
            int matches = match(&from->list[k], kernel, name);
            from->list[k].used |= matches > 0;
            if (matches > best) {
                best = matches;
                of_source = &from->list[k];
            }
        }
        if (!found)
            found = of_source;
    }
    return found;
}

/* ---- the signature's part ---------------------------------------------------------------------- */

static const char *symbol_name(const struct rt_call *call, uint32_t symbol)
{
    return rt_module_text(call->frame.m, call->frame.m->symbols[symbol].name);
}

static struct rt_value *value_of(const struct rt_call *call, uint32_t symbol)
{
    return &call->values[symbol - call->frame.scope->symbols.first];
}

void rt_print_symbol(const struct rt_call *call, uint32_t symbol, struct rt_text *out)
{
    const struct rt_value *v = value_of(call, symbol);
    const char *name = symbol_name(call, symbol);
    if (call->frame.m->symbols[symbol].kind == LDSL_SYMBOL_GENERIC)
        rt_text_add(out, "%s%s=%s", separator(out), name, ldsl_dtype_name((enum ldsl_dtype)v->i));
    else if (v->is_float)
        rt_text_add(out, "%s%s=%.17g", separator(out), name, v->f);
    else
        rt_text_add(out, "%s%s=%lld", separator(out), name, (long long)v->i);
}

/* Types, const parameters, presence, shared tensors. */
void rt_print_signature(const struct rt_launch *launch, struct rt_text *out)
{
    const struct rt_call *call = &launch->call;
    const struct rt_module *m = call->frame.m;
    const struct ldsl_module_scope *scope = call->frame.scope;
    for (uint32_t i = 0; i < scope->generics.count; i++)
        rt_print_symbol(call, m->generics[scope->generics.first + i].symbol, out);
    for (uint32_t i = 0; i < scope->params.count; i++)
        if (m->params[scope->params.first + i].flags & LDSL_MODULE_CONST)
            rt_print_symbol(call, m->params[scope->params.first + i].symbol, out);
    for (uint32_t i = 0; i < scope->params.count; i++)
        if (m->params[scope->params.first + i].flags & LDSL_MODULE_OPTIONAL)
            rt_text_add(out, "%s%s?=%d", separator(out), rt_call_param_name(call, i),
                        call->tensors[i].presence == RT_PRESENT);
    for (uint32_t i = 0; i < scope->params.count; i++)
        if (launch->same[i] != LDSL_NONE)
            rt_text_add(out, "%ssame.%s=%u", separator(out), rt_call_param_name(call, i),
                        launch->same[i]);
}

void rt_print_group(const struct rt_launch *launch, uint32_t holds, struct rt_text *out)
{
    for (uint32_t i = 0; i < launch->kernel->groups.count; i++)
        rt_text_add(out, "%sspecialize.%u=%d", separator(out), i, i == holds);
}

/* ---- shared tensors ---------------------------------------------------------------------------- */

static bool is_same_view(const struct rt_tensor *a, const struct rt_tensor *b)
{
    if (a->presence != RT_PRESENT || b->presence != RT_PRESENT || a->source != b->source ||
        a->offset != b->offset || a->dtype != b->dtype || a->rank != b->rank)
        return false;
    for (uint32_t d = 0; d < a->rank; d++)
        if (a->shape[d] != b->shape[d] || a->strides[d] != b->strides[d])
            return false;
    return true;
}

static bool is_tensor(const struct rt_call *call, uint32_t i)
{
    const struct ldsl_module_param *p = &call->frame.m->params[call->frame.scope->params.first + i];
    return p->kind == LDSL_KIND_TENSOR;
}

bool rt_may_share(const struct rt_call *call, uint32_t i, uint32_t k)
{
    const struct ldsl_module_param *p = &call->frame.m->params[call->frame.scope->params.first];
    bool in_and_out = (p[i].role == LDSL_PARAM_INPUT && p[k].role == LDSL_PARAM_OUTPUT) ||
                      (p[i].role == LDSL_PARAM_OUTPUT && p[k].role == LDSL_PARAM_INPUT);
    return in_and_out && is_tensor(call, i) && is_tensor(call, k) &&
           is_same_view(&call->tensors[i], &call->tensors[k]);
}

void rt_find_shared(struct rt_launch *launch)
{
    const struct rt_call *call = &launch->call;
    uint32_t count = call->frame.scope->params.count, *same = launch->same;
    for (uint32_t i = 0; i < count; i++)
        same[i] = LDSL_NONE;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = i + 1; k < count; k++)
            if (same[k] == LDSL_NONE && rt_may_share(call, i, k))
                same[k] = same[i] == LDSL_NONE ? i : same[i];
    /* Another reader of a tensor that is written shares it too. */
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = i + 1; k < count; k++)
            if (same[i] == LDSL_NONE && same[k] != LDSL_NONE && same[k] < i && is_tensor(call, i) &&
                is_same_view(&call->tensors[i], &call->tensors[k]))
                same[i] = same[k];
}

/* ---- choices ----------------------------------------------------------------------------------- */

/* The first group that holds; as many as there are: none. */
static enum ldsl_status choose_group(const struct rt_launch *launch, uint32_t *holds)
{
    struct ldsl_module_range groups = launch->kernel->groups;
    for (*holds = 0; *holds < groups.count; ++*holds) {
        int64_t yes;
        enum ldsl_status status = rt_call_eval_int(
            &launch->call, launch->call.frame.m->checks[groups.first + *holds].node, &yes);
        if (status || yes)
            return status;
    }
    return LDSL_OK;
}

static enum ldsl_status choose_metas(const struct rt_launch *launch, struct rt_text *out)
{
    for (uint32_t i = 0; i < launch->kernel->metas.count; i++) {
        const struct ldsl_module_meta *meta =
            &launch->call.frame.m->metas[launch->kernel->metas.first + i];
        struct rt_value v;
        enum ldsl_status status = rt_call_eval(&launch->call, meta->node, &v);
        if (status)
            return status;
        *value_of(&launch->call, meta->symbol) = v;
        rt_print_symbol(&launch->call, meta->symbol, out);
    }
    return LDSL_OK;
}

static bool is_tune_choice(const struct rt_call *call, const struct ldsl_module_tune *tune,
                           int64_t value)
{
    for (uint32_t i = 0; i < tune->values.count; i++)
        if (call->frame.m->values[tune->values.first + i] == value)
            return true;
    return false;
}

const struct ldsl_module_tune *rt_find_tune(const struct rt_launch *launch, const char *name,
                                            size_t length)
{
    const struct ldsl_module_range tunes = launch->kernel->tunes;
    for (uint32_t i = 0; i < tunes.count; i++) {
        const struct ldsl_module_tune *tune = &launch->call.frame.m->tunes[tunes.first + i];
        const char *own = symbol_name(&launch->call, tune->symbol);
        if (strlen(own) == length && memcmp(own, name, length) == 0)
            return tune;
    }
    return NULL;
}

static bool is_gpu(const struct rt_call *call)
{
    return call->frame.device->is_gpu;
}

static enum ldsl_status not_a_choice(const struct rt_call *call,
                                     const struct ldsl_module_tune *tune, int64_t value)
{
    struct rt_text list = {0};
    for (uint32_t i = 0; i < tune->values.count && i < 16; i++)
        rt_text_add(&list, "%s%lld", i ? ", " : "",
                    (long long)call->frame.m->values[tune->values.first + i]);
    enum ldsl_status status =
        rt_call_error(call, LDSL_ARGUMENT, "%s=%lld is none of its choices: %s%s",
                      symbol_name(call, tune->symbol), (long long)value,
                      list.failed ? "" : list.data, tune->values.count > 16 ? ", ..." : "");
    free(list.data);
    return status;
}

/* The first default whose condition holds. */
static enum ldsl_status find_default(const struct rt_launch *launch,
                                     const struct ldsl_module_default **out)
{
    struct ldsl_module_range defaults = launch->kernel->defaults;
    for (uint32_t i = 0; i < defaults.count; i++) {
        const struct ldsl_module_default *d = &launch->call.frame.m->defaults[defaults.first + i];
        int64_t holds = 1;
        enum ldsl_status status =
            d->where == LDSL_NONE ? LDSL_OK : rt_call_eval_int(&launch->call, d->where, &holds);
        *out = d;
        if (status || holds)
            return status;
    }
    return rt_call_error(&launch->call, LDSL_UNSUPPORTED, "none of its defaults holds here");
}

/* What a default says of a name; *out is left alone if it is silent. */
static enum ldsl_status default_setting(const struct rt_launch *launch,
                                        const struct ldsl_module_default *d, const char *name,
                                        bool *said, int64_t *out)
{
    const struct rt_module *m = launch->call.frame.m;
    *said = false;
    for (uint32_t i = 0; d && i < d->settings.count; i++) {
        const struct ldsl_module_setting *s = &m->settings[d->settings.first + i];
        if (strcmp(rt_module_text(m, s->name), name) == 0) {
            *said = true;
            return rt_call_eval_int(&launch->call, s->node, out);
        }
    }
    return LDSL_OK;
}

/* The default of a tuned value; the first choice where the default is silent. */
static enum ldsl_status default_value(const struct rt_launch *launch,
                                      const struct ldsl_module_default *d,
                                      const struct ldsl_module_tune *tune, int64_t *out)
{
    bool said;
    *out = launch->call.frame.m->values[tune->values.first];
    return default_setting(launch, d, symbol_name(&launch->call, tune->symbol), &said, out);
}

/* A schedule value is checked everywhere and means nothing where there are no warps: what was asked
 * for then makes no other variant. */
static enum ldsl_status choose_value(const struct rt_launch *launch,
                                     const struct rt_sources *sources,
                                     const struct ldsl_module_default *d,
                                     const struct ldsl_module_tune *tune, int64_t *value)
{
    const struct rt_call *call = &launch->call;
    const char *name = symbol_name(call, tune->symbol);
    const struct rt_setting *asked = find_setting(launch, sources, name);
    if (asked && !is_tune_choice(call, tune, asked->value))
        return not_a_choice(call, tune, asked->value);
    if (asked && (is_gpu(call) || !rt_schedule_find_word(name, strlen(name)))) {
        *value = asked->value;
        return LDSL_OK;
    }
    enum ldsl_status status = default_value(launch, d, tune, value);
    if (!status && !is_tune_choice(call, tune, *value))
        status = not_a_choice(call, tune, *value);
    return status;
}

static enum ldsl_status choose_tuned(const struct rt_launch *launch,
                                     const struct rt_sources *sources,
                                     const struct ldsl_module_default *d, struct rt_text *out)
{
    const struct rt_call *call = &launch->call;
    struct ldsl_module_range tunes = launch->kernel->tunes;
    for (uint32_t i = 0; i < tunes.count; i++) {
        const struct ldsl_module_tune *tune = &call->frame.m->tunes[tunes.first + i];
        int64_t value = 0;
        enum ldsl_status status = choose_value(launch, sources, d, tune, &value);
        if (status)
            return status;
        *value_of(call, tune->symbol) = rt_value_int(value);
        rt_print_symbol(call, tune->symbol, out);
    }
    return LDSL_OK;
}

static enum ldsl_status check_word(const struct rt_call *call, const struct rt_schedule_word *word,
                                   int64_t value)
{
    if (value >= word->least && value <= word->most)
        return LDSL_OK;
    return rt_call_error(call, LDSL_ARGUMENT, "%s=%lld: it is a number from %lld to %lld",
                         word->name, (long long)value, (long long)word->least,
                         (long long)word->most);
}

/* Schedule values that the kernel does not list. */
static enum ldsl_status choose_schedule(const struct rt_launch *launch,
                                        const struct rt_sources *sources,
                                        const struct ldsl_module_default *d, struct rt_text *out)
{
    for (const struct rt_schedule_word *word = rt_schedule_words; word->name; word++) {
        int64_t value = 0;
        bool said = true;
        enum ldsl_status status = LDSL_OK;
        if (rt_find_tune(launch, word->name, strlen(word->name)))
            continue;
        const struct rt_setting *asked = find_setting(launch, sources, word->name);
        if (asked)
            value = asked->value;
        else
            status = default_setting(launch, d, word->name, &said, &value);
        if (!status && said)
            status = check_word(&launch->call, word, value);
        if (status)
            return status;
        if (said && is_gpu(&launch->call))
            rt_text_add(out, "%s%s=%lld", separator(out), word->name, (long long)value);
    }
    return LDSL_OK;
}

enum ldsl_status rt_print_default_schedule(const struct rt_launch *launch,
                                           const struct ldsl_module_default *d, struct rt_text *out)
{
    return choose_schedule(launch, &(struct rt_sources){{0}}, d, out);
}

/* How many parts a partition has is the compiler's choice, unless somebody tries others: of one
 * partition ("parts.p=3"), or of all ("parts=3"). */
static void choose_parts(const struct rt_launch *launch, const struct rt_sources *sources,
                         struct rt_text *out)
{
    const struct rt_module *m = launch->call.frame.m;
    for (uint32_t i = 0; i < launch->kernel->parts.count; i++) {
        char name[80];
        snprintf(name, sizeof name, "parts.%s",
                 rt_module_text(m, m->indices[launch->kernel->parts.first + i]));
        const struct rt_setting *asked = find_setting(launch, sources, name);
        const struct rt_setting *of_all = find_setting(launch, sources, "parts");
        if (!asked)
            asked = of_all;
        if (!asked)
            continue;
        rt_text_add(out, "%s%s=%lld", separator(out), name, (long long)asked->value);
    }
}

/* The first condition that does not hold, or NULL. */
static enum ldsl_status find_broken(const struct rt_launch *launch,
                                    const struct ldsl_module_check **broken)
{
    const struct rt_call *call = &launch->call;
    *broken = NULL;
    for (uint32_t i = 0; !*broken && i < launch->kernel->wheres.count; i++) {
        const struct ldsl_module_check *c =
            &call->frame.m->checks[launch->kernel->wheres.first + i];
        int64_t holds;
        enum ldsl_status status = rt_call_eval_int(call, c->node, &holds);
        if (status)
            return status;
        *broken = holds ? NULL : c;
    }
    return LDSL_OK;
}

static enum ldsl_status count_programs(const struct rt_launch *launch, uint64_t *programs)
{
    const struct rt_call *call = &launch->call;
    *programs = 1;
    for (uint32_t i = 0; i < launch->kernel->grids.count; i++) {
        const struct ldsl_module_grid *g = &call->frame.m->grids[launch->kernel->grids.first + i];
        int64_t extent, tile;
        enum ldsl_status status = rt_call_eval_int(call, g->extent, &extent);
        if (!status)
            status = rt_call_eval_int(call, g->tile, &tile);
        if (status)
            return status;
        const char *axis = rt_module_text(call->frame.m, g->name);
        if (tile <= 0)
            return rt_call_error(call, LDSL_ARGUMENT, "axis %s has a tile of %lld", axis,
                                 (long long)tile);
        uint64_t count = extent <= 0 ? 0 : ((uint64_t)extent - 1) / (uint64_t)tile + 1;
        if (count && *programs > (uint64_t)INT64_MAX / count)
            return rt_call_error(call, LDSL_ARGUMENT, "more programs than 64 bits count");
        *programs *= count;
    }
    return LDSL_OK;
}

enum ldsl_status rt_schedule_variant(struct rt_launch *launch, struct rt_text *bindings)
{
    uint32_t group;
    rt_text_add(bindings, "%s", "");
    rt_print_signature(launch, bindings);
    enum ldsl_status status = choose_group(launch, &group);
    if (status)
        return status;
    rt_print_group(launch, group, bindings);
    status = choose_metas(launch, bindings);
    return !status && bindings->failed ? rt_nomem(launch->call.sink) : status;
}

/* Tuned and schedule values; `broken` is the condition that they break. */
static enum ldsl_status choose(const struct rt_launch *launch, const struct rt_sources *sources,
                               struct rt_text *bindings, const struct ldsl_module_check **broken)
{
    const struct ldsl_module_default *d = NULL;
    enum ldsl_status status = launch->kernel->tunes.count ? find_default(launch, &d) : LDSL_OK;
    if (!status)
        status = choose_tuned(launch, sources, d, bindings);
    if (!status)
        status = choose_schedule(launch, sources, d, bindings);
    if (status)
        return status;
    choose_parts(launch, sources, bindings);
    return bindings->failed ? rt_nomem(launch->call.sink) : find_broken(launch, broken);
}

/* Is all that a record says something that the kernel could be? */
static bool is_possible(const struct rt_launch *launch, const struct rt_settings *recorded)
{
    for (uint32_t i = 0; recorded && i < recorded->count; i++) {
        const struct rt_setting *s = &recorded->list[i];
        const struct ldsl_module_tune *tune = rt_find_tune(launch, s->name, s->length);
        const struct rt_schedule_word *word = rt_schedule_find_word(s->name, s->length);
        if (tune ? !is_tune_choice(&launch->call, tune, s->value)
                 : !word || s->value < word->least || s->value > word->most)
            return false;
    }
    return true;
}

enum ldsl_status rt_schedule(struct rt_launch *launch, const struct rt_sources *sources,
                             struct rt_text *bindings, uint64_t *programs)
{
    const struct rt_call *call = &launch->call;
    const struct ldsl_module_check *broken = NULL;
    struct rt_sources used = *sources;
    size_t length = bindings->length;
    bool possible = is_possible(launch, used.from[RT_RECORDED]);
    enum ldsl_status status = possible ? choose(launch, &used, bindings, &broken) : LDSL_OK;
    if (!status && used.from[RT_RECORDED] && (!possible || broken)) {
        rt_remark(call->sink, "%s: the tuning record for %s does not fit here; the default is used",
                  call->name, bindings->data);
        used.from[RT_RECORDED] = NULL;
        bindings->length = length;
        bindings->data[length] = '\0';
        status = choose(launch, &used, bindings, &broken);
    }
    if (status)
        return status;
    if (broken)
        return rt_error_at(call->sink, LDSL_ARGUMENT, call->own_path, broken->line,
                           "%s: where %s does not hold for %s", call->name,
                           rt_module_text(call->frame.m, broken->text), bindings->data);
    return count_programs(launch, programs);
}
