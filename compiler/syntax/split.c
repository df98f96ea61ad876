/* Brackets and items: which bracket closes which, and where each item begins and ends.
 *
 * Both are found from the tokens alone, before the parser runs. An item begins at a word that only
 * items begin with (or at the attributes before it), outside all brackets or at the very left of a
 * line: so a missing brace costs one item, not the rest of the file. */
#include "syntax/internal.h"
#include "syntax/parser.h"

struct splitter {
    struct parse *p;
    item_ranges items;
    VEC(uint32_t) open; /* brackets not yet closed */
    bool in_item;       /* the last of items is not complete */
    bool wants_keyword; /* after attributes, or `extern` */
    uint32_t junk;      /* first token of a run that belongs to no item, or NO_PARTNER */
};

static int kind_at(const struct parse *p, uint32_t i)
{
    return i < p->tokens.count ? p->tokens.data[i].kind : END;
}

static bool is_item_word(int kind)
{
    return kind >= IMPORT && kind <= OP;
}

static bool at_left_edge(const struct parse *p, uint32_t i)
{
    uint32_t begin = p->tokens.data[i].begin;
    return begin == 0 || source_get(p->s, p->source)->text[begin - 1] == '\n';
}

/* Brackets. */

static void pair(struct splitter *sp, uint32_t opener, uint32_t closer)
{
    sp->p->tokens.data[opener].partner = closer;
    sp->p->tokens.data[closer].partner = opener;
}

/* A ')' or ']' pairs with the last bracket or not at all; a '}' pairs with the last '{', and round
 * and square brackets open inside it stay without a partner (the parser complains about them). */
static void close_bracket(struct splitter *sp, uint32_t closer, int wanted)
{
    uint32_t keep = sp->open.count;
    while (keep && kind_at(sp->p, sp->open.data[keep - 1]) != wanted) {
        if (wanted != '{')
            return;
        keep--;
    }
    if (!keep)
        return;
    pair(sp, sp->open.data[keep - 1], closer);
    sp->open.count = keep - 1;
}

static void match_bracket(struct splitter *sp, uint32_t i)
{
    switch (kind_at(sp->p, i)) {
    case '(':
    case '[':
    case '{': vec_push(sp->p->arena, &sp->open, i); break;
    case ')': close_bracket(sp, i, '('); break;
    case ']': close_bracket(sp, i, '['); break;
    case '}': close_bracket(sp, i, '{'); break;
    default: break;
    }
}

/* The column where the line of a token begins to have text. */
static uint32_t indentation(const struct parse *p, uint32_t i)
{
    const char *text = source_get(p->s, p->source)->text;
    uint32_t begin = p->tokens.data[i].begin, column = 0;
    while (begin > 0 && text[begin - 1] != '\n')
        begin--;
    while (text[begin + column] == ' ' || text[begin + column] == '\t')
        column++;
    return column;
}

/* Of an item with braces left open: the one to blame. A '}' further left than the line of the '{' it
 * pairs with was surely meant for another one. */
static void find_blame(struct splitter *sp, struct item_range *range)
{
    struct parse *p = sp->p;
    range->misleading = NO_PARTNER;
    for (uint32_t i = 0; i < sp->open.count; i++)
        if (kind_at(p, sp->open.data[i]) == '{') {
            range->unclosed++;
            range->blame = sp->open.data[i];
        }
    for (uint32_t i = range->first; range->unclosed && i < range->end; i++) {
        const struct token *t = &p->tokens.data[i];
        if (t->kind == '}' && t->partner != NO_PARTNER && starts_line(p, i) &&
            indentation(p, i) < indentation(p, t->partner)) {
            range->blame = t->partner;
            range->misleading = i;
            return;
        }
    }
}

/* Items. */

static void end_item(struct splitter *sp, uint32_t end)
{
    if (sp->in_item) {
        vec_last(&sp->items).end = end;
        find_blame(sp, &vec_last(&sp->items));
    }
    sp->open.count = 0;
    sp->in_item = sp->wants_keyword = false;
}

/* Text between items becomes a range of its own, without a keyword. */
static void end_junk(struct splitter *sp, uint32_t end)
{
    struct item_range range = {.first = sp->junk, .end = end, .keyword = NO_PARTNER};
    if (sp->junk != NO_PARTNER)
        vec_push(sp->p->arena, &sp->items, range);
    sp->junk = NO_PARTNER;
}

static void begin_item(struct splitter *sp, uint32_t i)
{
    end_junk(sp, i);
    end_item(sp, i);
    struct item_range range = {
        .first = i, .keyword = NO_PARTNER, .is_item = true, .misleading = NO_PARTNER};
    vec_push(sp->p->arena, &sp->items, range);
    sp->in_item = true;
}

/* What an item begins with: begins one, or continues the one whose attributes came before. */
static void take_item_word(struct splitter *sp, uint32_t i, int kind)
{
    if (!sp->in_item || !sp->wants_keyword)
        begin_item(sp, i);
    sp->wants_keyword = kind == '@' || kind == EXTERN;
    if (kind != '@' && vec_last(&sp->items).keyword == NO_PARTNER)
        vec_last(&sp->items).keyword = i;
}

/* Does an item end with this token, outside all brackets? A '}' ends it unless what follows shows
 * that it was part of the header: <T: {f16, bf16}, ...>, tune { }, bench { }; */
static bool ends_item(const struct splitter *sp, uint32_t i)
{
    const struct parse *p = sp->p;
    uint32_t keyword = vec_last(&sp->items).keyword;
    int item = keyword == NO_PARTNER ? END : kind_at(p, keyword);
    int next = kind_at(p, i + 1);
    bool has_clauses = item == KERNEL || item == OP;
    if (kind_at(p, i) == ';')
        return !has_clauses && item != END;
    if (kind_at(p, i) != '}')
        return false;
    return !(next == '>' || next == ',' ||
             (has_clauses && (next == ';' || next == '{' || token_is_word(next))));
}

item_ranges split_items(struct parse *p)
{
    struct splitter sp = {.p = p, .junk = NO_PARTNER};
    uint32_t count = p->tokens.count - 1; /* the last is the end of the file */
    for (uint32_t i = 0; i < count; i++) {
        int kind = kind_at(p, i);
        bool outside = !sp.open.count;
        if ((is_item_word(kind) || kind == '@') && (outside || at_left_edge(p, i)))
            take_item_word(&sp, i, kind);
        match_bracket(&sp, i);
        if (!sp.in_item && sp.junk == NO_PARTNER)
            sp.junk = i;
        if (sp.in_item && !sp.open.count && ends_item(&sp, i))
            end_item(&sp, i + 1);
    }
    end_junk(&sp, count);
    end_item(&sp, count);
    return sp.items;
}
