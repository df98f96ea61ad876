/* The table of ops and the words of the IR, made from the lists in ops.def and ir.h. */
#include "ir/internal.h"

/* clang-format off */
static const struct ir_op_info ops[IR_OP_COUNT] = {
#define OP(name, args, results, attrs, traits, meaning)                                            \
    [IR_OP_##name] = {#name, args, results, attrs, traits, meaning},
#include "ir/ops.def"
#undef OP
};

static const struct {
    const char *name;
    uint8_t bits;
    char kind; /* 'B'ool, 'S'igned, 'U'nsigned, 'F'loat */
} elems[IR_ELEM_COUNT] = {
#define X(name, text, bits, kind) {text, bits, kind},
    LDSL_DTYPE_LIST(X)
#undef X
    [IR_INDEX] = {"index", 64, 'S'},
};

#define X(name, text) text,
const char *const ir_kind_names[] = {IR_KIND_LIST(X) NULL};
const char *const ir_cmp_names[] = {IR_CMP_LIST(X) NULL};
const char *const ir_cache_names[] = {IR_CACHE_LIST(X) NULL};
#undef X
/* clang-format on */
const char *const ir_axis_kind_names[] = {"program", "grid", "held", "swept", "part", NULL};
const char *const ir_access_names[] = {"read", "mut", "out", NULL};
const char *const ir_precision_names[] = {"default", "tf32", "f32x3", "f32", NULL};

const struct ir_op_info *ir_op_info(enum ir_opcode op)
{
    return &ops[op];
}

const char *ir_elem_name(enum ir_elem elem)
{
    return elems[elem].name;
}

const char *ir_kind_name(enum ir_kind kind)
{
    return ir_kind_names[kind];
}

const char *ir_cmp_name(enum ir_cmp cmp)
{
    return ir_cmp_names[cmp];
}

const char *ir_cache_name(enum ir_cache cache)
{
    return ir_cache_names[cache];
}

bool ir_elem_is_float(enum ir_elem elem)
{
    return elems[elem].kind == 'F';
}

bool ir_elem_is_integer(enum ir_elem elem)
{
    return elems[elem].kind == 'S' || elems[elem].kind == 'U';
}

bool ir_elem_is_signed(enum ir_elem elem)
{
    return elems[elem].kind == 'S';
}

unsigned ir_elem_bits(enum ir_elem elem)
{
    return elems[elem].bits;
}

int64_t ir_wrap(enum ir_elem elem, uint64_t value)
{
    unsigned drop = 64 - ir_elem_bits(elem);
    if (elem == IR_BOOL)
        return value != 0;
    uint64_t high = value << drop;
    if (!drop || !ir_elem_is_signed(elem))
        return (int64_t)(high >> drop);
    uint64_t sign = (uint64_t)1 << (63 - drop);
    return (int64_t)(((high >> drop) ^ sign) - sign);
}
