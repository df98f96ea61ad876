/* Signatures of kernels and operators, and the part of a unit that follows from one: generics,
 * parameters, dims. */
#include "sema/op.h"

/* ---- reading declarations ---------------------------------------------------------------------- */

const char *source_text(struct session *s, struct span at)
{
    const struct source *src = source_get(s, at.file);
    if (!src || at.end > src->length || at.begin > at.end)
        return "";
    char *out = arena_alloc(&s->module, at.end - at.begin + 1);
    size_t n = 0;
    for (uint32_t i = at.begin; i < at.end; i++) {
        bool blank = src->text[i] == ' ' || src->text[i] == '\n' || src->text[i] == '\t' ||
                     src->text[i] == '\r';
        if (!blank)
            out[n++] = src->text[i];
        else if (n && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    return out;
}

int32_t signature_find_param(const struct signature *sig, const char *name)
{
    for (uint32_t i = 0; i < sig->params.count; i++)
        if (sig->params.data[i].ast->name.text == name)
            return (int32_t)i;
    return -1;
}

int32_t signature_find_generic(const struct signature *sig, const char *name)
{
    for (uint32_t i = 0; i < sig->generics.count; i++)
        if (sig->generics.data[i].name.text == name)
            return (int32_t)i;
    return -1;
}

/* The element type written at t: a generic of the signature or a type's name. */
static bool read_elem(struct signature *sig, const struct type_expr *t, struct sig_param *p)
{
    struct session *s = sig->item->module->s;
    p->generic = -1;
    if (t->kind == TYPE_NAME && !t->module.text) {
        p->generic = signature_find_generic(sig, t->name.text);
        if (p->generic >= 0 || elem_named(t->name.text, &p->elem))
            return true;
        uint32_t count;
        const char *const *names = elem_names(&count);
        const char *near = nearest_name(t->name.text, names, count);
        diag_error(s, t->at, DIAG_UNKNOWN_TYPE, "there is no type %s here", t->name.text);
        if (near)
            diag_help(s, "did you mean %s?", near);
        return false;
    }
    return diag_error(s, t->at, DIAG_BAD_TYPE, "an element type is wanted here");
}

static bool read_tensor(struct signature *sig, const struct type_expr *t, bool output,
                        struct sig_param *p)
{
    struct session *s = sig->item->module->s;
    p->kind = LDSL_KIND_TENSOR;
    p->optional = t->optional;
    p->strided = t->strided;
    p->rank = t->dims.count;
    p->role = t->access == ACCESS_MUT   ? LDSL_PARAM_MUT
              : t->access == ACCESS_OUT ? LDSL_PARAM_OUTPUT
                                        : LDSL_PARAM_INPUT;
    if (sig->is_op && t->access == ACCESS_OUT)
        return diag_error(s, t->at, DIAG_OP_PARAMETER,
                          "the outputs of an operator stand after ->, without `out`");
    if (output)
        p->role = LDSL_PARAM_OUTPUT;
    if (p->rank > LDSL_MAX_RANK)
        return diag_error(s, t->at, DIAG_TOO_MANY_AXES, "a tensor has at most %d dims",
                          LDSL_MAX_RANK);
    if (t->element && t->element->kind == TYPE_NAME && t->element->name.text &&
        strcmp(t->element->name.text, "index") == 0)
        return diag_error(s, t->element->at, DIAG_BAD_TYPE,
                          "index has no size in memory: tensors hold i64 or i32");
    return t->element && read_elem(sig, t->element, p);
}

static bool read_choices(struct signature *sig, struct sig_param *p)
{
    bool finite = p->of || (p->generic < 0 && p->elem == IR_BOOL);
    if (!p->ast->is_const || (!sig->is_op && !finite && !p->ast->choices.count))
        return true;
    return param_choices(sig->item->module, p->ast, &p->choices);
}

static bool read_param(struct signature *sig, const struct ast_param *ast, bool output)
{
    struct session *s = sig->item->module->s;
    struct sig_param p = {.ast = ast, .kind = LDSL_KIND_SCALAR, .generic = -1};
    bool good;
    if (ast->type && ast->type->kind == TYPE_TENSOR) {
        good = read_tensor(sig, ast->type, output, &p);
    } else if (output || !ast->type || ast->type->kind != TYPE_NAME) {
        good = diag_error(s, ast->at, DIAG_OP_PARAMETER, "%s cannot be a parameter of this type",
                          ast->name.text);
    } else if ((p.of = enum_of_type(sig->item->module, ast->type))) {
        p.kind = LDSL_KIND_ENUM;
        p.elem = IR_INDEX;
        good = read_choices(sig, &p);
    } else {
        good = read_elem(sig, ast->type, &p) && read_choices(sig, &p);
    }
    vec_push(&s->module, &sig->params, p);
    return good;
}

static bool read_signature(struct signature *sig)
{
    const struct item *ast = sig->item->ast;
    bool good = true;
    sig->generics.count = sig->params.count = 0;
    for (uint32_t i = 0; i < ast->generics.count; i++) {
        struct sig_generic g = {ast->generics.data[i].name,
                                generic_set(sig->item->module, &ast->generics.data[i])};
        good &= g.set != 0;
        vec_push(&sig->item->module->s->module, &sig->generics, g);
    }
    for (uint32_t i = 0; i < ast->params.count; i++)
        good &= read_param(sig, &ast->params.data[i], false);
    for (uint32_t i = 0; sig->is_op && i < ast->op.outputs.count; i++)
        good &= read_param(sig, &ast->op.outputs.data[i], true);
    return good;
}

struct signature *signature_new(struct sema_item *item, uint32_t index)
{
    struct session *s = item->module->s;
    struct signature *sig = arena_new(&s->module, struct signature);
    sig->item = item;
    sig->is_op = item->ast->kind != ITEM_KERNEL;
    sig->index = index;
    sig->broken = !read_signature(sig);
    return sig;
}

struct signature *find_signature(const struct op_units *units, const struct sema_item *item)
{
    for (uint32_t i = 0; i < units->kernels.count; i++)
        if (units->kernels.data[i]->item == item)
            return units->kernels.data[i];
    for (uint32_t i = 0; i < units->ops.count; i++)
        if (units->ops.data[i]->item == item)
            return units->ops.data[i];
    return NULL;
}

const char *sig_param_text(struct session *s, const struct signature *sig,
                           const struct sig_param *p)
{
    struct arena *a = &s->module;
    const char *elem = p->of             ? p->of->name.text
                       : p->generic >= 0 ? sig->generics.data[p->generic].name.text
                                         : ir_elem_name(p->elem);
    if (p->kind != LDSL_KIND_TENSOR)
        return arena_printf(a, "%s%s", p->ast->is_const ? "const " : "", elem);
    const char *text = arena_printf(a, "tensor<%s>[", elem);
    for (uint32_t d = 0; d < p->rank; d++)
        text = arena_printf(a, "%s%s%s", text, d ? ", " : "",
                            source_text(s, p->ast->type->dims.data[d]->at));
    return arena_printf(a, "%s]%s", text, p->optional ? "?" : "");
}

/* ---- opening a unit ---------------------------------------------------------------------------- */

static void open_generics(struct unit *u)
{
    for (uint32_t i = 0; i < u->sig->generics.count; i++) {
        const struct sig_generic *g = &u->sig->generics.data[i];
        uint32_t symbol = unit_symbol(u, g->name.text, LDSL_SYMBOL_GENERIC, IR_INDEX);
        vec_push(&u->s->module, &u->generics,
                 (struct ldsl_module_generic){.name = image_text(u->image, g->name.text),
                                              .dtypes = g->set,
                                              .symbol = symbol});
        host_declare(u, g->name, HOST_NAME_VALUE)->value = (struct host_value){
            .kind = HOST_TYPE, .elem = IR_INDEX, .node = host_symbol(u, symbol, g->name.at)};
    }
}

static void open_scalar(struct unit *u, uint32_t i, struct ldsl_module_param *out)
{
    const struct sig_param *p = &u->sig->params.data[i];
    enum ir_elem elem = p->generic >= 0 ? IR_F64 : p->elem; /* a generic's value: the widest */
    out->symbol = unit_symbol(u, p->ast->name.text,
                              p->ast->is_const ? LDSL_SYMBOL_CONST : LDSL_SYMBOL_SCALAR, elem);
    out->dtype = (uint8_t)dtype_of(elem);
    struct host_value v = {.kind = p->of ? HOST_ENUM : HOST_NUMBER,
                           .elem = elem,
                           .of = p->of,
                           .node = host_symbol(u, out->symbol, p->ast->name.at)};
    host_declare(u, p->ast->name, HOST_NAME_VALUE)->value = v;
    if (p->of)
        out->enumeration = image_enum(u->image, p->of);
    out->choices = (struct ldsl_module_range){u->image->values.count, p->choices.count};
    for (uint32_t c = 0; c < p->choices.count; c++)
        vec_push(&u->s->module, &u->image->values, binding_of_const(p->choices.data[c]));
}

static void open_params(struct unit *u)
{
    for (uint32_t i = 0; i < u->sig->params.count; i++) {
        const struct sig_param *p = &u->sig->params.data[i];
        struct ldsl_module_param out = {.name = image_text(u->image, p->ast->name.text),
                                        .role = (uint8_t)p->role,
                                        .kind = (uint8_t)p->kind,
                                        .dtype = (uint8_t)dtype_of(p->elem),
                                        .flags =
                                            (uint8_t)((p->ast->is_const ? LDSL_MODULE_CONST : 0) |
                                                      (p->optional ? LDSL_MODULE_OPTIONAL : 0) |
                                                      (p->strided ? LDSL_MODULE_STRIDED : 0)),
                                        .generic = LDSL_NONE,
                                        .symbol = LDSL_NONE,
                                        .default_node = LDSL_NONE,
                                        .enumeration = LDSL_NONE};
        if (p->generic >= 0 && p->kind == LDSL_KIND_TENSOR)
            out.generic = (uint32_t)p->generic;
        if (p->kind == LDSL_KIND_TENSOR)
            host_declare(u, p->ast->name, HOST_NAME_PARAM)->index = i;
        else
            open_scalar(u, i, &out);
        vec_push(&u->s->module, &u->params, out);
    }
}

/* ---- dims -------------------------------------------------------------------------------------- */

/* Names in a dim that mean nothing yet are dims themselves. */
static void declare_dims(struct unit *u, const struct expr *e)
{
    switch (e->kind) {
    case EXPR_NAME: {
        struct sema_item *item = host_find(u, e->string) ? NULL : sema_find(u->m, e->string);
        if (host_find(u, e->string) || (item && item->ast->kind == ITEM_CONST))
            return;
        uint32_t symbol = unit_symbol(u, e->string, LDSL_SYMBOL_DIM, IR_INDEX);
        struct host_name *n = host_declare(u, (struct ast_name){e->string, e->at}, HOST_NAME_VALUE);
        n->value = (struct host_value){
            .kind = HOST_NUMBER, .elem = IR_INDEX, .node = host_symbol(u, symbol, e->at)};
        n->quiet = true;
        return;
    }
    case EXPR_UNARY: declare_dims(u, e->unary.operand); return;
    case EXPR_BINARY:
        declare_dims(u, e->binary.left);
        declare_dims(u, e->binary.right);
        return;
    case EXPR_CALL:
        for (uint32_t i = 0; i < e->call.args.count; i++)
            declare_dims(u, e->call.args.data[i].value);
        return;
    case EXPR_INT:
    case EXPR_FLOAT:
    case EXPR_BOOL:
    case EXPR_STRING:
    case EXPR_HAS:
    case EXPR_COND:
    case EXPR_INDEX:
    case EXPR_MEMBER:
    case EXPR_POISON: return;
    }
}

static bool open_dims(struct unit *u)
{
    bool good = true;
    for (uint32_t i = 0; i < u->sig->params.count; i++) {
        const struct sig_param *p = &u->sig->params.data[i];
        for (uint32_t d = 0; d < p->rank; d++)
            declare_dims(u, p->ast->type->dims.data[d]);
    }
    for (uint32_t i = 0; i < u->sig->params.count; i++) {
        const struct sig_param *p = &u->sig->params.data[i];
        u->params.data[i].dims = (struct ldsl_module_range){u->image->dims.count, p->rank};
        for (uint32_t d = 0; d < p->rank; d++) {
            const struct expr *e = p->ast->type->dims.data[d];
            uint32_t node = host_as(u, e, IR_INDEX);
            good &= node != LDSL_NONE;
            vec_push(&u->s->module, &u->image->dims,
                     (struct ldsl_module_dim){unit_node(u, node),
                                              image_text(u->image, source_text(u->s, e->at))});
        }
    }
    return good;
}

/* ---- which dims can be worked out -------------------------------------------------------------- */

static unsigned operand_count(uint8_t op)
{
    static const uint8_t operands[LDSL_HOST_COUNT] = {
#define X(name, count) [LDSL_HOST_##name] = count,
        LDSL_HOST_LIST(X)
#undef X
    };
    return operands[op];
}

/* Unbound dims in an expression: 0, 1, or 2 for more; *symbol is one of them. */
static unsigned count_unbound(const struct unit *u, const bool *bound, uint32_t index,
                              uint32_t *symbol)
{
    const struct ldsl_module_node *n = &u->nodes.data[index];
    if (n->op == LDSL_HOST_SYMBOL) {
        if (bound[n->n])
            return 0;
        unsigned count = *symbol == LDSL_NONE || *symbol == n->n ? 1 : 2;
        *symbol = n->n;
        return count;
    }
    const uint32_t children[3] = {n->a, n->b, n->c};
    unsigned most = 0;
    for (unsigned i = 0; i < operand_count(n->op); i++) {
        unsigned count = count_unbound(u, bound, children[i], symbol);
        most = count > most ? count : most;
    }
    return most;
}

/* Is the expression k * symbol + b? What runtime/host.c solves. */
static bool is_linear(const struct unit *u, uint32_t index, uint32_t symbol, bool *has)
{
    const struct ldsl_module_node *n = &u->nodes.data[index];
    bool left = false, right = false;
    *has = false;
    if (n->op == LDSL_HOST_SYMBOL) {
        *has = n->n == symbol;
        return true;
    }
    if (operand_count(n->op) == 0)
        return true;
    bool inner = is_linear(u, n->a, symbol, &left) &&
                 (operand_count(n->op) < 2 || is_linear(u, n->b, symbol, &right)) &&
                 operand_count(n->op) < 3;
    *has = left || right;
    if (!*has)
        return true;
    return inner && (n->op == LDSL_HOST_ADD || n->op == LDSL_HOST_SUB ||
                     (n->op == LDSL_HOST_MUL && !(left && right)));
}

static bool binds_a_dim(const struct unit *u, bool *bound, uint32_t node)
{
    uint32_t symbol = LDSL_NONE;
    bool has;
    if (count_unbound(u, bound, node, &symbol) != 1 || !is_linear(u, node, symbol, &has) || !has)
        return false;
    bound[symbol] = true;
    return true;
}

/* Every dim must follow from shapes that are given: those of inputs; to a kernel, all. */
static bool check_dims_bound(struct unit *u)
{
    bool *bound = arena_array(&u->s->module, bool, u->symbols.count + 1);
    for (uint32_t i = 0; i < u->symbols.count; i++)
        bound[i] = u->symbols.data[i].kind != LDSL_SYMBOL_DIM;
    bool progress = true, good = true;
    while (progress) {
        progress = false;
        for (uint32_t i = 0; i < u->sig->params.count; i++) {
            const struct sig_param *p = &u->sig->params.data[i];
            if (p->role == LDSL_PARAM_OUTPUT && u->sig->is_op)
                continue;
            struct ldsl_module_range dims = u->params.data[i].dims;
            for (uint32_t d = 0; d < dims.count; d++)
                progress |= binds_a_dim(
                    u, bound, u->image->dims.data[dims.first + d].node - u->image->nodes.count);
        }
    }
    for (uint32_t i = 0; i < u->names.count; i++) {
        const struct host_name *n = &u->names.data[i];
        if (n->kind != HOST_NAME_VALUE || n->value.kind != HOST_NUMBER)
            continue;
        const struct ldsl_module_node *node = &u->nodes.data[n->value.node];
        if (node->op != LDSL_HOST_SYMBOL || bound[node->n])
            continue;
        good = diag_error(u->s, n->name.at, DIAG_DIM_UNBOUND, "no input of %s tells what %s is",
                          u->sig->item->ast->name.text, n->name.text);
    }
    return good;
}

/* ---- defaults and conditions ------------------------------------------------------------------- */

static bool open_defaults(struct unit *u)
{
    bool good = true;
    for (uint32_t i = 0; i < u->sig->params.count; i++) {
        const struct sig_param *p = &u->sig->params.data[i];
        if (!p->ast->value || p->kind == LDSL_KIND_TENSOR)
            continue;
        uint32_t node;
        if (p->of) {
            struct host_value v = host_expr(u, p->ast->value);
            node = v.kind == HOST_ENUM && v.of == p->of ? v.node : LDSL_NONE;
            if (v.kind != HOST_POISON && node == LDSL_NONE)
                diag_error(u->s, p->ast->value->at, DIAG_TYPE_MIX, "%s is wanted here",
                           p->of->name.text);
        } else {
            node = host_as(u, p->ast->value, (enum ir_elem)u->params.data[i].dtype);
        }
        good &= node != LDSL_NONE;
        u->params.data[i].default_node = node;
    }
    return good;
}

bool unit_open(struct unit *u, struct image *image, const struct op_units *units,
               struct signature *sig)
{
    *u = (struct unit){.s = image->s,
                       .m = sig->item->module,
                       .image = image,
                       .sig = sig,
                       .units = units,
                       .fn_at = sig->item->ast->name.at};
    image_text(image, NULL);
    open_generics(u);
    open_params(u);
    bool good = open_dims(u) && check_dims_bound(u);
    return open_defaults(u) && good;
}

void unit_check(struct unit *u, uint32_t node, const char *text, const struct expr *message,
                struct span at)
{
    vec_push(&u->s->module, &u->image->checks,
             (struct ldsl_module_check){
                 .node = unit_node(u, node),
                 .text = image_text(u->image, text),
                 .message = image_text(
                     u->image, message && message->kind == EXPR_STRING ? message->string : NULL),
                 .line = line_of(u->s, at)});
}

struct ldsl_module_range unit_requires(struct unit *u, const struct ast_require *list,
                                       uint32_t count)
{
    struct ldsl_module_range range = {u->image->checks.count, count};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t node = host_condition(u, list[i].test, "condition of require");
        unit_check(u, node, source_text(u->s, list[i].test->at), list[i].message, list[i].test->at);
    }
    return range;
}
