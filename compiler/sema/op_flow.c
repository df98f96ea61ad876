/* Data flow through an operator's body: which tensors hold something, and which optional ones are
 * known to be there. */
#include "sema/op.h"

struct flow_state flow_save(struct unit *u)
{
    uint32_t count = u->tensors.count;
    struct arena *a = &u->s->module;
    struct flow_state state = {arena_array(a, bool, count + 1), arena_array(a, bool, count + 1),
                               arena_array(a, bool, count + 1), count};
    for (uint32_t i = 0; i < count; i++) {
        state.may[i] = u->tensors.data[i].may;
        state.must[i] = u->tensors.data[i].must;
        state.present[i] = u->tensors.data[i].present;
    }
    return state;
}

void flow_restore(struct unit *u, const struct flow_state *state)
{
    for (uint32_t i = 0; i < state->count; i++) {
        u->tensors.data[i].may = state->may[i];
        u->tensors.data[i].must = state->must[i];
        u->tensors.data[i].present = state->present[i];
    }
}

void flow_merge(struct unit *u, const struct flow_state *before, const struct flow_state *yes)
{
    for (uint32_t i = 0; i < before->count; i++) {
        struct op_tensor *t = &u->tensors.data[i];
        t->may |= yes->may[i];
        t->must &= yes->must[i];
        t->present = before->present[i];
    }
}

static void assume_present(struct unit *u, const char *name)
{
    for (uint32_t i = 0; i < u->tensors.count; i++)
        if (u->tensors.data[i].kind == LDSL_TENSOR_PARAM && u->tensors.data[i].name.text == name)
            u->tensors.data[i].present = true;
}

void flow_assume(struct unit *u, const struct expr *test, bool holds)
{
    if (test->kind == EXPR_HAS && holds)
        assume_present(u, test->string);
    if (test->kind == EXPR_UNARY && test->unary.op == AST_NOT)
        flow_assume(u, test->unary.operand, !holds);
    if (test->kind == EXPR_BINARY && test->binary.op == (holds ? AST_AND : AST_OR)) {
        flow_assume(u, test->binary.left, holds);
        flow_assume(u, test->binary.right, holds);
    }
}

static struct op_tensor *root_of(struct unit *u, uint32_t tensor)
{
    return &u->tensors.data[u->tensors.data[tensor].root];
}

void flow_read(struct unit *u, struct span at, uint32_t tensor)
{
    struct op_tensor *root = root_of(u, tensor);
    if (root->may)
        return;
    diag_error(u->s, at, DIAG_READ_BEFORE_WRITE, "%s is read here, but nothing was written to it",
               root->name.text);
    diag_note(u->s, root->name.at, "%s is declared here", root->name.text);
    root->may = true; /* once is enough */
}

bool flow_write(struct unit *u, struct span at, uint32_t tensor, const char *by)
{
    struct op_tensor *root = root_of(u, tensor);
    root->may = root->must = true;
    if (root->writable)
        return true;
    diag_error(u->s, at, DIAG_LAUNCH_WRITES, "%s writes %s, which is a read-only input", by,
               root->name.text);
    diag_note(u->s, root->name.at, "%s is declared here: `mut` allows to write it",
              root->name.text);
    return false;
}

void flow_finish(struct unit *u)
{
    for (uint32_t i = 0; i < u->tensors.count; i++) {
        const struct op_tensor *t = &u->tensors.data[i];
        if (t->kind != LDSL_TENSOR_PARAM)
            continue;
        const struct sig_param *p = &u->sig->params.data[t->param];
        if (p->role != LDSL_PARAM_OUTPUT || t->must || (t->may && p->optional))
            continue;
        const char *op = u->sig->item->ast->name.text;
        if (t->may)
            diag_error(u->s, t->name.at, DIAG_OUTPUT_UNWRITTEN,
                       "output %s is not written on every way through %s", t->name.text, op);
        else
            diag_error(u->s, t->name.at, DIAG_OUTPUT_UNWRITTEN, "output %s of %s is never written",
                       t->name.text, op);
    }
}
