/* Reads the text form of a function, row by row from ops.def: an op with a row can be read at once.
 *
 * The text is a tool's input, so the first mistake ends the reading; rules beyond the grammar are
 * the verifier's, which runs at the end and reports at the op. Values used by the header (dims,
 * ranges of axes) are made in the body, so they are looked up after it. */
#include "ir/internal.h"
#include "ir/token.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_DEPTH 200 /* regions inside each other */

struct name_slot {
    const char *name;
    struct ir_value *value;
};

/* The values that the header names, until the body is read; no text: none. */
struct axis_promise {
    struct token lo, hi, bound;
};

struct tensor_promise {
    struct token dims[IR_MAX_RANK];
};

struct reader {
    struct session *session;
    uint32_t source, at;
    struct token token; /* the next one */
    struct ir_func *f;
    struct name_slot *slots; /* open addressing, by pointer */
    uint32_t slot_count, slot_capacity;
    VEC(struct axis_promise) axes;
    VEC(struct tensor_promise) tensors;
    unsigned depth;
};

/* "{name, name = value, name = [word, word]}" */
struct attr_item {
    struct token name, value;
    bool has_value, is_list, taken;
    VEC(struct token) list;
};

struct attr_items {
    VEC(struct attr_item) items;
};

/* Tokens. */

static void advance(struct reader *r)
{
    r->token = token_next(r->session, r->source, &r->at);
}

static bool unexpected(struct reader *r, const char *wanted)
{
    if (r->token.kind == TOKEN_BAD || r->token.kind == TOKEN_END)
        return diag_error(r->session, r->token.at, DIAG_IR_SYNTAX, "found %s, wanted %s",
                          r->token.text, wanted);
    return diag_error(r->session, r->token.at, DIAG_IR_SYNTAX, "found '%s%s', wanted %s",
                      r->token.kind == TOKEN_VALUE ? "%" : "", r->token.text, wanted);
}

static bool at_punct(const struct reader *r, const char *text)
{
    return r->token.kind == TOKEN_PUNCT && strcmp(r->token.text, text) == 0;
}

static bool at_word(const struct reader *r, const char *text)
{
    return r->token.kind == TOKEN_WORD && strcmp(r->token.text, text) == 0;
}

static bool accept_punct(struct reader *r, const char *text)
{
    bool found = at_punct(r, text);
    if (found)
        advance(r);
    return found;
}

static bool accept_word(struct reader *r, const char *text)
{
    bool found = at_word(r, text);
    if (found)
        advance(r);
    return found;
}

static bool expect_punct(struct reader *r, const char *text)
{
    char wanted[16];
    snprintf(wanted, sizeof wanted, "'%s'", text);
    return accept_punct(r, text) || unexpected(r, wanted);
}

static bool expect(struct reader *r, enum token_kind kind, const char *wanted, struct token *out)
{
    *out = r->token;
    if (r->token.kind != kind)
        return unexpected(r, wanted);
    advance(r);
    return true;
}

static bool parse_int(struct reader *r, const struct token *t, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = t->kind == TOKEN_NUMBER ? strtoll(t->text, &end, 10) : (end = NULL, 0);
    if (!end || *end || errno)
        return diag_error(r->session, t->at, DIAG_IR_SYNTAX, "'%s' is not a 64-bit integer",
                          t->text);
    *out = value;
    return true;
}

/* strtod wants the locale's decimal point; the text has a dot. */
static bool parse_float(struct reader *r, const struct token *t, double *out)
{
    char text[64], sample[8], *end;
    bool word = strcmp(t->text, "nan") == 0 || strcmp(t->text, "inf") == 0;
    snprintf(sample, sizeof sample, "%.1f", 0.5);
    int length = snprintf(text, sizeof text, "%s", t->text);
    if ((t->kind == TOKEN_NUMBER || word) && length < (int)sizeof text) {
        for (char *c = text; *c; c++)
            if (*c == '.')
                *c = sample[1];
        *out = strtod(text, &end);
        if (!*end && end != text)
            return true;
    }
    return diag_error(r->session, t->at, DIAG_IR_SYNTAX, "'%s' is not a number", t->text);
}

/* The position of a word in a NULL-terminated list. */
static bool find_word(struct reader *r, const struct token *t, const char *const *words,
                      const char *what, uint32_t *out)
{
    uint32_t count = 0;
    for (; words[count]; count++)
        if (t->kind == TOKEN_WORD && strcmp(words[count], t->text) == 0) {
            *out = count;
            return true;
        }
    diag_error(r->session, t->at, DIAG_IR_NAME, "there is no %s '%s'", what, t->text);
    const char *near = nearest_name(t->text, words, count);
    if (near)
        diag_help(r->session, "did you mean %s?", near);
    return false;
}

static bool find_elem(struct reader *r, const struct token *t, enum ir_elem *out)
{
    const char *words[IR_ELEM_COUNT + 1] = {0};
    uint32_t found;
    for (unsigned i = 0; i < IR_ELEM_COUNT; i++)
        words[i] = ir_elem_name((enum ir_elem)i);
    if (!find_word(r, t, words, "element type", &found))
        return false;
    *out = (enum ir_elem)found;
    return true;
}

/* Axes and tensors carry the names of the text, so that they are unique. */
static bool find_axis(struct reader *r, const struct token *t, uint8_t *out)
{
    for (uint32_t i = 0; i < r->f->axes.count; i++)
        if (r->f->axes.data[i].name == t->text) {
            *out = (uint8_t)i;
            return true;
        }
    return diag_error(r->session, t->at, DIAG_IR_NAME, "there is no axis '%s'", t->text);
}

/* Values by name. */

static struct name_slot *slot_of(struct reader *r, const char *name)
{
    uint32_t mask = r->slot_capacity - 1;
    uint32_t i = (uint32_t)(((uintptr_t)name >> 4) * 2654435761u) & mask;
    while (r->slots[i].name && r->slots[i].name != name)
        i = (i + 1) & mask;
    return &r->slots[i];
}

static void grow_slots(struct reader *r)
{
    struct name_slot *old = r->slots;
    uint32_t old_capacity = r->slot_capacity;
    r->slot_capacity = old_capacity ? old_capacity * 2 : 64;
    r->slots = arena_array(&r->session->scratch, struct name_slot, r->slot_capacity);
    for (uint32_t i = 0; i < old_capacity; i++)
        if (old[i].name)
            *slot_of(r, old[i].name) = old[i];
}

/* "x.3" was printed from name x; "3" from a value without name. */
static const char *base_name(struct reader *r, const char *text)
{
    size_t length = strlen(text), digits = length;
    while (digits && text[digits - 1] >= '0' && text[digits - 1] <= '9')
        digits--;
    if (!digits)
        return NULL;
    return digits < length && text[digits - 1] == '.' ? intern(r->session, text, digits - 1) : text;
}

static bool bind(struct reader *r, const struct token *name, struct ir_value *value)
{
    if (r->slot_count * 2 >= r->slot_capacity)
        grow_slots(r);
    struct name_slot *slot = slot_of(r, name->text);
    if (slot->name)
        return diag_error(r->session, name->at, DIAG_IR_NAME, "%%%s is defined twice", name->text);
    *slot = (struct name_slot){name->text, value};
    r->slot_count++;
    value->name = base_name(r, name->text);
    return true;
}

static bool lookup(struct reader *r, const struct token *name, struct ir_value **out)
{
    struct name_slot *slot = r->slot_capacity ? slot_of(r, name->text) : NULL;
    if (!slot || !slot->name)
        return diag_error(r->session, name->at, DIAG_IR_NAME, "%%%s is not defined before this",
                          name->text);
    *out = slot->value;
    return true;
}

/* Attribute lists. */

static bool read_attr_value(struct reader *r, struct attr_item *item)
{
    struct token t;
    item->has_value = true;
    item->value = r->token;
    if (accept_punct(r, "[")) {
        item->is_list = true;
        while (!accept_punct(r, "]")) {
            if ((item->list.count && !expect_punct(r, ",")) ||
                !expect(r, TOKEN_WORD, "an axis", &t))
                return false;
            vec_push(&r->session->scratch, &item->list, t);
        }
        return true;
    }
    if (r->token.kind == TOKEN_PUNCT || r->token.kind == TOKEN_END || r->token.kind == TOKEN_BAD)
        return unexpected(r, "a value");
    advance(r);
    return true;
}

static bool read_attrs(struct reader *r, struct attr_items *out)
{
    *out = (struct attr_items){0};
    if (!accept_punct(r, "{"))
        return true;
    do {
        struct attr_item item = {0};
        if (!expect(r, TOKEN_WORD, "an attribute", &item.name))
            return false;
        if (accept_punct(r, "=") && !read_attr_value(r, &item))
            return false;
        vec_push(&r->session->scratch, &out->items, item);
    } while (accept_punct(r, ","));
    return expect_punct(r, "}");
}

/* The attribute of this name, or NULL; what nobody takes is an error. */
static struct attr_item *take(struct attr_items *attrs, const char *name)
{
    for (uint32_t i = 0; i < attrs->items.count; i++) {
        struct attr_item *item = &attrs->items.data[i];
        if (!item->taken && strcmp(item->name.text, name) == 0) {
            item->taken = true;
            return item;
        }
    }
    return NULL;
}

static bool all_taken(struct reader *r, const struct attr_items *attrs, const char *what)
{
    for (uint32_t i = 0; i < attrs->items.count; i++)
        if (!attrs->items.data[i].taken)
            return diag_error(r->session, attrs->items.data[i].name.at, DIAG_IR_NAME,
                              "%s has no attribute '%s' here", what,
                              attrs->items.data[i].name.text);
    return true;
}

static bool take_flag(struct attr_items *attrs, const char *name)
{
    struct attr_item *item = take(attrs, name);
    if (item && item->has_value)
        item->taken = false;
    return item && !item->has_value;
}

static bool take_int(struct reader *r, struct attr_items *attrs, const char *name, int64_t *out)
{
    struct attr_item *item = take(attrs, name);
    return !item || parse_int(r, item->has_value ? &item->value : &item->name, out);
}

static bool take_word(struct reader *r, struct attr_items *attrs, const char *name,
                      const char *const *words, uint8_t *out)
{
    struct attr_item *item = take(attrs, name);
    uint32_t found = *out;
    bool fine =
        !item || find_word(r, item->has_value ? &item->value : &item->name, words, name, &found);
    *out = (uint8_t)found;
    return fine;
}

static bool take_axis(struct reader *r, struct attr_items *attrs, const char *name, uint8_t *out)
{
    struct attr_item *item = take(attrs, name);
    return !item || find_axis(r, item->has_value ? &item->value : &item->name, out);
}

static bool take_axes(struct reader *r, struct attr_items *attrs, axis_set *out)
{
    struct attr_item *item = take(attrs, "axes");
    uint8_t axis;
    if (item && !item->is_list)
        return diag_error(r->session, item->name.at, DIAG_IR_SYNTAX, "wanted a list: axes = [r]");
    for (uint32_t i = 0; item && i < item->list.count; i++) {
        if (!find_axis(r, &item->list.data[i], &axis))
            return false;
        *out |= axis_bit(axis);
    }
    return true;
}

static bool take_text(struct reader *r, struct attr_items *attrs, const char **out)
{
    struct attr_item *item = take(attrs, "text");
    if (item && item->value.kind != TOKEN_STRING)
        return diag_error(r->session, item->name.at, DIAG_IR_SYNTAX, "wanted a text in quotes");
    *out = item ? item->value.text : "";
    return true;
}

static bool take_const(struct reader *r, struct attr_items *attrs, struct ir_attr *out)
{
    struct attr_item *real = take(attrs, "f");
    if (real)
        return parse_float(r, real->has_value ? &real->value : &real->name, &out->f);
    return take_int(r, attrs, "i", &out->i);
}

static bool take_node_attrs(struct reader *r, const struct token *op_name, enum ir_opcode op,
                            struct attr_items *attrs, struct ir_attr *out)
{
    unsigned has = ir_op_info(op)->attrs;
    const char *kind_name;
    const char *const *kind_words = ir_kind_words(op, &kind_name);
    out->to = IR_NO_AXIS;
    out->axis = has & IR_A_AXIS ? IR_NO_AXIS : 0;
    if (op == IR_OP_const && !take_const(r, attrs, out))
        return false;
    if (op != IR_OP_const && (has & IR_A_INT) && !take_int(r, attrs, "i", &out->i))
        return false;
    if ((has & IR_A_TEXT) && !take_text(r, attrs, &out->text))
        return false;
    if ((has & IR_A_AXES) && !take_axes(r, attrs, &out->axes))
        return false;
    if ((has & IR_A_AXIS) && !take_axis(r, attrs, "axis", &out->axis))
        return false;
    if ((has & IR_A_TO) && !take_axis(r, attrs, "to", &out->to))
        return false;
    if ((has & IR_A_KIND) && !take_word(r, attrs, kind_name, kind_words, &out->kind))
        return false;
    if ((has & IR_A_CMP) && !take_word(r, attrs, "cmp", ir_cmp_names, &out->kind))
        return false;
    if ((has & IR_A_CACHE) && !take_word(r, attrs, "cache", ir_cache_names, &out->kind))
        return false;
    if (has & IR_A_FLAG)
        out->flag = take_flag(attrs, ir_flag_word(op));
    return all_taken(r, attrs, op_name->text);
}

/* Types and lists of values. */

static bool read_type(struct reader *r, struct ir_type *out)
{
    struct token t;
    uint8_t axis;
    *out = (struct ir_type){0};
    if (!expect(r, TOKEN_WORD, "a type", &t) || !find_elem(r, &t, &out->elem))
        return false;
    if (!accept_punct(r, "["))
        return true;
    do {
        if (!expect(r, TOKEN_WORD, "an axis", &t) || !find_axis(r, &t, &axis))
            return false;
        out->axes |= axis_bit(axis);
    } while (accept_punct(r, ","));
    return expect_punct(r, "]");
}

typedef VEC(struct ir_value *) value_list;

static bool read_value(struct reader *r, value_list *out)
{
    struct token t;
    struct ir_value *value;
    if (!expect(r, TOKEN_VALUE, "a value", &t) || !lookup(r, &t, &value))
        return false;
    vec_push(&r->session->scratch, out, value);
    return true;
}

static bool read_values(struct reader *r, value_list *out)
{
    if (r->token.kind != TOKEN_VALUE)
        return true;
    do {
        if (!read_value(r, out))
            return false;
    } while (accept_punct(r, ","));
    return true;
}

/* "x[%i, %j], %fill" */
static bool read_access(struct reader *r, value_list *out, uint8_t *tensor)
{
    struct token t;
    uint32_t found = 0;
    const char *words[UINT8_MAX + 1] = {0};
    for (uint32_t i = 0; i < r->f->tensors.count; i++)
        words[i] = r->f->tensors.data[i].name;
    if (!expect(r, TOKEN_WORD, "a tensor", &t) || !find_word(r, &t, words, "tensor", &found))
        return false;
    *tensor = (uint8_t)found;
    if (!expect_punct(r, "[") || !read_values(r, out) || !expect_punct(r, "]"))
        return false;
    return !accept_punct(r, ",") ||
           (r->token.kind == TOKEN_VALUE ? read_values(r, out) : unexpected(r, "a value"));
}

/* Nodes. */

static bool read_block(struct reader *r, struct ir_block *b);

static bool read_region_args(struct reader *r, struct ir_block *b)
{
    struct token name;
    struct ir_type type;
    if (!accept_punct(r, "("))
        return true;
    do {
        if (!expect(r, TOKEN_VALUE, "an argument", &name) || !expect_punct(r, ":") ||
            !read_type(r, &type) || !bind(r, &name, ir_block_arg(r->f, b, type)))
            return false;
    } while (accept_punct(r, ","));
    return expect_punct(r, ")");
}

static bool read_regions(struct reader *r, struct ir_node *n)
{
    if (++r->depth > MAX_DEPTH)
        return diag_error(r->session, n->at, DIAG_IR_SYNTAX, "regions are nested too deeply");
    for (uint32_t i = 0; i < n->region_count; i++) {
        const char *word = i ? "else" : "do";
        if (!accept_word(r, word))
            return unexpected(r, i ? "'else'" : "'do'");
        if (!read_region_args(r, n->regions[i]) || !expect_punct(r, "{") ||
            !read_block(r, n->regions[i]))
            return false;
    }
    r->depth--;
    return true;
}

static bool find_op(struct reader *r, const struct token *t, enum ir_opcode *out)
{
    const char *words[IR_OP_COUNT + 1] = {0};
    uint32_t found;
    for (unsigned i = 0; i < IR_OP_COUNT; i++)
        words[i] = ir_op_info((enum ir_opcode)i)->name;
    if (!find_word(r, t, words, "op", &found))
        return false;
    *out = (enum ir_opcode)found;
    return true;
}

typedef VEC(struct token) token_list;
typedef VEC(struct ir_type) type_list;

static bool read_result_types(struct reader *r, const struct token *op, uint32_t count,
                              type_list *out)
{
    struct ir_type type;
    if (count && !expect_punct(r, ":"))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if ((i && !expect_punct(r, ",")) || !read_type(r, &type))
            return false;
        vec_push(&r->session->scratch, out, type);
    }
    return !at_punct(r, ",") || diag_error(r->session, op->at, DIAG_IR_SYNTAX,
                                           "%s has more types than results", op->text);
}

static bool read_result_names(struct reader *r, token_list *out)
{
    struct token t;
    if (r->token.kind != TOKEN_VALUE)
        return true;
    do {
        if (!expect(r, TOKEN_VALUE, "a value", &t))
            return false;
        vec_push(&r->session->scratch, out, t);
    } while (accept_punct(r, ","));
    return expect_punct(r, "=");
}

static bool read_node(struct reader *r, struct ir_block *b)
{
    token_list names = {0};
    value_list operands = {0};
    type_list types = {0};
    struct attr_items attrs;
    struct token op_name;
    struct ir_attr attr = {0};
    enum ir_opcode op;
    if (!read_result_names(r, &names) || !expect(r, TOKEN_WORD, "an op", &op_name) ||
        !find_op(r, &op_name, &op))
        return false;
    bool is_access = ir_op_info(op)->attrs & IR_A_TENSOR;
    if (!(is_access ? read_access(r, &operands, &attr.tensor) : read_values(r, &operands)) ||
        !read_attrs(r, &attrs) || !take_node_attrs(r, &op_name, op, &attrs, &attr) ||
        !read_result_types(r, &op_name, names.count, &types))
        return false;
    struct ir_builder builder = {r->f, b, op_name.at, NULL};
    struct ir_node *n = ir_append(&builder, op, attr, operands.data, operands.count, types.data,
                                  types.count, ir_region_count(op, &attr));
    if (!read_regions(r, n))
        return false;
    for (uint32_t i = 0; i < names.count; i++)
        if (!bind(r, &names.data[i], n->results[i]))
            return false;
    return true;
}

static bool read_block(struct reader *r, struct ir_block *b)
{
    while (!accept_punct(r, "}")) {
        if (r->token.kind == TOKEN_END)
            return unexpected(r, "an op or '}'");
        if (!read_node(r, b))
            return false;
    }
    return true;
}

/* The header. */

static bool read_param(struct reader *r)
{
    struct token name, word;
    struct attr_items attrs;
    struct ir_type type = {IR_INDEX, 0};
    struct ir_param p = {.kind = IR_PARAM_DIM, .hi = INT64_MAX, .multiple = 1};
    if (!expect(r, TOKEN_VALUE, "a parameter", &name) || !expect_punct(r, ":"))
        return false;
    if (accept_word(r, "scalar")) {
        p.kind = IR_PARAM_SCALAR;
        p.lo = INT64_MIN;
        if (!expect(r, TOKEN_WORD, "a type", &word) || !find_elem(r, &word, &type.elem))
            return false;
    } else if (!accept_word(r, "dim")) {
        return unexpected(r, "'dim' or 'scalar'");
    }
    if (!read_attrs(r, &attrs) || !take_int(r, &attrs, "lo", &p.lo) ||
        !take_int(r, &attrs, "hi", &p.hi) || !take_int(r, &attrs, "multiple", &p.multiple) ||
        !all_taken(r, &attrs, "a parameter"))
        return false;
    p.value = ir_block_arg(r->f, r->f->body, type);
    if (!bind(r, &name, p.value))
        return false;
    p.name = p.value->name;
    if (!p.name)
        return diag_error(r->session, name.at, DIAG_IR_NAME, "a parameter needs a name");
    vec_push(&r->session->module, &r->f->params, p);
    return true;
}

static bool read_dims(struct reader *r, struct ir_tensor *t, struct tensor_promise *promise)
{
    if (!expect_punct(r, "["))
        return false;
    while (!accept_punct(r, "]")) {
        if (t->rank == IR_MAX_RANK)
            return diag_error(r->session, t->at, DIAG_IR_SYNTAX, "tensor %s has too many dims",
                              t->name);
        if ((t->rank && !expect_punct(r, ",")) ||
            !expect(r, TOKEN_VALUE, "a dim", &promise->dims[t->rank]))
            return false;
        t->rank++;
    }
    return true;
}

static bool read_tensor(struct reader *r)
{
    struct ir_tensor t = {0};
    struct tensor_promise promise = {0};
    struct token name, word;
    struct attr_items attrs;
    uint32_t access;
    if (!expect(r, TOKEN_WORD, "a tensor", &name) || !expect_punct(r, ":") ||
        !expect(r, TOKEN_WORD, "read, mut or out", &word) ||
        !find_word(r, &word, ir_access_names, "access", &access) ||
        !expect(r, TOKEN_WORD, "a type", &word) || !find_elem(r, &word, &t.elem))
        return false;
    for (uint32_t i = 0; i < r->f->tensors.count; i++)
        if (r->f->tensors.data[i].name == name.text)
            return diag_error(r->session, name.at, DIAG_IR_NAME, "tensor %s is declared twice",
                              name.text);
    if (r->f->tensors.count == UINT8_MAX)
        return diag_error(r->session, name.at, DIAG_IR_SYNTAX, "too many tensors");
    t.name = name.text;
    t.at = name.at;
    t.access = (enum ir_tensor_access)access;
    int64_t align = ir_elem_bits(t.elem) / 8;
    if (!read_dims(r, &t, &promise) || !read_attrs(r, &attrs) ||
        !take_int(r, &attrs, "align", &align))
        return false;
    t.align = align < 0 || align > UINT32_MAX ? 0 : (uint32_t)align;
    t.strided = take_flag(&attrs, "strided");
    t.packed = take_flag(&attrs, "packed");
    vec_push(&r->session->module, &r->f->tensors, t);
    vec_push(&r->session->scratch, &r->tensors, promise);
    return all_taken(r, &attrs, "a tensor");
}

static bool read_range(struct reader *r, struct axis_promise *promise)
{
    return expect(r, TOKEN_VALUE, "the lower end", &promise->lo) && expect_punct(r, "..") &&
           expect(r, TOKEN_VALUE, "the upper end", &promise->hi);
}

static bool take_bound(struct reader *r, struct attr_items *attrs, struct axis_promise *promise)
{
    struct attr_item *item = take(attrs, "bound");
    if (item && item->value.kind != TOKEN_VALUE)
        return diag_error(r->session, item->name.at, DIAG_IR_SYNTAX, "wanted a value: bound = %%n");
    if (item)
        promise->bound = item->value;
    return true;
}

static bool read_axis(struct reader *r)
{
    struct ir_axis axis = {0};
    struct axis_promise promise = {0};
    struct token name, word;
    struct attr_items attrs;
    uint32_t kind;
    if (!expect(r, TOKEN_WORD, "an axis", &name) || !expect_punct(r, ":") ||
        !expect(r, TOKEN_WORD, "a kind of axis", &word) ||
        !find_word(r, &word, ir_axis_kind_names, "kind of axis", &kind))
        return false;
    for (uint32_t i = 0; i < r->f->axes.count; i++)
        if (r->f->axes.data[i].name == name.text)
            return diag_error(r->session, name.at, DIAG_IR_NAME, "axis %s is declared twice",
                              name.text);
    if (r->f->axes.count == IR_MAX_AXIS)
        return diag_error(r->session, name.at, DIAG_IR_SYNTAX, "too many axes");
    axis.name = name.text;
    axis.at = name.at;
    axis.kind = (enum ir_axis_kind)kind;
    bool is_part = axis.kind == IR_AXIS_PART;
    if (is_part
            ? !expect(r, TOKEN_WORD, "the parent axis", &word) || !find_axis(r, &word, &axis.parent)
            : !read_range(r, &promise))
        return false;
    if (!read_attrs(r, &attrs) || !take_int(r, &attrs, "tile", &axis.tile) ||
        !take_bound(r, &attrs, &promise))
        return false;
    axis.full = take_flag(&attrs, "full");
    vec_push(&r->session->module, &r->f->axes, axis);
    vec_push(&r->session->scratch, &r->axes, promise);
    return all_taken(r, &attrs, "an axis");
}

static bool read_setting(struct reader *r)
{
    struct token name, value;
    struct ir_setting setting;
    if (!expect(r, TOKEN_WORD, "a setting", &name) || !expect_punct(r, "=") ||
        !expect(r, TOKEN_NUMBER, "a number", &value) || !parse_int(r, &value, &setting.value))
        return false;
    setting.name = name.text;
    vec_push(&r->session->module, &r->f->settings, setting);
    return true;
}

static bool read_section(struct reader *r, const char *name, bool (*read_line)(struct reader *))
{
    if (!accept_word(r, name))
        return true;
    if (!expect_punct(r, "{"))
        return false;
    while (!accept_punct(r, "}"))
        if (!read_line(r))
            return false;
    return true;
}

/* Keeps the header's promises. */
static bool keep(struct reader *r, const struct token *promise, struct ir_value **out)
{
    return !promise->text || lookup(r, promise, out);
}

static bool keep_promises(struct reader *r)
{
    for (uint32_t i = 0; i < r->f->axes.count; i++) {
        struct ir_axis *axis = &r->f->axes.data[i];
        const struct axis_promise *promise = &r->axes.data[i];
        if (!keep(r, &promise->lo, &axis->lo) || !keep(r, &promise->hi, &axis->hi) ||
            !keep(r, &promise->bound, &axis->bound))
            return false;
    }
    for (uint32_t i = 0; i < r->f->tensors.count; i++)
        for (uint32_t d = 0; d < r->f->tensors.data[i].rank; d++)
            if (!keep(r, &r->tensors.data[i].dims[d], &r->f->tensors.data[i].dims[d]))
                return false;
    return true;
}

static bool read_kernel(struct reader *r)
{
    struct token name;
    if (!accept_word(r, "kernel"))
        return unexpected(r, "'kernel'");
    if (!expect(r, TOKEN_WORD, "the kernel's name", &name))
        return false;
    r->f->name = name.text;
    r->f->at = name.at;
    r->f->exact = accept_word(r, "exact");
    r->f->ordered = accept_word(r, "ordered");
    if (!expect_punct(r, "{") || !read_section(r, "params", read_param) ||
        !read_section(r, "tensors", read_tensor) || !read_section(r, "axes", read_axis) ||
        !read_section(r, "settings", read_setting))
        return false;
    if (!accept_word(r, "body"))
        return unexpected(r, "'body'");
    if (!expect_punct(r, "{") || !read_block(r, r->f->body) || !expect_punct(r, "}"))
        return false;
    return r->token.kind == TOKEN_END || unexpected(r, "the end of the text");
}

static void report_broken(void *user, struct span at, const char *why)
{
    diag_error(user, at, DIAG_IR_RULE, "%s", why);
}

struct ir_func *ir_read(struct session *s, uint32_t source)
{
    struct reader r = {.session = s, .source = source};
    struct ir_broken broken = {report_broken, s};
    if (source_get(s, source)->length >= UINT32_MAX) {
        diag_error(s, (struct span){0}, DIAG_IR_SYNTAX, "the text is too long");
        return NULL;
    }
    r.f = ir_func_new(s, "");
    advance(&r);
    if (!read_kernel(&r) || !keep_promises(&r) || !ir_check(r.f, &broken))
        return NULL;
    return r.f;
}
