/* cse: common subexpressions.
 *
 * What:  an op that computes what an earlier visible one computed takes its result. Loads count too,
 *        as long as nothing wrote the tensor in between.
 * Needs: canon first, so that equal things look equal.
 * Keeps: ops with regions, and everything with an effect.
 * Example:
 *        %4 = load x[%r, %c] : f32[r, c]          %4 = load x[%r, %c] : f32[r, c]
 *        %5 = load x[%r, %c] : f32[r, c]    ->    %6 = mul %4, %4 : f32[r, c]
 *        %6 = mul %4, %5 : f32[r, c] */
#include "pass/internal.h"

#define BUCKETS 256

struct entry {
    struct ir_node *node;
    uint32_t memory; /* version of the tensor that a load read */
    uint32_t bucket;
    struct entry *next; /* in its bucket */
};

struct cse {
    struct pass_ctx *ctx;
    struct ir_func *f;
    struct entry *buckets[BUCKETS];
    VEC(struct entry *) open; /* entries visible here, oldest first */
    struct ir_value **same;   /* by value id: what replaces it, or NULL */
    uint32_t memory[256];     /* by tensor: changes with every write */
    uint32_t next_memory;
    bool changed;
};

static uint32_t memory_of(const struct cse *c, const struct ir_node *n)
{
    return n->op == IR_OP_load ? c->memory[n->attr.tensor] : 0;
}

static void forget(struct cse *c, uint8_t tensor)
{
    c->memory[tensor] = ++c->next_memory;
}

static uint32_t hash_node(const struct ir_node *n, uint32_t memory)
{
    uint32_t sum = 0, hash = (uint32_t)n->op * 2654435761u + memory;
    for (uint32_t i = 0; i < n->operand_count; i++) /* the order does not count: + commutes */
        sum += (n->operands[i]->id + 1) * 2246822519u;
    hash ^= sum ^ (uint32_t)n->attr.i * 3266489917u ^ n->attr.axis * 668265263u;
    hash ^= hash >> 15;
    return hash % BUCKETS;
}

static bool same_attrs(const struct ir_attr *a, const struct ir_attr *b)
{
    return a->i == b->i && memcmp(&a->f, &b->f, sizeof a->f) == 0 && a->axes == b->axes &&
           a->axis == b->axis && a->to == b->to && a->kind == b->kind && a->tensor == b->tensor &&
           a->flag == b->flag;
}

static bool same_operands(const struct ir_node *a, const struct ir_node *b)
{
    if (a->operand_count != b->operand_count)
        return false;
    if ((ir_op_info(a->op)->traits & IR_COMMUTES) && a->operands[0] == b->operands[1] &&
        a->operands[1] == b->operands[0])
        return true;
    for (uint32_t i = 0; i < a->operand_count; i++)
        if (a->operands[i] != b->operands[i])
            return false;
    return true;
}

static bool same_node(const struct ir_node *a, const struct ir_node *b)
{
    return a->op == b->op && same_attrs(&a->attr, &b->attr) && same_operands(a, b) &&
           a->results[0]->type.elem == b->results[0]->type.elem &&
           a->results[0]->type.axes == b->results[0]->type.axes;
}

/* The earlier node, or NULL after remembering n. */
static struct ir_node *find_or_add(struct cse *c, struct ir_node *n)
{
    uint32_t memory = memory_of(c, n), bucket = hash_node(n, memory);
    for (struct entry *e = c->buckets[bucket]; e; e = e->next)
        if (e->memory == memory && same_node(e->node, n))
            return e->node;
    struct entry *e = arena_new(&c->ctx->session->scratch, struct entry);
    *e = (struct entry){n, memory, bucket, c->buckets[bucket]};
    c->buckets[bucket] = e;
    vec_push(&c->ctx->session->scratch, &c->open, e);
    return NULL;
}

static void close_scope(struct cse *c, uint32_t mark)
{
    while (c->open.count > mark) {
        struct entry *e = c->open.data[--c->open.count];
        c->buckets[e->bucket] = e->next;
    }
}

static void use_replacements(struct cse *c, struct ir_node *n)
{
    for (uint32_t i = 0; i < n->operand_count; i++)
        if (c->same[n->operands[i]->id])
            ir_set_operand(n, i, c->same[n->operands[i]->id]);
}

static bool may_merge(const struct ir_node *n)
{
    bool pure = ir_op_info(n->op)->traits & IR_PURE;
    return (pure || n->op == IR_OP_load) && n->result_count == 1 && !n->region_count;
}

static void cse_block(struct cse *c, struct ir_block *b);

/* A round of a loop may read what an earlier one wrote. */
static void cse_regions(struct cse *c, struct ir_node *n)
{
    struct tensor_set written = {0};
    if (is_loop(n->op))
        add_written(n, &written);
    for (uint32_t t = 0; t < c->f->tensors.count; t++)
        if (has_tensor(&written, (uint8_t)t))
            forget(c, (uint8_t)t);
    for (uint32_t r = 0; r < n->region_count; r++) {
        uint32_t mark = c->open.count;
        cse_block(c, n->regions[r]);
        close_scope(c, mark);
    }
}

static void cse_node(struct cse *c, struct ir_node *n)
{
    use_replacements(c, n);
    if (ir_op_info(n->op)->traits & IR_WRITES)
        forget(c, n->attr.tensor);
    if (n->region_count)
        cse_regions(c, n);
    struct ir_node *earlier = may_merge(n) ? find_or_add(c, n) : NULL;
    if (!earlier)
        return;
    if (!earlier->results[0]->name)
        earlier->results[0]->name = n->results[0]->name;
    c->same[n->results[0]->id] = earlier->results[0];
    c->changed = true;
}

static void cse_block(struct cse *c, struct ir_block *b)
{
    for (struct ir_node *n = b->first; n; n = n->next)
        cse_node(c, n);
}

static void replace_slot(struct cse *c, struct ir_value **slot)
{
    if (*slot && c->same[(*slot)->id])
        *slot = c->same[(*slot)->id];
}

static void replace_in_tables(struct cse *c)
{
    for (uint32_t i = 0; i < c->f->axes.count; i++) {
        replace_slot(c, &c->f->axes.data[i].lo);
        replace_slot(c, &c->f->axes.data[i].hi);
        replace_slot(c, &c->f->axes.data[i].bound);
    }
    for (uint32_t i = 0; i < c->f->tensors.count; i++)
        for (uint32_t d = 0; d < c->f->tensors.data[i].rank; d++)
            replace_slot(c, &c->f->tensors.data[i].dims[d]);
}

/* Every use of a merged node is gone; the node follows. */
static void remove_merged(struct cse *c, struct ir_block *b)
{
    for (struct ir_node *n = b->last, *before; n; n = before) {
        before = n->prev;
        for (uint32_t r = 0; r < n->region_count; r++)
            remove_merged(c, n->regions[r]);
        if (n->result_count == 1 && c->same[n->results[0]->id])
            ir_remove(n);
    }
}

bool pass_cse(struct pass_ctx *ctx, struct ir_func *f)
{
    struct cse c = {.ctx = ctx, .f = f};
    c.same = arena_array(&ctx->session->scratch, struct ir_value *, f->value_count);
    cse_block(&c, f->body);
    replace_in_tables(&c);
    remove_merged(&c, f->body);
    return c.changed;
}
