/* Reads the text form of a function, row by row from ops.def: an op with a row can be read at once.
 *
 * The text is a tool's input, so the first mistake ends the reading; rules beyond the grammar are
 * the verifier's, which runs at the end and reports at the op. Values used by the header (dims,
 * ranges of axes) are made in the body, so they are looked up after it. */
#include "ir/reader.h"

#define MAX_DEPTH 200 /* regions inside each other */

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

/* Types and lists of values. */

static bool read_type(struct reader *r, struct ir_type *out)
{
    struct token t;
    uint8_t axis;
    *out = (struct ir_type){0};
    if (!reader_expect(r, TOKEN_WORD, "a type", &t) || !reader_find_elem(r, &t, &out->elem))
        return false;
    if (!reader_accept_punct(r, "["))
        return true;
    do {
        if (!reader_expect(r, TOKEN_WORD, "an axis", &t) || !reader_find_axis(r, &t, &axis))
            return false;
        out->axes |= axis_bit(axis);
    } while (reader_accept_punct(r, ","));
    return reader_expect_punct(r, "]");
}

/* The parts of an op's line. */
struct op_line {
    VEC(struct token) names;
    VEC(struct ir_value *) operands;
    VEC(struct ir_type) types;
};

static bool read_value(struct reader *r, struct op_line *out)
{
    struct token t;
    struct ir_value *value;
    if (!reader_expect(r, TOKEN_VALUE, "a value", &t) || !lookup(r, &t, &value))
        return false;
    vec_push(&r->session->scratch, &out->operands, value);
    return true;
}

static bool read_values(struct reader *r, struct op_line *out)
{
    if (r->token.kind != TOKEN_VALUE)
        return true;
    do {
        if (!read_value(r, out))
            return false;
    } while (reader_accept_punct(r, ","));
    return true;
}

/* "x[%i, %j], %fill" */
static bool read_access(struct reader *r, struct op_line *out, uint8_t *tensor)
{
    struct token t;
    uint32_t found = 0;
    const char *words[UINT8_MAX + 1] = {0};
    for (uint32_t i = 0; i < r->f->tensors.count; i++)
        words[i] = r->f->tensors.data[i].name;
    if (!reader_expect(r, TOKEN_WORD, "a tensor", &t) ||
        !reader_find_word(r, &t, words, "tensor", &found))
        return false;
    *tensor = (uint8_t)found;
    if (!reader_expect_punct(r, "[") || !read_values(r, out) || !reader_expect_punct(r, "]"))
        return false;
    return !reader_accept_punct(r, ",") ||
           (r->token.kind == TOKEN_VALUE ? read_values(r, out) : reader_unexpected(r, "a value"));
}

/* Nodes. */

static bool read_block(struct reader *r, struct ir_block *b);

static bool read_region_args(struct reader *r, struct ir_block *b)
{
    struct token name;
    struct ir_type type;
    if (!reader_accept_punct(r, "("))
        return true;
    do {
        if (!reader_expect(r, TOKEN_VALUE, "an argument", &name) || !reader_expect_punct(r, ":") ||
            !read_type(r, &type) || !bind(r, &name, ir_block_arg(r->f, b, type)))
            return false;
    } while (reader_accept_punct(r, ","));
    return reader_expect_punct(r, ")");
}

static bool read_regions(struct reader *r, struct ir_node *n)
{
    if (++r->depth > MAX_DEPTH)
        return diag_error(r->session, n->at, DIAG_IR_SYNTAX, "regions are nested too deeply");
    for (uint32_t i = 0; i < n->region_count; i++) {
        const char *word = i ? "else" : "do";
        if (!reader_accept_word(r, word))
            return reader_unexpected(r, i ? "'else'" : "'do'");
        if (!read_region_args(r, n->regions[i]) || !reader_expect_punct(r, "{") ||
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
    if (!reader_find_word(r, t, words, "op", &found))
        return false;
    *out = (enum ir_opcode)found;
    return true;
}

static bool read_result_types(struct reader *r, const struct token *op, uint32_t count,
                              struct op_line *out)
{
    struct ir_type type;
    if (count && !reader_expect_punct(r, ":"))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if ((i && !reader_expect_punct(r, ",")) || !read_type(r, &type))
            return false;
        vec_push(&r->session->scratch, &out->types, type);
    }
    return !reader_at_punct(r, ",") || diag_error(r->session, op->at, DIAG_IR_SYNTAX,
                                                  "%s has more types than results", op->text);
}

static bool read_result_names(struct reader *r, struct op_line *out)
{
    struct token t;
    if (r->token.kind != TOKEN_VALUE)
        return true;
    do {
        if (!reader_expect(r, TOKEN_VALUE, "a value", &t))
            return false;
        vec_push(&r->session->scratch, &out->names, t);
    } while (reader_accept_punct(r, ","));
    return reader_expect_punct(r, "=");
}

static bool read_node(struct reader *r, struct ir_block *b)
{
    struct op_line line = {0};
    struct attr_items attrs;
    struct token op_name;
    struct ir_attr attr = {0};
    enum ir_opcode op;
    if (!read_result_names(r, &line) || !reader_expect(r, TOKEN_WORD, "an op", &op_name) ||
        !find_op(r, &op_name, &op))
        return false;
    bool is_access = ir_op_info(op)->attrs & IR_A_TENSOR;
    if (!(is_access ? read_access(r, &line, &attr.tensor) : read_values(r, &line)) ||
        !attrs_read(r, &attrs) || !attrs_of_node(r, &op_name, op, &attrs, &attr) ||
        !read_result_types(r, &op_name, line.names.count, &line))
        return false;
    struct ir_builder builder = {r->f, b, op_name.at, NULL};
    struct ir_node *n = ir_append(&builder, op, attr, line.operands.data, line.operands.count,
                                  line.types.data, line.types.count, ir_region_count(op, &attr));
    if (!read_regions(r, n))
        return false;
    for (uint32_t i = 0; i < line.names.count; i++)
        if (!bind(r, &line.names.data[i], n->results[i]))
            return false;
    return true;
}

static bool read_block(struct reader *r, struct ir_block *b)
{
    while (!reader_accept_punct(r, "}")) {
        if (r->token.kind == TOKEN_END)
            return reader_unexpected(r, "an op or '}'");
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
    if (!reader_expect(r, TOKEN_VALUE, "a parameter", &name) || !reader_expect_punct(r, ":"))
        return false;
    if (reader_accept_word(r, "scalar")) {
        p.kind = IR_PARAM_SCALAR;
        p.lo = INT64_MIN;
        if (!reader_expect(r, TOKEN_WORD, "a type", &word) ||
            !reader_find_elem(r, &word, &type.elem))
            return false;
    } else if (!reader_accept_word(r, "dim")) {
        return reader_unexpected(r, "'dim' or 'scalar'");
    }
    if (!attrs_read(r, &attrs) || !attrs_int(r, &attrs, "lo", &p.lo) ||
        !attrs_int(r, &attrs, "hi", &p.hi) || !attrs_int(r, &attrs, "multiple", &p.multiple) ||
        !attrs_int(r, &attrs, "expected", &p.expected) ||
        !attrs_all_taken(r, &attrs, "a parameter"))
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
    if (!reader_expect_punct(r, "["))
        return false;
    while (!reader_accept_punct(r, "]")) {
        if (t->rank == IR_MAX_RANK)
            return diag_error(r->session, t->at, DIAG_IR_SYNTAX, "tensor %s has too many dims",
                              t->name);
        if ((t->rank && !reader_expect_punct(r, ",")) ||
            !reader_expect(r, TOKEN_VALUE, "a dim", &promise->dims[t->rank]))
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
    if (!reader_expect(r, TOKEN_WORD, "a tensor", &name) || !reader_expect_punct(r, ":") ||
        !reader_expect(r, TOKEN_WORD, "read, mut or out", &word) ||
        !reader_find_word(r, &word, ir_access_names, "access", &access) ||
        !reader_expect(r, TOKEN_WORD, "a type", &word) || !reader_find_elem(r, &word, &t.elem))
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
    if (!read_dims(r, &t, &promise) || !attrs_read(r, &attrs) ||
        !attrs_int(r, &attrs, "align", &align))
        return false;
    t.align = align < 0 || align > UINT32_MAX ? 0 : (uint32_t)align;
    t.strided = attrs_flag(&attrs, "strided");
    t.packed = attrs_flag(&attrs, "packed");
    t.ready = attrs_flag(&attrs, "ready");
    vec_push(&r->session->module, &r->f->tensors, t);
    vec_push(&r->session->scratch, &r->tensors, promise);
    return attrs_all_taken(r, &attrs, "a tensor");
}

static bool read_range(struct reader *r, struct axis_promise *promise)
{
    return reader_expect(r, TOKEN_VALUE, "the lower end", &promise->lo) &&
           reader_expect_punct(r, "..") &&
           reader_expect(r, TOKEN_VALUE, "the upper end", &promise->hi);
}

static bool take_bound(struct reader *r, struct attr_items *attrs, struct axis_promise *promise)
{
    struct attr_item *item = attrs_take(attrs, "bound");
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
    if (!reader_expect(r, TOKEN_WORD, "an axis", &name) || !reader_expect_punct(r, ":") ||
        !reader_expect(r, TOKEN_WORD, "a kind of axis", &word) ||
        !reader_find_word(r, &word, ir_axis_kind_names, "kind of axis", &kind))
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
    if (is_part ? !reader_expect(r, TOKEN_WORD, "the parent axis", &word) ||
                      !reader_find_axis(r, &word, &axis.parent)
                : !read_range(r, &promise))
        return false;
    if (!attrs_read(r, &attrs) || !attrs_int(r, &attrs, "tile", &axis.tile) ||
        !take_bound(r, &attrs, &promise))
        return false;
    axis.full = attrs_flag(&attrs, "full");
    vec_push(&r->session->module, &r->f->axes, axis);
    vec_push(&r->session->scratch, &r->axes, promise);
    return attrs_all_taken(r, &attrs, "an axis");
}

static bool read_setting(struct reader *r)
{
    struct token name, value;
    struct ir_setting setting;
    if (!reader_expect(r, TOKEN_WORD, "a setting", &name) || !reader_expect_punct(r, "=") ||
        !reader_expect(r, TOKEN_NUMBER, "a number", &value) ||
        !reader_int(r, &value, &setting.value))
        return false;
    setting.name = name.text;
    vec_push(&r->session->module, &r->f->settings, setting);
    return true;
}

static bool read_section(struct reader *r, const char *name, bool (*read_line)(struct reader *))
{
    if (!reader_accept_word(r, name))
        return true;
    if (!reader_expect_punct(r, "{"))
        return false;
    while (!reader_accept_punct(r, "}"))
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
    if (!reader_accept_word(r, "kernel"))
        return reader_unexpected(r, "'kernel'");
    if (!reader_expect(r, TOKEN_WORD, "the kernel's name", &name))
        return false;
    r->f->name = name.text;
    r->f->at = name.at;
    r->f->exact = reader_accept_word(r, "exact");
    r->f->ordered = reader_accept_word(r, "ordered");
    if (!reader_expect_punct(r, "{") || !read_section(r, "params", read_param) ||
        !read_section(r, "tensors", read_tensor) || !read_section(r, "axes", read_axis) ||
        !read_section(r, "settings", read_setting))
        return false;
    if (!reader_accept_word(r, "body"))
        return reader_unexpected(r, "'body'");
    if (!reader_expect_punct(r, "{") || !read_block(r, r->f->body) || !reader_expect_punct(r, "}"))
        return false;
    return r->token.kind == TOKEN_END || reader_unexpected(r, "the end of the text");
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
    reader_advance(&r);
    if (!read_kernel(&r) || !keep_promises(&r) || !ir_check(r.f, &broken))
        return NULL;
    return r.f;
}
