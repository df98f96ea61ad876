/* From a source to its tree: lex, split into items, parse each. */
#include "syntax/internal.h"
#include "syntax/parser.h"

struct span token_span(const struct parse *p, uint32_t index)
{
    const struct token *t = &p->tokens.data[index];
    return (struct span){p->source, t->begin, t->end};
}

bool starts_line(const struct parse *p, uint32_t index)
{
    return p->tokens.data[index].newlines > 0;
}

bool too_many_errors(const struct parse *p)
{
    return p->s->errors >= MAX_SYNTAX_ERRORS;
}

void *parse_alloc(struct parse *p, size_t bytes)
{
    return p ? arena_alloc(p->arena, bytes) : NULL;
}

/* The parser's view of the tokens: no comments, line breaks counted across them. */
static void drop_comments(struct parse *p)
{
    uint8_t newlines = 1; /* the first token starts a line */
    for (uint32_t i = 0; i < p->raw.count; i++) {
        struct token t = p->raw.data[i];
        newlines = newlines > t.newlines ? newlines : t.newlines;
        if (t.kind == COMMENT || t.kind == DOC)
            continue;
        t.raw = i;
        t.newlines = newlines;
        newlines = 0;
        vec_push(p->arena, &p->tokens, t);
    }
}

/* Handing out tokens. */

/* Past the item's tokens: first the braces it forgot to close, then the end. */
static struct token closing_token(struct parse *p)
{
    const struct token *last = &p->tokens.data[p->range.end - 1];
    bool brace = p->next - p->range.end < p->range.unclosed;
    p->next++;
    return (struct token){.kind = brace ? '}' : END, .begin = last->end, .end = last->end};
}

struct token parse_next_token(struct parse *p)
{
    if (p->sync_kind) {
        struct token sync = p->tokens.data[p->sync_to - 1];
        sync.kind = p->sync_kind;
        sync.begin = sync.end;
        p->sync_kind = 0;
        p->next = p->sync_to;
        return sync;
    }
    if (p->next >= p->range.end)
        return closing_token(p);
    struct token t = p->tokens.data[p->next++];
    if (t.kind == BAD)
        recover_silently(p);
    return t;
}

void parse_mark_name(struct parse *p, struct span at)
{
    uint32_t low = p->range.first, high = p->range.end;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (p->tokens.data[mid].begin <= at.begin)
            low = mid;
        else
            high = mid;
    }
    p->tokens.data[low].is_name = true;
}

bool parse_enter(struct parse *p)
{
    if (++p->depth <= AST_MAX_BLOCK_DEPTH)
        return true;
    recover_too_deep(p, token_span(p, p->next - 1));
    return false;
}

bool parse_open_block(struct parse *p)
{
    p->tokens.data[p->next - 1].opens_block = true;
    return parse_enter(p);
}

/* Items. */

static enum item_kind item_kind_of(int keyword)
{
    switch (keyword) {
    case IMPORT: return ITEM_IMPORT;
    case CONST: return ITEM_CONST;
    case ENUM: return ITEM_ENUM;
    case STRUCT: return ITEM_STRUCT;
    case FN: return ITEM_FN;
    case KERNEL: return ITEM_KERNEL;
    case EXTERN: return ITEM_EXTERN_OP;
    default: return ITEM_OP;
    }
}

/* The /// lines right above a token, without their slashes and one blank. */
static const char *doc_above(const struct parse *p, uint32_t index)
{
    const char *text = source_get(p->s, p->source)->text;
    uint32_t last = p->tokens.data[index].raw, first = last;
    while (first > 0 && p->raw.data[first - 1].kind == DOC && p->raw.data[first].newlines < 2)
        first--;
    VEC(char) doc = {0};
    for (uint32_t i = first; i < last; i++) {
        uint32_t at = p->raw.data[i].begin + 3, end = p->raw.data[i].end;
        at += at < end && text[at] == ' ';
        end -= end > at && text[end - 1] == '\r';
        for (; at < end; at++)
            vec_push(p->arena, &doc, text[at]);
        vec_push(p->arena, &doc, i + 1 < last ? '\n' : '\0');
    }
    return doc.data;
}

static void report_unclosed(struct parse *p)
{
    const struct item_range *range = &p->range;
    diag_error(p->s, token_span(p, range->blame), DIAG_UNBALANCED, "this '{' is never closed");
    if (range->misleading != NO_PARTNER)
        diag_note(p->s, token_span(p, range->misleading),
                  "by count this '}' closes it, by its place it closes an outer one");
}

/* The item's tree, or NULL if its signature did not parse. */
static struct item *parse_item(struct parse *p, struct item_range range)
{
    p->range = range;
    p->next = range.first;
    p->depth = 0;
    p->group = NULL;
    p->in_clauses = p->no_item = p->said_too_deep = false;
    p->last_error = NO_PARTNER;
    p->errors_before = p->s->errors;
    p->sync_kind = 0;
    p->item = arena_new(p->arena, struct item);
    p->item->doc = doc_above(p, range.first);
    if (range.keyword != NO_PARTNER)
        p->item->kind = item_kind_of(p->tokens.data[range.keyword].kind);
    bool parsed = syntax_yyparse(p) == 0;
    if (range.unclosed && p->s->errors == p->errors_before)
        report_unclosed(p);
    return parsed && !p->no_item ? p->item : NULL;
}

static bool has_wrong_token(const struct parse *p, struct item_range range)
{
    uint32_t i = range.first;
    while (i < range.end && !p->tokens.data[i].wrong)
        i++;
    return i < range.end;
}

struct ast_file *parse_source(struct parse *p)
{
    struct ast_file *file = arena_new(p->arena, struct ast_file);
    uint32_t before = p->s->errors;
    file->source = p->source;
    p->raw = lex_source(p->s, p->source);
    drop_comments(p);
    item_ranges ranges = split_items(p);
    parsed_items items = {0};
    struct damage damage = {0};
    for (uint32_t i = 0; i < ranges.count && !too_many_errors(p); i++) {
        if (!ranges.data[i].is_item) {
            recover_junk(p, ranges.data[i]);
            damage_range(&damage, p, ranges.data[i]);
            continue;
        }
        struct item *item = parse_item(p, ranges.data[i]);
        struct parsed_item parsed = {ranges.data[i], item, p->s->errors != p->errors_before};
        parsed.damaged |= has_wrong_token(p, ranges.data[i]);
        vec_push(p->arena, &items, parsed);
        if (item)
            vec_push(p->arena, &file->items, item);
    }
    file->cut = too_many_errors(p);
    if (p->s->errors != before)
        damage_spread(&damage, p, file, &items);
    return file;
}

struct ast_file *syntax_parse(struct session *s, uint32_t source)
{
    struct parse p = {.s = s, .arena = &s->module, .source = source};
    return parse_source(&p);
}
