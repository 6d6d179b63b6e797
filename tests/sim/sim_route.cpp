#include "sim_route.h"

#include <fmt/format.h>

#include <utility>

namespace drystone::sim {

SimRoute::Aim SimRoute::aim_of(const InstanceStatus& status) {
  Aim aim;
  if (status.placement) {
    aim.epoch = status.placement->epoch.number;
    aim.keeper = status.placement->epoch.keeper;
  }
  if (status.phase == InstancePhase::ready) {
    aim.node = status.placement->head;
    return aim;
  }
  aim.refused = status.phase == InstancePhase::refused || status.gave_up;
  aim.why = fmt::format("{} is {}: {}", status.instance, to_string(status.phase), status.message);
  return aim;
}

void SimRoute::aim(Aim aim) {
  if (aim_ && *aim_ == aim) return;
  aim_ = std::move(aim);
  aimed_ = true;
}

void SimRoute::give_up(const std::string& why) {
  current_ = nullptr;
  dialed_ = nullptr;
  queue_.set_head(aims_, nullptr, why);
}

void SimRoute::tick() {
  if (aim_) {
    if (std::exchange(aimed_, false)) {
      ++aims_;
      give_up(aim_->why);
      if (aim_->refused) queue_.refuse(aims_, Error(Errc::out_of_memory, aim_->why));
    } else if (current_ != nullptr && current_->lost()) {
      give_up("the connection to " + aim_->node + " is lost");
    }
    std::shared_ptr<JobQueue> made;
    if (!aim_->node.empty() && current_ == nullptr) {
      if (aim_->node == ways_.self) {
        made = ways_.here(aim_->epoch);
        if (made == nullptr) queue_.set_head(aims_, nullptr, "is not ready here");
      } else if (dialed_ == nullptr) {
        dialed_ = ways_.dial(*aim_);
      } else if (dialed_->over) {
        dialed_ = nullptr;
        queue_.set_head(aims_, nullptr, aim_->node + " does not answer");
      } else if (dialed_->open) {
        made = std::exchange(dialed_, nullptr)->jobs;
      }
    }
    if (made != nullptr) {
      current_ = std::move(made);
      queue_.set_head(aims_, current_);
    }
  }
  queue_.work();
}

}  // namespace drystone::sim
