/* ldsl fmt: lays out the tokens of a source that parses.
 *
 * Lines begin where the structure says (statements, clauses, blocks, items), and where the author
 * broke inside one and that is a sensible place. Blocks the author wrote on one line stay on it if
 * they fit. Lines past 100 columns are broken at the outermost good place. Comments stay with what
 * they stood beside or above; comments at the ends of neighbouring lines are aligned. */
#include "syntax/internal.h"
#include "syntax/parser.h"

#define COLUMNS      100
#define STEP_COLUMNS 2
#define CONTINUATION 2 /* levels by which the rest of a broken line is indented further */
#define NO_TOKEN     UINT32_MAX

struct piece {
    uint32_t token;
    uint32_t cost;  /* of a line break before it; 0: none is possible */
    uint32_t level; /* of a line that begins with it after such a break */
    bool space;     /* before it */
};

typedef VEC(struct piece) pieces;

struct line {
    uint32_t indent; /* in levels */
    bool blank;      /* an empty line before it */
    pieces pieces;
    uint32_t comment; /* at its end, or alone when there are no pieces; NO_TOKEN: none */
};

struct layout {
    struct parse *p;
    struct arena *arena;
    tokens list; /* comments included; brackets and flags as the parser saw them */
    enum token_role *roles;
    VEC(struct line) lines;

    struct line line; /* being filled */
    bool line_open;
    uint32_t before;      /* the last token that was no comment */
    uint32_t base;        /* level of the statement, clause or item being laid out */
    uint32_t brackets;    /* open around the next token, within the statement */
    VEC(uint32_t) closes; /* level at which each open block's '}' stands */
    uint32_t flat_end;    /* up to this token everything stays on the line */
    bool *expanded;       /* by token: this '{' does not stay on the line */
    bool broken;          /* a comment ended the line: the next token begins one */

    int item;            /* KERNEL, OP, ... of the item being laid out; END: none */
    bool attributes;     /* before its keyword */
    bool header;         /* before its body */
    bool results;        /* past its -> */
    bool clauses;        /* the header has clauses */
    uint32_t first_line; /* of its header, among lines */
    bool after_body;     /* the item before ended with a body of several lines */
};

static const struct token *token_at(const struct layout *f, uint32_t i)
{
    return &f->list.data[i];
}

static int kind_at(const struct layout *f, uint32_t i)
{
    return i < f->list.count ? token_at(f, i)->kind : END;
}

static bool is_comment(const struct layout *f, uint32_t i)
{
    return kind_at(f, i) == COMMENT || kind_at(f, i) == DOC;
}

static bool is_block(const struct layout *f, uint32_t i, int brace)
{
    return kind_at(f, i) == brace && f->roles[i] == ROLE_BLOCK;
}

static uint32_t next_token(const struct layout *f, uint32_t i)
{
    do
        i++;
    while (is_comment(f, i));
    return i;
}

/* ---- widths --------------------------------------------------------------------------------- */

static const char *token_text(const struct layout *f, uint32_t i, uint32_t *bytes)
{
    const char *text = source_get(f->p->s, f->p->source)->text + token_at(f, i)->begin;
    *bytes = token_at(f, i)->end - token_at(f, i)->begin;
    while (is_comment(f, i) && *bytes && strchr(" \t\r\f", text[*bytes - 1]))
        --*bytes;
    return text;
}

/* In characters, not bytes. */
static uint32_t token_width(const struct layout *f, uint32_t i)
{
    uint32_t bytes, width = 0;
    const char *text = token_text(f, i, &bytes);
    for (uint32_t k = 0; k < bytes; k++)
        width += ((unsigned char)text[k] & 0xc0) != 0x80;
    return width;
}

/* Of a line's pieces; those past a limit are not looked at. */
static uint32_t pieces_width(const struct layout *f, const struct line *line, uint32_t limit)
{
    uint32_t width = line->indent * STEP_COLUMNS;
    for (uint32_t i = 0; i < line->pieces.count && width <= limit; i++) {
        const struct piece *piece = &line->pieces.data[i];
        width += (i && piece->space) + token_width(f, piece->token);
    }
    return width;
}

static uint32_t line_width(const struct layout *f, const struct line *line)
{
    return pieces_width(f, line, UINT32_MAX);
}

static bool is_long(const struct layout *f, const struct line *line)
{
    return pieces_width(f, line, COLUMNS) > COLUMNS;
}

/* Of the tokens after `before` up to `last`, on one line. */
static uint32_t flat_width(const struct layout *f, uint32_t before, uint32_t last)
{
    uint32_t width = 0;
    for (uint32_t i = before; i < last; i++)
        width += space_between(&f->list, f->roles, i, i + 1) + token_width(f, i + 1);
    return width;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* Where to break a line that is too long: the cheapest place within the columns, the last of those;
 * else the first place past them. 0: nowhere. */
static uint32_t best_break(const struct layout *f, const struct line *line)
{
    uint32_t best = 0, width = line->indent * STEP_COLUMNS;
    for (uint32_t i = 0; i < line->pieces.count; i++) {
        const struct piece *piece = &line->pieces.data[i];
        bool fits = width <= COLUMNS;
        if (!fits && best)
            break;
        if (i && piece->cost && (!best || piece->cost <= line->pieces.data[best].cost))
            best = i;
        width += (i && piece->space) + token_width(f, piece->token);
    }
    return best;
}

static bool begins_results(const struct layout *f, uint32_t token)
{
    return f->header && f->item != FN && kind_at(f, token) == ARROW;
}

/* The lines of an enum's or struct's list, when it has lines of its own. */
static bool is_plain_list(const struct layout *f)
{
    return (f->item == ENUM || f->item == STRUCT) && f->brackets == 1;
}

/* The level of a line broken off before a token: the results of an operator stand like its clauses,
 * and their rest further right. */
static uint32_t broken_level(const struct layout *f, uint32_t token)
{
    if (begins_results(f, token) || is_plain_list(f))
        return f->base + 1;
    return f->base + CONTINUATION + f->results;
}

/* Puts down the front of a line that is too long, as often as it takes; what is left stays open. */
static void split_long_line(struct layout *f)
{
    while (is_long(f, &f->line)) {
        uint32_t at = best_break(f, &f->line);
        if (!at)
            break;
        struct line head = f->line;
        head.pieces.count = at;
        head.comment = NO_TOKEN;
        vec_push(f->arena, &f->lines, head);
        f->line.pieces.data += at;
        f->line.pieces.count -= at;
        f->line.pieces.capacity = f->line.pieces.count;
        f->line.indent = f->line.pieces.data[0].level;
        f->line.blank = false;
    }
}

static void finish_line(struct layout *f)
{
    if (!f->line_open)
        return;
    split_long_line(f);
    f->line_open = false;
    vec_push(f->arena, &f->lines, f->line);
}

static void begin_line(struct layout *f, uint32_t indent, bool blank)
{
    finish_line(f);
    f->line = (struct line){.indent = indent, .comment = NO_TOKEN};
    f->line.blank = (blank || f->after_body) && f->lines.count;
    f->line_open = true;
    f->after_body = f->broken = false;
}

static bool is_opener(const struct layout *f, uint32_t i)
{
    int kind = kind_at(f, i);
    return kind == '(' || kind == '[' || (kind == '{' && f->roles[i] != ROLE_BLOCK) ||
           (kind == '<' && f->roles[i] == ROLE_ANGLE);
}

static bool is_closer(const struct layout *f, uint32_t i)
{
    int kind = kind_at(f, i);
    return kind == ')' || kind == ']' || (kind == '}' && f->roles[i] != ROLE_BLOCK) ||
           (kind == '>' && f->roles[i] == ROLE_ANGLE);
}

/* The cost of a break before a token: deeper in brackets is dearer. In a header, the parameters go
 * to lines of their own first. */
static uint32_t place_cost(const struct layout *f, uint32_t token)
{
    uint32_t cost = break_cost(&f->list, f->roles, f->before, token);
    uint32_t outside = f->brackets - (f->brackets && is_opener(f, f->before));
    if (f->header && outside == 0 && kind_at(f, f->before) == '(')
        return 2;
    return cost ? cost + 10 * outside : 0;
}

static void add_token(struct layout *f, uint32_t token)
{
    struct piece piece = {.token = token, .level = broken_level(f, token)};
    if (f->line.pieces.count) {
        piece.space = space_between(&f->list, f->roles, f->before, token);
        piece.cost = token <= f->flat_end && f->flat_end ? 0 : place_cost(f, token);
    }
    vec_push(f->arena, &f->line.pieces, piece);
    f->results = f->results || begins_results(f, token);
}

/* ---- blocks on one line --------------------------------------------------------------------- */

static bool written_on_one_line(const struct layout *f, uint32_t opener)
{
    uint32_t closer = token_at(f, opener)->partner;
    for (uint32_t i = opener + 1; i <= closer; i++)
        if ((token_at(f, i)->newlines && closer > opener + 1) || is_comment(f, i))
            return false;
    return true;
}

/* The '{' of the else after a block, or NO_TOKEN. */
static uint32_t else_block(const struct layout *f, uint32_t opener)
{
    uint32_t i = token_at(f, opener)->partner + 1;
    if (kind_at(f, i) != ELSE)
        return NO_TOKEN;
    while (!is_block(f, i, '{'))
        i++;
    return i;
}

/* Decides for a block, and those of its else parts, whether they stay on the line. All or none. */
static bool stays_on_line(struct layout *f, uint32_t opener)
{
    uint32_t closer = token_at(f, opener)->partner;
    if (f->expanded[opener])
        return false;
    bool flat = true;
    uint32_t last = opener;
    for (uint32_t i = opener; i != NO_TOKEN; i = else_block(f, i)) {
        flat = flat && written_on_one_line(f, i);
        last = i;
    }
    last = token_at(f, last)->partner;
    last += kind_at(f, last + 1) == ';';
    for (uint32_t i = closer + 1; i <= last; i++)
        flat = flat && !is_comment(f, i);
    flat = flat && line_width(f, &f->line) + flat_width(f, f->before, last) <= COLUMNS;
    if (flat) {
        f->flat_end = last;
        return true;
    }
    for (uint32_t i = opener; i != NO_TOKEN; i = else_block(f, i))
        f->expanded[i] = true;
    return closer == opener + 1;
}

/* ---- structure ------------------------------------------------------------------------------ */

static bool is_item_word(int kind)
{
    return kind >= IMPORT && kind <= OP;
}

static bool begins_clause(const struct layout *f, uint32_t i)
{
    static const int words[] = {REQUIRE, SPECIALIZE, META,   TUNE,  KEY,
                                GRAD,    REF,        SAMPLE, BENCH, END};
    if (!f->header || f->brackets || token_at(f, i)->is_name)
        return false;
    for (const int *word = words; *word; word++)
        if (*word == kind_at(f, i))
            return true;
    return false;
}

static bool in_tune(const struct layout *f)
{
    return f->header && f->closes.count;
}

static bool is_body(const struct layout *f, uint32_t i)
{
    return f->header && !in_tune(f) && is_block(f, i, '{') && kind_at(f, f->before) != TUNE;
}

/* After a header with clauses or of several lines, the body's '{' stands alone. */
static bool body_stands_alone(const struct layout *f)
{
    return f->clauses || f->broken || f->lines.count > f->first_line ||
           line_width(f, &f->line) + 2 > COLUMNS;
}

/* Entries of tune may share a line, as the author likes. */
static bool shares_line(const struct layout *f, uint32_t i)
{
    if (!in_tune(f) || token_at(f, i)->newlines)
        return false;
    uint32_t last = i;
    while (kind_at(f, last) != ';' && last + 1 < f->list.count)
        last++;
    return line_width(f, &f->line) + flat_width(f, f->before, last) <= COLUMNS;
}

static bool ends_plain_item(const struct layout *f, uint32_t i)
{
    return kind_at(f, i) == '}' && (f->item == ENUM || f->item == STRUCT);
}

/* Does the structure begin a line with token i (after f->before)? */
static bool begins_structure(struct layout *f, uint32_t i)
{
    uint32_t before = f->before;
    if (before == NO_TOKEN)
        return true;
    if (is_block(f, before, '{') || is_block(f, i, '}'))
        return token_at(f, i)->partner != before;
    if (is_body(f, i))
        return body_stands_alone(f);
    if (kind_at(f, before) == ';')
        return !shares_line(f, i);
    if (is_block(f, before, '}'))
        return kind_at(f, i) != ELSE && kind_at(f, i) != ';';
    if (f->attributes && (is_item_word(kind_at(f, i)) && kind_at(f, before) != EXTERN))
        return true;
    return (f->item == END && !f->attributes) || begins_clause(f, i);
}

/* The level of a line that the structure begins with token i. */
static uint32_t structure_level(const struct layout *f, uint32_t i)
{
    if (is_block(f, i, '}'))
        return f->closes.count ? vec_last(&f->closes) : 0;
    if (f->closes.count)
        return vec_last(&f->closes) + 1;
    return begins_clause(f, i) ? 1 : 0;
}

static bool breaks_plain_list(const struct layout *f, uint32_t i)
{
    if (!is_plain_list(f) || kind_at(f, i) != '}')
        return false;
    return token_at(f, token_at(f, i)->partner + 1)->newlines > 0;
}

/* Starts a new line for token i if it must. */
static void place_token(struct layout *f, uint32_t i)
{
    bool blank = token_at(f, i)->newlines > 1;
    if (f->flat_end && i <= f->flat_end)
        return;
    f->flat_end = 0;
    if (begins_structure(f, i)) {
        bool after_opener = f->before != NO_TOKEN && is_block(f, f->before, '{');
        f->base = structure_level(f, i);
        f->brackets = 0;
        begin_line(f, f->base, blank && !after_opener && !is_block(f, i, '}') && !is_body(f, i));
        return;
    }
    if (breaks_plain_list(f, i)) {
        begin_line(f, f->base, false);
        return;
    }
    if (!f->broken) {
        if (!token_at(f, i)->newlines || !may_break(&f->list, f->roles, f->before, i))
            return;
        uint32_t count = f->lines.count;
        split_long_line(f);
        if (f->lines.count > count) /* the author's break would leave a short line */
            return;
    }
    if (kind_at(f, i) == ELSE || is_block(f, i, '{'))
        begin_line(f, f->base, false);
    else
        begin_line(f, broken_level(f, i), false);
}

/* ---- tokens --------------------------------------------------------------------------------- */

static void enter_item(struct layout *f, uint32_t i)
{
    int kind = kind_at(f, i);
    bool begins = kind == '@' ? !f->attributes && !f->header : is_item_word(kind);
    if (!begins || f->closes.count || (f->header && f->item != END && !f->attributes))
        return;
    if (!f->attributes)
        f->first_line = f->lines.count;
    f->attributes = kind == '@' || kind == EXTERN;
    if (f->item != EXTERN || kind != OP)
        f->item = kind == '@' ? END : kind;
    f->header = kind == KERNEL || kind == OP || kind == FN;
    f->clauses = f->results = false;
    if (!f->attributes)
        f->first_line = f->lines.count;
}

static void open_block(struct layout *f)
{
    f->header = f->header && (in_tune(f) || kind_at(f, f->before) == TUNE);
    vec_push(f->arena, &f->closes, f->base);
}

static void close_block(struct layout *f)
{
    uint32_t level = f->closes.data[--f->closes.count];
    f->base = level;
    if (!f->closes.count && !f->header) {
        f->after_body = !f->flat_end;
        f->item = END;
    }
}

static void take_token(struct layout *f, uint32_t i)
{
    bool body = is_body(f, i);
    place_token(f, i);
    enter_item(f, i);
    f->clauses = f->clauses || begins_clause(f, i);
    f->results = f->results && f->header && !f->clauses;
    if (is_block(f, i, '{') && !f->flat_end && !(body && f->line.pieces.count == 0))
        stays_on_line(f, i);
    add_token(f, i);
    if (is_block(f, i, '{'))
        open_block(f);
    else if (is_block(f, i, '}'))
        close_block(f);
    else if (is_opener(f, i))
        f->brackets++;
    else if (is_closer(f, i))
        f->brackets -= f->brackets > 0;
    if (!f->brackets && (ends_plain_item(f, i) || kind_at(f, i) == ';') && !f->closes.count &&
        f->item != KERNEL && f->item != OP) {
        f->item = END;
        f->header = false;
    }
    f->before = i;
}

/* A comment on a line of its own stands where the token after it will. */
static uint32_t comment_level(struct layout *f, uint32_t i)
{
    uint32_t next = next_token(f, i);
    if (kind_at(f, next) == END)
        return 0;
    if (is_block(f, next, '}'))
        return structure_level(f, next) + 1;
    if (is_body(f, next))
        return 1;
    if (begins_structure(f, next))
        return structure_level(f, next);
    return broken_level(f, next);
}

static void take_comment(struct layout *f, uint32_t i)
{
    if (f->line_open && !f->broken && !token_at(f, i)->newlines) {
        f->line.comment = i;
        f->broken = true;
        return;
    }
    bool after_opener = f->before != NO_TOKEN && is_block(f, f->before, '{') && f->line_open &&
                        f->line.pieces.count;
    begin_line(f, comment_level(f, i), token_at(f, i)->newlines > 1 && !after_opener);
    f->line.comment = i;
    f->broken = true;
}

/* ---- text ----------------------------------------------------------------------------------- */

typedef VEC(char) text_buffer;

static void put_blanks(struct layout *f, text_buffer *out, uint32_t count)
{
    while (count--)
        vec_push(f->arena, out, ' ');
}

static void put_token(struct layout *f, text_buffer *out, uint32_t token)
{
    uint32_t bytes;
    const char *text = token_text(f, token, &bytes);
    for (uint32_t i = 0; i < bytes; i++)
        vec_push(f->arena, out, text[i]);
}

static bool has_end_comment(const struct layout *f, uint32_t i)
{
    const struct line *line = &f->lines.data[i];
    return line->pieces.count && line->comment != NO_TOKEN;
}

/* The column of the comments of a run of neighbouring lines; 0: two blanks after each line, as a
 * common column would push one past the limit. */
static uint32_t comment_column(const struct layout *f, uint32_t first, uint32_t *end)
{
    uint32_t column = 0, widest = 0, i = first;
    for (; i < f->lines.count && has_end_comment(f, i) && (i == first || !f->lines.data[i].blank);
         i++) {
        uint32_t width = line_width(f, &f->lines.data[i]) + 2;
        uint32_t comment = token_width(f, f->lines.data[i].comment);
        column = width > column ? width : column;
        widest = comment > widest ? comment : widest;
    }
    *end = i;
    return column + widest <= COLUMNS ? column : 0;
}

static void put_line(struct layout *f, text_buffer *out, const struct line *line, uint32_t column)
{
    if (line->blank)
        vec_push(f->arena, out, '\n');
    put_blanks(f, out, line->indent * STEP_COLUMNS);
    for (uint32_t i = 0; i < line->pieces.count; i++) {
        put_blanks(f, out, i && line->pieces.data[i].space);
        put_token(f, out, line->pieces.data[i].token);
    }
    if (line->comment != NO_TOKEN) {
        uint32_t width = line_width(f, line);
        if (line->pieces.count)
            put_blanks(f, out, column > width ? column - width : 2);
        put_token(f, out, line->comment);
    }
    vec_push(f->arena, out, '\n');
}

static const char *lines_text(struct layout *f)
{
    text_buffer out = {0};
    uint32_t column = 0, end = 0;
    for (uint32_t i = 0; i < f->lines.count; i++) {
        if (i >= end)
            column = comment_column(f, i, &end);
        put_line(f, &out, &f->lines.data[i], column);
    }
    vec_push(f->arena, &out, '\0');
    return out.data;
}

/* All tokens with what the parser found out about them. */
static tokens annotated_tokens(const struct parse *p)
{
    tokens list = p->raw;
    for (uint32_t i = 0; i < p->tokens.count; i++) {
        const struct token *t = &p->tokens.data[i];
        struct token *to = &list.data[t->raw];
        to->is_name = t->is_name;
        to->opens_block = t->opens_block;
        to->partner = t->partner == NO_PARTNER ? NO_PARTNER : p->tokens.data[t->partner].raw;
    }
    return list;
}

const char *syntax_format(struct session *s, uint32_t source)
{
    struct parse p = {.s = s, .arena = &s->module, .source = source};
    uint32_t errors = s->errors;
    parse_source(&p);
    if (s->errors > errors)
        return NULL;
    struct layout f = {.p = &p, .arena = p.arena, .list = annotated_tokens(&p), .item = END};
    f.before = NO_TOKEN;
    f.roles = token_roles(f.arena, &f.list);
    f.expanded = arena_array(f.arena, bool, f.list.count);
    for (uint32_t i = 0; kind_at(&f, i) != END; i++) {
        if (is_comment(&f, i))
            take_comment(&f, i);
        else
            take_token(&f, i);
    }
    finish_line(&f);
    return lines_text(&f);
}
