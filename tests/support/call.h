/* Calling operators in tests: name the arguments, run, look at your own arrays.
 *
 *     struct op_call call = op_call("softmax");
 *     op_tensor(&call, "x", LDSL_F32, x, 2, rows, columns);
 *     op_tensor(&call, "y", LDSL_F32, y, 2, rows, columns);
 *     op_run(&bench, &call);
 *
 * Tensors are dense and lie in host memory, so the device is the CPU. Whatever goes wrong fails the
 * test with the library's own words. */
#ifndef TESTS_SUPPORT_CALL_H
#define TESTS_SUPPORT_CALL_H

#include <ldsl/ldsl.h>

/* The device and the library's operators, for all tests of a program. */
struct bench {
    ldsl_context *context;
    ldsl_library *library;
};
int bench_create(void **state); /* CMocka group setup; *state: struct bench */
int bench_destroy(void **state);

enum { OP_CALL_ARGUMENTS = 32 };

struct op_call {
    const char *op;
    ldsl_argument arguments[OP_CALL_ARGUMENTS];
    void *data[OP_CALL_ARGUMENTS];
    uint32_t count;
};

struct op_call op_call(const char *op);
void op_tensor(struct op_call *call, const char *name, enum ldsl_dtype dtype, void *data,
               uint32_t rank, ...); /* extents: int */
void op_absent(struct op_call *call, const char *name);
void op_number(struct op_call *call, const char *name, double value);
void op_integer(struct op_call *call, const char *name, int64_t value);
void op_word(struct op_call *call, const char *name, const char *word);
void op_run(const struct bench *bench, const struct op_call *call);
/* The call must be refused before it runs, with these words. */
void op_refused(const struct bench *bench, const struct op_call *call, const char *words);

/* Values from a fixed sequence, in [lo, hi). */
void fill_uniform(float *values, size_t count, float lo, float hi, uint32_t seed);

uint16_t bf16_of(float value); /* nearest even */
float bf16_value(uint16_t bits);

#endif
