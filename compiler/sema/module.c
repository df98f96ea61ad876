/* Files and their items: loading with imports, and finding what a name means. */
#include "sema/internal.h"

/* Every file of one load, so that a file imported twice is read once. */
struct sema_world {
    struct session *s;
    const struct sema_loader *loader;
    VEC(struct sema_module *) modules;
    uint32_t const_depth; /* constants being evaluated, one inside the other */
};

#define MAX_CONST_DEPTH 200

#define MAX_MODULES 256

static struct sema_module *find_module(struct sema_world *w, const char *path)
{
    for (uint32_t i = 0; i < w->modules.count; i++)
        if (strcmp(w->modules.data[i]->path, path) == 0)
            return w->modules.data[i];
    return NULL;
}

/* Items. */

static struct sema_item *own_item(const struct sema_module *m, const char *name)
{
    for (uint32_t i = 0; i < m->items.count; i++)
        if (m->items.data[i]->ast->name.text == name)
            return m->items.data[i];
    return NULL;
}

const char *item_kind_article(enum item_kind kind)
{
    const char *text = item_kind_text(kind);
    return strchr("aeiou", *text) ? "an" : "a";
}

const char *item_kind_text(enum item_kind kind)
{
    switch (kind) {
    case ITEM_IMPORT: return "import";
    case ITEM_CONST: return "constant";
    case ITEM_ENUM: return "enum";
    case ITEM_STRUCT: return "struct";
    case ITEM_FN: return "function";
    case ITEM_KERNEL: return "kernel";
    case ITEM_OP: return "op";
    case ITEM_EXTERN_OP: return "extern op";
    }
    return "item";
}

static void add_item(struct sema_module *m, const struct item *ast)
{
    struct sema_item *other = own_item(m, ast->name.text);
    if (other) {
        diag_error(m->s, ast->name.at, DIAG_DUPLICATE_NAME, "%s is declared twice", ast->name.text);
        diag_note(m->s, other->ast->name.at, "the %s %s is here", item_kind_text(other->ast->kind),
                  ast->name.text);
        return;
    }
    if (name_is_reserved(ast->name.text)) {
        diag_error(m->s, ast->name.at, DIAG_BUILTIN_NAME, "%s is built in", ast->name.text);
        return;
    }
    struct sema_item *item = arena_new(&m->s->module, struct sema_item);
    item->ast = ast;
    item->module = m;
    vec_push(&m->s->module, &m->items, item);
}

static void check_members(struct sema_module *m, const struct item *e)
{
    for (uint32_t i = 0; i < e->members.count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (e->members.data[i].text == e->members.data[j].text) {
                diag_error(m->s, e->members.data[i].at, DIAG_DUPLICATE_NAME,
                           "enum %s lists %s twice", e->name.text, e->members.data[i].text);
                break;
            }
}

/* Imports. */

static struct sema_module *load_file(struct sema_world *w, const char *path, uint32_t source);

static struct sema_module *import_file(struct sema_module *m, const struct item *ast)
{
    struct sema_world *w = m->world;
    struct span at = ast->import.path_at;
    const char *path, *text;
    size_t length;
    if (!w->loader || !w->loader->load ||
        !w->loader->load(w->loader->user, w->s, m->path, ast->import.path, &path, &text, &length)) {
        diag_error(w->s, at, DIAG_IMPORT_NOT_FOUND, "there is no file \"%s\"", ast->import.path);
        return NULL;
    }
    struct sema_module *known = find_module(w, path);
    if (known && known->loading) {
        diag_error(w->s, at, DIAG_IMPORT_CYCLE, "\"%s\" imports itself%s", ast->import.path,
                   known == m ? "" : " through this file");
        return NULL;
    }
    if (known)
        return known;
    if (w->modules.count >= MAX_MODULES) {
        diag_error(w->s, at, DIAG_TOO_LARGE, "more than %d files are imported", MAX_MODULES);
        return NULL;
    }
    return load_file(w, path, source_add(w->s, path, text, length));
}

static bool alias_taken(const struct sema_module *m, const char *alias)
{
    return sema_is_alias(m, alias) || own_item(m, alias);
}

static void add_import(struct sema_module *m, const struct item *ast)
{
    struct sema_import import = {.ast = ast, .alias = ast->name.text};
    if (import.alias && alias_taken(m, import.alias))
        diag_error(m->s, ast->name.at, DIAG_DUPLICATE_NAME, "%s is declared twice", import.alias);
    import.module = import_file(m, ast);
    if (!import.module)
        import.used = true; /* one report is enough */
    vec_push(&m->s->module, &m->imports, import);
}

static struct sema_module *load_file(struct sema_world *w, const char *path, uint32_t source)
{
    struct sema_module *m = arena_new(&w->s->module, struct sema_module);
    m->s = w->s;
    m->world = w;
    m->source = source;
    m->path = path;
    m->loading = true;
    vec_push(&w->s->module, &w->modules, m);
    uint32_t errors = w->s->errors;
    m->file = syntax_parse(w->s, source);
    m->syntax_errors = w->s->errors - errors;
    for (uint32_t i = 0; i < m->file->items.count; i++) {
        const struct item *ast = m->file->items.data[i];
        if (ast->kind != ITEM_IMPORT && ast->name.text)
            add_item(m, ast);
        if (ast->kind == ITEM_ENUM)
            check_members(m, ast);
    }
    for (uint32_t i = 0; i < m->file->items.count; i++)
        if (m->file->items.data[i]->kind == ITEM_IMPORT)
            add_import(m, m->file->items.data[i]);
    m->loading = false;
    return m;
}

struct sema_module *sema_load(struct session *s, uint32_t source, const struct sema_loader *loader)
{
    struct sema_world *w = arena_new(&s->module, struct sema_world);
    w->s = s;
    w->loader = loader;
    const struct source *src = source_get(s, source);
    return load_file(w, src ? src->path : "", source);
}

/* Names. */

struct sema_item *sema_find(struct sema_module *m, const char *name)
{
    struct sema_item *item = own_item(m, name);
    for (uint32_t i = 0; i < m->imports.count && !item; i++) {
        struct sema_import *import = &m->imports.data[i];
        if (import->alias || !import->module)
            continue;
        item = own_item(import->module, name);
        import->used |= item != NULL;
    }
    if (item)
        item->used = true;
    return item;
}

struct sema_item *sema_find_at(struct sema_module *m, const char *path, const char *name)
{
    for (uint32_t i = 0; i < m->world->modules.count; i++)
        if (strcmp(m->world->modules.data[i]->path, path) == 0)
            return own_item(m->world->modules.data[i], name);
    return NULL;
}

bool sema_is_alias(const struct sema_module *m, const char *name)
{
    for (uint32_t i = 0; i < m->imports.count; i++)
        if (m->imports.data[i].alias == name)
            return true;
    return false;
}

struct sema_item *sema_find_in(struct sema_module *m, const char *alias, const char *name,
                               bool *alias_known)
{
    *alias_known = false;
    for (uint32_t i = 0; i < m->imports.count; i++) {
        struct sema_import *import = &m->imports.data[i];
        if (import->alias != alias)
            continue;
        *alias_known = import->used = true;
        struct sema_item *item = import->module ? own_item(import->module, name) : NULL;
        if (item)
            item->used = true;
        return item;
    }
    return NULL;
}

struct name_list {
    VEC(const char *) names;
};

static void collect_items(const struct sema_module *m, unsigned kinds, struct name_list *out)
{
    for (uint32_t i = 0; i < m->items.count; i++)
        if (!kinds || (kinds & 1u << m->items.data[i]->ast->kind))
            vec_push(&m->s->scratch, &out->names, m->items.data[i]->ast->name.text);
}

const char *nearest_item(struct sema_module *m, const char *name, unsigned kinds)
{
    struct name_list list = {0};
    collect_items(m, kinds, &list);
    for (uint32_t i = 0; i < m->imports.count; i++)
        if (m->imports.data[i].module && !m->imports.data[i].alias)
            collect_items(m->imports.data[i].module, kinds, &list);
    return nearest_name(name, list.names.data, list.names.count);
}

uint32_t sema_kernel_count(const struct sema_module *m)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->items.count; i++)
        count += m->items.data[i]->ast->kind == ITEM_KERNEL;
    return count;
}

const char *sema_kernel_name(const struct sema_module *m, uint32_t number)
{
    for (uint32_t i = 0; i < m->items.count; i++)
        if (m->items.data[i]->ast->kind == ITEM_KERNEL && !number--)
            return m->items.data[i]->ast->name.text;
    return NULL;
}

/* Enums. */

int64_t enum_position(const struct item *e, const char *member)
{
    for (uint32_t i = 0; i < e->members.count; i++)
        if (e->members.data[i].text == member)
            return i;
    return -1;
}

struct const_value enum_value(struct session *s, const struct item *e, struct ast_name member)
{
    int64_t position = enum_position(e, member.text);
    if (position >= 0)
        return const_enum(e, position);
    VEC(const char *) names = {0};
    for (uint32_t i = 0; i < e->members.count; i++)
        vec_push(&s->scratch, &names, e->members.data[i].text);
    diag_error(s, member.at, DIAG_UNKNOWN_MEMBER, "enum %s has no member %s", e->name.text,
               member.text);
    const char *near = nearest_name(member.text, names.data, names.count);
    if (near)
        diag_help(s, "did you mean %s.%s?", e->name.text, near);
    diag_note(s, e->name.at, "%s is declared here", e->name.text);
    return const_poison();
}

const struct item *enum_of_type(struct sema_module *m, const struct type_expr *t)
{
    if (!t || t->kind != TYPE_NAME)
        return NULL;
    bool alias_known;
    struct sema_item *item = t->module.text
                                 ? sema_find_in(m, t->module.text, t->name.text, &alias_known)
                                 : sema_find(m, t->name.text);
    return item && item->ast->kind == ITEM_ENUM ? item->ast : NULL;
}

/* Module constants. */

struct const_value sema_const(struct sema_item *item)
{
    struct session *s = item->module->s;
    const struct item *ast = item->ast;
    if (item->state == CONST_BUSY) {
        diag_error(s, ast->name.at, DIAG_CONST_CYCLE, "the value of %s depends on itself",
                   ast->name.text);
        return const_poison();
    }
    if (item->state == CONST_DONE)
        return item->value;
    if (item->module->world->const_depth >= MAX_CONST_DEPTH) {
        diag_error(s, ast->name.at, DIAG_TOO_LARGE, "constants refer to each other too deeply");
        return const_poison();
    }
    item->module->world->const_depth++;
    item->state = CONST_BUSY;
    struct const_scope scope = {.m = item->module};
    struct const_value v;
    enum ir_elem elem;
    if (const_eval(&scope, ast->constant.value, &v) && ast->constant.type) {
        const struct type_expr *t = ast->constant.type;
        const struct item *of = enum_of_type(item->module, t);
        if (of && (v.kind != CONST_ENUM || v.of != of)) {
            diag_error(s, ast->constant.value->at, DIAG_IMPLICIT_CONVERSION,
                       "%s is wanted here, not %s", of->name.text, const_kind_text(s, v));
            v = const_poison();
        } else if (!of && t->kind == TYPE_NAME && !t->module.text &&
                   elem_named(t->name.text, &elem)) {
            const_adapt(s, ast->constant.value->at, v, elem, &v);
        } else if (!of) {
            diag_error(s, t->at, DIAG_BAD_TYPE, "a constant is a number, a bool or an enum");
            v = const_poison();
        }
    }
    item->module->world->const_depth--;
    item->state = CONST_DONE;
    item->value = v;
    return v;
}
