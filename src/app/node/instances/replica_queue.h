#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "app/node/instances/head_route.h"

namespace drystone {

// The jobs of one model, over its replicas: each goes to the one with the fewest of this node's
// jobs among those that have a head, and stays there. Thread-safe.
class ReplicaQueue final : public JobQueue {
 public:
  // In place of the one before. Null: there is no such replica any more.
  void set(std::uint32_t replica, std::shared_ptr<HeadRoute> route);

  // Errors: also unavailable (no replica).
  Result<std::uint64_t> submit(GenerationJob job) override;
  std::size_t queue_max() const override;
  void cancel(std::uint64_t id) override;
  void cancel_all() override;
  std::size_t position(std::uint64_t id) const override;

 private:
  std::shared_ptr<HeadRoute> route_of(std::uint64_t id) const;
  std::map<std::uint32_t, std::shared_ptr<HeadRoute>> routes() const;

  mutable std::mutex mutex_;
  std::map<std::uint32_t, std::shared_ptr<HeadRoute>> routes_;
};

}  // namespace drystone
