/* Operator bodies: short programs of launches over host values. */
#include "sema/op.h"

#include <ctype.h>

typedef VEC(struct ldsl_module_stmt) stmt_list;

static void build_block(struct unit *u, const ast_block *block, stmt_list *out);

static void push_stmt(struct unit *u, stmt_list *out, const struct stmt *s,
                      struct ldsl_module_stmt stmt)
{
    stmt.line = line_of(u->s, s->at);
    vec_push(&u->s->module, out, stmt);
}

/* ---- let, scratch ------------------------------------------------------------------------------ */

static struct op_tensor *add_tensor(struct unit *u, struct ast_name name, struct op_tensor tensor,
                                    struct ldsl_module_tensor record)
{
    record.name = image_text(u->image, name.text);
    record.kind = (uint8_t)tensor.kind;
    record.rank = tensor.rank;
    tensor.name = name;
    vec_push(&u->s->module, &u->tensors, tensor);
    vec_push(&u->s->module, &u->tensor_records, record);
    return &vec_last(&u->tensors);
}

static void build_view(struct unit *u, const struct stmt *s, stmt_list *out)
{
    uint32_t tensor, rank, view = tensor_view(u, s->let.value, &tensor, &rank);
    struct ast_name name = s->let.names.data[0];
    if (view == LDSL_NONE)
        tensor = rank = 0;
    struct op_tensor t = {.kind = LDSL_TENSOR_VIEW, .generic = -1, .rank = rank};
    if (view != LDSL_NONE) {
        const struct op_tensor *whole = &u->tensors.data[tensor];
        t.elem = whole->elem;
        t.generic = whole->generic;
        t.root = whole->root;
    }
    uint32_t index = u->tensors.count;
    add_tensor(u, name, t, (struct ldsl_module_tensor){.generic = LDSL_NONE});
    host_declare(u, name, HOST_NAME_TENSOR)->index = index;
    push_stmt(u, out, s,
              (struct ldsl_module_stmt){
                  .kind = LDSL_STMT_VIEW, .a = u->image->tensors.count + index, .b = view});
}

/* let x: f32 = e; what the value is to be. */
static struct host_value typed_value(struct unit *u, const struct stmt *s)
{
    const struct type_expr *t = s->let.type;
    struct host_value v = host_expr(u, s->let.value);
    enum ir_elem elem;
    if (v.kind == HOST_NUMBER && !t && v.literal)
        elem = ir_elem_is_float(v.elem) ? IR_F32 : v.elem;
    else if (v.kind != HOST_NUMBER || !t)
        return v;
    else if (t->kind != TYPE_NAME || !elem_named(t->name.text, &elem)) {
        diag_error(u->s, t->at, DIAG_BAD_TYPE, "a host value has a scalar type");
        return host_poison();
    }
    v.node = host_convert(u, s->let.value->at, v, elem);
    v.elem = elem;
    v.literal = false;
    return v.node == LDSL_NONE ? host_poison() : v;
}

static void build_let(struct unit *u, const struct stmt *s, stmt_list *out)
{
    if (s->let.names.count != 1 || !s->let.value) {
        diag_error(u->s, s->at, DIAG_OP_STATEMENT, "a let of an operator names one value");
        return;
    }
    if (is_tensor_expr(u, s->let.value)) {
        build_view(u, s, out);
        return;
    }
    struct ast_name name = s->let.names.data[0];
    struct host_value v = typed_value(u, s);
    uint32_t symbol = unit_symbol(u, name.text, LDSL_SYMBOL_LET, v.elem);
    push_stmt(u, out, s,
              (struct ldsl_module_stmt){.kind = LDSL_STMT_LET,
                                        .a = unit_symbol_at(u, symbol),
                                        .b = unit_node(u, v.node)});
    if (v.kind != HOST_POISON)
        v.node = host_symbol(u, symbol, name.at);
    host_declare(u, name, HOST_NAME_VALUE)->value = v;
}

static void build_scratch(struct unit *u, const struct stmt *s, stmt_list *out)
{
    const struct type_expr *t = s->let.type;
    struct ast_name name = s->let.names.data[0];
    struct op_tensor tensor = {.kind = LDSL_TENSOR_SCRATCH,
                               .generic = -1,
                               .writable = true,
                               .present = true,
                               .root = u->tensors.count};
    struct ldsl_module_tensor record = {.generic = LDSL_NONE};
    if (!t || t->kind != TYPE_TENSOR || t->optional || t->strided || t->access != ACCESS_READ ||
        s->let.value || !t->element || t->element->kind != TYPE_NAME) {
        diag_error(u->s, s->at, DIAG_OP_STATEMENT, "write `scratch %s: tensor<f32>[N, D];`",
                   name.text);
        return;
    }
    tensor.generic = signature_find_generic(u->sig, t->element->name.text);
    if (tensor.generic >= 0)
        record.generic = (uint32_t)tensor.generic + u->image->generics.count;
    else if (!elem_named(t->element->name.text, &tensor.elem) || tensor.elem == IR_INDEX)
        diag_error(u->s, t->element->at, DIAG_UNKNOWN_TYPE, "there is no element type %s here",
                   t->element->name.text);
    record.dtype = (uint8_t)dtype_of(tensor.elem);
    if (t->dims.count > LDSL_MAX_RANK) {
        diag_error(u->s, t->at, DIAG_TOO_MANY_AXES, "a tensor has at most %d dims", LDSL_MAX_RANK);
        return;
    }
    tensor.rank = t->dims.count;
    record.dims = (struct ldsl_module_range){u->image->dims.count, t->dims.count};
    for (uint32_t d = 0; d < t->dims.count; d++) {
        uint32_t node = host_as(u, t->dims.data[d], IR_INDEX);
        vec_push(
            &u->s->module, &u->image->dims,
            (struct ldsl_module_dim){unit_node(u, node),
                                     image_text(u->image, source_text(u->s, t->dims.data[d]->at))});
    }
    uint32_t index = u->tensors.count;
    add_tensor(u, name, tensor, record);
    host_declare(u, name, HOST_NAME_TENSOR)->index = index;
    push_stmt(
        u, out, s,
        (struct ldsl_module_stmt){.kind = LDSL_STMT_SCRATCH, .a = u->image->tensors.count + index});
}

/* ---- launches and calls ------------------------------------------------------------------------ */

static void build_launch(struct unit *u, const struct stmt *s, stmt_list *out)
{
    const struct expr *call = s->launch.call;
    if (call->kind != EXPR_CALL) {
        if (call->kind != EXPR_POISON)
            diag_error(u->s, call->at, DIAG_LAUNCH_TARGET, "write `launch kernel(arguments);`");
        return;
    }
    if (s->launch.has_grid)
        diag_error(u->s, s->at, DIAG_OP_STATEMENT,
                   "the grid follows from the kernel's grid axes; it is not given at a launch");
    struct signature *kernel = resolve_callee(u, call->call.callee, false);
    u->unclear |= !kernel;
    if (!kernel)
        return;
    struct ldsl_module_range args = pass_arguments(u, call, kernel);
    struct ldsl_module_stmt stmt = {.kind = LDSL_STMT_LAUNCH, .a = kernel->index, .first = args};
    stmt.second = build_settings(u, kernel->item, &s->launch.with);
    push_stmt(u, out, s, stmt);
}

/* zero(t); copy(to, from); */
static void build_move(struct unit *u, const struct stmt *s, bool copy, stmt_list *out)
{
    const struct expr *call = s->expr;
    uint32_t to, from, to_rank, from_rank, count = copy ? 2 : 1;
    struct ldsl_module_stmt stmt = {.kind = copy ? LDSL_STMT_COPY : LDSL_STMT_ZERO};
    if (call->call.args.count != count) {
        diag_error(u->s, call->at, DIAG_LAUNCH_COUNT, "%s takes %u tensor%s",
                   copy ? "copy" : "zero", count, copy ? "s: copy(to, from)" : "");
        return;
    }
    const struct expr *target = call->call.args.data[0].value;
    stmt.a = tensor_view(u, target, &to, &to_rank);
    if (copy) {
        const struct expr *source = call->call.args.data[1].value;
        stmt.b = tensor_view(u, source, &from, &from_rank);
        if (stmt.a == LDSL_NONE || stmt.b == LDSL_NONE)
            return;
        const struct op_tensor *a = &u->tensors.data[to], *b = &u->tensors.data[from];
        if (to_rank != from_rank || a->generic != b->generic ||
            (a->generic < 0 && a->elem != b->elem)) {
            diag_error(u->s, call->at, DIAG_LAUNCH_ARGUMENT,
                       "%s and %s differ in rank or element type: copy changes neither",
                       a->name.text, b->name.text);
            return;
        }
        flow_read(u, source->at, from);
    }
    if (stmt.a == LDSL_NONE)
        return;
    flow_write(u, target->at, to, copy ? "copy" : "zero");
    push_stmt(u, out, s, stmt);
}

static void build_call(struct unit *u, const struct stmt *s, stmt_list *out)
{
    const struct expr *call = s->expr;
    if (call->kind == EXPR_POISON)
        return;
    if (call->kind != EXPR_CALL) {
        diag_error(u->s, call->at, DIAG_OP_STATEMENT, "the value is not used");
        return;
    }
    const struct expr *callee = call->call.callee;
    bool zero = callee->kind == EXPR_NAME && strcmp(callee->string, "zero") == 0;
    bool copy = callee->kind == EXPR_NAME && strcmp(callee->string, "copy") == 0;
    if ((zero || copy) && !sema_find(u->m, callee->string)) {
        build_move(u, s, copy, out);
        return;
    }
    struct signature *op = resolve_callee(u, callee, true);
    u->unclear |= !op;
    if (!op)
        return;
    struct ldsl_module_range args = pass_arguments(u, call, op);
    push_stmt(u, out, s,
              (struct ldsl_module_stmt){.kind = LDSL_STMT_CALL, .a = op->index, .first = args});
}

/* ---- control ----------------------------------------------------------------------------------- */

static void end_scope(struct unit *u, uint32_t names)
{
    for (uint32_t i = names; i < u->names.count; i++) {
        const struct host_name *n = &u->names.data[i];
        if (!n->used && !n->quiet && n->name.text[0] != '_')
            diag_warning(u->s, n->name.at, DIAG_UNUSED, "%s is never used", n->name.text);
    }
    u->names.count = names;
}

void build_body(struct unit *u, const ast_block *block, struct ldsl_module_range *body)
{
    stmt_list list = {0};
    uint32_t names = u->names.count;
    build_block(u, block, &list);
    end_scope(u, names);
    *body = (struct ldsl_module_range){u->image->stmts.count, list.count};
    for (uint32_t i = 0; i < list.count; i++)
        vec_push(&u->s->module, &u->image->stmts, list.data[i]);
}

static void build_if(struct unit *u, const struct stmt *s, stmt_list *out)
{
    struct ldsl_module_stmt stmt = {.kind = LDSL_STMT_IF};
    stmt.a = unit_node(u, host_condition(u, s->branch.test, "condition of if"));
    struct flow_state before = flow_save(u);
    u->branches++;
    flow_assume(u, s->branch.test, true);
    build_body(u, &s->branch.body, &stmt.first);
    struct flow_state yes = flow_save(u);
    flow_restore(u, &before);
    flow_assume(u, s->branch.test, false);
    build_body(u, &s->branch.no, &stmt.second);
    flow_merge(u, &before, &yes);
    u->branches--;
    push_stmt(u, out, s, stmt);
}

static void build_for(struct unit *u, const struct stmt *s, stmt_list *out)
{
    struct ldsl_module_stmt stmt = {.kind = LDSL_STMT_FOR};
    stmt.b = unit_node(u, host_as(u, s->loop.lo, IR_INDEX));
    stmt.c = unit_node(u, host_as(u, s->loop.hi, IR_INDEX));
    stmt.d =
        unit_node(u, s->loop.step ? host_as(u, s->loop.step, IR_INDEX) : host_int(u, 1, s->at));
    if (s->loop.pipeline)
        diag_error(u->s, s->loop.pipeline->at, DIAG_OP_STATEMENT,
                   "loops of operators have no pipeline: the host unrolls them");
    uint32_t symbol = unit_symbol(u, s->loop.name.text, LDSL_SYMBOL_LOOP, IR_INDEX);
    stmt.a = unit_symbol_at(u, symbol);
    uint32_t names = u->names.count;
    struct host_name *n = host_declare(u, s->loop.name, HOST_NAME_VALUE);
    n->quiet = true;
    n->value = (struct host_value){
        .kind = HOST_NUMBER, .elem = IR_INDEX, .node = host_symbol(u, symbol, s->loop.name.at)};
    build_body(u, &s->loop.body, &stmt.first);
    u->names.count = names;
    push_stmt(u, out, s, stmt);
}

static void build_assert(struct unit *u, const struct stmt *s, stmt_list *out)
{
    if (!s->values.count)
        return;
    const struct expr *test = s->values.data[0];
    uint32_t node = host_condition(u, test, "condition of assert");
    push_stmt(u, out, s,
              (struct ldsl_module_stmt){.kind = LDSL_STMT_ASSERT, .a = u->image->checks.count});
    unit_check(u, node, source_text(u->s, test->at), s->values.count > 1 ? s->values.data[1] : NULL,
               test->at);
}

static void build_stmt(struct unit *u, const struct stmt *s, stmt_list *out)
{
    switch (s->kind) {
    case STMT_LET: build_let(u, s, out); return;
    case STMT_SCRATCH: build_scratch(u, s, out); return;
    case STMT_LAUNCH: build_launch(u, s, out); return;
    case STMT_EXPR: build_call(u, s, out); return;
    case STMT_IF: build_if(u, s, out); return;
    case STMT_FOR: build_for(u, s, out); return;
    case STMT_ASSERT:
    case STMT_STATIC_ASSERT: build_assert(u, s, out); return;
    case STMT_BLOCK: {
        uint32_t names = u->names.count;
        build_block(u, &s->block, out);
        end_scope(u, names);
        return;
    }
    case STMT_POISON: return;
    case STMT_VAR:
        diag_error(u->s, s->at, DIAG_OP_STATEMENT, "operators have no variables: use let");
        return;
    case STMT_ASSUME:
        diag_error(u->s, s->at, DIAG_OP_STATEMENT,
                   "an operator checks what it needs: use assert or require");
        return;
    case STMT_AXIS:
    case STMT_GRID:
    case STMT_SWEEP:
        diag_error(u->s, s->at, DIAG_OP_STATEMENT,
                   "axes belong to kernels; an operator launches them");
        return;
    case STMT_WHILE:
    case STMT_BREAK:
    case STMT_CONTINUE:
    case STMT_RETURN:
    case STMT_ASSIGN:
        diag_error(u->s, s->at, DIAG_OP_STATEMENT, "operators do not have this statement");
        diag_help(u->s,
                  "a body consists of let, scratch, launch, calls, zero, copy, if, for, assert");
        return;
    }
}

static void build_block(struct unit *u, const ast_block *block, stmt_list *out)
{
    for (uint32_t i = 0; i < block->count; i++)
        build_stmt(u, block->data[i], out);
}

/* ---- clauses ----------------------------------------------------------------------------------- */

static struct ldsl_module_range build_keys(struct unit *u, const ast_exprs *keys)
{
    uint32_t *nodes = arena_array(&u->s->module, uint32_t, keys->count + 1), count = 0;
    for (uint32_t i = 0; i < keys->count; i++) {
        struct host_value v = host_expr(u, keys->data[i]);
        if (v.kind != HOST_POISON)
            nodes[count++] = unit_node(u, v.node);
    }
    struct ldsl_module_range range = {u->image->indices.count, count};
    for (uint32_t i = 0; i < count; i++)
        vec_push(&u->s->module, &u->image->indices, nodes[i]);
    return range;
}

static struct ldsl_module_range build_dims(struct unit *u)
{
    struct ldsl_module_range range = {u->image->indices.count, 0};
    for (uint32_t i = 0; i < u->symbols.count; i++)
        if (u->symbols.data[i].kind == LDSL_SYMBOL_DIM) {
            vec_push(&u->s->module, &u->image->indices, unit_symbol_at(u, i));
            range.count++;
        }
    return range;
}

static bool is_sample(const struct expr *e)
{
    static const struct {
        const char *name;
        uint32_t args;
    } fills[] = {
        {"randint", 2},
        {"uniform", 2},
        {"normal",  2},
        {"zeros",   0},
        {"ones",    0}
    };
    for (unsigned i = 0; i < sizeof fills / sizeof *fills; i++)
        if (e->kind == EXPR_CALL && e->call.callee->kind == EXPR_NAME &&
            strcmp(e->call.callee->string, fills[i].name) == 0 &&
            e->call.args.count == fills[i].args)
            return true;
    return false;
}

static void build_samples(struct unit *u, const struct item *ast)
{
    for (uint32_t i = 0; i < ast->op.samples.count; i++) {
        const struct ast_sample *sample = &ast->op.samples.data[i];
        int32_t param = signature_find_param(u->sig, sample->name.text);
        if (param < 0 || u->sig->params.data[param].role == LDSL_PARAM_OUTPUT) {
            diag_error(u->s, sample->name.at, DIAG_BAD_SAMPLE, "%s is no input of %s",
                       sample->name.text, ast->name.text);
            continue;
        }
        if (!is_sample(sample->value)) {
            diag_error(u->s, sample->value->at, DIAG_BAD_SAMPLE,
                       "a sample is randint(lo, hi), uniform(lo, hi), normal(mean, std), zeros() "
                       "or ones()");
            continue;
        }
        for (uint32_t a = 0; a < sample->value->call.args.count; a++)
            host_expr(u, sample->value->call.args.data[a].value);
        u->params.data[param].sample = image_text(u->image, source_text(u->s, sample->value->at));
    }
}

static bool is_dim(const struct unit *u, const char *name)
{
    for (uint32_t i = 0; i < u->symbols.count; i++)
        if (u->symbols.data[i].kind == LDSL_SYMBOL_DIM &&
            strcmp(&u->image->text.data[u->symbols.data[i].name], name) == 0)
            return true;
    return false;
}

/* A size that lacks a dim cannot be timed. */
static void require_all_dims(struct unit *u, const ast_settings *sizes, struct span at)
{
    const char *missing = NULL;
    for (uint32_t i = 0; i < u->symbols.count; i++) {
        const char *dim = &u->image->text.data[u->symbols.data[i].name];
        bool given = u->symbols.data[i].kind != LDSL_SYMBOL_DIM;
        for (uint32_t k = 0; k < sizes->count && !given; k++)
            given = strcmp(sizes->data[k].name.text, dim) == 0;
        if (!given)
            missing = missing ? arena_printf(&u->s->module, "%s, %s", missing, dim)
                              : arena_printf(&u->s->module, "%s", dim);
    }
    if (missing)
        diag_error(u->s, at, DIAG_BAD_BENCH, "this bench gives no size for %s", missing);
}

/* A bench may also set scalars that dims depend on. */
static struct ldsl_module_range build_benches(struct unit *u, const struct item *ast)
{
    struct ldsl_module_range range = {u->image->benches.count, ast->op.benches.count};
    for (uint32_t i = 0; i < ast->op.benches.count; i++) {
        const ast_settings *sizes = &ast->op.benches.data[i].settings;
        for (uint32_t k = 0; k < sizes->count; k++) {
            struct ast_name name = sizes->data[k].name;
            if (!is_dim(u, name.text) && signature_find_param(u->sig, name.text) < 0)
                diag_error(u->s, name.at, DIAG_BAD_BENCH, "%s is no dim of %s", name.text,
                           ast->name.text);
        }
        require_all_dims(u, sizes, ast->op.benches.data[i].at);
        struct ldsl_module_range settings = {u->image->settings.count, sizes->count};
        for (uint32_t k = 0; k < sizes->count; k++)
            vec_push(&u->s->module, &u->image->settings,
                     (struct ldsl_module_setting){
                         image_text(u->image, sizes->data[k].name.text),
                         unit_node(u, host_as(u, sizes->data[k].value, IR_INDEX))});
        vec_push(&u->s->module, &u->image->benches, (struct ldsl_module_bench){settings});
    }
    return range;
}

/* A full stop that ends a sentence: not one of `0 .. F`. */
static bool ends_sentence(const char *doc, const char *c)
{
    return *c == '.' && (!c[1] || isspace((unsigned char)c[1])) && c > doc && c[-1] != '.' &&
           c[-1] != ' ';
}

/* The doc comment up to the end of its first sentence or an empty line. */
static const char *summary_of(struct session *s, const char *doc)
{
    const char *end = doc;
    if (!doc)
        return NULL;
    while (*end && !(end[0] == '\n' && end[1] == '\n') && !ends_sentence(doc, end))
        end++;
    char *text = arena_copy_text(&s->module, doc, (size_t)(end - doc));
    for (char *c = text; *c; c++)
        if (*c == '\n')
            *c = ' ';
    return text;
}

/* ---- the operator ------------------------------------------------------------------------------ */

static void open_tensors(struct unit *u)
{
    for (uint32_t i = 0; i < u->sig->params.count; i++) {
        const struct sig_param *p = &u->sig->params.data[i];
        if (p->kind != LDSL_KIND_TENSOR)
            continue;
        bool output = p->role == LDSL_PARAM_OUTPUT;
        struct op_tensor t = {.kind = LDSL_TENSOR_PARAM,
                              .elem = p->elem,
                              .generic = p->generic,
                              .param = (int32_t)i,
                              .rank = p->rank,
                              .root = u->tensors.count,
                              .writable = p->role != LDSL_PARAM_INPUT,
                              .may = !output,
                              .must = !output,
                              .present = !p->optional};
        add_tensor(
            u, p->ast->name, t,
            (struct ldsl_module_tensor){.generic = LDSL_NONE, .param = u->image->params.count + i});
    }
}

void build_op(struct image *image, const struct op_units *units, struct signature *sig)
{
    struct unit unit, *u = &unit;
    const struct item *ast = sig->item->ast;
    struct arena *a = &image->s->module;
    struct ldsl_module_op out = {0};
    if (sig->broken)
        return;
    unit_open(u, image, units, sig);
    open_tensors(u);
    out.requires = unit_requires(u, ast->op.requires.data, ast->op.requires.count);
    for (uint32_t i = 0; i < ast->op.requires.count; i++)
        flow_assume(u, ast->op.requires.data[i].test, true);
    out.keys = build_keys(u, &ast->op.key);
    build_samples(u, ast);
    out.benches = build_benches(u, ast);
    out.dims = build_dims(u);
    out.stmts.first = image->stmts.count;
    if (ast->kind == ITEM_OP) {
        build_body(u, &ast->op.body, &out.body);
        if (!u->unclear)
            flow_finish(u);
    } else {
        out.flags |= LDSL_MODULE_EXTERN;
    }
    out.stmts.count = image->stmts.count - out.stmts.first;
    if (sig->item->module == units->root)
        out.flags |= LDSL_MODULE_OWN;
    else if (sig->index < units->found)
        out.flags |= LDSL_MODULE_LINKED;
    out.tensors = (struct ldsl_module_range){image->tensors.count, u->tensor_records.count};
    for (uint32_t i = 0; i < u->tensor_records.count; i++)
        vec_push(a, &image->tensors, u->tensor_records.data[i]);
    out.name = image_text(image, ast->name.text);
    out.path = image_text(image, sig->item->module->path);
    out.line = line_of(image->s, ast->name.at);
    out.doc = image_text(image, ast->doc);
    out.summary = image_text(image, summary_of(image->s, ast->doc));
    out.grad = image_text(image, ast->op.grad.text);
    out.ref = image_text(image, ast->op.ref.text);
    out.scope = unit_close(u);
    vec_push(a, &image->ops, out);
}
