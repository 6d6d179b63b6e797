#include "compute/cpu/device/rope_tables.h"

#include <cmath>

namespace drystone {

RopeTables::RopeTables(const std::vector<PlannedRope>& ropes, std::uint32_t rows_max)
    : ropes_(ropes) {
  for (const PlannedRope& rope : ropes)
    tables_.emplace_back(std::size_t{rows_max} * rope.inv_freq.size() * 2);
}

Bytes RopeTables::bytes(const std::vector<PlannedRope>& ropes, std::uint32_t rows_max) {
  Bytes bytes = 0;
  for (const PlannedRope& rope : ropes)
    bytes += Bytes{rows_max} * rope.inv_freq.size() * 2 * sizeof(float);
  return bytes;
}

void RopeTables::prepare(ThreadPool& pool, std::span<const std::uint32_t> positions) {
  pool.for_ranges(
      static_cast<std::int64_t>(positions.size()), 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::size_t r = 0; r < ropes_.size(); ++r) {
          const PlannedRope& rope = ropes_[r];
          float* out =
              tables_[r].data() + begin * 2 * static_cast<std::int64_t>(rope.inv_freq.size());
          for (std::int64_t row = begin; row < end; ++row)
            for (const float inv_freq : rope.inv_freq) {
              const double angle = double{inv_freq} * positions[row];
              *out++ = static_cast<float>(std::cos(angle)) * rope.magnitude;
              *out++ = static_cast<float>(std::sin(angle)) * rope.magnitude;
            }
        }
      });
}

}  // namespace drystone
