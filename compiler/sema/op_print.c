/* An image as text, for people and golden tests (--emit=plan). The image is one that this compiler
 * made: nothing is checked. */
#include "sema/op.h"

#include <stdio.h>

struct printer {
    struct session *s;
#define X(NAME, field, record) const record *field;
    LDSL_MODULE_TABLES(X)
#undef X
    uint32_t kernel_count, op_count;
    VEC(char) out;
};

static void put(struct printer *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct printer *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(&p->s->scratch, format, args);
    va_end(args);
    for (; *text; text++)
        vec_push(&p->s->module, &p->out, *text);
}

static void indent(struct printer *p, uint32_t depth)
{
    for (uint32_t i = 0; i < depth; i++)
        put(p, "  ");
}

static const char *text_of(const struct printer *p, uint32_t offset)
{
    return p->text + offset;
}

/* ---- expressions ------------------------------------------------------------------------------- */

static const char *const op_names[LDSL_HOST_COUNT] = {
    [LDSL_HOST_NEG] = "-",       [LDSL_HOST_NOT] = "!",       [LDSL_HOST_INVERT] = "~",
    [LDSL_HOST_ABS] = "abs",     [LDSL_HOST_FLOOR] = "floor", [LDSL_HOST_CEIL] = "ceil",
    [LDSL_HOST_ROUND] = "round", [LDSL_HOST_TRUNC] = "trunc", [LDSL_HOST_SQRT] = "sqrt",
    [LDSL_HOST_EXP] = "exp",     [LDSL_HOST_EXP2] = "exp2",   [LDSL_HOST_LOG] = "log",
    [LDSL_HOST_LOG2] = "log2",   [LDSL_HOST_FIT] = "fit",     [LDSL_HOST_BUCKET] = "bucket",
    [LDSL_HOST_MIN] = "min",     [LDSL_HOST_MAX] = "max",     [LDSL_HOST_CDIV] = "cdiv",
    [LDSL_HOST_POW] = "pow",     [LDSL_HOST_HAS] = "has ",    [LDSL_HOST_PACKED] = "packed",
    [LDSL_HOST_ALIGN] = "align",
#define X(name, sign) [LDSL_HOST_##name] = sign,
    AST_BINARY_LIST(X)
#undef X
};

static void put_node(struct printer *p, uint32_t index);

static void put_leaf(struct printer *p, const struct ldsl_module_node *n)
{
    static const char *const facts[] = {
#define X(name, text) text,
        LDSL_DEVICE_FACT_LIST(X)
#undef X
    };
    switch ((int)n->op) {
    case LDSL_HOST_INT:
        if (n->dtype == LDSL_BOOL)
            put(p, n->value.i ? "true" : "false");
        else
            put(p, "%lld", (long long)n->value.i);
        return;
    case LDSL_HOST_FLOAT: put(p, "%g", n->value.f); return;
    case LDSL_HOST_SYMBOL: put(p, "%s", text_of(p, p->symbols[n->n].name)); return;
    case LDSL_HOST_DEVICE: put(p, "dev.%s", facts[n->n]); return;
    case LDSL_HOST_HAS: put(p, "has %s", text_of(p, p->params[n->n].name)); return;
    case LDSL_HOST_PACKED: put(p, "packed(%s)", text_of(p, p->params[n->n].name)); return;
    default: /* ALIGN */
        put(p, "align(%s, ", text_of(p, p->params[n->n].name));
        put_node(p, n->a);
        put(p, ")");
    }
}

static bool is_word(const char *name)
{
    return name[0] >= 'a' && name[0] <= 'z';
}

static void put_node(struct printer *p, uint32_t index)
{
    const struct ldsl_module_node *n = &p->nodes[index];
    const char *name = op_names[n->op];
    if (n->op <= LDSL_HOST_DEVICE) {
        put_leaf(p, n);
    } else if (n->op == LDSL_HOST_COND) {
        put(p, "(");
        put_node(p, n->a);
        put(p, " ? ");
        put_node(p, n->b);
        put(p, " : ");
        put_node(p, n->c);
        put(p, ")");
    } else if (n->op == LDSL_HOST_CAST || (n->op < LDSL_HOST_ADD && is_word(name))) {
        put(p, "%s(", n->op == LDSL_HOST_CAST ? ldsl_dtype_name(n->dtype) : name);
        put_node(p, n->a);
        put(p, ")");
    } else if (n->op < LDSL_HOST_ADD) {
        put(p, "%s", name);
        put_node(p, n->a);
    } else if (is_word(name)) {
        put(p, "%s(", name);
        put_node(p, n->a);
        put(p, ", ");
        put_node(p, n->b);
        put(p, ")");
    } else {
        put(p, "(");
        put_node(p, n->a);
        put(p, " %s ", name);
        put_node(p, n->b);
        put(p, ")");
    }
}

/* ---- signatures -------------------------------------------------------------------------------- */

static void put_types(struct printer *p, uint32_t set)
{
    bool first = true;
    for (unsigned d = 0; d < LDSL_DTYPE_COUNT; d++)
        if (set >> d & 1) {
            put(p, "%s%s", first ? "" : ", ", ldsl_dtype_name((enum ldsl_dtype)d));
            first = false;
        }
}

static void put_dims(struct printer *p, struct ldsl_module_range dims)
{
    put(p, "[");
    for (uint32_t d = 0; d < dims.count; d++) {
        put(p, "%s", d ? ", " : "");
        put_node(p, p->dims[dims.first + d].node);
    }
    put(p, "]");
}

static const char *elem_of(const struct printer *p, uint32_t generic, uint8_t dtype)
{
    return generic == LDSL_NONE ? ldsl_dtype_name(dtype) : text_of(p, p->generics[generic].name);
}

static void put_param(struct printer *p, const struct ldsl_module_param *param)
{
    static const char *const roles[] = {"in", "mut", "out"};
    put(p, "  %s %s: ", roles[param->role], text_of(p, param->name));
    if (param->flags & LDSL_MODULE_CONST)
        put(p, "const ");
    if (param->kind == LDSL_KIND_TENSOR) {
        put(p, "tensor<%s>", elem_of(p, param->generic, param->dtype));
        put_dims(p, param->dims);
    } else if (param->kind == LDSL_KIND_ENUM) {
        put(p, "%s", text_of(p, p->enums[param->enumeration].name));
    } else {
        put(p, "%s", ldsl_dtype_name(param->dtype));
    }
    put(p, "%s%s", param->flags & LDSL_MODULE_OPTIONAL ? "?" : "",
        param->flags & LDSL_MODULE_STRIDED ? " strided" : "");
    for (uint32_t i = 0; i < param->choices.count; i++)
        put(p, "%s%lld%s", i ? ", " : " in {", (long long)p->values[param->choices.first + i],
            i + 1 == param->choices.count ? "}" : "");
    if (param->default_node != LDSL_NONE) {
        put(p, " = ");
        put_node(p, param->default_node);
    }
    if (param->sample)
        put(p, " sample %s", text_of(p, param->sample));
    put(p, "\n");
}

static void put_scope(struct printer *p, const struct ldsl_module_scope *s)
{
    for (uint32_t i = 0; i < s->generics.count; i++) {
        const struct ldsl_module_generic *g = &p->generics[s->generics.first + i];
        put(p, "  type %s: ", text_of(p, g->name));
        put_types(p, g->dtypes);
        put(p, "\n");
    }
    for (uint32_t i = 0; i < s->params.count; i++)
        put_param(p, &p->params[s->params.first + i]);
}

static void put_checks(struct printer *p, const char *what, struct ldsl_module_range range)
{
    for (uint32_t i = 0; i < range.count; i++) {
        const struct ldsl_module_check *c = &p->checks[range.first + i];
        put(p, "  %s ", what);
        put_node(p, c->node);
        if (c->message)
            put(p, ", \"%s\"", text_of(p, c->message));
        put(p, "\n");
    }
}

static void put_settings(struct printer *p, struct ldsl_module_range range)
{
    put(p, "{");
    for (uint32_t i = 0; i < range.count; i++) {
        put(p, "%s%s = ", i ? ", " : " ", text_of(p, p->settings[range.first + i].name));
        put_node(p, p->settings[range.first + i].node);
    }
    put(p, " }");
}

/* ---- kernels ----------------------------------------------------------------------------------- */

static void put_kernel(struct printer *p, const struct ldsl_module_kernel *k)
{
    put(p, "kernel %s  // %s:%u\n", text_of(p, k->name), text_of(p, k->path), k->line);
    put_scope(p, &k->scope);
    put_checks(p, "require", k->requires);
    put_checks(p, "specialize", k->groups);
    for (uint32_t i = 0; i < k->metas.count; i++) {
        const struct ldsl_module_meta *meta = &p->metas[k->metas.first + i];
        put(p, "  meta %s = ", text_of(p, p->symbols[meta->symbol].name));
        put_node(p, meta->node);
        put(p, "\n");
    }
    for (uint32_t i = 0; i < k->tunes.count; i++) {
        const struct ldsl_module_tune *tune = &p->tunes[k->tunes.first + i];
        put(p, "  tune %s in {", text_of(p, p->symbols[tune->symbol].name));
        for (uint32_t v = 0; v < tune->values.count; v++)
            put(p, "%s%lld", v ? ", " : "", (long long)p->values[tune->values.first + v]);
        put(p, "}\n");
    }
    put_checks(p, "where", k->wheres);
    for (uint32_t i = 0; i < k->defaults.count; i++) {
        const struct ldsl_module_default *d = &p->defaults[k->defaults.first + i];
        put(p, "  default ");
        put_settings(p, d->settings);
        if (d->where != LDSL_NONE) {
            put(p, " where ");
            put_node(p, d->where);
        }
        put(p, "\n");
    }
    for (uint32_t i = 0; i < k->grids.count; i++) {
        const struct ldsl_module_grid *g = &p->grids[k->grids.first + i];
        put(p, "  grid %s: ", text_of(p, g->name));
        put_node(p, g->extent);
        put(p, " by ");
        put_node(p, g->tile);
        put(p, "\n");
    }
    for (uint32_t i = 0; i < k->parts.count; i++)
        put(p, "  parts %s\n", text_of(p, p->indices[k->parts.first + i]));
    put(p, "\n");
}

/* ---- operators --------------------------------------------------------------------------------- */

static void put_view(struct printer *p, uint32_t index)
{
    const struct ldsl_module_view *v = &p->views[index];
    put(p, "%s", text_of(p, p->tensors[v->tensor].name));
    for (uint32_t i = 0; i < v->subs.count; i++) {
        const struct ldsl_module_sub *sub = &p->subs[v->subs.first + i];
        put(p, "%s", i ? ", " : "[");
        put_node(p, sub->lo);
        if (sub->hi != LDSL_NONE) {
            put(p, " .. ");
            put_node(p, sub->hi);
        }
        put(p, "%s", i + 1 == v->subs.count ? "]" : "");
    }
}

static void put_args(struct printer *p, struct ldsl_module_range args,
                     const struct ldsl_module_scope *callee)
{
    put(p, "(");
    for (uint32_t i = 0; i < args.count; i++) {
        const struct ldsl_module_arg *arg = &p->args[args.first + i];
        put(p, "%s%s: ", i ? ", " : "", text_of(p, p->params[callee->params.first + i].name));
        if (arg->kind == LDSL_PASS_TENSOR)
            put_view(p, arg->index);
        else if (arg->kind == LDSL_PASS_VALUE)
            put_node(p, arg->index);
        else
            put(p, "-");
    }
    put(p, ")");
}

static void put_body(struct printer *p, struct ldsl_module_range body, uint32_t depth);

static void put_launch(struct printer *p, const struct ldsl_module_stmt *s)
{
    const struct ldsl_module_kernel *k = &p->kernels[s->a];
    put(p, "launch %s", text_of(p, k->name));
    put_args(p, s->first, &k->scope);
    if (!s->second.count)
        return;
    put(p, " with ");
    put_settings(p, s->second);
}

static void put_branches(struct printer *p, const struct ldsl_module_stmt *s, uint32_t depth)
{
    put(p, "if ");
    put_node(p, s->a);
    put(p, "\n");
    put_body(p, s->first, depth + 1);
    if (!s->second.count)
        return;
    indent(p, depth);
    put(p, "else\n");
    put_body(p, s->second, depth + 1);
}

static void put_loop(struct printer *p, const struct ldsl_module_stmt *s, uint32_t depth)
{
    put(p, "for %s in ", text_of(p, p->symbols[s->a].name));
    put_node(p, s->b);
    put(p, " .. ");
    put_node(p, s->c);
    put(p, " step ");
    put_node(p, s->d);
    put(p, "\n");
    put_body(p, s->first, depth + 1);
}

static void put_stmt(struct printer *p, const struct ldsl_module_stmt *s, uint32_t depth)
{
    const struct ldsl_module_tensor *t;
    indent(p, depth);
    switch ((enum ldsl_stmt_kind)s->kind) {
    case LDSL_STMT_LET:
        put(p, "let %s = ", text_of(p, p->symbols[s->a].name));
        put_node(p, s->b);
        break;
    case LDSL_STMT_SCRATCH:
        t = &p->tensors[s->a];
        put(p, "scratch %s: tensor<%s>", text_of(p, t->name), elem_of(p, t->generic, t->dtype));
        put_dims(p, t->dims);
        break;
    case LDSL_STMT_VIEW:
        put(p, "let %s = ", text_of(p, p->tensors[s->a].name));
        put_view(p, s->b);
        break;
    case LDSL_STMT_LAUNCH: put_launch(p, s); break;
    case LDSL_STMT_CALL:
        put(p, "%s", text_of(p, p->ops[s->a].name));
        put_args(p, s->first, &p->ops[s->a].scope);
        break;
    case LDSL_STMT_ZERO:
        put(p, "zero ");
        put_view(p, s->a);
        break;
    case LDSL_STMT_COPY:
        put(p, "copy ");
        put_view(p, s->a);
        put(p, " from ");
        put_view(p, s->b);
        break;
    case LDSL_STMT_IF: put_branches(p, s, depth); return;
    case LDSL_STMT_FOR: put_loop(p, s, depth); return;
    case LDSL_STMT_ASSERT:
        put(p, "assert ");
        put_node(p, p->checks[s->a].node);
        break;
    case LDSL_STMT_COUNT: break;
    }
    put(p, "\n");
}

static void put_body(struct printer *p, struct ldsl_module_range body, uint32_t depth)
{
    for (uint32_t i = 0; i < body.count; i++)
        put_stmt(p, &p->stmts[body.first + i], depth);
}

static void put_op(struct printer *p, const struct ldsl_module_op *op)
{
    put(p, "%sop %s  // %s:%u\n", op->flags & LDSL_MODULE_EXTERN ? "extern " : "",
        text_of(p, op->name), text_of(p, op->path), op->line);
    put_scope(p, &op->scope);
    put_checks(p, "require", op->requires);
    if (op->keys.count)
        put(p, "  key ");
    for (uint32_t i = 0; i < op->keys.count; i++) {
        put_node(p, p->indices[op->keys.first + i]);
        put(p, "%s", i + 1 < op->keys.count ? ", " : "\n");
    }
    if (op->grad)
        put(p, "  grad %s\n", text_of(p, op->grad));
    if (op->ref)
        put(p, "  ref %s\n", text_of(p, op->ref));
    for (uint32_t i = 0; i < op->benches.count; i++) {
        put(p, "  bench ");
        put_settings(p, p->benches[op->benches.first + i].sizes);
        put(p, "\n");
    }
    put(p, "do\n");
    put_body(p, op->body, 1);
    put(p, "\n");
}

const char *sema_print_plan(struct session *s, const void *image)
{
    const struct ldsl_module_header *h = image;
    struct printer p = {.s = s,
                        .kernel_count = h->tables[LDSL_MODULE_KERNEL].count,
                        .op_count = h->tables[LDSL_MODULE_OP].count};
#define X(NAME, field, record)                                                                     \
    p.field =                                                                                      \
        (const record *)(const void *)((const char *)image + h->tables[LDSL_MODULE_##NAME].first);
    LDSL_MODULE_TABLES(X)
#undef X
    for (uint32_t i = 0; i < p.kernel_count; i++)
        put_kernel(&p, &p.kernels[i]);
    for (uint32_t i = 0; i < p.op_count; i++)
        put_op(&p, &p.ops[i]);
    vec_push(&s->module, &p.out, '\0');
    return p.out.data;
}
