/* What an operator is, read off its module image. */
#include "bind.h"

#include <ldsl/ops.h>
#include <string.h>

struct place {
    const struct rt_module *m;
    const struct ldsl_module_op *op;
};

static bool find(const ldsl_library *lib, const char *name, struct place *out)
{
    const struct rt_op_entry *entry = lib && name ? rt_library_find(lib, name) : NULL;
    if (!entry)
        return false;
    out->m = lib->files[entry->file].module;
    out->op = &out->m->ops[entry->op];
    return true;
}

static const char *text_or_null(const struct rt_module *m, uint32_t offset)
{
    return offset ? rt_module_text(m, offset) : NULL;
}

bool ldsl_op_find(const ldsl_library *lib, const char *name, ldsl_op_info *info)
{
    struct place at;
    if (!info || !find(lib, name, &at))
        return false;
    const struct ldsl_module_op *op = at.op;
    *info = (ldsl_op_info){.name = rt_module_text(at.m, op->name),
                           .summary = rt_module_text(at.m, op->summary),
                           .doc = rt_module_text(at.m, op->doc),
                           .path = rt_module_text(at.m, op->path),
                           .grad = text_or_null(at.m, op->grad),
                           .ref = text_or_null(at.m, op->ref),
                           .param_count = op->scope.params.count,
                           .generic_count = op->scope.generics.count,
                           .dim_count = op->dims.count,
                           .bench_count = op->benches.count};
    return true;
}

/* An expression that needs nothing of a launch: a default, a bench size. */
static bool eval_constant(const ldsl_library *lib, const struct place *at, uint32_t node,
                          struct rt_value *out)
{
    struct rt_call call;
    if (rt_call_init(&call, at->m, &at->op->scope, &lib->ctx->info, NULL))
        return false;
    bool known = rt_host_eval(&call.frame, node, out, NULL) == RT_EVAL_OK;
    rt_call_destroy(&call);
    return known;
}

static void fill_default(const ldsl_library *lib, const struct place *at,
                         const struct ldsl_module_param *p, ldsl_op_param *param)
{
    struct rt_value v;
    param->has_default = p->default_node != LDSL_NONE;
    if (!param->has_default || !eval_constant(lib, at, p->default_node, &v))
        return;
    param->default_integer = rt_value_cast(v, LDSL_I64).i;
    param->default_number = rt_value_cast(v, LDSL_F64).f;
}

bool ldsl_op_get_param(const ldsl_library *lib, const char *op, uint32_t i, ldsl_op_param *param)
{
    struct place at;
    if (!param || !find(lib, op, &at) || i >= at.op->scope.params.count)
        return false;
    const struct rt_module *m = at.m;
    const struct ldsl_module_param *p = &m->params[at.op->scope.params.first + i];
    *param = (ldsl_op_param){.name = rt_module_text(m, p->name),
                             .role = p->role,
                             .kind = p->kind,
                             .is_const = p->flags & LDSL_MODULE_CONST,
                             .optional = p->flags & LDSL_MODULE_OPTIONAL,
                             .dtype = p->dtype,
                             .rank = p->dims.count,
                             .choice_count = p->choices.count,
                             .sample = text_or_null(m, p->sample)};
    if (p->generic != LDSL_NONE)
        param->generic = rt_module_text(m, m->generics[p->generic].name);
    if (p->kind == LDSL_KIND_ENUM)
        param->enum_name = rt_module_text(m, m->enums[p->enumeration].name);
    for (uint32_t d = 0; d < p->dims.count; d++)
        param->dims[d] = rt_module_text(m, m->dims[p->dims.first + d].text);
    fill_default(lib, &at, p, param);
    return true;
}

bool ldsl_op_choice(const ldsl_library *lib, const char *op, uint32_t param, uint32_t c,
                    int64_t *value, const char **word)
{
    struct place at;
    if (!find(lib, op, &at) || param >= at.op->scope.params.count)
        return false;
    const struct rt_module *m = at.m;
    const struct ldsl_module_param *p = &m->params[at.op->scope.params.first + param];
    if (c >= p->choices.count)
        return false;
    int64_t v = m->values[p->choices.first + c];
    if (value)
        *value = v;
    if (!word)
        return true;
    *word = NULL;
    if (p->kind == LDSL_KIND_ENUM) {
        const struct ldsl_module_enum *e = &m->enums[p->enumeration];
        if (v >= 0 && (uint64_t)v < e->words.count)
            *word = rt_module_text(m, m->indices[e->words.first + (uint32_t)v]);
    }
    return true;
}

const char *ldsl_op_generic(const ldsl_library *lib, const char *op, uint32_t g,
                            enum ldsl_dtype *dtypes, uint32_t *count)
{
    struct place at;
    if (!find(lib, op, &at) || g >= at.op->scope.generics.count)
        return NULL;
    const struct ldsl_module_generic *generic = &at.m->generics[at.op->scope.generics.first + g];
    uint32_t n = 0;
    for (unsigned d = 0; d < LDSL_DTYPE_COUNT; d++) {
        if (!(generic->dtypes >> d & 1))
            continue;
        if (dtypes)
            dtypes[n] = (enum ldsl_dtype)d;
        n++;
    }
    if (count)
        *count = n;
    return rt_module_text(at.m, generic->name);
}

const char *ldsl_op_dim(const ldsl_library *lib, const char *op, uint32_t i)
{
    struct place at;
    if (!find(lib, op, &at) || i >= at.op->dims.count)
        return NULL;
    return rt_module_text(at.m, at.m->symbols[at.m->indices[at.op->dims.first + i]].name);
}

bool ldsl_op_bench(const ldsl_library *lib, const char *op, uint32_t b, const char *name,
                   int64_t *value)
{
    struct place at;
    if (!name || !find(lib, op, &at) || b >= at.op->benches.count)
        return false;
    struct ldsl_module_range sizes = at.m->benches[at.op->benches.first + b].sizes;
    for (uint32_t i = 0; i < sizes.count; i++) {
        const struct ldsl_module_setting *s = &at.m->settings[sizes.first + i];
        struct rt_value v;
        if (strcmp(rt_module_text(at.m, s->name), name) || !eval_constant(lib, &at, s->node, &v))
            continue;
        if (value)
            *value = rt_value_cast(v, LDSL_I64).i;
        return true;
    }
    return false;
}
