/* Host expressions: arithmetic, faults, what is unknown, linear forms, values as element types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host.h"

#include <math.h>
#include <string.h>

/* ---- a scope made by hand -------------------------------------------------------------------------- */

enum { MAX_NODES = 64, SYMBOLS = 3 };

static struct ldsl_module_node nodes[MAX_NODES];
static uint32_t node_count;
static struct rt_value values[SYMBOLS];
static const struct ldsl_module_symbol symbols[SYMBOLS] = {
    {.name = 1, .kind = LDSL_SYMBOL_DIM,    .dtype = LDSL_I64},
    {.name = 3, .kind = LDSL_SYMBOL_DIM,    .dtype = LDSL_I64},
    {.name = 5, .kind = LDSL_SYMBOL_SCALAR, .dtype = LDSL_F32}
};
static const struct ldsl_module_scope scope = {
    .nodes = {0, MAX_NODES},
      .symbols = {0, SYMBOLS  }
};
static const struct rt_module module = {.nodes = nodes,
                                        .nodes_count = MAX_NODES,
                                        .symbols = symbols,
                                        .text = "\0N\0M\0e",
                                        .text_count = 7};
static const struct rt_frame frame = {.m = &module, .scope = &scope, .values = values};

static int reset(void **state)
{
    (void)state;
    node_count = 0;
    memset(values, 0, sizeof values);
    return 0;
}

static uint32_t node(enum ldsl_host_op op, enum ldsl_dtype dtype, uint32_t a, uint32_t b,
                     uint32_t c)
{
    assert_true(node_count < MAX_NODES);
    nodes[node_count] = (struct ldsl_module_node){
        .op = (uint8_t)op, .dtype = (uint8_t)dtype, .a = a, .b = b, .c = c, .line = 7};
    return node_count++;
}

static uint32_t integer(int64_t i)
{
    uint32_t n = node(LDSL_HOST_INT, LDSL_I64, 0, 0, 0);
    nodes[n].value.i = i;
    return n;
}

static uint32_t floating(double f)
{
    uint32_t n = node(LDSL_HOST_FLOAT, LDSL_F64, 0, 0, 0);
    nodes[n].value.f = f;
    return n;
}

static uint32_t symbol(uint32_t i)
{
    uint32_t n = node(LDSL_HOST_SYMBOL, LDSL_I64, 0, 0, 0);
    nodes[n].n = i;
    return n;
}

static int64_t eval(uint32_t n)
{
    int64_t out;
    assert_int_equal(rt_host_eval_int(&frame, n, &out, NULL), RT_EVAL_OK);
    return out;
}

static int64_t binary(enum ldsl_host_op op, int64_t a, int64_t b)
{
    return eval(node(op, LDSL_I64, integer(a), integer(b), 0));
}

static void assert_fault(enum ldsl_host_op op, int64_t a, int64_t b, const char *why)
{
    struct rt_fault fault;
    int64_t out;
    uint32_t n = node(op, LDSL_I64, integer(a), integer(b), 0);
    assert_int_equal(rt_host_eval_int(&frame, n, &out, &fault), RT_EVAL_FAULT);
    assert_string_equal(fault.why, why);
    assert_int_equal(fault.line, 7);
    node_count = 0;
}

static void test_integers(void **state)
{
    (void)state;
    assert_int_equal(binary(LDSL_HOST_ADD, 2, 3), 5);
    assert_int_equal(binary(LDSL_HOST_SUB, 2, 3), -1);
    assert_int_equal(binary(LDSL_HOST_MUL, -4, 3), -12);
    assert_int_equal(binary(LDSL_HOST_DIV, -7, 2), -3);
    assert_int_equal(binary(LDSL_HOST_REM, -7, 2), -1);
    assert_int_equal(binary(LDSL_HOST_CDIV, 7, 2), 4);
    assert_int_equal(binary(LDSL_HOST_CDIV, -7, 2), -3);
    assert_int_equal(binary(LDSL_HOST_CDIV, 8, 2), 4);
    assert_int_equal(binary(LDSL_HOST_SHL, 3, 4), 48);
    assert_int_equal(binary(LDSL_HOST_SHR, -5, 1), -3);
    assert_int_equal(binary(LDSL_HOST_MIN, 4, -1), -1);
    assert_int_equal(binary(LDSL_HOST_BIT_XOR, 6, 3), 5);
    node_count = 0;
    assert_int_equal(eval(node(LDSL_HOST_BUCKET, LDSL_I64, integer(4097), 0, 0)), 8192);
    assert_int_equal(eval(node(LDSL_HOST_BUCKET, LDSL_I64, integer(4096), 0, 0)), 4096);
    assert_int_equal(eval(node(LDSL_HOST_CAST, LDSL_I8, integer(200), 0, 0)), -56);
    assert_int_equal(eval(node(LDSL_HOST_COND, LDSL_I64, integer(0), integer(1), integer(2))), 2);
}

static void test_faults(void **state)
{
    (void)state;
    assert_fault(LDSL_HOST_DIV, 1, 0, "division by zero");
    assert_fault(LDSL_HOST_REM, 1, 0, "division by zero");
    assert_fault(LDSL_HOST_CDIV, 1, 0, "division by zero");
    assert_fault(LDSL_HOST_DIV, INT64_MIN, -1, "integer overflow");
    assert_fault(LDSL_HOST_ADD, INT64_MAX, 1, "integer overflow");
    assert_fault(LDSL_HOST_ADD, INT64_MIN, -1, "integer overflow");
    assert_fault(LDSL_HOST_SUB, INT64_MIN, 1, "integer overflow");
    assert_fault(LDSL_HOST_SUB, 0, INT64_MIN, "integer overflow");
    assert_fault(LDSL_HOST_MUL, INT64_MAX, 2, "integer overflow");
    assert_fault(LDSL_HOST_MUL, INT64_MIN, -1, "integer overflow");
    assert_fault(LDSL_HOST_MUL, -3, INT64_MAX / 2, "integer overflow");
    assert_fault(LDSL_HOST_SHL, 1, 63, "integer overflow");
    assert_fault(LDSL_HOST_SHL, 1, -1, "shift by a negative amount or by more than 63");
}

/* One operand may decide although the other is unknown or would fault. */
static void test_unknown(void **state)
{
    (void)state;
    int64_t out;
    struct rt_fault fault;
    uint32_t yes = integer(1), no = integer(0), n = symbol(0);
    uint32_t bad = node(LDSL_HOST_DIV, LDSL_I64, yes, no, 0);
    assert_int_equal(rt_host_eval_int(&frame, n, &out, &fault), RT_EVAL_UNKNOWN);
    assert_string_equal(fault.why, "N");
    assert_int_equal(eval(node(LDSL_HOST_OR, LDSL_BOOL, n, yes, 0)), 1);
    assert_int_equal(eval(node(LDSL_HOST_AND, LDSL_BOOL, n, no, 0)), 0);
    assert_int_equal(eval(node(LDSL_HOST_OR, LDSL_BOOL, yes, bad, 0)), 1);
    assert_int_equal(
        rt_host_eval_int(&frame, node(LDSL_HOST_AND, LDSL_BOOL, n, yes, 0), &out, NULL),
        RT_EVAL_UNKNOWN);
    assert_int_equal(
        rt_host_eval_int(&frame, node(LDSL_HOST_AND, LDSL_BOOL, yes, bad, 0), &out, NULL),
        RT_EVAL_FAULT);
    values[0] = rt_value_int(5);
    assert_int_equal(eval(n), 5);
}

static void test_floats(void **state)
{
    (void)state;
    struct rt_value v;
    uint32_t sum = node(LDSL_HOST_ADD, LDSL_F32, floating(0.1), floating(0.2), 0);
    assert_int_equal(rt_host_eval(&frame, sum, &v, NULL), RT_EVAL_OK);
    assert_true(v.is_float && v.f == (double)(float)(0.1 + 0.2));
    uint32_t nan = node(LDSL_HOST_MAX, LDSL_F64, floating(NAN), floating(1), 0);
    assert_int_equal(rt_host_eval(&frame, nan, &v, NULL), RT_EVAL_OK);
    assert_true(isnan(v.f));
    assert_int_equal(eval(node(LDSL_HOST_GT, LDSL_BOOL, floating(0.5), integer(0), 0)), 1);
    assert_int_equal(eval(node(LDSL_HOST_CAST, LDSL_I32, floating(3e9), 0, 0)), INT32_MAX);
    assert_int_equal(eval(node(LDSL_HOST_CAST, LDSL_I32, floating(NAN), 0, 0)), 0);
    assert_int_equal(eval(node(LDSL_HOST_CAST, LDSL_I64, floating(-2.9), 0, 0)), -2);
}

static void test_fit(void **state)
{
    (void)state;
    assert_int_equal(rt_fit_cover(0), 16);
    assert_int_equal(rt_fit_cover(16), 16);
    assert_int_equal(rt_fit_cover(17), 20);
    assert_int_equal(rt_fit_cover(4096), 4096);
    assert_int_equal(rt_fit_cover(4097), 5120);
    assert_int_equal(rt_fit_cover(65536), 65536);
    assert_int_equal(rt_fit_cover(65537), 0);
    for (uint32_t i = 0; rt_fit_rung(i + 1); i++)
        assert_true(rt_fit_rung(i) < rt_fit_rung(i + 1));
}

static void test_linear(void **state)
{
    (void)state;
    int64_t k, b;
    uint32_t s = LDSL_NONE, n = symbol(0), m = symbol(1);
    /* 2 * (N - 3) + 4 */
    uint32_t twice = node(LDSL_HOST_MUL, LDSL_I64, integer(2),
                          node(LDSL_HOST_SUB, LDSL_I64, n, integer(3), 0), 0);
    uint32_t form = node(LDSL_HOST_ADD, LDSL_I64, twice, integer(4), 0);
    assert_int_equal(rt_host_unknowns(&frame, form, &s), 1);
    assert_int_equal(s, 0);
    assert_true(rt_host_linear(&frame, form, 0, &k, &b));
    assert_int_equal(k, 2);
    assert_int_equal(b, -2);
    uint32_t square = node(LDSL_HOST_MUL, LDSL_I64, n, n, 0);
    assert_int_equal(rt_host_unknowns(&frame, square, &s), 1);
    assert_false(rt_host_linear(&frame, square, 0, &k, &b));
    uint32_t both = node(LDSL_HOST_ADD, LDSL_I64, n, m, 0);
    assert_int_equal(rt_host_unknowns(&frame, both, &s), 2);
    values[1] = rt_value_int(10);
    assert_int_equal(rt_host_unknowns(&frame, both, &s), 1);
    assert_true(rt_host_linear(&frame, both, 0, &k, &b));
    assert_int_equal(b, 10);
    assert_false(
        rt_host_linear(&frame, node(LDSL_HOST_DIV, LDSL_I64, n, integer(2), 0), 0, &k, &b));
}

/* Scalars as kernels see them. */
static void test_bits(void **state)
{
    (void)state;
    static const struct {
        double value;
        enum ldsl_dtype dtype;
        uint64_t bits;
    } rows[] = {
        {1.0,       LDSL_F32,    0x3f800000        },
        {-2.5,      LDSL_F64,    0xc004000000000000},
        {1.0,       LDSL_F16,    0x3c00            },
        {65504.0,   LDSL_F16,    0x7bff            },
        {65520.0,   LDSL_F16,    0x7c00            }, /* rounds up to infinity */
        {0x1p-24,   LDSL_F16,    0x0001            },
        {0x1p-25,   LDSL_F16,    0x0000            }, /* a tie goes to even */
        {0x1.8p-24, LDSL_F16,    0x0002            },
        {-0.0,      LDSL_F16,    0x8000            },
        {1.0,       LDSL_BF16,   0x3f80            },
        {0x1.01p0,  LDSL_BF16,   0x3f80            }, /* a tie goes to even */
        {0x1.03p0,  LDSL_BF16,   0x3f82            },
        {-INFINITY, LDSL_BF16,   0xff80            },
        {0x1p-133,  LDSL_BF16,   0x0001            },
        {448.0,     LDSL_F8E4M3, 0x7e              },
        {1.0,       LDSL_F8E5M2, 0x3c              },
        {-1.0,      LDSL_I8,     0xff              },
        {300.0,     LDSL_U8,     0xff              }, /* floats saturate */
        {3.0,       LDSL_BOOL,   1                 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(rt_value_bits(rt_value_float(rows[i].value), rows[i].dtype), rows[i].bits);
    assert_int_equal(rt_value_bits(rt_value_float(NAN), LDSL_F16) & 0x7c00, 0x7c00);
    assert_int_equal(rt_value_bits(rt_value_int(-1), LDSL_I32), 0xffffffff);
    assert_int_equal(rt_value_bits(rt_value_int(-100), LDSL_I64), (uint64_t)-100);
    assert_true(rt_value_fits(rt_value_float(2.0), LDSL_I32));
    assert_false(rt_value_fits(rt_value_float(2.5), LDSL_I32));
    assert_false(rt_value_fits(rt_value_int(300), LDSL_U8));
    assert_true(rt_value_fits(rt_value_float(0.1), LDSL_F32));
    assert_false(rt_value_fits(rt_value_int((INT64_C(1) << 53) + 1), LDSL_F64));
}

/* ---- layouts ------------------------------------------------------------------------------------------ */

static struct rt_tensor matrix(int64_t rows, int64_t columns, int64_t stride)
{
    return (struct rt_tensor){
        .presence = RT_PRESENT,
        .typed = true,
        .laid_out = true,
        .dtype = LDSL_F32,
        .rank = 2,
        .shape = {rows,   columns},
        .strides = {stride, 1      },
        .alignment = 16
    };
}

static void test_layout(void **state)
{
    (void)state;
    struct rt_tensor a = matrix(4, 8, 16), b = matrix(4, 8, 16), c = matrix(4, 9, 8);
    assert_int_equal(rt_tensor_bytes(&a), (3 * 16 + 8) * 4);
    assert_true(rt_tensor_is_aligned(&a, 16));
    assert_false(rt_tensor_is_aligned(&a, 32));
    assert_false(rt_tensor_is_packed(&a));
    assert_false(rt_tensor_overlaps_itself(&a));
    assert_true(rt_tensor_overlaps_itself(&c));
    assert_true(rt_tensors_overlap(&a, &b, 0));
    assert_false(rt_tensors_overlap(&a, &b, 8 * 4)); /* the other columns */
    assert_true(rt_tensors_overlap(&a, &b, 7 * 4));
    assert_true(rt_tensors_overlap(&a, &b, -12 * 4));
    assert_false(rt_tensors_overlap(&a, &b, -8 * 4));
    assert_false(rt_tensors_overlap(&a, &b, 4 * 16 * 4));
    struct rt_tensor huge = matrix(INT64_MAX / 2, 8, 8);
    assert_false(rt_tensor_is_addressable(&huge));
    assert_false(rt_tensor_pack(&huge));
    struct rt_tensor wide = matrix(2, 8, INT64_MAX / 2);
    assert_false(rt_tensor_is_addressable(&wide));
    struct rt_tensor empty = matrix(0, 8, 8);
    assert_int_equal(rt_tensor_bytes(&empty), 0);
    assert_false(rt_tensors_overlap(&empty, &a, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_integers, reset), cmocka_unit_test_setup(test_faults, reset),
        cmocka_unit_test_setup(test_unknown, reset),  cmocka_unit_test_setup(test_floats, reset),
        cmocka_unit_test_setup(test_fit, reset),      cmocka_unit_test_setup(test_linear, reset),
        cmocka_unit_test_setup(test_bits, reset),     cmocka_unit_test_setup(test_layout, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
