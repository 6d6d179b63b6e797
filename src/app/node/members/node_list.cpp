#include "app/node/members/node_list.h"

#include <algorithm>
#include <tuple>

#include "app/node/members/node_name.h"
#include "app/node/wire/node_descriptor.h"

namespace drystone {

using cluster::ClusterCore;
using Node = ClusterHost::Node;

std::vector<ClusterHost::Node> list_nodes(const ClusterCore& core, const AddressBook& book,
                                          Clock::Nanoseconds now) {
  std::vector<Node> nodes;
  for (const auto& [node, member] : core.members().members()) {
    Node shown{.id = node, .name = node_name(core, node), .state = core.state(node)};
    shown.is_self = node == core.self();
    if (const auto about = descriptor_of(core, node)) {
      shown.version = about->version;
      shown.api = about->api;
      if (!about->addresses.empty()) shown.address = about->addresses.front();
    }
    if (const std::string used = book.shown(node, now); !shown.is_self && !used.empty())
      shown.address = used;
    nodes.push_back(std::move(shown));
  }
  std::ranges::sort(nodes, [](const Node& a, const Node& b) {
    return std::tuple(!a.is_self, a.name, a.id) < std::tuple(!b.is_self, b.name, b.id);
  });
  return nodes;
}

}  // namespace drystone
