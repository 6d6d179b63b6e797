#include "app/node/instances/head_route.h"

#include <gtest/gtest.h>

#include "serve/jobs/scripted_queue.h"

namespace drystone {
namespace {

// The heads of a test: which aims were followed, and the queue that each of them got.
class Heads {
 public:
  HeadRoute::Open open() {
    return [this](const HeadAim& aim, const std::atomic<bool>&) {
      const std::lock_guard lock(mutex_);
      queues_.push_back({aim, std::make_shared<ScriptedQueue>()});
      changed_.notify_all();
      return Result<std::shared_ptr<JobQueue>>(queues_.back().second);
    };
  }
  // Waits for the head with this number, counted from 0 on.
  std::pair<HeadAim, std::shared_ptr<ScriptedQueue>> wait_for(std::size_t number) {
    std::unique_lock lock(mutex_);
    const bool came =
        changed_.wait_for(lock, std::chrono::seconds(10), [&] { return queues_.size() > number; });
    CHECK(came, number);
    return queues_[number];
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<HeadAim, std::shared_ptr<ScriptedQueue>>> queues_;
};

class HeadRouteTest : public testing::Test {
 protected:
  static HeadAim at(std::uint64_t epoch, const std::string& keeper) {
    return {.epoch = epoch, .keeper = keeper, .node = "nova"};
  }

  SystemClock clock;
  Heads heads;
  SeenAnswer seen;
  std::shared_ptr<ReplayQueue> jobs =
      std::make_shared<ReplayQueue>(ReplayQueue::Options{.instance = "stories"}, clock);
  HeadRoute route{jobs, heads.open()};
};

// After a partition the map may hold a lower epoch than this node has seen: the later writing.
TEST_F(HeadRouteTest, GoesBackToALowerEpochThatHolds) {
  route.aim(at(5, "a"));
  heads.wait_for(0);
  route.aim({.epoch = 5, .keeper = "a", .why = "nova is gone"});
  route.aim(at(3, "b"));
  const auto [aim, queue] = heads.wait_for(1);
  EXPECT_EQ(aim.epoch, 3u);
  ASSERT_TRUE(jobs->submit(seen.job({.prompt = {1}})));
  queue->wait_for(1);
  queue->end(1, GenerateResult{});
  EXPECT_TRUE(seen.wait());
}

// Two keepers made an epoch of the same number: what the first had loaded is over.
TEST_F(HeadRouteTest, LeavesTheEpochOfAnotherKeeper) {
  route.aim(at(5, "a"));
  const auto first = heads.wait_for(0).second;
  ASSERT_TRUE(jobs->submit(seen.job({.prompt = {1}})));
  first->wait_for(1);
  route.aim(at(5, "b"));
  const auto second = heads.wait_for(1).second;
  first->wait_for_cancel(1);
  first->end(1, GenerateResult{.finish = FinishReason::cancelled});
  second->wait_for(1);
  second->end(1, GenerateResult{});
  EXPECT_TRUE(seen.wait());
}

}  // namespace
}  // namespace drystone
