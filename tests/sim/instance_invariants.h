#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/units.h"
#include "cluster/instance/instance_core.h"
#include "network.h"

// What must hold of the life of instances and of the requests on them, whatever the network and the
// machines do.
//
// Always:
//  1. No overbooking: what the parts of a node hold, also those that are ending, is never more than
//     its memory, and no part begins beyond what is free.
//  2. No lost, repeated or wrong token: a client receives the tokens and the text of its request's
//     answer from the first on, each once, in order, whichever heads wrote them.
//  3. An answer that ends well is whole. Else it ends with an error that says why (`unavailable` or
//     `out_of_memory`), or as cancelled: by its client, or because the model was unloaded. It ends
//     once. Only the end of the node that holds the client's connection cuts it off.
//  4. In the life of a keeper no epoch of an instance is published twice. (One that started afresh
//     may not know of its last ones; 6 must hold all the same.)
//  5. A node is handed a part of a higher epoch than any before in its life, and placements are
//     complete.
// Within kAgreedWithin after the last fault (machines that crashed for good stay away):
//  6. One epoch wins: all nodes have the same state, hold the parts of the one placement of each
//     instance and nothing else, and there is one head of it. It stays so.
//  7. What is wanted is reached: every instance is ready; or it was refused, and a plan with the
//     memory that is free then does not place it either; or it was given up after failures.
//  8. Every request ends, within kEndedWithin more.
//  9. Every node answers a request for every model that is ready.
namespace drystone::sim {

constexpr Time kAgreedWithin = seconds(240);
constexpr Time kEndedWithin = seconds(30);

class InstanceMachine;

class InstanceInvariants {
 public:
  using Machines = std::vector<std::unique_ptr<InstanceMachine>>;

  // Empty while all holds; at most kFailuresMax sentences.
  const std::vector<std::string>& failures() const { return failures_; }
  void fail(std::string sentence);

  void holds(std::size_t machine, Bytes held, Bytes capacity);                          // 1
  void published(const std::string& instance, const Epoch& epoch, std::uint64_t life);  // 4
  void handed(std::size_t machine, const Placement& placement, Epoch& before);          // 5
  // 6 and 7, of the machines that run: "" or what is still wrong.
  static std::string disagreement(const Machines& machines);

 private:
  static constexpr std::size_t kFailuresMax = 20;

  std::vector<std::string> failures_;
  std::set<std::string> published_;  // instances with epochs
};

}  // namespace drystone::sim
