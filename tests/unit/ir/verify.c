/* The verifier finds what the reader cannot even say: broken links and wrong tables. */
#include "ir/ir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    struct session s;
    struct ir_func *f;
    struct ir_builder b;
    struct ir_value *n, *sum;
    struct ir_node *end;
};

static int setup(void **state)
{
    static struct fixture x;
    memset(&x, 0, sizeof x);
    session_init(&x.s, NULL);
    x.f = ir_func_new(&x.s, "k");
    x.b = (struct ir_builder){.func = x.f, .block = x.f->body};
    x.n = ir_block_arg(x.f, x.f->body, (struct ir_type){IR_INDEX, 0});
    vec_push(&x.s.module, &x.f->params,
             (struct ir_param){
                 .kind = IR_PARAM_DIM, .name = "N", .value = x.n, .hi = INT64_MAX, .multiple = 1});
    x.sum = ir_binary(&x.b, IR_OP_add, x.n, x.n);
    x.end = ir_append(&x.b, IR_OP_return, (struct ir_attr){0}, NULL, 0, NULL, 0, 0);
    *state = &x;
    return 0;
}

static int teardown(void **state)
{
    session_destroy(&((struct fixture *)*state)->s);
    return 0;
}

static void expect_broken(struct fixture *x, const char *part)
{
    const char *why;
    assert_false(ir_verify(x->f, &why));
    if (!strstr(why, part))
        fail_msg("said '%s', not '%s'", why, part);
}

static void sound(void **state)
{
    struct fixture *x = *state;
    const char *why;
    assert_true(ir_verify(x->f, &why));
    assert_null(why);
}

static void use_counts(void **state)
{
    struct fixture *x = *state;
    x->n->uses++;
    expect_broken(x, "is used 2 times, not 3");
}

static void use_before_definition(void **state)
{
    struct fixture *x = *state;
    struct ir_builder b = x->b;
    b.before = x->sum->node;
    ir_unary(&b, IR_OP_neg, x->sum);
    expect_broken(x, "neg: an operand is used where it is not defined");
}

static void links(void **state)
{
    struct fixture *x = *state;
    x->end->prev = NULL;
    expect_broken(x, "return: is linked wrongly into its block");
}

static void removed_value_in_a_table(void **state)
{
    struct fixture *x = *state;
    vec_push(
        &x->s.module, &x->f->axes,
        (struct ir_axis){.name = "c", .kind = IR_AXIS_HELD, .tile = 4, .lo = x->n, .hi = x->sum});
    ir_remove(x->sum->node);
    expect_broken(x, "the range of axis c must be indexes of the top level");
}

static void result_type(void **state)
{
    struct fixture *x = *state;
    x->sum->type.elem = IR_F32;
    expect_broken(x, "add: the result has type f32; its operands make index");
}

static void facts(void **state)
{
    struct fixture *x = *state;
    x->f->params.data[0].lo = 5;
    x->f->params.data[0].hi = 4;
    expect_broken(x, "the facts about parameter N contradict each other");
}

static void expectations(void **state)
{
    struct fixture *x = *state;
    x->f->params.data[0].expected = -1;
    expect_broken(x, "parameter N has an expectation that no dim has");
}

/* ir_replace reaches regions and tables; the counts follow. */
static void replacing(void **state)
{
    struct fixture *x = *state;
    const char *why;
    struct ir_builder b = x->b;
    b.before = x->end;
    struct ir_value *twice = ir_binary(&b, IR_OP_mul, x->sum, x->sum);
    vec_push(
        &x->s.module, &x->f->axes,
        (struct ir_axis){.name = "c", .kind = IR_AXIS_HELD, .tile = 4, .lo = x->n, .hi = x->sum});
    ir_replace(x->f, x->sum, x->n);
    assert_int_equal(x->sum->uses, 0);
    assert_ptr_equal(x->f->axes.data[0].hi, x->n);
    assert_ptr_equal(twice->node->operands[1], x->n);
    ir_remove(x->sum->node);
    assert_true(ir_verify(x->f, &why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sound, setup, teardown),
        cmocka_unit_test_setup_teardown(use_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(use_before_definition, setup, teardown),
        cmocka_unit_test_setup_teardown(links, setup, teardown),
        cmocka_unit_test_setup_teardown(removed_value_in_a_table, setup, teardown),
        cmocka_unit_test_setup_teardown(result_type, setup, teardown),
        cmocka_unit_test_setup_teardown(facts, setup, teardown),
        cmocka_unit_test_setup_teardown(expectations, setup, teardown),
        cmocka_unit_test_setup_teardown(replacing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
