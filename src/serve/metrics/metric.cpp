#include "serve/metrics/metric.h"

#include <algorithm>

#include "base/check.h"

namespace drystone {

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds.begin(), bounds.end()),
      buckets_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds.size() + 1)) {
  CHECK(std::is_sorted(bounds_.begin(), bounds_.end()));
}

void Histogram::observe(double value, std::uint64_t count) {
  const auto bucket = static_cast<std::size_t>(
      std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin());
  buckets_[bucket].fetch_add(count, std::memory_order_relaxed);
  sum_.fetch_add(value * static_cast<double>(count), std::memory_order_relaxed);
}

Histogram::Snapshot Histogram::snapshot() const {
  Snapshot out;
  for (std::size_t i = 0; i <= bounds_.size(); ++i) {
    out.count += buckets_[i].load(std::memory_order_relaxed);
    if (i < bounds_.size()) out.at_most.push_back(out.count);
  }
  out.sum = sum_.load(std::memory_order_relaxed);
  return out;
}

}  // namespace drystone
