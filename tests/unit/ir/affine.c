/* Affine views: sums of indexes and scalars are seen through; gathers are not. */
#include "ir/ir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ROW, COL };

struct fixture {
    struct session s;
    struct ir_func *f;
    struct ir_builder b;
    struct ir_value *n, *row, *col;
};

static int setup(void **state)
{
    static struct fixture x;
    memset(&x, 0, sizeof x);
    session_init(&x.s, NULL);
    x.f = ir_func_new(&x.s, "k");
    x.b = (struct ir_builder){.func = x.f, .block = x.f->body};
    x.n = ir_block_arg(x.f, x.f->body, (struct ir_type){IR_INDEX, 0});
    for (int i = ROW; i <= COL; i++)
        vec_push(&x.s.module, &x.f->axes,
                 (struct ir_axis){.name = i ? "c" : "r", .kind = IR_AXIS_HELD, .tile = 4});
    x.row = ir_index(&x.b, ROW);
    x.col = ir_index(&x.b, COL);
    *state = &x;
    return 0;
}

static int teardown(void **state)
{
    session_destroy(&((struct fixture *)*state)->s);
    return 0;
}

static struct ir_value *number(struct fixture *x, int64_t i)
{
    return ir_const_int(&x->b, IR_INDEX, i);
}

/* 3 * row - (col + n) + 5 */
static void sums(void **state)
{
    struct fixture *x = *state;
    struct ir_affine a;
    struct ir_value *left = ir_binary(&x->b, IR_OP_mul, x->row, number(x, 3));
    struct ir_value *right = ir_binary(&x->b, IR_OP_add, x->col, x->n);
    struct ir_value *v = ir_binary(&x->b, IR_OP_sub, left, right);
    ir_affine_of(ir_binary(&x->b, IR_OP_add, v, number(x, 5)), &a);
    assert_true(a.affine);
    assert_int_equal(a.axes, 3);
    assert_int_equal(a.coefficient[ROW], 3);
    assert_int_equal(a.coefficient[COL], -1);
    assert_int_equal(a.term_count, 2);
    assert_ptr_equal(a.terms[0].value, x->n);
    assert_int_equal(a.terms[0].coefficient, -1);
    assert_null(a.terms[1].value);
    assert_int_equal(a.terms[1].coefficient, 5);
}

static void cancelled_axes(void **state)
{
    struct fixture *x = *state;
    struct ir_affine a;
    ir_affine_of(ir_binary(&x->b, IR_OP_sub, x->row, x->row), &a);
    assert_true(a.affine);
    assert_int_equal(a.axes, 0);
    assert_int_equal(a.term_count, 0);
}

/* A product of scalars is a term of its own, one of an index and a scalar scales the axis. */
static void products(void **state)
{
    struct fixture *x = *state;
    struct ir_affine a;
    struct ir_value *square = ir_binary(&x->b, IR_OP_mul, x->n, x->n);
    ir_affine_of(ir_binary(&x->b, IR_OP_add, x->row, square), &a);
    assert_true(a.affine);
    assert_ptr_equal(a.terms[0].value, square);
    struct ir_value *scaled = ir_binary(&x->b, IR_OP_mul, x->n, x->row);
    ir_affine_of(ir_binary(&x->b, IR_OP_sub, x->col, scaled), &a);
    assert_true(a.affine);
    assert_int_equal(a.axes, 3);
    assert_int_equal(a.coefficient[ROW], -1);
    assert_ptr_equal(a.factor[ROW], x->n);
    assert_int_equal(a.coefficient[COL], 1);
    assert_null(a.factor[COL]);
    /* Not linear: n * row + row, and a product of two axes. */
    ir_affine_of(ir_binary(&x->b, IR_OP_add, scaled, x->row), &a);
    assert_false(a.affine);
    ir_affine_of(ir_binary(&x->b, IR_OP_add, x->row, scaled), &a);
    assert_false(a.affine);
    ir_affine_of(ir_binary(&x->b, IR_OP_mul, x->row, x->col), &a);
    assert_false(a.affine);
    ir_affine_of(ir_cast(&x->b, ir_cast(&x->b, x->row, IR_I32), IR_INDEX), &a);
    assert_false(a.affine);
}

/* More scalars than there are terms, and sums that share their parts, stay cheap and correct. */
static void large_sums(void **state)
{
    struct fixture *x = *state;
    struct ir_affine a;
    struct ir_value *v = x->n;
    for (int i = 0; i < 20; i++)
        v = ir_binary(&x->b, IR_OP_add, v, ir_binary(&x->b, IR_OP_mul, v, x->n));
    ir_affine_of(ir_binary(&x->b, IR_OP_add, v, x->row), &a);
    assert_true(a.affine);
    assert_int_equal(a.coefficient[ROW], 1);
    for (int i = 0; i < 62; i++)
        v = ir_binary(&x->b, IR_OP_add, v, v);
    ir_affine_of(v, &a);
    assert_true(a.affine);
    struct ir_value *w = x->row;
    for (int i = 0; i < 40; i++)
        w = ir_binary(&x->b, IR_OP_add, w, w);
    ir_affine_of(w, &a); /* too many ways to visit: not seen through */
    assert_false(a.affine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sums, setup, teardown),
        cmocka_unit_test_setup_teardown(cancelled_axes, setup, teardown),
        cmocka_unit_test_setup_teardown(products, setup, teardown),
        cmocka_unit_test_setup_teardown(large_sums, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
