/* Attribute lists: "{axis = c, exclusive}". Read whole, then taken by name. */
#include "ir/reader.h"

static bool read_attr_value(struct reader *r, struct attr_item *item)
{
    struct token t;
    item->has_value = true;
    item->value = r->token;
    if (reader_accept_punct(r, "[")) {
        item->is_list = true;
        while (!reader_accept_punct(r, "]")) {
            if ((item->list.count && !reader_expect_punct(r, ",")) ||
                !reader_expect(r, TOKEN_WORD, "an axis", &t))
                return false;
            vec_push(&r->session->scratch, &item->list, t);
        }
        return true;
    }
    if (r->token.kind == TOKEN_PUNCT || r->token.kind == TOKEN_END || r->token.kind == TOKEN_BAD)
        return reader_unexpected(r, "a value");
    reader_advance(r);
    return true;
}

bool attrs_read(struct reader *r, struct attr_items *out)
{
    *out = (struct attr_items){0};
    if (!reader_accept_punct(r, "{"))
        return true;
    do {
        struct attr_item item = {0};
        if (!reader_expect(r, TOKEN_WORD, "an attribute", &item.name))
            return false;
        if (reader_accept_punct(r, "=") && !read_attr_value(r, &item))
            return false;
        vec_push(&r->session->scratch, &out->items, item);
    } while (reader_accept_punct(r, ","));
    return reader_expect_punct(r, "}");
}

/* The attribute of this name, or NULL; what nobody takes is an error. */
struct attr_item *attrs_take(struct attr_items *attrs, const char *name)
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

bool attrs_all_taken(struct reader *r, const struct attr_items *attrs, const char *what)
{
    for (uint32_t i = 0; i < attrs->items.count; i++)
        if (!attrs->items.data[i].taken)
            return diag_error(r->session, attrs->items.data[i].name.at, DIAG_IR_NAME,
                              "%s has no attribute '%s' here", what,
                              attrs->items.data[i].name.text);
    return true;
}

bool attrs_flag(struct attr_items *attrs, const char *name)
{
    struct attr_item *item = attrs_take(attrs, name);
    if (item && item->has_value)
        item->taken = false;
    return item && !item->has_value;
}

bool attrs_int(struct reader *r, struct attr_items *attrs, const char *name, int64_t *out)
{
    struct attr_item *item = attrs_take(attrs, name);
    return !item || reader_int(r, item->has_value ? &item->value : &item->name, out);
}

static bool take_word(struct reader *r, struct attr_items *attrs, const char *name,
                      const char *const *words, uint8_t *out)
{
    struct attr_item *item = attrs_take(attrs, name);
    uint32_t found = *out;
    bool fine = !item || reader_find_word(r, item->has_value ? &item->value : &item->name, words,
                                          name, &found);
    *out = (uint8_t)found;
    return fine;
}

static bool take_axis(struct reader *r, struct attr_items *attrs, const char *name, uint8_t *out)
{
    struct attr_item *item = attrs_take(attrs, name);
    return !item || reader_find_axis(r, item->has_value ? &item->value : &item->name, out);
}

static bool take_axes(struct reader *r, struct attr_items *attrs, axis_set *out)
{
    struct attr_item *item = attrs_take(attrs, "axes");
    uint8_t axis;
    if (item && !item->is_list)
        return diag_error(r->session, item->name.at, DIAG_IR_SYNTAX, "wanted a list: axes = [r]");
    for (uint32_t i = 0; item && i < item->list.count; i++) {
        if (!reader_find_axis(r, &item->list.data[i], &axis))
            return false;
        *out |= axis_bit(axis);
    }
    return true;
}

static bool take_text(struct reader *r, struct attr_items *attrs, const char **out)
{
    struct attr_item *item = attrs_take(attrs, "text");
    if (item && item->value.kind != TOKEN_STRING)
        return diag_error(r->session, item->name.at, DIAG_IR_SYNTAX, "wanted a text in quotes");
    *out = item ? item->value.text : "";
    return true;
}

static bool take_const(struct reader *r, struct attr_items *attrs, struct ir_attr *out)
{
    struct attr_item *real = attrs_take(attrs, "f");
    if (real)
        return reader_float(r, real->has_value ? &real->value : &real->name, &out->f);
    return attrs_int(r, attrs, "i", &out->i);
}

bool attrs_of_node(struct reader *r, const struct token *op_name, enum ir_opcode op,
                   struct attr_items *attrs, struct ir_attr *out)
{
    unsigned has = ir_op_info(op)->attrs;
    const char *kind_name;
    const char *const *kind_words = ir_kind_words(op, &kind_name);
    out->to = IR_NO_AXIS;
    out->axis = has & IR_A_AXIS ? IR_NO_AXIS : 0;
    if (op == IR_OP_const && !take_const(r, attrs, out))
        return false;
    if (op != IR_OP_const && (has & IR_A_INT) && !attrs_int(r, attrs, "i", &out->i))
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
        out->flag = attrs_flag(attrs, ir_flag_word(op));
    return attrs_all_taken(r, attrs, op_name->text);
}
