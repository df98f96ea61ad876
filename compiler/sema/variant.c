/* The bindings of a variant: which there are, what each may be, and what it is by default. */
#include "sema/variant.h"
#include "sema/elab.h"

#include <ldsl/schedule.h>

bool find_binding(const struct bindings *b, const char *name, int64_t *value)
{
    for (uint32_t i = 0; b && i < b->count; i++)
        if (strcmp(b->list[i].name, name) == 0) {
            *value = b->list[i].value;
            return true;
        }
    return false;
}

struct sema_item *find_kernel(struct sema_module *m, const char *name)
{
    struct sema_item *item = sema_find(m, intern_text(m->s, name));
    const char *colon = strrchr(name, ':'); /* "path:name": of a file that is not imported here */
    if (!item && colon)
        item = sema_find_at(m, intern(m->s, name, (size_t)(colon - name)),
                            intern_text(m->s, colon + 1));
    if (item && item->ast->kind == ITEM_KERNEL)
        return item;
    diag_error(m->s, (struct span){0}, DIAG_NOT_A_KERNEL, "there is no kernel called %s in %s",
               name, m->path);
    const char *near = nearest_item(m, name, 1u << ITEM_KERNEL);
    if (near)
        diag_help(m->s, "did you mean %s?", near);
    return NULL;
}

/* ---- schedule values ------------------------------------------------------------------------ */

static const struct schedule_word schedule_words[] = {
#define X(name, least, most, tries, meaning) {#name, least, most},
    LDSL_SCHEDULE_LIST(X)
#undef X
};
enum { SCHEDULE_WORDS = sizeof schedule_words / sizeof *schedule_words };

const struct schedule_word *find_schedule_word(const char *name)
{
    for (unsigned i = 0; i < SCHEDULE_WORDS; i++)
        if (strcmp(schedule_words[i].name, name) == 0)
            return &schedule_words[i];
    return NULL;
}

bool is_schedule_name(const char *name)
{
    static const char *const reserved[] = {"persistent", "raster", "roles"};
    for (unsigned i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strcmp(reserved[i], name) == 0)
            return true;
    return find_schedule_word(name) != NULL;
}

/* ---- slots ---------------------------------------------------------------------------------- */

static bool is_fit(const struct expr *x)
{
    return x && x->kind == EXPR_CALL && x->call.callee->kind == EXPR_NAME &&
           strcmp(x->call.callee->string, "fit") == 0 && x->call.args.count == 1;
}

/* The names of axes with inline fit, or with parts, wherever the body declares them. */
static void axis_slots(struct sema_module *m, const ast_block *block, enum slot_kind kind,
                       slots *out)
{
    struct arena *a = &m->s->module;
    for (uint32_t i = 0; i < block->count; i++) {
        const struct stmt *st = block->data[i];
        if (st->kind == STMT_IF) {
            axis_slots(m, &st->branch.body, kind, out);
            axis_slots(m, &st->branch.no, kind, out);
        } else if (st->kind == STMT_BLOCK) {
            axis_slots(m, &st->block, kind, out);
        } else if (st->kind == STMT_AXIS && kind == SLOT_FIT && is_fit(st->axis.tile)) {
            struct slot slot = {.kind = kind, .fit = st->axis.tile->call.args.data[0].value};
            slot.name = arena_printf(a, "fit.%s", st->axis.name.text);
            vec_push(a, out, slot);
        } else if (st->kind == STMT_AXIS && kind == SLOT_PARTS && st->axis.parts.text) {
            struct slot slot = {.kind = kind};
            slot.name = arena_printf(a, "parts.%s", st->axis.parts.text);
            vec_push(a, out, slot);
        }
    }
}

static bool lists(const struct item *k, const char *name)
{
    for (uint32_t i = 0; i < k->kernel.tune.count; i++)
        if (strcmp(k->kernel.tune.data[i].name.text, name) == 0)
            return true;
    return false;
}

static void schedule_slots(struct sema_module *m, const struct item *k, slots *out)
{
    for (unsigned i = 0; i < SCHEDULE_WORDS; i++) {
        const struct schedule_word *word = &schedule_words[i];
        struct slot slot = {
            .kind = SLOT_SCHEDULE, .name = intern_text(m->s, word->name), .word = word};
        if (!lists(k, word->name))
            vec_push(&m->s->module, out, slot);
    }
}

/* One slot for each tensor parameter, "word.name". */
static void tensor_slots(struct sema_module *m, const struct item *k, enum slot_kind kind,
                         const char *word, slots *out)
{
    struct arena *a = &m->s->module;
    for (uint32_t i = 0; i < k->params.count; i++) {
        const struct ast_param *p = &k->params.data[i];
        if (p->type->kind == TYPE_TENSOR)
            vec_push(a, out,
                     ((struct slot){.kind = kind,
                                    .name = arena_printf(a, "%s.%s", word, p->name.text),
                                    .param = p}));
    }
}

void slots_of(struct sema_module *m, const struct item *k, slots *out)
{
    struct arena *a = &m->s->module;
    for (uint32_t i = 0; i < k->generics.count; i++)
        vec_push(a, out,
                 ((struct slot){.kind = SLOT_GENERIC,
                                .name = k->generics.data[i].name.text,
                                .generic = &k->generics.data[i]}));
    for (uint32_t i = 0; i < k->params.count; i++)
        if (k->params.data[i].is_const)
            vec_push(a, out,
                     ((struct slot){.kind = SLOT_CONST,
                                    .name = k->params.data[i].name.text,
                                    .param = &k->params.data[i]}));
    for (uint32_t i = 0; i < k->params.count; i++)
        if (k->params.data[i].type->kind == TYPE_TENSOR && k->params.data[i].type->optional)
            vec_push(a, out,
                     ((struct slot){.kind = SLOT_PRESENT,
                                    .name = arena_printf(a, "%s?", k->params.data[i].name.text)}));
    tensor_slots(m, k, SLOT_SAME, "same", out);
    for (uint32_t i = 0; i < k->kernel.specialize.count; i++)
        vec_push(a, out,
                 ((struct slot){.kind = SLOT_SPECIALIZE,
                                .name = arena_printf(a, "specialize.%u", i),
                                .group = &k->kernel.specialize.data[i]}));
    for (uint32_t i = 0; i < k->kernel.meta.count; i++)
        vec_push(a, out,
                 ((struct slot){.kind = SLOT_META,
                                .name = k->kernel.meta.data[i].name.text,
                                .meta = &k->kernel.meta.data[i]}));
    axis_slots(m, &k->kernel.body, SLOT_FIT, out);
    for (uint32_t i = 0; i < k->kernel.tune.count; i++)
        vec_push(a, out,
                 ((struct slot){.kind = SLOT_TUNE,
                                .name = k->kernel.tune.data[i].name.text,
                                .tune = &k->kernel.tune.data[i]}));
    schedule_slots(m, k, out);
    axis_slots(m, &k->kernel.body, SLOT_PARTS, out);
    tensor_slots(m, k, SLOT_READY, "ready", out);
}

/* ---- compile-time names of the header ------------------------------------------------------- */

static bool names_dim(const struct expr *x, const char *name)
{
    switch ((int)x->kind) {
    case EXPR_NAME: return x->string == name;
    case EXPR_UNARY: return names_dim(x->unary.operand, name);
    case EXPR_BINARY: return names_dim(x->binary.left, name) || names_dim(x->binary.right, name);
    default: return false;
    }
}

bool is_kernel_dim(const struct item *k, const char *name)
{
    for (uint32_t i = 0; i < k->params.count; i++) {
        const struct type_expr *t = k->params.data[i].type;
        for (uint32_t d = 0; t->kind == TYPE_TENSOR && d < t->dims.count; d++)
            if (names_dim(t->dims.data[d], name))
                return true;
    }
    return false;
}

static struct const_value scalar_param(const struct ast_param *p)
{
    enum ir_elem elem = IR_F32; /* a generic scalar: any float will do for checking */
    if (p->type->kind == TYPE_NAME)
        elem_named(p->type->name.text, &elem);
    return const_unknown(elem);
}

/* T, or f32 to compare it with. */
static bool type_name(const struct item *k, const char *name, bool known, int64_t value,
                      struct const_value *out)
{
    enum ir_elem elem;
    for (uint32_t i = 0; i < k->generics.count; i++)
        if (k->generics.data[i].name.text == name) {
            *out = const_type(known ? value : -1);
            return true;
        }
    if (!elem_named(name, &elem) || elem == IR_INDEX)
        return false;
    *out = const_type(elem);
    return true;
}

/* `specialized`: whether one of the kernel's groups holds. */
static bool specialized_name(const struct header_scope *h, const char *name,
                             struct const_value *out)
{
    int64_t holds;
    if (!h->kernel->kernel.specialize.count || strcmp(name, WORD_SPECIALIZED) != 0)
        return false;
    *out = const_unknown(IR_BOOL);
    for (uint32_t i = 0; i < h->kernel->kernel.specialize.count; i++) {
        const char *group = arena_printf(&h->m->s->scratch, "specialize.%u", i);
        if (find_binding(h->bindings, group, &holds) && (holds || out->kind != CONST_BOOL))
            *out = const_bool(holds != 0);
    }
    return true;
}

static bool header_name(void *user, struct ast_name name, struct const_value *out)
{
    struct header_scope *h = user;
    const struct item *k = h->kernel;
    int64_t value = 0;
    bool known = find_binding(h->bindings, name.text, &value);
    if (type_name(k, name.text, known, value, out))
        return true;
    for (uint32_t i = 0; i < k->params.count; i++) {
        const struct ast_param *p = &k->params.data[i];
        if (p->name.text != name.text || p->type->kind == TYPE_TENSOR)
            continue;
        *out = !p->is_const ? scalar_param(p)
               : known      ? const_of_binding(h->m, p, value)
                            : const_poison();
        return true;
    }
    for (uint32_t i = 0; i < k->kernel.tune.count; i++)
        if (k->kernel.tune.data[i].name.text == name.text) {
            bool truth = tune_kind(h->m, &k->kernel.tune.data[i]) == TUNE_BOOL;
            *out = !known  ? const_unknown(truth ? IR_BOOL : IR_INDEX)
                   : truth ? const_bool(value != 0)
                           : const_int(IR_INDEX, value);
            return true;
        }
    for (uint32_t i = 0; i < k->kernel.meta.count; i++)
        if (k->kernel.meta.data[i].name.text == name.text) {
            *out = known ? const_int(IR_INDEX, value) : const_unknown(IR_INDEX);
            return true;
        }
    if (!is_kernel_dim(k, name.text))
        return specialized_name(h, name.text, out);
    *out = find_binding(h->given, name.text, &value) ? const_int(IR_INDEX, value)
                                                     : const_unknown(IR_INDEX);
    return true;
}

/* Known of a variant, not of the kernel. */
static bool header_has(void *user, struct ast_name name, struct const_value *out)
{
    struct header_scope *h = user;
    int64_t present;
    const char *binding = arena_printf(&h->m->s->scratch, "%s?", name.text);
    *out = find_binding(h->bindings, binding, &present) ? const_bool(present != 0)
                                                        : const_unknown(IR_BOOL);
    for (uint32_t i = 0; i < h->kernel->params.count; i++)
        if (h->kernel->params.data[i].name.text == name.text &&
            h->kernel->params.data[i].type->optional)
            return true;
    *out = const_poison();
    return diag_error(h->m->s, name.at, DIAG_NOT_OPTIONAL, "%s is not optional", name.text);
}

struct const_scope header_const_scope(struct header_scope *h)
{
    static const struct sema_device nothing = {0};
    return (struct const_scope){
        .m = h->m, .name = header_name, .has = header_has, .user = h, .device = &nothing};
}

/* ---- tuned values --------------------------------------------------------------------------- */

static bool is_word(struct sema_module *m, const struct expr *x)
{
    return x->kind == EXPR_NAME && !sema_find(m, x->string);
}

enum tune_kind tune_kind(struct sema_module *m, const struct ast_tune *t)
{
    const struct expr *first = t->values.count ? t->values.data[0].lo : NULL;
    if (first && first->kind == EXPR_BOOL)
        return TUNE_BOOL;
    return first && is_word(m, first) ? TUNE_WORD : TUNE_NUMBER;
}

static bool word_value(struct sema_module *m, const struct ast_tune *t, const struct expr *x,
                       int64_t *out)
{
    VEC(const char *) words = {0};
    for (uint32_t i = 0; x->kind == EXPR_NAME && i < t->values.count; i++) {
        const struct expr *word = t->values.data[i].lo;
        if (word->kind != EXPR_NAME)
            continue;
        if (word->string == x->string) {
            *out = i;
            return true;
        }
        vec_push(&m->s->scratch, &words, word->string);
    }
    diag_error(m->s, x->at, DIAG_BAD_TUNE, "%s is not one of the words of %s",
               x->kind == EXPR_NAME ? x->string : "this", t->name.text);
    const char *near =
        x->kind == EXPR_NAME ? nearest_name(x->string, words.data, words.count) : NULL;
    if (near)
        diag_help(m->s, "did you mean %s?", near);
    return false;
}

bool tune_value(const struct const_scope *scope, const struct ast_tune *t, const struct expr *x,
                int64_t *out)
{
    struct session *s = scope->m->s;
    enum tune_kind kind = tune_kind(scope->m, t);
    struct const_value v;
    if (kind == TUNE_WORD)
        return word_value(scope->m, t, x, out);
    if (!const_eval(scope, x, &v))
        return false;
    enum const_kind wanted = kind == TUNE_BOOL ? CONST_BOOL : CONST_INT;
    if (v.kind != wanted)
        return diag_error(s, x->at, DIAG_BAD_TUNE, "%s is %s here, not %s", t->name.text,
                          kind == TUNE_BOOL ? "true or false" : "a number", const_kind_text(s, v));
    *out = v.i;
    return true;
}

bool tune_has(const struct const_scope *scope, const struct ast_tune *t, int64_t value)
{
    for (uint32_t i = 0; i < t->values.count; i++) {
        const struct ast_tune_value *c = &t->values.data[i];
        int64_t lo, hi, step = 1;
        if (!tune_value(scope, t, c->lo, &lo))
            return true; /* reported */
        if (lo == value)
            return true;
        if (!c->hi)
            continue;
        if (!tune_value(scope, t, c->hi, &hi) || (c->step && !tune_value(scope, t, c->step, &step)))
            return true;
        if (step > 0 && value >= lo && value < hi && (value - lo) % step == 0)
            return true;
    }
    return false;
}

/* Whether the condition is known to hold. */
static bool surely(const struct const_scope *scope, const struct expr *condition)
{
    struct const_value v;
    scope->m->s->muted++; /* the check of the file reports */
    bool known = const_eval(scope, condition, &v) && v.kind == CONST_BOOL;
    scope->m->s->muted--;
    return known && v.i;
}

/* The first default that surely holds, or the last one; NULL: there is none. */
static const struct ast_default *choose_default(const struct const_scope *scope,
                                                const struct item *k)
{
    for (uint32_t i = 0; i < k->kernel.defaults.count; i++) {
        const struct ast_default *d = &k->kernel.defaults.data[i];
        if (!d->where || surely(scope, d->where))
            return d;
    }
    return k->kernel.defaults.count ? &vec_last(&k->kernel.defaults) : NULL;
}

/* What the default says of a name, or NULL. */
static const struct expr *default_setting(const struct ast_default *d, const char *name)
{
    for (uint32_t i = 0; d && i < d->settings.count; i++)
        if (strcmp(d->settings.data[i].name.text, name) == 0)
            return d->settings.data[i].value;
    return NULL;
}

static bool tune_default(const struct const_scope *scope, const struct ast_default *d,
                         const struct ast_tune *t, int64_t *out)
{
    const struct expr *value = default_setting(d, t->name.text);
    if (value)
        return tune_value(scope, t, value, out);
    return t->values.count && tune_value(scope, t, t->values.data[0].lo, out);
}

bool schedule_value(const struct const_scope *scope, const struct schedule_word *word,
                    const struct expr *x, int64_t *out)
{
    struct session *s = scope->m->s;
    struct const_value v;
    if (!const_eval(scope, x, &v))
        return false;
    *out = v.i;
    if ((v.kind == CONST_INT || v.kind == CONST_BOOL) && v.i >= word->least && v.i <= word->most)
        return true;
    return diag_error(s, x->at, DIAG_BAD_SCHEDULE, "%s is a number from %lld to %lld", word->name,
                      (long long)word->least, (long long)word->most);
}

/* ---- choices -------------------------------------------------------------------------------- */

bool const_param_elem(const struct ast_param *p, enum ir_elem *elem)
{
    return p->type->kind == TYPE_NAME && !p->type->module.text &&
           elem_named(p->type->name.text, elem);
}

static bool listed_choices(struct sema_module *m, const struct ast_param *p, enum ir_elem elem,
                           const struct item *of, const_values *out)
{
    struct const_scope scope = {.m = m};
    bool good = true;
    for (uint32_t i = 0; i < p->choices.count; i++) {
        const struct expr *x = p->choices.data[i];
        struct const_value v;
        if (!const_eval(&scope, x, &v)) {
            good = false;
        } else if (of ? v.kind != CONST_ENUM || v.of != of
                      : !const_adapt(m->s, x->at, v, elem, &v)) {
            if (of)
                diag_error(m->s, x->at, DIAG_IMPLICIT_CONVERSION, "%s is wanted here, not %s",
                           of->name.text, const_kind_text(m->s, v));
            good = false;
        } else {
            vec_push(&m->s->module, out, v);
        }
    }
    return good;
}

bool param_choices(struct sema_module *m, const struct ast_param *p, const_values *out)
{
    struct arena *a = &m->s->module;
    const struct item *of = enum_of_type(m, p->type);
    enum ir_elem elem = IR_BOOL;
    if (!of && !const_param_elem(p, &elem))
        return diag_error(m->s, p->type->at, DIAG_BAD_TYPE,
                          "a const parameter is an integer, a float, a bool or an enum");
    if (p->choices.count)
        return listed_choices(m, p, elem, of, out);
    for (uint32_t i = 0; of && i < of->members.count; i++)
        vec_push(a, out, const_enum(of, i));
    for (int i = 0; !of && elem == IR_BOOL && i < 2; i++)
        vec_push(a, out, const_bool(i));
    if (of || elem == IR_BOOL)
        return true;
    diag_error(m->s, p->name.at, DIAG_NO_CHOICES, "the values of const %s must be listed",
               p->name.text);
    return diag_help(m->s, "for example `const %s: %s in {1, 2, 4}`", p->name.text,
                     ir_elem_name(elem));
}

int64_t binding_of_const(struct const_value v)
{
    int64_t bits;
    if (v.kind != CONST_FLOAT)
        return v.i;
    memcpy(&bits, &v.f, sizeof bits);
    return bits;
}

struct const_value const_of_binding(struct sema_module *m, const struct ast_param *p, int64_t value)
{
    const struct item *of = enum_of_type(m, p->type);
    enum ir_elem elem = IR_INDEX;
    if (of)
        return value >= 0 && value < (int64_t)of->members.count ? const_enum(of, value)
                                                                : const_poison();
    const_param_elem(p, &elem);
    if (elem == IR_BOOL)
        return const_bool(value != 0);
    if (!ir_elem_is_float(elem))
        return const_int(elem, value);
    struct const_value v = {.kind = CONST_FLOAT, .elem = elem};
    memcpy(&v.f, &value, sizeof v.f);
    return v;
}

/* ---- defaults ------------------------------------------------------------------------------- */

/* The cover that a launch with the dims given would take; of 1024 if they do not tell. */
static int64_t cover_of(const struct const_scope *scope, const struct expr *extent)
{
    struct const_value v;
    scope->m->s->muted++; /* it may use values of the body: not ours to judge */
    bool known = const_eval(scope, extent, &v) && v.kind == CONST_INT;
    scope->m->s->muted--;
    if (!known || v.i < 1 || v.i > FIT_MAX)
        return fit_cover(1024);
    const struct header_scope *h = scope->user;
    struct const_value specialized;
    bool loose = scope->device->is_gpu && specialized_name(h, WORD_SPECIALIZED, &specialized) &&
                 specialized.kind == CONST_BOOL && !specialized.i;
    int64_t most = loose ? v.i + FIT_SLACK : v.i;
    return fit_cover(most < FIT_MAX ? most : FIT_MAX);
}

/* The value of meta: a constant, or for fit of a run-time dim its cover. */
static bool meta_default(const struct const_scope *scope, const struct ast_meta *meta, int64_t *out)
{
    struct session *s = scope->m->s;
    struct header_scope header = *(struct header_scope *)scope->user;
    struct const_scope compiled = *scope;
    struct const_value v;
    header.given = NULL;
    compiled.user = &header;
    if (!const_eval(&compiled, meta->value, &v))
        return false;
    *out = v.i;
    if (v.kind == CONST_INT || v.kind == CONST_BOOL)
        return true;
    if (v.kind == CONST_UNKNOWN && is_fit(meta->value)) {
        *out = cover_of(scope, meta->value->call.args.data[0].value);
        return true;
    }
    if (v.kind == CONST_UNKNOWN)
        return diag_error(s, meta->value->at, DIAG_CONST_EXPECTED,
                          "a meta value is known at compile time, or is `fit(...)` alone");
    return diag_error(s, meta->value->at, DIAG_BAD_TYPE,
                      "a meta value is an integer or a bool, not %s", const_kind_text(s, v));
}

static bool is_alignment(const struct expr *x)
{
    return x->kind == EXPR_CALL && x->call.callee->kind == EXPR_NAME &&
           strcmp(x->call.callee->string, "align") == 0;
}

/* Whether a launch with the dims given would take the group, of which it takes one: tensors are
 * aligned more often than not. */
static bool group_holds(const struct const_scope *scope, const struct ast_group *g)
{
    const struct bindings *sofar = ((struct header_scope *)scope->user)->bindings;
    bool asked = false;
    for (uint32_t i = 0; i < sofar->count; i++)
        if (sofar->list[i].value && strncmp(sofar->list[i].name, "specialize.", 11) == 0)
            return false;
    for (uint32_t i = 0; i < g->conditions.count; i++) {
        if (is_alignment(g->conditions.data[i]))
            continue;
        if (!surely(scope, g->conditions.data[i]))
            return false;
        asked = true;
    }
    return asked;
}

static bool slot_default(const struct const_scope *scope, const struct ast_default *d,
                         const struct slot *slot, int64_t *out)
{
    const_values choices = {0};
    elem_set set;
    switch (slot->kind) {
    case SLOT_GENERIC:
        set = generic_set(scope->m, slot->generic);
        for (*out = 0; *out < IR_ELEM_COUNT && !(set & (elem_set)1 << *out);)
            ++*out;
        return set != 0;
    case SLOT_CONST:
        if (!param_choices(scope->m, slot->param, &choices) || !choices.count)
            return false;
        *out = binding_of_const(choices.data[0]);
        return true;
    case SLOT_PRESENT: *out = 1; return true;
    case SLOT_SPECIALIZE: *out = group_holds(scope, slot->group); return true;
    case SLOT_META: return meta_default(scope, slot->meta, out);
    case SLOT_FIT: *out = cover_of(scope, slot->fit); return true;
    case SLOT_TUNE: return tune_default(scope, d, slot->tune, out);
    case SLOT_SCHEDULE:
        return schedule_value(scope, slot->word, default_setting(d, slot->name), out);
    case SLOT_SAME:
    case SLOT_READY:
    case SLOT_PARTS: return true;
    }
    return false;
}

bool is_const_choice(struct sema_module *m, const struct ast_param *p, int64_t value)
{
    const_values choices = {0};
    if (!param_choices(m, p, &choices))
        return true;
    for (uint32_t i = 0; i < choices.count; i++)
        if (binding_of_const(choices.data[i]) == value)
            return true;
    return false;
}

/* Whether a slot may have the value. A meta that is no fit has only its own. */
static bool is_legal(const struct const_scope *scope, const struct slot *slot, int64_t value)
{
    int64_t own = value;
    switch (slot->kind) {
    case SLOT_GENERIC:
        return value >= 0 && value < IR_ELEM_COUNT &&
               (generic_set(scope->m, slot->generic) >> value & 1);
    case SLOT_CONST: return is_const_choice(scope->m, slot->param, value);
    case SLOT_PRESENT:
    case SLOT_READY:
    case SLOT_SPECIALIZE: return value == 0 || value == 1;
    case SLOT_META:
        if (!is_fit(slot->meta->value))
            return !meta_default(scope, slot->meta, &own) || own == value;
        return value >= 1 && value <= FIT_MAX;
    case SLOT_FIT:
    case SLOT_PARTS: return value >= 1 && value <= FIT_MAX;
    case SLOT_SCHEDULE: return value >= slot->word->least && value <= slot->word->most;
    case SLOT_SAME: /* kernel.c knows the tensors */
    case SLOT_TUNE: return true;
    }
    return false;
}

static bool bind_slot(const struct const_scope *scope, const struct item *k,
                      const struct ast_default *d, const struct slot *slot,
                      const struct bindings *given, struct binding *out)
{
    *out = (struct binding){.name = slot->name};
    if (!find_binding(given, slot->name, &out->value))
        return slot_default(scope, d, slot, &out->value);
    if (is_legal(scope, slot, out->value))
        return true;
    return diag_error(scope->m->s, k->name.at, DIAG_BAD_BINDING, "%s of %s cannot be %lld",
                      slot->name, k->name.text, (long long)out->value);
}

/* Slots that stay out of the bindings unless somebody sets them. */
static bool is_silent(const struct ast_default *d, const struct slot *slot)
{
    return slot->kind == SLOT_PARTS || slot->kind == SLOT_SAME || slot->kind == SLOT_READY ||
           (slot->kind == SLOT_SCHEDULE && !default_setting(d, slot->name));
}

static bool takes_default(const struct slot *slot)
{
    return slot->kind == SLOT_TUNE || slot->kind == SLOT_SCHEDULE;
}

bool complete_bindings(struct sema_module *m, const struct item *k, const struct bindings *given,
                       const struct sema_device *device, struct bindings *out)
{
    slots all = {0};
    VEC(struct binding) list = {0};
    const struct ast_default *d = NULL;
    bool good = true, chosen = !device;
    slots_of(m, k, &all);
    for (uint32_t i = 0; i < all.count; i++) {
        const struct slot *slot = &all.data[i];
        struct binding b;
        int64_t asked;
        struct bindings sofar = {list.data, list.count};
        struct header_scope header = {m, k, &sofar, given};
        struct const_scope scope = header_const_scope(&header);
        if (device)
            scope.device = device;
        if (!chosen && takes_default(slot)) {
            d = choose_default(&scope, k);
            chosen = true;
        }
        if (is_silent(d, slot) && !find_binding(given, slot->name, &asked))
            continue;
        good &= bind_slot(&scope, k, d, slot, given, &b);
        vec_push(&m->s->module, &list, b);
    }
    *out = (struct bindings){list.data, list.count};
    return good;
}
