#include <algorithm>

#include "engine/constraint/parses.h"

namespace drystone::constraint {

namespace {

constexpr std::uint64_t kUndescribed = 1;  // the signature of a stack that contains itself
constexpr std::uint64_t kBottom = 2;

std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

std::uint64_t hash_item(const Item& item, std::uint64_t stack, std::uint32_t horizon) {
  const std::uint64_t counters = static_cast<std::uint64_t>(std::min(item.must, horizon + 1))
                                     << 32 |
                                 std::min(item.may, horizon + 1);
  return mix(mix(mix(stack + 0x9e3779b97f4a7c15) + item.state + 1) + counters);
}

// Describes each new node by its edges, and so the whole stack. Stacks that contain themselves
// (left recursion) are not described.
class Signer {
 public:
  Signer(Configuration& configuration, std::uint32_t horizon)
      : configuration_(configuration), horizon_(horizon), open_(configuration.nodes.size()) {}

  std::uint64_t sign(NodeIndex index) {
    if (index == kNone) return kBottom;
    Configuration::Node& node = configuration_.nodes[index];
    // Old nodes were signed before, so this goes no deeper than what one token added.
    if (node.signature != 0) return node.signature;
    if (open_[index]) return kUndescribed;
    open_[index] = 1;
    std::uint64_t sum = 0;
    bool known = true;
    for (std::uint32_t edge = node.first_edge; edge != kNone;
         edge = configuration_.edges[edge].next) {
      const Item& then = configuration_.edges[edge].then;
      const std::uint64_t below = sign(then.node);
      known = known && below != kUndescribed;
      sum += hash_item(then, below, horizon_);
    }
    return node.signature = known ? std::max(mix(sum), kBottom + 1) : kUndescribed;
  }

 private:
  Configuration& configuration_;
  std::uint32_t horizon_;
  std::vector<std::uint8_t> open_;
};

}  // namespace

std::uint64_t Configuration::signature(std::uint32_t horizon) const {
  std::uint64_t sum = 0;
  for (const Item& item : items) {
    const std::uint64_t stack = nodes[item.node].signature;
    if (stack <= kUndescribed) return 0;
    sum += hash_item(item, stack, horizon);
  }
  return std::max<std::uint64_t>(mix(sum), 1);
}

Configuration Parses::save(std::uint32_t horizon) const {
  Configuration kept;
  kept.complete = complete();
  std::vector<NodeIndex> renamed(nodes_.size(), kNone), order;
  const auto keep = [&](NodeIndex node) {
    if (node == kNone || renamed[node] != kNone) return;
    renamed[node] = 0;
    order.push_back(node);
  };
  for (const Item& item : items()) keep(item.node);
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::uint32_t edge = nodes_[order[i]].first_edge; edge != kNone; edge = edges_[edge].next)
      keep(edges_[edge].then.node);
  }
  std::sort(order.begin(), order.end());
  for (std::size_t i = 0; i < order.size(); ++i) renamed[order[i]] = static_cast<NodeIndex>(i);
  const auto rename = [&](Item item) {
    if (item.node != kNone) item.node = renamed[item.node];
    return item;
  };
  for (const NodeIndex old : order) {
    Configuration::Node node = {nodes_[old].rule, kNone, nodes_[old].signature};
    for (std::uint32_t edge = nodes_[old].first_edge; edge != kNone; edge = edges_[edge].next) {
      kept.edges.push_back({rename(edges_[edge].then), node.first_edge});
      node.first_edge = static_cast<std::uint32_t>(kept.edges.size() - 1);
    }
    kept.nodes.push_back(node);
  }
  for (const Item& item : items()) kept.items.push_back(rename(item));
  Signer signer(kept, horizon);
  for (NodeIndex node = 0; node < kept.nodes.size(); ++node) signer.sign(node);
  return kept;
}

}  // namespace drystone::constraint
