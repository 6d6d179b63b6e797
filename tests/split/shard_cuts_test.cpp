#include <gtest/gtest.h>

#include <cmath>

#include "compute/shard_program.h"
#include "model/arch/architecture.h"
#include "split_model.h"

namespace drystone {
namespace {

Program program_of(const ModelConfig& config) {
  auto program = build_program(config, {}, 512);
  CHECK(program, program.error().message());
  return *std::move(program);
}

// Llama 3.1 8B.
ModelConfig llama_8b() {
  ModelConfig config;
  config.architecture = "llama";
  config.layers = 32;
  config.d_model = 4096;
  config.ff_width = 14336;
  config.heads = 32;
  config.kv_heads = 8;
  config.head_dim = 128;
  config.vocab = 128256;
  config.context = 8192;
  return config;
}

auto always(DType type) {
  return [type](const TensorSpec&) { return type; };
}

Result<std::vector<ShardCut>> cuts_of(const ModelConfig& config, std::vector<double> shares,
                                      DType type) {
  return shard_cuts(program_of(config), shares, always(type));
}

// Nothing may be left out or held twice, and no block may be cut.
TEST(ShardCuts, CoverTheModelAtBorders) {
  for (const std::vector<double>& shares :
       {std::vector<double>{1}, {1, 1}, {3, 1}, {1, 2, 5}, {1, 1, 1, 1, 1, 1, 1, 1}}) {
    const auto cuts = cuts_of(llama_8b(), shares, DType::q4_k);
    ASSERT_TRUE(cuts) << cuts.error().message();
    ASSERT_EQ(cuts->size(), shares.size());
    CutRange kv, ff, vocab;
    for (std::uint32_t rank = 0; rank < shares.size(); ++rank) {
      const ShardCut& cut = (*cuts)[rank];
      EXPECT_EQ(cut.rank, rank);
      EXPECT_EQ(cut.ranks, shares.size());
      EXPECT_EQ(cut.kv_heads.begin, std::exchange(kv, cut.kv_heads).end);
      EXPECT_EQ(cut.ff.begin, std::exchange(ff, cut.ff).end);
      EXPECT_EQ(cut.vocab.begin, std::exchange(vocab, cut.vocab).end);
      EXPECT_GT(cut.kv_heads.size() * cut.ff.size() * cut.vocab.size(), 0u);
      EXPECT_EQ(cut.ff.begin % 256, 0u);
      EXPECT_EQ(cut.vocab.begin % 16, 0u);
    }
    EXPECT_EQ(kv.end, 8u);
    EXPECT_EQ(ff.end, 14336u);
    EXPECT_EQ(vocab.end, 128256u);
  }
}

// KV heads are few and coarse: the MLP makes up for what they cannot give.
TEST(ShardCuts, BytesFollowTheShares) {
  const std::vector<double> shares = {0.55, 0.45};
  const auto cuts = cuts_of(llama_8b(), shares, DType::q4_0);
  ASSERT_TRUE(cuts);
  const Program whole = program_of(llama_8b());
  std::vector<double> bytes;
  for (const ShardCut& cut : *cuts) {
    bytes.push_back(0);
    for (const TensorSpec& spec : shard_program(whole, cut).tensors)
      if (spec.layer >= 0) bytes.back() += double(spec.rows) * spec.cols;
  }
  EXPECT_EQ((*cuts)[0].kv_heads, (CutRange{0, 4}));
  EXPECT_NEAR(bytes[0] / (bytes[0] + bytes[1]), 0.55, 0.005);
  const auto equal = cuts_of(llama_8b(), {1, 1}, DType::q4_0);
  ASSERT_TRUE(equal);
  EXPECT_EQ((*equal)[0].ff, (CutRange{0, 7168}));
  EXPECT_EQ((*equal)[1].vocab, (CutRange{64128, 128256}));
}

// A person who asks for too many shards must learn what stands in the way.
TEST(ShardCuts, SaysWhatCannotBeDivided) {
  ModelConfig config = splittable("llama");
  const auto nine = cuts_of(config, std::vector<double>(9, 1.0), DType::f32);
  EXPECT_TRUE(nine.is(Errc::invalid_argument));
  EXPECT_TRUE(cuts_of(config, {1, 0}, DType::f32).is(Errc::invalid_argument));
  EXPECT_TRUE(cuts_of(config, {1, std::nan("")}, DType::f32).is(Errc::invalid_argument));
  EXPECT_TRUE(cuts_of(config, {}, DType::f32).is(Errc::invalid_argument));
  // 8 KV heads of 128 columns: blocks of 256 span two.
  const auto five = cuts_of(config, std::vector<double>(5, 1.0), DType::q4_k);
  ASSERT_TRUE(five.is(Errc::unsupported));
  EXPECT_EQ(five.error().message(),
            "5 shards need at least as many parts of each layer, but the 8 KV heads can be cut at "
            "multiples of 2 only: 4 parts");
  EXPECT_TRUE(cuts_of(config, std::vector<double>(5, 1.0), DType::q4_0));
}

// Fused tensors are cut in each of their parts, and each rank has the heads that belong together.
TEST(ShardCuts, PartsOfFusedTensorsAreCutEach) {
  const Program whole = program_of(splittable("phi3"));
  const ShardCut cut{
      .rank = 1, .ranks = 2, .kv_heads = {6, 8}, .ff = {1024, 1280}, .vocab = {256, 512}};
  const Program shard = shard_program(whole, cut);
  const auto find = [&](TensorRole role) {
    return *std::ranges::find_if(shard.tensors, [&](const TensorSpec& spec) {
      return spec.role == role && spec.layer == 2;
    });
  };
  const auto rows = [&](TensorRole role) {
    return std::pair{find(role).first_row, find(role).rows};
  };
  using Rows = std::pair<std::uint32_t, std::uint32_t>;
  EXPECT_EQ(rows(TensorRole::attention_q), (Rows{6 * 128, 2 * 128}));
  EXPECT_EQ(rows(TensorRole::attention_k), (Rows{1024 + 6 * 64, 2 * 64}));
  EXPECT_EQ(rows(TensorRole::attention_v), (Rows{1024 + 512 + 6 * 64, 2 * 64}));
  EXPECT_EQ(rows(TensorRole::mlp_gate), (Rows{1024, 256}));
  EXPECT_EQ(rows(TensorRole::mlp_up), (Rows{1280 + 1024, 256}));
  const TensorSpec down = find(TensorRole::mlp_down);
  EXPECT_EQ(down.rows, 256u);
  EXPECT_EQ(down.first_col, 1024u);
  EXPECT_EQ(down.cols, 256u);
  EXPECT_EQ(file_cols(down), 1280u);
  EXPECT_EQ(slot_width(shard, Slot::q), 256u);
  EXPECT_EQ(slot_width(shard, Slot::k), 128u);
  EXPECT_EQ(slot_width(shard, Slot::gate), 256u);
  EXPECT_EQ(shard.vocab, 512u);
  EXPECT_EQ(logit_width(shard), 256u);
}

// Columns of a file's matrix are whole blocks of its rows.
TEST(ShardCuts, SourceReadsColumnsAtBlocks) {
  const SplitModel model(splittable("llama"), "Q4_0");
  const auto source = tensor_source(model.file());
  TensorSpec down = *std::ranges::find_if(model.program().tensors, [](const TensorSpec& spec) {
    return spec.role == TensorRole::mlp_down;
  });
  const auto whole = source->read(down);
  ASSERT_TRUE(whole);
  down.file_cols = down.cols;
  down.first_col = 96;
  down.cols = 64;
  const auto part = source->read(down);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->bytes.size(), 256u * 2 * 18);
  EXPECT_TRUE(std::ranges::equal(part->bytes.subspan(5 * 36, 36),
                                 whole->bytes.subspan(5 * 40 * 18 + 3 * 18, 36)));
  EXPECT_TRUE(source->release(down));
  down.first_col = 16;
  EXPECT_TRUE(source->read(down).is(Errc::unsupported));
  EXPECT_TRUE(source->type(down).is(Errc::unsupported));
}

}  // namespace
}  // namespace drystone
