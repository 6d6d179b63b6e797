#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "machine.h"
#include "network.h"

// What must hold of a cluster whatever its network and machines do.
//
// Always (check):
//  1. No member takes a message of another for malformed, and none is longer than allowed.
//  2. Who is removed stays removed, and is never alive to one who knows.
//  3. A key's version never goes back within a life, but for what nodes say of themselves.
//  4. `node/<id>/...` is written by that node, and is held of members only.
//  5. What one node knows of another's start and incarnation never goes back within its life.
//  6. A node sends at most kSentPerSecondMax packets per second on average.
// kSettledAfter after the network healed and nothing more happened (check_healed), on each side
// (two sides only where each has put the other out while they could not talk):
//  7. Members that run are alive to all members that run, the others are dead or left.
//  8. Member lists are equal; who was removed is out everywhere.
//  9. Shared states are equal; each value was written by somebody, and no write is lost to an older
//     one that stood on its writer's disk at each of that one's crashes.
// 10. What a node said of itself in its present life is known to all.
// In fair weather (check by the scenario): nobody is suspected; a machine that stops is dead
// everywhere within 3 s; where only slowness, loss or one-way cuts with a way round are at work,
// nobody is ever dead.
namespace drystone::sim {

constexpr Time kSettledAfter = seconds(10);
constexpr std::uint64_t kSentPerSecondMax = 150;

class Invariants {
 public:
  Invariants(Network& network, std::vector<std::unique_ptr<Machine>>& machines)
      : network_(network), machines_(machines) {}

  // A write that machine `by` made itself, to be found again.
  void wrote(std::size_t by, const std::string& key);
  void lost_disk(std::size_t machine);  // and became another node
  // From its disk, which lacks what came last (Machine).
  void restarted(std::size_t machine);

  void check();
  void check_healed();

  // Those that run, in groups whose members list each other. A node that was put out while nobody
  // reached it may not know it itself: it is left out where one that it lists knows of its removal.
  // There are several sides only where nodes of each have put out, while they could not talk,
  // those who let the other in: then no list is more right than the other, and each goes on alone.
  std::vector<std::vector<Machine*>> sides() const;
  // The side of a machine; empty: it is on none.
  std::vector<Machine*> side_of(std::size_t machine) const;

  // Empty while all holds; at most kFailuresMax sentences.
  const std::vector<std::string>& failures() const { return failures_; }
  void fail(std::string sentence);

 private:
  static constexpr std::size_t kFailuresMax = 20;

  void check_members(Machine& machine);
  void check_versions(Machine& machine);
  void check_records(Machine& machine);
  void check_side(const std::vector<Machine*>& side);

  Network& network_;
  std::vector<std::unique_ptr<Machine>>& machines_;
  std::vector<std::string> failures_;
  std::map<std::size_t, std::set<cluster::NodeId>> removed_;  // that a machine knows of
  std::map<std::size_t, std::map<std::string, cluster::MapEntry>> versions_;
  std::map<std::size_t, std::map<cluster::NodeId, std::pair<std::uint64_t, std::uint64_t>>>
      records_;
  std::map<std::string, std::set<std::string>> written_;  // key: all values, "" for erased
  std::map<std::size_t, std::map<std::string, cluster::Version>> writes_of_;
};

}  // namespace drystone::sim
