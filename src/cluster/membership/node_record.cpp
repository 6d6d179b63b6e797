#include "cluster/membership/node_record.h"

#include <tuple>

namespace drystone::cluster {

std::string_view to_string(NodeState state) {
  switch (state) {
    case NodeState::alive:
      return "alive";
    case NodeState::suspect:
      return "suspect";
    case NodeState::dead:
      return "dead";
    case NodeState::left:
      return "left";
  }
  return "?";
}

bool supersedes(const NodeRecord& a, const NodeRecord& b) {
  return std::tie(a.start, a.incarnation, a.state) > std::tie(b.start, b.incarnation, b.state);
}

}  // namespace drystone::cluster
