#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/rng.h"
#include "cluster/plan/ledger.h"
#include "instance_invariants.h"
#include "network.h"
#include "sim_engine.h"

namespace drystone::sim {

// The parts of instances that a node holds, in place of app/node/instances/part_runner and the
// links of serve/peer/split, by the same rules: a part of the epoch before ends first and gives its
// memory back first; parts connect, each with all others within 30 s, and load then; a head is
// ready when all are; a step goes through all of them; who hears nothing of a linked part for 2.5
// s, or that it ended, has lost its own. The ledger is the real one.
class SimParts {
 public:
  static constexpr Time kConnectWithin = seconds(30), kSilenceMax = milliseconds(2500),
                        kBeatEvery = milliseconds(500);
  struct Rooms {
    std::size_t machine;
    std::string self;
    Bytes memory;
    Rng& rng;
    InstanceInvariants& invariants;
    std::function<void(const std::string& node, std::string text)> send;  // in order
    std::function<void(const std::string& instance, const Epoch&, double)> progress;
    std::function<void(const std::string& instance, const Epoch&)> loaded;
    std::function<void(const std::string& instance, const Epoch&, const std::string&)> failed, lost;
  };
  explicit SimParts(Rooms rooms);
  ~SimParts();

  void load(const Placement& placement, Time now);
  void drop(const std::string& instance, const Epoch& epoch, Time now);
  void tick(Time now);
  void receive(const std::string& from, const std::string& text, Time now);
  void broken(const std::string& node, Time now);  // the connection to it

  // The head of an instance that is ready here in this epoch, else null.
  std::shared_ptr<SimEngine> head(const std::string& instance, std::uint64_t epoch) const;
  Bytes reserved() const { return ledger_.reserved(); }
  // What parts here are of, by instance; only `ready` ones if so. Those that end are not told.
  std::map<std::string, Placement> held(bool ready) const;
  bool ending() const;

  // Faults.
  void fail_loads(int times) { fail_loads_ = times; }
  void set_capacity(Bytes bytes) { ledger_.set_capacity(bytes); }
  void break_one(Time now);

 private:
  enum class Phase { waiting, connecting, loading, ready, ending };
  struct Part {
    Placement placement;
    std::size_t index;
    bool reuse;
    Phase phase = Phase::waiting;
    bool own_loaded = false, holds = false, stopped = false;
    Time since{};                        // in this phase
    Time until{};                        // of loading and ending
    Time beat_at{};                      // sent last
    double told = 0;                     // progress
    std::map<std::string, Time> heard;   // linked parts, by node
    std::map<std::string, bool> ready;   // and whether they have loaded
    std::optional<std::uint64_t> step;   // on its way
    std::optional<std::string> failure;  // told when it has ended
    std::shared_ptr<SimEngine> engine;   // of a head
    Bytes bytes() const { return placement.parts[index].bytes.total(); }
    bool is_head() const { return index == 0; }
  };
  using PartPointer = std::shared_ptr<Part>;

  std::vector<std::string> partners(const Part& part) const;
  void say(const Part& part, const std::string& node, char kind, std::uint64_t number);
  void begin(Part& part, Time now);
  void advance(Part& part, Time now);
  void give_up(Part& part, const std::string& why, Time now);  // while loading
  void lose(Part& part, const std::string& why, Time now);
  void stop(Part& part, Time now);
  void next_step(Part& part);
  bool over(const Part& part, Time now) const;
  Bytes held_bytes() const;

  Rooms rooms_;
  Ledger ledger_;
  std::map<std::string, PartPointer> current_;  // by instance
  std::list<PartPointer> ending_;
  std::uint64_t steps_ = 0;
  int fail_loads_ = 0;
};

}  // namespace drystone::sim
