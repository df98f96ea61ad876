/* Syntax: .ldsl text to AST, AST to text, and the formatter. Doorway of compiler/syntax. */
#ifndef SYNTAX_SYNTAX_H
#define SYNTAX_SYNTAX_H

#include "syntax/ast.h"

/* Parses a source of the session. Reports every syntax error it finds; the tree of a file with
 * errors still holds the items that parsed. Never NULL. */
struct ast_file *syntax_parse(struct session *s, uint32_t source);

/* The tree as indented text (for --emit=ast and tests), in the module arena. */
const char *syntax_print(struct session *s, const struct ast_file *file);

/* One item in that form without its comments: what of a source matters to a compile. */
const char *syntax_print_code(struct session *s, const struct item *it);

/* The formatted form of a source that parses without error (ldsl fmt): comments and blank-line
 * groups kept, idempotent, token sequence unchanged. NULL after reporting errors. */
const char *syntax_format(struct session *s, uint32_t source);

/* How an operator is written: "+". */
const char *ast_binary_text(enum ast_binary op);

#endif
