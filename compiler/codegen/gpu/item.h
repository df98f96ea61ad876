/* Items: what reductions and scans combine, one scalar for each operand of the node. Built-in kinds
 * have identities, which stand for nothing; a combiner has none, so its items say whether there is
 * something. */
#ifndef CODEGEN_GPU_ITEM_H
#define CODEGEN_GPU_ITEM_H

#include "codegen/gpu/gpu.h"

#define GPU_MAX_OPERANDS 16
#define GPU_ITEM_WORDS   (2 * GPU_MAX_OPERANDS + 1)

struct gpu_item {
    LLVMValueRef v[GPU_MAX_OPERANDS]; /* of the type of gen_combined_as */
    LLVMValueRef any; /* combiners: i1, there is something; NULL: surely. Else NULL */
};

/* The axes of all operands together. */
axis_set gpu_operand_axes(const struct ir_node *n);

/* The operands' registers that go with register i of a view over all their axes. */
struct gpu_item gpu_item_at(struct gen *g, const struct ir_node *n, const struct gpu_view *view,
                            uint32_t i);
/* The item if the test (i1; NULL: true) holds, else nothing. */
struct gpu_item gpu_item_if(struct gen *g, const struct ir_node *n, const struct gpu_item *x,
                            LLVMValueRef test);
/* a with b, where a comes first. */
struct gpu_item gpu_item_join(struct gen *g, const struct ir_node *n, const struct gpu_item *a,
                              const struct gpu_item *b);
struct gpu_item gpu_item_select(struct gen *g, const struct ir_node *n, LLVMValueRef test,
                                const struct gpu_item *yes, const struct gpu_item *no);

/* How a tree over some numbers from 0 on divides: the first half is the greatest power of two, so
 * that what stands at the end changes nothing before it. */
uint32_t gpu_tree_half(uint32_t count);

/* As words, with one more for `any` if that is flagged. */
uint32_t gpu_item_word_count(const struct ir_node *n, bool flagged);
uint32_t gpu_item_to_words(struct gen *g, const struct ir_node *n, const struct gpu_item *x,
                           LLVMValueRef *words);
struct gpu_item gpu_item_from_words(struct gen *g, const struct ir_node *n, bool flagged,
                                    LLVMValueRef *words);

/* Sets register i of the results; nothing gives the identity, 0 for a combiner. */
void gpu_item_set(struct gen *g, const struct ir_node *n, const struct gpu_item *x, uint32_t i);

/* Another lane's item: shuffle_xor, shuffle_up, shuffle_from. */
struct gpu_item gpu_item_xor(struct gen *g, const struct ir_node *n, const struct gpu_item *x,
                             uint32_t mask);
struct gpu_item gpu_item_up(struct gen *g, const struct ir_node *n, const struct gpu_item *x,
                            uint32_t delta);
struct gpu_item gpu_item_from_lane(struct gen *g, const struct ir_node *n, const struct gpu_item *x,
                                   LLVMValueRef lane);

#endif
