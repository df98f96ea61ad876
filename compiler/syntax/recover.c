/* Syntax errors: what to say, and where to go on.
 *
 * What is expected comes from bison as the exact set of tokens; it is told as a few nouns ("an
 * expression", "';'"). Where to go on is decided from the bracket pairs of split.c: after the
 * statement or clause, at the brace that closes the block, at the body of the item, or after the
 * item. The parser is then handed one SYNC token and the tokens from there. */
#include "syntax/internal.h"
#include "syntax/parser.h"

#define TOKEN_KINDS 400 /* more than any token's number */
#define MAX_NOUNS   5   /* more alternatives than these help nobody */

static int kind_at(const struct parse *p, uint32_t i)
{
    return p->tokens.data[i].kind;
}

/* The '{' of the innermost block around a token, among those the parser has opened. */
static uint32_t enclosing_block(const struct parse *p, uint32_t index)
{
    for (uint32_t i = index; i-- > p->range.first;) {
        const struct token *t = &p->tokens.data[i];
        if (t->kind == '{' && t->opens_block && (t->partner == NO_PARTNER || t->partner >= index))
            return i;
        if (t->kind == '}' && t->partner != NO_PARTNER)
            i = t->partner;
    }
    return NO_PARTNER;
}

static uint32_t outermost_block(const struct parse *p, uint32_t index)
{
    uint32_t block = enclosing_block(p, index), outer = block;
    while (outer != NO_PARTNER) {
        block = outer;
        outer = enclosing_block(p, block);
    }
    return block;
}

/* ---- what is wrong -------------------------------------------------------------------------- */

static bool is_literal_kind(int kind)
{
    return kind == INT || kind == FLOAT || kind == STRING || kind == NAME;
}

const char *token_describe(const struct parse *p, uint32_t index)
{
    const struct token *t = &p->tokens.data[index];
    if (t->kind == END)
        return "the end of the file";
    if (t->kind == STRING)
        return "a string";
    const char *text = source_get(p->s, p->source)->text + t->begin;
    uint32_t length = t->end - t->begin;
    const char *dots = length > 40 ? "..." : "";
    return arena_printf(p->arena, "'%.*s%s'", (int)(*dots ? 37 : length), text, dots);
}

/* A set of tokens, told as nouns. */
struct wanted {
    struct parse *p;
    bool kinds[TOKEN_KINDS];
    const char *nouns[MAX_NOUNS];
    uint32_t count; /* of nouns; may go past MAX_NOUNS */
};

static void add_noun(struct wanted *w, const char *noun)
{
    if (w->count < MAX_NOUNS)
        w->nouns[w->count] = noun;
    w->count++;
}

static void drop_kinds(struct wanted *w, const int *kinds)
{
    for (; *kinds; kinds++)
        w->kinds[*kinds] = false;
}

static void drop_names(struct wanted *w)
{
    for (int kind = 0; kind < TOKEN_KINDS; kind++)
        if (kind == NAME || token_is_word(kind))
            w->kinds[kind] = false;
}

/* Sets named by one member that nothing else contains, in the order they are looked for: a set that
 * includes others (a statement may be an expression) comes first. */
static const int statement_starts[] = {LET,    VAR,    AXIS,          SWEEP,    FOR,
                                       WHILE,  IF,     BREAK,         CONTINUE, RETURN,
                                       ASSERT, ASSUME, STATIC_ASSERT, '{',      0};
static const int expression_starts[] = {INT, FLOAT, STRING, TRUE_, FALSE_, HAS,
                                        '(', '-',   '!',    '~',   0};
static const int type_starts[] = {TENSOR, TILE, PTR, 0};
static const int item_starts[] = {IMPORT, EXTERN, CONST, ENUM, STRUCT, FN, KERNEL, OP, '@', 0};
static const int operators[] = {'+', '-', '*', '/',     '%',     SHL,     SHR,     '<',  '>', LE,
                                GE,  EQ,  NE,  '&',     '|',     '^',     ANDAND,  OROR, '?', '[',
                                '.', '(', '=', ADD_SET, SUB_SET, MUL_SET, DIV_SET, OVER, 0};
static const int clause_starts[] = {REQUIRE, SPECIALIZE, META,   TUNE,  KEY,
                                    GRAD,    REF,        SAMPLE, BENCH, 0};

/* What an expression or a name is called after a certain token. */
static const struct {
    int after;
    const char *expression, *name;
} callings[] = {
    {KERNEL,  NULL,                 "a name for the kernel"  },
    {OP,      NULL,                 "a name for the operator"},
    {FN,      NULL,                 "a name for the function"},
    {ENUM,    NULL,                 "a name for the enum"    },
    {STRUCT,  NULL,                 "a name for the struct"  },
    {AXIS,    NULL,                 "a name for the axis"    },
    {PARTS,   NULL,                 "a name for the parts"   },
    {SWEEP,   NULL,                 "the name of an axis"    },
    {OVER,    NULL,                 "the name of an axis"    },
    {TO,      NULL,                 "the name of the parts"  },
    {TILE,    "a tile size",        NULL                     },
    {STEP,    "a step",             NULL                     },
    {BOUND,   "a bound",            NULL                     },
    {DOTDOT,  "the end of a range", NULL                     },
    {IF,      "a condition",        NULL                     },
    {WHILE,   "a condition",        NULL                     },
    {WHERE,   "a condition",        NULL                     },
    {REQUIRE, "a condition",        NULL                     },
};

static int kind_before(const struct parse *p, uint32_t index, uint32_t distance)
{
    return index >= p->range.first + distance ? kind_at(p, index - distance) : END;
}

static bool begins_element(const struct parse *p, uint32_t index)
{
    int word = kind_before(p, index, 2);
    return kind_before(p, index, 1) == '<' && (word == TENSOR || word == TILE || word == PTR);
}

static const char *calling(const struct parse *p, uint32_t index, bool expression)
{
    int before = kind_before(p, index, 1);
    if (!expression && begins_element(p, index))
        return "an element type";
    for (size_t i = 0; i < sizeof callings / sizeof *callings; i++) {
        const char *noun = expression ? callings[i].expression : callings[i].name;
        if (callings[i].after == before && noun)
            return noun;
    }
    return expression ? "an expression" : "a name";
}

static const char *quoted(struct parse *p, int kind)
{
    if (kind < 256)
        return arena_printf(p->arena, "'%c'", kind);
    return is_literal_kind(kind) ? token_spelling(kind)
                                 : arena_printf(p->arena, "'%s'", token_spelling(kind));
}

static void name_sets(struct wanted *w, uint32_t index)
{
    bool *kinds = w->kinds;
    if (kinds[LET]) {
        add_noun(w, "a statement");
        drop_kinds(w, statement_starts);
        drop_kinds(w, expression_starts);
        drop_names(w);
    }
    if (kinds[INT] && kinds['(']) {
        add_noun(w, calling(w->p, index, true));
        drop_kinds(w, expression_starts);
        drop_names(w);
        if (token_is_word(kind_before(w->p, index, 1)))
            kinds[IN] = false; /* `where in {..}` names a value; rarely what was meant */
    }
    if (kinds[TENSOR] && kinds[NAME]) {
        add_noun(w, "a type");
        drop_kinds(w, type_starts);
        drop_names(w);
    }
    if (kinds[NAME]) {
        add_noun(w, calling(w->p, index, false));
        drop_names(w);
    }
    if (kinds[KERNEL] && kinds[STRUCT]) {
        add_noun(w, "an item (kernel, op, fn, ...)");
        drop_kinds(w, item_starts);
    }
    if (kinds[REQUIRE]) {
        add_noun(w, "a clause");
        drop_kinds(w, clause_starts);
    }
    if (kinds['+'] && kinds['*'])
        drop_kinds(w, operators);
}

/* "an expression, ',' or ')'" */
static const char *wanted_text(struct wanted *w, uint32_t index)
{
    name_sets(w, index);
    for (int kind = 1; kind < TOKEN_KINDS; kind++)
        if (w->kinds[kind] && kind != END && kind != SYNTAX_YYUNDEF)
            add_noun(w, quoted(w->p, kind));
    if (!w->count || w->count > MAX_NOUNS)
        return NULL;
    const char *text = w->nouns[0];
    for (uint32_t i = 1; i < w->count; i++)
        text = arena_printf(w->p->arena, "%s%s%s", text, i + 1 < w->count ? ", " : " or ",
                            w->nouns[i]);
    return text;
}

/* The innermost round or square bracket around a token that has no partner. */
static uint32_t unclosed_bracket(const struct parse *p, uint32_t index)
{
    for (uint32_t i = index; i-- > p->range.first;) {
        const struct token *t = &p->tokens.data[i];
        bool opener = t->kind == '(' || t->kind == '[' || t->kind == '{';
        if (opener && t->partner == NO_PARTNER)
            return t->kind == '{' ? NO_PARTNER : i;
        if (!opener && t->partner != NO_PARTNER)
            i = t->partner;
    }
    return NO_PARTNER;
}

/* Habits from other languages, and near misses of a statement's first word. */
static void suggest(struct parse *p, uint32_t index, const struct wanted *w)
{
    static const struct {
        const char *word, *meant;
    } habits[] = {
        {"and",  "&&"     },
        {"or",   "||"     },
        {"not",  "!"      },
        {"elif", "else if"}
    };
    static const char *const words[] = {"let",    "var",     "axis",     "grid",  "sweep",
                                        "for",    "while",   "if",       "else",  "break",
                                        "launch", "scratch", "continue", "return"};
    if (kind_at(p, index) == '=' && w->kinds[EQ])
        diag_help(p->s, "equality is written ==");
    if (kind_at(p, index) == ';' && w->kinds[TILE])
        diag_help(p->s,
                  "an axis is covered by tiles: say `tile 256`, or `tile fit(N)` for all of it");
    for (uint32_t i = index > p->range.first ? index - 1 : index; i <= index; i++) {
        const char *text = kind_at(p, i) == NAME ? p->tokens.data[i].text : "";
        for (size_t k = 0; k < sizeof habits / sizeof *habits; k++)
            if (strcmp(text, habits[k].word) == 0) {
                diag_help(p->s, "'%s' is written %s", text, habits[k].meant);
                return;
            }
    }
    if (index < p->range.first + 2 || kind_at(p, index - 1) != NAME || !w->kinds[';'])
        return;
    int before = kind_at(p, index - 2);
    const char *near =
        before == ';' || before == '{' || before == '}'
            ? nearest_name(p->tokens.data[index - 1].text, words, sizeof words / sizeof *words)
            : NULL;
    if (near)
        diag_help(p->s, "did you mean '%s'?", near);
}

static void report_missing_semicolon(struct parse *p, uint32_t index)
{
    uint32_t end = p->tokens.data[index - 1].end, block = outermost_block(p, index);
    bool in_body = block != NO_PARTNER && kind_at(p, block - 1) != TUNE;
    diag_error(p->s, (struct span){p->source, end, end}, DIAG_MISSING_SEMICOLON,
               "missing ';' after this %s",
               in_body         ? "statement"
               : p->in_clauses ? "clause"
                               : "declaration");
}

static void report_unexpected(struct parse *p, uint32_t index, struct wanted *w)
{
    struct wanted full = *w;
    int kind = kind_at(p, index);
    if (w->kinds[NAME] && !w->kinds[INT] && !w->kinds[TENSOR] && token_is_keyword(kind) &&
        !begins_element(p, index)) {
        diag_error(p->s, token_span(p, index), DIAG_KEYWORD_AS_NAME,
                   "%s is a keyword and cannot be a name", token_describe(p, index));
        return;
    }
    const char *text = wanted_text(w, index);
    if (text)
        diag_error(p->s, token_span(p, index), DIAG_SYNTAX, "expected %s, found %s", text,
                   token_describe(p, index));
    else
        diag_error(p->s, token_span(p, index), DIAG_SYNTAX, "unexpected %s",
                   token_describe(p, index));
    suggest(p, index, &full);
    uint32_t opener = unclosed_bracket(p, index);
    if (opener != NO_PARTNER && (full.kinds[')'] || full.kinds[']']))
        diag_note(p->s, token_span(p, opener), "to close this '%c'", kind_at(p, opener));
}

/* Text between items: one error for a run of it. */
void recover_junk(struct parse *p, struct item_range range)
{
    static const char *const words[] = {"import", "const",  "enum", "struct",
                                        "fn",     "kernel", "op",   "extern"};
    uint32_t first = range.first;
    for (uint32_t i = first; i < range.end; i++) {
        if (kind_at(p, i) != '}' || p->tokens.data[i].partner != NO_PARTNER)
            continue;
        diag_error(p->s, token_span(p, i), DIAG_UNBALANCED, "this '}' closes nothing");
        if (first > 0 && i > first)
            diag_note(p->s, token_span(p, first - 1), "the item before it ended here");
        return;
    }
    if (kind_at(p, first) == BAD)
        return;
    diag_error(p->s, token_span(p, first), DIAG_NOT_AN_ITEM,
               "expected an item (kernel, op, fn, ...), found %s", token_describe(p, first));
    if (kind_at(p, first) != NAME)
        return;
    const char *near =
        nearest_name(p->tokens.data[first].text, words, sizeof words / sizeof *words);
    if (near)
        diag_help(p->s, "did you mean '%s'?", near);
}

/* ---- where to go on ------------------------------------------------------------------------- */

static uint32_t block_depth(const struct parse *p, uint32_t index)
{
    uint32_t depth = 0;
    for (uint32_t i = index; (i = enclosing_block(p, i)) != NO_PARTNER;)
        depth++;
    return depth;
}

static bool begins_statement(int kind)
{
    return (kind >= LET && kind <= AXIS) || (kind >= SWEEP && kind <= IF) ||
           (kind >= BREAK && kind <= STATIC_ASSERT);
}

static bool begins_clause(int kind)
{
    for (const int *k = clause_starts; *k; k++)
        if (*k == kind)
            return true;
    return false;
}

/* { .. } of values or settings, whose '}' ends no block. */
static bool closes_set(const struct parse *p, uint32_t index)
{
    uint32_t opener = p->tokens.data[index].partner;
    return opener != NO_PARTNER && !p->tokens.data[opener].opens_block;
}

/* After the statement: past its ';' or its last block; or at the '}' of the block around it, or at a
 * line that surely begins another one. */
static uint32_t next_statement(const struct parse *p, uint32_t index)
{
    for (uint32_t i = index; i < p->range.end; i++) {
        const struct token *t = &p->tokens.data[i];
        if (t->kind == ';')
            return i + 1;
        if (t->kind == '}' && !closes_set(p, i))
            return i;
        if (i > index && starts_line(p, i) && begins_statement(t->kind))
            return i;
        if (t->kind == '{' && t->partner != NO_PARTNER) {
            i = t->partner;
            int after = i + 1 < p->range.end ? kind_at(p, i + 1) : END;
            if (after != ELSE && after != ';' && after != ')' && after != ',')
                return i + 1;
        }
    }
    return p->range.end;
}

/* Does this '{' begin the body? Those of sets and settings follow certain words. */
static bool begins_body(const struct parse *p, uint32_t index)
{
    int before = kind_at(p, index - 1);
    return before != IN && before != ':' && before != DEFAULT && before != BENCH &&
           before != TUNE && before != WITH;
}

/* In the header: the next clause or the body, or past the ';' of a wrong clause. */
static uint32_t next_clause(const struct parse *p, uint32_t index)
{
    for (uint32_t i = index; i < p->range.end; i++) {
        const struct token *t = &p->tokens.data[i];
        if (t->kind == ';' && p->in_clauses)
            return i + 1;
        if ((i > index || !p->in_clauses) && starts_line(p, i) && begins_clause(t->kind))
            return i;
        if (t->kind != '{')
            continue;
        if (begins_body(p, i))
            return i;
        if (t->partner != NO_PARTNER)
            i = t->partner;
    }
    return p->range.end;
}

static bool has_body(const struct parse *p)
{
    uint32_t keyword = p->range.keyword;
    int kind = keyword == NO_PARTNER ? END : kind_at(p, keyword);
    return kind == KERNEL || kind == OP || kind == FN;
}

/* Each call moves past an earlier one's place, or ends the item: recovery always ends. */
static void choose_sync(struct parse *p, uint32_t index, bool missing_semicolon)
{
    bool nothing_left = index == p->range.end && p->last_error == index;
    if (nothing_left || too_many_errors(p)) {
        p->next = p->range.end + p->range.unclosed;
        return;
    }
    bool in_block = enclosing_block(p, index) != NO_PARTNER;
    uint32_t to = p->range.end;
    if (missing_semicolon && (in_block || p->in_clauses))
        to = index;
    else if (in_block)
        to = next_statement(p, index);
    else if (has_body(p))
        to = next_clause(p, index);
    if (to <= index && index == p->last_error) /* the same token again: it cannot stay */
        to = index + 1;
    if (to > p->range.end)
        to = p->range.end;
    p->last_error = index;
    p->depth = block_depth(p, index);
    p->sync_to = to;
    p->sync_kind = in_block || p->in_clauses ? SYNC : to < p->range.end ? SYNC_BODY : SYNC_END;
}

static uint32_t last_token(const struct parse *p)
{
    uint32_t index = p->next - 1;
    return index < p->range.end ? index : p->range.end;
}

void recover_silently(struct parse *p)
{
    choose_sync(p, last_token(p), false);
}

void recover_report(struct parse *p, const int *expected, int count)
{
    uint32_t index = last_token(p);
    bool at_end = index == p->range.end;
    struct wanted w = {.p = p};
    for (int i = 0; i < count; i++)
        if (expected[i] >= 0 && expected[i] < TOKEN_KINDS)
            w.kinds[expected[i]] = true;
    bool missing_semicolon =
        w.kinds[';'] && (at_end || starts_line(p, index) || kind_at(p, index) == '}');
    /* At the end of an item that has an error, what is missing is its consequence. */
    bool say = !(at_end && (p->range.unclosed || p->s->errors > p->errors_before)) &&
               !p->said_too_deep && !too_many_errors(p);
    if (say && missing_semicolon)
        report_missing_semicolon(p, index);
    else if (say)
        report_unexpected(p, index, &w);
    choose_sync(p, index, missing_semicolon);
}

void recover_too_deep(struct parse *p, struct span at)
{
    if (!p->said_too_deep)
        diag_error(p->s, at, DIAG_TOO_DEEP, "nested too deeply");
    p->said_too_deep = true;
}
