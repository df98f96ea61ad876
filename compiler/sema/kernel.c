/* One variant of a kernel: header, parameters and facts, then the body. */
#include "sema/elab.h"
#include "sema/variant.h"

/* ---- parameters ----------------------------------------------------------------------------- */

static bool present(const struct elab *e, const struct ast_param *p)
{
    int64_t value = 1;
    if (p->type->optional)
        find_binding(e->bindings, arena_printf(&e->s->module, "%s?", p->name.text), &value);
    return value != 0;
}

static void declare_generics(struct elab *e, const struct item *k)
{
    for (uint32_t i = 0; i < k->generics.count; i++) {
        struct local *l = declare(e, k->generics.data[i].name, LOCAL_TYPE, "generic");
        int64_t elem = IR_F32;
        find_binding(e->bindings, l->name.text, &elem);
        l->elem = (enum ir_elem)elem;
        l->quiet = true;
    }
}

static void declare_consts(struct elab *e, const struct item *k)
{
    for (uint32_t i = 0; i < k->params.count; i++) {
        const struct ast_param *p = &k->params.data[i];
        int64_t value = 0;
        if (!p->is_const)
            continue;
        find_binding(e->bindings, p->name.text, &value);
        struct local *l = declare(e, p->name, LOCAL_VALUE, "parameter");
        l->value = value_const(const_of_binding(e->m, p, value));
    }
}

static void add_param(struct elab *e, struct ast_name name, enum ir_param_kind kind,
                      enum ir_elem elem, struct local *l)
{
    struct ir_param param = {.kind = kind,
                             .name = name.text,
                             .lo = kind == IR_PARAM_DIM ? 0 : INT64_MIN,
                             .hi = INT64_MAX,
                             .multiple = 1};
    param.value = ir_block_arg(e->f, e->f->body, (struct ir_type){elem, 0});
    param.value->name = name.text;
    vec_push(&e->s->module, &e->f->params, param);
    l->value = value_ir(param.value);
    if (kind != IR_PARAM_DIM)
        return;
    struct linear form = form_of(e, param.value), zero = linear_constant(0);
    assume_at_least(e, &form, &zero);
}

static const struct ast_param *param_named(const struct item *k, const char *name)
{
    for (uint32_t i = 0; i < k->params.count; i++)
        if (k->params.data[i].name.text == name)
            return &k->params.data[i];
    return NULL;
}

/* Names in dims that nothing else declares are dimensions. */
static void declare_dims(struct elab *e, const struct item *k, const struct expr *x, bool there)
{
    switch ((int)x->kind) {
    case EXPR_UNARY: declare_dims(e, k, x->unary.operand, there); return;
    case EXPR_BINARY:
        declare_dims(e, k, x->binary.left, there);
        declare_dims(e, k, x->binary.right, there);
        return;
    case EXPR_NAME: break;
    default: return;
    }
    struct sema_item *item = sema_find(e->m, x->string);
    if (find_local(e, x->string) || param_named(k, x->string) ||
        (item && item->ast->kind == ITEM_CONST))
        return;
    struct ast_name name = {x->string, x->at};
    struct local *l = declare(e, name, LOCAL_VALUE, "dimension");
    l->quiet = l->is_dim = true;
    if (there) {
        add_param(e, name, IR_PARAM_DIM, IR_INDEX, l);
    } else {
        l->absent = true;
        l->value = value_const(const_int(IR_INDEX, 1));
    }
}

static void declare_all_dims(struct elab *e, const struct item *k, bool there)
{
    for (uint32_t i = 0; i < k->params.count; i++) {
        const struct ast_param *p = &k->params.data[i];
        if (p->type->kind != TYPE_TENSOR || present(e, p) != there)
            continue;
        for (uint32_t d = 0; d < p->type->dims.count; d++)
            declare_dims(e, k, p->type->dims.data[d], there);
    }
}

static void declare_scalars(struct elab *e, const struct item *k)
{
    for (uint32_t i = 0; i < k->params.count; i++) {
        const struct ast_param *p = &k->params.data[i];
        if (p->is_const || p->type->kind == TYPE_TENSOR)
            continue;
        struct place place = resolve_place(e, p->type);
        struct local *l = declare(e, p->name, LOCAL_VALUE, "parameter");
        if (place.kind == PLACE_ELEM && place.lifts) {
            add_param(e, p->name, IR_PARAM_SCALAR, place.elem, l);
        } else if (place.kind != PLACE_POISON) {
            diag_error(e->s, p->type->at, DIAG_BAD_TYPE,
                       place.kind == PLACE_ENUM
                           ? "an enum exists only at compile time: write `const %s`"
                           : "%s must be a tensor or a scalar",
                       p->name.text);
        }
    }
}

static void dims_of(struct elab *e, struct tensor *t)
{
    const struct type_expr *type = t->param->type;
    t->rank = type->dims.count;
    if (t->rank > IR_MAX_RANK) {
        diag_error(e->s, type->at, DIAG_TOO_MANY_AXES, "a tensor has at most %d dimensions",
                   IR_MAX_RANK);
        t->rank = IR_MAX_RANK;
    }
    for (uint32_t d = 0; d < t->rank; d++) {
        const struct expr *x = type->dims.data[d];
        t->dims[d] = as_bound(e, x->at, elab_expr(e, x), "dimension");
        if (!t->dims[d])
            t->dims[d] = ir_const_int(&e->b, IR_INDEX, 1);
        struct linear form = form_of(e, t->dims[d]), zero = linear_constant(0);
        t->dim_text[d] = form_text(e, &form);
        assume_at_least(e, &form, &zero);
    }
}

/* Two parameters may be given one tensor, read by one and written by the other: then the variant has
 * one tensor ("same.dx=0": dx is parameter 0), read and written. NULL: p has its own. */
static struct tensor *shared_tensor(struct elab *e, const struct item *k, const struct ast_param *p,
                                    const struct tensor *t)
{
    int64_t number;
    if (!find_binding(e->bindings, arena_printf(&e->s->module, "same.%s", p->name.text), &number))
        return NULL;
    for (uint32_t i = 0; i < e->tensors.count; i++) {
        struct tensor *other = &e->tensors.data[i];
        if (other->param - k->params.data == number && other->present && t->present &&
            other->elem == t->elem && other->rank == t->rank)
            return other;
    }
    diag_error(e->s, p->name.at, DIAG_BAD_BINDING,
               "%s cannot share the tensor of parameter %lld: it is not a tensor like it before it",
               p->name.text, (long long)number);
    return NULL;
}

/* "ready.x=1": the launch before this one leaves x alone. */
static bool is_ready(struct elab *e, const struct ast_param *p)
{
    int64_t yes;
    return find_binding(e->bindings, arena_printf(&e->s->module, "ready.%s", p->name.text), &yes) &&
           yes;
}

static void declare_tensor(struct elab *e, const struct item *k, const struct ast_param *p)
{
    static const enum ir_tensor_access access[] = {
        [ACCESS_READ] = IR_READ, [ACCESS_MUT] = IR_MUT, [ACCESS_OUT] = IR_OUT};
    struct tensor t = {.param = p, .present = present(e, p)};
    struct place place = resolve_place(e, p->type->element);
    t.elem = place.kind == PLACE_ELEM ? place.elem : IR_F32;
    if (place.kind != PLACE_POISON && (place.kind != PLACE_ELEM || t.elem == IR_INDEX))
        diag_error(e->s, p->type->element->at, DIAG_BAD_TYPE,
                   "elements of a tensor are bools, integers or floats of a fixed size");
    e->dead += !t.present; /* its dims may be absent with it */
    dims_of(e, &t);
    e->dead -= !t.present;
    const struct tensor *shared = shared_tensor(e, k, p, &t);
    if (shared) {
        struct ir_tensor *tensor = &e->f->tensors.data[shared->number];
        t.number = shared->number;
        tensor->access = IR_MUT;
        tensor->strided &= p->type->strided; /* the stricter of the two */
        tensor->ready &= is_ready(e, p);
    } else if (t.present && e->f->tensors.count >= 255) {
        diag_error(e->s, p->name.at, DIAG_TOO_LARGE, "a kernel has at most 255 tensors");
    } else if (t.present) {
        struct ir_tensor tensor = {.name = p->name.text,
                                   .at = p->name.at,
                                   .elem = t.elem,
                                   .rank = t.rank,
                                   .access = access[p->type->access],
                                   .strided = p->type->strided,
                                   .ready = is_ready(e, p),
                                   .align = ir_elem_bits(t.elem) / 8};
        memcpy(tensor.dims, t.dims, sizeof tensor.dims);
        t.number = (uint8_t)e->f->tensors.count;
        vec_push(&e->s->module, &e->f->tensors, tensor);
    }
    struct local *l = declare(e, p->name, LOCAL_TENSOR, "tensor");
    l->number = e->tensors.count;
    vec_push(&e->s->module, &e->tensors, t);
}

static void declare_params(struct elab *e, const struct item *k)
{
    declare_generics(e, k);
    declare_consts(e, k);
    declare_all_dims(e, k, true);
    declare_all_dims(e, k, false);
    declare_scalars(e, k);
    for (uint32_t i = 0; i < k->params.count; i++)
        if (k->params.data[i].type->kind == TYPE_TENSOR)
            declare_tensor(e, k, &k->params.data[i]);
}

/* ---- meta and tune -------------------------------------------------------------------------- */

/* meta BD = fit(D): in this variant BD covers D. */
static void assume_cover(struct elab *e, const struct ast_meta *meta, int64_t value)
{
    const struct expr *x = meta->value;
    if (x->kind != EXPR_CALL || x->call.callee->kind != EXPR_NAME || x->call.args.count != 1 ||
        strcmp(x->call.callee->string, "fit") != 0)
        return;
    const struct expr *arg = x->call.args.data[0].value;
    struct discard d = discard_begin(e, false);
    struct ir_value *extent = as_bound(e, arg->at, elab_expr(e, arg), "argument of fit");
    struct linear needed = extent ? form_of(e, extent) : linear_constant(0);
    discard_end(e, &d);
    struct linear cover = linear_constant(value);
    if (needed.valid && !needed.count && needed.constant > value)
        diag_error(e->s, meta->name.at, DIAG_TILE_SIZE, "%s = %lld does not cover %lld elements",
                   meta->name.text, (long long)value, (long long)needed.constant);
    assume_at_least(e, &cover, &needed);
}

static void declare_meta(struct elab *e, const struct item *k)
{
    for (uint32_t i = 0; i < k->kernel.meta.count; i++) {
        const struct ast_meta *meta = &k->kernel.meta.data[i];
        int64_t value = 0;
        find_binding(e->bindings, meta->name.text, &value);
        struct local *l = declare(e, meta->name, LOCAL_VALUE, "meta value");
        l->value = value_const(const_int(IR_INDEX, value));
        assume_cover(e, meta, value);
    }
}

static void add_setting(struct elab *e, const char *name, int64_t value)
{
    struct ir_setting setting = {name, value};
    vec_push(&e->s->module, &e->f->settings, setting);
}

static void declare_tune(struct elab *e, const struct item *k)
{
    for (uint32_t i = 0; i < k->kernel.tune.count; i++) {
        const struct ast_tune *t = &k->kernel.tune.data[i];
        enum tune_kind kind = tune_kind(e->m, t);
        int64_t value = 0;
        find_binding(e->bindings, t->name.text, &value);
        struct local *l =
            declare(e, t->name, kind == TUNE_WORD ? LOCAL_WORD : LOCAL_VALUE, "tuned value");
        l->quiet = is_schedule_name(t->name.text);
        l->value =
            value_const(kind == TUNE_BOOL ? const_bool(value != 0) : const_int(IR_INDEX, value));
        add_setting(e, t->name.text, value);
    }
}

/* Schedule values that the kernel does not list, where somebody sets them. */
static void declare_schedule(struct elab *e, const struct item *k)
{
    slots all = {0};
    int64_t value;
    slots_of(e->m, k, &all);
    for (uint32_t i = 0; i < all.count; i++)
        if (all.data[i].kind == SLOT_SCHEDULE &&
            find_binding(e->bindings, all.data[i].name, &value))
            add_setting(e, all.data[i].name, value);
}

/* ---- require and specialize ----------------------------------------------------------------- */

static struct tensor *tensor_arg(struct elab *e, const struct expr *call, uint32_t i)
{
    const struct expr *x = call->call.args.data[i].value;
    struct local *l = x->kind == EXPR_NAME ? find_local(e, x->string) : NULL;
    if (l && l->kind == LOCAL_TENSOR) {
        e->tensors.data[l->number].used = true;
        return &e->tensors.data[l->number];
    }
    if (x->kind != EXPR_POISON)
        diag_error(e->s, x->at, DIAG_NOT_A_VALUE, "a tensor is wanted here");
    return NULL;
}

static bool is_call_of(const struct expr *x, const char *name)
{
    return x->kind == EXPR_CALL && x->call.callee->kind == EXPR_NAME &&
           strcmp(x->call.callee->string, name) == 0;
}

static void host_align(struct elab *e, const struct expr *x, bool holds)
{
    if (!plain_args(e, x, "align", 2, 2, NULL))
        return;
    struct tensor *t = tensor_arg(e, x, 0);
    struct const_value c = elab_const(e, x->call.args.data[1].value, "an alignment");
    if (!t || c.kind == CONST_POISON)
        return;
    if (c.kind != CONST_INT || c.i < 1 || c.i > 4096 || (c.i & (c.i - 1))) {
        diag_error(e->s, x->call.args.data[1].value->at, DIAG_BAD_ARGUMENTS,
                   "an alignment is a power of two in bytes, up to 4096");
        return;
    }
    if (holds && t->present && e->f->tensors.data[t->number].align < c.i)
        e->f->tensors.data[t->number].align = (uint32_t)c.i;
}

static void host_packed(struct elab *e, const struct expr *x, bool holds)
{
    struct tensor *t = plain_args(e, x, "packed", 1, 1, NULL) ? tensor_arg(e, x, 0) : NULL;
    if (t && holds && t->present)
        e->f->tensors.data[t->number].packed = true;
}

static int64_t least_common(int64_t a, int64_t b)
{
    int64_t x = a, y = b;
    while (y) {
        int64_t r = x % y;
        x = y;
        y = r;
    }
    return a / x > INT32_MAX / b ? a : a / x * b;
}

/* D % 8 == 0 makes D a multiple of 8. */
static void learn_multiple(struct elab *e, const struct ir_value *c)
{
    if (c->def != IR_DEF_NODE || c->node->op != IR_OP_cmp || c->node->attr.kind != IR_CMP_EQ)
        return;
    const struct ir_value *rem = c->node->operands[0], *zero = c->node->operands[1];
    if (rem->def != IR_DEF_NODE || rem->node->op != IR_OP_rem || zero->def != IR_DEF_NODE ||
        zero->node->op != IR_OP_const || zero->node->attr.i != 0)
        return;
    const struct ir_value *by = rem->node->operands[1];
    if (by->def != IR_DEF_NODE || by->node->op != IR_OP_const || by->node->attr.i < 1 ||
        by->node->attr.i > INT32_MAX)
        return;
    for (uint32_t i = 0; i < e->f->params.count; i++)
        if (e->f->params.data[i].value == rem->node->operands[0])
            e->f->params.data[i].multiple =
                least_common(e->f->params.data[i].multiple, by->node->attr.i);
}

/* A condition the host checks; if it holds in this variant it is a fact. */
static void host_condition(struct elab *e, const struct expr *x, bool holds)
{
    if (x->kind == EXPR_BINARY && x->binary.op == AST_AND) {
        host_condition(e, x->binary.left, holds);
        host_condition(e, x->binary.right, holds);
        return;
    }
    if (is_call_of(x, "align")) {
        host_align(e, x, holds);
        return;
    }
    if (is_call_of(x, "packed")) {
        host_packed(e, x, holds);
        return;
    }
    struct discard d = discard_begin(e, false);
    struct value v = elab_expr(e, x);
    bool known = v.kind == VALUE_CONST && v.c.kind == CONST_BOOL;
    struct ir_value *c = known ? NULL : as_condition(e, x->at, v, "condition");
    e->impossible |= holds && known && !v.c.i;
    if (c && holds) {
        assume_condition(e, c, true);
        d.facts = facts_mark(e);
        learn_multiple(e, c);
    }
    discard_end(e, &d);
}

static void elab_conditions(struct elab *e, const struct item *k)
{
    e->host_only = true;
    for (uint32_t i = 0; i < k->kernel.requires.count; i++) {
        const struct ast_require *r = &k->kernel.requires.data[i];
        host_condition(e, r->test, true);
        if (r->message && r->message->kind != EXPR_STRING && r->message->kind != EXPR_POISON)
            diag_error(e->s, r->message->at, DIAG_BAD_ARGUMENTS, "the message is a text");
    }
    for (uint32_t i = 0; i < k->kernel.specialize.count; i++) {
        const struct ast_group *g = &k->kernel.specialize.data[i];
        int64_t holds = 0;
        find_binding(e->bindings, arena_printf(&e->s->module, "specialize.%u", i), &holds);
        for (uint32_t c = 0; c < g->conditions.count; c++)
            host_condition(e, g->conditions.data[c], holds != 0);
    }
    e->host_only = false;
}

/* Facts of one symbol become the bounds of the parameter. */
static void learn_bounds(struct elab *e)
{
    for (uint32_t i = 0; i < e->f->params.count; i++) {
        struct ir_param *p = &e->f->params.data[i];
        struct linear form = form_of(e, p->value);
        for (uint32_t j = 0; form.valid && j < e->facts.list.count; j++) {
            const struct linear *fact = &e->facts.list.data[j];
            if (fact->count != 1 || fact->terms[0].symbol != form.terms[0].symbol)
                continue;
            if (fact->terms[0].coefficient == 1 && -fact->constant > p->lo)
                p->lo = -fact->constant;
            if (fact->terms[0].coefficient == -1 && fact->constant < p->hi)
                p->hi = fact->constant;
        }
    }
}

/* ---- attributes ----------------------------------------------------------------------------- */

/* An attribute is how the kernel wants it: a tuner's wish for the same value gives way. */
static void fix_setting(struct elab *e, const char *name, int64_t value)
{
    for (uint32_t i = 0; i < e->f->settings.count; i++)
        if (strcmp(e->f->settings.data[i].name, name) == 0) {
            e->f->settings.data[i].value = value;
            return;
        }
    add_setting(e, name, value);
}

static void number_attribute(struct elab *e, const struct ast_attr *a, const char *setting,
                             int64_t most)
{
    struct const_value c = const_poison();
    if (a->args.count == 1)
        c = elab_const(e, a->args.data[0], "the attribute's number");
    if (c.kind == CONST_INT && c.i >= 1 && c.i <= most)
        fix_setting(e, setting, c.i);
    else if (c.kind != CONST_POISON || a->args.count != 1)
        diag_error(e->s, a->name.at, DIAG_BAD_SCHEDULE, "@%s takes one number from 1 to %lld",
                   a->name.text, (long long)most);
}

static void elab_attributes(struct elab *e, const struct item *k)
{
    static const char *const names[] = {"exact", "ordered", "cluster", "maxreg"};
    for (uint32_t i = 0; i < k->attrs.count; i++) {
        const struct ast_attr *a = &k->attrs.data[i];
        if (strcmp(a->name.text, "cluster") == 0) {
            number_attribute(e, a, "cluster", 16);
        } else if (strcmp(a->name.text, "maxreg") == 0) {
            number_attribute(e, a, "max_registers", 255);
        } else if (strcmp(a->name.text, "exact") == 0 && !a->args.count) {
            e->f->exact = true;
        } else if (strcmp(a->name.text, "ordered") == 0 && !a->args.count) {
            e->f->ordered = true;
        } else {
            diag_error(e->s, a->name.at, DIAG_UNKNOWN_ATTRIBUTE, "kernels have no attribute @%s%s",
                       a->name.text, a->args.count ? " with arguments" : "");
            const char *near = nearest_name(a->name.text, names, sizeof names / sizeof *names);
            if (near)
                diag_help(e->s, "did you mean @%s?", near);
        }
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void check_written(struct elab *e)
{
    for (uint32_t i = 0; i < e->tensors.count; i++) {
        const struct tensor *t = &e->tensors.data[i];
        if (t->present && t->param->type->access == ACCESS_OUT && !t->written)
            diag_error(e->s, t->param->name.at, DIAG_OUT_UNWRITTEN, "%s is `out` but never written",
                       t->param->name.text);
    }
}

static void elab_body(struct elab *e, const struct item *k)
{
    uint32_t errors = e->s->errors;
    e->body_top = true;
    enum flow flow = elab_statements(e, &k->kernel.body, 0);
    e->body_top = false;
    e->b.block = e->f->body;
    e->b.at = k->at;
    if (flow == FLOW_NEXT)
        end_block(e, IR_OP_return, NULL);
    if (e->s->errors == errors)
        check_written(e);
}

struct ir_func *elab_kernel(struct sema_item *item, const struct bindings *all, bool check)
{
    struct session *s = item->module->s;
    uint32_t errors = s->errors;
    struct elab *e = elab_new(item->module, item, item->ast->name.text);
    e->bindings = all;
    e->warn = check;
    e->f->at = item->ast->name.at;
    uint32_t outer = scope_begin(e);
    declare_params(e, item->ast);
    declare_meta(e, item->ast);
    declare_tune(e, item->ast);
    declare_schedule(e, item->ast);
    elab_attributes(e, item->ast);
    elab_conditions(e, item->ast);
    if (e->impossible && s->errors == errors) {
        if (!check)
            diag_error(s, item->ast->name.at, DIAG_FALSE_FACT,
                       "%s rules this variant out by a require", item->ast->name.text);
        return NULL;
    }
    learn_bounds(e);
    elab_body(e, item->ast);
    scope_end(e, outer);
    report_unused(e, errors);
    if (s->errors != errors)
        return NULL;
    const char *why;
    if (!ir_verify(e->f, &why))
        diag_bug(s, item->ast->name.at, "the kernel's IR breaks a rule: %s", why);
    return e->f;
}

struct elab *elab_new(struct sema_module *m, const struct sema_item *kernel, const char *name)
{
    struct elab *e = arena_new(&m->s->module, struct elab);
    e->s = m->s;
    e->m = m;
    e->kernel = kernel;
    e->f = ir_func_new(m->s, name);
    e->b = (struct ir_builder){.func = e->f, .block = e->f->body};
    e->facts.arena = e->truths.arena = &m->s->module;
    return e;
}

struct ir_func *sema_elaborate(struct sema_module *m, const char *kernel,
                               const struct bindings *bindings)
{
    struct sema_item *item = find_kernel(m, kernel);
    return item ? elab_kernel(item, bindings, false) : NULL;
}
