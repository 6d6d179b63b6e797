#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compute/cpu/device/stage_plan.h"
#include "compute/thread_pool.h"

namespace drystone {

// Cosines and sines of the rows of one step: [rows][pairs][2] for each way of rotating.
class RopeTables {
 public:
  RopeTables(const std::vector<PlannedRope>& ropes, std::uint32_t rows_max);
  static Bytes bytes(const std::vector<PlannedRope>& ropes, std::uint32_t rows_max);

  void prepare(ThreadPool& pool, std::span<const std::uint32_t> positions);
  const float* row(int rope, std::uint32_t row) const {
    return tables_[rope].data() + std::size_t{row} * 2 * pairs(rope);
  }
  std::uint32_t pairs(int rope) const {
    return static_cast<std::uint32_t>(ropes_[rope].inv_freq.size());
  }
  bool interleaved(int rope) const { return ropes_[rope].interleaved; }

 private:
  std::vector<PlannedRope> ropes_;
  std::vector<std::vector<float>> tables_;
};

}  // namespace drystone
