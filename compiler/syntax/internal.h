/* What the files of syntax share: tokens, the state of one parse, and the makers of tree nodes.
 *
 *   lexer.l, lex.c   text -> tokens (comments among them; lexical errors reported)
 *   split.c          pairs the brackets and cuts the tokens into items
 *   parser.y         one item's tokens -> tree; it pulls them from parse.c
 *   recover.c        says what is wrong, and where the parser goes on
 *   ast.c print.c    makes nodes; writes a tree as text
 *   format.c         ldsl fmt: lays out tokens, not the tree
 *   spacing.c        between which tokens there is a blank, or may be a line break
 *
 * Each item is parsed on its own, so an error in one never spoils another. All memory is the
 * session's module arena. */
#ifndef SYNTAX_INTERNAL_H
#define SYNTAX_INTERNAL_H

#include "syntax/syntax.h"

/* ---- tokens --------------------------------------------------------------------------------- */

#define NO_PARTNER UINT32_MAX

struct token {
    int kind; /* enum syntax_yytokentype of the generated parser.h, or a character */
    uint32_t begin, end;
    uint8_t newlines; /* line breaks before it, counted up to 2 */
    bool wrong;       /* the lexer reported an error in it or right before */
    bool is_name;     /* a word that the parser took for a name */
    bool opens_block; /* a '{' that the parser took for a block with a way to recover in it */
    uint32_t partner; /* index of the matching bracket, or NO_PARTNER */
    uint32_t raw;     /* in parser tokens: its index among all tokens, comments included */
    union {
        const char *text; /* names and words: interned; strings: unescaped */
        uint64_t integer;
        double floating;
    };
};

typedef VEC(struct token) tokens;

/* What the generated lexer fills in as it matches. */
struct lexer {
    struct session *session;
    uint32_t file, begin, end; /* of the match */
    uint32_t newlines;
    struct token token;
};

/* All tokens of a source, comments included; reports lexical errors. What is no token is a BAD. */
tokens lex_source(struct session *s, uint32_t source);

int lex_word(struct lexer *lx, const char *text, size_t length, int kind);
int lex_integer(struct lexer *lx, const char *text, size_t length);
int lex_float(struct lexer *lx, const char *text);
int lex_string(struct lexer *lx, const char *text, size_t length);
int lex_bad_number(struct lexer *lx, const char *text);
int lex_bad_string(struct lexer *lx);
int lex_bad_bytes(struct lexer *lx, const char *text, size_t length);
void lex_bad_comment(struct lexer *lx, bool closed);
_Noreturn void lex_fatal(struct lexer *lx, const char *what);

/* In parser.y. */
bool token_is_word(int kind);         /* a word with a meaning in some places, a name elsewhere */
bool token_is_keyword(int kind);      /* a word that is never a name */
const char *token_spelling(int kind); /* "let", ";", "=>"; for NAME, INT, ...: a noun */

/* ---- one parse ------------------------------------------------------------------------------ */

/* Syntax errors of one file beyond these are not reported: the rest is noise. */
#define MAX_SYNTAX_ERRORS 100

/* The tokens of one item. */
struct item_range {
    uint32_t first, end; /* attributes included */
    uint32_t keyword;    /* index of kernel, op, ...; NO_PARTNER: attributes only, or no item */
    bool is_item;        /* else text between items */
    uint32_t unclosed;   /* braces still open at its end */
    uint32_t blame;      /* the opener to show for them */
    uint32_t misleading; /* a '}' whose indentation betrays the missing one, or NO_PARTNER */
};

struct parse {
    struct session *s;
    struct arena *arena; /* the session's module arena */
    uint32_t source;
    tokens raw, tokens; /* all; those the parser sees */

    /* The item being parsed. */
    struct item_range range;
    struct item *item;
    uint32_t next;      /* the token to hand out next */
    uint32_t depth;     /* blocks open */
    struct expr *group; /* what the groups of defaults around the next token ask, or NULL */
    bool in_clauses;    /* past the signature */
    bool no_item;       /* its signature did not parse */
    bool said_too_deep;
    uint32_t errors_before; /* the session's count when the item began */

    /* Recovery: the next token is sync_kind, then tokens go on at sync_to. */
    int sync_kind; /* 0: none is due */
    uint32_t sync_to;
    uint32_t last_error; /* index of the token of the last error */
};

typedef VEC(struct item_range) item_ranges;

struct parsed_item {
    struct item_range range;
    struct item *item; /* NULL: its signature did not parse */
    bool damaged;
};

typedef VEC(struct parsed_item) parsed_items;

/* Names of what has syntax errors. */
struct damage {
    VEC(const char *) names; /* interned */
};

/* Lexes and parses the source of p (s, arena and source are set). */
struct ast_file *parse_source(struct parse *p);

/* Fills partner in p->tokens and returns the items and the text between them, in order. */
item_ranges split_items(struct parse *p);

struct span token_span(const struct parse *p, uint32_t index);
/* For messages: 'name', a string, the end of the file. */
const char *token_describe(const struct parse *p, uint32_t index);
bool starts_line(const struct parse *p, uint32_t index);
bool too_many_errors(const struct parse *p);

/* The parser met a token that it did not expect: report it, choose where to go on. */
void recover_report(struct parse *p, const int *expected, int count);
/* Text where an item should be. */
void recover_junk(struct parse *p, struct item_range range);
/* The same without a report: the lexer has spoken. */
void recover_silently(struct parse *p);
/* The parser's stack is full, or blocks are nested past AST_MAX_BLOCK_DEPTH. */
void recover_too_deep(struct parse *p, struct span at);

/* Called by the parser. */
struct token parse_next_token(struct parse *p);
void parse_mark_name(struct parse *p, struct span at);
bool parse_open_block(struct parse *p); /* after its '{'; false: nested too deeply */
bool parse_enter(struct parse *p);      /* one block deeper; false: too deep */
void *parse_alloc(struct parse *p, size_t bytes);

/* Every name in the text between items. */
void damage_range(struct damage *d, const struct parse *p, struct item_range range);
/* Marks the items that need a damaged one, and those that need them; see ast_file.cut. */
void damage_spread(struct damage *d, const struct parse *p, struct ast_file *file,
                   parsed_items *items);

/* ---- makers of nodes (ast.c) ---------------------------------------------------------------- */

struct expr *new_expr(struct parse *p, enum expr_kind kind, struct span at);
struct expr *new_text_expr(struct parse *p, enum expr_kind kind, struct span at, const char *text);
/* left && right; one may be NULL, for true. */
struct expr *new_both(struct parse *p, struct expr *left, struct expr *right);
struct expr *new_unary(struct parse *p, struct span at, enum ast_unary op, struct expr *operand);
struct expr *new_binary(struct parse *p, struct span at, enum ast_binary op, struct span op_at,
                        struct expr *left, struct expr *right);
struct expr *new_cond(struct parse *p, struct span at, struct expr *test, struct expr *yes,
                      struct expr *no);
struct expr *new_call(struct parse *p, struct span at, struct expr *callee, ast_args args);
struct expr *new_index(struct parse *p, struct span at, struct expr *base, ast_subs subs);
struct expr *new_member(struct parse *p, struct span at, struct expr *base, struct ast_name member);
struct ast_arg *new_arg(struct parse *p, struct span at, struct expr *value);

struct type_expr *new_type(struct parse *p, enum type_expr_kind kind, struct span at);
struct type_expr *new_tensor(struct parse *p, struct span at, struct type_expr *element,
                             ast_exprs dims);

struct ast_param *new_param(struct parse *p, struct span at, struct ast_name name,
                            struct type_expr *type, struct expr *value);

struct stmt *new_stmt(struct parse *p, enum stmt_kind kind, struct span at);
struct stmt *new_let(struct parse *p, enum stmt_kind kind, struct span at, struct ast_name name,
                     struct type_expr *type, struct expr *value);
struct stmt *new_loop(struct parse *p, enum stmt_kind kind, struct ast_name name, struct expr *lo,
                      struct expr *hi, struct expr *step);
struct stmt *new_assign(struct parse *p, struct span at, enum ast_assign op, struct expr *target,
                        struct expr *value);
struct stmt *new_values(struct parse *p, enum stmt_kind kind, struct span at, ast_exprs values);

/* ---- formatting (spacing.c) ----------------------------------------------------------------- */

/* What a token is, where its kind alone does not tell. */
enum token_role {
    ROLE_PLAIN,
    ROLE_UNARY,    /* - ! ~ before an operand */
    ROLE_BINARY,   /* operators between operands, ? and : of a choice among them */
    ROLE_ANGLE,    /* < and > around generics and element types */
    ROLE_OPTIONAL, /* ? after a type */
    ROLE_SET,      /* { and } of {1, 2, 4} */
    ROLE_SETTINGS, /* { and } of { BR = 4 }, enums and structs */
    ROLE_BLOCK     /* { and } of bodies and tune */
};

/* The roles of all tokens (comments among them: ROLE_PLAIN), in the order given. */
enum token_role *token_roles(struct arena *a, const tokens *list);
bool space_between(const tokens *list, const enum token_role *roles, uint32_t left, uint32_t right);
/* May a line that the author broke here stay broken? */
bool may_break(const tokens *list, const enum token_role *roles, uint32_t left, uint32_t right);
/* How bad it is to break a long line here; 0: never. Brackets around it cost extra. */
uint32_t break_cost(const tokens *list, const enum token_role *roles, uint32_t left,
                    uint32_t right);

#endif
