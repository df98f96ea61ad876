/* The op layer of a file: which kernels and operators its image holds, and building it. */
#include "sema/op.h"

enum { MAX_CALL_DEPTH = 30 }; /* below what the runtime expands */

/* ---- what is reachable ------------------------------------------------------------------------- */

struct reach {
    struct sema_module *root;
    struct op_units *units;
};

static struct sema_item *find_quietly(struct sema_module *m, const struct expr *callee)
{
    bool known;
    if (callee->kind == EXPR_NAME)
        return sema_find(m, callee->string);
    if (callee->kind == EXPR_MEMBER && callee->member.base->kind == EXPR_NAME)
        return sema_find_in(m, callee->member.base->string, callee->member.member.text, &known);
    return NULL;
}

static void add_kernel(struct reach *r, struct sema_item *item)
{
    if (find_signature(r->units, item))
        return;
    struct session *s = r->root->s;
    s->muted++; /* the kernel's own check tells its errors */
    struct signature *sig = signature_new(item, r->units->kernels.count);
    s->muted--;
    vec_push(&s->module, &r->units->kernels, sig);
}

static void add_op(struct reach *r, struct sema_item *item)
{
    if (find_signature(r->units, item))
        return;
    struct signature *sig = signature_new(item, r->units->ops.count);
    vec_push(&r->root->s->module, &r->units->ops, sig);
}

static void reach_call(struct reach *r, struct sema_module *m, const struct expr *call)
{
    struct sema_item *item = call->kind == EXPR_CALL ? find_quietly(m, call->call.callee) : NULL;
    if (!item)
        return;
    if (item->ast->kind == ITEM_KERNEL)
        add_kernel(r, item);
    if (item->ast->kind == ITEM_OP || item->ast->kind == ITEM_EXTERN_OP)
        add_op(r, item);
}

static void reach_block(struct reach *r, struct sema_module *m, const ast_block *block)
{
    for (uint32_t i = 0; i < block->count; i++) {
        const struct stmt *s = block->data[i];
        if (s->kind == STMT_LAUNCH)
            reach_call(r, m, s->launch.call);
        if (s->kind == STMT_EXPR)
            reach_call(r, m, s->expr);
        if (s->kind == STMT_FOR)
            reach_block(r, m, &s->loop.body);
        if (s->kind == STMT_BLOCK)
            reach_block(r, m, &s->block);
        if (s->kind == STMT_IF) {
            reach_block(r, m, &s->branch.body);
            reach_block(r, m, &s->branch.no);
        }
    }
}

/* ---- recursion --------------------------------------------------------------------------------- */

enum mark { UNSEEN, OPEN, CLOSED };

struct cycles {
    struct op_units *units;
    enum mark *marks;
    uint32_t depth;
};

static bool is_acyclic(struct cycles *c, uint32_t op);

static bool calls_are_acyclic(struct cycles *c, struct sema_module *m, const ast_block *block)
{
    bool good = true;
    for (uint32_t i = 0; i < block->count; i++) {
        const struct stmt *s = block->data[i];
        if (s->kind == STMT_FOR)
            good &= calls_are_acyclic(c, m, &s->loop.body);
        if (s->kind == STMT_BLOCK)
            good &= calls_are_acyclic(c, m, &s->block);
        if (s->kind == STMT_IF) {
            good &= calls_are_acyclic(c, m, &s->branch.body);
            good &= calls_are_acyclic(c, m, &s->branch.no);
        }
        if (s->kind != STMT_EXPR || s->expr->kind != EXPR_CALL)
            continue;
        struct sema_item *item = find_quietly(m, s->expr->call.callee);
        struct signature *sig = item ? find_signature(c->units, item) : NULL;
        if (!sig || !sig->is_op)
            continue;
        if (c->marks[sig->index] == OPEN || c->depth > MAX_CALL_DEPTH)
            good = diag_error(m->s, s->expr->at, DIAG_OP_RECURSION,
                              "this call leads back to %s, or calls nest too deeply",
                              item->ast->name.text);
        else
            good &= is_acyclic(c, sig->index);
    }
    return good;
}

static bool is_acyclic(struct cycles *c, uint32_t op)
{
    struct sema_item *item = c->units->ops.data[op]->item;
    if (c->marks[op] == CLOSED || item->ast->kind != ITEM_OP)
        return true;
    c->marks[op] = OPEN;
    c->depth++;
    bool good = calls_are_acyclic(c, item->module, &item->ast->op.body);
    c->depth--;
    c->marks[op] = CLOSED;
    return good;
}

static bool check_recursion(struct session *s, struct op_units *units)
{
    struct cycles c = {.units = units,
                       .marks = arena_array(&s->module, enum mark, units->ops.count + 1)};
    bool good = true;
    for (uint32_t i = 0; i < units->ops.count; i++)
        good &= is_acyclic(&c, i);
    return good;
}

/* ---- building ---------------------------------------------------------------------------------- */

/* The gradient or reference of an operator, which another file may have. */
static void add_link(struct reach *r, const char *name)
{
    struct sema_item *item = name ? sema_find(r->root, name) : NULL;
    if (item && item->ast->kind == ITEM_OP)
        add_op(r, item);
}

static void find_units(struct op_units *units)
{
    struct sema_module *m = units->root;
    struct reach r = {.root = m, .units = units};
    for (uint32_t i = 0; i < m->items.count; i++) {
        struct sema_item *item = m->items.data[i];
        bool op = item->ast->kind == ITEM_OP || item->ast->kind == ITEM_EXTERN_OP;
        if (op && !item->ast->damaged)
            add_op(&r, item);
    }
    for (uint32_t i = 0; i < units->ops.count; i++) { /* grows: links may have links */
        add_link(&r, units->ops.data[i]->item->ast->op.grad.text);
        add_link(&r, units->ops.data[i]->item->ast->op.ref.text);
    }
    units->found = units->ops.count;
    for (uint32_t i = 0; i < units->ops.count; i++) /* grows: calls add what they reach */
        if (units->ops.data[i]->item->ast->kind == ITEM_OP)
            reach_block(&r, units->ops.data[i]->item->module,
                        &units->ops.data[i]->item->ast->op.body);
}

/* Kernels tell their own errors when they are elaborated. Only if none was told so far must the
 * image say why it cannot be made. */
static void build_kernels(struct image *image, struct op_units *units)
{
    struct session *s = image->s;
    for (uint32_t i = 0; i < units->kernels.count; i++) {
        struct signature *sig = units->kernels.data[i];
        uint32_t before = s->muted_errors;
        bool broken = sig->broken;
        s->muted++;
        build_kernel(image, units, sig);
        s->muted--;
        if (!broken && s->muted_errors == before)
            continue;
        if (!s->errors)
            sig = signature_new(sig->item, sig->index);
        if (!s->errors && !sig->broken)
            build_kernel(image, units, sig);
        units->kernels.data[i]->broken = true;
    }
}

static struct image *build(struct sema_module *m)
{
    struct session *s = m->s;
    struct image *image = arena_new(&s->module, struct image);
    struct op_units units = {.root = m};
    uint32_t before = s->errors;
    image->s = s;
    find_units(&units);
    if (!check_recursion(s, &units))
        return NULL;
    build_kernels(image, &units);
    for (uint32_t i = 0; i < units.ops.count; i++) {
        build_op(image, &units, units.ops.data[i]);
        if (units.ops.data[i]->item->module == m)
            check_links(m, units.ops.data[i]);
    }
    return s->errors == before ? image : NULL;
}

bool sema_check_ops(struct sema_module *m)
{
    return build(m) != NULL;
}

const void *sema_module_image(struct sema_module *m, size_t *bytes)
{
    struct image *image = build(m);
    return image ? image_finish(image, bytes) : NULL;
}
