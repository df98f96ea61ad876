#include "schedule.h"

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

static struct rt_setting *find_setting(const struct rt_sources *sources, const char *name)
{
    size_t length = strlen(name);
    for (int i = 0; i < RT_SOURCE_COUNT; i++) {
        struct rt_settings *from = sources->from[i];
        for (uint32_t k = 0; from && k < from->count; k++)
            if (from->list[k].length == length && memcmp(from->list[k].name, name, length) == 0)
                return &from->list[k];
    }
    return NULL;
}

/* A weaker source that says the same name was heard too. */
static void mark_used(const struct rt_sources *sources, const char *name)
{
    size_t length = strlen(name);
    for (int i = 0; i < RT_SOURCE_COUNT; i++) {
        struct rt_settings *from = sources->from[i];
        for (uint32_t k = 0; from && k < from->count; k++)
            if (from->list[k].length == length && memcmp(from->list[k].name, name, length) == 0)
                from->list[k].used = true;
    }
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

/* What a default says of a tuned value; the first choice if it is silent. */
static enum ldsl_status default_value(const struct rt_launch *launch,
                                      const struct ldsl_module_default *d,
                                      const struct ldsl_module_tune *tune, int64_t *out)
{
    const struct rt_module *m = launch->call.frame.m;
    const char *name = symbol_name(&launch->call, tune->symbol);
    for (uint32_t i = 0; i < d->settings.count; i++) {
        const struct ldsl_module_setting *s = &m->settings[d->settings.first + i];
        if (strcmp(rt_module_text(m, s->name), name) == 0)
            return rt_call_eval_int(&launch->call, s->node, out);
    }
    *out = m->values[tune->values.first];
    return LDSL_OK;
}

static enum ldsl_status choose_tuned(const struct rt_launch *launch,
                                     const struct rt_sources *sources, struct rt_text *out)
{
    const struct rt_call *call = &launch->call;
    const struct ldsl_module_default *d = NULL;
    struct ldsl_module_range tunes = launch->kernel->tunes;
    enum ldsl_status status = tunes.count ? find_default(launch, &d) : LDSL_OK;
    for (uint32_t i = 0; !status && i < tunes.count; i++) {
        const struct ldsl_module_tune *tune = &call->frame.m->tunes[tunes.first + i];
        const char *name = symbol_name(call, tune->symbol);
        const struct rt_setting *asked = find_setting(sources, name);
        int64_t value = 0;
        if (asked)
            value = asked->value;
        else
            status = default_value(launch, d, tune, &value);
        mark_used(sources, name);
        if (!status && !is_tune_choice(call, tune, value))
            status = not_a_choice(call, tune, value);
        if (status)
            return status;
        *value_of(call, tune->symbol) = rt_value_int(value);
        rt_print_symbol(call, tune->symbol, out);
    }
    return status;
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
        const struct rt_setting *asked = find_setting(sources, name);
        if (!asked)
            asked = find_setting(sources, "parts");
        if (!asked)
            continue;
        mark_used(sources, name);
        mark_used(sources, "parts");
        rt_text_add(out, "%s%s=%lld", separator(out), name, (long long)asked->value);
    }
}

static enum ldsl_status check_wheres(const struct rt_launch *launch, const struct rt_text *bindings)
{
    const struct rt_call *call = &launch->call;
    for (uint32_t i = 0; i < launch->kernel->wheres.count; i++) {
        const struct ldsl_module_check *c =
            &call->frame.m->checks[launch->kernel->wheres.first + i];
        int64_t holds;
        enum ldsl_status status = rt_call_eval_int(call, c->node, &holds);
        if (status)
            return status;
        if (!holds)
            return rt_error_at(call->sink, LDSL_ARGUMENT, call->own_path, c->line,
                               "%s: where %s does not hold for %s", call->name,
                               rt_module_text(call->frame.m, c->text), bindings->data);
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

enum ldsl_status rt_schedule(struct rt_launch *launch, const struct rt_sources *sources,
                             struct rt_text *bindings, uint64_t *programs)
{
    uint32_t group;
    rt_text_add(bindings, "%s", "");
    rt_print_signature(launch, bindings);
    enum ldsl_status status = choose_group(launch, &group);
    if (!status) {
        rt_print_group(launch, group, bindings);
        status = choose_metas(launch, bindings);
    }
    if (!status)
        status = choose_tuned(launch, sources, bindings);
    if (!status) {
        choose_parts(launch, sources, bindings);
        status = bindings->failed ? rt_nomem(launch->call.sink) : check_wheres(launch, bindings);
    }
    return status ? status : count_programs(launch, programs);
}
