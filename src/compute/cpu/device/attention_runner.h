#pragma once

#include <span>
#include <vector>

#include "compute/cpu/device/kv_cache.h"
#include "compute/cpu/device/rope_tables.h"
#include "compute/cpu/device/stage_plan.h"
#include "compute/cpu/device/step_rows.h"
#include "compute/cpu/device/workspace.h"
#include "compute/thread_pool.h"

namespace drystone {

// Runs the attention of one layer: finishes q and k (head norms, rotation), appends k and v to the
// cache, attends.
class AttentionRunner {
 public:
  AttentionRunner(Isa isa, ThreadPool& pool, std::uint32_t head_dim, std::uint32_t rows_max);
  static Bytes bytes(int threads, std::uint32_t head_dim, std::uint32_t rows_max);

  void run(const PlannedAttention& attention, const StepRows& rows,
           std::span<const Segment> segments, const RopeTables& ropes, const KvCache& cache,
           const Workspace& workspace);

 private:
  // Query rows [begin, end) of a segment.
  struct RowBlock {
    std::uint32_t segment, begin, end;
  };
  void append(const PlannedAttention& attention, const StepRows& rows,
              std::span<const Segment> segments, const RopeTables& ropes, const KvCache& cache,
              const Workspace& workspace);
  void cut_blocks(std::span<const Segment> segments);

  const VectorKernels& kernels_;
  ThreadPool& pool_;
  std::vector<RowBlock> blocks_;
  std::size_t scratch_stride_;
  std::vector<float> scratch_;  // [threads][scratch_stride_]
};

}  // namespace drystone
