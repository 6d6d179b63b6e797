#include "serve/jobs/head_follower.h"

#include <utility>

namespace drystone {

bool HeadFollower::aim(const HeadAim& aim) {
  if (aims_ > 0 && aim_ == aim) return false;
  aim_ = aim;
  ++aims_;
  let_go(aim_.why);
  if (aim_.refused) queue_.refuse(aims_, Error(Errc::out_of_memory, aim_.why));
  return true;
}

bool HeadFollower::wants_queue() {
  if (current_ != nullptr && current_->lost())
    let_go("the connection to " + aim_.node + " is lost");
  return !aim_.node.empty() && current_ == nullptr;
}

void HeadFollower::take(Result<std::shared_ptr<JobQueue>> made) {
  if (!made) return queue_.set_head(aims_, nullptr, made.error().message());
  current_ = *std::move(made);
  queue_.set_head(aims_, current_);
  has_head_ = true;
}

void HeadFollower::end(const std::string& why) {
  ++aims_;
  let_go(why);
}

void HeadFollower::let_go(const std::string& why) {
  has_head_ = false;
  current_ = nullptr;
  queue_.set_head(aims_, nullptr, why);
}

}  // namespace drystone
