#include "compute/cpu/cpu_device.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <span>

#include "base/rng.h"
#include "compute/cpu/device/kv_cache.h"
#include "compute/cpu/device/reserved_memory.h"
#include "compute/cpu/device/stage_plan.h"
#include "compute/cpu/device/workspace.h"

namespace drystone {
namespace {

// One layer of attention and MLP over a vocabulary of 40, written by hand: compute knows no model
// families.
Program small_program() {
  Program program{.architecture = "test",
                  .d_model = 64,
                  .vocab = 40,
                  .context = 256,
                  .heads_max = 4,
                  .kv_heads = 2,
                  .head_dim = 16,
                  .ff_width = 96};
  const auto add = [&](TensorRole role, std::uint32_t rows, std::uint32_t cols, int layer) {
    const auto id = static_cast<TensorId>(program.tensors.size());
    program.tensors.push_back({.name = "t" + std::to_string(id),
                               .role = role,
                               .rows = rows,
                               .cols = cols,
                               .file_rows = rows,
                               .layer = layer});
    return id;
  };
  program.embedding = add(TensorRole::embedding, 40, 64, -1);
  for (int layer = 0; layer < 2; ++layer) {
    const auto norm = [&] { return add(TensorRole::norm, 1, 64, layer); };
    LayerProgram ops;
    ops.ops.push_back(NormOp{Slot::hidden, Slot::normed, norm(), 1e-5f});
    ops.ops.push_back(
        LinearOp{Slot::normed,
                 {{add(TensorRole::attention_q, 64, 64, layer), kNoTensor, Slot::q},
                  {add(TensorRole::attention_k, 32, 64, layer), kNoTensor, Slot::k},
                  {add(TensorRole::attention_v, 32, 64, layer), kNoTensor, Slot::v}}});
    const std::vector<float> frequencies = {1, 0.5f, 0.25f, 0.1f, 0.05f, 0.02f, 0.01f, 0.005f};
    ops.ops.push_back(RopeOp{Slot::q, 4, 16, true, 1, frequencies});
    ops.ops.push_back(RopeOp{Slot::k, 2, 16, true, 1, frequencies});
    ops.ops.push_back(AttentionOp{4, 2, 16, 0.25f});
    ops.ops.push_back(
        LinearOp{Slot::attended,
                 {{add(TensorRole::attention_output, 64, 64, layer), kNoTensor, Slot::projected}},
                 true});
    ops.ops.push_back(ResidualOp{Slot::projected});
    ops.ops.push_back(NormOp{Slot::hidden, Slot::normed, norm(), 1e-5f});
    ops.ops.push_back(LinearOp{Slot::normed,
                               {{add(TensorRole::mlp_gate, 96, 64, layer), kNoTensor, Slot::gate},
                                {add(TensorRole::mlp_up, 96, 64, layer), kNoTensor, Slot::up}}});
    ops.ops.push_back(GatedOp{Activation::silu});
    ops.ops.push_back(
        LinearOp{Slot::activated,
                 {{add(TensorRole::mlp_down, 64, 96, layer), kNoTensor, Slot::projected}},
                 true});
    ops.ops.push_back(ResidualOp{Slot::projected});
    program.layers.push_back(std::move(ops));
  }
  program.output_norm = add(TensorRole::norm, 1, 64, -1);
  program.output_norm_eps = 1e-5f;
  program.output = program.embedding;
  return program;
}

class RandomSource final : public TensorSource {
 public:
  Result<Tensor> read(const TensorSpec& spec) override {
    auto& values = values_[spec.name];
    if (values.empty()) {
      Rng rng(std::hash<std::string>{}(spec.name));
      values.resize(std::size_t{spec.rows} * spec.cols);
      for (float& value : values)
        value = spec.role == TensorRole::norm
                    ? 1
                    : rng.normal() / std::sqrt(static_cast<float>(spec.cols));
    }
    return Tensor{DType::f32, std::as_bytes(std::span(values))};
  }
  Result<DType> type(const TensorSpec&) override { return DType::f32; }
  Result<void> release(const TensorSpec&) override {
    ++released;
    return {};
  }
  int released = 0;

 private:
  std::map<std::string, std::vector<float>> values_;
};

DType f32_everywhere(const TensorSpec&) { return DType::f32; }

struct Loaded {
  std::unique_ptr<Device> device = make_cpu_device(Isa::portable, 2);
  RandomSource source;
  std::unique_ptr<DeviceStage> stage;
};

Loaded load(const Program& program, StageOptions options) {
  Loaded loaded;
  auto stage = loaded.device->load(program, options, loaded.source);
  CHECK(stage, stage.error().message());
  loaded.stage = *std::move(stage);
  return loaded;
}

struct Output {
  std::vector<float> logits, hidden;
};

Output run_both(DeviceStage& stage, const StepInput& input) {
  const auto result = stage.run(input);
  CHECK(result, result.error().message());
  return {{result->logits.begin(), result->logits.end()},
          {result->hidden.begin(), result->hidden.end()}};
}

std::vector<float> run(DeviceStage& stage, const StepInput& input) {
  return run_both(stage, input).logits;
}

const std::vector<std::uint32_t> kPages = {1, 0};

// People decide by the estimate whether a model fits; load() must take just that.
TEST(CpuDevice, EstimateIsWhatLoadReserves) {
  const Program program = small_program();
  const StageOptions options{.layers = {0, 2}, .kv_tokens = 128, .batch_tokens_max = 32};
  Loaded loaded = load(program, options);
  const StageMemory estimate = loaded.device->estimate(program, options, f32_everywhere);
  const StageMemory memory = loaded.stage->memory();
  EXPECT_EQ(memory.weights, estimate.weights);
  EXPECT_EQ(memory.kv, estimate.kv);
  EXPECT_EQ(memory.working, estimate.working);
  EXPECT_EQ(memory.kv,
            2u * 2 * 128 * 2 * 16 * 2);  // layers, K and V, tokens, heads, head size, f16
  EXPECT_EQ(loaded.stage->page_count() * loaded.stage->page_tokens(), 128u);
  EXPECT_EQ(loaded.source.released, static_cast<int>(program.tensors.size()));
}

// A model that does not fit must be refused with figures, not killed by the system.
TEST(CpuDevice, RefusesWhatDoesNotFitBeforeTakingMemory) {
  const auto device = make_cpu_device(Isa::portable, 1);
  RandomSource source;
  const auto stage =
      device->load(small_program(), {.layers = {0, 2}, .kv_tokens = 4000000000}, source);
  ASSERT_TRUE(stage.is(Errc::out_of_memory));
  EXPECT_NE(stage.error().message().find("4000000000 tokens"), std::string::npos)
      << stage.error().message();
  EXPECT_EQ(source.released, 0);
}

// Pipelines cut a model by layers and send hidden rows: the cut must not change a bit.
TEST(CpuDevice, TwoStagesGiveTheBitsOfOne) {
  const Program program = small_program();
  const std::vector<std::int32_t> tokens = {3, 1, 4, 1, 5};
  const Segment segment{.rows = 5,
                        .position = 0,
                        .kind = RowKind::prompt,
                        .pages = kPages,
                        .output = RowOutput::all_logits};
  Loaded whole = load(program, {.layers = {0, 2}, .kv_tokens = 128});
  Loaded first = load(program, {.layers = {0, 1}, .head = HeadPlace::none, .kv_tokens = 128});
  Loaded second = load(program, {.layers = {1, 2}, .embed = false, .kv_tokens = 128});
  const auto hidden = run_both(*first.stage, {.segments = {&segment, 1}, .tokens = tokens}).hidden;
  EXPECT_EQ(hidden.size(), 5u * 64);
  EXPECT_EQ(run(*second.stage, {.segments = {&segment, 1}, .hidden = hidden}),
            run(*whole.stage, {.segments = {&segment, 1}, .tokens = tokens}));
}

// Sequences that share a step must not see each other, whatever pages they got.
TEST(CpuDevice, RowsOfOneStepDoNotInfluenceEachOther) {
  const Program program = small_program();
  const StageOptions options{.layers = {0, 2}, .kv_tokens = 256};
  const std::vector<std::int32_t> one = {3, 1, 4}, other = {9, 2, 6, 5};
  const std::vector<std::uint32_t> one_pages = {2}, other_pages = {0};
  Loaded alone = load(program, options), together = load(program, options);

  const Segment lone{.rows = 3, .position = 0, .kind = RowKind::prompt, .pages = kPages};
  run(*alone.stage, {.segments = {&lone, 1}, .tokens = one});
  const Segment lone_next{.rows = 1, .position = 3, .kind = RowKind::generated, .pages = kPages};
  const std::vector<std::int32_t> next = {7};
  const auto expected = run(*alone.stage, {.segments = {&lone_next, 1}, .tokens = next});

  const Segment prompt{.rows = 3, .position = 0, .kind = RowKind::prompt, .pages = one_pages};
  run(*together.stage, {.segments = {&prompt, 1}, .tokens = one});
  const Segment mixed[] = {
      {.rows = 1, .position = 3, .kind = RowKind::generated, .pages = one_pages},
      {.rows = 4, .position = 0, .kind = RowKind::prompt, .pages = other_pages}};
  std::vector<std::int32_t> tokens = next;
  tokens.insert(tokens.end(), other.begin(), other.end());
  const auto both = run(*together.stage, {.segments = mixed, .tokens = tokens});
  ASSERT_EQ(both.size(), 2u * 40);
  EXPECT_EQ(std::vector<float>(both.begin(), both.begin() + 40), expected);
}

// A shard: rank 0 of two.
Program small_shard() {
  Program program = small_program();
  program.ranks = 2;
  return program;
}

// The only rank that computes: the sum is its own part.
class LoneReducer final : public Reducer {
 public:
  std::uint32_t rank() const override { return 0; }
  std::uint32_t ranks() const override { return 2; }
  Result<void> all_reduce(std::span<float>, const std::function<void()>& meanwhile) override {
    had_meanwhile.push_back(static_cast<bool>(meanwhile));
    for (int i = 0; meanwhile && i < 10; ++i) meanwhile();
    return {};
  }
  std::vector<bool> had_meanwhile;
};

// Prompt rows wait for the arithmetic, and have other ranks' bytes to send and receive meanwhile.
TEST(CpuDevice, OnlyGeneratedRowsReadAheadWhileTheyWaitForASum) {
  LoneReducer reducer;
  Loaded shard =
      load(small_shard(),
           {.layers = {0, 2}, .head = HeadPlace::none, .reducer = &reducer, .kv_tokens = 128});
  const std::vector<std::int32_t> tokens = {3, 1, 4};
  const Segment prompt{.rows = 3, .position = 0, .kind = RowKind::prompt, .pages = kPages};
  run(*shard.stage, {.segments = {&prompt, 1}, .tokens = tokens});
  EXPECT_EQ(reducer.had_meanwhile, std::vector<bool>(4, false));
  reducer.had_meanwhile.clear();
  const std::vector<std::int32_t> next = {7};
  const Segment generated{.rows = 1, .position = 3, .kind = RowKind::generated, .pages = kPages};
  run(*shard.stage, {.segments = {&generated, 1}, .tokens = next});
  EXPECT_EQ(reducer.had_meanwhile, std::vector<bool>(4, true));
}

TEST(StagePlan, AReductionKnowsWhatIsReadNext) {
  const Program program = small_shard();
  ThreadPool pool(1);
  RandomSource source;
  const auto weights = StageWeights::load(pool, program, {.layers = {0, 2}}, source);
  ASSERT_TRUE(weights) << weights.error().message();
  const StagePlan plan = plan_stage(program, {0, 2}, *weights);
  using Weights = std::vector<const PackedMatrix*>;
  std::vector<Weights> read, read_next;  // by products; by reductions
  for (const auto& layer : plan.layers)
    for (const PlannedOp& op : layer) {
      if (const auto* reduce = std::get_if<PlannedReduce>(&op)) read_next.push_back(reduce->next);
      if (const auto* linear = std::get_if<PlannedLinear>(&op))
        for (read.emplace_back(); const PlannedPart& part : linear->parts)
          read.back().push_back(part.weight);
    }
  // Of each layer: q, k and v; the attention's output; gate and up; down.
  ASSERT_EQ(read.size(), 8u);
  EXPECT_EQ(read_next, (std::vector<Weights>{read[2], read[4], read[6], {}}));
}

// A page that was copied out, and into another place or stage, is the page that it was.
TEST(CpuDevice, PagesSurviveBeingCopied) {
  for (const KvType kv : {KvType::f16, KvType::f32}) {
    const StageOptions options{.layers = {0, 2}, .kv_type = kv, .kv_tokens = 256};
    Loaded here = load(small_program(), options), there = load(small_program(), options);
    std::vector<std::int32_t> tokens(kKvPageTokens);
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(i % 40);
    const Segment prompt{
        .rows = kKvPageTokens, .position = 0, .kind = RowKind::prompt, .pages = kPages};
    run(*here.stage, {.segments = {&prompt, 1}, .tokens = tokens});
    std::vector<std::byte> bytes(here.stage->page_bytes());
    EXPECT_EQ(bytes.size() * here.stage->page_count(), here.stage->memory().kv);
    here.stage->read_page(kPages[0], bytes);

    const std::vector<std::uint32_t> other = {3, 2};
    there.stage->write_page(3, bytes);
    Segment next{.rows = 1, .position = kKvPageTokens, .kind = RowKind::generated, .pages = kPages};
    const std::vector<std::int32_t> token = {7};
    const auto expected = run(*here.stage, {.segments = {&next, 1}, .tokens = token});
    next.pages = other;
    EXPECT_EQ(run(*there.stage, {.segments = {&next, 1}, .tokens = token}), expected);
  }
}

// An embedding has a step in common with answers: each must get its own rows, with the bits that it
// gets alone.
TEST(CpuDevice, HiddenRowsAndLogitsOfOneStepAreThoseOfTwo) {
  const Program program = small_program();
  const StageOptions options{.layers = {0, 2}, .kv_tokens = 256};
  const std::vector<std::int32_t> one = {3, 1, 4}, other = {9, 2, 6, 5}, third = {8, 8};
  const std::vector<std::uint32_t> one_pages = {2}, other_pages = {0}, third_pages = {1};
  const auto segment = [](std::uint32_t rows, const auto& pages, RowOutput output) {
    return Segment{
        .rows = rows, .position = 0, .kind = RowKind::prompt, .pages = pages, .output = output};
  };
  const Segment segments[] = {segment(3, one_pages, RowOutput::all_hidden),
                              segment(4, other_pages, RowOutput::last_logits),
                              segment(2, third_pages, RowOutput::last_hidden)};
  Loaded alone = load(program, options), together = load(program, options);
  const Output first = run_both(*alone.stage, {.segments = {&segments[0], 1}, .tokens = one});
  const Output second = run_both(*alone.stage, {.segments = {&segments[1], 1}, .tokens = other});
  const Output last = run_both(*alone.stage, {.segments = {&segments[2], 1}, .tokens = third});
  EXPECT_EQ(first.logits.size(), 0u);
  ASSERT_EQ(first.hidden.size(), 3u * 64);
  EXPECT_EQ(second.hidden.size(), 0u);
  ASSERT_EQ(last.hidden.size(), 1u * 64);

  std::vector<std::int32_t> tokens = one;
  tokens.insert(tokens.end(), other.begin(), other.end());
  tokens.insert(tokens.end(), third.begin(), third.end());
  const Output both = run_both(*together.stage, {.segments = segments, .tokens = tokens});
  std::vector<float> hidden = first.hidden;
  hidden.insert(hidden.end(), last.hidden.begin(), last.hidden.end());
  EXPECT_EQ(both.hidden, hidden);
  EXPECT_EQ(both.logits, second.logits);
}

// The reservation never grows: what exceeds it is refused and leaves the cache as it was.
TEST(CpuDevice, TooManyRowsAreRefused) {
  Loaded loaded =
      load(small_program(),
           {.layers = {0, 2}, .kv_tokens = 128, .batch_tokens_max = 4, .logit_rows_max = 2});
  const std::vector<std::int32_t> tokens(5, 1);
  Segment segment{.rows = 5, .position = 0, .kind = RowKind::prompt, .pages = kPages};
  EXPECT_TRUE(loaded.stage->run({.segments = {&segment, 1}, .tokens = tokens}).is(Errc::limit));
  segment.rows = 3;
  segment.output = RowOutput::all_logits;
  const auto three = std::span(tokens).first(3);
  EXPECT_TRUE(loaded.stage->run({.segments = {&segment, 1}, .tokens = three}).is(Errc::limit));
  segment.output = RowOutput::last_logits;
  EXPECT_TRUE(loaded.stage->run({.segments = {&segment, 1}, .tokens = three}));
}

// Slots share memory to keep the working memory small; two that are alive together must never
// overlap.
TEST(CpuDevice, SlotsAliveTogetherDoNotShareMemory) {
  const WorkspaceLayout layout = workspace_layout(small_program(), {0, 2}, 8);
  const auto disjoint = [&](Slot a, Slot b) {
    const std::size_t a_begin = layout.offsets[int(a)],
                      a_end = a_begin + 8u * layout.widths[int(a)];
    const std::size_t b_begin = layout.offsets[int(b)],
                      b_end = b_begin + 8u * layout.widths[int(b)];
    return a_end <= b_begin || b_end <= a_begin;
  };
  for (const Slot slot :
       {Slot::normed, Slot::q, Slot::k, Slot::v, Slot::attended, Slot::gate, Slot::up})
    EXPECT_TRUE(disjoint(Slot::hidden, slot)) << int(slot);
  for (const Slot slot : {Slot::q, Slot::k, Slot::v})
    EXPECT_TRUE(disjoint(Slot::normed, slot)) << int(slot);
  for (const Slot slot : {Slot::q, Slot::k, Slot::v})
    EXPECT_TRUE(disjoint(Slot::attended, slot)) << int(slot);
  EXPECT_TRUE(disjoint(Slot::gate, Slot::up));
  EXPECT_TRUE(disjoint(Slot::normed, Slot::gate));
  EXPECT_LT(layout.floats, 8u * (64 * 3 + 64 * 2 + 32 * 2 + 96 * 3));
}

// A cache that is only promised would kill the process in the middle of an answer.
TEST(CpuDevice, SystemTellsHowMuchMemoryIsAvailable) {
  const auto available = available_memory();
  ASSERT_TRUE(available) << available.error().message();
  EXPECT_GT(*available, 16 * kMiB);
  EXPECT_LT(*available, Bytes{1} << 50);
}

}  // namespace
}  // namespace drystone
