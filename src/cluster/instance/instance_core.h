#pragma once

#include <boost/json/value.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "cluster/instance/desired.h"
#include "cluster/instance/map_view.h"
#include "cluster/instance/part_state.h"
#include "cluster/plan/placement.h"

namespace drystone {

// ---- What the core asks for.

// Put `value` under `key` into the replicated map; a null deletes.
struct Publish {
  std::string key;
  boost::json::value value;
};
// Reserve placement.part_of(self)->bytes in the ledger, load it, connect it with the others; then
// part_loaded() or part_failed(). A part of a lower epoch of the instance ends first. Where
// `reuse`, that part has the very same weights and KV size: they may stay in memory.
struct LoadPart {
  Placement placement;
  bool reuse = false;
};
// End the part of that epoch and give its memory back. Also ends one that is still loading.
struct DropPart {
  std::string instance;
  Epoch epoch;
};
using InstanceAction = std::variant<Publish, LoadPart, DropPart>;

// ---- What it tells.

enum class InstancePhase { waiting, loading, ready, failed, refused };
std::string_view to_string(InstancePhase phase);

// For `drystone ps`, from what this node knows.
struct InstanceStatus {
  std::string instance, model;
  InstancePhase phase = InstancePhase::waiting;
  std::optional<Placement> placement;
  std::map<std::string, PartState> parts;  // by node; of the placement's epoch alone
  double progress = 0;                     // of loading: the mean over parts
  std::string message;                     // why it waits, failed or was refused; or is degraded
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

  // Waits, all of them from tick() to tick().
  // After its own start a keeper gives the nodes of known placements this long to appear.
  static constexpr Time kStartWait = std::chrono::seconds(20);
  // A placement that failed n times in a row is tried again after 2^n times the first, up to the
  // last.
  static constexpr Time kBackoffFirst = std::chrono::seconds(1);
  static constexpr Time kBackoffLast = std::chrono::seconds(60);
  // A part that loads and tells no progress for this long has failed.
  static constexpr Time kLoadStall = std::chrono::seconds(120);
  // A node whose part failed twice is left out this long, where the model fits without it.
  static constexpr Time kLeaveOut = std::chrono::seconds(300);
  // What was asked for must have been possible this long before it replaces a substitute.
  static constexpr Time kSettle = std::chrono::seconds(10);
  // Progress is published when it has grown by as much.
  static constexpr double kProgressStep = 0.05;

  struct Options {
    std::string self;        // node id
    std::uint64_t boot = 0;  // of this process: another number after each start
    Time now{};
  };
  // Borrows `map` for its life.
  InstanceCore(Options options, const MapView& map);

  // Events. Each may be told again. None of them acts before the next take_actions().
  void node_alive(const std::string& node);  // self is alive from the start
  void node_dead(const std::string& node);
  void key_changed(std::string_view key);
  void part_progress(const std::string& instance, const Epoch& epoch, double done);
  void part_loaded(const std::string& instance, const Epoch& epoch);
  // Also when a part that was ready broke: a pipe error, a worker that answers no more.
  void part_failed(const std::string& instance, const Epoch& epoch, const std::string& error);
  // Time passes; call it at least once a second.
  void tick(Time now);

  // What follows from all events so far, in the order in which it should be done. At most one
  // LoadPart or DropPart per instance and epoch is handed out, until the next epoch.
  std::vector<InstanceAction> take_actions();

  bool is_keeper() const;
  // Of everything that is wanted or still held, by name.
  std::vector<InstanceStatus> statuses() const;

 private:
  struct Known;  // of one instance
  struct Mine;
  struct Keeping;
};

}  // namespace drystone
