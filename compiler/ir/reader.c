/* What reading is made of: the next token, and words looked up in lists. */
#include "ir/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void reader_advance(struct reader *r)
{
    r->token = token_next(r->session, r->source, &r->at);
}

bool reader_unexpected(struct reader *r, const char *wanted)
{
    if (r->token.kind == TOKEN_BAD || r->token.kind == TOKEN_END)
        return diag_error(r->session, r->token.at, DIAG_IR_SYNTAX, "found %s, wanted %s",
                          r->token.text, wanted);
    return diag_error(r->session, r->token.at, DIAG_IR_SYNTAX, "found '%s%s', wanted %s",
                      r->token.kind == TOKEN_VALUE ? "%" : "", r->token.text, wanted);
}

bool reader_at_punct(const struct reader *r, const char *text)
{
    return r->token.kind == TOKEN_PUNCT && strcmp(r->token.text, text) == 0;
}

static bool at_word(const struct reader *r, const char *text)
{
    return r->token.kind == TOKEN_WORD && strcmp(r->token.text, text) == 0;
}

bool reader_accept_punct(struct reader *r, const char *text)
{
    bool found = reader_at_punct(r, text);
    if (found)
        reader_advance(r);
    return found;
}

bool reader_accept_word(struct reader *r, const char *text)
{
    bool found = at_word(r, text);
    if (found)
        reader_advance(r);
    return found;
}

bool reader_expect_punct(struct reader *r, const char *text)
{
    char wanted[16];
    snprintf(wanted, sizeof wanted, "'%s'", text);
    return reader_accept_punct(r, text) || reader_unexpected(r, wanted);
}

bool reader_expect(struct reader *r, enum token_kind kind, const char *wanted, struct token *out)
{
    *out = r->token;
    if (r->token.kind != kind)
        return reader_unexpected(r, wanted);
    reader_advance(r);
    return true;
}

bool reader_int(struct reader *r, const struct token *t, int64_t *out)
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
bool reader_float(struct reader *r, const struct token *t, double *out)
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
bool reader_find_word(struct reader *r, const struct token *t, const char *const *words,
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

bool reader_find_elem(struct reader *r, const struct token *t, enum ir_elem *out)
{
    const char *words[IR_ELEM_COUNT + 1] = {0};
    uint32_t found;
    for (unsigned i = 0; i < IR_ELEM_COUNT; i++)
        words[i] = ir_elem_name((enum ir_elem)i);
    if (!reader_find_word(r, t, words, "element type", &found))
        return false;
    *out = (enum ir_elem)found;
    return true;
}

/* Axes and tensors carry the names of the text, so that they are unique. */
bool reader_find_axis(struct reader *r, const struct token *t, uint8_t *out)
{
    for (uint32_t i = 0; i < r->f->axes.count; i++)
        if (r->f->axes.data[i].name == t->text) {
            *out = (uint8_t)i;
            return true;
        }
    return diag_error(r->session, t->at, DIAG_IR_NAME, "there is no axis '%s'", t->text);
}
