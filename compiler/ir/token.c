#include "ir/token.h"

struct cursor {
    struct session *session;
    const char *text; /* NUL terminated */
    uint32_t at, length;
};

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_word_start(c) || is_digit(c);
}

static void skip_blanks(struct cursor *c)
{
    for (;;) {
        char ch = c->text[c->at];
        if (ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n') {
            c->at++;
        } else if (ch == '/' && c->text[c->at + 1] == '/') {
            while (c->at < c->length && c->text[c->at] != '\n')
                c->at++;
        } else {
            return;
        }
    }
}

/* Words hold dots between word characters only, so that "a..b" is a, .., b. */
static void skip_word(struct cursor *c)
{
    while (is_word(c->text[c->at]) || (c->text[c->at] == '.' && is_word(c->text[c->at + 1])))
        c->at++;
}

static void skip_digits(struct cursor *c)
{
    while (is_digit(c->text[c->at]))
        c->at++;
}

static void skip_number(struct cursor *c)
{
    if (c->text[c->at] == '-')
        c->at++;
    if (is_word_start(c->text[c->at])) { /* -inf */
        skip_word(c);
        return;
    }
    skip_digits(c);
    if (c->text[c->at] == '.' && is_digit(c->text[c->at + 1])) {
        c->at++;
        skip_digits(c);
    }
    char next = c->text[c->at];
    if (next != 'e' && next != 'E')
        return;
    uint32_t digits = c->at + 1;
    if (c->text[digits] == '-' || c->text[digits] == '+')
        digits++;
    if (is_digit(c->text[digits])) {
        c->at = digits;
        skip_digits(c);
    }
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads a string's inside: \" \\ and \xhh. False if it does not end, or holds a bad escape. */
static bool take_string(struct cursor *c, const char **text)
{
    VEC(char) out = {0};
    struct arena *a = &c->session->module;
    for (c->at++; c->at < c->length && c->text[c->at] != '"'; c->at++) {
        char ch = c->text[c->at];
        if (ch == '\n' || ch == '\0')
            return false;
        if (ch == '\\') {
            ch = c->text[++c->at];
            if (ch == 'x') {
                int high = hex_digit(c->text[c->at + 1]);
                int low = high < 0 ? -1 : hex_digit(c->text[c->at + 2]);
                if (low < 0 || (high | low) == 0)
                    return false;
                ch = (char)(high * 16 + low);
                c->at += 2;
            } else if (ch != '"' && ch != '\\') {
                return false;
            }
        }
        vec_push(a, &out, ch);
    }
    if (c->at >= c->length)
        return false;
    c->at++;
    *text = intern(c->session, out.count ? out.data : "", out.count);
    return true;
}

static struct token finish(struct cursor *c, enum token_kind kind, struct span at, uint32_t skip)
{
    at.end = c->at;
    const char *text = intern(c->session, c->text + at.begin + skip, at.end - at.begin - skip);
    return (struct token){kind, at, text};
}

static struct token bad(struct cursor *c, struct span at, const char *why)
{
    at.end = c->at > at.begin ? c->at : at.begin + 1;
    return (struct token){TOKEN_BAD, at, why};
}

static struct token scan(struct cursor *c, struct span at)
{
    char ch = c->text[c->at], next = '\0';
    if (ch)
        next = c->text[c->at + 1];
    if (c->at >= c->length)
        return (struct token){TOKEN_END, at, "the end of the text"};
    if (is_word_start(ch)) {
        skip_word(c);
        return finish(c, TOKEN_WORD, at, 0);
    }
    if (ch == '%' && is_word(next)) {
        c->at++;
        skip_word(c);
        return finish(c, TOKEN_VALUE, at, 1);
    }
    if (is_digit(ch) || (ch == '-' && is_word(next))) {
        skip_number(c);
        return finish(c, TOKEN_NUMBER, at, 0);
    }
    if (ch == '"') {
        const char *text = NULL;
        if (!take_string(c, &text))
            return bad(c, at, "a string that does not end, or a bad escape in it");
        at.end = c->at;
        return (struct token){TOKEN_STRING, at, text};
    }
    c->at += ch == '.' && next == '.' ? 2 : 1;
    if (ch && strchr("{}[](),:=.", ch) && (ch != '.' || next == '.'))
        return finish(c, TOKEN_PUNCT, at, 0);
    return bad(c, at, "a stray character");
}

struct token token_next(struct session *s, uint32_t source, uint32_t *at)
{
    struct source *src = source_get(s, source);
    struct cursor c = {s, src->text, *at, (uint32_t)src->length};
    skip_blanks(&c);
    struct span span = {source, c.at, c.at};
    struct token t = scan(&c, span);
    *at = c.at < c.length ? c.at : c.length;
    return t;
}
