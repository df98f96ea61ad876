/* Putting an image together: the tables behind each other, every one 8-byte aligned. */
#include "sema/op.h"

uint32_t image_text(struct image *image, const char *text)
{
    if (!image->text.count)
        vec_push(&image->s->module, &image->text, '\0');
    if (!text || !*text)
        return 0;
    uint32_t offset = image->text.count;
    for (const char *c = text; *c; c++)
        vec_push(&image->s->module, &image->text, *c);
    vec_push(&image->s->module, &image->text, '\0');
    return offset;
}

uint32_t image_enum(struct image *image, const struct item *e)
{
    for (uint32_t i = 0; i < image->enum_items.count; i++)
        if (image->enum_items.data[i] == e)
            return i;
    struct arena *a = &image->s->module;
    struct ldsl_module_enum record = {
        .name = image_text(image, e->name.text), .words = {image->indices.count, e->members.count}
    };
    for (uint32_t i = 0; i < e->members.count; i++)
        vec_push(a, &image->indices, image_text(image, e->members.data[i].text));
    vec_push(a, &image->enums, record);
    vec_push(a, &image->enum_items, e);
    return image->enums.count - 1;
}

static size_t aligned(size_t bytes)
{
    return (bytes + 7) / 8 * 8;
}

const void *image_finish(struct image *image, size_t *bytes)
{
    image_text(image, NULL);
    size_t total = aligned(sizeof(struct ldsl_module_header));
#define X(NAME, field, record) total += aligned(image->field.count * sizeof(record));
    LDSL_MODULE_TABLES(X)
#undef X
    if (total > UINT32_MAX) {
        diag_error(image->s, (struct span){0}, DIAG_TOO_LARGE,
                   "the operators are too large together");
        return NULL;
    }
    char *block = arena_alloc(&image->s->module, total);
    struct ldsl_module_header *header = (struct ldsl_module_header *)(void *)block;
    *header = (struct ldsl_module_header){
        .magic = LDSL_MODULE_MAGIC, .version = LDSL_MODULE_VERSION, .bytes = total};
    size_t at = aligned(sizeof *header);
#define X(NAME, field, record)                                                                     \
    header->tables[LDSL_MODULE_##NAME] =                                                           \
        (struct ldsl_module_range){(uint32_t)at, image->field.count};                              \
    if (image->field.count)                                                                        \
        memcpy(block + at, image->field.data, image->field.count * sizeof(record));                \
    at += aligned(image->field.count * sizeof(record));
    LDSL_MODULE_TABLES(X)
#undef X
    *bytes = total;
    return block;
}

/* ---- a unit's tables --------------------------------------------------------------------------- */

static void move_node(struct ldsl_module_node *n, const struct ldsl_module_scope *base)
{
    n->a += base->nodes.first; /* those without a meaning move too: nobody looks at them */
    n->b += base->nodes.first;
    n->c += base->nodes.first;
    if (n->op == LDSL_HOST_SYMBOL)
        n->n += base->symbols.first;
    if (n->op == LDSL_HOST_HAS || n->op == LDSL_HOST_PACKED || n->op == LDSL_HOST_ALIGN)
        n->n += base->params.first;
}

static void move_param(struct ldsl_module_param *p, const struct ldsl_module_scope *base)
{
    if (p->generic != LDSL_NONE)
        p->generic += base->generics.first;
    if (p->symbol != LDSL_NONE)
        p->symbol += base->symbols.first;
    if (p->default_node != LDSL_NONE)
        p->default_node += base->nodes.first;
}

struct ldsl_module_scope unit_close(struct unit *u)
{
    struct image *image = u->image;
    struct arena *a = &u->s->module;
    struct ldsl_module_scope base = {
        .nodes = {image->nodes.count,    u->nodes.count   },
        .symbols = {image->symbols.count,  u->symbols.count },
        .generics = {image->generics.count, u->generics.count},
        .params = {image->params.count,   u->params.count  }
    };
    for (uint32_t i = 0; i < u->nodes.count; i++) {
        move_node(&u->nodes.data[i], &base);
        vec_push(a, &image->nodes, u->nodes.data[i]);
    }
    for (uint32_t i = 0; i < u->symbols.count; i++)
        vec_push(a, &image->symbols, u->symbols.data[i]);
    for (uint32_t i = 0; i < u->generics.count; i++) {
        u->generics.data[i].symbol += base.symbols.first;
        vec_push(a, &image->generics, u->generics.data[i]);
    }
    for (uint32_t i = 0; i < u->params.count; i++) {
        move_param(&u->params.data[i], &base);
        vec_push(a, &image->params, u->params.data[i]);
    }
    return base;
}
