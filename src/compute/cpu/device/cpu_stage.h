#pragma once

#include <memory>

#include "compute/cpu/device/attention_runner.h"
#include "compute/cpu/device/kv_cache.h"
#include "compute/cpu/device/rope_tables.h"
#include "compute/cpu/device/stage_plan.h"
#include "compute/cpu/device/stage_weights.h"
#include "compute/cpu/device/step_rows.h"
#include "compute/cpu/device/weights_ahead.h"
#include "compute/cpu/device/workspace.h"
#include "compute/cpu/matmul.h"
#include "compute/device.h"

namespace drystone {

// What the working memory of a stage consists of, beside its weights and its KV cache.
Bytes stage_working_bytes(const Program& program, const StageOptions& options, Isa isa,
                          int threads);

// A range of layers on the CPU. Rows of a step keep their order from slot to slot: generated rows,
// then prompt rows.
class CpuStage final : public DeviceStage {
 public:
  struct Parts {
    StageWeights weights;
    KvCache cache;
    Workspace workspace;
  };
  // `pool` is borrowed for the stage's life.
  CpuStage(ThreadPool& pool, Isa isa, const Program& program, const StageOptions& options,
           Parts parts);

  Result<StepOutput> run(const StepInput& input) override;
  Result<StepOutput> head(const HeadInput& input) override;
  bool kinds_agree() const override { return kinds_agree_; }
  std::uint32_t page_tokens() const override { return kKvPageTokens; }
  std::uint32_t page_count() const override { return parts_.cache.layout().pages; }
  Bytes page_bytes() const override { return parts_.cache.layout().page_bytes_of_all(); }
  void read_page(std::uint32_t page, std::span<std::byte> bytes) const override {
    parts_.cache.read_page(page, bytes);
  }
  void write_page(std::uint32_t page, std::span<const std::byte> bytes) override {
    parts_.cache.write_page(page, bytes);
  }
  StageMemory memory() const override { return memory_; }

 private:
  void embed(std::span<const std::int32_t> tokens);
  Result<void> run_layer(const std::vector<PlannedOp>& ops);
  // Behind the attention of the model's last layer, only rows of which something is wanted have a
  // use.
  void keep_wanted_rows();
  // The head, for the wanted rows of `hidden`, f32 [rows_.rows, d_model].
  StepOutput run_head(const float* hidden);
  // The final norm of the wanted rows, those for logits first.
  void final_norm(const float* hidden);
  std::span<const float> output_head();
  std::span<const float> hidden_output() const;

  void run_op(const PlannedNorm& op);
  void run_op(const PlannedLinear& op);
  void run_op(const PlannedAttention& op);
  void run_op(const PlannedGated& op);
  void run_op(const PlannedAdd& op);
  Result<void> run_op(const PlannedReduce& op);

  // work(row, begin, end) for columns [begin, end) of each row, on a grid that does not depend on
  // the threads.
  template <typename Work>
  void for_cells(std::uint32_t rows, std::uint32_t width, Work work);

  ThreadPool& pool_;
  const VectorKernels& kernels_;
  const Program program_;
  const StageOptions options_;
  Parts parts_;
  const bool kinds_agree_;
  const bool has_last_layer_;  // of the model
  StagePlan plan_;
  RopeTables ropes_;
  AttentionRunner attention_;
  Activations activations_;
  WeightsAhead ahead_;
  StepRows rows_;
  std::span<const Segment> segments_;  // of the step that runs
  std::vector<MatmulPart> matmul_parts_;
  std::vector<float> logits_;
  StageMemory memory_;
};

}  // namespace drystone
