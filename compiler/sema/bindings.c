/* Variants by text: "T=bf16,casting=llama,w?=1,BR=4" against a kernel's declarations. */
#include "sema/elab.h"
#include "sema/variant.h"

#include <stdlib.h>

typedef VEC(struct binding) binding_list;

static bool parse_number(const char *text, int64_t *out)
{
    char *end;
    if (!((*text >= '0' && *text <= '9') || *text == '-'))
        return false;
    long long value = strtoll(text, &end, 0);
    *out = value;
    return *end == '\0' && end != text && value != INT64_MAX && value != INT64_MIN;
}

static bool parse_truth(const char *text, int64_t *out)
{
    bool yes = strcmp(text, "1") == 0 || strcmp(text, "true") == 0;
    *out = yes;
    return yes || strcmp(text, "0") == 0 || strcmp(text, "false") == 0;
}

static bool parse_const(struct sema_module *m, const struct ast_param *p, const char *text,
                        int64_t *out)
{
    const struct item *of = enum_of_type(m, p->type);
    enum ir_elem elem = IR_INDEX;
    const_param_elem(p, &elem);
    if (of) {
        *out = enum_position(of, intern_text(m->s, text));
        return (*out >= 0 || parse_number(text, out)) && is_const_choice(m, p, *out);
    }
    if (elem == IR_BOOL)
        return parse_truth(text, out) && is_const_choice(m, p, *out);
    if (!ir_elem_is_float(elem))
        return parse_number(text, out) && is_const_choice(m, p, *out);
    char *end;
    struct const_value v = const_literal_float(strtod(text, &end));
    if (end == text || *end || !const_cast(m->s, p->name.at, v, elem, &v))
        return false;
    *out = binding_of_const(v);
    return is_const_choice(m, p, *out);
}

static bool parse_tune(struct sema_module *m, const struct ast_tune *t, const char *text,
                       int64_t *out)
{
    enum tune_kind kind = tune_kind(m, t);
    if (kind == TUNE_BOOL)
        return parse_truth(text, out);
    for (uint32_t i = 0; kind == TUNE_WORD && i < t->values.count; i++)
        if (t->values.data[i].lo->kind == EXPR_NAME &&
            strcmp(t->values.data[i].lo->string, text) == 0) {
            *out = i;
            return true;
        }
    return parse_number(text, out) && *out >= 0;
}

static bool parse_value(struct sema_module *m, const struct slot *slot, const char *text,
                        int64_t *out)
{
    enum ir_elem elem;
    switch (slot->kind) {
    case SLOT_GENERIC:
        if (!elem_named(text, &elem))
            return false;
        *out = elem;
        return generic_set(m, slot->generic) >> elem & 1;
    case SLOT_CONST: return parse_const(m, slot->param, text, out);
    case SLOT_PRESENT:
    case SLOT_READY:
    case SLOT_SPECIALIZE: return parse_truth(text, out);
    case SLOT_SAME: return parse_number(text, out) && *out >= 0;
    case SLOT_META:
    case SLOT_FIT:
    case SLOT_PARTS: return parse_number(text, out) && *out >= 1 && *out <= FIT_MAX;
    case SLOT_TUNE: return parse_tune(m, slot->tune, text, out);
    case SLOT_SCHEDULE:
        return (parse_number(text, out) || parse_truth(text, out)) && *out >= slot->word->least &&
               *out <= slot->word->most;
    }
    return false;
}

static const char *expected_text(struct sema_module *m, const struct slot *slot)
{
    struct session *s = m->s;
    const char *text = "one of: ";
    const_values choices = {0};
    switch (slot->kind) {
    case SLOT_GENERIC:
        return arena_printf(&s->module, "one of: %s",
                            elem_set_text(s, generic_set(m, slot->generic)));
    case SLOT_CONST:
        param_choices(m, slot->param, &choices);
        for (uint32_t i = 0; i < choices.count; i++)
            text = arena_printf(&s->module, "%s%s%s", text, i ? ", " : "",
                                const_text(s, choices.data[i]));
        return text;
    case SLOT_PRESENT:
    case SLOT_READY:
    case SLOT_SPECIALIZE: return "0 or 1";
    case SLOT_SAME: return "the number of a tensor parameter before it";
    case SLOT_META:
    case SLOT_FIT:
    case SLOT_PARTS: return "a number from 1 to 65536";
    case SLOT_TUNE: return "a number, true, false or one of its words";
    case SLOT_SCHEDULE:
        return arena_printf(&s->module, "a number from %lld to %lld", (long long)slot->word->least,
                            (long long)slot->word->most);
    }
    return text;
}

static bool parse_pair(struct sema_module *m, const struct item *k, const slots *all,
                       const char *pair, size_t length, struct binding *out)
{
    struct session *s = m->s;
    VEC(const char *) names = {0};
    const char *kernel = k->name.text;
    const char *equals = memchr(pair, '=', length);
    if (!equals)
        return diag_error(s, (struct span){0}, DIAG_BAD_BINDING, "\"%.*s\" is not name=value",
                          (int)length, pair);
    const char *name = intern(s, pair, (size_t)(equals - pair));
    const char *value = intern(s, equals + 1, length - (size_t)(equals - pair) - 1);
    for (uint32_t i = 0; i < all->count; i++) {
        const struct slot *slot = &all->data[i];
        vec_push(&s->scratch, &names, slot->name);
        if (strcmp(slot->name, name) != 0)
            continue;
        *out = (struct binding){.name = slot->name};
        if (parse_value(m, slot, value, &out->value))
            return true;
        return diag_error(s, (struct span){0}, DIAG_BAD_BINDING,
                          "%s of %s cannot be \"%s\"; it is %s", name, kernel, value,
                          expected_text(m, slot));
    }
    if (is_kernel_dim(k, name)) {
        *out = (struct binding){.name = name};
        return (parse_number(value, &out->value) && out->value >= 0) ||
               diag_error(s, (struct span){0}, DIAG_BAD_BINDING,
                          "dimension %s of %s cannot be \"%s\"", name, kernel, value);
    }
    diag_error(s, (struct span){0}, DIAG_BAD_BINDING, "%s has nothing to bind called %s", kernel,
               name);
    const char *near = nearest_name(name, names.data, names.count);
    if (near)
        diag_help(s, "did you mean %s?", near);
    return false;
}

/* Whom a pair is for: "BR=4" for any kernel, "rows.BR=4" for kernel rows. */
enum reach { FOR_THIS, FOR_OTHER, FOR_ANY };

static bool is_slot(const slots *all, const char *name, size_t length)
{
    for (uint32_t i = 0; i < all->count; i++)
        if (strlen(all->data[i].name) == length && memcmp(all->data[i].name, name, length) == 0)
            return true;
    return false;
}

/* FOR_THIS: the kernel's name is cut off. A name with a dot may be a slot's own: "parts.p". */
static enum reach find_reach(struct sema_module *m, const struct item *k, const slots *all,
                             const char **pair, size_t *length)
{
    const char *equals = memchr(*pair, '=', *length);
    size_t name = equals ? (size_t)(equals - *pair) : *length;
    const char *dot = memchr(*pair, '.', name);
    if (!dot || is_slot(all, *pair, name))
        return FOR_ANY;
    size_t prefix = (size_t)(dot - *pair);
    const char *of = intern(m->s, *pair, prefix);
    if (of == k->name.text) {
        *pair += prefix + 1;
        *length -= prefix + 1;
        return FOR_THIS;
    }
    const struct sema_item *item = sema_find(m, of);
    return item && item->ast->kind == ITEM_KERNEL ? FOR_OTHER : FOR_ANY;
}

/* The pairs of one reach, in order. */
static bool parse_reach(struct sema_module *m, const struct item *k, const slots *all,
                        const char *text, enum reach reach, binding_list *list)
{
    bool good = true;
    for (; text && *text; text += *text == ',') {
        const char *pair = text + strspn(text, " ");
        size_t length = strcspn(text, ",");
        text += length;
        length = pair < text ? (size_t)(text - pair) : 0;
        while (length && pair[length - 1] == ' ')
            length--;
        struct binding b;
        if (!length || find_reach(m, k, all, &pair, &length) != reach)
            continue;
        if (parse_pair(m, k, all, pair, length, &b))
            vec_push(&m->s->module, list, b);
        else
            good = false;
    }
    return good;
}

static struct bindings dims_among(const struct sema_item *item, const struct bindings *given)
{
    binding_list list = {0};
    for (uint32_t i = 0; i < given->count; i++)
        if (is_kernel_dim(item->ast, given->list[i].name))
            vec_push(&item->module->s->module, &list, given->list[i]);
    return (struct bindings){list.data, list.count};
}

/* What is said of this kernel goes before what is said of all: the first of a name counts. */
bool sema_parse_bindings(struct sema_module *m, const char *kernel, const char *text,
                         const struct sema_device *device, struct bindings *out,
                         struct bindings *dims)
{
    slots all = {0};
    binding_list list = {0};
    struct sema_item *item = find_kernel(m, kernel);
    *out = (struct bindings){0};
    if (dims)
        *dims = (struct bindings){0};
    if (!item)
        return false;
    slots_of(item->module, item->ast, &all);
    bool good = parse_reach(item->module, item->ast, &all, text, FOR_THIS, &list);
    good &= parse_reach(item->module, item->ast, &all, text, FOR_ANY, &list);
    struct bindings given = {list.data, list.count};
    if (dims)
        *dims = dims_among(item, &given);
    return complete_bindings(item->module, item->ast, &given, device, out) && good;
}

/* ---- as text ---------------------------------------------------------------------------------- */

static const char *binding_text(struct sema_module *m, const struct slot *slot, int64_t value)
{
    struct session *s = m->s;
    const struct item *of = slot->kind == SLOT_CONST ? enum_of_type(m, slot->param->type) : NULL;
    if (slot->kind == SLOT_GENERIC)
        return ir_elem_name((enum ir_elem)value);
    if (of)
        return of->members.data[value].text;
    if (slot->kind == SLOT_CONST)
        return const_text(s, const_of_binding(m, slot->param, value));
    if (slot->kind == SLOT_TUNE && tune_kind(m, slot->tune) == TUNE_WORD)
        return slot->tune->values.data[value].lo->string;
    return arena_printf(&s->module, "%lld", (long long)value);
}

const char *sema_print_bindings(struct sema_module *m, const char *kernel,
                                const struct bindings *bindings)
{
    struct sema_item *item = find_kernel(m, kernel);
    slots all = {0};
    const char *text = "";
    if (!item)
        return text;
    slots_of(item->module, item->ast, &all);
    for (uint32_t i = 0; i < all.count; i++) {
        int64_t value;
        const struct slot *slot = &all.data[i];
        if (find_binding(bindings, slot->name, &value))
            text = arena_printf(&m->s->module, "%s%s%s=%s", text, *text ? "," : "", slot->name,
                                binding_text(item->module, slot, value));
    }
    return text;
}
