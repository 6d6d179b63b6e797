#include "app/node/instances/replica_queue.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "cluster/instance/desired.h"

namespace drystone {

void ReplicaQueue::set(std::uint32_t replica, std::shared_ptr<HeadRoute> route) {
  CHECK(replica < kReplicasMax, replica);
  const std::lock_guard lock(mutex_);
  if (route == nullptr)
    routes_.erase(replica);
  else
    routes_[replica] = std::move(route);
}

std::map<std::uint32_t, std::shared_ptr<HeadRoute>> ReplicaQueue::routes() const {
  const std::lock_guard lock(mutex_);
  return routes_;
}

std::shared_ptr<HeadRoute> ReplicaQueue::route_of(std::uint64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto at = routes_.find(static_cast<std::uint32_t>(id % kReplicasMax));
  return at == routes_.end() ? nullptr : at->second;
}

Result<std::uint64_t> ReplicaQueue::submit(GenerationJob job) {
  std::uint32_t replica = 0;
  std::shared_ptr<HeadRoute> best;
  for (auto& [number, route] : routes()) {
    const auto rank = [](HeadRoute& one) {
      return std::pair(!one.has_head(), one.open_jobs().load());
    };
    if (best != nullptr && rank(*best) <= rank(*route)) continue;
    replica = number;
    best = route;
  }
  if (best == nullptr)
    return Error(Errc::unavailable, "the model is placed on no node now; try again later");
  ++best->open_jobs();
  job.on_done = [route = std::weak_ptr(best),
                 on_done = std::move(job.on_done)](Result<GenerateResult> result) {
    if (const auto still = route.lock()) --still->open_jobs();
    on_done(std::move(result));
  };
  auto id = best->queue().submit(std::move(job));
  if (!id) {
    --best->open_jobs();
    return std::move(id).error();
  }
  return *id * kReplicasMax + replica;
}

std::size_t ReplicaQueue::queue_max() const {
  std::size_t most = 0;
  for (const auto& [number, route] : routes()) most = std::max(most, route->queue().queue_max());
  return std::max<std::size_t>(most, 1);
}

void ReplicaQueue::cancel(std::uint64_t id) {
  if (const auto route = route_of(id)) route->queue().cancel(id / kReplicasMax);
}

void ReplicaQueue::cancel_all() {
  for (const auto& [number, route] : routes()) route->queue().cancel_all();
}

std::size_t ReplicaQueue::position(std::uint64_t id) const {
  const auto route = route_of(id);
  return route == nullptr ? 0 : route->queue().position(id / kReplicasMax);
}

}  // namespace drystone
