/* What a kernel's code depends on, as a number: tuning records made for other code are of no use.
 *
 * The kernel without comments, layout and the defaults that records stand in for, and every function,
 * constant, enum and struct that it names, directly or through another, in its own file and those it
 * imports. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sema/op.h"

#include <ctype.h>

/* An item that a kernel may name. */
struct helper {
    const char *name, *text;
    bool used;
};
typedef VEC(struct helper) helpers;
typedef VEC(struct sema_module *) modules;

static bool is_helper(const struct item *it)
{
    return it->kind == ITEM_FN || it->kind == ITEM_CONST || it->kind == ITEM_ENUM ||
           it->kind == ITEM_STRUCT;
}

/* A file and those it imports, each once: an import may be met on two ways. */
static void collect_modules(modules *out, struct sema_module *m)
{
    vec_push(&m->s->module, out, m);
    for (uint32_t i = 0; i < out->count; i++)
        for (uint32_t k = 0; k < out->data[i]->imports.count; k++) {
            struct sema_module *import = out->data[i]->imports.data[k].module;
            bool known = !import;
            for (uint32_t j = 0; j < out->count; j++)
                known |= out->data[j] == import;
            if (!known)
                vec_push(&m->s->module, out, import);
        }
}

static void collect_helpers(helpers *out, struct sema_module *m)
{
    modules all = {0};
    collect_modules(&all, m);
    for (uint32_t i = 0; i < all.count; i++)
        for (uint32_t k = 0; k < all.data[i]->items.count; k++) {
            const struct item *it = all.data[i]->items.data[k]->ast;
            struct helper h = {.name = it->name.text};
            if (is_helper(it) && h.name)
                vec_push(&m->s->module, out, h);
            if (is_helper(it) && h.name)
                vec_last(out).text = syntax_print_code(m->s, it);
        }
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool names(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = strstr(text, name); at; at = strstr(at + 1, name))
        if ((at == text || !is_word(at[-1])) && !is_word(at[length]))
            return true;
    return false;
}

static void add(XXH3_state_t *hash, const char *text)
{
    XXH3_64bits_update(hash, text, strlen(text) + 1);
}

/* Adds what `text` names, then what that names. */
static void add_helpers(XXH3_state_t *hash, helpers *all, const char *text)
{
    for (uint32_t i = 0; i < all->count; i++) {
        struct helper *h = &all->data[i];
        if (h->used || !names(text, h->name))
            continue;
        h->used = true;
        add(hash, h->text);
        add_helpers(hash, all, h->text);
    }
}

const char *kernel_hash(struct sema_module *m, const struct item *kernel)
{
    XXH3_state_t hash;
    helpers all = {0};
    struct item bare = *kernel;
    bare.kernel.defaults.count = 0;
    const char *text = syntax_print_code(m->s, &bare);
    XXH3_64bits_reset(&hash);
    add(&hash, text);
    collect_helpers(&all, m);
    add_helpers(&hash, &all, text);
    return arena_printf(&m->s->module, "%016llx", (unsigned long long)XXH3_64bits_digest(&hash));
}
