/* Tokens of the IR's text form. Local to compiler/ir. */
#ifndef IR_TOKEN_H
#define IR_TOKEN_H

#include "support/session.h"

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* rms_norm, bf16; letters, digits, _ and inner dots */
    TOKEN_VALUE,  /* %x.3: text is "x.3" */
    TOKEN_NUMBER, /* -12, 0.5e-3, -inf */
    TOKEN_STRING, /* text is without quotes and escapes */
    TOKEN_PUNCT,  /* { } [ ] ( ) , : = .. */
    TOKEN_BAD     /* none of these; text says what is wrong */
};

struct token {
    enum token_kind kind;
    struct span at;
    const char *text; /* interned, so equal texts are equal pointers */
};

/* The token at offset *at of the source; moves *at past it. Skips blanks and "//" comments. */
struct token token_next(struct session *s, uint32_t source, uint32_t *at);

#endif
