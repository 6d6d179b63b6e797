#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/node/peers/node_crypto.h"
#include "app/node/state/state_folder.h"
#include "base/clock.h"
#include "cluster/core/cluster_core.h"

namespace drystone {

// Who this node is and which cluster it is in, from its state folder.
struct OpenedCore {
  std::unique_ptr<NodeKey> key;
  std::unique_ptr<NodeCrypto> crypto;
  std::unique_ptr<cluster::ClusterCore> core;
};

// Goes on where an earlier life ended; without one, or when the node was put out of its cluster,
// founds a cluster of its own. `name`: what it is called from now on; empty: as before, at first
// as the machine. What a person should know goes to
// `say`.
// Errors: io; corrupt (a file is damaged: it is named, and left as it is); invalid_argument (name)
Result<OpenedCore> open_core(const StateFolder& folder, const std::string& name, const Clock& clock,
                             const std::function<void(const std::string&)>& say);

cluster::ClusterCore::Options core_options(const Clock& clock);
// The machine's name, as far as it may be a node's; else "node".
std::string host_name();

}  // namespace drystone
