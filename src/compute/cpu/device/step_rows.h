#pragma once

#include <cstdint>
#include <vector>

#include "compute/device.h"

namespace drystone {

// The rows of one step, flattened: generated rows first, then prompt rows. Everything follows from
// the segments, so all stages and ranks have the same rows in the same order.
struct StepRows {
  std::uint32_t rows = 0, generated = 0;
  std::vector<std::uint32_t> positions;    // [rows]
  std::vector<std::uint32_t> segment_of;   // [rows]
  std::vector<std::uint32_t> first_row;    // of each segment
  std::vector<std::uint32_t> logit_rows;   // rows whose logits are wanted, rising
  std::vector<std::uint32_t> hidden_rows;  // rows whose hidden state is wanted, rising
  std::vector<std::uint32_t> wanted_rows;  // both
  std::uint32_t generated_logit_rows = 0, generated_wanted_rows = 0;

  explicit StepRows(std::uint32_t rows_max);
  // Errors: limit, naming the figure that is exceeded; CHECKs what only our own code can get wrong.
  Result<void> assign(std::span<const Segment> segments, std::uint32_t rows_max,
                      std::uint32_t logit_rows_max);
  // From here on the step consists of the wanted rows, in their order.
  void keep_wanted_rows();

 private:
  void want(std::uint32_t row, RowOutput output);
};

}  // namespace drystone
