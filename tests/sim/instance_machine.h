#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/instance/desired.h"
#include "cluster/instance/map_view.h"
#include "cluster/instance/plan_work.h"
#include "machine.h"
#include "sim_jobs.h"
#include "sim_parts.h"
#include "sim_route.h"

namespace drystone::sim {

// What all machines of a simulated cluster have in common.
struct World {
  Network& network;
  InstanceInvariants& invariants;
  Directory directory;
  std::function<void(std::string)> say;
  int channels = SimJobs::kFirstChannel;  // of job connections, so far
};

// The shared state as the life of instances sees it.
class SimView final : public MapView {
 public:
  void set(std::string_view key, const std::string* text);  // null: erased
  const boost::json::value* get(std::string_view key) const override;
  std::vector<std::string> keys(std::string_view prefix) const override;

 private:
  std::map<std::string, boost::json::value, std::less<>> values_;
};

// Plans on a thread of its own, which takes a while.
class SimPlans final : public PlanWork {
 public:
  explicit SimPlans(const Network& network) : network_(network) {}
  std::optional<PlaceValue> made(std::uint64_t number,
                                 const std::function<PlanJob()>& job) override;

 private:
  const Network& network_;
  std::uint64_t current_ = 0;
  PlanJob running_;
  Time begun_{};
};

class SimClock final : public Clock {
 public:
  explicit SimClock(const Network& network) : network_(network) {}
  Nanoseconds monotonic() const override { return network_.now(); }
  WallTime wall() const override { return WallTime(network_.now()); }

 private:
  const Network& network_;
};

// A node as `drystone up` builds it, as far as it decides: a ClusterCore, over whose shared state
// an InstanceCore runs as app/node/instances/instance_life has it run, simulated parts, job
// connections, and a route to each instance. A crash ends all of it but what the core has on disk.
class InstanceMachine final : public SimNode {
 public:
  struct Options {
    std::size_t number;
    Bytes memory;
    bool slow_plans;
  };
  InstanceMachine(Options options, World& world);

  void tick(Time now) override;
  void receive(const Packet& packet, Time now) override;
  void broken(std::size_t peer, int channel, Time now) override;
  std::vector<Packet> take_outbox() override;

  Machine& machine() { return machine_; }
  std::size_t number() const { return options_.number; }
  Bytes memory() const { return options_.memory; }
  const cluster::NodeId& id() const { return id_; }
  void begin_life();  // its ClusterCore runs
  void end_life();    // nothing of it says anything any more
  bool is_up() const { return life_ != nullptr; }
  const InstanceCore& core() const { return *life_->core; }
  SimParts& parts() { return *life_->parts; }
  const SimParts& parts() const { return *life_->parts; }

  // As the node's API does.
  void put(const std::string& key, const boost::json::value& value);  // null: erase
  bool serves(const std::string& model) const;
  // Errors: those of ReplayQueue::submit; unavailable where it is not served.
  struct Ticket {
    std::string model;
    std::uint64_t id;
  };
  Result<Ticket> submit(const std::string& model, GenerationJob job);
  void cancel(const Ticket& ticket);
  // While jobs of a model that is served no more are ended.
  bool closing() const { return closing_; }

 private:
  struct Life {
    SimView view;
    std::unique_ptr<SimPlans> plans;
    std::unique_ptr<InstanceCore> core;
    std::unique_ptr<SimJobs> jobs;
    std::unique_ptr<SimParts> parts;
    std::map<std::string, std::shared_ptr<ReplayQueue>> queues;  // by model
    std::map<std::string, std::shared_ptr<SimRoute>> routes;     // by instance
    std::map<std::string, Epoch> handed;
    Time ticked{};
    std::uint64_t number = 0;
  };

  void on_event(const cluster::ClusterEvent& event);
  void act();
  void carry_out(const InstanceAction& action);
  void follow();
  std::shared_ptr<SimRoute> make_route(const InstanceStatus& status);
  void tell_figures();
  Time now() const { return world_.network.now(); }

  const Options options_;
  World& world_;
  Machine machine_;
  const cluster::NodeId id_;
  SimClock clock_;
  std::vector<Packet> outbox_;
  std::unique_ptr<Life> life_;
  std::uint64_t lives_ = 0;
  bool awake_ = false, closing_ = false;
};

}  // namespace drystone::sim
