#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/instance/actions.h"
#include "cluster/instance/instance_map.h"
#include "cluster/instance/plan_work.h"
#include "cluster/plan/planner.h"

namespace drystone {

// What a keeper goes by.
struct KeeperView {
  const InstanceMap& map;
  const std::set<std::string>& alive;  // node ids
  std::chrono::nanoseconds now;        // monotonic
  // By id: nodes that belong to the cluster no more.
  const std::map<std::string, AbsentNode>& removed;
};

// Makes and renews the placements of all instances, on the node that is their keeper. Remembers
// what failed where, so that it does not try the same for ever; that memory is the keeper's alone,
// and a new keeper begins without. Only LoadRecord stays.
class Keeper {
 public:
  using Time = std::chrono::nanoseconds;
  // After its own start a keeper gives the nodes of known placements this long to appear; one that
  // has appeared since and is gone again is not waited for.
  static constexpr Time kStartWait = std::chrono::seconds(20);
  // It makes none where it knows of none before the map has had this long to come from the others.
  static constexpr Time kJoinWait = std::chrono::seconds(3);
  // After a pause of its own (it was frozen) it waits as long: others may have placed meanwhile.
  static constexpr Time kOwnPause = std::chrono::seconds(1);
  // A placement that nobody asks for is struck out after this long: the wish may still be on its
  // way.
  static constexpr Time kOrphanWait = std::chrono::seconds(10);
  // A placement that failed n times in a row waits 2^(n-1) times the first, up to the last.
  static constexpr Time kBackoffFirst = std::chrono::seconds(1);
  static constexpr Time kBackoffLast = std::chrono::seconds(60);
  // A part that loads and tells no progress for this long has failed.
  static constexpr Time kLoadStall = std::chrono::seconds(120);
  // A part that is lost while others load is mostly not the cause: they are heard first, this long.
  static constexpr Time kCauseWait = std::chrono::seconds(3);
  // A node whose part failed twice is left out this long, where the model fits without it.
  static constexpr Time kLeaveOut = std::chrono::seconds(300);
  // An instance that has been ready this long has recovered. What was asked for replaces a
  // substitute when its nodes have been there this long.
  static constexpr Time kSettle = std::chrono::seconds(10);
  // What was refused is tried again when nodes come or figures change, no sooner than this.
  static constexpr Time kRefusedRetry = std::chrono::seconds(5);

  // Borrows `plans`, if any, for its life; null: plans are made within act().
  Keeper(std::string self, Time start, PlanWork* plans = nullptr)
      : self_(std::move(self)), start_(start), plans_(plans) {}

  void node_came(const std::string& node, Time now);
  void node_went(const std::string& node);
  void key_changed(std::string_view key);
  // This process did not run for kOwnPause or longer.
  void woke(Time now) { woke_at_ = now; }

  // Appends the placements that should be published.
  void act(const KeeperView& view, std::vector<InstanceAction>& actions);
  // This node is not the keeper: forgets what only a keeper needs.
  void rest();

 private:
  // What about the present placement, if any.
  enum class Finding {
    good,
    missing,  // none was made yet, or it was refused
    outdone,  // somebody knows a higher epoch
    changed,  // something else is asked for
    node_gone,
    part_lost,
    part_failed,  // or stalled
    substitute,   // good, but not what was asked for
  };
  struct Loading {
    double progress = -1;
    Time since{};
  };
  struct Blame {
    std::uint32_t failures = 0;
    Time until{};
  };
  // What the keeper remembers of one instance.
  struct Kept {
    std::optional<Placement> last;  // that was good
    Epoch counted;                  // whose failure has been counted
    std::uint32_t failures = 0;     // in a row
    Time retry_at{};
    std::optional<Time> ready_since;
    Epoch loading_epoch;
    std::map<std::string, Loading> loading;  // by node
    std::optional<Time> lost_since;          // a part of loading_epoch
    std::map<std::string, Blame> blame;      // by node
    // When a plan last did not give what was asked for, and from which inputs.
    Time tried_at{};
    std::uint64_t tried_inputs = 0, tried_nodes = 0;
    bool held_back = false;               // because nodes may still be starting
    bool replacing = false;               // what stands: the plan for it is not there yet
    std::uint64_t narrowed_inputs = 0;    // of the last look whether it stands in the way
    std::optional<DesiredInstance> wish;  // that was answered last
  };
  struct Look {
    Finding finding = Finding::missing;
    std::vector<std::string> nodes;  // that failed
    bool unclear = false;            // part_lost: one that still loads may say why
  };

  // One instance in one pass.
  struct Turn {
    const KeeperView& view;
    const std::string& instance;
    const DesiredInstance& desired;
    const ModelFigures& model;
    const Epoch& highest;     // that anybody knows
    const PlaceValue* place;  // in current_; null: none
    Kept& kept;
    std::vector<InstanceAction>& actions;
    LoadRecord told, record;  // in the map; as it should be there
    bool new_wish = false;
    Look look{};
    bool stands = false;     // what is placed answers a wish, be it as a substitute
    bool replacing = false;  // what stands: the plan for it was not there in the last pass
  };

  void keep(const KeeperView& view, const std::string& instance, const DesiredInstance& desired,
            const Epoch& highest, std::vector<InstanceAction>& actions);
  void begin(Turn& turn);
  void look(Turn& turn);
  // Whether what is there has to make room for another placement, although nothing fails.
  bool needs_another(const Turn& turn);
  // False: not yet.
  bool time_to_act(const Turn& turn);
  // What to publish once more with a higher epoch; null: plan anew.
  const Placement* same_again(const Turn& turn) const;
  void plan_anew(Turn& turn);
  // The wish has got its answer: its record goes to the map.
  void answer(Turn& turn);
  void give_up(Turn& turn);
  void publish(const Turn& turn, PlaceValue value);
  Epoch next_epoch(const std::string& instance, const Epoch& highest);

  void clean(const KeeperView& view, const std::map<std::string, DesiredInstance>& wanted,
             std::vector<InstanceAction>& actions);
  Look look_at_place(const Turn& turn) const;
  Look look_at_parts(const KeeperView& view, Kept& kept, const Placement& placement) const;
  bool stalled(Kept& kept, const std::string& node, const PartState* state, Time now) const;
  bool worth_a_try(const KeeperView& view, const Kept& kept, Finding finding) const;
  // Whether all its parts are ready.
  bool recover(const KeeperView& view, Kept& kept, const Placement& placement);
  bool starting(const Turn& turn) const;
  bool may_run(const Turn& turn, const Placement& placement) const;

  std::vector<NodeFigures> nodes_for(const Turn& turn) const;
  std::vector<NodeFigures> usable(const Turn& turn, std::vector<NodeFigures> nodes) const;
  std::set<std::string> other_replicas(const Turn& turn) const;  // nodes that have one
  std::uint32_t replicas_to_place(const Turn& turn) const;
  // Whether the placement takes several nodes on which more of the model's replicas could be.
  bool stands_in_the_way(const Turn& turn);
  PlanJob job_for(const Turn& turn) const;

  // A plan that is being made, by the name of what it is for.
  struct Planning {
    std::string name;
    std::uint64_t number = 0, inputs = 0, nodes = 0;  // inputs_ and nodes_ at its beginning
    bool asked = true;                                // for, in this pass
  };
  struct Made {
    PlaceValue value;
    std::uint64_t inputs = 0, nodes = 0;
  };
  // nullopt: not yet; ask again in the next pass. One is made at a time: each counts on what the
  // one before has taken. Begins anew when nodes or wishes have changed meanwhile.
  std::optional<Made> planned(const std::string& name, const std::function<PlanJob()>& job);

  const std::string self_;
  const Time start_;
  std::optional<Time> woke_at_;  // since the last pause of its own
  PlanWork* const plans_;
  std::optional<Planning> planning_;
  std::uint64_t plans_begun_ = 0;
  bool looked_ = false;
  std::set<std::string> at_start_;             // instances that were wanted at the first look
  std::map<std::string, Kept> kept_;           // by instance
  std::map<std::string, PlaceValue> current_;  // places, with those of this pass
  // Numbers that this keeper has used: another's later writing may have hidden them from the map.
  std::map<std::string, std::uint64_t> used_;  // by instance; outlasts rest()
  std::map<std::string, Time> orphans_;        // placements that nobody asks for, since when
  std::map<std::string, Time> old_records_;    // LoadRecords too
  std::map<std::string, Time> came_;           // nodes
  std::set<std::string> seen_;                 // nodes that were alive since our start
  std::uint64_t inputs_ = 1;                   // counts changes of what plans are made from
  std::uint64_t nodes_ = 1;  // and of what makes a refused one worth a try at once
};

// Whether the placement is what was asked for; of a substitute only what it cannot change.
bool satisfies(const Placement& placement, const DesiredInstance& desired,
               const ModelFigures& model, const InstanceMap& map);

}  // namespace drystone
