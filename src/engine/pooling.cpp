#include "engine/pooling.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace drystone {

void HiddenPool::add(std::span<const float> rows) {
  CHECK(rows.size() % width_ == 0, rows.size(), width_);
  if (rows.empty()) return;
  if (pooling_ == Pooling::last) {
    const auto last = rows.last(width_);
    sums_.assign(last.begin(), last.end());
    rows_ = 1;
    return;
  }
  sums_.resize(width_);
  for (; !rows.empty(); rows = rows.subspan(width_), ++rows_)
    for (std::uint32_t i = 0; i < width_; ++i) sums_[i] += double{rows[i]};
}

std::vector<float> HiddenPool::vector() const {
  CHECK(rows_ > 0);
  std::vector<float> out(width_);
  const auto rows = static_cast<double>(rows_);
  for (std::uint32_t i = 0; i < width_; ++i) out[i] = static_cast<float>(sums_[i] / rows);
  return out;
}

std::vector<float> unit_vector(std::span<const float> values, std::size_t size) {
  const auto kept = values.first(std::min(size, values.size()));
  double squares = 0;
  for (const float value : kept) squares += double{value} * value;
  const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  std::vector<float> out;
  out.reserve(kept.size());
  for (const float value : kept) out.push_back(static_cast<float>(value * scale));
  return out;
}

}  // namespace drystone
