#pragma once

#include <boost/json.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "cluster/instance/instance_core.h"
#include "cluster/plan/ledger.h"

namespace drystone {

// A replica of a last-writer-wins map, as the cluster will have it.
class SimMap final : public MapView {
 public:
  struct Entry {
    boost::json::value value;  // null: deleted
    std::uint64_t lamport = 0;
    std::string writer;
  };

  const boost::json::value* get(std::string_view key) const override;
  std::vector<std::string> keys(std::string_view prefix) const override;

  void put(const std::string& key, boost::json::value value, const std::string& writer);
  // Takes what is newer in `other`; the keys that changed.
  std::vector<std::string> merge(const SimMap& other);
  bool operator==(const SimMap& other) const;

 private:
  std::map<std::string, Entry, std::less<>> entries_;
  std::uint64_t lamport_ = 0;
};

// Several nodes that run InstanceCore, with maps that gossip, a failure detector that needs 2.5 s,
// a ledger each, and parts that take some time to load. Steps of half a second; everything is
// decided by the seed. What must always hold is checked all the time.
class SimCluster {
 public:
  explicit SimCluster(std::uint64_t seed) : rng_(seed) {}

  void add_node(const std::string& name, Bytes memory);
  // Those nodes run on one machine, whose `memory` they share.
  void share_memory(std::set<std::string> nodes, Bytes memory) {
    neighbours_ = std::move(nodes), shared_memory_ = memory;
  }
  void add_model(const ModelFigures& model);  // known from the next node that starts or is up
  void want(DesiredInstance desired);         // as somebody who asks now
  void unwant(const std::string& model);

  void kill(const std::string& name);  // with everything it held; the map stays on disk
  void start(const std::string& name);
  void remove(const std::string& name);  // from the cluster, running or not
  // It computes nothing and hears nothing, but holds what it holds.
  void freeze(const std::string& name);
  void thaw(const std::string& name);  // acts before the first word of the others reaches it
  void cut(const std::string& a, const std::string& b, bool one_way = false);
  void heal();  // all links
  void fail_loads(const std::string& name, int times);
  void break_part(const std::string& name, const std::string& instance);
  void slow_plans() { slow_plans_ = true; }  // of nodes that start from now on: a second each
  void measure_links(double round_trip_s) { round_trip_s_ = round_trip_s; }
  void measure_node(const std::string& name, double rate) { rates_[name] = rate; }
  void lose_messages(double probability) { loss_ = probability; }

  void run(double seconds);
  // Steps until the instance is ready on all nodes' view; false after `limit_s`.
  bool run_until_ready(const std::string& instance, double limit_s);
  // What happened to placements, a line each, since the last call.
  std::string trace();

  const InstanceCore& core(const std::string& name) const { return *nodes_.at(name).core; }
  InstanceStatus status(const std::string& name, const std::string& instance) const;
  bool is_up(const std::string& name) const { return nodes_.at(name).core != nullptr; }
  double now_s() const { return std::chrono::duration<double>(now_).count(); }
  // "" when everybody agrees and holds just what the placements say; else what is wrong.
  std::string disagreement() const;
  std::vector<std::string> names() const;

 private:
  struct Held {
    Placement placement;
    int steps_left = 0;
    bool ready = false, failed = false;
    bool whole = false;   // it was ready: its weights are there
    bool joined = false;  // all parts of the epoch were there together once
    int told_in = 0;      // steps until the cluster hears that it has failed; 0: it has
  };
  // Plans on a thread of its own, which is slow.
  struct SlowPlans final : PlanWork {
    explicit SlowPlans(const std::chrono::nanoseconds& clock) : now(clock) {}
    std::optional<PlaceValue> made(std::uint64_t number,
                                   const std::function<PlanJob()>& job) override;
    const std::chrono::nanoseconds& now;
    std::uint64_t current = 0;
    PlanJob running;
    std::chrono::nanoseconds begun{};
  };
  struct Node {
    Bytes memory = 0;
    std::uint64_t boots = 0;
    int fail_loads = 0;
    SimMap map;
    std::unique_ptr<SlowPlans> plans;
    std::unique_ptr<InstanceCore> core;
    std::unique_ptr<Ledger> ledger;
    std::map<std::string, Held> held;
    std::map<std::string, std::chrono::nanoseconds> heard;  // when from whom
    std::set<std::string> alive;
    std::map<std::string, Epoch> loaded;  // highest epoch that was handed out since the start
  };

  void step();
  void gossip();
  void detect(const std::string& name, Node& node);
  void load(const std::string& name, Node& node);
  void fail_load(const std::string& name, Node& node, const std::string& instance, Held& held);
  void act(const std::string& name, Node& node);
  void begin_part(const std::string& name, Node& node, const LoadPart& action);
  void end_part(const std::string& name, Node& node, const DropPart& action);
  void check_pipes(const std::string& name, Node& node);
  Bytes free_of_shared(const std::string& name) const;
  void tell_figures(const std::string& name, Node& node);
  void put(const std::string& name, Node& node, const std::string& key, boost::json::value value);
  void note(std::string line);
  bool reaches(const std::string& from, const std::string& to) const;

  Rng rng_;
  std::chrono::nanoseconds now_{};
  std::map<std::string, Node> nodes_;  // by name, which is the id as well
  std::map<std::string, ModelFigures> models_;
  std::set<std::pair<std::string, std::string>> cut_;
  std::set<std::string> frozen_, thawing_;
  std::set<std::string> neighbours_;
  Bytes shared_memory_ = 0;
  double loss_ = 0, round_trip_s_ = 0.02;
  std::map<std::string, double> rates_;  // of nodes that were measured anew
  std::uint64_t asked_ = 0;
  bool slow_plans_ = false;
  std::string trace_;
};

}  // namespace drystone
