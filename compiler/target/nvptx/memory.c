/* Global and shared memory. An access without a guard or a cache policy is a load or store of LLVM's.
 * Else it is assembly: one predicated instruction, so that code with guards stays a straight line and
 * its loads stay together. */
#include "target/nvptx/nvptx.h"
#include "target/target.h"

enum { GLOBAL = 1, SHARED = 3 }; /* address spaces */

/* ---- values as memory has them ----------------------------------------------------------------- */

static uint32_t bits_of(LLVMTypeRef t)
{
    switch ((int)LLVMGetTypeKind(t)) {
    case LLVMVectorTypeKind: return LLVMGetVectorSize(t) * bits_of(LLVMGetElementType(t));
    case LLVMFloatTypeKind: return 32;
    case LLVMDoubleTypeKind: return 64;
    default: return LLVMGetIntTypeWidth(t);
    }
}

/* A vector access: `count` registers of 1, 2 or 4 bytes. */
struct shape {
    uint32_t unit, count;
};

static struct shape shape_of(struct lane_emit *e, LLVMTypeRef t)
{
    uint32_t bytes = bits_of(t) / 8;
    if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8 && bytes != 16)
        diag_bug(e->s, e->at, "an access of %u bytes", bytes);
    return bytes < 4 ? (struct shape){bytes, 1} : (struct shape){4, bytes / 4};
}

/* Bytes have no registers of their own: they travel in 16 bits. */
static LLVMTypeRef register_type(struct lane_emit *e, struct shape s)
{
    return LLVMIntTypeInContext(e->context, s.unit == 4 ? 32 : 16);
}

static LLVMValueRef to_value(struct lane_emit *e, LLVMTypeRef type, struct shape s,
                             LLVMValueRef loaded)
{
    LLVMBuilderRef b = e->b;
    if (s.unit == 1)
        loaded = LLVMBuildTrunc(b, loaded, LLVMInt8TypeInContext(e->context), "");
    if (s.count == 1)
        return LLVMBuildBitCast(b, loaded, type, "");
    LLVMValueRef v = LLVMGetPoison(LLVMVectorType(register_type(e, s), s.count));
    for (uint32_t i = 0; i < s.count; i++) {
        LLVMValueRef word = LLVMBuildExtractValue(b, loaded, i, "");
        v = LLVMBuildInsertElement(b, v, word, nvptx_word(e, i), "");
    }
    return LLVMBuildBitCast(b, v, type, "");
}

static void to_registers(struct lane_emit *e, struct shape s, LLVMValueRef value,
                         LLVMValueRef registers[4])
{
    LLVMBuilderRef b = e->b;
    LLVMTypeRef type = register_type(e, s);
    if (s.unit == 1) {
        value = LLVMBuildBitCast(b, value, LLVMInt8TypeInContext(e->context), "");
        registers[0] = LLVMBuildZExt(b, value, type, "");
        return;
    }
    if (s.count == 1) {
        registers[0] = LLVMBuildBitCast(b, value, type, "");
        return;
    }
    value = LLVMBuildBitCast(b, value, LLVMVectorType(type, s.count), "");
    for (uint32_t i = 0; i < s.count; i++)
        registers[i] = LLVMBuildExtractElement(b, value, nvptx_word(e, i), "");
}

/* ---- one instruction --------------------------------------------------------------------------- */

/* An access as assembly. */
struct instruction {
    const char *space; /* "global", "shared::cluster", with modifiers */
    LLVMValueRef address;
    LLVMValueRef guard;  /* or NULL */
    LLVMValueRef policy; /* or NULL */
    enum nvptx_effect effect;
};

static const char *address_class(LLVMValueRef address)
{
    return LLVMGetIntTypeWidth(LLVMTypeOf(address)) == 64 ? "l" : "r";
}

/* ".v4.b32" */
static const char *suffix(struct lane_emit *e, struct shape s)
{
    static const char *const vectors[] = {"", "", ".v2", "", ".v4"};
    return arena_printf(&e->s->module, "%s.b%u", vectors[s.count], s.unit * 8);
}

/* "{$3, $4}" */
static const char *list(struct lane_emit *e, struct shape s, uint32_t first)
{
    struct arena *a = &e->s->module;
    const char *text = arena_printf(a, "$%u", first);
    for (uint32_t i = 1; i < s.count; i++)
        text = arena_printf(a, "%s, $%u", text, first + i);
    return s.count == 1 ? text : arena_printf(a, "{%s}", text);
}

/* The operands behind the registers: address, policy, guard. Returns "[$4], $5", and "@$6 " in
 * *predicate. */
static const char *tail(struct lane_emit *e, const struct instruction *i, uint32_t first,
                        LLVMValueRef *args, uint32_t *count, const char **constraints,
                        const char **predicate, const char *middle)
{
    struct arena *a = &e->s->module;
    const char *text = arena_printf(a, "[$%u]%s", first++, middle);
    args[(*count)++] = i->address;
    *constraints = arena_printf(a, "%s,%s", *constraints, address_class(i->address));
    if (i->policy) {
        text = arena_printf(a, "%s, $%u", text, first++);
        args[(*count)++] = i->policy;
        *constraints = arena_printf(a, "%s,l", *constraints);
    }
    *predicate = "";
    if (i->guard) {
        *predicate = arena_printf(a, "@$%u ", first);
        args[(*count)++] = i->guard;
        *constraints = arena_printf(a, "%s,b", *constraints);
    }
    return text;
}

static const char *repeated(struct lane_emit *e, const char *constraint, uint32_t count)
{
    const char *text = constraint;
    for (uint32_t i = 1; i < count; i++)
        text = arena_printf(&e->s->module, "%s,%s", text, constraint);
    return text;
}

static LLVMValueRef load_by(struct lane_emit *e, LLVMTypeRef type, const struct instruction *i)
{
    struct arena *a = &e->s->module;
    struct shape s = shape_of(e, type);
    LLVMTypeRef word = register_type(e, s), words[] = {word, word, word, word};
    LLVMValueRef args[3];
    uint32_t count = 0;
    const char *zero = "", *predicate;
    /* The results are written before the operands are read. */
    const char *constraints = repeated(
        e, arena_printf(a, "=%s%s", i->guard ? "&" : "", s.unit == 4 ? "r" : "h"), s.count);
    for (uint32_t r = 0; i->guard && r < s.count; r++)
        zero = arena_printf(a, "%smov.b%u $%u, 0;\n\t", zero, s.unit == 4 ? 32 : 16, r);
    const char *operands = tail(e, i, s.count, args, &count, &constraints, &predicate, "");
    const char *text =
        arena_printf(a, "%s%sld.%s%s%s %s, %s;", zero, predicate, i->space,
                     i->policy ? ".L2::cache_hint" : "", suffix(e, s), list(e, s, 0), operands);
    LLVMTypeRef result =
        s.count == 1 ? word : LLVMStructTypeInContext(e->context, words, s.count, false);
    return to_value(e, type, s, nvptx_asm(e, i->effect, result, text, constraints, args, count));
}

static void store_by(struct lane_emit *e, LLVMValueRef value, const struct instruction *i)
{
    struct arena *a = &e->s->module;
    struct shape s = shape_of(e, LLVMTypeOf(value));
    LLVMValueRef args[7];
    uint32_t count = s.count;
    const char *predicate, *constraints = repeated(e, s.unit == 4 ? "r" : "h", s.count);
    to_registers(e, s, value, args);
    const char *middle = arena_printf(a, ", %s", list(e, s, 0));
    const char *operands = tail(e, i, s.count, args, &count, &constraints, &predicate, middle);
    const char *text = arena_printf(a, "%sst.%s%s%s %s;", predicate, i->space,
                                    i->policy ? ".L2::cache_hint" : "", suffix(e, s), operands);
    nvptx_asm(e, NVPTX_MEMORY, NULL, text, constraints, args, count);
}

/* ---- global memory ----------------------------------------------------------------------------- */

static LLVMValueRef pointer_to(struct lane_emit *e, LLVMValueRef address, unsigned space)
{
    return LLVMBuildIntToPtr(e->b, address, LLVMPointerTypeInContext(e->context, space), "");
}

/* The policy of reads that are to stay in the L2 cache. */
static LLVMValueRef keep_policy(struct lane_emit *e)
{
    struct nvptx *n = nvptx_of(e);
    if (!n->keep)
        n->keep = nvptx_at_entry(e, LLVMInt64TypeInContext(e->context),
                                 "createpolicy.fractional.L2::evict_last.b64 $0, 1.0;", "=l");
    return n->keep;
}

/* The access in parts as wide as the address is aligned: one, if it is aligned to its size. */
struct parts {
    LLVMTypeRef type; /* of a part */
    uint32_t bytes, count;
};

static struct parts parts_of(struct lane_emit *e, LLVMTypeRef type, uint32_t align)
{
    uint32_t bytes = bits_of(type) / 8, part = bytes;
    while (part > 1 && align % part)
        part /= 2;
    if (part == bytes)
        return (struct parts){type, bytes, 1};
    return (struct parts){LLVMIntTypeInContext(e->context, 8 * part), part, bytes / part};
}

static LLVMValueRef part_address(struct lane_emit *e, LLVMValueRef address, uint32_t offset)
{
    LLVMValueRef step = LLVMConstInt(LLVMTypeOf(address), offset, false);
    return offset ? LLVMBuildAdd(e->b, address, step, "") : address;
}

/* Reads of what the kernel never writes go through any path and in any order; the others stay in
 * order with the writes. */
LLVMValueRef nvptx_load(struct lane_emit *e, const struct lane_access *a)
{
    if (!a->guard && !a->keep) {
        LLVMValueRef v = LLVMBuildLoad2(e->b, a->type, pointer_to(e, a->address, GLOBAL), "");
        LLVMSetAlignment(v, a->align);
        return v;
    }
    struct instruction i = {.space = "global",
                            .guard = a->guard,
                            .policy = a->keep ? keep_policy(e) : NULL,
                            .effect = a->constant ? NVPTX_PURE : NVPTX_MEMORY};
    struct parts p = parts_of(e, a->type, a->align);
    LLVMValueRef all = NULL;
    for (uint32_t n = 0; n < p.count; n++) {
        i.address = part_address(e, a->address, n * p.bytes);
        LLVMValueRef part = load_by(e, p.type, &i);
        if (p.count == 1)
            return part;
        if (!all)
            all = LLVMGetPoison(LLVMVectorType(p.type, p.count));
        all = LLVMBuildInsertElement(e->b, all, part, nvptx_word(e, n), "");
    }
    return LLVMBuildBitCast(e->b, all, a->type, "");
}

void nvptx_store(struct lane_emit *e, const struct lane_access *a, LLVMValueRef value)
{
    if (!a->guard && !a->keep && !a->stream) {
        LLVMValueRef v = LLVMBuildStore(e->b, value, pointer_to(e, a->address, GLOBAL));
        LLVMSetAlignment(v, a->align);
        return;
    }
    struct instruction i = {.space = a->stream ? "global.cs" : "global",
                            .guard = a->guard,
                            .policy = a->keep && !a->stream ? keep_policy(e) : NULL};
    struct parts p = parts_of(e, LLVMTypeOf(value), a->align);
    if (p.count > 1)
        value = LLVMBuildBitCast(e->b, value, LLVMVectorType(p.type, p.count), "");
    for (uint32_t n = 0; n < p.count; n++) {
        i.address = part_address(e, a->address, n * p.bytes);
        store_by(e,
                 p.count == 1 ? value : LLVMBuildExtractElement(e->b, value, nvptx_word(e, n), ""),
                 &i);
    }
}

/* ---- atomics ----------------------------------------------------------------------------------- */

/* op: "add.f32" */
static void reduce_by(struct lane_emit *e, const char *op, LLVMValueRef address, LLVMValueRef value,
                      LLVMValueRef guard)
{
    LLVMTypeKind kind = LLVMGetTypeKind(LLVMTypeOf(value));
    const char *class = kind == LLVMFloatTypeKind                      ? "f"
                        : kind == LLVMDoubleTypeKind                   ? "d"
                        : LLVMGetIntTypeWidth(LLVMTypeOf(value)) == 64 ? "l"
                                                                       : "r";
    LLVMValueRef args[] = {address, value, guard};
    const char *text = arena_printf(&e->s->module, "%sred.relaxed.gpu.global.%s [$0], $1;",
                                    guard ? "@$2 " : "", op);
    const char *constraints = arena_printf(&e->s->module, "l,%s%s", class, guard ? ",b" : "");
    nvptx_asm(e, NVPTX_MEMORY, NULL, text, constraints, args, guard ? 3 : 2);
}

static LLVMValueRef both(struct lane_emit *e, LLVMValueRef a, LLVMValueRef b)
{
    return a ? LLVMBuildAnd(e->b, a, b, "") : b;
}

/* There are only integer ones. The bits of floats order as signed integers do where one of the two is
 * positive, and backwards as unsigned ones where one is negative. NaN has the sign that wins. */
static void float_extreme(struct lane_emit *e, const struct lane_access *a, bool max,
                          bool ignore_nan, LLVMValueRef value)
{
    LLVMBuilderRef b = e->b;
    uint32_t bits = bits_of(LLVMTypeOf(value));
    LLVMTypeRef whole = LLVMIntTypeInContext(e->context, bits);
    LLVMValueRef is_nan = LLVMBuildFCmp(b, LLVMRealUNO, value, value, ""), guard = a->guard;
    LLVMValueRef n = LLVMBuildBitCast(b, value, whole, "");
    uint64_t quiet = bits == 32 ? 0x7fc00000 : UINT64_C(0x7ff8000000000000);
    if (!max)
        quiet |= UINT64_C(1) << (bits - 1);
    if (ignore_nan)
        guard = both(e, guard, LLVMBuildNot(b, is_nan, ""));
    else
        n = LLVMBuildSelect(b, is_nan, LLVMConstInt(whole, quiet, false), n, "");
    LLVMValueRef negative = LLVMBuildICmp(b, LLVMIntSLT, n, LLVMConstNull(whole), "");
    LLVMValueRef positive = LLVMBuildNot(b, negative, "");
    const char *up = arena_printf(&e->s->module, "%s.s%u", max ? "max" : "min", bits);
    const char *down = arena_printf(&e->s->module, "%s.u%u", max ? "min" : "max", bits);
    reduce_by(e, up, a->address, n, both(e, guard, positive));
    reduce_by(e, down, a->address, n, both(e, guard, negative));
}

/* "add.u64"; NULL: there is no such instruction. Sums of integers wrap, so signs do not matter. */
static const char *integer_reduction(struct lane_emit *e, enum ir_kind kind, bool sign,
                                     uint32_t bits)
{
    struct arena *a = &e->s->module;
    switch (kind) {
    case IR_KIND_SUM: return arena_printf(a, "add.u%u", bits);
    case IR_KIND_MAX:
    case IR_KIND_FMAX: return arena_printf(a, "max.%s%u", sign ? "s" : "u", bits);
    case IR_KIND_MIN:
    case IR_KIND_FMIN: return arena_printf(a, "min.%s%u", sign ? "s" : "u", bits);
    case IR_KIND_ANY: return arena_printf(a, "or.b%u", bits);
    case IR_KIND_ALL: return arena_printf(a, "and.b%u", bits);
    case IR_KIND_PROD:
    case IR_KIND_COMBINER: break;
    }
    return NULL;
}

static bool float_reduction(struct lane_emit *e, const struct lane_access *a, enum ir_kind kind,
                            LLVMValueRef value)
{
    switch (kind) {
    case IR_KIND_SUM:
        reduce_by(e, bits_of(LLVMTypeOf(value)) == 32 ? "add.f32" : "add.f64", a->address, value,
                  a->guard);
        return true;
    case IR_KIND_MAX:
    case IR_KIND_FMAX:
    case IR_KIND_MIN:
    case IR_KIND_FMIN:
        float_extreme(e, a, kind == IR_KIND_MAX || kind == IR_KIND_FMAX,
                      kind == IR_KIND_FMAX || kind == IR_KIND_FMIN, value);
        return true;
    case IR_KIND_ANY:
    case IR_KIND_ALL:
    case IR_KIND_PROD:
    case IR_KIND_COMBINER: break;
    }
    return false;
}

bool nvptx_atomic(struct lane_emit *e, const struct lane_access *a, enum ir_kind kind,
                  enum ir_elem elem, LLVMValueRef value)
{
    uint32_t bits = elem == IR_INDEX ? 64 : ir_elem_bits(elem);
    if (elem == IR_BOOL || bits < 32)
        return false;
    if (ir_elem_is_float(elem))
        return float_reduction(e, a, kind, value);
    const char *op = integer_reduction(e, kind, ir_elem_is_signed(elem), bits);
    if (op)
        reduce_by(e, op, a->address, value, a->guard);
    return op != NULL;
}

/* ---- shared memory ----------------------------------------------------------------------------- */

/* One array for all of it; how long it is, the launch says. Addresses are its start plus an offset,
 * 32 bits wide. */
static LLVMValueRef shared_address(struct lane_emit *e, LLVMValueRef offset)
{
    struct nvptx *n = nvptx_of(e);
    if (!n->shared) {
        LLVMTypeRef bytes = LLVMArrayType2(LLVMInt8TypeInContext(e->context), 0);
        n->shared = LLVMAddGlobalInAddressSpace(e->module, bytes, "ldsl_shared", SHARED);
        LLVMSetLinkage(n->shared, LLVMExternalLinkage);
        LLVMSetAlignment(n->shared, 128);
    }
    LLVMValueRef base = LLVMBuildPtrToInt(e->b, n->shared, LLVMInt32TypeInContext(e->context), "");
    return LLVMBuildAdd(e->b, base, offset, "");
}

/* The same in another block of the cluster. */
static LLVMValueRef address_in(struct lane_emit *e, LLVMValueRef offset, LLVMValueRef rank)
{
    LLVMValueRef args[] = {shared_address(e, nvptx_word(e, 0)), rank};
    LLVMValueRef base = nvptx_asm(e, NVPTX_PURE, LLVMTypeOf(offset),
                                  "mapa.shared::cluster.u32 $0, $1, $2;", "=r,r,r", args, 2);
    return LLVMBuildAdd(e->b, base, offset, "");
}

LLVMValueRef nvptx_shared_load(struct lane_emit *e, LLVMTypeRef type, LLVMValueRef offset,
                               LLVMValueRef guard)
{
    struct instruction i = {.space = "shared",
                            .address = shared_address(e, offset),
                            .guard = guard,
                            .effect = NVPTX_MEMORY};
    return load_by(e, type, &i);
}

void nvptx_shared_store(struct lane_emit *e, LLVMValueRef value, LLVMValueRef offset,
                        LLVMValueRef guard, LLVMValueRef rank)
{
    struct instruction i = {
        .space = "shared", .address = shared_address(e, offset), .guard = guard};
    if (rank && nvptx_of(e)->kernel.cluster > 1) {
        i.space = "shared::cluster";
        i.address = address_in(e, offset, rank);
    }
    store_by(e, value, &i);
}

/* ---- words sent to other blocks ---------------------------------------------------------------- */

static bool has_cluster(struct lane_emit *e)
{
    return nvptx_of(e)->kernel.cluster > 1;
}

/* Words from a cluster's blocks are counted by their bytes, as they arrive; an H200 knows no such store
 * in a kernel without clusters, where writers arrive one by one. */
void nvptx_mbarrier_create(struct lane_emit *e, LLVMValueRef offset, uint32_t sends,
                           LLVMValueRef guard)
{
    LLVMValueRef args[] = {shared_address(e, offset), nvptx_word(e, has_cluster(e) ? 1 : sends),
                           guard};
    nvptx_asm(e, NVPTX_MEMORY, NULL,
              "@$2 mbarrier.init.shared.b64 [$0], $1;\n\t"
              "@$2 fence.mbarrier_init.release.cluster;",
              "r,r,b", args, 3);
}

void nvptx_mbarrier_expect(struct lane_emit *e, LLVMValueRef offset, uint32_t bytes,
                           LLVMValueRef guard)
{
    LLVMValueRef args[] = {shared_address(e, offset), nvptx_word(e, bytes), guard};
    if (has_cluster(e))
        nvptx_asm(e, NVPTX_MEMORY, NULL, "@$2 mbarrier.arrive.expect_tx.shared.b64 _, [$0], $1;",
                  "r,r,b", args, 3);
}

static void send_within(struct lane_emit *e, LLVMValueRef value, LLVMValueRef offset,
                        LLVMValueRef guard, LLVMValueRef mbarrier)
{
    LLVMValueRef args[] = {shared_address(e, mbarrier), guard};
    nvptx_shared_store(e, value, offset, guard, NULL);
    nvptx_asm(e, NVPTX_MEMORY, NULL,
              guard ? "@$1 mbarrier.arrive.shared.b64 _, [$0];"
                    : "mbarrier.arrive.shared.b64 _, [$0];",
              guard ? "r,b" : "r", args, guard ? 2 : 1);
}

void nvptx_mbarrier_await(struct lane_emit *e, LLVMValueRef offset, LLVMValueRef parity)
{
    LLVMValueRef args[] = {shared_address(e, offset), parity};
    nvptx_asm(e, NVPTX_MEETING, NULL,
              "{ .reg .pred p;\n\t"
              "again: mbarrier.try_wait.parity.shared.b64 p, [$0], $1;\n\t"
              "@!p bra again; }",
              "r,r", args, 2);
}

void nvptx_send(struct lane_emit *e, LLVMValueRef value, LLVMValueRef offset, LLVMValueRef guard,
                LLVMValueRef rank, LLVMValueRef mbarrier)
{
    struct arena *a = &e->s->module;
    struct shape s = shape_of(e, LLVMTypeOf(value));
    LLVMValueRef args[7];
    uint32_t n = s.count;
    if (!has_cluster(e)) {
        send_within(e, value, offset, guard, mbarrier);
        return;
    }
    to_registers(e, s, value, args);
    args[n++] = address_in(e, offset, rank);
    args[n++] = address_in(e, mbarrier, rank);
    const char *predicate = guard ? arena_printf(a, "@$%u ", n) : "";
    if (guard)
        args[n++] = guard;
    const char *constraints =
        arena_printf(a, "%s,r,r%s", repeated(e, "r", s.count), guard ? ",b" : "");
    const char *text = arena_printf(
        a, "%sst.async.weak.shared::cluster.mbarrier::complete_tx::bytes%s [$%u], %s, [$%u];",
        predicate, suffix(e, s), s.count, list(e, s, 0), s.count + 1);
    nvptx_asm(e, NVPTX_MEMORY, NULL, text, constraints, args, n);
}

/* ---- copies that do not wait ------------------------------------------------------------------- */

/* offset * 1 + base, in a register of each thread's own. */
static LLVMValueRef own_address(struct lane_emit *e, LLVMValueRef offset)
{
    LLVMTypeRef word = LLVMInt32TypeInContext(e->context);
    LLVMValueRef args[] = {offset, nvptx_opaque_one(e), shared_address(e, nvptx_word(e, 0))};
    return nvptx_asm(e, NVPTX_PURE, word, "mad.lo.u32 $0, $1, $2, $3;", "=r,r,r,r", args, 3);
}

/* Sixteen bytes pass by the L1 cache; fewer cannot. What is not copied becomes zero.
 *
 * With a cache policy the address of the shared memory has a register of its own: ptxas (12.8, 13.0)
 * likes to leave part of a sum in a uniform register, and LDGSTS [R0+UR0], desc[UR1]... with the policy
 * in UR1 is an illegal instruction to an H200. */
void nvptx_copy_async(struct lane_emit *e, const struct lane_access *from, LLVMValueRef offset,
                      uint32_t fixed, uint32_t bytes)
{
    struct arena *a = &e->s->module;
    LLVMValueRef size = from->valid, zero = nvptx_word(e, 0);
    if (from->guard)
        size = LLVMBuildSelect(e->b, from->guard, size ? size : nvptx_word(e, bytes), zero, "");
    LLVMValueRef at = from->keep ? own_address(e, offset) : shared_address(e, offset);
    LLVMValueRef args[4] = {LLVMBuildAdd(e->b, at, nvptx_word(e, fixed), ""), from->address};
    const char *constraints = "r,l", *operands = "";
    uint32_t count = 2;
    if (size) {
        operands = arena_printf(a, ", $%u", count);
        constraints = "r,l,r";
        args[count++] = size;
    }
    if (from->keep) {
        operands = arena_printf(a, "%s, $%u", operands, count);
        constraints = arena_printf(a, "%s,l", constraints);
        args[count++] = keep_policy(e);
    }
    const char *text =
        arena_printf(a, "cp.async.%s.shared.global%s [$0], [$1], %u%s;", bytes == 16 ? "cg" : "ca",
                     from->keep ? ".L2::cache_hint" : "", bytes, operands);
    nvptx_asm(e, NVPTX_MEMORY, NULL, text, constraints, args, count);
}

void nvptx_commit(struct lane_emit *e)
{
    nvptx_asm(e, NVPTX_MEMORY, NULL, "cp.async.commit_group;", "", NULL, 0);
}

void nvptx_wait(struct lane_emit *e, uint32_t pending)
{
    const char *text = arena_printf(&e->s->module, "cp.async.wait_group %u;", pending);
    nvptx_asm(e, NVPTX_MEMORY, NULL, text, "", NULL, 0);
}
