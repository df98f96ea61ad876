/* Which tokens stand apart, and where a line may be broken.
 *
 * Most tokens say it by their kind. A few mean two things (a minus, <, ?, braces); their role is
 * worked out first, in one pass over the tokens of a source that is known to parse. */
#include "syntax/internal.h"
#include "syntax/parser.h"

static int kind_of(const tokens *list, uint32_t i)
{
    return list->data[i].kind;
}

/* A word in its special meaning, not as a name. */
static bool is_special(const tokens *list, uint32_t i, int kind)
{
    return kind_of(list, i) == kind && !list->data[i].is_name;
}

static bool is_comment(int kind)
{
    return kind == COMMENT || kind == DOC;
}

/* ---- roles ---------------------------------------------------------------------------------- */

struct role_finder {
    const tokens *list;
    enum token_role *roles;
    struct arena *arena;
    VEC(uint32_t) choices; /* a ? waiting for its : */
    uint32_t angles;       /* < of types not yet closed */
    bool signature;        /* between an item's keyword and its '(' */
};

/* Can the token end an operand, so that an operator after it is binary? */
static bool ends_operand(const struct role_finder *r, uint32_t i)
{
    int kind = kind_of(r->list, i);
    if (token_is_word(kind))
        return r->list->data[i].is_name;
    return kind == NAME || kind == INT || kind == FLOAT || kind == STRING || kind == TRUE_ ||
           kind == FALSE_ || kind == ')' || kind == ']';
}

static bool ends_type(const struct role_finder *r, uint32_t i)
{
    if (is_special(r->list, i, STRIDED))
        return true;
    uint32_t opener = r->list->data[i].partner;
    return kind_of(r->list, i) == ']' && opener != NO_PARTNER && opener > 0 &&
           r->roles[opener - 1] == ROLE_ANGLE;
}

static enum token_role brace_role(const struct role_finder *r, uint32_t i, uint32_t before)
{
    if (r->list->data[i].opens_block)
        return ROLE_BLOCK;
    return kind_of(r->list, before) == IN || kind_of(r->list, before) == ':' ? ROLE_SET
                                                                             : ROLE_SETTINGS;
}

static enum token_role colon_role(struct role_finder *r)
{
    if (!r->choices.count)
        return ROLE_PLAIN;
    r->choices.count--;
    return ROLE_BINARY;
}

static enum token_role less_role(struct role_finder *r, uint32_t before)
{
    int kind = kind_of(r->list, before);
    if (!r->signature && kind != TENSOR && kind != TILE && kind != PTR)
        return ROLE_BINARY;
    r->angles++;
    return ROLE_ANGLE;
}

static enum token_role question_role(struct role_finder *r, uint32_t i, uint32_t before)
{
    if (ends_type(r, before))
        return ROLE_OPTIONAL;
    vec_push(r->arena, &r->choices, i);
    return ROLE_BINARY;
}

static enum token_role role_of(struct role_finder *r, uint32_t i, uint32_t before)
{
    switch (kind_of(r->list, i)) {
    case '!':
    case '~': return ROLE_UNARY;
    case '-': return ends_operand(r, before) ? ROLE_BINARY : ROLE_UNARY;
    case '<': return less_role(r, before);
    case '>':
        if (!r->angles)
            return ROLE_BINARY;
        r->angles--;
        return ROLE_ANGLE;
    case '?': return question_role(r, i, before);
    case ':': return colon_role(r);
    case '{': return brace_role(r, i, before);
    case '}': return r->roles[r->list->data[i].partner];
    case '(': r->signature = false; return ROLE_PLAIN;
    case KERNEL:
    case OP:
    case FN: r->signature = true; return ROLE_PLAIN;
    case '+':
    case '*':
    case '/':
    case '%':
    case '&':
    case '|':
    case '^':
    case SHL:
    case SHR:
    case LE:
    case GE:
    case EQ:
    case NE:
    case ANDAND:
    case OROR: return ROLE_BINARY;
    default: return ROLE_PLAIN;
    }
}

enum token_role *token_roles(struct arena *a, const tokens *list)
{
    struct role_finder r = {.list = list, .arena = a};
    r.roles = arena_array(a, enum token_role, list->count);
    uint32_t before = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        if (is_comment(kind_of(list, i)))
            continue;
        r.roles[i] = role_of(&r, i, before);
        before = i;
    }
    return r.roles;
}

/* ---- blanks --------------------------------------------------------------------------------- */

/* Is a '(' or '[' after this token that of a call or subscript? */
static bool hugs_bracket(const tokens *list, const enum token_role *roles, uint32_t i)
{
    int kind = kind_of(list, i);
    if (token_is_word(kind))
        return list->data[i].is_name || kind == KEY || kind == PIPELINE;
    return kind == NAME || kind == ')' || kind == ']' || kind == STRING || kind == INT ||
           kind == FLOAT || kind == TRUE_ || kind == FALSE_ || kind == ASSERT || kind == ASSUME ||
           kind == STATIC_ASSERT || roles[i] == ROLE_ANGLE;
}

bool space_between(const tokens *list, const enum token_role *roles, uint32_t left, uint32_t right)
{
    int l = kind_of(list, left), r = kind_of(list, right);
    if (l == '{' && r == '}')
        return false;
    if (l == '{' || r == '}')
        return roles[l == '{' ? left : right] != ROLE_SET;
    if (roles[right] == ROLE_BINARY || roles[left] == ROLE_BINARY)
        return true;
    if (r == ',' || r == ';' || r == ')' || r == ']' || r == '.' || r == ':')
        return false;
    if (l == '(' || l == '[' || l == '.' || l == '@' || roles[left] == ROLE_UNARY)
        return false;
    if (roles[right] == ROLE_OPTIONAL || roles[right] == ROLE_ANGLE)
        return false;
    if (roles[left] == ROLE_ANGLE && l == '<')
        return false;
    if (r == '(' || r == '[')
        return !hugs_bracket(list, roles, left);
    return true;
}

/* ---- line breaks ---------------------------------------------------------------------------- */

static bool is_assignment(int kind)
{
    return kind == '=' || kind == ADD_SET || kind == SUB_SET || kind == MUL_SET || kind == DIV_SET;
}

/* Words that begin a part of their own in a launch, a loop or a default. */
static bool begins_part(const tokens *list, uint32_t i)
{
    static const int words[] = {WITH, GRID, WHERE, OVER, TO, BOUND, PARTS, STEP, PIPELINE, 0};
    for (const int *word = words; *word; word++)
        if (is_special(list, i, *word))
            return true;
    return kind_of(list, i) == TILE;
}

static bool opens_list(const tokens *list, const enum token_role *roles, uint32_t i)
{
    int kind = kind_of(list, i);
    return kind == '(' || kind == '[' || (kind == '{' && roles[i] != ROLE_BLOCK);
}

bool may_break(const tokens *list, const enum token_role *roles, uint32_t left, uint32_t right)
{
    int l = kind_of(list, left), r = kind_of(list, right);
    if (r == ',' || r == ';' || r == ')' || r == ']' || r == '}')
        return false;
    return l == ',' || is_assignment(l) || opens_list(list, roles, left) || r == ARROW ||
           l == FATARROW || roles[left] == ROLE_BINARY || roles[right] == ROLE_BINARY ||
           begins_part(list, right);
}

/* Operators that bind less are better places. */
static uint32_t operator_cost(int kind)
{
    switch (kind) {
    case '?':
    case ':': return 2;
    case OROR: return 3;
    case ANDAND: return 4;
    case '+':
    case '-': return 7;
    case '*':
    case '/':
    case '%': return 8;
    default: return 6;
    }
}

uint32_t break_cost(const tokens *list, const enum token_role *roles, uint32_t left, uint32_t right)
{
    if (!may_break(list, roles, left, right))
        return 0;
    int l = kind_of(list, left);
    if (kind_of(list, right) == ARROW || l == ',')
        return 1;
    if (roles[left] == ROLE_BINARY)
        return operator_cost(l);
    if (is_assignment(l))
        return 25;
    if (roles[right] == ROLE_BINARY)
        return 0;
    return opens_list(list, roles, left) ? 18 : 5;
}
