#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace drystone {

// Numbers that threads change without a lock; a reader may see one change before another.

// Only grows.
class Counter {
 public:
  void add(std::uint64_t amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

class Gauge {
 public:
  void add(std::int64_t amount) { value_.fetch_add(amount, std::memory_order_relaxed); }
  void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_ = 0;
};

// How many observations fell at or below each of some bounds, and their sum.
class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds);  // rising

  // `count` observations of the same value.
  void observe(double value, std::uint64_t count = 1);

  struct Snapshot {
    std::vector<std::uint64_t> at_most;  // per bound: this and all below
    std::uint64_t count = 0;
    double sum = 0;
  };
  Snapshot snapshot() const;
  std::span<const double> bounds() const { return bounds_; }

 private:
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> buckets_;  // one per bound, and one for the rest
  std::atomic<double> sum_ = 0;
};

}  // namespace drystone
