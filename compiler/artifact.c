/* Artifacts: one block that is both the object in memory and the bytes of a file.
 *
 *   header | slots | texts | data
 *
 * Offsets count from the block's start. Texts are NUL terminated, and so is the last byte of the
 * text table and the byte after the data, so that a text in either never runs out of the block. */
#include "artifact.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdlib.h>
#include <string.h>

#define MAGIC   0x4154444cu /* "LDTA" where the low byte comes first */
#define VERSION 2u
#define ALIGN   16u

struct ldsl_artifact {
    uint32_t magic, version;
    uint64_t bytes;    /* of the whole block */
    uint64_t checksum; /* of everything after this field */
    uint32_t kind;     /* enum ldsl_artifact_kind */
    uint32_t checked, dependent, unused;
    uint64_t data_offset, data_bytes;
    uint64_t scratch_bytes;
    uint32_t slot_offset, slot_count;
    uint32_t text_offset, text_bytes;
    uint32_t name, entry, target, variant; /* offsets in the text table */
    uint32_t block_threads, cluster, shared_bytes, registers, spill_bytes;
};

#define CHECKED_FROM (offsetof(struct ldsl_artifact, checksum) + sizeof(uint64_t))

static uint64_t checksum_of(const ldsl_artifact *a)
{
    return XXH3_64bits((const char *)a + CHECKED_FROM, a->bytes - CHECKED_FROM);
}

static size_t align_up(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- making ----------------------------------------------------------------------------------- */

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

/* Offset 0 of the text table is the empty text. */
static size_t text_table_size(const struct artifact_parts *p)
{
    size_t bytes = 1 + text_size(p->info.name) + text_size(p->info.entry) +
                   text_size(p->info.target) + text_size(p->info.variant);
    for (uint32_t i = 0; i < p->info.slot_count; i++)
        bytes += text_size(p->slots[i].name);
    return bytes;
}

struct text_writer {
    char *table;
    uint32_t used;
};

static uint32_t add_text(struct text_writer *w, const char *text)
{
    uint32_t at = w->used;
    if (!text)
        return 0;
    memcpy(w->table + at, text, strlen(text) + 1);
    w->used += (uint32_t)strlen(text) + 1;
    return at;
}

static void fill(ldsl_artifact *a, const struct artifact_parts *p)
{
    struct text_writer texts = {(char *)a + a->text_offset, 1};
    struct ldsl_slot *slots = (void *)((char *)a + a->slot_offset);
    a->name = add_text(&texts, p->info.name);
    a->entry = add_text(&texts, p->info.entry);
    a->target = add_text(&texts, p->info.target);
    a->variant = add_text(&texts, p->info.variant);
    for (uint32_t i = 0; i < a->slot_count; i++)
        slots[i] = (struct ldsl_slot){(uint32_t)p->slots[i].kind, p->slots[i].dtype,
                                      p->slots[i].dim, add_text(&texts, p->slots[i].name)};
    if (p->data_bytes)
        memcpy((char *)a + a->data_offset, p->data, p->data_bytes);
    a->checksum = checksum_of(a);
}

ldsl_artifact *artifact_create(const struct artifact_parts *p)
{
    size_t slot_offset = sizeof(ldsl_artifact);
    size_t text_offset = slot_offset + p->info.slot_count * sizeof(struct ldsl_slot);
    size_t text_bytes = text_table_size(p);
    size_t data_offset = align_up(text_offset + text_bytes);
    size_t bytes = align_up(data_offset + p->data_bytes + 1);
    if (data_offset > UINT32_MAX || bytes < data_offset)
        return NULL;
    ldsl_artifact *a = calloc(1, bytes);
    if (!a)
        return NULL;
    *a = (ldsl_artifact){
        .magic = MAGIC,
        .version = VERSION,
        .bytes = bytes,
        .kind = (uint32_t)p->kind,
        .checked = p->info.checked,
        .dependent = p->info.dependent,
        .data_offset = data_offset,
        .data_bytes = p->data_bytes,
        .scratch_bytes = p->info.scratch_bytes,
        .slot_offset = (uint32_t)slot_offset,
        .slot_count = p->info.slot_count,
        .text_offset = (uint32_t)text_offset,
        .text_bytes = (uint32_t)text_bytes,
        .block_threads = p->info.block_threads,
        .cluster = p->info.cluster,
        .shared_bytes = p->info.shared_bytes,
        .registers = p->info.registers,
        .spill_bytes = p->info.spill_bytes,
    };
    fill(a, p);
    return a;
}

enum ldsl_status ldsl_artifact_with_code(ldsl_artifact **out, const ldsl_artifact *from,
                                         const void *code, size_t code_bytes)
{
    if (!out)
        return LDSL_ARGUMENT;
    *out = NULL;
    if (!from || !code || code_bytes > SIZE_MAX / 2)
        return LDSL_ARGUMENT;
    size_t bytes = align_up(from->data_offset + code_bytes + 1);
    ldsl_artifact *a = calloc(1, bytes);
    if (!a)
        return LDSL_NOMEM;
    memcpy(a, from, from->data_offset);
    memcpy((char *)a + a->data_offset, code, code_bytes);
    a->bytes = bytes;
    a->data_bytes = code_bytes;
    a->checksum = checksum_of(a);
    *out = a;
    return LDSL_OK;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static bool table_fits(const ldsl_artifact *a, uint64_t offset, uint64_t count, uint64_t size,
                       uint64_t align)
{
    return offset >= sizeof *a && offset <= a->bytes && offset % align == 0 &&
           count <= (a->bytes - offset) / size;
}

static bool texts_are_sound(const ldsl_artifact *a)
{
    const char *texts = (const char *)a + a->text_offset;
    const struct ldsl_slot *slots = (const void *)((const char *)a + a->slot_offset);
    if (!a->text_bytes || texts[0] || texts[a->text_bytes - 1])
        return false;
    for (uint32_t i = 0; i < a->slot_count; i++)
        if (slots[i].name >= a->text_bytes || slots[i].kind > LDSL_SLOT_SCALAR ||
            slots[i].dtype >= LDSL_DTYPE_COUNT)
            return false;
    return a->name < a->text_bytes && a->entry < a->text_bytes && a->target < a->text_bytes &&
           a->variant < a->text_bytes;
}

static bool is_sound(const ldsl_artifact *a, size_t bytes)
{
    if (a->magic != MAGIC || a->version != VERSION || a->bytes != bytes ||
        a->checksum != checksum_of(a) || a->kind > LDSL_ARTIFACT_KERNEL || a->checked > 1 ||
        a->dependent > 1)
        return false;
    if (!table_fits(a, a->slot_offset, a->slot_count, sizeof(struct ldsl_slot), 4) ||
        !table_fits(a, a->text_offset, a->text_bytes, 1, 1) ||
        !table_fits(a, a->data_offset, a->data_bytes, 1, ALIGN) ||
        a->data_offset + a->data_bytes >= a->bytes ||
        ((const char *)a)[a->data_offset + a->data_bytes])
        return false;
    return texts_are_sound(a);
}

enum ldsl_status ldsl_artifact_read(ldsl_artifact **out, const void *data, size_t bytes)
{
    if (!out)
        return LDSL_ARGUMENT;
    *out = NULL;
    if (!data || bytes < sizeof(ldsl_artifact))
        return LDSL_ARGUMENT;
    ldsl_artifact *a = malloc(bytes);
    if (!a)
        return LDSL_NOMEM;
    memcpy(a, data, bytes);
    if (!is_sound(a, bytes)) {
        free(a);
        return LDSL_ARGUMENT;
    }
    *out = a;
    return LDSL_OK;
}

/* ---- asking ----------------------------------------------------------------------------------- */

enum ldsl_artifact_kind ldsl_artifact_kind(const ldsl_artifact *a)
{
    return (enum ldsl_artifact_kind)a->kind;
}

const void *ldsl_artifact_data(const ldsl_artifact *a, size_t *bytes)
{
    if (bytes)
        *bytes = a->data_bytes;
    return (const char *)a + a->data_offset;
}

const char *ldsl_artifact_text(const ldsl_artifact *a, uint32_t offset)
{
    return (const char *)a + a->text_offset + (offset < a->text_bytes ? offset : 0);
}

bool ldsl_artifact_kernel(const ldsl_artifact *a, struct ldsl_kernel_info *info)
{
    if (a->kind != LDSL_ARTIFACT_KERNEL)
        return false;
    *info = (struct ldsl_kernel_info){
        .name = ldsl_artifact_text(a, a->name),
        .entry = ldsl_artifact_text(a, a->entry),
        .target = ldsl_artifact_text(a, a->target),
        .variant = ldsl_artifact_text(a, a->variant),
        .slots = (const void *)((const char *)a + a->slot_offset),
        .slot_count = a->slot_count,
        .block_threads = a->block_threads,
        .cluster = a->cluster,
        .shared_bytes = a->shared_bytes,
        .registers = a->registers,
        .spill_bytes = a->spill_bytes,
        .scratch_bytes = a->scratch_bytes,
        .checked = a->checked,
        .dependent = a->dependent,
    };
    return true;
}

const void *ldsl_artifact_bytes(const ldsl_artifact *a, size_t *bytes)
{
    *bytes = a->bytes;
    return a;
}

void ldsl_artifact_free(ldsl_artifact *a)
{
    free(a);
}
