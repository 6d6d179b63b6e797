#include "app/node/models/model_figures_of.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>

#include "app/load/open_model.h"
#include "cluster/plan/planner.h"
#include "compute/cpu/cpu_device.h"
#include "compute/test_reducer.h"
#include "model/synth/synth.h"
#include "serve/peer/split/part_stages.h"

namespace drystone {
namespace {

class SynthFile {
 public:
  SynthFile(ModelConfig config, std::string_view type)
      : path_(std::filesystem::temp_directory_path() /
              fmt::format("figures-{}-{}-{}-{}.gguf", config.architecture, config.d_model, type,
                          getpid())) {
    ThreadPool pool(1);
    const auto written =
        write_synth({.config = std::move(config)}, *find_mixture(type), path_, pool, {});
    CHECK(written, written.error().message());
  }
  ~SynthFile() { std::filesystem::remove(path_); }
  GgufFile open() const { return *GgufFile::open(path_); }

 private:
  const std::filesystem::path path_;
};

ModelConfig wide(std::string architecture) {
  ModelConfig config{.architecture = std::move(architecture)};
  config.layers = 6;
  config.d_model = 512;
  config.ff_width = 1536;
  config.heads = 16;
  config.kv_heads = 8;
  config.head_dim = 64;
  config.vocab = 4096;
  config.context = 4096;
  return config;
}

std::vector<NodeFigures> nodes(std::uint32_t count) {
  std::vector<NodeFigures> nodes;
  for (std::uint32_t i = 0; i < count; ++i)
    nodes.push_back({.id = fmt::format("node-{}", i),
                     .name = fmt::format("n{}", i),
                     .total_bytes = 8 * kGiB,
                     .free_bytes = 6 * kGiB});
  return nodes;
}

void expect_near(Bytes planned, Bytes real, const char* what, const PlacedPart& part) {
  const double allowed = std::max(0.03 * static_cast<double>(real), 2.0 * kMiB);
  EXPECT_NEAR(static_cast<double>(planned), static_cast<double>(real), allowed)
      << what << " of stage " << part.stage << ", rank " << part.rank << " of " << part.ranks;
}

// Loads every part of the placement and compares.
void compare(const GgufFile& file, const Placement& placement) {
  const auto device = make_cpu_device(*choose_isa(""), 1);
  const std::atomic<bool> stop = false;
  for (std::uint32_t i = 0; i < placement.parts.size(); ++i) {
    const PlacedPart& part = placement.parts[i];
    const auto program = part_program(placement, i, file);
    ASSERT_TRUE(program) << program.error().message();
    TestReducerGroup group(part.ranks);
    const auto loaded = load_part(placement, i, *program, file, *device,
                                  part.ranks > 1 ? &group.rank(part.rank) : nullptr, nullptr, stop);
    ASSERT_TRUE(loaded) << loaded.error().message();
    const StageMemory real = loaded->memory();
    expect_near(part.bytes.weights, real.weights, "weights", part);
    expect_near(part.bytes.kv, real.kv, "KV cache", part);
    expect_near(part.bytes.working, real.working, "working memory", part);
    expect_near(part.bytes.total(), real.weights + real.kv + real.working, "all", part);
  }
}

void compare_all(const GgufFile& file, std::uint32_t shards_max) {
  const auto device = make_cpu_device(*choose_isa(""), 1);
  const auto figures = model_figures_of(file, "model", *device);
  ASSERT_TRUE(figures) << figures.error().message();
  // What travels is what was written.
  EXPECT_EQ(model_figures_from_json(to_json(*figures)).value(), *figures);
  const auto best = [&](std::uint32_t stages, std::uint32_t shards) {
    const Plan plan = drystone::plan(*figures, nodes(stages * shards), {},
                                     {.context = std::min(figures->context, 1024u),
                                      .streams = 4,
                                      .rows_max = 256,
                                      .stages = stages,
                                      .shards = shards});
    ASSERT_FALSE(plan.offers.empty()) << (plan.error ? plan.error->message() : "no offer")
                                      << " for " << stages << " x " << shards;
    compare(file, plan.offers[0].placements[0]);
  };
  best(1, 1);
  best(2, 1);
  best(3, 1);
  for (std::uint32_t shards = 2; shards <= shards_max; ++shards) best(1, shards);
  if (shards_max >= 2) best(2, 2);
}

// A planner that counts bytes otherwise than the device reserves them overbooks a node.
TEST(ModelFiguresOf, BytesAreThoseThatPartsTake) {
  for (const char* type : {"Q4_0", "Q8_0", "Q4_K_M"})
    compare_all(SynthFile(wide("llama"), type).open(), 4);
  ModelConfig tied = wide("qwen3");
  tied.tied_output = true;
  compare_all(SynthFile(tied, "Q8_0").open(), 3);
}

// Sums over shards cross in blocks: a model whose rows are no whole blocks is cut by layers only.
TEST(ModelFiguresOf, RowsThatAreNoWholeBlocksAreNotCut) {
  const auto device = make_cpu_device(*choose_isa(""), 1);
  const SynthFile even(wide("llama"), "F32");
  ModelConfig odd_config = wide("llama");
  odd_config.d_model = 520;
  const SynthFile odd(odd_config, "F32");
  const PlanRequest two_shards{.context = 256, .rows_max = 64, .shards = 2};
  const auto plan_of = [&](const SynthFile& model) {
    return drystone::plan(*model_figures_of(model.open(), "model", *device), nodes(2), {},
                          two_shards);
  };
  const Plan possible = plan_of(even);
  ASSERT_FALSE(possible.offers.empty());
  EXPECT_TRUE(plan_of(odd).offers.empty());
  // A placement of somebody who does not know better.
  const auto refused = part_program(possible.offers[0].placements[0], 0, odd.open());
  ASSERT_TRUE(refused.is(Errc::unsupported)) << refused.error().message();
  EXPECT_NE(refused.error().message().find("rows of 520 values"), std::string::npos);
}

TEST(ModelFiguresOf, BytesOfPebbleAreThoseThatPartsTake) {
  const auto pebble = open_model(kDemoModelName);
  if (!pebble) GTEST_SKIP() << pebble.error().message();
  compare_all(*pebble, 2);
}

}  // namespace
}  // namespace drystone
