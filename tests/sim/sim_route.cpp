#include "sim_route.h"

namespace drystone::sim {

void SimRoute::tick() {
  if (aim_ && follower_.aim(*aim_)) dialed_ = nullptr;
  if (follower_.wants_queue()) connect(follower_.aimed());
  jobs_->work();
}

void SimRoute::connect(const HeadAim& aim) {
  const auto fail = [&](const std::string& why) { follower_.take(Error(Errc::unavailable, why)); };
  if (aim.node == ways_.self) {
    auto here = ways_.here(aim.epoch);
    if (here == nullptr) return fail("is not ready here");
    follower_.take(std::move(here));
  } else if (dialed_ == nullptr) {
    dialed_ = ways_.dial(aim);
  } else if (dialed_->over) {
    dialed_ = nullptr;
    fail(aim.node + " does not answer");
  } else if (dialed_->open) {
    follower_.take(std::shared_ptr<JobQueue>(std::exchange(dialed_, nullptr)->jobs));
  }
}

}  // namespace drystone::sim
