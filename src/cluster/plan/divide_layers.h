#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace drystone {

// What a stage makes of a run of layers, in the order of the pipeline. Sums over the first n layers
// stand at [n]; all have layers + 1 entries and never fall.
struct StageLoad {
  std::vector<double> seconds;
  double extra_s = 0;  // whatever the layers: fixed time, the head's output matrix
  // Memory of each rank, and what the rank has for layers.
  struct Rank {
    std::vector<double> bytes;
    double budget = 0;
  };
  std::vector<Rank> ranks;

  double time(std::uint32_t begin, std::uint32_t end) const {
    return extra_s + seconds[end] - seconds[begin];
  }
  bool holds(std::uint32_t begin, std::uint32_t end) const;
};

enum class DivideBy {
  longest_stage,  // the longest stage as short as can be, then the sum as small as can be
  sum,            // the sum of all stages as small as can be
};

// Cuts the layers into one run per stage, none empty. The ends of the runs; nullopt: memory does
// not allow it. Exact for this order of stages (to 1e-9 of the longest stage's time). Time O(stages
// * layers * (layers of a stage + log layers)).
std::optional<std::vector<std::uint32_t>> divide_layers(const std::vector<StageLoad>& stages,
                                                        DivideBy by);

}  // namespace drystone
