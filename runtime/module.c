/* Reading checks each record once, in the scope of the kernel or operator that it belongs to. What
 * is never reached from a kernel or operator is never used, so it needs no check. */
#include "module.h"
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* Damaged images could make owners share huge ranges; honest ones stay far below. */
#define MAX_WORK ((uint64_t)1 << 24)

struct reader {
    struct rt_module m;
    const char *why;
    uint64_t work;
};

/* What a kernel or operator may refer to. */
struct owner {
    const struct ldsl_module_scope *scope;
    struct ldsl_module_range tensors; /* operators */
    struct ldsl_module_range stmts;
};

static bool damaged(struct reader *r, const char *why)
{
    r->why = why;
    return false;
}

/* ---- the shell: header and tables --------------------------------------------------------------
 */

static bool read_table(struct reader *r, const void *image, uint64_t bytes,
                       struct ldsl_module_range at, size_t size, const void **records,
                       uint32_t *count)
{
    if (at.first % 8 || at.first > bytes || at.count > (bytes - at.first) / size)
        return damaged(r, "a table lies outside the image");
    *records = (const char *)image + at.first;
    *count = at.count;
    return true;
}

static bool read_tables(struct reader *r, const void *image, size_t bytes)
{
    const struct ldsl_module_header *h = image;
    if ((uintptr_t)image % 8)
        return damaged(r, "the image is not 8-byte aligned");
    if (bytes < sizeof *h)
        return damaged(r, "the image is shorter than its header");
    if (h->magic != LDSL_MODULE_MAGIC)
        return damaged(r, "this is no module image of this machine's byte order");
    if (h->version != LDSL_MODULE_VERSION)
        return damaged(r, "the image is of another version");
    if (h->bytes != bytes)
        return damaged(r, "the image is cut or padded");
    const void *records;
#define X(NAME, field, record)                                                                     \
    if (!read_table(r, image, bytes, h->tables[LDSL_MODULE_##NAME], sizeof(record), &records,      \
                    &r->m.field##_count))                                                          \
        return false;                                                                              \
    r->m.field = records;
    LDSL_MODULE_TABLES(X)
#undef X
    if (!r->m.text_count || r->m.text[0] || r->m.text[r->m.text_count - 1])
        return damaged(r, "the texts are not terminated");
    return true;
}

/* ---- small checks ------------------------------------------------------------------------------
 */

static bool check_text(struct reader *r, uint32_t offset)
{
    return offset < r->m.text_count || damaged(r, "a text lies outside the table");
}

static bool in_range(struct ldsl_module_range range, uint32_t index)
{
    return index >= range.first && index - range.first < range.count;
}

/* A range of a table of `count` records; counts its records as work to come. */
static bool check_range(struct reader *r, struct ldsl_module_range range, uint32_t count)
{
    if (range.first > count || range.count > count - range.first)
        return damaged(r, "a range lies outside its table");
    r->work += range.count;
    return r->work <= MAX_WORK || damaged(r, "the image is too large");
}

static bool check_node(struct reader *r, const struct owner *o, uint32_t node)
{
    return in_range(o->scope->nodes, node) || damaged(r, "an expression lies outside its scope");
}

static bool check_symbol(struct reader *r, const struct owner *o, uint32_t symbol)
{
    return in_range(o->scope->symbols, symbol) || damaged(r, "a symbol lies outside its scope");
}

/* The same, of a kind: what a let sets is never what a generic or a shape sets. */
static bool check_symbol_kind(struct reader *r, const struct owner *o, uint32_t symbol,
                              enum ldsl_symbol_kind kind)
{
    return check_symbol(r, o, symbol) &&
           (r->m.symbols[symbol].kind == kind || damaged(r, "a symbol is of the wrong kind"));
}

static bool check_dtype(struct reader *r, uint32_t dtype)
{
    return dtype < LDSL_DTYPE_COUNT || damaged(r, "unknown element type");
}

/* ---- host expressions --------------------------------------------------------------------------
 */

static const uint8_t operand_count[LDSL_HOST_COUNT] = {
#define X(name, operands) [LDSL_HOST_##name] = operands,
    LDSL_HOST_LIST(X)
#undef X
};

static bool check_leaf(struct reader *r, const struct owner *o, const struct ldsl_module_node *node)
{
    switch ((int)node->op) {
    case LDSL_HOST_SYMBOL: return check_symbol(r, o, node->n);
    case LDSL_HOST_HAS:
    case LDSL_HOST_PACKED:
    case LDSL_HOST_ALIGN:
        return (in_range(o->scope->params, node->n) &&
                r->m.params[node->n].kind == LDSL_KIND_TENSOR) ||
               damaged(r, "an expression asks about a parameter that is no tensor of its scope");
    case LDSL_HOST_DEVICE:
        return node->n < LDSL_DEVICE_FACT_COUNT || damaged(r, "unknown device fact");
    default: return true;
    }
}

static bool check_nodes(struct reader *r, const struct owner *o)
{
    for (uint32_t k = 0; k < o->scope->nodes.count; k++) {
        uint32_t self = o->scope->nodes.first + k;
        const struct ldsl_module_node *node = &r->m.nodes[self];
        if (node->op >= LDSL_HOST_COUNT)
            return damaged(r, "unknown host operation");
        const uint32_t operands[3] = {node->a, node->b, node->c};
        uint64_t cost = 1;
        for (unsigned i = 0; i < operand_count[node->op]; i++) {
            if (!check_node(r, o, operands[i]))
                return false;
            if (operands[i] >= self)
                return damaged(r, "an expression stands before its operands");
            cost += r->m.nodes[operands[i]].cost;
        }
        if (cost != node->cost || cost > LDSL_HOST_MAX_COST)
            return damaged(r, "an expression's cost is wrong");
        if (!check_dtype(r, node->dtype) || !check_leaf(r, o, node))
            return false;
    }
    return true;
}

/* ---- signatures --------------------------------------------------------------------------------
 */

static bool check_generics(struct reader *r, const struct owner *o)
{
    for (uint32_t k = 0; k < o->scope->generics.count; k++) {
        const struct ldsl_module_generic *g = &r->m.generics[o->scope->generics.first + k];
        if (!check_text(r, g->name) || !check_symbol_kind(r, o, g->symbol, LDSL_SYMBOL_GENERIC))
            return false;
        if (!g->dtypes || g->dtypes >> LDSL_DTYPE_COUNT)
            return damaged(r, "a generic's set of types is wrong");
    }
    return true;
}

static bool check_element(struct reader *r, const struct owner *o, uint32_t generic, uint32_t dtype)
{
    if (!check_dtype(r, dtype))
        return false;
    return generic == LDSL_NONE || in_range(o->scope->generics, generic) ||
           damaged(r, "a generic lies outside its scope");
}

static bool check_dims(struct reader *r, const struct owner *o, struct ldsl_module_range dims)
{
    if (!check_range(r, dims, r->m.dims_count))
        return false;
    if (dims.count > LDSL_MAX_RANK)
        return damaged(r, "a tensor has too many dims");
    for (uint32_t i = 0; i < dims.count; i++) {
        const struct ldsl_module_dim *d = &r->m.dims[dims.first + i];
        if (!check_node(r, o, d->node) || !check_text(r, d->text))
            return false;
    }
    return true;
}

static bool check_enum(struct reader *r, uint32_t index)
{
    if (index >= r->m.enums_count)
        return damaged(r, "an enum lies outside the table");
    const struct ldsl_module_enum *e = &r->m.enums[index];
    if (!check_text(r, e->name) || !check_range(r, e->words, r->m.indices_count))
        return false;
    for (uint32_t i = 0; i < e->words.count; i++)
        if (!check_text(r, r->m.indices[e->words.first + i]))
            return false;
    return true;
}

static bool check_param(struct reader *r, const struct owner *o, const struct ldsl_module_param *p)
{
    if (!check_text(r, p->name) || !check_text(r, p->sample) ||
        !check_element(r, o, p->generic, p->dtype) || !check_dims(r, o, p->dims) ||
        !check_range(r, p->choices, r->m.values_count))
        return false;
    if (p->role > LDSL_PARAM_OUTPUT || p->kind > LDSL_KIND_ENUM)
        return damaged(r, "a parameter of unknown kind");
    if (p->default_node != LDSL_NONE && !check_node(r, o, p->default_node))
        return false;
    bool is_const = p->flags & LDSL_MODULE_CONST;
    if (p->kind == LDSL_KIND_TENSOR)
        return (p->symbol == LDSL_NONE && p->default_node == LDSL_NONE && !is_const) ||
               damaged(r, "a tensor parameter has a host value");
    if (!check_symbol_kind(r, o, p->symbol, is_const ? LDSL_SYMBOL_CONST : LDSL_SYMBOL_SCALAR))
        return false;
    if (p->role != LDSL_PARAM_INPUT || p->dims.count || p->flags & ~LDSL_MODULE_CONST)
        return damaged(r, "a scalar parameter with a tensor's marks");
    return p->kind == LDSL_KIND_SCALAR || check_enum(r, p->enumeration);
}

static bool check_scope(struct reader *r, const struct owner *o)
{
    const struct ldsl_module_scope *s = o->scope;
    if (!check_range(r, s->nodes, r->m.nodes_count) ||
        !check_range(r, s->symbols, r->m.symbols_count) ||
        !check_range(r, s->generics, r->m.generics_count) ||
        !check_range(r, s->params, r->m.params_count))
        return false;
    for (uint32_t i = 0; i < s->symbols.count; i++) {
        const struct ldsl_module_symbol *symbol = &r->m.symbols[s->symbols.first + i];
        if (!check_text(r, symbol->name) || !check_dtype(r, symbol->dtype))
            return false;
        if (symbol->kind >= LDSL_SYMBOL_KIND_COUNT)
            return damaged(r, "a symbol of unknown kind");
    }
    if (!check_nodes(r, o) || !check_generics(r, o))
        return false;
    for (uint32_t i = 0; i < s->params.count; i++)
        if (!check_param(r, o, &r->m.params[s->params.first + i]))
            return false;
    return true;
}

static bool check_check(struct reader *r, const struct owner *o, uint32_t index)
{
    if (index >= r->m.checks_count)
        return damaged(r, "a condition lies outside the table");
    const struct ldsl_module_check *c = &r->m.checks[index];
    return check_node(r, o, c->node) && check_text(r, c->text) && check_text(r, c->message);
}

static bool check_checks(struct reader *r, const struct owner *o, struct ldsl_module_range range)
{
    if (!check_range(r, range, r->m.checks_count))
        return false;
    for (uint32_t i = 0; i < range.count; i++)
        if (!check_check(r, o, range.first + i))
            return false;
    return true;
}

/* Settings of a launch belong to the caller's scope, those of a default to the kernel's. */
static bool check_settings(struct reader *r, const struct owner *o, struct ldsl_module_range range)
{
    if (!check_range(r, range, r->m.settings_count))
        return false;
    for (uint32_t i = 0; i < range.count; i++) {
        const struct ldsl_module_setting *s = &r->m.settings[range.first + i];
        if (!check_text(r, s->name) || !check_node(r, o, s->node))
            return false;
    }
    return true;
}

/* ---- kernels -----------------------------------------------------------------------------------
 */

static bool check_schedule(struct reader *r, const struct owner *o,
                           const struct ldsl_module_kernel *k)
{
    if (!check_range(r, k->metas, r->m.metas_count) ||
        !check_range(r, k->tunes, r->m.tunes_count) ||
        !check_range(r, k->defaults, r->m.defaults_count))
        return false;
    for (uint32_t i = 0; i < k->metas.count; i++) {
        const struct ldsl_module_meta *meta = &r->m.metas[k->metas.first + i];
        if (!check_symbol_kind(r, o, meta->symbol, LDSL_SYMBOL_META) ||
            !check_node(r, o, meta->node))
            return false;
    }
    for (uint32_t i = 0; i < k->tunes.count; i++) {
        const struct ldsl_module_tune *tune = &r->m.tunes[k->tunes.first + i];
        if (!check_symbol_kind(r, o, tune->symbol, LDSL_SYMBOL_TUNE) ||
            !check_range(r, tune->values, r->m.values_count))
            return false;
        if (!tune->values.count)
            return damaged(r, "a tuned value without choices");
    }
    for (uint32_t i = 0; i < k->defaults.count; i++) {
        const struct ldsl_module_default *d = &r->m.defaults[k->defaults.first + i];
        if ((d->where != LDSL_NONE && !check_node(r, o, d->where)) ||
            !check_settings(r, o, d->settings))
            return false;
    }
    return true;
}

static bool check_kernel(struct reader *r, const struct ldsl_module_kernel *k)
{
    const struct owner o = {.scope = &k->scope};
    if (!check_text(r, k->name) || !check_text(r, k->path) || !check_text(r, k->hash) ||
        !check_scope(r, &o) || !check_checks(r, &o, k->requires) ||
        !check_checks(r, &o, k->groups) || !check_checks(r, &o, k->wheres) ||
        !check_schedule(r, &o, k) || !check_range(r, k->grids, r->m.grids_count) ||
        !check_range(r, k->parts, r->m.indices_count))
        return false;
    for (uint32_t i = 0; i < k->grids.count; i++) {
        const struct ldsl_module_grid *g = &r->m.grids[k->grids.first + i];
        if (!check_text(r, g->name) || !check_node(r, &o, g->extent) || !check_node(r, &o, g->tile))
            return false;
    }
    for (uint32_t i = 0; i < k->parts.count; i++)
        if (!check_text(r, r->m.indices[k->parts.first + i]))
            return false;
    return true;
}

/* ---- operators ---------------------------------------------------------------------------------
 */

static bool check_tensor(struct reader *r, const struct owner *o, uint32_t index)
{
    const struct ldsl_module_tensor *t = &r->m.tensors[index];
    if (!check_text(r, t->name) || !check_element(r, o, t->generic, t->dtype) ||
        !check_dims(r, o, t->dims))
        return false;
    if (t->kind > LDSL_TENSOR_VIEW || t->rank > LDSL_MAX_RANK)
        return damaged(r, "a tensor of unknown kind");
    if (t->kind != LDSL_TENSOR_PARAM)
        return true;
    return (in_range(o->scope->params, t->param) &&
            r->m.params[t->param].kind == LDSL_KIND_TENSOR) ||
           damaged(r, "a tensor names a parameter that is none");
}

static bool check_view(struct reader *r, const struct owner *o, uint32_t index)
{
    if (index >= r->m.views_count)
        return damaged(r, "a view lies outside the table");
    const struct ldsl_module_view *v = &r->m.views[index];
    if (!in_range(o->tensors, v->tensor))
        return damaged(r, "a view shows a tensor outside its scope");
    if (!check_range(r, v->subs, r->m.subs_count) || v->subs.count > LDSL_MAX_RANK)
        return damaged(r, "a view has too many subscripts");
    for (uint32_t i = 0; i < v->subs.count; i++) {
        const struct ldsl_module_sub *s = &r->m.subs[v->subs.first + i];
        if (!check_node(r, o, s->lo) || (s->hi != LDSL_NONE && !check_node(r, o, s->hi)))
            return false;
    }
    return true;
}

static bool check_args(struct reader *r, const struct owner *o, struct ldsl_module_range args,
                       const struct ldsl_module_scope *callee)
{
    if (!check_range(r, args, r->m.args_count) || args.count != callee->params.count)
        return damaged(r, "a launch passes the wrong number of arguments");
    if (!check_range(r, callee->params, r->m.params_count))
        return false;
    for (uint32_t i = 0; i < args.count; i++) {
        const struct ldsl_module_arg *arg = &r->m.args[args.first + i];
        bool tensor = r->m.params[callee->params.first + i].kind == LDSL_KIND_TENSOR;
        switch (arg->kind) {
        case LDSL_PASS_ABSENT: continue;
        case LDSL_PASS_TENSOR:
            if (!check_view(r, o, arg->index))
                return false;
            break;
        case LDSL_PASS_VALUE:
            if (!check_node(r, o, arg->index))
                return false;
            break;
        default: return damaged(r, "an argument of unknown kind");
        }
        if (tensor != (arg->kind == LDSL_PASS_TENSOR))
            return damaged(r, "an argument does not fit its parameter");
    }
    return true;
}

/* A body: statements of the same operator that stand before `self`. */
static bool check_body(struct reader *r, const struct owner *o, struct ldsl_module_range body,
                       uint32_t self)
{
    if (body.count &&
        (!in_range(o->stmts, body.first) || body.first > self || body.count > self - body.first))
        return damaged(r, "a body stands behind its statement");
    r->work += body.count;
    return true;
}

static bool check_stmt(struct reader *r, const struct owner *o, uint32_t self)
{
    const struct ldsl_module_stmt *s = &r->m.stmts[self];
    switch ((enum ldsl_stmt_kind)s->kind) {
    case LDSL_STMT_LET:
        return check_symbol_kind(r, o, s->a, LDSL_SYMBOL_LET) && check_node(r, o, s->b);
    case LDSL_STMT_SCRATCH:
        return (in_range(o->tensors, s->a) && r->m.tensors[s->a].kind == LDSL_TENSOR_SCRATCH) ||
               damaged(r, "a scratch statement without its tensor");
    case LDSL_STMT_VIEW:
        if (!in_range(o->tensors, s->a) || r->m.tensors[s->a].kind != LDSL_TENSOR_VIEW)
            return damaged(r, "a slice without its tensor");
        return check_view(r, o, s->b);
    case LDSL_STMT_LAUNCH:
        if (s->a >= r->m.kernels_count)
            return damaged(r, "a launch of a kernel outside the table");
        return check_args(r, o, s->first, &r->m.kernels[s->a].scope) &&
               check_settings(r, o, s->second);
    case LDSL_STMT_CALL:
        if (s->a >= r->m.ops_count)
            return damaged(r, "a call of an operator outside the table");
        return check_args(r, o, s->first, &r->m.ops[s->a].scope);
    case LDSL_STMT_ZERO: return check_view(r, o, s->a);
    case LDSL_STMT_COPY: return check_view(r, o, s->a) && check_view(r, o, s->b);
    case LDSL_STMT_IF:
        return check_node(r, o, s->a) && check_body(r, o, s->first, self) &&
               check_body(r, o, s->second, self);
    case LDSL_STMT_FOR:
        return check_symbol_kind(r, o, s->a, LDSL_SYMBOL_LOOP) && check_node(r, o, s->b) &&
               check_node(r, o, s->c) && check_node(r, o, s->d) && check_body(r, o, s->first, self);
    case LDSL_STMT_ASSERT: return check_check(r, o, s->a);
    case LDSL_STMT_COUNT: break;
    }
    return damaged(r, "a statement of unknown kind");
}

static bool check_op_lists(struct reader *r, const struct owner *o, const struct ldsl_module_op *op)
{
    if (!check_range(r, op->dims, r->m.indices_count) ||
        !check_range(r, op->keys, r->m.indices_count) ||
        !check_range(r, op->benches, r->m.benches_count))
        return false;
    for (uint32_t i = 0; i < op->dims.count; i++)
        if (!check_symbol_kind(r, o, r->m.indices[op->dims.first + i], LDSL_SYMBOL_DIM))
            return false;
    for (uint32_t i = 0; i < op->keys.count; i++)
        if (!check_node(r, o, r->m.indices[op->keys.first + i]))
            return false;
    for (uint32_t i = 0; i < op->benches.count; i++)
        if (!check_settings(r, o, r->m.benches[op->benches.first + i].sizes))
            return false;
    return true;
}

static bool check_op(struct reader *r, const struct ldsl_module_op *op)
{
    const struct owner o = {.scope = &op->scope, .tensors = op->tensors, .stmts = op->stmts};
    const uint32_t texts[] = {op->name, op->path, op->doc, op->summary, op->grad, op->ref};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!check_text(r, texts[i]))
            return false;
    if (!check_scope(r, &o) || !check_checks(r, &o, op->requires) || !check_op_lists(r, &o, op) ||
        !check_range(r, op->tensors, r->m.tensors_count) ||
        !check_range(r, op->stmts, r->m.stmts_count))
        return false;
    for (uint32_t i = 0; i < op->tensors.count; i++)
        if (!check_tensor(r, &o, op->tensors.first + i))
            return false;
    for (uint32_t i = 0; i < op->stmts.count; i++)
        if (!check_stmt(r, &o, op->stmts.first + i))
            return false;
    return check_body(r, &o, op->body, op->stmts.first + op->stmts.count) &&
           (r->work <= MAX_WORK || damaged(r, "the image is too large"));
}

bool rt_module_read(struct rt_module *out, const void *image, size_t bytes, const char **why)
{
    struct reader r = {0};
    bool good = read_tables(&r, image, bytes);
    for (uint32_t i = 0; good && i < r.m.kernels_count; i++)
        good = check_kernel(&r, &r.m.kernels[i]);
    for (uint32_t i = 0; good && i < r.m.ops_count; i++)
        good = check_op(&r, &r.m.ops[i]);
    *out = r.m;
    *why = r.why;
    return good;
}

/* ---- asking ------------------------------------------------------------------------------------
 */

const char *rt_module_text(const struct rt_module *m, uint32_t offset)
{
    return m->text + offset;
}

uint32_t rt_module_find_op(const struct rt_module *m, const char *name)
{
    for (uint32_t i = 0; i < m->ops_count; i++)
        if (strcmp(rt_module_text(m, m->ops[i].name), name) == 0)
            return i;
    return LDSL_NONE;
}

uint32_t rt_module_find_param(const struct rt_module *m, const struct ldsl_module_scope *scope,
                              const char *name)
{
    for (uint32_t i = 0; i < scope->params.count; i++)
        if (strcmp(rt_module_text(m, m->params[scope->params.first + i].name), name) == 0)
            return i;
    return LDSL_NONE;
}

/* ---- what libraries ask (internal.h) -----------------------------------------------------------
 */

enum ldsl_status rt_module_open(struct rt_module **out, const void *image, size_t bytes,
                                const struct ldsl_sink *sink)
{
    const char *why = NULL;
    *out = NULL;
    struct rt_module *m = malloc(sizeof *m);
    if (!m)
        return rt_nomem(sink);
    if (!rt_module_read(m, image, bytes, &why)) {
        free(m);
        return rt_error(sink, LDSL_ARGUMENT, "damaged module image: %s", why);
    }
    *out = m;
    return LDSL_OK;
}

void rt_module_close(struct rt_module *module)
{
    free(module);
}

/* The operators of the file itself stand before those it imports. */
uint32_t rt_module_op_count(const struct rt_module *module, uint32_t *linked)
{
    uint32_t count = 0, end;
    while (count < module->ops_count && module->ops[count].flags & LDSL_MODULE_OWN)
        count++;
    for (end = count; end < module->ops_count && module->ops[end].flags & LDSL_MODULE_LINKED; end++)
        ;
    *linked = end - count;
    return count;
}

const char *rt_module_op_name(const struct rt_module *module, uint32_t i)
{
    return rt_module_text(module, module->ops[i].name);
}
