#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "cluster/instance/actions.h"
#include "cluster/instance/instance_map.h"

namespace drystone {

// The parts that this node holds or should hold: follows the placements in the map, and tells there
// how its parts fare. Loads and drops nothing itself.
class Holder {
 public:
  using Time = std::chrono::nanoseconds;

  // Progress is published when it has grown by as much, or at all since so long: a part that comes
  // over a slow cable has not stalled.
  static constexpr double kProgressStep = 0.05;
  static constexpr Time kProgressEvery = std::chrono::seconds(20);

  Holder(std::string self, std::uint64_t boot) : self_(std::move(self)), boot_(boot) {}

  void progress(const std::string& instance, const Epoch& epoch, double done);
  void loaded(const std::string& instance, const Epoch& epoch);
  void failed(const std::string& instance, const Epoch& epoch, const std::string& error);
  void lost(const std::string& instance, const Epoch& epoch, const std::string& error);

  // Of this process: what its parts are told with.
  std::uint64_t boot() const { return boot_; }
  void raise_boot(std::uint64_t at_least);

  // Appends what follows from the map.
  void act(const InstanceMap& map, Time now, std::vector<InstanceAction>& actions);

  std::vector<std::string> held() const;  // instances

 private:
  struct Part {
    Placement placement;
    PartState state;
    bool handed_out = true;  // false: nothing was loaded since our start
    Time told_at{};
  };

  Part* current(const std::string& instance, const Epoch& epoch);
  void follow(const std::string& instance, const PlaceValue& place, const InstanceMap& map,
              std::vector<InstanceAction>& actions);
  void begin(const Placement& placement, const InstanceMap& map,
             std::vector<InstanceAction>& actions);
  void drop(const std::string& instance, bool may_return, std::vector<InstanceAction>& actions);
  void tell(const InstanceMap& map, Time now, std::vector<InstanceAction>& actions);

  const std::string self_;
  std::uint64_t boot_;
  std::map<std::string, Part> parts_;   // by instance
  std::map<std::string, Epoch> ended_;  // by instance: the highest that was dropped
};

}  // namespace drystone
