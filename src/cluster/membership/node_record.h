#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

#include "cluster/wire/node_id.h"

namespace drystone::cluster {

// Of starts and incarnations: exact in JSON, with room above for contradiction.
constexpr std::uint64_t kStartMax = std::uint64_t{1} << 52;

enum class NodeState {
  alive,
  suspect,  // silent for a second; still counted as one of us
  dead,     // nobody reached it in time
  left,     // it said that it stops
};

std::string_view to_string(NodeState state);

// What is said about a node. `start` grows with every start of its process; `incarnation` grows
// within one start, when the node contradicts what others say of it: only the node itself raises
// either. Of two records the greater holds: later start, later incarnation, then the worse state.
struct NodeRecord {
  NodeId id;
  std::uint64_t start = 0;
  std::uint64_t incarnation = 0;
  NodeState state = NodeState::alive;

  bool operator==(const NodeRecord&) const = default;
};

// Whether `a` holds against `b`, a record of the same node.
bool supersedes(const NodeRecord& a, const NodeRecord& b);

}  // namespace drystone::cluster
