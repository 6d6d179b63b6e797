#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "base/check.h"
#include "compute/reducer.h"

namespace drystone {

// For tests: a shard group whose ranks are threads of this process.
class TestReducerGroup {
 public:
  explicit TestReducerGroup(std::uint32_t ranks) : parts_(ranks) {
    for (std::uint32_t rank = 0; rank < ranks; ++rank)
      reducers_.push_back(std::make_unique<Rank>(*this, rank));
  }

  Reducer& rank(std::uint32_t rank) { return *reducers_.at(rank); }

  // From here on every reduction fails, also those that wait.
  void lose_a_rank() {
    {
      const std::lock_guard lock(mutex_);
      lost_ = true;
    }
    changed_.notify_all();
  }

 private:
  class Rank final : public Reducer {
   public:
    Rank(TestReducerGroup& group, std::uint32_t rank) : group_(group), rank_(rank) {}
    std::uint32_t rank() const override { return rank_; }
    std::uint32_t ranks() const override {
      return static_cast<std::uint32_t>(group_.parts_.size());
    }
    Result<void> all_reduce(std::span<float> values,
                            const std::function<void()>& meanwhile) override {
      if (meanwhile) meanwhile();
      return group_.all_reduce(rank_, values);
    }

   private:
    TestReducerGroup& group_;
    const std::uint32_t rank_;
  };

  Result<void> all_reduce(std::uint32_t rank, std::span<float> values) {
    std::unique_lock lock(mutex_);
    parts_[rank].assign(values.begin(), values.end());
    const std::uint64_t round = round_;
    if (++arrived_ == parts_.size()) {
      arrived_ = 0;
      sum_ = parts_[0];
      for (std::size_t other = 1; other < parts_.size(); ++other) {
        CHECK(parts_[other].size() == sum_.size(), parts_[other].size(), sum_.size());
        for (std::size_t i = 0; i < sum_.size(); ++i) sum_[i] += parts_[other][i];
      }
      ++round_;
      changed_.notify_all();
    }
    changed_.wait(lock, [&] { return round_ != round || lost_; });
    if (lost_) return Error(Errc::unavailable, "a rank is lost");
    std::copy(sum_.begin(), sum_.end(), values.begin());
    return {};
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::vector<float>> parts_;  // of the ranks that have arrived
  std::vector<float> sum_;                 // of the last round; whole until all have arrived again
  std::size_t arrived_ = 0;
  std::uint64_t round_ = 0;
  bool lost_ = false;
  std::vector<std::unique_ptr<Rank>> reducers_;
};

}  // namespace drystone
