/* The entry of a CPU kernel: its slots, its frame; and codegen of the whole function. */
#include "codegen/cpu/cpu.h"

#include <string.h>

/* ---- the entry --------------------------------------------------------------------------------- */

static void mark_slots(struct gen *g)
{
    gen_add_attribute(g, g->entry, 1, "noalias");
    gen_add_attribute(g, g->entry, 1, "readonly");
}

static void open_entry(struct gen *g)
{
    LLVMTypeRef params[] = {g->t_ptr, g->t_i64, g->t_i64, g->t_ptr, g->t_ptr};
    gen_open_function(g, g->f->name, params, 5);
    mark_slots(g);
    gen_add_attribute(g, g->entry, 4, "noalias");
    g->cpu->scratch = LLVMGetParam(g->entry, 3);
    g->cpu->report = LLVMGetParam(g->entry, 4);
    g->cpu->nowhere = gen_alloca(g, LLVMVectorType(g->t_i64, 2));
}

/* ---- slots ------------------------------------------------------------------------------------- */

static LLVMValueRef load_slot(struct gen *g, unsigned number, LLVMTypeRef type)
{
    LLVMValueRef at = gen_index(g, number);
    LLVMValueRef p = LLVMBuildGEP2(g->b, g->t_i64, LLVMGetParam(g->entry, 0), &at, 1, "");
    LLVMValueRef v = LLVMBuildLoad2(g->b, type, p, "");
    LLVMSetAlignment(v, 8);
    LLVMSetMetadata(v, g->md_invariant,
                    LLVMMetadataAsValue(g->context, LLVMMDNodeInContext2(g->context, NULL, 0)));
    return v;
}

/* For each tensor its pointer and strides, then the parameters. */
static void load_slots(struct gen *g)
{
    unsigned next = 0;
    for (uint32_t i = 0; i < g->f->tensors.count; i++) {
        const struct ir_tensor *t = &g->f->tensors.data[i];
        g->tensors[i] = load_slot(g, next++, g->t_ptr);
        uint32_t strides = t->rank && !t->strided ? t->rank - 1 : t->rank;
        for (uint32_t d = 0; d < strides; d++)
            g->strides[i][d] = load_slot(g, next++, g->t_i64);
    }
    for (uint32_t i = 0; i < g->f->params.count; i++) {
        struct ir_value *v = g->f->params.data[i].value;
        enum ir_elem e = v->type.elem;
        LLVMValueRef x = load_slot(g, next++, gen_memory_type(g, e));
        if (e == IR_BOOL)
            x = LLVMBuildICmp(g->b, LLVMIntNE, x, gen_int(g, g->t_i8, 0), "");
        gen_set(g, v, x);
    }
}

/* One alias scope for each tensor and one for scratch: no two of them overlap. */
static void make_alias_scopes(struct gen *g)
{
    uint32_t count = g->f->tensors.count + 1;
    struct arena *a = &g->s->module;
    LLVMMetadataRef *scopes = arena_array(a, LLVMMetadataRef, count);
    g->cpu->alias_scope = arena_array(a, LLVMMetadataRef, count);
    g->cpu->alias_others = arena_array(a, LLVMMetadataRef, count);
    LLVMMetadataRef name = LLVMMDStringInContext2(g->context, g->f->name, strlen(g->f->name));
    LLVMMetadataRef domain = LLVMMDNodeInContext2(g->context, &name, 1);
    for (uint32_t i = 0; i < count; i++) {
        const char *text = arena_printf(a, "%u", i);
        LLVMMetadataRef parts[] = {LLVMMDStringInContext2(g->context, text, strlen(text)), domain};
        scopes[i] = LLVMMDNodeInContext2(g->context, parts, 2);
    }
    LLVMMetadataRef *others = arena_array(a, LLVMMetadataRef, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t n = 0;
        for (uint32_t j = 0; j < count; j++)
            if (j != i)
                others[n++] = scopes[j];
        g->cpu->alias_scope[i] = LLVMMDNodeInContext2(g->context, &scopes[i], 1);
        g->cpu->alias_others[i] = n ? LLVMMDNodeInContext2(g->context, others, n) : NULL;
    }
}

/* The second function of a checked image. */
static void emit_extents(struct gen *g)
{
    LLVMTypeRef params[] = {g->t_ptr, g->t_ptr};
    gen_open_function(g, arena_printf(&g->s->module, "%s.extents", g->f->name), params, 2);
    mark_slots(g);
    gen_push(g, NULL);
    load_slots(g);
    gen_check_extents(g);
    LLVMBuildRetVoid(g->b);
    gen_pop(g);
}

static void emit(struct gen *g)
{
    if (g->options->check)
        emit_extents(g);
    open_entry(g);
    gen_debug_begin(g);
    make_alias_scopes(g);
    gen_push(g, NULL);
    load_slots(g);
    gen_check_begin(g);
    gen_place_storages(g);
    gen_programs(g);
    gen_store_fence(g);
    LLVMBuildRetVoid(g->b);
    gen_pop(g);
    gen_debug_end(g);
}

static void new_state(struct gen *g)
{
    struct arena *a = &g->s->module;
    struct cpu *c = g->cpu = arena_new(a, struct cpu);
    c->leaf = IR_NO_AXIS;
    c->width = c->combine_width = 1;
    c->cache = arena_array(a, struct cached *, g->f->value_count + 1);
    c->stream = arena_array(a, LLVMValueRef, g->f->tensors.count + 1);
    c->streamed = arena_array(a, bool, g->f->tensors.count + 1);
}

void gen_cpu(struct gen *g, struct ir_func *f, struct codegen_result *out)
{
    new_state(g);
    g->cpu->plan = gen_plan(g->s, f, &g->target->facts, g->options->check);
    emit(g);
    out->scratch_bytes = g->cpu->plan->scratch_bytes;
    out->threads = out->cluster = 1;
}
