#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compute/cpu/isa.h"
#include "compute/device.h"
#include "compute/shard_program.h"
#include "compute/test_reducer.h"
#include "model/gguf/gguf.h"
#include "model/synth/synth.h"

namespace drystone {

// A small model of a family, wide enough for four shards of every type of block.
ModelConfig splittable(std::string architecture);

// A synthetic model while a test needs it.
class SplitModel {
 public:
  SplitModel(const ModelConfig& config, std::string_view type);

  const Program& program() const { return program_; }
  const GgufFile& file() const { return file_; }
  DType type_of(const TensorSpec& spec) const { return file_.find(spec.name)->type; }
  std::vector<ShardCut> cuts(std::span<const double> shares) const;

 private:
  GgufFile file_;
  Program program_;
};

// Where embedding and head are.
enum class HeadLayout {
  in_stages,  // embedding in the first stage, head behind the last layer
  apart,      // both in the first stage
  alone,      // both in a stage without layers
};

struct Split {
  std::vector<std::uint32_t> borders;  // where the second, third, ... stage begins
  std::vector<double> shares = {1};    // of the shards of each stage; several: the head is alone
  HeadLayout head = HeadLayout::in_stages;
};

struct StepRowsOut {
  std::vector<float> logits, hidden;
};

// Runs a model that is split over devices of this process. CHECKs that all ranks of a stage give
// the same bits.
class SplitRun {
 public:
  SplitRun(const SplitModel& model, Isa isa, const Split& split, StageOptions options = {});

  StepRowsOut step(std::span<const Segment> segments, std::span<const std::int32_t> tokens);

  struct Part {
    Program program;
    StageOptions options;
    std::unique_ptr<DeviceStage> stage;
    Device* device;
  };
  // Every stage of every rank, those of the head first.
  std::vector<const Part*> parts() const;
  std::uint32_t vocab() const { return model_.program().vocab; }

 private:
  struct Stage {
    std::vector<Part> ranks;
    std::unique_ptr<TestReducerGroup> reducers;
  };
  Part load(Program program, StageOptions options, Device& device);
  std::vector<float> run_stage(Stage& stage, const StepInput& input);

  const SplitModel& model_;
  const Split split_;
  std::vector<std::unique_ptr<Device>> devices_;  // of the ranks
  std::unique_ptr<Part> edge_;                    // HeadLayout::alone
  std::vector<Stage> stages_;
};

// What a run gives for each row that has an output, by sequence and position.
using RowsOf = std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<float>>;

// Four sequences at once, with generated rows beside prompt rows and every kind of output; prompts
// are read `chunk` rows a step.
RowsOf talk(SplitRun& run, std::uint32_t chunk);

// What greedy decoding writes.
std::vector<std::int32_t> write_greedily(SplitRun& run, std::uint32_t tokens);

}  // namespace drystone
