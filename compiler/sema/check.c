/* Checking a whole file: every kernel in all its combinations, functions alone, declarations. */
#include "sema/elab.h"
#include "sema/variant.h"

/* Up to FULL combinations of types, consts and presence are all elaborated. Beyond that every pair
 * of values of every two parameters meets once with the others at their first value. */
#define FULL_MAX     256
#define VARIANTS_MAX 1000000

/* ---- combinations --------------------------------------------------------------------------- */

struct dimension {
    const char *name;
    VEC(int64_t) values;
};

typedef VEC(struct dimension) dimensions;

static bool dimension_of(struct sema_module *m, const struct slot *slot, struct dimension *out)
{
    struct arena *a = &m->s->module;
    const_values choices = {0};
    *out = (struct dimension){.name = slot->name};
    if (slot->kind == SLOT_GENERIC) {
        elem_set set = generic_set(m, slot->generic);
        for (int64_t i = 0; i < IR_ELEM_COUNT; i++)
            if (set >> i & 1)
                vec_push(a, &out->values, i);
    } else if (slot->kind == SLOT_CONST) {
        if (!param_choices(m, slot->param, &choices))
            return false;
        for (uint32_t i = 0; i < choices.count; i++)
            vec_push(a, &out->values, binding_of_const(choices.data[i]));
    } else {
        vec_push(a, &out->values, 1);
        vec_push(a, &out->values, 0);
    }
    return out->values.count != 0;
}

static bool dimensions_of(struct sema_module *m, const struct item *k, dimensions *out)
{
    slots all = {0};
    bool good = true;
    slots_of(m, k, &all);
    for (uint32_t i = 0; i < all.count; i++) {
        struct dimension d;
        enum slot_kind kind = all.data[i].kind;
        if (kind != SLOT_GENERIC && kind != SLOT_CONST && kind != SLOT_PRESENT)
            continue;
        if (dimension_of(m, &all.data[i], &d))
            vec_push(&m->s->module, out, d);
        else
            good = false;
    }
    return good;
}

/* Elaborates the combination with the given choice in each dimension. */
static bool check_choice(struct sema_item *item, const dimensions *dims, const uint32_t *choice,
                         bool *some)
{
    struct session *s = item->module->s;
    VEC(struct binding) list = {0};
    for (uint32_t i = 0; i < dims->count; i++) {
        struct binding b = {dims->data[i].name, dims->data[i].values.data[choice[i]]};
        vec_push(&s->module, &list, b);
    }
    struct bindings given = {list.data, list.count}, all;
    struct sema_device any = {0};
    uint32_t errors = s->errors;
    if (complete_bindings(item->module, item->ast, &given, &any, &all))
        *some |= elab_kernel(item, &all, true) != NULL;
    return s->errors == errors;
}

static bool next_choice(const dimensions *dims, uint32_t *choice)
{
    for (uint32_t i = dims->count; i > 0; i--) {
        if (++choice[i - 1] < dims->data[i - 1].values.count)
            return true;
        choice[i - 1] = 0;
    }
    return false;
}

/* One failing combination is enough: the others would mostly repeat its errors. */
static bool check_all(struct sema_item *item, const dimensions *dims, uint32_t *choice, bool *some)
{
    do
        if (!check_choice(item, dims, choice, some))
            return false;
    while (next_choice(dims, choice));
    return true;
}

static bool check_pair(struct sema_item *item, const dimensions *dims, uint32_t *choice, uint32_t i,
                       uint32_t j, bool *some)
{
    bool good = true;
    for (choice[i] = 0; good && choice[i] < dims->data[i].values.count; choice[i]++)
        for (choice[j] = 0; good && choice[j] < dims->data[j].values.count; choice[j]++)
            if ((choice[i] && choice[j]) || j == i + 1)
                good = check_choice(item, dims, choice, some);
    choice[i] = choice[j] = 0;
    return good;
}

static bool check_pairs(struct sema_item *item, const dimensions *dims, uint32_t *choice,
                        bool *some)
{
    for (uint32_t i = 0; i < dims->count; i++)
        for (uint32_t j = i + 1; j < dims->count; j++)
            if (!check_pair(item, dims, choice, i, j, some))
                return false;
    return true;
}

static bool check_variants(struct sema_item *item)
{
    struct session *s = item->module->s;
    dimensions dims = {0};
    uint64_t count = 1;
    if (!dimensions_of(item->module, item->ast, &dims))
        return false;
    for (uint32_t i = 0; i < dims.count && count <= VARIANTS_MAX; i++)
        count *= dims.data[i].values.count;
    if (count > VARIANTS_MAX) {
        diag_error(s, item->ast->name.at, DIAG_TOO_MANY_VARIANTS, "%s has more than %d variants",
                   item->ast->name.text, VARIANTS_MAX);
        return diag_help(s, "tie generics together, or list fewer values of its const parameters");
    }
    uint32_t *choice = arena_array(&s->module, uint32_t, dims.count + 1);
    bool some = false;
    bool all = count <= FULL_MAX || dims.count < 2;
    bool good =
        all ? check_all(item, &dims, choice, &some) : check_pairs(item, &dims, choice, &some);
    if (good && !some && item->ast->kernel.requires.count)
        good = diag_error(s, item->ast->kernel.requires.data[0].test->at, DIAG_FALSE_FACT,
                          "no variant of %s keeps what it requires", item->ast->name.text);
    return good;
}

/* ---- tune ----------------------------------------------------------------------------------- */

static const struct ast_tune *find_tune(const struct item *k, const char *name)
{
    for (uint32_t i = 0; i < k->kernel.tune.count; i++)
        if (k->kernel.tune.data[i].name.text == name)
            return &k->kernel.tune.data[i];
    return NULL;
}

static void check_setting(const struct const_scope *scope, const struct item *k,
                          const struct ast_setting *setting)
{
    struct session *s = scope->m->s;
    const struct ast_tune *t = find_tune(k, setting->name.text);
    const struct schedule_word *word = find_schedule_word(setting->name.text);
    int64_t value;
    if (!t && word) {
        schedule_value(scope, word, setting->value, &value);
        return;
    }
    if (!t) {
        VEC(const char *) names = {0};
        for (uint32_t i = 0; i < k->kernel.tune.count; i++)
            vec_push(&s->scratch, &names, k->kernel.tune.data[i].name.text);
        diag_error(s, setting->name.at, DIAG_UNKNOWN_NAME, "there is no tuned value called %s",
                   setting->name.text);
        const char *near = nearest_name(setting->name.text, names.data, names.count);
        if (near)
            diag_help(s, "did you mean %s?", near);
        return;
    }
    if (!tune_value(scope, t, setting->value, &value) || tune_has(scope, t, value))
        return;
    diag_error(s, setting->value->at, DIAG_DEFAULT_OUTSIDE, "%lld is not among the values of %s",
               (long long)value, t->name.text);
    diag_note(s, t->name.at, "the values of %s are listed here", t->name.text);
}

static void check_truth(const struct const_scope *scope, const struct expr *x, const char *what)
{
    struct const_value v;
    if (!const_eval(scope, x, &v) || v.elem == IR_BOOL)
        return;
    diag_error(scope->m->s, x->at, DIAG_NOT_BOOL, "the %s is %s, not a bool", what,
               const_kind_text(scope->m->s, v));
}

static void check_default(const struct const_scope *scope, const struct item *k,
                          const struct ast_default *d)
{
    struct session *s = scope->m->s;
    for (uint32_t i = 0; i < d->settings.count; i++)
        check_setting(scope, k, &d->settings.data[i]);
    for (uint32_t i = 0; i < k->kernel.tune.count; i++) {
        const struct ast_tune *t = &k->kernel.tune.data[i];
        bool named = false;
        for (uint32_t j = 0; j < d->settings.count; j++)
            named |= d->settings.data[j].name.text == t->name.text;
        if (!named && !is_schedule_name(t->name.text))
            diag_error(s, d->at, DIAG_NO_DEFAULT, "the default leaves out %s", t->name.text);
    }
    if (d->own)
        check_truth(scope, d->own, "condition of the default");
}

static void check_schedule(struct session *s, const struct ast_tune *t, const struct expr *x,
                           int64_t value)
{
    const struct schedule_word *word = find_schedule_word(t->name.text);
    if (word && (value < word->least || value > word->most))
        diag_error(s, x->at, DIAG_BAD_SCHEDULE, "%s is a number from %lld to %lld", word->name,
                   (long long)word->least, (long long)word->most);
}

static void check_tune_values(const struct const_scope *scope, const struct ast_tune *t)
{
    for (uint32_t i = 0; i < t->values.count; i++) {
        const struct ast_tune_value *c = &t->values.data[i];
        int64_t lo, hi, step = 1;
        if (!tune_value(scope, t, c->lo, &lo))
            continue;
        if (tune_kind(scope->m, t) == TUNE_NUMBER)
            check_schedule(scope->m->s, t, c->lo, lo);
        if (c->hi && tune_value(scope, t, c->hi, &hi) &&
            (!c->step || tune_value(scope, t, c->step, &step)) && (step < 1 || hi <= lo))
            diag_error(scope->m->s, c->lo->at, DIAG_BAD_TUNE, "this range of %s is empty",
                       t->name.text);
    }
}

static void check_tune(struct sema_item *item)
{
    const struct item *k = item->ast;
    struct session *s = item->module->s;
    struct header_scope header = {.m = item->module, .kernel = k};
    struct const_scope scope = header_const_scope(&header);
    bool always = false;
    for (uint32_t i = 0; i < k->kernel.tune.count; i++)
        check_tune_values(&scope, &k->kernel.tune.data[i]);
    for (uint32_t i = 0; i < k->kernel.where.count; i++)
        check_truth(&scope, k->kernel.where.data[i], "condition");
    for (uint32_t i = 0; i < k->kernel.groups.count; i++)
        check_truth(&scope, k->kernel.groups.data[i], "condition of the defaults");
    for (uint32_t i = 0; i < k->kernel.defaults.count; i++) {
        check_default(&scope, k, &k->kernel.defaults.data[i]);
        always |= !k->kernel.defaults.data[i].where;
    }
    if (k->kernel.tune.count && !always) {
        diag_error(s, k->kernel.tune_at, DIAG_NO_DEFAULT, "tune needs a default without `where`");
        diag_help(s, "add `default { %s = ... };`", k->kernel.tune.data[0].name.text);
    }
}

/* ---- functions ------------------------------------------------------------------------------ */

/* A value of a parameter's type, as if it came from a caller. */
static struct value sample_value(struct elab *e, const struct ast_param *p, enum ir_elem generic,
                                 bool is_generic)
{
    struct place place = {.kind = PLACE_ELEM, .elem = generic, .lifts = true};
    struct ir_value *parts[MAX_FIELDS];
    struct ir_type types[MAX_FIELDS];
    const_values choices = {0};
    if (p->is_const) {
        if (p->choices.count || enum_of_type(e->m, p->type)) {
            param_choices(e->m, p, &choices);
            return choices.count ? value_const(choices.data[0]) : value_poison();
        }
    }
    if (!is_generic)
        place = resolve_place(e, p->type);
    if (p->is_const && place.kind == PLACE_ELEM)
        return convert_value(e, p->name.at, value_const(const_literal_int(1)), place.elem);
    if (place.kind == PLACE_ENUM) {
        diag_error(e->s, p->type->at, DIAG_BAD_TYPE,
                   "an enum exists only at compile time: write `const %s`", p->name.text);
        return value_poison();
    }
    place_types(&place, types);
    for (uint32_t i = 0; i < place_width(&place); i++)
        parts[i] = ir_block_arg(e->f, e->f->body, types[i]);
    return value_of_parts(e, &place, parts);
}

static bool check_fn_with(struct sema_item *item, const enum ir_elem *types)
{
    struct session *s = item->module->s;
    const struct item *fn = item->ast;
    struct value args[16];
    struct span spans[16];
    uint32_t errors = s->errors;
    struct elab *e = elab_new(item->module, NULL, fn->name.text);
    e->warn = true;
    for (uint32_t i = 0; i < fn->params.count; i++) {
        const struct ast_param *p = &fn->params.data[i];
        enum ir_elem elem = IR_F32;
        bool is_generic = false;
        for (uint32_t g = 0; g < fn->generics.count; g++)
            if (p->type->kind == TYPE_NAME &&
                p->type->name.text == fn->generics.data[g].name.text) {
                is_generic = true;
                elem = types[g];
            }
        args[i] = sample_value(e, p, elem, is_generic);
        spans[i] = p->name.at;
        if (is_poison(args[i]))
            return false;
    }
    inline_fn(e, fn->name.at, item, args, spans, fn->params.count);
    report_unused(e, errors);
    return s->errors == errors;
}

/* A function alone: once for each type of each generic, the others at their first. */
static void check_fn(struct sema_item *item)
{
    const struct item *fn = item->ast;
    struct session *s = item->module->s;
    enum ir_elem first[16] = {0}, types[16];
    if (fn->generics.count > 16 || fn->params.count > 16) {
        diag_error(s, fn->name.at, DIAG_TOO_LARGE, "a function has at most 16 parameters");
        return;
    }
    elem_set sets[16];
    for (uint32_t g = 0; g < fn->generics.count; g++) {
        sets[g] = generic_set(item->module, &fn->generics.data[g]);
        if (!sets[g])
            return;
        while (!(sets[g] >> first[g] & 1))
            first[g]++;
    }
    memcpy(types, first, sizeof types);
    bool good = check_fn_with(item, types);
    for (uint32_t g = 0; g < fn->generics.count; g++) {
        for (types[g] = first[g] + 1; good && types[g] < IR_ELEM_COUNT; types[g]++)
            if (sets[g] >> types[g] & 1)
                good = check_fn_with(item, types);
        types[g] = first[g];
    }
}

/* ---- the other items ------------------------------------------------------------------------ */

static void check_duplicates(struct session *s, const ast_params *params, const char *what)
{
    for (uint32_t i = 0; i < params->count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (params->data[i].name.text == params->data[j].name.text) {
                diag_error(s, params->data[i].name.at, DIAG_DUPLICATE_NAME,
                           "%s has two fields called %s", what, params->data[i].name.text);
                break;
            }
}

static void check_struct(struct sema_item *item)
{
    check_duplicates(item->module->s, &item->ast->params, item->ast->name.text);
    check_fields(item->module->s, item->ast);
}

static void check_kernel(struct sema_item *item)
{
    uint32_t errors = item->module->s->errors;
    check_tune(item);
    if (item->module->s->errors == errors)
        check_variants(item);
}

static void check_item(struct sema_item *item)
{
    switch (item->ast->kind) {
    case ITEM_CONST: sema_const(item); break;
    case ITEM_STRUCT: check_struct(item); break;
    case ITEM_FN: check_fn(item); break;
    case ITEM_KERNEL: check_kernel(item); break;
    case ITEM_IMPORT:
    case ITEM_ENUM:
    case ITEM_OP:
    case ITEM_EXTERN_OP: break;
    }
}

static void check_imports(struct sema_module *m)
{
    for (uint32_t i = 0; i < m->imports.count; i++)
        if (!m->imports.data[i].used)
            diag_warning(m->s, m->imports.data[i].ast->at, DIAG_UNUSED, "nothing of \"%s\" is used",
                         m->imports.data[i].ast->import.path);
}

bool sema_check(struct sema_module *m)
{
    uint32_t errors = m->s->errors;
    if (errors != m->syntax_errors || m->file->cut)
        return false; /* imports are missing, or more */
    for (uint32_t i = 0; i < m->items.count; i++)
        if (!m->items.data[i]->ast->damaged)
            check_item(m->items.data[i]);
    sema_check_ops(m);
    if (!m->s->errors)
        check_imports(m);
    return m->s->errors == 0;
}
