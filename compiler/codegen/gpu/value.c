/* Registers of values. What acts has set its registers; elementwise ops are computed a register at a
 * time when somebody asks, and remembered until their region ends. */
#include "codegen/gpu/gpu.h"

/* A chain of so many simple ops is computed again rather than kept over a barrier; where rows wait in
 * shared memory for the sake of registers, so is one with an exponential. */
enum { CHEAP = 4, CHEAP_FROM_SHARED = 10 };

static bool is_half(enum ir_elem e)
{
    return e == IR_F16 || e == IR_BF16;
}

/* ---- memo -------------------------------------------------------------------------------------- */

static void remember(struct gen *g, LLVMValueRef *place, LLVMValueRef x, bool cheap)
{
    vec_push(&g->s->module, &g->gpu->memo, (struct memo){place, *place, cheap});
    *place = x;
}

void gpu_remember(struct gen *g, LLVMValueRef *place, LLVMValueRef x)
{
    remember(g, place, x, false);
}

uint32_t gpu_enter(struct gen *g)
{
    return g->gpu->memo.count;
}

void gpu_leave(struct gen *g, uint32_t mark)
{
    while (g->gpu->memo.count > mark) {
        struct memo *m = &g->gpu->memo.data[--g->gpu->memo.count];
        *m->place = m->old;
    }
}

/* ---- what is lazy, what is cheap --------------------------------------------------------------- */

/* A reduction over axes whose tiles have one element gives that element. If wanted, it is computed
 * where it is used: what rounds add up then takes no registers while the block waits. */
static bool is_of_one(const struct gen *g, const struct ir_node *n)
{
    const struct ir_func *f = g->f;
    if (g->gpu->schedule.in_shared < 2 || n->region_count || n->result_count != 1 ||
        n->attr.to != IR_NO_AXIS || n->results[0]->type.elem != n->operands[0]->type.elem)
        return false;
    for (uint32_t a = 0; a < f->axes.count; a++)
        if ((n->attr.axes >> a & 1) &&
            (f->axes.data[a].tile != 1 || f->axes.data[a].kind == IR_AXIS_PART))
            return false;
    return true;
}

static bool is_lazy(const struct gen *g, const struct ir_value *v)
{
    if (v->def != IR_DEF_NODE)
        return false;
    switch ((int)v->node->op) {
    case IR_OP_reduce: return is_of_one(g, v->node);
    case IR_OP_const:
    case IR_OP_index:
    case IR_OP_spread:
    case IR_OP_merge:
    case IR_OP_expand: return true;
    default: return ir_op_info(v->node->op)->traits & IR_ELEMENTWISE;
    }
}

/* Ops of about one instruction; others cost more than a register. */
static uint8_t cost_of(const struct ir_node *n)
{
    switch ((int)n->op) {
    case IR_OP_reduce:
    case IR_OP_const: return 0;
    case IR_OP_index:
    case IR_OP_spread:
    case IR_OP_merge:
    case IR_OP_expand:
    case IR_OP_neg:
    case IR_OP_abs:
    case IR_OP_not:
    case IR_OP_add:
    case IR_OP_sub:
    case IR_OP_mul:
    case IR_OP_fma:
    case IR_OP_fmin:
    case IR_OP_fmax:
    case IR_OP_min:
    case IR_OP_max:
    case IR_OP_and:
    case IR_OP_or:
    case IR_OP_xor:
    case IR_OP_cmp:
    case IR_OP_select: return 1;
    case IR_OP_cast: return is_half(n->operands[0]->type.elem) ? 1 : 2;
    case IR_OP_exp:
    case IR_OP_exp2: return CHEAP + 1;
    default: return CHEAP_FROM_SHARED + 1;
    }
}

/* Cheap: a short chain of simple ops on what is kept anyway, of which something is 16 bits wide. */
static void judge(struct gen *g, struct gpu_value *gv)
{
    const struct ir_node *n = gv->v->node;
    unsigned cost = cost_of(n);
    bool narrow = n->op == IR_OP_index;
    for (uint32_t i = 0; i < n->operand_count; i++) {
        if (!n->operands[i]->type.axes)
            continue;
        const struct gpu_value *x = gpu_value(g, n->operands[i]);
        bool kept = !x->lazy || (!x->cheap && x->view.count < gv->view.count); /* of a row */
        cost += kept ? 0 : x->cost;
        bool parked = g->gpu->schedule.in_shared && n->operands[i]->def == IR_DEF_NODE &&
                      n->operands[i]->node->op == IR_OP_load;
        narrow |= x->lazy ? x->cheap : x->words != NULL || parked;
    }
    unsigned most = g->gpu->schedule.in_shared ? CHEAP_FROM_SHARED : CHEAP;
    gv->cost = (uint8_t)(cost > most ? most + 1 : cost);
    gv->cheap = cost <= most && narrow;
}

static void keep_words(struct gen *g, struct gpu_value *gv)
{
    if (is_half(gv->v->type.elem) && gv->view.count % 2 == 0)
        gv->words = arena_array(&g->s->module, LLVMValueRef, gv->view.count / 2);
}

struct gpu_value *gpu_value(struct gen *g, struct ir_value *v)
{
    struct gpu_value **at = &g->gpu->values[v->id];
    if (*at)
        return *at;
    struct gpu_value *gv = *at = arena_new(&g->s->module, struct gpu_value);
    gv->v = v;
    gv->view = gpu_view(g->gpu->layout, v->type.axes);
    gv->regs = arena_array(&g->s->module, LLVMValueRef, gv->view.count);
    gv->lazy = is_lazy(g, v);
    bool packed = gv->lazy || (v->def == IR_DEF_NODE && v->node->op == IR_OP_load);
    if (packed)
        keep_words(g, gv);
    if (gv->lazy && v->type.axes)
        judge(g, gv);
    return gv;
}

/* ---- halves and words -------------------------------------------------------------------------- */

static LLVMValueRef half_of(struct gen *g, LLVMValueRef word, bool high)
{
    if (high)
        word = LLVMBuildLShr(g->b, word, gen_int(g, g->t_i32, 16), "");
    return LLVMBuildTrunc(g->b, word, g->t_i16, "");
}

/* A bf16 is the upper half of an f32: no 16-bit register is needed. */
static LLVMValueRef widen_half(struct gen *g, enum ir_elem e, LLVMValueRef word, bool high)
{
    if (e == IR_F16)
        return gen_cast(g, half_of(g, word, high), e, IR_F32);
    LLVMValueRef bits = high ? LLVMBuildAnd(g->b, word, gen_int(g, g->t_i32, 0xffff0000), "")
                             : LLVMBuildShl(g->b, word, gen_int(g, g->t_i32, 16), "");
    return LLVMBuildBitCast(g->b, bits, g->t_f32, "");
}

static LLVMValueRef join_halves(struct gen *g, LLVMValueRef low, LLVMValueRef high)
{
    low = LLVMBuildZExt(g->b, low, g->t_i32, "");
    high = LLVMBuildZExt(g->b, high, g->t_i32, "");
    high = LLVMBuildShl(g->b, high, gen_int(g, g->t_i32, 16), "");
    return LLVMBuildOr(g->b, low, high, "");
}

static bool is_narrowing(const struct ir_value *v)
{
    return v->def == IR_DEF_NODE && v->node->op == IR_OP_cast && is_half(v->type.elem) &&
           v->node->operands[0]->type.elem == IR_F32;
}

/* ---- indexes ----------------------------------------------------------------------------------- */

/* i32: the coordinate of register i from the tile's start. */
static LLVMValueRef coordinate(struct gen *g, const struct gpu_view *view, uint32_t i, uint8_t axis)
{
    const struct gpu_axis_layout *l = &g->gpu->layout->axes[axis];
    uint32_t offset = gpu_axis_offset(l, gpu_view_digit(view, i, axis));
    LLVMValueRef c = gen_int(g, g->t_i32, offset), thread = g->gpu->axes[axis].thread;
    return thread ? LLVMBuildAdd(g->b, thread, c, "") : c;
}

static LLVMValueRef index_of(struct gen *g, const struct gpu_view *view, uint32_t i, uint8_t axis)
{
    const struct gpu_axis *a = &g->gpu->axes[axis];
    if (!a->placed)
        diag_bug(g->s, g->f->at, "index of axis %s outside its sweep", g->f->axes.data[axis].name);
    if (!(view->axes & ((axis_set)1 << axis)))
        return a->start;
    LLVMValueRef c = LLVMBuildZExt(g->b, coordinate(g, view, i, axis), g->t_i64, "");
    return LLVMBuildAdd(g->b, a->start, c, "");
}

static bool is_index(const struct ir_value *v)
{
    return v->def == IR_DEF_NODE && v->node->op == IR_OP_index && v->type.axes;
}

/* index{a} against a scalar: both counted from this thread's place, in 32 bits. What lies outside
 * the tile is moved to just outside, which compares alike. */
static LLVMValueRef compare_index(struct gen *g, struct gpu_value *gv, uint32_t i)
{
    const struct ir_node *n = gv->v->node;
    bool swapped = is_index(n->operands[1]);
    struct ir_value *scalar = n->operands[swapped ? 0 : 1];
    uint8_t axis = n->operands[swapped]->node->attr.axis;
    if (n->attr.kind == IR_CMP_EQ && g->gpu->absent && gpu_is_absent(g, scalar, axis))
        return gen_int(g, g->t_i1, 0);
    if (!gv->aside) {
        const struct gpu_axis *a = &g->gpu->axes[axis];
        LLVMTypeRef t = g->t_i64;
        LLVMValueRef d = LLVMBuildSub(g->b, gpu_scalar(g, scalar), a->start, "");
        if (a->thread)
            d = LLVMBuildSub(g->b, d, LLVMBuildZExt(g->b, a->thread, t, ""), "");
        LLVMValueRef high[] = {d, gen_int(g, t, INT32_MAX)};
        d = gen_intrinsic(g, "llvm.smin", &t, 1, high, 2);
        LLVMValueRef low[] = {d, gen_int(g, t, INT32_MIN)};
        d = gen_intrinsic(g, "llvm.smax", &t, 1, low, 2);
        /* Pinned, or LLVM would compare in 64 bits after all. */
        d = g->gpu->hooks->pin(&g->gpu->lane, LLVMBuildTrunc(g->b, d, g->t_i32, ""), false);
        remember(g, &gv->aside, d, false);
    }
    const struct gpu_axis_layout *l = &g->gpu->layout->axes[axis];
    LLVMValueRef here =
        gen_int(g, g->t_i32, gpu_axis_offset(l, gpu_view_digit(&gv->view, i, axis)));
    LLVMValueRef x[] = {here, gv->aside};
    return gen_compare(g, (enum ir_cmp)n->attr.kind, IR_I32, x[swapped], x[!swapped]);
}

/* ---- computing --------------------------------------------------------------------------------- */

static LLVMValueRef merge(struct gen *g, struct gpu_value *gv, uint32_t i)
{
    const struct ir_node *n = gv->v->node;
    LLVMValueRef x = gpu_reg_in(g, n->operands[0], &gv->view, i);
    LLVMValueRef there = gpu_exists(g, &gv->view, i, (axis_set)1 << n->attr.axis);
    if (!there)
        return x;
    return LLVMBuildSelect(g->b, there, x, gpu_reg_in(g, n->operands[1], &gv->view, i), "");
}

/* A 16-bit operand straight from its word. */
static LLVMValueRef widen(struct gen *g, struct gpu_value *gv, uint32_t i)
{
    struct ir_value *from = gv->v->node->operands[0];
    struct gpu_value *x = gpu_value(g, from);
    uint32_t r = gpu_view_map(&gv->view, i, &x->view);
    if (gv->v->type.elem != IR_F32 || !is_half(from->type.elem) || !x->words || x->regs[r])
        return NULL;
    return widen_half(g, from->type.elem, gpu_word(g, from, r / 2), r % 2);
}

static LLVMValueRef elementwise(struct gen *g, struct gpu_value *gv, uint32_t i)
{
    const struct ir_node *n = gv->v->node;
    LLVMValueRef x[4];
    if (n->op == IR_OP_cmp && is_index(n->operands[0]) && !n->operands[1]->type.axes)
        return compare_index(g, gv, i);
    if (n->op == IR_OP_cmp && is_index(n->operands[1]) && !n->operands[0]->type.axes)
        return compare_index(g, gv, i);
    LLVMValueRef v = n->op == IR_OP_cast ? widen(g, gv, i) : NULL;
    if (v)
        return v;
    for (uint32_t k = 0; k < n->operand_count; k++)
        x[k] = gpu_reg_in(g, n->operands[k], &gv->view, i);
    return gen_elementwise(g, n, x);
}

static LLVMValueRef compute(struct gen *g, struct gpu_value *gv, uint32_t i)
{
    const struct ir_node *n = gv->v->node;
    switch ((int)n->op) {
    case IR_OP_const: return gen_constant(g, n);
    case IR_OP_index: return index_of(g, &gv->view, i, n->attr.axis);
    case IR_OP_reduce:
    case IR_OP_spread:
    case IR_OP_expand: return gpu_reg_in(g, n->operands[0], &gv->view, i);
    case IR_OP_merge: return merge(g, gv, i);
    default: return elementwise(g, gv, i);
    }
}

LLVMValueRef gpu_reg(struct gen *g, struct ir_value *v, uint32_t i)
{
    struct gpu_value *gv = gpu_value(g, v);
    if (gv->regs[i])
        return gv->regs[i];
    LLVMValueRef x;
    if ((gv->late || gv->parked) && !(gv->words && gv->words[i / 2]))
        gpu_load_late(g, gv, i);
    if (gv->regs[i])
        return gv->regs[i];
    if (gv->words && gv->words[i / 2])
        x = half_of(g, gv->words[i / 2], i % 2);
    else if (gv->slots)
        x = LLVMBuildLoad2(g->b, gen_type(g, v->type.elem), gv->slots[i], "");
    else if (gv->lazy)
        x = compute(g, gv, i);
    else
        diag_bug(g->s, g->f->at, "a value is used before it is there");
    remember(g, &gv->regs[i], x, gv->cheap);
    return x;
}

LLVMValueRef gpu_word(struct gen *g, struct ir_value *v, uint32_t i)
{
    struct gpu_value *gv = gpu_value(g, v);
    if ((gv->late || gv->parked) && gv->words && !gv->words[i])
        gpu_load_late(g, gv, 2 * i);
    LLVMValueRef word = gv->words ? gv->words[i] : NULL;
    if (word)
        return word;
    if (is_narrowing(v) && g->gpu->hooks->narrow) {
        struct ir_value *from = v->node->operands[0];
        LLVMValueRef low = gpu_reg_in(g, from, &gv->view, 2 * i);
        LLVMValueRef high = gpu_reg_in(g, from, &gv->view, 2 * i + 1);
        word = g->gpu->hooks->narrow(&g->gpu->lane, v->type.elem, low, high);
    }
    if (!word)
        word = join_halves(g, gpu_reg(g, v, 2 * i), gpu_reg(g, v, 2 * i + 1));
    if (gv->words)
        remember(g, &gv->words[i], word, gv->cheap);
    return word;
}

LLVMValueRef gpu_pair(struct gen *g, struct ir_value *v, uint32_t low, uint32_t high)
{
    const struct gpu_value *gv = gpu_value(g, v);
    LLVMValueRef word = NULL;
    if (low % 2 == 0 && high == low + 1)
        return gpu_word(g, v, low / 2);
    if (is_narrowing(v) && g->gpu->hooks->narrow) {
        struct ir_value *from = v->node->operands[0];
        word =
            g->gpu->hooks->narrow(&g->gpu->lane, v->type.elem, gpu_reg_in(g, from, &gv->view, low),
                                  gpu_reg_in(g, from, &gv->view, high));
    }
    return word ? word : join_halves(g, gpu_reg(g, v, low), gpu_reg(g, v, high));
}

LLVMValueRef gpu_reg_in(struct gen *g, struct ir_value *v, const struct gpu_view *view, uint32_t i)
{
    struct gpu_value *gv = gpu_value(g, v);
    return gpu_reg(g, v, gpu_view_map(view, i, &gv->view));
}

LLVMValueRef gpu_scalar(struct gen *g, struct ir_value *v)
{
    return gpu_reg(g, v, 0);
}

void gpu_set(struct gen *g, struct ir_value *v, uint32_t i, LLVMValueRef x)
{
    remember(g, &gpu_value(g, v)->regs[i], x, false);
}

void gpu_set_word(struct gen *g, struct ir_value *v, uint32_t i, LLVMValueRef word)
{
    remember(g, &gpu_value(g, v)->words[i], word, false);
}

void gpu_force(struct gen *g, struct ir_value *v)
{
    struct gpu_value *gv = gpu_value(g, v);
    for (uint32_t i = 0; i < gv->view.count; i++)
        if (!gv->words || !gv->words[i / 2])
            gpu_reg(g, v, i);
}

bool gpu_is_ready(struct gen *g, const struct ir_value *v)
{
    const struct gpu_value *gv = gpu_value(g, (struct ir_value *)(uintptr_t)v);
    if (gv->regs[0] || gv->slots || gv->parked || (gv->words && gv->words[0]))
        return true;
    if (!gv->lazy)
        return false;
    if (v->node->op == IR_OP_index)
        return g->gpu->axes[v->node->attr.axis].placed;
    for (uint32_t i = 0; i < v->node->operand_count; i++)
        if (!gpu_is_ready(g, v->node->operands[i]))
            return false;
    return true;
}

/* ---- barriers ---------------------------------------------------------------------------------- */

static void forget_cheap(struct gen *g)
{
    uint32_t count = g->gpu->memo.count;
    for (uint32_t i = 0; i < count; i++) {
        struct memo m = g->gpu->memo.data[i];
        if (m.cheap && *m.place)
            remember(g, m.place, NULL, true);
    }
}

/* The words of what was loaded: what comes out is the same to us, but new to the optimiser. */
static void pin_words(struct gen *g, struct gpu_value *gv, bool fixed)
{
    for (uint32_t i = 0; i < gv->view.count / 2; i++) {
        if (!gv->words[i])
            continue;
        LLVMValueRef word = g->gpu->hooks->pin(&g->gpu->lane, gv->words[i], fixed);
        remember(g, &gv->words[i], word, false);
    }
}

void gpu_settle(struct gen *g, const bool *used)
{
    forget_cheap(g);
    for (uint32_t id = 0; id < g->f->value_count; id++) {
        struct gpu_value *gv = g->gpu->values[id];
        if (gv && gv->parked)
            gpu_park_again(g, gv);
        else if (gv && gv->words && !gv->lazy && (!used || used[id]))
            pin_words(g, gv, used != NULL);
    }
}
