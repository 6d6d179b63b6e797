#include "model/quantize/mixture.h"

#include <gtest/gtest.h>

namespace drystone {
namespace {

DType type_in(std::string_view mixture, std::string_view tensor, std::uint64_t cols = 2048,
              MixtureContext context = {
                  .layers = 16, .queries_per_kv_head = 2, .has_output = true}) {
  return choose_type(*find_mixture(mixture), context, tensor, cols);
}

// People compare sizes and quality by these names, so they must mean what they mean elsewhere.
TEST(Mixture, MediumMixturesSpendBitsOnValuesAndDownProjections) {
  EXPECT_EQ(type_in("Q4_K_M", "blk.2.attn_q.weight"), DType::q4_k);
  EXPECT_EQ(type_in("Q4_K_M", "blk.0.attn_v.weight"), DType::q6_k);
  EXPECT_EQ(type_in("Q4_K_M", "blk.2.attn_v.weight"), DType::q4_k);
  EXPECT_EQ(type_in("Q4_K_M", "blk.4.ffn_down.weight"), DType::q6_k);
  EXPECT_EQ(type_in("Q4_K_M", "blk.15.ffn_down.weight"), DType::q6_k);
  EXPECT_EQ(type_in("Q4_K_M", "blk.4.attn_qkv.weight"), DType::q6_k);
  EXPECT_EQ(type_in("Q5_K_M", "blk.4.ffn_down.weight"), DType::q6_k);
  EXPECT_EQ(type_in("Q3_K_M", "blk.1.attn_v.weight"), DType::q5_k);
  EXPECT_EQ(type_in("Q3_K_M", "blk.3.attn_output.weight"), DType::q4_k);
  EXPECT_EQ(type_in("Q4_K_S", "blk.3.attn_v.weight"), DType::q5_k);
}

TEST(Mixture, TheOutputHeadGetsMoreBitsWhicheverTensorItIs) {
  const MixtureContext tied = {.layers = 16, .has_output = false};
  EXPECT_EQ(type_in("Q4_0", "output.weight"), DType::q6_k);
  EXPECT_EQ(type_in("Q4_0", "token_embd.weight"), DType::q4_0);
  EXPECT_EQ(type_in("Q4_0", "token_embd.weight", 2048, tied), DType::q6_k);
  EXPECT_EQ(type_in("Q8_0", "output.weight"), DType::q8_0);
  EXPECT_EQ(type_in("F16", "output.weight"), DType::f16);
}

// A width of 64 or 96 must still give a readable file.
TEST(Mixture, RowsThatBlocksDoNotDivideFallBackToSmallerBlocks) {
  EXPECT_EQ(type_in("Q4_K_M", "blk.2.attn_q.weight", 96), DType::q5_0);
  EXPECT_EQ(type_in("Q2_K", "blk.2.attn_q.weight", 64), DType::q4_0);
  EXPECT_EQ(type_in("IQ4_XS", "blk.2.attn_q.weight", 64), DType::iq4_nl);
  EXPECT_EQ(type_in("Q6_K", "blk.2.attn_q.weight", 64), DType::q8_0);
  EXPECT_EQ(type_in("Q4_0", "blk.2.attn_q.weight", 50), DType::f16);
  EXPECT_EQ(type_in("Q4_0", "output.weight", 64), DType::q8_0);
}

TEST(Mixture, NamesAreFoundInAnyCaseAndWithoutSize) {
  EXPECT_EQ(find_mixture("q4_k_m"), find_mixture("Q4_K_M"));
  EXPECT_EQ(find_mixture("q4_k"), find_mixture("Q4_K_M"));
  EXPECT_EQ(find_mixture("q4_2"), nullptr);
  EXPECT_EQ(find_mixture("q4_0")->file_type, 2u);
}

}  // namespace
}  // namespace drystone
