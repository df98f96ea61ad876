/* Names inside a kernel or an inlined function. */
#include "sema/elab.h"

uint32_t scope_begin(struct elab *e)
{
    uint32_t outer = e->scope;
    e->scope = e->names.count;
    return outer;
}

static bool is_unused(const struct local *l)
{
    return !l->used && !l->quiet && l->name.at.file && l->name.text[0] != '_';
}

void report_unused(struct elab *e, uint32_t errors_before)
{
    for (uint32_t i = 0; i < e->unused.count && e->s->errors == errors_before; i++) {
        const struct local *l = e->unused.data[i];
        const char *habit = habit_help(l->name.text);
        diag_warning(e->s, l->name.at, DIAG_UNUSED, "%s %s is never used", l->noun, l->name.text);
        if (habit)
            diag_help(e->s, "%s", habit);
    }
}

void scope_end(struct elab *e, uint32_t outer)
{
    for (uint32_t i = e->scope; i < e->names.count && e->warn; i++)
        if (is_unused(e->names.data[i]))
            vec_push(&e->s->module, &e->unused, e->names.data[i]);
    e->names.count = e->scope;
    e->scope = outer;
}

static struct local *find_from(struct elab *e, const char *name, uint32_t first)
{
    for (uint32_t i = e->names.count; i > first; i--)
        if (e->names.data[i - 1]->name.text == name)
            return e->names.data[i - 1];
    return NULL;
}

struct local *declare(struct elab *e, struct ast_name name, enum local_kind kind, const char *noun)
{
    struct local *other = find_from(e, name.text, e->floor);
    bool same_scope = other && find_from(e, name.text, e->scope);
    if (same_scope) {
        diag_error(e->s, name.at, DIAG_DUPLICATE_NAME, "%s is declared twice", name.text);
        diag_note(e->s, other->name.at, "the first one is this %s", other->noun);
    } else if (other && other->is_dim && e->warn) {
        diag_warning(e->s, name.at, DIAG_SHADOWED_DIM, "%s hides the dimension %s", name.text,
                     name.text);
        diag_note(e->s, other->name.at, "the dimension is named here");
    }
    if (word_is_reserved(name.text))
        diag_error(e->s, name.at, DIAG_BUILTIN_NAME, "%s is built in", name.text);
    struct local *l = arena_new(&e->s->module, struct local);
    *l = (struct local){.name = name, .kind = kind, .noun = noun, .sweeping = e->sweeping};
    vec_push(&e->s->module, &e->names, l);
    return l;
}

struct local *find_local(struct elab *e, const char *name)
{
    struct local *l = find_from(e, name, e->floor);
    if (l)
        l->used = true;
    return l;
}

void unknown_name(struct elab *e, struct ast_name name, const char *what)
{
    VEC(const char *) names = {0};
    for (uint32_t i = e->floor; i < e->names.count; i++)
        vec_push(&e->s->scratch, &names, e->names.data[i]->name.text);
    const char *habit = habit_help(name.text);
    diag_error(e->s, name.at, DIAG_UNKNOWN_NAME, "there is no %s called %s", what, name.text);
    if (habit) {
        diag_help(e->s, "%s", habit);
        return;
    }
    const char *near = nearest_name(name.text, names.data, names.count);
    if (!near)
        near = nearest_item(e->m, name.text, 0);
    if (!near)
        near = nearest_builtin(name.text);
    if (near)
        diag_help(e->s, "did you mean %s?", near);
}

int find_axis(struct elab *e, struct ast_name name)
{
    struct local *l = find_local(e, name.text);
    if (l && l->kind == LOCAL_AXIS)
        return l->value.kind == VALUE_POISON && l->number == IR_NO_AXIS ? -1 : (int)l->number;
    VEC(const char *) names = {0};
    for (uint32_t i = e->floor; i < e->names.count; i++)
        if (e->names.data[i]->kind == LOCAL_AXIS)
            vec_push(&e->s->scratch, &names, e->names.data[i]->name.text);
    diag_error(e->s, name.at, DIAG_AXIS_UNKNOWN,
               l ? "%s is not an axis" : "there is no axis called %s", name.text);
    const char *near = nearest_name(name.text, names.data, names.count), *all = NULL;
    for (uint32_t i = 0; i < names.count; i++)
        all = all ? arena_printf(&e->s->scratch, "%s, %s", all, names.data[i]) : names.data[i];
    if (near)
        diag_help(e->s, "did you mean %s?", near);
    else if (all)
        diag_help(e->s, "the axes here are %s", all);
    if (l)
        diag_note(e->s, l->name.at, "%s is this %s", name.text, l->noun);
    return -1;
}

struct sema_item *find_item(struct elab *e, struct ast_name module, struct ast_name name)
{
    bool alias_known;
    if (module.text)
        return sema_find_in(e->m, module.text, name.text, &alias_known);
    return sema_find(e->m, name.text);
}
