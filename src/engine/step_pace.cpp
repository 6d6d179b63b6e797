#include "engine/step_pace.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace drystone {
namespace {

// Prompt rows of a step before anything was measured, and the least that is worth a pass.
constexpr std::uint32_t kFirstRows = 64, kRowsMin = 2;
// So many times as many writers make what was measured worth nothing.
constexpr double kMoreWriters = 1.5;
// How far a crowd of readers stretches the patience of writers.
constexpr double kCrowdMax = 12;
// Weight of the newest measurement.
constexpr double kNewest = 0.2;

void blend(double& mean, double value, double weight = kNewest) {
  mean = mean == 0 ? value : mean + weight * (value - mean);
}

}  // namespace

// Where several wait to read for each that writes, it is several times more: in small portions,
// each with a pass over the weights, all would wait longer.
double StepPace::time_for(std::size_t readers, std::uint32_t writing) const {
  if (writing == 0 || stall_ == 0) return std::numeric_limits<double>::infinity();
  const double crowd = static_cast<double>(readers) / writing;
  return (stall_ - 1) * writing_step_s_ * std::clamp(crowd * crowd, 1.0, kCrowdMax);
}

bool StepPace::wants_measure(std::uint32_t writing) const {
  return stall_ != 0 && writing > kMoreWriters * writing_rows_;
}

std::uint32_t StepPace::rows_in(double left_s, std::uint32_t room) {
  if (std::isinf(left_s)) return room;
  if (writing_step_s_ == 0 || prompt_row_s_ == 0) return std::min(room, kFirstRows);
  const double rows = std::max(0.0, left_s) / prompt_row_s_ + carry_;
  const auto whole = std::max(kRowsMin, static_cast<std::uint32_t>(rows));
  carry_ = std::clamp(rows - whole, 0.0, 1.0);
  return std::min(room, whole);
}

void StepPace::measure(double step_s, std::uint32_t rows, std::uint32_t prompt_rows) {
  const bool writing = prompt_rows < rows;
  if (prompt_rows == 0) {
    if (wants_measure(rows)) writing_step_s_ = 0;
    blend(writing_step_s_, step_s);
    writing_rows_ = rows;
  } else if (!writing) {
    blend(prompt_row_s_, step_s / prompt_rows);
  } else if (writing_step_s_ > 0 && step_s > writing_step_s_) {
    // What took long is believed sooner than what was quick: gaps should not scatter.
    const double row_s = (step_s - writing_step_s_) / prompt_rows;
    blend(prompt_row_s_, row_s, row_s > prompt_row_s_ ? 2 * kNewest : kNewest);
  }
}

}  // namespace drystone
