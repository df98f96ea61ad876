/* Building and editing functions. */
#include "ir/internal.h"

struct ir_func *ir_func_new(struct session *s, const char *name)
{
    struct ir_func *f = arena_new(&s->module, struct ir_func);
    f->session = s;
    f->name = name;
    f->body = ir_block_new(f, NULL);
    return f;
}

struct ir_block *ir_block_new(struct ir_func *f, struct ir_node *parent)
{
    struct ir_block *b = arena_new(&f->session->module, struct ir_block);
    b->parent = parent;
    return b;
}

static struct ir_value *new_value(struct ir_func *f, struct ir_type type)
{
    struct ir_value *v = arena_new(&f->session->module, struct ir_value);
    v->type = type;
    v->id = f->value_count++;
    return v;
}

struct ir_value *ir_block_arg(struct ir_func *f, struct ir_block *b, struct ir_type type)
{
    struct ir_value *v = new_value(f, type);
    v->def = IR_DEF_ARG;
    v->number = b->args.count;
    v->block = b;
    vec_push(&f->session->module, &b->args, v);
    return v;
}

static void link_last(struct ir_block *b, struct ir_node *node)
{
    node->block = b;
    node->prev = b->last;
    node->next = NULL;
    if (b->last)
        b->last->next = node;
    else
        b->first = node;
    b->last = node;
}

struct ir_node *ir_append(struct ir_builder *b, enum ir_opcode op, struct ir_attr attr,
                          struct ir_value *const *operands, uint32_t operand_count,
                          const struct ir_type *result_types, uint32_t result_count,
                          uint32_t region_count)
{
    struct arena *a = &b->func->session->module;
    struct ir_node *node = arena_new(a, struct ir_node);
    node->op = op;
    node->at = b->at;
    node->attr = attr;
    node->operand_count = operand_count;
    node->operands = arena_array(a, struct ir_value *, operand_count);
    for (uint32_t i = 0; i < operand_count; i++) {
        node->operands[i] = operands[i];
        operands[i]->uses++;
    }
    node->result_count = result_count;
    node->results = arena_array(a, struct ir_value *, result_count);
    for (uint32_t i = 0; i < result_count; i++) {
        struct ir_value *v = new_value(b->func, result_types[i]);
        v->number = i;
        v->node = node;
        node->results[i] = v;
    }
    node->region_count = region_count;
    node->regions = arena_array(a, struct ir_block *, region_count);
    for (uint32_t i = 0; i < region_count; i++)
        node->regions[i] = ir_block_new(b->func, node);
    if (b->before)
        ir_insert_before(b->before, node);
    else
        link_last(b->block, node);
    return node;
}

/* Appends an op with one result whose type follows from the rule. */
static struct ir_value *append_typed(struct ir_builder *b, enum ir_opcode op, struct ir_attr attr,
                                     struct ir_value *const *operands, uint32_t count,
                                     enum ir_elem wanted)
{
    struct ir_type type;
    const char *why = ir_type_rule(b->func, op, &attr, operands, count, wanted, &type);
    if (why)
        diag_bug(b->func->session, b->at, "building %s: %s", ir_op_info(op)->name, why);
    return ir_append(b, op, attr, operands, count, &type, 1, 0)->results[0];
}

struct ir_value *ir_const_int(struct ir_builder *b, enum ir_elem elem, int64_t value)
{
    struct ir_attr attr = {.i = ir_wrap(elem, (uint64_t)value)};
    return append_typed(b, IR_OP_const, attr, NULL, 0, elem);
}

struct ir_value *ir_const_float(struct ir_builder *b, enum ir_elem elem, double value)
{
    struct ir_attr attr = {.f = value};
    return append_typed(b, IR_OP_const, attr, NULL, 0, elem);
}

struct ir_value *ir_index(struct ir_builder *b, uint8_t axis)
{
    struct ir_attr attr = {.axis = axis};
    return append_typed(b, IR_OP_index, attr, NULL, 0, IR_INDEX);
}

struct ir_value *ir_unary(struct ir_builder *b, enum ir_opcode op, struct ir_value *x)
{
    return append_typed(b, op, (struct ir_attr){0}, &x, 1, x->type.elem);
}

struct ir_value *ir_binary(struct ir_builder *b, enum ir_opcode op, struct ir_value *x,
                           struct ir_value *y)
{
    struct ir_value *operands[] = {x, y};
    return append_typed(b, op, (struct ir_attr){0}, operands, 2, x->type.elem);
}

struct ir_value *ir_compare(struct ir_builder *b, enum ir_cmp cmp, struct ir_value *x,
                            struct ir_value *y)
{
    struct ir_value *operands[] = {x, y};
    struct ir_attr attr = {.kind = (uint8_t)cmp};
    return append_typed(b, IR_OP_cmp, attr, operands, 2, IR_BOOL);
}

struct ir_value *ir_select(struct ir_builder *b, struct ir_value *test, struct ir_value *yes,
                           struct ir_value *no)
{
    struct ir_value *operands[] = {test, yes, no};
    return append_typed(b, IR_OP_select, (struct ir_attr){0}, operands, 3, yes->type.elem);
}

struct ir_value *ir_cast(struct ir_builder *b, struct ir_value *x, enum ir_elem elem)
{
    if (x->type.elem == elem)
        return x;
    return append_typed(b, IR_OP_cast, (struct ir_attr){0}, &x, 1, elem);
}

/* Editing. */

void ir_insert_before(struct ir_node *at, struct ir_node *node)
{
    node->block = at->block;
    node->next = at;
    node->prev = at->prev;
    if (at->prev)
        at->prev->next = node;
    else
        at->block->first = node;
    at->prev = node;
}

void ir_detach(struct ir_node *node)
{
    if (node->prev)
        node->prev->next = node->next;
    else
        node->block->first = node->next;
    if (node->next)
        node->next->prev = node->prev;
    else
        node->block->last = node->prev;
    node->block = NULL;
    node->prev = node->next = NULL;
}

static void drop_operands(struct ir_node *node)
{
    for (uint32_t i = 0; i < node->operand_count; i++)
        node->operands[i]->uses--;
    for (uint32_t r = 0; r < node->region_count; r++)
        for (struct ir_node *n = node->regions[r]->first; n; n = n->next)
            drop_operands(n);
}

void ir_remove(struct ir_node *node)
{
    drop_operands(node);
    ir_detach(node);
}

void ir_set_operand(struct ir_node *node, uint32_t i, struct ir_value *value)
{
    node->operands[i]->uses--;
    node->operands[i] = value;
    value->uses++;
}

static void replace_in_block(struct ir_block *b, struct ir_value *old, struct ir_value *new_value)
{
    for (struct ir_node *n = b->first; n && old->uses; n = n->next) {
        for (uint32_t i = 0; i < n->operand_count; i++)
            if (n->operands[i] == old)
                ir_set_operand(n, i, new_value);
        for (uint32_t r = 0; r < n->region_count; r++)
            replace_in_block(n->regions[r], old, new_value);
    }
}

static void replace_in_slot(struct ir_value **slot, struct ir_value *old, struct ir_value *to)
{
    if (*slot == old)
        *slot = to;
}

void ir_replace(struct ir_func *f, struct ir_value *old, struct ir_value *new_value)
{
    replace_in_block(f->body, old, new_value);
    for (uint32_t i = 0; i < f->axes.count; i++) {
        replace_in_slot(&f->axes.data[i].lo, old, new_value);
        replace_in_slot(&f->axes.data[i].hi, old, new_value);
        replace_in_slot(&f->axes.data[i].bound, old, new_value);
    }
    for (uint32_t i = 0; i < f->tensors.count; i++)
        for (uint32_t d = 0; d < f->tensors.data[i].rank; d++)
            replace_in_slot(&f->tensors.data[i].dims[d], old, new_value);
}
