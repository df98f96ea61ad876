#include "cases.h"

#include "expr.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Empty, one, primes, around vector widths, odd and even hundreds, past the widest held row. */
static const int64_t wide_sizes[] = {7, 0, 1, 3, 16, 17, 64, 129, 1000, 1031, 4096, 65541};
static const int64_t narrow_sizes[] = {3, 0, 1, 7, 17, 64};
static const int64_t gradient_wide[] = {5, 8}, gradient_narrow[] = {3, 2};
static const char *const parts_texts[] = {NULL, "parts=1", "parts=3", "parts=64"};

/* Each schedule value away from the compiler's choice, alone or with what it needs to matter: one warp,
 * many, a number that is no power of two; rows over several blocks; rows kept in registers, shared
 * memory, both, or read again; narrow accesses; loads through a ring, rows that wait in its slots.
 * What a kernel's tune block leaves out comes last: it is given up first. */
static const char *const schedule_texts[] = {
    NULL,
    "num_warps=1",
    "vector=4,num_warps=7",
    "early_weights=1,num_warps=16",
    "cluster=2,num_warps=2",
    "cluster=4,num_warps=5",
    "cluster=8,num_warps=1,hold=32",
    "hold=0,hold_registers=0,num_warps=2",
    "hold=64,hold_registers=2,num_warps=4",
    "hold_registers=6,vector=8,num_warps=8",
    "stages=2,num_warps=2",
    "stages=4,hold=32,num_warps=7",
    "in_shared=1,num_warps=4",
    "in_shared=2,stages=2,num_warps=3",
    "in_shared=3,stages=2,num_warps=4",
    "in_shared=3,stages=3,cluster=2,num_warps=2",
};
#define COUNT(list) ((uint32_t)(sizeof(list) / sizeof *(list)))

/* FEW_ELEMENTS: just enough for the widest row. */
enum { MOST_ELEMENTS = 1 << 18, FEW_ELEMENTS = 65541, EXHAUSTIVE = 24 };

/* ---- building ---------------------------------------------------------------------------------- */

static bool contains(const int64_t *list, unsigned count, int64_t value)
{
    for (unsigned i = 0; i < count; i++)
        if (list[i] == value)
            return true;
    return false;
}

static void add_size(int64_t *list, unsigned *count, int64_t value)
{
    if (*count < CASES_SIZES && value >= 0 && !contains(list, *count, value))
        list[(*count)++] = value;
}

static void set_sizes(struct cases *c, const int64_t *tiles, unsigned tile_count, unsigned flags)
{
    if (flags & CASES_GRADIENT) {
        memcpy(c->wide, gradient_wide, sizeof gradient_wide);
        memcpy(c->narrow, gradient_narrow, sizeof gradient_narrow);
        c->wide_count = c->narrow_count = 2;
        return;
    }
    for (size_t i = 0; i < sizeof wide_sizes / sizeof *wide_sizes; i++)
        add_size(c->wide, &c->wide_count, wide_sizes[i]);
    for (size_t i = 0; i < sizeof narrow_sizes / sizeof *narrow_sizes; i++)
        add_size(c->narrow, &c->narrow_count, narrow_sizes[i]);
    for (unsigned i = 0; i < tile_count; i++)
        for (int64_t by = -1; by <= 1; by++)
            add_size(c->wide, &c->wide_count, tiles[i] + by);
}

struct mention {
    const struct subject *subject;
    bool *dims;
};

static bool mark_dim(const void *user, const char *name, double *value)
{
    const struct mention *m = user;
    uint32_t d = subject_find_dim(m->subject, name);
    if (d != UINT32_MAX)
        m->dims[d] = true;
    *value = 1;
    return d != UINT32_MAX;
}

static void mark_dims(const struct subject *s, bool *dims, const char *text)
{
    struct mention mention = {.subject = s, .dims = dims};
    struct expr_names names = {.find = mark_dim, .user = &mention};
    int64_t value;
    (void)expr_dim(&value, text, &names);
}

/* The last dims of tensors, but not those that count rows elsewhere. */
static void find_wide_dims(struct cases *c)
{
    bool is_outer[SUBJECT_DIMS] = {false}, any = false;
    for (uint32_t i = 0; i < c->subject->info.param_count; i++) {
        const ldsl_op_param *p = &c->subject->params[i];
        for (uint32_t d = 0; p->kind == LDSL_KIND_TENSOR && d < p->rank; d++)
            mark_dims(c->subject, d + 1 == p->rank ? c->is_wide : is_outer, p->dims[d]);
    }
    for (uint32_t d = 0; d < c->subject->dim_count; d++) {
        c->is_wide[d] = c->is_wide[d] && !is_outer[d];
        any = any || c->is_wide[d];
    }
    for (uint32_t d = 0; !any && d < c->subject->dim_count; d++)
        c->is_wide[d] = true;
}

static void add_factor(struct cases *c, uint8_t *levels, enum factor_kind kind, uint32_t index,
                       uint32_t count)
{
    if (count < 2 || c->factor_count == COVER_FACTORS)
        return;
    levels[c->factor_count] = (uint8_t)(count > 200 ? 200 : count);
    c->factors[c->factor_count++] = (struct factor){.kind = kind, .index = index};
}

/* A gradient may want any result of the forward, so those are all there. */
static bool may_be_absent(const ldsl_op_param *p, unsigned flags)
{
    return p->kind == LDSL_KIND_TENSOR && p->optional &&
           !(flags & CASES_GRADIENT && p->role == LDSL_PARAM_OUTPUT);
}

static void add_param_factors(struct cases *c, uint8_t *levels, unsigned flags)
{
    for (uint32_t i = 0; i < c->subject->info.param_count; i++) {
        const ldsl_op_param *p = &c->subject->params[i];
        if (p->is_const)
            add_factor(c, levels, FACTOR_CHOICE, i, p->choice_count);
        else if (may_be_absent(p, flags))
            add_factor(c, levels, FACTOR_PRESENCE, i, 2);
        else if (p->kind == LDSL_KIND_SCALAR && p->sample && p->has_default)
            add_factor(c, levels, FACTOR_SCALAR, i, 2);
    }
}

bool cases_create(struct cases *out, const struct subject *s, const int64_t *tiles,
                  unsigned tile_count, unsigned flags)
{
    uint8_t levels[COVER_FACTORS];
    *out = (struct cases){.subject = s,
                          .most_elements = flags & CASES_SMALL ? FEW_ELEMENTS : MOST_ELEMENTS};
    set_sizes(out, tiles, tile_count, flags);
    find_wide_dims(out);
    for (uint32_t d = 0; d < s->dim_count; d++)
        add_factor(out, levels, FACTOR_DIM, d,
                   out->is_wide[d] ? out->wide_count : out->narrow_count);
    add_param_factors(out, levels, flags);
    if (!(flags & CASES_GRADIENT)) {
        for (uint32_t g = 0; g < s->generic_count; g++)
            add_factor(out, levels, FACTOR_TYPE, g, s->generics[g].count);
        add_factor(out, levels, FACTOR_LAYOUT, 0, 4);
        add_factor(out, levels, FACTOR_STYLE, 0, 2);
        if (flags & CASES_PARTS)
            add_factor(out, levels, FACTOR_PARTS, 0, COUNT(parts_texts));
        if (flags & CASES_SCHEDULES)
            add_factor(out, levels, FACTOR_SCHEDULE, 0, COUNT(schedule_texts));
    }
    return cover_create(&out->cover, levels, out->factor_count, EXHAUSTIVE);
}

void cases_destroy(struct cases *c)
{
    cover_destroy(&c->cover);
}

/* ---- applying ---------------------------------------------------------------------------------- */

static void set_choice(struct trial *t, uint32_t param, uint32_t level)
{
    const struct subject *s = t->subject;
    struct trial_param *value = &t->params[param];
    const char *word = NULL;
    value->given = ldsl_op_choice(s->library, s->info.name, param, level, &value->integer, &word);
    value->is_integer = true;
    value->number = (double)value->integer;
    value->word = word;
}

static void apply_factor(struct trial *t, enum style *style, const struct cases *c,
                         const struct factor *f, uint8_t level)
{
    switch (f->kind) {
    case FACTOR_DIM:
        t->dims[f->index] = c->is_wide[f->index] ? c->wide[level] : c->narrow[level];
        return;
    case FACTOR_TYPE: t->types[f->index] = c->subject->generics[f->index].dtypes[level]; return;
    case FACTOR_CHOICE: set_choice(t, f->index, level); return;
    case FACTOR_PRESENCE: t->params[f->index].absent = level == 1; return;
    case FACTOR_SCALAR:
        if (level == 1)
            trial_sample_scalar(t, f->index, level);
        return;
    case FACTOR_LAYOUT: t->layout = level; return;
    case FACTOR_STYLE: *style = level ? STYLE_EXTREMES : STYLE_SAMPLE; return;
    case FACTOR_PARTS: t->parts = parts_texts[level]; return;
    case FACTOR_SCHEDULE: t->with = schedule_texts[level]; return;
    }
}

/* Scalars without a default must be given. */
static void give_scalars(struct trial *t)
{
    for (uint32_t i = 0; i < t->subject->info.param_count; i++) {
        const ldsl_op_param *p = &t->subject->params[i];
        struct trial_param *value = &t->params[i];
        if (p->kind == LDSL_KIND_TENSOR || p->has_default || value->given)
            continue;
        if (p->is_const)
            set_choice(t, i, 0);
        else if (!trial_sample_scalar(t, i, 1))
            *value = (struct trial_param){
                .given = true, .number = 1, .integer = 1, .is_integer = !dtype_is_float(p->dtype)};
    }
}

/* Halves the narrow dims, then the wide ones, the largest first, until every tensor is small enough. */
void cases_shrink(struct trial *t, const struct cases *c)
{
    while (trial_elements(t) > c->most_elements) {
        uint32_t largest = UINT32_MAX;
        for (int wide = 0; wide < 2 && largest == UINT32_MAX; wide++)
            for (uint32_t d = 0; d < c->subject->dim_count; d++)
                if (c->is_wide[d] == wide && t->dims[d] > 1 &&
                    (largest == UINT32_MAX || t->dims[d] > t->dims[largest]))
                    largest = d;
        if (largest == UINT32_MAX)
            return;
        t->dims[largest] /= 2;
    }
}

void cases_ordinary(struct trial *t, const struct cases *c)
{
    for (uint32_t d = 0; d < c->subject->dim_count; d++)
        t->dims[d] = c->is_wide[d] ? 1000 : 3;
    give_scalars(t);
    cases_shrink(t, c);
}

void cases_apply(struct trial *t, enum style *style, const struct cases *c, size_t i)
{
    *style = STYLE_SAMPLE;
    for (uint32_t d = 0; d < c->subject->dim_count; d++)
        t->dims[d] = c->is_wide[d] ? c->wide[0] : c->narrow[0];
    for (unsigned f = 0; f < c->factor_count; f++)
        apply_factor(t, style, c, &c->factors[f], c->cover.rows[i * c->factor_count + f]);
    give_scalars(t);
    cases_shrink(t, c);
}

/* ---- in words ---------------------------------------------------------------------------------- */

struct text {
    char *data;
    size_t size, length;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
    va_list args;
    if (text->length + 1 >= text->size)
        return;
    if (text->length)
        text->data[text->length++] = ' ';
    va_start(args, format);
    int length = vsnprintf(text->data + text->length, text->size - text->length, format, args);
    va_end(args);
    text->length += (size_t)(length > 0 ? length : 0);
}

static void describe_param(struct text *text, const struct trial *t, uint32_t i)
{
    const ldsl_op_param *p = &t->subject->params[i];
    const struct trial_param *value = &t->params[i];
    if (value->absent)
        add(text, "no %s", p->name);
    else if (!value->given)
        return;
    else if (p->kind == LDSL_KIND_ENUM)
        add(text, "%s=%s", p->name, value->word);
    else if (value->is_integer)
        add(text, "%s=%" PRId64, p->name, value->integer);
    else
        add(text, "%s=%.4g", p->name, value->number);
}

void cases_describe(char *text, size_t size, const struct trial *t, enum style style)
{
    struct text out = {.data = text, .size = size};
    const struct subject *s = t->subject;
    if (size)
        *text = '\0';
    for (uint32_t g = 0; g < s->generic_count; g++)
        add(&out, "%s=%s", s->generics[g].name, ldsl_dtype_name(t->types[g]));
    for (uint32_t i = 0; i < s->info.param_count; i++)
        describe_param(&out, t, i);
    for (uint32_t d = 0; d < s->dim_count; d++)
        add(&out, "%s=%" PRId64, s->dims[d], t->dims[d]);
    if (t->layout & LAYOUT_PADDED)
        add(&out, "padded");
    if (t->layout & LAYOUT_MISALIGNED)
        add(&out, "misaligned");
    if (style == STYLE_EXTREMES)
        add(&out, "extremes");
    if (t->parts)
        add(&out, "%s", t->parts);
    if (t->with)
        add(&out, "%s", t->with);
}

/* ---- learning ---------------------------------------------------------------------------------- */

void cases_learn_tiles(int64_t *tiles, unsigned *count, unsigned capacity, const char *variant)
{
    while (*variant) {
        size_t length = strcspn(variant, ",");
        const char *equals = memchr(variant, '=', length);
        int64_t value =
            equals && isdigit((unsigned char)equals[1]) ? strtoll(equals + 1, NULL, 10) : 0;
        bool launch_word =
            strncmp(variant, "num_warps=", 10) == 0 || strncmp(variant, "stages=", 7) == 0;
        if (value >= 4 && value <= 16384 && !launch_word && *count < capacity &&
            !contains(tiles, *count, value))
            tiles[(*count)++] = value;
        variant += length;
        variant += *variant == ',';
    }
}
