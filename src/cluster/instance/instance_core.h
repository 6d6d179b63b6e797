#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/instance/actions.h"
#include "cluster/instance/holder.h"
#include "cluster/instance/instance_map.h"
#include "cluster/instance/keeper.h"

namespace drystone {

enum class InstancePhase {
  waiting,
  loading,  // also while what was lost is being replaced
  ready,
  failed,  // a part could not be loaded: tried again, unless it was given up
  refused,
};
std::string_view to_string(InstancePhase phase);

// For `drystone ps`, from what this node knows.
struct InstanceStatus {
  std::string instance, model;
  InstancePhase phase = InstancePhase::waiting;
  std::optional<Placement> placement;
  // By node; of the placement's epoch alone. Those of nodes that are not alive, and of processes
  // that have ended, are lost.
  std::map<std::string, PartState> parts;
  double progress = 0;    // of loading: the mean over parts
  std::string message;    // why it waits, failed or was refused; or is degraded
  bool answered = false;  // the keeper has decided about the newest wish
  bool gave_up = false;   // failed, and is not tried again until somebody asks
};

// The life of all instances as one node sees it: which placements there should be (where this node
// is the keeper), and which parts this node should hold. Pure: events in, actions out; time comes
// in with tick(). Every node runs one.
//
// The keeper of every instance is the lowest node id alive in one's own view. It makes a placement
// where there is none that can run: none yet, a node of it dead, a part failed or lost. Each new
// placement has a higher epoch than any that is known for the instance, also from the states of its
// parts, so that after a partition one of them holds in the end. Who has a part in the placement
// that holds loads it; who has one of a lower epoch drops it.
//
// Not thread-safe.
class InstanceCore {
 public:
  using Time = std::chrono::nanoseconds;  // monotonic

  struct Options {
    std::string self;        // node id
    std::uint64_t boot = 0;  // of this process: another number after each start
    Time now{};
    PlanWork* plans = nullptr;  // null: plans are made within take_actions()
  };
  // Borrows `map` and Options::plans for its life. The map should hold what was persisted before
  // the first take_actions().
  InstanceCore(Options options, const MapView& map);

  // Events. Each may be told again.
  void node_alive(const std::string& node);  // self is alive from the start
  // The number of the node's process as the members know it (its start): parts of that process have
  // it as `boot`, or a greater one. What has a lower one has ended, whatever the map still says. Of
  // self: from now on its parts have at least that.
  void process_heard(const std::string& node, std::uint64_t number);
  void node_dead(const std::string& node);
  // It belongs to the cluster no more: also of those to which that happened before our start.
  void node_removed(AbsentNode node);
  void key_changed(std::string_view key);  // all changes, also those that actions have made
  void part_progress(const std::string& instance, const Epoch& epoch, double done);
  void part_loaded(const std::string& instance, const Epoch& epoch);
  // While loading: nothing is held any more. Later: the part broke (a pipe error); what it holds in
  // memory stays until the LoadPart or DropPart that follows.
  void part_failed(const std::string& instance, const Epoch& epoch, const std::string& error);
  // The others, or one of them, are gone: no fault of this node, whether it was still loading or
  // not.
  void part_lost(const std::string& instance, const Epoch& epoch, const std::string& error);
  // Options::plans has an answer.
  void plan_made() { dirty_ = true; }
  // Time passes; call it several times a second, and before take_actions(): a pause of
  // Keeper::kOwnPause is taken for one of this process, which then knows less than the others.
  void tick(Time now);

  // What follows from all events so far. Do it, then ask again until there is nothing: what was
  // published must stand in the map before the next call. A part is handed out once for each epoch.
  std::vector<InstanceAction> take_actions();

  bool is_keeper() const { return self_ == *alive_.begin(); }
  // Of everything that is wanted or still held, by name.
  std::vector<InstanceStatus> statuses() const;
  // What the map says, understood. Valid until the next event.
  const InstanceMap& map() const { return map_; }

 private:
  InstanceStatus status(const std::string& instance, const DesiredInstance* desired) const;
  std::string substitute_text(const Placement& placement) const;
  std::string degraded_now(const Placement& placement) const;
  bool is_of_ended_process(const std::string& node, const PartState& state) const;

  const std::string self_;
  InstanceMap map_;
  std::set<std::string> alive_;
  std::map<std::string, std::uint64_t> processes_;  // by node, as far as one was heard of
  std::map<std::string, AbsentNode> removed_;       // by id
  Time now_;
  bool ticked_ = false;
  bool dirty_ = true;  // something happened since the last take_actions() that gave nothing
  Holder holder_;
  Keeper keeper_;
};

}  // namespace drystone
