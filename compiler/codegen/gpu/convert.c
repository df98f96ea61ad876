/* Accesses with layouts of their own. A load is done as its own layout's threads do it, and what it gives
 * is converted to the function's layout; a store converts first. */
#include "codegen/gpu/convert.h"

static LLVMValueRef constant(struct gen *g, uint64_t value)
{
    return gen_int(g, g->t_i32, (int64_t)value);
}

static LLVMValueRef add(struct gen *g, LLVMValueRef a, LLVMValueRef b)
{
    return a ? LLVMBuildAdd(g->b, a, b, "") : b;
}

/* A conversion that is being emitted, while the axes stand as `from` sees them. */
struct transfer {
    const struct gpu_conversion *plan;
    struct ir_value *v;
    struct gpu_value *to;
    LLVMValueRef threads[IR_MAX_AXIS]; /* i32: this thread's part of coordinates in the layout
                                          converted to; NULL: 0 */
};

static bool has(const struct transfer *t, uint32_t axis)
{
    return t->plan->axes >> axis & 1;
}

static bool is_half(const struct transfer *t)
{
    return t->v->type.elem == IR_F16 || t->v->type.elem == IR_BF16;
}

/* ---- words in shared memory -------------------------------------------------------------------- */

static LLVMTypeRef memory_type(struct gen *g, uint32_t bytes)
{
    if (bytes < 4)
        return LLVMIntTypeInContext(g->context, 8 * bytes);
    return gen_wide(g->t_i32, bytes / 4);
}

static LLVMValueRef as_bits(struct gen *g, LLVMValueRef x)
{
    LLVMValueRef words[2];
    gpu_to_words(g, x, words);
    return words[0];
}

/* One word of the registers from number i on in the order of the access: one element, several narrow
 * ones, or half of a wide one. */
static LLVMValueRef join(struct gen *g, const struct transfer *t, const uint32_t *regs,
                         uint32_t bytes, uint32_t word)
{
    uint32_t each = t->plan->bytes, count = 4 / (each < 4 ? each : 4);
    if (each == 8) {
        LLVMValueRef halves[2];
        gpu_to_words(g, gpu_reg(g, t->v, regs[word / 2]), halves);
        return halves[word % 2];
    }
    count = bytes < 4 ? bytes / each : count;
    regs += word * count;
    if (is_half(t) && count == 2)
        return gpu_pair(g, t->v, regs[0], regs[1]);
    LLVMValueRef all = NULL;
    for (uint32_t k = 0; k < count; k++) {
        LLVMValueRef x = as_bits(g, gpu_reg(g, t->v, regs[k]));
        if (k)
            x = LLVMBuildShl(g->b, x, constant(g, 8 * each * k), "");
        all = all ? LLVMBuildOr(g->b, all, x, "") : x;
    }
    return all;
}

static LLVMValueRef pack(struct gen *g, const struct transfer *t, const uint32_t *regs)
{
    uint32_t bytes = t->plan->write * t->plan->bytes;
    LLVMTypeRef type = memory_type(g, bytes);
    if (bytes <= 4) {
        LLVMValueRef word = join(g, t, regs, bytes, 0);
        return bytes < 4 ? LLVMBuildTrunc(g->b, word, type, "") : word;
    }
    LLVMValueRef all = LLVMGetPoison(type);
    for (uint32_t w = 0; w < bytes / 4; w++)
        all = LLVMBuildInsertElement(g->b, all, join(g, t, regs, bytes, w), constant(g, w), "");
    return all;
}

static void set(struct gen *g, const struct transfer *t, uint32_t reg, LLVMValueRef x)
{
    gpu_remember(g, &t->to->regs[reg], x);
}

/* The element that begins so many bytes after the beginning of what was read. */
static LLVMValueRef element_at(struct gen *g, const struct transfer *t, LLVMValueRef all,
                               uint32_t at)
{
    LLVMValueRef words[2];
    LLVMTypeRef type = gen_type(g, t->v->type.elem);
    bool narrow =
        LLVMTypeOf(all) != g->t_i32 && LLVMGetTypeKind(LLVMTypeOf(all)) == LLVMIntegerTypeKind;
    words[0] = narrow ? LLVMBuildZExt(g->b, all, g->t_i32, "") : gen_lane(g, all, at / 4);
    if (at % 4)
        words[0] = LLVMBuildLShr(g->b, words[0], constant(g, 8 * (at % 4)), "");
    if (t->plan->bytes == 8)
        words[1] = gen_lane(g, all, at / 4 + 1);
    return gpu_from_words(g, type, words);
}

static void unpack(struct gen *g, const struct transfer *t, LLVMValueRef all, const uint32_t *regs)
{
    uint32_t each = t->plan->bytes;
    for (uint32_t k = 0; k < t->plan->read; k++) {
        bool pair =
            t->to->words && k + 1 < t->plan->read && regs[k] % 2 == 0 && regs[k + 1] == regs[k] + 1;
        if (pair) {
            gpu_remember(g, &t->to->words[regs[k] / 2], gen_lane(g, all, k / 2));
            k++;
        } else {
            set(g, t, regs[k], element_at(g, t, all, k * each));
        }
    }
}

/* ---- through shared memory --------------------------------------------------------------------- */

/* One side: who writes, or reads, where. */
struct side {
    struct gpu_view along;
    struct gpu_pitch pitches[IR_MAX_AXIS];
    LLVMValueRef base; /* i32: the place of this thread's first element */
};

/* threads: their parts of coordinates in this side's layout. */
static struct side make_side(struct gen *g, const struct transfer *t, const struct gpu_layout *l,
                             LLVMValueRef const *threads, LLVMValueRef base)
{
    struct side s = {.along = gpu_view_along(l, t->plan->axes, t->plan->fast), .base = base};
    for (uint32_t a = 0; a < g->f->axes.count; a++) {
        struct gpu_pitch *p = &s.pitches[a];
        *p = t->plan->pitches[a];
        if (has(t, a) && p->pad && g->gpu->hooks->basis)
            p->pad = g->gpu->hooks->basis(&g->gpu->lane, p->pad);
        if (!has(t, a) || !threads[a])
            continue;
        s.base = add(g, s.base, LLVMBuildMul(g->b, threads[a], constant(g, p->pitch), ""));
        if (!p->pad)
            continue;
        LLVMValueRef pads = LLVMBuildUDiv(g->b, threads[a], constant(g, p->every), "");
        s.base = add(g, s.base, LLVMBuildMul(g->b, pads, constant(g, p->pad), ""));
    }
    return s;
}

/* The place of the element in register i of the side's view. */
static LLVMValueRef place_of(struct gen *g, const struct side *s, uint32_t i)
{
    const struct gpu_layout *l = s->along.layout;
    uint32_t place = 0;
    for (uint32_t a = 0; a < l->axis_count; a++)
        if (s->along.axes >> a & 1) {
            uint32_t r = gpu_view_digit(&s->along, i, (uint8_t)a);
            place += gpu_place_along(&s->pitches[a], gpu_axis_offset(&l->axes[a], r));
        }
    return add(g, s->base, constant(g, place));
}

/* The registers of `own` that go together in an access of `along`, from its number i on. */
static void find_regs(const struct gpu_view *along, const struct gpu_view *own, uint32_t i,
                      uint32_t count, uint32_t *regs)
{
    for (uint32_t k = 0; k < count; k++)
        regs[k] = gpu_view_map(along, i + k, own);
}

enum { MOST_TOGETHER = 16 };

static void write_all(struct gen *g, const struct transfer *t, LLVMValueRef base)
{
    const struct gpu_conversion *c = t->plan;
    LLVMValueRef threads[IR_MAX_AXIS], owner = gpu_owner(g, c->axes);
    uint32_t regs[MOST_TOGETHER];
    for (uint32_t a = 0; a < g->f->axes.count; a++)
        threads[a] = g->gpu->axes[a].thread;
    struct side s = make_side(g, t, c->from, threads, base);
    for (uint32_t i = 0; i < s.along.count; i += c->write) {
        find_regs(&s.along, &gpu_value(g, t->v)->view, i, c->write, regs);
        g->gpu->hooks->shared_store(&g->gpu->lane, pack(g, t, regs), place_of(g, &s, i), owner,
                                    NULL);
    }
}

/* Nothing was written beyond what `from` covers. NULL: all was. */
static LLVMValueRef was_written(struct gen *g, const struct transfer *t,
                                const struct gpu_view *view, uint32_t i)
{
    LLVMValueRef in = NULL;
    for (uint32_t a = 0; a < g->f->axes.count; a++) {
        if (!has(t, a) || t->plan->to->axes[a].cover <= t->plan->from->axes[a].cover)
            continue;
        uint32_t r = gpu_view_digit(view, i, (uint8_t)a);
        LLVMValueRef at = constant(g, gpu_axis_offset(&t->plan->to->axes[a], r));
        at = t->threads[a] ? LLVMBuildAdd(g->b, t->threads[a], at, "") : at;
        LLVMValueRef cover = constant(g, t->plan->from->axes[a].cover);
        in = gpu_and(g, in, LLVMBuildICmp(g->b, LLVMIntULT, at, cover, ""));
    }
    return in;
}

static void read_all(struct gen *g, const struct transfer *t, LLVMValueRef base)
{
    const struct gpu_conversion *c = t->plan;
    LLVMTypeRef type = memory_type(g, c->read * c->bytes);
    struct side s = make_side(g, t, c->to, t->threads, base);
    uint32_t regs[MOST_TOGETHER];
    for (uint32_t i = 0; i < s.along.count; i += c->read) {
        LLVMValueRef written = was_written(g, t, &s.along, i);
        LLVMValueRef all =
            g->gpu->hooks->shared_load(&g->gpu->lane, type, place_of(g, &s, i), written);
        find_regs(&s.along, &t->to->view, i, c->read, regs);
        unpack(g, t, all, regs);
    }
}

/* Before others take what is left. One conversion that happens once needs one copy. */
void gpu_reserve_conversions(struct gen *g)
{
    const struct gpu_layout *l = g->gpu->layout;
    uint32_t most = 0;
    bool again = l->anchor_count > 1;
    for (uint32_t i = 0; i < l->anchor_count; i++) {
        const struct gpu_conversion *c = l->anchors[i].conversion;
        most = c && c->shared_bytes > most ? c->shared_bytes : most;
        again |= l->anchors[i].again;
    }
    if (most)
        g->gpu->conversions = gpu_shared_turns(g, most, again);
}

static void by_shared_memory(struct gen *g, const struct transfer *t)
{
    LLVMValueRef base = gpu_shared_take(g, &g->gpu->conversions);
    write_all(g, t, base);
    gpu_barrier(g);
    read_all(g, t, base);
}

/* ---- within a warp ----------------------------------------------------------------------------- */

/* The lane and the register that hold what register i is to hold. */
static void find_holder(struct gen *g, const struct transfer *t, uint32_t i, LLVMValueRef *lane,
                        LLVMValueRef *reg)
{
    const struct gpu_conversion *c = t->plan;
    uint32_t weight = 1;
    *lane = *reg = constant(g, 0);
    for (uint32_t k = c->from->axis_count; k-- > 0;) {
        uint8_t a = c->from->order[k];
        if (!has(t, a))
            continue;
        uint32_t offset = gpu_axis_offset(&c->to->axes[a], gpu_view_digit(&t->to->view, i, a));
        LLVMValueRef at = constant(g, offset);
        at = t->threads[a] ? LLVMBuildAdd(g->b, t->threads[a], at, "") : at;
        *lane = add(g, *lane, gpu_lane_of(g, &c->from->axes[a], at));
        LLVMValueRef number = gpu_register_of(g, &c->from->axes[a], at);
        *reg = add(g, *reg, LLVMBuildMul(g->b, number, constant(g, weight), ""));
        weight *= c->from->axes[a].regs;
    }
}

/* Every lane shuffles for each register that some lane wants, and takes its own. */
static LLVMValueRef shuffled(struct gen *g, const struct transfer *t, uint32_t i)
{
    const struct gpu_sources *s = &t->plan->sources[i];
    LLVMTypeRef type = gen_type(g, t->v->type.elem);
    LLVMValueRef lane, reg, x = NULL;
    find_holder(g, t, i, &lane, &reg);
    for (uint32_t k = 0; k < s->count; k++) {
        LLVMValueRef words[2];
        uint32_t count = gpu_to_words(g, gpu_reg(g, t->v, s->regs[k]), words);
        for (uint32_t w = 0; w < count; w++)
            words[w] = g->gpu->hooks->shuffle_from(&g->gpu->lane, words[w], lane);
        LLVMValueRef got = gpu_from_words(g, type, words);
        LLVMValueRef here = LLVMBuildICmp(g->b, LLVMIntEQ, reg, constant(g, s->regs[k]), "");
        x = x ? LLVMBuildSelect(g->b, here, got, x, "") : got;
    }
    return x;
}

/* ---- converting -------------------------------------------------------------------------------- */

static void convert(struct gen *g, const struct transfer *t)
{
    switch (t->plan->means) {
    case GPU_RENAME:
        for (uint32_t i = 0; i < t->to->view.count; i++)
            set(g, t, i, gpu_reg(g, t->v, t->plan->sources[i].regs[0]));
        return;
    case GPU_SHUFFLE:
        for (uint32_t i = 0; i < t->to->view.count; i++)
            set(g, t, i, shuffled(g, t, i));
        return;
    case GPU_SHARED: by_shared_memory(g, t); return;
    }
}

static axis_set axes_of(const struct gen *g, const struct ir_node *n)
{
    const struct ir_value *v =
        n->result_count ? n->results[0] : n->operands[g->f->tensors.data[n->attr.tensor].rank];
    return gpu_subscript_axes(g->f, n) | v->type.axes;
}

static void load_converted(struct gen *g, struct ir_node *n, const struct gpu_anchor *anchor)
{
    struct ir_value *v = n->results[0];
    struct transfer t = {anchor->conversion, v, gpu_value(g, v), {NULL}};
    struct gpu_standing saved;
    for (uint32_t a = 0; a < g->f->axes.count; a++)
        t.threads[a] = g->gpu->axes[a].thread;
    gpu_step_into(g, anchor->layout, axes_of(g, n), &saved);
    g->gpu->values[v->id] = NULL; /* made anew, as this layout holds it */
    gpu_load_here(g, n);
    convert(g, &t);
    g->gpu->values[v->id] = t.to;
    gpu_step_back(g, &saved);
}

/* A value that stands in for v, held by another layout. */
static struct gpu_value *stand_in(struct gen *g, struct ir_value *v, const struct gpu_layout *l)
{
    struct gpu_value *gv = arena_new(&g->s->module, struct gpu_value);
    gv->v = v;
    gv->view = gpu_view(l, v->type.axes);
    gv->regs = arena_array(&g->s->module, LLVMValueRef, gv->view.count);
    if ((v->type.elem == IR_F16 || v->type.elem == IR_BF16) && gv->view.count % 2 == 0)
        gv->words = arena_array(&g->s->module, LLVMValueRef, gv->view.count / 2);
    return gv;
}

static void store_converted(struct gen *g, struct ir_node *n, const struct gpu_anchor *anchor)
{
    struct ir_value *v = n->operands[g->f->tensors.data[n->attr.tensor].rank];
    struct gpu_value *own = gpu_value(g, v);
    struct gpu_standing saved;
    if (anchor->conversion) {
        struct transfer t = {anchor->conversion, v, stand_in(g, v, anchor->layout), {NULL}};
        for (uint32_t a = 0; a < g->f->axes.count; a++)
            if (has(&t, a))
                t.threads[a] = gpu_thread_part(g, &anchor->layout->axes[a]);
        convert(g, &t);
        g->gpu->values[v->id] = t.to;
    }
    gpu_step_into(g, anchor->layout, axes_of(g, n), &saved);
    gpu_store_here(g, n);
    gpu_step_back(g, &saved);
    g->gpu->values[v->id] = own;
}

void gpu_load(struct gen *g, struct ir_node *n)
{
    const struct gpu_anchor *anchor = gpu_anchor_of(g->gpu->layout, n);
    if (gpu_is_loaded(g, n))
        return;
    if (anchor)
        load_converted(g, n, anchor);
    else
        gpu_load_here(g, n);
}

void gpu_store(struct gen *g, struct ir_node *n)
{
    const struct gpu_anchor *anchor = gpu_anchor_of(g->gpu->layout, n);
    if (anchor)
        store_converted(g, n, anchor);
    else
        gpu_store_here(g, n);
}
