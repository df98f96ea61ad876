/* The text of a function: print(read(print(f))) is print(f). The form is described in docs/ir.md.
 *
 * Values are numbered in the order of the text, whatever their ids are, so that the text does not
 * depend on how the function came to be. */
#include "ir/internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct printer {
    struct session *session;
    const struct ir_func *f;
    VEC(char) text;
    uint32_t *number; /* by value id, plus one; 0: not seen */
    uint32_t next;
    unsigned depth;
};

/* Names. */

const char *ir_axis_text(const struct ir_func *f, uint32_t axis)
{
    const char *name = f->axes.data[axis].name;
    for (uint32_t i = 0; i < axis; i++)
        if (strcmp(f->axes.data[i].name, name) == 0)
            return arena_printf(&f->session->module, "%s.%u", name, axis);
    return name;
}

const char *ir_tensor_text(const struct ir_func *f, uint32_t tensor)
{
    const char *name = f->tensors.data[tensor].name;
    for (uint32_t i = 0; i < tensor; i++)
        if (strcmp(f->tensors.data[i].name, name) == 0)
            return arena_printf(&f->session->module, "%s.%u", name, tensor);
    return name;
}

const char *ir_flag_word(enum ir_opcode op)
{
    if (op == IR_OP_scan)
        return "exclusive";
    return op == IR_OP_store ? "clip" : "fill";
}

const char *const *ir_kind_words(enum ir_opcode op, const char **attr_name)
{
    *attr_name = op == IR_OP_dot ? "precision" : "kind";
    return op == IR_OP_dot ? ir_precision_names : ir_kind_names;
}

/* Pieces of text. */

static void put_bytes(struct printer *p, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        vec_push(&p->session->module, &p->text, text[i]);
}

static void put(struct printer *p, const char *text)
{
    put_bytes(p, text, strlen(text));
}

static void put_int(struct printer *p, int64_t value)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%" PRId64, value);
    put_bytes(p, text, (size_t)length);
}

/* The shortest decimal that reads back as the same number; a point in every locale. */
static void put_float(struct printer *p, double value)
{
    char text[64];
    if (isnan(value)) {
        put(p, "nan");
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    for (char *c = text; *c; c++)
        put_bytes(p, strchr("0123456789+-einf", *c) ? c : ".", 1);
}

static void put_quoted(struct printer *p, const char *text)
{
    put(p, "\"");
    for (const char *c = text; *c; c++) {
        char escape[8];
        if (*c == '"' || *c == '\\')
            snprintf(escape, sizeof escape, "\\%c", *c);
        else if ((unsigned char)*c < 32 || *c == 127)
            snprintf(escape, sizeof escape, "\\x%02x", (unsigned char)*c);
        else
            snprintf(escape, sizeof escape, "%c", *c);
        put(p, escape);
    }
    put(p, "\"");
}

static void begin_line(struct printer *p)
{
    for (unsigned i = 0; i < p->depth; i++)
        put(p, "  ");
}

static void open_section(struct printer *p, const char *name)
{
    begin_line(p);
    put(p, name);
    put(p, " {\n");
    p->depth++;
}

static void close_section(struct printer *p)
{
    p->depth--;
    begin_line(p);
    put(p, "}\n");
}

/* Values. */

static void number_value(struct printer *p, const struct ir_value *v)
{
    p->number[v->id] = ++p->next;
}

static void number_block(struct printer *p, const struct ir_block *b)
{
    for (uint32_t i = 0; i < b->args.count; i++)
        number_value(p, b->args.data[i]);
    for (const struct ir_node *n = b->first; n; n = n->next) {
        for (uint32_t i = 0; i < n->result_count; i++)
            number_value(p, n->results[i]);
        for (uint32_t i = 0; i < n->region_count; i++)
            number_block(p, n->regions[i]);
    }
}

static void put_value(struct printer *p, const struct ir_value *v)
{
    put(p, "%");
    if (!v || v->id >= p->f->value_count || !p->number[v->id]) {
        put(p, "gone"); /* a broken function is printed too: the verifier shows it */
        return;
    }
    bool is_param = v->def == IR_DEF_ARG && v->block == p->f->body;
    const char *name =
        is_param && v->number < p->f->params.count ? p->f->params.data[v->number].name : v->name;
    if (name) {
        put(p, name);
        put(p, ".");
    }
    put_int(p, p->number[v->id] - 1);
}

static void put_values(struct printer *p, struct ir_value *const *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        put(p, i ? ", " : "");
        put_value(p, values[i]);
    }
}

static void put_type(struct printer *p, struct ir_type type)
{
    put(p, ir_type_text(p->f, type));
}

/* Attributes: "{axis = c, exclusive}", nothing if all have their usual value. */

struct attr_list {
    struct printer *p;
    bool open;
};

static void put_attr(struct attr_list *list, const char *name, const char *value)
{
    put(list->p, list->open ? ", " : " {");
    list->open = true;
    put(list->p, name);
    if (value) {
        put(list->p, " = ");
        put(list->p, value);
    }
}

static void put_attr_int(struct attr_list *list, const char *name, int64_t value)
{
    put_attr(list, name, "");
    put_int(list->p, value);
}

static void close_attrs(struct attr_list *list)
{
    if (list->open)
        put(list->p, "}");
}

static void put_const(struct attr_list *list, const struct ir_node *n)
{
    if (ir_elem_is_float(n->results[0]->type.elem)) {
        put_attr(list, "f", "");
        put_float(list->p, n->attr.f);
    } else {
        put_attr_int(list, "i", n->attr.i);
    }
}

static void put_axes_attr(struct attr_list *list, axis_set axes)
{
    const char *before = "";
    put_attr(list, "axes", "[");
    for (uint32_t i = 0; i < list->p->f->axes.count; i++) {
        if (!(axes & axis_bit(i)))
            continue;
        put(list->p, before);
        put(list->p, ir_axis_text(list->p->f, i));
        before = ", ";
    }
    put(list->p, "]");
}

static void put_node_attrs(struct printer *p, const struct ir_node *n)
{
    struct attr_list list = {.p = p};
    unsigned has = ir_op_info(n->op)->attrs;
    const char *kind_name;
    const char *const *kind_words = ir_kind_words(n->op, &kind_name);
    if (n->op == IR_OP_const)
        put_const(&list, n);
    else if ((has & IR_A_INT) && n->attr.i)
        put_attr_int(&list, "i", n->attr.i);
    if (has & IR_A_TEXT) {
        put_attr(&list, "text", "");
        put_quoted(p, n->attr.text ? n->attr.text : "");
    }
    if (has & IR_A_AXES)
        put_axes_attr(&list, n->attr.axes);
    if ((has & IR_A_AXIS) && n->attr.axis < p->f->axes.count)
        put_attr(&list, "axis", ir_axis_text(p->f, n->attr.axis));
    if ((has & IR_A_TO) && n->attr.to < p->f->axes.count)
        put_attr(&list, "to", ir_axis_text(p->f, n->attr.to));
    if ((has & IR_A_KIND) && (n->op != IR_OP_dot || n->attr.kind))
        put_attr(&list, kind_name, kind_words[n->attr.kind]);
    if (has & IR_A_CMP)
        put_attr(&list, "cmp", ir_cmp_names[n->attr.kind]);
    if ((has & IR_A_CACHE) && n->attr.kind)
        put_attr(&list, "cache", ir_cache_names[n->attr.kind]);
    if ((has & IR_A_FLAG) && n->attr.flag)
        put_attr(&list, ir_flag_word(n->op), NULL);
    close_attrs(&list);
}

/* Nodes. */

static void put_block(struct printer *p, const struct ir_block *b);

static void put_region(struct printer *p, const struct ir_block *b, bool first)
{
    put(p, first ? " do" : " else");
    for (uint32_t i = 0; i < b->args.count; i++) {
        put(p, i ? ", " : " (");
        put_value(p, b->args.data[i]);
        put(p, " : ");
        put_type(p, b->args.data[i]->type);
    }
    put(p, b->args.count ? ") {\n" : " {\n");
    p->depth++;
    put_block(p, b);
    p->depth--;
    begin_line(p);
    put(p, "}");
}

static void put_operands(struct printer *p, const struct ir_node *n)
{
    uint32_t first = 0;
    if (!(ir_op_info(n->op)->attrs & IR_A_TENSOR)) {
        put(p, n->operand_count ? " " : "");
        put_values(p, n->operands, n->operand_count);
        return;
    }
    if (n->attr.tensor < p->f->tensors.count) {
        uint32_t rank = p->f->tensors.data[n->attr.tensor].rank;
        first = rank < n->operand_count ? rank : n->operand_count;
        put(p, " ");
        put(p, ir_tensor_text(p->f, n->attr.tensor));
    }
    put(p, "[");
    put_values(p, n->operands, first);
    put(p, first < n->operand_count ? "], " : "]");
    put_values(p, n->operands + first, n->operand_count - first);
}

static void put_node(struct printer *p, const struct ir_node *n)
{
    begin_line(p);
    put_values(p, n->results, n->result_count);
    put(p, n->result_count ? " = " : "");
    put(p, ir_op_info(n->op)->name);
    put_operands(p, n);
    put_node_attrs(p, n);
    for (uint32_t i = 0; i < n->result_count; i++) {
        put(p, i ? ", " : " : ");
        put_type(p, n->results[i]->type);
    }
    for (uint32_t i = 0; i < n->region_count; i++)
        put_region(p, n->regions[i], i == 0);
    put(p, "\n");
}

static void put_block(struct printer *p, const struct ir_block *b)
{
    for (const struct ir_node *n = b->first; n; n = n->next)
        put_node(p, n);
}

/* The header. */

static void put_params(struct printer *p)
{
    for (uint32_t i = 0; i < p->f->params.count; i++) {
        const struct ir_param *param = &p->f->params.data[i];
        struct attr_list list = {.p = p};
        bool is_dim = param->kind == IR_PARAM_DIM;
        begin_line(p);
        put(p, "%");
        put(p, param->name);
        put(p, ".");
        put_int(p, i);
        put(p, is_dim ? " : dim" : " : scalar ");
        if (!is_dim)
            put(p, ir_elem_name(param->value->type.elem));
        if (param->lo != (is_dim ? 0 : INT64_MIN))
            put_attr_int(&list, "lo", param->lo);
        if (param->hi != INT64_MAX)
            put_attr_int(&list, "hi", param->hi);
        if (param->multiple != 1)
            put_attr_int(&list, "multiple", param->multiple);
        if (param->expected)
            put_attr_int(&list, "expected", param->expected);
        close_attrs(&list);
        put(p, "\n");
    }
}

static void put_tensors(struct printer *p)
{
    for (uint32_t i = 0; i < p->f->tensors.count; i++) {
        const struct ir_tensor *t = &p->f->tensors.data[i];
        struct attr_list list = {.p = p};
        begin_line(p);
        put(p, ir_tensor_text(p->f, i));
        put(p, " : ");
        put(p, ir_access_names[t->access]);
        put(p, " ");
        put(p, ir_elem_name(t->elem));
        put(p, "[");
        put_values(p, t->dims, t->rank);
        put(p, "]");
        if (t->align != ir_elem_bits(t->elem) / 8)
            put_attr_int(&list, "align", t->align);
        if (t->strided)
            put_attr(&list, "strided", NULL);
        if (t->packed)
            put_attr(&list, "packed", NULL);
        if (t->ready)
            put_attr(&list, "ready", NULL);
        close_attrs(&list);
        put(p, "\n");
    }
}

static void put_axes(struct printer *p)
{
    for (uint32_t i = 0; i < p->f->axes.count; i++) {
        const struct ir_axis *axis = &p->f->axes.data[i];
        struct attr_list list = {.p = p};
        begin_line(p);
        put(p, ir_axis_text(p->f, i));
        put(p, " : ");
        put(p, ir_axis_kind_names[axis->kind]);
        put(p, " ");
        if (axis->kind == IR_AXIS_PART) {
            put(p, axis->parent < p->f->axes.count ? ir_axis_text(p->f, axis->parent) : "?");
        } else {
            put_value(p, axis->lo);
            put(p, " .. ");
            put_value(p, axis->hi);
        }
        put_attr_int(&list, "tile", axis->tile);
        if (axis->bound) {
            put_attr(&list, "bound", "");
            put_value(p, axis->bound);
        }
        if (axis->full)
            put_attr(&list, "full", NULL);
        close_attrs(&list);
        put(p, "\n");
    }
}

static void put_settings(struct printer *p)
{
    for (uint32_t i = 0; i < p->f->settings.count; i++) {
        begin_line(p);
        put(p, p->f->settings.data[i].name);
        put(p, " = ");
        put_int(p, p->f->settings.data[i].value);
        put(p, "\n");
    }
}

static void put_section(struct printer *p, const char *name, uint32_t count,
                        void (*put_lines)(struct printer *))
{
    if (!count)
        return;
    open_section(p, name);
    put_lines(p);
    close_section(p);
}

const char *ir_print(struct session *s, const struct ir_func *f)
{
    struct printer p = {.session = s, .f = f};
    p.number = arena_array(&s->module, uint32_t, f->value_count);
    number_block(&p, f->body);
    put(&p, "kernel ");
    put(&p, f->name);
    put(&p, f->exact ? " exact" : "");
    open_section(&p, f->ordered ? " ordered" : "");
    put_section(&p, "params", f->params.count, put_params);
    put_section(&p, "tensors", f->tensors.count, put_tensors);
    put_section(&p, "axes", f->axes.count, put_axes);
    put_section(&p, "settings", f->settings.count, put_settings);
    open_section(&p, "body");
    put_block(&p, f->body);
    close_section(&p);
    close_section(&p);
    return arena_copy_text(&s->module, p.text.data, p.text.count);
}
