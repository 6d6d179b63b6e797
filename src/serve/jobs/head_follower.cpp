#include "serve/jobs/head_follower.h"

#include <utility>

namespace drystone {

bool HeadFollower::aim(const HeadAim& aim) {
  if (aims_ > 0 && aim_ == aim) return false;
  aim_ = aim;
  ++aims_;
  let_go(aim_.why);
  if (aim_.refused) queue_.refuse(replica_, aims_, Error(*aim_.refused, aim_.why));
  return true;
}

bool HeadFollower::wants_queue() {
  if (current_ != nullptr && current_->lost())
    let_go("the connection to " + aim_.node + " is lost");
  return !aim_.node.empty() && current_ == nullptr;
}

void HeadFollower::take(Result<std::shared_ptr<JobQueue>> made) {
  if (!made) return queue_.set_head(replica_, aims_, nullptr, made.error().message());
  current_ = *std::move(made);
  queue_.set_head(replica_, aims_, current_);
}

void HeadFollower::end() {
  current_ = nullptr;
  queue_.remove_replica(replica_);
}

void HeadFollower::let_go(const std::string& why) {
  current_ = nullptr;
  queue_.set_head(replica_, aims_, nullptr, why);
}

}  // namespace drystone
