#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "cluster/instance/plan_work.h"

namespace drystone {

// Makes the plans of this node's keeper on a thread of its own, beside the cluster's loop.
// Thread-safe but for start() and stop().
class PlanThread final : public PlanWork {
 public:
  ~PlanThread() override { stop(); }

  // Calls `made` on the thread whenever an answer is there. Once.
  void start(std::function<void()> made);
  // Waits for the plan that is being made; no further one is begun.
  void stop();

  std::optional<PlaceValue> made(std::uint64_t number,
                                 const std::function<PlanJob()>& job) override;

 private:
  void run();

  std::function<void()> made_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::uint64_t number_ = 0;  // of what was asked for last
  PlanJob waiting_;
  std::optional<PlaceValue> answer_;  // to number_
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace drystone
