/* What the lexer's matches mean: numbers, strings, and what is wrong with those that are not. */
#include "syntax/internal.h"
#include "syntax/parser.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define YY_NO_UNISTD_H
#include "syntax/lexer.h"

/* Spans are 32 bits, and the memory a parse takes is a multiple of its text. */
#define MAX_SOURCE_BYTES (16u << 20)

static struct span match_span(const struct lexer *lx)
{
    return (struct span){lx->file, lx->begin, lx->end};
}

int lex_word(struct lexer *lx, const char *text, size_t length, int kind)
{
    lx->token.text = intern(lx->session, text, length);
    return kind;
}

/* Numbers. A wrong one is reported and stands for 0, so that it is the only error. */

int lex_integer(struct lexer *lx, const char *text, size_t length)
{
    bool hex = length > 1 && tolower((unsigned char)text[1]) == 'x';
    if (!hex && length > 1 && text[0] == '0')
        diag_error(lx->session, match_span(lx), DIAG_BAD_NUMBER,
                   "'%s' starts with 0; numbers are decimal, or hexadecimal with 0x", text);
    errno = 0;
    unsigned long long value = strtoull(text, NULL, hex ? 16 : 10);
    if (errno == ERANGE || value > UINT64_MAX) {
        diag_error(lx->session, match_span(lx), DIAG_BAD_NUMBER, "%s does not fit in 64 bits",
                   text);
        value = 0;
    }
    lx->token.integer = value;
    return INT;
}

/* strtod as the C locale has it, whatever the host program has set. */
static double read_double(const char *text)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t old = plain ? uselocale(plain) : (locale_t)0;
    double value = strtod(text, NULL);
    if (plain) {
        uselocale(old);
        freelocale(plain);
    }
    return value;
}

int lex_float(struct lexer *lx, const char *text)
{
    double value = read_double(text);
    if (isinf(value)) {
        diag_error(lx->session, match_span(lx), DIAG_BAD_NUMBER, "%s is too large for f64", text);
        diag_help(lx->session, "infinity is written inf");
        value = 0;
    }
    lx->token.floating = value;
    return FLOAT;
}

/* Says what follows the digits: "1.5f", "0xfg", "10_000", "2.". */
int lex_bad_number(struct lexer *lx, const char *text)
{
    struct session *s = lx->session;
    struct span at = match_span(lx);
    size_t digits = strspn(text, "0123456789");
    const char *rest = text + digits;
    if (strcmp(rest, ".") == 0) {
        diag_error(s, at, DIAG_BAD_NUMBER, "a number needs digits after its point");
        diag_help(s, "write %s0", text);
        lx->token.floating = 0;
        return FLOAT;
    }
    bool hex = digits == 1 && text[0] == '0' && tolower((unsigned char)text[1]) == 'x';
    if (hex) {
        diag_error(s, at, DIAG_BAD_NUMBER, "'%s' is not a hexadecimal number", text);
    } else {
        rest += *rest == '.' ? 1 + strspn(rest + 1, "0123456789") : 0;
        diag_error(s, at, DIAG_BAD_NUMBER, "'%s' is not a suffix of a number", rest);
        if (strchr(rest, '_'))
            diag_help(s, "digits are not grouped");
        else
            diag_help(s, "a literal takes the type its context wants; or convert it: f32(%.*s)",
                      (int)(rest - text), text);
    }
    lx->token.integer = 0;
    return INT;
}

/* Strings. */

static char unescape(char c)
{
    switch (c) {
    case 'n': return '\n';
    case 't': return '\t';
    case '"': return '"';
    case '\\': return '\\';
    default: return '\0';
    }
}

int lex_string(struct lexer *lx, const char *text, size_t length)
{
    struct session *s = lx->session;
    char *out = arena_array(&s->module, char, length);
    size_t n = 0;
    for (size_t i = 1; i + 1 < length; i++) {
        uint32_t at = lx->begin + (uint32_t)i;
        char c = text[i];
        if (c == '\\') {
            c = unescape(text[++i]);
            if (!c)
                diag_error(s, (struct span){lx->file, at, at + 2}, DIAG_BAD_STRING,
                           "unknown escape; there are \\n, \\t, \\\" and \\\\");
        } else if ((unsigned char)c < ' ' && c != '\t') {
            diag_error(s, (struct span){lx->file, at, at + 1}, DIAG_BAD_STRING,
                       "byte 0x%02x cannot stand in a string", (unsigned char)c);
            c = '\0';
        }
        if (c)
            out[n++] = c;
    }
    lx->token.text = out;
    return STRING;
}

int lex_bad_string(struct lexer *lx)
{
    diag_error(lx->session, match_span(lx), DIAG_BAD_STRING,
               "this string is not closed on its line");
    return BAD;
}

/* The rest. */

/* The length of the UTF-8 sequence at text, 0 if it is none. Long forms, surrogates and what is
 * past U+10FFFF are none. */
static size_t utf8_length(const unsigned char *text, size_t left)
{
    unsigned char c = text[0];
    if (c < 0x80)
        return 1;
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || left < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && text[1] < 0xa0) || (c == 0xed && text[1] > 0x9f) ||
        (c == 0xf0 && text[1] < 0x90) || (c == 0xf4 && text[1] > 0x8f))
        return 0;
    return n;
}

int lex_bad_bytes(struct lexer *lx, const char *text, size_t length)
{
    unsigned char c = (unsigned char)text[0];
    size_t n = utf8_length((const unsigned char *)text, length);
    if (n && c > ' ' && c != 0x7f)
        diag_error(lx->session, match_span(lx), DIAG_STRAY_BYTE,
                   "'%.*s' has no meaning here; names and operators are ASCII", (int)n, text);
    else
        diag_error(lx->session, match_span(lx), DIAG_STRAY_BYTE, "stray byte 0x%02x", c);
    return BAD;
}

void lex_bad_comment(struct lexer *lx, bool closed)
{
    struct span at = {lx->file, lx->begin, lx->begin + 2};
    diag_error(lx->session, at, DIAG_STRAY_BYTE, "comments are written // to the end of the line");
    if (!closed)
        diag_note(lx->session, at, "and this one is never closed: the rest of the file is lost");
}

_Noreturn void lex_fatal(struct lexer *lx, const char *what)
{
    diag_bug(lx->session, match_span(lx), "lexer: %s", what);
}

static bool is_control(unsigned char c)
{
    return c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f';
}

/* The first byte that is not UTF-8 text, in a comment or a string too: texts of a file go to tools
 * that insist on it. */
static void check_encoding(struct session *s, uint32_t source)
{
    const struct source *src = source_get(s, source);
    const unsigned char *text = (const unsigned char *)src->text;
    for (size_t i = 0, n; i < src->length; i += n) {
        n = is_control(text[i]) ? 0 : utf8_length(text + i, src->length - i);
        if (!n) {
            diag_error(s, (struct span){source, (uint32_t)i, (uint32_t)i + 1}, DIAG_STRAY_BYTE,
                       "the file is not UTF-8 text: byte 0x%02x", text[i]);
            return;
        }
    }
}

tokens lex_source(struct session *s, uint32_t source)
{
    const struct source *src = source_get(s, source);
    tokens list = {0};
    struct token end = {.kind = END, .partner = NO_PARTNER};
    if (src->length > MAX_SOURCE_BYTES) {
        diag_error(s, (struct span){source, 0, 0}, DIAG_FILE_TOO_LARGE,
                   "the file has %zu bytes; at most %u are read", src->length, MAX_SOURCE_BYTES);
        vec_push(&s->module, &list, end);
        return list;
    }
    uint32_t errors = s->errors;
    check_encoding(s, source);
    if (s->errors > errors) {
        vec_push(&s->module, &list, end);
        return list;
    }
    struct lexer lx = {.session = s, .file = source};
    yyscan_t scanner;
    if (syntax_lex_lex_init_extra(&lx, &scanner) != 0)
        diag_bug(s, (struct span){0}, "lexer: cannot start");
    syntax_lex__scan_bytes(src->text, (int)src->length, scanner);
    for (;;) {
        lx.newlines = 0;
        lx.token = (struct token){0};
        uint32_t before = s->errors;
        int kind = syntax_lex_lex(scanner);
        lx.token.kind = kind;
        lx.token.begin = kind ? lx.begin : lx.end;
        lx.token.end = lx.end;
        lx.token.newlines = (uint8_t)(lx.newlines < 2 ? lx.newlines : 2);
        lx.token.partner = NO_PARTNER;
        lx.token.wrong = s->errors != before;
        vec_push(&s->module, &list, lx.token);
        if (!kind)
            return list;
        if (s->errors - errors >= MAX_SYNTAX_ERRORS) {
            vec_push(&s->module, &list, end);
            return list;
        }
    }
}
