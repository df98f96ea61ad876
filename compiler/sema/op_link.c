/* Links between operators: a gradient and a reference have signatures that follow from the forward's. */
#include "sema/op.h"

static struct signature *find_link(struct sema_module *m, struct ast_name name, const char *what)
{
    struct sema_item *item = sema_find(m, name.text);
    if (item && item->ast->kind == ITEM_OP) {
        struct session *s = m->s;
        s->muted++; /* its own errors are told where it is declared */
        struct signature *link = signature_new(item, LDSL_NONE);
        s->muted--;
        return link->broken ? NULL : link;
    }
    diag_error(m->s, name.at, DIAG_LINK_NOT_FOUND, "%s names %s, and there is no such operator",
               what, name.text);
    const char *near = nearest_item(m, name.text, 1u << ITEM_OP);
    if (near)
        diag_help(m->s, "did you mean %s?", near);
    return NULL;
}

static bool is_float_type(const struct signature *sig, const struct sig_param *p)
{
    if (p->of)
        return false;
    if (p->generic < 0)
        return ir_elem_is_float(p->elem);
    for (unsigned e = 0; e < LDSL_DTYPE_COUNT; e++)
        if (sig->generics.data[p->generic].set >> e & 1 && ir_elem_is_float((enum ir_elem)e))
            return true;
    return false;
}

/* The type without its question mark: a gradient may be optional where its input is not. */
static const char *plain_text(struct session *s, const struct signature *sig,
                              const struct sig_param *p, bool widened)
{
    struct sig_param plain = *p;
    plain.optional = false;
    if (widened && p->kind == LDSL_KIND_TENSOR && is_float_type(sig, p)) {
        plain.generic = -1;
        plain.elem = IR_F64;
    }
    return sig_param_text(s, sig, &plain);
}

/* The two declarations, side by side. */
static void types_differ(struct session *s, const struct signature *forward,
                         const struct sig_param *p, const struct signature *link,
                         const struct sig_param *q, enum diag_code code, const char *wanted)
{
    diag_error(s, q->ast->name.at, code, "%s is %s in %s; %s is wanted", q->ast->name.text,
               sig_param_text(s, link, q), link->item->ast->name.text, wanted);
    diag_note(s, p->ast->name.at, "%s is %s in %s", p->ast->name.text,
              sig_param_text(s, forward, p), forward->item->ast->name.text);
}

/* ---- grad -------------------------------------------------------------------------------------- */

/* d + name; NULL: the name does not begin with d. */
static int32_t find_upstream(struct session *s, const struct signature *sig, const char *name,
                             bool output)
{
    if (name[0] != 'd' || !name[1])
        return -1;
    int32_t i = signature_find_param(sig, intern_text(s, name + 1));
    return i >= 0 && (sig->params.data[i].role == LDSL_PARAM_OUTPUT) == output ? i : -1;
}

static void check_grad_param(struct session *s, const struct signature *forward,
                             const struct signature *grad, const struct sig_param *q)
{
    const char *name = q->ast->name.text, *of = forward->item->ast->name.text;
    bool result = q->role == LDSL_PARAM_OUTPUT;
    int32_t i =
        result ? find_upstream(s, forward, name, false) : signature_find_param(forward, name);
    if (!result && i < 0)
        i = find_upstream(s, forward, name, true);
    if (i < 0) {
        diag_error(s, q->ast->name.at, DIAG_GRAD_SIGNATURE, "%s is no %s of %s", name,
                   result ? "gradient of an input" : "input, output or upstream gradient", of);
        diag_note(s, forward->item->ast->op.grad.at, "%s names its gradient here", of);
        return;
    }
    const struct sig_param *p = &forward->params.data[i];
    const char *wanted = plain_text(s, forward, p, false);
    if (strcmp(wanted, plain_text(s, grad, q, false)) != 0)
        types_differ(s, forward, p, grad, q, DIAG_GRAD_SIGNATURE, wanted);
}

static void check_grad(struct sema_module *m, const struct signature *forward)
{
    struct ast_name name = forward->item->ast->op.grad;
    struct signature *grad = name.text ? find_link(m, name, "grad") : NULL;
    for (uint32_t i = 0; grad && i < grad->params.count; i++)
        check_grad_param(m->s, forward, grad, &grad->params.data[i]);
}

/* ---- ref --------------------------------------------------------------------------------------- */

static void check_ref_generics(struct session *s, const struct signature *forward,
                               const struct signature *ref)
{
    for (uint32_t i = 0; i < ref->generics.count; i++) {
        struct ast_name name = ref->generics.data[i].name;
        int32_t own = signature_find_generic(forward, name.text);
        elem_set missing =
            own < 0 ? 0 : forward->generics.data[own].set & ~ref->generics.data[i].set;
        if (own < 0)
            diag_error(s, name.at, DIAG_REF_SIGNATURE, "%s has no type %s",
                       forward->item->ast->name.text, name.text);
        else if (missing)
            diag_error(s, name.at, DIAG_REF_SIGNATURE, "%s may be %s in %s", name.text,
                       elem_set_text(s, missing), forward->item->ast->name.text);
    }
}

static void check_ref_param(struct session *s, const struct signature *forward,
                            const struct signature *ref, const struct sig_param *p)
{
    int32_t i = signature_find_param(ref, p->ast->name.text);
    const struct sig_param *q = i < 0 ? NULL : &ref->params.data[i];
    if (!q || (q->role == LDSL_PARAM_OUTPUT) != (p->role == LDSL_PARAM_OUTPUT)) {
        diag_error(s, ref->item->ast->name.at, DIAG_REF_SIGNATURE,
                   "reference %s lacks the %s %s, %s", ref->item->ast->name.text,
                   p->role == LDSL_PARAM_OUTPUT ? "output" : "parameter", p->ast->name.text,
                   plain_text(s, forward, p, true));
        diag_note(s, p->ast->name.at, "%s declares it here", forward->item->ast->name.text);
        return;
    }
    const char *wanted = plain_text(s, forward, p, true);
    if (strcmp(wanted, plain_text(s, ref, q, false)) != 0 || p->role != q->role ||
        p->optional != q->optional)
        types_differ(s, forward, p, ref, q, DIAG_REF_SIGNATURE,
                     arena_printf(&s->module, "%s%s%s", p->role == LDSL_PARAM_MUT ? "mut " : "",
                                  wanted, p->optional ? "?" : ""));
}

static void check_ref(struct sema_module *m, const struct signature *forward)
{
    struct ast_name name = forward->item->ast->op.ref;
    struct signature *ref = name.text ? find_link(m, name, "ref") : NULL;
    if (!ref)
        return;
    check_ref_generics(m->s, forward, ref);
    for (uint32_t i = 0; i < forward->params.count; i++)
        check_ref_param(m->s, forward, ref, &forward->params.data[i]);
    for (uint32_t i = 0; i < ref->params.count; i++)
        if (signature_find_param(forward, ref->params.data[i].ast->name.text) < 0)
            diag_error(m->s, ref->params.data[i].ast->name.at, DIAG_REF_SIGNATURE,
                       "%s has no parameter %s", forward->item->ast->name.text,
                       ref->params.data[i].ast->name.text);
}

void check_links(struct sema_module *m, struct signature *sig)
{
    if (sig->broken)
        return;
    check_grad(m, sig);
    check_ref(m, sig);
}
