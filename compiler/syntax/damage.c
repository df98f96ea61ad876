/* Which items of a file with syntax errors can be checked all the same: those that have none and need
 * no item that has. An item needs another if it names it; nothing finer is known before checking. */
#include "syntax/internal.h"
#include "syntax/parser.h"

#include <stdlib.h>

/* Chains of items that need each other are followed so far; a longer one costs the check. */
#define MAX_ROUNDS 64

static int compare_names(const void *left, const void *right)
{
    uintptr_t a = (uintptr_t) * (const char *const *)left;
    uintptr_t b = (uintptr_t) * (const char *const *)right;
    return (a > b) - (a < b);
}

static bool is_name(const struct token *t)
{
    return t->kind == NAME || t->is_name;
}

void damage_range(struct damage *d, const struct parse *p, struct item_range range)
{
    for (uint32_t i = range.first; i < range.end; i++)
        if (is_name(&p->tokens.data[i]))
            vec_push(p->arena, &d->names, p->tokens.data[i].text);
}

/* Without a tree only the word behind the keyword tells the item's name. */
static const char *name_of(const struct parse *p, const struct parsed_item *it)
{
    uint32_t i = it->range.keyword;
    if (it->item)
        return it->item->name.text;
    if (i == NO_PARTNER)
        return NULL;
    if (p->tokens.data[i].kind == EXTERN)
        i++;
    return i + 1 < it->range.end && is_name(&p->tokens.data[i + 1]) ? p->tokens.data[i + 1].text
                                                                    : NULL;
}

static bool needs_damaged(const struct damage *d, const struct parse *p, struct item_range range)
{
    for (uint32_t i = range.first; i < range.end; i++)
        if (is_name(&p->tokens.data[i]) &&
            bsearch(&p->tokens.data[i].text, d->names.data, d->names.count, sizeof *d->names.data,
                    compare_names))
            return true;
    return false;
}

static bool is_import(const struct parse *p, const struct parsed_item *it)
{
    return it->range.keyword != NO_PARTNER && p->tokens.data[it->range.keyword].kind == IMPORT;
}

/* True if an item was found damaged. */
static bool spread(struct damage *d, const struct parse *p, parsed_items *items)
{
    VEC(const char *) found = {0};
    qsort(d->names.data, d->names.count, sizeof *d->names.data, compare_names);
    for (uint32_t i = 0; i < items->count; i++) {
        struct parsed_item *it = &items->data[i];
        if (it->damaged || !needs_damaged(d, p, it->range))
            continue;
        it->damaged = it->item->damaged = true;
        vec_push(p->arena, &found, it->item->name.text);
    }
    for (uint32_t i = 0; i < found.count; i++)
        vec_push(p->arena, &d->names, found.data[i]);
    return found.count != 0;
}

/* What the items with errors take from the others. */
static void begin(struct damage *d, const struct parse *p, struct ast_file *file,
                  const parsed_items *items)
{
    for (uint32_t i = 0; i < items->count; i++) {
        const struct parsed_item *it = &items->data[i];
        const char *name = it->damaged ? name_of(p, it) : NULL;
        if (!it->damaged)
            continue;
        if (it->item)
            it->item->damaged = true;
        if (name)
            vec_push(p->arena, &d->names, name);
        file->cut |= !name || is_import(p, it);
    }
}

void damage_spread(struct damage *d, const struct parse *p, struct ast_file *file,
                   parsed_items *items)
{
    uint32_t rounds = 0;
    begin(d, p, file, items);
    while (!file->cut && d->names.count && spread(d, p, items))
        file->cut = ++rounds == MAX_ROUNDS;
}
