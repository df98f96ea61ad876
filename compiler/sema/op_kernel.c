/* What the host must know of a kernel: when it may run, which variant to take, how many programs it
 * has. Errors inside kernels are told by their own check; here they only make the unit broken. */
#include "sema/op.h"
#include "sema/variant.h"

enum { MAX_CHOICES = 4096 };

struct kernel_unit {
    struct unit u;
    const struct item *ast;
    uint32_t specialized; /* node: a group of specialize holds; LDSL_NONE: there are none */
    struct ldsl_module_kernel out;
};

/* ---- specialize -------------------------------------------------------------------------------- */

/* What `where` and the conditions of defaults call specialized; another thing may have the name. */
static void declare_specialized(struct unit *u, struct span at, uint32_t any)
{
    const struct ast_name name = {intern_text(u->s, WORD_SPECIALIZED), at};
    if (any != LDSL_NONE && !host_find(u, name.text))
        host_declare(u, name, HOST_NAME_VALUE)->value =
            (struct host_value){.kind = HOST_NUMBER, .elem = IR_BOOL, .node = any};
}

static void build_groups(struct kernel_unit *k)
{
    struct unit *u = &k->u;
    uint32_t any = LDSL_NONE;
    k->out.groups =
        (struct ldsl_module_range){u->image->checks.count, k->ast->kernel.specialize.count};
    for (uint32_t i = 0; i < k->ast->kernel.specialize.count; i++) {
        const struct ast_group *g = &k->ast->kernel.specialize.data[i];
        uint32_t all = LDSL_NONE;
        for (uint32_t c = 0; c < g->conditions.count; c++) {
            const struct expr *e = g->conditions.data[c];
            uint32_t node = host_condition(u, e, "condition of specialize");
            all = c ? host_node(u, LDSL_HOST_AND, IR_BOOL, e->at, all, node, 0) : node;
        }
        const struct span at =
            g->conditions.count ? span_join(g->conditions.data[0]->at, vec_last(&g->conditions)->at)
                                : g->at;
        unit_check(u, all, source_text(u->s, at), NULL, at);
        any = i ? host_node(u, LDSL_HOST_OR, IR_BOOL, at, any, all, 0) : all;
    }
    k->specialized = any;
    declare_specialized(u, k->ast->name.at, any);
}

/* ---- meta -------------------------------------------------------------------------------------- */

static void add_meta(struct kernel_unit *k, struct ldsl_module_meta *list, uint32_t *count,
                     const char *name, uint32_t node)
{
    uint32_t symbol = unit_symbol(&k->u, name, LDSL_SYMBOL_META, IR_INDEX);
    list[(*count)++] =
        (struct ldsl_module_meta){unit_symbol_at(&k->u, symbol), unit_node(&k->u, node)};
}

/* A value known when the variant is chosen: from consts and other metas, or a cover of a dim. */
static void check_meta(struct unit *u, struct span at, uint32_t node)
{
    if (node != LDSL_NONE && host_depends_on_launch(u, node) &&
        u->nodes.data[node].op != LDSL_HOST_FIT)
        diag_error(u->s, at, DIAG_CONST_EXPECTED,
                   "a meta value is known at compile time, or is `fit(...)` alone");
}

/* fit(x) with FIT_SLACK. */
static uint32_t with_slack(struct kernel_unit *k, struct span at, uint32_t fit)
{
    struct unit *u = &k->u;
    if (fit == LDSL_NONE || u->nodes.data[fit].op != LDSL_HOST_FIT || k->specialized == LDSL_NONE)
        return fit;
    uint32_t extent = u->nodes.data[fit].a;
    uint32_t cpu = host_node(u, LDSL_HOST_DEVICE, IR_BOOL, at, 0, 0, 0);
    u->nodes.data[cpu].n = LDSL_DEVICE_IS_GPU;
    cpu = host_node(u, LDSL_HOST_NOT, IR_BOOL, at, cpu, 0, 0);
    uint32_t exact = host_node(u, LDSL_HOST_OR, IR_BOOL, at, cpu, k->specialized, 0);
    uint32_t loose =
        host_node(u, LDSL_HOST_ADD, IR_INDEX, at, extent, host_int(u, FIT_SLACK, at), 0);
    loose = host_node(u, LDSL_HOST_MIN, IR_INDEX, at, loose, host_int(u, FIT_MAX, at), 0);
    loose = host_node(u, LDSL_HOST_MAX, IR_INDEX, at, loose, extent, 0);
    loose = host_node(u, LDSL_HOST_COND, IR_INDEX, at, exact, extent, loose);
    return host_node(u, LDSL_HOST_FIT, IR_INDEX, at, loose, 0, 0);
}

static void build_metas(struct kernel_unit *k, struct ldsl_module_meta *list, uint32_t *count)
{
    struct unit *u = &k->u;
    for (uint32_t i = 0; i < k->ast->kernel.meta.count; i++) {
        const struct ast_meta *meta = &k->ast->kernel.meta.data[i];
        struct host_value v = host_expr(u, meta->value);
        enum ir_elem elem = v.kind == HOST_NUMBER ? v.elem : IR_INDEX;
        if (v.kind == HOST_NUMBER && v.elem != IR_BOOL)
            v.node = host_convert(u, meta->value->at, v, elem = IR_INDEX);
        check_meta(u, meta->value->at, v.node);
        v.node = with_slack(k, meta->value->at, v.node);
        add_meta(k, list, count, meta->name.text, v.node);
        uint32_t symbol = u->symbols.count - 1;
        u->symbols.data[symbol].dtype = (uint8_t)dtype_of(elem);
        host_declare(u, meta->name, HOST_NAME_VALUE)->value = (struct host_value){
            .kind = HOST_NUMBER, .elem = elem, .node = host_symbol(u, symbol, meta->name.at)};
    }
}

/* ---- tune -------------------------------------------------------------------------------------- */

static void push_choice(struct kernel_unit *k, struct span at, int64_t value,
                        struct ldsl_module_range *values)
{
    if (values->count == MAX_CHOICES)
        diag_error(k->u.s, at, DIAG_BAD_TUNE, "more than %d choices", MAX_CHOICES);
    if (values->count++ < MAX_CHOICES)
        vec_push(&k->u.s->module, &k->u.image->values, value);
}

static bool eval_choice(struct kernel_unit *k, const struct expr *e, int64_t *out)
{
    struct const_scope scope = {.m = k->u.m};
    struct const_value v;
    if (!const_eval(&scope, e, &v))
        return false;
    *out = binding_of_const(v);
    return v.kind == CONST_INT || v.kind == CONST_BOOL || v.kind == CONST_ENUM ||
           diag_error(k->u.s, e->at, DIAG_BAD_TUNE, "a tuned value is a whole number or a bool");
}

static void build_choices(struct kernel_unit *k, const struct ast_tune *tune,
                          struct ldsl_module_range *values)
{
    for (uint32_t i = 0; i < tune->values.count; i++) {
        const struct ast_tune_value *v = &tune->values.data[i];
        int64_t lo, hi, step = 1;
        if (tune_kind(k->u.m, tune) == TUNE_WORD) {
            push_choice(k, v->lo->at, i, values); /* words are numbered in their order */
            continue;
        }
        if (!eval_choice(k, v->lo, &lo))
            continue;
        if (!v->hi) {
            push_choice(k, v->lo->at, lo, values);
            continue;
        }
        if (!eval_choice(k, v->hi, &hi) || (v->step && !eval_choice(k, v->step, &step)))
            continue;
        for (; step > 0 && lo < hi && values->count <= MAX_CHOICES; lo += step)
            push_choice(k, v->lo->at, lo, values);
    }
}

static void build_tunes(struct kernel_unit *k)
{
    struct unit *u = &k->u;
    k->out.tunes = (struct ldsl_module_range){u->image->tunes.count, k->ast->kernel.tune.count};
    for (uint32_t i = 0; i < k->ast->kernel.tune.count; i++) {
        const struct ast_tune *tune = &k->ast->kernel.tune.data[i];
        struct ldsl_module_range values = {u->image->values.count, 0};
        build_choices(k, tune, &values);
        if (!values.count)
            diag_error(u->s, tune->name.at, DIAG_BAD_TUNE, "%s has no choices", tune->name.text);
        enum ir_elem elem = tune_kind(u->m, tune) == TUNE_BOOL ? IR_BOOL : IR_INDEX;
        uint32_t symbol = unit_symbol(u, tune->name.text, LDSL_SYMBOL_TUNE, elem);
        vec_push(&u->s->module, &u->image->tunes,
                 (struct ldsl_module_tune){unit_symbol_at(u, symbol), values});
        host_declare(u, tune->name, HOST_NAME_VALUE)->value = (struct host_value){
            .kind = HOST_NUMBER, .elem = elem, .node = host_symbol(u, symbol, tune->name.at)};
    }
}

static void build_wheres(struct kernel_unit *k)
{
    struct unit *u = &k->u;
    k->out.wheres = (struct ldsl_module_range){u->image->checks.count, k->ast->kernel.where.count};
    for (uint32_t i = 0; i < k->ast->kernel.where.count; i++) {
        const struct expr *e = k->ast->kernel.where.data[i];
        uint32_t node = host_condition(u, e, "condition of where");
        unit_check(u, node, source_text(u->s, e->at), NULL, e->at);
    }
}

static const struct ast_tune *find_tune(const struct item *kernel, const char *name)
{
    for (uint32_t i = 0; i < kernel->kernel.tune.count; i++)
        if (kernel->kernel.tune.data[i].name.text == name)
            return &kernel->kernel.tune.data[i];
    return NULL;
}

/* The value asked for, in the unit's scope; words are those of the kernel's tune. */
static uint32_t setting_node(struct unit *u, const struct sema_item *kernel,
                             const struct ast_setting *setting)
{
    const struct ast_tune *tune = find_tune(kernel->ast, setting->name.text);
    const struct const_scope scope = {.m = kernel->module};
    int64_t word;
    if (!tune && !find_schedule_word(setting->name.text)) {
        diag_error(u->s, setting->name.at, DIAG_UNKNOWN_TUNE, "%s is no tuned value of %s",
                   setting->name.text, kernel->ast->name.text);
        diag_note(u->s, kernel->ast->name.at, "%s is declared here", kernel->ast->name.text);
        return LDSL_NONE;
    }
    if (tune && tune_kind(kernel->module, tune) == TUNE_WORD)
        return tune_value(&scope, tune, setting->value, &word)
                   ? host_int(u, word, setting->value->at)
                   : LDSL_NONE;
    struct host_value v = host_expr(u, setting->value);
    return v.kind == HOST_NUMBER && v.elem == IR_BOOL
               ? v.node
               : host_convert(u, setting->value->at, v, IR_INDEX);
}

struct ldsl_module_range build_settings(struct unit *u, const struct sema_item *kernel,
                                        const ast_settings *list)
{
    struct ldsl_module_range range = {u->image->settings.count, list->count};
    for (uint32_t i = 0; i < list->count; i++) {
        struct ldsl_module_setting setting = {
            image_text(u->image, list->data[i].name.text),
            unit_node(u, setting_node(u, kernel, &list->data[i]))};
        vec_push(&u->s->module, &u->image->settings, setting);
    }
    return range;
}

static void build_defaults(struct kernel_unit *k)
{
    struct unit *u = &k->u;
    uint32_t count = k->ast->kernel.defaults.count;
    struct ldsl_module_default *list =
        arena_array(&u->s->module, struct ldsl_module_default, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        const struct ast_default *d = &k->ast->kernel.defaults.data[i];
        list[i].line = line_of(u->s, d->at);
        list[i].where = LDSL_NONE;
        if (d->where)
            list[i].where = unit_node(u, host_condition(u, d->where, "condition of default"));
        list[i].settings = build_settings(u, u->sig->item, &d->settings);
    }
    k->out.defaults = (struct ldsl_module_range){u->image->defaults.count, count};
    for (uint32_t i = 0; i < count; i++)
        vec_push(&u->s->module, &u->image->defaults, list[i]);
}

/* ---- axes -------------------------------------------------------------------------------------- */

static bool is_fit(const struct expr *e)
{
    return e && e->kind == EXPR_CALL && e->call.callee->kind == EXPR_NAME &&
           strcmp(e->call.callee->string, "fit") == 0;
}

/* `tile fit(D)`: a meta of the axis's own, if D is known only at launch. */
static uint32_t tile_node(struct kernel_unit *k, const struct stmt *s,
                          struct ldsl_module_meta *metas, uint32_t *count)
{
    struct unit *u = &k->u;
    uint32_t node = host_as(u, s->axis.tile, IR_INDEX);
    if (!is_fit(s->axis.tile) || !host_depends_on_launch(u, node))
        return node;
    node = with_slack(k, s->axis.tile->at, node);
    add_meta(k, metas, count, arena_printf(&u->s->module, "fit.%s", s->axis.name.text), node);
    return host_symbol(u, u->symbols.count - 1, s->axis.tile->at);
}

static uint32_t extent_node(struct unit *u, const struct stmt *s)
{
    if (s->axis.bound)
        return host_as(u, s->axis.bound, IR_INDEX);
    uint32_t hi = host_as(u, s->axis.hi, IR_INDEX);
    if (s->axis.lo->kind == EXPR_INT && s->axis.lo->integer == 0)
        return hi;
    uint32_t lo = host_as(u, s->axis.lo, IR_INDEX);
    return host_node(u, LDSL_HOST_SUB, IR_INDEX, s->axis.hi->at, hi, lo, 0);
}

/* Declarations stand at the top level of the body; lets before them may be used in their bounds. */
static void build_axes(struct kernel_unit *k, struct ldsl_module_meta *metas, uint32_t *count)
{
    struct unit *u = &k->u;
    struct arena *a = &u->s->module;
    VEC(uint32_t) parts = {0};
    k->out.grids.first = u->image->grids.count;
    for (uint32_t i = 0; i < k->ast->kernel.body.count; i++) {
        const struct stmt *s = k->ast->kernel.body.data[i];
        if (s->kind == STMT_LET && s->let.names.count == 1 && s->let.value) {
            struct host_name later = {
                .name = s->let.names.data[0], .kind = HOST_NAME_LATER, .later = s->let.value};
            vec_push(a, &u->names, later);
        }
        if (s->kind != STMT_AXIS && s->kind != STMT_GRID)
            continue;
        if (s->axis.parts.text)
            vec_push(a, &parts, image_text(u->image, s->axis.parts.text));
        uint32_t tile =
            s->axis.tile ? tile_node(k, s, metas, count) : host_int(u, 1, s->axis.name.at);
        if (s->kind != STMT_GRID && !s->axis.is_grid)
            continue;
        struct ldsl_module_grid grid = {.name = image_text(u->image, s->axis.name.text),
                                        .extent = unit_node(u, extent_node(u, s)),
                                        .tile = unit_node(u, tile)};
        vec_push(a, &u->image->grids, grid);
    }
    k->out.grids.count = u->image->grids.count - k->out.grids.first;
    k->out.parts = (struct ldsl_module_range){u->image->indices.count, parts.count};
    for (uint32_t i = 0; i < parts.count; i++)
        vec_push(a, &u->image->indices, parts.data[i]);
}

static uint32_t axis_count(const struct item *ast)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ast->kernel.body.count; i++)
        count += ast->kernel.body.data[i]->kind == STMT_AXIS;
    return count;
}

/* ---- names -------------------------------------------------------------------------------------- */

const char *kernel_reference(struct sema_module *root, const struct sema_item *kernel)
{
    const char *name = kernel->ast->name.text;
    if (sema_find(root, name) == kernel)
        return name;
    return arena_printf(&root->s->module, "%s:%s", kernel->module->path, name);
}

/* ---- the kernel -------------------------------------------------------------------------------- */

void build_kernel(struct image *image, const struct op_units *units, struct signature *sig)
{
    struct kernel_unit k = {.ast = sig->item->ast};
    struct unit *u = &k.u;
    struct arena *a = &image->s->module;
    if (sig->broken)
        return;
    unit_open(u, image, units, sig);
    struct ldsl_module_meta *metas =
        arena_array(a, struct ldsl_module_meta, k.ast->kernel.meta.count + axis_count(k.ast) + 1);
    uint32_t meta_count = 0;
    k.out.requires = unit_requires(u, k.ast->kernel.requires.data, k.ast->kernel.requires.count);
    build_groups(&k);
    build_metas(&k, metas, &meta_count);
    build_tunes(&k);
    build_wheres(&k);
    build_defaults(&k);
    build_axes(&k, metas, &meta_count);
    k.out.metas = (struct ldsl_module_range){image->metas.count, meta_count};
    for (uint32_t i = 0; i < meta_count; i++)
        vec_push(a, &image->metas, metas[i]);
    k.out.name = image_text(image, kernel_reference(units->root, sig->item));
    k.out.path = image_text(image, sig->item->module->path);
    k.out.hash = image_text(image, kernel_hash(sig->item->module, sig->item->ast));
    k.out.line = line_of(image->s, sig->item->ast->name.at);
    k.out.scope = unit_close(u);
    vec_push(a, &image->kernels, k.out);
}
