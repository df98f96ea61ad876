/* What launches and calls pass: tensors and values, one for each parameter of the callee. */
#include "sema/op.h"

/* ---- tensors ----------------------------------------------------------------------------------- */

static int64_t find_tensor(struct unit *u, const char *name)
{
    struct host_name *n = host_find(u, name);
    if (!n || (n->kind != HOST_NAME_PARAM && n->kind != HOST_NAME_TENSOR))
        return -1;
    n->used = true;
    if (n->kind == HOST_NAME_TENSOR)
        return n->index;
    for (uint32_t i = 0; i < u->tensors.count; i++)
        if (u->tensors.data[i].kind == LDSL_TENSOR_PARAM &&
            u->tensors.data[i].param == (int32_t)n->index)
            return i;
    return -1;
}

bool is_tensor_expr(struct unit *u, const struct expr *e)
{
    if (e->kind == EXPR_INDEX)
        e = e->index.base;
    if (e->kind != EXPR_NAME)
        return false;
    struct host_name *n = host_find(u, e->string);
    return n && (n->kind == HOST_NAME_PARAM || n->kind == HOST_NAME_TENSOR);
}

uint32_t tensor_view(struct unit *u, const struct expr *e, uint32_t *tensor, uint32_t *rank)
{
    const struct expr *base = e->kind == EXPR_INDEX ? e->index.base : e;
    int64_t found = base->kind == EXPR_NAME ? find_tensor(u, base->string) : -1;
    if (found < 0) {
        diag_error(u->s, e->at, DIAG_LAUNCH_ARGUMENT, "a tensor is wanted here");
        return LDSL_NONE;
    }
    *tensor = (uint32_t)found;
    *rank = u->tensors.data[found].rank;
    struct ldsl_module_sub subs[LDSL_MAX_RANK];
    uint32_t count = e->kind == EXPR_INDEX ? e->index.subs.count : 0;
    if (count > *rank) {
        diag_error(u->s, e->at, DIAG_SLICE, "%s has %u dims; %u subscripts were given",
                   base->string, *rank, count);
        return LDSL_NONE;
    }
    bool good = true;
    for (uint32_t i = 0; i < count; i++) {
        const struct ast_sub *sub = &e->index.subs.data[i];
        uint32_t lo = host_as(u, sub->first, IR_INDEX);
        uint32_t hi = sub->last ? host_as(u, sub->last, IR_INDEX) : LDSL_NONE;
        good &= lo != LDSL_NONE && (!sub->last || hi != LDSL_NONE);
        subs[i] = (struct ldsl_module_sub){unit_node(u, lo), unit_node(u, hi)};
        *rank -= !sub->last;
    }
    struct ldsl_module_view view = {
        .tensor = u->image->tensors.count + *tensor, .subs = {u->image->subs.count, count}
    };
    for (uint32_t i = 0; i < count; i++)
        vec_push(&u->s->module, &u->image->subs, subs[i]);
    vec_push(&u->s->module, &u->image->views, view);
    return good ? u->image->views.count - 1 : LDSL_NONE;
}

/* ---- callees ----------------------------------------------------------------------------------- */

static struct sema_item *find_callee(struct unit *u, const struct expr *callee)
{
    bool known;
    if (callee->kind == EXPR_NAME)
        return sema_find(u->m, callee->string);
    if (callee->kind == EXPR_MEMBER && callee->member.base->kind == EXPR_NAME)
        return sema_find_in(u->m, callee->member.base->string, callee->member.member.text, &known);
    return NULL;
}

struct signature *resolve_callee(struct unit *u, const struct expr *callee, bool op)
{
    struct sema_item *item = find_callee(u, callee);
    const char *what = op ? "operator" : "kernel";
    unsigned kinds = op ? 1u << ITEM_OP | 1u << ITEM_EXTERN_OP : 1u << ITEM_KERNEL;
    if (!item) {
        const char *name = source_text(u->s, callee->at);
        diag_error(u->s, callee->at, DIAG_UNKNOWN_NAME, "there is no %s called %s", what, name);
        const char *near = nearest_item(u->m, name, kinds);
        if (near)
            diag_help(u->s, "did you mean %s?", near);
        return NULL;
    }
    if (!(kinds & 1u << item->ast->kind)) {
        const char *kind = item_kind_text(item->ast->kind);
        diag_error(u->s, callee->at, DIAG_LAUNCH_TARGET, "%s is no %s: it is a%s %s",
                   item->ast->name.text, what, strchr("aeio", kind[0]) ? "n" : "", kind);
        if (!op && (item->ast->kind == ITEM_OP || item->ast->kind == ITEM_EXTERN_OP))
            diag_help(u->s, "call the operator without `launch`");
        if (op && item->ast->kind == ITEM_KERNEL)
            diag_help(u->s, "write `launch %s(...)`", item->ast->name.text);
        return NULL;
    }
    struct signature *sig = find_signature(u->units, item);
    return sig && !sig->broken ? sig : NULL;
}

/* ---- element types ----------------------------------------------------------------------------- */

/* What a generic of the callee stands for: a type, or a generic of the operator. */
struct meaning {
    bool known;
    bool broken; /* an error was reported */
    enum ir_elem elem;
    int32_t generic;
    const char *from; /* the parameter that said so */
};

static const char *meaning_text(const struct unit *u, enum ir_elem elem, int32_t generic)
{
    return generic >= 0 ? u->sig->generics.data[generic].name.text : ir_elem_name(elem);
}

static elem_set types_of(const struct unit *u, const struct op_tensor *t)
{
    return t->generic >= 0 ? u->sig->generics.data[t->generic].set : (elem_set)1 << t->elem;
}

/* May the tensor have a type that the parameter does not take? Under an `if` the condition may be
 * about types, so there only what can never fit is an error. */
static bool check_types(struct unit *u, struct span at, const struct op_tensor *t, elem_set takes,
                        const char *param, const struct signature *callee)
{
    elem_set has = types_of(u, t);
    if (!(has & ~takes) || (u->branches && has & takes))
        return true;
    diag_error(u->s, at, DIAG_LAUNCH_ARGUMENT, "%s may be %s; %s of %s takes %s", t->name.text,
               elem_set_text(u->s, has & ~takes), param, callee->item->ast->name.text,
               elem_set_text(u->s, takes));
    return false;
}

static bool match_elem(struct unit *u, struct span at, const struct op_tensor *t,
                       const struct sig_param *p, const struct signature *callee,
                       struct meaning *meanings)
{
    const char *name = p->ast->name.text;
    if (p->generic < 0)
        return check_types(u, at, t, (elem_set)1 << p->elem, name, callee);
    struct meaning *m = &meanings[p->generic];
    const struct sig_generic *g = &callee->generics.data[p->generic];
    if (m->broken)
        return false;
    if (m->known && (m->generic != t->generic || (t->generic < 0 && m->elem != t->elem))) {
        diag_error(u->s, at, DIAG_LAUNCH_ARGUMENT, "%s of %s is %s from %s, %s from %s",
                   g->name.text, callee->item->ast->name.text, meaning_text(u, m->elem, m->generic),
                   m->from, meaning_text(u, t->elem, t->generic), name);
        return false;
    }
    m->known = true;
    m->elem = t->elem;
    m->generic = t->generic;
    m->from = name;
    m->broken = !check_types(u, at, t, g->set, name, callee);
    return !m->broken;
}

/* A generic that no tensor tells takes the operator's of that name. */
static void check_meanings(struct unit *u, const struct expr *call, const struct signature *callee,
                           const struct meaning *meanings)
{
    for (uint32_t i = 0; i < callee->generics.count; i++) {
        const struct sig_generic *g = &callee->generics.data[i];
        int32_t own = signature_find_generic(u->sig, g->name.text);
        if (meanings[i].known)
            continue;
        if (own < 0)
            diag_error(u->s, call->at, DIAG_NOT_DEDUCED, "nothing tells what %s of %s is",
                       g->name.text, callee->item->ast->name.text);
        else if (u->sig->generics.data[own].set & ~g->set && !u->branches)
            diag_error(u->s, call->at, DIAG_NOT_IN_SET, "%s may be %s, which %s does not take",
                       g->name.text, elem_set_text(u->s, u->sig->generics.data[own].set & ~g->set),
                       callee->item->ast->name.text);
    }
}

/* ---- one argument ------------------------------------------------------------------------------ */

static struct ldsl_module_arg absent(void)
{
    return (struct ldsl_module_arg){.kind = LDSL_PASS_ABSENT};
}

static struct ldsl_module_arg pass_tensor(struct unit *u, const struct expr *e,
                                          const struct sig_param *p, const struct signature *callee,
                                          struct meaning *meanings)
{
    const char *name = p->ast->name.text, *of = callee->item->ast->name.text;
    uint32_t tensor, rank;
    if (!is_tensor_expr(u, e)) {
        diag_error(u->s, e->at, DIAG_LAUNCH_ARGUMENT, "%s of %s is a tensor: %s", name, of,
                   sig_param_text(u->s, callee, p));
        return absent();
    }
    uint32_t view = tensor_view(u, e, &tensor, &rank);
    if (view == LDSL_NONE)
        return absent();
    const struct op_tensor *t = &u->tensors.data[tensor];
    if (rank != p->rank) {
        diag_error(u->s, e->at, DIAG_LAUNCH_ARGUMENT, "%s of %s has %u dims: %s; this has %u", name,
                   of, p->rank, sig_param_text(u->s, callee, p), rank);
        return absent();
    }
    match_elem(u, e->at, t, p, callee, meanings);
    if (!u->tensors.data[t->root].present && !p->optional) {
        diag_error(u->s, e->at, DIAG_MAY_BE_ABSENT, "%s may be absent here; %s of %s may not",
                   t->name.text, name, of);
        diag_help(u->s, "launch it under `if has %s { ... }`", u->tensors.data[t->root].name.text);
    }
    return (struct ldsl_module_arg){LDSL_PASS_TENSOR, view};
}

static bool is_choice(const struct sig_param *p, int64_t value)
{
    for (uint32_t i = 0; i < p->choices.count; i++)
        if (binding_of_const(p->choices.data[i]) == value)
            return true;
    return p->choices.count == 0;
}

static struct ldsl_module_arg pass_value(struct unit *u, const struct expr *e,
                                         const struct sig_param *p, const struct signature *callee)
{
    const char *name = p->ast->name.text, *of = callee->item->ast->name.text;
    if (is_tensor_expr(u, e) && e->kind == EXPR_NAME) {
        diag_error(u->s, e->at, DIAG_LAUNCH_ARGUMENT, "%s of %s is a value, %s; this is a tensor",
                   name, of, sig_param_text(u->s, callee, p));
        return absent();
    }
    struct host_value v = host_expr(u, e);
    if (v.kind == HOST_POISON)
        return absent();
    if (p->of && (v.kind != HOST_ENUM || v.of != p->of)) {
        diag_error(u->s, e->at, DIAG_LAUNCH_ARGUMENT, "%s of %s is a %s", name, of,
                   p->of->name.text);
        return absent();
    }
    uint32_t node = v.node;
    if (!p->of && p->generic < 0)
        node = host_convert(u, e->at, v, p->elem);
    if (node == LDSL_NONE)
        return absent();
    if (p->ast->is_const && u->nodes.data[v.node].op == LDSL_HOST_INT &&
        !is_choice(p, u->nodes.data[v.node].value.i))
        diag_error(u->s, e->at, DIAG_LAUNCH_ARGUMENT, "%s of %s cannot have this value", name, of);
    return (struct ldsl_module_arg){LDSL_PASS_VALUE, unit_node(u, node)};
}

/* ---- all of them ------------------------------------------------------------------------------- */

/* Which argument goes to each parameter; false after reporting. */
static bool match_arguments(struct unit *u, const struct expr *call, const struct signature *callee,
                            const struct expr **values)
{
    const char *of = callee->item->ast->name.text;
    for (uint32_t i = 0; i < call->call.args.count; i++) {
        const struct ast_arg *a = &call->call.args.data[i];
        int64_t param =
            a->name.text ? (int64_t)signature_find_param(callee, a->name.text) : (int64_t)i;
        if (a->has_over)
            return diag_error(u->s, a->at, DIAG_LAUNCH_ARGUMENT, "`over` has no meaning here");
        if (param < 0) {
            diag_error(u->s, a->name.at, DIAG_LAUNCH_ARGUMENT, "%s has no parameter %s", of,
                       a->name.text);
            diag_note(u->s, callee->item->ast->name.at, "%s is declared here", of);
            return false;
        }
        if (param >= callee->params.count) {
            diag_error(u->s, a->at, DIAG_LAUNCH_COUNT,
                       "%s has %u parameters; %u arguments were given", of, callee->params.count,
                       call->call.args.count);
            diag_note(u->s, callee->item->ast->name.at, "%s is declared here", of);
            return false;
        }
        if (values[param])
            return diag_error(u->s, a->at, DIAG_LAUNCH_ARGUMENT, "%s of %s is given twice",
                              callee->params.data[param].ast->name.text, of);
        values[param] = a->value;
    }
    return true;
}

static bool may_be_left_out(const struct sig_param *p)
{
    return p->kind == LDSL_KIND_TENSOR ? p->optional : p->ast->value != NULL;
}

/* Reads come before writes: what a launch writes is no excuse for what it reads. */
static void note_flow(struct unit *u, const struct expr **values, const struct signature *callee,
                      const struct ldsl_module_arg *args)
{
    for (int writes = 0; writes < 2; writes++)
        for (uint32_t i = 0; i < callee->params.count; i++) {
            const struct sig_param *p = &callee->params.data[i];
            if (args[i].kind != LDSL_PASS_TENSOR)
                continue;
            uint32_t tensor = u->image->views.data[args[i].index].tensor - u->image->tensors.count;
            if (!writes && p->role != LDSL_PARAM_OUTPUT)
                flow_read(u, values[i]->at, tensor);
            if (writes && p->role != LDSL_PARAM_INPUT)
                flow_write(u, values[i]->at, tensor, callee->item->ast->name.text);
        }
}

struct ldsl_module_range pass_arguments(struct unit *u, const struct expr *call,
                                        const struct signature *callee)
{
    uint32_t count = callee->params.count;
    struct arena *a = &u->s->module;
    const struct expr **values = arena_array(a, const struct expr *, count + 1);
    struct ldsl_module_arg *args = arena_array(a, struct ldsl_module_arg, count + 1);
    struct meaning *meanings = arena_array(a, struct meaning, callee->generics.count + 1);
    if (!match_arguments(u, call, callee, values)) {
        u->unclear = true;
        return (struct ldsl_module_range){0};
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct sig_param *p = &callee->params.data[i];
        if (values[i] && p->kind == LDSL_KIND_TENSOR) {
            args[i] = pass_tensor(u, values[i], p, callee, meanings);
        } else if (values[i]) {
            args[i] = pass_value(u, values[i], p, callee);
        } else if (!may_be_left_out(p)) {
            diag_error(u->s, call->at, DIAG_LAUNCH_COUNT, "%s of %s, %s, is missing",
                       p->ast->name.text, callee->item->ast->name.text,
                       sig_param_text(u->s, callee, p));
            diag_note(u->s, p->ast->name.at, "%s is declared here", p->ast->name.text);
        }
    }
    check_meanings(u, call, callee, meanings);
    note_flow(u, values, callee, args);
    struct ldsl_module_range range = {u->image->args.count, count};
    for (uint32_t i = 0; i < count; i++)
        vec_push(a, &u->image->args, args[i]);
    return range;
}
