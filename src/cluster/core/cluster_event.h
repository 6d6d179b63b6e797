#pragma once

#include <string>
#include <string_view>

#include "cluster/wire/node_id.h"

namespace drystone::cluster {

// What the rest of the program wants to know.
struct ClusterEvent {
  enum class Kind {
    node_alive,  // also after suspect, dead or left
    node_suspect,
    node_dead,
    node_left,       // it stopped in order
    node_restarted,  // alive, but all that it held in memory is gone
    member_added,
    member_removed,  // close its connections, once what is in the outbox was sent
    removed_self,    // this node was put out, or has left the cluster for good
    key_changed,     // written or erased, by this node or another one
  };
  Kind kind = Kind::node_alive;
  NodeId node;      // key_changed: none
  std::string key;  // key_changed only

  bool operator==(const ClusterEvent&) const = default;
};

std::string_view to_string(ClusterEvent::Kind kind);

}  // namespace drystone::cluster
