#include "cluster/instance/head_aim.h"

#include <fmt/format.h>

namespace drystone {

bool has_no_future(const InstanceStatus& status) {
  return status.phase == InstancePhase::refused || status.gave_up;
}

HeadAim aim_of(const InstanceStatus& status) {
  HeadAim aim;
  if (status.placement) {
    aim.epoch = status.placement->epoch.number;
    aim.keeper = status.placement->epoch.keeper;
    aim.vocab = status.placement->shape.vocab;
  }
  if (status.phase == InstancePhase::ready) {
    aim.node = status.placement->head;
    return aim;
  }
  if (has_no_future(status)) aim.refused = status.gave_up ? Errc::unavailable : Errc::out_of_memory;
  aim.why = status.message.empty()
                ? fmt::format("{} is {}", status.instance, to_string(status.phase))
                : fmt::format("{}: {}", status.instance, status.message);
  return aim;
}

}  // namespace drystone
